//! RFC 4141, conversion of content.

use crate::{
    common::{announcing, converse, converse_with},
    offering::{goes_only_where_offered, with},
};
use esmtp::{
    server::Event,
    syntax::{Extension, Text},
};

/// 4141-4-b: RFC 4141 section 4.
#[test]
fn permission_to_convert_is_sent_on_request() {
    converse(
        with(&[Extension::ConPerm]),
        &announcing(
            "CONPERM",
            "C: MAIL FROM:<a@b.org> CONPERM=yes
             S: 501 This parameter has no value
             C: MAIL FROM:<a@b.org> CONPERM
             S: 250 Ok
             C: RCPT TO:<c@d.org> CONNEG
             S: 555 Parameter not recognised or not implemented",
        ),
    );
    converse(
        with(&[Extension::ConNeg]),
        &announcing(
            "CONNEG",
            "C: MAIL FROM:<a@b.org> CONPERM
             S: 555 Parameter not recognised or not implemented",
        ),
    );
}

/// 4141-5-c: RFC 4141 section 5.
#[test]
fn conneg_and_conperm_are_sent_only_where_they_are_offered() {
    goes_only_where_offered("CONNEG", "", "CONNEG");
    goes_only_where_offered("CONPERM", "CONPERM", "");
}

/// 4141-5-b: RFC 4141 section 5.
#[test]
fn the_capabilities_of_a_recipient_come_with_the_reply() {
    converse_with(
        with(&[Extension::ConNeg, Extension::EnhancedStatusCodes]),
        &announcing(
            "ENHANCEDSTATUSCODES|CONNEG",
            "C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@d.org> CONNEG
             S: 250-2.1.5 Ok, and here is what it can:
             S: 250-2.1.5 CONNEG (&(color=Binary)
             S: 250 2.1.5  (dpi=204))
             C: RCPT TO:<e@d.org>
             S: 250 2.1.5 Ok",
        ),
        |_, event| match event {
            Event::Rcpt(rcpt) if rcpt.typed_parameters().is_conneg_requested() => rcpt
                .accept_lines(
                    ["Ok, and here is what it can:", "CONNEG (&(color=Binary)", " (dpi=204))"]
                        .map(Text::literal),
                ),
            Event::Rcpt(rcpt) => rcpt.accept_lines([]),
            other => other.proceed(),
        },
    );
}
