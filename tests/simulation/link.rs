//! A link between two machines, which delays, takes a few octets at a time, cuts and closes.

use crate::random::Random;
use esmtp::{
    machine::{Closed, Machine, Need},
    time::Instant,
};
use std::{collections::VecDeque, time::Duration};

/// The treatment of two machines by a link.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// The time that octets travel.
    pub(crate) delay: Duration,
    /// The number of octets that may be under way in one direction.
    pub(crate) capacity: usize,
    /// The number of octets that one write or read moves at most.
    pub(crate) piece: usize,
    /// The connection is cut when this many octets were put on the link.
    pub(crate) cut_at: Option<usize>,
    pub(crate) cut: Cut,
    /// Whether questions are answered late, by up to this.
    pub(crate) late: Option<Duration>,
    /// Whether questions are met and left alone at times.
    pub(crate) forgets: bool,
}

/// The effect of a cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    /// Nothing: what is under way is lost, and both ends hear of a reset.
    Reset,
    /// Octets under way arrive, and then both ends learn of an orderly end.
    Closed,
    /// The one end says that it is over; octets in the other direction go on.
    HalfClosed(End),
}

/// One end of the link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Client,
    Server,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// The end of the direction, after what is under way.
    over: Option<Closed>,
    /// Octets that are written are lost.
    is_broken: bool,
}

impl Lane {
    fn load(&self) -> usize {
        self.under_way.iter().map(|(_, octets)| octets.len()).sum()
    }
}

/// One machine on the link.
pub(crate) struct Side<'a, M> {
    pub(crate) machine: &'a mut M,
    pub(crate) application: &'a mut dyn FnMut(&mut M),
    random: Random,
    /// The answer is late until then.
    busy_until: Option<Instant>,
    is_told_of_end: bool,
    is_told_of_break: bool,
    need: Need,
    pub(crate) application_time: Duration,
}

impl<'a, M: Machine> Side<'a, M> {
    pub(crate) fn new(
        machine: &'a mut M,
        application: &'a mut dyn FnMut(&mut M),
        random: Random,
    ) -> Self {
        Self {
            machine,
            application,
            random,
            busy_until: None,
            is_told_of_end: false,
            is_told_of_break: false,
            need: Need::Answer,
            application_time: Duration::ZERO,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.need == Need::Close
    }

    /// Does one thing; `false` when there is nothing to do at this time.
    fn act(&mut self, now: Instant, faults: &Faults, out: &mut Lane, into: &mut Lane) -> bool {
        if self.is_closed() {
            return false;
        }
        if out.is_broken && !std::mem::replace(&mut self.is_told_of_break, true) {
            self.machine.unsendable();
        }
        let before = self.need;
        self.need = self.machine.poll(now);
        if let Need::Read(until) | Need::Write(until) | Need::Either(until) = self.need {
            assert!(until > now, "a deadline that has passed: {:?}", self.need);
        }
        // No need is exclusive: what is ready may go out while a question is open.
        let may_write = match self.need {
            Need::Write(_) | Need::Either(_) => true,
            Need::Answer => self.random.one_in(3),
            _ => false,
        };
        if may_write && self.write(now, faults, out) {
            return true;
        }
        match self.need {
            Need::Answer => self.answer(now, faults) || before != self.need,
            Need::Close => {
                out.over = out.over.or(Some(Closed::Clean));
                into.is_broken = true;
                true
            }
            Need::Read(_) | Need::Either(_) => self.read(now, faults, into),
            Need::Write(_) | Need::Wait(_) => false,
        }
    }

    fn answer(&mut self, now: Instant, faults: &Faults) -> bool {
        match self.busy_until {
            Some(until) if !until.has_passed(now) => return false,
            Some(_) => self.busy_until = None,
            None => {
                if let Some(late) = faults.late
                    && self.random.one_in(10)
                {
                    let late = late.mul_f64(self.random.below(1000) as f64 / 1000.0);
                    self.application_time += late;
                    self.busy_until = Some(now + late);
                    return true;
                }
            }
        }
        if faults.forgets && self.random.one_in(4) {
            drop(self.machine.event());
            return true;
        }
        (self.application)(self.machine);
        true
    }

    fn write(&mut self, now: Instant, faults: &Faults, out: &mut Lane) -> bool {
        let mut slices = [&[][..]; 4];
        let filled = self.machine.to_send(&mut slices);
        let octets = slices[..filled].concat();
        let room = faults.capacity.saturating_sub(out.load()).min(octets.len());
        if room == 0 {
            return false;
        }
        let taken = 1 + self.random.below(room.min(faults.piece));
        self.machine.sent(taken);
        out.octets += taken;
        if !out.is_broken {
            let arrives = out.under_way.back().map_or(now, |(at, _)| *at).max(now + faults.delay);
            out.under_way.push_back((arrives, octets[..taken].to_vec()));
        }
        true
    }

    fn read(&mut self, now: Instant, faults: &Faults, into: &mut Lane) -> bool {
        match into.under_way.front_mut() {
            Some((at, octets)) if at.has_passed(now) => {
                let piece = 1 + self.random.below(octets.len().min(faults.piece));
                let taken = self.machine.feed(&octets[..piece]);
                assert!(taken > 0, "it wants to read, and does not");
                octets.drain(..taken);
                if octets.is_empty() {
                    into.under_way.pop_front();
                }
                true
            }
            Some(_) => false,
            None => match into.over {
                Some(how) if !self.is_told_of_end => {
                    self.is_told_of_end = true;
                    self.machine.closed(how);
                    true
                }
                _ => false,
            },
        }
    }

    /// Returns when it will have something to do without the peer.
    fn wakes(&self) -> Option<Instant> {
        match self.need {
            Need::Read(until) | Need::Write(until) | Need::Either(until) | Need::Wait(until) => {
                Some(until).filter(|until| *until < Instant::NEVER)
            }
            Need::Answer => self.busy_until,
            Need::Close => None,
        }
    }
}

/// More steps no session takes.
const STEPS: usize = 400_000;

/// Drives both until both are closed, and returns when that was. `meddle` is called at each step.
pub(crate) fn run<C: Machine, S: Machine>(
    faults: &Faults,
    random: &mut Random,
    client: &mut Side<'_, C>,
    server: &mut Side<'_, S>,
    mut meddle: impl FnMut(usize, &mut C, &mut S),
) -> Instant {
    let mut now = Instant::ORIGIN;
    let (mut to_server, mut to_client) = (Lane::default(), Lane::default());
    let mut is_cut = false;
    for step in 0..STEPS {
        if client.is_closed() && server.is_closed() {
            return now;
        }
        meddle(step, client.machine, server.machine);
        let octets = to_client.octets + to_server.octets;
        if !is_cut && faults.cut_at.is_some_and(|at| octets >= at) {
            is_cut = true;
            cut(faults.cut, &mut to_client, &mut to_server);
        }
        let order = match random.one_in(2) {
            true => [End::Client, End::Server],
            false => [End::Server, End::Client],
        };
        let has_moved = order.into_iter().any(|end| match end {
            End::Client => client.act(now, faults, &mut to_server, &mut to_client),
            End::Server => server.act(now, faults, &mut to_client, &mut to_server),
        });
        if has_moved {
            continue;
        }
        let arrivals = [&to_client, &to_server].map(|lane| lane.under_way.front().map(|it| it.0));
        let arrivals = arrivals.into_iter().flatten().filter(|at| !at.has_passed(now));
        let wakes = [client.wakes(), server.wakes()].into_iter().flatten();
        let next = arrivals.chain(wakes.filter(|at| !at.has_passed(now))).min();
        let needs = (client.need, server.need);
        now = next.unwrap_or_else(|| panic!("a deadlock: {needs:?}"));
    }
    panic!("a session without an end: {:?} {:?}", client.need, server.need);
}

fn cut(cut: Cut, to_client: &mut Lane, to_server: &mut Lane) {
    match cut {
        Cut::Reset => {
            for lane in [to_client, to_server] {
                lane.under_way.clear();
                lane.over = Some(Closed::CutOff);
                lane.is_broken = true;
            }
        }
        Cut::Closed => {
            for lane in [to_client, to_server] {
                lane.over = Some(Closed::Clean);
                lane.is_broken = true;
            }
        }
        Cut::HalfClosed(end) => {
            let lane = if end == End::Client { to_server } else { to_client };
            lane.over = Some(Closed::Clean);
            lane.is_broken = true;
        }
    }
}
