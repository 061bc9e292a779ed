use super::{Done, Taken, check, content, envelope, receiver, sender, server, wire};
use bytes::Bytes;
use esmtp::{
    client::{Client, End, MessageFacts, Outcome},
    io::tokio::{Connection, Source},
    security::Security,
    server::Config,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// One way.
pub(crate) const DELAY: Duration = Duration::from_millis(100);

/// Opens a session over a wire; returns it with what its server takes.
pub(crate) async fn over<T>(
    config: Config,
    client: esmtp::client::Config,
    cut: [Option<usize>; 2],
    sends: impl AsyncFnOnce(Connection<Client, wire::End>) -> T,
) -> (T, Taken) {
    let (near, far) = wire::pair(DELAY, cut);
    let client = Connection::new(Client::new(client, Security::CLEAR), near);
    let mut server = Connection::new(server(config), far);
    let receives = async move {
        let mut taken = Taken::default();
        while let Ok(Some(event)) = server.next().await {
            taken.on(event);
        }
        taken
    };
    tokio::join!(sends(client), receives)
}

/// Sends this many messages and returns their results.
async fn send_all(
    session: &mut Connection<Client, wire::End>,
    in_flight: usize,
    messages: u64,
) -> Vec<Done> {
    let mut queue = session.queue(in_flight);
    let mut done = Vec::new();
    for number in 0..messages {
        let ticket = queue.push(envelope(number), content(number).into_bytes()).await;
        assert_eq!(ticket.number(), number);
        done.extend(std::iter::from_fn(|| queue.try_next()));
    }
    while let Some(one) = queue.next().await {
        done.push(one);
    }
    done
}

/// The session is free again after the last result.
#[tokio::test(start_paused = true)]
async fn a_queue_that_is_finished_gives_its_results_and_the_session_back() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let mut queue = session.queue(8);
        for number in 0..5 {
            queue.push(envelope(number), content(number)).await;
        }
        let first = queue.next().await.unwrap();
        let rest = queue.finish().await;
        let done: Vec<_> = std::iter::once(first).chain(rest).collect();
        session.quit().await.unwrap();
        assert_eq!(done.len(), 5);
        assert!(done.iter().all(|(_, result)| result.as_ref().unwrap().is_delivered_to_all()));
        assert!(session.queue(8).finish().await.is_empty());
    })
    .await;
    assert_eq!(taken.messages.len(), 5);
}

/// The figures of `tests/round_trips.rs`, through the adapter.
#[tokio::test(start_paused = true)]
async fn a_message_costs_a_small_part_of_a_round_trip() {
    for (in_flight, most) in [(1, 1.02), (2, 0.52), (8, 0.16), (32, 0.05)] {
        let (cost, taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
            // The opening is not counted.
            session.queue(in_flight).push(envelope(0), content(0).into_bytes()).await;
            let mut queue = session.queue(in_flight);
            queue.push(envelope(0), content(0).into_bytes()).await;
            queue.next().await.unwrap().1.unwrap();
            drop(queue);
            let begun = Instant::now();
            let done = send_all(&mut session, in_flight, 100).await;
            let cost = begun.elapsed().as_secs_f64() / (2.0 * DELAY.as_secs_f64()) / 100.0;
            assert!(done.iter().all(|(_, it)| it.as_ref().unwrap().is_delivered_to_all()));
            session.quit().await.unwrap();
            cost
        })
        .await;
        assert_eq!(taken.messages.len(), 101);
        println!("{in_flight} in flight: {cost:.3} round trips a message");
        assert!(cost <= most, "{in_flight} in flight: {cost}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_at_any_octet_gives_each_message_one_true_result() {
    for is_chunking in [true, false] {
        // Octets of the client, or of the server.
        for cut in (0..2400).step_by(13) {
            for cuts in [[Some(cut), None], [None, Some(cut / 2)]] {
                let what = format!("chunking {is_chunking}, lost after {cuts:?} octets");
                let (done, taken) =
                    over(receiver(is_chunking), sender(), cuts, async |mut session| {
                        send_all(&mut session, 4, 12).await
                    })
                    .await;
                check(12, &done, &taken, &what);
            }
        }
    }
}

/// LIMITS of RFC 9422 section 4.1.
#[tokio::test(start_paused = true)]
async fn messages_beyond_mailmax_are_unsent() {
    let config =
        receiver(true).with_limits(esmtp::server::Limits::default().with_transactions(Some(5)));
    let (done, taken) =
        over(config, sender(), [None; 2], async |mut session| send_all(&mut session, 4, 12).await)
            .await;
    check(12, &done, &taken, "a server that takes 5 messages");
    assert_eq!(taken.messages.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_server_cannot_take_does_not_stop_the_others() {
    let (done, taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let mut queue = session.queue(4);
        queue.push(envelope(0), content(0).into_bytes()).await;
        queue.push(envelope(1), b"a bare\nline break\r\n").await;
        let source = Source::reader(MessageFacts::UNKNOWN, &b"another\nline break\r\n"[..]);
        queue.push(envelope(2), source).await;
        queue.push(envelope(3), content(3).into_bytes()).await;
        let mut done = Vec::new();
        while let Some(one) = queue.next().await {
            done.push(one);
        }
        drop(queue);
        session.quit().await.unwrap();
        done
    })
    .await;
    check(4, &done, &taken, "two invalid messages");
    assert_eq!(taken.messages.len(), 2);
    let error = |number: u64| {
        let found = done.iter().find(|(ticket, _)| ticket.number() == number);
        found.unwrap().1.as_ref().unwrap_err()
    };
    assert!(error(1).is_unsent() && !error(2).is_unsent());
}

#[tokio::test(start_paused = true)]
async fn content_is_octets_or_a_reader() {
    let (text, bytes) = (content(0), Bytes::from(content(1)));
    let slice = content(2).into_bytes();
    let reader = content(3).into_bytes();
    let (done, taken) = over(receiver(false), sender(), [None; 2], async |mut session| {
        let mut queue = session.queue(2);
        queue.push(envelope(0), text.as_str()).await;
        queue.push(envelope(1), bytes.clone()).await;
        queue.push(envelope(2), &slice).await;
        queue.push(envelope(3), Source::reader(MessageFacts::UNKNOWN, &reader[..])).await;
        let mut done = Vec::new();
        while let Some(one) = queue.next().await {
            done.push(one);
        }
        done
    })
    .await;
    check(4, &done, &taken, "four kinds of content");
    assert_eq!(taken.messages.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_loses_no_result_and_sends_nothing_twice() {
    let (done, taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let mut queue = session.queue(3);
        let mut done = Vec::new();
        let mut pushed = 0;
        while pushed < 20 {
            // Much shorter than a round trip: nearly every call is cancelled.
            let push = queue.push(envelope(pushed), content(pushed).into_bytes());
            if timeout(Duration::from_millis(7), push).await.is_ok() {
                pushed += 1;
            }
            if let Ok(Some(one)) = timeout(Duration::from_millis(3), queue.next()).await {
                done.push(one);
            }
        }
        while queue.underway() > 0 {
            if let Ok(Some(one)) = timeout(Duration::from_millis(3), queue.next()).await {
                done.push(one);
            }
        }
        done.extend(std::iter::from_fn(|| queue.try_next()));
        done
    })
    .await;
    check(20, &done, &taken, "cancelled calls");
    assert_eq!(taken.messages.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_dropped_leaves_the_session_to_the_next_call() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let mut queue = session.queue(4);
        queue.push(envelope(0), content(0).into_bytes()).await;
        let stuck = tokio::io::BufReader::new(Stuck);
        queue.push(envelope(1), Source::reader(MessageFacts::UNKNOWN, stuck)).await;
        queue.push(envelope(2), content(2).into_bytes()).await;
        let never =
            timeout(Duration::from_secs(5), async { while queue.next().await.is_some() {} });
        assert!(never.await.is_err(), "the content of one never comes");
        drop(queue);
        let report = session.send(envelope(3), content(3).as_bytes()).await.unwrap();
        assert!(report.is_delivered_to_all());
        session.quit().await.unwrap();
    })
    .await;
    let to: Vec<_> = taken.messages.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["<0@example.net>", "<3@example.net>"]);
}

/// Content that never comes.
struct Stuck;

impl tokio::io::AsyncRead for Stuck {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn messages_after_the_end_of_the_session_have_its_end() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        session.quit().await.unwrap();
        let mut queue = session.queue(4);
        for number in 0..3 {
            queue.push(envelope(number), content(number).into_bytes()).await;
        }
        for number in 0..3 {
            let (ticket, result) = queue.next().await.unwrap();
            let error = result.unwrap_err();
            assert_eq!((ticket.number(), error.end()), (number, Some(&End::Quit)));
            assert!(error.is_unsent());
            assert_eq!(error.outcome(), Outcome::Untried);
        }
        assert!(queue.next().await.is_none());
    })
    .await;
    assert!(taken.messages.is_empty());
}

#[test]
fn futures_of_a_queue_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    fn check(session: &mut esmtp::io::tokio::ClientSession) {
        is_send(async {
            let mut queue = session.queue(8);
            queue.push(envelope(0), "Hi\r\n").await;
            queue.next().await
        });
    }
    let _ = check;
}
