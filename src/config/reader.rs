//! Reading a TOML document table by table, collecting every problem on the way.
//!
//! Serde stops at its first error; an administrator wants to hear of all of them.
//! A section asks its [`Table`] for each key it knows; whatever nobody asked for is
//! unknown. A value that cannot be read is reported and its default used instead,
//! so that reading goes on; [`super::load`] hands out settings only if nothing was
//! reported. Sections read all their keys before they give up on a missing one.

use super::problem::Problem;
use super::value::{Trouble, Value, kind_of};
use crate::directory::nearest;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where problems are collected while a document is read.
pub(super) struct Report<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    known: RefCell<BTreeSet<String>>,
}

/// A place in the document: the key's path, and the octet it or its value stands at.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The key's full path.
    pub(super) key: String,
    /// Offset in the text; `None` where the document does not mention the key.
    pub(super) at: Option<usize>,
}

impl<'t> Report<'t> {
    /// An empty report about `text`.
    pub(super) fn new(text: &'t str) -> Self {
        Report {
            text,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// Something that keeps the file from being used.
    pub(super) fn problem(&self, place: &Place, trouble: Trouble) {
        self.problems.borrow_mut().push(self.locate(place, trouble));
    }

    /// Something that works but deserves a look.
    pub(super) fn warning(&self, place: &Place, trouble: Trouble) {
        self.warnings.borrow_mut().push(self.locate(place, trouble));
    }

    /// Something that is wrong with the document as such, at an octet of it.
    pub(super) fn at(&self, at: usize, message: String, remedy: &str) -> Problem {
        self.locate(&Place { key: String::new(), at: Some(at) }, Trouble::new(message, remedy))
    }

    /// Adds a problem that is already located.
    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Problems and warnings, each in the order of the lines.
    pub(super) fn into_lists(self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |list: RefCell<Vec<Problem>>| {
            let mut list = list.into_inner();
            list.sort_by_key(|problem| (problem.line, problem.column));
            list
        };
        (sorted(self.problems), sorted(self.warnings))
    }

    /// Paths of all keys that were asked for, with `[]` for each list.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// The line of `place`, from 1.
    pub(super) fn line(&self, place: &Place) -> usize {
        place.at.map_or(0, |at| self.position(at).0)
    }

    fn locate(&self, place: &Place, trouble: Trouble) -> Problem {
        let (line, column) = place.at.map_or((0, 0), |at| self.position(at));
        let Trouble { message, remedy } = trouble;
        Problem { key: place.key.clone(), line, column, message, remedy }
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before.get(start..).unwrap_or_default().chars().count() + 1)
    }
}

/// One table of the document, or the empty one where the document has none.
pub(super) struct Table<'a> {
    /// Where problems go.
    pub(super) report: &'a Report<'a>,
    place: Place,
    map: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    /// Whether its keys are data, and none is unknown.
    open: Cell<bool>,
    missing: RefCell<Vec<(&'static str, Trouble)>>,
}

impl<'a> Table<'a> {
    /// Reads the document's outermost table.
    pub(super) fn document<T>(
        report: &'a Report<'a>,
        map: &'a DeTable<'a>,
        read: impl FnOnce(&Self) -> T,
    ) -> T {
        Self::read(report, Place { key: String::new(), at: None }, Some(map), read)
    }

    /// A value that need not be there.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Result<T, Trouble>,
    ) -> Option<T> {
        let node = self.ask(key)?;
        match read(&Value { key, node: node.get_ref() }) {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.report.problem(&self.place(key), trouble);
                None
            }
        }
    }

    /// A value with a default.
    pub(super) fn or<T>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Result<T, Trouble>,
    ) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// A value that has to be there; `remedy` says what to write where it is not.
    /// `None` means that a problem was reported.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        remedy: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, Trouble>,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing(key, remedy);
        }
        self.optional(key, read)
    }

    /// Reports that `key` has to be there and is not, unless it turns out to be there
    /// under a mistyped name.
    pub(super) fn missing(&self, key: &'static str, remedy: &str) {
        self.missing.borrow_mut().push((key, Trouble::new("is missing", remedy)));
    }

    /// Reads the table below `key`, or an empty one.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Table<'a>) -> T) -> T {
        let found = self.ask(key);
        let map = found.and_then(|node| self.as_table(node, self.place(key)));
        Self::read(self.report, self.place(key), map, read)
    }

    /// Reads the table below `key`, if there is one.
    pub(super) fn section_if_present<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> Option<T> {
        let node = self.ask(key)?;
        let map = self.as_table(node, self.place(key))?;
        Some(Self::read(self.report, self.place(key), Some(map), read))
    }

    /// Reads each `[[key]]`.
    pub(super) fn sections<T>(
        &self,
        key: &'static str,
        mut read: impl FnMut(&Table<'a>) -> T,
    ) -> Vec<T> {
        let Some(node) = self.ask(key) else { return Vec::new() };
        let path = self.place(key).key;
        let DeValue::Array(array) = node.get_ref() else {
            let message = format!("is {}, not a list", kind_of(node.get_ref()));
            let header = path.split('[').next().unwrap_or_default();
            let remedy = format!("write it in double brackets: [[{header}]]");
            self.report.problem(&self.place(key), Trouble::new(message, remedy));
            return Vec::new();
        };
        let mut out = Vec::new();
        for (at, item) in array.iter().enumerate() {
            let place = Place { key: format!("{path}[{at}]"), at: Some(item.span().start) };
            if let Some(map) = self.as_table(item, place.clone()) {
                out.push(Self::read(self.report, place, Some(map), &mut read));
            }
        }
        out
    }

    /// Reads every key, whatever it is called: the names are data. `read` gets the name,
    /// its place and its value.
    pub(super) fn each(&self, mut read: impl FnMut(&'a str, Place, &'a Spanned<DeValue<'a>>)) {
        self.open.set(true);
        for (key, node) in self.map.into_iter().flat_map(|map| map.iter()) {
            let name: &str = key.get_ref();
            let at = Some(key.span().start);
            read(name, Place { key: self.path(name), at }, node);
        }
    }

    /// Reads a table that is the value of such a key.
    pub(super) fn inner<T>(
        &self,
        place: Place,
        node: &'a Spanned<DeValue<'a>>,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> Option<T> {
        let map = self.as_table(node, place.clone())?;
        Some(Self::read(self.report, place, Some(map), read))
    }

    /// Whether the document mentions `key`.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.ask(key).is_some()
    }

    /// Whether `key` is there and holds a text where a table belongs.
    pub(super) fn is_text(&self, key: &'static str) -> bool {
        self.ask(key).is_some_and(|node| matches!(node.get_ref(), DeValue::String(_)))
    }

    /// Whether `key` is there and holds a list.
    pub(super) fn is_list(&self, key: &'static str) -> bool {
        self.ask(key).is_some_and(|node| matches!(node.get_ref(), DeValue::Array(_)))
    }

    /// The place of `key`'s value, or of this table where it has none.
    pub(super) fn place(&self, key: &str) -> Place {
        let found = self.map.and_then(|map| map.get(key));
        let at = found.map(|node| node.span().start).or(self.place.at);
        Place { key: self.path(key), at }
    }

    /// The place of the table itself.
    pub(super) fn own_place(&self) -> Place {
        self.place.clone()
    }

    fn read<T>(
        report: &'a Report<'a>,
        place: Place,
        map: Option<&'a DeTable<'a>>,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> T {
        let table = Table {
            report,
            place,
            map,
            asked: RefCell::default(),
            open: Cell::default(),
            missing: RefCell::default(),
        };
        let out = read(&table);
        table.report_unknown();
        table.report_missing();
        out
    }

    fn report_unknown(&self) {
        if self.open.get() {
            return;
        }
        let asked = self.asked.borrow();
        for (key, _) in self.map.into_iter().flat_map(|map| map.iter()) {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let remedy = match nearest::nearest(name, &asked) {
                Some(meant) => {
                    self.missing.borrow_mut().retain(|(missing, _)| *missing != meant);
                    format!("did you mean \"{meant}\"?")
                }
                None => format!("known here: {}", list(&asked)),
            };
            let place = Place { key: self.path(name), at: Some(key.span().start) };
            self.report.problem(&place, Trouble::new("is not a known key", remedy));
        }
    }

    fn report_missing(&self) {
        for (key, trouble) in self.missing.take() {
            self.report.problem(&self.place(key), trouble);
        }
    }

    fn ask(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
            let path = self.path(key);
            let digits = |c: char| c.is_ascii_digit();
            let lists = path.split('[').map(|part| part.trim_start_matches(digits));
            self.report.known.borrow_mut().insert(lists.collect::<Vec<_>>().join("["));
        }
        self.map?.get(key)
    }

    fn as_table(&self, node: &'a Spanned<DeValue<'a>>, place: Place) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(map) = node.get_ref() {
            return Some(map);
        }
        let remedy = match node.get_ref() {
            DeValue::Array(_) => format!("write it once, in single brackets: [{}]", place.key),
            _ => "write its keys below a header in brackets".to_owned(),
        };
        let message = format!("is {}, not a table", kind_of(node.get_ref()));
        self.report.problem(&place, Trouble::new(message, remedy));
        None
    }

    fn path(&self, key: &str) -> String {
        match self.place.key.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

fn list(keys: &[&str]) -> String {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.join(", ")
}
