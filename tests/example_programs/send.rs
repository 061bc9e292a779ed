//! `examples/send`: exit codes, lines of output, time-outs.

use crate::program::{Ended, Peer, Server, names, send, send_message};
use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The replies of a server that differ from its usual ones, by the beginning of the command: `.` is the
/// end of the content, an empty string the greeting. Without a reply the connection is closed.
pub(crate) type Script = &'static [(&'static str, Option<&'static str>)];

/// Starts a server for one client, and returns its address and the lines that it hears.
pub(crate) fn scripted(script: Script) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (hear, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        let mut line = String::new();
        loop {
            let usual = match line.trim_end() {
                "" => "220 mx.example.net",
                "." => "250 2.0.0 Ok",
                "QUIT" => "221 2.0.0 Bye",
                "DATA" => "354 Go on",
                "STARTTLS" => "220 2.0.0 Go on",
                _ => "250 2.0.0 Ok",
            };
            let command = line.trim_end();
            let is_meant = |begin: &str| match begin {
                "" | "." => command == begin,
                _ => command.starts_with(begin),
            };
            let special = script.iter().find(|(begin, _)| is_meant(begin));
            let Some(reply) = special.map_or(Some(usual), |(_, reply)| *reply) else { return };
            let is_content = reply.starts_with("354");
            client.say(reply);
            loop {
                line = client.line();
                if line.is_empty() || hear.send(line.clone()).is_err() {
                    return;
                }
                if !is_content || line == ".\r\n" {
                    break;
                }
            }
        }
    });
    (address, heard)
}

pub(crate) const SIMPLE: &[&str] = &["--tls", "none", "--to", "bob@example.net"];
pub(crate) const TWO: &[&str] =
    &["--tls", "none", "--to", "bob@example.net", "--to", "eve@example.net"];

fn send_to(address: SocketAddr, flags: &[&str]) -> Ended {
    let address = address.to_string();
    send(["--server", address.as_str(), "--timeout", "20"].iter().chain(flags))
}

#[test]
fn the_exit_code_tells_whether_to_try_again() {
    const EHLO: &str = "250-mx.example.net\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN";
    #[rustfmt::skip]
    let cases: &[(Script, &[&str], i32)] = &[
        (&[], SIMPLE, 0),
        (&[], TWO, 0),
        // The greeting.
        (&[("", Some("554 No service"))], SIMPLE, 69),
        (&[("", Some("421 Busy"))], SIMPLE, 75),
        (&[("", Some("HTTP/1.1 400 Bad Request"))], SIMPLE, 76),
        (&[("", None)], SIMPLE, 75),
        // The reverse-path.
        (&[("MAIL", Some("550 5.7.1 Not you"))], TWO, 69),
        (&[("MAIL", Some("451 4.7.1 Later"))], TWO, 75),
        (&[("MAIL", None)], TWO, 75),
        // Recipients: RFC 5321 section 4.5.3.1.10 makes 552 temporary where it may be about their number.
        (&[("RCPT", Some("550 5.1.1 No such mailbox"))], SIMPLE, 69),
        (&[("RCPT", Some("450 4.2.1 Busy"))], SIMPLE, 75),
        (&[("RCPT", Some("552 Too many recipients"))], SIMPLE, 75),
        (&[("RCPT", Some("552 5.5.3 Too many recipients"))], SIMPLE, 75),
        (&[("RCPT", Some("552 5.2.2 Mailbox is full"))], SIMPLE, 69),
        (&[("RCPT", Some("452 4.2.2 Mailbox is full"))], SIMPLE, 75),
        (&[("RCPT TO:<eve", Some("552 Too many recipients"))], TWO, 75),
        (&[("RCPT TO:<eve", Some("552 5.2.2 Mailbox is full"))], TWO, 69),
        (&[("RCPT TO:<eve", Some("450 4.2.1 Busy")), ("RCPT TO:<bob", Some("550 5.1.1 No"))], TWO, 75),
        // The content, where 552 is about its size (RFC 5321 section 4.2.3).
        (&[("DATA", Some("451 4.3.0 Later"))], SIMPLE, 75),
        (&[(".", Some("552 Too much"))], SIMPLE, 69),
        (&[(".", Some("554 5.7.1 Spam"))], SIMPLE, 69),
        (&[(".", Some("451 4.3.0 Later"))], SIMPLE, 75),
        (&[(".", None)], SIMPLE, 75),
        (&[(".", Some("nonsense"))], SIMPLE, 76),
        // TLS and AUTH.
        (&[], &["--tls", "starttls", "--to", "bob@example.net"], 76),
        (&[("EHLO", Some("250-mx\r\n250 STARTTLS")), ("STARTTLS", Some("454 4.7.0 Not now"))],
         &["--tls", "starttls", "--to", "bob@example.net"], 76),
        (&[("EHLO", Some(EHLO)), ("AUTH", Some("535 5.7.8 No"))],
         &["--tls", "none", "--to", "bob@example.net", "--user", "ann", "--password", "x"], 77),
        (&[("EHLO", Some(EHLO)), ("AUTH", Some("454 4.7.0 Later"))],
         &["--tls", "none", "--to", "bob@example.net", "--user", "ann", "--password", "x"], 75),
        // An extension that is not offered.
        (&[], &["--tls", "none", "--to", "b\u{f6}b@example.net"], 69),
        // Usage and addresses.
        (&[], &["--tls", "none"], 64),
        (&[], &["--tls", "none", "--to", "bob@example.net", "--no-such-flag"], 64),
        (&[], &["--tls", "none", "--to", "bob"], 65),
    ];
    for (script, flags, code) in cases {
        let (address, heard) = scripted(script);
        let ended = send_to(address, flags);
        let told = format!("{}{}", ended.said, ended.complained);
        assert_eq!(ended.code, *code, "{script:?} {flags:?}: {told}");
        for line in heard.try_iter() {
            assert!(line.is_ascii(), "{line}");
        }
        // Each recipient has a line that begins with a code.
        if *code < 76 && !matches!(code, 64 | 65) {
            let recipients: Vec<_> = flags.iter().filter(|flag| flag.contains('@')).collect();
            assert_eq!(ended.said.lines().count(), recipients.len(), "{script:?}: {told}");
            for recipient in recipients {
                let line = ended.said.lines().find(|line| line.starts_with(*recipient));
                let rest = &line.expect(&told)[recipient.len()..];
                assert!(rest[1..4].parse::<u16>().is_ok(), "{told}");
            }
        }
    }
}

#[test]
fn a_refused_ehlo_is_followed_by_helo_where_nothing_needs_an_extension() {
    const TLS: &[&str] = &["--tls", "starttls", "--to", "bob@example.net"];
    const AUTH: &[&str] =
        &["--tls", "none", "--to", "bob@example.net", "--user", "ann", "--password", "x"];
    const UTF8: &[&str] = &["--tls", "none", "--to", "b\u{f6}b@example.net"];
    const LMTP: &[&str] = &["--tls", "none", "--to", "bob@example.net", "--protocol", "lmtp"];
    const ENDS: Option<&str> = None;
    #[rustfmt::skip]
    let cases: &[(Script, &[&str], i32, bool)] = &[
        (&[("EHLO", Some("500 5.5.1 What?"))], SIMPLE, 0, true),
        (&[("EHLO", Some("501 5.5.4 What?"))], SIMPLE, 0, true),
        (&[("EHLO", Some("503 5.5.1 What?"))], SIMPLE, 0, true),
        (&[("EHLO", Some("550 5.7.1 What?"))], SIMPLE, 0, true),
        (&[("EHLO", Some("554 5.7.1 What?"))], SIMPLE, 0, true),
        (&[("EHLO", Some("521 5.3.2 No mail"))], SIMPLE, 69, false),
        (&[("EHLO", Some("450 4.3.2 Later"))], SIMPLE, 75, false),
        (&[("EHLO", Some("502 5.5.1 What?"))], TLS, 69, false),
        (&[("EHLO", Some("502 5.5.1 What?"))], AUTH, 69, false),
        (&[("EHLO", Some("502 5.5.1 What?"))], UTF8, 69, false),
        (&[("LHLO", Some("502 5.5.1 What?"))], LMTP, 69, false),
        // The outcome is the reply to EHLO.
        (&[("EHLO", Some("502 5.5.1 What?")), ("HELO", Some("450 4.3.2 Later"))], SIMPLE, 69, true),
        (&[("EHLO", Some("502 5.5.1 What?")), ("HELO", ENDS)], SIMPLE, 69, true),
    ];
    for (script, flags, code, says_helo) in cases {
        let (address, heard) = scripted(script);
        let ended = send_to(address, flags);
        let told = format!("{}{}", ended.said, ended.complained);
        assert_eq!(ended.code, *code, "{script:?} {flags:?}: {told}");
        let has_said_helo = heard.try_iter().any(|line| line.starts_with("HELO "));
        assert_eq!(has_said_helo, *says_helo, "{script:?} {flags:?}");
        if *code != 0 {
            assert!(ended.said.contains(script[0].1.unwrap()), "{script:?} {flags:?}: {told}");
        }
    }
}

#[test]
fn replies_of_deployed_servers_are_understood() {
    const LOGIN: &[&str] =
        &["--tls", "none", "--to", "bob@example.net", "--user", "ann", "--password", "x"];
    // Prompts that are not base64.
    let (address, heard) = scripted(&[
        ("EHLO", Some("250-mx.example.net\r\n250 AUTH LOGIN")),
        ("AUTH", Some("334 Username:")),
        ("YW5u", Some("334 Password:")),
        ("eA==", Some("235 2.7.0 Ok")),
    ]);
    let ended = send_to(address, LOGIN);
    assert_eq!(ended.code, 0, "{}: {:?}", ended.complained, heard.try_iter().collect::<Vec<_>>());

    // A status with a number sign before it.
    let (address, _heard) = scripted(&[("RCPT", Some("550 #5.1.0 Address rejected"))]);
    let ended = send_to(address, SIMPLE);
    assert_eq!(
        (ended.code, ended.said.as_str()),
        (69, "bob@example.net 550 5.1.0 Address rejected\n")
    );
}

#[test]
fn a_thousand_recipients_reach_a_server_that_takes_a_hundred() {
    let server = Server::start(&["--max-recipients", "100", "--extensions", "PIPELINING,SIZE"]);
    let address = server.address.to_string();
    let mut flags = vec!["--server".to_owned(), address, "--tls".to_owned(), "none".to_owned()];
    for number in 0..1000 {
        flags.extend(["--to".to_owned(), format!("user{number}@example.net")]);
    }
    let ended = send(&flags);
    assert_eq!(ended.code, 0, "{}", ended.said);
    let accepted = ended.said.lines().filter(|line| line.contains("@example.net 250 ")).count();
    assert_eq!(accepted, 1000);
    assert_eq!(names(&server.maildir.join("new")).len(), 10);
}

#[test]
fn unusual_addresses_pass_through_both_programs() {
    let long = format!("user+caf_={}=example.org@example.net", "x".repeat(80));
    let lenient = ["bob..b@example.net", "bob.@example.net", "bob@a_b.example"];
    for (flags, addresses, code) in [
        (&[][..], &[long.as_str()][..], 0),
        (&[], &lenient[..], 65),
        (&["--lenient-addresses"], &lenient[..], 0),
    ] {
        let server = Server::start(flags);
        let address = server.address.to_string();
        for to in addresses {
            let given = ["--server", &address, "--tls", "none", "--to", to];
            let ended = send(given.iter().chain(flags));
            assert_eq!(ended.code, code, "{to}: {}{}", ended.said, ended.complained);
            assert_eq!(names(&server.maildir.join("new")).is_empty(), code != 0);
        }
    }
}

#[test]
fn a_server_that_is_not_there_may_be_tried_again() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(send_to(address, SIMPLE).code, 75);
}

#[test]
fn a_tls_handshake_that_the_server_does_not_answer_is_bounded_by_the_time_out() {
    for tls in ["implicit", "starttls"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let mut client = Peer::new(listener.accept().unwrap().0);
            if tls == "starttls" {
                client.say("220 mx.example.net");
                client.line();
                client.say("250-mx.example.net\r\n250 STARTTLS");
                client.line();
                client.say("220 2.0.0 Go on");
            }
            while !client.line_of_octets().is_empty() {}
        });
        let began = Instant::now();
        let flags =
            ["--server", &address, "--tls", tls, "--timeout", "1", "--to", "bob@example.net"];
        let ended = send(flags);
        assert!(began.elapsed() < Duration::from_secs(40), "{tls}: {:?}", began.elapsed());
        assert_eq!(ended.code, 75, "{tls}: {}", ended.complained);
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_stops_reading_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (done, is_done) = mpsc::channel::<()>();
    thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        client.say("220 mx.example.net");
        for reply in ["250 mx.example.net", "250 Ok", "250 Ok", "354 Go on"] {
            client.line();
            client.say(reply);
        }
        let _ = is_done.recv(); // reads no more
    });
    let message = "x".repeat(70) + "\n";
    let message = message.repeat(10_000_000 / message.len()); // more than sockets hold
    let began = Instant::now();
    let flags =
        ["--server", &address, "--timeout", "2", "--tls", "none", "--to", "bob@example.net"];
    let ended = send_message(message.as_bytes(), flags);
    // It takes about 3 s where the machine has nothing else to do.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(ended.code, 75, "{}{}", ended.said, ended.complained);
    drop(done);
}

#[test]
fn the_reason_of_a_tls_failure_is_shown() {
    let server = Server::start(&["--tls", "starttls"]);
    let ended = send_to(server.address, &["--tls", "starttls", "--to", "bob@example.net"]);
    assert_eq!(ended.code, 76);
    assert!(ended.complained.contains("UnknownIssuer"), "{}", ended.complained);
    assert!(ended.said.starts_with("bob@example.net 554 5.7.5 "), "{}", ended.said);

    // A server that does not speak TLS.
    let (address, _heard) = scripted(&[]);
    let ended = send_to(address, &["--tls", "implicit", "--insecure", "--to", "bob@example.net"]);
    assert_eq!(ended.code, 76, "{}", ended.complained);
}
