//! The streams of the blocking adapter.

use alloc::boxed::Box;
use core::time::Duration;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

/// A stream that a blocking [`Connection`](super::Connection) can run on.
///
/// A stream without time-outs (a pipe) may ignore them; deadlines then pass unnoticed until it
/// returns.
pub trait Stream: Read + Write {
    /// Sets the time after which a read fails with [`ErrorKind::WouldBlock`] or
    /// [`ErrorKind::TimedOut`]. `None` is no limit; zero does not occur.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets the time after which a write fails with [`ErrorKind::WouldBlock`] or
    /// [`ErrorKind::TimedOut`]. `None` is no limit; zero does not occur.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Reads octets that have arrived, and fails with [`ErrorKind::WouldBlock`] where there are
    /// none: so an adapter reads the peer's input before it writes more.
    ///
    /// A stream without such a read does not override it. Input is then read only when the stream
    /// takes no more octets.
    ///
    /// Those of the sockets make the socket non-blocking for the time of the call, which affects
    /// every other handle of it ([`TcpStream::try_clone`]).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldBlock`], or the error of the operating system.
    fn read_arrived(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let _ = into;
        Err(ErrorKind::WouldBlock.into())
    }

    /// Shuts down the writing direction; the stream can still be read.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

macro_rules! socket {
    ($socket:ty) => {
        impl Stream for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_write_timeout(self, timeout)
            }

            fn read_arrived(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.set_nonblocking(true)?;
                let read = self.read(into);
                self.set_nonblocking(false)?;
                read
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }
    };
}

/// A stream without octets.
impl Stream for io::Empty {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! pointer {
    ($pointer:ty) => {
        impl<S: Stream + ?Sized> Stream for $pointer {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_read_timeout(timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_write_timeout(timeout)
            }

            fn read_arrived(&mut self, into: &mut [u8]) -> io::Result<usize> {
                (**self).read_arrived(into)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                (**self).shutdown_write()
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);
pointer!(&mut S);
pointer!(Box<S>);
