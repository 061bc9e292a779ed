//! The lines of a session, each with its side, credentials redacted.
//!
//! Neither machine shows a secret in its transcript: of AUTH the name of the mechanism is shown and
//! nothing of the SASL exchange, in either direction; of a URL that stands for content nothing.
//! Octets that may be a secret are hidden too: lines that a client sends after a rejected AUTH,
//! until a command comes, and arguments that look like credentials after a custom verb. In a reply
//! that repeats a secret, asterisks replace it. `(redacted)` marks hidden octets.
//!
//! ```
//! use esmtp::{
//!     client::{Client, Config},
//!     security::Security,
//!     time::Instant,
//!     transcript::Entry,
//! };
//!
//! let client = Client::new(Config::new("me.example.org")?, Security::CLEAR)
//!     .with_transcript(Box::new(|at: Instant, entry: Entry<'_>| eprintln!("{:?} {entry}", at.elapsed())));
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```

use crate::time::Instant;
use core::fmt;

/// One of the two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sending side.
    Client,
    /// The receiving side.
    Server,
}

/// An event of a session.
///
/// [`Display`](fmt::Display) gives the notation of the RFCs (`C: MAIL FROM:<ann@example.org>`);
/// octets outside printable ASCII are escaped, so that a peer cannot send control sequences to a
/// terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// One line of dialogue without its CRLF.
    Line {
        /// The side that sent it.
        from: Side,
        /// The line; secrets in it are replaced.
        octets: &'a [u8],
    },
    /// Octets of content, in their wire form, without the final dot.
    Content {
        /// The side that sent them.
        from: Side,
        /// The number of octets.
        octets: u64,
    },
    /// From here on the session is protected by TLS.
    Secured,
    /// This side closed the connection, or it was lost.
    Closed {
        /// The side whose direction ended.
        from: Side,
    },
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { from, octets } => {
                write!(f, "{}: {}", from.letter(), octets.escape_ascii())
            }
            Self::Content { from, octets } => write!(f, "{}: ({octets} octets)", from.letter()),
            Self::Secured => f.write_str("(secured)"),
            Self::Closed { from } => write!(f, "{}: (closed)", from.letter()),
        }
    }
}

/// Shows text as text, escaped as in `Display`.
impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({self})")
    }
}

impl Side {
    /// Returns `C` or `S`, as dialogues are written in the RFCs.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Client => 'C',
            Self::Server => 'S',
        }
    }
}

/// A receiver of every entry of a session, in order.
///
/// Every closure or function with the right signature is one.
///
/// ```
/// use esmtp::{
///     machine::{Machine, Need},
///     security::Security,
///     server::{Config, Event, Peer, Server},
///     time::Instant,
/// };
/// use std::sync::{Arc, Mutex};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let lines = Arc::clone(&log);
/// let config = Arc::new(Config::new("mx.example.org")?);
/// let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR).with_transcript(Box::new(
///     move |at: Instant, entry: esmtp::transcript::Entry<'_>| {
///         lines.lock().unwrap().push(format!("{:?} {entry}", at.elapsed()));
///     },
/// ));
/// server.poll(Instant::ORIGIN);
/// server.event().into_iter().for_each(Event::proceed);
/// assert!(matches!(server.poll(Instant::ORIGIN), Need::Either(_)));
/// assert_eq!(*log.lock().unwrap(), ["0ns S: 220 mx.example.org ESMTP service ready"]);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
pub trait Transcript: Send + Sync {
    /// Receives `entry`, which happened at `at`.
    fn entry(&mut self, at: Instant, entry: Entry<'_>);
}

impl<F: FnMut(Instant, Entry<'_>) + Send + Sync> Transcript for F {
    fn entry(&mut self, at: Instant, entry: Entry<'_>) {
        self(at, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_peer_cannot_speak_to_the_terminal() {
        let entry = Entry::Line { from: Side::Server, octets: b"220 \x1b[2J\xff\xc2\x9b" };
        assert_eq!(entry.to_string(), "S: 220 \\x1b[2J\\xff\\xc2\\x9b");
        assert_eq!(alloc::format!("{entry:?}"), "Entry(S: 220 \\x1b[2J\\xff\\xc2\\x9b)");
    }
}
