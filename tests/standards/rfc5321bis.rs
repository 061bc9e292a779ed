//! The revision of RFC 5321 (draft-ietf-emailcore-rfc5321bis), where it says more.

use crate::{
    common::{HELLO, config, converse},
    dialogue::{Act, Dialogue, Mail, after_offer, mail},
};
use esmtp::{
    client::MessageFacts,
    server::AbortReason,
    syntax::{Code, Reply, Retry},
    wire::{LineEnds, Stuffer},
};

const BOB: &str = "bob@example.net";

const CONTENT: &str = "
    C: MAIL FROM:<a@b.org>
    S: 250 2.1.0 Ok
    C: RCPT TO:<c@d.org>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
";

/// 5321bis-2.3.8-a: section 2.3.8.
#[test]
fn bare_line_breaks_are_refused_and_not_repaired() {
    for (content, at) in [(r"a\nb", 1), (r"a\rb", 1), (r"\n", 0), (r"a\r\n\n", 3), (r"a\r\r\n", 1)]
    {
        let script = format!(
            r"{HELLO}{CONTENT}
            C| {content}\r\n.\r\n
            S: 550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)"
        );
        let experience = converse(config(), &script);
        assert!(experience.messages.is_empty());
        assert_eq!(experience.aborts(), [crate::common::reason(AbortReason::BareLineBreak(at))]);
    }
    for command in [r"NOOP a\nb", r"NOOP\n", r"NO\rOP", r"EHLO a\nb", r"MAIL FROM:<a@b.org>\n"] {
        // The reply to a hello has no enhanced code.
        let status = if command.starts_with("EHLO") { "" } else { "5.5.2 " };
        let script = format!(
            r"{HELLO}C| {command}\r\n
            S: 500 {status}CR, LF or NUL in a command line"
        );
        converse(config(), &script);
    }
}

/// 5321bis-2.3.8-b: section 2.3.8.
#[test]
fn a_bare_line_break_is_not_passed_on() {
    for content in ["a\nb\r\n", "a\rb\r\n", "a\r\n\n", "a\r"] {
        let notes = Dialogue::sends(&[BOB], content).plays(&after_offer(
            "",
            "C: QUIT
             S: 221 bye
             C: (closed)",
        ));
        assert_eq!(notes[0], "not offered: the message holds a bare CR or LF");
        let mut out = Vec::new();
        let mut stuffer = Stuffer::new(LineEnds::Strict);
        let result =
            stuffer.stuff(content.as_bytes(), &mut out).and_then(|()| stuffer.finish(&mut out));
        assert!(result.is_err() && !out.ends_with(b".\r\n"));
    }
    // Not known before, it ends the session, and the message is never ended.
    let unknown = Mail { facts: MessageFacts::UNKNOWN, ..mail(&[BOB], "a\nb\r\n") };
    let notes = Dialogue::new([Act::Send(unknown)]).plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: (closed)",
    ));
    assert_eq!(notes[0], "content: a bare CR or LF at octet 1 of the content");
}

/// 5321bis-4.1.1-a: section 4.1.1.
#[test]
fn removed_commands_are_not_implemented() {
    let script = format!(
        "{HELLO}C: SEND FROM:<a@b.org>
         S: 502 5.5.1 Command not implemented
         C: SOML FROM:<a@b.org>
         S: 502 5.5.1 Command not implemented
         C: SAML FROM:<a@b.org>
         S: 502 5.5.1 Command not implemented
         C: TURN
         S: 502 5.5.1 Command not implemented
         C: RCPT TO:<c@d.org>
         S: 503 5.5.1 Need MAIL command"
    );
    converse(config(), &script);
}

/// RFC 5321bis section 4.1.1: the removed commands before a hello.
#[test]
fn removed_commands_are_not_implemented_before_a_hello_either() {
    converse(
        config(),
        "S: 220 mx.example.org ESMTP service ready
         C: SEND FROM:<a@b.org>
         S: 502 5.5.1 Command not implemented",
    );
}

/// 5321bis-4.1.1.1-a: section 4.1.1.1.
#[test]
fn a_session_is_opened_with_ehlo() {
    for greeting in ["220 mx ESMTP", "220 mx SMTP", "220 mx"] {
        Dialogue::new([]).plays(&format!(
            "S: {greeting}
             C: EHLO me.example.org
             S: 250 mx
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    }
}

/// 5321bis-4.1.1.4-a: section 4.1.1.4. Whatever a server does with bare line breaks, what stands
/// after them is no command.
#[test]
fn no_message_is_smuggled_inside_another() {
    use esmtp::wire::BareLineBreaks::{Keep, Normalise, Reject};
    for end in [
        r"\n.\n",
        r"\n.\r\n",
        r"\r\n.\n",
        r"\r.\r",
        r"\r.\r\n",
        r"\r\n.\r",
        r"\n.\r",
        r"\r.\n",
        r"\r\n\0.\r\n",
        r"\r\n.\0\r\n",
        r"\r\n.\r\r\n",
        r"\r\r\n\n.\r\n",
        r"\r\n. \r\n",
        r"\n\n.\r\n",
    ] {
        for policy in [Reject, Keep, Normalise] {
            let is_bare = !matches!(end, r"\r\n\0.\r\n" | r"\r\n.\0\r\n" | r"\r\n. \r\n");
            let reply = match policy {
                Reject if is_bare => {
                    "550 5.5.2 Bare CR or LF in the content (RFC 5321 section 2.3.8)"
                }
                // Content with NUL may be refused.
                _ if end.contains(r"\0") => continue,
                _ => "250 2.0.0 queued",
            };
            let script = format!(
                r"{HELLO}{CONTENT}
                C| one{end}MAIL FROM:<evil@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\ntwo\r\n.\r\n
                S: {reply}
                C: NOOP
                S: 250 2.0.0 Ok"
            );
            let experience = converse(config().with_bare_line_breaks(policy), &script);
            assert_eq!(experience.messages.len(), usize::from(reply.starts_with("250")), "{end}");
            assert_eq!(experience.log.iter().filter(|line| line.starts_with("mail")).count(), 1);
        }
    }
}

/// 5321-3.3-e, 5321-4.1.1.3-c, 5321bis-4.1.2-a: section 4.1.2.
#[test]
fn a_source_route_is_read_and_ignored() {
    for (route, mailbox) in [
        ("<@a.example:c@d.org>", "<c@d.org>"),
        ("<@a.example,@b.example:c@d.org>", "<c@d.org>"),
        ("<@a.example,@b.example:c@[192.0.2.1]>", "<c@[192.0.2.1]>"),
    ] {
        let script = format!(
            "{HELLO}C: MAIL FROM:{route}
             S: 250 2.1.0 Ok
             C: RCPT TO:{route}
             S: 250 2.1.5 Ok
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 2.0.0 queued"
        );
        let experience = converse(config(), &script);
        assert_eq!(experience.messages[0].from, mailbox);
        assert_eq!(experience.messages[0].to, [mailbox]);
    }
}

/// 5321bis-4.2.4-a: section 4.2.4 and RFC 7504.
#[test]
fn codes_of_hosts_and_domains_without_mail_are_in_the_list() {
    for (code, number) in [(Code::NO_MAIL_HERE, 521), (Code::DOMAIN_ACCEPTS_NO_MAIL, 556)] {
        assert_eq!(code.get(), number);
        assert!(code.is_permanent() && Code::NAMED.contains(&code));
    }
}

/// 5321bis-4.5.3.1.10-a: section 4.5.3.1.10.
#[test]
fn a_552_to_rcpt_means_too_many_recipients() {
    let (reply, _) = Reply::parse(b"552 Too many recipients\r\n").unwrap().unwrap();
    assert_eq!(reply.retry(), Retry::NextTransaction);
    let notes = Dialogue::sends(&[BOB, "carl@example.net"], "x\r\n").plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: RCPT TO:<carl@example.net>
         S: 552 too many
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(
        notes[0],
        "0: <bob@example.net> 250 ok, <carl@example.net> 552 too many rest: <carl@example.net>"
    );
}
