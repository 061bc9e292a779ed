//! Every command at every stage of a session (RFC 5321 section 4.1.4), and what the extensions say of the
//! order of their own.

use crate::{by_hand::ByHand, common::Experience, offering::believe};
use esmtp::{
    sasl::{Mechanism, Offer},
    security::Security,
    server::{Config, Event, Limits, Timeouts},
    service::Service,
    syntax::{Extension, Extensions, Rejection},
};
use std::time::Duration;

/// The stages of a session: a name, and the commands that lead there. The greeting of the last one is 554.
const STAGES: [(&str, &[&str]); 8] = [
    ("connected", &[]),
    ("after EHLO", &["EHLO a.example"]),
    ("after a refused MAIL", &["EHLO a.example", "MAIL FROM:<a@b.org> SIZE=99999999"]),
    ("after MAIL", &["EHLO a.example", "MAIL FROM:<a@b.org>"]),
    ("after RCPT", &["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>"]),
    (
        "after a chunk",
        &["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "BDAT 3\r\nx\r\n"],
    ),
    (
        "after a refused chunk",
        &["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "BDAT 4\r\nno\r\n"],
    ),
    ("after a 554 greeting", &[]),
];

fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Content(content) if content.octets().starts_with(b"no") => {
            content.reject(Rejection::CONTENT_REFUSED);
        }
        Event::Etrn(etrn) => etrn.accept(),
        Event::Atrn(atrn) => atrn.accept(),
        Event::Burl(burl) => burl.accept(),
        Event::Xclient(xclient) => xclient.accept(),
        Event::Xforward(xforward) => xforward.accept(),
        Event::Expand(expand) => expand.cannot_verify(),
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        Event::HandOver(hand_over) => hand_over.close(),
        other => believe(experience, other),
    }
}

fn refuse(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
        other => answer(experience, other),
    }
}

/// Returns a server that offers every extension of its service, at this stage.
fn session(service: Service, is_authenticated: bool, stage: usize) -> ByHand {
    let extensions = Config::implemented()
        .filter(|it| !matches!(it, Extension::FutureRelease))
        .fold(Extensions::NONE, Extensions::with);
    let config = Config::new("mx.example.org")
        .unwrap()
        .with_service(service)
        .with_required_auth(false)
        .with_extensions(extensions)
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
        .with_limits(Limits::default().with_message(1000).with_errors(1000))
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO));
    let is_refused = stage == STAGES.len() - 1;
    let mut session =
        ByHand::silent(config, Security::CLEAR, if is_refused { refuse } else { answer });
    let greeting = session.say(b"");
    assert!(greeting.starts_with(if is_refused { "554 " } else { "220 " }), "{greeting}");
    for (index, line) in STAGES[stage].1.iter().enumerate() {
        code(&mut session, &line.replace("EHLO", service.hello().as_str()));
        if index == 0 && is_authenticated {
            assert_eq!(code(&mut session, "AUTH PLAIN AGFubgBzZWNyZXQ="), 235);
        }
    }
    session
}

/// Sends a command, and returns the code of its only reply.
#[track_caller]
fn code(session: &mut ByHand, command: &str) -> u16 {
    let end = if command.ends_with('\n') { "" } else { "\r\n" };
    let said = session.say(format!("{command}{end}").as_bytes());
    let last: Vec<&str> = said.lines().filter(|line| line.as_bytes()[3] == b' ').collect();
    assert_eq!(last.len(), 1, "{command}: {said}");
    last[0][..3].parse().unwrap()
}

/// Returns the codes of commands that distinguish the stages.
fn probe(session: &mut ByHand) -> Vec<u16> {
    ["RCPT TO:<e@f.org>", "BDAT 3\r\ny\r\n", "MAIL FROM:<g@h.org>", "DATA"]
        .map(|command| code(session, command))
        .to_vec()
}

/// Asserts that each command has this code at each stage, and that a rejected one does not change the stage. A zero
/// stands for 502 or 503: the verb belongs to an extension that has not been announced yet.
#[track_caller]
fn holds(service: Service, is_authenticated: bool, table: &[(&str, [u16; 8])]) {
    for (command, expected) in table {
        for (stage, ((name, _), expected)) in STAGES.iter().zip(expected).enumerate() {
            let mut one = session(service, is_authenticated, stage);
            let got = code(&mut one, command);
            let is_expected = match expected {
                0 => matches!(got, 502 | 503),
                code => got == *code,
            };
            assert!(is_expected, "{service:?}: {got} to {command} {name}");
            // LAST ends content that was refused (RFC 3030 section 2).
            let is_last = command.contains("LAST") && *name == "after a refused chunk";
            if got >= 500 && !is_last {
                let mut other = session(service, is_authenticated, stage);
                assert_eq!(probe(&mut one), probe(&mut other), "{service:?}: {command} {name}");
            }
        }
    }
}

/// 5321-4.2-a, 5321-4.1.4-j, 5321-4.1.4-a, 5321-4.1.4-b, 5321-4.1.4-h, 5321-3.1-d, 5321-3.3-d, 5321-3.3-l,
/// 5321-4.1.1.5-b, 5321-4.1.1.10-a, 3030-2-n, 3030-2-o, 3207-4-g, 4954-4-c, 4954-4-d, 1985-5-b, 2645-5.2-b,
/// 5321bis-4.1.1-a, XCLIENT-1-c, XFORWARD-1-b: RFC 5321 sections 3.1 and 4.1.4, RFC 3030 section 2, RFC 3207
/// section 4, RFC 4954 section 4, RFC 1985 section 5, RFC 2645 section 5.2.
#[test]
fn every_command_has_its_code_at_every_stage() {
    holds(
        Service::Smtp,
        false,
        &[
            ("EHLO b.example", [250, 250, 250, 250, 250, 250, 250, 503]),
            ("HELO b.example", [250, 250, 250, 250, 250, 250, 250, 503]),
            ("LHLO b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
            ("RSET", [250, 250, 250, 250, 250, 250, 250, 503]),
            ("NOOP", [250, 250, 250, 250, 250, 250, 250, 503]),
            ("HELP", [214, 214, 214, 214, 214, 214, 214, 503]),
            ("VRFY ann", [252, 252, 252, 252, 252, 252, 252, 503]),
            ("EXPN all", [252, 252, 252, 252, 252, 252, 252, 503]),
            ("QUIT", [221, 221, 221, 221, 221, 221, 221, 221]),
            ("MAIL FROM:<x@b.org>", [503, 250, 250, 503, 503, 503, 503, 503]),
            ("RCPT TO:<x@d.org>", [503, 503, 503, 250, 250, 503, 503, 503]),
            ("DATA", [503, 503, 503, 503, 354, 503, 503, 503]),
            ("BDAT 3\r\nx\r\n", [0, 503, 503, 503, 250, 250, 503, 503]),
            ("BDAT 4 LAST\r\nxx\r\n", [0, 503, 503, 503, 250, 250, 503, 503]),
            ("BURL imap://x.example/;uid=1 LAST", [502, 502, 502, 502, 502, 502, 502, 503]),
            ("STARTTLS", [220, 220, 220, 503, 503, 503, 503, 503]),
            ("AUTH PLAIN AGFubgBzZWNyZXQ=", [503, 235, 235, 503, 503, 503, 503, 503]),
            ("ETRN b.example", [0, 250, 250, 503, 503, 503, 503, 503]),
            ("ATRN b.example", [0, 530, 530, 530, 530, 530, 530, 503]),
            ("XCLIENT NAME=b.example", [0, 220, 220, 503, 503, 503, 503, 503]),
            ("XFORWARD NAME=b.example", [0, 250, 250, 503, 503, 503, 503, 503]),
            ("SEND FROM:<a@b.org>", [502, 502, 502, 502, 502, 502, 502, 503]),
            ("SOML FROM:<a@b.org>", [502, 502, 502, 502, 502, 502, 502, 503]),
            ("SAML FROM:<a@b.org>", [502, 502, 502, 502, 502, 502, 502, 503]),
            ("TURN", [502, 502, 502, 502, 502, 502, 502, 503]),
            ("XFOO", [500, 500, 500, 500, 500, 500, 500, 503]),
        ],
    );
}

/// 4954-4-b, 2645-5.2-c: RFC 4954 section 4, RFC 2645 section 5.2.1.
#[test]
fn every_command_has_its_code_after_auth() {
    holds(
        Service::Smtp,
        true,
        &[
            ("AUTH PLAIN AGFubgBzZWNyZXQ=", [503, 503, 503, 503, 503, 503, 503, 503]),
            ("ATRN b.example", [0, 250, 250, 503, 503, 503, 503, 503]),
            ("MAIL FROM:<x@b.org>", [503, 250, 250, 503, 503, 503, 503, 503]),
            ("STARTTLS", [220, 220, 220, 503, 503, 503, 503, 503]),
        ],
    );
}

/// 4468-3-d, 4468-3-e, 4468-3-f, 6409-7-a: RFC 4468 section 3, RFC 6409 section 7.
#[test]
fn every_command_has_its_code_in_submission() {
    let burl = "BURL imap://x.example/;uid=1";
    for (is_authenticated, codes) in [
        (false, [0, 530, 530, 530, 530, 530, 530, 503]),
        (true, [0, 503, 503, 503, 250, 250, 503, 503]),
    ] {
        holds(
            Service::Submission,
            is_authenticated,
            &[
                (burl, codes),
                ("BURL imap://x.example/;uid=1 LAST", codes),
                ("ETRN b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
                ("ATRN b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
                ("TURN", [500, 500, 500, 500, 500, 500, 500, 503]),
            ],
        );
    }
}

/// 2033-4.1-b, 2033-4.1-c, 2033-4.2-a: RFC 2033 sections 4.1 and 4.2.
#[test]
fn every_command_has_its_code_in_lmtp() {
    holds(
        Service::Lmtp,
        false,
        &[
            ("LHLO b.example", [250, 250, 250, 250, 250, 250, 250, 503]),
            ("EHLO b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
            ("HELO b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
            ("MAIL FROM:<x@b.org>", [503, 250, 250, 503, 503, 503, 503, 503]),
            ("RCPT TO:<x@d.org>", [503, 503, 503, 250, 250, 503, 503, 503]),
            ("DATA", [503, 503, 503, 503, 354, 503, 503, 503]),
            ("BDAT 3\r\nx\r\n", [0, 503, 503, 503, 250, 250, 503, 503]),
            ("ETRN b.example", [500, 500, 500, 500, 500, 500, 500, 503]),
        ],
    );
}
