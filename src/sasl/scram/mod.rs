//! SCRAM: each side proves to the other that it knows the password, and neither sends it
//! (RFC 5802, RFC 7677).
//!
//! The `-PLUS` forms bind the proof to the channel, which excludes a man in the middle.
//!
//! The server stores [`Keys`] and never needs the password. For an unknown user it runs the same
//! exchange with keys of a [`Decoy`], and fails at its end.
//!
//! ```
//! use esmtp::sasl::scram::{Hash, Keys};
//!
//! // When a password is set; the salt is random.
//! let keys = Keys::derive(Hash::Sha256, "correct horse", *b"16 random octets", 4096)?;
//! let stored = keys.encode(); // text, for a database
//! assert!(stored.parse::<Keys>()?.verify("correct horse"));
//! # Ok::<(), esmtp::sasl::scram::KeysError>(())
//! ```

mod hash;
mod initiator;
mod keys;
pub(super) mod message;
mod verifier;

pub use hash::Hash;
pub use initiator::{Binding, ScramInitiator};
pub use keys::{DEFAULT_ITERATIONS, Decoy, Keys, KeysError, MIN_ITERATIONS};
pub use verifier::ScramVerifier;

/// The greatest iteration count that a client accepts by default: 600,000.
///
/// OWASP's Password Storage Cheat Sheet recommends that number with PBKDF2-HMAC-SHA256, and fewer
/// with SHA-512; deployed servers announce 4096 to 15,000. A hostile server can make a client
/// calculate for as long as it likes (RFC 5802 section 9), and the thread that polls the client is
/// blocked meanwhile: 600,000 iterations take about 0.1 seconds of a processor core with SHA-1 and
/// SHA-256, and 0.4 with SHA-512.
/// [`Credentials::with_iterations`](crate::sasl::Credentials::with_iterations) sets another.
pub const MAX_ITERATIONS: u32 = 600_000;
