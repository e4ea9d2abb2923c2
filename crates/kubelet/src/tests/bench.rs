//! An API server of a few lines, a clock, and one kubelet.

use std::sync::Arc;

use api::core::v1::{ContainerState, ContainerStatus, Event, Node, NodeSpec, Pod};
use api::json::Json;
use api::object::{Key, Kind, KindInfo, Object};
use api::time::Time;
use api::wire::{
    self, Answer, Change, ObjectList, Reply, Request, Subresource, Verb, WatchEvent,
    already_exists, conflict, not_found,
};
use base::{BTreeMap, Duration, Instant, Str};
use client::part::{Input, Outbox, Part};
use network::{Outcome, Trace};

use crate::{Catalogue, Kubelet, NodeConfig};

const LATENCY: Duration = Duration::millis(2);

pub(crate) struct Bench {
    pub kubelet: Kubelet,
    pub now: Instant,
    pub start: Instant,
    objects: BTreeMap<(&'static KindInfo, Key), Object>,
    revision: i64,
    inbox: BTreeMap<(Instant, u64), Input>,
    sequence: u64,
    /// Every write: `METHOD plural/name`, with a word on what it said.
    pub writes: Vec<String>,
    /// Every state of every pod: seconds since the start and the pod.
    pub states: Vec<(f64, Arc<Pod>)>,
    /// Requests to be refused: plural and reason.
    pub refuse: Option<(&'static str, Box<api::meta::v1::Status>)>,
    /// What network calls meet.
    pub network: fn(&network::Call) -> Outcome,
    /// How often the kubelet was called.
    pub wakes: usize,
    /// The API server does not answer.
    pub cut: bool,
}

pub(crate) fn config() -> NodeConfig {
    NodeConfig::new("node-1", "10.0.0.11".parse().unwrap())
}

pub(crate) fn uniform() -> Catalogue {
    Catalogue::default().uniform(Duration::millis(200), 52_428_800)
}

impl Bench {
    /// A node that is ready.
    pub fn new() -> Bench {
        let mut bench = Bench::with(config(), uniform());
        bench.run(3.0);
        bench
    }

    pub fn with(config: NodeConfig, catalogue: Catalogue) -> Bench {
        let kubelet = Kubelet::new(config, Arc::new(catalogue), 1);
        let mut bench = Bench {
            kubelet,
            now: Instant::START,
            start: Instant::START,
            objects: BTreeMap::new(),
            revision: 1,
            inbox: BTreeMap::new(),
            sequence: 0,
            writes: Vec::new(),
            states: Vec::new(),
            refuse: None,
            network: |call| {
                Outcome::ConnectTimeout((network::Ipv4Addr::UNSPECIFIED, call.port).into())
            },
            wakes: 0,
            cut: false,
        };
        bench.put(r#"{"kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","namespace":"default"},"data":{"ca.crt":"x"}}"#);
        bench.boot();
        bench
    }

    /// Starts the kubelet's process.
    pub fn boot(&mut self) {
        self.inbox.clear();
        self.send(Duration::ZERO, Input::Start);
        for watch in 0..2 {
            let objects = self.of_watch(watch);
            self.send(LATENCY, Input::Listed { watch, objects, revision: self.revision });
        }
    }

    fn of_watch(&self, watch: usize) -> Vec<Object> {
        let kind = if watch == 0 { Pod::INFO } else { Node::INFO };
        let all = self.objects.iter().filter(|((k, _), _)| *k == kind);
        all.map(|(_, object)| object.clone()).collect()
    }

    fn send(&mut self, after: Duration, input: Input) {
        self.sequence += 1;
        self.inbox.insert((self.now + after, self.sequence), input);
    }

    /// Stores an object from JSON; a pod is bound to the node.
    pub fn put(&mut self, json: &str) -> Key {
        let json = Json::parse(json.as_bytes()).expect("JSON");
        let kind = json.get("kind").and_then(Json::as_str).expect("a kind").to_string();
        let info = api::KINDS
            .iter()
            .find(|info| info.kind == kind && info.version == "v1")
            .expect("a known kind");
        let mut cx = api::Decode::new();
        let mut object = Object::decode(info, json, &mut cx);
        assert!(cx.error.is_none() && cx.strict.is_empty(), "{:?} {:?}", cx.error, cx.strict);
        if let Some(pod) = object.edit_as::<Pod>() {
            default(pod);
        }
        let meta = object.edit().meta_mut();
        if meta.namespace.is_empty() && info.namespaced {
            meta.namespace = "default".into();
        }
        if meta.uid.is_empty() {
            meta.uid = format!("uid-{}", meta.name).into();
        }
        meta.generation = meta.generation.max(1);
        self.store(object)
    }

    fn store(&mut self, mut object: Object) -> Key {
        self.revision += 1;
        let meta = object.edit().meta_mut();
        meta.resource_version = self.revision.to_string().into();
        if meta.creation_timestamp.is_none() {
            meta.creation_timestamp = Some(Time::from(self.now));
        }
        let key = Key::of(object.meta());
        let place = (object.info(), key.clone());
        let old = self.objects.insert(place, object.clone());
        self.notify(if old.is_some() { Change::Modified } else { Change::Added }, object);
        key
    }

    fn notify(&mut self, change: Change, object: Object) {
        let watch = match object.info().kind {
            "Pod" => 0,
            "Node" => 1,
            _ => return,
        };
        if let Some(pod) = object.arc::<Pod>() {
            self.states.push(((self.now - self.start).as_secs_f64(), pod));
        }
        let events = vec![WatchEvent { change, object, revision: self.revision }];
        self.send(LATENCY * 2, Input::Watch { watch, events });
    }

    pub fn get<K: Kind>(&self, name: &str) -> Option<Arc<K>> {
        let namespace = if K::INFO.namespaced { "default" } else { "" };
        self.objects.get(&(K::INFO, Key::new(namespace, name)))?.arc()
    }

    pub fn object<K: Kind>(&self, key: &Key) -> Option<Arc<K>> {
        self.objects.get(&(K::INFO, key.clone()))?.arc()
    }

    pub fn pod(&self, name: &str) -> Arc<Pod> {
        self.get(name).expect("the pod is there")
    }

    /// Changes an object as a user would.
    pub fn edit<K: Kind>(&mut self, name: &str, change: impl FnOnce(&mut K)) {
        let namespace = if K::INFO.namespaced { "default" } else { "" };
        let mut object = self.objects[&(K::INFO, Key::new(namespace, name))].clone();
        change(object.edit_as::<K>().expect("of its kind"));
        self.store(object);
    }

    /// Deletes a pod as a user would.
    pub fn delete(&mut self, name: &str, grace: i64) {
        let now = self.now;
        if grace == 0 {
            return self.remove(Pod::INFO, &Key::new("default", name));
        }
        self.edit::<Pod>(name, |pod| {
            let meta = Arc::make_mut(&mut pod.metadata);
            meta.deletion_grace_period_seconds = Some(grace);
            meta.deletion_timestamp = Some(Time::from(now + Duration::secs(grace)));
            meta.generation += 1;
        });
    }

    fn remove(&mut self, kind: &'static KindInfo, key: &Key) {
        if let Some(object) = self.objects.remove(&(kind, key.clone())) {
            self.revision += 1;
            self.notify(Change::Deleted, object);
        }
    }

    pub fn run(&mut self, seconds: f64) {
        let until = self.now + Duration::micros((seconds * 1e6) as i64);
        loop {
            let input = self.inbox.first_key_value().map(|((at, _), _)| *at);
            let wake = self.kubelet.next_wake().map(|at| at.max(self.now));
            let next = match (input, wake) {
                (Some(a), Some(b)) => a.min(b),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => break,
            };
            if next > until {
                break;
            }
            self.now = next;
            let input =
                if input == Some(next) { self.inbox.pop_first().unwrap().1 } else { Input::Wake };
            let mut out = Outbox::default();
            self.wakes += 1;
            self.kubelet.handle(self.now, input, &mut out);
            for (id, request) in out.requests {
                if !self.cut {
                    let reply = self.serve(&request);
                    self.send(LATENCY, Input::Reply(id, reply));
                }
            }
            for (id, call) in out.calls {
                let outcome = (self.network)(&call);
                let latency = Duration::millis(3);
                let trace = Trace { hops: Vec::new(), outcome, latency, place: None };
                self.send(latency, Input::Called(id, Box::new(trace)));
            }
        }
        self.now = until;
    }

    fn serve(&mut self, request: &Request) -> Reply {
        let (kind, name) = (request.kind, request.name.clone());
        let key = Key::new(request.namespace.clone(), name.clone());
        if let Some((plural, status)) = &self.refuse
            && *plural == kind.plural
        {
            return Err(status.clone());
        }
        let verb = match &request.verb {
            Verb::Get => "GET",
            Verb::List(_) => "LIST",
            Verb::Create(_) => "POST",
            Verb::Update(_) => "PUT",
            Verb::Patch(_) => "PATCH",
            _ => "DELETE",
        };
        let part = if request.subresource == Subresource::Status { "/status" } else { "" };
        if !matches!(verb, "GET" | "LIST") {
            self.writes.push(format!("{verb} {}/{name}{part}", kind.plural));
        }
        match &request.verb {
            Verb::Get => match self.objects.get(&(kind, key)) {
                Some(object) => Ok(Answer::Object(object.clone(), false)),
                None => Err(not_found(kind, &name)),
            },
            Verb::List(_) => {
                let all = self.objects.iter().filter(|((k, _), _)| *k == kind);
                let items = all.map(|(_, object)| object.clone()).collect();
                Ok(Answer::List(ObjectList {
                    items,
                    revision: self.revision,
                    ..ObjectList::default()
                }))
            }
            Verb::Create(object) => self.create(object.clone()),
            Verb::Update(object) => self.update(request, object),
            Verb::Patch(wire::Patch::Strategic(body)) => {
                let Some(mut object) = self.objects.get(&(kind, key)).cloned() else {
                    return Err(not_found(kind, &name));
                };
                if let (Some(event), Some(count)) = (object.edit_as::<Event>(), body.get("count")) {
                    event.count = count.as_i64().unwrap_or(0) as i32;
                }
                let key = self.store(object);
                Ok(Answer::Object(self.objects[&(kind, key)].clone(), false))
            }
            Verb::Delete(options) => {
                let Some(object) = self.objects.get(&(kind, key.clone())) else {
                    return Err(not_found(kind, &name));
                };
                let wanted = options.preconditions.as_ref().and_then(|p| p.uid.clone());
                if wanted.is_some_and(|uid| uid != object.meta().uid) {
                    return Err(conflict(
                        kind,
                        &name,
                        "the UID in the precondition does not match",
                    ));
                }
                let object = object.clone();
                self.remove(kind, &key);
                Ok(Answer::Object(object, false))
            }
            other => panic!("the bench does not serve {other:?}"),
        }
    }

    fn create(&mut self, mut object: Object) -> Reply {
        let kind = object.info();
        let key = Key::of(object.meta());
        if self.objects.contains_key(&(kind, key.clone())) {
            return Err(already_exists(kind, &key.name));
        }
        if let Some(node) = object.edit_as::<Node>() {
            let spec = NodeSpec { pod_cidr: "10.244.1.0/24".into(), ..(*node.spec).clone() };
            node.spec = Arc::new(spec);
        }
        object.edit().meta_mut().uid = format!("uid-{}", key.name).into();
        let key = self.store(object);
        Ok(Answer::Object(self.objects[&(kind, key)].clone(), true))
    }

    fn update(&mut self, request: &Request, object: &Object) -> Reply {
        let (kind, key) = (object.info(), Key::of(object.meta()));
        let Some(stored) = self.objects.get(&(kind, key.clone())) else {
            return Err(not_found(kind, &key.name));
        };
        if stored.meta().resource_version != object.meta().resource_version {
            return Err(conflict(kind, &key.name, wire::MODIFIED));
        }
        let mut stored = stored.clone();
        match (request.subresource, kind.kind) {
            (Subresource::Status, "Pod") => {
                stored.edit_as::<Pod>().unwrap().status =
                    object.get::<Pod>().unwrap().status.clone();
            }
            (Subresource::Status, "Node") => {
                stored.edit_as::<Node>().unwrap().status =
                    object.get::<Node>().unwrap().status.clone();
            }
            _ => stored = object.clone(),
        }
        let key = self.store(stored);
        Ok(Answer::Object(self.objects[&(kind, key)].clone(), false))
    }

    /// The distinct states of a pod, one line each.
    pub fn story(&self, name: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (_, pod) in self.states.iter().filter(|(_, pod)| pod.metadata.name == name) {
            let line = line(pod);
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// Events about an object, as `Reason message` with a count above one, in the order of their first time.
    pub fn events(&self, name: &str) -> Vec<String> {
        let mut events: Vec<&Event> = self
            .objects
            .iter()
            .filter(|((kind, _), _)| kind.kind == "Event")
            .filter_map(|(_, object)| object.get::<Event>())
            .filter(|event| event.involved_object.name == name)
            .collect();
        events.sort_by_key(|event| event.metadata.resource_version.parse::<i64>().unwrap_or(0));
        events.sort_by_key(|event| event.first_timestamp);
        let one = |event: &&Event| {
            let times = if event.count > 1 { format!(" x{}", event.count) } else { String::new() };
            format!("{} {}{times}", event.reason, event.message)
        };
        events.iter().map(one).collect()
    }

    pub fn count(&self, write: &str) -> usize {
        self.writes.iter().filter(|line| line.starts_with(write)).count()
    }
}

/// `Running c=running ready=[c] S I R C`: phase, containers, and the conditions that are true.
fn line(pod: &Pod) -> String {
    let status = &pod.status;
    let mut words = vec![status.phase.to_string()];
    if !status.reason.is_empty() {
        words.push(format!("({})", status.reason));
    }
    for container in status.init_container_statuses.iter().chain(&status.container_statuses) {
        words.push(one(container));
    }
    let mark = |type_: &str, mark: &'static str| {
        let holds = status.conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
        holds.then_some(mark)
    };
    let marks = [
        ("PodReadyToStartContainers", "S"),
        ("Initialized", "I"),
        ("ContainersReady", "C"),
        ("Ready", "R"),
    ];
    words.push(marks.iter().filter_map(|(type_, m)| mark(type_, m)).collect());
    if pod.metadata.deletion_timestamp.is_some() {
        words.push("ending".into());
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn one(status: &ContainerStatus) -> String {
    let state = |state: &ContainerState| -> String {
        if state.running.is_some() {
            "running".into()
        } else if let Some(end) = &state.terminated {
            format!("{}:{}", end.reason, end.exit_code)
        } else if let Some(wait) = &state.waiting {
            wait.reason.to_string()
        } else {
            String::new()
        }
    };
    let ready = if status.ready { "+" } else { "" };
    let restarts =
        if status.restart_count > 0 { format!("#{}", status.restart_count) } else { String::new() };
    let last = state(&status.last_state);
    let last = if last.is_empty() { last } else { format!("<{last}") };
    format!("{}{ready}{restarts}={}{last}", status.name, state(&status.state))
}

/// What the API server's defaults would add.
fn default(pod: &mut Pod) {
    let qos = if pod.spec.containers.iter().all(|c| c.resources.requests.is_empty()) {
        "BestEffort"
    } else {
        "Burstable"
    };
    pod.spec.node_name = "node-1".into();
    let spec = pod.spec.edit();
    if spec.restart_policy.is_empty() {
        spec.restart_policy = "Always".into();
    }
    spec.termination_grace_period_seconds.get_or_insert(30);
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut()) {
        if container.image_pull_policy.is_empty() {
            container.image_pull_policy = "IfNotPresent".into();
        }
        container.termination_message_path = "/dev/termination-log".into();
        let probes = [
            &mut container.startup_probe,
            &mut container.liveness_probe,
            &mut container.readiness_probe,
        ];
        for probe in probes.into_iter().flatten() {
            probe.period_seconds =
                if probe.period_seconds == 0 { 10 } else { probe.period_seconds };
            probe.timeout_seconds = probe.timeout_seconds.max(1);
            probe.failure_threshold =
                if probe.failure_threshold == 0 { 3 } else { probe.failure_threshold };
            probe.success_threshold = probe.success_threshold.max(1);
        }
    }
    let mut status = (*pod.status).clone();
    status.phase = "Pending".into();
    status.qos_class = qos.into();
    status.conditions = base::list![api::core::v1::PodCondition {
        type_: "PodScheduled".into(),
        status: "True".into(),
        ..Default::default()
    }];
    pod.status = Arc::new(status);
}

/// A pod from the JSON of its containers and more of its spec.
pub(crate) fn pod(name: &str, containers: &str, more: &str) -> String {
    let name: Str = name.into();
    format!(
        r#"{{"kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"containers":[{containers}]{more}}}}}"#
    )
}

/// A busybox container that runs a script.
pub(crate) fn sh(name: &str, script: &str) -> String {
    format!(r#"{{"name":"{name}","image":"busybox:1.36","command":["sh","-c","{script}"]}}"#)
}
