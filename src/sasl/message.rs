//! The messages of the mechanisms as they stand on the wire: parsed, checked and encoded.
//!
//! No session needs them: an [`Initiator`](super::Initiator) and a [`Verifier`](super::Verifier) read and write them.
//! They are here for a mechanism of one's own, for tests of other programs, and for tools that read a recorded exchange.
//!
//! ```
//! use esmtp::sasl::message::{OauthBearer, PlainMessage};
//!
//! let message = PlainMessage::parse(b"\0tim\0tanstaaftanstaaf")?;
//! assert_eq!((message.authzid(), message.authcid()), (None, "tim"));
//!
//! let message = OauthBearer::new(Some("ann@example.org"), Some("mx.example.org"), Some(587), "vF9dft4=")?;
//! assert!(message.encode().expose().starts_with(b"n,a=ann@example.org,\x01host=mx.example.org\x01"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use super::anonymous::{MAX_TRACE, Trace};
pub use super::bearer::{OauthBearer, Xoauth2};
#[cfg(feature = "cram-md5")]
pub use super::cram_md5::CramMd5Response;
pub use super::external::parse_external;
pub use super::login::{PASSWORD_PROMPT, USERNAME_PROMPT};
pub use super::plain::PlainMessage;

/// The header of the mechanisms of the GS2 family, and the names in it (RFC 5801 section 4).
///
/// ```
/// use esmtp::sasl::message::gs2::{Flag, Header, quote};
///
/// let (header, rest) = Header::parse("n,a=ann,n=user,r=nonce")?;
/// assert_eq!((header.flag(), header.authzid(), rest), (Flag::None, Some("ann"), "n=user,r=nonce"));
/// assert_eq!(quote("a,b=c"), "a=2Cb=3Dc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod gs2 {
    pub use crate::sasl::gs2::{Flag, Header, quote, unquote};
}

/// The four messages of SCRAM (RFC 5802 section 7).
///
/// ```
/// use esmtp::sasl::message::scram::{ClientFirst, ServerFirst};
///
/// let first = ClientFirst::parse(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")?;
/// assert_eq!((first.user(), first.nonce()), ("user", "fyko+d2lbbFgONRv9qkxdawL"));
/// let reply = ServerFirst::parse(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")?;
/// assert_eq!(reply.iterations(), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "scram")]
pub mod scram {
    pub use crate::sasl::scram::message::{
        ClientFinal, ClientFirst, MessageError, ServerFinal, ServerFirst,
    };
}
