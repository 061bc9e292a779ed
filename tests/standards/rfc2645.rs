//! RFC 2645: on-demand mail relay.

use crate::{
    common::{Experience, announcing, config, converse, converse_in_one_piece, converse_with},
    offering::believe,
};
use esmtp::{
    sasl::{Mechanism, Offer},
    server::{Atrn, Config, End, Event},
    service::Service,
    syntax::{Extension, Extensions, Rejection, Text},
};

/// Returns a provider of on-demand mail that accepts every authentication.
fn provider() -> Config {
    config()
        .with_extensions(Extensions::NONE.with(Extension::Atrn).with(Extension::Pipelining))
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
}

const OFFERED: &str = "PIPELINING|AUTH PLAIN|ATRN";
const AUTH: &str = "
    C: AUTH PLAIN AGFubgBzZWNyZXQ=
    S: 235 Authentication successful";

/// Handles events as a provider that has mail for the domains under `.example` only.
fn answer(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Atrn(atrn) => {
            let wanted = atrn.domains().map_or("everything", |domains| domains.as_str());
            experience.log.push(format!("atrn {wanted} by {}", identity(&atrn)));
            match wanted {
                "everything" => atrn.accept(),
                "empty.example" => atrn.nothing_waits(),
                "busy.example" => atrn.reject(Rejection::LOCAL_ERROR),
                wanted if wanted.ends_with(".example") => {
                    atrn.accept_with(Text::literal("now it is your turn"));
                }
                _ => Event::Atrn(atrn).proceed(),
            }
        }
        Event::HandOver(hand_over) => {
            experience.log.push("hand over".into());
            hand_over.close();
        }
        other => believe(experience, other),
    }
}

fn identity(atrn: &Atrn<'_>) -> String {
    atrn.facts().identity().map_or_else(String::new, |identity| identity.authcid().to_owned())
}

/// 2645-4-a: RFC 2645 section 4. It is offered where the configuration says so, and never in submission.
#[test]
fn atrn_is_not_offered_by_relays_and_submission() {
    for (service, reply) in [
        (Service::Smtp, "502 Command not implemented"),
        (Service::Submission, "500 Command not recognised"),
    ] {
        let config = config().with_service(service);
        assert!(!config.extensions().contains(Extension::Atrn), "{service:?}");
        let wanted = Extensions::NONE.with(Extension::Atrn).with(Extension::Pipelining);
        let wanted = match service {
            Service::Smtp => wanted.without(Extension::Atrn),
            _ => wanted,
        };
        let config = config.with_extensions(wanted);
        assert!(!config.extensions().contains(Extension::Atrn), "{service:?}");
        converse(config, &announcing("PIPELINING", &format!("C: ATRN example.org\nS: {reply}")));
    }
}

/// 2645-5.2-b: RFC 2645 section 5.2.1. ATRN is rejected before a hello.
#[test]
fn atrn_needs_authentication() {
    let experience = converse_with(
        provider(),
        "S: 220 mx.example.org ESMTP service ready
         C: ATRN
         S: 502 Command not implemented",
        answer,
    );
    assert_eq!(experience.end, None);
    let experience = converse_with(
        provider(),
        &announcing(OFFERED, "C: ATRN started.example\nS: 530 Authentication required"),
        answer,
    );
    assert_eq!(experience.log.len(), 1, "{:?}", experience.log);
}

/// 2645-5.2-c: RFC 2645 section 5.2.1. The session is unchanged after it.
#[test]
fn atrn_changes_nothing_in_a_transaction() {
    let experience = converse_with(
        provider(),
        &announcing(
            OFFERED,
            &format!(
                "{AUTH}
                 C: MAIL FROM:<a@b.org>
                 S: 250 Ok
                 C: ATRN example.org
                 S: 503 Transaction already in progress
                 C: RCPT TO:<c@d.org>
                 S: 250 Ok
                 C: ATRN
                 S: 503 Transaction already in progress
                 C: DATA
                 S: 354 Start mail input; end with <CRLF>.<CRLF>
                 C: .
                 S: 250 queued"
            ),
        ),
        answer,
    );
    assert_eq!(experience.messages.len(), 1);
}

/// 2645-5.2-d: RFC 2645 section 5.2.1.
#[test]
fn atrn_has_its_replies() {
    let experience = converse_with(
        provider(),
        &announcing(
            OFFERED,
            &format!(
                "{AUTH}
                 C: ATRN example.org
                 S: 450 ATRN request refused
                 C: ATRN busy.example
                 S: 451 Local error in processing
                 C: ATRN empty.example
                 S: 453 You have no mail
                 C: ATRN a.example b.example
                 S: 501 Not a domain or an address literal
                 C: ATRN a.example,b.example
                 S: 250 now it is your turn
                 S: (closed)"
            ),
        ),
        answer,
    );
    assert_eq!(
        experience.log[1..],
        [
            "atrn example.org by ann",
            "atrn busy.example by ann",
            "atrn empty.example by ann",
            "atrn a.example,b.example by ann",
            "hand over"
        ]
    );
    assert_eq!(experience.end, Some(End::HandedOver));
    let script = format!("{AUTH}\nC: ATRN\nS: 250 OK now reversing the connection\nS: (closed)");
    converse_with(provider(), &announcing(OFFERED, &script), answer);
}

/// RFC 2645 section 5.2: octets after ATRN would be taken for the greeting.
#[test]
fn nothing_is_pipelined_after_atrn() {
    let experience = converse_in_one_piece(
        provider(),
        &announcing(
            OFFERED,
            &format!(
                "{AUTH}
                 C: ATRN
                 C: 220 I was here first
                 S: 554 Improper use of SMTP command pipelining
                 S: (closed)"
            ),
        ),
        answer,
    );
    assert_eq!(experience.end, Some(End::OutOfSync));
}
