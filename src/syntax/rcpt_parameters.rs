//! What RCPT may carry.

use core::marker::PhantomData;

use super::{Extensions, Parameters, SyntaxError, SyntaxErrorKind, Verb};

/// The parameters of RCPT, each with its type; absent is `None`, never a zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParameters<'a> {
    marker: PhantomData<&'a ()>,
}

impl<'a> RcptParameters<'a> {
    /// Reads what the parameters mean where `offered` was announced.
    ///
    /// # Errors
    ///
    /// As for [`MailParameters::parse`](super::MailParameters::parse).
    pub fn parse(
        parameters: &'a Parameters<'_>,
        offered: &Extensions,
    ) -> Result<Self, SyntaxError> {
        let _ = offered;
        match parameters.is_empty() {
            true => Ok(Self::default()),
            false => Err(SyntaxError::new(SyntaxErrorKind::UnknownParameter, 0).on(Verb::Rcpt)),
        }
    }
}
