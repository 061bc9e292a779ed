//! What a server offers, and the verifier for what the client picks.

use super::prepare::{Prepare, standard};
use super::{
    AnonymousVerifier, Channel, ExternalVerifier, LoginVerifier, Mechanism, Nonce,
    OauthBearerVerifier, PlainVerifier, Verifier, Xoauth2Verifier,
};
use crate::sasl::bearer::ErrorStatus;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The mechanisms of a server, and all that their verifiers have in common.
///
/// What needs a feature that is off, TLS that is not there, binding data, or an identity that
/// the channel has not proven is neither announced nor served.
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

/// What belongs to one AUTH command.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The channel it came over.
    pub channel: &'a Channel,
    /// Whom the channel has proven, by a client certificate for example: for EXTERNAL.
    pub proven: Option<&'a str>,
    /// Fresh randomness: for SCRAM and CRAM-MD5.
    pub nonce: Nonce,
    /// The time since 1970: for CRAM-MD5.
    pub unix_seconds: u64,
}

impl Offer {
    /// These mechanisms, in this order. SCRAM needs a decoy besides.
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

    /// What SCRAM shows for a user whom nobody knows. Without it SCRAM is not offered.
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn decoy(self, decoy: super::scram::Decoy) -> Self {
        Self { decoy: Some(decoy), ..self }
    }

    /// The name of this server in the challenge of CRAM-MD5.
    #[cfg(feature = "cram-md5")]
    #[must_use]
    pub fn host(self, host: impl Into<Box<str>>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// With another preparation of names and passwords.
    #[must_use]
    pub fn preparing(self, prepare: Prepare) -> Self {
        Self { prepare, ..self }
    }

    /// What a client is told whose token is not accepted.
    #[must_use]
    pub fn refusing_tokens_with(self, status: ErrorStatus) -> Self {
        Self { status, ..self }
    }

    /// Passwords and tokens also outside TLS (RFC 4954 section 4 wants this to be a decision).
    #[must_use]
    pub fn even_in_the_clear(self) -> Self {
        Self { in_the_clear: true, ..self }
    }

    /// What stands behind AUTH in the reply to EHLO on this channel. `proven` is whom the channel has
    /// proven, as in [`Attempt`].
    pub fn announced<'a>(
        &'a self,
        channel: &'a Channel,
        proven: Option<&'a str>,
    ) -> impl Iterator<Item = Mechanism> + 'a {
        let serves = move |mechanism: &Mechanism| self.serves(*mechanism, channel, proven);
        self.mechanisms.iter().copied().filter(serves)
    }

    /// Whether this mechanism is in the list, wherever it may be used.
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

    /// The verifier for a mechanism that the client picked; `None` if it was not announced,
    /// which is to be answered with 504.
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
            Mechanism::PLAIN => Box::new(PlainVerifier::new().preparing(self.prepare)),
            Mechanism::LOGIN => Box::new(LoginVerifier::new().preparing(self.prepare)),
            Mechanism::OAUTHBEARER => {
                Box::new(OauthBearerVerifier::new().refusing_with(self.status.clone()))
            }
            Mechanism::XOAUTH2 => {
                Box::new(Xoauth2Verifier::new().refusing_with(self.status.clone()))
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
            ScramVerifier::new(hash, nonce, decoy).beside_plus(offers_plus)
        };
        Some(Box::new(verifier.preparing(self.prepare)))
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
        let offer = offer.decoy(crate::sasl::scram::Decoy::new([3; 32]));
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
        let offer = offer.even_in_the_clear();
        assert!(offer.announced(&Channel::CLEAR, None).any(|m| m == Mechanism::PLAIN));
    }
}
