//! What the README and the guide say in tables is true: extensions, features, dependencies, the compiler, errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

use esmtp::{
    client::{Client, Config, Event, MessageFacts, Obstacle},
    envelope::Envelope,
    machine::{Machine, Need},
    sasl::{Mechanism, Offer, PlainVerifier, Question},
    security::Security,
    server::{self, Peer, Server},
    service::Service,
    syntax::{Argument, Extension, Extensions, ForwardPath, Lookup, Parameters, Reply},
    time::Instant,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

const README: &str = include_str!("../README.md");
const EXTENSIONS: &str = include_str!("../src/guide/extensions.md");

/// In a package of the registry `Cargo.toml` is one that cargo made, and ours lies beside it.
static MANIFEST: LazyLock<String> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name| fs::read_to_string(folder.join(name));
    read("Cargo.toml.orig").or_else(|_| read("Cargo.toml")).unwrap()
});

/// Returns the rows of the table whose first column is headed so, cell by cell.
fn table(text: &'static str, heading: &str) -> Vec<Vec<&'static str>> {
    let heading = format!("| {heading} |");
    let rows: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with(&heading))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table of {heading}");
    rows
}

// ------------------------------------------------------------------------------- extensions

#[test]
fn every_extension_has_its_row_and_the_server_does_what_the_row_says() {
    let rows = table(EXTENSIONS, "keyword");
    let keywords: Vec<_> = rows.iter().map(|row| row[0]).collect();
    let all: Vec<_> = Extension::ALL.iter().map(|extension| extension.keyword()).collect();
    assert_eq!(keywords, all, "the table of the guide and `Extension::ALL`");

    let by_itself = server::Config::new("mx.example.org").unwrap();
    for (row, extension) in rows.iter().zip(Extension::ALL) {
        let expected = if by_itself.extensions().contains(*extension) {
            "by itself"
        } else if server::Config::implemented().any(|one| one == *extension)
            && COMMANDS.iter().all(|(of, command)| of != extension || is_done(*extension, command))
        {
            "yes"
        } else {
            ""
        };
        assert_eq!(row[3], expected, "column `server` of {}", row[0]);
    }
}

/// The commands that extensions bring, each by itself in its place.
const COMMANDS: &[(Extension, &str)] = &[
    (Extension::Chunking, "MAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nBDAT 0 LAST"),
    (Extension::StartTls, "STARTTLS"),
    (Extension::Etrn, "ETRN example.org"),
    (
        Extension::Burl, // after AUTH only
        "AUTH PLAIN AHUAcA==\r\nMAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nBURL imap://example.net/x LAST",
    ),
    (Extension::Vrfy, "VRFY bob"),
    (Extension::Expn, "EXPN staff"),
    (Extension::Help, "HELP"),
    (Extension::Xclient, "XCLIENT ADDR=192.0.2.1"),
    (Extension::Xforward, "XFORWARD ADDR=192.0.2.1"),
];

/// Returns whether a server that offers an extension asks something at its command, or does it.
fn is_done(extension: Extension, commands: &str) -> bool {
    let service = [Service::Smtp, Service::Submission].into_iter().find(|one| one.has(extension));
    let config = server::Config::new("mx.example.org")
        .unwrap()
        .with_service(service.unwrap())
        .with_extension(extension)
        .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
    let mut server = Server::new(config.into(), Peer::UNKNOWN, Security::CLEAR);
    let octets = format!("EHLO c.example\r\n{commands}\r\n");
    assert_eq!(server.feed(octets.as_bytes()), octets.len());
    let (mut said, mut has_asked) = (Vec::new(), false);
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => match server.event().unwrap() {
                server::Event::Rcpt(rcpt) => rcpt.accept(),
                server::Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
                server::Event::Credentials(credentials) => match credentials.question {
                    Question::Password(question) => question.accept(),
                    other => other.reject(),
                },
                server::Event::Authenticated(authenticated) => authenticated.accept(),
                other => {
                    has_asked |= !matches!(
                        other,
                        server::Event::Connect(_)
                            | server::Event::Hello(_)
                            | server::Event::Mail(_)
                    );
                    other.proceed();
                }
            },
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]];
                if server.to_send(&mut slices) == 0 {
                    break;
                }
                said.extend_from_slice(slices[0]);
                let octets = slices[0].len();
                server.sent(octets);
            }
            _ => break,
        }
    }
    let last = said.split_inclusive(|octet| *octet == b'\n').next_back().unwrap();
    has_asked || !(last.starts_with(b"500") || last.starts_with(b"502"))
}

#[test]
fn every_extension_is_announced_and_read_again() {
    for extension in Extension::ALL {
        let offered = Extensions::NONE.with(*extension);
        let mut reply = b"250-mx.example.org\r\n".to_vec();
        let lines: Vec<_> = offered.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let mark = if index + 1 == lines.len() { ' ' } else { '-' };
            reply.extend(format!("250{mark}{line}\r\n").bytes());
        }
        let (reply, _) = Reply::parse(&reply).unwrap().unwrap();
        assert!(Extensions::parse(&reply).contains(*extension), "{}", extension.keyword());
    }
}

/// A client that shows whether it makes use of an extension.
struct Probe {
    /// The extensions that must be offered beside it.
    beside: &'static [Extension],
    sender: &'static str,
    mail: &'static str,
    rcpt: &'static str,
    message: &'static [u8],
    /// The text in a write of the client where the extension is offered, and only there.
    shows: &'static str,
}

const PLAIN: Probe = Probe {
    beside: &[],
    sender: "ann@example.org",
    mail: "",
    rcpt: "",
    message: b"Subject: x\r\n\r\ny\r\n",
    shows: "",
};

const fn mail(parameter: &'static str) -> Probe {
    Probe { mail: parameter, shows: parameter, ..PLAIN }
}

const fn rcpt(parameter: &'static str) -> Probe {
    Probe { rcpt: parameter, shows: parameter, ..PLAIN }
}

/// Of every extension that the client makes use of: what shows it. One that it comes to use
/// gets a row here, or in `SHOWN_ELSEWHERE`, and a "yes" in the table of the guide.
#[rustfmt::skip]
const PROBES: &[(Extension, Probe)] = &[
    (Extension::Size, Probe { shows: "SIZE=17", ..PLAIN }),
    (Extension::Pipelining, Probe { shows: ">\r\nRCPT TO", ..PLAIN }),
    (Extension::EightBitMime, Probe { message: b"\r\n\xc3\xa9\r\n", shows: "BODY=8BITMIME", ..PLAIN }),
    (Extension::Chunking, Probe { shows: "BDAT 17 LAST\r\n", ..PLAIN }),
    (Extension::BinaryMime, Probe { beside: &[Extension::Chunking], message: b"\r\n\0\r\n", shows: "BODY=BINARYMIME", ..PLAIN }),
    (Extension::SmtpUtf8, Probe { sender: "\u{e9}@example.org", shows: "SMTPUTF8", ..PLAIN }),
    (Extension::Dsn, rcpt("NOTIFY=NEVER")),
    (Extension::RequireTls, mail("REQUIRETLS")),
    (Extension::DeliverBy, mail("BY=120;R")),
    (Extension::MtPriority, mail("MT-PRIORITY=3")),
    (Extension::FutureRelease, mail("HOLDFOR=60")),
    (Extension::Rrvs, rcpt("RRVS=2014-04-03T23:01:00Z")),
    (Extension::NoSoliciting, mail("SOLICIT=org.example:ADV")),
    (Extension::ConPerm, mail("CONPERM")),
    (Extension::ConNeg, rcpt("CONNEG")),
    (Extension::Mtrk, mail("MTRK=dGhpcyBpcyBhIGhhc2gh")),
    (Extension::Xverp, mail("XVERP=+=")),
    (Extension::Submitter, mail("SUBMITTER=carol@example.org")),
];

/// Extensions that are more than a parameter: the test of the client, and a word of it.
#[rustfmt::skip]
const SHOWN_ELSEWHERE: &[(Extension, &str, &str)] = &[
    (Extension::StartTls, include_str!("conversations/client/tls.rs"), "fn the_session_begins_anew_inside_tls("),
    (Extension::Auth, include_str!("conversations/client/auth.rs"), "fn the_strongest_common_mechanism_is_used("),
    (Extension::Limits, include_str!("../src/client/plan.rs"), "fn recipients_beyond_the_limits_are_left_for_a_further_transaction("),
    (Extension::Etrn, include_str!("standards/rfc1985.rs"), "#[test]\nfn the_client_takes_every_2yz_for_a_success("),
    (Extension::Burl, include_str!("standards/rfc4468.rs"), "#[test]\nfn the_client_mixes_urls_with_chunks("),
    (Extension::Atrn, include_str!("standards/rfc2645_client.rs"), "#[test]\nfn the_client_hands_the_channel_over("),
    (Extension::Xclient, include_str!("standards/xclient.rs"), "#[test]\nfn the_client_sends_a_new_hello_after_the_220("),
    (Extension::Xforward, include_str!("standards/xforward.rs"), "#[test]\nfn the_client_sends_no_reset_after_xforward("),
    (Extension::Vrfy, include_str!("readme.rs"), "#[test]\nfn a_client_asks_for_users_lists_and_help("),
    (Extension::Expn, include_str!("readme.rs"), "#[test]\nfn a_client_asks_for_users_lists_and_help("),
    (Extension::Help, include_str!("readme.rs"), "#[test]\nfn a_client_asks_for_users_lists_and_help("),
];

#[test]
fn the_client_does_what_the_table_says() {
    let mut shown: BTreeSet<_> = PROBES.iter().map(|(extension, _)| *extension).collect();
    for (extension, test, word) in SHOWN_ELSEWHERE {
        assert!(test.contains(word), "nothing shows {}", extension.keyword());
        shown.insert(*extension);
    }
    for (row, extension) in table(EXTENSIONS, "keyword").iter().zip(Extension::ALL) {
        let expected = if shown.contains(extension) { "yes" } else { "" };
        assert_eq!(row[4], expected, "column `client` of {}", row[0]);
    }
    for (extension, probe) in PROBES {
        let offered = probe.beside.iter().fold(Extensions::NONE, |offered, one| offered.with(*one));
        let (without, _) = send(probe, &offered);
        assert!(!without.contains(probe.shows), "{}: {without}", extension.keyword());
        let (with, obstacles) = send(probe, &offered.with(*extension));
        assert!(with.contains(probe.shows), "{}: {with}{obstacles:?}", extension.keyword());
    }
}

/// Returns the octets of a client to a server that offers this and accepts everything.
fn send(probe: &Probe, offered: &Extensions) -> (String, Vec<Obstacle>) {
    let forward_path = ForwardPath::parse("<bob@example.net>").unwrap().into_owned();
    let envelope = Envelope::new(probe.sender, [""; 0])
        .unwrap()
        .with_parameters(Parameters::parse(probe.mail).unwrap())
        .with_recipient(forward_path, Parameters::parse(probe.rcpt).unwrap());
    let (mut obstacles, mut envelope) = (Vec::new(), Some(envelope));
    let said = converse(offered, |event| match event {
        Event::Ready(ready) if envelope.is_some() => {
            let sent = ready.send(envelope.take().unwrap(), MessageFacts::scan(probe.message));
            obstacles = sent.err().map_or_else(Vec::new, |error| error.obstacles().to_vec());
        }
        Event::Content(mut content) => {
            assert_eq!(content.write(probe.message), Ok(probe.message.len()));
            content.finish().unwrap();
        }
        other => other.quit(),
    });
    (said, obstacles)
}

#[test]
fn a_client_asks_for_users_lists_and_help() {
    let lookup = |what| Lookup::new(Argument::new(what).unwrap()).unwrap();
    let mut asked = 0;
    let said = converse(&Extensions::NONE, |event| match event {
        Event::Ready(ready) if asked < 3 => {
            asked += 1;
            let said = match asked {
                1 => ready.vrfy(lookup("bob")),
                2 => ready.expn(lookup("staff")),
                _ => ready.help(None),
            };
            said.unwrap();
        }
        other => other.quit(),
    });
    for line in ["VRFY bob\r\n", "EXPN staff\r\n", "HELP\r\n"] {
        assert!(said.contains(line), "{said}");
    }
}

/// Returns each write of a client, on a line of its own if it does not end one.
fn converse(offered: &Extensions, mut answer: impl FnMut(Event<'_>)) -> String {
    let hello: String = offered.lines().map(|line| format!("250-{line}\r\n")).collect();
    let security = Security::TLS.with_peer_certificates(Vec::new(), true);
    let mut client = Client::new(Config::new("me.example.org").unwrap(), security);
    let (mut said, mut heard, mut to_say) = (String::new(), 0, "220 mx\r\n".to_owned());
    loop {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => answer(client.event().unwrap()),
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 8];
                let count = client.to_send(&mut slices);
                let octets = slices[..count].concat();
                client.sent(octets.len());
                said.push_str(&String::from_utf8_lossy(&octets));
                said.push('\0');
            }
            Need::Read(_) => {
                // A reply for each line of command, as far as one has come.
                for line in said[heard..].split_inclusive(['\n', '\0']) {
                    match line.get(..4) {
                        Some("EHLO") => to_say.push_str(&format!("250-mx\r\n{hello}250 HELP\r\n")),
                        Some("DATA") => to_say.push_str("354 go\r\n"),
                        Some("QUIT") => to_say.push_str("221 bye\r\n"),
                        Some("MAIL" | "RCPT" | "BDAT" | "VRFY" | "EXPN" | "HELP") => {
                            to_say.push_str("250 ok\r\n");
                        }
                        _ if line == ".\r\n" => to_say.push_str("250 ok\r\n"),
                        _ => {}
                    }
                }
                heard = said.len();
                assert!(!to_say.is_empty(), "nothing to say to {said:?}");
                assert_eq!(client.feed(to_say.as_bytes()), to_say.len());
                to_say.clear();
            }
            Need::Wait(_) => unreachable!(),
            Need::Close => return said,
        }
    }
}

// -------------------------------------------------------------------------- the programs

/// The programs are compiled as they stand: a copy of one needs no line that a reader does not see.
#[test]
fn the_programs_of_the_readme_are_whole_and_hide_no_line() {
    let programs: Vec<_> = README.split("```rust").skip(1).collect();
    assert_eq!(programs.len(), 3, "receive, submit, send");
    for program in programs {
        let (program, _) = program.split_once("```").unwrap();
        assert!(program.contains("fn main()"), "{program}");
        assert!(!program.lines().any(|line| line == "#" || line.starts_with("# ")), "{program}");
    }
}

/// The first is an example that runs, so that what the README says of it is tested.
#[test]
fn the_first_program_of_the_readme_is_the_example_receive() {
    let program = README.split("```rust,no_run\n").nth(1).unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let example = include_str!("../examples/receive.rs");
    assert!(example.ends_with(program), "{program}");
}

/// A user reads no more than that to know how to send.
#[test]
fn the_programs_that_send_have_less_than_ten_lines() {
    for program in README.split("```rust,no_run\n").skip(2) {
        let (program, _) = program.split_once("```").unwrap();
        let lines = program.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines < 10, "{lines} lines: {program}");
    }
}

/// Each test that a sentence of the README names in brackets is there.
#[test]
fn the_tests_that_the_readme_names_exist() {
    let (claims, _) = README.split_once("## Two commands").unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let named: Vec<_> =
        claims.split("(`").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named.into_iter().filter(|name| !name.contains([' ', '-'])) {
        let is_there = tests.join(name).join("main.rs").exists()
            || tests.join(name).with_extension("rs").exists();
        assert!(is_there, "there is no test {name}");
    }
}

// --------------------------------------------------------------------- the texts of errors

const TROUBLESHOOTING: &str = include_str!("../src/guide/troubleshooting.md");

/// Returns the string literals of the sources, cut where a value is written into them.
fn templates() -> Vec<Vec<String>> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let literals =
                    text.split('"').filter(|text| text.len() > 11 && !text.contains(';'));
                out.extend(literals.map(template));
            }
        }
    }
    out
}

fn template(literal: &str) -> Vec<String> {
    let mut lines = literal.split("\\\n");
    let mut whole = lines.next().unwrap().to_owned();
    lines.for_each(|line| whole.push_str(line.trim_start()));
    let pieces =
        whole.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest));
    pieces.map(str::to_owned).collect()
}

/// Returns whether the text is one that the template makes; `…` stands for anything.
fn is_made_by(text: &str, template: &[String]) -> bool {
    let (shown, is_cut) = match text.split_once('…') {
        Some((shown, _)) => (shown, true),
        None => (text, false),
    };
    let mut rest = shown;
    let mut literal = 0;
    for (index, piece) in template.iter().enumerate() {
        match rest.find(piece.as_str()) {
            Some(at) if index > 0 || at == 0 => {
                rest = &rest[at + piece.len()..];
                literal += piece.len();
            }
            _ => {
                let is_begun = index > 0 || piece.starts_with(rest);
                return is_cut
                    && is_begun
                    && (literal > 11 || piece.starts_with(rest) && rest.len() > 11);
            }
        }
    }
    literal > 11 && (rest.is_empty() || template.last().is_some_and(String::is_empty))
}

#[test]
fn the_texts_of_errors_in_the_guide_are_those_of_the_sources() {
    let templates = templates();
    let mut texts = 0;
    for row in TROUBLESHOOTING.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap();
        let mark = if cell.starts_with("``") { "``" } else { "`" };
        for text in cell.split(mark).skip(1).step_by(2) {
            let text = text.trim_start_matches("… ");
            if text.contains(' ') && !text.starts_with(|c: char| c.is_ascii_digit() || c == '#') {
                texts += 1;
                let is_real = templates.iter().any(|template| is_made_by(text, template));
                assert!(is_real, "no error has the text `{text}`");
            }
        }
    }
    assert!(texts > 30, "{texts} texts");
    let template = template("the server answered {code} to {verb}");
    assert!(is_made_by("the server answered 250 to MAIL", &template));
    assert!(is_made_by("the server answered …", &template));
    assert!(!is_made_by("the server said 250 to MAIL", &template));
    assert!(!is_made_by("the server answered 250 for MAIL", &template));
}

// ----------------------------------------------------------- features, crates, the compiler

/// Returns each `name = value` in a section of the manifest.
fn section(name: &str) -> BTreeMap<&'static str, &'static str> {
    MANIFEST
        .lines()
        .skip_while(|line| *line != format!("[{name}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .collect()
}

/// Returns the words of a cell that stand in backticks.
fn quoted(cell: &'static str) -> BTreeSet<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn features_and_the_crates_they_bring_are_those_of_the_manifest() {
    let features = section("features");
    let drawn: BTreeMap<_, _> =
        table(README, "feature").into_iter().map(|row| (row[0], quoted(row[2]))).collect();
    let mut real = BTreeMap::new();
    for (feature, list) in &features {
        if *feature != "default" {
            let brought = list.split('"').filter_map(|word| word.strip_prefix("dep:")).collect();
            let is_default = features["default"].contains(&format!("\"{feature}\""));
            let default = if is_default { " (default)" } else { "" };
            real.insert(format!("`{feature}`{default}"), brought);
        }
    }
    let drawn: BTreeMap<_, BTreeSet<_>> =
        drawn.into_iter().map(|(feature, crates)| (feature.to_owned(), crates)).collect();
    assert_eq!(drawn, real, "the README's table of features, and Cargo.toml");
}

#[test]
fn the_crates_of_the_core_are_those_of_the_manifest() {
    let dependencies = section("dependencies");
    let core: BTreeSet<_> = dependencies
        .iter()
        .filter(|(_, value)| !value.contains("optional = true"))
        .map(|(name, _)| *name)
        .collect();
    let (_, drawn) = README.split_once("Always required, without default features: ").unwrap();
    let (drawn, _) = drawn.split_once("\n\n").unwrap();
    let drawn = quoted(drawn);
    assert_eq!(drawn, core, "the README's list of crates, and Cargo.toml");
    for name in core {
        assert!(dependencies[name].contains("default-features = false"), "{name}");
    }
}

#[test]
fn the_compiler_is_the_one_of_the_manifest() {
    let version = section("package")["rust-version"].trim_matches('"');
    assert!(README.contains(&format!("Rust {version} or newer")), "rust-version is {version}");
}
