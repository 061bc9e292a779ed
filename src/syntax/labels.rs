//! Names that a message carries: solicitation classes, tracking, a transaction's identifier, the submitter.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use super::grammar::{ATEXT, BASE64, DIGIT, is_all};
use super::text_value::text_value;
use super::{Lenience, Mailbox, SyntaxError, SyntaxErrorKind, xtext};

const VALUE: SyntaxError = SyntaxError::new(SyntaxErrorKind::ParameterValue, 0);

/// The solicitation classes that NO-SOLICITING refuses and SOLICIT declares (RFC 3865 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Solicitation<'a>(Cow<'a, str>);

impl<'a> Solicitation<'a> {
    /// Octets of the list, RFC 3865 section 2.
    pub const LIMIT: usize = 1000;

    /// Checks and keeps a list.
    ///
    /// ```text
    /// Solicitation-keywords = word 0*("," word)                RFC 3865 section 2
    /// word                  = ALPHA 0*(wordchar)
    /// wordchar              = ("." / "-" / "_" / ":" / ALPHA / DIGIT)
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`], also above 1000 octets.
    pub fn parse(list: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let list = list.into();
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b".-_:".contains(&octet))
        };
        match list.len() <= Self::LIMIT && list.split(',').all(is_word) {
            true => Ok(Self(list)),
            false => Err(VALUE),
        }
    }

    /// Iterates over the classes: `org.example:ADV`.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }
}

text_value!(Solicitation, Solicitation::parse);

/// MTRK: permission to track the message, for a client that knows the secret of the certifier (RFC 3885 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracking<'a> {
    certifier: Cow<'a, str>,
    timeout: Option<u32>,
}

impl<'a> Tracking<'a> {
    /// Checks and keeps certifier and timeout in seconds.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`] when the certifier is not base64 (without padding), or the timeout has more
    /// than nine digits.
    pub fn new(
        certifier: impl Into<Cow<'a, str>>,
        timeout: Option<u32>,
    ) -> Result<Self, SyntaxError> {
        let certifier = certifier.into();
        match is_all(&certifier, BASE64) && timeout.is_none_or(|timeout| timeout <= 999_999_999) {
            true => Ok(Self { certifier, timeout }),
            false => Err(VALUE),
        }
    }

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// mtrk-parameter = "MTRK=" mtrk-certifier [ ":" mtrk-timeout ]      RFC 3885 section 3.1
    /// mtrk-certifier = base64
    /// mtrk-timeout   = 1*9digit
    /// base64         = %x2b / %x2f / %x30-39 / %x41-5a / %x61-7a         section 1
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`].
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        let Some((certifier, timeout)) = value.split_once(':') else {
            return Self::new(value, None);
        };
        if timeout.len() > 9 || !is_all(timeout, DIGIT) {
            return Err(VALUE.behind(certifier.len() + 1));
        }
        Self::new(certifier, Some(timeout.parse().map_err(|_| VALUE)?))
    }

    /// Returns the hash of the secret, in base64 without padding.
    #[must_use]
    pub fn certifier(&self) -> &str {
        &self.certifier
    }

    /// Returns the seconds for which tracking information is to be kept.
    #[must_use]
    pub const fn timeout(&self) -> Option<u32> {
        self.timeout
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Tracking<'static> {
        Tracking { certifier: Cow::Owned(self.certifier.into_owned()), timeout: self.timeout }
    }
}

text_value!(read Tracking, Tracking::parse);

impl fmt::Display for Tracking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.certifier)?;
        match self.timeout {
            Some(timeout) => write!(f, ":{timeout}"),
            None => Ok(()),
        }
    }
}

/// TRANSID: the identifier by which a transaction can be resumed (RFC 1845 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId<'a>(Cow<'a, str>);

impl<'a> TransactionId<'a> {
    /// Octets with the brackets, RFC 1845 section 2.
    pub const LIMIT: usize = 80;

    /// Checks and keeps `<id@domain>`; neither half has to be anything that exists.
    ///
    /// ```text
    /// transid-value = "<" transid-spec ">"                    RFC 1845 section 2
    /// transid-spec  = transid-token "@" transid-token
    /// transid-token = transid-atom *("." transid-atom)
    /// transid-atom  = 1*<any (ASCII) CHAR except SPACE, CTLs, tspecials, or ".">
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`], also above 80 octets.
    pub fn parse(value: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let value = value.into();
        let inside = value.strip_prefix('<').and_then(|value| value.strip_suffix('>'));
        let is_token = |token: &str| token.split('.').all(is_transid_atom);
        let is_spec = inside
            .and_then(|inside| inside.split_once('@'))
            .is_some_and(|(local, domain)| is_token(local) && is_token(domain));
        match value.len() <= Self::LIMIT && is_spec {
            true => Ok(Self(value)),
            false => Err(VALUE),
        }
    }
}

text_value!(TransactionId, TransactionId::parse);

/// Returns whether `tspecials` of MIME leave this atom of RFC 5322: all but `/`, `=` and `?`.
fn is_transid_atom(atom: &str) -> bool {
    is_all(atom, ATEXT) && atom.is_ascii() && !atom.contains(['/', '=', '?'])
}

/// AUTH on MAIL: the identity that submitted the message, as far as the client trusts it (RFC 4954 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Submitter<'a> {
    /// `<>`: the identity is unknown, or withheld.
    Unknown,
    /// This mailbox.
    Mailbox(Mailbox<'a>),
}

impl<'a> Submitter<'a> {
    /// Reads the value of the parameter.
    ///
    /// ```text
    /// auth-param = "AUTH=" xtext      ; a Mailbox or "<>" when decoded        RFC 4954 section 8
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`].
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        Self::parse_with(value, Lenience::default())
    }

    /// Reads the value with these deviations from the grammar of a mailbox ([`Mailbox::parse_with`]).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`].
    pub fn parse_with(value: &'a str, lenience: Lenience) -> Result<Self, SyntaxError> {
        let mailbox = |text| Mailbox::parse_with(text, lenience).map_err(|_| VALUE);
        match xtext::decode_text(value).ok_or(VALUE)? {
            text if text == "<>" => Ok(Self::Unknown),
            Cow::Borrowed(text) => Ok(Self::Mailbox(mailbox(text)?)),
            Cow::Owned(text) => Ok(Self::Mailbox(
                Mailbox::parse_with(&text, lenience).map_err(|_| VALUE)?.into_owned(),
            )),
        }
    }

    /// Returns the mailbox, if there is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Unknown => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Submitter<'static> {
        match self {
            Self::Unknown => Submitter::Unknown,
            Self::Mailbox(mailbox) => Submitter::Mailbox(mailbox.into_owned()),
        }
    }
}

text_value!(read Submitter, Submitter::parse);

/// In xtext.
impl fmt::Display for Submitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Mailbox(mailbox) => {
                let text: String = alloc::format!("{mailbox}");
                f.write_str(&xtext::encoded(text.as_bytes()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// 3865-3-b 3865-3-c
    #[test]
    fn solicitation_classes_begin_with_a_letter() {
        let list = Solicitation::parse("net.example:ADV,org.example:ADV:ADLT").unwrap();
        assert!(list.classes().eq(["net.example:ADV", "org.example:ADV:ADLT"]));
        assert!(Solicitation::parse("a1.b-c_d:E").is_ok());
        for list in ["", "1abc", "a,", ",a", "a b", "a=b", "ü"] {
            assert!(Solicitation::parse(list).is_err(), "{list}");
        }
        assert!(
            Solicitation::parse("a".repeat(1000)).is_ok()
                && Solicitation::parse("a".repeat(1001)).is_err()
        );
    }

    #[test]
    fn tracking_has_a_certifier_and_perhaps_a_timeout() {
        for (value, certifier, timeout) in [
            ("a2FsZjMyMQ", "a2FsZjMyMQ", None),
            ("YWFq/+:86400", "YWFq/+", Some(86400)),
            ("x:007", "x", Some(7)),
        ] {
            let tracking = Tracking::parse(value).unwrap();
            assert_eq!((tracking.certifier(), tracking.timeout()), (certifier, timeout));
            assert_eq!(Tracking::parse(&tracking.to_string()).unwrap(), tracking);
        }
        for value in ["", ":1", "a:", "a:1234567890", "a:x", "a:1:2", "a=", "a b"] {
            assert!(Tracking::parse(value).is_err(), "{value}");
        }
    }

    /// 1845-4-a
    #[test]
    fn a_transaction_id_stands_in_brackets() {
        // No mailbox: RFC 1845 knows neither the 64 octets of a local-part nor the letters of a domain.
        let long = alloc::format!("<{}@b>", "1".repeat(76));
        for value in ["<12345@example.com>", "<a_b@c_d>", "<a!#$%&'*+-^_`{|}~@b>", &long] {
            assert!(TransactionId::parse(value).is_ok(), "{value}");
        }
        let longest = alloc::format!("<{}@b>", "1".repeat(77));
        for value in [
            "",
            "<>",
            "12345@example.com",
            "<12345>",
            "<a@b",
            "<\"a b\"@c>",
            "<\"a\"@c>",
            "<a=b@c>",
            "<a/b@c>",
            "<a@b@c>",
            "<a@[192.0.2.1]>",
            "<.a@b>",
            "<a@b.>",
            "<a..b@c>",
            "<ü@c>",
            &longest,
        ] {
            assert!(TransactionId::parse(value).is_err(), "{value}");
        }
    }

    /// 4954-5-a
    #[test]
    fn a_submitter_is_a_mailbox_in_xtext() {
        assert_eq!(Submitter::parse("<>"), Ok(Submitter::Unknown));
        for (value, mailbox) in
            [("e+3Dmc2@example.com", "e=mc2@example.com"), ("a@b", "a@b"), ("+C3+BC@x", "ü@x")]
        {
            let submitter = Submitter::parse(value).unwrap();
            assert_eq!(submitter, Submitter::Mailbox(Mailbox::parse(mailbox).unwrap()));
            assert_eq!(submitter.to_string(), value);
        }
        for value in ["", "abc", "a=b@c", "<a@b>", "a+2@b", "a@b+0D+0A"] {
            assert!(Submitter::parse(value).is_err(), "{value}");
        }
    }
}
