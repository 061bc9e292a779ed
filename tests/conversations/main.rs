//! Sessions in memory, with a fake clock: each side in conversation, by topic, and both together.
//!
//! `cargo test --all-features --test conversations server::greeting` plays one topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[cfg(feature = "rustls")]
#[path = "../common/channel.rs"]
mod channel;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/dialogue.rs"]
mod dialogue;
#[path = "../common/overheard.rs"]
mod overheard;

mod both_ends;
mod client;
mod kit;
mod lenience;
mod lent_buffers;
mod redaction;
#[cfg(all(feature = "rustls", feature = "scram"))]
mod round_trips;
mod server;
