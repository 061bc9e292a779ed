//! Content after DATA at a server, and lines that are too long.

use crate::common::{CONTENT, HELLO, after_hello, config, converse};
use esmtp::{
    server::{End, Limits},
    wire::BareLineBreaks,
};

#[test]
fn a_line_that_is_too_long_is_one_error_and_its_rest_is_not_a_command() {
    let long = format!(
        "C: NOOP {}
         S: 500 5.5.2 Line too long
         C: NOOP
         S: 250 2.0.0 Ok",
        "QUIT ".repeat(1000)
    );
    converse(config(), &after_hello(&long));
}

/// 5321-2.3.8-a: RFC 5321 section 2.3.8.
#[test]
fn a_bare_line_feed_does_not_end_a_command() {
    converse(
        config(),
        &after_hello(
            r"C| NOOP\nQUIT\r\n
             S: 500 5.5.2 CR, LF or NUL in a command line
             C| NOOP\rQUIT\r\n
             S: 500 5.5.2 CR, LF or NUL in a command line
             C: NOOP
             S: 250 2.0.0 Ok",
        ),
    );
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    let script = format!(
        r"{HELLO}{CONTENT}
        C| a\n.\nb\r\n.\r\n
        S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)
        C: NOOP
        S: 250 2.0.0 Ok"
    );
    let experience = converse(config(), &script);
    assert!(experience.messages.is_empty());
    assert_eq!(experience.aborts(), ["BareLineBreak(1)"]);

    let script = format!(
        r"{HELLO}{CONTENT}
        C| a\n.\r\nb\r.\r\n.\r\n
        S: 250 2.0.0 queued"
    );
    let kept = converse(config().with_bare_line_breaks(BareLineBreaks::Keep), &script);
    assert_eq!(kept.messages[0].content, b"a\n.\r\nb\r.\r\n");
    let normal = converse(config().with_bare_line_breaks(BareLineBreaks::Normalise), &script);
    assert_eq!(normal.messages[0].content, b"a\r\n.\r\nb\r\n.\r\n");
}

#[test]
fn content_beyond_the_limit_is_drained_to_its_true_end() {
    let script = format!(
        "{}{CONTENT}
        C: 0123456789
        C: QUIT
        C: .
        S: 552 5.3.4 Message too large
        C: NOOP
        S: 250 2.0.0 Ok",
        HELLO.replace("33554432", "12")
    );
    let experience = converse(config().with_limits(Limits::default().with_message(12)), &script);
    assert_eq!(experience.aborts(), ["TooLarge"]);
    let fits =
        script.replace("C: QUIT\n", "").replace("552 5.3.4 Message too large", "250 2.0.0 queued");
    let experience = converse(config().with_limits(Limits::default().with_message(12)), &fits);
    assert_eq!(experience.messages[0].content, b"0123456789\r\n");
}

/// RFC 2045 section 2.8, RFC 3030 section 3.
#[test]
fn a_nul_is_accepted_in_binary_content_only() {
    let to_data =
        "C: MAIL FROM:<a@b.org>\nS: 250 2.1.0 Ok\nC: RCPT TO:<c@d.org>\nS: 250 2.1.5 Ok\n";
    let dots = format!(
        "{to_data}C: DATA\nS: 354 Start mail input; end with <CRLF>.<CRLF>\nC| a\\0b\\r\\n.\\r\\n\n"
    );
    let chunk = format!("{to_data}C: BDAT 5 LAST\nC| a\\0b\\r\\n\n");
    for transfer in [&dots, &chunk] {
        let script = after_hello(&format!(
            "{transfer}S: 550 5.6.0 NUL in the content (RFC 2045 section 2.8)"
        ));
        let experience = converse(config(), &script);
        assert_eq!(experience.aborts(), ["Nul(1)"]);
        let script = after_hello(&format!("{transfer}S: 250 2.0.0 queued"));
        let experience = converse(config().with_rejected_nul(false), &script);
        assert_eq!(experience.messages[0].content, b"a\0b\r\n");
    }
    let script = after_hello(&chunk.replace("b.org>", "b.org> BODY=BINARYMIME"));
    let experience = converse(config(), &format!("{script}S: 250 2.0.0 queued"));
    assert_eq!(experience.messages[0].content, b"a\0b\r\n");
}

#[test]
fn no_part_of_a_long_line_is_a_command_however_it_is_cut() {
    let script = after_hello(&format!(
        "C| {}
         (0 s)
         C| BDAT 5\\r\\n
         S: 500 5.5.2 Line too long
         C| {}
         (0 s)
         C| \\x16\\x03\\r\\n
         S: 500 5.5.2 Line too long
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
        "x".repeat(2048),
        "x".repeat(2048),
    ));
    assert_eq!(converse(config(), &script).end, Some(End::Quit));
}
