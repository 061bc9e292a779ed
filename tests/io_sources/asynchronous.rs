use super::*;
use esmtp::{
    client::Event,
    io::tokio::Connection,
    machine::{Machine, Need},
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
        BufReader, DuplexStream, ReadBuf, duplex,
    },
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

impl AsyncRead for Answering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.say(into.initialize_unfilled()) {
            Ok(octets) => into.advance(octets),
            Err(_) => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Answering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.hear(octets)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_refused_recipient_stops_the_content_within_two_chunks() {
    let mut session = Connection::new(client(), refusing());
    let report = session.send(bob(), large()).await.unwrap();
    assert_eq!(report.outcomes().map(reply_code).collect::<Vec<_>>(), [Some(550)]);
    assert!(session.stream().chunks() <= 2, "{} chunks", session.stream().chunks());
}

/// Starts a server that greets and answers EHLO, and then does what `serve` says; `room` octets fit the wire.
fn pair<T: Send + 'static, F>(
    hello: &'static str,
    room: usize,
    serve: impl FnOnce(BufReader<DuplexStream>) -> F + Send + 'static,
) -> (Connection<Client, DuplexStream>, JoinHandle<T>)
where
    F: Future<Output = T> + Send + 'static,
{
    let (ours, theirs) = duplex(room);
    let served = tokio::spawn(async move {
        let mut stream = BufReader::new(theirs);
        say(&mut stream, "220 mx\r\n").await;
        line(&mut stream).await;
        say(&mut stream, hello).await;
        serve(stream).await
    });
    (Connection::new(client(), ours), served)
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    line
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// A source of `parts`, each this many milliseconds after the one before; then the end, or nothing
/// at all.
struct Source {
    parts: Vec<(u64, io::Result<&'static str>)>,
    is_ended: bool,
    at: usize,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Source {
    fn new(parts: Vec<(u64, io::Result<&'static str>)>, is_ended: bool) -> BufReader<Self> {
        BufReader::new(Self { parts, is_ended, at: 0, timer: None })
    }

    fn stuck(parts: Vec<(u64, io::Result<&'static str>)>) -> BufReader<Self> {
        Self::new(parts, false)
    }
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some((milliseconds, part)) = this.parts.get_mut(this.at) else {
            return if this.is_ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let wait = Duration::from_millis(*milliseconds);
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(wait)));
        std::task::ready!(timer.as_mut().poll(context));
        this.timer = None;
        this.at += 1;
        match std::mem::replace(part, Ok("")) {
            Ok(text) => into.put_slice(text.as_bytes()),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }
}

async fn envelope_taken(stream: &mut BufReader<DuplexStream>, hello: &str) {
    assert!(line(stream).await.starts_with("MAIL"));
    assert!(line(stream).await.starts_with("RCPT"));
    say(stream, "250 ok\r\n250 ok\r\n").await;
    if hello == NO_CHUNKING {
        assert!(line(stream).await.starts_with("DATA"));
        say(stream, "354 go\r\n").await;
    }
}

/// Content that comes slowly leaves as it comes, in either form, and all of it arrives.
#[tokio::test(start_paused = true)]
async fn octets_that_were_read_leave_while_the_source_is_awaited() {
    for hello in [CHUNKING, NO_CHUNKING] {
        let (mut session, served) = pair(hello, 4096, move |mut stream| async move {
            envelope_taken(&mut stream, hello).await;
            let began = Instant::now();
            for (second, expected) in [(0, "one\r\n"), (10, "two\r\n"), (20, "three\r\n")] {
                if hello == CHUNKING {
                    assert_eq!(line(&mut stream).await, format!("BDAT {}\r\n", expected.len()));
                }
                assert_eq!(line(&mut stream).await, expected);
                let late = began.elapsed() - Duration::from_secs(second);
                assert!(late < Duration::from_millis(900), "{expected:?}: {late:?} late");
                if hello == CHUNKING {
                    say(&mut stream, "250 ok\r\n").await;
                }
            }
            let end = line(&mut stream).await;
            assert_eq!(end, if hello == CHUNKING { "BDAT 0 LAST\r\n" } else { ".\r\n" });
            say(&mut stream, "250 done\r\n").await;
        });
        let parts = vec![
            (0, Ok("one\r\n")),
            (10_000, Ok("two\r\n")),
            (10_000, Ok("three\r\n")),
            (10_000, Ok("")),
        ];
        let source = Source::new(parts, true);
        let report = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap();
        assert!(report.is_delivered_to_all());
        served.await.unwrap();
    }
}

/// Small pieces that come while a chunk is under way make one chunk, not one each (RFC 896).
#[tokio::test(start_paused = true)]
async fn pieces_that_come_while_a_chunk_is_under_way_leave_together() {
    let (mut session, served) = pair(CHUNKING, 4096, |mut stream| async move {
        envelope_taken(&mut stream, CHUNKING).await;
        assert_eq!(line(&mut stream).await, "BDAT 5\r\n");
        assert_eq!(line(&mut stream).await, "one\r\n");
        sleep(Duration::from_millis(100)).await;
        say(&mut stream, "250 ok\r\n").await;
        assert_eq!(line(&mut stream).await, "BDAT 12 LAST\r\n");
        assert_eq!(line(&mut stream).await, "two\r\n");
        assert_eq!(line(&mut stream).await, "three\r\n");
        say(&mut stream, "250 done\r\n").await;
    });
    let parts = vec![(0, Ok("one\r\n")), (10, Ok("two\r\n")), (10, Ok("three\r\n"))];
    let source = Source::new(parts, true);
    let report = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap();
    assert!(report.is_delivered_to_all());
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_421_or_an_end_is_heard_while_the_source_is_awaited() {
    for (hello, last) in [
        (CHUNKING, "421 4.4.2 time-out\r\n"),
        (CHUNKING, ""),
        (NO_CHUNKING, "421 4.4.2 time-out\r\n"),
        (NO_CHUNKING, ""),
    ] {
        let (mut session, served) = pair(hello, 4096, move |mut stream| async move {
            envelope_taken(&mut stream, hello).await;
            line(&mut stream).await;
            sleep(Duration::from_millis(100)).await;
            say(&mut stream, last).await;
        });
        let source = Source::stuck(vec![(0, Ok("twelve oct\r\n"))]);
        let began = Instant::now();
        let error = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(1), "{last:?}");
        let code = (!last.is_empty()).then_some(421);
        assert_eq!(error.reply().map(|reply| reply.code().get()), code);
        assert!(error.try_next_host(), "{error}");
        served.await.unwrap();
    }
}

/// The reply to RCPT, and to a chunk, is due whatever the source does.
#[tokio::test(start_paused = true)]
async fn deadlines_fire_while_the_source_is_awaited() {
    for is_taken in [false, true] {
        let (mut session, served) = pair(CHUNKING, 4096, move |mut stream| async move {
            if is_taken {
                envelope_taken(&mut stream, CHUNKING).await;
            }
            sleep(Duration::from_secs(60)).await;
        });
        let source = Source::stuck(vec![(0, Ok("twelve oct\r\n"))]);
        let began = Instant::now();
        let error = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap_err();
        assert_eq!(error.end(), Some(&End::TimedOut));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(session.machine().end(), Some(&End::TimedOut));
        drop(session);
        served.abort();
    }
}

/// Octets that the server does not take have their deadline too.
#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_left_while_the_source_is_awaited() {
    let (mut session, served) = pair(NO_CHUNKING, 64, |mut stream| async move {
        envelope_taken(&mut stream, NO_CHUNKING).await;
        sleep(Duration::from_secs(60)).await;
    });
    let text = "0123456789".repeat(100).leak();
    let source = Source::stuck(vec![(0, Ok(text))]);
    let began = Instant::now();
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap_err();
    assert_eq!(error.end(), Some(&End::TimedOut));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(session.machine().end(), Some(&End::TimedOut));
    drop(session);
    served.abort();
}

/// When no reply is due and nothing waits to be sent, the session may take as long as the source.
#[tokio::test(start_paused = true)]
async fn a_source_may_take_longer_than_any_deadline_of_the_server() {
    for hello in [CHUNKING, NO_CHUNKING] {
        let (mut session, served) = pair(hello, 4096, move |mut stream| async move {
            envelope_taken(&mut stream, hello).await;
            if hello == CHUNKING {
                assert_eq!(line(&mut stream).await, "BDAT 6 LAST\r\n");
            }
            assert_eq!(line(&mut stream).await, "late\r\n");
            if hello == NO_CHUNKING {
                assert_eq!(line(&mut stream).await, ".\r\n");
            }
            say(&mut stream, "250 done\r\n").await;
        });
        let source = Source::new(vec![(1_000_000, Ok("late\r\n"))], true);
        let sent = session.send_from(bob(), MessageFacts::UNKNOWN, source);
        let report = timeout(Duration::from_secs(2000), sent).await.unwrap().unwrap();
        assert!(report.is_delivered_to_all(), "{hello}");
        drop(session);
        served.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_heard_while_the_source_is_awaited() {
    let (mut session, served) = pair(CHUNKING, 4096, |mut stream| async move {
        assert!(line(&mut stream).await.starts_with("MAIL"));
        assert!(line(&mut stream).await.starts_with("RCPT"));
        sleep(Duration::from_millis(300)).await;
        say(&mut stream, "250 ok\r\n550 no\r\n").await;
        let next = line(&mut stream).await;
        say(&mut stream, "221 bye\r\n").await;
        next
    });
    let source = Source::stuck(vec![]);
    let report = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap();
    assert_eq!(report.outcomes().map(reply_code).collect::<Vec<_>>(), [Some(550)]);
    session.quit().await.unwrap();
    assert_eq!(served.await.unwrap(), "QUIT\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_while_it_is_awaited_aborts_the_content() {
    let (mut session, served) = pair(CHUNKING, 4096, |mut stream| async move {
        envelope_taken(&mut stream, CHUNKING).await;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        rest
    });
    let source = Source::stuck(vec![(5000, Err(ErrorKind::PermissionDenied.into()))]);
    let error = session.send_from(bob(), MessageFacts::UNKNOWN, source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    drop(session);
    let rest = served.await.unwrap();
    assert!(!rest.contains("LAST"), "{rest}");
}

/// A call that is given up while it awaits the source leaves the question of the content open, so that
/// no session hangs, and the next call aborts the transaction.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_while_the_source_is_awaited_leaves_its_question_open() {
    let (mut session, served) = pair(CHUNKING, 4096, |mut stream| async move {
        envelope_taken(&mut stream, CHUNKING).await;
        assert_eq!(line(&mut stream).await, "BDAT 6\r\n");
        assert_eq!(line(&mut stream).await, "half\r\n");
        say(&mut stream, "250 ok\r\n").await;
        assert_eq!(line(&mut stream).await, "RSET\r\n");
        say(&mut stream, "250 ok\r\n").await;
        envelope_taken(&mut stream, CHUNKING).await;
        assert_eq!(line(&mut stream).await, "BDAT 7 LAST\r\n");
        assert_eq!(line(&mut stream).await, "whole\r\n");
        say(&mut stream, "250 done\r\n").await;
    });
    let source = Source::stuck(vec![(0, Ok("half\r\n"))]);
    let send = session.send_from(bob(), MessageFacts::UNKNOWN, source);
    assert!(timeout(Duration::from_millis(500), send).await.is_err());
    assert!(matches!(session.next().await, Ok(Some(Event::Content(_)))));
    let report = session.send(bob(), b"whole\r\n").await.unwrap();
    assert!(report.is_delivered_to_all());
    served.await.unwrap();
}

/// The question that `wait` withdraws comes again when the client is told that there is more.
#[test]
fn a_client_that_waits_for_content_asks_again_when_it_is_woken() {
    let mut client = client();
    let mut now = esmtp::time::Instant::ORIGIN;
    let mut stream = Answering::new(&[("EHLO", CHUNKING), ("RCPT", "250 ok\r\n250 ok\r\n")]);
    let mut asked = 0;
    for _ in 0..100 {
        match client.poll(now) {
            Need::Answer => match client.event().unwrap() {
                Event::Ready(ready) => {
                    let _ = ready.send(bob(), MessageFacts::UNKNOWN).unwrap();
                }
                Event::Content(content) => {
                    asked += 1;
                    content.wait();
                }
                other => panic!("{other:?}"),
            },
            Need::Either(_) => {
                let mut slices = [&[][..]];
                client.to_send(&mut slices);
                let octets = stream.hear(slices[0]);
                client.sent(octets);
            }
            Need::Read(until) => match stream.say(client.receive_buffer()) {
                Ok(octets) => client.received(octets),
                Err(_) if asked < 3 => {
                    assert_eq!(until, esmtp::time::Instant::NEVER, "nothing is owed");
                    now = now + Duration::from_secs(1000);
                    client.ready();
                }
                Err(_) => return,
            },
            other => panic!("{other:?}"),
        }
    }
    panic!("asked {asked} times");
}
