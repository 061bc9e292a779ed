//! Any line: no panic; what parses is encoded as one line that means the same.
//!
//! Input: a line without its CRLF.

#![no_main]

use esmtp::syntax::{Class, Command, Lenience, Verb};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = Verb::of(line);
    match Command::parse(line, Lenience::default()) {
        Ok(command) => {
            let mut octets = Vec::new();
            command.encode(&mut octets);
            let encoded = octets.strip_suffix(b"\r\n").expect("a line ends with CRLF");
            assert!(!encoded.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "injection");
            let again = Command::parse(encoded, Lenience::default()).expect("what we say is right");
            assert_eq!(again, command);
            assert_eq!(again.verb(), command.verb());
            assert_eq!(command.clone().into_owned(), command);
        }
        Err(error) => {
            assert!(error.offset() <= line.len());
            assert_eq!(error.code().class(), Class::Permanent);
            let _ = error.to_string();
        }
    }
});
