//! Every difference between SMTP, submission and LMTP.
//!
//! ```
//! use esmtp::{server::Config, service::Service};
//!
//! let config = Config::new("mail.example.org")?.with_service(Service::Submission);
//! assert!(config.requires_auth());
//! # Ok::<(), esmtp::syntax::SyntaxError>(())
//! ```

use crate::{
    syntax::{Extension, Verb},
    trace::Protocol,
};

/// Which of the three services a session is.
///
/// This is the only place where they differ: everything else asks one of these methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Service {
    /// Mail transfer, port 25 (RFC 5321).
    #[default]
    Smtp,
    /// Message submission, ports 587 and 465 (RFC 6409, RFC 8314).
    Submission,
    /// Local delivery, never on port 25 (RFC 2033).
    Lmtp,
}

impl Service {
    /// Returns the greeting verb that opens a session with extensions.
    #[must_use]
    pub const fn hello(self) -> Verb {
        match self {
            Self::Smtp | Self::Submission => Verb::Ehlo,
            Self::Lmtp => Verb::Lhlo,
        }
    }

    /// Returns whether this service has `verb` at all: EHLO and HELO do not exist in LMTP (RFC 2033
    /// section 4.1), LHLO exists only there; ETRN and TURN are not part of submission (RFC 6409
    /// section 7).
    #[must_use]
    pub const fn knows(self, verb: Verb) -> bool {
        match self {
            Self::Smtp => !matches!(verb, Verb::Lhlo),
            Self::Submission => !matches!(verb, Verb::Lhlo | Verb::Etrn | Verb::Atrn | Verb::Turn),
            Self::Lmtp => {
                !matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Etrn | Verb::Atrn | Verb::Turn)
            }
        }
    }

    /// Returns whether a session without extensions may be opened with HELO (RFC 5321 section 3.2).
    #[must_use]
    pub const fn has_helo(self) -> bool {
        self.knows(Verb::Helo)
    }

    /// Returns whether this service may offer the extension at all: FUTURERELEASE and BURL are for
    /// submission (RFC 4865 section 4, RFC 4468 section 2), ETRN and ATRN are for mail transfer
    /// (RFC 1985 section 1; RFC 2645 section 4; RFC 6409 section 7).
    #[must_use]
    pub const fn has(self, extension: Extension) -> bool {
        match self {
            Self::Smtp => !matches!(extension, Extension::FutureRelease | Extension::Burl),
            Self::Submission => !matches!(extension, Extension::Etrn | Extension::Atrn),
            Self::Lmtp => !matches!(
                extension,
                Extension::FutureRelease | Extension::Burl | Extension::Etrn | Extension::Atrn
            ),
        }
    }

    /// Returns whether there is one final reply for every accepted recipient (RFC 2033 section
    /// 4.2), instead of one for all.
    #[must_use]
    pub const fn replies_per_recipient(self) -> bool {
        matches!(self, Self::Lmtp)
    }

    /// Returns whether this service may run on this TCP port: LMTP never runs on 25 (RFC 2033
    /// section 5).
    #[must_use]
    pub const fn may_use_port(self, port: u16) -> bool {
        !matches!((self, port), (Self::Lmtp, 25))
    }

    /// Returns the TCP port of this service, in the clear or with STARTTLS: 25 (RFC 5321 section
    /// 4.5.4.2), 587 (RFC 6409 section 3.1), 24 (assigned by IANA for LMTP).
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Submission => 587,
            Self::Lmtp => 24,
        }
    }

    /// Returns the TCP port of this service in implicit TLS: 465 (RFC 8314 section 7.3), which is that of
    /// submission. LMTP has none of its own.
    #[must_use]
    pub const fn implicit_port(self) -> u16 {
        match self {
            Self::Smtp | Self::Submission => 465,
            Self::Lmtp => 24,
        }
    }

    /// Returns whether a client of this service requires TLS unless it is configured otherwise (RFC
    /// 8314 section 3).
    #[must_use]
    pub const fn requires_tls(self) -> bool {
        matches!(self, Self::Submission)
    }

    /// Returns whether a server of this service accepts mail only after AUTH unless it is
    /// configured otherwise (RFC 6409 section 4.3).
    #[must_use]
    pub const fn requires_auth(self) -> bool {
        matches!(self, Self::Submission)
    }

    /// Returns whether the extension must always be announced (RFC 2033 section 5).
    #[must_use]
    pub const fn requires(self, extension: Extension) -> bool {
        match self {
            Self::Smtp | Self::Submission => false,
            Self::Lmtp => {
                matches!(extension, Extension::Pipelining | Extension::EnhancedStatusCodes)
            }
        }
    }

    /// Returns the word after `with` in a `Received:` field (RFC 3848; RFC 6531 section 4.3 for
    /// UTF-8).
    ///
    /// ```
    /// use esmtp::service::{Service, With};
    ///
    /// let with = With { is_extended: true, is_secure: true, is_authenticated: true, is_utf8: false };
    /// assert_eq!(Service::Smtp.protocol(with), "ESMTPSA");
    /// ```
    #[must_use]
    pub const fn protocol(self, with: With) -> Protocol<'static> {
        let With { is_extended, is_secure, is_authenticated, is_utf8 } = with;
        Protocol::known(match (self, is_utf8, is_secure, is_authenticated) {
            (Self::Lmtp, false, false, false) => "LMTP",
            (Self::Lmtp, false, true, false) => "LMTPS",
            (Self::Lmtp, false, false, true) => "LMTPA",
            (Self::Lmtp, false, true, true) => "LMTPSA",
            (Self::Lmtp, true, false, false) => "UTF8LMTP",
            (Self::Lmtp, true, true, false) => "UTF8LMTPS",
            (Self::Lmtp, true, false, true) => "UTF8LMTPA",
            (Self::Lmtp, true, true, true) => "UTF8LMTPSA",
            (_, true, false, false) => "UTF8SMTP",
            (_, true, true, false) => "UTF8SMTPS",
            (_, true, false, true) => "UTF8SMTPA",
            (_, true, true, true) => "UTF8SMTPSA",
            (_, false, false, false) if !is_extended => "SMTP",
            (_, false, false, false) => "ESMTP",
            (_, false, true, false) => "ESMTPS",
            (_, false, false, true) => "ESMTPA",
            (_, false, true, true) => "ESMTPSA",
        })
    }
}

/// The properties of a session that [`Service::protocol`] distinguishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct With {
    /// The session was opened with EHLO or LHLO.
    pub is_extended: bool,
    /// The channel is TLS.
    pub is_secure: bool,
    /// AUTH has succeeded.
    pub is_authenticated: bool,
    /// The transaction uses SMTPUTF8.
    pub is_utf8: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lmtp_knows_only_lhlo() {
        for (service, ehlo, lhlo) in [
            (Service::Smtp, true, false),
            (Service::Submission, true, false),
            (Service::Lmtp, false, true),
        ] {
            assert_eq!(service.knows(Verb::Ehlo), ehlo);
            assert_eq!(service.knows(Verb::Helo), ehlo);
            assert_eq!(service.knows(Verb::Lhlo), lhlo);
            assert!(service.knows(service.hello()));
        }
    }

    #[test]
    fn the_s_of_tls_comes_before_the_a_of_auth() {
        let plain = With::default();
        assert_eq!(Service::Smtp.protocol(plain), "SMTP");
        let with = With { is_extended: true, ..plain };
        assert_eq!(Service::Submission.protocol(with), "ESMTP");
        let with = With { is_secure: true, is_authenticated: true, is_utf8: true, ..with };
        assert_eq!(Service::Smtp.protocol(with), "UTF8SMTPSA");
        assert_eq!(Service::Lmtp.protocol(with), "UTF8LMTPSA");
    }
}
