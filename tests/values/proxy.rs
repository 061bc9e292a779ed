//! The header of the PROXY protocol: what is read, what is refused, and that both directions
//! agree.

use esmtp::proxy::{ClientTls, Header, MAX_OCTETS, ProxyError};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Returns a header of version 2.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

const INET: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x0F, 0xA0, 0, 25];

fn inet_with(values: &[u8]) -> Result<Option<(Header, usize)>, ProxyError> {
    Header::parse(&binary(0x21, 0x11, &[&INET, values].concat()))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Reads a header: whole, with octets after it, and not before it is whole.
fn read(octets: &[u8]) -> Header {
    let (header, length) = Header::parse(octets).unwrap().unwrap();
    assert_eq!(length, octets.len());
    let followed = [octets, b"EHLO x\r\n"].concat();
    assert_eq!(Header::parse(&followed).unwrap().unwrap(), (header.clone(), length));
    for end in 0..octets.len() {
        assert_eq!(Header::parse(&octets[..end]), Ok(None), "{}", octets[..end].escape_ascii());
    }
    header
}

#[test]
fn lines_of_version_1_are_read() {
    for (line, source, destination) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.1 4000 25", "192.0.2.1:4000", "198.51.100.1:25"),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
            "255.255.255.255:65535",
            "255.255.255.255:65535",
        ),
        ("PROXY TCP6 2001:DB8::1 ::1 0 25", "[2001:db8::1]:0", "[::1]:25"),
    ] {
        let header = read(format!("{line}\r\n").as_bytes());
        assert_eq!(header.source(), Some(address(source)), "{line}");
        assert_eq!(header.destination(), Some(address(destination)), "{line}");
        assert!(!header.is_local());
    }
    for line in ["PROXY UNKNOWN", "PROXY UNKNOWN ", "PROXY UNKNOWN ffff:f...f 65535 \u{e9}"] {
        let header = read(format!("{line}\r\n").as_bytes());
        assert_eq!((header.source(), header.is_local()), (None, false), "{line}");
    }
    // The longest line that the specification foresees.
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
    assert_eq!(line.len(), 107);
    read(line.as_bytes());
}

#[test]
fn malformed_lines_of_version_1_are_refused() {
    for line in [
        "PROXY \r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.1 4000 25\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 4000 25\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 4000 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25 26\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 4000 25\r\n",
        "PROXY TCP4 192.0.2 198.51.100.1 4000 25\r\n",
        "PROXY TCP4 2001:db8::1 198.51.100.1 4000 25\r\n",
        "PROXY TCP4 ::1 ::1 4000 25\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 4000 25\r\n",
        "PROXY TCP6 fe80::1%1 ::1 4000 25\r\n",
        "PROXY TCP6 [::1] [::1] 4000 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 04000 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 00 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +4000 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\r\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\0\r\n",
        "PROXY TCP4 192.0.2.1\t198.51.100.1 4000 25\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN \n\r\n",
    ] {
        assert_eq!(Header::parse(line.as_bytes()), Err(ProxyError::Line), "{line:?}");
    }
}

#[test]
fn a_line_without_an_end_is_too_long_and_not_waited_for() {
    let endless = [&b"PROXY UNKNOWN "[..], &[b'a'; 200]].concat();
    assert_eq!(Header::parse(&endless[..106]), Ok(None));
    assert_eq!(Header::parse(&endless[..107]), Err(ProxyError::TooLong));
    let one_more = [&endless[..106], b"\r\n"].concat();
    assert_eq!(Header::parse(&one_more[..107]), Ok(None));
    assert_eq!(Header::parse(&one_more), Err(ProxyError::TooLong));
}

#[test]
fn nothing_comes_before_the_header() {
    for octets in [
        &b"EHLO proxy\r\n"[..],
        b" PROXY UNKNOWN\r\n",
        b"\r\nPROXY UNKNOWN\r\n",
        b"proxy UNKNOWN\r\n",
        b"\x16\x03\x01",
        b"PROXY\r\n",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\0",
    ] {
        assert_eq!(Header::parse(octets), Err(ProxyError::NoHeader), "{}", octets.escape_ascii());
    }
    assert_eq!(Header::parse(b""), Ok(None));
}

#[test]
fn headers_of_version_2_are_read() {
    let header = read(&binary(0x21, 0x11, &INET));
    assert_eq!(header.source(), Some(address("192.0.2.1:4000")));
    assert_eq!(header.destination(), Some(address("198.51.100.1:25")));

    let mut block = [0; 36];
    (block[15], block[31], block[33], block[35]) = (1, 2, 3, 4);
    let header = read(&binary(0x21, 0x21, &block));
    assert_eq!(header.source(), Some(address("[::1]:3")));
    assert_eq!(header.destination(), Some(address("[::2]:4")));

    let header = read(&binary(0x21, 0x31, &[b'/'; 216]));
    assert_eq!((header.source(), header.destination()), (None, None));
    assert!(!header.is_local());
}

#[test]
fn of_a_local_or_unspecified_connection_the_block_is_skipped() {
    for (command, family, is_local) in
        [(0x20, 0x00, true), (0x20, 0x11, true), (0x20, 0xFF, true), (0x21, 0x00, false)]
    {
        for block in [&b""[..], b"whatever it is"] {
            let header = read(&binary(command, family, block));
            assert_eq!((header.source(), header.is_local()), (None, is_local));
            assert_eq!(header.values().count(), 0);
        }
    }
}

#[test]
fn malformed_headers_of_version_2_are_refused_at_the_octet_where_they_are() {
    for (command, family, length, error) in [
        (0x11, 0x11, 12, ProxyError::Version),
        (0x01, 0x11, 12, ProxyError::Version),
        (0x31, 0x11, 12, ProxyError::Version),
        (0x22, 0x11, 12, ProxyError::Command),
        (0x2F, 0x11, 12, ProxyError::Command),
        (0x21, 0x12, 12, ProxyError::Family), // datagrams carry no SMTP
        (0x21, 0x10, 12, ProxyError::Family),
        (0x21, 0x41, 12, ProxyError::Family),
        (0x21, 0x01, 12, ProxyError::Family),
        (0x21, 0x11, 4081, ProxyError::TooLong),
        (0x20, 0x00, 65535, ProxyError::TooLong),
    ] {
        let octets = [SIGNATURE, &[command, family], &u16::to_be_bytes(length)].concat();
        assert_eq!(Header::parse(&octets), Err(error), "{command:x} {family:x} {length}");
    }
    for (family, length) in [(0x11, 0), (0x11, 11), (0x21, 35), (0x21, 12), (0x31, 215)] {
        let octets = binary(0x21, family, &vec![0; length]);
        assert_eq!(Header::parse(&octets), Err(ProxyError::Addresses), "{family:x} {length}");
    }
}

#[test]
fn malformed_values_are_refused() {
    for values in [
        &[0x04][..],
        &[0x04, 0],
        &[0x04, 0, 1],
        &[0x04, 0, 0, 9],
        &[0x02, 0, 1, 0xFF],                         // a name that is not UTF-8
        &[0x02, 0, 2, b'a', b'\n'],                  // or would forge a line
        &[0x02, 0, 1, b'a', 0x02, 0, 1, b'b'],       // twice
        &[0x03, 0, 3, 0, 0, 0],                      // a checksum of three octets
        &[0x20, 0, 4, 0, 0, 0, 0],                   // TLS cut short
        &[0x20, 0, 7, 1, 0, 0, 0, 0, 0x21, 0],       // a value in it cut short
        &[0x20, 0, 9, 1, 0, 0, 0, 0, 0x22, 0, 1, 7], // an invalid name
    ] {
        assert_eq!(inet_with(values), Err(ProxyError::Value), "{values:?}");
    }
    let unique = [&[0x05, 0, 129][..], &[1; 129]].concat();
    assert_eq!(inet_with(&unique), Err(ProxyError::Value));
    assert!(inet_with(&[0x04, 0, 0, 0xEE, 0, 1, 7, 0xEE, 0, 0]).unwrap().is_some());
}

#[test]
fn the_tls_properties_known_to_the_proxy_are_returned() {
    let version = [&[0x21, 0, 7][..], b"TLSv1.3"].concat();
    for (flags, verify, is_tls, has_certificate, is_verified) in [
        (0, 1, false, false, false),
        (1, 0, true, false, false), // nothing was there to verify
        (3, 0, true, true, true),
        (5, 0, true, true, true),
        (3, 1, true, true, false),
    ] {
        let value = [&[flags, 0, 0, 0, verify][..], &version].concat();
        let values = [&[0x20, 0, value.len() as u8][..], &value].concat();
        let (header, _) = inet_with(&values).unwrap().unwrap();
        let tls = header.tls().unwrap();
        let seen = (tls.is_tls(), tls.has_certificate(), tls.is_verified(), tls.version());
        assert_eq!(seen, (is_tls, has_certificate, is_verified, Some("TLSv1.3")));
        assert_eq!(header.security().is_tls(), is_tls);
        assert_eq!(header.security().version(), is_tls.then_some("TLSv1.3"));
    }
}

#[test]
fn a_wrong_checksum_is_refused_wherever_the_header_was_changed() {
    let header = Header::proxied(address("192.0.2.1:4000"), address("198.51.100.1:25"))
        .unwrap()
        .with_value(0xE0, b"ours")
        .unwrap()
        .with_checksum();
    let mut octets = Vec::new();
    header.encode_v2(&mut octets);
    assert_eq!(Header::parse(&octets).unwrap().unwrap().0, header);
    for at in (16..28).chain([31, 32, octets.len() - 1]) {
        let mut changed = octets.clone();
        changed[at] ^= 0x10;
        assert_eq!(Header::parse(&changed), Err(ProxyError::Checksum), "octet {at}");
    }
}

#[test]
fn what_has_no_place_in_a_header_is_not_put_there() {
    let (four, six) = (address("192.0.2.1:1"), address("[::1]:1"));
    assert_eq!(Header::proxied(four, six), Err(ProxyError::Addresses));
    assert_eq!(Header::local().with_authority("a"), Err(ProxyError::Value));
    let header = Header::proxied(four, four).unwrap();
    assert_eq!(header.clone().with_authority("a\r\nb"), Err(ProxyError::Value));
    assert_eq!(header.clone().with_value(3, &[0; 4]), Err(ProxyError::Value));
    assert_eq!(header.with_value(0xE0, &[0; 4000]), Err(ProxyError::TooLong));
    assert_eq!(Header::local().with_checksum(), Header::local());
}

fn addresses() -> impl Strategy<Value = Header> {
    let four = any::<[[u8; 4]; 2]>().prop_map(|ip| ip.map(|ip| IpAddr::V4(Ipv4Addr::from(ip))));
    let six = any::<[[u8; 16]; 2]>().prop_map(|ip| ip.map(|ip| IpAddr::V6(Ipv6Addr::from(ip))));
    (prop_oneof![four, six], any::<[u16; 2]>()).prop_map(|([source, destination], [from, to])| {
        Header::proxied((source, from).into(), (destination, to).into()).unwrap()
    })
}

fn headers() -> impl Strategy<Value = Header> {
    let values = proptest::collection::vec((0xE0u8..=0xEF, any::<Vec<u8>>()), 0..4);
    let tls = (
        any::<[bool; 3]>(),
        proptest::option::of("[ -~]{0,20}"),
        proptest::option::of("\\PC{0,9}"),
    );
    let full = (
        addresses(),
        values,
        proptest::option::of("[a-z.]{0,40}"),
        proptest::option::of(tls),
        any::<bool>(),
    )
        .prop_map(|(mut header, values, name, tls, has_checksum)| {
            for (kind, value) in values {
                header = header.with_value(kind, &value).unwrap();
            }
            if let Some(name) = name {
                header = header.with_authority(&name).unwrap();
            }
            if let Some(([is_tls, has_certificate, is_verified], version, common_name)) = &tls {
                let mut tls = if *is_tls { ClientTls::new() } else { ClientTls::CLEAR };
                if *has_certificate {
                    tls = tls.with_certificate();
                }
                if *has_certificate && *is_verified {
                    tls = tls.with_verified_certificate();
                }
                if let Some(version) = version {
                    tls = tls.with_version(version);
                }
                if let Some(name) = common_name {
                    tls = tls.with_common_name(name);
                }
                header = header.with_tls(&tls).unwrap();
                assert_eq!(header.tls(), Some(tls));
            }
            if has_checksum { header.with_checksum() } else { header }
        });
    prop_oneof![1 => Just(Header::local()), 1 => Just(Header::unknown()), 8 => full]
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_again_in_version_2(header in headers()) {
        let mut octets = Vec::new();
        header.encode_v2(&mut octets);
        prop_assert_eq!(read(&octets), header);
    }

    #[test]
    fn what_is_encoded_is_read_again_in_version_1(header in addresses()) {
        let mut octets = Vec::new();
        header.encode_v1(&mut octets);
        prop_assert_eq!(read(&octets), header);
    }

    /// A refused header stays refused, a header that was read stays read, and there is always an answer
    /// in the end.
    #[test]
    fn further_octets_change_no_answer(
        beginning in proptest::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 1.1.1.1 ", b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0D"]),
        octets in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let octets = [beginning, &octets, &[b'0'; MAX_OCTETS]].concat();
        let mut answer = Ok(None);
        for end in (0..200).chain([octets.len()]) {
            let now = Header::parse(&octets[..end]);
            if answer != Ok(None) {
                prop_assert_eq!(&now, &answer);
            }
            answer = now;
        }
        prop_assert_ne!(answer, Ok(None));
    }
}
