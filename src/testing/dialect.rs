//! The dialect of scripts: one parser for conversations of either side.

use crate::{machine::Closed, transcript::Side};
use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Octets of a side.
    Octets { from: Side, octets: Octets },
    /// A side closes its direction, or the connection is lost.
    Closed { from: Side, how: Closed },
    /// Writing fails from here on.
    Broken { from: Side },
    /// Time passes.
    Passes(Duration),
    /// The TLS handshake succeeds, or fails.
    Handshake { succeeds: bool },
    /// The side under test is told to end.
    ShutDown,
}

/// Octets that a side sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Octets {
    /// Exactly these.
    Exact(Vec<u8>),
    /// A line that begins with these and goes on in any way.
    LineBeginning(Vec<u8>),
    /// A reply with this code, of any number of lines.
    ReplyWith(Vec<u8>),
}

/// The extent to which octets that were received agree with expected ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// They agree, up to this octet.
    Whole(usize),
    /// They agree, and more must come.
    Partial,
    /// They differ.
    No,
}

/// The end of an expected line that stands for any text.
const ANY_TEXT: &str = " ...";

impl Octets {
    fn line(text: &str) -> Self {
        let beginning = text.strip_suffix("...").filter(|_| text.ends_with(ANY_TEXT));
        match beginning {
            None => Self::Exact(format!("{text}\r\n").into_bytes()),
            Some(beginning) => match beginning.trim_end().as_bytes() {
                code if code.len() == 3 && code.iter().all(u8::is_ascii_digit) => {
                    Self::ReplyWith(code.to_vec())
                }
                _ => Self::LineBeginning(beginning.into()),
            },
        }
    }

    /// Returns the octets that a peer sends: text that stands for any text is sent as it is.
    pub(super) fn as_sent(&self) -> Vec<u8> {
        match self {
            Self::Exact(octets) => octets.clone(),
            Self::LineBeginning(octets) => [octets, &b"...\r\n"[..]].concat(),
            Self::ReplyWith(code) => [code, &b" ...\r\n"[..]].concat(),
        }
    }

    /// Compares octets that were received with these.
    pub(super) fn agree_with(&self, received: &[u8]) -> Agreement {
        match self {
            Self::Exact(octets) => match begin(received, octets) {
                Agreement::Whole(_) => Agreement::Whole(octets.len()),
                other => other,
            },
            Self::LineBeginning(octets) => match begin(received, octets) {
                Agreement::Whole(_) => {
                    line_end(received, 0).map_or(Agreement::Partial, Agreement::Whole)
                }
                other => other,
            },
            Self::ReplyWith(code) => {
                let mut start = 0;
                loop {
                    let rest = received.get(start..).unwrap_or_default();
                    match begin(rest, code) {
                        Agreement::Whole(_) => {}
                        other => return other,
                    }
                    let Some(end) = line_end(received, start) else { return Agreement::Partial };
                    start = end;
                    if rest.get(code.len()) != Some(&b'-') {
                        return Agreement::Whole(end);
                    }
                }
            }
        }
    }
}

/// Compares the front of `received` with `expected`.
fn begin(received: &[u8], expected: &[u8]) -> Agreement {
    if received.starts_with(expected) {
        Agreement::Whole(expected.len())
    } else if expected.starts_with(received) {
        Agreement::Partial
    } else {
        Agreement::No
    }
}

/// Returns where the line that begins at `start` ends, CRLF included.
fn line_end(octets: &[u8], start: usize) -> Option<usize> {
    let rest = octets.get(start..)?;
    rest.windows(2)
        .position(|pair| pair == b"\r\n")
        .map(|at| start.saturating_add(at).saturating_add(2))
}

/// A line that is not of the dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script, {text:?}: {reason}")]
pub struct ScriptError {
    line: usize,
    text: String,
    reason: &'static str,
}

impl ScriptError {
    /// Returns the number of the line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

/// Reads a script: each step with its line.
pub(super) fn parse(text: &str) -> Result<Vec<(Step, String)>, ScriptError> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = step(line).map_err(|reason| ScriptError {
            line: index.saturating_add(1),
            text: line.to_owned(),
            reason,
        })?;
        steps.push((step, line.to_string()));
    }
    Ok(steps)
}

fn step(line: &str) -> Result<Step, &'static str> {
    const KINDS: &str = "a line begins with `C:`, `S:`, `C|`, `S|`, `(` or `#`";
    if line.starts_with('(') {
        return note(line.trim_end());
    }
    let from = match line.as_bytes().first() {
        Some(b'C') => Side::Client,
        Some(b'S') => Side::Server,
        _ => return Err(KINDS),
    };
    let rest = line.get(1..).unwrap_or_default();
    if let Some(text) = rest.strip_prefix(':') {
        let text = text.strip_prefix(' ').unwrap_or(text);
        if text.starts_with('(') {
            return event(from, text.trim_end());
        }
        Ok(Step::Octets { from, octets: Octets::line(text) })
    } else if let Some(text) = rest.strip_prefix('|') {
        let octets = unescape(text.strip_prefix(' ').unwrap_or(text)).ok_or(
            "after `|` only the escapes \\r \\n \\t \\0 \\\\ \\\" \\' and \\xNN are known",
        )?;
        Ok(Step::Octets { from, octets: Octets::Exact(octets) })
    } else {
        Err(KINDS)
    }
}

/// Reads what happens to a side.
fn event(from: Side, text: &str) -> Result<Step, &'static str> {
    match text {
        "(closed)" => Ok(Step::Closed { from, how: Closed::Clean }),
        "(cut off)" => Ok(Step::Closed { from, how: Closed::CutOff }),
        "(broken)" => Ok(Step::Broken { from }),
        _ => Err("a side can be `(closed)`, `(cut off)` or `(broken)`; a line that begins with a \
                  parenthesis is written after `C|` or `S|`"),
    }
}

/// Reads what happens between the sides.
fn note(text: &str) -> Result<Step, &'static str> {
    match text {
        "(secured)" => return Ok(Step::Handshake { succeeds: true }),
        "(not secured)" => return Ok(Step::Handshake { succeeds: false }),
        "(shut down)" => return Ok(Step::ShutDown),
        _ => {}
    }
    let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or_default();
    let time = match inside.split_once(' ') {
        Some((number, "s")) => number.parse().ok().map(Duration::from_secs),
        Some((number, "ms")) => number.parse().ok().map(Duration::from_millis),
        _ => None,
    };
    time.map(Step::Passes).ok_or(
        "a line in parentheses is a time such as `(300 s)` or `(20 ms)`, `(secured)`, \
         `(not secured)` or `(shut down)`",
    )
}

/// Returns the octets of a text with the escapes of a Rust literal.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next()? {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                quoted @ (b'\\' | b'"' | b'\'') => quoted,
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                _ => return None,
            },
            octet => octet,
        });
    }
    Some(octets)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn one(line: &str) -> Step {
        parse(line).unwrap().remove(0).0
    }

    fn exact(line: &str) -> Vec<u8> {
        match one(line) {
            Step::Octets { octets: Octets::Exact(octets), .. } => octets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_line_is_read() {
        assert_eq!(exact("S: 220 mx "), b"220 mx \r\n");
        assert_eq!(exact("   C:"), b"\r\n");
        assert_eq!(exact("C: ."), b".\r\n");
        assert_eq!(exact(r"C| a\r\n\x00\\"), b"a\r\n\0\\");
        assert_eq!(one("(300 s)"), Step::Passes(Duration::from_secs(300)));
        assert_eq!(one("(20 ms)"), Step::Passes(Duration::from_millis(20)));
        assert_eq!(one("C: (closed)"), Step::Closed { from: Side::Client, how: Closed::Clean });
        assert_eq!(one("S: (cut off)"), Step::Closed { from: Side::Server, how: Closed::CutOff });
        assert_eq!(one("C: (broken)"), Step::Broken { from: Side::Client });
        assert_eq!(one("(secured)"), Step::Handshake { succeeds: true });
        assert_eq!(one("(shut down)"), Step::ShutDown);
        assert!(parse("\n  # a comment\n\n").unwrap().is_empty());
    }

    #[test]
    fn a_line_of_another_dialect_is_named() {
        for (text, line) in [
            ("S: 220 mx\nT: 300", 2),
            ("X: no side", 1),
            ("C no colon", 1),
            ("C: (vanished)", 1),
            ("(later)", 1),
            ("(x s)", 1),
            (r"C| \q", 1),
            (r"C| \x0", 1),
            (r"C| \", 1),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line(), line, "{text}");
            assert!(
                error.to_string().starts_with(&format!("line {line} of the script")),
                "{error}"
            );
        }
    }

    #[test]
    fn three_dots_stand_for_any_text() {
        let octets = |line| match one(line) {
            Step::Octets { octets, .. } => octets,
            other => panic!("{other:?}"),
        };
        let reply = octets("S: 250 ...");
        assert_eq!(reply.agree_with(b"250 a\r\n354"), Agreement::Whole(7));
        assert_eq!(reply.agree_with(b"250-a\r\n250 b\r\n354"), Agreement::Whole(14));
        assert_eq!(reply.agree_with(b"250-a\r\n25"), Agreement::Partial);
        assert_eq!(reply.agree_with(b"250-a\r\n251 b\r\n"), Agreement::No);
        let line = octets("C: EHLO ...");
        assert_eq!(line.agree_with(b"EHLO me\r\nMAIL"), Agreement::Whole(9));
        assert_eq!(line.agree_with(b"EHL"), Agreement::Partial);
        assert_eq!(line.agree_with(b"HELO me\r\n"), Agreement::No);
        assert_eq!(
            octets("C: three dots...").agree_with(b"three dots...\r\n"),
            Agreement::Whole(15)
        );
        assert_eq!(reply.as_sent(), b"250 ...\r\n");
    }
}
