//! RFC 1845, checkpoint and restart, of which the machines make no use.

use crate::{
    common::{announcing, config, converse},
    dialogue::{Act, Dialogue, after_offer},
    offering::asking,
};
use esmtp::syntax::Extension;

/// RFC 1845 section 3: a client that does not resume does not say so.
#[test]
fn a_transaction_cannot_be_taken_up_again() {
    assert!(
        !config()
            .with_extension(Extension::Checkpoint)
            .extensions()
            .contains(Extension::Checkpoint)
    );
    converse(
        config().with_extensions(esmtp::syntax::Extensions::NONE.with(Extension::Pipelining)),
        &announcing(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org> TRANSID=<12345@example.com>
             S: 555 Parameter not recognised or not implemented",
        ),
    );
    let notes =
        Dialogue::new([Act::Send(asking("TRANSID=<12345@example.com>", ""))]).plays(&after_offer(
            "CHECKPOINT",
            "C: QUIT
         S: 221 bye
         C: (closed)",
        ));
    assert_eq!(notes[0], "not offered: the parameter TRANSID is not offered");
}

/// 1845-4-d: RFC 1845 section 4.
#[test]
fn a_restart_that_was_not_asked_for_ends_the_session() {
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 CHECKPOINT
         C: MAIL FROM:<ann@example.org>";
    let to_data = format!("{opening}\nS: 250 ok\nC: RCPT TO:<bob@example.net>\nS: 250 ok\nC: DATA");
    for script in [opening, &to_data] {
        let notes = Dialogue::new([Act::Send(asking("", ""))])
            .plays(&format!("{script}\nS: 355 10 is the transaction offset\nC: (closed)"));
        assert_eq!(
            notes,
            [
                "0: <bob@example.net> untried rest: <bob@example.net>",
                "end: the server answered with a reply code that does not belong to the command: 355 10 is the transaction offset"
            ]
        );
    }
}
