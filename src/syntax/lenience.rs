//! Deviations from the grammar that a server may tolerate.

use core::fmt;

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident, $has:ident, $with:ident, $without:ident = $default:literal;)*) => {
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
        /// assert!(parsed.used().names().eq(["trailing_white_space", "space_after_colon"]));
        /// # Ok::<(), esmtp::syntax::SyntaxError>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "Switches", into = "Switches"))]
        // A bit each: a session notes those that each command needed.
        pub struct Lenience(u32);

        /// The form in which the switches are shown and serialised: a field each.
        #[derive(Clone, Debug)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, rename = "Lenience"))]
        pub(super) struct Switches { $(pub(super) $name: bool,)* }

        impl Default for Switches {
            fn default() -> Self {
                Lenience::default().into()
            }
        }

        impl From<Lenience> for Switches {
            fn from(lenience: Lenience) -> Self {
                Self { $($name: lenience.$has(),)* }
            }
        }

        impl From<Switches> for Lenience {
            fn from(switches: Switches) -> Self {
                let mut lenience = Self::STRICT;
                $(if switches.$name { lenience = lenience.$with(); })*
                lenience
            }
        }

        /// The switches in order, which is that of their bits.
        #[expect(non_camel_case_types, reason = "the names are those of methods, too")]
        enum Switch { $($name,)* }

        impl Lenience {
            /// Everything.
            pub const ALL: Self = Self::STRICT$(.$with())*;

            /// Returns the names of the switches that are on.
            pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
                [$((stringify!($name), self.$has())),*].into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name)
            }
        }

        impl Lenience {
            $(
                /// Returns whether this deviation is tolerated, or was met:
                ///
                $(#[$doc])*
                #[must_use]
                pub const fn $has(&self) -> bool {
                    self.0 & (1 << Switch::$name as u32) != 0
                }

                #[doc = concat!("Turns the switch [`", stringify!($name), "`](Self::", stringify!($has), ") on.")]
                #[must_use]
                pub const fn $with(mut self) -> Self {
                    self.0 |= 1 << Switch::$name as u32;
                    self
                }

                #[doc = concat!("Turns the switch [`", stringify!($name), "`](Self::", stringify!($has), ") off.")]
                #[must_use]
                pub const fn $without(mut self) -> Self {
                    self.0 &= !(1 << Switch::$name as u32);
                    self
                }
            )*
        }

        impl Default for Lenience {
            fn default() -> Self {
                let mut lenience = Self::STRICT;
                $(if $default { lenience = lenience.$with(); })*
                lenience
            }
        }
    };
}

switches! {
    /// White space after the last word: `DATA `. Default: on; "SHOULD tolerate" (RFC 5321 section 4.1.1).
    trailing_white_space, has_trailing_white_space, with_trailing_white_space, without_trailing_white_space = true;
    /// More than one space where one belongs: `MAIL FROM:<a@b.example>`. Default: off; no client is known to need it.
    repeated_spaces, has_repeated_spaces, with_repeated_spaces, without_repeated_spaces = false;
    /// `MAIL FROM: <a@b.example>`. Default: on; RFC 5321 section 3.3 knows that it is "sometimes" seen, old clients and
    /// devices send it, and nothing can hide in it.
    space_after_colon, has_space_after_colon, with_space_after_colon, without_space_after_colon = true;
    /// `MAIL FROM:a@b.example`. Default: off; the end of the path is then a guess.
    missing_brackets, has_missing_brackets, with_missing_brackets, without_missing_brackets = false;
    /// `EHLO my_host`. Default: on; machines have such names, and they reach only a trace field.
    underscore_in_host, has_underscore_in_host, with_underscore_in_host, without_underscore_in_host = true;
    /// `EHLO MÜLLER-PC` in UTF-8 or Latin-1, `EHLO john's-mac`, `EHLO  two.spaces.example`, `EHLO [2001:db8::19]`: an argument of
    /// EHLO, HELO or LHLO that is not a host, as long as it has no control character; it is kept as text
    /// ([`HelloName`](super::HelloName)). Default: on; a server "MUST NOT refuse to accept a message" because this name cannot be
    /// verified (RFC 5321 section 4.1.4), and nothing but a comment of a trace field comes of it.
    text_as_host, has_text_as_host, with_text_as_host, without_text_as_host = true;
    /// A local-part of more than 64 octets in a path. Default: on; 64 is what every implementation has to take, not a limit, and
    /// "implementation techniques that impose no limits on the length of these objects should be used" (RFC 5321 section
    /// 4.5.3.1). Forwarders and mailing lists (SRS, VERP) write longer ones.
    long_local_part, has_long_local_part, with_long_local_part, without_long_local_part = true;
    /// A path of more than 256 octets with its brackets and its route. Default: on (RFC 5321 section 4.5.3.1).
    long_path, has_long_path, with_long_path, without_long_path = true;
    /// `<a..b@c.example>`, `<a.@c.example>`, `<.a@c.example>`. Default: off; providers gave out such addresses once, and others
    /// refuse them.
    dots_in_local_part, has_dots_in_local_part, with_dots_in_local_part, without_dots_in_local_part = false;
    /// `<a@b_c.example>`. Default: off; the DNS holds such names, but no host has one (RFC 5321 section 2.3.5).
    underscore_in_domain, has_underscore_in_domain, with_underscore_in_domain, without_underscore_in_domain = false;
    /// `<a@[x400:abc]>`: an address literal with a tag that is not registered. Default: off; `IPv6` is the only registered one
    /// (RFC 5321 section 4.1.3).
    general_literal, has_general_literal, with_general_literal, without_general_literal = false;
    /// `<a@b.example.>`; the dot is dropped. Default: off.
    dot_after_domain, has_dot_after_domain, with_dot_after_domain, without_dot_after_domain = false;
    /// `HELO [192.0.2.1]`. Default: on; clients that fall back from EHLO send it.
    literal_in_helo, has_literal_in_helo, with_literal_in_helo, without_literal_in_helo = true;
    /// `EHLO client.example and more`; the rest is dropped. Default: off.
    text_after_host, has_text_after_host, with_text_after_host, without_text_after_host = false;
    /// Arguments of NOOP, HELP, VRFY and EXPN that are not a String: `NOOP a b`. Default: on; a server "SHOULD ignore"
    /// that of NOOP (RFC 5321 section 4.1.1.9), and takes a user's full name in VRFY (section 3.5.1).
    free_text, has_free_text, with_free_text, without_free_text = true;
    /// `AUTH=<ann@example.org>` on MAIL, or a raw `=` in it, from clients that do not encode xtext; it is converted to
    /// xtext. Default: on.
    raw_auth_value, has_raw_auth_value, with_raw_auth_value, without_raw_auth_value = true;
    /// `[IPv6:1:2:3:4:5:6:7::]`: a `::` that stands for one group. Default: off (RFC 5321 section 4.1.3).
    ipv6_single_group, has_ipv6_single_group, with_ipv6_single_group, without_ipv6_single_group = false;
    /// AUTH right after STARTTLS, without the EHLO that belongs between them. Default: on; some clients send it, and
    /// nothing that was sent in the clear affects it (RFC 3207 section 4, RFC 4954 section 4).
    auth_without_hello, has_auth_without_hello, with_auth_without_hello, without_auth_without_hello = true;
    /// Control characters beyond ASCII in a mailbox: U+0080 to U+009F (C1), U+2028 and U+2029. Default: off; RFC 6531 section
    /// 3.3 allows them, RFC 5198 section 2 forbids C1, and a terminal or a log that an address is written to obeys them: escape
    /// it there.
    unicode_controls, has_unicode_controls, with_unicode_controls, without_unicode_controls = false;
}

impl Lenience {
    /// The grammar and nothing else.
    pub const STRICT: Self = Self(0);

    /// The switches that decide which addresses are valid, [`unicode_controls`](Self::has_unicode_controls) aside: a
    /// value may need any of them.
    pub(crate) const ADDRESSES: Self = Self::STRICT
        .with_long_local_part()
        .with_long_path()
        .with_dots_in_local_part()
        .with_underscore_in_domain()
        .with_general_literal();

    /// Returns whether any switch is on.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.0 != 0
    }

    /// Returns the switches that are on in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether every switch that is on in `used` is on here.
    #[must_use]
    pub const fn covers(self, used: Self) -> bool {
        used.0 & !self.0 == 0
    }
}

impl fmt::Debug for Lenience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Switches::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_have_names() {
        assert_eq!(Lenience::STRICT.names().count(), 0);
        assert!(!Lenience::STRICT.is_any() && Lenience::ALL.is_any());
        let used = Lenience::STRICT.with_missing_brackets();
        assert!(used.names().eq(["missing_brackets"]));
        assert!(Lenience::default().has_trailing_white_space());
        assert!(!Lenience::default().has_missing_brackets());
        assert!(Lenience::default().covers(Lenience::STRICT) && !Lenience::default().covers(used));
        assert!(Lenience::default().union(used).covers(used));
    }
}
