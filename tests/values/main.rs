//! Values of `syntax`, `sasl`, `proxy` and `client`: vectors, exchanges of mechanisms, storing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[cfg(feature = "serde")]
mod client_serde;
mod mistakes;
mod proxy;
#[cfg(all(feature = "scram", feature = "cram-md5"))]
mod sasl_exchanges;
#[cfg(all(feature = "scram", feature = "cram-md5"))]
mod sasl_vectors;
#[cfg(feature = "serde")]
mod syntax_serde;
mod syntax_transcripts;
mod vectors;
