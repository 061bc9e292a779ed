//! The cost of commands without a mail transaction for a client, and what is counted of them.

use esmtp::{
    machine::Need,
    sasl::{Attempt, Mechanism, Nonce, Offer, Question},
    security::Security,
    server::{Config, End, Event, Limits, Peer, Server, Totals},
    syntax::{AttributeName, Code, Extension, Extensions, Rejection, Status, Text},
    testing::Driver,
};
use std::{sync::Arc, time::Duration};

/// The outcome of a session.
#[derive(Debug)]
struct Outcome {
    said: String,
    totals: Totals,
    end: Option<End>,
    /// The time that it took, on a clock that only delays move.
    took: Duration,
}

/// Plays what the client says, each line after the replies to the one before; its end is a clean
/// close.
fn play(config: Config, lines: &[&str], mut answer: impl FnMut(Event<'_>)) -> Outcome {
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let mut driver = Driver::new(server);
    let mut said = driver.exchange("", &mut answer);
    for line in ["EHLO client.example"].iter().chain(lines) {
        if driver.need() == Need::Close {
            break;
        }
        said.push_str(&driver.exchange(format!("{line}\r\n"), &mut answer));
        while let Need::Wait(until) = driver.need() {
            let wait = until.saturating_since(driver.time());
            said.push_str(&driver.pass(wait, &mut answer));
        }
    }
    let took = driver.time().elapsed();
    let server = driver.machine();
    Outcome { said, totals: server.totals(), end: server.end(), took }
}

impl Outcome {
    fn count(&self, reply: &str) -> usize {
        self.said.matches(&format!("{reply}\r\n")).count()
    }
}

fn accept(event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => drop(content.take()),
        Event::Deliver(delivery) => delivery.accept(),
        Event::Etrn(etrn) => etrn.accept(),
        Event::Xclient(xclient) => xclient.accept(),
        Event::Xforward(xforward) => xforward.accept(),
        other => other.proceed(),
    }
}

fn config() -> Config {
    Config::new("mx.example.org").unwrap()
}

/// Returns limits of ten commands without progress, and of three errors, of which the third is the end.
fn limits() -> Limits {
    Limits::default().with_idle_commands(10).with_errors(3)
}

const TOO_MANY: &str = "421 4.7.0 Too many errors";

/// 5321-4.1.1.5-a, 5321-4.1.1.9-a
#[test]
fn rset_and_noop_are_answered_250_up_to_the_end() {
    for command in ["RSET", "NOOP", "NOOP with words"] {
        let outcome = play(config().with_limits(limits()), &[command; 100], accept);
        assert_eq!(outcome.count("250 2.0.0 Ok"), 12, "{}", outcome.said);
        assert!(outcome.said.ends_with(&format!("{TOO_MANY}\r\n")));
        assert_eq!((outcome.end, outcome.totals.errors()), (Some(End::TooManyErrors), 1));
    }
    // With a transaction open, and with withheld replies.
    let delay = esmtp::server::Timeouts::default().with_error_delay(Duration::from_secs(2));
    let lines = ["MAIL FROM:<a@b.example>", "RSET"].repeat(100);
    let outcome = play(config().with_limits(limits()).with_timeouts(delay), &lines, accept);
    assert_eq!(outcome.count("250 2.0.0 Ok"), 12);
    assert_eq!((outcome.count("250 2.1.0 Ok"), outcome.count(TOO_MANY)), (13, 1));
    assert_eq!(outcome.took, Duration::from_secs(2), "the reply to one error is withheld");
}

/// The application does something for each of these, and no message comes of it.
#[test]
fn accepted_commands_without_progress_are_counted() {
    let trusted = || {
        config().with_limits(limits()).with_extensions(
            Extensions::NONE
                .with(Extension::Etrn)
                .with(Extension::EnhancedStatusCodes)
                .with_xclient(AttributeName::ALL)
                .with_xforward(AttributeName::ALL),
        )
    };
    for (command, reply) in [
        ("ETRN b.example", "250 2.0.0 Queueing for this node has started"),
        ("XFORWARD NAME=b.example", "250 2.0.0 Ok"),
    ] {
        let outcome = play(trusted(), &[command; 100], accept);
        assert_eq!((outcome.count(reply), outcome.count(TOO_MANY)), (12, 1), "{}", outcome.said);
    }
    // The greeting that follows is no reply that must be said.
    let outcome = play(trusted(), &["XCLIENT NAME=b.example"; 100], accept);
    assert_eq!(outcome.count("220 mx.example.org ESMTP service ready"), 11, "{}", outcome.said);
    assert_eq!(outcome.end, Some(End::TooManyErrors));
    let message = ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", "."];
    let lines = [&["XFORWARD NAME=b.example"; 5][..], &message].concat().repeat(20);
    let outcome = play(trusted(), &lines, accept);
    assert_eq!(outcome.count("250 2.0.0 Message accepted"), 20, "a message forgives them");
}

/// Whether the application rejects the content, or the machine refuses it.
#[test]
fn refused_content_is_no_progress() {
    let reject = |event: Event<'_>| match event {
        Event::Content(content) => content.reject(Rejection::POLICY),
        other => accept(other),
    };
    let envelope = ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"];
    for (content, answer, reply) in [
        (&["DATA", "text", "."][..], reject as fn(Event<'_>), "550 5.7.1 Refused by policy"),
        (&["BDAT 3 LAST\r\nabcNOOP"], reject, "550 5.7.1 Refused by policy"),
        (
            &["DATA", "a bare\nline feed", "."],
            accept,
            "550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)",
        ),
        (&["BDAT 9 LAST\r\n123456789NOOP"], accept, "552 5.3.4 Message too large"),
    ] {
        let has_noop = content.concat().contains("NOOP");
        let lines = [&envelope[..], content].concat().repeat(100);
        let limits = limits().with_message(if has_noop { 8 } else { 20 });
        let outcome = play(config().with_limits(limits), &lines, answer);
        // A NOOP after the content counts too.
        let count = if has_noop { 6 } else { 12 };
        assert_eq!(outcome.count(reply), count, "{}", outcome.said);
        assert_eq!(outcome.count(TOO_MANY), 1);
    }
}

// ------------------------------------------------------------------------------- AUTH

fn offer() -> Offer {
    Offer::new([Mechanism::PLAIN]).with_secrets_in_clear()
}

fn with_auth() -> Config {
    config().with_limits(limits().with_auth_failures(3)).with_auth(offer())
}

/// Gives the answers of an application that cannot reach its credentials store.
fn unavailable(event: Event<'_>) {
    match event {
        Event::Auth(auth) => {
            let (channel, nonce) = (Security::CLEAR.channel(), Nonce::new([1; 18]));
            let attempt = Attempt { channel: &channel, proven: None, nonce, unix_seconds: 0 };
            auth.verify(offer().verifier(Mechanism::PLAIN, attempt).unwrap());
        }
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.unavailable(),
            other => other.reject(),
        },
        other => accept(other),
    }
}

const PLAIN: &str = "AUTH PLAIN AGFubgBzZWNyZXQ=";

/// 4954-6-c: an outage does not lock users out, and is not free.
#[test]
fn auth_that_cannot_be_decided_now_is_a_command_without_progress() {
    fn rejecting(event: Event<'_>) {
        let later = Rejection::new(
            Code::new(454).unwrap(),
            Status::new(7, 0).unwrap(),
            Text::literal("Later"),
        );
        match event {
            Event::Auth(auth) => auth.reject(later.unwrap()),
            other => accept(other),
        }
    }
    for (answer, reply) in [
        (unavailable as fn(Event<'_>), "454 4.7.0 Temporary authentication failure"),
        (rejecting, "454 4.7.0 Later"),
    ] {
        let outcome = play(with_auth(), &[PLAIN; 1000], answer);
        assert_eq!((outcome.count(reply), outcome.count(TOO_MANY)), (12, 1), "{}", outcome.said);
        assert_eq!(outcome.took, Duration::from_secs(12), "each is withheld as a failure is");
        assert_eq!(outcome.totals.errors(), 0, "the verdict is not the machine's");
    }
    let lines = [[PLAIN; 10], ["AUTH PLAIN AGFubgB3cm9uZw=="; 10]].concat();
    let mut attempts = 0;
    let outcome = play(with_auth(), &lines, |event| match event {
        Event::Auth(auth) if attempts >= 10 => auth.reject(Rejection::POLICY),
        Event::Auth(_) => {
            attempts += 1;
            unavailable(event);
        }
        other => unavailable(other),
    });
    let failures = "421 4.7.0 Too many failed attempts to authenticate";
    assert_eq!(outcome.count("550 5.7.1 Refused by policy"), 2, "{}", outcome.said);
    assert_eq!(outcome.count(failures), 1);
}

// ------------------------------------------------------------------------------- totals

#[test]
fn only_commands_that_the_machine_refuses_are_errors() {
    let no = |event: Event<'_>| match event {
        Event::Auth(auth) => auth.reject(Rejection::POLICY),
        Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
            rcpt.reject(Rejection::NO_SUCH_MAILBOX);
        }
        Event::Mail(mail) if mail.reverse_path().to_string().contains("nobody") => {
            mail.reject(Rejection::POLICY);
        }
        Event::Deliver(delivery) => delivery.reject(Rejection::POLICY),
        other => accept(other),
    };
    let (mail, rcpt) = ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>");
    let nobody = "RCPT TO:<nobody@d.example>";
    for (lines, errors) in [
        (&[PLAIN][..], 0),
        (&["AUTH PLAIN AGFubgBzZWNyZXQ"], 1),
        (&["AUTH FOO"], 1),
        (&["MAIL FROM:<nobody@b.example>"], 0),
        (&[mail, nobody], 0),
        (&[mail, nobody, "DATA"], 1),
        (&["MAIL FROM:<nobody@b.example>", rcpt, "DATA"], 2),
        (&[mail, "MAIL FROM:<a@b.example>"], 1),
        (&["MAIL FROM:<a@b.example> SIZE=999999999"], 1),
        (&["FOO", "DATA", "RCPT TO:", "MAIL FROM:<a"], 4),
        (&["NOOP", "RSET", "VRFY b", "HELP"], 0),
        (&[mail, rcpt, "DATA", "text", "."], 0),
        (&[mail, rcpt, "DATA", "a bare\nline feed", "."], 1),
        (&[mail, rcpt, "BDAT 99999999"], 1),
        (&["BDAT 2", ""], 1),
        (&["BDAT x"], 1),
        (&["GET / HTTP/1.1"], 1),
        (&["QUIT"], 0),
    ] {
        let outcome = play(config().with_auth(offer()), lines, no);
        assert_eq!(outcome.totals.errors(), errors, "{lines:?}: {}", outcome.said);
    }
    let limits = Limits::default().with_recipients(1).with_transactions(Some(1));
    let outcome = play(config().with_limits(limits), &[mail, rcpt, rcpt, "RSET", mail], no);
    assert_eq!(outcome.totals.errors(), 2, "{}", outcome.said);
}

#[test]
fn each_transaction_and_recipient_is_counted_as_accepted_or_refused() {
    let no = |event: Event<'_>| match event {
        Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
            rcpt.reject(Rejection::NO_SUCH_MAILBOX);
        }
        Event::Mail(mail) if mail.reverse_path().to_string().contains("nobody") => {
            mail.reject(Rejection::POLICY);
        }
        other => accept(other),
    };
    let counts = |outcome: &Outcome| {
        let totals = &outcome.totals;
        let transactions = [totals.transactions(), totals.refused_transactions()];
        [transactions, [totals.recipients(), totals.refused_recipients()]]
    };
    let (mail, rcpt) = ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>");
    let long = "x".repeat(5000);
    let (long_mail, long_rcpt) = (format!("{mail} {long}"), format!("{rcpt} {long}"));
    for (lines, expected) in [
        (&[mail, rcpt, rcpt][..], [[1, 0], [2, 0]]),
        (&[mail, "RCPT TO:<nobody@d.example>", "RCPT TO:", &long_rcpt], [[1, 0], [0, 3]]),
        (&["MAIL FROM:<nobody@b.example>", "MAIL FROM:", &long_mail], [[0, 3], [0, 0]]),
        (&[rcpt, mail, mail], [[1, 1], [0, 1]]),
    ] {
        let outcome = play(config(), lines, no);
        assert_eq!(counts(&outcome), expected, "{lines:?}: {}", outcome.said);
    }
    // There is no service for this client: only QUIT is served (RFC 5321 section 3.1).
    let outcome = play(config(), &[mail, rcpt], |event| match event {
        Event::Connect(connect) => connect.reject(Rejection::POLICY),
        other => no(other),
    });
    assert_eq!(counts(&outcome), [[0, 1], [0, 1]], "{}", outcome.said);
}
