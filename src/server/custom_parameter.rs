//! Parameters of the application's own on MAIL and RCPT.

use super::{custom_verb::announce, transaction::every_extension};
use crate::syntax::{
    Extensions, MailParameters, Parameters, RcptParameters, SyntaxError, SyntaxErrorKind, Verb,
};
use alloc::{boxed::Box, string::String};

/// A parameter of the application's own on MAIL or RCPT, for a service extension that the library does
/// not know: XRCPTFORWARD of Dovecot, for example.
///
/// Its keyword is announced in the reply to EHLO, and its greatest length adds to that of a command line
/// (RFC 5321 section 4.5.3.1.4). The library checks that it comes once and is not too long; the value
/// stays raw, in the [parameters](super::Rcpt::parameters) of the question and of the envelope.
///
/// ```
/// use esmtp::server::{Config, CustomParameter, Rcpt};
///
/// let forward = CustomParameter::on_rcpt("XRCPTFORWARD")?.with_longest_value(900);
/// let config = Config::new("mx.example.org")?.with_parameter(forward);
/// assert!(config.extensions().lines().any(|line| line == "XRCPTFORWARD"));
///
/// fn forwarded(rcpt: &Rcpt<'_>) -> Option<String> {
///     rcpt.parameters().get("XRCPTFORWARD")?.value().map(str::to_owned)
/// }
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
///
/// An extension with parameters on both commands is added twice, with one keyword or two.
#[derive(Clone, Debug)]
pub struct CustomParameter {
    verb: Verb,
    keyword: Box<str>,
    longest_value: usize,
    /// The line in the reply to EHLO.
    line: String,
}

impl CustomParameter {
    /// Returns a parameter of MAIL with this keyword, which takes no value.
    ///
    /// A keyword without X in front must be registered with IANA (RFC 5321 section 2.2.2).
    ///
    /// # Errors
    ///
    /// It is not a keyword, or the library knows it.
    pub fn on_mail(keyword: &str) -> Result<Self, SyntaxError> {
        Self::new(Verb::Mail, keyword)
    }

    /// Returns a parameter of RCPT with this keyword, which takes no value.
    ///
    /// # Errors
    ///
    /// As for [`on_mail`](Self::on_mail).
    pub fn on_rcpt(keyword: &str) -> Result<Self, SyntaxError> {
        Self::new(Verb::Rcpt, keyword)
    }

    fn new(verb: Verb, keyword: &str) -> Result<Self, SyntaxError> {
        announce(Extensions::NONE, keyword)?;
        let mut alone = Parameters::NONE;
        alone.push(keyword, None)?;
        let every = every_extension();
        // Parameters are known by their keywords, which are not all keywords of EHLO.
        let is_unknown = MailParameters::parse_known(&alone, &every, |_| true).is_ok()
            && RcptParameters::parse_known(&alone, &every, |_| true).is_ok();
        match is_unknown {
            true => {
                Ok(Self { verb, keyword: keyword.into(), longest_value: 0, line: keyword.into() })
            }
            false => Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0)),
        }
    }

    /// Sets the greatest number of octets of its value; 0, the default, is a parameter without a value. A
    /// longer value is refused with 501.
    #[must_use]
    pub fn with_longest_value(self, octets: usize) -> Self {
        Self { longest_value: octets, ..self }
    }

    /// Announces it in the reply to EHLO with this line, instead of its keyword alone.
    ///
    /// # Errors
    ///
    /// The line is invalid, or its keyword belongs to an extension that the library knows.
    pub fn announced_as(self, line: &str) -> Result<Self, SyntaxError> {
        announce(Extensions::NONE, line)?;
        Ok(Self { line: line.into(), ..self })
    }

    /// Returns the keyword.
    #[must_use]
    pub const fn keyword(&self) -> &str {
        &self.keyword
    }

    /// Returns the greatest number of octets of its value.
    #[must_use]
    pub const fn longest_value(&self) -> usize {
        self.longest_value
    }

    /// Returns whether this is the parameter with this keyword on this command.
    pub(super) fn is(&self, verb: Verb, keyword: &str) -> bool {
        self.verb == verb && self.keyword.eq_ignore_ascii_case(keyword)
    }

    /// Returns whether both are one parameter.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.is(other.verb, &other.keyword)
    }

    /// Returns the octets that it adds to a line of this command: a space, the keyword, `=` and the
    /// value.
    pub(super) fn octets(&self, verb: Verb) -> usize {
        let value = if self.longest_value == 0 { 0 } else { self.longest_value.saturating_add(1) };
        match self.verb == verb {
            true => value.saturating_add(self.keyword.len()).saturating_add(1),
            false => 0,
        }
    }

    /// Adds its line to a list of extensions, if it is not there already.
    pub(super) fn announce(&self, offered: Extensions) -> Extensions {
        if offered.others().any(|line| line == self.line) {
            return offered;
        }
        announce(offered.clone(), &self.line).unwrap_or(offered)
    }

    /// Checks the value of each of these parameters in a command.
    ///
    /// # Errors
    ///
    /// One of them came twice, or its value is too long.
    pub(super) fn check(
        own: &[Self],
        verb: Verb,
        given: &Parameters<'_>,
    ) -> Result<(), SyntaxError> {
        for own in own.iter().filter(|own| own.verb == verb) {
            let mut values = given.iter().filter(|it| it.matches(&own.keyword));
            let kind = match (values.next(), values.next()) {
                (_, Some(_)) => SyntaxErrorKind::DuplicateParameter,
                (Some(it), None) => match it.value() {
                    Some(_) if own.longest_value == 0 => SyntaxErrorKind::UnexpectedValue,
                    Some(value) if value.len() > own.longest_value => {
                        SyntaxErrorKind::ParameterValue
                    }
                    _ => continue,
                },
                (None, None) => continue,
            };
            return Err(SyntaxError::new(kind, 0).on(verb));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keywords_are_not_custom() {
        for keyword in ["SIZE", "body", "ORCPT", "NOTIFY", "", "X Y", "X=Y", "XCLIENT"] {
            assert!(CustomParameter::on_mail(keyword).is_err(), "{keyword:?}");
            assert!(CustomParameter::on_rcpt(keyword).is_err(), "{keyword:?}");
        }
        let own = CustomParameter::on_mail("XFOO").unwrap();
        assert!(own.clone().announced_as("XFOO BAR").is_ok());
        assert!(own.announced_as("SIZE 1").is_err());
    }
}
