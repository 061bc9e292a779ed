//! The meaning of lines: commands, replies, addresses and parameters as pure values, parsed and encoded, without state.
//!
//! A program that reads SMTP cuts lines ([`wire`](crate::wire)) and parses each whole one: a server's lines are
//! [`Command`]s, a client's are [`Reply`]s. A parser borrows the line and does not allocate; `into_owned` keeps a value. An
//! error says what is wrong in words, at which octet, and which reply it deserves.
//!
//! ```
//! use esmtp::syntax::{Command, Extension, Extensions, Lenience, MailParameters, Reply};
//!
//! // A server reads a command, and the parameters of the extensions that it announces.
//! let line = b"MAIL FROM:<ann@example.org> SIZE=1000 BODY=8BITMIME";
//! let Command::Mail { reverse_path, parameters } = Command::parse(line, Lenience::default())? else {
//!     unreachable!()
//! };
//! let offered = Extensions::from_iter([Extension::Size, Extension::EightBitMime]);
//! let typed = MailParameters::parse(&parameters, &offered)?;
//! assert_eq!((reverse_path.to_string().as_str(), typed.size()), ("<ann@example.org>", Some(1000)));
//!
//! let error = Command::parse(b"RCPT TO:<bob>", Lenience::default()).unwrap_err();
//! assert_eq!(error.to_string(), "RCPT: no @ in the address, at octet 12");
//! let reply = Reply::new(error.code(), Some(error.status()), error.reason())?;
//! assert_eq!(reply.to_string(), "501 5.1.3 no @ in the address");
//!
//! // A client reads the reply to EHLO.
//! let octets = b"250-mx.example.org\r\n250-SIZE 1000\r\n250 PIPELINING\r\n";
//! let (reply, _) = Reply::parse(octets)?.expect("a whole reply");
//! assert_eq!(Extensions::parse(&reply).size(), Some(1000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Addresses are [`Mailbox`]es, of a [`LocalPart`] and a [`Host`]; in a command they are a [`ReversePath`] or a
//! [`ForwardPath`]. [`MailParameters`] and [`RcptParameters`] are the parameters with their types, [`Extensions`] what EHLO
//! announces, [`Status`] the registry of enhanced status codes. [`Lenience`] names each deviation from the grammar that a
//! server may tolerate.
//!
//! Every value is valid by construction: what was parsed or made can be encoded, and nothing encoded holds a CR, LF or NUL
//! that the encoder did not put there.

mod argument;
mod attributes;
mod base64;
mod code;
mod command;
mod date_time;
mod dsn;
mod error;
mod extension;
mod extensions;
mod fault;
#[cfg(any(test, feature = "arbitrary"))]
mod generate;
mod grammar;
mod hello;
mod host;
#[cfg(feature = "idna")]
mod idna;
mod keywords;
mod labels;
mod lanes;
mod lenience;
mod line_limit;
mod mail_parameters;
mod mailbox;
mod mechanism_list;
mod name_table;
mod parameters;
mod path;
#[cfg(test)]
mod properties;
mod rcpt_parameters;
mod rejection;
mod remote_queue;
mod reply;
#[cfg(feature = "serde")]
mod serde;
mod session_limits;
mod status;
mod text;
mod text_value;
mod timing;
mod verb;
mod verp;
mod window;
mod xtext;

pub use crate::mechanism::{Mechanism, MechanismError};
pub use argument::{Argument, Lookup, UnknownVerb};
pub use attributes::{AttributeName, AttributeValue, XclientAttributes, XforwardAttributes};
pub use base64::{AuthResponse, Base64};
pub use code::{Category, Class, Code, InvalidCode};
pub use command::{Command, ObsoleteVerb, Parsed};
pub use date_time::DateTime;
pub(crate) use date_time::civil;
pub use dsn::{EnvelopeId, Notify, OriginalRecipient, Ret};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use extension::{EhloLine, Extension};
pub use extensions::{Extensions, FutureRelease};
pub use fault::FaultClass;
pub use hello::HelloName;
pub use host::{Domain, GeneralLiteral, Host};
pub use labels::{Solicitation, Submitter, Tracking, TransactionId};
pub use lenience::Lenience;
pub use line_limit::LineTooLong;
pub use mail_parameters::{Body, MailParameters};
pub use mailbox::{LocalPart, Mailbox};
pub use parameters::{Parameter, Parameters};
pub(crate) use path::PathParts;
pub use path::{ForwardPath, ReversePath};
pub use rcpt_parameters::RcptParameters;
pub use rejection::{InvalidRejection, Rejection};
pub use remote_queue::{DomainList, Node, QueueName, Uri};
pub(crate) use reply::Escaped;
pub use reply::{Reply, ReplyError, Retry};
pub use session_limits::SessionLimits;
pub use status::{EnhancedCode, Status};
pub use text::Text;
pub use timing::{ByMode, DeliverBy, Hold, HoldSeconds, Priority, RrvsAction, ValidSince};
pub use verb::Verb;
pub use verp::Verp;
pub use xtext::Xtext;
