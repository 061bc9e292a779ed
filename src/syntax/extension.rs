//! Service extensions, and the lines of an EHLO reply.

use core::fmt;

use super::grammar::{self, KEYWORD, VISIBLE, cut, span};
use super::lanes::NameEnd;
use super::name_table::NameTable;
use super::{SyntaxError, SyntaxErrorKind};

macro_rules! extensions {
    ($($(#[$doc:meta])* $name:ident = $keyword:literal;)*) => {
        /// A service extension, by its EHLO keyword (RFC 5321 section 2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Extension { $($(#[$doc])* $name,)* }

        impl Extension {
            /// Every one, in the order in which they are announced.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the EHLO keyword.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$name => $keyword,)* }
            }
        }

        static KEYWORDS: NameTable<Extension, { Extension::ALL.len() }> =
            NameTable::new([$(($keyword, Extension::$name)),*]);
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
    /// Limits of a session (RFC 9422).
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
    /// Attributes of the client that a proxy speaks for (Postfix).
    Xclient = "XCLIENT";
    /// Attributes of the client's own client, for the log (Postfix).
    Xforward = "XFORWARD";
    /// A reverse-path for each recipient (VERP; Postfix).
    Xverp = "XVERP";
    /// The mailbox that is responsible for sending the message (RFC 4405, experimental).
    Submitter = "SUBMITTER";
    /// Verbose replies after the command VERB (sendmail).
    Verb = "VERB";
    /// One transaction in a session after the command ONEX (sendmail).
    Onex = "ONEX";
}

impl Extension {
    /// Returns the extension with this keyword, in any case.
    #[must_use]
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::from_octets(keyword.as_bytes())
    }

    pub(super) fn from_octets(keyword: &[u8]) -> Option<Self> {
        KEYWORDS.find(keyword)
    }

    /// Returns the extension whose keyword stands from `start` on, in any case, and the place of its end: a space or a control
    /// character.
    #[inline]
    pub(super) fn at(octets: &[u8], start: usize) -> Option<(Self, usize)> {
        KEYWORDS.find_at(octets, start, NameEnd::Space).map(|(extension, end)| (*extension, end))
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self as u32
    }
}

/// The EHLO keyword.
impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.keyword())
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
        let rest = cut(line, read.keyword.len()).1;
        match rest.is_empty()
            || rest.starts_with(' ') && rest.split(' ').skip(1).all(|found| !found.is_empty())
        {
            true => Ok(read),
            false => Err(SyntaxError::new(SyntaxErrorKind::Keyword, read.keyword.len())),
        }
    }

    /// Reads a line with doubled and trailing spaces, and with the `AUTH=` of old servers.
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

    /// Returns the keyword, as it was written.
    #[must_use]
    pub fn keyword(&self) -> &'a str {
        self.keyword
    }

    /// Returns the arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.arguments.split(' ').filter(|argument| !argument.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_extension_is_found_by_its_keyword() {
        for extension in Extension::ALL {
            assert_eq!(Extension::from_keyword(extension.keyword()), Some(*extension));
            assert_eq!(
                Extension::from_keyword(&extension.keyword().to_lowercase()),
                Some(*extension)
            );
        }
        assert!(Extension::ALL.len() <= 64);
        for keyword in ["", "XYZZY", "SIZE ", "ENHANCEDSTATUSCODESX", "8BITMIM"] {
            assert_eq!(Extension::from_keyword(keyword), None);
        }
    }

    /// 5321-4.1.1.1-h 5321-4.1.1.1-i
    #[test]
    fn a_line_is_a_keyword_and_arguments() {
        let parse = |line| {
            EhloLine::parse(line).map(|line| (line.keyword(), line.arguments().collect::<Vec<_>>()))
        };
        assert_eq!(parse("8BITMIME"), Ok(("8BITMIME", Vec::new())));
        assert_eq!(parse("X-FOO a=b !~"), Ok(("X-FOO", ["a=b", "!~"].to_vec())));
        for line in [
            "",
            " SIZE",
            "-X",
            "SIZE ",
            "SIZE  1",
            "SIZE 1 ",
            "AUTH=PLAIN",
            "SIZE=5",
            "A\tB",
            "A \u{1}",
            "A ü",
            "Ü",
        ] {
            assert_eq!(
                parse(line).map_err(|error| error.kind()),
                Err(SyntaxErrorKind::Keyword),
                "{line:?}"
            );
        }
        let line = EhloLine::tolerant("AUTH=PLAIN  LOGIN ").unwrap();
        assert_eq!(line.keyword(), "AUTH");
        assert!(line.arguments().eq(["PLAIN", "LOGIN"]));
    }
}
