//! A listener whose sessions are threads.

use super::{connection::ServerSession, listener::Listener, socket::Socket, stream::Stream};
use crate::{
    io::{
        SessionError,
        serving::{
            Admission, Handle, HeaderReader, Incident, Options, PAUSE, Place, Refusal,
            answer_for_failed, canonical, client_of, is_about_one,
        },
    },
    proxy::{Header, ProxyError},
    server::Event,
};
use alloc::{boxed::Box, sync::Arc};
use core::{fmt, time::Duration};
use std::{
    io::{self, ErrorKind, Read},
    thread,
    time::Instant,
};

/// Creates a listener that runs `session` for each connection, in a thread of its own, until its
/// [handle](Serving::handle) says stop. It accepts connections in [`Serving::run`].
///
/// `session` gets its session and the state that all sessions share, and returns when
/// [`next`](ServerSession::next) has returned `None`. An error that it returns, or a panic, ends that
/// session only, and is reported to the [log](Options::with_log). A session that it drops before its end gets
/// 421 4.3.0, and is closed (RFC 5321 section 3.8). How clients are limited, protected by TLS, and told that
/// the server ends: see [`Options`] and [`Handle`].
///
/// ```
/// use esmtp::{
///     io::{blocking::serve, serving::Options},
///     server::{Config, Event, Message},
/// };
/// use std::{net::TcpListener, sync::Arc, thread, time::Duration};
///
/// let options = Options::new(Config::new("mx.example.net")?)
///     .with_sessions(200)
///     .with_grace(Duration::from_secs(10))
///     .with_log(|incident| eprintln!("{incident}"));
/// let listener = TcpListener::bind("127.0.0.1:0")?;
///
/// let serving = serve(listener, options, Arc::new(()), |mut session, _| {
///     let mut message = Message::with_limit(10 << 20);
///     while let Some(event) = session.next()? {
///         match event {
///             Event::Rcpt(rcpt) => rcpt.accept(),
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
/// let handle = serving.handle();
/// let running = thread::spawn(|| serving.run());
/// handle.shut_down(); // idle clients get 421, messages in progress may finish
/// running.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("listen", "bind", "SmtpServer"))]
pub fn serve<T, F>(
    listener: impl Into<Listener>,
    options: Options,
    state: Arc<T>,
    session: F,
) -> Serving
where
    T: Send + Sync + 'static,
    F: Fn(ServerSession, Arc<T>) -> Result<(), SessionError> + Send + Sync + 'static,
{
    let handle = Handle::new(&options);
    let listener = listener.into();
    let shared = Arc::new(Shared { options, handle: handle.clone(), state, session });
    Serving { handle, run: Box::new(move || run(listener, &shared)) }
}

/// A listener that accepts connections in [`run`](Self::run).
#[must_use = "no connection is accepted before it runs"]
pub struct Serving {
    handle: Handle,
    run: Box<dyn FnOnce() -> io::Result<()> + Send>,
}

impl Serving {
    /// Returns a handle that tells the number of sessions, and ends them.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Accepts connections until the handle says stop; returns when every session is over.
    ///
    /// A session function that does not return within the grace and a few seconds is left to its
    /// thread: see [`Handle::sessions`].
    ///
    /// # Errors
    ///
    /// The settings cannot work (a [`ConfigError`](crate::server::ConfigError), or LMTP on port 25, RFC
    /// 2033 section 5), or no descriptor was free at the start. A later error of the network is no error
    /// of the listener.
    pub fn run(self) -> io::Result<()> {
        (self.run)()
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

fn run<T, F>(listener: Listener, shared: &Arc<Shared<T, F>>) -> io::Result<()>
where
    T: Send + Sync + 'static,
    F: Fn(ServerSession, Arc<T>) -> Result<(), SessionError> + Send + Sync + 'static,
{
    let (options, handle) = (&shared.options, &shared.handle);
    options.check(listener.address())?;
    handle.set_wake(Some(listener.waker()?));
    while !handle.is_stopping() {
        match listener.accept() {
            // It may be the connection that ends the loop.
            Ok(_) if handle.is_stopping() => {}
            Ok(socket) => {
                let peer = socket.peer();
                let place = handle.places().take();
                if matches!(place, Err(None)) {
                    options.report(&Incident::NoPlace { peer });
                    continue;
                }
                let attending = Arc::clone(shared);
                let started = thread::Builder::new()
                    .name("esmtp session".into())
                    .spawn(move || attending.attend(socket, place));
                if let Err(error) = started {
                    options.report(&Incident::Thread { peer, error: &error });
                    handle.places().wait_until_freed(PAUSE);
                }
            }
            Err(error) => {
                options.report(&Incident::Accept { error: &error });
                if !is_about_one(&error) {
                    // No descriptor (EMFILE, ENFILE) or no memory: the next call would fail, too.
                    handle.places().wait_until_freed(PAUSE);
                }
            }
        }
    }
    handle.set_wake(None);
    drop(listener);
    let [grace, closing] = options.ending();
    if !handle.places().wait_until_free(grace, || handle.stopper().is_closing()) {
        handle.close();
        handle.places().wait_until_free(closing, || false);
    }
    Ok(())
}

impl<T, F> Shared<T, F>
where
    F: Fn(ServerSession, Arc<T>) -> Result<(), SessionError>,
{
    /// Serves one client.
    fn attend(&self, mut socket: Socket, place: Result<Place, Option<Refusal>>) {
        let (options, handle) = (&self.options, &self.handle);
        let mut peer = socket.peer().map(canonical);
        if options.is_proxy(peer) {
            match read_header(&mut socket, options.header_timeout(), handle) {
                Ok(header) => peer = client_of(&header, peer),
                // The listener ends, and no client is known that could be told.
                Err(None) if handle.is_stopping() => return,
                Err(error) => return options.report(&Incident::NoHeader { proxy: peer, error }),
            }
        }
        if let Some(peer) = peer {
            socket = socket.with_peer(peer);
        }
        let begin = |server| ServerSession::new(server, socket).with_stopper(handle.stopper());
        match Admission::of(options, peer, place) {
            Admission::Session(watch, server, span) => {
                let home = ServerSession::home(options.config());
                let session = begin(server).lent(&home);
                watch.run(|| span.within(|| (self.session)(session, Arc::clone(&self.state))));
                if let Some(mut session) = ServerSession::returned(&home) {
                    while let Ok(Some(event)) = session.next() {
                        answer_for_failed(event);
                    }
                }
            }
            Admission::Refused(_refusal, server, reply) => {
                let mut session = begin(server);
                while let Ok(Some(event)) = session.next() {
                    match event {
                        Event::Connect(connect) => connect.reject_and_close(reply.clone()),
                        other => other.proceed(),
                    }
                }
            }
            Admission::Disconnected => {}
        }
    }
}

/// Reads a PROXY header and not an octet more.
///
/// # Errors
///
/// The error of the header; `None` if the connection ended before its end, or the time was over.
fn read_header(
    socket: &mut Socket,
    time: Duration,
    handle: &Handle,
) -> Result<Header, Option<ProxyError>> {
    let start = Instant::now();
    let mut reader = HeaderReader::default();
    loop {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() || handle.is_stopping() {
            return Err(None);
        }
        socket.set_read_timeout(Some(left.min(PAUSE))).map_err(|_| None)?;
        match socket.read(reader.room()) {
            Ok(0) => return Err(None),
            Ok(octets) => {
                if let Some(header) = reader.filled(octets).map_err(Some)? {
                    return Ok(header);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                _ => return Err(None),
            },
        }
    }
}
