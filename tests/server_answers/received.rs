//! The `Received:` field of a session.

use crate::talk::{Session, config};
use esmtp::{
    security::Security,
    server::{Event, Peer, Server},
    syntax::{Domain, Extension, Host},
    trace::{Received, Timestamp},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

fn field(security: Security, lines: &str) -> String {
    let config = config().with_extension(Extension::MtPriority).with_enforced_sync(false);
    let peer = Peer::from(SocketAddr::from(([192, 0, 2, 7], 40_000)))
        .with_name(Domain::new("client.example.net").unwrap().into_owned());
    let mut session = Session::of(Server::new(Arc::new(config), peer, security));
    let by = Host::parse("mx.example.org").unwrap();
    let at = Timestamp::since_unix_epoch(Duration::from_secs(1_600_000_000));
    let mut field = String::new();
    session.say(lines, |event| match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Data(data) => {
            field = Received::of(data.facts(), &by, at).with_id("4711").to_string();
            data.accept();
        }
        other => other.proceed(),
    });
    field
}

/// 5321-4.4-d
#[test]
fn a_received_field_tells_all_that_is_known_of_the_session() {
    let secured = Security::TLS.with_version("TLSv1.3").with_cipher("TLS_AES_256_GCM_SHA384");
    let lines = "EHLO me.example.net\r\nMAIL FROM:<a@x.y> MT-PRIORITY=3\r\nRCPT TO:<b@x.y>\r\nDATA";
    assert_eq!(
        field(secured, lines).replace("\r\n ", " "),
        "Received: from me.example.net (client.example.net [192.0.2.7]) by mx.example.org with ESMTPS \
         id 4711 for <b@x.y> tls TLS_AES_256_GCM_SHA384 priority 3; \
         Sun, 13 Sep 2020 12:26:40 +0000\r\n",
    );
}

/// 5321-7.2-a: of several recipients the field names none.
#[test]
fn a_received_field_names_no_recipient_of_several() {
    let lines = "HELO me.example.net\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.y>\r\nRCPT TO:<c@x.y>\r\nDATA";
    assert_eq!(
        field(Security::CLEAR, lines).replace("\r\n ", " "),
        "Received: from me.example.net (client.example.net [192.0.2.7]) by mx.example.org with SMTP \
         id 4711; Sun, 13 Sep 2020 12:26:40 +0000\r\n",
    );
}
