//! Delivers by LMTP over a Unix socket, where each recipient has a quota and a reply of its own:
//! `cargo run --all-features --example lmtp`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::io::{serving::Options, tokio::Connector, tokio::serve};
use esmtp::server::{Config, Event, Message};
use esmtp::{client::Outcome, envelope::Envelope, service::Service, syntax::Rejection};
use std::{collections::HashMap, error::Error, sync::Arc};
use tokio::{net::UnixListener, sync::Mutex};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("lmtp-{}", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let options = Options::new(Config::new("store.example.net")?.with_service(Service::Lmtp));
    // The octets that are free in each mailbox.
    let free = [("<bob@example.net>", 100_000), ("<carol@example.net>", 1000)];
    let free = free.map(|(path, octets)| (path.to_owned(), octets));
    let free = Arc::new(Mutex::new(HashMap::from(free)));
    let serving = serve(listener, options, free, |mut session, free| async move {
        let mut message = Message::with_limit(32 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) => {
                    match free.lock().await.contains_key(&rcpt.forward_path().to_string()) {
                        true => rcpt.accept(),
                        false => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
                    }
                }
                Event::Deliver(mut delivery) => {
                    let (size, mut free) = (message.octets().len(), free.lock().await);
                    for (index, recipient) in delivery.envelope().recipients().enumerate() {
                        let verdict = match free.get_mut(&recipient.forward_path().to_string()) {
                            Some(free) if size <= *free => {
                                *free -= size; // and stores it
                                Ok(())
                            }
                            _ => Err(Rejection::MAILBOX_FULL),
                        };
                        if let Some(mut replies) = delivery.per_recipient() {
                            replies.settle(index, verdict);
                        }
                    }
                    delivery.accept(); // every recipient has its reply
                }
                other => message.collect(other),
            }
        }
        Ok(())
    });
    let _server = tokio::spawn(serving);

    let mut session = Connector::unix(&path).connect().await?;
    let recipients = ["bob@example.net", "eve@example.net", "carol@example.net"];
    let envelope = Envelope::new("ann@example.org", recipients)?;
    let report = session.send(envelope, "0123456\r\n".repeat(1000).as_bytes()).await?;
    for recipient in report.recipients() {
        println!("{} {}", recipient.path(), recipient.outcome());
    }
    session.quit().await?;
    std::fs::remove_file(path)?;
    let delivered: Vec<_> = report.outcomes().map(Outcome::is_delivered).collect();
    (delivered == [true, false, false]).then_some(()).ok_or_else(|| "other outcomes".into())
}
