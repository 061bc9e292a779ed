//! What deployed clients send although the grammar does not have it: what is taken by default, what only by a switch, and
//! what by neither; the application hears which switch was used.

use crate::common::{Experience, converse, converse_with};
use crate::dialogue::{Act, Dialogue, mail};
use esmtp::{
    envelope::Envelope,
    sasl::{Attempt, Mechanism, Nonce, Offer, Question},
    security::Security,
    server::{Config, Event, Facts, Limits, Timeouts},
    service::Service,
    syntax::{Extension, Extensions, Lenience, Mailbox, Parameters, Submitter},
};
use std::time::Duration;

const GREETING: &str = "S: 220 mx.example.org ESMTP service ready\n";
const EHLO: &str = "C: EHLO client.example.net\nS: 250 mx.example.org\n";

/// Returns a configuration without extensions, so that its replies are short.
fn config() -> Config {
    crate::common::config().with_extensions(Extensions::NONE)
}

fn with(switch: fn(&mut Lenience)) -> Config {
    let mut lenience = Lenience::default();
    switch(&mut lenience);
    config().with_lenience(lenience)
}

/// Logs what the application hears of a client and of its deviations.
fn listen(experience: &mut Experience, event: Event<'_>) {
    fn used(facts: &Facts) -> String {
        facts.forgiven().names().collect::<Vec<_>>().join(",")
    }
    match event {
        Event::Hello(hello) => {
            let host = hello.host().map_or("none".into(), ToString::to_string);
            let line = format!("{} ({host}) {}", hello.name().text(), used(hello.facts()));
            experience.log.push(line);
            hello.accept();
        }
        Event::Mail(mail) => {
            experience.log.push(format!("{} {}", mail.reverse_path(), used(mail.facts())));
            mail.accept();
        }
        Event::Rcpt(rcpt) => {
            experience.log.push(format!("{} {}", rcpt.forward_path(), used(rcpt.facts())));
            rcpt.accept();
        }
        Event::StartTls(start) => start.accept(),
        Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        Event::Auth(auth) => {
            experience.log.push(format!("auth {}", used(auth.facts())));
            let channel = Security::TLS.channel();
            let attempt = Attempt {
                channel: &channel,
                proven: None,
                nonce: Nonce::new([1; 18]),
                unix_seconds: 0,
            };
            let verifier = offer().verifier(auth.mechanism(), attempt);
            auth.verify(verifier.unwrap());
        }
        Event::Credentials(credentials) => match credentials.question {
            Question::Token(question) => {
                let octets = question.token().expose().len();
                experience.log.push(format!("token of {octets} octets"));
                question.accept_as("ann");
            }
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        other => experience.answer(other),
    }
}

fn offer() -> Offer {
    Offer::new([Mechanism::XOAUTH2]).with_secrets_in_clear()
}

const NAMES: [(&str, &str); 12] = [
    (r"M\xc3\x9cLLER-PC", "MÜLLER-PC"),
    (r"M\xdcLLER-PC", "M\u{FFFD}LLER-PC"),
    ("john's-mac", "john's-mac"),
    (" client.example", "client.example"),
    ("[2001:db8::19]", "[2001:db8::19]"),
    ("[IPv6:1:2:3:4:5:6:7::]", "[IPv6:1:2:3:4:5:6:7::]"),
    ("client.example.", "client.example."),
    ("my computer", "my computer"),
    ("[x400:a]", "[x400:a]"),
    ("<script>", "<script>"),
    (r"\xff\xfe", "\u{FFFD}\u{FFFD}"),
    (".", "."),
];

/// 5321-4.1.1.1-b, 5321-4.1.4-f
#[test]
fn a_name_that_is_not_a_host_is_taken_as_text() {
    for (sent, text) in NAMES {
        for (verb, service, reply) in [
            ("EHLO", Service::Smtp, "S: 250 mx.example.org\n"),
            ("HELO", Service::Smtp, "S: 250 mx.example.org\n"),
            ("EHLO", Service::Submission, "S: 250-mx.example.org\nS: 250 AUTH XOAUTH2\n"),
            (
                "LHLO",
                Service::Lmtp,
                "S: 250-mx.example.org\nS: 250-PIPELINING\nS: 250 ENHANCEDSTATUSCODES\n",
            ),
        ] {
            let greeting = match service {
                Service::Lmtp => "S: 220 mx.example.org LMTP service ready\n",
                _ => GREETING,
            };
            let config = || match service {
                Service::Submission => config().with_service(service).with_auth(offer()),
                _ => config().with_service(service),
            };
            let script = format!("{greeting}C| {verb} {sent}\\r\\n\n{reply}");
            let experience = converse_with(config(), &script, listen);
            assert_eq!(experience.log, [format!("{text} (none) text_as_host")]);
            let strict = format!("{greeting}C| {verb} {sent}\\r\\n\n");
            let without = Lenience::default().without_text_as_host();
            for lenience in [Lenience::STRICT, without] {
                let refusal = match sent.contains("\\xd") || sent.contains("\\xf") {
                    true => "S: 500 Not valid UTF-8",
                    false => "S: 501 Not a domain or an address literal",
                };
                let script = format!("{strict}{refusal}");
                assert!(
                    converse_with(config().with_lenience(lenience), &script, listen).log.is_empty()
                );
            }
        }
    }
}

/// 5321-4.1.1.1-b: in TLS as in the clear.
#[test]
fn a_name_that_is_not_a_host_is_taken_in_tls() {
    for (sent, text) in NAMES {
        let script = format!(
            "{GREETING}C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250 STARTTLS
             C: STARTTLS
             S: 220 Ready to start TLS
             C| EHLO {sent}\\r\\n
             S: 250 mx.example.org"
        );
        let experience =
            converse_with(config().with_extension(Extension::StartTls), &script, listen);
        assert_eq!(experience.log[1..], [format!("{text} (none) text_as_host")]);
    }
}

/// 5321-4.1.1.1-b, 5321-2.3.8-a
#[test]
fn neither_nothing_nor_a_control_character_is_a_name() {
    for (line, reply) in [
        ("EHLO", "501 This command needs an argument"),
        ("EHLO ", "501 This command needs an argument"),
        ("HELO   ", "501 This command needs an argument"),
        (r"EHLO a\tb", "501 A control character in the name"),
        (r"HELO a\x1b[2J", "501 A control character in the name"),
        (r"EHLO a\x7f", "501 A control character in the name"),
        (r"EHLO M\xdcLLER\x01", "501 A control character in the name"),
        (r"EHLO a\xc2\x9b2J", "501 A control character in the name"),
        (r"EHLO a\rb", "500 CR, LF or NUL in a command line"),
        (r"EHLO M\xdc\nQUIT", "500 CR, LF or NUL in a command line"),
        (r"EHLO \0", "500 CR, LF or NUL in a command line"),
    ] {
        let script = format!(
            "{GREETING}C| {line}\\r\\n\nS: {reply}\nC: QUIT\nS: 221 Service closing transmission channel"
        );
        assert!(converse_with(config(), &script, listen).log.is_empty(), "{line}");
    }
    let long = "x".repeat(2100);
    let script = format!("{GREETING}C: EHLO {long}\nS: 500 Line too long\n{EHLO}");
    converse(config(), &script);
}

/// 5321-4.5.3.1.1-a, 5321-4.5.3.1.3-a
#[test]
fn addresses_are_as_long_as_the_command_line_allows() {
    let long = |octets: usize| format!("<{}@b.example>", "x".repeat(octets));
    let path = format!("<{}@{}.example>", "x".repeat(60), ["d"; 110].join("."));
    let most = 2048 - "MAIL FROM:<@b.example>\r\n".len();
    for (address, used) in [
        (long(64), ""),
        (long(65), "long_local_part"),
        (long(97), "long_local_part"),
        (format!("<\"{}\"@b.example>", " ".repeat(64)), "long_local_part"),
        (path, "long_path"),
        (long(300), "long_local_part,long_path"),
        (long(most), "long_local_part,long_path"),
    ] {
        let script = format!(
            "{GREETING}{EHLO}C: MAIL FROM:{address}\nS: 250 Ok\nC: RCPT TO:{address}\nS: 250 Ok"
        );
        let experience = converse_with(config(), &script, listen);
        assert_eq!(experience.log[1..], [format!("{address} {used}"), format!("{address} {used}")]);
        if !used.is_empty() {
            let script = format!(
                "{GREETING}{EHLO}C: MAIL FROM:{address}\nS: 501 Bad sender address syntax: "
            );
            let refusal = match used.contains("local_part") {
                true => "a local-part of more than 64 octets",
                false => "a path of more than 256 octets",
            };
            converse(config().with_lenience(Lenience::STRICT), &(script + refusal));
        }
    }
    let script = format!("{GREETING}{EHLO}C: MAIL FROM:{}\nS: 500 Line too long", long(most + 1));
    converse(config(), &script);
    // What the DNS cannot hold stays wrong.
    for (domain, wrong) in [
        ("d".repeat(64), "a domain of more than 255 octets or a label of more than 63"),
        (["d"; 129].join("."), "a domain of more than 255 octets or a label of more than 63"),
    ] {
        let script = format!(
            "{GREETING}{EHLO}C: MAIL FROM:<a@{domain}>\nS: 501 Bad sender address syntax: {wrong}"
        );
        converse(with(|it| *it = Lenience::ALL), &script);
    }
}

/// 5321-4.1.3-e
#[test]
fn only_a_registered_tag_makes_an_address_literal() {
    let refused = |literal: &str, wrong: &str| {
        format!(
            "{GREETING}{EHLO}C: MAIL FROM:<a@{literal}>
             S: 501 Bad sender address syntax: {wrong}
             C: MAIL FROM:<>
             S: 250 Ok
             C: RCPT TO:<a@{literal}>
             S: 501 Bad recipient address syntax: {wrong}"
        )
    };
    let taken = |literal: &str| {
        format!(
            "{GREETING}{EHLO}C: MAIL FROM:<a@{literal}>\nS: 250 Ok\nC: RCPT TO:<a@{literal}>\nS: 250 Ok"
        )
    };
    let open = || with(|it| *it = it.with_general_literal());
    for literal in
        ["[2001:db8:::1]", "[1:2:3:4:5:6:7:8:9]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[1:2]"]
    {
        for config in [config(), open()] {
            converse(config, &refused(literal, "not an address literal"));
        }
    }
    for config in [config(), open()] {
        let wrong = "an IPv6 address literal without its tag: [IPv6:...]";
        converse(config, &refused("[2001:db8::19]", wrong));
    }
    for literal in ["[x400:a/b]", "[tag:::1]", "[smtp:1%2]"] {
        converse(config(), &refused(literal, "not an address literal"));
        let experience = converse_with(open(), &taken(literal), listen);
        assert_eq!(experience.log[2], format!("<a@{literal}> general_literal"));
    }
    for literal in ["[192.0.2.1]", "[IPv6:2001:db8::19]"] {
        assert_eq!(
            converse_with(config(), &taken(literal), listen).log[2],
            format!("<a@{literal}> ")
        );
    }
}

#[test]
fn dots_and_underscores_are_accepted_if_configured() {
    let dots = "a dot at the start or the end of the local-part, or two dots in a row";
    let underscore = "an underscore in the domain name";
    let dots_on: fn(&mut Lenience) = |it| *it = it.with_dots_in_local_part();
    let underscores_on: fn(&mut Lenience) = |it| *it = it.with_underscore_in_domain();
    for (addresses, switch, name, wrong) in [
        (
            ["a..b@c.example", "a.@c.example", ".a@c.example", "..a...b..@c.example"],
            dots_on,
            "dots_in_local_part",
            dots,
        ),
        (
            ["a@b_c.example", "a@_b.example", "a@b._c", "a@b_"],
            underscores_on,
            "underscore_in_domain",
            underscore,
        ),
    ] {
        for address in addresses {
            let script = format!(
                "{GREETING}{EHLO}C: MAIL FROM:<{address}>
                 S: 501 Bad sender address syntax: {wrong}
                 C: MAIL FROM:<>
                 S: 250 Ok
                 C: RCPT TO:<{address}>
                 S: 501 Bad recipient address syntax: {wrong}"
            );
            converse(config(), &script);
            let script = format!(
                "{GREETING}{EHLO}C: MAIL FROM:<{address}>\nS: 250 Ok\nC: RCPT TO:<{address}>\nS: 250 Ok"
            );
            let experience = converse_with(with(switch), &script, listen);
            let heard = format!("<{address}> {name}");
            assert_eq!(experience.log[1..], [heard.clone(), heard]);
        }
    }
}

/// 4954-5-a: the mailbox of AUTH on MAIL is held to the switches of a path.
#[test]
fn the_submitter_is_read_as_a_path_is() {
    let hello = "C: EHLO client.example.net\nS: 250-mx.example.org\nS: 250 AUTH XOAUTH2\n";
    for (value, switch) in [
        ("a..b@c.example", (|it| *it = it.with_dots_in_local_part()) as fn(&mut Lenience)),
        ("<a..b@c.example>", |it| *it = it.with_dots_in_local_part()),
        ("a@b_c.example", |it| *it = it.with_underscore_in_domain()),
    ] {
        let mail = format!("{GREETING}{hello}C: MAIL FROM:<> AUTH={value}\n");
        let refused = format!("{mail}S: 501 Not a value for this parameter");
        converse(config().with_auth(offer()), &refused);
        let experience =
            converse_with(with(switch).with_auth(offer()), &format!("{mail}S: 250 Ok"), listen);
        assert!(experience.log[1].contains("_"), "{:?}", experience.log);
    }
    let long = format!("{}@c.example", "x".repeat(97));
    let mail = format!("{GREETING}{hello}C: MAIL FROM:<> AUTH={long}\n");
    let experience =
        converse_with(config().with_auth(offer()), &format!("{mail}S: 250 Ok"), listen);
    assert_eq!(experience.log[1], "<> long_local_part");
    let strict = config().with_auth(offer()).with_lenience(Lenience::STRICT);
    converse(strict, &format!("{mail}S: 501 Not a value for this parameter"));
}

/// 4954-4-r, 4954-4-s: RFC 4954 section 4. The limit is that of an AUTH line, whatever other commands may have.
#[test]
fn a_line_of_auth_may_have_12288_octets() {
    let hello = "C: EHLO client.example.net\nS: 250-mx.example.org\nS: 250 AUTH XOAUTH2\n";
    let timeouts = Timeouts::default().with_auth_failure(Duration::ZERO);
    for limits in [
        Limits::default(),
        Limits::default().with_command_line(512).with_receive_buffer(0),
        Limits::default().with_command_line(100_000),
    ] {
        let config = || config().with_auth(offer()).with_limits(limits).with_timeouts(timeouts);
        let line = |octets: usize| {
            let frame = "user=ann\u{1}auth=Bearer \u{1}\u{1}".len();
            let base64 = octets - "AUTH XOAUTH2 \r\n".len();
            assert_eq!(base64 % 4, 1, "a length that base64 has, and a space");
            let token = "t".repeat(base64 / 4 * 3 - frame);
            let message = format!("user=ann\u{1}auth=Bearer {token}\u{1}\u{1}");
            let response = esmtp::syntax::Base64::encode(message.as_bytes());
            // Trailing white space is tolerated.
            (format!("AUTH XOAUTH2 {} ", response.as_str()), token.len())
        };
        for octets in [4096, 12_288] {
            let (line, token) = line(octets);
            assert_eq!(line.len() + 2, octets);
            let script = format!("{GREETING}{hello}C: {line}\nS: 235 Authentication successful");
            let experience = converse_with(config(), &script, listen);
            assert_eq!(experience.log[2], format!("token of {token} octets"));
        }
        let longest = limits == Limits::default().with_command_line(100_000);
        let too_long = if longest { 100_001 } else { 12_289 };
        for verb in ["AUTH", "auth"] {
            let line =
                format!("{verb} XOAUTH2 {}", "A".repeat(too_long - "AUTH XOAUTH2 \r\n".len()));
            assert_eq!(line.len() + 2, too_long);
            let script = format!(
                "{GREETING}{hello}C: {line}
                 S: 500 Authentication exchange line is too long
                 C: NOOP
                 S: 250 Ok"
            );
            converse_with(config(), &script, listen);
        }
        // Other commands keep theirs, those that begin like AUTH too.
        if !longest {
            for verb in ["NOOP", "AUTHX", "AUTH-", "XAUTH", "AUTH\u{1}"] {
                let line = format!("{verb} {}", "A".repeat(4096));
                let script = format!("{GREETING}{hello}C: {line}\nS: 500 Line too long");
                converse(config(), &script);
            }
        }
    }
    // Where AUTH is not offered, and before a hello, the line is read as well.
    let line = format!("AUTH XOAUTH2 {}", "A".repeat(8000));
    converse(config(), &format!("{GREETING}{EHLO}C: {line}\nS: 502 Command not implemented"));
    converse(
        config().with_auth(offer()),
        &format!("{GREETING}C: {line}\nS: 503 Send a hello first"),
    );
}

/// 3207-4.2-c, 4954-4-a
#[test]
fn auth_right_after_starttls_is_taken_and_reported() {
    let message = esmtp::syntax::Base64::encode(b"user=ann\x01auth=Bearer t\x01\x01");
    let script = |reply: &str| {
        format!(
            "{GREETING}C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-STARTTLS
             S: 250 AUTH XOAUTH2
             C: STARTTLS
             S: 220 Ready to start TLS
             C: AUTH XOAUTH2 {}
             S: {reply}",
            message.as_str()
        )
    };
    let config = || config().with_extension(Extension::StartTls).with_auth(offer());
    let experience = converse_with(config(), &script("235 Authentication successful"), listen);
    assert_eq!(experience.log[1], "auth auth_without_hello");
    let lenience = Lenience::default().without_auth_without_hello();
    for lenience in [lenience, Lenience::STRICT] {
        converse_with(config().with_lenience(lenience), &script("503 Send a hello first"), listen);
    }
    // After the second hello there is nothing to report.
    let script = script("").replace(
        "C: AUTH",
        "C: EHLO client.example.net\nS: 250-mx.example.org\nS: 250 AUTH XOAUTH2\nC: AUTH",
    );
    let script = script + "235 Authentication successful";
    assert_eq!(converse_with(config(), &script, listen).log[2], "auth ");
}

/// The client writes the addresses of an envelope as the application gave them.
#[test]
fn a_client_sends_the_addresses_that_it_was_given() {
    let lenience = Lenience::default()
        .with_dots_in_local_part()
        .with_underscore_in_domain()
        .with_general_literal();
    let long = format!("bounce+{}@list.example", "x".repeat(90));
    for (address, is_default) in [
        (&*long, true),
        ("a..b@docomo.example", false),
        (".a@c.example", false),
        ("a.@ezweb.example", false),
        ("a@b_c.example", false),
        ("a@[x400:b]", false),
    ] {
        assert_eq!(Envelope::new(address, &["bob@example.net"]).is_ok(), is_default);
        assert_eq!(Envelope::new("", &[address]).is_ok(), is_default);
        let mut mail = mail(&["bob@example.net"], "x\r\n");
        let submitter = Submitter::Mailbox(Mailbox::parse_with(address, lenience).unwrap());
        let mut parameters = Parameters::NONE;
        parameters.push("AUTH", Some(&submitter.to_string())).unwrap();
        mail.envelope = Envelope::new_with(address, &[address, "bob@example.net"], lenience)
            .unwrap()
            .with_parameters(parameters);
        Dialogue::new([Act::Send(mail)]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 AUTH PLAIN
             C: MAIL FROM:<{address}> AUTH={submitter}
             S: 250 ok
             C: RCPT TO:<{address}>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             C: DATA
             S: 354 go on
             C: x
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    }
}
