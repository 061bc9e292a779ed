//! OAUTHBEARER (RFC 7628) and XOAUTH2: an OAuth 2.0 token (RFC 6750) instead of a password.
//!
//! Both have an error round: a server that rejects the token gives the reason in a challenge, in
//! JSON; the client acknowledges it, and then the failing reply follows.

use super::gs2::{Flag, Header};
use super::question::{Answer, Question, TokenQuestion};
use super::{
    CredentialsError, ErrorStatus, Identity, Initiator, InitiatorError, Malformed, Mechanism,
    Secret, Step, Verifier, VerifierError,
};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The separator of the pairs, and the whole acknowledgement of an error.
const SEPARATOR: &str = "\u{1}";

/// The message of OAUTHBEARER.
///
/// RFC 7628 section 3.1:
///
/// ```text
/// kvsep          = %x01
/// key            = 1*(ALPHA)
/// value          = *(VCHAR / SP / HTAB / CR / LF )
/// kvpair         = key "=" value kvsep
/// client-resp    = (gs2-header kvsep *kvpair kvsep) / kvsep
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OauthBearer<'a> {
    authzid: Option<Cow<'a, str>>,
    host: Option<&'a str>,
    port: Option<u16>,
    token: &'a str,
}

impl<'a> OauthBearer<'a> {
    /// Creates a message from its parts; an empty token asks which scope a token must have (RFC
    /// 7628 section 4.3).
    ///
    /// # Errors
    /// An empty identity, a port of zero, a character that would end its field.
    pub fn new(
        authzid: Option<&'a str>,
        host: Option<&'a str>,
        port: Option<u16>,
        token: &'a str,
    ) -> Result<Self, CredentialsError> {
        if authzid.is_some_and(str::is_empty) || port == Some(0) {
            return Err(CredentialsError::Empty);
        }
        if authzid.is_some_and(|authzid| !is_authzid(authzid))
            || host.is_some_and(|host| !is_host(host))
            || !(token.is_empty() || is_token(token))
        {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self { authzid: authzid.map(Cow::Borrowed), host, port, token })
    }

    /// Returns the authorization identity.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// Returns the host that the client believes it is connected to.
    #[must_use]
    pub const fn host(&self) -> Option<&'a str> {
        self.host
    }

    /// Returns the port that the client believes it is connected to.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the token; it is empty when the client asks which scope a token must have.
    #[must_use]
    pub const fn token(&self) -> &'a str {
        self.token
    }

    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar, no `auth`, a scheme that is not `Bearer`, channel
    /// binding, a key given twice.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let text = utf8(octets)?;
        let (header, rest) = Header::parse(text)?;
        if matches!(header.flag, Flag::Used(_)) {
            return Err(Malformed::new("channel binding in OAUTHBEARER"));
        }
        let pairs = rest
            .strip_prefix(SEPARATOR)
            .ok_or(Malformed::new("no separator after the GS2 header"))?
            .strip_suffix(SEPARATOR)
            .ok_or(Malformed::new("no final separator"))?;
        let (mut auth, mut host, mut port) = (None, None, None);
        let mut rest = pairs;
        while !rest.is_empty() {
            let (pair, behind) =
                rest.split_once(SEPARATOR).ok_or(Malformed::new("a pair without its separator"))?;
            rest = behind;
            let (key, value) = pair.split_once('=').ok_or(Malformed::new("a pair without ="))?;
            let is_value = |octet: u8| matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~');
            if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) {
                return Err(Malformed::new("a key that is not letters only"));
            }
            if !value.bytes().all(is_value) {
                return Err(Malformed::new("a value that is not printable"));
            }
            let twice = match key {
                "auth" => auth.replace(bearer(value)?).is_some(),
                "host" => host.replace(value).is_some(),
                "port" => port.replace(number(value)?).is_some(),
                // Unknown pairs are ignored.
                _ => false,
            };
            if twice {
                return Err(Malformed::new("a key given twice"));
            }
        }
        let token = auth.ok_or(Malformed::new("no auth"))?;
        if header.authzid().is_some_and(|authzid| !is_authzid(authzid)) {
            return Err(Malformed::new("a separator in the identity"));
        }
        if host.is_some_and(|host| !is_host(host)) {
            return Err(Malformed::new("white space in the host"));
        }
        Ok(Self { authzid: header.authzid, host, port, token })
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let mut head = Header { flag: Flag::None, authzid: self.authzid.clone() }.encode();
        head.push_str(SEPARATOR);
        if let Some(host) = self.host {
            head.push_str(&alloc::format!("host={host}{SEPARATOR}"));
        }
        if let Some(port) = self.port {
            head.push_str(&alloc::format!("port={port}{SEPARATOR}"));
        }
        let scheme: &[u8] = if self.token.is_empty() { b"auth=" } else { b"auth=Bearer " };
        Secret::concat(&[head.as_bytes(), scheme, self.token.as_bytes(), b"\x01\x01"])
    }
}

impl fmt::Debug for OauthBearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthBearer")
            .field("authzid", &self.authzid)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The message of XOAUTH2, as documented by Google and Microsoft:
///
/// ```text
/// "user=" user %x01 "auth=Bearer " token %x01 %x01
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Xoauth2<'a> {
    user: &'a str,
    token: &'a str,
}

impl<'a> Xoauth2<'a> {
    /// Creates a message from its parts.
    ///
    /// # Errors
    /// An empty user or token, a character that would end its field.
    pub fn new(user: &'a str, token: &'a str) -> Result<Self, CredentialsError> {
        if user.is_empty() || token.is_empty() {
            return Err(CredentialsError::Empty);
        }
        if user.contains(['\0', '\u{1}']) || !is_token(token) {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self { user, token })
    }

    /// Returns the user whose mailbox is accessed.
    #[must_use]
    pub const fn user(&self) -> &'a str {
        self.user
    }

    /// Returns the token.
    #[must_use]
    pub const fn token(&self) -> &'a str {
        self.token
    }

    /// Parses a message.
    ///
    /// # Errors
    /// A message that violates the grammar.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let fields = utf8(octets)?
            .strip_suffix("\u{1}\u{1}")
            .ok_or(Malformed::new("not ended by two separators"))?;
        let (user, auth) =
            fields.split_once(SEPARATOR).ok_or(Malformed::new("other than two fields"))?;
        let user = user.strip_prefix("user=").ok_or(Malformed::new("no user"))?;
        let auth = auth.strip_prefix("auth=").ok_or(Malformed::new("no auth"))?;
        Self::new(user, bearer(auth)?).map_err(|_| Malformed::new("an empty user or token"))
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        Secret::concat(&[
            b"user=",
            self.user.as_bytes(),
            b"\x01auth=Bearer ",
            self.token.as_bytes(),
            b"\x01\x01",
        ])
    }
}

impl fmt::Debug for Xoauth2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xoauth2").field("user", &self.user).finish_non_exhaustive()
    }
}

fn utf8(octets: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(octets).map_err(|_| Malformed::new("not UTF-8"))
}

/// Parses `"Bearer" 1*SP token`, the scheme in any case (RFC 7628 section 4), or an empty value.
fn bearer(value: &str) -> Result<&str, Malformed> {
    if value.is_empty() {
        return Ok("");
    }
    let (scheme, token) =
        value.split_once(' ').ok_or(Malformed::new("a scheme without a token"))?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Malformed::new("a scheme that is not Bearer"));
    }
    let token = token.trim_start_matches(' ');
    if is_token(token) { Ok(token) } else { Err(Malformed::new("not a token")) }
}

/// Returns whether `token` consists of visible characters. That is wider than the `b64token` of RFC
/// 6750 section 2.1: tokens are opaque, and some issuers use more characters.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Parses "a decimal positive integer string without leading zeros".
fn number(value: &str) -> Result<u16, Malformed> {
    let is_number = value.bytes().all(|octet| octet.is_ascii_digit()) && !value.starts_with('0');
    value
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or(Malformed::new("a port that is not a positive number"))
}

/// The client's side of either mechanism, once its message is encoded.
#[derive(Debug)]
struct Client {
    state: ClientState,
    refusal: Vec<u8>,
    acknowledgement: &'static [u8],
}

#[derive(Debug)]
enum ClientState {
    Ready(Secret),
    Sent,
    Refused,
    Failed,
}

impl Client {
    fn new(message: Secret, acknowledgement: &'static [u8]) -> Self {
        Self { state: ClientState::Ready(message), refusal: Vec::new(), acknowledgement }
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
        match core::mem::replace(&mut self.state, ClientState::Failed) {
            ClientState::Ready(message) if challenge.is_empty() => {
                self.state = ClientState::Sent;
                Ok(message)
            }
            // After the token the server can only send the reason for rejecting it.
            ClientState::Sent => {
                self.state = ClientState::Refused;
                self.refusal = challenge.into();
                Ok(self.acknowledgement.into())
            }
            ClientState::Ready(_) | ClientState::Refused | ClientState::Failed => {
                Err(InitiatorError::UnexpectedChallenge)
            }
        }
    }

    fn finish(&self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        match self.state {
            ClientState::Sent if data.is_none_or(<[u8]>::is_empty) => Ok(()),
            ClientState::Sent => Err(InitiatorError::UnexpectedChallenge),
            ClientState::Ready(_) | ClientState::Refused | ClientState::Failed => {
                Err(InitiatorError::Incomplete)
            }
        }
    }

    fn refusal(&self) -> Option<&[u8]> {
        matches!(self.state, ClientState::Refused).then_some(self.refusal.as_slice())
    }
}

/// The client's side of OAUTHBEARER.
#[derive(Debug)]
pub struct OauthBearerInitiator(Client);

impl OauthBearerInitiator {
    /// Creates an initiator with this token, user, host and port. Some servers require the user;
    /// host and port are for servers that check them.
    ///
    /// # Errors
    /// An empty token, a character that the message cannot carry.
    pub fn new(
        authzid: Option<&str>,
        endpoint: Option<(&str, u16)>,
        token: &str,
    ) -> Result<Self, CredentialsError> {
        if token.is_empty() {
            return Err(CredentialsError::Empty);
        }
        let authzid = authzid.filter(|authzid| !authzid.is_empty());
        let (host, port) = endpoint.unzip();
        let message = OauthBearer::new(authzid, host, port, token)?;
        Ok(Self(Client::new(message.encode(), SEPARATOR.as_bytes())))
    }
}

/// The client's side of XOAUTH2.
#[derive(Debug)]
pub struct Xoauth2Initiator(Client);

impl Xoauth2Initiator {
    /// Creates an initiator with this token, for this user's mailbox.
    ///
    /// # Errors
    /// An empty user or token, a character that the message cannot carry.
    pub fn new(user: &str, token: &str) -> Result<Self, CredentialsError> {
        // An empty line brings the final failure.
        Ok(Self(Client::new(Xoauth2::new(user, token)?.encode(), b"")))
    }
}

macro_rules! initiators {
    ($($name:ident: $mechanism:ident),*) => {$(
        impl Initiator for $name {
            fn mechanism(&self) -> Mechanism {
                Mechanism::$mechanism
            }

            fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
                if matches!(self.0.state, ClientState::Ready(_)) {
                    self.0.respond(b"").map(Some)
                } else {
                    self.0.state = ClientState::Failed;
                    Err(InitiatorError::UnexpectedChallenge)
                }
            }

            fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
                self.0.respond(challenge)
            }

            fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
                self.0.finish(data)
            }

            fn refusal(&self) -> Option<&[u8]> {
                self.0.refusal()
            }
        }
    )*};
}
initiators! { OauthBearerInitiator: OAUTHBEARER, Xoauth2Initiator: XOAUTH2 }

/// The server's side of either mechanism, once the message is parsed.
#[derive(Debug, Default)]
struct Server {
    state: ServerState,
    status: ErrorStatus,
}

#[derive(Debug, Default)]
enum ServerState {
    #[default]
    Start,
    Asked(Bearer),
    /// The error was sent; its acknowledgement is awaited.
    Refused,
    Over,
}

#[derive(Debug)]
struct Bearer {
    user: Option<String>,
    token: Secret,
    host: Option<String>,
    port: Option<u16>,
    answer: Answer<Result<Box<str>, Option<ErrorStatus>>>,
}

impl Server {
    fn step(
        &mut self,
        response: Option<&[u8]>,
        read: fn(&[u8]) -> Result<Bearer, Malformed>,
    ) -> Step {
        match (core::mem::replace(&mut self.state, ServerState::Over), response) {
            (ServerState::Start, None) => {
                self.state = ServerState::Start;
                Step::Challenge([].into())
            }
            (ServerState::Start, Some(response)) => match read(response) {
                Ok(bearer) if bearer.token.is_empty() => self.refuse(None),
                Ok(bearer) => {
                    self.state = ServerState::Asked(bearer);
                    Step::Ask
                }
                Err(malformed) => Step::Failed(malformed.into()),
            },
            (ServerState::Refused, Some(_)) => Step::Failed(VerifierError::Rejected),
            (ServerState::Asked(_) | ServerState::Refused | ServerState::Over, _) => {
                Step::Failed(VerifierError::OutOfTurn)
            }
        }
    }

    fn refuse(&mut self, status: Option<ErrorStatus>) -> Step {
        self.state = ServerState::Refused;
        Step::Challenge(status.as_ref().unwrap_or(&self.status).encode())
    }

    fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            ServerState::Asked(bearer) => Some(Question::Token(TokenQuestion::new(
                bearer.user.as_deref(),
                &bearer.token,
                (bearer.host.as_deref(), bearer.port),
                &mut bearer.answer,
            ))),
            ServerState::Start | ServerState::Refused | ServerState::Over => None,
        }
    }

    fn resume(&mut self) -> Step {
        let ServerState::Asked(bearer) = &mut self.state else {
            return Step::Failed(VerifierError::OutOfTurn);
        };
        let step = match bearer.answer.take() {
            Answer::Open => return Step::Ask,
            Answer::Unavailable => Step::Failed(VerifierError::Unavailable),
            Answer::Given(Err(status)) => return self.refuse(status),
            Answer::Given(Ok(authcid)) => {
                let user = bearer.user.take().filter(|user| **user != *authcid);
                Step::proved(Identity::new(authcid).with_authzid(user))
            }
        };
        self.state = ServerState::Over;
        step
    }
}

/// The server's side of OAUTHBEARER.
#[derive(Debug, Default)]
pub struct OauthBearerVerifier(Server);

/// The server's side of XOAUTH2.
#[derive(Debug, Default)]
pub struct Xoauth2Verifier(Server);

macro_rules! verifiers {
    ($($name:ident: $mechanism:ident, $read:expr;)*) => {$(
        impl $name {
            /// Creates a verifier.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the error status for a client whose token is rejected, unless the application
            /// gives another with its answer.
            #[must_use]
            pub fn with_error_status(mut self, status: ErrorStatus) -> Self {
                self.0.status = status;
                self
            }
        }

        impl Verifier for $name {
            fn mechanism(&self) -> Mechanism {
                Mechanism::$mechanism
            }

            fn step(&mut self, response: Option<&[u8]>) -> Step {
                self.0.step(response, $read)
            }

            fn question(&mut self) -> Option<Question<'_>> {
                self.0.question()
            }

            fn resume(&mut self) -> Step {
                self.0.resume()
            }
        }
    )*};
}
verifiers! {
    OauthBearerVerifier: OAUTHBEARER, |octets| {
        let message = OauthBearer::parse(octets)?;
        Ok(Bearer {
            user: message.authzid.map(Cow::into_owned),
            token: message.token.into(),
            host: message.host.map(Into::into),
            port: message.port,
            answer: Answer::Open,
        })
    };
    Xoauth2Verifier: XOAUTH2, |octets| {
        let message = Xoauth2::parse(octets)?;
        Ok(Bearer {
            user: Some(message.user.into()),
            token: message.token.into(),
            host: None,
            port: None,
            answer: Answer::Open,
        })
    };
}

fn is_authzid(authzid: &str) -> bool {
    !authzid.contains(['\0', '\u{1}'])
}

fn is_host(host: &str) -> bool {
    host.bytes().all(|octet| octet.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// 7628-3.1-a, 7628-3.1-b, 7628-3.1-c
    #[test]
    fn oauthbearer_is_read_as_the_grammar_says() {
        type Parts<'a> = (Option<&'a str>, Option<&'a str>, Option<u16>, &'a str);
        let cases: [(&str, Option<Parts<'_>>); 26] = [
            (
                "n,a=user@example.com,^host=server.example.com^port=143^auth=Bearer vF9dft4=^^",
                Some((Some("user@example.com"), Some("server.example.com"), Some(143), "vF9dft4=")),
            ),
            ("n,,^auth=bEaReR  t^x=\t y^^", Some((None, None, None, "t"))),
            ("y,,^auth=Bearer t^^", Some((None, None, None, "t"))),
            ("n,a=a=2Cb,^auth=Bearer t^^", Some((Some("a,b"), None, None, "t"))),
            ("n,,^auth=^^", Some((None, None, None, ""))),
            ("n,a=a^auth=b,^auth=Bearer t^^", None),
            ("n,,^host=a b^auth=Bearer t^^", None),
            ("^", None),
            ("", None),
            ("n,,^^", None),
            ("n,,^auth=Bearer t^", None),
            ("n,,^auth=Bearer t", None),
            ("n,,auth=Bearer t^^", None),
            ("n,,^host=a^^", None),
            ("n,,^auth=MAC t^^", None),
            ("n,,^auth=Bearer^^", None),
            ("n,,^auth=Bearer ^^", None),
            ("n,,^auth=Bearer a b^^", None),
            ("n,,^auth=Bearer t^auth=Bearer u^^", None),
            ("n,,^a-b=c^auth=Bearer t^^", None),
            ("n,,^=c^auth=Bearer t^^", None),
            ("n,,^port=0^auth=Bearer t^^", None),
            ("n,,^port=+1^auth=Bearer t^^", None),
            ("n,,^port=65536^auth=Bearer t^^", None),
            ("n,,^host=\u{7f}^auth=Bearer t^^", None),
            ("p=tls-unique,,^auth=Bearer t^^", None),
        ];
        for (text, expected) in cases {
            let octets = text.replace('^', "\u{1}");
            let message = OauthBearer::parse(octets.as_bytes()).ok();
            let seen = message.as_ref().map(|m| (m.authzid.as_deref(), m.host, m.port, m.token));
            assert_eq!(seen, expected, "{text}");
            if let Some(message) = message {
                let written = message.encode();
                assert_eq!(OauthBearer::parse(written.expose()).ok().as_ref(), Some(&message));
            }
        }
    }

    /// RFC 7628 section 4.1, over SMTP.
    #[test]
    fn the_published_message() {
        let mut client = OauthBearerInitiator::new(
            Some("user@example.com"),
            Some(("server.example.com", 587)),
            "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
        )
        .unwrap();
        let message = client.initial_response().unwrap().unwrap();
        assert_eq!(
            STANDARD.encode(message.expose()),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9Q\
             mVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        assert_eq!(client.finish(None), Ok(()));
    }

    /// XOAUTH2-1-a
    #[test]
    fn xoauth2_is_read_as_documented() {
        let cases = [
            ("user=a@b^auth=Bearer t^^", Some(("a@b", "t"))),
            ("user=a^auth=bearer t^^", Some(("a", "t"))),
            ("user=a^auth=Bearer t^", None),
            ("auth=Bearer t^^", None),
            ("user=^auth=Bearer t^^", None),
            ("user=a^auth=t^^", None),
            ("user=a^auth=^^", None),
            ("user=a^auth=Bearer t^x=y^^", None),
            ("user=a^user=b^auth=Bearer t^^", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let octets = text.replace('^', "\u{1}");
            let message = Xoauth2::parse(octets.as_bytes()).ok();
            assert_eq!(message.map(|m| (m.user, m.token)), expected, "{text}");
        }
        assert!(Xoauth2::parse(b"user=\xff\x01auth=Bearer t\x01\x01").is_err());
    }

    /// 7628-3.1-d, 7628-3.2.2-a, 7628-3.2.2-b, 7628-3.2.3-a, 7628-3.2.3-b, XOAUTH2-1-b
    #[test]
    fn a_refusal_takes_a_round() {
        type Pair = (Box<dyn Initiator>, Box<dyn Verifier>, &'static [u8]);
        let pairs: [Pair; 2] = [
            (
                Box::new(OauthBearerInitiator::new(Some("ann"), None, "t").unwrap()),
                Box::new(OauthBearerVerifier::new()),
                b"\x01",
            ),
            (
                Box::new(Xoauth2Initiator::new("ann", "t").unwrap()),
                Box::new(Xoauth2Verifier::new()),
                b"",
            ),
        ];
        for (mut client, mut server, acknowledgement) in pairs {
            assert!(client.needs_tls());
            let message = client.initial_response().unwrap().unwrap();
            assert!(matches!(server.step(Some(message.expose())), Step::Ask));
            let Some(Question::Token(question)) = server.question() else { panic!() };
            assert!(question.user() == Some("ann") && question.token().matches(b"t"));
            question.reject_with(ErrorStatus::invalid_token().with_scope("example_scope"));
            let Step::Challenge(error) = server.resume() else { panic!() };
            assert_eq!(error, br#"{"status":"invalid_token","scope":"example_scope"}"#);

            assert_eq!(client.respond(&error).unwrap().expose(), acknowledgement);
            let status = ErrorStatus::parse(client.refusal().unwrap()).unwrap();
            assert_eq!((status.status(), status.scope()), ("invalid_token", Some("example_scope")));
            // Success is not accepted from here on.
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
            assert!(client.respond(b"").is_err());

            let end = server.step(Some(acknowledgement));
            assert!(matches!(end, Step::Failed(VerifierError::Rejected)));
        }
        let lone = OauthBearerVerifier::new().step(Some(b"\x01"));
        assert!(matches!(lone, Step::Failed(VerifierError::Malformed(_))));
    }

    /// RFC 7628 section 4.3: the empty `auth` asks for the scope.
    #[test]
    fn a_client_may_ask_for_the_scope() {
        let mut server = OauthBearerVerifier::new().with_error_status(
            ErrorStatus::invalid_token()
                .with_scope("example_scope")
                .with_openid_configuration("https://example.com/.well-known/openid-configuration"),
        );
        let asking =
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01";
        let Step::Challenge(error) = server.step(Some(asking)) else { panic!() };
        assert_eq!(
            STANDARD.encode(error),
            "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbm\
             ZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0\
             aW9uIn0="
        );
        assert!(matches!(server.step(Some(b"\x01")), Step::Failed(VerifierError::Rejected)));
    }

    #[test]
    fn the_identity_is_the_tokens() {
        let mut server = OauthBearerVerifier::new();
        assert!(matches!(server.step(None), Step::Challenge(empty) if empty.is_empty()));
        let _ = server.step(Some(b"n,a=office,\x01host=h\x01port=25\x01auth=Bearer t\x01\x01"));
        assert!(matches!(server.resume(), Step::Ask));
        let Some(Question::Token(question)) = server.question() else { panic!() };
        assert_eq!((question.host(), question.port()), (Some("h"), Some(25)));
        question.accept_as("ann");
        let Step::Proved(proven) = server.resume() else { panic!() };
        let identity = proven.into_identity();
        assert_eq!((identity.authcid(), identity.authzid()), ("ann", Some("office")));
    }

    #[test]
    fn no_token_is_shown() {
        let mut client = Xoauth2Initiator::new("ann", "ya29secret").unwrap();
        let mut server = Xoauth2Verifier::new();
        let other = OauthBearerInitiator::new(None, None, "ya29secret").unwrap();
        let mut shown = format!("{client:?} {other:?}");
        let message = client.initial_response().unwrap().unwrap();
        let _ = server.step(Some(message.expose()));
        shown += &format!("{client:?} {server:?} {message:?}");
        shown += &format!("{:?}", server.question());
        shown += &format!("{:?}", Xoauth2::parse(message.expose()));
        let message = OauthBearer::new(None, None, None, "ya29secret").unwrap();
        shown += &format!("{message:?}");
        assert!(!shown.contains("ya29secret"), "{shown}");
    }

    #[test]
    fn what_no_message_can_carry_is_refused() {
        for token in ["", "a b", "a\u{1}", "\u{e4}"] {
            assert!(Xoauth2Initiator::new("ann", token).is_err());
            assert!(OauthBearerInitiator::new(None, None, token).is_err());
        }
        assert!(Xoauth2Initiator::new("", "t").is_err());
        assert!(Xoauth2Initiator::new("a\u{1}b", "t").is_err());
        assert!(OauthBearerInitiator::new(None, Some(("a\u{1}", 25)), "t").is_err());
        assert!(OauthBearerInitiator::new(Some("a\u{1}"), None, "t").is_err());
    }
}
