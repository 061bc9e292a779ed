//! A seeded simulation: sessions drawn at random, on a clock that is a number.
//!
//! | file | who meets whom |
//! |---|---|
//! | `both` | a client and a server, over a link that delays, cuts and closes |
//! | `hostile_client` | a client that says anything, and a server |
//! | `hostile_server` | a client, and a server that answers as it likes and breaks off anywhere |
//!
//! What has to hold: a report for each transaction; `Deliver` or `Abort` once for each transaction
//! that was accepted; no acknowledgement that is false, lost or doubled; the content that was sent;
//! octets of content never commands, nor the reverse; an end to each session, by the time that the
//! configuration gives it.
//!
//! A failure prints its seed. `ESMTP_SIMULATION_SEED=n ESMTP_SIMULATION_RUNS=1` plays that session
//! alone; `ESMTP_SIMULATION_RUNS` alone is the number of sessions of each test.

#![cfg(feature = "rustls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

mod both;
#[path = "../common/channel.rs"]
mod channel;
mod hostile_client;
mod hostile_server;
mod link;
mod random;
mod receiver;
#[path = "../hostile_peers/rig.rs"]
mod rig;

use random::Random;
use std::{env, thread, time::Duration};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Says which session it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("ESMTP_SIMULATION_SEED={} ESMTP_SIMULATION_RUNS=1", self.0);
        }
    }
}

/// Plays this many sessions, unless the environment says otherwise.
fn simulate(sessions: u64, mut play: impl FnMut(&mut Random)) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let first = number("ESMTP_SIMULATION_SEED").unwrap_or(0);
    let sessions = number("ESMTP_SIMULATION_RUNS").unwrap_or(sessions);
    for seed in first..first + sessions {
        let seed = Seed(seed);
        play(&mut Random::new(seed.0));
    }
}
