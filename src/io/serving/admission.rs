//! The decision about a client that has connected.

use super::{Incident, Options, Place, REFUSAL_TIME, Refusal, Watch, canonical, span::SessionSpan};
use crate::{io::Layer, proxy::Header, server::Server, syntax::Rejection};
use core::net::SocketAddr;

/// The decision about a client that has connected.
pub(in crate::io) enum Admission<'a> {
    /// It has a place, and its session function runs.
    Session(Watch<'a>, Layer<Server>, SessionSpan),
    /// It has no place, and gets this reply in place of the greeting.
    Refused(Refusal, Layer<Server>, Rejection),
    /// It is disconnected without a reply.
    Disconnected,
}

impl<'a> Admission<'a> {
    /// Counts a client under its address, and reports one without a place.
    pub(in crate::io) fn of(
        options: &'a Options,
        peer: Option<SocketAddr>,
        place: Result<Place, Option<Refusal>>,
    ) -> Self {
        let counted = place.and_then(|place| match peer {
            Some(peer) => place.counted(peer.ip()),
            None => Ok(place),
        });
        let refusal = match counted {
            Ok(place) => {
                let watch = Watch::new(options, peer, place);
                let (server, span) = options.server(peer, None);
                return Self::Session(watch, server, span);
            }
            Err(refusal) => refusal,
        };
        options.report(&Incident::NoPlace { peer });
        let answer = refusal.and_then(|refusal| Some((options.reply(&refusal)?, refusal)));
        let Some((reply, refusal)) = answer else { return Self::Disconnected };
        let (server, _) = options.server(peer, Some(REFUSAL_TIME));
        Self::Refused(refusal, server, reply)
    }
}

/// Returns the client that a proxy names. A proxy that checks whether the server is up (LOCAL) is the client
/// itself.
pub(in crate::io) fn client_of(header: &Header, proxy: Option<SocketAddr>) -> Option<SocketAddr> {
    match header.is_local() {
        true => proxy,
        false => header.source().map(canonical),
    }
}
