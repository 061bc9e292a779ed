//! The command line of `server`.

use clap::{Parser, ValueEnum};
use esmtp::io::serving::Network;
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
    /// Name of the server in the greeting and in Received
    #[arg(long, default_value = "localhost")]
    pub(crate) hostname: String,
    /// Service to offer
    #[arg(long, value_enum, default_value = "smtp")]
    pub(crate) protocol: Protocol,
    /// Maildir that stores accepted messages
    #[arg(long, default_value = "./mail")]
    pub(crate) maildir: PathBuf,
    /// Server to forward to: commands and content are passed on as they come (cut-through), every answer
    /// is that server's, and nothing is stored
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) forward: Option<String>,
    /// TLS to offer [default: none, or starttls if a certificate is given]
    #[arg(long, value_enum)]
    pub(crate) tls: Option<Tls>,
    /// Certificate chain (PEM) [default: a self-signed certificate, made at start]
    #[arg(long)]
    pub(crate) cert: Option<PathBuf>,
    /// Private key (PEM)
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
    /// Account for AUTH, NAME:PASSWORD; repeatable
    #[arg(long)]
    pub(crate) user: Vec<String>,
    /// Reject MAIL before AUTH with 530; always on for submission with an account
    #[arg(long)]
    pub(crate) require_auth: bool,
    /// Offer PLAIN and LOGIN without TLS
    #[arg(long)]
    pub(crate) allow_plaintext_auth: bool,
    /// Maximum size of a message, in octets (SIZE); 0 for no limit
    #[arg(long, default_value_t = 33_554_432)]
    pub(crate) max_size: u64,
    /// Maximum of recipients in one transaction
    #[arg(long, default_value = "1000")]
    pub(crate) max_recipients: NonZeroUsize,
    /// Mailbox that does not exist: RCPT to it gets 550 5.1.1; repeatable
    #[arg(long)]
    pub(crate) reject_recipient: Vec<String>,
    /// Accept addresses with misplaced dots in the local-part or underscores in the domain
    #[arg(long)]
    pub(crate) lenient_addresses: bool,
    /// Deadline of a command, in seconds
    #[arg(long, default_value = "300")]
    pub(crate) idle_timeout: NonZeroU64,
    /// Delay of the greeting, in seconds, to detect early talkers (clients that do not wait for it)
    #[arg(long, default_value_t = 0)]
    pub(crate) greeting_delay: u64,
    /// Service extensions to announce: all, none, or EHLO keywords separated by commas
    #[arg(long, default_value = "all")]
    pub(crate) extensions: String,
    /// Policy for content with a CR or LF outside CRLF
    #[arg(long, value_enum, default_value = "reject")]
    pub(crate) bare_line_breaks: BareLineBreak,
    /// Answer the Nth error of a session with 421, and close the connection
    #[arg(long, default_value = "20")]
    pub(crate) max_errors: NonZeroU32,
    /// Expect a PROXY header (v1 or v2) before the greeting, and believe it from every client: only
    /// the proxy may be able to connect
    #[arg(long)]
    pub(crate) proxy_protocol: bool,
    /// Offer XCLIENT and XFORWARD to clients on this host, and believe them; with --proxy-protocol the
    /// address in the header counts
    #[arg(long)]
    pub(crate) xclient: bool,
    /// Offer XCLIENT and XFORWARD to clients with this address or in this network too, and believe
    /// them; repeatable
    #[arg(long, value_name = "ADDRESS[/PREFIX]")]
    pub(crate) xclient_from: Vec<Network>,
    /// Maximum of connections at once; further ones get 421 [default: 1000, or what the limit of file
    /// descriptors allows]
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<NonZeroUsize>,
    /// Maximum of connections at once from one address; further ones get 421 [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_connections_per_address: Option<NonZeroUsize>,
    /// Number of worker threads [default: the number of cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print nothing per message
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print the transcript on standard error, credentials redacted
    #[arg(long)]
    pub(crate) verbose: bool,
}

impl Arguments {
    /// Returns whether some clients may use XCLIENT and XFORWARD.
    pub(crate) fn takes_xclient(&self) -> bool {
        self.xclient || !self.xclient_from.is_empty()
    }
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
