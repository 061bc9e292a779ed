//! Verbs of the application's own.

use super::sequence::VerbPlacement;
use crate::syntax::{Extension, Extensions, SyntaxError, UnknownVerb};
use alloc::string::String;

/// A verb of the application's own: where it may come, and how it is announced.
/// [`Event::Other`](super::Event::Other) asks about it.
///
/// Verbs that two parties have agreed on begin with X (RFC 5321 section 4.1.5).
///
/// ```
/// use esmtp::server::{Config, CustomVerb, VerbPlacement};
///
/// let statistics = CustomVerb::new("XSTATS", VerbPlacement::BetweenTransactions)?;
/// let statistics = statistics.announced_as("XSTATS")?;
/// let config = Config::new("mx.example.org")?.with_verb(statistics);
/// assert!(config.extensions().lines().any(|line| line == "XSTATS"));
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CustomVerb {
    verb: UnknownVerb<'static>,
    place: VerbPlacement,
    requires_auth: bool,
    line: Option<String>,
}

impl CustomVerb {
    /// Returns a verb that may come at this place, and that is not announced.
    ///
    /// # Errors
    ///
    /// It is not a verb, or it is one that the library knows.
    pub fn new(verb: &str, place: VerbPlacement) -> Result<Self, SyntaxError> {
        let verb = UnknownVerb::new(verb)?.into_owned();
        Ok(Self { verb, place, requires_auth: false, line: None })
    }

    /// Announces it in the reply to EHLO with this line: a keyword, and arguments if there are any.
    ///
    /// A keyword without X in front must be registered with IANA (RFC 5321 section 2.2.2).
    ///
    /// # Errors
    ///
    /// The line is invalid, or its keyword belongs to an extension that the library knows.
    pub fn announced_as(mut self, line: &str) -> Result<Self, SyntaxError> {
        announce(Extensions::NONE, line)?;
        self.line = Some(line.into());
        Ok(self)
    }

    /// Requires a successful AUTH before it: otherwise it gets 530 5.7.0.
    #[must_use]
    pub const fn with_required_auth(mut self) -> Self {
        self.requires_auth = true;
        self
    }

    pub(super) const fn verb(&self) -> &UnknownVerb<'static> {
        &self.verb
    }

    pub(super) const fn place(&self) -> VerbPlacement {
        self.place
    }

    pub(super) const fn requires_auth(&self) -> bool {
        self.requires_auth
    }

    /// Adds the line of this verb to a list of extensions.
    pub(super) fn announce(&self, offered: Extensions) -> Extensions {
        let Some(line) = &self.line else { return offered };
        announce(offered.clone(), line).unwrap_or(offered)
    }
}

/// Adds a line to a list of extensions.
pub(super) fn announce(offered: Extensions, line: &str) -> Result<Extensions, SyntaxError> {
    match Extension::from_keyword(line) {
        // Extensions that are a command of the application's own, and nothing else.
        Some(known @ (Extension::Verb | Extension::Onex)) => Ok(offered.with(known)),
        _ if line.starts_with(['X', 'x']) => offered.with_other(line),
        _ => offered.with_registered(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Config;
    use alloc::vec::Vec;

    #[test]
    fn known_verbs_and_keywords_are_not_custom() {
        for verb in ["MAIL", "atrn", "", "X Y", "X\r\n", "TURN"] {
            assert!(CustomVerb::new(verb, VerbPlacement::Anywhere).is_err(), "{verb:?}");
        }
        let own = CustomVerb::new("XFOO", VerbPlacement::Anywhere).unwrap();
        for line in ["SIZE 1", "XCLIENT NAME", "", "X\r\nSIZE", "XFOO \u{e9}"] {
            assert!(own.clone().announced_as(line).is_err(), "{line:?}");
        }
        for line in ["XFOO", "xfoo a b", "FOO=BAR"] {
            assert_eq!(own.clone().announced_as(line).is_ok(), !line.contains('='), "{line:?}");
        }
    }

    #[test]
    fn verb_and_onex_of_sendmail_are_announced_with_their_command() {
        for name in ["VERB", "ONEX"] {
            let is_announced =
                |config: &Config| config.extensions().lines().any(|line| line == name);
            let config = Config::new("mx.example.org").unwrap();
            let alone = Extensions::from_lines([name]).unwrap();
            assert!(!is_announced(&config.clone().with_extensions(alone)), "{name}");
            let own = CustomVerb::new(name, VerbPlacement::Anywhere).unwrap();
            let own = own.announced_as(name).unwrap();
            assert!(is_announced(&config.with_verb(own)), "{name}");
        }
    }

    #[test]
    fn a_configuration_has_each_verb_once() {
        let own = |line| {
            CustomVerb::new("XFOO", VerbPlacement::Anywhere).unwrap().announced_as(line).unwrap()
        };
        let config = Config::new("mx.example.org").unwrap();
        let config = config.with_verb(own("XFOO 1")).with_verb(own("XFOO 2"));
        let lines: Vec<_> = config.extensions().others().collect();
        assert_eq!(lines, ["XFOO 2"]);
    }
}
