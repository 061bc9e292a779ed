//! Sessions as `tracing` shows them.

use esmtp::{
    client,
    envelope::Envelope,
    io::{
        Tracer,
        serving::Options,
        tokio::{Connection, Socket, serve},
    },
    security::Security,
    server::{Config, Event},
    syntax::Rejection,
};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Runs on this thread, and returns the lines that a subscriber of this level writes.
fn traced(level: tracing::Level, run: impl Future<Output = ()>) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_writer(lines.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(run));
    let lines = lines.0.lock().unwrap();
    String::from_utf8(lines.clone()).unwrap()
}

const SECRET: &str = "AGFubgBzZWNyZXQ=";

/// Plays a session with a listener.
async fn session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::new(Config::new("mx.example.net").unwrap());
    let serving = serve(listener, options, Arc::new(()), |mut session, _| async move {
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
                    rcpt.reject(Rejection::NO_SUCH_MAILBOX);
                }
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Content(content) => assert!(!content.take().is_empty()),
                Event::Deliver(delivery) => {
                    tracing::info!("stored");
                    delivery.accept();
                }
                other => other.proceed(),
            }
        }
        Ok(())
    });
    let handle = serving.handle();
    let talking = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        for commands in [
            "",
            "EHLO me.example.org\r\n",
            &format!("AUTH PLAIN {SECRET}\r\n"),
            "MAIL FROM:<ann@example.org>\r\n",
            "RCPT TO:<nobody@example.net>\r\n",
            "RCPT TO:<bob@example.net>\r\n",
            "DATA\r\n",
            "Subject: hello\r\n\r\nhello\r\n.\r\n",
            "QUIT\r\n",
        ] {
            client.write_all(commands.as_bytes()).await.unwrap();
            let mut reply = [0; 1024];
            assert!(client.read(&mut reply).await.unwrap() > 0);
        }
        drop(client);
        handle.shut_down();
    };
    let (served, ()) = tokio::join!(serving, talking);
    served.unwrap();
}

#[test]
fn a_session_has_spans_and_events_and_no_secret() {
    let lines = traced(tracing::Level::TRACE, session());
    for expected in [
        r#"session{role="server" peer=127.0.0.1:"#,
        ": esmtp: line from=\"C\" line=EHLO me.example.org\n",
        ": esmtp: line from=\"C\" line=AUTH PLAIN (redacted)\n",
        "transaction{reverse_path=<ann@example.org>}: esmtp: refusal code=550 reply=550 5.1.1",
        "transaction{reverse_path=<ann@example.org>}: esmtp: content from=\"C\" octets=",
        "transaction{reverse_path=<ann@example.org> code=250}: esmtp: ",
        // The events of the application are those of the session, too.
        "}: io_adapters::traced: stored\n",
    ] {
        assert!(lines.contains(expected), "{expected}\n{lines}");
    }
    assert!(!lines.contains(SECRET), "{lines}");
    let quit = lines.lines().find(|line| line.contains("line=QUIT")).unwrap();
    assert!(!quit.contains("transaction"), "{quit}");
}

#[test]
fn lines_are_left_out_above_trace() {
    let lines = traced(tracing::Level::DEBUG, session());
    assert!(lines.contains("refusal code=550") && !lines.contains("EHLO"), "{lines}");
    let lines = traced(tracing::Level::INFO, session());
    assert!(lines.contains("stored") && !lines.contains("refusal"), "{lines}");
}

#[test]
fn a_client_is_traced_by_its_transcript() {
    let lines = traced(tracing::Level::TRACE, async {
        let (near, far) = tokio::io::duplex(4096);
        let config = Config::new("mx.example.net").unwrap();
        let server =
            esmtp::Server::new(config.into(), esmtp::server::Peer::UNKNOWN, Security::CLEAR);
        let receiving = async {
            let mut session = Connection::new(server, Socket::boxed(far));
            while let Some(event) = session.next().await.unwrap() {
                event.proceed();
            }
        };
        let config = client::Config::new("me.example.org").unwrap();
        let client = client::Client::new(config, Security::CLEAR)
            .with_transcript(Box::new(Tracer::client("mx.example.net")));
        let sending = async {
            let mut session = Connection::new(client, Socket::boxed(near));
            let envelope = Envelope::new("ann@example.org", ["bob@example.net"]).unwrap();
            let _ = session.send(envelope, b"Subject: hello\r\n\r\nhello\r\n").await;
            session.quit().await.unwrap();
        };
        tokio::join!(receiving, sending);
    });
    for expected in [
        r#"session{role="client" peer=mx.example.net}: esmtp: line from="S" line=220 mx.example.net"#,
        "transaction{reverse_path=<ann@example.org>",
        "refusal code=550",
    ] {
        assert!(lines.contains(expected), "{expected}\n{lines}");
    }
}
