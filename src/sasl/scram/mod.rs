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

/// The greatest iteration count that a client takes by default. A hostile server can make it
/// calculate for as long as it likes (RFC 5802 section 9); a million rounds are about half a second.
pub const MAX_ITERATIONS: u32 = 1_000_000;
