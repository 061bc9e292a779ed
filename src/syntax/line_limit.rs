//! How long a command line may be.

use super::{Extension, Verb};

/// Octets of a command line with its CRLF, without extensions (RFC 5321 section 4.5.3.1.4).
const BASE: usize = 512;

/// Octets that an extension adds to a command line: "an extension MUST specify" them (RFC 5321 section 4.5.3.1.4).
const ADDITIONS: &[(Extension, Verb, usize)] = &[
    // RFC 1870 section 3.
    (Extension::Size, Verb::Mail, 26),
    // RFC 3030 section 3.
    (Extension::BinaryMime, Verb::Mail, 16),
    // RFC 4954 section 3; the AUTH command itself stays as it is.
    (Extension::Auth, Verb::Mail, 500),
    // RFC 6531 section 3.1.
    (Extension::SmtpUtf8, Verb::Mail, 10),
    // RFC 8689 section 2.
    (Extension::RequireTls, Verb::Mail, 11),
    // RFC 6710 section 3.
    (Extension::MtPriority, Verb::Mail, 15),
    // RFC 2852 section 2.
    (Extension::DeliverBy, Verb::Mail, 17),
    // RFC 4865 section 3.
    (Extension::FutureRelease, Verb::Mail, 34),
    // RFC 3865 section 3.
    (Extension::NoSoliciting, Verb::Mail, 1007),
    // RFC 3461 sections 4.3, 4.4: ` RET=FULL`, and ` ENVID=` with 100 octets.
    (Extension::Dsn, Verb::Mail, 9 + 107),
    // RFC 3461 section 5.4: "530 characters for the ORCPT and NOTIFY parameters".
    (Extension::Dsn, Verb::Rcpt, 530),
    // RFC 7293 section 3.1.
    (Extension::Rrvs, Verb::Rcpt, 33),
    // RFC 3885 section 2.
    (Extension::Mtrk, Verb::Mail, 40),
    // RFC 1845 section 2.
    (Extension::Checkpoint, Verb::Mail, 88),
    // Postfix states none: ` XVERP=` and two characters.
    (Extension::Xverp, Verb::Mail, 9),
    // ` SUBMITTER=` and a mailbox: a path of 256 octets without its brackets (RFC 5321 section 4.5.3.1.3).
    (Extension::Submitter, Verb::Mail, 11 + 254),
];

/// The octets that MTRK adds where DSN is not announced: it brings ENVID and ORCPT with it, whose "107 character
/// extension" and "507 character extension [...] must also be included" (RFC 3885 section 2).
const WITH_MTRK_ALONE: &[(Verb, usize)] = &[(Verb::Mail, 107), (Verb::Rcpt, 507)];

/// A command line that is longer than the server has to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command line of {octets} octets, where the server has to take {limit}")]
pub struct LineTooLong {
    octets: usize,
    limit: usize,
}

impl LineTooLong {
    pub(super) const fn new(octets: usize, limit: usize) -> Self {
        Self { octets, limit }
    }

    /// Returns the octets of the line with its CRLF.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// Returns the octets that a server has to take, with those that its extensions add.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

/// Returns the octets that a line of this command may have, where the extensions that `is_announced` names add to it.
pub(super) fn line_limit(verb: Verb, is_announced: impl Fn(Extension) -> bool) -> usize {
    let additions = ADDITIONS
        .iter()
        .filter(|(extension, command, _)| *command == verb && is_announced(*extension));
    let is_mtrk_alone = is_announced(Extension::Mtrk) && !is_announced(Extension::Dsn);
    let with_mtrk = WITH_MTRK_ALONE.iter().filter(|(command, _)| is_mtrk_alone && *command == verb);
    BASE + additions.map(|(_, _, octets)| octets).sum::<usize>()
        + with_mtrk.map(|(_, octets)| octets).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;
    use crate::syntax::{Argument, Command, Extensions, Parameters, ReversePath};

    /// 1870-3-c 2852-4-b 3030-3-f 4865-3-d 4954-3-c 5321-4.5.3.1.4-b 6531-3.1-d 6710-3-c 7293-3-c
    /// 8689-2-c
    #[test]
    fn the_limit_is_512_and_what_the_extensions_add() {
        let all: Extensions = Extension::ALL.iter().copied().collect();
        for extension in Extension::ALL.iter().copied() {
            let (mail, rcpt) = match extension {
                Extension::Size => (26, 0),
                Extension::BinaryMime => (16, 0),
                Extension::Auth => (500, 0),
                Extension::SmtpUtf8 => (10, 0),
                Extension::RequireTls => (11, 0),
                Extension::MtPriority => (15, 0),
                Extension::DeliverBy => (17, 0),
                Extension::FutureRelease => (34, 0),
                Extension::NoSoliciting => (1007, 0),
                Extension::Dsn => (116, 530),
                Extension::Rrvs => (0, 33),
                Extension::Mtrk => (40 + 107, 507),
                Extension::Checkpoint => (88, 0),
                Extension::Xverp => (9, 0),
                Extension::Submitter => (265, 0),
                _ => (0, 0),
            };
            let alone = Extensions::NONE.with(extension);
            let limits = [Verb::Mail, Verb::Rcpt].map(|verb| alone.line_limit(verb));
            assert_eq!(limits, [512 + mail, 512 + rcpt], "{extension}");
        }
        for (extensions, verb, limit) in [
            (&Extensions::NONE, Verb::Mail, 512),
            (
                &all,
                Verb::Mail,
                512 + 26 + 16 + 500 + 10 + 11 + 15 + 17 + 34 + 1007 + 116 + 40 + 88 + 9 + 265,
            ),
            (&all, Verb::Rcpt, 512 + 530 + 33),
            (&all, Verb::Auth, 512),
            (&all, Verb::Noop, 512),
        ] {
            assert_eq!(extensions.line_limit(verb), limit, "{verb}");
        }
    }

    #[test]
    fn a_longer_line_is_not_built() {
        let noop = |octets: usize| Command::Noop(Some(Argument::new("x".repeat(octets)).unwrap()));
        let mut out = Vec::from(b"before".as_slice());
        assert_eq!(noop(505).encode_within(&Extensions::NONE, &mut out), Ok(()));
        assert_eq!(out.len(), 6 + 512);
        let error = noop(506).encode_within(&Extensions::NONE, &mut out);
        assert_eq!(error, Err(LineTooLong::new(513, 512)));
        assert_eq!(out.len(), 6 + 512);

        let mut parameters = Parameters::NONE;
        parameters.push("X", Some(&String::from("x").repeat(500))).unwrap();
        let mail = Command::Mail { reverse_path: ReversePath::Null, parameters };
        assert!(mail.encode_within(&Extensions::NONE, &mut out).is_err());
        assert!(mail.encode_within(&Extensions::NONE.with(Extension::Auth), &mut out).is_ok());
    }
}
