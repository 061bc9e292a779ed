//! A transcript on standard error.

use esmtp::{
    time::Instant,
    transcript::{Entry, Transcript},
};
use std::io::Write;

/// Writes every entry with its time and the name of its session.
#[derive(Debug)]
pub(crate) struct Narrator(pub(crate) String);

impl Transcript for Narrator {
    fn entry(&mut self, at: Instant, entry: Entry<'_>) {
        let seconds = at.elapsed().as_secs_f64();
        // A transcript that cannot be written is no reason to lose mail.
        let _ = writeln!(std::io::stderr().lock(), "{seconds:9.6} {} {entry}", self.0);
    }
}
