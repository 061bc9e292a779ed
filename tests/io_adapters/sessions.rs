//! Sessions that a function can name: no type parameter tells the stream or the TLS library.

use esmtp::{
    client::{self, Client},
    envelope::Envelope,
    io::{
        Layer,
        blocking::{self, Stream},
        tokio::{ClientSession, Connection, ServerSession, Socket},
    },
    security::Security,
    server::{Config, Event, Peer, Server},
};
use std::{io, sync::Arc, thread, time::Duration};
use tokio::io::duplex;

fn server() -> Layer<Server> {
    let config = Config::new("mx.example.org").unwrap();
    Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR).into()
}

fn client() -> Layer<Client> {
    Client::new(client::Config::new("me.example.org").unwrap(), Security::CLEAR).into()
}

async fn receive(mut session: ServerSession) -> io::Result<u64> {
    let mut messages = 0;
    while let Some(event) = session.next().await? {
        match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => assert!(!content.take().is_empty()),
            Event::Deliver(delivery) => {
                messages += 1;
                delivery.accept();
            }
            other => other.proceed(),
        }
        // A borrow of the session is held across an await.
        let server = session.server();
        tokio::task::yield_now().await;
        let _ = server.end();
    }
    Ok(messages)
}

async fn send(mut session: ClientSession) -> io::Result<()> {
    let envelope = Envelope::new("ann@example.org", &["bob@example.net"]).unwrap();
    let report = session.send(envelope, b"Subject: hello\r\n\r\nhello\r\n").await?;
    assert!(report.is_delivered_to_all());
    assert!(!session.client().security().is_tls());
    session.quit().await
}

#[tokio::test]
async fn functions_that_name_their_session_can_be_spawned_over_any_stream() {
    let (near, far) = duplex(4096);
    let boxed = (Socket::boxed(near), Socket::boxed(far));
    #[cfg(unix)]
    let others = {
        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        [boxed, (Socket::from(near), Socket::from(far))]
    };
    #[cfg(not(unix))]
    let others = [boxed];
    for (near, far) in others {
        let receiving = tokio::spawn(receive(Connection::new(server(), near)));
        tokio::spawn(send(Connection::new(client(), far))).await.unwrap().unwrap();
        assert_eq!(receiving.await.unwrap().unwrap(), 1);
    }
}

#[tokio::test]
async fn a_socket_knows_the_addresses_of_its_stream() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = Socket::from(tokio::net::TcpStream::connect(address).await.unwrap());
    assert_eq!(socket.peer(), Some(address));
    assert!(socket.local().is_some_and(|local| local.ip() == address.ip()));

    let (near, _far) = duplex(64);
    assert_eq!(Socket::boxed(near).peer(), None);
    let (near, _far) = duplex(64);
    assert_eq!(Socket::boxed(near).with_peer(address).peer(), Some(address));
}

#[test]
fn blocking_functions_that_name_their_session_run_over_tcp_and_boxed_streams() {
    fn send(mut session: blocking::ClientSession) -> io::Result<()> {
        let envelope = Envelope::new("ann@example.org", &["bob@example.net"]).unwrap();
        let report = session.send(envelope, b"Subject: hello\r\n\r\nhello\r\n")?;
        assert!(report.is_delivered_to_all());
        assert!(!session.client().security().is_tls());
        session.quit()
    }
    fn receive(mut session: blocking::ServerSession) -> io::Result<bool> {
        while let Some(event) = session.next()? {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Content(content) => assert!(!content.take().is_empty()),
                Event::Deliver(delivery) => delivery.accept(),
                other => other.proceed(),
            }
        }
        Ok(session.server().end().is_some())
    }
    for is_boxed in [false, true] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = listener.accept().unwrap().0;
        let socket = |stream: std::net::TcpStream| match is_boxed {
            true => blocking::Socket::boxed(stream),
            false => blocking::Socket::from(stream),
        };
        let (mut near, far) = (socket(near), socket(far));
        near.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let receiving =
            thread::spawn(move || receive(blocking::Connection::new(server(), near)).unwrap());
        send(blocking::Connection::new(client(), far)).unwrap();
        assert!(receiving.join().unwrap());
    }
}
