//! The announcement of a server: its greeting, and the service extensions in the replies to hellos.
//!
//! A configuration makes them once for all of its sessions. A session remembers only which list its
//! client was given ([`Offered`]).

use super::replies;
use crate::{
    sasl::Mechanism,
    service::Service,
    syntax::{Extension, Extensions, Host},
};
use alloc::{format, vec::Vec};

/// The list of extensions that a client was given, which it may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Offered {
    /// None: no EHLO was accepted (RFC 5321 section 2.2.1).
    #[default]
    Nothing,
    /// XCLIENT alone, after a first line of it (XCLIENT_README).
    Xclient,
    /// The list in the clear.
    Clear,
    /// The list in the clear, with AUTH.
    ClearAuth,
    /// The list in TLS.
    Tls,
    /// The list in TLS, with AUTH.
    TlsAuth,
}

impl Offered {
    /// Returns the list for a client that has sent EHLO.
    pub(super) const fn list(is_tls: bool, has_auth: bool) -> Self {
        match (is_tls, has_auth) {
            (false, false) => Self::Clear,
            (false, true) => Self::ClearAuth,
            (true, false) => Self::Tls,
            (true, true) => Self::TlsAuth,
        }
    }

    /// Returns whether AUTH is in the list.
    pub(super) const fn has_auth(self) -> bool {
        matches!(self, Self::ClearAuth | Self::TlsAuth)
    }
}

/// The greeting and the lists of extensions of one configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Announcement {
    /// The greeting in its wire form.
    greeting: Vec<u8>,
    host: Vec<u8>,
    xclient: Extensions,
    clear: List,
    tls: List,
}

/// A list of extensions, without AUTH and with it, whose mechanisms each client is told for itself.
#[derive(Clone, Debug, Default)]
struct List {
    without_auth: Extensions,
    with_auth: Extensions,
    /// The lines before AUTH, each as `250-` and CRLF around it.
    before: Vec<u8>,
    /// Those after AUTH.
    after: Vec<u8>,
}

impl Announcement {
    /// Returns the announcement of a server with this name and these extensions, of which STARTTLS is
    /// for the clear only and REQUIRETLS for TLS only.
    pub(super) fn new(host: &Host<'_>, service: Service, offered: &Extensions) -> Self {
        let mut greeting = Vec::new();
        replies::greeting(host, service, None).encode(&mut greeting);
        let xclient = match offered.contains(Extension::Xclient) {
            true => Extensions::NONE.with_xclient(&offered.xclient().collect::<Vec<_>>()),
            false => Extensions::NONE,
        };
        Self {
            greeting,
            host: format!("{host}").into_bytes(),
            xclient,
            clear: List::new(offered.clone().without(Extension::RequireTls)),
            tls: List::new(offered.clone().without(Extension::StartTls)),
        }
    }

    /// Returns the extensions in a list.
    pub(super) const fn extensions(&self, offered: Offered) -> &Extensions {
        match offered {
            Offered::Nothing => const { &Extensions::NONE },
            Offered::Xclient => &self.xclient,
            Offered::Clear => &self.clear.without_auth,
            Offered::ClearAuth => &self.clear.with_auth,
            Offered::Tls => &self.tls.without_auth,
            Offered::TlsAuth => &self.tls.with_auth,
        }
    }

    /// Writes the greeting (RFC 5321 section 4.2) with its default text. It has no enhanced code (RFC
    /// 2034 section 4).
    pub(super) fn greet(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.greeting);
    }

    /// Writes the reply to a hello: the name of the server and `text` after it, and the list of
    /// extensions (RFC 5321 section 4.1.1.1). It has no enhanced code either.
    pub(super) fn reply_to_hello(
        &self,
        offered: Offered,
        text: Option<&str>,
        mechanisms: impl Iterator<Item = Mechanism>,
        out: &mut Vec<u8>,
    ) {
        let list = match offered {
            Offered::Nothing | Offered::Xclient => None,
            Offered::Clear | Offered::ClearAuth => Some(&self.clear),
            Offered::Tls | Offered::TlsAuth => Some(&self.tls),
        };
        let mut last = out.len();
        out.extend_from_slice(LINE);
        out.extend_from_slice(&self.host);
        if let Some(text) = text {
            out.push(b' ');
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if let Some(list) = list {
            extend(out, &list.before, &mut last);
            if offered.has_auth() {
                last = out.len();
                out.extend_from_slice(LINE);
                out.extend_from_slice(Extension::Auth.keyword().as_bytes());
                for mechanism in mechanisms {
                    out.push(b' ');
                    out.extend_from_slice(mechanism.as_str().as_bytes());
                }
                out.extend_from_slice(b"\r\n");
            }
            extend(out, &list.after, &mut last);
        }
        if let Some(separator) = out.get_mut(last.saturating_add(CODE.len())) {
            *separator = b' ';
        }
    }
}

/// The code of the reply to a hello.
const CODE: &[u8] = b"250";
/// The front of each of its lines but the last.
const LINE: &[u8] = b"250-";

/// Appends whole lines, and notes where the last one begins.
fn extend(out: &mut Vec<u8>, lines: &[u8], last: &mut usize) {
    let before = lines.strip_suffix(b"\r\n").unwrap_or_default();
    if !lines.is_empty() {
        *last = out.len() + memchr::memrchr(b'\n', before).map_or(0, |lf| lf + 1);
        out.extend_from_slice(lines);
    }
}

impl List {
    fn new(without_auth: Extensions) -> Self {
        let with_auth = without_auth.clone().with(Extension::Auth);
        let mut list = Self { without_auth, with_auth, ..Self::default() };
        let mut is_after = false;
        for line in list.with_auth.lines() {
            if line == Extension::Auth.keyword() {
                is_after = true;
                continue;
            }
            let lines = if is_after { &mut list.after } else { &mut list.before };
            lines.extend_from_slice(LINE);
            lines.extend_from_slice(line.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        list
    }
}
