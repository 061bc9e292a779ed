//! RFC 2033: LMTP.

use crate::{
    common::{Experience, HELLO, config, converse, converse_with},
    dialogue::{self, Act, Dialogue, mail},
};
use esmtp::{
    client::{self, Client, MessageFacts, Report},
    envelope::Envelope,
    machine::{Closed, Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server},
    service::Service,
    syntax::{Extension, Extensions, Rejection, Retry, Status, Text},
    testing::Driver,
    time::Instant,
};
use std::sync::Arc;

fn lmtp() -> Config {
    config().with_service(Service::Lmtp)
}

/// Returns the script after the greeting and LHLO.
fn after_lhlo(script: &str) -> String {
    HELLO.replace("ESMTP", "LMTP").replace("EHLO", "LHLO") + script
}

/// 2033-4.1-a, 2033-5-d: RFC 2033 sections 4.1 and 5. The list is that of EHLO, 8BITMIME in it, and so is
/// what becomes of a transaction.
#[test]
fn lhlo_does_what_ehlo_does() {
    let transaction = "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok\n";
    let behind = "C: RCPT TO:<c@d.org>
         S: 503 5.5.1 Need MAIL command";
    for (config, hello, verb) in
        [(config(), HELLO.to_owned(), "EHLO"), (lmtp(), after_lhlo(""), "LHLO")]
    {
        let (_, again) = hello.split_once("\n    C: ").unwrap();
        let script = format!(
            "{hello}{transaction}C: {again}{behind}
             C: {verb}
             S: 501 This command needs an argument"
        );
        assert!(again.contains("S: 250-8BITMIME\n"));
        assert_eq!(converse(config, &script).aborts(), ["Hello"]);
    }
}

/// 2033-4.1-b, 2033-4.1-c: RFC 2033 section 4.1.
#[test]
fn lmtp_knows_neither_helo_nor_ehlo() {
    let script = "C: EHLO client.example.net
         S: 500 Command not recognised
         C: HELO client.example.net
         S: 500 Command not recognised\n";
    let experience = converse(
        lmtp(),
        &format!(
            "S: 220 mx.example.org LMTP service ready
             {script}
             C: MAIL FROM:<a@b.org>
             S: 503 5.5.1 Send a hello first"
        ),
    );
    assert!(experience.log.is_empty(), "{:?}", experience.log);
    converse(lmtp(), &after_lhlo(script));
}

/// 2033-4.1-d: RFC 2033 section 4.1.
#[test]
fn lhlo_exists_in_lmtp_only() {
    for service in [Service::Smtp, Service::Submission] {
        let experience = converse(
            config().with_service(service),
            "S: 220 mx.example.org ESMTP service ready
             C: LHLO client.example.net
             S: 500 Command not recognised
             C: MAIL FROM:<a@b.org>
             S: 503 5.5.1 Send a hello first",
        );
        assert!(experience.log.is_empty(), "{:?}", experience.log);
    }
}

/// 2033-4.2-a: RFC 2033 section 4.2.
#[test]
fn data_without_an_accepted_recipient_gets_503() {
    let experience = converse(
        lmtp(),
        &after_lhlo(
            "C: DATA
             S: 503 5.5.1 Need MAIL command
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: DATA
             S: 503 5.5.1 No valid recipients
             C: RCPT TO:<nobody@d.org>
             C: RCPT TO:<later@d.org>
             C: DATA
             S: 550 5.1.1 No such mailbox here
             S: 450 4.2.1 Busy
             S: 503 5.5.1 No valid recipients",
        ),
    );
    assert!(!experience.log.contains(&"data".to_owned()));
}

const TO_THREE: &str = "C: MAIL FROM:<a@b.org>
     C: RCPT TO:<one@d.org>
     C: RCPT TO:<nobody@d.org>
     C: RCPT TO:<full@d.org>
     S: 250 2.1.0 Ok
     S: 250 2.1.5 Ok
     S: 550 5.1.1 No such mailbox here
     S: 250 2.1.5 Ok\n";

/// 2033-4.3-a, 2033-4.3-c: RFC 2033 section 4.3.
#[test]
fn only_the_last_chunk_has_a_reply_for_each_recipient() {
    let experience = converse(
        lmtp(),
        &after_lhlo(&format!(
            "{TO_THREE}
             C: BDAT 3
             C| abc
             S: 250 2.0.0 Chunk received
             C: BDAT 0
             S: 250 2.0.0 Chunk received
             C: BDAT 3 LAST
             C| def
             S: 250 2.0.0 Message accepted
             S: 450 4.2.1 Busy
             C: NOOP
             S: 250 2.0.0 Ok"
        )),
    );
    assert_eq!(experience.messages[0].content, b"abcdef");
}

/// 2033-4.3-b: RFC 2033 section 4.3. This holds after a rejected MAIL too, for the commands that were
/// pipelined after it; a chunk that is not the last, or that has no transaction, has its reply.
#[test]
fn the_last_chunk_without_a_recipient_has_no_reply() {
    converse(
        lmtp(),
        &after_lhlo(
            "C: MAIL FROM:<a@b.org>
             C: RCPT TO:<nobody@d.org>
             C: BDAT 8 LAST
             C| QUIT\\r\\n\\r\\n
             S: 250 2.1.0 Ok
             S: 550 5.1.1 No such mailbox here
             C: NOOP
             S: 250 2.0.0 Ok
             C: BDAT 1
             C| x
             S: 503 5.5.1 No valid recipients
             C: RSET
             S: 250 2.0.0 Ok
             C: BDAT 0 LAST
             S: 503 5.5.1 Need MAIL command
             C: MAIL FROM:<a@b.org> SIZE=99999999
             C: RCPT TO:<one@d.org>
             C: BDAT 3 LAST
             C| abc
             S: 552 5.3.4 Message size exceeds the fixed maximum
             S: 503 5.5.1 MAIL was refused
             C: NOOP
             S: 250 2.0.0 Ok",
        ),
    );
}

/// 2033-4.2-d: RFC 2033 section 4.2. A text that does not fit one line makes a reply of two.
#[test]
fn a_multiline_reply_belongs_to_one_recipient() {
    let text = "x".repeat(600);
    let rejection = Rejection::transient(Status::new(2, 2).unwrap(), Text::new(text).unwrap());
    let mut server = server(lmtp());
    say(&mut server, "LHLO c.example\r\n");
    say(&mut server, "MAIL FROM:<>\r\nRCPT TO:<one@d.org>\r\nRCPT TO:<two@d.org>\r\nDATA\r\n");
    say(&mut server, "x\r\n.\r\n");
    let Some(Event::Deliver(mut delivery)) = server.machine_mut().event() else {
        panic!("no message")
    };
    let mut each = delivery.per_recipient().unwrap();
    each.settle(0, Err(rejection));
    each.settle(1, Ok(()));
    let said = say(&mut server, "");
    let starts: Vec<_> = said.lines().map(|line| &line[..10]).collect();
    assert_eq!(starts, ["451-4.2.2 ", "451 4.2.2 ", "250 2.0.0 "], "{said}");

    let notes = Dialogue::new([Act::Send(mail(&["bob@example.net", "carl@example.net"], "x\r\n"))])
        .with(|config| config.with_service(Service::Lmtp))
        .plays(
            "S: 220 mx
                 C: LHLO me.example.org
                 S: 250-mx
                 S: 250 PIPELINING
                 C: MAIL FROM:<ann@example.org>
                 C: RCPT TO:<bob@example.net>
                 C: RCPT TO:<carl@example.net>
                 C: DATA
                 S: 250 ok
                 S: 250-first
                 S: 250 still first
                 S: 250 second
                 S: 354-go
                 S: 354 on
                 C: x
                 C: .
                 S: 452-4.2.2 Bob has
                 S: 452-4.2.2 too much
                 S: 452 4.2.2 mail
                 S: 250 Carl has it
                 C: QUIT
                 S: 221 bye
                 C: (closed)",
        );
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 452 4.2.2 Bob has too much mail, <carl@example.net> 250 Carl has it"
    );
}

/// Returns a server after the greeting.
fn server(config: Config) -> Driver<Server> {
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let mut server = Driver::new(server);
    assert!(say(&mut server, "").starts_with("220 "));
    server
}

/// Feeds the server, accepts everything up to the end of a message, and returns the replies sent until the
/// server needs octets or a verdict.
fn say(server: &mut Driver<Server>, octets: &str) -> String {
    let mut said = server.advance(octets);
    while server.need() == Need::Answer {
        match server.machine_mut().event().unwrap() {
            Event::Deliver(_) => return said,
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => drop(content.take()),
            other => other.proceed(),
        }
        said += &server.advance("");
    }
    assert!(matches!(server.need(), Need::Read(_)), "the server does not go on");
    said
}

/// 2033-5-e: RFC 2033 section 5.
#[test]
fn a_verdict_is_sent_before_the_next_is_known() {
    let mut server = server(lmtp());
    say(&mut server, "LHLO c.example\r\n");
    let to = "RCPT TO:<one@d.org>\r\nRCPT TO:<two@d.org>\r\nRCPT TO:<three@d.org>\r\n";
    say(&mut server, &format!("MAIL FROM:<>\r\n{to}DATA\r\n"));
    assert_eq!(say(&mut server, "x\r\n.\r\n"), "");
    let mut settle = |recipient, verdict| {
        let Some(Event::Deliver(mut delivery)) = server.machine_mut().event() else {
            panic!("no message")
        };
        delivery.per_recipient().unwrap().settle(recipient, verdict);
        say(&mut server, "")
    };
    assert_eq!(settle(0, Ok(())), "250 2.0.0 Message accepted\r\n");
    // In the order of RCPT.
    assert_eq!(settle(2, Ok(())), "");
    assert_eq!(
        settle(1, Err(Rejection::LOCAL_ERROR)),
        "451 4.3.0 Local error in processing\r\n250 2.0.0 Message accepted\r\n"
    );
}

/// 2033-4.2-b, 2033-4.2-c, 2033-4.2-e: RFC 2033 section 4.2. A reply for each RCPT that was accepted, in their order, also
/// where one recipient is there twice in a row; each takes responsibility for its recipient alone.
#[test]
fn each_recipient_has_its_reply_in_the_order_of_rcpt() {
    let script = "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<full@d.org>
         C: RCPT TO:<nobody@d.org>
         C: RCPT TO:<one@d.org>
         C: RCPT TO:<one@d.org>
         C: RCPT TO:<later@d.org>
         C: RCPT TO:<full@d.org>
         C: RCPT TO:<two@d.org>
         S: 250 2.1.5 Ok
         S: 550 5.1.1 No such mailbox here
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         S: 450 4.2.1 Busy
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: x
         C: .
         S: 450 4.2.1 Busy
         S: 250 2.0.0 Message accepted
         S: 250 2.0.0 Message accepted
         S: 450 4.2.1 Busy
         S: 250 2.0.0 Message accepted
         C: NOOP
         S: 250 2.0.0 Ok";
    let experience = converse(lmtp(), &after_lhlo(script));
    let to = ["<full@d.org>", "<one@d.org>", "<one@d.org>", "<full@d.org>", "<two@d.org>"];
    assert_eq!(experience.messages[0].to, to);
}

/// 2033-5-b, 2033-5-c: RFC 2033 section 5.
#[test]
fn lmtp_offers_pipelining_and_enhanced_codes_always() {
    let [pipelining, enhanced] = [Extension::Pipelining, Extension::EnhancedStatusCodes];
    let without = Extensions::NONE.with(Extension::SmtpUtf8);
    for config in [
        lmtp(),
        lmtp().with_extensions(Extensions::NONE),
        config().with_extensions(Extensions::NONE).with_service(Service::Lmtp),
        lmtp().with_extensions(without).with_limits(esmtp::server::Limits::default()),
        lmtp().with_extensions(Extensions::NONE).with_extension(Extension::Dsn),
    ] {
        assert!(config.extensions().contains(pipelining) && config.extensions().contains(enhanced));
        let mut server = server(config);
        let said = say(&mut server, "LHLO c.example\r\n");
        let offers = |keyword| said.lines().any(|line| line.get(4..) == Some(keyword));
        assert!(offers("PIPELINING") && offers("ENHANCEDSTATUSCODES"), "{said}");
    }
    // Also where another configuration is given in the course of the session.
    converse_with(
        lmtp(),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES",
        |experience, event| match event {
            Event::Hello(mut hello) => {
                hello.configure(Arc::new(lmtp().with_extensions(Extensions::NONE)));
                hello.accept();
            }
            other => Experience::answer(experience, other),
        },
    );
}

/// 2033-5-g: RFC 2033 section 5. A recipient without a reply is to be tried again later.
#[test]
fn replies_that_came_before_the_connection_was_lost_count() {
    for how in [Closed::Clean, Closed::CutOff] {
        let report = lose_after_two(how);
        let outcomes: Vec<_> = report
            .outcomes()
            .map(|outcome| (outcome.is_delivered(), outcome.is_transient()))
            .collect();
        assert_eq!(outcomes, [(true, false), (false, false), (false, true), (false, true)]);
        let retry: Vec<_> = (0..4).map(|index| report.retry(index).unwrap()).collect();
        let unknown = Retry::LaterMayDuplicate;
        assert_eq!(retry, [Retry::Unneeded, Retry::Never, unknown, unknown]);
        assert_eq!(report.rest(), None);
    }
}

/// Loses the connection of a transaction with four recipients, after the first was accepted and the second rejected for good.
fn lose_after_two(how: Closed) -> Report {
    let config = dialogue::config().with_service(Service::Lmtp);
    let mut client = Driver::new(Client::new(config, Security::CLEAR));
    let mut report = None;
    let mut answer = |event: client::Event<'_>| match event {
        client::Event::Ready(ready) => {
            let to = ["a@d.org", "b@d.org", "c@d.org", "d@d.org"];
            let envelope = Envelope::new("ann@example.org", &to).unwrap();
            ready.send(envelope, MessageFacts::scan(b"x\r\n")).unwrap();
        }
        client::Event::Content(mut content) => {
            content.write(b"x\r\n").unwrap();
            content.finish().unwrap();
        }
        client::Event::Sent(sent) => report = Some(sent.take()),
        _ => panic!("not asked for"),
    };
    for replies in [
        "220 mx\r\n",
        "250-mx\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        "250 stored\r\n550 5.2.1 disabled\r\n",
    ] {
        client.exchange(replies, &mut answer);
    }
    client.close(how, &mut answer);
    report.unwrap()
}

/// 2033-5-f: RFC 2033 section 5. The reply for the first recipient is reported before that for the
/// second arrives.
#[test]
fn a_recipient_is_reported_before_the_next_reply() {
    let config = dialogue::config().with_service(Service::Lmtp).with_recipient_events();
    let mut client = Client::new(config, Security::CLEAR);
    let drive = |client: &mut Client| {
        loop {
            match client.poll(Instant::ORIGIN) {
                Need::Write(_) | Need::Either(_) => client.sent(usize::MAX),
                need => return need,
            }
        }
    };
    let mut told = Vec::new();
    for reply in [
        "220 mx\r\n",
        "250-mx\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        "250 stored\r\n",
        "452 4.2.2 full\r\n",
    ] {
        let _ = drive(&mut client);
        assert_eq!(client.feed(reply.as_bytes()), reply.len());
        while drive(&mut client) == Need::Answer {
            match client.event().unwrap() {
                client::Event::Ready(ready) => {
                    let envelope = Envelope::new("ann@example.org", &["a@d.org", "b@d.org"]);
                    ready.send(envelope.unwrap(), MessageFacts::scan(b"")).unwrap();
                }
                client::Event::Content(content) => content.finish().unwrap(),
                client::Event::Answered(answered) => {
                    told.push(format!("{} {}", answered.index().unwrap(), answered.reply()));
                    answered.go_on();
                }
                client::Event::Sent(sent) => {
                    assert_eq!(sent.take().outcomes().count(), 2);
                    assert_eq!(told, ["0 250 stored", "1 452 4.2.2 full"]);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        match reply {
            "250 stored\r\n" => assert_eq!(told, ["0 250 stored"]),
            _ => assert!(told.is_empty(), "{told:?}"),
        }
    }
    panic!("the transaction has no end");
}

/// Whatever the answer is to, each recipient has one, before the end of its transaction and after that of
/// the one before; none comes that was not asked for.
#[test]
fn every_recipient_with_a_reply_is_reported_once() {
    let script = "S: 220 mx
         C: LHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<a@d.org>
         C: RCPT TO:<b@d.org>
         C: RCPT TO:<c@d.org>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 no
         S: 250 ok
         S: 354 go
         C: .
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<a@d.org>
         C: RCPT TO:<b@d.org>
         C: DATA
         S: 452 full
         S: 250 stored
         S: 451 later
         S: 503 no
         S: 503 no
         S: 503 no
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<a@d.org>
         C: RCPT TO:<b@d.org>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 no
         S: 250 ok
         S: 421 closing
         C: (closed)";
    let to = |to: &[&str]| Act::Send(mail(to, ""));
    let two = ["a@d.org", "b@d.org"];
    let acts = [to(&["a@d.org", "b@d.org", "c@d.org"]), to(&two), to(&two)];
    let of = |has_answers| {
        Dialogue::new(acts.clone()).with(|config| {
            let config = config.with_service(Service::Lmtp).with_transactions(2);
            if has_answers { config.with_recipient_events() } else { config }
        })
    };
    let ends = [
        "0: <a@d.org> 452 full, <b@d.org> 550 no, <c@d.org> 250 stored",
        "1: <a@d.org> 451 later, <b@d.org> 451 later",
        "2: <a@d.org> 550 no, <b@d.org> 421 closing",
        "end: the server refused to go on with the session: 421 closing",
    ];
    assert_eq!(of(false).plays(script), ends);
    assert_eq!(
        of(true).plays(script),
        [
            "0: the recipient 1 has 550 no",
            "0: the recipient 0 has 452 full",
            "0: the recipient 2 has 250 stored",
            ends[0],
            "1: the recipient 0 has 451 later",
            "1: the recipient 1 has 451 later",
            ends[1],
            "2: the recipient 0 has 550 no",
            ends[2],
            ends[3]
        ]
    );
}

/// 2033-5-a: RFC 2033 section 5. No connection is made to it, and none is served that was made to it.
#[cfg(feature = "std")]
#[test]
fn lmtp_does_not_use_port_25() {
    use esmtp::io::blocking;
    use std::{io::ErrorKind, net::TcpListener};

    for (service, port, expected) in [
        (Service::Lmtp, 25, false),
        (Service::Lmtp, 24, true),
        (Service::Smtp, 25, true),
        (Service::Submission, 25, true),
    ] {
        assert_eq!(service.may_use_port(port), expected);
    }
    let lmtp_client = || dialogue::config().with_service(Service::Lmtp);
    let error = blocking::connect("127.0.0.1:25", lmtp_client()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    #[cfg(feature = "tokio")]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connecting = esmtp::io::tokio::connect("127.0.0.1:25", lmtp_client());
        let error = runtime.block_on(connecting).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // Only a process with the right to listen there can be refused to serve.
    if let Ok(listener) = TcpListener::bind("127.0.0.1:25") {
        let _client = std::net::TcpStream::connect("127.0.0.1:25").unwrap();
        let (stream, _) = listener.accept().unwrap();
        let again = stream.try_clone().unwrap();
        let error = blocking::Connection::accept(stream, Arc::new(lmtp())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        #[cfg(feature = "tokio")]
        {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let stream = again.try_clone().unwrap();
            stream.set_nonblocking(true).unwrap();
            let accepted = runtime.block_on(async {
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                esmtp::io::tokio::Connection::accept(stream, Arc::new(lmtp())).map(drop)
            });
            assert_eq!(accepted.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert!(blocking::Connection::accept(again, Arc::new(config())).is_ok());
    }
}
