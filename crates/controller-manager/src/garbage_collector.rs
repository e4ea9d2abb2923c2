//! The garbage collector: deletes what has lost its owners, in the background, in the foreground, or orphans it.
//!
//! Known deviations:
//! - Owners of kinds that are not served are taken to exist.
//! - Absent owners are not told apart by scope (cluster-scoped dependents of namespaced owners).

use std::collections::VecDeque;

use api::Value as _;
use api::json::Json;
use api::meta::v1::{DeleteOptions, ObjectMeta, OwnerReference, Preconditions};
use api::object::{Key, KindInfo, Object};
use api::wire::{Patch, Subresource};
use base::{HashSet, Str};
use client::{Cx, Delta, Enqueue, Plan, Reconcile, Write};

use crate::kinds;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// So many deleted owners are remembered, which saves asking for them.
const REMEMBERED_MAX: usize = 10_000;

/// The garbage collector. Its keys name the kind as well: `Pod.v1./web-1`.
#[derive(Clone, Default)]
pub struct GarbageCollector {
    gone: HashSet<Str>,
    order: VecDeque<Str>,
}

impl Reconcile for GarbageCollector {
    fn name(&self) -> &'static str {
        "generic-garbage-collector"
    }

    fn source(&self) -> &'static str {
        "garbage-collector-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        kinds::followed()
    }

    fn follows_custom_kinds(&self) -> bool {
        true
    }

    fn workers(&self) -> usize {
        20
    }

    fn reset(&mut self) {
        *self = GarbageCollector::default();
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let meta = delta.meta();
        if delta.deleted() {
            self.remember(meta.uid.clone());
            for dependent in cx.caches.dependents(&meta.uid) {
                queue.add(key_of(dependent));
            }
            return wake_owners(cx, meta, queue);
        }
        if let Some(old) = &delta.old {
            let old = old.meta();
            let same = old.owner_references == meta.owner_references
                && old.deletion_timestamp == meta.deletion_timestamp
                && old.finalizers == meta.finalizers;
            if same {
                return;
            }
            wake_owners(cx, old, queue);
        }
        if meta.deletion_timestamp.is_some() {
            if has(meta, FOREGROUND) {
                for dependent in cx.caches.dependents(&meta.uid) {
                    queue.add(key_of(dependent));
                }
            }
            queue.add(key_of(delta.object()));
        } else if !meta.owner_references.is_empty() {
            queue.add(key_of(delta.object()));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(object) = find(cx, key) else { return Plan::settled() };
        let meta = object.meta();
        if meta.deletion_timestamp.is_some() {
            if has(meta, ORPHAN) {
                return orphan(cx, object);
            }
            return if has(meta, FOREGROUND) {
                finish_foreground(cx, object)
            } else {
                Plan::settled()
            };
        }
        self.collect(cx, object)
    }
}

impl GarbageCollector {
    fn remember(&mut self, uid: Str) {
        if self.gone.insert(uid.clone()) {
            self.order.push_back(uid);
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Deletes an object whose owners are all gone or going, or drops the references to those that are.
    fn collect(&self, cx: &Cx<'_>, object: &Object) -> Plan {
        let meta = object.meta();
        let mut plan = Plan::settled();
        let (mut solid, mut lost, mut waiting) = (0, Vec::new(), false);
        for reference in &meta.owner_references {
            match state_of(cx, meta, reference) {
                Owner::Solid => solid += 1,
                Owner::Absent(kind) => {
                    lost.push(reference);
                    if !self.gone.contains(&reference.uid) {
                        let owner = owner_key(kind, meta, reference);
                        plan.only_if_gone(kind, &owner, reference.uid.clone());
                    }
                }
                Owner::Waiting => {
                    waiting = true;
                    lost.push(reference);
                }
            }
        }
        if lost.is_empty() {
            return Plan::settled();
        }
        if solid > 0 {
            let uids: Vec<&Str> = lost.iter().map(|reference| &reference.uid).collect();
            plan.batch(vec![drop_owners(object, &uids)]);
            return plan;
        }
        let going = |dependent: &Object| {
            let meta = dependent.meta();
            meta.deletion_timestamp.is_some() && has(meta, FOREGROUND)
        };
        if waiting && cx.caches.dependents(&meta.uid).any(going) {
            // Objects that wait for each other would wait for ever.
            plan.batch(unblock(object));
        }
        let policy = if waiting && cx.caches.dependents(&meta.uid).next().is_some() {
            "Foreground"
        } else if has(meta, ORPHAN) {
            "Orphan"
        } else if has(meta, FOREGROUND) {
            "Foreground"
        } else {
            "Background"
        };
        let preconditions = Preconditions { uid: Some(meta.uid.clone()), resource_version: None };
        let options = DeleteOptions {
            propagation_policy: Some(policy.into()),
            preconditions: Some(Box::new(preconditions)),
            ..DeleteOptions::default()
        };
        plan.delete(object.resource(), options);
        plan
    }
}

/// What is known of an owner.
enum Owner {
    /// It lives, or nothing is known against it.
    Solid,
    /// The caches do not have it.
    Absent(&'static KindInfo),
    /// It is being deleted and waits for its dependents.
    Waiting,
}

fn state_of(cx: &Cx<'_>, meta: &ObjectMeta, reference: &OwnerReference) -> Owner {
    let kind = kinds::named(cx, &reference.api_version, &reference.kind);
    let Some(kind) = kind.filter(|kind| cx.caches.synced(kind)) else { return Owner::Solid };
    let owner = cx.caches.object(kind, &owner_key(kind, meta, reference));
    match owner.map(|owner| owner.meta()).filter(|owner| owner.uid == reference.uid) {
        None => Owner::Absent(kind),
        Some(owner) if owner.deletion_timestamp.is_some() && has(owner, FOREGROUND) => {
            Owner::Waiting
        }
        Some(_) => Owner::Solid,
    }
}

fn owner_key(kind: &KindInfo, meta: &ObjectMeta, reference: &OwnerReference) -> Key {
    let namespace = if kind.namespaced { meta.namespace.clone() } else { Str::new() };
    Key::new(namespace, reference.name.clone())
}

fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().any(|known| known == finalizer)
}

/// Owners that wait for their dependents look again when one goes or lets go.
fn wake_owners(cx: &Cx<'_>, meta: &ObjectMeta, queue: &mut Enqueue) {
    for reference in &meta.owner_references {
        if let Owner::Waiting = state_of(cx, meta, reference)
            && let Some(kind) = kinds::named(cx, &reference.api_version, &reference.kind)
        {
            queue.add(encode(kind, &owner_key(kind, meta, reference)));
        }
    }
}

/// Takes the owner's references from its dependents, then its own finalizer.
fn orphan(cx: &Cx<'_>, object: &Object) -> Plan {
    let mut plan = Plan::settled();
    let uid = &object.meta().uid;
    let dependents = cx.caches.dependents(uid);
    plan.batch(dependents.map(|dependent| drop_owners(dependent, &[uid])).collect());
    drop_finalizer(object, ORPHAN, &mut plan);
    plan
}

/// Lets the owner go once no dependent blocks it.
fn finish_foreground(cx: &Cx<'_>, object: &Object) -> Plan {
    let mut plan = Plan::settled();
    let uid = &object.meta().uid;
    let blocked = cx.caches.dependents(uid).any(|dependent| {
        let references = &dependent.meta().owner_references;
        references.iter().any(|owner| owner.uid == *uid && owner.block_owner_deletion == Some(true))
    });
    if !blocked {
        drop_finalizer(object, FOREGROUND, &mut plan);
    }
    plan
}

fn drop_finalizer(object: &Object, finalizer: &str, plan: &mut Plan) {
    let meta = object.meta();
    let rest = meta.finalizers.iter().filter(|known| *known != finalizer);
    let mut body = Json::object();
    body.set("resourceVersion", Json::Str(meta.resource_version.clone()));
    body.set("finalizers", Json::Array(rest.map(|known| Json::Str(known.clone())).collect()));
    let patch = Patch::Merge(under_metadata(body));
    plan.patch_of(object.resource(), Subresource::None, patch);
}

/// Lets the owners of an object go before it.
fn unblock(object: &Object) -> Vec<Write> {
    let blocking = object.meta().owner_references.iter();
    if kinds::is_custom(object.info()) {
        let unblocked = write_owners(object, |owner| {
            let own = owner.block_owner_deletion.map(|_| false);
            Some(OwnerReference { block_owner_deletion: own, ..owner.clone() })
        });
        return vec![unblocked];
    }
    let blocking = blocking.filter(|owner| owner.block_owner_deletion == Some(true));
    let rows: Vec<Json> = blocking
        .map(|owner| {
            let mut row = Json::object();
            row.set("uid", Json::Str(owner.uid.clone()));
            row.set("blockOwnerDeletion", false);
            row
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut body = Json::object();
    body.set("ownerReferences", Json::Array(rows));
    let mut plan = Plan::settled();
    vec![plan.patch(object.resource(), under_metadata(body)).or_failed().clone()]
}

fn drop_owners(object: &Object, uids: &[&Str]) -> Write {
    if kinds::is_custom(object.info()) {
        return write_owners(object, |owner| (!uids.contains(&&owner.uid)).then(|| owner.clone()));
    }
    let deletions = uids.iter().map(|uid| {
        let mut reference = Json::object();
        reference.set("$patch", Json::str("delete"));
        reference.set("uid", Json::Str((*uid).clone()));
        reference
    });
    let mut body = Json::object();
    body.set("ownerReferences", Json::Array(deletions.collect()));
    body.set("uid", Json::Str(object.meta().uid.clone()));
    let mut plan = Plan::settled();
    plan.patch(object.resource(), under_metadata(body)).or_failed().clone()
}

/// What strategic patches say shortly has to be said in full of custom objects, which do not take those.
fn write_owners(
    object: &Object,
    each: impl Fn(&OwnerReference) -> Option<OwnerReference>,
) -> Write {
    let meta = object.meta();
    let owners = meta.owner_references.iter().filter_map(each);
    let mut body = Json::object();
    body.set("ownerReferences", Json::Array(owners.map(|owner| owner.to_json()).collect()));
    body.set("resourceVersion", Json::Str(meta.resource_version.clone()));
    body.set("uid", Json::Str(meta.uid.clone()));
    let patch = Patch::Merge(under_metadata(body));
    let mut plan = Plan::settled();
    plan.patch_of(object.resource(), Subresource::None, patch).or_failed().clone()
}

fn under_metadata(body: Json) -> Json {
    let mut root = Json::object();
    root.set("metadata", body);
    root
}

fn key_of(object: &Object) -> Key {
    encode(object.info(), &Key::of(object.meta()))
}

fn encode(kind: &KindInfo, key: &Key) -> Key {
    Key::new(
        key.namespace.clone(),
        format!("{}.{}.{}/{}", kind.kind, kind.version, kind.group, key.name),
    )
}

fn find<'a>(cx: &Cx<'a>, key: &Key) -> Option<&'a Object> {
    let (kind, name) = key.name.split_once('/')?;
    let mut parts = kind.splitn(3, '.');
    let (kind, version, group) = (parts.next()?, parts.next()?, parts.next()?);
    let same =
        |info: &&'static KindInfo| (info.kind, info.version, info.group) == (kind, version, group);
    let own = api::KINDS.iter().copied().find(|info| same(info));
    let info = own.or_else(|| kinds::custom(cx).find(|info| same(info)))?;
    cx.caches.object(info, &Key::new(key.namespace.clone(), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::apps::v1::{Deployment, ReplicaSet};
    use api::core::v1::{Event, Pod};
    use api::object::Kind;
    use client::Runner;
    use client::testing::{Bench, object};

    fn follows<K: Kind>() -> bool {
        kinds::followed().contains(&K::INFO)
    }

    fn meta(name: &str, owner: &str, more: &str) -> String {
        let owners = match owner.split_once('/') {
            Some((kind, owner)) => format!(
                r#", "ownerReferences": [{{"apiVersion": "apps/v1", "kind": "{kind}", "name": "{owner}",
                "uid": "{owner}", "controller": true, "blockOwnerDeletion": true}}]"#
            ),
            None => String::new(),
        };
        format!(
            r#"{{"metadata": {{"name": "{name}", "namespace": "d", "uid": "{name}"{owners}{more}}}}}"#
        )
    }

    fn family() -> Bench<Runner> {
        let objects = [
            Object::new(object::<Deployment>(&meta("web", "", ""))),
            Object::new(object::<ReplicaSet>(&meta("set", "Deployment/web", ""))),
            Object::new(object::<Pod>(&meta("pod", "ReplicaSet/set", ""))),
        ];
        Bench::new(Runner::new("kcm", vec![Box::new(GarbageCollector::default())]), objects)
    }

    fn delete(bench: &mut Bench<Runner>, policy: &str) {
        let options =
            DeleteOptions { propagation_policy: Some(policy.into()), ..DeleteOptions::default() };
        let request = api::wire::Request::delete(Deployment::INFO, &Key::new("d", "web"), options);
        bench.ask(&request).expect("it may");
    }

    /// Deletes the Deployment of a family of three and compares the writes.
    fn check(policy: &str, expect: &str) {
        let mut bench = family();
        assert_eq!(bench.take_log(), "");
        delete(&mut bench, policy);
        assert_eq!(bench.take_log(), expect);
    }

    #[test]
    fn in_the_background_dependents_go_after_their_owner() {
        check("Background", "-ReplicaSet set; -Pod pod");
    }

    #[test]
    fn in_the_foreground_the_owner_goes_last() {
        check("Foreground", "-ReplicaSet set; -Pod pod; ~ReplicaSet set; ~Deployment web");
    }

    #[test]
    fn orphans_lose_their_owner_and_stay() {
        check("Orphan", "~ReplicaSet set; ~Deployment web");
    }

    #[test]
    fn a_dependent_without_an_owner_is_deleted_once_the_server_confirms_it() {
        let pod = Object::new(object::<Pod>(&meta("pod", "ReplicaSet/lost", "")));
        let runner = Runner::new("kcm", vec![Box::new(GarbageCollector::default())]);
        let mut bench = Bench::new(runner, [pod]);
        assert_eq!(bench.take_log(), "?ReplicaSet lost; -Pod pod");
    }

    #[test]
    fn events_are_not_followed() {
        assert!(follows::<Pod>() && !follows::<Event>());
    }

    #[test]
    fn a_dependent_that_does_not_block_is_not_waited_for() {
        let mut bench = family();
        bench.edit::<ReplicaSet>("d", "set", |set| {
            let owners = &mut std::sync::Arc::make_mut(&mut set.metadata).owner_references;
            owners[0].block_owner_deletion = Some(false);
        });
        bench.edit::<Pod>("d", "pod", |pod| {
            let meta = std::sync::Arc::make_mut(&mut pod.metadata);
            meta.finalizers.push("example.com/hold".into());
        });
        bench.take_log();
        delete(&mut bench, "Foreground");
        assert!(bench.api.get::<Deployment>("d", "web").is_none());
        assert!(bench.api.get::<ReplicaSet>("d", "set").is_some());
    }

    #[test]
    fn owners_of_each_other_go_together() {
        let mut bench = family();
        bench.edit::<Deployment>("d", "web", |web| {
            let pod: Pod = object(&meta("x", "ReplicaSet/set", ""));
            let meta = std::sync::Arc::make_mut(&mut web.metadata);
            meta.owner_references = pod.metadata.owner_references.clone();
        });
        bench.take_log();
        delete(&mut bench, "Foreground");
        let left = (bench.api.all::<Deployment>().len(), bench.api.all::<ReplicaSet>().len());
        assert_eq!(left, (0, 0), "{}", bench.take_log());
    }

    #[test]
    fn an_object_with_an_owner_left_only_loses_the_others() {
        let mut bench = family();
        bench.edit::<Pod>("d", "pod", |pod| {
            let other: Pod = object(&meta("x", "Deployment/web", ""));
            let meta = std::sync::Arc::make_mut(&mut pod.metadata);
            meta.owner_references.push(other.metadata.owner_references[0].clone());
        });
        bench.take_log();
        bench.remove::<ReplicaSet>("d", "set");
        let pod = bench.api.get::<Pod>("d", "pod").expect("it stays");
        assert_eq!(pod.metadata.owner_references.len(), 1);
        assert_eq!(pod.metadata.owner_references[0].kind, "Deployment");
    }
}
