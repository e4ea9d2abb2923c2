//! Runs recorded verdicts and scores through the plugins: `scheduler-cases [DIR] [--show N]`.
//!
//! Prints `name passed/total`. `cargo xtask cases` calls it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use api::core::v1::{Namespace, Node, Pod};
use api::{Decode, Json, Kind, Object};
use base::BTreeMap;
use scheduler::cache::{Cache, NodeId};
use scheduler::plugins::resources_fit::NodeResourcesFit;
use scheduler::plugins::{Incoming, Plugin, Prepared, State, Verdict};
use scheduler::profile::{Profile, configured};

/// Plays a case; the error says what went wrong.
type Check = fn(&Json) -> Result<(), String>;

/// File names and who plays a case.
const FILES: &[(&str, Check)] =
    &[("scheduler_filter", filter_case), ("scheduler_score", score_case)];

fn main() -> ExitCode {
    let mut dir = PathBuf::from("../shared/cases");
    let mut show = 0;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX),
            _ => dir = arg.into(),
        }
    }
    let mut all_passed = true;
    for (name, check) in FILES {
        let Ok(content) = std::fs::read(dir.join(format!("{name}.json"))) else { continue };
        let Ok(document) = Json::parse(&content) else {
            println!("{name} unreadable");
            all_passed = false;
            continue;
        };
        let cases = document.get("cases").map(Json::items).unwrap_or_default();
        let failures: Vec<String> = cases
            .iter()
            .filter_map(|case| {
                let error = check(case).err()?;
                Some(format!("{} {}: {error}", text(case, "plugin"), text(case, "name")))
            })
            .collect();
        println!("{name} {}/{}", cases.len() - failures.len(), cases.len());
        for failure in failures.iter().take(show) {
            println!("  {failure}");
        }
        all_passed &= failures.is_empty() && !cases.is_empty();
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The cluster of a case, its plugin and its pod.
struct Scene {
    cache: Cache,
    plugin: Arc<dyn Plugin>,
    pod: Incoming,
}

fn scene(case: &Json) -> Scene {
    let mut cache = Cache::default();
    for namespace in objects::<Namespace>(case, "namespaces") {
        cache.set_namespace(&namespace);
    }
    for namespace in objects::<Namespace>(case, "objects") {
        cache.set_namespace(&namespace);
    }
    for node in objects::<Node>(case, "nodes") {
        cache.set_node(node);
    }
    for pod in objects::<Pod>(case, "existingPods") {
        let pod = with_namespace(pod);
        cache.place(&pod, &pod.spec.node_name);
    }
    cache.refresh();
    let pod = with_namespace(object(case.get("pod").expect("a pod")));
    let pod = Incoming::new(&mut cache, &pod, None);
    Scene { cache, plugin: plugin(case), pod }
}

/// The pods were given the namespace `default` when they were written down; terms that mean them by the empty
/// namespace, in which they had been, are given it too.
fn with_namespace(mut pod: Arc<Pod>) -> Arc<Pod> {
    let namespace = pod.metadata.namespace.clone();
    let spec = Arc::make_mut(&mut pod).spec.edit();
    let Some(affinity) = &mut spec.affinity else { return pod };
    let near = affinity
        .pod_affinity
        .iter_mut()
        .flat_map(|near| near.required_during_scheduling_ignored_during_execution.iter_mut());
    let away = affinity
        .pod_anti_affinity
        .iter_mut()
        .flat_map(|away| away.required_during_scheduling_ignored_during_execution.iter_mut());
    for term in near.chain(away) {
        for name in term.namespaces.iter_mut().filter(|name| name.is_empty()) {
            *name = namespace.clone();
        }
    }
    pod
}

/// The plugin of a case, with its arguments brought into the form of a configuration.
fn plugin(case: &Json) -> Arc<dyn Plugin> {
    let name = text(case, "plugin");
    let mut args = Json::object();
    if let Some(given) = case.get("pluginArgs") {
        for (key, value) in given.fields() {
            args.set(key.clone(), value.clone());
        }
        let mut resources = Vec::new();
        for resource in given.get("resources").map(Json::items).unwrap_or_default() {
            let mut row = Json::object();
            row.set("name", Json::str(text(resource, "Name")));
            row.set("weight", resource.get("Weight").and_then(Json::as_i64).unwrap_or(1));
            resources.push(row);
        }
        let mut strategy = Json::object();
        strategy.set("type", Json::str(text(given, "strategy")));
        strategy.set("resources", Json::Array(resources.clone()));
        args.set("resources", Json::Array(resources));
        args.set("scoringStrategy", strategy);
    }
    if name == "NodeResourcesFit"
        && case.get("pluginArgs").is_some_and(|given| {
            given.get("strategy").is_some() && given.get("resources").is_none()
        })
    {
        // A configuration would fill in the default resources.
        return Arc::new(NodeResourcesFit { resources: Vec::new(), ..NodeResourcesFit::default() });
    }
    if let Some(plugin) = configured(name, &args).expect("sound arguments") {
        return plugin;
    }
    let standard = Profile::standard("default-scheduler".into());
    let slot = standard.slots.iter().find(|slot| slot.plugin.name() == name);
    slot.expect("a default plugin").plugin.clone()
}

fn filter_case(case: &Json) -> Result<(), String> {
    let Scene { mut cache, plugin, pod } = scene(case);
    cache.refresh();
    let mut state = State::default();
    let prepared = plugin.pre_filter(&pod, &cache, &mut state);
    let skips = matches!(prepared, Prepared::Skip);
    if text(case, "prefilter") == "Skip" && !skips {
        return Err("it should have nothing to say".into());
    }
    for (name, expect) in case.get("expect").expect("verdicts").fields() {
        let id = cache.by_name[name.as_str()];
        let verdict = match &prepared {
            Prepared::Skip => Verdict::Pass,
            Prepared::Run | Prepared::Only(_) => plugin.filter(&pod, &cache, id, &state),
            Prepared::Reject(verdict) => verdict.clone(),
        };
        let code = match &verdict {
            Verdict::Pass => "Success",
            Verdict::Unschedulable(_) => "Unschedulable",
            Verdict::Unresolvable(_) => "UnschedulableAndUnresolvable",
        };
        let reasons: Vec<&str> = verdict.reasons().iter().map(|r| r.as_str()).collect();
        let wanted: Vec<&str> = expect
            .get("reasons")
            .map(Json::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_str)
            .collect();
        if code != text(expect, "code") || reasons != wanted {
            let want = text(expect, "code");
            return Err(format!("{name}: want {want} {wanted:?}, got {code} {reasons:?}"));
        }
    }
    Ok(())
}

fn score_case(case: &Json) -> Result<(), String> {
    let Scene { cache, plugin, pod } = scene(case);
    let mut state = State::default();
    let names = objects::<Node>(case, "nodes");
    let scored = case.at(&["pluginArgs", "scoredNodes"]).and_then(Json::as_i64);
    let nodes: Vec<NodeId> = names
        .iter()
        .take(scored.map_or(usize::MAX, |n| n as usize))
        .map(|node| cache.by_name[&node.metadata.name])
        .collect();
    plugin.pre_filter(&pod, &cache, &mut state);
    let mut scores = vec![0; nodes.len()];
    if plugin.pre_score(&pod, &cache, &nodes, &mut state) {
        scores = nodes.iter().map(|id| plugin.score(&pod, &cache, *id, &state)).collect();
        plugin.normalize(&nodes, &mut scores, &state);
    }
    let name = |id: &NodeId| cache.nodes[*id as usize].name.to_string();
    let got: BTreeMap<String, i64> = nodes.iter().map(name).zip(scores).collect();
    let scores = case.get("scores").expect("scores").fields();
    let want: BTreeMap<String, i64> = scores
        .iter()
        .map(|(name, score)| (name.to_string(), score.as_i64().unwrap_or(-1)))
        .collect();
    if got == want { Ok(()) } else { Err(format!("want {want:?}, got {got:?}")) }
}

fn objects<K: Kind>(case: &Json, key: &str) -> Vec<Arc<K>> {
    let items = case.get(key).map(Json::items).unwrap_or_default();
    items.iter().map(object).collect()
}

/// Reads an object of a known kind.
fn object<K: Kind>(json: &Json) -> Arc<K> {
    let object = Object::decode(K::INFO, json.clone(), &mut Decode::new());
    object.arc().expect("the kind asked for")
}

/// The text at `key`, empty if there is none.
fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or("")
}
