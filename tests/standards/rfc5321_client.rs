//! RFC 5321, the client.

#![allow(unused_must_use)] // a need that a test does not look at

use crate::dialogue::{Act, Dialogue, Mail, hear, mail, write};
use esmtp::{
    client::{Client, Config, End, Event, MessageFacts, Outcome, Report, State},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    security::Security,
    syntax::{ForwardPath, Parameters, Retry, ReversePath},
    time::Instant,
    wire::LineEnds,
};
use std::time::Duration;

const BOB: &str = "bob@example.net";

/// A session without extensions, open for the first transaction.
const OPEN: &str = "S: 220 mx
    C: EHLO me.example.org
    S: 250 mx
";

const QUIT: &str = "
    C: QUIT
    S: 221 bye
    C: (closed)";

fn report(client: &mut Client) -> Report {
    let Some(Event::Sent(sent)) = client.event() else { panic!("nothing was sent") };
    sent.take()
}

/// Returns a client that has sent a message to Bob, and has received the first `replies` replies
/// of the transaction.
fn sending(config: Config, replies: usize) -> Client {
    let mut client = Client::new(config, Security::CLEAR);
    hear(&mut client, "220 mx\r\n");
    hear(&mut client, "250 mx\r\n");
    let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
    ready.send(Envelope::new("", &[BOB]).unwrap(), MessageFacts::scan(b"x\r\n")).unwrap();
    write(&mut client, Instant::ORIGIN);
    for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"].into_iter().take(replies) {
        hear(&mut client, reply);
    }
    if replies == 3 {
        let Some(Event::Content(mut content)) = client.event() else { panic!("no content") };
        content.write(b"x\r\n").unwrap();
        content.finish().unwrap();
        write(&mut client, Instant::ORIGIN);
    }
    client
}

fn config() -> Config {
    Config::new("me.example.org").unwrap()
}

/// 5321-2.3.5-b, 5321-4.1.1.1-a: an address literal where there is no name, and never another
/// kind of string.
#[test]
fn a_client_without_a_name_sends_its_address() {
    for host in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "me.example.org"] {
        let mut client = Client::new(Config::new(host).unwrap(), Security::CLEAR);
        let (said, _) = hear(&mut client, "220 mx\r\n");
        assert_eq!(said, format!("EHLO {host}\r\n"));
    }
    for host in
        ["", "192.0.2.1:25", "[192.0.2.1", "[IPv6:192.0.2.1.5]", "my_host.example.org", "a b"]
    {
        assert!(Config::new(host).is_err(), "{host}");
    }
}

/// 5321-4.5.3.1.5-b: RFC 5321 section 4.5.3.1.5: every line of 512 octets is taken, and what is longer as far as the
/// limit goes.
#[test]
fn long_lines_of_a_reply_are_taken() {
    let longest = config().limits().reply_line();
    for (octets, is_taken) in
        [(511, true), (512, true), (513, true), (longest, true), (longest + 1, false)]
    {
        let line = |separator| format!("220{separator}{}\r\n", "x".repeat(octets - 6));
        for greeting in [line(' '), line('-') + "220 mx\r\n"] {
            let mut client = Client::new(config(), Security::CLEAR);
            let taken = client.feed(greeting.as_bytes());
            let (said, need) = write(&mut client, Instant::ORIGIN);
            assert_eq!(said == "EHLO me.example.org\r\n", is_taken, "{octets}");
            assert_eq!(need == Need::Answer || need == Need::Close, !is_taken, "{taken} {need:?}");
        }
    }
}

/// 5321-4.3.1-b, 5321-4.1.1.1-e: nothing is sent before the greeting, and no transaction can be
/// begun before the reply to EHLO.
#[test]
fn mail_waits_for_the_greeting_and_for_ehlo() {
    let mut client = Client::new(config(), Security::CLEAR);
    let (said, need) = write(&mut client, Instant::ORIGIN);
    assert!(said.is_empty() && matches!(need, Need::Read(_)) && client.event().is_none());
    let (said, need) = hear(&mut client, "220-mx\r\n");
    assert!(said.is_empty() && matches!(need, Need::Read(_)), "the greeting has further lines");
    assert_eq!(hear(&mut client, "220 mx\r\n").0, "EHLO me.example.org\r\n");
    assert!(client.event().is_none());
    assert_eq!(client.state(), State::Busy);
    assert_eq!(hear(&mut client, "250 mx\r\n"), (String::new(), Need::Answer));
    assert!(matches!(client.event(), Some(Event::Ready(_))));
}

/// 5321-2.4-f: nor addresses nor parameters outside ASCII go to a server that does not offer
/// SMTPUTF8.
#[test]
fn envelopes_are_ascii_without_smtputf8() {
    let with = |from: &str, to: &str| Mail {
        envelope: Envelope::new(from, &[to]).unwrap(),
        ..mail(&[BOB], "x\r\n")
    };
    for message in [
        with("\u{fc}@example.com", BOB),
        with("ann@\u{fc}.example.com", BOB),
        with("ann@example.com", "\u{fc}@example.com"),
    ] {
        let notes = Dialogue::new([Act::Send(message)]).plays(&format!("{OPEN}{QUIT}"));
        assert_eq!(notes[0], "not offered: the message needs SMTPUTF8, which is not offered");
    }
    let parameters = Parameters::parse("X-OWN=\u{fc}").unwrap().into_owned();
    let envelope = Envelope::new("ann@example.com", &[BOB]).unwrap();
    for envelope in [
        envelope.clone().with_parameters(parameters.clone()),
        envelope.with_recipient(ForwardPath::Postmaster, parameters),
    ] {
        let message = Mail { envelope, ..mail(&[BOB], "x\r\n") };
        let notes = Dialogue::new([Act::Send(message)]).plays(&format!("{OPEN}{QUIT}"));
        assert_eq!(notes[0], "not offered: the message needs SMTPUTF8, which is not offered");
    }
}

/// 5321-4.1.1.2-c, 5321-4.1.1.3-g, 5321-3.2-c: neither parameters of the application's nor of the
/// client's own.
#[test]
fn only_parameters_of_announced_extensions_are_sent() {
    let with = |of_mail: &str, of_rcpt: &str| Mail {
        envelope: Envelope::from_reverse_path(ReversePath::Null)
            .with_parameters(Parameters::parse(of_mail).unwrap().into_owned())
            .with_recipient(
                ForwardPath::parse("<bob@example.net>").unwrap().into_owned(),
                Parameters::parse(of_rcpt).unwrap().into_owned(),
            ),
        ..mail(&[], "x\r\n")
    };
    let messages = [
        (with("SIZE=3", ""), "SIZE"),
        (with("RET=HDRS", ""), "RET"),
        (with("BODY=8BITMIME", ""), "BODY"),
        (with("", "NOTIFY=NEVER"), "NOTIFY"),
        (with("", "ORCPT=rfc822;bob@example.net"), "ORCPT"),
    ];
    let helo = "S: 220 mx
        C: EHLO me.example.org
        S: 500 what?
        C: HELO me.example.org
        S: 250-mx
        S: 250-SIZE
        S: 250-8BITMIME
        S: 250 DSN";
    for opening in [OPEN, helo] {
        for (message, keyword) in &messages {
            let notes =
                Dialogue::new([Act::Send(message.clone())]).plays(&format!("{opening}{QUIT}"));
            let expected = format!("not offered: the parameter {keyword} is not offered");
            assert_eq!(notes[0], expected);
        }
        Dialogue::new([Act::Send(with("", ""))]).plays(&format!(
            "{opening}
             C: MAIL FROM:<>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 550 no
             {QUIT}"
        ));
    }
    let announced = format!(
        "{}
         C: MAIL FROM:<> RET=HDRS SIZE=3
         S: 250 ok
         C: RCPT TO:<bob@example.net> NOTIFY=NEVER
         S: 550 no
         {QUIT}",
        OPEN.replace("250 mx", "250-mx\nS: 250-SIZE\nS: 250 DSN")
    );
    Dialogue::new([Act::Send(with("RET=HDRS", "NOTIFY=NEVER"))]).plays(&announced);
}

/// 5321-3.3-h: whatever else the server replies to DATA, no content follows.
#[test]
fn content_waits_for_354() {
    let data = format!(
        "{OPEN}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA"
    );
    for code in ["450", "451", "452", "499", "500", "503", "550", "554", "599"] {
        let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!("{data}\nS: {code} no{QUIT}"));
        assert_eq!(notes[0], format!("0: <bob@example.net> {code} no"));
    }
    for code in ["220", "250", "299", "334", "355", "421"] {
        Dialogue::sends(&[BOB], "x\r\n").plays(&format!("{data}\nS: {code} hm\nC: (closed)"));
    }
}

/// 5321-4.2-c, 5321-4.2-f, 5321-4.3.2-a: codes that no standard has are read by their first digit, whatever
/// the text says.
#[test]
fn unknown_codes_are_read_by_their_first_digit() {
    for (ready, ok, go) in [("220", "250", "354"), ("299", "200", "300"), ("222", "259", "399")] {
        for text in ["", "421 closing", "5.7.1 no, and stay away", "354"] {
            let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&format!(
                "S: {ready} {text}
                 C: EHLO me.example.org
                 S: {ok} {text}
                 C: MAIL FROM:<ann@example.org>
                 S: {ok} {text}
                 C: RCPT TO:<bob@example.net>
                 S: {ok} {text}
                 C: DATA
                 S: {go} {text}
                 C: x
                 C: .
                 S: {ok} {text}
                 C: QUIT
                 S: {ok} {text}
                 C: (closed)"
            ));
            assert_eq!(notes[0], format!("0: <bob@example.net> {ok} {text}").trim_end());
            assert_eq!(notes[1], "end: the session was ended with QUIT");
        }
    }
    for code in ["400", "449", "499", "500", "549", "599"] {
        for text in ["", "2.0.0 ok", "250 ok"] {
            let mut client = sending(config(), 0);
            hear(&mut client, &format!("{code} {text}\r\n"));
            let report = report(&mut client);
            let outcome = report.outcomes().next().unwrap();
            assert_eq!(outcome.is_transient(), code.starts_with('4'), "{code} {text}");
            assert_eq!(outcome.is_permanent(), code.starts_with('5'), "{code} {text}");
        }
    }
}

/// 5321-3.4-c: forwarding is the server's affair.
#[test]
fn a_forwarded_recipient_is_accepted() {
    let mut client = sending(config(), 1);
    hear(&mut client, "251 User not local; will forward to <dora@example.com>\r\n");
    hear(&mut client, "354 go\r\n");
    let Some(Event::Content(content)) = client.event() else { panic!("no content") };
    content.finish().unwrap();
    write(&mut client, Instant::ORIGIN);
    hear(&mut client, "250 ok\r\n");
    assert!(report(&mut client).is_delivered_to_all());
}

/// 5321-3.8-c, 5321-6.1-a: after the final dot the outcome is unknown, before it nothing was sent; both may be
/// tried later, and neither is called delivered.
#[test]
fn a_lost_connection_is_a_temporary_failure() {
    for replies in 0..=3 {
        for how in [Some(Closed::Clean), Some(Closed::CutOff), None] {
            let mut client = sending(config(), replies);
            match how {
                Some(how) => client.closed(how),
                None => client.unsendable(),
            }
            let need = client.poll(Instant::since_origin(Duration::from_secs(3600)));
            assert_eq!(need, Need::Answer);
            let report = report(&mut client);
            let outcome = report.outcomes().next().unwrap();
            assert!(outcome.is_transient() && !outcome.is_delivered(), "{replies} {how:?}");
            let is_ended = replies == 3;
            let expected = if is_ended { Outcome::Unknown } else { Outcome::Untried };
            assert_eq!(*outcome, expected, "{replies} {how:?}");
            assert_eq!(report.rest().is_some(), !is_ended, "what is unknown is not sent again");
        }
    }
}

/// 5321-4.1.1.4-f, 5321-4.1.1.4-g: a line end is added where it is missing, and nothing where
/// there is one.
#[test]
fn content_ends_with_one_line_end() {
    for (content, wire) in [
        ("abc", "C: abc"),
        ("abc\r\n", "C: abc"),
        ("abc\r\n\r\n", "C: abc\nC:"),
        ("", ""),
        ("\r\n", "C:"),
        (".", "C: .."),
    ] {
        let notes = Dialogue::sends(&[BOB], content).plays(&format!(
            "{OPEN}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             {wire}
             C: .
             S: 250 ok
             {QUIT}"
        ));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok", "{content:?}");
    }
}

/// 5321-4.1.1.4-h, 5321-4.4-j, 5321-4.5.3.1.6-b: what is better not sent is known before.
#[test]
fn facts_report_content_that_should_not_be_sent() {
    for octet in 0..=u8::MAX {
        let facts = MessageFacts::scan(&[b'a', octet, b'b']);
        let is_control = matches!(octet, 0..=8 | 11 | 12 | 14..=31 | 127);
        assert_eq!(facts.has_control(), Some(is_control), "{octet}");
    }
    for (header, expected) in [
        ("Return-Path: <a@b.org>\r\nSubject: x", true),
        ("Subject: x\r\nreturn-path:<>", true),
        ("Subject: Return-Path: x\r\nX-Return-Path: x", false),
        ("Subject: x\r\n\r\nReturn-Path: <a@b.org>", false),
    ] {
        let facts = MessageFacts::scan(format!("{header}\r\n\r\nbody\r\n").as_bytes());
        assert_eq!(facts.has_return_path(), Some(expected), "{header}");
    }
    for length in [998, 999] {
        let line = "a".repeat(length);
        let facts = MessageFacts::scan(format!("short\r\n{line}\r\nshort\r\n").as_bytes());
        assert_eq!(facts.longest_line(), length as u64);
    }
}

/// 5321-4.1.1.10-b, 5321-4.1.1.10-c, 5321-4.1.4-k: QUIT is the last command that the client sends, also
/// where the session was never opened, and the client closes after its reply.
#[test]
fn quit_comes_last_and_is_waited_for() {
    for opening in [
        "S: 554 no service",
        "S: 452 not now",
        "S: 220 mx\nC: EHLO me.example.org\nS: 521 no",
        "S: 220 mx\nC: EHLO me.example.org\nS: 554 no\nC: HELO me.example.org\nS: 550 no",
        "S: 220 mx\nC: EHLO me.example.org\nS: 500 what?\nC: HELO me.example.org\nS: 550 no",
        OPEN,
    ] {
        let opening = format!("{opening}\nC: QUIT");
        let played = Dialogue::new([]).plays(&format!("{opening}\nS: 221 bye\nC: (closed)"));
        assert_eq!(played.len(), 1, "only how it ended: {played:?}");
        let waiting = Dialogue::new([]).plays_whole(&format!("{opening}\n(299 s)"));
        assert!(waiting[0].starts_with("Read("), "{waiting:?}");
        Dialogue::new([])
            .plays(&format!("{opening}\nS: 221-bye\n(299 s)\nS: 221 bye\nC: (closed)"));
        Dialogue::new([]).plays(&format!("{opening}\n(300 s)\nC: (closed)"));
    }
    // After a transaction that failed, and after a rejected command.
    Dialogue::sends(&[BOB], "x\r\n")
        .plays(&format!("{OPEN}C: MAIL FROM:<ann@example.org>\nS: 550 no\n{QUIT}"));
    Dialogue::new([Act::Noop]).plays(&format!("{OPEN}C: NOOP\nS: 500 what?\n{QUIT}"));
}

/// 5321-4.1.4-g: from MAIL on there is no question that could be answered with another MAIL,
/// until the transaction has its report.
#[test]
fn a_transaction_is_over_before_the_next_mail() {
    for replies in 0..=3 {
        let mut client = sending(config(), replies);
        assert!(client.event().is_none(), "{replies}");
        client.ready();
        let (said, need) = write(&mut client, Instant::ORIGIN);
        assert!(said.is_empty() && matches!(need, Need::Read(_)), "{replies}: {said}");
    }
}

/// 5321-4.2.1-d, 5321-4.5.4.1-a: what was refused for good is not sent again by itself, and not
/// held against the next message.
#[test]
fn a_5yz_is_for_the_message_that_got_it() {
    for replies in 0..=3 {
        let mut client = sending(config(), replies);
        hear(&mut client, "550 5.7.1 not this\r\n");
        let report = report(&mut client);
        assert!(report.outcomes().all(Outcome::is_permanent), "{replies}");
        assert_eq!((report.retry(0), report.rest()), (Some(Retry::Never), None), "{replies}");
        assert_eq!(write(&mut client, Instant::ORIGIN).0, "", "nothing goes out by itself");
    }

    let acts = [Act::Send(mail(&[BOB], "x\r\n")), Act::Send(mail(&[BOB], "x\r\n"))];
    let notes = Dialogue::new(acts).plays(&format!(
        "{OPEN}
         C: MAIL FROM:<ann@example.org>
         S: 550 5.7.1 not from you
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         {QUIT}"
    ));
    assert_eq!(
        notes[..2],
        ["0: <bob@example.net> 550 5.7.1 not from you", "1: <bob@example.net> 250 ok"]
    );
}

/// 5321-4.5.3.1-b: what is longer than every server takes may be sent, and refused.
#[test]
fn refused_sizes_are_reported() {
    let local = "a".repeat(64);
    let domain = format!("{}.example", ["b".repeat(60), "c".repeat(60)].join("."));
    let long = format!("{local}@{domain}");
    for reply in ["500 line too long", "501 path too long", "553 5.1.3 path too long"] {
        let notes = Dialogue::sends(&[&long, BOB], &"x".repeat(2000)).plays_whole(&format!(
            "{OPEN}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<{long}>
             S: {reply}
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: DATA
             S: 354 go
             C: {}
             C: .
             S: {reply}
             {QUIT}",
            "x".repeat(2000)
        ));
        assert_eq!(notes[0], format!("0: <{long}> {reply}, <bob@example.net> {reply}"));
    }
}

/// 5321-4.5.3.1.8-c: a recipient that was too many goes with the next transaction.
#[test]
fn recipients_beyond_100_go_in_a_further_transaction() {
    let all: Vec<String> = (0..150).map(|number| format!("{number}@example.net")).collect();
    let to: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut client = Client::new(config(), Security::CLEAR);
    hear(&mut client, "220 mx\r\n");
    hear(&mut client, "250-mx\r\n250 PIPELINING\r\n");
    let (mut envelope, mut transactions) = (Some(Envelope::new("", &to).unwrap()), Vec::new());
    while let Some(next) = envelope.take() {
        let recipients = next.len();
        let Some(Event::Ready(ready)) = client.event() else { panic!("not ready") };
        ready.send(next, MessageFacts::scan(b"")).unwrap();
        let (mut sent, _) = write(&mut client, Instant::ORIGIN);
        let mut accepted = 0;
        while let Some((line, rest)) = sent.split_once("\r\n") {
            let is_rcpt = line.starts_with("RCPT");
            let is_full = is_rcpt && accepted == 100;
            accepted += usize::from(is_rcpt && !is_full);
            let reply = match line {
                "DATA" => "354 go\r\n",
                _ if is_full => "452 4.5.3 too many\r\n",
                _ => "250 ok\r\n",
            };
            sent = rest.to_owned() + &hear(&mut client, reply).0;
        }
        let Some(Event::Content(content)) = client.event() else { panic!("no content") };
        content.finish().unwrap();
        write(&mut client, Instant::ORIGIN);
        hear(&mut client, "250 ok\r\n");
        let report = report(&mut client);
        write(&mut client, Instant::ORIGIN);
        let delivered = report.outcomes().filter(|outcome| outcome.is_delivered()).count();
        transactions.push((recipients, delivered));
        envelope = report.rest();
    }
    assert_eq!(transactions, [(150, 100), (50, 50)]);
}

/// 5321-4.5.3.2-a, 5321-4.5.3.2-b: each phase has a deadline of its own, which can be set.
#[test]
fn deadlines_are_set_command_by_command() {
    let seconds = Duration::from_secs;
    let timeouts = config()
        .timeouts()
        .clone()
        .with_greeting(seconds(10))
        .with_command(seconds(20))
        .with_mail(seconds(30))
        .with_rcpt(seconds(40))
        .with_data(seconds(50))
        .with_end_of_content(seconds(60));
    let config = config().with_timeouts(timeouts);
    let mut client = Client::new(config.clone(), Security::CLEAR);
    let until = |second| Need::Read(Instant::since_origin(seconds(second)));
    assert_eq!(client.poll(Instant::ORIGIN), until(10), "the greeting");
    assert_eq!(hear(&mut client, "220 mx\r\n").1, until(20), "EHLO");
    for (replies, second) in [(0, 30), (1, 40), (2, 50), (3, 60)] {
        let mut client = sending(config.clone(), replies);
        assert_eq!(client.poll(Instant::ORIGIN), until(second));
        assert_eq!(client.poll(Instant::since_origin(seconds(second))), Need::Answer);
        assert_eq!(client.end(), Some(&End::TimedOut));
    }
    let timeouts = config.timeouts().clone().with_block(seconds(70));
    let mut client = sending(config.with_timeouts(timeouts).with_line_ends(LineEnds::Strict), 2);
    hear(&mut client, "354 go\r\n");
    let Some(Event::Content(mut content)) = client.event() else { panic!("no content") };
    content.write(b"x\r\n").unwrap();
    content.flush();
    let Need::Either(deadline) = client.poll(Instant::ORIGIN) else { panic!("nothing to write") };
    assert_eq!(deadline.elapsed().as_secs(), 70, "a block");
}
