//! A Node's description, with what its pods ask for.

use api::{Json, Quantity};

use super::sheet::{Sheet, or};
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::{Look, scalar};
use crate::resource;
use crate::text::human::{self, rfc1123};

pub(super) fn describe(cx: &mut Cx<'_>, node: &Json, sheet: &mut Sheet) -> Result<()> {
    let (spec, status) = (node.look("spec"), node.look("status"));
    let name = node.text("metadata.name");
    sheet.field(0, "Name", name);
    sheet.field(0, "Roles", roles(node));
    sheet.labels(node);
    sheet.annotations(node);
    sheet.field(0, "CreationTimestamp", rfc1123(node.look("metadata.creationTimestamp")));
    let mut taints: Vec<String> = spec
        .list("taints")
        .iter()
        .map(|taint| match taint.text("value") {
            "" => format!("{}:{}", taint.text("key"), taint.text("effect")),
            value => format!("{}={value}:{}", taint.text("key"), taint.text("effect")),
        })
        .collect();
    base::sort::naturally(&mut taints);
    sheet.lines("", "Taints", &taints);
    sheet.field(0, "Unschedulable", spec.is("unschedulable").to_string());
    lease(cx, name, sheet);
    conditions(status, sheet);
    sheet.line(0, "Addresses:");
    for address in status.list("addresses") {
        sheet.field(1, address.text("type"), address.text("address"));
    }
    for (title, key) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        sheet.line(0, format!("{title}:"));
        for (resource, amount) in status.map(key) {
            sheet.field(1, resource, scalar(amount));
        }
    }
    system(status.look("nodeInfo"), sheet);
    sheet.field_if(0, "PodCIDR", spec.text("podCIDR"));
    let ranges: Vec<String> = spec.list("podCIDRs").iter().map(scalar).collect();
    sheet.field_if(0, "PodCIDRs", ranges.join(","));
    sheet.field_if(0, "ProviderID", spec.text("providerID"));
    let field = format!("spec.nodeName={name},status.phase!=Failed,status.phase!=Succeeded");
    let pods = cx.list(&resource::known("pods"), "", &[("fieldSelector", &field)])?;
    let total = status.look(if status.has("allocatable") { "allocatable" } else { "capacity" });
    pod_table(cx, &pods, total, sheet);
    allocated(&pods, total, sheet);
    Ok(())
}

fn roles(node: &Json) -> String {
    let mut roles: Vec<&str> = node
        .look("metadata.labels")
        .fields()
        .iter()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role),
            _ if key == "kubernetes.io/role" => value.as_str(),
            _ => None,
        })
        .collect();
    base::sort::naturally(&mut roles);
    if roles.is_empty() { "<none>".into() } else { roles.join(",") }
}

fn lease(cx: &mut Cx<'_>, name: &str, sheet: &mut Sheet) {
    sheet.line(0, "Lease:");
    let lease = cx.object(&resource::known("leases"), "kube-node-lease", name).unwrap_or_default();
    sheet.field(1, "HolderIdentity", or(lease.text("spec.holderIdentity"), "<unset>"));
    for (title, key) in [("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")] {
        match lease.look("spec").look(key) {
            Json::Null => sheet.field(1, title, "<unset>"),
            time => sheet.field(1, title, rfc1123(time)),
        }
    }
}

fn conditions(status: &Json, sheet: &mut Sheet) {
    if status.list("conditions").is_empty() {
        return;
    }
    sheet.line(0, "Conditions:");
    sheet.line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    sheet.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for c in status.list("conditions") {
        sheet.line(
            1,
            format!(
                "{} \t{} \t{} \t{} \t{} \t{}",
                c.text("type"),
                c.text("status"),
                rfc1123(c.look("lastHeartbeatTime")),
                rfc1123(c.look("lastTransitionTime")),
                c.text("reason"),
                c.text("message")
            ),
        );
    }
}

fn system(info: &Json, sheet: &mut Sheet) {
    sheet.line(0, "System Info:");
    for (title, key) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ] {
        sheet.field(1, title, info.text(key));
    }
}

/// What a pod asks for, or may use: the larger of its containers' sum and its largest init container, with sidecars
/// and overhead.
fn amount(pod: &Json, list: &str, resource: &str) -> Quantity {
    let of = |holder: &Json| {
        let value = holder.look("resources").look(list).get(resource).map(scalar);
        value.and_then(|text| Quantity::parse(&text).ok()).unwrap_or(Quantity::ZERO)
    };
    let spec = pod.look("spec");
    let mut sum = Quantity::ZERO;
    spec.list("containers").iter().for_each(|c| sum.add(&of(c)));
    let (mut sidecars, mut peak) = (Quantity::ZERO, Quantity::ZERO);
    for container in spec.list("initContainers") {
        let mut now = of(container);
        if container.text("restartPolicy") == "Always" {
            sum.add(&now);
            sidecars.add(&now);
            now = sidecars.clone();
        } else {
            now.add(&sidecars);
        }
        peak = if now > peak { now } else { peak };
    }
    let mut sum = if peak > sum { peak } else { sum };
    if let Some(own) = spec.look("resources").look(list).get(resource)
        && let Ok(own) = Quantity::parse(&scalar(own))
    {
        sum = own;
    }
    if let Some(extra) = spec.look("overhead").get(resource)
        && (list == "requests" || !sum.is_zero())
        && let Ok(extra) = Quantity::parse(&scalar(extra))
    {
        sum.add(&extra);
    }
    sum
}

/// `100m (2%)`
fn share(used: &Quantity, total: &Json, resource: &str) -> String {
    let text = total.get(resource).map(scalar).unwrap_or_default();
    let total = Quantity::parse(&text).unwrap_or(Quantity::ZERO);
    let percent = match resource {
        "cpu" if total.milli_value() > 0 => {
            used.milli_value() as f64 / total.milli_value() as f64 * 100.0
        }
        "cpu" => 0.0,
        _ if total.value() > 0 => used.value() as f64 / total.value() as f64 * 100.0,
        _ => 0.0,
    };
    format!("{used} ({}%)", percent as i64)
}

fn pod_table(cx: &Cx<'_>, pods: &[Json], total: &Json, sheet: &mut Sheet) {
    sheet.line(0, format!("Non-terminated Pods:\t({} in total)", pods.len()));
    sheet.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    sheet.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    for pod in pods {
        let cell =
            |list: &str, resource: &str| share(&amount(pod, list, resource), total, resource);
        sheet.line(
            1,
            format!(
                "{}\t{}\t\t{}\t{}\t{}\t{}\t{}",
                pod.text("metadata.namespace"),
                pod.text("metadata.name"),
                cell("requests", "cpu"),
                cell("limits", "cpu"),
                cell("requests", "memory"),
                cell("limits", "memory"),
                human::since(cx.now, pod.look("metadata.creationTimestamp"))
            ),
        );
    }
}

fn allocated(pods: &[Json], total: &Json, sheet: &mut Sheet) {
    sheet.line(0, "Allocated resources:");
    sheet.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    sheet.line(1, "Resource\tRequests\tLimits");
    sheet.line(1, "--------\t--------\t------");
    let mut names = vec!["cpu", "memory", "ephemeral-storage"];
    let known = ["cpu", "memory", "ephemeral-storage", "pods"];
    let mut fields: Vec<&str> = total.fields().iter().map(|(name, _)| name.as_str()).collect();
    base::sort::naturally(&mut fields);
    names.extend(fields.iter().filter(|name| name.starts_with("hugepages-")));
    let extended: Vec<&str> = fields
        .into_iter()
        .filter(|name| !known.contains(name) && !name.starts_with("hugepages-"))
        .collect();
    for name in names {
        let cell = |list: &str| {
            let mut sum = Quantity::ZERO;
            pods.iter().for_each(|pod| sum.add(&amount(pod, list, name)));
            share(&sum, total, name)
        };
        sheet.line(1, format!("{name}\t{}\t{}", cell("requests"), cell("limits")));
    }
    for name in extended {
        let cell = |list: &str| {
            let mut sum = Quantity::ZERO;
            pods.iter().for_each(|pod| sum.add(&amount(pod, list, name)));
            sum.to_string()
        };
        sheet.line(1, format!("{name}\t{}\t{}", cell("requests"), cell("limits")));
    }
}
