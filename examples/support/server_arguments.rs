//! The command line of `server`.

use clap::{Parser, ValueEnum};
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

/// Receives mail into a Maildir
#[derive(Debug, Parser)]
#[command(name = "server")]
pub(crate) struct Arguments {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:2525")]
    pub(crate) listen: String,
    /// The name in the greeting and in Received
    #[arg(long, default_value = "localhost")]
    pub(crate) hostname: String,
    /// Which service it is
    #[arg(long, value_enum, default_value = "smtp")]
    pub(crate) protocol: Protocol,
    /// Where accepted messages go
    #[arg(long, default_value = "./mail")]
    pub(crate) maildir: PathBuf,
    /// TLS service offered
    #[arg(long, value_enum)]
    pub(crate) tls: Option<Tls>,
    /// Certificate chain
    #[arg(long)]
    pub(crate) cert: Option<PathBuf>,
    /// Private key
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
    /// An account for AUTH, NAME:PASSWORD; repeatable
    #[arg(long)]
    pub(crate) user: Vec<String>,
    /// MAIL before AUTH gets 530
    #[arg(long)]
    pub(crate) require_auth: bool,
    /// Offer PLAIN and LOGIN without TLS
    #[arg(long)]
    pub(crate) allow_plaintext_auth: bool,
    /// The SIZE announced and enforced, in octets; 0 for no limit
    #[arg(long, default_value_t = 33_554_432)]
    pub(crate) max_size: u64,
    /// Recipients in one transaction
    #[arg(long, default_value = "1000")]
    pub(crate) max_recipients: NonZeroUsize,
    /// A mailbox that does not exist, repeatable: RCPT to it gets 550 5.1.1
    #[arg(long)]
    pub(crate) reject_recipient: Vec<String>,
    /// Deadline of a command, in seconds
    #[arg(long, default_value = "300")]
    pub(crate) idle_timeout: NonZeroU64,
    /// How long the greeting is held back, in seconds, to find out who does not wait for it
    #[arg(long, default_value_t = 0)]
    pub(crate) greeting_delay: u64,
    /// Which service extensions are announced: all, none, or EHLO keywords with commas between
    #[arg(long, default_value = "all")]
    pub(crate) extensions: String,
    /// What becomes of content with a CR or LF outside CRLF
    #[arg(long, value_enum, default_value = "reject")]
    pub(crate) bare_line_breaks: BareLineBreak,
    /// The error of a session with this number is answered 421, and the connection closes
    #[arg(long, default_value = "20")]
    pub(crate) max_errors: NonZeroU32,
    /// A PROXY header comes before the greeting
    #[arg(long)]
    pub(crate) proxy_protocol: bool,
    /// Offer XCLIENT and XFORWARD, and believe them
    #[arg(long)]
    pub(crate) xclient: bool,
    /// Worker threads; as many as there are cores unless given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print nothing per message
    #[arg(long)]
    pub(crate) quiet: bool,
    /// The transcript on standard error
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    Smtp,
    Submission,
    Lmtp,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Tls {
    None,
    Starttls,
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BareLineBreak {
    Reject,
    Normalise,
    Keep,
}
