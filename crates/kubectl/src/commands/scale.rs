//! `kubectl scale`.

use super::{Command, Outcome, get};
use crate::cx::{Cx, MERGE};
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource::{self, Target};
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "scale",
    brief: "Set a new size for a deployment, replica set, or stateful set",
    usage: "kubectl scale TYPE NAME --replicas=COUNT [--current-replicas=COUNT]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("replicas"),
    text("current-replicas"),
    text("resource-version"),
    text("timeout"),
    text("selector").short('l'),
    text("filename").short('f'),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
    switch("all"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let Some(replicas) = args.int("replicas")?.filter(|count| *count >= 0) else {
        return fail(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        );
    };
    if args.words.is_empty() && !args.has("filename") {
        return fail("You must provide one or more resources by argument or filename.");
    }
    let targets = named(cx, args)?;
    if targets.is_empty() {
        return fail("no objects passed to scale");
    }
    let mut failures = Vec::new();
    for target in &targets {
        match one(cx, args, target, replicas, dry_run, &format) {
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
    replicas: i64,
    dry_run: DryRun,
    format: &Format,
) -> Result<()> {
    let name = target.name.as_deref().unwrap_or("");
    let namespace = cx.namespace.clone();
    let current = cx.object(&target.kind, &namespace, name)?;
    if let Some(expected) = args.int("current-replicas")?.filter(|n| *n >= 0) {
        let is = current.int("spec.replicas");
        if is != expected {
            return fail(format!("Expected replicas to be {expected}, was {is}"));
        }
    }
    if dry_run != DryRun::Client {
        let path = resource::path(&target.kind, &namespace, name) + "/scale";
        let path = resource::with_query(&path, &[("dryRun", dry_run.query())]);
        let patch = object([("spec", object([("replicas", replicas.into())]))]);
        cx.patch(&path, MERGE, &patch).map_err(|failure| match failure.is_not_found() {
            true => Failure::Plain(format!(
                "cannot scale {}: the server could not find the requested resource",
                target.kind.resource()
            )),
            false => failure,
        })?;
    }
    let text = output::changed(format, &current, &dry_run.note("scaled"))?;
    cx.say(&text);
    Ok(())
}

/// The objects that a command is about, with names: selectors and `--all` are looked up.
pub(crate) fn named(cx: &mut Cx<'_>, args: &Args) -> Result<Vec<Target>> {
    if args.has("filename") {
        let (loaded, mut failures) = crate::load::load(cx, args)?;
        if !failures.is_empty() {
            return Err(failures.remove(0));
        }
        let target = |l: crate::load::Loaded| Target { kind: l.kind, name: Some(l.name.into()) };
        return Ok(loaded.into_iter().map(target).collect());
    }
    let mut named = Vec::new();
    for target in resource::targets(cx, &args.words)? {
        if target.name.is_some() {
            named.push(target);
            continue;
        }
        if !args.is("all") && !args.has("selector") {
            return fail("resource(s) were provided, but no name was specified");
        }
        let namespace =
            if args.is("all-namespaces") { Default::default() } else { cx.namespace.clone() };
        let selector = args.text("selector").unwrap_or("");
        for (_, name) in cx.names(&target.kind, &namespace, &[("labelSelector", selector)])? {
            named.push(Target { kind: target.kind, name: Some(name.into()) });
        }
    }
    Ok(named)
}
