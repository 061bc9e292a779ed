//! The limits of a session, which EHLO announces with LIMITS (RFC 9422).

use alloc::format;
use alloc::string::String;
use core::num::NonZeroU32;

use super::grammar::{DIGIT, VISIBLE, is_all};
use super::{SyntaxError, SyntaxErrorKind};

/// The limits that LIMITS announces: 1 to 999999 each (RFC 9422 section 4).
///
/// ```
/// use esmtp::syntax::{Extensions, SessionLimits};
///
/// let limits = SessionLimits::default().with_mail_max(50).with_rcpt_max(100);
/// let announced = Extensions::NONE.with_limits(limits);
/// assert!(announced.lines().eq(["LIMITS MAILMAX=50 RCPTMAX=100"]));
/// assert_eq!(announced.limits().rcpt_max(), Some(100));
/// ```
///
/// Limits that the crate does not know, from the registry of IANA (First Come First Served), are kept as they stand:
/// see [`others`](Self::others).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionLimits {
    mail_max: Option<NonZeroU32>,
    rcpt_max: Option<NonZeroU32>,
    rcpt_domain_max: Option<NonZeroU32>,
    /// Limits with other names, `name=value`, with single spaces between.
    others: String,
}

impl SessionLimits {
    const MOST: u32 = 999_999;

    /// Returns the number of a limit: none for 0, and no more than 999999.
    const fn number(value: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(if value > Self::MOST { Self::MOST } else { value })
    }

    /// Sets MAILMAX, the number of transactions in a session: at most 999999; 0 takes it away.
    #[must_use]
    pub const fn with_mail_max(mut self, most: u32) -> Self {
        self.mail_max = Self::number(most);
        self
    }

    /// Sets RCPTMAX, the number of recipients in a transaction: at most 999999; 0 takes it away.
    #[must_use]
    pub const fn with_rcpt_max(mut self, most: u32) -> Self {
        self.rcpt_max = Self::number(most);
        self
    }

    /// Sets RCPTDOMAINMAX, the number of different domains among the recipients of a transaction: at most 999999; 0 takes
    /// it away.
    #[must_use]
    pub const fn with_rcpt_domain_max(mut self, most: u32) -> Self {
        self.rcpt_domain_max = Self::number(most);
        self
    }

    /// Returns MAILMAX: the number of transactions in a session.
    #[must_use]
    pub fn mail_max(&self) -> Option<u32> {
        self.mail_max.map(NonZeroU32::get)
    }

    /// Returns RCPTMAX: the number of recipients in a transaction.
    #[must_use]
    pub fn rcpt_max(&self) -> Option<u32> {
        self.rcpt_max.map(NonZeroU32::get)
    }

    /// Returns RCPTDOMAINMAX: the number of different domains among the recipients of a transaction.
    #[must_use]
    pub fn rcpt_domain_max(&self) -> Option<u32> {
        self.rcpt_domain_max.map(NonZeroU32::get)
    }

    /// Adds a limit that the crate does not know, raw. It replaces one with this name, in any case. The application keeps
    /// to it.
    ///
    /// ```
    /// use esmtp::syntax::{Extensions, SessionLimits};
    ///
    /// let limits = SessionLimits::default().with_rcpt_max(100).with_other("EXAMPLEMAX", "7")?;
    /// let announced = Extensions::NONE.with_limits(limits);
    /// assert!(announced.lines().eq(["LIMITS RCPTMAX=100 EXAMPLEMAX=7"]));
    /// assert_eq!(announced.limits().other("examplemax"), Some("7"));
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Keyword`]: the name is not letters, digits, hyphens and underscores, or it is that of a known
    /// limit, or the value is empty or holds anything but visible ASCII without `;` (RFC 9422 section 3).
    pub fn with_other(mut self, name: &str, value: &str) -> Result<Self, SyntaxError> {
        if !is_other_limit(name, value) {
            return Err(SyntaxError::new(SyntaxErrorKind::Keyword, 0));
        }
        if self.other(name).is_some() {
            let mut less = Self { others: String::new(), ..self.clone() };
            for (kept, value) in self.others().filter(|(kept, _)| !kept.eq_ignore_ascii_case(name))
            {
                less.push_other(kept, value);
            }
            self = less;
        }
        self.push_other(name, value);
        Ok(self)
    }

    fn push_other(&mut self, name: &str, value: &str) {
        if !self.others.is_empty() {
            self.others.push(' ');
        }
        self.others.push_str(name);
        self.others.push('=');
        self.others.push_str(value);
    }

    /// Iterates over the limits that the crate does not know, each with its raw value, in the order of the line.
    pub fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.split(' ').filter_map(|limit| limit.split_once('='))
    }

    /// Returns the raw value of a limit that the crate does not know; the first counts.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&str> {
        self.others().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn read(arguments: &str) -> Self {
        let mut limits = Self::read_known(arguments);
        for (name, value) in arguments.split(' ').filter_map(|limit| limit.split_once('=')) {
            if is_other_limit(name, value) {
                limits.push_other(name, value);
            }
        }
        limits
    }

    /// Reads the limits without those of unknown names, which take memory.
    pub(super) fn read_known(arguments: &str) -> Self {
        let mut limits = Self::default();
        for (name, value) in arguments.split(' ').filter_map(|limit| limit.split_once('=')) {
            let is_number = value.len() <= 6 && !value.starts_with('0') && is_all(value, DIGIT);
            let slot = match name {
                _ if name.eq_ignore_ascii_case("MAILMAX") => &mut limits.mail_max,
                _ if name.eq_ignore_ascii_case("RCPTMAX") => &mut limits.rcpt_max,
                _ if name.eq_ignore_ascii_case("RCPTDOMAINMAX") => &mut limits.rcpt_domain_max,
                _ => continue,
            };
            if is_number {
                *slot = value.parse().ok();
            }
        }
        limits
    }

    pub(super) fn write(&self) -> String {
        let limits = [
            ("MAILMAX", self.mail_max),
            ("RCPTMAX", self.rcpt_max),
            ("RCPTDOMAINMAX", self.rcpt_domain_max),
        ];
        let mut line = String::new();
        for (name, value) in limits {
            if let Some(value) = value {
                let separator = if line.is_empty() { "" } else { " " };
                line.push_str(&format!("{separator}{name}={value}"));
            }
        }
        if !line.is_empty() && !self.others.is_empty() {
            line.push(' ');
        }
        line.push_str(&self.others);
        line
    }
}

/// Returns whether this is a limit in the grammar of LIMITS, with a name that the crate does not know.
///
/// ```text
/// limit-name  = 1*(ALPHA / DIGIT / "-" / "_")                  RFC 9422 section 3
/// limit-value = 1*(%x21-3A / %x3C-7E)     ; any VCHAR but ";"
/// ```
fn is_other_limit(name: &str, value: &str) -> bool {
    let is_known = |known: &str| name.eq_ignore_ascii_case(known);
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    !name.is_empty()
        && name.bytes().all(is_name)
        && !value.is_empty()
        && is_all(value, VISIBLE)
        && !value.contains(';')
        && !["MAILMAX", "RCPTMAX", "RCPTDOMAINMAX"].into_iter().any(is_known)
}
