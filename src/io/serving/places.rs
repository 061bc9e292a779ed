//! The number of sessions at once: in all, from one address and from one network.

use super::Network;
use alloc::sync::Arc;
use core::{hash::Hash, net::IpAddr, time::Duration};
use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// The greatest number of clients at once that are being told that there is no place for them.
/// Further ones are disconnected without a reply.
const REFUSALS: usize = 256;

/// The greatest numbers of sessions at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) all: usize,
    pub(super) by_address: Option<usize>,
    pub(super) by_network: Option<usize>,
    /// The prefix lengths of the networks, IPv4 and IPv6.
    pub(super) prefixes: (u8, u8),
}

/// The places of a listener.
#[derive(Debug)]
pub(in crate::io) struct Places {
    limits: Limits,
    counts: Mutex<Counts>,
    /// A place is free again.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    refusals: usize,
    by_address: HashMap<IpAddr, usize>,
    by_network: HashMap<Network, usize>,
}

/// The limit that leaves no place for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    All,
    Address,
    Network,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, counts: Mutex::default(), freed: Condvar::new() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a connection that was accepted; its client may not be known yet.
    ///
    /// # Errors
    ///
    /// Every place is taken: the permission to answer the client, or `None` if too many are being
    /// answered.
    pub(in crate::io) fn take(self: &Arc<Self>) -> Result<Place, Option<Refusal>> {
        let mut counts = self.counts();
        if counts.all >= self.limits.all {
            drop(counts);
            return Err(self.refuse(Full::All));
        }
        counts.all += 1;
        drop(counts);
        Ok(Place { places: Arc::clone(self), address: None, network: None })
    }

    fn refuse(self: &Arc<Self>, full: Full) -> Option<Refusal> {
        let mut counts = self.counts();
        if counts.refusals >= REFUSALS {
            return None;
        }
        counts.refusals += 1;
        drop(counts);
        Some(Refusal { places: Arc::clone(self), full })
    }

    /// Returns the number of sessions.
    pub(in crate::io) fn taken(&self) -> usize {
        self.counts().all
    }

    /// Blocks until all places are free, or for this time, or until `is_over` returns true after a
    /// [wake-up](Self::wake); returns whether they are free.
    pub(in crate::io) fn wait_until_free(
        &self,
        timeout: Duration,
        is_over: impl Fn() -> bool,
    ) -> bool {
        let is_taken = |counts: &mut Counts| counts.all + counts.refusals > 0;
        let (mut counts, _) = self
            .freed
            .wait_timeout_while(self.counts(), timeout, |counts| is_taken(counts) && !is_over())
            .unwrap_or_else(PoisonError::into_inner);
        !is_taken(&mut counts)
    }

    /// Wakes the threads that wait for places.
    pub(super) fn wake(&self) {
        drop(self.counts()); // a thread that has looked waits now
        self.freed.notify_all();
    }

    /// Blocks until a place is free again, or for this time.
    pub(in crate::io) fn wait_until_freed(&self, timeout: Duration) {
        let _ = self.freed.wait_timeout(self.counts(), timeout);
    }
}

/// A place of a session, free again when it is dropped.
#[derive(Debug)]
pub(in crate::io) struct Place {
    places: Arc<Places>,
    /// The address and the network under which it is counted.
    address: Option<IpAddr>,
    network: Option<Network>,
}

impl Place {
    /// Counts the place under the address of its client.
    ///
    /// # Errors
    ///
    /// Too many sessions are counted under it: the permission to answer the client, as in
    /// [`Places::take`].
    pub(super) fn counted(mut self, address: IpAddr) -> Result<Self, Option<Refusal>> {
        match self.count(address.to_canonical()) {
            Ok(()) => Ok(self),
            Err(full) => Err(self.places.refuse(full)),
        }
    }

    fn count(&mut self, address: IpAddr) -> Result<(), Full> {
        let limits = self.places.limits;
        let (ipv4, ipv6) = limits.prefixes;
        let network = Network::new(address, if address.is_ipv4() { ipv4 } else { ipv6 });
        let mut counts = self.places.counts();
        if let Some(limit) = limits.by_address {
            if !add(&mut counts.by_address, address, limit) {
                return Err(Full::Address);
            }
            self.address = Some(address);
        }
        if let Some(limit) = limits.by_network {
            if !add(&mut counts.by_network, network, limit) {
                return Err(Full::Network);
            }
            self.network = Some(network);
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        counts.all = counts.all.saturating_sub(1);
        if let Some(address) = self.address {
            subtract(&mut counts.by_address, &address);
        }
        if let Some(network) = self.network {
            subtract(&mut counts.by_network, &network);
        }
        drop(counts);
        self.places.freed.notify_all();
    }
}

/// The permission to answer a client that has no place, free again when it is dropped.
#[derive(Debug)]
pub(in crate::io) struct Refusal {
    places: Arc<Places>,
    full: Full,
}

impl Refusal {
    /// Returns the limit that leaves no place.
    pub(super) const fn full(&self) -> Full {
        self.full
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        counts.refusals = counts.refusals.saturating_sub(1);
        drop(counts);
        self.places.freed.notify_all();
    }
}

/// Adds one to a count, unless it has reached the limit.
fn add<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K, limit: usize) -> bool {
    if limit == 0 {
        return false;
    }
    let count = counts.entry(key).or_default();
    let is_free = *count < limit;
    *count += usize::from(is_free);
    is_free
}

/// Takes one from a count, and forgets one of zero.
fn subtract<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn counted(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        let counted = places.take().and_then(|place| place.counted(address.parse().unwrap()));
        counted.map_err(|refusal| refusal.unwrap().full())
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_by_network() {
        let places = Arc::new(Places::new(Limits {
            all: 5,
            by_address: Some(2),
            by_network: Some(3),
            prefixes: (24, 64),
        }));
        let mut taken = Vec::new();
        for (address, full) in [
            ("192.0.2.1", None),
            ("192.0.2.1", None),
            ("192.0.2.1", Some(Full::Address)),
            ("::ffff:192.0.2.1", Some(Full::Address)),
            ("192.0.2.2", None),
            ("192.0.2.3", Some(Full::Network)),
            ("2001:db8::1", None),
            ("192.0.3.1", None),
            ("198.51.100.1", Some(Full::All)),
        ] {
            match counted(&places, address) {
                Ok(place) => taken.push(place),
                Err(why) => assert_eq!(Some(why), full, "{address}"),
            }
        }
        assert_eq!((taken.len(), places.taken()), (5, 5));
        taken.remove(0);
        taken.push(counted(&places, "192.0.2.1").unwrap());
        taken.clear();
        let counts = places.counts();
        assert_eq!(counts.all, 0);
        assert!(counts.by_address.is_empty() && counts.by_network.is_empty());
    }

    #[test]
    fn refusals_are_bounded_and_waited_for() {
        let limits = Limits { all: 0, by_address: None, by_network: None, prefixes: (32, 128) };
        let places = Arc::new(Places::new(limits));
        let refusals: Vec<_> = core::iter::from_fn(|| places.take().unwrap_err()).collect();
        assert_eq!(refusals.len(), REFUSALS);
        assert!(refusals.iter().all(|refusal| refusal.full() == Full::All));
        assert!(!places.wait_until_free(Duration::from_millis(1), || false));
        assert!(!places.wait_until_free(Duration::MAX, || true));
        drop(refusals);
        assert!(places.wait_until_free(Duration::ZERO, || false));
    }
}
