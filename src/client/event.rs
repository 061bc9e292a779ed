//! The questions of a client to its application: tokens that have only their legal answers.

use super::{
    commands::Ask,
    error::{ContentError, End},
    ready::Ready,
    report::Report,
    state::{Core, Facts, Phase, Question},
    transaction::Transaction,
};
use crate::{
    sasl::Secret,
    security::{Security, TlsFailure},
    syntax::{Extensions, Reply, Uri, Verb},
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// What the client asks its application.
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
/// /// One message, for whoever is not content with `send` of the adapters.
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
///             for (forward_path, outcome) in sent.take().recipients() {
///                 println!("{forward_path} {outcome}");
///             }
///         }
///         // TLS is `tls::Secured`'s to do; going on behind a refusal is a decision.
///         other => other.quit(),
///     }
/// }
/// ```
///
/// What is not legal does not compile: a second transaction on the same [`Ready`], or content that
/// goes on behind its end.
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
    /// A command was refused: to go on is a decision.
    Refused(Refused<'c>),
    /// STARTTLS is agreed: TLS must take over now.
    Upgrade(Upgrade<'c>),
    /// The roles are turned: another machine must take the channel over.
    HandOver(HandOver<'c>),
    /// The server has sent a challenge of a mechanism that the application runs itself.
    Challenge(Challenge<'c>),
    /// The content of a transaction may be written.
    Content(Content<'c>),
    /// A recipient was answered, where [`Config::with_answers`](super::Config::with_answers) asks
    /// for it.
    Answered(Answered<'c>),
    /// A transaction has come to its end.
    Sent(Sent<'c>),
}

impl Event<'_> {
    /// The number of the question: the same while it is not answered.
    #[must_use]
    pub const fn number(&self) -> u64 {
        match self {
            Self::Ready(Ready { core, .. })
            | Self::Refused(Refused { core, .. })
            | Self::Upgrade(Upgrade { core, .. })
            | Self::HandOver(HandOver { core, .. })
            | Self::Challenge(Challenge { core, .. })
            | Self::Answered(Answered { core, .. })
            | Self::Content(Content { core, .. }) => core.questions,
            Self::Sent(sent) => sent.questions,
        }
    }

    /// Ends the session as soon as the protocol allows it: with QUIT, or, while content is asked
    /// for, as [`Content::abort`] does; a TLS layer is [not there](Upgrade::unavailable) then, and an
    /// exchange of AUTH is cancelled; where the roles are turned, the connection is closed. A
    /// report is let go.
    pub fn quit(self) {
        match self {
            Self::Ready(ready) => ready.quit(),
            Self::Refused(refused) => refused.quit(),
            Self::Upgrade(upgrade) => upgrade.unavailable(),
            Self::HandOver(hand_over) => hand_over.close(),
            Self::Challenge(challenge) => challenge.give_up(Some(End::Quit)),
            Self::Content(content) => content.abort(),
            Self::Answered(answered) => {
                if matches!(answered.core.phase, Phase::Ready | Phase::Waiting) {
                    answered.core.phase = Phase::Asking(Ask::Quit(End::Quit));
                }
                answered.go_on();
            }
            Self::Sent(sent) => {
                *sent.question = None;
                sent.report.take();
                if matches!(sent.phase, Phase::Ready | Phase::Waiting) {
                    *sent.phase = Phase::Asking(Ask::Quit(End::Quit));
                }
            }
        }
    }
}

/// The server said no to a command that stood alone; going on is a decision.
#[must_use]
pub struct Refused<'c> {
    pub(super) core: &'c mut Core,
    pub(super) facts: &'c Facts,
    pub(super) verb: Verb,
    pub(super) reply: &'c Reply<'static>,
}

impl<'c> Refused<'c> {
    /// The command that was refused.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// The negative reply.
    #[must_use]
    pub const fn reply(&self) -> &'c Reply<'static> {
        self.reply
    }

    /// What the server offers.
    #[must_use]
    pub const fn extensions(&self) -> &'c Extensions {
        &self.facts.offered
    }

    /// Goes on with the session: [`Ready`] comes next.
    pub fn go_on(self) {
        self.core.question = None;
        self.core.phase = match self.facts.hello {
            Some(_) => Phase::Ready,
            // An earlier line of XCLIENT was accepted: the session has begun anew.
            None => Phase::Asking(Ask::Hello(self.facts.config.service().hello())),
        };
    }

    /// Ends the session with QUIT.
    pub fn quit(self) {
        self.core.question = None;
        self.core.phase = Phase::Asking(Ask::Quit(End::Quit));
    }
}

/// STARTTLS is agreed, and everything before it is sent: the handshake is awaited. Nothing is
/// said or heard before the answer, and octets that come in the clear end the session.
///
/// `tls::Secured` answers this by itself.
#[must_use]
pub struct Upgrade<'c> {
    pub(super) core: &'c mut Core,
    pub(super) facts: &'c mut Facts,
}

impl Upgrade<'_> {
    /// The channel is protected like this. What the server said before is forgotten, and the
    /// session is opened anew (RFC 3207 section 4.2).
    pub fn done(self, security: Security) {
        self.core.upgraded(self.facts, security);
    }

    /// Ends the session because the handshake failed.
    pub fn failed(self, why: impl Into<TlsFailure>) {
        self.core.upgrade_failed(why.into());
    }

    /// Ends the session because there is no TLS layer that could begin the handshake.
    pub fn unavailable(self) {
        self.core.over(End::NoTlsLayer);
    }
}

/// ATRN was accepted (RFC 2645 section 5.3): from here on this side is the server, and greets. This
/// client says and hears nothing more; what has come behind the reply stays in its receive buffer.
///
/// There is no answer by which it would go on: who wants the mail leaves this event as it is, takes
/// the channel away from the client, and puts a [`Server`](crate::server::Server) on it.
///
/// - Of an adapter, `into_parts` gives the machine
///   and the stream, and `Connection::new` puts the next machine on that stream.
/// - In TLS the machine is a `tls::Secured`, whose `map` exchanges the client inside for the server; the TLS
///   connection goes on, with what the handshake has made known of it.
/// - The client's [`into_received`](super::Client::into_received) is what the server is
///   [fed](crate::machine::Machine::feed) first. A peer that keeps to the protocol waits for the
///   greeting, so there is nothing in it.
///
/// Of the client's session nothing else is carried over: the other side begins anew with EHLO.
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
    pub(super) core: &'c mut Core,
    pub(super) facts: &'c Facts,
    pub(super) reply: &'c Reply<'static>,
}

impl<'c> HandOver<'c> {
    /// The positive reply to ATRN.
    #[must_use]
    pub const fn reply(&self) -> &'c Reply<'static> {
        self.reply
    }

    /// How the channel is protected.
    #[must_use]
    pub const fn security(&self) -> &'c Security {
        &self.facts.security
    }

    /// Nobody takes over: the connection is closed.
    pub fn close(self) {
        self.core.over(End::HandedOver);
    }
}

/// A challenge of the mechanism that
/// [`authenticate_by_steps`](Ready::authenticate_by_steps) has begun.
#[must_use]
pub struct Challenge<'c> {
    pub(super) core: &'c mut Core,
}

impl Challenge<'_> {
    /// What the server says, base64 undone.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match &self.core.phase {
            Phase::Auth(exchange) => exchange.challenge(),
            _ => &[],
        }
    }

    /// Answers it.
    pub fn respond(self, response: impl Into<Secret>) {
        self.core.question = None;
        if let Phase::Auth(exchange) = &mut self.core.phase {
            exchange.respond(response.into());
        }
    }

    /// Gives the exchange up (`*`): [`Refused`] follows.
    pub fn cancel(self) {
        self.give_up(None);
    }

    fn give_up(self, end: Option<End>) {
        self.core.question = None;
        if let Phase::Auth(exchange) = &mut self.core.phase {
            exchange.cancel(end);
        }
    }
}

/// The content of a transaction may be written, in pieces of any size.
///
/// When the server refuses the transaction meanwhile, or the session ends, this question is
/// withdrawn and [`Sent`] follows.
#[must_use]
pub struct Content<'c> {
    pub(super) core: &'c mut Core,
    pub(super) facts: &'c Facts,
}

impl Content<'_> {
    /// Which transaction it is.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        // There is a newest transaction while its content is asked for.
        self.core.underway.back().map_or(Transaction(0), |newest| newest.transaction)
    }

    /// Octets that can be taken before the next poll.
    #[must_use]
    pub fn room(&self) -> usize {
        self.core.room(self.facts)
    }

    /// Takes the next octets of the content, by copy, and returns how many: 0 when the server
    /// must take some first. Line ends are CRLF, or what
    /// [`Config::with_line_ends`](super::Config::with_line_ends) says; dots are stuffed here.
    ///
    /// # Errors
    ///
    /// Something that may not be sent to this server. The content cannot go on then, and
    /// [`finish`](Self::finish) will abort it.
    pub fn write(&mut self, content: &[u8]) -> Result<usize, ContentError> {
        let octets = self.room().min(content.len());
        let taken = content.get(..octets).unwrap_or_default();
        if let Phase::Content(outgoing) = &mut self.core.phase {
            outgoing.write(taken, &mut self.core.channel.send)?;
        }
        Ok(octets)
    }

    /// The same without a copy: what was taken is split off `content`. The octets are the
    /// application's memory until they are sent.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_bytes(&mut self, content: &mut Bytes) -> Result<usize, ContentError> {
        let octets = self.room().min(content.len());
        if let Phase::Content(outgoing) = &mut self.core.phase {
            outgoing.write_bytes(content.split_to(octets), &mut self.core.channel.send)?;
        }
        Ok(octets)
    }

    /// Waits for content that is not there yet: what was written so far goes out, replies are heard
    /// and deadlines hold, and this question comes again when
    /// [`Client::ready`](super::Client::ready) is called.
    ///
    /// Over CHUNKING, a chunk then waits for the reply to the one before it: meanwhile more may come.
    pub fn wait(self) {
        if let Phase::Content(outgoing) = &mut self.core.phase {
            self.core.question = None;
            outgoing.wait();
        }
    }

    /// What was written so far goes out before this question comes again: for content that is
    /// produced slowly.
    pub fn flush(self) {
        if let Phase::Content(outgoing) = &mut self.core.phase {
            self.core.question = None;
            outgoing.flush();
        }
    }

    /// The content goes on with what stands at this URL (BURL, RFC 4468), which the server fetches:
    /// what was written before goes out in front of it, as chunks, and this question comes again
    /// for what follows. A refusal ends the transaction, as with a chunk.
    ///
    /// It takes a server that offers BURL and CHUNKING ([`MessageFacts::with_burl`] says so before
    /// anything is sent), and, mostly, AUTH before. [`Extensions::burl`] are the URLs that the
    /// server announced; it may take others once the client has authenticated, so that the server
    /// is the judge. The client does not count what stands at the URL. A transcript does not show
    /// it.
    ///
    /// [`MessageFacts::with_burl`]: super::MessageFacts::with_burl
    ///
    /// # Errors
    ///
    /// BURL cannot be used, the URL does not fit a command line, the last octet written was a CR,
    /// or there was an error before. The content was aborted instead.
    pub fn burl(self, uri: Uri<'static>) -> Result<(), ContentError> {
        self.core.question = None;
        self.go_on_with(uri, false)
    }

    /// The same, and the content is complete with it: one round trip less than
    /// [`finish`](Self::finish) behind [`burl`](Self::burl) without PIPELINING. No further
    /// transaction begins before the reply has come (RFC 4468 section 3.2).
    ///
    /// # Errors
    ///
    /// As with [`burl`](Self::burl).
    pub fn finish_with(self, uri: Uri<'static>) -> Result<(), ContentError> {
        self.core.question = None;
        self.go_on_with(uri, true)
    }

    fn go_on_with(self, uri: Uri<'static>, last: bool) -> Result<(), ContentError> {
        let phase = core::mem::replace(&mut self.core.phase, Phase::Ready);
        let Phase::Content(mut outgoing) = phase else {
            self.core.phase = phase;
            return Ok(());
        };
        let result = outgoing.burl(uri, last);
        self.core.phase = match result {
            Ok(()) if last => Phase::Ending(outgoing, Vec::new()),
            Ok(()) => Phase::Content(outgoing),
            Err(_) => Phase::Aborting(outgoing),
        };
        result
    }

    /// The content is complete. A missing line end at its very end is added behind DATA.
    ///
    /// # Errors
    ///
    /// It is not fit to be ended: an earlier error of [`write`](Self::write), or a CR as its last
    /// octet. It was aborted instead, for a truncated message must not be taken for a whole one.
    pub fn finish(self) -> Result<(), ContentError> {
        self.core.question = None;
        let phase = core::mem::replace(&mut self.core.phase, Phase::Ready);
        let Phase::Content(mut outgoing) = phase else {
            self.core.phase = phase;
            return Ok(());
        };
        let mut tail = Vec::new();
        let result = outgoing.finish(&mut tail);
        self.core.phase = match result {
            Ok(()) => Phase::Ending(outgoing, tail),
            Err(_) => Phase::Aborting(outgoing),
        };
        result
    }

    /// The content will never be complete. Behind DATA the connection is closed without the final
    /// dot; behind BDAT the transaction is given up and the session goes on. [`Sent`] follows.
    pub fn abort(self) {
        self.core.question = None;
        let phase = core::mem::replace(&mut self.core.phase, Phase::Ready);
        self.core.phase = match phase {
            Phase::Content(outgoing) => Phase::Aborting(outgoing),
            other => other,
        };
    }
}

/// The server has answered for one recipient, which is final: MAIL or RCPT was refused, or the
/// content was accepted or refused.
///
/// It comes before the [`Sent`] of the transaction, once for each recipient, in the order in which
/// they were answered, and as soon as the reply has come: in LMTP, while the others' are awaited
/// (RFC 2033 section 5). Who has no reply of its own, as the session came to its end, is in
/// [`Sent`] only, and so is everybody once more.
///
/// It comes only with [`Config::with_answers`](super::Config::with_answers).
#[must_use]
pub struct Answered<'c> {
    pub(super) core: &'c mut Core,
    pub(super) transaction: Transaction,
    pub(super) index: usize,
    pub(super) reply: Arc<Reply<'static>>,
}

impl Answered<'_> {
    /// The transaction.
    #[must_use]
    pub const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// The recipient's place in the envelope.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// What the server said.
    #[must_use]
    pub fn reply(&self) -> &Reply<'static> {
        &self.reply
    }

    /// Goes on.
    pub fn go_on(self) {
        self.core.question = None;
        if let Some(answers) = &mut self.core.answers {
            answers.pop_front();
        }
    }
}

/// A transaction has come to its end. This comes once for every transaction that was begun, also
/// when the connection is lost.
#[must_use]
pub struct Sent<'c> {
    pub(super) questions: u64,
    pub(super) question: &'c mut Option<Question>,
    pub(super) phase: &'c mut Phase,
    pub(super) report: &'c mut Report,
}

impl Sent<'_> {
    /// What became of the transaction.
    #[must_use]
    pub const fn report(&self) -> &Report {
        self.report
    }

    /// Takes the report.
    #[must_use]
    pub fn take(self) -> Report {
        *self.question = None;
        if matches!(self.phase, Phase::Waiting) {
            *self.phase = Phase::Ready;
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

debug!(Ready Refused Upgrade HandOver Challenge Content Answered Sent);
