//! Sends through a SOCKS5 proxy, with the crate `fast-socks5`: `cargo run --all-features --example socks`.
//! Any other stream works as well: after HTTP CONNECT (RFC 9110 section 9.3.6), the TCP connection to that proxy. The reply
//! of such a proxy is read up to its empty line and no further, for the greeting may come with it.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // a program has std

use esmtp::{
    client::TlsPolicy,
    envelope::Envelope,
    io::tokio::{Connector, Socket},
    server::Config,
    testing::LoopbackServer,
};
use fast_socks5::client::Socks5Stream;
use fast_socks5::server::{DnsResolveHelper, Socks5ServerProtocol, run_tcp_proxy};
use std::{error::Error, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// Serves one client of a proxy, without authentication.
async fn serve_socks(stream: TcpStream) -> Result<(), fast_socks5::SocksError> {
    let protocol = Socks5ServerProtocol::accept_no_auth(stream).await?;
    let (protocol, _, target) = protocol.read_command().await?.resolve_dns().await?;
    run_tcp_proxy(protocol, &target, Duration::from_secs(10), true).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = LoopbackServer::new(Config::new("mx.example.net")?).start()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = listener.local_addr()?;
    let serving = tokio::spawn(async move { serve_socks(listener.accept().await?.0).await });

    // The proxy resolves the name of the server: that of an MX, in Tor an onion service.
    let (host, port) = ("127.0.0.1", server.address().port());
    let stream = Socks5Stream::connect(proxy, host.to_owned(), port, Default::default()).await?;
    // The connector has the name for TLS to verify, and everything else but the connection.
    let connector = Connector::new(host).with_tls_policy(TlsPolicy::Never);
    let mut session = connector.connect_over(Socket::boxed(stream)).await?;
    let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?;
    let report = session.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n").await?;
    for recipient in report.recipients() {
        println!("{} {}", recipient.path(), recipient.outcome());
    }
    session.quit().await?;
    drop(session);
    serving.await??;
    match server.stop().len() {
        1 => Ok(()),
        messages => Err(format!("{messages} messages").into()),
    }
}
