//! Autoscalers, disruption budgets, priorities, roles, bindings and network policies.

use api::Json;

use super::sheet::{Sheet, or};
use crate::look::{Look, scalar};
use crate::text::human::rfc1123;

pub(super) fn autoscaler(object: &Json, sheet: &mut Sheet) {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "CreationTimestamp", rfc1123(object.look("metadata.creationTimestamp")));
    let target = spec.look("scaleTargetRef");
    sheet.field(0, "Reference", format!("{}/{}", target.text("kind"), target.text("name")));
    sheet.line(0, "Metrics:\t( current / target )");
    for metric in spec.list("metrics") {
        let resource = metric.look("resource");
        if resource.is_null() {
            sheet.line(1, format!("{} metric", metric.text("type")));
            continue;
        }
        let name = resource.text("name");
        let current = status
            .list("currentMetrics")
            .iter()
            .map(|m| m.look("resource"))
            .find(|m| m.text("name") == name)
            .map(|m| m.look("current"));
        let part = |key: &str| current.map(|c| scalar(c.look(key))).unwrap_or_default();
        let amount = part("averageValue");
        if resource.has("target.averageUtilization") {
            let percent = part("averageUtilization");
            let now = match percent.is_empty() {
                true => "<unknown>".to_string(),
                false => format!("{percent}% ({amount})"),
            };
            let wanted = resource.int("target.averageUtilization");
            sheet.line(
                1,
                format!(
                    "resource {name} on pods  (as a percentage of request):\t{now} / {wanted}%"
                ),
            );
        } else {
            let wanted = scalar(resource.look("target.averageValue"));
            sheet.line(
                1,
                format!("resource {name} on pods:\t{} / {wanted}", or(&amount, "<unknown>")),
            );
        }
    }
    let min = scalar(spec.look("minReplicas"));
    sheet.field(0, "Min replicas", or(&min, "<unset>"));
    sheet.field(0, "Max replicas", spec.int("maxReplicas").to_string());
    let (current, desired) = (status.int("currentReplicas"), status.int("desiredReplicas"));
    let title = format!("{} pods", target.text("kind"));
    sheet.field(0, &title, format!("{current} current / {desired} desired"));
    let conditions = status.list("conditions");
    if !conditions.is_empty() {
        sheet.line(0, "Conditions:");
        sheet.line(1, "Type\tStatus\tReason\tMessage");
        sheet.line(1, "----\t------\t------\t-------");
        for c in conditions {
            let (kind, is) = (c.text("type"), c.text("status"));
            sheet.line(1, format!("{kind}\t{is}\t{}\t{}", c.text("reason"), c.text("message")));
        }
    }
}

pub(super) fn disruption_budget(object: &Json, sheet: &mut Sheet) {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    if spec.has("minAvailable") {
        sheet.field(0, "Min available", scalar(spec.look("minAvailable")));
    } else if spec.has("maxUnavailable") {
        sheet.field(0, "Max unavailable", scalar(spec.look("maxUnavailable")));
    }
    let selector = super::selector(spec.look("selector"));
    sheet.field(0, "Selector", or(&selector, "<unset>"));
    sheet.line(0, "Status:");
    for (title, key) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        sheet.field(2, title, status.int(key).to_string());
    }
}

pub(super) fn priority_class(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.field(0, "Value", object.int("value").to_string());
    sheet.field(0, "GlobalDefault", object.is("globalDefault").to_string());
    sheet.field(0, "PreemptionPolicy", object.text("preemptionPolicy"));
    sheet.field(0, "Description", object.text("description"));
    sheet.annotations(object);
}

pub(super) fn role(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.line(0, "PolicyRule:");
    sheet.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    sheet.line(1, "---------\t-----------------\t--------------\t-----");
    let list = |rule: &Json, key: &str| {
        format!("[{}]", rule.list(key).iter().map(scalar).collect::<Vec<_>>().join(" "))
    };
    let mut lines = Vec::new();
    for rule in object.list("rules") {
        let rest = format!(
            "{}\t{}\t{}",
            list(rule, "nonResourceURLs"),
            list(rule, "resourceNames"),
            list(rule, "verbs")
        );
        if rule.list("resources").is_empty() {
            lines.push(format!("\t{rest}"));
        }
        for resource in rule.list("resources").iter().map(scalar) {
            for group in rule.list("apiGroups").iter().map(scalar) {
                let full = match (group.is_empty(), resource.split_once('/')) {
                    (true, _) => resource.clone(),
                    (false, Some((name, sub))) => format!("{name}.{group}/{sub}"),
                    (false, None) => format!("{resource}.{group}"),
                };
                lines.push(format!("{full}\t{rest}"));
            }
        }
    }
    base::sort::naturally(&mut lines);
    lines.iter().for_each(|line| sheet.line(1, line));
}

pub(super) fn binding(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.line(0, "Role:");
    sheet.field(1, "Kind", object.text("roleRef.kind"));
    sheet.field(1, "Name", object.text("roleRef.name"));
    sheet.line(0, "Subjects:");
    sheet.line(1, "Kind\tName\tNamespace");
    sheet.line(1, "----\t----\t---------");
    for subject in object.list("subjects") {
        let (kind, name) = (subject.text("kind"), subject.text("name"));
        sheet.line(1, format!("{kind}\t{name}\t{}", subject.text("namespace")));
    }
}

pub(super) fn network_policy(object: &Json, sheet: &mut Sheet) {
    let spec = object.look("spec");
    sheet.names(object);
    sheet.field(
        0,
        "Created on",
        object.text("metadata.creationTimestamp").replace('T', " ").replace('Z', " +0000 UTC"),
    );
    sheet.labels(object);
    sheet.annotations(object);
    sheet.line(0, "Spec:");
    let selector = super::selector(spec.look("podSelector"));
    let selector = match selector.is_empty() {
        true => "<none> (Allowing the specific traffic to all pods in this namespace)".to_string(),
        false => selector,
    };
    sheet.line(1, format!("PodSelector:     {selector}"));
    let types: Vec<String> = spec.list("policyTypes").iter().map(scalar).collect();
    for (kind, word, key) in [("Ingress", "ingress", "from"), ("Egress", "egress", "to")] {
        if !types.iter().any(|t| t == kind) {
            sheet.line(1, format!("Not affecting {word} traffic"));
            continue;
        }
        sheet.line(1, format!("Allowing {word} traffic:"));
        let rules = spec.list(word);
        if rules.is_empty() {
            sheet.line(2, format!("<none> (Selected pods are isolated for {word} connectivity)"));
        }
        for (i, rule) in rules.iter().enumerate() {
            if i > 0 {
                sheet.line(2, "----------");
            }
            peers(rule, key, sheet);
        }
    }
    sheet.line(1, format!("Policy Types: {}", types.join(", ")));
}

fn peers(rule: &Json, key: &str, sheet: &mut Sheet) {
    let title = if key == "from" { "From" } else { "To" };
    if rule.list("ports").is_empty() {
        sheet.line(2, "To Port: <any> (traffic allowed to all ports)");
    }
    for port in rule.list("ports") {
        let number = scalar(port.look("port"));
        let number = or(&number, "<any>");
        sheet.line(2, format!("To Port: {number}/{}", or(port.text("protocol"), "TCP")));
    }
    if rule.list(key).is_empty() {
        sheet.line(
            2,
            format!(
                "{title}: <any> (traffic not restricted by {})",
                if key == "from" { "source" } else { "destination" }
            ),
        );
    }
    for peer in rule.list(key) {
        sheet.line(2, format!("{title}:"));
        for (label, field) in
            [("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")]
        {
            if peer.has(field) {
                let text = super::selector(peer.look(field));
                sheet.line(3, format!("{label}: {}", or(&text, "<none>")));
            }
        }
        if peer.has("ipBlock") {
            sheet.line(3, "IPBlock:");
            sheet.line(4, format!("CIDR: {}", peer.text("ipBlock.cidr")));
            let except: Vec<String> = peer.list("ipBlock.except").iter().map(scalar).collect();
            sheet.line(4, format!("Except: {}", except.join(", ")));
        }
    }
}
