//! Sends 1,000 messages over one session, up to 32 in flight: `cargo run --all-features --example many_in_flight`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    client::{Report, TlsPolicy},
    envelope::Envelope,
    io::{SendError, tokio::Connector},
    server::Config,
    testing::{At, Fault, Faults, LoopbackServer},
};
use std::error::Error;

/// The results so far: messages that were taken, and envelopes for another attempt.
#[derive(Default)]
struct Results {
    delivered: usize,
    again: Vec<Envelope>,
}

impl Results {
    fn note(&mut self, number: u64, result: Result<Report, SendError>) {
        match result {
            Ok(report) if report.is_delivered_to_all() => self.delivered += 1,
            Ok(report) => {
                report.outcomes().for_each(|outcome| println!("message {number}: {outcome}"));
                self.again
                    .extend(report.envelope_of(|recipient| recipient.outcome().is_transient()));
            }
            Err(error) => {
                println!("message {number}: {error}"); // the session has ended, perhaps
                self.again.push(error.into_envelope());
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server that rejects the 500th message for now.
    let later = Fault::reply("452 4.3.1 Insufficient system storage");
    let faults = Faults::default().with(At::END_OF_CONTENT.nth(500), later);
    let server = LoopbackServer::new(Config::new("mx.example.net")?).with_faults(faults).start()?;

    let connector = Connector::new(server.address().to_string()).with_tls_policy(TlsPolicy::Never);
    let mut session = connector.connect().await?;
    let mut results = Results::default();
    let mut queue = session.queue(32);
    for number in 0..1000 {
        let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
        let content = format!("Subject: message {number}\r\n\r\nHello.\r\n");
        queue.push(envelope, content.into_bytes()).await; // waits for room
        while let Some((ticket, result)) = queue.try_next() {
            results.note(ticket.number(), result);
        }
    }
    while let Some((ticket, result)) = queue.next().await {
        results.note(ticket.number(), result);
    }
    drop(queue);
    session.quit().await?;
    let Results { delivered, again } = results;
    println!("{delivered} messages delivered, {} for another attempt", again.len());
    match (delivered, again.len(), server.stop().len()) {
        (999, 1, 999) => Ok(()),
        _ => Err("a message was lost or sent twice".into()),
    }
}
