//! The graph of files: which file names an item that another file defines.
//!
//! A name counts against the file that defines the item, however often it is re-exported on the way.
//! `mod` lines and re-exports (`pub use`) are no imports. The files of a `session/` folder are one node.

use crate::reader::{Name, Source, spells};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

type Module = Vec<String>;

/// The modules of the crate, their items and the names in them.
pub(crate) struct Graph<'s> {
    sources: &'s [Source],
    /// The file of each module.
    files: BTreeMap<Module, &'s str>,
    /// The items that each module defines, with their file.
    items: BTreeMap<(Module, String), &'s str>,
    /// The names that `use` brings into each module.
    uses: BTreeMap<Module, Vec<Name>>,
}

impl<'s> Graph<'s> {
    pub(crate) fn new(sources: &'s [Source]) -> Self {
        let mut graph =
            Self { sources, files: BTreeMap::new(), items: BTreeMap::new(), uses: BTreeMap::new() };
        for source in sources {
            graph.files.insert(source.module.clone(), &source.path);
            for (module, item) in source.items() {
                graph.files.entry(module.clone()).or_insert(&source.path);
                graph.items.insert((module, item), &source.path);
            }
            for name in source.names().into_iter().filter(|name| name.is_use) {
                graph.uses.entry(name.module.clone()).or_default().push(name);
            }
        }
        graph
    }

    /// Returns the file that defines what a name of a module stands for; `None` for a module and for another crate.
    pub(crate) fn definition(&self, name: &Name) -> Option<&'s str> {
        self.absolute(name, 0).and_then(|path| self.find(&[], &path, 0))
    }

    fn absolute(&self, name: &Name, depth: usize) -> Option<Module> {
        let (first, rest) = name.path.split_first()?;
        if depth > 8 {
            return None;
        }
        if first == "crate" {
            return Some(rest.to_vec());
        }
        let child: Module = name.module.iter().chain([first]).cloned().collect();
        let is_item = self.items.contains_key(&(name.module.clone(), first.clone()));
        if self.files.contains_key(&child) || is_item {
            return Some(name.module.iter().chain(&name.path).cloned().collect());
        }
        let uses = self.uses.get(&name.module)?;
        let brought = uses.iter().find(|it| it.alias == *first && it.path != name.path)?;
        let mut path = self.absolute(brought, depth + 1)?;
        path.extend(rest.iter().cloned());
        Some(path)
    }

    fn find(&self, module: &[String], path: &[String], depth: usize) -> Option<&'s str> {
        let (first, rest) = path.split_first()?;
        if depth > 16 {
            return None;
        }
        let child: Module = module.iter().chain([first]).cloned().collect();
        if self.files.contains_key(&child) {
            return self.find(&child, rest, depth + 1);
        }
        if let Some(file) = self.items.get(&(module.to_vec(), first.clone())) {
            return Some(file);
        }
        let uses = self.uses.get(module).map(Vec::as_slice).unwrap_or_default();
        if let Some(name) = uses.iter().find(|name| name.alias == *first) {
            let mut path = self.absolute(name, 0)?;
            path.extend(rest.iter().cloned());
            return self.find(&[], &path, depth + 1);
        }
        for name in uses.iter().filter(|name| name.alias == "*") {
            let Some(mut target) = self.absolute(name, 0) else { continue };
            target.pop();
            if self.items.contains_key(&(target.clone(), first.clone())) {
                return self.find(&target, path, depth + 1);
            }
        }
        // An item that a macro makes.
        self.files.get(module).copied()
    }

    /// Returns the arrows: each node with the nodes that define what it names.
    pub(crate) fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in self.sources {
            let from = node(&source.path);
            for name in source.names().iter().filter(|name| !(name.is_use && name.is_public)) {
                let Some(to) = self.definition(name).map(node) else { continue };
                if to != from {
                    out.entry(from.clone()).or_default().insert(to);
                }
            }
        }
        out
    }

    /// Returns the circles: nodes that reach each other.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<String>> {
        let arrows = self.arrows();
        let reached: BTreeMap<&String, BTreeSet<&String>> = arrows
            .keys()
            .map(|from| {
                let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
                while let Some(at) = next.pop() {
                    let further = arrows.get(at).into_iter().flatten();
                    next.extend(further.filter(|to| seen.insert(*to)));
                }
                (from, seen)
            })
            .collect();
        let circles: BTreeSet<BTreeSet<String>> = reached
            .iter()
            .filter(|(from, seen)| seen.contains(*from))
            .map(|(from, seen)| {
                seen.iter()
                    .filter(|to| reached.get(*to).is_some_and(|back| back.contains(*from)))
                    .map(|to| (*to).clone())
                    .collect()
            })
            .collect();
        circles.into_iter().collect()
    }

    /// Returns for each type with inherent methods its name and the nodes in which they stand. What a macro
    /// makes stands where the macro is invoked.
    pub(crate) fn methods(&self) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut out: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for source in self.sources {
            for (module, path) in source.inherent_impls() {
                let Some(name) = path.last().cloned() else { continue };
                let named =
                    Name { module, alias: String::new(), path, is_use: false, is_public: false };
                if let Some(file) = self.definition(&named) {
                    out.entry((node(file), name)).or_default().insert(node(&source.path));
                }
            }
        }
        out
    }
}

/// Returns the node of a file: itself, or its `session/` folder.
fn node(path: &str) -> String {
    match path.split_once("/session/") {
        Some((folder, _)) => format!("{folder}/session/"),
        None => path.to_owned(),
    }
}

impl Source {
    /// Returns for each token its module, and whether it stands outside the braces of any item.
    fn walk(&self) -> Vec<(Rc<Module>, bool)> {
        let mut open: Vec<usize> = Vec::new();
        let mut module = self.module.clone();
        let mut depth = 0usize;
        let mut here = Rc::new(module.clone());
        let mut out = Vec::new();
        for (i, token) in self.tokens.iter().enumerate() {
            if token.is("{") {
                depth += 1;
                let is_module = i > 1 && self.tokens[i - 2].is("mod");
                if let (true, Some(name)) =
                    (is_module, i.checked_sub(1).and_then(|at| self.tokens[at].word()))
                {
                    module.push(name.to_owned());
                    here = Rc::new(module.clone());
                    open.push(depth);
                }
            } else if token.is("}") {
                if open.last() == Some(&depth) {
                    open.pop();
                    module.pop();
                    here = Rc::new(module.clone());
                }
                depth = depth.saturating_sub(1);
            }
            out.push((Rc::clone(&here), depth == open.len()));
        }
        out
    }

    /// Returns the items that are defined in this file, each with its module. Inline modules are items, too.
    fn items(&self) -> Vec<(Module, String)> {
        const KEYWORDS: [&str; 9] =
            ["struct", "enum", "trait", "type", "union", "fn", "const", "static", "mod"];
        let t = &self.tokens;
        let mut out = Vec::new();
        for (i, (module, is_outermost)) in self.walk().into_iter().enumerate() {
            let is_item = KEYWORDS.iter().any(|word| t[i].is(word)) && is_outermost;
            let at = if spells(t, i, &["macro_rules", "!"]) { i + 2 } else { i + 1 };
            if !is_item && at == i + 1 {
                continue;
            }
            let name = t.get(at).and_then(|it| it.word());
            match name.filter(|name| !["fn", "unsafe", "async", "extern", "mut"].contains(name)) {
                // The module of a file is no item of the file that declares it.
                Some(name) if t[i].is("mod") && t.get(i + 2).is_some_and(|it| it.is("{")) => {
                    let mut inner = module.to_vec();
                    inner.push(name.to_owned());
                    out.push((inner, String::new()));
                }
                Some(_) if t[i].is("mod") => {}
                Some(name) => out.push((module.to_vec(), name.to_owned())),
                None => {}
            }
        }
        out
    }

    /// Returns the types with inherent methods here, as they are named, each with the module.
    fn inherent_impls(&self) -> Vec<(Module, Vec<String>)> {
        let t = &self.tokens;
        let mut out = Vec::new();
        for (i, (module, is_outermost)) in self.walk().into_iter().enumerate() {
            if !t[i].is("impl") || !is_outermost {
                continue;
            }
            let mut at = i + 1;
            if t.get(at).is_some_and(|it| it.is("<")) {
                let mut depth = 0usize;
                while let Some(token) = t.get(at) {
                    depth += usize::from(token.is("<"));
                    depth -= usize::from(token.is(">"));
                    at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            let end = (at..t.len()).find(|end| t[*end].is("{")).unwrap_or(t.len());
            let is_of_trait = (at..end).any(|k| t[k].is("for") && !t[k + 1].is("<"));
            let mut path = Vec::new();
            while let Some(word) = t.get(at).and_then(|it| it.word()) {
                path.push(word.to_owned());
                at += 1;
                if !t.get(at).is_some_and(|it| it.is("::")) {
                    break;
                }
                at += 1;
            }
            if !is_of_trait && !path.is_empty() {
                out.push((module.to_vec(), path));
            }
        }
        out
    }

    /// Returns every name with a path, and every name that `use` brings in.
    pub(crate) fn names(&self) -> Vec<Name> {
        let t = &self.tokens;
        let walk = self.walk();
        let mut out = Vec::new();
        let mut i = 0;
        while i < t.len() {
            let module = &walk[i].0;
            if t[i].is("use") {
                let is_public = i > 0 && (t[i - 1].is("pub") || t[i - 1].is(")"));
                let from = out.len();
                i = self.tree(i + 1, module, &[], &mut out);
                for name in &mut out[from..] {
                    name.is_use = true;
                    name.is_public = is_public;
                }
            } else if t[i].word().is_some()
                && t.get(i + 1).is_some_and(|it| it.is("::"))
                && !(i > 0 && (t[i - 1].is("::") || t[i - 1].is(".")))
            {
                i = self.tree(i, module, &[], &mut out).max(i + 1);
            } else {
                i += 1;
            }
        }
        out
    }

    /// Reads a path or a tree of `use` at `i`. Returns the index after it.
    fn tree(
        &self,
        mut i: usize,
        module: &[String],
        prefix: &[String],
        out: &mut Vec<Name>,
    ) -> usize {
        let t = &self.tokens;
        let mut path = prefix.to_vec();
        let mut above = module.to_vec();
        while let Some(token) = t.get(i) {
            if token.is("{") {
                i += 1;
                while t.get(i).is_some_and(|it| !it.is("}")) {
                    i = if t[i].is(",") {
                        i + 1
                    } else {
                        self.tree(i, module, &path, out).max(i + 1)
                    };
                }
                return i + 1;
            }
            match token.word() {
                Some("self") if path.is_empty() => {
                    path = ["crate".to_owned()].into_iter().chain(module.iter().cloned()).collect();
                }
                Some("super") => {
                    above.pop();
                    path = ["crate".to_owned()].into_iter().chain(above.iter().cloned()).collect();
                }
                Some("self") => {}
                Some(word) => path.push(word.to_owned()),
                None if token.is("*") => path.push("*".to_owned()),
                None => break,
            }
            i += 1;
            if !t.get(i).is_some_and(|it| it.is("::")) {
                break;
            }
            i += 1;
            if t.get(i).is_some_and(|it| it.is("<")) {
                break;
            }
        }
        let mut alias = path.last().cloned().unwrap_or_default();
        if t.get(i).is_some_and(|it| it.is("as")) {
            alias = t.get(i + 1).and_then(|it| it.word()).unwrap_or_default().to_owned();
            i += 2;
        }
        let name = Name { module: module.to_vec(), path, alias, is_use: false, is_public: false };
        out.push(name);
        i
    }
}
