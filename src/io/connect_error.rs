//! The error of a connector.

use super::{address::AddressError, session_error::SessionError, told};
#[cfg(feature = "rustls")]
use crate::tls;
use crate::{
    client::End,
    sasl::NoCommonMechanism,
    security::TlsFailure,
    syntax::{Mechanism, Reply, SyntaxError, Verb},
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{error::Error, fmt, net::SocketAddr};
use std::io::{self, ErrorKind};

/// The reason why a connector has no session: the step that failed, and why it did.
///
/// `Display` shows the host, the step, and the reply of the server, the reason of the TLS library or the
/// error of the system. No password and no token is in it.
///
/// ```no_run
/// use esmtp::io::{ConnectStep, blocking::Connector};
///
/// match Connector::new("mx.example.org").connect() {
///     Ok(session) => drop(session),
///     Err(error) if error.step() == ConnectStep::Auth => println!("wrong password? {error}"),
///     Err(error) if error.try_next_host() => println!("on to the next MX: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// ```
pub struct ConnectError(Box<Inner>);

struct Inner {
    /// The host and its port, as far as they are known.
    place: String,
    step: ConnectStep,
    cause: Cause,
    hint: Option<&'static str>,
    /// The addresses that failed before.
    attempts: Vec<(SocketAddr, ConnectError)>,
}

/// A step on the way to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectStep {
    /// The address of the server and the settings are read.
    Settings,
    /// The name of the server is looked up.
    Resolve,
    /// The connection is opened.
    Connect,
    /// The greeting is awaited.
    Greeting,
    /// EHLO, LHLO or HELO is sent.
    Hello,
    /// STARTTLS is sent.
    StartTls,
    /// The TLS handshake takes place.
    TlsHandshake,
    /// AUTH is sent.
    Auth,
}

impl ConnectStep {
    /// Returns a word for the step, which serves as a label of a metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "starttls",
            Self::TlsHandshake => "tls_handshake",
            Self::Auth => "auth",
        }
    }
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "settings",
            Self::Resolve => "look-up",
            Self::Connect => "connection",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "STARTTLS",
            Self::TlsHandshake => "TLS handshake",
            Self::Auth => "AUTH",
        })
    }
}

/// The reason why a step has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("the name for the hello: {0}")]
    Hello(SyntaxError),
    #[cfg(feature = "rustls")]
    #[error(transparent)]
    Tls(#[from] tls::ConfigError),
    #[cfg(not(feature = "rustls"))]
    #[error(
        "TLS is required, and this program has no TLS layer: switch on the feature `aws-lc-rs` or \
         `ring` of esmtp, or use TlsPolicy::Never"
    )]
    NoTlsLayer,
    #[error("LMTP on port 25 (RFC 2033 section 5)")]
    LmtpPort,
    #[error("a Unix socket has no port")]
    NotTcp,
    #[error("the name has no address")]
    NoAddress,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it took too long")]
    TimedOut,
    #[error(transparent)]
    End(End),
    #[error("the server rejected {}: {reply}{}", .verb.as_str(), told(.token_error.as_deref()))]
    Refused { verb: Verb, reply: Reply<'static>, token_error: Option<String> },
    #[error("the server does not offer AUTH{0}")]
    NoAuth(&'static str),
    #[error("{reason}; it offers {}", list(offered))]
    NoMechanism { reason: NoCommonMechanism, offered: Vec<Mechanism> },
    #[cfg(not(feature = "getrandom"))]
    #[error("SCRAM needs random octets: switch on the feature `getrandom` of esmtp")]
    NoNonce,
    #[cfg(feature = "getrandom")]
    #[error(transparent)]
    NoRandomness(#[from] crate::sasl::NoRandomness),
}

fn list(mechanisms: &[Mechanism]) -> String {
    match mechanisms.split_first() {
        None => "none".to_string(),
        Some((first, rest)) => rest
            .iter()
            .fold(first.as_str().to_string(), |list, it| alloc::format!("{list} {}", it.as_str())),
    }
}

impl ConnectError {
    pub(super) fn new(
        place: &dyn fmt::Display,
        step: ConnectStep,
        cause: impl Into<Cause>,
    ) -> Self {
        let (place, attempts) = (place.to_string(), Vec::new());
        Self(Box::new(Inner { place, step, cause: cause.into(), hint: None, attempts }))
    }

    /// Adds the likely remedy.
    pub(super) fn with_hint(mut self, hint: Option<&'static str>) -> Self {
        self.0.hint = hint;
        self
    }

    /// Adds the addresses that failed before this one.
    pub(super) fn after(mut self, attempts: Vec<(SocketAddr, Self)>) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Returns the step that failed. Where several addresses were tried, it is that of the last one.
    #[must_use]
    pub const fn step(&self) -> ConnectStep {
        self.0.step
    }

    /// Returns the reply of the server that is the reason, if there is one.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply<'static>> {
        match &self.0.cause {
            Cause::End(End::Refused(reply) | End::TlsRefused(reply)) => Some(reply),
            Cause::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// Returns the JSON with which the server has rejected a token (RFC 7628 section 3.2.2), if there is
    /// one; [`ErrorStatus`](crate::sasl::ErrorStatus) reads it.
    #[must_use]
    pub fn token_error(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Refused { token_error, .. } => token_error.as_deref(),
            _ => None,
        }
    }

    /// Returns the reason for which the session has ended, if one had begun.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        match &self.0.cause {
            Cause::End(end) => Some(end),
            _ => None,
        }
    }

    /// Returns why TLS has failed, if it has: the certificate is for another name, for example.
    #[must_use]
    pub const fn tls_failure(&self) -> Option<&TlsFailure> {
        match &self.0.cause {
            Cause::End(End::TlsFailed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// Returns the likely remedy in words, where the server seems to begin TLS in the other way than this client: it says
    /// nothing to a client in the clear, or greets a client of implicit TLS in the clear. `Display` has it, too.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// Returns the addresses of the host that were tried before the last one, each with its error.
    pub fn attempts(&self) -> impl Iterator<Item = (SocketAddr, &Self)> {
        self.0.attempts.iter().map(|(address, error)| (*address, error))
    }

    /// Returns whether a later attempt with this host and these settings may succeed. It is the
    /// opposite of [`is_permanent`](Self::is_permanent).
    ///
    /// A failure of TLS is of this kind: mail that needs TLS waits until the server is set right (RFC
    /// 8461 section 5.1).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.is_permanent()
    }

    /// Returns whether another attempt fails, too, until the settings or the server are changed: the
    /// server has said so with a 5yz reply, it offers nothing that fits the credentials, or the settings
    /// are wrong.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        let is_now = match &self.0.cause {
            Cause::Refused { .. } | Cause::End(End::Refused(_) | End::TlsRefused(_)) => {
                self.reply().is_some_and(Reply::is_permanent)
            }
            Cause::End(End::NoTlsLayer) => true,
            Cause::End(_) | Cause::Io(_) | Cause::TimedOut | Cause::NoAddress => false,
            #[cfg(feature = "getrandom")]
            Cause::NoRandomness(_) => false,
            _ => true,
        };
        is_now && self.0.attempts.iter().all(|(_, error)| error.is_permanent())
    }

    /// Returns whether another host of the domain (the next MX) may take the mail (RFC 5321 section 5.1):
    /// this host has no address, does not answer, rejects the session, or its TLS fails.
    ///
    /// Rejected credentials, and settings that are wrong, are the same everywhere.
    #[must_use]
    pub fn try_next_host(&self) -> bool {
        match (self.0.step, &self.0.cause) {
            (ConnectStep::Settings, _) | (_, Cause::End(End::NoTlsLayer)) => false,
            (ConnectStep::Auth, cause) => {
                matches!(cause, Cause::End(_) | Cause::Io(_) | Cause::TimedOut)
            }
            _ => true,
        }
    }

    /// Returns the kind of [`io::Error`] that fits: that of the stream where it failed,
    /// [`ErrorKind::InvalidInput`] for settings that are wrong,
    /// [`ErrorKind::PermissionDenied`] for rejected credentials.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match (&self.0.cause, self.0.step) {
            (Cause::Io(error), _) => error.kind(),
            (Cause::TimedOut | Cause::End(End::TimedOut), _) => ErrorKind::TimedOut,
            (Cause::NoAddress, _) => ErrorKind::NotFound,
            (Cause::End(End::Refused(_)), _) => ErrorKind::ConnectionRefused,
            (Cause::End(End::PeerClosed(_) | End::Unsendable), _) => ErrorKind::ConnectionAborted,
            (Cause::End(_), _) => ErrorKind::InvalidData,
            (_, ConnectStep::Auth) => ErrorKind::PermissionDenied,
            (_, ConnectStep::Settings) => ErrorKind::InvalidInput,
            _ => ErrorKind::Other,
        }
    }
}

/// So that `?` works in the session function of a gateway.
impl From<ConnectError> for SessionError {
    fn from(error: ConnectError) -> Self {
        Self::Application(Box::new(error))
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { place, step, cause, hint, attempts } = &*self.0;
        if *step == ConnectStep::Settings {
            return cause.fmt(f);
        }
        write!(f, "{place}: {step}: {cause}")?;
        if let Some(hint) = hint {
            write!(f, " ({hint})")?;
        }
        for (index, (_, error)) in attempts.iter().enumerate() {
            f.write_str(if index == 0 { " (before that: " } else { "; " })?;
            write!(f, "{error}")?;
        }
        f.write_str(if attempts.is_empty() { "" } else { ")" })
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { place, step, cause, hint, attempts } = &*self.0;
        let mut shown = f.debug_struct("ConnectError");
        shown.field("place", place).field("step", step).field("cause", cause);
        if let Some(hint) = hint {
            shown.field("hint", hint);
        }
        if !attempts.is_empty() {
            shown.field("attempts", attempts);
        }
        shown.finish()
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Io(error) => Some(error),
            Cause::End(End::TlsFailed(failure)) => Some(failure),
            Cause::End(end) => Some(end),
            #[cfg(feature = "rustls")]
            Cause::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl From<End> for Cause {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

const _: () = {
    const fn is_free<T: Send + Sync + 'static>() {}
    is_free::<ConnectError>();
    is_free::<Arc<ConnectError>>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn an_error_after_several_addresses_shows_the_reason_of_each() {
        let refused = |port| {
            let error = io::Error::from(ErrorKind::ConnectionRefused);
            ConnectError::new(&at(port), ConnectStep::Connect, error)
        };
        let last = ConnectError::new(&at(3), ConnectStep::Greeting, End::TimedOut);
        let error = last.after(vec![(at(1), refused(1)), (at(2), refused(2))]);
        assert_eq!(
            error.to_string(),
            "192.0.2.1:3: greeting: the server took too long (before that: \
             192.0.2.1:1: connection: connection refused; \
             192.0.2.1:2: connection: connection refused)"
        );
        let ports: Vec<_> = error.attempts().map(|(address, _)| address.port()).collect();
        assert_eq!(ports, [1, 2]);
        assert!(error.is_transient() && error.try_next_host());
        assert!(format!("{error:?}").contains("attempts"));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
    }

    /// RFC 7628 section 3.2.2.
    #[test]
    fn the_json_of_a_refused_token_is_shown_escaped() {
        let (reply, _) = Reply::parse(b"535 5.7.8 no\r\n").unwrap().unwrap();
        let cause = Cause::Refused {
            verb: Verb::Auth,
            reply: reply.into_owned(),
            token_error: Some("{\"status\":\"401\"}\u{1b}".to_string()),
        };
        let error = ConnectError::new(&"mail", ConnectStep::Auth, cause);
        assert_eq!(error.token_error().map(str::len), Some(17));
        let shown = error.to_string();
        assert!(shown.ends_with("535 5.7.8 no ({\"status\":\"401\"}\\u{1b})"), "{shown}");
        assert!(error.is_permanent() && !error.try_next_host());
    }
}
