//! A client sends to a server over loopback sockets, in one call.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

use esmtp::{
    client::{self, ContentError, End, MessageFacts, Obstacle, Report},
    envelope::Envelope,
    io::{SendError, SendFailure, blocking},
    server::{self, Event},
    syntax::Rejection,
    wire::LineEnds,
};
use std::{
    io::{self, BufReader, ErrorKind, Read},
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
};

/// Starts a server on some port; returns the messages that it accepts. One recipient is rejected.
fn serve(config: server::Config) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    let (taken, messages) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session =
                blocking::Connection::accept(stream.unwrap(), Arc::clone(&config)).unwrap();
            let taken = taken.clone();
            thread::spawn(move || receive(session, &taken));
        }
    });
    (address, messages)
}

fn receive(mut session: blocking::ServerSession, taken: &mpsc::Sender<Vec<u8>>) {
    let mut message = vec![];
    while let Ok(Some(event)) = session.next() {
        match event {
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
                rcpt.reject(Rejection::NO_SUCH_MAILBOX);
            }
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => message.extend_from_slice(content.take()),
            Event::Deliver(delivery) => {
                let _ = taken.send(std::mem::take(&mut message));
                delivery.accept();
            }
            Event::Abort(abort) => {
                message.clear();
                abort.acknowledge();
            }
            other => other.proceed(),
        }
    }
}

fn receiver() -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    serve(server::Config::new("mx.example.net").unwrap())
}

fn sender() -> client::Config {
    client::Config::new("me.example.org").unwrap()
}

fn envelope(forward_paths: &[&str]) -> Envelope {
    Envelope::new("ann@example.org", forward_paths).unwrap()
}

fn bob() -> Envelope {
    envelope(&["bob@example.net"])
}

fn large() -> Vec<u8> {
    b".every line of this message begins with a dot\r\n".repeat(100_000)
}

fn outcomes(report: &Report) -> Vec<bool> {
    report.outcomes().map(client::Outcome::is_delivered).collect()
}

/// A message that cannot be read to its end.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(ErrorKind::Other.into()),
            octets => Ok(octets),
        }
    }
}

fn content_error(error: &SendError) -> Option<ContentError> {
    match error.failure() {
        SendFailure::Content(error) => Some(*error),
        _ => None,
    }
}

fn obstacles(error: &SendError) -> &[Obstacle] {
    match error.failure() {
        SendFailure::NotOffered(error) => error.obstacles(),
        _ => &[],
    }
}

#[test]
fn messages_are_sent_one_after_the_other() {
    let (address, messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    let report =
        session.send(envelope(&["bob@example.net", "nobody@example.net"]), b"Hi\r\n").unwrap();
    assert_eq!(outcomes(&report), [true, false]);
    let report =
        session.send_from(bob(), MessageFacts::UNKNOWN, BufReader::new(&large()[..])).unwrap();
    assert!(report.is_delivered_to_all());
    session.quit().unwrap();
    assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
    assert!(messages.recv().unwrap() == large());
}

#[test]
fn a_message_without_accepted_recipients_is_reported_without_content() {
    let (address, _messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    let report = session.send(envelope(&["nobody@example.net"]), b"Hi\r\n").unwrap();
    assert_eq!(outcomes(&report), [false]);
    assert!(session.send(bob(), b"Hi\r\n").unwrap().is_delivered_to_all());
    session.quit().unwrap();
}

#[test]
fn invalid_or_aborted_content_reaches_no_recipient() {
    let (address, messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    let unfit = b"one\r\ntwo\nthree\r\n";
    let error = session.send(bob(), unfit).unwrap_err();
    assert_eq!(obstacles(&error), [Obstacle::BareLineBreak]);
    assert!(error.is_unsent() && error.is_permanent() && !error.try_next_host());
    assert_eq!(error.into_envelope(), bob());
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, &unfit[..]).unwrap_err();
    assert_eq!(content_error(&error), Some(ContentError::BareLineBreak(8)));
    assert!(!error.is_unsent() && error.is_permanent() && !error.try_next_host());
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);

    let mut session = blocking::connect(address, sender()).unwrap();
    let content = BufReader::new(Broken(b"one\r\n"));
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, content).unwrap_err();
    assert!(matches!(error.failure(), SendFailure::Source(_)), "{error:?}");
    assert!(!error.is_unsent() && error.is_transient() && !error.try_next_host());
    assert_eq!(error.into_envelope(), bob());

    let lenient = sender().with_line_ends(LineEnds::FromLf);
    let mut session = blocking::connect(address, lenient).unwrap();
    session.send(bob(), b"one\ntwo\n").unwrap();
    session.quit().unwrap();
    assert_eq!(messages.recv().unwrap(), b"one\r\ntwo\r\n");
}

#[test]
fn what_the_server_does_not_offer_is_known_before_anything_is_sent() {
    let (address, messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    let facts = MessageFacts::UNKNOWN.with_size(u64::MAX / 2);
    let error = session.send_from(bob(), facts, &b"Hi\r\n"[..]).unwrap_err();
    assert_eq!(obstacles(&error).len(), 1);
    assert!(error.is_permanent() && error.try_next_host(), "another host may take more");
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    session.send(bob(), b"Hi\r\n").unwrap();
    session.quit().unwrap();
    assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
}

#[test]
fn a_session_that_is_over_reports_its_end() {
    let (address, _messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    session.quit().unwrap();
    let error = session.send(bob(), b"Hi\r\n").unwrap_err();
    assert_eq!(error.end(), Some(&End::Quit));
    assert!(error.is_unsent() && !error.try_next_host());
    assert_eq!(io::Error::from(error).kind(), ErrorKind::NotConnected);
}

/// `main` shows the `Debug` of an error that it returns.
#[test]
fn debug_shows_a_few_of_a_thousand_recipients() {
    let many = || {
        let members = (0..1000).map(|number| format!("{number}@example.net"));
        Envelope::new("ann@example.org", members).unwrap()
    };
    let (address, _messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    let envelope = many().with_notify(esmtp::syntax::Notify::NEVER);
    let error = session.send(&envelope, "Hi\r\n").unwrap_err();
    let shown = format!("{error:?}");
    assert!(shown.contains("\"<0@example.net> NOTIFY=NEVER\"") && shown.contains("and 992 more"));
    assert!(shown.len() < 4000 && !shown.contains("<8@example.net>"), "{shown}");
    assert_eq!(error.into_envelope(), envelope);

    let report = session.send(many(), "Hi\r\n").unwrap();
    for shown in [format!("{:?}", many()), format!("{report:?}")] {
        assert!(shown.contains("<7@example.net>") && shown.contains("and 992 more"), "{shown}");
        assert!(shown.len() < 4000 && !shown.contains("<8@example.net>"), "{shown}");
    }
    let bob = format!("{:?}", bob());
    assert!(bob.contains("\"<ann@example.org>\", recipients: [\"<bob@example.net>\"]"), "{bob}");
    session.quit().unwrap();
}

/// The envelope of a server is as short.
#[test]
fn debug_shows_a_few_of_the_recipients_that_a_server_has_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let config = Arc::new(server::Config::new("mx.example.net").unwrap());
        let stream = listener.accept().unwrap().0;
        let mut session = blocking::Connection::accept(stream, config).unwrap();
        let mut shown = String::new();
        while let Some(event) = session.next().unwrap() {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Deliver(delivery) => {
                    shown = format!("{:?}", delivery.envelope());
                    delivery.accept();
                }
                Event::Content(content) => drop(content.take().to_vec()),
                other => other.proceed(),
            }
        }
        shown
    });
    let mut session = blocking::connect(address, sender()).unwrap();
    let members = (0..100).map(|number| format!("{number}@example.net"));
    session.send(Envelope::new("ann@example.org", members).unwrap(), "Hi\r\n").unwrap();
    session.quit().unwrap();
    let shown = server.join().unwrap();
    assert!(
        shown.contains("\"<ann@example.org> SIZE=4\"") && shown.contains("\"<7@example.net>\"")
    );
    assert!(shown.contains("and 92 more") && !shown.contains("<8@example.net>"), "{shown}");
}

#[test]
fn an_envelope_and_text_are_sent_as_they_are_at_hand() {
    let (address, messages) = receiver();
    let host = String::from("me.example.org");
    let mut session = blocking::connect(address, client::Config::new(host).unwrap()).unwrap();
    let (envelope, text) = (bob(), String::from("Hi\r\n"));
    session.send(&envelope, &text).unwrap();
    session.send(envelope.clone(), text.as_str()).unwrap();
    session.send(Arc::new(envelope.clone()), text.clone()).unwrap();
    session.send(&envelope, text.clone().into_bytes()).unwrap();
    session.send(&envelope, b"Hi\r\n").unwrap();
    let results = session.queue(2, [(&envelope, &text), (&envelope, &text)]);
    assert_eq!(results.filter(|(_, result)| result.is_ok()).count(), 2);
    session.queue(2, [(&envelope, text)]).for_each(|(_, result)| drop(result.unwrap()));
    session.quit().unwrap();
    assert!((0..8).all(|_| messages.recv().unwrap() == b"Hi\r\n"));
}

/// Starts a server that sends each of these pieces when the client has sent something, the first at once, and
/// then closes.
fn replies(pieces: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        for (number, piece) in pieces.iter().enumerate() {
            // An empty piece waits for the end of the content.
            let mut received = Vec::new();
            while number > 0
                && (received.is_empty() || piece.is_empty() && !received.ends_with(b".\r\n"))
            {
                let mut octets = [0; 4096];
                match stream.read(&mut octets).unwrap_or_default() {
                    0 => return,
                    length => received.extend_from_slice(&octets[..length]),
                }
            }
            io::Write::write_all(&mut stream, piece.as_bytes()).unwrap();
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    address
}

/// The ways in which a session ends before a recipient has a reply of its own: whether the transaction has
/// begun makes no difference to the caller.
const DEATHS: &[(&[&str], &str, Option<bool>)] = &[
    (&["554 5.7.1 no \x1bservice\r\n"], "554 5.7.1 no \\u{1b}service", Some(true)),
    (&["421 4.3.2 shutting down\r\n"], "421 4.3.2 shutting down", Some(true)),
    (&["220 mx\r\n", "550 5.7.1 not you\r\n"], "550 5.7.1 not you", Some(true)),
    (&["220 mx\r\n", "250 mx\r\n421 4.3.2 bye\r\n"], "421 4.3.2 bye", Some(true)),
    (&["220 mx\r\n", "250 mx\r\n", "421 4.3.2 bye\r\n"], "421 4.3.2 bye", Some(false)),
    (
        &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "421 4.4.5 busy\r\n"],
        "421 4.4.5 busy",
        Some(false),
    ),
    (&[], "the server closed the connection", Some(true)),
    (&["220 mx\r\n"], "the server closed the connection", Some(true)),
    // A server that closes at once may be heard before or after MAIL has left.
    (&["220 mx\r\n", "250 mx\r\n"], "the server closed the connection", None),
    (&["220 mx\r\n", "250 mx\r\n", "250 ok\r\n"], "the server closed the connection", Some(false)),
    (&["SSH-2.0-server\r\n"], "what the server sent is not a reply", Some(true)),
];

fn is_death(error: SendError, message: &str, is_unsent: Option<bool>, script: &[&str]) {
    let shown = error.to_string();
    assert!(shown.contains(message), "{script:?}: {shown}");
    assert!(error.try_next_host(), "{script:?}: {error:?}");
    assert_eq!(error.is_permanent(), message.starts_with('5'), "{script:?}");
    assert!(is_unsent.is_none_or(|expected| error.is_unsent() == expected), "{script:?}");
    assert_eq!(error.reply().is_some(), message.starts_with(['4', '5']), "{script:?}");
    assert_eq!(error.into_envelope(), bob());
}

/// RFC 5321 section 5.1.
#[test]
fn a_session_that_dies_before_a_recipient_is_answered_gives_the_envelope_back() {
    for (script, message, is_unsent) in DEATHS {
        let mut session = blocking::connect(replies(script), sender()).unwrap();
        let error = session.send(bob(), b"Hi\r\n").unwrap_err();
        is_death(error, message, *is_unsent, script);
    }
}

#[test]
fn a_session_that_dies_after_a_recipient_was_answered_has_a_report() {
    const RCPT: &[&str] = &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "550 5.1.1 no\r\n"];
    const END: &[&str] =
        &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", ""];
    let two = || envelope(&["bob@example.net", "carl@example.net"]);
    let mut session = blocking::connect(replies(RCPT), sender()).unwrap();
    let report = session.send(two(), b"Hi\r\n").unwrap();
    let shown: Vec<_> = report.outcomes().map(ToString::to_string).collect();
    assert_eq!(shown, ["550 5.1.1 no", "not tried"]);
    let mut session = blocking::connect(replies(END), sender()).unwrap();
    let report = session.send(two(), b"Hi\r\n").unwrap();
    assert!(report.outcomes().all(|outcome| *outcome == client::Outcome::Unknown), "{report:?}");
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use super::*;
    use esmtp::io::tokio::connect;
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };
    use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

    #[tokio::test]
    async fn messages_are_sent_one_after_the_other() {
        let (address, messages) = receiver();
        let mut session = connect(address, sender()).await.unwrap();
        let two = envelope(&["bob@example.net", "nobody@example.net"]);
        let report = session.send(two, b"Hi\r\n").await.unwrap();
        assert_eq!(outcomes(&report), [true, false]);
        let content = large();
        let report = session.send_from(bob(), MessageFacts::UNKNOWN, &content[..]).await.unwrap();
        assert!(report.is_delivered_to_all());
        session.quit().await.unwrap();
        assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
        assert!(messages.recv().unwrap() == large());
    }

    #[tokio::test]
    async fn a_session_that_dies_before_a_recipient_is_answered_gives_the_envelope_back() {
        for (script, message, is_unsent) in DEATHS {
            let mut session = connect(replies(script), sender()).await.unwrap();
            let error = session.send(bob(), b"Hi\r\n").await.unwrap_err();
            is_death(error, message, *is_unsent, script);
        }
    }

    #[tokio::test]
    async fn invalid_content_reaches_no_recipient() {
        let (address, messages) = receiver();
        let mut session = connect(address, sender()).await.unwrap();
        let unfit = &b"one\r\ntwo\nthree\r\n"[..];
        let error = session.send_from(bob(), MessageFacts::UNKNOWN, unfit).await.unwrap_err();
        assert_eq!(content_error(&error), Some(ContentError::BareLineBreak(8)));

        let mut session = connect(address, sender()).await.unwrap();
        session.send(bob(), b"Hi\r\n").await.unwrap();
        session.quit().await.unwrap();
        assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
    }

    /// Content that does not come.
    struct Stuck;

    impl AsyncRead for Stuck {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_cancelled_message_reaches_no_recipient() {
        let (address, messages) = receiver();
        let mut session = connect(address, sender()).await.unwrap();
        let content = tokio::io::BufReader::new(AsyncReadExt::chain(&b"half\r\n"[..], Stuck));
        let send = session.send_from(bob(), MessageFacts::UNKNOWN, content);
        let time = std::time::Duration::from_millis(200);
        assert!(tokio::time::timeout(time, send).await.is_err());
        let _ = session.send(bob(), b"another\r\n").await;

        let mut session = connect(address, sender()).await.unwrap();
        session.send(bob(), b"Hi\r\n").await.unwrap();
        session.quit().await.unwrap();
        assert!(!messages.iter().take(1).any(|message| message.starts_with(b"half")));
    }

    #[tokio::test]
    async fn sending_can_be_spawned() {
        let (address, messages) = receiver();
        let send = async move {
            let mut session = connect(address, sender()).await?;
            session.send(bob(), b"Hi\r\n").await?;
            session.quit().await?;
            io::Result::Ok(())
        };
        tokio::spawn(send).await.unwrap().unwrap();
        assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
    }
}
