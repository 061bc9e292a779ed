//! XCLIENT and XFORWARD (as Postfix describes them): a trusted client speaks for another one.

use super::{Phase, Question, Session};
use crate::{
    sasl::Identity,
    server::{announcement::Offered, budget::Fault, facts::Peer, replies, token::Asked},
    syntax::{AttributeName, AttributeValue, Domain, XclientAttributes, XforwardAttributes},
};
use core::{net::SocketAddr, num::NonZeroU16};

impl Session {
    /// Asks about XCLIENT. With an attribute that was not announced it is malformed.
    pub(super) fn xclient(&mut self, attributes: XclientAttributes<'static>) {
        let is_offered = |name| self.offered().xclient().any(|it| it == name);
        let are_offered = attributes.iter().all(|(name, _)| is_offered(name));
        match are_offered {
            true => self.ask(Question::Xclient(Asked::new(attributes))),
            false => self.refuse(&replies::ATTRIBUTE_NOT_OFFERED, Fault::Error),
        }
    }

    /// Asks about XFORWARD. With an attribute that was not announced it is malformed.
    pub(super) fn xforward(&mut self, attributes: XforwardAttributes<'static>) {
        let is_offered = |name| self.offered().xforward().any(|it| it == name);
        let are_offered = attributes.iter().all(|(name, _)| is_offered(name));
        match are_offered {
            true => self.ask(Question::Xforward(Asked::new(attributes))),
            false => self.refuse(&replies::ATTRIBUTE_NOT_OFFERED, Fault::Error),
        }
    }

    /// Begins the session anew for another client. TLS and the facts without an attribute stay.
    pub(super) fn begin_anew_for(&mut self, attributes: &XclientAttributes<'_>) {
        // After a handshake AUTH may come before a hello, and the client's own session continues.
        let is_continued = self.facts.hello.is_none() && !self.facts.had_hello;
        let facts = &mut self.facts;
        let before = facts.peer.address();
        let (mut address, mut port) = (before.map(|it| it.ip()), before.map_or(0, |it| it.port()));
        // A client that speaks for another one has proven nothing about it. The attributes of an
        // earlier line of XCLIENT hold.
        if !is_continued {
            facts.forget_identity();
        }
        facts.forget_proven();
        let mut name = facts.peer.name().cloned();
        for (attribute, value) in attributes.iter() {
            match attribute {
                AttributeName::Addr => {
                    address = value.address();
                    // Another host's port is not known, unless it comes too.
                    port = attributes.get(AttributeName::Port).map_or(0, |_| port);
                }
                // It was checked when the command was parsed: an absent value is not available.
                AttributeName::Port => port = value.port().map_or(0, NonZeroU16::get),
                AttributeName::Name => name = value.name().map(Domain::into_owned),
                AttributeName::Login => {
                    facts.more_mut().identity = value.text().map(Identity::new);
                }
                _ => {}
            }
        }
        facts.peer = Peer::of(address.map(|address| SocketAddr::new(address, port)), name);
        facts.hello = None;
        facts.is_extended = false;
        facts.had_hello = false;
        facts.end_transaction();
        // As many lines as it takes (XCLIENT_README), and nothing else before a hello.
        self.offered = Offered::Xclient;
        self.clear_content();
        self.omits_enhanced_code = true;
        // "220" and the greeting for this client: the application is asked again.
        self.enter(Phase::Start);
    }

    /// Notes the attributes of XFORWARD, for the next transaction only.
    pub(super) fn note_forwarded(&mut self, attributes: &XforwardAttributes<'_>) {
        for (name, value) in attributes.iter() {
            let forwarded = &mut self.facts.more_mut().forwarded;
            forwarded.retain(|(known, _)| *known != name);
            if let AttributeValue::Text(text) = value {
                forwarded.push((name, text.into_owned()));
            }
        }
    }
}
