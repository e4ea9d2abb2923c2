//! What a part knows of the cluster: its watched objects, ordered by key and indexed.

use std::marker::PhantomData;
use std::sync::Arc;

use api::core::v1::Pod;
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo, Object};
use api::selector::Selector;
use api::wire::{Change, WatchEvent};
use base::{BTreeMap, BTreeSet, HashMap, Str};

/// Every watched kind's objects. Changed only by lists and watch events, never by the part itself.
#[derive(Clone, Default)]
pub struct Caches {
    places: HashMap<&'static KindInfo, usize>,
    stores: Vec<Store>,
}

/// A change of one cached object.
#[derive(Clone, Debug)]
pub struct Delta {
    /// The object's kind.
    pub kind: &'static KindInfo,
    /// The state known before; `None` if it is new.
    pub old: Option<Object>,
    /// The state known now; `None` if it is gone.
    pub new: Option<Object>,
    /// The revision of the change.
    pub revision: i64,
}

impl Delta {
    /// The newest known state: the new one, or the last before it went.
    pub fn object(&self) -> &Object {
        self.new.as_ref().or(self.old.as_ref()).expect("a delta has a side")
    }

    /// The key of the object.
    pub fn key(&self) -> Key {
        Key::of(self.object().meta())
    }

    /// The metadata of the newest known state.
    pub fn meta(&self) -> &Arc<ObjectMeta> {
        self.object().meta()
    }

    /// Whether it is about an object of kind `K`.
    pub fn is<K: Kind>(&self) -> bool {
        self.kind == K::INFO
    }

    /// The newest known state, if it is of kind `K`.
    pub fn of<K: Kind>(&self) -> Option<&K> {
        self.object().get()
    }

    /// The state before, if it is of kind `K`.
    pub fn before<K: Kind>(&self) -> Option<&K> {
        self.old.as_ref().and_then(Object::get)
    }

    /// The state now, if it is of kind `K`.
    pub fn after<K: Kind>(&self) -> Option<&K> {
        self.new.as_ref().and_then(Object::get)
    }

    /// Whether the object is new.
    pub fn added(&self) -> bool {
        self.old.is_none()
    }

    /// Whether the object is gone.
    pub fn deleted(&self) -> bool {
        self.new.is_none()
    }
}

#[derive(Clone)]
struct Store {
    kind: &'static KindInfo,
    objects: BTreeMap<Key, Object>,
    /// By the uid of any owner; those without a controller under the empty uid too.
    by_owner: HashMap<Str, BTreeMap<Key, Object>>,
    /// Pods by node name; unbound ones under the empty name.
    by_node: BTreeMap<Str, BTreeSet<Key>>,
    /// Pods by namespace, label and value.
    by_label: HashMap<(Str, Str, Str), BTreeSet<Key>>,
    revision: i64,
    listed: bool,
}

impl Store {
    fn new(kind: &'static KindInfo) -> Store {
        Store {
            kind,
            objects: BTreeMap::new(),
            by_owner: HashMap::default(),
            by_node: BTreeMap::new(),
            by_label: HashMap::default(),
            revision: 0,
            listed: false,
        }
    }

    fn put(&mut self, key: Key, object: Object) -> Option<Object> {
        let old = self.objects.insert(key.clone(), object.clone());
        if let Some(old) = &old
            && same_index(old, &object)
        {
            let old = old.clone();
            self.own(&key, &object);
            return Some(old);
        }
        if let Some(old) = &old {
            self.unindex(&key, old);
        }
        self.own(&key, &object);
        if let Some(pod) = object.get::<Pod>() {
            self.by_node.entry(pod.spec.node_name.clone()).or_default().insert(key.clone());
            for (label, value) in pod.metadata.labels.iter() {
                let at = (key.namespace.clone(), label.clone(), value.clone());
                self.by_label.entry(at).or_default().insert(key.clone());
            }
        }
        old
    }

    fn own(&mut self, key: &Key, object: &Object) {
        for uid in owner_uids(object) {
            self.by_owner.entry(uid).or_default().insert(key.clone(), object.clone());
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Object> {
        let old = self.objects.remove(key)?;
        self.unindex(key, &old);
        Some(old)
    }

    fn unindex(&mut self, key: &Key, old: &Object) {
        for uid in owner_uids(old) {
            if let Some(owned) = self.by_owner.get_mut(&uid) {
                owned.remove(key);
                if owned.is_empty() {
                    self.by_owner.remove(&uid);
                }
            }
        }
        if let Some(pod) = old.get::<Pod>() {
            if let Some(keys) = self.by_node.get_mut(&pod.spec.node_name) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_node.remove(&pod.spec.node_name);
                }
            }
            for (label, value) in pod.metadata.labels.iter() {
                let at = (key.namespace.clone(), label.clone(), value.clone());
                drop_from(&mut self.by_label, &at, key);
            }
        }
    }
}

/// Under which uids an object is found.
fn owner_uids(object: &Object) -> impl Iterator<Item = Str> {
    let owners = &object.meta().owner_references;
    let orphan = !owners.iter().any(|owner| owner.controller == Some(true));
    owners.iter().map(|owner| owner.uid.clone()).chain(orphan.then(Str::new))
}

fn same_index(old: &Object, new: &Object) -> bool {
    let (a, b) = (old.meta(), new.meta());
    if a.owner_references != b.owner_references {
        return false;
    }
    match (old.get::<Pod>(), new.get::<Pod>()) {
        (Some(old), Some(new)) => old.spec.node_name == new.spec.node_name && a.labels == b.labels,
        _ => true,
    }
}

fn drop_from<I: std::hash::Hash + Eq>(index: &mut HashMap<I, BTreeSet<Key>>, at: &I, key: &Key) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

impl Caches {
    /// Empty caches.
    pub fn new() -> Caches {
        Caches::default()
    }

    fn store(&self, kind: &'static KindInfo) -> Option<&Store> {
        self.places.get(kind).map(|&at| &self.stores[at])
    }

    fn store_mut(&mut self, kind: &'static KindInfo) -> &mut Store {
        let next = self.stores.len();
        let at = *self.places.entry(kind).or_insert(next);
        if at == next {
            self.stores.push(Store::new(kind));
        }
        &mut self.stores[at]
    }

    /// Takes over a whole list; says what is new, different and gone, in key order.
    pub fn listed(
        &mut self,
        kind: &'static KindInfo,
        objects: Vec<Object>,
        revision: i64,
    ) -> Vec<Delta> {
        let store = self.store_mut(kind);
        store.revision = store.revision.max(revision);
        store.listed = true;
        let names: BTreeSet<Key> = objects.iter().map(|object| Key::of(object.meta())).collect();
        let gone: Vec<Key> =
            store.objects.keys().filter(|key| !names.contains(key)).cloned().collect();
        let mut deltas = Vec::new();
        for key in gone {
            let old = store.remove(&key);
            deltas.push(Delta { kind, old, new: None, revision });
        }
        for object in objects {
            let revision = revision_of(object.meta());
            let old = store.put(Key::of(object.meta()), object.clone());
            if old.as_ref().is_none_or(|old| revision_of(old.meta()) != revision) {
                deltas.push(Delta { kind, old, new: Some(object), revision });
            }
        }
        deltas
    }

    /// Takes over one watch event; `None` if nothing changed by it.
    pub fn watched(&mut self, kind: &'static KindInfo, event: WatchEvent) -> Option<Delta> {
        let store = self.store_mut(kind);
        if event.revision < store.revision {
            return None;
        }
        store.revision = event.revision;
        let key = Key::of(event.object.meta());
        let revision = event.revision;
        match event.change {
            Change::Bookmark => None,
            Change::Deleted => {
                let old = store.remove(&key)?;
                // The last state may be newer than what was known of it.
                Some(Delta { kind, old: Some(newest(old, event.object)), new: None, revision })
            }
            Change::Added | Change::Modified => {
                let new = event.object;
                let old = store.put(key, new.clone());
                Some(Delta { kind, old, new: Some(new), revision })
            }
        }
    }

    /// The highest revision seen of a kind; 0 where it is not watched.
    pub fn revision(&self, kind: &'static KindInfo) -> i64 {
        self.store(kind).map_or(0, |store| store.revision)
    }

    /// Whether the kind has been listed.
    pub fn synced(&self, kind: &'static KindInfo) -> bool {
        self.store(kind).is_some_and(|store| store.listed)
    }

    /// The typed view of a kind.
    pub fn all<K: Kind>(&self) -> Lister<'_, K> {
        Lister { store: self.store(K::INFO), kind: PhantomData }
    }

    /// An object of any kind.
    pub fn object(&self, kind: &'static KindInfo, key: &Key) -> Option<&Object> {
        self.store(kind)?.objects.get(key)
    }

    /// All objects of a kind, ordered by key.
    pub fn objects(&self, kind: &'static KindInfo) -> impl Iterator<Item = &Object> {
        self.store(kind).into_iter().flat_map(|store| store.objects.values())
    }

    /// The objects of a kind in one namespace, ordered by name.
    pub fn objects_in<'a>(
        &'a self,
        kind: &'static KindInfo,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Object> {
        self.store(kind).into_iter().flat_map(move |store| range(store, namespace))
    }

    /// Objects of any cached kind that name the owner with this uid, by kind, then key.
    pub fn dependents<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Object> {
        self.stores
            .iter()
            .flat_map(move |store| store.by_owner.get(uid).into_iter().flat_map(BTreeMap::values))
    }

    /// The cached kinds, in the order of their first listing.
    pub fn kinds(&self) -> impl Iterator<Item = &'static KindInfo> {
        self.stores.iter().map(|store| store.kind)
    }

    /// How many objects of a kind are cached.
    pub fn count(&self, kind: &'static KindInfo) -> usize {
        self.store(kind).map_or(0, |store| store.objects.len())
    }
}

fn range<'a>(store: &'a Store, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
    store
        .objects
        .range(Key::new(namespace, "")..)
        .take_while(move |(key, _)| key.namespace == namespace)
        .map(|(_, object)| object)
}

fn newest(a: Object, b: Object) -> Object {
    if revision_of(b.meta()) >= revision_of(a.meta()) { b } else { a }
}

/// An object's own revision as a number; 0 if it has none.
pub fn revision_of(meta: &ObjectMeta) -> i64 {
    meta.resource_version.parse().unwrap_or(0)
}

/// The cached objects of one kind, typed.
pub struct Lister<'a, K> {
    store: Option<&'a Store>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Lister<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Lister<'_, K> {}

impl<'a, K: Kind> Lister<'a, K> {
    /// The object with this key.
    pub fn get(self, key: &Key) -> Option<&'a K> {
        self.object(key)?.get()
    }

    /// The object with this key, shared.
    pub fn arc(self, key: &Key) -> Option<Arc<K>> {
        self.object(key)?.arc()
    }

    /// The untyped object with this key.
    pub fn object(self, key: &Key) -> Option<&'a Object> {
        self.store?.objects.get(key)
    }

    /// The object called `name` in `namespace`.
    pub fn named(self, namespace: &str, name: &str) -> Option<&'a K> {
        self.get(&Key::new(namespace, name))
    }

    /// All objects, ordered by key.
    pub fn all(self) -> impl Iterator<Item = &'a K> {
        self.store.into_iter().flat_map(|store| store.objects.values()).filter_map(Object::get)
    }

    /// The objects of a namespace, ordered by name.
    pub fn in_namespace(self, namespace: &'a str) -> impl Iterator<Item = &'a K> {
        self.store
            .into_iter()
            .flat_map(move |store| range(store, namespace))
            .filter_map(Object::get)
    }

    /// The objects whose controller is the owner with this uid, ordered by key.
    pub fn owned_by(self, uid: &'a str) -> impl Iterator<Item = &'a K> {
        self.dependents_of(uid).filter(move |object| {
            crate::owner::controller_of(object.meta()).is_some_and(|owner| owner.uid == uid)
        })
    }

    /// The objects that name the owner with this uid, as controller or not, ordered by key.
    pub fn dependents_of(self, uid: &str) -> impl Iterator<Item = &'a K> {
        let owned = self.store.and_then(|store| store.by_owner.get(uid));
        owned.into_iter().flat_map(BTreeMap::values).filter_map(Object::get)
    }

    /// The objects of a namespace that have no controller, ordered by name.
    pub fn orphans_in(self, namespace: &'a str) -> impl Iterator<Item = &'a K> {
        let orphans = self.store.and_then(|store| store.by_owner.get(""));
        orphans
            .into_iter()
            .flat_map(move |orphans| orphans.range(Key::new(namespace, "")..))
            .take_while(move |(key, _)| key.namespace == namespace)
            .filter_map(|(_, object)| object.get())
    }

    /// Pods bound to a node, ordered by key; the empty name gives the unbound ones.
    pub fn on_node(self, node: &str) -> impl Iterator<Item = &'a K> {
        self.keyed(self.store.and_then(|store| store.by_node.get(node)))
    }

    /// The names of the nodes that pods are bound to, in order.
    pub fn nodes_with_pods(self) -> impl Iterator<Item = &'a Str> {
        let index = self.store.map(|store| &store.by_node);
        index.into_iter().flat_map(BTreeMap::keys).filter(|node| !node.is_empty())
    }

    /// How many pods are bound to a node.
    pub fn count_on_node(self, node: &str) -> usize {
        self.store.and_then(|store| store.by_node.get(node)).map_or(0, BTreeSet::len)
    }

    /// The objects of a namespace whose labels match, ordered by name.
    ///
    /// Pods are found through their labels; work is proportional to the rarest label asked for.
    pub fn selected(
        self,
        namespace: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a K> {
        let narrow = self.narrowest(namespace, selector);
        let wide = if narrow.is_some() { None } else { self.store };
        self.keyed(narrow.flatten())
            .chain(
                wide.into_iter()
                    .flat_map(move |store| range(store, namespace))
                    .filter_map(Object::get),
            )
            .filter(|object| crate::owner::selects(selector, object.meta()))
    }

    /// The smallest index set that covers the selector; `Some(None)` if nothing can match.
    fn narrowest(self, namespace: &str, selector: &Selector) -> Option<Option<&'a BTreeSet<Key>>> {
        let store = self.store?;
        if selector.is_nothing() {
            return Some(None);
        }
        if *store.kind != *Pod::INFO {
            return None;
        }
        let mut best: Option<Option<&'a BTreeSet<Key>>> = None;
        for requirement in selector.requirements() {
            let label = requirement.key();
            let Some(value) = selector.exact(label) else { continue };
            let at = (Str::from(namespace), label.clone(), value.clone());
            let Some(keys) = store.by_label.get(&at) else { return Some(None) };
            if best.flatten().is_none_or(|best| keys.len() < best.len()) {
                best = Some(Some(keys));
            }
        }
        best
    }

    fn keyed(self, keys: Option<&'a BTreeSet<Key>>) -> impl Iterator<Item = &'a K> {
        let objects = self.store.map(|store| &store.objects);
        keys.into_iter().flatten().filter_map(move |key| objects?.get(key)?.get())
    }
}

#[cfg(test)]
mod tests;
