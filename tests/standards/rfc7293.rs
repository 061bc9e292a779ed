//! RFC 7293, recipients that must have been valid since a time.

use crate::{
    common::{announcing, converse, converse_with},
    offering::{goes_only_where_offered, with},
};
use esmtp::{
    server::Event,
    syntax::{Code, Extension, Rejection, RrvsAction, Status, Text},
};

/// 7293-3-a: RFC 7293 section 3.
#[test]
fn rrvs_is_announced_without_parameters() {
    converse(
        with(&[Extension::Rrvs]),
        &announcing(
            "RRVS",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=yesterday
             S: 501 Syntax error in parameters or arguments",
        ),
    );
    converse(
        with(&[Extension::Pipelining]),
        &announcing(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z
             S: 555 Parameter not recognised or not implemented",
        ),
    );
}

/// 7293-5-a: RFC 7293 sections 3.1 and 5: what a relay does that cannot test is the client's choice,
/// and R where it makes none.
#[test]
fn rrvs_defines_the_action_of_a_relay_that_cannot_test() {
    let experience = converse_with(
        with(&[Extension::Rrvs]),
        &announcing(
            "RRVS",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z;R
             S: 250 Ok
             C: RCPT TO:<c@d.org> RRVS=2014-04-03T23:01:00Z;C
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok",
        ),
        |experience, event| match event {
            Event::Rcpt(rcpt) => {
                let typed = rcpt.typed_parameters();
                experience.log.push(
                    match typed.valid_since().map(esmtp::syntax::ValidSince::action) {
                        Some(RrvsAction::Continue) => "continue".to_owned(),
                        Some(action) => format!("{action:?}").to_lowercase(),
                        None => "nothing asked".to_owned(),
                    },
                );
                rcpt.accept();
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.log[2..], ["reject", "reject", "continue", "nothing asked"]);
}

/// 7293-5-b: RFC 7293 section 5.
#[test]
fn a_mailbox_with_another_owner_is_rejected_with_its_own_codes() {
    converse_with(
        with(&[Extension::Rrvs, Extension::EnhancedStatusCodes]),
        &announcing(
            "ENHANCEDSTATUSCODES|RRVS",
            "C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<owner@d.org> RRVS=2014-04-03T23:01:00Z
             S: 550 5.7.17 No
             C: RCPT TO:<domain@d.org> RRVS=2014-04-03T23:01:00Z
             S: 550 5.7.18 No
             C: RCPT TO:<unknown@d.org> RRVS=2014-04-03T23:01:00Z
             S: 550 5.7.19 No",
        ),
        |experience, event| match event {
            Event::Rcpt(rcpt) => {
                let path = rcpt.forward_path().to_string();
                let status = match path.split('@').next().unwrap() {
                    "<owner" => Status::MAILBOX_OWNER_CHANGED,
                    "<domain" => Status::DOMAIN_OWNER_CHANGED,
                    _ => Status::RRVS_CANNOT_COMPLETE,
                };
                assert!(status.goes_with(Code::new(550).unwrap()));
                rcpt.reject(Rejection::permanent(status, Text::literal("No")));
            }
            other => experience.answer(other),
        },
    );
}

/// 7293-5-c: RFC 7293 section 5.
#[test]
fn rrvs_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("RRVS", "", "RRVS=2014-04-03T23:01:00Z;C");
}
