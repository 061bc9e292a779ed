//! Sends to the first host of a domain that takes the message, as a relay does with the hosts of MX records:
//! `cargo run --all-features --example mx_fallback`.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    client::{Report, TlsPolicy},
    envelope::Envelope,
    io::tokio::Connector,
    server::Config,
    testing::{At, Fault, Faults, LoopbackServer, RunningServer},
};
use std::{error::Error, io, net::TcpListener};

/// Sends a message; `hosts` are in the order of their preference (RFC 5321 section 5.1).
async fn deliver(
    hosts: &[String],
    mut envelope: Envelope,
    content: &[u8],
) -> Result<Report, Box<dyn Error>> {
    for host in hosts {
        let connector = Connector::new(host).with_tls_policy(TlsPolicy::Never);
        let mut session = match connector.connect().await {
            Ok(session) => session,
            Err(error) if error.try_next_host() => {
                println!("{error}");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match session.send(envelope, content).await {
            Ok(report) => {
                let _ = session.quit().await; // the report holds, whatever becomes of the session
                return Ok(report);
            }
            Err(error) if error.try_next_host() => {
                println!("{host}: {error}");
                envelope = error.into_envelope();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err("no host takes the message: a queue tries again later".into())
}

/// Starts a server with a fault.
fn start(at: At, fault: Fault) -> io::Result<RunningServer> {
    let config = Config::new("mx.example.net").map_err(io::Error::other)?;
    LoopbackServer::new(config).with_faults(Faults::default().with(at, fault)).start()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let down = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again
    let refusing = start(At::GREETING, Fault::reply("554 5.3.2 No service here"))?;
    let ending = start(At::command("MAIL"), Fault::reply_and_close("421 4.3.2 Shutting down"))?;
    let taking = LoopbackServer::new(Config::new("mx4.example.net")?).start()?;
    let hosts = [down, refusing.address(), ending.address(), taking.address()];
    let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
    let report = deliver(&hosts.map(|host| host.to_string()), envelope, b"Hello.\r\n").await?;
    println!("taken by host 4: {}", report.is_delivered_to_all());
    match taking.stop().len() {
        1 => Ok(()),
        messages => Err(format!("{messages} messages").into()),
    }
}
