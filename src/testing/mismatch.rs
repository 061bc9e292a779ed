//! A session that did not go as the script says.

use crate::transcript::Side;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// A difference between a script and the session that was to follow it.
///
/// Both [`Display`](fmt::Display) and [`Debug`](fmt::Debug) give the side that differs, the
/// difference, and the conversation up to there, so that `unwrap()` in a test shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    side: Side,
    complaint: String,
    conversation: Vec<String>,
}

impl Mismatch {
    pub(super) fn new<'l>(
        side: Side,
        complaint: String,
        conversation: impl Iterator<Item = &'l str>,
    ) -> Self {
        Self { side, complaint, conversation: conversation.map(ToString::to_string).collect() }
    }

    /// Returns the side that did not do what the script says.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Returns the difference, in words.
    #[must_use]
    pub fn difference(&self) -> &str {
        &self.complaint
    }

    /// Returns the lines of the script up to the difference.
    pub fn conversation(&self) -> impl Iterator<Item = &str> {
        self.conversation.iter().map(String::as_str)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "client",
            Side::Server => "server",
        };
        write!(f, "the {side} {}", self.complaint)?;
        let conversation: String =
            self.conversation.iter().map(|line| format!("\n  {line}")).collect();
        match conversation.is_empty() {
            true => f.write_str(", at the beginning"),
            false => write!(f, ", after{conversation}"),
        }
    }
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Mismatch {}
