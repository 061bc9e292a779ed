//! Peers that want a session to last: silent ones, ones that drip at each of several rates, that
//! burst and then are silent or drip, that read nothing or read at a trickle, in every phase of a
//! session, against a server and against a client, in the clear and inside TLS.
//!
//! The clock is a number, so an attack of hours takes milliseconds. Each test computes from the
//! configuration alone when the session has to be over, and compares. The rules:
//!
//! - A line of the dialogue, a reply or a TLS handshake has a deadline that counts from when the
//!   machine began to wait for it. Octets that drip do not move it.
//! - Content has one deadline for the whole transaction, over all chunks and the commands between
//!   them ([`clock::Transfer`]): it starts at now + flat, each octet moves it later by 1/floor, but
//!   never beyond now + flat. A server's octets to be written follow it too.
//! - Content that a server discards has a limit of its own besides, and ends with the session's
//!   limit.
//! - What a peer does not read has its deadline from when the first octet waited.
//! - Time during which the application owes an answer does not count.

#![cfg(feature = "rustls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

#[path = "../common/channel.rs"]
mod channel;
mod client;
mod clock;
mod rig;
mod server;

use rig::{Attack, Piece};
use std::{fmt::Write as _, iter, time::Duration};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The channel on which the octets travel.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Clear,
    /// TLS from the first octet.
    Tls,
}

const KINDS: [Kind; 2] = [Kind::Clear, Kind::Tls];

fn in_each_kind<T: Clone>(of: impl IntoIterator<Item = T>) -> impl Iterator<Item = (Kind, T)> {
    of.into_iter().flat_map(|it| KINDS.map(|kind| (kind, it.clone())))
}

/// For an alert or a close_notify that the peer does not take.
const CLOSE_NOTIFY: Duration = seconds(10);

impl Kind {
    /// Returns the time that TLS may add to a session after its own end.
    const fn farewell(self) -> Duration {
        match self {
            Self::Clear => Duration::ZERO,
            Self::Tls => CLOSE_NOTIFY,
        }
    }
}

/// The peers that a test has met, and which of them outlived their time.
#[derive(Default)]
struct Findings {
    peers: usize,
    complaints: String,
}

impl Findings {
    /// Notes a session that is not over at this time.
    fn exactly(&mut self, peer: &str, life: Option<Duration>, expected: Duration) {
        let is_right = life.is_some_and(|life| life.abs_diff(expected) <= Duration::from_millis(5));
        self.judge(peer, life, is_right, || format!("it has to be over after {expected:?}"));
    }

    /// Notes a session that is not over by this time.
    fn at_most(&mut self, peer: &str, life: Option<Duration>, bound: Duration) {
        let is_right = life.is_some_and(|life| life <= bound);
        self.judge(peer, life, is_right, || format!("it has to be over by {bound:?}"));
    }

    fn judge(
        &mut self,
        peer: &str,
        life: Option<Duration>,
        is_right: bool,
        rule: impl FnOnce() -> String,
    ) {
        self.peers += 1;
        if !is_right {
            let life = life.map_or("no end".to_owned(), |life| format!("an end after {life:?}"));
            let _ = writeln!(self.complaints, "{peer}: {life}; {}", rule());
        }
    }

    fn done(self) {
        assert!(self.peers > 0, "no peers");
        let count = self.complaints.lines().count();
        assert!(count == 0, "{count} of {} peers:\n{}", self.peers, self.complaints);
    }
}

// ----------------------------------------------------------------------------- the peers

fn silent() -> Attack {
    Box::new(iter::empty())
}

/// Sends these octets again and again, `octets` at a time.
fn drip(pattern: &'static [u8], octets: usize, every: Duration) -> Attack {
    let mut rest = pattern.iter().copied().cycle();
    Box::new(iter::from_fn(move || {
        let piece: Vec<u8> = rest.by_ref().take(octets).collect();
        Some(Piece::content(every, &piece))
    }))
}

/// Sends the whole of these octets, once at each time.
fn repeat(octets: &'static [u8], every: Duration) -> Attack {
    Box::new(iter::repeat_with(move || Piece::line(every, octets)))
}

/// Returns lines of text of `octets` octets in all.
fn text(octets: usize) -> Vec<u8> {
    let line = [&[b'a'; 68][..], b"\r\n"].concat();
    let mut text = line.repeat(octets / line.len());
    text.resize(octets, b'a');
    text
}

fn burst(octets: usize) -> Attack {
    Box::new(iter::once(Piece::content(Duration::ZERO, &text(octets))))
}

fn then(first: Attack, second: Attack) -> Attack {
    Box::new(first.chain(second))
}

/// An attack by its name.
type Named = (&'static str, fn() -> Attack);

/// Returns the times at which octets of content move in this attack.
fn moves(attack: Attack) -> impl Iterator<Item = (Duration, u64)> {
    attack.map(|piece| (piece.after, piece.content))
}
