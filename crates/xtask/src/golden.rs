//! `cargo xtask golden`: runs that were recorded from a real cluster, replayed against `orrery serve`.
//!
//! Each folder holds manifests, the commands with the moments at which they were given, what they printed, and
//! snapshots of all objects and events. The real kubectl gives the same commands at the same moments to a fresh
//! server; chance (names, uids, times, addresses) is masked on both sides.

mod chance;
mod compare;
mod mask;
mod recording;
mod server;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;
use serde_json::Value;

use crate::process;
use chance::Pairs;
use compare::Score;
use recording::{Action, Recording, Snapshot, Step};
use server::{Server, Settings};

/// What a snapshot holds of a namespace.
const OBJECT_KINDS: &str = "pods,replicasets,deployments,statefulsets,daemonsets,jobs,cronjobs,\
    replicationcontrollers,controllerrevisions,services,endpoints,endpointslices,configmaps,secrets,\
    serviceaccounts,persistentvolumeclaims,horizontalpodautoscalers,poddisruptionbudgets,ingresses,\
    networkpolicies,resourcequotas,limitranges";
/// What it holds of the cluster.
const CLUSTER_KINDS: &str = "nodes,persistentvolumes,namespaces";

/// How one folder came out.
#[derive(Default)]
struct Outcome {
    objects: Score,
    events: Score,
    commands: Score,
    watch: Score,
    managed: Score,
}

/// Replays every folder below the given one, or the given one itself; fails where something differs.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let (mut dir, mut show) = (PathBuf::from("../shared/golden"), 0);
    let mut profile = "dev".to_owned();
    let mut settings = Settings {
        binary: PathBuf::new(),
        kubectl: "kubectl".to_owned(),
        port: 7290,
        speed: 1.0,
        seed: 1,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("show") => show = args.value()?.parse()?,
            Long("port") => settings.port = args.value()?.parse()?,
            Long("speed") => settings.speed = args.value()?.parse()?,
            Long("seed") => settings.seed = args.value()?.parse()?,
            Long("kubectl") => settings.kubectl = args.value()?.string()?,
            Long("profile") => profile = args.value()?.string()?,
            Long("server") => settings.binary = args.value()?.into(),
            Value(path) => dir = path.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    if settings.binary.as_os_str().is_empty() {
        process::run(&mut process::cargo(["build", "-p", "orrery", "--profile", &profile]))?;
        let folder = if profile == "dev" { "debug" } else { &profile };
        settings.binary = process::root().join("target").join(folder).join("orrery");
    }
    let mut differ = Vec::new();
    for folder in folders(&dir)? {
        let recording = recording::read(&folder)?;
        let outcome = replay(&settings, &recording)?;
        if !print(&recording.name, &outcome, show) {
            differ.push(recording.name);
        }
    }
    if !differ.is_empty() {
        bail!("{} differ; --show N prints where", differ.join(", "));
    }
    Ok(())
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.join("transcript.jsonl").is_file() {
        return Ok(vec![dir.to_path_buf()]);
    }
    let entries = std::fs::read_dir(dir).with_context(|| format!("{}", dir.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .map_while(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("transcript.jsonl").is_file())
        .collect();
    folders.sort();
    if folders.is_empty() {
        bail!("{} holds no recorded runs", dir.display());
    }
    Ok(folders)
}

/// Prints the line of a folder and the first differences; true where there are none.
fn print(name: &str, outcome: &Outcome, show: usize) -> bool {
    let parts = [
        ("objects", &outcome.objects),
        ("events", &outcome.events),
        ("commands", &outcome.commands),
        ("watch", &outcome.watch),
        ("managed", &outcome.managed),
    ];
    let words = parts.map(|(part, score)| format!("{part} {}/{}", score.equal, score.total));
    println!("{name} {}", words.join(" "));
    for (part, score) in parts {
        for line in score.differences.iter().take(show) {
            println!("  {part}: {line}");
        }
    }
    // The order of states and the list of managers depend on who was quicker: told, not demanded.
    parts[..3].iter().all(|(_, score)| score.equal == score.total)
}

fn replay(settings: &Settings, recording: &Recording) -> Result<Outcome> {
    let nodes = recording.snapshots.last().map_or(3, |(_, shot)| {
        shot.cluster.iter().filter(|object| object["kind"] == "Node").count()
    });
    let mut server = Server::start(settings, nodes, &recording.name)?;
    // What its parts do from time to time falls between the same commands then.
    server.wait_for_age(recording.age);
    for kind in recording.watches.keys() {
        if let Some(path) = path_of(kind) {
            server.watch(kind, path)?;
        }
    }
    let folder = server.dir.join("manifests");
    copy(&recording.manifests, &folder)?;
    let (mut answers, mut snapshots) = (Vec::new(), Vec::new());
    let (mut clock, mut versions) = (Clock::start(settings.speed), Pairs::default());
    for number in 0..=recording.steps.len() {
        for _ in recording.snapshots.iter().filter(|(before, _)| *before == number) {
            snapshots.push(take_snapshot(&server)?);
        }
        if let Some(step) = recording.steps.get(number) {
            clock.wait(step.at);
            answers.push(perform(&server, step, &folder, &mut versions)?);
        }
    }
    Ok(compare_all(recording, &server, &answers, &snapshots))
}

/// What a step was answered with here; `None` where it could not be asked.
enum Answer {
    Command(i64, String, String),
    Request(Value),
    LeftOut,
}

fn compare_all(
    recording: &Recording,
    server: &Server<'_>,
    answers: &[Answer],
    snapshots: &[Snapshot],
) -> Outcome {
    let mut outcome = Outcome::default();
    let pods = recording.watches.get("pods").map_or(&[][..], Vec::as_slice);
    let renames = Pairs::of_restarts(&recording.watches, |kind| server.watched(kind))
        .with_places(pods, &server.watched("pods"));
    for (step, answer) in recording.steps.iter().zip(answers) {
        if let Some(differences) = compare_step(step, answer, &renames) {
            outcome.commands.count(differences);
        }
    }
    for ((_, recorded), ours) in recording.snapshots.iter().zip(snapshots) {
        let objects = renames.recorded_values(&ours.objects);
        let (objects, managed) = compare::objects(&recorded.objects, &objects);
        outcome.objects.add(&recorded.name, objects);
        outcome.managed.add(&recorded.name, managed);
        let (cluster, _) = compare::objects(&recorded.cluster, &ours.cluster);
        outcome.objects.add(&recorded.name, cluster);
        let events = renames.recorded_values(&ours.events);
        outcome.events.add(&recorded.name, compare::events(&recorded.events, &events));
    }
    for (kind, changes) in &recording.watches {
        if kind != "events" && path_of(kind).is_some() {
            let ours = renames.recorded_values(&server.watched(kind));
            outcome.watch.add(kind, watch::compare(kind, changes, &ours));
        }
    }
    outcome
}

/// Moments of a recording in the time of the replay. A command that takes longer here moves the later ones.
struct Clock {
    start: Instant,
    speed: f64,
    late: f64,
}

impl Clock {
    fn start(speed: f64) -> Clock {
        Clock { start: Instant::now(), speed, late: 0.0 }
    }

    fn wait(&mut self, at: f64) {
        let now = self.start.elapsed().as_secs_f64() * self.speed;
        let ahead = at + self.late - now;
        if ahead > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(ahead / self.speed));
        } else {
            self.late -= ahead;
        }
    }
}

fn perform(
    server: &Server<'_>,
    step: &Step,
    folder: &Path,
    versions: &mut Pairs,
) -> Result<Answer> {
    match &step.action {
        Action::Command { line, stderr, .. } => {
            if let Some(file) = missing_file(line, folder, stderr) {
                println!("  left out: {line} ({file} is not in the recording)");
                return Ok(Answer::LeftOut);
            }
            let (code, stdout, stderr) = server.shell(line, folder)?;
            Ok(Answer::Command(code, stdout, stderr))
        }
        Action::Request { method, path, media_type, body, answer } => {
            let ours = server.request(method, path, media_type, &versions.ours(body))?;
            versions.learn(answer, &ours);
            Ok(Answer::Request(ours))
        }
    }
}

/// What differs from the recording; `None` where nothing was asked.
fn compare_step(step: &Step, answer: &Answer, renames: &Pairs) -> Option<Vec<String>> {
    let (what, lines) = match (&step.action, answer) {
        (
            Action::Command { line, code, stdout, stderr },
            Answer::Command(our_code, our_stdout, our_stderr),
        ) => {
            let ours = (renames.recorded(our_stdout), renames.recorded(our_stderr));
            let mut lines = compare::output("stdout", line, stdout, &ours.0);
            lines.extend(compare::output("stderr", line, stderr, &ours.1));
            if our_code != code {
                lines.push(format!("exit code {code} → {our_code}"));
            }
            (line.clone(), lines)
        }
        (Action::Request { method, path, answer, .. }, Answer::Request(ours)) => {
            let recorded = compare::without_managed_fields(&mask::object(answer));
            let ours = compare::without_managed_fields(&mask::object(ours));
            (format!("{method} {path}"), compare::differences(&recorded, &ours))
        }
        _ => return None,
    };
    Some(lines.iter().map(|text| format!("{:.1} {what}: {text}", step.at)).collect())
}

/// The manifest that a command reads and that was too large to record.
fn missing_file<'a>(line: &'a str, folder: &Path, stderr: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == "-f")?;
    let file = words.next()?;
    let absent = file.ends_with(".yaml") && !folder.join(file).exists();
    (absent && !stderr.contains("does not exist")).then_some(file)
}

fn take_snapshot(server: &Server<'_>) -> Result<Snapshot> {
    let get = |kinds: &str, more: &str| -> Result<Vec<Value>> {
        let line = format!("kubectl get {kinds} -o json {more}");
        let (_, stdout, stderr) = server.shell(&line, &server.dir)?;
        let list: Value = serde_json::from_str(&stdout).with_context(|| stderr)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    Ok(Snapshot {
        name: String::new(),
        objects: get(OBJECT_KINDS, "--show-managed-fields")?,
        events: get("events", "")?,
        cluster: get(CLUSTER_KINDS, "")?,
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Where the watched kind of that name is served.
fn path_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "pods" => "/api/v1/namespaces/default/pods",
        "services" => "/api/v1/namespaces/default/services",
        "endpoints" => "/api/v1/namespaces/default/endpoints",
        "configmaps" => "/api/v1/namespaces/default/configmaps",
        "events" => "/api/v1/namespaces/default/events",
        "pvcs" => "/api/v1/namespaces/default/persistentvolumeclaims",
        "pvs" => "/api/v1/persistentvolumes",
        "nodes" => "/api/v1/nodes",
        "namespaces" => "/api/v1/namespaces",
        "replicasets" => "/apis/apps/v1/namespaces/default/replicasets",
        "deployments" => "/apis/apps/v1/namespaces/default/deployments",
        "statefulsets" => "/apis/apps/v1/namespaces/default/statefulsets",
        "daemonsets" => "/apis/apps/v1/namespaces/default/daemonsets",
        "controllerrevisions" => "/apis/apps/v1/namespaces/default/controllerrevisions",
        "jobs" => "/apis/batch/v1/namespaces/default/jobs",
        "cronjobs" => "/apis/batch/v1/namespaces/default/cronjobs",
        "endpointslices" => "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        "hpas" => "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        "pdbs" => "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        "ingresses" => "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        _ => return None,
    })
}
