//! Clear or TLS, and what is known of the channel.

/// How the connection is protected.
///
/// More facts about a TLS channel may be added, so the fields are private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Security {
    is_tls: bool,
}

impl Security {
    /// Nothing protects the octets.
    pub const CLEAR: Self = Self { is_tls: false };
    /// TLS that somebody else took care of (a proxy, a tunnel), with nothing known about it.
    pub const TLS: Self = Self { is_tls: true };

    /// Whether the octets travel in TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }
}
