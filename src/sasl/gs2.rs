//! The header that SCRAM and OAUTHBEARER share (GS2, RFC 5801 section 4).

use super::error::Malformed;
use alloc::borrow::Cow;
use alloc::string::String;

/// The client's flag for channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag<'a> {
    /// `n`: the client does not support channel binding.
    None,
    /// `y`: the client supports it, but believes that the server does not.
    NotOffered,
    /// `p=`: the client uses the type with this registered name.
    Used(&'a str),
}

/// The GS2 header.
///
/// RFC 5802 section 7:
///
/// ```text
/// gs2-header      = gs2-cbind-flag "," [ authzid ] ","
/// gs2-cbind-flag  = ("p=" cb-name) / "n" / "y"
/// cb-name         = 1*(ALPHA / DIGIT / "." / "-")
/// authzid         = "a=" saslname
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header<'a> {
    pub(super) flag: Flag<'a>,
    pub(super) authzid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Creates a header from its parts.
    ///
    /// # Errors
    /// A name of a channel binding that is not of letters, digits, `.` and `-`; an identity
    /// that is empty or holds a NUL.
    pub fn new(flag: Flag<'a>, authzid: Option<Cow<'a, str>>) -> Result<Self, Malformed> {
        if matches!(flag, Flag::Used(name) if !is_binding_name(name)) {
            return Err(Malformed::new("a GS2 flag that is not n, y or p=name"));
        }
        if authzid.as_deref().is_some_and(|authzid| !is_name(authzid)) {
            return Err(Malformed::new("a name that is empty or holds a NUL"));
        }
        Ok(Self { flag, authzid })
    }

    /// Returns the client's flag for channel binding.
    #[must_use]
    pub const fn flag(&self) -> Flag<'a> {
        self.flag
    }

    /// Returns the authorization identity, unquoted.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// Parses a header at the front of a message; returns it and the rest of the message.
    ///
    /// # Errors
    /// Another flag, another attribute than `a`, a name that is not quoted as it must be.
    pub fn parse(text: &'a str) -> Result<(Self, &'a str), Malformed> {
        let missing = Malformed::new("a GS2 header without its two commas");
        let (flag, rest) = text.split_once(',').ok_or(missing)?;
        let (authzid, rest) = rest.split_once(',').ok_or(missing)?;
        let flag = match flag {
            "n" => Flag::None,
            "y" => Flag::NotOffered,
            _ => Flag::Used(
                flag.strip_prefix("p=")
                    .filter(|name| is_binding_name(name))
                    .ok_or(Malformed::new("a GS2 flag that is not n, y or p=name"))?,
            ),
        };
        let authzid = match authzid {
            // "a=" without a name is outside the grammar, but a widespread library sends it in
            // place of an absent name.
            "" | "a=" => None,
            _ => {
                let name = authzid.strip_prefix("a=");
                Some(unquote(name.ok_or(Malformed::new("a GS2 attribute that is not a="))?)?)
            }
        };
        Ok((Self { flag, authzid }, rest))
    }

    /// Encodes the header.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match self.flag {
            Flag::None => text.push('n'),
            Flag::NotOffered => text.push('y'),
            Flag::Used(name) => {
                text.push_str("p=");
                text.push_str(name);
            }
        }
        text.push(',');
        if let Some(authzid) = &self.authzid {
            text.push_str("a=");
            text.push_str(&quote(authzid));
        }
        text.push(',');
        text
    }
}

/// Returns whether `text` can be quoted as a `saslname`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

fn is_binding_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))
}

/// Decodes a quoted name.
///
/// RFC 5802 section 7:
///
/// ```text
/// saslname        = 1*(value-safe-char / "=2C" / "=3D")
/// value-safe-char = UTF8-char except NUL, "=", and ","
/// ```
///
/// # Errors
/// An empty name, a NUL or a comma, an `=` that is not followed by `2C` or `3D` in capitals.
pub fn unquote(name: &str) -> Result<Cow<'_, str>, Malformed> {
    if name.is_empty() || name.contains(['\0', ',']) {
        return Err(Malformed::new("a name that is empty or holds a NUL or a comma"));
    }
    if !name.contains('=') {
        return Ok(Cow::Borrowed(name));
    }
    let mut parts = name.split('=');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            text.push(',');
            text.push_str(rest);
        } else if let Some(rest) = part.strip_prefix("3D") {
            text.push('=');
            text.push_str(rest);
        } else {
            return Err(Malformed::new("an = in a name that is neither =2C nor =3D"));
        }
    }
    Ok(Cow::Owned(text))
}

/// Quotes a name.
#[must_use]
pub fn quote(name: &str) -> Cow<'_, str> {
    if name.contains([',', '=']) {
        Cow::Owned(name.replace('=', "=3D").replace(',', "=2C"))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5802-5.1-a
    #[test]
    fn names_are_quoted() {
        let cases = [
            ("user", Some("user")),
            ("a=2Cb=3Dc", Some("a,b=c")),
            ("=3D=3D2C", Some("==2C")),
            ("\u{fc}", Some("\u{fc}")),
            ("", None),
            ("a,b", None),
            ("a\0", None),
            ("a=2c", None),
            ("a=3d", None),
            ("a=", None),
            ("a=2", None),
            ("a==2C", None),
            ("a=41", None),
        ];
        for (quoted, name) in cases {
            assert_eq!(unquote(quoted).ok().as_deref(), name, "{quoted}");
            if let Some(name) = name {
                assert_eq!(quote(name), quoted);
            }
        }
    }

    /// 5802-5-a, 5802-5-b
    #[test]
    fn headers_are_read_and_written() {
        assert!(Header::new(Flag::Used("a,b"), None).is_err());
        assert!(Header::new(Flag::Used(""), None).is_err());
        assert!(Header::new(Flag::None, Some("".into())).is_err());
        assert!(Header::new(Flag::None, Some("a\0".into())).is_err());
        assert!(Header::new(Flag::Used("tls-unique"), Some("a,b".into())).is_ok());
        let cases = [
            ("n,,", Some((Flag::None, None))),
            ("y,a=admin,", Some((Flag::NotOffered, Some("admin")))),
            ("p=tls-exporter,a=a=2Cb,", Some((Flag::Used("tls-exporter"), Some("a,b")))),
            (",,", None),
            ("x,,", None),
            ("N,,", None),
            ("p=,,", None),
            ("p,,", None),
            ("p=tls unique,,", None),
            ("n,", None),
            ("n", None),
            ("", None),
            ("n,user=ann,", None),
            ("n,a", None),
            ("F,n,,", None),
        ];
        assert_eq!(Header::parse("n,a=,").unwrap().0.authzid, None);
        for (text, expected) in cases {
            let parsed = Header::parse(text).ok();
            let seen = parsed.as_ref().map(|(header, _)| (header.flag, header.authzid.as_deref()));
            assert_eq!(seen, expected, "{text}");
            if let Some((header, rest)) = parsed {
                assert_eq!((header.encode().as_str(), rest), (text, ""));
            }
        }
        assert_eq!(Header::parse("n,,n=user,r=abc").unwrap().1, "n=user,r=abc");
    }
}
