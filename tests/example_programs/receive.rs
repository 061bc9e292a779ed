//! `examples/receive`, the first program of the README.

use crate::program::{PATIENCE, Peer, example, wait_until};
use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The program, killed at the end, and the lines that it prints.
struct Receiver {
    process: Child,
    address: SocketAddr,
    printed: mpsc::Receiver<String>,
}

impl Receiver {
    fn start(descriptors: u32) -> Self {
        // A free port, which another process might take in between.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")])
            .arg(example("receive"))
            .arg(address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (line, printed) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|one| line.send(one))
        });
        wait_until("the program listens", || TcpStream::connect(address).is_ok());
        Self { process, address, printed }
    }

    fn connect(&self) -> Peer {
        let mut client = Peer::new(TcpStream::connect(self.address).unwrap());
        assert!(client.reply().starts_with("220 "));
        client.succeed(&["EHLO client.example"]);
        client
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn mailboxes_are_compared_by_meaning() {
    let receiver = Receiver::start(1024);
    let mut client = receiver.connect();
    client.succeed(&["MAIL FROM:<ann@example.org>"]);
    for (path, is_known) in [
        ("<bob@example.net>", true),
        ("<bob@EXAMPLE.NET>", true),
        ("<\"bob\"@example.net>", true),
        ("<Postmaster>", true),
        ("<POSTMASTER@Example.Net>", true),
        ("<Bob@example.net>", false),
        ("<bob@example.org>", false),
        ("<postmaster@example.org>", false),
        ("<bobby@example.net>", false),
    ] {
        let reply = client.ask(&format!("RCPT TO:{path}"));
        assert_eq!(reply.starts_with("250 "), is_known, "{path}: {reply}");
    }
}

#[test]
fn nothing_of_a_message_that_was_refused_is_in_the_next() {
    let receiver = Receiver::start(1024);
    let mut client = receiver.connect();
    let begin = ["MAIL FROM:<ann@example.org>", "RCPT TO:<bob@example.net>", "DATA"];
    client.succeed(&begin);
    client.write(b"Subject: first\n\r\n.\r\n"); // a bare LF
    assert!(client.reply().starts_with('5'));
    client.succeed(&begin);
    client.write(b"12345678\r\n.\r\n");
    assert!(client.reply().starts_with("250 "));
    let line = receiver.printed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(line, "10 octets from <ann@example.org>");
}

#[test]
fn accepting_survives_that_descriptors_run_out() {
    let receiver = Receiver::start(20);
    let mut clients: Vec<_> =
        (0..40).map(|_| Peer::new(TcpStream::connect(receiver.address).unwrap())).collect();
    assert!(clients[0].reply().starts_with("220 "));
    // The last one waits: there is no descriptor for it.
    let last = clients.pop().unwrap();
    last.stream().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(last.stream().peek(&mut [0]).is_err());
    drop(clients);
    let mut last = Peer::new(last.stream().try_clone().unwrap());
    assert!(last.reply().starts_with("220 "));
}

#[test]
fn threads_are_bounded() {
    let receiver = Receiver::start(1024);
    let clients: Vec<_> =
        (0..150).map(|_| Peer::new(TcpStream::connect(receiver.address).unwrap())).collect();
    thread::sleep(Duration::from_millis(300));
    let tasks = std::fs::read_dir(format!("/proc/{}/task", receiver.process.id())).unwrap();
    assert!(tasks.count() <= 65);
    drop(clients);
    receiver.connect();
}
