//! No command and no reply of one line or more costs an allocation when it is parsed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what went wrong by failing"
)]

use esmtp::syntax::{
    Command, Extension, Extensions, Lenience, MailParameters, Parameters, RcptParameters, Reply,
    Verb,
};

const COMMANDS: &[&str] = &[
    "EHLO client.example.org",
    "EHLO [IPv6:2001:db8::1]",
    "HELO client.example.org",
    "LHLO [192.0.2.1]",
    "EHLO my_host",
    "EHLO MÜLLER-PC",
    "EHLO john's-mac",
    "MAIL FROM:<>",
    "MAIL FROM:<ann@example.org>",
    "MAIL FROM: <ann@example.org> ",
    "MAIL FROM:<\"ann \\\"the\\\" other\"@example.org> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159",
    "MAIL FROM:<ann@example.org> AUTH=ann@example.org BY=120;R HOLDFOR=60 MT-PRIORITY=3 SOLICIT=a:b CONPERM MTRK=abc:1",
    "MAIL FROM:<grüße@bücher.example> SMTPUTF8",
    "RCPT TO:<Postmaster>",
    "RCPT TO:<@hop.example,@two.example:bob@[IPv6:2001:db8::1]>",
    "RCPT TO:<bounces+a-very-long-return-address-of-a-list-with-many-members=bob=example.net@list.example>",
    "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.net RRVS=2022-01-02T01:01:01Z CONNEG",
    "DATA",
    "BDAT 1000 LAST",
    "RSET",
    "NOOP anything at all",
    "QUIT",
    "HELP MAIL",
    "VRFY ann@example.org",
    "EXPN \"the list\" SMTPUTF8",
    "STARTTLS",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==",
    "AUTH SCRAM-SHA-256-PLUS",
    "ETRN @example.org",
    "ATRN a.example,b.example",
    "BURL imap://u@h.example/x;uid=1 LAST",
    "XCLIENT NAME=spike.example ADDR=192.0.2.1 PORT=[UNAVAILABLE]",
    "XFORWARD NAME=spike.example IDENT=3CF6 SOURCE=LOCAL",
    "SAML FROM:<ann@example.org>",
    "XYZZY plugh",
    // and what is refused
    "",
    "MAIL FROM:<ann@>",
    "MAIL FROM:<ann@example.org> SIZE==1",
    "RCPT TO:<\"unclosed@example.org>",
    "AUTH PLAIN A=AA",
    "EHLO \u{1}",
];

const REPLIES: &[&str] = &[
    "250 OK\r\n",
    "250\r\n",
    "550 5.1.1 No such mailbox here\r\n",
    "250-mx.example.org\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n",
    "250 unfinished",
    "250-a\r\n550 b\r\n",
];

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn parsing_a_command_allocates_nothing() {
    for line in COMMANDS {
        let count = allocations(|| {
            let _ = Command::parse_with(line.as_bytes(), Lenience::default());
            let _ = Verb::of(line.as_bytes());
        });
        assert_eq!(count, 0, "{line}");
    }
}

#[test]
fn reading_parameters_allocates_nothing() {
    let offered: Extensions = Extension::ALL.iter().copied().collect();
    for line in COMMANDS {
        let count = match Command::parse(line.as_bytes(), Lenience::default()) {
            Ok(Command::Mail { parameters, .. }) => allocations(|| {
                MailParameters::parse(&parameters, &offered).unwrap();
            }),
            Ok(Command::Rcpt { parameters, .. }) => allocations(|| {
                RcptParameters::parse(&parameters, &offered).unwrap();
            }),
            _ => continue,
        };
        assert_eq!(count, 0, "{line}");
    }
    assert_eq!(allocations(|| drop(Parameters::parse("SIZE=1 X").unwrap())), 0);
}

#[test]
fn parsing_a_reply_allocates_nothing() {
    for input in REPLIES {
        let count = allocations(|| {
            if let Ok(Some((reply, _))) = Reply::parse(input.as_bytes()) {
                assert!(reply.lines().count() > 0);
            }
        });
        assert_eq!(count, 0, "{input}");
    }
}

/// One growing buffer, not one for each line.
#[test]
fn a_list_of_extensions_costs_a_handful_of_allocations() {
    let mut wire = String::from("250-mx.example.org\r\n");
    for number in 0..1000 {
        wire.push_str(&format!("250-X-{number} argument\r\n"));
    }
    wire.push_str("250 DSN\r\n");
    let (reply, _) = Reply::parse(wire.as_bytes()).unwrap().unwrap();
    let count = allocations(|| drop(Extensions::parse(&reply)));
    assert!(count < 20, "{count}");
}
