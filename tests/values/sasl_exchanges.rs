//! Client against server for every mechanism, and anything at all against either.

use esmtp::sasl::scram::{Decoy, Hash, Keys};
use esmtp::sasl::{
    Attempt, BindingType, Channel, ChannelBinding, Credentials, ErrorStatus, Initiator, Mechanism,
    Nonce, Offer, Question, Step, Verifier, VerifierError, message,
};
use proptest::prelude::*;

const ALL: [Mechanism; 13] = [
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

const KINDS: [BindingType; 3] =
    [BindingType::TlsExporter, BindingType::TlsUnique, BindingType::TlsServerEndPoint];

fn channel(kind: BindingType, data: u8) -> Channel {
    Channel::tls().with(ChannelBinding::new(kind, [data; 32]))
}

fn offer() -> Offer {
    Offer::new(ALL).with_decoy(Decoy::new([9; 32])).with_host("mx.example.org")
}

fn verifier(mechanism: Mechanism, channel: &Channel) -> Box<dyn Verifier> {
    let nonce = Nonce::new([8; 18]);
    let attempt = Attempt { channel, proven: Some("ann"), nonce, unix_seconds: 1_700_000_000 };
    offer().verifier(mechanism, attempt).unwrap()
}

fn initiator(
    mechanism: Mechanism,
    channel: &Channel,
    user: &str,
    secret: &str,
    authzid: Option<&str>,
) -> Option<Box<dyn Initiator>> {
    let credentials = match mechanism {
        Mechanism::OAUTHBEARER | Mechanism::XOAUTH2 => Credentials::token(user, secret),
        Mechanism::EXTERNAL => Credentials::external(),
        Mechanism::ANONYMOUS => Credentials::anonymous(Some(user)),
        _ => Credentials::password(user, secret),
    };
    let credentials = match authzid {
        Some(authzid) => credentials.with_authzid(authzid),
        None => credentials,
    };
    // All that is stronger is out of the way, but what decides the flag is not.
    let offered: Vec<_> = ALL
        .into_iter()
        .filter(|other| *other == mechanism || other.strength() < mechanism.strength())
        .collect();
    credentials.strongest(&offered, channel, Nonce::new([7; 18])).ok()
}

/// The knowledge of the application: one user with one secret.
struct Known<'a> {
    user: &'a str,
    secret: &'a str,
}

impl Known<'_> {
    fn answer(&self, question: Question<'_>) {
        match question {
            Question::Password(q)
                if q.user() == self.user && q.password().matches(self.secret.as_bytes()) =>
            {
                q.accept();
            }
            Question::Token(q) if q.token().matches(self.secret.as_bytes()) => {
                q.accept_as(self.user);
            }
            Question::Secret(q) if q.user() == self.user => q.supply(self.secret),
            Question::Keys(q) if q.user() == self.user => {
                let keys = Keys::derive(q.hash(), self.secret, *b"0123456789abcdef", 4096);
                q.supply(keys.unwrap());
            }
            other => other.reject(),
        }
    }
}

/// Runs an exchange as SMTP does: what belongs to the success goes as one more challenge. Every question is
/// dropped once before it is answered.
fn run(
    client: &mut dyn Initiator,
    server: &mut dyn Verifier,
    known: &Known<'_>,
    with_initial_response: bool,
) -> Result<esmtp::sasl::Identity, VerifierError> {
    let first = if with_initial_response { client.initial_response().unwrap() } else { None };
    let mut step = server.step(first.as_ref().map(esmtp::sasl::Secret::expose));
    for _ in 0..8 {
        step = match step {
            Step::Challenge(challenge) => {
                // A client that knows the server false ends here: `*`.
                let Ok(response) = client.respond(&challenge) else {
                    assert!(client.finish(None).is_err());
                    return Err(VerifierError::Rejected);
                };
                server.step(Some(response.expose()))
            }
            Step::Ask => {
                assert!(matches!(server.resume(), Step::Ask));
                let _ = server.question().unwrap();
                known.answer(server.question().unwrap());
                server.resume()
            }
            Step::Proved(proven) => {
                if let Some(data) = proven.success_data() {
                    return match client.respond(data) {
                        Ok(response) => {
                            assert!(response.is_empty());
                            assert_eq!(client.finish(None), Ok(()));
                            Ok(proven.into_identity())
                        }
                        Err(_) => Err(VerifierError::Rejected),
                    };
                }
                assert_eq!(client.finish(None), Ok(()));
                return Ok(proven.into_identity());
            }
            Step::Failed(error) => {
                assert!(server.question().is_none());
                return Err(error);
            }
        };
    }
    panic!("an exchange without end")
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[!-~]{1,40}", "[ -~]{1,40}", "[a-z,=]{1,12}", "[a-zäöüß€]{1,12}",]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both sides agree: the right secret is proven, a wrong one is not, for every mechanism,
    /// with the initial response and without; nor is anybody with a man in the middle of the
    /// channel (5802-5.1-f) or of the list of mechanisms (5802-6-b).
    #[test]
    fn both_sides_agree(
        user in word(),
        secret in word(),
        authzid in proptest::option::of(word()),
        wrong in proptest::option::of(word()),
        with_initial_response: bool,
        kind in 0..KINDS.len(),
        is_stripped: bool,
        (here, there) in prop_oneof![Just((1, 1)), Just((1, 1)), Just((1, 2))],
    ) {
        let user = esmtp::sasl::prepare::standard(&user).unwrap().into_owned();
        let secret = esmtp::sasl::prepare::standard(&secret).unwrap().into_owned();
        let wrong = wrong.filter(|wrong| *wrong != secret);
        let sent = wrong.as_deref().unwrap_or(&secret);
        for mechanism in ALL {
            let (mut ours, theirs) = (channel(KINDS[kind], here), channel(KINDS[kind], there));
            // To see no -PLUS and be able to: it was removed from the list.
            let is_downgraded = mechanism.is_scram() && !mechanism.needs_channel_binding();
            if is_downgraded && !is_stripped {
                ours = Channel::tls();
            }
            let is_downgraded = is_downgraded && is_stripped;
            let Some(mut client) = initiator(mechanism, &ours, &user, sent, authzid.as_deref())
            else { continue };
            if client.mechanism() != mechanism {
                // This one cannot say as whom it acts.
                prop_assert!(authzid.is_some());
                continue;
            }
            let mut server = verifier(mechanism, &theirs);
            let known = Known { user: &user, secret: &secret };
            let end = run(&mut *client, &mut *server, &known, with_initial_response);
            let without_secret = matches!(mechanism, Mechanism::EXTERNAL | Mechanism::ANONYMOUS);
            let is_in_the_middle = mechanism.needs_channel_binding() && here != there;
            prop_assert_eq!(
                end.is_ok(),
                (without_secret || wrong.is_none()) && !is_in_the_middle && !is_downgraded,
                "{}", mechanism
            );
            if let Ok(identity) = end {
                match mechanism {
                    Mechanism::ANONYMOUS => {
                        prop_assert!(identity.is_anonymous());
                        prop_assert_eq!(identity.trace(), Some(user.as_str()));
                    }
                    Mechanism::EXTERNAL => prop_assert_eq!(identity.authcid(), "ann"),
                    _ => prop_assert_eq!(identity.authcid(), user.as_str()),
                }
                if let (Some(authzid), false) = (&authzid, identity.is_anonymous()) {
                    prop_assert_eq!(identity.acts_as(), authzid.as_str());
                }
            }
        }
    }

    /// Octets that are not a message of the mechanism cause no panic, and prove no identity.
    #[test]
    fn nothing_panics(
        messages in proptest::collection::vec(
            proptest::option::of(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                "[nyp]?,(a=)?[a=,]{0,5},?n=.{0,4},r=.{0,8}(,[a-zA-Z]=.{0,3})?".prop_map(String::into_bytes),
                "[a-z=,]{0,20}[\\x00\\x01 =]{0,4}[a-zA-Z=,. ]{0,20}\\x01?\\x01?".prop_map(String::into_bytes),
                "r=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH.{1,4},s=[A-Z]{4},i=(4096|[0-9]{1,3}|[1-9][0-9]{7,10})(,m=x)?".prop_map(String::into_bytes),
                "(v|e|c|p)=[A-Za-z0-9+/=-]{0,30}(,r=.{0,9})?(,p=[A-Za-z=]{0,8})?".prop_map(String::into_bytes),
                "\\{\"status\":[\\x20-\\x7e]{0,30}\\}?".prop_map(String::into_bytes),
            ]),
            0..6,
        ),
        answers: u8,
    ) {
        let channel = channel(BindingType::TlsExporter, 1);
        for mechanism in ALL {
            let mut server = verifier(mechanism, &channel);
            for message in &messages {
                let mut step = server.step(message.as_deref());
                if let Step::Ask = step {
                    match answers % 4 {
                        0 => server.question().unwrap().reject(),
                        1 => server.question().unwrap().unavailable(),
                        2 => {}
                        _ => Known { user: "", secret: "secret" }.answer(server.question().unwrap()),
                    }
                    step = server.resume();
                }
                if let Step::Proved(_) = step {
                    prop_assert!(matches!(mechanism, Mechanism::EXTERNAL | Mechanism::ANONYMOUS));
                }
            }
            let mut client = initiator(mechanism, &channel, "ann", "secret", None).unwrap();
            if answers & 8 == 0 {
                let _ = client.initial_response();
            }
            for message in messages.iter().flatten() {
                let is_over = client.respond(message).is_err();
                if is_over || mechanism.is_scram() {
                    prop_assert!(client.finish(None).is_err());
                }
                let _ = client.refusal().map(ErrorStatus::parse);
            }
        }
        for message in messages.iter().flatten() {
            let _ = message::PlainMessage::parse(message);
            let _ = message::parse_external(message);
            let _ = message::Trace::parse(message);
            let _ = message::CramMd5Response::parse(message);
            let _ = ErrorStatus::parse(message).map(|status| {
                assert_eq!(ErrorStatus::parse(&status.encode()), Ok(status));
            });
            if let Ok(text) = core::str::from_utf8(message) {
                let _ = text.parse::<Keys>();
                let _ = text.parse::<Mechanism>();
                if let Ok(name) = message::gs2::unquote(text) {
                    assert_eq!(message::gs2::quote(&name), text);
                }
            }
        }
    }

    /// Messages are read as they were written.
    #[test]
    fn messages_are_read_as_they_were_written(
        user in "[^\\x00\\x01]{1,20}",
        authzid in proptest::option::of("[^\\x00\\x01]{1,20}"),
        secret in "[^\\x00]{1,20}",
        token in "[!-~]{1,20}",
        nonce in "[!-+\\--~]{1,20}",
        octets in proptest::collection::vec(any::<u8>(), 1..40),
        iterations in 1..u32::MAX,
        port in proptest::option::of(1..u16::MAX),
    ) {
        use message::scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst};

        let message = message::PlainMessage::new(authzid.as_deref(), &user, &secret).unwrap();
        prop_assert!(message::PlainMessage::parse(message.encode().expose()) == Ok(message));
        let message = message::Xoauth2::new(&user, &token).unwrap();
        prop_assert!(message::Xoauth2::parse(message.encode().expose()) == Ok(message));
        let authzid = authzid.as_deref();
        let message = message::OauthBearer::new(authzid, Some("mx"), port, &token).unwrap();
        prop_assert!(message::OauthBearer::parse(message.encode().expose()) == Ok(message.clone()));
        for flag in [message::gs2::Flag::None, message::gs2::Flag::NotOffered, message::gs2::Flag::Used("tls-unique")] {
            let header = message::gs2::Header::new(flag, authzid.map(Into::into)).unwrap();
            let message = ClientFirst::new(header, user.as_str(), &nonce).unwrap();
            prop_assert!(ClientFirst::parse(message.encode().as_bytes()) == Ok(message.clone()));
        }
        let message = ServerFirst::new(&nonce, octets.as_slice(), iterations).unwrap();
        prop_assert!(ServerFirst::parse(message.encode().as_bytes()) == Ok(message.clone()));
        let message = ClientFinal::new(octets.as_slice(), &nonce, octets.as_slice()).unwrap();
        prop_assert!(ClientFinal::parse(message.encode().as_bytes()) == Ok(message.clone()));
        let message = ServerFinal::Signature(octets);
        prop_assert!(ServerFinal::parse(message.encode().as_bytes()) == Ok(message.clone()));
    }
}

/// A mechanism that the crate does not know: two numbers, added.
#[test]
fn a_custom_mechanism_runs() {
    #[derive(Debug)]
    struct Adder(bool);
    impl Initiator for Adder {
        fn mechanism(&self) -> Mechanism {
            "X-ADD".parse().unwrap()
        }
        fn needs_tls(&self) -> bool {
            false
        }
        fn initial_response(
            &mut self,
        ) -> Result<Option<esmtp::sasl::Secret>, esmtp::sasl::InitiatorError> {
            Ok(None)
        }
        fn respond(
            &mut self,
            challenge: &[u8],
        ) -> Result<esmtp::sasl::Secret, esmtp::sasl::InitiatorError> {
            self.0 = true;
            Ok(vec![challenge.iter().sum()].into())
        }
        fn finish(&mut self, _: Option<&[u8]>) -> Result<(), esmtp::sasl::InitiatorError> {
            self.0.then_some(()).ok_or(esmtp::sasl::InitiatorError::Incomplete)
        }
    }
    let initiators: [Box<dyn Initiator>; 1] = [Box::new(Adder(false))];
    let offered = ["X-ADD".parse().unwrap(), Mechanism::PLAIN];
    assert_eq!(esmtp::sasl::strongest(&initiators, &offered, &Channel::CLEAR), Some(0));
    let [mut initiator] = initiators;
    assert!(initiator.finish(None).is_err());
    assert_eq!(initiator.respond(&[1, 2]).unwrap().expose(), [3]);
    assert!(initiator.finish(None).is_ok());
}

#[test]
fn boxed_sides_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<Box<dyn Initiator>>();
    check::<Box<dyn Verifier>>();
    check::<Offer>();
    check::<Credentials>();
    assert_eq!(Hash::Sha256.length(), 32);
}
