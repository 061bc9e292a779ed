//! What the octets mean: pure values, parsed and encoded, without state.
//!
//! [`Command`] and [`Reply`] are the two kinds of line; everything else is what they hold. A parser borrows the line and
//! does not allocate; `into_owned` keeps a value. Every value is valid by construction: what was parsed or made can be
//! encoded, and nothing encoded holds a CR, LF or NUL that the encoder did not put there.
//!
//! | file | what is in it |
//! |---|---|
//! | `command`, `verb`, `argument`, `lenience` | command lines (RFC 5321 section 4.1) |
//! | `reply`, `code`, `status`, `rejection` | replies (RFC 5321 section 4.2, RFC 3463) |
//! | `path`, `mailbox`, `host` | addresses (RFC 5321 section 4.1.2, RFC 6531) |
//! | `hello` | what a client calls itself (RFC 5321 section 4.1.1.1) |
//! | `parameters`, `mail_parameters`, `rcpt_parameters` | what MAIL and RCPT may carry |
//! | `dsn`, `timing`, `labels`, `date_time` | the values of those parameters |
//! | `remote_queue`, `attributes`, `mechanism` | what ETRN, ATRN, BURL, XCLIENT, XFORWARD and AUTH name |
//! | `extension`, `extensions`, `line_limit` | what EHLO announces, and how long a line may be then |
//! | `text`, `xtext`, `base64` | text, and octets as text |
//! | `grammar`, `error` | terminals, and what went wrong |

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
mod status;
mod text;
mod text_value;
mod timing;
mod verb;
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
pub use extensions::{Extensions, FutureRelease, SessionLimits};
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
pub use status::{EnhancedCode, Status};
pub use text::Text;
pub use timing::{ByMode, DeliverBy, Hold, HoldSeconds, Priority, RrvsAction, ValidSince};
pub use verb::Verb;
pub use xtext::Xtext;
