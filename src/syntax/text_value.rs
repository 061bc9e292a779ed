//! One form for every value that is text: its methods, and how it is shown and read.

use alloc::borrow::Cow;

/// Implements for a type over `Cow<str>` all that the values of this folder have in common. The arms can be used alone:
/// `methods` for a type with a `Display` of its own, `shown` and `read` for a type that is not a `Cow`, and `any_case` for
/// equality without case.
macro_rules! text_value {
    ($type:ident, $read:expr) => {
        text_value!(methods $type);
        text_value!(shown $type);
        text_value!(read $type, $read);

        impl TryFrom<alloc::string::String> for $type<'static> {
            type Error = $crate::syntax::SyntaxError;

            fn try_from(text: alloc::string::String) -> Result<Self, Self::Error> {
                $read(text)
            }
        }
    };
    (methods $type:ident) => {
        impl $type<'_> {
            /// Returns the text as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns a value that borrows from this one.
            #[must_use]
            pub fn as_borrowed(&self) -> $type<'_> {
                $type(alloc::borrow::Cow::Borrowed(&self.0))
            }

            /// Returns the value with memory of its own.
            #[must_use]
            pub fn into_owned(self) -> $type<'static> {
                $type($crate::syntax::text_value::owned(self.0))
            }
        }

        impl AsRef<str> for $type<'_> {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
    (shown $type:ident) => {
        /// As it was written.
        impl core::fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
    (read $type:ident, $read:expr) => {
        impl<'a> TryFrom<&'a str> for $type<'a> {
            type Error = $crate::syntax::SyntaxError;

            fn try_from(text: &'a str) -> Result<Self, Self::Error> {
                $read(text)
            }
        }

        /// Unlike `TryFrom<&str>`, it copies the text.
        impl core::str::FromStr for $type<'static> {
            type Err = $crate::syntax::SyntaxError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $type::try_from(text).map($type::into_owned)
            }
        }
    };
    (any_case $type:ident) => {
        /// Equality is without case, for ASCII letters.
        impl PartialEq for $type<'_> {
            fn eq(&self, other: &$type<'_>) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $type<'_> {}

        impl core::hash::Hash for $type<'_> {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.0.bytes().for_each(|octet| state.write_u8(octet.to_ascii_lowercase()));
                state.write_u8(0xFF);
            }
        }
    };
}

/// Returns a text with memory of its own.
#[inline(never)] // a copy in each type took 2 kB
pub(super) fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

pub(super) use text_value;
