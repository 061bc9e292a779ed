//! The plan of a transaction: what the message needs against what the server offers.

use super::{
    config::Config,
    error::{NotOffered, Obstacle},
    message_facts::MessageFacts,
    outgoing::{Allowed, Framing},
};
use crate::{
    envelope::Envelope,
    security::Security,
    syntax::{
        ByMode, Extension, Extensions, ForwardPath, Hold, Lenience, MailParameters, Parameters,
        RcptParameters, SessionLimits, SyntaxErrorKind, Verb,
    },
    wire::LineEnds,
};
use alloc::{collections::BTreeSet, string::ToString, vec::Vec};
use core::{cell::RefCell, fmt};

/// A plan of how a transaction will be sent, made before an octet leaves.
pub(super) struct Plan {
    pub(super) parameters: Parameters<'static>,
    pub(super) framing: Framing,
    pub(super) allowed: Allowed,
    /// For each recipient, whether it is beyond what the server takes in one transaction; empty where none is.
    pub(super) is_beyond: Vec<bool>,
}

impl Plan {
    /// Compares what the envelope and the message need with what the server offers. `memory` is that of
    /// earlier parameters.
    pub(super) fn new(
        memory: Parameters<'static>,
        envelope: &Envelope,
        facts: &MessageFacts,
        offered: &Extensions,
        security: &Security,
        config: &Config,
    ) -> Result<Self, NotOffered> {
        let plan = Self::for_mail(memory, envelope, facts, offered, security, config);
        if !envelope.is_empty() {
            return plan;
        }
        let mut obstacles = plan.err().map_or_else(Vec::new, |error| error.obstacles);
        obstacles.insert(0, Obstacle::NoRecipients);
        Err(NotOffered { obstacles })
    }

    /// Compares what the message needs with what the server offers, where recipients may be added after MAIL.
    pub(super) fn for_mail(
        memory: Parameters<'static>,
        envelope: &Envelope,
        facts: &MessageFacts,
        offered: &Extensions,
        security: &Security,
        config: &Config,
    ) -> Result<Self, NotOffered> {
        let body = Body::of(envelope, facts);
        let mut parameters = memory;
        parameters.copy_from(envelope.parameters());
        let mut needs = Needs { offered, obstacles: Vec::new(), parameters };
        needs.burl_and_utf8(envelope, facts, body);
        needs.body(facts, body);
        needs.form(facts, body, config);
        needs.size(facts.size(config.line_ends()));
        let Needs { parameters, mut obstacles, .. } = needs;

        bounds(&mut obstacles, envelope.parameters(), offered, security);
        check(&mut obstacles, None, envelope.parameters(), offered);
        let line =
            Length::of("MAIL FROM:", |line| envelope.reverse_path().write_to(line), &parameters);
        too_long(&mut obstacles, None, line, offered.line_limit(Verb::Mail));
        let limit = offered.line_limit(Verb::Rcpt);
        for (index, (path, parameters)) in envelope.recipients().enumerate() {
            check_rcpt(&mut obstacles, index, path, parameters, offered, limit);
        }
        if !obstacles.is_empty() {
            return Err(NotOffered { obstacles });
        }
        let is_chunked = offered.contains(Extension::Chunking);
        Ok(Self {
            parameters,
            framing: if is_chunked { Framing::Chunks } else { Framing::Dots },
            allowed: Allowed {
                has_eight_bit: body.is_binary
                    || !body.is_seven_bit && offered.contains(Extension::EightBitMime),
                is_binary: body.is_binary,
                size: offered.size(),
                line_ends: config.line_ends(),
                burl_line: (is_chunked && offered.contains(Extension::Burl))
                    .then(|| offered.line_limit(Verb::Burl)),
            },
            is_beyond: match offered.contains(Extension::Limits) {
                true => beyond(envelope, &offered.known_limits()),
                false => Vec::new(),
            },
        })
    }
}

/// Compares what one more recipient needs with what the server offers, and with `mail`, the parameters that MAIL
/// was sent with.
pub(super) fn check_recipient(
    index: usize,
    path: &ForwardPath<'_>,
    parameters: &Parameters<'_>,
    mail: &Parameters<'_>,
    offered: &Extensions,
) -> Result<(), NotOffered> {
    let mut obstacles = Vec::new();
    // RFC 6531 section 3.4: such a path may only come in a transaction with SMTPUTF8.
    let is_ascii = path.is_ascii() && parameters.as_str().is_ascii();
    if !is_ascii && mail.get(Extension::SmtpUtf8.keyword()).is_none() {
        obstacles.push(match offered.contains(Extension::SmtpUtf8) {
            true => Obstacle::MailWithoutSmtpUtf8,
            false => Obstacle::Extension(Extension::SmtpUtf8),
        });
    }
    let limit = offered.line_limit(Verb::Rcpt);
    check_rcpt(&mut obstacles, index, path, parameters, offered, limit);
    match obstacles.is_empty() {
        true => Ok(()),
        false => Err(NotOffered { obstacles }),
    }
}

/// Checks one RCPT, whose line may have `limit` octets.
fn check_rcpt(
    obstacles: &mut Vec<Obstacle>,
    index: usize,
    path: &ForwardPath<'_>,
    parameters: &Parameters<'_>,
    offered: &Extensions,
    limit: usize,
) {
    check(obstacles, Some(index), parameters, offered);
    let line = Length::of("RCPT TO:", |line| path.write_to(line), parameters);
    too_long(obstacles, Some(index), line, limit);
}

/// The body of a message: as BODY in the envelope declares it, or else as its octets are.
#[derive(Clone, Copy)]
struct Body {
    /// BINARYMIME, which is content with NUL where the envelope has no BODY.
    is_binary: bool,
    /// BODY=7BIT.
    is_seven_bit: bool,
}

impl Body {
    fn of(envelope: &Envelope, facts: &MessageFacts) -> Self {
        let declared = envelope.parameters().get("BODY");
        let is = |body: &str| {
            declared.is_some_and(|it| it.value().is_some_and(|it| it.eq_ignore_ascii_case(body)))
        };
        Self {
            is_binary: match declared {
                Some(_) => is("BINARYMIME"),
                None => facts.has_nul() == Some(true),
            },
            is_seven_bit: is("7BIT"),
        }
    }
}

/// The needs of a message against the offer of a server: obstacles, and parameters to add to MAIL.
struct Needs<'o> {
    offered: &'o Extensions,
    obstacles: Vec<Obstacle>,
    /// The parameters of MAIL: those of the envelope come first and are not replaced.
    parameters: Parameters<'static>,
}

impl Needs<'_> {
    /// Returns whether the extension is offered; an obstacle if it is not.
    fn need(&mut self, extension: Extension) -> bool {
        let is_offered = self.offered.contains(extension);
        let obstacle = Obstacle::Extension(extension);
        if !is_offered && !self.obstacles.contains(&obstacle) {
            self.obstacles.push(obstacle);
        }
        is_offered
    }

    fn add(&mut self, keyword: &'static str, value: Option<&str>) {
        if self.parameters.get(keyword).is_none() {
            // These keywords and values are valid.
            self.parameters.push_valid(keyword, value);
        }
    }

    /// Checks that BODY is true, and what URLs and text outside ASCII need.
    fn burl_and_utf8(&mut self, envelope: &Envelope, facts: &MessageFacts, body: Body) {
        // RFC 6152 section 3: 8-bit content goes under BODY=8BITMIME, and NUL under BINARYMIME.
        if facts.has_eight_bit() == Some(true) && body.is_seven_bit
            || facts.has_nul() == Some(true) && !body.is_binary
        {
            self.obstacles.push(Obstacle::Body);
        }
        if facts.has_burl() {
            // RFC 4468 section 3.2: octets besides those of URLs come with BDAT, and never with DATA.
            self.need(Extension::Burl);
            self.need(Extension::Chunking);
        }
        // RFC 6531 section 3.1: for an address or a header field outside ASCII.
        if (!envelope.is_ascii() || facts.has_utf8_header() == Some(true))
            && self.need(Extension::SmtpUtf8)
        {
            self.add("SMTPUTF8", None);
        }
    }

    /// Adds BODY: BINARYMIME only with CHUNKING (RFC 3030 section 3), and 8BITMIME (RFC 6152 section 3),
    /// which for content that was not scanned allows both kinds.
    fn body(&mut self, facts: &MessageFacts, body: Body) {
        if body.is_binary {
            if self.need(Extension::BinaryMime) && self.need(Extension::Chunking) {
                self.add("BODY", Some("BINARYMIME"));
            }
        } else if facts.has_eight_bit() == Some(true) && !body.is_seven_bit {
            if self.need(Extension::EightBitMime) {
                self.add("BODY", Some("8BITMIME"));
            }
        } else if facts.has_eight_bit().is_none() && self.offered.contains(Extension::EightBitMime)
        {
            self.add("BODY", Some("8BITMIME"));
        }
    }

    /// Checks the form of the message: MIME where the settings require it, and line ends.
    fn form(&mut self, facts: &MessageFacts, body: Body, config: &Config) {
        if config.requires_mime()
            && (body.is_binary || facts.has_eight_bit() == Some(true))
            && facts.is_mime() == Some(false)
        {
            self.obstacles.push(Obstacle::NotMime);
        }
        let is_unchanged = body.is_binary && config.line_ends() == LineEnds::Strict;
        if facts.has_bare_line_break(config.line_ends()) && !is_unchanged {
            self.obstacles.push(Obstacle::BareLineBreak);
        }
    }

    /// Compares the size with the limit of the server, and adds SIZE (RFC 1870).
    fn size(&mut self, size: Option<u64>) {
        let Some(octets) = size else { return };
        if let Some(limit) = self.offered.size()
            && octets > limit
        {
            self.obstacles.push(Obstacle::Size { octets, limit });
        }
        if self.offered.contains(Extension::Size) {
            let mut digits = [0; 20];
            self.add("SIZE", Some(decimal(octets, &mut digits)));
        }
    }
}

/// Writes a number in decimal digits.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut first = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = index;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default()
}

/// Finds parameters whose extension the server does not offer (RFC 5321 section 4.1.1.11), and those
/// with an invalid value. For keywords of no known extension the server decides.
fn check(
    obstacles: &mut Vec<Obstacle>,
    recipient: Option<usize>,
    parameters: &Parameters<'_>,
    offered: &Extensions,
) {
    if parameters.is_empty() {
        return;
    }
    let read =
        |parameters: &Parameters<'_>, offered: &Extensions, is_known: &dyn Fn(&str) -> bool| {
            match recipient {
                None => MailParameters::read(parameters, offered, Lenience::ADDRESSES, is_known)
                    .map(drop),
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

/// Finds a command line beyond 512 octets (RFC 5321 section 4.5.3.1.4) plus the octets that the offered
/// extensions add to it.
fn too_long(obstacles: &mut Vec<Obstacle>, recipient: Option<usize>, octets: usize, limit: usize) {
    if octets > limit {
        let verb = if recipient.is_some() { Verb::Rcpt } else { Verb::Mail };
        obstacles.push(Obstacle::LineTooLong { verb, recipient, octets, limit });
    }
}

/// A count of the octets that are written into it.
struct Length(usize);

impl Length {
    /// Returns the octets of a command line, CRLF included.
    fn of(
        command: &str,
        path: impl FnOnce(&mut Self) -> fmt::Result,
        parameters: &Parameters<'_>,
    ) -> usize {
        let mut line = Self(command.len() + "\r\n".len());
        // Counting cannot fail.
        let _ = path(&mut line);
        if !parameters.is_empty() {
            line.0 += " ".len() + parameters.as_str().len();
        }
        line.0
    }
}

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Compares values with the limits of the server, and REQUIRETLS with the channel.
fn bounds(
    obstacles: &mut Vec<Obstacle>,
    parameters: &Parameters<'_>,
    offered: &Extensions,
    security: &Security,
) {
    if parameters.is_empty() {
        return;
    }
    // Invalid parameters are found by `check`.
    let Ok(read) = MailParameters::read(parameters, offered, Lenience::ADDRESSES, |_| true) else {
        return;
    };
    if read.is_tls_required() && !(security.is_tls() && security.is_verified()) {
        obstacles.push(Obstacle::RequireTls);
    }
    if let (Some(by), Some(minimum)) = (read.deliver_by(), offered.deliver_by_minimum())
        && by.mode() == ByMode::Return
        && i64::from(by.seconds()) < i64::from(minimum)
    {
        obstacles.push(Obstacle::DeliverBy { seconds: by.seconds(), minimum });
    }
    if let (Some(hold), Some(bounds)) = (read.hold(), offered.future_release()) {
        let is_too_long = match hold {
            Hold::For(seconds) => *seconds > bounds.most(),
            Hold::Until(time) => time.unix_seconds() > bounds.last().unix_seconds(),
        };
        if is_too_long {
            obstacles.push(Obstacle::Hold);
        }
    }
}

/// Returns for each recipient whether it is beyond the limits of a transaction (RFC 9422 section 4).
fn beyond(envelope: &Envelope, limits: &SessionLimits) -> Vec<bool> {
    let most = |limit: Option<u32>| limit.map_or(usize::MAX, |limit| limit as usize);
    let (most_recipients, most_domains) = (most(limits.rcpt_max()), most(limits.rcpt_domain_max()));
    let mut count = 0;
    let mut domains = BTreeSet::new();
    let is_beyond = |path: &ForwardPath<'_>| {
        if count >= most_recipients {
            return true;
        }
        if let (Some(mailbox), Some(_)) = (path.mailbox(), limits.rcpt_domain_max()) {
            let domain = mailbox.host().to_string().to_ascii_lowercase();
            if domains.len() >= most_domains && !domains.contains(&domain) {
                return true;
            }
            domains.insert(domain);
        }
        count += 1;
        false
    };
    envelope.forward_paths().map(is_beyond).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        security::Security,
        syntax::{ForwardPath, ReversePath},
    };
    use alloc::{format, string::String, vec};

    fn envelope() -> Envelope {
        Envelope::new("ann@example.org", &["bob@example.net"]).unwrap()
    }

    fn offered(extensions: &[Extension]) -> Extensions {
        extensions.iter().fold(Extensions::NONE, |all, one| all.with(*one))
    }

    /// Returns the parameters of MAIL, or the obstacles.
    fn plan(envelope: &Envelope, facts: &MessageFacts, offered: &Extensions) -> String {
        let config = Config::new("me.example.org").unwrap().with_line_ends(LineEnds::FromLf);
        match Plan::new(Parameters::NONE, envelope, facts, offered, &Security::CLEAR, &config) {
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

    /// 3030-3-g
    #[test]
    fn content_is_binary_where_the_envelope_declares_it() {
        use Extension::{BinaryMime, Chunking};
        let config = Config::new("me.example.org").unwrap();
        let plan = |body: &str, content: &[u8], offered: &[Extension]| {
            let given = Parameters::parse(body).unwrap().into_owned();
            let (envelope, facts) =
                (envelope().with_parameters(given), MessageFacts::scan(content));
            let offered = self::offered(offered);
            Plan::new(Parameters::NONE, &envelope, &facts, &offered, &Security::CLEAR, &config)
                .map(|plan| (plan.framing, plan.allowed.is_binary))
                .map_err(|error| error.obstacles)
        };
        let both = [Chunking, BinaryMime];
        assert_eq!(plan("BODY=binarymime", b"a\rb\n", &both), Ok((Framing::Chunks, true)));
        assert_eq!(
            plan("BODY=BINARYMIME", b"a\rb\n", &[BinaryMime]),
            Err(vec![Obstacle::Extension(Chunking)])
        );
        assert_eq!(plan("", b"a\rb\n", &both), Err(vec![Obstacle::BareLineBreak]));
        for body in ["BODY=7BIT", "body=8bitmime"] {
            let all = [Chunking, BinaryMime, Extension::EightBitMime];
            assert_eq!(plan(body, b"a\0", &all), Err(vec![Obstacle::Body]));
        }
    }

    /// 6152-3-e
    #[test]
    fn eight_bit_content_does_not_leave_as_seven_bit() {
        let config = Config::new("me.example.org").unwrap();
        let offered = offered(&[Extension::EightBitMime]);
        for (body, facts, expected) in [
            ("BODY=7bit", MessageFacts::scan(b"\r\n\xe9"), Err(vec![Obstacle::Body])),
            ("BODY=7BIT", MessageFacts::scan(b"\r\ne"), Ok(false)),
            // The message was not scanned: it is an error at that octet.
            ("BODY=7BIT", MessageFacts::UNKNOWN, Ok(false)),
            ("BODY=8BITMIME", MessageFacts::scan(b"\r\n\xe9"), Ok(true)),
            ("", MessageFacts::UNKNOWN, Ok(true)),
        ] {
            let given = Parameters::parse(body).unwrap().into_owned();
            let envelope = envelope().with_parameters(given);
            let plan =
                Plan::new(Parameters::NONE, &envelope, &facts, &offered, &Security::CLEAR, &config);
            let allowed = plan.map(|plan| plan.allowed.has_eight_bit);
            assert_eq!(allowed.map_err(|error| error.obstacles), expected, "{body}");
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
            plan(&Envelope::new("", [""; 0]).unwrap(), &MessageFacts::UNKNOWN, &Extensions::NONE),
            "[NoRecipients]"
        );
        let utf8 = Envelope::new("\u{e4}nn@example.org", &[&long]).unwrap();
        assert_eq!(
            plan(&utf8, &MessageFacts::scan(b"\n\xe9"), &Extensions::NONE),
            "[Extension(SmtpUtf8), Extension(EightBitMime)]"
        );
    }

    #[test]
    fn invalid_values_of_parameters_are_obstacles() {
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
            ("NOTIFY=NEVER", "", vec!["belongs to another command: NOTIFY"]),
            ("MT-PRIORITY=3", "RRVS=x", vec!["MT-PRIORITY is not", "RRVS is not"]),
        ] {
            let config = Config::new("me.example.org").unwrap();
            let plan = Plan::new(
                Parameters::NONE,
                &with(mail, rcpt),
                &MessageFacts::UNKNOWN,
                &dsn,
                &Security::CLEAR,
                &config,
            );
            let obstacles = plan.map_or_else(|error| error.obstacles, |_| Vec::new());
            assert_eq!(obstacles.len(), expected.len(), "{mail} {rcpt}: {obstacles:?}");
            for (obstacle, expected) in obstacles.iter().zip(expected) {
                assert!(obstacle.to_string().contains(expected), "{mail} {rcpt}: {obstacle}");
            }
        }
    }

    /// 5321-4.5.3.1.4-b: RFC 5321 section 4.5.3.1.4, RFC 3461 section 5.4.
    #[test]
    fn command_lines_beyond_their_limit_are_obstacles() {
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
        assert_eq!(plan(&envelope(1042), &MessageFacts::UNKNOWN, &dsn), "");
        assert_eq!(
            plan(&envelope(1043), &MessageFacts::UNKNOWN, &dsn),
            "[LineTooLong { verb: Rcpt, recipient: Some(0), octets: 1043, limit: 1042 }]"
        );
    }

    /// RFC 8689 section 4.2.1, RFC 2852 section 4.1.2, RFC 4865 section 4.1.
    #[test]
    fn values_beyond_the_limits_of_the_server_are_obstacles() {
        let verified = Security::CLEAR.with_peer_certificates(Vec::new(), true);
        let reply = b"250-mx\r\n250-REQUIRETLS\r\n250-DELIVERBY 240\r\n\
            250 FUTURERELEASE 3600 2030-01-01T00:00:00Z\r\n";
        let offered = Extensions::parse(&crate::syntax::Reply::parse(reply).unwrap().unwrap().0);
        let config = Config::new("me.example.org").unwrap();
        for (parameters, security, expected) in [
            ("REQUIRETLS", &verified, ""),
            ("REQUIRETLS", &Security::TLS, "[RequireTls]"),
            ("REQUIRETLS", &Security::CLEAR, "[RequireTls]"),
            ("BY=240;R", &verified, ""),
            ("BY=239;R", &verified, "[DeliverBy { seconds: 239, minimum: 240 }]"),
            ("BY=239;N", &verified, ""),
            ("HOLDFOR=3600", &verified, ""),
            ("HOLDFOR=3601", &verified, "[Hold]"),
            ("HOLDUNTIL=2030-01-01T00:00:00Z", &verified, ""),
            ("HOLDUNTIL=2030-01-01T00:00:01Z", &verified, "[Hold]"),
        ] {
            let given = Parameters::parse(parameters).unwrap().into_owned();
            let envelope = envelope().with_parameters(given);
            let plan = Plan::new(
                Parameters::NONE,
                &envelope,
                &MessageFacts::scan(b""),
                &offered,
                security,
                &config,
            );
            let obstacles = match plan {
                Ok(_) => String::new(),
                Err(error) => format!("{:?}", error.obstacles),
            };
            assert_eq!(obstacles, expected, "{parameters}");
        }
    }

    /// RFC 9422 section 4.
    #[test]
    fn recipients_beyond_the_limits_are_left_for_a_further_transaction() {
        let to = ["a@x.example", "b@X.example", "postmaster", "a@y.example", "c@x.example"];
        let envelope = Envelope::new("", &to).unwrap();
        let limited = |line: &str| {
            let reply = format!("250-mx\r\n250 LIMITS {line}\r\n");
            let reply = crate::syntax::Reply::parse(reply.as_bytes()).unwrap().unwrap().0;
            beyond(&envelope, &Extensions::parse(&reply).limits())
        };
        assert_eq!(limited("MAILMAX=1"), [false; 5]);
        assert_eq!(limited("RCPTMAX=3"), [false, false, false, true, true]);
        assert_eq!(limited("RCPTDOMAINMAX=1"), [false, false, false, true, false]);
        assert_eq!(limited("RCPTDOMAINMAX=1 RCPTMAX=4"), [false, false, false, true, false]);
    }
}
