//! RFC 4468, content that stands elsewhere.

use crate::{
    common::{Experience, config, converse_with},
    offering::{believe, session},
};
use esmtp::{
    sasl::{Mechanism, Offer},
    server::{Config, Event},
    service::Service,
    syntax::{Extension, Extensions},
};

/// A submission server that offers AUTH and these.
fn submission(extensions: Extensions) -> Config {
    config()
        .with_service(Service::Submission)
        .with_required_auth(false)
        .with_extensions(extensions)
        .with_auth(Offer::new([Mechanism::PLAIN]).even_in_the_clear())
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
        converse_with(submission(extensions), &session(&format!("AUTH PLAIN|{line}"), ""), answer);
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
        &session(
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
                 S: 503 5.5.1 MAIL has to come first
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
        &session(
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
fn a_url_that_stands_for_nothing_refuses_the_content() {
    let offered = [Extension::EnhancedStatusCodes, Extension::Burl];
    let config = submission(offered.into_iter().fold(Extensions::NONE, Extensions::with));
    let experience = converse_with(
        config,
        &session(
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
