//! The envelope of a message: reverse-path, forward-paths and their parameters.

use crate::syntax::{ForwardPath, Lenience, Mailbox, Parameters, ReversePath, SyntaxError};
use alloc::vec::Vec;

/// The reverse-path and the forward-paths of a message, with the parameters of MAIL and RCPT (RFC 5321 section 2.3.1).
/// It owns everything that it holds.
///
/// Recipients keep their order, duplicates included: reports and replies refer to them by index.
///
/// ```
/// use esmtp::envelope::Envelope;
///
/// let envelope = Envelope::new("ann@example.org", &["bob@example.net", "Postmaster"])?;
/// assert_eq!(envelope.reverse_path().to_string(), "<ann@example.org>");
/// let paths: Vec<_> = envelope.forward_paths().map(ToString::to_string).collect();
/// assert_eq!(paths, ["<bob@example.net>", "<Postmaster>"]);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
///
/// With parameters, and the null reverse-path of a delivery report:
///
/// ```
/// use esmtp::{envelope::Envelope, syntax::{ForwardPath, Parameters, ReversePath}};
///
/// let envelope = Envelope::from_reverse_path(ReversePath::Null)
///     .with_parameters(Parameters::parse("RET=HDRS")?)
///     .with_recipient(ForwardPath::parse("<bob@example.net>")?, Parameters::parse("NOTIFY=NEVER")?);
/// assert_eq!(envelope.len(), 1);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    reverse_path: ReversePath<'static>,
    parameters: Parameters<'static>,
    recipients: Vec<(ForwardPath<'static>, Parameters<'static>)>,
}

impl Envelope {
    /// Makes an envelope of plain addresses, without brackets and without parameters.
    ///
    /// An empty reverse-path is the null path `<>`; `Postmaster`, in any case and without a
    /// domain, is the recipient that every server has (RFC 5321 section 4.5.1).
    ///
    /// # Errors
    ///
    /// The first address that is not a mailbox.
    pub fn new(reverse_path: &str, forward_paths: &[&str]) -> Result<Self, SyntaxError> {
        Self::new_with(reverse_path, forward_paths, Lenience::default())
    }

    /// Makes an envelope of plain addresses as [`new`](Self::new) does, with these deviations from the grammar of a mailbox
    /// ([`Mailbox::parse_with`]); the client writes the addresses as they are.
    ///
    /// ```
    /// use esmtp::{envelope::Envelope, syntax::Lenience};
    ///
    /// let lenience = Lenience::default().with_dots_in_local_part();
    /// let envelope = Envelope::new_with("ann@example.org", &["bob..b@example.net"], lenience)?;
    /// assert_eq!(envelope.to_string(), "<ann@example.org> -> <bob..b@example.net>");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first address that is not a mailbox.
    pub fn new_with(
        reverse_path: &str,
        forward_paths: &[&str],
        lenience: Lenience,
    ) -> Result<Self, SyntaxError> {
        let owned_mailbox =
            |address| Mailbox::parse_with(address, lenience).map(Mailbox::into_owned);
        let mut envelope = Self::from_reverse_path(if reverse_path.is_empty() {
            ReversePath::Null
        } else {
            ReversePath::Mailbox(owned_mailbox(reverse_path)?)
        });
        envelope.recipients.reserve(forward_paths.len());
        for path in forward_paths {
            let path = if path.eq_ignore_ascii_case("postmaster") {
                ForwardPath::Postmaster
            } else {
                ForwardPath::Mailbox(owned_mailbox(path)?)
            };
            envelope.recipients.push((path, Parameters::NONE));
        }
        Ok(envelope)
    }

    /// Makes an envelope without recipients.
    #[must_use]
    pub const fn from_reverse_path(reverse_path: ReversePath<'static>) -> Self {
        Self { reverse_path, parameters: Parameters::NONE, recipients: Vec::new() }
    }

    /// Replaces the parameters of MAIL.
    ///
    /// `SIZE`, `BODY` and `SMTPUTF8` need not be among them: the client adds them where the
    /// server offers them and the message needs them.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Parameters<'static>) -> Self {
        self.parameters = parameters;
        self
    }

    /// Adds a recipient with the parameters of its RCPT.
    #[must_use]
    pub fn with_recipient(
        mut self,
        forward_path: ForwardPath<'static>,
        parameters: Parameters<'static>,
    ) -> Self {
        self.push(forward_path, parameters);
        self
    }

    /// Adds a recipient.
    pub fn push(&mut self, forward_path: ForwardPath<'static>, parameters: Parameters<'static>) {
        self.recipients.push((forward_path, parameters));
    }

    /// Replaces the reverse-path and its parameters and removes every recipient; memory is kept.
    pub fn reset(&mut self, reverse_path: ReversePath<'static>, parameters: Parameters<'static>) {
        self.reverse_path = reverse_path;
        self.parameters = parameters;
        self.recipients.clear();
    }

    /// Returns the envelope for a server that does not offer DSN: without RET, ENVID, NOTIFY and ORCPT.
    ///
    /// A relay that drops them must send a `relayed` notification for every accepted recipient whose NOTIFY held
    /// SUCCESS, and a `failed` one for every rejected recipient, unless its NOTIFY had no FAILURE (RFC 3461 section
    /// 5.2.2). This envelope still holds those parameters, under the same index.
    #[must_use]
    pub fn without_dsn(&self) -> Self {
        let recipients = self.recipients.iter();
        Self {
            reverse_path: self.reverse_path.clone(),
            parameters: without(&self.parameters, &["RET", "ENVID"]),
            recipients: recipients
                .map(|(path, given)| (path.clone(), without(given, &["NOTIFY", "ORCPT"])))
                .collect(),
        }
    }

    /// Returns the reverse-path, to which reports of non-delivery go.
    #[must_use]
    pub const fn reverse_path(&self) -> &ReversePath<'static> {
        &self.reverse_path
    }

    /// Returns the parameters of MAIL.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters<'static> {
        &self.parameters
    }

    /// Iterates over the forward-paths with the parameters of their RCPT, in order.
    #[must_use]
    pub fn recipients(
        &self,
    ) -> impl ExactSizeIterator<Item = (&ForwardPath<'static>, &Parameters<'static>)> {
        self.recipients.iter().map(|(path, parameters)| (path, parameters))
    }

    /// Iterates over the forward-paths, in order.
    #[must_use]
    pub fn forward_paths(&self) -> impl ExactSizeIterator<Item = &ForwardPath<'static>> {
        self.recipients.iter().map(|(path, _)| path)
    }

    /// Returns the recipient at an index, with the parameters of its RCPT.
    #[must_use]
    pub fn recipient(&self, index: usize) -> Option<(&ForwardPath<'static>, &Parameters<'static>)> {
        self.recipients.get(index).map(|(path, parameters)| (path, parameters))
    }

    /// Returns the number of recipients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recipients.len()
    }

    /// Returns whether there is no recipient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty()
    }

    /// Returns whether every path and every parameter is ASCII; otherwise the server must offer SMTPUTF8
    /// (RFC 6531 section 3.3).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.reverse_path.is_ascii()
            && self.parameters.as_str().is_ascii()
            && self
                .recipients()
                .all(|(path, parameters)| path.is_ascii() && parameters.as_str().is_ascii())
    }
}

fn without(parameters: &Parameters<'_>, keywords: &[&str]) -> Parameters<'static> {
    let mut rest = Parameters::NONE;
    for one in parameters.iter().filter(|one| !keywords.iter().any(|keyword| one.matches(keyword)))
    {
        rest.push_valid(one.keyword(), one.value());
    }
    rest
}

impl core::fmt::Display for Envelope {
    /// Writes `<ann@example.org> -> <bob@example.net>, <carl@example.com>`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} -> ", self.reverse_path)?;
        for (index, path) in self.forward_paths().enumerate() {
            write!(f, "{}{path}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn plain_addresses_make_paths() {
        let envelope = Envelope::new("", &["bob@example.net", "postMASTER"]).unwrap();
        assert_eq!(envelope.to_string(), "<> -> <bob@example.net>, <Postmaster>");
        assert!(envelope.is_ascii());
        assert_eq!(envelope.len(), 2);
    }

    #[test]
    fn an_address_cannot_carry_a_command() {
        for address in [
            "a@client.example>\r\nRCPT TO:<evil@evil.example",
            "a@client.example> SIZE=1 <evil@evil.example",
            "a@client.example\r\n",
            "\na@client.example",
            "\"a\nb\"@client.example",
            "a b@client.example",
            "a<b@client.example",
            "a@client.example\0",
            "a\u{85}RCPT@client.example",
            "a@client\u{2028}.example",
        ] {
            assert!(Envelope::new(address, &["bob@example.net"]).is_err(), "{address:?}");
            assert!(Envelope::new("", &[address]).is_err(), "{address:?}");
        }
    }
}
