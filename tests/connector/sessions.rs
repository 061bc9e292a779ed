//! Sessions that a connector has opened, with servers of this crate.

use crate::script::{AUTHORITY, run};
use esmtp::{
    client::{MessageFacts, TlsPolicy},
    envelope::Envelope,
    io::{blocking, tokio::Connection},
    sasl::{Credentials, Mechanism},
    server::{self, Event},
    service::Service,
    tls::{ClientTls, ServerTls},
    transcript::{Entry, Transcript},
};
use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";

fn envelope() -> Envelope {
    Envelope::new("ann@example.org", ["bob@example.net"]).unwrap()
}

fn trusting() -> ClientTls {
    ClientTls::new().with_ca_pem(AUTHORITY.pem()).unwrap()
}

fn tls() -> ServerTls {
    let own = AUTHORITY.issue("localhost");
    ServerTls::from_pem(own.chain, own.key).unwrap()
}

/// Takes every message of a session; returns how many.
fn receive(mut session: blocking::ServerSession) -> usize {
    let mut messages = 0;
    while let Ok(Some(event)) = session.next() {
        match event {
            Event::Rcpt(rcpt) => rcpt.accept(),
            Event::Content(content) => drop(content.take().to_vec()),
            Event::Deliver(delivery) => {
                messages += 1;
                delivery.accept();
            }
            other => other.proceed(),
        }
    }
    messages
}

fn config() -> Arc<server::Config> {
    Arc::new(server::Config::new("localhost").unwrap())
}

/// Starts a server that accepts connections in this way; returns the number of messages of each session.
fn serve(
    accept: impl Fn(std::net::TcpStream) -> blocking::ServerSession + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // One client of each adapter.
    let serving = thread::spawn(move || {
        (0..2).map(|_| receive(accept(listener.accept().unwrap().0))).collect()
    });
    (address, serving)
}

#[test]
fn a_server_offers_starttls_or_tls_from_the_first_octet() {
    let own = tls();
    let start =
        serve(move |stream| blocking::Connection::accept_tls(stream, config(), &own).unwrap());
    let own = tls();
    let implicit = serve(move |stream| {
        blocking::Connection::accept_implicit_tls(stream, config(), &own).unwrap()
    });
    for ((address, serving), scheme) in [(start, "submission"), (implicit, "submissions")] {
        let url = format!("{scheme}://localhost:{}", address.port());
        let mut session = blocking::Connector::new(&url).with_tls(trusting()).connect().unwrap();
        assert!(session.client().security().is_verified());
        assert!(session.send(envelope(), MESSAGE).unwrap().is_delivered_to_all());
        session.quit().unwrap();
        run(async {
            let connector = esmtp::io::tokio::Connector::new(&url).with_tls(trusting());
            let mut session = connector.connect().await.unwrap();
            assert!(session.client().security().is_verified());
            assert!(session.send(envelope(), MESSAGE).await.unwrap().is_delivered_to_all());
            session.quit().await.unwrap();
        });
        assert_eq!(serving.join().unwrap(), [1, 1], "{scheme}");
    }
}

#[tokio::test]
async fn a_server_on_tokio_offers_tls_too() {
    for is_implicit in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let stream = listener.accept().await.unwrap().0;
            let mut session = match is_implicit {
                true => Connection::accept_implicit_tls(stream, config(), &tls()),
                false => Connection::accept_tls(stream, config(), &tls()),
            }
            .unwrap();
            while let Ok(Some(event)) = session.next().await {
                event.proceed();
            }
            assert!(session.server().end().is_some());
        });
        let scheme = if is_implicit { "submissions" } else { "submission" };
        let connector = esmtp::io::tokio::Connector::new(format!("{scheme}://localhost:{port}"));
        connector.with_tls(trusting()).verify().await.unwrap();
        serving.await.unwrap();
    }
}

/// A path for a socket, which is removed with its folder.
#[cfg(unix)]
struct Folder(std::path::PathBuf);

#[cfg(unix)]
impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("esmtp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

#[cfg(unix)]
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
#[test]
fn lmtp_over_a_unix_socket_is_one_call() {
    let folder = Folder::new("lmtp socket");
    let path = folder.0.join("lmtp");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let serving = thread::spawn(move || {
        (0..3)
            .map(|_| {
                let config = server::Config::new("localhost").unwrap().with_service(Service::Lmtp);
                let stream = listener.accept().unwrap().0;
                receive(blocking::Connection::accept(stream, Arc::new(config)).unwrap())
            })
            .collect::<Vec<_>>()
    });
    let mut session = blocking::Connector::unix(&path).connect().unwrap();
    assert!(session.send(envelope(), MESSAGE).unwrap().is_delivered_to_all());
    session.quit().unwrap();
    // The space in the path is percent-encoded.
    let url = format!("lmtp+unix:{}", path.display().to_string().replace(' ', "%20"));
    blocking::Connector::new(&url).verify().unwrap();
    run(async {
        let mut session = esmtp::io::tokio::Connector::new(&url).connect().await.unwrap();
        assert!(session.send(envelope(), MESSAGE).await.unwrap().is_delivered_to_all());
        session.quit().await.unwrap();
    });
    assert_eq!(serving.join().unwrap(), [1, 0, 1]);
    let error = blocking::Connector::unix(folder.0.join("none")).connect().unwrap_err();
    assert_eq!(error.step(), esmtp::io::ConnectStep::Connect);
}

/// Lines of a session.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Transcript for Lines {
    fn entry(&mut self, _: esmtp::time::Instant, entry: Entry<'_>) {
        self.0.lock().unwrap().push(entry.to_string());
    }
}

#[test]
fn hello_name_transcript_and_further_settings_reach_the_session() {
    let (address, serving) =
        serve(|stream| blocking::Connection::accept(stream, config()).unwrap());
    let lines = Lines::default();
    let (made, transcripts) = (lines.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&transcripts);
    let connector = blocking::Connector::new(address.to_string())
        .with_tls_policy(TlsPolicy::Never)
        .with_hello("client.example.org")
        .with_config(|config| config.with_transactions(8))
        .with_transcript(move || {
            counted.fetch_add(1, Relaxed);
            Box::new(made.clone())
        });
    let mut session = connector.connect().unwrap();
    assert_eq!(session.client().config().transactions(), 8);
    session.quit().unwrap();
    connector.clone().verify().unwrap();
    assert_eq!(serving.join().unwrap(), [0, 0]);
    assert_eq!(transcripts.load(Relaxed), 2, "one for each session");
    let lines = lines.0.lock().unwrap();
    let hellos = lines.iter().filter(|line| *line == "C: EHLO client.example.org").count();
    assert_eq!(hellos, 2, "{lines:?}");
}

/// 5321-4.1.4: an address literal, or the name of the machine.
#[test]
fn without_a_name_the_client_has_one_that_servers_accept() {
    let (address, serving) =
        serve(|stream| blocking::Connection::accept(stream, config()).unwrap());
    for _ in 0..2 {
        let mut session = blocking::Connector::new(address.to_string())
            .with_tls_policy(TlsPolicy::Never)
            .connect()
            .unwrap();
        let host = session.client().config().host().to_string();
        assert!(host == "[127.0.0.1]" || host.contains('.'), "{host}");
        session.quit().unwrap();
    }
    assert_eq!(serving.join().unwrap(), [0, 0]);
}

#[tokio::test]
async fn a_source_address_is_used() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        let mut session = Connection::accept(stream, config()).unwrap();
        while let Ok(Some(event)) = session.next().await {
            event.proceed();
        }
        peer.ip()
    });
    let local = "127.0.0.1".parse().unwrap();
    let connector = esmtp::io::tokio::Connector::new(address.to_string());
    let connector = connector.with_tls_policy(TlsPolicy::Never).with_local_address(local);
    connector.verify().await.unwrap();
    assert_eq!(serving.await.unwrap(), local);
}

/// A session of a connector is used like any other, by any task.
#[tokio::test]
async fn a_session_of_a_connector_can_be_sent_to_another_task() {
    let (address, serving) =
        serve(|stream| blocking::Connection::accept(stream, config()).unwrap());
    let connector = esmtp::io::tokio::Connector::new(address.to_string());
    let connector = connector.with_tls_policy(TlsPolicy::Never);
    for _ in 0..2 {
        let connector = connector.clone();
        let sending = tokio::spawn(async move {
            let mut session = connector.connect().await.unwrap();
            let facts = MessageFacts::scan(MESSAGE);
            let report = session.send_from(envelope(), facts, MESSAGE).await.unwrap();
            session.quit().await.unwrap();
            report.is_delivered_to_all()
        });
        assert!(sending.await.unwrap());
    }
    assert_eq!(tokio::task::spawn_blocking(|| serving.join().unwrap()).await.unwrap(), [1, 1]);
}

/// RFC 4422 appendix A: the certificate of the client is its credential.
#[tokio::test]
async fn external_logs_in_with_the_certificate_of_the_client() {
    use esmtp::{sasl::Offer, tls::ClientCertificates};
    let clients = crate::script::Authority::new();
    let own = clients.issue("ann.example.org");
    let (near, far) = tokio::io::duplex(1 << 16);
    let server = tls().with_client_ca_pem(clients.pem(), ClientCertificates::Wanted).unwrap();
    let offer = Offer::new([Mechanism::EXTERNAL]);
    let config = server::Config::new("localhost")
        .unwrap()
        .with_service(Service::Submission)
        .with_auth(offer);
    let far = esmtp::io::tokio::Socket::boxed(far);
    let mut session = Connection::accept_tls(far, Arc::new(config), &server).unwrap();
    let serving = tokio::spawn(async move {
        let mut has_certificate = false;
        while let Ok(Some(event)) = session.next().await {
            match event {
                Event::Hello(mut hello) => {
                    has_certificate = hello.facts().security().is_verified();
                    if has_certificate {
                        hello.prove("ann");
                    }
                    hello.accept();
                }
                Event::Authenticated(authenticated) => authenticated.accept(),
                other => other.proceed(),
            }
        }
        has_certificate
    });
    let client = trusting().with_client_certificate(own.chain, own.key).unwrap();
    let connector = esmtp::io::tokio::Connector::new("localhost")
        .submission(Credentials::external())
        .with_tls(client);
    let near = esmtp::io::tokio::Socket::boxed(near);
    let mut session = connector.connect_over(near).await.unwrap();
    assert_eq!(session.client().authenticated(), Some(Mechanism::EXTERNAL));
    session.quit().await.unwrap();
    assert!(serving.await.unwrap());
}
