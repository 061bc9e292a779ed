//! A client by hand, and the phases of a session that it leads to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The client's side of a session.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn say(&mut self, octets: &str) {
        self.stream.get_mut().write_all(octets.as_bytes()).unwrap();
    }

    /// Reads to the end of a reply, and returns its code.
    pub fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.get(..3).unwrap_or_default().to_owned();
            }
        }
    }

    /// Leads a session into a phase.
    pub fn enter(&mut self, steps: &[&str]) {
        assert_eq!(self.reply(), "220");
        for step in steps {
            self.say(step);
            if step.ends_with("\r\n") || step.starts_with("BDAT") {
                assert!(self.reply().as_str() < "400", "{step}");
            }
        }
    }

    /// Returns whether the connection ends without a reply, orderly or not.
    #[cfg(feature = "tokio")]
    pub fn was_disconnected(mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }

    /// Returns the codes of all replies to the end of the connection.
    pub fn rest(mut self) -> Vec<String> {
        let mut heard = String::new();
        self.stream.read_to_string(&mut heard).unwrap();
        heard.lines().map(|line| line[..3].to_owned()).collect()
    }
}

/// The commands that lead to each phase, in groups that are answered each.
pub const PHASES: [(&str, &[&str]); 7] = [
    ("after the greeting", &[]),
    ("after EHLO", &["EHLO me.example.org\r\n"]),
    ("in an incomplete command", &["EHLO me.example.org\r\n", "NOO"]),
    ("after MAIL", &["EHLO me.example.org\r\n", "MAIL FROM:<ann@example.org>\r\n"]),
    (
        "after RCPT",
        &[
            "EHLO me.example.org\r\n",
            "MAIL FROM:<ann@example.org>\r\n",
            "RCPT TO:<bob@example.net>\r\n",
        ],
    ),
    (
        "in DATA",
        &[
            "EHLO me.example.org\r\n",
            "MAIL FROM:<ann@example.org>\r\n",
            "RCPT TO:<bob@example.net>\r\n",
            "DATA\r\n",
            "Subject: hel",
        ],
    ),
    (
        "between two chunks",
        &[
            "EHLO me.example.org\r\n",
            "MAIL FROM:<ann@example.org>\r\n",
            "RCPT TO:<bob@example.net>\r\n",
            "BDAT 5\r\nHello",
        ],
    ),
];

/// Waits for something that another task does.
#[cfg(feature = "tokio")]
pub async fn wait_for(is_there: impl Fn() -> bool) {
    let waiting = async {
        while !is_there() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}
