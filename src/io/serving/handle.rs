//! A handle of a listener and its sessions.

use super::{Options, Places};
use crate::io::Stopper;
use alloc::{boxed::Box, sync::Arc};
use core::fmt;
use std::sync::{Mutex, PoisonError};

/// A handle of a listener and all its sessions, for any thread or task; clones are handles of the
/// same listener.
///
/// The listener goes on when every handle is dropped.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    stopper: Stopper,
    places: Arc<Places>,
    /// Wakes a listener that blocks.
    wake: Mutex<Option<Wake>>,
}

type Wake = Box<dyn FnOnce() + Send>;

impl Handle {
    pub(in crate::io) fn new(options: &Options) -> Self {
        Self(Arc::new(Shared {
            stopper: Stopper::new(),
            places: Arc::new(Places::new(options.limits)),
            wake: Mutex::new(None),
        }))
    }

    /// Shuts down (RFC 5321 section 3.8): the listener accepts no further connections; sessions that
    /// are idle end at once with 421, content and delivery in progress may finish, for the
    /// [grace](Options::with_grace) of the options. After it the sessions that are left are
    /// [closed](Self::close).
    ///
    /// Sessions in tasks are told at once, sessions in threads within 250 ms: see [`Stopper`].
    #[doc(alias("shutdown", "stop", "graceful"))]
    pub fn shut_down(&self) {
        self.0.stopper.shut_down();
        self.wake();
    }

    /// Ends everything now: sessions get 421, content in progress included.
    pub fn close(&self) {
        self.0.stopper.close();
        self.wake();
    }

    /// Returns the number of sessions, without clients that are only told that there is no place.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.places.taken()
    }

    /// Returns whether the listener was told to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopper.is_stopping()
    }

    pub(in crate::io) fn stopper(&self) -> &Stopper {
        &self.0.stopper
    }

    pub(in crate::io) fn places(&self) -> &Arc<Places> {
        &self.0.places
    }

    /// Sets the function that wakes a listener that blocks, or drops it.
    pub(in crate::io) fn set_wake(&self, wake: Option<Wake>) {
        *self.0.wake.lock().unwrap_or_else(PoisonError::into_inner) = wake;
    }

    fn wake(&self) {
        let wake = self.0.wake.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(wake) = wake {
            wake();
        }
        self.0.places.wake();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("sessions", &self.sessions())
            .field("is_stopping", &self.is_stopping())
            .finish()
    }
}
