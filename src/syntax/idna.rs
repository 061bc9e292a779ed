//! Domains to A-labels and back (RFC 5890, RFC 5891; UTS #46 without transitional processing).

use alloc::borrow::Cow;

use ::idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Returns the name with A-labels; `None` where a label is not a U-label.
pub(super) fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .ok()
}

/// Returns the name with U-labels; `None` where a label that looks like an A-label is not one.
pub(super) fn to_unicode(name: &str) -> Option<Cow<'_, str>> {
    let (name, result) =
        Uts46::new().to_unicode(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    result.ok().map(|()| name)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use crate::syntax::{Domain, Mailbox, SyntaxErrorKind};

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
