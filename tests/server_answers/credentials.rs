//! AUTH answered in one arm: the application answers `Credentials`, and `proceed()` the rest.

use crate::talk::{Session, config};
use esmtp::{
    sasl::{
        Channel, Credentials, Initiator, Mechanism, Nonce, Offer, OfferError, Secret, Stored,
        StoredPassword,
        scram::{Decoy, Hash, Keys},
    },
    server::{CredentialsQuestion, Event},
    syntax::Base64,
};
use std::{collections::HashMap, sync::Arc};

fn session_with(offer: Offer) -> Session {
    Session::new(config().with_auth(offer.with_secrets_in_clear()))
}

impl Session {
    /// Logs in, and returns the final reply and the challenges.
    fn log_in(
        &mut self,
        initiator: &mut dyn Initiator,
        mut answer: impl FnMut(CredentialsQuestion<'_>),
    ) -> (String, Vec<String>) {
        let mut answer = |event: Event<'_>| match event {
            Event::Credentials(asked) => answer(asked),
            other => other.proceed(),
        };
        self.say("EHLO client.example.net", &mut answer);
        let first = initiator.initial_response().unwrap();
        let first = first.map_or(String::new(), |it| format!(" {}", encoded(&it)));
        let mut reply = self.say(&format!("AUTH {}{first}", initiator.mechanism()), &mut answer);
        let mut challenges = vec![];
        while let Some(challenge) = reply.strip_prefix("334 ") {
            let challenge = Base64::parse(challenge.trim_end()).unwrap().decoded();
            challenges.push(String::from_utf8_lossy(&challenge).into_owned());
            let response = initiator.respond(&challenge).unwrap_or_default();
            reply = self.say(&encoded(&response), &mut answer);
        }
        (reply, challenges)
    }
}

fn encoded(octets: &Secret) -> String {
    Base64::encode(octets.expose()).as_str().to_owned()
}

fn initiator(mechanism: Mechanism, user: &str, password: &str) -> Box<dyn Initiator> {
    let credentials = Credentials::password(user, password).with_mechanism(mechanism);
    let credentials = credentials.with_secrets_in_clear();
    credentials.strongest(&[mechanism], &Channel::CLEAR, Nonce::new([7; 18])).unwrap()
}

const ITERATIONS: u32 = 5000;
const SALT: [u8; 12] = *b"twelve salts";

fn keys(hash: Hash) -> Keys {
    Keys::derive(hash, "secret", SALT, ITERATIONS).unwrap()
}

/// Tries the right password, a wrong one and an unknown user with each mechanism of an offer.
fn assert_serves<S: Stored>(offer: &Offer, stored: S, expected: &[Mechanism]) {
    let offered = offer.clone().with_secrets_in_clear();
    assert_eq!(offered.announced(&Channel::CLEAR, None).collect::<Vec<_>>(), expected);
    assert_eq!(offer.check(), Ok(()));
    let accounts = HashMap::from([("ann", stored)]);
    for mechanism in expected {
        for (user, password, code) in [
            ("ann", "secret", "235 2.7.0"),
            ("ann", "wrong", "535 5.7.8"),
            ("bob", "secret", "535 5.7.8"),
        ] {
            let mut session = session_with(offer.clone());
            let mut initiator = initiator(*mechanism, user, password);
            let (reply, _) = session.log_in(&mut *initiator, |asked| {
                assert_eq!(asked.user(), user);
                asked.check_with(|user| accounts.get(user));
            });
            assert!(reply.starts_with(code), "{mechanism} {user} {password}: {reply}");
            let identity = session.server().facts().identity().map(|it| it.authcid().to_owned());
            assert_eq!(identity.as_deref(), (code == "235 2.7.0").then_some("ann"));
        }
    }
}

#[test]
fn stored_passwords_serve_every_mechanism_of_their_offer() {
    let expected =
        [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_1, Mechanism::PLAIN, Mechanism::LOGIN];
    assert_serves(&Offer::for_passwords(), "secret", &expected);
    assert_serves(&Offer::for_passwords(), Arc::new(String::from("secret")), &expected);
    assert_serves(&Offer::for_passwords(), Secret::from("secret"), &expected);
}

#[test]
fn stored_keys_serve_every_mechanism_of_their_offer() {
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
        let expected = [hash.mechanism(), Mechanism::PLAIN, Mechanism::LOGIN];
        assert_serves(&Offer::for_keys(hash), keys(hash), &expected);
    }
    let both = Offer::for_keys(Hash::Sha256).with_keys(Hash::Sha1);
    let expected =
        [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_1, Mechanism::PLAIN, Mechanism::LOGIN];
    assert_serves(&both, vec![keys(Hash::Sha256), keys(Hash::Sha1)], &expected);
}

#[test]
fn a_record_of_the_application_is_a_stored_password() {
    struct Account(Keys);
    impl Stored for Account {
        fn stored(&self) -> StoredPassword<'_> {
            self.0.stored()
        }
    }
    let expected = [Mechanism::SCRAM_SHA_256, Mechanism::PLAIN, Mechanism::LOGIN];
    assert_serves(&Offer::for_keys(Hash::Sha256), Account(keys(Hash::Sha256)), &expected);
}

#[cfg(feature = "cram-md5")]
#[test]
fn cram_md5_has_the_name_of_the_server_in_its_challenge() {
    let offer = Offer::for_verdicts().with_mechanism(Mechanism::CRAM_MD5);
    let mut session = session_with(offer);
    let mut initiator = initiator(Mechanism::CRAM_MD5, "ann", "secret");
    let (reply, challenges) = session.log_in(&mut *initiator, |asked| asked.check(Some("secret")));
    assert!(reply.starts_with("235"), "{reply}");
    assert!(challenges[0].ends_with("@mx.example.org>"), "{challenges:?}");
}

/// 5802-5.1-g: the challenge for an unknown user is like those for the others.
#[test]
fn an_unknown_user_has_the_iterations_and_the_salt_length_of_the_known_ones() {
    let stored = keys(Hash::Sha256);
    let scale = |offer: &Offer, user: &str| {
        let mut initiator = initiator(Mechanism::SCRAM_SHA_256, user, "secret");
        let found = (user == "ann").then_some(&stored);
        let (_, challenges) =
            session_with(offer.clone()).log_in(&mut *initiator, |asked| asked.check(found));
        let mut parts = challenges[0].split(',').skip(1).map(|it| it[2..].to_owned());
        (parts.next().unwrap(), parts.next().unwrap())
    };
    let offer = Offer::for_keys(Hash::Sha256);
    let (known, iterations) = scale(&offer, "ann");
    let (unknown, same) = scale(&offer, "bob");
    assert_eq!((iterations.as_str(), known.len()), ("5000", 16));
    assert_eq!((&same, unknown.len()), (&iterations, known.len()));
    assert_ne!(unknown, known);
    // The salt of an unknown user does not change.
    assert_eq!(scale(&offer, "bob"), (unknown.clone(), same));
    // A decoy of the application has its own scale.
    let decoy = Decoy::new([1; 32]).with_iterations_and_salt(6000, 9);
    let offer = offer.with_decoy(decoy);
    assert_eq!(scale(&offer, "bob").1, "6000");
    // Where passwords are stored, keys are derived for everyone.
    let offer = Offer::for_passwords();
    let salt = |user| {
        let mut initiator = initiator(Mechanism::SCRAM_SHA_256, user, "secret");
        let found = (user == "ann").then_some("secret");
        let (_, challenges) =
            session_with(offer.clone()).log_in(&mut *initiator, |asked| asked.check(found));
        challenges[0].split(',').skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let (known, unknown) = (salt("ann"), salt("bob"));
    assert_eq!((known[0].len(), &known[1]), (unknown[0].len(), &unknown[1]));
    assert_eq!(salt("ann"), known);
}

#[test]
fn an_answer_may_come_later() {
    let mut session = session_with(Offer::for_passwords());
    let mut asked_before = 0;
    let mut initiator = initiator(Mechanism::PLAIN, "ann", "secret");
    let (reply, _) = session.log_in(&mut *initiator, |asked| {
        asked_before += 1;
        if asked_before > 3 {
            asked.check(Some("secret"));
        }
    });
    assert!(reply.starts_with("235"), "{reply}");
    assert_eq!(asked_before, 4);
}

#[test]
fn a_verdict_from_elsewhere_needs_the_password_or_the_token() {
    let offer = Offer::for_verdicts();
    let mut session = session_with(offer.clone());
    let mut initiator_ = initiator(Mechanism::LOGIN, "ann", "secret");
    let (reply, _) = session.log_in(&mut *initiator_, |asked| {
        match asked.password().is_some_and(|it| it.matches(b"secret")) {
            true => asked.accept_as("ann@example.org"),
            false => asked.reject(),
        }
    });
    assert!(reply.starts_with("235"), "{reply}");
    assert_eq!(session.server().facts().identity().unwrap().authcid(), "ann@example.org");
    for (is_known, code) in [(true, "535 5.7.8"), (false, "454 4.7.0")] {
        let mut initiator = initiator(Mechanism::PLAIN, "ann", "secret");
        let (reply, _) =
            session_with(offer.clone()).log_in(&mut *initiator, |asked| match is_known {
                true => asked.reject(),
                false => asked.unavailable(),
            });
        assert!(reply.starts_with(code), "{reply}");
    }
    // SCRAM reveals no password: a verdict cannot verify it.
    let mut initiator = initiator(Mechanism::SCRAM_SHA_256, "ann", "secret");
    let (reply, _) = session_with(Offer::for_passwords())
        .log_in(&mut *initiator, |asked| asked.accept_as("ann"));
    assert!(reply.starts_with("454 4.7.0"), "{reply}");
}

#[test]
fn tokens_have_an_offer_of_their_own() {
    let offer = Offer::for_tokens().with_secrets_in_clear();
    let expected = [Mechanism::OAUTHBEARER, Mechanism::XOAUTH2];
    assert_eq!(offer.announced(&Channel::CLEAR, None).collect::<Vec<_>>(), expected);
    for mechanism in expected {
        let credentials = Credentials::token("ann", "vF9").with_mechanism(mechanism);
        let credentials = credentials.with_secrets_in_clear();
        let mut initiator =
            credentials.strongest(&expected, &Channel::CLEAR, Nonce::new([1; 18])).unwrap();
        let mut session = session_with(offer.clone());
        let (reply, _) = session.log_in(&mut *initiator, |asked| {
            match asked.token().is_some_and(|token| token.matches(b"vF9")) {
                true => asked.accept_as("ann"),
                false => asked.reject(),
            }
        });
        assert!(reply.starts_with("235"), "{mechanism}: {reply}");
    }
}

/// EXTERNAL, ANONYMOUS and another identity were not asked about.
#[test]
fn proceed_accepts_only_an_identity_that_was_vouched_for() {
    let offer = Offer::for_passwords()
        .with_mechanism(Mechanism::EXTERNAL)
        .with_mechanism(Mechanism::ANONYMOUS);
    for (line, code) in [
        ("AUTH EXTERNAL =", "535 5.7.8"),
        ("AUTH ANONYMOUS =", "535 5.7.8"),
        // "\0ann\0secret", "ann\0ann\0secret", "bob\0ann\0secret"
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "235 2.7.0"),
        ("AUTH PLAIN YW5uAGFubgBzZWNyZXQ=", "235 2.7.0"),
        ("AUTH PLAIN Ym9iAGFubgBzZWNyZXQ=", "535 5.7.8"),
    ] {
        let mut session = session_with(offer.clone());
        let mut answer = |event: Event<'_>| match event {
            Event::Hello(mut hello) => {
                hello.prove("ann");
                hello.accept();
            }
            Event::Credentials(asked) => asked.check(Some("secret")),
            other => other.proceed(),
        };
        session.say("EHLO client.example.net", &mut answer);
        assert_eq!(session.server().facts().proven(), Some("ann"));
        let reply = session.say(line, &mut answer);
        assert!(reply.starts_with(code), "{line}: {reply}");
    }
}

/// An answer to one attempt is no answer to the next.
#[test]
fn an_attempt_does_not_inherit_the_answer_of_another() {
    let offer = Offer::for_passwords().with_mechanism(Mechanism::ANONYMOUS);
    let mut session = session_with(offer);
    let mut answer = |event: Event<'_>| match event {
        Event::Credentials(asked) => asked.check(Some("secret")),
        Event::Authenticated(authenticated) if authenticated.identity().authcid() == "ann" => {
            authenticated.reject(esmtp::syntax::Rejection::POLICY);
        }
        other => other.proceed(),
    };
    session.say("EHLO client.example.net", &mut answer);
    let reply = session.say("AUTH PLAIN AGFubgBzZWNyZXQ=", &mut answer);
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    let reply = session.say("AUTH ANONYMOUS =", &mut answer);
    assert!(reply.starts_with("535 5.7.8"), "{reply}");
}

#[test]
fn a_nonce_comes_from_the_offer_or_the_application() {
    let nonce = |offer: Offer, given: Option<[u8; 18]>| {
        let mut session = session_with(offer);
        let mut answer = |event: Event<'_>| match (event, given) {
            (Event::Auth(auth), Some(octets)) => auth.accept_with_nonce(Nonce::new(octets)),
            (other, _) => other.proceed(),
        };
        session.say("EHLO client.example.net", &mut answer);
        let mut initiator = initiator(Mechanism::SCRAM_SHA_256, "ann", "secret");
        let first = encoded(&initiator.initial_response().unwrap().unwrap());
        let reply = session.say(&format!("AUTH SCRAM-SHA-256 {first}"), &mut answer);
        let Some(challenge) = reply.strip_prefix("334 ") else { return reply };
        let challenge = Base64::parse(challenge.trim_end()).unwrap().decoded();
        let challenge = String::from_utf8(challenge.to_vec()).unwrap();
        let client = Nonce::new([7; 18]).as_str().len();
        challenge.split(',').next().unwrap()[2 + client..].to_owned()
    };
    let offer = Offer::for_keys(Hash::Sha256);
    let given = nonce(offer.clone(), Some([9; 18]));
    assert_eq!(given, Nonce::new([9; 18]).as_str());
    assert_ne!(nonce(offer.clone(), None), nonce(offer.clone(), None));
    let fixed = offer.clone().with_nonces(|| Some(Nonce::new([8; 18])));
    assert_eq!(nonce(fixed, None), Nonce::new([8; 18]).as_str());
    let none = offer.with_nonces(|| None);
    assert!(nonce(none, None).starts_with("454 4.7.0"));
}

#[test]
fn an_offer_that_cannot_work_says_so() {
    let unknown: Mechanism = "NTLM".parse().unwrap();
    assert_eq!(Offer::new([unknown]).check(), Err(OfferError::Unknown(unknown)));
    assert_eq!(Offer::new([]).check(), Err(OfferError::NoMechanism));
    assert_eq!(Offer::new([Mechanism::SCRAM_SHA_256]).check(), Ok(()));
    #[cfg(not(feature = "cram-md5"))]
    assert!(Offer::new([Mechanism::CRAM_MD5]).check().is_err());
}

#[test]
fn stored_keys_verify_a_password() {
    let keys = keys(Hash::Sha256);
    assert!(keys.verify("secret"));
    assert!(keys.verify(Secret::from("secret")));
    for wrong in ["", "Secret", "secret ", "\u{7}"] {
        assert!(!keys.verify(wrong), "{wrong:?}");
    }
}
