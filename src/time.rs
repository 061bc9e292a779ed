//! Time as a value: the core never reads a clock.

use core::{ops::Add, time::Duration};

/// A moment, as the time since an origin that the caller picked once for a session.
///
/// ```
/// use core::time::Duration;
/// use esmtp::time::Instant;
///
/// let now = Instant::ORIGIN + Duration::from_secs(5);
/// assert_eq!(now.saturating_since(Instant::ORIGIN), Duration::from_secs(5));
/// assert_eq!(Instant::NEVER + Duration::from_secs(1), Instant::NEVER);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(Duration::ZERO);
    /// Later than every other instant: no deadline.
    pub const NEVER: Self = Self(Duration::MAX);

    /// The moment `elapsed` after the origin.
    #[must_use]
    pub const fn since_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time from the origin to this moment.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// The time since `earlier`; zero when that is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `duration` later; [`NEVER`](Self::NEVER) instead of an overflow.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Whether a deadline at this moment has passed: `now >= self`.
    #[must_use]
    pub fn has_passed(self, now: Self) -> bool {
        now >= self
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturating: see [`Instant::saturating_add`].
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// A data-rate floor: content that comes slower than this, beyond its first allowance, is a
/// time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    octets_per_second: u32,
}

impl Rate {
    /// So many octets a second; 0 is read as 1.
    #[must_use]
    pub const fn octets_per_second(octets: u32) -> Self {
        Self { octets_per_second: if octets == 0 { 1 } else { octets } }
    }

    /// How long `octets` may take at this rate.
    #[must_use]
    pub fn time_for(self, octets: u64) -> Duration {
        let rate = u64::from(self.octets_per_second);
        let rest = octets.checked_rem(rate).unwrap_or(0).saturating_mul(1000);
        Duration::from_secs(octets.checked_div(rate).unwrap_or(0))
            .saturating_add(Duration::from_millis(rest.checked_div(rate).unwrap_or(0)))
    }
}

/// How long we have waited for one thing from the peer.
///
/// Only the time between [`start`](Self::start) and [`stop`](Self::stop) counts, so that time
/// during which *we* owe an answer is never held against the peer, and octets that drip do not
/// extend a deadline.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stopwatch {
    waited: Duration,
    since: Option<Instant>,
}

impl Stopwatch {
    /// Begins, or goes on, to count.
    pub(crate) fn start(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Ceases to count.
    pub(crate) fn stop(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(now.saturating_since(since));
        }
    }

    /// When `allowance` of waiting will be used up, if the count goes on from `now`.
    pub(crate) fn deadline(&self, now: Instant, allowance: Duration) -> Instant {
        self.since.unwrap_or(now) + allowance.saturating_sub(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::since_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_deadline_has_passed_at_its_very_moment() {
        assert!(!at(5).has_passed(at(4)));
        assert!(at(5).has_passed(at(5)));
        assert!(!Instant::NEVER.has_passed(at(u64::from(u32::MAX))));
    }

    #[test]
    fn a_rate_gives_octets_their_time() {
        let rate = Rate::octets_per_second(500);
        assert_eq!(rate.time_for(1250), Duration::from_millis(2500));
        assert_eq!(rate.time_for(0), Duration::ZERO);
        assert_eq!(Rate::octets_per_second(0).time_for(2), Duration::from_secs(2));
    }

    #[test]
    fn time_that_we_owe_does_not_count() {
        let mut watch = Stopwatch::default();
        watch.start(at(0));
        watch.start(at(3));
        assert_eq!(watch.deadline(at(3), Duration::from_secs(10)), at(10));
        watch.stop(at(4));
        watch.start(at(100));
        assert_eq!(watch.deadline(at(100), Duration::from_secs(10)), at(106));
    }
}
