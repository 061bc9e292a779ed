//! Secrets in transcripts, of either side (RFC 4954 section 4, RFC 4422 section 6): what is shown of a line.

use crate::overheard::overhear;
use esmtp::{
    client,
    machine::Need,
    sasl::{Attempt, Identity, Mechanism, Nonce, Offer, PlainInitiator, Question, Step, Verifier},
    security::Security,
    server::{Config, CustomVerb, Event, Limits, Peer, Server, Timeouts, VerbPlacement},
    syntax::{Argument, Code, Extension, Rejection, Status, Text, UnknownVerb},
    testing::Driver,
    time::Instant,
    transcript::Entry,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// A server with a transcript, driven by hand: an application answers its questions.
struct Overheard {
    driver: Driver<Server>,
    transcript: Arc<Mutex<String>>,
}

impl Overheard {
    fn new(config: Config, security: Security) -> Self {
        let transcript = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&transcript);
        let limits = Limits::default().with_auth_failures(1000).with_errors(1000);
        let config = config.with_limits(limits).with_enforced_sync(false);
        let server = Server::new(Arc::new(config), Peer::UNKNOWN, security).with_transcript(
            Box::new(move |_: Instant, entry: Entry<'_>| {
                log.lock().unwrap().push_str(&format!("{entry}\n"));
            }),
        );
        let mut it = Self { driver: Driver::new(server), transcript };
        it.say(b"");
        it.say(b"EHLO client.example.net\r\n");
        it.take();
        it
    }

    /// Says these octets, and returns what was sent in return; delayed replies are waited for.
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut sent = self.driver.exchange(octets, answer);
        while let Need::Wait(until) = self.driver.need() {
            let wait = until.saturating_since(self.driver.time());
            sent += &self.driver.pass(wait, answer);
        }
        assert!(!format!("{:?}", self.driver.machine()).contains("tanstaaf"));
        sent.into_bytes()
    }

    /// Returns the transcript since the last call, replies by their codes.
    fn take(&mut self) -> String {
        std::mem::take(&mut self.transcript.lock().unwrap())
    }

    /// Returns the lines of the client in the transcript since the last call.
    fn said(&mut self) -> Vec<String> {
        self.take().lines().filter_map(|line| line.strip_prefix("C: ")).map(str::to_owned).collect()
    }
}

fn offer() -> Offer {
    let mechanisms =
        [Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::CRAM_MD5, Mechanism::SCRAM_SHA_256];
    let offer = Offer::new(mechanisms);
    #[cfg(feature = "scram")]
    let offer = offer.with_decoy(esmtp::sasl::scram::Decoy::new([3; 32]));
    offer
}

#[cfg(feature = "scram")]
fn keys() -> esmtp::sasl::scram::Keys {
    use esmtp::sasl::scram::{Hash, Keys};

    Keys::derive(Hash::Sha256, "tanstaaf1", *b"saltsalt", 4096).unwrap()
}

/// Rejects every identity, in words that repeat what was said.
fn answer(event: Event<'_>) {
    let repeating = |text: &'static str| {
        let (code, status) = (Code::new(535).unwrap(), Status::new(7, 8).unwrap());
        Rejection::new(code, status, Text::literal(text)).unwrap()
    };
    match event {
        Event::Auth(auth) => {
            let channel = Security::TLS.channel();
            let nonce = Nonce::new([1; 18]);
            let attempt = Attempt { channel: &channel, proven: None, nonce, unix_seconds: 0 };
            match offer().verifier(auth.mechanism(), attempt) {
                Some(verifier) => auth.verify(verifier),
                None => auth.reject(repeating("No, tanstaaf1, hunter2 and dGFuc3RhYWYx are bad")),
            }
        }
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.accept(),
            #[cfg(feature = "scram")]
            Question::Keys(question) if question.user() == "known" => question.supply(keys()),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) if authenticated.identity().authcid() == "known" => {
            authenticated.accept();
        }
        Event::Authenticated(authenticated) => {
            authenticated.reject(repeating("No, tanstaaf1, hunter2 and dGFuc3RhYWYx are bad"));
        }
        Event::Other(other) => {
            let text = "tanstaaf1 hunter2 dGFuc3RhYWYx";
            other.accept_with(Text::literal(text));
        }
        other => other.proceed(),
    }
}

fn config() -> Config {
    let extensions = [Extension::EnhancedStatusCodes, Extension::Vrfy].into_iter().collect();
    Config::new("mx.example.org")
        .unwrap()
        .with_extensions(extensions)
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO))
        .with_verb(CustomVerb::new("XSTATS", VerbPlacement::Anywhere).unwrap())
}

fn offering() -> Config {
    config().with_auth(offer())
}

/// Returns lines that a client sends which goes on after a rejection: base64 and passwords of any length and case, those too that
/// begin with the word of a command, and lines that are too long.
fn lines_of_secrets() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        "YW5u",
        "cHc=",
        "YWJj",
        "QUJDREVG",
        "hunter2",
        "ABCDEF",
        "abc",
        "x",
        "",
        " ",
        "*",
        "=",
        "12345678",
        "tanstaaf",
        "TANSTAAF",
        "correct horse battery staple",
        "AGFubgBwdw==",
        "p\u{e4}ss",
        "pa\tss",
        "help me",
        "HELP hunter2",
        "noop hunter2",
        "mail order",
        "MAIL garbage",
        "MAIL FROM:hunter2",
        "RCPT hunter2",
        "data loss",
        "quit smoking",
        "rset x",
        "send help",
        "turn",
        "saml hunter2",
        "lhlo x.example",
        "starttls hunter2",
        "bdat hunter2",
        "vrfy",
        "expn",
        "ehlo",
        "helo",
        "hunter2 AUTH x",
        "login hunter2",
        "pass hunter2",
        "user hunter2",
        "GETx",
        "-",
        "QUITx",
        "MAILX",
        "+OK",
        "220",
        "{7}",
        "a=b",
        "http://ann:hunter2@x.example/",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect();
    lines.push(b"\xff\xfe".to_vec());
    lines.push(b"hunter2\0".to_vec());
    lines.push("hunter2".repeat(2000).into_bytes());
    lines.push("MAIL FROM:<a@b.example> ".repeat(200).into_bytes());
    lines
}

/// Ways in which AUTH begins no exchange, and what is shown of the line.
const REFUSALS: [(&str, &str); 22] = [
    ("AUTH LOGIN", "AUTH LOGIN"),
    ("auth login", "auth login"),
    ("AUTH LOGIN YW5u", "AUTH LOGIN (redacted)"),
    ("AUTH\tPLAIN\tAGFubgB0", "AUTH PLAIN (redacted)"),
    ("AUTH PLAIN  ", "AUTH PLAIN"),
    ("AUTH NTLM", "AUTH NTLM"),
    ("AUTH SCRAM-SHA-3-512 biws", "AUTH SCRAM-SHA-3-512 (redacted)"),
    ("AUTH PLAIN not!base64", "AUTH PLAIN (redacted)"),
    ("AUTH PLAIN a b c", "AUTH PLAIN (redacted)"),
    ("AUTH", "AUTH"),
    ("AUTH hunter2", "AUTH (redacted)"),
    ("AUTH ABCDEF", "AUTH (redacted)"),
    ("AUTH YW5u", "AUTH (redacted)"),
    ("AUTH T hunter2", "AUTH (redacted)"),
    (" AUTH LOGIN", "(redacted)"),
    ("AUTH=LOGIN", "AUTH=LOGIN"),
    ("AUTH=LOGIN YW5u", "(redacted)"),
    ("AUTHLOGIN YW5u", "(redacted)"),
    ("AUTHENTICATE LOGIN", "(redacted)"),
    ("a1 LOGIN ann hunter2", "(redacted)"),
    ("PASS hunter2", "(redacted)"),
    ("Authorization: Basic YW5u", "(redacted)"),
];

/// 4954-9-a: a client whose AUTH was refused, for whatever reason, goes on with its user and its password.
#[test]
fn lines_after_a_rejected_auth_are_not_shown_until_a_command_comes() {
    for (line, shown) in REFUSALS {
        for secret in lines_of_secrets() {
            let mut session = Overheard::new(config(), Security::TLS);
            session.say(format!("{line}\r\n").as_bytes());
            assert_eq!(session.said(), [shown]);
            session.say(&[&secret[..], b"\r\n"].concat());
            assert_eq!(session.said(), ["(redacted)"], "{line}: {}", secret.escape_ascii());
        }
        let mut session = Overheard::new(config(), Security::TLS);
        session.say(format!("{line}\r\nYW5u\r\ncHc=\r\nhunter2\r\n").as_bytes());
        assert_eq!(session.said(), [shown, "(redacted)", "(redacted)", "(redacted)"]);
    }
}

/// Each of these ends what is hidden; what comes then is a line like any other.
#[test]
fn a_command_ends_what_is_hidden() {
    let commands = [
        "NOOP",
        "RSET",
        "HELP",
        "EHLO client.example.net",
        "HELO client.example.net",
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<a@b.example>",
        "DATA",
        "VRFY ann",
        "STARTTLS",
        "EXPN list",
        "XSTATS",
        "XSTATS now",
        "mail from:<>",
        "ETRN x.example",
    ];
    for command in commands {
        let mut session = Overheard::new(config(), Security::TLS);
        session.say(b"AUTH LOGIN\r\nhunter2\r\n");
        assert_eq!(session.said(), ["AUTH LOGIN", "(redacted)"]);
        session.say(format!("{command}\r\nXFOO bar\r\nNOOP now\r\n").as_bytes());
        let said = session.said();
        match command {
            "DATA" => assert_eq!(said[0], command),
            _ => assert_eq!(said, [command, "XFOO bar", "NOOP now"]),
        }
    }
    let mut session = Overheard::new(config(), Security::TLS);
    session.say(b"AUTH LOGIN\r\nhunter2\r\nQUIT\r\n");
    assert_eq!(session.said(), ["AUTH LOGIN", "(redacted)", "QUIT"]);
}

/// AUTH at the wrong time, without TLS, too long, cancelled or failed: as if it were not offered.
#[test]
fn after_every_end_of_auth_but_a_command_lines_are_hidden() {
    let cases: [(&str, Security, &[&str]); 7] = [
        ("needs TLS", Security::CLEAR, &["AUTH PLAIN"]),
        ("not offered", Security::TLS, &["AUTH GSSAPI"]),
        ("failed", Security::TLS, &["AUTH PLAIN AGFubgB0YW5zdGFhZjE="]),
        ("cancelled", Security::TLS, &["AUTH PLAIN", "*"]),
        ("not base64", Security::TLS, &["AUTH LOGIN", "ann", "hunter2"]),
        ("no initial response", Security::TLS, &["AUTH CRAM-MD5 YW5u"]),
        ("in a transaction", Security::TLS, &["MAIL FROM:<a@b.example>", "AUTH LOGIN"]),
    ];
    for (name, security, lines) in cases {
        let mut session = Overheard::new(offering(), security);
        for line in lines {
            session.say(format!("{line}\r\n").as_bytes());
        }
        session.take();
        for secret in ["YW5u", "hunter2", "ABCDEF", "", "x"] {
            session.say(format!("{secret}\r\n").as_bytes());
            assert_eq!(session.said(), ["(redacted)"], "{name}");
        }
        session.say(b"RSET\r\nXFOO\r\n");
        assert_eq!(session.said(), ["RSET", "XFOO"], "{name}");
    }
    // The line that is too long is AUTH itself.
    let mut session = Overheard::new(config(), Security::TLS);
    session.say(&[b"AUTH PLAIN ", "QUJD".repeat(20_000).as_bytes(), b"\r\nhunter2\r\n"].concat());
    assert_eq!(session.said(), ["(redacted)", "(redacted)"]);
    // Any other, where no AUTH was before.
    session.say(b"NOOP\r\n");
    session.say(&[b"MAIL ", "QUJD".repeat(20_000).as_bytes(), b"\r\nhunter2\r\n"].concat());
    assert_eq!(session.said(), ["NOOP", "(a line that is too long)", "hunter2"]);
}

/// RFC 5802 section 9: with a challenge and the response to it a weak password is found offline.
#[cfg(all(feature = "scram", feature = "cram-md5"))]
#[test]
fn no_octet_of_an_exchange_is_shown() {
    for (mechanism, responses) in [
        ("LOGIN", &["YW5u", "dGFuc3RhYWYx"][..]),
        ("PLAIN", &["AGFubgB0YW5zdGFhZjE="]),
        ("CRAM-MD5", &["YW5uIDBiYWJlMDBiYWJlMDBiYWJlMDBiYWJlMDBiYWJlMDA="]),
        ("SCRAM-SHA-256", &["biwsbj1ib2Iscj1jbGllbnQ=", "Yz1iaXdzLHI9eCxwPXg="]),
    ] {
        let mut session = Overheard::new(offering(), Security::TLS);
        let mut sent = session.say(format!("AUTH {mechanism}\r\n").as_bytes());
        assert!(sent.starts_with(b"334 "), "{mechanism}: {}", sent.escape_ascii());
        for response in responses {
            sent.extend(session.say(format!("{response}\r\n").as_bytes()));
        }
        let transcript = session.take();
        let sent = String::from_utf8(sent).unwrap();
        let challenges: Vec<_> =
            sent.lines().filter_map(|line| line.strip_prefix("334 ")).collect();
        assert_eq!(challenges.len(), responses.len(), "{sent}");
        let shown = transcript.matches("S: 334 (redacted)\n").count();
        assert_eq!(shown, challenges.len(), "{transcript}");
        assert_eq!(transcript.matches("C: (redacted)\n").count(), responses.len(), "{transcript}");
        for said in challenges.iter().chain(responses) {
            assert!(said.is_empty() || !transcript.contains(said), "{transcript}");
        }
    }
}

/// RFC 5802: an exchange that succeeds, with the server's signature in a last challenge.
#[cfg(feature = "scram")]
#[test]
fn of_a_whole_exchange_only_its_outcome_is_shown() {
    use esmtp::{
        sasl::{
            Initiator as _,
            scram::{Hash, ScramInitiator},
        },
        syntax::Base64,
    };

    let mut session = Overheard::new(offering(), Security::TLS);
    let mut client =
        ScramInitiator::new(Hash::Sha256, "known", "tanstaaf1", Nonce::new([2; 18])).unwrap();
    let first = client.initial_response().unwrap().unwrap();
    let mut line = format!("AUTH SCRAM-SHA-256 {}", Base64::encode(first.expose()).as_str());
    loop {
        let sent = String::from_utf8(session.say(format!("{line}\r\n").as_bytes())).unwrap();
        // Nothing of it stands in `Debug` either.
        for shown in [format!("{:?}", session.driver.machine()), format!("{client:?}")] {
            let nonce = Nonce::new([2; 18]).as_str().to_owned();
            assert!(!shown.contains(&nonce), "{shown}");
        }
        let Some(challenge) = sent.strip_prefix("334 ") else { break };
        let challenge = Base64::parse(challenge.trim_end()).unwrap().decoded();
        let response = client.respond(&challenge).unwrap();
        line = Base64::encode(response.expose()).as_str().to_owned();
    }
    assert_eq!(
        session.take(),
        "C: AUTH SCRAM-SHA-256 (redacted)
S: 334 (redacted)
C: (redacted)
S: 334 (redacted)
C: (redacted)
S: 235 2.7.0 Authentication successful
"
    );
}

/// A reply that repeats what was said in secret is sent as the application wants it, and shown without that.
#[test]
fn a_reply_of_the_server_that_repeats_a_secret_is_not_shown_as_it_is() {
    let mut session = Overheard::new(offering(), Security::TLS);
    let sent = session.say(b"AUTH PLAIN AGFubgB0YW5zdGFhZjE=\r\n");
    assert_eq!(sent, b"535 5.7.8 No, tanstaaf1, hunter2 and dGFuc3RhYWYx are bad\r\n");
    let expected =
        "C: AUTH PLAIN (redacted)\nS: 535 5.7.8 No, *********, hunter2 and dGFuc3RhYWYx are bad\n";
    assert_eq!(session.take(), expected);
    session.say(b"AUTH LOGIN YW5u\r\ndGFuc3RhYWYx\r\n");
    let transcript = session.take();
    assert!(
        transcript.ends_with("No, *********, hunter2 and ************ are bad\n"),
        "{transcript}"
    );
    // The words of replies are no secrets, whatever a password is.
    session.say(b"AUTH PLAIN AGFubgBhdXRoZW50aWNhdGlvbg==\r\nAUTH CRAM-MD5 YW5u\r\n");
    let transcript = session.take();
    assert!(transcript.contains("No, tanstaaf1"), "{transcript}");
}

/// A verb of the application's own is known, and its argument is not.
#[test]
fn what_looks_like_a_secret_after_a_verb_of_the_application_is_not_shown() {
    for (line, shown, reply) in [
        ("XSTATS now", "XSTATS now", "tanstaaf1 hunter2 dGFuc3RhYWYx"),
        ("xstats dGFuc3RhYWYx", "xstats (redacted)", "tanstaaf1 hunter2 ************"),
        (
            "XSTATS auth PLAIN tanstaaf1 hunter2",
            "XSTATS (redacted)",
            "********* ******* dGFuc3RhYWYx",
        ),
        ("XSTATS login ann hunter2", "XSTATS (redacted)", "tanstaaf1 ******* dGFuc3RhYWYx"),
        (
            "XSTATS imap://ann:hunter2@x.example/",
            "XSTATS (redacted)",
            "tanstaaf1 ******* dGFuc3RhYWYx",
        ),
        (
            "XSTATS author statistics 20261124",
            "XSTATS author statistics 20261124",
            "tanstaaf1 hunter2 dGFuc3RhYWYx",
        ),
    ] {
        let mut session = Overheard::new(config(), Security::TLS);
        let sent = session.say(format!("{line}\r\n").as_bytes());
        assert_eq!(sent, b"250 2.0.0 tanstaaf1 hunter2 dGFuc3RhYWYx\r\n");
        assert_eq!(session.take(), format!("C: {shown}\nS: 250 2.0.0 {reply}\n"));
    }
}

/// A verifier of an application's own whose challenge only its client may see.
#[derive(Debug)]
struct Own;

impl Verifier for Own {
    fn mechanism(&self) -> Mechanism {
        Mechanism::new("X-OWN").unwrap()
    }
    fn step(&mut self, response: Option<&[u8]>) -> Step {
        match response {
            None => Step::Challenge(b"challenge".to_vec()),
            Some(_) => Step::proved(Identity::new("ann")),
        }
    }
}

#[test]
fn no_octet_of_an_exchange_is_in_debug() {
    let shown = [
        format!("{:?}", Own.step(None)),
        format!("{:?}", Step::proved_with(Identity::new("ann"), b"challenge".to_vec())),
    ];
    for shown in shown {
        assert!(!shown.contains("99, 104, 97"), "{shown}");
    }
}

/// Octets that are not a reply, a challenge of several lines and a challenge at the wrong time are shown without what they repeat.
#[test]
fn a_server_that_repeats_a_secret_in_any_form_is_not_shown_to_do_so() {
    const BASE64: &str = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";
    let login = |event: client::Event<'_>| match event {
        client::Event::Ready(ready) => {
            let plain = PlainInitiator::new("tim", "tanstaaftanstaaf").unwrap();
            ready.authenticate(vec![Box::new(plain)]).unwrap();
        }
        client::Event::Refused(event) => event.go_on(),
        other => other.quit(),
    };
    for answer in [
        format!("{BASE64}\r\n"),
        format!("tanstaaftanstaaf {BASE64}\r\n"),
        format!("334-{BASE64}\r\n334 {BASE64}\r\n"),
        format!("334-{BASE64}\r\n{BASE64}\r\n"),
        "334 tanstaaftanstaaf\r\n".to_owned(),
        "334tanstaaftanstaaf\r\n".to_owned(),
        "535-x\r\n250 tanstaaftanstaaf\r\n".to_owned(),
        format!("535 {BASE64}\n"),
        format!("535 {}\r\n", "tanstaaftanstaaf".repeat(200)),
    ] {
        let replies =
            ["220 mx\r\n", "250-mx\r\n250 AUTH PLAIN\r\n", &answer, "501 no\r\n", "221 bye\r\n"];
        let mut end = None;
        let heard = overhear(&replies, |event| match &event {
            client::Event::Refused(refused) => {
                end = Some(refused.reply().to_string());
                event.quit();
            }
            _ => login(event),
        });
        for secret in ["tanstaaf", "AHRp", "YW5zd"] {
            assert!(!heard.contains(secret), "{answer}: {heard}");
            assert!(!end.as_ref().is_some_and(|end| end.contains(secret)), "{answer}: {end:?}");
        }
    }
}

/// The client does not know what a verb of the application's own carries.
#[test]
fn an_argument_that_may_be_secret_is_not_shown() {
    for (verb, argument, shown) in [
        ("XDO", "login ann tanstaaf1", "XDO (redacted)"),
        ("XAUTH", "tanstaaf1", "XAUTH (redacted)"),
        ("X-LOGIN", "ann tanstaaf1", "X-LOGIN (redacted)"),
        ("PASS", "tanstaaf1", "PASS (redacted)"),
        ("XDO", "imap://ann:tanstaaf1@x.example/", "XDO (redacted)"),
        ("XDO", "Bearer tanstaaf1", "XDO (redacted)"),
        ("XDO", "AUTH=PLAIN tanstaaf1", "XDO (redacted)"),
        ("XDO", "statistics 20261124", "XDO statistics 20261124"),
        ("XDO", "author", "XDO author"),
    ] {
        let replies = ["220 mx\r\n", "250 mx\r\n", "500 what is tanstaaf1?\r\n", "221 bye\r\n"];
        let mut is_said = false;
        let heard = overhear(&replies, |event| match event {
            client::Event::Ready(ready) if !is_said => {
                is_said = true;
                let argument = Argument::new(argument.to_owned()).unwrap();
                let verb = UnknownVerb::new(verb.to_owned()).unwrap();
                ready.command(verb, Some(argument)).unwrap();
            }
            client::Event::Refused(event) => event.go_on(),
            other => other.quit(),
        });
        assert!(heard.contains(&format!("C: {shown}\n")), "{heard}");
        let is_secret = shown.ends_with("(redacted)");
        assert_eq!(heard.contains("tanstaaf1"), !is_secret, "{heard}");
    }
}
