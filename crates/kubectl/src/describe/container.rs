//! Containers in a description.

use api::{Json, Quantity};

use super::sheet::{Sheet, truth};
use crate::look::{Look, scalar};
use crate::text::human::rfc1123;

/// A list of containers. Those of a template have no statuses and stand one space deeper.
pub(super) fn list(
    label: &str,
    containers: &[Json],
    statuses: Option<&[Json]>,
    pod: &Json,
    indent: &str,
    sheet: &mut Sheet,
) {
    if containers.is_empty() {
        sheet.block(&format!("{indent}{label}: <none>\n"));
        return;
    }
    sheet.block(&format!("{indent}{label}:\n"));
    for container in containers {
        let name = container.text("name");
        let status = statuses.and_then(|all| all.iter().find(|s| s.text("name") == name));
        let deeper = if indent.is_empty() { "" } else { " " };
        sheet.line(1, format!("{deeper}{name}:"));
        basics(container, status, sheet);
        words("Command", container.list("command"), sheet);
        words("Args", container.list("args"), sheet);
        if let Some(status) = status {
            state("State", status.look("state"), sheet);
            if status.has("lastState.terminated") {
                state("Last State", status.look("lastState"), sheet);
            }
            sheet.field(2, "Ready", truth(status.is("ready")));
            sheet.field(2, "Restart Count", status.int("restartCount").to_string());
        }
        resources(container.look("resources"), sheet);
        for (title, key) in [
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ] {
            if container.has(key) {
                sheet.field(2, title, probe(container.look(key)));
            }
        }
        environment(container, pod, sheet);
        mounts(container, sheet);
    }
}

fn basics(container: &Json, status: Option<&Json>, sheet: &mut Sheet) {
    if let Some(status) = status {
        sheet.field(2, "Container ID", status.text("containerID"));
    }
    sheet.field(2, "Image", container.text("image"));
    if let Some(status) = status {
        sheet.field(2, "Image ID", status.text("imageID"));
    }
    for (title, key) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let ports: Vec<String> = container
            .list("ports")
            .iter()
            .map(|port| {
                let name = port.text("name");
                let suffix = if name.is_empty() { String::new() } else { format!(" ({name})") };
                let protocol = super::sheet::or(port.text("protocol"), "TCP");
                format!("{}/{protocol}{suffix}", port.int(key))
            })
            .collect();
        let title = if ports.len() > 1 { format!("{title}s") } else { title.to_string() };
        let text = if ports.is_empty() { "<none>".to_string() } else { ports.join(", ") };
        sheet.field(2, &title, text);
    }
    let profile = container.look("securityContext.seccompProfile");
    if profile.has("type") {
        sheet.field(2, "SeccompProfile", profile.text("type"));
    }
}

fn words(title: &str, words: &[Json], sheet: &mut Sheet) {
    if words.is_empty() {
        return;
    }
    sheet.line(2, format!("{title}:"));
    for word in words {
        for line in scalar(word).split('\n') {
            sheet.line(3, line);
        }
    }
}

fn state(title: &str, state: &Json, sheet: &mut Sheet) {
    if state.has("running") {
        sheet.field(2, title, "Running");
        sheet.field(3, "Started", rfc1123(state.look("running.startedAt")));
    } else if let Some(ended) = state.get("terminated").filter(|t| !t.is_null()) {
        sheet.field(2, title, "Terminated");
        sheet.field_if(3, "Reason", ended.text("reason"));
        sheet.field_if(3, "Message", ended.text("message"));
        sheet.field(3, "Exit Code", ended.int("exitCode").to_string());
        if ended.int("signal") > 0 {
            sheet.field(3, "Signal", ended.int("signal").to_string());
        }
        sheet.field(3, "Started", rfc1123(ended.look("startedAt")));
        sheet.field(3, "Finished", rfc1123(ended.look("finishedAt")));
    } else {
        sheet.field(2, title, "Waiting");
        sheet.field_if(3, "Reason", state.text("waiting.reason"));
    }
}

fn resources(resources: &Json, sheet: &mut Sheet) {
    for (title, key) in [("Limits", "limits"), ("Requests", "requests")] {
        let amounts = resources.map(key);
        if amounts.is_empty() {
            continue;
        }
        sheet.line(2, format!("{title}:"));
        for (name, amount) in amounts {
            sheet.field(3, name, scalar(amount));
        }
    }
}

fn probe(probe: &Json) -> String {
    let number = |key: &str, default: i64| match probe.int(key) {
        0 => default,
        n => n,
    };
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        probe.int("initialDelaySeconds"),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    if probe.has("exec") {
        let command: Vec<String> = probe.list("exec.command").iter().map(scalar).collect();
        return format!("exec [{}] {attributes}", command.join(" "));
    }
    if let Some(get) = probe.get("httpGet").filter(|get| !get.is_null()) {
        let scheme = super::sheet::or(get.text("scheme"), "HTTP").to_ascii_lowercase();
        let port = match scalar(get.look("port")) {
            port if port.is_empty() => String::new(),
            port => format!(":{port}"),
        };
        let path = get.text("path");
        let slash = if path.starts_with('/') || path.is_empty() { "" } else { "/" };
        return format!("http-get {scheme}://{}{port}{slash}{path} {attributes}", get.text("host"));
    }
    if probe.has("tcpSocket") {
        let host = probe.text("tcpSocket.host");
        return format!("tcp-socket {host}:{} {attributes}", scalar(probe.look("tcpSocket.port")));
    }
    if probe.has("grpc") {
        let service = probe.text("grpc.service");
        return format!("grpc <pod>:{} {service} {attributes}", probe.int("grpc.port"));
    }
    format!("unknown {attributes}")
}

fn environment(container: &Json, pod: &Json, sheet: &mut Sheet) {
    let from = container.list("envFrom");
    if !from.is_empty() {
        sheet.line(2, "Environment Variables from:");
        for source in from {
            let (kind, reference) = match source.has("configMapRef") {
                true => ("ConfigMap", source.look("configMapRef")),
                false => ("Secret", source.look("secretRef")),
            };
            let prefix = match source.text("prefix") {
                "" => String::new(),
                prefix => format!(" with prefix '{prefix}'"),
            };
            let name = reference.text("name");
            sheet
                .line(3, format!("{name}\t{kind}{prefix}\tOptional: {}", reference.is("optional")));
        }
    }
    let all = container.list("env");
    if all.is_empty() {
        sheet.field(2, "Environment", "<none>");
        return;
    }
    sheet.line(2, "Environment:");
    for variable in all {
        let name = variable.text("name");
        let from = variable.look("valueFrom");
        if from.is_null() {
            for (i, line) in variable.text("value").split('\n').enumerate() {
                match i {
                    0 => sheet.field(3, name, line),
                    _ => sheet.line(3, format!("\t{line}")),
                }
            }
        } else if let Some(field) = from.get("fieldRef") {
            let path = field.text("fieldPath");
            let version = super::sheet::or(field.text("apiVersion"), "v1");
            sheet.line(3, format!("{name}:\t{} ({version}:{path})", field_value(pod, path)));
        } else if let Some(key) = from.get("secretKeyRef") {
            sheet.line(
                3,
                format!(
                    "{name}:\t<set to the key '{}' in secret '{}'>\tOptional: {}",
                    key.text("key"),
                    key.text("name"),
                    key.is("optional")
                ),
            );
        } else if let Some(key) = from.get("configMapKeyRef") {
            sheet.line(
                3,
                format!(
                    "{name}:\t<set to the key '{}' of config map '{}'>\tOptional: {}",
                    key.text("key"),
                    key.text("name"),
                    key.is("optional")
                ),
            );
        } else if let Some(resource) = from.get("resourceFieldRef") {
            let which = resource.text("resource");
            let value = resource_value(container, resource);
            let is_limit = matches!(which, "limits.cpu" | "limits.memory");
            let value =
                if value == 0 && is_limit { "node allocatable".into() } else { value.to_string() };
            sheet.line(3, format!("{name}:\t{value} ({which})"));
        }
    }
}

/// What a resource field reference gives: the amount in units of its divisor, rounded up.
fn resource_value(container: &Json, reference: &Json) -> i64 {
    let which = reference.text("resource");
    let read = |value: &Json| Quantity::parse(&scalar(value)).unwrap_or(Quantity::ZERO);
    let (list, name) = which.split_once('.').unwrap_or((which, ""));
    let amounts = container.look("resources").look(list);
    let amount = amounts.get(name).map(read).unwrap_or(Quantity::ZERO);
    let divisor = Some(read(reference.look("divisor"))).filter(|d| !d.is_zero());
    let divisor = divisor.unwrap_or(Quantity::units(1));
    let (amount, divisor) = match name {
        "cpu" => (amount.milli_value(), divisor.milli_value()),
        _ => (amount.value(), divisor.value()),
    };
    (amount + divisor - 1) / divisor.max(1)
}

/// What a field reference gives in a pod.
fn field_value(pod: &Json, path: &str) -> String {
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => pod.text(path).to_string(),
        _ => String::new(),
    }
}

fn mounts(container: &Json, sheet: &mut Sheet) {
    let mut mounts: Vec<&Json> = container.list("volumeMounts").iter().collect();
    base::sort::by_key(&mut mounts, |mount| mount.text("mountPath"));
    if mounts.is_empty() {
        sheet.field(2, "Mounts", "<none>");
    } else {
        sheet.line(2, "Mounts:");
    }
    for mount in mounts {
        let access = if mount.is("readOnly") { "ro" } else { "rw" };
        let sub = match mount.text("subPath") {
            "" => String::new(),
            path => format!(",path=\"{path}\""),
        };
        let text =
            format!("{} from {} ({access}{sub})", mount.text("mountPath"), mount.text("name"));
        sheet.line(3, text);
    }
    let devices = container.list("volumeDevices");
    if !devices.is_empty() {
        sheet.line(2, "Devices:");
        for device in devices {
            sheet.line(3, format!("{} from {}", device.text("devicePath"), device.text("name")));
        }
    }
}
