//! Service extensions of the server in conversation.

use crate::common::{Experience, announcing, config, converse, converse_with};
use esmtp::{
    machine::{Machine, Need},
    sasl::Identity,
    security::Security,
    server::{AbortReason, Config, CustomVerb, End, Event, Limits, Peer, Server, VerbPlacement},
    service::Service,
    syntax::{AttributeName, Extension, Extensions, FutureRelease, HoldSeconds, Text},
    testing::Driver,
    time::Instant,
    wire::BareLineBreaks,
};
use std::{sync::Arc, time::Duration};

fn with(extensions: &[Extension]) -> Config {
    config().with_extensions(extensions.iter().copied().fold(Extensions::NONE, Extensions::with))
}

/// 6531-3.1-a, 6531-3.1-c, 6531-3.2-c: RFC 6531 sections 3.1 and 3.5.
#[test]
fn an_internationalized_address_needs_smtputf8() {
    let experience = converse(
        with(&[Extension::SmtpUtf8, Extension::EightBitMime]),
        &announcing(
            "8BITMIME|SMTPUTF8",
            r"C| MAIL FROM:<\xc3\xa4@b.org>\r\n
              S: 550 Non-ASCII reverse-path without SMTPUTF8
              C: MAIL FROM:<a@b.org>
              S: 250 Ok
              C| RCPT TO:<\xc3\xa4@b.org>\r\n
              S: 553 Non-ASCII forward-path without SMTPUTF8
              C: RSET
              S: 250 Ok
              C| MAIL FROM:<\xc3\xa4@b.org> SMTPUTF8\r\n
              S: 250 Ok
              C| RCPT TO:<\xc3\xb6@b.org>\r\n
              S: 250 Ok",
        ),
    );
    assert_eq!(experience.log[3], "mail <ä@b.org> SMTPUTF8");
}

/// 3461-3-a, 3461-5.1-a
#[test]
fn delivery_status_notifications_are_asked_for() {
    converse(
        with(&[Extension::Dsn]),
        &announcing(
            "DSN",
            "C: MAIL FROM:<a@b.org> RET=HDRS ENVID=x+2By
             S: 250 Ok
             C: RCPT TO:<c@d.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;C@d.org
             S: 250 Ok
             C: RCPT TO:<c@d.org> NOTIFY=NEVER,DELAY
             S: 501 Not a value for this parameter
             C: RCPT TO:<c@d.org> RET=FULL
             S: 555 This parameter belongs to another command",
        ),
    );
}

/// 2852-4-c 2852-4-d 2852-4-e
#[test]
fn delivery_within_a_time_must_be_possible() {
    let extensions = Extensions::NONE.with_deliver_by(Some(60));
    converse(
        config().with_extensions(extensions),
        &announcing(
            "DELIVERBY 60",
            "C: MAIL FROM:<a@b.org> BY=0;R
             S: 501 Not a value for this parameter
             C: MAIL FROM:<a@b.org> BY=30;R
             S: 550 Delivery time is too short
             C: MAIL FROM:<a@b.org> BY=-10;N
             S: 250 Ok",
        ),
    );
}

/// 4865-4-a 4865-4-b 4865-4-c
#[test]
fn a_message_may_be_held_for_a_while_in_submission() {
    let bounds = FutureRelease::new(
        HoldSeconds::new(3600).unwrap(),
        esmtp::syntax::DateTime::new("2030-01-01T00:00:00Z").unwrap(),
    );
    let extensions = Extensions::NONE.with_future_release(&bounds);
    let submission = config()
        .with_service(Service::Submission)
        .with_extensions(extensions.clone())
        .with_required_auth(false);
    converse(
        submission,
        &announcing(
            "FUTURERELEASE 3600 2030-01-01T00:00:00Z",
            "C: MAIL FROM:<a@b.org> HOLDFOR=3601
             S: 501 Hold time is too long
             C: MAIL FROM:<a@b.org> HOLDUNTIL=2030-01-01T00:00:01Z
             S: 501 Hold time is too long
             C: MAIL FROM:<a@b.org> HOLDFOR=60 HOLDUNTIL=2029-01-01T00:00:00Z
             S: 501 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org> HOLDFOR=3600
             S: 250 Ok",
        ),
    );
    let transfer = config().with_extensions(extensions.with(Extension::Pipelining));
    converse(
        transfer,
        &announcing(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org> HOLDFOR=60
             S: 555 Parameter not recognised or not implemented",
        ),
    );
}

/// 8689-2-a 8689-2-b
#[test]
fn requiretls_is_offered_in_tls_only() {
    converse_with(
        with(&[Extension::StartTls, Extension::RequireTls]),
        &announcing(
            "STARTTLS",
            "C: MAIL FROM:<a@b.org> REQUIRETLS
             S: 555 Parameter not recognised or not implemented
             C: STARTTLS
             S: 220 Ready to start TLS
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250 REQUIRETLS
             C: MAIL FROM:<a@b.org> REQUIRETLS=1
             S: 501 This parameter has no value
             C: MAIL FROM:<a@b.org> REQUIRETLS
             S: 250 Ok",
        ),
        |experience, event| match event {
            Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
            other => experience.answer(other),
        },
    );
}

/// 9422-3-e
#[test]
fn limits_are_announced_as_they_are_enforced() {
    let limits = esmtp::server::Limits::default().with_recipients(1);
    converse(
        with(&[Extension::Limits]).with_limits(limits),
        &announcing(
            "LIMITS RCPTMAX=1",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: RCPT TO:<e@f.org>
             S: 452 Too many recipients",
        ),
    );
}

/// 1985-4-a, 1985-5-a, 1985-5-b, 1985-5.1-b
#[test]
fn a_remote_queue_is_started() {
    converse_with(
        with(&[Extension::Etrn]),
        &announcing(
            "ETRN",
            "C: ETRN example.net
             S: 250 Queueing for this node has started
             C: ETRN empty.example
             S: 251 No messages are waiting for this node
             C: ETRN @sub.example
             S: 458 Unable to queue messages for this node
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: ETRN example.net
             S: 503 Transaction already in progress",
        ),
        |experience, event| match event {
            Event::Etrn(etrn) if etrn.node().to_string() == "example.net" => etrn.accept(),
            Event::Etrn(etrn) if etrn.node().to_string() == "empty.example" => {
                etrn.nothing_waits();
            }
            other => experience.answer(other),
        },
    );
}

fn trusting(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Xclient(xclient) => xclient.accept(),
        Event::Xforward(xforward) => xforward.accept(),
        Event::Mail(mail) => {
            let facts = mail.facts();
            let forwarded: Vec<_> = facts.forwarded().collect();
            experience.log.push(format!(
                "peer {:?} {:?} {:?} {forwarded:?}",
                facts.peer().address(),
                facts.peer().name().map(ToString::to_string),
                facts.identity().map(Identity::authcid),
            ));
            mail.accept();
        }
        other => experience.answer(other),
    }
}

#[test]
fn xclient_changes_the_client() {
    let extensions = Extensions::NONE
        .with_xclient(&[
            AttributeName::Name,
            AttributeName::Addr,
            AttributeName::Port,
            AttributeName::Login,
        ])
        .with_xforward(&[AttributeName::Name, AttributeName::Addr]);
    let experience = converse_with(
        config().with_extensions(extensions),
        &announcing(
            "XCLIENT NAME ADDR PORT LOGIN|XFORWARD NAME ADDR",
            "C: XCLIENT NAME=client.example ADDR=192.0.2.7 PORT=25 LOGIN=ann
             S: 220 mx.example.org ESMTP service ready
             C: MAIL FROM:<a@b.org>
             S: 503 Send a hello first
             C: EHLO other.example
             S: 250-mx.example.org
             S: 250-XCLIENT NAME ADDR PORT LOGIN
             S: 250 XFORWARD NAME ADDR
             C: XFORWARD NAME=origin.example ADDR=[UNAVAILABLE]
             S: 250 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: XFORWARD NAME=x
             S: 503 Transaction already in progress
             C: RSET
             S: 250 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 Ok",
        ),
        trusting,
    );
    let peers: Vec<_> = experience.log.iter().filter(|line| line.starts_with("peer")).collect();
    assert_eq!(
        peers,
        [
            "peer Some(192.0.2.7:25) Some(\"client.example\") Some(\"ann\") [(Name, \"origin.example\")]",
            "peer Some(192.0.2.7:25) Some(\"client.example\") Some(\"ann\") []",
        ]
    );
}

/// Postfix's XCLIENT_README: no line is longer than 512 octets, so it may take more than one. Some proxies
/// do not wait between them.
#[test]
fn xclient_may_take_several_lines() {
    let names = [AttributeName::Name, AttributeName::Addr, AttributeName::Login];
    let extensions = Extensions::NONE.with_xclient(&names);
    let experience = converse_with(
        config().with_extensions(extensions),
        &announcing(
            "XCLIENT NAME ADDR LOGIN",
            "C: XCLIENT LOGIN=ann ADDR=192.0.2.7
             C: XCLIENT NAME=client.example
             C: EHLO other.example
             S: 220 mx.example.org ESMTP service ready
             S: 220 mx.example.org ESMTP service ready
             S: 250-mx.example.org
             S: 250 XCLIENT NAME ADDR LOGIN
             C: MAIL FROM:<a@b.org>
             S: 250 Ok",
        ),
        trusting,
    );
    let peer = experience.log.iter().find(|line| line.starts_with("peer")).unwrap();
    assert_eq!(peer, "peer Some(192.0.2.7:0) Some(\"client.example\") Some(\"ann\") []");
}

#[test]
fn no_client_is_trusted_by_default() {
    let extensions = Extensions::NONE.with_xclient(&[AttributeName::Name]);
    converse(
        config().with_extensions(extensions),
        &announcing(
            "XCLIENT NAME",
            "C: XCLIENT NAME=client.example\nS: 550 Not permitted for this client",
        ),
    );
    converse(
        with(&[Extension::Pipelining]),
        &announcing("PIPELINING", "C: XCLIENT NAME=client.example\nS: 502 Command not implemented"),
    );
}

/// 5321-3.5.1-a 5321-3.5.1-b 5321-3.5.2-b: RFC 5321 sections 3.5.1 and 3.5.2.
#[test]
fn mailboxes_are_verified_and_lists_expanded_with_a_line_each() {
    use esmtp::syntax::Mailbox;

    converse_with(
        with(&[Extension::Vrfy, Extension::Expn, Extension::EnhancedStatusCodes]),
        &announcing(
            "ENHANCEDSTATUSCODES|VRFY|EXPN",
            "C: VRFY ann
             S: 250 2.1.5 <ann@example.org>
             C: VRFY bob
             S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery
             C: EXPN friends
             S: 250-2.1.5 <ann@example.org>
             S: 250 2.1.5 <bob@example.net>",
        ),
        |experience, event| {
            let mailbox = |text: &'static str| Mailbox::parse(text).unwrap();
            match event {
                Event::Verify(verify) if verify.text().as_str() == "ann" => {
                    verify.accept(mailbox("ann@example.org"));
                }
                Event::Expand(expand) => {
                    expand.accept(vec![mailbox("ann@example.org"), mailbox("bob@example.net")]);
                }
                other => experience.answer(other),
            }
        },
    );
}

/// 8689-5-a
#[test]
fn parameters_are_passed_on_by_meaning() {
    use esmtp::syntax::{Notify, Priority, Ret};

    let experience = converse_with(
        with(&[
            Extension::StartTls,
            Extension::RequireTls,
            Extension::Dsn,
            Extension::MtPriority,
            Extension::Rrvs,
        ]),
        &announcing(
            "DSN|STARTTLS|MT-PRIORITY|RRVS",
            "C: STARTTLS
             S: 220 Ready to start TLS
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-DSN
             S: 250-REQUIRETLS
             S: 250-MT-PRIORITY
             S: 250 RRVS
             C: MAIL FROM:<a@b.org> REQUIRETLS RET=FULL MT-PRIORITY=-3
             S: 250 Ok
             C: RCPT TO:<c@d.org> NOTIFY=DELAY RRVS=2020-01-01T00:00:00Z
             S: 250 Ok",
        ),
        |experience, event| match event {
            Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
            Event::Mail(mail) => {
                let typed = mail.typed_parameters();
                assert_eq!(typed.ret(), Some(Ret::Headers));
                assert_eq!(typed.priority().map(Priority::get), Some(-3));
                mail.accept();
            }
            Event::Rcpt(rcpt) => {
                let typed = rcpt.typed_parameters();
                assert!(typed.notify().is_some_and(Notify::has_delay));
                assert!(typed.valid_since().is_some());
                experience.log.push("read".to_owned());
                rcpt.accept();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.log.last().unwrap(), "read");
}

/// RFC 4468 section 2: a URL stands for content, among chunks or alone.
#[test]
fn content_may_come_by_burl() {
    let extensions = [Extension::Burl, Extension::Chunking].into_iter();
    let config = config()
        .with_service(Service::Submission)
        .with_extensions(extensions.fold(Extensions::NONE, Extensions::with))
        .with_auth(
            esmtp::sasl::Offer::new([esmtp::sasl::Mechanism::PLAIN]).with_secrets_in_clear(),
        );
    let experience = converse_with(
        config,
        &announcing(
            "CHUNKING|AUTH PLAIN|BURL",
            "C: BURL imap://example.org/;uid=1 LAST
             S: 530 Authentication required
             C: AUTH PLAIN AGFubgBzZWNyZXQ=
             S: 235 Authentication successful
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: BURL imap://example.org/;uid=1 LAST
             S: 503 No valid recipients
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: BDAT 3
             C| abc
             S: 250 Chunk received
             C: BURL imap://example.org/;uid=1
             S: 250 Chunk received
             C: BURL imap://example.org/;uid=2 LAST
             S: 250 queued
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: BURL imap://example.org/;uid=404
             S: 554 This URL cannot be resolved here
             C: BDAT 3 LAST
             C| abc
             S: 503 Content was refused, RSET is next
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: BURL imap://example.org/;uid=404
             S: 554 This URL cannot be resolved here
             C: BURL imap://example.org/;uid=2 LAST
             S: 503 Content was refused, RSET is next
             C: MAIL FROM:<a@b.org>
             S: 250 Ok",
        ),
        |experience, event| match event {
            Event::Auth(auth) => auth.verify(Box::new(esmtp::sasl::PlainVerifier::new())),
            Event::Credentials(credentials) => match credentials.question {
                esmtp::sasl::Question::Password(question) => question.accept(),
                other => other.reject(),
            },
            Event::Authenticated(authenticated) => authenticated.accept(),
            Event::Burl(burl) if !burl.uri().as_str().ends_with("404") => {
                experience.log.push(format!("burl {} {}", burl.uri(), burl.is_last()));
                burl.accept();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.aborts(), ["Refused", "Refused"]);
    assert!(experience.log.contains(&"burl imap://example.org/;uid=2 true".to_owned()));
}

/// RFC 5321 section 2.3.8: nor does what stands elsewhere make a line break of a CR.
#[test]
fn a_cr_before_burl_is_bare() {
    for (policy, reply, content) in [
        (BareLineBreaks::Reject, "550 Bare CR or LF in the content (RFC 5321 section 2.3.8)", None),
        (BareLineBreaks::Normalise, "250 queued", Some(&b"abc\r\n"[..])),
    ] {
        let extensions = [Extension::Burl, Extension::Chunking].into_iter();
        let config = config()
            .with_service(Service::Submission)
            .with_bare_line_breaks(policy)
            .with_extensions(extensions.fold(Extensions::NONE, Extensions::with))
            .with_auth(
                esmtp::sasl::Offer::new([esmtp::sasl::Mechanism::PLAIN]).with_secrets_in_clear(),
            );
        let script = format!(
            "C: AUTH PLAIN AGFubgBzZWNyZXQ=
             S: 235 Authentication successful
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: BDAT 4
             C| abc\\r
             S: 250 Chunk received
             C: BURL imap://example.org/;uid=1 LAST
             S: {reply}"
        );
        let experience = converse_with(
            config,
            &announcing("CHUNKING|AUTH PLAIN|BURL", &script),
            |experience, event| match event {
                Event::Auth(auth) => auth.verify(Box::new(esmtp::sasl::PlainVerifier::new())),
                Event::Credentials(credentials) => match credentials.question {
                    esmtp::sasl::Question::Password(question) => question.accept(),
                    other => other.reject(),
                },
                Event::Authenticated(authenticated) => authenticated.accept(),
                Event::Burl(burl) => burl.accept(),
                other => experience.answer(other),
            },
        );
        let stored = experience.messages.first().map(|message| &message.content[..]);
        assert_eq!(stored, content);
    }
}

/// RFC 5321 sections 2.2.2 and 4.1.5.
#[test]
fn an_application_may_have_custom_verbs() {
    let own = |verb: &str, place| CustomVerb::new(verb, place).unwrap();
    let config = with(&[Extension::Pipelining])
        .with_verb(
            own("XSTATS", VerbPlacement::BetweenTransactions).announced_as("XSTATS brief").unwrap(),
        )
        .with_verb(own("XNOTE", VerbPlacement::InTransaction))
        .with_verb(own("XHELLO", VerbPlacement::Anywhere))
        .with_verb(own("XADMIN", VerbPlacement::AfterHello).with_required_auth());
    let experience = converse_with(
        config,
        r"S: 220 mx.example.org ESMTP service ready
          C: XSTATS
          S: 503 Send a hello first
          C: xhello there
          S: 250 there
          C: EHLO client.example.net
          S: 250-mx.example.org
          S: 250-PIPELINING
          S: 250 XSTATS brief
          C: XSTATS
          S: 250 Ok
          C: XNOTE a
          S: 503 Need MAIL command
          C: XADMIN
          S: 530 Authentication required
          C: XOTHER
          S: 500 Command not recognised
          C: MAIL FROM:<a@b.org>
          C: XNOTE a b=c
          C: XSTATS
          S: 250 Ok
          S: 250 Ok
          S: 503 Transaction already in progress
          C: XHELLO
          S: 502 Command not implemented
          C: QUIT
          S: 221 Service closing transmission channel
          S: (closed)",
        |experience, event| match event {
            Event::Other(other) => {
                let argument = other.argument().map_or("", |argument| argument.as_str());
                experience.log.push(format!("{} {argument}", other.verb().as_str()));
                match other.verb().as_str() {
                    "xhello" => other.accept_with(Text::new(argument.to_owned()).unwrap()),
                    "XHELLO" => Event::Other(other).proceed(),
                    _ => other.accept(),
                }
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(
        experience.log,
        [
            "xhello there",
            "hello client.example.net",
            "XSTATS ",
            "mail <a@b.org> ",
            "XNOTE a b=c",
            "XHELLO ",
            "abort Quit"
        ]
    );
}

/// As of every command that the application refuses.
#[test]
fn a_rejected_custom_verb_counts_once() {
    let limits = Limits::default().with_idle_commands(4).with_errors(1);
    let verb = CustomVerb::new("XNO", VerbPlacement::AfterHello).unwrap();
    let refused = "C: XNO\nS: 502 Command not implemented\n";
    converse(
        with(&[Extension::Pipelining]).with_verb(verb).with_limits(limits),
        &announcing(
            "PIPELINING",
            &format!(
                "{}C: XNO
                 S: 421 Too many errors
                 S: (closed)",
                refused.repeat(4)
            ),
        ),
    );
}

/// A departure from the grammar is forgiven, and reported.
#[test]
fn departures_that_were_accepted_are_reported() {
    let experience = converse_with(
        with(&[Extension::Pipelining]),
        &announcing(
            "PIPELINING",
            "C: MAIL FROM: <a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: RCPT TO: <e@f.org> 
             S: 250 Ok",
        ),
        |experience, event| {
            let forgiven: Vec<_> = event.facts().forgiven().names().collect();
            experience.log.push(forgiven.join(" "));
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                other => other.proceed(),
            }
        },
    );
    let both = "trailing_white_space space_after_colon";
    assert_eq!(experience.log, ["", "", "space_after_colon", "", both]);
}

#[test]
fn a_session_counts_the_time_of_each_side() {
    let second = Duration::from_secs(1);
    let mut now = Instant::ORIGIN;
    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
    // The application takes a second for each of two questions, the client one to take each of two
    // replies and five to say anything.
    let mut is_silent = true;
    loop {
        match server.poll(now) {
            Need::Answer => {
                now = now + second;
                server.event().unwrap().proceed();
            }
            Need::Write(_) | Need::Either(_) => {
                now = now + second;
                server.sent(usize::MAX);
            }
            Need::Read(_) if is_silent => {
                is_silent = false;
                now = now + 5 * second;
                assert_eq!(server.feed(b"EHLO client.example.net\r\n"), 25);
            }
            _ => break,
        }
    }
    let totals = server.totals();
    assert_eq!((totals.application_time(), totals.peer_time()), (2 * second, 7 * second));
}

/// A custom verb may begin another protocol: the octets after it are kept.
#[test]
fn a_channel_can_be_handed_over() {
    let verb = CustomVerb::new("XPROTO", VerbPlacement::AfterHello).unwrap();
    let config = Arc::new(with(&[Extension::Pipelining]).with_verb(verb));
    let mut server = Driver::new(Server::new(config, Peer::UNKNOWN, Security::CLEAR));
    let (mut said, mut aborts) = (String::new(), 0);
    // EHLO is alone in its packet.
    for octets in
        ["", "EHLO client.example.net\r\n", "MAIL FROM:<a@b.org>\r\nXPROTO 1\r\nhello, world"]
    {
        said += &server.advance(octets);
        while server.need() == Need::Answer {
            match server.machine_mut().event().unwrap() {
                Event::Other(other) => other.hand_over(Text::literal("go")),
                Event::Abort(abort) => {
                    assert_eq!(abort.reason(), AbortReason::HandedOver);
                    aborts += 1;
                    abort.acknowledge();
                }
                Event::HandOver(_) => break,
                other => other.proceed(),
            }
            said += &server.advance("");
        }
    }
    let mut server = server.into_machine();
    assert_eq!(aborts, 1);
    assert!(said.ends_with("250 Ok\r\n250 go\r\n"), "{said}");
    // The question stays, and nothing more is read or said.
    let number = server.event().unwrap().number();
    assert_eq!(server.poll(Instant::since_origin(Duration::from_secs(1_000_000))), Need::Answer);
    server.shut_down();
    assert_eq!(server.poll(Instant::since_origin(Duration::from_secs(1_000_000))), Need::Answer);
    assert_eq!(server.event().unwrap().number(), number);
    assert_eq!(server.to_send(&mut [&[]]), 0);
    // Unless it is to end at once: the channel is not taken over yet.
    server.close();
    assert_eq!(server.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(server.end(), Some(End::ShutDown));
    assert_eq!(server.to_send(&mut [&[]]), 0);
    assert_eq!(server.into_received(), "hello, world");
}

/// Content in progress may come to its end, whatever is being asked between two chunks of it.
#[test]
fn a_question_between_two_chunks_does_not_cost_the_message() {
    let config = with(&[Extension::Chunking, Extension::Vrfy, Extension::Pipelining]);
    let mut server = Driver::new(Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR));
    let (mut said, mut message) = (String::new(), Vec::new());
    let mut answer = |event: Event<'_>| match event {
        Event::Verify(_) => {}
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => message.extend_from_slice(content.take()),
        Event::Deliver(delivery) => delivery.accept(),
        other => other.proceed(),
    };
    for octets in [
        "",
        "EHLO client.example.net\r\n",
        "MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nBDAT 3\r\nabc",
        "VRFY ann\r\n",
    ] {
        said += &server.exchange(octets, &mut answer);
    }
    assert_eq!(server.need(), Need::Answer);
    server.machine_mut().shut_down();
    said += &server.exchange("", |event| match event {
        Event::Verify(verify) => verify.cannot_verify(),
        other => panic!("{other:?}"),
    });
    said += &server.exchange("BDAT 3 LAST\r\ndef", &mut answer);
    assert_eq!(message, b"abcdef");
    assert!(
        said.ends_with("\r\n250 Message accepted\r\n421 Shutting down, try again later\r\n"),
        "{said}"
    );
}
