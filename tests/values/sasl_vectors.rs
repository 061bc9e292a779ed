//! The rows of `tests/data/sasl-vectors.jsonl` and of our own `sasl-vectors_more.jsonl`: each message is read as it says, written again
//! where the library writes such messages, and the exchanges of the computed ones are run.
//!
//! In a row, octets stand as U+0000 to U+00FF; `choice` rows are those that the RFC leaves open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esmtp::sasl::message::Trace;
use esmtp::sasl::message::scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst};
use esmtp::sasl::scram::{Binding, Hash, Keys, ScramInitiator};
use esmtp::sasl::{
    BindingType, ChannelBinding, CramMd5Initiator, Initiator, LoginInitiator, Mechanism, Nonce,
    message, prepare,
};
use esmtp::sasl::{
    ErrorStatus,
    message::{OauthBearer, Xoauth2},
};
use serde_json::{Map, Value, json};

/// Returns the meaning of a message, in the words of the table; `None` when it is refused.
fn meaning(mechanism: &str, message: &str, octets: &[u8]) -> Option<Map<String, Value>> {
    let value = match (mechanism, message) {
        ("PLAIN", _) => {
            let m = message::PlainMessage::parse(octets).ok()?;
            assert_eq!(m.encode().expose(), octets);
            json!({
                "authzid": m.authzid().unwrap_or_default(),
                "authcid": m.authcid(),
                "password": m.password(),
            })
        }
        ("CRAM-MD5", _) => {
            let m = message::CramMd5Response::parse(octets).ok()?;
            json!({ "user": m.user(), "digest": m.digest() })
        }
        ("OAUTHBEARER", "error-challenge") => {
            let m = ErrorStatus::parse(octets).ok()?;
            assert_eq!(m.encode(), octets);
            json!({ "status": m.status(), "scope": m.scope() })
        }
        ("OAUTHBEARER", _) => {
            let m = OauthBearer::parse(octets).ok()?;
            assert_eq!(OauthBearer::parse(m.encode().expose()), Ok(m.clone()));
            json!({
                "authzid": m.authzid(),
                "host": m.host(),
                "port": m.port(),
                "token": m.token(),
            })
        }
        ("XOAUTH2", _) => {
            let m = Xoauth2::parse(octets).ok()?;
            assert_eq!(m.encode().expose(), octets);
            json!({ "user": m.user(), "token": m.token() })
        }
        ("ANONYMOUS", _) => json!({ "token": Trace::parse(octets).ok()?.map(|t| t.as_str()) }),
        ("EXTERNAL", _) => json!({ "authzid": message::parse_external(octets).ok()? }),
        ("LOGIN", _) => {
            // The client looks at no prompt.
            let answer = LoginInitiator::new("tim", "x").unwrap().respond(octets).ok()?;
            assert_eq!(answer.expose(), b"tim");
            json!({})
        }
        (_, "client-first") => {
            let m = ClientFirst::parse(octets).ok()?;
            assert_eq!(m.encode().as_bytes(), octets);
            json!({ "user": m.user(), "nonce": m.nonce(), "gs2": m.header().encode() })
        }
        (_, "server-first") => {
            let m = ServerFirst::parse(octets).ok()?;
            assert_eq!(m.encode().as_bytes(), octets);
            json!({
                "nonce": m.nonce(),
                "salt": STANDARD.encode(m.salt()),
                "iterations": m.iterations(),
            })
        }
        (_, "client-final") => {
            let m = ClientFinal::parse(octets).ok()?;
            assert_eq!(m.encode().as_bytes(), octets);
            json!({ "nonce": m.nonce(), "client_proof": hex(m.proof()) })
        }
        (_, "server-final") => {
            let ServerFinal::Signature(signature) = ServerFinal::parse(octets).ok()? else {
                panic!("a refusal")
            };
            json!({ "signature": STANDARD.encode(signature) })
        }
        other => panic!("nobody reads {other:?}"),
    };
    value.as_object().cloned()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("an octet")).collect()
}

/// Returns the octets of a text of `meaning`.
fn text(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => String::from_utf8(octets(text)).expect("UTF-8").into(),
        None => value.clone(),
    }
}

/// Requirements 4616-2-a, 4616-2-b, 4616-2-c, 2195-2-b, 2195-2-d, 4422-A-a, 4505-2-a, 5802-5-a,
/// 5802-5-b, 5802-5.1-a, 5802-7-a, 7628-3.1-a, 7628-3.1-b, 7628-3.1-c, 7628-3.2.2-b, 7677-3-a,
/// LOGIN-draft-1-b, XOAUTH2-1-a.
#[test]
fn every_row_is_read_as_it_says() {
    let rows = concat!(
        include_str!("../data/sasl-vectors.jsonl"),
        include_str!("../data/sasl-vectors_more.jsonl")
    );
    let (mut valid, mut invalid) = (0, 0);
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let id = row["id"].as_str().unwrap();
        let about = if row["valid"] == true { &row["meaning"] } else { &row };
        let mechanism = about["mechanism"].as_str().unwrap();
        assert!(Mechanism::new(mechanism).is_ok());
        let message = about["message"].as_str().unwrap_or_default();
        let input = octets(row["input"].as_str().unwrap());
        let read = meaning(mechanism, message, &input);
        if row["valid"] == false {
            assert_eq!(read, None, "{id}");
            invalid += 1;
            continue;
        }
        valid += 1;
        let read = read.unwrap_or_else(|| panic!("{id} is refused"));
        let expected = row["meaning"].as_object().unwrap();
        let mut compared = 0;
        for (key, value) in expected {
            if let Some(seen) = read.get(key) {
                assert_eq!(*seen, text(value), "{id} {key}");
                compared += 1;
            }
        }
        assert!(compared > 0 || mechanism == "LOGIN", "{id} says nothing");
        if let Some(base64) = expected.get("base64").and_then(Value::as_str) {
            assert_eq!(STANDARD.encode(&input), base64, "{id}");
        }
        if let Some(secret) = expected.get("secret").and_then(Value::as_str) {
            let user = expected["user"].as_str().unwrap();
            let mut client = CramMd5Initiator::new(user, secret).unwrap();
            let challenge = expected["challenge"].as_str().unwrap();
            assert_eq!(client.respond(challenge.as_bytes()).unwrap().expose(), input, "{id}");
        }
        if expected.contains_key("auth_message") {
            run_scram(id, mechanism, expected, &input);
        }
    }
    println!("{valid} valid rows, {invalid} invalid rows");
    assert!(valid >= 60 && invalid >= 150);
}

/// Runs the whole exchange of a `client-final` row, from what its `AuthMessage` tells.
fn run_scram(id: &str, mechanism: &str, expected: &Map<String, Value>, client_final: &[u8]) {
    let field = |name: &str| expected[name].as_str().unwrap();
    let hash = Hash::of(mechanism.parse().unwrap()).unwrap();
    let auth_message = field("auth_message");
    let (client_first_bare, rest) = auth_message.split_once(",r=").unwrap();
    let (client_nonce, rest) = rest.split_once(',').unwrap();
    let (server_first, _) = rest.split_once(",c=").unwrap();
    let user =
        client_first_bare.strip_prefix("n=").unwrap().replace("=2C", ",").replace("=3D", "=");

    let message = ServerFirst::parse(server_first.as_bytes()).unwrap();
    let keys = Keys::derive(hash, field("password"), message.salt(), message.iterations()).unwrap();
    assert_eq!(hex(keys.stored_key().expose()), field("stored_key"), "{id}");
    assert_eq!(hex(keys.server_key().expose()), field("server_key"), "{id}");

    let nonce = Nonce::from_text(client_nonce).unwrap();
    let preparation = prepare::standard;
    let mut client =
        ScramInitiator::with_preparation(hash, &user, field("password"), nonce, preparation)
            .unwrap();
    let message = ClientFinal::parse(client_final).unwrap();
    let input = String::from_utf8_lossy(message.channel_binding());
    if input.starts_with("p=tls-unique") {
        let data = ChannelBinding::new(BindingType::TlsUnique, [0xAA; 12]);
        client = client.with_channel_binding(Binding::Bound(data));
    } else if input.starts_with("y,") {
        client = client.with_channel_binding(Binding::NotOffered).with_authzid("admin").unwrap();
    }
    let _ = client.initial_response().unwrap();
    assert_eq!(client.respond(server_first.as_bytes()).unwrap().expose(), client_final, "{id}");
    let digits = field("server_signature").as_bytes().chunks(2);
    let signature: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let server_final = ServerFinal::Signature(signature).encode();
    assert!(client.respond(server_final.as_bytes()).unwrap().is_empty());
    assert_eq!(client.finish(None), Ok(()), "{id}");
}
