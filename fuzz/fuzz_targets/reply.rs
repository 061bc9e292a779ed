//! Any octets: no panic; a reply is whole exactly once; what parses is encoded as a reply that
//! means the same.
//!
//! Input: what a server says.

#![no_main]

use esmtp::syntax::{Code, Reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(Some((reply, taken))) = Reply::parse(octets) else { return };
    assert!(taken <= octets.len() && octets[..taken].ends_with(b"\r\n"));
    // the fewer octets have arrived, the less is known: never another reply, never too early
    for arrived in 0..taken.min(600) {
        if let Ok(Some((_, early))) = Reply::parse(&octets[..arrived]) {
            panic!("a reply of {early} octets within one of {taken}");
        }
    }
    // a challenge of AUTH is one line of its own length (RFC 4954 section 4)
    let longest = if reply.code() == Code::AUTH_CHALLENGE { usize::MAX } else { 512 };
    let mut encoded = Vec::new();
    reply.encode(&mut encoded);
    for line in encoded.split_inclusive(|octet| *octet == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= longest, "{}", line.escape_ascii());
        assert!(!line[..line.len() - 2].contains(&b'\r') && !line.contains(&0));
    }
    let (again, all) = Reply::parse(&encoded).expect("right").expect("whole");
    assert_eq!(all, encoded.len());
    assert_eq!((again.code(), again.status()), (reply.code(), reply.status()));
    let mut twice = Vec::new();
    again.encode(&mut twice);
    assert_eq!(twice, encoded, "encoding is stable");
    assert!(!reply.to_string().chars().any(char::is_control));
});
