//! XFORWARD, as Postfix describes it: what a client knows of its own client.

use crate::{
    by_hand::ByHand,
    common::{Experience, announcing, config, converse_with},
    dialogue::{Act, Dialogue, after_offer, mail},
};
use esmtp::{
    security::Security,
    server::{Config, Event},
    syntax::{AttributeName, AttributeValue, Extension, Extensions, XforwardAttributes},
};

const NAMES: [AttributeName; 3] = [AttributeName::Name, AttributeName::Addr, AttributeName::Helo];
const ANNOUNCED: &str = "ENHANCEDSTATUSCODES|XFORWARD NAME ADDR HELO";

fn offering() -> Config {
    config().with_extensions(
        Extensions::NONE.with_xforward(&NAMES).with(Extension::EnhancedStatusCodes),
    )
}

/// Trusts every client, and logs at MAIL the attributes sent before.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Xforward(xforward) => xforward.accept(),
        Event::Mail(mail) => {
            let forwarded = mail.facts().forwarded();
            let forwarded: Vec<_> =
                forwarded.map(|(name, value)| format!("{}={value}", name.as_str())).collect();
            experience.log.push(format!("forwarded {}", forwarded.join(" ")));
            mail.accept();
        }
        other => experience.answer(other),
    }
}

/// XFORWARD-1-a: the names that may come are announced.
#[test]
fn names_are_announced() {
    converse_with(offering(), &announcing(ANNOUNCED, ""), answer);
    let read = Extensions::from_lines(["XFORWARD NAME ADDR HELO"]).unwrap();
    assert!(read.xforward().eq(NAMES));
}

/// XFORWARD-1-b: not in a transaction, not from every client, and with names and values only.
#[test]
fn xforward_has_its_time_its_client_and_its_form() {
    converse_with(
        offering(),
        &announcing(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example
             S: 250 2.0.0 Ok
             C: XFORWARD NAME
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: XFORWARD LOGIN=ann
             S: 501 5.5.4 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: XFORWARD NAME=origin.example
             S: 503 5.5.1 Transaction already in progress",
        ),
        answer,
    );
    converse_with(
        offering(),
        &announcing(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example
             S: 550 5.7.1 Not permitted for this client
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok",
        ),
        |experience, event| match event {
            Event::Xforward(xforward) => Event::Xforward(xforward).proceed(),
            other => experience.answer(other),
        },
    );
}

/// Opens a session that offers every attribute, and logs the forwarded values at MAIL.
fn offering_all() -> ByHand {
    let names: Vec<_> = AttributeName::ALL.iter().copied().filter(|it| it.is_xforward()).collect();
    let config = config().with_extensions(
        Extensions::NONE.with_xforward(&names).with(Extension::EnhancedStatusCodes),
    );
    ByHand::after_hello(config, Security::CLEAR, answer)
}

/// XFORWARD-1-b, XFORWARD-1-d: each value is of its type; ADDR must be an address, which is stricter than Postfix.
#[test]
fn values_are_of_the_types_of_their_attributes() {
    let (long, longest) =
        (format!("PROTO={}", "p".repeat(64)), format!("HELO={}", "h".repeat(255)));
    for list in [
        "ADDR=192.0.2.7",
        "ADDR=2003:eb:1:2::5",
        "ADDR=IPV6:2003:eb:1:2::5",
        "ADDR=ipv6:::1",
        "ADDR=::ffff:192.0.2.7",
        "PORT=1",
        "PORT=65535",
        "NAME=client.example",
        "NAME=my_host.example",
        "HELO=[192.0.2.7]",
        "HELO=-",
        "PROTO=ESMTPSA",
        "PROTO=QMQP",
        "PROTO=HTTP",
        "SOURCE=LOCAL",
        "SOURCE=remote",
        "IDENT=3CF6/1",
        &long,
        &longest,
    ] {
        let mut server = offering_all();
        assert_eq!(
            server.say(format!("XFORWARD {list}\r\n").as_bytes()),
            "250 2.0.0 Ok\r\n",
            "{list}"
        );
        server.say(b"MAIL FROM:<a@b.example>\r\n");
        assert_eq!(server.experience.log.last().unwrap(), &format!("forwarded {list}"));
    }
    for name in AttributeName::ALL.iter().filter(|name| name.is_xforward()) {
        for value in ["[UNAVAILABLE]", "[tempunavail]"] {
            let line = format!("XFORWARD {}={value}\r\n", name.as_str());
            assert_eq!(offering_all().say(line.as_bytes()), "250 2.0.0 Ok\r\n", "{line}");
        }
    }
}

/// XFORWARD-1-b, XFORWARD-1-d: attributes from before stay as they were.
#[test]
fn a_value_of_another_type_is_refused_and_changes_nothing() {
    let (proto, helo) = (format!("PROTO={}", "p".repeat(65)), format!("HELO={}", "h".repeat(256)));
    for list in [
        "ADDR=999.1.1.1",
        "ADDR=[192.0.2.1]",
        "ADDR=192.0.2.1:25",
        "ADDR=IPV6:192.0.2.1",
        "ADDR=2001:db8:::1",
        "ADDR=unknown",
        "ADDR=unix:/run/socket",
        "ADDR=",
        "PORT=0",
        "PORT=99999",
        "PORT=+2B25",
        "PORT=smtp",
        "NAME=-",
        "NAME=192.0.2.7",
        "NAME=a+20b",
        "NAME=client.example.",
        "SOURCE=elsewhere",
        "SOURCE=LOCALE",
        "SOURCE=-",
        "PROTO=a+20b",
        "PROTO=+C3+BC",
        "HELO=a+20b",
        "HELO=a+07",
        "IDENT=a+20b",
        "IDENT=+C2+85",
        "LOGIN=ann",
        "DESTADDR=192.0.2.1",
        "ADDR=192.0.2.9 PORT=99999",
        "SOURCE=elsewhere ADDR=192.0.2.9",
        "ADDR=192.0.2.9 ADDR=999.1.1.1",
        &proto,
        &helo,
    ] {
        let mut server = offering_all();
        server.say(b"XFORWARD ADDR=192.0.2.7 SOURCE=REMOTE\r\n");
        let said = server.say(format!("XFORWARD {list}\r\n").as_bytes());
        assert_eq!(said, "501 5.5.4 Syntax error in parameters or arguments\r\n", "{list}");
        server.say(b"MAIL FROM:<a@b.example>\r\n");
        let log = server.experience.log.last().unwrap();
        assert_eq!(log, "forwarded ADDR=192.0.2.7 SOURCE=REMOTE", "{list}");
    }
}

/// The server accepts every value that the client's types make.
#[test]
fn the_server_accepts_every_value_that_the_client_sends() {
    for address in ["192.0.2.7", "2003:eb:1:2::5"] {
        let address: std::net::IpAddr = address.parse().unwrap();
        let list = XforwardAttributes::new(AttributeName::Addr, &address.into()).unwrap();
        let line = format!("XFORWARD {list}\r\n");
        assert_eq!(offering_all().say(line.as_bytes()), "250 2.0.0 Ok\r\n", "{line}");
    }
    for (name, text) in [
        (AttributeName::Addr, "[192.0.2.1]"),
        (AttributeName::Port, "99999"),
        (AttributeName::Source, "elsewhere"),
        (AttributeName::Name, "-"),
        (AttributeName::Ident, "a\u{85}"),
    ] {
        let value = AttributeValue::Text(text.into());
        assert!(XforwardAttributes::new(name, &value).is_err(), "{text}");
    }
}

/// XFORWARD-1-c: the attributes of one transaction are unknown in the next, and several commands before one
/// transaction add up.
#[test]
fn forwarded_attributes_apply_to_one_transaction() {
    let experience = converse_with(
        offering(),
        &announcing(
            ANNOUNCED,
            "C: XFORWARD NAME=origin.example ADDR=192.0.2.7
             S: 250 2.0.0 Ok
             C: XFORWARD HELO=helo.example ADDR=[UNAVAILABLE]
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued
             C: XFORWARD HELO=second.example
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RSET
             S: 250 2.0.0 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok",
        ),
        answer,
    );
    let forwarded: Vec<_> =
        experience.log.iter().filter_map(|line| line.strip_prefix("forwarded ")).collect();
    assert_eq!(forwarded, ["NAME=origin.example HELO=helo.example", "HELO=second.example", ""]);
}

fn origin(name: AttributeName, text: &str) -> XforwardAttributes<'static> {
    XforwardAttributes::new(name, &AttributeValue::Text(text.to_owned().into())).unwrap()
}

/// No RSET may come between XFORWARD and the MAIL that it is for, as it drops the attributes: an
/// earlier transaction is reset first, and no command is in flight meanwhile.
#[test]
fn the_client_sends_no_reset_after_xforward() {
    let acts = [
        Act::Send(mail(&["bob@example.net"], "one\r\n")),
        Act::Xforward(origin(AttributeName::Name, "origin.example")),
        Act::Noop,
        Act::Xforward(origin(AttributeName::Helo, "helo.example")),
        Act::Send(mail(&["bob@example.net"], "two\r\n")),
        Act::Send(mail(&["bob@example.net"], "three\r\n")),
    ];
    let notes = Dialogue::new(acts).with(|config| config.with_transactions(2)).plays(&after_offer(
        "PIPELINING|CHUNKING|XFORWARD NAME HELO",
        "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 5 LAST
         C: one
         S: 250 ok
         S: 250 ok
         S: 451 not now
         C: RSET
         S: 250 ok
         C: XFORWARD NAME=origin.example
         S: 250 noted
         C: NOOP
         S: 250 ok
         C: XFORWARD HELO=helo.example
         S: 250 noted
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 5 LAST
         C: two
         C: RSET
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 7 LAST
         C: three
         S: 250 ok
         S: 250 ok
         S: 250 two
         S: 250 reset
         S: 250 ok
         S: 250 ok
         S: 250 three
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(
        notes[..3],
        [
            "0: <bob@example.net> 451 not now",
            "1: <bob@example.net> 250 two",
            "2: <bob@example.net> 250 three"
        ]
    );
}

/// One line after the other, and nothing that was not announced.
#[test]
fn the_client_splits_attributes_that_do_not_fit_a_line() {
    let (name, helo) = (["n".repeat(63).as_str(); 4].join("."), "h".repeat(255));
    let list = || {
        let helo = AttributeValue::Text(helo.clone().into());
        Act::Xforward(
            origin(AttributeName::Name, &name).with_attribute(AttributeName::Helo, &helo).unwrap(),
        )
    };
    let opening = format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 XFORWARD NAME HELO
         C: XFORWARD NAME={name}"
    );
    let end = "C: QUIT\nS: 221 bye\nC: (closed)";
    let acts = [list(), Act::Xforward(origin(AttributeName::Source, "LOCAL"))];
    let notes = Dialogue::new(acts).plays(&format!(
        "{opening}
         S: 250 noted
         C: XFORWARD HELO={helo}
         S: 501 5.5.4 no
         {end}"
    ));
    assert_eq!(
        notes[..2],
        [
            "XFORWARD refused: 501 5.5.4 no",
            "not offered: the attribute SOURCE of XFORWARD is not offered"
        ]
    );
    let notes = Dialogue::new([list()]).plays(&format!("{opening}\nS: 550 5.7.1 no\n{end}"));
    assert_eq!(notes[0], "XFORWARD refused: 550 5.7.1 no");
}
