//! RFC 5321: what binds both ends, and trace fields (sections 2.2.1 to 7.2, appendix D).

use crate::{
    common::{HELLO, config, converse, converse_with},
    dialogue::{Act, Dialogue, Mail, after_offer, mail},
};
use esmtp::{
    client::MessageFacts,
    envelope::Envelope,
    sasl::{Attempt, Mechanism, Nonce, Offer, Question},
    security::Security,
    server::{Config, Event},
    syntax::{
        Command, Domain, ForwardPath, HelloName, Host, Lenience, Mailbox, Parameters, ReversePath,
    },
    trace::{Hops, Protocol, Received, ReturnPath, Timestamp},
    wire::{BareLineBreaks, LineEnds, Span, Stuffer, Unstuffer},
};
use std::{fmt::Write as _, time::Duration};

const BOB: &str = "bob@example.net";

const TAKEN: &str = "
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
";

/// 5321-2.2.1-c: RFC 5321 section 2.2.1.
#[test]
fn helo_opens_a_session() {
    let experience = converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: HELO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: x
         C: .
         S: 250 2.0.0 queued",
    );
    assert_eq!(experience.messages.len(), 1);
}

/// 5321-2.3.4-a: RFC 5321 section 2.3.4. A host without a name uses an address literal.
#[test]
fn hosts_are_called_by_their_names() {
    for host in ["me.example.org", "[192.0.2.1]"] {
        let config = esmtp::client::Config::new(host).unwrap();
        Dialogue::new([]).with(|_| config).plays(&format!(
            "S: 220 mx
             C: EHLO {host}
             S: 250 mx
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    }
    let by = Host::parse("mx.example.org").unwrap();
    let at = Timestamp::since_unix_epoch(Duration::ZERO);
    let name = Domain::new("client.example.net").unwrap();
    let hello = HelloName::from(by.clone());
    let field = Received::new(&by, Protocol::new("ESMTP").unwrap(), at)
        .with_from(&hello)
        .with_peer("192.0.2.1".parse().unwrap(), Some(&name));
    assert!(field.to_string().contains("from mx.example.org\r\n (client.example.net [192.0.2.1])"));
}

/// 5321-2.3.11-a: RFC 5321 section 2.3.11. What a local-part means is kept, and so is its form where
/// it is the shortest.
#[test]
fn a_local_part_goes_through_uninterpreted() {
    for local_part in ["a.b+c%d!e", "A.b", r#""x@y@z""#, r#"".a""#] {
        let line = format!("RCPT TO:<{local_part}@example.com>\r\n");
        let mut out = Vec::new();
        Command::parse(line.trim_end().as_bytes(), Lenience::STRICT).unwrap().encode(&mut out);
        assert_eq!(out, line.as_bytes());
    }
    for local_part in [
        "a.b+c%d!e",
        "A.b",
        "x@y@z",
        "ann smith",
        "a\\b",
        "a\"b",
        ".a",
        "a..b",
        "postMASTER",
        "a+tag=x",
    ] {
        let quoted = esmtp::syntax::LocalPart::from_unquoted(local_part).unwrap();
        let mailbox = format!("{quoted}@example.com");
        let line = format!("RCPT TO:<{mailbox}>");
        let Command::Rcpt { forward_path, parameters } =
            Command::parse(line.as_bytes(), Lenience::STRICT).unwrap()
        else {
            panic!("{line}");
        };
        let read = forward_path.mailbox().unwrap().local_part().clone();
        assert_eq!(read.unquoted(), local_part);
        let mut out = Vec::new();
        Command::Rcpt { forward_path, parameters }.encode(&mut out);
        assert_eq!(out, format!("{line}\r\n").into_bytes());
    }
    let escaped = Mailbox::parse(r#""a\.b"@example.com"#).unwrap();
    assert_eq!(escaped.local_part().unquoted(), "a.b");
    assert_eq!(escaped.local_part().as_str(), r#""a\.b""#);
    assert_eq!(escaped.to_string(), "a.b@example.com");
}

/// 5321-3.6.3-a, 5321-3.9-a, 5321-4.5.5-a: RFC 5321 sections 3.6.3, 3.9 and 4.5.5.
#[test]
fn nothing_rewrites_the_envelope() {
    for path in ["<Ann+Tag@Example.ORG>", "<>", "<\"a b\"@example.org>", "<a@[192.0.2.1]>"] {
        let reverse_path = ReversePath::parse(path).unwrap().into_owned();
        let envelope = Envelope::from_reverse_path(reverse_path)
            .with_recipient(ForwardPath::parse("<Bob@Example.NET>").unwrap(), Parameters::NONE);
        let mail = Mail { envelope, ..mail(&[BOB], "x\r\n") };
        Dialogue::new([Act::Send(mail)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:{path}
             S: 250 ok
             C: RCPT TO:<Bob@Example.NET>
             S: 250 ok
             C: DATA
             S: 354 go
             C: x
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        let script = format!("{HELLO}C: MAIL FROM:{path}{TAKEN}C: x\nC: .\nS: 250 2.0.0 queued");
        let experience = converse(config(), &script);
        assert_eq!(experience.messages[0].from, path);
    }
}

/// 5321-4.1.1.5-e: RFC 5321 section 4.1.1.5.
#[test]
fn rset_leaves_hello_and_auth_alone() {
    let answer = |experience: &mut crate::common::Experience, event: Event<'_>| match event {
        Event::Auth(auth) => {
            let channel = Security::TLS.channel();
            let nonce = Nonce::new([1; 18]);
            let attempt = Attempt { channel: &channel, proven: None, nonce, unix_seconds: 0 };
            let offer = Offer::new([Mechanism::PLAIN]).with_secrets_in_clear();
            let verifier = offer.verifier(auth.mechanism(), attempt).unwrap();
            auth.verify(verifier);
        }
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.accept(),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        Event::Mail(mail) => {
            experience.log.push(mail.facts().protocol().to_string());
            mail.accept();
        }
        other => experience.answer(other),
    };
    let offering = config()
        .with_extensions(esmtp::syntax::Extensions::NONE.with(esmtp::syntax::Extension::StartTls))
        .with_auth(Offer::new([Mechanism::PLAIN]))
        .with_required_auth(true);
    let experience = converse_with(
        offering,
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 Ready to start TLS
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250 AUTH PLAIN
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 Authentication successful
         C: RSET
         S: 250 Ok
         C: MAIL FROM:<a@b.org>
         S: 250 Ok
         C: RSET
         S: 250 Ok
         C: MAIL FROM:<a@b.org>
         S: 250 Ok
         C: RSET
         S: 250 Ok
         C: STARTTLS
         S: 503 TLS already active
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 503 Already authenticated",
        answer,
    );
    let protocols: Vec<_> =
        experience.log.iter().filter(|line| line.starts_with("ESMTP")).collect();
    assert_eq!(protocols, ["ESMTPSA", "ESMTPSA"]);
    let first = Some("\0ann\0secret");
    let acts =
        [Act::AuthBySteps("PLAIN", first, &[]), Act::Reset, Act::Send(mail(&[BOB], "x\r\n"))];
    let secured = Dialogue { security: Security::TLS, ..Dialogue::new(acts) };
    let notes = secured.plays(&after_offer(
        "AUTH PLAIN",
        "C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: 235 welcome
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
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
}

/// 5321-4.1.1.10-e: RFC 5321 section 4.1.1.10.
#[test]
fn quit_aborts_what_is_open() {
    let script = format!(
        "{HELLO}C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)"
    );
    let experience = converse(config(), &script);
    assert!(experience.messages.is_empty());
    assert_eq!(experience.aborts(), ["Quit"]);
    assert!(!experience.log.iter().any(|line| line == "deliver"));
    // A client whose recipients are all refused has nothing to send, and RSET is not needed.
    let notes = Dialogue::sends(&[BOB], "x\r\n").plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550 no
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "0: <bob@example.net> 550 no");
}

/// 5321-4.1.4-c: RFC 5321 section 4.1.4.
#[test]
fn a_further_hello_is_a_reset() {
    for hello in ["EHLO", "HELO"] {
        let list = &HELLO[HELLO.find("S: 250-").unwrap()..];
        let answer = if hello == "EHLO" { list } else { "S: 250 mx.example.org\n" };
        let script = format!(
            "{HELLO}C: MAIL FROM:<old@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<old@d.org>
             S: 250 2.1.5 Ok
             C: {hello} other.example.net
             {answer}
             C: DATA
             S: 503 5.5.1 Need MAIL command
             C: MAIL FROM:<a@b.org>{TAKEN}C: x\nC: .
             S: 250 2.0.0 queued"
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.aborts(), ["Hello"]);
        assert_eq!(experience.messages.len(), 1);
        assert_eq!(experience.messages[0].from, "<a@b.org>");
        assert_eq!(experience.messages[0].to, ["<c@d.org>"]);
    }
}

/// The octets of the client's in front of each 421 that it may hear.
const HEARD: [(&str, &str); 8] = [
    ("", ""),
    ("C: EHLO me.example.org", "S: 250 mx"),
    ("C: NOOP", "S: 250 ok"),
    ("C: RSET", "S: 250 ok"),
    ("C: MAIL FROM:<ann@example.org>", "S: 250 ok"),
    ("C: RCPT TO:<bob@example.net>", "S: 250 ok"),
    ("C: DATA", "S: 354 go"),
    ("C: x\nC: .", "S: 250 ok"),
];

/// 5321-4.3.2-d: RFC 5321 section 4.3.2.
#[test]
fn a_421_in_reply_to_anything_ends_the_session() {
    for last in 0..=HEARD.len() {
        let mut script = String::new();
        for (index, (client, server)) in HEARD.iter().enumerate().take(last + 1) {
            let server = match (index, index == last) {
                (_, true) => "S: 421 4.3.2 down",
                (0, false) => "S: 220 mx",
                _ => server,
            };
            writeln!(script, "{client}\n{server}").unwrap();
        }
        if last == HEARD.len() {
            script.push_str("C: QUIT\nS: 421 4.3.2 down\n");
        }
        script.push_str("C: (closed)");
        let acts = [Act::Noop, Act::Reset, Act::Send(mail(&[BOB], "x\r\n"))];
        let notes = Dialogue::new(acts).plays(&script);
        let (outcome, end) = match last {
            0..=3 => (None, "the server refused to go on with the session: 421 4.3.2 down"),
            4..=7 => (
                Some("0: <bob@example.net> 421 4.3.2 down"),
                "the server refused to go on with the session: 421 4.3.2 down",
            ),
            _ => (Some("0: <bob@example.net> 250 ok"), "the session was ended with QUIT"),
        };
        let sent: Vec<_> = notes.iter().filter(|note| note.starts_with("0:")).collect();
        assert_eq!(sent, Vec::from_iter(outcome), "{script}");
        assert!(notes.last().unwrap().contains(end), "{script}\n{notes:?}");
    }
}

fn received<'a>(by: &'a Host<'a>) -> Received<'a> {
    let at = Timestamp::since_unix_epoch(Duration::from_secs(1_000_000_000));
    Received::new(by, Protocol::new("ESMTP").unwrap(), at)
}

/// 5321-4.4-c, 5321-4.4-d, 5321-7.2-a, 5321-7.6-a: RFC 5321 sections 4.4, 7.2 and 7.6.
#[test]
fn the_clauses_of_a_trace_field_have_their_order() {
    let by = Host::parse("mx.example.org").unwrap();
    let from = HelloName::new("client.example.net").unwrap();
    let (one, two) =
        (ForwardPath::parse("<c@d.org>").unwrap(), ForwardPath::parse("<e@f.org>").unwrap());
    let field = received(&by)
        .with_id("1")
        .with_recipients([one.clone()])
        .with_peer("192.0.2.1".parse().unwrap(), None)
        .with_from(&from);
    let unfolded = field.to_string().replace("\r\n ", " ");
    assert_eq!(
        unfolded,
        "Received: from client.example.net ([192.0.2.1]) by mx.example.org with ESMTP id 1 \
         for <c@d.org>; Sun, 9 Sep 2001 01:46:40 +0000\r\n"
    );
    let field = received(&by).with_from(&from).to_string();
    assert!(field.starts_with("Received: from client.example.net\r\n by mx"), "{field}");
    for several in [vec![], vec![one.clone(), two.clone()], vec![one, two.clone(), two]] {
        let field = received(&by).with_recipients(several).to_string();
        assert!(!field.contains("for") && !field.contains('@'), "{field}");
    }
}

/// 5321-4.4-e, 5321-4.4-f: RFC 5321 section 4.4.
#[test]
fn a_date_has_four_digits_of_year_and_an_offset() {
    for seconds in [0, 86_399, 951_782_400, 1_700_000_000, 4_107_542_400, 253_402_300_799_u64] {
        let date = Timestamp::since_unix_epoch(Duration::from_secs(seconds)).to_string();
        let (weekday, rest) = date.split_once(", ").unwrap();
        assert!(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&weekday));
        let words: Vec<_> = rest.split(' ').collect();
        assert_eq!(words.len(), 5, "{date}");
        assert!((1..=31).contains(&words[0].parse::<u8>().unwrap()));
        assert_eq!(words[1].len(), 3);
        assert!(words[2].len() == 4 && words[2].bytes().all(|octet| octet.is_ascii_digit()));
        let time: Vec<_> =
            words[3].split(':').map(|it| (it.len(), it.parse::<u8>().unwrap())).collect();
        assert!(matches!(time[..], [(2, ..24), (2, ..60), (2, ..60)]), "{date}");
        assert_eq!(words[4], "+0000");
    }
}

/// Puts a trace field and a Return-Path in front of the content, as a server of final delivery does.
fn stamp(experience: &mut crate::common::Experience, event: Event<'_>) {
    if let Event::Deliver(delivery) = &event {
        let facts = delivery.facts();
        let by = Host::parse("mx.example.org").unwrap();
        let field =
            Received::new(&by, facts.protocol(), Timestamp::since_unix_epoch(Duration::ZERO))
                .with_from(facts.hello_name().unwrap())
                .with_peer("192.0.2.1".parse().unwrap(), None)
                .with_recipients(delivery.envelope().recipients().map(|it| it.forward_path()));
        let path = ReturnPath(&delivery.envelope().reverse_path()).to_string();
        experience.log.push(path + &field.to_string());
    }
    experience.answer(event);
}

/// 5321-4.4-a, 5321-4.4-b, 5321-4.4-g, 5321-4.4-h, 5321-4.4-i: RFC 5321 section 4.4.
#[test]
fn trace_fields_come_from_the_session() {
    let old =
        "Received: from b\r\n by c; x\r\nReceived: from a by b; y\r\nReturn-Path: <z@z.org>\r\n";
    for (hello, with, from) in
        [("EHLO", "ESMTP", "<a@b.org>"), ("HELO", "SMTP", "<a@b.org>"), ("EHLO", "ESMTP", "<>")]
    {
        let opening = match hello {
            "EHLO" => HELLO.to_owned(),
            _ => "S: 220 mx.example.org ESMTP service ready
                  C: HELO client.example.net
                  S: 250 mx.example.org\n"
                .to_owned(),
        };
        let script = format!(
            "{opening}C: MAIL FROM:{from}{TAKEN}C| {}\\r\\nbody\\r\\n.\\r\\n
             S: 250 2.0.0 queued",
            old.escape_default()
        );
        let experience = converse_with(config(), &script, stamp);
        let stamped = experience.log.iter().find(|line| line.starts_with("Return-Path")).unwrap();
        assert_eq!(
            *stamped,
            format!(
                "Return-Path: {from}\r\nReceived: from client.example.net\r\n ([192.0.2.1])\r\n \
                 by mx.example.org with {with}\r\n for <c@d.org>;\r\n \
                 Thu, 1 Jan 1970 00:00:00 +0000\r\n"
            )
        );
        let content = &experience.messages[0].content;
        assert_eq!(*content, format!("{old}\r\nbody\r\n").into_bytes());
    }
}

/// 5321-6.3-a: RFC 5321 section 6.3.
#[test]
fn a_mail_loop_is_detected_by_the_count_of_received_fields() {
    let field = "Received: from a.example\r\n by b.example with SMTP;\r\n Thu, 1 Jan 1970 00:00:00 +0000\r\n";
    let others =
        "Subject: Received: x\r\n Received: y\r\nX-Received: z\r\nReceive: a\r\nReceivedX: b\r\n";
    for (fields, are_too_many) in [(0, false), (99, false), (100, true), (150, true)] {
        let message = format!("{others}{}\r\n{field}", field.repeat(fields));
        for cut in [1, 7, 64, message.len()] {
            let mut hops = Hops::default();
            message.as_bytes().chunks(cut).for_each(|octets| hops.observe(octets));
            assert_eq!(hops.count() as usize, fields);
            assert_eq!(hops.are_too_many(), are_too_many);
        }
    }
    const { assert!(Hops::LIMIT >= 100) }
    let mut hops = Hops::default();
    hops.observe(b"RECEIVED : x\r\nreceived\t: y\r\nReceived x: z\r\n");
    assert_eq!(hops.count(), 2);
}

/// 5321-6.1-b: RFC 5321 section 6.1.
#[test]
fn a_notification_goes_to_the_end_of_a_source_route() {
    let path = ReversePath::parse("<@a.example,@b.example:user@d.example>").unwrap();
    assert_eq!(path.mailbox().unwrap().to_string(), "user@d.example");
    assert_eq!(path.to_string(), "<user@d.example>");
    assert_eq!(ReturnPath(&path).to_string(), "Return-Path: <user@d.example>\r\n");
    let script = format!(
        "{HELLO}C: MAIL FROM:<@a.example,@b.example:user@d.example>{TAKEN}C: .\nS: 250 2.0.0 queued"
    );
    assert_eq!(converse(config(), &script).messages[0].from, "<user@d.example>");
}

/// 5321-4.5.2-e: RFC 5321 section 4.5.2. A client sends no bare line break; what a server that keeps
/// them gets is not unstuffed after one.
#[test]
fn only_dots_after_crlf_are_stuffed() {
    let script = format!(
        r"{HELLO}C: MAIL FROM:<a@b.org>{TAKEN}C| a\n.b\r.c\n..d\r..e\n\r..f\r\n.\r\n
        S: 250 2.0.0 queued"
    );
    let experience = converse(config().with_bare_line_breaks(BareLineBreaks::Keep), &script);
    assert_eq!(experience.messages[0].content, b"a\n.b\r.c\n..d\r..e\n\r..f\r\n");
    let mut out = Vec::new();
    let mut stuffer = Stuffer::new(LineEnds::Strict);
    stuffer.stuff(b"a.b..c\r\nd.\r\n", &mut out).unwrap();
    stuffer.finish(&mut out).unwrap();
    assert_eq!(out, b"a.b..c\r\nd.\r\n.\r\n");
    for content in [&b"a\n.b"[..], b"a\r.b"] {
        let (mut out, mut stuffer) = (Vec::new(), Stuffer::new(LineEnds::Strict));
        assert!(stuffer.stuff(content, &mut out).is_err());
        assert!(!out.contains(&b'.'));
    }
}

/// 5321-4.5.3.1-a, 5321-4.5.3.1.6-a: RFC 5321 section 4.5.3.1.
#[test]
fn everything_of_the_least_size_is_handled() {
    let local_part = "l".repeat(64);
    // 4 * 63 + 3 is the greatest domain that DNS has; a path has room for less of it.
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{label}.{}", "d".repeat(61));
    assert!(Domain::new(format!("{domain}dd")).is_ok() && domain.len() == 253);
    let path = format!("<{local_part}@{}>", &domain[64..]);
    let longest = format!("<{local_part}@{}>", &domain[domain.len() - 189..]);
    assert_eq!(longest.len(), 256);
    for path in [path, longest] {
        let text = "x".repeat(998);
        let dots = format!(".{}", "y".repeat(997));
        let script = format!(
            "S: 220 mx.example.org ESMTP service ready
             C: EHLO {domain}
             {}C: MAIL FROM:{path}
             S: 250 2.1.0 Ok
             C: RCPT TO:{path}
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: {text}
             C: .{dots}
             C: .
             S: 250 2.0.0 queued",
            HELLO.split_once("client.example.net\n").unwrap().1
        );
        let experience = converse(config(), &script);
        let content = format!("{text}\r\n{dots}\r\n");
        assert_eq!(experience.messages[0].content, content.as_bytes());
        assert_eq!(experience.messages[0].to, [path.as_str()]);
        let mut envelope =
            Envelope::from_reverse_path(ReversePath::parse(&path).unwrap().into_owned());
        envelope.push(ForwardPath::parse(&path).unwrap().into_owned(), Parameters::NONE);
        let facts = MessageFacts::scan(content.as_bytes());
        let sent = Mail { envelope, facts, content: content.into_bytes(), aborts: false };
        let notes = Dialogue::new([Act::Send(sent)]).plays_whole(&format!(
            "S: 220 {domain} {}
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:{path}
             S: 250 {}
             C: RCPT TO:{path}
             S: 250 ok
             C: DATA
             S: 354 go
             C: {text}
             C: .{dots}
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)",
            "t".repeat(512 - domain.len() - "220  \r\n".len()),
            "t".repeat(512 - "250 \r\n".len()),
        ));
        assert_eq!(notes[0], format!("0: {path} 250 ok"));
    }
}

/// 5321-4.1.1.4-d, 5321-4.1.1.4-e, 5321-4.5.2-c: RFC 5321 sections 4.1.1.4 and 4.5.2, at both ends.
#[test]
fn content_comes_out_as_it_went_in() {
    for content in ["", ".x\r\n", ".\r\n", "..\r\n", "a\r\n", "a\r\n.\r\n.b\r\n\r\n"] {
        let mut wire = Vec::new();
        let mut stuffer = Stuffer::new(LineEnds::Strict);
        stuffer.stuff(content.as_bytes(), &mut wire).unwrap();
        stuffer.finish(&mut wire).unwrap();
        assert!(wire.ends_with(b".\r\n"));
        let (mut rest, mut got) = (&wire[..], Vec::new());
        let mut unstuffer = Unstuffer::new(BareLineBreaks::Reject);
        loop {
            let octets = match unstuffer.next(rest) {
                Span::Content(octets) => {
                    got.extend_from_slice(&rest[..octets]);
                    octets
                }
                Span::Skip(octets) => octets,
                Span::End(octets) => break assert_eq!(octets, rest.len()),
                other => panic!("{other:?}"),
            };
            rest = &rest[octets..];
        }
        assert_eq!(got, content.as_bytes());
    }
}

/// 5321-6.4-a: RFC 5321 section 6.4. What is no message at all comes as it was sent, but for a last
/// line end.
#[test]
fn content_is_not_looked_at() {
    for content in [
        "no header at all\r\n",
        "\r\n\r\n\r\n",
        "Date: yesterday\r\nDate: today\r\nFrom\r\n: nothing\r\n",
        "Subject: \u{e9}\r\n\tx\r\n \r\n--\r\n",
        "From someone\r\n>From another\r\n",
        "Content-Length: 3\r\n\r\nfour\u{7}\t \r\n",
    ] {
        let script = format!(
            "{HELLO}C: MAIL FROM:<a@b.org>{TAKEN}C| {}.\\r\\n\nS: 250 2.0.0 queued",
            content
                .escape_default()
                .to_string()
                .replace("\\u{e9}", "\u{e9}")
                .replace("\\u{7}", "\\x07")
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.messages[0].content, content.as_bytes());
    }
}

/// 5321-3.3-l: RFC 5321 section 3.3. The call that sends is the only one, whatever preceded it.
#[test]
fn a_client_sends_mail_rcpt_data_in_this_order() {
    let acts = [Act::Noop, Act::Send(mail(&[BOB, "carl@example.net"], "x\r\n"))];
    let notes = Dialogue::new(acts).plays(&after_offer(
        "",
        "C: NOOP
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: RCPT TO:<carl@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes.len(), 2);
}

/// 5321-D.1-a: RFC 5321 appendix D.1, line by line, except the texts of the server.
#[test]
fn the_typical_scenario_runs_as_shown() {
    let experience = converse(
        Config::new("foo.com").unwrap(),
        "S: 220 foo.com ESMTP service ready
         C: EHLO bar.com
         S: 250-foo.com
         S: 250-SIZE 33554432
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-CHUNKING
         S: 250-BINARYMIME
         S: 250 HELP
         C: MAIL FROM:<Smith@bar.com>
         S: 250 2.1.0 Ok
         C: RCPT TO:<Jones@foo.com>
         S: 250 2.1.5 Ok
         C: RCPT TO:<nobody@foo.com>
         S: 550 5.1.1 No such mailbox here
         C: RCPT TO:<Brown@foo.com>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Blah blah blah...
         C: ...etc. etc. etc.
         C: .
         S: 250 2.0.0 queued
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
    );
    assert_eq!(experience.messages[0].to, ["<Jones@foo.com>", "<Brown@foo.com>"]);
    let content = "Blah blah blah...\r\n..etc. etc. etc.\r\n";
    assert_eq!(experience.messages[0].content, content.as_bytes());
    let to = ["Jones@foo.com", "Green@foo.com", "Brown@foo.com"];
    let envelope = Envelope::new("Smith@bar.com", &to).unwrap();
    let mail = Mail { envelope, ..mail(&to, content) };
    let notes = Dialogue::new([Act::Send(mail)])
        .with(|_| esmtp::client::Config::new("bar.com").unwrap())
        .plays(
            "S: 220 foo.com Simple Mail Transfer Service Ready
             C: EHLO bar.com
             S: 250-foo.com greets bar.com
             S: 250-8BITMIME
             S: 250-SIZE
             S: 250-DSN
             S: 250 HELP
             C: MAIL FROM:<Smith@bar.com> SIZE=37
             S: 250 OK
             C: RCPT TO:<Jones@foo.com>
             S: 250 OK
             C: RCPT TO:<Green@foo.com>
             S: 550 No such user here
             C: RCPT TO:<Brown@foo.com>
             S: 250 OK
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: Blah blah blah...
             C: ...etc. etc. etc.
             C: .
             S: 250 OK
             C: QUIT
             S: 221 foo.com Service closing transmission channel
             C: (closed)",
        );
    assert_eq!(
        notes[0],
        "0: <Jones@foo.com> 250 OK, <Green@foo.com> 550 No such user here, <Brown@foo.com> 250 OK"
    );
}
