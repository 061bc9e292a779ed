//! The house rules, held by reading the sources: who may import whom, who may name what, and
//! that the map in `CONTRIBUTING.md` is true.
//!
//! Comments, the contents of literals and everything under `#[cfg(test)]` are set aside first, so
//! that documentation may link wherever it likes. Each rule is a function from sources to
//! complaints, and is itself tested with sources that break it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

#[path = "architecture/graph.rs"]
mod graph;
#[path = "architecture/reader.rs"]
mod reader;

use graph::Graph;
use reader::{Located, Source, Token, behind_group, spells, without_attributes};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn sources() -> Vec<Source> {
    sources_in("src")
}

/// Returns the sources below a folder of the package.
fn sources_in(folder: &str) -> Vec<Source> {
    fn walk(root: &Path, folder: &Path, out: &mut Vec<Source>) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(root, &path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                out.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut out = Vec::new();
    walk(&root, &root, &mut out);
    assert!(out.len() > 5, "no sources found");
    out
}

/// Applies a rule to every source.
fn hold(rule: fn(&Source) -> Vec<String>) {
    let complaints: Vec<String> =
        sources().iter().filter(|s| !s.is_test()).flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

// ------------------------------------------------------------------------------- the rules

/// Pure values, cutting, and mechanisms: they never meet. Below them is only the name of a mechanism, which the grammar of
/// AUTH and the mechanisms themselves both need.
const GROUND: [&str; 3] = ["syntax", "wire", "sasl"];

/// Returns whether code in `from` may name `to`, both modules of the crate.
fn may_import(from: &str, to: &str) -> bool {
    let is_ground = |m: &str| GROUND.contains(&m);
    let is_above = |m: &str| matches!(m, "server" | "client" | "dsn" | "tls" | "io" | "testing");
    match from {
        _ if from == to || from.is_empty() => true,
        "testing" => true,
        "io" => to != "testing",
        "tls" => !matches!(to, "io" | "testing" | "dsn"),
        "dsn" => to == "client" || !is_above(to),
        "server" | "client" => !is_above(to),
        "syntax" | "sasl" => to == "mechanism",
        _ if is_ground(from) || from == "mechanism" => false,
        _ => !is_above(to), // machine, service, security, …
    }
}

fn imports(source: &Source) -> Vec<String> {
    let mut out = Vec::new();
    for (line, path) in source.paths() {
        // a path of one segment below the root is an item of lib.rs, which re-exports
        let Some(to) = path.get(1) else { continue };
        if !may_import(source.top(), to) {
            out.push(format!(
                "src/{}:{line}: `{}` must not know `{}`",
                source.path,
                source.top(),
                path.join("::")
            ));
        }
    }
    out
}

/// Holds that `std`, rustls and tokio are named where they belong only. `lib.rs` may say `extern crate std`.
fn foreign_crates(source: &Source) -> Vec<String> {
    let allowed: &[&str] = match source.top() {
        "io" => &["std", "tokio", "tracing"],
        "tls" if source.path.starts_with("tls/rustls/") => &["std", "rustls"],
        "tls" => &["std"],
        "testing" => &["std"],
        _ => &[],
    };
    let t = &source.tokens;
    let mut out = Vec::new();
    for (i, token) in t.iter().enumerate() {
        let Some(word @ ("std" | "rustls" | "tokio" | "tracing")) = token.word() else { continue };
        let is_extern =
            source.path == "lib.rs" && i > 1 && t[i - 1].is("crate") && t[i - 2].is("extern");
        // a crate's name begins a path; `io::tokio` and `.std()` are something else
        let follows = |i: usize, signs: &[&str]| i > 0 && signs.iter().any(|s| t[i - 1].is(s));
        let is_rooted = i > 0
            && t[i - 1].is("::")
            && !(i > 1 && t[i - 2].word().is_some_and(|before| before != "use"));
        let is_crate = (is_rooted || !follows(i, &[".", "::", "mod", "fn"]))
            && (t.get(i + 1).is_some_and(|x| x.is("::")) || follows(i, &["use", "crate"]));
        if is_crate && !is_extern && !allowed.contains(&word) {
            out.push(format!("src/{}:{}: names `{word}`", source.path, token.line));
        }
    }
    out
}

/// Holds that only `service.rs` compares a `Service`; elsewhere a variant may be passed on, not looked at.
fn compared_services(source: &Source) -> Vec<String> {
    const VARIANTS: [&str; 3] = ["Smtp", "Submission", "Lmtp"];
    if source.top() == "service" {
        return Vec::new();
    }
    let t = &source.tokens;
    let mut out = Vec::new();
    let mut complain = |line: usize, what: &str| {
        out.push(format!("src/{}:{line}: {what}; ask a method of Service", source.path));
    };
    for i in 0..t.len() {
        if spells(t, i, &["Service", "::", "*"]) || spells(t, i, &["Service", "::", "{"]) {
            complain(t[i].line, "imports the variants of Service");
        }
        let is_variant = spells(t, i, &["Service", "::"])
            && t.get(i + 2).and_then(Located::word).is_some_and(|w| VARIANTS.contains(&w));
        if is_variant && is_compared(t, i, i + 3) {
            complain(t[i].line, "compares a Service");
        }
        let is_service = t[i].is("service") || (t[i].is(")") && i > 1 && t[i - 2].is("service"));
        if is_service && t.get(i + 1).is_some_and(|x| x.is("==") || x.is("!=")) {
            complain(t[i].line, "compares a Service");
        }
    }
    out
}

/// Returns whether `t[start..end]` stands where a pattern or a comparison stands.
fn is_compared(t: &[Located], start: usize, end: usize) -> bool {
    let (mut start, mut end) = (start, end);
    loop {
        while start > 0 && (t[start - 1].is("::") || t[start - 1].is("&")) {
            start -= if t[start - 1].is("::") { 2.min(start) } else { 1 };
        }
        let before = |s: &[&str]| start > 0 && s.iter().any(|s| t[start - 1].is(s));
        let after = |s: &[&str]| s.iter().any(|s| t.get(end).is_some_and(|x| x.is(s)));
        if before(&["|", "==", "!=", "let"]) || after(&["=>", "|", "==", "!=", "if"]) {
            return true;
        }
        // the parentheses around it: a tuple, a tuple struct, a call, a macro
        let Some(open) = (0..start)
            .rev()
            .find(|&open| (t[open].is("(") || t[open].is("[")) && behind_group(t, open) > start)
        else {
            return false;
        };
        let is_in_block = |brace: usize| t[brace].is("{") && behind_group(t, brace) > start;
        if (open..start).rev().any(is_in_block) {
            return false;
        }
        if open > 1 && t[open - 1].is("!") {
            return t[open - 2].is("matches");
        }
        end = behind_group(t, open);
        start = open;
        while start > 0
            && (t[start - 1].word().is_some_and(|w| {
                w != "match" && w != "let" && w != "in" && w != "if" && w != "return"
            }) || t[start - 1].is("::"))
        {
            start -= 1;
        }
    }
}

/// Holds that only `server/sequence.rs` decides that a command is out of order (503), in the words of
/// `server/replies.rs`.
fn sequence_elsewhere(source: &Source) -> Vec<String> {
    if source.top() != "server"
        || ["server/sequence.rs", "server/replies.rs"].contains(&source.path.as_str())
    {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (i, token) in source.tokens.iter().enumerate() {
        let Some(word) = token.word() else { continue };
        let low = word.to_lowercase();
        if word == "503"
            || spells(&source.tokens, i, &["Misplaced", "::"])
            || ["bad_sequence", "badsequence", "out_of_order", "outoforder"]
                .iter()
                .any(|w| low.contains(w))
        {
            out.push(format!(
                "src/{}:{}: `{word}`: only sequence.rs decides the order",
                source.path, token.line
            ));
        }
    }
    out
}

/// Holds that only `server/replies.rs` has the server's English: elsewhere in `server/` no literal has a
/// space in it. Attributes aside (`thiserror` messages are not for the peer).
fn english_elsewhere(source: &Source) -> Vec<String> {
    if source.top() != "server" || source.path == "server/replies.rs" {
        return Vec::new();
    }
    without_attributes(&source.tokens)
        .iter()
        .filter_map(|token| match &token.token {
            Token::Text(text) if text.trim().contains(' ') => Some(format!(
                "src/{}:{}: {text:?} belongs into replies.rs",
                source.path, token.line
            )),
            _ => None,
        })
        .collect()
}

fn too_long(source: &Source) -> Vec<String> {
    const MOST: usize = 800;
    (source.lines > MOST)
        .then(|| {
            format!("{}: {} lines without tests, {MOST} are the most", source.path, source.lines)
        })
        .into_iter()
        .collect()
}

/// Finds the circles of files.
fn circles(sources: &[Source]) -> Vec<String> {
    let circles = Graph::new(sources).circles();
    circles.iter().map(|circle| format!("a circle of files: {circle:?}")).collect()
}

/// Holds that the inherent methods of a type stand in one file, or in its `session/` folder.
fn spread(sources: &[Source]) -> Vec<String> {
    let methods = Graph::new(sources).methods();
    let spread = methods.iter().filter(|(_, nodes)| nodes.len() > 1);
    spread.map(|((_, name), nodes)| format!("the methods of {name} stand in {nodes:?}")).collect()
}

// ------------------------------------------------------------------------------- the map

/// Returns the modules that the map names: a folder or a file of the crate, and the files of a folder.
fn map(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let block = text.split("```").find(|b| b.contains("\nsrc/")).expect("no map in a code block");
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folder: Option<String> = None;
    for line in block.split_once("\nsrc/").unwrap().1.lines().skip(1) {
        let depth = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        if depth == 0 {
            break;
        }
        if depth <= 2 {
            folder = first.strip_suffix('/').map(str::to_owned);
            let name = first.trim_end_matches('/').trim_end_matches(".rs").to_owned();
            out.insert(name, BTreeSet::new());
        } else if let Some(folder) = &folder {
            // A folder has a line of its own, which says what is in it.
            let words = match first.strip_suffix('/') {
                Some(inner) => vec![inner],
                None => words,
            };
            out.get_mut(folder).unwrap().extend(words.iter().map(|w| (*w).to_owned()));
        }
    }
    out
}

fn modules(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    out.insert("lib".to_owned(), BTreeSet::new());
    for source in sources.iter().filter(|s| !s.is_test()) {
        match source.module.as_slice() {
            [] => {}
            [top] => drop(out.entry(top.clone()).or_default()),
            [top, file, ..] => drop(out.entry(top.clone()).or_default().insert(file.clone())),
        }
    }
    out
}

#[test]
fn every_module_is_in_the_map_and_the_map_names_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md");
    let (drawn, real) = (map(&fs::read_to_string(path).unwrap()), modules(&sources()));
    let mut complaints = Vec::new();
    for (name, files) in &real {
        let Some(on_map) = drawn.get(name) else {
            complaints.push(format!("add a line `  {name}{}  WHAT IT IS`", ending(files)));
            continue;
        };
        for file in files.difference(on_map) {
            complaints.push(format!("add the word `{file}` under `  {name}/`"));
        }
    }
    for (name, files) in &drawn {
        let Some(there) = real.get(name) else {
            complaints.push(format!("take out the line `  {name}{}`", ending(files)));
            continue;
        };
        for file in files.difference(there) {
            complaints.push(format!("take out the word `{file}` under `  {name}/`"));
        }
    }
    let complaints = complaints.join("\n");
    assert!(complaints.is_empty(), "in the map of CONTRIBUTING.md, below `src/`:\n{complaints}\n");
}

/// Returns the end of a line of the map: a module without files of its own is a file.
fn ending(files: &BTreeSet<String>) -> &'static str {
    if files.is_empty() { ".rs" } else { "/" }
}

#[test]
fn modules_know_only_what_is_below_them() {
    hold(imports);
}

#[test]
fn only_io_and_tls_name_std_and_each_foreign_crate_has_its_place() {
    hold(foreign_crates);
    let lib = sources().into_iter().find(|s| s.path == "lib.rs").unwrap();
    assert!(
        (0..lib.tokens.len()).any(|i| spells(&lib.tokens, i, &["#", "!", "[", "no_std", "]"])),
        "lib.rs is not #![no_std]"
    );
}

#[test]
fn only_service_rs_compares_a_service() {
    hold(compared_services);
}

#[test]
fn only_sequence_rs_decides_that_a_command_is_out_of_order() {
    hold(sequence_elsewhere);
}

#[test]
fn only_replies_rs_holds_the_servers_english() {
    hold(english_elsewhere);
}

fn sources_without_tests() -> Vec<Source> {
    sources().into_iter().filter(|source| !source.is_test()).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let complaints = circles(&sources_without_tests());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_inherent_methods_of_a_type_stand_in_one_file_or_its_session_folder() {
    let complaints = spread(&sources_without_tests());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_file_is_over_800_lines_its_tests_aside() {
    hold(too_long);
    let complaints: Vec<String> = sources_in("examples").iter().flat_map(too_long).collect();
    assert!(complaints.is_empty(), "\nin examples/:\n{}\n", complaints.join("\n"));
}

// ------------------------------------------------------------------------------- the reader's own tests

fn complaints(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&Source::new(path, text)).len()
}

#[test]
fn comments_literals_and_tests_do_not_count() {
    for quiet in [
        "// use crate::client::Client;",
        "/* use crate::client::X; /* crate::io::Y */ crate::client::Z */ fn f() {}",
        "/// [`Client`](crate::client::Client)\nfn f() {}",
        "const A: &str = \"crate::client::X\";",
        "const A: &str = r#\"a \" crate::client::X\"#;",
        "const A: &[u8] = b\"\\\" crate::client::X\";",
        "#[cfg(test)]\nmod tests { use crate::client::X; fn f() { if a { b } } }",
        "#[cfg(test)]\n#[allow(x)]\nuse crate::client::X;\nfn f() {}",
        "fn f<'a>(a: &'a str) -> char { '\"' } // crate::client::X",
    ] {
        assert_eq!(complaints(imports, "server/state.rs", quiet), 0, "{quiet}");
    }
    for loud in [
        "use crate::client::Client;",
        "fn f() { let x = '\"'; crate::client::g(); let y = '\"'; }",
        "fn f() { let x = \"\\\\\"; crate::client::g(); }",
        "/* a */ use /* b */ crate::client::Client;",
        "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::client::X;",
        "#[cfg(not(test))]\nuse crate::client::X;",
        "/* /* */ crate::server::x */ use crate::client::X;",
    ] {
        assert_eq!(complaints(imports, "server/state.rs", loud), 1, "{loud}");
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    for (path, text, expected) in [
        ("syntax/path.rs", "use super::grammar; use crate::syntax::host::Host;", 0),
        ("syntax/path.rs", "use super::super::wire::Cut;", 1),
        ("syntax/mod.rs", "use super::machine::Need;", 1),
        (
            "syntax/mod.rs",
            "mod inner { use super::path::Path; use super::super::time::Instant; }",
            1,
        ),
        ("wire/dot.rs", "use crate::{wire::line, syntax::{Code, Reply as R}};", 2),
        ("wire/dot.rs", "use {core::fmt, crate::syntax::Code};", 1),
        ("sasl/plain.rs", "fn f(c: crate::syntax::Code) {}", 1),
        ("server/state.rs", "use crate::{machine::Need, syntax::Reply, wire::{dot, line}};", 0),
        ("server/state.rs", "use crate::io::blocking as b;", 1),
        ("server/state.rs", "use crate::tls;", 1),
        ("client/state.rs", "impl From<crate::server::Server> for A {}", 1),
        ("client/state.rs", "pub(crate) use self::queue::Queue; use crate::sasl::Plain;", 0),
        ("machine.rs", "use crate::server::Server;", 1),
        ("machine.rs", "use crate::time::Instant;", 0),
        ("tls.rs", "use crate::{server::Server, client::Client};", 0),
        ("tls.rs", "use crate::io::tokio;", 1),
        ("io/tokio.rs", "use crate::{server, client, tls, machine::*};", 0),
    ] {
        assert_eq!(complaints(imports, path, text), expected, "{path}: {text}");
    }
}

#[test]
fn foreign_crates_are_found() {
    for (path, text, expected) in [
        ("lib.rs", "#[cfg(feature = \"std\")] extern crate std; extern crate alloc;", 0),
        ("lib.rs", "use std::fmt;", 1),
        ("time.rs", "extern crate std;", 1),
        ("time.rs", "fn f() -> std::time::Duration {}", 1),
        ("time.rs", "fn f(a: core::time::Duration) { a.std(); }", 0),
        ("server/state.rs", "use ::std::fmt;", 1),
        ("io/blocking.rs", "use std::io::Read;", 0),
        ("io/blocking.rs", "use rustls::Connection;", 1),
        ("io/mod.rs", "#[cfg(feature = \"tokio\")] pub mod tokio;", 0),
        ("tls/rustls/engine.rs", "use ::rustls::ServerConnection; use std::sync::Arc;", 0),
        ("tls/layer.rs", "use std::sync::Arc; use ::rustls::ServerConnection;", 1),
        ("tls/layer.rs", "use super::rustls::engine::Engine;", 0),
        ("tls.rs", "use tokio::net::TcpStream;", 1),
        ("security.rs", "pub fn f(c: &rustls::CommonState) {}", 1),
    ] {
        assert_eq!(complaints(foreign_crates, path, text), expected, "{path}: {text}");
    }
}

#[test]
fn a_service_that_is_passed_on_is_no_comparison() {
    for (text, expected) in [
        ("Config { service: Service::Smtp }", 0),
        ("let s = Service::Lmtp;", 0),
        ("fn f() -> Service { Service::Lmtp }", 0),
        ("let c = Config::new(Service::Lmtp, 1).with(2);", 0),
        ("match parse(x) { \"lmtp\" => Service::Lmtp, _ => Service::Smtp }", 0),
        ("matches!(x, Some(y) if z) || g(Service::Smtp)", 0),
        ("match service { Service::Lmtp => a, _ => b }", 1),
        ("match service { Service::Smtp | Service::Submission => a, _ => b }", 2),
        ("match (service, x) { (Service::Smtp, true) => a, _ => b }", 1),
        ("match x { Some(crate::service::Service::Smtp) => a, _ => b }", 1),
        ("if service == Service::Lmtp {}", 2),
        ("if Service::Lmtp != self.service {}", 1),
        ("if let Service::Lmtp = s {}", 1),
        ("if matches!(s, Service::Lmtp) {}", 1),
        ("if matches!(s, Service::Smtp | Service::Lmtp) {}", 2),
        ("if self.config.service() == other {}", 1),
        ("use crate::service::Service::*;", 1),
        ("if s == &Service::Lmtp {}", 1),
    ] {
        assert_eq!(complaints(compared_services, "server/state.rs", text), expected, "{text}");
        assert_eq!(complaints(compared_services, "service.rs", text), 0, "{text}");
    }
}

#[test]
fn order_and_english_are_found_outside_their_files() {
    assert_eq!(complaints(sequence_elsewhere, "server/state.rs", "replies::bad_sequence()"), 1);
    assert_eq!(complaints(sequence_elsewhere, "server/state.rs", "Code::BAD_SEQUENCE"), 1);
    assert_eq!(complaints(sequence_elsewhere, "server/state.rs", "Code::new(503)"), 1);
    assert_eq!(complaints(sequence_elsewhere, "server/state.rs", "Err(Misplaced::MailFirst)"), 1);
    assert_eq!(
        complaints(sequence_elsewhere, "server/state.rs", "if let Err(it) = permit() {}"),
        0
    );
    assert_eq!(complaints(sequence_elsewhere, "server/state.rs", "// 503\nCode::new(502)"), 0);
    assert_eq!(complaints(sequence_elsewhere, "server/sequence.rs", "BAD_SEQUENCE"), 0);
    assert_eq!(complaints(sequence_elsewhere, "syntax/code.rs", "BAD_SEQUENCE"), 0);

    assert_eq!(complaints(english_elsewhere, "server/state.rs", "f(\"Bad sequence\")"), 1);
    assert_eq!(complaints(english_elsewhere, "server/state.rs", "f(b\"two words\", r\"a b\")"), 2);
    assert_eq!(complaints(english_elsewhere, "server/state.rs", "f(\"ESMTP\", ' ', \" \")"), 0);
    assert_eq!(complaints(english_elsewhere, "server/auth.rs", "#[error(\"a b\")] struct E;"), 0);
    assert_eq!(complaints(english_elsewhere, "server/state.rs", "/// \"a b\"\nfn f() {}"), 0);
    assert_eq!(complaints(english_elsewhere, "server/replies.rs", "f(\"a b\")"), 0);
    assert_eq!(complaints(english_elsewhere, "client/error.rs", "f(\"a b\")"), 0);
}

#[test]
fn only_lines_outside_tests_count() {
    let body = "fn f() {}\n".repeat(800);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(800));
    assert_eq!(complaints(too_long, "server/state.rs", &format!("{body}{tests}")), 0);
    assert_eq!(complaints(too_long, "server/state.rs", &format!("{body}\n{tests}")), 1);
}

#[test]
fn a_map_is_read() {
    let text = "# Map\n\n```text\nbenches/  x\nsrc/\n  lib.rs  the docs\n  wire/  HOW\n    dot line\n    chunk/  IN PARTS\n  io/\n    tokio\n```\nmore\n";
    let map = map(text);
    assert_eq!(map.keys().map(String::as_str).collect::<Vec<_>>(), ["io", "lib", "wire"]);
    assert_eq!(map["wire"].len(), 3);
    assert!(map["io"].contains("tokio"));
}

fn files(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::new(path, text)).collect()
}

#[test]
fn circles_are_found_through_reexports_and_aliases() {
    let root = ("a/mod.rs", "mod b; mod c; pub use b::B; pub use self::c::{C, f as g};");
    for (b, c, expected) in [
        ("use super::C; pub struct B;", "pub struct C; pub fn f() {}", 0),
        ("use super::C; pub struct B;", "use crate::a::B; pub struct C;", 1),
        ("use super::g; pub struct B;", "use super::b; fn f() { b::B; } struct C;", 1),
        ("pub struct B(crate::a::C);", "use super::*; struct C; fn h(_: super::B) {}", 1),
        ("use super::c as other; fn h() { other::C; } struct B;", "use super::B; struct C;", 1),
        ("/// [`C`](super::C)\npub struct B;", "use super::B; pub struct C;", 0),
        ("use super::{c}; pub struct B;", "use super::B; pub struct C;", 0),
        ("pub struct B; impl B { fn c() { super::c::f() } }", "use super::B; fn f() {}", 1),
    ] {
        let sources = files(&[root, ("a/b.rs", b), ("a/c.rs", c)]);
        assert_eq!(circles(&sources).len(), expected, "{b} {c}");
    }
}

#[test]
fn a_session_folder_is_one_node() {
    let one = [
        ("a/mod.rs", "mod session; mod d;"),
        ("a/session/mod.rs", "mod x; use x::X; pub struct S; impl S {}"),
        ("a/session/x.rs", "use super::S; pub struct X; impl S { fn x() {} }"),
        ("a/d.rs", "use super::session::S;"),
    ];
    assert!(circles(&files(&one)).is_empty());
    assert!(spread(&files(&one)).is_empty());
    let mut two = one;
    two[3].1 = "use super::session::S; impl S { fn d() {} } impl Clone for S {}";
    assert_eq!(spread(&files(&two)).len(), 1);
    two[2].1 = "use super::S; pub struct X; fn d() { crate::a::d::y() }";
    two[3].1 = "use super::session::S; pub fn y() {}";
    assert_eq!(circles(&files(&two)).len(), 1);
}
