use crate::toy::{Event, Script, Toy};
use esmtp::{io::blocking::Connection, machine::Closed};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

/// Echoes until the end; `quit` closes. The lines.
fn echo(connection: &mut Connection<Toy, impl esmtp::io::blocking::Stream>) -> Vec<String> {
    let mut lines = vec![];
    while let Some(event) = connection.next().unwrap() {
        match event {
            Event::Line(line) => {
                let text = line.text();
                match &*text {
                    "quit" => line.reply_and_close("bye\r\n"),
                    "slow" => line.delay(Duration::from_millis(5)),
                    text => line.reply(&format!("{text}\r\n")),
                }
                lines.push(text);
            }
            Event::Gone(gone) => gone.done(),
        }
    }
    lines
}

#[test]
fn lines_are_answered_until_the_peer_leaves() {
    let (stream, mut peer) = pair();
    let talk = thread::spawn(move || {
        peer.write_all(b"one\r\nslow\r\ntwo\r\n").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).unwrap();
        heard
    });
    let mut connection = Connection::new(Toy::new().say("hello\r\n"), stream);
    assert_eq!(echo(&mut connection), ["one", "slow", "two"]);
    assert!(connection.next().unwrap().is_none());
    assert_eq!(connection.machine().closed, Some(Closed::Clean));
    drop(connection);
    assert_eq!(talk.join().unwrap(), "hello\r\none\r\ntwo\r\n");
}

#[test]
fn an_event_that_is_dropped_comes_again() {
    let (stream, mut peer) = pair();
    peer.write_all(b"quit\r\n").unwrap();
    let mut connection = Connection::new(Toy::new(), stream);
    for _ in 0..3 {
        assert!(matches!(connection.next(), Ok(Some(Event::Line(_)))));
    }
    drop(peer);
    assert_eq!(echo(&mut connection), ["quit"]);
}

#[test]
fn a_silent_peer_meets_the_deadline() {
    let (stream, mut peer) = pair();
    let mut toy = Toy::new();
    toy.patience = Duration::from_millis(20);
    let listen = thread::spawn(move || {
        let mut heard = String::new();
        peer.read_to_string(&mut heard).unwrap();
        heard
    });
    assert!(echo(&mut Connection::new(toy, stream)).is_empty());
    assert_eq!(listen.join().unwrap(), "late\r\n");
}

#[test]
fn the_last_reply_survives_unread_octets() {
    let (stream, mut peer) = pair();
    let talk = thread::spawn(move || {
        peer.write_all(b"quit\r\n").unwrap();
        peer.write_all(&[b'x'; 300_000]).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).unwrap();
        heard
    });
    let mut connection = Connection::new(Toy::new(), stream);
    assert_eq!(echo(&mut connection), ["quit"]);
    drop(connection);
    assert_eq!(talk.join().unwrap(), "bye\r\n");
}

#[test]
fn two_sides_that_write_before_they_read_do_not_block_each_other() {
    let (stream, mut peer) = pair();
    let line = [&[b'x'; 4998][..], b"\r\n"].concat();
    let all = line.repeat(4000);
    let expected = all.len();
    let talk = thread::spawn(move || {
        peer.write_all(&all).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = vec![];
        peer.read_to_end(&mut heard).unwrap();
        heard.len()
    });
    let mut toy = Toy::new();
    toy.is_eager = true;
    let mut connection = Connection::new(toy, stream);
    assert_eq!(echo(&mut connection).len(), 4000);
    drop(connection);
    assert_eq!(talk.join().unwrap(), expected);
}

#[test]
fn what_only_means_not_yet_is_tried_again() {
    let not_yet = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut];
    let mut reads: Vec<_> = not_yet.iter().map(|kind| Err((*kind).into())).collect();
    reads.extend([Ok("qu"), Ok("it\r\n"), Ok("")]);
    let mut writes: Vec<_> = not_yet.iter().map(|kind| Err((*kind).into())).collect();
    writes.extend([Ok(2), Ok(99)]);
    let mut connection = Connection::new(Toy::new(), Script::new(reads, writes));
    assert_eq!(echo(&mut connection), ["quit"]);
    let (_, stream) = connection.into_parts();
    assert_eq!(stream.written, b"bye\r\n");
    assert_eq!((stream.flushed, stream.is_shut_down), (5, true));
}

#[test]
fn a_flush_that_only_means_not_yet_is_tried_again() {
    let mut script = Script::new([Ok("one\r\n"), Ok("")], [Ok(99)]);
    script.flushes = [ErrorKind::WouldBlock].into();
    let mut connection = Connection::new(Toy::new(), script);
    assert_eq!(echo(&mut connection), ["one"]);
    let (_, stream) = connection.into_parts();
    assert_eq!((stream.written.len(), stream.flushed), (5, 5));
}

#[test]
fn a_failed_read_is_an_error_once_after_what_was_left() {
    let reads = [Ok("one\r\n"), Err(ErrorKind::ConnectionReset.into())];
    let mut connection = Connection::new(Toy::new(), Script::new(reads, [Ok(99)]));
    match connection.next() {
        Ok(Some(Event::Line(line))) => line.reply("two\r\n"),
        _ => panic!("no line"),
    }
    match connection.next() {
        Ok(Some(Event::Gone(gone))) => gone.done(),
        _ => panic!("not gone"),
    }
    assert_eq!(connection.machine().closed, Some(Closed::CutOff));
    assert_eq!(connection.next().err().map(|it| it.kind()), Some(ErrorKind::ConnectionReset));
    assert!(matches!(connection.next(), Ok(None)));
    assert!(matches!(connection.next(), Ok(None)));
}

#[test]
fn after_a_failed_write_what_the_peer_said_is_still_heard() {
    let reads = [Ok("one\r\ntwo\r\n"), Ok("three\r\n"), Ok("")];
    let writes = [Err(ErrorKind::BrokenPipe.into())];
    let mut connection = Connection::new(Toy::new(), Script::new(reads, writes));
    let mut lines = vec![];
    let error = loop {
        match connection.next() {
            Ok(Some(Event::Line(line))) => {
                lines.push(line.text());
                line.reply("yes\r\n");
            }
            Ok(Some(Event::Gone(gone))) => gone.done(),
            Ok(None) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(connection.machine().is_unsendable);
    assert!(matches!(connection.next(), Ok(None)));
}

#[test]
fn a_stream_that_takes_nothing_has_failed() {
    let mut connection = Connection::new(Toy::new().say("hello"), Script::new([Ok("")], [Ok(0)]));
    assert!(matches!(connection.next(), Ok(Some(Event::Gone(_)))));
    match connection.next() {
        Ok(Some(Event::Gone(gone))) => gone.done(),
        _ => panic!("not gone"),
    }
    assert_eq!(connection.next().err().map(|it| it.kind()), Some(ErrorKind::WriteZero));
}

#[test]
fn a_connection_may_borrow_its_stream() {
    let mut stream = Script::new([Ok("quit\r\n"), Ok("")], [Ok(99)]);
    assert_eq!(echo(&mut Connection::new(Toy::new(), &mut stream)), ["quit"]);
    assert_eq!(stream.written, b"bye\r\n");
}

#[test]
fn a_server_serves_accepted_connections() {
    let (stream, mut peer) = pair();
    let address = peer.local_addr().unwrap();
    let talk = thread::spawn(move || {
        peer.write_all(b"EHLO me.example.org\r\nQUIT\r\n").unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).unwrap();
        heard
    });
    let config = esmtp::server::Config::new("mx.example.org").unwrap();
    let config = config.with_enforced_sync(false);
    let mut connection = Connection::accept(stream, config.into()).unwrap();
    while let Some(event) = connection.next().unwrap() {
        assert_eq!(event.facts().peer().address(), Some(address));
        event.proceed();
    }
    drop(connection);
    let heard = talk.join().unwrap();
    let codes: Vec<_> = heard.lines().map(|line| &line[..3]).collect();
    assert_eq!((codes.first(), codes.last()), (Some(&"220"), Some(&"221")), "{heard}");
}
