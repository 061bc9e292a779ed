//! Runs a server and a client over loopback, and sends a message from one to the other:
//! `cargo run --all-features --example tour`.
//!
//! The client starts TLS, authenticates with SCRAM, and sends. The program prints the transcript as it
//! happens, and at the end the path and the text of the stored message.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

#[path = "support/accounts.rs"]
mod accounts;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/maildir.rs"]
mod maildir;

use accounts::Accounts;
use esmtp::{
    client::{self, Client, MessageFacts, Report, TlsPolicy},
    envelope::Envelope,
    io::blocking::Connection,
    sasl::{Credentials, Nonce},
    security::Security,
    server::{self, Peer, Server},
    syntax::{Extension, Rejection, Text},
    time::Instant,
    tls::{ClientTls, Secured, ServerTls},
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
    .This one begins with a dot, and BDAT carries it as it is.\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("esmtp-tour-{}", std::process::id()));
    let receiver = Receiver {
        maildir: Maildir::open(&folder)?,
        accounts: Accounts::parse(&["ann:correct horse".to_owned()])?,
        tls: certificates::server(None, "mx.example.net")?,
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;

    let server = thread::spawn(move || {
        let (stream, peer) = listener.accept()?;
        stream.set_nodelay(true)?;
        receiver.receive(stream, peer)
    });
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let report = send(stream)?;
    let stored = server.join().map_err(|_| "the server panicked")??;

    let mut story = String::new();
    for recipient in report.recipients() {
        story += &format!("\n{}: {}", recipient.path(), recipient.outcome());
    }
    for path in &stored {
        let message = std::fs::read(path)?;
        story += &format!("\n\n{}:\n\n{}", path.display(), String::from_utf8_lossy(&message));
    }
    // A reader such as `head` may close the pipe early.
    let _ = writeln!(io::stdout().lock(), "{story}");
    if stored.len() == 1 && report.is_delivered_to_any() {
        Ok(())
    } else {
        Err("the message did not arrive".into())
    }
}

/// The receiving side: every address but `unknown@…` has a mailbox, and all share one Maildir.
struct Receiver {
    maildir: Maildir,
    accounts: Accounts,
    tls: ServerTls,
}

impl Receiver {
    fn receive(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Vec<PathBuf>> {
        let config = server::Config::new("mx.example.net").map_err(io::Error::other)?;
        let config = config.with_extension(Extension::StartTls).with_auth(Accounts::offer());
        let config = Arc::new(config.with_required_auth(true));
        let server = Server::new(Arc::clone(&config), Peer::from(peer), Security::CLEAR);
        let secured = Secured::start_tls(server, &self.tls);
        let mut session = Connection::new(secured, stream);
        let (mut draft, mut stored) = (None::<Draft>, Vec::new());
        while let Some(event) = session.next()? {
            match event {
                server::Event::Credentials(asked) => self.accounts.answer(asked),
                server::Event::Rcpt(rcpt) => {
                    if rcpt.forward_path().to_string().starts_with("<unknown@") {
                        rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                    } else {
                        rcpt.accept();
                    }
                }
                server::Event::Data(data) => {
                    if let Some(envelope) = data.facts().transaction() {
                        draft = Some(self.maildir.begin(config.host(), data.facts(), envelope));
                    }
                    data.accept();
                }
                server::Event::Content(content) => match &mut draft {
                    Some(draft) => {
                        if draft.push(content.take()) {
                            draft.write()?;
                        }
                    }
                    None => content.reject(Rejection::LOCAL_ERROR),
                },
                server::Event::Deliver(delivery) => {
                    let octets = draft.as_ref().map_or(0, Draft::octets);
                    match draft.take().map(Draft::keep) {
                        Some(Ok(kept)) => {
                            stored.push(kept.into_path());
                            delivery.accept_with(stored_in_words(octets));
                        }
                        _ => delivery.reject(Rejection::LOCAL_ERROR),
                    }
                }
                server::Event::Abort(abort) => {
                    draft = None;
                    abort.acknowledge();
                }
                other => other.proceed(),
            }
        }
        Ok(stored)
    }
}

fn stored_in_words(octets: u64) -> Text<'static> {
    Text::new(format!("{octets} octets are stored")).unwrap_or(Text::literal("stored"))
}

/// Sends the message. If the server lacks an extension that the message needs, no octet of it is sent.
fn send(stream: TcpStream) -> Result<Report, Box<dyn Error>> {
    let envelope = Envelope::new("ann@example.org", &["bob@example.net", "unknown@example.net"])?;
    let credentials = Credentials::password("ann", "correct horse");
    let config = client::Config::new("client.example.org")?.with_tls(TlsPolicy::Required);
    let client = Client::new(config, Security::CLEAR).with_transcript(Box::new(Narrator));
    // The server of this tour has a self-signed certificate. A real client verifies.
    let tls = ClientTls::new().without_verification();
    let secured = Secured::start_tls(client, tls.for_host("mx.example.net")?);
    let mut session = Connection::new(secured, stream);
    let (mut is_known, mut report) = (false, None);
    while let Some(event) = session.next()? {
        match event {
            client::Event::Ready(ready) if !is_known => {
                is_known = true;
                ready.authenticate_as(&credentials, Nonce::generate()?)?;
            }
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

/// A transcript printed as the dialogues in the RFCs are.
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
        // A failure to print loses no mail.
        let _ = writeln!(io::stdout().lock(), "{milliseconds:8.3} ms  {indent}{entry}");
    }
}
