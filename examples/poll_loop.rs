//! Serves 1,000 sessions on one thread with mio: `cargo run --all-features --example poll_loop`. Both sides need
//! some 2,000 file descriptors (`ulimit -n 4096`).

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::server::{Config, Event, Peer, Server};
use esmtp::{Instant, Security, io::nonblocking::Connection, io::nonblocking::Step};
use mio::{Events, Interest, Poll, Token, net::TcpListener, net::TcpStream};
use std::{collections::HashMap, error::Error, io, io::Write, net, sync::Arc, thread, time};

const SESSIONS: usize = 1000;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const MAIL: &str =
    "EHLO [127.0.0.1]\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nHello\r\n.\r\nQUIT\r\n";

/// Advances a session as far as possible; returns when it goes on by itself, or `None` at its end.
fn advance(session: &mut Connection<Server, TcpStream>, now: Instant) -> Option<Instant> {
    loop {
        match session.next(now).ok()? {
            Step::Event(Event::Rcpt(rcpt)) => rcpt.accept(),
            Step::Event(Event::Content(content)) => drop(content.take_bytes()), // store it
            Step::Event(Event::Deliver(delivery)) => delivery.accept(),
            Step::Event(other) => other.proceed(),
            Step::Wait(wait) => return Some(wait.until()),
            Step::Over => return None,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let config = Arc::new(Config::new("mx.example.org")?.with_enforced_sync(false));
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    let local = listener.local_addr()?;
    let clients = thread::spawn(move || -> io::Result<usize> {
        let mut open: Vec<_> = (0..SESSIONS).flat_map(|_| net::TcpStream::connect(local)).collect();
        open.iter_mut().try_for_each(|client| client.write_all(MAIL.as_bytes()))?;
        let replies = open.into_iter().flat_map(io::read_to_string);
        Ok(replies.filter(|replies| replies.contains("250 2.0.0 ")).count())
    });
    let (start, mut accepted, mut sessions) = (time::Instant::now(), 0, HashMap::new());
    let now = || Instant::since_origin(start.elapsed());
    while accepted < SESSIONS || !sessions.is_empty() {
        let next = sessions.values().map(|(_, until): &(_, Instant)| *until).min();
        poll.poll(&mut events, next.map(|until| until.saturating_since(now())))?;
        for event in &events {
            if let Some((session, until)) = sessions.get_mut(&event.token()) {
                Connection::set_readable(session); // an error or a hang-up is both
                session.set_writable();
                *until = now();
            }
        }
        while let Ok((mut stream, peer)) = listener.accept() {
            accepted += 1;
            poll.registry().register(&mut stream, Token(accepted), BOTH)?;
            let server = Server::new(config.clone(), Peer::from(peer), Security::CLEAR);
            let session = Connection::new(server, stream, |it| it.shutdown(net::Shutdown::Write));
            sessions.insert(Token(accepted), (session, now()));
        }
        sessions.retain(|_, (session, until)| {
            *until > now() || advance(session, now()).map(|next| *until = next).is_some()
        });
    }
    let answered = clients.join().map_err(|_| "a client panicked")??;
    println!("{accepted} sessions, {answered} messages");
    (answered == SESSIONS).then_some(()).ok_or_else(|| "a message was not accepted".into())
}
