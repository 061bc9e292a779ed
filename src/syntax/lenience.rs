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
    /// Control characters beyond ASCII in a mailbox: U+0080 to U+009F (C1), U+2028 and U+2029. Default: off; RFC 6531 section
    /// 3.3 allows them, RFC 5198 section 2 forbids C1, and a terminal or a log that an address is written to obeys them: escape
    /// it there.
    unicode_controls = false;
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
    }
}
