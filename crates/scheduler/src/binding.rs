//! Binding: volumes first, then the pod; and what becomes of the requests.
//!
//! Models the binding cycle with the VolumeBinding and DefaultBinder plugins. Known deviations:
//! - A provisioner that takes back the chosen node is noticed only when the wait for volumes ends.

use std::sync::Arc;

use api::core::v1::{Binding, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod};
use api::json::Json;
use api::object::{Key, Kind, Object};
use api::wire::{Patch, Reply, Request, Subresource, Trigger, Verb};
use base::{Duration, Instant, Str, lit};
use client::Outbox;

use crate::queue::Waiting;
use crate::report;
use crate::scheduler::Scheduler;
use crate::volumes::{BOUND_BY_CONTROLLER, SELECTED_NODE, Step, is_bound};

/// How long a pod waits for its volumes.
const VOLUMES_MAX: Duration = Duration::mins(10);

/// What a request under way is about.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A pod's binding.
    Bind { key: Key, pod: Arc<Pod>, node: Str, trigger: Trigger },
    /// A step towards the volumes of a pod.
    Volume(Key),
    /// An event of a profile's recorder.
    Note(Str, u64),
    /// The Lease of the election.
    Lease,
    /// An event of the election.
    LeaseNote(u64),
    /// Something whose outcome shows in the watches.
    Other,
}

/// A pod that has a node and waits for volumes.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub pod: Arc<Pod>,
    pub node: Str,
    pub trigger: Trigger,
    pub claims: Vec<Key>,
    pub deadline: Instant,
}

impl Scheduler {
    /// Binds a pod to its node, once its volumes are there.
    pub(crate) fn begin_binding(
        &mut self,
        now: Instant,
        key: &Key,
        waiting: &Waiting,
        node: Str,
        steps: Vec<Step>,
        out: &mut Outbox,
    ) {
        let (pod, trigger) = (waiting.pod.clone(), waiting.trigger);
        if steps.is_empty() {
            return self.bind(key, pod, node, trigger, out);
        }
        // Others can see where the pod will be while its volumes are made.
        if pod.status.nominated_node_name != node {
            let request = self.signed(report::nominated(&pod, &node), &pod, trigger);
            self.send(out, Asked::Other, request);
        }
        let mut claims = Vec::new();
        for step in &steps {
            let (claim, request) = self.request_of(step, &node);
            claims.push(claim);
            let request = self.signed(request, &pod, trigger);
            self.send(out, Asked::Volume(key.clone()), request);
        }
        let deadline = now + VOLUMES_MAX;
        self.pending.insert(key.clone(), Pending { pod, node, trigger, claims, deadline });
        self.deadlines.push_back((deadline, key.clone()));
    }

    /// The request that takes a step, and the claim it is for.
    fn request_of(&self, step: &Step, node: &Str) -> (Key, Request) {
        let mut body = Json::object();
        let mut annotations = Json::object();
        let mut metadata = Json::object();
        match step {
            Step::Provision(claim) => {
                annotations.set(SELECTED_NODE, Json::Str(node.clone()));
                metadata.set("annotations", annotations);
                body.set("metadata", metadata);
                let verb = Verb::Patch(Patch::Merge(body));
                (claim.clone(), Request::new(PersistentVolumeClaim::INFO, claim, verb))
            }
            Step::Bind(claim, volume) => {
                annotations.set(BOUND_BY_CONTROLLER, Json::str("yes"));
                metadata.set("annotations", annotations);
                let mut reference = Json::object();
                reference.set("kind", Json::str("PersistentVolumeClaim"));
                reference.set("apiVersion", Json::str("v1"));
                reference.set("namespace", Json::Str(claim.namespace.clone()));
                reference.set("name", Json::Str(claim.name.clone()));
                if let Some(object) = self.cache.volumes.claims.get(claim) {
                    reference.set("uid", Json::Str(object.metadata.uid.clone()));
                    let revision = object.metadata.resource_version.clone();
                    reference.set("resourceVersion", Json::Str(revision));
                }
                let mut spec = Json::object();
                spec.set("claimRef", reference);
                body.set("metadata", metadata);
                body.set("spec", spec);
                let key = Key::new(Str::new(), volume.metadata.name.clone());
                let verb = Verb::Patch(Patch::Merge(body));
                (claim.clone(), Request::new(PersistentVolume::INFO, &key, verb))
            }
        }
    }

    /// Binds pods whose volumes have come, and gives up on those that waited too long.
    pub(crate) fn check_deadlines(&mut self, now: Instant, out: &mut Outbox) {
        let mut due: Vec<Key> = Vec::new();
        if std::mem::take(&mut self.claims_changed) {
            due.extend(self.pending.keys().cloned());
        }
        while let Some((_, key)) = self.deadlines.pop_front_if(|(at, _)| *at <= now) {
            due.push(key);
        }
        for key in due {
            let claims = &self.cache.volumes.claims;
            let bound = |key: &Key| claims.get(key).is_some_and(|claim| is_bound(claim));
            let Some(pending) = self.pending.get(&key) else { continue };
            if !pending.claims.iter().all(bound) {
                if pending.deadline > now {
                    continue;
                }
                let why = "running PreBind plugin \"VolumeBinding\": binding volumes: context \
                           deadline exceeded";
                self.unbind(now, &key, why, out);
                continue;
            }
            if let Some(Pending { pod, node, trigger, claims, .. }) = self.pending.remove(&key) {
                claims.iter().for_each(|claim| self.cache.volumes.forget_promises(claim));
                self.bind(&key, pod, node, trigger, out);
            }
        }
    }

    fn bind(&mut self, key: &Key, pod: Arc<Pod>, node: Str, trigger: Trigger, out: &mut Outbox) {
        let mut binding = Binding::default();
        let meta = Arc::make_mut(&mut binding.metadata);
        meta.name = key.name.clone();
        meta.namespace = key.namespace.clone();
        meta.uid = pod.metadata.uid.clone();
        binding.target =
            ObjectReference { kind: lit!("Node"), name: node.clone(), ..Default::default() };
        let mut request = Request::new(Pod::INFO, key, Verb::Create(Object::new(binding)));
        request.subresource = Subresource::Binding;
        let request = self.signed(request, &pod, trigger);
        self.send(out, Asked::Bind { key: key.clone(), pod, node, trigger }, request);
    }

    pub(crate) fn reply(&mut self, now: Instant, id: u64, reply: Reply, out: &mut Outbox) {
        match self.asking.remove(&id) {
            Some(Asked::Bind { key, pod, node, trigger }) => match reply {
                Ok(_) => {
                    let text = format!("Successfully assigned {key} to {node}");
                    self.record(now, &pod, ("Normal", "Scheduled", &text), "Binding", trigger);
                }
                Err(status) => {
                    let why = format!("running Bind plugin \"DefaultBinder\": {}", status.message);
                    let claims = Vec::new();
                    let pending = Pending { pod, node, trigger, claims, deadline: now };
                    self.pending.insert(key.clone(), pending);
                    self.unbind(now, &key, &why, out);
                }
            },
            Some(Asked::Volume(key)) => {
                if let Err(status) = reply {
                    let why =
                        format!("running PreBind plugin \"VolumeBinding\": {}", status.message);
                    self.unbind(now, &key, &why, out);
                }
            }
            Some(Asked::Note(name, token)) => {
                if let Some(recorder) = self.recorders.get_mut(&name) {
                    recorder.answered(token, &reply);
                }
            }
            Some(Asked::Lease) => self.lease_answered(now, &reply, out),
            Some(Asked::LeaseNote(token)) => self.lease_note_answered(token, &reply),
            Some(Asked::Other) | None => {}
        }
    }

    /// A pod could not be bound: it leaves its node and is tried again after its backoff.
    fn unbind(&mut self, now: Instant, key: &Key, why: &str, out: &mut Outbox) {
        let Some(Pending { pod, trigger, claims, .. }) = self.pending.remove(key) else { return };
        claims.iter().for_each(|claim| self.cache.volumes.forget_promises(claim));
        let known = self.caches.object(Pod::INFO, key).and_then(Object::arc::<Pod>);
        let Some(known) = known.filter(|known| {
            known.metadata.uid == pod.metadata.uid && known.spec.node_name.is_empty()
        }) else {
            return;
        };
        self.leave_node(now, key, Some(&pod));
        self.record(now, &known, ("Warning", "FailedScheduling", why), "Scheduling", trigger);
        let condition = report::unschedulable(now, &known, "SchedulerError", why);
        if let Some(request) = report::status(&known, condition, Some("")) {
            let request = self.signed(request, &known, trigger);
            self.send(out, Asked::Other, request);
        }
        if known.metadata.deletion_timestamp.is_none() {
            self.queue.add(now, known, trigger);
            self.queue.fail(now, key);
        }
    }
}
