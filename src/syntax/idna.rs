//! Domains to A-labels and back (RFC 5890, RFC 5891; UTS #46 without transitional processing).

use alloc::borrow::Cow;
use alloc::string::String;

use ::idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Domain, Host, Mailbox, SyntaxError, SyntaxErrorKind};

impl Domain<'_> {
    /// Returns the domain with A-labels, for the DNS and for servers without SMTPUTF8 (RFC 6531 section 3.2).
    ///
    /// ```
    /// use esmtp::syntax::Domain;
    ///
    /// let domain = Domain::new("bücher.example")?;
    /// assert_eq!(domain.to_ascii()?.as_str(), "xn--bcher-kva.example");
    /// assert_eq!(domain.to_ascii()?.to_unicode().as_str(), "bücher.example");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::Host`] when a label is not a U-label, [`SyntaxErrorKind::DomainTooLong`] when the result is
    /// too long.
    pub fn to_ascii(&self) -> Result<Domain<'static>, SyntaxError> {
        if self.is_ascii() {
            // Nothing to do, and names that IDNA would refuse (`r3---sn.example`) are in use.
            return Ok(self.as_borrowed().into_owned());
        }
        let name = Uts46::new().to_ascii(
            self.as_str().as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        );
        match name {
            Ok(name) => Domain::new(String::from(name)),
            Err(_) => Err(SyntaxError::new(SyntaxErrorKind::Host, 0)),
        }
    }

    /// Returns the domain with U-labels in place of the A-labels that stand for them; other labels stay as they are.
    #[must_use]
    pub fn to_unicode(&self) -> Domain<'static> {
        let (name, result) = Uts46::new().to_unicode(
            self.as_str().as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
        );
        let name: Option<Cow<'_, str>> = result.ok().map(|()| name);
        name.and_then(|name| Domain::new(String::from(name)).ok())
            .unwrap_or_else(|| self.as_borrowed().into_owned())
    }
}

impl Host<'_> {
    /// Returns the host with A-labels; an address literal stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`Domain::to_ascii`].
    pub fn to_ascii(&self) -> Result<Host<'static>, SyntaxError> {
        match self {
            Self::Domain(domain) => Ok(Host::Domain(domain.to_ascii()?)),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::General(_) => Ok(self.as_borrowed().into_owned()),
        }
    }
}

impl Mailbox<'_> {
    /// Returns the mailbox with A-labels, for a server without SMTPUTF8.
    ///
    /// # Errors
    ///
    /// [`SyntaxErrorKind::NonAscii`] when the local-part is not ASCII, for which there is no other form; else as for
    /// [`Domain::to_ascii`].
    pub fn to_ascii(&self) -> Result<Mailbox<'static>, SyntaxError> {
        if !self.local_part().is_ascii() {
            return Err(SyntaxError::new(SyntaxErrorKind::NonAscii, 0));
        }
        Ok(Mailbox::new(self.local_part().as_borrowed().into_owned(), self.host().to_ascii()?))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn domains_are_converted_both_ways() {
        for (unicode, ascii) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("例え.jp", "xn--r8jz45g.jp"),
            ("straße.example", "xn--strae-oqa.example"),
        ] {
            let domain = Domain::new(unicode).unwrap().to_ascii().unwrap();
            assert_eq!(domain.as_str(), ascii);
            assert_eq!(domain.to_unicode().as_str(), unicode.to_lowercase());
        }
        for ascii in ["example.org", "Example.ORG", "r3---sn.example", "a--b.c"] {
            assert_eq!(Domain::new(ascii).unwrap().to_ascii().unwrap().as_str(), ascii);
        }
        for invalid in ["\u{a0}.example", "a\u{fffd}b.example", "\u{301}.example"] {
            assert!(Domain::new(invalid).unwrap().to_ascii().is_err(), "{invalid:?}");
        }
        // Not an A-label, whatever it looks like.
        assert_eq!(Domain::new("xn--a.example").unwrap().to_unicode().as_str(), "xn--a.example");
    }

    #[test]
    fn a_mailbox_needs_an_ascii_local_part() {
        let mailbox = Mailbox::parse("ann@bücher.example").unwrap();
        assert_eq!(mailbox.to_ascii().unwrap().to_string(), "ann@xn--bcher-kva.example");
        let error = Mailbox::parse("grüße@bücher.example").unwrap().to_ascii().unwrap_err();
        assert_eq!(error.kind(), SyntaxErrorKind::NonAscii);
        assert_eq!(
            Mailbox::parse("a@[IPv6:::1]").unwrap().to_ascii().unwrap().to_string(),
            "a@[IPv6:::1]"
        );
    }
}
