//! A disk that does not answer.
//!
//! The runtime here has one thread for the sessions and one that may wait for the disk, and that one is
//! busy: an operation of the disk that happens all the same happens on the thread of the sessions.

use crate::{
    maildir::{Maildir, SharedSync},
    program::{Folder, names, wait_until},
    spool::Message,
};
use esmtp::{
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server},
    time::Instant,
};
use std::{
    future::Future,
    io,
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::spawn_blocking,
    time::timeout,
};

/// Makes a runtime whose one thread that may wait is busy until the sender is dropped.
fn frozen() -> (Runtime, mpsc::Sender<()>) {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let runtime = runtime.unwrap();
    let (thaw, thawed) = mpsc::channel::<()>();
    runtime.block_on(async {
        spawn_blocking(move || thawed.recv());
    });
    (runtime, thaw)
}

/// Begins a message, and returns it with the value that it holds.
fn begin(maildir: &Maildir) -> (Message, Arc<()>) {
    let config = Arc::new(Config::new("mx.example.net").unwrap());
    let mut server = Server::new(Arc::clone(&config), Peer::UNKNOWN, Security::CLEAR);
    let commands = ["EHLO c.example", "MAIL FROM:<>", "RCPT TO:<b@c.example>", "DATA"];
    let mut commands = commands.iter();
    let held = Arc::new(());
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => match server.event().unwrap() {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Data(data) => {
                    let envelope = data.facts().transaction().unwrap();
                    let place: Arc<()> = Arc::clone(&held);
                    let draft = maildir.begin(config.host(), data.facts(), envelope);
                    return (Message::new(draft, place), held);
                }
                other => other.proceed(),
            },
            Need::Read(_) => {
                let line = format!("{}\r\n", commands.next().unwrap());
                assert_eq!(server.feed(line.as_bytes()), line.len());
            }
            _ => {
                let mut slices = [&[][..]];
                server.to_send(&mut slices);
                let octets = slices[0].len();
                server.sent(octets);
            }
        }
    }
}

/// Waits for an operation of the disk, which is frozen for a while first.
fn after_thaw<T>(
    runtime: &Runtime,
    thaw: mpsc::Sender<()>,
    root: &Path,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let before = ["tmp", "new"].map(|folder| names(&root.join(folder)));
    runtime.block_on(async {
        let mut operation = std::pin::pin!(operation);
        let is_waiting = timeout(Duration::from_millis(100), &mut operation).await.is_err();
        assert!(is_waiting, "it does not wait for the disk");
        let during = ["tmp", "new"].map(|folder| names(&root.join(folder)));
        assert_eq!(during, before, "something has happened on the thread of the sessions");
        drop(thaw);
        operation.await
    })
}

#[test]
fn only_threads_that_may_wait_touch_the_disk() {
    let folder = Folder::new();
    let maildir = Maildir::open(&folder.0).unwrap();
    let large = vec![b'x'; 100_000];

    // A short message waits for the disk once, at its end.
    let (runtime, thaw) = frozen();
    let (message, _) = begin(&maildir);
    let message = runtime.block_on(message.write(b"hello\r\n")).unwrap();
    let kept = after_thaw(&runtime, thaw, &folder.0, message.keep()).unwrap();
    assert!(std::fs::read(&kept).unwrap().ends_with(b"\r\nhello\r\n"));

    // A large one waits in between.
    let (runtime, thaw) = frozen();
    let (message, _) = begin(&maildir);
    let message = after_thaw(&runtime, thaw, &folder.0, message.write(&large)).unwrap();
    assert_eq!(names(&folder.0.join("tmp")).len(), 1);
    assert_eq!(message.octets(), 100_000);
    let kept = runtime.block_on(message.keep()).unwrap();
    assert!(std::fs::read(&kept).unwrap().ends_with(&large));
    assert_eq!(names(&folder.0.join("tmp")), [""; 0]);
}

#[test]
fn a_message_that_is_given_up_is_removed_when_the_disk_answers() {
    let folder = Folder::new();
    let maildir = Maildir::open(&folder.0).unwrap();
    let large = vec![b'x'; 100_000];
    let remaining = || names(&folder.0.join("tmp")).len() + names(&folder.0.join("new")).len();

    // Before its end: to remove it is an operation of the disk.
    let runtime = Runtime::new().unwrap();
    let (message, held) = begin(&maildir);
    let message = runtime.block_on(message.write(&large)).unwrap();
    let (runtime, thaw) = frozen();
    runtime.block_on(async { drop(message) });
    assert_eq!((remaining(), Arc::strong_count(&held)), (1, 2), "removed where it was dropped");
    drop(thaw);
    wait_until("the file is removed", || remaining() == 0);
    wait_until("its place is free", || Arc::strong_count(&held) == 1);

    // At its end: the client has heard of an error, so the message must not be there.
    let (runtime, thaw) = frozen();
    let (message, held) = begin(&maildir);
    let message = runtime.block_on(message.write(b"hello\r\n")).unwrap();
    let kept = runtime.block_on(async { timeout(Duration::from_millis(50), message.keep()).await });
    assert!(kept.is_err());
    assert_eq!(Arc::strong_count(&held), 2, "the place is held while a job may open a file");
    drop(thaw);
    wait_until("its place is free", || Arc::strong_count(&held) == 1);
    assert_eq!(remaining(), 0);
}

#[test]
fn a_disk_that_does_not_answer_is_given_up_in_time() {
    let folder = Folder::new();
    let maildir = Maildir::open(&folder.0).unwrap();
    let (thaw, thawed) = mpsc::channel::<()>();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        spawn_blocking(move || thawed.recv());
        let (message, _) = begin(&maildir);
        let kept = tokio::spawn(message.keep());
        tokio::task::yield_now().await;
        // A client waits three minutes for a block to be taken (RFC 5321 section 4.5.3.2.5).
        tokio::time::advance(Duration::from_secs(180)).await;
        assert_eq!(kept.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    });
    drop(thaw);
    drop(runtime);
    assert_eq!(names(&folder.0.join("new")), [""; 0]);
}

/// Syncs a folder from several threads at once. Returns the number of syncs.
fn sync_at_once(callers: usize) -> usize {
    // A change is numbered when it is made; a sync holds the changes that were made before it began.
    let (changes, synced, syncs) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (shared, barrier) = (SharedSync::default(), Barrier::new(callers));
    thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                barrier.wait();
                let change = changes.fetch_add(1, Ordering::SeqCst) + 1;
                let sync = || {
                    let holds = changes.load(Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(1));
                    syncs.fetch_add(1, Ordering::SeqCst);
                    synced.fetch_max(holds, Ordering::SeqCst);
                    Ok(())
                };
                shared.run(sync).unwrap();
                assert!(synced.load(Ordering::SeqCst) >= change, "a caller has returned before");
            });
        }
    });
    syncs.into_inner()
}

#[test]
fn deliveries_share_a_sync_that_began_after_their_change() {
    assert!((0..1000).any(|_| sync_at_once(8) < 8), "each has a sync of its own");
    assert_eq!(sync_at_once(1), 1);
}

#[test]
fn all_deliveries_that_share_a_sync_get_its_error() {
    let shared = Arc::new(SharedSync::default());
    let (finish, finished) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let first = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            shared.run(|| {
                begun.send(()).unwrap();
                let _ = finished.recv();
                Ok(())
            })
        })
    };
    has_begun.recv().unwrap();
    let others: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run(|| Err(io::ErrorKind::StorageFull.into())))
        })
        .collect();
    drop(finish);
    assert!(first.join().unwrap().is_ok());
    for other in others {
        assert_eq!(other.join().unwrap().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
