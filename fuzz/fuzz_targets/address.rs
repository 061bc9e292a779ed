//! Any text as an address: no panic; what is read is written as something that means the same, in the shortest form.
//!
//! Input: a path, a mailbox, a host, a domain, or a local-part.

#![no_main]

use esmtp::syntax::{
    Domain, ForwardPath, HelloName, Host, Lenience, LocalPart, Mailbox, ReversePath,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for lenience in [Lenience::STRICT, Lenience::default(), Lenience::ALL] {
        check(text, lenience);
    }
    if let Ok(made) = LocalPart::from_unquoted(text) {
        assert_eq!(made.unquoted(), text);
        assert_eq!(LocalPart::parse(made.as_str()).as_ref(), Ok(&made));
    }
    if let Ok(domain) = Domain::new(text) {
        assert!(text.len() <= 255 || !domain.is_ascii());
        assert!(domain.labels().all(|label| !label.is_empty()));
    }
    if let Ok(name) = HelloName::new(text) {
        assert_eq!(HelloName::new(&name.to_string()).as_ref(), Ok(&name));
        assert!(!name.text().chars().any(char::is_control));
    }
});

/// Checks that a value read with these deviations is written in a form that has the same meaning with them.
fn check(text: &str, lenience: Lenience) {
    if let Ok(local_part) = LocalPart::parse_with(text, lenience) {
        let shortest = local_part.to_string();
        assert!(shortest.len() <= text.len());
        let again = LocalPart::parse_with(&shortest, lenience).expect("what we say is right");
        assert_eq!(again, local_part);
        assert_eq!(again.to_string(), shortest);
    }
    if let Ok(host) = Host::parse_with(text, lenience) {
        assert_eq!(Host::parse_with(&host.to_string(), lenience).as_ref(), Ok(&host));
        assert_eq!(host.clone().into_owned(), host);
    }
    match Mailbox::parse_with(text, lenience) {
        Ok(mailbox) => {
            let written = mailbox.to_string();
            assert_eq!(Mailbox::parse_with(&written, lenience).as_ref(), Ok(&mailbox));
            let lenience = lenience.with_long_path();
            let path = format!("<{mailbox}>");
            let path = ReversePath::parse_with(&path, lenience).expect("a path in brackets");
            assert_eq!(path.mailbox(), Some(&mailbox));
        }
        Err(error) => assert!(error.offset() <= text.len() && !error.reason().is_empty()),
    }
    if let Ok(path) = ReversePath::parse_with(text, lenience) {
        assert_eq!(ReversePath::parse_with(&path.to_string(), lenience).as_ref(), Ok(&path));
    }
    if let Ok(path) = ForwardPath::parse_with(text, lenience) {
        assert_eq!(ForwardPath::parse_with(&path.to_string(), lenience).as_ref(), Ok(&path));
        assert!(lenience.has_long_path() || path.to_string().len() <= 256);
    }
}
