//! Service extensions, and the list of them that EHLO announces.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use super::grammar::{self, KEYWORD, VISIBLE, cut, span};
use super::{Reply, SyntaxError, SyntaxErrorKind};

macro_rules! extensions {
    ($($(#[$doc:meta])* $name:ident = $keyword:literal;)*) => {
        /// A service extension, by its EHLO keyword (RFC 5321 section 2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Extension { $($(#[$doc])* $name,)* }

        impl Extension {
            /// Every one, in the order in which they are announced.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The EHLO keyword.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$name => $keyword,)* }
            }
        }
    };
}

extensions! {
    /// Declaration of the message's size (RFC 1870).
    Size = "SIZE";
    /// Commands without waiting for replies (RFC 2920).
    Pipelining = "PIPELINING";
    /// Content with octets above 127 (RFC 6152).
    EightBitMime = "8BITMIME";
    /// Replies with enhanced status codes (RFC 2034).
    EnhancedStatusCodes = "ENHANCEDSTATUSCODES";
    /// Content in counted chunks, BDAT (RFC 3030).
    Chunking = "CHUNKING";
    /// Content of any octets (RFC 3030).
    BinaryMime = "BINARYMIME";
    /// Internationalized addresses and header fields (RFC 6531).
    SmtpUtf8 = "SMTPUTF8";
    /// Delivery status notifications (RFC 3461).
    Dsn = "DSN";
    /// TLS on the same connection (RFC 3207).
    StartTls = "STARTTLS";
    /// Authentication (RFC 4954).
    Auth = "AUTH";
    /// TLS on every further hop (RFC 8689).
    RequireTls = "REQUIRETLS";
    /// Numbers that a session may not exceed (RFC 9422).
    Limits = "LIMITS";
    /// Delivery within a time (RFC 2852).
    DeliverBy = "DELIVERBY";
    /// Priorities (RFC 6710).
    MtPriority = "MT-PRIORITY";
    /// Release at a later time (RFC 4865).
    FutureRelease = "FUTURERELEASE";
    /// Refusal when the mailbox has another owner by now (RFC 7293).
    Rrvs = "RRVS";
    /// Classes of solicitation that are not wanted (RFC 3865).
    NoSoliciting = "NO-SOLICITING";
    /// Permission to convert content (RFC 4141).
    ConPerm = "CONPERM";
    /// Capabilities of recipients (RFC 4141).
    ConNeg = "CONNEG";
    /// Message tracking (RFC 3885).
    Mtrk = "MTRK";
    /// Start of a remote queue (RFC 1985).
    Etrn = "ETRN";
    /// On-demand mail relay (RFC 2645).
    Atrn = "ATRN";
    /// Content from a URL (RFC 4468).
    Burl = "BURL";
    /// Restart of transactions (RFC 1845).
    Checkpoint = "CHECKPOINT";
    /// Verification of an address (RFC 5321 section 3.5).
    Vrfy = "VRFY";
    /// Expansion of a mailing list (RFC 5321 section 3.5).
    Expn = "EXPN";
    /// Help (RFC 5321 section 4.1.1.8).
    Help = "HELP";
    /// The client speaks for another (Postfix).
    Xclient = "XCLIENT";
    /// What the client knows of its own client, for the log (Postfix).
    Xforward = "XFORWARD";
}

impl Extension {
    /// The extension with this keyword, in any case.
    #[must_use]
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|extension| extension.keyword().eq_ignore_ascii_case(keyword))
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

/// What EHLO announces: the same type on both sides.
///
/// ```
/// use esmtp::syntax::{Extension, Extensions, Reply};
///
/// let (reply, _) = Reply::parse(b"250-mx.example hello\r\n250-SIZE 1000\r\n250 PIPELINING\r\n")?.unwrap();
/// let extensions = Extensions::parse(&reply);
/// assert!(extensions.contains(Extension::Pipelining) && !extensions.contains(Extension::Dsn));
/// assert_eq!(extensions.size(), Some(1000));
/// assert_eq!(extensions, Extensions::NONE.with(Extension::Pipelining).with_size(1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    set: u64,
    size: Option<u64>,
    /// Lines of known extensions that have arguments, SIZE aside, each with `\n` behind it.
    arguments: String,
    /// Lines with other keywords, each with `\n` behind it.
    others: String,
}

impl Extensions {
    /// No extension at all: what HELO leaves.
    pub const NONE: Self =
        Self { set: 0, size: None, arguments: String::new(), others: String::new() };

    /// Whether the extension is announced.
    #[must_use]
    pub const fn contains(&self, extension: Extension) -> bool {
        self.set & extension.bit() != 0
    }

    /// Whether nothing is announced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set == 0 && self.others.is_empty()
    }

    /// With this extension too; arguments that it has already stay.
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        self.set |= extension.bit();
        self
    }

    /// Without this extension.
    #[must_use]
    pub fn without(mut self, extension: Extension) -> Self {
        self.set &= !extension.bit();
        self.set_arguments(extension, "");
        if extension == Extension::Size {
            self.size = None;
        }
        self
    }

    /// With SIZE and a limit in octets; 0 is no limit.
    #[must_use]
    pub fn with_size(mut self, octets: u64) -> Self {
        self.size = Some(octets).filter(|octets| *octets > 0);
        self.with(Extension::Size)
    }

    /// Largest message in octets (RFC 1870 section 3); `None`: no stated limit (absent, no argument, or 0).
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The extensions announced.
    pub fn iter(&self) -> impl Iterator<Item = Extension> {
        let set = self.set;
        Extension::ALL.iter().copied().filter(move |extension| set & extension.bit() != 0)
    }

    /// The arguments of a known extension as they stand, SIZE aside.
    #[must_use]
    pub fn arguments(&self, extension: Extension) -> Option<&str> {
        self.arguments
            .lines()
            .find_map(|line| line.strip_prefix(extension.keyword())?.strip_prefix(' '))
    }

    fn set_arguments(&mut self, extension: Extension, arguments: &str) {
        if self.arguments(extension).is_some() {
            let keyword = extension.keyword();
            let others =
                self.arguments.lines().filter(|line| line.split(' ').next() != Some(keyword));
            self.arguments = others.flat_map(|line| [line, "\n"]).collect();
        }
        if !arguments.is_empty() {
            self.arguments.push_str(extension.keyword());
            self.arguments.push(' ');
            self.arguments.push_str(arguments);
            self.arguments.push('\n');
        }
    }

    /// Lines with keywords that are none of [`Extension::ALL`], as they stand.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.lines()
    }

    /// The list of an EHLO reply: all lines but the first.
    ///
    /// It never fails: unknown lines are kept as they are, lines that are no text are ignored, and so is an argument that is
    /// none while its keyword stands. Memory is bounded by the reply.
    #[must_use]
    pub fn parse(reply: &Reply<'_>) -> Self {
        let mut extensions = Self::NONE;
        for line in reply.lines().skip(1) {
            if let Ok(line) = core::str::from_utf8(line) {
                extensions.read(line);
            }
        }
        extensions
    }

    fn read(&mut self, line: &str) {
        let Ok(line) = EhloLine::tolerant(line) else { return };
        let Some(extension) = Extension::from_keyword(line.keyword) else {
            self.others.push_str(line.keyword);
            for argument in line.arguments() {
                self.others.push(' ');
                self.others.push_str(argument);
            }
            self.others.push('\n');
            return;
        };
        let is_first = !self.contains(extension);
        self.set |= extension.bit();
        if extension == Extension::Size {
            if is_first {
                let size = line.arguments().next().and_then(|size| grammar::number(size).ok());
                self.size =
                    size.filter(|(rest, size)| rest.is_empty() && *size > 0).map(|(_, size)| size);
            }
        } else if is_first && line.arguments().next().is_some() {
            self.arguments.push_str(extension.keyword());
            for argument in line.arguments() {
                self.arguments.push(' ');
                self.arguments.push_str(argument);
            }
            self.arguments.push('\n');
        }
    }

    /// The lines of the list, to be announced: keyword and arguments, known ones first, always in the same order.
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let known = self.iter().map(|extension| {
            let keyword = extension.keyword();
            match (extension, self.size, self.arguments(extension)) {
                (Extension::Size, Some(size), _) => Cow::Owned(format!("{keyword} {size}")),
                (_, _, Some(arguments)) => Cow::Owned(format!("{keyword} {arguments}")),
                _ => Cow::Borrowed(keyword),
            }
        });
        known.chain(self.others().map(Cow::Borrowed))
    }
}

/// The same list.
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

/// A line of an EHLO reply: a keyword and its arguments (RFC 5321 section 4.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EhloLine<'a> {
    keyword: &'a str,
    arguments: &'a str,
}

impl<'a> EhloLine<'a> {
    /// Reads a line.
    ///
    /// ```text
    /// ehlo-line    = ehlo-keyword *( SP ehlo-param )               RFC 5321 section 4.1.1.1
    /// ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
    /// ehlo-param   = 1*(%d33-126)
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`].
    pub fn parse(line: &'a str) -> Result<Self, SyntaxError> {
        let read = Self::tolerant(line)?;
        let strict =
            read.arguments.is_empty() || read.arguments.split(' ').all(|found| !found.is_empty());
        match strict
            && line.len()
                == read.keyword.len()
                    + read.arguments.len()
                    + usize::from(!read.arguments.is_empty())
            && !line.starts_with(&format!("{}=", read.keyword))
        {
            true => Ok(read),
            false => Err(SyntaxError::new(SyntaxErrorKind::Keyword, read.keyword.len())),
        }
    }

    /// The same with doubled and trailing spaces, and with the `AUTH=` of old servers.
    pub(crate) fn tolerant(line: &'a str) -> Result<Self, SyntaxError> {
        let octets = match line.as_bytes().first() {
            Some(first) if first.is_ascii_alphanumeric() => span(line, KEYWORD),
            _ => return Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0)),
        };
        let (keyword, rest) = cut(line, octets);
        let arguments = match rest.as_bytes().first() {
            None => rest,
            Some(b' ') => cut(rest, 1).1,
            Some(b'=') if keyword.eq_ignore_ascii_case("AUTH") => cut(rest, 1).1,
            Some(_) => return Err(SyntaxError::new(SyntaxErrorKind::Keyword, octets)),
        };
        match arguments.bytes().position(|octet| octet != b' ' && !grammar::is(octet, VISIBLE)) {
            Some(at) => {
                Err(SyntaxError::new(SyntaxErrorKind::Keyword, line.len() - arguments.len() + at))
            }
            None => Ok(Self { keyword, arguments }),
        }
    }

    /// The keyword, as it was written.
    #[must_use]
    pub fn keyword(&self) -> &'a str {
        self.keyword
    }

    /// The arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.arguments.split(' ').filter(|argument| !argument.is_empty())
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

    /// 1870-3-a 5321-4.1.1.1-f 5321-4.1.1.1-h
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
