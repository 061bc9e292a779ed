//! A peer that plays its script in a thread.

use super::mismatch::Mismatch;
use core::net::SocketAddr;
use std::{
    io,
    thread::{self, JoinHandle},
};

/// A [`ScriptedPeer`](super::ScriptedPeer) in a thread of its own.
#[derive(Debug)]
#[must_use]
pub struct RunningPeer {
    address: SocketAddr,
    thread: JoinHandle<Result<(), Mismatch>>,
}

impl RunningPeer {
    pub(super) fn start(
        address: SocketAddr,
        run: impl FnOnce() -> Result<(), Mismatch> + Send + 'static,
    ) -> io::Result<Self> {
        let thread = thread::Builder::new().name("scripted peer".into()).spawn(run)?;
        Ok(Self { address, thread })
    }

    /// Returns the address that it listens on, or that it has connected to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of the session, and returns whether it went as the script says.
    ///
    /// # Errors
    ///
    /// The other side did not send what the script says.
    pub fn finish(self) -> Result<(), Mismatch> {
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
