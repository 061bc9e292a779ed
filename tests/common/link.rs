//! Two machines in memory, with a wire between them and a clock that only waits when nobody can
//! do anything else.

#![allow(dead_code)] // not every file of tests needs all of it

use esmtp::{
    client,
    machine::{Closed, Machine, Need},
    server,
    time::Instant,
};
use std::{collections::VecDeque, time::Duration};

/// One direction of the wire.
#[derive(Debug, Default)]
struct Lane {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    /// Octets that have been put on it.
    octets: usize,
    is_over: bool,
}

/// What the wire is like.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// How long octets travel, one way.
    pub(crate) delay: Duration,
    /// How many octets a write takes, in turn; empty: as many as there are.
    pub(crate) pieces: Vec<usize>,
    /// The connection is lost when the server has said so many octets, or the client.
    pub(crate) server_is_cut: Option<usize>,
    pub(crate) client_is_cut: Option<usize>,
}

impl Wire {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, pieces: Vec::new(), server_is_cut: None, client_is_cut: None }
    }
}

/// Drives both until both are closed, and returns when that was. Panics on a deadlock.
pub(crate) fn run<C, S>(
    wire: &Wire,
    client: &mut C,
    server: &mut S,
    mut sends: impl FnMut(Instant, client::Event<'_>),
    mut receives: impl FnMut(Instant, server::Event<'_>),
) -> Instant
where
    C: for<'m> Machine<Event<'m> = client::Event<'m>> + 'static,
    S: for<'m> Machine<Event<'m> = server::Event<'m>> + 'static,
{
    let mut now = Instant::ORIGIN;
    let (mut to_server, mut to_client) = (Lane::default(), Lane::default());
    let mut turns = 0_usize;
    let mut steps = 0_usize;
    loop {
        steps += 1;
        assert!(steps < 1_000_000, "the session has no end");
        let (client_need, client_moved) =
            step(client, now, wire, &mut turns, &mut to_server, &mut to_client, |client| {
                if let Some(event) = client.event() {
                    sends(now, event);
                }
            });
        let (server_need, server_moved) =
            step(server, now, wire, &mut turns, &mut to_client, &mut to_server, |server| {
                if let Some(event) = server.event() {
                    receives(now, event);
                }
            });
        if client_need == Need::Close && server_need == Need::Close {
            return now;
        }
        let is_cut = |lane: &Lane, at: Option<usize>| at.is_some_and(|at| lane.octets >= at);
        if is_cut(&to_client, wire.server_is_cut) || is_cut(&to_server, wire.client_is_cut) {
            for lane in [&mut to_client, &mut to_server] {
                lane.under_way.clear();
                lane.is_over = true;
            }
            client.closed(Closed::CutOff);
            client.unsendable();
            server.closed(Closed::CutOff);
            server.unsendable();
        }
        if client_moved || server_moved {
            continue;
        }
        let arrivals = [&to_client, &to_server].map(|lane| lane.under_way.front().map(|it| it.0));
        let waits = [client_need, server_need].map(|need| match need {
            Need::Wait(until) => Some(until),
            _ => None,
        });
        match arrivals.into_iter().chain(waits).flatten().min() {
            Some(next) => now = next.max(now),
            None if to_client.is_over || to_server.is_over => {
                // One has closed and the other may still wait for a deadline of its own.
                now = now + Duration::from_secs(10);
            }
            None => panic!("deadlock: client {client_need:?}, server {server_need:?}"),
        }
    }
}

/// Lets one machine go on as far as it can at this time.
fn step<M: Machine>(
    machine: &mut M,
    now: Instant,
    wire: &Wire,
    turns: &mut usize,
    out: &mut Lane,
    into: &mut Lane,
    mut answer: impl FnMut(&mut M),
) -> (Need, bool) {
    let mut has_moved = false;
    loop {
        let need = machine.poll(now);
        match need {
            Need::Answer => answer(machine),
            Need::Close => {
                if !out.is_over {
                    out.is_over = true;
                    has_moved = true;
                }
                return (need, has_moved);
            }
            Need::Wait(until) if !until.has_passed(now) => return (need, has_moved),
            Need::Wait(_) => {}
            Need::Write(_) | Need::Either(_) if is_sending(machine) => {
                let mut slices = [&b""[..]; 8];
                let filled = machine.to_send(&mut slices);
                let mut octets = slices[..filled].concat();
                if !wire.pieces.is_empty() {
                    octets.truncate(wire.pieces[*turns % wire.pieces.len()]);
                    *turns += 1;
                }
                machine.sent(octets.len());
                out.octets += octets.len();
                out.under_way.push_back((now + wire.delay, octets));
            }
            Need::Read(_) | Need::Write(_) | Need::Either(_) => match into.under_way.front_mut() {
                Some((at, octets)) if at.has_passed(now) && !matches!(need, Need::Write(_)) => {
                    let taken = machine.feed(octets);
                    octets.drain(..taken);
                    if octets.is_empty() {
                        into.under_way.pop_front();
                    }
                    assert!(taken > 0, "it wants to read, and does not");
                }
                None if into.is_over => {
                    machine.closed(Closed::Clean);
                    if machine.poll(now) == need {
                        return (need, has_moved);
                    }
                }
                _ => return (need, has_moved),
            },
        }
        has_moved = true;
    }
}

fn is_sending<M: Machine>(machine: &M) -> bool {
    machine.to_send(&mut [&[]]) > 0
}
