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
