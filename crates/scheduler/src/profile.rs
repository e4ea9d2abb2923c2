//! Profiles: which plugins run, with which weights and arguments, for pods that ask for a scheduler
//! by name.
//!
//! Models KubeSchedulerConfiguration. Known deviations:
//! - Plugins cannot be ordered anew, and at the extension points besides multiPoint, filter and score only
//!   DefaultPreemption (postFilter) can be turned off.
//! - Extenders and plugins that are not in the tree are refused.

use std::sync::Arc;

use api::codec::{Decode, Value as _};
use api::json::Json;
use base::{Duration, Str, lit};

use crate::memo::LOCAL_MAX;
use crate::plugins::balanced_allocation::BalancedAllocation;
use crate::plugins::inter_pod_affinity::InterPodAffinity;
use crate::plugins::resources_fit::{NodeResourcesFit, Strategy};
use crate::plugins::topology_spread::PodTopologySpread;
use crate::plugins::{Plugin, Scope};
use crate::plugins::{
    image_locality::ImageLocality, node_affinity::NodeAffinity, node_name::NodeName,
    node_ports::NodePorts, node_unschedulable::NodeUnschedulable,
    node_volume_limits::NodeVolumeLimits, taint_toleration::TaintToleration,
    volume_binding::VolumeBinding, volume_restrictions::VolumeRestrictions,
    volume_zone::VolumeZone,
};

/// A plugin in a profile.
#[derive(Clone)]
pub struct Slot {
    /// The plugin.
    pub plugin: Arc<dyn Plugin>,
    /// How much its score counts; 0 if it does not score.
    pub weight: i64,
    /// Whether it filters.
    pub filters: bool,
}

/// The plugins for the pods that ask for one scheduler.
#[derive(Clone)]
pub struct Profile {
    /// The scheduler's name, as pods ask for it.
    pub name: Str,
    /// The plugins in the order in which they filter.
    pub slots: Arc<[Slot]>,
    /// Those that score a node by itself.
    pub local_scorers: Arc<[usize]>,
    /// Whether pods may take the place of others.
    pub preempts: bool,
    /// How many nodes are enough, in per cent, if these pods have a share of their own.
    pub percentage_of_nodes: Option<usize>,
}

/// The scheduler's configuration.
#[derive(Clone)]
pub struct Config {
    /// The profiles, at least one.
    pub profiles: Vec<Profile>,
    /// How many nodes are enough, in per cent; 0 lets the cluster's size decide.
    pub percentage_of_nodes: usize,
    /// The first wait of a pod that was turned away.
    pub backoff_first: Duration,
    /// The longest.
    pub backoff_max: Duration,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&Str> = self.profiles.iter().map(|profile| &profile.name).collect();
        f.debug_struct("Config").field("profiles", &names).finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            profiles: vec![Profile::standard(lit!("default-scheduler"))],
            percentage_of_nodes: 0,
            backoff_first: Duration::secs(1),
            backoff_max: Duration::secs(10),
        }
    }
}

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";
const PREEMPTION: &str = "DefaultPreemption";
/// Plugins besides those that filter and score.
const OTHERS: [&str; 4] = ["PrioritySort", "SchedulingGates", PREEMPTION, "DefaultBinder"];
/// The fields of a configuration. What concerns the process, not its decisions, is not looked at.
const FIELDS: &[&str] = &[
    "apiVersion",
    "kind",
    "parallelism",
    "leaderElection",
    "clientConnection",
    "enableProfiling",
    "enableContentionProfiling",
    "percentageOfNodesToScore",
    "podInitialBackoffSeconds",
    "podMaxBackoffSeconds",
    "profiles",
    "delayCacheUntilActive",
];
/// The extension points.
const POINTS: &[&str] = &[
    "multiPoint",
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
];

type Choice = (Arc<dyn Plugin>, i64, bool);

/// The default plugins with their weights, and whether they filter.
fn standard() -> Vec<Choice> {
    vec![
        (Arc::new(NodeUnschedulable), 0, true),
        (Arc::new(NodeName), 0, true),
        (Arc::new(TaintToleration), 3, true),
        (Arc::new(NodeAffinity::default()), 2, true),
        (Arc::new(NodePorts), 0, true),
        (Arc::new(NodeResourcesFit::default()), 1, true),
        (Arc::new(VolumeRestrictions), 0, true),
        (Arc::new(NodeVolumeLimits), 0, true),
        (Arc::new(VolumeBinding), 0, true),
        (Arc::new(VolumeZone), 0, true),
        (Arc::new(PodTopologySpread::default()), 2, true),
        (Arc::new(InterPodAffinity::default()), 2, true),
        (Arc::new(BalancedAllocation::default()), 1, false),
        (Arc::new(ImageLocality), 1, false),
    ]
}

impl Profile {
    /// The default plugins.
    pub fn standard(name: Str) -> Profile {
        Profile::of(name, standard())
    }

    fn of(name: Str, choices: Vec<Choice>) -> Profile {
        let slots: Vec<Slot> = choices
            .into_iter()
            .map(|(plugin, weight, filters)| Slot { plugin, weight, filters })
            .collect();
        let local = |(at, slot): (usize, &Slot)| {
            (slot.weight > 0 && slot.plugin.scope() != Scope::Cluster).then_some(at)
        };
        let local_scorers: Vec<usize> = slots.iter().enumerate().filter_map(local).collect();
        assert!(local_scorers.len() <= LOCAL_MAX, "more scoring plugins than a memo has places");
        let local_scorers = local_scorers.into();
        Profile {
            name,
            slots: slots.into(),
            local_scorers,
            preempts: true,
            percentage_of_nodes: None,
        }
    }

    /// Reads one profile of a configuration.
    fn from_json(json: &Json) -> Result<Profile, String> {
        only(
            json,
            "profiles[]",
            &["schedulerName", "plugins", "pluginConfig", "percentageOfNodesToScore"],
        )?;
        if let Some(plugins) = json.get("plugins") {
            only(plugins, "profiles[].plugins", POINTS)?;
        }
        let name = json.get("schedulerName").and_then(Json::as_str).unwrap_or("default-scheduler");
        let mut choices = standard();
        for config in items(json, &["pluginConfig"]) {
            let (name, args) = (text(config, "name"), config.get("args"));
            if let Some(args) = args
                && let Some(plugin) = configured(name, args)?
            {
                for choice in choices.iter_mut().filter(|c| c.0.name() == plugin.name()) {
                    choice.0 = plugin.clone();
                }
            }
        }
        for (point, filters, scores) in
            [("multiPoint", true, true), ("filter", true, false), ("score", false, true)]
        {
            for disabled in items(json, &["plugins", point, "disabled"]) {
                for choice in &mut choices {
                    if matches!(text(disabled, "name"), "*")
                        || text(disabled, "name") == choice.0.name()
                    {
                        choice.2 &= !filters;
                        choice.1 = if scores { 0 } else { choice.1 };
                    }
                }
            }
            for enabled in items(json, &["plugins", point, "enabled"]) {
                let name = text(enabled, "name");
                let usual = standard().into_iter().find(|c| c.0.name() == name);
                let Some(usual) = usual else {
                    if OTHERS.contains(&name) {
                        continue;
                    }
                    return Err(format!("unknown plugin {name:?}"));
                };
                let weight = enabled.get("weight").and_then(Json::as_i64).filter(|w| *w > 0);
                for choice in choices.iter_mut().filter(|c| c.0.name() == name) {
                    choice.2 |= filters && usual.2;
                    if scores {
                        choice.1 = weight.unwrap_or(usual.1);
                    }
                }
            }
        }
        choices.retain(|choice| choice.1 > 0 || choice.2);
        let mut profile = Profile::of(name.into(), choices);
        profile.preempts = has_preemption(json);
        profile.percentage_of_nodes = percentage(json)?;
        Ok(profile)
    }
}

impl Config {
    /// Reads a `KubeSchedulerConfiguration`. Says what is wrong with it.
    pub fn from_json(json: &Json) -> Result<Config, String> {
        for (key, expect) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            if json.get(key).is_some_and(|given| given.as_str() != Some(expect)) {
                return Err(format!("{key} must be {expect}"));
            }
        }
        only(json, "the configuration", FIELDS)?;
        let mut config = Config::default();
        let profiles = items(json, &["profiles"]);
        if !profiles.is_empty() {
            config.profiles =
                profiles.iter().map(Profile::from_json).collect::<Result<Vec<_>, _>>()?;
        }
        for (i, profile) in config.profiles.iter().enumerate() {
            if config.profiles[..i].iter().any(|other| other.name == profile.name) {
                return Err(format!("duplicate profile with scheduler name {:?}", &*profile.name));
            }
        }
        let number = |key: &str| json.get(key).and_then(Json::as_i64);
        config.percentage_of_nodes = percentage(json)?.unwrap_or(0);
        for (key, span) in [
            ("podInitialBackoffSeconds", &mut config.backoff_first),
            ("podMaxBackoffSeconds", &mut config.backoff_max),
        ] {
            if let Some(seconds) = number(key) {
                *span = Duration::secs(seconds);
            }
        }
        if config.backoff_first > config.backoff_max {
            return Err("podMaxBackoffSeconds must be greater than or equal to \
                        PodInitialBackoffSeconds"
                .into());
        }
        Ok(config)
    }

    /// The profile for pods that ask for a scheduler; an empty name means the first.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        if name.is_empty() {
            return self.profiles.first();
        }
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

/// A plugin with arguments; `None` for those that take none.
pub fn configured(name: &str, args: &Json) -> Result<Option<Arc<dyn Plugin>>, String> {
    let plugin: Arc<dyn Plugin> = match name {
        "NodeResourcesFit" => Arc::new(fit(args)?),
        "NodeResourcesBalancedAllocation" => {
            let resources = resources(args);
            Arc::new(match resources.is_empty() {
                true => BalancedAllocation::default(),
                false => {
                    BalancedAllocation { resources: resources.into_iter().map(|r| r.0).collect() }
                }
            })
        }
        "NodeAffinity" => {
            let mut affinity = NodeAffinity::default();
            if let Some(added) = args.get("addedAffinity") {
                let mut cx = Decode::new();
                affinity.added.get_or_insert_default().take(added.clone(), &mut cx);
                if let Some(error) = &cx.error {
                    return Err(format!("addedAffinity: {error:?}"));
                }
            }
            Arc::new(affinity)
        }
        "InterPodAffinity" => {
            let weight = args.get("hardPodAffinityWeight").and_then(Json::as_i64);
            Arc::new(InterPodAffinity { hard_weight: weight.unwrap_or(1) })
        }
        "PodTopologySpread" => Arc::new(spread(args)),
        _ => return Ok(None),
    };
    Ok(Some(plugin))
}

fn fit(args: &Json) -> Result<NodeResourcesFit, String> {
    let usual = NodeResourcesFit::default();
    let words = |key: &str| -> Vec<Str> {
        let words = items(args, &[key]).iter();
        words.filter_map(Json::as_str).map(Str::from).collect()
    };
    let scoring = args.get("scoringStrategy");
    let own = scoring.map(resources).unwrap_or_default();
    let strategy = match scoring.map_or("LeastAllocated", |s| text(s, "type")) {
        "" | "LeastAllocated" => Strategy::LeastAllocated,
        "MostAllocated" => Strategy::MostAllocated,
        "RequestedToCapacityRatio" => {
            let points = scoring.map(|s| items(s, &["requestedToCapacityRatio", "shape"]));
            let number = |json: &Json, key| json.get(key).and_then(Json::as_i64).unwrap_or(0);
            let point = |p: &Json| (number(p, "utilization"), number(p, "score") * 10);
            Strategy::RequestedToCapacityRatio(
                points.unwrap_or_default().iter().map(point).collect(),
            )
        }
        other => return Err(format!("unknown scoring strategy {other:?}")),
    };
    Ok(NodeResourcesFit {
        strategy,
        resources: if own.is_empty() { usual.resources } else { own },
        ignored: words("ignoredResources"),
        ignored_groups: words("ignoredResourceGroups"),
    })
}

/// The resources of a strategy with their weights.
fn resources(json: &Json) -> Vec<(Str, i64)> {
    let resource = |json: &Json| {
        let weight = json.get("weight").and_then(Json::as_i64).unwrap_or(1);
        (Str::from(text(json, "name")), weight)
    };
    items(json, &["resources"]).iter().map(resource).collect()
}

fn spread(args: &Json) -> PodTopologySpread {
    if text(args, "defaultingType") != "List" {
        return PodTopologySpread::default();
    }
    let list = items(args, &["defaultConstraints"]).iter();
    let soft = list.filter(|c| text(c, "whenUnsatisfiable") == "ScheduleAnyway");
    let default = |c: &Json| {
        let skew = c.get("maxSkew").and_then(Json::as_i64).unwrap_or(1);
        (Str::from(text(c, "topologyKey")), skew)
    };
    PodTopologySpread { defaults: soft.map(default).collect() }
}

fn percentage(json: &Json) -> Result<Option<usize>, String> {
    match json.get("percentageOfNodesToScore").and_then(Json::as_i64) {
        Some(percentage) if !(0..=100).contains(&percentage) => {
            Err("percentageOfNodesToScore must be in the range [0, 100]".into())
        }
        given => Ok(given.map(|percentage| percentage as usize)),
    }
}

/// Whether DefaultPreemption stays on.
fn has_preemption(json: &Json) -> bool {
    let names = |point: &str, what: &str| -> Vec<String> {
        let list = items(json, &["plugins", point, what]).iter();
        list.map(|plugin| text(plugin, "name").to_string()).collect()
    };
    let points = ["multiPoint", "postFilter"];
    let is_in = |what: &str| {
        points.iter().any(|point| names(point, what).iter().any(|name| name == PREEMPTION))
    };
    let all_off = points.iter().any(|point| names(point, "disabled").iter().any(|n| n == "*"));
    is_in("enabled") || !(is_in("disabled") || all_off)
}

/// Names a field that the configuration does not have.
fn only(json: &Json, place: &str, known: &[&str]) -> Result<(), String> {
    match json.fields().iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(format!("unknown field {:?} in {place}", key.as_str())),
        None => Ok(()),
    }
}

fn items<'j>(json: &'j Json, path: &[&str]) -> &'j [Json] {
    json.at(path).map(Json::items).unwrap_or_default()
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights of the scoring plugins and how many filter, for each profile.
    fn check(json: &str, expect: &str) {
        let json = Json::parse(json.as_bytes()).expect("JSON");
        let told = match Config::from_json(&json) {
            Err(why) => why,
            Ok(config) => {
                let profile = |profile: &Profile| {
                    let scoring = profile.slots.iter().filter(|slot| slot.weight > 0);
                    let weights: Vec<String> =
                        scoring.map(|s| format!("{}={}", s.plugin.name(), s.weight)).collect();
                    let filters = profile.slots.iter().filter(|slot| slot.filters).count();
                    format!("{}: {} filters, {}", profile.name, filters, weights.join(" "))
                };
                config.profiles.iter().map(profile).collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(told, expect);
    }

    const USUAL: &str = "TaintToleration=3 NodeAffinity=2 NodeResourcesFit=1 PodTopologySpread=2 \
                         InterPodAffinity=2 NodeResourcesBalancedAllocation=1 ImageLocality=1";

    #[test]
    fn without_profiles_there_is_the_default_one() {
        check("{}", &format!("default-scheduler: 12 filters, {USUAL}"));
    }

    #[test]
    fn plugins_can_be_turned_off_and_weighed_anew() {
        check(
            r#"{"profiles":[{"schedulerName":"packer","plugins":{
                "multiPoint":{"disabled":[{"name":"PodTopologySpread"}]},
                "score":{"disabled":[{"name":"*"}],"enabled":[{"name":"NodeResourcesFit","weight":5}]}}}]}"#,
            "packer: 11 filters, NodeResourcesFit=5",
        );
    }

    #[test]
    fn mistakes_are_named() {
        check(
            r#"{"profiles":[{},{}]}"#,
            r#"duplicate profile with scheduler name "default-scheduler""#,
        );
        check(
            r#"{"percentageOfNodesToScore":101}"#,
            "percentageOfNodesToScore must be in the range [0, 100]",
        );
        check(
            r#"{"profiles":[{"plugins":{"score":{"enabled":[{"name":"Nope"}]}}}]}"#,
            r#"unknown plugin "Nope""#,
        );
    }

    #[test]
    fn fields_that_nobody_knows_are_refused() {
        check(r#"{"extenders":[]}"#, r#"unknown field "extenders" in the configuration"#);
        check(r#"{"kind":"Pod"}"#, "kind must be KubeSchedulerConfiguration");
        check(
            r#"{"profiles":[{"plugins":{"filters":{}}}]}"#,
            r#"unknown field "filters" in profiles[].plugins"#,
        );
    }

    #[test]
    fn preemption_can_be_turned_off() {
        let preempts = |json: &str| {
            let config = Config::from_json(&Json::parse(json.as_bytes()).expect("JSON"));
            config.expect("sound").profiles[0].preempts
        };
        assert!(preempts("{}"));
        for point in ["postFilter", "multiPoint"] {
            for name in ["DefaultPreemption", "*"] {
                assert!(!preempts(&format!(
                    r#"{{"profiles":[{{"plugins":{{"{point}":{{"disabled":[{{"name":"{name}"}}]}}}}}}]}}"#
                )));
            }
        }
    }

    #[test]
    fn a_pod_gets_the_profile_that_it_names() {
        let json = Json::parse(br#"{"profiles":[{"schedulerName":"a"},{"schedulerName":"b"}]}"#);
        let config = Config::from_json(&json.expect("JSON")).expect("sound");
        let name = |asked: &str| config.profile(asked).map(|profile| profile.name.to_string());
        assert_eq!([name(""), name("b"), name("c")], [Some("a".into()), Some("b".into()), None]);
    }
}
