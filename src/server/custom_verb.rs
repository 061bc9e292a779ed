//! Verbs of the application's own.

use super::sequence::Place;
use crate::syntax::{Extensions, SyntaxError, UnknownVerb};
use alloc::string::String;

/// A verb that the library does not know, and that this server does: where it may come, and how it is
/// announced. [`Event::Other`](super::Event::Other) asks about it.
///
/// Verbs that two parties have agreed on begin with X (RFC 5321 section 4.1.5).
///
/// ```
/// use esmtp::server::{Config, OwnVerb, Place};
///
/// let statistics = OwnVerb::new("XSTATS", Place::BetweenTransactions)?.announced_as("XSTATS")?;
/// let config = Config::new("mx.example.org")?.with_verb(statistics);
/// assert!(config.extensions().lines().any(|line| line == "XSTATS"));
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnVerb {
    verb: UnknownVerb<'static>,
    place: Place,
    requires_auth: bool,
    line: Option<String>,
}

impl OwnVerb {
    /// A verb, and where it may come; it is not announced.
    ///
    /// # Errors
    ///
    /// It is none, or one that the library knows.
    pub fn new(verb: &str, place: Place) -> Result<Self, SyntaxError> {
        let verb = UnknownVerb::new(verb)?.into_owned();
        Ok(Self { verb, place, requires_auth: false, line: None })
    }

    /// EHLO announces it with this line: a keyword, and arguments if there are any.
    ///
    /// A keyword without X in front must be registered with IANA (RFC 5321 section 2.2.2).
    ///
    /// # Errors
    ///
    /// The line is none, or its keyword belongs to an extension that the library knows.
    pub fn announced_as(mut self, line: &str) -> Result<Self, SyntaxError> {
        announce(Extensions::NONE, line)?;
        self.line = Some(line.into());
        Ok(self)
    }

    /// Before a successful AUTH it gets 530 5.7.0.
    #[must_use]
    pub const fn with_required_auth(mut self) -> Self {
        self.requires_auth = true;
        self
    }

    pub(super) const fn verb(&self) -> &UnknownVerb<'static> {
        &self.verb
    }

    pub(super) const fn place(&self) -> Place {
        self.place
    }

    pub(super) const fn requires_auth(&self) -> bool {
        self.requires_auth
    }

    /// The list of extensions with this one.
    pub(super) fn announce(&self, offered: Extensions) -> Extensions {
        let Some(line) = &self.line else { return offered };
        announce(offered.clone(), line).unwrap_or(offered)
    }
}

fn announce(offered: Extensions, line: &str) -> Result<Extensions, SyntaxError> {
    match line.starts_with(['X', 'x']) {
        true => offered.with_other(line),
        false => offered.with_registered(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Config;
    use alloc::vec::Vec;

    #[test]
    fn a_known_verb_or_keyword_is_not_ones_own() {
        for verb in ["MAIL", "atrn", "", "X Y", "X\r\n", "TURN"] {
            assert!(OwnVerb::new(verb, Place::Anywhere).is_err(), "{verb:?}");
        }
        let own = OwnVerb::new("XFOO", Place::Anywhere).unwrap();
        for line in ["SIZE 1", "XCLIENT NAME", "", "X\r\nSIZE", "XFOO \u{e9}"] {
            assert!(own.clone().announced_as(line).is_err(), "{line:?}");
        }
        for line in ["XFOO", "xfoo a b", "FOO=BAR"] {
            assert_eq!(own.clone().announced_as(line).is_ok(), !line.contains('='), "{line:?}");
        }
    }

    #[test]
    fn a_verb_stands_in_a_configuration_once() {
        let own = |line| OwnVerb::new("XFOO", Place::Anywhere).unwrap().announced_as(line).unwrap();
        let config = Config::new("mx.example.org").unwrap();
        let config = config.with_verb(own("XFOO 1")).with_verb(own("XFOO 2"));
        let lines: Vec<_> = config.extensions().others().collect();
        assert_eq!(lines, ["XFOO 2"]);
    }
}
