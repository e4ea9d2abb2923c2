//! `kubectl rollout status`.

use api::Json;
use base::Instant;

use crate::commands::scale::named;
use crate::commands::watch::Watch;
use crate::commands::{Follow, Outcome, Pause};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::Args;
use crate::look::Look;
use crate::resource;
use crate::server::Server;

pub(super) fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail("required resource not specified");
    }
    let targets = named(cx, args)?;
    let timeout = args.duration("timeout")?.filter(|span| span.as_micros() > 0);
    let mut waiting = Vec::new();
    for target in targets {
        let name = target.name.as_deref().unwrap_or("");
        let namespace = cx.namespace.clone();
        let object = cx.object(&target.kind, &namespace, name)?;
        let (text, is_done) = of(target.kind.kind, &object, revision(args)?)?;
        cx.say(&text);
        if is_done || !args.on("watch", true) {
            continue;
        }
        let collection = resource::path(&target.kind, &namespace, "");
        let from = object.text("metadata.resourceVersion").to_string();
        let watch = Watch::of_one(cx, &collection, name, &from)?;
        waiting.push(Waiting { watch, kind: target.kind.kind, name: name.to_string() });
    }
    if waiting.is_empty() {
        return Ok(Outcome::Done);
    }
    waiting.reverse();
    let deadline = timeout.map(|span| cx.now + span);
    let revision = revision(args)?;
    Ok(Outcome::Follow(Box::new(Status { waiting, deadline, revision })))
}

fn revision(args: &Args) -> Result<i64> {
    Ok(args.int("revision")?.unwrap_or(0))
}

#[derive(Clone, Debug)]
struct Waiting {
    watch: Watch,
    kind: &'static str,
    name: String,
}

/// Objects that are still rolling out, the last of the list first.
#[derive(Clone, Debug)]
struct Status {
    waiting: Vec<Waiting>,
    deadline: Option<Instant>,
    revision: i64,
}

impl Follow for Status {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        while let Some(waiting) = self.waiting.last_mut() {
            let mut is_over = false;
            for event in waiting.watch.events(cx.server) {
                match event.change.as_str() {
                    "BOOKMARK" => continue,
                    "ERROR" => return Err(Failure::Status(Box::new(event.object))),
                    "DELETED" => return fail(format!("object has been deleted: {}", waiting.name)),
                    _ => {}
                }
                let (text, is_done) = of(waiting.kind, &event.object, self.revision)?;
                cx.say(&text);
                if is_done {
                    is_over = true;
                    break;
                }
            }
            if !is_over {
                if self.deadline.is_some_and(|deadline| cx.now >= deadline) {
                    return fail("timed out waiting for the condition");
                }
                return Ok(Pause::Events);
            }
            waiting.watch.close(cx.server);
            self.waiting.pop();
        }
        Ok(Pause::Over)
    }

    fn close(&mut self, server: &mut dyn Server) {
        self.waiting.iter_mut().for_each(|waiting| waiting.watch.close(server));
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}

/// The line about an object, and whether its rollout is over.
fn of(kind: &str, object: &Json, revision: i64) -> Result<(String, bool)> {
    match kind {
        "Deployment" => deployment(object, revision),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        other => fail(format!("no status viewer has been implemented for {other}")),
    }
}

fn deployment(object: &Json, revision: i64) -> Result<(String, bool)> {
    let name = object.text("metadata.name");
    if revision > 0 {
        let annotations = object.look("metadata.annotations");
        let is = annotations.get("deployment.kubernetes.io/revision").and_then(Json::as_str);
        if is.and_then(|is| is.parse().ok()) != Some(revision) {
            return fail(format!(
                "desired revision ({revision}) is different from the running revision ({})",
                is.unwrap_or("")
            ));
        }
    }
    let status = object.look("status");
    if object.int("metadata.generation") > status.int("observedGeneration") {
        return Ok(("Waiting for deployment spec update to be observed...\n".into(), false));
    }
    let late = status
        .list("conditions")
        .iter()
        .any(|c| c.text("type") == "Progressing" && c.text("reason") == "ProgressDeadlineExceeded");
    if late {
        return fail(format!("deployment \"{name}\" exceeded its progress deadline"));
    }
    let wanted = object.int("spec.replicas");
    let (all, updated) = (status.int("replicas"), status.int("updatedReplicas"));
    let available = status.int("availableReplicas");
    let waiting = format!("Waiting for deployment \"{name}\" rollout to finish: ");
    if updated < wanted {
        let text = format!("{updated} out of {wanted} new replicas have been updated...\n");
        return Ok((waiting + &text, false));
    }
    if all > updated {
        let old = all - updated;
        return Ok((format!("{waiting}{old} old replicas are pending termination...\n"), false));
    }
    if available < updated {
        let text = format!("{available} of {updated} updated replicas are available...\n");
        return Ok((waiting + &text, false));
    }
    Ok((format!("deployment \"{name}\" successfully rolled out\n"), true))
}

const ONLY_ROLLING: &str = "rollout status is only available for RollingUpdate strategy type";

fn daemon_set(object: &Json) -> Result<(String, bool)> {
    if object.text("spec.updateStrategy.type") != "RollingUpdate" {
        return fail(ONLY_ROLLING);
    }
    let (name, status) = (object.text("metadata.name"), object.look("status"));
    if object.int("metadata.generation") > status.int("observedGeneration") {
        return Ok(("Waiting for daemon set spec update to be observed...\n".into(), false));
    }
    let wanted = status.int("desiredNumberScheduled");
    let updated = status.int("updatedNumberScheduled");
    let available = status.int("numberAvailable");
    let waiting = format!("Waiting for daemon set \"{name}\" rollout to finish: ");
    if updated < wanted {
        let text = format!("{updated} out of {wanted} new pods have been updated...\n");
        return Ok((waiting + &text, false));
    }
    if available < wanted {
        let text = format!("{available} of {wanted} updated pods are available...\n");
        return Ok((waiting + &text, false));
    }
    Ok((format!("daemon set \"{name}\" successfully rolled out\n"), true))
}

fn stateful_set(object: &Json) -> Result<(String, bool)> {
    if object.text("spec.updateStrategy.type") != "RollingUpdate" {
        return fail(ONLY_ROLLING);
    }
    let status = object.look("status");
    let observed = status.int("observedGeneration");
    if observed == 0 || object.int("metadata.generation") > observed {
        return Ok(("Waiting for statefulset spec update to be observed...\n".into(), false));
    }
    let (wanted, ready) = (object.int("spec.replicas"), status.int("readyReplicas"));
    if ready < wanted {
        return Ok((format!("Waiting for {} pods to be ready...\n", wanted - ready), false));
    }
    let updated = status.int("updatedReplicas");
    if object.has("spec.updateStrategy.rollingUpdate.partition") {
        let partition = object.int("spec.updateStrategy.rollingUpdate.partition");
        if updated < wanted - partition {
            return Ok((
                format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {} new pods have been updated...\n",
                    wanted - partition
                ),
                false,
            ));
        }
        let text =
            format!("partitioned roll out complete: {updated} new pods have been updated...\n");
        return Ok((text, true));
    }
    let revision = status.text("updateRevision");
    if revision != status.text("currentRevision") {
        return Ok((
            format!(
                "waiting for statefulset rolling update to complete {updated} pods at revision {revision}...\n"
            ),
            false,
        ));
    }
    let current = status.int("currentReplicas");
    let revision = status.text("currentRevision");
    Ok((
        format!("statefulset rolling update complete {current} pods at revision {revision}...\n"),
        true,
    ))
}
