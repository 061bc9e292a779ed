//! What the octets mean: pure values, parsed and encoded, without state.
#![allow(
    missing_docs,
    unused,
    clippy::todo,
    clippy::must_use_candidate,
    clippy::missing_errors_doc
)] // STUB: the helper for syntax removes this
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

// ---------------------------------------------------------------- text.rs
/// Text that holds no CR, LF or NUL (UTF-8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text<'a>(Cow<'a, str>);
impl<'a> Text<'a> {
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        todo!()
    }
    /// A literal; does not compile into a constant when it holds CR, LF or NUL.
    pub const fn literal(text: &'static str) -> Text<'static> {
        Text(Cow::Borrowed(text))
    }
    /// Control characters become `?`.
    pub fn lossy(text: &'a str) -> Self {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        todo!()
    }
    pub fn into_owned(self) -> Text<'static> {
        todo!()
    }
}

// ---------------------------------------------------------------- code.rs
/// A reply code: 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Completion,
    Intermediate,
    Transient,
    Permanent,
}
impl Code {
    /// `None` outside 200 to 599. (Named constants too: Code::OK … see below.)
    pub const fn new(code: u16) -> Option<Self> {
        todo!()
    }
    pub const fn get(self) -> u16 {
        self.0
    }
    pub const fn class(self) -> Class {
        todo!()
    }
    pub const fn is_positive(self) -> bool {
        todo!()
    }
    pub const SERVICE_READY: Self = Self(220);
    pub const CLOSING: Self = Self(221);
    pub const OK: Self = Self(250);
    pub const WILL_FORWARD: Self = Self(251);
    pub const CANNOT_VERIFY: Self = Self(252);
    pub const START_MAIL_INPUT: Self = Self(354);
    pub const NOT_AVAILABLE: Self = Self(421);
    // and so on for every code of grammar.md, named by the registry's words
}

// ---------------------------------------------------------------- status.rs
/// Subject and detail of an enhanced status code (RFC 3463); the class is the reply code's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    subject: u16,
    detail: u16,
}
impl Status {
    /// `None` above 999.
    pub const fn new(subject: u16, detail: u16) -> Option<Self> {
        todo!()
    }
    pub const fn subject(self) -> u16 {
        self.subject
    }
    pub const fn detail(self) -> u16 {
        self.detail
    }
    pub const OTHER: Self = Self { subject: 0, detail: 0 };
    // issue 3: every code of the IANA registry as a named constant
}

// ---------------------------------------------------------------- reply.rs
/// A reply of a server: code, enhanced status, lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    code: Code,
    status: Option<Status>,
    text: Cow<'a, [u8]>,
}
impl<'a> Reply<'a> {
    /// `text` may hold `\n` between lines; no CR, no NUL, no other control but TAB.
    pub fn new(
        code: Code,
        status: Option<Status>,
        text: impl Into<Cow<'a, str>>,
    ) -> Result<Self, SyntaxError> {
        todo!()
    }
    /// The first whole reply in `input` and how many octets it took; `None` while it is unfinished. Never allocates.
    pub fn parse(input: &'a [u8]) -> Result<Option<(Self, usize)>, ReplyError> {
        todo!()
    }
    /// Appends the reply with its CRLFs; lines wrapped so that none exceeds 512 octets.
    pub fn encode(&self, out: &mut Vec<u8>) {
        todo!()
    }
    pub fn code(&self) -> Code {
        self.code
    }
    pub fn status(&self) -> Option<Status> {
        self.status
    }
    /// Text of each line, without code, separator and enhanced status; octets as received.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::empty()
    }
    /// Transient: may be retried.
    pub fn is_transient(&self) -> bool {
        todo!()
    }
    pub fn is_positive(&self) -> bool {
        todo!()
    }
    pub fn into_owned(self) -> Reply<'static> {
        todo!()
    }
}
/// `250 2.1.5 Ok`; octets outside printable ASCII (or valid printable UTF-8) escaped; lines joined by a space...
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    #[error("a reply line does not begin with a code from 200 to 599")]
    Code,
    #[error("the lines of a reply carry different codes")]
    MixedCodes,
    #[error("a reply line holds a CR, LF or NUL")]
    LineBreak,
}

// ---------------------------------------------------------------- rejection.rs
/// A reply known to be negative: 4yz or 5yz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Reply<'static>);
impl Rejection {
    pub const NO_SUCH_MAILBOX: Self = Self(Reply {
        code: Code(550),
        status: Some(Status { subject: 1, detail: 1 }),
        text: Cow::Borrowed(b"No such mailbox here"),
    });
    pub const LOCAL_ERROR: Self = Self(Reply {
        code: Code(451),
        status: Some(Status { subject: 3, detail: 0 }),
        text: Cow::Borrowed(b"Local error in processing"),
    });
    /// # Errors: the code is not negative.
    pub fn new(code: Code, status: Status, text: Text<'static>) -> Result<Self, InvalidRejection> {
        todo!()
    }
    /// 451: try again later.
    pub fn transient(status: Status, text: Text<'static>) -> Self {
        todo!()
    }
    /// 550: never mind.
    pub fn permanent(status: Status, text: Text<'static>) -> Self {
        todo!()
    }
    pub fn reply(&self) -> &Reply<'static> {
        &self.0
    }
    pub fn code(&self) -> Code {
        self.0.code
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rejection needs a reply code from 400 to 599")]
pub struct InvalidRejection(pub Code);

// ---------------------------------------------------------------- host.rs
#[derive(Clone, Debug, PartialEq, Eq, Hash)] // Eq of Domain: without case
pub struct Domain<'a>(Cow<'a, str>);
impl<'a> Domain<'a> {
    pub fn new(domain: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        todo!()
    }
    pub fn is_ascii(&self) -> bool {
        todo!()
    }
    pub fn into_owned(self) -> Domain<'static> {
        todo!()
    }
}
/// A domain or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host<'a> {
    Domain(Domain<'a>),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    General { tag: Cow<'a, str>, content: Cow<'a, str> },
} // General's fields private in the end
impl<'a> Host<'a> {
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        todo!()
    }
    pub fn is_ascii(&self) -> bool {
        todo!()
    }
    pub fn as_borrowed(&self) -> Host<'_> {
        todo!()
    }
    pub fn into_owned(self) -> Host<'static> {
        todo!()
    }
}
/// Wire form: `example.org`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

// ---------------------------------------------------------------- mailbox.rs
/// Keeps its wire form (quoted or not).
#[derive(Clone, Debug)]
pub struct LocalPart<'a>(Cow<'a, str>);
impl<'a> LocalPart<'a> {
    /// Wire form.
    pub fn as_str(&self) -> &str {
        todo!()
    }
    pub fn unquoted(&self) -> Cow<'_, str> {
        todo!()
    }
    /// Makes the shortest quoting of any text.
    pub fn from_unquoted(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        todo!()
    }
}
/// Eq and Hash by meaning: local-part unquoted and octet for octet, domain without case.
#[derive(Clone, Debug)]
pub struct Mailbox<'a> {
    local_part: LocalPart<'a>,
    host: Host<'a>,
}
impl<'a> Mailbox<'a> {
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        todo!()
    }
    pub fn new(local_part: LocalPart<'a>, host: Host<'a>) -> Self {
        Self { local_part, host }
    }
    pub fn local_part(&self) -> &LocalPart<'a> {
        &self.local_part
    }
    pub fn host(&self) -> &Host<'a> {
        &self.host
    }
    pub fn is_ascii(&self) -> bool {
        todo!()
    }
    pub fn as_borrowed(&self) -> Mailbox<'_> {
        todo!()
    }
    pub fn into_owned(self) -> Mailbox<'static> {
        todo!()
    }
}
impl PartialEq for Mailbox<'_> {
    fn eq(&self, other: &Self) -> bool {
        todo!()
    }
}
impl Eq for Mailbox<'_> {}
impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

// ---------------------------------------------------------------- path.rs
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversePath<'a> {
    Null,
    Mailbox(Mailbox<'a>),
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath<'a> {
    Postmaster,
    Mailbox(Mailbox<'a>),
}
impl<'a> ReversePath<'a> {
    /// With its brackets: `<ann@example.org>`, `<>`.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        todo!()
    }
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        todo!()
    }
    pub fn is_ascii(&self) -> bool {
        todo!()
    }
    pub fn as_borrowed(&self) -> ReversePath<'_> {
        todo!()
    }
    pub fn into_owned(self) -> ReversePath<'static> {
        todo!()
    }
}
impl<'a> ForwardPath<'a> {
    /// With its brackets: `<bob@example.net>`, `<Postmaster>`.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        todo!()
    }
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        todo!()
    }
    pub fn is_ascii(&self) -> bool {
        todo!()
    }
    pub fn as_borrowed(&self) -> ForwardPath<'_> {
        todo!()
    }
    pub fn into_owned(self) -> ForwardPath<'static> {
        todo!()
    }
}
/// Wire form with brackets.
impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

// ---------------------------------------------------------------- parameters.rs
/// Raw `keyword[=value]` list, valid in form, no duplicates rejected here; typed views on demand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a>(Cow<'a, str>);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}
impl<'a> Parameter<'a> {
    pub fn keyword(&self) -> &'a str {
        todo!()
    }
    pub fn value(&self) -> Option<&'a str> {
        todo!()
    }
}
impl<'a> Parameters<'a> {
    pub const NONE: Parameters<'static> = Parameters(Cow::Borrowed(""));
    /// `SIZE=10 BODY=8BITMIME`, without the leading space.
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        todo!()
    }
    /// Appends one.  # Errors: keyword or value not as in RFC 5321 4.1.2
    pub fn push(&mut self, keyword: &str, value: Option<&str>) -> Result<(), SyntaxError> {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'_>> {
        core::iter::empty()
    }
    pub fn as_borrowed(&self) -> Parameters<'_> {
        todo!()
    }
    pub fn into_owned(self) -> Parameters<'static> {
        todo!()
    }
}
impl fmt::Display for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

// ---------------------------------------------------------------- mail_parameters.rs, rcpt_parameters.rs
/// Typed view of MAIL's parameters; absent is `None`, never a zero. Issue 3: all extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailParameters<'a> {
    pub size: Option<u64>,
    pub body: Option<Body>,
    pub smtputf8: bool,
    pub marker: core::marker::PhantomData<&'a ()>,
}
impl<'a> MailParameters<'a> {
    /// Errors name the parameter and the offset: a duplicate, a missing or forbidden value, a range, a parameter that
    /// belongs to RCPT. A keyword that no extension in `offered` brings: `SyntaxErrorKind::UnknownParameter` (555).
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        todo!()
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Body {
    SevenBit,
    EightBitMime,
    BinaryMime,
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParameters<'a> {
    pub marker: core::marker::PhantomData<&'a ()>,
}
impl<'a> RcptParameters<'a> {
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        todo!()
    }
}

// ---------------------------------------------------------------- extension.rs
/// A service extension, by its EHLO keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    Size,
    Pipelining,
    EightBitMime,
    EnhancedStatusCodes,
    Chunking,
    BinaryMime,
    SmtpUtf8,
    Dsn,
    StartTls,
    Auth,
    RequireTls,
    Limits,
    DeliverBy,
    MtPriority,
    FutureRelease,
} // issue 3: all of them
impl Extension {
    pub const ALL: &'static [Self] = &[];
    pub const fn keyword(self) -> &'static str {
        todo!()
    }
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        todo!()
    }
}
/// What EHLO announces: the same type on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    set: u64,
    size: Option<u64>,
    unknown: Vec<String>,
}
impl Extensions {
    pub const NONE: Self = Self { set: 0, size: None, unknown: Vec::new() };
    pub fn contains(&self, extension: Extension) -> bool {
        todo!()
    }
    #[must_use]
    pub fn with(self, extension: Extension) -> Self {
        todo!()
    }
    #[must_use]
    pub fn without(self, extension: Extension) -> Self {
        todo!()
    }
    /// SIZE with a limit in octets.
    #[must_use]
    pub fn with_size(self, octets: u64) -> Self {
        todo!()
    }
    /// Largest message in octets (RFC 1870); `None`: no stated limit (absent, no argument, or 0).
    pub fn size(&self) -> Option<u64> {
        todo!()
    }
    /// The list of an EHLO reply: all lines but the first. Never fails: hostile lines are kept raw or ignored; memory bounded by the reply.
    pub fn parse(reply: &Reply<'_>) -> Self {
        todo!()
    }
    /// The lines of the list, to be announced: keyword and arguments.
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        core::iter::empty()
    }
}

// ---------------------------------------------------------------- command.rs
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Help,
    Vrfy,
    Expn,
    StartTls,
    Auth,
    Etrn,
    Atrn,
    Burl,
    Xclient,
    Xforward,
    Send,
    Soml,
    Saml,
    Turn,
    Other,
}
/// One command line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    Ehlo(Host<'a>),
    Helo(Host<'a>),
    Lhlo(Host<'a>),
    Mail {
        reverse_path: ReversePath<'a>,
        parameters: Parameters<'a>,
    },
    Rcpt {
        forward_path: ForwardPath<'a>,
        parameters: Parameters<'a>,
    },
    Data,
    Rset,
    Quit,
    StartTls,
    Bdat {
        octets: u64,
        last: bool,
    },
    Noop(Option<Text<'a>>),
    Help(Option<Text<'a>>),
    Vrfy(Text<'a>),
    Expn(Text<'a>), // issue 3: with the SMTPUTF8 flag
    /// SEND, SOML, SAML, TURN.
    Obsolete(Verb),
    // issue 3: Auth { mechanism, initial_response }, Etrn, Atrn, Burl, Xclient, Xforward
    Other {
        verb: Cow<'a, str>,
        argument: Option<Text<'a>>,
    }, // fields made valid by construction in the end
}
impl<'a> Command<'a> {
    /// `line` is one line without its CRLF.
    pub fn parse(line: &'a [u8], lenience: Lenience) -> Result<Self, SyntaxError> {
        todo!()
    }
    /// Appends the line with its CRLF.
    pub fn encode(&self, out: &mut Vec<u8>) {
        todo!()
    }
    pub fn verb(&self) -> Verb {
        todo!()
    }
    pub fn into_owned(self) -> Command<'static> {
        todo!()
    }
}
impl Verb {
    /// The verb of a line, whatever comes behind it (for a reply to a line that does not parse).
    pub fn of(line: &[u8]) -> Self {
        todo!()
    }
    pub const fn as_str(self) -> &'static str {
        todo!()
    }
}
/// Named switches, each with a documented default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lenience {
    /* space_after_colon, missing_brackets, trailing_white_space: bool … */
    pub trailing_white_space: bool,
}
impl Default for Lenience {
    fn default() -> Self {
        todo!()
    }
}

// ---------------------------------------------------------------- error (in syntax/error.rs)
/// Why octets are not what they should be. Carries verb, argument and offset, and the code it deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    kind: SyntaxErrorKind,
    verb: Option<Verb>,
    offset: usize,
}
impl SyntaxError {
    pub fn kind(&self) -> SyntaxErrorKind {
        self.kind
    }
    pub fn verb(&self) -> Option<Verb> {
        self.verb
    }
    /// Octets from the start of what was parsed.
    pub fn offset(&self) -> usize {
        self.offset
    }
    /// The reply code and the enhanced status that this deserves: 500, 501, 553, 555…
    pub fn code(&self) -> Code {
        todo!()
    }
    pub fn status(&self) -> Status {
        todo!()
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// A CR, LF or NUL in a line (500 5.5.2), or octets that are no UTF-8.
    LineBreak,
    NotUtf8,
    /// No verb at all (500 5.5.2).
    Verb,
    /// An argument where none belongs, or none where one belongs (501 5.5.4).
    UnexpectedArgument,
    MissingArgument,
    Host,
    Path,
    LocalPart,
    Parameters,
    UnknownParameter,
    DuplicateParameter,
    ParameterValue,
    Number,
    Text,
}
impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl core::error::Error for SyntaxError {}
