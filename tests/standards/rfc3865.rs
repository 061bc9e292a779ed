//! RFC 3865, solicitation.

use crate::{
    common::{announcing, config, converse},
    offering::{goes_only_where_offered, with},
};
use esmtp::syntax::{Extension, Extensions, Solicitation};

/// 3865-3-d: RFC 3865 sections 2 and 3.
#[test]
fn a_message_says_how_it_solicits() {
    let classes = Solicitation::parse("net.example:ADV").unwrap().into_owned();
    let experience = converse(
        config().with_extensions(Extensions::NONE.with_no_soliciting(&classes)),
        &announcing(
            "NO-SOLICITING net.example:ADV",
            "C: MAIL FROM:<a@b.org> SOLICIT=
             S: 501 Syntax error in parameters or arguments
             C: MAIL FROM:<a@b.org> SOLICIT=1abc
             S: 501 Not a value for this parameter
             C: MAIL FROM:<a@b.org> SOLICIT=org.example:ADV:ADLT,net.example:ADV
             S: 250 Ok",
        ),
    );
    assert_eq!(
        experience.log.last().unwrap(),
        "mail <a@b.org> SOLICIT=org.example:ADV:ADLT,net.example:ADV"
    );
    converse(
        with(&[Extension::Pipelining]),
        &announcing(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org> SOLICIT=org.example:ADV
             S: 555 Parameter not recognised or not implemented",
        ),
    );
}

/// 3865-3-f: RFC 3865 section 3.
#[test]
fn solicit_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("NO-SOLICITING", "SOLICIT=org.example:ADV:ADLT", "");
}
