//! Both sides of every mechanism against anything at all: no panic, no identity proven without the
//! secret, and every message that is read is written and read again as the same.
#![no_main]

use esmtp::sasl::message::scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst};
use esmtp::sasl::scram::{Decoy, Hash, Keys, ScramInitiator, ScramVerifier};
use esmtp::sasl::{
    AnonymousInitiator, AnonymousVerifier, BindingType, Channel, ChannelBinding, CramMd5Initiator,
    CramMd5Verifier, ErrorStatus, ExternalInitiator, ExternalVerifier, Initiator, LoginInitiator,
    LoginVerifier, Mechanism, Nonce, OauthBearerInitiator, OauthBearerVerifier, PlainInitiator,
    PlainVerifier, Question, Step, Verifier, Xoauth2Initiator, Xoauth2Verifier, message, scram,
};
use libfuzzer_sys::fuzz_target;

/// A side that has proven its identity has said its end, which the fuzzer may find but cannot avoid.
const SECRET: &str = "an unlikely secret, 0x5e1f";

fn pair(which: u8) -> (Box<dyn Initiator>, Box<dyn Verifier>) {
    let hash = [Hash::Sha1, Hash::Sha256, Hash::Sha512][usize::from(which / 10) % 3];
    let binding = ChannelBinding::new(BindingType::TlsUnique, [5; 12]);
    let scram = |binding| {
        ScramInitiator::new(hash, "user", SECRET, Nonce::from_text("abc").unwrap())
            .unwrap()
            .with_channel_binding(binding)
            .with_iterations(1..=64)
    };
    let (nonce, decoy) = (Nonce::from_text("xyz").unwrap(), Decoy::new([6; 32]));
    match which % 10 {
        0 => {
            (Box::new(PlainInitiator::new("user", SECRET).unwrap()), Box::new(PlainVerifier::new()))
        }
        1 => {
            (Box::new(LoginInitiator::new("user", SECRET).unwrap()), Box::new(LoginVerifier::new()))
        }
        2 => (
            Box::new(CramMd5Initiator::new("user", SECRET).unwrap()),
            Box::new(CramMd5Verifier::with_challenge("<1.2@mx>")),
        ),
        3 => (
            Box::new(Xoauth2Initiator::new("user", "t0x5e1f").unwrap()),
            Box::new(Xoauth2Verifier::new()),
        ),
        4 => (
            Box::new(OauthBearerInitiator::new(Some("user"), None, "t0x5e1f").unwrap()),
            Box::new(OauthBearerVerifier::new()),
        ),
        5 => (
            Box::new(ExternalInitiator::new(None).unwrap()),
            Box::new(ExternalVerifier::new(Some("user"))),
        ),
        6 => (
            Box::new(AnonymousInitiator::new(Some("trace")).unwrap()),
            Box::new(AnonymousVerifier::new()),
        ),
        7 => {
            let channel = Channel::tls().with(binding.clone());
            (
                Box::new(scram(scram::Binding::Bound(binding))),
                Box::new(ScramVerifier::plus(hash, nonce, decoy, channel)),
            )
        }
        8 => (
            Box::new(scram(scram::Binding::NotOffered)),
            Box::new(ScramVerifier::new(hash, nonce, decoy).with_plus_offered()),
        ),
        _ => (
            Box::new(scram(scram::Binding::None)),
            Box::new(ScramVerifier::new(hash, nonce, decoy)),
        ),
    }
}

fn answer(question: Question<'_>) {
    match question {
        Question::Password(q) if q.password().matches(SECRET.as_bytes()) => q.accept(),
        Question::Token(q) if q.token().matches(b"t0x5e1f") => q.accept_as("user"),
        Question::Secret(q) if q.user() == "user" => q.supply(SECRET),
        Question::Keys(q) if q.user() == "user" => {
            let length = q.hash().length();
            let keys = Keys::new(q.hash(), *b"salt", 1, vec![1; length], vec![2; length]);
            q.supply(keys.unwrap());
        }
        other => other.reject(),
    }
}

/// Reads it as every message there is.
fn round_trips(octets: &[u8]) {
    if let Ok(message) = message::PlainMessage::parse(octets) {
        assert_eq!(message.encode().expose(), octets);
    }
    if let Ok(message) = message::OauthBearer::parse(octets) {
        assert!(message::OauthBearer::parse(message.encode().expose()) == Ok(message.clone()));
    }
    if let Ok(message) = message::Xoauth2::parse(octets) {
        assert!(message::Xoauth2::parse(message.encode().expose()) == Ok(message));
    }
    if let Ok(status) = ErrorStatus::parse(octets) {
        assert_eq!(ErrorStatus::parse(&status.encode()), Ok(status));
    }
    if let Ok(message) = ClientFirst::parse(octets) {
        assert!(ClientFirst::parse(message.encode().as_bytes()) == Ok(message.clone()));
    }
    if let Ok(message) = ServerFirst::parse(octets) {
        assert!(ServerFirst::parse(message.encode().as_bytes()) == Ok(message.clone()));
    }
    if let Ok(message) = ClientFinal::parse(octets) {
        assert!(ClientFinal::parse(message.encode().as_bytes()) == Ok(message.clone()));
    }
    if let Ok(message) = ServerFinal::parse(octets) {
        assert!(ServerFinal::parse(message.encode().as_bytes()) == Ok(message.clone()));
    }
    let _ = message::parse_external(octets);
    let _ = message::Trace::parse(octets);
    let _ = message::CramMd5Response::parse(octets);
    if let Ok(text) = core::str::from_utf8(octets) {
        if let Ok(mechanism) = Mechanism::new(text) {
            assert_eq!(mechanism.as_str(), text.to_ascii_uppercase());
        }
        if let Ok(name) = message::gs2::unquote(text) {
            assert_eq!(message::gs2::quote(&name), text);
        }
        if let Ok(keys) = text.parse::<Keys>() {
            assert_eq!(keys.encode().parse::<Keys>().map(|keys| keys.encode()), Ok(keys.encode()));
        }
        let _ = esmtp::sasl::prepare::standard(text);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&which, rest)) = data.split_first() else { return };
    // Messages are lines here, so that the fuzzer finds the next one.
    let messages: Vec<&[u8]> = rest.split(|octet| *octet == b'\n').take(8).collect();
    for message in &messages {
        round_trips(message);
    }

    let (mut client, mut server) = pair(which);
    let needs_secret = !matches!(server.mechanism(), Mechanism::EXTERNAL | Mechanism::ANONYMOUS);
    if which & 0x80 == 0 {
        let _ = server.step(None);
    }
    for message in &messages {
        let mut step = server.step(Some(message));
        if let Step::Ask = step {
            answer(server.question().unwrap());
            step = server.resume();
        }
        if let Step::Proved(proven) = &step {
            assert!(!needs_secret || message.windows(4).any(|part| part == b"5e1f"), "{proven:?}");
        }
    }

    let _ = client.initial_response();
    for message in &messages {
        let is_over = client.respond(message).is_err();
        if client.mechanism().is_scram() || is_over {
            assert!(client.finish(None).is_err());
        }
        let _ = client.refusal();
    }
    // No question was asked.
    assert!(matches!(server.resume(), Step::Failed(_)));
});
