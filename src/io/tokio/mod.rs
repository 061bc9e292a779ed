//! Sessions on tokio: one call connects and logs in, one call serves a port.
//!
//! - A client: [`Connector`] gives a [`ClientSession`] that is secured, logged in and ready. Its
//!   methods send messages; a [`Queue`] has many in flight, a [`Pool`] spreads them over sessions.
//! - A server: [`serve`] runs a function for each [`ServerSession`], with limits, TLS, PROXY headers and
//!   a graceful shut-down. [`Connection::accept`] serves one connection.
//! - Anything else: [`Connection`] drives any machine on any stream.
//!
//! Import these types, and never the module: `use esmtp::io::tokio` would hide the crate of that name,
//! and `#[tokio::main]` would look for its runtime here.
//!
//! ```no_run
//! use esmtp::{io::tokio::Connection, machine::Machine};
//! use std::io;
//! use tokio::net::TcpStream;
//!
//! async fn drive<M: Machine>(machine: M, stream: TcpStream) -> io::Result<()> {
//!     let mut connection = Connection::new(machine, stream);
//!     while let Some(event) = connection.next().await? {
//!         let _ = event; // answer it
//!     }
//!     Ok(())
//! }
//! ```

mod connection;
mod connector;
mod driven;
mod listener;
mod pool;
mod queue;
mod serve;
mod socket;
mod transaction;

pub use connection::{ClientSession, Connection, ServerSession, connect};
pub use connector::Connector;
pub use listener::Listener;
pub use pool::{Pool, PoolLimits};
pub use queue::{Queue, Source};
pub use serve::{Serving, serve};
pub use socket::Socket;
pub use transaction::{ContentWriter, Transaction};
