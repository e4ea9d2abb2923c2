//! `kubectl patch`.

use super::{Command, Outcome, get};
use crate::cx::{Cx, JSON_PATCH, MERGE, STRATEGIC};
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "patch",
    brief: "Update fields of a resource",
    usage: "kubectl patch TYPE NAME -p PATCH [--type=strategic|merge|json] [--subresource=status|scale]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("patch").short('p'),
    text("patch-file"),
    text("type"),
    text("subresource"),
    text("filename").short('f'),
    text("field-manager"),
    switch("local"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let text = match (args.text("patch"), args.text("patch-file")) {
        (Some(_), Some(_)) => return fail("cannot specify --patch and --patch-file together"),
        (Some(text), None) => text.to_string(),
        (None, Some(path)) => match cx.server.file(path) {
            Some(text) => text,
            None => {
                return fail(format!(
                    "unable to read patch file: open {path}: no such file or directory"
                ));
            }
        },
        (None, None) => {
            return fail(
                "must specify --patch or --patch-file containing the contents of the patch",
            );
        }
    };
    let content_type = match args.text("type").map(str::to_ascii_lowercase).as_deref() {
        None | Some("strategic") => STRATEGIC,
        Some("merge") => MERGE,
        Some("json") => JSON_PATCH,
        Some(other) => {
            return fail(format!("--type must be one of [json merge strategic], not \"{other}\""));
        }
    };
    let body = to_json(&text)?;
    let mut failures = Vec::new();
    for target in super::scale::named(cx, args)? {
        let name = target.name.as_deref().unwrap_or("");
        let mut path = resource::path(&target.kind, &cx.namespace, name);
        if let Some(subresource) = args.text("subresource") {
            path = format!("{path}/{subresource}");
        }
        let outcome = cx.get(&path).and_then(|before| {
            if dry_run == DryRun::Client {
                return Ok((before.clone(), before));
            }
            let manager = args.text("field-manager").unwrap_or("kubectl-patch");
            let query = [("fieldManager", manager), ("dryRun", dry_run.query())];
            let path = resource::with_query(&path, &query);
            let after = cx.send("PATCH", &path, content_type, body.as_bytes())?;
            Ok((before, after))
        });
        match outcome {
            Ok((before, after)) => {
                let what = if before == after && dry_run == DryRun::No {
                    "patched (no change)"
                } else {
                    "patched"
                };
                let text = output::changed(&format, &after, &dry_run.note(what))?;
                cx.say(&text);
            }
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

/// A patch as it is sent: JSON as it came, YAML made JSON.
fn to_json(text: &str) -> Result<String> {
    if text.trim_start().starts_with(['{', '[']) {
        return Ok(text.to_string());
    }
    match manifest::parse(text) {
        Ok(documents) if documents.len() == 1 => Ok(documents[0].value.to_string()),
        Ok(_) => fail(format!("unable to parse {text:?}: one document is expected")),
        Err(error) => fail(format!("unable to parse {text:?}: {error}")),
    }
}
