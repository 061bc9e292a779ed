//! The reasons for which a session ends, and for which a message or its content cannot be sent.

use crate::{
    envelope::Few,
    machine::Closed,
    sasl::InitiatorError,
    security::TlsFailure,
    syntax::{AttributeName, Extension, Reply, ReplyError, Status, SyntaxError, Verb},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt;

/// The reason for which a session has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// QUIT was sent, and answered or followed by the end of the connection.
    #[error("the session was ended with QUIT")]
    Quit,
    /// The server rejects the session: by a negative greeting, by a negative reply to EHLO and HELO (the
    /// reply is that to EHLO then, also where the connection was closed before the reply to HELO), or
    /// by 421 (RFC 5321 section 3.8).
    #[error("the server refused to go on with the session: {0}")]
    Refused(Arc<Reply<'static>>),
    /// The server closed the connection without a 421.
    #[error("the server closed the connection")]
    PeerClosed(Closed),
    /// Writing has failed, and no reply came after that.
    #[error("the connection was lost while writing")]
    Unsendable,
    /// A deadline of [`Timeouts`](super::Timeouts) passed.
    #[error("the server took too long")]
    TimedOut,
    /// The server broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Content was aborted after DATA, where only closing keeps the server from accepting it as a whole
    /// message.
    #[error("content was aborted")]
    Aborted,
    /// The server takes no more transactions in this session (MAILMAX of LIMITS, RFC 9422 section
    /// 4.1), and QUIT was sent: further messages need another session.
    #[error("the server takes no more transactions in a session")]
    MailMax,
    /// TLS is [required](super::TlsPolicy::Required), and the server does not offer it.
    #[error("TLS is required and not offered")]
    TlsNotOffered,
    /// TLS is [required](super::TlsPolicy::Required), and the server rejected STARTTLS.
    #[error("TLS is required and the server rejected it: {0}")]
    TlsRefused(Arc<Reply<'static>>),
    /// TLS failed, in the handshake or after it: there is no way back into the clear.
    #[error("TLS failed: {0}")]
    TlsFailed(TlsFailure),
    /// STARTTLS was accepted, and the client is in no TLS layer. The configuration asks for TLS, so the
    /// machine belongs in one: `tls::Secured::start_tls`, or one of the application's own that
    /// answers [`Event::Upgrade`](super::Event::Upgrade).
    #[error(
        "TLS is asked for, but the client is in no TLS layer: connect with a Connector, or put the client into \
         tls::Secured::start_tls"
    )]
    NoTlsLayer,
    /// An exchange of AUTH has failed: the server broke the mechanism, or announced a success without
    /// having proven itself.
    #[error("authentication failed: {0}")]
    Auth(#[source] AuthError),
    /// The server has turned the roles (ATRN, RFC 2645 section 5.3), and no machine took the channel
    /// over.
    #[error("the roles were turned, and no machine took the channel over")]
    HandedOver,
    /// [`Client::close`](super::Client::close) was called.
    #[error("the session was closed by this side")]
    Closed,
}

/// | end | [permanent](Self::is_permanent) | [next host](Self::try_next_host) |
/// |---|---|---|
/// | [`Refused`](Self::Refused): a greeting or a reply to EHLO, 4yz; 421 at any time | no | yes |
/// | [`Refused`](Self::Refused): a greeting or a reply to EHLO, 5yz | yes | yes |
/// | [`PeerClosed`](Self::PeerClosed), [`Unsendable`](Self::Unsendable), [`TimedOut`](Self::TimedOut) | no | yes |
/// | [`Protocol`](Self::Protocol), [`Auth`](Self::Auth) | no | yes |
/// | [`TlsNotOffered`](Self::TlsNotOffered), [`TlsFailed`](Self::TlsFailed) | no | yes |
/// | [`TlsRefused`](Self::TlsRefused) | as its reply | yes |
/// | [`MailMax`](Self::MailMax): another session with this host | no | no |
/// | [`NoTlsLayer`](Self::NoTlsLayer): a mistake of this side | yes | no |
/// | [`Quit`](Self::Quit), [`Closed`](Self::Closed), [`Aborted`](Self::Aborted), [`HandedOver`](Self::HandedOver): this side has ended it | no | no |
impl End {
    /// Returns a short word for the kind of end, which serves as a label of a metric: `quit`,
    /// `refused`, `tls_failed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Refused(_) => "refused",
            Self::PeerClosed(_) => "peer_closed",
            Self::Unsendable => "unsendable",
            Self::TimedOut => "timed_out",
            Self::Protocol(_) => "protocol",
            Self::Aborted => "aborted",
            Self::MailMax => "mail_max",
            Self::TlsNotOffered => "tls_not_offered",
            Self::TlsRefused(_) => "tls_refused",
            Self::TlsFailed(_) => "tls_failed",
            Self::NoTlsLayer => "no_tls_layer",
            Self::Auth(_) => "auth",
            Self::HandedOver => "handed_over",
            Self::Closed => "closed",
        }
    }

    /// Returns whether a later session with this host may go better. It is the opposite of
    /// [`is_permanent`](Self::is_permanent).
    ///
    /// A failure of TLS is of this kind: the sender of a message that needs TLS waits until the
    /// server is set right (RFC 8461 section 5.1, RFC 8689 section 4.2.1).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.is_permanent()
    }

    /// Returns whether a later session with this host ends in this way again: the server has said so
    /// with a 5yz reply (RFC 5321 section 4.2.1), or this side lacks a TLS layer. Other hosts may
    /// still take the mail ([`try_next_host`](Self::try_next_host)).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(reply) | Self::TlsRefused(reply) => reply.is_permanent(),
            Self::NoTlsLayer => true,
            _ => false,
        }
    }

    /// Returns whether this end justifies another host of the domain (the next MX, or the next address)
    /// for the recipients that have no reply of their own (RFC 5321 section 5.1): this host does not
    /// take the mail now, and that may be the fault of this host alone.
    ///
    /// A reply to MAIL, RCPT or the content is an answer about the message and not an end: the next host
    /// gives the same, and is not asked.
    ///
    /// ```
    /// use esmtp::{client::End, machine::Closed};
    ///
    /// assert!(End::PeerClosed(Closed::Clean).try_next_host());
    /// assert!(!End::Quit.try_next_host());
    /// ```
    #[must_use]
    pub const fn try_next_host(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::PeerClosed(_)
            | Self::Unsendable
            | Self::TimedOut
            | Self::Protocol(_)
            | Self::TlsNotOffered
            | Self::TlsRefused(_)
            | Self::TlsFailed(_)
            | Self::Auth(_) => true,
            Self::Quit
            | Self::Aborted
            | Self::MailMax
            | Self::NoTlsLayer
            | Self::HandedOver
            | Self::Closed => false,
        }
    }

    /// Returns the reply that has ended the session, if one has.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply<'static>> {
        match self {
            Self::Refused(reply) | Self::TlsRefused(reply) => Some(reply),
            _ => None,
        }
    }
}

/// A violation of the protocol by the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Octets that are not a reply (RFC 5321 section 4.2).
    #[error("what the server sent is not a reply: {0}")]
    Syntax(#[from] ReplyError),
    /// A reply, or the replies of a transaction, beyond [`Limits`](super::Limits).
    #[error("the server sends more than the limits allow")]
    TooLong,
    /// A reply that does not belong to its command (RFC 5321 section 4.3.2).
    #[error("the server answered with a reply code that does not belong to the command: {reply}")]
    UnexpectedReply {
        /// The command; `None` for the greeting.
        to: Option<Verb>,
        /// The reply.
        reply: Arc<Reply<'static>>,
    },
    /// Octets in the clear after the 220 to STARTTLS, which an attacker may have injected (command
    /// injection, RFC 3207 section 6).
    #[error("octets follow the reply to STARTTLS")]
    Injection,
    /// A reply that answers no command (unsolicited).
    #[error("the server sent an unsolicited reply: {0}")]
    UnsolicitedReply(Arc<Reply<'static>>),
}

/// A failure of an exchange of AUTH on the client's side; a negative reply is not an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A challenge that is invalid base64, of a mechanism that reads its challenges, or one of more
    /// than one line (RFC 4954 section 4).
    #[error("a challenge is not base64")]
    Base64,
    /// More challenges than any mechanism has.
    #[error("the server sent too many challenges")]
    TooManyChallenges,
    /// A response of more than 12288 octets in base64 (RFC 4954 section 4).
    #[error("a response is longer than the protocol allows")]
    ResponseTooLong,
    /// A violation of the mechanism: an invalid challenge, a wrong signature, a success too early.
    #[error(transparent)]
    Initiator(#[from] InitiatorError),
}

/// The obstacles that [`Ready::send`](super::Ready::send) has found before an octet was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NotOffered {
    pub(super) obstacles: Vec<Obstacle>,
}

impl NotOffered {
    /// Returns every obstacle, not only the first.
    #[must_use]
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// Returns whether no server can take the message as it is: one of the obstacles
    /// [is in the message](Obstacle::is_for_every_server).
    #[must_use]
    pub fn is_for_every_server(&self) -> bool {
        self.obstacles.iter().any(Obstacle::is_for_every_server)
    }
}

/// A few of the obstacles, however many recipients have one.
impl fmt::Debug for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotOffered").field(&Few(self.obstacles.iter())).finish()
    }
}

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A thousand recipients with one parameter are one thing to be told.
        let mut texts: Vec<(String, usize)> = Vec::new();
        for text in self.obstacles.iter().map(ToString::to_string) {
            match texts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, times)) => *times += 1,
                None => texts.push((text, 1)),
            }
        }
        for (index, (text, times)) in texts.iter().enumerate() {
            write!(f, "{}{text}", if index == 0 { "" } else { "; " })?;
            if *times > 1 {
                write!(f, " ({times} times)")?;
            }
        }
        Ok(())
    }
}

impl core::error::Error for NotOffered {}

/// One thing that keeps a transaction from being sent to this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The envelope has no recipient.
    #[error("there is no recipient")]
    NoRecipients,
    /// The message or an address needs an extension that is not offered: 8BITMIME for octets
    /// above 127 (RFC 6152), SMTPUTF8 for addresses and header fields outside ASCII (RFC 6531),
    /// BINARYMIME for NUL (RFC 3030), BURL for parts from URLs (RFC 4468).
    #[error("the message needs {}, which is not offered", .0.keyword())]
    Extension(Extension),
    /// A recipient that was added to a transaction of [`Ready::begin`](super::Ready::begin) is not ASCII, and
    /// MAIL was sent without SMTPUTF8 (RFC 6531 section 3.4): give it to `begin` as a parameter.
    #[error("the recipient is not ASCII, and MAIL was sent without SMTPUTF8")]
    MailWithoutSmtpUtf8,
    /// The message holds a CR or LF outside CRLF, which is never sent (RFC 5321 section 2.3.8).
    #[error("the message holds a bare CR or LF")]
    BareLineBreak,
    /// The message holds octets above 127 and is not MIME, and
    /// [`Config::with_required_mime`](super::Config::with_required_mime) asks for that (RFC 5321
    /// section 2.4).
    #[error("the message holds octets above 127 and is not MIME")]
    NotMime,
    /// BODY in the envelope declares less than the message holds: 7BIT, and there are octets above 127,
    /// or there is a NUL, and it is not BINARYMIME (RFC 6152 section 3, RFC 3030 section 3).
    #[error("the message does not fit BODY in the envelope")]
    Body,
    /// The message is larger than the server takes (RFC 1870 section 4).
    #[error("the message has {octets} octets, and the server takes {limit}")]
    Size {
        /// Octets of the message, CRLF counted, stuffed dots not.
        octets: u64,
        /// The limit that the server announced.
        limit: u64,
    },
    /// A parameter of the envelope belongs to an extension that is not offered
    /// (RFC 5321 section 4.1.1.11).
    #[error("the parameter {keyword} is not offered")]
    Parameter {
        /// The keyword of the parameter.
        keyword: String,
        /// The recipient's place in the envelope; `None` for a parameter of MAIL.
        recipient: Option<usize>,
    },
    /// An attribute of XCLIENT or XFORWARD that is not among those that the server has announced.
    #[error("the attribute {} of {} is not offered", .name.as_str(), .verb.as_str())]
    Attribute {
        /// XCLIENT or XFORWARD.
        verb: Verb,
        /// The attribute.
        name: AttributeName,
    },
    /// A parameter of the envelope is given twice or has an invalid value.
    #[error("{error}")]
    InvalidParameter {
        /// The error; offsets are in the list of parameters.
        error: SyntaxError,
        /// The recipient's place in the envelope; `None` for a parameter of MAIL.
        recipient: Option<usize>,
    },
    /// REQUIRETLS is asked for, and this session is not in TLS with a verified certificate (RFC 8689
    /// section 4.2.1). It means 550 5.7.30.
    #[error("the message requires TLS with a verified certificate")]
    RequireTls,
    /// BY with the mode `R` asks for a delivery sooner than the server promises (RFC 2852
    /// section 4.1.2).
    #[error("delivery within {seconds} seconds, and the server promises {minimum}")]
    DeliverBy {
        /// The time that the envelope asks for.
        seconds: i32,
        /// The limit that the server announced.
        minimum: u32,
    },
    /// HOLDFOR or HOLDUNTIL asks for a later release than the server holds mail for (RFC 4865
    /// section 4.1).
    #[error("the message asks to be held longer than the server does")]
    Hold,
    /// A command line would be longer than the protocol and its extensions allow
    /// (RFC 5321 section 4.5.3.1.4).
    #[error("the command line of {} would have {octets} octets of {limit}", .verb.as_str())]
    LineTooLong {
        /// MAIL or RCPT, or a command that stands alone.
        verb: Verb,
        /// The recipient's place in the envelope; `None` for every other command than RCPT.
        recipient: Option<usize>,
        /// The length that it would have, CRLF included.
        octets: usize,
        /// The length that it may have.
        limit: usize,
    },
}

impl Obstacle {
    /// Returns whether the message or its envelope is invalid for every server: a mistake of the sender
    /// (EX_DATAERR), and not something that this server lacks.
    #[must_use]
    pub const fn is_for_every_server(&self) -> bool {
        match self {
            Self::NoRecipients
            | Self::BareLineBreak
            | Self::NotMime
            | Self::Body
            | Self::InvalidParameter { .. } => true,
            Self::Extension(_)
            | Self::Size { .. }
            | Self::Parameter { .. }
            | Self::Attribute { .. }
            | Self::RequireTls
            | Self::MailWithoutSmtpUtf8
            | Self::DeliverBy { .. }
            | Self::Hold
            | Self::LineTooLong { .. } => false,
        }
    }

    /// Returns the enhanced status code that a report of non-delivery gives for it, under 5yz (RFC 3463, RFC
    /// 6531 section 3.5, RFC 8689 section 4.2.1).
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Extension(Extension::SmtpUtf8) | Self::MailWithoutSmtpUtf8 => {
                Status::NON_ASCII_ADDRESS
            }
            Self::Extension(_) => Status::CONVERSION_UNSUPPORTED,
            Self::BareLineBreak | Self::NotMime | Self::Body => Status::OTHER_CONTENT,
            Self::Size { .. } => Status::MESSAGE_TOO_BIG,
            Self::RequireTls => Status::REQUIRETLS_NEEDED,
            Self::Parameter { keyword, .. }
                if keyword.eq_ignore_ascii_case(Extension::RequireTls.keyword()) =>
            {
                Status::REQUIRETLS_NEEDED
            }
            Self::Parameter { .. } | Self::Attribute { .. } => Status::NOT_CAPABLE,
            Self::DeliverBy { .. } => Status::TIME_EXPIRED,
            Self::NoRecipients
            | Self::InvalidParameter { .. }
            | Self::Hold
            | Self::LineTooLong { .. } => Status::INVALID_ARGUMENTS,
        }
    }
}

/// The reason for which content cannot go on. It can only be aborted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// A CR or LF outside CRLF, which is never sent (RFC 5321 section 2.3.8).
    #[error("a bare CR or LF at octet {0} of the content")]
    BareLineBreak(u64),
    /// An octet above 127, and 8BITMIME is not offered or the envelope declares BODY=7BIT (RFC 6152
    /// section 3).
    #[error("an octet above 127 at octet {0} of the content, and 8BITMIME is not in use")]
    EightBit(u64),
    /// A NUL, and BINARYMIME is not in use (RFC 3030 section 3).
    #[error("a NUL at octet {0} of the content")]
    Nul(u64),
    /// A URL, and the server does not offer BURL, or the content goes after DATA (RFC 4468 section
    /// 3.2): [`MessageFacts::with_burl`](super::MessageFacts::with_burl) finds that before.
    #[error("a URL stands for content, and BURL cannot be used")]
    Burl,
    /// A URL that does not fit a command line (RFC 5321 section 4.5.3.1.4).
    #[error("the command line of BURL would have {octets} octets of {limit}")]
    BurlTooLong {
        /// The length that it would have, CRLF included.
        octets: usize,
        /// The length that it may have.
        limit: usize,
    },
    /// More octets than the server takes (RFC 1870 section 4).
    #[error("the content is larger than the {limit} octets that the server takes")]
    TooLarge {
        /// The limit that the server announced.
        limit: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    /// RFC 5321 section 5.1: the table in the documentation of `End`.
    #[test]
    fn ends_know_whether_the_next_host_is_tried() {
        let reply = |line: &[u8]| Arc::new(Reply::parse(line).unwrap().unwrap().0.into_owned());
        for (end, is_permanent, try_next_host) in [
            (End::Refused(reply(b"421 4.3.2 bye\r\n")), false, true),
            (End::Refused(reply(b"450 not now\r\n")), false, true),
            (End::Refused(reply(b"554 no\r\n")), true, true),
            (End::PeerClosed(Closed::Clean), false, true),
            (End::PeerClosed(Closed::CutOff), false, true),
            (End::Unsendable, false, true),
            (End::TimedOut, false, true),
            (End::Protocol(ProtocolError::TooLong), false, true),
            (End::Auth(AuthError::Base64), false, true),
            (End::TlsNotOffered, false, true),
            (End::TlsFailed(crate::security::TlsFailureKind::NotTls.into()), false, true),
            (End::TlsRefused(reply(b"454 not now\r\n")), false, true),
            (End::TlsRefused(reply(b"554 no\r\n")), true, true),
            (End::MailMax, false, false),
            (End::NoTlsLayer, true, false),
            (End::Quit, false, false),
            (End::Aborted, false, false),
            (End::HandedOver, false, false),
            (End::Closed, false, false),
        ] {
            assert_eq!(end.is_permanent(), is_permanent, "{end}");
            assert_eq!(end.is_transient(), !is_permanent, "{end}");
            assert_eq!(end.try_next_host(), try_next_host, "{end}");
        }
    }

    #[test]
    fn every_obstacle_is_shown() {
        let error = NotOffered {
            obstacles: vec![
                Obstacle::Extension(Extension::EightBitMime),
                Obstacle::Size { octets: 11, limit: 10 },
            ],
        };
        assert_eq!(
            error.to_string(),
            "the message needs 8BITMIME, which is not offered; the message has 11 octets, and the server takes 10"
        );
    }
}
