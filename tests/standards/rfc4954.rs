//! AUTH, both sides.

use crate::by_hand::ByHand;
use crate::common::{self, Experience, converse_with};
use crate::dialogue::{Act, Dialogue, after_offer, mail};
use esmtp::{
    client::{self, Client},
    envelope::Envelope,
    machine::Machine,
    sasl::{
        Attempt, Credentials, Identity, Initiator, LoginInitiator, Mechanism, Nonce,
        OauthBearerInitiator, Offer, PlainInitiator, Question, Step, Verifier, Xoauth2Initiator,
    },
    security::Security,
    server::{Auth, Config, Event, Limits, Timeouts},
    syntax::{Base64, Code, Extension, Parameters, Rejection, Status, Submitter, Text},
    testing::Driver,
};
use std::{collections::VecDeque, time::Duration};

fn offer() -> Offer {
    Offer::new([Mechanism::PLAIN, Mechanism::LOGIN])
}

fn config() -> Config {
    let extensions = [Extension::Pipelining, Extension::EnhancedStatusCodes];
    common::config()
        .with_extensions(extensions.into_iter().collect())
        .with_auth(offer().with_secrets_in_clear())
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO))
}

const HELLO: &str = "
    S: 220 mx.example.org ESMTP service ready
    C: EHLO client.example.net
    S: 250-mx.example.org
    S: 250-PIPELINING
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH PLAIN LOGIN
";
/// `ann` with the password `secret`, and with another one.
const ANN: &str = "AGFubgBzZWNyZXQ=";
const NOT_ANN: &str = "AGFubgB3cm9uZw==";

/// Judges an attempt as if it were inside TLS.
pub(crate) fn verify(offer: &Offer, auth: Auth<'_>) {
    let (channel, nonce) = (Security::TLS.channel(), Nonce::new([1; 18]));
    let attempt = Attempt { channel: &channel, proven: None, nonce, unix_seconds: 0 };
    let verifier = offer.verifier(auth.mechanism(), attempt).unwrap();
    auth.verify(verifier);
}

/// Handles events as an application that knows `ann`.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => verify(&offer(), auth),
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question)
                if question.user() == "ann" && question.password().matches(b"secret") =>
            {
                question.accept();
            }
            other => other.reject(),
        },
        Event::Mail(mail) => {
            let facts = mail.facts();
            let submitter = facts.submitter().map(|submitter| submitter.to_string());
            experience.log.push(format!(
                "mail with {} {} of {}",
                facts.protocol(),
                if facts.security().is_tls() { "in TLS" } else { "in the clear" },
                submitter.as_deref().unwrap_or("nobody"),
            ));
            mail.accept();
        }
        other => decide(experience, other),
    }
}

/// Accepts every client that has proven its identity.
fn decide(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Authenticated(authenticated) => {
            experience.log.push(format!("authenticated {}", authenticated.identity().authcid()));
            authenticated.accept();
        }
        other => experience.answer(other),
    }
}

fn converse(script: &str) -> Experience {
    converse_with(config(), &format!("{HELLO}{script}"), answer)
}

/// A mechanism that sends these challenges, and whose identity is the responses that it received.
#[derive(Debug)]
struct Parrot {
    challenges: VecDeque<Vec<u8>>,
    heard: Vec<String>,
}

impl Parrot {
    fn boxed(challenges: impl IntoIterator<Item = Vec<u8>>) -> Box<dyn Verifier> {
        Box::new(Self { challenges: challenges.into_iter().collect(), heard: Vec::new() })
    }
}

impl Verifier for Parrot {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PLAIN
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        self.heard.push(match response {
            None => "none".to_owned(),
            Some(octets) => format!("{} octets", octets.len()),
        });
        match self.challenges.pop_front() {
            Some(challenge) => Step::Challenge(challenge),
            None => Step::proved(Identity::new(self.heard.join(", "))),
        }
    }
}

/// Sends two empty challenges.
fn parrot(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => auth.verify(Parrot::boxed([vec![], vec![]])),
        other => decide(experience, other),
    }
}

fn challenges() -> impl Iterator<Item = Vec<u8>> {
    let octet = |place: usize| u8::try_from(place * 37 % 256).unwrap();
    (0..100).chain([382, 383, 384, 385, 600, 9000]).map(move |size| (0..size).map(octet).collect())
}

/// 4954-4-f, 4954-4-g: RFC 4954 sections 4 and 8. A challenge is `334`, a space and base64 in one line,
/// however long; of nothing it is `334` and a space.
#[test]
fn a_challenge_is_base64_and_nothing_else() {
    let mut session =
        ByHand::after_hello(config(), Security::CLEAR, |experience, event| match event {
            Event::Auth(auth) => auth.verify(Parrot::boxed(challenges())),
            other => decide(experience, other),
        });
    let mut line = "AUTH PLAIN\r\n";
    for challenge in challenges() {
        let said = session.say(line.as_bytes());
        assert_eq!(said, format!("334 {}\r\n", Base64::encode(&challenge).as_str()));
        line = "\r\n";
    }
    assert_eq!(session.say(b"\r\n"), "235 2.7.0 Authentication successful\r\n");
}

/// 4954-4-n: RFC 4954 section 4. `=` is an initial response of no octets, which is another thing than none.
/// 4954-4-o: an empty line is an empty response, and `=` in its place is not base64.
#[test]
fn an_empty_response_differs_from_an_absent_one() {
    let empty = "S: 334 \nC:\nS: 334 \nC:\nS: 235 2.7.0 Authentication successful\n";
    for (command, heard) in [
        ("AUTH PLAIN =", "0 octets, 0 octets, 0 octets"),
        ("AUTH PLAIN", "none, 0 octets, 0 octets"),
        ("AUTH PLAIN eA==", "1 octets, 0 octets, 0 octets"),
    ] {
        let script = format!("{HELLO}C: {command}\n{empty}");
        let experience = converse_with(config(), &script, parrot);
        assert_eq!(experience.log.last().unwrap(), &format!("authenticated {heard}"));
    }
    let script =
        format!("{HELLO}C: AUTH PLAIN\nS: 334 \nC: =\nS: 501 5.5.2 Cannot decode this as base64");
    converse_with(config(), &script, parrot);
}

/// 4954-4-k, 4954-4-l: RFC 4954 section 4. What is not strictly base64 is refused, wherever it stands.
#[test]
fn foreign_characters_and_misplaced_padding_are_refused() {
    for wrong in ["!!!", "=AAA", "AAA=BBB=", "AA A", "AAAA=", "AB==", "A", "AAAA "] {
        let config = config().with_limits(Limits::default().with_auth_failures(9));
        let script = format!(
            "{HELLO}
             C: AUTH PLAIN
             S: 334 
             C: {wrong}
             S: 501 5.5.2 Cannot decode this as base64
             C: AUTH PLAIN {ANN}
             S: 235 2.7.0 Authentication successful"
        );
        converse_with(config.clone(), &script, answer);
        if wrong.contains(' ') {
            continue;
        }
        let mut session = ByHand::after_hello(config, Security::CLEAR, answer);
        let said = session.say(format!("AUTH PLAIN {wrong}\r\n").as_bytes());
        assert!(said.starts_with("501 5.5."), "{wrong}: {said}");
        assert!(session.experience.log.iter().all(|line| !line.starts_with("authenticated")));
    }
}

/// 4954-4-e, 4954-4-i: RFC 4954 section 4, with the codes of section 6.
#[test]
fn unknown_mechanisms_and_cancellations_leave_the_session_as_it_was() {
    converse(&format!(
        "C: AUTH FOO
         S: 504 5.5.4 Unrecognised authentication type
         C: AUTH SCRAM-SHA-256 AAAA
         S: 504 5.5.4 Unrecognised authentication type
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: *
         S: 501 5.7.0 Authentication cancelled
         C: AUTH PLAIN {ANN}
         S: 235 2.7.0 Authentication successful"
    ));
}

/// 4954-4-r, 4954-4-s: RFC 4954 section 4. Lines of an exchange have 12288 octets, whatever commands have.
#[test]
fn lines_of_an_exchange_have_12288_octets() {
    let limits = Limits::default().with_command_line(512);
    let begin = || {
        let mut session =
            ByHand::after_hello(config().with_limits(limits), Security::CLEAR, parrot);
        assert_eq!(session.say(b"AUTH PLAIN\r\n"), "334 \r\n");
        session
    };
    let mut session = begin();
    let long = Base64::encode(&[0; 9213]);
    assert_eq!(session.say(format!("{}\r\n", long.as_str()).as_bytes()), "334 \r\n");
    assert!(session.say(b"\r\n").starts_with("235 2.7.0 "));
    assert_eq!(session.experience.log.last().unwrap(), "authenticated none, 9213 octets, 0 octets");
    // No base64 has exactly this many characters; the fault of the line is not its length.
    let said = begin().say(format!("{}\r\n", "A".repeat(12_286)).as_bytes());
    assert!(said.starts_with("501 5.5.2 "), "{said}");
    for octets in [12_287, 12_288, 13_000, 40_000] {
        let mut session = begin();
        let said = session.say(format!("{}\r\n", "A".repeat(octets)).as_bytes());
        assert!(said.starts_with("500 5.5.6 "), "{octets}: {said}");
        assert!(session.say(b"NOOP\r\n").starts_with("250 "), "the exchange is over");
        assert!(session.say(b"NOOP 123456789\r\n").starts_with("250 "));
    }
}

fn secured(acts: impl IntoIterator<Item = Act>) -> Dialogue {
    Dialogue { security: Security::TLS, ..Dialogue::new(acts) }
}

/// 4954-4-r: nor do the client's other limits count in an exchange.
#[test]
fn a_client_takes_and_gives_lines_of_12288_octets() {
    let octets = [7; 9210];
    let base64 = Base64::encode(&octets);
    let mut client = client();
    assert_eq!(client.advance("250-mx\r\n250 AUTH X-OWN\r\n"), "");
    let Some(client::Event::Ready(ready)) = client.machine_mut().event() else {
        panic!("not ready")
    };
    ready.authenticate_by_steps(Mechanism::new("X-OWN").unwrap(), None).unwrap();
    assert_eq!(client.advance(""), "AUTH X-OWN\r\n");
    assert_eq!(client.advance(format!("334 {}\r\n", base64.as_str())), "");
    let Some(client::Event::Challenge(challenge)) = client.machine_mut().event() else {
        panic!("no challenge")
    };
    assert_eq!(challenge.octets(), octets);
    challenge.respond(octets.to_vec());
    assert_eq!(client.advance(""), format!("{}\r\n", base64.as_str()));
    assert_eq!(client.advance("235 2.7.0 ok\r\n"), "");
    assert!(client.machine().authenticated().is_some());
}

/// Returns a client in TLS that has sent EHLO.
fn client() -> Driver<Client> {
    let client = Client::new(client::Config::new("me.example.org").unwrap(), Security::TLS);
    let mut client = Driver::new(client);
    assert_eq!(client.advance("220 mx\r\n"), "EHLO me.example.org\r\n");
    client
}

/// 4954-4-y, 4954-4-z: RFC 4954 section 4. Nothing is pipelined with AUTH, not even where its initial response is all:
/// octets after it would be a response.
#[test]
fn nothing_is_pipelined_with_auth() {
    let message = || Act::Send(mail(&["bob@example.net"], "x\r\n"));
    let credentials = Act::AuthAs(Credentials::password("test", "1234"));
    secured([message(), credentials, message()]).plays(&after_offer(
        "PIPELINING|AUTH PLAIN",
        "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 530 5.7.0 who are you
         S: 503 no
         S: 503 no
         C: RSET
         S: 250 ok
         C: AUTH PLAIN AHRlc3QAMTIzNA==
         S: 235 2.7.0 ok
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: x
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
}

/// 4954-4-aa: RFC 4954 section 4. Octets after an unfinished AUTH are never a command.
#[test]
fn octets_after_auth_are_responses_or_rejected() {
    for (command, challenge) in [
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("AUTH PLAIN", "334 \r\n"),
        ("AUTH LOGIN YW5u", "334 UGFzc3dvcmQ6\r\n"),
    ] {
        for is_enforced in [true, false] {
            let config = config().with_enforced_sync(is_enforced);
            let mut session = ByHand::after_hello(config, Security::CLEAR, answer);
            let said = session.say(format!("{command}\r\nMAIL FROM:<a@b.c>\r\n").as_bytes());
            if is_enforced {
                assert!(said.starts_with("554 5.5.0 ") && session.is_closed(), "{command}: {said}");
            } else {
                let refusal = "501 5.5.2 Cannot decode this as base64\r\n";
                assert_eq!(said, format!("{challenge}{refusal}"), "{command}");
            }
            let log = &session.experience.log;
            assert!(log.iter().all(|line| !line.starts_with("mail")), "{command}: {log:?}");
        }
    }
    let mut session = ByHand::after_hello(config(), Security::CLEAR, answer);
    let said = session.say(format!("AUTH PLAIN {ANN}\r\nMAIL FROM:<a@b.c>\r\n").as_bytes());
    assert_eq!(said, "235 2.7.0 Authentication successful\r\n250 2.1.0 Ok\r\n");
}

/// 4954-4-d: RFC 4954 section 3 and RFC 5321 section 4.1.4.
#[test]
fn auth_before_ehlo_is_out_of_order() {
    converse_with(
        config(),
        &format!(
            "S: 220 mx.example.org ESMTP service ready
             C: AUTH PLAIN {ANN}
             S: 503 5.5.1 Send a hello first"
        ),
        answer,
    );
}

/// 4954-5-b, 4954-5-c: RFC 4954 section 5. AUTH on MAIL is accepted from any client, and believed from clients that have
/// authenticated.
#[test]
fn a_submitter_is_believed_from_an_authenticated_client() {
    let experience = converse(&format!(
        "C: MAIL FROM:<a@b.org> AUTH=e+3Dmc2@example.com
         S: 250 2.1.0 Ok
         C: RSET
         S: 250 2.0.0 Ok
         C: MAIL FROM:<a@b.org> AUTH=e+3
         S: 501 5.5.4 Not a value for this parameter
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RSET
         S: 250 2.0.0 Ok
         C: AUTH PLAIN {ANN}
         S: 235 2.7.0 Authentication successful
         C: MAIL FROM:<a@b.org> AUTH=e+3Dmc2@example.com
         S: 250 2.1.0 Ok
         C: RSET
         S: 250 2.0.0 Ok
         C: MAIL FROM:<a@b.org> AUTH=<>
         S: 250 2.1.0 Ok"
    ));
    let mails: Vec<_> = experience.log.iter().filter(|line| line.starts_with("mail")).collect();
    assert_eq!(
        mails,
        [
            "mail with ESMTP in the clear of <>",
            "mail with ESMTP in the clear of nobody",
            "mail with ESMTPA in the clear of e+3Dmc2@example.com",
            "mail with ESMTPA in the clear of <>",
        ]
    );
}

/// 4954-5-c: RFC 4954 section 5. TLS is no reason to believe the claims of a client about others.
#[test]
fn a_submitter_is_not_believed_for_tls_alone() {
    for security in [Security::CLEAR, Security::TLS] {
        let mut session = ByHand::after_hello(config(), security, answer);
        let said = session.say(b"MAIL FROM:<a@b.org> AUTH=e+3Dmc2@example.com\r\n");
        assert_eq!(said, "250 2.1.0 Ok\r\n");
        let facts = session.server().facts();
        assert_eq!(facts.submitter(), Some(Submitter::Unknown));
        assert!(session.experience.log.last().unwrap().ends_with(" of <>"));
    }
}

/// 4954-5-c: RFC 4954 section 5: "a suitably trusted client" has proven something.
#[test]
fn a_submitter_is_not_believed_from_an_anonymous_client() {
    fn answer(experience: &mut Experience, event: Event<'_>) {
        match event {
            Event::Auth(auth) => verify(&Offer::new([Mechanism::ANONYMOUS]), auth),
            other => self::answer(experience, other),
        }
    }
    let offer = Offer::new([Mechanism::ANONYMOUS]);
    let experience = converse_with(
        config().with_auth(offer),
        &format!(
            "{}C: AUTH ANONYMOUS c2lyaGM=
             S: 235 2.7.0 Authentication successful
             C: MAIL FROM:<a@b.org> AUTH=e+3Dmc2@example.com
             S: 250 2.1.0 Ok",
            HELLO.replace("PLAIN LOGIN", "ANONYMOUS")
        ),
        answer,
    );
    assert_eq!(experience.log.last().unwrap(), "mail with ESMTPA in the clear of <>");
}

/// 4954-5-d: RFC 4954 section 5. A relay that does not know the submitter of a message says so to a server that
/// authenticated the relay.
#[test]
fn an_unknown_submitter_is_passed_on() {
    let mut message = mail(&["bob@example.net"], "x\r\n");
    let said = Parameters::parse(&format!("AUTH={}", Submitter::Unknown)).unwrap().into_owned();
    message.envelope =
        Envelope::new("ann@example.org", &["bob@example.net"]).unwrap().with_parameters(said);
    secured([Act::AuthAs(Credentials::password("test", "1234")), Act::Send(message)]).plays(
        &after_offer(
            "AUTH PLAIN",
            "C: AUTH PLAIN AHRlc3QAMTIzNA==
         S: 235 2.7.0 ok
         C: MAIL FROM:<ann@example.org> AUTH=<>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 taken
         C: QUIT
         S: 221 bye
         C: (closed)",
        ),
    );
}

/// 4954-6-a: RFC 4954 section 6. What mail needs is refused, and what does not need authentication is not.
#[test]
fn mail_needs_authentication_where_that_is_required() {
    let extensions = [Extension::EnhancedStatusCodes, Extension::Etrn, Extension::Vrfy];
    let config =
        config().with_extensions(extensions.into_iter().collect()).with_required_auth(true);
    converse_with(
        config,
        &format!(
            "S: 220 mx.example.org ESMTP service ready
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-ENHANCEDSTATUSCODES
             S: 250-AUTH PLAIN LOGIN
             S: 250-ETRN
             S: 250 VRFY
             C: MAIL FROM:<a@b.org>
             S: 530 5.7.0 Authentication required
             C: ETRN example.org
             S: 530 5.7.0 Authentication required
             C: VRFY ann
             S: 530 5.7.0 Authentication required
             C: RSET
             S: 250 2.0.0 Ok
             C: NOOP
             S: 250 2.0.0 Ok
             C: HELO client.example.net
             S: 250 mx.example.org
             C: MAIL FROM:<a@b.org>
             S: 530 5.7.0 Authentication required
             C: EHLO client.example.net
             S: 250-mx.example.org
             S: 250-ENHANCEDSTATUSCODES
             S: 250-AUTH PLAIN LOGIN
             S: 250-ETRN
             S: 250 VRFY
             C: AUTH PLAIN {ANN}
             S: 235 2.7.0 Authentication successful
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: QUIT
             S: 221 2.0.0 Service closing transmission channel
             S: (closed)"
        ),
        |experience, event| match event {
            Event::Verify(verify) if verify.facts().identity().is_none() => {
                verify.reject(Rejection::AUTHENTICATION_REQUIRED);
            }
            other => answer(experience, other),
        },
    );
}

/// Rejects every attempt with the rejection that the log asks for, and either when it is
/// asked for a verifier or after the credentials were right.
fn reject_as_told(experience: &mut Experience, event: Event<'_>, at_once: bool) {
    match event {
        Event::Auth(auth) if at_once => auth.reject(of_the_application(experience)),
        Event::Authenticated(authenticated) => {
            authenticated.reject(of_the_application(experience));
        }
        Event::Hello(hello) => {
            experience.log.push(hello.name().to_string());
            hello.accept();
        }
        other => answer(experience, other),
    }
}

const VERDICTS: [(&str, u16, u16, u16, &str); 6] = [
    ("a.example", 432, 7, 12, "432 4.7.12 A password transition is needed"),
    ("b.example", 534, 7, 9, "534 5.7.9 Authentication mechanism is too weak"),
    ("c.example", 454, 7, 0, "454 4.7.0 Temporary authentication failure"),
    ("d.example", 535, 7, 8, "535 5.7.8 Authentication credentials invalid"),
    ("e.example", 550, 7, 1, "550 5.7.1 Not you"),
    ("f.example", 451, 3, 0, "451 4.3.0 Local error"),
];

fn of_the_application(experience: &Experience) -> Rejection {
    let host = experience.log.last().unwrap();
    let (_, code, subject, detail, line) = VERDICTS.iter().find(|(name, ..)| name == host).unwrap();
    let text = Text::literal(line.splitn(3, ' ').nth(2).unwrap());
    let status = Status::new(*subject, *detail).unwrap();
    Rejection::new(Code::new(*code).unwrap(), status, text).unwrap()
}

/// 4954-6-g: RFC 4954 section 6. The application's verdict, whichever it is and whenever it is given, is
/// sent to the client word for word: 432 and 534 are for the application to give.
#[test]
fn the_application_gives_its_own_codes() {
    for at_once in [true, false] {
        for (host, .., line) in VERDICTS {
            let limits = Limits::default().with_auth_failures(9);
            let mut session = ByHand::after_hello(
                config().with_limits(limits),
                Security::TLS,
                if at_once {
                    |experience, event| reject_as_told(experience, event, true)
                } else {
                    |experience, event| reject_as_told(experience, event, false)
                },
            );
            session.say(format!("EHLO {host}\r\n").as_bytes());
            let said = session.say(format!("AUTH PLAIN {ANN}\r\n").as_bytes());
            assert_eq!(said, format!("{line}\r\n"), "at once: {at_once}");
            assert!(session.server().facts().identity().is_none());
        }
    }
}

/// 4954-6-b, 4954-4-t: RFC 4954 section 6. The machine sends 454 where the application cannot verify now, and 535
/// where it reports only that the credentials are wrong.
#[test]
fn what_cannot_be_verified_now_gets_454() {
    const UNAVAILABLE: fn(&mut Experience, Event<'_>) = |experience, event| match event {
        Event::Credentials(credentials) => credentials.question.unavailable(),
        other => answer(experience, other),
    };
    const WRONG: fn(&mut Experience, Event<'_>) = |experience, event| match event {
        Event::Credentials(credentials) => credentials.question.reject(),
        other => answer(experience, other),
    };
    for (application, line) in [
        (UNAVAILABLE, "454 4.7.0 Temporary authentication failure\r\n"),
        (WRONG, "535 5.7.8 Authentication credentials invalid\r\n"),
    ] {
        let mut session = ByHand::after_hello(config(), Security::TLS, application);
        let said = session.say(format!("AUTH PLAIN {ANN}\r\n").as_bytes());
        assert_eq!(said, line);
        assert_eq!(session.say(b"AUTH LOGIN YW5u\r\n"), "334 UGFzc3dvcmQ6\r\n");
        assert_eq!(session.say(b"c2VjcmV0\r\n"), line);
        assert!(session.server().facts().identity().is_none());
    }
}

/// 4954-4-y, 4954-6-f: RFC 4954 sections 4 and 6. A mechanism that is offered inside TLS alone gets 538 in the clear, where AUTH is
/// offered at all; one that is offered nowhere gets 504.
#[test]
fn a_mechanism_that_needs_tls_gets_538_in_the_clear() {
    let extensions = [Extension::EnhancedStatusCodes].into_iter().collect();
    let offer =
        Offer::new([Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::XOAUTH2, Mechanism::ANONYMOUS]);
    let config = common::config()
        .with_extensions(extensions)
        .with_auth(offer)
        .with_timeouts(Timeouts::default().with_auth_failure(Duration::ZERO));
    let refused = "538 5.7.11 Encryption required for requested authentication mechanism\r\n";
    let unknown = "504 5.5.4 Unrecognised authentication type\r\n";
    let mut session = ByHand::after_hello(config.clone(), Security::CLEAR, answer);
    let list = session.say(b"EHLO client.example.net\r\n");
    assert!(list.contains("250 AUTH ANONYMOUS\r\n"), "{list}");
    for (command, said) in [
        (format!("AUTH PLAIN {ANN}"), refused),
        ("AUTH PLAIN".to_owned(), refused),
        ("auth login".to_owned(), refused),
        ("AUTH XOAUTH2".to_owned(), refused),
        ("AUTH OAUTHBEARER".to_owned(), unknown),
        ("AUTH CRAM-MD5".to_owned(), unknown),
        ("AUTH X-OWN".to_owned(), unknown),
    ] {
        assert_eq!(session.say(format!("{command}\r\n").as_bytes()), said, "{command}");
    }
    assert!(session.experience.log.iter().all(|line| !line.starts_with("authenticated")));
    let mut session = ByHand::after_hello(config, Security::TLS, answer);
    let said = session.say(format!("AUTH PLAIN {ANN}\r\n").as_bytes());
    assert_eq!(said, "235 2.7.0 Authentication successful\r\n");
}

/// 4954-4-x, 4954-6-e, 7628-3-a, LOGIN-draft-1-d: RFC 4954 section 4, RFC 7628 section 3. The server: no mechanism that
/// transmits the secret is announced or accepted in the clear, and each of them is inside TLS.
#[test]
fn a_server_asks_for_no_secret_in_the_clear() {
    for mechanism in SECRET_IN_THE_CLEAR {
        let config = common::config()
            .with_extensions([Extension::EnhancedStatusCodes].into_iter().collect())
            .with_auth(Offer::new([mechanism, Mechanism::ANONYMOUS]));
        for (security, is_served) in [(Security::CLEAR, false), (Security::TLS, true)] {
            let mut session =
                ByHand::after_hello(config.clone(), security, |experience, event| match event {
                    Event::Auth(auth) => verify(&Offer::new(SECRET_IN_THE_CLEAR), auth),
                    other => answer(experience, other),
                });
            let list = session.say(b"EHLO client.example.net\r\n");
            assert!(list.contains("ANONYMOUS\r\n"), "{list}");
            let is_announced = list.contains(&format!("AUTH {mechanism} "));
            assert_eq!(is_announced, is_served, "{mechanism}: {list}");
            let said = session.say(format!("AUTH {mechanism}\r\n").as_bytes());
            assert_eq!(said.starts_with("334 "), is_served, "{mechanism}: {said}");
        }
    }
}

/// The mechanisms whose messages hold the password or the token itself.
const SECRET_IN_THE_CLEAR: [Mechanism; 4] =
    [Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::XOAUTH2, Mechanism::OAUTHBEARER];

/// 4616-5-a, 7628-3-a, 8314-5-a, LOGIN-draft-1-d: RFC 4616 section 1, RFC 7628 section 3, RFC 8314 section 5. The client:
/// whichever way it authenticates, no secret is sent in the clear.
#[test]
fn a_client_gives_no_secret_in_the_clear() {
    let names = ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"];
    for (mechanism, name) in SECRET_IN_THE_CLEAR.into_iter().zip(names) {
        let token = matches!(mechanism, Mechanism::XOAUTH2 | Mechanism::OAUTHBEARER);
        let credentials = match token {
            true => Credentials::token("ann", "secret"),
            false => Credentials::password("ann", "secret"),
        };
        let initiators: fn() -> Vec<Box<dyn Initiator>> = || {
            vec![
                Box::new(PlainInitiator::new("ann", "secret").unwrap()),
                Box::new(LoginInitiator::new("ann", "secret").unwrap()),
                Box::new(Xoauth2Initiator::new("ann", "secret").unwrap()),
                Box::new(OauthBearerInitiator::new(Some("ann"), None, "secret").unwrap()),
            ]
        };
        for act in [
            Act::AuthAs(credentials),
            Act::Auth(initiators),
            Act::AuthBySteps(name, Some("secret"), &[]),
            Act::AuthBySteps(name, None, &["secret"]),
        ] {
            let notes = Dialogue::new([act]).plays(&format!(
                "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250 AUTH {mechanism}
                 C: QUIT
                 S: 221 bye
                 C: (closed)"
            ));
            let note = "not offered: the mechanisms offered for these credentials need TLS with a server whose certificate is verified";
            assert_eq!(notes[0], note, "{mechanism}");
        }
    }
}

/// 4954-6-c, 4954-6-d: RFC 4954 section 6. 454 is no reason to ask the user for another password; 535 is.
#[test]
fn a_temporary_failure_differs_from_a_wrong_password() {
    for (line, code, is_transient) in [
        ("454 4.7.0 later", Code::TEMPORARY_AUTHENTICATION_FAILURE, true),
        ("535 5.7.8 no", Code::CREDENTIALS_INVALID, false),
    ] {
        let mut client = client();
        assert_eq!(client.advance("250-mx\r\n250 AUTH PLAIN\r\n"), "");
        let Some(client::Event::Ready(ready)) = client.machine_mut().event() else {
            panic!("not ready")
        };
        let credentials = Credentials::password("test", "1234");
        ready.authenticate_as(&credentials, Nonce::new([0; 18])).unwrap();
        assert_eq!(client.advance(""), "AUTH PLAIN AHRlc3QAMTIzNA==\r\n");
        assert_eq!(client.advance(format!("{line}\r\n")), "");
        let Some(client::Event::Refused(refused)) = client.machine_mut().event() else {
            panic!("not refused")
        };
        assert_eq!(refused.reply().code(), code);
        assert_eq!(refused.reply().is_transient(), is_transient);
        assert_eq!(refused.reply().is_permanent(), !is_transient);
        assert!(client.machine().authenticated().is_none());
    }
}

/// 4954-7-a: RFC 4954 section 7, RFC 3848.
#[test]
fn the_protocol_says_that_the_client_is_authenticated() {
    for (security, words) in [
        (Security::CLEAR, ["ESMTP in the clear", "ESMTPA in the clear"]),
        (Security::TLS, ["ESMTPS in TLS", "ESMTPSA in TLS"]),
    ] {
        let limits = Limits::default().with_auth_failures(9);
        let mut session = ByHand::after_hello(config().with_limits(limits), security, answer);
        let mut log = Vec::new();
        for (auth, reply) in [(NOT_ANN, "535 5.7.8 "), (ANN, "235 2.7.0 ")] {
            let said = session.say(format!("AUTH PLAIN {auth}\r\n").as_bytes());
            assert!(said.starts_with(reply), "{said}");
            assert_eq!(session.say(b"MAIL FROM:<a@b.org>\r\n"), "250 2.1.0 Ok\r\n");
            log.push(session.experience.log.last().unwrap().clone());
            session.say(b"RSET\r\n");
        }
        assert_eq!(log, words.map(|words| format!("mail with {words} of nobody")));
    }
}

/// 4954-9-a, 4954-4-t: RFC 4954 sections 4 and 9.
#[test]
fn three_attempts_may_fail() {
    converse(&format!(
        "C: AUTH PLAIN {NOT_ANN}
         S: 535 5.7.8 Authentication credentials invalid
         C: AUTH PLAIN {NOT_ANN}
         S: 535 5.7.8 Authentication credentials invalid
         C: AUTH PLAIN {NOT_ANN}
         S: 421 4.7.0 Too many failed attempts to authenticate
         S: (closed)"
    ));
}

/// 4954-4-p, 2195-2-e: RFC 4954 section 4. The server speaks first in CRAM-MD5.
#[cfg(feature = "cram-md5")]
#[test]
fn an_initial_response_is_rejected_where_the_server_speaks_first() {
    fn cram() -> Offer {
        Offer::new([Mechanism::CRAM_MD5]).with_host("mx.example.org")
    }
    let mut session = ByHand::after_hello(
        config().with_auth(cram().with_secrets_in_clear()),
        Security::CLEAR,
        |experience, event| match event {
            Event::Auth(auth) => verify(&cram(), auth),
            other => answer(experience, other),
        },
    );
    for response in ["dGVzdA==", "="] {
        let said = session.say(format!("AUTH CRAM-MD5 {response}\r\n").as_bytes());
        assert_eq!(said, "501 5.7.0 This mechanism has no initial response\r\n", "{response}");
    }
    assert!(session.say(b"AUTH CRAM-MD5\r\n").starts_with("334 "));
}

/// 4422-3.6-b: RFC 4422 section 3.6, RFC 4954 section 4. What proves the server goes in a challenge, and
/// success waits for the empty response.
#[cfg(feature = "scram")]
#[test]
fn data_with_success_goes_in_a_challenge() {
    use esmtp::sasl::scram::{Decoy, Keys};

    fn scram() -> Offer {
        Offer::new([Mechanism::SCRAM_SHA_256]).with_decoy(Decoy::new([3; 32]))
    }
    for (last, reply) in [
        ("", "235 2.7.0 Authentication successful\r\n"),
        ("AAAA", "501 5.5.2 Not a response of this mechanism\r\n"),
        ("*", "501 5.7.0 Authentication cancelled\r\n"),
    ] {
        let mut session = ByHand::after_hello(
            config().with_auth(scram().with_secrets_in_clear()),
            Security::CLEAR,
            |experience, event| match event {
                Event::Auth(auth) => verify(&scram(), auth),
                Event::Credentials(credentials) => match credentials.question {
                    Question::Keys(question) if question.user() == "user" => {
                        let keys = Keys::derive(question.hash(), "pencil", *b"salt", 4096);
                        question.supply(keys.unwrap());
                    }
                    other => other.reject(),
                },
                other => answer(experience, other),
            },
        );
        let credentials = Credentials::password("user", "pencil");
        let (offered, channel) = ([Mechanism::SCRAM_SHA_256], Security::TLS.channel());
        let mut client = credentials.strongest(&offered, &channel, Nonce::new([2; 18])).unwrap();
        let first = client.initial_response().unwrap().unwrap();
        let first = Base64::encode(first.expose());
        let mut said = session.say(format!("AUTH SCRAM-SHA-256 {}\r\n", first.as_str()).as_bytes());
        let mut responses = Vec::new();
        for _ in 0..2 {
            let challenge = said.strip_prefix("334 ").unwrap().trim_end();
            let challenge = Base64::parse(challenge).unwrap().decoded();
            let response = client.respond(&challenge).unwrap();
            let response = Base64::encode(response.expose()).as_str().to_owned();
            if responses.is_empty() {
                said = session.say(format!("{response}\r\n").as_bytes());
            }
            responses.push(response);
        }
        assert_eq!(responses[1], "", "the client has nothing to add");
        assert_eq!(client.finish(None), Ok(()));
        assert_eq!(session.server().facts().identity(), None, "not before the last response");
        assert_eq!(session.say(format!("{last}\r\n").as_bytes()), reply);
        assert_eq!(session.server().facts().identity().is_some(), last.is_empty());
    }
}

/// 4422-3.7-a: RFC 4422 section 3.7. No mechanism here negotiates a security layer, so the protection of the
/// channel is after AUTH what it was, and the next octets are commands as they stand.
#[test]
fn no_mechanism_changes_how_the_channel_is_protected() {
    for security in [Security::CLEAR, Security::TLS.with_version("TLSv1_3")] {
        let mut session = ByHand::after_hello(config(), security.clone(), answer);
        let said = session.say(format!("AUTH PLAIN {ANN}\r\n").as_bytes());
        assert!(said.starts_with("235 "), "{said}");
        assert_eq!(session.server().facts().security(), &security);
        // Nor has anything been forgotten: the client need not say EHLO again.
        assert_eq!(session.say(b"MAIL FROM:<a@b.org>\r\n"), "250 2.1.0 Ok\r\n");
    }
    secured([Act::AuthAs(Credentials::password("test", "1234")), Act::Noop]).plays(&after_offer(
        "AUTH PLAIN",
        "C: AUTH PLAIN AHRlc3QAMTIzNA==
         S: 235 2.7.0 ok
         C: NOOP
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
}
