//! RFC 5321: what a server does with a session, from the greeting to the end of it.

use crate::common::{HELLO, config, converse, converse_with, later, unescape};
use esmtp::{
    machine::{Machine, Need},
    sasl::{Mechanism, Offer, PlainVerifier, Question},
    security::Security,
    server::{Config, End, Event, Peer, Server},
    service::Service,
    syntax::{
        AttributeName, Code, DateTime, Extension, Extensions, ForwardPath, FutureRelease,
        HoldSeconds, Lenience, Mailbox, Rejection, Reply, Solicitation, Status, Text,
    },
    testing::Driver,
    time::Instant,
    wire::BareLineBreaks,
};
use std::sync::Arc;

/// MAIL and two recipients, accepted.
const ENVELOPE: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok
    C: RCPT TO:<e@f.org>
    S: 250 2.1.5 Ok
";

/// DATA, accepted.
const DATA: &str = "
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
";

fn with(extensions: &[Extension]) -> Config {
    config().with_extensions(extensions.iter().copied().fold(Extensions::NONE, Extensions::with))
}

fn rejection(code: u16, text: &'static str) -> Rejection {
    Rejection::new(Code::new(code).unwrap(), Status::OTHER, Text::literal(text)).unwrap()
}

fn code(line: &str) -> u16 {
    line[..3].parse().unwrap()
}

/// A server that is talked to line by line; what happens is written down in its order.
struct Talk<A> {
    driver: Driver<Server>,
    /// `S: …` for each line of the server, and the entries that the application logs.
    happened: Vec<String>,
    answer: A,
}

impl<A: FnMut(&mut Vec<String>, Event<'_>)> Talk<A> {
    fn new(config: Config, security: Security, answer: A) -> Self {
        let server = Server::new(Arc::new(config), Peer::UNKNOWN, security);
        let mut talk = Self { driver: Driver::new(server), happened: Vec::new(), answer };
        talk.say(b"");
        talk
    }

    /// Sends these octets, and returns the lines that the server sends.
    fn say(&mut self, octets: &[u8]) -> Vec<String> {
        let Self { driver, happened, answer } = self;
        let before = happened.len();
        let mut lines = driver.advance(octets);
        loop {
            // The server sends its replies before it waits for an answer.
            happened.extend(lines.lines().map(|line| format!("S: {line}")));
            match driver.need() {
                Need::Answer => answer(happened, driver.machine_mut().event().unwrap()),
                Need::Read(_) | Need::Close => break,
                need => panic!("{need:?}"),
            }
            lines = driver.advance("");
        }
        let said = happened[before..].iter().filter_map(|line| line.strip_prefix("S: "));
        said.map(str::to_owned).collect()
    }

    /// Sends a command, and returns the code of its reply.
    fn ask(&mut self, line: &str) -> u16 {
        let said = self.say(format!("{line}\r\n").as_bytes());
        code(said.last().unwrap_or_else(|| panic!("no reply to {line}: {:?}", self.happened)))
    }

    fn is_closed(&self) -> bool {
        self.driver.need() == Need::Close
    }

    const fn server(&self) -> &Server {
        self.driver.machine()
    }
}

/// Says yes to everything.
fn obliging(_: &mut Vec<String>, event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => {
            let _ = content.take();
        }
        Event::Deliver(delivery) => delivery.accept(),
        Event::Verify(verify) => verify.accept(Mailbox::parse("ann@example.org").unwrap()),
        Event::Expand(expand) => expand.accept(vec![Mailbox::parse("ann@example.org").unwrap()]),
        Event::Etrn(etrn) => etrn.accept(),
        Event::Atrn(atrn) => atrn.accept(),
        Event::Burl(burl) => burl.accept(),
        Event::Xclient(xclient) => xclient.accept(),
        Event::Xforward(xforward) => xforward.accept(),
        Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.accept(),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        other => other.proceed(),
    }
}

/// 5321-2.1-a: RFC 5321 sections 2.1 and 4.2.5. There is no reply after the dot as long as the
/// application has not answered.
#[test]
fn only_the_application_takes_responsibility() {
    let mut asked = 0;
    let mut talk = Talk::new(config(), Security::CLEAR, |happened: &mut Vec<String>, event| {
        match event {
            Event::Deliver(delivery) => {
                asked += 1;
                happened.push(format!("asked {asked}"));
                // Three times the question is dropped unanswered.
                if asked == 4 {
                    delivery.accept();
                }
            }
            other => obliging(happened, other),
        }
    });
    for line in ["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "DATA"] {
        assert!(talk.ask(line) < 400, "{line}");
    }
    talk.say(b"Hello\r\n.\r\n");
    let end = &talk.happened[talk.happened.len() - 6..];
    assert_eq!(
        end,
        [
            "S: 354 Start mail input; end with <CRLF>.<CRLF>",
            "asked 1",
            "asked 2",
            "asked 3",
            "asked 4",
            "S: 250 2.0.0 Message accepted",
        ]
    );
}

/// 5321-2.2.1-a: RFC 5321 section 2.2.1.
#[test]
fn ehlo_succeeds_without_extensions() {
    let experience = converse(
        with(&[]),
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org>
         S: 250 Ok",
    );
    assert_eq!(experience.log[0], "hello client.example.net");
}

/// 5321-2.2.2-a: RFC 5321 section 2.2.2. Any other keyword needs an application that says
/// that it is registered.
#[test]
fn a_local_extension_begins_with_x() {
    const REGISTERED: [&str; 28] = [
        "8BITMIME",
        "ATRN",
        "AUTH",
        "BINARYMIME",
        "BURL",
        "CHECKPOINT",
        "CHUNKING",
        "CONNEG",
        "CONPERM",
        "DELIVERBY",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "ETRN",
        "EXPN",
        "FUTURERELEASE",
        "HELP",
        "LIMITS",
        "MT-PRIORITY",
        "MTRK",
        "NO-SOLICITING",
        "PIPELINING",
        "REQUIRETLS",
        "RRVS",
        "SIZE",
        "SMTPUTF8",
        "STARTTLS",
        "SUBMITTER",
        "VRFY",
    ];
    for extension in Config::implemented() {
        let keyword = extension.keyword();
        assert!(keyword.starts_with('X') || REGISTERED.contains(&keyword), "{keyword}");
    }
    let none = Extensions::NONE;
    for keyword in ["FOO", "FOO a=b", "8FOO", "-XFOO", "SIZE", "VERB"] {
        assert!(none.clone().with_other(keyword).is_err(), "{keyword}");
    }
    for keyword in ["XFOO", "X-FOO a=b", "xfoo", "XCLIENT"] {
        assert!(none.clone().with_registered(keyword).is_err(), "{keyword}");
    }
    let made = none.with_other("X-FOO a=b").and_then(|made| made.with_registered("SEND"));
    converse(
        config().with_extensions(made.unwrap()),
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250-mx.example.org
         S: 250-X-FOO a=b
         S: 250 SEND",
    );
}

/// Returns every extension with the arguments that it takes.
fn all_extensions() -> Extensions {
    let bounds = FutureRelease::new(
        HoldSeconds::new(3600).unwrap(),
        DateTime::new("2030-01-01T00:00:00Z").unwrap(),
    );
    Config::implemented()
        .fold(Extensions::NONE, Extensions::with)
        .with_deliver_by(Some(60))
        .with_future_release(&bounds)
        .with_no_soliciting(&Solicitation::parse("org.example:ADV").unwrap())
        .with_xclient(&[AttributeName::Name])
        .with_xforward(&[AttributeName::Name])
        .with_burl(&["imap"])
        .unwrap()
}

/// Returns the commands of an extension, and its parameters of MAIL and RCPT.
fn brought_by(extension: Extension) -> &'static [&'static str] {
    match extension {
        Extension::Pipelining | Extension::EnhancedStatusCodes | Extension::Limits => &[],
        Extension::Size => &["MAIL FROM:<a@b.org> SIZE=1"],
        Extension::EightBitMime => {
            &["MAIL FROM:<a@b.org> BODY=8BITMIME", "MAIL FROM:<a@b.org> BODY=7BIT"]
        }
        Extension::Chunking => &["BDAT 0 LAST"],
        Extension::BinaryMime => &["MAIL FROM:<a@b.org> BODY=BINARYMIME"],
        Extension::SmtpUtf8 => &["MAIL FROM:<a@b.org> SMTPUTF8", "VRFY ann SMTPUTF8"],
        Extension::Dsn => &[
            "MAIL FROM:<a@b.org> RET=FULL ENVID=x",
            "RCPT TO:<c@d.org> NOTIFY=NEVER ORCPT=rfc822;c@d.org",
        ],
        Extension::StartTls => &["STARTTLS"],
        Extension::Auth => &["AUTH PLAIN AGFubgBzZWNyZXQ=", "MAIL FROM:<a@b.org> AUTH=<>"],
        Extension::RequireTls => &["MAIL FROM:<a@b.org> REQUIRETLS"],
        Extension::DeliverBy => &["MAIL FROM:<a@b.org> BY=120;N"],
        Extension::MtPriority => &["MAIL FROM:<a@b.org> MT-PRIORITY=3"],
        Extension::FutureRelease => &[
            "MAIL FROM:<a@b.org> HOLDFOR=60",
            "MAIL FROM:<a@b.org> HOLDUNTIL=2029-01-01T00:00:00Z",
        ],
        Extension::Rrvs => &["RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z"],
        Extension::NoSoliciting => &["MAIL FROM:<a@b.org> SOLICIT=org.example:ADV"],
        Extension::ConPerm => &["MAIL FROM:<a@b.org> CONPERM"],
        Extension::ConNeg => &["RCPT TO:<c@d.org> CONNEG"],
        Extension::Mtrk => &["MAIL FROM:<a@b.org> MTRK=dGhpcyBpcyBhIGhhc2gh"],
        Extension::Etrn => &["ETRN example.net"],
        Extension::Atrn => &["ATRN example.net"],
        Extension::Burl => &["BURL imap://example.org/;uid=1 LAST"],
        Extension::Vrfy => &["VRFY ann"],
        Extension::Expn => &["EXPN friends"],
        Extension::Help => &["HELP"],
        Extension::Xclient => &["XCLIENT NAME=client.example"],
        Extension::Xforward => &["XFORWARD NAME=client.example"],
        Extension::Xverp => &["MAIL FROM:<a@b.org> XVERP", "MAIL FROM:<a@b.org> XVERP=+="],
        Extension::Submitter => &["MAIL FROM:<a@b.org> SUBMITTER=c@d.org"],
        other => panic!("what does {other} bring?"),
    }
}

/// Returns the extensions that a server with this configuration announces.
fn announced(config: &Config, security: &Security, hello: &str) -> Extensions {
    let mut talk = Talk::new(config.clone(), security.clone(), obliging);
    let mut reply = talk.say(format!("{hello}\r\n").as_bytes()).join("\r\n");
    reply.push_str("\r\n");
    Extensions::parse(&Reply::parse(reply.as_bytes()).unwrap().unwrap().0)
}

/// 5321-2.2.2-b: RFC 5321 section 2.2.2. Of every service, in the clear and in TLS.
#[test]
fn announced_extensions_are_implemented() {
    let mut probed = Extensions::NONE;
    for (service, hello) in [
        (Service::Smtp, "EHLO a.example"),
        (Service::Submission, "EHLO a.example"),
        (Service::Lmtp, "LHLO a.example"),
    ] {
        for security in [Security::CLEAR, Security::TLS] {
            let config = config()
                .with_service(service)
                .with_required_auth(false)
                .with_extensions(all_extensions())
                .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
            for extension in announced(&config, &security, hello).iter() {
                probed = probed.with(extension);
                for line in brought_by(extension) {
                    let mut talk = Talk::new(config.clone(), security.clone(), obliging);
                    assert_eq!(talk.ask(hello), 250);
                    if matches!(extension, Extension::Burl | Extension::Atrn) {
                        assert_eq!(talk.ask("AUTH PLAIN AGFubgBzZWNyZXQ="), 235);
                    }
                    if line.starts_with("RCPT") {
                        assert_eq!(talk.ask("MAIL FROM:<a@b.org>"), 250);
                    }
                    if line.starts_with("BDAT") || line.starts_with("BURL") {
                        assert_eq!(talk.ask("MAIL FROM:<a@b.org>"), 250);
                        assert_eq!(talk.ask("RCPT TO:<c@d.org>"), 250);
                    }
                    let code = talk.ask(line);
                    assert!(code < 400, "{service:?}: {code} to {line}");
                }
            }
        }
    }
    assert!(Config::implemented().all(|extension| probed.contains(extension)), "{probed:?}");
}

/// 5321-4.1.1.1-k: RFC 5321 section 4.1.1.1. A command that is not of the minimum (section 4.5.1)
/// is not implemented where it is not announced.
#[test]
fn unannounced_extensions_are_not_implemented() {
    let mut talk = Talk::new(with(&[]), Security::CLEAR, obliging);
    assert_eq!(talk.say(b"EHLO a.example\r\n"), ["250 mx.example.org"]);
    for line in [
        "ETRN example.net",
        "STARTTLS",
        "AUTH PLAIN AGFubgBzZWNyZXQ=",
        "BURL imap://example.org/;uid=1 LAST",
        "XCLIENT NAME=client.example",
        "XFORWARD NAME=client.example",
        "ATRN",
        "TURN",
        "SEND FROM:<a@b.org>",
        "BDAT 0 LAST",
    ] {
        assert!(matches!(talk.ask(line), 500 | 502), "{line}");
    }
    for extension in [Extension::Etrn, Extension::StartTls, Extension::Help, Extension::Expn] {
        let mut talk = Talk::new(with(&[extension]), Security::CLEAR, obliging);
        let said = talk.say(b"EHLO a.example\r\n");
        assert_eq!(said, ["250-mx.example.org".to_owned(), format!("250 {extension}")]);
        assert!(talk.ask(brought_by(extension)[0]) < 300, "{extension}");
    }
}

/// 5321-3.5.2-c 5321-4.1.1.1-k: RFC 5321 sections 3.5.2 and 4.1.1.1. EXPN and HELP are not of the
/// minimum either.
#[test]
fn expn_and_help_are_announced_or_not_implemented() {
    for (extension, line) in [(Extension::Expn, "EXPN friends"), (Extension::Help, "HELP")] {
        let mut talk = Talk::new(with(&[]), Security::CLEAR, obliging);
        assert_eq!(talk.say(b"EHLO a.example\r\n"), ["250 mx.example.org"]);
        assert_eq!(talk.ask(line), 502, "{line}");
        let mut talk = Talk::new(with(&[extension]), Security::CLEAR, obliging);
        assert_eq!(talk.say(b"EHLO a.example\r\n").len(), 2);
        assert!(matches!(talk.ask(line), 214 | 250), "{line}");
    }
}

/// 5321-2.3.5-c: RFC 5321 sections 2.3.5 and 4.5.1.
#[test]
fn the_postmaster_needs_no_domain() {
    let experience = converse(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<>
             S: 250 2.1.0 Ok
             C: RCPT TO:<Postmaster>
             S: 250 2.1.5 Ok
             C: RCPT TO:<postmaster>
             S: 250 2.1.5 Ok
             C: rcpt to:<POSTMASTER>
             S: 250 2.1.5 Ok
             C: RCPT TO:<somebody>
             S: 501 5.1.3 Bad recipient address syntax: no @ in the address
             {DATA}
             C: .
             S: 250 2.0.0 queued"
        ),
    );
    let paths = &experience.messages[0].to;
    assert_eq!(paths.len(), 3);
    assert!(paths.iter().all(|path| ForwardPath::parse(path).unwrap().is_postmaster()));
}

/// 5321-2.4-g: RFC 5321 section 2.4. Whether they are UTF-8 or not.
#[test]
fn octets_above_127_make_no_command() {
    for octets in [r"\xff", r"\xc3\xa4"] {
        for (line, lenience) in [
            ("EHLO X", Lenience::STRICT),
            ("HELO X", Lenience::STRICT),
            ("MAIL FROM:<X@b.org>", Lenience::default()),
            ("NOOPX", Lenience::default()),
            ("X", Lenience::default()),
            ("FOO X", Lenience::default()),
            ("RSET X", Lenience::default()),
        ] {
            let line = line.replace('X', octets);
            let config = config().with_lenience(lenience);
            let mut talk = Talk::new(config, Security::CLEAR, obliging);
            assert_eq!(talk.ask("EHLO a.example"), 250);
            let said = talk.say(&unescape(&format!(r"{line}\r\n")));
            assert!(matches!(code(&said[0]), 500 | 501 | 550), "{line}: {said:?}");
            assert_eq!(talk.ask("NOOP"), 250);
        }
        let mut talk = Talk::new(config(), Security::CLEAR, obliging);
        assert_eq!(talk.ask("EHLO a.example"), 250);
        assert_eq!(talk.ask("MAIL FROM:<a@b.org>"), 250);
        let said = talk.say(&unescape(&format!(r"RCPT TO:<{octets}@d.org>\r\n")));
        assert!(matches!(code(&said[0]), 500 | 553), "{said:?}");
    }
}

/// 5321-2.4-h: RFC 5321 section 2.4.
#[test]
fn eight_bit_content_is_offered_by_default() {
    for (service, hello) in [
        (Service::Smtp, "EHLO a.example"),
        (Service::Submission, "EHLO a.example"),
        (Service::Lmtp, "LHLO a.example"),
    ] {
        let config = config().with_service(service);
        let announced = announced(&config, &Security::CLEAR, hello);
        assert!(announced.contains(Extension::EightBitMime), "{service:?}");
    }
}

/// 5321-3.1-a: RFC 5321 section 3.1.
#[test]
fn the_greeting_comes_first_and_alone() {
    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
    assert_eq!(server.to_send(&mut [&[][..]; 4]), 0);
    assert_eq!(server.poll(Instant::ORIGIN), Need::Answer);
    assert_eq!(server.to_send(&mut [&[][..]; 4]), 0, "before the application has answered");
    match server.event() {
        Some(Event::Connect(connect)) => connect.accept(),
        other => panic!("{other:?}"),
    }
    let _ = server.poll(Instant::ORIGIN);
    let mut slices = [&[][..]; 4];
    let count = server.to_send(&mut slices);
    assert_eq!(slices[..count].concat(), b"220 mx.example.org ESMTP service ready\r\n");
    // Octets of an early talker are not answered before the greeting either, and are noticed.
    let config = config().with_enforced_sync(false);
    let mut server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    assert_eq!(server.feed(b"NOOP\r\n"), 6);
    while server.poll(Instant::ORIGIN) != Need::Answer {}
    assert_eq!(server.to_send(&mut [&[][..]; 4]), 0, "before the greeting");
    assert!(server.facts().has_talked_early());
    let Some(Event::Connect(connect)) = server.event() else { panic!("no question") };
    connect.accept();
    let _ = server.poll(Instant::ORIGIN);
    let mut slices = [&[][..]; 4];
    let count = server.to_send(&mut slices);
    let said = slices[..count].concat();
    assert_eq!(said, b"220 mx.example.org ESMTP service ready\r\n250 2.0.0 Ok\r\n");
    let mut server = Server::new(Arc::new(self::config()), Peer::UNKNOWN, Security::CLEAR);
    assert_eq!(server.feed(b"NOOP\r\n"), 6);
    let _ = server.poll(Instant::ORIGIN);
    let mut slices = [&[][..]; 4];
    let count = server.to_send(&mut slices);
    assert!(slices[..count].concat().starts_with(b"554 "), "by default");
}

/// 5321-3.1-b 5321-3.1-c 5321-3.1-d: RFC 5321 section 3.1.
#[test]
fn after_a_554_greeting_only_quit_is_accepted() {
    let mut script = String::from("S: 554 No service for you\n");
    for line in [
        "EHLO client.example.net",
        "HELO client.example.net",
        "MAIL FROM:<a@b.org>",
        "RCPT TO:<c@d.org>",
        "DATA",
        "RSET",
        "NOOP",
        "VRFY ann",
    ] {
        // No enhanced code in reply to a hello (RFC 2034 section 4).
        let code = if line.contains("LO ") { "503" } else { "503 5.5.1" };
        script += &format!("C: {line}\nS: {code} No service here, only QUIT is accepted\n");
    }
    script += "C: QUIT\nS: 221 2.0.0 Service closing transmission channel\nS: (closed)";
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
        other => experience.answer(other),
    });
    assert_eq!(experience.end, Some(End::Quit));
    assert!(experience.log.is_empty());
}

/// 5321-3.1-d: RFC 5321 section 3.1. "Any intervening commands", whatever is wrong with them besides.
#[test]
fn after_a_554_greeting_no_command_is_parsed() {
    let mut talk =
        Talk::new(config(), Security::CLEAR, |happened: &mut Vec<String>, event| match event {
            Event::Connect(connect) => connect.reject(Rejection::NO_SERVICE),
            other => obliging(happened, other),
        });
    for line in [
        "FOO",
        "EHLO",
        "LHLO a.example",
        "MAIL FROM:<>>",
        "RCPT TO:<c@d.org> FOO",
        "DATA now",
        "HELP",
        "EXPN friends",
        "STARTTLS",
        "AUTH PLAIN",
        "ETRN example.net",
        "TURN",
    ] {
        assert_eq!(talk.ask(line), 503, "{line}");
    }
    assert_eq!(talk.ask("QUIT"), 221);
    assert!(talk.is_closed());
}

/// 5321-3.3-a 5321-4.1.1.2-b: RFC 5321 sections 3.3 and 4.1.1.2.
#[test]
fn mail_begins_with_no_recipients() {
    let experience = converse(
        config(),
        &format!(
            "{HELLO}{ENVELOPE}{DATA}
             C: One
             C: .
             S: 250 2.0.0 queued
             C: MAIL FROM:<second@b.org>
             S: 250 2.1.0 Ok
             C: DATA
             S: 503 5.5.1 No valid recipients
             C: RCPT TO:<given.up@d.org>
             S: 250 2.1.5 Ok
             C: RSET
             S: 250 2.0.0 Ok
             C: MAIL FROM:<third@b.org>
             S: 250 2.1.0 Ok
             C: DATA
             S: 503 5.5.1 No valid recipients
             C: RCPT TO:<new@d.org>
             S: 250 2.1.5 Ok
             {DATA}
             C: Three
             C: .
             S: 250 2.0.0 queued"
        ),
    );
    let [first, third] = &experience.messages[..] else { panic!("{experience:?}") };
    assert_eq!((&*first.from, first.to.len()), ("<a@b.org>", 2));
    assert_eq!((&*third.from, &*third.content), ("<third@b.org>", &b"Three\r\n"[..]));
    assert_eq!(third.to, ["<new@d.org>"]);
    assert_eq!(experience.log.iter().filter(|line| line.starts_with("rcpt 0")).count(), 3);
}

/// 5321-3.3-b: RFC 5321 section 3.3.
#[test]
fn a_refused_reverse_path_says_whether_to_come_again() {
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<later@b.org>
             S: 450 4.2.1 Busy
             C: MAIL FROM:<never@b.org>
             S: 550 5.7.1 Refused by policy
             C: RCPT TO:<c@d.org>
             S: 503 5.5.1 MAIL was refused"
        ),
        |experience, event| match event {
            Event::Mail(mail) if mail.reverse_path().to_string().contains("later") => {
                mail.reject(later());
            }
            Event::Mail(mail) => mail.reject(Rejection::POLICY),
            other => experience.answer(other),
        },
    );
    assert!(experience.aborts().is_empty());
    // Neither can be sent with a positive code.
    for positive in [200, 250, 251, 354] {
        let code = Code::new(positive).unwrap();
        assert!(Rejection::new(code, Status::OTHER, Text::literal("No")).is_err());
    }
}

/// 5321-3.3-g: RFC 5321 section 3.3. Without 354 the lines after DATA are commands.
#[test]
fn content_is_read_only_after_354() {
    let mut talk =
        Talk::new(config(), Security::CLEAR, |happened: &mut Vec<String>, event| match event {
            Event::Data(data) => {
                happened.push("data".into());
                data.accept();
            }
            Event::Content(content) => {
                happened.push("content".into());
                let _ = content.take();
            }
            other => obliging(happened, other),
        });
    for line in ["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>"] {
        assert_eq!(talk.ask(line), 250);
    }
    let before = talk.happened.len();
    talk.say(b"DATA\r\n");
    talk.say(b"NOOP\r\n");
    let happened: Vec<_> = talk.happened[before..].iter().map(|line| &line[..4]).collect();
    assert_eq!(happened, ["data", "S: 3", "cont"]);
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}{ENVELOPE}
             C: DATA
             S: 451 4.3.0 Local error in processing
             C: NOOP
             S: 250 2.0.0 Ok"
        ),
        |experience, event| match event {
            Event::Data(data) => data.reject(Rejection::LOCAL_ERROR),
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.aborts(), ["Refused"]);
}

/// 5321-3.3-j 5321-3.7.2-a: RFC 5321 sections 3.3 and 3.7.2. Header and trace fields are no
/// business of the protocol.
#[test]
fn no_content_is_refused_for_its_form() {
    for content in [
        &b""[..],
        b"\r\n",
        b"no header at all\r\n",
        b"Received: by\r\nReceived; from nowhere\r\nReceived:\r\n\r\ntext\r\n",
        b"Return-Path: <<>\r\nReturn-Path: x\r\n\r\n",
        b"From: a\r\nFrom: b\r\nSubject : x\r\n folded\r\nDate: never\r\n\r\n",
        b"Resent-To: a@b.org\r\nResent-To: c@d.org\r\nResent-Sender: e\r\n\r\ntext\r\n",
        b"MIME-Version: 7\r\nContent-Type: multipart/mixed; boundary=\"\r\n\r\n--x\r\n",
        b"Content-Transfer-Encoding: \xff\xfe\r\n\r\n\x01\x02\x7f\xe4\r\n",
    ] {
        let script =
            format!("{HELLO}{ENVELOPE}{DATA}C| {}.\\r\\n\nS: 250 2.0.0 queued", escaped(content));
        let experience = converse(config(), &script);
        assert_eq!(experience.messages[0].content, content);
    }
}

fn escaped(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("\\x{octet:02x}")).collect()
}

/// 5321-3.3-k 5321-4.1.1.4-j: RFC 5321 sections 3.3 and 4.1.1.4. A recipient of its own has a
/// reply of its own in LMTP only.
#[test]
fn one_reply_stands_for_all_recipients() {
    for (sender, reply) in [
        ("taken", "250 2.0.0 Message accepted"),
        ("refused", "554 5.6.0 Content refused"),
        ("delayed", "451 4.3.0 Local error in processing"),
    ] {
        let envelope = ENVELOPE.replace("a@b.org", &format!("{sender}@b.org"));
        let experience = converse_with(
            config(),
            &format!("{HELLO}{envelope}{DATA}C: text\nC: .\nS: {reply}"),
            |experience, event| match event {
                Event::Deliver(mut delivery) => {
                    assert!(delivery.per_recipient().is_none());
                    let envelope = delivery.envelope();
                    assert_eq!(envelope.recipients().len(), 2);
                    match &*envelope.reverse_path().to_string() {
                        "<taken@b.org>" => delivery.accept(),
                        "<refused@b.org>" => delivery.reject(Rejection::CONTENT_REFUSED),
                        _ => delivery.reject(Rejection::LOCAL_ERROR),
                    }
                }
                other => experience.answer(other),
            },
        );
        assert!(experience.aborts().is_empty());
    }
}

/// 5321-3.4-a, 5321-3.4-b, 5321-3.4-d: RFC 5321 section 3.4. A server that does not reveal a forwarding sends the reply for any other
/// mailbox.
#[test]
fn forwarding_is_revealed_only_on_request() {
    converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<moved@d.org>
             S: 250 2.1.5 Ok
             C: RCPT TO:<moved.openly@d.org>
             S: 251 2.5.0 User not local; will forward to <new@e.org>
             C: RCPT TO:<gone@d.org>
             S: 550 5.1.1 No such mailbox here
             C: RCPT TO:<gone.openly@d.org>
             S: 551 5.0.0 User not local; please try <new@e.org>"
        ),
        |_, event| match event {
            Event::Rcpt(rcpt) => match rcpt.forward_path().mailbox().unwrap().local_part().as_str()
            {
                "moved" => rcpt.accept(),
                "gone" => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
                "gone.openly" => {
                    rcpt.reject(rejection(551, "User not local; please try <new@e.org>"));
                }
                _ => {
                    let text = Text::literal("User not local; will forward to <new@e.org>");
                    rcpt.accept_forwarding(text);
                }
            },
            other => other.proceed(),
        },
    );
}

/// 5321-3.5.2-a: RFC 5321 section 3.5.2. VRFY and EXPN return a [`Mailbox`].
#[test]
fn a_mailbox_has_no_route() {
    for route in [
        "@a.example:b@c.example",
        "@a.example,@b.example:b@c.example",
        "<b@c.example>",
        "<@a.example:b@c.example>",
    ] {
        assert!(Mailbox::parse(route).is_err(), "{route}");
    }
    let path = ForwardPath::parse("<@a.example:b@c.example>").unwrap();
    let mut talk = Talk::new(
        with(&[Extension::Vrfy, Extension::Expn]),
        Security::CLEAR,
        |happened: &mut Vec<String>, event| {
            let mailbox = path.mailbox().unwrap().clone().into_owned();
            match event {
                Event::Verify(verify) => verify.accept(mailbox),
                Event::Expand(expand) => expand.accept(vec![mailbox]),
                other => obliging(happened, other),
            }
        },
    );
    assert_eq!(talk.ask("EHLO a.example"), 250);
    for line in [&b"VRFY b\r\n"[..], b"EXPN b\r\n"] {
        assert_eq!(talk.say(line), ["250 <b@c.example>"]);
    }
}

/// 5321-3.5.3-a 5321-3.5.3-b: RFC 5321 section 3.5.3. A server that has verified
/// nothing does not reply 250, nor does it for a list without members.
#[test]
fn proceed_verifies_no_address() {
    let unasked = |_: &mut Vec<String>, event: Event<'_>| event.proceed();
    let mut talk = Talk::new(with(&[Extension::Expn]), Security::CLEAR, unasked);
    assert_eq!(talk.ask("EHLO a.example"), 250);
    for line in ["VRFY ann@example.org", "VRFY ann", "VRFY Ann Smith"] {
        assert_eq!(talk.ask(line), 252, "{line}");
    }
    assert_eq!(talk.ask("EXPN friends"), 252);
    let script = format!(
        "{}
         C: VRFY ann
         S: 502 5.5.1 Not here
         C: EXPN friends
         S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery
         C: EXPN nobody
         S: 252 2.5.0 Cannot verify, but will accept a message and attempt delivery",
        HELLO.replace("250 HELP", "250-EXPN\nS: 250 HELP")
    );
    let config = config().with_extension(Extension::Expn);
    converse_with(config, &script, |experience, event| match event {
        Event::Verify(verify) => {
            let status = Status::new(5, 1).unwrap();
            let text = Text::literal("Not here");
            verify.reject(Rejection::new(Code::new(502).unwrap(), status, text).unwrap());
        }
        Event::Expand(expand) if expand.text().as_str() == "nobody" => expand.accept(Vec::new()),
        Event::Expand(expand) => expand.cannot_verify(),
        other => experience.answer(other),
    });
}

/// 5321-3.6.1-a 5321-4.1.1.3-d 5321-4.1.1.3-e: RFC 5321 sections 3.6.1 and 4.1.1.3, appendix C.
#[test]
fn a_route_is_dropped() {
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<@r.example:a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<@mx.example.org,@b.example:u@c.example>
             S: 250 2.1.5 Ok
             {DATA}
             C: .
             S: 250 2.0.0 queued"
        ),
        |experience, event| match event {
            Event::Rcpt(rcpt) => {
                let path = rcpt.forward_path();
                let mailbox = path.mailbox().unwrap();
                experience.log.push(format!("to {mailbox} at {}", mailbox.host()));
                let reverse_path = rcpt.facts().transaction().unwrap().reverse_path();
                assert_eq!(reverse_path.to_string(), "<a@b.org>");
                rcpt.accept();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.log[2], "to u@c.example at c.example");
    assert_eq!(experience.messages[0].from, "<a@b.org>");
    assert_eq!(experience.messages[0].to, ["<u@c.example>"]);
}

/// 5321-3.6.2-a: RFC 5321 section 3.6.2.
#[test]
fn relaying_that_policy_forbids_is_550() {
    converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@elsewhere.example>
             S: 550 5.7.1 Relaying is not permitted
             C: RCPT TO:<c@d.org>
             S: 550 5.7.1 Recipient not accepted here"
        ),
        |_, event| match event {
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("elsewhere") => {
                rcpt.reject(Rejection::RELAY_DENIED);
            }
            other => other.proceed(),
        },
    );
    assert_eq!(Rejection::POLICY.code().get(), 550);
}

/// 5321-3.8-a 5321-4.1.1.5-c: RFC 5321 sections 3.8 and 4.1.1.5. No command closes that the
/// server can understand or refuse, and no answer of the application but 421.
#[test]
fn nothing_closes_but_quit() {
    for refused in ["", "hello", "mail", "rcpt", "data", "content", "deliver", "verify", "expand"] {
        let mut talk = Talk::new(
            with(&[Extension::Expn]),
            Security::CLEAR,
            move |happened: &mut Vec<String>, event| {
                let no = rejection(550, "No");
                match event {
                    Event::Hello(hello) if refused == "hello" => hello.reject(no),
                    Event::Mail(mail) if refused == "mail" => mail.reject(no),
                    Event::Rcpt(rcpt) if refused == "rcpt" => rcpt.reject(no),
                    Event::Data(data) if refused == "data" => data.reject(no),
                    Event::Content(content) if refused == "content" => content.reject(no),
                    Event::Deliver(delivery) if refused == "deliver" => delivery.reject(no),
                    Event::Verify(verify) if refused == "verify" => verify.reject(no),
                    Event::Expand(expand) if refused == "expand" => expand.reject(no),
                    other => obliging(happened, other),
                }
            },
        );
        for line in [
            "RSET",
            "FOO",
            "EHLO",
            "EHLO a.example",
            "RSET",
            "RSET now",
            "MAIL FROM:<>>",
            "RCPT TO:<c@d.org>",
            "DATA",
            "VRFY x",
            "EXPN x",
            "MAIL FROM:<a@b.org> FOO=1",
            "MAIL FROM:<a@b.org>",
            "MAIL FROM:<a@b.org>",
            "RCPT TO:<c@d.org>",
            "TURN",
            "\u{1}",
        ] {
            talk.ask(line);
        }
        if talk.ask("DATA") == 354 {
            talk.ask("text\r\nQUIT\r\n.");
        }
        for line in ["RSET", "EHLO a.example", "RSET", "HELO a.example", "RSET"] {
            talk.ask(line);
        }
        talk.say("FOO ".repeat(2000).as_bytes());
        talk.ask("");
        assert!(!talk.is_closed(), "{refused}: {:?}", talk.happened);
        assert_eq!(talk.ask("NOOP"), 250, "{refused}");
        assert_eq!(talk.ask("QUIT"), 221);
        assert!(talk.is_closed());
        assert_eq!(talk.server().end(), Some(End::Quit));
    }
}

/// 5321-3.8-b: RFC 5321 section 3.8. In every phase of the session, its last reply is 421.
#[test]
fn a_server_that_shuts_down_sends_421_first() {
    let bare = "C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\n";
    let chunk = "C: BDAT 3\nC| abc\nS: 250 2.0.0 Chunk received\nC: RSET\nS: 250 2.0.0 Ok\n";
    let reset = "C: RSET\nS: 250 2.0.0 Ok\n";
    let greeting = "S: 220 mx.example.org ESMTP service ready\n";
    for script in [
        greeting.to_owned(),
        HELLO.to_owned(),
        format!("{HELLO}{bare}"),
        format!("{HELLO}{ENVELOPE}"),
        format!("{HELLO}{ENVELOPE}{reset}"),
        format!("{HELLO}{ENVELOPE}{chunk}"),
        format!("{HELLO}{ENVELOPE}{DATA}C: .\nS: 250 2.0.0 queued\n"),
        format!("{HELLO}C| NOO\n"),
    ] {
        let script = format!(
            "{script}(shut down)\nS: 421 4.3.2 Shutting down, try again later\nS: (closed)"
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.end, Some(End::ShutDown), "{script}");
    }
    let dialogue = "S: 220 mx.example.org ESMTP service ready
        C: EHLO client.example.net
        S: 250-mx.example.org
        S: 250 AUTH PLAIN
        C: AUTH PLAIN
        S: 334
        (shut down)
        S: 421 Shutting down, try again later
        S: (closed)";
    let auth = with(&[]).with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
    let dialogue = dialogue.replace("334\n", "334 \n");
    let experience = converse_with(auth, &dialogue, |experience, event| match event {
        Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
        other => experience.answer(other),
    });
    assert_eq!(experience.end, Some(End::ShutDown));
    // And before the greeting, in place of it.
    let mut server = Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR);
    server.shut_down();
    assert!(matches!(server.poll(Instant::ORIGIN), Need::Write(_)));
    let mut slices = [&[][..]; 4];
    let count = server.to_send(&mut slices);
    assert!(slices[..count].concat().starts_with(b"421 "));
}

/// 5321-3.8-d, 5321-4.3.2-d: RFC 5321 sections 3.8 and 4.3.2. Whatever the command was.
#[test]
fn a_421_to_any_command_closes() {
    let lines = [
        ("connect", ""),
        ("hello", "EHLO a.example"),
        ("verify", "VRFY x"),
        ("expand", "EXPN x"),
        ("etrn", "ETRN example.net"),
        ("auth", "AUTH PLAIN AGFubgBzZWNyZXQ="),
        ("mail", "MAIL FROM:<a@b.org>"),
        ("rcpt", "RCPT TO:<c@d.org>"),
        ("data", "DATA"),
        ("content", "text\r\n."),
    ];
    for (closing, _) in lines {
        let config = with(&[Extension::Expn, Extension::Etrn])
            .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
        let mut talk =
            Talk::new(config, Security::CLEAR, move |happened: &mut Vec<String>, event| {
                let last = Rejection::SHUTTING_DOWN;
                match event {
                    Event::Connect(it) if closing == "connect" => it.reject(last),
                    Event::Hello(it) if closing == "hello" => it.reject(last),
                    Event::Verify(it) if closing == "verify" => it.reject(last),
                    Event::Expand(it) if closing == "expand" => it.reject(last),
                    Event::Etrn(it) if closing == "etrn" => it.reject(last),
                    Event::Auth(it) if closing == "auth" => it.reject(last),
                    Event::Mail(it) if closing == "mail" => it.reject(last),
                    Event::Rcpt(it) if closing == "rcpt" => it.reject(last),
                    Event::Data(it) if closing == "data" => it.reject(last),
                    Event::Content(it) if closing == "content" => it.reject(last),
                    other => obliging(happened, other),
                }
            });
        for (name, line) in &lines[1..] {
            if talk.is_closed() {
                break;
            }
            let code = talk.ask(line);
            assert_eq!(code == 421, talk.is_closed(), "{closing}: {code} to {line}");
            assert!(!talk.is_closed() || *name == closing, "{closing}: {code} to {line}");
        }
        let last = talk.happened.last().unwrap();
        assert_eq!(last, "S: 421 Service is shutting down", "{closing}");
        assert!(talk.is_closed(), "{closing}");
        assert_eq!(talk.server().end(), Some(End::Refused), "{closing}");
    }
    let script = format!(
        "{HELLO}{ENVELOPE}{DATA}
         C: text
         C: .
         S: 421 4.3.2 Service is shutting down
         S: (closed)"
    );
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Deliver(delivery) => delivery.reject(Rejection::SHUTTING_DOWN),
        other => experience.answer(other),
    });
    assert_eq!(experience.end, Some(End::Refused));
}

/// 5321-4.1.1-b: RFC 5321 section 4.1.1.
#[test]
fn white_space_at_the_end_of_a_line_is_forgiven() {
    let hello = HELLO.replace("EHLO client.example.net", r"EHLO client.example.net \r\n");
    let hello = hello.replace("C: EHLO", "C| EHLO");
    let experience = converse(
        config(),
        &format!(
            r"{hello}
             C| NOOP  \r\n
             S: 250 2.0.0 Ok
             C| RSET\t\r\n
             S: 250 2.0.0 Ok
             C| MAIL FROM:<a@b.org> \r\n
             S: 250 2.1.0 Ok
             C| RCPT TO:<c@d.org>  \r\n
             S: 250 2.1.5 Ok
             C| DATA \r\n
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued
             C| QUIT \r\n
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)"
        ),
    );
    assert_eq!(experience.messages[0].to, ["<c@d.org>"]);
}

/// 5321-4.1.1-d: RFC 5321 section 4.1.1.
#[test]
fn commands_without_arguments_take_none() {
    let experience = converse(
        config(),
        &format!(
            "{HELLO}{ENVELOPE}
             C: DATA now
             S: 501 5.5.4 This command takes no such argument
             C: RSET now
             S: 501 5.5.4 This command takes no such argument
             C: QUIT now
             S: 501 5.5.4 This command takes no such argument
             {DATA}
             C: .
             S: 250 2.0.0 queued"
        ),
    );
    assert_eq!(experience.messages[0].to.len(), 2);
}

/// 5321-4.1.1.1-l: RFC 5321 section 4.1.1.1.
#[test]
fn a_hello_leaves_no_transaction() {
    for hello in [HELLO, "C: HELO client.example.net\nS: 250 mx.example.org\n"] {
        let hello = hello.replace("S: 220 mx.example.org ESMTP service ready\n", "");
        let experience = converse(
            config(),
            &format!(
                "{HELLO}{ENVELOPE}{hello}
                 C: RCPT TO:<c@d.org>
                 S: 503 5.5.1 Need MAIL command
                 C: MAIL FROM:<second@b.org>
                 S: 250 2.1.0 Ok
                 C: DATA
                 S: 503 5.5.1 No valid recipients"
            ),
        );
        assert_eq!(experience.aborts(), ["Hello"]);
    }
}

/// Sequences that look like the end of data, and are not.
const NO_ENDS: [&str; 12] = [
    r"\n.\r\n",
    r"\r\n.\n",
    r"\n.\n",
    r"\r.\r",
    r"\r.\r\n",
    r"\r\n.\r",
    r"\r\n.\r\r\n",
    r"\r\n. \r\n",
    r"\r\n\n.\n",
    r"\r\n.\0\r\n",
    r"\r\r.\r\n",
    r"\n\n.\r\r\n",
];

/// 5321-4.1.1.4-a 5321-4.1.1.4-b: RFC 5321 section 4.1.1.4. After each of them comes a second
/// message, which a server that took it for the end would accept.
#[test]
fn sequences_that_resemble_the_end_of_data_do_not_end_it() {
    for policy in [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep] {
        for end in NO_ENDS.map(unescape) {
            let smuggled = b"MAIL FROM:<x@b.org>\r\nRCPT TO:<y@d.org>\r\nDATA\r\nx";
            let wire = [b"One", &end[..], smuggled, b"\r\n.\r\n"].concat();
            let (mut answers, mut offered) = (0, Vec::new());
            let config = config().with_bare_line_breaks(policy);
            let mut talk = Talk::new(
                config,
                Security::CLEAR,
                |happened: &mut Vec<String>, event| match event {
                    Event::Content(content) => offered.extend_from_slice(content.take()),
                    Event::Mail(mail) => {
                        answers += 1;
                        mail.accept();
                    }
                    other => obliging(happened, other),
                },
            );
            for line in ["EHLO a.example", "MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "DATA"] {
                assert!(talk.ask(line) < 400);
            }
            let said = talk.say(&wire);
            assert_eq!(said.len(), 1, "{policy:?} {}: {said:?}", end.escape_ascii());
            assert_eq!(talk.ask("NOOP"), 250);
            drop(talk);
            assert_eq!(answers, 1, "{}", end.escape_ascii());
            if said[0].starts_with("250") {
                let inside = offered.windows(smuggled.len()).any(|part| part == smuggled);
                assert!(inside, "{}", offered.escape_ascii());
            }
        }
    }
}

/// 5321-4.1.1-a, 5321-4.1.1.4-c, 5321-2.3.8-a: RFC 5321 sections 2.3.8, 4.1.1 and 4.1.1.4.
#[test]
fn a_line_feed_alone_does_not_end_a_line() {
    let script = |reply: &str| {
        format!(
            r"{HELLO}{ENVELOPE}{DATA}
             C| One\nTwo\r\n..Three\n..\r\n.\r\n
             S: {reply}
             C| NOOP\n\r\n
             S: 500 5.5.2 CR, LF or NUL in a command line"
        )
    };
    let refused = script("550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)");
    let experience = converse(config(), &refused);
    assert!(experience.messages.is_empty());
    assert_eq!(experience.aborts(), ["BareLineBreak(3)"]);
    // A dot after it is not at the start of a line, whatever happens to it.
    let kept = config().with_bare_line_breaks(BareLineBreaks::Keep);
    let experience = converse(kept, &script("250 2.0.0 queued"));
    assert_eq!(experience.messages[0].content, b"One\nTwo\r\n.Three\n..\r\n");
    let made = config().with_bare_line_breaks(BareLineBreaks::Normalise);
    let experience = converse(made, &script("250 2.0.0 queued"));
    assert_eq!(experience.messages[0].content, b"One\r\nTwo\r\n.Three\r\n..\r\n");
}

/// 5321-4.1.1.4-i: RFC 5321 section 4.1.1.4.
#[test]
fn the_end_of_data_clears_the_transaction() {
    for (answer, reply) in [
        ("take", "250 2.0.0 Message accepted"),
        ("refuse", "554 5.6.0 Content refused"),
        ("later", "451 4.3.0 Local error in processing"),
        ("drop", "554 5.6.0 Content refused"),
        (r"bare\n", "550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)"),
    ] {
        converse_with(
            config(),
            &format!(
                r"{HELLO}{ENVELOPE}{DATA}
                 C| {answer}\r\n.\r\n
                 S: {reply}
                 C: RCPT TO:<c@d.org>
                 S: 503 5.5.1 Need MAIL command
                 C: DATA
                 S: 503 5.5.1 Need MAIL command
                 C: MAIL FROM:<a@b.org>
                 S: 250 2.1.0 Ok
                 C: DATA
                 S: 503 5.5.1 No valid recipients"
            ),
            |experience, event| match event {
                Event::Content(content) if experience.log.iter().any(|line| line == "d") => {
                    content.reject(Rejection::CONTENT_REFUSED);
                }
                Event::Content(content) => {
                    let first = char::from(content.octets()[0]);
                    experience.log.push(first.to_string());
                    content.consume(1);
                }
                Event::Deliver(delivery) => match &*experience.log[5] {
                    "t" => delivery.accept(),
                    "r" => delivery.reject(Rejection::CONTENT_REFUSED),
                    _ => delivery.reject(Rejection::LOCAL_ERROR),
                },
                other => experience.answer(other),
            },
        );
    }
}

/// 5321-4.1.1.5-a 5321-4.1.1.5-b: RFC 5321 section 4.1.1.5.
#[test]
fn rset_comes_at_any_time_and_leaves_nothing() {
    let experience = converse(
        config(),
        &format!(
            "S: 220 mx.example.org ESMTP service ready
             C: RSET
             S: 250 2.0.0 Ok
             {}
             C: RSET
             S: 250 2.0.0 Ok
             {ENVELOPE}
             C: RSET
             S: 250 2.0.0 Ok
             C: DATA
             S: 503 5.5.1 Need MAIL command
             C: RCPT TO:<c@d.org>
             S: 503 5.5.1 Need MAIL command
             {ENVELOPE}
             C: BDAT 5
             C| given
             S: 250 2.0.0 Chunk received
             C: RSET
             S: 250 2.0.0 Ok
             C: MAIL FROM:<new@b.org>
             S: 250 2.1.0 Ok
             C: DATA
             S: 503 5.5.1 No valid recipients
             C: RCPT TO:<new@d.org>
             S: 250 2.1.5 Ok
             {DATA}
             C: new
             C: .
             S: 250 2.0.0 queued
             C: RSET
             S: 250 2.0.0 Ok
             C: QUIT
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)",
            HELLO.replace("S: 220 mx.example.org ESMTP service ready\n", "")
        ),
    );
    assert_eq!(experience.aborts(), ["Reset", "Reset"]);
    assert_eq!(experience.messages.len(), 1);
    assert_eq!(experience.messages[0].from, "<new@b.org>");
    assert_eq!(experience.messages[0].to, ["<new@d.org>"]);
    assert_eq!(experience.messages[0].content, b"new\r\n");
}

/// 5321-4.1.1.5-d 5321-4.1.1.10-d: RFC 5321 sections 4.1.1.5 and 4.1.1.10. What was completed
/// stays, what is under way is dropped, wherever the connection is lost.
#[test]
fn a_lost_connection_undoes_the_message_in_progress_only() {
    let reset = "C: RSET\nS: 250 2.0.0 Ok\n";
    let chunk = "C: BDAT 3\nC| abc\nS: 250 2.0.0 Chunk received\n";
    for how in ["(closed)", "(cut off)"] {
        for (second, aborted) in [
            ("C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\n".to_owned(), 1),
            (ENVELOPE.to_owned(), 1),
            (format!("{ENVELOPE}{DATA}"), 1),
            (format!("{ENVELOPE}{DATA}C: half\n"), 1),
            (format!("{ENVELOPE}{DATA}C| half\\r\\n.\n"), 1),
            (format!("{ENVELOPE}{DATA}C| half\\r\\n.\\r\n"), 1),
            (format!("{ENVELOPE}{chunk}C: BDAT 4 LAST\nC| abc\n"), 1),
            (format!("{ENVELOPE}{chunk}"), 1),
            (format!("{ENVELOPE}{reset}"), 1),
        ] {
            let script = format!(
                "{HELLO}{ENVELOPE}{DATA}
                 C: First
                 C: .
                 S: 250 2.0.0 queued
                 {second}
                 C: {how}
                 S: (closed)"
            );
            let experience = converse(config(), &script);
            assert_eq!(experience.messages.len(), 1, "{script}");
            assert_eq!(experience.messages[0].content, b"First\r\n");
            assert_eq!(experience.aborts().len(), aborted, "{script}");
            assert_eq!(experience.end, Some(End::ConnectionLost), "{script}");
        }
    }
}

/// 5321-4.1.1.6-b 5321-4.1.1.7-b 5321-4.1.1.8-c 5321-4.1.1.9-a 5321-4.1.1.9-b: RFC 5321 sections
/// 4.1.1.6 to 4.1.1.9. Asked anywhere in a transaction, they leave it as it is.
#[test]
fn questions_leave_the_transaction_alone() {
    let mut stored = Vec::new();
    let extensions = [Extension::Chunking, Extension::Vrfy, Extension::Expn, Extension::Help];
    let mut talk =
        Talk::new(with(&extensions), Security::CLEAR, |happened: &mut Vec<String>, event| {
            match event {
                Event::Content(content) => stored.extend_from_slice(content.take()),
                Event::Deliver(delivery) => {
                    let envelope = delivery.envelope();
                    let to: Vec<_> =
                        envelope.recipients().map(|it| it.forward_path().to_string()).collect();
                    happened.push(format!("{} {}", envelope.reverse_path(), to.join(" ")));
                    delivery.accept();
                }
                Event::Abort(abort) => {
                    happened.push("abort".into());
                    abort.acknowledge();
                }
                other => obliging(happened, other),
            }
        });
    assert_eq!(talk.ask("EHLO a.example"), 250);
    for line in ["MAIL FROM:<a@b.org>", "RCPT TO:<c@d.org>", "RCPT TO:<e@f.org>", "BDAT 3\r\nabc"] {
        let said = talk
            .say(format!("{line}{}", if line.contains("abc") { "" } else { "\r\n" }).as_bytes());
        assert_eq!(code(&said[0]), 250, "{line}");
        for (question, expected) in [
            ("VRFY ann", 250),
            ("EXPN friends", 250),
            ("HELP", 214),
            ("HELP MAIL", 214),
            ("NOOP", 250),
            ("NOOP hello", 250),
            ("NOOP RSET and more", 250),
        ] {
            assert_eq!(talk.ask(question), expected, "{question} behind {line}");
        }
    }
    talk.say(b"BDAT 3 LAST\r\ndef");
    assert!(talk.happened.contains(&"<a@b.org> <c@d.org> <e@f.org>".to_owned()));
    assert!(!talk.happened.contains(&"abort".to_owned()));
    drop(talk);
    assert_eq!(stored, b"abcdef");
}

/// 5321-4.1.1.8-a: RFC 5321 section 4.1.1.8.
#[test]
fn help_needs_no_argument() {
    let mut talk = Talk::new(with(&[Extension::Help]), Security::CLEAR, obliging);
    assert!(matches!(talk.ask("HELP"), 211 | 214));
    assert_eq!(talk.ask("EHLO a.example"), 250);
    let said = talk.say(b"HELP\r\n");
    assert!(matches!(code(&said[0]), 211 | 214));
    assert!(said.join(" ").contains("MAIL"), "{said:?}");
}

/// 5321-4.1.1.10-a: RFC 5321 section 4.1.1.10.
#[test]
fn quit_comes_at_any_time_and_closes() {
    let greeting = "S: 220 mx.example.org ESMTP service ready\n";
    let chunk = "C: BDAT 3\nC| abc\nS: 250 2.0.0 Chunk received\n";
    for (before, aborted) in [
        (greeting.to_owned(), 0),
        (format!("{greeting}C: FOO\nS: 500 5.5.1 Command not recognised\n"), 0),
        (HELLO.to_owned(), 0),
        (format!("{HELLO}C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\n"), 1),
        (format!("{HELLO}{ENVELOPE}"), 1),
        (format!("{HELLO}{ENVELOPE}{chunk}"), 1),
        (format!("{HELLO}{ENVELOPE}{DATA}C: .\nS: 250 2.0.0 queued\n"), 0),
    ] {
        let script = format!(
            "{before}C: QUIT\nS: 221 2.0.0 Service closing transmission channel\nS: (closed)"
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.end, Some(End::Quit), "{script}");
        assert_eq!(experience.aborts(), vec!["Quit"; aborted], "{script}");
    }
    // In content it is content.
    let script = format!("{HELLO}{ENVELOPE}{DATA}C: QUIT\nC: .\nS: 250 2.0.0 queued");
    assert_eq!(converse(config(), &script).messages[0].content, b"QUIT\r\n");
}

/// 5321-4.1.1.11-a 5321-4.1.1.11-b: RFC 5321 section 4.1.1.11.
#[test]
fn a_parameter_is_unknown_or_cannot_be_honoured_now() {
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@b.org> FOO=1
             S: 555 5.5.4 Parameter not recognised or not implemented
             C: MAIL FROM:<a@b.org> SIZE=1 RET=FULL
             S: 555 5.5.4 Parameter not recognised or not implemented
             C: MAIL FROM:<busy@b.org> SIZE=1
             S: 455 4.5.4 Not now
             C: MAIL FROM:<a@b.org> SIZE=1
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org> FOO
             S: 555 5.5.4 Parameter not recognised or not implemented
             C: RCPT TO:<c@d.org> NOTIFY=NEVER
             S: 555 5.5.4 Parameter not recognised or not implemented
             C: RCPT TO:<busy@d.org>
             S: 455 4.5.4 Not now"
        ),
        |experience, event| {
            let status = Status::new(5, 4).unwrap();
            let text = Text::literal("Not now");
            let not_now = Rejection::new(Code::new(455).unwrap(), status, text).unwrap();
            match event {
                Event::Mail(mail) if mail.reverse_path().to_string().contains("busy") => {
                    mail.reject(not_now);
                }
                Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("busy") => {
                    rcpt.reject(not_now);
                }
                other => experience.answer(other),
            }
        },
    );
    assert!(experience.messages.is_empty());
}
