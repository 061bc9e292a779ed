//! Sends mail: `cargo run --all-features --example send -- --help`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // an example has std

#[path = "support/send_arguments.rs"]
mod arguments;
#[path = "support/transcript.rs"]
mod transcript;
#[path = "support/trust.rs"]
mod trust;

use arguments::{Arguments, Protocol, Ret, Tls};
use clap::{Parser, error::ErrorKind};
use esmtp::{
    client::{
        Client, Config, End, Event, MessageFacts, NotOffered, Obstacle, Outcome, Ready, Report,
        Timeouts, TlsPolicy,
    },
    envelope::Envelope,
    io::{AsClient, tokio::Connection},
    machine::Machine,
    sasl::{Credentials, Mechanism, NoCommonMechanism, Nonce},
    security::{Security, TlsFailureKind},
    service::Service,
    syntax::{
        EnvelopeId, Extension, Extensions, Host, Lenience, Notify, Parameters, Reply, Retry,
        Status, Verb, Xtext,
    },
    tls::{self, Secured},
    wire::LineEnds,
};
use indicatif::ProgressBar;
use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Read, Write},
    iter::Peekable,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Once,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use transcript::Narrator;
use trust::Trust;

/// The exit codes of `sysexits` that this program uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fate {
    #[default]
    Accepted = 0,
    Usage = 64,
    Data = 65,
    Refused = 69,
    Retry = 75,
    Protocol = 76,
    Authentication = 77,
}

/// A failure that ends the program: its exit code and its message.
struct Failure(Fate, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let is_mistake =
                !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if is_mistake { Fate::Usage as u8 } else { 0 });
        }
    };
    let fate = send(&arguments).await.unwrap_or_else(|Failure(fate, why)| {
        complain(&why);
        fate
    });
    ExitCode::from(fate as u8)
}

async fn send(arguments: &Arguments) -> Result<Fate, Failure> {
    let credentials = credentials(arguments)?;
    let messages = messages(&arguments.files)?;
    let paths: Vec<&str> = arguments.to.iter().map(String::as_str).collect();
    // Invalid addresses are reported before a connection is opened.
    envelope(arguments, &paths, None)?;
    let helo = arguments.helo.as_deref().map(Host::parse).transpose();
    let helo = helo.map_err(|error| usage("--helo", &error))?;
    let (first, further) = servers(arguments)?;
    let jobs = messages.iter().flat_map(|message| {
        (0..arguments.repeat.get()).map(|_| Job { message, paths: paths.clone() })
    });
    let mut sender = Sender::new(arguments, credentials, Box::new(jobs));
    let mut server = first;
    let mut further = further.into_iter().peekable();
    loop {
        sender.has_next = further.peek().is_some();
        let over = sender.send_to(&server, helo.as_ref()).await?;
        match further.next_if(|_| sender.passes_on(&server, &over)) {
            Some(next) => server = next,
            None => return sender.end(&over),
        }
    }
}

/// A server to connect to.
struct Server<'a> {
    /// HOST:PORT.
    address: &'a str,
    /// The configuration of TLS with the name of this host; `None` without TLS.
    tls: Option<tls::Role>,
}

/// Returns the servers in the order in which they are tried: the first, and those after it. Mistakes in any of them are
/// reported before a connection is opened.
fn servers(arguments: &Arguments) -> Result<(Server<'_>, Vec<Server<'_>>), Failure> {
    let client = match arguments.tls {
        Tls::None => None,
        _ => {
            let tls = trust::client(trusted(arguments));
            Some(tls.map_err(|error| usage("--ca", &error))?)
        }
    };
    let server = |flag, address| {
        let host = host(address)
            .ok_or_else(|| usage(flag, &"not HOST:PORT, with brackets around an IPv6 address"))?;
        let tls = client.as_ref().map(|client| client.for_host(host)).transpose();
        let tls = tls.map_err(|error| match error {
            tls::ConfigError::Name(_) => usage(flag, &error),
            error => usage("--ca", &error),
        })?;
        Ok(Server { address, tls })
    };
    match arguments.mx.split_first() {
        None => Ok((server("--server", &arguments.server)?, Vec::new())),
        Some((first, further)) => {
            let further = further.iter().map(|address| server("--mx", address));
            Ok((server("--mx", first)?, further.collect::<Result<_, _>>()?))
        }
    }
}

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(30);
/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// Returns the smaller of `timeout` and `--timeout`.
fn at_most(arguments: &Arguments, timeout: Duration) -> Duration {
    arguments.timeout.map_or(timeout, |bound| timeout.min(Duration::from_secs(bound.get())))
}

/// Returns the host of HOST:PORT, without the brackets of an IPv6 address.
fn host(server: &str) -> Option<&str> {
    let (host, port) = server.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']'),
        None => Some(host).filter(|host| !host.is_empty() && !host.contains(':')),
    }
}

fn usage(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure(Fate::Usage, format!("{what}: {error}"))
}

fn credentials(arguments: &Arguments) -> Result<Option<Credentials>, Failure> {
    let (user, password, token) = (&arguments.user, &arguments.password, &arguments.token);
    for (flag, value) in [("--user", user), ("--password", password), ("--token", token)] {
        if value.as_ref().is_some_and(String::is_empty) {
            return Err(usage(flag, &"is empty"));
        }
    }
    let credentials = match (user, password, token) {
        (None, None, None) if arguments.auth.is_none() => return Ok(None),
        (None, None, None) => return Err(usage("--auth", &"needs --password or --token")),
        (Some(user), Some(password), None) => Credentials::password(user.as_str(), password),
        (user, None, Some(token)) => Credentials::token(user.as_deref().unwrap_or_default(), token),
        (Some(_), None, None) => return Err(usage("--user", &"needs --password or --token")),
        (None, Some(_), _) => return Err(usage("--password", &"needs --user")),
        (Some(_), Some(_), Some(_)) => return Err(usage("--token", &"or --password, not both")),
    };
    let credentials = match arguments.auth.as_deref().map(Mechanism::new) {
        Some(Ok(mechanism)) => credentials.with_mechanism(mechanism),
        Some(Err(error)) => return Err(usage("--auth", &error)),
        None => credentials,
    };
    // The user decides with `--tls none`; otherwise no password is sent in the clear.
    Ok(Some(match arguments.tls {
        Tls::None => credentials.with_secrets_in_clear(),
        _ => credentials,
    }))
}

/// Returns the certificates to trust. Opportunistic TLS protects against eavesdroppers only and does not fail because of a
/// certificate: an attacker who can present a false one can also remove the offer of STARTTLS (a downgrade). The client sends no
/// password in it.
fn trusted(arguments: &Arguments) -> Trust<'_> {
    match (&arguments.ca, arguments.tls) {
        _ if arguments.insecure => Trust::Any,
        (Some(path), _) => Trust::Only(path),
        (None, Tls::Opportunistic) => Trust::Any,
        (None, _) => Trust::Roots,
    }
}

fn messages(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    let input = Path::new("-");
    let is_input = |path: &&Path| *path == input;
    let paths: Vec<&Path> = match files {
        [] => vec![input],
        files => files.iter().map(PathBuf::as_path).collect(),
    };
    if paths.iter().filter(|path| is_input(path)).count() > 1 {
        return Err(usage("-", &"standard input can be read only once"));
    }
    let read = |path: &Path| {
        if path != input {
            return std::fs::read(path);
        }
        let mut message = Vec::new();
        io::stdin().read_to_end(&mut message).map(|_| message)
    };
    paths
        .into_iter()
        .map(|path| {
            read(path).map_err(|error| Failure(Fate::Data, format!("{}: {error}", path.display())))
        })
        .collect()
}

async fn connect(arguments: &Arguments, server: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let connecting = TcpStream::connect(server);
    let connected = timeout(at_most(arguments, CONNECT), connecting).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((stream, local))
}

fn config(
    arguments: &Arguments,
    helo: Option<&Host<'_>>,
    local: SocketAddr,
) -> Result<Config, Failure> {
    let host = helo.map_or_else(|| own_host(local), |host| host.clone().into_owned());
    let config = Config::from_host(host).map_err(|error| usage("--helo", &error))?;
    let mut config =
        config.with_line_ends(LineEnds::FromLf).with_service(match arguments.protocol {
            Protocol::Smtp => Service::Smtp,
            Protocol::Lmtp => Service::Lmtp,
        });
    config = config.with_tls(match arguments.tls {
        Tls::None => TlsPolicy::Never,
        Tls::Opportunistic => TlsPolicy::IfOffered,
        Tls::Starttls | Tls::Implicit => TlsPolicy::Required,
    });
    // The session needs these: if the server rejects EHLO, HELO is not tried.
    if arguments.user.is_some() || arguments.token.is_some() {
        config = config.with_required(Extension::Auth);
    }
    if !arguments.from.is_ascii() || !arguments.to.iter().all(|to| to.is_ascii()) {
        config = config.with_required(Extension::SmtpUtf8);
    }
    config = config.with_transactions(usize::try_from(arguments.in_flight.get()).unwrap_or(1));
    if arguments.no_pipelining {
        config = config.without_extension(Extension::Pipelining);
    }
    if arguments.no_chunking {
        config = config.without_extension(Extension::Chunking);
    }
    if let Some(seconds) = arguments.timeout {
        config =
            config.with_timeouts(Timeouts::default().at_most(Duration::from_secs(seconds.get())));
    }
    Ok(config)
}

/// Returns the name of this machine if it is fully qualified, else its address (RFC 5321 section 4.1.4).
fn own_host(local: SocketAddr) -> Host<'static> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match Host::parse(name.trim()) {
        Ok(host) if name.contains('.') => host.into_owned(),
        _ => match local {
            SocketAddr::V4(address) => Host::Ipv4(*address.ip()),
            SocketAddr::V6(address) => Host::Ipv6(*address.ip()),
        },
    }
}

/// Returns the envelope of every message. The parameters for notifications are included only if the server offers DSN.
fn envelope(
    arguments: &Arguments,
    paths: &[&str],
    offered: Option<&Extensions>,
) -> Result<Envelope, Failure> {
    let bad =
        |what: &str, error: &dyn std::fmt::Display| Failure(Fate::Data, format!("{what}: {error}"));
    let (mut mail, mut rcpt) = (Parameters::NONE, Parameters::NONE);
    let push = |parameters: &mut Parameters<'static>, keyword: &str, value: Option<&str>| {
        parameters.push(keyword, value).map_err(|error| bad(keyword, &error))
    };
    // Invalid values are invalid for every server.
    if let Some(notify) = &arguments.notify {
        Notify::parse(notify).map_err(|error| bad("--notify", &error))?;
    }
    let envid = arguments.envid.as_ref().map(|envid| Xtext::encode(envid.as_bytes()));
    if let Some(envid) = &envid {
        EnvelopeId::new(envid.clone()).map_err(|error| bad("--envid", &error))?;
    }
    if offered.is_none_or(|offered| offered.contains(Extension::Dsn)) {
        if let Some(ret) = arguments.ret {
            let ret = match ret {
                Ret::Full => "FULL",
                Ret::Hdrs => "HDRS",
            };
            push(&mut mail, "RET", Some(ret))?;
        }
        if let Some(envid) = &envid {
            push(&mut mail, "ENVID", Some(envid.as_str()))?;
        }
        if let Some(notify) = &arguments.notify {
            push(&mut rcpt, "NOTIFY", Some(&notify.to_ascii_uppercase()))?;
        }
    }
    for (parameters, flag, wanted) in [
        (&mut mail, "--mail-parameter", &arguments.mail_parameter),
        (&mut rcpt, "--rcpt-parameter", &arguments.rcpt_parameter),
    ] {
        for parameter in wanted {
            let pushed = match parameter.split_once('=') {
                Some((keyword, value)) => parameters.push(keyword, Some(value)),
                None => parameters.push(parameter, None),
            };
            pushed.map_err(|error| bad(&format!("{flag} {parameter}"), &error))?;
        }
    }
    let lenience = match arguments.lenient_addresses {
        true => Lenience::default().with_dots_in_local_part().with_underscore_in_domain(),
        false => Lenience::default(),
    };
    let plain = Envelope::new_with(&arguments.from, paths, lenience)
        .map_err(|error| Failure(Fate::Data, error.to_string()))?;
    let mut envelope =
        Envelope::from_reverse_path(plain.reverse_path().clone()).with_parameters(mail);
    for path in plain.forward_paths() {
        envelope.push(path.clone(), rcpt.clone());
    }
    Ok(envelope)
}

/// A message with its recipients.
struct Job<'a> {
    message: &'a [u8],
    paths: Vec<&'a str>,
}

/// The end of a session: `end` is `None` where there was no connection.
struct SessionEnd {
    end: Option<End>,
    cut_off: Option<io::Error>,
}

impl SessionEnd {
    /// Returns whether the next host may be tried for the recipients that have no reply (RFC 5321 section 5.1).
    fn try_next_host(&self) -> bool {
        self.end.as_ref().is_none_or(End::try_next_host)
    }
}

/// The state of the messages: to send, in flight, reported.
struct Sender<'a> {
    arguments: &'a Arguments,
    credentials: Option<Credentials>,
    /// AUTH was sent in this session, or cannot be.
    has_authenticated: bool,
    /// There is another host after this one.
    has_next: bool,
    /// The messages that have not been sent.
    jobs: Peekable<Box<dyn Iterator<Item = Job<'a>> + 'a>>,
    /// Recipients of a message that need another transaction.
    again: VecDeque<Job<'a>>,
    /// Recipients of a message for the next host.
    left: VecDeque<Job<'a>>,
    /// The messages in flight, in the order of their reports.
    underway: VecDeque<Job<'a>>,
    /// The unsent rest of the message in progress.
    rest: &'a [u8],
    progress: ProgressBar,
    /// The reason why no further message can be sent: the exit code, and the text printed for each recipient.
    obstacle: Option<(Fate, String)>,
    /// The fault of a message that no server can accept.
    bad: Option<String>,
    retry: bool,
    refused: bool,
}

/// The code printed where no reply arrived: "bad connection" (RFC 3463 section 3.5).
const NO_REPLY: &str = "451 4.4.2";
/// "Security features not supported", where the client sent nothing (RFC 3463 section 3.8).
const NO_SECURITY: &str = "530 5.7.4";
/// "Cryptographic failure" (RFC 3463 section 3.8).
const NO_PROOF: &str = "554 5.7.5";
/// "Other or undefined protocol status" (RFC 3463 section 3.6).
const NO_PROTOCOL: &str = "554 5.5.0";

/// The size in octets above which a message shows a progress bar.
const LARGE: usize = 1024 * 1024;

impl<'a> Sender<'a> {
    fn new(
        arguments: &'a Arguments,
        credentials: Option<Credentials>,
        jobs: Box<dyn Iterator<Item = Job<'a>> + 'a>,
    ) -> Self {
        Self {
            arguments,
            credentials,
            has_authenticated: false,
            has_next: false,
            jobs: jobs.peekable(),
            again: VecDeque::new(),
            left: VecDeque::new(),
            underway: VecDeque::new(),
            rest: &[],
            progress: ProgressBar::hidden(),
            obstacle: None,
            bad: None,
            retry: false,
            refused: false,
        }
    }

    /// Connects to a server, and sends the messages as far as that succeeds.
    async fn send_to(
        &mut self,
        server: &Server<'_>,
        helo: Option<&Host<'_>>,
    ) -> Result<SessionEnd, Failure> {
        let arguments = self.arguments;
        self.has_authenticated = false;
        let (stream, local) = match connect(arguments, server.address).await {
            Ok(connected) => connected,
            Err(error) => {
                complain(&format!("{}: {error}", server.address));
                return Ok(SessionEnd { end: None, cut_off: Some(error) });
            }
        };
        let mut client = Client::new(config(arguments, helo, local)?, Security::CLEAR);
        if arguments.verbose {
            let session = server.address.to_owned();
            client = client.with_transcript(Box::new(Narrator { session, write: note }));
        }
        let Some(tls) = server.tls.clone() else {
            return self.run(Connection::new(client, stream)).await;
        };
        let secured = match arguments.tls {
            Tls::Implicit => Secured::implicit(client, tls),
            _ => Secured::start_tls(client, tls),
        };
        let secured = secured.with_handshake_timeout(at_most(arguments, HANDSHAKE));
        self.run(Connection::new(secured, stream)).await
    }

    async fn run<M>(&mut self, mut session: Connection<M>) -> Result<SessionEnd, Failure>
    where
        M: for<'m> Machine<Event<'m> = Event<'m>> + AsClient + 'static,
    {
        let mut cut_off = None;
        loop {
            let event = match session.next().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    cut_off = Some(error.into());
                    break;
                }
            };
            match event {
                Event::Ready(ready) => self.ready(ready)?,
                Event::Content(mut content) => {
                    match content.write(self.rest) {
                        Ok(octets) => {
                            self.rest = self.rest.get(octets..).unwrap_or_default();
                            self.progress.inc(octets as u64);
                        }
                        Err(error) => {
                            content.abort();
                            return Err(Failure(Fate::Data, error.to_string()));
                        }
                    }
                    if self.rest.is_empty() {
                        content.finish().map_err(|error| Failure(Fate::Data, error.to_string()))?;
                        self.progress.finish_and_clear();
                    }
                }
                Event::Sent(sent) => {
                    let report = sent.take();
                    self.report(&report, session.machine().as_client().end());
                }
                Event::Refused(refused) if refused.verb() == Verb::Auth => {
                    let reply = refused.reply();
                    let is_transient = reply.is_transient();
                    let fate = if is_transient { Fate::Retry } else { Fate::Authentication };
                    self.obstacle = Some((fate, line(reply)));
                    refused.quit();
                }
                Event::Refused(refused) => {
                    complain(refused.reply());
                    refused.go_on();
                }
                other => other.quit(),
            }
        }
        self.progress.finish_and_clear();
        Ok(SessionEnd { end: session.machine().as_client().end().cloned(), cut_off })
    }

    /// Authenticates, then sends one message after the other.
    fn ready(&mut self, ready: Ready<'_>) -> Result<(), Failure> {
        if self.obstacle.is_some() {
            ready.quit();
        } else if let Some(credentials) =
            self.credentials.as_ref().filter(|_| !self.has_authenticated)
        {
            self.has_authenticated = true;
            let nonce =
                Nonce::generate().map_err(|error| Failure(Fate::Retry, error.to_string()))?;
            // With `--insecure` the user accepts any certificate, but only inside TLS.
            let credentials = match self.arguments.insecure && ready.security().is_tls() {
                true => credentials.clone().with_secrets_in_clear(),
                false => credentials.clone(),
            };
            if let Err(error) = ready.authenticate_as(&credentials, nonce) {
                let fate = match error {
                    NoCommonMechanism::Credentials(_) => Fate::Data,
                    _ => Fate::Authentication,
                };
                self.obstacle = Some((fate, format!("{NO_SECURITY} {error}")));
            }
        } else if let Some(job) = self.again.pop_front().or_else(|| self.jobs.next()) {
            let envelope = envelope(self.arguments, &job.paths, Some(ready.extensions()))?;
            match ready.send(envelope, MessageFacts::scan(job.message)) {
                Ok(_) => self.begin(job),
                Err(obstacles) => self.unfit(job, &obstacles),
            }
        } else if self.underway.is_empty() {
            ready.quit();
        } else {
            // A report may leave recipients for another transaction.
            ready.wait();
        }
        Ok(())
    }

    fn begin(&mut self, job: Job<'a>) {
        self.rest = job.message;
        if job.message.len() > LARGE && io::stderr().is_terminal() {
            self.progress = ProgressBar::new(job.message.len() as u64);
        }
        self.underway.push_back(job);
    }

    /// Reports a message that needs an extension that the server does not offer, or leaves it to the next host, which
    /// may offer it. No octet of it is sent.
    fn unfit(&mut self, job: Job<'a>, why: &NotOffered) {
        let is_for_no_server = why.obstacles().iter().any(|obstacle| {
            // RFC 5322 allows no NUL in a message, whatever a server offers.
            obstacle.is_for_every_server()
                || matches!(obstacle, Obstacle::Extension(Extension::BinaryMime))
        });
        if self.has_next && !is_for_no_server {
            complain(&format!("{why}; the next host is tried"));
            self.left.push_back(job);
            return;
        }
        if is_for_no_server {
            self.bad = Some(why.to_string());
        } else {
            self.refused = true;
        }
        let code = match why.obstacles().first() {
            _ if is_for_no_server => "554 5.6.0",
            Some(Obstacle::Size { .. }) => "552 5.3.4",
            Some(Obstacle::Extension(Extension::SmtpUtf8)) => "553 5.6.7",
            Some(it) if it.status() == Status::REQUIRETLS_NEEDED => "550 5.7.30",
            _ => "554 5.6.3",
        };
        for path in &job.paths {
            say(&format!("{path} {code} {why}"));
        }
    }

    /// Reports the outcomes of a transaction. `end` is that of the session if it is over.
    fn report(&mut self, report: &Report, end: Option<&End>) {
        let Some(mut job) = self.underway.pop_front() else { return };
        // Recipients beyond the server's limit go into another transaction, as long as each transaction
        // reaches a recipient.
        let goes_on = report.is_delivered_to_any();
        let ending = end.filter(|end| self.has_next && end.try_next_host());
        let (mut rest, mut left) = (Vec::new(), Vec::new());
        for (index, (path, outcome)) in job.paths.iter().zip(report.outcomes()).enumerate() {
            // A recipient without a reply of its own is left to the next host; one that may have the message is not.
            let is_left = ending.is_some_and(|end| match outcome {
                Outcome::Untried => true,
                Outcome::Replied(reply) => end.reply() == Some(reply),
                _ => false,
            });
            if is_left {
                left.push(*path);
                continue;
            }
            // The code alone does not decide: 552 to RCPT may be retried, 552 to the content may not.
            match report.retry(index) {
                Some(Retry::NextTransaction) if goes_on => {
                    rest.push(*path);
                    continue;
                }
                None | Some(Retry::Unneeded) => {}
                Some(Retry::Never) => self.refused = true,
                // Retry even if a duplicate is possible: lost mail is worse.
                Some(_) => self.retry = true,
            }
            match outcome.reply() {
                Some(reply) => say(&format!("{path} {}", line(reply))),
                None => say(&format!("{path} {NO_REPLY} {outcome}")),
            }
        }
        if !left.is_empty() {
            self.left.push_back(Job { message: job.message, paths: left });
        }
        if !rest.is_empty() {
            job.paths = rest;
            self.again.push_back(job);
        }
    }

    /// Returns whether the next host is tried, and leaves to it the recipients without a reply.
    fn passes_on(&mut self, server: &Server<'_>, over: &SessionEnd) -> bool {
        let may_pass = self.obstacle.is_none() && over.try_next_host();
        let is_left = !self.left.is_empty();
        if !is_left && (!may_pass || self.again.is_empty() && self.jobs.peek().is_none()) {
            return false;
        }
        // A failure to connect was reported.
        if may_pass && over.end.is_some() {
            complain(&format!("{}: {}; the next host is tried", server.address, self.why(over)));
        }
        // The messages that this host has seen come first.
        self.left.append(&mut self.again);
        std::mem::swap(&mut self.left, &mut self.again);
        true
    }

    /// Returns the code and the text for the recipients that were not sent.
    fn why(&self, over: &SessionEnd) -> String {
        match (&self.obstacle, over.end.as_ref(), &over.cut_off) {
            (Some((_, why)), _, _) => why.clone(),
            (None, Some(End::Refused(reply) | End::TlsRefused(reply)), _) => line(reply),
            (None, Some(end @ End::TlsNotOffered), _) => format!("{NO_SECURITY} {end}"),
            (None, Some(end @ End::TlsFailed(failure)), _)
                if failure.kind() == TlsFailureKind::TimedOut =>
            {
                format!("{NO_REPLY} {end}")
            }
            (None, Some(end @ (End::TlsFailed(_) | End::Auth(_))), _) => {
                format!("{NO_PROOF} {end}")
            }
            (None, Some(end @ End::Protocol(_)), _) => format!("{NO_PROTOCOL} {end}"),
            (None, Some(end), _) => format!("{NO_REPLY} {end}"),
            (None, None, Some(error)) => format!("{NO_REPLY} {error}"),
            (None, None, None) => format!("{NO_REPLY} the session is over"),
        }
    }

    /// Returns the outcome of the last session, and prints a line for each recipient of the messages that were not sent.
    fn end(mut self, over: &SessionEnd) -> Result<Fate, Failure> {
        let why = self.why(over);
        let mut is_unsent = false;
        for job in self.again.drain(..).chain(self.jobs) {
            is_unsent = true;
            for path in &job.paths {
                say(&format!("{path} {why}"));
            }
        }
        if let Some((fate, why)) = self.obstacle {
            return Err(Failure(fate, why));
        }
        match &over.end {
            Some(End::TlsFailed(failure)) if failure.kind() == TlsFailureKind::TimedOut => {
                self.retry |= is_unsent;
            }
            Some(
                end @ (End::Protocol(_)
                | End::TlsNotOffered
                | End::TlsRefused(_)
                | End::TlsFailed(_)
                | End::Auth(_)),
            ) => return Err(Failure(Fate::Protocol, end.to_string())),
            Some(End::Refused(reply)) if is_unsent => {
                self.retry |= reply.is_transient();
                self.refused |= !reply.is_transient();
            }
            _ => self.retry |= is_unsent,
        }
        match self.bad {
            _ if self.retry => Ok(Fate::Retry),
            Some(why) => Err(Failure(Fate::Data, why)),
            None if self.refused => Ok(Fate::Refused),
            None => Ok(Fate::Accepted),
        }
    }
}

/// Returns the code, the enhanced status code or `-`, and the text, escaped.
fn line(reply: &Reply<'_>) -> String {
    let whole = reply.to_string();
    match reply.status() {
        Some(_) => whole,
        None => match whole.split_once(' ') {
            Some((code, text)) => format!("{code} - {text}"),
            None => format!("{whole} -"),
        },
    }
}

/// Prints a line on standard output. A failure to print changes no outcome.
fn say(line: &str) {
    static REPORTED: Once = Once::new();
    if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
        REPORTED.call_once(|| complain(&format!("standard output: {error}")));
    }
}

/// Prints a message on standard error.
fn complain(what: &dyn std::fmt::Display) {
    note(format!("send: {what}"));
}

/// Prints a line on standard error without a panic: `eprintln` panics if it cannot write.
fn note(line: String) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
