//! A transaction that goes step by step.

#![allow(private_bounds, reason = "a session is driven by this crate alone: the trait is sealed")]

use super::driven::Driven;
use crate::{
    client::{MessageFacts, Report},
    envelope::Envelope,
    io::{
        SendError,
        steps::{Steps, Want},
    },
    syntax::{ForwardPath, Parameters, Reply, ReversePath},
};

/// A transaction of a session that goes step by step, for gateways and cut-through proxies: each reply is known before
/// the next command, and the content is written as it comes (back-pressure, constant memory). It is made
/// by [`Connection::begin`](super::Connection::begin).
///
/// Recipients that are known together are [added](Self::add) first, and their replies read after that: then they leave
/// in one group where the server offers PIPELINING (RFC 2920).
///
/// After a transaction that is dropped, the next call of the session gives it up, and goes on if the content had not
/// begun or goes in chunks.
///
/// ```no_run
/// use esmtp::{
///     client::MessageFacts,
///     io::{SendError, blocking::ClientSession},
///     syntax::{ForwardPath, Parameters, ReversePath},
/// };
///
/// fn relay(
///     session: &mut ClientSession,
///     reverse_path: ReversePath<'static>,
///     recipients: Vec<ForwardPath<'static>>,
///     content: &[u8],
/// ) -> Result<(), SendError> {
///     let facts = MessageFacts::UNKNOWN;
///     let mut transaction = session.begin(reverse_path, Parameters::NONE, &facts)?;
///     println!("MAIL: {}", transaction.mail()?);
///     for recipient in recipients {
///         println!("{recipient}: {}", transaction.rcpt(recipient.clone(), Parameters::NONE)?);
///     }
///     let mut writer = transaction.content()?;
///     for piece in content.chunks(4096) {
///         writer.write(piece)?;
///     }
///     for recipient in writer.finish()?.recipients() {
///         println!("{}: {}", recipient.path(), recipient.outcome());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Transaction<'s, D: Driven> {
    inner: Inner<'s, D>,
}

/// The content of a [`Transaction`].
#[derive(Debug)]
pub struct ContentWriter<'s, D: Driven> {
    inner: Inner<'s, D>,
}

#[derive(Debug)]
struct Inner<'s, D: Driven> {
    session: &'s mut D,
    steps: Steps,
}

impl<'s, D: Driven> Inner<'s, D> {
    /// Drives the session until the step is done; returns it with what was not taken of it.
    fn step<'w>(&mut self, mut want: Want<'w>) -> Result<Want<'w>, SendError> {
        let Self { session, steps } = self;
        session.client_mut().ready();
        while !steps.is_done(&want) {
            session.drive().map_err(|error| steps.over(session.client(), error))?;
            let Some(event) = session.event() else { continue };
            steps.on(event, &mut want).map_err(|failure| steps.error(failure))?;
        }
        Ok(want)
    }

    /// Returns the result of a transaction that is over.
    fn result(mut self) -> Result<Report, SendError> {
        self.steps.result(self.session.client())
    }
}

impl<'s, D: Driven> Transaction<'s, D> {
    pub(super) fn begin(
        session: &'s mut D,
        reverse_path: ReversePath<'static>,
        parameters: Parameters<'static>,
        facts: &MessageFacts,
    ) -> Result<Self, SendError> {
        let envelope = Envelope::from_reverse_path(reverse_path).with_parameters(parameters);
        let mut inner = Inner { session, steps: Steps::new(envelope) };
        inner.step(Want::Begin(facts))?;
        Ok(Self { inner })
    }

    /// Returns the reply to MAIL. After a negative one every recipient has that reply, too, and the transaction is
    /// over.
    ///
    /// # Errors
    ///
    /// The session has ended without it.
    pub fn mail(&mut self) -> Result<Reply<'static>, SendError> {
        self.inner.step(Want::Mail)?;
        let Inner { session, steps } = &self.inner;
        steps.mail_reply().cloned().ok_or_else(|| steps.over(session.client(), None))
    }

    /// Adds a recipient and returns the reply to its RCPT.
    ///
    /// # Errors
    ///
    /// - The server does not offer what the recipient needs
    ///   ([`SendFailure::NotOffered`](crate::io::SendFailure::NotOffered)): it was not added, and the transaction goes on.
    /// - The session has ended.
    pub fn rcpt(
        &mut self,
        forward_path: impl Into<ForwardPath<'static>>,
        parameters: Parameters<'static>,
    ) -> Result<Reply<'static>, SendError> {
        let index = self.add(forward_path, parameters)?;
        self.reply(index)
    }

    /// Adds a recipient without waiting for the reply to its RCPT. Returns its place in the envelope, for
    /// [`reply`](Self::reply).
    ///
    /// # Errors
    ///
    /// As with [`rcpt`](Self::rcpt).
    pub fn add(
        &mut self,
        forward_path: impl Into<ForwardPath<'static>>,
        parameters: Parameters<'static>,
    ) -> Result<usize, SendError> {
        let index = self.inner.steps.len();
        let recipient = Some((forward_path.into(), parameters));
        if let Want::Add(Some((path, parameters))) = self.inner.step(Want::Add(recipient))? {
            self.inner.steps.add_in_vain(path, parameters);
        }
        Ok(index)
    }

    /// Returns the reply to RCPT of the recipient that was added at this place.
    ///
    /// # Errors
    ///
    /// The session has ended without it.
    pub fn reply(&mut self, index: usize) -> Result<Reply<'static>, SendError> {
        self.inner.step(Want::Rcpt(index))?;
        let Inner { session, steps } = &self.inner;
        steps.reply(index).cloned().ok_or_else(|| steps.over(session.client(), None))
    }

    /// Goes on to the content, and returns when it may be written: after 354, or with CHUNKING at once. Where
    /// every recipient or DATA was rejected, it is [not wanted](ContentWriter::is_wanted), and
    /// [`finish`](ContentWriter::finish) returns the report.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn content(mut self) -> Result<ContentWriter<'s, D>, SendError> {
        self.inner.step(Want::Content)?;
        Ok(ContentWriter { inner: self.inner })
    }

    /// Gives the transaction up. RSET leaves before the next MAIL of the session.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn abort(mut self) -> Result<Report, SendError> {
        self.inner.step(Want::Abort)?;
        self.inner.result()
    }
}

impl<D: Driven> ContentWriter<'_, D> {
    /// Returns whether the server still wants the content. Where it has rejected the transaction, octets that are
    /// written are dropped.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.inner.steps.wants_content()
    }

    /// Writes octets of the content, and returns when all of them were taken (back-pressure). Line ends are CRLF, or as
    /// configured by [`Config::with_line_ends`](crate::client::Config::with_line_ends); dot-stuffing is done here.
    ///
    /// Octets that were taken leave at the latest with the next call.
    ///
    /// # Errors
    ///
    /// - An octet must not be sent to this server: the content was aborted.
    /// - The session has ended.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), SendError> {
        self.inner.step(Want::Write(octets)).map(drop)
    }

    /// Returns the negative reply to DATA as the server sent it, where that is why the content is not
    /// [wanted](Self::is_wanted): for a proxy that passes it on before it has asked its client for the content.
    ///
    /// The positive one is 354 and is not kept. A server with CHUNKING is not asked before the content.
    #[must_use]
    pub fn refusal(&self) -> Option<&Reply<'static>> {
        self.inner.steps.content_reply()
    }

    /// Ends the content, and returns the reply to it as the server sent it, for a proxy that passes it on. `None` where
    /// no reply came: RCPT was accepted for no recipient, or the connection was lost. In LMTP it is the reply for the first
    /// recipient that was accepted, and the report has those for the others.
    ///
    /// [`finish`](Self::finish) returns the report after it.
    ///
    /// # Errors
    ///
    /// The session has ended, or the content must not end here: it was aborted.
    pub fn end(&mut self) -> Result<Option<&Reply<'static>>, SendError> {
        self.inner.step(Want::Finish)?;
        Ok(self.inner.steps.content_reply())
    }

    /// Ends the content, and returns the report.
    ///
    /// # Errors
    ///
    /// As that of `send` of the session: no recipient has the message.
    pub fn finish(mut self) -> Result<Report, SendError> {
        self.inner.step(Want::Finish)?;
        self.inner.result()
    }

    /// Aborts the content: no recipient has the message. After DATA the connection is closed, as only that keeps the
    /// server from taking a part for the whole; after BDAT the session goes on.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn abort(mut self) -> Result<Report, SendError> {
        self.inner.step(Want::Abort)?;
        self.inner.result()
    }
}

/// The client waits for nothing more: the next call of the session meets the open question.
impl<D: Driven> Drop for Inner<'_, D> {
    fn drop(&mut self) {
        self.session.client_mut().ready();
    }
}
