//! The mechanisms that a server offers, and the verifier for the one that the client chooses.

use super::prepare::{Prepare, standard};
use super::{
    AnonymousVerifier, Channel, ExternalVerifier, LoginVerifier, Mechanism, Nonce,
    OauthBearerVerifier, PlainVerifier, Verifier, Xoauth2Verifier,
};
use crate::sasl::bearer::ErrorStatus;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The mechanisms of a server, and the settings that their verifiers share.
///
/// A mechanism that needs a missing feature, TLS, binding data or a proven identity is neither
/// announced nor accepted.
///
/// ```
/// use esmtp::sasl::{Attempt, Channel, Mechanism, Nonce, Offer};
///
/// let offer = Offer::new([Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::EXTERNAL]);
/// let announced: Vec<_> = offer.announced(&Channel::tls(), None).collect();
/// assert_eq!(announced, [Mechanism::PLAIN, Mechanism::LOGIN]);
/// assert_eq!(offer.announced(&Channel::CLEAR, None).count(), 0);
///
/// let nonce = Nonce::new([0; 18]); // of a random number generator
/// let attempt = Attempt { channel: &Channel::tls(), proven: None, nonce, unix_seconds: 0 };
/// let verifier = offer.verifier(Mechanism::PLAIN, attempt).unwrap();
/// assert_eq!(verifier.mechanism(), Mechanism::PLAIN);
/// ```
#[derive(Clone, Debug)]
pub struct Offer {
    mechanisms: Vec<Mechanism>,
    prepare: Prepare,
    status: ErrorStatus,
    in_the_clear: bool,
    #[cfg(feature = "scram")]
    decoy: Option<super::scram::Decoy>,
    #[cfg(feature = "cram-md5")]
    host: Box<str>,
}

/// The context of one AUTH command.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The channel that the command came over.
    pub channel: &'a Channel,
    /// The identity that the channel has proven, by a client certificate for example: for EXTERNAL.
    pub proven: Option<&'a str>,
    /// A fresh nonce: for SCRAM and CRAM-MD5.
    pub nonce: Nonce,
    /// The time since 1970: for CRAM-MD5.
    pub unix_seconds: u64,
}

impl Offer {
    /// Creates an offer of these mechanisms, in this order. SCRAM also needs a decoy.
    #[must_use]
    pub fn new(mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        Self {
            mechanisms: mechanisms.into_iter().collect(),
            prepare: standard,
            status: ErrorStatus::invalid_token(),
            in_the_clear: false,
            #[cfg(feature = "scram")]
            decoy: None,
            #[cfg(feature = "cram-md5")]
            host: "localhost".into(),
        }
    }

    /// Sets the decoy that SCRAM uses for unknown users. Without it SCRAM is not offered.
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn with_decoy(self, decoy: super::scram::Decoy) -> Self {
        Self { decoy: Some(decoy), ..self }
    }

    /// Sets the name of this server in the challenge of CRAM-MD5.
    #[cfg(feature = "cram-md5")]
    #[must_use]
    pub fn with_host(self, host: impl Into<Box<str>>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// Sets another preparation of names and passwords.
    #[must_use]
    pub fn with_preparation(self, prepare: Prepare) -> Self {
        Self { prepare, ..self }
    }

    /// Sets the error status for a client whose token is rejected.
    #[must_use]
    pub fn with_token_error(self, status: ErrorStatus) -> Self {
        Self { status, ..self }
    }

    /// Permits plaintext mechanisms outside TLS; RFC 4954 section 4 requires this to be an explicit
    /// choice.
    #[must_use]
    pub fn with_secrets_in_clear(self) -> Self {
        Self { in_the_clear: true, ..self }
    }

    /// Returns the mechanisms to announce after AUTH in the reply to EHLO on this channel. `proven`
    /// is the identity that the channel has proven, as in [`Attempt`].
    pub fn announced<'a>(
        &'a self,
        channel: &'a Channel,
        proven: Option<&'a str>,
    ) -> impl Iterator<Item = Mechanism> + 'a {
        let serves = move |mechanism: &Mechanism| self.serves(*mechanism, channel, proven);
        self.mechanisms.iter().copied().filter(serves)
    }

    /// Returns whether this mechanism is in the list, usable on the present channel or not.
    #[must_use]
    pub fn knows(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    fn serves(&self, mechanism: Mechanism, channel: &Channel, proven: Option<&str>) -> bool {
        let may_run =
            channel.carries(mechanism) || (self.in_the_clear && !mechanism.needs_channel_binding());
        may_run
            && match mechanism {
                Mechanism::EXTERNAL => proven.is_some(),
                Mechanism::PLAIN
                | Mechanism::LOGIN
                | Mechanism::OAUTHBEARER
                | Mechanism::XOAUTH2
                | Mechanism::ANONYMOUS => true,
                Mechanism::CRAM_MD5 => cfg!(feature = "cram-md5"),
                _ => self.serves_scram(mechanism),
            }
    }

    #[cfg(feature = "scram")]
    fn serves_scram(&self, mechanism: Mechanism) -> bool {
        self.decoy.is_some() && super::scram::Hash::of(mechanism).is_some()
    }

    #[cfg(not(feature = "scram"))]
    #[expect(clippy::unused_self, reason = "the other half of a feature")]
    const fn serves_scram(&self, _: Mechanism) -> bool {
        false
    }

    /// Creates the verifier for the mechanism that the client chose; returns `None` if it was not
    /// announced, which deserves a 504.
    #[must_use]
    pub fn verifier(
        &self,
        mechanism: Mechanism,
        attempt: Attempt<'_>,
    ) -> Option<Box<dyn Verifier>> {
        let Attempt { channel, proven, .. } = attempt;
        if !self.announced(channel, proven).any(|announced| announced == mechanism) {
            return None;
        }
        Some(match mechanism {
            Mechanism::PLAIN => Box::new(PlainVerifier::new().with_preparation(self.prepare)),
            Mechanism::LOGIN => Box::new(LoginVerifier::new().with_preparation(self.prepare)),
            Mechanism::OAUTHBEARER => {
                Box::new(OauthBearerVerifier::new().with_error_status(self.status.clone()))
            }
            Mechanism::XOAUTH2 => {
                Box::new(Xoauth2Verifier::new().with_error_status(self.status.clone()))
            }
            Mechanism::EXTERNAL => Box::new(ExternalVerifier::new(proven)),
            Mechanism::ANONYMOUS => Box::new(AnonymousVerifier::new()),
            #[cfg(feature = "cram-md5")]
            Mechanism::CRAM_MD5 => {
                let Attempt { nonce, unix_seconds, .. } = attempt;
                Box::new(super::CramMd5Verifier::new(&nonce, unix_seconds, &self.host))
            }
            _ => return self.scram(mechanism, attempt),
        })
    }

    #[cfg(feature = "scram")]
    fn scram(&self, mechanism: Mechanism, attempt: Attempt<'_>) -> Option<Box<dyn Verifier>> {
        use super::scram::{Hash, ScramVerifier};

        let Attempt { channel, proven, nonce, .. } = attempt;
        let (hash, decoy) = (Hash::of(mechanism)?, self.decoy.clone()?);
        let verifier = if mechanism.needs_channel_binding() {
            ScramVerifier::plus(hash, nonce, decoy, channel.clone())
        } else {
            let offers_plus =
                self.announced(channel, proven).any(|offered| offered.needs_channel_binding());
            let verifier = ScramVerifier::new(hash, nonce, decoy);
            if offers_plus { verifier.with_plus_offered() } else { verifier }
        };
        Some(Box::new(verifier.with_preparation(self.prepare)))
    }

    #[cfg(not(feature = "scram"))]
    #[expect(clippy::unused_self, reason = "the other half of a feature")]
    fn scram(&self, _: Mechanism, _: Attempt<'_>) -> Option<Box<dyn Verifier>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{BindingType, ChannelBinding};

    fn attempt<'a>(channel: &'a Channel, proven: Option<&'a str>) -> Attempt<'a> {
        Attempt { channel, proven, nonce: Nonce::new([2; 18]), unix_seconds: 1 }
    }

    /// 4954-4-x, 4954-6-e, 4954-3-d, 5802-6-e, 5802-6-f, 4422-A-b, 4505-2-d
    #[test]
    fn what_cannot_run_is_not_announced() {
        let offer = Offer::new([
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_256,
            Mechanism::CRAM_MD5,
            Mechanism::PLAIN,
            Mechanism::EXTERNAL,
            "NTLM".parse().unwrap(),
        ]);
        #[cfg(feature = "scram")]
        let offer = offer.with_decoy(crate::sasl::scram::Decoy::new([3; 32]));
        let bindable = Channel::tls().with(ChannelBinding::new(BindingType::TlsUnique, [1; 12]));
        let (scram, cram) = (cfg!(feature = "scram"), cfg!(feature = "cram-md5"));
        let cases = [
            (Channel::CLEAR, None, [false, scram, cram, false, false, false]),
            (Channel::tls(), None, [false, scram, cram, true, false, false]),
            (bindable, Some("ann"), [scram, scram, cram, true, true, false]),
        ];
        for (channel, proven, expected) in cases {
            for (mechanism, is_announced) in offer.mechanisms.iter().zip(expected) {
                let announced: Vec<_> = offer.announced(&channel, proven).collect();
                assert_eq!(announced.contains(mechanism), is_announced, "{mechanism} {channel:?}");
                let verifier = offer.verifier(*mechanism, attempt(&channel, proven));
                assert_eq!(verifier.map(|v| v.mechanism()), is_announced.then_some(*mechanism));
            }
            assert!(offer.verifier(Mechanism::ANONYMOUS, attempt(&channel, proven)).is_none());
        }
        let offer = offer.with_secrets_in_clear();
        assert!(offer.announced(&Channel::CLEAR, None).any(|m| m == Mechanism::PLAIN));
    }
}
