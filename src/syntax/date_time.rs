//! Date-times of the Internet.

use alloc::borrow::Cow;
use alloc::format;

use super::text_value::text_value;
use super::{SyntaxError, SyntaxErrorKind};

/// A date-time with its zone: `2027-01-01T00:00:00Z` (RFC 3339 section 5.6).
///
/// It keeps the form in which it was written, so that it can be passed on unchanged; equality is by that form, without case.
///
/// ```
/// use esmtp::syntax::DateTime;
///
/// let release = DateTime::new("2027-01-01T01:00:00+01:00")?;
/// assert_eq!(release.unix_seconds(), 1_798_761_600);
/// assert_eq!(DateTime::from_unix_seconds(1_798_761_600).unwrap().as_str(), "2027-01-01T00:00:00Z");
/// assert!(DateTime::new("2027-02-29T00:00:00Z").is_err());
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DateTime<'a>(Cow<'a, str>);

impl<'a> DateTime<'a> {
    /// Checks and keeps a date-time.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::DateTime`], also for a day that the month does not have.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let text = text.into();
        match unix_seconds(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(SyntaxError::new(SyntaxErrorKind::DateTime, 0)),
        }
    }

    /// Makes a date-time in UTC; `None` outside the years 0 to 9999.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Option<DateTime<'static>> {
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        if !(0..=9999).contains(&year) {
            return None;
        }
        let text = format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        Some(DateTime(Cow::Owned(text)))
    }

    /// Returns whether the date-time has a fraction of a second.
    #[must_use]
    pub fn has_fraction(&self) -> bool {
        self.0.contains('.')
    }

    /// Returns the whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        unix_seconds(&self.0).unwrap_or_default()
    }
}

text_value!(DateTime, DateTime::new);
text_value!(any_case DateTime);

const DAY: i64 = 86400;

/// Returns the seconds since 1970-01-01T00:00:00Z; `None` outside the grammar and for a day that the month does not have.
///
/// ```text
/// date-time    = full-date "T" full-time                       RFC 3339 section 5.6
/// full-date    = 4DIGIT "-" 2DIGIT "-" 2DIGIT
/// full-time    = partial-time time-offset
/// partial-time = 2DIGIT ":" 2DIGIT ":" 2DIGIT [ "." 1*DIGIT ]
/// time-offset  = "Z" / ( "+" / "-" ) 2DIGIT ":" 2DIGIT
/// ```
fn unix_seconds(text: &str) -> Option<i64> {
    let (date, time) = text.as_bytes().split_at_checked(11)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't'] = date else { return None };
    let [h1, h2, b':', n1, n2, b':', s1, s2, rest @ ..] = time else { return None };
    let (year, month, day) =
        (two(*y1, *y2)? * 100 + two(*y3, *y4)?, two(*m1, *m2)?, two(*d1, *d2)?);
    // 60 is a leap second.
    let (hour, minute, second) = (two(*h1, *h2)?, two(*n1, *n2)?, two(*s1, *s2)?);
    if !(1..=days_in(year, month)?).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = match rest {
        [b'.', digits @ ..] => {
            let len = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
            digits.get(len..).filter(|_| len > 0)?
        }
        _ => rest,
    };
    let offset = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some(days_since_epoch(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |octet: u8| octet.is_ascii_digit().then(|| i64::from(octet - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// Counts years from March, so that the leap day is the last of its year.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_year = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 0000-03-01 is 719468 days before 1970-01-01.
    before_year + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Returns the year, the month and the day of the month of the day that is `days` after 1970-01-01, for ever in both
/// directions of the Gregorian calendar.
pub(crate) const fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01 by whole cycles of 400 years, of 146097 days, so that a leap day is the last of its year.
    let days = days.saturating_add(719_468);
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    (cycle * 400 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4865-3-c 7293-3-b
    #[test]
    fn a_date_time_has_a_real_day_and_a_zone() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00-00:00", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2027-01-01T00:00:00Z", 1_798_761_600),
            ("2027-01-01t01:00:00.25+01:00", 1_798_761_600),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(DateTime::new(text).unwrap().unix_seconds(), seconds, "{text}");
        }
        for text in [
            "",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2027-04-31T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:60:00Z",
            "2027-01-01T00:00:61Z",
            "2027-01-01 00:00:00Z",
            "2027-01-01T00:00:00.Z",
            "2027-01-01T00:00:00+24:00",
            "2027-01-01T00:00:00+01:60",
            "2027-01-01T00:00:00+0100",
            "2027-01-01T00:00:00ZZ",
            "27-01-01T00:00:00Z",
            "2027-1-1T00:00:00Z",
            "٢٠٢٧-01-01T00:00:00Z",
            "12345",
        ] {
            assert_eq!(
                DateTime::new(text).unwrap_err().kind(),
                SyntaxErrorKind::DateTime,
                "{text}"
            );
        }
    }

    #[test]
    fn seconds_make_a_date_time_again() {
        for seconds in (-62_167_219_200..253_402_300_800).step_by(86_399 * 977) {
            let made = DateTime::from_unix_seconds(seconds).unwrap();
            assert_eq!(DateTime::new(made.as_str()).unwrap().unix_seconds(), seconds);
        }
        assert!(DateTime::from_unix_seconds(253_402_300_800).is_none());
        assert!(DateTime::from_unix_seconds(-62_167_219_201).is_none());
        assert!(
            DateTime::from_unix_seconds(i64::MAX).is_none()
                && DateTime::from_unix_seconds(i64::MIN).is_none()
        );
    }
}
