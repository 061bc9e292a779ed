//! The stages of TLS between a driver and a machine.

use super::rustls::{
    engine::{Delivered, Engine},
    role::Role,
    server::{Hello, ServerTls},
};
use crate::{
    machine::{Closed, Machine, Need, Upgradable},
    security::{Security, TlsFailure, TlsFailureKind},
    time::Instant,
    wire::{ReceiveBuffer, SendBuffer},
};
use alloc::collections::VecDeque;
use core::{mem, time::Duration};
use std::io::IoSlice;

pub(super) struct Layer {
    engine: Engine,
    pub(super) stage: Stage,
    pub(super) inbox: ReceiveBuffer,
    outbox: SendBuffer,
    /// Octets of ciphertext that the driver has written.
    taken: u64,
    /// The records in the outbox that hold octets of the machine inside, in order.
    records: VecDeque<Record>,
    /// The deadline of the handshake, of an alert or of the close_notify.
    pub(super) until: Instant,
    /// The kind of end that the driver reported for the peer's direction.
    pub(super) closed: Option<Closed>,
    /// The kind of end that was reported to the machine inside.
    pub(super) told: Option<Closed>,
    /// Nothing can be sent any more.
    is_broken: bool,
}

/// A record with octets of the machine inside. They count as sent as the record leaves, and the last of
/// them when the whole record has: before, the peer can decrypt nothing of it.
struct Record {
    /// Its end, counted in octets of ciphertext.
    end: u64,
    /// Octets of the machine inside that do not count as sent yet.
    plaintext: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the first poll: no deadline runs yet, but octets of the peer may have arrived.
    Due,
    Handshake,
    Open,
    /// TLS has failed, the machine inside has been notified, and an alert is sent.
    Failed,
    /// The machine inside is done: the close_notify is sent.
    Closing,
}

/// One read of ciphertext: nearly four records of the greatest size (RFC 8446 section 5.2).
const INBOX: usize = 64 * 1024;
/// The greatest number of octets of plaintext that are encrypted at once.
const OUTBOX: usize = 64 * 1024;
/// The greatest number of slices of the machine inside that are encrypted at once.
const SLICES: usize = 64;
/// The greatest number of slices that make up a record.
const RECORD_SLICES: usize = 16;
/// The time for an alert or a close_notify: a few octets, for which every peer that reads has room.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

impl Layer {
    pub(super) fn new(role: &Role) -> Self {
        Self {
            engine: Engine::new(role),
            stage: Stage::Due,
            inbox: ReceiveBuffer::new(INBOX),
            outbox: SendBuffer::default(),
            taken: 0,
            records: VecDeque::new(),
            until: Instant::NEVER,
            closed: None,
            told: None,
            is_broken: false,
        }
    }

    /// Begins the handshake, which has to be complete by `until`.
    pub(super) fn begin(&mut self, until: Instant) {
        self.stage = Stage::Handshake;
        self.until = until;
    }

    /// Discards the octets received if the machine inside will never read them.
    pub(super) fn discard_unread(&mut self) {
        if self.told.is_some() || matches!(self.stage, Stage::Failed | Stage::Closing) {
            self.inbox.consume(usize::MAX);
        }
    }

    /// Returns what the handshake needs, or why it is over.
    pub(super) fn await_handshake(
        &mut self,
        is_stopping: bool,
        now: Instant,
    ) -> Result<Need, TlsFailureKind> {
        if self.closed.is_some() {
            return Err(TlsFailureKind::CutOff);
        }
        if self.until.has_passed(now) {
            return Err(match self.is_broken {
                true => TlsFailureKind::CutOff,
                false => TlsFailureKind::TimedOut,
            });
        }
        if is_stopping {
            return Err(TlsFailureKind::Stopped);
        }
        if self.is_broken {
            // Octets that arrived before the peer closed may hold the reason.
            self.until = self.until.min(now + FAREWELL);
        }
        Ok(match () {
            () if self.engine.hello().is_some() => Need::Wait(self.until),
            () if self.is_pending() => Need::Either(self.until),
            () => Need::Read(self.until),
        })
    }

    /// Advances as far as possible: input is decrypted until there is plaintext, and the output of
    /// TLS is ready to be sent.
    pub(super) fn turn(&mut self, role: &Role) -> Result<(), TlsFailure> {
        loop {
            let before = (self.inbox.octets().len(), self.outbox.len());
            let outcome = self.take_in(role);
            self.take_out();
            outcome?;
            if before == (self.inbox.octets().len(), self.outbox.len()) {
                return Ok(());
            }
        }
    }

    fn take_in(&mut self, role: &Role) -> Result<(), TlsFailure> {
        let is_last = self.closed.is_some();
        self.engine.take_in(role, &mut self.inbox, &mut self.outbox, is_last)
    }

    /// Moves the ciphertext that TLS has ready into the outbox.
    fn take_out(&mut self) {
        match self.is_broken {
            true => self.engine.discard_out(),
            false => self.engine.take_out(&mut self.outbox, 2 * OUTBOX),
        }
    }

    /// Gives the decision about the ClientHello.
    pub(super) fn decide(&mut self, decision: Option<&ServerTls>) {
        self.engine.decide(decision, &mut self.outbox);
    }

    /// Returns the ClientHello while a decision about it is awaited.
    pub(super) fn hello(&self) -> Option<Hello<'_>> {
        self.engine.hello()
    }

    pub(super) fn is_established(&self) -> bool {
        self.engine.is_established()
    }

    /// Returns the result of the handshake.
    pub(super) fn security(&self, role: &Role) -> Security {
        self.engine.security(role)
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(super) fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.outbox.slices(slices)
    }

    /// Records that `octets` of ciphertext were sent, and returns how many octets of the machine
    /// inside were sent with them.
    pub(super) fn sent(&mut self, octets: usize) -> usize {
        let octets = octets.min(self.outbox.len());
        self.outbox.sent(octets);
        self.taken = self.taken.saturating_add(octets as u64);
        let mut plaintext = 0;
        while let Some(record) = self.records.front_mut() {
            let left = record.end.saturating_sub(self.taken);
            let unsent = record.plaintext.min(usize::try_from(left).unwrap_or(usize::MAX));
            plaintext += record.plaintext - unsent;
            record.plaintext = unsent;
            if left > 0 {
                break;
            }
            self.records.pop_front();
        }
        plaintext
    }

    pub(super) fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
        if self.records.is_empty() {
            self.records = VecDeque::new();
        }
    }

    /// Forgets which machine the waiting octets belong to: another machine takes over.
    pub(super) fn turn_over(&mut self) {
        self.told = None;
        self.records.clear();
    }

    /// Stops writing: not one octet more is sent.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
        self.outbox.clear();
        self.records.clear();
    }

    /// Ends TLS: an alert may still go out, until then.
    pub(super) fn fail(&mut self, inner: &mut impl Upgradable, why: TlsFailure, until: Instant) {
        self.until = until;
        match mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Due | Stage::Handshake => inner.upgrade_failed(why),
            _ => {
                // Plaintext received before is still delivered.
                while matches!(self.engine.deliver(inner), Delivered::Octets) {}
                inner.tls_failed(why);
                self.give_up();
            }
        }
    }

    /// Discards the octets of the machine inside that the peer has not taken: they will not count
    /// as sent. An alert in the middle of a record would not be understood.
    fn give_up(&mut self) {
        if !self.records.is_empty() {
            self.break_off();
        }
    }

    /// Encrypts the octets that the machine inside has ready. They are reported to it as sent when
    /// they are, so that its deadlines and reports are those of a session in the clear.
    fn encrypt(&mut self, inner: &impl Machine) {
        let mut slices: [&[u8]; SLICES] = [&[]; SLICES];
        let count = inner.to_send(&mut slices);
        let mut waiting = slices.get_mut(..count).unwrap_or_default();
        let mut left = OUTBOX;
        while left > 0 {
            let mut record = [IoSlice::new(&[]); RECORD_SLICES];
            let size = self.engine.record_size().min(left);
            let octets = cut_record(&mut waiting, size, &mut record);
            if octets == 0 {
                return;
            }
            let plaintext = self.engine.encrypt(&record);
            self.take_out();
            if plaintext > 0 {
                let end = self.taken.saturating_add(self.outbox.len() as u64);
                self.records.push_back(Record { end, plaintext });
            }
            if plaintext < octets {
                return;
            }
            left -= plaintext;
        }
    }

    /// Moves plaintext between the machine inside and TLS.
    pub(super) fn exchange(
        &mut self,
        inner: &mut impl Upgradable,
        role: &Role,
        now: Instant,
    ) -> Option<Need> {
        if self.closed == Some(Closed::CutOff)
            && self.told != Some(Closed::CutOff)
            && let Err(failure) = self.cut_off(inner, role)
        {
            self.fail(inner, failure, now);
            return None;
        }
        let need = inner.poll(now);
        if let Need::Read(_) | Need::Either(_) = need
            && self.told.is_none()
        {
            match self.engine.deliver(inner) {
                Delivered::Octets => return None,
                Delivered::Nothing => {}
                Delivered::End(how) => {
                    self.told = Some(how);
                    inner.closed(how);
                    return None;
                }
            }
        }
        if let Need::Write(_) | Need::Either(_) = need
            && !self.is_broken
            && self.records.is_empty()
        {
            self.encrypt(inner);
        }
        if need == Need::Close {
            self.give_up();
            self.stage = Stage::Closing;
            self.until = now + FAREWELL;
            self.engine.close_notify();
            return None;
        }
        Some(self.need(need, now))
    }

    /// Tells the machine inside that the peer is gone.
    fn cut_off(&mut self, inner: &mut impl Upgradable, role: &Role) -> Result<(), TlsFailure> {
        // Input that has arrived counts as if it had arrived just before.
        while matches!(self.engine.deliver(inner), Delivered::Octets) {
            self.turn(role)?;
        }
        self.told = Some(Closed::CutOff);
        inner.closed(Closed::CutOff);
        Ok(())
    }

    /// Returns the need of the driver for that of the machine inside: ciphertext is pending or not,
    /// whatever plaintext there is.
    fn need(&self, inner: Need, now: Instant) -> Need {
        let is_pending = self.is_pending();
        match inner {
            // The peer's direction has ended: there is no more input for the machine.
            Need::Read(_) | Need::Either(_) if self.told.is_some() && !is_pending => Need::Close,
            Need::Write(_) if !is_pending => Need::Close,
            Need::Either(until) if !is_pending => Need::Read(until),
            // The peer waits for the last octets of the handshake; the application may take its
            // time.
            Need::Answer
                if is_pending && self.records.is_empty() && !self.until.has_passed(now) =>
            {
                Need::Write(self.until)
            }
            need if !is_pending => need,
            Need::Answer | Need::Close => inner,
            Need::Read(until) | Need::Either(until) if self.told.is_none() => Need::Either(until),
            Need::Read(until) | Need::Either(until) | Need::Write(until) | Need::Wait(until) => {
                Need::Write(until)
            }
        }
    }
}

/// Moves up to `size` octets of the waiting slices into a record, and returns how many.
fn cut_record<'a>(
    waiting: &mut &mut [&'a [u8]],
    size: usize,
    record: &mut [IoSlice<'a>; RECORD_SLICES],
) -> usize {
    let mut room = size;
    for part in record {
        let Some(slice) = waiting.first_mut() else { break };
        let (head, rest) = slice.split_at_checked(room).unwrap_or((slice, &[]));
        *part = IoSlice::new(head);
        room -= head.len();
        *slice = rest;
        if rest.is_empty() {
            waiting.split_off_first_mut();
        }
    }
    size - room
}
