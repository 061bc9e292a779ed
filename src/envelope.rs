//! The envelope of a message: reverse-path, forward-paths and their parameters.
//!
//! [`Envelope::new`] takes plain addresses; [`Envelope::with_notify`] and its kin ask for delivery status notifications;
//! [`Envelope::split`] divides a long list. A report gives back the envelope of those recipients that are left:
//! [`Report::rest`](crate::client::Report::rest), [`Report::envelope_of`](crate::client::Report::envelope_of).
//!
//! ```
//! use esmtp::{Envelope, syntax::Notify};
//!
//! let envelope = Envelope::new("ann@example.org", ["bob@example.net", "eve@example.net"])?.with_notify(Notify::NEVER);
//! assert_eq!(envelope.len(), 2);
//! assert_eq!(envelope.to_string(), "<ann@example.org> -> <bob@example.net>, <eve@example.net>");
//! # Ok::<(), esmtp::envelope::EnvelopeError>(())
//! ```

use crate::syntax::{
    EnvelopeId, ForwardPath, Lenience, Mailbox, Notify, Parameters, Ret, ReversePath, SyntaxError,
};
use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt::{self, Write};

/// The reverse-path and the forward-paths of a message, with the parameters of MAIL and RCPT (RFC 5321 section 2.3.1).
/// It owns everything that it holds.
///
/// Recipients keep their order, duplicates included: reports and replies refer to them by index.
///
/// ```
/// use esmtp::envelope::Envelope;
///
/// let envelope = Envelope::new("ann@example.org", ["bob@example.net", "Postmaster"])?;
/// assert_eq!(envelope.reverse_path().to_string(), "<ann@example.org>");
/// let paths: Vec<_> = envelope.forward_paths().map(ToString::to_string).collect();
/// assert_eq!(paths, ["<bob@example.net>", "<Postmaster>"]);
/// # Ok::<(), esmtp::envelope::EnvelopeError>(())
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
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    reverse_path: ReversePath<'static>,
    parameters: Parameters<'static>,
    recipients: Vec<(ForwardPath<'static>, Parameters<'static>)>,
}

impl Envelope {
    /// Makes an envelope of plain addresses, without brackets, without display names and without parameters.
    /// The forward-paths are anything that iterates over text: an array, a slice, a `Vec<String>`, a map of
    /// some list.
    ///
    /// An empty reverse-path is the null path `<>`; `Postmaster`, in any case and without a
    /// domain, is the recipient that every server has (RFC 5321 section 4.5.1). Mailboxes that were
    /// parsed before, and recipients with parameters, are added with
    /// [`with_recipient`](Self::with_recipient), [`push`](Self::push) and [`extend`](Self::extend).
    ///
    /// ```
    /// use esmtp::envelope::Envelope;
    ///
    /// let members = vec![String::from("bob@example.net"), String::from("carl@example.net")];
    /// assert_eq!(Envelope::new("", &members)?.len(), 2);
    ///
    /// let error = Envelope::new("ann@example.org", ["bob@example.net", "Eve <eve@example.net>"]).unwrap_err();
    /// assert_eq!(error.index(), Some(1));
    /// assert_eq!(
    ///     error.to_string(),
    ///     "recipient 1, `Eve <eve@example.net>`: a display name is not part of an address"
    /// );
    /// # Ok::<(), esmtp::envelope::EnvelopeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first address that is not a mailbox, with its index and what is wrong: an IPv4 address without its brackets
    /// (`ann@192.0.2.1`), too.
    pub fn new<F>(reverse_path: impl AsRef<str>, forward_paths: F) -> Result<Self, EnvelopeError>
    where
        F: IntoIterator<Item: AsRef<str>>,
    {
        Self::read(reverse_path.as_ref(), forward_paths, |address| {
            Mailbox::parse(address).and_then(Mailbox::with_brackets)
        })
    }

    /// Makes an envelope of plain addresses as [`new`](Self::new) does, with these deviations from the grammar of a mailbox
    /// ([`Mailbox::parse_with`]); the client writes the addresses as they are. It is for addresses that a server has accepted and
    /// that were kept as text: it takes an IPv4 address without its brackets (`ann@192.0.2.1`), which `new` rejects and
    /// RCPT does not.
    ///
    /// ```
    /// use esmtp::{envelope::Envelope, syntax::Lenience};
    ///
    /// let lenience = Lenience::default().with_dots_in_local_part();
    /// let envelope = Envelope::new_with("ann@example.org", ["bob..b@example.net"], lenience)?;
    /// assert_eq!(envelope.to_string(), "<ann@example.org> -> <bob..b@example.net>");
    /// # Ok::<(), esmtp::envelope::EnvelopeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first address that is not a mailbox, with its index and what is wrong.
    pub fn new_with<F>(
        reverse_path: impl AsRef<str>,
        forward_paths: F,
        lenience: Lenience,
    ) -> Result<Self, EnvelopeError>
    where
        F: IntoIterator<Item: AsRef<str>>,
    {
        Self::read(reverse_path.as_ref(), forward_paths, |address| {
            Mailbox::parse_with(address, lenience)
        })
    }

    /// Makes an envelope of addresses that a function reads.
    fn read<F>(
        reverse_path: &str,
        forward_paths: F,
        mailbox: impl Fn(&str) -> Result<Mailbox<'_>, SyntaxError>,
    ) -> Result<Self, EnvelopeError>
    where
        F: IntoIterator<Item: AsRef<str>>,
    {
        let owned_mailbox = |index, address: &str| {
            let mailbox = mailbox(address).map(Mailbox::into_owned);
            mailbox.map_err(|error| EnvelopeError { index, address: address.into(), error })
        };
        let mut envelope = Self::from_reverse_path(match reverse_path {
            "" => ReversePath::Null,
            address => ReversePath::Mailbox(owned_mailbox(None, address)?),
        });
        let forward_paths = forward_paths.into_iter();
        envelope.recipients.reserve(forward_paths.size_hint().0);
        for (index, path) in forward_paths.enumerate() {
            let path = path.as_ref();
            let path = if path.eq_ignore_ascii_case("postmaster") {
                ForwardPath::Postmaster
            } else {
                ForwardPath::Mailbox(owned_mailbox(Some(index), path)?)
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

    /// Sets how much of the message comes back with a notification of failure (RET, RFC 3461 section 4.3).
    #[must_use]
    pub fn with_ret(mut self, ret: Ret) -> Self {
        self.parameters = with_value(&self.parameters, "RET", ret.as_str());
        self
    }

    /// Sets the identifier that notifications repeat (ENVID, RFC 3461 section 4.4): [`EnvelopeId::encode`] makes it of plain
    /// text.
    #[must_use]
    pub fn with_envelope_id(mut self, id: &EnvelopeId<'_>) -> Self {
        self.parameters = with_value(&self.parameters, "ENVID", id.as_xtext().as_str());
        self
    }

    /// Sets the events of which the sender is notified (NOTIFY, RFC 3461 section 4.1), for every recipient that was
    /// added before.
    ///
    /// The server must offer DSN, or [`Ready::send`](crate::client::Ready::send) finds an obstacle:
    /// [`without_dsn`](Self::without_dsn) is for a server that does not.
    ///
    /// ```
    /// use esmtp::{envelope::Envelope, syntax::{Notify, Ret}};
    ///
    /// let envelope = Envelope::new("ann@example.org", ["bob@example.net"])?
    ///     .with_ret(Ret::Headers)
    ///     .with_notify(Notify::parse("SUCCESS,FAILURE")?);
    /// assert_eq!(envelope.parameters().to_string(), "RET=HDRS");
    /// assert!(envelope.recipients().all(|(_, rcpt)| rcpt.to_string() == "NOTIFY=SUCCESS,FAILURE"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_notify(mut self, notify: Notify) -> Self {
        let notify = notify.to_string();
        for (_, parameters) in &mut self.recipients {
            *parameters = with_value(parameters, "NOTIFY", &notify);
        }
        self
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

    /// Adds a recipient, a forward-path or a mailbox, with the parameters of its RCPT.
    ///
    /// ```
    /// use esmtp::{envelope::Envelope, syntax::{Mailbox, Notify, RcptParameters, ReversePath}};
    ///
    /// let never = RcptParameters::default().with_notify(Notify::NEVER).to_parameters();
    /// let envelope = Envelope::from_reverse_path(ReversePath::Null)
    ///     .with_recipient("bob@example.net".parse::<Mailbox>()?, never);
    /// assert_eq!(envelope.to_string(), "<> -> <bob@example.net>");
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn with_recipient(
        mut self,
        forward_path: impl Into<ForwardPath<'static>>,
        parameters: Parameters<'static>,
    ) -> Self {
        self.push(forward_path, parameters);
        self
    }

    /// Adds a recipient, a forward-path or a mailbox.
    pub fn push(
        &mut self,
        forward_path: impl Into<ForwardPath<'static>>,
        parameters: Parameters<'static>,
    ) {
        self.recipients.push((forward_path.into(), parameters));
    }

    /// Divides the recipients, in order, among envelopes of at most `most` recipients each (0 counts as 1), with the
    /// reverse-path and all parameters in each. A server need not take more than 100 recipients at once
    /// (RFC 5321 section 4.5.3.1.8).
    ///
    /// ```
    /// use esmtp::envelope::Envelope;
    ///
    /// let envelope = Envelope::new("", (0..250).map(|n| format!("{n}@example.net")))?;
    /// assert_eq!(envelope.split(100).map(|part| part.len()).collect::<Vec<_>>(), [100, 100, 50]);
    /// # Ok::<(), esmtp::envelope::EnvelopeError>(())
    /// ```
    #[must_use]
    pub fn split(&self, most: usize) -> impl ExactSizeIterator<Item = Self> {
        self.recipients.chunks(most.max(1)).map(|recipients| Self {
            reverse_path: self.reverse_path.clone(),
            parameters: self.parameters.clone(),
            recipients: recipients.to_vec(),
        })
    }

    /// Returns the envelope with the A-labels of every domain, for a server that does not offer SMTPUTF8
    /// (RFC 5891 section 4.4). It [is ASCII](Self::is_ascii) unless a parameter holds other text.
    ///
    /// # Errors
    ///
    /// The first address whose local-part is not ASCII: it has no other form (RFC 6531 section 3.2).
    #[cfg(feature = "idna")]
    pub fn to_ascii(&self) -> Result<Self, EnvelopeError> {
        let ascii = |index: Option<usize>, mailbox: &Mailbox<'static>| {
            let ascii = mailbox.to_ascii();
            ascii.map_err(|error| EnvelopeError { index, address: mailbox.to_string(), error })
        };
        let reverse_path = match &self.reverse_path {
            ReversePath::Mailbox(mailbox) => ReversePath::Mailbox(ascii(None, mailbox)?),
            other => other.clone(),
        };
        let mut envelope =
            Self::from_reverse_path(reverse_path).with_parameters(self.parameters.clone());
        for (index, (path, parameters)) in self.recipients().enumerate() {
            let path = match path {
                ForwardPath::Mailbox(mailbox) => ForwardPath::Mailbox(ascii(Some(index), mailbox)?),
                other => other.clone(),
            };
            envelope.push(path, parameters.clone());
        }
        Ok(envelope)
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
    #[doc(alias("sender", "from", "mail_from", "return_path"))]
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
    #[doc(alias("to", "rcpt_to"))]
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

/// Adds recipients without parameters: forward-paths or mailboxes.
impl<P: Into<ForwardPath<'static>>> Extend<P> for Envelope {
    fn extend<I: IntoIterator<Item = P>>(&mut self, forward_paths: I) {
        let paths = forward_paths.into_iter().map(|path| (path.into(), Parameters::NONE));
        self.recipients.extend(paths);
    }
}

/// The error for an address of an envelope: where it stands, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeError {
    index: Option<usize>,
    address: String,
    error: SyntaxError,
}

impl EnvelopeError {
    /// Returns the place among the forward-paths, from 0; `None` for the reverse-path.
    #[must_use]
    pub const fn index(&self) -> Option<usize> {
        self.index
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the error of syntax, whose offset is in the address.
    #[must_use]
    pub const fn error(&self) -> SyntaxError {
        self.error
    }
}

impl fmt::Display for EnvelopeError {
    /// Writes ``recipient 1, `bob`: no @ in the address``, with control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "recipient {index}")?,
            None => f.write_str("reverse-path")?,
        }
        f.write_str(", `")?;
        for character in self.address.chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        f.write_str("`: ")?;
        self.error.write_reason(f)
    }
}

impl core::error::Error for EnvelopeError {}

/// Returns the parameters with this value for the keyword, which replaces one that is there.
fn with_value(parameters: &Parameters<'_>, keyword: &str, value: &str) -> Parameters<'static> {
    let mut with = without(parameters, &[keyword]);
    with.push_valid(keyword, Some(value));
    with
}

fn without(parameters: &Parameters<'_>, keywords: &[&str]) -> Parameters<'static> {
    let mut rest = Parameters::NONE;
    for one in parameters.iter().filter(|one| !keywords.iter().any(|keyword| one.matches(keyword)))
    {
        rest.push_valid(one.keyword(), one.value());
    }
    rest
}

/// Copies the envelope, for a call that keeps it (`send` and its kin): the caller has it for another server. Shared in an
/// `Arc`, it is not copied.
impl From<&Envelope> for Arc<Envelope> {
    fn from(envelope: &Envelope) -> Self {
        Self::new(envelope.clone())
    }
}

/// A list of which `Debug` shows the first few members, and how many there are besides.
pub(crate) struct Few<I>(pub(crate) I);

impl<I: ExactSizeIterator<Item: fmt::Debug> + Clone> fmt::Debug for Few<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let mut list = f.debug_list();
        list.entries(self.0.clone().take(SHOWN));
        match self.0.len().saturating_sub(SHOWN) {
            0 => {}
            more => drop(list.entry(&format_args!("and {more} more"))),
        }
        list.finish()
    }
}

/// Returns a path with its parameters, as MAIL and RCPT have them.
pub(crate) fn with_parameters(path: &dyn fmt::Display, parameters: &Parameters<'_>) -> String {
    match parameters.as_str() {
        "" => path.to_string(),
        parameters => format!("{path} {parameters}"),
    }
}

/// Text, and a few of the recipients, however many there are.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recipients = self.recipients.iter();
        f.debug_struct("Envelope")
            .field("reverse_path", &with_parameters(&self.reverse_path, &self.parameters))
            .field("recipients", &Few(recipients.map(|(path, given)| with_parameters(path, given))))
            .finish()
    }
}

impl fmt::Display for Envelope {
    /// Writes `<ann@example.org> -> <bob@example.net>, <carl@example.com>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    #[test]
    fn plain_addresses_make_paths() {
        let envelope = Envelope::new("", &["bob@example.net", "postMASTER"]).unwrap();
        assert_eq!(envelope.to_string(), "<> -> <bob@example.net>, <Postmaster>");
        assert!(envelope.is_ascii());
        assert_eq!(envelope.len(), 2);
    }

    #[test]
    fn forward_paths_are_anything_that_iterates_over_text() {
        let strings = [String::from("bob@example.net"), String::from("carl@example.net")];
        let texts: [&str; 2] = [&strings[0], &strings[1]];
        let mailboxes = texts.map(|text| Mailbox::parse(text).unwrap().into_owned());
        let mut extended = Envelope::from_reverse_path(ReversePath::Null);
        extended.extend(mailboxes);
        for envelope in [
            Envelope::new("", &strings),
            Envelope::new("", strings.to_vec()),
            Envelope::new(String::new(), strings.iter()),
            Envelope::new("", texts),
            Envelope::new("", &texts),
            Envelope::new("", &texts[..]),
            Envelope::new("", strings.iter().map(String::as_str)),
            Envelope::new("", "bob@example.net, carl@example.net".split(", ")),
        ] {
            assert_eq!(envelope.unwrap(), extended);
        }
    }

    #[test]
    fn errors_name_the_place_the_address_and_the_fault() {
        for (reverse_path, forward_paths, message) in [
            ("", ["b@c.d", "bob"], "recipient 1, `bob`: no @ in the address"),
            (
                "",
                ["b@exa_mple.org", "bob"],
                "recipient 0, `b@exa_mple.org`: an underscore in the domain name",
            ),
            (
                "Ann <ann@example.org>",
                ["b@c.d", "b@c.d"],
                "reverse-path, `Ann <ann@example.org>`: a display name is not part of an address",
            ),
            (
                "",
                ["b@c.d", "e\u{85}@c.d"],
                "recipient 1, `e\\u{85}@c.d`: a character that no local-part holds",
            ),
        ] {
            let error = Envelope::new(reverse_path, forward_paths).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(
                error.address(),
                error.index().map_or(reverse_path, |index| forward_paths[index])
            );
        }
    }

    #[test]
    fn parts_of_an_envelope_keep_its_parameters() {
        let envelope = Envelope::new("ann@example.org", ["a@b.c", "d@e.f", "g@h.i"])
            .unwrap()
            .with_ret(Ret::Full)
            .with_ret(Ret::Headers)
            .with_notify(Notify::NEVER);
        let parts: Vec<_> = envelope.split(2).collect();
        assert_eq!(parts.iter().map(Envelope::len).collect::<Vec<_>>(), [2, 1]);
        assert!(parts.iter().all(|part| part.parameters().as_str() == "RET=HDRS"));
        let mut rejoined = parts[0].clone();
        for (path, parameters) in parts[1].recipients() {
            rejoined.push(path.clone(), parameters.clone());
        }
        assert_eq!(rejoined, envelope);
        assert_eq!(envelope.split(0).len(), 3);
    }

    #[cfg(feature = "idna")]
    #[test]
    fn domains_have_an_ascii_form_and_local_parts_have_not() {
        let envelope =
            Envelope::new("ann@b\u{fc}cher.example", ["bob@b\u{fc}cher.example"]).unwrap();
        let ascii = envelope.to_ascii().unwrap();
        assert!(ascii.is_ascii());
        assert_eq!(ascii.to_string(), "<ann@xn--bcher-kva.example> -> <bob@xn--bcher-kva.example>");
        let error = Envelope::new("", ["j\u{fc}rg@example.net"]).unwrap().to_ascii().unwrap_err();
        assert_eq!((error.index(), error.address()), (Some(0), "j\u{fc}rg@example.net"));
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
