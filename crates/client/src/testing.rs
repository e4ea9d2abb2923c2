//! A fake API server and a bench on which parts run in tests: no admission, no latency, no watch cache.

use std::fmt::Write as _;
use std::sync::Arc;

use api::codec::Decode;
use api::core::v1::{Binding, Event, Pod};
use api::json::Json;
use api::meta::v1::{ObjectMeta, Status};
use api::object::{Key, Kind, KindInfo, Object};
use api::time::Time;
use api::wire::{
    self, Answer, Change, Interest, Patch, Reply, Request, Subresource, Verb, WatchEvent,
};
use base::{BTreeMap, Duration, Instant, Str};

use crate::cache::Caches;
use crate::cloud::{CloudReply, CloudRequest};
use crate::part::{Input, Outbox, Part};
use crate::plan::Plan;

/// Caches that hold these objects.
pub fn caches(objects: impl IntoIterator<Item = Object>) -> Caches {
    let mut by_kind: BTreeMap<&'static KindInfo, Vec<Object>> = BTreeMap::new();
    for object in objects {
        by_kind.entry(object.info()).or_default().push(object);
    }
    let mut caches = Caches::new();
    for (kind, objects) in by_kind {
        caches.listed(kind, objects, 1);
    }
    caches
}

/// A typed object from JSON text. Panics on text that the kind cannot read.
pub fn object<K: Kind>(json: &str) -> K {
    let mut cx = Decode::new();
    let json = Json::parse(json.as_bytes()).expect("it is JSON");
    let object = Object::decode(K::INFO, json, &mut cx);
    assert!(cx.error.is_none() && cx.strict.is_empty(), "{:?} {:?}", cx.error, cx.strict);
    object.get::<K>().expect("it is of this kind").clone()
}

/// What a plan would do, in short: `+Pod web-`, `~Pod a`, `Pod a status`, `-Pod b`, steps parted by `; `.
pub fn print(plan: &Plan) -> String {
    let mut text = String::new();
    for (i, step) in plan.steps.iter().enumerate() {
        if let Some(ask) = &step.ask {
            let gap = if i > 0 { "; " } else { "" };
            let _ = write!(text, "{gap}!{}", ask.request.name());
        }
        for (j, write) in step.writes.iter().enumerate() {
            let gap = if j > 0 {
                " "
            } else if i > 0 {
                "; "
            } else {
                ""
            };
            let _ = write!(text, "{gap}{}", short(&write.request));
        }
    }
    text
}

/// A request in short.
pub fn short(request: &Request) -> String {
    let (sign, name) = match &request.verb {
        Verb::Create(object) if object.name().is_empty() => {
            ('+', object.meta().generate_name.clone())
        }
        Verb::Create(object) => ('+', object.name().clone()),
        Verb::Update(_) | Verb::Patch(_) => ('~', request.name.clone()),
        Verb::Delete(_) | Verb::DeleteCollection(..) => ('-', request.name.clone()),
        Verb::Get | Verb::List(_) => ('?', request.name.clone()),
    };
    let part = match request.subresource {
        Subresource::None => String::new(),
        other => format!("/{}", format!("{other:?}").to_lowercase()),
    };
    format!("{sign}{}{part} {name}", request.kind.kind)
}

/// The fake API server: objects with revisions.
#[derive(Clone, Default)]
pub struct Api {
    objects: BTreeMap<(&'static KindInfo, Key), Object>,
    revision: i64,
    names: u32,
    events: Vec<WatchEvent>,
    refusals: Vec<(&'static str, Box<Status>)>,
}

impl Api {
    /// All writes whose short form starts with `prefix` get this answer from now on.
    pub fn refuse(&mut self, prefix: &'static str, status: Box<Status>) {
        self.refusals.push((prefix, status));
    }

    /// Ends all refusals.
    pub fn allow(&mut self) {
        self.refusals.clear();
    }

    /// The stored object.
    pub fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.objects.get(&(K::INFO, Key::new(namespace, name)))?.arc()
    }

    /// All stored objects of a kind, by key.
    pub fn all<K: Kind>(&self) -> Vec<Arc<K>> {
        self.objects
            .iter()
            .filter(|((kind, _), _)| *kind == K::INFO)
            .filter_map(|(_, o)| o.arc())
            .collect()
    }

    /// Stores an object as it is, whatever was there.
    pub fn put(&mut self, now: Instant, object: impl Into<Object>) {
        let mut object = object.into();
        let key = (object.info(), Key::of(object.meta()));
        let known = self.objects.get(&key).cloned();
        let meta = object.edit().meta_mut();
        match &known {
            Some(known) => meta.uid = known.meta().uid.clone(),
            None => self.birth(now, meta),
        }
        let change = if known.is_some() { Change::Modified } else { Change::Added };
        self.store(change, object);
    }

    /// Removes an object without grace.
    pub fn remove(&mut self, kind: &'static KindInfo, namespace: &str, name: &str) {
        if let Some(object) = self.objects.remove(&(kind, Key::new(namespace, name))) {
            self.revision += 1;
            self.events.push(WatchEvent {
                change: Change::Deleted,
                object,
                revision: self.revision,
            });
        }
    }

    fn birth(&mut self, now: Instant, meta: &mut ObjectMeta) {
        self.names += 1;
        if meta.name.is_empty() {
            meta.name = format!("{}{}", meta.generate_name, self.names).into();
        }
        if meta.uid.is_empty() {
            meta.uid = format!("uid-{}", self.names).into();
        }
        if meta.creation_timestamp.is_none() {
            meta.creation_timestamp = Some(Time::from(now));
        }
        meta.generation = meta.generation.max(1);
    }

    fn store(&mut self, change: Change, mut object: Object) -> Object {
        self.revision += 1;
        object.edit().meta_mut().resource_version = self.revision.to_string().into();
        self.objects.insert((object.info(), Key::of(object.meta())), object.clone());
        self.events.push(WatchEvent { change, object: object.clone(), revision: self.revision });
        object
    }

    /// Answers a request.
    pub fn handle(&mut self, now: Instant, request: &Request) -> Reply {
        let text = short(request);
        if let Some((_, status)) = self.refusals.iter().find(|(prefix, _)| text.starts_with(prefix))
        {
            return Err(status.clone());
        }
        let kind = request.kind;
        let key = Key::new(request.namespace.clone(), request.name.clone());
        if let Verb::Create(object) = &request.verb {
            if request.subresource == Subresource::Binding {
                return self.bind(&key, object);
            }
            if request.subresource == Subresource::Eviction {
                let known = self.objects.get(&(kind, key)).cloned();
                let known = known.ok_or_else(|| wire::not_found(kind, &request.name))?;
                return self.delete(now, known, &Default::default());
            }
            return self.create(now, object.clone());
        }
        if let Verb::DeleteCollection(options, _) = &request.verb {
            let inside = |(known, key): &&(&'static KindInfo, Key)| {
                *known == kind && key.namespace == request.namespace
            };
            let keys: Vec<_> = self.objects.keys().filter(inside).cloned().collect();
            for key in keys {
                let known = self.objects[&key].clone();
                let _ = self.delete(now, known, options);
            }
            return Ok(Answer::Status(Box::default()));
        }
        let Some(known) = self.objects.get(&(kind, key.clone())).cloned() else {
            return Err(wire::not_found(kind, &request.name));
        };
        match &request.verb {
            Verb::Get => Ok(Answer::Object(known, false)),
            Verb::Update(new) => self.replace(request.subresource, known, new.clone()),
            Verb::Patch(patch) => {
                let mut json = known.to_json();
                match patch {
                    Patch::Strategic(body) => {
                        json = api::patch::strategic::apply(json, body.clone(), kind.schema)
                            .expect("it is a strategic merge patch");
                    }
                    Patch::Merge(body) | Patch::Apply { body, .. } => merge(&mut json, body),
                    Patch::Json(_) => panic!("the fake API server knows no JSON patch"),
                }
                let mut cx = Decode::new();
                let new = Object::decode(kind, json, &mut cx);
                assert!(cx.error.is_none(), "{:?}", cx.error);
                self.replace(request.subresource, known, new)
            }
            Verb::Delete(options) => {
                let wanted = options.preconditions.as_ref().and_then(|p| p.uid.clone());
                if wanted.is_some_and(|uid| uid != known.meta().uid) {
                    return Err(wire::conflict(kind, &request.name, "Precondition failed: UID"));
                }
                self.delete(now, known, options)
            }
            other => panic!("the fake API server cannot do {other:?}"),
        }
    }

    fn create(&mut self, now: Instant, mut object: Object) -> Reply {
        let key = (object.info(), Key::of(object.meta()));
        if !object.name().is_empty() && self.objects.contains_key(&key) {
            return Err(wire::already_exists(object.info(), &object.name().clone()));
        }
        let meta = object.edit().meta_mut();
        meta.uid = Str::new();
        self.birth(now, meta);
        if let Some(pod) = object.edit_as::<Pod>()
            && pod.status.phase.is_empty()
        {
            Arc::make_mut(&mut pod.status).phase = base::lit!("Pending");
        }
        Ok(Answer::Object(self.store(Change::Added, object), true))
    }

    /// Gives a pod the node that its binding names.
    fn bind(&mut self, key: &Key, binding: &Object) -> Reply {
        let target = binding.get::<Binding>().map(|b| b.target.name.clone()).unwrap_or_default();
        let known = self.objects.get(&(Pod::INFO, key.clone())).cloned();
        let Some(mut object) = known else { return Err(wire::not_found(Pod::INFO, &key.name)) };
        if let Some(pod) = object.edit_as::<Pod>() {
            pod.spec.node_name = target;
        }
        Ok(Answer::Object(self.store(Change::Modified, object), true))
    }

    fn replace(&mut self, part: Subresource, known: Object, mut new: Object) -> Reply {
        let (old, name) = (known.meta(), known.name().clone());
        let revision = new.meta().resource_version.clone();
        if !revision.is_empty() && revision != old.resource_version {
            return Err(wire::conflict(known.info(), &name, wire::MODIFIED));
        }
        let spec_changed = spec_of(&known) != spec_of(&new);
        let generation = old.generation + i64::from(part == Subresource::None && spec_changed);
        let meta = new.edit().meta_mut();
        meta.uid = old.uid.clone();
        meta.creation_timestamp = old.creation_timestamp;
        meta.deletion_timestamp = old.deletion_timestamp;
        meta.resource_version = old.resource_version.clone();
        meta.generation = generation;
        if new == known {
            return Ok(Answer::Object(known, false));
        }
        let bound = new.get::<Pod>().is_some_and(|pod| !pod.spec.node_name.is_empty());
        let dying = new.meta().deletion_timestamp.is_some() && !bound;
        let namespace_done = part == Subresource::Finalize
            && spec_of(&new).is_none_or(|spec| spec.get("finalizers").is_none());
        if dying
            && new.meta().finalizers.is_empty()
            && (new.info().kind != "Namespace" || namespace_done)
        {
            self.remove(new.info(), &new.namespace().clone(), &name);
            return Ok(Answer::Object(new, false));
        }
        Ok(Answer::Object(self.store(Change::Modified, new), false))
    }

    fn delete(
        &mut self,
        now: Instant,
        mut known: Object,
        options: &api::meta::v1::DeleteOptions,
    ) -> Reply {
        let (kind, key) = (known.info(), Key::of(known.meta()));
        let policy = options.propagation_policy.as_deref();
        if let Some(finalizer) = match policy {
            Some("Foreground") => Some("foregroundDeletion"),
            Some("Orphan") => Some("orphan"),
            _ => None,
        } && !known.meta().finalizers.iter().any(|f| f == finalizer)
        {
            known.edit().meta_mut().finalizers.push(finalizer.into());
        }
        let bound = known.get::<Pod>().is_some_and(|pod| {
            !pod.spec.node_name.is_empty() && options.grace_period_seconds != Some(0)
        });
        let lives = bound || !known.meta().finalizers.is_empty() || kind.kind == "Namespace";
        if lives {
            let meta = known.edit().meta_mut();
            meta.deletion_timestamp.get_or_insert(Time::from(now));
            let object = self.store(Change::Modified, known);
            return Ok(Answer::Object(object, false));
        }
        self.remove(kind, &key.namespace, &key.name);
        Ok(Answer::Status(Box::default()))
    }
}

fn spec_of(object: &Object) -> Option<Json> {
    object.to_json().get("spec").cloned()
}

/// Merge patch.
fn merge(target: &mut Json, patch: &Json) {
    for (key, value) in patch.fields() {
        match value {
            Json::Null => drop(target.remove(key)),
            Json::Object(_) => {
                if target.get(key).is_none_or(|known| !known.is_object()) {
                    target.set(key.clone(), Json::object());
                }
                merge(target.get_mut(key).expect("it is there"), value);
            }
            _ => target.set(key.clone(), value.clone()),
        }
    }
}

/// A part on the fake API server: inputs arrive at once, time passes only when told to.
#[derive(Clone)]
pub struct Bench<P> {
    /// The part.
    pub part: P,
    /// The server.
    pub api: Api,
    /// The moment.
    pub now: Instant,
    /// All writes so far (events of kind Event apart), in short form.
    pub log: Vec<String>,
    /// All recorded events so far: `Normal Reason: message`.
    pub events: Vec<String>,
    /// What the cloud provider was asked and has not answered: see [`Bench::told`].
    pub asked: Vec<(u64, CloudRequest)>,
    interests: Vec<Interest>,
}

impl<P: Part> Bench<P> {
    /// Starts the part on a server with these objects and lets it settle.
    pub fn new(part: P, objects: impl IntoIterator<Item = Object>) -> Bench<P> {
        let interests = part.interests();
        let mut bench = Bench {
            part,
            api: Api::default(),
            now: Instant::START,
            log: Vec::new(),
            events: Vec::new(),
            asked: Vec::new(),
            interests,
        };
        for object in objects {
            bench.api.put(bench.now, object);
        }
        bench.restart();
        bench
    }

    /// Starts the part anew and lets it settle.
    pub fn restart(&mut self) {
        self.api.events.clear();
        let mut out = Outbox::default();
        self.part.handle(self.now, Input::Start, &mut out);
        for (watch, interest) in self.interests.clone().iter().enumerate() {
            let objects = self.api.objects.iter();
            let objects =
                objects.filter(|((kind, _), _)| *kind == interest.kind).map(|(_, o)| o.clone());
            let objects: Vec<Object> = objects.collect();
            let revision = self.api.revision;
            self.part.handle(self.now, Input::Listed { watch, objects, revision }, &mut out);
        }
        self.settle(out);
    }

    /// Stores an object (as a user or another part) and lets the part react.
    pub fn put(&mut self, object: impl Into<Object>) {
        self.api.put(self.now, object);
        self.settle(Outbox::default());
    }

    /// Changes a stored object and lets the part react.
    pub fn edit<K: Kind>(&mut self, namespace: &str, name: &str, change: impl FnOnce(&mut K)) {
        let mut object = (*self.api.get::<K>(namespace, name).expect("it exists")).clone();
        change(&mut object);
        self.put(object);
    }

    /// Removes an object without grace and lets the part react.
    pub fn remove<K: Kind>(&mut self, namespace: &str, name: &str) {
        self.api.remove(K::INFO, namespace, name);
        self.settle(Outbox::default());
    }

    /// Sends a request as a user would and lets the part react.
    pub fn ask(&mut self, request: &Request) -> Reply {
        let reply = self.api.handle(self.now, request);
        self.settle(Outbox::default());
        reply
    }

    /// Lets time pass, waking the part when it wants it.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.part.next_wake()
            && at <= end
        {
            self.now = self.now.max(at);
            let mut out = Outbox::default();
            self.part.handle(self.now, Input::Wake, &mut out);
            self.settle(out);
        }
        self.now = end;
    }

    /// The log since the last call, one write per word group, joined by `; `.
    pub fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log).join("; ")
    }

    /// The recorded events since the last call, joined by `; `.
    pub fn take_events(&mut self) -> String {
        std::mem::take(&mut self.events).join("; ")
    }

    /// The cloud provider answers.
    pub fn told(&mut self, id: u64, reply: CloudReply) {
        let mut out = Outbox::default();
        self.part.handle(self.now, Input::Cloud(id, reply), &mut out);
        self.settle(out);
    }

    fn settle(&mut self, out: Outbox) {
        self.asked.extend(out.cloud);
        let mut requests: std::collections::VecDeque<_> = out.requests.into();
        for _ in 0..100_000 {
            self.deliver(&mut requests);
            let Some((id, request)) = requests.pop_front() else { return };
            let reply = self.api.handle(self.now, &request);
            self.note(&request);
            let mut out = Outbox::default();
            self.part.handle(self.now, Input::Reply(id, reply), &mut out);
            self.asked.extend(out.cloud);
            requests.extend(out.requests);
        }
        panic!("it does not settle: {:?}", &self.log[self.log.len().saturating_sub(20)..]);
    }

    fn deliver(&mut self, requests: &mut std::collections::VecDeque<(u64, Request)>) {
        for event in std::mem::take(&mut self.api.events) {
            for watch in 0..self.interests.len() {
                if self.interests[watch].kind == event.object.info() {
                    let mut out = Outbox::default();
                    let events = vec![event.clone()];
                    self.part.handle(self.now, Input::Watch { watch, events }, &mut out);
                    self.asked.extend(out.cloud);
                    requests.extend(out.requests);
                }
            }
        }
    }

    fn note(&mut self, request: &Request) {
        if request.kind != Event::INFO {
            self.log.push(short(request));
        } else if let Verb::Create(object) = &request.verb {
            let event = object.get::<Event>().expect("it is an event");
            self.events.push(format!("{} {}: {}", event.type_, event.reason, event.message));
        }
    }
}
