//! `kubectl cordon` and `uncordon`.

use api::Json;

use super::{Command, Outcome, get};
use crate::cx::{Cx, STRATEGIC};
use crate::failure::{Result, usage};
use crate::flags::{Args, Flag, optional, text};
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource;

pub(crate) const CORDON: Command = Command {
    name: "cordon",
    brief: "Mark a node as unschedulable",
    usage: "kubectl cordon NODE... | -l LABELS",
    flags: FLAGS,
    run: |cx, args| run(cx, args, true),
};

pub(crate) const UNCORDON: Command = Command {
    name: "uncordon",
    brief: "Mark a node as schedulable",
    usage: "kubectl uncordon NODE... | -l LABELS",
    flags: FLAGS,
    run: |cx, args| run(cx, args, false),
};

const FLAGS: &[Flag] = &[text("selector").short('l'), optional("dry-run", "unchanged")];

fn run(cx: &mut Cx<'_>, args: &Args, wanted: bool) -> Result<Outcome> {
    let dry_run = DryRun::of(args)?;
    let mut failures = Vec::new();
    for name in nodes(cx, args)? {
        if let Err(failure) = mark(cx, &name, wanted, dry_run) {
            failures.push(failure);
        }
    }
    get::end(cx, failures)
}

/// The names of the nodes that a command is about.
pub(super) fn nodes(cx: &mut Cx<'_>, args: &Args) -> Result<Vec<String>> {
    if let Some(selector) = args.text("selector") {
        let found = cx.list(&resource::known("nodes"), "", &[("labelSelector", selector)])?;
        return Ok(found.iter().map(|node| node.text("metadata.name").to_string()).collect());
    }
    if args.words.is_empty() {
        return usage(&args.command, &format!("USAGE: {} NODE [flags]", args.command));
    }
    let bare = |word: &String| match word.split_once('/') {
        Some((_, name)) => name.to_string(),
        None => word.clone(),
    };
    Ok(args.words.iter().map(bare).collect())
}

/// Makes a node schedulable or not, and says so.
pub(super) fn mark(cx: &mut Cx<'_>, name: &str, wanted: bool, dry_run: DryRun) -> Result<()> {
    let path = resource::path(&resource::known("nodes"), "", name);
    let node = cx.get(&path)?;
    let what = if wanted { "cordoned" } else { "uncordoned" };
    if node.is("spec.unschedulable") == wanted {
        cx.say(&format!("node/{name} {}\n", dry_run.note(&format!("already {what}"))));
        return Ok(());
    }
    if dry_run != DryRun::Client {
        let value = if wanted { Json::Bool(true) } else { Json::Null };
        let patch = object([("spec", object([("unschedulable", value)]))]);
        let path = resource::with_query(&path, &[("dryRun", dry_run.query())]);
        cx.patch(&path, STRATEGIC, &patch)?;
    }
    cx.say(&format!("node/{name} {}\n", dry_run.note(what)));
    Ok(())
}
