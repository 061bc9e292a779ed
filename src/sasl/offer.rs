//! The mechanisms that a server offers, and the verifier for the one that the client chooses.

use super::prepare::{Prepare, standard};
use super::question::Question;
#[cfg(feature = "scram")]
use super::scale::Scale;
#[cfg(feature = "scram")]
use super::scram::{Decoy, Hash, ScramVerifier};
use super::stored::StoredPassword;
use super::{
    AnonymousVerifier, Channel, ExternalVerifier, LoginVerifier, Mechanism, Nonce,
    OauthBearerVerifier, PlainVerifier, Verifier, Xoauth2Verifier,
};
use crate::sasl::error_status::ErrorStatus;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The mechanisms of a server, and the settings that their verifiers share.
///
/// An offer is named after what the server stores, and announces only mechanisms that this can
/// verify:
///
/// | the server has | offer | announces |
/// |---|---|---|
/// | passwords | [`for_passwords`](Self::for_passwords) | SCRAM (feature `scram`), PLAIN, LOGIN |
/// | keys of SCRAM | `for_keys` (feature `scram`) | SCRAM with their digest, PLAIN, LOGIN |
/// | another service that judges a password (LDAP, PAM, a digest like Argon2) | [`for_verdicts`](Self::for_verdicts) | PLAIN, LOGIN |
/// | a service that judges tokens | [`for_tokens`](Self::for_tokens) | OAUTHBEARER, XOAUTH2 |
///
/// [`with_mechanism`](Self::with_mechanism) adds others. A mechanism that needs a missing feature,
/// TLS, binding data or a proven identity is neither announced nor accepted;
/// [`check`](Self::check) tells of those that can never be.
///
/// ```
/// use esmtp::sasl::{Channel, Mechanism, Offer};
///
/// let offer = Offer::for_verdicts().with_mechanism(Mechanism::EXTERNAL);
/// let announced: Vec<_> = offer.announced(&Channel::tls(), None).collect();
/// assert_eq!(announced, [Mechanism::PLAIN, Mechanism::LOGIN]);
/// // A password does not go over a line that anyone can read.
/// assert_eq!(offer.announced(&Channel::CLEAR, None).count(), 0);
/// assert_eq!(offer.check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Offer {
    mechanisms: Vec<Mechanism>,
    /// Creates a verifier. Reached only through an offer, so that a program without AUTH holds none (40 kB).
    create: fn(&Self, Mechanism, Attempt<'_>) -> Option<Box<dyn Verifier>>,
    prepare: Prepare,
    status: ErrorStatus,
    in_the_clear: bool,
    nonces: fn() -> Option<Nonce>,
    #[cfg(feature = "scram")]
    scale: Scale,
    #[cfg(feature = "scram")]
    decoy: Option<Decoy>,
    /// The application has given the decoy, and with it the scale of the stored keys.
    #[cfg(feature = "scram")]
    has_scale: bool,
    #[cfg(feature = "cram-md5")]
    host: Option<Box<str>>,
}

/// The reason why an offer cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// There is no mechanism.
    #[error("AUTH is offered without a mechanism")]
    NoMechanism,
    /// A mechanism needs a feature of this crate that is off.
    #[error("AUTH {mechanism} needs the feature `{feature}` of esmtp")]
    FeatureOff {
        /// The mechanism.
        mechanism: Mechanism,
        /// The feature.
        feature: &'static str,
    },
    /// The library has no verifier for a mechanism of this name.
    #[error("AUTH {0} is not a mechanism that this library can verify")]
    Unknown(Mechanism),
    /// SCRAM needs random octets of the operating system, or a decoy.
    #[error("AUTH {0} needs Offer::with_decoy, or the feature `getrandom` of esmtp")]
    NoDecoy(Mechanism),
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

/// The mechanisms in which the server receives the password itself.
const PASSWORD: [Mechanism; 2] = [Mechanism::PLAIN, Mechanism::LOGIN];

impl Offer {
    /// Creates an offer of these mechanisms, in this order, for an application that knows what each
    /// of them needs.
    #[must_use]
    pub fn new(mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        Self {
            mechanisms: mechanisms.into_iter().collect(),
            create: Self::create,
            prepare: standard,
            status: ErrorStatus::invalid_token(),
            in_the_clear: false,
            nonces: generated,
            #[cfg(feature = "scram")]
            scale: Scale::default(),
            #[cfg(feature = "scram")]
            decoy: random_decoy(),
            #[cfg(feature = "scram")]
            has_scale: false,
            #[cfg(feature = "cram-md5")]
            host: None,
        }
    }

    /// Creates the offer of a server that stores passwords in the clear: SCRAM with SHA-256 and
    /// SHA-1 (feature `scram`), PLAIN, LOGIN.
    ///
    /// For SCRAM the keys are derived at each attempt, which takes [as
    /// long](crate::server::CredentialsQuestion::check) as their iterations demand. A server that
    /// stores keys instead saves that time, and a thief of its store does not get the passwords.
    #[must_use]
    pub fn for_passwords() -> Self {
        #[cfg(feature = "scram")]
        let scram = [Hash::Sha256.mechanism_plus(), Hash::Sha1.mechanism_plus()]
            .into_iter()
            .chain([Hash::Sha256.mechanism(), Hash::Sha1.mechanism()]);
        #[cfg(not(feature = "scram"))]
        let scram = core::iter::empty();
        Self::new(scram.chain(PASSWORD))
    }

    /// Creates the offer of a server that stores keys with this digest (`scram::Keys`): SCRAM with
    /// that digest, PLAIN, LOGIN. [`with_keys`](Self::with_keys) adds keys with another one.
    ///
    /// ```
    /// use esmtp::sasl::{Channel, Mechanism, Offer, scram::Hash};
    ///
    /// let offer = Offer::for_keys(Hash::Sha256);
    /// let announced: Vec<_> = offer.announced(&Channel::tls(), None).collect();
    /// assert_eq!(announced, [Mechanism::SCRAM_SHA_256, Mechanism::PLAIN, Mechanism::LOGIN]);
    /// ```
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn for_keys(hash: Hash) -> Self {
        let offer =
            Self::new([hash.mechanism_plus(), hash.mechanism()].into_iter().chain(PASSWORD));
        offer.scale.note_keys(hash);
        offer
    }

    /// Creates the offer of a server that asks another service for a verdict on a password: PLAIN
    /// and LOGIN, in which the server receives the password.
    #[must_use]
    pub fn for_verdicts() -> Self {
        Self::new(PASSWORD)
    }

    /// Creates the offer of a server that accepts bearer tokens: OAUTHBEARER and XOAUTH2.
    #[must_use]
    pub fn for_tokens() -> Self {
        Self::new([Mechanism::OAUTHBEARER, Mechanism::XOAUTH2])
    }

    /// Adds SCRAM with the digest of further keys that are stored for each user, after the
    /// mechanisms of SCRAM that are offered already.
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn with_keys(mut self, hash: Hash) -> Self {
        for mechanism in [hash.mechanism(), hash.mechanism_plus()] {
            let is_after = |it: &Mechanism| {
                !it.is_scram() || mechanism.needs_channel_binding() && !it.needs_channel_binding()
            };
            if !self.knows(mechanism) {
                let at = self.mechanisms.iter().position(is_after);
                self.mechanisms.insert(at.unwrap_or(self.mechanisms.len()), mechanism);
            }
        }
        self
    }

    /// Adds a mechanism at the end of the list. The application answers what its verifier asks.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: Mechanism) -> Self {
        if !self.knows(mechanism) {
            self.mechanisms.push(mechanism);
        }
        self
    }

    /// Sets the decoy that SCRAM uses for unknown users. It must survive restarts, and be equal on
    /// all servers of one name, where an observer must not learn in that way which users exist.
    ///
    /// By default its secret is random (feature `getrandom`), and its iterations and salts are like
    /// those of the first keys that were [checked](crate::server::CredentialsQuestion::check); before
    /// that, 4096 iterations and 16 octets.
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn with_decoy(self, decoy: Decoy) -> Self {
        Self { decoy: Some(decoy), has_scale: true, ..self }
    }

    /// Sets the source of nonces; by default the operating system (feature `getrandom`). Without one,
    /// SCRAM and CRAM-MD5 fail with 454 unless the application gives each attempt
    /// [a nonce](crate::server::Auth::accept_with_nonce).
    #[must_use]
    pub fn with_nonces(self, nonces: fn() -> Option<Nonce>) -> Self {
        Self { nonces, ..self }
    }

    /// Sets the name of this server in the challenge of CRAM-MD5; by default that of the server's
    /// configuration.
    #[cfg(feature = "cram-md5")]
    #[must_use]
    pub fn with_host(self, host: impl Into<Box<str>>) -> Self {
        Self { host: Some(host.into()), ..self }
    }

    /// Sets the name of this server, where none was set.
    pub(crate) fn or_host(self, host: impl FnOnce() -> Box<str>) -> Self {
        #[cfg(feature = "cram-md5")]
        if self.host.is_none() {
            return self.with_host(host());
        }
        let _ = host;
        self
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

    /// Checks that every mechanism can be verified by this build of the library, on some channel.
    /// [`Config::check`](crate::server::Config::check) includes it.
    ///
    /// # Errors
    /// The first mechanism that can never be announced, and the reason.
    pub fn check(&self) -> Result<(), OfferError> {
        if self.mechanisms.is_empty() {
            return Err(OfferError::NoMechanism);
        }
        self.mechanisms.iter().try_for_each(|mechanism| self.check_mechanism(*mechanism))
    }

    fn check_mechanism(&self, mechanism: Mechanism) -> Result<(), OfferError> {
        const SCRAM: [Mechanism; 6] = [
            Mechanism::SCRAM_SHA_1,
            Mechanism::SCRAM_SHA_1_PLUS,
            Mechanism::SCRAM_SHA_256,
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_512,
            Mechanism::SCRAM_SHA_512_PLUS,
        ];
        let off = |feature| Err(OfferError::FeatureOff { mechanism, feature });
        match mechanism {
            Mechanism::PLAIN
            | Mechanism::LOGIN
            | Mechanism::OAUTHBEARER
            | Mechanism::XOAUTH2
            | Mechanism::EXTERNAL
            | Mechanism::ANONYMOUS => Ok(()),
            Mechanism::CRAM_MD5 if cfg!(feature = "cram-md5") => Ok(()),
            Mechanism::CRAM_MD5 => off("cram-md5"),
            _ if !SCRAM.contains(&mechanism) => Err(OfferError::Unknown(mechanism)),
            _ if !cfg!(feature = "scram") => off("scram"),
            _ if self.serves_scram(mechanism) => Ok(()),
            _ => Err(OfferError::NoDecoy(mechanism)),
        }
    }

    /// Returns whether a mechanism can be announced on a channel without TLS.
    pub(crate) fn works_in_the_clear(&self) -> bool {
        self.announced(&Channel::CLEAR, None).next().is_some() || self.knows(Mechanism::EXTERNAL)
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
            && (mechanism != Mechanism::EXTERNAL || proven.is_some())
            && self.check_mechanism(mechanism).is_ok()
    }

    #[cfg(feature = "scram")]
    fn serves_scram(&self, mechanism: Mechanism) -> bool {
        self.decoy.is_some() && Hash::of(mechanism).is_some()
    }

    #[cfg(not(feature = "scram"))]
    #[expect(clippy::unused_self, reason = "the other half of a feature")]
    const fn serves_scram(&self, _: Mechanism) -> bool {
        false
    }

    /// Creates the verifier for the mechanism that the client chose, with a nonce of the offer's source
    /// if none is given; returns `None` if it was not announced, or there is no nonce.
    pub(crate) fn verifier_with(
        &self,
        mechanism: Mechanism,
        channel: &Channel,
        proven: Option<&str>,
        nonce: Option<Nonce>,
        seconds: u64,
    ) -> Option<Box<dyn Verifier>> {
        let needs_nonce = mechanism.is_scram() || mechanism == Mechanism::CRAM_MD5;
        let nonce = match nonce.or_else(|| if needs_nonce { (self.nonces)() } else { None }) {
            Some(nonce) => nonce,
            None if needs_nonce => return None,
            // No verifier of the other mechanisms looks at it.
            None => Nonce::new([0; 18]),
        };
        self.verifier(mechanism, Attempt { channel, proven, nonce, unix_seconds: seconds })
    }

    /// Creates the verifier for the mechanism that the client chose; returns `None` if it was not
    /// announced, which deserves a 504.
    #[must_use]
    pub fn verifier(
        &self,
        mechanism: Mechanism,
        attempt: Attempt<'_>,
    ) -> Option<Box<dyn Verifier>> {
        (self.create)(self, mechanism, attempt)
    }

    /// Does what [`verifier`](Self::verifier) does.
    fn create(&self, mechanism: Mechanism, attempt: Attempt<'_>) -> Option<Box<dyn Verifier>> {
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
                let host = self.host.as_deref().unwrap_or("localhost");
                Box::new(super::CramMd5Verifier::new(&nonce, unix_seconds, host))
            }
            _ => return self.scram(mechanism, attempt),
        })
    }

    #[cfg(feature = "scram")]
    fn scram(&self, mechanism: Mechanism, attempt: Attempt<'_>) -> Option<Box<dyn Verifier>> {
        let Attempt { channel, proven, nonce, .. } = attempt;
        let (hash, decoy) = (Hash::of(mechanism)?, self.decoy()?);
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

    /// Returns the decoy, on the scale of the stored keys.
    #[cfg(feature = "scram")]
    fn decoy(&self) -> Option<Decoy> {
        let decoy = self.decoy.clone()?;
        Some(match self.scale.of_keys() {
            Some((iterations, salt)) if !self.has_scale => {
                decoy.with_iterations_and_salt(iterations, salt)
            }
            _ => decoy,
        })
    }

    /// Settles the question of a verifier by what is stored for its user; `None` stands for an
    /// unknown user, for whom the work is the same.
    pub(crate) fn answer(&self, question: Question<'_>, stored: Option<StoredPassword<'_>>) {
        #[cfg(feature = "scram")]
        self.scale.note(stored);
        match question {
            Question::Password(question) => {
                let password = question.password();
                let is_right = match stored {
                    Some(StoredPassword::Clear(stored)) => {
                        (self.prepared(stored)).is_some_and(|stored| password.matches(&stored))
                    }
                    #[cfg(feature = "scram")]
                    Some(StoredPassword::Keys(keys)) => {
                        let mut with_hash = keys.iter().filter(|it| it.hash() == self.scale.hash());
                        match with_hash.next().or(keys.first()) {
                            Some(keys) => keys.verify_prepared(password),
                            None => self.work_for_nothing(question.user(), password),
                        }
                    }
                    None => self.work_for_nothing(question.user(), password),
                };
                match is_right {
                    true => question.accept(),
                    false => question.reject(),
                }
            }
            Question::Token(question) => match (question.user(), stored) {
                (Some(user), Some(StoredPassword::Clear(stored)))
                    if question.token().matches(stored) =>
                {
                    question.accept_as(user);
                }
                _ => question.reject(),
            },
            Question::Secret(question) => match stored {
                Some(StoredPassword::Clear(stored)) => question.supply(stored),
                _ => question.unknown(),
            },
            #[cfg(feature = "scram")]
            Question::Keys(question) => {
                let (hash, user) = (question.hash(), question.user());
                let keys = match stored {
                    Some(StoredPassword::Clear(stored)) => self.derived(hash, user, stored),
                    Some(StoredPassword::Keys(keys)) => {
                        keys.iter().find(|it| it.hash() == hash).cloned()
                    }
                    None if self.scale.are_keys() => None,
                    None => self.derived(hash, user, b"x").and(None),
                };
                match keys {
                    Some(keys) => question.supply(keys),
                    None => question.unknown(),
                }
            }
        }
    }

    /// Returns a password as it is compared, where it is text that may be one.
    fn prepared<'p>(&self, password: &'p [u8]) -> Option<alloc::borrow::Cow<'p, [u8]>> {
        use alloc::borrow::Cow;
        match core::str::from_utf8(password) {
            Ok(text) => (self.prepare)(text).ok().map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            Err(_) => Some(Cow::Borrowed(password)),
        }
    }

    /// Does the work of a check for a user without a password, and returns `false`.
    fn work_for_nothing(&self, user: &str, password: &super::Secret) -> bool {
        #[cfg(feature = "scram")]
        if self.scale.are_keys()
            && let Some(decoy) = self.decoy()
        {
            // No password matches a decoy.
            return decoy.keys(self.scale.hash(), user).verify_prepared(password) & false;
        }
        let _ = (user, password.matches(password.expose()));
        false
    }

    /// Derives keys from a stored password. Their salt is that of a decoy for this user, so that a
    /// known user and an unknown one look alike.
    #[cfg(feature = "scram")]
    fn derived(&self, hash: Hash, user: &str, stored: &[u8]) -> Option<super::scram::Keys> {
        let decoy = self.decoy()?.keys(hash, user);
        let password = super::Secret::from(&*self.prepared(stored)?);
        let iterations = decoy.iterations().max(super::scram::MIN_ITERATIONS);
        super::scram::Keys::derive_prepared(hash, &password, decoy.salt(), iterations).ok()
    }

    #[cfg(not(feature = "scram"))]
    #[expect(clippy::unused_self, reason = "the other half of a feature")]
    fn scram(&self, _: Mechanism, _: Attempt<'_>) -> Option<Box<dyn Verifier>> {
        None
    }
}

/// Returns a nonce of the operating system's generator.
fn generated() -> Option<Nonce> {
    #[cfg(feature = "getrandom")]
    return Nonce::generate().ok();
    #[cfg(not(feature = "getrandom"))]
    None
}

/// Returns a decoy with a random secret.
#[cfg(feature = "scram")]
fn random_decoy() -> Option<Decoy> {
    #[cfg(feature = "getrandom")]
    {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        Some(Decoy::new(secret))
    }
    #[cfg(not(feature = "getrandom"))]
    None
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
