//! Networks of IP addresses.

use core::{fmt, net::IpAddr, str::FromStr};
use thiserror::Error;

/// The IP addresses that begin with the first bits of an address (CIDR, RFC 4632 section 3.1).
///
/// An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address that it holds.
///
/// ```
/// use esmtp::io::serving::Network;
///
/// let network: Network = "192.0.2.0/24".parse()?;
/// assert!(network.contains("192.0.2.7".parse()?));
/// assert!(network.contains("::ffff:192.0.2.7".parse()?));
/// assert!(!network.contains("192.0.3.7".parse()?));
/// assert_eq!(Network::from("2001:db8::1".parse::<std::net::IpAddr>()?).to_string(), "2001:db8::1/128");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address; canonical.
    address: IpAddr,
    prefix: u8,
}

/// The error for text that is no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an IP address with an optional prefix length, ADDRESS[/PREFIX]")]
pub struct NotNetwork;

impl Network {
    /// Creates the network of the addresses that share the first `prefix` bits of `address`. A longer
    /// prefix than the address has bits is the address alone.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let canonical = address.to_canonical();
        // `::ffff:192.0.2.0/120` is an IPv4 network; with a shorter prefix than 96 it holds other
        // IPv6 addresses, too.
        let (address, prefix) = match prefix.checked_sub(bits(address) - bits(canonical)) {
            Some(prefix) => (canonical, prefix),
            None => (address, prefix),
        };
        let prefix = prefix.min(bits(address));
        Self { address: first(address, prefix), prefix }
    }

    /// Returns whether `address` is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match self.address {
            IpAddr::V4(_) => address.to_canonical(),
            IpAddr::V6(_) => match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().into(),
                IpAddr::V6(_) => address,
            },
        };
        bits(address) == bits(self.address) && first(address, self.prefix) == self.address
    }
}

/// Returns the number of bits of an address of this kind.
const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Returns the first address of a network.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::new(address, 128)
    }
}

impl FromStr for Network {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotNetwork)?;
        let prefix = match prefix {
            None => bits(address),
            // No sign, no white space.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| NotNetwork)?
            }
            Some(_) => return Err(NotNetwork),
        };
        match prefix <= bits(address) {
            true => Ok(Self::new(address, prefix)),
            false => Err(NotNetwork),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn networks_are_parsed_and_written() {
        for (text, written) in [
            ("192.0.2.77", Some("192.0.2.77/32")),
            ("192.0.2.77/24", Some("192.0.2.0/24")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("2001:db8:1:2:3::/64", Some("2001:db8:1:2::/64")),
            ("::ffff:192.0.2.77/120", Some("192.0.2.0/24")),
            ("192.0.2.0/33", None),
            ("::1/129", None),
            ("192.0.2.0/", None),
            ("192.0.2.0/+8", None),
            ("192.0.2.0/ 8", None),
            ("192.0.2.0/300", None),
            ("192.0.2/24", None),
            ("", None),
        ] {
            let network = text.parse::<Network>().ok().map(|network| network.to_string());
            assert_eq!(network.as_deref(), written, "{text}");
        }
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        for (network, address, is_inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "192.0.2.1", true),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                is_inside,
                "{network} {address}"
            );
        }
    }
}
