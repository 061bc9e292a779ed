//! The texts of all replies of the server.
//!
//! The codes are those of RFC 5321 section 4.2.3 and of the extensions; the enhanced status
//! codes those of RFC 3463 and its registry.

use super::sequence::Misplaced;
use crate::{
    service::{Service, With},
    syntax::{
        Code, Host, Mailbox, Rejection, Reply, Status, SyntaxError, SyntaxErrorKind, Text, Verb,
    },
};
use alloc::{boxed::Box, format, string::String};

const fn positive(code: u16, subject: u16, detail: u16, text: &'static str) -> Reply<'static> {
    Reply::constant(Code::known(code), Status::known(subject, detail), Text::literal(text))
}

const fn negative(code: u16, subject: u16, detail: u16, text: &'static str) -> Rejection {
    Rejection::constant(Code::known(code), Status::known(subject, detail), Text::literal(text))
}

/// A reply of every session, with its wire form: it is said without being made.
pub(super) struct Usual {
    pub(super) reply: fn() -> Reply<'static>,
    with_status: &'static str,
    without_status: &'static str,
}

impl Usual {
    /// Returns the reply with its CRLF, with or without its enhanced status.
    pub(super) const fn wire(&self, is_enhanced: bool) -> &'static [u8] {
        let wire = if is_enhanced { self.with_status } else { self.without_status };
        wire.as_bytes()
    }
}

macro_rules! usual {
    (positive($code:literal, $subject:literal, $detail:literal, $text:literal)) => {
        Usual {
            reply: || positive($code, $subject, $detail, $text),
            with_status: concat!($code, " 2.", $subject, ".", $detail, " ", $text, "\r\n"),
            without_status: concat!($code, " ", $text, "\r\n"),
        }
    };
    // The enhanced codes are for 2yz, 4yz and 5yz.
    (intermediate($code:literal, $text:literal)) => {
        Usual {
            reply: || Reply::line(Code::known($code), None, Text::literal($text)),
            with_status: concat!($code, " ", $text, "\r\n"),
            without_status: concat!($code, " ", $text, "\r\n"),
        }
    };
}

pub(super) static REVERSE_PATH_OK: Usual = usual!(positive(250, 1, 0, "Ok"));
pub(super) static FORWARD_PATH_OK: Usual = usual!(positive(250, 1, 5, "Ok"));
/// RFC 5321 section 4.1.1.4.
pub(super) static START_CONTENT: Usual =
    usual!(intermediate(354, "Start mail input; end with <CRLF>.<CRLF>"));
pub(super) static ACCEPTED: Usual = usual!(positive(250, 0, 0, "Message accepted"));
pub(super) static CHUNK_OK: Usual = usual!(positive(250, 0, 0, "Chunk received"));
pub(super) static FAREWELL: Usual =
    usual!(positive(221, 0, 0, "Service closing transmission channel"));

pub(super) const OK: Reply<'static> = positive(250, 0, 0, "Ok");
pub(super) const WILL_FORWARD: Reply<'static> = positive(251, 5, 0, "Will forward");
pub(super) const CANNOT_VERIFY: Reply<'static> =
    positive(252, 5, 0, "Cannot verify, but will accept a message and attempt delivery");
pub(super) const START_TLS: Reply<'static> = positive(220, 0, 0, "Ready to start TLS");

pub(super) const TOO_MANY_ERRORS: Rejection = negative(421, 7, 0, "Too many errors");
pub(super) const TIMED_OUT: Rejection = negative(421, 4, 2, "Timeout, closing connection");
pub(super) const SHUTTING_DOWN: Rejection = negative(421, 3, 2, "Shutting down, try again later");
pub(super) const FAILED: Rejection = negative(421, 3, 0, "Local error, closing connection");
pub(super) const IMPROPER_PIPELINING: Rejection =
    negative(554, 5, 0, "Improper use of SMTP command pipelining");
pub(super) const INJECTED: Rejection =
    negative(554, 5, 0, "Octets after STARTTLS (RFC 3207 section 4.2)");
pub(super) const NOT_SECURE: Rejection =
    negative(554, 7, 0, "Command refused due to lack of security");
pub(super) const TOO_MUCH_TO_DISCARD: Rejection =
    negative(421, 3, 4, "Too much data, closing connection");

pub(super) const HTTP: Rejection = negative(554, 5, 1, "HTTP is not supported");
pub(super) const TOO_MANY_IDLE_COMMANDS: Rejection =
    negative(503, 5, 1, "Too many commands without a mail transaction");
pub(super) const TOO_MANY_HELLOS: Rejection = negative(550, 5, 1, "Too many hello commands");
pub(super) const LINE_TOO_LONG: Rejection = negative(500, 5, 2, "Line too long");
pub(super) const UNKNOWN_COMMAND: Rejection = negative(500, 5, 1, "Command not recognised");
pub(super) const NOT_IMPLEMENTED: Rejection = negative(502, 5, 1, "Command not implemented");
pub(super) const UNKNOWN_PARAMETER: Rejection =
    negative(555, 5, 4, "Parameter not recognised or not implemented");
pub(super) const DECLARED_TOO_LARGE: Rejection =
    negative(552, 3, 4, "Message size exceeds the fixed maximum");
pub(super) const TOO_LARGE: Rejection = negative(552, 3, 4, "Message too large");
pub(super) const BARE_LINE_BREAK: Rejection =
    negative(550, 5, 2, "Bare CR or LF in the content (RFC 5321 section 2.3.8)");
pub(super) const NUL: Rejection = negative(550, 6, 0, "NUL in the content (RFC 2045 section 2.8)");
/// RFC 9422 section 4.1.
pub(super) const TOO_MANY_TRANSACTIONS: Rejection =
    negative(452, 5, 0, "Too many transactions in this session");
pub(super) const TOO_MANY_RECIPIENTS: Rejection = negative(452, 5, 3, "Too many recipients");
pub(super) const DELIVERED_TOO_SOON: Rejection = negative(550, 4, 7, "Delivery time is too short");
pub(super) const HELD_TOO_LONG: Rejection = negative(501, 5, 4, "Hold time is too long");
pub(super) const SENDER_NEEDS_UTF8: Rejection =
    negative(550, 6, 7, "Non-ASCII reverse-path without SMTPUTF8");
pub(super) const RECIPIENT_NEEDS_UTF8: Rejection =
    negative(553, 6, 7, "Non-ASCII forward-path without SMTPUTF8");
pub(super) const ONLY_IN_UTF8: Reply<'static> =
    positive(252, 6, 8, "The answer cannot be sent without SMTPUTF8");
const MOVED_IN_UTF8: Rejection =
    negative(550, 6, 8, "User not local, and the address cannot be sent without SMTPUTF8");

pub(super) const QUEUEING: Reply<'static> =
    positive(250, 0, 0, "Queueing for this node has started");
/// Returns the reply about messages that wait for a node (RFC 1985 section 5.1).
pub(super) fn waiting(messages: Option<u32>) -> Reply<'static> {
    const NOTHING: Reply<'static> = positive(251, 0, 0, "No messages are waiting for this node");
    const SOMETHING: Reply<'static> =
        positive(252, 0, 0, "Pending messages for this node have started");
    match messages {
        None => SOMETHING,
        Some(0) => NOTHING,
        Some(messages) => {
            let text = format!("{messages} pending messages for this node have started");
            Reply::new(Code::known(253), Some(Status::known(0, 0)), text).unwrap_or(SOMETHING)
        }
    }
}
pub(super) const ETRN_REFUSED: Rejection =
    negative(458, 0, 0, "Unable to queue messages for this node");
/// RFC 2645 section 5.2.1.
pub(super) const REVERSING: Reply<'static> = positive(250, 0, 0, "OK now reversing the connection");
pub(super) const NO_MAIL: Rejection = negative(453, 0, 0, "You have no mail");
pub(super) const ATRN_REFUSED: Rejection = negative(450, 7, 1, "ATRN request refused");
pub(super) const URL_NOT_RESOLVED: Rejection =
    negative(554, 6, 6, "This URL cannot be resolved here");
pub(super) const ATTRIBUTE_NOT_OFFERED: Rejection = negative(501, 5, 4, "Attribute not announced");
pub(super) const NOT_TRUSTED: Rejection = negative(550, 7, 1, "Not permitted for this client");
pub(super) const AUTHENTICATED: Reply<'static> = positive(235, 7, 0, "Authentication successful");
pub(super) const BAD_CREDENTIALS: Rejection =
    negative(535, 7, 8, "Authentication credentials invalid");
pub(super) const CANNOT_AUTHENTICATE_NOW: Rejection =
    negative(454, 7, 0, "Temporary authentication failure");
pub(super) const ENCRYPTION_REQUIRED: Rejection =
    negative(538, 7, 11, "Encryption required for requested authentication mechanism");
pub(super) const MECHANISM_UNKNOWN: Rejection =
    negative(504, 5, 4, "Unrecognised authentication type");
pub(super) const AUTH_CANCELLED: Rejection = negative(501, 7, 0, "Authentication cancelled");
pub(super) const NOT_BASE64: Rejection = negative(501, 5, 2, "Cannot decode this as base64");
pub(super) const MALFORMED_RESPONSE: Rejection =
    negative(501, 5, 2, "Not a response of this mechanism");
pub(super) const NO_INITIAL_RESPONSE: Rejection =
    negative(501, 7, 0, "This mechanism has no initial response");
pub(super) const RESPONSE_TOO_LONG: Rejection =
    negative(500, 5, 6, "Authentication exchange line is too long");
pub(super) const TOO_MANY_ATTEMPTS: Rejection =
    negative(421, 7, 0, "Too many failed attempts to authenticate");

/// Returns `reply` with this text, if there is one.
pub(super) fn with_text(reply: Reply<'static>, text: Option<Text<'static>>) -> Reply<'static> {
    match text {
        Some(text) => reply.with_text(text),
        None => reply,
    }
}

/// Returns `reply` with these lines, if there are any and they are valid.
pub(super) fn with_lines(reply: Reply<'static>, lines: Box<str>) -> Reply<'static> {
    if lines.is_empty() {
        return reply;
    }
    Reply::new(reply.code(), reply.status(), String::from(lines)).unwrap_or(reply)
}

/// Returns `reply` if it is ASCII, and otherwise the reply in its place for a client that reads nothing
/// else (RFC 6531 section 3.7.4).
pub(super) fn ascii_or(reply: Reply<'static>, other: Reply<'static>) -> Reply<'static> {
    let is_ascii = reply.lines().all(<[u8]>::is_ascii);
    if is_ascii { reply } else { other }
}

/// Returns the reply that refuses a hello: for good with 500, 501, 502, 504 or 550 (RFC 5321
/// sections 4.1.4 and 4.3.2), whatever code the application gave.
pub(super) fn to_hello(rejection: &Rejection) -> Reply<'_> {
    let reply = rejection.reply().as_borrowed();
    match rejection.code() {
        Code::COMMAND_SYNTAX
        | Code::ARGUMENT_SYNTAX
        | Code::NOT_IMPLEMENTED
        | Code::PARAMETER_NOT_IMPLEMENTED => reply,
        code if code.is_transient() => reply,
        _ => reply.with_code(Code::MAILBOX_UNAVAILABLE),
    }
}

/// Returns the reply that refuses STARTTLS: with 501 or 454 (RFC 3207 section 4), whatever code the
/// application gave; 421 ends the session.
pub(super) fn to_start_tls(rejection: &Rejection) -> Reply<'_> {
    let reply = rejection.reply().as_borrowed();
    match rejection.code() {
        Code::ARGUMENT_SYNTAX | Code::NOT_AVAILABLE => reply,
        _ => reply.with_code(Rejection::TLS_NOT_AVAILABLE.code()),
    }
}

/// The reply of [`proceed`](super::Event::proceed) to a recipient.
pub(super) const RECIPIENT_NOT_ACCEPTED: Rejection =
    negative(550, 7, 1, "Recipient not accepted here");
/// The reply of [`proceed`](super::Event::proceed) to a message.
pub(super) const MESSAGE_NOT_ACCEPTED: Rejection = negative(554, 3, 0, "Message not accepted here");

/// Returns the greeting (RFC 5321 section 4.2). It has no enhanced code (RFC 2034 section 4).
pub(super) fn greeting(
    host: &Host<'_>,
    service: Service,
    text: Option<&Text<'_>>,
) -> Reply<'static> {
    let protocol = service.protocol(With { is_extended: true, ..With::default() });
    let text = text.map_or("service ready", Text::as_str);
    bare(Code::SERVICE_READY, format!("{host} {protocol} {text}"))
}

/// Returns the reply to HELP: the commands that this client may use (RFC 5321 section 4.1.1.8).
pub(super) fn help(verbs: impl Iterator<Item = Verb>) -> Reply<'static> {
    let mut text = String::new();
    for verb in verbs {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(verb.as_str());
    }
    match Reply::new(Code::HELP_MESSAGE, Some(Status::OTHER), text) {
        Ok(reply) => reply,
        Err(_) => OK,
    }
}

/// Returns the mailboxes that VRFY and EXPN asked for, a line each (RFC 5321 section 3.5.1). Addresses
/// beyond ASCII are only for a client that reads them (RFC 6531 section 3.7.4.2).
pub(super) fn mailboxes(mailboxes: &[Mailbox<'_>], reads_utf8: bool) -> Reply<'static> {
    if !reads_utf8 && !mailboxes.iter().all(Mailbox::is_ascii) {
        return ONLY_IN_UTF8;
    }
    let mut lines = String::new();
    for mailbox in mailboxes {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&format!("<{mailbox}>"));
    }
    match Reply::new(Code::OK, Some(Status::DESTINATION_VALID), lines) {
        Ok(reply) if !mailboxes.is_empty() => reply,
        _ => CANNOT_VERIFY,
    }
}

/// Returns 551 without an address that the client does not read (RFC 6531 section 3.7.4.1).
pub(super) fn legible(rejection: Rejection) -> Rejection {
    let is_ascii = rejection.reply().lines().all(<[u8]>::is_ascii);
    match rejection.code() == Code::USER_NOT_LOCAL && !is_ascii {
        true => MOVED_IN_UTF8,
        false => rejection,
    }
}

/// Returns a reply without an enhanced code. The text is made of valid values; if it were invalid, a
/// reply without text would still be a reply.
fn bare(code: Code, text: String) -> Reply<'static> {
    Reply::new(code, None, text).unwrap_or_else(|_| Reply::line(code, None, Text::literal("")))
}

/// Returns the reply to a line that does not parse.
pub(super) fn syntax(error: SyntaxError) -> Rejection {
    if matches!(error.kind(), SyntaxErrorKind::UnknownParameter | SyntaxErrorKind::ValueNotOffered)
    {
        return UNKNOWN_PARAMETER;
    }
    let text = match error.kind() {
        SyntaxErrorKind::Path
        | SyntaxErrorKind::PathTooLong
        | SyntaxErrorKind::LocalPart
        | SyntaxErrorKind::LocalPartTooLong
        | SyntaxErrorKind::Host
        | SyntaxErrorKind::DomainTooLong
            if matches!(error.verb(), Some(Verb::Mail | Verb::Rcpt)) =>
        {
            let whose = if error.verb() == Some(Verb::Mail) { "sender" } else { "recipient" };
            Text::new(format!("Bad {whose} address syntax: {}", error.reason()))
                .unwrap_or(const { Text::literal("Bad address syntax") })
        }
        SyntaxErrorKind::LineBreak => const { Text::literal("CR, LF or NUL in a command line") },
        SyntaxErrorKind::NotUtf8 => const { Text::literal("Not valid UTF-8") },
        SyntaxErrorKind::Verb => const { Text::literal("No command in this line") },
        SyntaxErrorKind::UnexpectedArgument => {
            const { Text::literal("This command takes no such argument") }
        }
        SyntaxErrorKind::MissingArgument => {
            const { Text::literal("This command needs an argument") }
        }
        SyntaxErrorKind::Host if error.is_of_control() => {
            const { Text::literal("A control character in the name") }
        }
        SyntaxErrorKind::Host => const { Text::literal("Not a domain or an address literal") },
        SyntaxErrorKind::DomainTooLong => {
            const { Text::literal("Longer than RFC 5321 section 4.5.3.1 allows") }
        }
        SyntaxErrorKind::MisplacedParameter => {
            const { Text::literal("This parameter belongs to another command") }
        }
        SyntaxErrorKind::DuplicateParameter => const { Text::literal("The same parameter twice") },
        SyntaxErrorKind::MissingValue => const { Text::literal("This parameter needs a value") },
        SyntaxErrorKind::UnexpectedValue => const { Text::literal("This parameter has no value") },
        SyntaxErrorKind::ParameterValue => {
            const { Text::literal("Not a value for this parameter") }
        }
        SyntaxErrorKind::Number => const { Text::literal("Not a number in this range") },
        _ => const { Text::literal("Syntax error in parameters or arguments") },
    };
    Rejection::new(error.code(), error.status(), text).unwrap_or(UNKNOWN_COMMAND)
}

/// Returns the reply to a command out of order (RFC 5321 section 4.1.4).
pub(super) const fn misplaced(why: Misplaced) -> Rejection {
    match why {
        Misplaced::NoService => negative(503, 5, 1, "No service here, only QUIT is accepted"),
        Misplaced::NotSecure => NOT_SECURE,
        Misplaced::HelloFirst => negative(503, 5, 1, "Send a hello first"),
        Misplaced::TransactionOpen => negative(503, 5, 1, "Transaction already in progress"),
        Misplaced::MailFirst => negative(503, 5, 1, "Need MAIL command"),
        Misplaced::MailRefused => negative(503, 5, 1, "MAIL was refused"),
        Misplaced::RcptFirst => negative(503, 5, 1, "No valid recipients"),
        Misplaced::AlreadyAuthenticated => negative(503, 5, 1, "Already authenticated"),
        Misplaced::AuthFirst => negative(530, 7, 0, "Authentication required"),
        Misplaced::TlsFirst => negative(530, 7, 0, "Must issue a STARTTLS command first"),
        Misplaced::AlreadySecure => negative(503, 5, 1, "TLS already active"),
        Misplaced::BinaryNeedsChunks => negative(503, 5, 1, "Binary content needs BDAT"),
        Misplaced::ContentBegun => negative(503, 5, 1, "Content has begun, BDAT or RSET is next"),
        Misplaced::ContentRefused => negative(503, 5, 1, "Content was refused, RSET is next"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Returns the code and the status of each call of `constructor` in this file.
    fn constructed(constructor: &str) -> Vec<(u16, u16, u16)> {
        let source = include_str!("replies.rs");
        let calls =
            source.match_indices(constructor).map(|(at, _)| &source[at + constructor.len()..]);
        let numbers = |call: &str| {
            let mut numbers = call.split(',').map(|number| number.trim().parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        };
        calls.filter_map(numbers).collect()
    }

    #[test]
    fn the_wire_form_of_each_usual_reply_is_its_encoding() {
        let usual =
            [&REVERSE_PATH_OK, &FORWARD_PATH_OK, &START_CONTENT, &ACCEPTED, &CHUNK_OK, &FAREWELL];
        for usual in usual {
            for is_enhanced in [true, false] {
                let (reply, mut wire) = ((usual.reply)(), Vec::new());
                let reply = if is_enhanced { reply.as_borrowed() } else { reply.without_status() };
                reply.encode(&mut wire);
                assert_eq!(usual.wire(is_enhanced), wire);
            }
        }
    }

    fn go_together((code, subject, detail): (u16, u16, u16)) -> bool {
        Status::new(subject, detail).unwrap().goes_with(Code::new(code).unwrap())
    }

    // 2034-4-a: the registry of enhanced status codes names the basic codes of each.
    #[test]
    fn the_status_of_each_positive_reply_goes_with_its_code() {
        let replies = constructed("positive(");
        assert!(replies.len() > 10, "{}", replies.len());
        for reply in replies {
            assert!(go_together(reply), "{reply:?}");
        }
    }

    #[test]
    fn a_negative_reply_whose_status_does_not_go_with_its_code_has_a_precedent() {
        const PRECEDENTS: [(u16, u16, u16); 6] = [
            // Postfix: "421 4.7.0 ... Error: too many errors".
            (421, 7, 0),
            // RFC 3463 section 3.4 has this detail for a message that is too large; 421 precedes any
            // end (RFC 5321 section 3.8).
            (421, 3, 4),
            // Postfix: "502 5.5.1 Error: command not implemented".
            (502, 5, 1),
            // RFC 2852 section 4 asks for 55z; X.4.7 is "delivery time expired" (RFC 3463 section 3.5).
            (550, 4, 7),
            // RFC 2645 section 5.2.1 has 450; Postfix: "450 4.7.1 ... rejected".
            (450, 7, 1),
            // As too many errors.
            (421, 7, 0),
        ];
        let replies = constructed("negative(");
        assert!(replies.len() > 40);
        let odd: Vec<_> = replies.into_iter().filter(|it| !go_together(*it)).collect();
        assert_eq!(odd, PRECEDENTS);
    }
}
