//! Content through TLS in memory, beside rustls alone on the same ciphertext.

use bytes::{Bytes, BytesMut};
use esmtp::{
    client::{self, Client, MessageFacts},
    envelope::Envelope,
    machine::{Machine, Need},
    security::Security,
    server::{Config, Event, Limits, Peer, Server},
    time::Instant as Now,
    tls::{ClientTls, Secured, ServerTls},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{PrivateKeyDer, ServerName},
};
use std::{
    error::Error,
    hint::black_box,
    io::{BufRead, Read, Write},
    iter, mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// The octets that a client writes at once, and the octets of one read of rustls alone.
const PIECE: usize = 16 * 1024;
/// The most octets that a read of a socket returns.
const READ: usize = 64 * 1024;

struct Configs {
    server: ServerTls,
    client: ClientTls,
    raw_server: Arc<ServerConfig>,
    raw_client: Arc<ClientConfig>,
}

fn configs() -> Result<Configs, Box<dyn Error>> {
    let provider = Arc::new(ring::default_provider());
    let pair = rcgen::generate_simple_self_signed(["mx.example.org".to_owned()])?;
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone())?;
    let raw_server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)?;
    let raw_client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Configs {
        server: ServerTls::from_pem(pair.cert.pem(), pair.signing_key.serialize_pem())?,
        client: ClientTls::new().with_ca_pem(pair.cert.pem())?,
        raw_server: Arc::new(raw_server),
        raw_client: Arc::new(raw_client),
    })
}

fn message(octets: usize) -> Vec<u8> {
    let mut message = b"Subject: x\r\n\r\n".to_vec();
    while message.len() + 78 <= octets {
        message.extend_from_slice(&[b'X'; 76]);
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// Returns what a client says that sends these messages.
fn said(messages: usize, message: &[u8]) -> Vec<u8> {
    let mut said = b"EHLO client.example.net\r\n".to_vec();
    for _ in 0..messages {
        said.extend_from_slice(
            b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n",
        );
        said.extend_from_slice(message);
        said.extend_from_slice(b".\r\n");
    }
    said.extend_from_slice(b"QUIT\r\n");
    said
}

fn encrypt(client: &mut ClientConnection, plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in plaintext.chunks(PIECE) {
        client.writer().write_all(piece).expect("room");
        while client.wants_write() {
            client.write_tls(&mut out).expect("a Vec takes all");
        }
    }
    out
}

/// Passes what waits in a connection of rustls on to another one.
macro_rules! pass {
    ($from:expr, $to:expr) => {{
        let mut octets = Vec::new();
        while $from.wants_write() {
            $from.write_tls(&mut octets).expect("a Vec takes all");
        }
        let mut octets = &octets[..];
        while !octets.is_empty() {
            $to.read_tls(&mut octets).expect("memory");
            $to.process_new_packets().expect("TLS");
        }
    }};
}

impl Configs {
    fn raw(&self) -> (ClientConnection, ServerConnection) {
        let mut client = self.raw_client();
        let mut server = ServerConnection::new(Arc::clone(&self.raw_server)).expect("a config");
        while client.is_handshaking() || server.is_handshaking() {
            pass!(client, server);
            pass!(server, client);
        }
        (client, server)
    }

    fn raw_client(&self) -> ClientConnection {
        let name = ServerName::try_from("mx.example.org").expect("a name");
        ClientConnection::new(Arc::clone(&self.raw_client), name).expect("a config")
    }

    /// Decrypts with rustls alone.
    #[inline(never)]
    fn raw_in(&self, plaintext: &[u8]) -> Duration {
        let (mut client, mut server) = self.raw();
        let ciphertext = encrypt(&mut client, plaintext);
        let start = Instant::now();
        let mut octets = 0;
        for mut piece in ciphertext.chunks(PIECE) {
            while !piece.is_empty() {
                server.read_tls(&mut piece).expect("memory");
                server.process_new_packets().expect("TLS");
                while let Ok(plaintext @ [_, ..]) = server.reader().fill_buf() {
                    let taken = black_box(plaintext).len();
                    octets += taken;
                    server.reader().consume(taken);
                }
            }
        }
        assert_eq!(octets, plaintext.len());
        start.elapsed()
    }

    /// Receives with a server in the clear.
    #[inline(never)]
    fn clear_in(
        config: &Arc<Config>,
        said: &[u8],
        octets: usize,
        spare: &mut Vec<BytesMut>,
    ) -> Duration {
        let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
        let start = Instant::now();
        assert_eq!(drive(&mut server, said, spare), octets);
        let time = start.elapsed();
        spare.extend(server.reclaim_buffer());
        time
    }

    /// Receives with a server in TLS.
    #[inline(never)]
    fn secured_in(
        &self,
        config: &Arc<Config>,
        said: &[u8],
        octets: usize,
        spare: &mut Vec<BytesMut>,
    ) -> Duration {
        let server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
        let mut server = Secured::implicit(server, &self.server);
        let mut client = self.raw_client();
        let mut greeting = [0; 500];
        while client.is_handshaking() || !matches!(client.reader().read(&mut greeting), Ok(1..)) {
            let mut out = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut out).expect("a Vec takes all");
            }
            let mut rest = &out[..];
            let mut back = Vec::new();
            loop {
                match server.poll(Now::ORIGIN) {
                    Need::Answer => server.event().expect("a question").proceed(),
                    Need::Write(_) | Need::Either(_) if take(&mut server, &mut back) => {}
                    _ if rest.is_empty() => break,
                    _ => read(&mut server, &mut rest),
                }
            }
            let mut back = &back[..];
            while !back.is_empty() {
                client.read_tls(&mut back).expect("memory");
                client.process_new_packets().expect("TLS");
            }
        }
        let ciphertext = encrypt(&mut client, said);
        // A server that waits for its client holds no memory.
        while server.reclaim_buffer().is_some() {}
        let start = Instant::now();
        assert_eq!(drive(&mut server, &ciphertext, spare), octets);
        let time = start.elapsed();
        spare.extend(iter::from_fn(|| server.reclaim_buffer()));
        time
    }

    /// Encrypts with rustls alone.
    #[inline(never)]
    fn raw_out(&self, message: &[u8]) -> Duration {
        let (mut client, _server) = self.raw();
        let start = Instant::now();
        let mut out = Vec::new();
        for piece in message.chunks(PIECE) {
            client.writer().write_all(piece).expect("room");
            out.clear();
            while client.wants_write() {
                client.write_tls(&mut out).expect("a Vec takes all");
            }
            black_box(&out);
        }
        start.elapsed()
    }

    /// Sends one message with a client in TLS, and measures the time from its first octet of content to
    /// its last.
    #[inline(never)]
    fn secured_out(&self, message: &Bytes, facts: &MessageFacts) -> Duration {
        let config = Arc::new(client::Config::new("client.example.net").expect("a name"));
        let client = Client::new(config, Security::CLEAR);
        let role = self.client.for_host("mx.example.org").expect("a name");
        let mut machine = Secured::implicit(client, role);
        let mut server = ServerConnection::new(Arc::clone(&self.raw_server)).expect("a config");
        let envelope = Envelope::new("ann@example.org", ["bob@example.net"]).expect("addresses");
        let envelope = Arc::new(envelope);
        let mut rest = message.clone();
        let (mut is_greeted, mut start) = (false, None::<Instant>);
        let (mut lines, mut to_client) = (Vec::new(), Vec::new());
        loop {
            match machine.poll(Now::ORIGIN) {
                Need::Answer => match machine.event().expect("a question") {
                    client::Event::Ready(ready) => {
                        ready.send(Arc::clone(&envelope), facts.clone()).expect("a plan");
                    }
                    client::Event::Content(mut content) => {
                        start.get_or_insert_with(Instant::now);
                        content.write_bytes(&mut rest).expect("valid");
                        if rest.is_empty() {
                            content.finish().expect("valid");
                        }
                    }
                    other => panic!("{other:?}"),
                },
                Need::Close => panic!("{machine:?}"),
                _ if start.is_some() => {
                    assert!(discard(&mut machine) > 0, "all is written at once");
                    if let (true, Some(start)) = (rest.is_empty(), start)
                        && !matches!(machine.poll(Now::ORIGIN), Need::Write(_) | Need::Answer)
                        && discard(&mut machine) == 0
                    {
                        return start.elapsed();
                    }
                }
                _ => {
                    let mut ciphertext = Vec::new();
                    if !take(&mut machine, &mut ciphertext) {
                        assert!(!to_client.is_empty(), "the server has replied");
                        let room = machine.receive_buffer();
                        let octets = room.len().min(to_client.len());
                        room[..octets].copy_from_slice(&to_client[..octets]);
                        machine.received(octets);
                        to_client.drain(..octets);
                        continue;
                    }
                    let mut ciphertext = &ciphertext[..];
                    while !ciphertext.is_empty() {
                        server.read_tls(&mut ciphertext).expect("memory");
                        server.process_new_packets().expect("TLS");
                    }
                    let mut piece = [0; 4096];
                    while let Ok(octets @ 1..) = server.reader().read(&mut piece) {
                        lines.extend_from_slice(&piece[..octets]);
                    }
                    if !server.is_handshaking() && !is_greeted {
                        is_greeted = true;
                        server.writer().write_all(b"220 mx.example.org\r\n").expect("room");
                    }
                    while let Some(end) = lines.iter().position(|octet| *octet == b'\n') {
                        let line: Vec<u8> = lines.drain(..=end).collect();
                        let reply: &[u8] = match &line[..4] {
                            b"EHLO" => b"250-mx.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                            b"DATA" => b"354 go\r\n",
                            _ => b"250 ok\r\n",
                        };
                        server.writer().write_all(reply).expect("room");
                    }
                    while server.wants_write() {
                        server.write_tls(&mut to_client).expect("a Vec takes all");
                    }
                }
            }
        }
    }
}

/// Appends what a machine has to send; returns whether there was something.
fn take(machine: &mut impl Machine, out: &mut Vec<u8>) -> bool {
    let mut slices = [&[][..]; 16];
    let count = machine.to_send(&mut slices);
    let before = out.len();
    slices[..count].iter().for_each(|slice| out.extend_from_slice(slice));
    let octets = out.len() - before;
    machine.sent(octets);
    octets > 0
}

/// Counts what a machine has to send as sent, and returns how many octets that was.
fn discard(machine: &mut impl Machine) -> usize {
    let mut slices = [&[][..]; 16];
    let count = machine.to_send(&mut slices);
    let octets = slices[..count].iter().map(|slice| black_box(slice).len()).sum();
    machine.sent(octets);
    octets
}

fn read(machine: &mut impl Machine, rest: &mut &[u8]) {
    let room = machine.receive_buffer();
    let octets = room.len().min(rest.len()).min(READ);
    room[..octets].copy_from_slice(&rest[..octets]);
    machine.received(octets);
    *rest = &rest[octets..];
}

/// Receives messages into memory that is lent, as the adapters for tokio and for non-blocking streams do, and returns
/// their octets of content.
#[inline(never)] // for profiles
fn drive<M: for<'m> Machine<Event<'m> = Event<'m>> + 'static>(
    machine: &mut M,
    mut rest: &[u8],
    spare: &mut Vec<BytesMut>,
) -> usize {
    for memory in mem::take(spare) {
        spare.extend(machine.lend_buffer(memory));
    }
    let mut received = 0;
    loop {
        match machine.poll(Now::ORIGIN) {
            Need::Answer => match machine.event().expect("a question") {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Content(content) => {
                    let octets = black_box(content.octets()).len();
                    received += octets;
                    content.consume(octets);
                }
                Event::Deliver(delivery) => delivery.accept(),
                other => other.proceed(),
            },
            Need::Write(_) | Need::Either(_) if discard(machine) > 0 => {}
            Need::Read(_) | Need::Either(_) if !rest.is_empty() => read(machine, &mut rest),
            _ => return received,
        }
    }
}

/// Messages and their octets: no more than the cache of a core holds, for memory is not what is measured.
const CASES: [(usize, usize); 3] = [(250, 4096), (1, 1 << 20), (1, 4 << 20)];

/// Prints octets a second through TLS, and what part that is of rustls alone: the best decile of the rounds.
pub fn print(rounds: usize, least: usize) -> Result<(), Box<dyn Error>> {
    let configs = configs()?;
    let limits = Limits::default().with_message(1 << 30);
    let config = Config::new("mx.example.org")?.with_limits(limits);
    let config = Arc::new(config.with_enforced_sync(false));
    println!("| content | rustls alone, GB/s | esmtp in TLS | ratio | esmtp in the clear |");
    println!("|---|---:|---:|---:|---:|");
    for (messages, octets) in CASES.into_iter().filter(|(_, octets)| *octets >= least) {
        let message = Bytes::from(message(octets));
        let said = said(messages, &message);
        let content = messages * message.len();
        let mut times = [const { Vec::new() }; 6];
        let facts = [MessageFacts::scan(&message), MessageFacts::scan_bytes(&message)];
        let mut spare = vec![BytesMut::zeroed(READ); 2];
        for _ in 0..rounds {
            times[0].push(configs.raw_in(&said));
            times[1].push(configs.secured_in(&config, &said, content, &mut spare));
            times[2].push(Configs::clear_in(&config, &said, content, &mut spare));
            if octets > PIECE {
                times[3].push(configs.raw_out(&message));
                times[4].push(configs.secured_out(&message, &facts[0]));
                times[5].push(configs.secured_out(&message, &facts[1]));
            }
        }
        let times = times.map(|mut times| {
            times.sort();
            times.get(times.len() / 10).map_or(0.0, Duration::as_secs_f64)
        });
        let speed = |octets: usize, time: f64| octets as f64 / time / 1e9;
        println!(
            "| in, {messages} x {octets} octets | {:.2} | {:.2} | {:.2} | {:.2} |",
            speed(said.len(), times[0]),
            speed(said.len(), times[1]),
            times[0] / times[1],
            speed(said.len(), times[2]),
        );
        if octets > PIECE {
            for (how, time) in [("", times[4]), (", scanned before", times[5])] {
                println!(
                    "| out, {octets} octets{how} | {:.2} | {:.2} | {:.2} | |",
                    speed(message.len(), times[3]),
                    speed(message.len(), time),
                    times[3] / time,
                );
            }
        }
    }
    Ok(())
}
