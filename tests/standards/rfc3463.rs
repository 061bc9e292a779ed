//! What the numbers of an enhanced status code mean, and where they are registered.

use esmtp::syntax::{Class, Code, Rejection, Reply, Retry, Status};

/// 3463-2-c: RFC 3463 section 2. An unknown detail is the general one of its subject, an unknown
/// subject nothing but its class.
#[test]
fn unknown_numbers_are_the_general_ones() {
    for subject in 0..=999 {
        for detail in [0, 1, 99, 998, 999] {
            let status = Status::new(subject, detail).unwrap();
            let general = Status::new(if subject > 7 { 0 } else { subject }, 0).unwrap();
            let expected = if status.is_registered() { status } else { general };
            assert_eq!(status.generalised(), expected, "{status}");
        }
    }
    for (line, retry) in [
        // Only X.5.3 is about the number of recipients.
        ("452 4.5.99 what", Retry::Later),
        ("452 4.99.1 what", Retry::Later),
        ("452 4.5.3 what", Retry::NextTransaction),
        ("452 4.3.1 what", Retry::Later),
        ("451 4.99.1 what", Retry::Later),
        ("550 5.99.1 what", Retry::Never),
    ] {
        let reply = Reply::parse(format!("{line}\r\n").as_bytes()).unwrap().unwrap().0.into_owned();
        assert_eq!(reply.retry(), retry, "{line}");
    }
}

/// 3463-3-a: RFC 3463 section 3.1.
#[test]
fn the_class_says_whether_it_helps_to_try_again() {
    for (line, class, code, retry) in [
        ("250 2.1.5 x", Class::Completion, "2.1.5", Retry::Unneeded),
        ("450 4.2.1 x", Class::Transient, "4.2.1", Retry::Later),
        ("550 5.1.1 x", Class::Permanent, "5.1.1", Retry::Never),
    ] {
        let reply = Reply::parse(format!("{line}\r\n").as_bytes()).unwrap().unwrap().0.into_owned();
        let whole = reply.status().unwrap().under(reply.code()).unwrap();
        assert_eq!((whole.class(), whole.to_string().as_str()), (class, code));
        assert_eq!(reply.retry(), retry);
        assert_eq!(reply.is_positive(), class == Class::Completion);
        assert_eq!(reply.is_transient(), class == Class::Transient);
        assert_eq!(reply.is_permanent(), class == Class::Permanent);
    }
}

/// 3463-3-b: RFC 3463 section 3.2.
#[test]
fn subjects_are_those_of_the_standard() {
    for (subject, status, meaning) in [
        (0, Status::OTHER, "other or undefined status"),
        (1, Status::OTHER_ADDRESS, "other address status"),
        (2, Status::OTHER_MAILBOX, "other or undefined mailbox status"),
        (3, Status::OTHER_SYSTEM, "other or undefined mail system status"),
        (4, Status::OTHER_NETWORK, "other or undefined network or routing status"),
        (5, Status::OTHER_PROTOCOL, "other or undefined protocol status"),
        (6, Status::OTHER_CONTENT, "other or undefined media error"),
        (7, Status::OTHER_SECURITY, "other or undefined security status"),
    ] {
        assert_eq!(Status::new(subject, 0), Some(status));
        assert_eq!(status.meaning(), Some(meaning));
    }
    assert!(Status::registered().all(|status| status.subject() <= 7));
}

/// 5248-2-b: RFC 5248 section 2. Every code that the server sends by itself, and every one of the
/// named rejections, is registered; the registry is complete up to X.7.30.
#[test]
fn only_registered_codes_are_sent() {
    let details: Vec<(u16, Vec<u16>)> = (0..=7)
        .map(|subject| {
            let of = |status: &Status| status.subject() == subject;
            (subject, Status::registered().filter(of).map(Status::detail).collect())
        })
        .collect();
    let last = [0, 10, 4, 6, 7, 6, 10, 30];
    for ((subject, details), last) in details.into_iter().zip(last) {
        assert_eq!(details, (0..=last).collect::<Vec<_>>(), "X.{subject}");
    }

    let replies = include_str!("../../src/server/replies.rs");
    let mut found = 0;
    for call in replies.split("positive(").chain(replies.split("negative(")) {
        let mut numbers = call.split(',').map(|number| number.trim().parse::<u16>());
        let (Some(Ok(code)), Some(Ok(subject)), Some(Ok(detail))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            continue;
        };
        let status = Status::new(subject, detail).unwrap();
        assert!(status.is_registered(), "{code} {status}");
        found += 1;
    }
    assert!(found > 50, "the replies are no longer found: {found}");
    for rejection in Rejection::NAMED {
        assert!(rejection.reply().status().is_some_and(Status::is_registered), "{rejection}");
    }
}

/// 7372-3-a: RFC 7372 sections 3 and 4.
#[test]
fn failed_authentication_of_a_message_has_codes() {
    for (detail, status) in (20..).zip([
        Status::NO_PASSING_DKIM,
        Status::NO_ACCEPTABLE_DKIM,
        Status::NO_AUTHOR_DKIM,
        Status::SPF_FAILED,
        Status::SPF_ERROR,
        Status::REVERSE_DNS_FAILED,
        Status::MULTIPLE_CHECKS_FAILED,
    ]) {
        assert_eq!(Status::new(7, detail), Some(status));
        assert!(status.goes_with(Code::MAILBOX_UNAVAILABLE), "{status}");
        assert!(!status.goes_with(Code::OK), "{status}");
    }
    // An error while SPF is evaluated may pass.
    assert!(Status::SPF_ERROR.goes_with(Code::LOCAL_ERROR));
    assert!(!Status::SPF_FAILED.goes_with(Code::LOCAL_ERROR));
}
