use super::*;
use esmtp::{client::Event, io::blocking::Connection};
use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Instant,
};

/// Rejected content is not sent on.
#[test]
fn a_refused_recipient_stops_the_content_within_two_chunks() {
    let mut session = Connection::new(client(), refusing());
    let report = session.send(bob(), large()).unwrap();
    assert_eq!(report.outcomes().map(reply_code).collect::<Vec<_>>(), [Some(550)]);
    assert!(session.stream().chunks() <= 2, "{} chunks", session.stream().chunks());
}

/// As above, where the application answers the events itself.
#[test]
fn a_refusal_is_heard_between_two_writes() {
    let mut session = Connection::new(client(), refusing());
    let (content, mut taken, mut envelope) = (large(), 0, Some(bob()));
    while let Some(event) = session.next().unwrap() {
        match event {
            Event::Ready(ready) => match envelope.take() {
                Some(envelope) => {
                    let _ = ready.send(envelope, MessageFacts::UNKNOWN).unwrap();
                }
                None => ready.quit(),
            },
            Event::Content(mut question) => match &content[taken..] {
                [] => question.finish().unwrap(),
                rest => taken += question.write(rest).unwrap(),
            },
            Event::Sent(sent) => {
                let report = sent.take();
                assert_eq!(report.outcomes().map(reply_code).collect::<Vec<_>>(), [Some(550)]);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(session.stream().chunks() <= 2, "{} chunks", session.stream().chunks());
}

/// Starts a server that greets and answers EHLO, and then does what `serve` says.
fn pair<T: Send + 'static>(
    hello: &'static str,
    serve: impl FnOnce(BufReader<TcpStream>) -> T + Send + 'static,
) -> (Connection<Client>, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    let served = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        stream.get_mut().write_all(b"220 mx\r\n").unwrap();
        line(&mut stream);
        stream.get_mut().write_all(hello.as_bytes()).unwrap();
        serve(stream)
    });
    (Connection::new(client(), stream), served)
}

fn line(stream: &mut impl BufRead) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

/// A source that says when it is read, and waits for permission.
struct Slow {
    is_read: mpsc::Sender<()>,
    parts: mpsc::Receiver<&'static [u8]>,
}

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // The server may be gone.
        let _ = self.is_read.send(());
        let part = self.parts.recv().unwrap_or_default();
        into[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

fn slow() -> (Slow, mpsc::Receiver<()>, mpsc::Sender<&'static [u8]>) {
    let (is_read, was_read) = mpsc::channel();
    let (part, parts) = mpsc::channel();
    (Slow { is_read, parts }, was_read, part)
}

#[test]
fn octets_that_were_read_leave_before_the_source_is_read_again() {
    for hello in [CHUNKING, NO_CHUNKING] {
        let (source, was_read, part) = slow();
        let (mut session, served) = pair(hello, move |mut stream| {
            assert!(line(&mut stream).starts_with("MAIL"));
            assert!(line(&mut stream).starts_with("RCPT"));
            stream.get_mut().write_all(b"250 ok\r\n250 ok\r\n").unwrap();
            if hello == NO_CHUNKING {
                assert!(line(&mut stream).starts_with("DATA"));
                stream.get_mut().write_all(b"354 go\r\n").unwrap();
            }
            was_read.recv().unwrap();
            part.send(b"first line\r\n").unwrap();
            // The source is read again, and blocks: the line is here nevertheless.
            was_read.recv().unwrap();
            if hello == CHUNKING {
                assert_eq!(line(&mut stream), "BDAT 12\r\n");
            }
            assert_eq!(line(&mut stream), "first line\r\n");
            drop(part);
            if hello == CHUNKING {
                assert_eq!(line(&mut stream), "BDAT 0 LAST\r\n");
                stream.get_mut().write_all(b"250 ok\r\n").unwrap();
            } else {
                assert_eq!(line(&mut stream), ".\r\n");
            }
            stream.get_mut().write_all(b"250 done\r\n").unwrap();
        });
        let facts = MessageFacts::UNKNOWN;
        let report = session.send_from(bob(), facts, BufReader::new(source)).unwrap();
        assert!(report.is_delivered_to_all());
        served.join().unwrap();
    }
}

/// RFC 5321 section 3.8: what the server said while the source was read is heard before more is sent.
#[test]
fn a_421_that_comes_while_the_source_is_read_is_heard() {
    let (source, was_read, part) = slow();
    let (mut session, served) = pair(CHUNKING, move |mut stream| {
        assert!(line(&mut stream).starts_with("MAIL"));
        assert!(line(&mut stream).starts_with("RCPT"));
        stream.get_mut().write_all(b"250 ok\r\n250 ok\r\n").unwrap();
        was_read.recv().unwrap();
        stream.get_mut().write_all(b"421 4.3.2 shutting down\r\n").unwrap();
        thread::sleep(Duration::from_millis(100));
        part.send(b"first line\r\n").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        rest
    });
    let error =
        session.send_from(bob(), MessageFacts::UNKNOWN, BufReader::new(source)).unwrap_err();
    assert_eq!(error.reply().map(|reply| reply.code().get()), Some(421));
    session.quit().unwrap();
    assert_eq!(served.join().unwrap(), "", "content after 421");
}

/// A second for the reply to MAIL, and the source takes two: a reply that came in time counts, also if
/// it is heard late, and one that is missing ends the session without a further octet.
#[test]
fn deadlines_are_judged_after_what_has_arrived_is_heard() {
    for has_replied in [true, false] {
        let (source, was_read, part) = slow();
        let (mut session, served) = pair(CHUNKING, move |mut stream| {
            assert!(line(&mut stream).starts_with("MAIL"));
            assert!(line(&mut stream).starts_with("RCPT"));
            was_read.recv().unwrap();
            if has_replied {
                stream.get_mut().write_all(b"250 ok\r\n250 ok\r\n").unwrap();
            }
            thread::sleep(Duration::from_secs(2));
            part.send(b"first line\r\n").unwrap();
            let next = line(&mut stream);
            drop(part);
            next
        });
        let started = Instant::now();
        let facts = MessageFacts::UNKNOWN;
        let result = session.send_from(bob(), facts, BufReader::new(source));
        assert!(started.elapsed() < Duration::from_secs(5));
        let _ = session.quit();
        let next = served.join().unwrap();
        if has_replied {
            assert_eq!(next, "BDAT 12\r\n");
        } else {
            assert_eq!(next, "", "content after the deadline");
            assert_eq!(result.unwrap_err().end(), Some(&End::TimedOut));
            assert_eq!(session.machine().end(), Some(&End::TimedOut));
        }
    }
}

/// A refusal while the source is read ends the transaction, and the session goes on.
#[test]
fn a_recipient_that_is_refused_while_the_source_is_read_ends_the_transaction() {
    let (source, was_read, part) = slow();
    let (mut session, served) = pair(CHUNKING, move |mut stream| {
        assert!(line(&mut stream).starts_with("MAIL"));
        assert!(line(&mut stream).starts_with("RCPT"));
        was_read.recv().unwrap();
        stream.get_mut().write_all(b"250 ok\r\n550 no\r\n").unwrap();
        thread::sleep(Duration::from_millis(100));
        part.send(b"first line\r\n").unwrap();
        assert_eq!(line(&mut stream), "QUIT\r\n");
        stream.get_mut().write_all(b"221 bye\r\n").unwrap();
    });
    let report = session.send_from(bob(), MessageFacts::UNKNOWN, BufReader::new(source)).unwrap();
    assert_eq!(report.outcomes().map(reply_code).collect::<Vec<_>>(), [Some(550)]);
    session.quit().unwrap();
    served.join().unwrap();
}
