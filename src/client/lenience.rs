//! The deviations of replies from the grammar that a client may tolerate.

use crate::syntax::{Code, Status};
use alloc::vec::Vec;

/// Named switches for the deviations from the grammar that servers are known to send in replies.
///
/// A setting ([`Config::with_reply_lenience`](super::Config::with_reply_lenience)) has those that are
/// tolerated, a result ([`Client::forgiven`](super::Client::forgiven)) those that the server has sent.
///
/// ```
/// use esmtp::client::{Config, ReplyLenience};
///
/// let lenience = ReplyLenience::default();
/// assert!(lenience.has_hash_before_status() && !lenience.has_bare_lf());
/// let config = Config::new("me.example.org")?.with_reply_lenience(lenience.with_bare_lf());
/// assert!(config.reply_lenience().has_bare_lf());
/// # Ok::<(), esmtp::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyLenience {
    has_hash_before_status: bool,
    has_bare_lf: bool,
}

impl Default for ReplyLenience {
    fn default() -> Self {
        Self::STRICT.with_hash_before_status()
    }
}

impl ReplyLenience {
    /// The grammar without deviations.
    pub const STRICT: Self = Self { has_hash_before_status: false, has_bare_lf: false };

    /// Tolerates a `#` before the enhanced status code, which is read as if it were not there: `550
    /// #5.1.0 Address rejected`, as Cisco's mail gateways send it. This is the default.
    #[must_use]
    pub const fn with_hash_before_status(self) -> Self {
        Self { has_hash_before_status: true, ..self }
    }

    /// Takes a `#` before the enhanced status code as the beginning of the text: the reply then has no
    /// status.
    #[must_use]
    pub const fn without_hash_before_status(self) -> Self {
        Self { has_hash_before_status: false, ..self }
    }

    /// Tolerates reply lines that end in LF alone. Default: off; a reply line ends in CRLF (RFC 5321
    /// section 2.3.8), and where the two sides see different line ends, text of one side can become a
    /// reply for the other.
    #[must_use]
    pub const fn with_bare_lf(self) -> Self {
        Self { has_bare_lf: true, ..self }
    }

    /// Ends the session at a reply line that ends in LF alone, which is the default.
    #[must_use]
    pub const fn without_bare_lf(self) -> Self {
        Self { has_bare_lf: false, ..self }
    }

    /// Returns whether a `#` before the enhanced status code is tolerated, or was met.
    #[must_use]
    pub const fn has_hash_before_status(self) -> bool {
        self.has_hash_before_status
    }

    /// Returns whether line ends of LF alone are tolerated, or were met.
    #[must_use]
    pub const fn has_bare_lf(self) -> bool {
        self.has_bare_lf
    }

    /// Returns whether any switch is on.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.has_hash_before_status || self.has_bare_lf
    }

    /// Corrects a whole reply to the grammar, and notes in `forgiven` the deviations that it had; `None`
    /// where it had none of those that are tolerated.
    pub(super) fn correct(self, reply: &[u8], forgiven: &mut Self) -> Option<Vec<u8>> {
        let may_have_hash = self.has_hash_before_status && memchr::memchr(b'#', reply).is_some();
        if !(may_have_hash || self.has_bare_lf) {
            return None;
        }
        let (mut has_hash, mut has_bare_lf) = (false, false);
        let mut corrected = Vec::with_capacity(reply.len() + 8);
        for line in reply.split_inclusive(|octet| *octet == b'\n') {
            let (text, is_whole) = match line.strip_suffix(b"\r\n") {
                Some(text) => (text, true),
                None => (line.strip_suffix(b"\n").unwrap_or(line), !self.has_bare_lf),
            };
            match without_hash(text).filter(|_| may_have_hash) {
                Some((code, text)) => {
                    has_hash = true;
                    corrected.extend_from_slice(code);
                    corrected.extend_from_slice(text);
                }
                None => corrected.extend_from_slice(text),
            }
            has_bare_lf |= !is_whole;
            corrected.extend_from_slice(b"\r\n");
        }
        forgiven.has_hash_before_status |= has_hash;
        forgiven.has_bare_lf |= has_bare_lf;
        (has_hash || has_bare_lf).then_some(corrected)
    }
}

/// Returns the two parts of a line around a `#` that stands before an enhanced status code.
fn without_hash(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let [first @ b'2'..=b'5', second, third, b' ' | b'-', b'#', text @ ..] = line else {
        return None;
    };
    let digit = |octet: &u8| octet.is_ascii_digit().then(|| u16::from(octet - b'0'));
    let code = Code::new(digit(first)? * 100 + digit(second)? * 10 + digit(third)?)?;
    Status::split(code, text)?;
    Some((line.get(..4)?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ReplyLenience = ReplyLenience::STRICT.with_hash_before_status().with_bare_lf();

    #[test]
    fn replies_are_corrected_as_far_as_the_switches_allow() {
        let hash = ReplyLenience::STRICT.with_hash_before_status();
        let lf = ReplyLenience::STRICT.with_bare_lf();
        for (reply, switches, expected, met) in [
            (&b"550 #5.1.0 no\r\n"[..], hash, Some(&b"550 5.1.0 no\r\n"[..]), hash),
            (b"550 #5.1.0 no\r\n", lf, None, ReplyLenience::STRICT),
            (b"550-#5.1.0 a\r\n550 #5.1.0\r\n", ALL, Some(b"550-5.1.0 a\r\n550 5.1.0\r\n"), hash),
            (b"550 #4.1.0 no\r\n", ALL, None, ReplyLenience::STRICT),
            (b"550 #5.1 no\r\n", ALL, None, ReplyLenience::STRICT),
            (b"550 # 5.1.0 no\r\n", ALL, None, ReplyLenience::STRICT),
            (b"550 see #5.1.0 \r\n", ALL, None, ReplyLenience::STRICT),
            (b"250-a\n250 b\r\n", lf, Some(b"250-a\r\n250 b\r\n"), lf),
            (b"250-a\n250 b\r\n", hash, None, ReplyLenience::STRICT),
            (b"250-#2.1.5 a\n250 #2.1.5\n", ALL, Some(b"250-2.1.5 a\r\n250 2.1.5\r\n"), ALL),
            (b"250\n", lf, Some(b"250\r\n"), lf),
        ] {
            let mut forgiven = ReplyLenience::STRICT;
            let corrected = switches.correct(reply, &mut forgiven);
            assert_eq!(corrected.as_deref(), expected, "{}", reply.escape_ascii());
            assert_eq!(forgiven, met, "{}", reply.escape_ascii());
        }
    }
}
