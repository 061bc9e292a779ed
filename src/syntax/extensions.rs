//! The list of service extensions that EHLO announces.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::num::NonZeroU64;

use super::grammar::{self, DIGIT, KEYWORD, VISIBLE, is_all, span_from};
use super::lanes::{decimal, visible_end};
use super::line_limit::line_limit;
use super::mechanism_list::MechanismList;
use super::session_limits::SessionLimits;
use super::{
    AttributeName, DateTime, EhloLine, Extension, HoldSeconds, Mechanism, Reply, Solicitation,
    SyntaxError, SyntaxErrorKind, Verb,
};

/// The list that EHLO announces, for both sides.
///
/// ```
/// use esmtp::syntax::{Extension, Extensions, Mechanism, Reply};
///
/// let input = b"250-mx.example hello\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 PIPELINING\r\n";
/// let (reply, _) = Reply::parse(input)?.unwrap();
/// let extensions = Extensions::parse(&reply);
/// assert!(extensions.contains(Extension::Pipelining) && !extensions.contains(Extension::Dsn));
/// assert_eq!(extensions.size(), Some(1000));
/// assert!(extensions.mechanisms().eq([Mechanism::PLAIN, Mechanism::LOGIN]));
///
/// let made = Extensions::NONE.with(Extension::Pipelining).with_size(1000);
/// assert!(made.lines().eq(["SIZE 1000", "PIPELINING"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("Capabilities", "EhloResponse"))]
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    set: u64,
    size: Option<NonZeroU64>,
    mechanisms: MechanismList,
    /// Absent without such lines: each idle session of a client has a list.
    texts: Option<Box<Texts>>,
}

/// The lines that are kept as text.
#[derive(Clone, Debug, Default)]
struct Texts {
    /// Lines of known extensions that have arguments, SIZE and AUTH aside, each followed by `\n`.
    arguments: String,
    /// Lines with other keywords, each followed by `\n`.
    others: String,
}

/// The bounds of FUTURERELEASE: the latest release of a message (RFC 4865 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureRelease<'a> {
    most: HoldSeconds,
    last: DateTime<'a>,
}

impl<'a> FutureRelease<'a> {
    /// Makes the bounds: the longest time from now, and the last moment.
    #[must_use]
    pub const fn new(most: HoldSeconds, last: DateTime<'a>) -> Self {
        Self { most, last }
    }

    /// Returns the longest time from now.
    #[must_use]
    pub const fn most(&self) -> HoldSeconds {
        self.most
    }

    /// Returns the last moment.
    #[must_use]
    pub const fn last(&self) -> &DateTime<'a> {
        &self.last
    }
}

impl Extensions {
    /// No extension, as after HELO.
    pub const NONE: Self =
        Self { set: 0, size: None, mechanisms: MechanismList::NONE, texts: None };

    /// Returns whether the extension is announced.
    #[must_use]
    pub const fn contains(&self, extension: Extension) -> bool {
        self.set & extension.bit() != 0
    }

    /// Returns whether one of the extensions with these bits is announced.
    pub(super) const fn contains_any(&self, bits: u64) -> bool {
        self.set & bits != 0
    }

    /// Returns whether nothing is announced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set == 0 && self.others().next().is_none()
    }

    /// Iterates over the announced extensions.
    pub fn iter(&self) -> impl Iterator<Item = Extension> + use<> {
        let set = self.set;
        Extension::ALL.iter().copied().filter(move |extension| set & extension.bit() != 0)
    }

    /// Adds this extension; arguments that it has already stay.
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        self.set |= extension.bit();
        self
    }

    /// Removes this extension and its arguments.
    #[must_use]
    pub fn without(mut self, extension: Extension) -> Self {
        self.set &= !extension.bit();
        match extension {
            Extension::Size => self.size = None,
            Extension::Auth => self.mechanisms.clear(),
            _ => self.set_arguments(extension, ""),
        }
        self
    }

    fn with_arguments(mut self, extension: Extension, arguments: &str) -> Self {
        self.set_arguments(extension, arguments);
        self.with(extension)
    }

    fn set_arguments(&mut self, extension: Extension, arguments: &str) {
        if self.arguments(extension).is_some() {
            let keyword = extension.keyword();
            let texts = self.texts.get_or_insert_default();
            let others =
                texts.arguments.lines().filter(|line| line.split(' ').next() != Some(keyword));
            texts.arguments = others.flat_map(|line| [line, "\n"]).collect();
        }
        if !arguments.is_empty() {
            self.push_arguments(extension, arguments.split(' '));
        }
    }

    fn push_arguments<'a>(
        &mut self,
        extension: Extension,
        arguments: impl Iterator<Item = &'a str>,
    ) {
        let lines = &mut self.texts.get_or_insert_default().arguments;
        lines.push_str(extension.keyword());
        for argument in arguments {
            lines.push(' ');
            lines.push_str(argument);
        }
        lines.push('\n');
    }

    /// Returns the arguments of an extension as they stand, those of SIZE and AUTH aside, which have types.
    #[must_use]
    pub fn arguments(&self, extension: Extension) -> Option<&str> {
        let mut lines = self.texts.as_ref()?.arguments.lines();
        lines.find_map(|line| line.strip_prefix(extension.keyword())?.strip_prefix(' '))
    }

    /// Adds SIZE and a limit in octets; 0 means no limit.
    #[must_use]
    pub fn with_size(mut self, octets: u64) -> Self {
        self.size = NonZeroU64::new(octets);
        self.with(Extension::Size)
    }

    /// Returns the largest message in octets (RFC 1870 section 3); `None`: no stated limit (absent, no argument, or 0).
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size.map(NonZeroU64::get)
    }

    /// Adds AUTH and these mechanisms, in this order (RFC 4954 section 3).
    #[must_use]
    pub fn with_mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        self.mechanisms.clear();
        for mechanism in mechanisms {
            self.mechanisms.add(mechanism.as_str().as_bytes());
        }
        self.with(Extension::Auth)
    }

    /// Iterates over the SASL mechanisms that AUTH names: only valid names, each once, those in use first.
    pub fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        self.mechanisms.iter()
    }

    /// Adds LIMITS; numbers above 999999 become that (RFC 9422 section 3).
    #[must_use]
    pub fn with_limits(self, limits: SessionLimits) -> Self {
        match limits.write() {
            line if line.is_empty() => self,
            line => self.with_arguments(Extension::Limits, &line),
        }
    }

    /// Returns the limits of LIMITS: unknown ones are kept raw, and bad values are ignored one by one (RFC 9422 section 3).
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        self.arguments(Extension::Limits).map(SessionLimits::read).unwrap_or_default()
    }

    /// Returns the numbers of LIMITS without unknown limits, and without an allocation.
    pub(crate) fn known_limits(&self) -> SessionLimits {
        self.arguments(Extension::Limits).map(SessionLimits::read_known).unwrap_or_default()
    }

    /// Adds DELIVERBY and the least seconds that a message may ask for (RFC 2852 section 3).
    #[must_use]
    pub fn with_deliver_by(self, minimum: Option<u32>) -> Self {
        match minimum {
            None => self.without(Extension::DeliverBy).with(Extension::DeliverBy),
            Some(seconds) => {
                self.with_arguments(Extension::DeliverBy, &format!("{}", seconds.min(999_999_999)))
            }
        }
    }

    /// Returns the least seconds that a message may ask for (RFC 2852 section 3).
    #[must_use]
    pub fn deliver_by_minimum(&self) -> Option<u32> {
        let first = self.arguments(Extension::DeliverBy)?.split([',', ' ']).next()?;
        first.parse().ok().filter(|_| first.len() <= 9 && is_all(first, DIGIT))
    }

    /// Adds FUTURERELEASE and its bounds (RFC 4865 section 3).
    #[must_use]
    pub fn with_future_release(self, bounds: &FutureRelease<'_>) -> Self {
        let arguments = format!("{} {}", bounds.most(), bounds.last());
        self.with_arguments(Extension::FutureRelease, &arguments)
    }

    /// Returns the bounds of FUTURERELEASE (RFC 4865 section 3).
    #[must_use]
    pub fn future_release(&self) -> Option<FutureRelease<'_>> {
        let (most, last) = self.arguments(Extension::FutureRelease)?.split_once(' ')?;
        Some(FutureRelease {
            most: HoldSeconds::parse(most).ok()?,
            last: DateTime::new(last).ok()?,
        })
    }

    /// Adds MT-PRIORITY and the name of the policy.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`] when the name is not 1 to 20 letters, digits, hyphens, underscores or dots (RFC 6710
    /// section 3).
    pub fn with_mt_priority(self, profile: &str) -> Result<Self, SyntaxError> {
        match is_profile(profile) {
            true => Ok(self.with_arguments(Extension::MtPriority, profile)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0)),
        }
    }

    /// Returns the name of the priority assignment policy (RFC 6710 section 3).
    #[must_use]
    pub fn mt_priority_profile(&self) -> Option<&str> {
        self.arguments(Extension::MtPriority).filter(|profile| is_profile(profile))
    }

    /// Adds NO-SOLICITING and the classes that are refused (RFC 3865 section 3).
    #[must_use]
    pub fn with_no_soliciting(self, classes: &Solicitation<'_>) -> Self {
        self.with_arguments(Extension::NoSoliciting, classes.as_str())
    }

    /// Returns the classes of solicitation that are refused (RFC 3865 section 3).
    #[must_use]
    pub fn no_soliciting(&self) -> Option<Solicitation<'_>> {
        Solicitation::parse(self.arguments(Extension::NoSoliciting)?).ok()
    }

    /// Adds BURL and the URLs that are taken: `imap`, or a prefix (RFC 4468 section 4).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`] when one of them cannot be an argument of an EHLO line.
    pub fn with_burl(self, prefixes: &[&str]) -> Result<Self, SyntaxError> {
        let arguments = prefixes.join(" ");
        match prefixes.iter().all(|prefix| is_all(prefix, VISIBLE)) {
            true => Ok(self.with_arguments(Extension::Burl, &arguments)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0)),
        }
    }

    /// Returns the URLs that BURL takes (RFC 4468 section 4).
    pub fn burl(&self) -> impl Iterator<Item = &str> {
        self.arguments(Extension::Burl).into_iter().flat_map(|arguments| arguments.split(' '))
    }

    /// Adds XCLIENT and the attributes that are taken; those of XFORWARD are left out.
    #[must_use]
    pub fn with_xclient(self, names: &[AttributeName]) -> Self {
        self.with_attributes(Extension::Xclient, names, AttributeName::is_xclient)
    }

    /// Returns the attributes that XCLIENT takes.
    pub fn xclient(&self) -> impl Iterator<Item = AttributeName> {
        self.attributes(Extension::Xclient).filter(|name| name.is_xclient())
    }

    /// Adds XFORWARD and the attributes that are taken; those of XCLIENT are left out.
    #[must_use]
    pub fn with_xforward(self, names: &[AttributeName]) -> Self {
        self.with_attributes(Extension::Xforward, names, AttributeName::is_xforward)
    }

    /// Returns the attributes that XFORWARD takes.
    pub fn xforward(&self) -> impl Iterator<Item = AttributeName> {
        self.attributes(Extension::Xforward).filter(|name| name.is_xforward())
    }

    fn with_attributes(
        self,
        extension: Extension,
        names: &[AttributeName],
        belongs: fn(AttributeName) -> bool,
    ) -> Self {
        let mut line = String::new();
        for name in names.iter().filter(|name| belongs(**name)) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(name.as_str());
        }
        self.with_arguments(extension, &line)
    }

    fn attributes(&self, extension: Extension) -> impl Iterator<Item = AttributeName> {
        let arguments = self.arguments(extension).into_iter();
        arguments.flat_map(|arguments| arguments.split(' ')).filter_map(AttributeName::from_word)
    }

    /// Adds a line of a local extension, whose keyword begins with X (RFC 5321 section 2.2.2).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`] when the line is invalid, or begins with a known keyword or with one that has no X
    /// in front.
    pub fn with_other(self, line: &str) -> Result<Self, SyntaxError> {
        self.with_line(line, true)
    }

    /// Adds a line of an extension that is registered with IANA but not in [`Extension::ALL`]: a server must not
    /// announce others but local ones (RFC 5321 section 2.2.2). The crate does not know the registry; the caller must
    /// check it.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`] when the line is invalid, or begins with a known keyword or with X.
    pub fn with_registered(self, line: &str) -> Result<Self, SyntaxError> {
        self.with_line(line, false)
    }

    fn with_line(mut self, line: &str, is_local: bool) -> Result<Self, SyntaxError> {
        let keyword = EhloLine::parse(line)?.keyword();
        if Extension::from_keyword(keyword).is_some() || keyword.starts_with(['X', 'x']) != is_local
        {
            return Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0));
        }
        let others = &mut self.texts.get_or_insert_default().others;
        others.push_str(line);
        others.push('\n');
        Ok(self)
    }

    /// Iterates over the lines whose keywords are not in [`Extension::ALL`], as they stand.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|texts| texts.others.lines())
    }

    /// Reads the list of an EHLO reply: all lines but the first.
    ///
    /// It never fails: unknown lines are kept, invalid lines are ignored, and so is an invalid argument while its
    /// keyword stays. Of two lines with the same keyword the first counts, but for AUTH, which old servers announce in
    /// two forms. Memory is bounded by the reply.
    #[must_use]
    pub fn parse(reply: &Reply<'_>) -> Self {
        let mut extensions = Self::NONE;
        match reply.plain_wire() {
            Some(wire) => extensions.read_wire(wire),
            None => reply.lines().skip(1).for_each(|line| extensions.read(line)),
        }
        extensions
    }

    /// Makes a list of these lines, as [`lines`](Self::lines) gives them: without the host in front.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`] when one is not a line of an EHLO reply.
    pub fn from_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, SyntaxError> {
        let mut extensions = Self::NONE;
        for line in lines {
            EhloLine::parse(line)?;
            extensions.read(line.as_bytes());
        }
        Ok(extensions)
    }

    /// Reads the lines of a reply but the first, as they came: each has a code, a separator and CRLF.
    fn read_wire(&mut self, wire: &[u8]) {
        let (_, mut lines) = cut_line(wire);
        while !lines.is_empty() {
            lines = self.read_known(lines).unwrap_or_else(|| {
                let (line, rest) = cut_line(lines);
                self.read(line.get("250 ".len()..).unwrap_or_default());
                rest
            });
        }
    }

    /// Reads the first line and returns the lines after it, if it has the form that nearly all have: a known keyword alone, SIZE with a
    /// number, AUTH with mechanisms.
    #[inline]
    fn read_known<'a>(&mut self, lines: &'a [u8]) -> Option<&'a [u8]> {
        let (extension, end) = Extension::at(lines, "250 ".len())?;
        match (lines.get(end..)?, extension) {
            ([b'\r', b'\n', rest @ ..], _) => {
                self.set |= extension.bit();
                Some(rest)
            }
            ([b' ', ..], Extension::Auth) => {
                let end = self.read_mechanisms(lines, end + 1)?;
                lines.get(end + b"\r\n".len()..)
            }
            ([b' ', ..], Extension::Size) if !self.contains(extension) => {
                let (size, after) = decimal(lines, end + 1);
                match lines.get(after..)? {
                    [b'\r', b'\n', rest @ ..] if after > end + 1 => {
                        self.size = NonZeroU64::new(size?);
                        self.set |= extension.bit();
                        Some(rest)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Reads a line with doubled and trailing spaces, and with the `AUTH=` of old servers; ignores an invalid one.
    fn read(&mut self, line: &[u8]) {
        let end = span_from(line, 0, KEYWORD);
        let (keyword, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
        if !keyword.first().is_some_and(u8::is_ascii_alphanumeric) {
            return;
        }
        let extension = Extension::from_octets(keyword);
        let arguments = match (rest, extension) {
            ([], Some(extension)) => return self.set |= extension.bit(),
            ([], None) => rest,
            ([b' ', arguments @ ..], _) | ([b'=', arguments @ ..], Some(Extension::Auth)) => {
                arguments
            }
            _ => return,
        };
        match extension {
            Some(Extension::Auth) => _ = self.read_mechanisms(arguments, 0),
            _ if !arguments.iter().all(|octet| *octet == b' ' || grammar::is(*octet, VISIBLE)) => {}
            // Both are ASCII.
            None => self.push_other(text(keyword), text(arguments)),
            Some(extension) => self.read_arguments(extension, text(arguments)),
        }
    }

    /// Reads the arguments of AUTH from `start` up to a CR or the end of the octets, and returns that place. A mechanism that is
    /// unknown or invalid does not invalidate the others, but an octet that no argument holds does.
    fn read_mechanisms(&mut self, octets: &[u8], start: usize) -> Option<usize> {
        let mark = self.mechanisms.mark();
        let mut at = start;
        loop {
            at = self.mechanisms.add_at(octets, at).unwrap_or_else(|| {
                let end = visible_end(octets, at);
                self.mechanisms.add(octets.get(at..end).unwrap_or_default());
                end
            });
            match octets.get(at) {
                Some(b' ') => at += 1,
                None | Some(b'\r') => {
                    self.set |= Extension::Auth.bit();
                    return Some(at);
                }
                Some(_) => {
                    self.mechanisms.shorten(mark);
                    return None;
                }
            }
        }
    }

    fn read_arguments(&mut self, extension: Extension, arguments: &str) {
        let is_first = !self.contains(extension);
        self.set |= extension.bit();
        let mut words = arguments.split(' ').filter(|word| !word.is_empty()).peekable();
        match extension {
            _ if !is_first => {}
            Extension::Size => self.size = words.next().and_then(size),
            _ if words.peek().is_some() => self.push_arguments(extension, words),
            _ => {}
        }
    }

    #[cold]
    fn push_other(&mut self, keyword: &str, arguments: &str) {
        let others = &mut self.texts.get_or_insert_default().others;
        others.push_str(keyword);
        for argument in arguments.split(' ').filter(|argument| !argument.is_empty()) {
            others.push(' ');
            others.push_str(argument);
        }
        others.push('\n');
    }

    /// Returns the octets that a line of this command may have, its CRLF included: 512, and the additions of the
    /// announced extensions (RFC 5321 section 4.5.3.1.4).
    ///
    /// A server has to accept such a line, and a client should not send a longer one: a client whose initial response
    /// would make AUTH longer waits for the challenge. A response to a 334 may have 12288 octets, and the server of
    /// this crate accepts as many in a line of AUTH (RFC 4954 section 4).
    ///
    /// ```
    /// use esmtp::syntax::{Extension, Extensions, Verb};
    ///
    /// let extensions = Extensions::from_iter([Extension::Size, Extension::SmtpUtf8]);
    /// assert_eq!(extensions.line_limit(Verb::Mail), 512 + 26 + 10);
    /// assert_eq!(extensions.line_limit(Verb::Rcpt), 512);
    /// ```
    #[must_use]
    pub fn line_limit(&self, verb: Verb) -> usize {
        line_limit(verb, |extension| self.contains(extension))
    }

    /// Iterates over the lines to announce: keyword and arguments, known ones first, always in the same order.
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let known = self.iter().map(|extension| {
            let keyword = extension.keyword();
            let arguments = match extension {
                Extension::Size => {
                    return line(keyword, self.size.map(|size| format!("{size}")).as_deref());
                }
                Extension::Auth if self.mechanisms.is_empty() => None,
                Extension::Auth => {
                    let mut line = String::from(keyword);
                    for mechanism in self.mechanisms() {
                        line.push(' ');
                        line.push_str(mechanism.as_str());
                    }
                    return Cow::Owned(line);
                }
                _ => self.arguments(extension),
            };
            line(keyword, arguments)
        });
        known.chain(self.others().map(Cow::Borrowed))
    }
}

/// Returns octets of ASCII as text.
fn text(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap_or_default()
}

fn line(keyword: &'static str, arguments: Option<&str>) -> Cow<'static, str> {
    match arguments {
        Some(arguments) if !arguments.is_empty() => Cow::Owned(format!("{keyword} {arguments}")),
        _ => Cow::Borrowed(keyword),
    }
}

/// Cuts off the first line without its CRLF; no LF is without its CR.
fn cut_line(lines: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
    let (line, rest) = lines.split_at_checked(end).unwrap_or((lines, &[]));
    (line.strip_suffix(b"\r\n").unwrap_or(line), rest)
}

/// Parses `size-param ::= [1*DIGIT]`                                   RFC 1870 section 3
fn size(argument: &str) -> Option<NonZeroU64> {
    argument.parse().ok().filter(|_| is_all(argument, DIGIT))
}

/// Parses `priority-profile = 1*20(ALPHA / DIGIT / "-" / "_" / ".")`   RFC 6710 section 3
fn is_profile(profile: &str) -> bool {
    let is_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..=20).contains(&profile.len()) && profile.bytes().all(is_octet)
}

/// Equality is by what is announced.
impl PartialEq for Extensions {
    fn eq(&self, other: &Self) -> bool {
        self.set == other.set && self.size == other.size && self.lines().eq(other.lines())
    }
}

impl Eq for Extensions {}

impl FromIterator<Extension> for Extensions {
    fn from_iter<I: IntoIterator<Item = Extension>>(extensions: I) -> Self {
        extensions.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn announced(lines: &[&str]) -> Extensions {
        let mut wire = String::from("250-mx.example\r\n");
        for (number, line) in lines.iter().enumerate() {
            let separator = if number + 1 == lines.len() { ' ' } else { '-' };
            wire.push_str(&format!("250{separator}{line}\r\n"));
        }
        Extensions::parse(&Reply::parse(wire.as_bytes()).unwrap().unwrap().0)
    }

    fn lines(extensions: &Extensions) -> Vec<String> {
        extensions.lines().map(Cow::into_owned).collect()
    }

    #[test]
    fn lines_as_they_came_are_read_as_lines_that_were_made() {
        let odd = [
            "",
            " ",
            "DSN",
            "dsn",
            "DSN ",
            "DSN x",
            "DSNX",
            "8BITMIME",
            "-DSN",
            "D\tSN",
            "DSN\t",
            "\u{fc}",
            "SIZE",
            "SIZE 1000",
            "SIZE 0",
            "SIZE 12 ",
            "SIZE  12",
            "SIZE x",
            "SIZE 1 2",
            "SIZE 1234567890123456789",
            "SIZE 12345678901234567890",
            "SIZE 99999999999999999999",
            "AUTH",
            "AUTH PLAIN LOGIN",
            "AUTH=LOGIN",
            "AUTH  PLAIN  X-ONE ",
            "AUTH PLAIN\tLOGIN",
            "AUTH SCRAM-SHA-256-PLUS NAME-OF-MORE-THAN-TWENTY-FOUR",
            "AUTH \u{fc} EXTERNAL",
            "LIMITS MAILMAX=5",
            "XFOO one two",
            "ENHANCEDSTATUSCODES",
            "PIPELINING\u{1}",
        ];
        for first in odd {
            for second in odd {
                let lines = ["mx.example\thello", first, second, "CHUNKING"];
                let wire: String = lines
                    .iter()
                    .map(|line| format!("250-{line}\r\n"))
                    .chain(["250\r\n".into()])
                    .collect();
                let (came, _) = Reply::parse(wire.as_bytes()).unwrap().unwrap();
                let mut extensions = Extensions::NONE;
                came.lines().skip(1).for_each(|line| extensions.read(line));
                assert_eq!(Extensions::parse(&came), extensions, "{wire:?}");
                if let Ok(made) = Reply::new(came.code(), None, lines.join("\n")) {
                    assert_eq!(Extensions::parse(&made), extensions, "{wire:?}");
                }
            }
        }
    }

    /// 1870-3-a 1870-3-d 5321-4.1.1.1-f 5321-4.1.1.1-g 5321-4.1.1.1-h 5321-4.1.1.1-j 6531-3.1-b
    #[test]
    fn an_ehlo_list_is_read_as_servers_send_it() {
        let extensions = announced(&[
            "pipelining",
            "8bitmime",
            "SIZE 1000",
            "X-FOO a=b !~",
            "DSN ",
            "SMTPUTF8  x",
        ]);
        assert!(
            extensions.contains(Extension::Pipelining)
                && extensions.contains(Extension::EightBitMime)
        );
        assert!(extensions.contains(Extension::Dsn) && extensions.contains(Extension::SmtpUtf8));
        assert_eq!(extensions.size(), Some(1000));
        assert_eq!(
            lines(&extensions),
            ["SIZE 1000", "PIPELINING", "8BITMIME", "SMTPUTF8 x", "DSN", "X-FOO a=b !~"]
        );
        for (line, size) in [
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE 10485760", Some(10_485_760)),
            ("SIZE  100", Some(100)),
            ("SIZE 10M", None),
            ("SIZE -1", None),
            ("SIZE 99999999999999999999999", None),
        ] {
            let extensions = announced(&[line]);
            assert!(extensions.contains(Extension::Size), "{line}");
            assert_eq!(extensions.size(), size, "{line}");
        }
    }

    /// 5321-4.1.1.1-f
    #[test]
    fn the_first_line_of_an_ehlo_reply_announces_nothing() {
        let (reply, _) = Reply::parse(b"250-SIZE 1000 greets you\r\n250 DSN\r\n").unwrap().unwrap();
        assert_eq!(lines(&Extensions::parse(&reply)), ["DSN"]);
    }

    /// 4954-3-a 4954-3-b
    #[test]
    fn mechanisms_are_read_from_both_forms() {
        let extensions =
            announced(&["AUTH=LOGIN plain", "AUTH PLAIN LOGIN CRAM-MD5 b.d MECHANISM-NAME-OF-21X"]);
        assert!(extensions.mechanisms().eq([
            Mechanism::LOGIN,
            Mechanism::PLAIN,
            Mechanism::CRAM_MD5
        ]));
        let many: Vec<String> = (0..1000).map(|number| format!("AUTH X{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(announced(&many).mechanisms().count(), 64);
    }

    /// 2852-3-a 3865-3-a 4865-3-a 6710-3-a 9422-3-a 9422-3-b 9422-3-c 9422-3-d
    #[test]
    fn arguments_have_types() {
        let limits = |line| {
            let limits = announced(&[line]).limits();
            (limits.mail_max(), limits.rcpt_max(), limits.rcpt_domain_max())
        };
        assert_eq!(
            limits("LIMITS MAILMAX=5 rcptmax=100 FOO=x RCPTDOMAINMAX=1"),
            (Some(5), Some(100), Some(1))
        );
        for line in [
            "LIMITS",
            "LIMITS RCPTMAX=0",
            "LIMITS RCPTMAX=1000000",
            "LIMITS RCPTMAX=x",
            "LIMITS =",
            "LIMITS RCPTMAX",
        ] {
            assert_eq!(limits(line), (None, None, None), "{line}");
        }
        for (line, minimum) in [
            ("DELIVERBY", None),
            ("DELIVERBY 120", Some(120)),
            ("DELIVERBY 120,x", Some(120)),
            ("DELIVERBY ,x", None),
            ("DELIVERBY 1234567890", None),
            ("DELIVERBY +1", None),
        ] {
            assert_eq!(announced(&[line]).deliver_by_minimum(), minimum, "{line}");
        }
        let extensions = announced(&["FUTURERELEASE 86400 2027-01-01T00:00:00Z"]);
        let bounds = extensions.future_release().unwrap();
        assert_eq!((bounds.most.get(), bounds.last.as_str()), (86400, "2027-01-01T00:00:00Z"));
        for line in [
            "FUTURERELEASE",
            "FUTURERELEASE 86400",
            "FUTURERELEASE 0 2027-01-01T00:00:00Z",
            "FUTURERELEASE x y",
        ] {
            let extensions = announced(&[line]);
            assert!(
                extensions.contains(Extension::FutureRelease)
                    && extensions.future_release().is_none()
            );
        }
        assert_eq!(announced(&["MT-PRIORITY MIXER"]).mt_priority_profile(), Some("MIXER"));
        assert_eq!(announced(&["MT-PRIORITY"]).mt_priority_profile(), None);
        let extensions = announced(&["NO-SOLICITING net.example:ADV,org.example:ADV"]);
        assert!(
            extensions
                .no_soliciting()
                .unwrap()
                .classes()
                .eq(["net.example:ADV", "org.example:ADV"])
        );
        assert!(announced(&["BURL imap imap://h"]).burl().eq(["imap", "imap://h"]));
        let extensions = announced(&["XCLIENT NAME ADDR IDENT FOO", "XFORWARD name SOURCE LOGIN"]);
        assert!(extensions.xclient().eq([AttributeName::Name, AttributeName::Addr]));
        assert!(extensions.xforward().eq([AttributeName::Name, AttributeName::Source]));
    }

    /// 9422-3-c
    #[test]
    fn unknown_limits_are_kept_and_written_back() {
        let line = "LIMITS MAILMAX=5 RCPTMAX=x FOO_MAX=a=b BAD;=1 =2 BAR= BAZ Foo-2=*,1 QUX=1;2";
        let limits = announced(&[line]).limits();
        assert_eq!((limits.mail_max(), limits.rcpt_max()), (Some(5), None));
        assert_eq!(limits.others().collect::<Vec<_>>(), [("FOO_MAX", "a=b"), ("Foo-2", "*,1")]);
        assert_eq!((limits.other("foo-2"), limits.other("MAILMAX")), (Some("*,1"), None));
        let again = Extensions::NONE.with_limits(limits.clone());
        assert_eq!(lines(&again), ["LIMITS MAILMAX=5 FOO_MAX=a=b Foo-2=*,1"]);
        assert_eq!(again.limits(), limits);
        assert_eq!(again.known_limits(), SessionLimits::default().with_mail_max(5));

        let replaced = limits.with_other("foo_max", "7").unwrap().with_mail_max(0);
        let line = lines(&Extensions::NONE.with_limits(replaced));
        assert_eq!(line, ["LIMITS Foo-2=*,1 foo_max=7"]);
        for (name, value) in
            [("", "1"), ("a b", "1"), ("A", ""), ("A", "1 B=2"), ("A", "1;"), ("rcptmax", "1")]
        {
            assert!(SessionLimits::default().with_other(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn what_is_made_is_announced_and_read_again() {
        let limits = SessionLimits::default().with_rcpt_max(2_000_000).with_mail_max(0);
        let bounds = FutureRelease::new(
            HoldSeconds::new(60).unwrap(),
            DateTime::new("2027-01-01T00:00:00Z").unwrap(),
        );
        let made = Extensions::NONE
            .with_size(10)
            .with_mechanisms([Mechanism::new("plain").unwrap(), Mechanism::SCRAM_SHA_256])
            .with_limits(limits)
            .with_deliver_by(Some(5))
            .with_future_release(&bounds)
            .with_no_soliciting(&Solicitation::parse("a:b").unwrap())
            .with_xclient(&[AttributeName::Name, AttributeName::Ident])
            .with_xforward(AttributeName::ALL)
            .with_mt_priority("MIXER")
            .and_then(|made| made.with_burl(&["imap"]))
            .and_then(|made| made.with_other("X-FOO a=b"))
            .unwrap();
        let expected = [
            "SIZE 10",
            "AUTH PLAIN SCRAM-SHA-256",
            "LIMITS RCPTMAX=999999",
            "DELIVERBY 5",
            "MT-PRIORITY MIXER",
            "FUTURERELEASE 60 2027-01-01T00:00:00Z",
            "NO-SOLICITING a:b",
            "BURL imap",
            "XCLIENT NAME",
            "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
            "X-FOO a=b",
        ];
        assert_eq!(lines(&made), expected);
        assert_eq!(announced(&expected), made);
        let less = made.without(Extension::Auth).without(Extension::Burl);
        assert!(less.mechanisms().next().is_none() && less.burl().next().is_none());
        assert!(
            Extensions::NONE.with_other("SIZE 5").is_err()
                && Extensions::NONE.with_other("A\r\nB").is_err()
        );
        assert!(
            Extensions::NONE.with_burl(&["a b"]).is_err()
                && Extensions::NONE.with_mt_priority("").is_err()
        );
    }

    #[test]
    fn hostile_lines_are_ignored() {
        let (reply, _) = Reply::parse(
            b"250-mx\r\n250-X\xff\xfe\r\n250--X\r\n250-\r\n250-SIZE=5\r\n250-A\x1bB\r\n250 DSN\r\n",
        )
        .unwrap()
        .unwrap();
        let extensions = Extensions::parse(&reply);
        assert_eq!(extensions, Extensions::NONE.with(Extension::Dsn));
        assert_eq!(announced(&["SIZE 1", "SIZE 2"]).size(), Some(1));
    }

    #[test]
    fn a_list_is_announced_in_a_stable_order() {
        let one = Extensions::NONE.with(Extension::Dsn).with_size(10).with(Extension::Pipelining);
        let two = Extensions::NONE.with(Extension::Pipelining).with(Extension::Dsn).with_size(10);
        assert_eq!(one, two);
        assert_eq!(lines(&one), ["SIZE 10", "PIPELINING", "DSN"]);
        assert_eq!(lines(&one.without(Extension::Size)), ["PIPELINING", "DSN"]);
        assert_eq!(lines(&Extensions::NONE.with_size(0)), ["SIZE"]);
    }

    #[test]
    fn every_extension_is_found_by_its_keyword() {
        for extension in Extension::ALL {
            assert_eq!(
                Extension::from_keyword(&extension.keyword().to_lowercase()),
                Some(*extension)
            );
        }
        assert_eq!(Extension::from_keyword("XYZZY"), None);
        assert!(Extension::ALL.len() <= 64);
    }
}
