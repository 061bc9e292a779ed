//! Sessions as spans and events of `tracing`.

use crate::{
    time::Instant,
    transcript::{Entry, Side, Transcript},
};
use core::{fmt, net::SocketAddr};
use tracing::{Level, Span, field};

/// A transcript that writes to `tracing`: a span for the session, one for each transaction, and events
/// for refusals and lines.
///
/// [`serve`](crate::io::serving) attaches one to each session by itself. A session of a client, or one
/// of an accept loop of the application's own, gets one by `with_transcript`. Everything has the target
/// `esmtp`, and these names, which do not change:
///
/// | name | kind | level | fields |
/// |---|---|---|---|
/// | `session` | span | `INFO` | `role`: `server` or `client`; `peer`: address or name of the other side |
/// | `transaction` | span | `INFO` | `reverse_path`, with its brackets; `code` of the reply to the content (in LMTP, the first) |
/// | `refusal` | event | `DEBUG` | `code`, and `reply`: the last line of a negative reply |
/// | `line` | event | `TRACE` | `from`: `C` or `S`; `line`, escaped |
/// | `content` | event | `TRACE` | `from`; `octets` |
/// | `secured`, `closed` | event | `TRACE` | `closed` has `from` |
/// | `incident` | event | `WARN` | `incident` of a listener: an [`Incident`](crate::io::serving::Incident) |
///
/// No event holds a secret: lines are those of a [`Transcript`]. A transaction lasts until the command
/// after it. With several in flight, replies are events of the one begun last.
///
/// ```
/// use esmtp::{
///     client::{Client, Config},
///     io::Tracer,
///     security::Security,
/// };
///
/// let client = Client::new(Config::new("me.example.org")?, Security::CLEAR)
///     .with_transcript(Box::new(Tracer::client("mx.example.net")));
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tracer {
    session: Span,
    transaction: Option<Span>,
    /// Content was sent in the transaction, so that the next reply is about it.
    has_content: bool,
    /// The reply to the content was recorded.
    has_code: bool,
}

impl Tracer {
    /// Creates the span of a server's session, within the current span.
    #[must_use]
    pub fn server(peer: Option<SocketAddr>) -> Self {
        let peer = peer.as_ref().map(field::display);
        Self::of(tracing::info_span!(target: "esmtp", "session", role = "server", peer))
    }

    /// Creates the span of a client's session with this server, within the current span.
    #[must_use]
    pub fn client(server: impl fmt::Display) -> Self {
        let peer = field::display(server);
        Self::of(tracing::info_span!(target: "esmtp", "session", role = "client", peer))
    }

    const fn of(session: Span) -> Self {
        Self { session, transaction: None, has_content: false, has_code: false }
    }

    /// Returns the span of the session, for the events of the application about it.
    pub(super) fn span(&self) -> Span {
        self.session.clone()
    }

    /// Returns whether anything receives the events of sessions.
    pub(super) fn is_wanted() -> bool {
        tracing::enabled!(target: "esmtp", Level::INFO)
    }

    fn current(&self) -> &Span {
        self.transaction.as_ref().unwrap_or(&self.session)
    }

    /// Begins and ends transactions at commands.
    fn command(&mut self, line: &[u8]) {
        if line == b"." {
            self.has_content = true;
            return;
        }
        let verb = line.split(|octet| matches!(octet, b' ' | b':')).next().unwrap_or_default();
        let is =
            |names: &[&str]| names.iter().any(|name| verb.eq_ignore_ascii_case(name.as_bytes()));
        if is(&["MAIL"]) {
            let path = reverse_path(line).escape_ascii();
            self.transaction = Some(tracing::info_span!(
                target: "esmtp", parent: &self.session, "transaction",
                reverse_path = %path, code = field::Empty
            ));
            (self.has_content, self.has_code) = (false, false);
        } else if is(&["RSET", "EHLO", "HELO", "LHLO", "QUIT", "STARTTLS"])
            || self.has_content && !is(&["BDAT", "NOOP", "VRFY", "EXPN", "HELP"])
        {
            self.transaction = None;
        }
    }

    /// Records the code of the reply to the content.
    fn record(&mut self, reply: &[u8]) {
        if let (Some(transaction), true, false) =
            (&self.transaction, self.has_content, self.has_code)
            && let Some(code) = last_code(reply)
        {
            transaction.record("code", code);
            self.has_code = true;
        }
    }

    /// Reports a negative reply.
    fn refusal(&self, reply: &[u8]) {
        if let Some(code @ 400..) = last_code(reply) {
            let reply = reply.escape_ascii();
            tracing::debug!(target: "esmtp", parent: self.current(), code, %reply, "refusal");
        }
    }
}

impl Transcript for Tracer {
    fn entry(&mut self, _: Instant, entry: Entry<'_>) {
        match entry {
            Entry::Line { from: Side::Client, octets } => self.command(octets),
            Entry::Line { from: Side::Server, octets } => self.record(octets),
            _ => {}
        }
        let span = self.current();
        match entry {
            Entry::Line { from, octets } => {
                let (from, line) = (letter(from), octets.escape_ascii());
                tracing::trace!(target: "esmtp", parent: span, from, %line, "line");
            }
            Entry::Content { from, octets } => {
                let from = letter(from);
                tracing::trace!(target: "esmtp", parent: span, from, octets, "content");
            }
            Entry::Secured => tracing::trace!(target: "esmtp", parent: span, "secured"),
            Entry::Closed { from } => {
                let from = letter(from);
                tracing::trace!(target: "esmtp", parent: span, from, "closed");
            }
        }
        match entry {
            Entry::Line { from: Side::Server, octets } => self.refusal(octets),
            Entry::Content { from: Side::Client, .. } => self.has_content = true,
            Entry::Closed { .. } => self.transaction = None,
            _ => {}
        }
    }
}

const fn letter(side: Side) -> &'static str {
    match side {
        Side::Client => "C",
        Side::Server => "S",
    }
}

/// Returns the code of a reply, at its last line.
fn last_code(line: &[u8]) -> Option<u64> {
    let [class @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let digits = [class, second, third].into_iter();
    let code = digits.fold(0, |code, digit| code * 10 + u64::from(digit - b'0'));
    (rest.first() != Some(&b'-')).then_some(code)
}

/// Returns the path of a MAIL command, with its brackets.
fn reverse_path(line: &[u8]) -> &[u8] {
    let path = line.splitn(2, |octet| *octet == b':').nth(1).unwrap_or_default().trim_ascii_start();
    let end = path.iter().position(|octet| *octet == b'>').map(|at| at.saturating_add(1));
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_mail_is_found() {
        for (line, path) in [
            ("MAIL FROM:<ann@example.org> SIZE=10", "<ann@example.org>"),
            ("mail from: <>", "<>"),
            ("MAIL FROM:ann", "ann"),
            ("MAIL", ""),
        ] {
            assert_eq!(reverse_path(line.as_bytes()), path.as_bytes(), "{line}");
        }
    }
}
