//! The answers of an application: each through a session in memory, as a client sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[cfg(all(feature = "scram", feature = "getrandom"))]
mod credentials;
mod message;
mod parameters;
mod received;
mod replies;
mod talk;
