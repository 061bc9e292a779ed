//! XFORWARD, as Postfix describes it: what a client knows of its own client.

use crate::{
    common::{Experience, config, converse_with},
    offering::session,
};
use esmtp::{
    server::{Config, Event},
    syntax::{AttributeName, Extension, Extensions},
};

const NAMES: [AttributeName; 3] = [AttributeName::Name, AttributeName::Addr, AttributeName::Helo];
const ANNOUNCED: &str = "ENHANCEDSTATUSCODES|XFORWARD NAME ADDR HELO";

fn offering() -> Config {
    config().with_extensions(
        Extensions::NONE.with_xforward(&NAMES).with(Extension::EnhancedStatusCodes),
    )
}

/// Trusts everybody, and writes down at MAIL what was said before.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Xforward(xforward) => xforward.accept(),
        Event::Mail(mail) => {
            let forwarded = mail.facts().forwarded();
            let forwarded: Vec<_> =
                forwarded.map(|(name, value)| format!("{}={value}", name.as_str())).collect();
            experience.log.push(format!("forwarded {}", forwarded.join(" ")));
            mail.accept();
        }
        other => experience.answer(other),
    }
}

/// XFORWARD-1-a: the names that may come are announced.
#[test]
fn names_are_announced() {
    converse_with(offering(), &session(ANNOUNCED, ""), answer);
    let read = Extensions::from_lines(["XFORWARD NAME ADDR HELO"]).unwrap();
    assert!(read.xforward().eq(NAMES));
}

/// XFORWARD-1-b: not in a transaction, not from everybody, and with names and values only.
#[test]
fn xforward_has_its_time_its_client_and_its_form() {
    converse_with(
        offering(),
        &session(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example
             S: 250 2.0.0 Ok
             C: XFORWARD NAME
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XFORWARD LOGIN=ann
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: XFORWARD NAME=origin.example
             S: 503 5.5.1 A transaction is open already",
        ),
        answer,
    );
    converse_with(
        offering(),
        &session(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example
             S: 550 5.7.1 Not from this client
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok",
        ),
        |experience, event| match event {
            Event::Xforward(xforward) => Event::Xforward(xforward).proceed(),
            other => experience.answer(other),
        },
    );
}

/// XFORWARD-1-c: what one transaction was told is not known in the next, and commands in front of one
/// add up.
#[test]
fn what_was_forwarded_is_for_one_transaction() {
    let experience = converse_with(
        offering(),
        &session(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example ADDR=192.0.2.7
             S: 250 2.0.0 Ok
             C: XFORWARD HELO=helo.example ADDR=[UNAVAILABLE]
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued
             C: XFORWARD HELO=second.example
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RSET
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok",
        ),
        answer,
    );
    let forwarded: Vec<_> =
        experience.log.iter().filter_map(|line| line.strip_prefix("forwarded ")).collect();
    assert_eq!(forwarded, ["NAME=origin.example HELO=helo.example", "HELO=second.example", ""]);
}
