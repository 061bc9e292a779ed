//! Receives mail for one mailbox: the program of the README. `cargo run --example receive -- [ADDRESS]`

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    io::blocking::Connection,
    server::{Config, Event, Message, Transaction},
    syntax::{ForwardPath, Mailbox, Rejection},
};
use std::{
    error::Error,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

fn receive(stream: TcpStream, config: Arc<Config>) -> io::Result<()> {
    let mut session = Connection::accept(stream, config)?;
    let mut message = Message::with_limit(32 << 20);
    while let Some(event) = session.next()? {
        match event {
            Event::Rcpt(rcpt) if known(&rcpt.forward_path()) => rcpt.accept(),
            Event::Deliver(delivery) => match store(delivery.envelope(), message.octets()) {
                Ok(()) => delivery.accept(),
                Err(_) => delivery.reject(Rejection::LOCAL_ERROR),
            },
            other => message.collect(other), // takes content; rejects what nothing has accepted
        }
    }
    Ok(())
}

/// Compares by meaning: a domain has no case, and the postmaster is known with and without one.
fn known(path: &ForwardPath<'_>) -> bool {
    let Ok(bob) = Mailbox::parse("bob@example.net") else { return false };
    match path.mailbox() {
        Some(mailbox) if path.is_postmaster() => mailbox.host() == bob.host(),
        Some(mailbox) => *mailbox == bob,
        None => true, // <Postmaster>
    }
}

fn store(envelope: &Transaction, message: &[u8]) -> io::Result<()> {
    writeln!(io::stdout(), "{} octets from {}", message.len(), envelope.reverse_path())
}

fn main() -> Result<(), Box<dyn Error>> {
    let config = Arc::new(Config::new("mx.example.net")?);
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:2525"))?;
    thread::scope(|threads| {
        // Each serves one client at a time; further clients wait to be accepted.
        for _ in 0..64 {
            threads.spawn(|| {
                loop {
                    match listener.accept() {
                        // A connection that is lost ends its own session only.
                        Ok((stream, _)) => drop(receive(stream, Arc::clone(&config))),
                        // Out of file descriptors, perhaps: a session that ends makes room.
                        Err(_) => thread::sleep(Duration::from_millis(100)),
                    }
                }
            });
        }
    });
    Ok(())
}
