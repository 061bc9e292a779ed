//! RFC 2645, the client's side.

use crate::dialogue::{Act, AfterAtrn, Dialogue, after_offer, mail};
use esmtp::{
    client::{Client, Config, End, Event, State},
    machine::{Closed, Machine, Need},
    security::Security,
    syntax::{Domain, DomainList},
    time::Instant,
};

fn domains() -> DomainList<'static> {
    DomainList::new(&Domain::new("example.org").unwrap())
        .with_domain(&Domain::new("example.com").unwrap())
}

const OPENING: &str = "S: 220 odmr
    C: EHLO me.example.org
    S: 250-odmr
    S: 250-PIPELINING
    S: 250 ATRN";

/// RFC 2645 sections 5.3 and 6: octets after the 250, however they are cut, are not the client's any
/// more. A peer that does not wait for the greeting is not judged here.
#[test]
fn the_client_hands_the_channel_over() {
    for (list, said) in [(None, "ATRN"), (Some(domains()), "ATRN example.org,example.com")] {
        for (behind, left) in [
            ("", ""),
            ("S: EHLO odmr\nS: 250 no reply", r"EHLO odmr\r\n250 no reply\r\n"),
            ("S: (closed)", ""),
            ("(3600 s)", ""),
        ] {
            let acts = [
                Act::Send(mail(&["bob@example.net"], "x\r\n")),
                Act::Atrn(list.clone(), AfterAtrn::Leave),
            ];
            let notes = Dialogue::new(acts).plays(&format!(
                "{OPENING}
                 C: MAIL FROM:<ann@example.org>
                 C: RCPT TO:<bob@example.net>
                 C: DATA
                 S: 250 ok
                 S: 550 no
                 S: 503 nobody
                 C: RSET
                 S: 250 ok
                 C: {said}
                 S: 250 OK now reversing the connection
                 {behind}"
            ));
            assert_eq!(
                notes,
                [
                    "0: <bob@example.net> 550 no".to_owned(),
                    "hand over: 250 OK now reversing the connection".to_owned(),
                    "Answer".to_owned(),
                    format!("left: {left}")
                ]
            );
        }
    }
}

/// RFC 2645 section 7.
#[test]
fn the_client_continues_where_atrn_is_rejected() {
    for reply in
        ["450 refused", "451 not now", "453 You have no mail", "502 what?", "530 Authenticate"]
    {
        let notes = Dialogue::new([Act::Atrn(None, AfterAtrn::Leave)]).plays(&format!(
            "{OPENING}
             C: ATRN
             S: {reply}
             C: QUIT
             S: 221 bye
             C: (closed)"
        ));
        assert_eq!(notes[0], format!("ATRN refused: {reply}"));
    }
    let notes = Dialogue::new([Act::Atrn(None, AfterAtrn::Leave)]).plays(&after_offer(
        "",
        "C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], "not offered: the message needs ATRN, which is not offered");
}

#[test]
fn a_channel_that_no_server_takes_over_is_closed() {
    let notes = Dialogue::new([Act::Atrn(None, AfterAtrn::Close)])
        .plays(&format!("{OPENING}\nC: ATRN\nS: 250 ok\nC: (closed)"));
    assert_eq!(
        notes,
        ["hand over: 250 ok", "end: the roles were turned, and no machine took the channel over"]
    );
    // The server has ten minutes to get ready (RFC 2645 section 5.2.1).
    let notes = Dialogue::new([Act::Atrn(None, AfterAtrn::Close)])
        .plays(&format!("{OPENING}\nC: ATRN\n(599 s)\n(1 s)\nC: (closed)"));
    assert_eq!(notes, ["end: the server took too long"]);
}

/// The question stays, whatever becomes of the channel, and no pool takes the session back.
#[test]
fn the_client_waits_until_the_channel_is_taken_over() {
    let mut client = Client::new(Config::new("me.example.org").unwrap(), Security::TLS);
    for reply in ["220 odmr\r\n", "250-odmr\r\n250 ATRN\r\n", "250 ok\r\nNOOP\r\n"] {
        assert!(client.feed(reply.as_bytes()) > 0);
        while let Need::Either(_) = client.poll(Instant::ORIGIN) {
            client.sent(usize::MAX);
        }
        if let Some(Event::Ready(ready)) = client.event() {
            ready.atrn(None).unwrap();
            while let Need::Either(_) = client.poll(Instant::ORIGIN) {
                client.sent(usize::MAX);
            }
        }
    }
    client.closed(Closed::Clean);
    let mut numbers = Vec::new();
    for _ in 0..2 {
        assert_eq!(client.poll(Instant::NEVER), Need::Answer);
        let Some(event @ Event::HandOver(_)) = client.event() else { panic!("nothing is asked") };
        numbers.push(event.number());
    }
    assert_eq!(numbers[0], numbers[1]);
    assert_eq!((client.state(), client.end()), (State::MustClose, None));
    assert!(client.security().is_tls());
    // A client that cannot send anything cannot take over.
    client.unsendable();
    assert_eq!(client.poll(Instant::ORIGIN), Need::Close);
    assert_eq!(client.end(), Some(&End::Unsendable));
    assert_eq!(client.into_received(), "NOOP\r\n");
}
