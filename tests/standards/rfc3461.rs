//! RFC 3461: delivery status notifications.

use crate::{
    common::{announcing, config, converse, converse_with},
    dialogue::{self, Act, Dialogue, Mail, after_offer},
};
use esmtp::{
    client::{self, Client, MessageFacts, Obstacle, Outcome},
    envelope::Envelope,
    security::Security,
    server::{Config, Event, Limits},
    syntax::{
        Extension, Extensions, ForwardPath, Mailbox, Notify, OriginalRecipient, Parameters,
        RcptParameters, ReversePath,
    },
    testing::Driver,
};

fn offering(extensions: &[Extension]) -> Config {
    config().with_extensions(extensions.iter().copied().collect())
}

fn dsn(script: &str) -> String {
    announcing("DSN", script)
}

/// 3461-4.5-a, 3461-4.5-b: RFC 3461 sections 4.5 and 5.1.
#[test]
fn a_parameter_given_twice_gets_501() {
    let experience = converse(
        offering(&[Extension::Dsn]),
        &dsn("C: MAIL FROM:<a@b.org> RET=FULL RET=HDRS
              S: 501 The same parameter twice
              C: MAIL FROM:<a@b.org> ENVID=x RET=FULL envid=x
              S: 501 The same parameter twice
              C: MAIL FROM:<a@b.org> ENVID=x RET=FULL
              S: 250 Ok
              C: RCPT TO:<c@d.org> NOTIFY=NEVER NOTIFY=NEVER
              S: 501 The same parameter twice
              C: RCPT TO:<c@d.org> ORCPT=rfc822;c@d.org ORCPT=rfc822;e@f.org
              S: 501 The same parameter twice"),
    );
    assert_eq!(experience.log.len(), 2, "{:?}", experience.log);
}

/// 3461-5.1-b, 3461-5.1-d, 3461-4.2-c: RFC 3461 sections 4.2 and 5.1.
#[test]
fn an_invalid_value_gets_501() {
    const MISSING: &str = "This parameter needs a value";
    const OTHER: &str = "Not a value for this parameter";
    const GARBLED: &str = "Syntax error in parameters or arguments";
    let refusals = |command: &str, parameters: &[(&str, &str)]| -> String {
        let lines = |(parameter, words)| format!("C: {command} {parameter}\nS: 501 {words}\n");
        parameters.iter().copied().map(lines).collect()
    };
    let mail = refusals(
        "MAIL FROM:<a@b.org>",
        &[
            ("RET", MISSING),
            ("RET=", GARBLED),
            ("RET=X", OTHER),
            ("RET=FULL,HDRS", OTHER),
            ("ENVID", MISSING),
            ("ENVID=", GARBLED),
            ("ENVID=a+2", GARBLED),
            ("ENVID=a+2b", GARBLED),
            ("ENVID=a+0A", OTHER),
            ("ENVID=a+C3+BC", OTHER),
        ],
    );
    let rcpt = refusals(
        "RCPT TO:<c@d.org>",
        &[
            ("NOTIFY", MISSING),
            ("NOTIFY=", GARBLED),
            ("NOTIFY=X", OTHER),
            ("NOTIFY=SUCCESS,NEVER", OTHER),
            ("NOTIFY=SUCCESS,", OTHER),
            ("ORCPT", MISSING),
            ("ORCPT=c@d.org", OTHER),
            ("ORCPT=;c@d.org", OTHER),
            ("ORCPT=rfc822;a+00", OTHER),
            ("ORCPT=rfc822;a+7F", OTHER),
            ("ORCPT=rfc822;a+0D+0A", OTHER),
            ("ORCPT=rfc822;a+2", OTHER),
            ("ORCPT=rfc822;+C3", OTHER),
        ],
    );
    let script = dsn(&format!("{mail}C: MAIL FROM:<a@b.org>\nS: 250 Ok\n{rcpt}"));
    let limits = Limits::default().with_errors(100);
    let experience = converse(offering(&[Extension::Dsn]).with_limits(limits), &script);
    assert_eq!(experience.log, ["hello client.example.net", "mail <a@b.org> "]);
    for (address_type, address) in [("rfc822", "a\0"), ("rfc822", "a\x7f"), ("rfc822", "\u{fc}@x")]
    {
        assert!(OriginalRecipient::new(address_type, address).is_err(), "{address:?}");
    }
}

/// 3461-5.1-c: RFC 3461 section 5.1, with recipients who are accepted and others who are not.
#[test]
fn valid_parameters_do_not_change_the_reply_to_rcpt() {
    let parameters = [
        "",
        " NOTIFY=NEVER",
        " NOTIFY=SUCCESS,FAILURE,DELAY",
        " ORCPT=rfc822;Somebody+40else.example",
        " NOTIFY=DELAY ORCPT=x400;/C+3Dno/",
    ];
    for (recipient, reply) in [
        ("one@d.org", "250 Ok"),
        ("nobody@d.org", "550 No such mailbox here"),
        ("later@d.org", "450 Busy"),
    ] {
        let rcpt = |parameter| format!("C: RCPT TO:<{recipient}>{parameter}\nS: {reply}\n");
        let script: String = parameters.iter().copied().map(rcpt).collect();
        converse(
            offering(&[Extension::Dsn]),
            &dsn(&format!("C: MAIL FROM:<a@b.org>\nS: 250 Ok\n{script}")),
        );
    }
}

/// 3461-5.4-a: RFC 3461 section 5.4: "ENVID parameter: 100 characters", "NOTIFY parameter: 28 characters",
/// "ORCPT parameter: 500 characters", "RET parameter: 8 characters", and a line of 1036.
#[test]
fn parameters_may_be_as_long_as_the_standard_says() {
    let envid = "e".repeat(100);
    let (notify, ret) = ("NOTIFY=SUCCESS,FAILURE,DELAY", "RET=HDRS");
    assert_eq!((notify.len(), ret.len()), (28, 8));
    let original = format!("rfc822;{}", "o".repeat(493));
    let path = format!("<{}@{}.org>", "l".repeat(64), ["d"; 90].join("."));
    assert_eq!((original.len(), path.len()), (500, 250));
    let noop = format!("NOOP {}", "x".repeat(1036 - "NOOP \r\n".len()));
    let experience = converse(
        offering(&[Extension::Dsn]),
        &dsn(&format!(
            "C: MAIL FROM:{path} ENVID={envid} {ret}
             S: 250 Ok
             C: RCPT TO:{path} {notify} ORCPT={original}
             S: 250 Ok
             C: {noop}
             S: 250 Ok"
        )),
    );
    assert_eq!(experience.log[1], format!("mail {path} ENVID={envid} {ret}"));
}

/// Returns the envelope that a server received, for the next hop.
fn received(mail: &str, rcpt: &[&str]) -> Envelope {
    let mut script = format!("C: MAIL FROM:<ann@example.org>{mail}\nS: 250 Ok\n");
    for parameters in rcpt {
        script.push_str(&format!("C: RCPT TO:<bob@example.net>{parameters}\nS: 250 Ok\n"));
    }
    let experience = converse_with(
        offering(&[Extension::Dsn]),
        &dsn(&script),
        |experience, event| match event {
            Event::Mail(mail) => {
                experience.log.push(mail.parameters().to_string());
                mail.accept();
            }
            Event::Rcpt(rcpt) => {
                experience.log.push(rcpt.parameters().to_string());
                rcpt.accept();
            }
            other => experience.answer(other),
        },
    );
    let parameters = |text: &String| Parameters::parse(text).unwrap().into_owned();
    let mut log = experience.log.iter().skip(1);
    let reverse_path = ReversePath::parse("<ann@example.org>").unwrap().into_owned();
    let mut envelope =
        Envelope::from_reverse_path(reverse_path).with_parameters(parameters(log.next().unwrap()));
    for rcpt in log {
        let path = ForwardPath::parse("<bob@example.net>").unwrap().into_owned();
        envelope.push(path, parameters(rcpt));
    }
    envelope
}

fn relays(envelope: Envelope) -> Dialogue {
    let content = b"x\r\n".to_vec();
    let facts = MessageFacts::scan(&content);
    Dialogue::new([Act::Send(Mail { envelope, facts, content, aborts: false })])
}

/// 3461-4.2-d, 3461-5.2.1-a: RFC 3461 sections 4.2 and 5.2.1. Octet for octet, and nothing is invented.
#[test]
fn what_was_received_is_relayed_unchanged() {
    for (mail, rcpt) in [
        (" ENVID=QQ+2B1 RET=hdrs", " NOTIFY=success,Delay ORCPT=rfc822;Bob+2BCats@Example.NET"),
        (" ret=FULL", " notify=NEVER"),
        ("", ""),
    ] {
        relays(received(mail, &[rcpt, "", " ORCPT=RFC822;b@c.d"])).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250-PIPELINING
             S: 250 DSN
             C: MAIL FROM:<ann@example.org>{mail}
             C: RCPT TO:<bob@example.net>{rcpt}
             C: RCPT TO:<bob@example.net>
             C: RCPT TO:<bob@example.net> ORCPT=RFC822;b@c.d
             C: DATA
             S: 250 ok
             S: 250 ok
             S: 250 ok
             S: 250 ok
             S: 354 go
             C: x
             C: .
             S: 250 ok
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    }
}

/// 3461-5.2.2-a: RFC 3461 section 5.2.2. Nothing is sent until the caller has dropped the parameters, and an
/// error names them to the caller.
#[test]
fn a_server_without_dsn_gets_none_of_the_parameters() {
    let envelope = received(
        " ENVID=x RET=FULL",
        &[" NOTIFY=SUCCESS,FAILURE", " NOTIFY=NEVER", " ORCPT=rfc822;b@c.d"],
    );
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 PIPELINING\n";
    let quit = "C: QUIT
         S: 221 bye
         C: (closed)";
    let notes = relays(envelope.clone()).plays(&format!("{opening}{quit}"));
    assert_eq!(
        notes[0],
        "not offered: the parameter ENVID is not offered; the parameter RET is not offered; \
         the parameter NOTIFY is not offered (2 times); \
         the parameter ORCPT is not offered"
    );
    let (obstacles, _) = relay_without_dsn(&envelope, &["250 ok"; 3]);
    assert_eq!(obstacles, [None, None, Some(0), Some(1), Some(2)]);

    relays(envelope.without_dsn()).plays(&format!(
        "{opening}
         C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<bob@example.net>
         C: RCPT TO:<bob@example.net>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: x
         C: .
         S: 250 ok
         {quit}"
    ));
}

/// 3461-5.2.2-a: RFC 3461 section 5.2.2, in any case of letters (RFC 5321 section 2.4).
#[test]
fn parameters_of_dsn_are_dropped_in_any_case() {
    for (mail, rcpt) in [
        (" ENVID=x RET=FULL", " NOTIFY=NEVER ORCPT=rfc822;b@c.d"),
        (" envid=x ret=full", " notify=never orcpt=rfc822;b@c.d"),
        (" EnvId=x rEt=hDrS", " Notify=Success,Delay oRcPt=RFC822;b@c.d"),
    ] {
        let envelope = received(mail, &[rcpt]).without_dsn();
        assert!(envelope.parameters().is_empty(), "{mail}");
        assert!(envelope.recipients().all(|(_, parameters)| parameters.is_empty()), "{rcpt}");
        relays(envelope).plays(&after_offer(
            "",
            "C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 550 no
             C: QUIT
             S: 221 bye
             C: (closed)",
        ));
    }
}

/// 3461-5.2.2-b, 3461-5.2.2-c, 3461-5.2.2-d, 3461-5.2.2-e, 3461-5.2.2-f: RFC 3461 section 5.2.2. The envelope that was
/// received and the report of the transaction without DSN show, recipient by recipient, which notification is due.
#[test]
fn a_relay_without_dsn_reports_which_notifications_are_due() {
    let recipients = [
        (" NOTIFY=SUCCESS,FAILURE", "250 ok", "relayed"),
        (" NOTIFY=success", "250 ok", "relayed"),
        (" NOTIFY=FAILURE", "250 ok", "nothing"),
        (" NOTIFY=NEVER", "250 ok", "nothing"),
        ("", "250 ok", "nothing"),
        (" NOTIFY=SUCCESS,FAILURE", "550 5.1.1 no", "failed"),
        (" NOTIFY=SUCCESS", "550 5.1.1 no", "nothing"),
        (" NOTIFY=FAILURE", "553 no", "failed"),
        (" NOTIFY=NEVER", "550 5.1.1 no", "nothing"),
        (" ORCPT=rfc822;b@c.d", "550 5.1.1 no", "failed"),
        (" NOTIFY=FAILURE", "450 4.2.1 later", "nothing"),
        ("", "450 4.2.1 later", "nothing"),
    ];
    let envelope = received("", &recipients.map(|(parameters, ..)| parameters));
    let (_, outcomes) = relay_without_dsn(&envelope, &recipients.map(|(_, reply, _)| reply));
    let offered = Extensions::NONE.with(Extension::Dsn);
    let owed: Vec<_> = envelope
        .recipients()
        .zip(&outcomes)
        .map(|((_, parameters), outcome)| {
            let notify = RcptParameters::parse(parameters, &offered).unwrap().notify();
            match outcome {
                outcome if outcome.is_delivered() && notify.is_some_and(Notify::has_success) => {
                    "relayed"
                }
                outcome if outcome.is_permanent() && notify.is_none_or(Notify::has_failure) => {
                    "failed"
                }
                _ => "nothing",
            }
        })
        .collect();
    assert_eq!(owed, recipients.map(|(.., owed)| owed));
}

/// Returns the parameters that the server does not support, by the recipient's index, and the outcomes without them.
fn relay_without_dsn(envelope: &Envelope, rcpt: &[&str]) -> (Vec<Option<usize>>, Vec<Outcome>) {
    let mut client = Driver::new(Client::new(dialogue::config(), Security::CLEAR));
    let (mut places, mut outcomes) = (Vec::new(), None);
    let mut answer = |event: client::Event<'_>| match event {
        client::Event::Ready(ready) if places.is_empty() => {
            let error = ready.send(envelope.clone(), MessageFacts::UNKNOWN).unwrap_err();
            assert!(!error.obstacles().is_empty());
            places.extend(error.obstacles().iter().map(|obstacle| match obstacle {
                Obstacle::Parameter { recipient, .. } => *recipient,
                other => panic!("{other}"),
            }));
        }
        client::Event::Ready(ready) if outcomes.is_none() => {
            ready.send(envelope.without_dsn(), MessageFacts::UNKNOWN).unwrap();
        }
        client::Event::Ready(ready) => ready.quit(),
        client::Event::Content(content) => content.finish().unwrap(),
        client::Event::Sent(sent) => outcomes = Some(sent.take().outcomes().cloned().collect()),
        _ => panic!("not asked for"),
    };
    let group = format!("250 ok\r\n{}\r\n", rcpt.join("\r\n"));
    for replies in
        ["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", &group, "354 go\r\n", "250 ok\r\n"]
    {
        client.exchange(replies, &mut answer);
    }
    (places, outcomes.unwrap())
}

/// 3461-4.2-b: RFC 3461 section 4.2. At first submission ORCPT has the address of RCPT.
#[test]
fn the_original_recipient_of_a_first_submission_is_that_of_rcpt() {
    let mailboxes =
        ["bob@example.net", "Bob+cats@Example.NET", "\"a b\"@example.net", "a=b@[192.0.2.1]"];
    let mut envelope = Envelope::new("ann@example.org", [""; 0]).unwrap();
    let mut rcpt = String::new();
    for (mailbox, encoded) in mailboxes.iter().zip([
        "bob@example.net",
        "Bob+2Bcats@Example.NET",
        "\"a+20b\"@example.net",
        "a+3Db@[192.0.2.1]",
    ]) {
        let mailbox = Mailbox::parse(mailbox).unwrap().into_owned();
        let original = OriginalRecipient::of(&mailbox).unwrap();
        assert_eq!(original.address_type(), "rfc822");
        assert_eq!(original.decoded(), mailbox.to_string());
        let mut parameters = Parameters::NONE;
        parameters.push("ORCPT", Some(original.as_str())).unwrap();
        rcpt.push_str(&format!("C: RCPT TO:<{mailbox}> ORCPT=rfc822;{encoded}\n"));
        envelope.push(ForwardPath::Mailbox(mailbox), parameters);
    }
    relays(envelope).plays(&format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250-PIPELINING
         S: 250 DSN
         C: MAIL FROM:<ann@example.org>
         {rcpt}
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)"
    ));
}
