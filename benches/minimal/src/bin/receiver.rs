//! The least that receives mail: a thread a connection; what arrives is counted.

use esmtp::{
    io::{SessionError, blocking::Connection},
    server::{Config, Event},
};
use std::{
    error::Error,
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

fn main() -> Result<(), Box<dyn Error>> {
    let config = Arc::new(Config::new("mx.example.net")?);
    for stream in TcpListener::bind("127.0.0.1:2525")?.incoming() {
        let (stream, config) = (stream?, Arc::clone(&config));
        thread::spawn(move || serve(stream, config));
    }
    Ok(())
}

fn serve(stream: TcpStream, config: Arc<Config>) -> Result<(), SessionError> {
    let mut session = Connection::accept(stream, config)?;
    let mut octets = 0;
    while let Some(event) = session.next()? {
        match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => octets += content.take().len(),
            Event::Deliver(delivery) => {
                println!("{octets}");
                delivery.accept();
            }
            other => other.proceed(),
        }
    }
    Ok(())
}
