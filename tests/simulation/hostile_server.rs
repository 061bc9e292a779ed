//! A client, and a server that answers as it likes, in words that say whom it means, until it does
//! something that no server may do.

use crate::{
    channel::{Channel, client_end, rustls_server},
    random::Random,
    rig::{Reads, Rig},
    seconds, simulate,
};
use esmtp::{
    client::{Client, Config, End, Event, MessageFacts, Outcome, Report},
    envelope::Envelope,
    machine::{Closed, Machine},
    security::Security,
    service::Service,
    tls::Secured,
};
use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

/// A server in a page. It knows the framing and draws its verdicts.
struct Server {
    random: Random,
    is_lmtp: bool,
    extensions: Vec<&'static str>,
    input: Vec<u8>,
    output: Vec<u8>,
    state: State,
    /// The transaction in progress, and which of its recipients were accepted.
    transaction: Option<(usize, Vec<usize>)>,
    /// The transactions and recipients for which the content was accepted.
    accepted: BTreeSet<(usize, usize)>,
    /// One in this many verdicts is a rejection.
    rejects: usize,
    has_quit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Command,
    Content,
    /// The octets of a chunk, and whether it is the last.
    Chunk(usize, bool),
}

impl Server {
    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Draws a verdict in these words.
    fn verdict(&mut self, words: &str) -> bool {
        let is_rejected = self.random.one_in(self.rejects);
        let code = match is_rejected {
            true => self.random.pick(&["451", "452", "550", "552", "554"]),
            false => "250",
        };
        if self.random.one_in(8) {
            self.say(&format!("{code}-{words}"));
        }
        self.say(&format!("{code} {words}"));
        !is_rejected
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        if let State::Chunk(octets, is_last) = self.state {
            if self.input.len() < octets {
                return false;
            }
            self.input.drain(..octets);
            self.state = State::Command;
            self.chunk(is_last);
            return true;
        }
        let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") else {
            return false;
        };
        let line: Vec<u8> = self.input.drain(..end + 2).collect();
        match self.state {
            State::Content if line == b".\r\n" => {
                self.state = State::Command;
                self.end();
            }
            State::Content => {}
            _ => self.command(std::str::from_utf8(&line).unwrap()),
        }
        true
    }

    fn command(&mut self, line: &str) {
        match &line[..4] {
            "EHLO" | "LHLO" => {
                for extension in self.extensions.clone() {
                    self.say(&format!("250-{extension}"));
                }
                self.say("250 HELP");
            }
            "MAIL" => {
                assert!(self.transaction.is_none(), "a transaction within another");
                let number = cut_out(line, "<t", "@").parse().unwrap();
                if self.verdict(&format!("t{number} mail")) {
                    self.transaction = Some((number, Vec::new()));
                }
            }
            "RCPT" => {
                let recipient = cut_out(line, "<r", "@").parse().unwrap();
                let Some((number, _)) = self.transaction else { return self.say("503 no mail") };
                if self.verdict(&format!("t{number} r{recipient} rcpt")) {
                    self.transaction.as_mut().unwrap().1.push(recipient);
                }
            }
            "DATA" => match self.transaction.clone() {
                Some((number, to)) if !to.is_empty() => {
                    if self.random.one_in(self.rejects) {
                        self.say(&format!("451 t{number} data"));
                    } else {
                        self.say("354 go");
                        self.state = State::Content;
                    }
                }
                _ => self.say("503 no recipients"),
            },
            "BDAT" => {
                let mut words = line.split_whitespace().skip(1);
                let octets = words.next().unwrap().parse().unwrap();
                self.state = State::Chunk(octets, words.next().is_some());
            }
            "RSET" => {
                self.transaction = None;
                self.say("250 ok");
            }
            "NOOP" => self.say("250 ok"),
            "QUIT" => {
                self.say("221 bye");
                self.has_quit = true;
            }
            _ => panic!("{line}"),
        }
    }

    fn chunk(&mut self, is_last: bool) {
        match self.transaction.clone() {
            Some((_, to)) if !to.is_empty() && is_last => self.end(),
            Some((number, to)) if !to.is_empty() => {
                if !self.verdict(&format!("t{number} chunk")) {
                    self.transaction = Some((number, Vec::new()));
                }
            }
            // RFC 2033 section 4.3: as many replies as recipients.
            _ if self.is_lmtp && is_last => {}
            _ => self.say("503 no recipients"),
        }
    }

    /// Takes the content, which is complete.
    fn end(&mut self) {
        let (number, to) = self.transaction.take().unwrap();
        if !self.is_lmtp {
            if self.verdict(&format!("t{number} end")) {
                self.accepted.extend(to.into_iter().map(|recipient| (number, recipient)));
            }
            return;
        }
        for recipient in to {
            if self.verdict(&format!("t{number} r{recipient} end")) {
                self.accepted.insert((number, recipient));
            }
        }
    }
}

fn cut_out<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// The application of the client.
struct Sender {
    random: Random,
    /// The number of recipients of each message that is still to be sent.
    mails: Vec<usize>,
    begun: usize,
    rest: usize,
    reports: Vec<Report>,
}

impl Sender {
    fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Ready(ready) if self.random.one_in(20) => ready.noop(),
            Event::Ready(ready) => match self.mails.pop() {
                Some(recipients) => {
                    let to: Vec<String> =
                        (0..recipients).map(|it| format!("r{it}@example.net")).collect();
                    let to: Vec<&str> = to.iter().map(String::as_str).collect();
                    let from = format!("t{}@example.org", self.begun);
                    let envelope = Envelope::new(&from, &to).unwrap();
                    ready.send(envelope, MessageFacts::UNKNOWN).map(drop).unwrap();
                    self.begun += 1;
                    self.rest = self.random.below(3000);
                }
                None => ready.quit(),
            },
            Event::Content(mut content) => {
                let taken = content.write(&vec![b'x'; self.rest.min(700)]).unwrap();
                self.rest -= taken;
                if self.rest == 0 {
                    content.finish().unwrap();
                }
            }
            Event::Sent(sent) => self.reports.push(sent.take()),
            Event::Answered(answered) => answered.go_on(),
            Event::Refused(refused) => refused.go_on(),
            other => panic!("{other:?}"),
        }
    }
}

/// Does what a server may not do, and a network may.
fn mischief(random: &mut Random, rig: &mut Rig<Client>) {
    const WORDS: [&[u8]; 9] = [
        b"421 bye\r\n",
        b"421-bye\r\n421 bye\r\n",
        b"250 mischief\r\n",
        b"550 mischief\r\n",
        b"354 mischief\r\n",
        b"150 mischief\r\n",
        b"250-mischief\r\n550 mischief\r\n",
        b"hello\r\n",
        b"\xff\x00\n\n\r\r",
    ];
    match random.below(14) {
        0 => rig.session.closed(Closed::Clean),
        1 => rig.session.closed(Closed::CutOff),
        2 => rig.session.unsendable(),
        3 => rig.session.machine_mut().close(),
        4 => {} // It says nothing more.
        _ => rig.say(random.pick(&WORDS)),
    }
}

/// The outcomes of a session.
struct Outcomes {
    has_quit: bool,
    /// The mischief was a word of the server's, and so may have been taken for a reply.
    is_lied_to: bool,
}

fn play(random: &mut Random) {
    let is_tls = random.one_in(12);
    let is_lmtp = random.one_in(3);
    let mut config = Config::new("me.example.org")
        .unwrap()
        .with_service(if is_lmtp { Service::Lmtp } else { Service::Smtp })
        .with_transactions(random.between(1, 5))
        .with_in_flight(random.pick(&[1, 3, 128]))
        .with_send_buffer(random.pick(&[100, 600, 65_536]));
    if random.one_in(3) {
        config = config.with_recipient_events();
    }
    let count = random.between(1, 6);
    let sender = Rc::new(RefCell::new(Sender {
        random: random.fork(),
        mails: (0..count).map(|_| random.between(1, 5)).collect(),
        begun: 0,
        rest: 0,
        reports: Vec::new(),
    }));
    let sizes: Vec<usize> = sender.borrow().mails.iter().rev().copied().collect();
    let application = Rc::clone(&sender);
    let mut whim = random.fork();
    let answer = move |client: &mut Channel<Client>| {
        if let Some(event) = client.event()
            && !whim.one_in(8)
        {
            application.borrow_mut().answer(event);
        }
    };
    let client = Client::new(config, Security::CLEAR);
    let mut rig = match is_tls {
        false => Rig::new(Channel::Clear(client), None, answer),
        true => {
            let secured = Box::new(Secured::implicit(client, client_end()));
            Rig::new(Channel::Tls(secured), Some(rustls_server()), answer)
        }
    };
    let mut server = Server {
        random: random.fork(),
        is_lmtp,
        extensions: ["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 100000"]
            .into_iter()
            .filter(|_| !random.one_in(3))
            .collect(),
        input: Vec::new(),
        output: Vec::new(),
        state: State::Command,
        transaction: None,
        accepted: BTreeSet::new(),
        rejects: random.pick(&[3, 10, 1000]),
        has_quit: false,
    };
    rig.shake_hands();
    let is_lied_to = serve(random, &mut rig, &mut server);
    for _ in 0..10_000 {
        let deadline = rig.turn();
        if rig.is_closed() {
            break;
        }
        rig.now = deadline;
    }
    assert!(rig.is_closed(), "no end");
    // A reply for each command at the last moment, and the rest of the content.
    assert!(rig.now.elapsed() <= seconds(100 * 600), "{:?}", rig.now);
    let has_quit = matches!(rig.session.machine().end(), Some(End::Quit));
    let sender = sender.borrow();
    assert_eq!(sender.begun, sender.reports.len(), "a report for each transaction");
    let outcomes = Outcomes { has_quit, is_lied_to };
    for (number, report) in sender.reports.iter().enumerate() {
        assert_eq!(report.transaction().number(), number as u64);
        assert_eq!(report.outcomes().len(), sizes[number]);
        for (recipient, outcome) in report.outcomes().enumerate() {
            judge(&server, &outcomes, number, recipient, outcome);
        }
    }
}

/// Serves until the client is gone, or until the mischief; whether that was a lie.
fn serve(random: &mut Random, rig: &mut Rig<Client>, server: &mut Server) -> bool {
    let mut steps_to_mischief = random.one_in(2).then(|| random.below(60));
    server.say("220 mx");
    if random.one_in(6) {
        rig.reads(Reads::Trickle(random.between(100, 3000), Duration::from_secs(1)));
    }
    for _ in 0..100_000 {
        let heard = std::mem::take(&mut rig.heard);
        server.hear(&heard);
        if rig.is_closed() {
            return false;
        }
        match &mut steps_to_mischief {
            Some(0) => {
                // Between two replies, or in the middle of one.
                let rest = server.output.len();
                let said = if rest > 0 && random.one_in(2) { random.below(rest) } else { 0 };
                let said: Vec<u8> = server.output.drain(..said).collect();
                rig.say(&said);
                mischief(random, rig);
                return true;
            }
            Some(steps) => *steps -= 1,
            None => {}
        }
        if server.output.is_empty() && server.has_quit {
            rig.session.closed(Closed::Clean);
        }
        let piece = random.pick(&[1, 20, 100_000]).min(server.output.len());
        let piece: Vec<u8> = server.output.drain(..piece).collect();
        let deadline = rig.turn_after(&piece);
        if piece.is_empty() && rig.heard.is_empty() && !rig.is_closed() {
            rig.now = deadline.min(rig.next_grant());
            rig.refill();
        }
    }
    panic!("a session without an end");
}

/// Asserts that the client may report this of a recipient.
fn judge(server: &Server, session: &Outcomes, number: usize, recipient: usize, outcome: &Outcome) {
    let is_accepted = server.accepted.contains(&(number, recipient));
    let what = || format!("t{number} r{recipient}: {outcome}, accepted: {is_accepted}");
    match outcome {
        Outcome::Replied(reply) => {
            let text = reply.to_string();
            let mine = [
                format!(" t{number} mail"),
                format!(" t{number} r{recipient} rcpt"),
                format!(" t{number} data"),
                format!(" t{number} chunk"),
                format!(" t{number} end"),
                format!(" t{number} r{recipient} end"),
            ];
            let text = text.replace('-', " ");
            let is_mine = mine.iter().any(|words| text.contains(words.as_str()));
            // What was said instead of a reply, or in the middle of one.
            let is_lie = session.is_lied_to && !is_mine;
            assert!(is_mine || is_lie, "{}", what());
            if reply.is_positive() {
                assert!(text.contains("end") && is_accepted || is_lie, "{}", what());
            } else {
                assert!(!is_accepted || is_lie, "{}", what());
            }
        }
        Outcome::Unknown => assert!(!session.has_quit, "{}", what()),
        Outcome::Untried => assert!(!is_accepted || session.is_lied_to, "{}", what()),
        _ => panic!("{}", what()),
    }
}

/// 2920-3.1-f: each reply belongs to its command.
#[test]
fn reports_are_of_the_replies_that_were_meant() {
    simulate(8000, play);
}
