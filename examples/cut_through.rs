//! A proxy in front of another server: each command and each piece of content goes on at once, and the replies
//! come back unchanged: `cargo run --all-features --example cut_through`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::client::{MessageFacts, TlsPolicy};
use esmtp::io::tokio::{Connector, ServerSession, serve};
use esmtp::io::{SessionError, serving::Options};
use esmtp::{envelope::Envelope, server::Config, server::Event, testing::LoopbackServer};
use std::{error::Error, io, net::SocketAddr, sync::Arc};

/// Serves a client. Where the server is lost, its session ends, too, and it tries again.
async fn proxy(mut client: ServerSession, server: Arc<Connector>) -> io::Result<()> {
    let mut server = server.connect().await?;
    'next: while let Some(event) = client.next().await? {
        let Event::Mail(mail) = event else {
            event.proceed();
            continue;
        };
        let (path, with) = (mail.reverse_path().into_owned(), mail.parameters().into_owned());
        let mut begun = server.begin(path, with, &MessageFacts::UNKNOWN).await?;
        mail.answer(&begun.mail().await?);
        loop {
            match client.next().await? {
                Some(Event::Rcpt(rcpt)) => {
                    let (path, with) = (rcpt.forward_path(), rcpt.parameters());
                    rcpt.answer(&begun.rcpt(path.into_owned(), with.into_owned()).await?);
                }
                Some(Event::Data(_)) => break, // unanswered, it comes again
                _ => continue 'next,           // no transaction any more
            }
        }
        let mut content = begun.content().await?;
        while let Some(event) = client.next().await? {
            match (event, content.refusal()) {
                (Event::Data(data), Some(reply)) => data.answer(reply), // DATA was rejected
                (Event::Data(data), None) => data.accept(),
                (Event::Content(octets), _) => content.write(octets.take()).await?, // waits as the server does
                (Event::Deliver(delivery), _) => {
                    let reply = content.end().await?.ok_or(io::ErrorKind::ConnectionAborted)?;
                    delivery.answer(reply);
                    break;
                }
                _ => break,
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let to = |at: SocketAddr| Connector::new(at.to_string()).with_tls_policy(TlsPolicy::Never);
    let server = LoopbackServer::new(Config::new("mx.example.net")?).start()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let client = to(listener.local_addr()?);
    let proxy = |client, server| async { proxy(client, server).await.map_err(SessionError::Io) };
    let options = Options::new(Config::new("proxy.example.net")?);
    tokio::spawn(serve(listener, options, Arc::new(to(server.address())), proxy));
    let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
    let report = client.connect().await?.send(envelope, b"Hello.\r\n").await?;
    report.outcomes().for_each(|outcome| println!("{outcome}"));
    (server.stop().len() == 1).then_some(()).ok_or_else(|| "no message came through".into())
}
