//! Inside TLS a session lives as long as in the clear: each hostile peer of these tests meets both,
//! and the instant at which it is ended must be the same.

use super::*;
use esmtp::{
    client::{Event as ClientEvent, Outcome, Report},
    time::Instant,
};

/// A wire whose far end takes as much as a test says.
struct Wire {
    tls: Option<Connection>,
    heard: Vec<u8>,
    /// Octets for the machine.
    out: Vec<u8>,
}

impl Wire {
    fn new(tls: Option<Connection>) -> Self {
        Self { tls, heard: Vec::new(), out: Vec::new() }
    }

    fn say(&mut self, octets: &[u8]) {
        match &mut self.tls {
            None => self.out.extend_from_slice(octets),
            Some(tls) => tls.writer().write_all(octets).unwrap(),
        }
    }

    fn take(&mut self, mut octets: &[u8]) {
        let Some(tls) = &mut self.tls else { return self.heard.extend_from_slice(octets) };
        while !octets.is_empty() {
            tls.read_tls(&mut octets).unwrap();
            tls.process_new_packets().unwrap();
            drain(tls, &mut self.heard);
        }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Polls the machine, lets it read, and takes up to `most` octets, until nothing moves.
    fn turn<M: Machine>(
        &mut self,
        machine: &mut M,
        now: Instant,
        mut most: usize,
        mut answer: impl FnMut(&mut M),
    ) -> Need {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    tls.write_tls(&mut self.out).unwrap();
                }
            }
            let need = machine.poll(now);
            let reads = matches!(need, Need::Read(_) | Need::Either(_));
            let writes = matches!(need, Need::Write(_) | Need::Either(_));
            if need == Need::Answer {
                answer(machine);
            } else if reads && !self.out.is_empty() {
                let taken = machine.feed(&self.out);
                self.out.drain(..taken);
            } else if writes && most > 0 {
                let mut slices = [&[][..]; 8];
                let count = machine.to_send(&mut slices);
                let octets = slices[..count].concat();
                let octets = &octets[..octets.len().min(most)];
                self.take(octets);
                machine.sent(octets.len());
                most -= octets.len();
            } else {
                return need;
            }
        }
    }
}

fn deadline(need: Need) -> Instant {
    match need {
        Need::Read(at) | Need::Write(at) | Need::Either(at) | Need::Wait(at) => at,
        Need::Answer | Need::Close => panic!("{need:?}"),
    }
}

/// Drives a session whose peer acts every `seconds`: `act` says something and returns how many
/// octets the peer takes then. Returns the second at which the session is over.
fn life<M: Machine>(
    machine: &mut M,
    wire: &mut Wire,
    seconds: u64,
    mut act: impl FnMut(&mut Wire) -> usize,
    mut answer: impl FnMut(&mut M),
) -> u64 {
    let (mut now, mut next) = (Instant::ORIGIN, Instant::ORIGIN);
    for _ in 0..1_000_000 {
        let most = if next.has_passed(now) {
            next = now + Duration::from_secs(seconds);
            act(wire)
        } else {
            0
        };
        let need = wire.turn(machine, now, most, &mut answer);
        if need == Need::Close {
            return now.elapsed().as_secs();
        }
        now = deadline(need).min(next);
    }
    panic!("the session has no end");
}

// Servers.

const HELLO: &[u8] = b"EHLO a.example\r\n";

fn accept<M>(machine: &mut M)
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + 'static,
{
    match machine.event().unwrap() {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Deliver(delivery) => delivery.accept(),
        Event::Content(content) => drop(content.take().len()),
        other => other.proceed(),
    }
}

/// Returns the life of a server whose client has sent these commands and read the replies, and acts so from
/// now on.
fn server_life(
    has_tls: bool,
    before: &[&[u8]],
    seconds: u64,
    act: impl FnMut(&mut Wire) -> usize,
) -> (u64, ServerEnd) {
    if has_tls {
        let mut wire = Wire::new(Some(rustls_client()));
        let mut server = Secured::implicit(new_server(Security::CLEAR), server_end());
        for commands in before {
            wire.say(commands);
            let _ = wire.turn(&mut server, Instant::ORIGIN, usize::MAX, accept);
        }
        let life = life(&mut server, &mut wire, seconds, act, accept);
        (life, server.machine().end().unwrap())
    } else {
        let mut wire = Wire::new(None);
        let mut server = new_server(Security::TLS);
        let _ = wire.turn(&mut server, Instant::ORIGIN, usize::MAX, accept);
        for commands in before {
            wire.say(commands);
            let _ = wire.turn(&mut server, Instant::ORIGIN, usize::MAX, accept);
        }
        let life = life(&mut server, &mut wire, seconds, act, accept);
        (life, server.end().unwrap())
    }
}

/// RFC 5321 section 4.5.3.2 and our own bound: the time for a reply to be taken runs from the first
/// reply that waits.
#[test]
fn a_client_that_reads_nothing_is_ended_as_in_the_clear() {
    let chunk = [ENVELOPE, b"BDAT 3\r\na\r\n"].concat();
    for (before, command) in [
        (&[HELLO][..], &b"NOOP\r\n"[..]),
        (&[HELLO], b"HELP\r\n"),
        (&[HELLO, &chunk], b"NOOP\r\n"),
        (&[HELLO, &chunk], b"BDAT 0\r\n"),
    ] {
        for seconds in [1, 100, 299] {
            let lives = [false, true].map(|has_tls| {
                server_life(has_tls, before, seconds, |wire| {
                    wire.say(command);
                    0
                })
            });
            let command = command.escape_ascii();
            assert_eq!(lives[0], lives[1], "{command} each {seconds} s");
            assert!(lives[1].0 <= 300, "{command} each {seconds} s: {lives:?}");
        }
    }
}

/// A driver that looks late does not make it longer either.
#[test]
fn a_driver_that_looks_late_ends_a_client_that_reads_nothing_at_the_second_look() {
    let mut wire = Wire::new(Some(rustls_client()));
    let mut server = Secured::implicit(new_server(Security::CLEAR), server_end());
    wire.say(HELLO);
    let _ = wire.turn(&mut server, Instant::ORIGIN, usize::MAX, accept);
    for (second, is_over) in [(299, false), (598, false), (897, true)] {
        wire.say(b"NOOP\r\n");
        let now = Instant::since_origin(Duration::from_secs(second));
        let need = wire.turn(&mut server, now, 0, accept);
        assert_eq!(need == Need::Close, is_over, "{second}");
    }
    assert_eq!(server.machine().end(), Some(ServerEnd::TimedOut));
}

/// Octets that are taken one by one gain no time: the whole block has its deadline.
#[test]
fn a_client_that_takes_octets_one_by_one_is_ended_as_in_the_clear() {
    for (command, seconds) in [(&b"NOOP\r\n"[..], 50), (HELLO, 5)] {
        let lives = [false, true].map(|has_tls| {
            server_life(has_tls, &[HELLO], seconds, |wire| {
                wire.say(command);
                1
            })
        });
        assert_eq!(lives[0], lives[1], "an octet each {seconds} s");
        assert_eq!(lives[1], (300, ServerEnd::TimedOut));
    }
}

/// A client that takes each reply in time is served until its other bounds.
#[test]
fn a_client_that_takes_its_replies_late_but_in_time_is_served() {
    let lives = [false, true].map(|has_tls| {
        let mut is_taking = false;
        server_life(has_tls, &[HELLO], 140, move |wire| {
            wire.say(b"NOOP\r\n");
            is_taking = !is_taking;
            if is_taking { usize::MAX } else { 0 }
        })
    });
    assert_eq!(lives[0], lives[1]);
    assert!(lives[1].0 > 1000, "{lives:?}");
}

/// Returns the needs of a server whose client sends a hello, reads on so far, and then sends commands without reading.
fn needs<M>(server: &mut M, mut wire: Wire) -> Vec<Need>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + 'static,
{
    let _ = wire.turn(server, Instant::ORIGIN, usize::MAX, accept);
    wire.say(HELLO);
    let _ = wire.turn(server, Instant::ORIGIN, usize::MAX, accept);
    let needs = [ENVELOPE, b"NOOP\r\nDATA\r\n", b""].into_iter().enumerate();
    needs
        .map(|(second, commands)| {
            wire.say(commands);
            let now = Instant::since_origin(Duration::from_secs(second as u64));
            wire.turn(server, now, 0, accept)
        })
        .collect()
}

/// A question to the application is withheld in TLS exactly as long as in the clear.
#[test]
fn questions_come_to_a_server_whose_client_does_not_read_as_in_the_clear() {
    let mut secured = Secured::implicit(new_server(Security::CLEAR), server_end());
    assert_eq!(
        needs(&mut secured, Wire::new(Some(rustls_client()))),
        needs(&mut new_server(Security::TLS), Wire::new(None))
    );
}

// Clients.

fn client() -> Client {
    client_within(Duration::MAX)
}

/// Creates a client that waits for nothing longer than this.
fn client_within(longest: Duration) -> Client {
    let timeouts = client::Timeouts::default().at_most(longest);
    Client::new(client_config().with_timeouts(timeouts), Security::TLS)
}

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\n0123456789abcdef0123456789abcdef0123456789\r\n";

/// The task of a client: to send this many octets, with what is known of the outcome.
struct Wish {
    envelope: Option<Envelope>,
    octets: usize,
    report: Option<Report>,
}

impl Wish {
    fn new(octets: usize) -> Self {
        let envelope = Envelope::new("a@example.net", &["b@example.org"]).unwrap();
        Self { envelope: Some(envelope), octets, report: None }
    }

    fn answer<M>(&mut self, machine: &mut M)
    where
        M: for<'m> Machine<Event<'m> = ClientEvent<'m>> + 'static,
    {
        match machine.event().unwrap() {
            ClientEvent::Ready(ready) => match self.envelope.take() {
                Some(envelope) => {
                    let _ = ready.send(envelope, MessageFacts::UNKNOWN).unwrap();
                }
                None => ready.quit(),
            },
            ClientEvent::Content(mut content) => {
                let line = MESSAGE.repeat(1 + self.octets / MESSAGE.len());
                self.octets -= content.write(&line[..self.octets]).unwrap();
                if self.octets == 0 {
                    content.finish().unwrap();
                }
            }
            ClientEvent::Sent(sent) => self.report = Some(sent.take()),
            other => other.quit(),
        }
    }
}

/// Octets of a message that does not fit a few buffers.
const LARGE: usize = 2_000_000 / MESSAGE.len() * MESSAGE.len();

fn rustls_server() -> Connection {
    ServerConnection::new(Arc::new(IDENTITY.server.clone())).unwrap().into()
}

/// Returns the life of a client whose server has sent 354, or offers CHUNKING, and acts so each second.
fn client_life(
    has_tls: bool,
    is_chunking: bool,
    longest: Duration,
    act: impl FnMut(&mut Wire) -> usize,
) -> (u64, client::End) {
    let hello: &[&[u8]] = match is_chunking {
        true => &[b"220 mx\r\n", b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"],
        false => {
            &[b"220 mx\r\n", b"250-mx\r\n250 PIPELINING\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"]
        }
    };
    let mut wish = Wish::new(LARGE);
    if has_tls {
        let mut wire = Wire::new(Some(rustls_server()));
        let mut client = Secured::implicit(
            Always(client_within(longest)),
            client_role(Arc::new(IDENTITY.client.clone()), name()),
        );
        let _ = wire.turn(&mut client, Instant::ORIGIN, usize::MAX, |it| wish.answer(it));
        for (index, reply) in hello.iter().enumerate() {
            wire.say(reply);
            let most = if index + 1 == hello.len() { 0 } else { usize::MAX };
            let _ = wire.turn(&mut client, Instant::ORIGIN, most, |it| wish.answer(it));
        }
        let life = life(&mut client, &mut wire, 1, act, |it| wish.answer(it));
        (life, client.machine().0.end().unwrap().clone())
    } else {
        let mut wire = Wire::new(None);
        let mut client = client_within(longest);
        for (index, reply) in hello.iter().enumerate() {
            wire.say(reply);
            let most = if index + 1 == hello.len() { 0 } else { usize::MAX };
            let _ = wire.turn(&mut client, Instant::ORIGIN, most, |it| wish.answer(it));
        }
        let life = life(&mut client, &mut wire, 1, act, |it| wish.answer(it));
        (life, client.end().unwrap().clone())
    }
}

/// RFC 5321 section 4.5.3.2.5.
#[test]
fn a_server_that_does_not_take_the_content_is_left_as_in_the_clear() {
    for is_chunking in [false, true] {
        for octets in [0, 1, 100] {
            let lives = [false, true]
                .map(|has_tls| client_life(has_tls, is_chunking, Duration::MAX, |_| octets));
            assert_eq!([&lives[0].1, &lives[1].1], [&client::End::TimedOut; 2]);
            // The 22 octets that a record adds are no content.
            let lives = lives.map(|(life, _)| life);
            let what = format!("{octets} octets a second, BDAT: {is_chunking}: {lives:?}");
            assert!(lives[1] <= lives[0] && lives[0] <= lives[1] + 1, "{what}");
        }
    }
}

/// A record takes longer than the time-out, and its octets count as they leave.
#[test]
fn a_server_that_takes_the_content_faster_than_the_slowest_rate_gets_all_of_it() {
    let longest = Duration::from_secs(2);
    let lives = [false, true].map(|has_tls| client_life(has_tls, false, longest, |_| 5000).0);
    assert!(lives[0] >= LARGE as u64 / 5000, "{lives:?}");
    assert!(lives[1] >= lives[0], "{lives:?}");
}

/// The report is exact to the record: content whose last record has not left whole was not sent, and
/// content that the peer can decrypt may have been taken.
#[test]
fn content_counts_as_sent_when_its_last_record_is() {
    let mut outcomes = [0, 0];
    for cut in 0.. {
        let mut wire = Wire::new(Some(rustls_server()));
        let end = client_role(Arc::new(IDENTITY.client.clone()), name());
        let mut client = Secured::implicit(Always(client()), end);
        let mut wish = Wish::new(2 * MESSAGE.len());
        let turn = |wire: &mut Wire, client: &mut _, wish: &mut Wish, most| {
            wire.turn(client, Instant::ORIGIN, most, |it| wish.answer(it))
        };
        let _ = turn(&mut wire, &mut client, &mut wish, usize::MAX);
        for reply in
            [&b"220 mx\r\n"[..], b"250-mx\r\n250 PIPELINING\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"]
        {
            wire.say(reply);
            let most = if reply.starts_with(b"250 ok") { cut } else { usize::MAX };
            let _ = turn(&mut wire, &mut client, &mut wish, most);
        }
        client.closed(Closed::CutOff);
        client.unsendable();
        assert_eq!(turn(&mut wire, &mut client, &mut wish, 0), Need::Close);
        let mut slices = [&[][..]; 1];
        assert_eq!(client.to_send(&mut slices), 0, "octets leave after the report");
        let may_be_taken = wire.heard().ends_with("\r\n.\r\n");
        let report = wish.report.unwrap();
        let outcome = report.outcomes().next().unwrap();
        match may_be_taken {
            true => assert!(matches!(outcome, Outcome::Unknown), "{cut}: {outcome:?}"),
            false => assert!(matches!(outcome, Outcome::Untried), "{cut}: {outcome:?}"),
        }
        outcomes[usize::from(may_be_taken)] += 1;
        if outcomes[1] == 3 {
            break;
        }
    }
    assert!(outcomes[0] > 100, "{outcomes:?}");
}

/// Small records (`max_fragment_size`) are counted one by one as well.
#[test]
fn small_records_are_counted_one_by_one() {
    let mut config = IDENTITY.client.clone();
    config.max_fragment_size = Some(64);
    let mut wire = Wire::new(Some(rustls_server()));
    let mut client = Secured::implicit(Always(client()), client_role(Arc::new(config), name()));
    let mut wish = Wish::new(LARGE);
    let mut turn = |wire: &mut Wire, client: &mut _, most| {
        wire.turn(client, Instant::ORIGIN, most, |it| wish.answer(it))
    };
    let _ = turn(&mut wire, &mut client, usize::MAX);
    for reply in [&b"220 mx\r\n"[..], b"250-mx\r\n250 PIPELINING\r\n"] {
        wire.say(reply);
        let _ = turn(&mut wire, &mut client, usize::MAX);
    }
    wire.say(b"250 ok\r\n250 ok\r\n354 go\r\n");
    for _ in 0..2000 {
        let _ = turn(&mut wire, &mut client, 7);
        let (sent, heard) = (client.machine().0.totals().octets_sent(), wire.heard.len() as u64);
        assert!(sent >= heard && sent < heard + 59, "{sent} sent, {heard} heard");
    }
    assert!(wire.heard.len() > 5000);
}

/// Returns the time that a server is still there that was told to close while its client does not read.
fn closing<M>(server: &mut M, mut wire: Wire, close: impl FnOnce(&mut M)) -> u64
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + 'static,
{
    let _ = wire.turn(server, Instant::ORIGIN, usize::MAX, accept);
    wire.say(HELLO);
    let _ = wire.turn(server, Instant::ORIGIN, usize::MAX, accept);
    wire.say(b"NOOP\r\n");
    let _ = wire.turn(server, Instant::ORIGIN, 0, accept);
    close(server);
    life(server, &mut wire, 1000, |_| 0, accept)
}

/// The close_notify does not wait for a client that has not taken the replies before it.
#[test]
fn a_server_that_is_told_to_close_waits_for_no_client_longer_than_in_the_clear() {
    let mut secured = Secured::implicit(new_server(Security::CLEAR), server_end());
    let inside =
        closing(&mut secured, Wire::new(Some(rustls_client())), |it| it.machine_mut().close());
    let clear = closing(&mut new_server(Security::TLS), Wire::new(None), Server::close);
    assert_eq!(inside, clear);
}
