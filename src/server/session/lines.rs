//! How a session cuts the octets received into lines.

use super::{Link, Phase, Session, Wait, ending::is_client_hello};
use crate::{
    machine::Need,
    server::limits::AUTH_LINE,
    time::Instant,
    wire::{Cut, LineCutter, ReceiveBuffer},
};

impl Session {
    /// Reads a command line.
    pub(super) fn step_command(
        &mut self,
        input: &mut ReceiveBuffer,
        lines: &mut LineCutter,
        now: Instant,
    ) -> Option<Need> {
        let is_at_front = lines.is_at_front();
        if is_at_front && is_client_hello(input.octets()) {
            self.end_other_protocol();
            return None;
        }
        // A configuration that came later may allow more than there is room for.
        let front = input.octets().get(..b"AUTH ".len()).unwrap_or_default();
        let limit = self.line_limit(front).min(input.capacity());
        match lines.cut(input.octets(), limit) {
            Cut::Line(octets) => {
                let (line, rest) = input.octets().split_at_checked(octets).unwrap_or_default();
                let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                self.command(line, rest.is_empty(), now);
                input.wipe(octets);
            }
            Cut::Skip(octets) => {
                if is_at_front {
                    self.check_long_line(input.octets());
                }
                input.wipe(octets);
            }
            Cut::TooLong(octets) => {
                if is_at_front {
                    self.check_long_line(input.octets());
                }
                input.wipe(octets);
                if matches!(self.phase, Phase::Command) {
                    self.line_too_long(now);
                }
            }
            Cut::Incomplete => return self.await_line(now),
        }
        None
    }

    /// Reads a line of the exchange of AUTH.
    pub(super) fn step_response(
        &mut self,
        input: &mut ReceiveBuffer,
        lines: &mut LineCutter,
        now: Instant,
    ) -> Option<Need> {
        match lines.cut(input.octets(), AUTH_LINE) {
            Cut::Line(octets) => {
                let (line, rest) = input.octets().split_at_checked(octets).unwrap_or_default();
                let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                self.auth_response(line, rest.is_empty(), now);
                input.wipe(octets);
            }
            Cut::Skip(octets) => input.wipe(octets),
            Cut::TooLong(octets) => {
                input.wipe(octets);
                self.auth_response_too_long(now);
            }
            Cut::Incomplete => return self.await_line(now),
        }
        None
    }

    fn await_line(&mut self, now: Instant) -> Option<Need> {
        if self.link == Link::Open {
            return self.wait(Wait::Line, now);
        }
        self.connection_lost();
        None
    }
}
