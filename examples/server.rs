//! Receives mail into a Maildir: `cargo run --all-features --example server -- --help`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/server_arguments.rs"]
mod arguments;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/server_config.rs"]
mod config;
#[path = "support/dialogue.rs"]
mod dialogue;
#[path = "support/forward.rs"]
mod forward;
#[path = "support/maildir.rs"]
mod maildir;
#[path = "support/outlet.rs"]
mod outlet;
#[path = "support/places.rs"]
mod places;
#[path = "support/spool.rs"]
mod spool;

use accounts::Accounts;
use arguments::{Arguments, Tls};
use clap::{CommandFactory, Parser, error::ErrorKind};
use dialogue::Dialogue;
use esmtp::{
    io::{AsServer, Tracer, serving::Network, tokio::Connection},
    machine::Machine,
    proxy::Header,
    sasl::Identity,
    security::Security,
    server::{Config, Deliver, Event, Peer, Rcpt, Server},
    syntax::{ForwardPath, HelloName, Host, Mailbox, Parameters, Rejection, Text},
    tls::{Secured, ServerTls},
};
use forward::{Backend, Forward};
use maildir::Maildir;
use outlet::complain;
use places::{Place, Places};
use serde_json::json;
use spool::Message;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| refuse(&error));
    outlet::log(arguments.verbose);
    let receiver = Receiver::new(&arguments).unwrap_or_else(|refusal| {
        refuse(&Arguments::command().error(ErrorKind::InvalidValue, refusal))
    });
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        runtime.worker_threads(threads.into());
    }
    let served = runtime.enable_all().build().and_then(|runtime| {
        let served = runtime.block_on(serve(&arguments.listen, receiver));
        // Do not wait for a disk that does not answer: only threads of the blocking pool use it.
        runtime.shutdown_timeout(Duration::from_secs(1));
        served
    });
    if let Err(error) = &served {
        complain(&format!("{}: {error}", arguments.listen));
    }
    outlet::flush();
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends the program with the exit code of `sysexits` for an invalid command line.
fn refuse(error: &clap::Error) -> ! {
    let _ = error.print();
    std::process::exit(if error.use_stderr() { 64 } else { 0 })
}

/// The state that the sessions share.
struct Receiver {
    config: Arc<Config>,
    /// The configuration for trusted clients, with XCLIENT and XFORWARD.
    trusted_config: Arc<Config>,
    /// Whether clients on this host are trusted; `trusted` holds the other trusted networks.
    takes_xclient: bool,
    trusted: Vec<Network>,
    places: Arc<Places>,
    destination: Destination,
    accounts: Accounts,
    tls: Option<(Tls, ServerTls)>,
    handshake: Duration,
    unknown: Vec<Mailbox<'static>>,
    /// Whether a PROXY header comes first.
    is_proxied: bool,
    is_quiet: bool,
    is_verbose: bool,
}

/// The place where messages go.
enum Destination {
    Maildir(Maildir),
    Forward(Box<Forward>),
}

impl Destination {
    fn new(arguments: &Arguments, config: &Config) -> Result<Self, String> {
        if let Some(address) = &arguments.forward {
            return Forward::new(address, config).map(|forward| Self::Forward(Box::new(forward)));
        }
        Maildir::open(&arguments.maildir)
            .map(Self::Maildir)
            .map_err(|error| format!("--maildir {}: {error}", arguments.maildir.display()))
    }
}

impl Receiver {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        let unknown = arguments.reject_recipient.iter().map(|address| {
            let mailbox = Mailbox::parse(address)
                .map_err(|error| format!("--reject-recipient {address}: {error}"))?;
            Ok(mailbox.into_owned())
        });
        let is_address = arguments
            .listen
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_address {
            return Err(format!("--listen {}: not HOST:PORT", arguments.listen));
        }
        let accounts =
            Accounts::parse(&arguments.user).map_err(|error| format!("--user: {error}"))?;
        let tls = config::tls(arguments)?;
        let (config, trusted_config) =
            config::server(arguments, tls.as_ref().map(|(service, _)| *service))?;
        let (places, possible) =
            Places::new(arguments.max_connections, arguments.max_connections_per_address);
        if arguments.max_connections.is_some_and(|wanted| wanted.get() > possible) {
            complain(&format!("the limit of file descriptors allows {possible} connections"));
        }
        Ok(Self {
            destination: Destination::new(arguments, &config)?,
            config: Arc::new(config),
            trusted_config: Arc::new(trusted_config),
            takes_xclient: arguments.takes_xclient(),
            trusted: arguments.xclient_from.clone(),
            places,
            accounts,
            tls,
            handshake: Duration::from_secs(arguments.idle_timeout.get().min(60)),
            unknown: unknown.collect::<Result<_, String>>()?,
            is_proxied: arguments.proxy_protocol,
            is_quiet: arguments.quiet,
            is_verbose: arguments.verbose,
        })
    }

    /// Returns the configuration for a client at `address`.
    fn config(&self, address: Option<IpAddr>) -> &Arc<Config> {
        let is_trusted = address.is_some_and(|address| {
            address.is_loopback() || self.trusted.iter().any(|network| network.contains(address))
        });
        if self.takes_xclient && is_trusted { &self.trusted_config } else { &self.config }
    }

    fn refuses(&self, path: &ForwardPath<'_>) -> bool {
        path.mailbox().is_some_and(|mailbox| self.unknown.contains(mailbox))
    }

    fn rcpt(&self, rcpt: Rcpt<'_>) {
        if self.refuses(&rcpt.forward_path()) {
            rcpt.reject(Rejection::NO_SUCH_MAILBOX);
        } else {
            rcpt.accept();
        }
    }

    /// Accepts the message after it is safe in `new/`.
    async fn deliver(
        &self,
        message: Option<Message>,
        delivery: Deliver<'_>,
        stopped: &watch::Receiver<Stop>,
    ) {
        let Some(message) = message else { return delivery.reject(Rejection::LOCAL_ERROR) };
        let octets = message.octets();
        let path = match until_stopped(stopped, message.keep()).await {
            Ok(path) => path,
            Err(error) => return delivery.reject(lost(&error)),
        };
        // The message is accepted: a failure to print the report must not make the client send it again.
        if !self.is_quiet {
            print_report(&delivery, Some(octets), Some(&path)).await;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Text::new(format!("queued as {name}")) {
            Ok(text) => delivery.accept_with(text),
            Err(_) => delivery.accept(),
        }
    }
}

/// Waits for the disk, but not after the sessions have to end.
async fn until_stopped<T>(
    stopped: &watch::Receiver<Stop>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut stopped = stopped.clone();
    tokio::select! {
        done = operation => done,
        _ = stopped.wait_for(|stop| matches!(stop, Stop::Now)) => {
            let why = "a message is rejected: the disk did not answer before the end of the session";
            Err(io::Error::new(io::ErrorKind::Interrupted, why))
        }
    }
}

/// Prints a failure of the disk, and returns the reply for the client.
fn lost(error: &io::Error) -> Rejection {
    complain(error);
    match error.kind() {
        io::ErrorKind::Interrupted => Rejection::SHUTTING_DOWN,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Rejection::INSUFFICIENT_STORAGE
        }
        _ => Rejection::LOCAL_ERROR,
    }
}

/// Prints the JSON line about a message.
async fn print_report(delivery: &Deliver<'_>, octets: Option<u64>, path: Option<&Path>) {
    if let Err(error) = outlet::OUTPUT.say(report(delivery, octets, path)).await {
        let name = path.map_or_else(|| "a message".to_owned(), |path| path.display().to_string());
        complain(&format!("no line printed about {name}: {error}"));
    }
}

/// Returns the JSON line about a message; one that was forwarded has no path.
fn report(delivery: &Deliver<'_>, octets: Option<u64>, path: Option<&Path>) -> String {
    let (facts, envelope) = (delivery.facts(), delivery.envelope());
    let words = |parameters: Parameters<'_>| -> Vec<String> {
        parameters.as_str().split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let address = |mailbox: Option<&Mailbox<'_>>, other: &str| {
        mailbox.map_or_else(|| other.to_owned(), ToString::to_string)
    };
    json!({
        "from": address(envelope.reverse_path().mailbox(), ""),
        "to": envelope
            .recipients()
            .map(|recipient| address(recipient.forward_path().mailbox(), "postmaster"))
            .collect::<Vec<_>>(),
        "helo": facts.hello_name().map(HelloName::text),
        "protocol": facts.protocol().as_str(),
        "tls": facts.security().is_tls(),
        "auth": facts.identity().map(Identity::acts_as),
        "size": octets,
        "path": path.map(Path::to_string_lossy),
        "mail_parameters": words(envelope.mail_parameters()),
        "rcpt_parameters": envelope
            .recipients()
            .map(|recipient| words(recipient.parameters()))
            .collect::<Vec<_>>(),
    })
    .to_string()
}

/// The signals that end the program.
struct Signals(Signal, Signal);

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

async fn serve(listen: &str, receiver: Receiver) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let mut signals = Signals(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    if let Err(error) = outlet::OUTPUT.say(format!("listening on {}", listener.local_addr()?)).await
    {
        complain(&error);
    }
    let receiver = Arc::new(receiver);
    let (stop, stopped) = watch::channel(Stop::Never);
    let mut sessions = JoinSet::new();
    loop {
        // Accept a connection only when a descriptor is free for it.
        let next = async {
            let spare = receiver.places.spare().await;
            (listener.accept().await, spare)
        };
        let (accepted, spare) = tokio::select! {
            accepted = next => accepted,
            Some(_) = sessions.join_next() => continue,
            () = signals.next() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let (receiver, stopped) = (Arc::clone(&receiver), stopped.clone());
                sessions.spawn(async move {
                    if let Err(error) = receive(stream, address, &receiver, stopped, spare).await
                        && receiver.is_verbose
                    {
                        complain(&format!("{address}: {error}"));
                    }
                });
            }
            Err(error) => {
                complain(&error);
                // Out of descriptors (EMFILE, ENFILE) or of memory: the next call would fail as well
                // until a session ends.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    // A message in progress may be finished. A session without one gets 421 at once; a session that does
    // not finish in time gets 421 then.
    for (how, patience) in [(Stop::Finish, 10), (Stop::Now, 1)] {
        let _ = stop.send(how);
        let over = async { while sessions.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(patience), over).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Time to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
/// Time for the PROXY header (as Postfix's `smtpd_upstream_proxy_timeout`).
const HEADER: Duration = Duration::from_secs(5);
/// Time to send 421 to a client for which there is no place, a TLS handshake included.
const REFUSAL: Duration = Duration::from_secs(5);

/// Whether the sessions are to end.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Never,
    /// After the message in progress.
    Finish,
    Now,
}

async fn receive(
    mut stream: TcpStream,
    address: SocketAddr,
    receiver: &Receiver,
    stopped: watch::Receiver<Stop>,
    spare: impl Send,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let address = canonical(address);
    let (mut peer, mut ahead) = (Peer::from(address), Vec::new());
    // The address by which the client is counted and trusted.
    let mut origin = Some(address.ip());
    if receiver.is_proxied {
        let mut stopped = stopped.clone();
        let header = tokio::select! {
            header = timeout(HEADER.min(receiver.handshake), proxied(&mut stream)) => Some(header??),
            Ok(()) = stopped.changed() => None,
        };
        match header {
            // A proxy that checks whether the server is up (LOCAL) is the client itself.
            Some((header, rest)) if header.is_local() => ahead = rest,
            Some((header, rest)) => {
                let source = header.source().map(canonical);
                origin = source.map(|source| source.ip());
                peer = source.map_or(peer, Peer::from);
                ahead = rest;
            }
            // The program is ending: the client gets 421 instead of the greeting.
            None => origin = None,
        }
    }
    let client = Client { address, peer, config: receiver.config(origin), ahead: &ahead };
    match receiver.places.take(origin) {
        Ok(place) => {
            drop(spare);
            client.serve(stream, receiver, stopped, Ok(Arc::new(place))).await
        }
        Err(refusal) => {
            let refused = client.serve(stream, receiver, stopped, Err(refusal));
            timeout(REFUSAL, refused).await?
        }
    }
}

/// Converts an IPv4-mapped IPv6 address, as a dual-stack socket returns it, into the IPv4 address
/// (RFC 4291 section 2.5.5.2), so that a client has one address for both kinds of socket.
const fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A client, with the facts that are known before the greeting.
struct Client<'a> {
    /// The other end of the connection.
    address: SocketAddr,
    peer: Peer,
    config: &'a Arc<Config>,
    /// Octets after the PROXY header.
    ahead: &'a [u8],
}

impl Client<'_> {
    /// Serves the client, or rejects it with the reply in `place`.
    async fn serve(
        self,
        stream: TcpStream,
        receiver: &Receiver,
        stopped: watch::Receiver<Stop>,
        place: Result<Arc<Place>, Rejection>,
    ) -> io::Result<()> {
        let mut server = Server::new(Arc::clone(self.config), self.peer, Security::CLEAR);
        if receiver.is_verbose {
            server = server.with_transcript(Box::new(Tracer::server(Some(self.address))));
        }
        let (own, ahead) = (self.config, self.ahead);
        match &receiver.tls {
            None => {
                converse(Connection::new(server, stream), ahead, receiver, own, stopped, place)
                    .await
            }
            Some((service, config)) => {
                let secured = match service {
                    Tls::Implicit => Secured::implicit(server, config),
                    _ => Secured::start_tls(server, config),
                };
                let secured = secured.with_handshake_timeout(receiver.handshake);
                converse(Connection::new(secured, stream), ahead, receiver, own, stopped, place)
                    .await
            }
        }
    }
}

/// Reads a PROXY header, and returns it with the octets after it, which are TLS or SMTP.
async fn proxied(stream: &mut TcpStream) -> io::Result<(Header, Vec<u8>)> {
    let mut octets = Vec::new();
    loop {
        match Header::parse(&octets) {
            Ok(Some((header, taken))) => return Ok((header, octets.split_off(taken))),
            Ok(None) if stream.read_buf(&mut octets).await? > 0 => {}
            Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

async fn converse<M>(
    session: Connection<M>,
    ahead: &[u8],
    receiver: &Receiver,
    own: &Config,
    stopped: watch::Receiver<Stop>,
    place: Result<Arc<Place>, Rejection>,
) -> io::Result<()>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + Send + 'static,
{
    let dialogue = Dialogue { session, ahead, stopped };
    match &receiver.destination {
        Destination::Maildir(maildir) => store(dialogue, receiver, maildir, place).await,
        Destination::Forward(forward) => pass_on(dialogue, receiver, forward, own, place).await,
    }
}

/// Passes the messages of a session on.
async fn pass_on<M>(
    mut dialogue: Dialogue<'_, M>,
    receiver: &Receiver,
    forward: &Forward,
    own: &Config,
    place: Result<Arc<Place>, Rejection>,
) -> io::Result<()>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + Send + 'static,
{
    let mut backend = Backend::new(forward, dialogue.stopped.clone(), receiver.is_quiet);
    while dialogue.is_asked().await? {
        match dialogue.event() {
            Some(Event::Connect(mut connect)) => match &place {
                Ok(_) => match backend.open(own).await {
                    Ok(config) => {
                        connect.configure(config);
                        connect.accept();
                    }
                    Err(refusal) => connect.reject(refusal),
                },
                Err(refusal) => connect.reject_and_close(refusal.clone()),
            },
            Some(Event::Credentials(asked)) => receiver.accounts.answer(asked),
            Some(Event::Xclient(xclient)) => xclient.accept(),
            Some(Event::Xforward(xforward)) => xforward.accept(),
            Some(Event::Mail(_)) => {
                backend.transact(&mut dialogue, |path| receiver.refuses(path)).await?;
            }
            Some(other) => other.proceed(),
            None => {}
        }
    }
    backend.quit().await;
    Ok(())
}

/// Stores the messages of a session.
async fn store<M>(
    mut dialogue: Dialogue<'_, M>,
    receiver: &Receiver,
    maildir: &Maildir,
    place: Result<Arc<Place>, Rejection>,
) -> io::Result<()>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + Send + 'static,
{
    let by: &Host<'_> = receiver.config.host();
    let stopped = dialogue.stopped.clone();
    let mut message: Option<Message> = None;
    while dialogue.is_asked().await? {
        let Some(event) = dialogue.event() else { continue };
        match event {
            Event::Connect(connect) => match &place {
                Ok(_) => connect.accept(),
                Err(refusal) => connect.reject_and_close(refusal.clone()),
            },
            Event::Credentials(asked) => receiver.accounts.answer(asked),
            // Only the configuration of trusted clients offers these two.
            Event::Xclient(xclient) => xclient.accept(),
            Event::Xforward(xforward) => xforward.accept(),
            Event::Rcpt(rcpt) => receiver.rcpt(rcpt),
            Event::Data(data) => match (data.facts().transaction(), &place) {
                (Some(envelope), Ok(place)) => {
                    let place = Arc::clone(place);
                    let draft = maildir.begin(by, data.facts(), envelope);
                    message = Some(Message::new(draft, place));
                    data.accept();
                }
                _ => data.reject(Rejection::LOCAL_ERROR),
            },
            Event::Content(content) => match message.take() {
                Some(begun) => {
                    let written = begun.write(content.octets());
                    match until_stopped(&stopped, written).await {
                        Ok(longer) => {
                            message = Some(longer);
                            let octets = content.octets().len();
                            content.consume(octets);
                        }
                        Err(error) => content.reject(lost(&error)),
                    }
                }
                None => content.reject(Rejection::LOCAL_ERROR),
            },
            Event::Deliver(delivery) => {
                receiver.deliver(message.take(), delivery, &stopped).await;
            }
            Event::Abort(abort) => {
                message = None;
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }
    Ok(())
}
