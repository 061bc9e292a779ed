//! How a session cuts the octets received into lines.

use super::{Phase, Session, ending::is_client_hello};
use crate::{machine::Need, server::limits::AUTH_LINE, time::Instant, wire::Cut};

impl Session {
    /// Reads a command line.
    #[inline(never)]
    pub(super) fn step_command(&mut self, now: Instant) -> Option<Need> {
        let is_at_front = self.lines.is_at_front();
        let received = self.channel.receive.octets();
        if is_at_front && is_client_hello(received) {
            self.end_other_protocol();
            return None;
        }
        // A configuration that came later may allow more than there is room for.
        let front = received.get(..b"AUTH ".len()).unwrap_or_default();
        let limit = self.line_limit(front).min(self.channel.receive.capacity());
        match self.lines.cut(received, limit) {
            Cut::Line(octets) => {
                self.with_line(octets, Self::command);
            }
            Cut::Skip(octets) => {
                if is_at_front {
                    self.check_long_line();
                }
                self.channel.receive.wipe(octets);
            }
            Cut::TooLong(octets) => {
                if is_at_front {
                    self.check_long_line();
                }
                self.channel.receive.wipe(octets);
                if matches!(self.phase, Phase::Command) {
                    self.line_too_long();
                }
            }
            Cut::Incomplete => return self.await_line(now),
        }
        None
    }

    /// Reads a line of the exchange of AUTH.
    #[inline(never)]
    pub(super) fn step_response(&mut self, now: Instant) -> Option<Need> {
        match self.lines.cut(self.channel.receive.octets(), AUTH_LINE) {
            Cut::Line(octets) => {
                self.with_line(octets, |session, line, is_last| {
                    session.auth_response(line, is_last);
                });
            }
            Cut::Skip(octets) => self.channel.receive.wipe(octets),
            Cut::TooLong(octets) => {
                self.channel.receive.wipe(octets);
                self.auth_response_too_long();
            }
            Cut::Incomplete => return self.await_line(now),
        }
        None
    }

    /// Calls `act` with the line of `octets` octets at the front of the receive buffer, without its CRLF, and
    /// with whether no octets have come after it; then consumes the line.
    fn with_line(&mut self, octets: usize, act: impl FnOnce(&mut Self, &[u8], bool)) {
        // A line is carried out without a copy: meanwhile the memory is not that of the channel.
        let (memory, place) = self.channel.receive.detach();
        let (line, rest) =
            memory.get(place).unwrap_or_default().split_at_checked(octets).unwrap_or_default();
        act(self, line.strip_suffix(b"\r\n").unwrap_or(line), rest.is_empty());
        self.channel.receive.attach(memory);
        self.channel.receive.wipe(octets);
    }
}
