//! Who was proven.

use alloc::boxed::Box;

/// Who the client has proven to be, and as whom it wants to act.
///
/// That the first may act as the second is for the application to decide (RFC 4422 section 3.4.1,
/// RFC 4616 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    authcid: Box<str>,
    authzid: Option<Box<str>>,
    trace: Option<Box<str>>,
    is_anonymous: bool,
}

impl Identity {
    /// `authcid` has proven itself.
    #[must_use]
    pub fn new(authcid: impl Into<Box<str>>) -> Self {
        Self { authcid: authcid.into(), authzid: None, trace: None, is_anonymous: false }
    }

    /// Nobody has proven anything, and the mechanism is one that wants no proof. `trace` is
    /// what the client says of itself.
    #[must_use]
    pub fn anonymous(trace: Option<Box<str>>) -> Self {
        Self { authcid: Box::default(), authzid: None, trace, is_anonymous: true }
    }

    /// The same with an authorization identity; an empty one is none.
    #[must_use]
    pub fn acting_as(mut self, authzid: Option<impl Into<Box<str>>>) -> Self {
        self.authzid = authzid.map(Into::into).filter(|authzid| !authzid.is_empty());
        self
    }

    /// The authentication identity: who has proven itself. Empty for an anonymous client, so
    /// that no list of names matches it.
    #[must_use]
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// The authorization identity that the client asked for; `None` when it did not ask for
    /// one and acts as itself.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// As whom the session acts, if the application permits it.
    #[must_use]
    pub fn acts_as(&self) -> &str {
        self.authzid().unwrap_or(&self.authcid)
    }

    /// What an anonymous client said of itself: for a log, never for a decision (RFC 4505
    /// section 2).
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Whether the mechanism was ANONYMOUS.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4616-2-f, 4616-2-g
    #[test]
    fn both_identities_are_told() {
        let ann = Identity::new("ann");
        assert_eq!((ann.authcid(), ann.authzid(), ann.acts_as()), ("ann", None, "ann"));
        let shared = ann.clone().acting_as(Some("office"));
        assert_eq!(
            (shared.authcid(), shared.authzid(), shared.acts_as()),
            ("ann", Some("office"), "office")
        );
        assert_eq!(ann.clone().acting_as(Some("")), ann);
        assert_eq!(Identity::anonymous(None).acts_as(), "");
    }
}
