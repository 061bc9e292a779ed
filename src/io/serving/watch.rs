//! The end of a session function.

use super::{Incident, Options, Place};
use crate::io::SessionError;
use core::net::SocketAddr;
use std::thread;

/// The place of a session while its function runs; reports an error of it, and a panic.
#[derive(Debug)]
pub(in crate::io) struct Watch<'a> {
    options: &'a Options,
    peer: Option<SocketAddr>,
    _place: Place,
}

impl<'a> Watch<'a> {
    pub(super) const fn new(options: &'a Options, peer: Option<SocketAddr>, place: Place) -> Self {
        Self { options, peer, _place: place }
    }

    /// Records the outcome of the function.
    pub(in crate::io) fn over(self, outcome: &Result<(), SessionError>) {
        if let Err(error) = outcome {
            self.options.report(&Incident::Session { peer: self.peer, error });
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.options.report(&Incident::Panic { peer: self.peer });
        }
    }
}
