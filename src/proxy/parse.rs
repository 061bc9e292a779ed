//! The parser of headers.

use super::{
    About, ClientTls, FIXED, Header, MAX_OCTETS, MAX_OCTETS_V1, ProxyError, SIGNATURE, TEXT,
    UNIX_ADDRESSES, crc32c, kind,
};
use alloc::vec::Vec;
use core::{
    mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    str::{self, FromStr},
};
use nom::{
    IResult, Parser,
    bytes::{complete, streaming},
    multi::length_data,
    number::complete::{be_u8, be_u16},
};

/// The error of a parser.
#[derive(Debug)]
pub(super) struct Fault(pub(super) ProxyError);

impl<I> nom::error::ParseError<I> for Fault {
    fn from_error_kind(_: I, _: nom::error::ErrorKind) -> Self {
        Self(ProxyError::NoHeader)
    }

    fn append(_: I, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

const fn fault<T>(error: ProxyError) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Failure(Fault(error)))
}

/// Parses version 1 (section 2.1).
///
/// ```text
/// "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP source-port SP destination-port CRLF
/// "PROXY" SP "UNKNOWN" *OCTET CRLF
/// ```
pub(super) fn line(octets: &[u8]) -> Parsed<'_, Header> {
    let (rest, _) = streaming::tag(TEXT).parse(octets)?;
    let most = rest.get(..rest.len().min(MAX_OCTETS_V1 - TEXT.len())).unwrap_or_default();
    let end = most.iter().position(|octet| matches!(octet, b'\r' | b'\n' | b'\0'));
    let Some((text, rest)) = end.and_then(|end| rest.split_at_checked(end)) else {
        return match most.len() < MAX_OCTETS_V1 - TEXT.len() {
            true => Err(nom::Err::Incomplete(nom::Needed::Unknown)),
            false => fault(ProxyError::TooLong),
        };
    };
    let (rest, _) = match streaming::tag::<_, _, Fault>("\r\n").parse(rest) {
        Err(nom::Err::Error(_)) => return fault(ProxyError::Line),
        other => other?,
    };
    if octets.len().saturating_sub(rest.len()) > MAX_OCTETS_V1 {
        return fault(ProxyError::TooLong);
    }
    let text = str::from_utf8(text).ok();
    let header = match text.map(|text| text.split(' ')) {
        Some(mut words) => match words.next() {
            // "must ignore anything presented before the CRLF"
            Some("UNKNOWN") => Some(Header::unknown()),
            Some("TCP4") => addresses::<Ipv4Addr>(words),
            Some("TCP6") => addresses::<Ipv6Addr>(words),
            _ => None,
        },
        None if most.starts_with(b"UNKNOWN ") => Some(Header::unknown()),
        None => None,
    };
    header.map_or_else(|| fault(ProxyError::Line), |header| Ok((rest, header)))
}

fn addresses<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Header> {
    let mut address = || Some(words.next()?.parse::<A>().ok()?.into());
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        // "heading zeroes are not permitted", nor is a sign
        let is_plain = word == "0" || matches!(word.as_bytes().first(), Some(b'1'..=b'9'));
        word.parse().ok().filter(|_| is_plain)
    };
    let source = SocketAddr::new(source, port()?);
    let destination = SocketAddr::new(destination, port()?);
    match words.next() {
        None => Header::proxied(source, destination).ok(),
        Some(_) => None,
    }
}

/// Parses version 2 (section 2.2).
pub(super) fn binary(octets: &[u8]) -> Parsed<'_, Header> {
    let (rest, _) = streaming::tag(SIGNATURE).parse(octets)?;
    let (rest, command) = nom::number::streaming::be_u8(rest)?;
    if command >> 4 != 2 {
        return fault(ProxyError::Version);
    }
    if command & 0xF > 1 {
        return fault(ProxyError::Command);
    }
    let is_local = command & 0xF == 0;
    let (rest, family) = nom::number::streaming::be_u8(rest)?;
    if !is_local && !matches!(family, 0x00 | 0x11 | 0x21 | 0x31) {
        return fault(ProxyError::Family);
    }
    let (rest, length) = nom::number::streaming::be_u16(rest)?;
    if usize::from(length) > MAX_OCTETS - FIXED {
        return fault(ProxyError::TooLong);
    }
    let (rest, block) = streaming::take(length).parse(rest)?;
    let header = match (is_local, family) {
        // "must discard the protocol block including the family which is ignored"
        (true, _) => Header::local(),
        (false, 0x00) => Header::unknown(),
        _ => {
            let whole = octets.get(..FIXED + block.len()).unwrap_or_default();
            match proxied(family, block, whole) {
                Ok(header) => header,
                Err(error) => return fault(error),
            }
        }
    };
    Ok((rest, header))
}

/// Parses the block after the length: addresses, then values.
fn proxied(family: u8, block: &[u8], whole: &[u8]) -> Result<Header, ProxyError> {
    let parsed: IResult<&[u8], Header, ()> = match family {
        0x11 => (take::<4>, take::<4>, be_u16, be_u16)
            .map(|(source, destination, from, to)| {
                inet(
                    (Ipv4Addr::from(source).into(), from),
                    (Ipv4Addr::from(destination).into(), to),
                )
            })
            .parse(block),
        0x21 => (take::<16>, take::<16>, be_u16, be_u16)
            .map(|(source, destination, from, to)| {
                inet(
                    (Ipv6Addr::from(source).into(), from),
                    (Ipv6Addr::from(destination).into(), to),
                )
            })
            .parse(block),
        _ => take::<UNIX_ADDRESSES>.map(|_| Header::about(About::Unix)).parse(block),
    };
    let (values, mut header) = parsed.map_err(|_| ProxyError::Addresses)?;
    Values::check(values)?;
    let mut values = Values(values);
    while let Some(value) = values.next() {
        let (kind, value) = value?;
        if kind == kind::CRC32C {
            header.has_checksum = true;
            let end = whole.len().saturating_sub(values.0.len());
            check_sum(whole, end.saturating_sub(value.len())..end, value)?;
        } else {
            push_value(&mut header.values, kind, value)?;
        }
    }
    Ok(header)
}

fn take<const N: usize>(octets: &[u8]) -> IResult<&[u8], [u8; N], ()> {
    let (rest, taken) = complete::take(N).parse(octets)?;
    Ok((rest, taken.try_into().map_err(|_| nom::Err::Error(()))?))
}

fn inet(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Header {
    let (source, destination) = (source.into(), destination.into());
    Header::about(About::Inet { source, destination })
}

/// Types, lengths and values (section 2.2.1), over octets that they must fill.
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed: IResult<_, _, ()> = (be_u8, length_data(be_u16)).parse(self.0);
        Some(match parsed {
            Ok((rest, value)) => {
                self.0 = rest;
                Ok(value)
            }
            Err(_) => {
                self.0 = &[];
                Err(ProxyError::Value)
            }
        })
    }
}

impl Values<'_> {
    /// Checks the values of known types.
    pub(super) fn check(octets: &[u8]) -> Result<(), ProxyError> {
        let mut seen = [false; kind::SINGLE.len()];
        for value in Values(octets) {
            let (kind, value) = value?;
            for (single, seen) in kind::SINGLE.iter().zip(&mut seen) {
                if *single == kind && mem::replace(seen, true) {
                    return Err(ProxyError::Value);
                }
            }
            match kind {
                kind::AUTHORITY | kind::NETNS => {
                    text(value)?;
                }
                kind::CRC32C if value.len() != 4 => return Err(ProxyError::Value),
                // "up to 128 bytes long"
                kind::UNIQUE_ID if value.len() > 128 => return Err(ProxyError::Value),
                kind::SSL => {
                    ClientTls::parse(value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn push_value(out: &mut Vec<u8>, kind: u8, value: &[u8]) -> Result<(), ProxyError> {
    let length = u16::try_from(value.len()).map_err(|_| ProxyError::TooLong)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// Parses a name or a word: UTF-8 or ASCII without control characters.
pub(super) fn text(value: &[u8]) -> Result<&str, ProxyError> {
    str::from_utf8(value)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or(ProxyError::Value)
}

/// Checks the checksum, of which `place` is the position in the header: it counts as zero (section
/// 2.2.3).
fn check_sum(whole: &[u8], place: Range<usize>, value: &[u8]) -> Result<(), ProxyError> {
    let zeroed = whole
        .iter()
        .enumerate()
        .map(|(index, octet)| if place.contains(&index) { 0 } else { *octet });
    match value == crc32c(zeroed).to_be_bytes() {
        true => Ok(()),
        false => Err(ProxyError::Checksum),
    }
}
