//! The requirements of the standards: a module for each RFC; the doc comment of
//! each test names the rows of `tests/data/requirements.tsv` that it proves.
//!
//! Other tests prove many of the rows and name them too; these are the tests that belong to no other file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/dialogue.rs"]
mod dialogue;

#[cfg(feature = "scram")]
mod bindings;
mod by_hand;
mod line_limits;
mod matrix;
mod offering;
mod rfc1845;
mod rfc1870;
mod rfc1985;
mod rfc2033;
mod rfc2034;
mod rfc2645;
mod rfc2645_client;
mod rfc2852;
mod rfc2920;
mod rfc3030;
mod rfc3207;
mod rfc3461;
mod rfc3463;
mod rfc3848;
mod rfc3865;
mod rfc3885;
mod rfc4141;
mod rfc4405;
mod rfc4468;
mod rfc4865;
mod rfc4954;
mod rfc5321_client;
mod rfc5321_server;
mod rfc5321_session;
mod rfc5321_syntax;
mod rfc5321bis;
mod rfc6152;
mod rfc6409;
mod rfc6531;
mod rfc6710;
mod rfc7293;
mod rfc7504;
mod rfc7505;
mod rfc7628;
mod rfc8689;
mod rfc9422;
mod xclient;
mod xforward;
mod xverp;
