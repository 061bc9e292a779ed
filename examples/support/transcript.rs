//! A transcript.

use esmtp::{
    time::Instant,
    transcript::{Entry, Transcript},
};

/// Writes every entry with its time and the name of its session.
#[derive(Debug)]
pub(crate) struct Narrator {
    pub(crate) session: String,
    /// Writes a line. A transcript that cannot be written is no reason to lose mail.
    pub(crate) write: fn(String),
}

impl Transcript for Narrator {
    fn entry(&mut self, at: Instant, entry: Entry<'_>) {
        let seconds = at.elapsed().as_secs_f64();
        (self.write)(format!("{seconds:9.6} {} {entry}", self.session));
    }
}
