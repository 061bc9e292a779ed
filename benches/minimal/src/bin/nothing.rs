//! The size of `receiver` without the library: a thread a connection, and a line printed for each read.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

fn main() -> io::Result<()> {
    for stream in TcpListener::bind("127.0.0.1:2525")?.incoming() {
        let stream = stream?;
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut memory = [0; 4096];
    loop {
        let octets = stream.read(&mut memory)?;
        if octets == 0 {
            return Ok(());
        }
        println!("{octets}");
        stream.write_all(b"250 ok\r\n")?;
    }
}
