//! Transactions that are begun step by step: each reply is told, and each recipient may wait for it.

use esmtp::{
    client::{Client, Config, Event, MessageFacts, NotOffered, Obstacle},
    security::Security,
    service::Service,
    syntax::{ForwardPath, Parameters, ReversePath},
    testing::{Cut, Script},
    transcript::Side,
};

/// An application that sends one message.
struct Application {
    /// The recipients that are left, from the last to the first.
    recipients: Vec<&'static str>,
    /// The reply to each command is awaited before the next.
    is_patient: bool,
    /// A reply is due that is awaited.
    is_due: bool,
    /// The transaction is given up in place of the content.
    is_given_up: bool,
    has_begun: bool,
    told: Vec<String>,
}

fn path(address: &str) -> ForwardPath<'static> {
    ForwardPath::parse(&format!("<{address}>")).unwrap().into_owned()
}

fn ann() -> ReversePath<'static> {
    ReversePath::parse("<ann@example.org>").unwrap().into_owned()
}

impl Application {
    fn new(recipients: &[&'static str], is_patient: bool) -> Self {
        Self {
            recipients: recipients.iter().rev().copied().collect(),
            is_patient,
            is_due: false,
            is_given_up: false,
            has_begun: false,
            told: Vec::new(),
        }
    }

    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Ready(ready) if !self.has_begun => {
                self.has_begun = true;
                self.is_due = self.is_patient;
                ready.begin(ann(), Parameters::NONE, &MessageFacts::UNKNOWN).unwrap();
            }
            Event::Begun(begun) if self.is_due => begun.wait(),
            Event::Begun(begun) => match self.recipients.pop() {
                Some(recipient) => {
                    self.is_due = self.is_patient;
                    begun.rcpt(path(recipient), Parameters::NONE).unwrap();
                }
                None if self.is_given_up => begun.abort(),
                None => begun.content(),
            },
            Event::Answered(answered) => {
                self.is_due = false;
                let index = answered.index().map_or("MAIL".to_owned(), |index| index.to_string());
                let is_final = if answered.is_final() { "!" } else { "" };
                self.told.push(format!("{index}{is_final} {}", answered.reply()));
                answered.go_on();
            }
            Event::Content(mut content) => {
                content.write(b"Hi\r\n").unwrap();
                content.finish().unwrap();
            }
            Event::Sent(sent) => {
                let report = sent.take().to_string();
                self.told.push(format!("sent: {}", report.replace('\n', ", ")));
            }
            other => other.quit(),
        }
    }
}

/// Plays the script with this application in every cut, and checks what it is told.
fn plays(config: &Config, application: impl Fn() -> Application, script: &str, told: &[&str]) {
    let script = Script::new(script).unwrap();
    for cut in script.cuts(Side::Client) {
        let mut application = application();
        let mut client = Client::new(config.clone(), Security::CLEAR);
        script.play(&mut client, cut, |event| application.on(event)).unwrap();
        assert_eq!(application.told, told, "{cut:?}");
    }
}

fn config() -> Config {
    Config::new("me.example.org").unwrap()
}

const ALL: &[&str] = &["bob@example.net", "eve@example.net", "carl@example.net"];

/// 5321-3.3-d: each command waits for the reply to the one before it.
#[test]
fn each_recipient_is_answered_before_the_next_is_known() {
    for extensions in ["PIPELINING", "HELP"] {
        plays(
            &config(),
            || Application::new(ALL, true),
            &format!(
                "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250 {extensions}
                 C: MAIL FROM:<ann@example.org>
                 S: 250-2.1.0 ann
                 S: 250 2.1.0 is welcome
                 C: RCPT TO:<bob@example.net>
                 S: 250 2.1.5 bob
                 C: RCPT TO:<eve@example.net>
                 S: 550 5.1.1 no eve
                 C: RCPT TO:<carl@example.net>
                 S: 251 2.1.5 elsewhere
                 C: DATA
                 S: 354 go
                 C: Hi
                 C: .
                 S: 250 2.0.0 queued
                 C: QUIT
                 S: 221 bye"
            ),
            &[
                "MAIL 250 2.1.0 ann is welcome",
                "0 250 2.1.5 bob",
                "1! 550 5.1.1 no eve",
                "2 251 2.1.5 elsewhere",
                "0! 250 2.0.0 queued",
                "2! 250 2.0.0 queued",
                "sent: <bob@example.net> 250 2.0.0 queued, <eve@example.net> 550 5.1.1 no eve, \
                 <carl@example.net> 250 2.0.0 queued",
            ],
        );
    }
}

/// 2920-3.1-b: what need not wait leaves in one group.
#[test]
fn recipients_that_are_known_are_pipelined() {
    plays(
        &config(),
        || Application::new(&ALL[..2], false),
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 CHUNKING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<eve@example.net>
         C: BDAT 4 LAST
         C: Hi
         S: 250 ann
         S: 250 bob
         S: 550 no eve
         S: 250 queued
         C: QUIT
         S: 221 bye",
        &[
            "MAIL 250 ann",
            "0 250 bob",
            "1! 550 no eve",
            "0! 250 queued",
            "sent: <bob@example.net> 250 queued, <eve@example.net> 550 no eve",
        ],
    );
}

/// RFC 2033 section 4.2: one reply for each recipient that was accepted.
#[test]
fn lmtp_answers_the_content_for_each_recipient() {
    plays(
        &config().with_service(Service::Lmtp),
        || Application::new(ALL, true),
        "S: 220 mx
         C: LHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         S: 250 ann
         C: RCPT TO:<bob@example.net>
         S: 250 bob
         C: RCPT TO:<eve@example.net>
         S: 550 no eve
         C: RCPT TO:<carl@example.net>
         S: 250 carl
         C: DATA
         S: 354 go
         C: Hi
         C: .
         S: 250 for bob
         S: 452 carl is full
         C: QUIT
         S: 221 bye",
        &[
            "MAIL 250 ann",
            "0 250 bob",
            "1! 550 no eve",
            "2 250 carl",
            "0! 250 for bob",
            "2! 452 carl is full",
            "sent: <bob@example.net> 250 for bob, <eve@example.net> 550 no eve, \
             <carl@example.net> 452 carl is full",
        ],
    );
}

#[test]
fn a_refused_mail_is_the_answer_for_all_and_ends_the_transaction() {
    plays(
        &config(),
        || Application::new(ALL, true),
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 550 5.7.1 not you
         C: QUIT
         S: 221 bye",
        &["MAIL 550 5.7.1 not you", "sent: "],
    );
    plays(
        &config(),
        || Application::new(&ALL[..1], false),
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 550 5.7.1 not you
         S: 503 no mail
         S: 503 no mail
         C: QUIT
         S: 221 bye",
        &[
            "MAIL 550 5.7.1 not you",
            "0! 550 5.7.1 not you",
            "sent: <bob@example.net> 550 5.7.1 not you",
        ],
    );
}

/// RFC 5321 section 4.1.1.5.
#[test]
fn a_transaction_that_is_given_up_is_reset_before_the_next() {
    let script = Script::new(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ann
         C: RCPT TO:<bob@example.net>
         S: 250 bob
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@example.org>
         S: 250 ann
         C: RSET",
    )
    .unwrap();
    let mut application = Application { is_given_up: true, ..Application::new(&ALL[..1], true) };
    let mut reports = 0;
    let mut client = Client::new(config(), Security::CLEAR);
    let answer = |event: Event<'_>| match event {
        Event::Sent(sent) => {
            reports += 1;
            let report = sent.take();
            assert_eq!(report.rest().is_some(), reports == 1, "untried: {report:?}");
            application = Application::new(&[], true);
        }
        other => application.on(other),
    };
    script.play(&mut client, Cut::Nowhere, answer).unwrap();
    assert_eq!(reports, 2, "the second has no recipient");
}

/// A 421 while the application has nothing to add, and a connection that is lost, end the transaction; it has one
/// report.
#[test]
fn the_end_of_the_session_is_told_once() {
    for (last, outcome) in [
        ("S: 421 4.3.2 bye", "421 4.3.2 bye"),
        ("S: (closed)", "not tried"),
        ("C: (broken)\nS: (cut off)", "not tried"),
    ] {
        let script = format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:<ann@example.org>
             S: 250 ann
             C: RCPT TO:<bob@example.net>
             S: 250 bob
             C: RCPT TO:<eve@example.net>
             {last}"
        );
        plays(
            &config(),
            || Application::new(&ALL[..2], true),
            &script,
            &[
                "MAIL 250 ann",
                "0 250 bob",
                &format!("sent: <bob@example.net> {outcome}, <eve@example.net> {outcome}"),
            ],
        );
    }
}

/// RFC 6531 section 3.4: a recipient outside ASCII only comes after MAIL with SMTPUTF8.
#[test]
fn a_recipient_that_the_server_cannot_take_is_told_before_it_leaves() {
    let script = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 SMTPUTF8
         C: MAIL FROM:<ann@example.org>
         S: 250 ann";
    let script = Script::new(script).unwrap();
    let mut found: Vec<NotOffered> = Vec::new();
    let mut client = Client::new(config(), Security::CLEAR);
    let answer = |event: Event<'_>| match event {
        Event::Ready(ready) if found.is_empty() => {
            ready.begin(ann(), Parameters::NONE, &MessageFacts::UNKNOWN).unwrap();
        }
        Event::Begun(begun) if found.is_empty() => {
            let path = path("j\u{f6}rg@example.net");
            let parameters = Parameters::parse("NOTIFY=NEVER").unwrap().into_owned();
            found.push(begun.rcpt(path, parameters).unwrap_err());
        }
        Event::Begun(begun) => begun.wait(),
        Event::Answered(answered) => answered.go_on(),
        other => drop(other),
    };
    script.play(&mut client, Cut::Nowhere, answer).unwrap();
    let obstacles: Vec<_> = found.iter().flat_map(NotOffered::obstacles).collect();
    assert!(matches!(obstacles[0], Obstacle::MailWithoutSmtpUtf8), "{obstacles:?}");
    assert!(matches!(obstacles[1], Obstacle::Parameter { recipient: Some(0), .. }));
}

#[test]
fn accepted_recipients_are_told_where_the_settings_ask_for_it() {
    for (config, told) in [
        (config().with_recipient_events(), &["0! 250 queued"][..]),
        (config().with_all_recipient_events(), &["MAIL 250 ann", "0 250 bob", "0! 250 queued"][..]),
        (config().with_all_recipient_events().without_recipient_events(), &[]),
    ] {
        let script = Script::new(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250 mx
             C: MAIL FROM:<ann@example.org>
             S: 250 ann
             C: RCPT TO:<bob@example.net>
             S: 250 bob
             C: DATA
             S: 354 go
             C: Hi
             C: .
             S: 250 queued",
        )
        .unwrap();
        let mut application = Application { has_begun: true, ..Application::new(&[], false) };
        let mut client = Client::new(config, Security::CLEAR);
        let mut envelope =
            Some(esmtp::envelope::Envelope::new("ann@example.org", ["bob@example.net"]).unwrap());
        let answer = |event: Event<'_>| match event {
            Event::Ready(ready) => match envelope.take() {
                Some(envelope) => drop(ready.send(envelope, MessageFacts::UNKNOWN).unwrap()),
                None => ready.wait(),
            },
            other => application.on(other),
        };
        script.play(&mut client, Cut::Nowhere, answer).unwrap();
        application.told.pop();
        assert_eq!(application.told, told);
    }
}
