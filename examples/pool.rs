//! Sends 200 messages over at most four sessions: `cargo run --all-features --example pool`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    client::TlsPolicy,
    envelope::Envelope,
    io::serving::Options,
    io::tokio::{Connector, Pool, PoolLimits, serve},
    server::{Config, Event, Message},
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server that accepts everything, to send to.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let options = Options::new(Config::new("mx.example.net")?);
    let serving = serve(listener, options, Arc::new(()), |mut session, _| async move {
        let mut message = Message::with_limit(1 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Deliver(delivery) => delivery.accept(),
                other => message.collect(other),
            }
        }
        Ok(())
    });
    let server = serving.handle();
    let serving = tokio::spawn(serving);

    // Each message goes to the next free session; a session ends after 30 seconds without one.
    let connector = Connector::new(address).with_tls_policy(TlsPolicy::Never);
    let limits = PoolLimits::default().with_sessions(4).with_idle(Duration::from_secs(30));
    let pool = Pool::new(connector, limits);
    let mut sending = JoinSet::new();
    for number in 0..200 {
        let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
        let pool = pool.clone();
        sending.spawn(async move {
            let content = format!("Subject: message {number}\r\n\r\nHello.\r\n");
            pool.send(envelope, content.as_bytes()).await
        });
    }
    let mut delivered = 0;
    while let Some(sent) = sending.join_next().await {
        match sent? {
            Ok(report) => delivered += usize::from(report.is_delivered_to_all()),
            // A later attempt needs the envelope: error.into_envelope().
            Err(error) => eprintln!("not sent: {error}"),
        }
    }
    println!("{delivered} messages delivered over {} sessions", pool.sessions());
    pool.close().await;
    server.shut_down();
    Ok(serving.await??)
}
