//! Mistakes in the values that an application makes of text are named.

use esmtp::{
    Envelope, client, server,
    syntax::{Domain, ForwardPath, Host, Lenience, Mailbox},
};

/// The name of a host, the reason for which it is not one, and the offset.
const HOSTS: [(&str, &str, usize); 13] = [
    ("", "an empty name of a host", 0),
    ("mx.example.net ", "white space in the name of a host", 14),
    (" mx.example.net", "white space in the name of a host", 0),
    ("mx example.net", "white space in the name of a host", 2),
    ("mx.example.net\t", "white space in the name of a host", 14),
    ("mx.example.net\r\n", "a line break", 14),
    ("\nmx.example.net", "a line break", 0),
    ("mx.example.net:25", "a port, which is not part of a host", 14),
    ("localhost:", "a port, which is not part of a host", 9),
    ("mx.example.net.", "a dot after the domain name", 14),
    ("mx_1.example.net", "an underscore in the domain name", 2),
    ("mx!.example.net", "not a domain name", 2),
    ("2001:db8::1", "an IPv6 address without its brackets and its tag: [IPv6:...]", 0),
];

/// Names that a domain cannot be, but a host.
const LITERALS: [(&str, &str, usize); 3] = [
    ("[192.0.2.1]:25", "a port, which is not part of a host", 11),
    ("[192.0.2.1] ", "white space in the name of a host", 11),
    ("[2001:db8::1]", "an IPv6 address literal without its tag: [IPv6:...]", 0),
];

#[test]
fn mistakes_in_the_name_of_a_host_are_named() {
    for (name, reason, offset) in HOSTS.into_iter().chain(LITERALS) {
        let expected = format!("{reason}, at octet {offset}");
        for error in [
            client::Config::new(name).unwrap_err(),
            server::Config::new(name).unwrap_err(),
            Host::parse(name).unwrap_err(),
            Host::of_self(name).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), expected, "{name:?}");
        }
    }
    for (name, reason, offset) in HOSTS {
        let error = Domain::new(name).unwrap_err();
        assert_eq!(error.to_string(), format!("{reason}, at octet {offset}"), "{name:?}");
    }
}

/// RFC 6531 section 3.7.1.
#[test]
fn a_client_and_a_server_name_themselves_in_ascii() {
    let reason = "the name of a host outside ASCII, which needs its A-labels (xn--...), at octet 0";
    let host = Host::parse("b\u{fc}cher.example").unwrap();
    for error in [
        client::Config::new("b\u{fc}cher.example").unwrap_err(),
        client::Config::from_host(host).unwrap_err(),
        server::Config::new("b\u{fc}cher.example").unwrap_err(),
    ] {
        assert_eq!(error.to_string(), reason);
    }
}

#[test]
fn mistakes_in_the_addresses_of_an_envelope_are_named() {
    for (address, reason) in [
        (" ", "a space in the address"),
        ("bob@example.net ", "a space in the address"),
        ("bob@example.net\t", "a space in the address"),
        ("bob@example.net\r\n", "a line break"),
        ("bob\r\n@example.net", "a line break"),
        ("\nbob@example.net", "a line break"),
        ("\"b\nb\"@example.net", "a line break"),
        ("bob@\r\n", "a line break"),
        ("bob@example.net:25", "a port, which is not part of a host"),
        ("bob@[192.0.2.1]:25", "a port, which is not part of a host"),
        ("bob@", "nothing after the @"),
        ("bob@192.0.2.1", "an IPv4 address without its brackets: [192.0.2.1]"),
        ("\"b b\"@192.0.2.1", "an IPv4 address without its brackets: [192.0.2.1]"),
    ] {
        let shown = address.replace('\r', "\\r").replace('\n', "\\n").replace('\t', "\\t");
        let error = Envelope::new("", [address]).unwrap_err();
        assert_eq!(error.to_string(), format!("recipient 0, `{shown}`: {reason}"));
        let error = Envelope::new(address, ["bob@example.net"]).unwrap_err();
        assert_eq!(error.to_string(), format!("reverse-path, `{shown}`: {reason}"));
    }
    assert_eq!(Envelope::new("", ["b@[192.0.2.1]", "b@1.2.3", "b@192.0.2.256"]).unwrap().len(), 3);
    assert_eq!(Envelope::new("", ["bob@192.0.2.1"]).unwrap_err().error().offset(), 4);
}

/// 5321-4.1.2-j: digits and dots are a `Domain` of the grammar, so that RCPT takes them.
#[test]
fn an_address_without_brackets_that_a_server_has_accepted_is_read_back() {
    let path = ForwardPath::parse("<bob@192.0.2.1>").unwrap();
    let mailbox = Mailbox::parse("bob@192.0.2.1").unwrap();
    assert_eq!(mailbox.host(), &Host::Domain(Domain::new("192.0.2.1").unwrap()));
    let envelope = Envelope::new_with("", ["bob@192.0.2.1"], Lenience::default()).unwrap();
    assert_eq!(envelope.forward_paths().next(), Some(&path));
}
