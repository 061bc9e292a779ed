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
//! | `parameters`, `mail_parameters`, `rcpt_parameters` | what MAIL and RCPT may carry |
//! | `extension` | what EHLO announces |
//! | `text`, `xtext` | text, and octets as text |
//! | `grammar`, `error` | terminals, and what went wrong |

mod argument;
mod code;
mod command;
mod error;
mod extension;
mod grammar;
mod host;
mod lenience;
mod mail_parameters;
mod mailbox;
mod parameters;
mod path;
mod rcpt_parameters;
mod rejection;
mod reply;
mod status;
mod text;
mod verb;
mod xtext;

pub use argument::{Argument, Lookup, UnknownVerb};
pub use code::{Category, Class, Code, InvalidCode};
pub use command::{Command, ObsoleteVerb, Parsed};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use extension::{EhloLine, Extension, Extensions};
pub use host::{Domain, GeneralLiteral, Host};
pub use lenience::Lenience;
pub use mail_parameters::{Body, MailParameters};
pub use mailbox::{LocalPart, Mailbox};
pub use parameters::{Parameter, Parameters};
#[allow(unused_imports)] // for the server's envelope
pub(crate) use path::PathParts;
pub use path::{ForwardPath, ReversePath};
pub use rcpt_parameters::RcptParameters;
pub use rejection::{InvalidRejection, Rejection};
#[allow(unused_imports)] // for transcripts
pub(crate) use reply::Escaped;
pub use reply::{Reply, ReplyError, Retry};
pub use status::{EnhancedCode, Status};
pub use text::Text;
pub use verb::Verb;
pub use xtext::Xtext;
