//! What MAIL may carry.

use core::marker::PhantomData;

use super::parameters::Parameter;
use super::{Extension, Extensions, Parameters, SyntaxError, SyntaxErrorKind, Verb};

/// The parameters of MAIL, each with its type; absent is `None`, never a zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailParameters<'a> {
    /// SIZE: the message's octets as the client declares them (RFC 1870).
    pub size: Option<u64>,
    /// BODY: which octets the content holds (RFC 6152, RFC 3030).
    pub body: Option<Body>,
    /// SMTPUTF8: addresses or header fields are UTF-8 (RFC 6531).
    pub smtputf8: bool,
    marker: PhantomData<&'a ()>,
}

/// The value of BODY (RFC 6152 section 3, RFC 3030 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Body {
    /// 7BIT: lines of ASCII.
    SevenBit,
    /// 8BITMIME: lines of any octets but NUL, CR and LF.
    EightBitMime,
    /// BINARYMIME: any octets; only with BDAT.
    BinaryMime,
}

impl Body {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

impl<'a> MailParameters<'a> {
    /// Reads what the parameters mean where `offered` was announced.
    ///
    /// # Errors
    ///
    /// They name the parameter and its offset: a duplicate, a missing or forbidden value, a range, a parameter that
    /// belongs to RCPT (all 501 but the last, 555), or a keyword that no extension in `offered` brings:
    /// [`SyntaxErrorKind::UnknownParameter`] (555).
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        let mut read = Self::default();
        for (offset, parameter) in parameters.with_offsets() {
            read.take(parameter, offered).map_err(|error| error.behind(offset).on(Verb::Mail))?;
        }
        Ok(read)
    }

    fn take(&mut self, parameter: Parameter<'a>, offered: &Extensions) -> Result<(), SyntaxError> {
        if parameter.is("SIZE") && offered.contains(Extension::Size) {
            let size = once(self.size, "SIZE").and_then(|()| digits(parameter, "SIZE", 20))?;
            self.size = Some(size);
        } else if parameter.is("BODY")
            && (offered.contains(Extension::EightBitMime)
                || offered.contains(Extension::BinaryMime))
        {
            once(self.body, "BODY")?;
            self.body = Some(body(value(parameter, "BODY")?, offered)?);
        } else if parameter.is("SMTPUTF8") && offered.contains(Extension::SmtpUtf8) {
            flag(&mut self.smtputf8, parameter, "SMTPUTF8")?;
        } else {
            return Err(SyntaxError::new(SyntaxErrorKind::UnknownParameter, 0));
        }
        Ok(())
    }
}

/// `body-value ::= "7BIT" / "8BITMIME" / "BINARYMIME"`              RFC 3030 section 3
fn body(value: &str, offered: &Extensions) -> Result<Body, SyntaxError> {
    let body = [Body::SevenBit, Body::EightBitMime, Body::BinaryMime]
        .into_iter()
        .find(|body| body.as_str().eq_ignore_ascii_case(value))
        .ok_or(fault(SyntaxErrorKind::ParameterValue, "BODY"))?;
    match body {
        Body::BinaryMime if !offered.contains(Extension::BinaryMime) => {
            Err(fault(SyntaxErrorKind::ValueNotOffered, "BODY"))
        }
        _ => Ok(body),
    }
}

/// An error of the value of a parameter.
pub(super) const fn fault(kind: SyntaxErrorKind, keyword: &'static str) -> SyntaxError {
    SyntaxError::new(kind, keyword.len() + 1).of_parameter(keyword)
}

/// The parameter was not there before.
pub(super) fn once<T>(before: Option<T>, keyword: &'static str) -> Result<(), SyntaxError> {
    match before {
        None => Ok(()),
        Some(_) => {
            Err(SyntaxError::new(SyntaxErrorKind::DuplicateParameter, 0).of_parameter(keyword))
        }
    }
}

/// The parameter's value, which it must have.
pub(super) fn value<'a>(
    parameter: Parameter<'a>,
    keyword: &'static str,
) -> Result<&'a str, SyntaxError> {
    parameter
        .value()
        .ok_or(SyntaxError::new(SyntaxErrorKind::MissingValue, keyword.len()).of_parameter(keyword))
}

/// A parameter without a value.
pub(super) fn flag(
    set: &mut bool,
    parameter: Parameter<'_>,
    keyword: &'static str,
) -> Result<(), SyntaxError> {
    once(set.then_some(()), keyword)?;
    if parameter.value().is_some() {
        return Err(fault(SyntaxErrorKind::UnexpectedValue, keyword));
    }
    *set = true;
    Ok(())
}

/// `1*nDIGIT` as a number.
pub(super) fn digits(
    parameter: Parameter<'_>,
    keyword: &'static str,
    most: usize,
) -> Result<u64, SyntaxError> {
    let value = value(parameter, keyword)?;
    let is_short = value.len() <= most && value.bytes().all(|octet| octet.is_ascii_digit());
    value.parse().ok().filter(|_| is_short).ok_or(fault(SyntaxErrorKind::Number, keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Extensions {
        Extensions::NONE
            .with(Extension::Size)
            .with(Extension::EightBitMime)
            .with(Extension::SmtpUtf8)
    }

    /// 1870-3-b 1870-6-c 6152-3-a 6531-3.1-c
    #[test]
    fn parameters_have_types() {
        let parameters = Parameters::parse("size=1000 body=8bitmime SMTPUTF8").unwrap();
        let read = MailParameters::parse(&parameters, &offered()).unwrap();
        assert_eq!(
            (read.size, read.body, read.smtputf8),
            (Some(1000), Some(Body::EightBitMime), true)
        );
        assert_eq!(
            MailParameters::parse(&Parameters::NONE, &offered()).unwrap(),
            MailParameters::default()
        );
        for (input, kind, code, offset) in [
            ("SIZE", SyntaxErrorKind::MissingValue, 501, 4),
            ("SIZE=x", SyntaxErrorKind::Number, 501, 5),
            ("SIZE=+1", SyntaxErrorKind::Number, 501, 5),
            ("SIZE=111111111111111111111", SyntaxErrorKind::Number, 501, 5),
            ("SIZE=18446744073709551616", SyntaxErrorKind::Number, 501, 5),
            ("SMTPUTF8 SIZE=1 SIZE=1", SyntaxErrorKind::DuplicateParameter, 501, 16),
            ("BODY=8BIT", SyntaxErrorKind::ParameterValue, 501, 5),
            ("BODY=BINARYMIME", SyntaxErrorKind::ValueNotOffered, 504, 5),
            ("SMTPUTF8=1", SyntaxErrorKind::UnexpectedValue, 501, 9),
            ("FOO", SyntaxErrorKind::UnknownParameter, 555, 0),
        ] {
            let parameters = Parameters::parse(input).unwrap();
            let error = MailParameters::parse(&parameters, &offered()).unwrap_err();
            assert_eq!(
                (error.kind(), error.code().get(), error.offset()),
                (kind, code, offset),
                "{input}"
            );
        }
    }
}
