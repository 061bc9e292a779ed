//! `examples/server`.

use crate::program::{Folder, Peer, Server, example, names, send, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use std::{
    fs::{self, File, FileTimes},
    io::Read,
    net::Shutdown,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

fn deliver(client: &mut Peer, octets: usize) -> String {
    client.succeed(&["EHLO client.example", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"]);
    client.succeed(&["DATA"]);
    for _ in 0..octets.div_ceil(64) {
        client.write(format!("{:062}\r\n", 0).as_bytes());
    }
    client.ask(".")
}

// ------------------------------------------------------------------------ connections

#[test]
fn connections_beyond_the_limit_are_greeted_421() {
    let server = Server::start(&["--max-connections", "2"]);
    let mut within: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut within {
        assert!(client.reply().starts_with("220 "));
    }
    for _ in 0..50 {
        let mut beyond = server.connect();
        let greeting = beyond.reply();
        assert!(greeting.starts_with("421 Too many connections,"), "{greeting}");
        assert_eq!(beyond.line(), "", "the connection is closed");
    }
    // Those that have a place are served as before, and a place that is given up is free.
    within[0].succeed(&["EHLO client.example", "QUIT"]);
    assert_eq!(within[0].line(), "");
    within.remove(0);
    wait_until("the place is free", || server.connect().reply().starts_with("220 "));
    assert!(deliver(&mut within[0], 100).starts_with("250 "));
}

#[test]
fn in_tls_a_connection_beyond_the_limit_hears_421_too() {
    let server = Server::start(&["--max-connections", "1", "--tls", "implicit"]);
    let address = server.address.to_string();
    let flags =
        ["--server", &address, "--to", "bob@example.net", "--tls", "implicit", "--insecure"];
    assert_eq!(send(flags).code, 0);
    let held = server.connect();
    wait_until("the other connection is accepted", || {
        let sent = send(flags);
        sent.code == 75 && sent.said.contains("421 - Too many connections,")
    });
    drop(held);
}

#[test]
fn connections_are_counted_by_the_address_that_the_proxy_names() {
    let server = Server::start(&["--proxy-protocol", "--max-connections-per-address", "2"]);
    let greet = |source: &str| server.proxied(source);
    let first = greet("198.51.100.7");
    let second = greet("::ffff:198.51.100.7"); // which is one address
    assert!(first.1.starts_with("220 ") && second.1.starts_with("220 "));
    let third = greet("198.51.100.7");
    let expected = "421 Too many connections from your address";
    assert!(third.1.starts_with(expected), "{}", third.1);
    for other in ["198.51.100.8", "2001:db8::7"] {
        assert!(greet(other).1.starts_with("220 "), "{other}");
    }
    drop(first);
    wait_until("the place is free", || greet("198.51.100.7").1.starts_with("220 "));
    // Clients of unknown address are not counted.
    for _ in 0..3 {
        let mut check = server.connect();
        check.say("PROXY UNKNOWN");
        assert!(check.reply().starts_with("220 "));
    }
    drop(second);
}

#[test]
fn a_session_that_was_greeted_does_not_run_out_of_descriptors() {
    let server = Server::start_with_descriptors(64);
    let mut early = server.connect();
    assert!(early.reply().starts_with("220 "));
    let (mut greeted, mut refused) = (Vec::new(), 0);
    for _ in 0..100 {
        let mut client = server.connect();
        match &client.reply()[..4] {
            "220 " => greeted.push(client),
            "421 " => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0 && greeted.len() > 10, "{} greeted, {refused} refused", greeted.len());
    // Each may hold the file of a message besides its socket.
    let clients = std::iter::once(&mut early).chain(&mut greeted);
    let mut under_way = Vec::new();
    for client in clients {
        client.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
        for _ in 0..3000 {
            client.write(format!("{:062}\r\n", 0).as_bytes());
        }
        under_way.push(client);
    }
    wait_until("each has a file", || names(&server.maildir.join("tmp")).len() == under_way.len());
    for client in &mut under_way {
        let reply = client.ask(".");
        assert!(reply.starts_with("250 "), "{reply}");
    }
    drop(under_way);
    greeted.clear();
    wait_until("the places are free", || server.connect().reply().starts_with("220 "));
}

#[test]
fn accepting_goes_on_after_it_has_failed() {
    let server = Server::start(&[]);
    let mut before = server.connect();
    assert!(before.reply().starts_with("220 "));
    // Fewer than are open: accept4 fails with EMFILE.
    let few = Rlimit { current: Some(3), maximum: getrlimit(Resource::Nofile).maximum };
    let usual = prlimit(Some(server.pid()), Resource::Nofile, few).unwrap();
    let mut during = server.connect();
    before.succeed(&["EHLO client.example", "NOOP"]);
    during.stream().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(during.stream().peek(&mut [0]).is_err(), "nothing is accepted");
    prlimit(Some(server.pid()), Resource::Nofile, usual).unwrap();
    during.stream().set_read_timeout(Some(crate::program::PATIENCE)).unwrap();
    assert!(during.reply().starts_with("220 "));
}

// -------------------------------------------------------------------- trusted clients

/// Returns whether XCLIENT and XFORWARD are announced, and the reply to XCLIENT.
fn xclient(client: &mut Peer) -> (bool, String) {
    let hello = client.ask("EHLO client.example");
    let announced = ["XCLIENT ", "XFORWARD "].map(|keyword| hello.contains(keyword));
    assert_eq!(announced[0], announced[1], "{hello}");
    (announced[0], client.ask("XCLIENT ADDR=203.0.113.9"))
}

#[test]
fn xclient_is_believed_from_this_host_and_from_the_networks_that_are_named() {
    #[rustfmt::skip]
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (&["--xclient"],
         &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"],
         &["192.0.2.1", "2001:db8::1", "128.0.0.1", "::2", "::ffff:192.0.2.1"]),
        (&["--xclient-from", "192.0.2.64/26", "--xclient-from", "2001:db8::/33", "--xclient-from", "198.51.100.7"],
         &["127.0.0.1", "::1", "192.0.2.64", "192.0.2.127", "::ffff:192.0.2.100", "2001:db8:7fff::1", "198.51.100.7"],
         &["192.0.2.63", "192.0.2.128", "2001:db8:8000::1", "2001:db9::1", "198.51.100.8", "::c000:264"]),
        (&["--xclient-from", "::ffff:192.0.2.0/120"], &["192.0.2.255"], &["192.0.3.0", "::1:0:0"]),
        (&["--xclient-from", "0.0.0.0/0"], &["203.0.113.200"], &["2001:db8::1"]),
        (&[], &[], &["127.0.0.1", "::1", "192.0.2.1"]),
    ];
    for (flags, trusted, others) in cases {
        let server = Server::start(&[flags, &["--proxy-protocol"][..]].concat());
        for (sources, is_trusted) in [(trusted, true), (others, false)] {
            for source in *sources {
                let (mut client, greeting) = server.proxied(source);
                assert!(greeting.starts_with("220 "), "{greeting}");
                let (is_announced, reply) = xclient(&mut client);
                assert_eq!(is_announced, is_trusted, "{flags:?} {source}");
                assert_eq!(reply.starts_with("220 "), is_trusted, "{flags:?} {source}: {reply}");
                assert!(is_trusted || reply.starts_with('5'), "{reply}");
            }
        }
    }
}

#[test]
fn xclient_is_not_believed_from_a_client_that_the_proxy_does_not_know() {
    let server = Server::start(&["--xclient", "--proxy-protocol"]);
    let mut client = server.connect();
    client.say("PROXY UNKNOWN");
    assert!(client.reply().starts_with("220 "));
    assert!(!xclient(&mut client).0);
}

#[test]
fn without_a_proxy_the_address_of_the_connection_counts() {
    for (flag, is_believed) in [(&["--xclient"][..], true), (&[], false)] {
        let server = Server::start(flag);
        let mut client = server.connect();
        client.reply();
        let (is_announced, reply) = xclient(&mut client);
        assert_eq!((is_announced, reply.starts_with("220 ")), (is_believed, is_believed));
        if is_believed {
            // The trust is the connection's, and outlives the address that was given.
            client.succeed(&["EHLO client.example", "XCLIENT ADDR=203.0.113.10"]);
            client.succeed(&["EHLO client.example", "XFORWARD ADDR=203.0.113.11"]);
        }
    }
}

#[test]
fn malformed_networks_are_refused() {
    for wrong in
        ["", "192.0.2.1/33", "192.0.2.1/", "192.0.2.1/+8", "2001:db8::/129", "example.org", "/8"]
    {
        let output = Command::new(example("server")).args(["--xclient-from", wrong]).output();
        assert_eq!(output.unwrap().status.code(), Some(64), "{wrong}");
    }
}

#[test]
fn help_states_that_a_proxy_header_is_believed_from_every_client() {
    let output = Command::new(example("server")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = help.split_whitespace().collect();
    assert!(words.join(" ").contains("believe it from every client"), "{help}");
    for flag in ["--xclient-from", "--max-connections", "--max-connections-per-address"] {
        assert!(words.contains(&flag), "{flag}");
    }
}

// --------------------------------------------------------------------------- the Maildir

#[test]
fn mail_is_readable_by_its_owner_only() {
    let folder = Folder::new();
    let maildir = folder.0.join("a").join("b");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0 && exec \"$0\" \"$@\""]).arg(example("server"));
    let outer = folder.0.clone();
    let server = Server::start_with(shell, folder, maildir.clone(), &[]);
    let mut client = server.connect();
    client.reply();
    assert!(deliver(&mut client, 200_000).starts_with("250 "));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for made in [outer.join("a"), maildir.clone()] {
        assert_eq!(mode(&made), 0o700, "{made:?}");
    }
    for made in ["tmp", "new", "cur"] {
        assert_eq!(mode(&maildir.join(made)), 0o700, "{made}");
    }
    let kept = names(&maildir.join("new"));
    assert_eq!(kept.len(), 1);
    assert_eq!(mode(&maildir.join("new").join(&kept[0])), 0o600);
    assert_eq!(names(&maildir.join("tmp")), [""; 0]);
}

#[test]
fn abandoned_files_in_tmp_are_removed_at_start() {
    let folder = Folder::new();
    let maildir = folder.0.join("mail");
    let tmp = maildir.join("tmp");
    fs::create_dir_all(&tmp).unwrap();
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    for (name, modified) in [("old", hours(37)), ("recent", hours(35)), ("target", hours(99))] {
        let place = if name == "target" { folder.0.join(name) } else { tmp.join(name) };
        let times = FileTimes::new().set_modified(modified);
        File::create(place).unwrap().set_times(times).unwrap();
    }
    fs::create_dir(tmp.join("folder")).unwrap();
    symlink(folder.0.join("target"), tmp.join("link")).unwrap();
    let _server = Server::start_with(Command::new(example("server")), folder, maildir, &[]);
    assert_eq!(names(&tmp), ["folder", "link", "recent"]);
}

#[test]
fn a_message_that_does_not_come_to_its_end_leaves_no_file() {
    let server = Server::start(&[]);
    let tmp = server.maildir.join("tmp");
    let mut client = server.connect();
    client.reply();
    client.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>"]);
    client.write(b"BDAT 200000\r\n");
    client.write(&[b'x'; 200_000]);
    assert!(client.reply().starts_with("250 "));
    wait_until("the message has a file", || !names(&tmp).is_empty());
    client.succeed(&["RSET"]);
    wait_until("the file is removed", || names(&tmp).is_empty());
    client.succeed(&["MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    client.write(&b"x\r\n".repeat(100_000));
    wait_until("the message has a file", || !names(&tmp).is_empty());
    client.stream().shutdown(Shutdown::Both).unwrap();
    wait_until("the file is removed", || names(&tmp).is_empty());
    assert_eq!(names(&server.maildir.join("new")), [""; 0]);
}

// ------------------------------------------------------------------------------ the end

#[test]
fn a_message_under_way_is_finished_after_sigterm_and_idle_sessions_hear_421() {
    let mut server = Server::start(&[]);
    let (mut idle, mut busy) = (server.connect(), server.connect());
    idle.reply();
    busy.reply();
    busy.succeed(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]);
    busy.say("Subject: x");
    server.terminate();
    assert!(idle.reply().starts_with("421 "));
    busy.say("\r\nhello");
    assert!(busy.ask(".").starts_with("250 "));
    assert!(busy.reply().starts_with("421 "));
    drop((idle, busy));
    assert_eq!(server.end().code(), Some(0));
    assert_eq!(names(&server.maildir.join("new")).len(), 1);
}

#[test]
fn a_client_whose_proxy_header_has_not_come_hears_421_after_sigterm() {
    let mut server = Server::start(&["--proxy-protocol"]);
    let mut client = server.connect();
    client.write(b"PROXY TCP4 ");
    let (mut other, greeting) = server.proxied("192.0.2.1"); // the first one is accepted by now
    assert!(greeting.starts_with("220 "));
    server.terminate();
    assert!(client.reply().starts_with("421 "));
    assert!(other.reply().starts_with("421 "));
    drop((client, other));
    assert_eq!(server.end().code(), Some(0));
}

// ------------------------------------------------------------------------------ the output

/// More than a pipe holds is printed on both, and neither is read.
#[test]
fn a_server_whose_output_is_not_read_takes_mail_and_ends() {
    let folder = Folder::new();
    let maildir = folder.0.join("mail");
    let mut command = Command::new(example("server"));
    command.args(["--listen", "127.0.0.1:0", "--verbose", "--maildir"]).arg(&maildir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::of(command.spawn().unwrap(), folder, maildir);
    let mut client = server.connect();
    client.reply();
    client.succeed(&["EHLO client.example"]);
    let recipients: Vec<_> =
        (0..1000).map(|number| format!("RCPT TO:<{number:060}@d.example>")).collect();
    for _ in 0..3 {
        client.succeed(&["MAIL FROM:<>"]);
        client.succeed(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
        client.succeed(&["DATA"]);
        assert!(client.ask("Subject: x\r\n\r\nhello\r\n.").starts_with("250 "));
    }
    assert_eq!(names(&server.maildir.join("new")).len(), 3);
    server.terminate();
    assert!(client.reply().starts_with("421 "));
    drop(client);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn the_log_has_the_lines_of_sessions_without_secrets() {
    let folder = Folder::new();
    let maildir = folder.0.join("mail");
    let mut command = Command::new(example("server"));
    command.args(["--listen", "127.0.0.1:0", "--verbose", "--maildir"]).arg(&maildir);
    command.args(["--user", "ann:hunter2", "--allow-plaintext-auth"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::of(command.spawn().unwrap(), folder, maildir);
    let mut client = server.connect();
    client.reply();
    // ann and hunter2.
    let login = "AUTH PLAIN AGFubgBodW50ZXIy";
    client.succeed(&["EHLO client.example", login, "QUIT"]);
    server.terminate();
    assert_eq!(server.end().code(), Some(0));
    let mut log = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    for line in ["line=EHLO client.example", "line=AUTH PLAIN", "line=235 ", "line=QUIT"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("AGFubgBodW50ZXIy") && !log.contains("hunter2"), "{log}");
}
