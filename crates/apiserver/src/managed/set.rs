//! Sets of fields, as `fieldsV1` writes them.

use api::Json;
use base::{BTreeMap, BTreeSet, Str, lit};

/// Some fields of an object, as a tree. Each step is written as in `fieldsV1`: `f:name` for a field,
/// `k:{…}` for an item by its keys, `v:…` for an item by its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    pub members: BTreeSet<Str>,
    pub children: BTreeMap<Str, Set>,
}

impl Set {
    /// Reads the form of `fieldsV1`.
    pub(super) fn parse(json: &Json) -> Set {
        let mut set = Set::default();
        for (step, below) in json.fields() {
            if step == "." {
                continue;
            }
            if below.fields().is_empty() || below.get(".").is_some() {
                set.members.insert(step.clone());
            }
            let child = Set::parse(below);
            if !child.is_empty() {
                set.children.insert(step.clone(), child);
            }
        }
        set
    }

    /// Writes the form of `fieldsV1`.
    pub(super) fn to_json(&self) -> Json {
        let steps: BTreeSet<&Str> = self.members.iter().chain(self.children.keys()).collect();
        let fields = steps.into_iter().map(|step| {
            let mut below = Vec::new();
            if let Some(child) = self.children.get(step) {
                if self.members.contains(step) {
                    below.push((lit!("."), Json::object()));
                }
                below.append(child.to_json().fields_mut());
            }
            (step.clone(), Json::Object(below))
        });
        fields.collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    /// Adds the field at `path`.
    pub(super) fn insert(&mut self, path: &[Str]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// What is below one step.
    pub(super) fn below(&self, step: &str) -> Option<&Set> {
        self.children.get(step)
    }

    pub(super) fn union(&self, other: &Set) -> Set {
        let mut set = self.clone();
        set.members.extend(other.members.iter().cloned());
        for (step, child) in &other.children {
            let own = set.children.entry(step.clone()).or_default();
            *own = own.union(child);
        }
        set
    }

    pub(super) fn intersection(&self, other: &Set) -> Set {
        let mut set = Set {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            let both = other.children.get(step).map(|theirs| child.intersection(theirs));
            if let Some(both) = both.filter(|both| !both.is_empty()) {
                set.children.insert(step.clone(), both);
            }
        }
        set
    }

    /// The fields that `other` lacks. What is below a field of `other` stays.
    pub(super) fn difference(&self, other: &Set) -> Set {
        let mut set = Set {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            let left = match other.children.get(step) {
                Some(theirs) => child.difference(theirs),
                None => child.clone(),
            };
            if !left.is_empty() {
                set.children.insert(step.clone(), left);
            }
        }
        set
    }

    /// Takes the subtree at `path` out.
    pub(super) fn prune(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => {
                self.members.remove(*last);
                self.children.remove(*last);
            }
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(*first) {
                    child.prune(rest);
                    if child.is_empty() {
                        self.children.remove(*first);
                    }
                }
            }
        }
    }

    /// The same set with every named field that something of the set is below.
    pub(super) fn with_named_parents(&self) -> Set {
        let mut set = Set { members: self.members.clone(), children: BTreeMap::new() };
        for (step, child) in &self.children {
            if step.starts_with("f:") {
                set.members.insert(step.clone());
            }
            set.children.insert(step.clone(), child.with_named_parents());
        }
        set
    }

    /// All paths, in order.
    pub(super) fn paths(&self) -> Vec<Vec<Str>> {
        fn walk(set: &Set, at: &mut Vec<Str>, out: &mut Vec<Vec<Str>>) {
            let steps: BTreeSet<&Str> = set.members.iter().chain(set.children.keys()).collect();
            for step in steps {
                at.push(step.clone());
                if set.members.contains(step) {
                    out.push(at.clone());
                }
                if let Some(child) = set.children.get(step) {
                    walk(child, at, out);
                }
                at.pop();
            }
        }
        let mut out = Vec::new();
        walk(self, &mut Vec::new(), &mut out);
        out
    }
}

/// A path as conflicts name it: `.spec.containers[name="web"].image`.
pub(super) fn path_text(path: &[Str]) -> String {
    let mut text = String::new();
    for step in path {
        let (kind, rest) = step.split_once(':').unwrap_or(("f", step));
        match kind {
            "k" => {
                let keys = Json::parse(rest.as_bytes()).unwrap_or_default();
                let keys = keys.fields().iter().map(|(key, value)| format!("{key}={value}"));
                text.push_str(&format!("[{}]", keys.collect::<Vec<_>>().join(",")));
            }
            "v" => text.push_str(&format!("[={rest}]")),
            "i" => text.push_str(&format!("[{rest}]")),
            _ => {
                text.push('.');
                text.push_str(rest);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"f:spec":{"f:a":{},"f:b":{".":{},"k:{\"n\":1}":{".":{},"f:x":{}}}}}"#;

    fn set(text: &str) -> Set {
        Set::parse(&Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn reading_and_writing_are_inverse() {
        assert_eq!(set(TEXT).to_json(), Json::parse(TEXT.as_bytes()).unwrap());
    }

    #[test]
    fn a_difference_keeps_what_is_below() {
        let left = set(TEXT).difference(&set(r#"{"f:spec":{"f:b":{},"f:a":{}}}"#));
        assert_eq!(left, set(r#"{"f:spec":{"f:b":{"k:{\"n\":1}":{".":{},"f:x":{}}}}}"#));
    }

    #[test]
    fn paths_are_written_as_conflicts_name_them() {
        let texts: Vec<String> = set(TEXT).paths().iter().map(|path| path_text(path)).collect();
        assert_eq!(texts, [".spec.a", ".spec.b", ".spec.b[n=1]", ".spec.b[n=1].x"]);
    }
}
