//! The PROXY header: no input panics, more octets change no answer, and what is read is written
//! and read again as the same.

#![no_main]

use esmtp::proxy::{Header, MAX_OCTETS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let parsed = Header::parse(octets);
    let half = Header::parse(&octets[..octets.len() / 2]);
    assert!(half == Ok(None) || half == parsed, "{half:?}, then {parsed:?}");
    if octets.len() >= MAX_OCTETS {
        assert_ne!(parsed, Ok(None), "waits for more than there may be");
    }
    let Ok(Some((header, length))) = parsed else { return };
    assert!(length <= octets.len() && length <= MAX_OCTETS);
    let _ = (header.authority(), header.tls(), header.security(), header.values().count());

    let mut encoded = Vec::new();
    header.encode_v2(&mut encoded);
    let again = Header::parse(&encoded).expect("a header").expect("a whole one");
    assert_eq!(again, (header.clone(), encoded.len()));

    encoded.clear();
    header.encode_v1(&mut encoded);
    let (again, length) = Header::parse(&encoded).expect("a header").expect("a whole one");
    assert_eq!((again.source(), again.destination()), (header.source(), header.destination()));
    assert_eq!(length, encoded.len());
});
