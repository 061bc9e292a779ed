//! Adapters: a machine on a stream. Only this folder has sockets and clocks.
//!
//! Each adapter is one loop over [`Machine`], for the server, the client and any layer around them
//! alike. Their `next()` drives the machine until it asks a question, moves the octets that it
//! needs, and keeps its deadlines. [`blocking`] waits in a thread, `tokio` in a task, and
//! [`nonblocking`] returns what it waits for to an event loop of the application's own.
//!
//! - A failed read or write does not end the session at once: the machine is notified, `next()`
//!   returns the remaining events (replies that were read before, the report of a transaction), and
//!   only then the error, once. After that, as after an orderly end, it returns `None`.
//! - Where the machine could read as well as write, input is read before more is written: a
//!   rejection stops the content that it concerns.
//! - When the machine is done, the writing direction of the stream is shut down first, and then the
//!   peer's remaining octets are read and discarded, for at most [`LINGER_TIME`] and
//!   [`LINGER_OCTETS`]: closing a socket with unread octets resets the connection, and that may
//!   destroy the last reply on its way.

pub mod blocking;
mod layer;
pub mod nonblocking;
