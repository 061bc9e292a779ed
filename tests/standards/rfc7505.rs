//! RFC 7505, domains without mail.

use crate::common::{HELLO, config, converse_with};
use esmtp::{
    server::Event,
    syntax::{Code, Rejection, Status, Text},
};

fn null_mx(code: u16, status: Status) -> Rejection {
    let code = Code::new(code).unwrap();
    assert!(status.goes_with(code));
    Rejection::new(code, status, Text::literal("This domain takes no mail")).unwrap()
}

/// 7505-4.1-a, 7505-4.2-a: RFC 7505 sections 4.1 and 4.2. Whether a domain has a null MX the
/// application finds out.
#[test]
fn a_domain_without_mail_is_refused_with_its_own_codes() {
    let experience = converse_with(
        config(),
        &format!(
            "{HELLO}
             C: MAIL FROM:<a@null.example>
             S: 550 5.7.27 This domain takes no mail
             C: MAIL FROM:<a@b.org>
             S: 250 2.1.0 Ok
             C: RCPT TO:<c@null.example>
             S: 556 5.1.10 This domain takes no mail
             C: RCPT TO:<c@d.org>
             S: 250 2.1.5 Ok"
        ),
        |experience, event| match event {
            Event::Mail(mail) if mail.reverse_path().to_string().ends_with("@null.example>") => {
                mail.reject(null_mx(550, Status::SENDER_NULL_MX));
            }
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().ends_with("@null.example>") => {
                rcpt.reject(null_mx(556, Status::RECIPIENT_NULL_MX));
            }
            other => experience.answer(other),
        },
    );
    assert_eq!(experience.log[2..], ["rcpt 0 <c@d.org>"]);
}
