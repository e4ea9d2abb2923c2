//! `kubectl replace`.

use super::{Command, Outcome, apply, get};
use crate::cx::Cx;
use crate::failure::Result;
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::{self, DryRun, Loaded};
use crate::look::object;
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "replace",
    brief: "Replace a resource by file name or stdin",
    usage: "kubectl replace -f - [--force]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    switch("force"),
    switch("save-config"),
    text("grace-period"),
    text("field-manager"),
    optional("cascade", "background"),
    optional("dry-run", "unchanged"),
    optional("validate", "strict"),
    text("output").short('o'),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let (objects, mut failures) = load::load(cx, args)?;
    for loaded in &objects {
        let outcome = one(cx, args, loaded, dry_run)
            .and_then(|object| output::changed(&format, &object, &dry_run.note("replaced")));
        match outcome {
            Ok(text) => cx.say(&text),
            Err(failure) => failures.push(failure.when("replacing", &loaded.source)),
        }
    }
    get::end(cx, failures)
}

fn one(cx: &mut Cx<'_>, args: &Args, loaded: &Loaded, dry_run: DryRun) -> Result<api::Json> {
    let mut whole = loaded.object.clone();
    apply::save_config(args, &mut whole);
    if dry_run == DryRun::Client {
        return Ok(whole);
    }
    let manager = args.text("field-manager").unwrap_or("kubectl-replace");
    let validation = load::validation(args)?;
    if args.is("force") {
        let options = object([
            ("gracePeriodSeconds", args.int("grace-period")?.unwrap_or(0).max(0).into()),
            ("propagationPolicy", "Background".into()),
        ]);
        match cx.delete(&loaded.path(), &options) {
            Ok(_) => {}
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
        return apply::create(cx, &loaded.collection(), &whole, manager, dry_run, validation);
    }
    let query =
        [("fieldManager", manager), ("fieldValidation", validation), ("dryRun", dry_run.query())];
    cx.put(&resource::with_query(&loaded.path(), &query), &whole)
}
