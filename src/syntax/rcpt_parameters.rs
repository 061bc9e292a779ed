//! What RCPT may carry.

use super::keywords::{Given, RCPT, RcptKeyword, filled, read};
use super::{Extensions, Notify, OriginalRecipient, Parameters, SyntaxError, ValidSince};

/// The parameters of RCPT, each with its type. An absent one is `None`.
///
/// ```
/// use esmtp::syntax::{Extension, Extensions, Notify, Parameters, RcptParameters};
///
/// let offered = Extensions::from_iter([Extension::Dsn]);
/// let parameters = Parameters::parse("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@example.org")?;
/// let typed = RcptParameters::parse(&parameters, &offered)?;
/// assert_eq!(typed.notify(), Some(Notify::SUCCESS | Notify::DELAY));
/// assert_eq!(typed.original_recipient().unwrap().decoded(), "Bob@example.org");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters<'a> {
    pub(super) notify: Option<Notify>,
    pub(super) original_recipient: Option<OriginalRecipient<'a>>,
    pub(super) valid_since: Option<ValidSince<'a>>,
    pub(super) is_conneg_requested: bool,
}

impl<'a> RcptParameters<'a> {
    /// Reads the parameters, where `offered` was announced.
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

    /// Reads the parameters as [`parse`](Self::parse) does, and accepts the keywords that `is_known` names and no
    /// extension of [`Extension::ALL`](super::Extension::ALL) defines; those stay raw in `parameters`.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for keywords that are not known.
    pub fn parse_known(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Self, SyntaxError> {
        filled(|typed: &mut Self| typed.fill(parameters, offered, is_known))
    }

    /// Reads the parameters into an empty value where it stands: inlined, the value would be copied twice.
    #[inline(never)]
    fn fill(
        &mut self,
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), SyntaxError> {
        read(&RCPT, (parameters, offered), is_known, |keyword, given| self.take(keyword, given))
    }

    fn take(&mut self, keyword: RcptKeyword, given: Given<'a>) -> Result<(), SyntaxError> {
        match keyword {
            RcptKeyword::Notify => given.once(&mut self.notify, Notify::parse),
            RcptKeyword::OriginalRecipient => {
                given.once(&mut self.original_recipient, OriginalRecipient::parse)
            }
            RcptKeyword::Rrvs => given.once(&mut self.valid_since, ValidSince::parse),
            RcptKeyword::ConNeg => given.flag(&mut self.is_conneg_requested),
        }
    }

    /// Returns the value of NOTIFY: the events of which the sender is to be notified (RFC 3461 section 4.1).
    #[must_use]
    pub const fn notify(&self) -> Option<Notify> {
        self.notify
    }

    /// Sets the value of NOTIFY.
    #[must_use]
    pub const fn with_notify(mut self, notify: Notify) -> Self {
        self.notify = Some(notify);
        self
    }

    /// Returns the value of ORCPT: the recipient as the sender wrote it (RFC 3461 section 4.2).
    #[must_use]
    pub const fn original_recipient(&self) -> Option<&OriginalRecipient<'a>> {
        self.original_recipient.as_ref()
    }

    /// Sets the value of ORCPT.
    #[must_use]
    pub fn with_original_recipient(mut self, original_recipient: OriginalRecipient<'a>) -> Self {
        self.original_recipient = Some(original_recipient);
        self
    }

    /// Returns the value of RRVS: the time since which the mailbox must have had its owner (RFC 7293 section 3).
    #[must_use]
    pub const fn valid_since(&self) -> Option<&ValidSince<'a>> {
        self.valid_since.as_ref()
    }

    /// Sets the value of RRVS.
    #[must_use]
    pub fn with_valid_since(mut self, valid_since: ValidSince<'a>) -> Self {
        self.valid_since = Some(valid_since);
        self
    }

    /// Returns whether CONNEG is present: the server is asked for the capabilities of the recipient (RFC 4141 section
    /// 5).
    #[must_use]
    pub const fn is_conneg_requested(&self) -> bool {
        self.is_conneg_requested
    }

    /// Adds CONNEG.
    #[must_use]
    pub const fn with_conneg(mut self) -> Self {
        self.is_conneg_requested = true;
        self
    }

    /// Returns the parameters as they stand in a command.
    #[must_use]
    pub fn to_parameters(&self) -> Parameters<'static> {
        let mut list = Parameters::NONE;
        list.give("NOTIFY", self.notify);
        list.give("ORCPT", self.original_recipient.as_ref());
        list.give("RRVS", self.valid_since.as_ref());
        list.give_flag("CONNEG", self.is_conneg_requested);
        list
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> RcptParameters<'static> {
        RcptParameters {
            notify: self.notify,
            original_recipient: self.original_recipient.map(OriginalRecipient::into_owned),
            valid_since: self.valid_since.map(ValidSince::into_owned),
            is_conneg_requested: self.is_conneg_requested,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Extension, SyntaxErrorKind, Verb};

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
    fn a_parameter_of_the_other_command_is_rejected() {
        let all: Extensions = Extension::ALL.iter().copied().collect();
        let size = Parameters::parse("SIZE=1").unwrap();
        let error = RcptParameters::parse_known(&size, &all, |_| true).unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::MisplacedParameter);
        // Where no announced extension defines it, the application may.
        assert!(RcptParameters::parse_known(&size, &Extensions::NONE, |_| true).is_ok());
        let original = Parameters::parse("ORCPT=rfc822;a@b").unwrap();
        let tracked = Extensions::NONE.with(Extension::Mtrk);
        assert!(RcptParameters::parse(&original, &tracked).unwrap().original_recipient().is_some());
        assert!(RcptParameters::parse(&original, &Extensions::NONE).is_err());
    }
}
