//! No client extends its deadline: how long a server waits for content, between chunks, for content
//! that is discarded, for replies that are not read, and at the end, on a fake clock.

use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{
        AbortReason, Config, CustomVerb, End, Event, Limits, Peer, Server, Timeouts, VerbPlacement,
    },
    syntax::{Extension, Extensions, Rejection, Text},
    testing::Driver,
    time::{Instant, Rate},
};
use std::{sync::Arc, time::Duration};

/// Accepts everything, content included.
fn accept(event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => drop(content.take()),
        Event::Deliver(delivery) => delivery.accept(),
        other => other.proceed(),
    }
}

/// Rejects content at its first octets.
fn reject(event: Event<'_>) {
    match event {
        Event::Content(content) => content.reject(Rejection::POLICY),
        other => accept(other),
    }
}

/// A server, and the client at the other end, whose driver polls at each deadline.
struct Session {
    driver: Driver<Server>,
    application: fn(Event<'_>),
    said: String,
    aborts: Vec<AbortReason>,
    closed_at: Option<Duration>,
}

impl Session {
    fn new(config: Config, application: fn(Event<'_>)) -> Self {
        let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
        let mut session = Self {
            driver: Driver::new(server),
            application,
            said: String::new(),
            aborts: Vec::new(),
            closed_at: None,
        };
        session.say("");
        session
    }

    /// Creates a session in which a recipient was accepted.
    fn addressed(config: Config, application: fn(Event<'_>)) -> Self {
        let mut session = Self::new(config, application);
        session.say("EHLO client.example\r\n");
        session.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
        assert!(session.said.ends_with("250 2.1.5 Ok\r\n"), "{}", session.said);
        session.said.clear();
        session
    }

    /// Gives the server octets of the client, as many as it takes.
    fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.drive(|driver, answer| driver.exchange(octets, answer));
    }

    /// Passes time; the server is polled whenever a deadline of its own has come.
    fn pass(&mut self, seconds: u64) {
        let until = self.driver.time() + Duration::from_secs(seconds);
        while let Some(deadline) = self.deadline().filter(|it| *it <= until) {
            self.pass_until(deadline);
        }
        self.pass_until(until);
    }

    fn pass_until(&mut self, moment: Instant) {
        let time = moment.saturating_since(self.driver.time());
        self.drive(|driver, answer| driver.pass(time, answer));
    }

    fn deadline(&self) -> Option<Instant> {
        match self.driver.need() {
            Need::Read(at) | Need::Write(at) | Need::Either(at) | Need::Wait(at) => Some(at),
            Need::Answer | Need::Close => None,
        }
    }

    fn drive(
        &mut self,
        act: impl FnOnce(&mut Driver<Server>, &mut dyn FnMut(Event<'_>)) -> String,
    ) {
        let Self { driver, application, aborts, .. } = self;
        let said = act(driver, &mut |event| match event {
            Event::Abort(abort) => {
                aborts.push(abort.reason());
                abort.acknowledge();
            }
            other => application(other),
        });
        self.said.push_str(&said);
        if self.driver.need() == Need::Close {
            self.closed_at.get_or_insert(self.driver.time().elapsed());
        }
    }

    const fn server(&mut self) -> &mut Server {
        self.driver.machine_mut()
    }

    /// Asserts that the session has ended at this time with these words.
    #[track_caller]
    fn assert_ended(&self, at: Duration, end: End, last: &str) {
        assert_eq!(
            (self.closed_at, self.driver.machine().end()),
            (Some(at), Some(end)),
            "{}",
            self.said
        );
        assert_eq!(self.said.lines().last(), Some(last), "{}", self.said);
    }
}

const TIMED_OUT: &str = "421 4.4.2 Timeout, closing connection";
const SHUTTING_DOWN: &str = "421 4.3.2 Shutting down, try again later";
const TOO_MANY: &str = "421 4.7.0 Too many errors";

fn config() -> Config {
    Config::new("mx.example.org").unwrap()
}

fn timeouts() -> Timeouts {
    Timeouts::default()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns the time that octets take at 500 a second.
const fn earned(octets: u64) -> Duration {
    Duration::from_millis(octets * 2)
}

/// Returns lines of content, without a bare line break.
fn lines(octets: usize) -> Vec<u8> {
    let line = [&[b'x'; 78][..], b"\r\n"].concat();
    line.iter().copied().cycle().take(octets).collect()
}

// ------------------------------------------------------------------------------- content

#[test]
fn content_that_bursts_and_falls_silent_ends_after_the_flat_timeout() {
    let config = || config().with_timeouts(timeouts().with_content(seconds(2)));
    for octets in [0, 1, 10_000, 1_000_000] {
        for (command, application) in [
            ("DATA\r\n", accept as fn(Event<'_>)),
            ("BDAT 2000000 LAST\r\n", accept),
            ("BDAT 2000000\r\n", accept),
            ("BDAT 80\r\n", accept),
            ("DATA\r\n", reject),
            ("BDAT 2000000 LAST\r\n", reject),
            ("BDAT 2000000\r\n", reject),
        ] {
            let mut session = Session::addressed(config(), application);
            session.say(command);
            if command.starts_with("BDAT 80\r") {
                session.say(lines(80));
                session.say("BDAT 2000000 LAST\r\n");
            }
            session.say(lines(octets));
            session.pass(3600);
            session.assert_ended(seconds(2), End::TimedOut, TIMED_OUT);
        }
    }
}

#[test]
fn content_that_bursts_and_then_drips_gains_nothing_by_the_burst() {
    for (command, application) in [
        ("DATA\r\n", accept as fn(Event<'_>)),
        ("BDAT 9000000 LAST\r\n", accept),
        ("DATA\r\n", reject),
        ("BDAT 9000000\r\n", reject),
    ] {
        let mut session = Session::addressed(config(), application);
        session.say(command);
        session.say(lines(4_000_000));
        for _ in 0..3 {
            session.pass(299);
            session.say("x");
        }
        session.assert_ended(seconds(300) + earned(1), End::TimedOut, TIMED_OUT);
    }
}

/// The rule holds at every rate: below the slowest the flat time-out is used up, at it there is no
/// end but that of the content.
#[test]
fn content_below_the_slowest_rate_uses_up_the_flat_timeout() {
    // A second of this many octets earns a share of a second; the time that is missing adds up.
    for each_second in [100, 250, 400, 450] {
        let share = each_second as f64 / 500.0;
        let end = (300.0 - share) / (1.0 - share);
        let mut session = Session::addressed(config(), accept);
        session.say("DATA\r\n");
        drip(&mut session, each_second);
        let closed = session.closed_at.unwrap();
        assert!((closed.as_secs_f64() - end).abs() < 1.0, "{closed:?} {end}");
    }
    let mut session = Session::addressed(config(), accept);
    session.say("BDAT 5000000 LAST\r\n");
    for _ in 0..10_000 {
        session.pass(1);
        session.say(vec![b'x'; 500]);
    }
    assert!(session.said.ends_with(&format!("250 2.0.0 Message accepted\r\n{TIMED_OUT}\r\n")));
    assert_eq!(session.closed_at, Some(seconds(10_000)), "above the rate it outlives the session");
}

/// 5321-4.5.3.2.7-a: a chunk of one octet, which comes late, is worth as much as the octet is in DATA.
#[test]
fn chunks_that_drip_end_as_the_octets_do_in_data() {
    let mut data = Session::addressed(config(), accept);
    data.say("DATA\r\n");
    let mut chunks = Session::addressed(config(), accept);
    for _ in 0..10 {
        chunks.say("BDAT 1\r\n");
        for session in [&mut data, &mut chunks] {
            session.pass(299);
            session.say("x");
        }
    }
    for session in [data, chunks] {
        session.assert_ended(seconds(300) + earned(1), End::TimedOut, TIMED_OUT);
        assert_eq!(session.aborts, [AbortReason::TimedOut]);
    }
}

#[test]
fn what_comes_between_chunks_does_not_extend_the_deadline() {
    for between in ["", "NOOP\r\n", "BDAT 0\r\n", "FOO\r\n", "RCPT TO:<c@d.example>\r\n", "NO"] {
        let mut session = Session::addressed(config(), accept);
        session.say("BDAT 4\r\nab\r\n");
        for _ in 0..6 {
            session.pass(99);
            session.say(between);
        }
        session.assert_ended(seconds(300), End::TimedOut, TIMED_OUT);
    }
    // A refused message whose further chunks do not come.
    for between in ["", "NOOP\r\n", "BDAT 0\r\n"] {
        let mut session = Session::addressed(config(), reject);
        session.say("BDAT 4\r\nab\r\n");
        for _ in 0..6 {
            session.pass(99);
            session.say(between);
        }
        session.assert_ended(seconds(300), End::TimedOut, TIMED_OUT);
    }
}

#[test]
fn a_session_ends_between_two_chunks_too() {
    let timeouts = timeouts().with_session(Some(seconds(100)));
    let mut session = Session::addressed(config().with_timeouts(timeouts), accept);
    for _ in 0..10 {
        session.say("BDAT 50000\r\n");
        session.say(lines(50_000));
        session.pass(30);
    }
    session.assert_ended(seconds(100), End::TimedOut, TIMED_OUT);
}

#[test]
fn time_of_the_application_is_not_the_clients() {
    let mut session = Session::addressed(config(), |event| match event {
        Event::Content(_) => {}
        other => accept(other),
    });
    session.say("BDAT 2 LAST\r\n");
    session.pass(299);
    // The question stays open, as the application drops it.
    assert_eq!(session.server().feed(b"x"), 1);
    session.pass(0);
    assert_eq!(session.driver.need(), Need::Answer);
    session.pass(100_000);
    assert_eq!(session.driver.need(), Need::Answer);
    match session.server().event() {
        Some(Event::Content(content)) => drop(content.take()),
        other => panic!("{other:?}"),
    }
    session.say("");
    let left = session.driver.time() + seconds(1) + earned(1);
    assert_eq!(session.driver.need(), Need::Read(left));
}

/// 3030-2-f, 3030-2-g
#[test]
fn empty_chunks_are_commands_without_progress() {
    let limits = Limits::default().with_idle_commands(10).with_errors(3);
    let mut session = Session::addressed(config().with_limits(limits), accept);
    session.say("BDAT 0\r\n".repeat(1000));
    session.assert_ended(Duration::ZERO, End::TooManyErrors, TOO_MANY);
    assert_eq!(session.said.matches("250 2.0.0 Chunk received").count(), 12);
    let mut session = Session::addressed(config().with_limits(limits), accept);
    for _ in 0..30 {
        session.say("BDAT 0 LAST\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
    }
    assert_eq!(session.said.matches("250 2.0.0 Message accepted").count(), 30, "a legal end");
    let mut session = Session::addressed(config().with_limits(limits), accept);
    session.say("BDAT 1\r\nx".repeat(1000));
    assert_eq!(session.said.matches("250 2.0.0 Chunk received").count(), 1000);
}

// ------------------------------------------------------------------------------- discarding

/// Says `each_second` octets a second until the session is over.
fn drip(session: &mut Session, each_second: usize) {
    for _ in 0..100_000 {
        if session.closed_at.is_some() {
            return;
        }
        session.pass(1);
        session.say(vec![b'x'; each_second]);
    }
}

#[test]
fn discarded_content_has_a_limit_of_its_own() {
    for each_second in [499, 500, 5000] {
        for command in ["DATA\r\n", "BDAT 90000000 LAST\r\n", "BDAT 90000000\r\n"] {
            let mut session = Session::addressed(config(), reject);
            session.say(command);
            session.say("x");
            drip(&mut session, each_second);
            session.assert_ended(seconds(600), End::TimedOut, TIMED_OUT);
        }
    }
    let timeouts = timeouts().with_discard(seconds(30));
    let mut session = Session::addressed(config().with_timeouts(timeouts), reject);
    session.say("DATA\r\n");
    session.say("x");
    drip(&mut session, 5000);
    session.assert_ended(seconds(30), End::TimedOut, TIMED_OUT);
}

#[test]
fn all_chunks_of_discarded_content_share_its_limit() {
    let mut session = Session::addressed(config(), reject);
    while session.closed_at.is_none() {
        session.say("BDAT 50000\r\n");
        session.say(lines(50_000));
        session.pass(30);
    }
    session.assert_ended(seconds(600), End::TimedOut, TIMED_OUT);
    // Chunks that belong to no transaction.
    let limits = Limits::default().with_errors(1000);
    let mut session = Session::new(config().with_limits(limits), accept);
    session.say("EHLO client.example\r\n");
    while session.closed_at.is_none() {
        session.say("BDAT 5000\r\n");
        drip_for(&mut session, 10, 500);
    }
    session.assert_ended(seconds(600), End::TimedOut, TIMED_OUT);
}

fn drip_for(session: &mut Session, seconds: u64, each_second: usize) {
    for _ in 0..seconds {
        session.pass(1);
        session.say(vec![b'x'; each_second]);
    }
}

#[test]
fn discarded_content_does_not_outlive_the_session() {
    let timeouts = timeouts().with_session(Some(seconds(400)));
    let mut session = Session::addressed(config().with_timeouts(timeouts), reject);
    session.say("DATA\r\n");
    session.say("x");
    drip(&mut session, 5000);
    session.assert_ended(seconds(400), End::TimedOut, TIMED_OUT);
}

// ------------------------------------------------------------------------------- the end

#[test]
fn a_shut_down_does_not_wait_for_content_that_makes_no_progress() {
    // Between two chunks; only a further chunk is still heard.
    let chunking = || {
        let mut session = Session::addressed(config(), accept);
        session.say("BDAT 4\r\nab\r\n");
        session.server().shut_down();
        session.say("");
        assert_eq!(session.closed_at, None);
        session.said.clear();
        session
    };
    for (said, at) in [
        ("", seconds(300)),
        ("NO", seconds(300)),
        ("NOOP\r\n", seconds(99)),
        ("RSET\r\n", seconds(99)),
        ("FOO\r\n", seconds(99)),
        ("BDAT 0\r\n", seconds(99)),
    ] {
        let mut session = chunking();
        for _ in 0..6 {
            session.pass(99);
            session.say(said);
        }
        session.assert_ended(at, End::ShutDown, SHUTTING_DOWN);
        assert_eq!(session.aborts, [AbortReason::ShutDown]);
    }
    let mut session = chunking();
    for _ in 0..3 {
        session.pass(299);
        session.say("BDAT 1\r\nx");
    }
    session.assert_ended(seconds(300) + earned(1), End::ShutDown, SHUTTING_DOWN);
    let mut session = chunking();
    session.say("BDAT 2 LAST\r\n\r\n");
    session.pass(1);
    assert_eq!(session.server().end(), Some(End::ShutDown));
    // Content that is discarded.
    for (each_second, at) in [(0, 300), (499, 300), (5000, 300)] {
        let mut session = Session::addressed(config(), reject);
        session.say("DATA\r\n");
        session.say("x");
        session.server().shut_down();
        drip(&mut session, each_second);
        session.assert_ended(seconds(at), End::ShutDown, SHUTTING_DOWN);
    }
    let mut session = Session::addressed(config(), reject);
    session.say("DATA\r\n");
    session.say("x");
    drip_for(&mut session, 500, 5000);
    session.server().shut_down();
    session.pass(0);
    session.assert_ended(seconds(500), End::ShutDown, SHUTTING_DOWN);
}

/// A client reads nothing and sends a command now and then.
#[test]
fn a_client_that_reads_nothing_gains_no_time_by_commands() {
    for said in ["", "NOOP\r\n", "BDAT 0\r\n", "BDAT 1\r\nx"] {
        let mut session = Session::addressed(config(), accept);
        session.driver.stop_reading();
        session.say("BDAT 4\r\nab\r\n");
        for _ in 0..5 {
            session.pass(99);
            session.say(said);
        }
        assert_eq!(session.closed_at, Some(seconds(300)), "{said:?}");
        assert_eq!(session.server().end(), Some(End::TimedOut));
    }
}

#[test]
fn close_waits_for_a_client_that_does_not_read_for_a_limited_time() {
    for closing in [1, 20] {
        let timeouts = timeouts().with_closing(seconds(closing));
        for said in ["", "NOOP\r\n", "DATA\r\n", "BDAT 1\r\nx", "BDAT 9\r\nx"] {
            let mut session = Session::addressed(config().with_timeouts(timeouts), accept);
            session.driver.stop_reading();
            session.say(said);
            session.pass(10);
            session.server().close();
            session.pass(0);
            assert!(matches!(session.driver.need(), Need::Write(_)), "{:?}", session.driver.need());
            session.say("NOOP\r\nMAIL FROM:<x@y.example>\r\n");
            session.pass(500);
            let ended = (session.closed_at, session.server().end());
            assert_eq!(ended, (Some(seconds(10 + closing)), Some(End::ShutDown)), "{said:?}");
        }
    }
    let mut session = Session::addressed(config(), accept);
    session.driver.stop_reading();
    session.say("NOOP\r\n");
    session.server().close();
    session.pass(0);
    session.server().unsendable();
    session.pass(0);
    assert_eq!(session.closed_at, Some(Duration::ZERO), "at once");
}

#[test]
fn close_writes_the_pending_replies_and_takes_nothing_more() {
    let mut session = Session::addressed(config(), accept);
    session.driver.stop_reading();
    session.say("BDAT 3 LAST\r\nx\r\nNOOP\r\n");
    session.server().close();
    session.pass(0);
    session.driver.resume_reading();
    session.say("NOOP\r\n");
    session.pass(0);
    session.assert_ended(Duration::ZERO, End::ShutDown, SHUTTING_DOWN);
    let said = "250 2.0.0 Message accepted\r\n250 2.0.0 Ok\r\n421";
    assert!(session.said.starts_with(said), "{}", session.said);
    assert_eq!(session.said.lines().count(), 3);
}

/// RFC 5321 section 3.8: no connection is closed without a reply.
#[test]
fn a_client_is_told_that_the_application_has_failed() {
    const FAILED: &str = "421 4.3.0 Local error, closing connection";
    for said in ["", "RCPT", "DATA\r\n", "BDAT 4\r\nab", "BDAT 2\r\nab"] {
        let mut session = Session::addressed(config(), accept);
        session.say(said);
        session.server().fail();
        session.pass(0);
        session.assert_ended(Duration::ZERO, End::Failed, FAILED);
        assert_eq!(session.aborts, [AbortReason::Failed], "{said:?}");
    }
    // An answer that was given counts.
    let mut session = Session::addressed(config(), accept);
    session.driver.stop_reading();
    session.say("BDAT 3 LAST\r\nx\r\n");
    session.server().fail();
    session.driver.resume_reading();
    session.pass(0);
    session.assert_ended(Duration::ZERO, End::Failed, FAILED);
    assert!(session.said.starts_with("250 2.0.0 Message accepted\r\n421"), "{}", session.said);
    assert_eq!(session.aborts, []);
}

/// The application has said yes to the message, and to the other protocol.
#[test]
fn close_during_a_hand_over_writes_the_pending_replies() {
    let verb = CustomVerb::new("XGO", VerbPlacement::Anywhere).unwrap();
    let mut session = Session::addressed(config().with_verb(verb), |event| match event {
        Event::Other(other) => other.hand_over(Text::literal("go")),
        Event::HandOver(_) => panic!("it is closing"),
        other => accept(other),
    });
    session.driver.stop_reading();
    session.say("BDAT 3 LAST\r\nabcXGO\r\nanother protocol");
    assert_eq!(session.driver.need(), Need::Write(Instant::ORIGIN + seconds(300)));
    session.server().close();
    session.driver.resume_reading();
    session.pass(0);
    session.assert_ended(Duration::ZERO, End::ShutDown, "250 2.0.0 go");
    assert_eq!(session.said, "250 2.0.0 Message accepted\r\n250 2.0.0 go\r\n");
}

// ------------------------------------------------------------------------------- STARTTLS

/// Creates a session in which STARTTLS got 220, and nothing was read since the greeting.
fn upgrading() -> Session {
    let config = config()
        .with_extensions(Extensions::NONE.with(Extension::StartTls).with(Extension::Pipelining));
    let mut session = Session::new(config, |event| match event {
        Event::Upgrade(_) => panic!("octets in the clear have come"),
        other => accept(other),
    });
    session.say("EHLO client.example\r\n");
    session.said.clear();
    session.driver.stop_reading();
    session.say("RSET\r\nSTARTTLS\r\n");
    // No need is exclusive: the answer comes before the reply to RSET is written.
    (session.application)(session.server().event().unwrap());
    session.say("");
    session
}

/// 3207-4.2-h: RFC 3207 section 4.2.
#[test]
fn the_replies_before_an_injection_are_written() {
    let mut session = upgrading();
    assert!(matches!(session.driver.need(), Need::Write(_)));
    assert_eq!(session.server().feed(b"NOOP\r\n"), 6);
    session.driver.resume_reading();
    session.say("");
    session.assert_ended(Duration::ZERO, End::Injection, "250 Ok");
    assert_eq!(session.said, "250 Ok\r\n", "nothing agrees to TLS");
}

/// An octet of the 220 has left: the rest of the line follows, and nothing else.
#[test]
fn a_220_that_has_begun_to_leave_is_not_taken_back() {
    let mut session = upgrading();
    session.server().sent("250 Ok\r\n2".len());
    assert_eq!(session.server().feed(b"NOOP\r\n"), 6);
    session.driver.resume_reading();
    session.say("");
    assert_eq!(session.said, "20 Ready to start TLS\r\n");
    assert_eq!(session.server().end(), Some(End::Injection));
}

#[test]
fn close_before_a_handshake_takes_the_220_back() {
    let mut session = upgrading();
    session.server().close();
    session.driver.resume_reading();
    session.pass(0);
    assert_eq!(session.said, "250 Ok\r\n421 Shutting down, try again later\r\n");
    assert_eq!(session.server().end(), Some(End::ShutDown));
}

// ------------------------------------------------------------------------------- settings

#[test]
fn each_time_out_is_named_in_its_421() {
    let default = Timeouts::default();
    assert_eq!(
        (default.command(), default.content(), default.write()),
        (seconds(300), seconds(300), seconds(300))
    );
    assert_eq!((default.discard(), default.closing()), (seconds(600), seconds(1)));
    assert_eq!(default.session(), Some(seconds(3600)));
    assert_eq!(default.slowest_content(), Rate::octets_per_second(500));
    let delays = (default.auth_failure(), default.error_delay(), default.greeting_delay());
    assert_eq!(delays, (seconds(1), Duration::ZERO, Duration::ZERO));
}
