//! Instructions that nine acts of the library cost, against a budget: `budget.tsv`.
//!
//! ```text
//! cargo run --release               # prints a table; needs valgrind
//! cargo run --release -- --check    # fails if a row is more than 10 % above its budget
//! cargo run --release -- --write    # makes the instructions measured the budget
//! ```
//!
//! Instructions do not depend on what else the computer does, but they do on the compiler: the budget
//! names the one that it binds, and with another the table is printed only. Each row runs in a process
//! of its own under callgrind, with some repetitions and with more of them, and the difference counts.

use bytes::Bytes;
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{self, Peer, Server},
    syntax::{Command, Extensions, Lenience, Reply},
    time::Instant,
    wire::{BareLineBreaks, LineEnds, Span, Stuffer, Unstuffer},
};
use std::{env, fmt::Write as _, fs, hint::black_box, iter, process, sync::Arc};

/// Percent above its budget that a row may be.
const SLACK: u64 = 10;

/// Repetitions of a row; the difference is divided by that of these numbers.
const REPETITIONS: [usize; 2] = [10, 30];

struct Row {
    name: &'static str,
    unit: &'static str,
    /// Acts of that unit in one repetition.
    acts: usize,
    run: fn(usize),
}

const ROWS: [Row; 9] = [
    Row { name: "parse", unit: "command", acts: COMMANDS.len(), run: commands },
    Row { name: "reply", unit: "reply", acts: REPLIES.len(), run: replies },
    Row { name: "ehlo", unit: "reply of nine lines", acts: 1, run: ehlo },
    Row { name: "content in", unit: "KiB of base64", acts: KIBS, run: content_in },
    Row { name: "content out", unit: "KiB of prose with dots", acts: KIBS, run: content_out },
    Row { name: "server", unit: "further message of 4 KiB", acts: 1, run: server_messages },
    Row { name: "client", unit: "further message of 4 KiB", acts: 1, run: client_messages },
    Row {
        name: "shared",
        unit: "further message of 4 KiB, scanned",
        acts: 1,
        run: shared_messages,
    },
    Row { name: "session", unit: "session, opened and closed", acts: 1, run: sessions },
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print(Then::Nothing),
        ["--check"] => print(Then::Check),
        ["--write"] => print(Then::Write),
        ["--row", name, repetitions] => {
            let row = ROWS.iter().find(|row| row.name == name).expect("a row");
            (row.run)(repetitions.parse().expect("a number"));
        }
        _ => panic!("--check, --write or nothing"),
    }
}

// ------------------------------------------------------------------------------- measuring

#[derive(PartialEq)]
enum Then {
    Nothing,
    Check,
    Write,
}

const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.tsv");

fn print(then: Then) {
    let compiler = output(process::Command::new("rustc").arg("-V")).0.trim().to_owned();
    let budget = fs::read_to_string(BUDGET).unwrap_or_default();
    let binds = budget.lines().next() == Some(&format!("# {compiler}"));
    let mut written = format!("# {compiler}\n");
    let mut beyond = Vec::new();
    println!("{compiler}{}", if binds { "" } else { ": the budget is of another compiler" });
    println!("| row | instructions | budget | each |\n|---|---:|---:|---|");
    for row in &ROWS {
        let [few, many] = REPETITIONS.map(|repetitions| instructions(row.name, repetitions));
        let acts = (REPETITIONS[1] - REPETITIONS[0]) * row.acts;
        let each = many.saturating_sub(few) / acts as u64;
        let allowed =
            budget.lines().find_map(|line| line.strip_prefix(row.name)?.trim().parse().ok());
        let allowed: u64 = allowed.unwrap_or(0);
        println!("| {} | {each} | {allowed} | {} |", row.name, row.unit);
        writeln!(written, "{}\t{each}", row.name).expect("a string");
        if each * 100 > allowed * (100 + SLACK) {
            beyond.push(row.name);
        }
    }
    if then == Then::Write {
        fs::write(BUDGET, written).expect("the budget is written");
    } else if then == Then::Check && binds && !beyond.is_empty() {
        eprintln!("more than {SLACK} % above the budget: {}", beyond.join(", "));
        process::exit(1);
    }
}

/// Returns the instructions of a process that repeats a row.
fn instructions(row: &str, repetitions: usize) -> u64 {
    let said = output(
        process::Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().expect("a path"))
            .args(["--row", row, &repetitions.to_string()]),
    )
    .1;
    let collected = said.split("Collected : ").nth(1).expect("callgrind's sum");
    collected.split_whitespace().next().expect("a number").parse().expect("a number")
}

/// Returns the octets that a program writes to its two streams, as text.
fn output(command: &mut process::Command) -> (String, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] =
        [output.stdout, output.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned());
    assert!(output.status.success(), "{command:?}: {err}");
    (out, err)
}

// ------------------------------------------------------------------------------------ rows

const COMMANDS: [&[u8]; 10] = [
    b"EHLO mail.example.org",
    b"MAIL FROM:<john.doe@example.com> SIZE=4711 BODY=8BITMIME",
    b"MAIL FROM:<>",
    b"RCPT TO:<alice@example.org>",
    b"RCPT TO:<first.middle.last@mx1.bulk.example.net> NOTIFY=SUCCESS,FAILURE",
    b"RCPT TO:<\"john doe\"@[192.0.2.17]>",
    b"DATA",
    b"BDAT 1000 LAST",
    b"RSET",
    b"QUIT",
];

fn commands(repetitions: usize) {
    for _ in 0..repetitions {
        for line in COMMANDS {
            assert!(black_box(Command::parse(black_box(line), Lenience::default())).is_ok());
        }
    }
}

const EHLO: &[u8] = b"250-mx.example.org at your service, [192.0.2.17]\r\n250-SIZE 157286400\r\n\
    250-8BITMIME\r\n250-STARTTLS\r\n250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER\r\n\
    250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n";

const REPLIES: [&[u8]; 6] = [
    b"220 mx.example.org ESMTP ready\r\n",
    b"250 2.1.0 OK a640c23a62f3a-ab2c95e8c4asi123456966b.123\r\n",
    b"250 2.1.5 Recipient OK\r\n",
    b"354 Start mail input; end with <CRLF>.<CRLF>\r\n",
    b"550-5.1.1 The account does not exist. Please check the address\r\n550 5.1.1 for typos\r\n",
    b"221 2.0.0 Bye\r\n",
];

fn replies(repetitions: usize) {
    for _ in 0..repetitions {
        for reply in REPLIES {
            assert!(matches!(black_box(Reply::parse(black_box(reply))), Ok(Some(_))));
        }
    }
}

fn ehlo(repetitions: usize) {
    for _ in 0..repetitions {
        let (reply, _) = Reply::parse(black_box(EHLO)).unwrap().unwrap();
        black_box(Extensions::parse(&reply));
    }
}

const KIBS: usize = 64;

/// Returns lines of 76 columns; every tenth begins with a dot if `has_dots`.
fn lines(octets: usize, has_dots: bool) -> Vec<u8> {
    let line = b"VGhpcyBsaW5lIG9mIGJhc2U2NCBoYXMgc2V2ZW50eS1zaXggY29sdW1ucywgYXMgdXN1YWwuLi4=";
    let mut lines = b"Subject: lines\r\n\r\n".to_vec();
    for number in 0..(octets - lines.len()) / (line.len() + 2) {
        lines.extend_from_slice(line);
        if has_dots && number % 10 == 0 {
            let start = lines.len() - line.len();
            lines[start] = b'.';
        }
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

fn content_in(repetitions: usize) {
    let wire = [&lines(KIBS << 10, false)[..], b".\r\n"].concat();
    for _ in 0..repetitions {
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject).rejecting_nul();
        let mut at = 0;
        while at < wire.len() {
            at += match unstuffer.next(black_box(&wire[at..wire.len().min(at + (16 << 10))])) {
                Span::Content(octets) | Span::End(octets) => octets,
                other => panic!("{other:?}"),
            };
        }
    }
}

fn content_out(repetitions: usize) {
    let message = lines(KIBS << 10, true);
    for _ in 0..repetitions {
        let mut stuffer = Stuffer::new(LineEnds::Strict);
        for piece in message.chunks(16 << 10) {
            let stuffed = stuffer.stuff_slices(black_box(piece), |part| {
                black_box(part);
            });
            assert_eq!(stuffed, Ok(()));
        }
    }
}

/// Runs a server whose client sends pieces and waits for no reply; returns the number of messages
/// delivered.
fn serve<'a>(config: &Arc<server::Config>, mut pieces: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let mut said: &[u8] = &[];
    let mut messages = 0;
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => match server.event().unwrap() {
                server::Event::Rcpt(rcpt) => rcpt.accept(),
                server::Event::Content(content) => {
                    black_box(content.take());
                }
                server::Event::Deliver(delivery) => {
                    messages += 1;
                    delivery.accept();
                }
                other => other.proceed(),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 8];
                let count = server.to_send(&mut slices);
                let octets = slices[..count].iter().map(|slice| black_box(slice).len()).sum();
                server.sent(octets);
            }
            Need::Read(_) => {
                if said.is_empty() {
                    said = black_box(pieces.next().expect("the client says QUIT"));
                }
                said = &said[server.feed(said)..];
            }
            Need::Wait(_) => panic!("no reply is delayed"),
            Need::Close => return messages,
        }
    }
}

fn server_config() -> Arc<server::Config> {
    Arc::new(server::Config::new("mx.example.org").unwrap().with_enforced_sync(false))
}

const HELLO: &[u8] = b"EHLO client.example.net\r\n";
const QUIT: &[u8] = b"QUIT\r\n";

fn server_messages(repetitions: usize) {
    let commands = b"MAIL FROM:<ann@example.org> SIZE=4000 BODY=8BITMIME\r\n\
        RCPT TO:<bob@example.net>\r\nDATA\r\n";
    let message = [&commands[..], &lines(4 << 10, false), b".\r\n"].concat();
    let messages = iter::repeat_n(&message[..], repetitions);
    let pieces = iter::once(HELLO).chain(messages).chain([QUIT]);
    assert_eq!(serve(&server_config(), pieces), repetitions);
}

fn sessions(repetitions: usize) {
    let config = server_config();
    for _ in 0..repetitions {
        assert_eq!(serve(&config, [HELLO, QUIT].into_iter()), 0);
    }
}

/// Sends messages that are scanned and copied each time.
fn client_messages(repetitions: usize) {
    send(repetitions, None);
}

/// Sends one message that is shared and was scanned before.
fn shared_messages(repetitions: usize) {
    let message = Bytes::from(lines(4 << 10, false));
    let facts = MessageFacts::scan_bytes(&message);
    send(repetitions, Some((message, facts)));
}

fn send(repetitions: usize, scanned: Option<(Bytes, MessageFacts)>) {
    let message = lines(4 << 10, false);
    let config = Arc::new(client::Config::new("client.example.net").unwrap());
    let envelope = Arc::new(Envelope::new("ann@example.org", ["bob@example.net"]).unwrap());
    let mut client = Client::new(config, Security::CLEAR);
    let greeting = [
        &b"220 mx.example.org ESMTP\r\n"[..],
        b"250-mx.example.org\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
    ];
    let transaction =
        [&b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go\r\n"[..], b"250 2.0.0 Ok: queued as 12345\r\n"];
    let replies = greeting.into_iter().chain(transaction.into_iter().cycle());
    let mut replies = replies.take(2 + 2 * repetitions).chain([&b"221 2.0.0 Bye\r\n"[..]]);
    let (mut begun, mut delivered, mut rest, mut shared) = (0, 0, &[][..], Bytes::new());
    loop {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => match client.event().unwrap() {
                client::Event::Ready(ready) if begun < repetitions => {
                    begun += 1;
                    let facts = match &scanned {
                        Some((message, facts)) => {
                            shared = message.clone();
                            facts.clone()
                        }
                        None => {
                            rest = &message[..];
                            MessageFacts::scan(black_box(rest))
                        }
                    };
                    assert!(ready.send(Arc::clone(&envelope), facts).is_ok());
                }
                client::Event::Content(mut content) => {
                    if scanned.is_some() {
                        content.write_bytes(&mut shared).unwrap();
                    } else {
                        rest = &rest[content.write(rest).unwrap()..];
                    }
                    if rest.is_empty() && shared.is_empty() {
                        content.finish().unwrap();
                    }
                }
                client::Event::Sent(sent) => {
                    delivered += usize::from(sent.take().is_delivered_to_all());
                }
                other => other.quit(),
            },
            Need::Wait(_) => panic!("a client delays nothing"),
            Need::Close => break,
            Need::Read(_) | Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 16];
                let count = client.to_send(&mut slices);
                let octets: usize =
                    slices[..count].iter().map(|slice| black_box(slice).len()).sum();
                match octets {
                    0 => assert!(client.feed(replies.next().expect("a reply is due")) > 0),
                    _ => client.sent(octets),
                }
            }
        }
    }
    assert_eq!(delivered, repetitions);
}
