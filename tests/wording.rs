//! The rules of plain technical English in `CONTRIBUTING.md`, held for doc comments, comments, replies, test names and
//! the documents. Each rule is a function from text to complaints, and is itself tested with text that breaks it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test has std, and says what went wrong by failing"
)]

use std::{fs, path::Path};

/// Words that stand for a thing of the trade, or for a person where client, server, peer, caller or application is
/// meant, and the reason beside each.
const WORDS: [(&str, &str); 9] = [
    ("behind", "say `after` for time and order"),
    ("nobody", "name the client, server, peer, caller or application"),
    ("somebody", "name the client, server, peer, caller or application"),
    ("whoever", "name the client, server, peer, caller or application"),
    ("so many", "say `n` or `this many`"),
    ("is none", "say `is not a` or `is invalid`"),
    ("are none", "say `are not` or `are invalid`"),
    ("that is none", "say `invalid`"),
    ("is owed", "say `is due`"),
];

/// The phrases in which the word for a place is right: it says where something stands, not when it comes.
const PLACES: [&str; 7] = [
    "behind a feature",
    "behind features",
    "behind the feature",
    "behind feature",
    "behind a proxy",
    "behind a load balancer",
    "behind a firewall",
];

/// Returns complaints about the words of `WORDS` in one line of prose.
fn words(line: &str) -> Vec<String> {
    let mut prose = line.to_lowercase();
    for place in PLACES {
        prose = prose.replace(place, "");
    }
    let is_word = |text: &str, at: usize, length: usize| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        edge(text[..at].chars().next_back()) && edge(text[at + length..].chars().next())
    };
    WORDS
        .iter()
        .filter(|(word, _)| {
            prose.match_indices(word).any(|(at, found)| is_word(&prose, at, found.len()))
        })
        .map(|(word, remedy)| format!("`{word}`: {remedy}"))
        .collect()
}

/// Returns complaints about the first line of a doc comment, with the item that it belongs to.
fn first_line(doc: &str, item: &str) -> Vec<String> {
    let mut out = Vec::new();
    if doc.starts_with("The same") || doc.starts_with("Same ") {
        out.push("`The same`: each doc stands alone".to_owned());
    }
    if doc.starts_with("What ") || doc.starts_with("Who ") || doc.starts_with("How ") {
        out.push("a noun phrase or a verb, not a question".to_owned());
    }
    if is_function(item) && !begins_with_verb(doc) {
        out.push("a function's doc begins with a verb in the third person".to_owned());
    }
    out
}

/// Returns whether the doc comment at the front belongs to a test.
fn is_test(lines: &[&str]) -> bool {
    lines
        .iter()
        .map(|line| line.trim_start())
        .skip_while(|line| line.starts_with("///"))
        .take_while(|line| line.starts_with("#["))
        .any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

fn is_function(item: &str) -> bool {
    let words = item.split_whitespace().filter(|word| !word.starts_with("pub"));
    let mut words =
        words.skip_while(|word| matches!(*word, "const" | "async" | "unsafe" | "(crate)"));
    words.next() == Some("fn")
}

/// Plural nouns and the like, which only look like a verb in the third person.
const NOUNS: [&str; 24] = [
    "Addresses",
    "Answers",
    "Bytes",
    "Commands",
    "Extensions",
    "Its",
    "Keywords",
    "Lines",
    "Messages",
    "Names",
    "Octets",
    "Others",
    "Ours",
    "Parameters",
    "Parameters'",
    "Recipients",
    "Replies",
    "Seconds",
    "This",
    "Transactions",
    "Words",
    "Yes",
    "Is",
    "Has",
];

fn begins_with_verb(doc: &str) -> bool {
    let first = doc.split([' ', ',', ':', ';', '.']).next().unwrap_or_default();
    first.ends_with('s') && first.starts_with(char::is_uppercase) && !NOUNS.contains(&first)
}

/// Returns the complaints about one Rust source, each with its line.
fn source(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    let mut was_doc = false;
    let mut is_code = false;
    for (index, line) in lines.iter().enumerate() {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let comment = doc.or_else(|| line.split_once("// ").map(|(_, comment)| comment));
        if let Some(doc) = doc
            && doc.trim_start().starts_with("```")
        {
            is_code = !is_code;
        }
        if doc.is_none() {
            is_code = false;
        }
        if let Some(comment) = comment
            && !(is_code && doc.is_some())
        {
            out.extend(words(comment).into_iter().map(|complaint| (index + 1, complaint)));
        }
        if let Some(doc) = line.strip_prefix("///") {
            if !was_doc {
                let item = lines[index..]
                    .iter()
                    .map(|line| line.trim_start())
                    .find(|line| !line.starts_with("//") && !line.starts_with("#["))
                    .unwrap_or_default();
                // A test's doc begins with the requirements that it proves.
                let item = if is_test(&lines[index..]) { "" } else { item };
                let complaints = first_line(doc.trim_start(), item);
                out.extend(complaints.into_iter().map(|complaint| (index + 1, complaint)));
            }
            was_doc = true;
        } else {
            was_doc = false;
        }
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            let name = lines[index + 1..]
                .iter()
                .find_map(|line| line.split_once("fn "))
                .map(|(_, rest)| rest);
            let name = name.and_then(|rest| rest.split('(').next()).unwrap_or_default();
            let complaints = words(&name.replace('_', " "));
            out.extend(complaints.into_iter().map(|complaint| (index + 2, complaint)));
        }
    }
    out
}

/// Returns the complaints about the texts of replies: every string literal of a source.
fn literals(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for literal in line.split('"').skip(1).step_by(2) {
            out.extend(words(literal).into_iter().map(|complaint| (index + 1, complaint)));
        }
    }
    out
}

fn files(folder: &str, extension: &str, out: &mut Vec<(String, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut entries: Vec<_> =
        fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if path.is_dir() {
            let is_foreign = ["target", "rust", "node", "artifacts", "corpus", "__pycache__"]
                .iter()
                .any(|folder| path.ends_with(folder));
            if !is_foreign {
                files(&name, extension, out);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            out.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn held(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "\n{}\n{} complaints\n",
        complaints.join("\n"),
        complaints.len()
    );
}

#[test]
fn sources_are_in_plain_technical_english() {
    let mut sources = Vec::new();
    for folder in ["src", "examples", "tests", "benches", "fuzz"] {
        files(folder, "rs", &mut sources);
    }
    let complaints: Vec<String> = sources
        .iter()
        .flat_map(|(name, text)| {
            source(text).into_iter().map(move |(line, what)| format!("{name}:{line}: {what}"))
        })
        .collect();
    held(&complaints);
}

#[test]
fn replies_are_in_plain_technical_english() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/replies.rs");
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let complaints: Vec<String> = literals(text)
        .into_iter()
        .map(|(line, what)| format!("src/server/replies.rs:{line}: {what}"))
        .collect();
    held(&complaints);
}

#[test]
fn documents_are_in_plain_technical_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    let mut documents = Vec::new();
    for name in ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        documents.push((name.to_owned(), fs::read_to_string(root.join(name)).unwrap()));
    }
    files("src", "md", &mut documents);
    assert!(documents.len() > 4, "the guide has pages");
    for (name, text) in documents {
        // the rules themselves name the words that they forbid
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.contains("never")) {
            complaints.extend(
                words(line).into_iter().map(|what| format!("{name}:{}: {what}", index + 1)),
            );
        }
    }
    held(&complaints);
}

#[test]
fn the_rules_find_what_breaks_them() {
    assert_eq!(words("A command behind another").len(), 1);
    assert_eq!(words("Is behind a feature, or behind a proxy").len(), 0);
    assert_eq!(words("nobody, so many").len(), 2);
    assert_eq!(words("is_nobody_here").len(), 0);
    assert_eq!(first_line("The same with more", "pub struct A;").len(), 1);
    assert_eq!(first_line("What is known", "pub struct A;").len(), 1);
    assert_eq!(first_line("Yes.", "pub fn accept(self) {").len(), 1);
    assert_eq!(first_line("Octets received", "pub const fn octets(&self)").len(), 1);
    assert_eq!(first_line("Returns the octets", "pub const fn octets(&self)").len(), 0);
    assert_eq!(first_line("Octets received", "pub octets: u64,").len(), 0);
    assert_eq!(source("#[test]\nfn mail_behind_rcpt() {}").len(), 1);
    let word = "nobody";
    assert_eq!(source(&format!("/// ```\n/// // {word}\n/// ```\nfn a() {{}}")).len(), 1);
    assert_eq!(source(concat!("let a = 1; //", " so many")).len(), 1);
    assert_eq!(literals("reply(\"Octets behind STARTTLS\")").len(), 1);
}
