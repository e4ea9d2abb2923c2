//! `kubectl diff`: what applying a manifest would change.
//!
//! Known deviations:
//! - The difference is our own unified diff of the two YAML texts; texts of more than 4,000 lines are not compared.

use std::fmt::Write as _;

use api::Json;

use super::{Command, Outcome, apply};
use crate::cx::{APPLY, Cx};
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::load::{self, Loaded};
use crate::look::Look;
use crate::resource;
use crate::text::output;

pub(crate) const COMMAND: Command = Command {
    name: "diff",
    brief: "Diff the live version against a would-be applied version",
    usage: "kubectl diff -f - [--server-side]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    switch("server-side"),
    switch("force-conflicts"),
    switch("show-managed-fields"),
    text("field-manager"),
    text("concurrency"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let (objects, mut failures) = load::load(cx, args)?;
    if !failures.is_empty() {
        return Err(failures.remove(0));
    }
    let mut differs = false;
    for loaded in &objects {
        let live = match cx.get(&loaded.path()) {
            Ok(live) => Some(live),
            Err(failure) if failure.is_not_found() => None,
            Err(failure) => return Err(failure),
        };
        let merged = merged(cx, args, loaded, live.as_ref())?;
        let name = format!(
            "{}.{}.{}.{}",
            loaded.kind.api_version().replace('/', "."),
            loaded.kind.kind,
            loaded.namespace,
            loaded.name
        );
        let yaml = |object: Option<&Json>| {
            object.map_or(String::new(), |object| {
                let mut object = object.clone();
                output::without_managed_fields(&mut object);
                output::document(&object, true)
            })
        };
        let Some(text) = unified(&yaml(live.as_ref()), &yaml(Some(&merged)))? else { continue };
        differs = true;
        cx.say(&format!(
            "diff -u -N LIVE/{name} MERGED/{name}\n--- LIVE/{name}\n+++ MERGED/{name}\n{text}"
        ));
    }
    if differs { Err(Failure::Code(1)) } else { Ok(Outcome::Done) }
}

/// What the server would make of the object.
fn merged(cx: &mut Cx<'_>, args: &Args, loaded: &Loaded, live: Option<&Json>) -> Result<Json> {
    if args.is("server-side") {
        let force = if args.is("force-conflicts") { "true" } else { "false" };
        let query = [("dryRun", "All"), ("fieldManager", "kubectl"), ("force", force)];
        return cx.patch(&resource::with_query(&loaded.path(), &query), APPLY, &loaded.object);
    }
    let query = [("dryRun", "All"), ("fieldManager", "kubectl-client-side-apply")];
    let (_, applied) = apply::remembered(&loaded.object);
    let Some(live) = live else {
        return cx.post(&resource::with_query(&loaded.collection(), &query), &applied);
    };
    let annotations = live.look("metadata.annotations");
    let original = annotations.get(apply::LAST_APPLIED).and_then(Json::as_str);
    let original = original.and_then(|text| Json::parse(text.as_bytes()).ok());
    let original = original.unwrap_or_else(Json::object);
    let patch = apply::three_way(loaded, original, &applied, live)?;
    if patch.fields().is_empty() {
        return Ok(live.clone());
    }
    let path = resource::with_query(&loaded.path(), &query);
    cx.patch(&path, apply::patch_type(loaded), &patch)
}

/// The most lines of a text that is compared.
const LINES_MAX: usize = 4_000;
/// How many equal lines stand around a change.
const CONTEXT: usize = 3;

/// The hunks between two texts; `None` where they are equal.
fn unified(old: &str, new: &str) -> Result<Option<String>> {
    if old == new {
        return Ok(None);
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len().max(new.len()) > LINES_MAX {
        return fail("the objects are too long to be compared");
    }
    let script = script(&old, &new);
    let changes: Vec<usize> = (0..script.len()).filter(|i| script[*i].0 != ' ').collect();
    let mut out = String::new();
    let mut at = 0;
    while at < changes.len() {
        let first = changes[at];
        while at + 1 < changes.len() && changes[at + 1] - changes[at] <= 2 * CONTEXT {
            at += 1;
        }
        let (from, to) =
            (first.saturating_sub(CONTEXT), (changes[at] + CONTEXT + 1).min(script.len()));
        let before = |sign: char, upto: usize| {
            script[..upto].iter().filter(|(s, _)| *s == ' ' || *s == sign).count()
        };
        let range = |sign: char| {
            let (start, count) = (before(sign, from), before(sign, to) - before(sign, from));
            let start = if count == 0 { start } else { start + 1 };
            if count == 1 { start.to_string() } else { format!("{start},{count}") }
        };
        let _ = writeln!(out, "@@ -{} +{} @@", range('-'), range('+'));
        for (sign, line) in &script[from..to] {
            let _ = writeln!(out, "{sign}{line}");
        }
        at += 1;
    }
    Ok(Some(out))
}

/// Each line with ` `, `-` or `+`, by the longest common subsequence.
fn script<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let (rows, columns) = (old.len() + 1, new.len() + 1);
    let mut length = vec![0u16; rows * columns];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            length[i * columns + j] = if old[i] == new[j] {
                length[(i + 1) * columns + j + 1] + 1
            } else {
                length[(i + 1) * columns + j].max(length[i * columns + j + 1])
            };
        }
    }
    let (mut i, mut j, mut script) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let both = i < old.len() && j < new.len();
        if both && old[i] == new[j] {
            script.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (both && length[(i + 1) * columns + j] >= length[i * columns + j + 1])
        {
            script.push(('-', old[i]));
            i += 1;
        } else {
            script.push(('+', new[j]));
            j += 1;
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::unified;

    fn check(old: &str, new: &str, hunks: Option<&str>) {
        assert_eq!(unified(old, new).expect("short texts").as_deref(), hunks);
    }

    #[test]
    fn equal_texts_have_no_difference() {
        check("a\n", "a\n", None);
    }

    #[test]
    fn a_change_stands_between_its_neighbours() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n",
            "1\n2\n3\n4\nfive\n6\n7\n8\n",
            Some("@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"),
        );
    }

    #[test]
    fn a_new_text_is_all_additions() {
        check("", "a\nb\n", Some("@@ -0,0 +1,2 @@\n+a\n+b\n"));
    }
}
