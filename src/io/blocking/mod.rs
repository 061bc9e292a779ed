//! A machine on a blocking stream.
//!
//! ```no_run
//! use esmtp::{io::blocking::Connection, machine::Machine};
//! use std::{io, net::TcpStream};
//!
//! fn drive<M: Machine>(machine: M, stream: TcpStream) -> io::Result<()> {
//!     let mut connection = Connection::new(machine, stream);
//!     while let Some(event) = connection.next()? {
//!         let _ = event; // answer it
//!     }
//!     Ok(())
//! }
//! ```

mod connection;
mod connector;
mod driven;
mod listener;
mod queue;
mod serve;
mod socket;
mod stream;
mod transaction;

pub use connection::{ClientSession, Connection, ServerSession, connect};
pub use connector::Connector;
pub use listener::Listener;
pub use queue::{Queue, Source};
pub use serve::{Serving, serve};
pub use socket::Socket;
pub use stream::Stream;
pub use transaction::{ContentWriter, Transaction};
