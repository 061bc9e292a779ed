//! XCLIENT, as Postfix describes it: a client speaks for another.

use crate::{
    common::{Experience, config, converse_with},
    dialogue::{Act, Dialogue, mail},
    offering::{believe, hello, session},
};
use esmtp::{
    client::TlsPolicy,
    sasl::{Credentials, Identity, Mechanism, Offer},
    security::Security,
    server::{Config, Event},
    syntax::{AttributeName, AttributeValue, Extension, Extensions, XclientAttributes},
};

fn with(names: &[AttributeName]) -> Config {
    config()
        .with_extensions(Extensions::NONE.with_xclient(names).with(Extension::EnhancedStatusCodes))
}

/// Trusts everybody, and writes down at MAIL who speaks.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => upgrade.done(Security::TLS),
        Event::Xclient(xclient) => xclient.accept(),
        Event::Mail(mail) => {
            let facts = mail.facts();
            experience.log.push(format!(
                "{} {} {} {} {}",
                facts.peer().address().map_or_else(String::new, |address| address.to_string()),
                facts.peer().name().map_or_else(String::new, ToString::to_string),
                facts.identity().map_or("nobody", Identity::authcid),
                facts.host().map_or_else(String::new, ToString::to_string),
                facts.security().is_tls(),
            ));
            mail.accept();
        }
        other => experience.answer(other),
    }
}

const ENHANCED: &str = "ENHANCEDSTATUSCODES";

/// XCLIENT-1-a, XFORWARD-1-a: what is announced is what is accepted; without names that is everything.
#[test]
fn attributes_that_were_not_announced_are_refused() {
    let extensions = Extensions::NONE.with_xclient(&[AttributeName::Name]);
    let experience = converse_with(
        config().with_extensions(extensions.with_xforward(&[AttributeName::Addr])),
        &session(
            "XCLIENT NAME|XFORWARD ADDR",
            "C: XCLIENT NAME=a.example LOGIN=ann
             S: 501 An attribute that was not announced
             C: XFORWARD NAME=a.example
             S: 501 An attribute that was not announced
             C: MAIL FROM:<a@b.org>
             S: 250 Ok",
        ),
        answer,
    );
    assert!(experience.log[1].contains(" nobody "), "{:?}", experience.log);
    let every = [Extension::Xclient, Extension::Xforward].into_iter().collect();
    let config = config().with_extensions(every);
    assert!(
        AttributeName::ALL
            .iter()
            .copied()
            .filter(|it| it.is_xclient())
            .eq(config.extensions().xclient())
    );
    assert!(
        AttributeName::ALL
            .iter()
            .copied()
            .filter(|it| it.is_xforward())
            .eq(config.extensions().xforward())
    );
}

/// XCLIENT-1-a: the names that may come are announced.
#[test]
fn names_are_announced() {
    let names = [AttributeName::Name, AttributeName::Addr, AttributeName::Login];
    let line = format!("{ENHANCED}|XCLIENT NAME ADDR LOGIN");
    converse_with(with(&names), &session(&line, ""), answer);
    let read = Extensions::from_lines(["XCLIENT NAME ADDR LOGIN"]).unwrap();
    assert!(read.xclient().eq(names));
}

/// XCLIENT-1-c: not in a transaction, not from everybody, and with names and values only.
#[test]
fn xclient_has_its_time_its_client_and_its_form() {
    let line = format!("{ENHANCED}|XCLIENT NAME ADDR");
    let experience = converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &session(
            &line,
            "C: XCLIENT NAME
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XCLIENT
             S: 501 5.5.4 This command needs an argument
             C: XCLIENT COLOUR=red
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XCLIENT NAME=a+0D+0Ab
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: XCLIENT NAME=client.example
             S: 503 5.5.1 A transaction is open already
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok",
        ),
        answer,
    );
    assert!(experience.aborts().is_empty());
    converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &session(&line, "C: XCLIENT NAME=client.example\nS: 550 5.7.1 Not from this client"),
        |experience, event| match event {
            Event::Xclient(xclient) => Event::Xclient(xclient).proceed(),
            other => experience.answer(other),
        },
    );
}

/// XCLIENT-1-d, XCLIENT-1-e: the session begins with a greeting again; what was said of the other
/// client stays, and so does TLS.
#[test]
fn the_session_begins_anew_for_the_other_client() {
    let config = config().with_extensions(
        Extensions::NONE
            .with_xclient(&[
                AttributeName::Name,
                AttributeName::Addr,
                AttributeName::Port,
                AttributeName::Login,
            ])
            .with(Extension::StartTls),
    );
    let in_tls = hello("XCLIENT NAME ADDR PORT LOGIN");
    let again = in_tls.replace("client.example.net", "other.example");
    let experience = converse_with(
        config,
        &session(
            "STARTTLS|XCLIENT NAME ADDR PORT LOGIN",
            &format!(
                "C: STARTTLS
                 S: 220 Ready to start TLS
                 {in_tls}
                 C: XCLIENT NAME=other.example ADDR=IPV6:2001:db8::7 PORT=1025 LOGIN=ann
                 S: 220 mx.example.org ESMTP service ready
                 C: MAIL FROM:<a@b.org>
                 S: 503 Say hello first
                 {again}
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok
                 C: RSET
                 S: 250 Ok
                 C: XCLIENT LOGIN=[UNAVAILABLE]
                 S: 220 mx.example.org ESMTP service ready
                 {again}
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok"
            ),
        ),
        answer,
    );
    let mails: Vec<_> = experience.log.iter().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        mails,
        [
            "[2001:db8::7]:1025 other.example ann other.example true",
            "[2001:db8::7]:1025 other.example nobody other.example true"
        ]
    );
}

/// Who authenticates without a hello, as may be done behind the handshake, has proven nothing about
/// another either.
#[test]
fn the_other_client_has_not_authenticated_as_this_one() {
    let config = config()
        .with_extensions(
            Extensions::NONE.with_xclient(&[AttributeName::Name]).with(Extension::StartTls),
        )
        .with_auth(Offer::new([Mechanism::PLAIN]));
    let experience = converse_with(
        config,
        &session(
            "STARTTLS|XCLIENT NAME",
            "C: STARTTLS
             S: 220 Ready to start TLS
             C: AUTH PLAIN AGFubgBzZWNyZXQ=
             S: 235 Authentication successful
             C: XCLIENT NAME=other.example
             S: 220 mx.example.org ESMTP service ready
             C: HELO other.example
             S: 250 mx.example.org
             C: MAIL FROM:<a@b.org>
             S: 250 Ok",
        ),
        |experience, event| match event {
            event @ (Event::Upgrade(_) | Event::Xclient(_) | Event::Mail(_)) => {
                answer(experience, event);
            }
            other => believe(experience, other),
        },
    );
    assert!(
        experience.log.contains(&" other.example nobody other.example true".to_owned()),
        "{:?}",
        experience.log
    );
}

/// These attributes, from a list of names and values.
fn speaking_for(list: &[(AttributeName, &str)]) -> Act {
    let value = |text: &str| AttributeValue::Text(text.to_owned().into());
    let mut list = list.iter();
    let (name, text) = list.next().unwrap();
    let first = XclientAttributes::new(*name, &value(text)).unwrap();
    Act::SpeakFor(list.fold(first, |all, (name, text)| all.and(*name, &value(text)).unwrap()))
}

/// The client opens the session anew, in the TLS that there is, and uses nothing that was offered
/// before; what was left of a transaction goes first.
#[test]
fn the_client_says_hello_again_behind_the_220() {
    let acts = [
        Act::Send(mail(&["bob@example.net"], "one\r\n")),
        speaking_for(&[(AttributeName::Name, "other.example"), (AttributeName::Addr, "192.0.2.7")]),
        Act::Send(mail(&["bob@example.net"], "two\r\n")),
        // It is not offered any more.
        speaking_for(&[(AttributeName::Name, "third.example")]),
    ];
    let dialogue = Dialogue::new(acts).with(|config| config.with_tls(TlsPolicy::Required));
    let notes = dialogue.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250-mx
         S: 250-SIZE
         S: 250-PIPELINING
         S: 250-STARTTLS
         S: 250 XCLIENT NAME ADDR PORT
         C: MAIL FROM:<ann@example.org> SIZE=5
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 550 no
         S: 503 nobody
         C: RSET
         S: 250 ok
         C: XCLIENT NAME=other.example ADDR=192.0.2.7
         S: 220 mx for other.example
         C: EHLO me.example.org
         S: 250-mx
         S: 250 HELP
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: two
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
    assert_eq!(
        notes,
        [
            "0: <bob@example.net> 550 no",
            "1: <bob@example.net> 250 taken",
            "not offered: the message needs XCLIENT, which is not offered",
            "end: the session was ended with QUIT"
        ]
    );
}

/// XCLIENT-1-f: the hello comes behind the last line's 220, and only then.
#[test]
fn the_client_splits_what_does_not_fit_a_line() {
    let (name, helo) = ("n".repeat(255), "h".repeat(255));
    let act = || {
        speaking_for(&[
            (AttributeName::Addr, "192.0.2.7"),
            (AttributeName::Name, &name),
            (AttributeName::Helo, &helo),
        ])
    };
    let opening = format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 XCLIENT NAME ADDR HELO
         C: XCLIENT HELO={helo}"
    );
    let notes = Dialogue::new([act()]).plays(&format!(
        "{opening}
         S: 220 mx
         C: XCLIENT NAME={name} ADDR=192.0.2.7
         S: 220 mx again
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
    assert_eq!(notes, ["end: the session was ended with QUIT"]);
    // Refused at once, the session is what it was; at a further line, it has begun anew.
    for (replies, hello) in [
        ("S: 550 5.7.1 not you", ""),
        (
            "S: 220 mx
             C: XCLIENT NAME=NAME ADDR=192.0.2.7
             S: 550 5.7.1 not you",
            "C: EHLO me.example.org\nS: 250 mx",
        ),
    ] {
        let replies = replies.replace("NAME=NAME", &format!("NAME={name}"));
        let notes = Dialogue::new([act()])
            .plays(&format!("{opening}\n{replies}\n{hello}\nC: QUIT\nS: 221 bye\nC: (closed)"));
        assert_eq!(notes[0], "XCLIENT refused: 550 5.7.1 not you");
    }
}

/// The client has authenticated neither itself nor the one that it speaks for, and may do so.
#[test]
fn nobody_has_authenticated_towards_the_client_behind_the_220() {
    let acts = [
        Act::AuthAs(Credentials::password("user", "pencil")),
        speaking_for(&[(AttributeName::Login, "ann")]),
        Act::AuthAs(Credentials::password("user", "pencil")),
    ];
    Dialogue { security: Security::TLS, ..Dialogue::new(acts) }.plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-AUTH PLAIN
         S: 250 XCLIENT LOGIN
         C: AUTH PLAIN AHVzZXIAcGVuY2ls
         S: 235 ok
         C: XCLIENT LOGIN=ann
         S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 AUTH PLAIN
         C: AUTH PLAIN AHVzZXIAcGVuY2ls
         S: 235 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    );
}

#[test]
fn a_server_that_does_not_begin_anew_is_left() {
    for (reply, end) in [
        (
            "250 ok",
            "end: the server answered with a reply code that does not belong to the command",
        ),
        ("421 no more", "end: the server refused to go on with the session"),
    ] {
        let notes = Dialogue::new([speaking_for(&[(AttributeName::Name, "other.example")])]).plays(
            &format!(
                "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250 XCLIENT NAME
                 C: XCLIENT NAME=other.example
                 S: {reply}
                 C: (closed)"
            ),
        );
        assert_eq!(notes, [end]);
    }
}
