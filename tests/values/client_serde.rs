//! Envelopes and reports for logs and queues.

use esmtp::{
    client::{Client, Config, Event, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    syntax::{ForwardPath, Parameters},
    time::Instant,
};
use serde_json::json;

fn envelope() -> Envelope {
    Envelope::new("ann@example.org", &["bob@example.net"]).unwrap().with_recipient(
        ForwardPath::parse("<carol@example.net>").unwrap(),
        Parameters::parse("NOTIFY=NEVER").unwrap(),
    )
}

#[test]
fn an_envelope_is_read_as_it_was_written() {
    let text = serde_json::to_string(&envelope()).unwrap();
    assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope());
    assert!(serde_json::from_str::<Envelope>(&text.replace("bob@", "bob\\r\\n@")).is_err());
}

#[test]
fn a_report_has_the_outcome_of_each_recipient() {
    let mut client = Client::new(Config::new("me.example.org").unwrap(), Security::CLEAR);
    let hear = |octets: &[u8], client: &mut Client| {
        client.feed(octets);
        while let Need::Either(_) | Need::Write(_) = client.poll(Instant::ORIGIN) {
            client.sent(usize::MAX);
        }
    };
    hear(b"220 mx\r\n", &mut client);
    hear(b"250-mx\r\n250-DSN\r\n250 PIPELINING\r\n", &mut client);
    let Some(Event::Ready(ready)) = client.event() else { panic!() };
    ready.send(envelope(), MessageFacts::UNKNOWN).unwrap();
    hear(b"", &mut client);
    hear(b"250 2.1.0 ok\r\n550 5.1.1 nobody\r\n421 4.3.2 down\r\n", &mut client);
    let Some(Event::Sent(sent)) = client.event() else { panic!() };
    let report = serde_json::to_value(sent.take()).unwrap();
    assert_eq!(report["reverse_path"], "<ann@example.org>");
    assert_eq!(report["recipients"][0][0], "<bob@example.net>");
    let replied = &report["recipients"][0][1]["replied"];
    assert_eq!(*replied, json!({"code": 550, "status": "X.1.1", "lines": ["nobody"]}));
    assert_eq!(report["recipients"][1][1]["replied"]["code"], 421);
}
