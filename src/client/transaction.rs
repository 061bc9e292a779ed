//! One transaction: what may be sent of it, and what became of its recipients.

use super::{
    config::Config,
    content::{Allowed, Framing},
    error::{NotOffered, Obstacle},
    facts::MessageFacts,
    report::{Outcome, Report},
};
use crate::{
    envelope::Envelope,
    syntax::{
        Command, Extension, Extensions, MailParameters, Parameters, RcptParameters, Reply, Retry,
        SyntaxErrorKind, Verb,
    },
    wire::LineEnds,
};
use alloc::{string::ToString, sync::Arc, vec, vec::Vec};
use core::{
    cell::RefCell,
    fmt::{self, Write},
};

/// Tells the transactions of a session apart: the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transaction(pub(super) u64);

impl Transaction {
    /// How many transactions of the session were begun before this one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// How a transaction will be sent, made before an octet leaves.
pub(super) struct Plan {
    parameters: Parameters<'static>,
    pub(super) framing: Framing,
    pub(super) allowed: Allowed,
}

impl Plan {
    /// Compares what the envelope and the message need with what the server offers.
    pub(super) fn new(
        envelope: &Envelope,
        facts: &MessageFacts,
        offered: &Extensions,
        config: &Config,
    ) -> Result<Self, NotOffered> {
        let mut obstacles = Vec::new();
        let line_ends = config.line_ends();
        let mut parameters = envelope.parameters().clone();
        let has = |keyword: &str| {
            envelope.parameters().iter().any(|one| one.keyword().eq_ignore_ascii_case(keyword))
        };
        if envelope.is_empty() {
            obstacles.push(Obstacle::NoRecipients);
        }

        let is_chunked = offered.contains(Extension::Chunking);
        let is_binary = facts.has_nul() == Some(true);
        let mut need = |extension| {
            let is_offered = offered.contains(extension);
            if !is_offered {
                obstacles.push(Obstacle::Extension(extension));
            }
            is_offered
        };
        let mut additions: Vec<(&str, Option<&str>)> = Vec::new();
        // RFC 6531 section 3.1: for an address or a header field outside ASCII.
        if (!envelope.is_ascii() || facts.has_utf8_header() == Some(true))
            && need(Extension::SmtpUtf8)
        {
            additions.push(("SMTPUTF8", None));
        }
        // RFC 3030 section 3: BINARYMIME only with CHUNKING; RFC 6152 section 3. Of content that
        // nobody has looked at, BODY=8BITMIME says that it may be either.
        if is_binary {
            if need(Extension::BinaryMime) && need(Extension::Chunking) {
                additions.push(("BODY", Some("BINARYMIME")));
            }
        } else if facts.has_eight_bit() == Some(true) {
            if need(Extension::EightBitMime) {
                additions.push(("BODY", Some("8BITMIME")));
            }
        } else if facts.has_eight_bit().is_none() && offered.contains(Extension::EightBitMime) {
            additions.push(("BODY", Some("8BITMIME")));
        }
        let is_as_it_is = is_binary && line_ends == LineEnds::Strict;
        if facts.has_bare_line_break(line_ends) && !is_as_it_is {
            obstacles.push(Obstacle::BareLineBreak);
        }
        let size = facts.size(line_ends);
        let octets = size.map(|octets| octets.to_string());
        if let (Some(octets), Some(limit)) = (size, offered.size())
            && octets > limit
        {
            obstacles.push(Obstacle::Size { octets, limit });
        }
        if let (Some(octets), true) = (&octets, offered.contains(Extension::Size)) {
            additions.push(("SIZE", Some(octets)));
        }
        for (keyword, value) in additions {
            // What the application has set itself stays.
            if !has(keyword) {
                // These keywords and values are valid: pushing them cannot fail.
                let _ = parameters.push(keyword, value);
            }
        }

        check(&mut obstacles, None, envelope.parameters(), offered);
        too_long(&mut obstacles, None, offered, envelope.reverse_path(), &parameters);
        for (index, (path, parameters)) in envelope.recipients().enumerate() {
            check(&mut obstacles, Some(index), parameters, offered);
            too_long(&mut obstacles, Some(index), offered, path, parameters);
        }
        if !obstacles.is_empty() {
            return Err(NotOffered { obstacles });
        }
        Ok(Self {
            parameters,
            framing: if is_chunked { Framing::Chunks } else { Framing::Dots },
            allowed: Allowed {
                has_eight_bit: is_binary || offered.contains(Extension::EightBitMime),
                is_binary,
                size: offered.size(),
                line_ends,
            },
        })
    }
}

/// Parameters whose extension the server does not offer (RFC 5321 section 4.1.1.11), and those
/// with a value that is none. Of keywords that no known extension brings, the server is the judge.
fn check(
    obstacles: &mut Vec<Obstacle>,
    recipient: Option<usize>,
    parameters: &Parameters<'_>,
    offered: &Extensions,
) {
    let read =
        |parameters: &Parameters<'_>, offered: &Extensions, is_known: &dyn Fn(&str) -> bool| {
            match recipient {
                None => MailParameters::parse_known(parameters, offered, is_known).map(drop),
                Some(_) => RcptParameters::parse_known(parameters, offered, is_known).map(drop),
            }
        };
    let not_offered = RefCell::new(Vec::new());
    let result = read(parameters, offered, &|keyword| {
        not_offered.borrow_mut().push(keyword.to_string());
        true
    });
    let all = Extension::ALL.iter().fold(Extensions::NONE, |all, one| all.with(*one));
    for keyword in not_offered.into_inner() {
        let is_unknown = Parameters::parse(&keyword).is_ok_and(|alone| {
            read(&alone, &all, &|_| false)
                .is_err_and(|error| error.kind() == SyntaxErrorKind::UnknownParameter)
        });
        if !is_unknown {
            obstacles.push(Obstacle::Parameter { keyword, recipient });
        }
    }
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == SyntaxErrorKind::ValueNotOffered => {
            let keyword = error.parameter().unwrap_or_default().to_string();
            obstacles.push(Obstacle::Parameter { keyword, recipient });
        }
        Err(error) => obstacles.push(Obstacle::InvalidParameter { error, recipient }),
    }
}

/// A command line beyond 512 octets (RFC 5321 section 4.5.3.1.4) plus what the offered extensions
/// add to it.
fn too_long(
    obstacles: &mut Vec<Obstacle>,
    recipient: Option<usize>,
    offered: &Extensions,
    path: &dyn fmt::Display,
    parameters: &Parameters<'_>,
) {
    let (verb, name) = match recipient {
        None => (Verb::Mail, "MAIL FROM:"),
        Some(_) => (Verb::Rcpt, "RCPT TO:"),
    };
    let mut line = Length(name.len() + "\r\n".len());
    // Counting cannot fail.
    let _ = write!(line, "{path}");
    if !parameters.is_empty() {
        line.0 += 1 + parameters.as_str().len();
    }
    let Length(octets) = line;
    let limit = line_limit(verb, offered);
    if octets > limit {
        obstacles.push(Obstacle::LineTooLong { verb, recipient, octets, limit });
    }
}

/// Counts what is written into it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn line_limit(verb: Verb, offered: &Extensions) -> usize {
    let additions: &[(Extension, usize)] = if verb == Verb::Mail {
        &[
            (Extension::Size, 26),           // RFC 1870 section 3
            (Extension::EightBitMime, 14),   // RFC 6152 states none: what BODY=8BITMIME needs
            (Extension::BinaryMime, 16),     // RFC 3030 section 3
            (Extension::SmtpUtf8, 10),       // RFC 6531 section 3.1
            (Extension::Auth, 500),          // RFC 4954 section 3
            (Extension::Dsn, 524),           // RFC 3461 section 5.4: 1036 octets
            (Extension::RequireTls, 11),     // RFC 8689 section 3
            (Extension::DeliverBy, 17),      // RFC 2852 section 3
            (Extension::FutureRelease, 34),  // RFC 4865 section 3
            (Extension::MtPriority, 15),     // RFC 6710 section 3
            (Extension::NoSoliciting, 1007), // RFC 3865 section 3
        ]
    } else {
        &[
            (Extension::Dsn, 524), // RFC 3461 section 5.4
            (Extension::Rrvs, 33), // RFC 7293 section 3
        ]
    };
    let sum: usize = additions
        .iter()
        .filter(|(extension, _)| offered.contains(*extension))
        .map(|(_, octets)| octets)
        .sum();
    512 + sum
}

/// How far the sending of a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// RSET comes before MAIL, for the server may still hold an earlier transaction.
    Reset,
    Mail,
    /// RCPT of the recipient at this place.
    Rcpt(usize),
    /// DATA, or the first chunk.
    Content,
    /// DATA was sent, or content is being sent.
    UnderWay,
    /// Nothing more will be sent.
    Over,
}

/// What the server said to MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mail {
    Open,
    Accepted,
    Refused,
}

/// What is known of a recipient.
#[derive(Clone, Debug)]
enum Fate {
    /// RCPT was not answered.
    Open,
    /// RCPT was accepted: the reply to the content will tell.
    Accepted,
    /// This is what became of it.
    Answered { reply: Arc<Reply<'static>>, to: Verb },
}

/// A transaction that was begun and has no report yet.
#[derive(Debug)]
pub(super) struct Underway {
    pub(super) transaction: Transaction,
    pub(super) framing: Framing,
    pub(super) allowed: Allowed,
    pub(super) step: Step,
    /// How many of its commands wait for their replies.
    pub(super) awaiting: usize,
    /// Where in the octets sent in this session the content has its end, once that is written.
    pub(super) content_end: Option<u64>,
    envelope: Arc<Envelope>,
    parameters: Parameters<'static>,
    mail: Mail,
    fates: Vec<Fate>,
    /// Octets of the replies that are kept.
    kept: usize,
}

impl Underway {
    pub(super) fn new(
        transaction: Transaction,
        envelope: Arc<Envelope>,
        plan: Plan,
        first: Step,
    ) -> Self {
        Self {
            transaction,
            framing: plan.framing,
            allowed: plan.allowed,
            step: first,
            awaiting: 0,
            content_end: None,
            fates: vec![Fate::Open; envelope.len()],
            envelope,
            parameters: plan.parameters,
            mail: Mail::Open,
            kept: 0,
        }
    }

    /// MAIL.
    pub(super) fn mail(&self) -> Command<'_> {
        Command::Mail {
            reverse_path: self.envelope.reverse_path().as_borrowed(),
            parameters: self.parameters.as_borrowed(),
        }
    }

    /// RCPT; `None` behind the last recipient.
    pub(super) fn rcpt(&self, index: usize) -> Option<Command<'_>> {
        self.envelope.recipient(index).map(|(path, parameters)| Command::Rcpt {
            forward_path: path.as_borrowed(),
            parameters: parameters.as_borrowed(),
        })
    }

    /// MAIL was answered. A refusal is every recipient's, for nobody can be accepted behind it.
    pub(super) fn mail_replied(&mut self, reply: &Arc<Reply<'static>>) {
        if reply.is_positive() {
            self.mail = Mail::Accepted;
        } else {
            self.mail = Mail::Refused;
            for fate in &mut self.fates {
                *fate = Fate::Answered { reply: Arc::clone(reply), to: Verb::Mail };
            }
        }
    }

    /// RCPT was answered.
    pub(super) fn rcpt_replied(&mut self, index: usize, reply: &Arc<Reply<'static>>) {
        if let Some(fate @ Fate::Open) = self.fates.get_mut(index) {
            *fate = if reply.is_positive() {
                Fate::Accepted
            } else {
                Fate::Answered { reply: Arc::clone(reply), to: Verb::Rcpt }
            };
        }
    }

    /// DATA, a chunk or the content was answered, for every recipient that was accepted.
    pub(super) fn content_replied(&mut self, reply: &Arc<Reply<'static>>) {
        for fate in &mut self.fates {
            if matches!(fate, Fate::Accepted) {
                *fate = Fate::Answered { reply: Arc::clone(reply), to: Verb::Data };
            }
        }
    }

    /// The content was answered for the next recipient that was accepted (RFC 2033 section 4.2).
    pub(super) fn recipient_replied(&mut self, reply: &Arc<Reply<'static>>) {
        if let Some(fate) = self.fates.iter_mut().find(|fate| matches!(fate, Fate::Accepted)) {
            *fate = Fate::Answered { reply: Arc::clone(reply), to: Verb::Data };
        }
    }

    /// A reply to it is kept for the report; `false` when the replies grow beyond `limit`, to
    /// which each recipient adds a line of the RFC's length (RFC 5321 section 4.5.3.1.5).
    pub(super) fn keep(&mut self, octets: usize, limit: usize) -> bool {
        self.kept = self.kept.saturating_add(octets);
        self.kept <= limit.saturating_add(self.fates.len().saturating_mul(512))
    }

    pub(super) fn is_mail_accepted(&self) -> bool {
        self.mail == Mail::Accepted
    }

    /// How many recipients wait for the reply to the content.
    pub(super) fn accepted(&self) -> usize {
        self.fates.iter().filter(|fate| matches!(fate, Fate::Accepted)).count()
    }

    /// Whether every recipient that is left was answered, and one at least was accepted.
    pub(super) fn may_have_content(&self) -> bool {
        self.accepted() > 0 && !self.fates.iter().any(|fate| matches!(fate, Fate::Open))
    }

    /// Whether no recipient is left for whom content could be sent.
    pub(super) fn is_dead(&self) -> bool {
        self.fates.iter().all(|fate| matches!(fate, Fate::Answered { .. }))
    }

    /// Whether the report can be made.
    pub(super) fn is_complete(&self) -> bool {
        self.step == Step::Over && self.awaiting == 0
    }

    /// The report. `sent`: octets that have left in this session, which tells those of whom the
    /// server may have heard the end from those of whom it cannot; `last`: the reply that ended
    /// the session, for whoever has none.
    pub(super) fn report(self, sent: u64, last: Option<&Arc<Reply<'static>>>) -> Report {
        let is_limited = self
            .fates
            .iter()
            .any(|fate| matches!(fate, Fate::Accepted | Fate::Answered { to: Verb::Data, .. }));
        let is_ended = self.content_end.is_some_and(|end| sent >= end);
        let outcomes = self.fates.into_iter().map(|fate| match (fate, last) {
            (Fate::Answered { reply, to }, _) => {
                let retry = match reply.retry() {
                    // What counts recipients, or means the content (RFC 5321 section 4.5.3.1.10).
                    Retry::NextTransaction if to == Verb::Rcpt && is_limited => {
                        Retry::NextTransaction
                    }
                    Retry::NextTransaction if to == Verb::Rcpt || reply.is_transient() => {
                        Retry::Later
                    }
                    Retry::NextTransaction => Retry::Never,
                    other => other,
                };
                (Outcome::Replied(reply), retry)
            }
            (Fate::Open | Fate::Accepted, Some(last)) => {
                (Outcome::Replied(Arc::clone(last)), last.retry())
            }
            (Fate::Open | Fate::Accepted, None) if is_ended => (Outcome::Unknown, Retry::Later),
            (Fate::Open | Fate::Accepted, None) => (Outcome::Untried, Retry::NextTransaction),
        });
        Report::new(self.transaction, self.envelope, outcomes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{ForwardPath, ReversePath};
    use alloc::{format, string::String};

    fn envelope() -> Envelope {
        Envelope::new("ann@example.org", &["bob@example.net"]).unwrap()
    }

    fn offered(extensions: &[Extension]) -> Extensions {
        extensions.iter().fold(Extensions::NONE, |all, one| all.with(*one))
    }

    /// The parameters of MAIL, or the obstacles.
    fn plan(envelope: &Envelope, facts: &MessageFacts, offered: &Extensions) -> String {
        let config = Config::new("me.example.org").unwrap().with_line_ends(LineEnds::FromLf);
        match Plan::new(envelope, facts, offered, &config) {
            Ok(plan) => plan.parameters.as_str().to_string(),
            Err(error) => format!("{:?}", error.obstacles),
        }
    }

    #[test]
    fn parameters_are_what_the_message_needs_and_the_server_offers() {
        use Extension::{BinaryMime, Chunking, EightBitMime, Size, SmtpUtf8};
        let all = offered(&[Size, EightBitMime, SmtpUtf8, Chunking, BinaryMime]);
        let given = Parameters::parse("size=7 RET=HDRS").unwrap().into_owned();
        let own = envelope().with_parameters(given);
        let utf8 = Envelope::new("", &["b\u{f6}b@example.net"]).unwrap();
        for (envelope, facts, offered, expected) in [
            (&envelope(), MessageFacts::scan(b"a\n"), &Extensions::NONE, ""),
            (&envelope(), MessageFacts::scan(b"a\n"), &all, "SIZE=3"),
            (&envelope(), MessageFacts::UNKNOWN, &all, "BODY=8BITMIME"),
            (&envelope(), MessageFacts::UNKNOWN, &Extensions::NONE, ""),
            (&envelope(), MessageFacts::scan(b"\n\xe9"), &all, "BODY=8BITMIME SIZE=3"),
            (&envelope(), MessageFacts::scan(b"\xe9"), &all, "SMTPUTF8 BODY=8BITMIME SIZE=1"),
            (&envelope(), MessageFacts::scan(b"\0\xff"), &all, "SMTPUTF8 BODY=BINARYMIME SIZE=2"),
            (&utf8, MessageFacts::scan(b""), &all, "SMTPUTF8 SIZE=0"),
            (&own, MessageFacts::scan(b""), &all.clone().with(Extension::Dsn), "size=7 RET=HDRS"),
        ] {
            assert_eq!(plan(envelope, &facts, offered), expected);
        }
    }

    #[test]
    fn every_obstacle_is_found_before_an_octet_is_sent() {
        let long = format!("{}@example.net", "a".repeat(64));
        let parameters = Parameters::parse("NOTIFY=NEVER X-OWN=1").unwrap().into_owned();
        let envelope = Envelope::from_reverse_path(ReversePath::Null)
            .with_parameters(Parameters::parse("RET=HDRS BODY=BINARYMIME").unwrap().into_owned())
            .with_recipient(ForwardPath::Postmaster, Parameters::NONE)
            .with_recipient(ForwardPath::Postmaster, parameters);
        let facts = MessageFacts::scan(b"\n\xe9\0");
        let size = offered(&[Extension::EightBitMime]).with_size(3);
        assert_eq!(
            plan(&envelope, &facts, &size),
            "[Extension(BinaryMime), Size { octets: 4, limit: 3 }, \
             Parameter { keyword: \"RET\", recipient: None }, \
             Parameter { keyword: \"BODY\", recipient: None }, \
             Parameter { keyword: \"NOTIFY\", recipient: Some(1) }]"
        );
        assert_eq!(
            plan(
                &Envelope::new("", &["bob@example.net"]).unwrap(),
                &MessageFacts::scan(b"a\rb"),
                &size
            ),
            "[BareLineBreak]"
        );
        assert_eq!(
            plan(&Envelope::new("", &[]).unwrap(), &MessageFacts::UNKNOWN, &Extensions::NONE),
            "[NoRecipients]"
        );
        let utf8 = Envelope::new("\u{e4}nn@example.org", &[&long]).unwrap();
        assert_eq!(
            plan(&utf8, &MessageFacts::scan(b"\n\xe9"), &Extensions::NONE),
            "[Extension(SmtpUtf8), Extension(EightBitMime)]"
        );
    }

    #[test]
    fn parameters_have_values_that_they_take() {
        let dsn = offered(&[Extension::Dsn]);
        let with = |mail: &str, rcpt: &str| {
            let parameters = Parameters::parse(rcpt).unwrap().into_owned();
            Envelope::from_reverse_path(ReversePath::Null)
                .with_parameters(Parameters::parse(mail).unwrap().into_owned())
                .with_recipient(ForwardPath::Postmaster, parameters)
        };
        for (mail, rcpt, expected) in [
            ("RET=HDRS", "NOTIFY=NEVER", vec![]),
            ("X-OWN=1", "X-OWN", vec![]),
            ("RET=HALF", "", vec!["a value that the parameter does not take: RET"]),
            ("", "NOTIFY=NEVER,SUCCESS", vec!["the parameter does not take: NOTIFY"]),
            ("", "NOTIFY=NEVER NOTIFY=NEVER", vec!["given twice: NOTIFY"]),
            ("NOTIFY=NEVER", "", vec!["the parameter NOTIFY is not offered"]),
            ("MT-PRIORITY=3", "RRVS=x", vec!["MT-PRIORITY is not", "RRVS is not"]),
        ] {
            let config = Config::new("me.example.org").unwrap();
            let plan = Plan::new(&with(mail, rcpt), &MessageFacts::UNKNOWN, &dsn, &config);
            let obstacles = plan.map_or_else(|error| error.obstacles, |_| Vec::new());
            assert_eq!(obstacles.len(), expected.len(), "{mail} {rcpt}: {obstacles:?}");
            for (obstacle, expected) in obstacles.iter().zip(expected) {
                assert!(obstacle.to_string().contains(expected), "{mail} {rcpt}: {obstacle}");
            }
        }
    }

    /// RFC 5321 section 4.5.3.1.4, RFC 3461 section 5.4.
    #[test]
    fn a_command_line_beyond_its_limit_is_not_built() {
        // RCPT TO:<bob@example.net> X-OWN=… CRLF
        let envelope = |octets: usize| {
            let value = "a".repeat(octets - 34);
            let mut parameters = Parameters::NONE;
            parameters.push("X-OWN", Some(&value)).unwrap();
            let path = ForwardPath::parse("<bob@example.net>").unwrap().into_owned();
            Envelope::from_reverse_path(ReversePath::Null).with_recipient(path, parameters)
        };
        let dsn = offered(&[Extension::Dsn]);
        assert_eq!(plan(&envelope(512), &MessageFacts::UNKNOWN, &Extensions::NONE), "");
        assert_eq!(
            plan(&envelope(513), &MessageFacts::UNKNOWN, &Extensions::NONE),
            "[LineTooLong { verb: Rcpt, recipient: Some(0), octets: 513, limit: 512 }]"
        );
        assert_eq!(plan(&envelope(1036), &MessageFacts::UNKNOWN, &dsn), "");
        assert_eq!(
            plan(&envelope(1037), &MessageFacts::UNKNOWN, &dsn),
            "[LineTooLong { verb: Rcpt, recipient: Some(0), octets: 1037, limit: 1036 }]"
        );
    }

    fn reply(line: &[u8]) -> Arc<Reply<'static>> {
        let (reply, _) = Reply::parse(line).unwrap().unwrap();
        Arc::new(reply.into_owned())
    }

    /// RFC 5321 section 4.5.3.1.10.
    #[test]
    fn what_may_help_depends_on_the_command_that_was_answered() {
        let config = Config::new("me.example.org").unwrap();
        let to = ["a@example.net", "b@example.net", "c@example.net"];
        let report = |rcpt: [&[u8]; 3], data: &[u8]| {
            let envelope = Envelope::new("", &to).unwrap();
            let plan =
                Plan::new(&envelope, &MessageFacts::UNKNOWN, &Extensions::NONE, &config).unwrap();
            let mut underway = Underway::new(Transaction(0), Arc::new(envelope), plan, Step::Over);
            underway.mail_replied(&reply(b"250 ok\r\n"));
            for (index, line) in rcpt.into_iter().enumerate() {
                underway.rcpt_replied(index, &reply(line));
            }
            underway.content_replied(&reply(data));
            let report = underway.report(0, None);
            [0, 1, 2].map(|index| report.retry(index).unwrap())
        };
        let ok = b"250 ok\r\n";
        assert_eq!(
            report([ok, b"452 x\r\n", b"552 x\r\n"], ok),
            [Retry::Unneeded, Retry::NextTransaction, Retry::NextTransaction]
        );
        assert_eq!(
            report([b"552 x\r\n", b"452 x\r\n", b"550 x\r\n"], ok),
            [Retry::Later, Retry::Later, Retry::Never]
        );
        assert_eq!(
            report([ok, b"452 4.2.2 full\r\n", ok], b"552 too large\r\n"),
            [Retry::Never, Retry::Later, Retry::Never]
        );
        assert_eq!(report([ok, ok, ok], b"452 no room\r\n"), [Retry::Later; 3]);
    }
}
