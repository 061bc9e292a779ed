//! The JSON object that gives the reason for a rejection (RFC 7628 section 3.2.2).

use crate::sasl::error::Malformed;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The reason why a server rejects a token, and what a valid token needs.
///
/// RFC 7628 section 3.2.2. The texts come from the peer and may contain anything; they are for a
/// person or for the next request of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorStatus {
    status: Box<str>,
    scope: Option<Box<str>>,
    openid_configuration: Option<Box<str>>,
}

impl Default for ErrorStatus {
    fn default() -> Self {
        Self::invalid_token()
    }
}

impl ErrorStatus {
    /// Creates the status for a token that is expired, revoked, malformed or another user's (RFC
    /// 6750 section 3.1).
    #[must_use]
    pub fn invalid_token() -> Self {
        Self::new("invalid_token")
    }

    /// Creates a status with an error code of the OAuth Extensions Error Registry.
    #[must_use]
    pub fn new(status: impl Into<Box<str>>) -> Self {
        Self { status: status.into(), scope: None, openid_configuration: None }
    }

    /// Sets the scope that a token must have.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<Box<str>>) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }

    /// Sets the URL of the OpenID configuration, where the client learns how to get a token.
    #[must_use]
    pub fn with_openid_configuration(self, url: impl Into<Box<str>>) -> Self {
        Self { openid_configuration: Some(url.into()), ..self }
    }

    /// Returns the error code.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Returns the scope that a token must have.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Returns the URL of the OpenID configuration.
    #[must_use]
    pub fn openid_configuration(&self) -> Option<&str> {
        self.openid_configuration.as_deref()
    }

    /// Encodes the object.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut json = String::from("{\"status\":");
        push_string(&mut json, &self.status);
        let optional =
            [("scope", &self.scope), ("openid-configuration", &self.openid_configuration)];
        for (key, value) in optional {
            if let Some(value) = value {
                json.push(',');
                push_string(&mut json, key);
                json.push(':');
                push_string(&mut json, value);
            }
        }
        json.push('}');
        json.into_bytes()
    }

    /// Parses an object with a `status`; unknown members are skipped, whatever their value.
    ///
    /// # Errors
    /// Octets that are not JSON, not an object, or has no status.
    pub fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        let text = core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))?;
        let mut json = Json(text);
        let (mut status, mut scope, mut openid_configuration) = (None, None, None);
        json.expect('{')?;
        if !json.take('}') {
            loop {
                let key = json.string()?;
                json.expect(':')?;
                let value = json.value()?;
                match key.as_str() {
                    "status" => status = value,
                    "scope" => scope = value,
                    "openid-configuration" => openid_configuration = value,
                    _ => {}
                }
                if json.take('}') {
                    break;
                }
                json.expect(',')?;
            }
        }
        json.space();
        if !json.0.is_empty() {
            return Err(NOT_JSON);
        }
        let status = status.ok_or(Malformed::new("a refusal without a status"))?;
        Ok(Self { status, scope, openid_configuration })
    }
}

const NOT_JSON: Malformed = Malformed::new("not a JSON object");

/// The greatest depth of nesting in skipped values.
const MAX_DEPTH: usize = 8;

fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => json.push_str(&alloc::format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
}

/// A parser for the part of RFC 8259 that this object needs, with the remaining text.
struct Json<'a>(&'a str);

impl Json<'_> {
    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, character: char) -> bool {
        self.space();
        match self.0.strip_prefix(character) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Result<(), Malformed> {
        if self.take(character) { Ok(()) } else { Err(NOT_JSON) }
    }

    fn next(&mut self) -> Result<char, Malformed> {
        let mut characters = self.0.chars();
        let next = characters.next().ok_or(NOT_JSON)?;
        self.0 = characters.as_str();
        Ok(next)
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Ok(text),
                '\\' => text.push(match self.next()? {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => self.escaped()?,
                    other @ ('"' | '\\' | '/') => other,
                    _ => return Err(NOT_JSON),
                }),
                '\0'..='\x1f' => return Err(NOT_JSON),
                other => text.push(other),
            }
        }
    }

    /// Parses what follows `\u`: four digits, or a pair of surrogates.
    fn escaped(&mut self) -> Result<char, Malformed> {
        let unit = self.unit()?;
        let mut units = [unit, 0];
        let mut length = 1;
        if (0xD800..0xDC00).contains(&unit) {
            self.0 = self.0.strip_prefix("\\u").ok_or(NOT_JSON)?;
            units = [unit, self.unit()?];
            length = 2;
        }
        let decoded = char::decode_utf16(units.into_iter().take(length)).next();
        decoded.and_then(Result::ok).ok_or(NOT_JSON)
    }

    fn unit(&mut self) -> Result<u16, Malformed> {
        let digits = self.0.get(..4).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        let unit = u16::from_str_radix(digits.ok_or(NOT_JSON)?, 16).map_err(|_| NOT_JSON)?;
        self.0 = self.0.get(4..).unwrap_or_default();
        Ok(unit)
    }

    /// Parses any value; returns the text of a string or number, `None` for everything else.
    fn value(&mut self) -> Result<Option<Box<str>>, Malformed> {
        self.space();
        if self.0.starts_with('"') {
            return self.string().map(|text| Some(text.into()));
        }
        if self.0.starts_with(['{', '[']) {
            return self.nested().map(|()| None);
        }
        let end = self.0.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end).unwrap_or_default();
        self.0 = rest;
        let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && word.bytes().all(|octet| {
                octet.is_ascii_digit() || matches!(octet, b'-' | b'+' | b'.' | b'e' | b'E')
            });
        match word {
            "true" | "false" | "null" => Ok(None),
            _ if is_number => Ok(Some(word.into())),
            _ => Err(NOT_JSON),
        }
    }

    /// Skips an object or array; only its brackets are checked.
    fn nested(&mut self) -> Result<(), Malformed> {
        let mut closing = [' '; MAX_DEPTH];
        let mut depth = 0;
        loop {
            self.space();
            if self.0.starts_with('"') {
                self.string()?;
                continue;
            }
            match self.next()? {
                open @ ('{' | '[') => {
                    *closing.get_mut(depth).ok_or(NOT_JSON)? = if open == '{' { '}' } else { ']' };
                    depth += 1;
                }
                close @ ('}' | ']') => {
                    depth -= 1;
                    if closing.get(depth) != Some(&close) {
                        return Err(NOT_JSON);
                    }
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7628-3.2.2-b
    #[test]
    fn refusals_of_real_servers_are_read() {
        let cases = [
            (
                r#"{"status":"invalid_token","schemes":"bearer mac","scope":"https://mail.example.com/"}"#,
                ("invalid_token", Some("https://mail.example.com/")),
            ),
            (r#" { "status" : 400 , "schemes":["Bearer",{"a":"]"}], "x":null } "#, ("400", None)),
            (
                r#"{"scope":"a\"b\u00e4\ud83d\ude00","status":"\/"}"#,
                ("/", Some("a\"b\u{e4}\u{1f600}")),
            ),
        ];
        for (json, expected) in cases {
            let status = ErrorStatus::parse(json.as_bytes()).unwrap();
            assert_eq!((status.status(), status.scope()), expected);
            assert_eq!(ErrorStatus::parse(&status.encode()), Ok(status));
        }
    }

    #[test]
    fn what_is_not_a_refusal_is_an_error() {
        let deep = "[".repeat(100);
        let nested = alloc::format!("{{\"status\":\"a\",\"b\":{deep}");
        let cases = [
            "",
            "{}",
            "[]",
            "null",
            "{\"status\":\"a\"",
            "{\"status\":\"a\"}x",
            "{\"status\":\"a\",}",
            "{\"status\":tru}",
            "{\"status\":}",
            "{\"status\":\"\\x\"}",
            "{\"status\":\"\\u12\"}",
            "{\"status\":\"\\ud800\"}",
            "{\"status\":\"\\ud800\\u0041\"}",
            "{\"status\":\"a\nb\"}",
            "{\"status\":\"a\",\"b\":[}]}",
            "{\"status\":true}",
            &nested,
        ];
        for json in cases {
            assert!(ErrorStatus::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(ErrorStatus::parse(b"\xff").is_err());
    }
}
