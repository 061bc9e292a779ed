//! RFC 4468, content that stands elsewhere.

use crate::{
    common::{Experience, announcing, config, converse_with},
    dialogue::{Act, Dialogue, Mail, URL, mail},
    offering::believe,
};
use esmtp::{
    client::MessageFacts,
    sasl::{Mechanism, Offer},
    server::{Config, Event},
    service::Service,
    syntax::{Extension, Extensions},
};

/// Returns a submission server that offers AUTH and these extensions.
fn submission(extensions: Extensions) -> Config {
    config()
        .with_service(Service::Submission)
        .with_required_auth(false)
        .with_extensions(extensions)
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
}

/// URLs that end in 404 stand for nothing.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Burl(burl) if !burl.uri().as_str().ends_with("404") => {
            experience.log.push(format!("burl {} {}", burl.uri(), burl.is_last()));
            burl.accept();
        }
        Event::Burl(burl) => Event::Burl(burl).proceed(),
        other => believe(experience, other),
    }
}

const AUTH: &str = "
    C: AUTH PLAIN AGFubgBzZWNyZXQ=
    S: 235 2.7.0 Authentication successful";
const ENVELOPE: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok";

/// 4468-3-a: RFC 4468 section 2.
#[test]
fn burl_is_announced_with_what_it_takes() {
    for (prefixes, line) in [
        (&[][..], "BURL"),
        (&["imap"], "BURL imap"),
        (&["imap", "imap://mail.example"], "BURL imap imap://mail.example"),
    ] {
        let extensions = Extensions::NONE.with_burl(prefixes).unwrap();
        converse_with(
            submission(extensions),
            &announcing(&format!("AUTH PLAIN|{line}"), ""),
            answer,
        );
        let read = Extensions::from_lines([line]).unwrap();
        assert!(read.contains(Extension::Burl));
        assert!(read.burl().eq(prefixes.iter().copied()));
    }
}

/// 4468-3-c: RFC 4468 section 2.
#[test]
fn burl_is_for_submission_only() {
    for (service, has_burl) in
        [(Service::Smtp, false), (Service::Submission, true), (Service::Lmtp, false)]
    {
        let config = config().with_service(service).with_extension(Extension::Burl);
        assert_eq!(config.extensions().contains(Extension::Burl), has_burl, "{service:?}");
    }
    converse_with(
        config().with_extension(Extension::Burl),
        &format!(
            "{}C: BURL imap://x.example/;uid=1 LAST\nS: 502 5.5.1 Command not implemented",
            crate::common::HELLO
        ),
        answer,
    );
}

/// 4468-3-d, 4468-3-f: RFC 4468 section 3.
#[test]
fn burl_needs_auth_and_an_envelope() {
    let config =
        submission(Extensions::NONE.with(Extension::Burl).with(Extension::EnhancedStatusCodes));
    let experience = converse_with(
        config,
        &announcing(
            "ENHANCEDSTATUSCODES|AUTH PLAIN|BURL",
            &format!(
                "C: BURL imap://x.example/;uid=1 LAST
                 S: 530 5.7.0 Authentication required
                 {ENVELOPE}
                 C: BURL imap://x.example/;uid=1 LAST
                 S: 530 5.7.0 Authentication required
                 C: RSET
                 S: 250 2.0.0 Ok
                 {AUTH}
                 C: BURL imap://x.example/;uid=1 LAST
                 S: 503 5.5.1 Need MAIL command
                 C: MAIL FROM:<a@b.org>
                 S: 250 2.1.0 Ok
                 C: BURL imap://x.example/;uid=1 LAST
                 S: 503 5.5.1 No valid recipients
                 C: RCPT TO:<nobody@d.org>
                 S: 550 5.1.1 No such mailbox here
                 C: BURL imap://x.example/;uid=1 LAST
                 S: 503 5.5.1 No valid recipients"
            ),
        ),
        answer,
    );
    assert!(experience.messages.is_empty());
    assert!(!experience.log.iter().any(|line| line.starts_with("burl")));
}

/// 4468-3-e: RFC 4468 section 3.
#[test]
fn urls_go_with_chunks_and_not_with_data() {
    let offered = [Extension::EnhancedStatusCodes, Extension::Chunking, Extension::Burl];
    let config = submission(offered.into_iter().fold(Extensions::NONE, Extensions::with));
    let experience = converse_with(
        config,
        &announcing(
            "ENHANCEDSTATUSCODES|CHUNKING|AUTH PLAIN|BURL",
            &format!(
                r"{AUTH}{ENVELOPE}
                 C: BDAT 5
                 C| abc\r\n
                 S: 250 2.0.0 Chunk received
                 C: BURL imap://x.example/;uid=1 LAST
                 S: 250 2.0.0 queued
                 {ENVELOPE}
                 C: BURL imap://x.example/;uid=2
                 S: 250 2.0.0 Chunk received
                 C: DATA
                 S: 503 5.5.1 Content has begun, BDAT or RSET is next
                 C: BDAT 5 LAST
                 C| abc\r\n
                 S: 250 2.0.0 queued"
            ),
        ),
        answer,
    );
    assert_eq!(experience.messages.len(), 2);
    let urls: Vec<_> = experience.log.iter().filter(|line| line.starts_with("burl")).collect();
    assert_eq!(urls, ["burl imap://x.example/;uid=1 true", "burl imap://x.example/;uid=2 false"]);
}

/// 4468-3-g: RFC 4468 section 3.
#[test]
fn an_unresolvable_url_rejects_the_content() {
    let offered = [Extension::EnhancedStatusCodes, Extension::Burl];
    let config = submission(offered.into_iter().fold(Extensions::NONE, Extensions::with));
    let experience = converse_with(
        config,
        &announcing(
            "ENHANCEDSTATUSCODES|AUTH PLAIN|BURL",
            &format!(
                "{AUTH}{ENVELOPE}
                 C: BURL imap://x.example/;uid=404 LAST
                 S: 554 5.6.6 This URL cannot be resolved here"
            ),
        ),
        answer,
    );
    assert_eq!(experience.aborts(), ["Refused"]);
    assert!(experience.messages.is_empty());
}

/// Returns a message with parts at URLs, whose properties are unknown.
fn from_urls(content: &str) -> Act {
    let facts = MessageFacts::UNKNOWN.with_burl();
    Act::Send(Mail { facts, ..mail(&["bob@example.net"], content) })
}

const OPENING: &str = "S: 220 mx
    C: EHLO me.example.org
    S: 250-mx
    S: 250-8BITMIME
    S: 250-CHUNKING
    S: 250-BURL imap
    S: 250-SIZE";

const END: &str = "C: QUIT
    S: 221 bye
    C: (closed)";

/// RFC 4468 sections 3.2 and 3.4: written content leaves in chunks, before and after a URL.
#[test]
fn the_client_mixes_urls_with_chunks() {
    for (content, said) in [
        ("\u{2}", &["BURL URL LAST"][..]),
        ("\u{1}", &["BURL URL", "BDAT 0 LAST"]),
        ("one\r\n\u{2}", &["BDAT 5\nC: one", "BURL URL LAST"]),
        (
            "one\r\n\u{1}\u{1}two, three\r\n",
            &["BDAT 5\nC: one", "BURL URL", "BURL URL", "BDAT 12 LAST\nC: two, three"],
        ),
    ] {
        let lines: Vec<_> =
            said.iter().map(|line| line.replace(" URL", &format!(" {URL}"))).collect();
        // One by one,
        let mut script = format!(
            "{OPENING}
             S: 250 HELP
             C: MAIL FROM:<ann@example.org> BODY=8BITMIME
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok\n"
        );
        for line in &lines {
            script.push_str(&format!("C: {line}\nS: 250 ok\n"));
        }
        let notes = Dialogue::new([from_urls(content)]).plays(&format!("{script}{END}"));
        assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
        // and in a group, of which no more than one piece leaves before the recipient is accepted; but the next
        // transaction waits for the reply to LAST.
        let mut script = format!(
            "{OPENING}
             S: 250 PIPELINING
             C: MAIL FROM:<ann@example.org> BODY=8BITMIME
             C: RCPT TO:<bob@example.net>\n"
        );
        for (index, line) in lines.iter().enumerate() {
            script.push_str(&format!("C: {line}\n"));
            if index == 0 {
                script.push_str("S: 250 ok\nS: 250 ok\n");
            }
        }
        lines.iter().for_each(|_| script.push_str("S: 250 ok\n"));
        let acts = [from_urls(content), Act::Send(mail(&["carl@example.net"], "x\r\n"))];
        let notes = Dialogue::new(acts).with(|config| config.with_transactions(2)).plays(&format!(
            "{script}
             C: MAIL FROM:<ann@example.org> SIZE=3
             C: RCPT TO:<carl@example.net>
             C: BDAT 3 LAST
             C: x
             C: QUIT
             S: 250 ok
             S: 250 ok
             S: 451 not now
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(
            notes[..2],
            ["0: <bob@example.net> 250 ok", "1: <carl@example.net> 451 not now"]
        );
    }
}

/// RFC 4468 section 3.2: "If the URL fetch fails, the server will fail the entire transaction".
#[test]
fn a_url_that_is_refused_ends_the_clients_transaction() {
    for (content, said) in [
        ("one\r\n\u{1}two\r\n", format!("C: BDAT 5\nC: one\nS: 250 ok\nC: BURL {URL}")),
        ("\u{2}", format!("C: BURL {URL} LAST")),
        ("\u{1}", format!("C: BURL {URL}")),
    ] {
        let acts = [from_urls(content), Act::Send(mail(&["carl@example.net"], "x\r\n"))];
        let notes = Dialogue::new(acts).plays(&format!(
            "{OPENING}
             S: 250 HELP
             C: MAIL FROM:<ann@example.org> BODY=8BITMIME
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             {said}
             S: 554 5.6.6 cannot be had
             C: RSET
             S: 250 ok
             C: MAIL FROM:<ann@example.org> SIZE=3
             S: 250 ok
             C: RCPT TO:<carl@example.net>
             S: 250 ok
             C: BDAT 3 LAST
             C: x
             S: 250 ok
             {END}"
        ));
        assert_eq!(
            notes[..2],
            ["0: <bob@example.net> 554 5.6.6 cannot be had", "1: <carl@example.net> 250 ok"]
        );
    }
}

/// The client reports a missing BURL before it sends anything; content that turns out to need it is never ended
/// incomplete.
#[test]
fn the_client_sends_burl_only_where_it_is_offered() {
    let hello = |list: &str| format!("S: 220 mx\nC: EHLO me.example.org\n{list}\n");
    for (list, missing) in [
        ("S: 250-mx\nS: 250 BURL imap", "the message needs CHUNKING, which is not offered"),
        ("S: 250-mx\nS: 250 CHUNKING", "the message needs BURL, which is not offered"),
        (
            "S: 250 mx",
            "the message needs BURL, which is not offered; \
             the message needs CHUNKING, which is not offered",
        ),
    ] {
        let notes = Dialogue::new([from_urls("\u{2}")]).plays(&format!("{}{END}", hello(list)));
        assert_eq!(notes[0], format!("not offered: {missing}"));
    }
    // The mark is not part of what was scanned.
    let content = Mail { facts: MessageFacts::UNKNOWN, ..mail(&["bob@example.net"], "x\u{1}") };
    let notes = Dialogue::new([Act::Send(content.clone())]).plays(&format!(
        "{}
         C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: (closed)",
        hello("S: 250-mx\nS: 250 BURL imap")
    ));
    assert_eq!(notes[0], "content: a URL stands for content, and BURL cannot be used");
    for (content, error) in [
        (content, "content: a URL stands for content, and BURL cannot be used"),
        (
            Mail { facts: MessageFacts::UNKNOWN, ..mail(&["bob@example.net"], "x\r\u{1}\n") },
            "content: a bare CR or LF at octet 1 of the content",
        ),
    ] {
        let burl = if error.contains("BURL") { "HELP" } else { "BURL" };
        let notes = Dialogue::new([Act::Send(content)]).plays(&format!(
            "{}
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<bob@example.net>
             S: 250 ok
             {END}",
            hello(&format!("S: 250-mx\nS: 250-CHUNKING\nS: 250 {burl}"))
        ));
        assert_eq!(notes[..2], [error, "0: <bob@example.net> untried rest: <bob@example.net>"]);
    }
}
