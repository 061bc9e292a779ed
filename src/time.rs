//! Time as a value: the core never reads a clock.
//!
//! ```
//! use esmtp::time::Instant;
//! use std::time::Duration;
//!
//! let begin = std::time::Instant::now(); // the origin of a driver
//! let now = Instant::since_origin(begin.elapsed());
//! let later = Instant::since_origin(Duration::from_secs(3600));
//! assert!(later.saturating_since(now) > Duration::ZERO);
//! ```

use core::{ops::Add, time::Duration};

/// A moment, as the time since an origin that the caller picked once for a session.
///
/// It counts nanoseconds, up to some 584 years; a later moment is [`NEVER`](Self::NEVER).
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
pub struct Instant(u64);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(0);
    /// Later than every other instant: no deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// Returns the moment `elapsed` after the origin.
    #[must_use]
    pub const fn since_origin(elapsed: Duration) -> Self {
        Self::ORIGIN.saturating_add(elapsed)
    }

    /// Returns the time from the origin to this moment.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Returns the time since `earlier`; zero when that is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the nanoseconds since `earlier`; 0 when that is later.
    pub(crate) const fn nanoseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the moment `duration` later; [`NEVER`](Self::NEVER) instead of an overflow.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// Returns whether a deadline at this moment has passed: `now >= self`.
    #[must_use]
    pub fn has_passed(self, now: Self) -> bool {
        now >= self
    }
}

/// Returns the nanoseconds of a duration, or the greatest number.
const fn nanoseconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(duration.subsec_nanos() as u64)
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Adds a duration, saturating: see [`Instant::saturating_add`].
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// A span of time that a deadline allows, in nanoseconds: those of a session are converted once, for each poll needs some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Allowance(u64);

impl Allowance {
    /// Longer than any clock runs.
    const ENDLESS: Self = Self(u64::MAX);

    pub(crate) const fn of(duration: Duration) -> Self {
        Self(nanoseconds(duration))
    }

    pub(crate) const fn get(self) -> Duration {
        match self {
            Self::ENDLESS => Duration::MAX,
            Self(nanoseconds) => Duration::from_nanos(nanoseconds),
        }
    }

    const fn saturating_add(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }
}

impl From<Duration> for Allowance {
    fn from(duration: Duration) -> Self {
        Self::of(duration)
    }
}

impl Add<Allowance> for Instant {
    type Output = Self;

    fn add(self, allowance: Allowance) -> Self {
        Self(self.0.saturating_add(allowance.0))
    }
}

/// A data-rate floor: content that arrives slower than this, beyond its first allowance, times out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    octets_per_second: u32,
}

impl Rate {
    /// Creates a rate of `octets` octets a second; 0 is read as 1.
    #[must_use]
    pub const fn octets_per_second(octets: u32) -> Self {
        Self { octets_per_second: if octets == 0 { 1 } else { octets } }
    }

    /// Returns how long `octets` may take at this rate, in whole nanoseconds.
    #[must_use]
    pub fn time_for(self, octets: u64) -> Duration {
        const NANOSECONDS: u64 = 1_000_000_000;
        let rate = u64::from(self.octets_per_second);
        // Less than 2^32 times 10^9, which is less than 2^62.
        let rest = octets.checked_rem(rate).unwrap_or(0).saturating_mul(NANOSECONDS);
        Duration::from_secs(octets.checked_div(rate).unwrap_or(0))
            .saturating_add(Duration::from_nanos(rest.checked_div(rate).unwrap_or(0)))
    }

    /// Returns whether `octets` may take these nanoseconds at this rate, as [`time_for`](Self::time_for) tells, without
    /// its divisions.
    fn is_kept(self, octets: u64, nanoseconds: u64) -> bool {
        let earned = u128::from(octets) * 1_000_000_000;
        earned >= u128::from(nanoseconds) * u128::from(self.octets_per_second)
    }
}

/// The time spent waiting for one thing from the peer.
///
/// Only the time between [`start`](Self::start) and [`stop`](Self::stop) counts, so that the peer
/// is not charged for time in which an answer of the application is due, and octets that drip do
/// not extend a deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    /// Nanoseconds counted before `since`.
    waited: u64,
    /// The moment from which it counts; [`Instant::NEVER`] while it does not.
    since: Instant,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Stopwatch {
    /// A stopwatch that has counted nothing.
    pub(crate) const ZERO: Self = Self { waited: 0, since: Instant::NEVER };

    /// Starts or resumes counting.
    pub(crate) fn start(&mut self, now: Instant) {
        self.since = self.since.min(now);
    }

    /// Stops counting.
    pub(crate) const fn stop(&mut self, now: Instant) {
        if self.since.0 < Instant::NEVER.0 {
            self.waited = self.waited(now);
            self.since = Instant::NEVER;
        }
    }

    /// Returns the moment at which `allowance` of waiting will be used up, if counting continues
    /// from `now`.
    pub(crate) fn deadline(&self, now: Instant, allowance: impl Into<Allowance>) -> Instant {
        let since = self.since.min(now);
        match allowance.into() {
            Allowance::ENDLESS => Instant::NEVER,
            Allowance(allowance) => {
                Instant(since.0.saturating_add(allowance.saturating_sub(self.waited)))
            }
        }
    }

    /// Returns the nanoseconds waited so far.
    const fn waited(&self, now: Instant) -> u64 {
        // Nothing has passed since never.
        self.waited.saturating_add(now.nanoseconds_since(self.since))
    }

    /// Counts from zero, and continues if it is counting now.
    fn restart(&mut self, now: Instant) {
        self.waited = 0;
        if self.since < Instant::NEVER {
            self.since = now;
        }
    }
}

/// The pace that is demanded of a transfer: it may pause for the flat time-out, and must not be slower than the rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) timeout: Allowance,
    pub(crate) slowest: Rate,
}

/// The time that a transfer has taken, for its deadline.
///
/// The deadline starts a flat time-out after the moment at which the transfer begins. Each octet
/// moves it later by its time at the slowest rate, but never beyond the flat time-out after the
/// moment at which the octet came: a fast peer earns no time for later. As in a [`Stopwatch`], only
/// the time between [`start`](Self::start) and [`stop`](Self::stop) counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransferTime {
    /// The time since the deadline was last the whole time-out away.
    waited: Stopwatch,
    /// The octets that came in that time.
    octets: u64,
}

impl TransferTime {
    /// The time of a transfer that has not begun.
    pub(crate) const ZERO: Self = Self { waited: Stopwatch::ZERO, octets: 0 };

    /// Starts or resumes waiting for the peer.
    pub(crate) fn start(&mut self, now: Instant) {
        self.waited.start(now);
    }

    /// Stops waiting for the peer: an answer of the application is due.
    pub(crate) const fn stop(&mut self, now: Instant) {
        self.waited.stop(now);
    }

    /// Counts `octets` that were transferred until `now`.
    pub(crate) fn count(&mut self, octets: u64, now: Instant, pace: Pace) {
        self.octets = self.octets.saturating_add(octets);
        let waited = self.waited.waited(now);
        if waited == 0 || pace.slowest.is_kept(self.octets, waited) {
            self.octets = 0;
            self.waited.restart(now);
        }
    }

    /// Returns the moment at which the transfer times out, if it is waited for from `now` on.
    pub(crate) fn deadline(&self, now: Instant, pace: Pace) -> Instant {
        let earned = if self.octets == 0 { 0 } else { earned(self.octets, pace.slowest) };
        self.waited.deadline(now, pace.timeout.saturating_add(earned))
    }
}

/// Returns the nanoseconds that octets have at a rate. Only a transfer that is slower than its pace needs them.
#[inline(never)]
fn earned(octets: u64, rate: Rate) -> u64 {
    nanoseconds(rate.time_for(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::since_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_moment_beyond_the_range_is_never() {
        let last = Duration::from_nanos(u64::MAX);
        for beyond in [last, last + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(Instant::since_origin(beyond), Instant::NEVER);
            assert_eq!(at(1) + beyond, Instant::NEVER);
        }
        assert_eq!(at(7).saturating_since(at(5)), Duration::from_secs(2));
        assert_eq!(at(5).saturating_since(at(7)), Duration::ZERO);
        assert_eq!(core::mem::size_of::<Instant>(), 8);
    }

    #[test]
    fn an_allowance_is_its_duration_up_to_the_range_of_a_clock() {
        for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1 << 34)] {
            assert_eq!(Allowance::of(duration).get(), duration);
            assert_eq!(at(1) + Allowance::of(duration), at(1) + duration);
        }
        assert_eq!(Allowance::of(Duration::from_secs(1 << 35)).get(), Duration::MAX);
        assert_eq!(at(1) + Allowance::of(Duration::MAX), Instant::NEVER);
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
        assert_eq!(Rate::octets_per_second(1_000_000).time_for(1), Duration::from_micros(1));
        let slow = Rate::octets_per_second(u32::MAX).time_for(u64::from(u32::MAX) - 1);
        assert_eq!(slow, Duration::from_nanos(999_999_999));
        assert_eq!(Rate::octets_per_second(1).time_for(u64::MAX), Duration::from_secs(u64::MAX));
    }

    #[test]
    fn a_rate_is_kept_by_octets_whose_time_is_not_over() {
        for rate in [1, 3, 500, 1_000_000, u32::MAX].map(Rate::octets_per_second) {
            for octets in [0, 1, 2, 499, 500, 1_000_003, u64::from(u32::MAX)] {
                let time = nanoseconds(rate.time_for(octets));
                assert!(rate.is_kept(octets, time), "{rate:?}, {octets}");
                assert!(!rate.is_kept(octets, time + 1), "{rate:?}, {octets}");
            }
        }
    }

    /// Ten seconds, and one second for each octet.
    const PACE: Pace = Pace {
        timeout: Allowance::of(Duration::from_secs(10)),
        slowest: Rate::octets_per_second(1),
    };

    fn transfer() -> TransferTime {
        let mut transfer = TransferTime::ZERO;
        transfer.start(at(0));
        transfer
    }

    #[test]
    fn a_transfer_that_was_fast_gains_no_time() {
        let mut transfer = transfer();
        transfer.count(1_000_000, at(3), PACE);
        assert_eq!(transfer.deadline(at(3), PACE), at(13));
        transfer.count(0, at(12), PACE);
        assert_eq!(transfer.deadline(at(12), PACE), at(13));
    }

    #[test]
    fn a_slow_transfer_uses_up_its_time() {
        let mut transfer = transfer();
        for seconds in (2..=18).step_by(2) {
            assert_eq!(transfer.deadline(at(seconds), PACE), at(10 + seconds / 2 - 1));
            transfer.count(1, at(seconds), PACE);
        }
        assert!(transfer.deadline(at(20), PACE).has_passed(at(20)));
        let mut transfer = self::transfer();
        for seconds in 1..=1000 {
            transfer.count(1, at(seconds), PACE);
            assert_eq!(transfer.deadline(at(seconds), PACE), at(10 + seconds), "the slowest rate");
        }
    }

    #[test]
    fn octets_that_come_one_by_one_earn_what_they_earn_together() {
        let pace = Pace { slowest: Rate::octets_per_second(3), ..PACE };
        let (mut single, mut whole) = (transfer(), transfer());
        for _ in 0..10 {
            single.count(1, at(9), pace);
        }
        whole.count(10, at(9), pace);
        assert_eq!(single.deadline(at(9), pace), whole.deadline(at(9), pace));
    }

    #[test]
    fn the_time_of_the_application_moves_the_deadline_of_a_transfer() {
        let mut transfer = transfer();
        transfer.stop(at(4));
        // Octets that were received before the question may be counted after it.
        transfer.count(1, at(50), PACE);
        transfer.start(at(100));
        assert_eq!(transfer.deadline(at(100), PACE), at(107));
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
