//! The terminals that every other file here is made of: octet classes, and nom parsers over a whole line.
//!
//! A line is checked for UTF-8 once, then it is a `&str`; classes are looked up by octet. An octet above 127 belongs to
//! a class as a whole or not at all, but for the two octets with which a control beyond ASCII begins: [`span`] looks at what
//! follows them. So a run of a class always ends at a character boundary.

use core::cell::Cell;

use nom::error::{ErrorKind, ParseError};
use nom::{Err, IResult};

use super::error::AddressFault;
use super::{Lenience, SyntaxError, SyntaxErrorKind};

/// A set of octet classes, one bit each.
pub(crate) type Class = u16;

/// `atext` of RFC 5322 section 3.2.3 with UTF8-non-ascii (RFC 6531 section 3.3).
pub(crate) const ATEXT: Class = 1;
/// `Let-dig` of RFC 5321 section 4.1.2.
pub(crate) const LET_DIG: Class = 1 << 1;
/// The octets of a label: `Let-dig`, `-`, and those of a U-label.
pub(crate) const LABEL: Class = 1 << 2;
/// `qtextSMTP`: %d32-33 / %d35-91 / %d93-126, with UTF8-non-ascii.
pub(crate) const QTEXT: Class = 1 << 3;
/// `dcontent`: %d33-90 / %d94-126.
pub(crate) const DCONTENT: Class = 1 << 4;
/// The octets of `esmtp-keyword` after its first: ALPHA / DIGIT / "-".
pub(crate) const KEYWORD: Class = 1 << 5;
/// `esmtp-value`: %d33-60 / %d62-126, with UTF8-non-ascii.
pub(crate) const VALUE: Class = 1 << 6;
/// Printable and no space: %d33-126.
pub(crate) const VISIBLE: Class = 1 << 7;
/// The octets of text: TAB, %d32-126, and everything above 127 but the [`CONTROLS`].
pub(crate) const TEXT: Class = 1 << 8;
/// `xchar` of RFC 3461 section 4: %d33-42 / %d44-60 / %d62-126.
pub(crate) const XCHAR: Class = 1 << 9;
/// DIGIT.
pub(crate) const DIGIT: Class = 1 << 10;
/// The octets of a verb: ALPHA / DIGIT / "-" / "_".
pub(crate) const VERB: Class = 1 << 11;
/// The octets of base64, padding aside.
pub(crate) const BASE64: Class = 1 << 12;
/// White space: SP / TAB.
pub(crate) const WSP: Class = 1 << 13;
/// The controls beyond ASCII, for a union with another class: U+0080 to U+009F (C1), U+2028 and U+2029.
///
/// RFC 6531 section 3.3 has them in UTF8-non-ascii, and RFC 5198 section 2 forbids C1 in text that is interchanged:
/// terminals obey them as they obey ESC, and some programs take U+0085, U+2028 and U+2029 for line breaks.
pub(crate) const CONTROLS: Class = 1 << 14;

/// The classes with characters beyond ASCII.
const BEYOND_ASCII: Class = ATEXT | LABEL | QTEXT | VALUE | TEXT;

static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [0; 256];
    let mut at = 0_u8;
    loop {
        #[allow(clippy::indexing_slicing)] // a u8 is below 256; evaluated at compile time
        {
            table[at as usize] = classes_of(at);
        }
        if at == u8::MAX {
            return table;
        }
        at += 1;
    }
}

const fn classes_of(octet: u8) -> Class {
    let mut class = 0;
    if octet.is_ascii_alphanumeric() {
        class |= LET_DIG | LABEL | KEYWORD | VERB | ATEXT | BASE64;
    }
    if octet.is_ascii_digit() {
        class |= DIGIT;
    }
    match octet {
        b'-' => class |= LABEL | KEYWORD | VERB | ATEXT,
        b'_' => class |= VERB | ATEXT,
        b'+' | b'/' => class |= BASE64 | ATEXT,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'=' | b'?' | b'^' | b'`' | b'{'
        | b'|' | b'}' | b'~' => {
            class |= ATEXT;
        }
        b' ' | b'\t' => class |= WSP,
        _ => {}
    }
    if matches!(octet, 33..=126) {
        class |= VISIBLE;
        if octet != b'=' {
            class |= VALUE;
            if octet != b'+' {
                class |= XCHAR;
            }
        }
        if !matches!(octet, b'[' | b'\\' | b']') {
            class |= DCONTENT;
        }
    }
    if matches!(octet, b'\t' | 32..=126) {
        class |= TEXT;
    }
    if matches!(octet, 32..=126) && octet != b'"' && octet != b'\\' {
        class |= QTEXT;
    }
    match octet {
        0..=127 => {}
        // A control may begin here.
        0xC2 | 0xE2 => class |= CONTROLS,
        _ => class |= BEYOND_ASCII | CONTROLS,
    }
    class
}

/// Returns whether `octet` belongs to one of the classes.
#[allow(clippy::indexing_slicing)] // a u8 is below 256: the compiler drops the check
#[inline]
pub(crate) const fn is(octet: u8, class: Class) -> bool {
    CLASSES[octet as usize] & class != 0
}

/// Returns the number of octets from the start that belong to `class`.
#[inline]
pub(crate) const fn span(input: &str, class: Class) -> usize {
    span_of(input.as_bytes(), class)
}

/// Returns the number of octets of a `str`, from the start, that belong to `class`.
#[inline]
pub(crate) const fn span_of(octets: &[u8], class: Class) -> usize {
    span_from(octets, 0, class)
}

/// Returns the place after the octets of a `str` from `start` on that belong to `class`.
#[allow(clippy::indexing_slicing)] // `at` is below the length, and a u8 is below 256
#[inline]
pub(crate) const fn span_from(octets: &[u8], start: usize, class: Class) -> usize {
    let mut at = start;
    while at < octets.len() && CLASSES[octets[at] as usize] & class != 0 {
        at += 1;
    }
    // Nearly every run ends at an octet of ASCII.
    if at < octets.len() && octets[at] >= 0x80 && belongs(octets, at, class) {
        return span_beyond(octets, at, class);
    }
    at
}

/// Goes on where a character beyond ASCII may be one of the [`CONTROLS`].
#[cold]
const fn span_beyond(octets: &[u8], start: usize, class: Class) -> usize {
    let mut at = start;
    while at < octets.len() && belongs(octets, at, class) {
        at += 1;
    }
    at
}

/// Returns whether the octets of a `str` begin with one of `class`.
#[inline]
pub(crate) const fn begins(octets: &[u8], class: Class) -> bool {
    !octets.is_empty() && belongs(octets, 0, class)
}

#[allow(clippy::indexing_slicing)] // `at` is below the length
#[inline]
const fn belongs(octets: &[u8], at: usize, class: Class) -> bool {
    let octet = octets[at];
    is(octet, class)
        || class & BEYOND_ASCII != 0 && matches!(octet, 0xC2 | 0xE2) && !is_control(octets, at)
}

/// Returns whether one of the [`CONTROLS`] begins at this octet.
#[allow(clippy::indexing_slicing)] // checked in front of it
const fn is_control(octets: &[u8], at: usize) -> bool {
    match octets.len() {
        length if at + 1 < length && octets[at] == 0xC2 => matches!(octets[at + 1], 0x80..=0x9F),
        length if at + 2 < length && octets[at] == 0xE2 => {
            octets[at + 1] == 0x80 && matches!(octets[at + 2], 0xA8 | 0xA9)
        }
        _ => false,
    }
}

/// Returns whether a text holds one of the [`CONTROLS`], or a control character of ASCII.
#[inline(never)]
pub(crate) fn has_control(text: &str) -> bool {
    text.chars().any(is_control_character)
}

/// Returns whether a character is a control character: of ASCII, C1, or a separator of lines or paragraphs.
pub(crate) const fn is_control_character(c: char) -> bool {
    matches!(c, '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{2028}' | '\u{2029}')
}

/// Returns the text of a line from a place on that is `start` or up to seven octets in front of it, and that place; `None` where it
/// is not UTF-8. The octets in front of `start` are ASCII.
///
/// The standard library checks 16 octets at a time, but octet by octet up to the first aligned one: 40 instructions a line, and a
/// branch that nothing predicts.
#[inline]
pub(crate) fn text_from(line: &[u8], start: usize) -> Option<(&str, usize)> {
    let aligned = start.saturating_sub(line.as_ptr().addr().wrapping_add(start) % 8);
    let text = core::str::from_utf8(line.get(aligned..)?).ok()?;
    Some((text, aligned))
}

/// Runs a parser; runs it again with the [`CONTROLS`] where one of them stopped it and they are tolerated.
#[inline]
pub(crate) fn tolerating_controls<'a, T>(
    input: &'a str,
    tolerance: &Tolerance,
    parser: impl Fn(&'a str, Class) -> Parsed<'a, T>,
) -> Parsed<'a, T> {
    let strict = parser(input, 0);
    let rest = match &strict {
        Ok((rest, _)) => rest.len(),
        Err(Err::Error(fault) | Err::Failure(fault)) => fault.left,
        Err(Err::Incomplete(_)) => 0,
    };
    let rest = input.as_bytes().get(input.len().saturating_sub(rest)..).unwrap_or_default();
    // A dot goes on only in front of a label.
    let rest = rest.strip_prefix(b".").unwrap_or(rest);
    match is_control(rest, 0) && tolerance.of(Lenience::with_unicode_controls) {
        true => parser(input, CONTROLS),
        false => strict,
    }
}

/// Returns whether `input` is one or more octets of `class`, and nothing else.
pub(crate) fn is_all(input: &str, class: Class) -> bool {
    !input.is_empty() && span(input, class) == input.len()
}

/// The place where a parser stopped, and the reason; becomes a [`SyntaxError`] at the end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Octets that were left.
    pub(crate) left: usize,
    pub(crate) kind: SyntaxErrorKind,
    /// The fault of an address, finer than `kind`.
    pub(crate) address: Option<AddressFault>,
}

impl ParseError<&str> for Fault {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { left: input.len(), kind: SyntaxErrorKind::Argument, address: None }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The result of a parser over a line: the rest, and a value.
pub(crate) type Parsed<'a, T> = IResult<&'a str, T, Fault>;

/// Returns the failure of a parser at `input`.
#[inline]
pub(crate) fn fail<T>(input: &str, kind: SyntaxErrorKind) -> Parsed<'_, T> {
    Err(Err::Error(Fault { left: input.len(), kind, address: None }))
}

/// Returns the failure of a parser of addresses at `input`.
#[cold]
pub(crate) fn fail_with<T>(
    input: &str,
    (kind, fault): (SyntaxErrorKind, AddressFault),
) -> Parsed<'_, T> {
    Err(Err::Error(Fault { left: input.len(), kind, address: Some(fault) }))
}

/// Splits after `octets` octets; a place inside a character is impossible here and takes everything.
#[inline]
pub(crate) fn cut(input: &str, octets: usize) -> (&str, &str) {
    input.split_at_checked(octets).unwrap_or((input, ""))
}

/// Splits at the first space.
#[inline]
pub(crate) fn first_word(input: &str) -> (&str, &str) {
    cut(input, input.bytes().position(|octet| octet == b' ').unwrap_or(input.len()))
}

/// Parses `1*class`
#[inline]
pub(crate) fn run(class: Class, kind: SyntaxErrorKind) -> impl Fn(&str) -> Parsed<'_, &str> {
    move |input| match span(input, class) {
        0 => fail(input, kind),
        octets => {
            let (found, rest) = cut(input, octets);
            Ok((rest, found))
        }
    }
}

/// Returns the octet itself.
#[inline]
pub(crate) fn octet(wanted: u8, kind: SyntaxErrorKind) -> impl Fn(&str) -> Parsed<'_, ()> {
    move |input| match input.as_bytes().first() {
        Some(found) if *found == wanted => Ok((cut(input, 1).1, ())),
        _ => fail(input, kind),
    }
}

/// Parses a word in any case, given in lower case; ASCII.
///
/// In place of nom's `tag_no_case`, which folds the case of all of Unicode: half of the time of a command.
#[inline]
pub(crate) fn word<const N: usize>(
    lower: &'static [u8; N],
    kind: SyntaxErrorKind,
) -> impl Fn(&str) -> Parsed<'_, &str> {
    move |input| match input.as_bytes().first_chunk::<N>() {
        Some(found) if found.map(|octet| octet.to_ascii_lowercase()) == *lower => {
            let (found, rest) = cut(input, N);
            Ok((rest, found))
        }
        _ => fail(input, kind),
    }
}

/// Runs `parser` over the whole input.
///
/// # Errors
///
/// The error of the parser, at its offset in `input`; `trailing` when something is left over.
#[inline]
pub(crate) fn whole<'a, T>(
    input: &'a str,
    trailing: SyntaxErrorKind,
    mut parser: impl FnMut(&'a str) -> Parsed<'a, T>,
) -> Result<T, SyntaxError> {
    match parser(input) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => Err(SyntaxError::new(trailing, input.len() - rest.len())),
        Err(error) => Err(error_in(input, error)),
    }
}

/// Returns what a parser of addresses reads from the whole input; `trailing` says what is wrong with octets that are left.
///
/// # Errors
///
/// The error of the parser, at its offset in `input`; the one that `trailing` gives.
#[inline]
pub(crate) fn whole_address<'a, T>(
    input: &'a str,
    trailing: impl FnOnce(&str) -> (SyntaxErrorKind, AddressFault),
    mut parser: impl FnMut(&'a str) -> Parsed<'a, T>,
) -> Result<T, SyntaxError> {
    match parser(input) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => {
            let (kind, fault) = trailing(rest);
            Err(SyntaxError::new(kind, input.len() - rest.len()).with_fault(Some(fault)))
        }
        Err(error) => Err(error_in(input, error)),
    }
}

/// Returns the error of a parser that was given `input`.
#[inline]
pub(crate) fn error_in(input: &str, error: Err<Fault>) -> SyntaxError {
    match error {
        Err::Error(fault) | Err::Failure(fault) => {
            SyntaxError::new(fault.kind, input.len().saturating_sub(fault.left))
                .with_fault(fault.address)
        }
        // Complete parsers never ask for more.
        Err::Incomplete(_) => SyntaxError::new(SyntaxErrorKind::Argument, input.len()),
    }
}

/// Parses `1*DIGIT` that fits 64 bits; leading zeros are allowed.
pub(crate) fn number(input: &str) -> Parsed<'_, u64> {
    let (rest, digits) = run(DIGIT, SyntaxErrorKind::Number)(input)?;
    match digits.parse() {
        Ok(number) => Ok((rest, number)),
        Err(_) => fail(input, SyntaxErrorKind::Number),
    }
}

/// The deviations that are tolerated while parsing, and those that were met.
#[derive(Debug)]
pub(crate) struct Tolerance {
    allowed: Lenience,
    used: Cell<Lenience>,
}

impl Tolerance {
    pub(crate) const fn new(allowed: Lenience) -> Self {
        Self { allowed, used: Cell::new(Lenience::STRICT) }
    }

    /// Returns the grammar and nothing else.
    pub(crate) const fn none() -> Self {
        Self::new(Lenience::STRICT)
    }

    /// Returns whether the switch is on; if it is, it counts as used.
    pub(crate) fn of(&self, with: fn(Lenience) -> Lenience) -> bool {
        let is_on = self.allowed.covers(with(Lenience::STRICT));
        if is_on {
            self.used.set(with(self.used.get()));
        }
        is_on
    }

    pub(crate) fn used(&self) -> Lenience {
        self.used.get()
    }

    /// Forgets the switches that were met since `used` was read: that reading was given up.
    pub(crate) fn rewind(&self, used: Lenience) {
        self.used.set(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: Class) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |octet| is(*octet, class))
    }

    /// 5321-4.1.2-k
    #[test]
    fn the_classes_are_those_of_the_grammar() {
        let ascii = |class| members(class).filter(u8::is_ascii).collect::<alloc::vec::Vec<_>>();
        let mut atext = b"!#$%&'*+-/=?^_`{|}~".to_vec();
        atext.extend((b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z'));
        atext.sort_unstable();
        assert_eq!(ascii(ATEXT), atext);
        assert_eq!(ascii(VALUE), (33..=60).chain(62..=126).collect::<alloc::vec::Vec<_>>());
        assert_eq!(
            ascii(XCHAR),
            (33..=42).chain(44..=60).chain(62..=126).collect::<alloc::vec::Vec<_>>()
        );
        assert_eq!(
            ascii(QTEXT),
            (32..=33).chain(35..=91).chain(93..=126).collect::<alloc::vec::Vec<_>>()
        );
        assert_eq!(ascii(DCONTENT), (33..=90).chain(94..=126).collect::<alloc::vec::Vec<_>>());
        assert_eq!(ascii(TEXT), [9].into_iter().chain(32..=126).collect::<alloc::vec::Vec<_>>());
    }

    #[test]
    fn no_class_but_that_of_white_space_and_text_holds_a_control() {
        for octet in (0..32).chain([127]) {
            for bit in 0..16 {
                let class = 1 << bit;
                if is(octet, class) {
                    assert!(octet == b'\t' && (class == WSP || class == TEXT), "{octet} {bit}");
                }
            }
        }
        for c in ('\u{80}'..='\u{9F}').chain(['\u{2028}', '\u{2029}']) {
            assert!(is_control_character(c));
            for bit in 0..16 {
                let class = 1 << bit;
                let text = alloc::format!("{c}");
                let expected = if class == CONTROLS { text.len() } else { 0 };
                assert_eq!(span(&text, class), expected, "{c:?} {bit}");
                assert_eq!(span(&text, class | CONTROLS), text.len(), "{c:?} {bit}");
            }
        }
    }

    #[test]
    fn every_other_character_beyond_ascii_belongs_to_each_class_that_has_any() {
        for c in ('\u{A0}'..=char::MAX).filter(|c| !is_control_character(*c)) {
            let mut text = [0; 4];
            let text = c.encode_utf8(&mut text);
            for class in [ATEXT, LABEL, QTEXT, VALUE, TEXT] {
                assert_eq!(span(text, class), text.len(), "{c:?} {class}");
            }
            assert_eq!(span(text, VISIBLE | XCHAR | VERB | KEYWORD), 0);
        }
    }

    #[test]
    fn a_number_is_checked() {
        assert_eq!(number("18446744073709551615 x"), Ok((" x", u64::MAX)));
        assert!(number("18446744073709551616").is_err());
        assert!(number("").is_err() && number("-1").is_err());
    }
}
