//! The verbs of commands.

use core::fmt;

use super::lanes::packed;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $text:literal / $lower:literal;)*) => {
        /// The verb of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Verb {
            $($(#[$doc])* $name,)*
            /// Any other.
            Other,
        }

        impl Verb {
            /// Every known one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written; `other` for [`Verb::Other`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other => "other",
                }
            }

        }

        /// The known verbs, each by its letters.
        const KEYS: &[(u64, Verb)] = &[$((u64::from_le_bytes(*$lower), Verb::$name)),*];
    };
}

verbs! {
    /// RFC 5321 section 4.1.1.1.
    Ehlo = "EHLO" / b"ehlo\0\0\0\0";
    /// RFC 5321 section 4.1.1.1.
    Helo = "HELO" / b"helo\0\0\0\0";
    /// RFC 2033 section 4.1.
    Lhlo = "LHLO" / b"lhlo\0\0\0\0";
    /// RFC 5321 section 4.1.1.2.
    Mail = "MAIL" / b"mail\0\0\0\0";
    /// RFC 5321 section 4.1.1.3.
    Rcpt = "RCPT" / b"rcpt\0\0\0\0";
    /// RFC 5321 section 4.1.1.4.
    Data = "DATA" / b"data\0\0\0\0";
    /// RFC 3030 section 2.
    Bdat = "BDAT" / b"bdat\0\0\0\0";
    /// RFC 5321 section 4.1.1.5.
    Rset = "RSET" / b"rset\0\0\0\0";
    /// RFC 5321 section 4.1.1.9.
    Noop = "NOOP" / b"noop\0\0\0\0";
    /// RFC 5321 section 4.1.1.10.
    Quit = "QUIT" / b"quit\0\0\0\0";
    /// RFC 5321 section 4.1.1.8.
    Help = "HELP" / b"help\0\0\0\0";
    /// RFC 5321 section 4.1.1.6.
    Vrfy = "VRFY" / b"vrfy\0\0\0\0";
    /// RFC 5321 section 4.1.1.7.
    Expn = "EXPN" / b"expn\0\0\0\0";
    /// RFC 3207 section 4.
    StartTls = "STARTTLS" / b"starttls";
    /// RFC 4954 section 4.
    Auth = "AUTH" / b"auth\0\0\0\0";
    /// RFC 1985 section 5.
    Etrn = "ETRN" / b"etrn\0\0\0\0";
    /// RFC 2645 section 5.2.
    Atrn = "ATRN" / b"atrn\0\0\0\0";
    /// RFC 4468 section 3.
    Burl = "BURL" / b"burl\0\0\0\0";
    /// Postfix.
    Xclient = "XCLIENT" / b"xclient\0";
    /// Postfix.
    Xforward = "XFORWARD" / b"xforward";
    /// Obsolete (RFC 5321 appendix F.6).
    Send = "SEND" / b"send\0\0\0\0";
    /// Obsolete (RFC 5321 appendix F.6).
    Soml = "SOML" / b"soml\0\0\0\0";
    /// Obsolete (RFC 5321 appendix F.6).
    Saml = "SAML" / b"saml\0\0\0\0";
    /// Obsolete (RFC 5321 appendix F.1).
    Turn = "TURN" / b"turn\0\0\0\0";
}

/// Spreads the known verbs so that each has a slot of its own; found by trial. A command needs no chain of comparisons then, and no
/// branch that depends on its verb.
const SPREAD: u64 = 0x9faa_fdce_f664_9601;
const SLOTS: usize = 32;

static BY_SLOT: [(u64, Verb); SLOTS] = by_slot();

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn by_slot() -> [(u64, Verb); SLOTS] {
    let mut slots = [(0, Verb::Other); SLOTS];
    let mut at = 0;
    while at < KEYS.len() {
        let slot = slot(KEYS[at].0);
        assert!(slots[slot].0 == 0, "two verbs have one slot");
        slots[slot] = KEYS[at];
        at += 1;
    }
    slots
}

const fn slot(key: u64) -> usize {
    (key.wrapping_mul(SPREAD) >> 59) as usize % SLOTS
}

impl Verb {
    /// Returns the verb for a word in any case.
    #[inline]
    pub(crate) fn from_word(word: &[u8]) -> Self {
        match packed(word).map(|key| (key, BY_SLOT.get(slot(key)))) {
            Some((key, Some((known, verb)))) if key == *known => *verb,
            _ => Self::Other,
        }
    }

    /// Returns the verb of a line with any argument (for a reply to a line that does not parse).
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        let is_of_verb = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let octets = line.iter().position(|octet| !is_of_verb(octet)).unwrap_or(line.len());
        match line.get(octets) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n') => {
                Self::from_word(line.get(..octets).unwrap_or_default())
            }
            Some(_) => Self::Other,
        }
    }

    /// Returns whether the verb is SEND, SOML, SAML or TURN, removed by RFC 2821.
    #[must_use]
    pub const fn is_obsolete(self) -> bool {
        matches!(self, Self::Send | Self::Soml | Self::Saml | Self::Turn)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_known_in_any_case() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of(verb.as_str().as_bytes()), *verb);
            assert_eq!(Verb::of(verb.as_str().to_lowercase().as_bytes()), *verb);
            assert_eq!(Verb::of(alloc::format!("{verb} \x01\r\n").as_bytes()), *verb);
        }
        for line in [
            "",
            " MAIL",
            "MAILX",
            "MAI",
            "MAIL:",
            "MAILFROM:<a@b>",
            "XFORWARDS",
            "MAIL\0",
            "\0",
            "MAIL\u{e9}",
        ] {
            assert_eq!(Verb::of(line.as_bytes()), Verb::Other, "{line:?}");
        }
    }
}
