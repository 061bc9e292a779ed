//! Why octets are not what they should be, and the reply that they deserve.

use core::fmt;
use core::net::Ipv4Addr;

use super::{Code, Status, Verb};
use crate::mechanism::MechanismError;

/// The reason why a value or a line could not be parsed or made.
///
/// It holds the command (when a whole command was parsed), the parameter (when one is at fault) and the offset, and
/// gives the reply that RFC 5321 section 4.2 assigns to it. It never holds octets of the peer.
///
/// ```
/// use esmtp::syntax::{Code, Command, Lenience, Status, SyntaxErrorKind, Verb};
///
/// let error = Command::parse(b"RCPT TO:<bob@>", Lenience::default()).unwrap_err();
/// assert_eq!(error.kind(), SyntaxErrorKind::Host);
/// assert_eq!(error.to_string(), "RCPT: nothing after the @, at octet 13");
/// assert_eq!((error.verb(), error.offset()), (Some(Verb::Rcpt), 13));
/// assert_eq!((error.code(), error.status()), (Code::ARGUMENT_SYNTAX, Status::BAD_DESTINATION_SYNTAX));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyntaxError {
    kind: SyntaxErrorKind,
    verb: Option<Verb>,
    parameter: Option<&'static str>,
    offset: usize,
    fault: Option<AddressFault>,
}

/// The kind of a syntax error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// A CR, LF or NUL inside a line.
    LineBreak,
    /// Octets that are not UTF-8.
    NotUtf8,
    /// No verb where a command begins.
    Verb,
    /// An argument where none belongs.
    UnexpectedArgument,
    /// No argument where one belongs.
    MissingArgument,
    /// An argument that is not what the command takes.
    Argument,
    /// Neither a domain nor an address literal.
    Host,
    /// A domain of more than 255 octets, or a label of more than 63.
    DomainTooLong,
    /// A path without its brackets; text that is not a mailbox: without an `@`, with a second one, with a display name.
    Path,
    /// A path of more than 256 octets, where [`long_path`](super::Lenience::has_long_path) is off.
    PathTooLong,
    /// No local-part, or one that is neither a dot-string nor a quoted string.
    LocalPart,
    /// A local-part of more than 64 octets, where [`long_local_part`](super::Lenience::has_long_local_part) is off.
    LocalPartTooLong,
    /// An address outside ASCII where SMTPUTF8 was not asked for.
    NonAscii,
    /// Text that is not a list of parameters.
    Parameters,
    /// A parameter that no announced extension brings.
    UnknownParameter,
    /// A parameter of MAIL on RCPT, or the other way round.
    MisplacedParameter,
    /// A parameter given twice.
    DuplicateParameter,
    /// A parameter without the value that it needs.
    MissingValue,
    /// A parameter with a value that it does not take.
    UnexpectedValue,
    /// A value that is not what the parameter takes.
    ParameterValue,
    /// A value that needs an extension which was not announced.
    ValueNotOffered,
    /// Parameters that exclude each other.
    ConflictingParameters,
    /// An invalid number, or one out of its range.
    Number,
    /// Text with control characters.
    Text,
    /// An enhanced status code where none is allowed.
    Status,
    /// An invalid name of a SASL mechanism.
    Mechanism,
    /// Invalid base64.
    Base64,
    /// Invalid xtext.
    Xtext,
    /// An invalid EHLO keyword or argument.
    Keyword,
    /// An invalid date-time.
    DateTime,
    /// An invalid URI.
    Uri,
    /// An invalid attribute of XCLIENT or XFORWARD.
    Attribute,
}

impl SyntaxError {
    pub(crate) const fn new(kind: SyntaxErrorKind, offset: usize) -> Self {
        Self { kind, verb: None, parameter: None, offset, fault: None }
    }

    pub(crate) const fn with_fault(self, fault: Option<AddressFault>) -> Self {
        Self { fault, ..self }
    }

    pub(crate) const fn on(self, verb: Verb) -> Self {
        Self { verb: Some(verb), ..self }
    }

    pub(crate) const fn of_parameter(self, keyword: &'static str) -> Self {
        Self { parameter: Some(keyword), ..self }
    }

    pub(crate) const fn behind(self, octets: usize) -> Self {
        Self { offset: self.offset.saturating_add(octets), ..self }
    }

    /// Returns what is wrong.
    #[must_use]
    pub const fn kind(&self) -> SyntaxErrorKind {
        self.kind
    }

    /// Returns whether the name of a client holds a control character.
    pub(crate) const fn is_of_control(&self) -> bool {
        matches!(self.fault, Some(AddressFault::ControlInName))
    }

    /// Returns what is wrong in words for a user: `no @ in the address`, `a second @`. It holds nothing of the input.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.fault {
            Some(fault) => fault.describe(),
            None => self.kind.describe(),
        }
    }

    /// Writes the [reason](Self::reason), with the address as it has to be written.
    pub(crate) fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self.fault {
            Some(AddressFault::BareIpv4(address)) => write!(f, ": [{address}]"),
            _ => Ok(()),
        }
    }

    /// Returns the verb of the command, when a command was parsed.
    #[must_use]
    pub const fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// Returns the keyword of the parameter at fault, when it is a known one: `SIZE`.
    #[must_use]
    pub const fn parameter(&self) -> Option<&'static str> {
        self.parameter
    }

    /// Returns the offset of the error, in octets from the start of the input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the reply code that this deserves (RFC 5321 sections 4.2.2 to 4.2.4, RFC 6531 section 3.5).
    #[must_use]
    pub const fn code(&self) -> Code {
        use SyntaxErrorKind as Kind;
        match self.kind {
            // An unknown command is not recognised, whatever its argument is.
            _ if matches!(self.verb, Some(Verb::Other)) => Code::COMMAND_SYNTAX,
            Kind::LineBreak | Kind::NotUtf8 | Kind::Verb => Code::COMMAND_SYNTAX,
            // "Does not recognize or cannot implement": RFC 5321 section 4.1.1.11. In section 4.3.2,
            // 504 is not among the replies to MAIL.
            Kind::UnknownParameter | Kind::MisplacedParameter | Kind::ValueNotOffered => {
                Code::UNKNOWN_PARAMETER
            }
            // RFC 6531 section 3.5: "553 for RCPT, 550 for MAIL" and everything else.
            Kind::NonAscii => match self.verb {
                Some(Verb::Rcpt) => Code::MAILBOX_NAME_NOT_ALLOWED,
                _ => Code::MAILBOX_UNAVAILABLE,
            },
            _ => Code::ARGUMENT_SYNTAX,
        }
    }

    /// Returns the enhanced status that goes with [`code`](Self::code) (RFC 3463, RFC 2034 section 4).
    #[must_use]
    pub const fn status(&self) -> Status {
        use SyntaxErrorKind as Kind;
        match self.kind {
            _ if matches!(self.verb, Some(Verb::Other)) => Status::SYNTAX_ERROR,
            Kind::LineBreak | Kind::NotUtf8 | Kind::Verb | Kind::Base64 => Status::SYNTAX_ERROR,
            Kind::NonAscii => Status::NON_ASCII_ADDRESS,
            // RFC 6710 section 4.1 names 5.5.2, also for the parameter given twice.
            Kind::ParameterValue | Kind::DuplicateParameter if self.is_of_priority() => {
                Status::SYNTAX_ERROR
            }
            Kind::Path | Kind::PathTooLong | Kind::LocalPart | Kind::LocalPartTooLong => {
                self.path_status()
            }
            Kind::Host | Kind::DomainTooLong => match self.verb {
                Some(Verb::Mail | Verb::Rcpt) => self.path_status(),
                _ => Status::INVALID_ARGUMENTS,
            },
            _ => Status::INVALID_ARGUMENTS,
        }
    }

    const fn is_of_priority(&self) -> bool {
        match self.parameter {
            Some(keyword) => matches!(keyword.as_bytes(), b"MT-PRIORITY"),
            None => false,
        }
    }

    const fn path_status(&self) -> Status {
        match self.verb {
            Some(Verb::Mail) => Status::BAD_SENDER_SYNTAX,
            _ => Status::BAD_DESTINATION_SYNTAX,
        }
    }
}

/// The fault of an address or of the name of a client, finer than its [`SyntaxErrorKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AddressFault {
    NoAddress,
    NoAt,
    EmptyLocalPart,
    LocalPartDot,
    LocalPartCharacter,
    OpenQuote,
    AfterQuote,
    QuotedCharacter,
    DisplayName,
    SecondAt,
    NoDomain,
    DomainName,
    EmptyLabel,
    LabelHyphen,
    Underscore,
    TrailingDot,
    Literal,
    LiteralTag,
    /// An IPv4 address where a host is to be named; the message writes it with brackets.
    BareIpv4(Ipv4Addr),
    BareIpv6,
    Space,
    LineBreak,
    /// A port after a host.
    Port,
    NoHost,
    SpaceInHost,
    NonAsciiHost,
    SeveralAddresses,
    Brackets,
    NoBrackets,
    OpenBracket,
    TextAfterPath,
    NullPath,
    Route,
    ControlInName,
}

impl AddressFault {
    const fn describe(self) -> &'static str {
        match self {
            Self::NoAddress => "no address",
            Self::NoAt => "no @ in the address",
            Self::EmptyLocalPart => "nothing before the @",
            Self::LocalPartDot => {
                "a dot at the start or the end of the local-part, or two dots in a row"
            }
            Self::LocalPartCharacter => "a character that a local-part holds only in quotes",
            Self::OpenQuote => "a quoted local-part without its closing quote",
            Self::AfterQuote => "text after the closing quote of the local-part",
            Self::QuotedCharacter => "a character that no local-part holds",
            Self::DisplayName => "a display name is not part of an address",
            Self::SecondAt => "a second @",
            Self::NoDomain => "nothing after the @",
            Self::DomainName => "not a domain name",
            Self::EmptyLabel => "two dots in a row, or a dot at the start, in the domain name",
            Self::LabelHyphen => "a label of the domain name begins or ends with a hyphen",
            Self::Underscore => "an underscore in the domain name",
            Self::TrailingDot => "a dot after the domain name",
            Self::Literal => "not an address literal",
            Self::LiteralTag => "an IPv6 address literal without its tag: [IPv6:...]",
            Self::BareIpv4(_) => "an IPv4 address without its brackets",
            Self::BareIpv6 => "an IPv6 address without its brackets and its tag: [IPv6:...]",
            Self::Space => "a space in the address",
            Self::LineBreak => "a line break",
            Self::Port => "a port, which is not part of a host",
            Self::NoHost => "an empty name of a host",
            Self::SpaceInHost => "white space in the name of a host",
            Self::NonAsciiHost => {
                "the name of a host outside ASCII, which needs its A-labels (xn--...)"
            }
            Self::SeveralAddresses => "more than one address",
            Self::Brackets => "angle brackets where an address stands alone",
            Self::NoBrackets => "no angle brackets around the address",
            Self::OpenBracket => "no closing angle bracket after the address",
            Self::TextAfterPath => "text after the closing angle bracket",
            Self::NullPath => "the null path, which is no recipient",
            Self::Route => "not a source route",
            Self::ControlInName => "a control character in the name",
        }
    }
}

impl SyntaxErrorKind {
    const fn describe(self) -> &'static str {
        match self {
            Self::LineBreak => "a CR, LF or NUL inside a line",
            Self::NotUtf8 => "octets that are no UTF-8",
            Self::Verb => "no command verb",
            Self::UnexpectedArgument => "an argument where none belongs",
            Self::MissingArgument => "an argument is missing",
            Self::Argument => "an argument that the command does not take",
            Self::Host => "neither a domain nor an address literal",
            Self::DomainTooLong => "a domain of more than 255 octets or a label of more than 63",
            Self::Path => "not a path",
            Self::PathTooLong => "a path of more than 256 octets",
            Self::LocalPart => "not a local-part",
            Self::LocalPartTooLong => "a local-part of more than 64 octets",
            Self::NonAscii => "an address outside ASCII without SMTPUTF8",
            Self::Parameters => "not a list of parameters",
            Self::UnknownParameter => "a parameter that no announced extension brings",
            Self::MisplacedParameter => "a parameter that belongs to another command",
            Self::DuplicateParameter => "a parameter given twice",
            Self::MissingValue => "a parameter without its value",
            Self::UnexpectedValue => "a value for a parameter that takes none",
            Self::ParameterValue => "a value that the parameter does not take",
            Self::ValueNotOffered => "a value that needs an extension which was not announced",
            Self::ConflictingParameters => "parameters that exclude each other",
            Self::Number => "not a number, or out of its range",
            Self::Text => "text with control characters",
            Self::Status => "an enhanced status code where none can be",
            Self::Mechanism => "not the name of a SASL mechanism",
            Self::Base64 => "not base64",
            Self::Xtext => "not xtext",
            Self::Keyword => "not an EHLO keyword with arguments",
            Self::DateTime => "not a date-time",
            Self::Uri => "not an absolute URI",
            Self::Attribute => "not an attribute with its value",
        }
    }
}

/// `RCPT: a parameter given twice: NOTIFY, at octet 41`.
impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(verb) = self.verb {
            write!(f, "{}: ", verb.as_str())?;
        }
        self.write_reason(f)?;
        if let Some(parameter) = self.parameter {
            write!(f, ": {parameter}")?;
        }
        write!(f, ", at octet {}", self.offset)
    }
}

impl From<MechanismError> for SyntaxError {
    fn from(error: MechanismError) -> Self {
        let offset = match error {
            MechanismError::Empty | MechanismError::TooLong => 0,
            MechanismError::Octet { offset } => offset,
        };
        Self::new(SyntaxErrorKind::Mechanism, offset)
    }
}

/// For functions that take a value or its text: a value is no error.
impl From<core::convert::Infallible> for SyntaxError {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

impl core::error::Error for SyntaxError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_error_deserves_the_reply_of_its_kind_and_command() {
        use SyntaxErrorKind as Kind;
        for (kind, verb, code, status) in [
            (Kind::LineBreak, None, 500, (5, 2)),
            (Kind::Verb, None, 500, (5, 2)),
            (Kind::NotUtf8, Some(Verb::Mail), 500, (5, 2)),
            (Kind::UnexpectedArgument, Some(Verb::Data), 501, (5, 4)),
            (Kind::Host, Some(Verb::Ehlo), 501, (5, 4)),
            (Kind::Host, Some(Verb::Mail), 501, (1, 7)),
            (Kind::Path, Some(Verb::Mail), 501, (1, 7)),
            (Kind::LocalPartTooLong, Some(Verb::Rcpt), 501, (1, 3)),
            (Kind::NonAscii, Some(Verb::Mail), 550, (6, 7)),
            (Kind::NonAscii, Some(Verb::Rcpt), 553, (6, 7)),
            (Kind::UnknownParameter, Some(Verb::Mail), 555, (5, 4)),
            (Kind::ValueNotOffered, Some(Verb::Mail), 555, (5, 4)),
            (Kind::Base64, Some(Verb::Auth), 501, (5, 2)),
            (Kind::Text, Some(Verb::Other), 500, (5, 2)),
        ] {
            let mut error = SyntaxError::new(kind, 0);
            error.verb = verb;
            assert_eq!(error.code().get(), code, "{error}");
            assert_eq!((error.status().subject(), error.status().detail()), status, "{error}");
        }
    }

    #[test]
    fn a_message_names_command_parameter_and_offset() {
        let error = SyntaxError::new(SyntaxErrorKind::DuplicateParameter, 1)
            .of_parameter("NOTIFY")
            .behind(40)
            .on(Verb::Rcpt);
        assert_eq!(error.to_string(), "RCPT: a parameter given twice: NOTIFY, at octet 41");
    }
}
