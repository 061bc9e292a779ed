//! The core of `esmtp` in a library without the standard library.
#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use esmtp::{machine::Machine, server::Server};

struct NoMemory;

// SAFETY: no memory is ever handed out.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Names the machine, so that the crate is linked for certain.
pub fn feed(server: &mut Server, octets: &[u8]) -> usize {
    server.feed(octets)
}
