//! RFC 2645, on-demand mail relay, which the server does not offer.

use crate::common::{config, converse};
use esmtp::{
    service::Service,
    syntax::{Extension, Extensions},
};

/// 2645-4-a, 2645-5.2-d: RFC 2645 sections 4 and 5.2.1.
#[test]
fn atrn_belongs_to_no_relay_and_no_submission_service() {
    for (service, reply) in [
        (Service::Smtp, "502 Command not implemented"),
        (Service::Submission, "500 Command not recognised"),
    ] {
        let config = config()
            .with_service(service)
            .with_extensions(Extensions::NONE.with(Extension::Atrn).with(Extension::Pipelining));
        assert!(!config.extensions().contains(Extension::Atrn), "{service:?}");
        converse(
            config,
            &crate::offering::session("PIPELINING", &format!("C: ATRN example.org\nS: {reply}")),
        );
    }
}

/// RFC 2645 section 5.2: nor is the session any other behind it.
#[test]
fn atrn_changes_nothing_in_a_transaction() {
    let experience = converse(
        config().with_extensions(Extensions::NONE.with(Extension::Pipelining)),
        &crate::offering::session(
            "PIPELINING",
            "C: MAIL FROM:<a@b.org>
             S: 250 Ok
             C: RCPT TO:<c@d.org>
             S: 250 Ok
             C: ATRN example.org
             S: 502 Command not implemented
             C: DATA
             S: 354 Start mail input; end with <CRLF>.<CRLF>
             C: .
             S: 250 queued",
        ),
    );
    assert_eq!(experience.messages.len(), 1);
}
