//! The limits of servers: recipients of a transaction, transactions of a session; and what many
//! recipients cost.

use esmtp::{
    client::{Client, Config, Event, MessageFacts, Outcome},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Limits, Peer, Server},
    service::Service,
    syntax::{Extension, Extensions, Retry},
    testing::Link,
    time::Instant,
};
use std::{
    sync::Arc,
    time::{Duration, Instant as Clock},
};

/// A server that knows the framing, and takes `limit` recipients in one transaction.
struct Mock {
    extensions: &'static [&'static str],
    is_lmtp: bool,
    limit: usize,
    /// The reply to RCPT beyond the limit.
    refusal: &'static str,
    /// Each recipient of which the number is a multiple of this is refused for another reason.
    refuses_each: usize,
    /// The transactions that it takes in a session, and the reply to MAIL after them.
    most_transactions: usize,
    no_more: &'static str,
    is_open: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    accepted: usize,
    asked: usize,
    is_content: bool,
    chunk: Option<(usize, bool)>,
    commands: usize,
    refusals: usize,
    transactions: usize,
}

impl Mock {
    fn new(extensions: &'static [&'static str], limit: usize) -> Self {
        Self {
            extensions,
            is_lmtp: false,
            limit,
            refusal: "452 4.5.3 too many",
            refuses_each: usize::MAX,
            most_transactions: usize::MAX,
            no_more: "452 4.3.2 no more",
            is_open: false,
            input: Vec::new(),
            output: b"220 mx\r\n".to_vec(),
            accepted: 0,
            asked: 0,
            is_content: false,
            chunk: None,
            commands: 0,
            refusals: 0,
            transactions: 0,
        }
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        loop {
            if let Some((octets, last)) = self.chunk {
                if rest.len() < octets {
                    break;
                }
                rest = &rest[octets..];
                self.chunk = None;
                match (self.is_open, last) {
                    (false, _) => self.say("503 5.5.1 no transaction"),
                    (true, true) => self.end(),
                    (true, false) => self.say("250 ok"),
                }
            }
            let Some(end) = rest.iter().position(|octet| *octet == b'\n') else { break };
            let (line, others) = rest.split_at(end + 1);
            rest = others;
            self.line(std::str::from_utf8(line).unwrap().trim_end());
        }
        self.input = rest.to_vec();
    }

    fn line(&mut self, line: &str) {
        if self.is_content {
            if line == "." {
                self.is_content = false;
                self.end();
            }
            return;
        }
        self.commands += 1;
        match line.get(..4).unwrap() {
            "EHLO" | "LHLO" => {
                self.say("250-mx");
                for extension in self.extensions {
                    self.say(&format!("250-{extension}"));
                }
                self.say("250 HELP");
            }
            "MAIL" if self.transactions >= self.most_transactions => self.say(self.no_more),
            "MAIL" => {
                assert!(!self.is_open, "a nested MAIL");
                self.is_open = true;
                (self.accepted, self.asked) = (0, 0);
                self.say("250 ok");
            }
            "RCPT" | "DATA" if !self.is_open => self.say("503 5.5.1 no transaction"),
            "RCPT" => {
                self.asked += 1;
                if self.asked.is_multiple_of(self.refuses_each) {
                    self.say("550 5.1.1 unknown");
                } else if self.accepted >= self.limit {
                    self.refusals += 1;
                    self.say(self.refusal);
                } else {
                    self.accepted += 1;
                    self.say("250 ok");
                }
            }
            "DATA" => {
                self.is_content = true;
                self.say("354 go");
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let octets = words.next().unwrap().parse().unwrap();
                self.chunk = Some((octets, words.next().is_some()));
            }
            "RSET" => {
                self.is_open = false;
                self.say("250 ok");
            }
            "QUIT" => self.say("221 bye"),
            other => panic!("{other}"),
        }
    }

    fn end(&mut self) {
        self.transactions += 1;
        for _ in 0..if self.is_lmtp { self.accepted } else { 1 } {
            self.say("250 taken");
        }
        self.accepted = 0;
        self.is_open = false;
    }
}

fn envelope(recipients: usize) -> Envelope {
    let to: Vec<_> = (0..recipients).map(|number| format!("u{number}@example.net")).collect();
    Envelope::new("ann@example.org", &to.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
}

#[derive(Debug, Default)]
struct Result {
    delivered: usize,
    refused: usize,
    round_trips: usize,
    answered: usize,
}

/// Sends to all of them, in as many transactions as the server needs, and quits.
fn send(client: &mut Client, server: &mut Mock, envelope: Envelope) -> Result {
    let mut result = Result::default();
    let mut rest = Some(Arc::new(envelope));
    let mut has_read = true;
    loop {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => match client.event().unwrap() {
                Event::Ready(ready) => match rest.take() {
                    Some(envelope) => {
                        ready.send(envelope, MessageFacts::UNKNOWN).unwrap();
                    }
                    None => ready.quit(),
                },
                Event::Content(mut content) => {
                    assert_eq!(content.write(b"x\r\n").unwrap(), 3);
                    content.finish().unwrap();
                }
                Event::Answered(answered) => {
                    result.answered += 1;
                    answered.go_on();
                }
                Event::Sent(sent) => {
                    let report = sent.take();
                    result.delivered += report.outcomes().filter(|it| it.is_delivered()).count();
                    for (index, outcome) in report.outcomes().enumerate() {
                        let retry = report.retry(index).unwrap();
                        assert_ne!(outcome, &Outcome::Unknown);
                        result.refused += usize::from(retry == Retry::Never);
                    }
                    rest = report.rest().map(Arc::new);
                }
                other => panic!("{other:?}"),
            },
            Need::Either(_) | Need::Write(_) => {
                let mut slices = [&b""[..]; 16];
                let filled = client.to_send(&mut slices);
                let octets = slices[..filled].concat();
                client.sent(octets.len());
                server.hear(&octets);
                result.round_trips += usize::from(std::mem::take(&mut has_read));
            }
            Need::Read(_) | Need::Wait(_) => {
                assert!(!server.output.is_empty(), "nothing more is said: {result:?}");
                has_read = true;
                while !server.output.is_empty() {
                    let taken = client.feed(&server.output);
                    server.output.drain(..taken);
                    if taken == 0 {
                        break;
                    }
                }
            }
            Need::Close => return result,
        }
    }
}

fn client(change: impl FnOnce(Config) -> Config) -> Client {
    Client::new(change(Config::new("me.example.org").unwrap()), Security::CLEAR)
}

const BOTH: &[&str] = &["PIPELINING", "CHUNKING"];

/// 5321-4.5.3.1.8-c: a server that takes 100 recipients and does not say so.
#[test]
fn a_thousand_recipients_cost_little_more_than_as_many_commands() {
    for (extensions, most) in [(BOTH, 1030), (&["PIPELINING"], 1030), (&[], 1023)] {
        let mut server = Mock::new(extensions, 100);
        let result = send(&mut client(|config| config), &mut server, envelope(1000));
        assert_eq!((result.delivered, server.transactions), (1000, 10), "{extensions:?}");
        assert!(server.commands <= most, "{extensions:?}: {}", server.commands);
        assert!(server.refusals <= 8, "{extensions:?}: {}", server.refusals);
    }
    // LIMITS says it before.
    let mut server = Mock::new(&["PIPELINING", "LIMITS RCPTMAX=100"], 100);
    let result = send(&mut client(|config| config), &mut server, envelope(1000));
    assert_eq!((result.delivered, server.refusals, server.commands), (1000, 0, 1022));
    // Twice 127 and some RCPT in flight, and a reply to the content; ten times.
    assert!(result.round_trips <= 2 + 10 * 3, "{result:?}");
}

/// Whatever the limit is, and however it is told, it is met once.
#[test]
fn a_limit_is_met_once_and_kept() {
    let count = |limit: usize, refusal, recipients: usize, is_lmtp| {
        let mut server = Mock::new(BOTH, limit);
        (server.refusal, server.is_lmtp) = (refusal, is_lmtp);
        let service = if is_lmtp { Service::Lmtp } else { Service::Smtp };
        let mut client = client(|config| config.with_service(service));
        let result = send(&mut client, &mut server, envelope(recipients));
        assert_eq!(result.delivered, recipients, "{limit}");
        assert!(server.transactions <= recipients.div_ceil(limit) + 1, "{limit}");
        // MAIL and the content of each transaction, and a RSET where one was not ended.
        let most = recipients + server.refusals + 2 * server.transactions + 4;
        assert!(server.commands <= most, "{limit}: {}", server.commands);
        server.refusals
    };
    for is_lmtp in [false, true] {
        for limit in [1, 2, 10, 25, 47, 48, 49, 51, 58, 60, 99, 101, 120, 126, 175, 499] {
            let recipients = (20 * limit).min(700);
            // Servers close sessions with more refusals than these.
            let refusals = count(limit, "452 4.5.3 too many", recipients, is_lmtp);
            assert!(refusals <= 48, "{limit}: {refusals}");
        }
        for limit in [50, 100, 150, 200, 250, 500, 1000] {
            let refusals = count(limit, "452 4.5.3 too many", limit + 300, is_lmtp);
            assert!((1..=8).contains(&refusals), "{limit}: {refusals}");
        }
    }
    for refusal in ["452 too many", "552 too many", "552 5.5.3 no", "450 4.5.3 no", "550 5.5.3 no"]
    {
        assert!((1..=8).contains(&count(100, refusal, 350, false)), "{refusal}");
    }
}

/// The server of this crate hangs up on a client with too many errors, and a limit that is met once is
/// not worth as many.
#[test]
fn no_limit_costs_the_session() {
    for limit in [1, 10, 50, 55, 100, 120, 150] {
        let recipients = (10 * limit).clamp(60, 1000);
        let offered = [Extension::Pipelining, Extension::Chunking, Extension::EnhancedStatusCodes];
        let config = server::Config::new("mx.example.org")
            .unwrap()
            .with_extensions(Extensions::from_iter(offered))
            .with_limits(Limits::default().with_recipients(limit));
        let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
        let mut client = client(|config| config);
        let (mut rest, mut delivered) = (Some(envelope(recipients)), 0);
        Link::new()
            .with_delay(Duration::from_millis(10))
            .run(
                &mut client,
                &mut server,
                |_, event| match event {
                    Event::Ready(ready) if rest.is_some() => {
                        ready.send(rest.take().unwrap(), MessageFacts::scan(b"x\r\n")).unwrap();
                    }
                    Event::Content(mut content) => {
                        content.write(b"x\r\n").unwrap();
                        content.finish().unwrap();
                    }
                    Event::Sent(sent) => {
                        let report = sent.take();
                        delivered += report.outcomes().filter(|it| it.is_delivered()).count();
                        rest = report.rest();
                    }
                    other => other.quit(),
                },
                |_, event| match event {
                    server::Event::Rcpt(rcpt) => rcpt.accept(),
                    server::Event::Content(content) => drop(content.take()),
                    server::Event::Deliver(delivery) => delivery.accept(),
                    other => other.proceed(),
                },
            )
            .unwrap();
        let (end, commands) = (client.end().unwrap(), client.totals().commands());
        assert_eq!(delivered, recipients, "{limit}: {end}");
        println!("limit {limit}, {recipients} recipients: {commands} commands");
        if limit == 100 {
            assert!(commands <= 1030, "{commands}");
        }
    }
}

/// Recipients that are refused for another reason change nothing.
#[test]
fn other_refusals_are_not_limits() {
    let mut server = Mock::new(BOTH, 100);
    server.refuses_each = 7;
    let result = send(&mut client(|config| config), &mut server, envelope(1000));
    assert_eq!(result.delivered + result.refused, 1000);
    assert!(result.refused >= 1000 / 7 - 10, "{result:?}");
    assert!(server.refusals <= 16, "{}", server.refusals);
    assert!(server.commands <= 1000 + 16 + 2 * server.transactions + 3, "{}", server.commands);
    // A server that accepts none is not asked for ever.
    let mut server = Mock::new(BOTH, 0);
    let result = send(&mut client(|config| config), &mut server, envelope(100));
    assert_eq!((result.delivered, server.transactions <= 100), (0, true));
}

/// Of a server without a limit the replies of one round trip allow as many RCPT again, and the second
/// transaction of the session waits for none of them.
#[test]
fn a_server_without_a_limit_is_soon_believed() {
    let cost = |messages| {
        let mut server = Mock::new(BOTH, usize::MAX);
        let mut client = client(|config| config.with_in_flight(4000));
        let (mut begun, mut has_read, mut round_trips) = (0, true, 0);
        loop {
            match client.poll(Instant::ORIGIN) {
                Need::Answer => match client.event().unwrap() {
                    Event::Ready(ready) if begun < messages => {
                        begun += 1;
                        ready.send(envelope(1000), MessageFacts::UNKNOWN).unwrap();
                    }
                    Event::Content(mut content) => {
                        content.write(b"x\r\n").unwrap();
                        content.finish().unwrap();
                    }
                    Event::Sent(sent) => assert!(sent.take().is_delivered_to_all()),
                    other => other.quit(),
                },
                Need::Either(_) | Need::Write(_) => {
                    let mut slices = [&b""[..]; 16];
                    let filled = client.to_send(&mut slices);
                    let octets = slices[..filled].concat();
                    client.sent(octets.len());
                    server.hear(&octets);
                    round_trips += usize::from(std::mem::take(&mut has_read));
                }
                Need::Read(_) | Need::Wait(_) => {
                    has_read = true;
                    let taken = client.feed(&server.output);
                    server.output.drain(..taken);
                }
                Need::Close => return round_trips,
            }
        }
    };
    let opening_and_quit = cost(0);
    assert_eq!(opening_and_quit, 2);
    assert!(cost(1) - opening_and_quit <= 30, "{}", cost(1));
    assert_eq!(cost(3) - cost(1), 2);
}

/// 60 messages, 32 of them in flight, to a server that takes five in a session and does not say so:
/// every message has its true outcome.
#[test]
fn the_transactions_of_a_session_may_have_a_limit_that_is_not_announced() {
    for (no_more, others) in
        [("452 4.3.2 no more", Retry::Later), ("421 4.7.0 no more", Retry::NextTransaction)]
    {
        for extensions in [BOTH, &["PIPELINING"][..]] {
            let mut server = Mock::new(extensions, usize::MAX);
            (server.most_transactions, server.no_more) = (5, no_more);
            let mut client = client(|config| config.with_transactions(32));
            let (mut begun, mut reports, mut delivered) = (0, 0, 0);
            loop {
                match client.poll(Instant::ORIGIN) {
                    Need::Answer => match client.event().unwrap() {
                        Event::Ready(ready) if begun < 60 => {
                            begun += 1;
                            ready.send(envelope(1), MessageFacts::UNKNOWN).unwrap();
                        }
                        Event::Ready(ready) if reports < 60 => ready.wait(),
                        Event::Content(mut content) => {
                            content.write(b"x\r\n").unwrap();
                            content.finish().unwrap();
                        }
                        Event::Sent(sent) => {
                            reports += 1;
                            let report = sent.take();
                            let outcome = report.outcomes().next().unwrap();
                            assert_ne!(outcome, &Outcome::Unknown, "{no_more} {extensions:?}");
                            delivered += usize::from(outcome.is_delivered());
                            let expected =
                                if outcome.is_delivered() { Retry::Unneeded } else { others };
                            assert_eq!(report.retry(0), Some(expected), "{outcome}");
                        }
                        other => other.quit(),
                    },
                    Need::Either(_) | Need::Write(_) => {
                        let mut slices = [&b""[..]; 16];
                        let filled = client.to_send(&mut slices);
                        let octets = slices[..filled].concat();
                        client.sent(octets.len());
                        server.hear(&octets);
                    }
                    Need::Read(_) | Need::Wait(_) => {
                        let taken = client.feed(&server.output);
                        server.output.drain(..taken);
                        assert!(taken > 0);
                    }
                    Need::Close => break,
                }
            }
            assert_eq!((delivered, reports), (5, begun), "{no_more} {extensions:?}");
            let end = client.end().unwrap().to_string();
            match no_more.starts_with("421") {
                true => assert!(end.ends_with(no_more), "{end}"),
                false => assert_eq!((reports, &*end), (60, "the session was ended with QUIT")),
            }
        }
    }
}

/// Returns the time that a session with this number of recipients takes.
fn time(recipients: usize, is_lmtp: bool, is_refused: bool, has_answers: bool) -> Duration {
    let envelope = envelope(recipients);
    let mut server = Mock::new(BOTH, usize::MAX);
    server.is_lmtp = is_lmtp;
    server.refuses_each = if is_refused { 1 } else { usize::MAX };
    let service = if is_lmtp { Service::Lmtp } else { Service::Smtp };
    let mut client = client(|config| {
        let limits = config.limits().clone().with_report_octets(usize::MAX);
        let config = config.with_service(service).with_limits(limits);
        if has_answers { config.with_recipient_events() } else { config }
    });
    let begin = Clock::now();
    let result = send(&mut client, &mut server, envelope);
    let expected = if is_refused { (0, recipients) } else { (recipients, 0) };
    assert_eq!((result.delivered, result.refused), expected);
    assert_eq!(result.answered, if has_answers { recipients } else { 0 });
    begin.elapsed()
}

/// Each recipient of a long list has its outcome. The time is printed (`--nocapture`) and not compared: it grows with
/// the recipients, as no reply to one of them costs a look at the others.
#[test]
fn every_recipient_of_a_long_list_has_its_outcome() {
    for is_lmtp in [false, true] {
        for is_refused in [false, true] {
            for has_answers in [false, true] {
                let [few, many] = [5_000, 20_000]
                    .map(|recipients| time(recipients, is_lmtp, is_refused, has_answers));
                println!(
                    "LMTP {is_lmtp}, refused {is_refused}, answers {has_answers}: \
                     5,000 {few:?}, 20,000 {many:?}"
                );
            }
        }
    }
}

/// RFC 3030 section 4.2: chunks may be pipelined, and are in vain for a recipient that is refused.
#[test]
fn one_chunk_is_under_way_before_a_recipient_is_accepted() {
    // The client's writes until it waits for a reply.
    let write = |client: &mut Client, left: &mut usize| {
        let mut written = Vec::new();
        loop {
            match client.poll(Instant::ORIGIN) {
                Need::Answer => match client.event().unwrap() {
                    Event::Ready(ready) if *left > 0 => {
                        ready.send(envelope(1), MessageFacts::UNKNOWN).unwrap();
                    }
                    Event::Content(mut content) => {
                        let octets = content.write(&vec![b'x'; *left]).unwrap();
                        *left -= octets;
                        if *left == 0 {
                            content.finish().unwrap();
                        }
                    }
                    _ => return written,
                },
                Need::Either(_) | Need::Write(_) => {
                    let mut slices = [&b""[..]; 16];
                    let filled = client.to_send(&mut slices);
                    let octets = slices[..filled].concat();
                    client.sent(octets.len());
                    written.extend(octets);
                }
                _ => return written,
            }
        }
    };
    for ahead in [1024, 64 * 1024, 1024 * 1024] {
        for size in [100_000, 10_000_000] {
            let mut left = size;
            let mut client = client(|config| config.with_send_buffer(ahead));
            client.feed(b"220 mx\r\n");
            write(&mut client, &mut left);
            client.feed(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
            let written = write(&mut client, &mut left);
            let text = String::from_utf8(written.clone()).unwrap();
            assert_eq!(text.matches("BDAT").count(), 1, "{ahead} {size}");
            assert!(written.len() <= 64 * 1024 + 200, "{ahead} {size}: {}", written.len());
            // MAIL's reply alone changes nothing.
            client.feed(b"250 ok\r\n");
            assert_eq!(write(&mut client, &mut left), b"", "{ahead} {size}");
            // An accepted recipient does.
            let mut accepted = String::new();
            client.feed(b"250 ok\r\n");
            accepted.push_str(&String::from_utf8(write(&mut client, &mut left)).unwrap());
            assert!(accepted.matches("BDAT").count() >= 1, "{ahead} {size}");
        }
    }
    // Replies that have arrived are read before the next chunk leaves.
    let mut left = 10_000_000;
    let mut client = client(|config| config);
    client.feed(b"220 mx\r\n");
    write(&mut client, &mut left);
    client.feed(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    write(&mut client, &mut left);
    client.feed(b"250 ok\r\n250 ok\r\n");
    while let Need::Either(_) = client.poll(Instant::ORIGIN) {
        client.sent(usize::MAX);
    }
    let Some(Event::Content(mut content)) = client.event() else { panic!("no content") };
    let room = content.room();
    content.write(&vec![b'x'; room]).unwrap();
    client.feed(b"552 5.3.4 too large\r\n");
    let before = client.totals().commands();
    while let Need::Either(_) = client.poll(Instant::ORIGIN) {
        client.sent(usize::MAX);
    }
    assert_eq!(client.totals().commands(), before, "no further chunk");
    // The chunk that was under way has its reply, too.
    client.feed(b"503 no\r\n");
    assert_eq!(client.poll(Instant::ORIGIN), Need::Answer);
    let Some(Event::Sent(sent)) = client.event() else { panic!("no report") };
    assert!(sent.take().outcomes().all(Outcome::is_permanent));
}
