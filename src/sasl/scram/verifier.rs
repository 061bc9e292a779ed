//! The server's side of SCRAM.

use super::message::{ClientFinal, ClientFirst, ServerFinal, ServerFirst};
use super::{Decoy, Hash, Keys};
use crate::sasl::gs2::Flag;
use crate::sasl::prepare::{Prepare, standard};
use crate::sasl::question::{Answer, KeysQuestion, Question};
use crate::sasl::{
    BindingType, Channel, Identity, Mechanism, Nonce, Secret, Step, Verifier, VerifierError,
};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The server's side of SCRAM.
pub struct ScramVerifier {
    hash: Hash,
    nonce: String,
    decoy: Decoy,
    prepare: Prepare,
    /// The channel of the `-PLUS` mechanism.
    channel: Option<Channel>,
    offers_plus: bool,
    state: State,
}

enum State {
    Start,
    Asked { first: First, answer: Answer<Option<Keys>> },
    Challenged { first: First, keys: Keys, is_known: bool, server_first: String },
    Over,
}

/// The client's first message, as far as it is needed later.
struct First {
    user: Box<str>,
    authzid: Option<Box<str>>,
    /// `client-first-message-bare`, as received.
    bare: String,
    nonce: String,
    /// The value that `c=` must have.
    channel_binding: Secret,
}

/// Shows nothing of the exchange.
impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl ScramVerifier {
    /// Creates a verifier without channel binding, for a server that does not offer it. The nonce
    /// is the server's part.
    #[must_use]
    pub fn new(hash: Hash, nonce: Nonce, decoy: Decoy) -> Self {
        Self {
            hash,
            nonce: nonce.into_string(),
            decoy,
            prepare: standard,
            channel: None,
            offers_plus: false,
            state: State::Start,
        }
    }

    /// Creates a verifier of the `-PLUS` mechanism on this channel.
    #[must_use]
    pub fn plus(hash: Hash, nonce: Nonce, decoy: Decoy, channel: Channel) -> Self {
        Self { channel: Some(channel), offers_plus: true, ..Self::new(hash, nonce, decoy) }
    }

    /// Records that a `-PLUS` mechanism was also offered: a client that supports it but did not see
    /// it (flag `y`) is rejected, since an attacker removed it from the list (downgrade, RFC 5802
    /// section 6).
    #[must_use]
    pub fn with_plus_offered(self) -> Self {
        Self { offers_plus: true, ..self }
    }

    /// Sets another preparation of the name that the keys are looked up by.
    #[must_use]
    pub fn with_preparation(self, prepare: Prepare) -> Self {
        Self { prepare, ..self }
    }

    fn read_first(&self, response: &[u8]) -> Result<First, VerifierError> {
        let message = ClientFirst::parse(response)?;
        let (header, bare) = ClientFirst::split(response);
        let mut channel_binding = Vec::from(header);
        match (message.header.flag, &self.channel) {
            (Flag::None, None) => {}
            (Flag::NotOffered, _) if self.offers_plus => return Err(VerifierError::Downgrade),
            (Flag::NotOffered, _) => {}
            (Flag::Used(name), Some(channel)) => {
                let binding = BindingType::from_name(name).and_then(|kind| channel.binding(kind));
                let binding = binding.ok_or(VerifierError::UnsupportedChannelBinding)?;
                channel_binding.extend_from_slice(binding.data());
            }
            (Flag::Used(_), None) | (Flag::None, Some(_)) => {
                return Err(VerifierError::ChannelBindingFlag);
            }
        }
        Ok(First {
            user: (self.prepare)(&message.user)?.into(),
            authzid: message.header.authzid.map(Into::into),
            bare: bare.into(),
            nonce: format!("{}{}", message.nonce, self.nonce),
            channel_binding: channel_binding.into(),
        })
    }

    fn challenge(&mut self, first: First, keys: Option<Keys>) -> Step {
        let is_known = keys.is_some();
        // Computed even when it is not needed: the same amount of work for every name.
        let decoy = self.decoy.keys(self.hash, &first.user);
        let keys = keys.unwrap_or(decoy);
        if keys.hash() != self.hash {
            return Step::Failed(VerifierError::KeysOfAnotherMechanism);
        }
        let server_first = ServerFirst {
            nonce: &first.nonce,
            salt: keys.salt().into(),
            iterations: keys.iterations(),
        }
        .encode();
        let challenge = server_first.as_bytes().into();
        self.state = State::Challenged { first, keys, is_known, server_first };
        Step::Challenge(challenge)
    }
}

/// Checks the client's proof and computes the server's.
fn check(
    first: First,
    keys: &Keys,
    is_known: bool,
    server_first: &str,
    response: &[u8],
) -> Result<Step, VerifierError> {
    let message = ClientFinal::parse(response)?;
    if message.nonce != first.nonce {
        return Err(VerifierError::Nonce);
    }
    if !first.channel_binding.matches(&message.channel_binding) {
        return Err(VerifierError::ChannelBindingMismatch);
    }
    let auth_message =
        format!("{},{server_first},{}", first.bare, ClientFinal::without_proof(response));
    // The proof against a decoy is computed like any other.
    if keys.proves(&message.proof, &auth_message) & is_known {
        let signature = keys.sign(&auth_message).expose().to_vec();
        let identity = Identity::new(first.user).with_authzid(first.authzid);
        let success = ServerFinal::Signature(signature).encode();
        Ok(Step::proved_with(identity, success.into_bytes()))
    } else {
        Err(VerifierError::Rejected)
    }
}

impl Verifier for ScramVerifier {
    fn mechanism(&self) -> Mechanism {
        if self.channel.is_some() { self.hash.mechanism_plus() } else { self.hash.mechanism() }
    }

    fn step(&mut self, response: Option<&[u8]>) -> Step {
        match (core::mem::replace(&mut self.state, State::Over), response) {
            (State::Start, None) => {
                self.state = State::Start;
                Step::Challenge([].into())
            }
            (State::Start, Some(response)) => match self.read_first(response) {
                Ok(first) => {
                    self.state = State::Asked { first, answer: Answer::Open };
                    Step::Ask
                }
                Err(error) => Step::Failed(error),
            },
            (State::Challenged { first, keys, is_known, server_first }, Some(response)) => {
                check(first, &keys, is_known, &server_first, response).unwrap_or_else(Step::Failed)
            }
            (State::Challenged { .. }, None) | (State::Asked { .. } | State::Over, _) => {
                Step::Failed(VerifierError::OutOfTurn)
            }
        }
    }

    fn question(&mut self) -> Option<Question<'_>> {
        match &mut self.state {
            State::Asked { first, answer } => {
                Some(Question::Keys(KeysQuestion::new(&first.user, self.hash, answer)))
            }
            State::Start | State::Challenged { .. } | State::Over => None,
        }
    }

    fn resume(&mut self) -> Step {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Asked { first, answer: Answer::Open } => {
                self.state = State::Asked { first, answer: Answer::Open };
                Step::Ask
            }
            State::Asked { answer: Answer::Unavailable, .. } => {
                Step::Failed(VerifierError::Unavailable)
            }
            State::Asked { first, answer: Answer::Given(keys) } => self.challenge(first, keys),
            State::Start | State::Challenged { .. } | State::Over => {
                Step::Failed(VerifierError::OutOfTurn)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::scram::{Binding, ScramInitiator};
    use crate::sasl::{ChannelBinding, Initiator, InitiatorError, Refused};

    /// The published exchanges: RFC 5802 section 5, RFC 7677 section 3.
    struct Published {
        hash: Hash,
        salt: &'static [u8],
        client_nonce: &'static str,
        server_nonce: &'static str,
        messages: [&'static str; 4],
    }

    const PUBLISHED: [Published; 2] = [
        Published {
            hash: Hash::Sha1,
            salt: b"\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76",
            client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
            server_nonce: "3rfcNHYJY1ZVvWVs7j",
            messages: [
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                 p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
        },
        Published {
            hash: Hash::Sha256,
            salt: b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81",
            client_nonce: "rOprNGfwEbeRWgbNEkqO",
            server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            messages: [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        },
    ];

    fn client(hash: Hash) -> ScramInitiator {
        let nonce = Nonce::from_text("clientnonce").unwrap();
        ScramInitiator::new(hash, "user", "pencil", nonce).unwrap()
    }

    fn server(hash: Hash) -> ScramVerifier {
        let nonce = Nonce::from_text("servernonce").unwrap();
        ScramVerifier::new(hash, nonce, Decoy::new([7; 32]))
    }

    fn keys(hash: Hash) -> Keys {
        Keys::derive(hash, "pencil", *b"salt", 4096).unwrap()
    }

    fn supply(server: &mut ScramVerifier, keys: Option<Keys>) -> Step {
        assert!(matches!(server.resume(), Step::Ask));
        let Some(Question::Keys(question)) = server.question() else { panic!() };
        match keys {
            Some(keys) => question.supply(keys),
            None => question.unknown(),
        }
        server.resume()
    }

    fn challenge(step: Step) -> Vec<u8> {
        let Step::Challenge(challenge) = step else { panic!("{step:?}") };
        challenge
    }

    fn failure(step: Step) -> VerifierError {
        let Step::Failed(error) = step else { panic!("{step:?}") };
        error
    }

    /// 5802-4-a, 5802-5-a, 7677-3-a, 4422-3.6-b
    #[test]
    fn the_published_exchanges() {
        for Published { hash, salt, client_nonce, server_nonce, messages } in PUBLISHED {
            let nonce = Nonce::from_text(client_nonce).unwrap();
            let mut client = ScramInitiator::new(hash, "user", "pencil", nonce).unwrap();
            let nonce = Nonce::from_text(server_nonce).unwrap();
            let mut server = ScramVerifier::new(hash, nonce, Decoy::new([7; 32]));

            assert_eq!(challenge(server.step(None)), b"");
            let first = client.respond(b"").unwrap();
            assert_eq!(first.expose(), messages[0].as_bytes());
            assert!(matches!(server.step(Some(first.expose())), Step::Ask));
            let keys = Keys::derive(hash, "pencil", salt, 4096).unwrap();
            let server_first = challenge(supply(&mut server, Some(keys)));
            assert_eq!(server_first, messages[1].as_bytes());
            let proof = client.respond(&server_first).unwrap();
            assert_eq!(proof.expose(), messages[2].as_bytes());
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
            let Step::Proved(proven) = server.step(Some(proof.expose())) else { panic!() };
            assert_eq!(proven.identity(), &Identity::new("user"));
            assert_eq!(proven.success_data(), Some(messages[3].as_bytes()));
            assert_eq!(failure(server.step(Some(b""))), VerifierError::OutOfTurn);
        }
    }

    /// 5802-5.1-m: RFC 5802 sections 2.2 and 5.1.
    #[test]
    fn a_client_prepares_its_name_and_its_password() {
        let hash = Hash::Sha256;
        let nonce = Nonce::from_text("clientnonce").unwrap();
        let mut client =
            ScramInitiator::new(hash, "us\u{ad}er", "pen\u{ad}\u{217d}il", nonce).unwrap();
        let mut server = server(hash);
        let first = client.initial_response().unwrap().unwrap();
        assert_eq!(first.expose(), b"n,,n=user,r=clientnonce");
        let _ = server.step(Some(first.expose()));
        let server_first = challenge(supply(&mut server, Some(keys(hash))));
        let proof = client.respond(&server_first).unwrap();
        assert!(matches!(server.step(Some(proof.expose())), Step::Proved(_)));
    }

    #[test]
    fn a_proof_has_the_length_of_the_digest() {
        let hash = Hash::Sha256;
        for (change, is_proof) in [(0, true), (1, false), (32, false), (-1, false)] {
            let (mut client, mut server) = (client(hash), server(hash));
            let _ = server.step(Some(client.initial_response().unwrap().unwrap().expose()));
            let server_first = challenge(supply(&mut server, Some(keys(hash))));
            let sent = client.respond(&server_first).unwrap();
            let mut message = ClientFinal::parse(sent.expose()).unwrap();
            let length = message.proof.len().checked_add_signed(change).unwrap();
            message.proof.resize(length, 0);
            let end = server.step(Some(message.encode().as_bytes()));
            assert_eq!(matches!(end, Step::Proved(_)), is_proof, "{change}");
        }
    }

    /// 5802-5.1-i, 5802-5.1-j: the server's signature, as a challenge or with the success.
    #[test]
    fn success_counts_only_with_the_servers_signature() {
        let Published { hash, client_nonce, messages, .. } = &PUBLISHED[0];
        let at_the_end = || {
            let nonce = Nonce::from_text(*client_nonce).unwrap();
            let mut client = ScramInitiator::new(*hash, "user", "pencil", nonce).unwrap();
            let _ = client.initial_response().unwrap();
            let _ = client.respond(messages[1].as_bytes()).unwrap();
            client
        };
        let mut client = at_the_end();
        assert!(client.respond(messages[3].as_bytes()).unwrap().is_empty());
        assert_eq!(client.finish(None), Ok(()));
        assert_eq!(at_the_end().finish(Some(messages[3].as_bytes())), Ok(()));

        let wrong: [(&[u8], InitiatorError); 5] = [
            (b"v=smF9pqV8S7suAoZWja4dJRkFsKQ=", InitiatorError::WrongSignature),
            (b"v=", InitiatorError::WrongSignature),
            (b"v=rmF9", InitiatorError::WrongSignature),
            (b"e=invalid-proof", InitiatorError::Refused(Refused::InvalidProof)),
            (b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,m=x", InitiatorError::MandatoryExtension),
        ];
        for (message, expected) in wrong {
            let mut client = at_the_end();
            assert_eq!(client.respond(message).map(|_| ()), Err(expected.clone()));
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
            assert_eq!(
                client.finish(Some(messages[3].as_bytes())),
                Err(InitiatorError::Incomplete)
            );
            assert_eq!(at_the_end().finish(Some(message)), Err(expected));
        }
        // 235 at once, after the first message, or after the proof.
        let mut client = at_the_end();
        assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
        assert_eq!(super::tests::client(*hash).finish(None), Err(InitiatorError::Incomplete));
        // One more challenge after the signature.
        let mut client = at_the_end();
        let _ = client.respond(messages[3].as_bytes()).unwrap();
        assert!(client.respond(b"").is_err());
        assert!(client.finish(None).is_err());
    }

    /// 5802-5.1-b, 5802-5.1-d, 5802-5.1-h
    #[test]
    fn a_client_refuses_a_server_that_cheats() {
        let cases: [(&str, InitiatorError); 9] = [
            ("r=clientnoncf1,s=QQ==,i=4096", InitiatorError::Nonce),
            ("r=clientnonce,s=QQ==,i=4096", InitiatorError::Nonce),
            ("r=other,s=QQ==,i=4096", InitiatorError::Nonce),
            (
                "r=clientnonce1,s=QQ==,i=4095",
                InitiatorError::TooFewIterations { announced: 4095, floor: 4096 },
            ),
            (
                "r=clientnonce1,s=QQ==,i=1",
                InitiatorError::TooFewIterations { announced: 1, floor: 4096 },
            ),
            (
                "r=clientnonce1,s=QQ==,i=600001",
                InitiatorError::TooManyIterations { announced: 600_001, cap: 600_000 },
            ),
            (
                "r=clientnonce1,s=QQ==,i=4294967295",
                InitiatorError::TooManyIterations { announced: u32::MAX, cap: 600_000 },
            ),
            ("m=x,r=clientnonce1,s=QQ==,i=4096", InitiatorError::MandatoryExtension),
            ("r=clientnonce1,s=QQ==,i=4096,m=x", InitiatorError::MandatoryExtension),
        ];
        for (message, expected) in cases {
            let mut client = client(Hash::Sha256);
            let _ = client.initial_response().unwrap();
            assert_eq!(client.respond(message.as_bytes()).map(|_| ()), Err(expected), "{message}");
            assert!(client.respond(b"r=clientnonce1,s=QQ==,i=4096").is_err());
            assert_eq!(client.finish(None), Err(InitiatorError::Incomplete));
        }
        for message in ["", "r=clientnonce1,s=QQ==,i=4294967296", "r=clientnonce1,s=QQ==,i=1,"] {
            let mut client = client(Hash::Sha256);
            let _ = client.initial_response().unwrap();
            let refused = client.respond(message.as_bytes());
            assert!(matches!(refused, Err(InitiatorError::Malformed(_))), "{message}");
        }
        let mut client = client(Hash::Sha256).with_iterations(1..=10);
        let _ = client.initial_response().unwrap();
        assert!(client.respond(b"r=clientnonce1,s=QQ==,i=1").is_ok());
    }

    /// 5802-5.1-e, 5802-5.1-f, 5802-5.1-a, 5802-7-a
    #[test]
    fn a_server_refuses_a_client_that_cheats() {
        let (hash, binding) = (Hash::Sha1, "c=biws,r=clientnonceservernonce");
        let cases = [
            (
                "c=biws,r=clientnonceservernoncf,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                VerifierError::Nonce,
            ),
            ("c=biws,r=clientnonce,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", VerifierError::Nonce),
            // "y,,"
            (
                "c=eSws,r=clientnonceservernonce,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                VerifierError::ChannelBindingMismatch,
            ),
            ("c=biws,r=clientnonceservernonce,m=x,p=QQ==", VerifierError::MandatoryExtension),
            (&format!("{binding},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), VerifierError::Rejected),
            (&format!("{binding},p=v0X8"), VerifierError::Rejected),
            (&format!("{binding},p="), VerifierError::Rejected),
        ];
        for (message, expected) in cases {
            let mut server = server(hash);
            let _ = server.step(Some(b"n,,n=user,r=clientnonce"));
            let _ = challenge(supply(&mut server, Some(keys(hash))));
            assert_eq!(failure(server.step(Some(message.as_bytes()))), expected, "{message}");
            assert_eq!(failure(server.step(Some(message.as_bytes()))), VerifierError::OutOfTurn);
        }
        for message in ["n,,n=us=er,r=abc", "x,,n=user,r=abc", "n,,n=user,r=abc,", ""] {
            let refused = failure(server(hash).step(Some(message.as_bytes())));
            assert!(matches!(refused, VerifierError::Malformed(_)), "{message}");
        }
        let refused = failure(server(hash).step(Some(b"n,,m=x,n=user,r=abc")));
        assert_eq!(refused, VerifierError::MandatoryExtension);
    }

    fn bound(data: u8) -> (Binding, Channel) {
        let binding = ChannelBinding::new(BindingType::TlsExporter, [data; 32]);
        (Binding::Bound(binding.clone()), Channel::tls().with(binding))
    }

    /// 5802-5.1-f, 5802-6-b, 5802-6-d
    #[test]
    fn channel_binding_is_negotiated_and_checked() {
        let hash = Hash::Sha256;
        let (binding, channel) = bound(1);
        let plus = |channel: &Channel| {
            let nonce = Nonce::from_text("servernonce").unwrap();
            ScramVerifier::plus(hash, nonce, Decoy::new([7; 32]), channel.clone())
        };
        // A channel with an attacker between the two sides.
        for (server_channel, expected) in
            [(&channel, None), (&bound(2).1, Some(VerifierError::ChannelBindingMismatch))]
        {
            let mut client = client(hash).with_channel_binding(binding.clone());
            assert!(client.needs_tls());
            assert_eq!(client.mechanism(), Mechanism::SCRAM_SHA_256_PLUS);
            let mut server = plus(server_channel);
            assert_eq!(server.mechanism(), Mechanism::SCRAM_SHA_256_PLUS);
            let _ = server.step(Some(client.initial_response().unwrap().unwrap().expose()));
            let server_first = challenge(supply(&mut server, Some(keys(hash))));
            let end = server.step(Some(client.respond(&server_first).unwrap().expose()));
            match expected {
                Some(error) => assert_eq!(failure(end), error),
                None => assert!(matches!(end, Step::Proved(_))),
            }
        }
        let cases: [(ScramVerifier, &str, VerifierError); 7] = [
            (server(hash).with_plus_offered(), "y,,n=user,r=abc", VerifierError::Downgrade),
            (plus(&channel), "y,,n=user,r=abc", VerifierError::Downgrade),
            (plus(&channel), "n,,n=user,r=abc", VerifierError::ChannelBindingFlag),
            (server(hash), "p=tls-exporter,,n=user,r=abc", VerifierError::ChannelBindingFlag),
            (plus(&channel), "p=foo,,n=user,r=abc", VerifierError::UnsupportedChannelBinding),
            (
                plus(&channel),
                "p=tls-unique,,n=user,r=abc",
                VerifierError::UnsupportedChannelBinding,
            ),
            (
                plus(&Channel::CLEAR),
                "p=tls-unique,,n=user,r=abc",
                VerifierError::UnsupportedChannelBinding,
            ),
        ];
        for (mut server, message, expected) in cases {
            assert_eq!(failure(server.step(Some(message.as_bytes()))), expected, "{message}");
        }
        // Without a `-PLUS` offer `y` is true; `n` is always accepted.
        for (mut server, message) in [
            (server(hash), "y,,n=user,r=abc"),
            (server(hash).with_plus_offered(), "n,,n=user,r=abc"),
        ] {
            assert!(matches!(server.step(Some(message.as_bytes())), Step::Ask));
        }
    }

    /// 4422-3.6-a: the same dialogue, the same failure, for every name the same salt.
    #[test]
    fn an_unknown_user_looks_like_a_wrong_password() {
        let hash = Hash::Sha256;
        let mut salts = Vec::new();
        for (stored, user) in [(Some(keys(hash)), "user"), (None, "user"), (None, "user")] {
            let mut server = server(hash);
            let nonce = Nonce::from_text("clientnonce").unwrap();
            let mut client = ScramInitiator::new(hash, user, "wrong", nonce).unwrap();
            let _ = server.step(Some(client.initial_response().unwrap().unwrap().expose()));
            let server_first = challenge(supply(&mut server, stored));
            let message = ServerFirst::parse(&server_first).unwrap();
            assert_eq!(message.iterations, 4096);
            salts.push(message.salt);
            let end = server.step(Some(client.respond(&server_first).unwrap().expose()));
            assert_eq!(failure(end), VerifierError::Rejected);
        }
        assert_eq!(salts[1], salts[2]);
    }

    #[test]
    fn answers_that_do_not_help() {
        let mut one = server(Hash::Sha256);
        let _ = one.step(Some(b"n,,n=user,r=clientnonce"));
        let Some(Question::Keys(question)) = one.question() else { panic!() };
        assert_eq!((question.user(), question.hash()), ("user", Hash::Sha256));
        question.unavailable();
        assert_eq!(failure(one.resume()), VerifierError::Unavailable);

        let mut one = server(Hash::Sha256);
        let _ = one.step(Some(b"n,,n=user,r=clientnonce"));
        let end = supply(&mut one, Some(keys(Hash::Sha1)));
        assert_eq!(failure(end), VerifierError::KeysOfAnotherMechanism);
        assert!(one.question().is_none());
    }

    /// 5802-5.1-a, 5802-5.1-k, 4616-2-g
    #[test]
    fn names_arrive_as_they_were_meant() {
        let mut server = server(Hash::Sha1);
        let _ = server.step(Some(b"n,a=ad=2Cmin,n=a=2Cb=3Dc,r=clientnonce,x=1"));
        let _ = challenge(supply(&mut server, None));
        let State::Challenged { first, .. } = &server.state else { panic!() };
        assert_eq!((&*first.user, first.authzid.as_deref()), ("a,b=c", Some("ad,min")));
    }

    #[test]
    fn no_secret_is_shown() {
        let hash = Hash::Sha1;
        let mut client = client(hash).with_channel_binding(bound(251).0);
        let nonce = Nonce::from_text("servernonce").unwrap();
        let mut server = ScramVerifier::plus(hash, nonce, Decoy::new([252; 32]), bound(251).1);
        let mut shown = format!("{client:?} {server:?}");
        let _ = server.step(Some(client.initial_response().unwrap().unwrap().expose()));
        shown += &format!("{client:?} {server:?}");
        shown += &format!("{:?}", server.question());
        let server_first = challenge(supply(&mut server, Some(keys(hash))));
        shown += &format!("{client:?} {server:?}");
        let _ = client.respond(&server_first).unwrap();
        shown += &format!("{client:?}");
        for secret in ["pencil", "251", "252"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
