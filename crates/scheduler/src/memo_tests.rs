//! Whatever happens in a cluster, a cycle that uses what is remembered decides like one that
//! remembers nothing.

use std::sync::Arc;

use api::object::Key;
use api::selector::Selector;
use base::BTreeMap;
use proptest::prelude::*;

use crate::cache::Cache;
use crate::memo::Memo;
use crate::plugins::Incoming;
use crate::testing::{cycle, node, pod};

const NODES: [&str; 8] = [
    "cpu=4 memory=4Gi zone=x",
    "cpu=2 memory=8Gi zone=y",
    "cpu=8 memory=2Gi zone=y disk=ssd",
    "cpu=4 memory=4Gi",
    "cpu=4 memory=4Gi zone=z taint=t:NoSchedule",
    "cpu=4 memory=4Gi zone=x taint=t:PreferNoSchedule",
    "cpu=4 memory=4Gi zone=z image=app:1=700",
    "cpu=4 memory=4Gi zone=x cordoned",
];

/// A required or preferred pod affinity term.
fn term(app: &str, key: &str) -> String {
    format!(r#"{{"labelSelector":{{"matchLabels":{{"app":"{app}"}}}},"topologyKey":"{key}"}}"#)
}

fn templates() -> Vec<String> {
    let zone = "topology.kubernetes.io/zone";
    let host = "kubernetes.io/hostname";
    let required = |which: &str, term: String| {
        format!(
            r#"{{"affinity":{{"{which}":{{"requiredDuringSchedulingIgnoredDuringExecution":[{term}]}}}}}}"#
        )
    };
    let preferred = |which: &str, term: String| {
        format!(
            r#"{{"affinity":{{"{which}":{{"preferredDuringSchedulingIgnoredDuringExecution":[
               {{"weight":7,"podAffinityTerm":{term}}}]}}}}}}"#
        )
    };
    let spread = |key: &str, when: &str| {
        format!(
            r#"{{"topologySpreadConstraints":[{{"maxSkew":1,"topologyKey":"{key}",
               "whenUnsatisfiable":"{when}","labelSelector":{{"matchLabels":{{"app":"b"}}}}}}]}}"#
        )
    };
    vec![
        "app=a cpu=100m".into(),
        "app=b cpu=500m memory=1Gi".into(),
        "app=c port=80".into(),
        format!("app=b | {}", spread(zone, "DoNotSchedule")),
        format!("app=b cpu=1 | {}", spread(host, "ScheduleAnyway")),
        format!("app=a | {}", required("podAntiAffinity", term("a", host))),
        format!("app=d | {}", required("podAffinity", term("a", zone))),
        format!("app=d | {}", preferred("podAffinity", term("b", zone))),
        format!("app=a | {}", preferred("podAntiAffinity", term("c", host))),
        r#"app=e | {"nodeSelector":{"disk":"ssd"}}"#.into(),
        r#"app=e | {"tolerations":[{"operator":"Exists"}]}"#.into(),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    /// A pod of this template is scheduled.
    Schedule(usize),
    /// A pod goes, by place among those there are.
    Remove(usize),
    /// A pod begins to go.
    Terminate(usize),
    /// This node becomes like that one.
    Node(usize, usize),
    /// A node goes.
    NodeGone(usize),
    /// A pod of this template waits for room on this node.
    Nominate(usize, usize),
    /// Classes are numbered anew.
    Forget,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (0..11usize).prop_map(Event::Schedule),
        2 => any::<usize>().prop_map(Event::Remove),
        1 => any::<usize>().prop_map(Event::Terminate),
        2 => (0..9usize, 0..8usize).prop_map(|(at, like)| Event::Node(at, like)),
        1 => (0..9usize).prop_map(Event::NodeGone),
        1 => (0..11usize, 0..9usize).prop_map(|(what, at)| Event::Nominate(what, at)),
        1 => Just(Event::Forget),
    ];
    prop::collection::vec(event, 1..80)
}

/// Plays events, and compares every cycle with one that remembers nothing.
fn play(events: &[Event]) {
    let templates: Vec<_> = templates().iter().map(|t| Arc::new(pod(&format!("t {t}")))).collect();
    let mut cache = Cache::default();
    for (i, words) in NODES.iter().enumerate() {
        cache.set_node(Arc::new(node(&format!("n{i} {words}"))));
    }
    let mut memos: BTreeMap<usize, Memo> = BTreeMap::new();
    let mut placed: Vec<Arc<api::core::v1::Pod>> = Vec::new();
    let named = |template: usize, name: String| {
        let mut pod = (*templates[template]).clone();
        Arc::make_mut(&mut pod.metadata).name = name.into();
        pod
    };
    for (step, event) in events.iter().enumerate() {
        match event {
            Event::Schedule(template) => {
                let mut pod = named(*template, format!("p{step}"));
                let spread =
                    (*template == 1).then(|| Selector::parse("app=b").expect("a selector"));
                cache.refresh();
                let incoming =
                    Incoming::new(&mut cache, &Arc::new(pod.clone()), spread.map(Arc::new));
                let memo = memos.entry(*template).or_default();
                let got = cycle(&mut cache, memo, &incoming, step as u64);
                let plain = cycle(&mut cache, &mut Memo::default(), &incoming, step as u64);
                assert_eq!(got.reports, plain.reports, "step {step}");
                let chosen = got.chosen.as_ref().ok().copied();
                assert_eq!(chosen, plain.chosen.ok(), "step {step}");
                if let Some(id) = chosen {
                    let name = cache.nodes[id as usize].name.clone();
                    pod.spec.node_name = name.clone();
                    cache.place(&pod, &name);
                    placed.push(Arc::new(pod));
                }
            }
            Event::Remove(at) if !placed.is_empty() => {
                let pod = placed.remove(at % placed.len());
                cache.remove_pod(&Key::of(&pod.metadata));
            }
            Event::Terminate(at) if !placed.is_empty() => {
                let at = at % placed.len();
                let pod = Arc::make_mut(&mut placed[at]);
                Arc::make_mut(&mut pod.metadata).deletion_timestamp =
                    Some(base::Instant::START.into());
                cache.place(pod, &pod.spec.node_name);
            }
            Event::Node(at, like) => {
                cache.set_node(Arc::new(node(&format!("n{at} {}", NODES[*like]))));
            }
            Event::NodeGone(at) => cache.remove_node(&format!("n{at}")),
            Event::Nominate(template, at) => {
                let pod = named(*template, format!("w{step}"));
                cache.nominate(&pod, &format!("n{at}"));
            }
            Event::Forget => {
                cache.compact();
                memos.clear();
            }
            Event::Remove(_) | Event::Terminate(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn remembering_changes_no_decision(events in events()) {
        play(&events);
    }
}
