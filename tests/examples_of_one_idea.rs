//! The examples of one idea each: short, listed in the manifest, and each runs to its end by itself.

#![cfg(all(target_os = "linux", feature = "getrandom", feature = "ring", feature = "scram"))]
#![cfg(all(feature = "testing", feature = "tokio", feature = "tracing"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test has std, and says what went wrong by failing"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// The seconds after which an example has failed to end.
const PATIENCE: &str = "120";

/// The most lines of an example, without blank ones, its first comment and the line about lints.
const MOST_LINES: usize = 60;

/// The examples that need no argument and end.
const RUN: &[&str] = &[
    "auth_server",
    "cut_through",
    "lmtp",
    "many_in_flight",
    "mx_fallback",
    "policy",
    "poll_loop",
    "pool",
    "shutdown",
    "socks",
    "submit",
    "submit_from_url",
    "thousand_recipients",
    "transcript_test",
];

/// The examples that are more than one idea: they have tests of their own, as has the one that waits.
const OTHERS: &[&str] = &["send", "server", "tour"];

/// The example of one idea that waits for clients.
const WAITS: &str = "receive";

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    fs::read_to_string(path.with_extension("rs")).unwrap()
}

#[test]
fn every_example_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut files: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    files.sort();
    let mut listed = [RUN, OTHERS, &[WAITS]].concat();
    listed.sort_unstable();
    assert_eq!(files, listed);
}

#[test]
fn each_is_short_and_begins_with_the_idea_and_the_command() {
    for name in RUN.iter().chain([&WAITS]) {
        let source = source(name);
        let header: Vec<_> = source.lines().take_while(|line| line.starts_with("//!")).collect();
        let command = format!("--example {name}`");
        assert!(header.join(" ").contains(&command), "{name} does not say how to run it");
        let lines = source.lines().skip(header.len());
        let lines = lines.filter(|line| !line.trim().is_empty() && !line.starts_with("#![allow("));
        let lines = lines.count();
        assert!(lines <= MOST_LINES, "{name} has {lines} lines");
    }
}

#[test]
fn each_runs_to_its_end() {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.ancestors().nth(2).unwrap().join("examples");
    for name in RUN {
        let built = examples.join(name);
        assert!(built.exists(), "cargo build --all-features --examples comes first: {built:?}");
        let run = Command::new("timeout").arg(PATIENCE).arg(built).stdin(Stdio::null()).output();
        let output = run.unwrap();
        let [said, complained] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{name}: {}\n{said}{complained}", output.status);
        assert!(!said.is_empty(), "{name} shows nothing");
    }
}
