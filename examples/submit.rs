//! Submits a message with a login over STARTTLS: `cargo run --all-features --example submit`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    envelope::Envelope,
    io::tokio::Connector,
    sasl::{Credentials, Offer},
    server::{Config, Event},
    service::Service,
    testing::LoopbackServer,
    tls::{ClientTls, ServerTls},
};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server to submit to, with a certificate for its address.
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = pair.cert.pem();
    let config = Config::new("mail.example.org")?
        .with_service(Service::Submission)
        .with_auth(Offer::for_passwords());
    let server = LoopbackServer::new(config)
        .with_tls(ServerTls::from_pem(&certificate, pair.signing_key.serialize_pem())?)
        .with_answer(|event| match event {
            Event::Credentials(asked) => {
                asked.check_with(|user| (user == "ann").then_some("correct horse"));
                None
            }
            other => Some(other),
        })
        .start()?;

    // With a name alone (`mail.example.org`) it is port 587, and the authorities of the system are trusted.
    let mut session = Connector::new(server.address().to_string())
        .submission(Credentials::password("ann", "correct horse"))
        .with_tls(ClientTls::new().with_ca_pem(&certificate)?)
        .connect()
        .await?;
    let envelope = Envelope::new("ann@example.org", ["bob@example.net", "carol@example.net"])?;
    let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n").await?;
    for recipient in report.recipients() {
        println!("{} {}", recipient.path(), recipient.outcome());
    }
    session.quit().await?;
    match report.is_delivered_to_all() {
        true => Ok(()),
        false => Err("not every recipient has the message".into()),
    }
}
