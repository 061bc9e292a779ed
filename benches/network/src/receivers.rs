//! Receivers that discard what they accept.

use esmtp::{
    io::{SessionError, tokio::Connection},
    server::{Config, Event, Limits},
};
use std::{error::Error, hint::black_box, io, sync::Arc};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
};

/// Listens on loopback, with room for every connection of a load.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(4096)
}

pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn serve(stream: TcpStream, config: Arc<Config>) -> Result<(), SessionError> {
    let mut session = Connection::accept(stream, config)?;
    while let Some(event) = session.next().await? {
        match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => {
                let octets = black_box(content.octets()).len();
                content.consume(octets);
            }
            Event::Deliver(delivery) => delivery.accept(),
            other => other.proceed(),
        }
    }
    Ok(())
}

/// Receives with this library on one thread.
pub fn esmtp(port: u16) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default().with_message(1 << 30);
    let config = Arc::new(Config::new("mx.example.net")?.with_limits(limits));
    runtime()?.block_on(async {
        let listener = listen(port)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, Arc::clone(&config)));
        }
    })
}
