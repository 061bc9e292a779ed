//! Blocking sessions that are told to end from another thread, in every phase.

use crate::phases::{Client, PHASES};
use esmtp::{
    io::{
        Stopper,
        blocking::{Connection, ServerSession, Stream},
    },
    security::Security,
    server::{Config, End, Event, Peer, Server, Timeouts},
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The outcome of a session: why it ended, and the number of messages delivered and aborted.
type Outcome = (Option<End>, usize, usize);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn config() -> Config {
    // No deadline of a session is shorter than a test.
    let timeouts = Timeouts::default().with_command(Duration::from_secs(600));
    Config::new("mx.example.org").unwrap().with_timeouts(timeouts)
}

fn serve(mut session: ServerSession) -> JoinHandle<Outcome> {
    thread::spawn(move || {
        let (mut delivered, mut aborted) = (0, 0);
        while let Some(event) = session.next().unwrap() {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Content(content) => assert!(!content.take().is_empty()),
                Event::Deliver(delivery) => {
                    delivered += 1;
                    delivery.accept();
                }
                Event::Abort(abort) => {
                    aborted += 1;
                    abort.acknowledge();
                }
                other => other.proceed(),
            }
        }
        (session.server().end(), delivered, aborted)
    })
}

/// 5321-3.8-b, 5321-3.8-d: RFC 5321 section 3.8. Content that has begun may be completed; everything else has 421.
#[test]
fn a_session_is_shut_down_in_every_phase() {
    for (phase, steps) in PHASES {
        let (stream, peer) = pair();
        let mut session = Connection::accept(stream, Arc::new(config())).unwrap();
        let stopper = session.stopper();
        let serving = serve(session);
        let mut client = Client::new(peer);
        client.enter(steps);
        stopper.shut_down();
        assert!(stopper.is_stopping());
        let (mut expected, mut delivered) = (vec!["421"], 0);
        match phase {
            "in DATA" => {
                thread::sleep(Duration::from_millis(600));
                client.say("lo\r\n\r\nHi\r\n.\r\n");
                (expected, delivered) = (vec!["250", "421"], 1);
            }
            "between two chunks" => {
                thread::sleep(Duration::from_millis(600));
                client.say("BDAT 2 LAST\r\n\r\n");
                (expected, delivered) = (vec!["250", "421"], 1);
            }
            _ => {}
        }
        assert_eq!(client.rest(), expected, "{phase}");
        let (end, taken, _) = serving.join().unwrap();
        assert_eq!((end, taken), (Some(End::ShutDown), delivered), "{phase}");
    }
}

#[test]
fn a_session_is_closed_in_every_phase() {
    // It ends after it was told to let content finish, too.
    for is_shut_down in [false, true] {
        for (phase, steps) in PHASES {
            let (stream, peer) = pair();
            let stopper = Stopper::new();
            let session = Connection::accept(stream, Arc::new(config())).unwrap();
            let serving = serve(session.with_stopper(&stopper));
            let mut client = Client::new(peer);
            client.enter(steps);
            if is_shut_down {
                stopper.shut_down();
            }
            stopper.close();
            assert_eq!(client.rest(), ["421"], "{phase}");
            let (end, delivered, aborted) = serving.join().unwrap();
            let has_transaction = steps.len() > 2 || phase == "after MAIL";
            assert_eq!((end, delivered), (Some(End::ShutDown), 0), "{phase}");
            assert_eq!(aborted, usize::from(has_transaction), "{phase}");
        }
    }
}

#[test]
fn a_session_is_shut_down_before_its_greeting() {
    let timeouts = Timeouts::default().with_greeting_delay(Duration::from_secs(600));
    let (stream, peer) = pair();
    let mut session =
        Connection::accept(stream, Arc::new(config().with_timeouts(timeouts))).unwrap();
    let stopper = session.stopper();
    let serving = serve(session);
    let client = Client::new(peer);
    thread::sleep(Duration::from_millis(50));
    stopper.shut_down();
    assert_eq!(client.rest(), ["421"]);
    assert_eq!(serving.join().unwrap().0, Some(End::ShutDown));
}

/// A stream that takes no octets and has none, until its time-outs have passed.
#[derive(Debug, Default)]
struct Stalled {
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Stalled {
    fn block<T>(timeout: Option<Duration>) -> io::Result<T> {
        thread::sleep(timeout.unwrap_or(Duration::MAX));
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Read for Stalled {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Self::block(self.read_timeout)
    }
}

impl Write for Stalled {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Self::block(self.write_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Stalled {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.read_timeout = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.write_timeout = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_session_whose_client_does_not_read_is_closed() {
    let timeouts = Timeouts::default().with_closing(Duration::from_millis(100));
    let server =
        Server::new(Arc::new(config().with_timeouts(timeouts)), Peer::UNKNOWN, Security::CLEAR);
    let mut session = Connection::new(server, Stalled::default());
    let stopper = session.stopper();
    let (ended, has_ended) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(Some(event)) = session.next() {
            event.proceed();
        }
        let _ = ended.send(session.server().end());
    });
    assert!(has_ended.recv_timeout(Duration::from_millis(300)).is_err(), "it has ended by itself");
    stopper.close();
    assert_eq!(has_ended.recv_timeout(Duration::from_secs(20)), Ok(Some(End::ShutDown)));
}

#[test]
fn a_stopper_ends_all_its_sessions_and_those_that_come_later() {
    let stopper = Stopper::new();
    let begin = || {
        let (stream, peer) = pair();
        let session = Connection::accept(stream, Arc::new(config())).unwrap();
        (serve(session.with_stopper(&stopper)), Client::new(peer))
    };
    let mut sessions: Vec<_> = (0..3).map(|_| begin()).collect();
    for (_, client) in &mut sessions {
        assert_eq!(client.reply(), "220");
    }
    stopper.clone().shut_down();
    sessions.push(begin());
    for (serving, client) in sessions {
        assert_eq!(client.rest(), ["421"]);
        assert_eq!(serving.join().unwrap().0, Some(End::ShutDown));
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_session_in_a_task_is_told_to_end_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for closes in [false, true] {
        let client = thread::spawn(move || {
            let mut client = Client::new(TcpStream::connect(address).unwrap());
            assert_eq!(client.reply(), "220");
            client.rest()
        });
        let (stream, _) = listener.accept().await.unwrap();
        let stopper = Stopper::new();
        let mut session = esmtp::io::tokio::Connection::accept(stream, Arc::new(config())).unwrap();
        session = session.with_stopper(&stopper);
        let serving = tokio::spawn(async move {
            while let Some(event) = session.next().await.unwrap() {
                event.proceed();
            }
            session.server().end()
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        if closes {
            stopper.close();
        } else {
            stopper.shut_down();
        }
        assert_eq!(serving.await.unwrap(), Some(End::ShutDown));
        assert_eq!(client.join().unwrap(), ["421"]);
    }
}
