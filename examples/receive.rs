//! Receives mail for one mailbox and its postmaster: `cargo run --all-features --example receive`. It is the first
//! program of the README, and listens on the address that follows ` -- `, or on port 2525.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    io::{serving::Options, tokio::serve},
    server::{Config, Event, Message, Transaction},
    syntax::{ForwardPath, Mailbox, Rejection},
};
use std::{env, error::Error, io, sync::Arc};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:2525".into());
    let listener = TcpListener::bind(address).await?;
    let options = Options::new(Config::new("mx.example.net")?);
    let bob = Arc::new(Mailbox::parse("bob@example.net")?);
    serve(listener, options, bob, |mut session, bob| async move {
        let mut message = Message::with_limit(32 << 20); // octets
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) if is_known(&rcpt.forward_path(), &bob) => rcpt.accept(),
                Event::Deliver(it) => match store(it.envelope(), message.octets()).await {
                    Ok(()) => it.accept(),
                    Err(_) => it.reject(Rejection::LOCAL_ERROR), // again, later
                },
                other => message.collect(other), // content; rejects the rest
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Returns whether it is bob, or the postmaster that every host has (RFC 5321 section 4.5.1).
fn is_known(path: &ForwardPath<'_>, bob: &Mailbox<'_>) -> bool {
    match path.mailbox() {
        Some(mailbox) if path.is_postmaster() => mailbox.host() == bob.host(),
        Some(mailbox) => mailbox == bob, // by meaning: a domain has no case
        None => true,                    // <Postmaster>
    }
}

async fn store(envelope: &Transaction, message: &[u8]) -> io::Result<()> {
    println!("{} octets from {}", message.len(), envelope.reverse_path());
    Ok(()) // when it is safe on a disk: the message is yours from here on
}
