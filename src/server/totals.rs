//! The sums of a session.

use core::time::Duration;

/// The sums of a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Octets received from the peer.
    pub octets_received: u64,
    /// Octets sent to the peer.
    pub octets_sent: u64,
    /// Command lines, accepted or not.
    pub commands: u64,
    /// Commands and messages that the machine itself refused, whether or not that counts against
    /// [`Limits::with_errors`](super::Limits::with_errors). Rejections by the application do not
    /// count, nor does an AUTH whose credentials were not accepted.
    pub errors: u64,
    /// Messages that the application accepted, for at least one recipient.
    pub messages: u64,
    /// The time spent waiting for the peer, to send octets or to take them.
    pub peer_time: Duration,
    /// The time spent waiting for the application, from a question to the poll after its answer.
    pub application_time: Duration,
}
