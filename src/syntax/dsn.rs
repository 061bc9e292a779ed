//! What delivery status notifications add to MAIL and RCPT.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::grammar::{self, ATEXT, span};
use super::lanes::{NameEnd, is_name};
use super::name_table::NameTable;
use super::text_value::text_value;
use super::{Mailbox, SyntaxError, SyntaxErrorKind, Xtext, xtext};

/// RET: how much of the message comes back with a failure (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ret {
    /// FULL: the whole message.
    Full,
    /// HDRS: its header section.
    Headers,
}

impl Ret {
    /// Returns the keyword as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    /// Parses `ret-value = "FULL" / "HDRS"`                           RFC 3461 section 4.3
    pub(crate) fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|ret| is_name(value.as_bytes(), ret.as_str()))
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// ENVID: the sender's identifier of the envelope, xtext of at most 100 octets that is printable when decoded (RFC 3461
/// section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId<'a>(Xtext<'a>);

impl<'a> EnvelopeId<'a> {
    /// Octets of the xtext, RFC 3461 section 4.4.
    pub const LIMIT: usize = 100;

    /// Checks and keeps an identifier that is xtext already; [`encode`](Self::encode) takes plain text.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`] when it is empty, too long, or not printable.
    pub fn new(text: Xtext<'a>) -> Result<Self, SyntaxError> {
        let is_fine = (1..=Self::LIMIT).contains(&text.as_str().len()) && is_printable(&text);
        match is_fine {
            true => Ok(Self(text)),
            false => Err(SyntaxError::new(SyntaxErrorKind::ParameterValue, 0)),
        }
    }

    /// Makes an identifier of plain text, which it encodes.
    ///
    /// ```
    /// use esmtp::syntax::EnvelopeId;
    ///
    /// let id = EnvelopeId::encode("order 17+4")?;
    /// assert_eq!((id.to_string().as_str(), &*id.decoded()), ("order+2017+2B4", "order 17+4"));
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`] when it is empty, not printable ASCII, or has more than 100 octets as xtext.
    pub fn encode(text: &str) -> Result<EnvelopeId<'static>, SyntaxError> {
        EnvelopeId::new(Xtext::encode(text.as_bytes()))
    }

    /// Returns the xtext.
    #[must_use]
    pub fn as_xtext(&self) -> &Xtext<'a> {
        &self.0
    }

    /// Returns the decoded identifier: printable ASCII.
    #[must_use]
    pub fn decoded(&self) -> Cow<'_, str> {
        self.0.decoded_text().unwrap_or_default()
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> EnvelopeId<'static> {
        EnvelopeId(self.0.into_owned())
    }
}

/// In xtext.
impl fmt::Display for EnvelopeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

fn is_printable(text: &Xtext<'_>) -> bool {
    xtext::is_plain(text.as_str()) || text.octets().all(|octet| matches!(octet, b' '..=b'~'))
}

/// NOTIFY: which events are to be notified (RFC 3461 section 4.1).
///
/// ```
/// use esmtp::syntax::Notify;
///
/// let notify = Notify::SUCCESS | Notify::DELAY;
/// assert!(notify.has_success() && !notify.has_failure());
/// assert_eq!(notify.to_string(), "SUCCESS,DELAY");
/// assert_eq!(Notify::NEVER.to_string(), "NEVER");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// No notification.
    pub const NEVER: Self = Self(0);
    /// The message was delivered.
    pub const SUCCESS: Self = Self(1);
    /// The message could not be delivered.
    pub const FAILURE: Self = Self(2);
    /// The delivery of the message is delayed.
    pub const DELAY: Self = Self(4);

    const NAMES: [(&'static str, Self); 4] = [
        ("SUCCESS", Self::SUCCESS),
        ("FAILURE", Self::FAILURE),
        ("DELAY", Self::DELAY),
        ("NEVER", Self::NEVER),
    ];

    /// Returns whether the value is NEVER: no notification.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Returns whether success is among the events.
    #[must_use]
    pub const fn has_success(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns whether failure is among the events.
    #[must_use]
    pub const fn has_failure(self) -> bool {
        self.0 & 2 != 0
    }

    /// Returns whether delay is among the events.
    #[must_use]
    pub const fn has_delay(self) -> bool {
        self.0 & 4 != 0
    }

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// notify-esmtp-value  = "NEVER" / 1#notify-list-element    RFC 3461 section 4.1
    /// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`], also for NEVER beside others.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        let octets = value.as_bytes();
        let (mut notify, mut at) = (Self::NEVER, 0);
        loop {
            let error = SyntaxError::new(SyntaxErrorKind::ParameterValue, at);
            let (event, end) = NOTIFY.find_short(octets, at, NameEnd::SpaceOrComma).ok_or(error)?;
            if event.is_never() && end - at < octets.len() {
                return Err(error);
            }
            notify = notify | *event;
            match octets.get(end) {
                None => return Ok(notify),
                Some(b',') => at = end + 1,
                Some(_) => return Err(error),
            }
        }
    }
}

static NOTIFY: NameTable<Notify, 4> = NameTable::new(Notify::NAMES);

/// Returns the events of both.
impl core::ops::BitOr for Notify {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("NEVER");
        }
        let events = Self::NAMES.into_iter().filter(|(_, event)| self.0 & event.0 != 0);
        for (number, (name, _)) in events.enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// ORCPT: the recipient as the sender wrote it (RFC 3461 section 4.2, RFC 6533 section 3).
///
/// ```
/// use esmtp::syntax::OriginalRecipient;
///
/// let original = OriginalRecipient::parse("rfc822;Bob+2Bcats@Example.COM")?;
/// assert_eq!(original.address_type(), "rfc822");
/// assert_eq!(original.decoded(), "Bob+cats@Example.COM");
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginalRecipient<'a>(Cow<'a, str>);

impl<'a> OriginalRecipient<'a> {
    /// Octets of the value, RFC 3461 section 4.2.
    pub const LIMIT: usize = 500;

    /// Reads the value of the parameter.
    ///
    /// ```text
    /// original-recipient-address = addr-type ";" xtext         RFC 3461 section 4.2
    /// addr-type                  = atom
    /// ```
    ///
    /// With the type `utf-8`, octets above 127 may stand for themselves (RFC 6533 section 3).
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`] outside the grammar, above 500 octets, or when it is not printable.
    pub fn parse(value: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let value = value.into();
        match is_original_recipient(&value) {
            true => Ok(Self(value)),
            false => Err(SyntaxError::new(SyntaxErrorKind::ParameterValue, 0)),
        }
    }

    /// Makes a recipient of this address type, and encodes the address.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse); also for an address beyond ASCII of any other type than
    /// `utf-8` (RFC 3461 section 4.2).
    pub fn new(
        address_type: &str,
        address: &str,
    ) -> Result<OriginalRecipient<'static>, SyntaxError> {
        if !address.is_ascii() && !address_type.eq_ignore_ascii_case(UTF8) {
            return Err(SyntaxError::new(SyntaxErrorKind::ParameterValue, 0));
        }
        let mut value = String::from(address_type);
        value.push(';');
        value.push_str(&xtext::encoded(address.as_bytes()));
        OriginalRecipient::parse(value)
    }

    /// Makes the original recipient of a first submission: the mailbox of RCPT (RFC 3461 section 4.2), as `rfc822`, or
    /// beyond ASCII as `utf-8` (RFC 6533 section 3).
    ///
    /// ```
    /// use esmtp::syntax::{Mailbox, OriginalRecipient};
    ///
    /// let of = |address| OriginalRecipient::of(&Mailbox::parse(address)?);
    /// assert_eq!(of("Bob+cats@example.com")?.as_str(), "rfc822;Bob+2Bcats@example.com");
    /// assert_eq!(of("bö+b@example.com")?.as_str(), r"utf-8;bö\x{2B}b@example.com");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::ParameterValue`] above 500 octets.
    pub fn of(mailbox: &Mailbox<'_>) -> Result<OriginalRecipient<'static>, SyntaxError> {
        let address = mailbox.to_string();
        if address.is_ascii() {
            return Self::new("rfc822", &address);
        }
        let mut value = String::from(UTF8);
        value.push(';');
        for character in address.chars() {
            match character {
                // What QUCHAR leaves out.
                ' ' | '+' | '=' | '\\' => {
                    value.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
                }
                other => value.push(other),
            }
        }
        OriginalRecipient::parse(value)
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(';').unwrap_or((&self.0, ""))
    }

    /// Returns the address type: `rfc822`, `utf-8`.
    #[must_use]
    pub fn address_type(&self) -> &str {
        self.parts().0
    }

    /// Returns the address as it was written, in xtext.
    #[must_use]
    pub fn encoded(&self) -> &str {
        self.parts().1
    }

    /// Returns the address, with the xtext decoded.
    #[must_use]
    pub fn decoded(&self) -> Cow<'_, str> {
        match self.encoded() {
            address if !address.contains('+') => Cow::Borrowed(address),
            address => {
                let octets = xtext::octets_of(address).collect();
                Cow::Owned(String::from_utf8(octets).unwrap_or_default())
            }
        }
    }
}

text_value!(OriginalRecipient, OriginalRecipient::parse);

/// The type of addresses beyond ASCII (RFC 6533 section 3).
const UTF8: &str = "utf-8";

fn is_original_recipient(value: &str) -> bool {
    let Some((address_type, address)) = value.split_at_checked(span(value, ATEXT)) else {
        return false;
    };
    let Some(address) = address.strip_prefix(';') else { return false };
    !address_type.is_empty()
        && address_type.is_ascii()
        && value.len() <= OriginalRecipient::LIMIT
        && (xtext::is_plain(address) || is_encoded_address(address_type, address))
}

/// Returns whether this is xtext, or text beyond ASCII where the type allows it, and printable when decoded.
fn is_encoded_address(address_type: &str, address: &str) -> bool {
    let is_xtext = |piece: &str| Xtext::parse(piece).is_ok();
    let is_fine = match address.is_ascii() {
        true => is_xtext(address),
        // Octets that stand for themselves cannot break a `+` and its two digits apart, so the check of xtext works around them.
        false => {
            address_type.eq_ignore_ascii_case(UTF8)
                && address.split(|c: char| !c.is_ascii()).all(is_xtext)
        }
    };
    let mut is_ascii = true;
    let mut decoded = xtext::octets_of(address).inspect(|octet| is_ascii &= octet.is_ascii());
    // Relays write an internationalized address as `rfc822` too, so UTF-8 is taken in every type.
    is_fine
        && decoded.all(|octet| matches!(octet, b' '..=b'~' | 128..))
        && (is_ascii
            || String::from_utf8(xtext::octets_of(address).collect())
                .is_ok_and(|text| !grammar::has_control(&text)))
}

/// The type without case, the address octet for octet.
impl PartialEq for OriginalRecipient<'_> {
    fn eq(&self, other: &OriginalRecipient<'_>) -> bool {
        self.address_type().eq_ignore_ascii_case(other.address_type())
            && self.decoded() == other.decoded()
    }
}

impl Eq for OriginalRecipient<'_> {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// 3461-4.1-a
    #[test]
    fn notify_is_never_or_a_list_of_events() {
        for (value, written) in [
            ("never", "NEVER"),
            ("SUCCESS", "SUCCESS"),
            ("success,FAILURE,Delay", "SUCCESS,FAILURE,DELAY"),
            ("DELAY,DELAY", "DELAY"),
        ] {
            assert_eq!(Notify::parse(value).unwrap().to_string(), written);
        }
        for (value, offset) in [
            ("", 0),
            ("NEVER,SUCCESS", 0),
            ("SUCCESS,NEVER", 8),
            ("SUCCESS,", 8),
            ("ALWAYS", 0),
            ("SUCCESS;DELAY", 0),
        ] {
            assert_eq!(Notify::parse(value).unwrap_err().offset(), offset, "{value}");
        }
    }

    /// 3461-4.2-a 3461-4.2-d
    #[test]
    fn an_original_recipient_has_a_type_and_xtext() {
        for (value, address_type, decoded) in [
            ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
            ("rfc822;George+2BA@d.example", "rfc822", "George+A@d.example"),
            ("utf-8;+C3+BC@x.example", "utf-8", "ü@x.example"),
            ("utf-8;ü@x.example", "utf-8", "ü@x.example"),
            ("utf-8;\\x{FC}@x.example", "utf-8", "\\x{FC}@x.example"),
            ("x400;/C+3Dno/", "x400", "/C=no/"),
            ("rfc822;a+20b", "rfc822", "a b"),
        ] {
            let original = OriginalRecipient::parse(value).unwrap();
            assert_eq!((original.address_type(), &*original.decoded()), (address_type, decoded));
            assert_eq!(OriginalRecipient::new(address_type, decoded).unwrap(), original);
        }
        let too_long = alloc::format!("rfc822;{}", "o".repeat(494));
        for value in [
            "",
            "a@b",
            ";a",
            "a b;c",
            "rfc822;a=b",
            "rfc822;a+0Ab",
            "rfc822;a+2bb",
            "rfc822;ü@x",
            "rfc822;+C3@x",
            "utf-8;+C3@x",
            "utf-8;+ü41",
            "ü;a",
            &too_long,
        ] {
            assert!(OriginalRecipient::parse(value).is_err(), "{value:?}");
        }
        // Relays write it so.
        assert_eq!(OriginalRecipient::parse("rfc822;+C3+BC@x").unwrap().decoded(), "ü@x");
        assert!(OriginalRecipient::parse(too_long.get(..500).unwrap()).is_ok());
    }

    /// 3461-4.4-a
    #[test]
    fn an_envelope_id_is_printable_and_short() {
        let new = |text: &'static str| EnvelopeId::new(Xtext::parse(text).unwrap());
        assert_eq!(new("a+20b").unwrap().decoded(), "a b");
        assert!(new("").is_err() && new("a+0Ab").is_err() && new("+C3").is_err());
        assert!(EnvelopeId::new(Xtext::encode(&[b'x'; 100])).is_ok());
        assert!(EnvelopeId::new(Xtext::encode(&[b'x'; 101])).is_err());
    }
}
