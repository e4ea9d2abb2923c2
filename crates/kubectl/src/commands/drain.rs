//! `kubectl drain`: cordons a node and evicts its pods.
//!
//! Known deviations:
//! - `--disable-eviction` deletes as upstream does; `--chunk-size` and `--skip-wait-for-delete-timeout` are accepted
//!   and have no effect.

use api::Json;
use base::{Duration, Instant};

use super::{Command, Follow, Outcome, Pause, node};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object};
use crate::resource;

pub(crate) const COMMAND: Command = Command {
    name: "drain",
    brief: "Drain a node in preparation for maintenance",
    usage: "kubectl drain NODE [--ignore-daemonsets] [--delete-emptydir-data] [--force] [--grace-period=N] [--timeout=5m]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    switch("ignore-daemonsets"),
    switch("delete-emptydir-data"),
    switch("delete-local-data"),
    switch("force"),
    switch("disable-eviction"),
    text("grace-period"),
    text("timeout"),
    text("selector").short('l'),
    text("pod-selector"),
    text("chunk-size"),
    text("skip-wait-for-delete-timeout"),
    optional("dry-run", "unchanged"),
];

const DAEMONS: &str = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)";
const LOCAL: &str =
    "cannot delete Pods with local storage (use --delete-emptydir-data to override)";
const ALONE: &str = "cannot delete Pods that declare no controller (use --force to override)";

/// A pod that is to leave.
#[derive(Clone, Debug)]
struct Leaving {
    namespace: String,
    name: String,
    uid: String,
    /// Whether its eviction is granted.
    granted: bool,
}

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let dry_run = DryRun::of(args)?;
    let nodes = node::nodes(cx, args)?;
    for name in &nodes {
        node::mark(cx, name, true, dry_run)?;
    }
    let timeout = args.duration("timeout")?.filter(|span| span.as_micros() > 0);
    let mut queue = Vec::new();
    for name in nodes {
        let pods = match pods(cx, args, &name)? {
            Ok(pods) => pods,
            Err(whys) => {
                cx.say(&undrained(&name, &whys));
                return Err(still_pending(&[(name, whys)]));
            }
        };
        queue.push((name, pods));
    }
    if dry_run != DryRun::No {
        for (name, pods) in &queue {
            for pod in pods {
                let note = dry_run.note("");
                cx.say(&format!("evicting pod {}/{}{note}\n", pod.namespace, pod.name));
            }
            cx.say(&format!("node/{name} {}\n", dry_run.note("drained")));
        }
        return Ok(Outcome::Done);
    }
    queue.reverse();
    let mut options = Json::object();
    if let Some(seconds) = args.int("grace-period")?.filter(|seconds| *seconds >= 0) {
        options.set("gracePeriodSeconds", seconds);
    }
    Ok(Outcome::Follow(Box::new(Draining {
        queue,
        options,
        deletes: args.is("disable-eviction"),
        timeout,
        deadline: None,
        retry_at: None,
        whys: Vec::new(),
        pending: Vec::new(),
    })))
}

/// The pods of a node that a drain moves, or why it may not.
fn pods(
    cx: &mut Cx<'_>,
    args: &Args,
    node: &str,
) -> Result<std::result::Result<Vec<Leaving>, Vec<String>>> {
    let field = format!("spec.nodeName={node}");
    let selector = args.text("pod-selector").unwrap_or("");
    let query = [("fieldSelector", field.as_str()), ("labelSelector", selector)];
    let found = cx.list(&resource::known("pods"), "", &query)?;
    let (mut leaving, mut daemons) = (Vec::new(), Vec::new());
    let (mut local, mut alone) = (Vec::new(), Vec::new());
    for pod in &found {
        let annotations = pod.look("metadata.annotations");
        if annotations.get("kubernetes.io/config.mirror").is_some() {
            continue;
        }
        let full = format!("{}/{}", pod.text("metadata.namespace"), pod.text("metadata.name"));
        let is_over = matches!(pod.text("status.phase"), "Succeeded" | "Failed");
        let owners = pod.list("metadata.ownerReferences");
        let owner = owners.iter().find(|owner| owner.is("controller"));
        if owner.is_some_and(|owner| owner.text("kind") == "DaemonSet") && !is_over {
            daemons.push(full);
            continue;
        }
        let is_local = pod.list("spec.volumes").iter().any(|volume| volume.has("emptyDir"));
        if is_local && !is_over {
            local.push(full.clone());
        }
        if owner.is_none() && !is_over {
            alone.push(full.clone());
        }
        leaving.push(Leaving {
            namespace: pod.text("metadata.namespace").into(),
            name: pod.text("metadata.name").into(),
            uid: pod.text("metadata.uid").into(),
            granted: false,
        });
    }
    let allows_local = args.is("delete-emptydir-data") || args.is("delete-local-data");
    let (mut whys, mut warnings) = (Vec::new(), Vec::new());
    for (list, allowed, why, warning) in [
        (alone, args.is("force"), ALONE, "deleting Pods that declare no controller"),
        (daemons, args.is("ignore-daemonsets"), DAEMONS, "ignoring DaemonSet-managed Pods"),
        (local, allows_local, LOCAL, ""),
    ] {
        if list.is_empty() {
            continue;
        }
        let list = list.join(", ");
        match allowed {
            true if warning.is_empty() => {}
            true => warnings.push(format!("{warning}: {list}")),
            false => whys.push(format!("{why}: {list}")),
        }
    }
    if !whys.is_empty() {
        return Ok(Err(whys));
    }
    if !warnings.is_empty() {
        cx.warn(&warnings.join("; "));
    }
    Ok(Ok(leaving))
}

const LOOK_AGAIN: Duration = Duration::secs(1);
const RETRY: Duration = Duration::secs(5);

/// Nodes that are being emptied, the last of the list first.
#[derive(Clone, Debug)]
struct Draining {
    queue: Vec<(String, Vec<Leaving>)>,
    options: Json,
    deletes: bool,
    timeout: Option<Duration>,
    /// When the time for the node in work is over.
    deadline: Option<Instant>,
    retry_at: Option<Instant>,
    /// Why pods of the node in work stay.
    whys: Vec<String>,
    /// Nodes that were not emptied, and why.
    pending: Vec<(String, Vec<String>)>,
}

impl Follow for Draining {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        while let Some((node, mut pods)) = self.queue.pop() {
            if self.deadline.is_none() {
                self.deadline = self.timeout.map(|span| cx.now + span);
            }
            self.evict(cx, &mut pods)?;
            let left = self.leave(cx, pods)?;
            if !left.is_empty() {
                self.queue.push((node, left));
                return Ok(Pause::Until(cx.now + LOOK_AGAIN));
            }
            self.deadline = None;
            self.retry_at = None;
            let whys = std::mem::take(&mut self.whys);
            if whys.is_empty() {
                cx.say(&format!("node/{node} drained\n"));
            } else {
                cx.say(&undrained(&node, &whys));
                self.pending.push((node, whys));
            }
        }
        if self.pending.is_empty() { Ok(Pause::Over) } else { Err(still_pending(&self.pending)) }
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}

impl Draining {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn late(&self) -> String {
        let span = self.timeout.map(crate::text::human::go_duration).unwrap_or_default();
        format!("global timeout reached: {span}")
    }

    /// Pods whose eviction was granted and that are still there.
    fn leave(&mut self, cx: &mut Cx<'_>, pods: Vec<Leaving>) -> Result<Vec<Leaving>> {
        let mut left = Vec::new();
        for pod in pods {
            if pod.granted && is_gone(cx, &pod)? {
                let what = if self.deletes { "deleted" } else { "evicted" };
                cx.say(&format!("pod/{} {what}\n", pod.name));
            } else if pod.granted && self.is_late(cx.now) {
                let late = self.late();
                self.whys.push(format!(
                    "error when waiting for pod \"{}\" in namespace \"{}\" to terminate: {late}",
                    pod.name, pod.namespace
                ));
            } else {
                left.push(pod);
            }
        }
        Ok(left)
    }

    /// Asks for the evictions that are not granted yet. Pods for which the time is over are left where they are.
    fn evict(&mut self, cx: &mut Cx<'_>, pods: &mut Vec<Leaving>) -> Result<()> {
        if self.retry_at.is_some_and(|at| cx.now < at) {
            return Ok(());
        }
        self.retry_at = None;
        let is_late = self.is_late(cx.now);
        for pod in pods.iter_mut().filter(|pod| !pod.granted) {
            cx.say(&format!("evicting pod {}/{}\n", pod.namespace, pod.name));
            let (name, namespace) = (&pod.name, &pod.namespace);
            if is_late {
                let late = self.late();
                self.whys.push(format!(
                    "error when evicting pods/\"{name}\" -n \"{namespace}\": {late}"
                ));
                continue;
            }
            match self.ask(cx, pod) {
                Ok(_) => pod.granted = true,
                Err(failure) if failure.is_not_found() => pod.granted = true,
                Err(failure) if failure.is("TooManyRequests") => {
                    self.retry_at = Some(cx.now + RETRY);
                    cx.say(&format!(
                        "error when evicting pods/\"{name}\" -n \"{namespace}\" (will retry after 5s): {}\n",
                        failure.message()
                    ));
                }
                Err(failure) => {
                    return fail(format!(
                        "error when evicting pods/\"{name}\" -n \"{namespace}\": {}",
                        failure.message()
                    ));
                }
            }
        }
        if is_late {
            pods.retain(|pod| pod.granted);
        }
        Ok(())
    }

    fn ask(&self, cx: &mut Cx<'_>, pod: &Leaving) -> Result<Json> {
        let path = resource::path(&resource::known("pods"), &pod.namespace, &pod.name);
        if self.deletes {
            return cx.delete(&path, &self.options);
        }
        let meta = object([
            ("name", pod.name.as_str().into()),
            ("namespace", pod.namespace.as_str().into()),
        ]);
        let mut body = object([
            ("apiVersion", "policy/v1".into()),
            ("kind", "Eviction".into()),
            ("metadata", meta),
        ]);
        if !self.options.fields().is_empty() {
            body.set("deleteOptions", self.options.clone());
        }
        cx.post(&format!("{path}/eviction"), &body)
    }
}

/// What is said of a node when it could not be emptied.
fn undrained(node: &str, whys: &[String]) -> String {
    let why = match whys {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    format!("error: unable to drain node \"{node}\" due to error: {why}, continuing command...\n")
}

/// What is said at the end, when nodes are left.
fn still_pending(pending: &[(String, Vec<String>)]) -> Failure {
    let mut text = "There are pending nodes to be drained:\n".to_string();
    for (node, _) in pending {
        text.push_str(&format!(" {node}\n"));
    }
    match pending {
        [(_, whys)] => text.push_str(&whys.join("\n")),
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|(_, whys)| match whys.as_slice() {
                    [one] => one.clone(),
                    whys => format!("[{}]", whys.join(", ")),
                })
                .collect();
            text.push_str(&lines.join("\n"));
        }
    }
    text.push('\n');
    Failure::Raw(text)
}

fn is_gone(cx: &mut Cx<'_>, pod: &Leaving) -> Result<bool> {
    match cx.object(&resource::known("pods"), &pod.namespace, &pod.name) {
        Ok(found) => Ok(found.text("metadata.uid") != pod.uid),
        Err(failure) if failure.is_not_found() => Ok(true),
        Err(failure) => Err(failure),
    }
}
