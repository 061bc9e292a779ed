//! RFC 4865, release at a later time.

use crate::{
    dialogue::{Act, Dialogue},
    offering::{asking, goes_only_where_offered},
};

/// 4865-4-d: RFC 4865 section 4.1.
#[test]
fn no_message_asks_to_be_held_for_longer_than_the_server_does() {
    let line = "FUTURERELEASE 3600 2030-01-01T00:00:00Z";
    goes_only_where_offered(line, "HOLDFOR=3600", "");
    goes_only_where_offered(line, "HOLDUNTIL=2030-01-01T01:00:00+01:00", "");
    for parameter in ["HOLDFOR=3601", "HOLDUNTIL=2030-01-01T00:00:01Z"] {
        let notes = Dialogue::new([Act::Send(asking(parameter, ""))]).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 {line}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(
            notes[0], "not offered: the message asks to be held longer than the server does",
            "{parameter}"
        );
    }
}
