//! Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers.

use api::Json;

use super::sheet::Sheet;
use super::template;
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::{Look, scalar};
use crate::resource;
use crate::text::human::rfc1123;

pub(super) fn deployment(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    sheet.field(0, "CreationTimestamp", rfc1123(object.look("metadata.creationTimestamp")));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Selector", super::selector(spec.look("selector")));
    sheet.field(
        0,
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            spec.int("replicas"),
            status.int("updatedReplicas"),
            status.int("replicas"),
            status.int("availableReplicas"),
            status.int("unavailableReplicas")
        ),
    );
    sheet.field(0, "StrategyType", spec.text("strategy.type"));
    sheet.field(0, "MinReadySeconds", spec.int("minReadySeconds").to_string());
    if let Some(rolling) = spec.look("strategy").get("rollingUpdate") {
        sheet.field(
            0,
            "RollingUpdateStrategy",
            format!(
                "{} max unavailable, {} max surge",
                scalar(rolling.look("maxUnavailable")),
                scalar(rolling.look("maxSurge"))
            ),
        );
    }
    template::describe(spec.look("template"), sheet);
    conditions(status, sheet);
    let (old, new) = replica_sets(cx, object)?;
    let words = |sets: &[Json]| {
        let each = sets.iter().map(|set| {
            format!(
                "{} ({}/{} replicas created)",
                set.text("metadata.name"),
                set.int("status.replicas"),
                set.int("spec.replicas")
            )
        });
        let text = each.collect::<Vec<_>>().join(", ");
        if text.is_empty() { "<none>".to_string() } else { text }
    };
    sheet.field(0, "OldReplicaSets", words(&old));
    sheet.field(0, "NewReplicaSet", words(&new));
    Ok(())
}

/// The ReplicaSets of a Deployment: those of older templates, and the one of its own.
fn replica_sets(cx: &mut Cx<'_>, deployment: &Json) -> Result<(Vec<Json>, Vec<Json>)> {
    let uid = deployment.text("metadata.uid");
    let selector = super::selector(deployment.look("spec.selector"));
    let namespace = deployment.text("metadata.namespace");
    let query = [("labelSelector", selector.as_str())];
    let mut sets = cx.list(&resource::known("replicasets"), namespace, &query)?;
    sets.retain(|set| {
        let owners = set.list("metadata.ownerReferences");
        owners.iter().any(|owner| owner.is("controller") && owner.text("uid") == uid)
    });
    base::sort::by_cached_key(&mut sets, |set| {
        (set.text("metadata.creationTimestamp").to_string(), set.text("metadata.name").to_string())
    });
    let own = |set: &Json| {
        let mut template = set.look("spec.template").clone();
        if let Some(labels) = template.entry("metadata").get_mut("labels") {
            labels.remove("pod-template-hash");
        }
        template == *deployment.look("spec.template")
    };
    let at = sets.iter().position(own);
    let new = at.map(|at| sets.remove(at));
    Ok((sets, new.into_iter().collect()))
}

fn conditions(status: &Json, sheet: &mut Sheet) {
    let all = status.list("conditions");
    if all.is_empty() {
        return;
    }
    sheet.line(0, "Conditions:");
    sheet.line(1, "Type\tStatus\tReason");
    sheet.line(1, "----\t------\t------");
    for condition in all {
        let (kind, is) = (condition.text("type"), condition.text("status"));
        sheet.line(1, format!("{kind} \t{is}\t{}", condition.text("reason")));
    }
}

pub(super) fn replica_set(
    cx: &mut Cx<'_>,
    object: &Json,
    sheet: &mut Sheet,
    by_struct: bool,
) -> Result<()> {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    let selector = if by_struct {
        super::selector(spec.look("selector"))
    } else {
        crate::text::table::labels(spec.look("selector"))
    };
    sheet.field(0, "Selector", &selector);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.controlled_by(object);
    let (current, desired) = (status.int("replicas"), spec.int("replicas"));
    sheet.field(0, "Replicas", format!("{current} current / {desired} desired"));
    let pods = pods_status(cx, object, &selector)?;
    sheet.field(0, "Pods Status", pods);
    template::describe(spec.look("template"), sheet);
    conditions(status, sheet);
    Ok(())
}

/// How many of an object's pods are in each phase.
pub(super) fn pods_status(cx: &mut Cx<'_>, object: &Json, selector: &str) -> Result<String> {
    let namespace = object.text("metadata.namespace");
    let uid = object.text("metadata.uid");
    let pods = cx.list(&resource::known("pods"), namespace, &[("labelSelector", selector)])?;
    let count = |phase: &str| {
        let is = |pod: &&Json| {
            let owners = pod.list("metadata.ownerReferences");
            let owned = owners.iter().any(|o| o.is("controller") && o.text("uid") == uid);
            owned && pod.text("status.phase") == phase
        };
        pods.iter().filter(is).count()
    };
    Ok(format!(
        "{} Running / {} Waiting / {} Succeeded / {} Failed",
        count("Running"),
        count("Pending"),
        count("Succeeded"),
        count("Failed")
    ))
}

pub(super) fn stateful_set(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let (spec, status) = (object.look("spec"), object.look("status"));
    let selector = super::selector(spec.look("selector"));
    sheet.names(object);
    sheet.field(0, "CreationTimestamp", rfc1123(object.look("metadata.creationTimestamp")));
    sheet.field(0, "Selector", &selector);
    sheet.labels(object);
    sheet.annotations(object);
    let (desired, total) = (spec.int("replicas"), status.int("replicas"));
    sheet.field(0, "Replicas", format!("{desired} desired | {total} total"));
    sheet.field(0, "Update Strategy", spec.text("updateStrategy.type"));
    if spec.has("updateStrategy.rollingUpdate") {
        let partition = spec.int("updateStrategy.rollingUpdate.partition");
        sheet.field(1, "Partition", partition.to_string());
    }
    let pods = pods_status(cx, object, &selector)?;
    sheet.field(0, "Pods Status", pods);
    template::describe(spec.look("template"), sheet);
    claims(spec.list("volumeClaimTemplates"), sheet);
    Ok(())
}

fn claims(claims: &[Json], sheet: &mut Sheet) {
    if claims.is_empty() {
        sheet.field(0, "Volume Claims", "<none>");
        return;
    }
    sheet.line(0, "Volume Claims:");
    for claim in claims {
        sheet.field(1, "Name", claim.text("metadata.name"));
        sheet.field(1, "StorageClass", claim.text("spec.storageClassName"));
        sheet.pairs("  ", "Labels", claim.look("metadata.labels"), &[]);
        sheet.annotation_lines("  ", claim.look("metadata.annotations"));
        match scalar(claim.look("spec.resources.requests.storage")) {
            size if size.is_empty() => sheet.field(1, "Capacity", "<default>"),
            size => sheet.field(1, "Capacity", size),
        }
        let modes: Vec<String> = claim.list("spec.accessModes").iter().map(scalar).collect();
        sheet.field(1, "Access Modes", format!("[{}]", modes.join(" ")));
    }
}

pub(super) fn daemon_set(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let (spec, status) = (object.look("spec"), object.look("status"));
    let selector = super::selector(spec.look("selector"));
    sheet.names(object);
    sheet.field(0, "Selector", &selector);
    sheet.pairs("", "Node-Selector", spec.look("template.spec.nodeSelector"), &[]);
    sheet.labels(object);
    sheet.annotations(object);
    for (title, key) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        sheet.field(0, title, status.int(key).to_string());
    }
    let pods = pods_status(cx, object, &selector)?;
    sheet.field(0, "Pods Status", pods);
    template::describe(spec.look("template"), sheet);
    Ok(())
}
