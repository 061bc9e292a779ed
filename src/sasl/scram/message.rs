//! The four messages of SCRAM (RFC 5802 section 7).
//!
//! Unknown extensions at the end are ignored, except `m=` (RFC 5802 section 5.1); a known attribute
//! in the wrong position is malformed.

use crate::sasl::error::{InitiatorError, Malformed, Refused, VerifierError};
use crate::sasl::gs2::{Header, is_name, quote, unquote};
use crate::sasl::nonce::is_nonce;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core::fmt;

/// The error of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It does not follow the grammar.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It demands an unknown extension, `m=`.
    #[error("a mandatory extension")]
    MandatoryExtension,
}

impl From<MessageError> for InitiatorError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Malformed(malformed) => Self::Malformed(malformed),
            MessageError::MandatoryExtension => Self::MandatoryExtension,
        }
    }
}

impl From<MessageError> for VerifierError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Malformed(malformed) => Self::Malformed(malformed),
            MessageError::MandatoryExtension => Self::MandatoryExtension,
        }
    }
}

/// The client's first message.
///
/// ```text
/// client-first-message      = gs2-header client-first-message-bare
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// username                  = "n=" saslname
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFirst<'a> {
    pub(super) header: Header<'a>,
    pub(super) user: Cow<'a, str>,
    pub(super) nonce: &'a str,
}

/// Shows nothing that permits guessing the password.
impl fmt::Debug for ClientFirst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFirst")
            .field("header", &self.header)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl<'a> ClientFirst<'a> {
    /// Creates a message from its parts.
    ///
    /// # Errors
    /// A name that is empty or holds a NUL; text that is not a nonce.
    pub fn new(
        header: Header<'a>,
        user: impl Into<Cow<'a, str>>,
        nonce: &'a str,
    ) -> Result<Self, Malformed> {
        let user = user.into();
        if !is_name(&user) {
            return Err(Malformed::new("a name that is empty or holds a NUL"));
        }
        Ok(Self { header, user, nonce: check_nonce(nonce)? })
    }

    /// Returns channel binding flag and authorization identity.
    #[must_use]
    pub const fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// Returns the user name, unquoted.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the client's nonce.
    #[must_use]
    pub const fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar; a mandatory extension.
    pub fn parse(octets: &'a [u8]) -> Result<Self, MessageError> {
        let (header, bare) = Header::parse(utf8(octets)?)?;
        let mut attributes = Attributes::new(bare)?;
        let user = unquote(attributes.next('n')?)?;
        let nonce = attributes.nonce()?;
        attributes.extensions()?;
        Ok(Self { header, user, nonce })
    }

    /// Splits a parsed message into its GS2 header and `client-first-message-bare`, which the proof
    /// covers.
    pub(super) fn split(octets: &[u8]) -> (&str, &str) {
        let text = core::str::from_utf8(octets).unwrap_or_default();
        let bare = Header::parse(text).map_or("", |(_, bare)| bare);
        (text.get(..text.len().saturating_sub(bare.len())).unwrap_or_default(), bare)
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}n={},r={}", self.header.encode(), quote(&self.user), self.nonce)
    }
}

/// The server's first message.
///
/// ```text
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count
///                        ["," extensions]
/// salt            = "s=" base64
/// iteration-count = "i=" posit-number
/// posit-number    = %x31-39 *DIGIT
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

/// Shows nothing that permits guessing the password.
impl fmt::Debug for ServerFirst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFirst").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl<'a> ServerFirst<'a> {
    /// Creates a message from its parts.
    ///
    /// # Errors
    /// What is not a nonce; no salt, although the grammar would have it; no iterations.
    pub fn new(
        nonce: &'a str,
        salt: impl Into<Vec<u8>>,
        iterations: u32,
    ) -> Result<Self, Malformed> {
        let salt = salt.into();
        if salt.is_empty() {
            return Err(Malformed::new("an empty salt"));
        }
        if iterations == 0 {
            return Err(Malformed::new("an iteration count that is not a positive number"));
        }
        Ok(Self { nonce: check_nonce(nonce)?, salt, iterations })
    }

    /// Returns the client's nonce followed by the server's.
    #[must_use]
    pub const fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// Returns the salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Returns the iteration count.
    #[must_use]
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar; an iteration count beyond 32 bits; a mandatory extension.
    pub fn parse(octets: &'a [u8]) -> Result<Self, MessageError> {
        let mut attributes = Attributes::new(utf8(octets)?)?;
        let nonce = attributes.nonce()?;
        let salt = base64(attributes.next('s')?)?;
        let iterations = attributes.next('i')?;
        let is_number =
            iterations.bytes().all(|octet| octet.is_ascii_digit()) && !iterations.starts_with('0');
        let iterations = iterations
            .parse()
            .ok()
            .filter(|_| is_number)
            .ok_or(Malformed::new("an iteration count that is not a positive number"))?;
        attributes.extensions()?;
        Ok(Self::new(nonce, salt, iterations)?)
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("r={},s={},i={}", self.nonce, STANDARD.encode(&self.salt), self.iterations)
    }
}

/// The client's final message.
///
/// ```text
/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
/// client-final-message = client-final-message-without-proof "," proof
/// channel-binding      = "c=" base64
/// proof                = "p=" base64
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFinal<'a> {
    pub(super) channel_binding: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) proof: Vec<u8>,
}

/// Shows nothing that permits guessing the password.
impl fmt::Debug for ClientFinal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFinal").finish_non_exhaustive()
    }
}

impl<'a> ClientFinal<'a> {
    /// Creates a message from its parts.
    ///
    /// # Errors
    /// Text that is not a nonce.
    pub fn new(
        channel_binding: impl Into<Vec<u8>>,
        nonce: &'a str,
        proof: impl Into<Vec<u8>>,
    ) -> Result<Self, Malformed> {
        let nonce = check_nonce(nonce)?;
        Ok(Self { channel_binding: channel_binding.into(), nonce, proof: proof.into() })
    }

    /// Returns the GS2 header followed by the data of the channel binding.
    #[must_use]
    pub fn channel_binding(&self) -> &[u8] {
        &self.channel_binding
    }

    /// Returns both nonces.
    #[must_use]
    pub const fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// Returns `ClientProof`, which is worthless in any other exchange.
    #[must_use]
    pub fn proof(&self) -> &[u8] {
        &self.proof
    }

    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar; a mandatory extension.
    pub fn parse(octets: &'a [u8]) -> Result<Self, MessageError> {
        let text = utf8(octets)?;
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or(Malformed::new("no proof at the end"))?;
        let proof = base64(proof)?;
        let mut attributes = Attributes::new(without_proof)?;
        let channel_binding = base64(attributes.next('c')?)?;
        let nonce = attributes.nonce()?;
        attributes.extensions()?;
        Ok(Self { channel_binding, nonce, proof })
    }

    /// Returns `client-final-message-without-proof` of a parsed message.
    pub(super) fn without_proof(octets: &[u8]) -> &str {
        let text = core::str::from_utf8(octets).unwrap_or_default();
        text.rsplit_once(",p=").map_or("", |(without_proof, _)| without_proof)
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> String {
        let without_proof = encode_without_proof(&self.channel_binding, self.nonce);
        format!("{without_proof},p={}", STANDARD.encode(&self.proof))
    }
}

pub(super) fn encode_without_proof(channel_binding: &[u8], nonce: &str) -> String {
    format!("c={},r={nonce}", STANDARD.encode(channel_binding))
}

/// The server's final message.
///
/// ```text
/// server-final-message = (server-error / verifier) ["," extensions]
/// server-error    = "e=" server-error-value
/// verifier        = "v=" base64
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum ServerFinal {
    /// `ServerSignature`, which proves that the server knows the keys.
    Signature(Vec<u8>),
    /// A rejection.
    Refused(Refused),
}

/// Shows nothing that permits guessing the password.
impl fmt::Debug for ServerFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(_) => f.write_str("Signature(..)"),
            Self::Refused(refused) => f.debug_tuple("Refused").field(refused).finish(),
        }
    }
}

impl ServerFinal {
    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar; a mandatory extension.
    pub fn parse(octets: &[u8]) -> Result<Self, MessageError> {
        let mut attributes = Attributes::new(utf8(octets)?)?;
        let read = if attributes.rest.is_some_and(|rest| rest.starts_with("e=")) {
            let value = attributes.next('e')?;
            if value.is_empty() {
                return Err(Malformed::new("an error without a name").into());
            }
            Self::Refused(Refused::from_value(value))
        } else {
            Self::Signature(base64(attributes.next('v')?)?)
        };
        attributes.extensions()?;
        Ok(read)
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Signature(signature) => format!("v={}", STANDARD.encode(signature)),
            Self::Refused(refused) => format!("e={}", refused.as_str()),
        }
    }
}

fn utf8(octets: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))
}

fn check_nonce(nonce: &str) -> Result<&str, Malformed> {
    if is_nonce(nonce) { Ok(nonce) } else { Err(Malformed::new("not a nonce")) }
}

/// Decodes base64 strictly: with the padding in place, and no surplus bits in the last character.
fn base64(text: &str) -> Result<Vec<u8>, Malformed> {
    STANDARD.decode(text).map_err(|_| Malformed::new("not base64"))
}

/// A parser of attributes in their order.
struct Attributes<'a> {
    rest: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    fn new(text: &'a str) -> Result<Self, MessageError> {
        if text.starts_with("m=") {
            return Err(MessageError::MandatoryExtension);
        }
        Ok(Self { rest: Some(text) })
    }

    fn next(&mut self, name: char) -> Result<&'a str, Malformed> {
        let missing = Malformed::new("an attribute is missing or in another place");
        let rest = self.rest.ok_or(missing)?;
        let (attribute, rest) = match rest.split_once(',') {
            Some((attribute, rest)) => (attribute, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        attribute.strip_prefix(name).and_then(|value| value.strip_prefix('=')).ok_or(missing)
    }

    fn nonce(&mut self) -> Result<&'a str, Malformed> {
        check_nonce(self.next('r')?)
    }

    /// Checks the attributes that follow, which a later version may define:
    ///
    /// ```text
    /// extensions = attr-val *("," attr-val)
    /// attr-val   = ALPHA "=" value
    /// value      = 1*value-char               ; UTF8-char except NUL and ","
    /// ```
    fn extensions(&mut self) -> Result<(), MessageError> {
        let Some(rest) = self.rest.take() else { return Ok(()) };
        for attribute in rest.split(',') {
            let (name, value) =
                attribute.split_once('=').ok_or(Malformed::new("an extension without ="))?;
            match name.as_bytes() {
                b"m" => return Err(MessageError::MandatoryExtension),
                [b'a' | b'c' | b'e' | b'i' | b'n' | b'p' | b'r' | b's' | b'v'] => {
                    return Err(Malformed::new("an attribute out of its place").into());
                }
                [letter] if letter.is_ascii_alphabetic() => {}
                _ => return Err(Malformed::new("an extension that is not one letter").into()),
            }
            if value.is_empty() || value.contains('\0') {
                return Err(Malformed::new("an extension without a value").into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::gs2::Flag;

    fn malformed<T>(result: &Result<T, MessageError>) -> bool {
        matches!(result, Err(MessageError::Malformed(_)))
    }

    /// 5802-5-a, 5802-5.1-k
    #[test]
    fn first_messages_of_clients() {
        let message = ClientFirst::parse(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL").unwrap();
        assert_eq!(message.header.flag, Flag::None);
        assert_eq!((&*message.user, message.nonce), ("user", "fyko+d2lbbFgONRv9qkxdawL"));
        assert_eq!(message.encode(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        for text in ["n,,n=user,r=abc,x=1", "n,,n=user,r=abc,x=1,Y==,z=\u{e4}"] {
            assert!(ClientFirst::parse(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            "n,,n=user",
            "n,,r=abc,n=user",
            "n,,n=us=er,r=abc",
            "n,,n=,r=abc",
            "n,,n=user,r=",
            "n,,n=user,r=a\u{7}",
            "n,,n=user,r=a b",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,,x=1",
            "n,,n=user,r=abc,x",
            "n,,n=user,r=abc,x=",
            "n,,n=user,r=abc,1=x",
            "n,,n=user,r=abc,xy=x",
            "n,,n=user,r=abc,n=other",
            "n,,n=user,r=abc,x=\0",
            "n,, n=user,r=abc",
            "n,,N=user,r=abc",
            "n,,nuser,r=abc",
            "",
        ] {
            assert!(malformed(&ClientFirst::parse(text.as_bytes())), "{text}");
        }
        assert!(malformed(&ClientFirst::parse(b"n,,n=us\xffer,r=abc")));
    }

    /// 5802-5.1-b
    #[test]
    fn a_mandatory_extension_is_distinguished_from_a_fault() {
        let mandatory = Err(MessageError::MandatoryExtension);
        for text in ["n,,m=x,n=user,r=abc", "n,,n=user,r=abc,m=x", "n,,n=user,r=abc,x=1,m=x"] {
            assert_eq!(ClientFirst::parse(text.as_bytes()), mandatory.map(|()| unreachable!()));
        }
        for text in ["m=x,r=abcd,s=QQ==,i=4096", "r=abcd,s=QQ==,i=4096,m=x"] {
            assert_eq!(ServerFirst::parse(text.as_bytes()), mandatory.map(|()| unreachable!()));
        }
        let text = b"c=biws,r=abcd,m=x,p=QQ==";
        assert_eq!(ClientFinal::parse(text), mandatory.map(|()| unreachable!()));
        assert_eq!(ServerFinal::parse(b"v=QQ==,m=x"), mandatory.map(|()| unreachable!()));
    }

    /// 5802-7-a
    #[test]
    fn first_messages_of_servers() {
        let text = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let message = ServerFirst::parse(text.as_bytes()).unwrap();
        assert_eq!((message.salt.len(), message.iterations), (12, 4096));
        assert_eq!(message.encode(), text);
        assert!(ServerFirst::parse(b"r=abc,s=QQ==,i=1,x=y").is_ok());
        for text in [
            "r=abc,s=QSXCR+Q6sek8bf92",
            "r=abc,s=QSXCR+Q6sek8bf9,i=4096",
            "r=abc,s=QQ,i=4096",
            "r=abc,s=QQ=,i=4096",
            "r=abc,s=QR==,i=4096",
            "r=abc,s=Q Q=,i=4096",
            "r=abc,s=QQ==QQ==,i=4096",
            "r=abc,s=,i=4096",
            "r=abc,s=QQ==,i=0",
            "r=abc,s=QQ==,i=04096",
            "r=abc,s=QQ==,i=-1",
            "r=abc,s=QQ==,i=+1",
            "r=abc,s=QQ==,i=",
            "r=abc,s=QQ==,i=4294967296",
            "r=abc,s=QQ==,i=1 ",
            "r=abc,s=QQ==,i=4096,i=1",
            "s=QQ==,r=abc,i=4096",
            "",
        ] {
            assert!(malformed(&ServerFirst::parse(text.as_bytes())), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_cannot_be_made() {
        let header = Header::new(Flag::None, None).unwrap();
        assert!(ClientFirst::new(header.clone(), "", "abc").is_err());
        assert!(ClientFirst::new(header.clone(), "a\0", "abc").is_err());
        assert!(ClientFirst::new(header.clone(), "a", "a,b").is_err());
        assert!(ClientFirst::new(header, "a,b", "abc").is_ok());
        assert!(ServerFirst::new("abc", [], 1).is_err());
        assert!(ServerFirst::new("abc", [1], 0).is_err());
        assert!(ServerFirst::new("", [1], 1).is_err());
        assert!(ClientFinal::new(*b"n,,", "a b", [1]).is_err());
    }

    #[test]
    fn final_messages() {
        let text = "c=biws,r=abc,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        let message = ClientFinal::parse(text.as_bytes()).unwrap();
        assert_eq!((message.channel_binding.as_slice(), message.proof.len()), (&b"n,,"[..], 20));
        assert_eq!(message.encode(), text);
        assert_eq!(ClientFinal::without_proof(b"c=biws,r=abc,x=p=1,p=QQ=="), "c=biws,r=abc,x=p=1");
        for text in [
            "c=biws,r=abc",
            "c=biws,p=QQ==",
            "r=abc,c=biws,p=QQ==",
            "c=biws,r=abc,p=QQ==,x=1",
            "c=biws,r=abc,p=QQ",
            "c=biw,r=abc,p=QQ==",
            "c=biws,r=abc,p=QQ==,p=QQ==",
            "p=QQ==",
            "",
        ] {
            assert!(malformed(&ClientFinal::parse(text.as_bytes())), "{text}");
        }
        let cases = [
            ("v=QQ==", Ok(ServerFinal::Signature(b"A".to_vec()))),
            ("e=invalid-proof", Ok(ServerFinal::Refused(Refused::InvalidProof))),
            ("e=something-new", Ok(ServerFinal::Refused(Refused::Other))),
            ("v=QQ==,x=1", Ok(ServerFinal::Signature(b"A".to_vec()))),
            ("e=", Err(())),
            ("e=,x=1", Err(())),
            ("v=QQ", Err(())),
            ("v=QQ==,e=invalid-proof", Err(())),
            ("v=QQ==,", Err(())),
            ("x=1", Err(())),
            ("", Err(())),
        ];
        for (text, expected) in cases {
            assert_eq!(ServerFinal::parse(text.as_bytes()).map_err(|_| ()), expected, "{text}");
        }
    }
}
