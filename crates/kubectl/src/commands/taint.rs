//! `kubectl taint`.

use api::{Json, names};

use super::{Command, Outcome, get};
use crate::cx::{Cx, STRATEGIC};
use crate::failure::{Result, fail, usage};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource;

pub(crate) const COMMAND: Command = Command {
    name: "taint",
    brief: "Update the taints on one or more nodes",
    usage: "kubectl taint nodes NODE KEY=VALUE:NoSchedule|PreferNoSchedule|NoExecute... KEY[:EFFECT]-... [--overwrite] [--all]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    switch("overwrite"),
    switch("all"),
    text("selector").short('l'),
    text("field-manager"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
    optional("validate", "strict"),
];

#[derive(Debug)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let is_change = |word: &String| word.contains([':', '=']) || word.ends_with('-');
    let at = args.words.iter().position(is_change).unwrap_or(args.words.len());
    let (named, changes) = args.words.split_at(at);
    if named.is_empty() {
        return fail(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        );
    }
    if changes.is_empty() {
        return fail("at least one taint update is required");
    }
    let (add, remove) = parse(changes)?;
    let mut only = args.clone();
    only.words = named.to_vec();
    let targets = super::scale::named(cx, &only)?;
    if targets.iter().any(|target| target.kind.kind != "Node") {
        return fail("invalid resource type, only nodes are supported");
    }
    let dry_run = DryRun::of(args)?;
    let mut failures = Vec::new();
    for target in targets {
        let name = target.name.as_deref().unwrap_or("");
        match one(cx, args, name, &add, &remove, dry_run) {
            Ok(what) => cx.say(&format!("node/{name} {}\n", dry_run.note(what))),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn parse(changes: &[String]) -> Result<(Vec<Taint>, Vec<Taint>)> {
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        let (text, goes) = match change.strip_suffix('-') {
            Some(text) => (text, true),
            None => (change.as_str(), false),
        };
        let (head, effect) = text.split_once(':').unwrap_or((text, ""));
        let (key, value) = head.split_once('=').unwrap_or((head, ""));
        let is_known = matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute");
        if !(is_known || goes && effect.is_empty()) {
            let text = format!("invalid taint effect: {effect}, unsupported taint effect");
            return usage("taint", &text);
        }
        if let Some(why) = names::qualified_name(key).first() {
            return usage("taint", &format!("invalid taint spec: {change}, {why}"));
        }
        let taint = Taint { key: key.into(), value: value.into(), effect: effect.into() };
        if goes { remove.push(taint) } else { add.push(taint) }
    }
    Ok((add, remove))
}

fn one(
    cx: &mut Cx<'_>,
    args: &Args,
    name: &str,
    add: &[Taint],
    remove: &[Taint],
    dry_run: DryRun,
) -> Result<&'static str> {
    let path = resource::path(&resource::known("nodes"), "", name);
    let node = cx.get(&path)?;
    let now = node.list("spec.taints");
    let same = |old: &Json, new: &Taint| {
        old.text("key") == new.key && (new.effect.is_empty() || old.text("effect") == new.effect)
    };
    let clashes: Vec<&str> = add
        .iter()
        .filter(|new| now.iter().any(|old| same(old, new)))
        .map(|new| new.key.as_str())
        .collect();
    if !clashes.is_empty() && !args.is("overwrite") {
        return fail(format!(
            "node {name} already has {} taint(s) with same effect(s) and --overwrite is false",
            clashes.join(",")
        ));
    }
    for gone in remove {
        if !now.iter().any(|old| same(old, gone)) {
            let effect =
                if gone.effect.is_empty() { String::new() } else { format!(":{}", gone.effect) };
            return fail(format!("taint \"{}{effect}\" not found", gone.key));
        }
    }
    let mut taints: Vec<Json> = add
        .iter()
        .map(|new| {
            let mut taint =
                object([("effect", new.effect.as_str().into()), ("key", new.key.as_str().into())]);
            if !new.value.is_empty() {
                taint.set("value", new.value.as_str());
            }
            taint
        })
        .collect();
    let stays = |old: &&Json| !add.iter().chain(remove).any(|change| same(old, change));
    taints.extend(now.iter().filter(stays).cloned());
    if dry_run != DryRun::Client {
        let manager = args.text("field-manager").unwrap_or("kubectl-taint");
        let query = [("fieldManager", manager), ("dryRun", dry_run.query())];
        let value = if taints.is_empty() { Json::Null } else { Json::Array(taints) };
        let patch = object([("spec", object([("taints", value)]))]);
        cx.patch(&resource::with_query(&path, &query), STRATEGIC, &patch)?;
    }
    Ok(match (add.is_empty(), remove.is_empty()) {
        _ if !clashes.is_empty() => "modified",
        (false, false) => "modified",
        (true, _) => "untainted",
        _ => "tainted",
    })
}
