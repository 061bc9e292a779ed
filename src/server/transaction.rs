//! The transaction in progress: its envelope in one reused buffer.

use crate::{
    envelope::{Few, with_parameters},
    syntax::{
        Body, Extension, Extensions, ForwardPath, Lenience, MailParameters, Parameters, PathParts,
        RcptParameters, Ret, ReversePath,
    },
};
use alloc::{string::String, vec::Vec};
use core::{fmt, ops::Range};

/// The envelope of the transaction in progress, lent by the machine.
///
/// The texts of all paths and parameters stand in one buffer, which is reused from one
/// transaction to the next.
pub struct Transaction {
    text: String,
    progress: Progress,
    reverse_path: Option<Entry>,
    recipients: Entries,
    declared_size: Option<u64>,
    is_utf8: bool,
    body: Option<Body>,
}

/// The first allocation of the text.
const FIRST_TEXT: usize = 256;

/// The progress of the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No MAIL.
    #[default]
    Empty,
    /// MAIL was refused.
    Refused,
    /// The application is being asked about MAIL.
    Proposed,
    /// MAIL was accepted; every recipient in the list is accepted too.
    Open,
    /// MAIL was accepted, and the application is being asked about the last recipient.
    Addressing,
}

/// The position of one path and its parameters in the text.
#[derive(Clone, Debug)]
struct Entry {
    path: PathParts,
    /// The offset at which the text of both begins.
    start: usize,
    parameters: Range<usize>,
}

impl Entry {
    /// Returns the entry of a path whose text begins at `start` and ends with `text`.
    fn new(path: PathParts, start: usize, parameters: &Parameters<'_>, text: &mut String) -> Self {
        let end = text.len();
        text.push_str(parameters.as_str());
        Self { path, start, parameters: end..text.len() }
    }

    fn parameters<'t>(&self, text: &'t str) -> Parameters<'t> {
        Parameters::from_valid(text.get(self.parameters.clone()).unwrap_or_default())
    }
}

/// The positions of the recipients. Most messages have one, which takes no memory of its own.
#[derive(Clone, Debug)]
enum Entries {
    One(Option<Entry>),
    /// It stays so, for the memory serves the next transaction.
    Many(Vec<Entry>),
}

impl Entries {
    const fn as_slice(&self) -> &[Entry] {
        match self {
            Self::One(entry) => entry.as_slice(),
            Self::Many(entries) => entries.as_slice(),
        }
    }

    fn push(&mut self, entry: Entry) {
        match self {
            Self::One(one @ None) => *one = Some(entry),
            Self::One(one) => *self = Self::Many(one.take().into_iter().chain([entry]).collect()),
            Self::Many(entries) => entries.push(entry),
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        match self {
            Self::One(one) => one.take(),
            Self::Many(entries) => entries.pop(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::One(one) => *one = None,
            Self::Many(entries) => entries.clear(),
        }
    }
}

impl Transaction {
    pub(super) const fn new() -> Self {
        Self {
            text: String::new(),
            progress: Progress::Empty,
            reverse_path: None,
            recipients: Entries::One(None),
            declared_size: None,
            is_utf8: false,
            body: None,
        }
    }

    /// Returns the reverse-path, where undeliverable messages go; the null path before MAIL.
    #[must_use]
    pub fn reverse_path(&self) -> ReversePath<'_> {
        match &self.reverse_path {
            Some(entry) => entry.path.lend_reverse(&self.text),
            None => ReversePath::Null,
        }
    }

    /// Returns the parameters of MAIL as received.
    #[must_use]
    pub fn mail_parameters(&self) -> Parameters<'_> {
        match &self.reverse_path {
            Some(entry) => entry.parameters(&self.text),
            None => Parameters::NONE,
        }
    }

    /// Returns the parsed parameters of MAIL. With REQUIRETLS no notification returns a whole message
    /// (RFC 8689 section 5).
    #[must_use]
    pub fn typed_parameters(&self) -> MailParameters<'static> {
        // They were parsed before they were kept.
        let parameters = self.mail_parameters();
        let mut typed =
            MailParameters::read(&parameters, &every_extension(), Lenience::ADDRESSES, |_| true)
                .unwrap_or_default();
        if typed.is_tls_required() && typed.ret().is_some() {
            typed = typed.with_ret(Ret::Headers);
        }
        typed.into_owned()
    }

    /// Returns the recipients so far, in the order of RCPT, duplicates included. While the application
    /// is asked about a recipient, that one is the last.
    #[must_use]
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = Recipient<'_>> {
        let recipients = self.recipients.as_slice().iter();
        recipients.map(|entry| Recipient { text: &self.text, entry })
    }

    /// Returns the size that MAIL declared, in octets (RFC 1870 section 3).
    #[must_use]
    pub const fn declared_size(&self) -> Option<u64> {
        self.declared_size
    }

    /// Returns whether MAIL had SMTPUTF8 (RFC 6531 section 3.4).
    #[must_use]
    pub const fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// Returns the type of content that MAIL declared (RFC 6152, RFC 3030 section 3).
    #[must_use]
    pub const fn body(&self) -> Option<Body> {
        self.body
    }

    /// Returns whether the content is binary, so that it comes in chunks only.
    pub(super) const fn is_binary(&self) -> bool {
        matches!(self.body, Some(Body::BinaryMime))
    }

    /// Returns whether MAIL was accepted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Open | Progress::Addressing)
    }

    /// Returns whether MAIL was refused, and no other has come since.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.progress, Progress::Refused)
    }

    /// Returns the last recipient and its index.
    pub(super) fn last(&self) -> Option<(usize, Recipient<'_>)> {
        let (entry, before) = self.recipients.as_slice().split_last()?;
        Some((before.len(), Recipient { text: &self.text, entry }))
    }

    /// Returns the octets of memory that the envelope takes.
    pub(super) const fn octets(&self) -> usize {
        let entries = self.recipients.as_slice().len().saturating_mul(size_of::<Entry>());
        self.text.len().saturating_add(entries)
    }

    /// Returns the number of recipients that were accepted.
    pub(super) const fn accepted(&self) -> usize {
        match self.progress {
            Progress::Empty | Progress::Refused | Progress::Proposed => 0,
            Progress::Open => self.recipients.as_slice().len(),
            Progress::Addressing => self.recipients.as_slice().len().saturating_sub(1),
        }
    }

    /// Begins a transaction: MAIL is valid, and the application is about to be asked.
    pub(super) fn propose(
        &mut self,
        path: &ReversePath<'_>,
        raw: &Parameters<'_>,
        typed: &MailParameters<'_>,
    ) {
        self.clear();
        // The paths of a usual message.
        self.text.reserve(FIRST_TEXT);
        let parts = PathParts::of_reverse(path, &mut self.text);
        self.reverse_path = Some(Entry::new(parts, 0, raw, &mut self.text));
        self.declared_size = typed.size();
        self.is_utf8 = typed.is_smtputf8();
        self.body = typed.body();
        self.progress = Progress::Proposed;
    }

    /// Adds a recipient: RCPT is valid, and the application is about to be asked.
    pub(super) fn address(&mut self, path: &ForwardPath<'_>, raw: &Parameters<'_>) {
        let start = self.text.len();
        let parts = PathParts::of_forward(path, &mut self.text);
        self.recipients.push(Entry::new(parts, start, raw, &mut self.text));
        self.progress = Progress::Addressing;
    }

    /// Notes that the application accepted MAIL or the last recipient.
    pub(super) const fn accept(&mut self) {
        self.progress = Progress::Open;
    }

    /// Removes the last recipient: it was rejected, or the application is not asked about it any more.
    pub(super) fn withdraw(&mut self) {
        if self.progress == Progress::Addressing {
            if let Some(entry) = self.recipients.pop() {
                self.text.truncate(entry.start);
            }
            self.progress = Progress::Open;
        }
    }

    /// Notes a MAIL that was not accepted, unless it came in the middle of another transaction.
    pub(super) fn fail(&mut self) {
        if !self.is_open() {
            self.clear();
            self.progress = Progress::Refused;
        }
    }

    /// Forgets the transaction.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.recipients.clear();
        self.reverse_path = None;
        self.declared_size = None;
        self.is_utf8 = false;
        self.body = None;
        self.progress = Progress::Empty;
    }
}

/// One recipient of the transaction in progress.
#[derive(Clone, Copy)]
pub struct Recipient<'t> {
    text: &'t str,
    entry: &'t Entry,
}

impl<'t> Recipient<'t> {
    /// Returns the forward-path, where the message is to go.
    #[must_use]
    pub fn forward_path(&self) -> ForwardPath<'t> {
        self.entry.path.lend_forward(self.text)
    }

    /// Returns the parameters of RCPT as received.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'t> {
        self.entry.parameters(self.text)
    }

    /// Returns the parsed parameters of RCPT.
    #[must_use]
    pub fn typed_parameters(&self) -> RcptParameters<'static> {
        // They were parsed before they were kept.
        let parameters = self.parameters();
        let typed = RcptParameters::parse_known(&parameters, &every_extension(), |_| true);
        typed.unwrap_or_default().into_owned()
    }
}

/// Text, and a few of the recipients, however many there are.
impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recipients = self.recipients.as_slice().iter();
        let recipients = recipients.map(|entry| Recipient { text: &self.text, entry });
        f.debug_struct("Transaction")
            .field("progress", &self.progress)
            .field("reverse_path", &with_parameters(&self.reverse_path(), &self.mail_parameters()))
            .field("recipients", &Few(recipients))
            .finish_non_exhaustive()
    }
}

/// The forward-path and its parameters as text.
impl fmt::Debug for Recipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&with_parameters(&self.forward_path(), &self.parameters()), f)
    }
}

/// Returns all extensions, for parameters of which it does not matter whether they are announced.
pub(super) fn every_extension() -> Extensions {
    Extension::ALL.iter().copied().fold(Extensions::NONE, Extensions::with)
}
