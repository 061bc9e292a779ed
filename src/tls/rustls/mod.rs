//! Everything that names a type of rustls.
//!
//! The rest of [`tls`](super) does not, so that another version of it, or another library, is one module
//! more. An application that configures rustls itself passes its configuration by `From`:
//!
//! ```
//! use esmtp::tls::{ClientTls, ServerTls};
//! use std::sync::Arc;
//!
//! fn client(config: Arc<rustls::ClientConfig>) -> ClientTls {
//!     config.into()
//! }
//!
//! fn server(config: Arc<rustls::ServerConfig>) -> ServerTls {
//!     config.into()
//! }
//! ```
//!
//! Enable no early data (0-RTT) in it: an attacker can replay it, and this crate discards it.

pub(super) mod client;
pub(super) mod engine;
mod names;
mod pem;
mod provider;
pub(super) mod role;
pub(super) mod server;
mod verifier;

pub use provider::Provider;
