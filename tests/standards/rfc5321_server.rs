//! RFC 5321: what a server answers, and what it bears (sections 4.1.1.11 to 7).

use crate::common::{Experience, HELLO, config, converse, converse_with};
use esmtp::{
    machine::Need,
    sasl::{Mechanism, Offer},
    security::Security,
    server::{Config, Event, Limits, Peer, Server},
    service::Service,
    syntax::{Code, Extension, Extensions, ForwardPath, Lenience, Rejection, Reply, Text},
    testing::Driver,
};
use std::{net::SocketAddr, sync::Arc};

const EHLO: &str = "EHLO client.example.net\r\n";
const MAIL: &str = "MAIL FROM:<a@b.org>\r\n";
const RCPT: &str = "RCPT TO:<c@d.org>\r\n";
const CONTENT: &str = "x\r\n.\r\n";

/// A session without a script, in which no time passes.
struct Session {
    driver: Driver<Server>,
    experience: Experience,
    answer: fn(&mut Experience, Event<'_>),
}

impl Session {
    fn new(config: Config) -> Self {
        Self::with(config, Experience::answer)
    }

    fn with(config: Config, answer: fn(&mut Experience, Event<'_>)) -> Self {
        Self::of(config, Peer::UNKNOWN, answer)
    }

    fn of(config: Config, peer: Peer, answer: fn(&mut Experience, Event<'_>)) -> Self {
        let mut session = Self::silent(config, peer, answer);
        assert_eq!(session.code(""), 220);
        session
    }

    /// Returns a server before the greeting.
    fn silent(config: Config, peer: Peer, answer: fn(&mut Experience, Event<'_>)) -> Self {
        let server = Server::new(Arc::new(config), peer, Security::CLEAR);
        Self { driver: Driver::new(server), experience: Experience::default(), answer }
    }

    /// Returns the replies of the server to these octets.
    fn hear(&mut self, octets: &str) -> String {
        let Self { driver, experience, answer } = self;
        let replies = driver.exchange(octets, |event| answer(experience, event));
        assert!(!matches!(driver.need(), Need::Wait(_)), "the server waits");
        replies
    }

    /// Returns the codes of its replies.
    fn codes(&mut self, octets: &str) -> Vec<u16> {
        let said = self.hear(octets);
        let (mut rest, mut codes) = (said.as_bytes(), Vec::new());
        while let Some((reply, octets)) = Reply::parse(rest).unwrap() {
            codes.push(reply.code().get());
            rest = &rest[octets..];
        }
        assert!(rest.is_empty(), "{said}");
        codes
    }

    /// Returns the code of its only reply.
    #[track_caller]
    fn code(&mut self, octets: &str) -> u16 {
        let codes = self.codes(octets);
        assert_eq!(codes.len(), 1, "{octets}: {codes:?}");
        codes[0]
    }
}

/// 5321-4.1.1.11-c: RFC 5321 section 4.1.1.11.
#[test]
fn a_parameter_of_what_was_not_announced_is_unknown() {
    let script = format!(
        "{HELLO}C: MAIL FROM:<a@b.org> RET=HDRS
         S: 555 5.5.4 Parameter not recognised or not implemented
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org> NOTIFY=NEVER
         S: 555 5.5.4 Parameter not recognised or not implemented
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok"
    );
    converse(config(), &script);
    let mut session = Session::new(config().with_extension(Extension::Dsn));
    let _ = session.hear(EHLO);
    assert_eq!(session.code("MAIL FROM:<a@b.org> RET=HDRS\r\n"), 250);
    assert_eq!(session.code("RCPT TO:<c@d.org> NOTIFY=NEVER\r\n"), 250);
}

/// 5321-4.1.2-h: RFC 5321 section 4.1.2.
#[test]
fn invalid_characters_in_a_domain_are_refused_with_501() {
    let mut session = Session::new(config().with_lenience(Lenience::STRICT));
    for hello in ["EHLO a_b", "HELO a_b.example", "EHLO -a.example", "EHLO a..example", "EHLO a$b"]
    {
        assert_eq!(session.code(&format!("{hello}\r\n")), 501, "{hello}");
    }
    let _ = session.hear(EHLO);
    for domain in ["b_c.org", "b..org", "-b.org", "b!.org", "[192.0.2.300]"] {
        assert_eq!(session.code(&format!("MAIL FROM:<a@{domain}>\r\n")), 501, "{domain}");
    }
    assert_eq!(session.code(MAIL), 250);
    assert_eq!(session.code("RCPT TO:<c@d_e.org>\r\n"), 501);
}

/// 5321-4.1.4-a, 5321-4.1.4-h, 5321-4.1.4-j, 5321-3.3-l: RFC 5321 sections 3.3 and 4.1.4. A client
/// has the other half: it gives an envelope and then content, and no call has another order.
#[test]
fn commands_out_of_order_get_503_and_change_nothing() {
    let (data, other_mail, other_rcpt) =
        ("DATA\r\n", "MAIL FROM:<x@y.org>\r\n", "RCPT TO:<x@y.org>\r\n");
    let way = [EHLO, MAIL, RCPT];
    for (steps, misplaced) in [
        (0, &[other_mail, other_rcpt, data][..]),
        (1, &[other_rcpt, data, "BDAT 0 LAST\r\n"]),
        (2, &[other_mail, data, "BDAT 0 LAST\r\n"]),
        (3, &[other_mail]),
    ] {
        for command in misplaced {
            let mut session = Session::new(config());
            for step in &way[..steps] {
                assert_eq!(session.code(step), 250);
            }
            assert_eq!(session.code(command), 503, "{command} after {steps} steps");
            for step in &way[steps..] {
                assert_eq!(session.code(step), 250, "{step} after {command}");
            }
            assert_eq!(session.code(data), 354);
            assert_eq!(session.code(CONTENT), 250);
            let messages = &session.experience.messages;
            assert_eq!(messages.len(), 1);
            assert_eq!((messages[0].from.as_str(), messages[0].to.len()), ("<a@b.org>", 1));
            assert_eq!(messages[0].to[0], "<c@d.org>");
        }
    }
}

/// 5321-4.1.4-b: RFC 5321 section 4.1.4.
#[test]
fn some_commands_need_no_hello() {
    for (command, code) in
        [("NOOP", 250), ("HELP", 214), ("EXPN a", 502), ("VRFY a", 252), ("RSET", 250)]
    {
        let mut session = Session::new(config());
        assert_eq!(session.code(&format!("{command}\r\n")), code, "{command}");
    }
    let config = config().with_extension(Extension::Expn);
    let mut session = Session::with(config, |_, event| match event {
        Event::Expand(expand) => expand.cannot_verify(),
        other => other.proceed(),
    });
    assert_eq!(session.code("EXPN a\r\n"), 252);
}

/// 5321-4.1.4-d, 5321-4.1.4-e: RFC 5321 section 4.1.4.
#[test]
fn a_refused_hello_changes_nothing() {
    let answer = |experience: &mut Experience, event: Event<'_>| match event {
        Event::Hello(hello) => match hello.name().to_string().strip_suffix(".refused.example") {
            None => hello.accept(),
            Some(index) => {
                let index: usize = index.parse().unwrap();
                hello.reject(Rejection::NAMED[index].clone());
            }
        },
        other => experience.answer(other),
    };
    let mut session =
        Session::with(config().with_limits(Limits::default().with_errors(1000)), answer);
    for step in [EHLO, MAIL, RCPT] {
        assert_eq!(session.code(step), 250);
    }
    for (hello, code) in
        [("EHLO", 501), ("EHLO a\tb", 501), ("HELO", 501), ("EHLO \u{1b}", 501), ("EHLO a\0b", 500)]
    {
        assert_eq!(session.code(&format!("{hello}\r\n")), code, "{hello}");
    }
    for (index, rejection) in Rejection::NAMED.iter().enumerate() {
        if rejection.is_transient() {
            continue;
        }
        for verb in ["EHLO", "HELO"] {
            let said = session.hear(&format!("{verb} {index}.refused.example\r\n"));
            let text = rejection.reply().lines().next().unwrap();
            let text = std::str::from_utf8(text).unwrap();
            assert_eq!(said, format!("550 {text}\r\n"));
        }
    }
    assert_eq!(session.driver.machine().facts().host().unwrap().to_string(), "client.example.net");
    assert_eq!(session.code("DATA\r\n"), 354);
    assert_eq!(session.code(CONTENT), 250);
    assert_eq!(session.experience.messages[0].from, "<a@b.org>");
    let mut lmtp = Session::new(config().with_service(Service::Lmtp));
    assert_eq!(lmtp.code(EHLO), 500);
}

/// RFC 5321 section 4.1.4.
#[test]
fn a_hello_beyond_the_limit_is_rejected() {
    let limits = Limits::default().with_idle_commands(1);
    let mut session = Session::new(config().with_limits(limits));
    // The first is no more than what is needed.
    let _ = session.hear(EHLO);
    let _ = session.hear(EHLO);
    let said = session.hear(EHLO);
    assert!(said.starts_with("550 Too many"), "{said}");
}

/// 5321-4.1.4-f: RFC 5321 section 4.1.4.
#[test]
fn a_hello_name_need_not_match_the_address() {
    let address: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    let name = esmtp::syntax::Domain::new("a.example.com").unwrap();
    for hello in ["EHLO other.example.net\r\n", "EHLO [198.51.100.9]\r\n", "HELO localhost\r\n"] {
        let peer = Peer::from(address).with_name(name.clone());
        let mut session = Session::of(config(), peer, Experience::answer);
        for step in [hello, MAIL, RCPT] {
            assert_eq!(session.code(step), 250, "{step}");
        }
        assert_eq!(session.code("DATA\r\n"), 354);
        assert_eq!(session.code(CONTENT), 250);
        assert_eq!(session.experience.messages.len(), 1);
    }
}

/// 5321-4.1.4-i: RFC 5321 section 4.1.4.
#[test]
fn a_mail_argument_that_is_not_a_path_gets_501() {
    for argument in
        ["FROM:a b", "FROM:<a@b.org", "TO:<a@b.org>", "FROM:<@b.org>", "FROM:<a@b.org> SIZE=x", ""]
    {
        let mut session = Session::new(config());
        let _ = session.hear(EHLO);
        assert_eq!(session.code(&format!("MAIL {argument}\r\n")), 501, "{argument}");
        assert_eq!(session.code(RCPT), 503);
        assert!(session.experience.log.iter().all(|line| line.starts_with("hello")));
        assert_eq!(session.code(MAIL), 250);
    }
}

/// 5321-4.1.5-a, 5321-4.2.4-a: RFC 5321 sections 4.1.5 and 4.2.4.
#[test]
fn unknown_commands_get_500_and_unimplemented_ones_502() {
    let mut session = Session::new(config());
    let _ = session.hear(EHLO);
    for command in ["FOO", "XFOO", "X-FOO bar", "BLAH", "MAILX FROM:<a@b.org>"] {
        assert_eq!(session.code(&format!("{command}\r\n")), 500, "{command}");
    }
    for command in [
        "EXPN list",
        "ETRN example.org",
        "AUTH PLAIN",
        "STARTTLS",
        "XCLIENT NAME=a",
        "SEND FROM:<a@b.org>",
    ] {
        assert_eq!(session.code(&format!("{command}\r\n")), 502, "{command}");
    }
}

/// 5321-4.2-a: RFC 5321 section 4.2.
#[test]
fn every_command_gets_exactly_one_reply() {
    let each = [
        "NOOP",
        "NOOP a b",
        "",
        "FOO",
        "EHLO",
        "MAIL",
        "RCPT TO:<c@d.org>",
        "DATA",
        "EXPN a",
        "VRFY a",
        "HELP",
        "HELP MAIL",
        "RSET",
        "RSET x",
        "BDAT 0 LAST",
        "AUTH PLAIN",
        "STARTTLS",
        "ETRN a",
        "SOML FROM:<a@b.org>",
        "HELO a",
        "EHLO a",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<nobody@d.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
    ];
    let limits = Limits::default().with_errors(1000);
    let mut session = Session::new(config().with_limits(limits));
    for command in each {
        let _ = session.code(&format!("{command}\r\n"));
    }
    // DATA has one of its own, and one for what it brought.
    assert_eq!(session.codes(CONTENT), [250]);
    let group = format!("{MAIL}{RCPT}FOO\r\n{RCPT}RSET\r\n{RCPT}{MAIL}\r\nRSET\r\nQUIT\r\n");
    assert_eq!(session.codes(&group).len(), group.lines().count());
}

/// 5321-4.2-a: RFC 5321 section 4.2. What comes in pieces or in several lines has one reply too: a line without an end
/// in sight, a hello in a transaction, a chunk, each line of AUTH.
#[test]
fn commands_that_arrive_in_pieces_get_exactly_one_reply() {
    let offer = Offer::new([Mechanism::LOGIN]).with_secrets_in_clear();
    let limits = Limits::default().with_errors(1000);
    let config = config().with_limits(limits).with_auth(offer);
    let mut session = Session::with(config, |experience, event| match event {
        Event::Auth(auth) => auth.verify(Box::new(esmtp::sasl::LoginVerifier::new())),
        Event::Credentials(credentials) => match credentials.question {
            esmtp::sasl::Question::Password(question) => question.accept(),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        other => experience.answer(other),
    });
    assert_eq!(session.code(EHLO), 250);
    for (piece, codes) in [
        ("AUTH LOGIN\r\n", &[334][..]),
        ("YW5u\r\n", &[334]),
        ("c2VjcmV0\r\n", &[235]),
        (MAIL, &[250]),
        (EHLO, &[250]),
        (RCPT, &[503]),
        (MAIL, &[250]),
        (RCPT, &[250]),
        ("BDAT 4\r\na", &[]),
        ("bc", &[]),
        ("d", &[250]),
        ("BDAT 0\r\n", &[250]),
        ("BDAT 2 LAST\r\n", &[]),
        ("\r\n", &[250]),
        ("BDAT 9 LAST\r\n", &[]),
        ("QUIT\r\nRS", &[]),
        ("E", &[503]),
        ("NOO", &[]),
        ("P\r\n", &[250]),
    ] {
        assert_eq!(session.codes(piece), codes, "{piece}");
    }
    let long = "x".repeat(9000);
    for piece in [&long, &long, "\r"] {
        assert!(session.codes(piece).is_empty(), "the line has no end yet");
    }
    assert_eq!(session.codes("\n"), [500]);
    assert_eq!(session.codes("QUIT\r\n"), [221]);
}

/// 5321-4.2-e: RFC 5321 section 4.2.
#[test]
fn a_space_follows_the_code_of_a_reply_without_text() {
    for code in Code::NAMED {
        let mut out = Vec::new();
        Reply::line(*code, None, Text::literal("")).encode(&mut out);
        assert_eq!(out, format!("{code} \r\n").into_bytes());
    }
    let mut out = Vec::new();
    Reply::new(Code::OK, None, "\n\na\n").unwrap().encode(&mut out);
    assert_eq!(out, b"250-\r\n250-\r\n250-a\r\n250 \r\n");
    let mut session = Session::with(config(), |experience, event| match event {
        Event::Deliver(delivery) => delivery.accept_with(Text::literal("")),
        other => experience.answer(other),
    });
    for step in [EHLO, MAIL, RCPT, "DATA\r\n"] {
        let _ = session.hear(step);
    }
    assert_eq!(session.hear(CONTENT), "250 2.0.0 \r\n");
}

/// 5321-4.2-j, 5321-4.2.1-b: RFC 5321 sections 4.2 and 4.2.1.
#[test]
fn text_of_the_application_cannot_break_out_of_its_reply() {
    for text in ["a\r\n550 b", "a\nb", "a\rb", "a\0b"] {
        assert!(Text::new(text).is_err());
    }
    for text in ["a\r\n550 b", "a\rb", "a\0b"] {
        assert!(Reply::new(Code::OK, None, text).is_err());
    }
    let mut out = Vec::new();
    Reply::new(Code::OK, None, "a\n550 b\n221 c").unwrap().encode(&mut out);
    assert_eq!(out, b"250-a\r\n250-550 b\r\n250 221 c\r\n");
}

/// 5321-4.2.4-b: RFC 5321 section 4.2.4. The application does not care about anything.
#[test]
fn commands_that_ehlo_lists_never_get_500_or_502() {
    for (extension, command) in [
        (Extension::Chunking, "BDAT 1 LAST\r\nx"),
        (Extension::StartTls, "STARTTLS\r\n"),
        (Extension::Auth, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"),
        (Extension::Etrn, "ETRN example.org\r\n"),
        (Extension::Burl, "BURL imap://a@b.example/c LAST\r\n"),
        (Extension::Vrfy, "VRFY a\r\n"),
        (Extension::Expn, "EXPN a\r\n"),
        (Extension::Help, "HELP\r\n"),
        (Extension::Xclient, "XCLIENT NAME=a\r\n"),
        (Extension::Xforward, "XFORWARD NAME=a\r\n"),
    ] {
        let service =
            if extension == Extension::Burl { Service::Submission } else { Service::Smtp };
        let mut config =
            config().with_service(service).with_extensions(Extensions::NONE.with(extension));
        if extension == Extension::Auth {
            config = config.with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
        }
        // The delay before a rejected AUTH is not part of this test.
        let timeouts =
            esmtp::server::Timeouts::default().with_auth_failure(std::time::Duration::ZERO);
        let mut session = Session::with(config.with_timeouts(timeouts), |_, event| event.proceed());
        let list = session.hear(EHLO);
        assert!(list.contains(extension.keyword()), "{list}");
        let code = session.codes(command)[0];
        assert!(!matches!(code, 500 | 502), "{command}: {code}");
        let mut without =
            Session::new(self::config().with_service(service).with_extensions(Extensions::NONE));
        assert_eq!(without.hear(EHLO), "250 mx.example.org\r\n");
        if !matches!(extension, Extension::Vrfy | Extension::Help) {
            assert_eq!(without.codes(command)[0], 502, "{command}");
        }
    }
}

/// 5321-4.2.5-a: RFC 5321 section 4.2.5.
#[test]
fn a_message_that_was_refused_is_not_delivered() {
    for rejection in Rejection::NAMED {
        let mut session = Session::with(config(), |experience, event| match event {
            Event::Deliver(delivery) => {
                experience.log.push("deliver".into());
                let index = delivery.envelope().reverse_path().to_string();
                let index: usize = index[1..].split('@').next().unwrap().parse().unwrap();
                delivery.reject(Rejection::NAMED[index].clone());
            }
            other => experience.answer(other),
        });
        let index = Rejection::NAMED.iter().position(|it| it == rejection).unwrap();
        for step in [EHLO, &format!("MAIL FROM:<{index}@b.org>\r\n"), RCPT, "DATA\r\n"] {
            let _ = session.hear(step);
        }
        assert_eq!(session.code(CONTENT), rejection.code().get());
        let asked =
            |session: &Session| session.experience.log.iter().filter(|it| *it == "deliver").count();
        let _ = session.codes("NOOP\r\n");
        let _ = session.codes("RSET\r\n");
        let _ = session.codes("QUIT\r\n");
        assert_eq!(asked(&session), 1);
        assert_eq!(session.driver.machine().totals().messages(), 0);
        assert!(session.driver.machine().facts().transaction().is_none());
    }
}

/// 5321-4.3.1-c: RFC 5321 section 4.3.1.
#[test]
fn the_greeting_begins_with_the_name_of_the_server() {
    converse(config(), "S: 220 mx.example.org ESMTP service ready");
    converse_with(config(), "S: 220 mx.example.org ESMTP at your service", |experience, event| {
        match event {
            Event::Connect(connect) => connect.accept_with(Text::literal("at your service")),
            other => experience.answer(other),
        }
    });
}

/// 5321-4.2-b, 5321-4.2-g, 5321-4.3.2-b: RFC 5321 sections 4.2 and 4.3.2.
#[test]
fn a_code_has_three_digits_and_begins_with_2_to_5() {
    for code in [0, 25, 99, 100, 199, 600, 999, 1000, 2500, u16::MAX] {
        assert_eq!(Code::new(code), None);
        assert!(Code::try_from(code).is_err());
    }
    for code in [200, 299, 300, 399, 400, 499, 500, 599].map(|code| Code::new(code).unwrap()) {
        let mut out = Vec::new();
        Reply::line(code, None, Text::literal("x")).encode(&mut out);
        assert_eq!(out.len(), "250 x\r\n".len());
        assert!((b'2'..=b'5').contains(&out[0]));
    }
}

/// 5321-4.3.2-c: RFC 5321 section 4.3.2.
#[test]
fn a_line_of_512_octets_is_never_too_long() {
    let line = |octets: usize| format!("NOOP {}\r\n", "x".repeat(octets - "NOOP \r\n".len()));
    for limit in [0, 1, 511, 512] {
        let limits = Limits::default().with_command_line(limit).with_receive_buffer(1);
        let bare = config().with_extensions(Extensions::NONE);
        let mut session = Session::new(bare.with_limits(limits));
        assert_eq!(session.code(&line(511)), 250);
        assert_eq!(session.code(&line(512)), 250);
        assert_eq!(session.code(&line(513)), 500);
        assert_eq!(session.code(&line(512)), 250);
    }
}

/// The codes that any command may get (RFC 5321 section 4.3.2).
const ANY: [u16; 3] = [500, 501, 421];

/// Asserts that a command sent at this stage gets one of these codes.
#[track_caller]
fn usual(session: &mut Session, command: &str, codes: &[u16]) {
    let code = session.code(&format!("{command}\r\n"));
    assert!(codes.contains(&code) || ANY.contains(&code), "{command}: {code}");
}

/// 5321-4.3.2-e, 5321-4.3.2-f: RFC 5321 section 4.3.2.
#[test]
fn greetings_and_hellos_are_answered_with_their_codes() {
    let refusing = |_: &mut Experience, event: Event<'_>| match event {
        Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
        other => other.proceed(),
    };
    assert_eq!(Session::silent(config(), Peer::UNKNOWN, Experience::answer).code(""), 220);
    assert_eq!(Session::silent(config(), Peer::UNKNOWN, refusing).code(""), 554);
    let mut session = Session::silent(config(), Peer::UNKNOWN, Experience::answer);
    session.driver.machine_mut().shut_down();
    assert_eq!(session.code(""), 421);
    let mut session = Session::new(config());
    for hello in
        ["EHLO a", "HELO a", "EHLO", "HELO", "EHLO [::1]", "HELO [192.0.2.1]", "EHLO \u{e9}"]
    {
        usual(&mut session, hello, &[250, 504, 550, 502]);
    }
}

/// 5321-4.3.2-g, 5321-4.3.2-h, 5321-4.3.2-i: RFC 5321 section 4.3.2.
#[test]
fn the_commands_of_a_transaction_are_answered_with_their_codes() {
    const MAILS: [u16; 9] = [250, 552, 451, 452, 550, 553, 503, 455, 555];
    const RCPTS: [u16; 11] = [250, 251, 550, 551, 552, 553, 450, 451, 452, 503, 455];
    let limits = Limits::default().with_errors(1000).with_recipients(2).with_message(10);
    let extensions =
        [Extension::Size, Extension::SmtpUtf8, Extension::EightBitMime, Extension::Dsn];
    let config = config()
        .with_limits(limits)
        .with_extensions(Extensions::from_iter(extensions).with_deliver_by(Some(60)));
    let mails = [
        "MAIL FROM:<a@b.org>",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b.org> SIZE=11",
        "MAIL FROM:<a@b.org> SIZE=x",
        "MAIL FROM:<a@b.org> FOO",
        "MAIL FROM:<\u{e9}@b.org>",
        "MAIL FROM:<a@b.org> BY=10;R",
        "MAIL FROM:a",
        "MAIL FROM:<a@b.org> SIZE=1 SIZE=99",
        "MAIL",
    ];
    let rcpts = [
        "RCPT TO:<c@d.org>",
        "RCPT TO:<nobody@d.org>",
        "RCPT TO:<later@d.org>",
        "RCPT TO:<\u{e9}@d.org>",
        "RCPT TO:<c@d.org> FOO",
        "RCPT TO:<c@d.org> NOTIFY=x",
        "RCPT TO:<>",
        "RCPT",
        "RCPT TO:<Postmaster>",
        "RCPT TO:<e@f.org>",
    ];
    let mut session = Session::new(config.clone());
    for hello in [false, true] {
        for command in &mails {
            usual(&mut session, command, &MAILS);
            usual(&mut session, command, &MAILS);
            let _ = session.hear("RSET\r\n");
        }
        if !hello {
            let _ = session.hear(EHLO);
        }
    }
    for opening in ["RSET\r\n", MAIL] {
        let _ = session.hear(opening);
        for command in &rcpts {
            usual(&mut session, command, &[&RCPTS[..], &[555]].concat());
        }
    }
    for opening in ["RSET\r\n", MAIL] {
        let _ = session.hear(opening);
        usual(&mut session, "DATA", &[354, 503, 554]);
        usual(&mut session, "DATA x", &[354, 503, 554]);
    }
    for (to, content) in [
        ("c", "x\r\n.\r\n"),
        ("full", "x\r\n.\r\n"),
        ("c", "x\n\r\n.\r\n"),
        ("c", "0123456789\r\n.\r\n"),
        ("c", ".\r\n"),
    ] {
        let _ = session.hear("RSET\r\n");
        let _ = session.hear(MAIL);
        let _ = session.hear(&format!("RCPT TO:<{to}@d.org>\r\n"));
        assert_eq!(session.code("DATA\r\n"), 354);
        let code = session.code(content);
        assert!([250, 552, 554, 451, 452, 450, 550].contains(&code), "{content}: {code}");
    }
}

/// 5321-4.3.2-g, 5321-4.3.2-h, 5321-4.3.2-i: RFC 5321 section 4.3.2. The replies for every way in which the application accepts, and
/// the default replies.
#[test]
fn answers_of_the_application_have_the_codes_of_their_command() {
    type Answer = fn(&mut Experience, Event<'_>);
    const TEXT: Text<'static> = Text::literal("As you like");
    let cases: [(Answer, [u16; 4]); 6] = [
        (|_, event| event.proceed(), [250, 550, 503, 503]),
        (Experience::answer, [250, 250, 354, 250]),
        (
            |experience, event| match event {
                Event::Mail(mail) => mail.accept_with(TEXT),
                Event::Rcpt(rcpt) => rcpt.accept_with(TEXT),
                Event::Data(data) => data.accept_with(TEXT),
                Event::Deliver(delivery) => delivery.accept_with(TEXT),
                other => experience.answer(other),
            },
            [250, 250, 354, 250],
        ),
        (
            |experience, event| match event {
                Event::Rcpt(rcpt) => rcpt.accept_forwarding(TEXT),
                other => experience.answer(other),
            },
            [250, 251, 354, 250],
        ),
        (
            |experience, event| match event {
                Event::Rcpt(rcpt) => rcpt.accept_lines([TEXT, TEXT]),
                other => experience.answer(other),
            },
            [250, 250, 354, 250],
        ),
        (
            |_, event| match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                other => other.proceed(),
            },
            [250, 250, 354, 554],
        ),
    ];
    for (number, (answer, codes)) in cases.into_iter().enumerate() {
        let mut session = Session::with(config(), answer);
        let _ = session.hear(EHLO);
        let mut said: Vec<u16> =
            [MAIL, RCPT, "DATA\r\n"].iter().map(|it| session.code(it)).collect();
        said.push(if said[2] == 354 { session.code(CONTENT) } else { session.code("DATA\r\n") });
        assert_eq!(said, codes, "the application {number}");
    }
}

/// 5321-4.5.1-a: RFC 5321 section 4.5.1.
#[test]
fn the_minimum_is_implemented() {
    let commands = [
        "EHLO a.example",
        "HELO a.example",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "RSET",
        "NOOP",
        "QUIT",
        "VRFY a",
    ];
    for command in commands {
        for opening in ["", EHLO] {
            for command in [command.to_owned(), command.to_lowercase()] {
                let mut session = Session::with(config(), |_, event| event.proceed());
                let _ = session.hear(opening);
                let code = session.code(&format!("{command}\r\n"));
                assert!(!matches!(code, 500..=502), "{command}: {code}");
            }
        }
    }
}

/// 5321-4.5.1-b: RFC 5321 section 4.5.1. Which domains are served the application knows.
#[test]
fn postmaster_is_case_insensitive_and_needs_no_domain() {
    for path in [
        "<Postmaster>",
        "<POSTMASTER>",
        "<postmaster@d.org>",
        "<pOSTmASTER@D.ORG>",
        "<\"postmaster\"@d.org>",
    ] {
        assert!(ForwardPath::parse(path).unwrap().is_postmaster(), "{path}");
        let mut session = Session::with(config(), |_, event| match event {
            Event::Rcpt(rcpt) if rcpt.forward_path().is_postmaster() => rcpt.accept(),
            other => other.proceed(),
        });
        let _ = session.hear(EHLO);
        let _ = session.hear(MAIL);
        assert_eq!(session.code(&format!("RCPT TO:{path}\r\n")), 250, "{path}");
    }
    for path in ["<postmasters@d.org>", "<post.master@d.org>", "<a@postmaster>"] {
        assert!(!ForwardPath::parse(path).unwrap().is_postmaster(), "{path}");
    }
}

/// 5321-4.5.2-b, 5321-4.5.2-c, 5321-4.1.1.4-d, 5321-4.1.1.4-e: RFC 5321 sections 4.1.1.4 and 4.5.2.
#[test]
fn one_dot_is_unstuffed_and_the_end_is_not_part_of_the_content() {
    for (wire, content) in [
        ("..a\r\n.\r\n", "..a\r\n".strip_prefix('.').unwrap()),
        (".a\r\n.\r\n", "a\r\n"),
        ("...\r\n.\r\n", "..\r\n"),
        ("a\r\n..\r\n.b.\r\n.\r\n", "a\r\n.\r\nb.\r\n"),
        ("a\r\n.\r\n", "a\r\n"),
        ("a.\r\n\r\n.\r\n", "a.\r\n\r\n"),
        (".\r\n", ""),
    ] {
        let script = format!(
            "{HELLO}C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C| {}
             S: 250 2.0.0 queued
             C: NOOP
             S: 250 2.0.0 Ok",
            wire.escape_default()
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.messages[0].content, content.as_bytes(), "{wire:?}");
    }
}

/// 5321-4.5.3.1.7-a: RFC 5321 section 4.5.3.1.7. A server configured with less announces it in SIZE.
#[test]
fn a_message_of_64k_octets_is_taken() {
    let content = format!("{}\r\n", "x".repeat(62)).repeat(1024);
    for limits in [Limits::default(), Limits::default().with_message(65_536)] {
        assert_eq!(content.len(), 65_536);
        let mut session = Session::new(config().with_limits(limits));
        for step in [EHLO, "MAIL FROM:<a@b.org> SIZE=65536\r\n", RCPT] {
            assert_eq!(session.code(step), 250);
        }
        assert_eq!(session.code("DATA\r\n"), 354);
        assert_eq!(session.code(&format!("{content}.\r\n")), 250);
        assert_eq!(session.experience.messages[0].content, content.as_bytes());
    }
    assert!(Limits::default().message() >= 65_536);
    let few = config().with_limits(Limits::default().with_message(1000));
    assert_eq!(few.extensions().size(), Some(1000));
}

/// 5321-4.5.3.1.8-a, 5321-4.5.3.1.8-b, 5321-4.5.3.1.10-a: RFC 5321 sections 4.5.3.1.8 and 4.5.3.1.10.
#[test]
fn a_hundred_recipients_are_accepted_and_those_beyond_the_limit_get_452() {
    for limits in [Limits::default(), Limits::default().with_recipients(100)] {
        let mut session = Session::new(config().with_limits(limits));
        let _ = session.hear(EHLO);
        let _ = session.hear(MAIL);
        let expected: Vec<String> =
            (0..100).map(|number| format!("<{number}{}@d.org>", "x".repeat(60))).collect();
        for path in &expected {
            assert_eq!(session.code(&format!("RCPT TO:{path}\r\n")), 250);
        }
        if limits.recipients() == 100 {
            for _ in 0..3 {
                assert_eq!(session.code(RCPT), 452);
            }
        }
        assert_eq!(session.code("DATA\r\n"), 354);
        assert_eq!(session.code(CONTENT), 250);
        assert_eq!(session.experience.messages[0].to, expected);
    }
}

/// 5321-6.1-c: RFC 5321 section 6.1. In a session no time passes: the server panics where it waits.
#[test]
fn the_last_reply_does_not_wait() {
    let mut session = Session::new(config());
    for step in [EHLO, MAIL, RCPT, "DATA\r\n"] {
        let _ = session.hear(step);
    }
    assert_eq!(session.hear("x\r\n.\r\n"), "250 2.0.0 queued\r\n");
}

/// 5321-7.1-a: RFC 5321 section 7.1.
#[test]
fn a_client_is_not_identified_by_its_hello() {
    let address: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    let mut session = Session::of(config(), Peer::from(address), Experience::answer);
    for step in ["EHLO mx.example.org\r\n", "MAIL FROM:<postmaster@mx.example.org>\r\n", RCPT] {
        assert_eq!(session.code(step), 250);
    }
    let facts = session.driver.machine().facts();
    assert_eq!(facts.host().unwrap().to_string(), "mx.example.org");
    assert!(facts.identity().is_none());
    assert!(facts.peer().name().is_none());
    assert_eq!(facts.peer().address(), Some(address));
    assert_eq!(facts.protocol(), "ESMTP");
    // Where AUTH is required, the name in its hello counts for nothing.
    let offer = Offer::new([Mechanism::PLAIN]).with_secrets_in_clear();
    let mut session = Session::new(config().with_auth(offer).with_required_auth(true));
    let _ = session.hear("EHLO mx.example.org\r\n");
    assert_eq!(session.code("MAIL FROM:<postmaster@mx.example.org>\r\n"), 530);
}

/// 5321-3.5.3-b, 5321-3.5.3-c, 5321-7.3-a: RFC 5321 sections 3.5.3 and 7.3.
#[test]
fn disabled_lookups_reveal_nothing() {
    let config = || config().with_extension(Extension::Expn);
    let mut session = Session::with(config(), |_, event| match event {
        Event::Verify(verify) => verify.cannot_verify(),
        Event::Expand(expand) => expand.cannot_verify(),
        other => other.proceed(),
    });
    let mut said: Vec<String> = Vec::new();
    for command in ["VRFY known", "VRFY unknown", "VRFY <a@b.org>", "EXPN known", "EXPN unknown"] {
        said.push(session.hear(&format!("{command}\r\n")));
    }
    assert!(said.iter().all(|reply| reply == &said[0] && reply.starts_with("252 ")), "{said:?}");
    // Nor does an application that only proceeds; where they are not announced, there are no lists.
    let mut session = Session::with(crate::common::config(), |_, event| event.proceed());
    assert_eq!([session.code("VRFY known\r\n"), session.code("VRFY unknown\r\n")], [252, 252]);
    assert_eq!([session.code("EXPN known\r\n"), session.code("EXPN unknown\r\n")], [502, 502]);
}
