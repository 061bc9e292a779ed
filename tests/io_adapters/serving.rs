//! Listeners of both adapters: limits, proxies, faults, and the end with every phase of a session open.

use crate::phases::{Client, PHASES};
use esmtp::{
    io::{
        blocking,
        serving::{Handle, Options},
        tokio as asynchronous,
    },
    proxy::Header,
    sasl::Offer,
    server::{Config, Event, Limits, Timeouts},
    syntax::{Extension, Rejection},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Adapter {
    Blocking,
    Tokio,
}

const ADAPTERS: [Adapter; 2] = [Adapter::Blocking, Adapter::Tokio];

/// The state that the sessions share.
#[derive(Debug, Default)]
struct State {
    delivered: AtomicUsize,
    aborted: AtomicUsize,
    /// The sessions that will not return.
    stalled: AtomicUsize,
    /// The address of each client.
    peers: Mutex<Vec<Option<SocketAddr>>>,
}

/// A listener that runs.
struct Running {
    address: SocketAddr,
    handle: Handle,
    state: Arc<State>,
    incidents: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<io::Result<()>>,
}

/// The way in which a session function goes on after an event.
enum Then {
    Next,
    Sleep,
}

/// Decides as the policy does: `panic` and `stall` are mailboxes, too.
fn answer(event: Event<'_>, state: &State) -> Then {
    match event {
        Event::Connect(connect) => {
            state.peers.lock().unwrap().push(connect.facts().peer().address());
            connect.accept();
        }
        Event::Rcpt(rcpt) => {
            let path = rcpt.forward_path().to_string();
            assert_ne!(path, "<panic@example.net>");
            rcpt.accept();
            if path == "<stall@example.net>" {
                state.stalled.fetch_add(1, Ordering::SeqCst);
                return Then::Sleep;
            }
        }
        Event::Content(content) => assert!(!content.take().is_empty()),
        Event::Deliver(delivery) => {
            state.delivered.fetch_add(1, Ordering::SeqCst);
            delivery.accept();
        }
        Event::Abort(abort) => {
            state.aborted.fetch_add(1, Ordering::SeqCst);
            abort.acknowledge();
        }
        other => other.proceed(),
    }
    Then::Next
}

impl Running {
    fn start(adapter: Adapter, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let incidents = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&incidents);
        let options =
            options.with_log(move |incident| log.lock().unwrap().push(incident.to_string()));
        let shared = Arc::clone(&state);
        let (handle, thread) = match adapter {
            Adapter::Blocking => {
                let serving = blocking::serve(listener, options, shared, |mut session, state| {
                    while let Some(event) = session.next()? {
                        if let Then::Sleep = answer(event, &state) {
                            thread::sleep(Duration::from_secs(600));
                        }
                    }
                    Ok(())
                });
                (serving.handle(), thread::spawn(|| serving.run()))
            }
            Adapter::Tokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .unwrap();
                listener.set_nonblocking(true).unwrap();
                let listener = {
                    let _guard = runtime.enter();
                    tokio::net::TcpListener::from_std(listener).unwrap()
                };
                let captured = "a value that the closure owns".to_owned();
                let serving = asynchronous::serve(
                    listener,
                    options,
                    shared,
                    move |mut session, state: Arc<State>| {
                        let captured = captured.clone();
                        async move {
                            while let Some(event) = session.next().await? {
                                let then = answer(event, &state);
                                if let Then::Sleep = then {
                                    tokio::time::sleep(Duration::from_secs(600)).await;
                                }
                            }
                            assert!(!captured.is_empty());
                            Ok(())
                        }
                    },
                );
                (serving.handle(), thread::spawn(move || runtime.block_on(serving)))
            }
        };
        Self { address, handle, state, incidents, thread }
    }

    fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    fn incidents(&self) -> Vec<String> {
        self.incidents.lock().unwrap().clone()
    }

    /// Waits until something that another thread does is there.
    fn wait_for(&self, what: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !what(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", self.incidents());
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_for_sessions(&self, sessions: usize) {
        self.wait_for(|running| running.handle.sessions() == sessions);
    }

    /// Shuts down, and returns the incidents.
    fn end(self) -> Vec<String> {
        self.handle.shut_down();
        self.thread.join().unwrap().unwrap();
        assert_eq!(self.handle.sessions(), 0);
        assert!(TcpStream::connect(self.address).is_err(), "the port is open after the end");
        let incidents = self.incidents.lock().unwrap();
        incidents.clone()
    }
}

fn options() -> Options {
    let timeouts = Timeouts::default().with_closing(Duration::from_millis(200));
    Options::new(Config::new("mx.example.net").unwrap().with_timeouts(timeouts))
}

const MESSAGE: &str = "Subject: hello\r\n\r\nhello\r\n.\r\n";

fn send(client: &mut Client) {
    client.say("MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n");
    assert_eq!([client.reply(), client.reply(), client.reply()], ["250", "250", "354"]);
    client.say(MESSAGE);
    assert_eq!(client.reply(), "250");
}

#[test]
fn many_clients_are_served_at_once() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options());
        let clients: Vec<_> = (0..40)
            .map(|_| {
                let mut client = running.connect();
                thread::spawn(move || {
                    client.enter(&["EHLO me.example.org\r\n"]);
                    for _ in 0..10 {
                        send(&mut client);
                    }
                    client.say("QUIT\r\n");
                    assert_eq!(client.rest(), ["221"]);
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        running.wait_for_sessions(0);
        assert_eq!(running.state.delivered.load(Ordering::SeqCst), 400, "{adapter:?}");
        assert_eq!(running.end(), [""; 0], "{adapter:?}");
    }
}

#[test]
fn a_client_without_a_place_is_told_so_and_a_place_is_free_again() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options().with_sessions(2));
        let (mut first, mut second) = (running.connect(), running.connect());
        assert_eq!([first.reply(), second.reply()], ["220", "220"]);
        for _ in 0..10 {
            assert_eq!(running.connect().rest(), ["421"]);
        }
        assert_eq!(running.handle.sessions(), 2);
        first.say("QUIT\r\n");
        assert_eq!(first.rest(), ["221"]);
        running.wait_for_sessions(1);
        let mut third = running.connect();
        assert_eq!(third.reply(), "220");
        drop((second, third));
        running.wait_for_sessions(0);
        let incidents = running.end();
        let refused = incidents.iter().filter(|it| it.ends_with(": too many sessions"));
        assert_eq!(refused.count(), 10, "{adapter:?} {incidents:?}");
    }
}

#[test]
fn sessions_are_counted_by_address_and_network() {
    for adapter in ADAPTERS {
        let options =
            options().with_sessions_by_address(2).with_proxies(["127.0.0.1".parse().unwrap()]);
        let running = Running::start(adapter, options.with_sessions_by_network(3));
        let connect = |source: &str| {
            let mut client = running.connect();
            client.say(&format!("PROXY TCP4 {source} 198.51.100.1 4000 25\r\n"));
            client
        };
        let mut open = vec![];
        for (source, code) in [
            ("192.0.2.1", "220"),
            ("192.0.2.1", "220"),
            ("192.0.2.1", "421"),
            ("192.0.2.2", "220"),
            ("192.0.2.3", "421"),
            ("192.0.3.1", "220"),
        ] {
            let mut client = connect(source);
            assert_eq!(client.reply(), code, "{adapter:?} {source}");
            open.push(client);
        }
        open.clear();
        running.wait_for_sessions(0);
        assert_eq!(connect("192.0.2.3").reply(), "220");
        running.end();
    }
}

#[test]
fn the_reply_to_a_client_without_a_place_is_chosen() {
    for adapter in ADAPTERS {
        let options = options().with_sessions(0);
        for (options, codes) in [
            (options.clone().with_refusal(Rejection::NO_SERVICE), vec!["554"]),
            (options.without_refusal(), vec![]),
        ] {
            let running = Running::start(adapter, options);
            assert_eq!(running.connect().rest(), codes);
            running.end();
        }
    }
}

#[test]
fn a_proxy_tells_the_address_of_the_client() {
    for adapter in ADAPTERS {
        let running =
            Running::start(adapter, options().with_proxies(["127.0.0.0/8".parse().unwrap()]));
        let source: SocketAddr = "192.0.2.7:4711".parse().unwrap();
        let proxied = Header::proxied(source, "198.51.100.1:25".parse().unwrap()).unwrap();
        let (mut first, mut second, mut local) = (vec![], vec![], vec![]);
        proxied.encode_v1(&mut first);
        proxied.encode_v2(&mut second);
        Header::local().encode_v2(&mut local);
        for header in [&first, &second, &local] {
            let mut stream = TcpStream::connect(running.address).unwrap();
            let own = stream.local_addr().unwrap();
            // Octets after the header are the session's, and none is lost.
            stream.write_all(header).unwrap();
            let mut client = Client::new(stream);
            client.enter(&["EHLO me.example.org\r\n"]);
            let expected = if *header == local { own } else { source };
            assert_eq!(running.state.peers.lock().unwrap().pop(), Some(Some(expected)));
        }
        for nonsense in ["EHLO me.example.org\r\n", "PROXY TCP9 a b c d\r\n"] {
            let mut client = running.connect();
            client.say(nonsense);
            assert!(client.was_disconnected(), "{nonsense}");
        }
        drop(running.connect());
        running.wait_for(|running| running.incidents().len() == 3);
        let incidents = running.end();
        assert!(incidents[0].ends_with(": no proxy header"), "{incidents:?}");
        assert!(incidents[2].ends_with(": no complete proxy header in time"), "{incidents:?}");
    }
}

#[test]
fn another_peer_than_a_proxy_is_a_client_itself() {
    for adapter in ADAPTERS {
        let running =
            Running::start(adapter, options().with_proxies(["192.0.2.0/24".parse().unwrap()]));
        assert_eq!(running.connect().reply(), "220");
        running.end();
    }
}

#[test]
fn a_panic_and_an_error_end_one_session() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options());
        let (mut good, mut bad) = (running.connect(), running.connect());
        good.enter(&["EHLO me.example.org\r\n"]);
        bad.enter(&["EHLO me.example.org\r\n", "MAIL FROM:<ann@example.org>\r\n"]);
        bad.say("RCPT TO:<panic@example.net>\r\n");
        assert_eq!(bad.rest(), ["421"]);
        running.wait_for_sessions(1);
        send(&mut good);
        let incidents = running.end();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert!(incidents[0].ends_with(": the session function panicked"), "{incidents:?}");
    }
}

/// 5321-3.8-b, 5321-3.8-d: RFC 5321 section 3.8. Content that has begun may be completed, and everything
/// else has 421 at once.
#[test]
fn every_phase_of_a_session_is_shut_down() {
    for adapter in ADAPTERS {
        let options = options().with_proxies(["127.0.0.2".parse().unwrap()]);
        let running = Running::start(adapter, options);
        let mut clients: Vec<_> = PHASES
            .into_iter()
            .map(|(phase, steps)| {
                let mut client = running.connect();
                client.enter(steps);
                (phase, client)
            })
            .collect();
        assert_eq!(running.handle.sessions(), PHASES.len());
        running.handle.shut_down();
        assert!(running.handle.is_stopping());
        let (content, others): (Vec<_>, Vec<_>) = clients
            .drain(..)
            .partition(|(phase, _)| ["in DATA", "between two chunks"].contains(phase));
        for (phase, client) in others {
            assert_eq!(client.rest(), ["421"], "{adapter:?} {phase}");
        }
        running.wait_for_sessions(content.len());
        for (phase, mut client) in content {
            client.say(if phase == "in DATA" {
                "lo\r\n\r\nHi\r\n.\r\n"
            } else {
                "BDAT 2 LAST\r\n\r\n"
            });
            assert_eq!(client.rest(), ["250", "421"], "{adapter:?} {phase}");
        }
        let state = Arc::clone(&running.state);
        assert_eq!(running.end(), [""; 0], "{adapter:?}");
        assert_eq!(state.delivered.load(Ordering::SeqCst), 2);
    }
}

/// Phases that not every configuration has.
#[test]
fn sessions_that_wait_for_something_else_are_shut_down() {
    let enter = |running: &Running, steps: &[&str]| {
        let mut client = running.connect();
        client.enter(steps);
        client
    };
    for adapter in ADAPTERS {
        // The header of a proxy has not come: no client is known that could be told.
        let proxied = options().with_proxies_only();
        let running = Running::start(adapter, proxied);
        let mut client = running.connect();
        client.say("PROXY TCP4 ");
        running.wait_for_sessions(1);
        running.handle.shut_down();
        assert!(client.was_disconnected(), "{adapter:?}");
        running.end();

        // The greeting is due later.
        let timeouts = Timeouts::default().with_greeting_delay(Duration::from_secs(600));
        let config = Config::new("mx.example.net").unwrap();
        let running = Running::start(adapter, Options::new(config.with_timeouts(timeouts)));
        let client = running.connect();
        running.wait_for_sessions(1);
        running.handle.shut_down();
        assert_eq!(client.rest(), ["421"], "{adapter:?}");
        running.end();

        // A reply is withheld (tarpit).
        let timeouts = Timeouts::default().with_error_delay(Duration::from_secs(600));
        let config = Config::new("mx.example.net").unwrap();
        let config = config.with_limits(Limits::default().with_errors(2));
        let running = Running::start(adapter, Options::new(config.with_timeouts(timeouts)));
        let mut client = enter(&running, &["EHLO me.example.org\r\n"]);
        client.say("NONSENSE\r\n");
        thread::sleep(Duration::from_millis(50));
        running.handle.shut_down();
        assert_eq!(client.rest(), ["421"], "{adapter:?}");
        running.end();

        // In the exchange of AUTH.
        let config = Config::new("mx.example.net").unwrap();
        let config = config.with_auth(Offer::for_passwords().with_secrets_in_clear());
        let running = Running::start(adapter, Options::new(config));
        let client = enter(&running, &["EHLO me.example.org\r\n", "AUTH LOGIN\r\n"]);
        running.handle.shut_down();
        assert_eq!(client.rest(), ["421"], "{adapter:?}");
        running.end();

        // The rest of a chunk is discarded, as nothing was accepted that it could be for.
        let running = Running::start(adapter, options());
        let mut client = enter(&running, &["EHLO me.example.org\r\n"]);
        client.say("BDAT 10\r\nabc");
        thread::sleep(Duration::from_millis(50));
        running.handle.close();
        assert_eq!(client.rest().last().map(String::as_str), Some("421"), "{adapter:?}");
        running.end();
    }
}

#[test]
fn after_the_grace_every_session_is_closed() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options().with_grace(Duration::from_millis(50)));
        let mut client = running.connect();
        let (_, steps) = PHASES.into_iter().find(|(phase, _)| *phase == "in DATA").unwrap();
        client.enter(steps);
        let state = Arc::clone(&running.state);
        let listening = thread::spawn(|| client.rest());
        running.end();
        assert_eq!(listening.join().unwrap(), ["421"], "{adapter:?}");
        assert_eq!(state.aborted.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_handle_closes_at_once() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options().with_grace(Duration::from_secs(600)));
        let mut client = running.connect();
        let (_, steps) = PHASES.into_iter().find(|(phase, _)| *phase == "in DATA").unwrap();
        client.enter(steps);
        running.handle.shut_down();
        thread::sleep(Duration::from_millis(300));
        running.handle.close();
        assert_eq!(client.rest(), ["421"], "{adapter:?}");
        running.end();
    }
}

#[test]
fn a_session_function_that_does_not_return_is_not_waited_for() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options().with_grace(Duration::from_millis(50)));
        let mut client = running.connect();
        client.enter(&["EHLO me.example.org\r\n", "MAIL FROM:<ann@example.org>\r\n"]);
        client.say("RCPT TO:<stall@example.net>\r\n");
        running.wait_for(|running| running.state.stalled.load(Ordering::SeqCst) == 1);
        running.handle.shut_down();
        running.thread.join().unwrap().unwrap();
        // A task is dropped, a thread can only be left.
        let left = usize::from(adapter == Adapter::Blocking);
        assert_eq!(running.handle.sessions(), left, "{adapter:?}");
    }
}

#[test]
fn a_close_without_a_shut_down_leaves_no_grace() {
    for adapter in ADAPTERS {
        let running = Running::start(adapter, options().with_grace(Duration::from_secs(600)));
        let mut client = running.connect();
        client.enter(&["EHLO me.example.org\r\n", "MAIL FROM:<ann@example.org>\r\n"]);
        client.say("RCPT TO:<stall@example.net>\r\n");
        thread::sleep(Duration::from_millis(100));
        running.handle.close();
        let latest = Instant::now() + Duration::from_secs(30);
        while !running.thread.is_finished() {
            assert!(Instant::now() < latest, "{adapter:?} waits for the grace");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn settings_that_cannot_work_are_an_error_at_the_start() {
    for adapter in ADAPTERS {
        let config = Config::new("mx.example.net").unwrap().with_extension(Extension::StartTls);
        let running = Running::start(adapter, Options::new(config));
        let error = running.thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}

#[cfg(unix)]
#[test]
fn clients_on_a_unix_socket_are_served() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let folder = std::env::temp_dir().join(format!("esmtp-serving-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let options = options().with_proxies_only();
    let serving = blocking::serve(listener, options, Arc::default(), |mut session, state| {
        while let Some(event) = session.next()? {
            answer(event, &state);
        }
        Ok(())
    });
    let handle = serving.handle();
    let running = thread::spawn(|| serving.run());
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\r\n").unwrap();
    let mut code = [0; 3];
    client.read_exact(&mut code).unwrap();
    assert_eq!(&code, b"220");
    handle.shut_down();
    running.join().unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_listener_that_is_dropped_ends_its_sessions() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving =
        asynchronous::serve(listener, options(), Arc::new(()), |mut session, _| async move {
            while let Some(event) = session.next().await? {
                event.proceed();
            }
            Ok(())
        });
    let handle = serving.handle();
    let running = tokio::spawn(serving);
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut octets = [0; 3];
    tokio::io::AsyncReadExt::read_exact(&mut client, &mut octets).await.unwrap();
    assert_eq!((&octets, handle.sessions()), (b"220", 1));
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    tokio::time::timeout(Duration::from_secs(20), async {
        while handle.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

/// The server of the next test, which runs this test alone in a process of its own.
#[test]
fn a_process_without_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Ok(adapter) = std::env::var("ESMTP_WITHOUT_DESCRIPTORS") else { return };
    let adapter = if adapter == "Tokio" { Adapter::Tokio } else { Adapter::Blocking };
    let running = Running::start(adapter, options());
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = Rlimit { current: Some(open + 8), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).unwrap();
    println!("\nlistening on {}", running.address);
    // Until the end of the input.
    let mut lines = io::stdin().lines();
    while let Some(Ok(_)) = lines.next() {
        println!("\nincidents {}", running.incidents().len());
    }
    println!("\nended with {}", running.end().len());
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_survives_the_lack_of_descriptors() {
    for adapter in ADAPTERS {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serving::a_process_without_descriptors", "--nocapture"])
            .env("ESMTP_WITHOUT_DESCRIPTORS", format!("{adapter:?}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut line = |prefix: &str| {
            lines.find_map(|line| line.unwrap().strip_prefix(prefix).map(str::to_owned)).unwrap()
        };
        let address: SocketAddr = line("listening on ").parse().unwrap();
        let mut input = server.stdin.take().unwrap();
        let mut clients: Vec<_> =
            (0..30).map(|_| Client::new(TcpStream::connect(address).unwrap())).collect();
        // Those with a descriptor are served; the others wait, and are served as the first leave.
        let mut incidents = 0;
        while clients.len() > 1 {
            let mut client = clients.remove(0);
            assert_eq!(client.reply(), "220", "{adapter:?}");
            if clients.len() == 25 {
                thread::sleep(Duration::from_millis(300));
                input.write_all(b"\n").unwrap();
                incidents = line("incidents ").parse().unwrap();
            }
            client.say("QUIT\r\n");
            assert_eq!(client.rest(), ["221"]);
        }
        assert!(incidents > 0, "{adapter:?}: no lack of descriptors");
        assert!(incidents < 200, "{adapter:?}: a busy loop, {incidents} incidents");
        drop((clients, input));
        line("ended with ");
        assert!(server.wait().unwrap().success());
    }
}

#[cfg(all(feature = "rustls", feature = "ring"))]
mod tls {
    use super::{ADAPTERS, Running, options};
    use esmtp::{
        client,
        envelope::Envelope,
        io::{Layer, blocking::ClientSession},
        security::Security,
        tls::{ClientTls, Secured, ServerTls},
    };
    use std::net::TcpStream;

    fn both() -> (ServerTls, ClientTls) {
        let names = vec!["mx.example.net".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = made.cert.pem();
        let server = ServerTls::from_pem(&certificate, made.signing_key.serialize_pem()).unwrap();
        (server, ClientTls::new().with_ca_pem(&certificate).unwrap())
    }

    #[test]
    fn sessions_are_protected_by_start_tls_and_by_implicit_tls() {
        let (server, client) = both();
        for adapter in ADAPTERS {
            for is_implicit in [false, true] {
                let options = match is_implicit {
                    false => options().with_start_tls(server.clone()),
                    true => options().with_implicit_tls(server.clone()),
                };
                let running = Running::start(adapter, options);
                let config = client::Config::new("me.example.org").unwrap();
                let config = config.with_tls(client::TlsPolicy::Required);
                let machine = client::Client::new(config, Security::CLEAR);
                let role = client.for_host("mx.example.net").unwrap();
                let secured = match is_implicit {
                    false => Secured::start_tls(machine, role),
                    true => Secured::implicit(machine, role),
                };
                let stream = TcpStream::connect(running.address).unwrap();
                let mut session = ClientSession::new(Layer::from(secured), stream.into());
                let envelope = Envelope::new("ann@example.org", ["bob@example.net"]).unwrap();
                let report = session.send(envelope, b"Subject: hello\r\n\r\nhello\r\n").unwrap();
                assert!(report.is_delivered_to_all(), "{adapter:?}");
                assert!(session.client().security().is_tls());
                running.handle.shut_down();
                session.quit().unwrap();
                running.end();
            }
        }
    }

    #[test]
    fn a_handshake_that_does_not_begin_is_not_waited_for() {
        let (server, _) = both();
        for adapter in ADAPTERS {
            let running = Running::start(adapter, options().with_implicit_tls(server.clone()));
            let client = running.connect();
            running.wait_for_sessions(1);
            running.handle.shut_down();
            assert!(client.was_disconnected(), "{adapter:?}");
            running.end();
        }
    }
}
