//! The client's side of SCRAM.

use super::hash::xor;
use super::message::{ClientFinal, ClientFirst, ServerFinal, ServerFirst, encode_without_proof};
use super::{Hash, MAX_ITERATIONS, MIN_ITERATIONS};
use crate::sasl::gs2::{Flag, Header};
use crate::sasl::prepare::{Prepare, standard};
use crate::sasl::{
    ChannelBinding, CredentialsError, Initiator, InitiatorError, Mechanism, Nonce, Secret,
};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::ops::RangeInclusive;

/// The client's state of channel binding (RFC 5802 section 6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// The client does not support it: flag `n`.
    #[default]
    None,
    /// The client supports it, but the server offered no `-PLUS` mechanism: flag `y`. A server that
    /// did offer one detects that an attacker removed it from the list (downgrade).
    NotOffered,
    /// The `-PLUS` mechanism, bound to the channel: flag `p=`.
    Bound(ChannelBinding),
}

/// The client's side of SCRAM.
///
/// The calculation in [`respond`](Initiator::respond) takes as long as the server's iteration count
/// demands, within [`with_iterations`](Self::with_iterations).
pub struct ScramInitiator {
    hash: Hash,
    binding: Binding,
    authzid: Option<String>,
    user: String,
    password: Secret,
    nonce: String,
    iterations: RangeInclusive<u32>,
    state: State,
}

enum State {
    Ready,
    /// The first message is sent.
    First,
    /// The proof is sent; this signature proves the server.
    Proof {
        signature: Secret,
    },
    /// The server has proven itself.
    Proven,
    Failed,
}

/// Shows nothing of the exchange.
impl fmt::Debug for ScramInitiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, user, .. } = self;
        f.debug_struct("ScramInitiator")
            .field("hash", hash)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

impl ScramInitiator {
    /// Creates an initiator that authenticates as `user`, without channel binding. Name and
    /// password are prepared by [`standard`].
    ///
    /// # Errors
    /// A name or password that cannot be prepared.
    pub fn new(
        hash: Hash,
        user: &str,
        password: &str,
        nonce: Nonce,
    ) -> Result<Self, CredentialsError> {
        Self::with_preparation(hash, user, password, nonce, standard)
    }

    /// Creates an initiator like [`new`](Self::new), with another preparation.
    ///
    /// # Errors
    /// A name or password that cannot be prepared; a NUL in a name.
    pub fn with_preparation(
        hash: Hash,
        user: &str,
        password: &str,
        nonce: Nonce,
        prepare: Prepare,
    ) -> Result<Self, CredentialsError> {
        let user = prepare(user)?.into_owned();
        let password = Secret::new(prepare(password)?.into_owned());
        if user.is_empty() || password.is_empty() {
            return Err(CredentialsError::Empty);
        }
        if user.contains('\0') {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self {
            hash,
            binding: Binding::None,
            authzid: None,
            user,
            password,
            nonce: nonce.into_string(),
            iterations: MIN_ITERATIONS..=MAX_ITERATIONS,
            state: State::Ready,
        })
    }

    /// Sets the channel binding; [`Binding::Bound`] selects the `-PLUS` mechanism.
    #[must_use]
    pub fn with_channel_binding(self, binding: Binding) -> Self {
        Self { binding, ..self }
    }

    /// Sets the authorization identity (authzid).
    ///
    /// # Errors
    /// An identity with a NUL in it.
    pub fn with_authzid(self, authzid: &str) -> Result<Self, CredentialsError> {
        if authzid.contains('\0') {
            return Err(CredentialsError::Forbidden);
        }
        Ok(Self { authzid: (!authzid.is_empty()).then(|| authzid.into()), ..self })
    }

    /// Sets the iteration counts that are accepted from a server. Default: 4096
    /// ([`MIN_ITERATIONS`]) to 600,000 ([`MAX_ITERATIONS`], with its cost).
    ///
    /// Fewer reveal the password to an attacker who eavesdrops or poses as the server (RFC 5802
    /// section 5.1), more are a denial of service against the client (section 9).
    #[must_use]
    pub fn with_iterations(self, iterations: RangeInclusive<u32>) -> Self {
        Self { iterations, ..self }
    }

    fn header(&self) -> Header<'_> {
        let flag = match &self.binding {
            Binding::None => Flag::None,
            Binding::NotOffered => Flag::NotOffered,
            Binding::Bound(binding) => Flag::Used(binding.kind().as_str()),
        };
        Header { flag, authzid: self.authzid.as_deref().map(Cow::Borrowed) }
    }

    fn first(&self) -> ClientFirst<'_> {
        let user = Cow::Borrowed(self.user.as_str());
        ClientFirst { header: self.header(), user, nonce: &self.nonce }
    }

    fn prove(&mut self, challenge: &[u8]) -> Result<(Secret, Secret), InitiatorError> {
        let server = ServerFirst::parse(challenge)?;
        if server.nonce.strip_prefix(&self.nonce).is_none_or(str::is_empty) {
            return Err(InitiatorError::Nonce);
        }
        let (announced, floor, cap) =
            (server.iterations, *self.iterations.start(), *self.iterations.end());
        if announced < floor {
            return Err(InitiatorError::TooFewIterations { announced, floor });
        }
        if announced > cap {
            return Err(InitiatorError::TooManyIterations { announced, cap });
        }
        let mut channel_binding = self.header().encode().into_bytes();
        if let Binding::Bound(binding) = &self.binding {
            channel_binding.extend_from_slice(binding.data());
        }
        let first = self.first().encode();
        let (_, first_bare) = ClientFirst::split(first.as_bytes());
        let auth_message = format!(
            "{first_bare},{},{}",
            // The challenge was parsed as UTF-8.
            core::str::from_utf8(challenge).unwrap_or_default(),
            encode_without_proof(&channel_binding, server.nonce),
        );

        let hash = self.hash;
        let salted = hash.hi(self.password.expose(), &server.salt, announced);
        self.password = Secret::empty();
        let client_key = hash.hmac(salted.expose(), b"Client Key");
        let stored_key = hash.h(client_key.expose());
        let signature = hash.hmac(stored_key.expose(), auth_message.as_bytes());
        let proof = xor(&client_key, signature.expose());
        let server_key = hash.hmac(salted.expose(), b"Server Key");
        let expected = hash.hmac(server_key.expose(), auth_message.as_bytes());

        let proof = proof.expose().to_vec();
        let message = ClientFinal { channel_binding, nonce: server.nonce, proof }.encode();
        Ok((message.into(), expected))
    }

    fn check(&mut self, signature: &Secret, message: &[u8]) -> Result<(), InitiatorError> {
        match ServerFinal::parse(message)? {
            ServerFinal::Signature(sent) if signature.matches(&sent) => {
                self.state = State::Proven;
                Ok(())
            }
            ServerFinal::Signature(_) => Err(InitiatorError::WrongSignature),
            ServerFinal::Refused(refused) => Err(InitiatorError::Refused(refused)),
        }
    }
}

impl Initiator for ScramInitiator {
    fn mechanism(&self) -> Mechanism {
        match self.binding {
            Binding::None | Binding::NotOffered => self.hash.mechanism(),
            Binding::Bound(_) => self.hash.mechanism_plus(),
        }
    }

    fn initial_response(&mut self) -> Result<Option<Secret>, InitiatorError> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Ready => self.state = State::First,
            State::First | State::Proof { .. } | State::Proven | State::Failed => {
                return Err(InitiatorError::UnexpectedChallenge);
            }
        }
        Ok(Some(self.first().encode().into()))
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, InitiatorError> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Ready if challenge.is_empty() => {
                self.state = State::First;
                Ok(self.first().encode().into())
            }
            State::First => {
                let (message, signature) = self.prove(challenge)?;
                self.state = State::Proof { signature };
                Ok(message)
            }
            // Additional data of the success, as a challenge: the response is empty.
            State::Proof { signature } => {
                self.check(&signature, challenge)?;
                Ok(Secret::empty())
            }
            State::Ready | State::Proven | State::Failed => {
                Err(InitiatorError::UnexpectedChallenge)
            }
        }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), InitiatorError> {
        match (core::mem::replace(&mut self.state, State::Failed), data) {
            (State::Proof { signature }, Some(data)) => self.check(&signature, data),
            (State::Proven, data) if data.is_none_or(<[u8]>::is_empty) => {
                self.state = State::Proven;
                Ok(())
            }
            (State::Proven, _) => Err(InitiatorError::UnexpectedChallenge),
            (State::Ready | State::First | State::Proof { .. } | State::Failed, _) => {
                Err(InitiatorError::Incomplete)
            }
        }
    }
}
