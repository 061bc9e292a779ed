//! The bookkeeping of requirements: `tests/data/requirements.tsv` has a row for each, and a test
//! names in its doc comment those that it proves (`/// 3207-4.2-h`). Each MUST and SHOULD is named by
//! a test, or stands in `tests/data/out_of_scope.tsv` with the reason.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test's assertions
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const TABLE: &str = include_str!("data/requirements.tsv");
const OUT_OF_SCOPE: &str = include_str!("data/out_of_scope.tsv");

/// Returns the rows: id, RFC, section, side, level, requirement, check, how sure it is.
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

/// A doc comment and the lines between it and the item that it belongs to.
struct Documented<'a> {
    comment: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

/// Returns the doc comments of a source text.
fn documented(text: &str) -> Vec<Documented<'_>> {
    let mut all = Vec::new();
    let mut lines = text.lines().map(str::trim_start).peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("///") else { continue };
        let mut comment = vec![first];
        while let Some(next) = lines.peek().and_then(|line| line.strip_prefix("///")) {
            comment.push(next);
            lines.next();
        }
        let mut attributes = Vec::new();
        while let Some(next) = lines.next_if(|line| line.starts_with("#[")) {
            attributes.push(next);
        }
        all.push(Documented { comment, attributes });
    }
    all
}

/// Returns words that look like an id whose first part is one of `sources`.
fn named<'a>(comment: &[&'a str], sources: &BTreeSet<&str>) -> Vec<&'a str> {
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_id = |word: &&str| {
        let mut parts = word.split('-');
        let (first, last) = (parts.next().unwrap_or(""), word.rsplit('-').next().unwrap_or(""));
        sources.contains(first)
            && parts.count() >= 2
            && matches!(last.len(), 1 | 2)
            && last.bytes().all(|octet| octet.is_ascii_lowercase())
    };
    let words = comment.iter().flat_map(|line| line.split(move |c| !is_of_a_word(c)));
    words.map(|word| word.trim_end_matches('.')).filter(is_id).collect()
}

/// Rows that no test can prove here, each with the reason.
fn out_of_scope() -> BTreeMap<&'static str, &'static str> {
    let lines = OUT_OF_SCOPE.lines().skip(1);
    lines.map(|line| line.split_once('\t').unwrap()).collect()
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
    for (id, reason) in out_of_scope() {
        assert!(ids.contains(id), "no row {id}");
        assert!(reason.len() > 40, "{id}: {reason:?} is no reason");
    }
}

#[test]
fn every_row_is_named_by_a_test_or_has_a_reason() {
    let rows = rows();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    let rfcs: BTreeSet<&str> = ids.iter().filter_map(|id| id.split('-').next()).collect();
    let mut proven = BTreeSet::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for item in documented(&text) {
            for id in named(&item.comment, &rfcs) {
                let at = format!("{}: {id}", path.display());
                assert!(ids.contains(id), "{at}: there is no such row");
                assert!(item.attributes.contains(&"#[test]"), "{at} stands at no test");
                assert!(
                    !item.attributes.iter().any(|line| line.starts_with("#[ignore")),
                    "{at} stands at a test that does not run"
                );
                proven.insert(id.to_owned());
            }
        }
    }
    let out_of_scope = out_of_scope();
    let mut counts = BTreeMap::new();
    let mut open = Vec::new();
    for row in &rows {
        let (id, level) = (row[0], row[4]);
        let count: &mut [usize; 3] = counts.entry(level).or_default();
        match (proven.contains(id), out_of_scope.contains_key(id)) {
            (true, false) => count[0] += 1,
            (false, true) => count[1] += 1,
            (true, true) => panic!("{id} is named by a test and has a reason not to be"),
            (false, false) if level != "MAY" => open.push(id),
            (false, false) => {}
        }
        count[2] += 1;
    }
    for (level, [named, excused, all]) in &counts {
        println!("{level}: of {all} rows, tests name {named}, and {excused} have a reason why not");
    }
    assert!(open.is_empty(), "no test names these: {open:?}");
}

#[test]
fn ids_are_told_from_other_words() {
    let rfcs = BTreeSet::from(["3207", "250", "8314"]);
    let text = "/// 3207-4.2-h, 8314-5-a: see 250-mx and RFC 3207.\n/// 3207-4-c.\n#[test]\nfn x() {}\n\
                let x = 3207-4-b;\n/// 3207-Z\nstruct Y;";
    let items = documented(text);
    assert_eq!(named(&items[0].comment, &rfcs), ["3207-4.2-h", "8314-5-a", "3207-4-c"]);
    assert_eq!(items[0].attributes, ["#[test]"]);
    assert!(named(&items[1].comment, &rfcs).is_empty() && items[1].attributes.is_empty());
}
