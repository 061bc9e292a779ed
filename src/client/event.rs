//! The questions of a client to its application: tokens that have only their legal answers.

use super::{
    ask::Ask,
    config::TlsPolicy,
    error::{ContentError, End, NotOffered},
    facts::Facts,
    plan::check_recipient,
    ready::Ready,
    report::{Report, TransactionNumber},
    session::{Phase, Position, Session},
};
use crate::{
    sasl::Secret,
    security::{Security, TlsFailure},
    syntax::{Extensions, ForwardPath, Parameters, Reply, Uri, Verb},
};
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;

/// A question of the client to its application.
///
/// An event stays until it is answered or the session ends: dropped, it comes again. The answer
/// takes effect at the next [`poll`](crate::machine::Machine::poll).
///
/// ```
/// use esmtp::{
///     client::{Event, MessageFacts},
///     envelope::Envelope,
/// };
///
/// /// Sends one message, where `send` of the adapters is not enough.
/// fn answer<'m>(
///     event: Event<'_>,
///     message: &mut Option<(Envelope, &'m [u8])>,
///     rest: &mut &'m [u8],
/// ) {
///     match event {
///         Event::Ready(ready) => match message.take() {
///             Some((envelope, content)) => {
///                 *rest = content;
///                 if let Err(obstacles) = ready.send(envelope, MessageFacts::scan(content)) {
///                     println!("nothing was sent: {obstacles}");
///                 }
///             }
///             None => ready.quit(),
///         },
///         Event::Content(mut content) => match content.write(rest) {
///             Ok(octets) => {
///                 *rest = &rest[octets..];
///                 if rest.is_empty() {
///                     let _ = content.finish();
///                 }
///             }
///             Err(_) => content.abort(),
///         },
///         Event::Sent(sent) => {
///             for recipient in sent.take().recipients() {
///                 println!("{} {}", recipient.path(), recipient.outcome());
///             }
///         }
///         // `tls::Secured` answers for TLS; to go on after a negative reply is a decision.
///         other => other.quit(),
///     }
/// }
/// ```
///
/// An illegal answer does not compile: a second transaction on the same [`Ready`], or content after
/// its end.
///
/// ```compile_fail,E0382
/// use esmtp::{client::{MessageFacts, Ready}, envelope::Envelope};
///
/// fn twice(ready: Ready<'_>, one: Envelope, two: Envelope) {
///     let _ = ready.send(one, MessageFacts::UNKNOWN);
///     let _ = ready.send(two, MessageFacts::UNKNOWN);
/// }
/// ```
///
/// ```compile_fail,E0382
/// fn go_on(mut content: esmtp::client::Content<'_>) {
///     let _ = content.finish();
///     let _ = content.write(b"more");
/// }
/// ```
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Event<'c> {
    /// A transaction may begin, or any other command.
    Ready(Ready<'c>),
    /// A command was rejected: to go on is a decision.
    Refused(Refused<'c>),
    /// STARTTLS was accepted: the TLS handshake must begin now.
    Upgrade(Upgrade<'c>),
    /// ATRN was accepted, and the roles are turned: another machine must take the channel over.
    HandOver(HandOver<'c>),
    /// The server has sent a challenge of a mechanism that the application runs itself.
    Challenge(Challenge<'c>),
    /// A transaction that was begun step by step takes a further recipient, or its content.
    Begun(Begun<'c>),
    /// The content of a transaction may be written.
    Content(Content<'c>),
    /// The server has sent the final reply for a recipient, where
    /// [`Config::with_recipient_events`](super::Config::with_recipient_events) asks for it.
    Answered(Answered<'c>),
    /// A transaction is complete.
    Sent(Sent<'c>),
}

impl Event<'_> {
    /// Returns the number of the question, which stays until it is answered.
    #[must_use]
    pub const fn number(&self) -> u64 {
        match self {
            Self::Ready(Ready { session, .. })
            | Self::Refused(Refused { session, .. })
            | Self::Upgrade(Upgrade { session, .. })
            | Self::HandOver(HandOver { session, .. })
            | Self::Challenge(Challenge { session, .. })
            | Self::Begun(Begun { session, .. })
            | Self::Answered(Answered { session, .. })
            | Self::Content(Content { session, .. }) => session.position.number(),
            Self::Sent(sent) => sent.position.number(),
        }
    }

    /// Returns the name of the question, which is that of its variant: `Ready`, `Content`, `Sent`. It
    /// serves as a label of a metric and in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "Ready",
            Self::Refused(_) => "Refused",
            Self::Upgrade(_) => "Upgrade",
            Self::HandOver(_) => "HandOver",
            Self::Challenge(_) => "Challenge",
            Self::Begun(_) => "Begun",
            Self::Content(_) => "Content",
            Self::Answered(_) => "Answered",
            Self::Sent(_) => "Sent",
        }
    }

    /// Ends the session as soon as the protocol allows it: with QUIT, or, while content is asked
    /// for, as [`Content::abort`] does. TLS is [unavailable](Upgrade::unavailable) then, an exchange of
    /// AUTH is cancelled, and where the roles are turned, the connection is closed. A report is
    /// dropped.
    pub fn quit(self) {
        match self {
            Self::Ready(ready) => ready.quit(),
            Self::Refused(refused) => refused.quit(),
            Self::Upgrade(upgrade) => upgrade.unavailable(),
            Self::HandOver(hand_over) => hand_over.close(),
            Self::Challenge(challenge) => challenge.give_up(Some(End::Quit)),
            Self::Begun(begun) => {
                let session = &mut *begun.session;
                session.withdraw_envelope();
                quit_if_ready(&mut session.position);
            }
            Self::Content(content) => content.abort(),
            Self::Answered(answered) => {
                quit_if_ready(&mut answered.session.position);
                answered.go_on();
            }
            Self::Sent(sent) => {
                sent.position.close_question();
                sent.report.take();
                quit_if_ready(sent.position);
            }
        }
    }
}

/// Sends QUIT next, unless something else is being sent.
fn quit_if_ready(position: &mut Position) {
    if matches!(position.phase(), Phase::Ready | Phase::Waiting) {
        position.enter(Phase::asking(Ask::Quit(End::Quit)));
    }
}

/// The server has rejected a command outside transactions; to go on is a decision.
#[must_use]
pub struct Refused<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c Facts,
    pub(super) verb: Verb,
    pub(super) reply: &'c Reply<'static>,
}

impl<'c> Refused<'c> {
    /// Returns the verb of the rejected command.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// Returns the negative reply.
    #[must_use]
    pub const fn reply(&self) -> &'c Reply<'static> {
        self.reply
    }

    /// Returns whether STARTTLS was rejected and the TLS policy is [`IfOffered`](TlsPolicy::IfOffered): the session may go on in
    /// the clear, and all that a session function or a connector does then is to [go on](Self::go_on) (RFC 7435 section
    /// 4.2).
    #[must_use]
    pub fn is_opportunistic(&self) -> bool {
        self.verb == Verb::StartTls && self.facts.config.tls() == TlsPolicy::IfOffered
    }

    /// Returns the JSON with which the server has rejected a token (RFC 7628 section 3.2.2);
    /// [`ErrorStatus`](crate::sasl::ErrorStatus) reads it. `None` for other commands and mechanisms.
    #[must_use]
    pub fn token_error(&self) -> Option<&'c str> {
        self.facts.token_error().filter(|_| self.verb == Verb::Auth)
    }

    /// Returns the service extensions that the server offers.
    #[must_use]
    pub const fn extensions(&self) -> &'c Extensions {
        &self.facts.offered
    }

    /// Goes on with the session: [`Ready`] comes next.
    pub fn go_on(self) {
        self.session.position.answer(match self.facts.hello {
            Some(_) => Phase::Ready,
            // An earlier line of XCLIENT was accepted: the session opens again.
            None => Phase::asking(Ask::Hello(self.facts.config.service().hello())),
        });
    }

    /// Ends the session with QUIT.
    pub fn quit(self) {
        self.session.position.answer(Phase::asking(Ask::Quit(End::Quit)));
    }
}

/// STARTTLS was accepted, and everything before it is sent: the handshake is due. The client sends and
/// reads nothing before the answer, and octets that come in the clear end the session (command
/// injection).
///
/// `tls::Secured` answers this by itself.
#[must_use]
pub struct Upgrade<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c mut Facts,
}

impl Upgrade<'_> {
    /// Goes on in TLS, on a channel with this protection. What the server sent before is forgotten, and
    /// the session opens again (RFC 3207 section 4.2).
    pub fn succeed(self, security: Security) {
        self.session.upgraded(self.facts, security);
    }

    /// Ends the session because the handshake failed.
    pub fn fail(self, why: impl Into<TlsFailure>) {
        self.session.upgrade_failed(why.into());
    }

    /// Ends the session because there is no TLS layer that could begin the handshake.
    pub fn unavailable(self) {
        self.session.end(End::NoTlsLayer);
    }
}

/// ATRN was accepted (RFC 2645 section 5.3): from here on this side is the server, and greets. This
/// client sends and reads nothing more; octets that follow the reply stay in its receive buffer.
///
/// No answer lets the client go on. To receive the mail, leave this event open, take the channel away
/// from the client, and put a [`Server`](crate::server::Server) on it.
///
/// - Of an adapter, `into_parts` gives the machine and the stream, and `Connection::new` puts the next
///   machine on that stream.
/// - In TLS the machine is a `tls::Secured`, whose `map` exchanges the client inside for the server; the
///   TLS connection goes on, with the facts of its handshake.
/// - The client's [`into_received`](super::Client::into_received) is
///   [fed](crate::machine::Machine::feed) to the server first. A peer that keeps to the protocol waits
///   for the greeting, so it is empty.
///
/// Nothing else of the client's session is carried over: the other side begins with EHLO.
///
/// ```
/// use esmtp::{
///     client::Client,
///     machine::Machine,
///     server::{Config, Peer, Server},
/// };
/// use std::sync::Arc;
///
/// fn turned(client: Client, config: Arc<Config>) -> Server {
///     let mut server = Server::new(config, Peer::UNKNOWN, client.security().clone());
///     server.feed(&client.into_received());
///     server
/// }
/// ```
#[must_use]
pub struct HandOver<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c Facts,
    pub(super) reply: &'c Reply<'static>,
}

impl<'c> HandOver<'c> {
    /// Returns the positive reply to ATRN.
    #[must_use]
    pub const fn reply(&self) -> &'c Reply<'static> {
        self.reply
    }

    /// Returns how the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &'c Security {
        &self.facts.security
    }

    /// Closes the connection because no machine takes it over.
    pub fn close(self) {
        self.session.end(End::HandedOver);
    }
}

/// A challenge of the mechanism that
/// [`authenticate_by_steps`](Ready::authenticate_by_steps) has begun.
#[must_use]
pub struct Challenge<'c> {
    pub(super) session: &'c mut Session,
}

impl Challenge<'_> {
    /// Returns the octets of the challenge, without their base64.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self.session.position.phase() {
            Phase::Authenticating(authentication) => authentication.challenge(),
            _ => &[],
        }
    }

    /// Sends the response to the challenge.
    pub fn respond(self, response: impl Into<Secret>) {
        self.session.position.close_question();
        if let Some(authentication) = self.session.position.authentication() {
            authentication.respond(response.into());
        }
    }

    /// Cancels the exchange (`*`): [`Refused`] follows.
    pub fn cancel(self) {
        self.give_up(None);
    }

    fn give_up(self, end: Option<End>) {
        self.session.position.close_question();
        if let Some(authentication) = self.session.position.authentication() {
            authentication.cancel(end);
        }
    }
}

/// A transaction that [`Ready::begin`](super::Ready::begin) has begun takes a further recipient, or its content.
///
/// This comes whenever a further RCPT may leave, not only when those before it are answered;
/// [`wait`](Self::wait) is for an application that needs the reply first. When the server rejects MAIL, or
/// the session ends, this question is withdrawn and [`Sent`] follows.
///
/// ```
/// use esmtp::{client::Event, syntax::{ForwardPath, Parameters}};
///
/// /// Adds each recipient when the reply for the one before it has come.
/// fn answer(event: Event<'_>, recipients: &mut Vec<ForwardPath<'static>>, is_due: &mut bool) {
///     match event {
///         Event::Begun(begun) if *is_due => begun.wait(), // until `Answered`
///         Event::Begun(begun) => match recipients.pop() {
///             Some(recipient) => *is_due = begun.rcpt(recipient, Parameters::NONE).is_ok(),
///             None => begun.content(),
///         },
///         Event::Answered(answered) => {
///             if answered.index().is_some() {
///                 *is_due = false;
///             }
///             println!("{}", answered.reply());
///             answered.go_on();
///         }
///         other => other.quit(),
///     }
/// }
/// ```
#[must_use]
pub struct Begun<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c Facts,
}

impl Begun<'_> {
    /// Returns the transaction.
    #[must_use]
    pub fn transaction(&self) -> TransactionNumber {
        newest(self.session)
    }

    /// Adds a recipient, whose RCPT leaves now. Returns its place in the envelope, by which
    /// [`Answered`] and the report name it.
    ///
    /// # Errors
    ///
    /// The server does not offer what the recipient needs. Nothing was sent, and this question comes again.
    pub fn rcpt(
        self,
        forward_path: impl Into<ForwardPath<'static>>,
        parameters: Parameters<'static>,
    ) -> Result<usize, NotOffered> {
        self.session.position.close_question();
        let Some(newest) = self.session.work_mut().transactions.back_mut() else { return Ok(0) };
        let path = forward_path.into();
        let (mail, offered) = (newest.mail_parameters(), &self.facts.offered);
        check_recipient(newest.len(), &path, &parameters, mail, offered)?;
        Ok(newest.add(path, parameters))
    }

    /// Goes on to the content: [`Content`] asks for it, unless every recipient is rejected. Without a
    /// recipient the transaction is over.
    pub fn content(self) {
        self.session.position.close_question();
        if let Some(newest) = self.session.work_mut().transactions.back_mut() {
            newest.is_open = false;
        }
    }

    /// Waits: replies are read, without a deadline when none is due, and this question comes again after the
    /// next [`Answered`], or when [`Client::ready`](super::Client::ready) is called.
    pub fn wait(self) {
        self.session.position.close_question();
        if let Some(newest) = self.session.work_mut().transactions.back_mut() {
            newest.is_waiting = true;
        }
    }

    /// Gives the transaction up: [`Sent`] follows when the replies that are due have come, and RSET leaves before the
    /// next MAIL.
    pub fn abort(self) {
        self.session.withdraw_envelope();
    }
}

/// Returns the newest transaction; there is one while the application is asked about it.
fn newest(session: &Session) -> TransactionNumber {
    let newest = session.work().transactions.back();
    newest.map_or(TransactionNumber::new(0), |newest| newest.transaction)
}

/// The content of a transaction may be written, in pieces of any size.
///
/// When the server rejects the transaction meanwhile, or the session ends, this question is
/// withdrawn and [`Sent`] follows.
#[must_use]
pub struct Content<'c> {
    pub(super) session: &'c mut Session,
    pub(super) facts: &'c Facts,
}

impl Content<'_> {
    /// Returns the transaction.
    #[must_use]
    pub fn transaction(&self) -> TransactionNumber {
        newest(self.session)
    }

    /// Returns how many octets can be taken before the next poll.
    #[must_use]
    pub fn room(&self) -> usize {
        self.session.room(self.facts)
    }

    /// Takes the next octets of the content, by copy, and returns how many: 0 when the server
    /// must take some first (back-pressure). Line ends are CRLF, or as
    /// [`Config::with_line_ends`](super::Config::with_line_ends) says; dot-stuffing is done here.
    ///
    /// # Errors
    ///
    /// An octet must not be sent to this server. The content cannot go on then, and
    /// [`finish`](Self::finish) will abort it.
    pub fn write(&mut self, content: &[u8]) -> Result<usize, ContentError> {
        let octets = self.room().min(content.len());
        let taken = content.get(..octets).unwrap_or_default();
        let Session { position, channel, .. } = &mut *self.session;
        if let Some(outgoing) = position.content() {
            outgoing.write(taken, channel.send())?;
            position.continue_question(octets);
        }
        Ok(octets)
    }

    /// Takes the next octets of the content, like [`write`](Self::write) but without a copy: those that
    /// were taken are split off `content`. They are the application's memory until they are sent.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_bytes(&mut self, content: &mut Bytes) -> Result<usize, ContentError> {
        let octets = self.room().min(content.len());
        let Session { position, channel, .. } = &mut *self.session;
        if let Some(outgoing) = position.content() {
            outgoing.write_bytes(content.split_to(octets), channel.send())?;
            position.continue_question(octets);
        }
        Ok(octets)
    }

    /// Waits for content that is not there yet: the octets that were written leave, replies are read
    /// and deadlines hold, and this question comes again when
    /// [`Client::ready`](super::Client::ready) is called.
    ///
    /// Over CHUNKING, a chunk then waits for the reply to the one before it: meanwhile more may come.
    pub fn wait(self) {
        if let Some(outgoing) = self.session.position.content() {
            outgoing.wait();
            self.session.position.close_question();
        }
    }

    /// Sends the octets that were written before this question comes again: for content that is
    /// produced slowly.
    pub fn flush(self) {
        if let Some(outgoing) = self.session.position.content() {
            outgoing.flush();
            self.session.position.close_question();
        }
    }

    /// Continues the content with the text at this URL (BURL, RFC 4468), which the server fetches. The
    /// octets that were written before leave first, as chunks, and this question comes again for those
    /// that follow. A negative reply ends the transaction, as with a chunk.
    ///
    /// The server must offer BURL and CHUNKING ([`MessageFacts::with_burl`] checks that before
    /// anything is sent), and mostly requires AUTH. [`Extensions::burl`] are the URLs that the server
    /// announced; it may accept others once the client has authenticated, so the server decides. The
    /// client does not count the octets at the URL. A transcript does not show the URL.
    ///
    /// [`MessageFacts::with_burl`]: super::MessageFacts::with_burl
    ///
    /// # Errors
    ///
    /// BURL cannot be used, the URL does not fit a command line, the last octet written was a CR,
    /// or there was an error before. The content was aborted instead.
    pub fn burl(self, uri: Uri<'static>) -> Result<(), ContentError> {
        self.continue_with(uri, false)
    }

    /// Ends the content with the text at this URL ([`burl`](Self::burl)): one round trip less than
    /// [`finish`](Self::finish) after `burl` without PIPELINING. No further transaction begins before
    /// the reply has come (RFC 4468 section 3.2).
    ///
    /// # Errors
    ///
    /// As with [`burl`](Self::burl).
    pub fn finish_with(self, uri: Uri<'static>) -> Result<(), ContentError> {
        self.continue_with(uri, true)
    }

    fn continue_with(self, uri: Uri<'static>, last: bool) -> Result<(), ContentError> {
        self.session.position.close_question();
        self.session.position.advance(|phase| match phase {
            Phase::Content(mut outgoing) => match outgoing.burl(uri, last) {
                Ok(()) if last => (Phase::Ending(outgoing), Ok(())),
                Ok(()) => (Phase::Content(outgoing), Ok(())),
                Err(error) => (Phase::Aborting(outgoing), Err(error)),
            },
            other => (other, Ok(())),
        })
    }

    /// Ends the content. A missing line end at its very end is added after DATA.
    ///
    /// # Errors
    ///
    /// The content cannot be ended: an earlier error of [`write`](Self::write), or a CR as its last
    /// octet. It was aborted instead, as a truncated message must not be taken for a whole one.
    pub fn finish(self) -> Result<(), ContentError> {
        self.session.position.close_question();
        self.session.position.advance(|phase| match phase {
            Phase::Content(mut outgoing) => match outgoing.finish() {
                Ok(()) => (Phase::Ending(outgoing), Ok(())),
                Err(error) => (Phase::Aborting(outgoing), Err(error)),
            },
            other => (other, Ok(())),
        })
    }

    /// Aborts the content. After DATA the connection is closed without the final dot; after BDAT the
    /// transaction is given up and the session goes on. [`Sent`] follows.
    pub fn abort(self) {
        self.session.position.close_question();
        self.session.position.advance(|phase| match phase {
            Phase::Content(outgoing) => (Phase::Aborting(outgoing), ()),
            other => (other, ()),
        });
    }
}

/// The server has sent the final reply for one recipient: a negative one to MAIL or RCPT, or any to
/// the content.
///
/// It comes before the [`Sent`] of the transaction, once for each recipient, in the order of the
/// replies, and as soon as the reply has come: in LMTP, while those for the others are due (RFC 2033
/// section 5). A recipient without a reply of its own, as the session has ended, is in [`Sent`] only,
/// which has every recipient once more.
///
/// It comes with [`Config::with_recipient_events`](super::Config::with_recipient_events). In a transaction of
/// [`Ready::begin`](super::Ready::begin), and with
/// [`Config::with_all_recipient_events`](super::Config::with_all_recipient_events), it comes for the reply to
/// MAIL and each positive one to RCPT, too, which are not [final](Self::is_final).
#[must_use]
pub struct Answered<'c> {
    pub(super) session: &'c mut Session,
    pub(super) transaction: TransactionNumber,
    pub(super) index: Option<usize>,
    pub(super) reply: Arc<Reply<'static>>,
    pub(super) is_final: bool,
}

impl Answered<'_> {
    /// Returns the transaction.
    #[must_use]
    pub const fn transaction(&self) -> TransactionNumber {
        self.transaction
    }

    /// Returns the recipient's place in the envelope; `None` for the reply to MAIL.
    #[must_use]
    pub const fn index(&self) -> Option<usize> {
        self.index
    }

    /// Returns whether the reply decides about the recipient: not that to MAIL, nor a positive one to RCPT, after which
    /// the reply to the content comes.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.is_final
    }

    /// Returns the reply.
    #[must_use]
    pub fn reply(&self) -> &Reply<'static> {
        &self.reply
    }

    /// Goes on.
    pub fn go_on(self) {
        self.session.position.close_question();
        if let Some(events) = &mut self.session.work_mut().recipient_events {
            events.pop_front();
        }
        if let Some(newest) = self.session.work_mut().transactions.back_mut() {
            newest.is_waiting = false;
        }
    }
}

/// A transaction is complete. This comes once for every transaction that was begun, also when the
/// connection is lost.
#[must_use]
pub struct Sent<'c> {
    pub(super) position: &'c mut Position,
    pub(super) report: &'c mut Report,
}

impl Sent<'_> {
    /// Returns the report of the transaction.
    #[must_use]
    pub const fn report(&self) -> &Report {
        self.report
    }

    /// Takes the report.
    #[must_use]
    pub fn take(self) -> Report {
        self.position.close_question();
        if matches!(self.position.phase(), Phase::Waiting) {
            self.position.enter(Phase::Ready);
        }
        self.report.take()
    }
}

macro_rules! debug {
    ($($token:ident)*) => {$(
        impl fmt::Debug for $token<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($token)).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(Ready Refused Upgrade HandOver Challenge Begun Content Answered Sent);
