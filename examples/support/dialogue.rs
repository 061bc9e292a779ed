//! A session of the server, with what its loop needs besides.

use crate::Stop;
use esmtp::{
    io::{AsServer, tokio::Connection},
    machine::Machine,
    server::Event,
};
use std::io;
use tokio::sync::watch;

/// A session of the server, which ends as the program does.
pub(crate) struct Dialogue<'a, M> {
    pub(crate) session: Connection<M>,
    /// Octets that came before the session, after a PROXY header.
    pub(crate) ahead: &'a [u8],
    pub(crate) stopped: watch::Receiver<Stop>,
}

impl<M> Dialogue<'_, M>
where
    M: for<'m> Machine<Event<'m> = Event<'m>> + AsServer + 'static,
{
    /// Drives the session until it asks a question; returns `false` when it is over.
    pub(crate) async fn is_asked(&mut self) -> io::Result<bool> {
        let Self { session, ahead, stopped } = self;
        loop {
            if !ahead.is_empty() {
                let taken = session.machine_mut().feed(ahead);
                *ahead = ahead.get(taken..).unwrap_or_default();
            }
            tokio::select! {
                biased; // at the end of the program, 421 comes before a greeting
                Ok(()) = stopped.changed() => {}
                event = session.next() => return Ok(event?.is_some()),
            }
            match *stopped.borrow_and_update() {
                Stop::Never => {}
                Stop::Finish => session.server_mut().shut_down(),
                Stop::Now => session.server_mut().close(),
            }
        }
    }

    /// Returns the question that is open.
    pub(crate) fn event(&mut self) -> Option<Event<'_>> {
        self.session.machine_mut().event()
    }
}
