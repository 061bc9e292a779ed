//! Sends mail: `cargo run --features tokio --example send -- --help`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

#[path = "support/transcript.rs"]
mod transcript;

use clap::{Parser, ValueEnum, error::ErrorKind};
use esmtp::{
    client::{Client, Config, End, Event, MessageFacts, NotOffered, Obstacle, Report, Timeouts},
    envelope::Envelope,
    io::tokio::Connection,
    security::Security,
    service::Service,
    syntax::{Extension, Extensions, ForwardPath, Host, Parameters, Reply, Xtext},
    wire::LineEnds,
};
use indicatif::ProgressBar;
use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use transcript::Narrator;

/// Sends mail
#[derive(Debug, Parser)]
#[command(name = "send")]
struct Arguments {
    /// Where to connect, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:2525")]
    server: String,
    /// Which protocol the server speaks
    #[arg(long, value_enum, default_value = "smtp")]
    protocol: Protocol,
    /// TLS policy
    #[arg(long, value_enum, default_value = "opportunistic")]
    tls: Tls,
    /// Trust this certificate or authority
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
    /// The argument of EHLO; the machine's name, or an address literal, unless given
    #[arg(long)]
    helo: Option<String>,
    /// Whom to authenticate as
    #[arg(long)]
    user: Option<String>,
    /// The password
    #[arg(long)]
    password: Option<String>,
    /// A bearer token
    #[arg(long)]
    token: Option<String>,
    /// Only this mechanism
    #[arg(long)]
    auth: Option<String>,
    /// The reverse-path; '' is the null path
    #[arg(long)]
    from: String,
    /// A forward-path
    #[arg(long, required = true)]
    to: Vec<String>,
    /// What a delivery status notification returns: full or hdrs
    #[arg(long, value_enum)]
    ret: Option<Ret>,
    /// The envelope identifier for delivery status notifications
    #[arg(long)]
    envid: Option<String>,
    /// When to notify: never, or a list of success, failure, delay
    #[arg(long)]
    notify: Option<String>,
    /// Another parameter of MAIL, KEY=VALUE
    #[arg(long)]
    mail_parameter: Vec<String>,
    /// Another parameter of RCPT, KEY=VALUE
    #[arg(long)]
    rcpt_parameter: Vec<String>,
    /// Do not pipeline even if the server could
    #[arg(long)]
    no_pipelining: bool,
    /// Do not send chunks even if the server could
    #[arg(long)]
    no_chunking: bool,
    /// Send each file so many times over one connection
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Upper bound for each of the protocol's time-outs, in seconds
    #[arg(long)]
    timeout: Option<u64>,
    /// The transcript on standard error
    #[arg(long)]
    verbose: bool,
    /// Messages; standard input if there is none
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Smtp,
    Lmtp,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Tls {
    None,
    Opportunistic,
    Starttls,
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ret {
    Full,
    Hdrs,
}

/// The exit codes of `sysexits` that this program knows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fate {
    #[default]
    Accepted = 0,
    Usage = 64,
    Data = 65,
    Refused = 69,
    Retry = 75,
    Protocol = 76,
}

/// A failure that ends the program, and how.
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
        eprintln!("send: {why}");
        fate
    });
    ExitCode::from(fate as u8)
}

async fn send(arguments: &Arguments) -> Result<Fate, Failure> {
    not_yet(arguments)?;
    let messages = messages(&arguments.files)?;
    let paths: Vec<&str> = arguments.to.iter().map(String::as_str).collect();
    // A first look at the addresses, before anybody is called.
    envelope(arguments, &paths, None)?;
    let stream = connect(arguments).await?;
    let local = stream.local_addr().map_err(|error| lost(&error))?;
    let mut client = Client::new(config(arguments, local)?, Security::CLEAR);
    if arguments.verbose {
        client = client.with_transcript(Box::new(Narrator(arguments.server.clone())));
    }
    let jobs = messages.iter().flat_map(|message| (0..arguments.repeat).map(move |_| message));
    let queue = jobs.collect();
    Sender::new(arguments, paths, queue).run(Connection::new(client, stream)).await
}

/// What the flags ask for and this program cannot do yet is refused rather than ignored.
fn not_yet(arguments: &Arguments) -> Result<(), Failure> {
    let wanted = [
        ("--tls", matches!(arguments.tls, Tls::Starttls | Tls::Implicit)),
        ("--ca", arguments.ca.is_some()),
        ("--insecure", arguments.insecure),
        ("--user", arguments.user.is_some()),
        ("--password", arguments.password.is_some()),
        ("--token", arguments.token.is_some()),
        ("--auth", arguments.auth.is_some()),
    ];
    match wanted.iter().find(|(_, is_wanted)| *is_wanted) {
        Some((flag, _)) => Err(Failure(Fate::Usage, format!("{flag}: not implemented yet"))),
        None => Ok(()),
    }
}

fn messages(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    if files.is_empty() {
        let mut message = Vec::new();
        io::stdin()
            .read_to_end(&mut message)
            .map_err(|error| unreadable(Path::new("-"), &error))?;
        return Ok(vec![message]);
    }
    files.iter().map(|path| std::fs::read(path).map_err(|error| unreadable(path, &error))).collect()
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure(Fate::Data, format!("{}: {error}", path.display()))
}

fn lost(error: &io::Error) -> Failure {
    Failure(Fate::Retry, error.to_string())
}

async fn connect(arguments: &Arguments) -> Result<TcpStream, Failure> {
    let patience = Duration::from_secs(arguments.timeout.unwrap_or(30).min(30));
    let connected = timeout(patience, TcpStream::connect(&arguments.server)).await;
    let stream = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| Failure(Fate::Retry, format!("{}: {error}", arguments.server)))?;
    stream.set_nodelay(true).map_err(|error| lost(&error))?;
    Ok(stream)
}

fn config(arguments: &Arguments, local: SocketAddr) -> Result<Config, Failure> {
    let usage = |what: &str, error: &dyn std::fmt::Display| {
        Failure(Fate::Usage, format!("{what}: {error}"))
    };
    let host = match &arguments.helo {
        Some(name) => Host::parse(name).map_err(|error| usage("--helo", &error))?.into_owned(),
        None => own_host(local),
    };
    let mut config = Config::from_host(host).with_line_ends(LineEnds::FromLf).with_service(
        match arguments.protocol {
            Protocol::Smtp => Service::Smtp,
            Protocol::Lmtp => Service::Lmtp,
        },
    );
    if arguments.no_pipelining {
        config = config.without(Extension::Pipelining);
    }
    if arguments.no_chunking {
        config = config.without(Extension::Chunking);
    }
    if let Some(seconds) = arguments.timeout {
        config = config.with_timeouts(Timeouts::default().at_most(Duration::from_secs(seconds)));
    }
    Ok(config)
}

/// The name of this machine if it is a whole one, else its address (RFC 5321 section 4.1.4).
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

/// The envelope of every message. The wishes about notifications can only be sent where the
/// server offers DSN.
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
    if offered.is_none_or(|offered| offered.contains(Extension::Dsn)) {
        if let Some(ret) = arguments.ret {
            let ret = match ret {
                Ret::Full => "FULL",
                Ret::Hdrs => "HDRS",
            };
            push(&mut mail, "RET", Some(ret))?;
        }
        if let Some(envid) = &arguments.envid {
            push(&mut mail, "ENVID", Some(Xtext::encode(envid.as_bytes()).as_str()))?;
        }
        if let Some(notify) = &arguments.notify {
            push(&mut rcpt, "NOTIFY", Some(&notify.to_ascii_uppercase()))?;
        }
    }
    for (parameters, wanted) in
        [(&mut mail, &arguments.mail_parameter), (&mut rcpt, &arguments.rcpt_parameter)]
    {
        for parameter in wanted {
            match parameter.split_once('=') {
                Some((keyword, value)) => push(parameters, keyword, Some(value))?,
                None => push(parameters, parameter, None)?,
            }
        }
    }
    let mut envelope = Envelope::new(&arguments.from, &[])
        .map_err(|error| bad(&arguments.from, &error))?
        .with_parameters(mail);
    for path in paths {
        let path = ForwardPath::parse(&format!("<{path}>"))
            .map_err(|error| bad(path, &error))?
            .into_owned();
        envelope.push(path, rcpt.clone());
    }
    Ok(envelope)
}

/// The messages on their way.
struct Sender<'a> {
    arguments: &'a Arguments,
    paths: Vec<&'a str>,
    queue: VecDeque<&'a Vec<u8>>,
    /// What is left of the message that is being sent.
    rest: &'a [u8],
    progress: ProgressBar,
    /// Messages of which no report has come.
    pending: usize,
    retry: bool,
    refused: bool,
}

/// What stands in the place of a reply where none came: "bad connection" (RFC 3463 section 3.5).
const NO_REPLY: &str = "451 4.4.2";

/// A message of more octets shows a progress bar.
const LARGE: usize = 1024 * 1024;

impl<'a> Sender<'a> {
    fn new(arguments: &'a Arguments, paths: Vec<&'a str>, queue: VecDeque<&'a Vec<u8>>) -> Self {
        Self {
            arguments,
            paths,
            queue,
            rest: &[],
            progress: ProgressBar::hidden(),
            pending: 0,
            retry: false,
            refused: false,
        }
    }

    async fn run(mut self, mut session: Connection<Client>) -> Result<Fate, Failure> {
        let mut cut_off = None;
        loop {
            let event = match session.next().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    cut_off = Some(error);
                    break;
                }
            };
            match event {
                Event::Ready(ready) => match self.queue.pop_front() {
                    Some(message) => {
                        let envelope =
                            envelope(self.arguments, &self.paths, Some(ready.extensions()))?;
                        match ready.send(envelope, MessageFacts::scan(message)) {
                            Ok(_) => self.begin(message),
                            Err(obstacles) => self.unfit(&obstacles)?,
                        }
                    }
                    None => ready.quit(),
                },
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
                Event::Sent(sent) => self.report(&sent.take())?,
                Event::Refused(refused) => {
                    eprintln!("send: {}", refused.reply());
                    refused.go_on();
                }
                other => other.quit(),
            }
        }
        self.progress.finish_and_clear();
        self.end(session.machine().end(), cut_off)
    }

    fn begin(&mut self, message: &'a [u8]) {
        self.pending += 1;
        self.rest = message;
        if message.len() > LARGE && io::stderr().is_terminal() {
            self.progress = ProgressBar::new(message.len() as u64);
        }
    }

    /// The server does not offer what this message needs: no octet of it leaves.
    fn unfit(&mut self, why: &NotOffered) -> Result<(), Failure> {
        let is_nobodys_message = why.obstacles().iter().any(|obstacle| {
            // Such octets are in no message of RFC 5322, whatever a server offers.
            matches!(obstacle, Obstacle::BareLineBreak | Obstacle::Extension(Extension::BinaryMime))
        });
        if is_nobodys_message {
            return Err(Failure(Fate::Data, why.to_string()));
        }
        self.refused = true;
        let code = match why.obstacles().first() {
            Some(Obstacle::Size { .. }) => "552 5.3.4",
            Some(Obstacle::Extension(Extension::SmtpUtf8)) => "553 5.6.7",
            _ => "554 5.6.3",
        };
        for path in &self.paths {
            say(&format!("{path} {code} {why}"))?;
        }
        Ok(())
    }

    fn report(&mut self, report: &Report) -> Result<(), Failure> {
        self.pending -= 1;
        for (path, (_, outcome)) in self.paths.iter().zip(report.recipients()) {
            self.retry |= outcome.is_transient();
            self.refused |= outcome.is_permanent();
            match outcome.reply() {
                Some(reply) => say(&format!("{path} {}", line(reply)))?,
                None => say(&format!("{path} {NO_REPLY} {outcome}"))?,
            }
        }
        Ok(())
    }

    /// What the session came to. Messages that were not sent are told of too.
    fn end(mut self, end: Option<&End>, cut_off: Option<io::Error>) -> Result<Fate, Failure> {
        let why = match (end, &cut_off) {
            (Some(End::Refused(reply)), _) => line(reply),
            (Some(end), _) => format!("{NO_REPLY} {end}"),
            (None, Some(error)) => format!("{NO_REPLY} {error}"),
            (None, None) => format!("{NO_REPLY} the session is over"),
        };
        let is_unsent = !self.queue.is_empty();
        for _ in self.queue.drain(..) {
            for path in &self.paths {
                say(&format!("{path} {why}"))?;
            }
        }
        match end {
            Some(End::Protocol(error)) => {
                return Err(Failure(Fate::Protocol, error.to_string()));
            }
            Some(End::Refused(reply)) if is_unsent => {
                self.retry |= reply.is_transient();
                self.refused |= !reply.is_transient();
            }
            Some(End::Quit) => {}
            _ => self.retry |= is_unsent,
        }
        Ok(match (self.retry, self.refused) {
            (true, _) => Fate::Retry,
            (false, true) => Fate::Refused,
            (false, false) => Fate::Accepted,
        })
    }
}

/// Code, enhanced status code or `-`, text: what is not printable in it is escaped.
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

fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(|error| lost(&error))
}
