//! A tokio session waits without memory to read into, and gets it without an allocation.

use allocation_counter::measure;
use esmtp::{
    io::tokio::Connection,
    server::{Config, Limits},
};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// Returns how many octets are allocated in a session in which the server waits this many times.
fn allocated(waits: usize) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = listener.accept().unwrap().0;
    let talking = thread::spawn(move || {
        let mut peer = BufReader::new(peer);
        let mut line = String::new();
        peer.read_line(&mut line).unwrap();
        for _ in 0..waits {
            peer.get_mut().write_all(b"NOOP\r\n").unwrap();
            peer.read_line(&mut line).unwrap();
        }
        peer.get_mut().write_all(b"QUIT\r\n").unwrap();
        while peer.read_line(&mut line).unwrap() > 0 {}
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limits = Limits::default().with_idle_commands(1000);
    let config = Config::new("mx.example.org").unwrap().with_limits(limits);
    let counted = measure(|| {
        runtime.block_on(async {
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let mut session = Connection::accept(stream, Arc::new(config)).unwrap();
            while let Some(event) = session.next().await.unwrap() {
                event.proceed();
            }
        });
    });
    talking.join().unwrap();
    counted.bytes_total
}

#[test]
fn a_session_that_waits_again_and_again_does_not_allocate_memory_to_read_into_each_time() {
    let _ = allocated(1); // what is made once in a thread
    let (few, many) = (allocated(10), allocated(90));
    // A reply needs some memory; a receive buffer has 8 KiB at least.
    assert!(many < few + 80 * 1024, "{few} and {many} octets");
}
