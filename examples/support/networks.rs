//! Networks whose clients are trusted.

use std::{net::IpAddr, str::FromStr};

/// The addresses that begin with the first `prefix` bits of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("not an IP address with an optional prefix length, ADDRESS[/PREFIX]")]
pub(crate) struct NotNetwork;

impl FromStr for Network {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotNetwork)?;
        let bits = bits_of(address);
        let prefix = match prefix {
            // No sign, no white space.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| NotNetwork)?
            }
            Some(_) => return Err(NotNetwork),
            None => bits,
        };
        if prefix > bits {
            return Err(NotNetwork);
        }
        // `::ffff:192.0.2.0/120` is an IPv4 network (RFC 4291 section 2.5.5.2).
        let canonical = address.to_canonical();
        match prefix.checked_sub(bits - bits_of(canonical)) {
            Some(prefix) => Ok(Self { address: canonical, prefix }),
            None => Ok(Self { address, prefix }),
        }
    }
}

impl Network {
    /// Returns whether `address` is in this network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

const fn bits_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}
