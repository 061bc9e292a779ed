//! The number of connections that a server accepts: in all, and from one address.
//!
//! Each session may hold two descriptors, its socket and the file of its message. They are reserved before the greeting, so that
//! no session fails later for lack of a descriptor (EMFILE).

use esmtp::syntax::{Code, Rejection, Status, Text};
use rustix::process::{Resource, getrlimit};
use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once unless the command line says otherwise.
const CONNECTIONS: usize = 1000;
/// Descriptors of the program itself: the standard streams, the listener, the runtime, signals.
const OWN: usize = 16;
/// Descriptors of a session: its socket, and the file or the folder of its message.
const OF_A_SESSION: usize = 2;
/// The maximum of connections that have no place yet, or that get 421 because no place is free.
const SPARE: usize = 256;

/// The places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    per_address: Option<NonZeroUsize>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    /// Makes as many places as are wanted and as the limit of descriptors allows, and returns their
    /// number.
    pub(crate) fn new(
        wanted: Option<NonZeroUsize>,
        per_address: Option<NonZeroUsize>,
    ) -> (Arc<Self>, usize) {
        let descriptors = getrlimit(Resource::Nofile).current;
        let descriptors = descriptors.and_then(|limit| usize::try_from(limit).ok());
        let usable = descriptors.unwrap_or(usize::MAX).saturating_sub(OWN);
        let spare = (usable / 8).clamp(1, SPARE);
        let possible = (usable.saturating_sub(spare) / OF_A_SESSION).max(1);
        let all = wanted.map_or(CONNECTIONS, NonZeroUsize::get).min(possible);
        let places = Self {
            all: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            spare: Arc::new(Semaphore::new(spare)),
            per_address,
            by_address: Mutex::default(),
        };
        (Arc::new(places), all)
    }

    /// Waits for the descriptor of a connection that is about to be accepted.
    pub(crate) async fn spare(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.spare).acquire_owned().await.ok()
    }

    /// Takes a place for a client at `address`. A client without an address is not counted.
    ///
    /// # Errors
    ///
    /// The reply for the client, if no place is free.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Rejection> {
        let Ok(place) = Arc::clone(&self.all).try_acquire_owned() else {
            return Err(too_many(Status::NOT_ACCEPTING, "Too many connections, try again later"));
        };
        let address = address.filter(|_| self.per_address.is_some());
        if let (Some(address), Some(limit)) = (address, self.per_address) {
            let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address).or_default();
            if *count >= limit.get() {
                return Err(too_many(
                    Status::OTHER_SECURITY,
                    "Too many connections from your address",
                ));
            }
            *count += 1;
        }
        Ok(Place { places: Arc::clone(self), address, _place: place })
    }
}

fn too_many(status: Status, text: &'static str) -> Rejection {
    Rejection::new(Code::NOT_AVAILABLE, status, Text::literal(text))
        .unwrap_or(Rejection::SHUTTING_DOWN)
}

/// A place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    /// The address under which it is counted.
    address: Option<IpAddr>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.places.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}
