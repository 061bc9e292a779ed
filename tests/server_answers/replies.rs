//! Replies of the application's own, and of another server.

use crate::talk::{Session, config};
use esmtp::{
    server::{Acceptance, Event},
    service::Service,
    syntax::{Code, Extension, Rejection, Reply, Status, Text},
};

/// Passes this reply of another server on, whatever the question is.
fn pass_on(event: Event<'_>, reply: &Reply<'_>) {
    match event {
        Event::Connect(connect) => connect.answer(reply),
        Event::Hello(hello) => hello.answer(reply),
        Event::Mail(mail) => mail.answer(reply),
        Event::Rcpt(rcpt) => rcpt.answer(reply),
        Event::Data(data) => data.answer(reply),
        Event::Content(content) => content.done(),
        Event::Deliver(delivery) => delivery.answer(reply),
        Event::Verify(verify) => verify.answer(reply),
        Event::Expand(expand) => expand.answer(reply),
        Event::Etrn(etrn) => etrn.answer(reply),
        other => other.proceed(),
    }
}

fn session() -> Session {
    Session::new(config().with_extension(Extension::Expn).with_extension(Extension::Etrn))
}

const COMMANDS: [&str; 7] = [
    "VRFY bob",
    "EXPN list",
    "ETRN x.y",
    "MAIL FROM:<a@x.y>",
    "RCPT TO:<b@x.y>",
    "DATA",
    "Subject: x\r\n\r\n.",
];

fn parsed(reply: &str) -> Reply<'static> {
    Reply::parse(reply.as_bytes()).unwrap().unwrap().0.into_owned()
}

#[test]
fn a_positive_reply_of_another_server_is_passed_on_unchanged() {
    let several = "250-2.1.5 First\r\n250 2.1.5 Second\r\n";
    let bare = "250 Fine\r\n";
    for (reply, after_data) in [(several, "354-First\r\n354 Second\r\n"), (bare, "354 Fine\r\n")] {
        let mut session = session();
        let other = parsed(reply);
        let greeting = session.say("EHLO c.example.net", |event| pass_on(event, &other));
        assert!(greeting.starts_with("250-mx.example.org\r\n"), "{greeting}");
        for command in COMMANDS {
            let expected = if command == "DATA" { after_data } else { reply };
            let replies = session.say(command, |event| pass_on(event, &other));
            assert_eq!(replies, expected, "{command}");
        }
    }
}

#[test]
fn a_negative_reply_of_another_server_is_passed_on_unchanged() {
    let reply = "452-4.2.2 Mailbox\r\n452 4.2.2 is full\r\n";
    for refused in ["MAIL FROM:<a@x.y>", "RCPT TO:<b@x.y>", "DATA", "Subject: x\r\n\r\n."] {
        let mut session = session();
        let (yes, no) = (parsed("250 2.0.0 Ok\r\n"), parsed(reply));
        session.say("EHLO c.example.net", |event| pass_on(event, &yes));
        for command in &COMMANDS[3..] {
            let is_refused = *command == refused;
            let other = if is_refused { &no } else { &yes };
            let replies = session.say(command, |event| pass_on(event, other));
            if is_refused {
                assert_eq!(replies, reply, "{command}");
                break;
            }
        }
    }
}

/// RFC 5321 section 3.8: a 421 of the other server ends this session, too.
#[test]
fn a_421_of_another_server_ends_the_session() {
    let mut session = session();
    let (yes, no) = (parsed("250 2.0.0 Ok\r\n"), parsed("421 4.3.2 Bye\r\n"));
    session.say("EHLO c.example.net", |event| pass_on(event, &yes));
    let reply = session.say("MAIL FROM:<a@x.y>", |event| pass_on(event, &no));
    assert_eq!(reply, "421 4.3.2 Bye\r\n");
    assert_eq!(session.server().end().unwrap().as_str(), "refused");
}

#[test]
fn a_greeting_and_a_hello_keep_the_names_of_this_server() {
    let mut session = session();
    let greeting = parsed("220 backend.example.org ESMTP\r\n");
    let reply = session.say("EHLO c.example.net", |event| pass_on(event, &greeting));
    assert!(!reply.contains("backend"), "{reply}");
    let mut refused = self::session();
    let refusal = parsed("554 5.7.1 No\r\n");
    let reply = refused.say("EHLO c.example.net", |event| pass_on(event, &refusal));
    assert!(reply.starts_with("503"), "{reply}");
}

#[test]
fn an_acceptance_has_several_lines_and_a_status_of_its_own() {
    let mut session = session();
    let own = || {
        let lines = ["queued", "as 1"].map(Text::literal);
        Acceptance::lines(Status::DESTINATION_VALID, lines)
    };
    let mut answer = |event: Event<'_>| match event {
        Event::Mail(mail) => mail.accept_as(own()),
        Event::Rcpt(rcpt) => rcpt.accept_as(own()),
        Event::Data(data) => data.accept_as(own()),
        Event::Content(content) => content.done(),
        Event::Deliver(delivery) => delivery.accept_as(own()),
        Event::Verify(verify) => verify.accept_as(own()),
        other => other.proceed(),
    };
    session.say("EHLO c.example.net", &mut answer);
    for command in ["VRFY x", "MAIL FROM:<>", "RCPT TO:<b@x.y>", "DATA", "x\r\n."] {
        let expected = match command {
            "DATA" => "354-queued\r\n354 as 1\r\n",
            _ => "250-2.1.5 queued\r\n250 2.1.5 as 1\r\n",
        };
        assert_eq!(session.say(command, &mut answer), expected, "{command}");
    }
}

/// 2033-4.2-b
#[test]
fn each_recipient_of_lmtp_gets_the_reply_of_its_server() {
    let mut session = Session::new(config().with_service(Service::Lmtp));
    let answer = |event: Event<'_>| match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => content.done(),
        Event::Deliver(mut delivery) => {
            let mut each = delivery.per_recipient().unwrap();
            each.answer(1, &parsed("452 4.2.2 Full\r\n"));
            each.answer(0, &parsed("250-2.1.5 Yes\r\n250 2.1.5 indeed\r\n"));
            delivery.accept();
        }
        other => other.proceed(),
    };
    for line in [
        "LHLO c.example.net",
        "MAIL FROM:<>",
        "RCPT TO:<a@x.y>",
        "RCPT TO:<b@x.y>",
        "RCPT TO:<c@x.y>",
        "DATA",
    ] {
        session.say(line, answer);
    }
    let replies = session.say("x\r\n.", answer);
    let expected =
        "250-2.1.5 Yes\r\n250 2.1.5 indeed\r\n452 4.2.2 Full\r\n250 2.0.0 Message accepted\r\n";
    assert_eq!(replies, expected);
}

/// RFC 6531 section 3.7.4: an address beyond ASCII is for clients that asked for it.
#[test]
fn a_forwarding_address_beyond_ascii_is_not_sent_to_a_client_that_cannot_read_it() {
    let mut session = session();
    let yes = parsed("250 2.0.0 Ok\r\n");
    let moved = Reply::new(Code::WILL_FORWARD, None, "goes to <\u{e4}@x.y>").unwrap();
    for line in ["EHLO c.example.net", "MAIL FROM:<>"] {
        session.say(line, |event| pass_on(event, &yes));
    }
    let reply = session.say("RCPT TO:<b@x.y>", |event| pass_on(event, &moved));
    assert_eq!(reply, "250 2.1.5 Ok\r\n");
    let reply = session.say("VRFY b", |event| pass_on(event, &moved));
    assert!(reply.starts_with("252 2.6.8"), "{reply}");
}

#[test]
fn the_envelope_is_there_from_the_first_recipient_on() {
    let mut session = session();
    let mut seen = vec![];
    let mut answer = |event: Event<'_>| match event {
        Event::Rcpt(rcpt) => {
            seen.push((
                rcpt.envelope().reverse_path().to_string(),
                rcpt.envelope().recipients().len(),
            ));
            rcpt.accept();
        }
        Event::Data(data) => {
            seen.push((
                data.envelope().reverse_path().to_string(),
                data.envelope().recipients().len(),
            ));
            data.accept();
        }
        Event::Content(content) => {
            seen.push((content.envelope().reverse_path().to_string(), content.offset() as usize));
            match content.octets().len() {
                0..=3 => content.done(),
                _ => content.consume(3),
            }
        }
        other => other.proceed(),
    };
    for line in [
        "EHLO c.x",
        "MAIL FROM:<a@x.y>",
        "RCPT TO:<b@x.y>",
        "RCPT TO:<c@x.y>",
        "DATA",
        "1234567\r\n.",
    ] {
        session.say(line, &mut answer);
    }
    let numbers: Vec<_> = seen
        .iter()
        .map(|(path, number)| {
            assert_eq!(path, "<a@x.y>");
            *number
        })
        .collect();
    assert_eq!(numbers, [1, 2, 2, 0, 3, 6]);
}

/// Constants for what servers say every day.
#[test]
fn named_rejections_are_constants() {
    const NAMED: [(Rejection, &str); 5] = [
        (Rejection::TOO_MANY_CONNECTIONS, "421 4.3.2"),
        (Rejection::MAILBOX_FULL, "452 4.2.2"),
        (Rejection::GREYLISTED, "451 4.7.1"),
        (Rejection::RELAY_DENIED, "550 5.7.1"),
        (Rejection::SPAM, "550 5.7.1"),
    ];
    for (rejection, begin) in NAMED {
        assert!(rejection.to_string().starts_with(begin), "{rejection}");
    }
}
