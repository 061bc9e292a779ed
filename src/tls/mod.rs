//! A machine inside TLS, still without I/O.
//!
//! [`Secured`] puts a TLS layer around a machine and is a [`Machine`](crate::machine::Machine) itself, with the events of
//! the one inside. Drivers need no knowledge of it, neither for implicit TLS (RFC 8314) nor for
//! STARTTLS (RFC 3207). The crypto provider is the one that the rustls configuration was built
//! with.
//!
//! The layer guarantees:
//!
//! - Deadlines: of the handshake, of an alert and of the close_notify. All others are those of the
//!   machine inside: its octets count as sent as the peer takes the records that hold them, so a
//!   peer that does not read, or reads slowly, exceeds its deadlines as in the clear.
//! - Memory: plaintext is decrypted only when the machine inside asks for it, and encrypted, up to
//!   64 KiB at once, when the peer has taken the records before. A layer holds at most about 300
//!   KiB, whatever the peer does.
//! - The end: a stream that ends without close_notify has been cut off (RFC 8446 section 6.1),
//!   whatever the driver reports; octets after a close_notify are discarded.
//!
//! Renegotiation does not exist in rustls, and it limits KeyUpdate and empty records. Early data
//! (0-RTT), which an attacker can replay, is discarded: leave it disabled.

mod error;
mod layer;
pub mod rustls;
mod secured;

pub use self::rustls::{
    client::ClientTls,
    role::Role,
    server::{Choice, ClientCertificates, Hello, ServerTls},
};
pub use error::ConfigError;
pub use secured::Secured;
