//! The order of commands (RFC 5321 sections 4.1.4 and 4.3.2).
//!
//! This is the only place that decides that a command is out of order.

use crate::syntax::Verb;

/// The stage of a session, as far as the order of commands is concerned.
///
/// ```text
///             EHLO            MAIL              RCPT
/// Connected ───────► Ready ─────────► Addressed ────► Addressed ─── DATA ──► content
///     ▲                ▲   ◄───────── { recipients }                            │
///  greeting            │    RSET, EHLO                                          │
///                      │                            Addressed ─── BDAT ──► Chunking
///                      │                                                 ──► Failed
///                      └──── LAST, RSET, EHLO ─────────────────────────────────┘
/// MailRefused: Ready, and commands pipelined after MAIL are no errors
/// Refused: the greeting was 554; NotSecure: the reply to EHLO was
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The greeting refused the client (RFC 5321 section 3.1).
    Refused,
    /// The channel is not protected well enough (RFC 3207 section 4.1).
    NotSecure,
    /// No hello was accepted.
    Connected,
    /// No transaction.
    Ready,
    /// No transaction, since MAIL was refused.
    MailRefused,
    /// MAIL was accepted, and so were this many recipients.
    Addressed {
        /// Accepted recipients.
        recipients: usize,
        /// MAIL said BODY=BINARYMIME.
        is_binary: bool,
    },
    /// A chunk of content was accepted, and it was not the last.
    Chunking,
    /// A chunk of content was refused (RFC 3030 section 2).
    Failed,
}

/// The facts that the order of commands depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) stage: Stage,
    /// The channel is TLS.
    pub(crate) is_secure: bool,
    /// AUTH has succeeded.
    pub(crate) is_authenticated: bool,
    /// EHLO came before the channel became TLS, and AUTH may follow without a second one
    /// ([`Lenience::has_auth_without_hello`](crate::syntax::Lenience::has_auth_without_hello)).
    pub(crate) had_hello: bool,
    /// Mail is accepted only from authenticated clients.
    pub(crate) must_authenticate: bool,
    /// TLS is required.
    pub(crate) must_secure: bool,
}

/// The place where a verb of the application's own may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerbPlacement {
    /// Anywhere between two other commands, before a hello too.
    Anywhere,
    /// After a hello.
    AfterHello,
    /// After a hello, and in no transaction.
    BetweenTransactions,
    /// After MAIL, and before the content.
    InTransaction,
}

/// The reason for which a command is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// Only QUIT is accepted after a greeting with 554.
    NoService,
    /// Only QUIT is accepted where the channel is not protected well enough.
    NotSecure,
    /// EHLO, HELO or LHLO has to come first.
    HelloFirst,
    /// A second MAIL in a transaction (RFC 5321 section 4.1.4).
    TransactionOpen,
    /// MAIL has to come first.
    MailFirst,
    /// MAIL was refused, and a client that pipelines had sent this command after it (RFC 2920 section
    /// 3.1).
    MailRefused,
    /// No recipient was accepted.
    RcptFirst,
    /// DATA for content that only chunks can carry (RFC 3030 section 3).
    BinaryNeedsChunks,
    /// A second AUTH (RFC 4954 section 4).
    AlreadyAuthenticated,
    /// Not a question of order but of rights: AUTH has to come first (RFC 4954 section 6).
    AuthFirst,
    /// Not a question of order either: STARTTLS has to come first (RFC 3207 section 4).
    TlsFirst,
    /// STARTTLS in TLS (RFC 3207 section 4.2).
    AlreadySecure,
    /// A command that may only precede content, or DATA, after a first chunk.
    ContentBegun,
    /// A chunk of content that has been refused.
    ContentRefused,
}

impl Standing {
    /// Returns whether a client that pipelines may have sent the command in good faith, before it read
    /// that a command it depends on was refused (RFC 2920 section 3.1, RFC 3030 section 2).
    pub(crate) const fn is_pipelined_in_good_faith(self, verb: Verb, why: Misplaced) -> bool {
        let is_after_mail =
            matches!(verb, Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::Burl) && !self.is_idle();
        match why {
            Misplaced::RcptFirst | Misplaced::MailRefused => true,
            Misplaced::ContentRefused => !matches!(verb, Verb::Mail),
            Misplaced::TlsFirst => is_after_mail,
            _ => false,
        }
    }

    /// Returns whether the command has had its only time in this session (RFC 3207 section 4.2, RFC
    /// 4954 section 4).
    pub(crate) const fn is_past(self, verb: Verb) -> bool {
        match verb {
            Verb::StartTls => self.is_secure,
            Verb::Auth => self.is_authenticated,
            _ => false,
        }
    }

    /// Returns whether no MAIL has come yet.
    const fn is_idle(self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Connected)
    }
}

/// Returns whether octets may follow the command before its reply is sent (RFC 2920 section 3.1).
/// `pipelines` says that PIPELINING is offered.
pub(crate) const fn may_be_followed(verb: Verb, pipelines: bool) -> bool {
    match verb {
        Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Data | Verb::Vrfy | Verb::Expn => false,
        // The roles may be reversed after it (RFC 2645 section 5.2).
        Verb::Atrn => false,
        // The octets of the chunk; octets that are not read any more.
        Verb::Bdat | Verb::Quit => true,
        // An initial response may be all that the mechanism needs (RFC 4954 section 4). Octets after
        // STARTTLS are a command injection, which is handled elsewhere.
        Verb::Auth | Verb::StartTls => true,
        // Proxies send several lines without waiting.
        Verb::Xclient => true,
        // A verb of the application's own, or an unknown one.
        Verb::Other => true,
        _ => pipelines,
    }
}

/// Returns whether `verb` may come now.
///
/// Verbs that the session does not know or offer are refused before this table is asked.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) const fn permit(standing: Standing, verb: Verb) -> Result<(), Misplaced> {
    match (verb, standing.stage) {
        // "MAY be issued at any time" (RFC 5321 section 4.1.4): the session stays as it is.
        (Verb::Quit, _) => Ok(()),
        (_, Stage::Refused) => Err(Misplaced::NoService),
        (_, Stage::NotSecure) => Err(Misplaced::NotSecure),
        (verb, _)
            if standing.must_secure
                && !standing.is_secure
                && !matches!(verb, Verb::Ehlo | Verb::Lhlo | Verb::Noop | Verb::StartTls) =>
        {
            Err(Misplaced::TlsFirst)
        }
        (
            Verb::Ehlo
            | Verb::Helo
            | Verb::Lhlo
            | Verb::Rset
            | Verb::Noop
            | Verb::Help
            | Verb::Vrfy
            | Verb::Expn,
            Stage::Connected
            | Stage::Ready
            | Stage::MailRefused
            | Stage::Addressed { .. }
            | Stage::Chunking
            | Stage::Failed,
        ) => Ok(()),
        (Verb::StartTls, _) if standing.is_secure => Err(Misplaced::AlreadySecure),
        (Verb::Auth, _) if standing.is_authenticated => Err(Misplaced::AlreadyAuthenticated),
        // In as many lines as it takes.
        (Verb::Xclient, Stage::Connected) => Ok(()),
        // Some clients do not ask whether it is offered, and all that comes before it is forgotten
        // anyway.
        (Verb::StartTls, Stage::Connected) => Ok(()),
        // Some clients continue with AUTH right after the handshake. Nothing that was sent in the
        // clear takes part in it.
        (Verb::Auth, Stage::Connected) if standing.is_secure && standing.had_hello => Ok(()),
        (_, Stage::Connected) => Err(Misplaced::HelloFirst),
        // RFC 4468 section 3, RFC 2645 section 5.2.
        (Verb::Burl | Verb::Atrn, _) if !standing.is_authenticated => Err(Misplaced::AuthFirst),
        // "until a RSET, or a LAST": RFC 3030 section 2.
        (_, Stage::Failed) => Err(Misplaced::ContentRefused),
        (Verb::Mail | Verb::Etrn | Verb::Bdat, Stage::Ready | Stage::MailRefused)
            if standing.must_authenticate && !standing.is_authenticated =>
        {
            Err(Misplaced::AuthFirst)
        }
        (Verb::StartTls | Verb::Auth, Stage::Ready | Stage::MailRefused) => Ok(()),
        // RFC 3207 section 4.2: everything is forgotten; better not in the middle of a transaction.
        (
            Verb::Mail
            | Verb::StartTls
            | Verb::Auth
            | Verb::Etrn
            | Verb::Atrn
            | Verb::Xclient
            | Verb::Xforward,
            Stage::Addressed { .. } | Stage::Chunking,
        ) => Err(Misplaced::TransactionOpen),
        (Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::Burl, Stage::Ready) => {
            Err(Misplaced::MailFirst)
        }
        (Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::Burl, Stage::MailRefused) => {
            Err(Misplaced::MailRefused)
        }
        (Verb::Rcpt, Stage::Addressed { .. }) => Ok(()),
        (Verb::Data | Verb::Bdat | Verb::Burl, Stage::Addressed { recipients: 0, .. }) => {
            Err(Misplaced::RcptFirst)
        }
        (Verb::Data, Stage::Addressed { is_binary: true, .. }) => Err(Misplaced::BinaryNeedsChunks),
        (Verb::Data | Verb::Bdat | Verb::Burl, Stage::Addressed { .. }) => Ok(()),
        (Verb::Bdat | Verb::Burl, Stage::Chunking) => Ok(()),
        (Verb::Rcpt | Verb::Data, Stage::Chunking) => Err(Misplaced::ContentBegun),
        (_, Stage::Ready | Stage::MailRefused | Stage::Addressed { .. } | Stage::Chunking) => {
            Ok(())
        }
    }
}

/// Returns whether a verb of the application's own with this place may come now.
pub(crate) const fn permit_custom(
    standing: Standing,
    place: VerbPlacement,
    requires_auth: bool,
) -> Result<(), Misplaced> {
    match (place, standing.stage) {
        (_, Stage::Refused) => Err(Misplaced::NoService),
        (_, Stage::NotSecure) => Err(Misplaced::NotSecure),
        _ if standing.must_secure && !standing.is_secure => Err(Misplaced::TlsFirst),
        (
            VerbPlacement::AfterHello
            | VerbPlacement::BetweenTransactions
            | VerbPlacement::InTransaction,
            Stage::Connected,
        ) => Err(Misplaced::HelloFirst),
        _ if requires_auth && !standing.is_authenticated => Err(Misplaced::AuthFirst),
        (VerbPlacement::Anywhere | VerbPlacement::AfterHello, _) => Ok(()),
        (_, Stage::Failed) => Err(Misplaced::ContentRefused),
        (VerbPlacement::BetweenTransactions, Stage::Addressed { .. } | Stage::Chunking) => {
            Err(Misplaced::TransactionOpen)
        }
        (VerbPlacement::BetweenTransactions, _) => Ok(()),
        (VerbPlacement::InTransaction, Stage::Addressed { .. }) => Ok(()),
        (VerbPlacement::InTransaction, Stage::MailRefused) => Err(Misplaced::MailRefused),
        (VerbPlacement::InTransaction, Stage::Chunking) => Err(Misplaced::ContentBegun),
        (VerbPlacement::InTransaction, _) => Err(Misplaced::MailFirst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(stage: Stage, verb: Verb) -> Result<(), Misplaced> {
        super::permit(Standing { stage, ..AT_FIRST }, verb)
    }

    const AT_FIRST: Standing = Standing {
        stage: Stage::Ready,
        is_secure: false,
        is_authenticated: false,
        had_hello: false,
        must_authenticate: false,
        must_secure: false,
    };
    const ONE: Stage = Stage::Addressed { recipients: 1, is_binary: false };
    const NONE: Stage = Stage::Addressed { recipients: 0, is_binary: false };

    #[test]
    fn the_order_of_commands_is_that_of_rfc_5321() {
        use Misplaced::{HelloFirst, MailFirst, NoService, RcptFirst, TransactionOpen};
        for (verb, connected, ready, none, one) in [
            (Verb::Ehlo, Ok(()), Ok(()), Ok(()), Ok(())),
            (Verb::Rset, Ok(()), Ok(()), Ok(()), Ok(())),
            (Verb::Mail, Err(HelloFirst), Ok(()), Err(TransactionOpen), Err(TransactionOpen)),
            (Verb::Rcpt, Err(HelloFirst), Err(MailFirst), Ok(()), Ok(())),
            (Verb::Data, Err(HelloFirst), Err(MailFirst), Err(RcptFirst), Ok(())),
            (Verb::Bdat, Err(HelloFirst), Err(MailFirst), Err(RcptFirst), Ok(())),
            (Verb::Auth, Err(HelloFirst), Ok(()), Err(TransactionOpen), Err(TransactionOpen)),
            (Verb::StartTls, Ok(()), Ok(()), Err(TransactionOpen), Err(TransactionOpen)),
            (Verb::Quit, Ok(()), Ok(()), Ok(()), Ok(())),
        ] {
            assert_eq!(permit(Stage::Connected, verb), connected, "{verb:?}");
            assert_eq!(permit(Stage::Ready, verb), ready, "{verb:?}");
            assert_eq!(permit(NONE, verb), none, "{verb:?}");
            assert_eq!(permit(ONE, verb), one, "{verb:?}");
            let refused = if verb == Verb::Quit { Ok(()) } else { Err(NoService) };
            assert_eq!(permit(Stage::Refused, verb), refused, "{verb:?}");
        }
    }

    // RFC 3207 section 4.2.
    #[test]
    fn tls_does_not_begin_twice() {
        let standing = Standing { is_secure: true, ..AT_FIRST };
        assert_eq!(super::permit(standing, Verb::StartTls), Err(Misplaced::AlreadySecure));
    }

    // RFC 4954 sections 4 and 6.
    #[test]
    fn auth_comes_once_and_before_mail_where_it_is_required() {
        let unknown = Standing { must_authenticate: true, ..AT_FIRST };
        assert_eq!(super::permit(unknown, Verb::Mail), Err(Misplaced::AuthFirst));
        assert_eq!(super::permit(unknown, Verb::Auth), Ok(()));
        let secured = Standing { stage: Stage::Connected, is_secure: true, ..AT_FIRST };
        assert_eq!(super::permit(secured, Verb::Auth), Err(Misplaced::HelloFirst));
        let secured = Standing { had_hello: true, ..secured };
        assert_eq!(super::permit(secured, Verb::Auth), Ok(()));
        assert_eq!(super::permit(secured, Verb::Mail), Err(Misplaced::HelloFirst));
        let known = Standing { is_authenticated: true, ..secured };
        assert_eq!(super::permit(known, Verb::Auth), Err(Misplaced::AlreadyAuthenticated));
        let known = Standing { is_authenticated: true, ..unknown };
        assert_eq!(super::permit(known, Verb::Mail), Ok(()));
        assert_eq!(super::permit(known, Verb::Auth), Err(Misplaced::AlreadyAuthenticated));
    }

    // RFC 3030 section 2.
    #[test]
    fn chunks_and_data_do_not_mix() {
        use Misplaced::{BinaryNeedsChunks, ContentBegun, ContentRefused, TransactionOpen};
        for (verb, chunking, failed) in [
            (Verb::Bdat, Ok(()), Err(ContentRefused)),
            (Verb::Data, Err(ContentBegun), Err(ContentRefused)),
            (Verb::Rcpt, Err(ContentBegun), Err(ContentRefused)),
            (Verb::Mail, Err(TransactionOpen), Err(ContentRefused)),
            (Verb::Rset, Ok(()), Ok(())),
            (Verb::Noop, Ok(()), Ok(())),
            (Verb::Ehlo, Ok(()), Ok(())),
        ] {
            assert_eq!(permit(Stage::Chunking, verb), chunking, "{verb:?}");
            assert_eq!(permit(Stage::Failed, verb), failed, "{verb:?}");
        }
        let binary = Stage::Addressed { recipients: 1, is_binary: true };
        assert_eq!(permit(binary, Verb::Data), Err(BinaryNeedsChunks));
        assert_eq!(permit(binary, Verb::Bdat), Ok(()));
    }

    #[test]
    fn custom_verbs_come_at_their_place_only() {
        use Misplaced::{AuthFirst, ContentBegun, ContentRefused, HelloFirst, MailFirst};
        use Misplaced::{MailRefused, NoService, TlsFirst, TransactionOpen};
        for (stage, after_hello, between, inside) in [
            (Stage::Connected, Err(HelloFirst), Err(HelloFirst), Err(HelloFirst)),
            (Stage::Ready, Ok(()), Ok(()), Err(MailFirst)),
            (Stage::MailRefused, Ok(()), Ok(()), Err(MailRefused)),
            (NONE, Ok(()), Err(TransactionOpen), Ok(())),
            (ONE, Ok(()), Err(TransactionOpen), Ok(())),
            (Stage::Chunking, Ok(()), Err(TransactionOpen), Err(ContentBegun)),
            (Stage::Failed, Ok(()), Err(ContentRefused), Err(ContentRefused)),
            (Stage::Refused, Err(NoService), Err(NoService), Err(NoService)),
        ] {
            let standing = Standing { stage, ..AT_FIRST };
            let anywhere = if stage == Stage::Refused { Err(NoService) } else { Ok(()) };
            for (place, expected) in [
                (VerbPlacement::Anywhere, anywhere),
                (VerbPlacement::AfterHello, after_hello),
                (VerbPlacement::BetweenTransactions, between),
                (VerbPlacement::InTransaction, inside),
            ] {
                assert_eq!(permit_custom(standing, place, false), expected, "{stage:?} {place:?}");
                if expected == Ok(()) {
                    assert_eq!(permit_custom(standing, place, true), Err(AuthFirst), "{stage:?}");
                    let clear = Standing { must_secure: true, ..standing };
                    assert_eq!(permit_custom(clear, place, false), Err(TlsFirst), "{stage:?}");
                }
            }
        }
    }
}
