//! STARTTLS, both sides.

use crate::common::{Experience, config, converse, converse_with};
use crate::dialogue::{Act, Dialogue, after_offer, mail};
use esmtp::{
    client::{Client, Config, Event, TlsPolicy},
    machine::{Machine, Need, Upgradable},
    security::Security,
    server,
    syntax::{Extension, Rejection, Status, Text},
    testing::Driver,
    time::Instant,
};

const HELLO: &str = "
    S: 220 mx.example.org ESMTP service ready
    C: EHLO client.example.net
    S: 250-mx.example.org
    S: 250-PIPELINING
    S: 250 STARTTLS
";

fn offering() -> server::Config {
    let extensions = [Extension::Pipelining, Extension::StartTls].into_iter().collect();
    config().with_extensions(extensions)
}

/// Lets the handshake succeed at once.
fn secure(experience: &mut Experience, event: server::Event<'_>) {
    match event {
        server::Event::Upgrade(upgrade) => upgrade.succeed(Security::TLS),
        other => experience.answer(other),
    }
}

/// 3207-4-e: RFC 3207 section 4. A server that offers TLS takes mail without it.
#[test]
fn mail_is_taken_in_the_clear_where_tls_is_offered() {
    let experience = converse(
        offering(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 queued"
        ),
    );
    assert_eq!(experience.messages.len(), 1);
}

/// 3207-4-b: RFC 3207 section 4. The session goes on in the clear after a rejection, and STARTTLS may come
/// again. Whatever the application answers, the reply is 454.
#[test]
fn starttls_is_answered_with_220_501_or_454() {
    let refuse_once = |experience: &mut Experience, event: server::Event<'_>| match event {
        server::Event::StartTls(start_tls) if experience.aborts().is_empty() => {
            let refusals = [
                Rejection::TLS_NOT_AVAILABLE,
                Rejection::permanent(Status::OTHER_SECURITY, Text::literal("Never")),
                Rejection::transient(Status::OTHER_SECURITY, Text::literal("Not now")),
            ];
            let said = experience.log.iter().filter(|line| *line == "refused").count();
            experience.log.push("refused".into());
            start_tls.reject(refusals[said % refusals.len()].clone());
        }
        other => secure(experience, other),
    };
    let experience = converse_with(
        offering(),
        &format!(
            "{HELLO}
             C: STARTTLS now
             S: 501 This command takes no such argument
             C: STARTTLS
             S: 454 TLS not available due to temporary reason
             C: STARTTLS
             S: 454 Never
             C: STARTTLS
             S: 454 Not now
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RSET
             S: 250 Ok
             C: STARTTLS
             S: 220 Ready to start TLS
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250 PIPELINING"
        ),
        refuse_once,
    );
    assert_eq!(experience.aborts(), ["Reset"]);
}

/// 3207-4.2-h: RFC 3207 section 4.2. What comes in the clear after the 220, whole or in part, ends the session before the
/// handshake can, and is never a command.
#[test]
fn octets_between_220_and_the_handshake_are_no_commands() {
    for octets in [&b"MAIL FROM:<x@b.org>\r\n"[..], b"\r\n", b"N"] {
        let mut server =
            server::Server::new(offering().into(), server::Peer::UNKNOWN, Security::CLEAR);
        let mut experience = Experience::default();
        let mut said = Vec::new();
        let mut lines = [&b"EHLO client.example.net\r\n"[..], b"STARTTLS\r\n", octets].into_iter();
        loop {
            match server.poll(Instant::ORIGIN) {
                Need::Answer if server.is_upgrading() => match lines.next() {
                    Some(line) => assert_eq!(server.feed(line), line.len()),
                    None => panic!("the octets were overlooked"),
                },
                Need::Answer => experience.answer(server.event().unwrap()),
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&b""[..]; 4];
                    let filled = server.to_send(&mut slices);
                    let octets = slices[..filled].concat();
                    server.sent(octets.len());
                    said.extend(octets);
                }
                Need::Read(_) => {
                    let line = lines.next().unwrap();
                    assert_eq!(server.feed(line), line.len());
                }
                Need::Wait(_) => panic!("nothing is delayed"),
                Need::Close => break,
            }
        }
        assert_eq!(server.end(), Some(server::End::Injection));
        assert!(said.ends_with(b"220 Ready to start TLS\r\n"), "{}", said.escape_ascii());
        assert_eq!(experience.log, ["hello client.example.net"]);
    }
}

/// 3207-4.1-b: RFC 3207 section 4.1. Of a chunk the octets are still no commands.
#[test]
fn an_insufficiently_secure_channel_allows_only_quit() {
    let weak = |experience: &mut Experience, event: server::Event<'_>| match event {
        server::Event::Hello(hello) if hello.facts().security().is_tls() => hello.not_secure(),
        other => secure(experience, other),
    };
    let refused = "554 Command refused due to lack of security";
    let refusals = [
        "EHLO client.example.net",
        "HELO client.example.net",
        "NOOP",
        "MAIL FROM:<a@b.org>",
        "AUTH PLAIN",
        "NO",
    ]
    .map(|command| format!("C: {command}\nS: {refused}\n"))
    .concat();
    let experience = converse_with(
        offering()
            .with_extensions([Extension::StartTls, Extension::Chunking].into_iter().collect()),
        &format!(
            "S: 220 mx.example.org ESMTP service ready
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-CHUNKING
             S: 250 STARTTLS
             C: STARTTLS
             S: 220 Ready to start TLS
             {refusals}
             C| BDAT 6 LAST\\r\\nQUIT\\r\\n
             S: {refused}
             C: QUIT
             S: 221 Service closing transmission channel
             S: (closed)"
        ),
        weak,
    );
    assert_eq!(experience.end, Some(server::End::Quit));
    assert_eq!(experience.log, ["hello client.example.net"]);
}

/// A transaction that can go on no more is over, and what has come of it need not be kept.
#[test]
fn a_channel_that_is_no_longer_secure_enough_ends_the_transaction() {
    for content in ["", "C: BDAT 2\nC| \\r\\n\nS: 250 Chunk received\n"] {
        let experience = converse_with(
            config().with_extensions([Extension::Chunking].into_iter().collect()),
            &format!(
                "S: 220 mx.example.org ESMTP service ready
                 C: EHLO client.example.net
                 S: 250-mx.example.org
                 S: 250 CHUNKING
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok
                 C: RCPT TO:<c@d.org>
                 S: 250 Ok
                 {content}C: EHLO again.example.net
                 S: 554 Command refused due to lack of security"
            ),
            |experience, event| match event {
                server::Event::Hello(hello) if hello.facts().host().is_some() => hello.not_secure(),
                other => experience.answer(other),
            },
        );
        assert_eq!(experience.aborts(), ["Refused"], "{content}");
    }
}

/// 3207-4-g: RFC 3207 section 4.2. What a transaction holds never comes to be inside TLS: STARTTLS is
/// refused, and the transaction goes on where it was.
#[test]
fn a_transaction_is_not_carried_into_tls() {
    let experience = converse_with(
        offering(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: STARTTLS
             S: 503 Transaction already in progress
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: STARTTLS
             S: 503 Transaction already in progress
             C: RSET
             S: 250 Ok
             C: STARTTLS
             S: 220 Ready to start TLS
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250 PIPELINING
             C: RCPT TO:<c@d.org>
             S: 503 Need MAIL command"
        ),
        secure,
    );
    assert_eq!(experience.aborts(), ["Reset"]);
}

/// 3207-4-f, 3207-6-a: RFC 3207 sections 4 and 6. Where TLS is required, nothing but the way into it is open.
#[test]
fn nothing_is_done_in_the_clear_where_tls_is_required() {
    use esmtp::sasl::{Mechanism, Offer};

    let extensions =
        [Extension::StartTls, Extension::EnhancedStatusCodes, Extension::Expn, Extension::Help];
    let config = config()
        .with_extensions(extensions.into_iter().collect())
        .with_auth(Offer::new([Mechanism::PLAIN]))
        .with_required_tls(true);
    let refused: String = [
        "HELO client.example.net",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "RSET",
        "VRFY ann",
        "EXPN friends",
        "HELP",
        "AUTH PLAIN AGFubgBzZWNyZXQ=",
    ]
    .iter()
    .map(|command| {
        // No enhanced code in reply to a hello (RFC 2034 section 4).
        let code = if command.starts_with("HELO") { "530" } else { "530 5.7.0" };
        format!("C: {command}\nS: {code} Must issue a STARTTLS command first\n")
    })
    .collect();
    converse_with(
        config,
        &format!(
            "S: 220 mx.example.org ESMTP service ready
             {refused}
             C: NOOP
             S: 250 2.0.0 Ok
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-ENHANCEDSTATUSCODES
             S: 250-STARTTLS
             S: 250-EXPN
             S: 250 HELP
             {refused}
             C: NOOP
             S: 250 2.0.0 Ok
             C: STARTTLS
             S: 220 2.0.0 Ready to start TLS
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-ENHANCEDSTATUSCODES
             S: 250-AUTH PLAIN
             S: 250-EXPN
             S: 250 HELP
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: QUIT
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)"
        ),
        secure,
    );
}

/// Returns a client after EHLO, where these extensions were offered, and what it sends then.
fn opened(policy: TlsPolicy, offered: &str) -> (Driver<Client>, String) {
    let config = Config::new("me.example.org").unwrap().with_tls(policy);
    let mut client = Driver::new(Client::new(config, Security::CLEAR));
    assert_eq!(client.advance(""), "");
    assert_eq!(client.advance("220 mx\r\n"), "EHLO me.example.org\r\n");
    let said = client.advance(format!("250-mx\r\n250-PIPELINING\r\n250 {offered}\r\n"));
    (client, said)
}

/// 3207-4-c, 3207-4.2-j, 3207-4.2-d: RFC 3207 sections 4 and 4.2, RFC 2920 section 3.1. STARTTLS goes
/// alone, nothing is sent between 220 and the end of the handshake, and then EHLO.
#[test]
fn nothing_is_sent_around_the_handshake() {
    for policy in [TlsPolicy::Required, TlsPolicy::IfOffered] {
        let (mut client, said) = opened(policy, "STARTTLS");
        assert_eq!(said, "STARTTLS\r\n");
        assert!(matches!(client.need(), Need::Read(_)));
        assert_eq!(client.advance("220 go\r\n"), "");
        assert_eq!(client.machine().to_send(&mut [&b""[..]; 4]), 0);
        assert!(client.machine().is_upgrading());
        assert!(matches!(client.machine_mut().event(), Some(Event::Upgrade(_))));
        client.machine_mut().upgraded(Security::TLS);
        assert_eq!(client.advance(""), "EHLO me.example.org\r\n");
    }
}

/// 3207-4.2-j: nor does anything precede it in its group: a transaction that may be open is reset, and
/// the reply to that is awaited.
#[test]
fn nothing_is_pipelined_with_starttls() {
    Dialogue::new([Act::Send(mail(&["bob@example.net"], "")), Act::StartTls]).plays(&after_offer(
        "PIPELINING|STARTTLS",
        "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 550 no
         S: 503 no
         C: RSET
         S: 250 ok
         C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
}

/// 3207-4.1-a: RFC 3207 section 4.1. The first question after the handshake shows how the channel is
/// protected, and an application that finds it too weak ends with QUIT: no MAIL and no AUTH was sent.
#[test]
fn a_channel_that_is_too_weak_is_left_with_quit() {
    let (mut client, said) = opened(TlsPolicy::Required, "STARTTLS");
    assert_eq!(said, "STARTTLS\r\n");
    assert_eq!(client.advance("220 go\r\n"), "");
    assert_eq!(client.need(), Need::Answer);
    client.machine_mut().upgraded(Security::TLS.with_version("TLSv1_2").with_cipher("TLS_NULL"));
    assert_eq!(client.advance(""), "EHLO me.example.org\r\n");
    assert_eq!(client.advance("250-mx\r\n250 AUTH PLAIN\r\n"), "");
    assert_eq!(client.need(), Need::Answer);
    let Some(Event::Ready(ready)) = client.machine_mut().event() else { panic!("not ready") };
    assert_eq!(ready.security().cipher(), Some("TLS_NULL"));
    assert!(!ready.security().is_verified());
    ready.quit();
    assert_eq!(client.advance(""), "QUIT\r\n");
}

/// 3207-4.2-c, 3207-4.2-g: RFC 3207 section 4.2. What was learnt and proven in the clear does not count inside TLS: the
/// client may authenticate again, and sees no STARTTLS, whatever the server lists there.
#[test]
fn nothing_of_the_session_in_the_clear_counts_inside_tls() {
    let acts = [
        Act::AuthBySteps("ANONYMOUS", Some("x"), &[]),
        Act::StartTls,
        Act::AuthBySteps("ANONYMOUS", Some("x"), &[]),
        Act::StartTls,
    ];
    let notes = Dialogue::new(acts).plays(&after_offer(
        "AUTH ANONYMOUS|STARTTLS",
        "C: AUTH ANONYMOUS eA==
         S: 235 welcome
         C: STARTTLS
         S: 220 go
         (secured)
         C: EHLO me.example.org
         S: 250-mx
         S: 250-AUTH ANONYMOUS
         S: 250 STARTTLS
         C: AUTH ANONYMOUS eA==
         S: 235 welcome
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    let refused = "not offered: the message needs STARTTLS, which is not offered";
    assert_eq!(notes, [refused, "end: the session was ended with QUIT"]);
    let (mut client, said) = opened(TlsPolicy::Required, "STARTTLS");
    assert_eq!(said, "STARTTLS\r\n");
    assert_eq!(client.advance("220 go\r\n"), "");
    assert_eq!(client.need(), Need::Answer);
    client.machine_mut().upgraded(Security::TLS);
    assert_eq!(client.advance(""), "EHLO me.example.org\r\n");
    assert_eq!(client.advance("250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n"), "");
    assert_eq!(client.need(), Need::Answer);
    let Some(Event::Ready(ready)) = client.machine_mut().event() else { panic!("not ready") };
    assert!(!ready.extensions().contains(Extension::StartTls));
    assert!(!ready.extensions().contains(Extension::Pipelining), "that was offered in the clear");
    ready.quit();
}
