//! Commands: a verb and its arguments.

use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write as _};

use nom::Parser as _;
use nom::combinator::opt;
use nom::sequence::preceded;

use super::argument::{is_string, is_string_or_mailbox};
use super::grammar::{
    self, Parsed as Found, Tolerance, VERB, WSP, cut, fail, is, span, whole, whole_address, word,
};
use super::path::{PlainPath, after_path, forward_path, reverse_path};
use super::window::{Window, is_plain_list};
use super::{
    Argument, Base64, Domain, DomainList, Extensions, ForwardPath, HelloName, Lenience,
    LineTooLong, Lookup, Mechanism, Node, Parameters, ReversePath, SyntaxError, SyntaxErrorKind,
    Text, UnknownVerb, Uri, Verb, XclientAttributes, XforwardAttributes, parameters,
};

/// One command line (RFC 5321 section 4.1).
///
/// Parsed, it borrows the line; encoded, it cannot hold a line break that the encoder did not put there. The domains of EHLO,
/// HELO, LHLO, ETRN and ATRN are ASCII, with A-labels, whatever the session has negotiated: a server reads no others there.
///
/// ```
/// use esmtp::syntax::{Command, Lenience, Verb};
///
/// let line = b"MAIL FROM:<ann@example.org> SIZE=1000";
/// let command = Command::parse(line, Lenience::default())?;
/// assert_eq!(command.verb(), Verb::Mail);
/// let Command::Mail { reverse_path, parameters } = &command else { unreachable!() };
/// assert_eq!(reverse_path.to_string(), "<ann@example.org>");
/// assert_eq!(parameters.get("size").and_then(|size| size.value()), Some("1000"));
///
/// let mut out = Vec::new();
/// command.encode(&mut out);
/// assert_eq!(out, b"MAIL FROM:<ann@example.org> SIZE=1000\r\n");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Opens a session with extensions (RFC 5321 section 4.1.1.1).
    Ehlo(HelloName<'a>),
    /// Opens a session without extensions (RFC 5321 section 4.1.1.1).
    Helo(HelloName<'a>),
    /// Opens an LMTP session (RFC 2033 section 4.1).
    Lhlo(HelloName<'a>),
    /// Begins a transaction (RFC 5321 section 4.1.1.2).
    Mail {
        /// The reverse-path: notifications go to it.
        reverse_path: ReversePath<'a>,
        /// As they stand; [`MailParameters`](super::MailParameters) reads them.
        parameters: Parameters<'a>,
    },
    /// Names a recipient (RFC 5321 section 4.1.1.3).
    Rcpt {
        /// The recipient.
        forward_path: ForwardPath<'a>,
        /// As they stand; [`RcptParameters`](super::RcptParameters) reads them.
        parameters: Parameters<'a>,
    },
    /// Content follows, up to a lone dot (RFC 5321 section 4.1.1.4).
    Data,
    /// A chunk of `octets` octets follows (RFC 3030 section 2).
    Bdat {
        /// Octets of the chunk, which follow the line.
        octets: u64,
        /// Whether they are the last of the content.
        last: bool,
    },
    /// Ends a transaction without content (RFC 5321 section 4.1.1.5).
    Rset,
    /// Does nothing; the argument is ignored (RFC 5321 section 4.1.1.9).
    Noop(Option<Argument<'a>>),
    /// Ends the session (RFC 5321 section 4.1.1.10).
    Quit,
    /// Asks for help (RFC 5321 section 4.1.1.8).
    Help(Option<Argument<'a>>),
    /// Asks whether a mailbox exists (RFC 5321 section 4.1.1.6).
    Vrfy(Lookup<'a>),
    /// Asks for the members of a mailing list (RFC 5321 section 4.1.1.7).
    Expn(Lookup<'a>),
    /// Asks for TLS on this connection (RFC 3207 section 4).
    StartTls,
    /// Begins an authentication (RFC 4954 section 4).
    Auth {
        /// The SASL mechanism.
        mechanism: Mechanism,
        /// The initial response; empty where `=` stands, which is not the same as absent.
        initial_response: Option<Base64<'a>>,
    },
    /// Asks the server to send the mail that it has for a node (RFC 1985 section 5).
    Etrn(Node<'a>),
    /// Asks for mail on this connection, with the roles reversed (RFC 2645 section 5.2).
    Atrn(Option<DomainList<'a>>),
    /// Content comes from a URL (RFC 4468 section 3).
    Burl {
        /// The address of the content.
        uri: Uri<'a>,
        /// Whether it is the last of the content.
        last: bool,
    },
    /// Sets the attributes of the client that a proxy speaks for (Postfix).
    Xclient(XclientAttributes<'a>),
    /// Passes on attributes of the client's own client (Postfix).
    Xforward(XforwardAttributes<'a>),
    /// SEND, SOML, SAML or TURN, with any argument (RFC 5321 appendix F).
    Obsolete(ObsoleteVerb),
    /// Any other verb, with its argument.
    Other {
        /// As it was written.
        verb: UnknownVerb<'a>,
        /// The text after the verb.
        argument: Option<Argument<'a>>,
    },
}

/// A verb that was removed from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObsoleteVerb {
    /// RFC 821 section 3.4.
    Send,
    /// RFC 821 section 3.4.
    Soml,
    /// RFC 821 section 3.4.
    Saml,
    /// RFC 821 section 3.8.
    Turn,
}

impl ObsoleteVerb {
    /// Returns the verb as a [`Verb`].
    #[must_use]
    pub const fn verb(self) -> Verb {
        match self {
            Self::Send => Verb::Send,
            Self::Soml => Verb::Soml,
            Self::Saml => Verb::Saml,
            Self::Turn => Verb::Turn,
        }
    }
}

/// A command, and the deviations that were tolerated for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    command: Command<'a>,
    used: Lenience,
}

impl<'a> Parsed<'a> {
    /// Returns the command.
    #[must_use]
    pub const fn command(&self) -> &Command<'a> {
        &self.command
    }

    /// Returns the switches that the command needed.
    #[must_use]
    pub const fn used(&self) -> Lenience {
        self.used
    }

    /// Converts into the command and the switches that it needed.
    #[must_use]
    pub fn into_parts(self) -> (Command<'a>, Lenience) {
        (self.command, self.used)
    }
}

impl<'a> Command<'a> {
    /// Reads a command. `line` is one line without its CRLF.
    ///
    /// # Errors
    ///
    /// A [`SyntaxError`] with the verb (if there is one), the offset, and the reply code that it deserves.
    pub fn parse(line: &'a [u8], lenience: Lenience) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        Self::read(line, &tolerance).map_err(|error| line_break_first(line, error))
    }

    /// Reads a command as [`parse`](Self::parse) does, and reports the switches of `lenience` that it needed.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn parse_with(line: &'a [u8], lenience: Lenience) -> Result<Parsed<'a>, SyntaxError> {
        let mut used = Lenience::STRICT;
        let command = Self::parse_noting(line, lenience, &mut used)?;
        Ok(Parsed { command, used })
    }

    /// Reads a command as [`parse_with`](Self::parse_with) does, and writes the switches that it needed to `used`.
    #[inline]
    pub(crate) fn parse_noting(
        line: &'a [u8],
        lenience: Lenience,
        used: &mut Lenience,
    ) -> Result<Self, SyntaxError> {
        let tolerance = Tolerance::new(lenience);
        let mut read = Self::read(line, &tolerance);
        // A command stays where it was read.
        if read.is_err() {
            read = read.map_err(|error| line_break_first(line, error));
        }
        *used = tolerance.used();
        read
    }

    /// Parses `command = verb [ SP argument ]`                        RFC 5321 sections 2.4, 4.1.1
    fn read(line: &'a [u8], tolerance: &Tolerance) -> Result<Self, SyntaxError> {
        if let Some(command) = plain(line) {
            return Ok(command);
        }
        if let Some(command) = bare(line) {
            return Ok(command);
        }
        if let Some(command) = plain_hello(line) {
            return Ok(command);
        }
        // The only check for UTF-8: everything after it works on a str.
        let text = match core::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => {
                let offset = error.valid_up_to();
                let refusal = SyntaxError::new(SyntaxErrorKind::NotUtf8, offset).on(Verb::of(line));
                return lossy_hello(line, tolerance).unwrap_or(Err(refusal));
            }
        };
        let text = trimmed(text, tolerance);
        if let Some((verb, argument)) = short_verb(text) {
            return Self::of(verb, "", Some(argument), tolerance)
                .map_err(|error| error.behind("MAIL ".len()).on(verb));
        }
        let (name, rest) = cut(text, span(text, VERB));
        let verb = Verb::from_word(name.as_bytes());
        let (argument, offset) = match rest.as_bytes() {
            _ if name.is_empty() => return Err(SyntaxError::new(SyntaxErrorKind::Verb, 0)),
            [] => (None, name.len()),
            [b' ', b' ', ..] if tolerance.of(Lenience::with_repeated_spaces) => {
                let argument = rest.trim_start_matches(' ');
                (Some(argument), text.len() - argument.len())
            }
            [b' ', ..] => (rest.get(1..), name.len() + 1),
            _ => return Err(SyntaxError::new(SyntaxErrorKind::Verb, name.len())),
        };
        Self::of(verb, name, argument, tolerance).map_err(|error| error.behind(offset).on(verb))
    }

    #[inline]
    fn of(
        verb: Verb,
        name: &'a str,
        argument: Option<&'a str>,
        tolerance: &Tolerance,
    ) -> Result<Self, SyntaxError> {
        match verb {
            Verb::Mail => mail(needed(argument)?, tolerance),
            Verb::Rcpt => rcpt(needed(argument)?, tolerance),
            Verb::Ehlo => Ok(Self::Ehlo(HelloName::parse(needed(argument)?, false, tolerance)?)),
            Verb::Helo => Ok(Self::Helo(HelloName::parse(needed(argument)?, true, tolerance)?)),
            Verb::Lhlo => Ok(Self::Lhlo(HelloName::parse(needed(argument)?, false, tolerance)?)),
            Verb::Data => alone(argument, Self::Data),
            Verb::Rset => alone(argument, Self::Rset),
            Verb::Quit => alone(argument, Self::Quit),
            Verb::StartTls => alone(argument, Self::StartTls),
            Verb::Bdat => bdat(needed(argument)?, tolerance),
            Verb::Noop => Ok(Self::Noop(string(argument, tolerance)?)),
            Verb::Help => Ok(Self::Help(string(argument, tolerance)?)),
            Verb::Vrfy => Ok(Self::Vrfy(lookup(needed(argument)?, tolerance)?)),
            Verb::Expn => Ok(Self::Expn(lookup(needed(argument)?, tolerance)?)),
            Verb::Send => obsolete(ObsoleteVerb::Send, argument),
            Verb::Soml => obsolete(ObsoleteVerb::Soml, argument),
            Verb::Saml => obsolete(ObsoleteVerb::Saml, argument),
            Verb::Turn => obsolete(ObsoleteVerb::Turn, argument),
            Verb::Other => {
                let argument = argument.filter(|text| !text.is_empty());
                Ok(Self::Other {
                    verb: UnknownVerb::from_valid(name),
                    argument: argument.map(Argument::new).transpose()?,
                })
            }
            Verb::Auth => auth(needed(argument)?, tolerance),
            Verb::Etrn => Ok(Self::Etrn(Node::parse(needed(argument)?, tolerance)?)),
            Verb::Atrn => Ok(Self::Atrn(argument.map(DomainList::parse).transpose()?)),
            Verb::Burl => burl(needed(argument)?, tolerance),
            Verb::Xclient => Ok(Self::Xclient(XclientAttributes::parse(needed(argument)?)?)),
            Verb::Xforward => Ok(Self::Xforward(XforwardAttributes::parse(needed(argument)?)?)),
        }
    }

    /// Returns the verb.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Helo(_) => Verb::Helo,
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail { .. } => Verb::Mail,
            Self::Rcpt { .. } => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop(_) => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Help(_) => Verb::Help,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::StartTls => Verb::StartTls,
            Self::Auth { .. } => Verb::Auth,
            Self::Etrn(_) => Verb::Etrn,
            Self::Atrn(_) => Verb::Atrn,
            Self::Burl { .. } => Verb::Burl,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
            Self::Obsolete(verb) => verb.verb(),
            Self::Other { .. } => Verb::Other,
        }
    }

    /// Appends the line with its CRLF.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // Writing into a Vec does not fail. The commands of every transaction need no formatting.
        let out = &mut Octets(out);
        let _ = match self {
            Self::Mail { reverse_path, parameters } => out
                .write_str("MAIL FROM:")
                .and_then(|()| reverse_path.write_to(out))
                .and_then(|()| written(out, parameters)),
            Self::Rcpt { forward_path, parameters } => out
                .write_str("RCPT TO:")
                .and_then(|()| forward_path.write_to(out))
                .and_then(|()| written(out, parameters)),
            Self::Data | Self::Rset | Self::Quit => out.write_str(self.verb().as_str()),
            other => write!(out, "{other}"),
        };
        let _ = out.write_str("\r\n");
    }

    /// Appends the line with its CRLF, unless it is longer than the server has to accept.
    ///
    /// # Errors
    ///
    /// The line is longer than [`Extensions::line_limit`]; nothing is appended then.
    pub fn encode_within(
        &self,
        extensions: &Extensions,
        out: &mut Vec<u8>,
    ) -> Result<(), LineTooLong> {
        let start = out.len();
        self.encode(out);
        let (octets, limit) = (out.len() - start, extensions.line_limit(self.verb()));
        if octets > limit {
            out.truncate(start);
            return Err(LineTooLong::new(octets, limit));
        }
        Ok(())
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Self::Ehlo(name) => Command::Ehlo(name.into_owned()),
            Self::Helo(name) => Command::Helo(name.into_owned()),
            Self::Lhlo(name) => Command::Lhlo(name.into_owned()),
            Self::Mail { reverse_path, parameters } => Command::Mail {
                reverse_path: reverse_path.into_owned(),
                parameters: parameters.into_owned(),
            },
            Self::Rcpt { forward_path, parameters } => Command::Rcpt {
                forward_path: forward_path.into_owned(),
                parameters: parameters.into_owned(),
            },
            Self::Data => Command::Data,
            Self::Bdat { octets, last } => Command::Bdat { octets, last },
            Self::Rset => Command::Rset,
            Self::Noop(argument) => Command::Noop(argument.map(Argument::into_owned)),
            Self::Quit => Command::Quit,
            Self::Help(argument) => Command::Help(argument.map(Argument::into_owned)),
            Self::Vrfy(lookup) => Command::Vrfy(lookup.into_owned()),
            Self::Expn(lookup) => Command::Expn(lookup.into_owned()),
            Self::StartTls => Command::StartTls,
            Self::Auth { mechanism, initial_response } => Command::Auth {
                mechanism,
                initial_response: initial_response.map(Base64::into_owned),
            },
            Self::Etrn(node) => Command::Etrn(node.into_owned()),
            Self::Atrn(domains) => Command::Atrn(domains.map(DomainList::into_owned)),
            Self::Burl { uri, last } => Command::Burl { uri: uri.into_owned(), last },
            Self::Xclient(attributes) => Command::Xclient(attributes.into_owned()),
            Self::Xforward(attributes) => Command::Xforward(attributes.into_owned()),
            Self::Obsolete(verb) => Command::Obsolete(verb),
            Self::Other { verb, argument } => Command::Other {
                verb: verb.into_owned(),
                argument: argument.map(Argument::into_owned),
            },
        }
    }
}

/// The line without its CRLF.
impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other { verb, .. } => f.write_str(verb.as_str())?,
            _ => f.write_str(self.verb().as_str())?,
        }
        match self {
            Self::Ehlo(name) | Self::Helo(name) | Self::Lhlo(name) => write!(f, " {name}"),
            Self::Mail { reverse_path, parameters } => {
                write!(f, " FROM:{reverse_path}")?;
                written(f, parameters)
            }
            Self::Rcpt { forward_path, parameters } => {
                write!(f, " TO:{forward_path}")?;
                written(f, parameters)
            }
            Self::Bdat { octets, last } => {
                write!(f, " {octets}{}", if *last { " LAST" } else { "" })
            }
            Self::Vrfy(lookup) | Self::Expn(lookup) => write!(f, " {lookup}"),
            Self::Noop(argument) | Self::Help(argument) | Self::Other { argument, .. } => {
                match argument {
                    Some(argument) => write!(f, " {argument}"),
                    None => Ok(()),
                }
            }
            Self::Auth { mechanism, initial_response } => match initial_response {
                None => write!(f, " {mechanism}"),
                Some(response) if response.is_empty() => write!(f, " {mechanism} ="),
                Some(response) => write!(f, " {mechanism} {}", response.as_str()),
            },
            Self::Etrn(node) => write!(f, " {node}"),
            Self::Atrn(None) => Ok(()),
            Self::Atrn(Some(domains)) => write!(f, " {domains}"),
            Self::Burl { uri, last } => write!(f, " {uri}{}", if *last { " LAST" } else { "" }),
            Self::Xclient(attributes) => write!(f, " {attributes}"),
            Self::Xforward(attributes) => write!(f, " {attributes}"),
            Self::Data | Self::Rset | Self::Quit | Self::StartTls | Self::Obsolete(_) => Ok(()),
        }
    }
}

fn written(out: &mut impl fmt::Write, parameters: &Parameters<'_>) -> fmt::Result {
    if parameters.is_empty() {
        return Ok(());
    }
    out.write_str(" ")?;
    out.write_str(parameters.as_str())
}

/// A `Vec` that can be formatted into.
struct Octets<'a>(&'a mut Vec<u8>);

impl fmt::Write for Octets<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Replaces the error of a line that holds a bare CR or LF with that of the line break (RFC 5321 section 2.3.8).
#[cold]
fn line_break_first(line: &[u8], error: SyntaxError) -> SyntaxError {
    match memchr::memchr3(b'\r', b'\n', 0, line) {
        Some(offset) => SyntaxError::new(SyntaxErrorKind::LineBreak, offset).on(Verb::of(line)),
        None => error,
    }
}

/// Returns a known verb of four letters and its argument, after one space: the commonest form of a command that has one.
#[inline]
fn short_verb(text: &str) -> Option<(Verb, &str)> {
    match text.as_bytes() {
        [a, b, c, d, b' ', next, ..] if *next != b' ' => {
            let verb = Verb::from_word(&[*a, *b, *c, *d]);
            (verb != Verb::Other).then_some((verb, text.get("MAIL ".len()..)?))
        }
        _ => None,
    }
}

#[inline]
fn trimmed<'a>(text: &'a str, tolerance: &Tolerance) -> &'a str {
    match text.as_bytes().last() {
        Some(last) if is(*last, WSP) && tolerance.of(Lenience::with_trailing_white_space) => {
            text.trim_end_matches([' ', '\t'])
        }
        _ => text,
    }
}

fn needed(argument: Option<&str>) -> Result<&str, SyntaxError> {
    argument
        .filter(|text| !text.is_empty())
        .ok_or(SyntaxError::new(SyntaxErrorKind::MissingArgument, 0))
}

fn alone<'a>(argument: Option<&str>, command: Command<'a>) -> Result<Command<'a>, SyntaxError> {
    match argument {
        None => Ok(command),
        Some(_) => Err(SyntaxError::new(SyntaxErrorKind::UnexpectedArgument, 0)),
    }
}

/// Accepts any argument that is text.
fn obsolete<'a>(verb: ObsoleteVerb, argument: Option<&str>) -> Result<Command<'a>, SyntaxError> {
    argument.map(Text::new).transpose()?;
    Ok(Command::Obsolete(verb))
}

/// Reads a hello whose argument is not UTF-8, where any text is tolerated in place of a host: like the text in which each
/// sequence that is not UTF-8 is U+FFFD.
#[cold]
fn lossy_hello<'a>(line: &[u8], tolerance: &Tolerance) -> Option<Result<Command<'a>, SyntaxError>> {
    let verb = Verb::of(line);
    if !matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo)
        || !tolerance.of(Lenience::with_text_as_host)
    {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    let command = Command::read(text.as_bytes(), tolerance).map(Command::into_owned);
    // The offset is one in the line, not in its text.
    let control = line.iter().position(u8::is_ascii_control).unwrap_or("EHLO ".len());
    Some(command.map_err(|_| super::hello::control_at(control).on(verb)))
}

/// Parses `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`  RFC 5321 section 4.1.1.2
#[inline]
fn mail<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Command<'a>, SyntaxError> {
    whole_address(argument, after_path, |input| {
        let (rest, _) = word(b"from:", SyntaxErrorKind::Argument)(input)?;
        let (rest, reverse_path) = reverse_path(behind_colon(rest, tolerance), tolerance)?;
        let (rest, parameters) = parameters_after_path(rest, tolerance)?;
        Ok((rest, Command::Mail { reverse_path, parameters }))
    })
}

/// Parses `rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF`    RFC 5321 section 4.1.1.3
#[inline]
fn rcpt<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Command<'a>, SyntaxError> {
    whole_address(argument, after_path, |input| {
        let (rest, _) = word(b"to:", SyntaxErrorKind::Argument)(input)?;
        let (rest, forward_path) = forward_path(behind_colon(rest, tolerance), tolerance)?;
        let (rest, parameters) = parameters_after_path(rest, tolerance)?;
        Ok((rest, Command::Rcpt { forward_path, parameters }))
    })
}

/// Reads the commonest forms of MAIL and RCPT, to which nothing has to be tolerated: nearly all lines that have an address.
#[inline]
fn plain(line: &[u8]) -> Option<Command<'_>> {
    // The bit of a space makes letters small, and nothing else becomes a letter by it.
    let octets = u64::from_le_bytes(*line.first_chunk()?);
    let is_rcpt = octets | u64::from_le_bytes(*b"    \0  \0") == u64::from_le_bytes(*b"rcpt to:");
    let is_mail = octets | u64::from_le_bytes(*b"    \0   ") == u64::from_le_bytes(*b"mail fro");
    let start = match line.get("RCPT TO:".len()..)? {
        [b'<', ..] if is_rcpt => "RCPT TO:<".len(),
        [b'm' | b'M', b':', b'<', ..] if is_mail => "MAIL FROM:<".len(),
        _ => return None,
    };
    let (text, from);
    let (mailbox, rest) = match PlainPath::find(line, start) {
        Some(path) => {
            (text, from) = grammar::text_from(line, start)?;
            let (mailbox, rest) = path.mailbox(text, from)?;
            (Some(mailbox), rest)
        }
        None if is_mail && line.get(start) == Some(&b'>') => {
            (text, from) = grammar::text_from(line, start)?;
            (None, text.get(start - from..)?.strip_prefix('>')?)
        }
        None => return None,
    };
    let parameters = match rest {
        "" => Parameters::NONE,
        _ => {
            let list = rest.strip_prefix(' ').filter(|list| is_plain_list(list.as_bytes()))?;
            Parameters::from_valid(list)
        }
    };
    Some(match mailbox {
        None => Command::Mail { reverse_path: ReversePath::Null, parameters },
        Some(mailbox) if is_mail => {
            Command::Mail { reverse_path: ReversePath::Mailbox(mailbox), parameters }
        }
        Some(mailbox) => Command::Rcpt { forward_path: ForwardPath::Mailbox(mailbox), parameters },
    })
}

/// Reads a line of a verb alone, which takes no argument or needs none.
#[inline]
fn bare(line: &[u8]) -> Option<Command<'_>> {
    let verb = match line.len() {
        4 | 8 => Verb::from_word(line),
        _ => return None,
    };
    match verb {
        Verb::Data => Some(Command::Data),
        Verb::Rset => Some(Command::Rset),
        Verb::Quit => Some(Command::Quit),
        Verb::Noop => Some(Command::Noop(None)),
        Verb::StartTls => Some(Command::StartTls),
        _ => None,
    }
}

/// Reads the hello of a domain to which nothing has to be tolerated.
#[inline]
fn plain_hello(line: &[u8]) -> Option<Command<'_>> {
    let verb = Verb::from_word(line.first_chunk::<4>()?);
    let start = "EHLO ".len();
    if !matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo)
        || line.get(start - 1) != Some(&b' ')
        || Window::of(line, start).domain_end(start) != Some(line.len())
    {
        return None;
    }
    let (text, from) = grammar::text_from(line, start)?;
    let domain = Domain::from_valid(text.get(start - from..)?);
    let name = HelloName::of_domain(domain);
    Some(match verb {
        Verb::Ehlo => Command::Ehlo(name),
        Verb::Helo => Command::Helo(name),
        _ => Command::Lhlo(name),
    })
}

#[inline]
fn behind_colon<'a>(input: &'a str, tolerance: &Tolerance) -> &'a str {
    match input.starts_with(' ') && tolerance.of(Lenience::with_space_after_colon) {
        true => cut(input, 1).1,
        false => input,
    }
}

/// Parses `[ SP Mail-parameters ]`, to the end of the line.
#[inline]
fn parameters_after_path<'a>(input: &'a str, tolerance: &Tolerance) -> Found<'a, Parameters<'a>> {
    let Some(rest) = input.strip_prefix(' ') else { return Ok((input, Parameters::NONE)) };
    match rest.starts_with(' ') && tolerance.of(Lenience::with_repeated_spaces) {
        true => parameters::list(rest.trim_start_matches(' '), tolerance),
        false => parameters::list(rest, tolerance),
    }
}

/// Parses `bdat-cmd`.
///
/// ```text
/// bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CRLF      RFC 3030 section 2
/// chunk-size = 1*DIGIT
/// end-marker = "LAST"
/// ```
fn bdat<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Command<'a>, SyntaxError> {
    whole(argument, SyntaxErrorKind::Argument, |input| {
        let (rest, octets) = grammar::number(input)?;
        let (rest, last) = opt(preceded(
            |input| space(input, tolerance),
            word(b"last", SyntaxErrorKind::Argument),
        ))
        .parse(rest)?;
        Ok((rest, Command::Bdat { octets, last: last.is_some() }))
    })
}

/// Parses `auth-command`.
///
/// ```text
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response] CRLF      RFC 4954 section 8
/// initial-response = base64 / "="
/// ```
fn auth<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Command<'a>, SyntaxError> {
    let (name, rest) = grammar::first_word(argument);
    let mechanism = Mechanism::new(name)?;
    if rest.is_empty() {
        return Ok(Command::Auth { mechanism, initial_response: None });
    }
    let (response, ()) =
        space(rest, tolerance).map_err(|error| grammar::error_in(argument, error))?;
    let initial_response = match response {
        "=" => Base64::parse(""),
        "" => Err(SyntaxError::new(SyntaxErrorKind::Base64, 0)),
        _ => Base64::parse(response),
    };
    let offset = argument.len() - response.len();
    let initial_response = initial_response.map_err(|error| error.behind(offset))?;
    Ok(Command::Auth { mechanism, initial_response: Some(initial_response) })
}

/// Parses `burl-cmd = "BURL" SP absolute-URI [SP end-marker] CRLF`      RFC 4468 section 3
fn burl<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Command<'a>, SyntaxError> {
    let (uri, rest) = grammar::first_word(argument);
    let uri = Uri::new(uri)?;
    let last = match rest {
        "" => false,
        _ => {
            let (word, ()) =
                space(rest, tolerance).map_err(|error| grammar::error_in(argument, error))?;
            if !word.eq_ignore_ascii_case("LAST") {
                return Err(SyntaxError::new(
                    SyntaxErrorKind::Argument,
                    argument.len() - word.len(),
                ));
            }
            true
        }
    };
    Ok(Command::Burl { uri, last })
}

/// Parses SP, or several of them where that is tolerated.
fn space<'a>(input: &'a str, tolerance: &Tolerance) -> Found<'a, ()> {
    match input.as_bytes() {
        [b' ', b' ', ..] if tolerance.of(Lenience::with_repeated_spaces) => {
            Ok((input.trim_start_matches(' '), ()))
        }
        [b' ', ..] => Ok((cut(input, 1).1, ())),
        _ => fail(input, SyntaxErrorKind::Argument),
    }
}

/// Parses `noop`.
///
/// ```text
/// noop = "NOOP" [ SP String ] CRLF                             RFC 5321 section 4.1.1.9
/// help = "HELP" [ SP String ] CRLF                             RFC 5321 section 4.1.1.8
/// ```
fn string<'a>(
    argument: Option<&'a str>,
    tolerance: &Tolerance,
) -> Result<Option<Argument<'a>>, SyntaxError> {
    let Some(text) = argument else { return Ok(None) };
    let argument = Argument::new(text)?;
    match is_string(text) || tolerance.of(Lenience::with_free_text) {
        true => Ok(Some(argument)),
        false => Err(SyntaxError::new(SyntaxErrorKind::Argument, 0)),
    }
}

/// Parses `vrfy`.
///
/// ```text
/// vrfy = "VRFY" SP String CRLF                                 RFC 5321 section 4.1.1.6
/// expn = "EXPN" SP String CRLF                                 RFC 5321 section 4.1.1.7
/// ```
///
/// "A host SHOULD also accept" `local-part@domain` (RFC 5321 section 3.5.1); SMTPUTF8 may follow it (RFC 6531 section
/// 3.7.4.2).
fn lookup<'a>(argument: &'a str, tolerance: &Tolerance) -> Result<Lookup<'a>, SyntaxError> {
    let lookup = Lookup::parse(argument)?;
    match is_string_or_mailbox(lookup.as_str(), tolerance) || tolerance.of(Lenience::with_free_text)
    {
        true => Ok(lookup),
        false => Err(SyntaxError::new(SyntaxErrorKind::Argument, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Code;
    use alloc::string::ToString;

    /// Calls `look` with each text of up to `most` of these pieces.
    fn for_each_text(pieces: &[&str], most: usize, look: &mut impl FnMut(&str)) {
        fn extend(text: &mut String, pieces: &[&str], most: usize, look: &mut impl FnMut(&str)) {
            look(text);
            for piece in pieces.iter().filter(|_| most > 0) {
                let length = text.len();
                text.push_str(piece);
                extend(text, pieces, most - 1, look);
                text.truncate(length);
            }
        }
        extend(&mut String::new(), pieces, most, look);
    }

    /// Checks that a line is read as it is with white space after it, which the grammar alone reads.
    fn assert_read_as_by_the_grammar(line: &str) {
        let spaced = alloc::format!("{line} ");
        let read = Command::parse(line.as_bytes(), Lenience::default());
        let by_grammar = Command::parse(spaced.as_bytes(), Lenience::default());
        match by_grammar {
            Ok(command) => assert_eq!(read, Ok(command), "{line}"),
            Err(_) => assert!(read.is_err(), "{line}"),
        }
    }

    /// 5321-4.1.2-k
    #[test]
    fn the_common_paths_are_read_as_by_the_grammar() {
        let pieces = ["a", "7-8", "-", ".", ">", "_", "ü", "\u{85}", "@"];
        for_each_text(&pieces, 4, &mut |text| {
            assert_read_as_by_the_grammar(&alloc::format!("RCPT TO:<x@{text}>"));
            assert_read_as_by_the_grammar(&alloc::format!("RCPT TO:<x@sub-12.{text}"));
            assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<{text}@b>"));
        });
        for length in (1..20).chain(55..70) {
            for host in ["x".repeat(length), "x.".repeat(length / 2), "x".repeat(length) + ".y-"] {
                assert_read_as_by_the_grammar(&alloc::format!("RCPT TO:<a@{host}>"));
                assert_read_as_by_the_grammar(&alloc::format!("RCPT TO:<{host}@a>"));
                assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<a@z{host}z> SIZE=1"));
            }
        }
    }

    #[test]
    fn a_line_is_read_alike_wherever_it_stands_in_memory() {
        for line in [
            "RCPT TO:<first.middle.last@mx1.bulk.example.net>",
            "RCPT TO:<a@b>",
            "MAIL FROM:<> SIZE=1000 BODY=8BITMIME",
            "MAIL FROM:<a@b.example> X=\u{fc}",
            "EHLO mail.example.org",
        ] {
            for at in 0..16 {
                let memory = [&[b' '; 16][..at], line.as_bytes(), b"\xFF"].concat();
                let read = Command::parse(&memory[at..at + line.len()], Lenience::STRICT).unwrap();
                assert_eq!(read.to_string(), line);
                let error = Command::parse(&memory[at..], Lenience::STRICT).unwrap_err();
                assert_eq!((error.kind(), error.offset()), (SyntaxErrorKind::NotUtf8, line.len()));
            }
        }
    }

    #[test]
    fn the_common_parameters_are_read_as_by_the_grammar() {
        let pieces = ["A", "b=", "=", "-", " ", "~", "ü", "\u{7f}", "\t", "AUTH", "12345678"];
        for_each_text(&pieces, 4, &mut |text| {
            assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<> {text}"));
            assert_read_as_by_the_grammar(&alloc::format!("RCPT TO:<a@b> {text}"));
        });
        for length in 1..140 {
            let long = "y".repeat(length);
            for rest in
                ["", " B", " -B", "  B", " AUTH=<>", "=x", " =x", " B=", " \u{fc}", "\t", " B=x C"]
            {
                for list in [alloc::format!("X={long}{rest}"), alloc::format!("{long}{rest} D=1")] {
                    assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<> {list}"));
                    assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<> A1=2 {list}"));
                    assert_read_as_by_the_grammar(&alloc::format!("MAIL FROM:<> B={list} {list}"));
                }
            }
        }
    }

    #[test]
    fn verb_and_word_of_mail_and_rcpt_have_any_case_and_no_other_octet() {
        for line in [&b"RCPT TO:<a@b>"[..], b"MAIL FROM:<a@b>", b"MAIL FROM:<>", b"DATA", b"QUIT"] {
            let expected = Command::parse(line, Lenience::STRICT).unwrap();
            let words = line.iter().position(|octet| *octet == b':').unwrap_or(line.len());
            for at in 0..words {
                for octet in 0..=u8::MAX {
                    let mut other = line.to_vec();
                    other[at] = octet;
                    let found = Command::parse(&other, Lenience::STRICT).ok();
                    let is_equal = octet.eq_ignore_ascii_case(&line[at]);
                    assert_eq!(found.as_ref() == Some(&expected), is_equal, "{other:?}");
                }
            }
        }
    }

    fn strict(line: &str) -> Result<Command<'_>, SyntaxError> {
        Command::parse(line.as_bytes(), Lenience::STRICT)
    }

    fn encoded(command: &Command<'_>) -> String {
        let mut out = Vec::new();
        command.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// 3030-2-b 3207-4-a 4954-4-a 5321-2.4-a 5321-2.4-d 5321-3.3-e 5321-3.3-f 5321-3.6.3-a
    /// 5321-4.1.1-a 5321-4.1.1-c 5321-4.1.1.1-b 5321-4.1.1.1-c 5321-4.1.1.2-a 5321-4.1.1.3-c
    /// 5321-4.1.1.6-a 5321-4.1.1.7-a
    #[test]
    fn commands_are_read_and_written() {
        for (line, verb, wire) in [
            ("EHLO client.example", Verb::Ehlo, "EHLO client.example"),
            ("ehlo [192.0.2.1]", Verb::Ehlo, "EHLO [192.0.2.1]"),
            ("HELO client.example", Verb::Helo, "HELO client.example"),
            ("LHLO [IPv6:::1]", Verb::Lhlo, "LHLO [IPv6:::1]"),
            ("mail from:<a@b.example>", Verb::Mail, "MAIL FROM:<a@b.example>"),
            ("MaIl FrOm:<>", Verb::Mail, "MAIL FROM:<>"),
            ("MAIL FROM:<a@b> SIZE=1 SMTPUTF8", Verb::Mail, "MAIL FROM:<a@b> SIZE=1 SMTPUTF8"),
            (
                "MAIL FROM:<\"a> SIZE=1\"@b.example> SIZE=2",
                Verb::Mail,
                "MAIL FROM:<\"a> SIZE=1\"@b.example> SIZE=2",
            ),
            ("rcpt to:<POSTMASTER>", Verb::Rcpt, "RCPT TO:<Postmaster>"),
            ("RCPT TO:<@h:a@b> NOTIFY=NEVER", Verb::Rcpt, "RCPT TO:<a@b> NOTIFY=NEVER"),
            ("data", Verb::Data, "DATA"),
            ("BDAT 0 LAST", Verb::Bdat, "BDAT 0 LAST"),
            ("bdat 007 last", Verb::Bdat, "BDAT 7 LAST"),
            ("BDAT 18446744073709551615", Verb::Bdat, "BDAT 18446744073709551615"),
            ("RSET", Verb::Rset, "RSET"),
            ("NOOP", Verb::Noop, "NOOP"),
            ("NOOP \"a b\"", Verb::Noop, "NOOP \"a b\""),
            ("quit", Verb::Quit, "QUIT"),
            ("HELP", Verb::Help, "HELP"),
            ("HELP mail", Verb::Help, "HELP mail"),
            ("VRFY smith", Verb::Vrfy, "VRFY smith"),
            ("VRFY smith@b.example", Verb::Vrfy, "VRFY smith@b.example"),
            ("VRFY ü smtputf8", Verb::Vrfy, "VRFY ü SMTPUTF8"),
            ("EXPN list", Verb::Expn, "EXPN list"),
            ("starttls", Verb::StartTls, "STARTTLS"),
            ("AUTH PLAIN", Verb::Auth, "AUTH PLAIN"),
            ("auth plain dGVzdAB0ZXN0ADEyMzQ=", Verb::Auth, "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ="),
            ("AUTH EXTERNAL =", Verb::Auth, "AUTH EXTERNAL ="),
            ("ETRN @example.org", Verb::Etrn, "ETRN @example.org"),
            ("ETRN #q1", Verb::Etrn, "ETRN #q1"),
            ("atrn", Verb::Atrn, "ATRN"),
            ("ATRN a.example,b.example", Verb::Atrn, "ATRN a.example,b.example"),
            ("burl imap://u@h/x last", Verb::Burl, "BURL imap://u@h/x LAST"),
            (
                "XCLIENT NAME=a PORT=[UNAVAILABLE]",
                Verb::Xclient,
                "XCLIENT NAME=a PORT=[UNAVAILABLE]",
            ),
            ("xforward IDENT=3CF6", Verb::Xforward, "XFORWARD IDENT=3CF6"),
            ("SEND FROM:<a@b>", Verb::Send, "SEND"),
            ("turn", Verb::Turn, "TURN"),
            ("GET / HTTP/1.1", Verb::Other, "GET / HTTP/1.1"),
            ("X-Foo", Verb::Other, "X-Foo"),
        ] {
            let command = strict(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(command.verb(), verb);
            assert_eq!(Verb::of(line.as_bytes()), verb);
            assert_eq!(encoded(&command), [wire, "\r\n"].concat());
            assert_eq!(strict(wire).unwrap(), command);
            assert_eq!(command.clone().into_owned(), command);
        }
    }

    /// 3030-2-b 3207-4-a 4954-4-a 5321-2.3.8-a 5321-4.1.1-a 5321-4.1.1-e 5321-4.1.1.1-b 5321-4.1.1.2-a
    /// 5321-4.1.1.3-b 5321-4.1.1.6-a 5321-4.1.1.7-a 5321-4.1.2-e 6531-3.3-b
    #[test]
    fn what_is_wrong_gets_its_code_at_its_offset() {
        for (line, code, offset) in [
            ("", 500, 0),
            (" EHLO a", 500, 0),
            ("\u{3}", 500, 0),
            ("NO\0OP", 500, 2),
            ("\u{7}QUIT", 500, 0),
            ("MAILFROM:<a@b>", 500, 8),
            ("MAIL\tFROM:<a@b>", 500, 4),
            ("EHLO cli\rent", 500, 8),
            ("NOOP a\nb", 500, 6),
            ("EHLO", 501, 4),
            ("HELO ", 501, 5),
            ("EHLO my_host", 501, 7),
            ("EHLO a b", 501, 6),
            ("EHLO bücher.example", 501, 5),
            ("ETRN bücher.example", 501, 5),
            ("ATRN a,bücher.example", 501, 7),
            ("HELO [192.0.2.1]", 501, 5),
            ("EHLO a.example)\tby", 501, 14),
            ("MAIL", 501, 4),
            ("MAIL <a@b>", 501, 5),
            ("MAIL FROM:", 501, 10),
            ("MAIL FROM:a@b", 501, 10),
            ("MAIL FROM: <a@b>", 501, 10),
            ("MAIL FROM :<a@b>", 501, 5),
            ("MAIL  FROM:<a@b>", 501, 5),
            ("MAIL FROM:<a@b>SIZE=1", 501, 15),
            ("MAIL FROM:<a@b>  SIZE=1", 501, 16),
            ("MAIL FROM:<a@b> =1", 501, 16),
            ("MAIL FROM:<a@b> SIZE=1\tRCPT", 501, 22),
            ("MAIL FROM:<a\u{2}b@c>", 501, 12),
            ("RCPT TO:<>", 501, 9),
            ("RCPT FROM:<a@b>", 501, 5),
            ("RCPT TO:<webmaster>", 501, 18),
            ("RCPT TO:<a@b>,<c@d>", 501, 13),
            ("DATA now", 501, 5),
            ("RSET x", 501, 5),
            ("QUIT x", 501, 5),
            ("STARTTLS now", 501, 9),
            ("BDAT", 501, 4),
            ("BDAT +1", 501, 5),
            ("BDAT -1", 501, 5),
            ("BDAT 5 FIRST", 501, 6),
            ("BDAT 5LAST", 501, 6),
            ("BDAT 5 LAST x", 501, 11),
            ("BDAT 1,5", 501, 6),
            ("BDAT  5", 501, 5),
            ("BDAT 99999999999999999999999", 501, 5),
            ("AUTH", 501, 4),
            ("AUTH MECHANISM-NAME-OF-21X", 501, 5),
            ("AUTH PLAIN =AAA", 501, 11),
            ("AUTH PLAIN AAA=BBB=", 501, 14),
            ("AUTH PLAIN ==", 501, 11),
            ("AUTH PLAIN  AAAA", 501, 11),
            ("AUTH PLAIN AAAA AAAA", 501, 15),
            ("ETRN", 501, 4),
            ("ATRN a.example,", 501, 15),
            ("ATRN a.example b.example", 501, 14),
            ("BURL LAST", 501, 5),
            ("BURL a:b FIRST", 501, 9),
            ("XCLIENT", 501, 7),
            ("XFORWARD NAME=a LOGIN=b", 501, 16),
            ("VRFY", 501, 4),
            ("EXPN", 501, 4),
            ("NOOP a b", 501, 5),
            ("SEND a\nb", 500, 6),
            ("TURN \u{1}", 501, 5),
            ("XYZZY \u{1}", 500, 6),
        ] {
            let error = strict(line).unwrap_err();
            assert_eq!((error.code().get(), error.offset()), (code, offset), "{line:?}: {error}");
        }
        // Latin-1, overlong, truncated, a surrogate, beyond U+10FFFF.
        for octets in [
            &b"\xff"[..],
            b"\xc0\xaf",
            b"\xc0\x80",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xbf",
        ] {
            let line = [b"MAIL FROM:<", octets, b"@b>"].concat();
            let error = Command::parse(&line, Lenience::ALL).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (SyntaxErrorKind::NotUtf8, 11));
            assert_eq!((error.verb(), error.code()), (Some(Verb::Mail), Code::COMMAND_SYNTAX));
        }
    }

    /// 5321-4.1.1-e 5321-4.1.1.1-b
    #[test]
    fn deviations_are_tolerated_when_asked_for_and_reported() {
        let long_local_part = alloc::format!("RCPT TO:<{}@b.example>", "x".repeat(65));
        let long_path = alloc::format!("RCPT TO:<{}@{}>", "x".repeat(64), ["d"; 100].join("."));
        for (line, wire, used) in [
            ("DATA ", "DATA", "trailing_white_space"),
            ("MAIL FROM:<a@b>\t ", "MAIL FROM:<a@b>", "trailing_white_space"),
            ("MAIL  FROM:<a@b>", "MAIL FROM:<a@b>", "repeated_spaces"),
            ("MAIL FROM:<a@b>  SIZE=1", "MAIL FROM:<a@b> SIZE=1", "repeated_spaces"),
            ("BDAT  5", "BDAT 5", "repeated_spaces"),
            ("BDAT 5  LAST", "BDAT 5 LAST", "repeated_spaces"),
            ("MAIL FROM: <a@b>", "MAIL FROM:<a@b>", "space_after_colon"),
            ("RCPT TO: <a@b>", "RCPT TO:<a@b>", "space_after_colon"),
            ("RCPT TO:a@b X", "RCPT TO:<a@b> X", "missing_brackets"),
            ("EHLO my_host", "EHLO my_host", "underscore_in_host"),
            ("EHLO john's-mac", "EHLO john's-mac", "text_as_host"),
            ("EHLO MÜLLER-PC", "EHLO MÜLLER-PC", "text_as_host"),
            ("EHLO [2001:db8::19]", "EHLO [2001:db8::19]", "text_as_host"),
            (&long_local_part, &long_local_part, "long_local_part"),
            (&long_path, &long_path, "long_path"),
            ("RCPT TO:<a..b@c.example>", "RCPT TO:<a..b@c.example>", "dots_in_local_part"),
            ("MAIL FROM:<a@b_c.example>", "MAIL FROM:<a@b_c.example>", "underscore_in_domain"),
            ("RCPT TO:<a@[x400:b]>", "RCPT TO:<a@[x400:b]>", "general_literal"),
            ("VRFY a..b@c.example", "VRFY a..b@c.example", "dots_in_local_part"),
            ("EXPN a@b_c.example", "EXPN a@b_c.example", "underscore_in_domain"),
            ("RCPT TO:<a@b.example.>", "RCPT TO:<a@b.example>", "dot_after_domain"),
            ("HELO [192.0.2.1]", "HELO [192.0.2.1]", "literal_in_helo"),
            ("EHLO client.example extra", "EHLO client.example", "text_after_host"),
            ("NOOP a b", "NOOP a b", "free_text"),
            ("VRFY John Smith", "VRFY John Smith", "free_text"),
            ("MAIL FROM:<a@b> AUTH=<a=b@c>", "MAIL FROM:<a@b> AUTH=a+3Db@c", "raw_auth_value"),
        ] {
            assert!(strict(line).is_err(), "{line:?}");
            let parsed = Command::parse_with(line.as_bytes(), Lenience::ALL).unwrap();
            assert_eq!(parsed.command().to_string(), wire);
            assert_eq!(parsed.used().names().collect::<Vec<_>>(), [used], "{line:?}");
        }
        for line in ["MAIL FROM:<a@b>", "EHLO a", "NOOP", "VRFY a"] {
            let parsed = Command::parse_with(line.as_bytes(), Lenience::ALL).unwrap();
            assert!(!parsed.used().is_any());
        }
        for line in [
            " EHLO a",
            "  EHLO a",
            "EHLO    ",
            "MAIL FROM :<a@b>",
            "MAILFROM:<a@b>",
            "RCPT TO:<a@b>,<c@d>",
            "RCPT TO:<a@b> <c@d>",
            "EHLO a b\nc",
        ] {
            assert!(Command::parse(line.as_bytes(), Lenience::ALL).is_err(), "{line:?}");
        }
    }
}
