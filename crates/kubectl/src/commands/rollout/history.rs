//! `kubectl rollout history` and `undo`.

use api::Json;
use api::patch::strategic;

use crate::commands::apply::LAST_APPLIED;
use crate::commands::scale::named;
use crate::commands::{Outcome, get};
use crate::cx::{Cx, JSON_PATCH, STRATEGIC};
use crate::describe;
use crate::failure::{Failure, Result, fail};
use crate::flags::Args;
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource::{self, Target};
use crate::text::tab::Tabs;

const REVISION: &str = "deployment.kubernetes.io/revision";
const CAUSE: &str = "kubernetes.io/change-cause";

/// One revision of a workload.
struct Revision {
    number: i64,
    cause: String,
    /// The pod template, without the hash label of a ReplicaSet.
    template: Json,
    /// The template with its hash label.
    shown: Json,
    /// What a rollback to it sends; null for Deployments.
    patch: Json,
    /// The annotations of the ReplicaSet.
    annotations: Json,
}

pub(super) fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail("required resource not specified");
    }
    let wanted = args.int("revision")?.unwrap_or(0);
    let mut failures = Vec::new();
    for target in named(cx, args)? {
        match one(cx, &target, wanted) {
            Ok(text) => cx.say(&text),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn one(cx: &mut Cx<'_>, target: &Target, wanted: i64) -> Result<String> {
    let name = target.name.as_deref().unwrap_or("");
    if !matches!(target.kind.kind, "Deployment" | "DaemonSet" | "StatefulSet") {
        return fail(format!(
            "error retrieving history for \"{0}\", no visitor method exists for {{{1} {0}}}",
            target.kind.kind, target.kind.group
        ));
    }
    let namespace = cx.namespace.clone();
    let workload = cx.object(&target.kind, &namespace, name)?;
    let revisions = revisions(cx, target, &workload)?;
    let full = target.kind.named(name);
    if wanted > 0 {
        let Some(revision) = revisions.iter().find(|r| r.number == wanted) else {
            return fail("unable to find the specified revision");
        };
        let template = describe::template_raw(&revision.shown);
        return Ok(format!("{full} with revision #{wanted}\n{template}\n"));
    }
    if revisions.is_empty() {
        return Ok(format!("{full} \nNo rollout history found.\n"));
    }
    let mut text = String::from("REVISION\tCHANGE-CAUSE\n");
    for revision in &revisions {
        let cause = if revision.cause.is_empty() { "<none>" } else { &revision.cause };
        text.push_str(&format!("{}\t{cause}\n", revision.number));
    }
    Ok(format!("{full} \n{}\n", Tabs::describe().align(&text)))
}

/// The revisions of a workload, oldest first.
fn revisions(cx: &mut Cx<'_>, target: &Target, workload: &Json) -> Result<Vec<Revision>> {
    let uid = workload.text("metadata.uid").to_string();
    let owned = |item: &Json| {
        item.list("metadata.ownerReferences")
            .iter()
            .any(|owner| owner.is("controller") && owner.text("uid") == uid)
    };
    let is_deployment = target.kind.kind == "Deployment";
    let kind = resource::known(if is_deployment { "replicasets" } else { "controllerrevisions" });
    let namespace = cx.namespace.clone();
    let selector = crate::commands::logs::selector_of(workload);
    let items = cx.list(&kind, &namespace, &[("labelSelector", &selector)])?;
    let mut revisions: Vec<Revision> = items
        .iter()
        .filter(|item| owned(item))
        .filter_map(|item| match is_deployment {
            true => of_replica_set(item),
            false => of_controller_revision(item, workload, target),
        })
        .collect();
    base::sort::by_key(&mut revisions, |revision| revision.number);
    Ok(revisions)
}

fn annotation<'a>(item: &'a Json, key: &str) -> &'a str {
    item.look("metadata.annotations").get(key).and_then(Json::as_str).unwrap_or("")
}

fn of_replica_set(set: &Json) -> Option<Revision> {
    let mut shown = set.look("spec.template").clone();
    let cause = annotation(set, CAUSE).to_string();
    let mut template = shown.clone();
    if let Some(labels) = template.entry("metadata").get_mut("labels") {
        labels.remove("pod-template-hash");
    }
    if !cause.is_empty() {
        shown.entry("metadata").entry("annotations").set(CAUSE, cause.clone());
    }
    Some(Revision {
        number: annotation(set, REVISION).parse().ok()?,
        cause,
        template,
        shown,
        patch: Json::Null,
        annotations: set.look("metadata.annotations").clone(),
    })
}

fn of_controller_revision(item: &Json, workload: &Json, target: &Target) -> Option<Revision> {
    let patch = item.look("data").clone();
    let whole = strategic::apply(workload.clone(), patch.clone(), target.kind.0.schema).ok()?;
    let template = whole.look("spec.template").clone();
    let mut shown = template.clone();
    let cause = annotation(item, CAUSE).to_string();
    if !cause.is_empty() {
        shown.entry("metadata").entry("annotations").set(CAUSE, cause.clone());
    }
    Some(Revision {
        number: item.int("revision"),
        cause,
        template,
        shown,
        patch,
        annotations: Json::Null,
    })
}

pub(super) fn undo(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail("required resource not specified");
    }
    let to = args.int("to-revision")?.unwrap_or(0);
    let dry_run = DryRun::of(args)?;
    let mut failures = Vec::new();
    for target in named(cx, args)? {
        match undo_one(cx, &target, to, dry_run) {
            Ok(text) => cx.say(&text),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

fn undo_one(cx: &mut Cx<'_>, target: &Target, to: i64, dry_run: DryRun) -> Result<String> {
    let name = target.name.as_deref().unwrap_or("");
    let word = target.kind.kind.to_ascii_lowercase();
    if !matches!(target.kind.kind, "Deployment" | "DaemonSet" | "StatefulSet") {
        return fail(format!("no rollbacker has been implemented for \"{}\"", target.kind.kind));
    }
    let namespace = cx.namespace.clone();
    let workload = cx.object(&target.kind, &namespace, name)?;
    if !annotation(&workload, LAST_APPLIED).is_empty() {
        cx.warn(&format!(
            "resource {}/{name} was previously managed with 'kubectl apply'. Rolling back will not \
             update the {LAST_APPLIED} annotation, which may cause unexpected behavior on future \
             'kubectl apply' operations. Consider using 'kubectl apply' with your previous \
             configuration file instead.",
            target.kind.plural
        ));
    }
    if workload.is("spec.paused") {
        return fail("you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again".to_string());
    }
    let revisions = revisions(cx, target, &workload)?;
    let found = match to {
        0 if revisions.len() < 2 => {
            return fail(format!("no rollout history found for {word} \"{name}\""));
        }
        0 => revisions.get(revisions.len() - 2),
        to => revisions.iter().find(|revision| revision.number == to),
    };
    let Some(revision) = found else {
        return fail(format!("unable to find specified revision {to} in history"));
    };
    let full = target.kind.named(name);
    if revision.template == *workload.look("spec.template") {
        return Ok(format!(
            "{full} skipped rollback (current template already matches revision {})\n",
            revision.number
        ));
    }
    if dry_run != DryRun::Client {
        let query = [("fieldManager", "kubectl-rollout"), ("dryRun", dry_run.query())];
        let path = resource::with_query(&resource::path(&target.kind, &namespace, name), &query);
        let (kind, patch) = match target.kind.kind {
            "Deployment" => (JSON_PATCH, deployment_patch(&workload, revision)),
            _ => (STRATEGIC, revision.patch.clone()),
        };
        cx.patch(&path, kind, &patch).map_err(|f| {
            Failure::Plain(format!(
                "failed restoring revision {}: {}",
                revision.number,
                f.message()
            ))
        })?;
    }
    Ok(format!("{full} {}\n", dry_run.note("rolled back")))
}

/// Puts the template back, and the ReplicaSet's annotations but for those that belong to the rollout itself.
fn deployment_patch(workload: &Json, revision: &Revision) -> Json {
    const OWN: &[&str] = &[
        LAST_APPLIED,
        REVISION,
        "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to",
    ];
    let mut annotations = Json::object();
    for (key, value) in workload.look("metadata.annotations").fields() {
        if OWN.contains(&key.as_str()) {
            annotations.set(key.clone(), value.clone());
        }
    }
    for (key, value) in revision.annotations.fields() {
        if !OWN.contains(&key.as_str()) {
            annotations.set(key.clone(), value.clone());
        }
    }
    let replace = |path: &str, value: Json| {
        object([("op", "replace".into()), ("path", path.into()), ("value", value)])
    };
    Json::Array(vec![
        replace("/spec/template", revision.template.clone()),
        replace("/metadata/annotations", annotations),
    ])
}
