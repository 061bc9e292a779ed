//! Reading a PROXY header, and no octet after it.

use crate::proxy::{Header, ProxyError};
use alloc::vec::Vec;

/// The octets of a header so far.
#[derive(Debug, Default)]
pub(in crate::io) struct HeaderReader {
    octets: Vec<u8>,
    /// The number of octets at the front that were read; zeroes to read into follow them.
    filled: usize,
}

/// The shortest header: `PROXY UNKNOWN` and its CRLF.
const SHORTEST: usize = 15;
/// The fixed part of version 2, with the length of the rest at its end.
const FIXED: usize = 16;

impl HeaderReader {
    /// Returns the space for octets that belong to the header for certain.
    pub(in crate::io) fn room(&mut self) -> &mut [u8] {
        let missing = missing(self.octets.get(..self.filled).unwrap_or_default());
        self.octets.resize(self.filled.saturating_add(missing), 0);
        self.octets.get_mut(self.filled..).unwrap_or_default()
    }

    /// Records that this many octets were read into the front of [`room`](Self::room); returns the
    /// header when it is complete.
    ///
    /// # Errors
    ///
    /// As soon as the octets are no beginning of a header.
    pub(in crate::io) fn filled(&mut self, octets: usize) -> Result<Option<Header>, ProxyError> {
        self.filled = self.filled.saturating_add(octets).min(self.octets.len());
        let octets = self.octets.get(..self.filled).unwrap_or_default();
        Ok(Header::parse(octets)?.map(|(header, _)| header))
    }
}

/// Returns the number of octets that an incomplete header lacks at least.
fn missing(octets: &[u8]) -> usize {
    let length = octets.len();
    if length < SHORTEST {
        return SHORTEST - length;
    }
    match octets {
        [b'P', .., b'\r'] => 1,
        [b'P', ..] => 2,
        [.., high, low] if length >= FIXED => {
            // The two octets are at the end only when the fixed part is complete.
            let rest = octets.get(FIXED - 2..FIXED);
            let rest = rest.and_then(|rest| rest.try_into().ok()).unwrap_or([*high, *low]);
            (FIXED + usize::from(u16::from_be_bytes(rest))).saturating_sub(length).max(1)
        }
        _ => FIXED - length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn read(mut stream: &[u8], piece: usize) -> Result<(Header, usize), Option<ProxyError>> {
        let whole = stream.len();
        let mut reader = HeaderReader::default();
        loop {
            let room = reader.room();
            let octets = room.len().min(piece).min(stream.len());
            if octets == 0 {
                return Err(None);
            }
            let (front, rest) = stream.split_at(octets);
            room[..octets].copy_from_slice(front);
            stream = rest;
            if let Some(header) = reader.filled(octets).map_err(Some)? {
                return Ok((header, whole - stream.len()));
            }
        }
    }

    #[test]
    fn a_header_is_read_and_not_one_octet_more() {
        let proxied =
            Header::proxied("192.0.2.1:4000".parse().unwrap(), "198.51.100.1:25".parse().unwrap());
        let long = proxied.clone().unwrap().with_authority("mx.example.org").unwrap();
        let six = Header::proxied("[::1]:1".parse().unwrap(), "[::2]:25".parse().unwrap());
        let headers = [
            Header::unknown(),
            Header::local(),
            proxied.unwrap(),
            six.unwrap(),
            long.with_checksum(),
        ];
        for header in headers {
            let (mut first, mut second) = (vec![], vec![]);
            header.encode_v1(&mut first);
            header.encode_v2(&mut second);
            for octets in [first, second] {
                let stream = [&octets[..], b"EHLO me.example.org\r\n"].concat();
                for piece in 1..=stream.len() {
                    let (read, taken) = read(&stream, piece).unwrap();
                    assert_eq!(
                        (read.source(), taken),
                        (Header::parse(&octets).unwrap().unwrap().0.source(), octets.len())
                    );
                }
                for cut in 0..octets.len() {
                    assert_eq!(read(&octets[..cut], 3), Err(None), "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn another_beginning_is_an_error() {
        for stream in ["EHLO me.example.org\r\n", "PROXY TCP4 nonsense\r\n", "QUIT\r\n"] {
            assert!(matches!(read(stream.as_bytes(), 99), Err(Some(_))), "{stream}");
        }
    }
}
