//! A receiver of mailin-embedded that discards what it accepts.

use mailin_embedded::{Handler, Server, SslConfig, err::Error};
use std::{hint::black_box, io};

#[derive(Clone)]
struct Discarding;

impl Handler for Discarding {
    fn data(&mut self, octets: &[u8]) -> io::Result<()> {
        black_box(octets);
        Ok(())
    }
}

/// Receives with a thread for each connection.
pub fn receive(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let failed = |error: Error| error.to_string();
    let mut server = Server::new(Discarding);
    server.with_name("mx.example.net").with_ssl(SslConfig::None).map_err(failed)?;
    server.with_addr(("127.0.0.1", port)).map_err(failed)?;
    server.with_num_threads(100);
    Ok(server.serve().map_err(failed)?)
}
