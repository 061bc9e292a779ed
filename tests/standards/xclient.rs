//! XCLIENT, as Postfix describes it: a client speaks for another.

use crate::{
    common::{Experience, config, converse_with},
    offering::{hello, session},
};
use esmtp::{
    sasl::Identity,
    security::Security,
    server::{Config, Event},
    syntax::{AttributeName, Extension, Extensions},
};

fn with(names: &[AttributeName]) -> Config {
    config()
        .with_extensions(Extensions::NONE.with_xclient(names).with(Extension::EnhancedStatusCodes))
}

/// Trusts everybody, and writes down at MAIL who speaks.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => upgrade.done(Security::TLS),
        Event::Xclient(xclient) => xclient.accept(),
        Event::Mail(mail) => {
            let facts = mail.facts();
            experience.log.push(format!(
                "{} {} {} {} {}",
                facts.peer().address().map_or_else(String::new, |address| address.to_string()),
                facts.peer().name().map_or_else(String::new, ToString::to_string),
                facts.identity().map_or("nobody", Identity::authcid),
                facts.host().map_or_else(String::new, ToString::to_string),
                facts.security().is_tls(),
            ));
            mail.accept();
        }
        other => experience.answer(other),
    }
}

const ENHANCED: &str = "ENHANCEDSTATUSCODES";

/// XCLIENT-1-a: the names that may come are announced.
#[test]
fn names_are_announced() {
    let names = [AttributeName::Name, AttributeName::Addr, AttributeName::Login];
    let line = format!("{ENHANCED}|XCLIENT NAME ADDR LOGIN");
    converse_with(with(&names), &session(&line, ""), answer);
    let read = Extensions::from_lines(["XCLIENT NAME ADDR LOGIN"]).unwrap();
    assert!(read.xclient().eq(names));
}

/// XCLIENT-1-c: not in a transaction, not from everybody, and with names and values only.
#[test]
fn xclient_has_its_time_its_client_and_its_form() {
    let line = format!("{ENHANCED}|XCLIENT NAME ADDR");
    let experience = converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &session(
            &line,
            "C: XCLIENT NAME
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XCLIENT
             S: 501 5.5.4 This command needs an argument
             C: XCLIENT COLOUR=red
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XCLIENT NAME=a+0D+0Ab
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: XCLIENT NAME=client.example
             S: 503 5.5.1 A transaction is open already
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok",
        ),
        answer,
    );
    assert!(experience.aborts().is_empty());
    converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &session(&line, "C: XCLIENT NAME=client.example\nS: 550 5.7.1 Not from this client"),
        |experience, event| match event {
            Event::Xclient(xclient) => Event::Xclient(xclient).proceed(),
            other => experience.answer(other),
        },
    );
}

/// XCLIENT-1-d, XCLIENT-1-e: the session begins with a greeting again; what was said of the other
/// client stays, and so does TLS.
#[test]
fn the_session_begins_anew_for_the_other_client() {
    let config = config().with_extensions(
        Extensions::NONE.with_xclient(&[AttributeName::Name]).with(Extension::StartTls),
    );
    let in_tls = hello("XCLIENT NAME");
    let again = in_tls.replace("client.example.net", "other.example");
    let experience = converse_with(
        config,
        &session(
            "STARTTLS|XCLIENT NAME",
            &format!(
                "C: STARTTLS
                 S: 220 Ready to start TLS
                 {in_tls}
                 C: XCLIENT NAME=other.example ADDR=IPV6:2001:db8::7 PORT=1025 LOGIN=ann
                 S: 220 mx.example.org ESMTP service ready
                 C: MAIL FROM:<a@b.org>
                 S: 503 Say hello first
                 {again}
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok
                 C: RSET
                 S: 250 Ok
                 C: XCLIENT LOGIN=[UNAVAILABLE]
                 S: 220 mx.example.org ESMTP service ready
                 {again}
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok"
            ),
        ),
        answer,
    );
    let mails: Vec<_> = experience.log.iter().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        mails,
        [
            "[2001:db8::7]:1025 other.example ann other.example true",
            "[2001:db8::7]:1025 other.example nobody other.example true"
        ]
    );
}
