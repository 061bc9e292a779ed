//! A server in a TLS layer, with any client: no panic, an end, bounded memory, and nothing that
//! comes in the clear where TLS is due is ever a command.
//!
//! Input: how TLS begins and the connection ends, the length of a piece, then what the client
//! says. After an honest beginning of a handshake if the third bit is set.

#![no_main]

use esmtp::{
    machine::{Closed, Machine, Need, Upgradable},
    security::Security,
    server::{Config, Event, Peer, Server},
    syntax::Extension,
    time::Instant,
    tls::{Choice, Secured, ServerTls},
};
use libfuzzer_sys::fuzz_target;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["mx.example.org".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    Arc::new(config.expect("a configuration"))
});

static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(config)
});

fn hold(
    mut machine: Secured<impl for<'m> Upgradable<Event<'m> = Event<'m>> + 'static>,
    octets: &[u8],
    piece: usize,
    how: Closed,
) -> usize {
    let (mut fed, mut hellos, mut is_closed, mut now) = (0, 0, false, Instant::ORIGIN);
    let most = 2000 + 100 * octets.len();
    for _ in 0..most {
        match machine.poll(now) {
            Need::Answer => match machine.event().expect("an event") {
                Event::Mail(_) => panic!("a command that was not in TLS"),
                Event::Hello(hello) => {
                    hellos += 1;
                    hello.accept();
                }
                other => other.proceed(),
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 4];
                let count = machine.to_send(&mut slices);
                let ready: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                assert!((1..300_000).contains(&ready));
                machine.sent(ready.min(piece));
            }
            Need::Read(deadline) => {
                assert!(deadline > now);
                if fed < octets.len() {
                    let upto = octets.len().min(fed + piece);
                    let taken = machine.feed(&octets[fed..upto]);
                    assert!(taken > 0, "asks for octets and has no room");
                    fed += taken;
                } else {
                    assert!(!is_closed, "reads on after the end");
                    machine.closed(how);
                    is_closed = true;
                }
            }
            Need::Wait(until) => now = until.min(now + Duration::from_secs(100)),
            Need::Close => return hellos,
        }
    }
    panic!("no end after {most} steps");
}

fuzz_target!(|data: &[u8]| {
    let [kind, piece, octets @ ..] = data else { return };
    let config = Config::new("mx.example.org").expect("a host").with_extensions(
        [Extension::EnhancedStatusCodes, Extension::StartTls].into_iter().collect(),
    );
    let config = config.with_enforced_sync(false);
    let server = Server::new(Arc::new(config), Peer::UNKNOWN, Security::CLEAR);
    let how = if kind & 1 == 0 { Closed::Clean } else { Closed::CutOff };
    let piece = if *piece == 0 { usize::MAX } else { usize::from(*piece) };
    let end = match kind & 8 {
        0 => ServerTls::from(Arc::clone(&SERVER)),
        _ => ServerTls::choosing(|hello| match hello.server_name() {
            Some("mx.example.org") => Choice::Use(Arc::clone(&SERVER).into()),
            Some(_) => Choice::Refuse,
            None => Choice::Later,
        }),
    };
    let mut said = Vec::new();
    if kind & 4 != 0 {
        let name = ServerName::try_from("mx.example.org").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&CLIENT), name).expect("a client");
        client.write_tls(&mut said).expect("a hello");
    }
    said.extend_from_slice(octets);
    if kind & 2 == 0 {
        assert_eq!(hold(Secured::implicit(server, end), &said, piece, how), 0);
    } else {
        let mut machine = Secured::start_tls(server, end);
        let clear = b"EHLO a.example\r\nSTARTTLS\r\n";
        // To the end of STARTTLS, and then whatever comes.
        loop {
            match machine.poll(Instant::ORIGIN) {
                Need::Answer => machine.event().expect("an event").proceed(),
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&[][..]; 4];
                    let count = machine.to_send(&mut slices);
                    let ready = slices[..count].concat();
                    machine.sent(ready.len());
                    if ready.starts_with(b"220 mx") {
                        assert_eq!(machine.feed(clear), clear.len());
                    } else if ready.ends_with(b"220 2.0.0 Ready to start TLS\r\n") {
                        break;
                    }
                }
                other => panic!("no TLS: {other:?}"),
            }
        }
        assert_eq!(hold(machine, &said, piece, how), 0);
    }
});
