//! RFC 1985: ETRN, the start of a remote queue.

use crate::{
    common::{announcing, config, converse_with},
    dialogue::{Act, Dialogue, after_offer, mail},
};
use esmtp::{
    client::{self, Client},
    machine::Need,
    security::Security,
    server::{Event, Limits},
    syntax::{Code, Domain, Extension, Extensions, Node, Rejection, Reply, Status, Text, Verb},
    testing::Driver,
};

/// 1985-5.1-a: RFC 1985 section 5.1.
#[test]
fn etrn_has_eight_replies() {
    converse_with(
        config().with_extensions(Extensions::NONE.with(Extension::Etrn)),
        &announcing(
            "ETRN",
            "C: ETRN started.example
             S: 250 Queueing for this node has started
             C: ETRN empty.example
             S: 251 No messages are waiting for this node
             C: ETRN some.example
             S: 252 Pending messages for this node have started
             C: ETRN many.example
             S: 253 14 pending messages for this node have started
             C: ETRN nobody.example
             S: 458 Unable to queue messages for this node
             C: ETRN foreign.example
             S: 459 Not for you
             C: ETRNstarted.example
             S: 500 No command in this line
             C: ETRN
             S: 501 This command needs an argument
             C: ETRN a_b
             S: 501 Not a domain or an address literal",
        ),
        |_, event| match event {
            Event::Etrn(etrn) => match etrn.node().to_string().as_str() {
                "started.example" => etrn.accept(),
                "empty.example" => etrn.nothing_waits(),
                "some.example" => etrn.accept_waiting(None),
                "many.example" => etrn.accept_waiting(Some(14)),
                "foreign.example" => etrn.reject(
                    Rejection::new(
                        Code::new(459).unwrap(),
                        Status::new(7, 1).unwrap(),
                        Text::literal("Not for you"),
                    )
                    .unwrap(),
                ),
                _ => Event::Etrn(etrn).proceed(),
            },
            other => other.proceed(),
        },
    );
}

/// 1985-5.1-d: RFC 1985 sections 5.1 and 5.3. Without an application that serves queues no node is
/// taken, and of the option characters only the two of the standard are read: each other one is a syntax
/// error, and never dropped.
#[test]
fn unsupported_etrn_options_are_rejected() {
    const NODES: &str = "C: ETRN #q
        S: 458 Unable to queue messages for this node
        C: ETRN @example.org
        S: 458 Unable to queue messages for this node
        C: ETRN example.org
        S: 458 Unable to queue messages for this node\n";
    let mut script = announcing("ETRN", NODES);
    // A colon ends no node either; brackets and letters begin other nodes.
    for option in "!\"$%&'()*+,-./:;<=>?\\]^_`{|}~".chars() {
        script.push_str(&format!(
            "C: ETRN {option}example.org\nS: 501 Not a domain or an address literal\n"
        ));
    }
    let config = config()
        .with_extensions(Extensions::NONE.with(Extension::Etrn))
        .with_limits(Limits::default().with_errors(1000));
    let experience = converse_with(config, &script, |experience, event| {
        if let Event::Etrn(etrn) = &event {
            experience.log.push(etrn.node().to_string());
        }
        event.proceed();
    });
    assert_eq!(experience.log, ["#q", "@example.org", "example.org"]);
}

/// The outcome of ETRN on the client.
#[derive(Debug)]
enum Answer {
    Success(Reply<'static>),
    Refusal(Reply<'static>),
    NotOffered(client::NotOffered),
}

/// Returns the outcome of ETRN, and all that the client sent.
fn start_queue(hello: &str, reply: &str) -> (Answer, String) {
    let client = Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR);
    let mut client = Driver::new(client);
    let (mut answer, mut is_asked, mut said) = (None, false, String::new());
    for reply in ["220 mx\r\n", hello, reply, "221 bye\r\n"] {
        said += &client.exchange(reply, |event| match event {
            client::Event::Ready(ready) if !is_asked => {
                is_asked = true;
                let node = Node::Domain(Domain::new("me.example.org").unwrap());
                answer = ready.etrn(node).err().map(Answer::NotOffered);
            }
            client::Event::Ready(ready) => {
                if let Some((Verb::Etrn, reply)) = ready.reply() {
                    answer = Some(Answer::Success(reply.clone()));
                }
                ready.quit();
            }
            client::Event::Refused(refused) => {
                answer = Some(Answer::Refusal(refused.reply().clone()));
                refused.quit();
            }
            _ => panic!("neither Ready nor Refused"),
        });
    }
    assert_eq!(client.need(), Need::Close);
    (answer.unwrap(), said)
}

const OFFERED: &str = "250-mx\r\n250 ETRN\r\n";

/// 1985-5.1-c: RFC 1985 section 5.1. The count is in the text of 253.
#[test]
fn the_client_takes_every_2yz_for_a_success() {
    for line in [
        "250 OK, queuing for node me.example.org started",
        "251 OK, no messages waiting for node me.example.org",
        "252 OK, pending messages for node me.example.org started",
        "253 OK, 3 pending messages for node me.example.org started",
    ] {
        let (answer, said) = start_queue(OFFERED, &format!("{line}\r\n"));
        let Answer::Success(reply) = answer else { panic!("{line}: {answer:?}") };
        assert_eq!(reply.to_string(), line);
        assert_eq!(said, "EHLO me.example.org\r\nETRN me.example.org\r\nQUIT\r\n");
    }
}

/// 1985-5.2-a, 1985-5.2-b: RFC 1985 section 5.2. After a refusal nothing is asked for by the client itself.
#[test]
fn the_client_distinguishes_temporary_and_permanent_refusals_of_etrn() {
    for (line, is_transient) in [
        ("458 Unable to queue messages for node me.example.org", true),
        ("459 Node me.example.org not allowed: not on the list", true),
        ("500 Syntax Error", false),
        ("501 Syntax Error in Parameters", false),
    ] {
        let (answer, said) = start_queue(OFFERED, &format!("{line}\r\n"));
        assert_eq!(said, "EHLO me.example.org\r\nETRN me.example.org\r\nQUIT\r\n");
        let Answer::Refusal(reply) = answer else { panic!("{line}: {answer:?}") };
        assert_eq!(reply.to_string(), line);
        assert_eq!((reply.is_transient(), reply.is_permanent()), (is_transient, !is_transient));
    }
    let (answer, said) = start_queue("250 mx\r\n", "");
    let Answer::NotOffered(error) = answer else { panic!("{answer:?}") };
    assert_eq!(error.obstacles(), [client::Obstacle::Extension(Extension::Etrn)]);
    assert!(!said.contains("ETRN"), "{said}");
}

/// Between MAIL and the reply to the content ETRN is illegal: what is under way comes to its end first
/// (RFC 1985 section 5).
#[test]
fn the_client_waits_with_etrn_for_the_end_of_a_transaction() {
    let node = Node::Domain(Domain::new("me.example.org").unwrap());
    Dialogue::new([Act::Send(mail(&["bob@example.net"], "x\r\n")), Act::Etrn(node)]).plays(
        &after_offer(
            "PIPELINING|CHUNKING|ETRN",
            "C: MAIL FROM:<ann@example.org>
         C: RCPT TO:<bob@example.net>
         C: BDAT 3 LAST
         C: x
         S: 250 ok
         S: 550 no
         S: 554 nobody
         C: RSET
         S: 250 ok
         C: ETRN me.example.org
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
        ),
    );
}
