//! Hostile servers.

use super::{
    Attack, Findings, KINDS, Kind, Named, Piece,
    channel::{Channel, client_end, rustls_server},
    clock::Transfer,
    in_each_kind, repeat,
    rig::{Reads, Rig},
    seconds, silent, text, then,
};
use bytes::Bytes;
use esmtp::{
    client::{Client, Config, Event, MessageFacts, Timeouts, TlsPolicy},
    envelope::Envelope,
    machine::Machine,
    sasl::{Credentials, Nonce},
    security::Security,
    time::Rate,
    tls::Secured,
};
use std::{cell::RefCell, iter, rc::Rc, time::Duration};

// Each number is another one, so that a wrong deadline shows.

const GREETING: Duration = seconds(31);
const MAIL: Duration = seconds(32);
const RCPT: Duration = seconds(33);
const DATA: Duration = seconds(34);
const END: Duration = seconds(35);
const COMMAND: Duration = seconds(36);
const BLOCK: Duration = seconds(20);
const RATE: u32 = 500;
const HANDSHAKE: Duration = seconds(50);
/// Longer than any session here may live.
const LONGEST: Duration = seconds(20_000);

fn timeouts() -> Timeouts {
    Timeouts::default()
        .with_greeting(GREETING)
        .with_mail(MAIL)
        .with_rcpt(RCPT)
        .with_data(DATA)
        .with_end_of_content(END)
        .with_command(COMMAND)
        .with_block(BLOCK)
        .with_slowest_content(Rate::octets_per_second(RATE))
}

fn config() -> Config {
    Config::new("me.example.org").unwrap().with_timeouts(timeouts())
}

/// The reports of a client on its transactions.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<String>>>);

/// An application that sends one message to these recipients, and then quits.
struct Sender {
    recipients: Vec<&'static str>,
    content: Bytes,
    has_credentials: bool,
    has_sent: bool,
    seen: Seen,
}

impl Sender {
    fn new(octets: usize) -> Self {
        Self {
            recipients: vec!["bob@example.net"],
            content: text(octets).into(),
            has_credentials: false,
            has_sent: false,
            seen: Seen::default(),
        }
    }

    fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Ready(ready) if std::mem::take(&mut self.has_credentials) => {
                let credentials = Credentials::password("ann", "secret");
                ready.authenticate_as(&credentials, Nonce::new([0; 18])).map(drop).unwrap();
            }
            Event::Ready(ready) if !self.has_sent => {
                self.has_sent = true;
                let envelope = Envelope::new("ann@example.org", &self.recipients).unwrap();
                ready.send(envelope, MessageFacts::UNKNOWN).map(drop).unwrap();
            }
            Event::Content(mut content) => {
                content.write_bytes(&mut self.content).map(drop).unwrap();
                if self.content.is_empty() {
                    content.finish().unwrap();
                }
            }
            Event::Sent(sent) => {
                let outcomes = sent.take();
                let mut seen = self.seen.0.borrow_mut();
                seen.extend(outcomes.outcomes().map(ToString::to_string));
            }
            other => other.quit(),
        }
    }
}

/// Creates a client that has sent nothing yet.
fn new(kind: Kind, config: Config, mut sender: Sender) -> (Rig<Client>, Seen) {
    let client = Client::new(config, Security::CLEAR);
    let seen = sender.seen.clone();
    let answer = move |session: &mut Channel<Client>| sender.answer(session.event().unwrap());
    let mut rig = match kind {
        Kind::Clear => Rig::new(Channel::Clear(client), None, answer),
        Kind::Tls => {
            let secured = Secured::implicit(client, client_end());
            let session = Channel::Tls(Box::new(secured.with_handshake_timeout(HANDSHAKE)));
            Rig::new(session, Some(rustls_server()), answer)
        }
    };
    rig.shake_hands();
    (rig, seen)
}

/// Creates a client after these replies, each to the command before it.
fn opened(kind: Kind, config: Config, sender: Sender, replies: &[&[u8]]) -> (Rig<Client>, Seen) {
    let (mut rig, seen) = new(kind, config, sender);
    replies.iter().for_each(|reply| rig.say(reply));
    (rig, seen)
}

const HELLO: &[u8] = b"220 mx.example.org\r\n";
const EHLO: &[u8] = b"250 mx.example.org\r\n";
const CHUNKING: &[u8] = b"250-mx.example.org\r\n250 CHUNKING\r\n";
const AUTH: &[u8] = b"250-mx.example.org\r\n250 AUTH PLAIN LOGIN\r\n";
const STARTTLS: &[u8] = b"250-mx.example.org\r\n250 STARTTLS\r\n";
const OK: &[u8] = b"250 2.0.0 ok\r\n";
const GO: &[u8] = b"354 go\r\n";

/// The reply that a client waits for, and for how long.
#[derive(Clone, Copy)]
struct Wait {
    name: &'static str,
    replies: &'static [&'static [u8]],
    timeout: Duration,
}

const fn wait(name: &'static str, replies: &'static [&'static [u8]], timeout: Duration) -> Wait {
    Wait { name, replies, timeout }
}

const WAITS: [Wait; 8] = [
    wait("the greeting", &[], GREETING),
    wait("the reply to EHLO", &[HELLO], COMMAND),
    wait("the reply to MAIL", &[HELLO, EHLO], MAIL),
    wait("the reply to RCPT", &[HELLO, EHLO, OK], RCPT),
    wait("354", &[HELLO, EHLO, OK, OK], DATA),
    wait("the reply to the content", &[HELLO, EHLO, OK, OK, GO], END),
    wait("the reply to a chunk", &[HELLO, CHUNKING, OK, OK], END),
    wait("the reply to QUIT", &[HELLO, EHLO, OK, OK, GO, OK], COMMAND),
];

/// Servers that never finish a reply.
const NO_REPLY: [Named; 9] = [
    ("silent", silent),
    ("dripping 10 octets a second", || drip(Duration::from_millis(100))),
    ("dripping each second", || drip(seconds(1))),
    ("dripping each 19 s", || drip(seconds(19))),
    ("dripping each 30 s", || drip(seconds(30))),
    ("a line each second", || repeat(b"250-a\r\n", seconds(1))),
    ("a line each 30 s", || repeat(b"250-a\r\n", seconds(30))),
    ("bursting, then silent", || Box::new(iter::once(Piece::line(Duration::ZERO, LINES)))),
    ("bursting, then a line each 19 s", || {
        let burst: Attack = Box::new(iter::once(Piece::line(Duration::ZERO, LINES)));
        then(burst, repeat(b"250-a\r\n", seconds(19)))
    }),
];

const LINES: &[u8] = b"250-a\r\n250-b\r\n250-c\r\n250-d\r\n250-e\r\n250-f\r\n250-g\r\n250-h\r\n";

/// Sends the beginning of a reply, octet by octet.
fn drip(every: Duration) -> Attack {
    let reply = b"250-".iter().chain(iter::repeat(&b'a'));
    Box::new(reply.take(2000).map(move |octet| Piece::line(every, &[*octet])))
}

/// 5321-4.5.3.2.1-a: each reply has a deadline for the whole of it, and a server does not move it.
#[test]
fn a_reply_is_not_awaited_longer_because_it_drips() {
    let mut findings = Findings::default();
    for (kind, wait) in in_each_kind(WAITS) {
        for (name, attack) in NO_REPLY {
            let (mut rig, _) = opened(kind, config(), Sender::new(100), wait.replies);
            let peer = format!("{kind:?}, {}, {name}", wait.name);
            findings.exactly(&peer, rig.attack(attack(), LONGEST), wait.timeout);
        }
    }
    findings.done();
}

/// A reply to each command, each at the last moment: the sum of the deadlines and no more.
#[test]
fn late_replies_are_worth_their_deadlines() {
    let mut findings = Findings::default();
    let recipients = ["a@example.net", "b@example.net", "c@example.net"];
    let replies = [HELLO, EHLO, OK, OK, OK, OK, GO, OK, OK];
    let waits = [GREETING, COMMAND, MAIL, RCPT, RCPT, RCPT, DATA, END, COMMAND];
    for kind in KINDS {
        for answered in 0..=replies.len() {
            let sender = Sender { recipients: recipients.into(), ..Sender::new(100) };
            let (mut rig, _) = opened(kind, config(), sender, &[]);
            let early = Duration::from_millis(10);
            let pieces = replies.into_iter().zip(waits);
            let pieces = pieces.map(move |(reply, wait)| Piece::line(wait - early, reply));
            let life = rig.attack(Box::new(pieces.take(answered)), LONGEST);
            let sum: Duration = waits.iter().take(answered + 1).sum();
            let early = early * u32::try_from(answered).unwrap();
            findings.exactly(&format!("{kind:?}, {answered} replies"), life, sum - early);
        }
    }
    findings.done();
}

/// The replies that end a session do so at once, or after the reply to QUIT.
#[test]
fn replies_that_make_no_sense_end_the_session() {
    let mut findings = Findings::default();
    let replies: [&[u8]; 7] = [
        b"421 bye\r\n",
        b"150 wait\r\n",
        b"199 wait\r\n",
        b"000 what\r\n",
        b"hello\r\n",
        b"\r\n",
        b"250 a\r\n250 b\r\n250 c\r\n250 d\r\n250 e\r\n250 f\r\n250 g\r\n250 h\r\n250 i\r\n250 j\r\n",
    ];
    for (kind, wait) in in_each_kind(WAITS) {
        for reply in replies {
            let (mut rig, _) = opened(kind, config(), Sender::new(100), wait.replies);
            let peer = format!("{kind:?}, {}, {} each 10 s", wait.name, reply.escape_ascii());
            let life = rig.attack(repeat(reply, seconds(10)), LONGEST);
            findings.at_most(&peer, life, seconds(10) + kind.farewell());
        }
    }
    findings.done();
}

/// A server that goes on asking is not answered for ever.
#[test]
fn challenges_come_to_an_end() {
    let mut findings = Findings::default();
    let challenges: [&[u8]; 3] = [b"334 VXNlcm5hbWU6\r\n", b"334 \r\n", b"334 UGFzc3dvcmQ6\r\n"];
    for (kind, challenge) in in_each_kind(challenges) {
        let sender = Sender { has_credentials: true, ..Sender::new(100) };
        // Passwords are for TLS; here the channel only claims to be one.
        let (mut rig, _) = match kind {
            Kind::Tls => opened(kind, config(), sender, &[HELLO, AUTH]),
            Kind::Clear => {
                let client = Client::new(config(), Security::TLS);
                let (mut sender, seen) = (sender, Seen::default());
                let answer = move |it: &mut Channel<Client>| sender.answer(it.event().unwrap());
                let mut rig = Rig::new(Channel::Clear(client), None, answer);
                [HELLO, AUTH].iter().for_each(|reply| rig.say(reply));
                (rig, seen)
            }
        };
        let life = rig.attack(repeat(challenge, seconds(35)), LONGEST);
        // A mechanism has a few rounds; then the exchange is cancelled, and QUIT has its reply.
        findings.at_most(&format!("{kind:?}, {}", challenge.escape_ascii()), life, 12 * COMMAND);
    }
    findings.done();
}

// ------------------------------------------------------------------------------- writing

/// The content is asked for, and this is how it travels.
const CONTENTS: [(&str, &[&[u8]]); 2] =
    [("after DATA", &[HELLO, EHLO, OK, OK]), ("in chunks", &[HELLO, CHUNKING, OK])];

/// Returns the reply that makes the client send its content, with which the attack begins.
fn last_reply(name: &str) -> &'static [u8] {
    if name == "after DATA" { GO } else { OK }
}

/// A server that reads nothing more has the time of one block, whatever it says.
#[test]
fn a_server_that_reads_nothing_has_the_time_of_one_block() {
    let mut findings = Findings::default();
    for (kind, wait) in in_each_kind(WAITS) {
        let Some((last, replies)) = wait.replies.split_last() else { continue };
        for (name, attack) in NO_REPLY {
            let (mut rig, _) = opened(kind, config(), Sender::new(100), replies);
            rig.reads(Reads::Only(0));
            rig.say(last);
            let peer = format!("{kind:?}, {}, {name}", wait.name);
            // A reply that has begun to come may have ended the session before.
            let life = rig.attack(attack(), LONGEST);
            findings.at_most(&peer, life, BLOCK + kind.farewell());
        }
    }
    for (kind, (content, replies)) in in_each_kind(CONTENTS) {
        for (name, attack) in NO_REPLY {
            // Less than a chunk, so that nothing but the block is awaited.
            for read in [0, 1, 20_000] {
                let (mut rig, _) = opened(kind, config(), Sender::new(20_000_000), replies);
                rig.reads(Reads::Only(read));
                rig.say(last_reply(content));
                let peer = format!("{kind:?}, {content}, {read} octets read, {name}");
                let life = rig.attack(attack(), LONGEST);
                findings.at_most(&peer, life, BLOCK + kind.farewell());
            }
        }
    }
    findings.done();
}

/// The figure that a user sees: `send --timeout 2`, 20 MB, a server that says 354 and reads no
/// more.
#[test]
fn a_bound_of_every_wait_bounds_a_block() {
    let mut findings = Findings::default();
    for (kind, (name, replies)) in in_each_kind(CONTENTS) {
        let config = config().with_timeouts(Timeouts::default().at_most(seconds(2)));
        let (mut rig, _) = opened(kind, config, Sender::new(20_000_000), replies);
        rig.reads(Reads::Only(0));
        rig.say(last_reply(name));
        let life = rig.attack(silent(), LONGEST);
        findings.at_most(&format!("{kind:?}, {name}"), life, seconds(2));
    }
    for (kind, wait) in in_each_kind(WAITS) {
        let config = config().with_timeouts(Timeouts::default().at_most(seconds(2)));
        let (mut rig, _) = opened(kind, config, Sender::new(100), wait.replies);
        let life = rig.attack(silent(), LONGEST);
        findings.exactly(&format!("{kind:?}, {}", wait.name), life, seconds(2));
    }
    findings.done();
}

/// Content that is taken at a trickle follows the rule for transfers.
#[test]
fn a_trickle_below_the_rate_is_given_up() {
    let mut findings = Findings::default();
    for (kind, (name, replies)) in in_each_kind(CONTENTS) {
        let trickles = [
            (1, seconds(1)),
            (1, seconds(19)),
            (100, seconds(1)),
            (5000, seconds(19)),
            (400, seconds(1)),
        ];
        for (octets, every) in trickles {
            let (mut rig, _) = opened(kind, config(), Sender::new(20_000_000), replies);
            rig.reads(Reads::Trickle(octets, every));
            rig.say(last_reply(name));
            let life = rig.attack(silent(), LONGEST);
            let moves = iter::repeat((every, octets as u64));
            // A layer of TLS takes the first octets at once, as if the server had.
            let slack = if kind == Kind::Tls { BLOCK + kind.farewell() } else { Duration::ZERO };
            let bound = Transfer::life(BLOCK, RATE, moves) + slack;
            let peer = format!("{kind:?}, {name}, {octets} octets each {every:?}");
            findings.at_most(&peer, life, bound);
        }
    }
    findings.done();
}

/// The other side of the rule: a server above the rate gets the whole message.
#[test]
fn a_server_above_the_rate_gets_the_whole_message() {
    for (kind, (name, replies)) in in_each_kind(CONTENTS) {
        for (octets, every) in [(1000, seconds(1)), (20_000, seconds(19))] {
            // One chunk holds it all. Its reply is awaited from when it has left, also inside TLS.
            let config = config().with_send_buffer(1 << 20);
            let (mut rig, seen) = opened(kind, config, Sender::new(300_000), replies);
            rig.reads(Reads::Trickle(octets, every));
            rig.say(last_reply(name));
            let what = format!("{kind:?}, {name}, {octets} octets each {every:?}");
            let needed = every * u32::try_from(300_000 / octets).unwrap();
            assert_eq!(rig.attack(silent(), needed), None, "{what}");
            rig.reads(Reads::Everything);
            rig.say(OK);
            assert_eq!(*seen.0.borrow(), ["250 2.0.0 ok"], "{what}");
        }
    }
}

/// Under implicit TLS and after STARTTLS.
#[test]
fn a_tls_handshake_has_one_deadline() {
    let mut findings = Findings::default();
    let record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc";
    let peers: [(&str, Attack); 5] = [
        ("silent", silent()),
        ("silent, deaf", silent()),
        ("a record, then silent", Box::new(iter::once(Piece::line(Duration::ZERO, record)))),
        ("dripping each second", dripping(record, seconds(1))),
        ("dripping each 19 s", dripping(record, seconds(19))),
    ];
    for (name, attack) in peers {
        let client = Client::new(config(), Security::CLEAR);
        let secured = Secured::implicit(client, client_end()).with_handshake_timeout(HANDSHAKE);
        let session = Channel::Tls(Box::new(secured));
        let mut rig = Rig::new(session, None, |_| panic!("a question"));
        if name.ends_with("deaf") {
            rig.reads(Reads::Only(0));
        }
        findings.exactly(&format!("implicit, {name}"), rig.attack(attack, LONGEST), HANDSHAKE);
    }
    for (name, attack) in [("silent", silent()), ("dripping", dripping(record, seconds(1)))] {
        let config = config().with_tls(TlsPolicy::Required);
        let client = Client::new(config, Security::CLEAR);
        let secured = Secured::start_tls(client, client_end()).with_handshake_timeout(HANDSHAKE);
        let mut sender = Sender::new(100);
        let answer = move |it: &mut Channel<Client>| sender.answer(it.event().unwrap());
        let mut rig = Rig::new(Channel::Tls(Box::new(secured)), None, answer);
        [HELLO, STARTTLS, HELLO].iter().for_each(|reply| rig.say(reply));
        findings.exactly(&format!("STARTTLS, {name}"), rig.attack(attack, LONGEST), HANDSHAKE);
    }
    findings.done();
}

/// Sends the beginning of a record that never comes to its end.
fn dripping(record: &'static [u8], every: Duration) -> Attack {
    let octets = record.iter().chain(iter::repeat(&0)).take(10_000);
    Box::new(octets.map(move |octet| Piece::line(every, &[*octet])))
}

/// The sum of what the configuration gives for the commands of one message, for every server here,
/// whatever it reads.
#[test]
fn no_session_outlives_what_the_configuration_gives_it() {
    let mut findings = Findings::default();
    let octets = 100_000;
    // Each command is a block, and each has a reply; the content moves at the rate or is given up.
    let replies = GREETING + 2 * COMMAND + MAIL + RCPT + DATA + 4 * END;
    let blocks = 10 * BLOCK + seconds(2 * octets / u64::from(RATE));
    let bound = HANDSHAKE + replies + blocks + super::CLOSE_NOTIFY;
    let reads = [
        Reads::Everything,
        Reads::Only(0),
        Reads::Only(50),
        Reads::Only(50_000),
        Reads::Trickle(1, seconds(1)),
        Reads::Trickle(500, seconds(1)),
        Reads::Trickle(9500, seconds(19)),
    ];
    for (kind, wait) in in_each_kind(WAITS) {
        for ((name, attack), reads) in
            NO_REPLY.into_iter().flat_map(|peer| reads.map(|it| (peer, it)))
        {
            let sender = Sender::new(usize::try_from(octets).unwrap());
            let (mut rig, _) =
                opened(kind, config(), sender, &wait.replies[..wait.replies.len().min(2)]);
            rig.reads(reads);
            wait.replies.iter().skip(2).for_each(|reply| rig.say(reply));
            let peer = format!("{kind:?}, {}, {name}, {reads:?}", wait.name);
            findings.at_most(&peer, rig.attack(attack(), bound), bound);
        }
    }
    findings.done();
}
