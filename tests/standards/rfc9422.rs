//! RFC 9422, limits of a session.

use crate::dialogue::{Act, Dialogue, mail};
use esmtp::client::TlsPolicy;

/// 9422-4-b: RFC 9422 section 3: what was announced in the clear does not bind inside TLS.
#[test]
fn limits_are_those_of_the_last_hello() {
    let to = ["a@example.net", "b@example.net"];
    let acts = [Act::Send(mail(&to, "")), Act::Send(mail(&to, ""))];
    let transaction = "C: MAIL FROM:<ann@example.org>
         S: 250 ok
         C: RCPT TO:<a@example.net>
         S: 250 ok";
    let both = format!(
        "{transaction}
         C: RCPT TO:<b@example.net>
         S: 250 ok
         C: DATA
         S: 354 go
         C: .
         S: 250 taken"
    );
    let notes = Dialogue::new(acts.clone())
        .with(|config| config.with_tls(TlsPolicy::Required))
        .plays(&format!(
            "S: 220 mx
                 C: EHLO me.example.org
                 S: 250-mx
                 S: 250-LIMITS MAILMAX=1 RCPTMAX=1
                 S: 250 STARTTLS
                 C: STARTTLS
                 S: 220 go
                 (secured)
                 C: EHLO me.example.org
                 S: 250 mx
                 {both}
                 {both}
                 C: QUIT
                 S: 221 bye
                 C: (closed)"
        ));
    let taken = "<a@example.net> 250 taken, <b@example.net> 250 taken";
    assert_eq!(notes[..2], [format!("0: {taken}"), format!("1: {taken}")]);
    // And the other way round.
    let notes =
        Dialogue::new(acts).with(|config| config.with_tls(TlsPolicy::Required)).plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 STARTTLS
             C: STARTTLS
             S: 220 go
             (secured)
             C: EHLO me.example.org
             S: 250-mx
             S: 250 LIMITS MAILMAX=1 RCPTMAX=1
             {transaction}
             C: DATA
             S: 354 go
             C: .
             S: 250 taken
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
    assert_eq!(
        notes,
        [
            "0: <a@example.net> 250 taken, <b@example.net> untried rest: <b@example.net>",
            "end: the server takes no more transactions in a session"
        ]
    );
}
