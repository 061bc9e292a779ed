//! A queue against a server that closes, stalls, refuses or says 421 at every place: no message is lost or sent
//! twice, and each has one true result.

use super::{Done, content, envelope, sender};
use esmtp::{
    client::{Outcome, Timeouts},
    io::{SendError, blocking, tokio as asynchronous},
    server::Config,
    syntax::{Extension, Extensions},
    testing::{At, Fault, Faults, LoopbackServer},
};
use std::{net::SocketAddr, time::Duration};
use tokio::task::{JoinSet, spawn_blocking};

const MESSAGES: u64 = 8;
const IN_FLIGHT: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Adapter {
    Blocking,
    Tokio,
}

/// Lists the places of a session at which a server may fail.
fn places() -> Vec<At> {
    let verbs = ["EHLO", "MAIL", "RCPT", "BDAT", "DATA", "RSET", "QUIT"];
    let mut places = vec![At::GREETING];
    for verb in verbs {
        places.extend([1, 2, 4].map(|time| At::command(verb).nth(time)));
    }
    places.extend([1, 3, 8].map(|time| At::END_OF_CONTENT.nth(time)));
    places
}

fn faults() -> [Fault; 6] {
    [
        Fault::DROP,
        Fault::STALL,
        Fault::reply_and_close("421 4.3.2 Closing"),
        Fault::reply("451 4.3.0 Not now"),
        Fault::reply("554 5.3.0 No"),
        Fault::octets("nonsense\r\n"),
    ]
}

/// Sends the messages on one session, and returns their results.
async fn send_all(adapter: Adapter, address: SocketAddr) -> Vec<Done> {
    let timeouts = Timeouts::default().at_most(Duration::from_millis(300));
    let config = sender().with_timeouts(timeouts);
    match adapter {
        Adapter::Blocking => {
            let sending = spawn_blocking(move || {
                let mut session = blocking::connect(address, config).unwrap();
                let mut next = 0;
                // Those that a dead session cannot take stay in the iterator.
                let messages = std::iter::from_fn(|| {
                    let number = next;
                    next += 1;
                    (number < MESSAGES).then(|| (envelope(number), content(number).into_bytes()))
                });
                let done: Vec<Done> = session.queue(IN_FLIGHT, messages).collect();
                let _ = session.quit();
                done
            });
            sending.await.unwrap()
        }
        Adapter::Tokio => {
            let mut session = asynchronous::connect(address, config).await.unwrap();
            let mut queue = session.queue(IN_FLIGHT);
            for number in 0..MESSAGES {
                queue.push(envelope(number), content(number).into_bytes()).await;
            }
            let mut done = Vec::new();
            while let Some(one) = queue.next().await {
                done.push(one);
            }
            drop(queue);
            let _ = session.quit().await;
            done
        }
    }
}

/// Checks the results. A server is honest unless it rejects a message that it has taken.
async fn check(adapter: Adapter, place: At, fault: Fault, offered: Extensions, is_honest: bool) {
    let case = format!("{adapter:?} {place:?} {fault:?}");
    let config = Config::new("mx.example.net").unwrap().with_extensions(offered);
    let server = LoopbackServer::new(config).with_faults(Faults::default().with(place, fault));
    let server = server.start().unwrap();
    let mut done = send_all(adapter, server.address()).await;
    let messages = server.stop();
    done.sort_by_key(|(ticket, _)| ticket.number());
    let numbers: Vec<_> = done.iter().map(|(ticket, _)| ticket.number()).collect();
    let expected: Vec<_> = (0..u64::try_from(done.len()).unwrap()).collect();
    assert_eq!(numbers, expected, "{case}: one result for each message");
    if let Adapter::Tokio = adapter {
        assert_eq!(done.len(), usize::try_from(MESSAGES).unwrap(), "{case}");
    }
    for number in 0..MESSAGES {
        let octets = content(number);
        let taken = messages.iter().filter(|message| message.content() == octets.as_bytes());
        let times = taken.count();
        assert!(times <= 1, "{case}: message {number} was sent {times} times");
        let result = done.iter().find(|(ticket, _)| ticket.number() == number).map(|(_, it)| it);
        match result.map(|result| result.as_ref().map(|report| report.outcomes().next())) {
            Some(Ok(Some(Outcome::Replied(reply)))) if reply.is_positive() => {
                assert_eq!(times, 1, "{case}: message {number} is lost");
            }
            Some(Ok(Some(Outcome::Unknown))) => {}
            Some(Err(error)) => {
                assert!(times == 0 || !is_honest, "{case}: message {number} {error}");
                assert_eq!(SendError::envelope(error), &envelope(number), "{case}");
            }
            _ if is_honest => assert_eq!(times, 0, "{case}: message {number} {result:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_fault_each_message_has_one_true_result() {
    let offers = [
        Extensions::NONE.with(Extension::Pipelining).with(Extension::Chunking),
        Extensions::NONE.with(Extension::Pipelining),
        Extensions::NONE,
    ];
    for offered in offers {
        for adapter in [Adapter::Blocking, Adapter::Tokio] {
            let mut checks = JoinSet::new();
            for fault in faults() {
                for place in places() {
                    checks.spawn(check(adapter, place, fault.clone(), offered.clone(), true));
                }
                // The server has taken the message, and its reply does not say so.
                checks.spawn(check(adapter, At::TAKEN.nth(2), fault, offered.clone(), false));
            }
            checks.join_all().await;
        }
    }
}
