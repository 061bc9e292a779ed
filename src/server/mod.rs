//! The receiving side: a server that is driven with octets (sans I/O) and asks the application.
//!
//! The application answers [`Event`]s: it decides which client may send which message to which
//! recipient, and stores the messages. [`Server`] holds the rest of the protocol: framing, order of
//! commands, replies, limits, deadlines. An adapter puts it on a stream, [`io::tokio`] or [`io::blocking`],
//! and [`serve`] accepts connections; [`Machine`] tells how to drive it without either.
//!
// Of two definitions of a link, the first counts.
#![cfg_attr(feature = "std", doc = "[`io::blocking`]: crate::io::blocking")]
#![cfg_attr(feature = "tokio", doc = "[`io::tokio`]: crate::io::tokio")]
#![cfg_attr(feature = "tokio", doc = "[`serve`]: crate::io::tokio::serve")]
//! [`io::blocking`]: https://docs.rs/esmtp/latest/esmtp/io/blocking/index.html
//! [`io::tokio`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/index.html
//! [`serve`]: https://docs.rs/esmtp/latest/esmtp/io/tokio/fn.serve.html
//!
//! # A whole server
//!
//! Submission over STARTTLS, with logins against stored keys of SCRAM:
#![cfg_attr(
    all(feature = "tokio", feature = "rustls", feature = "scram", feature = "getrandom"),
    doc = r#"
```no_run
use esmtp::{
    io::{serving::Options, tokio::serve},
    sasl::{Offer, scram::{Hash, Keys}},
    server::{Config, Event, Limits, Message, Transaction},
    service::Service,
    syntax::Rejection,
    tls::ServerTls,
};
use std::{collections::HashMap, sync::Arc};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::new("mail.example.org")?
        .with_service(Service::Submission)                // AUTH before MAIL (RFC 6409)
        .with_auth(Offer::for_keys(Hash::Sha256))         // SCRAM, and in TLS PLAIN and LOGIN
        .with_limits(Limits::default().with_message(10 << 20));
    let tls = ServerTls::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
    let options = Options::new(config).with_start_tls(tls);
    let accounts: HashMap<String, Keys> = HashMap::new(); // from a database
    let listener = TcpListener::bind("0.0.0.0:587").await?;

    serve(listener, options, Arc::new(accounts), |mut session, accounts| async move {
        let mut message = Message::with_limit(10 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Credentials(asked) => asked.check_with(|user| accounts.get(user)),
                Event::Rcpt(rcpt) => rcpt.accept(),       // an authenticated client sends anywhere
                Event::Deliver(delivery) => match store(delivery.envelope(), message.octets()).await {
                    Ok(()) => delivery.accept(),
                    Err(_) => delivery.reject(Rejection::LOCAL_ERROR),
                },
                other => message.collect(other),          // content, and defaults for the rest
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}

async fn store(envelope: &Transaction, message: &[u8]) -> std::io::Result<()> {
    println!("{} octets from {}", message.len(), envelope.reverse_path());
    Ok(()) // once it is safe on disk
}
```
"#
)]
//!
//! [`Config::check`] finds mistakes before the first client comes; the adapters call it.
//!
//! # What each event means
//!
//! [`Event::proceed`] accepts questions that commit to nothing, and rejects the others, so that no
//! catch-all arm accepts a message that was not stored:
//!
//! | event: the client | the application may | `proceed()` |
//! |---|---|---|
//! | [`Connect`]: has connected | reject by address, set a [configuration](Connect::configure) | greets with 220 |
//! | [`Hello`]: sent EHLO, HELO or LHLO | reject by name, [prove](Hello::prove) an identity of the channel | 250 and the extensions |
//! | [`StartTls`]: sent STARTTLS | reject | 220 |
//! | [`Upgrade`]: waits for the handshake | leave it to the TLS layer, which answers it | ends the session: there is no layer |
//! | [`Auth`]: sent AUTH | choose the verifier, or give it a nonce | makes the verifier of the [offer](Config::with_auth) |
//! | [`Credentials`](CredentialsQuestion): claims to be a user | [check](CredentialsQuestion::check) against what is stored, or give a verdict | 535 5.7.8 |
//! | [`Authenticated`]: has proven its identity | decide whether the identity may act as another one | 235 if `Credentials` was answered positively and the identity acts as itself, otherwise 535 5.7.8 |
//! | [`Mail`]: sent MAIL | reject by reverse-path, identity, size | 250 |
//! | [`Rcpt`]: sent RCPT | accept known recipients | 550 5.7.1 |
//! | [`Data`]: sent DATA or the first BDAT; once a message | reject | 354, or nothing before BDAT |
//! | [`Content`]: sends octets | [take](Content::take) or [reject](Content::reject) them | 554 at the end of the message |
//! | [`Deliver`]: has sent the whole message | store it and accept; in LMTP [per recipient](Deliver::per_recipient) | 554 5.3.0 |
//! | [`Abort`]: reset, broke off or was refused after MAIL | drop what it keeps for the transaction | acknowledges |
//! | [`Verify`], [`Expand`]: sent VRFY, EXPN | name mailboxes | 252, 502 |
//! | [`Etrn`], [`Atrn`]: wants its mail | start the queue, reverse the roles | 458, 450 |
//! | [`Burl`]: names a URL for content | fetch it | 554 |
//! | [`Xclient`], [`Xforward`]: speaks for another client | trust it | 550 |
//! | [`Other`]: sent a [verb of the application's own](Config::with_verb) | answer | 502 |
//! | [`HandOver`]: continues with another protocol | take the channel over | closes |
//!
//! Each is a token with only its legal answers. `reject` takes a [`Rejection`](crate::syntax::Rejection),
//! of which the usual ones are constants; `accept_with` other text, `accept_as` a reply of several lines
//! or with another status ([`Acceptance`]), and `answer` the reply of another server, for a proxy. An
//! event that is dropped without an answer comes again, so that an `.await` may be cancelled; one that
//! is never answered is an error of the adapter (`io::SessionError::Unanswered`).
//!
//! # What does not compile
//!
//! A question has only its legal answers. A second one:
//!
//! ```compile_fail,E0382
//! fn decide(rcpt: esmtp::server::Rcpt<'_>) {
//!     rcpt.accept();
//!     rcpt.reject(esmtp::syntax::Rejection::POLICY);
//! }
//! ```
//!
//! Polling while a token is held:
//!
//! ```compile_fail,E0499
//! use esmtp::{machine::Machine, server::Server, time::Instant};
//!
//! fn drive(server: &mut Server) {
//!     let event = server.event();
//!     let _ = server.poll(Instant::ORIGIN);
//!     event.into_iter().for_each(|event| event.proceed());
//! }
//! ```
//!
//! An answer that this question does not have: content cannot be accepted before its end.
//!
//! ```compile_fail,E0599
//! fn take(content: esmtp::server::Content<'_>) {
//!     content.accept();
//! }
//! ```
//!
//! A rejection with a positive reply:
//!
//! ```compile_fail,E0308
//! use esmtp::{server::Mail, syntax::Reply};
//!
//! fn decide(mail: Mail<'_>, reply: Reply<'static>) {
//!     mail.reject(reply);
//! }
//! ```

mod acceptance;
mod announcement;
mod auth;
mod budget;
mod config;
mod config_error;
mod content;
mod custom_parameter;
mod custom_verb;
mod delivery;
mod end;
mod event;
mod extension_events;
mod facts;
mod known;
mod limits;
mod message;
mod received;
mod replies;
mod sequence;
mod session;
mod token;
mod totals;
mod transaction;

pub use acceptance::{Acceptance, InvalidAcceptance};
pub use config::Config;
pub use config_error::ConfigError;
pub use custom_parameter::CustomParameter;
pub use custom_verb::CustomVerb;
pub use end::{AbortReason, End};
pub use event::{
    Abort, Auth, Authenticated, Connect, Content, CredentialsQuestion, Data, Deliver, Event, Hello,
    Mail, PerRecipient, Rcpt, StartTls, Upgrade,
};
pub use extension_events::{Atrn, Burl, Etrn, Expand, HandOver, Other, Verify, Xclient, Xforward};
pub use facts::{Facts, Peer};
pub use limits::{Limits, Timeouts};
pub use message::Message;
pub use sequence::VerbPlacement;
pub use totals::Totals;
pub use transaction::{Recipient, Transaction};

use crate::{
    machine::{Closed, Machine, Need, OpenQuestion, Upgradable},
    security::{Security, TlsFailure},
    time::Instant,
    transcript::Transcript,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::{Bytes, BytesMut};
use session::Session;

/// The receiving side of one session.
///
/// ```
/// use esmtp::{
///     machine::{Machine, Need},
///     security::Security,
///     server::{Config, Event, Peer, Server},
///     time::Instant,
/// };
///
/// let config = std::sync::Arc::new(Config::new("mx.example.org")?);
/// let mut server = Server::new(config, Peer::UNKNOWN, Security::CLEAR);
/// let mut client = [&b"EHLO me.example.org\r\n"[..], b"QUIT\r\n"].into_iter();
/// let mut replies = String::new();
/// loop {
///     match server.poll(Instant::ORIGIN) {
///         Need::Answer => server.event().into_iter().for_each(Event::proceed),
///         Need::Write(_) | Need::Either(_) => {
///             let mut slices = [&[][..]];
///             let octets = match server.to_send(&mut slices) {
///                 0 => break,
///                 _ => slices[0].len(),
///             };
///             replies.push_str(&String::from_utf8_lossy(slices[0]));
///             server.sent(octets);
///         }
///         Need::Read(_) => match client.next() {
///             Some(line) => assert_eq!(server.feed(line), line.len()),
///             None => break,
///         },
///         _ => break,
///     }
/// }
/// assert!(replies.starts_with("220 mx.example.org ESMTP service ready\r\n250-mx.example.org\r\n"));
/// assert!(replies.ends_with("221 2.0.0 Service closing transmission channel\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    session: Session,
}

impl Server {
    /// Returns a session that is about to begin. Nothing is sent before the first
    /// [`poll`](Machine::poll).
    #[must_use]
    pub fn new(config: Arc<Config>, peer: Peer, security: Security) -> Self {
        Self { session: Session::new(config, peer, security) }
    }

    /// Reports every line exchanged to `transcript`.
    #[must_use]
    pub fn with_transcript(mut self, transcript: Box<dyn Transcript>) -> Self {
        self.session.set_transcript(transcript);
        self
    }

    /// Returns the configuration of the session, with the [host](Config::host) that its greeting names.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.session.config()
    }

    /// Returns the facts known of the session.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        self.session.facts()
    }

    /// Returns the sums of the session so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.session.totals()
    }

    /// Returns the octets that were received and not processed: they belong to the protocol that takes
    /// the channel over (see [`HandOver`]).
    #[must_use]
    pub fn into_received(mut self) -> Bytes {
        self.session.channel.receive.take(usize::MAX)
    }

    /// Returns why the session is over; `None` before [`Need::Close`].
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.session.ended()
    }

    /// Lets content and delivery in progress finish, answers everything else 421, and closes (RFC
    /// 5321 section 3.8). It takes effect with the next poll.
    ///
    /// Between two chunks the next one is awaited as long as the deadline of the content allows
    /// ([`Timeouts::with_content`]), and content that is discarded no longer than that.
    pub const fn shut_down(&mut self) {
        self.session.shut_down();
    }

    /// Ends the session with the next poll. No further input is taken; the pending replies and a 421
    /// may still be written, for at most [`Timeouts::with_closing`], and a message that is
    /// whole still has its answer. [`unsendable`](Machine::unsendable) ends the session at once.
    /// After the reply that hands the channel over, or agrees on TLS, no 421 is sent.
    pub const fn close(&mut self) {
        self.session.stop();
    }

    /// Ends the session with the next poll because the application cannot go on with it: as
    /// [`close`](Self::close) does, with 421 4.3.0 (RFC 5321 section 3.8 rules out a connection closed without a
    /// reply).
    ///
    /// A transaction in progress is aborted, which the client learns from the 421: nothing was accepted. A
    /// message that is whole still has its answer: answers that were given count, and others are the caller's
    /// to give, in place of the application ([`Rejection::LOCAL_ERROR`](crate::syntax::Rejection::LOCAL_ERROR)).
    pub const fn fail(&mut self) {
        self.session.fail();
    }
}

impl Machine for Server {
    type Event<'m> = Event<'m>;

    fn poll(&mut self, now: Instant) -> Need {
        self.session.poll(now)
    }

    fn event(&mut self) -> Option<Event<'_>> {
        self.session.event()
    }

    fn question(&mut self) -> Option<OpenQuestion> {
        self.event().map(|event| OpenQuestion::new(event.number(), event.name()))
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        self.session.channel.receive.room()
    }

    fn received(&mut self, octets: usize) {
        self.session.channel.received(octets);
    }

    fn feed(&mut self, octets: &[u8]) -> usize {
        self.session.channel.feed(octets)
    }

    fn release(&mut self) {
        self.session.release();
        self.session.channel.receive.release();
    }

    fn lend_buffer(&mut self, memory: BytesMut) -> Option<BytesMut> {
        self.session.channel.receive.lend(memory)
    }

    fn reclaim_buffer(&mut self) -> Option<BytesMut> {
        self.session.release();
        self.session.channel.receive.reclaim()
    }

    fn closed(&mut self, how: Closed) {
        self.session.closed(how);
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        self.session.channel.to_send(slices)
    }

    fn sent(&mut self, octets: usize) {
        self.session.sent(octets);
    }

    fn unsendable(&mut self) {
        // The peer would not learn that anything was accepted.
        self.session.closed(Closed::CutOff);
    }
}

impl Upgradable for Server {
    fn is_upgrading(&self) -> bool {
        self.session.is_upgrading()
    }

    fn upgraded(&mut self, security: Security) {
        self.session.upgraded(security);
    }

    fn upgrade_failed(&mut self, why: TlsFailure) {
        self.session.upgrade_failed(End::TlsFailed(why));
    }

    fn tls_failed(&mut self, why: TlsFailure) {
        self.session.tls_failed(why);
    }

    fn is_stopping(&self) -> bool {
        self.session.is_told_to_end()
    }
}

const _: () = {
    const fn is_free<T: Send + Sync + Unpin + 'static>() {}
    is_free::<Server>();
};
