//! A session's queue, with many transactions in flight over a wire with a delay, and its transactions that go step by
//! step; faults at every point.

#![cfg(all(feature = "testing", feature = "tokio"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

mod asynchronous;
mod blocking;
mod faults;
mod steps;
mod wire;

use esmtp::{
    client::{self, Outcome, Report},
    envelope::Envelope,
    io::{SendError, Ticket},
    server::{self, Config, Event, Server},
    syntax::{Extension, Extensions, Rejection},
};

/// Returns the settings of the client that the tests use.
fn sender() -> client::Config {
    client::Config::new("me.example.org").unwrap()
}

/// Returns the envelope of a message with this number.
fn envelope(number: u64) -> Envelope {
    Envelope::new("ann@example.org", [format!("{number}@example.net")]).unwrap()
}

/// Returns the content of a message with this number.
fn content(number: u64) -> String {
    format!("Subject: {number}\r\n\r\nhello\r\n")
}

/// Returns the settings of a server with PIPELINING and, unless it is excluded, CHUNKING.
fn receiver(is_chunking: bool) -> Config {
    let mut offered = Extensions::NONE.with(Extension::Pipelining);
    if is_chunking {
        offered = offered.with(Extension::Chunking);
    }
    server::Config::new("mx.example.net").unwrap().with_extensions(offered)
}

/// The messages that a server has taken: the recipients and the content of each.
#[derive(Default)]
struct Taken {
    content: Vec<u8>,
    messages: Vec<(String, Vec<u8>)>,
}

impl Taken {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Mail(mail) if mail.reverse_path().to_string() == "<eve@example.org>" => {
                mail.reject(Rejection::NO_SUCH_MAILBOX);
            }
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
                rcpt.reject(Rejection::NO_SUCH_MAILBOX);
            }
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => self.content.extend_from_slice(content.take()),
            Event::Deliver(delivery) => {
                let to: Vec<String> = delivery
                    .envelope()
                    .recipients()
                    .map(|recipient| recipient.forward_path().to_string())
                    .collect();
                self.messages.push((to.concat(), std::mem::take(&mut self.content)));
                delivery.accept();
            }
            Event::Abort(abort) => {
                self.content.clear();
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }
}

type Done = (Ticket, Result<Report, SendError>);

/// Checks the results of `pushed` messages against what the server has taken: each message has one result, and it is
/// true.
fn check(pushed: u64, done: &[Done], taken: &Taken, what: &str) {
    let mut numbers: Vec<u64> = done.iter().map(|(ticket, _)| ticket.number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..pushed).collect::<Vec<_>>(), "{what}: one result each");
    for (ticket, result) in done {
        let number = ticket.number();
        let is_taken = |(to, octets): &&(String, Vec<u8>)| {
            *to == format!("<{number}@example.net>") && *octets == content(number).as_bytes()
        };
        let times = taken.messages.iter().filter(is_taken).count();
        let is_true = match result {
            Ok(report) => report.outcomes().all(|outcome| match outcome {
                Outcome::Replied(reply) => reply.is_positive() == (times == 1),
                Outcome::Unknown => times <= 1,
                _ => times == 0,
            }),
            Err(error) => times == 0 && error.envelope() == &envelope(number),
        };
        assert!(is_true, "{what}: message {number} was taken {times} times: {result:?}");
    }
    let all = taken.messages.len();
    assert!(all <= usize::try_from(pushed).unwrap(), "{what}: nothing is sent twice");
}

/// Creates a server in memory, as a machine.
fn server(config: Config) -> Server {
    Server::new(config.into(), server::Peer::UNKNOWN, esmtp::security::Security::CLEAR)
}
