//! A server and a client over loopback, and a message from the one to the other:
//! `cargo run --all-features --example tour`.
//!
//! The transcript is printed as it happens, and at the end where the message lies.

#[path = "support/maildir.rs"]
mod maildir;

use esmtp::{
    client::{self, Client, MessageFacts, Report},
    envelope::Envelope,
    io::blocking::Connection,
    security::Security,
    server::{self, Peer, Server},
    syntax::{Rejection, Text},
    time::Instant,
    transcript::{Entry, Side, Transcript},
};
use maildir::{Draft, Maildir};
use std::{
    error::Error,
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    thread,
};

const MESSAGE: &[u8] = b"From: Ann <ann@example.org>\r\n\
    To: Bob <bob@example.net>\r\n\
    Subject: A tour\r\n\
    \r\n\
    This line begins an ordinary text.\r\n\
    .This one begins with a dot, which travels doubled.\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("esmtp-tour-{}", std::process::id()));
    let maildir = Maildir::open(&folder)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;

    let server = thread::spawn(move || {
        let (stream, peer) = listener.accept()?;
        receive(stream, peer, &maildir)
    });
    let report = send(TcpStream::connect(address)?)?;
    let stored = server.join().map_err(|_| "the server panicked")??;

    println!();
    for (recipient, outcome) in report.recipients() {
        println!("{recipient}: {outcome}");
    }
    for path in &stored {
        println!("\n{}:\n\n{}", path.display(), String::from_utf8_lossy(&std::fs::read(path)?));
    }
    if stored.len() == 1 && report.is_delivered_to_any() {
        Ok(())
    } else {
        Err("the message did not arrive".into())
    }
}

/// The receiving side: everybody but `nobody@…` has a mailbox here, and it is the same.
fn receive(stream: TcpStream, peer: SocketAddr, maildir: &Maildir) -> io::Result<Vec<PathBuf>> {
    let config = server::Config::new("mx.example.net").map_err(io::Error::other)?;
    let config = Arc::new(config);
    let server = Server::new(Arc::clone(&config), Peer::from(peer), Security::CLEAR);
    let mut session = Connection::new(server, stream);
    let (mut draft, mut stored) = (None::<Draft>, Vec::new());
    while let Some(event) = session.next()? {
        match event {
            server::Event::Rcpt(rcpt) => {
                if rcpt.forward_path().to_string().starts_with("<nobody@") {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                } else {
                    rcpt.accept();
                }
            }
            server::Event::Data(data) => {
                if let Some(envelope) = data.facts().transaction() {
                    draft = Some(maildir.begin(config.host(), data.facts(), envelope)?);
                }
                data.accept();
            }
            server::Event::Content(content) => match &mut draft {
                Some(draft) => draft.write(content.take())?,
                None => content.reject(Rejection::LOCAL_ERROR),
            },
            server::Event::Deliver(delivery) => {
                let octets = draft.as_ref().map_or(0, Draft::octets);
                match draft.take().map(Draft::keep) {
                    Some(Ok(path)) => {
                        stored.push(path);
                        delivery.accept_with(stored_in_words(octets));
                    }
                    _ => delivery.reject(Rejection::LOCAL_ERROR),
                }
            }
            server::Event::Abort(abort) => {
                draft = None;
                abort.done();
            }
            other => other.proceed(),
        }
    }
    Ok(stored)
}

fn stored_in_words(octets: u64) -> Text<'static> {
    Text::new(format!("{octets} octets are stored")).unwrap_or(Text::literal("stored"))
}

/// The sending side. What the server cannot do shows here, before an octet of it is sent.
fn send(stream: TcpStream) -> Result<Report, Box<dyn Error>> {
    let envelope = Envelope::new("ann@example.org", &["bob@example.net", "nobody@example.net"])?;
    let config = client::Config::new("client.example.org")?;
    let client = Client::new(config, Security::CLEAR).with_transcript(Box::new(Narrator));
    let mut session = Connection::new(client, stream);
    let mut report = None;
    while let Some(event) = session.next()? {
        match event {
            client::Event::Ready(ready) if report.is_none() => {
                ready.send(envelope.clone(), MessageFacts::scan(MESSAGE))?;
            }
            client::Event::Content(mut content) => {
                content.write(MESSAGE)?;
                content.finish()?;
            }
            client::Event::Sent(sent) => report = Some(sent.take()),
            other => other.quit(),
        }
    }
    report.ok_or_else(|| "the session ended before the message was sent".into())
}

/// Prints the dialogue as the RFCs write it.
#[derive(Debug)]
struct Narrator;

impl Transcript for Narrator {
    fn entry(&mut self, at: Instant, entry: Entry<'_>) {
        let indent = match entry {
            Entry::Line { from: Side::Client, .. } | Entry::Content { from: Side::Client, .. } => {
                ""
            }
            _ => "        ",
        };
        let milliseconds = at.elapsed().as_secs_f64() * 1000.0;
        // A transcript that cannot be printed is no reason to lose mail.
        let _ = writeln!(io::stdout().lock(), "{milliseconds:8.3} ms  {indent}{entry}");
    }
}
