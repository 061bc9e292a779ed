//! The client against any server: one that answers as it likes, and one that says anything.

use esmtp::{
    client::{Client, Config, Event, MessageFacts, Outcome, Report},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    security::Security,
    service::Service,
    syntax::{
        AttributeName, AttributeValue, UnknownVerb, Uri, XclientAttributes, XforwardAttributes,
    },
    time::Instant,
};
use proptest::{collection::vec, prelude::*};
use std::{collections::VecDeque, time::Duration};

/// A server in a page: it knows the framing, and takes its verdicts from a list.
#[derive(Debug, Default)]
struct Model {
    is_lmtp: bool,
    extensions: Vec<&'static str>,
    /// Each says whether the next thing is refused, and how.
    verdicts: VecDeque<u8>,
    input: Vec<u8>,
    output: Vec<u8>,
    transaction: Option<Vec<bool>>,
    content: Option<Vec<u8>>,
    chunk: Option<(usize, bool)>,
    /// Content, with the places of those who have it.
    accepted: Vec<(Vec<u8>, Vec<usize>)>,
    has_quit: bool,
}

impl Model {
    fn refuses(&mut self) -> Option<&'static str> {
        match self.verdicts.pop_front()? {
            0 => Some("451 4.3.0 later"),
            1 => Some("550-5.7.1 no,\r\n550 5.7.1 never"),
            2 => Some("452 4.5.3 too many"),
            _ => None,
        }
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn verdict(&mut self) -> bool {
        let refusal = self.refuses();
        self.say(refusal.unwrap_or("250 2.0.0 ok"));
        refusal.is_none()
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        if let Some((octets, last)) = self.chunk {
            if self.input.len() < octets {
                return false;
            }
            let chunk: Vec<u8> = self.input.drain(..octets).collect();
            self.chunk = None;
            self.chunk(&chunk, last);
            return true;
        }
        let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") else {
            return false;
        };
        let line: Vec<u8> = self.input.drain(..end + 2).collect();
        if let Some(content) = &mut self.content {
            match line.as_slice() {
                b".\r\n" => {
                    let content = self.content.take().unwrap();
                    let recipients = self.transaction.take().unwrap();
                    self.deliver(&content, &recipients);
                }
                [b'.', rest @ ..] | rest => content.extend_from_slice(rest),
            }
            return true;
        }
        let line = String::from_utf8(line).unwrap();
        match line.get(..4).unwrap() {
            "EHLO" | "LHLO" => {
                for extension in self.extensions.clone() {
                    self.say(&format!("250-{extension}"));
                }
                self.say("250 HELP");
            }
            "MAIL" => {
                assert!(self.transaction.is_none(), "a nested MAIL");
                if self.verdict() {
                    self.transaction = Some(Vec::new());
                }
            }
            "RCPT" if self.transaction.is_none() => self.say("503 no MAIL"),
            "RCPT" => {
                let is_accepted = self.verdict();
                self.transaction.as_mut().unwrap().push(is_accepted);
            }
            "DATA" => {
                if self.transaction.as_ref().is_none_or(|all| !all.contains(&true)) {
                    self.say("503 nobody");
                } else if let Some(refusal) = self.refuses() {
                    self.say(refusal);
                } else {
                    self.say("354 go");
                    self.content = Some(Vec::new());
                }
            }
            "BDAT" => {
                let mut words = line.split_whitespace().skip(1);
                self.chunk = Some((words.next().unwrap().parse().unwrap(), words.next().is_some()));
            }
            "RSET" => {
                self.transaction = None;
                self.accepted.retain(|(content, _)| !content.starts_with(b"partial:"));
                self.say("250 ok");
            }
            "QUIT" => {
                self.say("221 bye");
                self.has_quit = true;
            }
            _ => panic!("{line}"),
        }
        true
    }

    fn chunk(&mut self, octets: &[u8], last: bool) {
        let is_open = self.transaction.as_ref().is_some_and(|all| all.contains(&true));
        if !is_open {
            // RFC 2033 section 4.2: one reply for each accepted recipient, of which there are 0.
            if !(self.is_lmtp && last) {
                self.say("503 nobody");
            }
            return;
        }
        let mut content = self.chunks();
        content.extend_from_slice(octets);
        if !last {
            if self.verdict() {
                self.accepted.push(([b"partial:", &content[..]].concat(), Vec::new()));
            } else {
                self.transaction = Some(Vec::new());
            }
            return;
        }
        let recipients = self.transaction.replace(Vec::new()).unwrap();
        let is_accepted = self.deliver(&content, &recipients);
        if is_accepted {
            self.transaction = None;
        }
    }

    /// Returns the content of earlier chunks.
    fn chunks(&mut self) -> Vec<u8> {
        match self.accepted.last() {
            Some((content, _)) if content.starts_with(b"partial:") => {
                let (content, _) = self.accepted.pop().unwrap();
                content[b"partial:".len()..].to_vec()
            }
            _ => Vec::new(),
        }
    }

    fn deliver(&mut self, content: &[u8], recipients: &[bool]) -> bool {
        let places = (0..recipients.len()).filter(|place| recipients[*place]);
        if self.is_lmtp {
            let accepted = places.filter(|_| self.verdict()).collect();
            self.accepted.push((content.to_vec(), accepted));
            return true;
        }
        let places = places.collect();
        let is_accepted = self.verdict();
        if is_accepted {
            self.accepted.push((content.to_vec(), places));
        }
        is_accepted
    }
}

#[derive(Clone, Debug)]
struct Case {
    is_lmtp: bool,
    extensions: Vec<&'static str>,
    transactions: usize,
    ahead: usize,
    messages: Vec<(usize, Vec<u8>)>,
    verdicts: Vec<u8>,
    /// The number of octets that travel at once, either way.
    pieces: Vec<usize>,
    /// The number of octets of the server that arrive before the connection is lost.
    lost: Option<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let content =
        vec(prop_oneof![Just(b".".to_vec()), Just(b"\r\n".to_vec()), Just(b"ab".to_vec())], 0..20);
    let content = content.prop_map(|parts| [parts.concat(), b"\r\n".to_vec()].concat());
    let extensions =
        proptest::sample::subsequence(vec!["PIPELINING", "CHUNKING", "8BITMIME"], 0..=3);
    (
        any::<bool>(),
        extensions,
        1..4_usize,
        prop_oneof![Just(1_usize), 1..40_usize, Just(65_536)],
        vec((1..4_usize, content), 1..5),
        vec(0..9_u8, 0..40),
        vec(1..30_usize, 1..20),
        proptest::option::of(0..600_usize),
    )
        .prop_map(
            |(is_lmtp, extensions, transactions, ahead, messages, verdicts, pieces, lost)| Case {
                is_lmtp,
                extensions,
                transactions,
                ahead,
                messages,
                verdicts,
                pieces,
                lost,
            },
        )
}

/// Plays a case to its end, and returns the reports in the order in which they came.
fn play(case: &Case) -> (Model, Vec<Report>, Client) {
    let service = if case.is_lmtp { Service::Lmtp } else { Service::Smtp };
    let config = Config::new("me.example.org")
        .unwrap()
        .with_service(service)
        .with_transactions(case.transactions)
        .with_send_buffer(case.ahead)
        .with_in_flight(5)
        .with_recipient_events();
    let mut client = Client::new(config, Security::CLEAR);
    let mut model = Model {
        is_lmtp: case.is_lmtp,
        extensions: case.extensions.clone(),
        verdicts: case.verdicts.clone().into(),
        ..Model::default()
    };
    model.say("220 mx");
    let mut pieces = case.pieces.iter().copied().cycle();
    let mut left = case.lost.unwrap_or(usize::MAX);
    let (mut begun, mut written) = (0, 0);
    let (mut reports, mut told) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => match client.event().unwrap() {
                Event::Ready(ready) => match case.messages.get(begun) {
                    Some((recipients, content)) => {
                        let to = vec!["bob@example.net"; *recipients];
                        let envelope = Envelope::new("ann@example.org", &to).unwrap();
                        ready.send(envelope, MessageFacts::scan(content)).unwrap();
                        (begun, written) = (begun + 1, 0);
                    }
                    None => ready.quit(),
                },
                Event::Content(mut content) => {
                    assert_eq!(content.transaction().number() + 1, begun as u64);
                    let message = &case.messages[begun - 1].1;
                    let rest = &message[written..];
                    written +=
                        content.write(&rest[..rest.len().min(pieces.next().unwrap())]).unwrap();
                    if written == message.len() {
                        content.finish().unwrap();
                    }
                }
                Event::Answered(answered) => {
                    assert_eq!(answered.transaction().number(), reports.len() as u64);
                    told.push((answered.index().unwrap(), answered.reply().clone()));
                    answered.go_on();
                }
                Event::Sent(sent) => {
                    let report = sent.take();
                    // A recipient with a reply was reported before, once.
                    told.sort_by_key(|(index, _)| *index);
                    let outcomes = report.outcomes().enumerate();
                    let replied: Vec<_> = outcomes
                        .filter_map(|(index, outcome)| Some((index, outcome.reply()?.clone())))
                        .collect();
                    assert_eq!(core::mem::take(&mut told), replied);
                    reports.push(report);
                }
                other => panic!("{other:?}"),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&b""[..]; 3];
                let filled = client.to_send(&mut slices);
                let mut octets = slices[..filled].concat();
                octets.truncate(pieces.next().unwrap());
                client.sent(octets.len());
                model.hear(&octets);
            }
            Need::Read(_) | Need::Wait(_) => {
                let octets = pieces.next().unwrap().min(model.output.len()).min(left);
                assert!(
                    octets > 0 || left == 0 || model.has_quit,
                    "a deadlock: {client:?} {model:?}"
                );
                if octets == 0 {
                    client.closed(if left == 0 { Closed::CutOff } else { Closed::Clean });
                }
                left -= octets;
                let octets: Vec<u8> = model.output.drain(..octets).collect();
                assert_eq!(client.feed(&octets), octets.len());
            }
            Need::Close => return (model, reports, client),
        }
    }
    panic!("no end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Both sides agree on who has what, whenever both got to the end; what is delivered at the
    /// server is never reported as refused or untried, and what is reported as delivered is there.
    #[test]
    fn report_and_server_agree(case in case()) {
        let (model, reports, client) = play(&case);
        if case.lost.is_none() {
            prop_assert_eq!(reports.len(), case.messages.len());
            prop_assert!(model.has_quit);
            prop_assert_eq!(client.end().unwrap().to_string(), "the session was ended with QUIT");
        }
        let mut accepted = model
            .accepted
            .iter()
            .filter(|(content, _)| !content.starts_with(b"partial:"))
            .peekable();
        for (index, report) in reports.iter().enumerate() {
            prop_assert_eq!(report.transaction().number(), index as u64);
            let (recipients, content) = &case.messages[index];
            let outcomes: Vec<_> = report.outcomes().collect();
            prop_assert_eq!(outcomes.len(), *recipients);
            let is_open = |outcome: &&Outcome| {
                outcome.is_delivered() || matches!(outcome, Outcome::Unknown)
            };
            let may_be_there = outcomes.iter().any(is_open);
            // In LMTP the content may have no recipient.
            let there = match accepted.peek() {
                Some((there, places))
                    if there == content && (may_be_there || case.is_lmtp && places.is_empty()) =>
                {
                    accepted.next();
                    places.clone()
                }
                _ => Vec::new(),
            };
            for (place, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Outcome::Unknown => {}
                    other => prop_assert_eq!(
                        other.is_delivered(), there.contains(&place), "{:?} {}", other, place
                    ),
                }
            }
        }
        prop_assert!(accepted.next().is_none(), "delivered and not reported: {:?}", model.accepted);
    }

    /// Whatever a server says, whatever the application answers: no panic, an end, and one report
    /// for every transaction.
    #[test]
    fn any_server_is_survived(
        opening in prop_oneof![
            Just(""),
            Just("220 mx\r\n250 mx\r\n"),
            Just("220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 SIZE 99\r\n250 ok\r\n250 ok\r\n550 no\r\n"),
            Just("220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n250 ok\r\n250 ok\r\n"),
            Just("220 mx\r\n250-mx\r\n250-CHUNKING\r\n250-BURL\r\n250-ATRN\r\n250-XCLIENT NAME\r\n250 XFORWARD NAME\r\n"),
        ],
        lines in vec(prop_oneof![
            Just("220 mx\r\n".to_owned()),
            Just("250 ok\r\n".to_owned()),
            Just("250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 100\r\n".to_owned()),
            Just("354 go\r\n".to_owned()),
            Just("550 no\r\n".to_owned()),
            Just("250-".to_owned()),
            Just("421 down\r\n".to_owned()),
            "[2-5][0-9]{2}[ -][a-z.\\n\\r]{0,5}\r\n",
            "(.|\\r|\\n){0,20}",
        ], 0..30),
        answers in vec(0..16_u8, 1..30),
        pieces in vec(1..40_usize, 1..10),
        lmtp in any::<bool>(),
        transactions in 1..3_usize,
        has_answers in any::<bool>(),
    ) {
        let service = if lmtp { Service::Lmtp } else { Service::Smtp };
        let config = Config::new("me.example.org").unwrap();
        let config = config.with_service(service).with_transactions(transactions).with_send_buffer(50);
        let config = if has_answers { config.with_recipient_events() } else { config };
        let name = || AttributeValue::Text("a.example".into());
        let uri = || Uri::new("imap://x.example/;uid=1").unwrap();
        let mut client = Client::new(config, Security::CLEAR);
        let mut opening: VecDeque<&str> = opening.split_inclusive('\n').collect();
        let mut server: VecDeque<u8> = lines.concat().into_bytes().into();
        let mut answers = answers.iter().copied().cycle();
        let mut pieces = pieces.iter().copied().cycle();
        let (mut begun, mut reports) = (0, 0);
        let mut now = Instant::ORIGIN;
        for _ in 0..10_000 {
            match client.poll(now) {
                Need::Answer => {
                    let answer = answers.next().unwrap();
                    match client.event().unwrap() {
                        event if answer == 0 => {
                            if let Event::Sent(_) = event {
                                reports += 1;
                            }
                            event.quit();
                        }
                        Event::Ready(ready) if answer == 1 => ready.noop(),
                        Event::Ready(ready) if answer == 2 => ready.reset(),
                        Event::Ready(ready) if answer == 12 => {
                            drop(ready.command(UnknownVerb::new("XDO").unwrap(), None));
                        }
                        Event::Ready(ready) if answer == 13 => {
                            let name = XclientAttributes::new(AttributeName::Name, &name());
                            drop(ready.xclient(&name.unwrap()));
                        }
                        Event::Ready(ready) if answer == 14 => {
                            let name = XforwardAttributes::new(AttributeName::Name, &name());
                            drop(ready.xforward(&name.unwrap()));
                        }
                        Event::Ready(ready) if answer == 15 => drop(ready.atrn(None)),
                        Event::Ready(ready) => {
                            let to = ["bob@example.net", "carl@example.net"];
                            let envelope = Envelope::new("ann@example.org", &to).unwrap();
                            let facts = MessageFacts::UNKNOWN.with_size(9);
                            let sent = ready.send(envelope, facts);
                            begun += u64::from(sent.is_ok());
                        }
                        Event::Content(content) if answer == 12 => {
                            let _ = content.burl(uri());
                        }
                        Event::Content(content) if answer == 13 => {
                            let _ = content.finish_with(uri());
                        }
                        Event::Content(mut content) => {
                            let result = content.write(b"Hi\r\n.\r\n");
                            match answer {
                                1 => content.abort(),
                                2 => content.flush(),
                                3 => drop(content.finish()),
                                _ if result.is_err() => drop(content.finish()),
                                _ => {}
                            }
                        }
                        Event::Refused(refused) => refused.go_on(),
                        Event::Answered(answered) => {
                            prop_assert!(has_answers);
                            prop_assert!(answered.index().is_some_and(|index| index < 2));
                            answered.go_on();
                        }
                        Event::HandOver(hand_over) if answer % 2 == 1 => hand_over.close(),
                        Event::HandOver(_) => {} // later
                        Event::Sent(sent) => {
                            prop_assert_eq!(sent.take().outcomes().len(), 2);
                            reports += 1;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                Need::Write(_) | Need::Either(_) if answers.next() == Some(0) => client.unsendable(),
                Need::Write(_) | Need::Either(_) => client.sent(pieces.next().unwrap()),
                Need::Read(_) if !opening.is_empty() => {
                    // Reply by reply, so that none comes before it is asked for.
                    while let Some(line) = opening.pop_front() {
                        client.feed(line.as_bytes());
                        if line.get(3..4) == Some(" ") {
                            break;
                        }
                    }
                }
                Need::Read(deadline) if server.is_empty() => match answers.next().unwrap() {
                    0..6 => client.closed(Closed::Clean),
                    _ if deadline == Instant::NEVER => client.ready(),
                    _ => now = deadline,
                },
                Need::Read(_) | Need::Wait(_) => {
                    let octets = pieces.next().unwrap().min(server.len());
                    let octets: Vec<u8> = server.drain(..octets).collect();
                    prop_assert_eq!(client.feed(&octets), octets.len());
                    now = now + Duration::from_secs(1);
                }
                Need::Close => {
                    prop_assert!(client.end().is_some());
                    prop_assert_eq!(begun, reports);
                    return Ok(());
                }
            }
        }
        // Only an application that never finishes its content has gone on so long, until it does.
        prop_assert!(client.end().is_none());
        client.closed(Closed::Clean);
        for _ in 0..100 {
            match client.poll(now) {
                Need::Answer => {
                    let event = client.event().unwrap();
                    reports += u64::from(matches!(event, Event::Sent(_)));
                    event.quit();
                }
                Need::Write(_) | Need::Either(_) => client.unsendable(),
                Need::Read(_) | Need::Wait(_) | Need::Close => break,
            }
        }
        prop_assert_eq!(client.poll(now), Need::Close);
        prop_assert_eq!(begun, reports);
    }
}
