//! The trace of a session, as a `Received:` field tells it.

use super::facts::Facts;
use crate::{
    syntax::Host,
    trace::{Received, Timestamp, Traced},
};

impl Traced for Facts {
    fn trace<'a>(&'a self, by: &'a Host<'a>, at: Timestamp) -> Received<'a> {
        let mut field = Received::new(by, self.protocol(), at);
        if let Some(name) = self.hello_name() {
            field = field.with_from(name);
        }
        if let Some(address) = self.peer().address() {
            field = field.with_peer(address.ip(), self.peer().name());
        }
        if let Some(cipher) = self.security().cipher() {
            field = field.with_tls(cipher);
        }
        let Some(envelope) = self.transaction() else { return field };
        if let Some(priority) = envelope.typed_parameters().priority() {
            field = field.with_priority(priority);
        }
        field.with_recipients(envelope.recipients().map(|it| it.forward_path()))
    }
}
