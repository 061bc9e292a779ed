//! A pool of sessions, with servers that work and with servers that do not.

use crate::phases::wait_for;
use esmtp::{
    client::{self, Outcome, Report, Timeouts},
    envelope::Envelope,
    io::{
        SendError, SendFailure,
        serving::{Handle, Options},
        tokio::{ClientSession, Connector, Pool, PoolLimits, serve},
    },
    security::Security,
    server::{self, Config, Event},
    syntax::Extension,
    testing::{At, Fault, Faults, LoopbackServer, RunningServer, TakenMessage},
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpStream, task::JoinSet};

fn server(faults: Faults) -> RunningServer {
    let config = Config::new("mx.example.net").unwrap();
    LoopbackServer::new(config).with_faults(faults).start().unwrap()
}

fn pool_with(limits: PoolLimits, address: SocketAddr, timeout: Duration) -> Pool {
    let config = client::Config::new("me.example.org").unwrap();
    let config = Arc::new(config.with_timeouts(Timeouts::default().at_most(timeout)));
    Pool::connecting(limits, move || {
        let client = client::Client::new(Arc::clone(&config), Security::CLEAR);
        async move {
            let stream = TcpStream::connect(address).await?;
            Ok::<_, io::Error>(ClientSession::new(client.into(), stream.into()))
        }
    })
}

fn pool(limits: PoolLimits, address: SocketAddr) -> Pool {
    pool_with(limits, address, Duration::from_secs(20))
}

fn envelope() -> Envelope {
    Envelope::new("ann@example.org", ["bob@example.net"]).unwrap()
}

async fn send(pool: &Pool, number: usize) -> Result<Report, SendError> {
    pool.send(envelope(), format!("Subject: {number}\r\n\r\nhello\r\n").as_bytes()).await
}

/// Sends this many messages at once; the results in order.
async fn send_all(pool: &Pool, messages: usize) -> Vec<Result<Report, SendError>> {
    let mut sending = JoinSet::new();
    for number in 0..messages {
        let pool = pool.clone();
        sending.spawn(async move { (number, send(&pool, number).await) });
    }
    let mut results = sending.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Counts how often a message was taken.
fn taken(messages: &[TakenMessage], number: usize) -> usize {
    let subject = format!("Subject: {number}\r\n");
    messages.iter().filter(|message| message.content().starts_with(subject.as_bytes())).count()
}

#[tokio::test]
async fn a_session_is_used_again() {
    let server = server(Faults::default());
    let pool = pool(PoolLimits::default(), server.address());
    for number in 0..20 {
        assert!(send(&pool, number).await.unwrap().is_delivered_to_all());
        assert_eq!((pool.sessions(), pool.idle()), (1, 1));
    }
    pool.close().await;
    assert_eq!((pool.sessions(), pool.idle(), server.sessions()), (0, 0, 1));
    assert_eq!(server.stop().len(), 20);
}

#[tokio::test]
async fn a_connector_opens_the_sessions() {
    let server = server(
        Faults::default().with(At::GREETING.in_session(2), Fault::reply_and_close("554 5.7.1 No")),
    );
    let connector =
        Connector::new(server.address().to_string()).with_tls_policy(client::TlsPolicy::Never);
    let pool = Pool::new(connector, PoolLimits::default().with_messages(1));
    assert!(send(&pool, 0).await.unwrap().is_delivered_to_all());
    let error = send(&pool, 1).await.unwrap_err();
    assert!(matches!(error.failure(), SendFailure::Connect(_)), "{error:?}");
    assert!(error.to_string().contains("554 5.7.1 No") && error.is_unsent(), "{error}");
    assert_eq!(error.into_envelope(), envelope());
    assert!(send(&pool, 2).await.unwrap().is_delivered_to_all());
    pool.close().await;
    assert_eq!(server.stop().len(), 2);
}

#[tokio::test]
async fn no_more_sessions_are_open_than_the_limit() {
    let server = server(Faults::default());
    let pool = pool(PoolLimits::default().with_sessions(3), server.address());
    for result in send_all(&pool, 60).await {
        assert!(result.unwrap().is_delivered_to_all());
        assert!(pool.sessions() <= 3);
    }
    assert!(server.sessions() <= 3, "{} sessions", server.sessions());
    pool.close().await;
    let messages = server.stop();
    assert!((0..60).all(|number| taken(&messages, number) == 1));
}

#[tokio::test]
async fn a_session_ends_after_its_messages_and_at_its_age() {
    for (limits, sessions) in [
        (PoolLimits::default().with_messages(5), 4),
        (PoolLimits::default().with_messages(0), 20),
        (PoolLimits::default().with_age(Duration::ZERO), 20),
    ] {
        let server = server(Faults::default());
        let pool = pool(limits.with_sessions(1), server.address());
        for number in 0..20 {
            assert!(send(&pool, number).await.unwrap().is_delivered_to_all());
        }
        pool.close().await;
        assert_eq!(server.sessions(), sessions, "{:?}", pool.limits());
    }
}

/// RFC 9422 section 5.1: the number of transactions in a session that the server announces.
#[tokio::test]
async fn the_limit_of_the_server_ends_a_session_in_time() {
    let config = Config::new("mx.example.net").unwrap();
    let config = config
        .with_limits(server::Limits::default().with_transactions(Some(4)))
        .with_extension(Extension::Limits);
    let server = LoopbackServer::new(config).start().unwrap();
    let pool = pool(PoolLimits::default().with_sessions(2), server.address());
    for result in send_all(&pool, 30).await {
        assert!(result.unwrap().is_delivered_to_all());
    }
    pool.close().await;
    assert_eq!(server.stop().len(), 30);
}

#[tokio::test]
async fn a_session_that_is_not_used_ends_by_itself() {
    let server = server(Faults::default());
    let limits = PoolLimits::default().with_idle(Duration::from_millis(30));
    let pool = pool(limits, server.address());
    send(&pool, 0).await.unwrap();
    wait_for(|| pool.sessions() == 0).await;
    assert_eq!(pool.idle(), 0);
    assert!(send(&pool, 1).await.unwrap().is_delivered_to_all());
    assert_eq!(server.sessions(), 2);
}

/// Starts a server whose sessions can be told to end.
async fn serving() -> (SocketAddr, Handle, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::new(Config::new("mx.example.net").unwrap());
    let delivered = Arc::new(AtomicUsize::new(0));
    let serving =
        serve(listener, options, Arc::clone(&delivered), |mut session, delivered| async move {
            while let Some(event) = session.next().await? {
                match event {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Content(content) => assert!(!content.take().is_empty()),
                    Event::Deliver(delivery) => {
                        delivered.fetch_add(1, Ordering::SeqCst);
                        delivery.accept();
                    }
                    other => other.proceed(),
                }
            }
            Ok(())
        });
    let handle = serving.handle();
    tokio::spawn(serving);
    (address, handle, delivered)
}

#[tokio::test]
async fn a_421_while_a_session_is_not_used_ends_it_at_once() {
    let (address, handle, delivered) = serving().await;
    let pool = pool(PoolLimits::default(), address);
    assert!(send_all(&pool, 5).await.iter().all(Result::is_ok));
    assert!(pool.idle() > 0);
    handle.shut_down();
    wait_for(|| pool.sessions() == 0).await;
    assert_eq!(pool.idle(), 0);
    // Nothing is lost: the envelope comes back.
    let error = send(&pool, 9).await.unwrap_err();
    assert!(matches!(error.failure(), SendFailure::Lost(_)), "{error:?}");
    assert!(error.is_unsent() && error.is_transient());
    assert_eq!(error.into_envelope(), envelope());
    assert_eq!(delivered.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_session_that_has_died_is_replaced() {
    let closing = || Fault::reply_and_close("421 4.3.2 No more");
    // The check finds it, or the reply to MAIL.
    for (check, place, fault) in [
        (Duration::ZERO, At::command("NOOP"), Fault::DROP),
        (Duration::ZERO, At::command("NOOP"), closing()),
        (Duration::ZERO, At::command("MAIL").nth(2), closing()),
        (Duration::from_secs(600), At::command("MAIL").nth(2), closing()),
    ] {
        let server = server(Faults::default().with(place.in_session(1), fault));
        let pool = pool(PoolLimits::default().with_check(check), server.address());
        for number in 0..4 {
            assert!(send(&pool, number).await.unwrap().is_delivered_to_all());
        }
        pool.close().await;
        assert_eq!(server.sessions(), 2);
        let messages = server.stop();
        assert!((0..4).all(|number| taken(&messages, number) == 1));
    }
}

#[tokio::test]
async fn a_closed_pool_gives_the_envelope_back() {
    let server = server(Faults::default());
    let pool = pool(PoolLimits::default(), server.address());
    send(&pool, 0).await.unwrap();
    pool.close().await;
    pool.close().await;
    let error = send(&pool, 1).await.unwrap_err();
    assert!(matches!(error.failure(), SendFailure::PoolClosed));
    assert_eq!(error.into_envelope(), envelope());
    let error = pool.send_from(envelope(), client::MessageFacts::UNKNOWN, &b"Hi\r\n"[..]).await;
    assert!(matches!(error.unwrap_err().failure(), SendFailure::PoolClosed));
    assert_eq!(server.stop().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_frees_its_place() {
    let server = server(Faults::default().with(At::command("MAIL").in_session(1), Fault::STALL));
    let pool = pool(PoolLimits::default().with_sessions(1), server.address());
    let sending = tokio::time::timeout(Duration::from_millis(200), send(&pool, 0));
    assert!(sending.await.is_err());
    assert_eq!(pool.sessions(), 0);
    assert!(send(&pool, 1).await.unwrap().is_delivered_to_all());
    pool.close().await;
    let messages = server.stop();
    assert_eq!((taken(&messages, 0), taken(&messages, 1)), (0, 1));
}

#[tokio::test]
async fn a_pool_that_is_dropped_closes_its_sessions() {
    let (address, handle, _) = serving().await;
    let pool = pool(PoolLimits::default(), address);
    send_all(&pool, 3).await;
    assert!(handle.sessions() > 0);
    drop(pool);
    wait_for(|| handle.sessions() == 0).await;
}

/// Lists the places of a session at which a server may fail.
fn places() -> Vec<At> {
    let verbs = ["EHLO", "MAIL", "RCPT", "BDAT", "DATA", "RSET", "NOOP", "QUIT"];
    let mut places = vec![At::GREETING.in_session(1)];
    for verb in verbs {
        places.extend([At::command(verb).nth(1), At::command(verb).nth(2)]);
    }
    places.extend([At::END_OF_CONTENT.nth(1), At::END_OF_CONTENT.nth(3)]);
    places
}

/// Sends messages to a server with a fault, and checks that none is sent twice, and that the results
/// say which were taken.
async fn check(place: At, fault: Fault, is_honest: bool) {
    const MESSAGES: usize = 8;
    let case = format!("{place:?} {fault:?}");
    let server = server(Faults::default().with(place, fault));
    let limits = PoolLimits::default().with_sessions(2).with_check(Duration::ZERO);
    let pool = pool_with(limits, server.address(), Duration::from_millis(300));
    let results = send_all(&pool, MESSAGES).await;
    pool.close().await;
    assert_eq!(pool.sessions(), 0, "{case}");
    assert_eq!(results.len(), MESSAGES);
    let messages = server.stop();
    for (number, result) in results.iter().enumerate() {
        let times = taken(&messages, number);
        assert!(times <= 1, "{case}: message {number} was sent {times} times");
        let outcome = result.as_ref().ok().and_then(|report| report.outcomes().next());
        match outcome {
            Some(Outcome::Replied(reply)) if reply.is_positive() => {
                assert_eq!(times, 1, "{case}: message {number} is lost");
            }
            Some(Outcome::Unknown) => {}
            _ if is_honest => assert_eq!(times, 0, "{case}: message {number} {result:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_fault_no_message_is_lost_or_sent_twice() {
    let faults = [
        Fault::DROP,
        Fault::STALL,
        Fault::reply_and_close("421 4.3.2 Closing"),
        Fault::reply("451 4.3.0 Not now"),
        Fault::reply("554 5.3.0 No"),
        Fault::octets("nonsense\r\n"),
    ];
    let mut checks = JoinSet::new();
    for fault in faults {
        for place in places() {
            checks.spawn(check(place, fault.clone(), true));
        }
        // The server has taken the message, and its reply does not say so.
        checks.spawn(check(At::TAKEN.nth(2), fault, false));
    }
    checks.join_all().await;
}
