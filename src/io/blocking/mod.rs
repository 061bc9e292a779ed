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
mod socket;
mod stopper;
mod stream;

pub use connection::{ClientSession, Connection, ServerSession, connect};
pub use socket::Socket;
pub use stopper::Stopper;
pub use stream::Stream;
