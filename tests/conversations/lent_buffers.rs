//! Memory that a driver lends to a machine, and output that it owns.

use bytes::{Bytes, BytesMut};
use esmtp::{
    client::{self, Client},
    machine::{Closed, Machine, Need},
    security::Security,
    server::{Config, Event, Peer, Server},
    time::Instant,
};
use std::sync::Arc;

/// A machine with the required methods only: it echoes what it receives.
#[derive(Default)]
struct Echo {
    input: [u8; 8],
    output: Vec<u8>,
    is_released: bool,
}

impl Machine for Echo {
    type Event<'m> = ();

    fn poll(&mut self, _: Instant) -> Need {
        Need::Read(Instant::NEVER)
    }

    fn event(&mut self) -> Option<()> {
        None
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        &mut self.input
    }

    fn received(&mut self, octets: usize) {
        self.output.extend_from_slice(&self.input[..octets]);
    }

    fn release(&mut self) {
        self.is_released = true;
    }

    fn closed(&mut self, _: Closed) {}

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        let middle = self.output.len() / 2;
        slices[0] = &self.output[..middle];
        slices[1] = &self.output[middle..];
        2
    }

    fn sent(&mut self, octets: usize) {
        self.output.drain(..octets);
    }

    fn unsendable(&mut self) {}
}

#[test]
fn every_machine_has_owned_output_and_returns_memory_that_it_cannot_use() {
    let mut machine = Echo::default();
    assert_eq!(machine.lend_buffer(BytesMut::zeroed(8)).unwrap().len(), 8);
    assert_eq!(machine.feed(b"NOOP\r\n"), 6);
    assert_eq!(machine.output(usize::MAX), "NOOP\r\n");
    assert_eq!(machine.output(4), "NOOP");
    assert_eq!(machine.output(2), "NO");
    assert_eq!(machine.output(0), "");
    machine.sent(4);
    assert_eq!(machine.output(usize::MAX), "\r\n");
    assert!(machine.reclaim_buffer().is_none() && machine.is_released);
}

fn server() -> Server {
    let config = Arc::new(Config::new("mx.example.org").unwrap());
    let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
    let _ = server.poll(Instant::ORIGIN);
    server.event().into_iter().for_each(Event::proceed);
    let _ = server.poll(Instant::ORIGIN);
    server
}

fn client() -> Client {
    let config = client::Config::new("client.example.net").unwrap();
    let mut client = Client::new(config, Security::CLEAR);
    let _ = client.poll(Instant::ORIGIN);
    client
}

/// Lends memory, has `octets` read into it, and returns whether the memory comes back.
fn has_used(machine: &mut impl Machine, octets: &[u8]) -> bool {
    let memory = BytesMut::zeroed(8192);
    let lent = memory.as_ptr();
    assert!(machine.lend_buffer(memory).is_none());
    assert_eq!((machine.receive_buffer().as_ptr(), machine.receive_buffer().len()), (lent, 8192));
    assert_eq!(machine.feed(&octets[..2]), 2);
    let _ = machine.poll(Instant::ORIGIN);
    assert!(machine.reclaim_buffer().is_none(), "half a line is in it");
    assert!(machine.lend_buffer(BytesMut::zeroed(8192)).is_some(), "half a line is in it");
    assert_eq!(machine.feed(&octets[2..]), octets.len() - 2);
    let _ = machine.poll(Instant::ORIGIN);
    machine.reclaim_buffer().is_some_and(|memory| memory.as_ptr() == lent && memory.len() == 8192)
}

#[test]
fn a_server_reads_into_lent_memory_and_returns_it() {
    let mut server = server();
    let greeting = server.output(usize::MAX);
    assert_eq!(greeting, "220 mx.example.org ESMTP service ready\r\n");
    server.sent(greeting.len());
    assert!(has_used(&mut server, b"NOOP\r\n"));
    assert!(server.output(usize::MAX).starts_with(b"250 "));
    assert_eq!(server.output(3), Bytes::from_static(b"250"));
    assert!(server.reclaim_buffer().is_none(), "an idle session has no memory");
}

#[test]
fn a_client_reads_into_lent_memory_and_returns_it() {
    let mut client = client();
    assert!(has_used(&mut client, b"220 mx.example.org\r\n"));
    assert_eq!(client.output(usize::MAX), "EHLO client.example.net\r\n");
}

#[test]
fn memory_that_is_too_small_or_too_large_comes_back() {
    for length in [0, 1, 1 << 30] {
        // Zeroed memory of this size is not touched, and so costs nothing.
        assert_eq!(server().lend_buffer(BytesMut::zeroed(length)).unwrap().len(), length);
        assert_eq!(client().lend_buffer(BytesMut::zeroed(length)).unwrap().len(), length);
    }
}
