//! The keywords of the parameters of MAIL and RCPT, and the reading of either list.

use super::lanes::NameEnd;
use super::name_table::NameTable;
use super::parameters::Place;
use super::{Extension, Extensions, Parameters, SyntaxError, SyntaxErrorKind, Verb};

/// The parameters of one command.
pub(super) struct Command<K: 'static, const N: usize> {
    verb: Verb,
    names: NameTable<Keyword<K>, N>,
    /// Returns the keyword of a parameter if an announced extension defines it for the other command.
    elsewhere: fn(&[u8], usize, &Extensions) -> Option<&'static str>,
}

/// A meaning, the keyword, and the extensions that define it.
type Row<K> = (K, &'static str, &'static [Extension]);

/// A keyword and its meaning for one command.
#[derive(Clone, Copy)]
struct Keyword<K> {
    meaning: K,
    name: &'static str,
    /// The bits of the extensions that define it.
    extensions: u64,
}

/// A parameter of MAIL.
#[derive(Clone, Copy)]
pub(super) enum MailKeyword {
    Size,
    Body,
    SmtpUtf8,
    Ret,
    EnvelopeId,
    Auth,
    RequireTls,
    By,
    HoldFor,
    HoldUntil,
    MtPriority,
    Solicit,
    ConPerm,
    Mtrk,
    TransactionId,
    Xverp,
    Submitter,
}

/// A parameter of RCPT.
#[derive(Clone, Copy)]
pub(super) enum RcptKeyword {
    Notify,
    OriginalRecipient,
    Rrvs,
    ConNeg,
}

pub(super) const MAIL_KEYWORDS: [Row<MailKeyword>; 17] = [
    (MailKeyword::Size, "SIZE", &[Extension::Size]),
    (MailKeyword::Body, "BODY", &[Extension::EightBitMime, Extension::BinaryMime]),
    (MailKeyword::SmtpUtf8, "SMTPUTF8", &[Extension::SmtpUtf8]),
    (MailKeyword::Ret, "RET", &[Extension::Dsn]),
    // "The ENVID parameter of the MAIL command MUST be supported" with MTRK (RFC 3885 section 2).
    (MailKeyword::EnvelopeId, "ENVID", &[Extension::Dsn, Extension::Mtrk]),
    (MailKeyword::Auth, "AUTH", &[Extension::Auth]),
    (MailKeyword::RequireTls, "REQUIRETLS", &[Extension::RequireTls]),
    (MailKeyword::By, "BY", &[Extension::DeliverBy]),
    (MailKeyword::HoldFor, "HOLDFOR", &[Extension::FutureRelease]),
    (MailKeyword::HoldUntil, "HOLDUNTIL", &[Extension::FutureRelease]),
    (MailKeyword::MtPriority, "MT-PRIORITY", &[Extension::MtPriority]),
    (MailKeyword::Solicit, "SOLICIT", &[Extension::NoSoliciting]),
    (MailKeyword::ConPerm, "CONPERM", &[Extension::ConPerm]),
    (MailKeyword::Mtrk, "MTRK", &[Extension::Mtrk]),
    (MailKeyword::TransactionId, "TRANSID", &[Extension::Checkpoint]),
    (MailKeyword::Xverp, "XVERP", &[Extension::Xverp]),
    (MailKeyword::Submitter, "SUBMITTER", &[Extension::Submitter]),
];

const RCPT_KEYWORDS: [Row<RcptKeyword>; 4] = [
    (RcptKeyword::Notify, "NOTIFY", &[Extension::Dsn]),
    // "The ORCPT parameter of the RCPT command MUST also be supported" with MTRK (RFC 3885 section 2).
    (RcptKeyword::OriginalRecipient, "ORCPT", &[Extension::Dsn, Extension::Mtrk]),
    (RcptKeyword::Rrvs, "RRVS", &[Extension::Rrvs]),
    (RcptKeyword::ConNeg, "CONNEG", &[Extension::ConNeg]),
];

/// The parameters of MAIL.
pub(super) static MAIL: Command<MailKeyword, { MAIL_KEYWORDS.len() }> = Command {
    verb: Verb::Mail,
    names: names(&MAIL_KEYWORDS),
    elsewhere: |list, start, offered| RCPT.find(list, start, offered).map(|(found, _)| found.name),
};

/// The parameters of RCPT.
pub(super) static RCPT: Command<RcptKeyword, { RCPT_KEYWORDS.len() }> = Command {
    verb: Verb::Rcpt,
    names: names(&RCPT_KEYWORDS),
    elsewhere: |list, start, offered| MAIL.find(list, start, offered).map(|(found, _)| found.name),
};

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn names<K: Copy, const N: usize>(rows: &[Row<K>; N]) -> NameTable<Keyword<K>, N> {
    let first = Keyword { meaning: rows[0].0, name: "", extensions: 0 };
    let mut names = [("", first); N];
    let mut at = 0;
    while at < N {
        let (meaning, name, defining) = rows[at];
        let (mut extensions, mut of) = (0, 0);
        while of < defining.len() {
            extensions |= defining[of].bit();
            of += 1;
        }
        names[at] = (name, Keyword { meaning, name, extensions });
        at += 1;
    }
    NameTable::new(names)
}

impl<K: Copy, const N: usize> Command<K, N> {
    /// Returns the keyword from `start` on and its end, if an announced extension defines it.
    #[inline(always)]
    fn find(
        &self,
        list: &[u8],
        start: usize,
        offered: &Extensions,
    ) -> Option<(&Keyword<K>, usize)> {
        let found = self.names.find_short(list, start, NameEnd::SpaceOrEquals)?;
        offered.contains_any(found.0.extensions).then_some(found)
    }
}

/// Returns a value that was filled where it is returned: one that is moved into the result is copied once more.
#[inline(always)]
pub(super) fn filled<T: Default>(
    fill: impl FnOnce(&mut T) -> Result<(), SyntaxError>,
) -> Result<T, SyntaxError> {
    let mut result = Ok(T::default());
    if let Ok(value) = &mut result
        && let Err(error) = fill(value)
    {
        result = Err(error);
    }
    result
}

/// Passes each parameter of `command` that an announced extension defines to `take`, with its meaning.
#[inline]
pub(super) fn read<'a, K: Copy, const N: usize>(
    command: &Command<K, N>,
    (parameters, offered): (&'a Parameters<'_>, &Extensions),
    is_known: impl Fn(&str) -> bool,
    mut take: impl FnMut(K, Given<'a>) -> Result<(), SyntaxError>,
) -> Result<(), SyntaxError> {
    let list = parameters.as_str().as_bytes();
    let mut start = 0;
    while start < list.len() {
        let (result, end) = match command.find(list, start, offered) {
            Some((&Keyword { meaning, name, .. }, keyword)) => {
                let place = parameters.place_of(start, keyword);
                let given = Given { keyword: name, value: parameters.value_at(place) };
                (take(meaning, given), place.end)
            }
            None => {
                let Some(place) = parameters.place_from(start) else { break };
                (unknown(command, (parameters, offered), place, &is_known), place.end)
            }
        };
        result.map_err(|error| error.behind(start).on(command.verb))?;
        start = end + 1;
    }
    Ok(())
}

/// Accepts a parameter that no announced extension defines for the command, if the application knows it.
#[cold]
fn unknown<K: Copy, const N: usize>(
    command: &Command<K, N>,
    (parameters, offered): (&Parameters<'_>, &Extensions),
    place: Place,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), SyntaxError> {
    match (command.elsewhere)(parameters.as_str().as_bytes(), place.start, offered) {
        // An application cannot redefine what an announced extension defines for the other command.
        Some(keyword) => {
            Err(SyntaxError::new(SyntaxErrorKind::MisplacedParameter, 0).of_parameter(keyword))
        }
        None if is_known(parameters.at(place).keyword()) => Ok(()),
        None => Err(SyntaxError::new(SyntaxErrorKind::UnknownParameter, 0)),
    }
}

/// A parameter with a known keyword.
pub(super) struct Given<'a> {
    pub(super) keyword: &'static str,
    pub(super) value: Option<&'a str>,
}

impl<'a> Given<'a> {
    /// Reads the value into `slot`; fails without a value, and for a parameter given twice.
    pub(super) fn once<T>(
        &self,
        slot: &mut Option<T>,
        read: impl FnOnce(&'a str) -> Result<T, SyntaxError>,
    ) -> Result<(), SyntaxError> {
        self.first(slot.is_none())?;
        let keyword = self.keyword;
        let value = self.value.ok_or_else(|| {
            SyntaxError::new(SyntaxErrorKind::MissingValue, keyword.len()).of_parameter(keyword)
        })?;
        *slot = Some(
            read(value).map_err(|error| error.behind(keyword.len() + 1).of_parameter(keyword))?,
        );
        Ok(())
    }

    /// Reads the parameter with its value, or without one, into `slot`; fails for a parameter given twice.
    pub(super) fn with_or_without<T>(
        &self,
        slot: &mut Option<T>,
        read: impl FnOnce(Option<&'a str>) -> Result<T, SyntaxError>,
    ) -> Result<(), SyntaxError> {
        self.first(slot.is_none())?;
        let keyword = self.keyword;
        let value = read(self.value);
        *slot = Some(value.map_err(|error| error.behind(keyword.len() + 1).of_parameter(keyword))?);
        Ok(())
    }

    /// Records that the parameter is present; fails with a value, and for a parameter given twice.
    pub(super) fn flag(&self, is_set: &mut bool) -> Result<(), SyntaxError> {
        self.first(!*is_set)?;
        if self.value.is_some() {
            let error = SyntaxError::new(SyntaxErrorKind::UnexpectedValue, self.keyword.len());
            return Err(error.of_parameter(self.keyword));
        }
        *is_set = true;
        Ok(())
    }

    /// Fails for a parameter given twice.
    fn first(&self, is_first: bool) -> Result<(), SyntaxError> {
        match is_first {
            true => Ok(()),
            false => {
                Err(SyntaxError::new(SyntaxErrorKind::DuplicateParameter, 0)
                    .of_parameter(self.keyword))
            }
        }
    }
}
