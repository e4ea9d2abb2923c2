//! `kubectl set`: image, env, resources, serviceaccount, selector.
//!
//! Known deviations:
//! - `set env` takes `KEY=VALUE` and `KEY-`; no `--from`.

use api::Json;

use super::{Command, Outcome, get};
use crate::cx::{Cx, MERGE, STRATEGIC};
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object, put, scalar};
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "set",
    brief: "Set specific features on objects",
    usage: "kubectl set image TYPE/NAME CONTAINER=IMAGE...\n\
            kubectl set env TYPE/NAME KEY=VALUE... KEY-... [-c CONTAINER] [--list]\n\
            kubectl set resources TYPE/NAME --limits=cpu=200m --requests=cpu=100m [-c CONTAINER]\n\
            kubectl set serviceaccount TYPE/NAME NAME\n\
            kubectl set selector service NAME KEY=VALUE",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("containers").short('c'),
    text("limits"),
    text("requests"),
    text("env").short('e'),
    switch("list"),
    switch("all"),
    switch("local"),
    switch("overwrite"),
    text("selector").short('l'),
    text("filename").short('f'),
    text("field-manager"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

/// What a change makes of a pod template's spec: `None` where it stays as it is.
type Change<'a> = dyn Fn(&mut Cx<'_>, &Json) -> Result<Option<Json>> + 'a;

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let Some((sub, rest)) = args.words.split_first() else {
        return super::help::of(cx, &COMMAND);
    };
    let is_change = |word: &String| {
        word.contains('=') || (sub == "env" && word.ends_with('-') && !word.contains('/'))
    };
    let (changes, named): (Vec<String>, Vec<String>) =
        rest.iter().cloned().partition(|word| is_change(word));
    let mut args = args.clone();
    args.words = named;
    match sub.as_str() {
        "image" => {
            if changes.is_empty() {
                return fail("at least one image update is required");
            }
            each(cx, &args, "image updated", &|_, spec| images(spec, &changes))
        }
        "env" => {
            let mut changes = changes;
            changes.extend(args.all("env").iter().map(|text| text.to_string()));
            if changes.is_empty() && !args.is("list") {
                return fail("at least one environment variable must be provided");
            }
            let (wanted, list) = (args.clone(), args.is("list"));
            each(cx, &args, "env updated", &move |cx, spec| match list {
                true => {
                    list_env(cx, spec);
                    Ok(None)
                }
                false => env(spec, &changes, &wanted),
            })
        }
        "resources" => {
            let (limits, requests) = (amounts(&args, "limits")?, amounts(&args, "requests")?);
            if limits.is_none() && requests.is_none() {
                return fail(
                    "you must specify an update to requests or limits (in the form of --requests/--limits)",
                );
            }
            let wanted = args.clone();
            each(cx, &args, "resource requirements updated", &move |_, spec| {
                let mut resources = Json::object();
                for (key, value) in [("limits", &limits), ("requests", &requests)] {
                    if let Some(value) = value {
                        resources.set(key, value.clone());
                    }
                }
                per_container(spec, &wanted, |_| object([("resources", resources.clone())]))
            })
        }
        "serviceaccount" | "sa" => {
            let Some(account) = args.words.pop() else { return fail("serviceaccount is required") };
            each(cx, &args, "serviceaccount updated", &move |_, _| {
                Ok(Some(object([("serviceAccountName", account.as_str().into())])))
            })
        }
        "selector" => selector(cx, &args, &changes),
        other => fail(format!("unknown command \"{other}\" for \"kubectl set\"")),
    }
}

fn each(cx: &mut Cx<'_>, args: &Args, what: &str, change: &Change<'_>) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        );
    }
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let mut failures = Vec::new();
    for target in super::scale::named(cx, args)? {
        let name = target.name.as_deref().unwrap_or("");
        let path = resource::path(&target.kind, &cx.namespace, name);
        let place = match target.kind.kind {
            "Pod" => "spec",
            "CronJob" => "spec.jobTemplate.spec.template.spec",
            _ => "spec.template.spec",
        };
        let outcome = cx.get(&path).and_then(|current| {
            let Some(spec) = change(cx, current.look(place))? else { return Ok(None) };
            let mut patch = Json::object();
            put(&mut patch, place, spec);
            if dry_run == DryRun::Client {
                return Ok(Some(current));
            }
            let manager = args.text("field-manager").unwrap_or("kubectl-set");
            let query = [("fieldManager", manager), ("dryRun", dry_run.query())];
            cx.patch(&resource::with_query(&path, &query), STRATEGIC, &patch).map(Some)
        });
        match outcome {
            Ok(Some(object)) => {
                let text = output::changed(&format, &object, &dry_run.note(what))?;
                cx.say(&text);
            }
            Ok(None) => {}
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn images(spec: &Json, changes: &[String]) -> Result<Option<Json>> {
    let mut patch = Json::object();
    for change in changes {
        let (name, image) = change.split_once('=').unwrap_or((change, ""));
        let mut found = false;
        for list in ["initContainers", "containers"] {
            for container in spec.list(list) {
                if name != "*" && container.text("name") != name {
                    continue;
                }
                found = true;
                if container.text("image") != image {
                    let entry =
                        object([("image", image.into()), ("name", container.text("name").into())]);
                    push(&mut patch, list, entry);
                }
            }
        }
        if !found {
            return fail(format!("unable to find container named \"{name}\""));
        }
    }
    Ok((!patch.fields().is_empty()).then_some(patch))
}

fn push(patch: &mut Json, list: &str, entry: Json) {
    let list = patch.entry(list);
    if list.is_null() {
        *list = Json::Array(Vec::new());
    }
    if let Some(items) = list.as_array_mut() {
        items.push(entry);
    }
}

/// A patch of the containers that `-c` names, all of them without it.
fn per_container(spec: &Json, args: &Args, change: impl Fn(&Json) -> Json) -> Result<Option<Json>> {
    let wanted = args.text("containers").filter(|name| *name != "*");
    let mut patch = Json::object();
    for container in spec.list("containers") {
        let name = container.text("name");
        if wanted.is_some_and(|wanted| wanted != name) {
            continue;
        }
        let mut entry = change(container);
        entry.set("name", name);
        push(&mut patch, "containers", entry);
    }
    if patch.fields().is_empty() {
        return fail(format!("unable to find container named \"{}\"", wanted.unwrap_or("*")));
    }
    Ok(Some(patch))
}

fn env(spec: &Json, changes: &[String], args: &Args) -> Result<Option<Json>> {
    per_container(spec, args, |container| {
        let has = |key: &str| container.list("env").iter().any(|e| e.text("name") == key);
        let entries = changes.iter().filter_map(|change| match change.split_once('=') {
            Some((key, value)) => Some(object([("name", key.into()), ("value", value.into())])),
            None => {
                let key = change.trim_end_matches('-');
                has(key).then(|| object([("name", key.into()), ("$patch", "delete".into())]))
            }
        });
        object([("env", Json::Array(entries.collect()))])
    })
}

fn list_env(cx: &mut Cx<'_>, spec: &Json) {
    for container in spec.list("containers") {
        cx.say(&format!("# container {}\n", container.text("name")));
        for variable in container.list("env") {
            let value = match variable.get("valueFrom") {
                Some(from) => format!("# {} from {from}\n", variable.text("name")),
                None => format!("{}={}\n", variable.text("name"), scalar(variable.look("value"))),
            };
            cx.say(&value);
        }
    }
}

/// `cpu=200m,memory=512Mi`
fn amounts(args: &Args, flag: &str) -> Result<Option<Json>> {
    let Some(text) = args.text(flag) else { return Ok(None) };
    let mut amounts = Json::object();
    for part in text.split(',') {
        match part.split_once('=') {
            Some((key, value)) => amounts.set(key, value),
            None => {
                return fail(format!(
                    "invalid argument syntax {part}, expected <resource>=<value>"
                ));
            }
        }
    }
    Ok(Some(amounts))
}

fn selector(cx: &mut Cx<'_>, args: &Args, changes: &[String]) -> Result<Outcome> {
    let mut wanted = Json::object();
    for part in changes.iter().flat_map(|change| change.split(',')) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        wanted.set(key, value);
    }
    let mut failures = Vec::new();
    for target in super::scale::named(cx, args)? {
        if target.kind.kind != "Service" {
            return fail("setting a selector is only supported for Services");
        }
        let name = target.name.as_deref().unwrap_or("");
        let path = resource::path(&target.kind, &cx.namespace, name);
        let outcome = cx.get(&path).and_then(|current| {
            let mut whole = Json::object();
            for (key, _) in current.look("spec.selector").fields() {
                whole.set(key.clone(), Json::Null);
            }
            for (key, value) in wanted.fields() {
                whole.set(key.clone(), value.clone());
            }
            let patch = object([("spec", object([("selector", whole)]))]);
            let path = resource::with_query(&path, &[("fieldManager", "kubectl-set")]);
            cx.patch(&path, MERGE, &patch)
        });
        match outcome {
            Ok(_) => cx.say(&format!("{} selector updated\n", target.kind.named(name))),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}
