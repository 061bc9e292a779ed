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
//! use esmtp::{
//!     Envelope,
//!     io::{serving::Options, tokio::{Connector, serve}},
//!     server::{Config, Event, Message},
//! };
//! use std::sync::Arc;
//! use tokio::net::TcpListener;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = Connector::new("mx.example.net").connect().await?;
//! let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
//! println!("{}", session.send(envelope, b"Subject: hello\r\n\r\nA line.\r\n").await?);
//! session.quit().await?;
//!
//! let listener = TcpListener::bind("127.0.0.1:2525").await?;
//! let options = Options::new(Config::new("mx.example.net")?);
//! serve(listener, options, Arc::new(()), |mut session, _| async move {
//!     let mut message = Message::with_limit(32 << 20);
//!     while let Some(event) = session.next().await? {
//!         match event {
//!             Event::Rcpt(rcpt) => rcpt.accept(),
//!             Event::Deliver(delivery) => delivery.accept(), // after message.octets() are stored
//!             other => message.collect(other),
//!         }
//!     }
//!     Ok(())
//! })
//! .await?;
//! # Ok(())
//! # }
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
