//! Octets that were received and not processed.

use alloc::vec::Vec;

/// The room that is offered for a read.
const ROOM: usize = 64 * 1024;

/// Received octets, in front of room for more.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    octets: Vec<u8>,
    filled: usize,
}

impl Inbox {
    pub(super) fn room(&mut self) -> &mut [u8] {
        let size = self.filled.saturating_add(ROOM);
        if self.octets.len() < size {
            self.octets.resize(size, 0);
        }
        self.octets.get_mut(self.filled..).unwrap_or_default()
    }

    pub(super) fn received(&mut self, octets: usize) {
        self.filled = self.filled.saturating_add(octets).min(self.octets.len());
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.filled).unwrap_or_default()
    }

    /// Takes octets from the front.
    pub(super) fn take(&mut self, octets: usize) -> Vec<u8> {
        let octets = octets.min(self.filled);
        let taken = self.octets.get(..octets).unwrap_or_default().to_vec();
        self.octets.copy_within(octets..self.filled, 0);
        self.filled = self.filled.saturating_sub(octets);
        taken
    }

    pub(super) fn release(&mut self) {
        if self.filled == 0 {
            self.octets = Vec::new();
        }
    }
}
