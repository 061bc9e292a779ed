//! The state of a transaction that goes step by step, apart from how its adapter waits.

use crate::{
    client::{Client, Content, Event, MessageFacts, Report, TransactionNumber},
    envelope::Envelope,
    io::{
        SendError, SendFailure, SessionError,
        sending::{Rejected, foreign, is_in_vain},
    },
    syntax::{ForwardPath, Parameters, Reply},
};
use alloc::{sync::Arc, vec::Vec};

/// A transaction that was begun step by step.
#[derive(Debug)]
pub(super) struct Steps {
    transaction: Option<TransactionNumber>,
    /// The envelope so far.
    envelope: Envelope,
    mail: Option<Reply<'static>>,
    /// The reply to each RCPT, once it has come.
    rcpt: Vec<Option<Reply<'static>>>,
    is_content_asked: bool,
    report: Option<Report>,
}

/// The step that a call waits for.
#[derive(Debug)]
pub(super) enum Want<'w> {
    /// MAIL may leave.
    Begin(&'w MessageFacts),
    /// The reply to MAIL.
    Mail,
    /// RCPT may leave, for this recipient.
    Add(Option<(ForwardPath<'static>, Parameters<'static>)>),
    /// The reply to RCPT of the recipient at this place.
    Rcpt(usize),
    /// The content may be written.
    Content,
    /// The client takes these octets.
    Write(&'w [u8]),
    /// The content ends, and the report comes.
    Finish,
    /// The transaction is given up, and the report comes.
    Abort,
}

impl Steps {
    pub(super) const fn new(envelope: Envelope) -> Self {
        Self {
            transaction: None,
            envelope,
            mail: None,
            rcpt: Vec::new(),
            is_content_asked: false,
            report: None,
        }
    }

    /// Returns whether the step was done, or needs not be done any more: the transaction is over.
    pub(super) fn is_done(&self, want: &Want<'_>) -> bool {
        self.report.is_some()
            || match want {
                Want::Begin(_) => self.transaction.is_some(),
                Want::Mail => self.mail.is_some(),
                Want::Add(recipient) => recipient.is_none(),
                Want::Rcpt(index) => self.reply(*index).is_some(),
                Want::Content => self.is_content_asked,
                Want::Write(octets) => octets.is_empty(),
                Want::Finish | Want::Abort => false,
            }
    }

    /// Handles an event of the client.
    pub(super) fn on(&mut self, event: Event<'_>, want: &mut Want<'_>) -> Result<(), SendFailure> {
        match event {
            Event::Ready(ready) if self.transaction.is_none() => {
                if let Want::Begin(facts) = want {
                    let reverse_path = self.envelope.reverse_path().clone();
                    let parameters = self.envelope.parameters().clone();
                    let begun = ready.begin(reverse_path, parameters, facts);
                    self.transaction = Some(begun.map_err(SendFailure::NotOffered)?);
                }
            }
            Event::Begun(begun) if self.is_own(begun.transaction()) => match want {
                Want::Add(recipient) => {
                    if let Some((path, parameters)) = recipient.take() {
                        let index = begun.rcpt(path.clone(), parameters.clone());
                        index.map_err(SendFailure::NotOffered)?;
                        self.envelope.push(path, parameters);
                        self.rcpt.push(None);
                    }
                }
                Want::Content | Want::Write(_) | Want::Finish => begun.content(),
                Want::Abort => begun.abort(),
                Want::Begin(_) | Want::Mail | Want::Rcpt(_) => begun.wait(),
            },
            Event::Answered(answered) if self.is_own(answered.transaction()) => {
                let reply = match answered.index() {
                    None => Some(&mut self.mail),
                    Some(index) => self.rcpt.get_mut(index),
                };
                // The reply to the content comes after that to RCPT, and is in the report.
                if let Some(reply @ None) = reply {
                    *reply = Some(answered.reply().clone());
                }
                answered.go_on();
            }
            Event::Content(content) if self.is_own(content.transaction()) => {
                self.is_content_asked = true;
                return write(content, want);
            }
            Event::Sent(sent) => {
                let report = sent.take();
                if self.is_own(report.transaction()) {
                    self.report = Some(report);
                }
            }
            other => {
                if let Some(Rejected { verb, reply }) = foreign(other) {
                    return Err(SendFailure::Refused { verb, reply });
                }
            }
        }
        Ok(())
    }

    fn is_own(&self, transaction: TransactionNumber) -> bool {
        self.transaction == Some(transaction)
    }

    /// Returns the reply to MAIL, once it has come.
    pub(super) const fn mail_reply(&self) -> Option<&Reply<'static>> {
        self.mail.as_ref()
    }

    /// Returns the reply to RCPT of the recipient at this place, once it has come: after a rejected MAIL, that
    /// reply.
    pub(super) fn reply(&self, index: usize) -> Option<&Reply<'static>> {
        match self.rcpt.get(index) {
            Some(Some(reply)) => Some(reply),
            _ => self.mail.as_ref().filter(|mail| !mail.is_positive()),
        }
    }

    /// Returns the number of recipients that were added, or would have been, had MAIL not been rejected.
    pub(super) const fn len(&self) -> usize {
        self.rcpt.len()
    }

    /// Adds a recipient to a transaction that is over already.
    pub(super) fn add_in_vain(
        &mut self,
        path: ForwardPath<'static>,
        parameters: Parameters<'static>,
    ) {
        self.envelope.push(path, parameters);
        self.rcpt.push(None);
    }

    /// Returns whether the content is asked for.
    pub(super) const fn wants_content(&self) -> bool {
        self.report.is_none()
    }

    /// Returns the reply that the recipients have in common whose RCPT was accepted, once the transaction is over: the
    /// negative one to DATA, or that to the content. In LMTP it is that for the first of them.
    pub(super) fn content_reply(&self) -> Option<&Reply<'static>> {
        let report = self.report.as_ref()?;
        let is_accepted =
            |reply: &Option<Reply<'_>>| reply.as_ref().is_some_and(Reply::is_positive);
        let accepted = self.rcpt.iter().position(is_accepted)?;
        report.outcomes().nth(accepted)?.reply()
    }

    /// Returns the error of a step.
    pub(super) fn error(&self, failure: SendFailure) -> SendError {
        let envelope = Arc::new(self.envelope.clone());
        SendError::new(envelope, self.transaction.is_some(), failure)
    }

    /// Returns the error of a step for which the session is over.
    pub(super) fn over(&self, client: &Client, error: Option<SessionError>) -> SendError {
        self.error(SendFailure::over(client, error))
    }

    /// Takes the result of the whole transaction, which is over.
    pub(super) fn result(&mut self, client: &Client) -> Result<Report, SendError> {
        match (self.report.take(), client.end()) {
            (Some(report), Some(end)) if is_in_vain(&report, end) => {
                Err(self.error(SendFailure::Ended(end.clone())))
            }
            (Some(report), _) => Ok(report),
            (None, _) => Err(self.over(client, None)),
        }
    }
}

/// Writes or ends the content as the step wants it.
fn write(mut content: Content<'_>, want: &mut Want<'_>) -> Result<(), SendFailure> {
    match want {
        Want::Write(octets) => match content.write(octets) {
            Ok(taken) => *octets = octets.get(taken..).unwrap_or_default(),
            Err(error) => {
                content.abort();
                return Err(SendFailure::Content(error));
            }
        },
        Want::Finish => content.finish().map_err(SendFailure::Content)?,
        Want::Abort => content.abort(),
        _ => {}
    }
    Ok(())
}
