//! RFC 2920: PIPELINING.

use crate::{
    common::{HELLO, config, converse},
    dialogue::{Act, AfterAtrn, Dialogue, mail},
};
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    sasl::Credentials,
    security::Security,
    server::{Event, Peer, Server},
    syntax::{
        AttributeName, AttributeValue, Domain, Node, Rejection, XclientAttributes,
        XforwardAttributes,
    },
    testing::Driver,
    time::Instant,
};

const BOB: &str = "bob@example.net";
const CARL: &str = "carl@example.net";

const PIPELINING: &str = "S: 220 mx
    C: EHLO me.example.org
    S: 250-mx
    S: 250 PIPELINING
";

const QUIT: &str = "
    C: QUIT
    S: 221 bye
    C: (closed)";

/// 2920-3-a
#[test]
fn pipelining_is_announced_without_parameters() {
    converse(config(), HELLO);
    assert!(HELLO.contains("S: 250-PIPELINING\n"));
}

/// 2920-3.1-a, 5321-4.3.1-a: not before it is offered, nor where it is not.
#[test]
fn commands_wait_for_replies_unless_pipelining_is_offered() {
    for extension in ["HELP", "PIPELININGS", "X-PIPELINING"] {
        Dialogue::sends(&[BOB, CARL], "x\r\n").plays(&format!(
            "S: 220 mx PIPELINING
             C: EHLO me.example.org
             S: 250-PIPELINING
             S: 250 {extension}
             C: MAIL FROM:<ann@example.org>
             S: 250 PIPELINING
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: RCPT TO:<carl@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             C: x
             C: .
             S: 250 ok
             {QUIT}"
        ));
    }
}

/// 2920-3.1-d, 2920-3.1-e, 2920-3.1-b: the first reply is for the first command, however many
/// lines it has and whatever they say.
#[test]
fn replies_are_matched_by_counting() {
    let notes = Dialogue::sends(&[BOB, CARL, "dora@example.net"], "x\r\n").plays(&format!(
        "{PIPELINING}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<carl@example.net>
         C: RCPT TO:<dora@example.net>
         C: DATA
         S: 250-<carl@example.net> recipient ok
         S: 250-550 no
         S: 250 354 go
         S: 550-<carl@example.net> unknown
         S: 550-250 ok
         S: 550 5.1.1 DATA
         S: 250 <bob@example.net> is known
         S: 450 MAIL later
         S: 354 sender ok
         C: x
         C: .
         S: 250 550 recipient
         {QUIT}"
    ));
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 550 <carl@example.net> unknown 250 ok 5.1.1 DATA, \
         <carl@example.net> 250 550 recipient, <dora@example.net> 450 MAIL later"
    );
}

/// 2920-3.1-b, 2920-3.1-c: every status of a group counts, also that of DATA without a recipient.
#[test]
fn a_dot_ends_content_without_recipients() {
    for (mail, rcpt) in [("250 ok", "550 no"), ("550 no", "503 no"), ("451 no", "550 no")] {
        let notes = Dialogue::sends(&[BOB], "never sent\r\n").plays(&format!(
            "{PIPELINING}
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: {mail}
             S: {rcpt}
             S: 354 go
             C: .
             S: 250 queued
             {QUIT}"
        ));
        let refusal = if mail.starts_with("250") { rcpt } else { mail };
        assert_eq!(notes[0], format!("0: <bob@example.net> {refusal}"));
    }
}

/// 2920-3.1-f: EHLO, DATA, VRFY, EXPN, NOOP and QUIT are followed by nothing before they are
/// answered.
#[test]
fn commands_that_change_the_state_are_the_last_of_their_group() {
    Dialogue::new([
        Act::Noop,
        Act::Vrfy("bob"),
        Act::Expn("staff"),
        Act::Send(mail(&[BOB], "one\r\n")),
        Act::Noop,
    ])
    .with(|config| config.with_transactions(4))
    .plays(&format!(
        "{PIPELINING}
         C: NOOP
         S: 250 ok
         C: VRFY bob
         S: 250 ok
         C: EXPN staff
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: one
         C: .
         C: NOOP
         S: 250 taken
         S: 250 ok
         {QUIT}"
    ));
}

/// 2920-3.1-j: RFC 2920 section 3.1. A command of another extension leaves when the replies before it are there, and
/// the next command when its own is.
#[test]
fn commands_of_other_extensions_are_the_last_of_their_group() {
    let message = |content| Act::Send(mail(&[BOB], content));
    let name = AttributeValue::Text("a.example".into());
    let node = Node::Domain(Domain::new("me.example.org").unwrap());
    for (security, offered, act, command, reply) in [
        (Security::CLEAR, "ETRN", Act::Etrn(node), "ETRN me.example.org", "459 no"),
        (Security::CLEAR, "ATRN", Act::Atrn(None, AfterAtrn::Leave), "ATRN", "453 no"),
        (Security::CLEAR, "STARTTLS", Act::StartTls, "STARTTLS", "454 no"),
        (
            Security::TLS,
            "AUTH PLAIN",
            Act::AuthAs(Credentials::password("test", "1234")),
            "AUTH PLAIN AHRlc3QAMTIzNA==",
            "535 no",
        ),
        (
            Security::CLEAR,
            "XCLIENT NAME",
            Act::Xclient(XclientAttributes::new(AttributeName::Name, &name).unwrap()),
            "XCLIENT NAME=a.example",
            "550 no",
        ),
        (
            Security::CLEAR,
            "XFORWARD NAME",
            Act::Xforward(XforwardAttributes::new(AttributeName::Name, &name).unwrap()),
            "XFORWARD NAME=a.example",
            "550 no",
        ),
        (Security::CLEAR, "XFOO", Act::Command("XFOO", None), "XFOO", "550 no"),
    ] {
        let dialogue = Dialogue::new([message("one\r\n"), act, message("two\r\n")])
            .with(|config| config.with_transactions(4));
        let notes = Dialogue { security, ..dialogue }.plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250-PIPELINING
             S: 250 {offered}
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: one
             C: .
             S: 250 taken
             C: {command}
             S: {reply}
             C: MAIL FROM:<ann@example.org>
             C: RCPT TO:<bob@example.net>
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: two
             C: .
             C: QUIT
             S: 250 taken
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes.len(), 4, "{command}: {notes:?}");
    }
}

/// 2920-3.1-g: RSET, MAIL and RCPT leave in one write with the commands after them.
#[test]
fn rset_mail_and_rcpt_are_anywhere_in_a_group() {
    let mut client = Pair::client();
    client.send(&[BOB]);
    client.hear("250 ok\r\n550 no\r\n503 no\r\n");
    client.take_report();
    client.send(&[BOB, CARL]);
    assert_eq!(
        client.writes,
        [
            "EHLO me.example.org\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n",
            "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<carl@example.net>\r\nDATA\r\n",
        ]
    );
}

/// 2920-3.1-h: replies are taken in while commands and content are still on their way out; and the
/// size of a group has a bound for peers that cannot read then.
#[test]
fn replies_are_read_while_octets_wait() {
    let mut client = Pair::client().driver.into_machine();
    let Some(client::Event::Ready(ready)) = client.event() else { panic!("not ready") };
    ready.send(Envelope::new("", &[BOB; 90]).unwrap(), MessageFacts::UNKNOWN).unwrap();
    // MAIL has left, and nothing else.
    assert!(matches!(client.poll(Instant::ORIGIN), Need::Either(_)));
    client.sent("MAIL FROM:<>\r\n".len());
    assert_eq!(client.feed(b"250 ok\r\n"), 8);
    assert!(matches!(client.poll(Instant::ORIGIN), Need::Either(_)));
    client.sent("RCPT TO:<bob@example.net>\r\n".len());
    let replies = client.totals().replies();
    client.feed(b"550 no\r\n");
    assert!(matches!(client.poll(Instant::ORIGIN), Need::Either(_)), "still to be written");
    assert_eq!(client.totals().replies(), replies + 1, "and read");

    let config = client::Config::new("me.example.org").unwrap().with_in_flight(2);
    let mut client = Pair::client_with(config);
    client.send(&[BOB, CARL]);
    client.hear("250 ok\r\n250 ok\r\n");
    assert_eq!(
        client.writes[1..],
        ["MAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\n", "RCPT TO:<carl@example.net>\r\nDATA\r\n"]
    );
}

/// A client, and each of its writes.
struct Pair {
    driver: Driver<Client>,
    writes: Vec<String>,
}

impl Pair {
    fn client() -> Self {
        Self::client_with(client::Config::new("me.example.org").unwrap())
    }

    fn client_with(config: client::Config) -> Self {
        let driver = Driver::new(Client::new(config, Security::CLEAR));
        let mut it = Self { driver, writes: Vec::new() };
        it.hear("220 mx\r\n");
        it.hear("250-mx\r\n250 PIPELINING\r\n");
        it
    }

    fn hear(&mut self, octets: &str) {
        self.driver.advance(octets);
        self.writes.extend(writes(&self.driver));
    }

    fn send(&mut self, to: &[&str]) {
        let event = self.driver.machine_mut().event();
        let Some(client::Event::Ready(ready)) = event else { panic!("not ready") };
        ready.send(Envelope::new("", to).unwrap(), MessageFacts::UNKNOWN).unwrap();
        self.hear("");
    }

    fn take_report(&mut self) {
        let event = self.driver.machine_mut().event();
        let Some(client::Event::Sent(sent)) = event else { panic!("no report") };
        drop(sent.take());
        self.hear("");
    }
}

/// A server to which octets arrive at once.
struct Line {
    driver: Driver<Server>,
}

impl Line {
    fn new() -> Self {
        let server = Server::new(config().into(), Peer::UNKNOWN, Security::CLEAR);
        let mut it = Self { driver: Driver::new(server) };
        assert_eq!(it.hear(""), ["220 mx.example.org ESMTP service ready\r\n"]);
        assert_eq!(it.hear("EHLO client.example.net\r\n").len(), 1);
        it
    }

    /// Returns what the server writes: one string a write.
    fn hear(&mut self, octets: &str) -> Vec<String> {
        self.driver.exchange(octets, |event| match event {
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
                rcpt.reject(Rejection::NO_SUCH_MAILBOX);
            }
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => drop(content.take()),
            Event::Deliver(delivery) => delivery.accept(),
            other => other.proceed(),
        });
        writes(&self.driver)
    }
}

/// Returns the writes of the last call: one string a write.
fn writes<M: Machine + 'static>(driver: &Driver<M>) -> Vec<String> {
    let writes = driver.writes().iter();
    writes.map(|octets| String::from_utf8(octets.to_vec()).unwrap()).collect()
}

/// Returns the codes of these replies.
fn codes(replies: &str) -> Vec<&str> {
    replies.lines().map(|line| &line[..3]).collect()
}

/// 2920-3.2-a, 2920-3.2-b, 2920-3.2-g: in the order of the commands, and as a unit. After the last command
/// the buffer is empty: what was stored leaves before the application is asked for its reply.
#[test]
fn replies_to_a_group_leave_together() {
    let group = "RSET\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nRCPT TO:<nobody@d.org>\r\n\
                 RCPT TO:<e@f.org>\r\nRSET\r\nMAIL FROM:<a@b.org>\r\n";
    let writes = Line::new().hear(group);
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert_eq!(codes(&writes[0]), ["250", "250", "250", "550", "250", "250"]);
    assert_eq!(codes(&writes[1]), ["250"]);
}

/// 2920-3.2-c, 2920-3.2-d: 354 needs an accepted recipient; content without one is not
/// delivered.
#[test]
fn data_without_a_recipient_is_refused() {
    let mut line = Line::new();
    let writes = line.hear("MAIL FROM:<a@b.org>\r\nRCPT TO:<nobody@d.org>\r\nDATA\r\n");
    assert_eq!(codes(&writes.concat()), ["250", "550", "503"]);
    let experience = converse(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             C: RCPT TO:<nobody@d.org>
             C: DATA
             S: 250 2.1.0 Ok
             S: 550 5.1.1 No such mailbox here
             S: 503 5.5.1 No valid recipients
             C: .
             S: 500 5.5.2 No command in this line
             C: RCPT TO:<c@d.org>
             C: DATA
             S: 250 2.1.5 Ok
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued"
        ),
    );
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].to, ["<c@d.org>"]);
}

/// 2920-3.2-e, 2920-3.2-f, 2920-3.2-g: nothing waits for what the client will say next.
#[test]
fn replies_do_not_wait_for_further_commands() {
    for (group, expected) in [
        ("EHLO client.example.net\r\n", &["250"; 8][..]),
        ("NOOP\r\n", &["250"]),
        ("VRFY bob\r\n", &["252"]),
        ("EXPN staff\r\n", &["502"]),
        ("TURN\r\n", &["502"]),
        ("FOO\r\n", &["500"]),
        ("QUIT\r\n", &["221"]),
        ("MAIL FROM:<a@b.org>\r\n", &["250"]),
        ("RSET\r\nFOO\r\n", &["250", "500"]),
        ("MAIL FROM:<a@b.org>\r\nNOOP\r\n", &["250", "250"]),
        ("MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n", &["250", "250", "354"]),
        // A command that is not whole holds nothing back.
        ("MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d", &["250"]),
    ] {
        let writes = Line::new().hear(group);
        assert_eq!(codes(&writes.concat()), expected, "{group}");
    }
}

/// 2920-3.2-h, 2920-3.2-i: each command has its reply, which is the same whatever follows; no octet
/// after it is lost.
#[test]
fn further_commands_change_no_reply() {
    let commands = [
        "MAIL FROM:<a@b.org>\r\n",
        "RCPT TO:<c@d.org>\r\n",
        "RCPT TO:<nobody@d.org>\r\n",
        "MAIL FROM:<e@f.org>\r\n",
        "RSET\r\n",
        "RCPT TO:<c@d.org>\r\n",
        "MAIL FROM:<e@f.org>\r\n",
        "RCPT TO:<c@d.org>\r\n",
        "DATA\r\n",
    ];
    let mut alone = Line::new();
    let replies: Vec<String> =
        commands.iter().map(|command| alone.hear(command).concat()).collect();
    assert!(replies.iter().all(|reply| codes(reply).len() == 1));
    let octets = commands.concat();
    for first in 0..octets.len() {
        let mut line = Line::new();
        let said = line.hear(&octets[..first]).concat() + &line.hear(&octets[first..]).concat();
        assert_eq!(said, replies.concat(), "cut at {first}");
    }
}

/// 2920-3.2-j: by its enhanced status, or by its words.
#[test]
fn replies_are_matched_to_their_commands() {
    let mut line = Line::new();
    let group = "RSET\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n";
    let replies = line.hear(group).concat();
    let replies: Vec<&str> = replies.lines().collect();
    assert_eq!(replies.len(), 4);
    for (index, reply) in replies.iter().enumerate() {
        assert!(!replies[index + 1..].contains(reply), "{reply}");
    }
    assert!(replies[1].starts_with("250 2.1.0 ") && replies[2].starts_with("250 2.1.5 "));
}
