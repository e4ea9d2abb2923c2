//! A load for measuring the scheduler: a cluster of equal nodes and the pods of ten workloads.
//!
//! Pure: the caller holds the clock. Requests are answered at once, and bound pods come back
//! through the watch.

use std::sync::Arc;

use api::core::v1::{
    Affinity, Container, Node, Pod, PodAffinityTerm, PodAntiAffinity, PodSpec, Service,
    TopologySpreadConstraint,
};
use api::meta::v1::{LabelSelector, ObjectMeta};
use api::object::{Kind as _, Object};
use api::wire::{Answer, Change, Subresource, Verb, WatchEvent};
use api::{Map, PlacedSpec, Quantity};
use base::{Duration, Instant, Str, lit};
use client::{Input, Outbox, Part as _};

use crate::Scheduler;

/// What the pods ask for besides CPU and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Plain,
    /// Nothing, but Services select them, so that system-default spreading applies.
    Served,
    /// Topology spread over zones, at most one pod apart.
    Spread,
    /// No node with a pod of the same workload.
    AntiAffinity,
}

impl Wish {
    /// All of them with their names.
    pub const ALL: [(&'static str, Wish); 4] = [
        ("plain", Wish::Plain),
        ("served", Wish::Served),
        ("spread", Wish::Spread),
        ("anti-affinity", Wish::AntiAffinity),
    ];
}

/// How many workloads there are.
const WORKLOADS: usize = 10;
/// So many pods are created at one moment.
const CHUNK: usize = 100;

/// A scheduler with a cluster, ready for pods.
pub struct Load {
    scheduler: Scheduler,
    pods: Vec<Arc<Pod>>,
    pod_watch: usize,
    revision: i64,
    now: Instant,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Pods that got a node.
    pub placed: usize,
    /// Virtual time that it took.
    pub took: Duration,
    /// A number that is the same whenever every pod got the same node.
    pub fingerprint: u64,
}

impl Load {
    /// Builds the cluster and the pods.
    pub fn new(seed: u64, nodes: usize, pods: usize, wish: Wish) -> Load {
        let mut scheduler = Scheduler::new(seed);
        let mut out = Outbox::default();
        let now = Instant::START;
        scheduler.handle(now, Input::Start, &mut out);
        let interests = scheduler.interests();
        for (watch, interest) in interests.iter().enumerate() {
            let objects = if interest.kind == Node::INFO {
                (0..nodes).map(|i| Object::new(node(i))).collect()
            } else if interest.kind == Service::INFO && wish == Wish::Served {
                (0..WORKLOADS).map(|i| Object::new(service(i))).collect()
            } else {
                Vec::new()
            };
            scheduler.handle(now, Input::Listed { watch, objects, revision: 1 }, &mut out);
        }
        let specs: Vec<Arc<PodSpec>> = (0..WORKLOADS).map(|i| Arc::new(spec(i, wish))).collect();
        let pod = |i: usize| Arc::new(pod(i, &specs[i % WORKLOADS]));
        let pod_watch = interests.iter().position(|i| i.kind == Pod::INFO).unwrap_or(0);
        Load { scheduler, pods: (0..pods).map(pod).collect(), pod_watch, revision: 1, now }
    }

    /// Creates the pods, a hundred at a time, and lets the scheduler place them all.
    pub fn run(&mut self) -> Done {
        self.run_with(|_| {})
    }

    /// The same, with something done to the scheduler after each hundred.
    fn run_with(&mut self, between: impl Fn(&mut Scheduler)) -> Done {
        let start = self.now;
        let mut done = Done { placed: 0, took: Duration::ZERO, fingerprint: 0 };
        let pods = std::mem::take(&mut self.pods);
        for chunk in pods.chunks(CHUNK) {
            let events = chunk.iter().map(|pod| self.event(Change::Added, pod.clone())).collect();
            let mut out = Outbox::default();
            let watch = self.pod_watch;
            self.scheduler.handle(self.now, Input::Watch { watch, events }, &mut out);
            self.answer(out, &mut done);
            while self.scheduler.queue_lengths().0 > 0
                && let Some(at) = self.scheduler.next_wake()
            {
                self.now = self.now.max(at);
                let mut out = Outbox::default();
                self.scheduler.handle(self.now, Input::Wake, &mut out);
                self.answer(out, &mut done);
            }
            between(&mut self.scheduler);
        }
        done.took = self.now - start;
        done
    }

    fn event(&mut self, change: Change, pod: Arc<Pod>) -> WatchEvent {
        self.revision += 1;
        WatchEvent { change, object: Object::from_arc(pod), revision: self.revision }
    }

    /// Answers requests; bound pods come back in one watch input.
    fn answer(&mut self, out: Outbox, done: &mut Done) {
        let mut events = Vec::new();
        let mut more = Outbox::default();
        for (id, request) in out.requests {
            let Verb::Create(object) = &request.verb else { continue };
            if request.subresource == Subresource::Binding
                && let Some(binding) = object.get::<api::core::v1::Binding>()
                && let Some(waiting) = self.bound(&request.name)
            {
                let mut pod = (*waiting).clone();
                pod.spec.node_name = binding.target.name.clone();
                done.placed += 1;
                for byte in request.name.bytes().chain(binding.target.name.bytes()) {
                    done.fingerprint =
                        (done.fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
                events.push(self.event(Change::Modified, Arc::new(pod)));
            }
            let reply = Ok(Answer::Object(object.clone(), true));
            self.scheduler.handle(self.now, Input::Reply(id, reply), &mut more);
        }
        let watch = self.pod_watch;
        self.scheduler.handle(self.now, Input::Watch { watch, events }, &mut more);
        if !more.requests.is_empty() {
            self.answer(more, done);
        }
    }

    fn bound(&self, name: &Str) -> Option<Arc<Pod>> {
        self.scheduler.known_pod("default", name)
    }
}

fn meta(name: String, namespace: &str, labels: &[(&str, String)]) -> Arc<ObjectMeta> {
    let labels = labels.iter().map(|(key, value)| (*key, Str::from(value.as_str())));
    Arc::new(ObjectMeta {
        uid: name.as_str().into(),
        name: name.into(),
        namespace: namespace.into(),
        labels: labels.collect::<Map<Str>>(),
        ..ObjectMeta::default()
    })
}

fn quantities(list: &[(&str, &str)]) -> Map<Quantity> {
    let quantity = |text: &str| Quantity::parse(text).unwrap_or_default();
    list.iter().map(|(name, text)| (*name, quantity(text))).collect()
}

fn node(i: usize) -> Node {
    let name = format!("node-{i}");
    let labels = [
        ("kubernetes.io/hostname", name.clone()),
        ("topology.kubernetes.io/zone", format!("zone-{}", i % 3)),
    ];
    let mut node = Node { metadata: meta(name, "", &labels), ..Node::default() };
    let allocatable = quantities(&[("cpu", "32"), ("memory", "128Gi"), ("pods", "110")]);
    Arc::make_mut(&mut node.status).allocatable = allocatable;
    node
}

fn app(i: usize) -> String {
    format!("app-{i}")
}

fn service(i: usize) -> Service {
    let mut service = Service { metadata: meta(app(i), "default", &[]), ..Service::default() };
    let selector = [(lit!("app"), Str::from(app(i)))];
    Arc::make_mut(&mut service.spec).selector = selector.into_iter().collect();
    service
}

fn pod(i: usize, spec: &Arc<PodSpec>) -> Pod {
    let labels = [("app", app(i % WORKLOADS))];
    Pod {
        metadata: meta(format!("pod-{i}"), "default", &labels),
        spec: PlacedSpec::new(spec.clone()),
        ..Pod::default()
    }
}

fn spec(i: usize, wish: Wish) -> PodSpec {
    let mut container = Container { name: lit!("c"), image: lit!("app:1"), ..Container::default() };
    container.resources.requests = quantities(&[("cpu", "100m"), ("memory", "128Mi")]);
    let mut spec = PodSpec::default();
    spec.containers.push(container);
    let selector = || {
        let labels = [(lit!("app"), Str::from(app(i)))].into_iter().collect();
        Some(Box::new(LabelSelector { match_labels: labels, ..LabelSelector::default() }))
    };
    match wish {
        Wish::Plain | Wish::Served => {}
        Wish::Spread => spec.topology_spread_constraints.push(TopologySpreadConstraint {
            max_skew: 1,
            topology_key: lit!("topology.kubernetes.io/zone"),
            when_unsatisfiable: lit!("DoNotSchedule"),
            label_selector: selector(),
            ..TopologySpreadConstraint::default()
        }),
        Wish::AntiAffinity => {
            let mut anti = PodAntiAffinity::default();
            anti.required_during_scheduling_ignored_during_execution.push(PodAffinityTerm {
                label_selector: selector(),
                topology_key: lit!("kubernetes.io/hostname"),
                ..PodAffinityTerm::default()
            });
            let affinity =
                Affinity { pod_anti_affinity: Some(Box::new(anti)), ..Affinity::default() };
            spec.affinity = Some(Box::new(affinity));
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_of_every_load_gets_a_node_and_the_same_one_each_time() {
        for (name, wish) in Wish::ALL {
            let run = || Load::new(7, 130, 600, wish).run();
            let done = run();
            assert_eq!(done.placed, 600, "{name}");
            assert_eq!(done, run(), "{name}");
        }
    }

    #[test]
    fn a_copy_of_a_scheduler_goes_on_exactly_like_the_original() {
        for (name, wish) in Wish::ALL {
            // Some pods of the last wish find no node: failures are remembered too.
            let load = || Load::new(7, 30, 600, wish);
            let copied = load().run_with(|scheduler| *scheduler = scheduler.clone());
            assert_eq!(copied, load().run(), "{name}");
        }
    }
}
