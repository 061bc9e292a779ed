//! Any line: no panic; what parses is encoded as one line that means the same, whatever is tolerated; what does not gets a
//! negative reply of the registry.
//!
//! Input: a line without its CRLF.

#![no_main]

use esmtp::syntax::{AuthResponse, Command, Extension, Extensions, Lenience, Verb};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = Verb::of(line);
    for lenience in [Lenience::STRICT, Lenience::default(), Lenience::ALL] {
        match Command::parse_with(line, lenience) {
            Ok(parsed) => check(parsed.command(), parsed.used(), lenience),
            Err(error) => {
                assert!(error.offset() <= line.len());
                assert!(error.code().is_permanent() && error.status().goes_with(error.code()));
                assert!(!error.to_string().bytes().any(|octet| octet.is_ascii_control()));
            }
        }
    }
    if let Ok(response) = AuthResponse::parse(line) {
        let mut octets = Vec::new();
        response.encode(&mut octets);
        assert_eq!(octets.strip_suffix(b"\r\n"), Some(line));
    }
});

fn check(command: &Command<'_>, used: Lenience, lenience: Lenience) {
    assert!(used.names().all(|name| lenience.names().any(|allowed| allowed == name)));
    let mut octets = Vec::new();
    command.encode(&mut octets);
    let encoded = octets.strip_suffix(b"\r\n").expect("a line ends with CRLF");
    assert!(!encoded.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "injection");
    // A deviation that was tolerated once is tolerated again.
    let again = Command::parse(encoded, lenience).expect("what we say is right");
    assert_eq!(&again, command);
    assert_eq!(again.verb(), command.verb());
    assert_eq!(&command.clone().into_owned(), command);
    let mut twice = Vec::new();
    again.encode(&mut twice);
    assert_eq!(twice, octets, "encoding is stable");

    let all: Extensions = Extension::ALL.iter().copied().collect();
    let mut within = Vec::new();
    match command.encode_within(&all, &mut within) {
        Ok(()) => assert_eq!(within, octets),
        Err(error) => assert!(within.is_empty() && error.octets() > error.limit()),
    }
}
