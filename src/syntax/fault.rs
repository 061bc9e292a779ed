//! The class of fault that a negative reply tells.

use super::{Class, Code, Status};
use core::fmt;

/// The class of fault that a negative reply tells: where to look for the remedy.
///
/// It follows from the enhanced status code, by a table over the registry of RFC 5248; without one, from the reply
/// code. It says nothing about a retry, which is [`Reply::retry`](super::Reply::retry).
///
/// ```
/// use esmtp::syntax::{FaultClass, Reply};
///
/// let (reply, _) = Reply::parse(b"452 4.2.2 Mailbox full\r\n")?.ok_or("incomplete")?;
/// assert_eq!(reply.fault(), Some(FaultClass::Quota));
/// let (reply, _) = Reply::parse(b"250 2.0.0 Ok\r\n")?.ok_or("incomplete")?;
/// assert_eq!(reply.fault(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultClass {
    /// The recipient's mailbox does not exist, has moved, or takes no mail.
    Mailbox,
    /// The mailbox or the system is full, or the message is larger than either takes.
    Quota,
    /// The reverse-path or its domain.
    Sender,
    /// A rule of the receiver: relaying denied, SPF, DKIM or ARC, spam.
    Policy,
    /// Too much mail, or too many recipients or sessions, in this time.
    Rate,
    /// The content, its form or its encoding.
    Content,
    /// The credentials of the client, or that it has none.
    Authentication,
    /// The path to the recipient's host: look-up, loop, expiry.
    Route,
    /// The protection of the channel or of the message.
    Tls,
    /// The receiving system: out of order, not configured, or not able to do what was asked, the protocol included.
    System,
    /// Not told.
    Unknown,
}

impl FaultClass {
    /// Returns the class of a reply with this code and status; `None` for 2yz and 3yz.
    #[must_use]
    pub fn of(code: Code, status: Option<Status>) -> Option<Self> {
        if matches!(code.class(), Class::Completion | Class::Intermediate) {
            return None;
        }
        Some(match status.map_or(Self::Unknown, Self::of_status) {
            Self::Unknown => Self::of_code(code),
            class => class,
        })
    }

    /// Returns the class of a status: one that is not in the registry counts as detail 0 of its subject (RFC 3463
    /// section 2).
    fn of_status(status: Status) -> Self {
        let status = status.generalised();
        match (status.subject(), status.detail()) {
            (1, 7 | 8) | (7, 27) => Self::Sender,
            (1, 2 | 10) => Self::Route,
            (1, _) => Self::Mailbox,
            (2, 2 | 3) | (3, 1 | 4) => Self::Quota,
            (2, _) | (7, 17 | 18) => Self::Mailbox,
            (4, 5) | (5, 3) | (7, 28) => Self::Rate,
            (4, _) => Self::Route,
            (5, 6) | (7, 8 | 9 | 12..=14) => Self::Authentication,
            (3 | 5, _) | (7, 15 | 19) => Self::System,
            (6, _) | (7, 7 | 16) => Self::Content,
            (7, 3..=6 | 10 | 11 | 30) => Self::Tls,
            // X.7.0 is said for everything, from wrong credentials to greylisting.
            (7, 1 | 2 | 20..) => Self::Policy,
            _ => Self::Unknown,
        }
    }

    /// Returns the class of a reply code without a status, where the code has one meaning (RFC 5321 section 4.2.3, RFC 4954
    /// section 6, RFC 7504).
    const fn of_code(code: Code) -> Self {
        match code.get() {
            432 | 454 | 525 | 530 | 534 | 535 => Self::Authentication,
            421 | 451 | 453 | 455 | 500..=504 | 521 | 555 => Self::System,
            452 | 552 => Self::Quota,
            523 | 538 => Self::Tls,
            551 | 553 => Self::Mailbox,
            556 => Self::Route,
            // 450, 550 and 554 are said for a mailbox as well as for policy.
            _ => Self::Unknown,
        }
    }

    /// Returns a word for the class, which serves as a label of a metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Quota => "quota",
            Self::Sender => "sender",
            Self::Policy => "policy",
            Self::Rate => "rate",
            Self::Content => "content",
            Self::Authentication => "authentication",
            Self::Route => "route",
            Self::Tls => "tls",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Reply;
    use alloc::format;

    fn fault(line: &str) -> Option<FaultClass> {
        let line = format!("{line}\r\n");
        Reply::parse(line.as_bytes()).unwrap().unwrap().0.fault()
    }

    #[test]
    fn replies_of_real_servers_have_their_class() {
        for (line, class) in [
            ("550 5.1.1 The email account does not exist", FaultClass::Mailbox),
            ("550 5.2.1 The mailbox is disabled", FaultClass::Mailbox),
            ("452 4.2.2 The recipient is out of storage", FaultClass::Quota),
            ("552 5.3.4 Message size exceeds fixed limit", FaultClass::Quota),
            ("553 5.1.8 Sender domain has no MX", FaultClass::Sender),
            ("550 5.7.27 Sender address has null MX", FaultClass::Sender),
            ("554 5.7.1 Relay access denied", FaultClass::Policy),
            ("550 5.7.26 Unauthenticated mail is blocked", FaultClass::Policy),
            ("421 4.7.28 Unusual rate of mail", FaultClass::Rate),
            ("452 4.5.3 Too many recipients", FaultClass::Rate),
            ("451 4.4.5 Too busy", FaultClass::Rate),
            ("554 5.6.0 Message is not RFC 5322", FaultClass::Content),
            ("535 5.7.8 Username and password not accepted", FaultClass::Authentication),
            ("530 Authentication required", FaultClass::Authentication),
            ("554 5.4.6 Routing loop detected", FaultClass::Route),
            ("556 5.1.10 Null MX", FaultClass::Route),
            ("550 5.7.10 Encryption needed", FaultClass::Tls),
            ("550 5.7.30 REQUIRETLS support required", FaultClass::Tls),
            ("451 4.3.0 Try again later", FaultClass::System),
            ("421 4.3.2 Shutting down", FaultClass::System),
            ("502 5.5.1 Unrecognized command", FaultClass::System),
            ("421 Service not available", FaultClass::System),
            ("550 5.1.99 unregistered", FaultClass::Mailbox),
            ("550 No such user here", FaultClass::Unknown),
            ("450 4.7.0 Greylisted", FaultClass::Unknown),
            ("451 4.99.1 unregistered", FaultClass::System),
        ] {
            assert_eq!(fault(line), Some(class), "{line}");
        }
        assert_eq!(fault("250 2.1.5 ok"), None);
        assert_eq!(fault("354 go"), None);
    }

    #[test]
    fn every_registered_status_has_a_class_besides_those_that_say_nothing() {
        for status in Status::registered() {
            let is_told = FaultClass::of_status(status) != FaultClass::Unknown;
            assert_eq!(
                is_told,
                status != Status::OTHER && status != Status::OTHER_SECURITY,
                "{status}"
            );
        }
    }
}
