//! Submits a message to a server that a URL describes, as in a configuration file or an environment
//! variable: `cargo run --all-features --example submit_from_url`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    envelope::Envelope,
    io::blocking::Connector,
    sasl::Offer,
    server::{Config, Event},
    service::Service,
    testing::LoopbackServer,
    tls::{ClientTls, ServerTls},
};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // A server with TLS from the first octet, as on port 465.
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = pair.cert.pem();
    let config = Config::new("mail.example.org")?
        .with_service(Service::Submission)
        .with_auth(Offer::for_passwords());
    let server = LoopbackServer::new(config)
        .with_implicit_tls(ServerTls::from_pem(&certificate, pair.signing_key.serialize_pem())?)
        .with_answer(|event| match event {
            Event::Credentials(asked) => {
                asked.check_with(|user| (user == "ann").then_some("correct horse"));
                None
            }
            other => Some(other),
        })
        .start()?;

    // A program takes it from std::env::var("SMTP_URL"). User and password are percent-encoded.
    let url = format!("submissions://ann:correct%20horse@{}", server.address());
    let connector = Connector::new(url).with_tls(ClientTls::new().with_ca_pem(&certificate)?);
    connector.verify()?; // a wrong setting is an error that names it, here and not at the first message
    let mut session = connector.connect()?;
    let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
    let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n")?;
    for recipient in report.recipients() {
        println!("{} {}", recipient.path(), recipient.outcome());
    }
    session.quit()?;

    let mistake = Connector::new("submisions://ann:secret@mail.example.org").connect();
    println!("{}", mistake.err().ok_or("a URL with a mistake was taken")?);
    match server.stop().as_slice() {
        [_] => Ok(()),
        messages => Err(format!("{} messages", messages.len()).into()),
    }
}
