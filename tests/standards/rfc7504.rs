//! RFC 7504, hosts that take no mail.

use crate::{
    common::{config, converse_with},
    dialogue::{Dialogue, after_offer},
};
use esmtp::{
    client::{Client, Config, End},
    machine::Need,
    security::Security,
    server::{self, Event},
    syntax::{Code, Rejection, Status, Text},
    testing::Driver,
};

fn no_mail() -> Rejection {
    let code = Code::new(521).unwrap();
    assert!(Status::NOT_ACCEPTING.goes_with(code));
    Rejection::new(code, Status::NOT_ACCEPTING, Text::literal("Host does not accept mail")).unwrap()
}

/// 7504-3-a: RFC 7504 section 3: at the opening, and the session may come to its QUIT or be closed.
#[test]
fn a_host_that_takes_no_mail_greets_with_521() {
    let experience = converse_with(
        config(),
        "S: 521 Host does not accept mail
         C: EHLO client.example.net
         S: 503 No service here, only QUIT is accepted
         C: MAIL FROM:<a@b.org>
         S: 503 5.5.1 No service here, only QUIT is accepted
         C: QUIT
         S: 221 2.0.0 Service closing transmission channel
         S: (closed)",
        |experience, event| match event {
            Event::Connect(connect) => connect.reject(no_mail()),
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.end, Some(server::End::Quit));
    assert!(experience.log.is_empty());
    converse_with(
        config(),
        "S: 521 Host does not accept mail
         S: (closed)",
        |experience, event| match event {
            Event::Connect(connect) => connect.reject_and_close(no_mail()),
            other => experience.answer(other),
        },
    );
}

/// Returns the octets that a client sends to these replies, and why its session ended.
fn hears(replies: &[&str]) -> (String, End) {
    let config = Config::new("me.example.org").unwrap();
    let mut client = Driver::new(Client::new(config, Security::CLEAR));
    let mut said = String::new();
    for reply in replies {
        let reply = format!("{reply}\r\n");
        said += &client.exchange(reply, |event| panic!("{event:?}"));
    }
    assert_eq!(client.need(), Need::Close, "{replies:?}");
    (said, client.machine().end().unwrap().clone())
}

/// 7504-3-b, 7504-3-c: RFC 7504 section 3: QUIT is the only command sent to it, whatever it answers; the
/// application gets the 521, which is permanent.
#[test]
fn a_client_sends_quit_after_521() {
    let hello = "EHLO me.example.org\r\nQUIT\r\n";
    for (replies, expected) in [
        (&["521 5.3.2 Host does not accept mail", "221 bye"][..], "QUIT\r\n"),
        (&["521 Host does not accept mail", "521 still"], "QUIT\r\n"),
        (&["220 mx", "521 Host does not accept mail", "521 still"], hello),
    ] {
        let (said, end) = hears(replies);
        assert_eq!(said, expected);
        let End::Refused(reply) = end else { panic!("{end:?}") };
        assert_eq!(reply.code().get(), 521);
        assert!(reply.is_permanent());
    }
}

/// 7504-3-c: RFC 7504 section 3.
#[test]
fn to_any_command_521_is_a_permanent_failure() {
    let notes = Dialogue::sends(&["bob@example.net"], "x\r\n").plays(&after_offer(
        "",
        "C: MAIL FROM:<ann@example.org>
         S: 521 5.3.2 no mail
         C: QUIT
         S: 521 5.3.2 no mail
         C: (closed)",
    ));
    assert_eq!(
        notes,
        ["0: <bob@example.net> 521 5.3.2 no mail", "end: the session was ended with QUIT"]
    );
}
