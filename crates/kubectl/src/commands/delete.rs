//! `kubectl delete`: deletes, and waits until what was deleted is gone.
//!
//! Known deviations:
//! - Whether an object is gone is asked every half second instead of watched.

use api::Json;
use base::{Duration, Instant};

use super::{Command, Follow, Outcome, Pause, get};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail, usage};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::{self, DryRun};
use crate::look::{Look, object};
use crate::resource::{self, Kind};

pub(crate) const COMMAND: Command = Command {
    name: "delete",
    brief: "Delete resources by file name, stdin, resource and name, or label selector",
    usage: "kubectl delete TYPE NAME... [--wait=false] [--grace-period=N] [--force] [--cascade=orphan|foreground]\n\
            kubectl delete TYPE -l LABELS | --all\n\
            kubectl delete -f -",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    switch("recursive").short('R'),
    text("selector").short('l'),
    text("field-selector"),
    switch("all"),
    switch("all-namespaces").short('A'),
    switch("force"),
    switch("now"),
    text("grace-period"),
    optional("cascade", "background"),
    switch("wait"),
    text("timeout"),
    switch("ignore-not-found"),
    optional("dry-run", "unchanged"),
    text("output").short('o'),
    switch("interactive").short('i'),
];

/// One object that is to go.
#[derive(Clone, Debug)]
struct Doomed {
    kind: Kind,
    namespace: String,
    name: String,
    uid: String,
    source: Option<String>,
}

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let dry_run = DryRun::of(args)?;
    let (doomed, mut failures) = doomed(cx, args)?;
    if doomed.is_empty() && failures.is_empty() {
        if !args.is("ignore-not-found") {
            cx.say("No resources found\n");
        }
        return Ok(Outcome::Done);
    }
    let options = options(args)?;
    let is_forced = args.is("force") && options.int("gracePeriodSeconds") == 0;
    if is_forced {
        cx.warn(
            "Immediate deletion does not wait for confirmation that the running resource has been \
             terminated. The resource may continue to run on the cluster indefinitely.",
        );
    }
    let mut waiting = Vec::new();
    for mut item in doomed {
        let mut options = options.clone();
        if dry_run == DryRun::Server {
            options.set("dryRun", Json::Array(vec!["All".into()]));
        }
        let answer = if dry_run == DryRun::Client {
            cx.object(&item.kind, &item.namespace, &item.name)
        } else {
            cx.delete(&resource::path(&item.kind, &item.namespace, &item.name), &options)
        };
        match answer {
            Ok(answer) => {
                item.uid = match answer.text("metadata.uid") {
                    "" => answer.text("details.uid").to_string(),
                    uid => uid.to_string(),
                };
                cx.say(&said(&item, is_forced, dry_run, args.text("output") == Some("name")));
                waiting.push(item);
            }
            Err(failure) if failure.is_not_found() && ignores_missing(args) => {}
            Err(failure) => failures.push(match &item.source {
                Some(source) => failure.when("deleting", source),
                None => failure,
            }),
        }
    }
    let waits = args.on("wait", true) && dry_run == DryRun::No;
    if !waits || waiting.is_empty() {
        return get::end(cx, failures);
    }
    let timeout = args.duration("timeout")?.filter(|span| *span > Duration::ZERO);
    let deadline = timeout.map(|span| cx.now + span);
    waiting.reverse();
    Ok(Outcome::Follow(Box::new(Waiting { left: waiting, failures, deadline })))
}

fn ignores_missing(args: &Args) -> bool {
    args.on("ignore-not-found", args.is("all") || args.has("selector"))
}

fn doomed(cx: &mut Cx<'_>, args: &Args) -> Result<(Vec<Doomed>, Vec<Failure>)> {
    if args.has("filename") {
        let (loaded, failures) = load::load(cx, args)?;
        let doomed = loaded.into_iter().map(|l| Doomed {
            kind: l.kind,
            namespace: l.namespace,
            name: l.name,
            uid: String::new(),
            source: Some(l.source),
        });
        return Ok((doomed.collect(), failures));
    }
    if args.words.is_empty() {
        return fail(
            "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
        );
    }
    let selects = args.is("all") || args.has("selector") || args.has("field-selector");
    let targets = resource::targets(cx, &args.words)?;
    if selects && targets.iter().any(|t| t.name.is_some()) {
        return fail("name cannot be provided when a selector is specified");
    }
    let mut doomed = Vec::new();
    for target in targets {
        let scope = |namespace: &str| match target.kind.namespaced {
            true => namespace.to_string(),
            false => String::new(),
        };
        if let Some(name) = &target.name {
            doomed.push(Doomed {
                kind: target.kind,
                namespace: scope(&cx.namespace),
                name: name.to_string(),
                uid: String::new(),
                source: None,
            });
            continue;
        }
        if !selects {
            return usage("delete", "resource(s) were provided, but no name was specified");
        }
        let namespace =
            if args.is("all-namespaces") { Default::default() } else { cx.namespace.clone() };
        let query = [
            ("labelSelector", args.text("selector").unwrap_or("")),
            ("fieldSelector", args.text("field-selector").unwrap_or("")),
        ];
        for (namespace, name) in cx.names(&target.kind, &namespace, &query)? {
            let (uid, source) = (String::new(), None);
            doomed.push(Doomed { kind: target.kind, namespace, name, uid, source });
        }
    }
    Ok((doomed, Vec::new()))
}

fn options(args: &Args) -> Result<Json> {
    let policy = match args.text("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => {
            return fail(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            ));
        }
    };
    let mut grace = args.int("grace-period")?.filter(|seconds| *seconds >= 0);
    if args.is("now") {
        if grace.is_some() {
            return fail("--now and --grace-period cannot be specified together");
        }
        grace = Some(1);
    }
    if grace == Some(0) && !args.is("force") {
        // Without --force the server is asked for the shortest orderly end.
        grace = Some(1);
    }
    if args.is("force") && grace.is_none() {
        grace = Some(0);
    }
    let mut options = object([("propagationPolicy", policy.into())]);
    if let Some(seconds) = grace {
        options.set("gracePeriodSeconds", seconds);
    }
    Ok(options)
}

fn said(item: &Doomed, is_forced: bool, dry_run: DryRun, name_only: bool) -> String {
    if name_only {
        return format!("{}\n", item.kind.named(&item.name));
    }
    let verb = if is_forced { "force deleted" } else { "deleted" };
    let place = match item.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" from {namespace} namespace"),
    };
    format!("{} \"{}\" {}\n", item.kind.word(), item.name, dry_run.note(verb) + &place)
}

const LOOK_AGAIN: Duration = Duration::millis(500);

/// Waits for objects to go, the last of the list first.
#[derive(Clone, Debug)]
struct Waiting {
    left: Vec<Doomed>,
    failures: Vec<Failure>,
    deadline: Option<Instant>,
}

impl Follow for Waiting {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        while let Some(item) = self.left.last() {
            match cx.object(&item.kind, &item.namespace, &item.name) {
                Ok(found) if item.uid.is_empty() || found.text("metadata.uid") == item.uid => {
                    if self.deadline.is_some_and(|deadline| cx.now >= deadline) {
                        return fail(format!(
                            "timed out waiting for the condition on {}/{}",
                            item.kind.plural, item.name
                        ));
                    }
                    return Ok(Pause::Until(cx.now + LOOK_AGAIN));
                }
                Ok(_) => {}
                Err(failure) if failure.is_not_found() => {}
                Err(failure) => return Err(failure),
            }
            self.left.pop();
        }
        get::end(cx, std::mem::take(&mut self.failures))?;
        Ok(Pause::Over)
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}
