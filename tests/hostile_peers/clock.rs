//! The rule for transfers, as a model.

use esmtp::time::Instant;
use std::time::Duration;

/// The deadline of one transfer: "it starts at now + flat; each octet moves it later by 1/floor,
/// but never beyond now + flat". So what came early earns nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    flat: Duration,
    /// 1/floor
    octet: Duration,
    deadline: Instant,
}

impl Transfer {
    pub(crate) fn begin(now: Instant, flat: Duration, octets_per_second: u32) -> Self {
        Self { flat, octet: Duration::from_secs(1) / octets_per_second, deadline: now + flat }
    }

    pub(crate) fn octets(&mut self, octets: u64, now: Instant) {
        let earned = self.octet * u32::try_from(octets).unwrap();
        self.deadline = (self.deadline + earned).min(now + self.flat);
    }

    /// Returns the time that the transfer lasts when octets move at these times, given as the time since the
    /// last ones and their number.
    pub(crate) fn life(
        flat: Duration,
        octets_per_second: u32,
        moves: impl Iterator<Item = (Duration, u64)>,
    ) -> Duration {
        let mut transfer = Self::begin(Instant::ORIGIN, flat, octets_per_second);
        let mut now = Instant::ORIGIN;
        for (after, octets) in moves {
            now = now + after;
            if transfer.deadline.has_passed(now) {
                break;
            }
            transfer.octets(octets, now);
        }
        transfer.deadline.elapsed()
    }
}

#[test]
fn the_model_of_a_transfer_is_the_rule() {
    let seconds = Duration::from_secs;
    let life = |moves: &[(u64, u64)]| {
        Transfer::life(seconds(20), 500, moves.iter().map(|(after, n)| (seconds(*after), *n)))
    };
    assert_eq!(life(&[]), seconds(20), "silent");
    assert_eq!(life(&[(0, 1_000_000)]), seconds(20), "a burst earns nothing");
    assert_eq!(life(&[(5, 1_000_000)]), seconds(25));
    assert_eq!(life(&[(5, 1000)]), seconds(22), "two seconds for a thousand octets");
    assert_eq!(life(&[(19, 5000), (19, 5000)]), seconds(30), "the second comes too late");
    assert_eq!(life(&[(19, 9500), (19, 9500)]), seconds(58), "500 octets a second are enough");
}
