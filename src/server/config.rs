//! The configuration of a server.

use super::{
    announcement::Announcement,
    config_error::ConfigError,
    custom_parameter::CustomParameter,
    custom_verb::CustomVerb,
    limits::{Limits, Timeouts},
};
use crate::{
    sasl::Offer,
    service::Service,
    syntax::{
        AttributeName, Extension, Extensions, Host, Lenience, SyntaxError, UnknownVerb, Verb,
    },
    wire::BareLineBreaks,
};
use alloc::{string::ToString, vec::Vec};

/// The configuration of a server: its name, its service, the extensions it offers, its limits and
/// time-outs.
///
/// One configuration is shared by all sessions of a class of clients (`Arc<Config>`); a
/// session is given another one by the `configure` of an event.
///
/// ```
/// use esmtp::server::{Config, Limits};
///
/// let config = Config::new("mx.example.org")?
///     .with_limits(Limits::default().with_message(50 * 1024 * 1024));
/// assert_eq!(config.extensions().size(), Some(50 * 1024 * 1024));
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    host: Host<'static>,
    service: Service,
    /// The extensions that the application wants to offer.
    wanted: Extensions,
    /// The extensions that are offered with this service and these limits.
    offered: Extensions,
    limits: Limits,
    announcement: Announcement,
    /// The longest command line, with what the extensions add to it.
    command_line: usize,
    timeouts: Timeouts,
    lenience: Lenience,
    fitness: Fitness,
    auth: Option<Offer>,
    requires_auth: Option<bool>,
    requires_tls: bool,
    enforces_sync: bool,
    own: Vec<CustomVerb>,
    own_parameters: Vec<CustomParameter>,
}

/// Every extension that the server machine implements.
const IMPLEMENTED: &[Extension] = &[
    Extension::Size,
    Extension::Pipelining,
    Extension::EightBitMime,
    Extension::EnhancedStatusCodes,
    Extension::Chunking,
    Extension::BinaryMime,
    Extension::SmtpUtf8,
    Extension::Dsn,
    Extension::StartTls,
    Extension::Auth,
    Extension::RequireTls,
    Extension::Limits,
    Extension::DeliverBy,
    Extension::MtPriority,
    Extension::FutureRelease,
    Extension::Rrvs,
    Extension::NoSoliciting,
    Extension::ConPerm,
    Extension::ConNeg,
    Extension::Mtrk,
    Extension::Etrn,
    Extension::Atrn,
    Extension::Burl,
    Extension::Vrfy,
    Extension::Expn,
    Extension::Help,
    Extension::Xclient,
    Extension::Xforward,
    Extension::Xverp,
    Extension::Submitter,
];

/// The extensions that need nothing from the application.
const UNDEMANDING: &[Extension] = &[
    Extension::Help,
    Extension::Size,
    Extension::Pipelining,
    Extension::EightBitMime,
    Extension::EnhancedStatusCodes,
    Extension::Chunking,
    Extension::BinaryMime,
];

impl Config {
    /// Returns the configuration of a mail transfer server with this name, which offers the
    /// extensions that need nothing from the application: SIZE, PIPELINING, 8BITMIME,
    /// ENHANCEDSTATUSCODES, CHUNKING, BINARYMIME, HELP.
    ///
    /// # Errors
    ///
    /// `host` is neither a domain nor an address literal (RFC 5321 section 4.1.2), or not ASCII. The error names the usual
    /// mistakes: empty text, white space, a line break, a port, an IP address without its brackets.
    pub fn new(host: impl AsRef<str>) -> Result<Self, SyntaxError> {
        let host = Host::of_self(host.as_ref())?.into_owned();
        let config = Self {
            host,
            service: Service::Smtp,
            wanted: Extensions::NONE,
            offered: Extensions::NONE,
            limits: Limits::default(),
            announcement: Announcement::default(),
            command_line: 0,
            timeouts: Timeouts::default(),
            lenience: Lenience::default(),
            fitness: Fitness { bare_line_breaks: BareLineBreaks::default(), rejects_nul: true },
            auth: None,
            requires_auth: None,
            requires_tls: false,
            enforces_sync: true,
            own: Vec::new(),
            own_parameters: Vec::new(),
        };
        let undemanding = UNDEMANDING.iter().copied();
        Ok(config.with_extensions(undemanding.fold(Extensions::NONE, Extensions::with)))
    }

    /// Sets the service. Extensions that it demands are offered from now on, and those that it does
    /// not have are not.
    #[must_use]
    pub fn with_service(mut self, service: Service) -> Self {
        self.service = service;
        self.offer()
    }

    /// Offers exactly these extensions with their arguments, of those that the machine implements
    /// and the service has, besides what the service demands.
    ///
    /// The arguments of SIZE and LIMITS come from [`Limits`], besides limits that the library does not
    /// know, which the application keeps; the mechanisms of AUTH come from
    /// [`with_auth`](Self::with_auth); XCLIENT and XFORWARD without names take every attribute.
    /// STARTTLS needs a TLS layer around the machine, or an application that answers
    /// [`Upgrade`](super::Upgrade). STARTTLS is announced in the clear only, and REQUIRETLS in TLS
    /// only.
    #[must_use]
    pub fn with_extensions(mut self, extensions: Extensions) -> Self {
        self.wanted = extensions;
        self.offer()
    }

    /// Adds this extension without arguments, if the machine implements it.
    #[must_use]
    pub fn with_extension(self, extension: Extension) -> Self {
        let wanted = self.wanted.clone().with(extension);
        self.with_extensions(wanted)
    }

    /// Adds a verb of the application's own; it replaces one with the same name.
    #[must_use]
    pub fn with_verb(mut self, verb: CustomVerb) -> Self {
        self.own.retain(|own| own.verb() != verb.verb());
        self.own.push(verb);
        self.offer()
    }

    /// Adds a parameter of the application's own on MAIL or RCPT; it replaces one with the same keyword on
    /// the same command.
    #[must_use]
    pub fn with_parameter(mut self, parameter: CustomParameter) -> Self {
        self.own_parameters.retain(|own| !own.replaces(&parameter));
        self.own_parameters.push(parameter);
        self.offer()
    }

    /// Returns the parameters of the application's own.
    pub(super) fn own_parameters(&self) -> &[CustomParameter] {
        &self.own_parameters
    }

    pub(super) fn custom_verb(&self, verb: &UnknownVerb<'_>) -> Option<&CustomVerb> {
        self.own.iter().find(|own| own.verb() == verb)
    }

    /// Returns the extensions that the machine implements.
    pub fn implemented() -> impl Iterator<Item = Extension> {
        IMPLEMENTED.iter().copied()
    }

    /// Sets the limits of a session.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.offer()
    }

    /// Sets how long the server waits.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets which departures from the grammar are accepted.
    #[must_use]
    pub const fn with_lenience(mut self, lenience: Lenience) -> Self {
        self.lenience = lenience;
        self
    }

    /// Sets how content with a bare CR or LF is treated (SMTP smuggling); by default it is refused.
    #[must_use]
    pub const fn with_bare_line_breaks(mut self, policy: BareLineBreaks) -> Self {
        self.fitness.bare_line_breaks = policy;
        self
    }

    /// Sets whether content with a NUL is refused where it is not BINARYMIME (RFC 2045 section 2.8,
    /// RFC 3030 section 3); true by default. Some programs truncate a message at a NUL.
    #[must_use]
    pub const fn with_rejected_nul(mut self, is_rejected: bool) -> Self {
        self.fitness.rejects_nul = is_rejected;
        self
    }

    /// Offers AUTH with these mechanisms, each where it may be used (RFC 4954 section 4): plaintext
    /// passwords in TLS only.
    ///
    /// The application answers [`Event::Credentials`](super::Event::Credentials), which is all that an
    /// attempt needs: [`CredentialsQuestion::check`](super::CredentialsQuestion::check) does so from
    /// what is stored. `proceed()` on the other two questions makes the verifier, and accepts the
    /// identity if the answer was positive.
    #[must_use]
    pub fn with_auth(mut self, offer: Offer) -> Self {
        let host = &self.host;
        self.auth = Some(offer.or_host(|| host.to_string().into()));
        self.offer()
    }

    /// Sets whether MAIL before a successful AUTH gets 530 5.7.0 (RFC 4954 section 6). By default it
    /// does in submission only (RFC 6409 section 4.3).
    #[must_use]
    pub const fn with_required_auth(mut self, is_required: bool) -> Self {
        self.requires_auth = Some(is_required);
        self
    }

    /// Sets whether every command in the clear but EHLO, LHLO, STARTTLS, NOOP and QUIT gets 530 5.7.0
    /// (RFC 3207 section 4). A public mail transfer server must not do this.
    #[must_use]
    pub const fn with_required_tls(mut self, is_required: bool) -> Self {
        self.requires_tls = is_required;
        self
    }

    /// Sets whether early talkers and pipelining violations are answered with 554 and the end of the
    /// session; true by default.
    ///
    /// An early talker sends before the greeting. A pipelining violation (unauthorised pipelining)
    /// is to send, before the reply has come, anything after EHLO, HELO, LHLO, DATA, VRFY, EXPN or
    /// an AUTH that is challenged; where PIPELINING is not offered, after any other command too
    /// (RFC 2920 section 3.1). SMTP clients wait; spam software and attacks that pass one protocol
    /// off as another often do not. Octets that come while a reply is on its way are no violation,
    /// so the outcome depends on when they arrive. With `false` the session continues, and the
    /// [`Facts`](super::Facts) report the violation. Octets after STARTTLS (command injection) are
    /// never served. Some health checks of load balancers do not wait for the greeting.
    #[must_use]
    pub const fn with_enforced_sync(mut self, is_enforced: bool) -> Self {
        self.enforces_sync = is_enforced;
        self
    }

    /// Returns whether early talkers and pipelining violations end the session.
    #[must_use]
    pub const fn enforces_sync(&self) -> bool {
        self.enforces_sync
    }

    /// Returns the mechanisms that AUTH offers; `None` without AUTH.
    #[must_use]
    pub const fn auth(&self) -> Option<&Offer> {
        self.auth.as_ref()
    }

    /// Returns whether mail is accepted only after AUTH.
    #[must_use]
    pub const fn requires_auth(&self) -> bool {
        match self.requires_auth {
            Some(is_required) => is_required,
            None => self.service.requires_auth(),
        }
    }

    /// Returns whether TLS is required.
    #[must_use]
    pub const fn requires_tls(&self) -> bool {
        self.requires_tls
    }

    /// Checks that a server with this configuration, and without a TLS layer around it, can do what the
    /// configuration says. The adapters do so when they accept a connection in the clear.
    ///
    /// ```
    /// use esmtp::{
    ///     server::{Config, ConfigError},
    ///     syntax::Extension,
    /// };
    ///
    /// let config = Config::new("mx.example.org")?.with_extension(Extension::StartTls);
    /// assert_eq!(config.check(), Err(ConfigError::StartTlsWithoutLayer));
    /// assert_eq!(config.check_in_tls_layer(), Ok(()));
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first mistake, with its remedy.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.offered.contains(Extension::StartTls) {
            return Err(ConfigError::StartTlsWithoutLayer);
        }
        if self.offered.contains(Extension::RequireTls) {
            return Err(ConfigError::RequireTlsWithoutLayer);
        }
        if self.requires_tls {
            return Err(ConfigError::RequiredTlsWithoutLayer);
        }
        self.check_in_tls_layer()?;
        match &self.auth {
            Some(offer) if !offer.works_in_the_clear() => Err(ConfigError::AuthWithoutLayer),
            _ => Ok(()),
        }
    }

    /// Checks like [`check`](Self::check), for a server inside a TLS layer: only what cannot work there
    /// either is an error.
    ///
    /// # Errors
    ///
    /// A mechanism of AUTH that this build of the library cannot verify, or required AUTH without a mechanism.
    pub fn check_in_tls_layer(&self) -> Result<(), ConfigError> {
        match &self.auth {
            Some(offer) => offer.check().map_err(ConfigError::Auth),
            // A trusted proxy can authenticate its client (XCLIENT LOGIN).
            None if self.requires_auth() && !self.offered.contains(Extension::Xclient) => {
                Err(ConfigError::RequiredAuthWithoutOffer)
            }
            None => Ok(()),
        }
    }

    fn offer(mut self) -> Self {
        self.offered = self.wanted.clone();
        for extension in Extension::ALL.iter().copied() {
            let is_offered = IMPLEMENTED.contains(&extension) && self.service.has(extension);
            if !is_offered || extension == Extension::Auth {
                self.offered = self.offered.without(extension);
            }
            if self.service.requires(extension) {
                self.offered = self.offered.with(extension);
            }
        }
        // Extensions that need another one (RFC 3030 section 3, RFC 6531 section 3.1).
        for (dependent, other) in [
            (Extension::BinaryMime, Extension::Chunking),
            (Extension::SmtpUtf8, Extension::EightBitMime),
        ] {
            if !self.offered.contains(other) {
                self.offered = self.offered.without(dependent);
            }
        }
        if self.offered.contains(Extension::Size) {
            let stated = Some(self.limits.message).filter(|octets| *octets < u64::MAX);
            self.offered = self.offered.with_size(stated.unwrap_or(0));
        }
        if self.offered.contains(Extension::Limits) {
            let recipients = u32::try_from(self.limits.recipients).unwrap_or_default();
            let transactions = self.limits.transactions.unwrap_or_default();
            // The machine does not count domains; limits that it does not know are the application's.
            let limits = self.wanted.limits().with_rcpt_domain_max(0);
            let limits = limits.with_rcpt_max(recipients).with_mail_max(transactions);
            self.offered = self.offered.with_limits(limits);
        }
        let names = |is_of: fn(AttributeName) -> bool| -> Vec<_> {
            AttributeName::ALL.iter().copied().filter(|name| is_of(*name)).collect()
        };
        // Without a list of attributes, all are accepted.
        if self.offered.contains(Extension::Xclient) && self.offered.xclient().next().is_none() {
            self.offered = self.offered.with_xclient(&names(AttributeName::is_xclient));
        }
        if self.offered.contains(Extension::Xforward) && self.offered.xforward().next().is_none() {
            self.offered = self.offered.with_xforward(&names(AttributeName::is_xforward));
        }
        self.offered = self.own.iter().fold(self.offered, |offered, own| own.announce(offered));
        let own = self.own_parameters.iter();
        self.offered = own.fold(self.offered, |offered, own| own.announce(offered));
        let announced = match self.auth {
            Some(_) => self.offered.clone().with(Extension::Auth),
            None => self.offered.clone(),
        };
        self.command_line = [Verb::Mail, Verb::Rcpt]
            .into_iter()
            .map(|verb| {
                let own = self.own_parameters.iter().map(|own| own.octets(verb));
                own.fold(announced.line_limit(verb), usize::saturating_add)
            })
            .fold(self.limits.command_line, usize::max);
        self.announcement = Announcement::new(&self.host, self.service, &self.offered);
        self
    }

    /// Returns the greeting and the lists of extensions.
    pub(super) const fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// Returns the longest command line, in octets: every parameter that is offered may come with its
    /// greatest length (RFC 5321 section 4.5.3.1.4).
    pub(super) const fn command_line(&self) -> usize {
        self.command_line
    }

    /// Returns the size of the receive buffer, in octets.
    pub(super) fn receive_buffer(&self) -> usize {
        self.limits.receive_buffer.max(self.command_line.saturating_mul(2))
    }

    /// Returns this configuration with no limit of a transaction below the one in `before`.
    pub(super) fn rising_from(&self, before: &Limits) -> Self {
        let limits = Limits {
            message: self.limits.message.max(before.message),
            recipients: self.limits.recipients.max(before.recipients),
            envelope: self.limits.envelope.max(before.envelope),
            ..self.limits
        };
        self.clone().with_limits(limits)
    }

    /// Returns the name in the greeting.
    #[must_use]
    pub const fn host(&self) -> &Host<'static> {
        &self.host
    }

    /// Returns the service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Returns the extensions that EHLO announces, which are those that are accepted.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.offered
    }

    /// Returns the limits of a session.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns how long the server waits.
    #[must_use]
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Returns which departures from the grammar are accepted.
    #[must_use]
    pub const fn lenience(&self) -> Lenience {
        self.lenience
    }

    /// Returns how content with a bare CR or LF is treated.
    #[must_use]
    pub const fn bare_line_breaks(&self) -> BareLineBreaks {
        self.fitness.bare_line_breaks
    }

    /// Returns whether content with a NUL is refused.
    #[must_use]
    pub const fn rejects_nul(&self) -> bool {
        self.fitness.rejects_nul
    }

    pub(super) const fn fitness(&self) -> Fitness {
        self.fitness
    }
}

/// The octets that content may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fitness {
    pub(super) bare_line_breaks: BareLineBreaks,
    pub(super) rejects_nul: bool,
}

impl Fitness {
    /// Any octets: "no restriction on the content" (RFC 3030 section 3).
    pub(super) const ANY: Self =
        Self { bare_line_breaks: BareLineBreaks::Keep, rejects_nul: false };
}
