//! What RCPT may carry.

use super::mail_parameters::{self, Given, Keywords, read};
use super::{
    Extension, Extensions, Notify, OriginalRecipient, Parameters, SyntaxError, ValidSince, Verb,
};

/// The parameters of RCPT, each with its type; absent is `None`, never a zero.
///
/// ```
/// use esmtp::syntax::{Extension, Extensions, Notify, Parameters, RcptParameters};
///
/// let offered = Extensions::from_iter([Extension::Dsn]);
/// let parameters = Parameters::parse("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@example.org")?;
/// let typed = RcptParameters::parse(&parameters, &offered)?;
/// assert_eq!(typed.notify, Some(Notify::SUCCESS | Notify::DELAY));
/// assert_eq!(typed.original_recipient.as_ref().unwrap().decoded(), "Bob@example.org");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParameters<'a> {
    /// NOTIFY: which events are to be notified (RFC 3461).
    pub notify: Option<Notify>,
    /// ORCPT: the recipient as the sender wrote it (RFC 3461).
    pub original_recipient: Option<OriginalRecipient<'a>>,
    /// RRVS: the mailbox must have had this owner since then (RFC 7293).
    pub valid_since: Option<ValidSince<'a>>,
    /// CONNEG: the recipient's capabilities are asked for (RFC 4141).
    pub capabilities_wanted: bool,
}

/// The keywords of RCPT, and the extensions that bring them.
pub(super) const KEYWORDS: &Keywords = &[
    ("NOTIFY", &[Extension::Dsn]),
    // "The ORCPT parameter of the RCPT command MUST also be supported" with MTRK (RFC 3885 section 2).
    ("ORCPT", &[Extension::Dsn, Extension::Mtrk]),
    ("RRVS", &[Extension::Rrvs]),
    ("CONNEG", &[Extension::ConNeg]),
];

impl<'a> RcptParameters<'a> {
    /// Reads what the parameters mean where `offered` was announced.
    ///
    /// # Errors
    ///
    /// As for [`MailParameters::parse`](super::MailParameters::parse).
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        Self::parse_known(parameters, offered, |_| false)
    }

    /// The same where keywords are known that no extension of [`Extension::ALL`] brings; those stay raw in `parameters`.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn parse_known(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Self, SyntaxError> {
        let mut typed = Self::default();
        let command = (Verb::Rcpt, KEYWORDS, mail_parameters::KEYWORDS);
        read(command, (parameters, offered), is_known, |given| typed.take(given))?;
        Ok(typed)
    }

    fn take(&mut self, given: Given<'a>) -> Result<(), SyntaxError> {
        match given.keyword {
            "NOTIFY" => given.once(&mut self.notify, Notify::parse),
            "ORCPT" => given.once(&mut self.original_recipient, OriginalRecipient::parse),
            "RRVS" => given.once(&mut self.valid_since, ValidSince::parse),
            _ => given.flag(&mut self.capabilities_wanted),
        }
    }

    /// As they stand in a command.
    #[must_use]
    pub fn to_parameters(&self) -> Parameters<'static> {
        let mut list = Parameters::NONE;
        list.give("NOTIFY", self.notify);
        list.give("ORCPT", self.original_recipient.as_ref());
        list.give("RRVS", self.valid_since.as_ref());
        list.give_flag("CONNEG", self.capabilities_wanted);
        list
    }

    /// The same with its own memory.
    #[must_use]
    pub fn into_owned(self) -> RcptParameters<'static> {
        RcptParameters {
            notify: self.notify,
            original_recipient: self.original_recipient.map(OriginalRecipient::into_owned),
            valid_since: self.valid_since.map(ValidSince::into_owned),
            capabilities_wanted: self.capabilities_wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::SyntaxErrorKind;

    /// 4141-5-a
    #[test]
    fn parameters_have_types_both_ways() {
        let offered = Extension::ALL.iter().copied().collect();
        for (input, written) in [
            ("", ""),
            ("notify=never", "NOTIFY=NEVER"),
            (
                "ORCPT=rfc822;Bob@Example.COM NOTIFY=delay,SUCCESS",
                "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@Example.COM",
            ),
            ("RRVS=2022-01-02T01:01:01Z;C CONNEG", "RRVS=2022-01-02T01:01:01Z;C CONNEG"),
        ] {
            let parameters = Parameters::parse(input).unwrap();
            let typed = RcptParameters::parse(&parameters, &offered).unwrap();
            assert_eq!(typed.to_parameters().as_str(), written);
            let again = typed.to_parameters();
            assert_eq!(RcptParameters::parse(&again, &offered).unwrap(), typed);
            assert_eq!(typed.clone().into_owned(), typed);
        }
        use SyntaxErrorKind as Kind;
        for (input, kind, code, parameter, offset) in [
            ("NOTIFY", Kind::MissingValue, 501, Some("NOTIFY"), 6),
            ("NOTIFY=SUCCESS,NEVER", Kind::ParameterValue, 501, Some("NOTIFY"), 15),
            ("NOTIFY=NEVER NOTIFY=NEVER", Kind::DuplicateParameter, 501, Some("NOTIFY"), 13),
            ("ORCPT=a@b", Kind::ParameterValue, 501, Some("ORCPT"), 6),
            ("CONNEG=1", Kind::UnexpectedValue, 501, Some("CONNEG"), 6),
            ("RRVS=2022-01-02", Kind::DateTime, 501, Some("RRVS"), 5),
            ("RRVS=2022-01-02T01:01:01.5Z", Kind::DateTime, 501, Some("RRVS"), 5),
            ("SIZE=1", Kind::MisplacedParameter, 555, Some("SIZE"), 0),
            ("FOO", Kind::UnknownParameter, 555, None, 0),
        ] {
            let parameters = Parameters::parse(input).unwrap();
            let error = RcptParameters::parse(&parameters, &offered).unwrap_err();
            assert_eq!(
                (error.kind(), error.parameter(), error.offset()),
                (kind, parameter, offset),
                "{input}"
            );
            assert_eq!((error.code().get(), error.verb()), (code, Some(Verb::Rcpt)), "{input}");
        }
    }

    /// RFC 3885 section 2: MTRK brings ENVID and ORCPT, DSN or not.
    #[test]
    fn a_parameter_of_the_other_command_is_known_to_nobody() {
        let all: Extensions = Extension::ALL.iter().copied().collect();
        let size = Parameters::parse("SIZE=1").unwrap();
        let error = RcptParameters::parse_known(&size, &all, |_| true).unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::MisplacedParameter);
        // Where no extension of ours brings it, the caller may have his own.
        assert!(RcptParameters::parse_known(&size, &Extensions::NONE, |_| true).is_ok());
        let original = Parameters::parse("ORCPT=rfc822;a@b").unwrap();
        let tracked = Extensions::NONE.with(Extension::Mtrk);
        assert!(RcptParameters::parse(&original, &tracked).unwrap().original_recipient.is_some());
        assert!(RcptParameters::parse(&original, &Extensions::NONE).is_err());
    }
}
