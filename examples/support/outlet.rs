//! Standard output and standard error of a server that never waits for their readers: a pipe that no program reads would
//! block every session in `write`.

use std::{
    io::{self, Write},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// Standard output.
pub(crate) static OUTPUT: LazyLock<Outlet> = LazyLock::new(|| {
    Outlet::new(|line| {
        if let Err(error) = io::stdout().lock().write_all(line) {
            complain(&format!("standard output: {error}"));
        }
    })
});

/// Standard error.
static ERRORS: LazyLock<Outlet> = LazyLock::new(|| {
    Outlet::new(|line| {
        // There is no other place to report the error.
        let _ = io::stderr().lock().write_all(line);
    })
});

/// Prints a message on standard error. A failure to print loses no mail.
pub(crate) fn complain(what: &dyn std::fmt::Display) {
    note(format!("server: {what}"));
}

/// Prints a line on standard error, or drops it if earlier lines are unread; the next line printed counts those dropped.
pub(crate) fn note(mut line: String) {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    let lost = LOST.swap(0, Ordering::Relaxed);
    if lost > 0 {
        line.insert_str(0, &format!("server: {lost} lines are lost: standard error is not read\n"));
    }
    if ERRORS.put(line, None).is_err() {
        LOST.fetch_add(lost + 1, Ordering::Relaxed);
    }
}

/// Waits for the lines not yet written, up to [`LAST_PATIENCE`].
pub(crate) fn flush() {
    OUTPUT.flush();
    ERRORS.flush();
}

/// A thread that writes lines, and the lines that wait for it.
pub(crate) struct Outlet {
    lines: Sender<Line>,
    state: Arc<State>,
}

struct Line {
    octets: Vec<u8>,
    written: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State {
    /// The number of octets not yet written.
    waiting: AtomicUsize,
    /// Whether the last line was not read in time. No session waits again until a line has been read.
    is_stuck: AtomicBool,
}

/// The number of unread octets from which on lines are lost; a single line may be longer.
const ROOM: usize = 1024 * 1024;
/// The time for which a session waits until a line is written.
const PATIENCE: Duration = Duration::from_millis(100);
/// The time for which the program waits at its end until all lines are written.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
#[error("it is not read, and its buffer is full")]
pub(crate) struct Full;

impl Outlet {
    fn new(write: fn(&[u8])) -> Self {
        let (lines, taken) = mpsc::channel::<Line>();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for line in taken {
                write(&line.octets);
                shared.waiting.fetch_sub(line.octets.len(), Ordering::Relaxed);
                shared.is_stuck.store(false, Ordering::Relaxed);
                if let Some(written) = line.written {
                    let _ = written.send(());
                }
            }
        });
        Self { lines, state }
    }

    fn put(&self, line: String, written: Option<oneshot::Sender<()>>) -> Result<(), Full> {
        let mut octets = line.into_bytes();
        octets.push(b'\n');
        let (length, waiting) = (octets.len(), &self.state.waiting);
        let before = waiting.fetch_add(length, Ordering::Relaxed);
        if before > 0 && before + length > ROOM
            || self.lines.send(Line { octets, written }).is_err()
        {
            waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(Full);
        }
        Ok(())
    }

    /// Writes a line. If a program reads the outlet, the line is out when this returns; otherwise it may
    /// come out later.
    pub(crate) async fn say(&self, line: String) -> Result<(), Full> {
        let (written, is_written) = oneshot::channel();
        self.put(line, Some(written))?;
        if !self.state.is_stuck.load(Ordering::Relaxed)
            && timeout(PATIENCE, is_written).await.is_err()
        {
            self.state.is_stuck.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn flush(&self) {
        let mut left = LAST_PATIENCE;
        while self.state.waiting.load(Ordering::Relaxed) > 0 && !left.is_zero() {
            let pause = Duration::from_millis(5).min(left);
            thread::sleep(pause);
            left -= pause;
        }
    }
}
