//! LMTP at a server (RFC 2033): a reply for each recipient.

use crate::common::{config, converse, converse_with};
use esmtp::{
    server::{End, Event, Limits},
    service::Service,
    syntax::{Code, Extension, Extensions, Rejection, Status, Text},
};

/// 2033-4.2-b, 2033-4.2-c, 2033-4.2-e: RFC 2033 section 4.2.
#[test]
fn lmtp_replies_for_every_accepted_recipient() {
    let experience = converse(
        config()
            .with_service(Service::Lmtp)
            .with_extensions(Extensions::NONE.with(Extension::EightBitMime)),
        "S: 220 mx.example.org LMTP service ready
         C: EHLO client.example.net
         S: 500 Command not recognised
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         C: RCPT TO:<one@d.org>
         C: RCPT TO:<full@d.org>
         C: RCPT TO:<nobody@d.org>
         C: RCPT TO:<one@d.org>
         C: DATA
         S: 250 2.1.0 Ok
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         S: 550 5.1.1 No such mailbox here
         S: 250 2.1.5 Ok
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: text
         C: .
         S: 250 2.0.0 Message accepted
         S: 450 4.2.1 Busy
         S: 250 2.0.0 Message accepted",
    );
    assert_eq!(experience.messages.len(), 1);
}

/// RFC 2033 section 4.2.
#[test]
fn a_shut_down_after_a_message_still_replies_for_each_recipient() {
    converse_with(
        config().with_service(Service::Lmtp).with_extensions(Extensions::NONE),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 451 4.3.0 Local error in processing
         S: 250 2.0.0 Message accepted
         S: (closed)",
        |experience, event| match event {
            Event::Deliver(mut delivery) => {
                if let Some(mut each) = delivery.per_recipient() {
                    each.settle(1, Ok(()));
                }
                delivery.reject_and_close(Rejection::LOCAL_ERROR);
            }
            other => experience.answer(other),
        },
    );
}

/// RFC 5321 section 3.8: a client reads nothing after 421, and would send again to all recipients.
#[test]
fn a_421_for_one_recipient_follows_the_replies_for_the_others() {
    let experience = converse_with(
        config().with_service(Service::Lmtp).with_extensions(Extensions::NONE),
        "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: .
         S: 451 4.3.0 Local error in processing
         S: 250 2.0.0 Message accepted
         S: 421 4.3.2 No more
         S: (closed)",
        |experience, event| match event {
            Event::Deliver(mut delivery) => {
                let status = Status::new(3, 2).unwrap();
                let text = Text::literal("No more");
                let last = Rejection::new(Code::NOT_AVAILABLE, status, text).unwrap();
                let mut each = delivery.per_recipient().unwrap();
                each.settle(0, Err(last));
                each.settle(1, Ok(()));
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(End::Refused));
}

#[test]
fn repeated_lhlo_is_counted_as_no_progress() {
    let hello = "C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES\n";
    let script = format!(
        "S: 220 mx.example.org LMTP service ready\n{hello}{hello}\
         C: LHLO client.example.net\n\
         S: 550 Too many hello commands"
    );
    let config = config().with_service(Service::Lmtp).with_extensions(Extensions::NONE);
    converse(config.with_limits(Limits::default().with_idle_commands(1)), &script);
}

/// RFC 2033 section 4.3: as many replies as there were recipients, also where the content had failed.
#[test]
fn the_last_chunk_of_failed_content_has_its_replies() {
    let opening = "S: 220 mx.example.org LMTP service ready
         C: LHLO client.example.net
         S: 250-mx.example.org
         S: 250-SIZE 33554432
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-ENHANCEDSTATUSCODES
         S: 250-CHUNKING
         S: 250-BINARYMIME
         S: 250 HELP
         C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: RCPT TO:<e@f.org>
         S: 250 2.1.5 Ok
         C: BDAT 2
         C| \\n\\n
         S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)";
    let refused = "S: 503 5.5.1 Content was refused, RSET is next";
    let script = format!(
        "{opening}
         C: MAIL FROM:<>
         {refused}
         C: BDAT 1
         C| x
         {refused}
         C: BDAT 1 LAST
         C| x
         {refused}
         {refused}
         C: MAIL FROM:<>
         S: 250 2.1.0 Ok"
    );
    converse(config().with_service(Service::Lmtp), &script);
}
