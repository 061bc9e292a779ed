//! What MAIL may carry.

use alloc::string::ToString as _;
use core::fmt;

use super::DateTime;
use super::keywords::{Given, MAIL, MailKeyword, filled, read};
use super::lanes::{decimal, is_name};
use super::xtext::encoded;
use super::{
    DeliverBy, EnvelopeId, Extension, Extensions, Hold, HoldSeconds, Lenience, Mailbox, Parameters,
    Priority, Ret, Solicitation, Submitter, SyntaxError, SyntaxErrorKind, Tracking, TransactionId,
    Verp, Xtext,
};

/// The parameters of MAIL, each with its type. An absent one is `None`.
///
/// ```
/// use esmtp::syntax::{Body, Extension, Extensions, MailParameters, Parameters, Ret};
///
/// let offered = Extensions::from_iter([Extension::Size, Extension::EightBitMime, Extension::Dsn]);
/// let parameters = Parameters::parse("SIZE=1000 BODY=8BITMIME RET=HDRS")?;
/// let typed = MailParameters::parse(&parameters, &offered)?;
/// assert_eq!((typed.size(), typed.body(), typed.ret()), (Some(1000), Some(Body::EightBitMime), Some(Ret::Headers)));
/// assert_eq!(typed.to_parameters(), parameters);
/// let made = MailParameters::default().with_size(1000).with_body(Body::EightBitMime).with_ret(Ret::Headers);
/// assert_eq!(made, typed);
///
/// let error = MailParameters::parse(&Parameters::parse("SMTPUTF8")?, &offered).unwrap_err();
/// assert_eq!(error.code().get(), 555);
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    pub(super) size: Option<u64>,
    pub(super) body: Option<Body>,
    pub(super) is_smtputf8: bool,
    pub(super) is_tls_required: bool,
    pub(super) ret: Option<Ret>,
    pub(super) envelope_id: Option<EnvelopeId<'a>>,
    pub(super) submitter: Option<Submitter<'a>>,
    pub(super) deliver_by: Option<DeliverBy>,
    pub(super) hold: Option<Hold<'a>>,
    pub(super) priority: Option<Priority>,
    pub(super) solicitation: Option<Solicitation<'a>>,
    pub(super) is_conversion_permitted: bool,
    pub(super) tracking: Option<Tracking<'a>>,
    pub(super) transaction_id: Option<TransactionId<'a>>,
    pub(super) verp: Option<Verp>,
    pub(super) responsible_submitter: Option<Mailbox<'a>>,
}

/// The value of BODY (RFC 6152 section 3, RFC 3030 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Body {
    /// 7BIT: lines of ASCII.
    SevenBit,
    /// 8BITMIME: lines of any octets but NUL, CR and LF.
    EightBitMime,
    /// BINARYMIME: any octets; only with BDAT.
    BinaryMime,
}

impl Body {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::SevenBit, Self::EightBitMime, Self::BinaryMime];

    /// Returns the keyword as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<'a> MailParameters<'a> {
    /// Reads the parameters, where `offered` was announced.
    ///
    /// # Errors
    ///
    /// They name the parameter and its offset. 501: a duplicate, a missing or forbidden value, a value outside the
    /// grammar or its range, HOLDFOR together with HOLDUNTIL. 555: BODY=BINARYMIME where only 8BITMIME was announced, a
    /// parameter of RCPT, or one that no extension in `offered` defines ([`SyntaxErrorKind::UnknownParameter`]).
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        Self::parse_known(parameters, offered, |_| false)
    }

    /// Reads the parameters as [`parse`](Self::parse) does, with these deviations from the grammar of the mailbox in AUTH
    /// ([`Mailbox::parse_with`](super::Mailbox::parse_with)).
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for what is not tolerated.
    pub fn parse_with(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        lenience: Lenience,
    ) -> Result<Self, SyntaxError> {
        Self::read(parameters, offered, lenience, |_| false)
    }

    /// Reads the parameters as [`parse`](Self::parse) does, and accepts the keywords that `is_known` names and no
    /// extension of [`Extension::ALL`] defines; those stay raw in `parameters`.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), for keywords that are not known.
    pub fn parse_known(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Self, SyntaxError> {
        Self::read(parameters, offered, Lenience::default(), is_known)
    }

    pub(crate) fn read(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
        lenience: Lenience,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Self, SyntaxError> {
        filled(|typed: &mut Self| typed.fill(parameters, (offered, &lenience), is_known))
    }

    /// Reads the parameters into an empty value where it stands: inlined, the value would be copied twice.
    #[inline(never)]
    fn fill(
        &mut self,
        parameters: &'a Parameters<'_>,
        (offered, lenience): (&Extensions, &Lenience),
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), SyntaxError> {
        read(&MAIL, (parameters, offered), is_known, |keyword, given| {
            self.take(keyword, given, (offered, lenience))
        })
    }

    fn take(
        &mut self,
        keyword: MailKeyword,
        given: Given<'a>,
        (offered, lenience): (&Extensions, &Lenience),
    ) -> Result<(), SyntaxError> {
        match keyword {
            MailKeyword::Size => given.once(&mut self.size, size),
            MailKeyword::Body => given.once(&mut self.body, |value| body(value, offered)),
            MailKeyword::SmtpUtf8 => given.flag(&mut self.is_smtputf8),
            MailKeyword::Ret => given.once(&mut self.ret, |value| Ret::parse(value).ok_or(VALUE)),
            MailKeyword::EnvelopeId => {
                given.once(&mut self.envelope_id, |value| EnvelopeId::new(Xtext::parse(value)?))
            }
            MailKeyword::Auth => {
                given.once(&mut self.submitter, |value| Submitter::parse_with(value, *lenience))
            }
            MailKeyword::RequireTls => given.flag(&mut self.is_tls_required),
            MailKeyword::By => given.once(&mut self.deliver_by, DeliverBy::parse),
            MailKeyword::HoldFor => {
                self.hold_once(matches!(self.hold, Some(Hold::Until(_))), given.keyword)?;
                given.once(&mut self.hold, |value| HoldSeconds::parse(value).map(Hold::For))
            }
            MailKeyword::HoldUntil => {
                self.hold_once(matches!(self.hold, Some(Hold::For(_))), given.keyword)?;
                given.once(&mut self.hold, |value| DateTime::new(value).map(Hold::Until))
            }
            MailKeyword::MtPriority => given.once(&mut self.priority, Priority::parse),
            MailKeyword::Solicit => given.once(&mut self.solicitation, Solicitation::parse),
            MailKeyword::ConPerm => given.flag(&mut self.is_conversion_permitted),
            MailKeyword::Mtrk => given.once(&mut self.tracking, Tracking::parse),
            MailKeyword::Xverp => given.with_or_without(&mut self.verp, Verp::read),
            MailKeyword::Submitter => given.once(&mut self.responsible_submitter, |value| {
                match Submitter::parse_with(value, *lenience)? {
                    Submitter::Mailbox(mailbox) => Ok(mailbox),
                    Submitter::Unknown => Err(VALUE),
                }
            }),
            MailKeyword::TransactionId => {
                given.once(&mut self.transaction_id, TransactionId::parse)
            }
        }
    }

    /// Fails where both HOLDFOR and HOLDUNTIL are given: "A client MUST NOT give both" (RFC 4865 section 3).
    fn hold_once(&self, is_other: bool, keyword: &'static str) -> Result<(), SyntaxError> {
        match is_other {
            false => Ok(()),
            true => {
                Err(SyntaxError::new(SyntaxErrorKind::ConflictingParameters, 0)
                    .of_parameter(keyword))
            }
        }
    }

    /// Returns the value of SIZE: octets of the message as the client declares them (RFC 1870 section 3).
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Sets the value of SIZE.
    #[must_use]
    pub const fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// Returns the value of BODY: the octets that the content may hold (RFC 6152, RFC 3030).
    #[must_use]
    pub const fn body(&self) -> Option<Body> {
        self.body
    }

    /// Sets the value of BODY.
    #[must_use]
    pub const fn with_body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// Returns whether SMTPUTF8 is present: addresses or header fields are UTF-8 (RFC 6531 section 3.4).
    #[must_use]
    pub const fn is_smtputf8(&self) -> bool {
        self.is_smtputf8
    }

    /// Adds SMTPUTF8.
    #[must_use]
    pub const fn with_smtputf8(mut self) -> Self {
        self.is_smtputf8 = true;
        self
    }

    /// Returns whether REQUIRETLS is present: TLS on every further hop (RFC 8689 section 2). It outranks a field
    /// `TLS-Required` in the message (section 4.1).
    #[must_use]
    pub const fn is_tls_required(&self) -> bool {
        self.is_tls_required
    }

    /// Adds REQUIRETLS.
    #[must_use]
    pub const fn with_require_tls(mut self) -> Self {
        self.is_tls_required = true;
        self
    }

    /// Returns the value of RET: how much of the message a failure notification returns (RFC 3461 section 4.3).
    #[must_use]
    pub const fn ret(&self) -> Option<Ret> {
        self.ret
    }

    /// Sets the value of RET.
    #[must_use]
    pub const fn with_ret(mut self, ret: Ret) -> Self {
        self.ret = Some(ret);
        self
    }

    /// Returns the value of ENVID: the sender's identifier of the envelope (RFC 3461 section 4.4).
    #[must_use]
    pub const fn envelope_id(&self) -> Option<&EnvelopeId<'a>> {
        self.envelope_id.as_ref()
    }

    /// Sets the value of ENVID.
    #[must_use]
    pub fn with_envelope_id(mut self, envelope_id: EnvelopeId<'a>) -> Self {
        self.envelope_id = Some(envelope_id);
        self
    }

    /// Returns the value of AUTH: the identity that submitted the message (RFC 4954 section 5).
    #[must_use]
    pub const fn submitter(&self) -> Option<&Submitter<'a>> {
        self.submitter.as_ref()
    }

    /// Sets the value of AUTH.
    #[must_use]
    pub fn with_submitter(mut self, submitter: Submitter<'a>) -> Self {
        self.submitter = Some(submitter);
        self
    }

    /// Returns the value of BY: the time within which the message is to be delivered (RFC 2852 section 4).
    #[must_use]
    pub const fn deliver_by(&self) -> Option<DeliverBy> {
        self.deliver_by
    }

    /// Sets the value of BY.
    #[must_use]
    pub const fn with_deliver_by(mut self, deliver_by: DeliverBy) -> Self {
        self.deliver_by = Some(deliver_by);
        self
    }

    /// Returns the value of HOLDFOR or HOLDUNTIL: the time of release (RFC 4865 section 3).
    #[must_use]
    pub const fn hold(&self) -> Option<&Hold<'a>> {
        self.hold.as_ref()
    }

    /// Sets the value of HOLDFOR or HOLDUNTIL.
    #[must_use]
    pub fn with_hold(mut self, hold: Hold<'a>) -> Self {
        self.hold = Some(hold);
        self
    }

    /// Returns the value of MT-PRIORITY: the priority of the message (RFC 6710 section 4).
    #[must_use]
    pub const fn priority(&self) -> Option<Priority> {
        self.priority
    }

    /// Sets the value of MT-PRIORITY.
    #[must_use]
    pub const fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Returns the value of SOLICIT: classes of solicitation (RFC 3865 section 2).
    #[must_use]
    pub const fn solicitation(&self) -> Option<&Solicitation<'a>> {
        self.solicitation.as_ref()
    }

    /// Sets the value of SOLICIT.
    #[must_use]
    pub fn with_solicitation(mut self, solicitation: Solicitation<'a>) -> Self {
        self.solicitation = Some(solicitation);
        self
    }

    /// Returns whether CONPERM is present: the content may be converted (RFC 4141 section 4).
    #[must_use]
    pub const fn is_conversion_permitted(&self) -> bool {
        self.is_conversion_permitted
    }

    /// Adds CONPERM.
    #[must_use]
    pub const fn with_conversion_permitted(mut self) -> Self {
        self.is_conversion_permitted = true;
        self
    }

    /// Returns the value of MTRK: the message may be tracked (RFC 3885 section 3).
    #[must_use]
    pub const fn tracking(&self) -> Option<&Tracking<'a>> {
        self.tracking.as_ref()
    }

    /// Sets the value of MTRK.
    #[must_use]
    pub fn with_tracking(mut self, tracking: Tracking<'a>) -> Self {
        self.tracking = Some(tracking);
        self
    }

    /// Returns the value of TRANSID: the identifier by which the transaction can be resumed (RFC 1845 section 2).
    #[must_use]
    pub const fn transaction_id(&self) -> Option<&TransactionId<'a>> {
        self.transaction_id.as_ref()
    }

    /// Sets the value of TRANSID.
    #[must_use]
    pub fn with_transaction_id(mut self, transaction_id: TransactionId<'a>) -> Self {
        self.transaction_id = Some(transaction_id);
        self
    }

    /// Returns the value of XVERP: a reverse-path for each recipient (Postfix).
    #[must_use]
    pub const fn verp(&self) -> Option<Verp> {
        self.verp
    }

    /// Adds XVERP.
    #[must_use]
    pub const fn with_verp(mut self, verp: Verp) -> Self {
        self.verp = Some(verp);
        self
    }

    /// Returns the value of SUBMITTER: the mailbox that is responsible for sending the message to this hop (RFC 4405
    /// section 4). It is what the client claims; the identity that submitted the message is
    /// [`submitter`](Self::submitter).
    ///
    /// ```
    /// use esmtp::syntax::{Extension, Extensions, Mailbox, MailParameters, Parameters};
    ///
    /// let offered = Extensions::NONE.with(Extension::Submitter);
    /// let parameters = Parameters::parse("SUBMITTER=ann+2Blist@example.org")?;
    /// let typed = MailParameters::parse(&parameters, &offered)?;
    /// assert_eq!(typed.responsible_submitter(), Some(&Mailbox::parse("ann+list@example.org")?));
    /// # Ok::<(), esmtp::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub const fn responsible_submitter(&self) -> Option<&Mailbox<'a>> {
        self.responsible_submitter.as_ref()
    }

    /// Sets the value of SUBMITTER, which is written as xtext.
    #[must_use]
    pub fn with_responsible_submitter(mut self, mailbox: Mailbox<'a>) -> Self {
        self.responsible_submitter = Some(mailbox);
        self
    }

    /// Returns the parameters as they stand in a command.
    #[must_use]
    pub fn to_parameters(&self) -> Parameters<'static> {
        let mut list = Parameters::NONE;
        list.give("SIZE", self.size.as_ref());
        list.give("BODY", self.body.map(Body::as_str));
        list.give_flag("SMTPUTF8", self.is_smtputf8);
        list.give_flag("REQUIRETLS", self.is_tls_required);
        list.give("RET", self.ret.map(Ret::as_str));
        list.give("ENVID", self.envelope_id.as_ref().map(EnvelopeId::as_xtext));
        list.give("AUTH", self.submitter.as_ref());
        list.give("BY", self.deliver_by);
        match &self.hold {
            Some(Hold::For(seconds)) => list.give("HOLDFOR", Some(seconds)),
            Some(Hold::Until(time)) => list.give("HOLDUNTIL", Some(time)),
            None => {}
        }
        list.give("MT-PRIORITY", self.priority);
        list.give("SOLICIT", self.solicitation.as_ref());
        list.give_flag("CONPERM", self.is_conversion_permitted);
        list.give("MTRK", self.tracking.as_ref());
        list.give("TRANSID", self.transaction_id.as_ref());
        if let Some(verp) = self.verp {
            match verp.delimiters() {
                None => list.give_flag("XVERP", true),
                Some([first, second]) => list.give("XVERP", Some(format_args!("{first}{second}"))),
            }
        }
        let responsible = self.responsible_submitter.as_ref();
        list.give("SUBMITTER", responsible.map(|one| encoded(one.to_string().as_bytes())));
        list
    }

    /// Returns the value with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> MailParameters<'static> {
        MailParameters {
            size: self.size,
            body: self.body,
            is_smtputf8: self.is_smtputf8,
            is_tls_required: self.is_tls_required,
            ret: self.ret,
            envelope_id: self.envelope_id.map(EnvelopeId::into_owned),
            submitter: self.submitter.map(Submitter::into_owned),
            deliver_by: self.deliver_by,
            hold: self.hold.map(Hold::into_owned),
            priority: self.priority,
            solicitation: self.solicitation.map(Solicitation::into_owned),
            is_conversion_permitted: self.is_conversion_permitted,
            tracking: self.tracking.map(Tracking::into_owned),
            transaction_id: self.transaction_id.map(TransactionId::into_owned),
            verp: self.verp,
            responsible_submitter: self.responsible_submitter.map(Mailbox::into_owned),
        }
    }
}

const VALUE: SyntaxError = SyntaxError::new(SyntaxErrorKind::ParameterValue, 0);

/// Parses `size-value ::= 1*20DIGIT`                                   RFC 1870 section 3
fn size(value: &str) -> Result<u64, SyntaxError> {
    const ERROR: SyntaxError = SyntaxError::new(SyntaxErrorKind::Number, 0);
    let (number, digits) = decimal(value.as_bytes(), 0);
    match digits {
        // A number beyond 64 bits is larger than any limit.
        1..=20 if digits == value.len() => Ok(number.unwrap_or(u64::MAX)),
        _ => Err(ERROR),
    }
}

/// Parses `body-value ::= "7BIT" / "8BITMIME" / "BINARYMIME"`          RFC 3030 section 3
fn body(value: &str, offered: &Extensions) -> Result<Body, SyntaxError> {
    let is_named = |body: &Body| is_name(value.as_bytes(), body.as_str());
    let body = Body::ALL.iter().copied().find(is_named).ok_or(VALUE)?;
    let extension = match body {
        Body::SevenBit => return Ok(body),
        Body::EightBitMime => Extension::EightBitMime,
        Body::BinaryMime => Extension::BinaryMime,
    };
    match offered.contains(extension) {
        true => Ok(body),
        false => Err(SyntaxError::new(SyntaxErrorKind::ValueNotOffered, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Verb;
    use crate::syntax::keywords::MAIL_KEYWORDS;

    fn all() -> Extensions {
        Extension::ALL.iter().copied().collect()
    }

    /// 1870-3-b 6152-3-a 6531-3.1-c 3461-4.3-a 8689-2-b
    #[test]
    fn parameters_have_types_both_ways() {
        for (input, written) in [
            ("", ""),
            ("size=1000 body=8bitmime", "SIZE=1000 BODY=8BITMIME"),
            ("SIZE=18446744073709551616", "SIZE=18446744073709551615"),
            ("SIZE=99999999999999999999", "SIZE=18446744073709551615"),
            ("BODY=BINARYMIME SMTPUTF8 REQUIRETLS", "BODY=BINARYMIME SMTPUTF8 REQUIRETLS"),
            ("body=7bit SIZE=0", "SIZE=0 BODY=7BIT"),
            ("SIZE=18446744073709551615", "SIZE=18446744073709551615"),
            ("RET=hdrs ENVID=a+20b", "RET=HDRS ENVID=a+20b"),
            ("AUTH=e+3Dmc2@example.com", "AUTH=e+3Dmc2@example.com"),
            ("AUTH=<>", "AUTH=<>"),
            ("BY=+120;r", "BY=120;R"),
            ("HOLDFOR=86400", "HOLDFOR=86400"),
            ("HOLDUNTIL=2027-01-01T00:00:00Z", "HOLDUNTIL=2027-01-01T00:00:00Z"),
            ("mt-priority=-9", "MT-PRIORITY=-9"),
            ("SOLICIT=org.example:ADV:ADLT", "SOLICIT=org.example:ADV:ADLT"),
            ("CONPERM MTRK=abc:1", "CONPERM MTRK=abc:1"),
            ("TRANSID=<12345@example.com>", "TRANSID=<12345@example.com>"),
            ("xverp SIZE=1", "SIZE=1 XVERP"),
            ("XVERP=+= SIZE=1", "SIZE=1 XVERP=+="),
            ("XVERP==- SIZE=1", "SIZE=1 XVERP==-"),
            ("SUBMITTER=a+2Bb@example.com XVERP=-+", "XVERP=-+ SUBMITTER=a+2Bb@example.com"),
        ] {
            let parameters = Parameters::parse(input).unwrap();
            let typed = MailParameters::parse(&parameters, &all()).unwrap();
            assert_eq!(typed.to_parameters().as_str(), written);
            let again = typed.to_parameters();
            assert_eq!(MailParameters::parse(&again, &all()).unwrap(), typed);
            assert_eq!(typed.clone().into_owned(), typed);
        }
        assert_eq!(
            MailParameters::parse(&Parameters::NONE, &all()).unwrap(),
            MailParameters::default()
        );
    }

    /// 1870-3-b 1870-6-c 3461-4.3-a 4141-4-a 4954-5-a 6152-3-a 6531-3.1-c 8689-2-b
    #[test]
    fn an_error_names_the_parameter_and_the_offset() {
        use SyntaxErrorKind as Kind;
        for (input, kind, code, parameter, offset) in [
            ("SIZE", Kind::MissingValue, 501, Some("SIZE"), 4),
            ("SIZE=x", Kind::Number, 501, Some("SIZE"), 5),
            ("SIZE=+1", Kind::Number, 501, Some("SIZE"), 5),
            ("SIZE=111111111111111111111", Kind::Number, 501, Some("SIZE"), 5),
            ("SMTPUTF8 SIZE=1 SIZE=1", Kind::DuplicateParameter, 501, Some("SIZE"), 16),
            ("RET=FULL RET=HDRS", Kind::DuplicateParameter, 501, Some("RET"), 9),
            ("SMTPUTF8 SMTPUTF8", Kind::DuplicateParameter, 501, Some("SMTPUTF8"), 9),
            ("BODY=8BIT", Kind::ParameterValue, 501, Some("BODY"), 5),
            ("SMTPUTF8=1", Kind::UnexpectedValue, 501, Some("SMTPUTF8"), 8),
            ("REQUIRETLS=1", Kind::UnexpectedValue, 501, Some("REQUIRETLS"), 10),
            ("CONPERM=1", Kind::UnexpectedValue, 501, Some("CONPERM"), 7),
            ("RET=ALL", Kind::ParameterValue, 501, Some("RET"), 4),
            ("ENVID=a+0Ab", Kind::ParameterValue, 501, Some("ENVID"), 6),
            ("ENVID=a+2", Kind::Xtext, 501, Some("ENVID"), 7),
            ("AUTH=abc", Kind::ParameterValue, 501, Some("AUTH"), 5),
            ("AUTH=<a@b>", Kind::ParameterValue, 501, Some("AUTH"), 5),
            (
                "HOLDFOR=1 HOLDUNTIL=2027-01-01T00:00:00Z",
                Kind::ConflictingParameters,
                501,
                Some("HOLDUNTIL"),
                10,
            ),
            (
                "HOLDUNTIL=2027-01-01T00:00:00Z HOLDFOR=1",
                Kind::ConflictingParameters,
                501,
                Some("HOLDFOR"),
                31,
            ),
            ("HOLDFOR=1 HOLDFOR=1", Kind::DuplicateParameter, 501, Some("HOLDFOR"), 10),
            ("HOLDUNTIL=12345", Kind::DateTime, 501, Some("HOLDUNTIL"), 10),
            ("MT-PRIORITY=10", Kind::ParameterValue, 501, Some("MT-PRIORITY"), 12),
            ("XVERP=abc", Kind::ParameterValue, 501, Some("XVERP"), 6),
            ("XVERP XVERP=+=", Kind::DuplicateParameter, 501, Some("XVERP"), 6),
            ("SUBMITTER", Kind::MissingValue, 501, Some("SUBMITTER"), 9),
            ("SUBMITTER=<>", Kind::ParameterValue, 501, Some("SUBMITTER"), 10),
            ("SUBMITTER=a@b@c", Kind::ParameterValue, 501, Some("SUBMITTER"), 10),
            ("NOTIFY=NEVER", Kind::MisplacedParameter, 555, Some("NOTIFY"), 0),
            ("SIZE=1 FOO=1", Kind::UnknownParameter, 555, None, 7),
        ] {
            let parameters = Parameters::parse(input).unwrap();
            let error = MailParameters::parse(&parameters, &all()).unwrap_err();
            assert_eq!(
                (error.kind(), error.parameter(), error.offset()),
                (kind, parameter, offset),
                "{input}"
            );
            assert_eq!((error.code().get(), error.verb()), (code, Some(Verb::Mail)), "{input}");
        }
    }

    /// 6152-3-a
    #[test]
    fn what_was_not_announced_is_refused() {
        let none = Extensions::NONE;
        for (_, keyword, extensions) in MAIL_KEYWORDS {
            let parameters = Parameters::parse(keyword).unwrap();
            let error = MailParameters::parse(&parameters, &none).unwrap_err();
            assert_eq!(error.kind(), SyntaxErrorKind::UnknownParameter);
            let offered = extensions.iter().copied().collect();
            let error =
                MailParameters::parse(&parameters, &offered).err().map(|error| error.kind());
            assert_ne!(error, Some(SyntaxErrorKind::UnknownParameter), "{keyword}");
        }
        let parameters = Parameters::parse("BODY=BINARYMIME").unwrap();
        let error =
            MailParameters::parse(&parameters, &none.with(Extension::EightBitMime)).unwrap_err();
        assert_eq!((error.kind(), error.code().get()), (SyntaxErrorKind::ValueNotOffered, 555));
    }

    #[test]
    fn an_application_may_know_more() {
        let parameters = Parameters::parse("XFOO=1 SIZE=2").unwrap();
        let typed =
            MailParameters::parse_known(&parameters, &all(), |keyword| keyword == "XFOO").unwrap();
        assert_eq!(typed.size(), Some(2));
    }
}
