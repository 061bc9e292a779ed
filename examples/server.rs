//! Receives mail into a Maildir: `cargo run --all-features --example server -- --help`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/server_arguments.rs"]
mod arguments;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/maildir.rs"]
mod maildir;
#[path = "support/outlet.rs"]
mod outlet;
#[path = "support/transcript.rs"]
mod transcript;

use accounts::Accounts;
use arguments::{Arguments, BareLineBreak, Protocol, Tls};
use clap::{CommandFactory, Parser, error::ErrorKind};
use esmtp::{
    io::tokio::Connection,
    machine::Machine,
    proxy::Header,
    sasl::Identity,
    security::Security,
    server::{self, Config, Deliver, Event, Limits, Peer, Rcpt, Server, Timeouts},
    service::Service,
    syntax::{
        AttributeName, Extension, Extensions, HelloName, Host, Mailbox, Parameters, Rejection, Text,
    },
    tls::{self, Secured},
    wire::BareLineBreaks,
};
use maildir::{Draft, Maildir};
use outlet::complain;
use serde_json::json;
use std::{io, net::SocketAddr, path::Path, process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use transcript::Narrator;

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| refuse(&error));
    let receiver = Receiver::new(&arguments).unwrap_or_else(|refusal| {
        refuse(&Arguments::command().error(ErrorKind::InvalidValue, refusal))
    });
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        runtime.worker_threads(threads.into());
    }
    let served = runtime.enable_all().build().and_then(|runtime| {
        let served = runtime.block_on(serve(&arguments.listen, receiver));
        // A disk that does not answer is not waited for.
        runtime.shutdown_timeout(Duration::from_secs(1));
        served
    });
    if let Err(error) = &served {
        complain(&format!("{}: {error}", arguments.listen));
    }
    outlet::flush();
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends the program, with the exit code of `sysexits` for a mistake in the command line.
fn refuse(error: &clap::Error) -> ! {
    let _ = error.print();
    std::process::exit(if error.use_stderr() { 64 } else { 0 })
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
        let tls = tls(arguments)?;
        let config = config(arguments, &accounts, tls.as_ref().map(|(service, _)| *service))?;
        Ok(Self {
            config: Arc::new(config),
            accounts,
            tls,
            handshake: Duration::from_secs(arguments.idle_timeout.get().min(60)),
            unknown: unknown.collect::<Result<_, String>>()?,
            maildir: Maildir::open(&arguments.maildir)
                .map_err(|error| format!("--maildir {}: {error}", arguments.maildir.display()))?,
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
                // From here on the message is ours: to keep silent because of a broken report
                // would have the client send it again.
                if !self.is_quiet
                    && let Err(error) = outlet::OUTPUT.say(report(&delivery, octets, &path)).await
                {
                    complain(&format!("no line about {}: {error}", path.display()));
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match Text::new(format!("queued as {name}")) {
                    Ok(text) => delivery.accept_with(text),
                    Err(_) => delivery.accept(),
                }
            }
            Err(error) => {
                complain(&error);
                delivery.reject(Rejection::LOCAL_ERROR);
            }
        }
        Ok(())
    }
}

/// The line about a message.
fn report(delivery: &Deliver<'_>, octets: u64, path: &Path) -> String {
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
        "protocol": facts.protocol(),
        "tls": facts.security().is_tls(),
        "auth": facts.identity().map(Identity::acts_as),
        "size": octets,
        "path": path.to_string_lossy(),
        "mail_parameters": words(envelope.mail_parameters()),
        "rcpt_parameters": envelope
            .recipients()
            .map(|recipient| words(recipient.parameters()))
            .collect::<Vec<_>>(),
    })
    .to_string()
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
    let config = certificates::server(files, &arguments.hostname).map_err(|error| match files {
        Some((cert, key)) => format!("--cert {}, --key {}: {error}", cert.display(), key.display()),
        None => format!("the certificate: {error}"),
    })?;
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
                // "No fixed maximum message size is in force" (RFC 1870 section 3).
                .with_message(if arguments.max_size == 0 { u64::MAX } else { arguments.max_size })
                .with_recipients(arguments.max_recipients.get())
                .with_errors(arguments.max_errors.get())
                .with_auth_failures(arguments.max_errors.get().min(AUTH_FAILURES)),
        )
        .with_timeouts({
            let idle = Duration::from_secs(arguments.idle_timeout.get());
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
    // Submission is for those who are known (RFC 6409 section 4.3). Without accounts it takes mail
    // from everybody; whoever is told to require AUTH then, takes it from nobody.
    let is_submission = matches!(arguments.protocol, Protocol::Submission);
    let is_required = arguments.require_auth || is_submission && !arguments.user.is_empty();
    config = config.with_required_auth(is_required);
    let chosen = chosen(arguments, tls)?;
    if !arguments.user.is_empty() && chosen.contains(Extension::Auth) {
        let mut offer = accounts.offer(&arguments.hostname)?;
        if arguments.allow_plaintext_auth {
            offer = offer.even_in_the_clear();
        }
        config = config.with_auth(offer);
    }
    let config = config.with_extensions(chosen);
    for extension in named(arguments).filter_map(Extension::from_keyword) {
        if extension != Extension::Auth && !config.extensions().contains(extension) {
            let why = match extension {
                Extension::BinaryMime => "needs CHUNKING",
                Extension::SmtpUtf8 => "needs 8BITMIME",
                _ => "not offered by this --protocol",
            };
            return Err(format!("--extensions {extension}: {why}"));
        }
    }
    Ok(config)
}

/// The keywords of an explicit list of extensions.
fn named(arguments: &Arguments) -> impl Iterator<Item = &str> {
    let list = match arguments.extensions.as_str() {
        "all" | "none" => None,
        list => Some(list),
    };
    list.into_iter().flat_map(|list| list.split(',')).map(str::trim)
}

/// What is announced: of everything, what this program was given the means for; of what is named,
/// everything.
fn chosen(arguments: &Arguments, tls: Option<Tls>) -> Result<Extensions, String> {
    let obstacle = |extension| match extension {
        Extension::Burl | Extension::Etrn | Extension::Expn => Some("nothing of this program's"),
        Extension::StartTls if tls != Some(Tls::Starttls) => Some("needs --tls starttls"),
        Extension::RequireTls if tls.is_none() => Some("needs --tls"),
        Extension::Auth if arguments.user.is_empty() => Some("needs --user"),
        Extension::Xclient | Extension::Xforward if !arguments.xclient => Some("needs --xclient"),
        _ => None,
    };
    let possible = Config::implemented()
        .fold(Extensions::NONE, Extensions::with)
        .with_xclient(AttributeName::ALL)
        .with_xforward(AttributeName::ALL);
    match arguments.extensions.as_str() {
        "none" => return Ok(Extensions::NONE),
        "all" => {
            let missing = possible.iter().filter(|it| obstacle(*it).is_some());
            return Ok(missing.fold(possible.clone(), Extensions::without));
        }
        _ => {}
    }
    let mut unnamed = possible.clone();
    for keyword in named(arguments) {
        let extension = Extension::from_keyword(keyword).filter(|it| possible.contains(*it));
        let why = extension.map_or(Some("not implemented"), obstacle);
        if let Some(why) = why {
            return Err(format!("--extensions {keyword}: {why}"));
        }
        unnamed = extension.into_iter().fold(unnamed, Extensions::without);
    }
    Ok(unnamed.iter().fold(possible, Extensions::without))
}

async fn serve(listen: &str, receiver: Receiver) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    if let Err(error) = outlet::OUTPUT.say(format!("listening on {}", listener.local_addr()?)).await
    {
        complain(&error);
    }
    let receiver = Arc::new(receiver);
    let (stop, stopped) = watch::channel(Stop::Never);
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
                        complain(&format!("{address}: {error}"));
                    }
                });
            }
            // Out of file descriptors, say: sessions that end make room.
            Err(error) => {
                complain(&error);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    // Whoever is in the middle of a message may finish it; whoever is not hears 421 at once, and
    // whoever does not come to an end hears it then.
    for (how, patience) in [(Stop::Finish, 10), (Stop::Now, 1)] {
        let _ = stop.send(how);
        let over = async { while sessions.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(patience), over).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Whether the sessions are to end.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Never,
    /// Behind the message that is under way.
    Finish,
    Now,
}

async fn receive(
    mut stream: TcpStream,
    address: SocketAddr,
    receiver: &Receiver,
    mut stopped: watch::Receiver<Stop>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut peer, mut ahead) = (Peer::from(address), Vec::new());
    if receiver.is_proxied {
        let header = tokio::select! {
            header = timeout(receiver.handshake, proxied(&mut stream)) => header??,
            Ok(()) = stopped.changed() => return Ok(()),
        };
        // A proxy that checks whether we are there speaks for nobody.
        peer = header.0.source().map_or(peer, Peer::from);
        ahead = header.1;
    }
    let mut server = Server::new(Arc::clone(&receiver.config), peer, Security::CLEAR);
    if receiver.is_verbose {
        server = server.with_transcript(Box::new(Narrator {
            session: address.to_string(),
            write: outlet::note,
        }));
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
                match *stopped.borrow_and_update() {
                    Stop::Never => {}
                    Stop::Finish => session.machine_mut().server().shut_down(),
                    Stop::Now => session.machine_mut().server().close(),
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
                        complain(&error);
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
                failed => {
                    if let Some(Err(error)) = failed {
                        complain(&error);
                    }
                    content.reject(Rejection::LOCAL_ERROR);
                }
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
