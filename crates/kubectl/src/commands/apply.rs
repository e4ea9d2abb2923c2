//! `kubectl apply`: brings objects to what a manifest says, remembering what it said before.
//!
//! Known deviations:
//! - No `--prune`, no `edit-last-applied`, `set-last-applied` and `view-last-applied`.

use api::Json;
use api::patch;

use super::{Command, Outcome, get};
use crate::custom;
use crate::cx::{APPLY, Cx, JSON, MERGE, STRATEGIC};
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::{self, DryRun, Loaded};
use crate::look::Look;
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "apply",
    brief: "Apply a configuration to a resource by file name or stdin",
    usage: "kubectl apply -f - [--server-side] [--dry-run=client|server]   (the manifest goes below the line)\n\
            kubectl apply -f FILE",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    switch("recursive").short('R'),
    text("kustomize").short('k'),
    text("output").short('o'),
    switch("server-side"),
    switch("force-conflicts"),
    text("field-manager"),
    optional("dry-run", "unchanged"),
    optional("validate", "strict"),
    switch("overwrite"),
    switch("force"),
    switch("wait"),
    switch("prune"),
    switch("show-managed-fields"),
    switch("openapi-patch"),
    switch("all"),
    text("selector").short('l'),
];

/// Where client-side apply keeps what was applied.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if let Some(word) = args.words.first() {
        return fail(format!(
            "Unexpected args: [{}]\nSee 'kubectl apply -h' for help and examples",
            word
        ));
    }
    if args.is("prune") {
        return fail(
            "--prune is not part of this terminal; delete what is left over by name or label",
        );
    }
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    if args.is("server-side") && dry_run == DryRun::Client {
        return fail(
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
        );
    }
    let validation = load::validation(args)?;
    let (objects, mut failures) = load::load(cx, args)?;
    for loaded in &objects {
        let outcome = if args.is("server-side") {
            server_side(cx, args, loaded, dry_run, validation)
        } else {
            client_side(cx, args, loaded, dry_run, validation)
        };
        match outcome.and_then(|(object, what)| output::changed(&format, &object, &what)) {
            Ok(text) => cx.say(&text),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn server_side(
    cx: &mut Cx<'_>,
    args: &Args,
    loaded: &Loaded,
    dry_run: DryRun,
    validation: &str,
) -> Result<(Json, String)> {
    let path = resource::with_query(
        &loaded.path(),
        &[
            ("fieldManager", args.text("field-manager").unwrap_or("kubectl")),
            ("fieldValidation", validation),
            ("force", if args.is("force-conflicts") { "true" } else { "false" }),
            ("dryRun", dry_run.query()),
        ],
    );
    let object = cx.patch(&path, APPLY, &loaded.object).map_err(|failure| {
        if !failure.is("Conflict") {
            return failure;
        }
        Failure::Plain(format!(
            "{}\nPlease review the fields above--they currently have other managers. Here\nare the \
             ways you can resolve this warning:\n* If you intend to manage all of these fields, \
             please re-run the apply\n  command with the `--force-conflicts` flag.\n* If you do not \
             intend to manage all of the fields, please edit your\n  manifest to remove references \
             to the fields that should keep their\n  current managers.\n* You may co-own fields by \
             updating your manifest to match the existing\n  value; in this case, you'll become the \
             manager if the other manager(s)\n  stop managing the field (remove it from their \
             configuration).\nSee https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
            failure.message()
        ))
    })?;
    Ok((object, dry_run.note("serverside-applied")))
}

fn client_side(
    cx: &mut Cx<'_>,
    args: &Args,
    loaded: &Loaded,
    dry_run: DryRun,
    validation: &str,
) -> Result<(Json, String)> {
    let source = &loaded.source;
    let (_, applied) = remembered(&loaded.object);
    if loaded.name.is_empty() {
        return fail(format!(
            "error when retrieving current configuration of:\nResource: \"{}, Resource={}\", \
             GroupVersionKind: \"{}, Kind={}\"\nName: \"\", Namespace: \"{}\"\nfrom \
             for: \"{source}\": resource name may not be empty",
            loaded.kind.api_version(),
            loaded.kind.plural,
            loaded.kind.api_version(),
            loaded.kind.kind,
            loaded.namespace
        ));
    }
    let manager = args.text("field-manager").unwrap_or("kubectl-client-side-apply");
    let query =
        [("fieldManager", manager), ("fieldValidation", validation), ("dryRun", dry_run.query())];
    let current = match cx.get(&loaded.path()) {
        Ok(current) => current,
        Err(failure) if failure.is_not_found() => {
            if dry_run == DryRun::Client {
                return Ok((applied, dry_run.note("created")));
            }
            let path = resource::with_query(&loaded.collection(), &query);
            let created = cx.post(&path, &applied).map_err(|f| f.when("creating", source))?;
            return Ok((created, dry_run.note("created")));
        }
        Err(failure) => return Err(failure),
    };
    let original = current.look("metadata.annotations").get(LAST_APPLIED).and_then(Json::as_str);
    if original.is_none() && dry_run != DryRun::Client {
        cx.warn(&format!(
            "resource {} is missing the {LAST_APPLIED} annotation which is required by kubectl \
             apply. kubectl apply should only be used on resources created declaratively by either \
             kubectl create --save-config or kubectl apply. The missing annotation will be patched \
             automatically.",
            slashed(loaded)
        ));
    }
    let original = original.and_then(|text| Json::parse(text.as_bytes()).ok());
    let patch = three_way(loaded, original.unwrap_or_else(Json::object), &applied, &current)?;
    if patch.fields().is_empty() {
        return Ok((current, dry_run.note("unchanged")));
    }
    if dry_run == DryRun::Client {
        return Ok((current, dry_run.note("configured")));
    }
    let path = resource::with_query(&loaded.path(), &query);
    let patched = cx.patch(&path, patch_type(loaded), &patch).map_err(|f| {
        let text = format!(
            "error when applying patch:\n{patch}\nto:\nResource: \"{}\", GroupVersionKind: \
             \"{}\"\nName: \"{}\", Namespace: \"{}\"\nfor: \"{source}\": ",
            resource_words(loaded),
            kind_words(loaded),
            loaded.name,
            loaded.namespace
        );
        let when = f.clone().when("patching", source);
        match f {
            Failure::Status(mut status) => {
                status.set("message", text + &when.message());
                Failure::Status(status)
            }
            other => other,
        }
    })?;
    Ok((patched, dry_run.note("configured")))
}

fn resource_words(loaded: &Loaded) -> String {
    format!("{}, Resource={}", group_version(loaded), loaded.kind.plural)
}

fn kind_words(loaded: &Loaded) -> String {
    format!("{}, Kind={}", group_version(loaded), loaded.kind.kind)
}

/// `apps/v1`, or `/v1` for the core group.
fn group_version(loaded: &Loaded) -> String {
    format!("{}/{}", loaded.kind.group, loaded.kind.version)
}

/// `deployments/web`
fn slashed(loaded: &Loaded) -> String {
    format!("{}/{}", loaded.kind.plural, loaded.name)
}

/// The object as it is remembered, and with that memory in its annotation.
pub(crate) fn remembered(object: &Json) -> (Json, Json) {
    let mut bare = object.clone();
    let annotations = bare.entry("metadata").entry("annotations");
    if annotations.is_null() {
        *annotations = Json::object();
    }
    annotations.remove(LAST_APPLIED);
    let bare = bare.sorted();
    let mut full = bare.clone();
    let memory = format!("{bare}\n");
    full.entry("metadata").entry("annotations").set(LAST_APPLIED, memory);
    (bare, full)
}

/// The patch that a kind's objects take: custom ones know no strategic merge.
pub(crate) fn patch_type(loaded: &Loaded) -> &'static str {
    if custom::is_custom(loaded.kind) { MERGE } else { STRATEGIC }
}

/// What brings the live object to the manifest, and takes away what was applied before and is gone from it.
pub(crate) fn three_way(
    loaded: &Loaded,
    original: Json,
    applied: &Json,
    current: &Json,
) -> Result<Json> {
    let mut current = current.clone();
    output::without_managed_fields(&mut current);
    if custom::is_custom(loaded.kind) {
        return Ok(patch::merge::three_way(&original, applied, &current));
    }
    match patch::three_way(original, applied.clone(), current, loaded.kind.0.schema) {
        Ok(patch) => Ok(patch),
        Err(error) => fail(format!("error creating patch for {}: {error}", slashed(loaded))),
    }
}

/// Creates an object as other commands do: under a manager's name.
pub(crate) fn create(
    cx: &mut Cx<'_>,
    collection: &str,
    object: &Json,
    manager: &str,
    dry_run: DryRun,
    validation: &str,
) -> Result<Json> {
    if dry_run == DryRun::Client {
        return Ok(object.clone());
    }
    let path = resource::with_query(
        collection,
        &[("fieldManager", manager), ("fieldValidation", validation), ("dryRun", dry_run.query())],
    );
    cx.request("POST", &path, Some((JSON, object)), JSON)
}

/// Puts the last-applied annotation on an object where `--save-config` asks for it.
pub(crate) fn save_config(args: &Args, object: &mut Json) {
    if args.is("save-config") {
        *object = remembered(object).1;
    }
}
