//! Conversations of the server, by topic.

mod auth;
mod budgets;
mod chunking;
mod content;
mod deadlines;
mod extensions;
mod greeting;
mod limits;
mod lmtp;
mod pipelining;
mod shutdown;
mod submission;
mod tls;
mod transaction;
