//! The greeting and the hello of a server, and clients that speak another protocol.

use crate::common::{config, converse, converse_in_one_piece, converse_with};
use esmtp::{
    machine::{Closed, Machine, Need},
    security::Security,
    server::{End, Event, Limits, Peer, Server, Timeouts},
    syntax::{Rejection, Text},
    testing::Driver,
    time::Instant,
};
use std::{sync::Arc, time::Duration};

fn proceed(event: Event<'_>) {
    event.proceed();
}

/// 5321-3.2-a
#[test]
fn helo_opens_a_session_without_extensions() {
    converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: HELO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org> SIZE=10
         S: 555 5.5.4 Parameter not recognised or not implemented
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok",
    );
}

#[test]
fn a_rejected_client_may_still_quit() {
    let experience = converse_with(
        config(),
        "S: 554 No service for you
         C: EHLO client.example.net
         S: 503 No service here, only QUIT is accepted
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
        |experience, event| match event {
            Event::Connect(connect) => connect.reject(
                Rejection::new(
                    esmtp::syntax::Code::new(554).unwrap(),
                    esmtp::syntax::Status::new(7, 1).unwrap(),
                    Text::literal("No service for you"),
                )
                .unwrap(),
            ),
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(End::Quit));
}

#[test]
fn early_talkers_are_rejected() {
    let delay = Timeouts::default().with_greeting_delay(Duration::from_secs(5));
    let script = "
        (4 s)
        C: EHLO a.org
        S: 554 Improper use of SMTP command pipelining
        S: (closed)";
    let experience = converse(config().with_timeouts(delay), script);
    assert_eq!((experience.end, experience.log.len()), (Some(End::OutOfSync), 0));
    // A client that waits gets the greeting.
    let script = "
        (5 s)
        S: 220 mx.example.org ESMTP service ready
        C: QUIT
        S: 221 2.0.0 Service closing transmission channel
        S: (closed)";
    assert_eq!(converse(config().with_timeouts(delay), script).end, Some(End::Quit));
    // Where it is not enforced, the application is told, and what was said is heard.
    let script = "
        (4 s)
        C: QUIT
        S: 220 mx.example.org ESMTP service ready
        S: 221 2.0.0 Service closing transmission channel
        S: (closed)";
    let lax = config().with_timeouts(delay).with_enforced_sync(false);
    let experience = converse_in_one_piece(lax, script, |experience, event| {
        if let Event::Connect(_) = event {
            experience.log.push(format!("early {}", event.facts().has_talked_early()));
        }
        experience.answer(event);
    });
    assert_eq!(experience.log, ["early true"]);
    // Nor does a client have to wait that has gone.
    let script = "(1 s)\nC: (closed)\nS: (closed)";
    let experience = converse(config().with_timeouts(delay), script);
    assert_eq!(experience.end, Some(End::ConnectionLost));
}

#[test]
fn http_ends_the_session() {
    let script = "
        S: 220 mx.example.org ESMTP service ready
        C: POST / HTTP/1.1
        C: EHLO evil.example
        S: 554 5.5.1 HTTP is not supported
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
}

#[test]
fn a_tls_hello_in_the_clear_ends_the_session() {
    let script = r"
        S: 220 mx.example.org ESMTP service ready
        C| \x16\x03\x01\x02\x00
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
    // Octets of a hello may happen to end a line.
    let script = r"
        S: 220 mx.example.org ESMTP service ready
        C| \x16\x03\x01\r\nNOOP\r\n
        S: (closed)";
    assert_eq!(converse(config(), script).end, Some(End::OtherProtocol));
}

/// Commands before an orderly close are answered, also if the client did not wait for the greeting.
#[test]
fn commands_of_a_client_that_closes_before_the_greeting_are_answered_if_configured() {
    let server =
        Server::new(Arc::new(config().with_enforced_sync(false)), Peer::UNKNOWN, Security::CLEAR);
    let mut server = Driver::new(server);
    assert_eq!(server.machine_mut().feed(b"QUIT\r\n"), 6);
    let said = server.close(Closed::Clean, proceed);
    assert_eq!(server.need(), Need::Close);
    assert!(
        said.starts_with("220 ")
            && said.ends_with("221 2.0.0 Service closing transmission channel\r\n")
    );
}

/// RFC 2034 section 4.
#[test]
fn no_reply_to_a_hello_has_an_enhanced_status() {
    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
    server.shut_down();
    assert!(matches!(server.poll(Instant::ORIGIN), Need::Write(_)));
    let mut slices = [&[][..]];
    let _ = server.to_send(&mut slices);
    assert_eq!(slices[0], b"421 Shutting down, try again later\r\n");
    let limits = Limits::default().with_errors(1);
    let script = "S: 220 mx.example.org ESMTP service ready
        C: EHLO
        S: 421 Too many errors
        S: (closed)";
    converse(config().with_limits(limits), script);
}
