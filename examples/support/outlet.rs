//! Standard output and standard error of a server that never waits for their readers: a pipe that no program reads would
//! block every session in `write`.
//!
//! Standard error is the log, written by `tracing`.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tracing::Level;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder};
use tracing_subscriber::fmt::time::uptime;

/// Standard output.
pub(crate) static OUTPUT: LazyLock<Outlet> = LazyLock::new(|| {
    Outlet::new(io::stdout(), |error| complain(&format!("standard output: {error}")))
});

/// Standard error. There is no other place to report an error of it.
static ERRORS: LazyLock<Outlet> = LazyLock::new(|| Outlet::new(io::stderr(), |_| {}));

/// Begins the log: failures, or every line of every session, too.
pub(crate) fn log(is_verbose: bool) {
    let log = tracing_subscriber::fmt().with_writer(|| Log).with_ansi(false).with_level(false);
    if is_verbose {
        log.with_timer(uptime()).with_max_level(Level::TRACE).init();
    } else {
        log.without_time().with_max_level(Level::WARN).init();
    }
}

/// Logs a failure. A failure to print loses no mail.
pub(crate) fn complain(what: &dyn Display) {
    tracing::warn!(target: "server", "{what}");
}

/// The writer of the log, which is given a line at a time.
struct Log;

impl Write for Log {
    /// Prints a line on standard error, or drops it if earlier lines are unread; the next line printed counts those dropped.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        static LOST: AtomicUsize = AtomicUsize::new(0);
        let lost = LOST.swap(0, Ordering::Relaxed);
        let put = match lost {
            0 => ERRORS.put(line),
            lost => {
                let told = format!("server: {lost} lines are lost: standard error is not read\n");
                ERRORS.put(&[told.as_bytes(), line].concat())
            }
        };
        if put.is_err() {
            LOST.fetch_add(lost + 1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for the lines not yet written, up to [`LAST_PATIENCE`].
pub(crate) fn flush() {
    OUTPUT.flush();
    ERRORS.flush();
}

/// A stream that a thread writes to, and the lines that wait for it.
pub(crate) struct Outlet {
    /// The number of lines taken so far, and the way to the thread.
    lines: Mutex<(usize, NonBlocking)>,
    state: Arc<State>,
}

struct State {
    /// The number of octets not yet written.
    waiting: AtomicUsize,
    /// The number of lines written.
    written: watch::Sender<usize>,
    /// Whether the last line was not read in time. No session waits again until a line has been read.
    is_stuck: AtomicBool,
}

/// The number of unread octets from which on lines are lost; a single line may be longer.
const ROOM: usize = 1024 * 1024;
/// The number of octets that a line counts at least.
const SHORTEST: usize = 128;
/// The time for which a session waits until a line is written.
const PATIENCE: Duration = Duration::from_millis(100);
/// The time for which the program waits at its end until all lines are written.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
#[error("it is not read, and its buffer is full")]
pub(crate) struct Full;

impl Outlet {
    fn new(stream: impl Write + Send + 'static, complain: fn(&io::Error)) -> Self {
        let state = Arc::new(State {
            waiting: AtomicUsize::new(0),
            written: watch::Sender::new(0),
            is_stuck: AtomicBool::new(false),
        });
        let writer = Counted { stream, state: Arc::clone(&state), complain };
        // No line is lost here: the octets are bounded first.
        let builder = NonBlockingBuilder::default().buffered_lines_limit(ROOM / SHORTEST + 2);
        let (lines, guard) = builder.finish(writer);
        // Dropped, the guard would print on standard output what it could not do.
        std::mem::forget(guard);
        Self { lines: Mutex::new((0, lines)), state }
    }

    /// Takes a line with its end, and returns the number of lines taken so far.
    fn put(&self, line: &[u8]) -> Result<usize, Full> {
        let (length, waiting) = (line.len().max(SHORTEST), &self.state.waiting);
        let before = waiting.fetch_add(length, Ordering::Relaxed);
        if before > 0 && before + length > ROOM {
            waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(Full);
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, way) = &mut *lines;
        let _ = way.write_all(line);
        *taken += 1;
        Ok(*taken)
    }

    /// Writes a line. If a program reads the outlet, the line is out when this returns; otherwise it may
    /// come out later.
    pub(crate) async fn say(&self, mut line: String) -> Result<(), Full> {
        line.push('\n');
        let mut written = self.state.written.subscribe();
        let number = self.put(line.as_bytes())?;
        let is_out = timeout(PATIENCE, written.wait_for(|written| *written >= number));
        if !self.state.is_stuck.load(Ordering::Relaxed) && is_out.await.is_err() {
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

/// A stream that counts what was written to it.
struct Counted<W> {
    stream: W,
    state: Arc<State>,
    complain: fn(&io::Error),
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.stream.write_all(line).and_then(|()| self.stream.flush()) {
            (self.complain)(&error);
        }
        self.state.waiting.fetch_sub(line.len().max(SHORTEST), Ordering::Relaxed);
        self.state.is_stuck.store(false, Ordering::Relaxed);
        self.state.written.send_modify(|written| *written += 1);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
