//! Peers that lead in no row.

use crate::{
    inputs::Lines,
    peers::{Replies, now},
    subject::{Script, Sink, Subject},
};
use std::{hint::black_box, str};

pub fn subjects() -> Vec<Box<dyn Subject>> {
    vec![Box::new(Lettre), Box::new(IoSmtp), Box::new(AsyncSmtp)]
}

struct Lettre;

impl lettre::transport::smtp::client::AsyncTokioStream for Replies {
    fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        Ok(([127, 0, 0, 1], 25).into())
    }
}

impl Subject for Lettre {
    fn name(&self) -> &'static str {
        "lettre 0.11"
    }

    fn replies(&mut self, lines: &Lines) -> Option<usize> {
        let parse = |reply: &[u8]| {
            let reply = str::from_utf8(reply).unwrap_or_default();
            black_box(reply.parse::<lettre::transport::smtp::response::Response>()).is_ok()
        };
        Some(lines.iter().filter(|reply| parse(reply)).count())
    }

    fn deliver(&mut self, messages: usize, script: &Script<'_>, _: &mut Sink) -> Option<usize> {
        use lettre::{
            address::Envelope,
            transport::smtp::{client::AsyncSmtpConnection, extension::ClientId},
        };
        let from = "john.doe@example.com".parse().ok();
        let envelope = Envelope::new(from, vec!["alice@example.org".parse().ok()?]).ok()?;
        let stream = Box::new(Replies::new(script.replies(messages)));
        let name = ClientId::Domain("client.example.com".into());
        let mut session = now(AsyncSmtpConnection::connect_with_transport(stream, &name)).ok()?;
        for _ in 0..messages {
            now(session.send(&envelope, script.message)).ok()?;
        }
        let _ = now(session.quit());
        Some(messages)
    }
}

struct IoSmtp;

impl Subject for IoSmtp {
    fn name(&self) -> &'static str {
        "io-smtp 0.6"
    }

    fn replies(&mut self, lines: &Lines) -> Option<usize> {
        let parse = |reply: &[u8]| match lines.name {
            "ehlo" => black_box(io_smtp::rfc5321::SmtpEhloResponse::parse(reply)).is_ok(),
            _ => black_box(io_smtp::rfc5321::SmtpResponse::parse(reply)).is_ok(),
        };
        Some(lines.iter().filter(|reply| parse(reply)).count())
    }
}

struct AsyncSmtp;

impl Subject for AsyncSmtp {
    fn name(&self) -> &'static str {
        "async-smtp 0.10"
    }

    fn deliver(&mut self, messages: usize, script: &Script<'_>, _: &mut Sink) -> Option<usize> {
        use async_smtp::{EmailAddress, Envelope, SendableEmail, SmtpClient, SmtpTransport};
        let stream = tokio::io::BufReader::new(Replies::new(script.replies(messages)));
        let mut session = now(SmtpTransport::new(SmtpClient::new(), stream)).ok()?;
        for _ in 0..messages {
            let from = EmailAddress::new("john.doe@example.com".into()).ok()?;
            let to = EmailAddress::new("alice@example.org".into()).ok()?;
            let envelope = Envelope::new(Some(from), vec![to]).ok()?;
            now(session.send(SendableEmail::new(envelope, script.message.to_vec()))).ok()?;
        }
        now(session.quit()).ok()?;
        Some(messages)
    }
}
