//! TLS around a machine, still without I/O.
//!
//! [`ClientTls`] and [`ServerTls`] say which certificates are trusted and shown; they are cheap to clone and
//! name no type of a TLS library. The adapters take them:
//!
//! ```no_run
//! use esmtp::{envelope::Envelope, io::blocking::Connector, sasl::Credentials, tls::ClientTls};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Trusts the authority of a company, and no other. Without this line the client trusts the
//! // authorities of the operating system or of Mozilla, by the features of the crate.
//! let tls = ClientTls::new().with_ca_pem(std::fs::read("ca.pem")?)?;
//! let mut session = Connector::new("mail.example.org")
//!     .submission(Credentials::password("ann", "correct horse")) // port 587, STARTTLS is required
//!     .with_tls(tls)
//!     .connect()?;
//! println!("{:?}", session.client().security().cipher());
//! session.send(Envelope::new("ann@example.org", ["bob@example.net"])?, b"Subject: hello\r\n\r\nHello.\r\n")?;
//! session.quit()?;
//! # Ok(())
//! # }
//! ```
//!
//! ```no_run
//! use esmtp::{
//!     io::blocking::Connection,
//!     server::{Config, Event},
//!     tls::ServerTls,
//! };
//! use std::{net::TcpListener, sync::Arc};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = ServerTls::from_pem(std::fs::read("fullchain.pem")?, std::fs::read("key.pem")?)?;
//! let config = Arc::new(Config::new("mx.example.org")?);
//! let stream = TcpListener::bind("0.0.0.0:25")?.accept()?.0;
//! // `accept_implicit_tls` begins TLS with the first octet, as on port 465.
//! let mut session = Connection::accept_tls(stream, config, &tls)?;
//! while let Some(event) = session.next()? {
//!     match event {
//!         Event::Hello(hello) => {
//!             println!("{:?}", hello.facts().security().version()); // None, and "TLSv1.3" after STARTTLS
//!             hello.accept();
//!         }
//!         other => other.proceed(),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | to do | with |
//! |---|---|
//! | trust one's own authority, or a certificate itself | [`ClientTls::with_ca_pem`] |
//! | accept every certificate (opportunistic TLS) | [`ClientTls::without_verification`] |
//! | show a certificate of the client (SASL EXTERNAL) | [`ClientTls::with_client_certificate`] |
//! | verify another name than the host | [`ClientTls::with_server_name`] |
//! | show a certificate for each name (SNI) | [`ServerTls::choosing`] |
//! | ask clients for certificates | [`ServerTls::with_client_ca_pem`] |
//! | use a configuration or cryptography of one's own | [`rustls`] |
//! | know what was agreed on | [`Security`](crate::security::Security) |
//! | know why TLS has failed | [`TlsFailure`](crate::security::TlsFailure), in `End::TlsFailed` and in the error of a connector |
//!
//! # The layer
//!
//! [`Secured`] puts TLS around a machine and is a [`Machine`](crate::machine::Machine) itself, with the
//! events of the one inside. Drivers need no knowledge of it, neither for implicit TLS (RFC 8314) nor for
//! STARTTLS (RFC 3207). It guarantees:
//!
//! - Deadlines: of the handshake, of an alert and of the close_notify. All others are those of the
//!   machine inside: its octets count as sent as the peer takes the records that hold them, so a
//!   peer that does not read, or reads slowly, exceeds its deadlines as in the clear.
//! - Memory: plaintext is decrypted only when the machine inside asks for it, and encrypted, up to
//!   64 KiB at once, when the peer has taken the records before. A layer holds at most about 350
//!   KiB, whatever the peer does.
//! - The end: a stream that ends without close_notify has been cut off (RFC 8446 section 6.1),
//!   whatever the driver reports; octets after a close_notify are discarded.
//!
//! Renegotiation does not exist in the library, and it limits KeyUpdate and empty records. Early data
//! (0-RTT), which an attacker can replay, is discarded.

mod error;
mod layer;
pub mod rustls;
mod secured;

pub use self::rustls::{
    client::ClientTls,
    role::Role,
    server::{Choice, ClientCertificates, Hello, ServerTls},
};
pub use error::ConfigError;
pub use secured::Secured;
