//! RFC 6710, priorities.

use crate::{
    common::{announcing, converse},
    dialogue::{Act, Dialogue, after_offer},
    offering::{asking, goes_only_where_offered, with},
};
use esmtp::syntax::Extension;

/// 6710-4-a: RFC 6710 section 4.1.
#[test]
fn a_priority_is_one_and_valid() {
    let experience = converse(
        with(&[Extension::MtPriority, Extension::EnhancedStatusCodes]),
        &announcing(
            "ENHANCEDSTATUSCODES|MT-PRIORITY",
            "C: MAIL FROM:<a@b.org> MT-PRIORITY=ab
             S: 501 5.5.2 Not a value for this parameter
             C: MAIL FROM:<a@b.org> MT-PRIORITY=10
             S: 501 5.5.2 Not a value for this parameter
             C: MAIL FROM:<a@b.org> MT-PRIORITY=3 MT-PRIORITY=3
             S: 501 5.5.2 The same parameter twice
             C: MAIL FROM:<a@b.org> MT-PRIORITY=3
             S: 250 2.1.0 Ok",
        ),
    );
    assert_eq!(experience.log[1..], ["mail <a@b.org> MT-PRIORITY=3"]);
}

/// 6710-4-d: RFC 6710 sections 4.2 and 4.3: a server without the extension gets no priority; the relay
/// decides whether the message is sent without one.
#[test]
fn a_priority_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("MT-PRIORITY", "MT-PRIORITY=-3", "");
    goes_only_where_offered("MT-PRIORITY MIXER", "MT-PRIORITY=9", "");
    let acts = [Act::Send(asking("MT-PRIORITY=3", "")), Act::Send(asking("", ""))];
    let notes = Dialogue::new(acts).plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<bob@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(
        notes[..2],
        ["not offered: the parameter MT-PRIORITY is not offered", "0: <bob@example.net> 250 ok"]
    );
}
