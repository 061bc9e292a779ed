//! A machine in the clear or inside TLS, as one type, and the rustls connection at its other end.

#![allow(dead_code)] // not every file of tests needs all of it

use esmtp::{
    machine::{Closed, Machine, Need, Upgradable},
    time::Instant,
    tls::{ClientTls, Role, Secured, ServerTls},
};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use std::sync::{Arc, LazyLock};

/// A machine, and what stands between it and the wire.
#[derive(Debug)]
pub(crate) enum Channel<M> {
    Clear(M),
    Tls(Box<Secured<M>>),
}

impl<M: Upgradable> Channel<M> {
    pub(crate) fn machine(&self) -> &M {
        match self {
            Self::Clear(machine) => machine,
            Self::Tls(secured) => secured.machine(),
        }
    }

    pub(crate) fn machine_mut(&mut self) -> &mut M {
        match self {
            Self::Clear(machine) => machine,
            Self::Tls(secured) => secured.machine_mut(),
        }
    }
}

/// Calls a method of the one or the other.
macro_rules! forward {
    ($self:ident, $machine:ident => $what:expr) => {
        match $self {
            Channel::Clear($machine) => $what,
            Channel::Tls($machine) => $what,
        }
    };
}

impl<M: Upgradable> Machine for Channel<M> {
    type Event<'m>
        = M::Event<'m>
    where
        M: 'm;

    fn poll(&mut self, now: Instant) -> Need {
        forward!(self, it => it.poll(now))
    }

    fn event(&mut self) -> Option<M::Event<'_>> {
        forward!(self, it => it.event())
    }

    fn receive_buffer(&mut self) -> &mut [u8] {
        forward!(self, it => it.receive_buffer())
    }

    fn received(&mut self, octets: usize) {
        forward!(self, it => it.received(octets));
    }

    fn release(&mut self) {
        forward!(self, it => it.release());
    }

    fn closed(&mut self, how: Closed) {
        forward!(self, it => it.closed(how));
    }

    fn to_send<'a>(&'a self, slices: &mut [&'a [u8]]) -> usize {
        forward!(self, it => it.to_send(slices))
    }

    fn sent(&mut self, octets: usize) {
        forward!(self, it => it.sent(octets));
    }

    fn unsendable(&mut self) {
        forward!(self, it => it.unsendable());
    }
}

/// Both ends of TLS for `mx.example.org`.
struct Identity {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Ed25519, whose signatures all have one length: the octets of a handshake are cut at the same
/// places each time.
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let keys = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let names = vec!["mx.example.org".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&keys).unwrap();
    let certificate = certificate.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(keys.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Identity { server: Arc::new(server), client: Arc::new(client) }
});

fn name() -> ServerName<'static> {
    ServerName::try_from("mx.example.org").unwrap()
}

/// Creates the layer around a server.
pub(crate) fn server_end() -> Role {
    Role::from(server_tls())
}

/// Returns the TLS of a server.
pub(crate) fn server_tls() -> ServerTls {
    ServerTls::from(Arc::clone(&IDENTITY.server))
}

/// Creates the layer around a client.
pub(crate) fn client_end() -> Role {
    ClientTls::from(Arc::clone(&IDENTITY.client)).for_host("mx.example.org").unwrap()
}

/// Creates the peer of a server.
pub(crate) fn rustls_client() -> Connection {
    let mut client = ClientConnection::new(Arc::clone(&IDENTITY.client), name()).unwrap();
    client.set_buffer_limit(None);
    client.into()
}

/// Creates the peer of a client.
pub(crate) fn rustls_server() -> Connection {
    let mut server = ServerConnection::new(Arc::clone(&IDENTITY.server)).unwrap();
    server.set_buffer_limit(None);
    server.into()
}
