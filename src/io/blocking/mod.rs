//! Sessions on blocking streams: one call connects and logs in, one call serves a port with threads.
//!
//! - A client: [`Connector`] gives a [`ClientSession`] that is secured, logged in and ready. Its methods send
//!   messages; a [`Queue`] has many in flight.
//! - A server: [`serve`] runs a function for each [`ServerSession`] in a thread, with limits, TLS, PROXY headers
//!   and a graceful shut-down. [`Connection::accept`] serves one connection.
//! - Anything else: [`Connection`] drives any machine on any [`Stream`].
//!
//! ```no_run
//! use esmtp::{
//!     Envelope,
//!     io::{blocking::{Connector, serve}, serving::Options},
//!     server::{Config, Event, Message},
//! };
//! use std::{net::TcpListener, sync::Arc};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = Connector::new("mx.example.net").connect()?;
//! let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
//! println!("{}", session.send(envelope, b"Subject: hello\r\n\r\nA line.\r\n")?);
//! session.quit()?;
//!
//! let listener = TcpListener::bind("127.0.0.1:2525")?;
//! let options = Options::new(Config::new("mx.example.net")?);
//! serve(listener, options, Arc::new(()), |mut session, _| {
//!     let mut message = Message::with_limit(32 << 20);
//!     while let Some(event) = session.next()? {
//!         match event {
//!             Event::Rcpt(rcpt) => rcpt.accept(),
//!             Event::Deliver(delivery) => delivery.accept(), // after message.octets() are stored
//!             other => message.collect(other),
//!         }
//!     }
//!     Ok(())
//! })
//! .run()?;
//! # Ok(())
//! # }
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
