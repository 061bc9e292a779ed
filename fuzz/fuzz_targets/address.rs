//! Any text as an address: no panic; what is read is written as something that means the same, in the shortest form.
//!
//! Input: a path, a mailbox, a host, a domain, or a local-part.

#![no_main]

use esmtp::syntax::{Domain, ForwardPath, Host, LocalPart, Mailbox, ReversePath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(local_part) = LocalPart::parse(text) {
        let shortest = local_part.to_string();
        assert!(shortest.len() <= text.len());
        let again = LocalPart::parse(&shortest).expect("what we say is right");
        assert_eq!(again, local_part);
        assert_eq!(again.to_string(), shortest);
        assert_eq!(
            LocalPart::from_unquoted(local_part.unquoted()).expect("what it means").as_str(),
            shortest
        );
    }
    if let Ok(made) = LocalPart::from_unquoted(text) {
        assert_eq!(made.unquoted(), text);
        assert_eq!(LocalPart::parse(made.as_str()).as_ref(), Ok(&made));
    }
    if let Ok(domain) = Domain::new(text) {
        assert!(text.len() <= 255 && domain.labels().all(|label| !label.is_empty()));
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()).as_ref(), Ok(&host));
        assert_eq!(host.clone().into_owned(), host);
    }
    if let Ok(mailbox) = Mailbox::parse(text) {
        assert_eq!(Mailbox::parse(&mailbox.to_string()).as_ref(), Ok(&mailbox));
        let path = format!("<{mailbox}>");
        assert_eq!(
            ReversePath::parse(&path).expect("a path has room for it").mailbox(),
            Some(&mailbox)
        );
    }
    if let Ok(path) = ReversePath::parse(text) {
        assert_eq!(ReversePath::parse(&path.to_string()).as_ref(), Ok(&path));
    }
    if let Ok(path) = ForwardPath::parse(text) {
        assert_eq!(ForwardPath::parse(&path.to_string()).as_ref(), Ok(&path));
        assert!(path.to_string().len() <= 256);
    }
});
