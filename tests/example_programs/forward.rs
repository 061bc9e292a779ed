//! `examples/server --forward`.

use crate::program::{Peer, Server, names, send, send_message, wait_until};
use std::{
    fs,
    net::{Shutdown, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Starts a server that forwards to `address`.
fn forwarding_to(address: &str, flags: &[&str]) -> Server {
    Server::start(&[&["--forward", address][..], flags].concat())
}

/// Starts a backend that answers as scripted: a reply to each line that begins as given, and none to the lines before it
/// but RSET. An empty reply closes the connection. The thread returns the lines that it has read.
fn scripted(replies: Vec<(&'static str, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let backend = thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        let mut lines = Vec::new();
        client.write(b"220 backend.example ready\r\n");
        for (command, reply) in replies {
            loop {
                let line = client.line();
                lines.push(line.clone());
                if line.is_empty() {
                    return lines;
                }
                if line.starts_with(command) {
                    break;
                }
                if line == "RSET\r\n" {
                    client.write(b"250 reset\r\n");
                }
            }
            if reply.is_empty() {
                return lines; // the connection is closed
            }
            client.write(reply.as_bytes());
        }
        loop {
            let line = client.line_of_octets();
            if line.is_empty() {
                return lines;
            }
            lines.push(String::from_utf8(line).unwrap());
        }
    });
    (address, backend)
}

const HELLO: (&str, &str) = ("EHLO", "250-backend.example\r\n250-8BITMIME\r\n250 DSN\r\n");

/// Connects a client that has been greeted.
fn greeted(server: &Server) -> Peer {
    let mut client = server.connect();
    let greeting = client.reply();
    assert!(greeting.starts_with("220 "), "{greeting}");
    client
}

#[test]
fn a_message_goes_through_two_servers_and_is_stored_by_the_second_only() {
    let backend = Server::start(&["--reject-recipient", "nobody@example.net"]);
    let front = forwarding_to(&backend.address.to_string(), &[]);
    let address = front.address.to_string();
    let flags = ["--server", &address, "--to", "bob@example.net", "--to", "nobody@example.net"];
    let sent = send_message(b"Subject: x\n\n.dot\nhello\n", flags);
    assert!(sent.said.contains("bob@example.net 250 2.0.0 queued as "), "{}", sent.said);
    assert!(sent.said.contains("nobody@example.net 550 5.1.1 "), "{}", sent.said);
    assert_eq!(sent.code, 69, "{}", sent.complained);
    let new = backend.maildir.join("new");
    let kept = names(&new);
    assert_eq!(kept.len(), 1);
    let message = fs::read_to_string(new.join(&kept[0])).unwrap();
    assert!(message.ends_with("\r\nSubject: x\r\n\r\n.dot\r\nhello\r\n"), "{message}");
    assert_eq!(message.matches("Received: ").count(), 2, "{message}");
    assert!(!front.maildir.exists(), "nothing is stored there");
}

#[test]
fn lmtp_gives_each_recipient_the_reply_of_the_other_server() {
    let (address, backend) = scripted(vec![
        ("LHLO", "250-backend.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"),
        ("MAIL", "250 2.1.0 ok\r\n"),
        ("RCPT", "250 2.1.5 one\r\n"),
        ("RCPT", "550 5.1.1 two\r\n"),
        ("RCPT", "250 2.1.5 three\r\n"),
        ("DATA", "354 go\r\n"),
        (".\r\n", "250 2.0.0 for one\r\n452 4.2.2 for three\r\n"),
        ("QUIT", "221 2.0.0 bye\r\n"),
    ]);
    let front = forwarding_to(&address, &["--protocol", "lmtp"]);
    let mut client = greeted(&front);
    client.succeed(&["LHLO client.example", "MAIL FROM:<a@b.example>"]);
    assert_eq!(client.ask("RCPT TO:<one@d.example>"), "250 2.1.5 one\r\n");
    assert_eq!(client.ask("RCPT TO:<two@d.example>"), "550 5.1.1 two\r\n");
    assert_eq!(client.ask("RCPT TO:<three@d.example>"), "250 2.1.5 three\r\n");
    client.succeed(&["DATA"]);
    assert_eq!(client.ask("Subject: x\r\n\r\n."), "250 2.0.0 for one\r\n");
    assert_eq!(client.reply(), "452 4.2.2 for three\r\n");
    client.succeed(&["QUIT"]);
    backend.join().unwrap();
}

#[test]
fn replies_are_passed_on_unchanged_and_so_are_parameters() {
    let (address, backend) = scripted(vec![
        HELLO,
        ("MAIL", "250-first line\r\n250-\r\n250 last line\r\n"),
        ("RCPT", "251 goes elsewhere\r\n"),
        ("RCPT", "550-no\r\n550 such mailbox\r\n"),
        ("DATA", "354 go\r\n"),
        (".\r\n", "552 too much\r\n"),
        ("MAIL", "452 not now\r\n"),
        ("MAIL", "250 ok\r\n"),
        ("RCPT", "250 ok\r\n"),
        ("DATA", "554 no DATA here\r\n"),
        ("MAIL", "250 ok\r\n"),
        ("RCPT", "250 ok\r\n"),
        ("DATA", "354 go\r\n"),
        (".\r\n", "250-taken\r\n250 as 4F2A\r\n"),
    ]);
    let front = forwarding_to(&address, &[]);
    let mut client = greeted(&front);
    let hello = client.ask("EHLO client.example");
    for keyword in ["8BITMIME", "DSN", "PIPELINING", "CHUNKING"] {
        assert!(hello.contains(keyword), "{keyword}: {hello}");
    }
    for keyword in ["SIZE", "SMTPUTF8", "BINARYMIME", "ENHANCEDSTATUSCODES", "DELIVERBY"] {
        assert!(!hello.contains(keyword), "{keyword}: {hello}");
    }
    let reply = client.ask("MAIL FROM:<a@b.example> RET=HDRS ENVID=x1");
    assert_eq!(reply, "250-first line\r\n250-\r\n250 last line\r\n");
    let reply = client.ask("RCPT TO:<c@d.example> NOTIFY=NEVER");
    assert_eq!(reply, "251 goes elsewhere\r\n");
    assert_eq!(client.ask("RCPT TO:<e@d.example>"), "550-no\r\n550 such mailbox\r\n");
    client.succeed(&["DATA"]);
    assert_eq!(client.ask("Subject: x\r\n\r\nhello\r\n."), "552 too much\r\n");
    assert_eq!(client.ask("MAIL FROM:<>"), "452 not now\r\n");
    client.succeed(&["MAIL FROM:<>", "RCPT TO:<c@d.example>"]);
    assert_eq!(client.ask("DATA"), "554 no DATA here\r\n");
    client.succeed(&["RSET", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    assert_eq!(client.ask("hello\r\n."), "250-taken\r\n250 as 4F2A\r\n");
    drop(client);
    let lines = backend.join().unwrap();
    for line in [
        "MAIL FROM:<a@b.example> RET=HDRS ENVID=x1\r\n",
        "RCPT TO:<c@d.example> NOTIFY=NEVER\r\n",
        "MAIL FROM:<>\r\n",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
}

#[test]
fn a_client_that_goes_away_in_content_leaves_no_message() {
    for flags in [&[][..], &["--extensions", "8BITMIME,PIPELINING"]] {
        let backend = Server::start(flags);
        let front = forwarding_to(&backend.address.to_string(), &[]);
        let tmp = backend.maildir.join("tmp");
        let mut client = greeted(&front);
        client.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
        client.write(&b"x\r\n".repeat(100_000));
        wait_until("content has come to the backend", || !names(&tmp).is_empty());
        client.stream().shutdown(Shutdown::Both).unwrap();
        wait_until("the transaction is given up", || names(&tmp).is_empty());
        assert_eq!(names(&backend.maildir.join("new")), [""; 0]);
    }
}

#[test]
fn a_backend_that_is_not_there_is_answered_421() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let front = forwarding_to(&address, &[]);
    let mut client = front.connect();
    let greeting = client.reply();
    assert!(greeting.starts_with("421 "), "{greeting}");
    assert!(greeting.contains("forwarded to is not available"), "{greeting}");
    assert_eq!(client.line(), "");
}

#[test]
fn a_backend_that_drops_in_content_is_answered_451_and_the_session_goes_on() {
    let (address, backend) = scripted(vec![
        HELLO,
        ("MAIL", "250 ok\r\n"),
        ("RCPT", "250 ok\r\n"),
        ("DATA", "354 go\r\n"),
        ("x\r\n", ""),
    ]);
    let front = forwarding_to(&address, &[]);
    let mut client = greeted(&front);
    client.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    client.write(&b"x\r\n".repeat(100_000));
    backend.join().unwrap();
    let reply = client.ask(".");
    assert!(reply.starts_with("451 ") && reply.contains("Lost the connection"), "{reply}");
    // The backend is gone: there is no other session with it.
    let reply = client.ask("MAIL FROM:<>");
    assert!(reply.starts_with("421 "), "{reply}");
}

#[test]
fn a_backend_that_has_ended_an_idle_session_is_connected_to_again() {
    let backend = Server::start(&["--idle-timeout", "1"]);
    let front = forwarding_to(&backend.address.to_string(), &[]);
    let mut client = greeted(&front);
    client.succeed(&["EHLO client.example"]);
    thread::sleep(Duration::from_millis(1500));
    client.succeed(&["MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    assert!(client.ask("hello\r\n.").starts_with("250 "));
    assert_eq!(names(&backend.maildir.join("new")).len(), 1);
}

#[test]
fn a_backend_that_does_not_read_holds_the_client_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let backend = thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        client.write(b"220 backend.example\r\n");
        for reply in [HELLO.1, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            client.line();
            client.write(reply.as_bytes());
        }
        client
    });
    let front = forwarding_to(&address, &["--max-size", "0"]);
    let mut client = greeted(&front);
    client.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    let held = backend.join().unwrap();
    let stream: TcpStream = client.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let line = b"x".repeat(62);
    let block = [&line[..], b"\r\n"].concat().repeat(1024);
    let mut written = 0_u64;
    // Far more than the buffers of four sockets hold.
    while written < 1024 * 1024 * 1024 {
        match std::io::Write::write(&mut &stream, &block) {
            Ok(octets) => written += octets as u64,
            Err(_) => break,
        }
    }
    assert!(written < 256 * 1024 * 1024, "{written} octets are somewhere");
    drop(held);
}

#[test]
fn an_address_without_a_port_is_refused() {
    for wrong in ["backend.example", ":25", "backend.example:smtp"] {
        let output = std::process::Command::new(crate::program::example("server"))
            .args(["--forward", wrong])
            .output();
        assert_eq!(output.unwrap().status.code(), Some(64), "{wrong}");
    }
}

#[test]
fn a_negative_greeting_of_the_backend_is_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let backend = thread::spawn(move || {
        let mut client = Peer::new(listener.accept().unwrap().0);
        client.write(b"554-no service\r\n554 for anyone\r\n");
        assert_eq!(client.line(), "QUIT\r\n");
        client.write(b"221 bye\r\n");
    });
    let front = forwarding_to(&address, &[]);
    let sent = send(["--server", &front.address.to_string(), "--to", "bob@example.net"]);
    assert_eq!(sent.code, 69, "{}", sent.said);
    assert!(sent.said.contains("554 "), "{}", sent.said);
    backend.join().unwrap();
}
