//! Values as text, for `serde`: each in the form in which it stands on the wire, and checked when it is read. An address may
//! have been read with any [`Lenience`], so it is read back with all of its switches.
//!
//! Commands and responses of AUTH are left out: they may hold a password, and a log is a likely place for what is serialised.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use ::serde::de::Error as _;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Argument, AttributeName, Body, Code, DateTime, DeliverBy, Domain, DomainList, EnhancedCode,
    EnvelopeId, Extension, Extensions, ForwardPath, HelloName, HoldSeconds, Host, Lenience,
    LocalPart, Lookup, MailParameters, Mailbox, Mechanism, Node, Notify, OriginalRecipient,
    Parameters, Priority, RcptParameters, Rejection, Reply, Ret, ReversePath, Solicitation, Status,
    Submitter, Text, Tracking, TransactionId, UnknownVerb, Uri, ValidSince, Verb,
    XclientAttributes, XforwardAttributes, Xtext,
};

/// Types with a text form that one function reads.
macro_rules! as_text {
    ($($type:ident $(<$lifetime:lifetime>)?: $read:expr;)*) => {
        $(
            impl Serialize for $type $(<$lifetime>)? {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for as_text!(@owned $type $($lifetime)?) {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    $read(&text).map_err(D::Error::custom)
                }
            }
        )*
    };
    (@owned $type:ident $lifetime:lifetime) => { $type<'static> };
    (@owned $type:ident) => { $type };
}

as_text! {
    Text<'_>: |text| Text::new(text).map(Text::into_owned);
    Argument<'_>: |text| Argument::new(text).map(Argument::into_owned);
    Lookup<'_>: |text| Lookup::parse(text).map(Lookup::into_owned);
    UnknownVerb<'_>: |text| UnknownVerb::new(text).map(UnknownVerb::into_owned);
    XclientAttributes<'_>: |text| XclientAttributes::parse(text).map(XclientAttributes::into_owned);
    XforwardAttributes<'_>: |text| {
        XforwardAttributes::parse(text).map(XforwardAttributes::into_owned)
    };
    EnhancedCode: enhanced_code;
    Domain<'_>: |text| Domain::new_with(text, Lenience::ADDRESSES).map(Domain::into_owned);
    HelloName<'_>: |text| HelloName::new(text).map(HelloName::into_owned);
    Host<'_>: |text| Host::parse_with(text, Lenience::ADDRESSES).map(Host::into_owned);
    LocalPart<'_>: |text| LocalPart::parse_with(text, Lenience::ADDRESSES).map(LocalPart::into_owned);
    Mailbox<'_>: |text| Mailbox::parse_with(text, Lenience::ADDRESSES).map(Mailbox::into_owned);
    ReversePath<'_>: |text| ReversePath::parse_with(text, Lenience::ADDRESSES).map(ReversePath::into_owned);
    ForwardPath<'_>: |text| ForwardPath::parse_with(text, Lenience::ADDRESSES).map(ForwardPath::into_owned);
    Parameters<'_>: |text| Parameters::parse(text).map(Parameters::into_owned);
    Xtext<'_>: |text| Xtext::parse(text).map(Xtext::into_owned);
    Mechanism: Mechanism::new;
    DateTime<'_>: |text| DateTime::new(text).map(DateTime::into_owned);
    OriginalRecipient<'_>: |text| OriginalRecipient::parse(text).map(OriginalRecipient::into_owned);
    ValidSince<'_>: |text| ValidSince::parse(text).map(ValidSince::into_owned);
    Solicitation<'_>: |text| Solicitation::parse(text).map(Solicitation::into_owned);
    Tracking<'_>: |text| Tracking::parse(text).map(Tracking::into_owned);
    TransactionId<'_>: |text| TransactionId::parse(text).map(TransactionId::into_owned);
    Submitter<'_>: |text| Submitter::parse_with(text, Lenience::ADDRESSES).map(Submitter::into_owned);
    Uri<'_>: |text| Uri::new(text).map(Uri::into_owned);
    Node<'_>: |text| Node::parse(text, &super::grammar::Tolerance::none()).map(Node::into_owned);
    DomainList<'_>: |text| DomainList::parse(text).map(DomainList::into_owned);
    EnvelopeId<'_>: |text| Xtext::parse(text).and_then(EnvelopeId::new).map(EnvelopeId::into_owned);
    Notify: Notify::parse;
    DeliverBy: DeliverBy::parse;
    HoldSeconds: HoldSeconds::parse;
    Priority: Priority::parse;
    Status: status;
    Body: |text| one_of(Body::ALL, Body::as_str, text);
    Ret: |text| one_of(&[Ret::Full, Ret::Headers], Ret::as_str, text);
    Verb: |text| one_of(Verb::ALL, Verb::as_str, text);
    Extension: |text| one_of(Extension::ALL, Extension::keyword, text);
}

/// As they stand in a command.
macro_rules! as_parameters {
    ($($type:ident: $read:expr;)*) => {$(
        impl Serialize for $type<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_parameters().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type<'static> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let parameters = Parameters::deserialize(deserializer)?;
                let all = Extension::ALL.iter().copied().collect();
                let typed = $read(&parameters, &all).map_err(D::Error::custom)?;
                Ok(typed.into_owned())
            }
        }
    )*};
}

as_parameters! {
    MailParameters: |parameters, all| {
        MailParameters::parse_with(parameters, all, Lenience::ADDRESSES)
    };
    RcptParameters: RcptParameters::parse;
}

/// As it is written.
impl Serialize for AttributeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AttributeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        one_of(Self::ALL, Self::as_str, &text).map_err(D::Error::custom)
    }
}

/// Reads `5.1.1`.
fn enhanced_code(text: &str) -> Result<EnhancedCode, &'static str> {
    let (class, rest) = text.split_once('.').ok_or("not an enhanced status code")?;
    let code = match class {
        "2" => Code::OK,
        "4" => Code::LOCAL_ERROR,
        "5" => Code::MAILBOX_UNAVAILABLE,
        _ => return Err("not the class of an enhanced status code"),
    };
    status(&alloc::format!("X.{rest}"))?.under(code).ok_or("not an enhanced status code")
}

fn one_of<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, &'static str> {
    all.iter()
        .copied()
        .find(|value| name(*value).eq_ignore_ascii_case(text))
        .ok_or("not one of the known words")
}

/// Reads `X.1.1`, as the registry writes it.
fn status(text: &str) -> Result<Status, &'static str> {
    let read = || {
        let (subject, detail) = text.strip_prefix("X.")?.split_once('.')?;
        Status::new(subject.parse().ok()?, detail.parse().ok()?)
    };
    read().ok_or("not an enhanced status code")
}

/// A number.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.get())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Reply")]
struct Parts<'a> {
    code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    lines: Vec<Cow<'a, str>>,
}

/// Code, status and lines; what is no text in a line of a peer is replaced.
impl Serialize for Reply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = self.lines().map(|line| {
            let line = String::from_utf8_lossy(line);
            Cow::Owned(Text::lossy(&line).to_string())
        });
        Parts { code: self.code(), status: self.status(), lines: lines.collect() }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reply<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { code, status, lines } = Parts::deserialize(deserializer)?;
        if lines.iter().any(|line| line.contains('\n')) {
            return Err(D::Error::custom("a line of a reply holds a line break"));
        }
        Self::new(code, status, lines.join("\n")).map_err(D::Error::custom)
    }
}

/// As the reply that it is.
impl Serialize for Rejection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reply().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rejection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Reply::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The lines of the list.
impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines())
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_lines(Vec::<String>::deserialize(deserializer)?.iter().map(String::as_str))
            .map_err(D::Error::custom)
    }
}
