//! The bookkeeping of requirements: `tests/data/requirements.tsv` has a row for each, and a test
//! names in its doc comment those that it proves (`/// 3207-4.2-h`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const TABLE: &str = include_str!("data/requirements.tsv");

/// A row: id, RFC, section, side, level, requirement, check, how sure it is.
fn rows() -> Vec<Vec<&'static str>> {
    let rows: Vec<Vec<&str>> = TABLE.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0][..5], ["id", "rfc", "section", "side", "level"]);
    rows[1..].to_vec()
}

fn sources() -> Vec<PathBuf> {
    fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(&root.join("src"), &mut sources);
    collect(&root.join("tests"), &mut sources);
    sources
}

/// Words of doc comments that look like an id whose first part is one of `sources`.
fn named<'a>(text: &'a str, sources: &BTreeSet<&str>) -> Vec<&'a str> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    lines
        .flat_map(|line| line.split(move |c| !is_of_a_word(c)))
        .filter(|word| {
            let mut parts = word.split('-');
            let (first, last) = (parts.next().unwrap_or(""), word.rsplit('-').next().unwrap_or(""));
            sources.contains(first)
                && parts.count() == 2
                && matches!(last.len(), 1 | 2)
                && last.bytes().all(|octet| octet.is_ascii_lowercase())
        })
        .collect()
}

#[test]
fn rows_are_whole_and_ids_are_unique() {
    let mut ids = BTreeSet::new();
    for row in rows() {
        assert_eq!(row.len(), 8, "{row:?}");
        assert!(ids.insert(row[0]), "{} twice", row[0]);
        assert!(["MUST", "SHOULD", "MAY"].contains(&row[4]), "{row:?}");
        assert!(["text", "known"].contains(&row[7]), "{row:?}");
    }
}

#[test]
fn every_id_that_a_test_names_is_in_the_table() {
    let rows = rows();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    let rfcs: BTreeSet<&str> = ids.iter().filter_map(|id| id.split('-').next()).collect();
    let mut proven = BTreeSet::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for id in named(&text, &rfcs) {
            assert!(ids.contains(id), "{}: no row {id}", path.display());
            proven.insert(id.to_owned());
        }
    }
    let mut counts = BTreeMap::new();
    for row in &rows {
        let count = counts.entry(row[4]).or_insert((0, 0));
        count.0 += usize::from(proven.contains(row[0]));
        count.1 += 1;
    }
    for (level, (named, all)) in &counts {
        println!("{level}: {named} of {all} rows are named by a test");
    }
    assert!(!proven.is_empty());
}

#[test]
fn ids_are_told_from_other_words() {
    let rfcs = BTreeSet::from(["3207", "250", "8314"]);
    let text = "/// 3207-4.2-h, 8314-5-a: see 250-mx and RFC 3207\nlet x = 3207-4-b;\n/// 3207-Z";
    assert_eq!(named(text, &rfcs), ["3207-4.2-h", "8314-5-a"]);
}
