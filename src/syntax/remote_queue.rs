//! What ETRN, ATRN and BURL name.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use super::grammar::{Tolerance, VISIBLE, is_all, whole};
use super::host::domain;
use super::text_value::text_value;
use super::{Domain, SyntaxError, SyntaxErrorKind};

/// Rejects a domain with U-labels: no extension allows them in these commands.
fn ascii(domain: Domain<'_>) -> Result<Domain<'_>, SyntaxError> {
    match domain.is_ascii() {
        true => Ok(domain),
        false => Err(SyntaxError::new(SyntaxErrorKind::Host, 0)),
    }
}

/// The node whose queue ETRN starts (RFC 1985 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Node<'a> {
    /// `example.org`: mail for this host.
    Domain(Domain<'a>),
    /// `@example.org`: mail for this domain and all below it.
    Subdomains(Domain<'a>),
    /// `#name`: a queue by its name.
    Queue(QueueName<'a>),
}

/// The name of a queue: visible ASCII (RFC 1985 section 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueName<'a>(Cow<'a, str>);

impl<'a> QueueName<'a> {
    /// Checks and keeps a name.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Argument`] when it is empty, or not visible ASCII.
    pub fn new(name: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let name = name.into();
        match is_all(&name, VISIBLE) {
            true => Ok(Self(name)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Argument, 0)),
        }
    }
}

text_value!(QueueName, QueueName::new);

impl<'a> Node<'a> {
    /// Parses the argument of `ETRN [<option character>]<node name>` (RFC 1985 section 5).
    pub(crate) fn parse(input: &'a str, tolerance: &Tolerance) -> Result<Self, SyntaxError> {
        let name = |input: &'a str| {
            let found = whole(input, SyntaxErrorKind::Host, |input| domain(input, tolerance))?;
            ascii(found)
        };
        match input.as_bytes().first() {
            Some(b'@') => {
                let domain =
                    name(input.get(1..).unwrap_or_default()).map_err(|error| error.behind(1))?;
                Ok(Self::Subdomains(domain))
            }
            Some(b'#') => {
                let queue = QueueName::new(input.get(1..).unwrap_or_default())
                    .map_err(|error| error.behind(1))?;
                Ok(Self::Queue(queue))
            }
            _ => Ok(Self::Domain(name(input)?)),
        }
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Node<'static> {
        match self {
            Self::Domain(domain) => Node::Domain(domain.into_owned()),
            Self::Subdomains(domain) => Node::Subdomains(domain.into_owned()),
            Self::Queue(name) => Node::Queue(QueueName(Cow::Owned(name.0.into_owned()))),
        }
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => write!(f, "{domain}"),
            Self::Subdomains(domain) => write!(f, "@{domain}"),
            Self::Queue(name) => write!(f, "#{}", name.as_str()),
        }
    }
}

/// Domains whose mail ATRN asks for; at least one (RFC 2645 section 5.2.1).
#[derive(Clone, Debug)]
pub struct DomainList<'a>(Cow<'a, str>);

impl<'a> DomainList<'a> {
    /// Makes a list of one domain; [`with_domain`](Self::with_domain) adds more.
    #[must_use]
    pub fn new(domain: &Domain<'_>) -> DomainList<'static> {
        DomainList(Cow::Owned(String::from(domain.as_str())))
    }

    /// Adds a domain.
    #[must_use]
    pub fn with_domain(self, domain: &Domain<'_>) -> DomainList<'static> {
        let mut list = self.0.into_owned();
        list.push(',');
        list.push_str(domain.as_str());
        DomainList(Cow::Owned(list))
    }

    /// Parses `"ATRN" [SP domain *("," domain)]`                       RFC 2645 section 5.2.1
    pub(crate) fn parse(input: &'a str) -> Result<Self, SyntaxError> {
        let mut at = 0;
        for name in input.split(',') {
            Domain::new(name).and_then(ascii).map_err(|error| error.behind(at))?;
            at += name.len() + 1;
        }
        Ok(Self(Cow::Borrowed(input)))
    }

    /// Iterates over the domains in order.
    pub fn iter(&self) -> impl Iterator<Item = Domain<'_>> {
        self.0.split(',').map(Domain::from_valid)
    }
}

text_value!(methods DomainList);
text_value!(shown DomainList);
text_value!(read DomainList, DomainList::parse);

impl PartialEq for DomainList<'_> {
    fn eq(&self, other: &DomainList<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for DomainList<'_> {}

impl core::hash::Hash for DomainList<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.iter().for_each(|domain| domain.hash(state));
    }
}

/// An absolute URI, as BURL takes it (RFC 4468 section 3, RFC 3986 section 4.3).
///
/// The URI may grant access to the content that it names (RFC 4467 section 9), so only its scheme appears in `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri<'a>(Cow<'a, str>);

impl<'a> Uri<'a> {
    /// Checks and keeps a URI.
    ///
    /// ```text
    /// absolute-URI = scheme ":" hier-part [ "?" query ]        RFC 3986 section 4.3
    /// scheme       = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
    /// ```
    ///
    /// After the scheme, only the characters are checked: those of URIs, and `%` with two hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Uri`].
    pub fn new(uri: impl Into<Cow<'a, str>>) -> Result<Self, SyntaxError> {
        let uri = uri.into();
        match is_uri(&uri) {
            true => Ok(Self(uri)),
            false => Err(SyntaxError::new(SyntaxErrorKind::Uri, 0)),
        }
    }

    /// Returns the scheme: the text before the first colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

text_value!(Uri, Uri::new);

fn is_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    let mut octets = rest.bytes();
    let mut is_rest = !rest.is_empty();
    while let Some(octet) = octets.next() {
        is_rest &= match octet {
            b'%' => {
                let mut is_digit = || octets.next().is_some_and(|octet| octet.is_ascii_hexdigit());
                is_digit() && is_digit()
            }
            _ => octet.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&octet),
        };
    }
    is_scheme && is_rest
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({}:, {} octets)", self.scheme(), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::syntax::Command;

    /// 1985-5-a
    #[test]
    fn a_node_is_a_domain_its_subdomains_or_a_queue() {
        let parse = |input| Node::parse(input, &Tolerance::none());
        for input in ["example.org", "@example.org", "#q1"] {
            assert_eq!(parse(input).unwrap().to_string(), input);
        }
        for (input, offset) in [
            ("", 0),
            ("@", 1),
            ("#", 1),
            ("a b", 1),
            ("@a_b", 2),
            ("#a b", 1),
            ("-a", 0),
            ("!a", 0),
        ] {
            assert_eq!(parse(input).unwrap_err().offset(), offset, "{input}");
        }
    }

    /// 2645-5.2-a
    #[test]
    fn a_list_of_domains_has_commas() {
        let list = DomainList::parse("a.example,B.example").unwrap();
        let made = DomainList::new(&Domain::new("A.example").unwrap())
            .with_domain(&Domain::new("b.example").unwrap());
        assert_eq!(list, made);
        for (input, offset) in
            [("", 0), ("a.example,", 10), ("a.example b.example", 9), (",a", 0), ("a,,b", 2)]
        {
            assert_eq!(DomainList::parse(input).unwrap_err().offset(), offset, "{input}");
        }
    }

    /// 4468-3-b
    #[test]
    fn a_uri_has_a_scheme() {
        for uri in
            ["imap://u@h.example/x;uid=1;urlauth=submit+u:internal:ab12", "a:b", "http://h/%20?q"]
        {
            assert_eq!(Uri::new(uri).unwrap().as_str(), uri);
        }
        for uri in [
            "", "LAST", ":a", "1a:b", "a:", "a:b c", "a:%2", "a:%zz", "a:b#c", "a:<b>", "a:ü",
            "a:b\r\n",
        ] {
            assert_eq!(Uri::new(uri).unwrap_err().kind(), SyntaxErrorKind::Uri, "{uri}");
        }
    }

    #[test]
    fn what_a_uri_opens_is_not_shown() {
        let uri =
            Uri::new("imap://ann:pw@h.example/;uid=1;urlauth=anonymous:internal:ab12").unwrap();
        assert_eq!(alloc::format!("{uri:?}"), "Uri(imap:, 62 octets)");
        let command = Command::Burl { uri, last: true };
        assert!(!alloc::format!("{command:?}").contains("ab12"));
    }
}
