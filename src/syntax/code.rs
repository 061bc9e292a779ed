//! Reply codes.

use core::fmt;

/// A reply code, 200 to 599 (RFC 5321 section 4.2).
///
/// The named ones are those of RFC 5321 section 4.2.2 and of the service extensions that define more. A client that meets
/// another acts on its [`class`](Self::class) (RFC 5321 section 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// The meaning of the first digit of a reply code (RFC 5321 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 2yz: done.
    Completion,
    /// 3yz: the server waits for more.
    Intermediate,
    /// 4yz: not done; a retry may succeed.
    Transient,
    /// 5yz: not done; a retry of the same command will not succeed.
    Permanent,
}

/// The meaning of the second digit of a reply code (RFC 5321 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Category {
    /// x0z.
    Syntax,
    /// x1z.
    Information,
    /// x2z: the transmission channel.
    Connections,
    /// x5z.
    MailSystem,
    /// x3z and x4z, and x6z to x9z, which the grammar excludes and some servers send.
    Unspecified,
}

impl Code {
    /// Makes a reply code; `None` outside 200 to 599.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            200..=599 => Some(Self(code)),
            _ => None,
        }
    }

    pub(crate) const fn known(code: u16) -> Self {
        assert!(matches!(code, 200..=599));
        Self(code)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns the meaning of the first digit.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 {
            ..300 => Class::Completion,
            300..400 => Class::Intermediate,
            400..500 => Class::Transient,
            500.. => Class::Permanent,
        }
    }

    /// Returns the meaning of the second digit.
    #[must_use]
    pub const fn category(self) -> Category {
        match self.0 / 10 % 10 {
            0 => Category::Syntax,
            1 => Category::Information,
            2 => Category::Connections,
            5 => Category::MailSystem,
            _ => Category::Unspecified,
        }
    }

    /// Returns whether the code is 2yz or 3yz.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 < 400
    }

    /// Returns whether the code is 4yz: the command may be retried.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self.class(), Class::Transient)
    }

    /// Returns whether the code is 5yz: the command must not be retried unchanged.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        matches!(self.class(), Class::Permanent)
    }

    /// Returns whether the grammar of RFC 5321 section 4.2 has this code: there the second digit is 0 to 5.
    #[must_use]
    pub const fn is_in_grammar(self) -> bool {
        self.0 / 10 % 10 <= 5
    }

    /// Returns the first digit, in ASCII.
    pub(crate) const fn first_digit(self) -> u8 {
        match self.class() {
            Class::Completion => b'2',
            Class::Intermediate => b'3',
            Class::Transient => b'4',
            Class::Permanent => b'5',
        }
    }

    /// Returns the three digits, in ASCII.
    pub(crate) const fn digits(self) -> [u8; 3] {
        [self.first_digit(), b'0' + (self.0 / 10 % 10) as u8, b'0' + (self.0 % 10) as u8]
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self::known($code);)*

            /// Every named code, in order.
            pub const NAMED: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// 211: system status, or a help reply.
    SYSTEM_STATUS = 211;
    /// 214: a help message.
    HELP_MESSAGE = 214;
    /// 220: the service is ready; also the go-ahead of STARTTLS (RFC 3207 section 4).
    SERVICE_READY = 220;
    /// 221: the service is closing the channel.
    CLOSING = 221;
    /// 235: authentication succeeded (RFC 4954 section 6).
    AUTHENTICATED = 235;
    /// 250: done.
    OK = 250;
    /// 251: user not local, will forward.
    WILL_FORWARD = 251;
    /// 252: cannot verify the user, but will accept the message and try.
    CANNOT_VERIFY = 252;
    /// 253: messages for the node are pending, and sending has begun (RFC 1985 section 5.3).
    PENDING_MESSAGES = 253;
    /// 334: a challenge of the SASL mechanism (RFC 4954 section 4).
    AUTH_CHALLENGE = 334;
    /// 354: send the content.
    START_MAIL_INPUT = 354;
    /// 355: send the content from the offset on (RFC 1845 section 4).
    RESUME_AT_OFFSET = 355;
    /// 421: the service is not available and closes the channel.
    NOT_AVAILABLE = 421;
    /// 432: a password transition is needed (RFC 4954 section 4.7).
    PASSWORD_TRANSITION_NEEDED = 432;
    /// 450: the mailbox is busy, or refused for now.
    MAILBOX_BUSY = 450;
    /// 451: a local error in processing.
    LOCAL_ERROR = 451;
    /// 452: not enough storage, or too many recipients (RFC 5321 section 4.5.3.1.10).
    INSUFFICIENT_STORAGE = 452;
    /// 453: no mail for you (RFC 2645 section 5.2.1).
    NO_MAIL = 453;
    /// 454: authentication, or TLS, fails for now (RFC 4954 section 4.7, RFC 3207 section 4).
    TEMPORARY_AUTHENTICATION_FAILURE = 454;
    /// 455: the server cannot accommodate the parameters now.
    PARAMETERS_NOT_ACCOMMODATED = 455;
    /// 458: unable to queue messages for the node (RFC 1985 section 5.3).
    UNABLE_TO_QUEUE = 458;
    /// 459: the node is not allowed (RFC 1985 section 5.3).
    NODE_NOT_ALLOWED = 459;
    /// 500: syntax error, or a command that is not recognised.
    COMMAND_SYNTAX = 500;
    /// 501: syntax error in parameters or arguments.
    ARGUMENT_SYNTAX = 501;
    /// 502: the command is not implemented.
    NOT_IMPLEMENTED = 502;
    /// 503: bad sequence of commands.
    BAD_SEQUENCE = 503;
    /// 504: the parameter of the command is not implemented.
    PARAMETER_NOT_IMPLEMENTED = 504;
    /// 521: the host accepts no mail (RFC 7504 section 3).
    NO_MAIL_HERE = 521;
    /// 523: encryption is needed (historical).
    ENCRYPTION_NEEDED = 523;
    /// 525: the account is disabled (historical).
    ACCOUNT_DISABLED = 525;
    /// 530: authentication, or STARTTLS, is required first (RFC 4954 section 6, RFC 3207 section 4).
    AUTHENTICATION_REQUIRED = 530;
    /// 534: the mechanism is too weak (RFC 4954 section 4.7).
    MECHANISM_TOO_WEAK = 534;
    /// 535: the credentials are invalid (RFC 4954 section 6).
    CREDENTIALS_INVALID = 535;
    /// 538: the mechanism needs encryption (RFC 4954 section 4.7).
    ENCRYPTION_REQUIRED = 538;
    /// 550: the mailbox is unavailable, or refused by policy.
    MAILBOX_UNAVAILABLE = 550;
    /// 551: user not local; please try another path.
    USER_NOT_LOCAL = 551;
    /// 552: the storage allocation is exceeded.
    EXCEEDED_STORAGE = 552;
    /// 553: the mailbox name is not allowed.
    MAILBOX_NAME_NOT_ALLOWED = 553;
    /// 554: the transaction failed; as a greeting: no service here.
    TRANSACTION_FAILED = 554;
    /// 555: parameters of MAIL or RCPT are not recognised or not implemented.
    UNKNOWN_PARAMETER = 555;
    /// 556: the domain accepts no mail (RFC 7504 section 4).
    DOMAIN_ACCEPTS_NO_MAIL = 556;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Code> for u16 {
    fn from(code: Code) -> Self {
        code.0
    }
}

/// The number is not from 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reply code is a number from 200 to 599")]
pub struct InvalidCode(pub u16);

impl TryFrom<u16> for Code {
    type Error = InvalidCode;

    fn try_from(code: u16) -> Result<Self, InvalidCode> {
        Self::new(code).ok_or(InvalidCode(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_to_599_are_codes() {
        for code in 0..=u16::MAX {
            assert_eq!(Code::new(code).is_some(), (200..=599).contains(&code));
        }
    }

    /// 5321-4.2.2-a
    #[test]
    fn the_codes_of_the_standard_have_names() {
        let listed = [
            211, 214, 220, 221, 250, 251, 252, 354, 421, 450, 451, 452, 455, 500, 501, 502, 503,
            504, 550, 551, 552, 553, 554, 555,
        ];
        for code in listed {
            assert!(Code::NAMED.iter().any(|named| named.get() == code), "{code}");
        }
        assert!(Code::NAMED.is_sorted());
    }

    #[test]
    fn the_first_digit_is_the_class_and_the_second_the_category() {
        for (code, class, category, is_positive) in [
            (250, Class::Completion, Category::MailSystem, true),
            (299, Class::Completion, Category::Unspecified, true),
            (354, Class::Intermediate, Category::MailSystem, true),
            (421, Class::Transient, Category::Connections, false),
            (500, Class::Permanent, Category::Syntax, false),
            (599, Class::Permanent, Category::Unspecified, false),
        ] {
            let code = Code::new(code).unwrap();
            assert_eq!(
                (code.class(), code.category(), code.is_positive()),
                (class, category, is_positive)
            );
            assert_eq!(alloc::format!("{code}").as_bytes(), code.digits());
        }
    }
}
