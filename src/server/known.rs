//! The words that are no secrets, for the transcript.

use super::{announcement::Offered, config::Config, facts::Facts};
use crate::{
    redaction,
    syntax::{Command, Lenience},
};

/// The commands and mechanisms that this server knows.
pub(super) struct Known<'s> {
    pub(super) config: &'s Config,
    pub(super) facts: &'s Facts,
    pub(super) offered: Offered,
}

impl redaction::Known for Known<'_> {
    fn lenience(&self) -> Lenience {
        self.config.lenience()
    }

    fn has_command(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Other { verb, .. } => self.config.custom_verb(verb).is_some(),
            other => self.facts.service.knows(other.verb()),
        }
    }

    fn has_mechanism(&self, name: &str) -> bool {
        let channel = self.facts.security.channel();
        self.offered.has_auth()
            && self.config.auth().is_some_and(|offer| {
                let mut offered = offer.announced(&channel, self.facts.proven());
                offered.any(|it| it.as_str().eq_ignore_ascii_case(name))
            })
    }
}
