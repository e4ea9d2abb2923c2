//! The inspector: one object from all sides, gathered when it is asked for.

mod causes;
mod sections;

use api::Object;
use api::core::v1::{Event, Node, Pod};
use api::json::Json;
use api::object::{Key as ObjectKey, KindInfo};
use api::wire::Trigger;
use base::{Instant, Str};
use protocol::{Action, EventRow, Fault, Inspection, Kind, Mark, State, Verdict};

use crate::architecture::running;
use crate::infra::Infra;
use crate::item::{key_of_part, kind_of, part_of_key, reference, state, title};
use crate::news::micros;
use crate::status::{node_state, pod_state};

/// Events that are listed.
const EVENTS_MAX: usize = 50;

/// One write to the store.
#[derive(Clone, Debug)]
pub struct Write {
    /// The revision it made.
    pub revision: i64,
    /// The object's kind.
    pub kind: &'static KindInfo,
    /// The object.
    pub key: ObjectKey,
    /// `create`, `update`, `patch`, `delete` …
    pub verb: &'static str,
    /// Who decided it.
    pub actor: Str,
    /// What that reacted to.
    pub trigger: Trigger,
    /// A person did it.
    pub by_hand: bool,
    /// When.
    pub at: Instant,
}

/// Where the inspector reads.
pub trait Source {
    /// The newest state of an object.
    fn object(&self, kind: &'static KindInfo, key: &ObjectKey) -> Option<Object>;
    /// The recorded events about an object.
    fn events(&self, object: &Object) -> Vec<Event>;
    /// The write that made a revision, if it is remembered.
    fn write_at(&self, revision: i64) -> Option<Write>;
    /// The remembered writes to an object, newest first.
    fn writes_to(&self, kind: &'static KindInfo, key: &ObjectKey) -> Vec<Write>;
    /// The text of a numbered command.
    fn command(&self, number: u32) -> Option<String>;
    /// What runs and what is joined.
    fn infra(&self) -> Infra;
}

/// An object or a part from all sides; none if the key names neither.
pub fn inspect(source: &dyn Source, key: &str) -> Option<Inspection> {
    if let Some((name, node)) = part_of_key(key) {
        return Some(part(source, key, name, node));
    }
    let key = match key.strip_prefix("client/") {
        Some(pod) if pod.contains('/') => format!("pod/{pod}"),
        _ => key.to_owned(),
    };
    let (info, object_key) = reference(&key)?;
    let object = source.object(info, &object_key);
    let infra = source.infra();
    let Some(object) = object else {
        return Some(Inspection {
            gone: true,
            causes: causes::of(source, info, &object_key),
            ..empty(&key, kind_of(info), title(info, &object_key))
        });
    };
    Some(Inspection {
        state: state_of(&object, &infra),
        summary: sections::of(&object, source),
        yaml: yaml(&object),
        events: events(source.events(&object)),
        causes: causes::of(source, info, &object_key),
        verdicts: verdicts(&object),
        actions: actions(&object, &infra, &key),
        ..empty(&key, kind_of(info), title(info, &object_key))
    })
}

fn empty(key: &str, kind: Kind, title: String) -> Inspection {
    Inspection {
        key: key.into(),
        kind,
        title,
        state: state(Mark::Plain, ""),
        gone: false,
        summary: Vec::new(),
        yaml: String::new(),
        events: Vec::new(),
        causes: Vec::new(),
        verdicts: Vec::new(),
        actions: Vec::new(),
    }
}

fn part(source: &dyn Source, key: &str, name: &str, node: &str) -> Inspection {
    let infra = source.infra();
    let (kind, runs) = match (name, node) {
        ("kubelet", node) => {
            let machine = infra.machine(node);
            (Kind::Kubelet, machine.kubelet && machine.powered)
        }
        ("kube-proxy", node) => {
            let machine = infra.machine(node);
            (Kind::KubeProxy, machine.kube_proxy == Some(true) && machine.powered)
        }
        _ => {
            let part = infra.parts.iter().find(|part| part.name == name);
            part.map_or((Kind::Object, false), |part| (part.kind, part.running))
        }
    };
    let on = if node.is_empty() { String::new() } else { format!(" on {node}") };
    let action = if runs {
        Action::Break { label: "Unplug".into(), fault: Fault::Unplug(key.into()) }
    } else {
        Action::Break { label: "Plug in".into(), fault: Fault::Plug(key.into()) }
    };
    Inspection {
        state: running(runs),
        summary: sections::of_part(kind, node),
        actions: if kind == Kind::Etcd { Vec::new() } else { vec![action] },
        ..empty(key, kind, format!("{name}{on}"))
    }
}

fn state_of(object: &Object, infra: &Infra) -> State {
    if let Some(pod) = object.get::<Pod>() {
        return pod_state(pod);
    }
    if let Some(node) = object.get::<Node>() {
        return node_state(node, infra.machine(&node.metadata.name).powered);
    }
    if let Some(deployment) = object.get() {
        return crate::deployment::deployment_state(deployment);
    }
    match object.meta().deletion_timestamp {
        Some(_) => state(Mark::Terminating, "Terminating"),
        None => state(Mark::Plain, ""),
    }
}

/// The object as `kubectl get -o yaml` shows it: without the record of field managers.
fn yaml(object: &Object) -> String {
    let mut json = object.to_json();
    if let Json::Object(fields) = &mut json
        && let Some((_, Json::Object(meta))) =
            fields.iter_mut().find(|(name, _)| name == "metadata")
    {
        meta.retain(|(name, _)| name != "managedFields");
    }
    manifest::to_yaml(&json)
}

fn events(mut events: Vec<Event>) -> Vec<EventRow> {
    let at = |event: &Event| {
        let seconds = event.last_timestamp.or(event.first_timestamp).map(|time| time.instant());
        let micros = event.event_time.map(|time| time.instant());
        seconds.or(micros).unwrap_or(Instant::START)
    };
    base::sort::by(&mut events, |a, b| {
        at(b).cmp(&at(a)).then_with(|| b.metadata.name.cmp(&a.metadata.name))
    });
    let row = |event: &Event| EventRow {
        warning: event.type_ == "Warning",
        reason: event.reason.to_string(),
        at: micros(at(event)),
        from: if event.source.component.is_empty() {
            event.reporting_component.to_string()
        } else {
            event.source.component.to_string()
        },
        message: event.message.to_string(),
        count: event.series.as_ref().map_or(event.count, |series| series.count).max(1) as u32,
    };
    events.iter().take(EVENTS_MAX).map(row).collect()
}

/// The scheduler's own words about a pod that has no node, one reason each.
fn verdicts(object: &Object) -> Vec<Verdict> {
    let Some(pod) = object.get::<Pod>() else { return Vec::new() };
    let refused = pod
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False" && !c.message.is_empty());
    refused.map(|c| verdicts_of(&c.message)).unwrap_or_default()
}

/// Splits `0/3 nodes are available: 1 node(s) …, 2 Insufficient cpu. preemption: …`.
fn verdicts_of(message: &str) -> Vec<Verdict> {
    let Some((_, rest)) = message.split_once(" nodes are available: ") else {
        return vec![Verdict {
            node: "Every node".into(),
            plugin: String::new(),
            reason: message.trim_end_matches('.').into(),
        }];
    };
    let (reasons, preemption) = rest.split_once(" preemption: ").unwrap_or((rest, ""));
    let mut out: Vec<Verdict> = reasons
        .trim_end_matches([' ', '.'])
        .split(", ")
        .map(|part| {
            let (count, reason) = part.split_once(' ').unwrap_or(("", part));
            let nodes = if count == "1" { "1 node".to_owned() } else { format!("{count} nodes") };
            let reason = reason.strip_prefix("node(s) ").unwrap_or(reason);
            Verdict { node: nodes, plugin: String::new(), reason: reason.into() }
        })
        .collect();
    if let Some((_, why)) = preemption.split_once(" nodes are available: ") {
        let why =
            why.trim_end_matches('.').trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        out.push(Verdict { node: "Preemption".into(), plugin: String::new(), reason: why.into() });
    }
    out
}

fn actions(object: &Object, infra: &Infra, key: &str) -> Vec<Action> {
    let (name, namespace) = (object.name(), object.namespace());
    let run = |label: &str, line: String| Action::Run { label: label.into(), line };
    let harm = |label: &str, fault: Fault| Action::Break { label: label.into(), fault };
    let info = object.info();
    let on = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    let delete = format!("kubectl delete {} {name}{on} --wait=false", info.singular);
    match info.kind {
        "Pod" => vec![run("Delete", delete), harm("Kill its process", Fault::KillPod(key.into()))],
        "Deployment" => {
            let wanted = object
                .get::<api::apps::v1::Deployment>()
                .and_then(|deployment| deployment.spec.replicas)
                .unwrap_or(1);
            let scale = |to: i32| format!("kubectl scale deployment {name}{on} --replicas={to}");
            vec![
                run("One more", scale(wanted + 1)),
                run("One less", scale((wanted - 1).max(0))),
                run("Restart", format!("kubectl rollout restart deployment {name}{on}")),
                run("Undo", format!("kubectl rollout undo deployment {name}{on}")),
                run("Delete", delete),
            ]
        }
        "Node" => node_actions(object, infra, key),
        "Event" | "Lease" | "Endpoint" => Vec::new(),
        _ => vec![run("Delete", delete)],
    }
}

fn node_actions(object: &Object, infra: &Infra, key: &str) -> Vec<Action> {
    let name = object.name();
    let machine = infra.machine(name);
    let api = key_of_part("kube-apiserver", "");
    let cordoned = object.get::<Node>().is_some_and(|node| node.spec.unschedulable);
    let cordon = if cordoned { ("Uncordon", "uncordon") } else { ("Cordon", "cordon") };
    let power = if machine.powered {
        ("Switch off", Fault::NodeOff(key.into()))
    } else {
        ("Switch on", Fault::NodeOn(key.into()))
    };
    let link = if machine.joined {
        ("Cut its link", Fault::CutLink(api, key.into()))
    } else {
        ("Mend its link", Fault::HealLink(api, key.into()))
    };
    vec![
        Action::Run { label: cordon.0.into(), line: format!("kubectl {} {name}", cordon.1) },
        Action::Run {
            label: "Drain".into(),
            line: format!(
                "kubectl drain {name} --ignore-daemonsets --delete-emptydir-data --force"
            ),
        },
        Action::Break { label: power.0.into(), fault: power.1 },
        Action::Break { label: link.0.into(), fault: link.1 },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, want: &[(&str, &str)]) {
        let verdicts = verdicts_of(message);
        let got: Vec<_> = verdicts.iter().map(|v| (v.node.as_str(), v.reason.as_str())).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn the_schedulers_sentence_becomes_one_verdict_per_reason() {
        check(
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: \
             0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            &[
                ("1 node", "had untolerated taint(s)"),
                ("2 nodes", "Insufficient cpu"),
                ("Preemption", "Preemption is not helpful for scheduling"),
            ],
        );
    }
    #[test]
    fn another_sentence_is_kept_whole() {
        check(
            "no nodes available to schedule pods",
            &[("Every node", "no nodes available to schedule pods")],
        );
    }
}
