//! A server that is told to end.

use crate::common::{CONTENT, HELLO, after_hello, config, converse, converse_with};
use esmtp::{
    server::{End, Event},
    syntax::{Code, Rejection, Status, Text},
};

#[test]
fn a_shut_down_lets_content_and_delivery_finish() {
    let idle = after_hello(
        "(shut down)
         S: 421 4.3.2 Shutting down, try again later
         S: (closed)",
    );
    assert_eq!(converse(config(), &idle).end, Some(End::ShutDown));
    let busy = format!(
        "{HELLO}{CONTENT}
        (shut down)
        C: the rest
        C: .
        S: 250 2.0.0 queued
        S: 421 4.3.2 Shutting down, try again later
        S: (closed)"
    );
    assert_eq!(converse(config(), &busy).messages.len(), 1);
}

/// RFC 5321 section 3.8.
#[test]
fn a_421_of_the_application_ends_the_session() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 421 4.3.2 No more
         S: (closed)",
    );
    let experience = converse_with(config(), &script, |experience, event| match event {
        Event::Rcpt(rcpt) => rcpt.reject(
            Rejection::new(
                Code::NOT_AVAILABLE,
                Status::new(3, 2).unwrap(),
                Text::literal("No more"),
            )
            .unwrap(),
        ),
        other => experience.answer(other),
    });
    assert_eq!(experience.aborts(), ["Refused"]);
    assert_eq!(experience.end, Some(End::Refused));
}

#[test]
fn a_shut_down_waits_for_the_last_chunk() {
    let script = after_hello(
        "C: MAIL FROM:<a@b.org>
         S: 250 2.1.0 Ok
         C: RCPT TO:<c@d.org>
         S: 250 2.1.5 Ok
         C: BDAT 3
         C| abc
         S: 250 2.0.0 Chunk received
         (shut down)
         C: BDAT 3 LAST
         C| def
         S: 250 2.0.0 queued
         S: 421 4.3.2 Shutting down, try again later
         S: (closed)",
    );
    assert_eq!(converse(config(), &script).messages[0].content, b"abcdef");
}
