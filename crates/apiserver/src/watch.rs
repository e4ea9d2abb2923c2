//! The watch cache's fan-out: which watches hear of a write.
//!
//! Models the cacher of the API server. A write looks only at the watches that can match it: those of the
//! whole kind, of the object's namespace, of its name and, for pods, of its node.
//!
//! Known deviations:
//! - Events are handed over at once; a slow watcher is never cut off.

use api::KindInfo;
use api::object::Object;
use api::wire::{Change, Interest, WatchEvent};
use base::{HashMap, Str};

use crate::registry::Row;
use crate::select;

/// Names one watch of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// All open watches and the events that wait to be taken.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    watchers: HashMap<WatchId, Watcher>,
    kinds: HashMap<usize, Watched>,
    events: Vec<(WatchId, WatchEvent)>,
    last: u64,
}

#[derive(Clone, Debug)]
struct Watcher {
    /// The row of the stored kind.
    row: usize,
    interest: Interest,
}

/// The watches of one stored kind, each in the narrowest list that holds it.
#[derive(Clone, Debug, Default)]
struct Watched {
    all: Vec<WatchId>,
    by_namespace: HashMap<Str, Vec<WatchId>>,
    by_name: HashMap<Str, Vec<WatchId>>,
    by_node: HashMap<Str, Vec<WatchId>>,
}

enum Place {
    All,
    Namespace(Str),
    Name(Str),
    Node(Str),
}

fn place(interest: &Interest) -> Place {
    if let Some(node) = select::required(&interest.fields, "spec.nodeName")
        && interest.kind.kind == "Pod"
    {
        return Place::Node(node);
    }
    if let Some(name) = select::required(&interest.fields, "metadata.name") {
        return Place::Name(name);
    }
    match interest.namespace.is_empty() {
        true => Place::All,
        false => Place::Namespace(interest.namespace.clone()),
    }
}

impl Watched {
    fn list(&mut self, place: Place) -> &mut Vec<WatchId> {
        match place {
            Place::All => &mut self.all,
            Place::Namespace(key) => self.by_namespace.entry(key).or_default(),
            Place::Name(key) => self.by_name.entry(key).or_default(),
            Place::Node(key) => self.by_node.entry(key).or_default(),
        }
    }
}

impl Hub {
    /// Opens a watch of the kind in row `row`.
    pub fn open(&mut self, row: usize, interest: Interest) -> WatchId {
        self.last += 1;
        let id = WatchId(self.last);
        self.kinds.entry(row).or_default().list(place(&interest)).push(id);
        self.watchers.insert(id, Watcher { row, interest });
        id
    }

    /// Ends a watch; events of it that were not taken are dropped.
    pub fn close(&mut self, id: WatchId) {
        let Some(watcher) = self.watchers.remove(&id) else { return };
        if let Some(watched) = self.kinds.get_mut(&watcher.row) {
            let place = place(&watcher.interest);
            watched.list(place).retain(|other| *other != id);
            watched.by_namespace.retain(|_, list| !list.is_empty());
            watched.by_name.retain(|_, list| !list.is_empty());
            watched.by_node.retain(|_, list| !list.is_empty());
        }
        self.events.retain(|(other, _)| *other != id);
    }

    /// How many watches are open.
    pub fn open_count(&self) -> usize {
        self.watchers.len()
    }

    /// What a watch follows.
    pub fn interest(&self, id: WatchId) -> Option<&Interest> {
        self.watchers.get(&id).map(|watcher| &watcher.interest)
    }

    /// Queues an event for one watch.
    pub fn push(&mut self, id: WatchId, event: WatchEvent) {
        self.events.push((id, event));
    }

    /// Takes the events that wait, in the order in which they came about.
    pub fn take(&mut self) -> Vec<(WatchId, WatchEvent)> {
        std::mem::take(&mut self.events)
    }

    /// Whether events wait.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Tells the watches that one object went from `old` to `new` at `revision`.
    ///
    /// For a deletion `gone` is the last state, stamped with the revision of the deletion.
    pub fn publish(
        &mut self,
        row: &Row,
        at: usize,
        old: Option<&Object>,
        new: Option<&Object>,
        revision: i64,
    ) {
        let Some(watched) = self.kinds.get(&at) else { return };
        let Some(object) = new.or(old) else { return };
        let lists = [
            Some(&watched.all),
            watched.by_namespace.get(object.namespace()),
            watched.by_name.get(object.name()),
            node_of(old).and_then(|node| watched.by_node.get(node)),
            match (node_of(old), node_of(new)) {
                (before, Some(node)) if before != Some(node) => watched.by_node.get(node),
                _ => None,
            },
        ];
        let mut gone: Option<Object> = None;
        for id in lists.into_iter().flatten().flatten() {
            let Some(watcher) = self.watchers.get(id) else { continue };
            let matches = |object: &Object| select::matches(row, &watcher.interest, object);
            let change = match (old.is_some_and(matches), new.is_some_and(matches)) {
                (false, true) => Change::Added,
                (true, true) => Change::Modified,
                (true, false) => Change::Deleted,
                (false, false) => continue,
            };
            let object = match (change, new) {
                (Change::Deleted, _) => gone.get_or_insert_with(|| stamped(old, revision)).clone(),
                (_, Some(new)) => new.clone(),
                (_, None) => continue,
            };
            let object = row.present(&object, watcher.interest.kind);
            self.events.push((*id, WatchEvent { change, object, revision }));
        }
    }
}

fn node_of(object: Option<&Object>) -> Option<&Str> {
    let pod = object?.get::<api::core::v1::Pod>()?;
    Some(&pod.spec.node_name)
}

/// The last state of an object, with the revision at which it went.
pub fn stamped(object: Option<&Object>, revision: i64) -> Object {
    let mut object = object.expect("a deletion has a last state").clone();
    object.edit().meta_mut().resource_version = revision.to_string().into();
    object
}

/// The change by which a watch of `interest` sees one event of the past.
pub fn seen(
    row: &Row,
    interest: &Interest,
    old: Option<&Object>,
    new: Option<&Object>,
    revision: i64,
) -> Option<WatchEvent> {
    let matches = |object: &Object| select::matches(row, interest, object);
    let (change, object) = match (old.is_some_and(matches), new.is_some_and(matches)) {
        (false, true) => (Change::Added, new?.clone()),
        (true, true) => (Change::Modified, new?.clone()),
        (true, false) => (Change::Deleted, stamped(old, revision)),
        (false, false) => return None,
    };
    let object = row.present(&object, interest.kind);
    Some(WatchEvent { change, object, revision })
}

/// Whether both are the same kind.
pub fn same_kind(a: &KindInfo, b: &KindInfo) -> bool {
    std::ptr::eq(a, b) || a == b
}
