//! `examples/send` with several hosts and several transactions: RFC 5321 section 5.1.

use crate::{
    program::{Ended, Peer, Server, names, send},
    send::{SIMPLE, Script, TWO, scripted},
};
use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

const BOB: &str = "bob@example.net";
const EVE: &str = "eve@example.net";

fn send_to_hosts(hosts: &[SocketAddr], flags: &[&str]) -> Ended {
    let hosts: Vec<String> = hosts.iter().map(SocketAddr::to_string).collect();
    let hosts = hosts.iter().flat_map(|host| ["--mx", host.as_str()]);
    send(hosts.chain(["--timeout", "20"]).chain(flags.iter().copied()))
}

/// Returns the address of a host that does not accept connections.
fn down() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Returns each recipient with the code of its line, in the order of the lines.
fn codes(ended: &Ended) -> Vec<(&str, &str)> {
    let parts = |line| {
        let mut words = str::split(line, ' ');
        (words.next().unwrap(), words.next().unwrap())
    };
    ended.said.lines().map(parts).collect()
}

/// Returns the recipients among the lines that a host has heard, and how many sessions there were.
fn asked(heard: &mpsc::Receiver<String>) -> (Vec<String>, usize) {
    let lines: Vec<String> = heard.try_iter().collect();
    let recipients = lines.iter().filter_map(|line| {
        let path = line.strip_prefix("RCPT TO:<")?;
        Some(path.split('>').next().unwrap().to_owned())
    });
    let sessions = lines.iter().filter(|line| line.starts_with("EHLO ")).count();
    (recipients.collect(), sessions)
}

// RFC 5321 section 5.1: each of the hosts is tried in order until one succeeds.
#[test]
fn the_next_host_is_tried_for_recipients_without_a_reply_and_for_no_other() {
    const AUTH: &[&str] = &["--tls", "none", "--to", BOB, "--user", "ann", "--password", "x"];
    const UTF8: &[&str] = &["--tls", "none", "--to", "b\u{f6}b@example.net"];
    const OFFERS_AUTH: &str = "250-mx.example.net\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN";
    let accepted_bob = &[(BOB, "250")][..];
    let accepted_both = &[(BOB, "250"), (EVE, "250")][..];
    // The first host, the flags; the recipients that the second host is asked for; the lines and the exit code.
    #[rustfmt::skip]
    #[allow(clippy::type_complexity, reason = "a table of cases")]
    let cases: &[(Script, &[&str], &[&str], &[(&str, &str)], i32)] = &[
        (&[], SIMPLE, &[], accepted_bob, 0),
        // The host rejects the session, or does not speak the protocol.
        (&[("", Some("421 4.3.2 Busy"))], SIMPLE, &[BOB], accepted_bob, 0),
        (&[("", Some("554 5.3.2 No service"))], SIMPLE, &[BOB], accepted_bob, 0),
        (&[("", Some("HTTP/1.1 400 Bad Request"))], SIMPLE, &[BOB], accepted_bob, 0),
        (&[("", None)], SIMPLE, &[BOB], accepted_bob, 0),
        (&[("EHLO", Some("521 5.3.2 No mail"))], TWO, &[BOB, EVE], accepted_both, 0),
        // It dies in the transaction.
        (&[("MAIL", None)], TWO, &[BOB, EVE], accepted_both, 0),
        (&[("RCPT TO:<eve", None)], TWO, &[BOB, EVE], accepted_both, 0),
        (&[("DATA", None)], TWO, &[BOB, EVE], accepted_both, 0),
        (&[("RCPT TO:<eve", Some("421 4.3.2 Shutting down"))], TWO, &[BOB, EVE], accepted_both, 0),
        (&[(".", Some("421 4.3.2 Shutting down"))], TWO, &[BOB, EVE], accepted_both, 0),
        // A reply about the message is the same everywhere.
        (&[("MAIL", Some("550 5.7.1 Not you"))], TWO, &[], &[(BOB, "550"), (EVE, "550")], 69),
        (&[("RCPT TO:<eve", Some("550 5.1.1 No such mailbox"))], TWO, &[],
         &[(BOB, "250"), (EVE, "550")], 69),
        (&[("RCPT TO:<eve", Some("450 4.2.1 Busy"))], TWO, &[], &[(BOB, "250"), (EVE, "450")], 75),
        (&[(".", Some("554 5.7.1 Spam"))], TWO, &[], &[(BOB, "554"), (EVE, "554")], 69),
        // Of two recipients the one without a reply is left to the next host.
        (&[("RCPT TO:<eve", Some("550 5.1.1 No such mailbox")), ("DATA", None)], TWO, &[BOB],
         &[(EVE, "550"), (BOB, "250")], 69),
        // The first host may have accepted the message (RFC 5321 section 6.1).
        (&[(".", None)], SIMPLE, &[], &[(BOB, "451")], 75),
        // The credentials are the same everywhere.
        (&[("EHLO", Some(OFFERS_AUTH)), ("AUTH", Some("535 5.7.8 No"))], AUTH, &[], &[(BOB, "535")], 77),
        // The next host offers what the message needs.
        (&[], UTF8, &["b\u{f6}b@example.net"], &[("b\u{f6}b@example.net", "250")], 0),
    ];
    for (script, flags, second_asked, lines, code) in cases {
        let (first, _first_heard) = scripted(script);
        let (second, heard) =
            scripted(&[("EHLO", Some("250-mx2\r\n250-8BITMIME\r\n250 SMTPUTF8"))]);
        let ended = send_to_hosts(&[first, second], flags);
        let told = format!("{script:?} {flags:?}: {}{}", ended.said, ended.complained);
        assert_eq!((codes(&ended), ended.code), (lines.to_vec(), *code), "{told}");
        let (recipients, sessions) = asked(&heard);
        let is_asked = usize::from(!second_asked.is_empty());
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        assert_eq!((recipients, sessions), (second_asked.to_vec(), is_asked), "{told}");
    }
}

#[test]
fn a_host_that_is_down_is_followed_by_the_next() {
    let (third, heard) = scripted(&[]);
    let ended = send_to_hosts(&[down(), down(), third], TWO);
    assert_eq!((codes(&ended), ended.code), (vec![(BOB, "250"), (EVE, "250")], 0));
    assert_eq!(asked(&heard), (vec![BOB.to_owned(), EVE.to_owned()], 1));
}

/// The script of the last host, the lines that are printed, and the exit code.
type Case = (Script, &'static [(&'static str, &'static str)], i32);

#[test]
fn the_last_host_tells_the_outcome_where_none_takes_the_message() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (&[("", Some("421 4.3.2 Busy"))], &[(BOB, "421"), (EVE, "421")], 75),
        (&[("", Some("554 5.3.2 No service"))], &[(BOB, "554"), (EVE, "554")], 69),
        (&[("", Some("HTTP/1.1 400 Bad Request"))], &[(BOB, "554"), (EVE, "554")], 76),
        (&[("MAIL", None)], &[(BOB, "451"), (EVE, "451")], 75),
        (&[("RCPT TO:<eve", Some("550 5.1.1 No such mailbox"))], &[(BOB, "250"), (EVE, "550")], 69),
    ];
    for (script, lines, code) in cases {
        let (first, _heard) = scripted(&[("MAIL", Some("421 4.3.2 Shutting down"))]);
        let (last, _heard) = scripted(script);
        let ended = send_to_hosts(&[first, down(), last], TWO);
        let told = format!("{script:?}: {}{}", ended.said, ended.complained);
        assert_eq!((codes(&ended), ended.code), (lines.to_vec(), *code), "{told}");
    }
    let ended = send_to_hosts(&[down(), down()], TWO);
    assert_eq!((codes(&ended), ended.code), (vec![(BOB, "451"), (EVE, "451")], 75));

    // A policy for TLS holds for each host.
    let (first, _heard) = scripted(&[]);
    let (last, heard) = scripted(&[]);
    let ended = send_to_hosts(&[first, last], &["--tls", "starttls", "--to", BOB]);
    assert_eq!((codes(&ended), ended.code, asked(&heard)), (vec![(BOB, "530")], 76, (vec![], 1)));
}

#[test]
fn the_next_host_gets_only_the_messages_that_the_first_has_not_answered() {
    // The first host takes one message, and dies at the next.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = listener.local_addr().unwrap();
    let host = thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        client.say("220 mx.example.net");
        for reply in ["250 mx.example.net", "250 2.1.0 Ok", "250 2.1.5 Ok", "354 Go on"] {
            client.line();
            client.say(reply);
        }
        while client.line() != ".\r\n" {}
        client.say("250 2.0.0 Ok");
        assert_eq!(client.line(), "MAIL FROM:<ann@example.org>\r\n");
    });
    let second = Server::start(&[]);
    let flags = ["--tls", "none", "--to", BOB, "--repeat", "3"];
    let ended = send_to_hosts(&[first, second.address], &flags);
    host.join().unwrap();
    let told = format!("{}{}", ended.said, ended.complained);
    assert_eq!((codes(&ended), ended.code), (vec![(BOB, "250"); 3], 0), "{told}");
    assert_eq!(names(&second.maildir.join("new")).len(), 2, "{told}");
}

#[test]
fn credentials_are_sent_to_each_host() {
    const EHLO: &str = "250-mx.example.net\r\n250 AUTH PLAIN";
    let (first, _heard) = scripted(&[
        ("EHLO", Some(EHLO)),
        ("AUTH", Some("235 2.7.0 Ok")),
        ("MAIL", Some("421 4.3.2 Shutting down")),
    ]);
    let (second, heard) = scripted(&[("EHLO", Some(EHLO)), ("AUTH", Some("235 2.7.0 Ok"))]);
    let flags = ["--tls", "none", "--to", BOB, "--user", "ann", "--password", "x"];
    let ended = send_to_hosts(&[first, second], &flags);
    assert_eq!(ended.code, 0, "{}{}", ended.said, ended.complained);
    assert!(heard.try_iter().any(|line| line.starts_with("AUTH PLAIN ")));
}

#[test]
fn a_host_that_is_not_an_address_is_bad_usage() {
    let (first, heard) = scripted(&[]);
    let ended = send(["--mx", &first.to_string(), "--mx", "mx.example.net", "--to", BOB]);
    assert_eq!(ended.code, 64);
    assert!(ended.complained.contains("--mx: not HOST:PORT"), "{}", ended.complained);
    assert_eq!(asked(&heard), (vec![], 0), "mistakes are found before a connection is opened");
}

// RFC 2920 section 3.1: commands of further transactions do not wait for replies.
#[test]
fn several_transactions_are_under_way_at_once() {
    for in_flight in [1, 3] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let mut client = Peer::new(listener.accept().unwrap().0);
            client.say("220 mx.example.net");
            client.line();
            client.say("250-mx.example.net\r\n250-PIPELINING\r\n250 CHUNKING");
            // Replies are withheld until the end of as many messages as may be in flight has come.
            let (mut replies, mut messages) = (Vec::new(), 0);
            while messages < 3 {
                let line = client.line();
                assert!(!line.is_empty());
                replies.push("250 2.0.0 Ok");
                if let Some(octets) = line.strip_prefix("BDAT ") {
                    let (octets, last) = octets.trim_end().split_once(' ').unwrap();
                    assert_eq!(last, "LAST");
                    let mut left: usize = octets.parse().unwrap();
                    while left > 0 {
                        left -= client.line().len();
                    }
                    messages += 1;
                    if messages % in_flight == 0 {
                        let mut octet = [0];
                        let brief = Some(Duration::from_millis(200));
                        client.stream().set_read_timeout(brief).unwrap();
                        assert!(client.stream().peek(&mut octet).is_err(), "too many in flight");
                        let patience = Some(crate::program::PATIENCE);
                        client.stream().set_read_timeout(patience).unwrap();
                        for reply in replies.drain(..) {
                            client.say(reply);
                        }
                    }
                }
            }
            assert_eq!(client.line(), "QUIT\r\n");
            client.say("221 2.0.0 Bye");
        });
        let in_flight = in_flight.to_string();
        let flags = ["--server", &address, "--tls", "none", "--to", BOB, "--repeat", "3"];
        let ended = send(flags.iter().chain(&["--in-flight", &in_flight, "--timeout", "20"]));
        assert!(server.join().is_ok(), "{in_flight} in flight");
        assert_eq!((codes(&ended), ended.code), (vec![(BOB, "250"); 3], 0), "{}", ended.complained);
    }
}
