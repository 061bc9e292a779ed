//! The adapters, with a machine that is simple enough to see what they do.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a test has std, and says what went wrong by failing"
)]

mod blocking;
#[cfg(feature = "tokio")]
mod failing;
#[cfg(feature = "tokio")]
mod lending;
mod misconfigured;
mod nonblocking;
mod phases;
#[cfg(all(feature = "testing", feature = "tokio"))]
mod pool;
#[cfg(feature = "tokio")]
mod serving;
#[cfg(feature = "tokio")]
mod sessions;
mod stopper;
#[cfg(feature = "tokio")]
mod tokio;
mod toy;
#[cfg(all(feature = "tracing", feature = "tokio"))]
mod traced;
mod unanswered;
