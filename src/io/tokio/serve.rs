//! A listener whose sessions are tasks.

use super::{
    connection::{ServerSession, SessionHome},
    listener::Listener,
    socket::Socket,
};
use crate::{
    io::{
        SessionError,
        serving::{
            Admission, Handle, HeaderReader, Incident, Options, PAUSE, Place, REFUSAL_TIME,
            Refusal, Running, Watch, answer_for_failed, begin, canonical, client_of, is_about_one,
        },
        stopper::Attached,
    },
    proxy::{Header, ProxyError},
    server::Event,
    syntax::Rejection,
};
use ::tokio::{io::AsyncReadExt, task::JoinSet, time};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

/// Accepts connections and runs `session` for each, in a task of its own, until the
/// [handle](Serving::handle) says stop.
///
/// `session` gets its session and the state that all sessions share, and returns when
/// [`next`](ServerSession::next) has returned `None`. An error that it returns, or a panic, ends that
/// session only, and is reported to the [log](Options::with_log). A session that it drops before its end gets
/// 421 4.3.0, and is closed (RFC 5321 section 3.8). How clients are limited, protected by TLS, and told that
/// the server ends: see [`Options`] and [`Handle`].
///
/// ```
/// use esmtp::{
///     io::{serving::Options, tokio::serve},
///     server::{Config, Event, Message},
///     syntax::{Mailbox, Rejection},
/// };
/// use std::{sync::Arc, time::Duration};
/// use tokio::net::TcpListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Arc::new(vec!["bob@example.net".parse::<Mailbox>()?]);
/// let options = Options::new(Config::new("mx.example.net")?)
///     .with_sessions(5000)
///     .with_sessions_by_address(20)
///     .with_grace(Duration::from_secs(10))
///     .with_log(|incident| eprintln!("{incident}"));
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
///
/// let serving = serve(listener, options, users, |mut session, users| async move {
///     let mut message = Message::with_limit(10 << 20);
///     while let Some(event) = session.next().await? {
///         match event {
///             Event::Rcpt(rcpt) => match rcpt.forward_path().mailbox() {
///                 Some(mailbox) if users.contains(mailbox) => rcpt.accept(),
///                 _ => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
///             },
///             Event::Deliver(delivery) => {
///                 println!("{} octets", message.octets().len()); // store them
///                 delivery.accept();
///             }
///             other => message.collect(other), // begins, appends and forgets with the transaction
///         }
///     }
///     Ok(())
/// });
///
/// // Shut down at a signal: idle clients get 421, messages in progress may finish.
/// let handle = serving.handle();
/// tokio::spawn(async move {
///     # if true { return handle.shut_down() }
///     if tokio::signal::ctrl_c().await.is_ok() {
///         println!("{} sessions", handle.sessions());
///         handle.shut_down();
///     }
/// });
/// serving.await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias("listen", "bind", "SmtpServer"))]
pub fn serve<T, F, R>(
    listener: impl Into<Listener>,
    options: Options,
    state: Arc<T>,
    session: F,
) -> Serving
where
    T: Send + Sync + 'static,
    F: Fn(ServerSession, Arc<T>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), SessionError>> + Send + 'static,
{
    let handle = Handle::new(&options);
    let listening = Listening {
        listener: listener.into(),
        shared: Arc::new(Shared { options, handle: handle.clone(), state, session }),
    };
    Serving { handle, running: Box::pin(listening.run()) }
}

/// A listener that accepts connections while it is awaited, and its sessions.
///
/// It is ready when it was told to end and every session is over, or was ended. Dropped, it ends its
/// sessions at once and without a reply.
#[must_use = "no connection is accepted before it is awaited"]
pub struct Serving {
    handle: Handle,
    running: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl Serving {
    /// Returns a handle that tells the number of sessions, and ends them.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// # Errors
///
/// The settings cannot work: a [`ConfigError`](crate::server::ConfigError), or LMTP on port 25 (RFC 2033
/// section 5). A later error of the network is no error of the listener.
impl Future for Serving {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running.as_mut().poll(context)
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// All that the sessions share.
struct Shared<T, F> {
    options: Options,
    handle: Handle,
    state: Arc<T>,
    session: F,
}

struct Listening<T, F> {
    listener: Listener,
    shared: Arc<Shared<T, F>>,
}

impl<T, F, R> Listening<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(ServerSession, Arc<T>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), SessionError>> + Send + 'static,
{
    async fn run(self) -> io::Result<()> {
        let Self { listener, shared } = self;
        shared.options.check(listener.address())?;
        let mut stop = Attached::listener(shared.handle.stopper().clone());
        let mut sessions = JoinSet::new();
        let mut pause = pin!(time::sleep(Duration::ZERO));
        let mut is_pausing = false;
        loop {
            let accepted = poll_fn(|context| {
                if stop.poll_look(context).is_ready() {
                    return Poll::Ready(None);
                }
                while let Poll::Ready(Some(_)) = sessions.poll_join_next(context) {
                    is_pausing = false; // its descriptor is free
                }
                is_pausing = is_pausing && pause.as_mut().poll(context).is_pending();
                match is_pausing {
                    true => Poll::Pending,
                    false => listener.poll_accept(context).map(Some),
                }
            });
            match accepted.await {
                None => break,
                Some(Ok(socket)) => match shared.handle.places().take() {
                    Err(None) => {
                        shared.options.report(&Incident::NoPlace { peer: socket.peer() });
                    }
                    place => {
                        sessions.spawn(Arc::clone(&shared).attend(Box::new(socket), place));
                    }
                },
                Some(Err(error)) => {
                    shared.options.report(&Incident::Accept { error: &error });
                    if !is_about_one(&error) {
                        // No descriptor (EMFILE, ENFILE) or no memory: the next call would fail, too.
                        is_pausing = true;
                        pause.as_mut().reset(time::Instant::now() + PAUSE);
                    }
                }
            }
        }
        drop(listener);
        let [grace, closing] = shared.options.ending();
        let mut closed = pin!(time::timeout(grace, shared.handle.stopper().closed()));
        let ended = poll_fn(|context| match poll_over(&mut sessions, context) {
            Poll::Pending => closed.as_mut().poll(context).map(drop),
            ready => ready,
        });
        ended.await;
        if !sessions.is_empty() {
            shared.handle.close();
            let over = poll_fn(|context| poll_over(&mut sessions, context));
            let _ = time::timeout(closing, over).await;
        }
        // Sessions that wait for their application.
        sessions.shutdown().await;
        Ok(())
    }
}

/// Returns ready when every session is over.
fn poll_over(sessions: &mut JoinSet<()>, context: &mut Context<'_>) -> Poll<()> {
    while ready!(sessions.poll_join_next(context)).is_some() {}
    Poll::Ready(())
}

/// A client whose session, or whose refusal, is about to run.
enum Admitted<'a> {
    Session(Watch<'a>, Arc<SessionHome>, Option<Running>),
    Refused(Refusal, Box<ServerSession>, Rejection),
    Disconnected,
}

impl<T, F, R> Shared<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(ServerSession, Arc<T>) -> R,
    R: Future<Output = Result<(), SessionError>> + Send + 'static,
{
    /// Serves one client.
    ///
    /// A listener has thousands of these tasks: each holds the future of its session, and nothing else that
    /// is large.
    async fn attend(
        self: Arc<Self>,
        mut socket: Box<Socket>,
        place: Result<Place, Option<Refusal>>,
    ) {
        let mut peer = socket.peer().map(canonical);
        if self.options.is_proxy(peer) {
            match Box::pin(self.header(&mut socket)).await {
                // The listener ends, and no client is known that could be told.
                None => return,
                Some(Ok(header)) => peer = client_of(&header, peer),
                Some(Err(error)) => {
                    return self.options.report(&Incident::NoHeader { proxy: peer, error });
                }
            }
        }
        match self.admit(*socket, peer, place) {
            Admitted::Session(watch, home, running) => {
                watch.attend(running).await;
                if let Some(session) = ServerSession::returned(&home) {
                    Box::pin(end(session)).await;
                }
            }
            Admitted::Refused(_refusal, session, reply) => {
                let _ = time::timeout(REFUSAL_TIME, Box::pin(reject(session, reply))).await;
            }
            Admitted::Disconnected => {}
        }
    }

    /// Reads the header of a proxy; returns `None` when the listener ends.
    async fn header(&self, socket: &mut Socket) -> Option<Result<Header, Option<ProxyError>>> {
        let mut stop = Attached::listener(self.handle.stopper().clone());
        let header = time::timeout(self.options.header_timeout(), read_header(socket));
        let mut header = pin!(header);
        let header = poll_fn(|context| match stop.poll_look(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => header.as_mut().poll(context).map(Some),
        });
        header.await.map(|header| header.unwrap_or(Err(None)))
    }

    /// Decides about a client, and begins its session.
    fn admit(
        &self,
        socket: Socket,
        peer: Option<SocketAddr>,
        place: Result<Place, Option<Refusal>>,
    ) -> Admitted<'_> {
        let (options, stopper) = (&self.options, self.handle.stopper());
        let socket = match peer {
            Some(peer) => socket.with_peer(peer),
            None => socket,
        };
        let begun = |server| ServerSession::new(server, socket).with_stopper(stopper);
        match Admission::of(options, peer, place) {
            Admission::Session(watch, server, span) => {
                let home = ServerSession::home(options.config());
                let session = begun(server).lent(&home);
                let state = Arc::clone(&self.state);
                let running = begin(|| span.around((self.session)(session, state)));
                Admitted::Session(watch, home, running)
            }
            Admission::Refused(refusal, server, reply) => {
                Admitted::Refused(refusal, Box::new(begun(server)), reply)
            }
            Admission::Disconnected => Admitted::Disconnected,
        }
    }
}

/// Ends a session that its function has dropped.
async fn end(mut session: ServerSession) {
    while let Ok(Some(event)) = session.next().await {
        answer_for_failed(event);
    }
}

async fn reject(mut session: Box<ServerSession>, reply: Rejection) -> Result<(), SessionError> {
    while let Some(event) = session.next().await? {
        match event {
            Event::Connect(connect) => connect.reject_and_close(reply.clone()),
            other => other.proceed(),
        }
    }
    Ok(())
}

/// Reads a PROXY header and not an octet more.
///
/// # Errors
///
/// The error of the header; `None` if the connection ended before its end.
async fn read_header(socket: &mut Socket) -> Result<Header, Option<ProxyError>> {
    let mut reader = HeaderReader::default();
    loop {
        match socket.read(reader.room()).await {
            Ok(octets) if octets > 0 => {
                if let Some(header) = reader.filled(octets).map_err(Some)? {
                    return Ok(header);
                }
            }
            _ => return Err(None),
        }
    }
}
