//! Conversations of the client, by topic.

mod auth;
mod begin;
mod chunking;
mod content;
mod driving;
mod greeting;
mod limits;
mod lmtp;
mod pipelining;
mod recipients;
mod replies;
mod submission;
mod tls;
mod transaction;
mod transcript;
