//! Valid values of every type, made of arbitrary octets: for fuzzers and properties.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU16;

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use super::grammar::{self, Class as Octets};
use super::{
    Argument, AttributeName, AttributeValue, AuthResponse, Base64, Body, ByMode, Class, Code,
    Command, DateTime, DeliverBy, Domain, DomainList, EhloLine, EnhancedCode, EnvelopeId,
    Extension, Extensions, ForwardPath, FutureRelease, GeneralLiteral, HelloName, Hold,
    HoldSeconds, Host, Lenience, LocalPart, Lookup, MailParameters, Mailbox, Mechanism, Node,
    Notify, ObsoleteVerb, OriginalRecipient, Parameters, Priority, QueueName, RcptParameters,
    Rejection, Reply, Ret, ReversePath, RrvsAction, SessionLimits, Solicitation, Status, Submitter,
    Text, Tracking, TransactionId, UnknownVerb, Uri, ValidSince, Verb, Verp, XclientAttributes,
    XforwardAttributes, Xtext,
};

/// Rejects a generated value that is invalid; the fuzzer tries another.
fn no<T>(_: T) -> Error {
    Error::IncorrectFormat
}

/// Makes a string of octets of a class, and of characters outside ASCII where they belong to it.
fn string(u: &mut Unstructured<'_>, class: Octets, least: usize, most: usize) -> Result<String> {
    let pool: Vec<u8> = (0..128).filter(|octet| grammar::is(*octet, class)).collect();
    let has_unicode = grammar::is(0xFF, class);
    let mut text = String::new();
    for _ in 0..u.int_in_range(least..=most)? {
        if has_unicode && u.ratio(1, 8)? {
            text.push(*u.choose(&['ü', 'é', '例', '\u{a0}', '\u{2027}', '𝄞'])?);
        } else {
            text.push(char::from(*u.choose(&pool)?));
        }
    }
    Ok(text)
}

/// Makes a host or a domain without U-labels, where no others are read.
fn ascii<T: for<'a> Arbitrary<'a>>(
    u: &mut Unstructured<'_>,
    is_ascii: fn(&T) -> bool,
) -> Result<T> {
    let value = T::arbitrary(u)?;
    if is_ascii(&value) { Ok(value) } else { Err(Error::IncorrectFormat) }
}

/// Makes a value that this attribute takes.
fn attribute(u: &mut Unstructured<'_>, name: AttributeName) -> Result<AttributeValue<'static>> {
    if u.ratio(1, 4)? {
        return Ok(match bool::arbitrary(u)? {
            true => AttributeValue::Unavailable,
            false => AttributeValue::TemporarilyUnavailable,
        });
    }
    let word = |word: &'static str| AttributeValue::Text(word.into());
    Ok(match name {
        AttributeName::Name => AttributeValue::from(ascii(u, Domain::is_ascii)?),
        AttributeName::Addr | AttributeName::DestAddr => match bool::arbitrary(u)? {
            true => IpAddr::from(<[u8; 4]>::arbitrary(u)?).into(),
            false => IpAddr::from(<[u8; 16]>::arbitrary(u)?).into(),
        },
        AttributeName::Port | AttributeName::DestPort => NonZeroU16::arbitrary(u)?.into(),
        AttributeName::Proto => word(u.choose(&["SMTP", "esmtp"])?),
        AttributeName::Source => word(u.choose(&["LOCAL", "remote"])?),
        AttributeName::Helo | AttributeName::Login | AttributeName::Ident => {
            AttributeValue::Text(string(u, grammar::VISIBLE, 1, 20)?.into())
        }
    })
}

macro_rules! chosen {
    ($($type:ty: $all:expr;)*) => {
        $(impl<'a> Arbitrary<'a> for $type {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                u.choose($all).copied()
            }
        })*
    };
}

chosen! {
    Verb: Verb::ALL;
    Body: Body::ALL;
    Extension: Extension::ALL;
    AttributeName: AttributeName::ALL;
    Ret: &[Ret::Full, Ret::Headers];
    Class: &[Class::Completion, Class::Intermediate, Class::Transient, Class::Permanent];
    ByMode: &[ByMode::Notify, ByMode::Return];
    RrvsAction: &[RrvsAction::Reject, RrvsAction::Continue];
    ObsoleteVerb: &[ObsoleteVerb::Send, ObsoleteVerb::Soml, ObsoleteVerb::Saml, ObsoleteVerb::Turn];
}

/// It borrows, so it is taken out of what the fuzzer brings.
impl<'a> Arbitrary<'a> for EhloLine<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        EhloLine::parse(<&str>::arbitrary(u)?).map_err(no)
    }
}

macro_rules! made {
    ($($type:ty: |$u:ident| $make:expr;)*) => {
        $(impl<'a> Arbitrary<'a> for $type {
            fn arbitrary($u: &mut Unstructured<'a>) -> Result<Self> {
                $make
            }
        })*
    };
}

made! {
    Code: |u| Code::new(u.int_in_range(200..=599)?).ok_or(Error::IncorrectFormat);
    Status: |u| {
        Status::new(u.int_in_range(0..=999)?, u.int_in_range(0..=999)?).ok_or(Error::IncorrectFormat)
    };
    EnhancedCode: |u| {
        let code = Code::arbitrary(u)?;
        Status::arbitrary(u)?.under(code).ok_or(Error::IncorrectFormat)
    };
    FutureRelease<'static>: |u| Ok(FutureRelease::new(HoldSeconds::arbitrary(u)?, DateTime::arbitrary(u)?));
    Text<'static>: |u| Text::new(string(u, grammar::TEXT, 0, 60)?).map_err(no);
    Argument<'static>: |u| {
        let text = string(u, grammar::TEXT, 1, 30)?;
        let text = text.trim_matches([' ', '\t']);
        Argument::new(if text.is_empty() { "x".to_string() } else { text.to_string() }).map_err(no)
    };
    Lookup<'static>: |u| {
        let lookup = Lookup::new(Argument::arbitrary(u)?).map_err(no)?;
        Ok(if bool::arbitrary(u)? { lookup.with_smtputf8() } else { lookup })
    };
    UnknownVerb<'static>: |u| UnknownVerb::new(string(u, grammar::VERB, 1, 12)?).map_err(no);
    Reply<'static>: |u| {
        let code = Code::arbitrary(u)?;
        let status = Option::arbitrary(u)?.filter(|status: &Status| status.under(code).is_some());
        let mut text = string(u, grammar::TEXT, 0, 80)?;
        for _ in 0..u.int_in_range(0..=3)? {
            text.push('\n');
            text.push_str(&string(u, grammar::TEXT, 0, 80)?);
        }
        Reply::new(code, status, text).map_err(no)
    };
    Rejection: |u| {
        let code = Code::new(u.int_in_range(400..=599)?).ok_or(Error::IncorrectFormat)?;
        Rejection::new(code, Status::arbitrary(u)?, Text::arbitrary(u)?).map_err(no)
    };
    Domain<'static>: |u| {
        let mut name = String::new();
        for label in 0..u.int_in_range(1..=4)? {
            if label > 0 {
                name.push('.');
            }
            name.push_str(&string(u, grammar::LET_DIG, 1, 1)?);
            if bool::arbitrary(u)? {
                name.push_str(&string(u, grammar::LABEL, 0, 12)?);
                name.push_str(&string(u, grammar::LET_DIG, 1, 1)?);
            }
        }
        Domain::new(name).map_err(no)
    };
    GeneralLiteral<'static>: |u| {
        let mut literal = string(u, grammar::KEYWORD, 0, 8)?;
        literal.push_str(&string(u, grammar::LET_DIG, 1, 1)?);
        literal.push(':');
        literal.push_str(&string(u, grammar::DCONTENT, 1, 20)?);
        GeneralLiteral::new(literal).map_err(no)
    };
    Host<'static>: |u| Ok(match u.int_in_range(0..=7)? {
        0 => Host::Ipv4(<[u8; 4]>::arbitrary(u)?.into()),
        1 => Host::Ipv6(<[u8; 16]>::arbitrary(u)?.into()),
        // Runs of zeros are what is hard about them.
        2 => Host::Ipv6((u128::arbitrary(u)? & u128::arbitrary(u)? & u128::arbitrary(u)?).into()),
        _ => Host::Domain(Domain::arbitrary(u)?),
    });
    HelloName<'static>: |u| match u.ratio(1, 3)? {
        true => HelloName::new(&string(u, grammar::QTEXT, 1, 20)?).map(HelloName::into_owned).map_err(no),
        false => Ok(Host::arbitrary(u)?.into()),
    };
    LocalPart<'static>: |u| match u.int_in_range(0..=4)? {
        // Longer than every implementation has to take.
        4 => LocalPart::from_unquoted(string(u, grammar::ATEXT, 65, 100)?).map_err(no),
        0 => LocalPart::from_unquoted(string(u, grammar::QTEXT, 0, 12)? + &string(u, grammar::ATEXT, 0, 6)?).map_err(no),
        1 => {
            // Quoted although it need not be.
            let mut form = String::from("\"");
            for _ in 0..u.int_in_range(0..=10)? {
                match bool::arbitrary(u)? {
                    true => {
                        form.push('\\');
                        form.push(char::from(u.int_in_range(b' '..=b'~')?));
                    }
                    false => form.push_str(&string(u, grammar::QTEXT, 1, 1)?),
                }
            }
            form.push('"');
            LocalPart::parse(&form).map(LocalPart::into_owned).map_err(no)
        }
        _ => {
            let mut form = string(u, grammar::ATEXT, 1, 8)?;
            for _ in 0..u.int_in_range(0..=2)? {
                form.push('.');
                form.push_str(&string(u, grammar::ATEXT, 1, 8)?);
            }
            LocalPart::parse(&form).map(LocalPart::into_owned).map_err(no)
        }
    };
    Mailbox<'static>: |u| Ok(Mailbox::new(LocalPart::arbitrary(u)?, Host::arbitrary(u)?));
    ReversePath<'static>: |u| Ok(match u.ratio(1, 5)? {
        true => ReversePath::Null,
        false => ReversePath::Mailbox(Mailbox::arbitrary(u)?),
    });
    ForwardPath<'static>: |u| Ok(match u.ratio(1, 5)? {
        true => ForwardPath::Postmaster,
        false => ForwardPath::Mailbox(Mailbox::arbitrary(u)?),
    });
    Parameters<'static>: |u| {
        let mut parameters = Parameters::NONE;
        for _ in 0..u.int_in_range(0..=4)? {
            let keyword = string(u, grammar::LET_DIG, 1, 1)? + &string(u, grammar::KEYWORD, 0, 8)?;
            let value = match bool::arbitrary(u)? {
                true => Some(string(u, grammar::VALUE, 1, 12)?),
                false => None,
            };
            parameters.push(&keyword, value.as_deref()).map_err(no)?;
        }
        Ok(parameters)
    };
    Xtext<'static>: |u| {
        let mut text = Xtext::encode(<&[u8]>::arbitrary(u)?.get(..20).unwrap_or_default()).to_string();
        text.push_str(&string(u, grammar::XCHAR, 0, 10)?);
        Xtext::parse(text).map_err(no)
    };
    Base64<'static>: |u| Ok(Base64::encode(<&[u8]>::arbitrary(u)?));
    AuthResponse<'static>: |u| Ok(match u.ratio(1, 8)? {
        true => AuthResponse::Cancel,
        false => AuthResponse::Response(Base64::arbitrary(u)?),
    });
    Mechanism: |u| Mechanism::new(&string(u, grammar::VERB, 1, 20)?).map_err(no);
    DateTime<'static>: |u| {
        let seconds = u.int_in_range(-62_167_219_200..=253_402_300_799)?;
        let time = DateTime::from_unix_seconds(seconds).ok_or(Error::IncorrectFormat)?;
        let form = time.as_str().trim_end_matches('Z');
        DateTime::new(match u.int_in_range(0..=3)? {
            0 => alloc::format!("{form}+01:30"),
            1 => alloc::format!("{form}.125-00:00"),
            _ => alloc::format!("{form}Z"),
        })
        .map_err(no)
    };
    EnvelopeId<'static>: |u| {
        let text: String = string(u, grammar::QTEXT, 1, 30)?.chars().filter(char::is_ascii).collect();
        EnvelopeId::new(Xtext::encode(alloc::format!("x{text}").as_bytes())).map_err(no)
    };
    Notify: |u| {
        let mut notify = Notify::NEVER;
        for event in [Notify::SUCCESS, Notify::FAILURE, Notify::DELAY] {
            if bool::arbitrary(u)? {
                notify = notify | event;
            }
        }
        Ok(notify)
    };
    OriginalRecipient<'static>: |u| {
        let address = Mailbox::arbitrary(u)?.to_string();
        let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
        OriginalRecipient::new(kind, &address).map_err(no)
    };
    DeliverBy: |u| {
        let mode = ByMode::arbitrary(u)?;
        let least = if mode == ByMode::Return { 1 } else { -DeliverBy::LIMIT };
        let by = DeliverBy::new(u.int_in_range(least..=DeliverBy::LIMIT)?, mode).ok_or(Error::IncorrectFormat)?;
        Ok(if bool::arbitrary(u)? { by.with_trace() } else { by })
    };
    HoldSeconds: |u| HoldSeconds::new(u.int_in_range(1..=999_999_999)?).ok_or(Error::IncorrectFormat);
    Hold<'static>: |u| Ok(match bool::arbitrary(u)? {
        true => Hold::For(HoldSeconds::arbitrary(u)?),
        false => Hold::Until(DateTime::arbitrary(u)?),
    });
    Priority: |u| Priority::new(u.int_in_range(-9..=9)?).ok_or(Error::IncorrectFormat);
    ValidSince<'static>: |u| {
        let time = DateTime::arbitrary(u)?;
        let whole = match time.has_fraction() {
            true => DateTime::from_unix_seconds(time.unix_seconds()).ok_or(Error::IncorrectFormat)?,
            false => time,
        };
        ValidSince::new(whole, RrvsAction::arbitrary(u)?).map_err(no)
    };
    Solicitation<'static>: |u| {
        let mut list = String::new();
        for word in 0..u.int_in_range(1..=3)? {
            if word > 0 {
                list.push(',');
            }
            list.push('a');
            list.push_str(&string(u, grammar::VERB, 0, 8)?);
            list.push_str(u.choose(&["", ":ADV", ".example"])?);
        }
        Solicitation::parse(list).map_err(no)
    };
    Tracking<'static>: |u| {
        let timeout = match bool::arbitrary(u)? {
            true => Some(u.int_in_range(0..=999_999_999)?),
            false => None,
        };
        Tracking::new(string(u, grammar::BASE64, 1, 28)?, timeout).map_err(no)
    };
    TransactionId<'static>: |u| {
        let domain = ascii(u, Domain::is_ascii)?.to_string();
        TransactionId::parse(alloc::format!("<{}@{domain}>", u32::arbitrary(u)?)).map_err(no)
    };
    Submitter<'static>: |u| Ok(match u.ratio(1, 5)? {
        true => Submitter::Unknown,
        false => Submitter::Mailbox(Mailbox::arbitrary(u)?),
    });
    MailParameters<'static>: |u| Ok(MailParameters {
        size: Option::arbitrary(u)?,
        body: Option::arbitrary(u)?,
        is_smtputf8: bool::arbitrary(u)?,
        is_tls_required: bool::arbitrary(u)?,
        ret: Option::arbitrary(u)?,
        envelope_id: Option::arbitrary(u)?,
        submitter: Option::arbitrary(u)?,
        deliver_by: Option::arbitrary(u)?,
        hold: Option::arbitrary(u)?,
        priority: Option::arbitrary(u)?,
        solicitation: Option::arbitrary(u)?,
        is_conversion_permitted: bool::arbitrary(u)?,
        tracking: Option::arbitrary(u)?,
        transaction_id: Option::arbitrary(u)?,
        verp: Option::arbitrary(u)?,
        responsible_submitter: Option::arbitrary(u)?,
    });
    Verp: |u| {
        let delimiters: Vec<_> = "!#$&'*+-/=?^_`{|}~".chars().collect();
        match bool::arbitrary(u)? {
            true => Verp::new(*u.choose(&delimiters)?, *u.choose(&delimiters)?).map_err(no),
            false => Ok(Verp::DEFAULT),
        }
    };
    RcptParameters<'static>: |u| Ok(RcptParameters {
        notify: Option::arbitrary(u)?,
        original_recipient: Option::arbitrary(u)?,
        valid_since: Option::arbitrary(u)?,
        is_conneg_requested: bool::arbitrary(u)?,
    });
    AttributeValue<'static>: |u| Ok(match u.int_in_range(0..=5)? {
        0 => AttributeValue::Unavailable,
        1 => AttributeValue::TemporarilyUnavailable,
        _ => AttributeValue::Text(string(u, grammar::VISIBLE, 1, 20)?.into()),
    });
    XclientAttributes<'static>: |u| {
        let names: Vec<_> = AttributeName::ALL.iter().copied().filter(|name| name.is_xclient()).collect();
        let name = *u.choose(&names)?;
        let mut list = XclientAttributes::new(name, &attribute(u, name)?).map_err(no)?;
        for _ in 0..u.int_in_range(0..=3)? {
            let name = *u.choose(&names)?;
            list = list.with_attribute(name, &attribute(u, name)?).map_err(no)?;
        }
        Ok(list)
    };
    XforwardAttributes<'static>: |u| {
        let names: Vec<_> = AttributeName::ALL.iter().copied().filter(|name| name.is_xforward()).collect();
        let name = *u.choose(&names)?;
        let mut list = XforwardAttributes::new(name, &attribute(u, name)?).map_err(no)?;
        for _ in 0..u.int_in_range(0..=3)? {
            let name = *u.choose(&names)?;
            list = list.with_attribute(name, &attribute(u, name)?).map_err(no)?;
        }
        Ok(list)
    };
    QueueName<'static>: |u| QueueName::new(string(u, grammar::VISIBLE, 1, 12)?).map_err(no);
    Node<'static>: |u| Ok(match u.int_in_range(0..=2)? {
        0 => Node::Domain(ascii(u, Domain::is_ascii)?),
        1 => Node::Subdomains(ascii(u, Domain::is_ascii)?),
        _ => Node::Queue(QueueName::arbitrary(u)?),
    });
    DomainList<'static>: |u| {
        let mut list = DomainList::new(&ascii(u, Domain::is_ascii)?);
        for _ in 0..u.int_in_range(0..=2)? {
            list = list.with_domain(&ascii(u, Domain::is_ascii)?);
        }
        Ok(list)
    };
    Uri<'static>: |u| {
        let rest = string(u, grammar::VERB, 1, 20)?;
        Uri::new(alloc::format!("imap://{rest}{}", u.choose(&["", "/x;uid=1", "/%20?q"])?)).map_err(no)
    };
    SessionLimits: |u| {
        let mut limit = || Ok(match bool::arbitrary(u)? {
            true => u.int_in_range(1..=999_999)?,
            false => 0,
        });
        let limits = SessionLimits::default()
            .with_mail_max(limit()?)
            .with_rcpt_max(limit()?)
            .with_rcpt_domain_max(limit()?);
        match bool::arbitrary(u)? {
            true => limits
                .with_other(&alloc::format!("X{}", string(u, grammar::LET_DIG, 0, 8)?), "1=2")
                .map_err(no),
            false => Ok(limits),
        }
    };
    Extensions: |u| {
        let mut extensions = Extensions::NONE;
        for extension in Extension::ALL {
            if bool::arbitrary(u)? {
                extensions = extensions.with(*extension);
            }
        }
        if bool::arbitrary(u)? {
            extensions = extensions.with_size(u64::arbitrary(u)?);
        }
        if bool::arbitrary(u)? {
            extensions = extensions.with_mechanisms([Mechanism::arbitrary(u)?, Mechanism::arbitrary(u)?]);
        }
        if bool::arbitrary(u)? {
            extensions = extensions.with_limits(SessionLimits::arbitrary(u)?);
        }
        if bool::arbitrary(u)? {
            let bounds = FutureRelease::new(HoldSeconds::arbitrary(u)?, DateTime::arbitrary(u)?);
            extensions = extensions.with_future_release(&bounds).with_deliver_by(Some(5));
        }
        if bool::arbitrary(u)? {
            extensions = extensions
                .with_no_soliciting(&Solicitation::arbitrary(u)?)
                .with_xclient(&[AttributeName::arbitrary(u)?])
                .with_xforward(AttributeName::ALL);
        }
        if bool::arbitrary(u)? {
            extensions = extensions
                .with_other(&alloc::format!("X-{} {}", string(u, grammar::LET_DIG, 1, 8)?, string(u, grammar::VISIBLE, 1, 8)?))
                .map_err(no)?;
        }
        Ok(extensions)
    };
    Lenience: |u| Ok(*u.choose(&[Lenience::STRICT, Lenience::default(), Lenience::ALL])?);
    Command<'static>: |u| Ok(match u.int_in_range(0..=24)? {
        0 => Command::Ehlo(HelloName::arbitrary(u)?),
        1 => Command::Helo(HelloName::arbitrary(u)?),
        2 => Command::Lhlo(HelloName::arbitrary(u)?),
        3 | 4 => {
            let parameters = match bool::arbitrary(u)? {
                true => Parameters::arbitrary(u)?,
                false => MailParameters::arbitrary(u)?.to_parameters(),
            };
            Command::Mail { reverse_path: ReversePath::arbitrary(u)?, parameters }
        }
        5 | 6 => {
            let parameters = match bool::arbitrary(u)? {
                true => Parameters::arbitrary(u)?,
                false => RcptParameters::arbitrary(u)?.to_parameters(),
            };
            Command::Rcpt { forward_path: ForwardPath::arbitrary(u)?, parameters }
        }
        7 => Command::Data,
        8 => Command::Bdat { octets: u64::arbitrary(u)?, last: bool::arbitrary(u)? },
        9 => Command::Rset,
        10 => Command::Noop(Option::arbitrary(u)?),
        11 => Command::Quit,
        12 => Command::Help(Option::arbitrary(u)?),
        13 => Command::Vrfy(Lookup::arbitrary(u)?),
        14 => Command::Expn(Lookup::arbitrary(u)?),
        15 => Command::StartTls,
        16 => Command::Auth { mechanism: Mechanism::arbitrary(u)?, initial_response: Option::arbitrary(u)? },
        17 => Command::Etrn(Node::arbitrary(u)?),
        18 => Command::Atrn(Option::arbitrary(u)?),
        19 => Command::Burl { uri: Uri::arbitrary(u)?, last: bool::arbitrary(u)? },
        20 => Command::Xclient(XclientAttributes::arbitrary(u)?),
        21 => Command::Xforward(XforwardAttributes::arbitrary(u)?),
        22 => Command::Obsolete(ObsoleteVerb::arbitrary(u)?),
        _ => Command::Other { verb: UnknownVerb::arbitrary(u)?, argument: Option::arbitrary(u)? },
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each has values, and a borrowed line comes of any that the octets happen to spell.
    #[test]
    fn what_no_property_reads_back_is_made_too() {
        let octets: Vec<u8> = (0..=255).cycle().take(2000).collect();
        let mut u = Unstructured::new(&octets);
        assert!((0..20).any(|_| EnhancedCode::arbitrary(&mut u).is_ok()));
        assert!((0..20).any(|_| FutureRelease::arbitrary(&mut u).is_ok()));
        assert!(Class::arbitrary(&mut u).is_ok());
        let line = EhloLine::arbitrary_take_rest(Unstructured::new(b"SIZE 10")).unwrap();
        assert_eq!(line.keyword(), "SIZE");
    }
}
