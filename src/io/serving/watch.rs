//! The end of a session function.

use super::{Incident, Options, Place};
use crate::{io::SessionError, server::Event, syntax::Rejection};
#[cfg(feature = "tokio")]
use alloc::boxed::Box;
#[cfg(feature = "tokio")]
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};
use core::{net::SocketAddr, panic::AssertUnwindSafe};
use std::panic::catch_unwind;

/// The place of a session while its function runs; reports an error of it, and a panic.
#[derive(Debug)]
pub(in crate::io) struct Watch<'a> {
    options: &'a Options,
    peer: Option<SocketAddr>,
    _place: Place,
}

/// The future of a session function.
#[cfg(feature = "tokio")]
pub(in crate::io) type Running = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

/// Calls a session function; returns its future, unless it panics.
#[cfg(feature = "tokio")]
pub(in crate::io) fn begin<R>(session: impl FnOnce() -> R) -> Option<Running>
where
    R: Future<Output = Result<(), SessionError>> + Send + 'static,
{
    let begun = catch_unwind(AssertUnwindSafe(session)).ok()?;
    Some(Box::pin(begun))
}

impl<'a> Watch<'a> {
    pub(super) const fn new(options: &'a Options, peer: Option<SocketAddr>, place: Place) -> Self {
        Self { options, peer, _place: place }
    }

    /// Runs the function in this thread.
    pub(in crate::io) fn run(&self, session: impl FnOnce() -> Result<(), SessionError>) {
        // Nothing that the function may have left half done is used after a panic, but for its session.
        self.report(catch_unwind(AssertUnwindSafe(session)).ok());
    }

    /// Awaits the future of the function in this task; `None` is a function that panicked before it returned one.
    #[cfg(feature = "tokio")]
    pub(in crate::io) async fn attend(&self, session: Option<Running>) {
        let Some(mut session) = session else { return self.report(None) };
        let outcome = poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| session.as_mut().poll(context)));
            match polled {
                Ok(polled) => polled.map(Some),
                Err(_) => Poll::Ready(None),
            }
        });
        self.report(outcome.await);
    }

    /// Reports the outcome of the function unless it is success; a panic has none.
    fn report(&self, outcome: Option<Result<(), SessionError>>) {
        let peer = self.peer;
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) => self.options.report(&Incident::Session { peer, error: &error }),
            None => self.options.report(&Incident::Panic { peer }),
        }
    }
}

/// Answers in place of an application that has failed: nothing more is accepted.
pub(in crate::io) fn answer_for_failed(event: Event<'_>) {
    match event {
        Event::Deliver(delivery) => delivery.reject(Rejection::LOCAL_ERROR),
        other => other.proceed(),
    }
}
