//! The buffers between a stream and a machine.

use alloc::{collections::VecDeque, vec::Vec};
use bytes::{Buf, Bytes, BytesMut};
use core::fmt;
use core::mem;
use core::ops::Range;

/// The first allocation of a [`ReceiveBuffer`]: a group of pipelined commands, or a short message with its header.
const FIRST_ALLOCATION: u32 = 8192;
/// The factor by which the next allocation grows when a read fills the memory: what fills it is content.
const GROWTH: usize = 8;

/// A bounded buffer of octets that were received and not yet consumed, allocated on demand.
///
/// The first allocation is small; when a read fills it the next one is eight times as large, up to
/// the capacity, so that commands cost little and content is read in few calls.
///
/// ```
/// use esmtp::wire::ReceiveBuffer;
///
/// let mut buffer = ReceiveBuffer::new(512);
/// buffer.room()[..6].copy_from_slice(b"NOOP\r\n");
/// buffer.received(6);
/// assert_eq!(buffer.octets(), b"NOOP\r\n");
/// buffer.consume(6);
/// buffer.release(); // no memory is held
/// ```
pub struct ReceiveBuffer {
    /// One allocation. Its octets beyond the length of this value are not initialised: only the caller of
    /// [`room`](Self::room) needs them to be.
    memory: BytesMut,
    /// Octets received and unconsumed: `start..end` of `memory`.
    ///
    /// In 32 bits, as the other numbers, for a server has many idle buffers.
    start: u32,
    end: u32,
    /// The size of the next allocation.
    next: u32,
    capacity: u32,
}

/// The greatest capacity.
const MOST: usize = 1 << 31;

/// Returns a number of octets that is not beyond [`MOST`].
const fn small(octets: usize) -> u32 {
    if octets > MOST { 1 << 31 } else { octets as u32 }
}

impl ReceiveBuffer {
    /// Creates a buffer that never holds more than `capacity` octets (0 is read as 1, and more than 2 GiB
    /// as 2 GiB).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = small(capacity.max(1));
        let next = capacity.min(FIRST_ALLOCATION);
        Self { memory: BytesMut::new(), start: 0, end: 0, next, capacity }
    }

    /// Returns the greatest number of octets it can hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Returns the free space after the octets, allocated when needed; empty only when
    /// [`is_full`](Self::is_full).
    ///
    /// The octets move to the front when the space after them has become small and as many were
    /// consumed before, so that moving costs no more than receiving.
    pub fn room(&mut self) -> &mut [u8] {
        self.make_room(BytesMut::zeroed);
        let size = self.size();
        if self.memory.len() < size {
            self.memory.resize(size, 0);
        }
        self.memory.get_mut(self.end as usize..).unwrap_or_default()
    }

    /// Copies octets into the [`room`](Self::room), as many as it holds, and returns how many: as reading
    /// them into it would, but without zeroing the memory first.
    pub fn append(&mut self, octets: &[u8]) -> usize {
        let (end, size) = (self.end as usize, self.size());
        // Octets that do not fill the memory which was written before.
        if !self.is_too_small(size)
            && !self.is_nearly_over(size)
            && let Some([place @ .., _]) = self.memory.get_mut(end..)
            && let Some(place) = place.get_mut(..octets.len())
        {
            match (place, octets) {
                // As a client in character mode sends: without a call.
                ([place], [octet]) => *place = *octet,
                (place, octets) => place.copy_from_slice(octets),
            }
            self.end += small(octets.len());
            return octets.len();
        }
        self.append_to_room(octets)
    }

    #[inline(never)]
    fn append_to_room(&mut self, octets: &[u8]) -> usize {
        self.make_room(BytesMut::with_capacity);
        let (end, size) = (self.end as usize, self.size());
        let octets = octets.get(..size - end).unwrap_or(octets);
        write(&mut self.memory, end, octets);
        self.count_received(octets.len(), size);
        octets.len()
    }

    /// Returns the size of the memory.
    fn size(&self) -> usize {
        self.memory.capacity().min(self.capacity())
    }

    /// Makes free space after the octets unless it is full, in memory that `allocate` returns if it needs more.
    fn make_room(&mut self, allocate: fn(usize) -> BytesMut) {
        let (held, start, end) = (self.len(), self.start as usize, self.end as usize);
        let size = self.size();
        if self.is_too_small(size) {
            self.enlarge(held, allocate);
        } else if end == size || self.is_nearly_over(size) && held <= start {
            self.memory.copy_within(start..end, 0);
            // Their old place may hold half of a secret.
            self.fill_with_zeros(start.max(held), end);
            self.start = 0;
            self.end = small(held);
        }
    }

    /// Returns whether memory of this size is full, or empty and to be replaced by more.
    #[inline]
    fn is_too_small(&self, size: usize) -> bool {
        let held = self.len();
        held == size || held == 0 && size <= self.next as usize / 2
    }

    /// Returns whether less than a quarter of memory of this size is left after the octets.
    #[inline]
    const fn is_nearly_over(&self, size: usize) -> bool {
        size.saturating_sub(self.end as usize) < size / 4
    }

    /// Moves to more memory, unless `held` octets are the capacity.
    fn enlarge(&mut self, held: usize, allocate: fn(usize) -> BytesMut) {
        let size = (self.next as usize).max(held.saturating_mul(2)).min(self.capacity());
        if size > held {
            let mut memory = allocate(size);
            write(&mut memory, 0, self.octets());
            self.fill_with_zeros(self.start as usize, self.end as usize);
            *self = Self { memory, start: 0, end: small(held), next: small(size), ..*self };
        }
    }

    /// Records that this many octets were read into the front of [`room`](Self::room); a number
    /// beyond its length counts as its length.
    pub fn received(&mut self, octets: usize) {
        let room = self.memory.len() - self.end as usize;
        self.count_received(octets.min(room), self.size());
    }

    /// Counts octets after the others in memory of this size.
    fn count_received(&mut self, octets: usize, size: usize) {
        self.end += small(octets);
        if self.end as usize == size {
            self.next = small(size.saturating_mul(GROWTH)).clamp(self.next, self.capacity);
        }
    }

    /// Returns the unconsumed octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.memory.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Returns the unconsumed octets, to be changed in place.
    #[must_use]
    pub fn octets_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Takes the memory out, and returns it with the place of the octets in it: the buffer is not to be used until the
    /// memory is [put back](Self::attach).
    pub(crate) fn detach(&mut self) -> (BytesMut, Range<usize>) {
        (mem::take(&mut self.memory), self.start as usize..self.end as usize)
    }

    /// Puts the memory back that was [taken out](Self::detach).
    pub(crate) fn attach(&mut self, memory: BytesMut) {
        self.memory = memory;
    }

    /// Consumes the first `octets` octets.
    pub fn consume(&mut self, octets: usize) {
        if octets < self.len() {
            self.start += small(octets);
        } else {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Consumes the first `octets` octets and overwrites them in memory: they may hold credentials.
    pub fn wipe(&mut self, octets: usize) {
        let start = self.start as usize;
        self.fill_with_zeros(start, start.saturating_add(octets).min(self.end as usize));
        self.consume(octets);
    }

    fn fill_with_zeros(&mut self, from: usize, to: usize) {
        if let Some(octets) = self.memory.get_mut(from..to) {
            octets.fill(0);
            // A write that the optimiser must assume to be read.
            core::hint::black_box(octets);
        }
    }

    /// Consumes the first `octets` octets and returns them, owned.
    ///
    /// They are not copied but share the allocation with what is received later. Only a few
    /// octets, less than an eighth of it, are copied: else a peer that sends them one by one
    /// could make each hold a whole allocation.
    #[must_use]
    pub fn take(&mut self, octets: usize) -> Bytes {
        let octets = octets.min(self.len());
        if octets < self.next as usize / 8 {
            let copy = Bytes::copy_from_slice(self.octets().get(..octets).unwrap_or_default());
            self.consume(octets);
            return copy;
        }
        let start = self.start as usize;
        let mut taken = self.memory.split_to(start + octets);
        let taken = taken.split_off(start).freeze();
        self.end -= small(start + octets);
        self.start = 0;
        taken
    }

    /// Returns the number of unconsumed octets.
    #[must_use]
    pub const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Returns whether it holds as many octets as it can.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// Returns whether it holds no octets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Frees the memory if it holds no octets; the next allocation is half as large, but not
    /// smaller than the first one.
    pub fn release(&mut self) {
        if self.is_empty() {
            let first = Self::new(self.capacity());
            *self = Self { next: first.next.max(self.next / 2), ..first };
        }
    }

    /// Uses `memory` in place of an allocation of its own; returns it if there are octets in the
    /// buffer, if it has memory that suffices, or if the length of `memory` is beyond the capacity or too small for what
    /// is being received.
    pub fn lend(&mut self, memory: BytesMut) -> Option<BytesMut> {
        let is_small = |memory: &BytesMut| memory.len() <= self.next as usize / 2;
        if !self.is_empty()
            || !is_small(&self.memory)
            || is_small(&memory)
            || memory.len() > self.capacity()
        {
            return Some(memory);
        }
        *self = Self { memory, start: 0, end: 0, ..*self };
        None
    }

    /// Takes the memory out if there are no octets in it, as [`release`](Self::release) frees it;
    /// returns `None` when there is no memory to take.
    pub fn reclaim(&mut self) -> Option<BytesMut> {
        if !self.is_empty() {
            return None;
        }
        let size = self.size();
        let mut memory = core::mem::take(&mut self.memory);
        if memory.len() < size {
            // The length of lent memory is its size.
            memory.resize(size, 0);
        }
        self.release();
        (!memory.is_empty()).then_some(memory)
    }
}

/// Writes octets at this place of the memory, over what is there and beyond its length, within its capacity.
fn write(memory: &mut BytesMut, at: usize, octets: &[u8]) {
    let there = octets.len().min(memory.len().saturating_sub(at));
    let (over, beyond) = octets.split_at_checked(there).unwrap_or((octets, &[]));
    if let Some(place) = memory.get_mut(at..).and_then(|rest| rest.get_mut(..over.len())) {
        place.copy_from_slice(over);
    }
    memory.extend_from_slice(beyond);
}

/// Appends the octets of a range, which may be a line: a copy of a fixed size needs no call, and content of which each line
/// is a part is written a third faster.
#[inline(always)]
pub(super) fn append_range(out: &mut Vec<u8>, octets: &[u8], range: Range<usize>) {
    const FIXED: usize = 64;
    match octets.get(range.start..).and_then(<[u8]>::first_chunk::<FIXED>) {
        Some(chunk) if range.len() <= FIXED => {
            let len = out.len() + range.len();
            out.extend_from_slice(chunk);
            out.truncate(len);
        }
        _ => out.extend_from_slice(octets.get(range).unwrap_or_default()),
    }
}

/// A shared slice up to this length is copied: that is cheaper than one more slice in a vectored
/// write, which takes only a few per call.
const WORTH_SHARING: usize = 1024;
/// The size of text memory that is kept for reuse when everything is sent: four TLS records of the greatest size with
/// what encryption adds to each (RFC 8446 section 5.2), so that content sent in TLS does not allocate anew each time.
const KEPT_TEXT: usize = 4 * (5 + (1 << 14) + 256);
/// The number of sent octets of text after which the rest moves to the front.
const WORTH_MOVING: usize = 4096;

/// Octets that wait to be sent: text of its own, and shared slices without a copy.
///
/// ```
/// use bytes::Bytes;
/// use esmtp::wire::SendBuffer;
///
/// let mut buffer = SendBuffer::default();
/// buffer.text().extend_from_slice(b"BDAT 5000 LAST\r\n");
/// buffer.push(Bytes::from(vec![b'a'; 5000]));
/// buffer.text().extend_from_slice(b"QUIT\r\n");
///
/// let mut slices: [&[u8]; 4] = [&[]; 4];
/// assert_eq!(buffer.slices(&mut slices), 3);
/// assert_eq!(slices.map(<[u8]>::len), [16, 5000, 6, 0]);
/// buffer.sent(5016);
/// assert_eq!(buffer.len(), 6);
/// ```
#[derive(Default)]
pub struct SendBuffer {
    text: Vec<u8>,
    /// Octets of `text` that were sent.
    sent: usize,
    shared: VecDeque<Shared>,
    /// Octets of `shared` together.
    shared_octets: usize,
    /// A secret was in the text, so its memory is wiped when everything is sent.
    has_secret: bool,
}

/// A shared slice, sent after the first `position` octets of the text.
struct Shared {
    position: usize,
    octets: Bytes,
}

impl SendBuffer {
    /// Returns the text that ends the waiting octets, for appending only.
    pub fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Announces that the caller is about to append a secret of this many octets to the
    /// [`text`](Self::text): once everything is sent, no part of it stays in memory.
    pub fn expect_secret(&mut self, octets: usize) {
        // Growing would leave a copy of a part of it in freed memory.
        self.text.reserve(octets);
        self.has_secret = true;
    }

    /// Appends without a copy, unless there are so few octets that a copy is cheaper.
    pub fn push(&mut self, octets: Bytes) {
        if octets.len() <= WORTH_SHARING {
            self.text.extend_from_slice(&octets);
        } else {
            self.shared_octets = self.shared_octets.saturating_add(octets.len());
            self.shared.push_back(Shared { position: self.text.len(), octets });
        }
    }

    /// Appends the octets of a `range` of `shared`, without a copy unless there are so few that a copy
    /// is cheaper.
    pub(crate) fn push_part(&mut self, shared: &Bytes, range: Range<usize>) {
        match shared.get(range.clone()) {
            Some(few) if few.len() <= WORTH_SHARING => append_range(&mut self.text, shared, range),
            Some(_) => self.push(shared.slice(range)),
            None => {}
        }
    }

    /// Returns the number of octets that wait to be sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len().saturating_sub(self.sent).saturating_add(self.shared_octets)
    }

    /// Returns whether no octets wait to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent >= self.text.len() && self.shared_octets == 0
    }

    /// Fills in slices of the octets that wait, in order, and returns how many were filled in; none
    /// of them is empty.
    pub fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        if self.shared.is_empty() {
            let text = self.text.get(self.sent..).filter(|text| !text.is_empty());
            return slices.iter_mut().zip(text).map(|(slot, text)| *slot = text).count();
        }
        let mut at = self.sent;
        let waiting = self.shared.iter().flat_map(|shared| {
            let text = self.text.get(at..shared.position).unwrap_or_default();
            at = shared.position;
            [text, &*shared.octets]
        });
        let last = self.shared.back().map_or(self.sent, |shared| shared.position);
        let waiting = waiting
            .chain([self.text.get(last..).unwrap_or_default()])
            .filter(|slice| !slice.is_empty());
        slices.iter_mut().zip(waiting).map(|(slot, slice)| *slot = slice).count()
    }

    /// Records that the first `octets` octets were sent.
    pub fn sent(&mut self, mut octets: usize) {
        if self.shared.is_empty() {
            self.sent = self.text.len().min(self.sent.saturating_add(octets));
            return self.tidy();
        }
        while let Some(shared) = self.shared.front_mut() {
            let text = octets.min(shared.position.saturating_sub(self.sent));
            self.sent += text;
            octets -= text;
            if self.sent < shared.position {
                break;
            }
            let sent = octets.min(shared.octets.len());
            octets -= sent;
            self.shared_octets -= sent;
            if sent < shared.octets.len() {
                shared.octets.advance(sent);
                break;
            }
            self.shared.pop_front();
        }
        self.sent = self.text.len().min(self.sent.saturating_add(octets));
        self.tidy();
    }

    /// Discards everything that waits.
    pub fn clear(&mut self) {
        self.shared.clear();
        self.shared_octets = 0;
        self.sent = self.text.len();
        self.tidy();
    }

    /// Frees the memory if nothing waits.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn wipe(&mut self) {
        self.text.clear();
        self.text.resize(self.text.capacity(), 0);
        // A write that the optimiser must assume to be read.
        core::hint::black_box(self.text.as_mut_slice());
        self.has_secret = false;
    }

    /// Keeps the memory in bounds.
    fn tidy(&mut self) {
        if self.is_empty() {
            if self.has_secret {
                self.wipe();
            }
            self.sent = 0;
            self.text.clear();
            if self.text.capacity() > KEPT_TEXT {
                self.text = Vec::new();
            }
            if self.shared.capacity() > KEPT_TEXT / mem::size_of::<Shared>() {
                self.shared = VecDeque::new();
            }
        } else if self.sent >= WORTH_MOVING.max(self.text.len() / 2) {
            // What was sent is at least as much as what moves.
            self.text.drain(..self.sent);
            for shared in &mut self.shared {
                shared.position -= self.sent;
            }
            self.sent = 0;
        }
    }
}

/// Leaves the octets out: they may be credentials.
impl fmt::Debug for ReceiveBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (octets, capacity) = (self.len(), self.capacity);
        f.debug_struct("ReceiveBuffer")
            .field("octets", &octets)
            .field("capacity", &capacity)
            .finish_non_exhaustive()
    }
}

/// Leaves the octets out: they may be credentials.
impl fmt::Debug for SendBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuffer").field("octets", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn receive(buffer: &mut ReceiveBuffer, octets: &[u8]) {
        buffer.room()[..octets.len()].copy_from_slice(octets);
        buffer.received(octets.len());
    }

    fn append(buffer: &mut ReceiveBuffer, octets: &[u8]) {
        assert_eq!(buffer.append(octets), octets.len());
    }

    /// The two ways in which octets come into a buffer.
    const WAYS: [fn(&mut ReceiveBuffer, &[u8]); 2] = [receive, append];

    #[test]
    fn the_memory_of_a_secret_does_not_grow_and_is_wiped_when_it_was_sent() {
        let mut buffer = SendBuffer::default();
        buffer.text().extend_from_slice(b"NOOP\r\n");
        buffer.expect_secret(3000);
        let memory = buffer.text().as_ptr();
        for _ in 0..3000 {
            buffer.text().push(b'x');
        }
        assert_eq!(buffer.text().as_ptr(), memory, "it has not grown");
        buffer.text().extend_from_slice(&[b'.'; 5000]);
        buffer.sent(5000);
        assert!(buffer.len() == 3006 && buffer.has_secret);
        buffer.sent(3006);
        assert!(buffer.is_empty() && !buffer.has_secret && buffer.text.is_empty());
        buffer.text().push(b'.');
        assert_eq!(buffer.slices(&mut [&[]]), 1);
    }

    /// Moves octets about while they wait.
    #[test]
    fn what_is_wiped_is_nowhere_in_memory() {
        for (front, come) in [0, 1, 3000, 4090].into_iter().flat_map(|it| WAYS.map(|way| (it, way)))
        {
            for back in [0, 1, 10] {
                let mut buffer = ReceiveBuffer::new(9000);
                come(&mut buffer, &vec![b'.'; front]);
                for octet in 0..1500 {
                    if octet == 3 {
                        buffer.consume(front);
                    }
                    come(&mut buffer, b"x");
                }
                come(&mut buffer, &vec![b'.'; back]);
                assert_eq!(buffer.octets().iter().filter(|octet| **octet == b'x').count(), 1500);
                buffer.wipe(1500);
                assert_eq!(buffer.octets(), vec![b'.'; back]);
                assert!(!buffer.memory.contains(&b'x'), "{front} {back}");
            }
        }
    }

    #[test]
    fn there_is_room_until_the_capacity_is_held() {
        for capacity in [1, 2, 3, 100, 5000, 20_000] {
            let mut buffer = ReceiveBuffer::new(capacity);
            let mut held = vec![];
            for octet in (0..=255).cycle() {
                assert_eq!(buffer.is_full(), held.len() == capacity);
                assert_eq!(buffer.room().is_empty(), buffer.is_full(), "{}", held.len());
                if buffer.is_full() {
                    break;
                }
                receive(&mut buffer, &[octet]);
                held.push(octet);
                if octet % 3 == 0 && held.len() < capacity {
                    buffer.consume(1);
                    held.remove(0);
                }
                assert_eq!(buffer.octets(), held);
            }
            buffer.consume(1);
            assert_eq!(buffer.room().len(), 1);
        }
    }

    #[test]
    fn octets_that_are_appended_stand_as_if_they_were_read() {
        for (capacity, piece) in [(1, 1), (9, 4), (9000, 700), (9000, 9000), (200_000, 8192)] {
            let (mut read, mut appended) =
                (ReceiveBuffer::new(capacity), ReceiveBuffer::new(capacity));
            for round in 0..200_usize {
                let octets: Vec<u8> = (0..piece).map(|it| (it + round) as u8).collect();
                let room = read.room();
                let there = room.len().min(octets.len());
                room[..there].copy_from_slice(&octets[..there]);
                read.received(there);
                // Some of it is read into the room, too, in memory that was not initialised.
                if round % 7 == 6 {
                    receive(&mut appended, &octets[..there]);
                } else {
                    assert_eq!(appended.append(&octets), there);
                }
                assert_eq!(read.octets(), appended.octets());
                assert_eq!((read.size(), read.next), (appended.size(), appended.next));
                if round % 5 == 0 {
                    assert_eq!(read.take(piece / 2), appended.take(piece / 2));
                } else {
                    read.consume(piece);
                    appended.consume(piece);
                }
            }
        }
    }

    #[test]
    fn memory_that_is_taken_out_has_its_whole_length() {
        for come in WAYS {
            let mut buffer = ReceiveBuffer::new(9000);
            come(&mut buffer, b"NOOP\r\n");
            assert_eq!(buffer.reclaim(), None, "there are octets in it");
            buffer.consume(6);
            let memory = buffer.reclaim().unwrap();
            assert_eq!(memory.len(), FIRST_ALLOCATION as usize);
            assert_eq!(buffer.lend(memory), None);
            come(&mut buffer, b"QUIT\r\n");
            assert_eq!((buffer.octets(), buffer.memory.len()), (&b"QUIT\r\n"[..], 8192));
        }
    }

    #[test]
    fn what_was_consumed_makes_room() {
        let mut buffer = ReceiveBuffer::new(8);
        receive(&mut buffer, b"abcdefgh");
        buffer.consume(6);
        assert_eq!(buffer.room().len(), 6);
        receive(&mut buffer, b"ij");
        assert_eq!(buffer.octets(), b"ghij");
        buffer.consume(99);
        assert!(buffer.is_empty());
        assert_eq!(buffer.room().len(), 8);
    }

    #[test]
    fn more_than_there_is_room_for_was_not_received() {
        let mut buffer = ReceiveBuffer::new(8);
        buffer.received(3);
        assert!(buffer.is_empty());
        buffer.room();
        buffer.received(usize::MAX);
        assert_eq!(buffer.octets(), [0; 8]);
    }

    #[test]
    fn a_buffer_that_is_read_full_grows_to_its_capacity() {
        let mut buffer = ReceiveBuffer::new(200_000);
        let mut sizes = vec![];
        for _ in 0..4 {
            let room = buffer.room().len();
            sizes.push(room);
            buffer.received(room);
            buffer.consume(room);
        }
        assert_eq!(sizes, [8192, 65_536, 200_000, 200_000]);
        for size in [100_000, 50_000, 25_000, 12_500, 8192, 8192] {
            buffer.release();
            assert_eq!(buffer.room().len(), size);
        }
    }

    #[test]
    fn octets_that_are_there_are_not_released() {
        let mut buffer = ReceiveBuffer::new(8);
        receive(&mut buffer, b"ab");
        buffer.release();
        assert_eq!(buffer.octets(), b"ab");
        buffer.consume(2);
        buffer.release();
        assert_eq!(buffer.memory.capacity(), 0);
    }

    #[test]
    fn what_is_taken_is_not_copied_and_not_overwritten() {
        let mut buffer = ReceiveBuffer::new(16);
        receive(&mut buffer, b"-abcdefghi");
        buffer.consume(1);
        let there = buffer.octets().as_ptr();
        let taken = buffer.take(4);
        assert_eq!(taken.as_ptr(), there);
        assert_eq!(buffer.octets(), b"efghi");
        receive(&mut buffer, b"jklmno");
        let rest = buffer.take(99);
        assert!(buffer.is_empty());
        receive(&mut buffer, b"pqrstuvwxyzpqrst");
        assert!(buffer.is_full());
        assert_eq!((&taken[..], &rest[..]), (&b"abcd"[..], &b"efghijklmno"[..]));
    }

    #[test]
    fn a_few_octets_do_not_hold_an_allocation() {
        let mut buffer = ReceiveBuffer::new(4096);
        receive(&mut buffer, b"ab");
        let there = buffer.octets().as_ptr();
        let taken = buffer.take(1);
        assert_eq!(taken, "a");
        assert_ne!(taken.as_ptr(), there);
        assert_eq!(buffer.octets(), b"b");
    }

    fn waiting(buffer: &SendBuffer) -> Vec<u8> {
        let mut slices: [&[u8]; 9] = [&[]; 9];
        let count = buffer.slices(&mut slices);
        assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
        assert!(slices[count..].iter().all(|slice| slice.is_empty()));
        let all = slices.concat();
        assert_eq!(all.len(), buffer.len());
        all
    }

    #[test]
    fn text_and_shared_slices_keep_their_order_however_they_are_sent() {
        for step in [1, 2, 3, 700, 1500, 9000] {
            let mut buffer = SendBuffer::default();
            buffer.push(Bytes::from(vec![b'1'; 2000]));
            buffer.text().extend_from_slice(b"abc");
            buffer.push(Bytes::from_static(b"few"));
            buffer.push(Bytes::from(vec![b'2'; 2000]));
            buffer.push(Bytes::from(vec![b'3'; 2000]));
            buffer.text().extend_from_slice(b"defg");
            let expected =
                [&[b'1'; 2000][..], b"abcfew", &[b'2'; 2000], &[b'3'; 2000], b"defg"].concat();
            for at in (0..expected.len()).step_by(step) {
                assert_eq!(waiting(&buffer), expected[at..]);
                buffer.sent(step);
            }
            assert!(buffer.is_empty());
            assert!(waiting(&buffer).is_empty());
            buffer.text().extend_from_slice(b"more");
            assert_eq!(waiting(&buffer), b"more");
        }
    }

    #[test]
    fn only_as_many_slices_are_lent_as_there_is_room_for() {
        let mut buffer = SendBuffer::default();
        buffer.push(Bytes::from(vec![b'1'; 2000]));
        buffer.text().extend_from_slice(b"abc");
        assert_eq!(buffer.slices(&mut []), 0);
        let mut one: [&[u8]; 1] = [&[]];
        assert_eq!(buffer.slices(&mut one), 1);
        assert_eq!(one[0].len(), 2000);
    }

    #[test]
    fn memory_is_reused_and_a_large_one_is_given_back() {
        let mut buffer = SendBuffer::default();
        buffer.text().extend_from_slice(&[b'a'; 1000]);
        buffer.sent(1000);
        assert!(buffer.text.capacity() >= 1000);
        buffer.text().extend_from_slice(&[b'a'; KEPT_TEXT + 1]);
        buffer.sent(usize::MAX);
        assert_eq!(buffer.text.capacity(), 0);
        buffer.text().push(b'a');
        buffer.release();
        assert_eq!(buffer.len(), 1);
        buffer.clear();
        buffer.release();
        assert_eq!(buffer.text.capacity(), 0);
    }

    #[test]
    fn memory_of_four_tls_records_is_reused() {
        let mut buffer = SendBuffer::default();
        for _ in 0..4 {
            buffer.text().extend_from_slice(&[b'a'; 5 + (1 << 14) + 1 + 16]);
        }
        let memory = buffer.text().as_ptr();
        buffer.sent(usize::MAX);
        buffer.text().push(b'a');
        assert_eq!(buffer.text().as_ptr(), memory);
    }

    #[test]
    fn a_buffer_that_is_never_empty_does_not_grow_for_ever() {
        let mut buffer = SendBuffer::default();
        buffer.text().push(b'a');
        for round in 0..100 {
            if round % 10 == 0 {
                buffer.push(Bytes::from(vec![b'b'; 2000]));
            }
            buffer.text().extend_from_slice(&[b'a'; 3000]);
            buffer.sent(buffer.len() - 1);
        }
        assert_eq!(waiting(&buffer), b"a");
        assert!(buffer.text.capacity() <= 16_384, "{}", buffer.text.capacity());
    }
}
