//! XCLIENT, as Postfix describes it: a client speaks for another.

use crate::{
    by_hand::ByHand,
    common::{Experience, announcing, config, converse_with},
    dialogue::{Act, Dialogue, after_offer, mail},
    offering::believe,
};
use esmtp::{
    client::TlsPolicy,
    sasl::{Credentials, Identity, Mechanism, Offer},
    security::Security,
    server::{Config, Event},
    syntax::{AttributeName, AttributeValue, Domain, Extension, Extensions, XclientAttributes},
};

fn with(names: &[AttributeName]) -> Config {
    config()
        .with_extensions(Extensions::NONE.with_xclient(names).with(Extension::EnhancedStatusCodes))
}

/// Trusts every client, and logs at MAIL for which client it speaks.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
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
        &announcing(
            "XCLIENT NAME|XFORWARD ADDR",
            "C: XCLIENT NAME=a.example LOGIN=ann
             S: 501 Attribute not announced
             C: XFORWARD NAME=a.example
             S: 501 Attribute not announced
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
    converse_with(with(&names), &announcing(&line, ""), answer);
    let read = Extensions::from_lines(["XCLIENT NAME ADDR LOGIN"]).unwrap();
    assert!(read.xclient().eq(names));
}

/// XCLIENT-1-c: not in a transaction, not from every client, and with names and values only.
#[test]
fn xclient_has_its_time_its_client_and_its_form() {
    let line = format!("{ENHANCED}|XCLIENT NAME ADDR");
    let experience = converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &announcing(
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
             S: 503 5.5.1 Transaction already in progress
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok",
        ),
        answer,
    );
    assert!(experience.aborts().is_empty());
    converse_with(
        with(&[AttributeName::Name, AttributeName::Addr]),
        &announcing(
            &line,
            "C: XCLIENT NAME=client.example\nS: 550 5.7.1 Not permitted for this client",
        ),
        |experience, event| match event {
            Event::Xclient(xclient) => Event::Xclient(xclient).proceed(),
            other => experience.answer(other),
        },
    );
}

/// Values of ADDR and DESTADDR, with the address that each is.
const ADDRESSES: [(&str, &str); 12] = [
    ("192.0.2.7", "192.0.2.7"),
    ("0.0.0.0", "0.0.0.0"),
    ("255.255.255.255", "255.255.255.255"),
    ("+3192.0.2.7", "192.0.2.7"),
    ("2003:eb:1:2::5", "2003:eb:1:2::5"),
    ("IPV6:2003:eb:1:2::5", "2003:eb:1:2::5"),
    ("IPv6:2001:DB8::A", "2001:db8::a"),
    ("ipv6:::1", "::1"),
    ("::1", "::1"),
    ("::", "::"),
    ("IPV6:::ffff:192.0.2.7", "::ffff:192.0.2.7"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
];

/// Values that are not addresses.
const NO_ADDRESSES: [&str; 25] = [
    "999.1.1.1",
    "[192.0.2.1]",
    "[IPv6:2001:db8::1]",
    "192.0.2",
    "192.0.2.1.1",
    "192.0.2.256",
    "192.0.2.01",
    "192.0.2.1.",
    "192.0.2.1:25",
    "192.0.2.1/32",
    "+20192.0.2.1",
    "192.0.2.1+20",
    "0xC0.0.2.1",
    "3221225985",
    "IPV6:192.0.2.1",
    "IPV4:192.0.2.1",
    "IPV6:",
    "IPV6",
    "fe80::1%25eth0",
    "IPV6:fe80::1%eth0",
    "2001:db8:::1",
    "1:2:3:4:5:6:7:8:9",
    "2001:db8::12345",
    "client.example",
    "[UNAVAILABLE",
];

const PORTS: [(&str, u16); 5] =
    [("1", 1), ("25", 25), ("65535", 65535), ("00025", 25), ("+32+35", 25)];

const NO_PORTS: [&str; 12] = [
    "0",
    "65536",
    "99999",
    "-1",
    "+2B25",
    "25+20",
    "0x19",
    "smtp",
    "2.5",
    "4294967321",
    "-",
    "25/tcp",
];

/// The values that mean "no value", which each attribute takes.
const UNAVAILABLE: [&str; 4] = ["[UNAVAILABLE]", "[unavailable]", "[TEMPUNAVAIL]", "[TempUnavail]"];

/// Opens a session that offers every attribute, and logs the facts at MAIL.
fn offering_all() -> ByHand {
    let config =
        with(&AttributeName::ALL.iter().copied().filter(|it| it.is_xclient()).collect::<Vec<_>>());
    ByHand::after_hello(config, Security::CLEAR, answer)
}

/// Returns the facts at MAIL, after this XCLIENT and a hello.
#[track_caller]
fn accepted(list: &str) -> String {
    let mut server = offering_all();
    assert!(server.say(format!("XCLIENT {list}\r\n").as_bytes()).starts_with("220 "), "{list}");
    server.say(b"EHLO other.example\r\n");
    server.say(b"MAIL FROM:<a@b.example>\r\n");
    server.experience.log.last().unwrap().clone()
}

/// Asserts that this XCLIENT is rejected, and that the client's address, name and user from before are unchanged.
#[track_caller]
fn refused(list: &str) {
    let mut server = offering_all();
    server.say(b"XCLIENT NAME=first.example ADDR=192.0.2.7 PORT=1025 LOGIN=ann\r\n");
    server.say(b"EHLO other.example\r\n");
    let said = server.say(format!("XCLIENT {list}\r\n").as_bytes());
    assert_eq!(said, "501 5.5.4 Syntax error in parameters or arguments\r\n", "{list}");
    server.say(b"MAIL FROM:<a@b.example>\r\n");
    let facts = server.experience.log.last().unwrap();
    assert_eq!(facts, "192.0.2.7:1025 first.example ann other.example false", "{list}");
}

/// XCLIENT-1-b, XCLIENT-1-c, XCLIENT-1-g: an address is believed as it is written, with or without the tag.
#[test]
fn an_address_is_ipv4_or_ipv6() {
    for (value, address) in ADDRESSES {
        let address: std::net::IpAddr = address.parse().unwrap();
        let socket = std::net::SocketAddr::new(address, 1025);
        let expected = format!("{socket}  nobody other.example false");
        assert_eq!(accepted(&format!("ADDR={value} PORT=1025")), expected);
        assert_eq!(accepted(&format!("PORT=1025 ADDR={value}")), expected);
        accepted(&format!("DESTADDR={value}"));
    }
    for value in UNAVAILABLE {
        assert_eq!(accepted(&format!("ADDR={value}")), "  nobody other.example false");
        accepted(&format!("DESTADDR={value}"));
    }
}

/// XCLIENT-1-c: a value that is not an address must not become an address that is not known.
#[test]
fn an_invalid_address_is_rejected() {
    for value in NO_ADDRESSES {
        refused(&format!("ADDR={value}"));
        refused(&format!("DESTADDR={value}"));
    }
    refused("ADDR=");
}

/// XCLIENT-1-c
#[test]
fn a_port_is_a_number_from_1_to_65535() {
    for (value, port) in PORTS {
        let expected = format!("192.0.2.7:{port}  nobody other.example false");
        assert_eq!(accepted(&format!("ADDR=192.0.2.7 PORT={value}")), expected);
        accepted(&format!("DESTPORT={value}"));
    }
    for value in UNAVAILABLE {
        let expected = "192.0.2.7:0  nobody other.example false";
        assert_eq!(accepted(&format!("ADDR=192.0.2.7 PORT={value}")), expected);
    }
    for value in NO_PORTS {
        refused(&format!("PORT={value}"));
        refused(&format!("DESTPORT={value}"));
    }
}

/// XCLIENT-1-c: a name is that of a host in the DNS, which may hold underscores.
#[test]
fn a_name_is_a_host_name() {
    for name in [
        "client.example",
        "localhost",
        "my_host.example",
        "xn--bcher-kva.example",
        "1and1.example",
        "0-0.example",
    ] {
        let expected = format!(" {name} nobody other.example false");
        assert_eq!(accepted(&format!("NAME={name}")), expected);
    }
    for value in UNAVAILABLE {
        assert_eq!(accepted(&format!("NAME={value}")), "  nobody other.example false");
    }
    let long = format!("NAME={}.example", "a".repeat(64));
    for list in [
        "NAME=-",
        "NAME=-a.example",
        "NAME=a-.example",
        "NAME=.",
        "NAME=a..example",
        "NAME=.example",
        "NAME=client.example.",
        "NAME=192.0.2.7",
        "NAME=[192.0.2.7]",
        "NAME=12345",
        "NAME=2001:db8::1",
        "NAME=client+20example",
        "NAME=a@b.example",
        "NAME=a+C2+9Bb.example",
        "NAME=unknown,",
        &long,
    ] {
        refused(list);
    }
}

/// XCLIENT-1-c
#[test]
fn the_other_values_are_of_their_types() {
    let (long, too_long) = ("h".repeat(255), "h".repeat(256));
    for list in [
        "PROTO=SMTP",
        "PROTO=ESMTP",
        "PROTO=esmtp",
        "PROTO=[UNAVAILABLE]",
        "HELO=[192.0.2.7]",
        "HELO=my+20machine",
        "HELO=M+C3+9CLLER",
        "HELO=-",
        &format!("HELO={long}"),
    ] {
        accepted(list);
    }
    assert!(accepted("LOGIN=ann+20the+20other").contains(" ann the other "));
    for list in [
        "PROTO=HTTP",
        "PROTO=SMTPS",
        "PROTO=ESMTPSA",
        "PROTO=LMTP",
        "PROTO=-",
        "PROTO=ESMTP+20",
        "HELO=a+0D+0Ab",
        "HELO=a+09b",
        "HELO=a+7Fb",
        "HELO=a+C2+85b",
        "HELO=a+E2+80+A8b",
        "HELO=+FF",
        &format!("HELO={too_long}"),
        "LOGIN=a+00b",
        "LOGIN=a+1Bb",
        "LOGIN=a+C2+9Bb",
        "SOURCE=LOCAL",
        "IDENT=1",
        "REVERSE_NAME=a.example",
    ] {
        refused(list);
    }
}

/// XCLIENT-1-c: one value that is wrong refuses the command as a whole, wherever it stands.
#[test]
fn a_command_is_believed_as_a_whole_or_not_at_all() {
    for list in [
        "ADDR=192.0.2.9 PORT=99999",
        "PORT=99999 ADDR=192.0.2.9",
        "ADDR=192.0.2.9 ADDR=999.1.1.1",
        "ADDR=999.1.1.1 ADDR=192.0.2.9",
        "NAME=second.example LOGIN=bob PROTO=HTTP",
        "LOGIN=bob NAME=- ADDR=192.0.2.9",
        "LOGIN=bob NAME=second.example ADDR=192.0.2.9 PORT=25 SOURCE=LOCAL",
        "LOGIN=bob  PORT=25",
    ] {
        refused(list);
    }
}

/// The client's types make exactly the values that the server accepts.
#[test]
fn the_server_accepts_every_attribute_that_the_client_sends() {
    for (_, address) in ADDRESSES {
        let address: std::net::IpAddr = address.parse().unwrap();
        let list = XclientAttributes::new(AttributeName::Addr, &address.into()).unwrap();
        assert_eq!(list.address(AttributeName::Addr), Some(address));
        let socket = std::net::SocketAddr::new(address, 0);
        assert_eq!(accepted(list.as_str()), format!("{socket}  nobody other.example false"));
    }
    let port = std::num::NonZeroU16::new(587).unwrap();
    let name = Domain::new("client.example").unwrap();
    let list = XclientAttributes::new(AttributeName::DestPort, &port.into())
        .and_then(|list| list.with_attribute(AttributeName::Name, &name.into()))
        .unwrap();
    assert_eq!(list.as_str(), "DESTPORT=587 NAME=client.example");
    accepted(list.as_str());
    for (name, values) in [
        (AttributeName::Addr, &NO_ADDRESSES[..]),
        (AttributeName::DestAddr, &NO_ADDRESSES),
        (AttributeName::Port, &NO_PORTS),
        (AttributeName::DestPort, &NO_PORTS),
        (AttributeName::Proto, &["HTTP", ""]),
        (AttributeName::Name, &["-", "192.0.2.7", "a b"]),
    ] {
        for value in values.iter().filter(|value| !value.contains('+')) {
            let value = AttributeValue::Text((*value).into());
            assert!(XclientAttributes::new(name, &value).is_err(), "{name:?} {value:?}");
        }
    }
}

/// XCLIENT-1-d, XCLIENT-1-e: the session begins with a greeting again; the attributes of the other
/// client stay, and so does TLS.
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
    let opening = announcing("XCLIENT NAME ADDR PORT LOGIN", "");
    let (_, in_tls) = opening.split_once('\n').unwrap();
    let again = in_tls.replace("client.example.net", "other.example");
    let experience = converse_with(
        config,
        &announcing(
            "STARTTLS|XCLIENT NAME ADDR PORT LOGIN",
            &format!(
                "C: STARTTLS
                 S: 220 Ready to start TLS
                 {in_tls}
                 C: XCLIENT NAME=other.example ADDR=IPV6:2001:db8::7 PORT=1025 LOGIN=ann
                 S: 220 mx.example.org ESMTP service ready
                 C: MAIL FROM:<a@b.org>
                 S: 503 Send a hello first
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

/// A client that authenticates without a hello, which is allowed after the handshake, has proven nothing
/// about another client either.
#[test]
fn the_other_client_has_not_authenticated_as_this_one() {
    let config = config()
        .with_extensions(
            Extensions::NONE.with_xclient(&[AttributeName::Name]).with(Extension::StartTls),
        )
        .with_auth(Offer::new([Mechanism::PLAIN]));
    let experience = converse_with(
        config,
        &announcing(
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

/// Returns the act of sending XCLIENT with these attributes.
fn speaking_for(list: &[(AttributeName, &str)]) -> Act {
    let value = |text: &str| AttributeValue::Text(text.to_owned().into());
    let mut list = list.iter();
    let (name, text) = list.next().unwrap();
    let first = XclientAttributes::new(*name, &value(text)).unwrap();
    Act::Xclient(
        list.fold(first, |all, (name, text)| all.with_attribute(*name, &value(text)).unwrap()),
    )
}

/// The client opens the session anew, in the TLS that there is, and uses nothing that was offered
/// before; what was left of a transaction goes first.
#[test]
fn the_client_sends_a_new_hello_after_the_220() {
    let acts = [
        Act::Send(mail(&["bob@example.net"], "one\r\n")),
        speaking_for(&[(AttributeName::Name, "other.example"), (AttributeName::Addr, "192.0.2.7")]),
        Act::Send(mail(&["bob@example.net"], "two\r\n")),
        // It is not offered any more.
        speaking_for(&[(AttributeName::Name, "third.example")]),
    ];
    let dialogue = Dialogue::new(acts).with(|config| config.with_tls(TlsPolicy::Required));
    let notes = dialogue.plays(&after_offer(
        "STARTTLS",
        "C: STARTTLS
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
    ));
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

/// XCLIENT-1-f: the hello comes after the last line's 220, and only then.
#[test]
fn the_client_splits_attributes_that_do_not_fit_a_line() {
    let (name, helo) = (["n".repeat(63).as_str(); 4].join("."), "h".repeat(255));
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
fn the_client_is_unauthenticated_after_the_220() {
    let acts = [
        Act::AuthAs(Credentials::password("user", "pencil")),
        speaking_for(&[(AttributeName::Login, "ann")]),
        Act::AuthAs(Credentials::password("user", "pencil")),
    ];
    Dialogue { security: Security::TLS, ..Dialogue::new(acts) }.plays(&after_offer(
        "AUTH PLAIN|XCLIENT LOGIN",
        "C: AUTH PLAIN AHVzZXIAcGVuY2ls
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
    ));
}

#[test]
fn a_session_ends_where_the_server_does_not_begin_anew() {
    for (reply, end) in [
        (
            "250 ok",
            "end: the server answered with a reply code that does not belong to the command: 250 ok",
        ),
        ("421 no more", "end: the server refused to go on with the session: 421 no more"),
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
