//! Serves submission with STARTTLS and stored SCRAM keys; a client logs in and sends:
//! `cargo run --all-features --example auth_server`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    envelope::Envelope,
    io::{serving::Options, tokio::Connector, tokio::serve},
    sasl::{Credentials, Identity, Offer, scram::Hash, scram::Keys},
    server::{Config, Event, Message},
    service::Service,
    tls::{ClientTls, ServerTls},
};
use std::{collections::HashMap, error::Error, sync::Arc};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Derived when ann has set her password, with a random salt, and stored as keys.encode().
    let keys = Keys::derive(Hash::Sha256, "correct horse", *b"0123456789abcdef", 4096)?;
    let accounts = HashMap::from([("ann".to_owned(), keys)]);
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = pair.cert.pem();

    let config = Config::new("mail.example.org")?
        .with_service(Service::Submission) // AUTH before MAIL
        .with_auth(Offer::for_keys(Hash::Sha256)); // SCRAM-SHA-256, and PLAIN and LOGIN in TLS
    let tls = ServerTls::from_pem(&certificate, pair.signing_key.serialize_pem())?;
    let options = Options::new(config).with_start_tls(tls);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let serving =
        serve(listener, options, Arc::new(accounts), |mut session, accounts| async move {
            let mut message = Message::with_limit(10 << 20);
            while let Some(event) = session.next().await? {
                match event {
                    Event::Credentials(asked) => asked.check_with(|user| accounts.get(user)),
                    Event::Rcpt(rcpt) => rcpt.accept(), // a client that has logged in sends anywhere
                    Event::Deliver(delivery) => {
                        let user = delivery.facts().identity().map(Identity::acts_as);
                        println!("{} octets from {user:?}", message.octets().len()); // store them
                        delivery.accept();
                    }
                    other => message.collect(other),
                }
            }
            Ok(())
        });
    let server = serving.handle();
    let serving = tokio::spawn(serving);

    let connector = Connector::new(address).with_tls(ClientTls::new().with_ca_pem(&certificate)?);
    let wrong = connector.clone().submission(Credentials::password("ann", "wrong")).connect().await;
    println!("{}", wrong.err().ok_or("a wrong password was accepted")?);
    let ann = Credentials::password("ann", "correct horse");
    let mut session = connector.submission(ann).connect().await?;
    let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
    let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n").await?;
    session.quit().await?;
    server.shut_down();
    serving.await??;
    report.is_delivered_to_all().then_some(()).ok_or_else(|| "bob has no message".into())
}
