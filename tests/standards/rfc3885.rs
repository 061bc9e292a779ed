//! RFC 3885, message tracking.

use crate::{
    common::{announcing, converse},
    offering::{goes_only_where_offered, with},
};
use esmtp::syntax::Extension;

/// RFC 3885 sections 2 and 3.1: with MTRK come ENVID and ORCPT, whether DSN is offered or not.
#[test]
fn a_message_may_be_tracked_where_that_is_offered() {
    let experience = converse(
        with(&[Extension::Mtrk]),
        &announcing(
            "MTRK",
            "C: MAIL FROM:<a@b.org> MTRK
             S: 501 This parameter needs a value
             C: MAIL FROM:<a@b.org> MTRK=a.b
             S: 501 Not a value for this parameter
             C: MAIL FROM:<a@b.org> MTRK=dGhpcyBpcyBhIGhhc2gh:86400 ENVID=1@client.example.net
             S: 250 Ok
             C: RCPT TO:<c@d.org> ORCPT=rfc822;c@d.org
             S: 250 Ok
             C: RCPT TO:<c@d.org> NOTIFY=NEVER
             S: 555 Parameter not recognised or not implemented",
        ),
    );
    assert!(
        experience.log[1].ends_with("MTRK=dGhpcyBpcyBhIGhhc2gh:86400 ENVID=1@client.example.net")
    );
    converse(
        with(&[Extension::Dsn]),
        &announcing(
            "DSN",
            "C: MAIL FROM:<a@b.org> MTRK=dGhpcyBpcyBhIGhhc2gh
             S: 555 Parameter not recognised or not implemented",
        ),
    );
}

#[test]
fn a_client_asks_for_tracking_where_it_is_offered() {
    goes_only_where_offered("MTRK", "MTRK=dGhpcyBpcyBhIGhhc2gh:86400", "");
}
