//! The lines that a server puts in front of a message (RFC 5321 section 4.4).
//!
//! A server that accepts a message writes [`Received`] before its content, and at final delivery [`ReturnPath`] before
//! that. [`Hops`] counts the fields that other servers have written, which detects a mail loop.
//!
//! ```
//! use core::time::Duration;
//! use esmtp::syntax::{ForwardPath, HelloName, Host, ReversePath};
//! use esmtp::trace::{Protocol, Received, ReturnPath, Timestamp};
//!
//! let (by, from) = (Host::parse("mx.example.org")?, HelloName::new("client.example.net")?);
//! let at = Timestamp::since_unix_epoch(Duration::from_secs(1_600_000_000));
//! let received = Received::new(&by, Protocol::new("ESMTPS")?, at)
//!     .with_from(&from)
//!     .with_peer([192, 0, 2, 7].into(), None)
//!     .with_id("4711")
//!     .with_recipients([ForwardPath::parse("<bob@example.org>")?])
//!     .with_tls("TLS_AES_256_GCM_SHA384");
//! let mut message = ReturnPath(&ReversePath::parse("<ann@example.net>")?).to_string();
//! message += &received.to_string();
//! assert_eq!(
//!     message,
//!     "Return-Path: <ann@example.net>\r\n\
//!      Received: from client.example.net\r\n ([192.0.2.7])\r\n by mx.example.org with ESMTPS id 4711\r\n \
//!      for <bob@example.org>\r\n tls TLS_AES_256_GCM_SHA384;\r\n Sun, 13 Sep 2020 12:26:40 +0000\r\n",
//! );
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```

use crate::syntax::{
    Domain, ForwardPath, HelloName, Host, Priority, ReversePath, SyntaxError, SyntaxErrorKind,
    civil,
};
use alloc::string::ToString;
use core::{
    fmt::{self, Write as _},
    net::IpAddr,
    time::Duration,
};

/// The `Return-Path:` line of final delivery (RFC 5321 section 4.4), with its CRLF.
///
/// ```
/// use esmtp::{syntax::ReversePath, trace::ReturnPath};
///
/// let path = ReversePath::parse("<ann@example.org>")?;
/// assert_eq!(ReturnPath(&path).to_string(), "Return-Path: <ann@example.org>\r\n");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReturnPath<'a>(pub &'a ReversePath<'a>);

impl fmt::Display for ReturnPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Return-Path: {}\r\n", self.0)
    }
}

/// A protocol, as the word after `with` in a `Received:` field names it (RFC 5321 section 4.4, RFC 3848): an atom, so that no
/// line break, comment or further clause can hide in it.
///
/// [`Facts::protocol`](crate::server::Facts::protocol) has that of a session.
///
/// ```
/// use esmtp::trace::Protocol;
///
/// assert_eq!(Protocol::new("ESMTPSA")?, "ESMTPSA");
/// assert!(Protocol::new("ESMTP\r\nX-Evil: 1").is_err());
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol<'a>(&'a str);

impl<'a> Protocol<'a> {
    /// Checks the name of a protocol.
    ///
    /// ```text
    /// With           = CFWS "WITH" FWS Protocol                RFC 5321 section 4.4
    /// Protocol       = "ESMTP" / "SMTP" / Attdl-Protocol
    /// Attdl-Protocol = Atom
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Argument`] at the first octet that no atom holds, or when it is empty.
    pub fn new(name: &'a str) -> Result<Self, SyntaxError> {
        let is_atext =
            |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
        match name.bytes().position(|octet| !is_atext(octet)) {
            None if !name.is_empty() => Ok(Self(name)),
            place => Err(SyntaxError::new(SyntaxErrorKind::Argument, place.unwrap_or(0))),
        }
    }

    pub(crate) const fn known(name: &'a str) -> Self {
        Self(name)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Protocol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl PartialEq<str> for Protocol<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Protocol<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// The `Received:` field of one hop (RFC 5321 section 4.4), folded, with its CRLF.
///
/// ```
/// use core::time::Duration;
/// use esmtp::{syntax::{HelloName, Host}, trace::{Protocol, Received, Timestamp}};
///
/// let by = Host::parse("mx.example.org")?;
/// let from = HelloName::new("client.example.net")?;
/// let at = Timestamp::since_unix_epoch(Duration::from_secs(1_600_000_000));
/// let field = Received::new(&by, Protocol::new("ESMTP")?, at).with_from(&from).with_id("4711");
/// assert_eq!(
///     field.to_string(),
///     "Received: from client.example.net\r\n by mx.example.org with ESMTP id 4711;\r\n \
///      Sun, 13 Sep 2020 12:26:40 +0000\r\n",
/// );
///
/// // A name that is not a host is a comment, and the address stands in its place.
/// let from = HelloName::new("john's mac")?;
/// let esmtp = Protocol::new("ESMTP")?;
/// let field = Received::new(&by, esmtp, at).with_from(&from).with_peer([192, 0, 2, 7].into(), None);
/// assert_eq!(
///     field.to_string(),
///     "Received: from [192.0.2.7]\r\n ([192.0.2.7])\r\n (john?s?mac)\r\n by mx.example.org with ESMTP;\r\n \
///      Sun, 13 Sep 2020 12:26:40 +0000\r\n",
/// );
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Received<'a> {
    by: &'a Host<'a>,
    with: Protocol<'a>,
    at: Timestamp,
    from: Option<&'a HelloName<'a>>,
    address: Option<IpAddr>,
    name: Option<&'a Domain<'a>>,
    id: Option<&'a str>,
    recipient: Option<ForwardPath<'a>>,
    cipher: Option<&'a str>,
    priority: Option<Priority>,
}

/// The facts of a session that a `Received:` field tells: those of
/// [`server::Facts`](crate::server::Facts).
pub trait Traced {
    /// Returns the field of the host `by`, with every clause that is known.
    fn trace<'a>(&'a self, by: &'a Host<'a>, at: Timestamp) -> Received<'a>;
}

impl<'a> Received<'a> {
    /// Makes the field of a message from the facts of its session: protocol, name and address of the
    /// client, cipher suite, priority, and the recipient if it is the only one. `by` is the name of this
    /// server, and `at` the time.
    ///
    /// ```
    /// use esmtp::{
    ///     server::Data,
    ///     syntax::Host,
    ///     trace::{Received, Timestamp},
    /// };
    /// use std::time::SystemTime;
    ///
    /// fn begin(data: &Data<'_>, by: &Host<'_>) -> String {
    ///     let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ///     let at = Timestamp::since_unix_epoch(now);
    ///     Received::of(data.facts(), by, at).with_id("4711").to_string()
    /// }
    /// ```
    #[must_use]
    pub fn of(facts: &'a impl Traced, by: &'a Host<'a>, at: Timestamp) -> Self {
        facts.trace(by, at)
    }

    /// Makes a field from the parts that every one has: the receiving host, the protocol
    /// ([`Facts::protocol`](crate::server::Facts::protocol)) and the time.
    #[must_use]
    pub const fn new(by: &'a Host<'a>, with: Protocol<'a>, at: Timestamp) -> Self {
        Self {
            by,
            with,
            at,
            from: None,
            address: None,
            name: None,
            id: None,
            recipient: None,
            cipher: None,
            priority: None,
        }
    }

    /// Adds the name in the client's hello ([`Facts::hello_name`](crate::server::Facts::hello_name)).
    ///
    /// A name that is not a domain or an address literal of the grammar stands in a comment, as far as a line has room for it; there every octet
    /// but letters, digits, `.`, `-` and `_` is written `?`. The field is then from the address of
    /// [`with_peer`](Self::with_peer).
    #[must_use]
    pub const fn with_from(mut self, name: &'a HelloName<'a>) -> Self {
        self.from = Some(name);
        self
    }

    /// Adds the address of the client (`TCP-info`), and the name that was looked up for it.
    #[must_use]
    pub const fn with_peer(mut self, address: IpAddr, name: Option<&'a Domain<'a>>) -> Self {
        self.address = Some(address);
        self.name = name;
        self
    }

    /// Adds the identifier of the message: letters, digits, `.` and `-`. Other characters are left out, and so is the
    /// clause when nothing is left of it.
    #[must_use]
    pub const fn with_id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds a single recipient as the `for` clause. Of several recipients the field names none, for they may not know
    /// of each other (RFC 5321 section 7.2).
    #[must_use]
    pub fn with_recipients(
        mut self,
        recipients: impl IntoIterator<Item = ForwardPath<'a>>,
    ) -> Self {
        let mut recipients = recipients.into_iter();
        self.recipient = recipients.next().filter(|_| recipients.next().is_none());
        self
    }

    /// Adds the cipher suite of TLS as the `tls` clause (RFC 8314 section 4.3), by its registered name
    /// ([`Security::cipher`](crate::security::Security::cipher)). The clause is left out for a name that holds anything but
    /// letters, digits and `_`.
    ///
    /// ```text
    /// tls-cipher-clause = CFWS "tls" FWS tls-cipher [ CFWS tls-dh-group-clause ]      RFC 8314 section 4.3
    /// ```
    #[must_use]
    pub const fn with_tls(mut self, cipher: &'a str) -> Self {
        self.cipher = Some(cipher);
        self
    }

    /// Adds the value of MT-PRIORITY as the `priority` clause, which a server "SHOULD include" (RFC 6710 sections 4.1, 7).
    #[must_use]
    pub const fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received: from ")?;
        let literal = self.address.map(Host::from);
        let host = self.from.and_then(HelloName::host).filter(|host| host.is_strict());
        match (host, &literal, self.from) {
            (Some(host), ..) => write!(f, "{host}")?,
            (None, Some(literal), Some(_)) => write!(f, "{literal}")?,
            (None, ..) => f.write_str("unknown")?,
        }
        if let Some(literal) = literal {
            f.write_str("\r\n (")?;
            if let Some(name) = self.name {
                write!(f, "{} ", name.as_str())?;
            }
            write!(f, "{literal})")?;
        }
        if let (None, Some(name)) = (host, self.from) {
            comment(f, &name.text())?;
        }
        write!(f, "\r\n by {} with {}", self.by, self.with)?;
        let letters = self.id.unwrap_or_default().chars();
        let mut letters =
            letters.filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).peekable();
        if letters.peek().is_some() {
            f.write_str(" id ")?;
        }
        for letter in letters {
            f.write_char(letter)?;
        }
        let recipient = self.recipient.as_ref().map(ToString::to_string);
        if let Some(recipient) = recipient.filter(|path| path.len() <= LINE_LIMIT - " for ;".len())
        {
            write!(f, "\r\n for {recipient}")?;
        }
        // Additional-Registered-Clauses stand after `for`.
        if let Some(cipher) = self.cipher.filter(|name| is_cipher(name)) {
            write!(f, "\r\n tls {cipher}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, "\r\n priority {priority}")?;
        }
        write!(f, ";\r\n {}\r\n", self.at)
    }
}

/// Returns whether the name can be that of a cipher suite: letters, digits and `_`, as those of the registry are.
fn is_cipher(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

/// Octets of a line of a message without its CRLF (RFC 5322 section 2.1.1). No path and no name can be folded.
const LINE_LIMIT: usize = 998;

/// Writes text of a peer as a comment that cannot hide anything: no quoted pair, no parenthesis, no octet outside
/// ASCII.
fn comment(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\r\n (")?;
    for octet in text.bytes().take(LINE_LIMIT - " ()".len()) {
        let is_plain = octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
        f.write_char(if is_plain { char::from(octet) } else { '?' })?;
    }
    f.write_str(")")
}

/// A count of the `Received:` fields of a message, which detects a mail loop (RFC 5321 section 6.3).
///
/// [`observe`](Self::observe) takes the content from its beginning, cut anywhere; it ignores everything after the
/// header section. A message with [`LIMIT`](Self::LIMIT) fields deserves
/// [`ROUTING_LOOP`](crate::syntax::Status::ROUTING_LOOP).
///
/// ```
/// use esmtp::trace::Hops;
///
/// let mut hops = Hops::default();
/// hops.observe(b"Received: from a\r\n by b; now\r\nRecei");
/// hops.observe(b"ved: from c\r\nSubject: x\r\n\r\nReceived: no field\r\n");
/// assert_eq!(hops.count(), 2);
/// assert!(!hops.are_too_many());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hops {
    count: u32,
    place: Place,
}

/// The position in the message.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a name: this many of its octets have matched since the start of the line.
    Name(usize),
    /// In a line that is not a `Received:` field.
    Within,
    /// After the header section.
    Body,
}

impl Default for Place {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl Hops {
    /// "Normally at least 100" (RFC 5321 section 6.3).
    pub const LIMIT: u32 = 100;

    /// Counts the fields in the next octets of the content.
    pub fn observe(&mut self, octets: &[u8]) {
        const NAME: &[u8] = b"received";
        for octet in octets {
            self.place = match (self.place, octet) {
                (Place::Body, _) => return,
                (Place::Name(0), b'\r') => Place::Name(0),
                (Place::Name(0), b'\n') => Place::Body,
                (_, b'\n') => Place::Name(0),
                (Place::Name(met), octet) => match NAME.get(met) {
                    Some(expected) if octet.eq_ignore_ascii_case(expected) => {
                        Place::Name(met.saturating_add(1))
                    }
                    None if *octet == b':' => {
                        self.count = self.count.saturating_add(1);
                        Place::Within
                    }
                    // White space may stand in front of the colon (RFC 5322 section 4.5).
                    None if matches!(octet, b' ' | b'\t') => Place::Name(met),
                    _ => Place::Within,
                },
                (Place::Within, _) => Place::Within,
            };
        }
    }

    /// Returns the number of `Received:` fields seen.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns whether the count has reached [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub const fn are_too_many(&self) -> bool {
        self.count >= Self::LIMIT
    }
}

/// A point in time as message fields write it, in Universal Time (RFC 5322 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    seconds: u64,
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Timestamp {
    /// Makes a timestamp from the time since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn since_unix_epoch(time: Duration) -> Self {
        Self { seconds: time.as_secs() }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, time) = (self.seconds / 86400, self.seconds % 86400);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let weekday =
            DAYS.iter().cycle().nth(usize::try_from(days % 7).unwrap_or(0)).unwrap_or(&"");
        let (year, month, day) = civil(i64::try_from(days).unwrap_or(i64::MAX));
        let month = usize::try_from(month - 1).ok().and_then(|it| MONTHS.get(it)).unwrap_or(&"");
        write!(f, "{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"),
            (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ] {
            let at = Timestamp::since_unix_epoch(Duration::from_secs(seconds));
            assert_eq!(at.to_string(), date);
        }
    }

    /// RFC 5321 section 4.4: what stands in a clause cannot begin another line or another clause.
    #[test]
    fn no_clause_of_a_received_field_brings_another() {
        for name in [
            "",
            "ESMTP\r\nX-Evil: 1",
            "ESMTP\n",
            "ESMTP id 1",
            "ESMTP;",
            "(comment)",
            "a\tb",
            "a.b",
            "\"a\"",
            "ü",
            "\u{85}",
            "a\0",
            "a@b",
        ] {
            assert!(Protocol::new(name).is_err(), "{name:?}");
        }
        for name in ["SMTP", "ESMTPSA", "UTF8LMTP", "x-y_z"] {
            assert_eq!(Protocol::new(name).unwrap().to_string(), name);
        }
        let by = Host::parse("mx.example.org").unwrap();
        let at = Timestamp::since_unix_epoch(Duration::ZERO);
        let with = Protocol::new("ESMTP").unwrap();
        for id in ["", "\r\n", "\u{85}\u{2028}();", " "] {
            let field = Received::new(&by, with, at).with_id(id).to_string();
            assert_eq!(field, Received::new(&by, with, at).to_string(), "{id:?}");
        }
    }

    #[test]
    fn every_part_of_a_received_field_has_its_place() {
        let by = Host::parse("mx.example.org").unwrap();
        let from = HelloName::new("[192.0.2.7]").unwrap();
        let name = Domain::new("client.example.net").unwrap();
        let recipient = ForwardPath::parse("<bob@example.org>").unwrap();
        let at = Timestamp::since_unix_epoch(Duration::ZERO);
        let with = Protocol::new("ESMTPS").unwrap();
        let field = Received::new(&by, with, at)
            .with_from(&from)
            .with_peer("2001:db8::7".parse().unwrap(), Some(&name))
            .with_id("a-1.b\r\nX: y")
            .with_recipients([recipient]);
        assert_eq!(
            field.to_string(),
            "Received: from [192.0.2.7]\r\n (client.example.net [IPv6:2001:db8::7])\r\n \
             by mx.example.org with ESMTPS id a-1.bXy\r\n for <bob@example.org>;\r\n \
             Thu, 1 Jan 1970 00:00:00 +0000\r\n"
        );
    }

    /// 5321-4.4-c
    #[test]
    fn registered_clauses_stand_after_the_recipient() {
        let by = Host::parse("mx.example.org").unwrap();
        let recipient = ForwardPath::parse("<bob@example.org>").unwrap();
        let at = Timestamp::since_unix_epoch(Duration::ZERO);
        let field = Received::new(&by, Protocol::new("ESMTPS").unwrap(), at)
            .with_recipients([recipient])
            .with_priority(Priority::parse("-3").unwrap());
        let start =
            "Received: from unknown\r\n by mx.example.org with ESMTPS\r\n for <bob@example.org>";
        let end = "\r\n priority -3;\r\n Thu, 1 Jan 1970 00:00:00 +0000\r\n";
        assert_eq!(
            field.clone().with_tls("TLS_AES_256_GCM_SHA384").to_string(),
            [start, "\r\n tls TLS_AES_256_GCM_SHA384", end].concat()
        );
        for name in ["", "a b", "a;b", "a\r\nX: b", "(a)", "ü", &"a".repeat(101)] {
            assert_eq!(field.clone().with_tls(name).to_string(), [start, end].concat(), "{name:?}");
        }
    }

    /// 5321-4.4-c
    #[test]
    fn a_name_that_is_not_a_host_stands_in_a_comment() {
        let by = Host::parse("mx.example.org").unwrap();
        let at = Timestamp::since_unix_epoch(Duration::ZERO);
        let peer = "2001:db8::7".parse().unwrap();
        let long = "ü".repeat(2000);
        for (name, comment) in [
            ("MÜLLER-PC", "M??LLER-PC"),
            ("M\u{FFFD}LLER-PC", "M???LLER-PC"),
            ("john's-mac", "john?s-mac"),
            (" client.example", "client.example"),
            ("[2001:db8::19]", "?2001?db8??19?"),
            ("my_host", "my_host"),
            ("a) (b\\", "a???b?"),
            ("x;\u{2027}y", "x????y"),
            (&long, &*"?".repeat(995)),
        ] {
            let name = HelloName::new(name).unwrap();
            let field = Received::new(&by, Protocol::new("ESMTP").unwrap(), at).with_from(&name);
            let unknown = field.to_string();
            let start = "Received: from unknown\r\n (";
            assert!(unknown.starts_with(&[start, comment, ")\r\n by mx.example.org "].concat()));
            let start =
                "Received: from [IPv6:2001:db8::7]\r\n (c.example [IPv6:2001:db8::7])\r\n (";
            let domain = Domain::new("c.example").unwrap();
            let known = field.with_peer(peer, Some(&domain)).to_string();
            assert!(
                known.starts_with(&[start, comment, ")\r\n by mx.example.org "].concat()),
                "{known}"
            );
        }
    }

    #[test]
    fn no_line_of_a_received_field_is_too_long() {
        let by = Host::parse("mx.example.org").unwrap();
        let at = Timestamp::since_unix_epoch(Duration::ZERO);
        for (octets, is_named) in [(97, true), (980, true), (981, false)] {
            let path = alloc::format!("<{}@b.example>", "x".repeat(octets));
            let recipient = ForwardPath::parse(&path).unwrap();
            let field = Received::new(&by, Protocol::new("ESMTP").unwrap(), at)
                .with_recipients([recipient])
                .to_string();
            assert_eq!(field.contains(&path), is_named);
            assert!(field.split("\r\n").all(|line| line.len() <= 998));
        }
    }
}
