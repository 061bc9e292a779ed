//! The command line of `send`.

use clap::{Parser, ValueEnum};
use std::{num::NonZeroU64, path::PathBuf};

/// Sends mail
#[derive(Debug, Parser)]
#[command(name = "send")]
pub(crate) struct Arguments {
    /// Where to connect, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:2525")]
    pub(crate) server: String,
    /// Which protocol the server speaks
    #[arg(long, value_enum, default_value = "smtp")]
    pub(crate) protocol: Protocol,
    /// TLS policy
    #[arg(long, value_enum, default_value = "opportunistic")]
    pub(crate) tls: Tls,
    /// Trust this certificate or authority
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    pub(crate) insecure: bool,
    /// The argument of EHLO; the machine's name, or an address literal, unless given
    #[arg(long)]
    pub(crate) helo: Option<String>,
    /// Whom to authenticate as
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The password
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// A bearer token
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Only this mechanism
    #[arg(long)]
    pub(crate) auth: Option<String>,
    /// The reverse-path; '' is the null path
    #[arg(long)]
    pub(crate) from: String,
    /// A forward-path; repeatable
    #[arg(long, required = true)]
    pub(crate) to: Vec<String>,
    /// Take addresses with misplaced dots in the local-part or underscores in the domain
    #[arg(long)]
    pub(crate) lenient_addresses: bool,
    /// What a delivery status notification returns: full or hdrs
    #[arg(long, value_enum)]
    pub(crate) ret: Option<Ret>,
    /// The envelope identifier for delivery status notifications
    #[arg(long)]
    pub(crate) envid: Option<String>,
    /// When to notify: never, or a list of success, failure, delay
    #[arg(long)]
    pub(crate) notify: Option<String>,
    /// Another parameter of MAIL, KEY=VALUE; repeatable
    #[arg(long)]
    pub(crate) mail_parameter: Vec<String>,
    /// Another parameter of RCPT, KEY=VALUE; repeatable
    #[arg(long)]
    pub(crate) rcpt_parameter: Vec<String>,
    /// Do not pipeline even if the server could
    #[arg(long)]
    pub(crate) no_pipelining: bool,
    /// Do not send chunks even if the server could
    #[arg(long)]
    pub(crate) no_chunking: bool,
    /// Send each file so many times over one connection
    #[arg(long, default_value = "1")]
    pub(crate) repeat: NonZeroU64,
    /// Upper bound for each of the protocol's time-outs, in seconds
    #[arg(long)]
    pub(crate) timeout: Option<NonZeroU64>,
    /// The transcript on standard error
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Messages; standard input if there is none, or for the one that is called -
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
