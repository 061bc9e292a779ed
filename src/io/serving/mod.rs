//! Listeners: accepting clients, each in a session of its own, with limits and an orderly end.
//!
#![cfg_attr(feature = "tokio", doc = "[`io::tokio::serve`]: crate::io::tokio::serve")]
//! [`io::tokio::serve`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/fn.serve.html
//!
//! [`io::tokio::serve`] runs each session in a task, [`io::blocking::serve`](crate::io::blocking::serve) in a
//! thread: their pages have a whole server. Both take these [`Options`], and have a [`Handle`]. They
//!
//! - count the sessions, in all, by address and by network; a client without a place gets 421 in
//!   place of the greeting, which it may take for a reason to come again later;
//! - read the PROXY header of trusted proxies, and protect sessions with TLS;
//! - go on after every error of accepting a connection, also when no file descriptor is free
//!   (`EMFILE`), and without a busy loop;
//! - shut down in two steps: idle sessions get 421 at once, messages in progress may finish, and
//!   after the grace all that is left gets 421;
//! - report the [incidents](Incident) to a function of the application's own.
//!
//! A session function that returns an error, or panics, ends its session and no other. A session that
//! its function drops before its end is ended for it: the client gets 421 4.3.0, and not a connection that
//! closes without a reply, after which it could not tell whether its message was accepted (RFC 5321
//! section 3.8). Answers that the function has given count; a transaction without one is aborted, and a
//! message that waits for its answer gets 451 4.3.0.
//!
//! ```
//! use esmtp::{io::serving::Options, server::Config};
//! use std::time::Duration;
//!
//! let options = Options::new(Config::new("mx.example.org")?)
//!     .with_sessions(5000)
//!     .with_sessions_by_address(20)
//!     .with_grace(Duration::from_secs(10))
//!     .with_log(|incident| eprintln!("{incident}"));
//! assert_eq!(options.sessions(), 5000);
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```

mod admission;
mod handle;
mod header;
mod incident;
mod network;
mod options;
mod places;
mod span;
mod watch;

pub use handle::Handle;
pub use incident::Incident;
pub use network::{Network, NotNetwork};
pub use options::Options;

pub(in crate::io) use admission::{Admission, client_of};
pub(in crate::io) use header::HeaderReader;
pub(in crate::io) use places::{Place, Places, Refusal};
#[cfg(feature = "tokio")]
pub(in crate::io) use watch::{Running, begin};
pub(in crate::io) use watch::{Watch, answer_for_failed};

use core::{net::SocketAddr, time::Duration};
use std::io::{self, ErrorKind};

/// The time to tell a client that there is no place for it, TLS handshake included.
pub(in crate::io) const REFUSAL_TIME: Duration = Duration::from_secs(5);
/// The pause after no connection could be accepted, unless a session ends before.
pub(in crate::io) const PAUSE: Duration = Duration::from_millis(100);

/// Returns whether an error of accepting concerns one connection only, so that the next may be
/// accepted at once.
pub(in crate::io) fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

/// Returns the IPv4 address of an IPv4-mapped IPv6 address, as a dual-stack socket returns it (RFC
/// 4291 section 2.5.5.2), so that a client has one address on both kinds of socket.
pub(in crate::io) const fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
