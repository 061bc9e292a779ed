//! RFC 4405, the responsible submitter (experimental).

use crate::{
    common::{announcing, converse_with},
    offering::{goes_only_where_offered, with},
};
use esmtp::{
    server::Event,
    syntax::{Extension, Extensions, MailParameters, Mailbox},
};

/// RFC 4405 section 4: the value is a mailbox in xtext.
#[test]
fn the_application_is_told_the_responsible_submitter() {
    let experience = converse_with(
        with(&[Extension::Submitter]),
        &announcing(
            "SUBMITTER",
            "C: MAIL FROM:<a@b.org> SUBMITTER
             S: 501 ...
             C: MAIL FROM:<a@b.org> SUBMITTER=<>
             S: 501 ...
             C: MAIL FROM:<a@b.org> SUBMITTER=c@d+
             S: 501 ...
             C: MAIL FROM:<a@b.org> SUBMITTER=c+2Bd@d.org
             S: 250 Ok
             C: RSET
             S: 250 Ok
             C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org> SUBMITTER=c@d.org
             S: 555 ...",
        ),
        |experience, event| {
            if let Event::Mail(mail) = &event {
                let (parameters, offered) =
                    (mail.parameters(), Extensions::NONE.with(Extension::Submitter));
                let typed = MailParameters::parse(&parameters, &offered).unwrap();
                let expected = Mailbox::parse("c+d@d.org").unwrap();
                let responsible = typed.responsible_submitter();
                assert!(responsible.is_none_or(|mailbox| *mailbox == expected));
                assert_eq!(responsible.is_some(), !parameters.is_empty());
            }
            experience.answer(event);
        },
    );
    let mails = experience.log.iter().filter(|note| note.contains("SUBMITTER=c+2Bd@d.org"));
    assert_eq!(mails.count(), 1, "{:?}", experience.log);
}

#[test]
fn submitter_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("SUBMITTER", "SUBMITTER=c+2Bd@d.org", "");
}
