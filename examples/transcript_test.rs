//! Tests a policy by sessions in the notation of the RFCs: `cargo run --all-features --example transcript_test`.
//! In a project, the functions below are tests (`#[test]`).

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    security::Security,
    server::{Config, Event, Peer, Server},
    syntax::Rejection,
    testing::Script,
};
use std::{error::Error, sync::Arc};

/// Plays the policy under test: bob has a mailbox, and takes no bounces.
fn policy(event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) if rcpt.envelope().reverse_path().is_null() => {
            rcpt.reject(Rejection::POLICY);
        }
        Event::Rcpt(rcpt) if rcpt.forward_path().to_string() == "<bob@example.net>" => {
            rcpt.accept();
        }
        Event::Rcpt(rcpt) => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
        Event::Content(content) => content.done(), // a real one stores it
        Event::Deliver(delivery) => delivery.accept(),
        other => other.proceed(),
    }
}

/// Plays a session, with the octets of the client cut at every place.
fn check(session: &str) -> Result<(), Box<dyn Error>> {
    let config = Arc::new(Config::new("mx.example.net")?);
    let server = || Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR);
    Ok(Script::new(session)?.check(server, policy)?)
}

const BOB_GETS_MAIL: &str = "\
    S: 220 ...
    C: EHLO client.example.org
    S: 250 ...
    C: MAIL FROM:<ann@example.org>
    C: RCPT TO:<bob@example.net>
    C: RCPT TO:<eve@example.net>
    C: DATA
    S: 250 2.1.0 ...
    S: 250 2.1.5 ...
    S: 550 5.1.1 ...
    S: 354 ...
    C: Subject: hello
    C:
    C: ..
    C: .
    S: 250 ...
    (300 s)
    S: 421 ...
    S: (closed)";

fn main() -> Result<(), Box<dyn Error>> {
    check(BOB_GETS_MAIL)?;
    let bounce = "S: 220 ...\nC: HELO me.example.org\nS: 250 ...\nC: MAIL FROM:<>\nS: 250 ...\n";
    check(&format!("{bounce}C: RCPT TO:<bob@example.net>\nS: 550 5.7.1 ..."))?;
    // A test that fails shows the session up to the place that differs.
    let wrong = check(&format!("{bounce}C: RCPT TO:<bob@example.net>\nS: 250 ..."));
    println!("{}", wrong.err().ok_or("a wrong script has passed")?);
    Ok(())
}
