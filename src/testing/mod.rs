//! A test kit: scripts of sessions, both ends in memory, and peers with faults (feature `testing`).
//!
//! It tests an application of this crate, and every other client or server that speaks SMTP,
//! submission or LMTP. Its parts hold no rule of the protocol; what a peer answers is the answer of
//! the machines, or stands in the test.
//!
//! | to test | use |
//! |---|---|
//! | a policy, as questions and answers of a server, in memory | [`Script::check`] with a [`Server`](crate::server::Server) |
//! | a client's use of [`Event`](crate::client::Event) | [`Script::check`] with a [`Client`](crate::client::Client) |
//! | both sides together, on a slow or bad link, without waiting | [`Link`] |
//! | a session function, or a program, against a peer that sends exactly this | [`ScriptedPeer`] |
//! | a client of any origin against a server that rejects, stalls, closes or sends garbage | [`LoopbackServer`]; [`FaultyServer`] on any stream |

mod dialect;
mod fault;
mod faulty;
mod inbox;
mod link;
mod loopback;
mod mismatch;
mod peer;
mod running;
mod script;
mod subject;

pub use dialect::ScriptError;
pub use fault::{At, Fault, Faults};
pub use faulty::FaultyServer;
pub use link::{Link, Stuck};
pub use loopback::{LoopbackServer, TakenMessage};
pub use mismatch::Mismatch;
pub use peer::ScriptedPeer;
pub use running::Running;
pub use script::{Cut, Played, Script};
pub use subject::Subject;
