//! The sources of content in memory, for a queue.

/// Makes the type of a source, which an adapter has with readers of its own kind.
macro_rules! source {
    ($(#[$doc:meta])* $reader:ty) => {
        $(#[$doc])*
        pub struct Source<'c> {
            pub(super) facts: $crate::client::MessageFacts,
            pub(super) octets: Octets<'c>,
        }

        /// The octets of a source.
        pub(super) enum Octets<'c> {
            Slice(&'c [u8]),
            Bytes(bytes::Bytes),
            Reader($reader),
        }

        impl Source<'_> {
            /// Sets what is known of the content, in place of what was found by scanning it.
            #[must_use]
            pub fn with_facts(mut self, facts: $crate::client::MessageFacts) -> Self {
                self.facts = facts;
                self
            }
        }

        impl<'c> From<&'c [u8]> for Source<'c> {
            fn from(octets: &'c [u8]) -> Self {
                let facts = $crate::client::MessageFacts::scan(octets);
                Self { facts, octets: Octets::Slice(octets) }
            }
        }

        impl<'c, const N: usize> From<&'c [u8; N]> for Source<'c> {
            fn from(octets: &'c [u8; N]) -> Self {
                Self::from(&octets[..])
            }
        }

        impl<'c> From<&'c alloc::vec::Vec<u8>> for Source<'c> {
            fn from(octets: &'c alloc::vec::Vec<u8>) -> Self {
                Self::from(&octets[..])
            }
        }

        impl<'c> From<&'c alloc::string::String> for Source<'c> {
            fn from(text: &'c alloc::string::String) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<alloc::string::String> for Source<'_> {
            fn from(text: alloc::string::String) -> Self {
                Self::from(text.into_bytes())
            }
        }

        impl<'c> From<&'c str> for Source<'c> {
            fn from(text: &'c str) -> Self {
                Self::from(text.as_bytes())
            }
        }

        /// The octets are lent to the session, without a copy.
        impl From<bytes::Bytes> for Source<'_> {
            fn from(octets: bytes::Bytes) -> Self {
                let facts = $crate::client::MessageFacts::scan(&octets);
                Self { facts, octets: Octets::Bytes(octets) }
            }
        }

        impl From<alloc::vec::Vec<u8>> for Source<'_> {
            fn from(octets: alloc::vec::Vec<u8>) -> Self {
                Self::from(bytes::Bytes::from(octets))
            }
        }

        impl core::fmt::Debug for Source<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let octets = match &self.octets {
                    Octets::Slice(octets) => Some(octets.len()),
                    Octets::Bytes(octets) => Some(octets.len()),
                    Octets::Reader(_) => None,
                };
                f.debug_struct("Source").field("octets", &octets).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use source;
