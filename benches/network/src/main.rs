//! The programs that `measure.py` runs: see README.md of this folder.

mod limit;
#[cfg(feature = "mailin")]
mod mailin;
mod receivers;
mod senders;
mod tls;

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", "esmtp", port] => receivers::esmtp(port.parse()?),
        ["receive", "limit", port] => limit::receive(port.parse()?),
        #[cfg(feature = "mailin")]
        ["receive", "mailin", port] => mailin::receive(port.parse()?),
        ["send", way, port, messages, octets] => {
            senders::send(way, port.parse()?, messages.parse()?, octets.parse()?)
        }
        ["tls", rounds] => tls::print(rounds.parse()?, 0),
        ["tls", rounds, least] => tls::print(rounds.parse()?, least.parse()?),
        _ => Err(
            "receive esmtp|limit|mailin PORT, send WAY PORT MESSAGES OCTETS, tls ROUNDS [OCTETS]"
                .into(),
        ),
    }
}
