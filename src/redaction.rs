//! Decides which part of a line may be shown, in a transcript or in a reply that the application reads.
//!
//! A secret that stands in a log cannot be taken back, so a part that may be secret is hidden:
//!
//! - of AUTH all but the verb and the name of a mechanism, and all of the SASL exchange that follows, in
//!   either direction: a weak password can be found from a challenge and the response to it (RFC 5802
//!   section 9);
//! - after AUTH, whatever its outcome, each line until a command comes: a client that does not look
//!   at the reply goes on with its user and its password;
//! - of a verb that belongs to no standard each argument that looks like a secret;
//! - the URL of BURL, which opens the content to everyone who has it (RFC 4467 section 9);
//! - of a reply each part that repeats one of these.

use crate::{
    sasl::Secret,
    syntax::{AuthResponse, Base64, Command, Lenience, Mechanism, Verb},
};
use alloc::{borrow::Cow, collections::VecDeque, vec::Vec};

/// The mark in place of octets that are not shown.
const REDACTED: &[u8] = b"(redacted)";
/// The replacement of a challenge.
const REDACTED_CHALLENGE: &[u8] = b"334 (redacted)";
/// The replacement of a line that was too long to be kept.
const LONG_LINE: &[u8] = b"(a line that is too long)";
/// The fewest octets of a secret that are searched for in replies: fewer occur in every reply.
const SHORTEST_SECRET: usize = 4;
/// The number of secrets that are remembered: the responses of an attempt or two.
const SECRETS: usize = 16;
/// The reply code of a challenge.
const CHALLENGE: &[u8] = b"334";

/// Names of mechanisms that are shown after AUTH, besides those that the server offers: those of the
/// registry of SASL mechanisms.
const MECHANISMS: [&str; 18] = [
    "ANONYMOUS",
    "CRAM-MD5",
    "DIGEST-MD5",
    "EXTERNAL",
    "GSS-SPNEGO",
    "GSSAPI",
    "KERBEROS_V4",
    "KERBEROS_V5",
    "LOGIN",
    "NTLM",
    "OAUTH10A",
    "OAUTHBEARER",
    "OPENID20",
    "OTP",
    "PLAIN",
    "SAML20",
    "XOAUTH",
    "XOAUTH2",
];
/// The beginnings of the registry's families of names.
const FAMILIES: [&str; 4] = ["9798-", "EAP-", "GS2-", "SCRAM-"];
/// Words that precede a secret, in protocols that clients confuse with this one.
const INTRODUCTIONS: [&[u8]; 8] = [
    b"AUTHENTICATE",
    b"AUTHINFO",
    b"AUTHORIZATION",
    b"BEARER",
    b"LOGIN",
    b"PASS",
    b"PASSWD",
    b"PASSWORD",
];

/// The secrets of a session, as far as a machine knows them.
#[derive(Default)]
pub(crate) struct Redaction {
    /// Octets of secrets, in the forms in which a peer may repeat them.
    secrets: VecDeque<Secret>,
    /// Words that may be secret or like any other: hidden in the reply to their own command alone, as
    /// the replies to others are for the application to read.
    guesses: Vec<Secret>,
    /// AUTH was sent, and no reply but challenges has come.
    is_in_exchange: bool,
    /// AUTH was received, and no command since.
    is_after_auth: bool,
}

/// The commands and mechanisms that a server knows.
pub(crate) trait Known {
    fn lenience(&self) -> Lenience;
    fn has_command(&self, command: &Command<'_>) -> bool;
    fn has_mechanism(&self, name: &str) -> bool;
}

/// The client's side: commands and responses that are sent, and the replies to them.
impl Redaction {
    /// Returns whether a command may hold a secret, or is followed by one.
    pub(crate) const fn is_needed_for(command: &Command<'_>) -> bool {
        matches!(command, Command::Auth { .. } | Command::Burl { .. } | Command::Other { .. })
    }

    /// Remembers the secrets of a command.
    pub(crate) fn note_command(&mut self, command: &Command<'_>) {
        self.is_in_exchange = matches!(command, Command::Auth { .. });
        self.note_argument(command);
    }

    /// Remembers the secrets of a response in an exchange.
    pub(crate) fn note_response(&mut self, response: &[u8], is_plaintext: bool) {
        self.remember(Base64::encode(response).as_str().as_bytes());
        forms_of(response, is_plaintext).for_each(|form| self.remember(form));
    }

    /// Returns a received reply with the secrets of the session made unreadable; `None` when it
    /// repeats none of them, and for a challenge, which the mechanism needs as it is.
    pub(crate) fn received(&mut self, reply: &[u8]) -> Option<Vec<u8>> {
        let is_challenge = self.is_in_exchange && reply.starts_with(CHALLENGE);
        self.is_in_exchange = is_challenge;
        let secrets = &mut self.secrets.iter().chain(&self.guesses);
        // Neither the code nor the line's end can be part of a secret as it is sent.
        let scrubbed = if is_challenge { None } else { scrub(reply, CHALLENGE.len() + 1, secrets) };
        self.guesses.clear();
        scrubbed
    }

    /// Returns octets that are not a reply with the secrets of the session made unreadable; `None`
    /// when they repeat none of them.
    pub(crate) fn malformed(&self, octets: &[u8]) -> Option<Vec<u8>> {
        scrub(octets, 0, &mut self.secrets.iter().chain(&self.guesses))
    }
}

/// A line of a server.
pub(crate) enum Line<'l> {
    Command(&'l [u8], &'l dyn Known),
    /// A line of the client's in the exchange of AUTH; `None`: one that was too long.
    Response(Option<&'l [u8]>),
    /// The beginning of a line that is too long to be kept.
    Long(&'l [u8]),
    Reply(&'l [u8]),
}

/// The server's side, where it has a transcript: lines that are received, and the replies to them.
impl Redaction {
    /// Returns what may be shown of a line, and remembers the secrets of a client's.
    pub(crate) fn shown<'l>(&mut self, line: Line<'l>) -> Cow<'l, [u8]> {
        match line {
            Line::Command(line, known) => self.command_line(line, known),
            Line::Response(line) => self.response_line(line.unwrap_or_default()).into(),
            Line::Long(front) => self.long_line(front).into(),
            Line::Reply(reply) => self.sent(reply).map_or(Cow::Borrowed(reply), Cow::Owned),
        }
    }

    /// Returns what may be shown of a command line.
    fn command_line<'l>(&mut self, line: &'l [u8], known: &dyn Known) -> Cow<'l, [u8]> {
        let verb = Verb::of(line);
        let is_like_auth = is_like_auth(line);
        if self.is_after_auth && !is_like_auth && !is_command(line, known) {
            return REDACTED.into();
        }
        self.is_after_auth = is_like_auth;
        self.secrets.clear();
        self.guesses.clear();
        if matches!(verb, Verb::Auth | Verb::Burl | Verb::Other)
            && let Ok(command) = Command::parse(line, known.lenience())
        {
            self.note_argument(&command);
            if let Command::Auth { initial_response: Some(response), .. } = command {
                self.note_response(&response.decoded(), true);
            }
        }
        match verb {
            Verb::Auth => match words(line).nth(1) {
                Some(name) if is_mechanism(name, known) => first_words(line, 2),
                _ => first_words(line, 1),
            },
            Verb::Burl => first_words(line, 1),
            Verb::Other if has_secret(line) && is_command(line, known) => first_words(line, 1),
            Verb::Other if has_secret(line) => REDACTED.into(),
            _ => line.into(),
        }
    }

    /// Returns the text shown for a line that was too long to be kept; `front` is its beginning.
    fn long_line(&mut self, front: &[u8]) -> &'static [u8] {
        self.is_after_auth |= is_like_auth(front);
        match self.is_after_auth {
            true => REDACTED,
            false => LONG_LINE,
        }
    }

    /// Remembers the secrets of a client's line in an exchange, and returns the text shown for it.
    fn response_line(&mut self, line: &[u8]) -> &'static [u8] {
        if let Ok(AuthResponse::Response(response)) = AuthResponse::parse(line) {
            self.note_response(&response.decoded(), true);
        }
        REDACTED
    }

    /// Returns a reply to send with the client's secrets made unreadable; `None` when it repeats
    /// none of them.
    ///
    /// Words of letters alone are kept: the texts of replies consist of them, and a gap in a
    /// well-known text would reveal the word.
    fn sent(&self, reply: &[u8]) -> Option<Vec<u8>> {
        let is_word = |secret: &&Secret| secret.expose().iter().all(u8::is_ascii_alphabetic);
        let mut secrets =
            self.secrets.iter().chain(&self.guesses).filter(|secret| !is_word(secret));
        scrub(reply, CHALLENGE.len() + 1, &mut secrets)
    }
}

/// Either side.
impl Redaction {
    /// Remembers what is secret in the argument of a command, that of AUTH aside.
    fn note_argument(&mut self, command: &Command<'_>) {
        match command {
            Command::Other { verb, argument: Some(argument) } => {
                let argument = argument.as_str().as_bytes();
                secret_words(argument).for_each(|word| self.remember(word));
                for word in words(argument) {
                    url_secrets(word).for_each(|part| self.remember(part));
                }
                let mut is_suspect = is_named_after_secrets(verb.as_str().as_bytes());
                for word in words(argument) {
                    let may_be_secret = word.len() >= SHORTEST_SECRET && !is_registered(word);
                    if may_be_secret && (is_suspect || Base64::is_likely(word)) {
                        self.guesses.push(Secret::from(word));
                    }
                    is_suspect |= is_introduction(word);
                }
            }
            Command::Burl { uri, .. } => {
                url_secrets(uri.as_str().as_bytes()).for_each(|part| self.remember(part));
            }
            _ => {}
        }
    }

    /// Remembers octets that must be hidden when a peer repeats them.
    fn remember(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        if self.secrets.len() >= SECRETS {
            self.secrets.pop_front();
        }
        self.secrets.push_back(Secret::from(secret));
    }
}

/// Returns what may be shown of a command that a client sends; `line` is its wire form.
pub(crate) fn command<'l>(command: &Command<'_>, line: &'l [u8]) -> Cow<'l, [u8]> {
    match command {
        // The application has chosen the mechanism, whatever its name is.
        Command::Auth { .. } => first_words(line, 2),
        Command::Burl { .. } => first_words(line, 1),
        Command::Other { .. } if has_secret(line) => first_words(line, 1),
        _ => line.into(),
    }
}

/// Returns what may be shown of a client's answer to a challenge.
pub(crate) const fn response(response: &AuthResponse<'_>) -> &'static [u8] {
    match response {
        AuthResponse::Cancel => b"*",
        _ => REDACTED,
    }
}

/// Returns the lines of a reply as they may be shown, without their line ends: of a challenge the
/// code alone.
pub(crate) fn reply_lines(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    reply.split_inclusive(|octet| *octet == b'\n').map(|line| match line.starts_with(CHALLENGE) {
        true => REDACTED_CHALLENGE,
        false => {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            line.strip_suffix(b"\r").unwrap_or(line)
        }
    })
}

/// Returns the first words of a line, and a mark in place of what follows.
fn first_words(line: &[u8], count: usize) -> Cow<'_, [u8]> {
    let mut shown = Vec::new();
    let mut words = words(line);
    for word in words.by_ref().take(count) {
        if !shown.is_empty() {
            shown.push(b' ');
        }
        shown.extend_from_slice(word);
    }
    if words.next().is_some() {
        shown.push(b' ');
        shown.extend_from_slice(REDACTED);
    }
    shown.into()
}

/// Returns whether a line is surely a command, and not a password that begins like one.
fn is_command(line: &[u8], known: &dyn Known) -> bool {
    match Command::parse(line, known.lenience()) {
        // Any text may follow, and these are words of natural language.
        Ok(Command::Noop(Some(_)) | Command::Help(Some(_)) | Command::Obsolete(_)) | Err(_) => {
            false
        }
        Ok(command) => known.has_command(&command),
    }
}

/// Returns whether a word after AUTH is the name of a mechanism rather than a user or a password.
fn is_mechanism(name: &[u8], known: &dyn Known) -> bool {
    core::str::from_utf8(name).is_ok_and(|text| {
        Mechanism::new(text).is_ok() && (is_registered(name) || known.has_mechanism(text))
    })
}

fn is_registered(name: &[u8]) -> bool {
    let begins = |family: &str| {
        name.get(..family.len()).is_some_and(|it| it.eq_ignore_ascii_case(family.as_bytes()))
    };
    MECHANISMS.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name))
        || FAMILIES.iter().any(|family| begins(family))
}

/// Returns whether a line begins an exchange, or is meant to.
fn is_like_auth(line: &[u8]) -> bool {
    match Verb::of(line) {
        Verb::Auth => true,
        Verb::Other => introduction(line).is_some(),
        _ => false,
    }
}

/// Returns whether a line whose verb is not a standard's may hold a secret.
fn has_secret(line: &[u8]) -> bool {
    introduction(line).is_some_and(|mut behind| behind.next().is_some())
        || words(line).any(|word| Base64::is_likely(word) || url_secrets(word).next().is_some())
}

/// Returns the words after the one that introduces a secret; `None` when there is no such word.
fn introduction(line: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut words = words(line);
    let introduces = |(place, word): &(usize, &[u8])| {
        is_auth(word) || is_introduction(word) || *place == 0 && is_named_after_secrets(word)
    };
    words.by_ref().enumerate().find(introduces)?;
    Some(words)
}

/// Returns whether a word is AUTH, alone or run together with the name of a mechanism.
fn is_auth(word: &[u8]) -> bool {
    word.split_at_checked(b"AUTH".len()).is_some_and(|(auth, rest)| {
        let is_alone = !rest.first().is_some_and(u8::is_ascii_alphabetic);
        auth.eq_ignore_ascii_case(b"AUTH") && (is_alone || is_registered(rest))
    })
}

/// Returns whether a word is one after which a secret stands.
fn is_introduction(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    INTRODUCTIONS.iter().any(|it| it.eq_ignore_ascii_case(word))
}

/// Returns whether the name of a verb says that its argument is secret: `XAUTH`, `X-LOGIN`.
fn is_named_after_secrets(verb: &[u8]) -> bool {
    let is_in = |part: &[u8]| verb.windows(part.len()).any(|it| it.eq_ignore_ascii_case(part));
    is_in(b"AUTH") || is_in(b"LOGIN") || is_in(b"PASS")
}

/// Returns the words of an argument that a server must not be seen to repeat, to the end of the
/// session: those after AUTH. The name of a mechanism is not among them: a server may have to say it again.
fn secret_words(argument: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_name = |word: &[u8]| {
        let name = core::str::from_utf8(word).unwrap_or_default();
        Mechanism::new(name).is_ok() && !word.iter().any(u8::is_ascii_lowercase)
    };
    let mut words = words(argument);
    // After the last word there is nothing.
    let _ = words.find(|word| is_auth(word));
    words
        .enumerate()
        .filter(move |(index, word)| *index > 0 || !is_name(word))
        .map(|(_, word)| word)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|octet| *octet <= b' ').filter(|word| !word.is_empty())
}

/// Returns the parts of a URL that are secret: a password, and the token of URLAUTH (RFC 4467 section
/// 2).
fn url_secrets(uri: &[u8]) -> impl Iterator<Item = &[u8]> {
    let uri = core::str::from_utf8(uri).unwrap_or_default();
    let user = uri.split_once("//").and_then(|(_, rest)| rest.split('/').next());
    let user = user.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let is_authorized = uri.to_ascii_lowercase().contains(";urlauth=");
    let is_token = |token: &&str| token.bytes().all(|octet| octet.is_ascii_hexdigit());
    let token = uri.rsplit_once(':').map(|(_, token)| token).filter(is_token);
    let token = token.filter(|_| is_authorized);
    password.into_iter().chain(token).map(str::as_bytes)
}

/// Returns the forms, besides base64, in which a peer may repeat a response of a mechanism.
fn forms_of(response: &[u8], is_plaintext: bool) -> impl Iterator<Item = &[u8]> {
    // PLAIN: after the last NUL; tokens: after `Bearer `, up to a control octet.
    let last = response.split(|octet| *octet == 0).next_back();
    let tokens = response.split(|octet| *octet < b' ');
    let tokens = tokens.filter_map(|part| part.strip_prefix(b"auth=Bearer "));
    last.into_iter().chain(tokens).filter(move |_| is_plaintext)
}

/// Returns a reply with the secrets made unreadable; `None` when it holds no secret. The octets before
/// `start` are left.
fn scrub(
    reply: &[u8],
    start: usize,
    secrets: &mut dyn Iterator<Item = &Secret>,
) -> Option<Vec<u8>> {
    let mut scrubbed: Option<Vec<u8>> = None;
    for secret in secrets {
        let secret = secret.expose();
        for at in occurrences(reply, secret) {
            let copy = scrubbed.get_or_insert_with(|| reply.to_vec());
            let text = copy.get_mut(at.max(start)..at.saturating_add(secret.len()));
            text.into_iter().flatten().for_each(|octet| {
                if !matches!(octet, b'\r' | b'\n') {
                    *octet = b'*';
                }
            });
        }
    }
    scrubbed
}

/// Returns the places at which `sought` stands in `text`. The search of the memchr crate for a text would add 16 kB to a program,
/// for replies that seldom hold a secret.
fn occurrences(text: &[u8], sought: &[u8]) -> impl Iterator<Item = usize> {
    let first = sought.first().copied().unwrap_or_default();
    memchr::memchr_iter(first, text)
        .filter(move |at| text.get(*at..).is_some_and(|rest| rest.starts_with(sought)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Argument, UnknownVerb, Uri};
    use alloc::string::String;

    #[test]
    fn secrets_that_overlap_are_hidden_to_the_last_octet() {
        let secret = Secret::from(&b"abcab"[..]);
        let scrubbed = scrub(b"250 abcabcab abc\r\n", 4, &mut [&secret].into_iter());
        assert_eq!(scrubbed.as_deref(), Some(&b"250 ******** abc\r\n"[..]));
        assert_eq!(scrub(b"250 abcac\r\n", 4, &mut [&secret].into_iter()), None);
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let shown = |command: &Command<'_>| {
            let mut line = Vec::new();
            command.encode(&mut line);
            line.truncate(line.len() - 2);
            String::from_utf8(super::command(command, &line).into_owned()).unwrap()
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
        assert!(url_secrets(uri.as_str().as_bytes()).eq([&b"pw"[..], b"91354a"]));
        for uri in ["imap://x.example:143/;uid=1", "imap://x.example/;urlauth=user+ann:internal"] {
            assert!(url_secrets(uri.as_bytes()).next().is_none(), "{uri}");
        }
        let secrets = |argument: &'static str| {
            let words = secret_words(argument.as_bytes());
            words.map(|word| core::str::from_utf8(word).unwrap()).collect::<Vec<_>>()
        };
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
