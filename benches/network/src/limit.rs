//! The least that a receiver on tokio can do: it looks at verbs and at the end of content, and checks neither
//! addresses nor line ends nor deadlines.

use crate::receivers::{listen, runtime};
use memchr::{memchr, memmem};
use std::{
    cell::RefCell,
    error::Error,
    io::{self, ErrorKind},
};
use tokio::net::TcpStream;

const END: &[u8] = b"\r\n.\r\n";

thread_local! {
    /// One buffer for all connections: one that waits holds no memory.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 65536]);
}

#[derive(Default)]
struct Session {
    is_content: bool,
    is_over: bool,
    /// The last octets of content.
    tail: [u8; 5],
    /// The beginning of a line.
    line: Vec<u8>,
}

impl Session {
    fn feed(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while !octets.is_empty() {
            if self.is_content {
                let Some(end) = self.end_of_content(octets) else { return };
                octets = &octets[end..];
                self.is_content = false;
                out.extend_from_slice(b"250 2.0.0 Ok\r\n");
                continue;
            }
            let Some(end) = memchr(b'\n', octets) else {
                self.line.extend_from_slice(octets);
                return;
            };
            let (line, rest) = octets.split_at(end + 1);
            octets = rest;
            if self.line.is_empty() {
                self.command(line, out);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.command(&whole, out);
            }
        }
    }

    fn end_of_content(&mut self, octets: &[u8]) -> Option<usize> {
        // The end may begin in what came before.
        let few = octets.len().min(4);
        let mut seam = [0; 9];
        seam[..5].copy_from_slice(&self.tail);
        seam[5..5 + few].copy_from_slice(&octets[..few]);
        let end = match memmem::find(&seam[..5 + few], END) {
            Some(at) if at > 0 => Some(at),
            _ => memmem::find(octets, END).map(|at| at + END.len()),
        };
        if end.is_none() {
            let kept = octets.len().min(5);
            self.tail.rotate_left(kept);
            self.tail[5 - kept..].copy_from_slice(&octets[octets.len() - kept..]);
        }
        end
    }

    fn command(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let mut verb = [0; 4];
        verb.iter_mut().zip(line).for_each(|(into, octet)| *into = octet.to_ascii_uppercase());
        let reply: &[u8] = match &verb {
            b"EHLO" => b"250-limit\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n",
            b"DATA" => {
                self.is_content = true;
                self.tail = *b"...\r\n";
                b"354 go\r\n"
            }
            b"QUIT" => {
                self.is_over = true;
                b"221 bye\r\n"
            }
            b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" | b"HELO" => b"250 2.0.0 Ok\r\n",
            _ => b"500 what\r\n",
        };
        out.extend_from_slice(reply);
    }
}

async fn write(stream: &TcpStream, mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        match stream.try_write(octets) {
            Ok(written) => octets = &octets[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut session = Session::default();
    write(&stream, b"220 limit ESMTP\r\n").await?;
    while !session.is_over {
        let read = BUFFER.with_borrow_mut(|buffer| {
            let octets = stream.try_read(buffer)?;
            let mut out = Vec::new();
            session.feed(&buffer[..octets], &mut out);
            Ok((octets, out))
        });
        match read {
            Ok((0, _)) => return Ok(()),
            Ok((_, out)) => write(&stream, &out).await?,
            Err(error) if io::Error::kind(&error) == ErrorKind::WouldBlock => {
                stream.readable().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives on one thread.
pub fn receive(port: u16) -> Result<(), Box<dyn Error>> {
    runtime()?.block_on(async {
        let listener = listen(port)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream));
        }
    })
}
