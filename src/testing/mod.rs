//! A test kit: scripts of sessions, both ends in memory, and peers with faults (feature `testing`).
//!
//! It tests an application of this crate, and every other client or server that speaks SMTP,
//! submission or LMTP. Its parts hold no rule of the protocol: a peer answers as the machines do, or
//! as the test says.
//!
//! | to test | use |
//! |---|---|
//! | a policy: the answers to a server's questions, in memory | [`Script::check`] with a [`Server`](crate::server::Server) |
//! | the answers to a client's questions, in memory | [`Script::play`] with a [`Client`](crate::client::Client) |
//! | a machine step by step, where the test decides on the way | [`Driver`] |
//! | both sides together, on a slow or bad link, without waiting | [`Link`] |
//! | a session function, or a program, against a peer that sends exactly this | [`ScriptedPeer`] |
//! | a client of any origin against a server that rejects, stalls, closes or sends garbage | [`LoopbackServer`]; [`FaultyServer`] on any stream |
//!
//! # Test a policy in memory
//!
//! A script is written as the RFCs write sessions. It is played on a fake clock, with the octets of the
//! client cut at every place; what differs is shown with the conversation up to there.
//!
//! ```
//! use esmtp::{
//!     security::Security,
//!     server::{Config, Event, Peer, Server},
//!     syntax::Rejection,
//!     testing::Script,
//! };
//!
//! fn policy(event: Event<'_>) {
//!     match event {
//!         Event::Mail(mail) if mail.reverse_path().is_null() => mail.reject(Rejection::POLICY),
//!         other => other.proceed(),
//!     }
//! }
//!
//! // #[test]
//! fn bounces_are_rejected() {
//!     let config = std::sync::Arc::new(Config::new("mx.example.org").unwrap());
//!     let script = Script::new(
//!         "S: 220 ...
//!          C: EHLO client.example.net
//!          S: 250 ...
//!          C: MAIL FROM:<>
//!          S: 550 5.7.1 ...",
//!     );
//!     let server = || Server::new(config.clone(), Peer::UNKNOWN, Security::CLEAR);
//!     script.unwrap().check(server, policy).unwrap();
//! }
//! # bounces_are_rejected();
//! ```
//!
//! # Test a session function
//!
//! [`ScriptedPeer`] is a [`Machine`](crate::Machine), so the adapters drive it on every stream: here in
//! memory, with a clock that tokio advances.
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use esmtp::{
//!     io::tokio::{Connection, ServerSession, Socket},
//!     security::Security,
//!     server::{Config, Peer, Server},
//!     testing::{Script, ScriptedPeer},
//! };
//!
//! async fn session(mut session: ServerSession) {
//!     while let Ok(Some(event)) = session.next().await {
//!         event.proceed();
//!     }
//! }
//!
//! // #[tokio::test(start_paused = true)]
//! async fn a_silent_client_gets_421() {
//!     let (near, far) = tokio::io::duplex(4096);
//!     let server =
//!         Server::new(Config::new("mx.example.org").unwrap().into(), Peer::UNKNOWN, Security::CLEAR);
//!     let script = Script::new("S: 220 ...\n(300 s)\nS: 421 ...\nS: (closed)").unwrap();
//!     let mut client = Connection::new(ScriptedPeer::client(&script), far);
//!     let session = session(Connection::new(server.into(), Socket::boxed(near)));
//!     let _ = tokio::join!(session, client.next());
//!     client.machine().result().unwrap();
//! }
//! # tokio::runtime::Builder::new_current_thread()
//! #     .enable_time()
//! #     .start_paused(true)
//! #     .build()
//! #     .unwrap()
//! #     .block_on(a_silent_client_gets_421());
//! # }
//! ```
//!
//! # Test a sender against faults
//!
//! The server accepts every message, and has its faults where the test puts them. The sender may be
//! of any origin: it needs the address only.
//!
//! ```
//! use esmtp::{client, envelope::Envelope, io::blocking, server};
//! use esmtp::testing::{At, Fault, Faults, LoopbackServer};
//! use std::net::SocketAddr;
//!
//! /// Sends a message, and once more if the server rejects it for now.
//! fn send(server: SocketAddr) -> Result<bool, Box<dyn std::error::Error>> {
//!     let config = client::Config::new("me.example.net")?;
//!     let mut session = blocking::connect(server, config)?;
//!     for _ in 0..2 {
//!         let envelope = Envelope::new("ann@example.net", ["bob@example.org"])?;
//!         if session.send(envelope, b"hello\r\n")?.is_delivered_to_all() {
//!             return Ok(true);
//!         }
//!     }
//!     Ok(false)
//! }
//!
//! // #[test]
//! fn a_message_that_is_rejected_for_now_is_sent_again() {
//!     let faults = Faults::default().with(At::command("RCPT").nth(1), Fault::reply("450 4.2.1 Busy"));
//!     let config = server::Config::new("mx.example.org").unwrap();
//!     let server = LoopbackServer::new(config).with_faults(faults).start().unwrap();
//!     assert!(send(server.address()).unwrap());
//!     assert_eq!(server.stop().len(), 1);
//! }
//! # a_message_that_is_rejected_for_now_is_sent_again();
//! ```
//!
//! The places are the greeting, a command, the end of the content before the message is accepted, and
//! after it ([`At`]); the faults are another reply, octets that are not a reply, a delay, silence, and
//! an end of the connection ([`Fault`]). They can be those of one session, and of the `n`th time.

mod dialect;
mod driver;
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
pub use driver::Driver;
pub use fault::{At, Fault, Faults};
pub use faulty::FaultyServer;
pub use link::{Link, Stuck};
pub use loopback::{LoopbackServer, RunningServer, TakenMessage};
pub use mismatch::Mismatch;
pub use peer::ScriptedPeer;
pub use running::RunningPeer;
pub use script::{Cut, Played, Script};
pub use subject::Subject;
