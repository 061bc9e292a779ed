//! Cut-through: each command of a transaction is passed on to another server as it comes, and the client gets the replies
//! of that server. Nothing is stored, and no message is accepted before that server has accepted it.

use crate::{Stop, complain, config, dialogue::Dialogue, print_report, until_stopped};
use esmtp::{
    client::{ContentError, MessageFacts, Outcome, Report},
    io::{
        AsServer, ConnectError, SendError, SendFailure,
        tokio::{ClientSession, Connector, ContentWriter, Transaction},
    },
    machine::Machine,
    server::{Config, Content, Data, Deliver, Event, Mail, Rcpt},
    service::Service,
    syntax::{
        Code, Extension, ForwardPath, Host, Parameters, Rejection, Reply, ReversePath, Status, Text,
    },
    trace::{Received, Timestamp},
};
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::timeout};

/// The time that the other server gets to answer QUIT.
const PARTING: Duration = Duration::from_secs(1);

/// The server to which mail is forwarded.
pub(crate) struct Forward {
    connector: Connector,
    host: Host<'static>,
}

impl Forward {
    pub(crate) fn new(address: &str, config: &Config) -> Result<Self, String> {
        let is_address = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_address {
            return Err(format!("--forward {address}: not HOST:PORT"));
        }
        let host = config.host().clone();
        let connector = Connector::new(address)
            .with_service(match config.service() {
                Service::Lmtp => Service::Lmtp,
                _ => Service::Smtp,
            })
            .with_tls_policy(esmtp::client::TlsPolicy::IfOffered)
            .with_hello(host.clone());
        Ok(Self { connector, host })
    }
}

/// The session with the other server, for one client.
pub(crate) struct Backend<'r> {
    forward: &'r Forward,
    session: Option<ClientSession>,
    stopped: watch::Receiver<Stop>,
    is_quiet: bool,
}

impl<'r> Backend<'r> {
    pub(crate) const fn new(
        forward: &'r Forward,
        stopped: watch::Receiver<Stop>,
        is_quiet: bool,
    ) -> Self {
        Self { forward, session: None, stopped, is_quiet }
    }

    /// Connects before the greeting, and returns the configuration that announces no more than the other server does.
    pub(crate) async fn open(&mut self, own: &Config) -> Result<Arc<Config>, Rejection> {
        let session = self.connect().await?;
        let config = config::forwarding(own, session.client().extensions());
        self.session = Some(session);
        Ok(Arc::new(config))
    }

    async fn connect(&self) -> Result<ClientSession, Rejection> {
        match until_stopped(&self.stopped, async { Ok(self.forward.connector.connect().await) })
            .await
        {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err(Rejection::SHUTTING_DOWN),
        }
    }

    /// Passes on the transaction that the client begins: the dialogue is at its MAIL.
    ///
    /// # Errors
    ///
    /// The connection with the client has failed.
    pub(crate) async fn transact<M>(
        &mut self,
        dialogue: &mut Dialogue<'_, M>,
        refuses: impl Fn(&ForwardPath<'_>) -> bool,
    ) -> io::Result<()>
    where
        M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + 'static,
    {
        loop {
            let reused = self.session.take();
            let may_retry = reused.is_some();
            let session = match reused {
                Some(session) => Ok(session),
                None => self.connect().await,
            };
            let mut session = match session {
                Ok(session) => session,
                Err(rejection) => {
                    if let Some(Event::Mail(mail)) = dialogue.event() {
                        mail.reject(rejection);
                    }
                    return Ok(());
                }
            };
            let transacted = self.transact_on(&mut session, dialogue, may_retry, &refuses).await?;
            if let Transacted::Again = transacted {
                continue; // the other server has ended an idle session
            }
            if session.client().end().is_none() {
                self.session = Some(session);
            }
            return Ok(());
        }
    }

    async fn transact_on<M>(
        &self,
        session: &mut ClientSession,
        dialogue: &mut Dialogue<'_, M>,
        may_retry: bool,
        refuses: &impl Fn(&ForwardPath<'_>) -> bool,
    ) -> io::Result<Transacted>
    where
        M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + 'static,
    {
        let Some(Event::Mail(mail)) = dialogue.event() else { return Ok(Transacted::Done) };
        let offers_auth = session.client().extensions().contains(Extension::Auth);
        let (path, parameters) = passed_on(&mail, offers_auth);
        let begun = self.step(begin(session, path, parameters)).await;
        let transaction = match begun {
            Ok((transaction, reply)) => {
                let is_accepted = reply.is_positive();
                mail.answer(&reply);
                if !is_accepted {
                    return Ok(Transacted::Done);
                }
                transaction
            }
            Err(Failure { is_over: true, .. }) if may_retry => return Ok(Transacted::Again),
            Err(failure) => {
                mail.reject(failure.rejection);
                return Ok(Transacted::Done);
            }
        };
        let mut state = State::Envelope(transaction);
        let (mut added, mut accepted) = (0, Vec::new());
        while dialogue.is_asked().await? {
            match dialogue.event() {
                Some(Event::Rcpt(rcpt)) if refuses(&rcpt.forward_path()) => {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                }
                Some(Event::Rcpt(rcpt)) => {
                    state = self.rcpt(state, rcpt, &mut added, &mut accepted).await;
                }
                Some(Event::Data(data)) => state = self.data(state, data, &accepted).await,
                Some(Event::Content(content)) => state = self.content(state, content).await,
                Some(Event::Deliver(delivery)) => {
                    self.deliver(state, delivery, &accepted).await;
                    return Ok(Transacted::Done);
                }
                Some(Event::Abort(abort)) => {
                    // The message is not complete there: after DATA this closes the connection.
                    // It fails only if the session is over, which ends the transaction as well.
                    let _ = until_stopped(&self.stopped, async {
                        Ok(match state {
                            State::Envelope(transaction) => transaction.abort().await.is_ok(),
                            State::Content(writer) => writer.abort().await.is_ok(),
                            State::Failed(_) => false,
                        })
                    })
                    .await;
                    abort.acknowledge();
                    return Ok(Transacted::Done);
                }
                Some(other) => other.proceed(),
                None => {}
            }
        }
        Ok(Transacted::Done)
    }

    async fn rcpt<'s>(
        &self,
        state: State<'s>,
        rcpt: Rcpt<'_>,
        added: &mut usize,
        accepted: &mut Vec<usize>,
    ) -> State<'s> {
        let mut transaction = match state {
            State::Envelope(transaction) => transaction,
            State::Failed(rejection) => {
                rcpt.reject(rejection.clone());
                return State::Failed(rejection);
            }
            State::Content(_) => {
                rcpt.reject(Rejection::LOCAL_ERROR);
                return state;
            }
        };
        let path = rcpt.forward_path().into_owned();
        let parameters = rcpt.parameters().into_owned();
        match self.step(transaction.rcpt(path, parameters)).await {
            Ok(reply) => {
                if reply.is_positive() {
                    accepted.push(*added);
                }
                *added += 1;
                rcpt.answer(&reply);
                State::Envelope(transaction)
            }
            Err(Failure { rejection, is_over }) => {
                rcpt.reject(rejection.clone());
                if is_over { State::Failed(rejection) } else { State::Envelope(transaction) }
            }
        }
    }

    /// Goes on to the content, which begins with a trace line (RFC 5321 section 4.4).
    async fn data<'s>(&self, state: State<'s>, data: Data<'_>, accepted: &[usize]) -> State<'s> {
        let transaction = match state {
            State::Envelope(transaction) => transaction,
            State::Failed(rejection) => {
                data.reject(rejection.clone());
                return State::Failed(rejection);
            }
            State::Content(_) => {
                data.reject(Rejection::LOCAL_ERROR);
                return state;
            }
        };
        let at = Timestamp::from(SystemTime::now());
        let trace = Received::of(data.facts(), &self.forward.host, at).to_string();
        let begun = self.step(async {
            let mut writer = transaction.content().await?;
            writer.write(trace.as_bytes()).await?;
            Ok(writer)
        });
        match begun.await {
            Ok(writer) if writer.is_wanted() => {
                data.accept();
                State::Content(writer)
            }
            Ok(writer) => {
                let rejection = match self.step(writer.finish()).await {
                    Ok(report) => rejection_of_data(&report, accepted),
                    Err(failure) => failure.rejection,
                };
                data.reject(rejection.clone());
                State::Failed(rejection)
            }
            Err(failure) => {
                data.reject(failure.rejection.clone());
                State::Failed(failure.rejection)
            }
        }
    }

    /// Passes octets on, and consumes them after the other server has taken them (back-pressure).
    async fn content<'s>(&self, state: State<'s>, content: Content<'_>) -> State<'s> {
        let mut writer = match state {
            State::Content(writer) => writer,
            State::Failed(rejection) => {
                content.reject(rejection.clone());
                return State::Failed(rejection);
            }
            State::Envelope(_) => {
                content.reject(Rejection::LOCAL_ERROR);
                return state;
            }
        };
        match self.step(writer.write(content.octets())).await {
            Ok(()) => {
                content.done();
                State::Content(writer)
            }
            Err(Failure { rejection, .. }) => {
                content.reject(rejection.clone());
                State::Failed(rejection)
            }
        }
    }

    /// Ends the content, and passes on the final replies: one for all, or with LMTP one for each recipient.
    async fn deliver(&self, state: State<'_>, mut delivery: Deliver<'_>, accepted: &[usize]) {
        let ended = match state {
            State::Content(writer) => self.step(writer.finish()).await.map_err(|it| it.rejection),
            State::Failed(rejection) => Err(rejection),
            State::Envelope(_) => Err(Rejection::LOCAL_ERROR),
        };
        let report = match ended {
            Ok(report) => report,
            Err(rejection) => return delivery.reject(rejection),
        };
        if report.is_delivered_to_any() && !self.is_quiet {
            print_report(&delivery, None, None).await;
        }
        let outcomes: Vec<_> = report.outcomes().collect();
        let replies = accepted.iter().map(|index| outcomes.get(*index).copied());
        let replies: Vec<_> = replies.map(|outcome| outcome.and_then(Outcome::reply)).collect();
        if let Some(mut each) = delivery.per_recipient() {
            for (index, reply) in replies.iter().enumerate() {
                match reply {
                    Some(reply) => each.answer(index, reply),
                    None => each.settle(index, Err(lost())),
                }
            }
            return delivery.reject(lost());
        }
        match replies.first() {
            Some(Some(reply)) => delivery.answer(reply),
            _ => delivery.reject(lost()),
        }
    }

    /// Waits for a step of the other server, but not after the sessions have to end.
    async fn step<T>(
        &self,
        step: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, Failure> {
        match until_stopped(&self.stopped, async { Ok(step.await) }).await {
            Ok(done) => done.map_err(Failure::from),
            Err(_) => Err(Failure { rejection: Rejection::SHUTTING_DOWN, is_over: true }),
        }
    }

    /// Ends the session with the other server.
    pub(crate) async fn quit(self) {
        if let Some(mut session) = self.session {
            let _ = timeout(PARTING, session.quit()).await;
        }
    }
}

/// Sends MAIL, and returns the reply to it.
async fn begin<'s>(
    session: &'s mut ClientSession,
    path: ReversePath<'static>,
    parameters: Parameters<'static>,
) -> Result<(Transaction<'s, ClientSession>, Reply<'static>), SendError> {
    // BODY stays as the client has declared it.
    let facts = MessageFacts::UNKNOWN.without_eight_bit();
    let mut transaction = session.begin(path, parameters, &facts).await?;
    let reply = transaction.mail().await?;
    Ok((transaction, reply))
}

/// Returns the reverse-path and the parameters to send: all but AUTH, which belongs to this server, where the other one
/// does not offer it.
fn passed_on(mail: &Mail<'_>, offers_auth: bool) -> (ReversePath<'static>, Parameters<'static>) {
    let given = mail.parameters().into_owned();
    let mut kept = Parameters::NONE;
    for parameter in given.iter().filter(|it| offers_auth || !it.matches("AUTH")) {
        // It was valid as it came.
        let _ = kept.push(parameter.keyword(), parameter.value());
    }
    (mail.reverse_path().into_owned(), kept)
}

enum Transacted {
    Done,
    /// MAIL is not answered: it is to be sent in another session.
    Again,
}

/// The transaction with the other server.
enum State<'s> {
    Envelope(Transaction<'s, ClientSession>),
    Content(ContentWriter<'s, ClientSession>),
    /// It is over, and all further commands of the client's transaction get this reply.
    Failed(Rejection),
}

/// A step that has failed, and the reply for the client.
struct Failure {
    rejection: Rejection,
    /// The session with the other server is over.
    is_over: bool,
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let is_over =
            !matches!(error.failure(), SendFailure::NotOffered(_) | SendFailure::Content(_));
        let passed_on = error.reply().and_then(|reply| Rejection::try_from(reply.clone()).ok());
        let rejection = passed_on.unwrap_or_else(|| {
            complain(&format!("the server that mail is forwarded to: {error}"));
            match error.failure() {
                SendFailure::NotOffered(_) => refusal(
                    Code::TRANSACTION_FAILED,
                    Status::NOT_CAPABLE,
                    "The server that mail is forwarded to does not offer what this needs",
                ),
                SendFailure::Content(ContentError::TooLarge { .. }) => Rejection::MESSAGE_TOO_BIG,
                SendFailure::Content(ContentError::EightBit(_)) => refusal(
                    Code::TRANSACTION_FAILED,
                    Status::CONVERSION_UNSUPPORTED,
                    "8-bit content, and the server that mail is forwarded to does not offer 8BITMIME",
                ),
                SendFailure::Content(_) => Rejection::CONTENT_REFUSED,
                _ => lost(),
            }
        });
        Self { rejection, is_over }
    }
}

fn refusal(code: Code, status: Status, text: &'static str) -> Rejection {
    Rejection::new(code, status, Text::literal(text)).unwrap_or(Rejection::LOCAL_ERROR)
}

/// Returns the reply for a client whose transaction the other server has left.
fn lost() -> Rejection {
    Rejection::transient(
        Status::BAD_CONNECTION,
        Text::literal("Lost the connection to the server that mail is forwarded to"),
    )
}

/// Returns the negative reply to DATA, which is that of each recipient that was accepted.
fn rejection_of_data(report: &Report, accepted: &[usize]) -> Rejection {
    let outcome = accepted.first().and_then(|index| report.outcomes().nth(*index));
    let reply = outcome.and_then(Outcome::reply);
    reply.and_then(|reply| Rejection::try_from(reply.clone()).ok()).unwrap_or_else(lost)
}

/// Returns the reply for a client when there is no session with the other server: its own, or 421.
fn unreachable(error: &ConnectError) -> Rejection {
    complain(&format!("the server that mail is forwarded to: {error}"));
    let own = error.reply().and_then(|reply| Rejection::try_from(reply.clone()).ok());
    own.unwrap_or_else(|| {
        refusal(
            Code::NOT_AVAILABLE,
            Status::NO_ANSWER,
            "The server that mail is forwarded to is not available",
        )
    })
}
