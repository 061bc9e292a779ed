//! The identity that an exchange has proven.

use alloc::boxed::Box;

/// The identity that the client has proven, and the identity that it wants to act as.
///
/// Whether the first may act as the second is the application's decision (RFC 4422 section 3.4.1,
/// RFC 4616 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    authcid: Box<str>,
    authzid: Option<Box<str>>,
    trace: Option<Box<str>>,
    is_anonymous: bool,
}

impl Identity {
    /// Creates the identity of a client that has authenticated as `authcid`.
    #[must_use]
    pub fn new(authcid: impl Into<Box<str>>) -> Self {
        Self { authcid: authcid.into(), authzid: None, trace: None, is_anonymous: false }
    }

    /// Creates an anonymous identity, for a mechanism without proof. `trace` is the client's own
    /// statement.
    #[must_use]
    pub fn anonymous(trace: Option<Box<str>>) -> Self {
        Self { authcid: Box::default(), authzid: None, trace, is_anonymous: true }
    }

    /// Sets the authorization identity (authzid); an empty one is ignored.
    #[must_use]
    pub fn with_authzid(mut self, authzid: Option<impl Into<Box<str>>>) -> Self {
        self.authzid = authzid.map(Into::into).filter(|authzid| !authzid.is_empty());
        self
    }

    /// Returns the authentication identity (authcid), which was proven. It is empty for an
    /// anonymous client, so that it matches no list of names.
    #[doc(alias("user", "username", "login"))]
    #[must_use]
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// Returns the authorization identity that the client asked for; `None` when it asked for none
    /// and acts as itself.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// Returns the identity that the session acts as, if the application permits it.
    #[must_use]
    pub fn acts_as(&self) -> &str {
        self.authzid().unwrap_or(&self.authcid)
    }

    /// Returns the trace of an anonymous client: for a log, never for a decision (RFC 4505 section
    /// 2).
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Returns whether the mechanism was ANONYMOUS.
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
    fn both_identities_are_kept() {
        let ann = Identity::new("ann");
        assert_eq!((ann.authcid(), ann.authzid(), ann.acts_as()), ("ann", None, "ann"));
        let shared = ann.clone().with_authzid(Some("office"));
        assert_eq!(
            (shared.authcid(), shared.authzid(), shared.acts_as()),
            ("ann", Some("office"), "office")
        );
        assert_eq!(ann.clone().with_authzid(Some("")), ann);
        assert_eq!(Identity::anonymous(None).acts_as(), "");
    }
}
