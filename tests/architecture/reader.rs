//! Reads a source file: its tokens without comments and tests, and the paths that it names.

/// A piece of Rust source: an identifier, a number, `::`, a two-character operator, or one
/// character; or a string literal with its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    Sign(&'static str),
    Text(String),
    Other(char),
}

#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) line: usize,
    pub(crate) token: Token,
}

impl Located {
    pub(crate) fn word(&self) -> Option<&str> {
        if let Token::Word(word) = &self.token { Some(word) } else { None }
    }

    pub(crate) fn is(&self, sign: &str) -> bool {
        match &self.token {
            Token::Sign(s) => *s == sign,
            Token::Other(c) => sign.len() == c.len_utf8() && sign.starts_with(*c),
            Token::Word(w) => w == sign,
            Token::Text(_) => false,
        }
    }
}

/// Returns the tokens of `source` without comments. Doc comments are comments.
fn tokens(source: &str) -> Vec<Located> {
    const SIGNS: [&str; 8] = ["::", "=>", "==", "!=", "->", "..", "&&", "||"];
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut line, mut out) = (0, 1, Vec::new());
    while i < chars.len() {
        let (start, first_line) = (i, line);
        let c = at(i);
        if c == '\n' {
            line += 1;
            i += 1;
        } else if c.is_whitespace() {
            i += 1;
        } else if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                if at(i) == '/' && at(i + 1) == '*' {
                    depth += 1;
                    i += 2;
                } else if at(i) == '*' && at(i + 1) == '/' {
                    depth -= 1;
                    i += 2;
                } else {
                    line += usize::from(at(i) == '\n');
                    i += 1;
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some((prefix, hashes)) = raw_string(&chars, i) {
            let end: String = format!("\"{}", "#".repeat(hashes));
            let body = i + prefix + hashes + 1;
            let mut j = body;
            while j < chars.len() && !end.chars().enumerate().all(|(k, e)| at(j + k) == e) {
                line += usize::from(at(j) == '\n');
                j += 1;
            }
            let text = chars[body.min(j)..j].iter().collect();
            out.push(Located { line: first_line, token: Token::Text(text) });
            i = j + end.len();
        } else if c == '"' || (matches!(c, 'b' | 'c') && at(i + 1) == '"') {
            i += if c == '"' { 1 } else { 2 };
            let body = i;
            while i < chars.len() && at(i) != '"' {
                line += usize::from(at(i) == '\n');
                i += if at(i) == '\\' {
                    line += usize::from(at(i + 1) == '\n');
                    2
                } else {
                    1
                };
            }
            let text = chars[body.min(chars.len())..i.min(chars.len())].iter().collect();
            out.push(Located { line: first_line, token: Token::Text(text) });
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || (at(i + 2) == '\'' && at(i + 1) != '\'')) {
            // a character; anything else after a quote is a lifetime
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else if c.is_alphanumeric() || c == '_' {
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = chars[start..i].iter().collect();
            out.push(Located { line, token: Token::Word(word) });
        } else if let Some(sign) =
            SIGNS.iter().find(|s| s.chars().enumerate().all(|(k, e)| at(i + k) == e))
        {
            out.push(Located { line, token: Token::Sign(sign) });
            i += 2;
        } else {
            out.push(Located { line, token: Token::Other(c) });
            i += 1;
        }
    }
    out
}

/// Returns the length of the prefix (`r`, `br`, `cr`) and the number of hashes, when a raw string begins here.
fn raw_string(chars: &[char], i: usize) -> Option<(usize, usize)> {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let before = i.checked_sub(1).map_or(' ', at);
    if before.is_alphanumeric() || before == '_' {
        return None;
    }
    let prefix = match (at(i), at(i + 1)) {
        ('r', _) => 1,
        ('b' | 'c', 'r') => 2,
        _ => return None,
    };
    let hashes = chars[i + prefix..].iter().take_while(|c| **c == '#').count();
    (at(i + prefix + hashes) == '"').then_some((prefix, hashes))
}

/// Returns the index after the bracket that closes the one at `open`.
pub(crate) fn behind_group(tokens: &[Located], open: usize) -> usize {
    let mut depth = 0usize;
    for (i, t) in tokens.iter().enumerate().skip(open) {
        if ["(", "[", "{"].iter().any(|s| t.is(s)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|s| t.is(s)) {
            depth -= 1;
            if depth == 0 {
                return i + 1;
            }
        }
    }
    tokens.len()
}

pub(crate) fn spells(tokens: &[Located], at: usize, signs: &[&str]) -> bool {
    signs.iter().enumerate().all(|(k, s)| tokens.get(at + k).is_some_and(|t| t.is(s)))
}

/// Takes out every item under `#[cfg(test)]` (or `#[cfg(all(test, …))]`), and tells how many
/// lines it had.
fn without_tests(tokens: Vec<Located>) -> (Vec<Located>, usize) {
    let (mut out, mut lines, mut i) = (Vec::new(), 0, 0);
    while i < tokens.len() {
        let is_test = spells(&tokens, i, &["#", "[", "cfg", "(", "test", ")"])
            || spells(&tokens, i, &["#", "[", "cfg", "(", "all", "(", "test"]);
        if !is_test {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let first = tokens[i].line;
        while spells(&tokens, i, &["#", "["]) {
            i = behind_group(&tokens, i + 1);
        }
        while i < tokens.len() && !tokens[i].is(";") && !tokens[i].is("{") {
            let opens = tokens[i].is("(") || tokens[i].is("[");
            i = if opens { behind_group(&tokens, i) } else { i + 1 };
        }
        i = if tokens.get(i).is_some_and(|t| t.is("{")) {
            behind_group(&tokens, i)
        } else {
            (i + 1).min(tokens.len())
        };
        let last = i.checked_sub(1).map_or(first, |i| tokens[i].line);
        lines += last - first + 1;
    }
    (out, lines)
}

/// Takes out attributes, inner and outer.
pub(crate) fn without_attributes(tokens: &[Located]) -> Vec<Located> {
    let (mut out, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if spells(tokens, i, &["#", "["]) {
            i = behind_group(tokens, i + 1);
        } else if spells(tokens, i, &["#", "!", "["]) {
            i = behind_group(tokens, i + 2);
        } else {
            out.push(tokens[i].clone());
            i += 1;
        }
    }
    out
}

/// A name as it stands in a file.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// The module in which it stands.
    pub(crate) module: Vec<String>,
    /// The path, which begins with `crate` if the file says so, or with `self` or `super`.
    pub(crate) path: Vec<String>,
    /// The name by which the module knows it afterwards.
    pub(crate) alias: String,
    /// Whether `use` brings it in, and whether that is public.
    pub(crate) is_use: bool,
    pub(crate) is_public: bool,
}

/// One file of `src/`.
pub(crate) struct Source {
    /// Below `src/`, with `/`.
    pub(crate) path: String,
    /// `["server", "state"]`.
    pub(crate) module: Vec<String>,
    pub(crate) tokens: Vec<Located>,
    /// Without its tests.
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut module: Vec<String> =
            path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let (tokens, test_lines) = without_tests(tokens(text));
        let lines = text.lines().count() - test_lines;
        Self { path: path.to_owned(), module, tokens, lines }
    }

    /// Returns the module of the crate that this file is, or lies in; empty for `lib.rs`.
    pub(crate) fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// Returns whether the whole file is tests: `tests.rs`, or below a folder `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|m| m == "tests")
    }

    /// Returns every path that begins with `crate`, `self` or `super`, made absolute, with its line.
    pub(crate) fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut out = Vec::new();
        let mut inline: Vec<(String, usize)> = Vec::new(); // modules in braces, and where they end
        let t = &self.tokens;
        let mut i = 0;
        while i < t.len() {
            inline.retain(|(_, end)| i < *end);
            if t[i].is("mod") && t.get(i + 2).is_some_and(|x| x.is("{")) {
                let name = t[i + 1].word().unwrap_or_default().to_owned();
                inline.push((name, behind_group(t, i + 2)));
            }
            let starts = ["crate", "self", "super"].iter().any(|w| t[i].is(w))
                && t.get(i + 1).is_some_and(|x| x.is("::"))
                && !(i > 0 && t[i - 1].is("::"));
            let grouped = i > 1 && t[i - 1].is("{") && t[i - 2].is("use");
            if starts || (grouped && t[i].is("crate")) {
                let mut here = self.module.clone();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                i = tree(t, i, &here, &[], &mut out);
            } else {
                i += 1;
            }
        }
        out
    }
}

/// Reads a path or use tree at `i`; pushes its absolute leaves; returns the index after it.
fn tree(
    t: &[Located],
    mut i: usize,
    here: &[String],
    prefix: &[String],
    out: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut is_absolute = !prefix.is_empty();
    let line = t.get(i).map_or(0, |x| x.line);
    while let Some(token) = t.get(i) {
        if token.is("{") {
            let end = behind_group(t, i);
            i += 1;
            while i + 1 < end {
                i = if t[i].is(",") { i + 1 } else { tree(t, i, here, &path, out).max(i + 1) };
            }
            return end;
        }
        match token.word() {
            Some("crate") => path = vec!["crate".to_owned()],
            Some("self") if !is_absolute => {
                path = ["crate".to_owned()].into_iter().chain(here.iter().cloned()).collect();
            }
            Some("super") => {
                if !is_absolute {
                    path = ["crate".to_owned()].into_iter().chain(here.iter().cloned()).collect();
                }
                if path.len() > 1 {
                    path.pop();
                }
            }
            Some(word) => path.push(word.to_owned()),
            None => {
                path.push("*".to_owned());
            }
        }
        is_absolute = true;
        i += 1;
        if !t.get(i).is_some_and(|x| x.is("::")) {
            break;
        }
        i += 1;
        if t.get(i).is_some_and(|x| x.is("<")) {
            break;
        }
    }
    if spells(t, i, &["as"]) {
        i += 2;
    }
    out.push((line, path));
    i
}
