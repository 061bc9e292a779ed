//! Programs that are started, and connections to them.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// Time after which a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the path of an example, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(built.exists(), "cargo build --all-features --examples comes first: {built:?}");
    built
}

/// A folder of the test's own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("esmtp-examples-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(10));
    }
}

/// A server that runs, killed at the end.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) maildir: PathBuf,
    _folder: Folder,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = Folder::new();
        let maildir = folder.0.join("mail");
        Self::start_with(Command::new(example("server")), folder, maildir, flags)
    }

    /// Starts a server with this limit of descriptors.
    pub(crate) fn start_with_descriptors(limit: u32) -> Self {
        let folder = Folder::new();
        let maildir = folder.0.join("mail");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
        shell.arg(example("server"));
        Self::start_with(shell, folder, maildir, &[])
    }

    pub(crate) fn start_with(
        mut command: Command,
        folder: Folder,
        maildir: PathBuf,
        flags: &[&str],
    ) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--quiet", "--maildir"]).arg(&maildir).args(flags);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        Self::of(process, folder, maildir)
    }

    /// Reads the address at which a server listens that was started.
    pub(crate) fn of(mut process: Child, folder: Folder, maildir: PathBuf) -> Self {
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect(&line).trim().parse().unwrap();
        Self { process, address, maildir, _folder: folder }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the server ends", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Connects a client, which says nothing.
    pub(crate) fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).unwrap())
    }

    /// Connects as a proxy for a client at `source`, and returns the greeting too.
    pub(crate) fn proxied(&self, source: &str) -> (Peer, String) {
        let mut client = self.connect();
        let family = if source.contains(':') { "TCP6" } else { "TCP4" };
        let other = if source.contains(':') { "2001:db8::25" } else { "192.0.2.25" };
        client.say(&format!("PROXY {family} {source} {other} 4000 25"));
        let greeting = client.reply();
        (client, greeting)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other end of a connection.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Writes a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.write(format!("{line}\r\n").as_bytes());
    }

    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    /// Reads a line; it is empty when the connection is closed.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// Reads octets up to a line feed; none when the connection is closed.
    pub(crate) fn line_of_octets(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        let _ = self.0.read_until(b'\n', &mut octets);
        octets
    }

    /// Reads the lines of a reply.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = self.line();
        let mut last = 0;
        while reply.as_bytes()[last..].get(3) == Some(&b'-') {
            last = reply.len();
            reply.push_str(&self.line());
        }
        reply
    }

    /// Writes a command, and reads the reply.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.say(command);
        self.reply()
    }

    /// Writes commands one by one; each must be accepted.
    pub(crate) fn succeed(&mut self, commands: &[&str]) {
        for command in commands {
            let reply = self.ask(command);
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
    }
}

/// The exit code and the output of a program that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) complained: String,
}

/// Runs `send` to its end with a short message.
pub(crate) fn send<S: AsRef<OsStr>>(flags: impl IntoIterator<Item = S>) -> Ended {
    send_message(b"Subject: x\n\nhello\n", flags)
}

pub(crate) fn send_message<S: AsRef<OsStr>>(
    message: &[u8],
    flags: impl IntoIterator<Item = S>,
) -> Ended {
    let mut process = Command::new(example("send"))
        .args(["--helo", "client.example", "--from", "ann@example.org"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends early does not read it.
    let _ = process.stdin.take().unwrap().write_all(message);
    let output = process.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        said: String::from_utf8(output.stdout).unwrap(),
        complained: String::from_utf8(output.stderr).unwrap(),
    }
}
