//! A guide: one page a task, each with code to copy.
//!
//! | to do | page |
//! |---|---|
//! | receive mail | [`receiving`] |
//! | log users in, or log in | [`auth`] |
//! | protect sessions, and know how they are protected | [`tls`] |
//! | look things up, greylist, limit rates and sizes | [`policies`] |
//! | serve or use submission and LMTP | [`services`] |
//! | send to many hosts, recipients or messages, and try again | [`sending`] |
//! | know and set every limit and time-out | [`limits`] |
//! | log, trace and count | [`observing`] |
//! | end a server or a session in order | [`shutting_down`] |
//! | test what you have written | [`testing`] |
//! | run a machine without an adapter | [`driving`] |
//! | see which service extensions there are | [`extensions`] |
//! | understand an error | [`troubleshooting`] |
//! | know the promises against attacks, and your own tasks | [`security`] |
//! | see the changes of each version | [`changelog`] |
//!
//! The code needs the features `tokio`, `ring`, `scram`, `getrandom`, `tracing` and `testing` where it says so by its
//! imports. It imports types and functions (`use esmtp::io::tokio::serve`), and never the module `esmtp::io::tokio`,
//! which would hide the crate `tokio`.

macro_rules! pages {
    ($($(#[doc = $lead:literal])? $name:ident $file:literal)*) => {$(
        $(#[doc = $lead]
        #[doc = ""])?
        #[doc = include_str!($file)]
        pub mod $name {}
    )*};
}

pages! {
    receiving "receiving.md"
    auth "auth.md"
    tls "tls.md"
    policies "policies.md"
    services "services.md"
    sending "sending.md"
    limits "limits.md"
    observing "observing.md"
    shutting_down "shutting_down.md"
    testing "testing.md"
    driving "driving.md"
    extensions "extensions.md"
    troubleshooting "troubleshooting.md"
    /// The promises against attacks, with the tests that show them, and the tasks left to the application.
    security "../../SECURITY.md"
    /// The changes of each version.
    changelog "../../CHANGELOG.md"
}
