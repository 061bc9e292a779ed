//! Receives mail into a Maildir: `cargo run --all-features --example server -- --help`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/maildir.rs"]
mod maildir;
#[path = "support/transcript.rs"]
mod transcript;

use accounts::Accounts;
use clap::{Parser, ValueEnum, error::ErrorKind};
use esmtp::{
    io::tokio::Connection,
    machine::Machine,
    proxy::Header,
    sasl::Identity,
    security::Security,
    server::{self, Config, Deliver, Event, Limits, Peer, Rcpt, Server, Timeouts},
    service::Service,
    syntax::{AttributeName, Extension, Extensions, Host, Mailbox, Parameters, Rejection, Text},
    tls::{self, Secured},
    wire::BareLineBreaks,
};
use maildir::{Draft, Maildir};
use serde_json::json;
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use transcript::Narrator;

/// Receives mail into a Maildir
#[derive(Debug, Parser)]
#[command(name = "server")]
struct Arguments {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:2525")]
    listen: String,
    /// The name in the greeting and in Received
    #[arg(long, default_value = "localhost")]
    hostname: String,
    /// Which service it is
    #[arg(long, value_enum, default_value = "smtp")]
    protocol: Protocol,
    /// Where accepted messages go
    #[arg(long, default_value = "./mail")]
    maildir: PathBuf,
    /// TLS service offered
    #[arg(long, value_enum)]
    tls: Option<Tls>,
    /// Certificate chain
    #[arg(long)]
    cert: Option<PathBuf>,
    /// Private key
    #[arg(long)]
    key: Option<PathBuf>,
    /// An account for AUTH, NAME:PASSWORD
    #[arg(long)]
    user: Vec<String>,
    /// MAIL before AUTH gets 530
    #[arg(long)]
    require_auth: bool,
    /// Offer PLAIN and LOGIN without TLS
    #[arg(long)]
    allow_plaintext_auth: bool,
    /// The SIZE announced and enforced, in octets
    #[arg(long, default_value_t = 33_554_432)]
    max_size: u64,
    /// Recipients in one transaction
    #[arg(long, default_value_t = 1000)]
    max_recipients: usize,
    /// A mailbox that does not exist: RCPT to it gets 550 5.1.1
    #[arg(long)]
    reject_recipient: Vec<String>,
    /// Deadline of a command, in seconds
    #[arg(long, default_value_t = 300)]
    idle_timeout: u64,
    /// How long the greeting is held back, in seconds, to find out who does not wait for it
    #[arg(long, default_value_t = 0)]
    greeting_delay: u64,
    /// Which service extensions are announced: all, none, or EHLO keywords with commas between
    #[arg(long, default_value = "all")]
    extensions: String,
    /// What becomes of content with a CR or LF outside CRLF
    #[arg(long, value_enum, default_value = "reject")]
    bare_line_breaks: BareLineBreak,
    /// The error of a session with this number is answered 421, and the connection closes
    #[arg(long, default_value_t = 20)]
    max_errors: u32,
    /// A PROXY header comes before the greeting
    #[arg(long)]
    proxy_protocol: bool,
    /// Offer XCLIENT and XFORWARD, and believe them
    #[arg(long)]
    xclient: bool,
    /// Worker threads; as many as there are cores unless given
    #[arg(long)]
    threads: Option<usize>,
    /// Print nothing per message
    #[arg(long)]
    quiet: bool,
    /// The transcript on standard error
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Smtp,
    Submission,
    Lmtp,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Tls {
    None,
    Starttls,
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BareLineBreak {
    Reject,
    Normalise,
    Keep,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let receiver = Receiver::new(&arguments).unwrap_or_else(|refusal| refuse(&refusal));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        runtime.worker_threads(threads.max(1));
    }
    runtime.enable_all().build()?.block_on(serve(&arguments.listen, receiver))?;
    Ok(())
}

/// Ends the program as it ends on any other mistake in its command line, but with the exit
/// code of `sysexits` for it.
fn refuse(what: &str) -> ! {
    use clap::CommandFactory;
    let error = Arguments::command().error(ErrorKind::InvalidValue, what);
    let _ = error.print();
    std::process::exit(64)
}

/// What all sessions share.
struct Receiver {
    config: Arc<Config>,
    maildir: Maildir,
    accounts: Accounts,
    tls: Option<(Tls, Arc<rustls::ServerConfig>)>,
    handshake: Duration,
    unknown: Vec<Mailbox<'static>>,
    /// A PROXY header comes first.
    is_proxied: bool,
    /// XCLIENT and XFORWARD are believed.
    is_trusting: bool,
    is_quiet: bool,
    is_verbose: bool,
}

impl Receiver {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        let unknown = arguments.reject_recipient.iter().map(|address| {
            let mailbox = Mailbox::parse(address).map_err(|error| format!("{address}: {error}"))?;
            Ok(mailbox.into_owned())
        });
        let accounts = Accounts::parse(&arguments.user)?;
        let tls = tls(arguments)?;
        let config = config(arguments, &accounts, tls.as_ref().map(|(service, _)| *service))?;
        Ok(Self {
            config: Arc::new(config),
            accounts,
            tls,
            handshake: Duration::from_secs(arguments.idle_timeout.min(60)),
            unknown: unknown.collect::<Result<_, String>>()?,
            maildir: Maildir::open(&arguments.maildir)
                .map_err(|error| format!("{}: {error}", arguments.maildir.display()))?,
            is_proxied: arguments.proxy_protocol,
            is_trusting: arguments.xclient,
            is_quiet: arguments.quiet,
            is_verbose: arguments.verbose,
        })
    }

    fn rcpt(&self, rcpt: Rcpt<'_>) {
        let path = rcpt.forward_path();
        if path.mailbox().is_some_and(|mailbox| self.unknown.contains(mailbox)) {
            rcpt.reject(Rejection::NO_SUCH_MAILBOX);
        } else {
            rcpt.accept();
        }
    }

    /// The message is accepted when it is safe in `new/`, and not before.
    async fn deliver(&self, draft: Option<Draft>, delivery: Deliver<'_>) -> io::Result<()> {
        let Some(draft) = draft else {
            delivery.reject(Rejection::LOCAL_ERROR);
            return Ok(());
        };
        let octets = draft.octets();
        match tokio::task::spawn_blocking(move || draft.keep()).await? {
            Ok(path) => {
                if !self.is_quiet {
                    self.report(&delivery, octets, &path)?;
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match Text::new(format!("queued as {name}")) {
                    Ok(text) => delivery.accept_with(text),
                    Err(_) => delivery.accept(),
                }
            }
            Err(error) => {
                eprintln!("server: {error}");
                delivery.reject(Rejection::LOCAL_ERROR);
            }
        }
        Ok(())
    }

    fn report(&self, delivery: &Deliver<'_>, octets: u64, path: &Path) -> io::Result<()> {
        let (facts, envelope) = (delivery.facts(), delivery.envelope());
        let words = |parameters: Parameters<'_>| -> Vec<String> {
            parameters
                .as_str()
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let address = |mailbox: Option<&Mailbox<'_>>, other: &str| {
            mailbox.map_or_else(|| other.to_owned(), ToString::to_string)
        };
        let line = json!({
            "from": address(envelope.reverse_path().mailbox(), ""),
            "to": envelope
                .recipients()
                .map(|recipient| address(recipient.forward_path().mailbox(), "postmaster"))
                .collect::<Vec<_>>(),
            "helo": facts.host().map(ToString::to_string),
            "protocol": facts.protocol(),
            "tls": facts.security().is_tls(),
            "auth": facts.identity().map(Identity::acts_as),
            "size": octets,
            "path": path,
            "mail_parameters": words(envelope.mail_parameters()),
            "rcpt_parameters": envelope
                .recipients()
                .map(|recipient| words(recipient.parameters()))
                .collect::<Vec<_>>(),
        });
        writeln!(io::stdout().lock(), "{line}")
    }
}

/// Which TLS service is offered, and with what.
fn tls(arguments: &Arguments) -> Result<Option<(Tls, Arc<rustls::ServerConfig>)>, String> {
    let files = match (&arguments.cert, &arguments.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => return Err("--cert and --key belong together".to_owned()),
    };
    let service = match (arguments.tls, files) {
        (None | Some(Tls::None), None) | (Some(Tls::None), Some(_)) => return Ok(None),
        (None, Some(_)) => Tls::Starttls,
        (Some(service), _) => service,
    };
    let config = certificates::server(files, &arguments.hostname)
        .map_err(|error| format!("the certificate: {error}"))?;
    Ok(Some((service, config)))
}

/// Test programs try every mechanism with a wrong password before the right one.
const AUTH_FAILURES: u32 = 8;

fn config(arguments: &Arguments, accounts: &Accounts, tls: Option<Tls>) -> Result<Config, String> {
    let mut config = Config::new(&arguments.hostname)
        .map_err(|error| format!("--hostname {}: {error}", arguments.hostname))?
        .with_service(match arguments.protocol {
            Protocol::Smtp => Service::Smtp,
            Protocol::Submission => Service::Submission,
            Protocol::Lmtp => Service::Lmtp,
        })
        .with_limits(
            Limits::default()
                .with_message(arguments.max_size)
                .with_recipients(arguments.max_recipients)
                .with_errors(arguments.max_errors)
                .with_auth_failures(arguments.max_errors.min(AUTH_FAILURES)),
        )
        .with_timeouts({
            let idle = Duration::from_secs(arguments.idle_timeout);
            Timeouts::default()
                .with_command(idle)
                .with_content(idle)
                .with_write(idle)
                .with_greeting_delay(Duration::from_secs(arguments.greeting_delay))
        })
        .with_bare_line_breaks(match arguments.bare_line_breaks {
            BareLineBreak::Reject => BareLineBreaks::Reject,
            BareLineBreak::Normalise => BareLineBreaks::Normalise,
            BareLineBreak::Keep => BareLineBreaks::Keep,
        });
    if arguments.user.is_empty() {
        config = config.with_required_auth(false);
    } else {
        let mut offer = accounts.offer(&arguments.hostname)?;
        if arguments.allow_plaintext_auth {
            offer = offer.even_in_the_clear();
        }
        // Submission is for those who are known (RFC 6409 section 4.3).
        let is_required =
            arguments.require_auth || matches!(arguments.protocol, Protocol::Submission);
        config = config.with_auth(offer).with_required_auth(is_required);
    }
    let extensions = match arguments.extensions.as_str() {
        "all" => Config::implemented()
            .fold(Extensions::NONE, Extensions::with)
            .with_xclient(AttributeName::ALL)
            .with_xforward(AttributeName::ALL),
        "none" => Extensions::NONE,
        list => {
            let mut chosen = Extensions::NONE;
            for keyword in list.split(',') {
                let extension = Extension::from_keyword(keyword)
                    .filter(|it| Config::implemented().any(|known| known == *it))
                    .ok_or_else(|| format!("--extensions {keyword}: not implemented"))?;
                chosen = chosen.with(extension);
            }
            chosen
        }
    };
    // These need what this program does not have, or was not given.
    let mut missing = vec![Extension::Burl, Extension::Etrn, Extension::Expn];
    if tls != Some(Tls::Starttls) {
        missing.push(Extension::StartTls);
    }
    if !arguments.xclient {
        missing.extend([Extension::Xclient, Extension::Xforward]);
    }
    Ok(config.with_extensions(missing.into_iter().fold(extensions, Extensions::without)))
}

async fn serve(listen: &str, receiver: Receiver) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    println!("listening on {}", listener.local_addr()?);
    let receiver = Arc::new(receiver);
    let (stop, stopped) = watch::channel(Stop::NotYet);
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = sessions.join_next() => continue,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let (receiver, stopped) = (Arc::clone(&receiver), stopped.clone());
                sessions.spawn(async move {
                    if let Err(error) = receive(stream, address, &receiver, stopped).await
                        && receiver.is_verbose
                    {
                        eprintln!("server: {address}: {error}");
                    }
                });
            }
            // Out of file descriptors, say: sessions that end make room.
            Err(error) => {
                eprintln!("server: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    // Whoever is in the middle of a message may finish it; whoever is not hears 421 at once, and
    // whoever has not finished in time hears it then.
    for (how, seconds) in [(Stop::Gently, 10), (Stop::AtOnce, 1)] {
        let _ = stop.send(how);
        let patience = Duration::from_secs(seconds);
        let gone = async { while sessions.join_next().await.is_some() {} };
        if timeout(patience, gone).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Whether sessions have to come to an end.
#[derive(Clone, Copy)]
enum Stop {
    NotYet,
    Gently,
    AtOnce,
}

async fn receive(
    mut stream: TcpStream,
    address: SocketAddr,
    receiver: &Receiver,
    stopped: watch::Receiver<Stop>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut peer, mut ahead) = (Peer::from(address), Vec::new());
    if receiver.is_proxied {
        let header = timeout(receiver.handshake, proxied(&mut stream)).await??;
        // A proxy that checks whether we are there speaks for nobody.
        peer = header.0.source().map_or(peer, Peer::from);
        ahead = header.1;
    }
    let mut server = Server::new(Arc::clone(&receiver.config), peer, Security::CLEAR);
    if receiver.is_verbose {
        server = server.with_transcript(Box::new(Narrator(address.to_string())));
    }
    match &receiver.tls {
        None => converse(Connection::new(server, stream), &ahead, receiver, stopped).await,
        Some((service, config)) => {
            let end = tls::End::Server(Arc::clone(config));
            let secured = match service {
                Tls::Implicit => Secured::implicit(server, end),
                _ => Secured::start_tls(server, end),
            };
            let secured = secured.with_handshake_timeout(receiver.handshake);
            converse(Connection::new(secured, stream), &ahead, receiver, stopped).await
        }
    }
}

/// The header of a proxy, and the octets that came behind it: they are TLS or SMTP.
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

/// A server in the clear or in TLS.
trait Session: for<'m> Machine<Event<'m> = server::Event<'m>> + 'static {
    fn server(&mut self) -> &mut Server;
}

impl Session for Server {
    fn server(&mut self) -> &mut Server {
        self
    }
}

impl Session for Secured<Server> {
    fn server(&mut self) -> &mut Server {
        self.machine_mut()
    }
}

async fn converse<M: Session>(
    mut session: Connection<M>,
    mut ahead: &[u8],
    receiver: &Receiver,
    mut stopped: watch::Receiver<Stop>,
) -> io::Result<()> {
    let by: &Host<'_> = receiver.config.host();
    let mut draft: Option<Draft> = None;
    loop {
        if !ahead.is_empty() {
            let taken = session.machine_mut().feed(ahead);
            ahead = ahead.get(taken..).unwrap_or_default();
        }
        let event = tokio::select! {
            event = session.next() => event?,
            Ok(()) = stopped.changed() => {
                let server = session.machine_mut().server();
                match *stopped.borrow_and_update() {
                    Stop::NotYet => {}
                    Stop::Gently => server.shut_down(),
                    Stop::AtOnce => server.close(),
                }
                continue;
            }
        };
        let Some(event) = event else { return Ok(()) };
        match event {
            Event::Auth(auth) => {
                let offer = receiver.config.auth();
                match accounts::verifier(offer, auth.mechanism(), auth.facts()) {
                    Some(verifier) => auth.verify(verifier),
                    None => auth.reject(Rejection::LOCAL_ERROR),
                }
            }
            Event::Credentials(credentials) => receiver.accounts.answer(credentials.question),
            // Nobody here may act as somebody else.
            Event::Authenticated(authenticated)
                if authenticated.identity().acts_as() == authenticated.identity().authcid() =>
            {
                authenticated.accept();
            }
            Event::Xclient(xclient) if receiver.is_trusting => xclient.accept(),
            Event::Xforward(xforward) if receiver.is_trusting => xforward.accept(),
            Event::Rcpt(rcpt) => receiver.rcpt(rcpt),
            Event::Data(data) => match data.facts().transaction() {
                Some(envelope) => match receiver.maildir.begin(by, data.facts(), envelope) {
                    Ok(begun) => {
                        draft = Some(begun);
                        data.accept();
                    }
                    Err(error) => {
                        eprintln!("server: {error}");
                        data.reject(Rejection::LOCAL_ERROR);
                    }
                },
                None => data.reject(Rejection::LOCAL_ERROR),
            },
            Event::Content(content) => match draft.as_mut().map(|it| it.write(content.octets())) {
                Some(Ok(())) => {
                    let octets = content.octets().len();
                    content.consume(octets);
                }
                _ => content.reject(Rejection::LOCAL_ERROR),
            },
            Event::Deliver(delivery) => receiver.deliver(draft.take(), delivery).await?,
            Event::Abort(abort) => {
                draft = None;
                abort.done();
            }
            other => other.proceed(),
        }
    }
}
