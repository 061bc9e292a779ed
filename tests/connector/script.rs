//! A server on a loopback port that follows a script, and its certificates.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::{
    future::Future,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

/// A step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The server sends a line.
    S(&'static str),
    /// The client sends a line that begins so.
    C(&'static str),
    /// The TLS handshake.
    Tls,
    /// Nothing more happens for a while.
    Hang,
}

pub(crate) use Step::{C, Hang, S, Tls};

/// An authority of certificates, and what it has issued.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key in PEM.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Each has a name of its own, so that none is taken for another.
        let name = format!("authority {:x?}", &key.public_key_raw()[..8]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub(crate) fn issue(&self, name: &str) -> Certificate {
        self.issue_with(name, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let certificate = params.signed_by(&key, issuer).unwrap();
        Certificate { chain: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Certificate {
    /// Returns the configuration of a server with it.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes());
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Arc::new(config)
    }
}

/// The configuration of a server with a certificate for `localhost`, which [`AUTHORITY`] has issued.
pub(crate) static LOCALHOST: LazyLock<Arc<ServerConfig>> =
    LazyLock::new(|| AUTHORITY.issue("localhost").config());

trait Duplex: Read + Write + Send {}

impl<S: Read + Write + Send> Duplex for S {}

/// Starts a server that plays the script with every client.
pub(crate) fn serve(script: &'static [Step]) -> SocketAddr {
    serve_with(Arc::clone(&LOCALHOST), script)
}

pub(crate) fn serve_with(config: Arc<ServerConfig>, script: &'static [Step]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                if let Some(mut stream) = follow(stream.unwrap(), &config, script) {
                    // Until the client has read all of it.
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                }
            });
        }
    });
    address
}

/// Returns a port that no server listens on.
pub(crate) fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Follows the script; returns the stream at its end, unless the client has left.
fn follow(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    script: &[Step],
) -> Option<BufReader<Box<dyn Duplex>>> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut clear = Some(stream.try_clone().unwrap());
    let mut stream: BufReader<Box<dyn Duplex>> = BufReader::new(Box::new(stream));
    for step in script {
        match step {
            Step::S(line) => {
                let sent = write!(stream.get_mut(), "{line}\r\n");
                sent.and_then(|()| stream.get_mut().flush()).ok()?;
            }
            Step::C(expected) => {
                let mut line = String::new();
                match stream.read_line(&mut line) {
                    Ok(0) => return None,
                    Ok(_) => assert!(line.starts_with(expected), "{line:?}, not {expected:?}"),
                    // The client does not trust this server, or has hung up.
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return None,
                    Err(error) => panic!("{error}, not {expected:?}"),
                }
            }
            Step::Tls => {
                let tls = ServerConnection::new(Arc::clone(config)).unwrap();
                let stream_of_tls = StreamOwned::new(tls, clear.take().unwrap());
                stream = BufReader::new(Box::new(stream_of_tls));
            }
            Step::Hang => thread::sleep(Duration::from_secs(15)),
        }
    }
    Some(stream)
}

/// Runs a future to its end.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Starts a server that plays the script with every client, and closes the connection at its end.
pub(crate) fn serve_and_hang_up(script: &'static [Step]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let end = stream.try_clone().unwrap();
            thread::spawn(move || {
                follow(stream, &LOCALHOST, script);
                let _ = end.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}
