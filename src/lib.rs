// The links of the README lead to pages here: of two definitions of a link, the first counts.
#![cfg_attr(
    all(
        doc,
        feature = "tokio",
        feature = "ring",
        feature = "scram",
        feature = "getrandom",
        feature = "testing",
        feature = "tracing"
    ),
    doc = "
[guide]: crate::guide
[changelog]: crate::guide::changelog
[security]: crate::guide::security
"
)]
#![doc = "
[guide]: https://docs.rs/esmtp/latest/esmtp/guide/index.html
[changelog]: https://docs.rs/esmtp/latest/esmtp/guide/changelog/index.html
[security]: https://docs.rs/esmtp/latest/esmtp/guide/security/index.html
"]
// The programs of the README need these features; its text is the page of the crate with any.
#![cfg_attr(
    any(
        not(doctest),
        all(feature = "tokio", feature = "ring", feature = "getrandom", feature = "webpki-roots")
    ),
    doc = include_str!("../README.md")
)]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod channel;
pub mod client;
pub mod envelope;
// Its links and its code need these features, which the documentation is built with.
#[cfg(all(
    doc,
    feature = "tokio",
    feature = "ring",
    feature = "scram",
    feature = "getrandom",
    feature = "testing",
    feature = "tracing"
))]
#[cfg_attr(docsrs, doc(auto_cfg = false))] // pages of text, and not items that need a feature
pub mod guide;
#[cfg(feature = "std")]
pub mod io;
pub mod machine;
mod mechanism;
pub mod proxy;
mod redaction;
pub mod sasl;
pub mod security;
pub mod server;
pub mod service;
pub mod syntax;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
#[cfg(feature = "rustls")]
pub mod tls;
pub mod trace;
pub mod transcript;
pub mod wire;

pub use client::{Client, Report};
pub use envelope::Envelope;
pub use machine::{Machine, Need};
pub use security::Security;
pub use server::Server;
pub use service::Service;
pub use time::Instant;
pub use transcript::Transcript;
