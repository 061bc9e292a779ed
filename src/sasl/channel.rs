//! The properties of the channel that an exchange runs over.

use super::Mechanism;
use alloc::vec::Vec;
use core::fmt;

/// A type of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingType {
    /// `tls-exporter` (RFC 9266): 32 octets exported under the label `EXPORTER-Channel-Binding`
    /// with an empty context. The type for TLS 1.3.
    TlsExporter,
    /// `tls-unique` (RFC 5929 section 3): the first Finished message. Undefined for TLS 1.3.
    TlsUnique,
    /// `tls-server-end-point` (RFC 5929 section 4): the digest of the server's certificate, by
    /// the digest of its signature, where MD5 and SHA-1 are replaced by SHA-256.
    TlsServerEndPoint,
}

impl BindingType {
    const ALL: [Self; 3] = [Self::TlsExporter, Self::TlsUnique, Self::TlsServerEndPoint];

    /// Returns the registered name, `cb-name` of RFC 5802 section 7.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsUnique => "tls-unique",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// Returns the type with this name; `None` when it is unknown.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// The channel binding data of one [`BindingType`], taken from the TLS library.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    kind: BindingType,
    data: Vec<u8>,
}

impl ChannelBinding {
    /// Creates a binding; `data` is as RFC 9266 and RFC 5929 define it for this type.
    #[must_use]
    pub fn new(kind: BindingType, data: impl Into<Vec<u8>>) -> Self {
        Self { kind, data: data.into() }
    }

    /// Returns the type.
    #[must_use]
    pub const fn kind(&self) -> BindingType {
        self.kind
    }

    /// Returns the binding data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelBinding({})", self.kind.as_str())
    }
}

/// The properties of the channel that mechanisms depend on: whether it is TLS, and its channel
/// bindings.
///
/// ```
/// use esmtp::sasl::{BindingType, Channel, ChannelBinding, Mechanism};
///
/// let channel = Channel::tls().with(ChannelBinding::new(BindingType::TlsExporter, [7; 32]));
/// assert!(channel.carries(Mechanism::PLAIN) && channel.carries(Mechanism::SCRAM_SHA_256_PLUS));
/// assert!(!Channel::CLEAR.carries(Mechanism::PLAIN));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    is_tls: bool,
    /// The peer has not proven its identity.
    has_unverified_peer: bool,
    bindings: Vec<ChannelBinding>,
}

impl Channel {
    /// A channel without protection.
    pub const CLEAR: Self =
        Self { is_tls: false, has_unverified_peer: false, bindings: Vec::new() };

    /// Returns TLS without binding data.
    #[must_use]
    pub const fn tls() -> Self {
        Self { is_tls: true, has_unverified_peer: false, bindings: Vec::new() }
    }

    /// Adds channel binding data, replacing earlier data of the same type. A binding without data
    /// is ignored.
    #[must_use]
    pub fn with(mut self, binding: ChannelBinding) -> Self {
        self.bindings.retain(|known| known.kind != binding.kind);
        if !binding.data.is_empty() {
            self.bindings.push(binding);
        }
        self
    }

    /// Returns whether the octets travel in TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Marks the peer as unauthenticated, as in opportunistic TLS (RFC 7435): a secret that is sent
    /// to it may reach anyone.
    #[must_use]
    pub const fn with_unverified_peer(mut self) -> Self {
        self.has_unverified_peer = true;
        self
    }

    /// Returns whether a password or token that is sent over this channel reaches only its intended
    /// recipient.
    #[must_use]
    pub const fn hides_secrets(&self) -> bool {
        self.is_tls && !self.has_unverified_peer
    }

    /// Returns the binding of this type.
    #[must_use]
    pub fn binding(&self, kind: BindingType) -> Option<&ChannelBinding> {
        self.bindings.iter().find(|binding| binding.kind == kind)
    }

    /// Returns the binding that a client uses: tls-exporter before tls-unique before
    /// tls-server-end-point, which identifies the server but not the connection.
    #[must_use]
    pub fn best_binding(&self) -> Option<&ChannelBinding> {
        BindingType::ALL.into_iter().find_map(|kind| self.binding(kind))
    }

    /// Returns whether `mechanism` may run on this channel: a plaintext mechanism needs TLS, a
    /// `-PLUS` mechanism needs TLS and binding data.
    #[must_use]
    pub fn carries(&self, mechanism: Mechanism) -> bool {
        (self.hides_secrets() || !mechanism.is_plaintext())
            && (!mechanism.needs_channel_binding() || (self.is_tls && !self.bindings.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_best_binding_is_of_the_connection() {
        let end_point = ChannelBinding::new(BindingType::TlsServerEndPoint, [1; 32]);
        let unique = ChannelBinding::new(BindingType::TlsUnique, [2; 12]);
        let exporter = ChannelBinding::new(BindingType::TlsExporter, [3; 32]);
        let mut channel = Channel::tls();
        assert_eq!(channel.best_binding(), None);
        for binding in [end_point, unique, exporter] {
            channel = channel.with(binding.clone());
            assert_eq!(channel.best_binding(), Some(&binding));
        }
        let channel = channel.with(ChannelBinding::new(BindingType::TlsExporter, []));
        assert_eq!(channel.best_binding().map(ChannelBinding::kind), Some(BindingType::TlsUnique));
    }

    /// 5802-6-f
    #[test]
    fn plus_needs_tls_and_binding_data() {
        let binding = ChannelBinding::new(BindingType::TlsUnique, [2; 12]);
        let plus = Mechanism::SCRAM_SHA_1_PLUS;
        assert!(!Channel::CLEAR.carries(plus));
        assert!(!Channel::CLEAR.with(binding.clone()).carries(plus));
        assert!(!Channel::tls().carries(plus));
        assert!(Channel::tls().with(binding).carries(plus));
    }

    #[test]
    fn binding_data_is_not_shown() {
        let channel = Channel::tls().with(ChannelBinding::new(BindingType::TlsUnique, [251; 12]));
        assert!(!format!("{channel:?}").contains("251"));
        for kind in BindingType::ALL {
            assert_eq!(BindingType::from_name(kind.as_str()), Some(kind));
        }
    }
}
