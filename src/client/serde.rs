//! Reports for `serde`: they are written, for logs and for queues. Only a client makes a report, so it
//! is not read.

use super::{Outcome, Report};
use ::serde::{
    Serialize, Serializer,
    ser::{SerializeSeq as _, SerializeStruct as _},
};

/// `"unknown"`, `"untried"`, or `{"replied": …}` with the reply as it came.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Replied(reply) => {
                serializer.serialize_newtype_variant("Outcome", 0, "replied", &**reply)
            }
            Self::Unknown => serializer.serialize_unit_variant("Outcome", 1, "unknown"),
            Self::Untried => serializer.serialize_unit_variant("Outcome", 2, "untried"),
        }
    }
}

/// The reverse-path, and for each recipient its forward-path and its outcome.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 2)?;
        report.serialize_field("reverse_path", self.envelope().reverse_path())?;
        report.serialize_field("recipients", &Recipients(self))?;
        report.end()
    }
}

struct Recipients<'r>(&'r Report);

impl Serialize for Recipients<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recipients = self.0.recipients();
        let mut sequence = serializer.serialize_seq(Some(recipients.len()))?;
        for recipient in recipients {
            sequence.serialize_element(&(recipient.path(), recipient.outcome()))?;
        }
        sequence.end()
    }
}
