//! A server with faults on a port of the loopback interface.

use super::{fault::Faults, faulty::FaultyServer};
use crate::{
    io::{Layer, blocking::Connection},
    security::Security,
    server::{Config, Event, Peer, Server},
};
#[cfg(feature = "rustls")]
use crate::{
    syntax::Extension,
    tls::{Secured, ServerTls},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{
    fmt, mem,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

/// A message that a [`RunningServer`] has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenMessage {
    session: usize,
    reverse_path: String,
    forward_paths: Vec<String>,
    content: Vec<u8>,
}

impl TakenMessage {
    /// Returns the number of the session in which it came, counted from 1.
    #[must_use]
    pub const fn session(&self) -> usize {
        self.session
    }

    /// Returns the reverse-path, with its brackets.
    #[must_use]
    pub fn reverse_path(&self) -> &str {
        &self.reverse_path
    }

    /// Returns the accepted forward-paths, with their brackets.
    pub fn forward_paths(&self) -> impl Iterator<Item = &str> {
        self.forward_paths.iter().map(String::as_str)
    }

    /// Returns the content, without dot-stuffing.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

type Answer = dyn for<'e> Fn(Event<'e>) -> Option<Event<'e>> + Send + Sync;

/// A server on a port of the loopback interface, which accepts every message, with [faults](Faults) at
/// the places that a test chooses: to test how a client of any origin copes with them.
///
/// Each session has a thread.
///
/// ```
/// use esmtp::{client, envelope::Envelope, io::blocking, server};
/// use esmtp::testing::{At, Fault, Faults, LoopbackServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let faults = Faults::default().with(At::END_OF_CONTENT.nth(1), Fault::reply("451 4.3.0 Later"));
/// let config = server::Config::new("mx.example.org")?;
/// let server = LoopbackServer::new(config).with_faults(faults).start()?;
///
/// let mut session = blocking::connect(server.address(), client::Config::new("me.example.net")?)?;
/// let envelope = || Envelope::new("ann@example.net", ["bob@example.org"]);
/// assert!(!session.send(envelope()?, b"first\r\n")?.is_delivered_to_all());
/// assert!(session.send(envelope()?, b"second\r\n")?.is_delivered_to_all());
/// session.quit()?;
///
/// let messages = server.stop();
/// assert_eq!(messages.len(), 1);
/// assert_eq!(messages[0].content(), b"second\r\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LoopbackServer {
    config: Arc<Config>,
    faults: Faults,
    answer: Option<Arc<Answer>>,
    #[cfg(feature = "rustls")]
    tls: Option<Tls>,
}

/// The TLS of a server, and when it begins.
#[cfg(feature = "rustls")]
#[derive(Clone)]
enum Tls {
    Implicit(ServerTls),
    StartTls(ServerTls),
}

impl fmt::Debug for LoopbackServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackServer").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl LoopbackServer {
    /// Creates a server without faults; nothing is opened before [`start`](Self::start).
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        Self {
            config: config.into(),
            faults: Faults::default(),
            answer: None,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// Sets the faults; none by default.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Returns the faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Asks `answer` first: it answers an event, or returns it and so leaves it to the server.
    ///
    /// A message whose [`Event::Deliver`] it answers is not among the
    /// [messages](RunningServer::messages).
    ///
    /// ```
    /// use esmtp::{server::{Config, Event}, syntax::Rejection, testing::LoopbackServer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = LoopbackServer::new(Config::new("mx.example.org")?).with_answer(|event| match event {
    ///     Event::Rcpt(rcpt) if rcpt.index() > 0 => {
    ///         rcpt.reject(Rejection::TOO_MANY_RECIPIENTS);
    ///         None
    ///     }
    ///     other => Some(other),
    /// });
    /// # let _ = server;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_answer(
        mut self,
        answer: impl for<'e> Fn(Event<'e>) -> Option<Event<'e>> + Send + Sync + 'static,
    ) -> Self {
        self.answer = Some(Arc::new(answer));
        self
    }

    /// Offers STARTTLS.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: ServerTls) -> Self {
        self.config = Arc::new(Config::clone(&self.config).with_extension(Extension::StartTls));
        self.tls = Some(Tls::StartTls(tls));
        self
    }

    /// Begins each connection with TLS (implicit TLS).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_implicit_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(Tls::Implicit(tls));
        self
    }

    /// Opens a port and serves it.
    ///
    /// # Errors
    ///
    /// The port could not be opened, or no thread be started.
    pub fn start(self) -> io::Result<RunningServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options: self,
            is_over: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            messages: Mutex::default(),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let listener = spawn(move || accepting.accept(&listener))?;
        Ok(RunningServer { address, shared, listener: Some(listener) })
    }

    /// Creates the machine of the `n`th session, counted from 1.
    fn machine(&self, peer: Peer, n: usize) -> Layer<FaultyServer> {
        let server = Server::new(Arc::clone(&self.config), peer, Security::CLEAR);
        let server = FaultyServer::in_session(server, &self.faults, n);
        #[cfg(feature = "rustls")]
        match &self.tls {
            Some(Tls::Implicit(tls)) => return Secured::implicit(server, tls).into(),
            Some(Tls::StartTls(tls)) => return Secured::start_tls(server, tls).into(),
            None => {}
        }
        Layer::from(server)
    }
}

/// A [`LoopbackServer`] that serves. Dropping it ends all sessions.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    options: LoopbackServer,
    is_over: AtomicBool,
    sessions: AtomicUsize,
    messages: Mutex<Vec<TakenMessage>>,
    open: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl RunningServer {
    /// Returns the address of the port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many sessions were begun.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    /// Returns the messages that were taken so far.
    #[must_use]
    pub fn messages(&self) -> Vec<TakenMessage> {
        lock(&self.shared.messages).clone()
    }

    /// Closes the port and all connections, and returns the messages that were taken.
    #[must_use]
    pub fn stop(mut self) -> Vec<TakenMessage> {
        self.end();
        mem::take(&mut lock(&self.shared.messages))
    }

    fn end(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.take() {
            // A connection ends the wait for one.
            let _ = TcpStream::connect(self.address);
            let _ = listener.join();
        }
        let open = mem::take(&mut *lock(&self.shared.open));
        for (stream, _) in &open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for (_, session) in open {
            let _ = session.join();
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let _ = stream.set_nodelay(true);
            let Ok(handle) = stream.try_clone() else { continue };
            let session = self.sessions.fetch_add(1, Ordering::SeqCst).saturating_add(1);
            let serving = Arc::clone(&self);
            if let Ok(thread) = spawn(move || serving.serve(stream, session)) {
                let mut open = lock(&self.open);
                open.retain(|(_, thread)| !thread.is_finished());
                open.push((handle, thread));
            }
        }
    }

    fn serve(&self, stream: TcpStream, session: usize) {
        let peer = stream.peer_addr().map_or(Peer::UNKNOWN, Peer::from);
        let mut connection = Connection::new(self.options.machine(peer, session), stream);
        let mut content = Vec::new();
        while let Ok(Some(event)) = connection.next() {
            let left = match &self.options.answer {
                Some(answer) => answer(event),
                None => Some(event),
            };
            match left {
                None => {}
                Some(Event::Rcpt(rcpt)) => rcpt.accept(),
                Some(Event::Data(data)) => {
                    content.clear();
                    data.accept();
                }
                Some(Event::Content(octets)) => content.extend_from_slice(octets.take()),
                Some(Event::Deliver(delivery)) => {
                    let envelope = delivery.envelope();
                    lock(&self.messages).push(TakenMessage {
                        session,
                        reverse_path: envelope.reverse_path().to_string(),
                        forward_paths: envelope
                            .recipients()
                            .map(|recipient| recipient.forward_path().to_string())
                            .collect(),
                        content: mem::take(&mut content),
                    });
                    delivery.accept();
                }
                Some(other) => other.proceed(),
            }
        }
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("loopback server".into()).spawn(run)
}

/// Returns what is inside, also if a thread panicked meanwhile.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
