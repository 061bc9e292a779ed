//! A value that comes back when its holder drops it.

use crate::server::Config;
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    ops::{Deref, DerefMut},
};
use std::sync::{Mutex, PoisonError};

/// A value that belongs to its holder, or that is lent to it.
pub(super) enum Lent<T> {
    /// It goes with its holder.
    Own(T),
    /// It goes back.
    Loan(Loan<T>),
}

/// A value that goes back to its home when it is dropped before its end, in a panic, too.
pub(super) struct Loan<T> {
    value: T,
    home: Arc<Home<T>>,
    /// The value was taken out, and another is in its place.
    is_taken: bool,
}

/// The place where a value that was lent comes back.
pub(super) struct Home<T> {
    returned: Mutex<Option<Box<T>>>,
    config: Arc<Config>,
    /// Makes a value to leave in place of the one that is taken out of a loan.
    stand_in: fn(Arc<Config>) -> T,
    /// Returns whether a value has come to its end, so that it need not come back.
    is_over: fn(&T) -> bool,
}

impl<T> Home<T> {
    pub(super) fn new(
        config: &Arc<Config>,
        stand_in: fn(Arc<Config>) -> T,
        is_over: fn(&T) -> bool,
    ) -> Arc<Self> {
        let config = Arc::clone(config);
        Arc::new(Self { returned: Mutex::new(None), config, stand_in, is_over })
    }

    /// Lends a value.
    pub(super) fn lend(self: &Arc<Self>, value: T) -> Lent<T> {
        Lent::Loan(Loan { value, home: Arc::clone(self), is_taken: false })
    }

    /// Takes the value that has come back.
    pub(super) fn returned(&self) -> Option<T> {
        let returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner).take();
        returned.map(|value| *value)
    }
}

impl<T> Lent<T> {
    /// Takes the value, which no longer goes back.
    pub(super) fn into_inner(self) -> T {
        match self {
            Self::Own(value) => value,
            Self::Loan(mut loan) => loan.take(),
        }
    }
}

impl<T> Loan<T> {
    fn take(&mut self) -> T {
        self.is_taken = true;
        let stand_in = (self.home.stand_in)(Arc::clone(&self.home.config));
        core::mem::replace(&mut self.value, stand_in)
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        let is_due = !self.is_taken && !(self.home.is_over)(&self.value);
        // It stays here once the place that it would come back to is given up.
        if is_due && Arc::strong_count(&self.home) > 1 {
            let value = Box::new(self.take());
            *self.home.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Own(value) => value,
            Self::Loan(loan) => &loan.value,
        }
    }
}

impl<T> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        match self {
            Self::Own(value) => value,
            Self::Loan(loan) => &mut loan.value,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
