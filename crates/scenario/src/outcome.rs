//! A headless run of a scenario from start to end.

use api::json::Json;
use api::wire::Interest;
use base::{Duration, Instant};
use cluster::{Cluster, Entry};

use crate::check::Progress;
use crate::{History, Looking, Scenario, format_span};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All objects but Events and Leases, as the API serves them, ordered by kind, namespace and name.
    pub objects: Vec<Json>,
    /// `kubectl get all` in all namespaces.
    pub table: String,
    /// Equal for runs that made the same writes at the same times.
    pub trace: u64,
    /// How far it went, since the start.
    pub at: String,
    /// The checks of the scenario that were not true in the end, and why.
    pub failed: Vec<String>,
}

/// How often checks are looked at.
const LOOK_EVERY: Duration = Duration::millis(200);
/// Kinds that come and go by themselves.
const RESTLESS: &[&str] = &["Event", "Lease"];

/// Runs a scenario for a span of virtual time, repeating the inputs of `log`.
///
/// The error says why its manifests were refused.
pub fn run(scenario: &Scenario, log: &[Entry], until: Duration) -> Result<Outcome, String> {
    let mut cluster = Cluster::new(scenario.config());
    cluster.apply_start(&scenario.manifests)?;
    let mut follower = Follower::new(&mut cluster);
    let end = Instant::START + until;
    let mut progress = vec![Progress::default(); scenario.checks.len()];
    let mut log = log.iter().peekable();
    while cluster.now() < end {
        let next = (cluster.now() + LOOK_EVERY).min(end);
        while let Some(entry) = log.next_if(|entry| entry.at <= next) {
            cluster.run_until(entry.at);
            cluster.command(entry.command.clone());
        }
        cluster.run_until(next);
        follower.follow(&mut cluster);
        let world = Looking { cluster: &cluster, history: &follower.history };
        for (progress, check) in progress.iter_mut().zip(&scenario.checks) {
            progress.look(check, &world, Instant::START);
        }
    }
    let unmet = progress.iter().zip(&scenario.checks).filter(|(progress, _)| !progress.done);
    let failed = unmet.map(|(progress, check)| format!("{}: {}", check.describe(), progress.why));
    Ok(Outcome {
        failed: failed.collect(),
        objects: objects(&cluster),
        trace: cluster.trace_hash(),
        at: format_span(cluster.since_start()),
        table: table(&mut cluster),
    })
}

/// Follows all kinds for the history that checks ask for.
#[derive(Clone, Debug)]
pub struct Follower {
    watches: Vec<apiserver::WatchId>,
    /// What was seen so far.
    pub history: History,
}

impl Follower {
    /// Begins to follow; what is there already counts as added at the start.
    pub fn new(cluster: &mut Cluster) -> Follower {
        let kinds = api::KINDS.iter().filter(|kind| !RESTLESS.contains(&kind.kind));
        let watches = kinds.filter_map(|kind| cluster.watch(Interest::all(kind))).collect();
        Follower { watches, history: History::default() }
    }

    /// Takes note of what happened since the last call.
    pub fn follow(&mut self, cluster: &mut Cluster) {
        let now = cluster.now();
        let mut events = Vec::new();
        for watch in &self.watches {
            events.extend(cluster.take_watched(*watch));
        }
        base::sort::by_key(&mut events, |event| event.revision);
        for event in events {
            self.history.note(now, &event);
        }
    }
}

fn objects(cluster: &Cluster) -> Vec<Json> {
    let mut objects = Vec::new();
    for kind in api::KINDS.iter().filter(|kind| !RESTLESS.contains(&kind.kind)) {
        // Kinds served in several versions are listed in the one they are stored in.
        if apiserver::registry::of(kind).is_none_or(|row| row.stored.is_some()) {
            continue;
        }
        let list = cluster.server().list(&Interest::all(kind)).map(|list| list.items);
        objects.extend(list.unwrap_or_default().iter().map(|object| object.to_json().sorted()));
    }
    objects
}

fn table(cluster: &mut Cluster) -> String {
    cluster.command(cluster::Command::Terminal("kubectl get all -A".into()));
    cluster.take_printed().into_iter().map(|output| output.text).collect()
}
