//! The credentials of a client, and the choice of the strongest mechanism for them.

use super::{
    AnonymousInitiator, Channel, CredentialsError, ExternalInitiator, Initiator, LoginInitiator,
    Mechanism, Nonce, OauthBearerInitiator, PlainInitiator, Secret, Strength, Xoauth2Initiator,
};
use alloc::boxed::Box;

/// The credentials that a client authenticates with. They create the initiator of the strongest
/// mechanism that fits them, the channel and the server's offer.
///
/// ```
/// use esmtp::sasl::{Channel, Credentials, Initiator, Mechanism, NoCommonMechanism, Nonce};
///
/// let credentials = Credentials::password("ann", "correct horse");
/// let offered = [Mechanism::LOGIN, Mechanism::PLAIN];
/// let random = [0; 18]; // of a random number generator
///
/// let initiator = credentials.strongest(&offered, &Channel::tls(), Nonce::new(random))?;
/// assert_eq!(initiator.mechanism(), Mechanism::PLAIN);
///
/// // A password does not go over a line that anyone can read.
/// let refused = credentials.strongest(&offered, &Channel::CLEAR, Nonce::new(random));
/// assert_eq!(refused.err(), Some(NoCommonMechanism::NeedsTls));
/// # Ok::<(), NoCommonMechanism>(())
/// ```
#[derive(Clone, Debug)]
pub struct Credentials {
    kind: Kind,
    authzid: Option<Box<str>>,
    #[cfg(feature = "scram")]
    prepare: super::prepare::Prepare,
    #[cfg(feature = "scram")]
    iterations: (u32, u32),
    at_least: Strength,
    only: Option<Mechanism>,
    in_the_clear: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Password { user: Box<str>, password: Secret },
    Token { user: Box<str>, token: Secret, endpoint: Option<(Box<str>, u16)> },
    External,
    Anonymous { trace: Option<Box<str>> },
}

/// The reason why no mechanism can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCommonMechanism {
    /// The server offers no mechanism that fits the credentials.
    #[error("the server offers no mechanism for these credentials")]
    NotOffered,
    /// A mechanism would fit, but only in TLS; with opportunistic TLS only if the server has proven
    /// its identity.
    #[error(
        "the mechanisms offered for these credentials need TLS with a server whose certificate is verified"
    )]
    NeedsTls,
    /// The mechanisms that would fit are weaker than the credentials allow.
    #[error("the mechanisms offered for these credentials are too weak")]
    TooWeak,
    /// The mechanism cannot carry the credentials.
    #[error("the mechanism cannot carry the credentials")]
    Credentials(#[from] CredentialsError),
}

impl Credentials {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            authzid: None,
            #[cfg(feature = "scram")]
            prepare: super::prepare::standard,
            #[cfg(feature = "scram")]
            iterations: (super::scram::MIN_ITERATIONS, super::scram::MAX_ITERATIONS),
            at_least: Strength::NOTHING,
            only: None,
            in_the_clear: false,
        }
    }

    /// Creates credentials of a name and a password: SCRAM, CRAM-MD5, PLAIN, LOGIN.
    #[doc(alias("PLAIN", "LOGIN", "SCRAM"))]
    #[must_use]
    pub fn password(user: impl Into<Box<str>>, password: &str) -> Self {
        Self::new(Kind::Password { user: user.into(), password: password.into() })
    }

    /// Creates credentials of a name and a bearer token: OAUTHBEARER, XOAUTH2.
    #[doc(alias("OAuth", "OAUTHBEARER", "XOAUTH2", "bearer"))]
    #[must_use]
    pub fn token(user: impl Into<Box<str>>, token: &str) -> Self {
        Self::new(Kind::Token { user: user.into(), token: token.into(), endpoint: None })
    }

    /// Sets host and port, for token servers that check them (RFC 7628 section 3.1).
    #[must_use]
    pub fn with_endpoint(mut self, host: impl Into<Box<str>>, port: u16) -> Self {
        if let Kind::Token { endpoint, .. } = &mut self.kind {
            *endpoint = Some((host.into(), port));
        }
        self
    }

    /// Creates credentials that refer to the client certificate of the channel: EXTERNAL.
    #[must_use]
    pub const fn external() -> Self {
        Self::new(Kind::External)
    }

    /// Creates anonymous credentials with an optional trace: ANONYMOUS.
    #[must_use]
    pub fn anonymous(trace: Option<impl Into<Box<str>>>) -> Self {
        Self::new(Kind::Anonymous { trace: trace.map(Into::into) })
    }

    /// Sets an authorization identity (authzid); only mechanisms that can carry one are used. With
    /// a token it replaces the name.
    #[must_use]
    pub fn with_authzid(self, authzid: impl Into<Box<str>>) -> Self {
        let authzid = authzid.into();
        Self { authzid: (!authzid.is_empty()).then_some(authzid), ..self }
    }

    /// Sets the preparation of name and password for SCRAM. In PLAIN and LOGIN the server prepares
    /// (RFC 4616 section 2).
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn with_preparation(self, prepare: super::prepare::Prepare) -> Self {
        Self { prepare, ..self }
    }

    /// Sets the SCRAM iteration counts that are accepted from a server: the session ends with
    /// [`TooManyIterations`](super::InitiatorError::TooManyIterations) or
    /// [`TooFewIterations`](super::InitiatorError::TooFewIterations) when it asks for others.
    /// Default: 4096 (RFC 5802 section 5.1) to 600,000 (for the reason and the cost see
    /// [`MAX_ITERATIONS`](super::scram::MAX_ITERATIONS)).
    ///
    /// ```
    /// use esmtp::sasl::Credentials;
    ///
    /// // Less work for a client that logs in at many servers that it does not know.
    /// let credentials = Credentials::password("ann", "correct horse").with_iterations(4096..=50_000);
    /// ```
    #[cfg(feature = "scram")]
    #[must_use]
    pub fn with_iterations(self, iterations: core::ops::RangeInclusive<u32>) -> Self {
        Self { iterations: iterations.into_inner(), ..self }
    }

    /// Rejects mechanisms weaker than `strength`, so that an attacker who removes mechanisms from
    /// the server's list (downgrade) does not get the password.
    #[must_use]
    pub fn with_minimum_strength(self, strength: Strength) -> Self {
        Self { at_least: strength, ..self }
    }

    /// Restricts the choice to this mechanism.
    #[must_use]
    pub fn with_mechanism(self, mechanism: Mechanism) -> Self {
        Self { only: Some(mechanism), ..self }
    }

    /// Permits passwords and tokens outside TLS, where an eavesdropper can read and use them.
    #[must_use]
    pub fn with_secrets_in_clear(self) -> Self {
        Self { in_the_clear: true, ..self }
    }

    /// Returns whether these credentials fit a mechanism.
    fn fit(&self, mechanism: Mechanism) -> bool {
        let has_authzid = self.authzid.is_some();
        match self.kind {
            Kind::Password { .. } => {
                mechanism == Mechanism::PLAIN
                    || (mechanism == Mechanism::LOGIN && !has_authzid)
                    || (cfg!(feature = "cram-md5")
                        && mechanism == Mechanism::CRAM_MD5
                        && !has_authzid)
                    || is_scram(mechanism)
            }
            Kind::Token { .. } => {
                mechanism == Mechanism::OAUTHBEARER
                    || (mechanism == Mechanism::XOAUTH2 && !has_authzid)
            }
            Kind::External => mechanism == Mechanism::EXTERNAL,
            Kind::Anonymous { .. } => mechanism == Mechanism::ANONYMOUS,
        }
    }

    /// Returns the strongest usable mechanism that the server offers.
    ///
    /// # Errors
    /// There is no such mechanism.
    pub fn choose(
        &self,
        offered: &[Mechanism],
        channel: &Channel,
    ) -> Result<Mechanism, NoCommonMechanism> {
        let mut reason = NoCommonMechanism::NotOffered;
        let mut chosen: Option<Mechanism> = None;
        let is_wanted = |mechanism: &Mechanism| {
            self.only.is_none_or(|only| only == *mechanism) && self.fit(*mechanism)
        };
        for &mechanism in offered.iter().filter(|mechanism| is_wanted(mechanism)) {
            if mechanism.needs_channel_binding() && !channel.carries(mechanism) {
                continue;
            } else if !channel.carries(mechanism) && !self.in_the_clear {
                reason = NoCommonMechanism::NeedsTls;
            } else if mechanism.strength() < self.at_least {
                reason = NoCommonMechanism::TooWeak;
            } else if chosen.is_none_or(|chosen| chosen.strength() < mechanism.strength()) {
                chosen = Some(mechanism);
            }
        }
        chosen.ok_or(reason)
    }

    /// Returns the initiator of the strongest usable mechanism that the server offers.
    ///
    /// # Errors
    /// There is no such mechanism, or it cannot carry the credentials.
    pub fn strongest(
        &self,
        offered: &[Mechanism],
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Box<dyn Initiator>, NoCommonMechanism> {
        let mechanism = self.choose(offered, channel)?;
        Ok(match &self.kind {
            Kind::Password { user, password } => {
                // The password was created from a string.
                let password = core::str::from_utf8(password.expose()).unwrap_or_default();
                match mechanism {
                    Mechanism::PLAIN => Box::new(PlainInitiator::with_authzid(
                        self.authzid.as_deref(),
                        user,
                        password,
                    )?),
                    Mechanism::LOGIN => Box::new(LoginInitiator::new(user, password)?),
                    #[cfg(feature = "cram-md5")]
                    Mechanism::CRAM_MD5 => Box::new(super::CramMd5Initiator::new(user, password)?),
                    _ => return self.scram(mechanism, user, password, offered, channel, nonce),
                }
            }
            Kind::Token { user, token, endpoint } => {
                let token = core::str::from_utf8(token.expose()).unwrap_or_default();
                if mechanism == Mechanism::XOAUTH2 {
                    Box::new(Xoauth2Initiator::new(user, token)?)
                } else {
                    let authzid = self.authzid.as_deref().unwrap_or(user);
                    let endpoint = endpoint.as_ref().map(|(host, port)| (&**host, *port));
                    Box::new(OauthBearerInitiator::new(Some(authzid), endpoint, token)?)
                }
            }
            Kind::External => Box::new(ExternalInitiator::new(self.authzid.as_deref())?),
            Kind::Anonymous { trace } => Box::new(AnonymousInitiator::new(trace.as_deref())?),
        })
    }

    #[cfg(feature = "scram")]
    fn scram(
        &self,
        mechanism: Mechanism,
        user: &str,
        password: &str,
        offered: &[Mechanism],
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Box<dyn Initiator>, NoCommonMechanism> {
        use super::scram::{Binding, Hash, ScramInitiator};

        let hash = Hash::of(mechanism).ok_or(NoCommonMechanism::NotOffered)?;
        // RFC 5802 section 6: `y` means that no -PLUS mechanism was offered, whatever its digest.
        let saw_plus = offered.iter().any(Mechanism::needs_channel_binding);
        let binding = match channel.best_binding() {
            Some(binding) if mechanism.needs_channel_binding() => Binding::Bound(binding.clone()),
            Some(_) if channel.is_tls() && !saw_plus => Binding::NotOffered,
            Some(_) | None => Binding::None,
        };
        let mut initiator =
            ScramInitiator::with_preparation(hash, user, password, nonce, self.prepare)?
                .with_channel_binding(binding);
        let (least, most) = self.iterations;
        initiator = initiator.with_iterations(least..=most);
        if let Some(authzid) = &self.authzid {
            initiator = initiator.with_authzid(authzid)?;
        }
        Ok(Box::new(initiator))
    }

    #[cfg(not(feature = "scram"))]
    fn scram(
        &self,
        _: Mechanism,
        _: &str,
        _: &str,
        _: &[Mechanism],
        _: &Channel,
        _: Nonce,
    ) -> Result<Box<dyn Initiator>, NoCommonMechanism> {
        // Never chosen: `fit` knows none of them.
        Err(NoCommonMechanism::NotOffered)
    }
}

#[cfg(feature = "scram")]
fn is_scram(mechanism: Mechanism) -> bool {
    super::scram::Hash::of(mechanism).is_some()
}

#[cfg(not(feature = "scram"))]
const fn is_scram(_: Mechanism) -> bool {
    false
}

/// Returns the index of the strongest initiator that the server offers and the channel carries.
#[must_use]
pub fn strongest(
    initiators: &[Box<dyn Initiator>],
    offered: &[Mechanism],
    channel: &Channel,
) -> Option<usize> {
    let can_run = |initiator: &dyn Initiator| {
        offered.contains(&initiator.mechanism())
            && (channel.hides_secrets() || !initiator.needs_tls())
    };
    initiators
        .iter()
        .enumerate()
        .filter(|(_, initiator)| can_run(&***initiator))
        // Of equals the first.
        .rev()
        .max_by_key(|(_, initiator)| initiator.strength())
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{BindingType, ChannelBinding};
    use alloc::format;
    use alloc::vec;

    const EVERYTHING: [Mechanism; 13] = [
        Mechanism::ANONYMOUS,
        Mechanism::CRAM_MD5,
        Mechanism::EXTERNAL,
        Mechanism::LOGIN,
        Mechanism::OAUTHBEARER,
        Mechanism::PLAIN,
        Mechanism::SCRAM_SHA_1,
        Mechanism::SCRAM_SHA_1_PLUS,
        Mechanism::SCRAM_SHA_256,
        Mechanism::SCRAM_SHA_256_PLUS,
        Mechanism::SCRAM_SHA_512,
        Mechanism::SCRAM_SHA_512_PLUS,
        Mechanism::XOAUTH2,
    ];

    fn bindable() -> Channel {
        Channel::tls().with(ChannelBinding::new(BindingType::TlsExporter, [9; 32]))
    }

    /// 4616-5-a, 8314-5-a, 4954-4-y
    #[test]
    fn passwords_and_tokens_need_tls() {
        let plain = [Mechanism::PLAIN, Mechanism::LOGIN];
        let password = Credentials::password("ann", "secret");
        let clear = Channel::CLEAR;
        assert_eq!(password.choose(&plain, &clear), Err(NoCommonMechanism::NeedsTls));
        assert_eq!(password.choose(&plain, &Channel::tls()), Ok(Mechanism::PLAIN));
        let only = password.clone().with_mechanism(Mechanism::LOGIN);
        assert_eq!(only.choose(&EVERYTHING, &bindable()), Ok(Mechanism::LOGIN));
        assert_eq!(only.choose(&plain[..1], &bindable()), Err(NoCommonMechanism::NotOffered));
        assert_eq!(password.with_secrets_in_clear().choose(&plain, &clear), Ok(Mechanism::PLAIN));
        let token = Credentials::token("ann", "t");
        let bearer = [Mechanism::XOAUTH2, Mechanism::OAUTHBEARER];
        assert_eq!(token.choose(&bearer, &clear), Err(NoCommonMechanism::NeedsTls));
        assert_eq!(token.choose(&bearer, &Channel::tls()), Ok(Mechanism::OAUTHBEARER));
        assert_eq!(token.choose(&bearer[..1], &Channel::tls()), Ok(Mechanism::XOAUTH2));
        assert_eq!(token.choose(&plain, &Channel::tls()), Err(NoCommonMechanism::NotOffered));
    }

    #[test]
    fn credentials_go_with_their_mechanisms_only() {
        let cases = [
            (Credentials::external(), Mechanism::EXTERNAL),
            (Credentials::anonymous(Some("sirhc")), Mechanism::ANONYMOUS),
            (Credentials::token("ann", "t").with_endpoint("mx", 587), Mechanism::OAUTHBEARER),
        ];
        for (credentials, mechanism) in cases {
            let initiator =
                credentials.strongest(&EVERYTHING, &Channel::tls(), Nonce::new([1; 18])).unwrap();
            assert_eq!(initiator.mechanism(), mechanism);
        }
        let acting = Credentials::password("ann", "secret").with_authzid("office");
        let offered = [Mechanism::LOGIN, Mechanism::CRAM_MD5];
        assert_eq!(acting.choose(&offered, &Channel::tls()), Err(NoCommonMechanism::NotOffered));
    }

    #[test]
    fn what_is_too_weak_is_not_used() {
        let credentials =
            Credentials::password("ann", "secret").with_minimum_strength(Strength::MUTUAL);
        let offered = [Mechanism::PLAIN, Mechanism::CRAM_MD5, Mechanism::LOGIN];
        assert_eq!(credentials.choose(&offered, &Channel::tls()), Err(NoCommonMechanism::TooWeak));
    }

    /// 5802-4-a, 5802-6-a, 5802-6-c
    #[cfg(feature = "scram")]
    #[test]
    fn the_channel_binding_flag_follows_the_offer() {
        let credentials = Credentials::password("ann", "secret");
        let without_plus = [Mechanism::PLAIN, Mechanism::SCRAM_SHA_1, Mechanism::SCRAM_SHA_256];
        let another_plus = [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_1_PLUS];
        let cases = [
            (&EVERYTHING[..], bindable(), Mechanism::SCRAM_SHA_512_PLUS, "p=tls-exporter,,n=ann,"),
            (&EVERYTHING[..], Channel::tls(), Mechanism::SCRAM_SHA_512, "n,,n=ann,"),
            (&EVERYTHING[..], Channel::CLEAR, Mechanism::SCRAM_SHA_512, "n,,n=ann,"),
            (&without_plus[..], bindable(), Mechanism::SCRAM_SHA_256, "y,,n=ann,"),
            (&without_plus[..2], bindable(), Mechanism::SCRAM_SHA_1, "y,,n=ann,"),
            (&another_plus[..], bindable(), Mechanism::SCRAM_SHA_1_PLUS, "p=tls-exporter,,n=ann,"),
        ];
        for (offered, channel, mechanism, start) in cases {
            let mut initiator =
                credentials.strongest(offered, &channel, Nonce::new([1; 18])).unwrap();
            assert_eq!(initiator.mechanism(), mechanism);
            let message = initiator.initial_response().unwrap().unwrap();
            assert!(message.expose().starts_with(start.as_bytes()), "{mechanism}");
        }
        let acting = credentials.with_authzid("office");
        let mut initiator = acting.strongest(&EVERYTHING, &Channel::CLEAR, Nonce::new([1; 18]));
        let message = initiator.as_mut().unwrap().initial_response().unwrap().unwrap();
        assert!(message.expose().starts_with(b"n,a=office,n=ann,"));
    }

    /// Rejects iteration counts outside the limits before any calculation (RFC 5802 section 9).
    #[cfg(feature = "scram")]
    #[test]
    fn the_iterations_of_scram_are_a_setting() {
        use crate::sasl::InitiatorError;

        let asked = |credentials: &Credentials, iterations: u32| {
            let nonce = Nonce::new([1; 18]);
            let text = alloc::string::String::from(nonce.as_str());
            let offered = [Mechanism::SCRAM_SHA_256];
            let mut initiator = credentials.strongest(&offered, &Channel::CLEAR, nonce).unwrap();
            let _ = initiator.initial_response().unwrap();
            let challenge = format!("r={text}server,s=QQ==,i={iterations}");
            initiator.respond(challenge.as_bytes()).map(|_| ())
        };
        let default = Credentials::password("ann", "secret");
        let (floor, cap) = (4096, 600_000);
        assert_eq!(asked(&default, 4096), Ok(()));
        for announced in [600_001, 1_000_000, u32::MAX] {
            let expected = Err(InitiatorError::TooManyIterations { announced, cap });
            assert_eq!(asked(&default, announced), expected);
        }
        let announced = 4095;
        let expected = Err(InitiatorError::TooFewIterations { announced, floor });
        assert_eq!(asked(&default, announced), expected);
        let set = default.with_iterations(10..=20);
        for announced in [10, 15, 20] {
            assert_eq!(asked(&set, announced), Ok(()));
        }
        let expected = Err(InitiatorError::TooManyIterations { announced: 21, cap: 20 });
        assert_eq!(asked(&set, 21), expected);
        let expected = Err(InitiatorError::TooFewIterations { announced: 9, floor: 10 });
        assert_eq!(asked(&set, 9), expected);
        // The setting goes along with every copy and further setting.
        let acting = set.clone().with_authzid("office").with_minimum_strength(Strength::MUTUAL);
        assert!(asked(&acting, 20).is_ok() && asked(&acting, 4096).is_err());
    }

    #[test]
    fn the_strongest_initiator_that_can_run() {
        let initiators: [Box<dyn Initiator>; 3] = [
            Box::new(PlainInitiator::new("ann", "secret").unwrap()),
            Box::new(LoginInitiator::new("ann", "secret").unwrap()),
            Box::new(ExternalInitiator::new(None).unwrap()),
        ];
        let cases = [
            (vec![Mechanism::PLAIN, Mechanism::LOGIN], Channel::tls(), Some(0)),
            (vec![Mechanism::LOGIN], Channel::tls(), Some(1)),
            (vec![Mechanism::PLAIN, Mechanism::EXTERNAL], Channel::tls(), Some(2)),
            (vec![Mechanism::PLAIN], Channel::CLEAR, None),
            (vec![Mechanism::CRAM_MD5], Channel::tls(), None),
        ];
        for (offered, channel, expected) in cases {
            assert_eq!(strongest(&initiators, &offered, &channel), expected, "{offered:?}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!(
            "{:?} {:?}",
            Credentials::password("ann", "tanstaaf"),
            Credentials::token("ann", "tanstaaf")
        );
        assert!(shown.contains("ann") && !shown.contains("tanstaaf"), "{shown}");
        assert!(bindable().is_tls());
    }
}
