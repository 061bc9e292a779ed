//! Each side against any peer: properties that hold for every session.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

mod client;
mod server;
