//! `kubectl rollout restart`, `pause` and `resume`.

use api::Json;
use api::time::Time;

use crate::commands::scale::named;
use crate::commands::{Outcome, get};
use crate::cx::{Cx, STRATEGIC};
use crate::failure::{Result, fail};
use crate::flags::Args;
use crate::look::{Look, object};
use crate::resource::{self, Target};

pub(super) fn restart(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let now = Time::from(cx.now).to_string();
    each(cx, args, "restarted", |target, current| {
        let kind = target.kind.kind;
        if !matches!(kind, "Deployment" | "DaemonSet" | "StatefulSet") {
            return fail(format!(
                "{} \"{}\" restarting is not supported",
                target.kind.resource(),
                current.text("metadata.name")
            ));
        }
        if kind == "Deployment" && current.is("spec.paused") {
            return fail("can't restart paused deployment (run rollout resume first)".to_string());
        }
        let annotations = object([("kubectl.kubernetes.io/restartedAt", now.as_str().into())]);
        let meta = object([("annotations", annotations)]);
        Ok(object([("spec", object([("template", object([("metadata", meta)]))]))]))
    })
}

pub(super) fn pause(cx: &mut Cx<'_>, args: &Args, paused: bool) -> Result<Outcome> {
    let (what, is_so) =
        if paused { ("paused", "is already paused") } else { ("resumed", "is not paused") };
    each(cx, args, what, |target, current| {
        let name = current.text("metadata.name");
        let resource = target.kind.resource();
        if target.kind.kind != "Deployment" {
            let verb = if paused { "pausing" } else { "resuming" };
            return fail(format!("{resource} \"{name}\" {verb} is not supported"));
        }
        if current.is("spec.paused") == paused {
            return fail(format!("{resource} \"{name}\" {is_so}"));
        }
        let value = if paused { Json::Bool(true) } else { Json::Null };
        Ok(object([("spec", object([("paused", value)]))]))
    })
}

fn each(
    cx: &mut Cx<'_>,
    args: &Args,
    what: &str,
    change: impl Fn(&Target, &Json) -> Result<Json>,
) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail("required resource not specified");
    }
    let mut failures = Vec::new();
    for target in named_or_all(cx, args)? {
        let name = target.name.as_deref().unwrap_or("");
        let path = resource::path(&target.kind, &cx.namespace, name);
        let outcome = cx.get(&path).and_then(|current| {
            let patch = change(&target, &current)?;
            let path = resource::with_query(&path, &[("fieldManager", "kubectl-rollout")]);
            cx.patch(&path, STRATEGIC, &patch)
        });
        match outcome {
            Ok(_) => cx.say(&format!("{} {what}\n", target.kind.named(name))),
            Err(failure) => failures.push(failure),
        }
    }
    get::end(cx, failures)
}

/// `rollout restart deployment` without a name means all of them.
fn named_or_all(cx: &mut Cx<'_>, args: &Args) -> Result<Vec<Target>> {
    if args.has("filename") || args.has("selector") {
        return named(cx, args);
    }
    let mut all = Vec::new();
    for target in resource::targets(cx, &args.words)? {
        if target.name.is_some() {
            all.push(target);
            continue;
        }
        let namespace = cx.namespace.clone();
        for item in cx.list(&target.kind, &namespace, &[])? {
            all.push(Target { kind: target.kind, name: Some(item.text("metadata.name").into()) });
        }
    }
    Ok(all)
}
