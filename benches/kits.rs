//! The kits on sockets: sessions a second of `serve` and its memory with idle connections, messages a second of
//! a `Pool` and of a session's queue over a link with delay, beside one message at a time.
//!
//! The server of the first two runs in a process of its own, so that its memory and its time of the processor
//! are its own. Rates by the clock depend on the load of the computer, those by the processor less.

#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a bench has std, and says what went wrong by failing"
)]

use esmtp::{
    client::TlsPolicy,
    envelope::Envelope,
    io::{
        serving::{Handle, Options},
        tokio::{Connector, Pool, PoolLimits, Serving, serve},
    },
    server::{Config, Event, Message},
};
use std::{
    env, fs,
    future::Future,
    io::{self, BufRead, BufReader, Lines, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    runtime::Runtime,
    sync::mpsc,
    task::JoinSet,
    time::sleep_until,
};

/// Set in the process that is the server.
const SERVER: &str = "ESMTP_BENCH_SERVER";
/// The delay of the link in each direction: a round trip takes 20 ms.
const DELAY: Duration = Duration::from_millis(10);

/// The number of sessions, connections and messages that are measured.
struct Scale {
    sessions: usize,
    idle: usize,
    messages: usize,
}

fn main() {
    if env::var_os(SERVER).is_some() {
        return run_server();
    }
    let scale = match env::args().any(|argument| argument == "--test") {
        true => Scale { sessions: 20, idle: 20, messages: 20 },
        false => Scale { sessions: 5000, idle: 5000, messages: 400 },
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        sessions_of_serve(&scale).await;
        idle_connections_of_serve(&scale).await;
        messages_over_a_link(&scale).await;
    });
}

/// Starts a server that accepts every message, and forgets it.
async fn start(sessions: usize) -> (SocketAddr, Handle, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::new(Config::new("mx.example.net").unwrap()).with_sessions(sessions);
    let serving = serve(listener, options, Arc::new(()), |mut session, _| async move {
        let mut message = Message::with_limit(1 << 20);
        while let Some(event) = session.next().await? {
            match event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Deliver(delivery) => delivery.accept(),
                other => message.collect(other),
            }
        }
        Ok(())
    });
    (address, serving.handle(), serving)
}

// ------------------------------------------------------------------------- the other process

/// Serves until standard input ends, and prints a line of figures for each line of it.
fn run_server() {
    let runtime = Runtime::new().unwrap();
    let (address, handle, serving) = runtime.block_on(start(10_000));
    let serving = runtime.spawn(serving);
    println!("{address}");
    for line in io::stdin().lock().lines() {
        drop(line);
        println!("{} {} {}", handle.sessions(), resident(), processor());
    }
    handle.close();
    runtime.block_on(serving).unwrap().unwrap();
}

/// Returns the resident memory of this process, in octets.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .map_or(0, |it: u64| it * 1024)
}

/// Returns the time of the processor that this process has used, in ticks of 10 ms.
fn processor() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// A server in a process of its own.
struct Server {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .env(SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = output.next().unwrap().unwrap().parse().unwrap();
        Self { process, input, output, address }
    }

    /// Returns the number of its sessions, its resident memory, and its time of the processor.
    fn figures(&mut self) -> [u64; 3] {
        self.input.write_all(b"\n").unwrap();
        let line = self.output.next().unwrap().unwrap();
        let mut figures = line.split(' ').map(|figure| figure.parse().unwrap());
        [figures.next().unwrap(), figures.next().unwrap(), figures.next().unwrap()]
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.process.wait().unwrap().success());
    }
}

// --------------------------------------------------------------------------------- serve

/// A client by hand, which costs less than the server that it measures.
struct Client(tokio::io::BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self(tokio::io::BufReader::with_capacity(1024, stream));
        client.hear(1).await;
        client
    }

    /// Says something, and waits for this many replies.
    async fn ask(&mut self, said: &str, replies: usize) {
        self.0.write_all(said.as_bytes()).await.unwrap();
        self.hear(replies).await;
    }

    async fn hear(&mut self, replies: usize) {
        let mut line = String::new();
        for _ in 0..replies {
            loop {
                line.clear();
                self.0.read_line(&mut line).await.unwrap();
                assert!(line.starts_with(['2', '3']), "{line}");
                if line.as_bytes().get(3) == Some(&b' ') {
                    break;
                }
            }
        }
    }
}

/// Measures whole sessions, 64 at once: with a message of 1 KiB, and with none.
async fn sessions_of_serve(scale: &Scale) {
    let message = format!(
        "Subject: x\r\n\r\n{}.\r\n",
        "All work and no play makes Jack a dull boy.\r\n".repeat(22)
    );
    let message: Arc<str> = message.into();
    for has_message in [true, false] {
        let mut server = Server::start();
        let (address, start) = (server.address, Instant::now());
        let mut clients = JoinSet::new();
        for number in 0..64 {
            let message = Arc::clone(&message);
            let sessions = (number..scale.sessions).step_by(64);
            clients.spawn(async move {
                for _ in sessions {
                    let mut client = Client::connect(address).await;
                    client.ask("EHLO me.example.org\r\n", 1).await;
                    if has_message {
                        client.ask("MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n", 3).await;
                        client.ask(&message, 1).await;
                    }
                    client.ask("QUIT\r\n", 1).await;
                }
            });
        }
        clients.join_all().await;
        let elapsed = start.elapsed();
        let [_, _, ticks] = server.figures();
        let rate = scale.sessions as f64 / elapsed.as_secs_f64();
        let own = scale.sessions as f64 / (ticks.max(1) as f64 / 100.0);
        let about = if has_message { "with a message" } else { "without a message" };
        println!(
            "serve, sessions {about}: {rate:.0}/s, {own:.0} a second of the server's processor time"
        );
        server.end();
    }
}

/// Measures the memory of connections that wait for their next command.
async fn idle_connections_of_serve(scale: &Scale) {
    let mut server = Server::start();
    let warm = Client::connect(server.address).await;
    let [_, before, _] = server.figures();
    let mut idle = Vec::new();
    for _ in 0..scale.idle {
        let mut client = Client::connect(server.address).await;
        client.ask("EHLO me.example.org\r\n", 1).await;
        idle.push(client);
    }
    let [sessions, after, _] = server.figures();
    assert_eq!(sessions, scale.idle as u64 + 1);
    println!(
        "serve, {} idle connections: {} KiB resident, {} octets each",
        scale.idle,
        after / 1024,
        after.saturating_sub(before) / scale.idle as u64
    );
    drop((warm, idle));
    server.end();
}

// ------------------------------------------------------------------------ pool and queue

/// Passes octets on after the delay of the link.
async fn delayed(from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin + Send + 'static) {
    let (mut from, mut to) = (from, to);
    let (way, mut due) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let writing = tokio::spawn(async move {
        while let Some((at, octets)) = due.recv().await {
            sleep_until(at).await;
            if to.write_all(&octets).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut octets = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut octets).await {
        let at = tokio::time::Instant::now() + DELAY;
        let _ = way.send((at, octets.iter().take(read).copied().collect()));
    }
    drop(way);
    let _ = writing.await;
}

/// Starts a link with delay to a server.
async fn start_link(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(server).await.unwrap();
            for stream in [&near, &far] {
                stream.set_nodelay(true).unwrap();
            }
            let ((near_in, near_out), (far_in, far_out)): ((tcp::OwnedReadHalf, _), _) =
                (near.into_split(), far.into_split());
            tokio::spawn(delayed(near_in, far_out));
            tokio::spawn(delayed(far_in, near_out));
        }
    });
    address
}

const CONTENT: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";

fn envelope() -> Envelope {
    Envelope::new("ann@example.org", ["bob@example.net"]).unwrap()
}

/// Measures messages a second, without the time to connect.
async fn measure(
    about: &str,
    messages: usize,
    alone: &mut Option<f64>,
    sent: impl Future<Output = usize>,
) {
    let start = Instant::now();
    assert_eq!(sent.await, messages);
    let rate = messages as f64 / start.elapsed().as_secs_f64();
    let ratio = rate / *alone.get_or_insert(rate);
    println!("20 ms, {about}: {rate:.0} messages/s, {ratio:.1} times one at a time");
}

async fn messages_over_a_link(scale: &Scale) {
    let (address, server, serving) = start(1000).await;
    let serving = tokio::spawn(serving);
    let link = start_link(address).await;
    let connector = Connector::new(link.to_string()).with_tls_policy(TlsPolicy::Never);
    let (few, mut alone) = (scale.messages / 10, None);

    let mut session = connector.connect().await.unwrap();
    let one_at_a_time = async {
        let mut delivered = 0;
        for _ in 0..few {
            let report = session.send(envelope(), CONTENT).await.unwrap();
            delivered += usize::from(report.is_delivered_to_all());
        }
        delivered
    };
    measure("one at a time", few, &mut alone, one_at_a_time).await;
    session.quit().await.unwrap();

    for in_flight in [8, 32] {
        let mut session = connector.connect().await.unwrap();
        let sent = async {
            let (mut queue, mut delivered) = (session.queue(in_flight), 0);
            for _ in 0..scale.messages {
                queue.push(envelope(), CONTENT).await;
                while let Some((_, sent)) = queue.try_next() {
                    delivered += usize::from(sent.unwrap().is_delivered_to_all());
                }
            }
            while let Some((_, sent)) = queue.next().await {
                delivered += usize::from(sent.unwrap().is_delivered_to_all());
            }
            delivered
        };
        measure(&format!("a queue of {in_flight}"), scale.messages, &mut alone, sent).await;
        session.quit().await.unwrap();
    }

    for sessions in [4, 16] {
        let pool = Pool::new(connector.clone(), PoolLimits::default().with_sessions(sessions));
        let round = |messages: usize| {
            let mut sending = JoinSet::new();
            for _ in 0..messages {
                let pool = pool.clone();
                sending.spawn(async move { pool.send(envelope(), CONTENT).await.unwrap() });
            }
            async move {
                let reports = sending.join_all().await;
                reports.iter().filter(|report| report.is_delivered_to_all()).count()
            }
        };
        assert_eq!(round(sessions).await, sessions, "they connect");
        let about = format!("a pool of {sessions} sessions");
        measure(&about, scale.messages, &mut alone, async { round(scale.messages).await }).await;
        pool.close().await;
    }
    server.close();
    serving.await.unwrap().unwrap();
}
