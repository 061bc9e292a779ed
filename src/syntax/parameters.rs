//! Parameters of MAIL and RCPT, as they stand.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write as _};

use super::grammar::{self, KEYWORD, LET_DIG, Parsed, Tolerance, VALUE, cut, error_in, fail, span};
use super::lanes::{keyword_end, word_end};
use super::text_value::text_value;
use super::window::is_plain_list;
use super::{Lenience, Mailbox, SyntaxError, SyntaxErrorKind, Verp, xtext};

/// The parameters of MAIL or RCPT: valid in form, in their order (RFC 5321 section 4.1.2).
///
/// [`MailParameters`](super::MailParameters) and [`RcptParameters`](super::RcptParameters) are typed views of them,
/// which check values and duplicates.
///
/// ```
/// use esmtp::syntax::Parameters;
///
/// let mut parameters = Parameters::parse("SIZE=1000 BODY=8BITMIME")?;
/// parameters.push("SMTPUTF8", None)?;
/// assert_eq!(parameters.as_str(), "SIZE=1000 BODY=8BITMIME SMTPUTF8");
/// assert_eq!(parameters.iter().next().and_then(|first| first.value()), Some("1000"));
/// assert!(parameters.push("X", Some("a\r\nDATA")).is_err());
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters<'a>(Cow<'a, str>);

/// One parameter: a keyword, with or without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

/// The place of a parameter in its list.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: usize,
    /// The end of the keyword.
    pub(super) keyword: usize,
    /// The end of the value, which follows a `=`; that of the keyword where the value is absent.
    pub(super) end: usize,
}

impl<'a> Parameter<'a> {
    /// Returns the keyword as it was written; it means the same in any case.
    #[must_use]
    pub fn keyword(&self) -> &'a str {
        self.keyword
    }

    /// Returns the value: the text after the `=`.
    #[must_use]
    pub fn value(&self) -> Option<&'a str> {
        self.value
    }

    /// Returns whether the parameter has this keyword, in any case.
    #[must_use]
    pub fn matches(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword)
    }
}

impl<'a> Parameters<'a> {
    /// No parameters.
    pub const NONE: Parameters<'static> = Parameters(Cow::Borrowed(""));

    /// Reads a list such as `SIZE=10 BODY=8BITMIME`: single spaces between the parameters, none in front.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Parameters`].
    pub fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        if input.is_empty() {
            return Ok(Self::NONE);
        }
        match list(input, &Tolerance::none()) {
            Ok((_, found)) => Ok(found),
            Err(error) => Err(error_in(input, error)),
        }
    }

    pub(crate) const fn from_valid(parameters: &'a str) -> Self {
        Self(Cow::Borrowed(parameters))
    }

    /// Becomes these parameters, in the memory that it has.
    pub(crate) fn copy_from(&mut self, other: &Parameters<'_>) {
        let text = self.0.to_mut();
        text.clear();
        text.push_str(&other.0);
    }

    /// Appends a parameter.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Parameters`] when the keyword or the value is not as in RFC 5321 section 4.1.2.
    pub fn push(&mut self, keyword: &str, value: Option<&str>) -> Result<(), SyntaxError> {
        let is_keyword = matches!(self::keyword(keyword), Ok(("", _)));
        let is_value = value
            .is_none_or(|value| grammar::is_all(value, VALUE) || is_verp_value(keyword, value));
        if !is_keyword || !is_value {
            return Err(SyntaxError::new(SyntaxErrorKind::Parameters, self.0.len()));
        }
        self.push_valid(keyword, value);
        Ok(())
    }

    pub(crate) fn push_valid(&mut self, keyword: &str, value: Option<&str>) {
        let text = self.0.to_mut();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(keyword);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }

    /// Appends a parameter when it has a value, which must be valid.
    pub(super) fn give(&mut self, keyword: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.push_valid(keyword, None);
            // Writing into a String does not fail.
            let _ = write!(self.0.to_mut(), "={value}");
        }
    }

    /// Appends a parameter without a value when it is set.
    pub(super) fn give_flag(&mut self, keyword: &str, is_set: bool) {
        if is_set {
            self.push_valid(keyword, None);
        }
    }

    /// Returns whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether no value needs SMTPUTF8 (RFC 6531 section 3.3).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Iterates over the parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'_>> {
        let mut next = 0;
        core::iter::from_fn(move || {
            let place = self.place_from(next)?;
            next = place.end + 1;
            Some(self.at(place))
        })
    }

    /// Returns the place of the parameter that begins at `start`, if one does.
    #[inline(always)]
    pub(super) fn place_from(&self, start: usize) -> Option<Place> {
        let keyword = keyword_end(self.0.as_bytes(), start);
        (keyword > start).then(|| self.place_of(start, keyword))
    }

    /// Returns the place of the parameter whose keyword has this start and this end.
    #[inline(always)]
    pub(super) fn place_of(&self, start: usize, keyword: usize) -> Place {
        let octets = self.0.as_bytes();
        let end = match octets.get(keyword) {
            Some(b'=') => word_end(octets, keyword + 1),
            _ => keyword,
        };
        Place { start, keyword, end }
    }

    /// Returns the parameter at this place.
    pub(super) fn at(&self, place: Place) -> Parameter<'_> {
        let keyword = self.0.get(place.start..place.keyword).unwrap_or_default();
        Parameter { keyword, value: self.value_at(place) }
    }

    /// Returns the value of the parameter at this place.
    #[inline]
    pub(super) fn value_at(&self, place: Place) -> Option<&str> {
        match place.end > place.keyword {
            true => self.0.get(place.keyword + 1..place.end),
            false => None,
        }
    }

    /// Returns the first parameter with this keyword, in any case.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<Parameter<'_>> {
        self.iter().find(|parameter| parameter.matches(keyword))
    }
}

text_value!(methods Parameters);
text_value!(shown Parameters);
text_value!(read Parameters, Parameters::parse);

impl fmt::Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword)?;
        match self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// Parses `Mail-parameters = esmtp-param *(SP esmtp-param)`, to the end of the line     RFC 5321 section 4.1.2
pub(crate) fn list<'a>(input: &'a str, tolerance: &Tolerance) -> Parsed<'a, Parameters<'a>> {
    if is_plain_list(input.as_bytes()) {
        return Ok(("", Parameters::from_valid(input)));
    }
    let mut rest = input;
    // What is tolerated is written anew, so that the value is valid again.
    let mut anew = None;
    loop {
        let start = rest;
        let found;
        (rest, found) = parameter(rest)?;
        if !rest.is_empty() && !rest.starts_with(' ') || found.matches("AUTH") {
            if let Some((behind, value)) = raw_auth(found, start, tolerance) {
                rest = behind;
                let text = anew.get_or_insert_with(|| written(input, start));
                text.push_valid(found.keyword, Some(&value));
            } else if !rest.is_empty() && !rest.starts_with(' ') {
                return fail(rest, SyntaxErrorKind::Parameters);
            } else if let Some(text) = &mut anew {
                text.push_valid(found.keyword, found.value);
            }
        } else if let Some(text) = &mut anew {
            text.push_valid(found.keyword, found.value);
        }
        if rest.is_empty() {
            return Ok((rest, anew.unwrap_or(Parameters::from_valid(input))));
        }
        let next = cut(rest, 1).1;
        if next.starts_with(' ') {
            if !tolerance.of(Lenience::with_repeated_spaces) {
                return fail(next, SyntaxErrorKind::Parameters);
            }
            anew.get_or_insert_with(|| written(input, rest));
        }
        rest = if next.starts_with(' ') { next.trim_start_matches(' ') } else { next };
    }
}

/// Returns whether this is the value of XVERP in the form that Postfix takes: `XVERP=+=` is outside the grammar of values.
fn is_verp_value(keyword: &str, value: &str) -> bool {
    keyword.eq_ignore_ascii_case("XVERP") && Verp::read(Some(value)).is_ok()
}

/// Returns the part of `input` before `rest`.
fn written(input: &str, rest: &str) -> Parameters<'static> {
    let read = cut(input, input.len() - rest.len()).0;
    Parameters(Cow::Owned(String::from(read.trim_end_matches(' '))))
}

/// Reads the value of AUTH from clients that do not encode xtext: an address in brackets or with a raw `=`.
fn raw_auth<'a>(
    found: Parameter<'a>,
    start: &'a str,
    tolerance: &Tolerance,
) -> Option<(&'a str, String)> {
    if !found.matches("AUTH") || found.value == Some("<>") {
        return None;
    }
    let value = start.get("AUTH".len()..)?.strip_prefix('=')?;
    let (value, rest) = grammar::first_word(value);
    let address = match value.strip_prefix('<').and_then(|value| value.strip_suffix('>')) {
        Some(inside) => inside,
        None if value.contains('=') => value,
        None => return None,
    };
    let text = xtext::decode_text(address).unwrap_or(Cow::Borrowed(address));
    let is_address = Mailbox::parse_with(&text, Lenience::ADDRESSES).is_ok();
    if !is_address || !tolerance.of(Lenience::with_raw_auth_value) {
        return None;
    }
    let value = match xtext::decode_text(address) {
        Some(_) => String::from(address),
        None => xtext::encoded(address.as_bytes()),
    };
    Some((rest, value))
}

/// Parses `esmtp-param`.
///
/// ```text
/// esmtp-param = esmtp-keyword ["=" esmtp-value]                RFC 5321 section 4.1.2
/// esmtp-value = 1*(%d33-60 / %d62-126)
/// esmtp-value =/ UTF8-non-ascii                                RFC 6531 section 3.3
/// ```
///
/// The value of XVERP may have a `=` as well.
fn parameter(input: &str) -> Parsed<'_, Parameter<'_>> {
    let (rest, keyword) = keyword(input)?;
    let Some(value) = rest.strip_prefix('=') else {
        return Ok((rest, Parameter { keyword, value: None }));
    };
    if keyword.eq_ignore_ascii_case("XVERP") {
        let (word, rest) = grammar::first_word(value);
        if is_verp_value(keyword, word) {
            return Ok((rest, Parameter { keyword, value: Some(word) }));
        }
    }
    match span(value, VALUE) {
        0 => fail(value, SyntaxErrorKind::Parameters),
        octets => {
            let (value, rest) = cut(value, octets);
            Ok((rest, Parameter { keyword, value: Some(value) }))
        }
    }
}

/// Parses `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`      RFC 5321 section 4.1.2
pub(crate) fn keyword(input: &str) -> Parsed<'_, &str> {
    match input.as_bytes().first() {
        Some(first) if grammar::is(*first, LET_DIG) => {
            let (found, rest) = cut(input, span(input, KEYWORD));
            Ok((rest, found))
        }
        _ => fail(input, SyntaxErrorKind::Parameters),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::syntax::Lenience;

    /// 5321-2.4-a 5321-4.1.2-c 5321-4.1.2-d
    #[test]
    fn parameters_are_keywords_with_values() {
        let read = Parameters::parse("SIZE=1000 smtputf8 8A-B=!~ X=ü").unwrap();
        let all: Vec<_> = read.iter().map(|found| (found.keyword(), found.value())).collect();
        assert_eq!(
            all,
            [("SIZE", Some("1000")), ("smtputf8", None), ("8A-B", Some("!~")), ("X", Some("ü"))]
        );
        assert_eq!(read.get("SmtpUtf8").map(|found| found.value()), Some(None));
        assert!(Parameters::parse("").unwrap().is_empty());
        for (input, offset) in [
            ("-A=1", 0),
            ("=1000", 0),
            ("SIZE=", 5),
            ("FOO=a=b", 5),
            ("SIZE==5", 5),
            ("FOO=a\tb", 5),
            ("FOO=\u{7f}", 4),
            ("A  B", 2),
            (" A", 0),
            ("A ", 2),
            ("A=1,<c@d>x B =1", 13),
            ("SIZÉ=1", 3),
            ("A\r\nB", 1),
        ] {
            let error = Parameters::parse(input).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (SyntaxErrorKind::Parameters, offset),
                "{input:?}"
            );
        }
    }

    #[test]
    fn nothing_can_be_injected_through_a_parameter() {
        let mut parameters = Parameters::NONE;
        for (keyword, value) in [
            ("A B", None),
            ("", None),
            ("A", Some("")),
            ("A", Some("a b")),
            ("A", Some("\r\n")),
            ("A=", Some("b")),
        ] {
            assert!(parameters.push(keyword, value).is_err());
        }
        assert!(parameters.is_empty());
    }

    #[test]
    fn an_auth_value_that_is_no_xtext_is_made_one() {
        for (input, written) in [
            ("AUTH=<a@b.example>", "AUTH=a@b.example"),
            ("AUTH=<a+b@c.example> SIZE=1", "AUTH=a+2Bb@c.example SIZE=1"),
            ("SIZE=1 auth=a=b@c.example X", "SIZE=1 auth=a+3Db@c.example X"),
            ("AUTH=<e+3Dmc2@example.com>", "AUTH=e+3Dmc2@example.com"),
            ("AUTH=<>", "AUTH=<>"),
            ("AUTH=e+3Dmc2@example.com", "AUTH=e+3Dmc2@example.com"),
        ] {
            let tolerance = Tolerance::new(Lenience::ALL);
            let (_, found) = list(input, &tolerance).unwrap();
            assert_eq!(found.as_str(), written);
            assert_eq!(tolerance.used().has_raw_auth_value(), input != written);
        }
        for input in ["AUTH:<a@b.example>", "AUTH\n<a@b.example>", "AUTH\0<a@b.example>"] {
            assert!(list(input, &Tolerance::new(Lenience::ALL)).is_err(), "{input:?}");
        }
        let (_, found) = list("AUTH ENVID=x@y.example", &Tolerance::new(Lenience::ALL)).unwrap();
        assert_eq!(found.as_str(), "AUTH ENVID=x@y.example");
        assert!(list("AUTH=a=b", &Tolerance::new(Lenience::ALL)).is_err(), "no address");
        assert!(list("AUTH=a=b@c.example", &Tolerance::none()).is_err());
    }

    #[test]
    fn repeated_spaces_are_not_kept() {
        let tolerance = Tolerance::new(Lenience::ALL);
        let (_, found) = list("A  B=1 C   D", &tolerance).unwrap();
        assert_eq!(found.as_str(), "A B=1 C D");
        assert!(tolerance.used().has_repeated_spaces());
    }
}
