//! What the standards ask for, requirement by requirement: a module an RFC, and in the doc comment of
//! each test the rows of `tests/data/requirements.tsv` that it proves.
//!
//! Many rows are proven by tests elsewhere, which name them too; here is what had no better place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/dialogue.rs"]
mod dialogue;

#[cfg(feature = "scram")]
mod bindings;
mod by_hand;
mod rfc2034;
mod rfc3207;
mod rfc3463;
mod rfc4954;
mod rfc6409;
mod rfc8689;
