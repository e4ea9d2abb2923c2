//! A Pod's description.

use api::Json;

use super::sheet::Sheet;
use super::{container, volume};
use crate::cx::Cx;
use crate::look::{Look, scalar};
use crate::text::human::{self, rfc1123};

pub(super) fn describe(cx: &mut Cx<'_>, pod: &Json, sheet: &mut Sheet) {
    let (spec, status) = (pod.look("spec"), pod.look("status"));
    sheet.names(pod);
    if spec.has("priority") {
        sheet.field(0, "Priority", spec.int("priority").to_string());
    }
    sheet.field_if(0, "Priority Class Name", spec.text("priorityClassName"));
    sheet.field_if(0, "Runtime Class Name", spec.text("runtimeClassName"));
    sheet.field_if(0, "Service Account", spec.text("serviceAccountName"));
    match spec.text("nodeName") {
        "" => sheet.field(0, "Node", "<none>"),
        node => sheet.field(0, "Node", format!("{node}/{}", status.text("hostIP"))),
    }
    if status.has("startTime") {
        sheet.field(0, "Start Time", rfc1123(status.look("startTime")));
    }
    sheet.labels(pod);
    sheet.annotations(pod);
    if pod.has("metadata.deletionTimestamp") && !is_over(status) {
        let since = human::since(cx.now, pod.look("metadata.deletionTimestamp"));
        let since = if since == "<invalid>" { "0s".to_string() } else { since };
        sheet.field(0, "Status", format!("Terminating (lasts {since})"));
        let grace = pod.int("metadata.deletionGracePeriodSeconds");
        sheet.field(0, "Termination Grace Period", format!("{grace}s"));
    } else {
        sheet.field(0, "Status", status.text("phase"));
    }
    sheet.field_if(0, "Reason", status.text("reason"));
    sheet.field_if(0, "Message", status.text("message"));
    sheet.field_if(0, "SeccompProfile", spec.text("securityContext.seccompProfile.type"));
    sheet.field(0, "IP", status.text("podIP"));
    if status.list("podIPs").is_empty() {
        sheet.field(0, "IPs", "<none>");
    } else {
        sheet.line(0, "IPs:");
        status.list("podIPs").iter().for_each(|ip| sheet.field(1, "IP", ip.text("ip")));
    }
    sheet.controlled_by(pod);
    sheet.field_if(0, "NominatedNodeName", status.text("nominatedNodeName"));
    for (title, list, statuses, always) in [
        ("Init Containers", "initContainers", "initContainerStatuses", false),
        ("Containers", "containers", "containerStatuses", true),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses", false),
    ] {
        if always || !spec.list(list).is_empty() {
            container::list(title, spec.list(list), Some(status.list(statuses)), pod, "", sheet);
        }
    }
    conditions(spec, status, sheet);
    volume::list(spec.list("volumes"), "", sheet);
    sheet.field(0, "QoS Class", status.text("qosClass"));
    sheet.pairs("", "Node-Selectors", spec.look("nodeSelector"), &[]);
    tolerations(spec, "", sheet);
    spread(spec, "", sheet);
}

fn is_over(status: &Json) -> bool {
    matches!(status.text("phase"), "Failed" | "Succeeded")
}

fn conditions(spec: &Json, status: &Json, sheet: &mut Sheet) {
    let all = status.list("conditions");
    let gates = spec.list("readinessGates");
    if !gates.is_empty() {
        sheet.line(0, "Readiness Gates:");
        sheet.line(1, "Type\tStatus");
        for gate in gates {
            let kind = gate.text("conditionType");
            let found = all.iter().find(|c| c.text("type") == kind);
            sheet.line(1, format!("{kind} \t{} ", found.map_or("<none>", |c| c.text("status"))));
        }
    }
    if !all.is_empty() {
        sheet.line(0, "Conditions:");
        sheet.line(1, "Type\tStatus");
        for condition in all {
            sheet.line(1, format!("{} \t{} ", condition.text("type"), condition.text("status")));
        }
    }
}

/// The tolerations of a pod or template.
pub(super) fn tolerations(spec: &Json, indent: &str, sheet: &mut Sheet) {
    let mut all: Vec<&Json> = spec.list("tolerations").iter().collect();
    base::sort::by_key(&mut all, |toleration| toleration.text("key"));
    let lines: Vec<String> = all
        .into_iter()
        .map(|toleration| {
            let (key, value) = (toleration.text("key"), toleration.text("value"));
            let effect = toleration.text("effect");
            let mut text = key.to_string();
            if !value.is_empty() {
                text.push_str(&format!("={value}"));
            }
            if !effect.is_empty() {
                text.push_str(&format!(":{effect}"));
            }
            if toleration.text("operator") == "Exists" && value.is_empty() {
                text.push_str(if key.is_empty() && effect.is_empty() {
                    "op=Exists"
                } else {
                    " op=Exists"
                });
            }
            if toleration.has("tolerationSeconds") {
                text.push_str(&format!(" for {}s", toleration.int("tolerationSeconds")));
            }
            text
        })
        .collect();
    sheet.lines(indent, "Tolerations", &lines);
}

/// The spread constraints of a pod or template, if there are any.
pub(super) fn spread(spec: &Json, indent: &str, sheet: &mut Sheet) {
    let all = spec.list("topologySpreadConstraints");
    if all.is_empty() {
        return;
    }
    let mut lines: Vec<String> = all
        .iter()
        .map(|constraint| {
            let mut text = format!(
                "{}:{} when max skew {} is exceeded",
                constraint.text("topologyKey"),
                constraint.text("whenUnsatisfiable"),
                scalar(constraint.look("maxSkew"))
            );
            if constraint.has("labelSelector") {
                let selector = super::selector(constraint.look("labelSelector"));
                text.push_str(&format!(" for selector {selector}"));
            }
            text
        })
        .collect();
    base::sort::naturally(&mut lines);
    sheet.lines(indent, "Topology Spread Constraints", &lines);
}
