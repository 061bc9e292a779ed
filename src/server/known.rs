//! The words that are no secrets, for the transcript.

use super::config::Config;
use crate::{
    redaction,
    service::Service,
    syntax::{Command, Extensions, Lenience},
};

/// The commands and mechanisms that this server knows.
pub(super) struct Known<'s> {
    pub(super) config: &'s Config,
    pub(super) service: Service,
    pub(super) offered: &'s Extensions,
}

impl redaction::Known for Known<'_> {
    fn lenience(&self) -> Lenience {
        self.config.lenience()
    }

    fn has_command(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Other { verb, .. } => self.config.custom_verb(verb).is_some(),
            other => self.service.knows(other.verb()),
        }
    }

    fn has_mechanism(&self, name: &str) -> bool {
        self.offered.mechanisms().any(|it| it.as_str().eq_ignore_ascii_case(name))
    }
}
