//! Connectors of both adapters with servers that follow a script: each step can fail, and each failure
//! says why.

#![cfg(all(feature = "getrandom", feature = "ring", feature = "scram", feature = "tokio"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

mod script;
mod sessions;
mod steps;
mod trust;

/// Makes the connector of each adapter with these settings, and returns the outcome of its `verify`.
macro_rules! both {
    ($address:expr $(, $setting:ident($($argument:expr),*))*) => {{
        let blocking = esmtp::io::blocking::Connector::new($address)$(.$setting($($argument),*))*;
        let tokio = esmtp::io::tokio::Connector::new($address)$(.$setting($($argument),*))*;
        [blocking.verify(), crate::script::run(tokio.verify())]
    }};
}
pub(crate) use both;
