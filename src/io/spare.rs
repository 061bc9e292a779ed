//! Memory to read into, lent to the sessions of a thread in turn, on tokio and on non-blocking streams: a
//! session that waits holds none, and none is allocated or zeroed at each wait.

use crate::machine::Machine;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::cell::RefCell;

/// The sizes of memory that are kept, smallest first: those that a receive buffer grows through.
const SIZES: [usize; 4] = [8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// The number of pieces of each size that a thread keeps: about as many sessions as read at a time.
const KEPT: usize = 8;

std::thread_local! {
    static SPARE: RefCell<[Vec<BytesMut>; SIZES.len()]> = const { RefCell::new([const { Vec::new() }; SIZES.len()]) };
}

/// Lends memory to a machine that has none, as much as it takes: a TLS layer reads into one and decrypts into
/// another. Where the thread keeps no such memory, the machine allocates.
pub(super) fn lend<M: Machine>(machine: &mut M) {
    while has_lent(machine) {}
}

/// Lends the smallest memory that suits the machine; returns whether it took one.
fn has_lent<M: Machine>(machine: &mut M) -> bool {
    for class in 0..SIZES.len() {
        let Some(memory) = take(class) else { continue };
        match machine.lend_buffer(memory) {
            None => return true,
            Some(memory) => keep(memory),
        }
    }
    false
}

/// Takes all memory of a machine that waits; returns whether it had some to spare.
pub(super) fn reclaim<M: Machine>(machine: &mut M) -> bool {
    let mut has_some = false;
    while let Some(memory) = machine.reclaim_buffer() {
        keep(memory);
        has_some = true;
    }
    has_some
}

fn take(class: usize) -> Option<BytesMut> {
    SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.get_mut(class)?.pop()).ok().flatten()
}

fn keep(memory: BytesMut) {
    // Memory of another size shares its allocation with octets that were taken from it.
    let Some(class) = SIZES.iter().position(|size| *size == memory.len()) else { return };
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut()
            && let Some(kept) = spare.get_mut(class).filter(|kept| kept.len() < KEPT)
        {
            kept.push(memory);
        }
    });
}
