use crate::toy::{Event, Script, Toy};
use esmtp::{
    io::tokio::Connection,
    machine::{Closed, Machine},
};
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, peer)
}

/// Echoes, but for `quit`, which closes, and `slow`, which takes time.
fn answer(event: Event<'_>, lines: &mut Vec<String>) {
    match event {
        Event::Line(line) => {
            let text = line.text();
            match &*text {
                "quit" => line.reply_and_close("bye\r\n"),
                "slow" => line.delay(Duration::from_secs(5)),
                text => line.reply(&format!("{text}\r\n")),
            }
            lines.push(text);
        }
        Event::Gone(gone) => gone.done(),
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<Toy, S>,
) -> Vec<String> {
    let mut lines = vec![];
    while let Some(event) = connection.next().await.unwrap() {
        answer(event, &mut lines);
    }
    lines
}

/// Drives a session in a task of its own, whatever its machine.
async fn spawned<M, S>(mut connection: Connection<M, S>)
where
    M: Machine + Send + 'static,
    for<'m> M::Event<'m>: Send,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let drive = async move {
        if let Ok(Some(event)) = connection.next().await {
            yield_now().await;
            drop(event);
        }
    };
    tokio::spawn(drive).await.unwrap();
}

#[tokio::test]
async fn a_session_can_be_spawned() {
    let (stream, mut peer) = duplex(64);
    peer.write_all(b"one\r\n").await.unwrap();
    spawned(Connection::new(Toy::new(), stream)).await;
}

#[tokio::test]
async fn lines_are_answered_until_the_peer_leaves() {
    let (stream, mut peer) = pair().await;
    let talk = tokio::spawn(async move {
        peer.write_all(b"one\r\ntwo\r\n").await.unwrap();
        peer.shutdown().await.unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        heard
    });
    let mut connection = Connection::new(Toy::new().say("hello\r\n"), stream);
    assert_eq!(echo(&mut connection).await, ["one", "two"]);
    assert!(connection.next().await.unwrap().is_none());
    assert_eq!(connection.machine().closed, Some(Closed::Clean));
    drop(connection);
    assert_eq!(talk.await.unwrap(), "hello\r\none\r\ntwo\r\n");
}

#[tokio::test]
async fn the_last_reply_survives_unread_octets() {
    let (stream, mut peer) = pair().await;
    let talk = tokio::spawn(async move {
        peer.write_all(b"quit\r\n").await.unwrap();
        peer.write_all(&[b'x'; 300_000]).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        heard
    });
    let mut connection = Connection::new(Toy::new(), stream);
    assert_eq!(echo(&mut connection).await, ["quit"]);
    drop(connection);
    assert_eq!(talk.await.unwrap(), "bye\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_meets_the_deadline() {
    let (stream, mut peer) = duplex(64);
    let listen = tokio::spawn(async move {
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        heard
    });
    assert!(echo(&mut Connection::new(Toy::new(), stream)).await.is_empty());
    assert_eq!(listen.await.unwrap(), "late\r\n");
}

/// The timer is not set anew for a later deadline, and fires at that of the first wait.
#[tokio::test(start_paused = true)]
async fn each_line_has_its_own_deadline_be_it_later_or_earlier_than_the_one_before() {
    let (stream, mut peer) = duplex(64);
    let mut toy = Toy::new();
    toy.patience = Duration::from_secs(10);
    let session = tokio::spawn(async move { echo(&mut Connection::new(toy, stream)).await });
    let mut heard = [0; 64];
    for line in ["one\r\n", "two\r\n", "three\r\n"] {
        // Later: the deadline before it passes within the second of these.
        sleep(Duration::from_secs(7)).await;
        peer.write_all(line.as_bytes()).await.unwrap();
        let octets = peer.read(&mut heard).await.unwrap();
        assert_eq!(&heard[..octets], line.as_bytes());
    }
    // Earlier: the delay ends before the deadline of the line before it.
    peer.write_all(b"slow\r\nfour\r\n").await.unwrap();
    let octets = timeout(Duration::from_secs(6), peer.read(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard[..octets], b"four\r\n");
    assert!(timeout(Duration::from_secs(9), peer.read(&mut heard)).await.is_err(), "too early");
    let octets = timeout(Duration::from_secs(2), peer.read(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard[..octets], b"late\r\n");
    assert_eq!(session.await.unwrap(), ["one", "two", "three", "slow", "four"]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_waited_for_and_does_not_count_against_the_peer() {
    let (stream, mut peer) = duplex(64);
    let mut toy = Toy::new();
    toy.patience = Duration::from_secs(2);
    let mut connection = Connection::new(toy, stream);
    peer.write_all(b"slow\r\nquit\r\n").await.unwrap();
    drop(peer.shutdown());
    let session = tokio::spawn(async move { echo(&mut connection).await });
    let mut heard = String::new();
    peer.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "bye\r\n");
    drop(peer);
    assert_eq!(session.await.unwrap(), ["slow", "quit"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_close_is_not_waited_for_for_ever() {
    let (stream, mut peer) = duplex(64);
    peer.write_all(b"quit\r\n").await.unwrap();
    assert_eq!(echo(&mut Connection::new(Toy::new(), stream)).await, ["quit"]);
    assert_eq!(peer.write(b"anyone?").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_stops_sending_is_closed() {
    let (stream, peer) = duplex(64);
    let (mut heard, mut said) = tokio::io::split(peer);
    let talk = tokio::spawn(async move {
        said.write_all(b"quit\r\n").await.unwrap();
        let mut octets = 0;
        while let Ok(written) = said.write(&[b'x'; 64]).await {
            octets += written;
        }
        octets
    });
    let mut connection = Connection::new(Toy::new(), stream);
    assert_eq!(echo(&mut connection).await, ["quit"]);
    drop(connection);
    let mut reply = String::new();
    heard.read_to_string(&mut reply).await.unwrap();
    assert_eq!(reply, "bye\r\n");
    assert!(talk.await.unwrap() <= esmtp::io::LINGER_OCTETS + 16 * 1024);
}

#[tokio::test]
async fn a_cancelled_call_loses_nothing() {
    let (stream, mut peer) = duplex(3);
    let lines: String = (0..200).map(|number| format!("line {number}\r\n")).collect();
    let expected = lines.clone();
    let talk = tokio::spawn(async move {
        let (mut heard, mut said) = tokio::io::split(&mut peer);
        let say = async {
            for octet in lines.as_bytes() {
                said.write_all(&[*octet]).await.unwrap();
                yield_now().await;
            }
            said.shutdown().await.unwrap();
        };
        let mut all = String::new();
        let hear = heard.read_to_string(&mut all);
        tokio::join!(say, hear).1.unwrap();
        all
    });
    let mut toy = Toy::new();
    toy.is_eager = true;
    let mut connection = Connection::new(toy, stream);
    let mut lines = vec![];
    let mut cancelled = 0;
    loop {
        tokio::select! {
            biased;
            event = connection.next() => match event.unwrap() {
                // Every other question is met twice.
                Some(Event::Line(_)) if cancelled % 2 == 0 => cancelled += 1,
                Some(event) => answer(event, &mut lines),
                None => break,
            },
            () = yield_now() => cancelled += 1,
        }
    }
    assert_eq!(lines.len(), 200);
    assert!(cancelled > 200);
    drop(connection);
    assert_eq!(talk.await.unwrap(), expected);
}

#[tokio::test]
async fn while_the_peer_is_silent_no_buffer_is_held() {
    let (stream, mut peer) = duplex(64);
    let mut connection = Connection::new(Toy::new(), stream);
    for (said, is_holding) in [("", false), ("on", true), ("e\r\n", true), ("", false)] {
        peer.write_all(said.as_bytes()).await.unwrap();
        tokio::select! {
            biased;
            event = connection.next() => answer(event.unwrap().unwrap(), &mut vec![]),
            () = yield_now() => {}
        }
        assert_eq!(connection.machine().is_holding, is_holding, "{said:?}");
    }
}

#[tokio::test]
async fn both_directions_go_on_at_once() {
    let (stream, mut peer) = duplex(64);
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let all = line.repeat(100);
    let talk = tokio::spawn(async move {
        // It reads nothing before all is written.
        peer.write_all(&all).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut heard = vec![];
        peer.read_to_end(&mut heard).await.unwrap();
        heard.len()
    });
    let mut toy = Toy::new();
    toy.is_eager = true;
    let mut connection = Connection::new(toy, stream);
    assert_eq!(echo(&mut connection).await.len(), 100);
    drop(connection);
    assert_eq!(talk.await.unwrap(), 100_000);
}

#[tokio::test]
async fn what_is_written_is_flushed() {
    let stream = Script::new([Ok("quit\r\n"), Ok("")], [Ok(2), Ok(99)]);
    let mut connection = Connection::new(Toy::new(), stream);
    assert_eq!(echo(&mut connection).await, ["quit"]);
    let (_, stream) = connection.into_parts();
    assert_eq!(stream.written, b"bye\r\n");
    assert_eq!((stream.flushed, stream.is_shut_down), (5, true));
}

#[tokio::test]
async fn a_failed_read_is_an_error_once_after_what_was_left() {
    let reads = [Ok("one\r\n"), Err(ErrorKind::ConnectionReset.into())];
    let mut connection = Connection::new(Toy::new(), Script::new(reads, [Ok(99)]));
    match connection.next().await {
        Ok(Some(Event::Line(line))) => line.reply("two\r\n"),
        _ => panic!("no line"),
    }
    match connection.next().await {
        Ok(Some(Event::Gone(gone))) => gone.done(),
        _ => panic!("not gone"),
    }
    assert_eq!(connection.machine().closed, Some(Closed::CutOff));
    let error = connection.next().await.err();
    assert_eq!(error.map(|it| it.kind()), Some(ErrorKind::ConnectionReset));
    assert!(matches!(connection.next().await, Ok(None)));
    assert!(matches!(connection.next().await, Ok(None)));
}

#[tokio::test]
async fn after_a_failed_write_what_the_peer_said_is_still_heard() {
    let reads = [Ok("one\r\ntwo\r\n"), Ok("three\r\n"), Ok("")];
    let writes = [Err(ErrorKind::BrokenPipe.into())];
    let mut connection = Connection::new(Toy::new(), Script::new(reads, writes));
    let mut lines = vec![];
    let error = loop {
        match connection.next().await {
            Ok(Some(event)) => answer(event, &mut lines),
            Ok(None) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(connection.machine().is_unsendable);
    assert!(matches!(connection.next().await, Ok(None)));
}

#[tokio::test]
async fn a_server_serves_accepted_connections() {
    let (stream, mut peer) = pair().await;
    let address = peer.local_addr().unwrap();
    let talk = tokio::spawn(async move {
        peer.write_all(b"EHLO me.example.org\r\nQUIT\r\n").await.unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        heard
    });
    let config = esmtp::server::Config::new("mx.example.org").unwrap();
    let config = config.with_enforced_sync(false);
    let mut connection = Connection::accept(stream, config.into()).unwrap();
    while let Some(event) = connection.next().await.unwrap() {
        assert_eq!(event.facts().peer().address(), Some(address));
        event.proceed();
    }
    drop(connection);
    let heard = talk.await.unwrap();
    let codes: Vec<_> = heard.lines().map(|line| &line[..3]).collect();
    assert_eq!((codes.first(), codes.last()), (Some(&"220"), Some(&"221")), "{heard}");
}
