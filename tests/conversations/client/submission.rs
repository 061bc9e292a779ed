//! Submission by a client (RFC 6409).

use crate::dialogue::Dialogue;
use esmtp::{client::TlsPolicy, service::Service};

/// RFC 8314 section 3.
#[test]
fn submission_requires_tls_by_default() {
    let dialogue = Dialogue::new([]).with(|config| config.with_service(Service::Submission));
    let opening = "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: QUIT
         S: 221 bye
         C: (closed)";
    assert_eq!(dialogue.plays(opening), ["end: TLS is required and not offered"]);
    let dialogue = dialogue.with(|config| config.with_tls(TlsPolicy::Never));
    assert_eq!(dialogue.plays(opening), ["end: the session was ended with QUIT"]);
}
