//! The example programs as users meet them: command lines, exit codes, behaviour when the disk, the
//! descriptors or the time run out.

// Linux: prlimit(2) changes the limits of a server that runs.
#![cfg(all(target_os = "linux", feature = "cram-md5", feature = "getrandom", feature = "rustls"))]
#![cfg(all(feature = "scram", feature = "tokio"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

mod disk;
mod forward;
#[path = "../../examples/support/maildir.rs"]
mod maildir;
mod mx;
mod program;
mod receive;
mod send;
mod server;
#[path = "../../examples/support/spool.rs"]
mod spool;
