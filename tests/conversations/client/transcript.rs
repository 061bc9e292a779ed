//! The transcript of a client shows no secret.

use crate::{
    dialogue::{Act, BOB, Dialogue, after_offer, mail},
    overheard::overhear,
};
use esmtp::client::MessageFacts;
use esmtp::envelope::Envelope;
use esmtp::{
    client::Event,
    sasl::{LoginInitiator, PlainInitiator},
    syntax::{Argument, UnknownVerb, Uri},
};

/// A word that looks like a secret may be none: what the server says of it later is what the
/// application hears.
#[test]
fn an_argument_that_looks_like_a_secret_is_hidden_in_its_own_reply_only() {
    let acts = [
        Act::Command("XSTATE", Some("Hostname".into())),
        Act::Command("XSTATE", Some("Hostname".into())),
        Act::Send(mail(&[BOB], "x\r\n")),
    ];
    let notes = Dialogue::new(acts).plays(&after_offer(
        "",
        "C: XSTATE Hostname
         S: 550 Hostname is unknown
         C: XSTATE Hostname
         S: 250 known
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 550 5.1.1 Hostname unknown
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(
        notes[..2],
        [
            "other refused: 550 ******** is unknown",
            "0: <bob@example.net> 550 5.1.1 Hostname unknown"
        ]
    );
}

/// Credentials are nowhere in a transcript, also where the server repeats them, and not in what
/// the application gets to see of the server.
#[test]
fn secrets_are_not_shown() {
    let replies = [
        "220 mx\r\n",
        "250-mx\r\n250 AUTH PLAIN LOGIN\r\n",
        "535-5.7.8 AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n535 5.7.8 tanstaaftanstaaf? no\r\n",
        "334 VXNlcm5hbWU6\r\n",
        "334 UGFzc3dvcmQ6\r\n",
        "535 dGFuc3RhYWZ0YW5zdGFhZg==\r\n",
        "221 tanstaaftanstaaf\r\n",
    ];
    let mut refused = Vec::new();
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) if refused.is_empty() => {
            let plain = PlainInitiator::new("tim", "tanstaaftanstaaf").unwrap();
            ready.authenticate(vec![Box::new(plain)]).unwrap();
        }
        Event::Ready(ready) if refused.len() == 1 => {
            let login = LoginInitiator::new("tim", "tanstaaftanstaaf").unwrap();
            ready.authenticate(vec![Box::new(login)]).unwrap();
        }
        Event::Refused(event) => {
            refused.push(event.reply().to_string());
            event.go_on();
        }
        other => other.quit(),
    });
    assert_eq!(refused[1], "535 ************************");
    assert!(!refused[0].contains("tanstaaf") && !refused[0].contains("AHRp"), "{}", refused[0]);
    assert_eq!(
        heard,
        "S: 220 mx
C: EHLO me.example.org
S: 250-mx
S: 250 AUTH PLAIN LOGIN
C: AUTH PLAIN (redacted)
S: 535-5.7.8 ****************************
S: 535 5.7.8 ****************? no
C: AUTH LOGIN
S: 334 (redacted)
C: (redacted)
S: 334 (redacted)
C: (redacted)
S: 535 ************************
C: QUIT
S: 221 ****************
C: (closed)
"
    );
}

/// The client does not know what a verb of the application's own carries.
#[test]
fn an_argument_of_a_custom_verb_that_looks_like_a_secret_is_not_shown() {
    let replies = [
        "220 mx\r\n",
        "250 mx\r\n",
        "502 XDO auth PLAIN AHRpbQB0YW5zdGFhZg== is nothing I know\r\n",
        "250 so many of them\r\n",
        "221 bye\r\n",
    ];
    let mut lines = ["auth PLAIN AHRpbQB0YW5zdGFhZg==", "how many"].into_iter();
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) => match lines.next() {
            Some(line) => {
                let argument = Argument::new(line).unwrap();
                ready.command(UnknownVerb::new("XDO").unwrap(), Some(argument)).unwrap();
            }
            None => ready.quit(),
        },
        Event::Refused(event) => event.go_on(),
        other => other.quit(),
    });
    assert_eq!(
        heard,
        "S: 220 mx
C: EHLO me.example.org
S: 250 mx
C: XDO (redacted)
S: 502 XDO auth PLAIN ******************** is nothing I know
C: XDO how many
S: 250 so many of them
C: QUIT
S: 221 bye
C: (closed)
"
    );
}

/// RFC 4467 section 9: the URL alone gives access to its content.
#[test]
fn a_url_of_content_is_not_shown() {
    const TOKEN: &str = "91354a473744909de610943775f92038";
    let replies = [
        "220 mx\r\n",
        "250-mx\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 BURL imap\r\n",
        "250 ok\r\n250 ok\r\n",
        &format!("554 5.6.6 imap://x.example/;urlauth=submit+ann:internal:{TOKEN} is gone\r\n"),
        "221 bye\r\n",
    ];
    let mut report = None;
    let heard = overhear(&replies, |event| match event {
        Event::Ready(ready) if report.is_none() => {
            let envelope = Envelope::new("ann@example.org", &[BOB]).unwrap();
            ready.send(envelope, MessageFacts::UNKNOWN.with_burl()).unwrap();
        }
        Event::Content(content) => {
            let uri = format!("imap://x.example/;uid=1;urlauth=submit+ann:internal:{TOKEN}");
            content.finish_with(Uri::new(uri).unwrap()).unwrap();
        }
        Event::Sent(sent) => report = Some(sent.take()),
        other => other.quit(),
    });
    assert!(!heard.contains(TOKEN), "{heard}");
    assert!(heard.contains("C: BURL (redacted)\n"), "{heard}");
    assert!(heard.contains("submit+ann:internal:**"), "{heard}");
    assert!(!report.unwrap().outcomes().any(|outcome| outcome.to_string().contains(TOKEN)));
}
