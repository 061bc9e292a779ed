use super::{Done, Taken, check, content, envelope, receiver, sender};
use esmtp::{
    client::MessageFacts,
    io::blocking::{ClientSession, Connection, Source, connect},
    server::Config,
};
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

/// Starts a server on loopback for one session; returns its address and what it takes.
fn serve(config: Config) -> (SocketAddr, JoinHandle<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taken = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut session = Connection::accept(stream, Arc::new(config)).unwrap();
        let mut taken = Taken::default();
        while let Ok(Some(event)) = session.next() {
            taken.on(event);
        }
        taken
    });
    (address, taken)
}

fn session(config: Config) -> (ClientSession, JoinHandle<Taken>) {
    let (address, taken) = serve(config);
    (connect(address, sender()).unwrap(), taken)
}

#[test]
fn messages_of_an_iterator_are_sent_and_each_has_a_result() {
    for is_chunking in [true, false] {
        let (mut session, taken) = session(receiver(is_chunking));
        let messages = (0..50).map(|number| (envelope(number), content(number).into_bytes()));
        let done: Vec<Done> = session.queue(8, messages).collect();
        session.quit().unwrap();
        let taken = taken.join().unwrap();
        check(50, &done, &taken, "50 messages");
        assert_eq!(taken.messages.len(), 50);
    }
}

#[test]
fn readers_are_read_in_turn() {
    let contents: Vec<String> = (0..5).map(content).collect();
    let (mut session, taken) = session(receiver(true));
    let messages = contents.iter().enumerate().map(|(number, content)| {
        let source = Source::reader(MessageFacts::UNKNOWN, content.as_bytes());
        (envelope(u64::try_from(number).unwrap()), source)
    });
    let done: Vec<Done> = session.queue(3, messages).collect();
    session.quit().unwrap();
    check(5, &done, &taken.join().unwrap(), "5 readers");
}

#[test]
fn messages_that_a_dead_session_cannot_take_stay_in_the_iterator() {
    let limits = esmtp::server::Limits::default().with_transactions(Some(5));
    let (mut session, taken) = session(receiver(true).with_limits(limits));
    let mut messages = (0..50).map(|number| (envelope(number), content(number).into_bytes()));
    let done: Vec<Done> = session.queue(4, messages.by_ref()).collect();
    drop(session);
    let taken = taken.join().unwrap();
    let pushed = u64::try_from(done.len()).unwrap();
    check(pushed, &done, &taken, "a server that takes 5 messages");
    assert_eq!(taken.messages.len(), 5);
    assert_eq!(messages.next().map(|(next, _)| next), (pushed < 50).then(|| envelope(pushed)));
}

#[test]
fn the_queue_of_a_nameable_session_is_an_iterator() {
    fn first(session: &mut ClientSession) -> Option<Done> {
        session.queue(8, [(envelope(0), "Hi\r\n")]).next()
    }
    let _ = first;
}
