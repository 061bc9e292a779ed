//! Enhanced status codes and their registry.

use core::fmt;

use super::{Class, Code};

/// Subject and detail of an enhanced status code (RFC 3463).
///
/// It has no class of its own: the class is the first digit of the reply code beside it, so a `250 5.1.1` cannot be
/// written (RFC 2034 section 4). The named ones are the registry of RFC 5248; a client that meets another acts on its
/// subject ([`generalised`](Self::generalised)), or on the reply code (RFC 3463 section 2).
///
/// ```
/// use esmtp::syntax::{Code, Status};
///
/// assert_eq!(Status::NO_SUCH_MAILBOX.under(Code::MAILBOX_UNAVAILABLE).unwrap().to_string(), "5.1.1");
/// assert!(Status::NO_SUCH_MAILBOX.goes_with(Code::MAILBOX_UNAVAILABLE));
/// assert!(!Status::NO_SUCH_MAILBOX.goes_with(Code::OK));
/// ```
#[doc(alias("EnhancedStatusCode", "EnhancedCode"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    subject: u16,
    detail: u16,
}

impl Status {
    /// Makes a status; `None` when either number is above 999.
    #[must_use]
    pub const fn new(subject: u16, detail: u16) -> Option<Self> {
        if subject > 999 || detail > 999 {
            return None;
        }
        Some(Self { subject, detail })
    }

    pub(crate) const fn known(subject: u16, detail: u16) -> Self {
        Self { subject, detail }
    }

    /// Returns the second number.
    #[must_use]
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// Returns the third number.
    #[must_use]
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Returns the three numbers as they stand in a reply with this code; `None` with a 3yz, which never has them.
    #[must_use]
    pub const fn under(self, code: Code) -> Option<EnhancedCode> {
        match code.class() {
            Class::Intermediate => None,
            class => Some(EnhancedCode { class, status: self }),
        }
    }

    /// Returns the enhanced status that text under `code` begins with, and the text after it.
    ///
    /// `None` without one: the class must be the first digit of `code`, the numbers must have one to three digits
    /// without a leading zero, and a space or the end of the line must follow. Anything else that looks like a status
    /// is text (RFC 2034 section 4, RFC 3463 section 2).
    ///
    /// ```text
    /// status-code = class "." subject "." detail          RFC 3463 section 2
    /// class       = "2" / "4" / "5"
    /// subject     = 1*3DIGIT
    /// detail      = 1*3DIGIT
    /// ```
    #[must_use]
    pub fn split(code: Code, text: &[u8]) -> Option<(Self, &[u8])> {
        let [class, b'.', rest @ ..] = text else { return None };
        if *class != code.first_digit() || *class == b'3' {
            return None;
        }
        let (subject, rest) = one_to_three_digits(rest)?;
        let [b'.', rest @ ..] = rest else { return None };
        let (detail, rest) = one_to_three_digits(rest)?;
        match rest {
            [] => Some((Self { subject, detail }, rest)),
            [b' ', rest @ ..] => Some((Self { subject, detail }, rest)),
            _ => None,
        }
    }

    /// Returns the reply codes that the registry names for this status, the commonest where it names a whole class;
    /// empty for an unknown one, and for those that go with any code.
    #[must_use]
    pub fn basic_codes(self) -> &'static [Code] {
        self.entry().map_or(&[], |entry| entry.basic_codes)
    }

    /// Returns whether the status is in the registry.
    #[must_use]
    pub fn is_registered(self) -> bool {
        self.entry().is_some()
    }

    /// Returns the meaning in the registry, in a few words.
    #[must_use]
    pub fn meaning(self) -> Option<&'static str> {
        // The documentation is ` X.1.1: bad destination mailbox address.`
        let (_, meaning) = self.entry()?.documentation.split_once(": ")?;
        Some(meaning.trim_end_matches('.'))
    }

    /// Returns whether the registry names `code`, or its class (`5XX`), for this status. An unknown status, and one
    /// that goes with any code, goes with all but 3yz.
    #[must_use]
    pub fn goes_with(self, code: Code) -> bool {
        let basic = self.basic_codes();
        let is_of_class = self.entry().is_some_and(|entry| entry.classes.contains(&code.class()));
        !matches!(code.class(), Class::Intermediate)
            && (basic.is_empty() || basic.contains(&code) || is_of_class)
    }

    /// Returns the closest registered status: an unknown detail becomes detail 0 of its subject, and an unknown subject
    /// `X.0.0` (RFC 3463 section 2).
    ///
    /// ```
    /// use esmtp::syntax::Status;
    ///
    /// assert_eq!(Status::new(1, 99).unwrap().generalised(), Status::OTHER_ADDRESS);
    /// assert_eq!(Status::new(99, 1).unwrap().generalised(), Status::OTHER);
    /// ```
    #[must_use]
    pub fn generalised(self) -> Self {
        [self, Self { detail: 0, ..self }]
            .into_iter()
            .find(|status| status.is_registered())
            .unwrap_or(Self::OTHER)
    }

    fn entry(self) -> Option<&'static Entry> {
        let at = REGISTRY.binary_search_by_key(&self, |entry| entry.status).ok()?;
        REGISTRY.get(at)
    }

    /// Iterates over every registered status, in order.
    pub fn registered() -> impl Iterator<Item = Self> {
        REGISTRY.iter().map(|entry| entry.status)
    }
}

/// Parses `1*3DIGIT` without a leading zero.
fn one_to_three_digits(text: &[u8]) -> Option<(u16, &[u8])> {
    let digit = |octet: &u8| octet.is_ascii_digit().then(|| u16::from(octet - b'0'));
    let [first, rest @ ..] = text else { return None };
    let mut number = digit(first)?;
    let mut rest = rest;
    for _ in 0..2 {
        let [next, behind @ ..] = rest else { return Some((number, rest)) };
        let Some(value) = digit(next) else { return Some((number, rest)) };
        if number == 0 {
            return None;
        }
        number = number * 10 + value;
        rest = behind;
    }
    match rest.first() {
        Some(octet) if octet.is_ascii_digit() => None,
        _ => Some((number, rest)),
    }
}

/// An enhanced status code whole: class, subject and detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    class: Class,
    status: Status,
}

impl EnhancedCode {
    /// Returns the class, which is the reply code's; never intermediate.
    #[must_use]
    pub const fn class(self) -> Class {
        self.class
    }

    /// Returns subject and detail.
    #[must_use]
    pub const fn status(self) -> Status {
        self.status
    }
}

/// `5.1.1`
impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Completion | Class::Intermediate => 2,
            Class::Transient => 4,
            Class::Permanent => 5,
        };
        write!(f, "{class}.{}.{}", self.status.subject, self.status.detail)
    }
}

/// `X.1.1`, as the registry writes it.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X.{}.{}", self.subject, self.detail)
    }
}

struct Entry {
    status: Status,
    documentation: &'static str,
    basic_codes: &'static [Code],
    classes: &'static [Class],
}

macro_rules! registry {
    ($(#[doc = $doc:literal] $name:ident = $subject:literal, $detail:literal, [$($code:literal),*] $($class:ident)*;)*) => {
        /// The registry of RFC 5248 ("SMTP Enhanced Status Codes").
        impl Status {
            $(#[doc = $doc] pub const $name: Self = Self::known($subject, $detail);)*
        }

        static REGISTRY: &[Entry] = &[$(Entry {
            status: Status::$name,
            documentation: $doc,
            basic_codes: &[$(Code::known($code)),*],
            classes: &[$(Class::$class),*],
        }),*];
    };
}

registry! {
    /// X.0.0: other or undefined status.
    OTHER = 0, 0, [];
    /// X.1.0: other address status.
    OTHER_ADDRESS = 1, 0, [250, 550];
    /// X.1.1: bad destination mailbox address.
    NO_SUCH_MAILBOX = 1, 1, [451, 550];
    /// X.1.2: bad destination system address.
    NO_SUCH_SYSTEM = 1, 2, [550];
    /// X.1.3: bad destination mailbox address syntax.
    BAD_DESTINATION_SYNTAX = 1, 3, [501];
    /// X.1.4: destination mailbox address ambiguous.
    AMBIGUOUS_DESTINATION = 1, 4, [550, 553];
    /// X.1.5: destination address valid.
    DESTINATION_VALID = 1, 5, [250];
    /// X.1.6: destination mailbox has moved, no forwarding address.
    MAILBOX_MOVED = 1, 6, [550];
    /// X.1.7: bad sender's mailbox address syntax.
    BAD_SENDER_SYNTAX = 1, 7, [501, 553];
    /// X.1.8: bad sender's system address.
    BAD_SENDER_SYSTEM = 1, 8, [451, 501, 550];
    /// X.1.9: message relayed to non-compliant mailer (RFC 3886).
    NON_COMPLIANT_MAILER = 1, 9, [250];
    /// X.1.10: recipient address has null MX (RFC 7505).
    RECIPIENT_NULL_MX = 1, 10, [556];
    /// X.2.0: other or undefined mailbox status.
    OTHER_MAILBOX = 2, 0, [450, 550];
    /// X.2.1: mailbox disabled, not accepting messages.
    MAILBOX_DISABLED = 2, 1, [450, 550];
    /// X.2.2: mailbox full.
    MAILBOX_FULL = 2, 2, [452, 552];
    /// X.2.3: message length exceeds administrative limit.
    MAILBOX_LENGTH_LIMIT = 2, 3, [552];
    /// X.2.4: mailing list expansion problem.
    LIST_EXPANSION_PROBLEM = 2, 4, [450, 452];
    /// X.3.0: other or undefined mail system status.
    OTHER_SYSTEM = 3, 0, [221, 250, 421, 451, 550, 554];
    /// X.3.1: mail system full.
    SYSTEM_FULL = 3, 1, [452];
    /// X.3.2: system not accepting network messages (also RFC 7504).
    NOT_ACCEPTING = 3, 2, [421, 453, 521];
    /// X.3.3: system not capable of selected features.
    NOT_CAPABLE = 3, 3, [554, 555];
    /// X.3.4: message too big for system.
    MESSAGE_TOO_BIG = 3, 4, [552, 554];
    /// X.3.5: system incorrectly configured.
    MISCONFIGURED = 3, 5, [451, 550];
    /// X.3.6: requested priority was changed (RFC 6710).
    PRIORITY_CHANGED = 3, 6, [250, 251];
    /// X.4.0: other or undefined network or routing status.
    OTHER_NETWORK = 4, 0, [451];
    /// X.4.1: no answer from host.
    NO_ANSWER = 4, 1, [451];
    /// X.4.2: bad connection.
    BAD_CONNECTION = 4, 2, [421];
    /// X.4.3: directory server failure.
    DIRECTORY_FAILURE = 4, 3, [451, 550];
    /// X.4.4: unable to route.
    UNABLE_TO_ROUTE = 4, 4, [451, 550];
    /// X.4.5: mail system congestion.
    CONGESTION = 4, 5, [451, 452];
    /// X.4.6: routing loop detected.
    ROUTING_LOOP = 4, 6, [554];
    /// X.4.7: delivery time expired.
    TIME_EXPIRED = 4, 7, [451, 554];
    /// X.5.0: other or undefined protocol status.
    OTHER_PROTOCOL = 5, 0, [220, 250, 251, 252, 253, 451, 452, 454, 458, 459, 501, 502, 503, 554];
    /// X.5.1: invalid command.
    INVALID_COMMAND = 5, 1, [430, 500, 501, 503, 530, 550, 554, 555];
    /// X.5.2: syntax error.
    SYNTAX_ERROR = 5, 2, [500, 501, 502, 550, 555];
    /// X.5.3: too many recipients.
    TOO_MANY_RECIPIENTS = 5, 3, [451, 452];
    /// X.5.4: invalid command arguments.
    INVALID_ARGUMENTS = 5, 4, [451, 501, 502, 503, 504, 550, 555];
    /// X.5.5: wrong protocol version.
    WRONG_VERSION = 5, 5, [500];
    /// X.5.6: authentication exchange line is too long (RFC 4954).
    AUTH_LINE_TOO_LONG = 5, 6, [500];
    /// X.6.0: other or undefined media error.
    OTHER_CONTENT = 6, 0, [550, 554];
    /// X.6.1: media not supported.
    MEDIA_NOT_SUPPORTED = 6, 1, [554];
    /// X.6.2: conversion required and prohibited.
    CONVERSION_PROHIBITED = 6, 2, [554];
    /// X.6.3: conversion required but not supported.
    CONVERSION_UNSUPPORTED = 6, 3, [554];
    /// X.6.4: conversion with loss performed.
    CONVERSION_WITH_LOSS = 6, 4, [250];
    /// X.6.5: conversion failed.
    CONVERSION_FAILED = 6, 5, [554];
    /// X.6.6: message content not available (RFC 4468).
    CONTENT_NOT_AVAILABLE = 6, 6, [554];
    /// X.6.7: non-ASCII addresses not permitted for that sender or recipient (RFC 6531).
    NON_ASCII_ADDRESS = 6, 7, [550, 553];
    /// X.6.8: UTF-8 string reply is required, but not permitted by the SMTP client (RFC 6531).
    UTF8_REPLY_REQUIRED = 6, 8, [252, 550, 553];
    /// X.6.9: UTF-8 header message cannot be transferred to one or more recipients (RFC 6531).
    UTF8_HEADER_NOT_TRANSFERABLE = 6, 9, [550];
    /// X.6.10: a duplicate of X.6.8, deprecated.
    UTF8_REPLY_REQUIRED_DUPLICATE = 6, 10, [];
    /// X.7.0: other or undefined security status.
    OTHER_SECURITY = 7, 0, [220, 235, 450, 454, 500, 501, 503, 504, 530, 535, 550, 554];
    /// X.7.1: delivery not authorised, message refused.
    NOT_AUTHORISED = 7, 1, [451, 454, 502, 503, 533, 550, 551];
    /// X.7.2: mailing list expansion prohibited.
    LIST_EXPANSION_PROHIBITED = 7, 2, [550];
    /// X.7.3: security conversion required but not possible.
    SECURITY_CONVERSION_IMPOSSIBLE = 7, 3, [550];
    /// X.7.4: security features not supported.
    SECURITY_FEATURES_UNSUPPORTED = 7, 4, [504];
    /// X.7.5: cryptographic failure.
    CRYPTOGRAPHIC_FAILURE = 7, 5, [454];
    /// X.7.6: cryptographic algorithm not supported.
    ALGORITHM_UNSUPPORTED = 7, 6, [554];
    /// X.7.7: message integrity failure.
    INTEGRITY_FAILURE = 7, 7, [554];
    /// X.7.8: authentication credentials invalid (RFC 4954).
    CREDENTIALS_INVALID = 7, 8, [535, 554];
    /// X.7.9: authentication mechanism is too weak (RFC 4954).
    MECHANISM_TOO_WEAK = 7, 9, [534];
    /// X.7.10: encryption needed (RFC 5248).
    ENCRYPTION_NEEDED = 7, 10, [523];
    /// X.7.11: encryption required for requested authentication mechanism (RFC 4954).
    ENCRYPTION_REQUIRED = 7, 11, [524, 538];
    /// X.7.12: a password transition is needed (RFC 4954).
    PASSWORD_TRANSITION_NEEDED = 7, 12, [422, 432];
    /// X.7.13: user account disabled (RFC 5248).
    ACCOUNT_DISABLED = 7, 13, [525];
    /// X.7.14: trust relationship required.
    TRUST_RELATIONSHIP_REQUIRED = 7, 14, [535, 554];
    /// X.7.15: priority level is too low (RFC 6710).
    PRIORITY_TOO_LOW = 7, 15, [450, 550] Transient Permanent;
    /// X.7.16: message is too big for the specified priority (RFC 6710).
    TOO_BIG_FOR_PRIORITY = 7, 16, [552] Transient Permanent;
    /// X.7.17: mailbox owner has changed (RFC 7293).
    MAILBOX_OWNER_CHANGED = 7, 17, [550] Permanent;
    /// X.7.18: domain owner has changed (RFC 7293).
    DOMAIN_OWNER_CHANGED = 7, 18, [550] Permanent;
    /// X.7.19: RRVS test cannot be completed (RFC 7293).
    RRVS_CANNOT_COMPLETE = 7, 19, [550] Permanent;
    /// X.7.20: no passing DKIM signature found (RFC 7372).
    NO_PASSING_DKIM = 7, 20, [550];
    /// X.7.21: no acceptable DKIM signature found (RFC 7372).
    NO_ACCEPTABLE_DKIM = 7, 21, [550];
    /// X.7.22: no valid author-matched DKIM signature found (RFC 7372).
    NO_AUTHOR_DKIM = 7, 22, [550];
    /// X.7.23: SPF validation failed (RFC 7372).
    SPF_FAILED = 7, 23, [550];
    /// X.7.24: SPF validation error (RFC 7372).
    SPF_ERROR = 7, 24, [451, 550];
    /// X.7.25: reverse DNS validation failed (RFC 7372).
    REVERSE_DNS_FAILED = 7, 25, [550];
    /// X.7.26: multiple authentication checks failed (RFC 7372).
    MULTIPLE_CHECKS_FAILED = 7, 26, [550];
    /// X.7.27: sender address has null MX (RFC 7505).
    SENDER_NULL_MX = 7, 27, [550];
    /// X.7.28: the message appears to be part of a mail flood of similar abusive messages.
    MAIL_FLOOD = 7, 28, [450, 451, 550, 554] Transient Permanent;
    /// X.7.29: ARC validation failure (RFC 8617).
    ARC_FAILED = 7, 29, [550];
    /// X.7.30: REQUIRETLS support required (RFC 8689).
    REQUIRETLS_NEEDED = 7, 30, [550];
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_registry_is_in_order_and_its_codes_have_its_classes() {
        assert!(REGISTRY.is_sorted_by(|a, b| a.status < b.status));
        for entry in REGISTRY {
            assert!(entry.basic_codes.is_sorted());
            let numbers = entry.status.to_string();
            assert!(entry.documentation.trim().starts_with(&numbers), "{numbers}");
            assert!(entry.status.meaning().is_some());
            for code in entry.basic_codes {
                assert!(entry.status.goes_with(*code));
                assert!(entry.status.under(*code).is_some());
            }
        }
        assert!(
            Status::OTHER.goes_with(Code::OK) && !Status::OTHER.goes_with(Code::START_MAIL_INPUT)
        );
        // "5XX" (RFC 7293 section 15), "other 4XX or 5XX codes are allowed" (RFC 6710 section 9).
        let (closing, failed) = (Code::known(421), Code::known(554));
        assert!(Status::RRVS_CANNOT_COMPLETE.goes_with(failed));
        assert!(!Status::RRVS_CANNOT_COMPLETE.goes_with(closing));
        assert!(
            Status::PRIORITY_TOO_LOW.goes_with(failed) && Status::MAIL_FLOOD.goes_with(closing)
        );
        assert!(!Status::MAIL_FLOOD.goes_with(Code::OK));
        assert!(!Status::new(7, 999).unwrap().is_registered());
        assert_eq!(Status::new(1000, 0), None);
        assert_eq!(Status::new(0, 1000), None);
    }

    /// 3463-2-a 3463-2-b 5248-2-a
    #[test]
    fn a_status_is_class_subject_and_detail_without_leading_zeros() {
        let split = |text: &'static str| {
            let code = match text.as_bytes().first() {
                Some(b'2') => Code::OK,
                Some(b'4') => Code::LOCAL_ERROR,
                Some(b'3') => Code::START_MAIL_INPUT,
                _ => Code::MAILBOX_UNAVAILABLE,
            };
            Status::split(code, text.as_bytes()).map(|(status, rest)| {
                (status.subject(), status.detail(), core::str::from_utf8(rest).unwrap())
            })
        };
        for (text, meaning) in [
            ("2.0.0 OK", Some((0, 0, "OK"))),
            ("4.7.12 x", Some((7, 12, "x"))),
            ("5.7.509 x", Some((7, 509, "x"))),
            ("5.999.999", Some((999, 999, ""))),
            ("2.1.0  two", Some((1, 0, " two"))),
            ("2.1.5", Some((1, 5, ""))),
            ("2.1.5 ", Some((1, 5, ""))),
            ("3.0.0 x", None),
            ("5.1 x", None),
            ("5.1.1.1 x", None),
            ("5.1.1234 x", None),
            ("5.1234.1 x", None),
            ("5.01.1 x", None),
            ("5.1.01 x", None),
            ("5.00.1 x", None),
            (".1.1 x", None),
            ("5.a.1 x", None),
            ("5..1 x", None),
            ("5.1. x", None),
            (" 5.1.1 x", None),
            ("5.1.1-x", None),
            ("5.1.1\tx", None),
            ("55.1.1 x", None),
            ("", None),
        ] {
            assert_eq!(split(text), meaning, "{text:?}");
        }
        assert_eq!(
            Status::split(Code::MAILBOX_UNAVAILABLE, b"2.1.5 ok"),
            None,
            "the class is the code's"
        );
    }
}
