//! When a message is to be delivered: DELIVERBY, FUTURERELEASE, MT-PRIORITY.

use core::fmt;

use super::grammar::{DIGIT, is_all};
use super::text_value::text_value;
use super::{DateTime, SyntaxError, SyntaxErrorKind};

const VALUE: SyntaxError = SyntaxError::new(SyntaxErrorKind::ParameterValue, 0);

/// BY: the time within which the message is to be delivered, and what happens after it (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: ByMode,
    is_traced: bool,
}

/// The treatment of a message that is not delivered in time (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByMode {
    /// `N`: the sender is notified, delivery goes on.
    Notify,
    /// `R`: the message is returned.
    Return,
}

impl DeliverBy {
    /// Most seconds, in either direction: nine digits.
    pub const LIMIT: i32 = 999_999_999;

    /// Makes the value; `None` when the number has more than nine digits, or when a message is to be returned after no
    /// time ("R needs a positive time").
    #[must_use]
    pub const fn new(seconds: i32, mode: ByMode) -> Option<Self> {
        let is_range = seconds >= -Self::LIMIT && seconds <= Self::LIMIT;
        let is_time = seconds > 0 || matches!(mode, ByMode::Notify);
        if is_range && is_time { Some(Self { seconds, mode, is_traced: false }) } else { None }
    }

    /// Asks each relay for a notification that it has passed the message on: the `T` of by-trace (RFC 2852 section 4).
    #[must_use]
    pub const fn with_trace(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// Returns the seconds from now; negative when the time is over already.
    #[must_use]
    pub const fn seconds(self) -> i32 {
        self.seconds
    }

    /// Returns the treatment of the message after that time.
    #[must_use]
    pub const fn mode(self) -> ByMode {
        self.mode
    }

    /// Returns whether the sender is to be notified of relays that do not offer the extension (`T`).
    #[must_use]
    pub const fn is_traced(self) -> bool {
        self.is_traced
    }

    /// Returns the value that a relay sends to the next host after it has held the message for `seconds` (RFC 2852
    /// section 4.1). `None` when the time is over for a message that is to be returned: it is not relayed.
    ///
    /// ```
    /// use esmtp::syntax::DeliverBy;
    ///
    /// let by = DeliverBy::parse("120;R")?;
    /// assert_eq!(by.after(50).map(|by| by.to_string()).as_deref(), Some("70;R"));
    /// assert_eq!(by.after(120), None);
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn after(self, seconds: u32) -> Option<Self> {
        let rest = i64::from(self.seconds).saturating_sub(i64::from(seconds));
        let rest = i32::try_from(rest.max(i64::from(-Self::LIMIT))).ok()?;
        Some(Self { is_traced: self.is_traced, ..Self::new(rest, self.mode)? })
    }

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// by-value = by-time ";" by-mode [by-trace]                RFC 2852 section 4
    /// by-time  = ["-" / "+"] 1*9digit
    /// by-mode  = "N" / "R"
    /// by-trace = "T"
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`].
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        let (time, mode) = value.split_once(';').ok_or(VALUE)?;
        let digits = time.strip_prefix(['-', '+']).unwrap_or(time);
        if digits.len() > 9 || !is_all(digits, DIGIT) {
            return Err(VALUE);
        }
        let (mode, is_traced) = match mode.as_bytes() {
            [mode] => (mode, false),
            [mode, b'T' | b't'] => (mode, true),
            _ => return Err(VALUE),
        };
        let mode = match mode {
            b'N' | b'n' => ByMode::Notify,
            b'R' | b'r' => ByMode::Return,
            _ => return Err(VALUE),
        };
        let by = time.parse().ok().and_then(|seconds| Self::new(seconds, mode)).ok_or(VALUE)?;
        Ok(Self { is_traced, ..by })
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => "N",
            ByMode::Return => "R",
        };
        write!(f, "{};{mode}{}", self.seconds, if self.is_traced { "T" } else { "" })
    }
}

/// HOLDFOR or HOLDUNTIL: when a message is to be released (RFC 4865 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold<'a> {
    /// HOLDFOR: seconds from now.
    For(HoldSeconds),
    /// HOLDUNTIL: at this time.
    Until(DateTime<'a>),
}

impl Hold<'_> {
    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Hold<'static> {
        match self {
            Self::For(seconds) => Hold::For(seconds),
            Self::Until(time) => Hold::Until(time.into_owned()),
        }
    }
}

/// Seconds of FUTURERELEASE: 1 to 999999999 (RFC 4865 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldSeconds(u32);

impl HoldSeconds {
    /// Makes the value; `None` for 0 and above nine digits.
    #[must_use]
    pub const fn new(seconds: u32) -> Option<Self> {
        match seconds {
            1..=999_999_999 => Some(Self(seconds)),
            _ => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Reads `%x31-39 *8DIGIT`                                  RFC 4865 section 3
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Number`].
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        let error = SyntaxError::new(SyntaxErrorKind::Number, 0);
        if value.len() > 9 || value.starts_with('0') || !is_all(value, DIGIT) {
            return Err(error);
        }
        value.parse().ok().and_then(Self::new).ok_or(error)
    }
}

impl fmt::Display for HoldSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// MT-PRIORITY: -9 to 9, the larger the sooner (RFC 6710 section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i8);

impl Priority {
    /// The priority of a message without the parameter.
    pub const NORMAL: Self = Self(0);

    /// Makes the value; `None` outside -9 to 9.
    #[must_use]
    pub const fn new(priority: i8) -> Option<Self> {
        match priority {
            -9..=9 => Some(Self(priority)),
            _ => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> i8 {
        self.0
    }

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// priority-value = (["-"] NZDIGIT) / "0"                   RFC 6710 section 4
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`].
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        match value.as_bytes() {
            [b'0'] | [b'1'..=b'9'] | [b'-', b'1'..=b'9'] => {
                value.parse().ok().and_then(Self::new).ok_or(VALUE)
            }
            _ => Err(VALUE),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// RRVS: the mailbox must have had this owner since then (RFC 7293 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidSince<'a> {
    time: DateTime<'a>,
    action: RrvsAction,
}

/// The action of a relay when the next host does not offer RRVS (RFC 7293 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RrvsAction {
    /// `R`, or absent: reject the message.
    #[default]
    Reject,
    /// `C`: continue without the test.
    Continue,
}

impl<'a> ValidSince<'a> {
    /// Makes the value of a time and an action.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::DateTime`] for a fraction of a second, which "MUST NOT be used" (RFC 7293 section 3.1).
    pub fn new(time: DateTime<'a>, action: RrvsAction) -> Result<Self, SyntaxError> {
        match time.has_fraction() {
            false => Ok(Self { time, action }),
            true => Err(SyntaxError::new(SyntaxErrorKind::DateTime, 0)),
        }
    }

    /// Returns the time since which the mailbox must have had its owner.
    #[must_use]
    pub const fn time(&self) -> &DateTime<'a> {
        &self.time
    }

    /// Returns the action when the test cannot be passed on.
    #[must_use]
    pub const fn action(&self) -> RrvsAction {
        self.action
    }

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// rrvs-param = "RRVS=" date-time [ ";" ( "C" / "R" ) ]     RFC 7293 section 3.1
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::DateTime`] or [`SyntaxErrorKind::ParameterValue`].
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        let (time, action) = match value.split_once(';') {
            None => (value, RrvsAction::Reject),
            Some((time, "R" | "r")) => (time, RrvsAction::Reject),
            Some((time, "C" | "c")) => (time, RrvsAction::Continue),
            Some((time, _)) => return Err(VALUE.behind(time.len() + 1)),
        };
        Self::new(DateTime::new(time)?, action)
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> ValidSince<'static> {
        ValidSince { time: self.time.into_owned(), action: self.action }
    }
}

text_value!(read ValidSince, ValidSince::parse);

impl fmt::Display for ValidSince<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            RrvsAction::Reject => write!(f, "{}", self.time),
            RrvsAction::Continue => write!(f, "{};C", self.time),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// 2852-4-a
    #[test]
    fn by_is_a_time_a_mode_and_a_trace() {
        for (value, seconds, mode, is_traced, written) in [
            ("120;R", 120, ByMode::Return, false, "120;R"),
            ("-10;NT", -10, ByMode::Notify, true, "-10;NT"),
            ("+1;n", 1, ByMode::Notify, false, "1;N"),
            ("0;nt", 0, ByMode::Notify, true, "0;NT"),
            ("999999999;RT", 999_999_999, ByMode::Return, true, "999999999;RT"),
        ] {
            let by = DeliverBy::parse(value).unwrap();
            let plain = DeliverBy::new(seconds, mode).unwrap();
            assert_eq!(by, if is_traced { plain.with_trace() } else { plain });
            assert_eq!(by.to_string(), written);
        }
        for value in [
            "",
            "120",
            ";R",
            "1;T",
            "1;",
            "1;RR",
            "1;X",
            "1;RTT",
            "1234567890;N",
            "0000000001;N",
            "--1;N",
            "0;R",
            "-1;R",
            "1 ;R",
            "٢;R",
        ] {
            assert!(DeliverBy::parse(value).is_err(), "{value}");
        }
        assert_eq!(DeliverBy::new(1_000_000_000, ByMode::Notify), None);
    }

    /// 2852-4-h
    #[test]
    fn by_is_less_by_the_time_that_a_relay_took() {
        let after = |value, seconds| {
            DeliverBy::parse(value).unwrap().after(seconds).map(|by| by.to_string())
        };
        assert_eq!(after("120;RT", 0).as_deref(), Some("120;RT"));
        assert_eq!(after("120;RT", 50).as_deref(), Some("70;RT"));
        assert_eq!(after("120;R", 120), None);
        assert_eq!(after("120;R", u32::MAX), None);
        assert_eq!(after("120;N", 120).as_deref(), Some("0;N"));
        assert_eq!(after("-10;NT", 20).as_deref(), Some("-30;NT"));
        assert_eq!(after("0;N", u32::MAX).as_deref(), Some("-999999999;N"));
    }

    /// 4865-3-b
    #[test]
    fn seconds_of_a_hold_have_one_to_nine_digits() {
        assert_eq!(HoldSeconds::parse("86400").unwrap().get(), 86400);
        assert_eq!(HoldSeconds::parse("999999999").unwrap().get(), 999_999_999);
        for value in ["", "0", "01", "1234567890", "-1", "+1", "1.5", "x"] {
            assert!(HoldSeconds::parse(value).is_err(), "{value}");
        }
    }

    /// 6710-3-b
    #[test]
    fn a_priority_is_a_digit_with_or_without_a_minus() {
        for priority in -9..=9 {
            assert_eq!(Priority::parse(&priority.to_string()).unwrap().get(), priority);
        }
        for value in ["", "+3", "10", "-10", "-0", "03", "-", "x", "1 "] {
            assert!(Priority::parse(value).is_err(), "{value}");
        }
    }

    /// 7293-3-b
    #[test]
    fn rrvs_is_a_time_and_an_action() {
        for (value, action, written) in [
            ("2022-01-02T01:01:01Z", RrvsAction::Reject, "2022-01-02T01:01:01Z"),
            ("2022-01-02T01:01:01+01:00;R", RrvsAction::Reject, "2022-01-02T01:01:01+01:00"),
            ("2022-01-02T01:01:01Z;c", RrvsAction::Continue, "2022-01-02T01:01:01Z;C"),
        ] {
            let since = ValidSince::parse(value).unwrap();
            assert_eq!((since.action(), since.to_string().as_str()), (action, written));
        }
        for value in [
            "",
            "2022-01-02",
            "2022-01-02T01:01:01",
            "2022-01-02T01:01:01Z;",
            "2022-01-02T01:01:01Z;X",
            "2022-01-02T01:01:01.5Z",
            "2022-01-02T01:01:01.0Z;C",
        ] {
            assert!(ValidSince::parse(value).is_err(), "{value}");
        }
    }
}
