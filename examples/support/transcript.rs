//! Prints a transcript.

use esmtp::{
    time::Instant,
    transcript::{Entry, Transcript},
};

/// A transcript that prints each entry with its time and the name of its session.
#[derive(Debug)]
pub(crate) struct Narrator {
    pub(crate) session: String,
    /// Writes a line. A failure to write loses no mail.
    pub(crate) write: fn(String),
}

impl Transcript for Narrator {
    fn entry(&mut self, at: Instant, entry: Entry<'_>) {
        let seconds = at.elapsed().as_secs_f64();
        (self.write)(format!("{seconds:9.6} {} {entry}", self.session));
    }
}
