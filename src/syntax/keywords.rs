//! The keywords of the parameters of MAIL and RCPT, and the reading of either list.

use super::name_table::NameTable;
use super::parameters::Parameter;
use super::{Extension, Extensions, Parameters, SyntaxError, SyntaxErrorKind, Verb};

/// The parameters of one command.
pub(super) struct Command {
    verb: Verb,
    /// Its keywords, each with the extensions that define it for this command.
    pub(super) keywords: &'static [Keyword],
    /// Returns the place of a keyword in that list.
    find: fn(&[u8]) -> Option<usize>,
    /// The other command.
    elsewhere: fn() -> &'static Command,
}

type Keyword = (&'static str, &'static [Extension]);

static MAIL_NAMES: NameTable<{ MAIL_KEYWORDS.len() }> = NameTable::new(names(&MAIL_KEYWORDS));
static RCPT_NAMES: NameTable<{ RCPT_KEYWORDS.len() }> = NameTable::new(names(&RCPT_KEYWORDS));

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn names<const N: usize>(keywords: &[Keyword; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = keywords[at].0;
        at += 1;
    }
    names
}

/// The parameters of MAIL.
pub(super) static MAIL: Command = Command {
    verb: Verb::Mail,
    keywords: &MAIL_KEYWORDS,
    find: |keyword| MAIL_NAMES.find(keyword),
    elsewhere: || &RCPT,
};

/// The parameters of RCPT.
pub(super) static RCPT: Command = Command {
    verb: Verb::Rcpt,
    keywords: &RCPT_KEYWORDS,
    find: |keyword| RCPT_NAMES.find(keyword),
    elsewhere: || &MAIL,
};

const MAIL_KEYWORDS: [Keyword; 17] = [
    ("SIZE", &[Extension::Size]),
    ("BODY", &[Extension::EightBitMime, Extension::BinaryMime]),
    ("SMTPUTF8", &[Extension::SmtpUtf8]),
    ("RET", &[Extension::Dsn]),
    // "The ENVID parameter of the MAIL command MUST be supported" with MTRK (RFC 3885 section 2).
    ("ENVID", &[Extension::Dsn, Extension::Mtrk]),
    ("AUTH", &[Extension::Auth]),
    ("REQUIRETLS", &[Extension::RequireTls]),
    ("BY", &[Extension::DeliverBy]),
    ("HOLDFOR", &[Extension::FutureRelease]),
    ("HOLDUNTIL", &[Extension::FutureRelease]),
    ("MT-PRIORITY", &[Extension::MtPriority]),
    ("SOLICIT", &[Extension::NoSoliciting]),
    ("CONPERM", &[Extension::ConPerm]),
    ("MTRK", &[Extension::Mtrk]),
    ("TRANSID", &[Extension::Checkpoint]),
    ("XVERP", &[Extension::Xverp]),
    ("SUBMITTER", &[Extension::Submitter]),
];

const RCPT_KEYWORDS: [Keyword; 4] = [
    ("NOTIFY", &[Extension::Dsn]),
    // "The ORCPT parameter of the RCPT command MUST also be supported" with MTRK (RFC 3885 section 2).
    ("ORCPT", &[Extension::Dsn, Extension::Mtrk]),
    ("RRVS", &[Extension::Rrvs]),
    ("CONNEG", &[Extension::ConNeg]),
];

/// Passes each parameter of `command` that an announced extension defines to `take`.
pub(super) fn read<'a>(
    command: &Command,
    (parameters, offered): (&'a Parameters<'_>, &Extensions),
    is_known: impl Fn(&str) -> bool,
    mut take: impl FnMut(Given<'a>) -> Result<(), SyntaxError>,
) -> Result<(), SyntaxError> {
    for (offset, parameter) in parameters.with_offsets() {
        let result =
            match find(command, parameter, offered) {
                Some(keyword) => take(Given { keyword, parameter }),
                None => match find((command.elsewhere)(), parameter, offered) {
                    // An application cannot redefine what an announced extension defines for the other command.
                    Some(keyword) => Err(SyntaxError::new(SyntaxErrorKind::MisplacedParameter, 0)
                        .of_parameter(keyword)),
                    None if is_known(parameter.keyword()) => Ok(()),
                    None => Err(SyntaxError::new(SyntaxErrorKind::UnknownParameter, 0)),
                },
            };
        result.map_err(|error| error.behind(offset).on(command.verb))?;
    }
    Ok(())
}

/// Returns the keyword of a parameter that an announced extension defines.
fn find(command: &Command, parameter: Parameter<'_>, offered: &Extensions) -> Option<&'static str> {
    let number = (command.find)(parameter.keyword().as_bytes())?;
    let (keyword, extensions) = command.keywords.get(number)?;
    extensions.iter().any(|extension| offered.contains(*extension)).then_some(keyword)
}

/// A parameter with a known keyword.
pub(super) struct Given<'a> {
    pub(super) keyword: &'static str,
    pub(super) parameter: Parameter<'a>,
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
        let value = self.parameter.value().ok_or(
            SyntaxError::new(SyntaxErrorKind::MissingValue, keyword.len()).of_parameter(keyword),
        )?;
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
        let value = read(self.parameter.value());
        *slot = Some(value.map_err(|error| error.behind(keyword.len() + 1).of_parameter(keyword))?);
        Ok(())
    }

    /// Records that the parameter is present; fails with a value, and for a parameter given twice.
    pub(super) fn flag(&self, is_set: &mut bool) -> Result<(), SyntaxError> {
        self.first(!*is_set)?;
        if self.parameter.value().is_some() {
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
