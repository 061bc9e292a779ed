//! The span of a session, where the feature `tracing` is on; nothing where it is off.

/// The span in which a session function runs.
pub(in crate::io) struct SessionSpan(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(not(feature = "tracing"))]
mod untraced {
    use super::SessionSpan;
    use crate::transcript::Transcript;
    use alloc::boxed::Box;
    #[cfg(feature = "tokio")]
    use core::future::Future;
    use core::net::SocketAddr;

    impl SessionSpan {
        /// Returns the span of a session, and the transcript for its server.
        pub(in crate::io::serving) fn new(
            _: Option<SocketAddr>,
            transcript: Option<Box<dyn Transcript>>,
        ) -> (Self, Option<Box<dyn Transcript>>) {
            (Self(), transcript)
        }

        /// Runs the function of a session.
        pub(in crate::io) fn within<T>(self, run: impl FnOnce() -> T) -> T {
            run()
        }

        /// Puts the span around the function of a session.
        #[cfg(feature = "tokio")]
        pub(in crate::io) fn around<F: Future>(self, session: F) -> F {
            session
        }
    }
}

#[cfg(feature = "tracing")]
mod traced {
    use super::SessionSpan;
    use crate::{
        io::Tracer,
        time::Instant,
        transcript::{Entry, Transcript},
    };
    use alloc::boxed::Box;
    #[cfg(feature = "tokio")]
    use core::future::Future;
    use core::net::SocketAddr;
    #[cfg(feature = "tokio")]
    use tracing::Instrument;
    use tracing::Span;

    impl SessionSpan {
        /// Returns the span of a session, and the transcript for its server.
        pub(in crate::io::serving) fn new(
            peer: Option<SocketAddr>,
            transcript: Option<Box<dyn Transcript>>,
        ) -> (Self, Option<Box<dyn Transcript>>) {
            if !Tracer::is_wanted() {
                return (Self(Span::none()), transcript);
            }
            let tracer = Tracer::server(peer);
            let span = Self(tracer.span());
            let transcript: Box<dyn Transcript> = match transcript {
                Some(other) => Box::new(Both(other, tracer)),
                None => Box::new(tracer),
            };
            (span, Some(transcript))
        }

        /// Runs the function of a session.
        pub(in crate::io) fn within<T>(self, run: impl FnOnce() -> T) -> T {
            self.0.in_scope(run)
        }

        /// Puts the span around the function of a session.
        #[cfg(feature = "tokio")]
        pub(in crate::io) fn around<F: Future>(
            self,
            session: F,
        ) -> impl Future<Output = F::Output> + use<F> {
            session.instrument(self.0)
        }
    }

    /// The transcript of the application, and that of `tracing`.
    struct Both(Box<dyn Transcript>, Tracer);

    impl Transcript for Both {
        fn entry(&mut self, at: Instant, entry: Entry<'_>) {
            self.0.entry(at, entry);
            self.1.entry(at, entry);
        }
    }
}
