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
    client::{self, ContentError, End, MessageFacts, NotOffered, Obstacle, Report},
    envelope::Envelope,
    io::blocking,
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

/// A server on some port; the messages that it takes. `nobody` does not exist.
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

fn receive(mut session: blocking::Connection<server::Server>, taken: &mpsc::Sender<Vec<u8>>) {
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

fn inner<E: std::error::Error + 'static>(error: &io::Error) -> Option<&E> {
    error.get_ref()?.downcast_ref()
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
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(inner::<NotOffered>(&error).unwrap().obstacles(), [Obstacle::BareLineBreak]);
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, &unfit[..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(inner(&error), Some(&ContentError::BareLineBreak(8)));

    let mut session = blocking::connect(address, sender()).unwrap();
    let content = BufReader::new(Broken(b"one\r\n"));
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, content).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);

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
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(inner::<NotOffered>(&error).unwrap().obstacles().len(), 1);
    session.send(bob(), b"Hi\r\n").unwrap();
    session.quit().unwrap();
    assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
}

#[test]
fn a_session_that_is_over_says_why() {
    let (address, _messages) = receiver();
    let mut session = blocking::connect(address, sender()).unwrap();
    session.quit().unwrap();
    let error = session.send(bob(), b"Hi\r\n").unwrap_err();
    assert_eq!((error.kind(), inner(&error)), (ErrorKind::NotConnected, Some(&End::Quit)));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let refuse = thread::spawn(move || {
        io::Write::write_all(&mut listener.accept().unwrap().0, b"554 no service\r\n").unwrap();
    });
    let mut session = blocking::connect(address, sender()).unwrap();
    refuse.join().unwrap();
    let error = session.send(bob(), b"Hi\r\n").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
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
    async fn invalid_content_reaches_no_recipient() {
        let (address, messages) = receiver();
        let mut session = connect(address, sender()).await.unwrap();
        let unfit = &b"one\r\ntwo\nthree\r\n"[..];
        let error = session.send_from(bob(), MessageFacts::UNKNOWN, unfit).await.unwrap_err();
        assert_eq!(inner(&error), Some(&ContentError::BareLineBreak(8)));

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
            session.quit().await
        };
        tokio::spawn(send).await.unwrap().unwrap();
        assert_eq!(messages.recv().unwrap(), b"Hi\r\n");
    }
}
