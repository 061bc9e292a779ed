//! Shuts a server down while a client is idle and another sends a message, and logs with `tracing`:
//! `cargo run --all-features --example shutdown`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    io::{serving::Options, tokio::serve},
    server::{Config, Event, Message},
};
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends octets, and returns what the server sends next.
async fn ask(client: &mut TcpStream, octets: &str) -> io::Result<String> {
    client.write_all(octets.as_bytes()).await?;
    let mut reply = [0; 1024];
    let length = client.read(&mut reply).await?;
    Ok(String::from_utf8_lossy(reply.get(..length).unwrap_or_default()).into_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).init();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = Options::new(Config::new("mx.example.net")?)
        .with_sessions(100)
        .with_sessions_by_address(10)
        .with_grace(Duration::from_secs(10)); // for messages in progress
    let serving = serve(listener, options, Arc::new(()), |mut session, _| async move {
        let mut message = Message::with_limit(1 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Deliver(delivery) => delivery.accept(), // after message.octets() are stored
                other => message.collect(other),
            }
        }
        Ok(())
    });
    let handle = serving.handle(); // a real server waits for a signal: tokio::signal::ctrl_c()
    let serving = tokio::spawn(serving);

    let (mut idle, mut busy) =
        (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    ask(&mut idle, "").await?;
    for commands in ["", "EHLO me.example.org\r\n", "MAIL FROM:<ann@example.org>\r\n"] {
        ask(&mut busy, commands).await?;
    }
    ask(&mut busy, "RCPT TO:<bob@example.net>\r\n").await?;
    ask(&mut busy, "DATA\r\n").await?;
    println!("{} sessions", handle.sessions());
    handle.shut_down();
    print!("idle: {}", ask(&mut idle, "").await?); // 421
    print!("busy: {}", ask(&mut busy, "Subject: hello\r\n\r\nhello\r\n.\r\n").await?); // 250
    drop((idle, busy));
    Ok(serving.await??)
}
