//! `kubectl label` and `kubectl annotate`.

use api::Json;

use super::{Command, Outcome, get};
use crate::cx::{Cx, MERGE};
use crate::failure::{Result, fail, usage};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource::{self, Target};
use crate::text::output::{self, Format};

pub(crate) const LABEL: Command = Command {
    name: "label",
    brief: "Update the labels on a resource",
    usage: "kubectl label TYPE NAME KEY=VALUE... KEY-... [--overwrite] [-l LABELS] [--all] [--list]",
    flags: FLAGS,
    run: |cx, args| run(cx, args, &WORDS_OF_LABEL),
};

pub(crate) const ANNOTATE: Command = Command {
    name: "annotate",
    brief: "Update the annotations on a resource",
    usage: "kubectl annotate TYPE NAME KEY=VALUE... KEY-... [--overwrite] [-l LABELS] [--all] [--list]",
    flags: FLAGS,
    run: |cx, args| run(cx, args, &WORDS_OF_ANNOTATE),
};

const FLAGS: &[Flag] = &[
    switch("overwrite"),
    switch("all"),
    switch("list"),
    switch("local"),
    switch("all-namespaces").short('A'),
    text("selector").short('l'),
    text("field-selector"),
    text("filename").short('f'),
    text("field-manager"),
    text("resource-version"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

/// In what the two commands differ.
struct Words {
    command: &'static str,
    /// `label`
    one: &'static str,
    /// The field of the metadata.
    field: &'static str,
    set: &'static str,
    removed: &'static str,
    same: &'static str,
    manager: &'static str,
}

static WORDS_OF_LABEL: Words = Words {
    command: "label",
    one: "label",
    field: "labels",
    set: "labeled",
    removed: "unlabeled",
    same: "not labeled",
    manager: "kubectl-label",
};

static WORDS_OF_ANNOTATE: Words = Words {
    command: "annotate",
    one: "annotation",
    field: "annotations",
    set: "annotated",
    removed: "annotated",
    same: "annotated",
    manager: "kubectl-annotate",
};

fn run(cx: &mut Cx<'_>, args: &Args, words: &Words) -> Result<Outcome> {
    let is_change = |word: &&String| word.contains('=') || word.ends_with('-');
    let at = args.words.iter().position(|word| is_change(&word)).unwrap_or(args.words.len());
    let (named, changes) = args.words.split_at(at);
    if named.is_empty() && !args.has("filename") {
        return fail(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        );
    }
    if changes.is_empty() && !args.is("list") {
        return fail(format!("at least one {} update is required", words.one));
    }
    if let Some(word) = changes.iter().find(|word| !is_change(word)) {
        return usage(words.command, &format!("unexpected argument: {word}"));
    }
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let mut only = args.clone();
    only.words = named.to_vec();
    let mut failures = Vec::new();
    let targets = super::scale::named(cx, &only)?;
    if targets.is_empty() {
        cx.say("No resources found\n");
    }
    for target in &targets {
        match one(cx, args, target, changes, words, &format, dry_run) {
            Ok(()) => {}
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn one(
    cx: &mut Cx<'_>,
    args: &Args,
    target: &Target,
    changes: &[String],
    words: &Words,
    format: &Format,
    dry_run: DryRun,
) -> Result<()> {
    let name = target.name.as_deref().unwrap_or("");
    let path = resource::path(&target.kind, &cx.namespace, name);
    let current = cx.get(&path)?;
    let now = current.look("metadata").look(words.field).clone();
    if args.is("list") {
        for (key, value) in now.fields() {
            cx.say(&format!("{key}={}\n", value.as_str().unwrap_or("")));
        }
        return Ok(());
    }
    let (mut patch, mut sets, mut removes) = (Json::object(), false, false);
    let mut taken = Vec::new();
    for change in changes {
        match change.split_once('=') {
            Some((key, value)) => {
                let old = now.get(key).and_then(Json::as_str);
                if let Some(old) = old.filter(|old| *old != value && !args.is("overwrite")) {
                    taken.push(format!("'{key}' already has a value ({old})"));
                }
                if old != Some(value) {
                    patch.set(key, value);
                }
                sets |= old != Some(value);
            }
            None => {
                let key = change.trim_end_matches('-');
                if now.get(key).is_none() {
                    cx.say(&format!("{} \"{key}\" not found.\n", words.one));
                    continue;
                }
                patch.set(key, Json::Null);
                removes = true;
            }
        }
    }
    if !taken.is_empty() {
        return match words.one {
            "label" => fail(format!("{}, and --overwrite is false", taken.join("; "))),
            _ => fail(format!(
                "--overwrite is false but found the following declared annotation(s): {}",
                taken.join("; ")
            )),
        };
    }
    let what = match (sets, removes) {
        (true, _) => words.set,
        (false, true) => words.removed,
        (false, false) => words.same,
    };
    let mut object_now = current;
    if !patch.fields().is_empty() && dry_run != DryRun::Client {
        let manager = args.text("field-manager").unwrap_or(words.manager);
        let query = [("fieldManager", manager), ("dryRun", dry_run.query())];
        let body = object([("metadata", object([(words.field, patch)]))]);
        object_now = cx.patch(&resource::with_query(&path, &query), MERGE, &body)?;
    }
    let text = output::changed(format, &object_now, &dry_run.note(what))?;
    cx.say(&text);
    Ok(())
}
