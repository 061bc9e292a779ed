//! Session functions that fail, at every question and in every way: the client is told, and never has to
//! guess whether its message was accepted.

use crate::phases::Client;
use esmtp::{
    client::Outcome,
    io::{
        SessionError, blocking,
        serving::{Handle, Options},
        tokio as asynchronous,
    },
    server::{Config, Event, Timeouts},
    service::Service,
};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Adapter {
    Blocking,
    Tokio,
}

const ADAPTERS: [Adapter; 2] = [Adapter::Blocking, Adapter::Tokio];

/// The way in which a session function fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Error,
    Panic,
    /// It returns `Ok` before the end of its session.
    Return,
    /// It answers no more.
    Forget,
    /// It accepts, and returns an error then.
    AcceptAndError,
}

const WAYS: [Way; 4] = [Way::Error, Way::Panic, Way::Return, Way::Forget];

/// The state that the sessions share.
#[derive(Debug)]
struct State {
    /// The name of the event at which the function fails.
    event: &'static str,
    way: Way,
    delivered: AtomicUsize,
}

/// A decision of the function about its session.
enum Then {
    GoOn,
    Fail,
}

fn decide(event: Event<'_>, state: &State) -> Then {
    if event.name() == state.event {
        match (state.way, event) {
            // Without a message on standard error.
            (Way::Panic, _) => panic::resume_unwind(Box::new("the function panics")),
            (Way::AcceptAndError, Event::Deliver(mut delivery)) => {
                state.delivered.fetch_add(1, Ordering::SeqCst);
                match delivery.per_recipient() {
                    Some(mut each) => each.settle(0, Ok(())),
                    None => delivery.accept(),
                }
            }
            // The next call returns the question again.
            (Way::Forget, _) => return Then::GoOn,
            _ => {}
        }
        return Then::Fail;
    }
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        Event::Content(content) => drop(content.take()),
        Event::Deliver(delivery) => delivery.accept(),
        other => other.proceed(),
    }
    Then::GoOn
}

impl State {
    fn outcome(&self) -> Result<(), SessionError> {
        match self.way {
            Way::Return => Ok(()),
            _ => Err(io::Error::other("the function fails").into()),
        }
    }
}

/// A listener that runs.
struct Running {
    address: SocketAddr,
    handle: Handle,
    state: Arc<State>,
    incidents: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start(adapter: Adapter, options: Options, event: &'static str, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { event, way, delivered: AtomicUsize::new(0) });
        let incidents = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&incidents);
        let options =
            options.with_log(move |incident| log.lock().unwrap().push(incident.to_string()));
        let shared = Arc::clone(&state);
        let (handle, thread) = match adapter {
            Adapter::Blocking => {
                let serving = blocking::serve(listener, options, shared, |mut session, state| {
                    while let Some(event) = session.next()? {
                        if let Then::Fail = decide(event, &state) {
                            return state.outcome();
                        }
                    }
                    Ok(())
                });
                (serving.handle(), thread::spawn(|| serving.run()))
            }
            Adapter::Tokio => {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                listener.set_nonblocking(true).unwrap();
                let listener = {
                    let _guard = runtime.enter();
                    tokio::net::TcpListener::from_std(listener).unwrap()
                };
                let serving = asynchronous::serve(
                    listener,
                    options,
                    shared,
                    |mut session, state: Arc<State>| async move {
                        while let Some(event) = session.next().await? {
                            if let Then::Fail = decide(event, &state) {
                                return state.outcome();
                            }
                        }
                        Ok(())
                    },
                );
                (serving.handle(), thread::spawn(move || runtime.block_on(serving)))
            }
        };
        Self { address, handle, state, incidents, thread }
    }

    /// Shuts down, and checks that the way in which the functions failed was reported.
    fn end(self, sessions: usize) {
        self.handle.shut_down();
        self.thread.join().unwrap().unwrap();
        assert_eq!(self.handle.sessions(), 0);
        let expected = match self.state.way {
            Way::Return => None,
            Way::Panic => Some("the session function panicked"),
            Way::Forget => Some("was returned 1000 times without an answer"),
            Way::Error | Way::AcceptAndError => Some("the function fails"),
        };
        let incidents = self.incidents.lock().unwrap();
        assert_eq!(incidents.len(), expected.map_or(0, |_| sessions), "{incidents:?}");
        let text = expected.unwrap_or_default();
        assert!(incidents.iter().all(|incident| incident.contains(text)), "{incidents:?}");
    }
}

fn config() -> Config {
    let timeouts = Timeouts::default().with_closing(Duration::from_millis(200));
    Config::new("mx.example.net").unwrap().with_timeouts(timeouts)
}

/// The replies of a session whose function fails at this event. The commands come at once.
const REPLIES: [(&str, &[&str]); 7] = [
    ("Connect", &["421"]),
    ("Hello", &["220", "421"]),
    ("Mail", &["220", "250", "421"]),
    ("Rcpt", &["220", "250", "250", "421"]),
    ("Data", &["220", "250", "250", "250", "421"]),
    ("Content", &["220", "250", "250", "250", "354", "421"]),
    ("Deliver", &["220", "250", "250", "250", "354", "451", "421"]),
];

/// 5321-3.8-a, 5321-3.8-b: RFC 5321 section 3.8.
#[test]
fn a_session_that_its_function_drops_is_ended_with_421() {
    for adapter in ADAPTERS {
        for way in WAYS {
            for (event, expected) in REPLIES {
                let running = Running::start(adapter, Options::new(config()), event, way);
                let mut client = Client::new(TcpStream::connect(running.address).unwrap());
                let mut replies = vec![client.reply()];
                for said in [
                    "HELO me.example.org\r\n",
                    "MAIL FROM:<ann@example.org>\r\n",
                    "RCPT TO:<bob@example.net>\r\n",
                    "DATA\r\n",
                    "Subject: hello\r\n\r\nhello\r\n.\r\n",
                ] {
                    if replies.last().is_some_and(|reply| reply.as_str() > "399") {
                        break;
                    }
                    client.say(said);
                    replies.push(client.reply());
                }
                replies.extend(client.rest());
                assert_eq!(replies, expected, "{adapter:?} {way:?} {event}");
                running.end(1);
            }
        }
    }
}

/// Answers that were given before count: the message is accepted, and its recipient is not sent it twice.
#[test]
fn answers_that_a_failed_function_has_given_count() {
    for adapter in ADAPTERS {
        for (service, expected) in
            [(Service::Smtp, &["250", "421"][..]), (Service::Lmtp, &["250", "451", "421"])]
        {
            let options = Options::new(config().with_service(service));
            let running = Running::start(adapter, options, "Deliver", Way::AcceptAndError);
            let mut client = Client::new(TcpStream::connect(running.address).unwrap());
            let hello = match service {
                Service::Lmtp => "LHLO me.example.org\r\n",
                _ => "EHLO me.example.org\r\n",
            };
            client.enter(&[
                hello,
                "MAIL FROM:<ann@example.org>\r\n",
                "RCPT TO:<bob@example.net>\r\n",
                "RCPT TO:<carol@example.net>\r\n",
                "DATA\r\n",
            ]);
            client.say("Subject: hello\r\n\r\nhello\r\n.\r\n");
            assert_eq!(client.rest(), expected, "{adapter:?} {service:?}");
            assert_eq!(running.state.delivered.load(Ordering::SeqCst), 1);
            running.end(1);
        }
    }
}

/// A session that its function has taken apart belongs to the function, whatever it is used for.
#[test]
fn a_session_that_was_taken_apart_stays_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::new(config());
    let serving = blocking::serve(listener, options, Arc::new(()), |mut session, _| {
        if let Some(event) = session.next()? {
            event.proceed();
        }
        let (machine, mut stream) = session.into_parts();
        drop(machine);
        io::Write::write_all(&mut stream, b"250 another protocol\r\n").map_err(SessionError::from)
    });
    let handle = serving.handle();
    let running = thread::spawn(|| serving.run());
    let client = Client::new(TcpStream::connect(address).unwrap());
    assert_eq!(client.rest(), ["250"]);
    handle.shut_down();
    running.join().unwrap().unwrap();
}

/// The client of this crate, which would report a bare close as an outcome that is unknown.
mod clients {
    use super::*;
    use esmtp::{
        client::{self, Client, TlsPolicy},
        envelope::Envelope,
        io::{Layer, blocking::ClientSession},
        security::Security,
    };

    /// Sends a message, and returns its outcome.
    fn outcome(layer: impl Into<Layer<Client>>, address: SocketAddr) -> Option<Outcome> {
        let stream = TcpStream::connect(address).unwrap();
        let mut session = ClientSession::new(layer.into(), stream.into());
        let envelope = Envelope::new("ann@example.org", ["bob@example.net"]).unwrap();
        let sent = session.send(envelope, b"Subject: hello\r\n\r\nhello\r\n");
        sent.ok().and_then(|report| report.outcomes().next().cloned())
    }

    /// Checks the outcome where the function fails at this event.
    fn check(event: &str, outcome: Option<Outcome>, context: &str) {
        let code = |outcome: &Outcome| outcome.reply().map(|reply| reply.code().get());
        match event {
            // Nothing was sent.
            "Connect" | "Hello" => assert_eq!(outcome, None, "{context}"),
            "Deliver" => assert_eq!(outcome.as_ref().and_then(code), Some(451), "{context}"),
            _ => {
                let outcome = outcome.filter(|outcome| *outcome != Outcome::Untried);
                let code = outcome.as_ref().map(code);
                assert!(matches!(code, None | Some(Some(421))), "{context}: {outcome:?}");
            }
        }
    }

    #[test]
    fn a_client_knows_that_nothing_was_accepted() {
        for adapter in ADAPTERS {
            for (event, _) in REPLIES {
                let running = Running::start(adapter, Options::new(config()), event, Way::Panic);
                let client = client::Config::new("me.example.org").unwrap();
                let outcome = outcome(Client::new(client, Security::CLEAR), running.address);
                check(event, outcome, &format!("{adapter:?} {event}"));
                running.end(1);
            }
        }
    }

    #[cfg(all(feature = "rustls", feature = "ring"))]
    #[test]
    fn a_client_in_tls_knows_that_nothing_was_accepted() {
        use esmtp::tls::{ClientTls, Secured, ServerTls};
        let names = vec!["mx.example.net".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = made.cert.pem();
        let server = ServerTls::from_pem(&certificate, made.signing_key.serialize_pem()).unwrap();
        let tls = ClientTls::new().with_ca_pem(&certificate).unwrap();
        for adapter in ADAPTERS {
            for is_implicit in [false, true] {
                for (event, _) in REPLIES {
                    let options = Options::new(config());
                    let options = match is_implicit {
                        false => options.with_start_tls(server.clone()),
                        true => options.with_implicit_tls(server.clone()),
                    };
                    let running = Running::start(adapter, options, event, Way::Error);
                    let client = client::Config::new("me.example.org").unwrap();
                    let client = client.with_tls(TlsPolicy::Required);
                    let client = Client::new(client, Security::CLEAR);
                    let role = tls.for_host("mx.example.net").unwrap();
                    let secured = match is_implicit {
                        false => Secured::start_tls(client, role),
                        true => Secured::implicit(client, role),
                    };
                    let outcome = outcome(secured, running.address);
                    check(event, outcome, &format!("{adapter:?} {event} {is_implicit}"));
                    running.end(1);
                }
            }
        }
    }
}
