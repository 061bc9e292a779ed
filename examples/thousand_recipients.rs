//! Sends a message to 1,000 recipients, 100 a transaction, and sorts them by the retry that may succeed:
//! `cargo run --all-features --example thousand_recipients`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    client::TlsPolicy,
    envelope::Envelope,
    io::blocking::Connector,
    server::{Config, Event},
    syntax::{Rejection, Retry},
    testing::LoopbackServer,
};
use std::{collections::VecDeque, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    // A server that takes 80 recipients a transaction, lacks some mailboxes, and is busy for some.
    let server = LoopbackServer::new(Config::new("mx.example.net")?).with_answer(|event| {
        let Event::Rcpt(rcpt) = event else { return Some(event) };
        let path = rcpt.forward_path().to_string();
        match () {
            () if rcpt.index() == 80 => rcpt.reject(Rejection::TOO_MANY_RECIPIENTS),
            () if path.ends_with("00@example.net>") => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
            () if path.ends_with("50@example.net>") => rcpt.reject(Rejection::MAILBOX_BUSY),
            () => rcpt.accept(),
        }
        None
    });
    let server = server.start()?;

    let members = (0..1000).map(|number| format!("member{number}@example.net"));
    let envelope = Envelope::new("list-owner@example.org", members)?;
    let content = b"Subject: news\r\n\r\nHello.\r\n";
    let mut session =
        Connector::new(server.address().to_string()).with_tls_policy(TlsPolicy::Never).connect()?;
    let (mut delivered, mut later, mut never, mut transactions) = (0, Vec::new(), 0, 0);
    let mut parts: VecDeque<Envelope> = envelope.split(100).collect();
    while let Some(part) = parts.pop_front() {
        let report = session.send(part, content)?;
        transactions += 1;
        for recipient in report.recipients() {
            match recipient.retry() {
                Retry::Unneeded => delivered += 1,
                Retry::NextTransaction => {} // among the rest, below
                Retry::Later | Retry::LaterMayDuplicate => later.push(recipient.path().clone()),
                Retry::Never => {
                    never += 1;
                    println!("{} {}", recipient.path(), recipient.outcome()); // for a bounce
                }
            }
        }
        parts.extend(report.rest()); // those beyond the server's limit, at once
    }
    session.quit()?;
    println!("{delivered} delivered in {transactions} transactions, {} later", later.len());
    match (delivered, later.len(), never) {
        (981, 10, 9) => Ok(()),
        _ => Err("a recipient was lost".into()),
    }
}
