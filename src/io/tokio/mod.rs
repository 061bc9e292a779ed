//! A machine on a tokio stream.
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

pub use connection::{ClientSession, Connection, ServerSession, connect};
pub use connector::Connector;
pub use listener::Listener;
pub use pool::{Pool, PoolLimits};
pub use queue::{Queue, Source};
pub use serve::{Serving, serve};
pub use socket::Socket;
