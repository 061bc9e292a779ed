//! The two directions of the connection: what is on its way out, what came in, and for how long
//! we have waited.

use super::{
    config::{Limits, Timeouts},
    error::ProtocolError,
    queue::ReplyReader,
    report::Totals,
};
use crate::{
    machine::{Closed, Debts},
    sasl::Secret,
    security::TlsFailure,
    syntax::{AuthResponse, Base64, Class, Command, Mechanism as Name, Reply, ReplyError},
    time::{Instant, Stopwatch},
    transcript::{Entry, Side, Transcript},
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::{borrow::Cow, boxed::Box, collections::VecDeque, vec::Vec};
use core::{fmt, time::Duration};

/// What stands in a transcript for what must not stand there.
const REDACTED: &[u8] = b"(redacted)";
const CHALLENGE: &[u8] = b"334 (redacted)";
/// Fewer octets are no secret, and occur in every reply.
const SHORTEST_SECRET: usize = 4;
/// Octets of `AUTH`, the longest name of a mechanism (RFC 4422 section 3.1) and CRLF.
const LONGEST_AUTH: usize = 64;
/// So many secrets are remembered: the responses of an attempt or two.
const SECRETS: usize = 16;

pub(super) struct Channel {
    pub(super) receive: ReceiveBuffer,
    pub(super) reader: ReplyReader,
    pub(super) input: Input,
    pub(super) send: SendBuffer,
    pub(super) output: Output,
    /// Why TLS has failed after its handshake.
    pub(super) tls_failure: Option<TlsFailure>,
    /// Octets that have left.
    pub(super) sent: u64,
    pub(super) totals: Totals,
    pub(super) debts: Debts,
    pub(super) transcript: Option<Box<dyn Transcript>>,
    /// What was said in secret, in the forms in which a server might repeat it.
    secrets: VecDeque<Secret>,
    /// What may be a secret or a word like any other: hidden in the reply to its own command alone,
    /// as what stands in those to others is for the application to read.
    guesses: Vec<Secret>,
    pub(super) now: Instant,
    reply: Stopwatch,
    block: Block,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Closed(Closed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Open,
    /// Writing has failed.
    Broken,
}

/// What waited to be sent when we began to wait for the server to take it.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    octets: u64,
    /// Where it ends among all octets of the session.
    end: u64,
    watch: Stopwatch,
}

impl Channel {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            // A reply that is still unfinished at its limit leaves room for the next octet.
            receive: ReceiveBuffer::new(
                limits.reply_octets.saturating_add(limits.reply_line).saturating_add(1),
            ),
            reader: ReplyReader::default(),
            input: Input::Open,
            send: SendBuffer::default(),
            output: Output::Open,
            tls_failure: None,
            sent: 0,
            totals: Totals::default(),
            debts: Debts::default(),
            transcript: None,
            secrets: VecDeque::new(),
            guesses: Vec::new(),
            now: Instant::ORIGIN,
            reply: Stopwatch::default(),
            block: Block::default(),
        }
    }

    /// Time has passed since the last poll.
    pub(super) fn begin(&mut self, now: Instant) {
        self.now = now;
        let Totals { peer_time, application_time, .. } = &mut self.totals;
        self.debts.settle(now, peer_time, application_time);
    }

    /// Octets that have left or wait to.
    pub(super) fn written(&self) -> u64 {
        self.sent.saturating_add(self.send.len() as u64)
    }

    /// Writes a command line. In the transcript stands what may be seen of it.
    pub(super) fn say(&mut self, command: &Command<'_>) {
        self.totals.commands += 1;
        match command {
            Command::Other { argument: Some(argument), .. } => {
                let argument = argument.as_str();
                secret_words(argument).for_each(|word| self.remember(word.as_bytes()));
                let guesses = words(argument).filter(|word| Base64::is_likely(word.as_bytes()));
                self.guesses.extend(guesses.map(|word| Secret::from(word.as_bytes())));
            }
            Command::Burl { uri, .. } => {
                url_secrets(uri.as_str()).for_each(|part| self.remember(part.as_bytes()));
            }
            _ => {}
        }
        let out = self.send.text();
        let start = out.len();
        command.encode(out);
        if let (Some(transcript), Some(line)) = (&mut self.transcript, out.get(start..)) {
            let octets = &shown(command, line.strip_suffix(b"\r\n").unwrap_or(line));
            transcript.entry(self.now, Entry::Line { from: Side::Client, octets });
        }
    }

    /// Writes a line of the dialogue behind AUTH.
    pub(super) fn respond(&mut self, response: &AuthResponse<'_>) {
        response.encode(self.send.text());
        let octets = match response {
            AuthResponse::Cancel => b"*",
            _ => REDACTED,
        };
        self.log(Entry::Line { from: Side::Client, octets });
    }

    /// What is about to be said must not be seen when a server repeats it: as base64, and of a
    /// mechanism that sends the secret itself, that.
    pub(super) fn guard(&mut self, response: &[u8], is_plaintext: bool) {
        let base64 = Base64::encode(response);
        self.send.expect_secret(LONGEST_AUTH.saturating_add(base64.as_str().len()));
        let mut forms = Vec::from([base64.as_str().as_bytes()]);
        if is_plaintext {
            // PLAIN: behind the last NUL; tokens: behind `Bearer `, up to a control octet.
            forms.extend(response.split(|octet| *octet == 0).next_back());
            for part in response.split(|octet| *octet < b' ') {
                forms.extend(part.strip_prefix(b"auth=Bearer "));
            }
        }
        forms.into_iter().for_each(|form| self.remember(form));
    }

    /// This must not be seen when a server repeats it.
    fn remember(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        if self.secrets.len() >= SECRETS {
            self.secrets.pop_front();
        }
        self.secrets.push_back(Secret::from(secret));
    }

    pub(super) fn log(&mut self, entry: Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.entry(self.now, entry);
        }
    }

    /// The next whole reply, with its length in octets; `None` in place of one that says yes where
    /// `is_enough` and nobody asks in which words.
    pub(super) fn next_reply(
        &mut self,
        limits: &Limits,
        line_limit: usize,
        is_enough: bool,
    ) -> Result<Option<(Option<Reply<'static>>, usize)>, ProtocolError> {
        let received = self.receive.octets();
        let length = match self.reader.next(received, limits, line_limit) {
            Ok(None) => return Ok(None),
            Ok(Some(length)) => length,
            Err(error) => {
                // What it was, as far as it fits a line, is worth knowing.
                let line = received.get(..received.len().min(limits.reply_line));
                log_lines(&mut self.transcript, self.now, line.unwrap_or_default());
                return Err(error);
            }
        };
        let octets = received.get(..length).unwrap_or_default();
        let scrubbed = scrub(octets, self.secrets.iter().chain(&self.guesses));
        self.guesses.clear();
        let octets = scrubbed.as_deref().unwrap_or(octets);
        if octets.starts_with(b"334 ") {
            log_lines(&mut self.transcript, self.now, CHALLENGE);
        } else {
            log_lines(&mut self.transcript, self.now, octets);
        }
        let (reply, is_refusal) = match Reply::parse(octets)? {
            Some((reply, taken)) if taken == length => {
                let is_worthless = is_enough && reply.class() == Class::Completion;
                let is_refusal = reply.is_transient() || reply.is_permanent();
                ((!is_worthless).then(|| reply.into_owned()), is_refusal)
            }
            _ => return Err(ReplyError::Code.into()),
        };
        self.receive.consume(length);
        self.totals.replies += 1;
        self.totals.octets_received += length as u64;
        self.totals.refusals += u64::from(is_refusal);
        self.reply = Stopwatch::default();
        Ok(Some((reply, length)))
    }

    /// By when the server must have replied, if it may take so long for the whole reply.
    pub(super) fn read_deadline(&mut self, timeout: Duration) -> Instant {
        self.reply.start(self.now);
        self.reply.deadline(self.now, timeout)
    }

    /// By when the server must have taken what waits (RFC 5321 section 4.5.3.2.5): all of it, so
    /// that taking octet by octet gains no time.
    pub(super) fn write_deadline(&mut self, timeouts: &Timeouts) -> Instant {
        if self.sent >= self.block.end {
            let octets = self.send.len() as u64;
            self.block = Block { octets, end: self.written(), watch: Stopwatch::default() };
        }
        let allowance = timeouts.block.saturating_add(timeouts.rate.time_for(self.block.octets));
        self.block.watch.start(self.now);
        self.block.watch.deadline(self.now, allowance)
    }

    /// The application is asked: this time is not the server's.
    pub(super) fn pause(&mut self) {
        self.reply.stop(self.now);
        self.block.watch.stop(self.now);
    }
}

/// The line without what may be a secret.
fn shown<'l>(command: &Command<'_>, line: &'l [u8]) -> Cow<'l, [u8]> {
    let mut spaces = memchr::memchr_iter(b' ', line);
    let end = match command {
        // The URL may open what it leads to to whoever has it (RFC 4467 section 9).
        Command::Burl { .. } => spaces.next(),
        // What is behind the mechanism is nobody else's.
        Command::Auth { .. } => spaces.nth(1),
        Command::Other { argument: Some(argument), .. } if has_secret(argument.as_str()) => {
            spaces.next()
        }
        _ => None,
    };
    match end.and_then(|space| line.get(..=space)) {
        Some(start) => [start, REDACTED].concat().into(),
        None => line.into(),
    }
}

/// Whether a command of the application's own may hold a secret: behind AUTH, or what looks like a
/// message of a mechanism.
fn has_secret(argument: &str) -> bool {
    behind_auth(argument).next().is_some()
        || words(argument).any(|word| Base64::is_likely(word.as_bytes()))
}

/// The words of it that a server must not be seen to repeat. A mechanism's name is none of them: a
/// server may have to say it again.
fn secret_words(argument: &str) -> impl Iterator<Item = &str> {
    let is_name = |word: &str| {
        Name::new(word).is_ok() && !word.bytes().any(|octet| octet.is_ascii_lowercase())
    };
    behind_auth(argument)
        .enumerate()
        .filter(move |(index, word)| *index > 0 || !is_name(word))
        .map(|(_, word)| word)
}

/// What stands behind the word AUTH.
fn behind_auth(argument: &str) -> impl Iterator<Item = &str> {
    let mut words = words(argument);
    // Behind the last word there is nothing.
    let _ = words.find(|word| word.eq_ignore_ascii_case("AUTH"));
    words
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// What of a URL is as good as a password: that, and the token of URLAUTH (RFC 4467 section 2).
fn url_secrets(uri: &str) -> impl Iterator<Item = &str> {
    let user = uri.split_once("//").and_then(|(_, rest)| rest.split('/').next());
    let user = user.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let is_authorized = uri.to_ascii_lowercase().contains(";urlauth=");
    let is_token = |token: &&str| token.bytes().all(|octet| octet.is_ascii_hexdigit());
    let token = uri.rsplit_once(':').map(|(_, token)| token).filter(is_token);
    let token = token.filter(|_| is_authorized);
    password.into_iter().chain(token)
}

/// The reply with what was said in secret made unreadable; `None` when there is nothing of it.
fn scrub<'s>(reply: &[u8], secrets: impl Iterator<Item = &'s Secret>) -> Option<Vec<u8>> {
    // A challenge is the mechanism's, and is not shown.
    if reply.starts_with(b"334") {
        return None;
    }
    let mut scrubbed: Option<Vec<u8>> = None;
    for secret in secrets {
        let secret = secret.expose();
        for at in memchr::memmem::find_iter(reply, secret) {
            let copy = scrubbed.get_or_insert_with(|| reply.to_vec());
            // Neither the code nor the line's end can be part of a secret as it is sent.
            let text = copy.get_mut(at.max(4)..at.saturating_add(secret.len()));
            text.into_iter().flatten().for_each(|octet| {
                if !matches!(octet, b'\r' | b'\n') {
                    *octet = b'*';
                }
            });
        }
    }
    scrubbed
}

fn log_lines(transcript: &mut Option<Box<dyn Transcript>>, now: Instant, octets: &[u8]) {
    let Some(transcript) = transcript else { return };
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let octets = line.strip_suffix(b"\r\n").unwrap_or(line);
        transcript.entry(now, Entry::Line { from: Side::Server, octets });
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("received", &self.receive.octets().len())
            .field("input", &self.input)
            .field("to_send", &self.send.len())
            .field("output", &self.output)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Argument, Mechanism, UnknownVerb, Uri};
    use alloc::string::String;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let shown = |command: &Command<'_>| {
            let mut line = Vec::new();
            command.encode(&mut line);
            line.truncate(line.len() - 2);
            String::from_utf8(shown(command, &line).into_owned()).unwrap()
        };
        let auth = |initial_response| Command::Auth {
            mechanism: Mechanism::new("PLAIN").unwrap(),
            initial_response,
        };
        assert_eq!(shown(&auth(None)), "AUTH PLAIN");
        assert_eq!(shown(&auth(Some(Base64::encode(b"")))), "AUTH PLAIN (redacted)");
        assert_eq!(shown(&auth(Some(Base64::encode(b"secret")))), "AUTH PLAIN (redacted)");
        let uri =
            Uri::new("imap://ann:pw@x.example/;uid=1;URLAUTH=submit+ann:internal:91354a").unwrap();
        assert!(url_secrets(uri.as_str()).eq(["pw", "91354a"]));
        for uri in ["imap://x.example:143/;uid=1", "imap://x.example/;urlauth=user+ann:internal"] {
            assert!(url_secrets(uri).next().is_none(), "{uri}");
        }
        let secrets = |argument| secret_words(argument).collect::<Vec<_>>();
        assert_eq!(secrets("auth PLAIN hunter 2"), ["hunter", "2"]);
        assert_eq!(secrets("x AUTH hunter"), ["hunter"]);
        assert!(secrets("token dG9rZW4x now").is_empty(), "that is a guess");
        assert!(secrets("author auth").is_empty() && secrets("author PLAIN").is_empty());
        assert_eq!(shown(&Command::Burl { uri, last: true }), "BURL (redacted)");
        for (line, expected) in [
            ("XADR", "XADR"),
            ("XADR bob@example.net", "XADR bob@example.net"),
            ("XADR statistics 20261124", "XADR statistics 20261124"),
            ("X-DO auth PLAIN pw", "X-DO (redacted)"),
            ("X-DO AUTH", "X-DO AUTH"),
            ("X-DO AUTH PLAIN", "X-DO (redacted)"),
            ("X-DO author statistics", "X-DO author statistics"),
            ("X-DO token AGFubgBwdw==", "X-DO (redacted)"),
            ("X-DO token dG9rZW4x", "X-DO (redacted)"),
        ] {
            let (verb, argument) =
                line.split_once(' ').map_or((line, None), |it| (it.0, Some(it.1)));
            let command = Command::Other {
                verb: UnknownVerb::new(verb).unwrap(),
                argument: argument.map(|it| Argument::new(it).unwrap()),
            };
            assert_eq!(shown(&command), expected);
        }
    }
}
