//! The parser of headers.

use super::format::{
    About, FIXED, MAX_OCTETS, MAX_OCTETS_V1, Parts, ProxyError, SIGNATURE, TEXT, UNIX_ADDRESSES,
    Values, crc32c, kind, push_value,
};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    str::{self, FromStr},
};
use nom::{
    IResult, Parser,
    bytes::{complete, streaming},
    number::complete::be_u16,
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
pub(super) fn line(octets: &[u8]) -> Parsed<'_, Parts> {
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
    let parts = match text.map(|text| text.split(' ')) {
        Some(mut words) => match words.next() {
            // "must ignore anything presented before the CRLF"
            Some("UNKNOWN") => Some(Parts::about(About::Unknown)),
            Some("TCP4") => addresses::<Ipv4Addr>(words),
            Some("TCP6") => addresses::<Ipv6Addr>(words),
            _ => None,
        },
        None if most.starts_with(b"UNKNOWN ") => Some(Parts::about(About::Unknown)),
        None => None,
    };
    parts.map_or_else(|| fault(ProxyError::Line), |parts| Ok((rest, parts)))
}

fn addresses<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Parts> {
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
        None => Parts::proxied(source, destination).ok(),
        Some(_) => None,
    }
}

/// Parses version 2 (section 2.2).
pub(super) fn binary(octets: &[u8]) -> Parsed<'_, Parts> {
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
    let parts = match (is_local, family) {
        // "must discard the protocol block including the family which is ignored"
        (true, _) => Parts::about(About::Local),
        (false, 0x00) => Parts::about(About::Unknown),
        _ => {
            let whole = octets.get(..FIXED + block.len()).unwrap_or_default();
            match proxied(family, block, whole) {
                Ok(parts) => parts,
                Err(error) => return fault(error),
            }
        }
    };
    Ok((rest, parts))
}

/// Parses the block after the length: addresses, then values.
fn proxied(family: u8, block: &[u8], whole: &[u8]) -> Result<Parts, ProxyError> {
    let parsed: IResult<&[u8], Parts, ()> = match family {
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
        _ => take::<UNIX_ADDRESSES>.map(|_| Parts::about(About::Unix)).parse(block),
    };
    let (values, mut parts) = parsed.map_err(|_| ProxyError::Addresses)?;
    Values::check(values)?;
    let mut values = Values(values);
    while let Some(value) = values.next() {
        let (kind, value) = value?;
        if kind == kind::CRC32C {
            parts.has_checksum = true;
            let end = whole.len().saturating_sub(values.0.len());
            check_sum(whole, end.saturating_sub(value.len())..end, value)?;
        } else {
            push_value(&mut parts.values, kind, value)?;
        }
    }
    Ok(parts)
}

fn take<const N: usize>(octets: &[u8]) -> IResult<&[u8], [u8; N], ()> {
    let (rest, taken) = complete::take(N).parse(octets)?;
    Ok((rest, taken.try_into().map_err(|_| nom::Err::Error(()))?))
}

fn inet(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Parts {
    let (source, destination) = (source.into(), destination.into());
    Parts::about(About::Inet { source, destination })
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
