//! Decides with a slow look-up, greylisting and a limit of the rate: `cargo run --all-features --example policy`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::io::{serving::Options, tokio::Connector, tokio::serve};
use esmtp::server::{Config, Event, Message, Rcpt};
use esmtp::{client::TlsPolicy, envelope::Envelope, syntax::Rejection};
use std::{collections::HashMap, error::Error, net::IpAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Mutex, time::Instant, time::sleep};

const GREY: Duration = Duration::from_millis(100); // minutes, in a real server
const MESSAGES: u32 = 3; // an hour, in a real server

#[derive(Default)]
struct Policy {
    seen: Mutex<HashMap<String, Instant>>, // by address, reverse-path, recipient; a database forgets
    messages: Mutex<HashMap<Option<IpAddr>, u32>>, // cleared every hour, in a real server
}

/// Asks a database whether there is such a mailbox. The deadlines of the client are suspended meanwhile.
async fn known(rcpt: &Rcpt<'_>) -> bool {
    sleep(Duration::from_millis(20)).await;
    rcpt.forward_path().to_string() == "<bob@example.net>"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (options, policy) = (Options::new(Config::new("mx.example.net")?), Arc::default());
    tokio::spawn(serve(listener, options, policy, |mut session, policy: Arc<Policy>| async move {
        let client = session.server().facts().peer().ip();
        let mut message = Message::with_limit(1 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Mail(mail) => match policy.messages.lock().await.get(&client) {
                    Some(&MESSAGES) => mail.reject(Rejection::TRY_AGAIN_LATER),
                    _ => mail.accept(),
                },
                Event::Rcpt(rcpt) if !known(&rcpt).await => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
                Event::Rcpt(rcpt) => {
                    let from = rcpt.envelope().reverse_path();
                    let triplet = format!("{client:?} {from} {}", rcpt.forward_path());
                    match policy.seen.lock().await.entry(triplet).or_insert_with(Instant::now) {
                        first if first.elapsed() < GREY => rcpt.reject(Rejection::GREYLISTED),
                        _ => rcpt.accept(),
                    }
                }
                Event::Deliver(delivery) => {
                    *policy.messages.lock().await.entry(client).or_default() += 1;
                    delivery.accept(); // after message.octets() are stored
                }
                other => message.collect(other),
            }
        }
        Ok(())
    }));

    let mut session = Connector::new(address).with_tls_policy(TlsPolicy::Never).connect().await?;
    for expected in ["451 4.7.1", "250 2.0.0", "250 2.0.0", "250 2.0.0", "451 4.7.1"] {
        let envelope = Envelope::new("ann@example.org", ["bob@example.net", "eve@example.net"])?;
        let report = session.send(envelope, b"Hello.\r\n").await?;
        let [bob, eve] = [0, 1].map(|index| report.outcomes().nth(index).map(ToString::to_string));
        println!("{bob:?}, {eve:?}");
        assert!(bob.is_some_and(|outcome| outcome.starts_with(expected)));
        sleep(GREY).await;
    }
    Ok(session.quit().await?)
}
