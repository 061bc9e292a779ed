//! What SECURITY.md promises is held by tests that exist.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

use std::{fs, path::Path};

const SECURITY: &str = include_str!("../SECURITY.md");

#[test]
fn every_test_that_a_promise_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (file, name) in SECURITY.split('`').filter_map(|word| word.split_once(".rs::")) {
        let text = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        let is_there = text.contains(&format!("fn {name}("));
        assert!(is_there, "no test {name} in {file}.rs");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn every_promise_names_a_test() {
    let promises = SECURITY.lines().skip_while(|line| *line != "## What is promised");
    let rows = promises
        .take_while(|line| *line != "## What is left to you")
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
    let mut count = 0;
    for row in rows {
        assert!(row.contains(".rs::"), "{row}");
        count += 1;
    }
    assert!(count > 0);
}
