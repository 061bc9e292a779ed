//! The command line of `send`.

use clap::{Parser, ValueEnum};
use std::{num::NonZeroU64, path::PathBuf};

/// Sends mail
#[derive(Debug, Parser)]
#[command(name = "send")]
pub(crate) struct Arguments {
    /// Server to connect to, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:2525")]
    pub(crate) server: String,
    /// Host to try in place of --server, HOST:PORT; repeatable, in the order of preference
    ///
    /// The next one is tried for the recipients that have no reply: where a host is down, rejects the session, breaks
    /// it off before the end of the message, or does not offer an extension that the message needs (RFC 5321
    /// section 5.1).
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) mx: Vec<String>,
    /// Protocol of the server
    #[arg(long, value_enum, default_value = "smtp")]
    pub(crate) protocol: Protocol,
    /// TLS policy
    #[arg(long, value_enum, default_value = "opportunistic")]
    pub(crate) tls: Tls,
    /// Trust this certificate or certificate authority (PEM)
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// Accept any certificate, without verification
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Argument of EHLO [default: the machine's name, or an address literal]
    #[arg(long)]
    pub(crate) helo: Option<String>,
    /// User to authenticate as
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Password of the user
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// Bearer token of the user, instead of a password
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Use only this AUTH mechanism
    #[arg(long)]
    pub(crate) auth: Option<String>,
    /// Reverse-path; '' is the null path
    #[arg(long)]
    pub(crate) from: String,
    /// Forward-path; repeatable
    #[arg(long, required = true)]
    pub(crate) to: Vec<String>,
    /// Accept addresses with misplaced dots in the local-part or underscores in the domain
    #[arg(long)]
    pub(crate) lenient_addresses: bool,
    /// Part of the message that a delivery status notification returns (RET)
    #[arg(long, value_enum)]
    pub(crate) ret: Option<Ret>,
    /// Envelope identifier for delivery status notifications (ENVID)
    #[arg(long)]
    pub(crate) envid: Option<String>,
    /// Events to be notified of: never, or a list of success, failure, delay (NOTIFY)
    #[arg(long)]
    pub(crate) notify: Option<String>,
    /// Further parameter of MAIL, KEY=VALUE; repeatable
    #[arg(long)]
    pub(crate) mail_parameter: Vec<String>,
    /// Further parameter of RCPT, KEY=VALUE; repeatable
    #[arg(long)]
    pub(crate) rcpt_parameter: Vec<String>,
    /// Do not use PIPELINING even if the server offers it
    #[arg(long)]
    pub(crate) no_pipelining: bool,
    /// Do not use CHUNKING even if the server offers it
    #[arg(long)]
    pub(crate) no_chunking: bool,
    /// Send each file N times over one connection
    #[arg(long, default_value = "1")]
    pub(crate) repeat: NonZeroU64,
    /// Number of transactions that may be under way at once where PIPELINING is offered
    #[arg(long, default_value = "8")]
    pub(crate) in_flight: NonZeroU64,
    /// Upper bound for each of the protocol's time-outs, in seconds
    #[arg(long)]
    pub(crate) timeout: Option<NonZeroU64>,
    /// Print the transcript on standard error, credentials redacted
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Messages to send; `-`, or no file at all, reads standard input
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    Smtp,
    Lmtp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Tls {
    None,
    Opportunistic,
    Starttls,
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Ret {
    Full,
    Hdrs,
}
