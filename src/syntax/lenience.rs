//! Deviations from the grammar that a server may tolerate.

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident = $default:literal;)*) => {
        /// Named switches for what clients are known to send although the grammar does not have it.
        ///
        /// As an argument it says what is tolerated, as a result what was met. Each switch has its default beside it.
        ///
        /// ```
        /// use esmtp::syntax::{Command, Lenience};
        ///
        /// let line = b"MAIL FROM: <ann@example.org> ";
        /// assert!(Command::parse(line, Lenience::STRICT).is_err());
        /// let parsed = Command::parse_with(line, Lenience::default())?;
        /// assert!(parsed.used.names().eq(["trailing_white_space", "space_after_colon"]));
        /// # Ok::<(), esmtp::syntax::SyntaxError>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
        #[non_exhaustive]
        pub struct Lenience { $($(#[$doc])* pub $name: bool,)* }

        impl Lenience {
            /// The grammar and nothing else.
            pub const STRICT: Self = Self { $($name: false,)* };

            /// Everything.
            pub const ALL: Self = Self { $($name: true,)* };

            /// The names of the switches that are on.
            pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name)
            }

            /// Whether any switch is on.
            #[must_use]
            pub const fn is_any(&self) -> bool {
                false $(|| self.$name)*
            }

            /// Returns the switches that are on in either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self { $($name: self.$name || other.$name,)* }
            }

            /// Returns whether every switch that is on in `used` is on here.
            #[must_use]
            pub const fn covers(self, used: Self) -> bool {
                true $(&& (self.$name || !used.$name))*
            }
        }

        impl Default for Lenience {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

switches! {
    /// White space behind the last word: `DATA `. Default: on; "SHOULD tolerate" (RFC 5321 section 4.1.1).
    trailing_white_space = true;
    /// More than one space where one belongs: `MAIL  FROM:<a@b.example>`. Default: off; nobody is known to need it.
    repeated_spaces = false;
    /// `MAIL FROM: <a@b.example>`. Default: on; RFC 5321 section 3.3 knows that it is "sometimes" seen, old senders and devices
    /// do it, and nothing can hide behind it.
    space_after_colon = true;
    /// `MAIL FROM:a@b.example`. Default: off; where the path ends is a guess then.
    missing_brackets = false;
    /// `EHLO my_host`. Default: on; machines have such names, and nothing but a trace field comes of them.
    underscore_in_host = true;
    /// `EHLO MÜLLER-PC` in UTF-8 or Latin-1, `EHLO john's-mac`, `EHLO  two.spaces.example`, `EHLO [2001:db8::19]`: an argument of
    /// EHLO, HELO or LHLO that is not a host, as long as it has no control character; it is kept as text
    /// ([`HelloName`](super::HelloName)). Default: on; a server "MUST NOT refuse to accept a message" because this name cannot be
    /// verified (RFC 5321 section 4.1.4), and nothing but a comment of a trace field comes of it.
    text_as_host = true;
    /// A local-part of more than 64 octets in a path. Default: on; 64 is what every implementation has to take, not a limit, and
    /// "implementation techniques that impose no limits on the length of these objects should be used" (RFC 5321 section
    /// 4.5.3.1). Forwarders and mailing lists (SRS, VERP) write longer ones.
    long_local_part = true;
    /// A path of more than 256 octets with its brackets and its route. Default: on (RFC 5321 section 4.5.3.1).
    long_path = true;
    /// `<a..b@c.example>`, `<a.@c.example>`, `<.a@c.example>`. Default: off; providers gave out such addresses once, and others
    /// refuse them.
    dots_in_local_part = false;
    /// `<a@b_c.example>`. Default: off; the DNS holds such names, but no host has one (RFC 5321 section 2.3.5).
    underscore_in_domain = false;
    /// `<a@[x400:abc]>`: an address literal with a tag that is not registered. Default: off; `IPv6` is the only registered one
    /// (RFC 5321 section 4.1.3).
    general_literal = false;
    /// `<a@b.example.>`; the dot is dropped. Default: off.
    dot_behind_domain = false;
    /// `HELO [192.0.2.1]`. Default: on; clients that fall back from EHLO do it.
    literal_in_helo = true;
    /// `EHLO client.example and more`; the rest is dropped. Default: off.
    text_behind_host = false;
    /// Arguments of NOOP, HELP, VRFY and EXPN that are no String: `NOOP a b`. Default: on; a server "SHOULD ignore" that of NOOP
    /// (RFC 5321 section 4.1.1.9), and takes a user's full name in VRFY (section 3.5.1).
    free_text = true;
    /// `AUTH=<ann@example.org>` on MAIL, or a raw `=` in it, as clients send it that do not know xtext; it is made xtext.
    /// Default: on.
    raw_auth_value = true;
    /// `[IPv6:1:2:3:4:5:6:7::]`: a `::` that stands for one group. Default: off (RFC 5321 section 4.1.3).
    ipv6_single_group = false;
    /// AUTH right after STARTTLS, without the EHLO that belongs between them. Default: on; clients exist that do it, and nothing
    /// that was said in the clear has a part in it (RFC 3207 section 4.2, RFC 4954 section 4).
    auth_without_hello = true;
    /// Control characters beyond ASCII in a mailbox: U+0080 to U+009F (C1), U+2028 and U+2029. Default: off; RFC 6531 section
    /// 3.3 allows them, RFC 5198 section 2 forbids C1, and a terminal or a log that an address is written to obeys them: escape
    /// it there.
    unicode_controls = false;
}

impl Lenience {
    /// The switches that decide which addresses there are, [`unicode_controls`](Self::unicode_controls) aside: a value may
    /// need any of them.
    pub(crate) const ADDRESSES: Self = Self {
        long_local_part: true,
        long_path: true,
        dots_in_local_part: true,
        underscore_in_domain: true,
        general_literal: true,
        ..Self::STRICT
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_have_names() {
        assert_eq!(Lenience::STRICT.names().count(), 0);
        assert!(!Lenience::STRICT.is_any() && Lenience::ALL.is_any());
        let mut used = Lenience::STRICT;
        used.missing_brackets = true;
        assert!(used.names().eq(["missing_brackets"]));
        assert!(Lenience::default().trailing_white_space && !Lenience::default().missing_brackets);
        assert!(Lenience::default().covers(Lenience::STRICT) && !Lenience::default().covers(used));
        assert!(Lenience::default().union(used).covers(used));
    }
}
