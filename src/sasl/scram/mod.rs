//! SCRAM: each side proves to the other that it knows the password, and neither sends it
//! (RFC 5802, RFC 7677).
//!
//! The `-PLUS` forms bind the proof to the channel, so that nobody is in the middle of it.
//!
//! The server keeps [`Keys`] and never needs the password. For a user whom nobody knows it
//! goes through the same exchange with keys out of a [`Decoy`], and fails at its end.

mod hash;
mod initiator;
mod keys;
pub mod message;
mod verifier;

pub use hash::Hash;
pub use initiator::{Binding, ScramInitiator};
pub use keys::{DEFAULT_ITERATIONS, Decoy, Keys, KeysError, MIN_ITERATIONS};
pub use verifier::ScramVerifier;

/// The greatest iteration count that a client takes by default: 600,000.
///
/// OWASP's Password Storage Cheat Sheet asks for that many with PBKDF2-HMAC-SHA256, and for fewer with SHA-512; servers in
/// use announce 4096 to 15,000. A hostile server can make a client calculate for as long as it likes (RFC 5802 section
/// 9), and the thread that polls the client stands still meanwhile: this many take about 0.1 seconds of a processor
/// core with SHA-1 and SHA-256, and 0.4 with SHA-512. [`Credentials::with_iterations`](crate::sasl::Credentials::with_iterations)
/// sets another.
pub const MAX_ITERATIONS: u32 = 600_000;
