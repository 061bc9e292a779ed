//! A client and a server, each of which keeps to the protocol, over a link that does not.

use crate::{
    channel::{Channel, client_end, server_end},
    link::{Cut, End, Faults, Side, run},
    random::Random,
    receiver::{Mood, Receiver, Stored},
    seconds, simulate,
};
use esmtp::{
    client::{self, Client, MessageFacts, Outcome, Report, TlsPolicy},
    envelope::Envelope,
    machine::Machine,
    security::Security,
    server::{self, Limits, Peer, Server},
    service::Service,
    syntax::{Extension, Extensions},
    tls::Secured,
    wire::{BareLineBreaks, LineEnds},
};
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

const MESSAGE: u64 = 1024 * 1024;

/// A message and its recipients.
#[derive(Clone)]
struct Mail {
    to: Vec<String>,
    content: Vec<u8>,
    is_known: bool,
    /// Whether it is given up where its content ends.
    aborts: bool,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, content, is_known, aborts } = self;
        let start = content[..content.len().min(80)].escape_ascii();
        write!(f, "{to:?} {} octets {start} known {is_known} aborts {aborts}", content.len())
    }
}

/// An act on one end from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    ShutDown,
    CloseServer,
    CloseClient,
}

#[derive(Debug)]
struct Case {
    service: Service,
    is_tls: bool,
    /// TLS after STARTTLS, not from the first octet.
    is_upgraded: bool,
    extensions: Vec<Extension>,
    unused: Vec<Extension>,
    policy: BareLineBreaks,
    line_ends: LineEnds,
    transactions: usize,
    in_flight: usize,
    ahead: usize,
    has_answers: bool,
    receive_buffer: usize,
    message: u64,
    mails: Vec<Mail>,
    mood: Mood,
    faults: Faults,
    stop: Option<(usize, Stop)>,
}

const EXTENSIONS: [Extension; 8] = [
    Extension::Pipelining,
    Extension::Chunking,
    Extension::EightBitMime,
    Extension::BinaryMime,
    Extension::SmtpUtf8,
    Extension::Size,
    Extension::EnhancedStatusCodes,
    Extension::Dsn,
];

impl Case {
    fn draw(random: &mut Random) -> Self {
        let count = random.between(1, 6);
        let mails = (0..count).map(|_| mail(random)).collect();
        let is_tls = random.one_in(8);
        Self {
            service: random.pick(&[Service::Smtp, Service::Submission, Service::Lmtp]),
            is_tls,
            is_upgraded: random.one_in(2),
            extensions: EXTENSIONS.into_iter().filter(|_| !random.one_in(4)).collect(),
            unused: [Extension::Pipelining, Extension::Chunking]
                .into_iter()
                .filter(|_| random.one_in(5))
                .collect(),
            policy: random.pick(&[
                BareLineBreaks::Reject,
                BareLineBreaks::Normalise,
                BareLineBreaks::Keep,
            ]),
            line_ends: random.pick(&[LineEnds::Strict, LineEnds::FromLf]),
            transactions: random.between(1, 5),
            in_flight: random.pick(&[1, 2, 5, 12, 128]),
            ahead: random.pick(&[20, 100, 512, 65_536]),
            has_answers: random.one_in(3),
            receive_buffer: random.pick(&[4096, 32_768]),
            message: random.pick(&[MESSAGE, MESSAGE, 1500]),
            mails,
            mood: if random.one_in(2) {
                Mood::default()
            } else {
                Mood { rejects: random.between(3, 20), closes: random.pick(&[0, 0, 60]) }
            },
            faults: faults(random, is_tls),
            stop: random.one_in(5).then(|| {
                let stop = [Stop::ShutDown, Stop::CloseServer, Stop::CloseClient];
                (random.below(400), random.pick(&stop))
            }),
        }
    }

    /// Returns whether nothing happens but what the two sides do.
    fn is_undisturbed(&self) -> bool {
        let Faults { delay, capacity, cut_at, late, .. } = self.faults;
        // A window over a delay is a rate, which may be below the floor: that of the link, and that of chunks.
        let is_slow = delay > seconds(1)
            || capacity < 4096 && delay > Duration::ZERO
            || self.ahead < 100 && delay >= seconds(1);
        cut_at.is_none()
            && !is_slow
            && late.is_none()
            && self.stop.is_none()
            && self.mood.closes == 0
    }
}

fn faults(random: &mut Random, is_tls: bool) -> Faults {
    let span = if is_tls { 5000 } else { 2000 };
    Faults {
        delay: random.pick(&[
            Duration::ZERO,
            Duration::from_millis(50),
            Duration::from_millis(50),
            seconds(1),
            seconds(20),
            seconds(100),
        ]),
        capacity: random.pick(&[1, 17, 200, 4096, 65_536]),
        piece: random.pick(&[1, 7, 60, 1000, 65_536]),
        cut_at: random.one_in(3).then(|| random.below(span)),
        cut: random.pick(&[
            Cut::Reset,
            Cut::Closed,
            Cut::HalfClosed(End::Client),
            Cut::HalfClosed(End::Server),
        ]),
        late: random.one_in(5).then(|| random.pick(&[seconds(1), seconds(200), seconds(1000)])),
        forgets: random.one_in(3),
    }
}

/// The recipients of messages, of which the last two get nothing.
const MAILBOXES: [&str; 6] = ["a", "b", "c", "d", "nobody", "full"];

fn mail(random: &mut Random) -> Mail {
    const PIECES: [&[u8]; 14] = [
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b".",
        b".",
        b"ab",
        b"ab",
        b"\n",
        b"\r",
        b"\xc3\xa9",
        b"\0",
        b"\r\n.\r\n",
        b"MAIL FROM:<smuggled@example.org>\r\n",
        &[b'x'; 700],
    ];
    let pieces = random.below(16);
    let content = (0..pieces).flat_map(|_| random.pick(&PIECES).to_vec()).collect();
    let mut to: Vec<_> = MAILBOXES.into_iter().filter(|_| random.one_in(3)).collect();
    if to.is_empty() {
        to.push("a");
    }
    Mail {
        to: to.into_iter().map(|name| format!("<{name}@example.net>")).collect(),
        content,
        is_known: !random.one_in(5),
        aborts: random.one_in(12),
    }
}

fn server(case: &Case) -> Channel<Server> {
    let mut offered = case.extensions.iter().fold(Extensions::NONE, |all, one| all.with(*one));
    if case.is_tls && case.is_upgraded {
        offered = offered.with(Extension::StartTls);
    }
    let limits = Limits::default()
        .with_receive_buffer(case.receive_buffer)
        .with_message(case.message)
        .with_errors(10_000)
        .with_idle_commands(10_000);
    let config = server::Config::new("mx.example.org")
        .unwrap()
        .with_service(case.service)
        .with_required_auth(false)
        .with_extensions(offered)
        .with_bare_line_breaks(case.policy)
        .with_limits(limits);
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    match (case.is_tls, case.is_upgraded) {
        (false, _) => Channel::Clear(server),
        (true, true) => Channel::Tls(Box::new(Secured::start_tls(server, server_end()))),
        (true, false) => Channel::Tls(Box::new(Secured::implicit(server, server_end()))),
    }
}

fn client(case: &Case) -> Channel<Client> {
    let policy = match case.is_tls && case.is_upgraded {
        true => TlsPolicy::Required,
        false => TlsPolicy::Never,
    };
    let mut config = client::Config::new("me.example.org")
        .unwrap()
        .with_service(case.service)
        .with_tls(policy)
        .with_line_ends(case.line_ends)
        .with_transactions(case.transactions)
        .with_in_flight(case.in_flight)
        .with_send_buffer(case.ahead);
    if case.has_answers {
        config = config.with_recipient_events();
    }
    for extension in &case.unused {
        config = config.without_extension(*extension);
    }
    let client = Client::new(config, Security::CLEAR);
    match (case.is_tls, case.is_upgraded) {
        (false, _) => Channel::Clear(client),
        (true, true) => Channel::Tls(Box::new(Secured::start_tls(client, client_end()))),
        (true, false) => Channel::Tls(Box::new(Secured::implicit(client, client_end()))),
    }
}

/// The application of the client.
struct Sender {
    random: Random,
    mails: VecDeque<(usize, Mail)>,
    /// The transactions that were begun, in order, with whether their content goes in chunks.
    begun: VecDeque<(usize, bool)>,
    rest: Vec<u8>,
    aborts: bool,
    reports: Vec<(usize, bool, Report)>,
}

impl Sender {
    fn answer(&mut self, event: client::Event<'_>) {
        match event {
            client::Event::Ready(ready) if self.random.one_in(20) => ready.noop(),
            client::Event::Ready(ready) if self.random.one_in(20) => ready.reset(),
            client::Event::Ready(ready) => match self.mails.pop_front() {
                Some((number, mail)) => {
                    let is_chunked = ready.extensions().contains(Extension::Chunking);
                    let facts = match mail.is_known {
                        true => MessageFacts::scan(&mail.content),
                        false => MessageFacts::UNKNOWN,
                    };
                    let to: Vec<&str> =
                        mail.to.iter().map(|path| path.trim_matches(['<', '>'])).collect();
                    let envelope = Envelope::new(&format!("{number}@example.org"), &to).unwrap();
                    if ready.send(envelope, facts).is_ok() {
                        self.begun.push_back((number, is_chunked));
                        (self.rest, self.aborts) = (mail.content, mail.aborts);
                    }
                }
                None => ready.quit(),
            },
            client::Event::Content(mut content) => {
                let piece = 1 + self.random.below(self.rest.len() + 1);
                let piece = &self.rest[..piece.min(self.rest.len())];
                match content.write(piece) {
                    Ok(taken) => drop(self.rest.drain(..taken)),
                    Err(_) => return content.abort(),
                }
                match self.rest.is_empty() {
                    true if self.aborts => content.abort(),
                    true => drop(content.finish()),
                    false if self.random.one_in(10) => content.flush(),
                    false => {}
                }
            }
            client::Event::Sent(sent) => {
                let (number, is_chunked) =
                    self.begun.pop_front().unwrap_or_else(|| panic!("a report too many"));
                self.reports.push((number, is_chunked, sent.take()));
            }
            client::Event::Refused(refused) => refused.go_on(),
            client::Event::Answered(answered) => answered.go_on(),
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the content as it arrives.
fn received(content: &[u8], line_ends: LineEnds, is_chunked: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for octet in content {
        if line_ends == LineEnds::FromLf && *octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    // A message ends with a line end, and after DATA it is added.
    if !is_chunked && !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Returns the time that a session may live by its configuration, which is that of the defaults, beside the
/// time of the applications and of the link.
fn life(faults: &Faults, application_time: Duration) -> Duration {
    let session = seconds(3600);
    let (write, handshake, farewell) = (seconds(300), seconds(60), seconds(10));
    let transfer = seconds(300) + seconds(4 * MESSAGE / 3 / 500);
    let server = handshake + session + transfer + 2 * write + farewell;
    // The client hears of the end after that, or has a last reply to wait for.
    let client = seconds(600) + seconds(180) + farewell;
    server + client + 4 * faults.delay + application_time
}

fn play(random: &mut Random) {
    let case = Case::draw(random);
    let mut receiver = Receiver::new(random.fork(), case.mood);
    let mut sender = Sender {
        random: random.fork(),
        mails: case.mails.iter().cloned().enumerate().collect(),
        begun: VecDeque::new(),
        rest: Vec::new(),
        aborts: false,
        reports: Vec::new(),
    };
    let (mut client, mut server) = (client(&case), server(&case));
    let mut sends = |client: &mut Channel<Client>| {
        if let Some(event) = client.event() {
            sender.answer(event);
        }
    };
    let mut receives = |server: &mut Channel<Server>| {
        if let Some(event) = server.event() {
            receiver.answer(event);
        }
    };
    let mut client_side = Side::new(&mut client, &mut sends, random.fork());
    let mut server_side = Side::new(&mut server, &mut receives, random.fork());
    let stop = case.stop;
    let over =
        run(&case.faults, random, &mut client_side, &mut server_side, |step, client, server| {
            match stop {
                Some((at, Stop::ShutDown)) if at == step => server.machine_mut().shut_down(),
                Some((at, Stop::CloseServer)) if at == step => server.machine_mut().close(),
                Some((at, Stop::CloseClient)) if at == step => client.machine_mut().close(),
                _ => {}
            }
        });
    let application_time = client_side.application_time + server_side.application_time;
    assert!(over.elapsed() <= life(&case.faults, application_time), "{over:?}: {case:?}");
    assert!(server.machine().end().is_some());
    receiver.is_over();
    let has_quit = matches!(client.machine().end(), Some(client::End::Quit));
    if case.is_undisturbed() && !case.mails.iter().any(|mail| mail.aborts) {
        // Content that may not be sent after DATA ends the session, as an abort does.
        let is_aborted = matches!(client.machine().end(), Some(client::End::Aborted));
        assert!(has_quit || is_aborted, "{:?}: {case:?}", client.machine().end());
    }
    assert!(sender.begun.is_empty(), "a transaction without a report: {case:?}");
    judge(&case, has_quit, &sender.reports, receiver.stored);
}

/// Compares what the client reports with what the server stored.
fn judge(case: &Case, has_quit: bool, reports: &[(usize, bool, Report)], mut stored: Vec<Stored>) {
    for (number, is_chunked, report) in reports {
        let mail = &case.mails[*number];
        assert_eq!(report.outcomes().len(), mail.to.len());
        let from = format!("<{number}@example.org>");
        let here = stored.iter().position(|it| it.from == from).map(|at| stored.remove(at));
        if let Some(here) = &here {
            let expected = received(&mail.content, case.line_ends, *is_chunked);
            assert_eq!(here.content, expected, "the content of {number}: {case:?}");
            assert!(!mail.aborts, "what was given up was stored: {case:?}");
        }
        for recipient in report.recipients() {
            let (path, outcome) = (recipient.path(), recipient.outcome());
            let is_stored = here.as_ref().is_some_and(|here| here.to.contains(&path.to_string()));
            let is_true = match outcome {
                Outcome::Replied(reply) => reply.is_positive() == is_stored,
                Outcome::Unknown => !has_quit,
                Outcome::Untried => !is_stored,
                _ => false,
            };
            assert!(is_true, "{number} {path}: {outcome}, stored: {is_stored}: {case:?}");
        }
    }
    assert_eq!(stored, [], "doubled, or kept without the client's knowledge: {case:?}");
}

/// 5321-4.2.5-a, 5321-6.1-a
#[test]
fn both_ends_agree_on_each_recipient() {
    simulate(5000, play);
}
