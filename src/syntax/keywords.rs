//! The keywords of the parameters of MAIL and RCPT, and the reading of either list.

use super::name_table::NameTable;
use super::parameters::Place;
use super::{Extension, Extensions, Parameters, SyntaxError, SyntaxErrorKind, Verb};

/// The parameters of one command: `N` keywords, each with the meaning that it has there.
pub(super) struct Command<K: 'static, const N: usize> {
    verb: Verb,
    pub(super) keywords: &'static [Keyword<K>; N],
    names: NameTable<N>,
    /// Returns the keyword of a parameter if an announced extension defines it for the other command.
    elsewhere: fn(&[u8], Place, &Extensions) -> Option<&'static str>,
}

/// A meaning, the keyword, and the extensions that define it.
type Keyword<K> = (K, &'static str, &'static [Extension]);

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

const MAIL_KEYWORDS: [Keyword<MailKeyword>; 17] = [
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

const RCPT_KEYWORDS: [Keyword<RcptKeyword>; 4] = [
    (RcptKeyword::Notify, "NOTIFY", &[Extension::Dsn]),
    // "The ORCPT parameter of the RCPT command MUST also be supported" with MTRK (RFC 3885 section 2).
    (RcptKeyword::OriginalRecipient, "ORCPT", &[Extension::Dsn, Extension::Mtrk]),
    (RcptKeyword::Rrvs, "RRVS", &[Extension::Rrvs]),
    (RcptKeyword::ConNeg, "CONNEG", &[Extension::ConNeg]),
];

/// The parameters of MAIL.
pub(super) static MAIL: Command<MailKeyword, { MAIL_KEYWORDS.len() }> = Command {
    verb: Verb::Mail,
    keywords: &MAIL_KEYWORDS,
    names: NameTable::new(names(&MAIL_KEYWORDS)),
    elsewhere: |list, place, offered| RCPT.find(list, place, offered).map(|(_, keyword)| keyword),
};

/// The parameters of RCPT.
pub(super) static RCPT: Command<RcptKeyword, { RCPT_KEYWORDS.len() }> = Command {
    verb: Verb::Rcpt,
    keywords: &RCPT_KEYWORDS,
    names: NameTable::new(names(&RCPT_KEYWORDS)),
    elsewhere: |list, place, offered| MAIL.find(list, place, offered).map(|(_, keyword)| keyword),
};

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn names<K, const N: usize>(keywords: &[Keyword<K>; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = keywords[at].1;
        at += 1;
    }
    names
}

impl<K: Copy, const N: usize> Command<K, N> {
    /// Returns the keyword of a parameter, with its meaning, if an announced extension defines it.
    #[inline]
    fn find(&self, list: &[u8], place: Place, offered: &Extensions) -> Option<(K, &'static str)> {
        let number = self.names.find_within(list, place.start, place.keyword)?;
        let (meaning, keyword, extensions) = self.keywords.get(number)?;
        let is_offered = extensions.iter().any(|extension| offered.contains(*extension));
        is_offered.then_some((*meaning, *keyword))
    }
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
    let mut next = 0;
    while let Some(place) = parameters.place_from(next) {
        next = place.end + 1;
        let result =
            match command.find(list, place, offered) {
                Some((meaning, keyword)) => {
                    take(meaning, Given { keyword, value: parameters.value_at(place) })
                }
                None => match (command.elsewhere)(list, place, offered) {
                    // An application cannot redefine what an announced extension defines for the other command.
                    Some(keyword) => Err(SyntaxError::new(SyntaxErrorKind::MisplacedParameter, 0)
                        .of_parameter(keyword)),
                    None if is_known(parameters.at(place).keyword()) => Ok(()),
                    None => Err(SyntaxError::new(SyntaxErrorKind::UnknownParameter, 0)),
                },
            };
        result.map_err(|error| error.behind(place.start).on(command.verb))?;
    }
    Ok(())
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
