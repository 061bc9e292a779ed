//! Questions that the application forgets to answer, on both adapters and for both roles.

use esmtp::{
    client::{self, Client},
    envelope::Envelope,
    io::{
        Layer, SessionError, blocking,
        nonblocking::{self, Step},
    },
    security::Security,
    server::{self, Config, Event, Peer, Server},
    time::Instant,
};
use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn server() -> Server {
    // The commands of the tests come in one group.
    let config = Config::new("mx.example.org").unwrap().with_enforced_sync(false);
    Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR)
}

fn client() -> Client {
    Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR)
}

/// The commands of a whole transaction in one group.
const GROUP: &[u8] = b"HELO me.example.org\r\n";
const MESSAGE: &[u8] = b"MAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n";

/// Accepts all but the question `forgotten`, whose arm does not answer.
fn answer(event: Event<'_>, forgotten: &str) {
    match event {
        event if event.name() == forgotten => {}
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => drop(content.take_bytes()),
        other => other.proceed(),
    }
}

fn assert_unanswered(error: &SessionError, forgotten: &str) {
    let SessionError::Unanswered { event, times, .. } = error else { panic!("{error}") };
    assert_eq!((*event, *times), (forgotten, 1000));
    assert!(error.to_string().contains(&format!("Event::{forgotten} was returned 1000 times")));
}

#[test]
fn a_forgotten_answer_is_an_error_that_names_the_question() {
    for forgotten in ["Connect", "Hello", "Mail", "Rcpt", "Data", "Content", "Deliver"] {
        let (stream, mut peer) = pair();
        for octets in [GROUP, MESSAGE, b"Subject: x\r\n\r\n.\r\n"] {
            peer.write_all(octets).unwrap();
        }
        let mut session = blocking::Connection::new(server(), stream);
        let error = loop {
            match session.next() {
                Ok(Some(event)) => answer(event, forgotten),
                Ok(None) => panic!("the session has ended"),
                Err(error) => break error,
            }
        };
        assert_unanswered(&error, forgotten);
        // It is not lost: the next call returns the question again.
        assert_eq!(session.next().unwrap().unwrap().name(), forgotten);
        let error = io::Error::from(error);
        assert!(error.get_ref().unwrap().is::<SessionError>());
        drop(peer);
    }
}

#[test]
fn a_client_without_an_answer_is_an_error_too() {
    let (stream, peer) = pair();
    let serve = std::thread::spawn(move || {
        let mut session = blocking::Connection::new(server(), peer);
        while let Ok(Some(event)) = session.next() {
            answer(event, "");
        }
    });
    let mut session = blocking::Connection::new(client(), stream);
    for _ in 0..1000 {
        assert_eq!(session.next().unwrap().unwrap().name(), "Ready");
    }
    let error = session.next().unwrap_err();
    assert_unanswered(&error, "Ready");
    drop(session);
    serve.join().unwrap();
}

/// A layer around the machine passes its questions on, so that they are counted there, too.
#[test]
fn a_forgotten_answer_is_found_inside_a_layer() {
    let (stream, _peer) = pair();
    let mut session = blocking::Connection::new(Layer::from(server()), stream);
    for _ in 0..1000 {
        assert_eq!(session.next().unwrap().unwrap().name(), "Connect");
    }
    assert_unanswered(&session.next().unwrap_err(), "Connect");
}

#[cfg(all(feature = "rustls", feature = "ring"))]
mod inside_tls {
    use super::{answer, assert_unanswered, client, pair, server};
    use esmtp::{
        envelope::Envelope,
        io::{AsServer, blocking},
        tls::{ClientTls, Secured, ServerTls},
    };

    fn both() -> (ServerTls, ClientTls) {
        let made = rcgen::generate_simple_self_signed(vec!["mx.example.org".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let server = ServerTls::from_pem(&certificate, made.signing_key.serialize_pem()).unwrap();
        (server, ClientTls::new().with_ca_pem(&certificate).unwrap())
    }

    /// Neither a question of the server inside TLS, nor one of the client, is asked without end.
    #[test]
    fn a_forgotten_answer_is_an_error_that_names_the_question() {
        let (server_tls, client_tls) = both();
        for forgotten in ["Connect", "Hello", "Mail", "Rcpt", "Data", "Content", "Deliver"] {
            let (stream, peer) = pair();
            let role = client_tls.for_host("mx.example.org").unwrap();
            let sends = std::thread::spawn(move || {
                let machine = Secured::implicit(client(), role);
                let mut session = blocking::Connection::new(machine, peer);
                let envelope = Envelope::new("", ["bob@example.net"]).unwrap();
                session.send(envelope, "Subject: x\r\n\r\n").map(drop)
            });
            let machine = Secured::implicit(server(), server_tls.clone());
            let mut session = blocking::Connection::new(machine, stream);
            let error = loop {
                match session.next() {
                    Ok(Some(event)) => answer(event, forgotten),
                    Ok(None) => panic!("the session has ended"),
                    Err(error) => break error,
                }
            };
            assert_unanswered(&error, forgotten);
            assert!(session.machine().as_server().facts().security().is_tls(), "{forgotten}");
            drop(session);
            // Whether its message is lost or unknown depends on how far it has come.
            let _ = sends.join().unwrap();
        }
    }
}

/// A stream that is read and written as if it did not block: what is there is there, and there is nothing more.
struct Ready(Vec<u8>);

impl io::Read for Ready {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match io::Read::read(&mut &self.0[..], into)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            octets => {
                self.0.drain(..octets);
                Ok(octets)
            }
        }
    }
}

impl Write for Ready {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Time stands still, as it does for an application that reads the clock once a round of its poller.
#[test]
fn a_forgotten_answer_is_found_without_blocking() {
    for forgotten in ["Connect", "Hello", "Mail", "Rcpt", "Data", "Content", "Deliver"] {
        let stream = Ready([GROUP, MESSAGE, b"Subject: x\r\n\r\n.\r\n"].concat());
        let mut session = nonblocking::Connection::new(server(), stream, |_| Ok(()));
        let error = loop {
            match session.next(Instant::ORIGIN) {
                Ok(Step::Event(event)) => answer(event, forgotten),
                Ok(Step::Wait(wait)) if wait.until() > Instant::ORIGIN => panic!("{wait:?}"),
                Ok(Step::Wait(_)) => {}
                Ok(Step::Over) => panic!("the session has ended"),
                Err(error) => break error,
            }
        };
        assert_unanswered(&error, forgotten);
        let Ok(Step::Event(event)) = session.next(Instant::ORIGIN) else { panic!("{forgotten}") };
        assert_eq!(event.name(), forgotten);
    }
}

/// A write is a part of the answer: content written an octet at a time is no forgotten answer.
#[test]
fn content_written_in_small_pieces_is_an_answer() {
    let (stream, peer) = pair();
    let serve = std::thread::spawn(move || {
        let (mut session, mut octets) = (blocking::Connection::new(server(), peer), 0);
        while let Ok(Some(event)) = session.next() {
            match event {
                Event::Content(content) => octets += content.take().len(),
                Event::Deliver(delivery) => delivery.accept(),
                other => answer(other, ""),
            }
        }
        octets
    });
    let mut session = blocking::Connection::new(client(), stream);
    let mut left = 3000;
    while let Some(event) = session.next().unwrap() {
        match event {
            client::Event::Ready(ready) if left == 3000 => {
                let envelope = Envelope::new("", &["bob@example.net"]).unwrap();
                ready.send(envelope, client::MessageFacts::scan(b"")).unwrap();
            }
            client::Event::Content(content) if left == 0 => content.finish().unwrap(),
            client::Event::Content(mut content) => left -= content.write(b"x").unwrap(),
            client::Event::Sent(sent) => drop(sent.take()),
            other => other.quit(),
        }
    }
    assert_eq!(serve.join().unwrap(), 3000);
}

/// Consuming nothing is no answer; consuming an octet at a time is one.
#[test]
fn content_that_is_not_consumed_is_a_forgotten_answer() {
    for taken in [0, 1] {
        let (stream, mut peer) = pair();
        let group = [GROUP, b"MAIL FROM:<>\r\nRCPT TO:<b@x.y>\r\nDATA\r\n"].concat();
        peer.write_all(&group).unwrap();
        peer.write_all(&b"x".repeat(2000)).unwrap();
        peer.write_all(b"\r\n.\r\nQUIT\r\n").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut session = blocking::Connection::new(server(), stream);
        let error = loop {
            match session.next() {
                Ok(Some(Event::Content(content))) => content.consume(taken),
                Ok(Some(event)) => answer(event, ""),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        match taken {
            0 => assert_unanswered(&error.unwrap(), "Content"),
            _ => assert!(error.is_none(), "{error:?}"),
        }
    }
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use super::{GROUP, MESSAGE, answer, assert_unanswered, client, server};
    use esmtp::{io::tokio::Connection, server::Event};
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test]
    async fn a_forgotten_answer_is_an_error_that_names_the_question() {
        for forgotten in ["Connect", "Hello", "Mail", "Rcpt", "Data", "Content", "Deliver"] {
            let (stream, mut peer) = duplex(64 * 1024);
            for octets in [GROUP, MESSAGE, b"Subject: x\r\n\r\n.\r\n"] {
                peer.write_all(octets).await.unwrap();
            }
            let mut session = Connection::new(server(), stream);
            let error = loop {
                match session.next().await {
                    Ok(Some(event)) => answer(event, forgotten),
                    Ok(None) => panic!("the session has ended"),
                    Err(error) => break error,
                }
            };
            assert_unanswered(&error, forgotten);
            assert_eq!(session.next().await.unwrap().unwrap().name(), forgotten);
        }
    }

    #[tokio::test]
    async fn a_client_without_an_answer_is_an_error_too() {
        let (stream, peer) = duplex(4096);
        let mut session = Connection::new(client(), stream);
        let serve = async {
            let mut session = Connection::new(server(), peer);
            while let Ok(Some(event)) = session.next().await {
                answer(event, "");
            }
        };
        let ask = async {
            while session.next().await.is_ok() {}
            session.next().await.map(|event| event.map(|event| event.name()))
        };
        let named = tokio::select! { named = ask => named, () = serve => panic!() };
        assert_eq!(named.unwrap(), Some("Ready"));
    }

    /// On an executor with one thread the other tasks run, although every command is there already.
    #[tokio::test]
    async fn a_session_with_many_commands_lets_other_tasks_run() {
        let (stream, mut peer) = duplex(64 * 1024);
        peer.write_all(GROUP).await.unwrap();
        let mut session = Connection::new(server(), stream);
        peer.write_all(b"MAIL FROM:<>\r\n").await.unwrap();
        peer.write_all(&b"RCPT TO:<b@x.y>\r\n".repeat(90)).await.unwrap();
        let has_run = Arc::new(AtomicBool::new(false));
        let ran = Arc::clone(&has_run);
        let mut recipients = 0;
        loop {
            match session.next().await.unwrap().unwrap() {
                Event::Mail(mail) => {
                    mail.accept();
                    let ran = Arc::clone(&ran);
                    tokio::spawn(async move { ran.store(true, Ordering::Relaxed) });
                }
                Event::Rcpt(rcpt) => {
                    recipients += 1;
                    rcpt.accept();
                    if recipients == 80 {
                        break;
                    }
                }
                other => other.proceed(),
            }
        }
        assert!(has_run.load(Ordering::Relaxed), "no other task has run");
    }
}
