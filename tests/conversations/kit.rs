//! The test kit itself: scripts that do not fit are found, peers play their side, and faults occur
//! where a test puts them.

use crate::common::config;
use esmtp::{
    client::{self, Client, MessageFacts, Outcome},
    envelope::Envelope,
    io::blocking,
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Limits, Peer, Server, Timeouts},
    syntax::{Code, Extension, Extensions, Rejection},
    testing::{
        At, Cut, Driver, Fault, Faults, FaultyServer, Link, LoopbackServer, Script, ScriptedPeer,
    },
    transcript::Side,
};
use std::{net::TcpListener, sync::Arc, time::Duration};

const OPENING: &str = "
    S: 220 ...
    C: EHLO client.example.net
    S: 250 ...
";

fn server() -> Server {
    Server::new(Arc::new(config()), Peer::UNKNOWN, Security::CLEAR)
}

fn new_client() -> Client {
    Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR)
}

fn accept(event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => drop(content.take()),
        Event::Deliver(delivery) => delivery.accept(),
        other => other.proceed(),
    }
}

fn envelope() -> Envelope {
    Envelope::new("ann@example.org", &["bob@example.net"]).unwrap()
}

/// Returns the complaint about a server that a script finds.
fn complaint(script: &str) -> String {
    let script = Script::new(&format!("{OPENING}{script}")).unwrap();
    script.play(&mut server(), Cut::Nowhere, accept).unwrap_err().to_string()
}

#[test]
fn a_mismatch_shows_the_conversation_so_far() {
    let text = complaint("C: NOOP\nS: 251 2.0.0 Ok\nC: QUIT");
    let expected = "the server sent `250 2.0.0 Ok\\r\\n`, and the script says `251 2.0.0 Ok\\r\\n`, after\n  \
                    S: 220 ...\n  C: EHLO client.example.net\n  S: 250 ...\n  C: NOOP\n  S: 251 2.0.0 Ok";
    assert_eq!(text, expected);
    for (script, difference) in [
        ("C: NOOP", "sent more than the script says: `250 2.0.0 Ok\\r\\n`"),
        ("S: 250 Ok", "sent nothing, and the script says `250 Ok\\r\\n`"),
        ("C: NOOP\nS: 250 ...\nS: 250 ...", "sent nothing, and"),
        ("C: NOOP\nS: 250 ...\nS: (closed)", "does not close"),
        ("(secured)", "does not wait for a TLS handshake"),
        ("C: (broken)", "is the only side of which the writes can fail"),
    ] {
        let text = complaint(script);
        assert!(text.contains(difference), "{script}: {text}");
    }
}

#[test]
fn a_delayed_reply_comes_when_its_time_has_passed() {
    let timeouts = Timeouts::default().with_error_delay(Duration::from_secs(2));
    let limits = Limits::default().with_errors(2);
    let script = |pause: &str| format!("{OPENING}C: DATA\n{pause}S: 503 ...");
    let play = |pause: &str| {
        let mut server = Server::new(
            Arc::new(config().with_timeouts(timeouts).with_limits(limits)),
            Peer::UNKNOWN,
            Security::CLEAR,
        );
        Script::new(&script(pause)).unwrap().play(&mut server, Cut::Nowhere, accept)
    };
    play("(2 s)\n").unwrap();
    let text = play("(1999 ms)\n").unwrap_err().to_string();
    assert!(text.contains("(it sends nothing for another 1ms: a delayed reply)"), "{text}");
}

#[test]
fn a_question_without_an_answer_is_named() {
    let script = Script::new(&format!("{OPENING}C: MAIL FROM:<a@b.org>\nS: 250 ...")).unwrap();
    let played = script.play(&mut server(), Cut::Nowhere, |event| match event {
        Event::Mail(_) => {}
        other => accept(other),
    });
    let text = played.unwrap_err().to_string();
    assert!(text.contains("the question Mail is not answered"), "{text}");
}

#[test]
fn each_cut_is_played() {
    let script = Script::new("S: 220 ...\nC: NOOP\nS: 250 ...").unwrap();
    assert_eq!(script.cuts(Side::Server).count(), 2 + "NOOP\r\n".len() - 1);
    let mut machines = 0;
    let machine = || {
        machines += 1;
        server()
    };
    script.check(machine, accept).unwrap();
    assert_eq!(machines, 7);
}

/// Serves a session, as an application of a user does.
fn session(mut session: blocking::ServerSession) -> std::io::Result<usize> {
    let mut messages = 0;
    while let Some(event) = session.next()? {
        match event {
            Event::Rcpt(rcpt) if rcpt.forward_path().to_string().contains("nobody") => {
                rcpt.reject(Rejection::NO_SUCH_MAILBOX);
            }
            Event::Deliver(delivery) => {
                messages += 1;
                delivery.accept();
            }
            other => accept(other),
        }
    }
    Ok(messages)
}

const MESSAGE: &str = "
    C: MAIL FROM:<ann@example.org>
    S: 250 ...
    C: RCPT TO:<nobody@example.net>
    S: 550 5.1.1 No such mailbox here
    C: RCPT TO:<bob@example.net>
    S: 250 ...
    C: DATA
    S: 354 ...
    C: hello
    C: .
    S: 250 ...
    C: QUIT
    S: 221 ...
    S: (closed)
";

#[test]
fn a_scripted_client_tests_a_session_function() {
    let script = Script::new(&format!("{OPENING}{MESSAGE}")).unwrap();
    for cut in [Cut::Nowhere, Cut::Everywhere, Cut::Before(40)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = ScriptedPeer::client(&script).with_cut(cut);
        let peer = peer.connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let messages =
            session(blocking::Connection::accept(stream, Arc::new(config())).unwrap()).unwrap();
        assert_eq!(messages, 1);
        peer.finish().unwrap();
    }
}

#[test]
fn a_scripted_client_finds_a_session_function_that_answers_otherwise() {
    let script = MESSAGE.replace("S: 550 5.1.1 No such mailbox here", "S: 250 2.1.5 Ok");
    let script = Script::new(&format!("{OPENING}{script}")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = ScriptedPeer::client(&script).connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let _ = session(blocking::Connection::accept(stream, Arc::new(config())).unwrap());
    let mismatch = peer.finish().unwrap_err();
    assert_eq!(mismatch.side(), Side::Server);
    assert!(mismatch.difference().starts_with("sent `550 5.1.1 "), "{mismatch}");
    assert_eq!(mismatch.conversation().last(), Some("C: RCPT TO:<nobody@example.net>"));
}

#[test]
fn a_scripted_server_without_a_connection_says_so() {
    let peer = ScriptedPeer::server(&Script::new("S: 220 mx").unwrap());
    let peer = peer.with_patience(Duration::from_millis(10)).listen().unwrap();
    let text = peer.finish().unwrap_err().to_string();
    assert!(text.starts_with("the client did not connect: "), "{text}");
}

#[test]
fn a_side_that_reads_nothing_is_waited_for_as_long_as_is_set() {
    let peer = ScriptedPeer::server(&Script::new("S: 220 mx").unwrap());
    let mut peer = Driver::new(peer.with_patience(Duration::from_secs(3)));
    peer.stop_reading();
    peer.pass(Duration::from_secs(3), |event| match event {});
    assert_eq!(peer.need(), Need::Close);
    let text = peer.machine().result().unwrap_err().to_string();
    assert!(text.starts_with("the client reads nothing, within 3s"), "{text}");
}

/// Sends a message over a link and returns its outcome, the time, and the number of deliveries.
fn send(link: &Link, faults: &Faults, extensions: Extensions) -> (Outcome, Duration, usize) {
    let receiving = config().with_extensions(extensions);
    let server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::CLEAR);
    let mut server = FaultyServer::new(server, faults);
    let mut client = new_client();
    let (mut rest, mut outcome, mut deliveries) = (Some(envelope()), Outcome::Untried, 0);
    let end = link.run(
        &mut client,
        &mut server,
        |_, event| match event {
            client::Event::Ready(ready) => match rest.take() {
                Some(envelope) => {
                    ready.send(envelope, MessageFacts::scan(b"x\r\n")).unwrap();
                }
                None => ready.quit(),
            },
            client::Event::Content(mut content) => {
                content.write(b"x\r\n").unwrap();
                content.finish().unwrap();
            }
            client::Event::Sent(sent) => {
                outcome = sent.take().outcomes().next().unwrap().clone();
            }
            other => other.quit(),
        },
        |_, event| match event {
            Event::Deliver(delivery) => {
                deliveries += 1;
                delivery.accept();
            }
            other => accept(other),
        },
    );
    (outcome, end.unwrap().elapsed(), deliveries)
}

fn is_code(outcome: &Outcome, code: u16) -> bool {
    matches!(outcome, Outcome::Replied(reply) if reply.code() == Code::new(code).unwrap())
}

#[test]
fn a_fault_occurs_at_its_place() {
    let chunking = Extensions::NONE.with(Extension::Chunking).with(Extension::Pipelining);
    let pipelining = Extensions::NONE.with(Extension::Pipelining);
    for extensions in [Extensions::NONE, pipelining, chunking] {
        let send = |at: At, fault: Fault| {
            send(
                &Link::new().with_time_outs(),
                &Faults::default().with(at, fault),
                extensions.clone(),
            )
        };
        let content = if extensions.contains(Extension::Chunking) { "BDAT" } else { "DATA" };
        for verb in ["MAIL", "rcpt", content] {
            let (outcome, _, deliveries) = send(At::command(verb), Fault::reply("450 4.2.0 Busy"));
            assert!(is_code(&outcome, 450), "{verb}: {outcome:?}");
            assert_eq!(deliveries, 0, "{verb}");
            let (outcome, _, deliveries) = send(At::command(verb), Fault::DROP);
            assert!(!outcome.is_delivered() && deliveries == 0, "{verb}: {outcome:?}");
            let (outcome, ..) = send(At::command(verb).nth(2), Fault::reply("450 4.2.0 Busy"));
            assert!(is_code(&outcome, 250), "{verb}, a second time: {outcome:?}");
        }
        let (outcome, _, deliveries) =
            send(At::END_OF_CONTENT, Fault::reply("552 5.2.2\nno: not a reply"));
        assert!(!outcome.is_delivered() && deliveries == 0, "{outcome:?}");
        let (outcome, _, deliveries) = send(At::END_OF_CONTENT, Fault::reply("452 4.2.2 Full"));
        assert!(is_code(&outcome, 452) && deliveries == 0, "{outcome:?}");
        let (outcome, _, deliveries) = send(At::TAKEN, Fault::DROP);
        assert!(matches!(outcome, Outcome::Unknown) && deliveries == 1, "{outcome:?}");
        let (outcome, _, deliveries) = send(At::TAKEN, Fault::octets(b"\0garbage\r\n"));
        assert!(matches!(outcome, Outcome::Unknown) && deliveries == 1, "{outcome:?}");
        let (outcome, time, _) = send(At::GREETING, Fault::reply_and_close("421 4.3.2 No"));
        assert!(matches!(outcome, Outcome::Untried) && time < Duration::from_secs(60));
        let (outcome, time, _) = send(At::command("EHLO"), Fault::delay(Duration::from_secs(7)));
        assert!(is_code(&outcome, 250), "{outcome:?}");
        assert_eq!(time, Duration::from_secs(7));
        let (outcome, time, _) = send(At::TAKEN, Fault::delay(Duration::from_secs(9)));
        assert!(is_code(&outcome, 250) && time == Duration::from_secs(9), "{outcome:?}");
        // RFC 5321 section 4.5.3.2.6: the client waits ten minutes for the last reply.
        let (outcome, time, _) = send(At::TAKEN, Fault::STALL);
        assert!(matches!(outcome, Outcome::Unknown), "{outcome:?}");
        assert!(time >= Duration::from_secs(600), "{time:?}");
    }
}

#[test]
fn the_octets_of_a_chunk_that_a_fault_rejects_are_not_commands() {
    let faults = Faults::default().with(At::command("BDAT"), Fault::reply("452 4.3.1 Full"));
    let mut server = FaultyServer::new(server(), &faults);
    let script = Script::new(
        "S: 220 ...
         C: EHLO client.example.net
         S: 250 ...
         C: MAIL FROM:<a@b.org>
         C: RCPT TO:<c@d.org>
         C: BDAT 6
         C: QUIT
         C: RSET
         S: 250 ...
         S: 250 ...
         S: 452 4.3.1 Full
         S: 250 ...",
    );
    let mut client = ScriptedPeer::client(&script.unwrap());
    let answer = |_, server: &mut FaultyServer| server.event().into_iter().for_each(accept);
    Link::new().drive(&mut client, &mut server, |_, _| (), answer).unwrap();
    client.result().unwrap();
}

#[test]
fn a_link_has_its_delay_and_its_loss() {
    let link = Link::new().with_delay(Duration::from_millis(50));
    let (outcome, time, deliveries) = send(&link, &Faults::default(), Extensions::NONE);
    assert!(is_code(&outcome, 250) && deliveries == 1);
    // Greeting, EHLO, MAIL, RCPT, DATA, content, QUIT: half a round trip and six whole ones.
    assert_eq!(time, Duration::from_millis(650));
    let link = link.with_loss(Side::Server, 30);
    let (outcome, _, deliveries) = send(&link, &Faults::default(), Extensions::NONE);
    assert!(matches!(outcome, Outcome::Untried) && deliveries == 0);
}

#[test]
fn a_session_that_stands_still_is_an_error() {
    let quiet = Script::new("C: never").unwrap();
    let (mut client, mut other) = (ScriptedPeer::server(&quiet), ScriptedPeer::server(&quiet));
    let stuck = Link::new().drive(&mut client, &mut other, |_, _| (), |_, _| ()).unwrap_err();
    assert!(matches!(stuck.need(Side::Client), Need::Read(_)));
    assert!(stuck.to_string().starts_with("the session stands still after 0ns"), "{stuck}");
    // A question that is never answered is one, too.
    let mut server = server();
    let stuck = Link::new().drive(&mut client, &mut server, |_, _| (), |_, _| ()).unwrap_err();
    assert_eq!(stuck.need(Side::Server), Need::Answer);
}

#[test]
fn a_loopback_server_has_faults_by_session_and_keeps_the_messages() {
    let faults = Faults::default()
        .with(At::command("MAIL").in_session(1), Fault::DROP)
        .with(At::END_OF_CONTENT.in_session(2).nth(1), Fault::reply("451 4.3.0 Later"));
    let server = LoopbackServer::new(config()).with_faults(faults).start().unwrap();
    let connect = || {
        let config = client::Config::new("me.example.org").unwrap();
        blocking::connect(server.address(), config).unwrap()
    };
    let report = connect().send(envelope(), b"one\r\n");
    assert!(report.is_err() || !report.unwrap().is_delivered_to_all());
    let mut session = connect();
    assert!(!session.send(envelope(), b"two\r\n").unwrap().is_delivered_to_all());
    assert!(session.send(envelope(), b"..three\r\n").unwrap().is_delivered_to_all());
    session.quit().unwrap();
    assert_eq!(server.sessions(), 2);
    let messages = server.stop();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].session(), 2);
    assert_eq!(messages[0].reverse_path(), "<ann@example.org>");
    assert_eq!(messages[0].forward_paths().collect::<Vec<_>>(), ["<bob@example.net>"]);
    assert_eq!(messages[0].content(), b"..three\r\n");
}

#[test]
fn a_loopback_server_asks_the_test_first() {
    let server = LoopbackServer::new(config()).with_answer(|event| match event {
        Event::Rcpt(rcpt) => {
            rcpt.reject(Rejection::MAILBOX_FULL);
            None
        }
        other => Some(other),
    });
    let server = server.start().unwrap();
    let config = client::Config::new("me.example.org").unwrap();
    let mut session = blocking::connect(server.address(), config).unwrap();
    let report = session.send(envelope(), b"one\r\n").unwrap();
    assert!(is_code(report.outcomes().next().unwrap(), 452));
    // An open session does not keep the server from ending.
    assert!(server.stop().is_empty());
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use super::*;
    use esmtp::io::tokio::{Connection, ServerSession, Socket};

    /// Serves a session, as an application of a user does.
    async fn session(mut session: ServerSession) -> std::io::Result<()> {
        while let Some(event) = session.next().await? {
            accept(event);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_function_is_tested_in_memory() {
        let (near, far) = tokio::io::duplex(64);
        let script = Script::new(&format!("{OPENING}(299 s)\nC: QUIT\nS: 221 ...")).unwrap();
        let mut peer = Connection::new(ScriptedPeer::client(&script), far);
        let served = session(Connection::new(server().into(), Socket::boxed(near)));
        let (served, ended) = tokio::join!(served, peer.next());
        served.unwrap();
        ended.unwrap();
        peer.machine().result().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_waited_for_as_long_as_is_set() {
        let (near, _far) = tokio::io::duplex(64);
        let script = Script::new("S: 220 mx").unwrap();
        let peer = ScriptedPeer::client(&script).with_patience(Duration::from_secs(3));
        let mut peer = Connection::new(peer, near);
        let start = tokio::time::Instant::now();
        assert!(peer.next().await.unwrap().is_none());
        assert!(start.elapsed() >= Duration::from_secs(3));
        let text = peer.machine().result().unwrap_err().to_string();
        assert!(
            text.contains("sent nothing, and the script says `220 mx\\r\\n`, within 3s"),
            "{text}"
        );
    }
}

#[cfg(feature = "rustls")]
mod tls {
    use super::*;
    use crate::channel::{client_end, server_end, server_tls};
    use esmtp::{client::TlsPolicy, tls::Secured};

    #[test]
    fn a_scripted_peer_plays_inside_tls() {
        let script = Script::new(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 STARTTLS
             C: STARTTLS
             S: 220 go
             (secured)
             C: EHLO me.example.org
             S: 250 mx
             C: QUIT
             S: 221 bye",
        )
        .unwrap();
        let config = client::Config::new("me.example.org").unwrap().with_tls(TlsPolicy::Required);
        let client = Client::new(config, Security::CLEAR);
        let mut client = Secured::start_tls(client, client_end());
        let mut server = Secured::start_tls(ScriptedPeer::server(&script), server_end());
        let answer = |_, client: &mut Secured<Client>| match client.event().unwrap() {
            client::Event::Ready(ready) if !ready.security().is_tls() => ready.start_tls().unwrap(),
            other => other.quit(),
        };
        Link::new()
            .with_pieces([1, 7, 100])
            .drive(&mut client, &mut server, answer, |_, _| ())
            .unwrap();
        server.machine().result().unwrap();
    }

    #[test]
    fn a_loopback_server_has_tls() {
        for is_implicit in [false, true] {
            let loopback = LoopbackServer::new(config());
            let server = match is_implicit {
                true => loopback.with_implicit_tls(server_tls()),
                false => loopback.with_tls(server_tls()),
            };
            let server = server.start().unwrap();
            let stream = std::net::TcpStream::connect(server.address()).unwrap();
            let tls = if is_implicit { TlsPolicy::Never } else { TlsPolicy::Required };
            let config = client::Config::new("me.example.org").unwrap().with_tls(tls);
            let client = Client::new(config, Security::CLEAR);
            let client = match is_implicit {
                true => Secured::implicit(client, client_end()),
                false => Secured::start_tls(client, client_end()),
            };
            let mut session = blocking::Connection::new(client, stream);
            assert!(session.send(envelope(), b"x\r\n").unwrap().is_delivered_to_all());
            assert!(session.machine().machine().security().is_tls());
            session.quit().unwrap();
            assert_eq!(server.stop().len(), 1);
        }
    }

    #[test]
    fn a_server_with_faults_is_inside_tls() {
        let receiving: Config =
            config().with_extensions(Extensions::NONE.with(Extension::StartTls));
        let server = Server::new(Arc::new(receiving), Peer::UNKNOWN, Security::CLEAR);
        let faults =
            Faults::default().with(At::command("EHLO").nth(2), Fault::reply("421 4.3.2 No"));
        let mut server = Secured::start_tls(FaultyServer::new(server, &faults), server_end());
        let config = client::Config::new("me.example.org").unwrap().with_tls(TlsPolicy::Required);
        let mut client = Secured::start_tls(Client::new(config, Security::CLEAR), client_end());
        let quit = |_, client: &mut Secured<Client>| match client.event().unwrap() {
            client::Event::Ready(ready) if !ready.security().is_tls() => ready.start_tls().unwrap(),
            other => other.quit(),
        };
        let answer = |_, server: &mut Secured<FaultyServer>| accept(server.event().unwrap());
        Link::new().drive(&mut client, &mut server, quit, answer).unwrap();
        let end = client.machine().end().unwrap().to_string();
        assert!(end.contains("421 4.3.2 No"), "{end}");
        assert!(client.machine().security().is_tls());
    }
}
