//! Who owns what: adoption of matching orphans and release of what no longer matches.

use api::json::Json;
use api::meta::v1::ObjectMeta;
use api::object::{Kind, Resource};
use api::selector::Selector;
use client::owner::{controller_of, controller_reference, selects};
use client::{Cx, Delta, Enqueue, Write};

/// What belongs to a controller after claiming, and the writes that make it so.
pub struct Claim<'a, K> {
    /// The owner's objects, ordered by name.
    pub owned: Vec<&'a K>,
    /// Adoptions and releases, to be sent at once before anything else.
    pub writes: Vec<Write>,
}

/// Finds the objects of `owner`: its own that match, and orphans that match and are adopted.
pub fn claim<'a, K: Kind>(
    cx: &Cx<'a>,
    owner: &'a dyn Resource,
    selector: &'a Selector,
) -> Claim<'a, K> {
    let meta = owner.meta();
    let alive = meta.deletion_timestamp.is_none();
    let all = cx.all::<K>();
    let mut claim = Claim { owned: Vec::new(), writes: Vec::new() };
    for object in all.owned_by(&meta.uid) {
        if selects(selector, object.meta()) {
            claim.owned.push(object);
        } else if alive {
            claim.writes.push(release(object, owner));
        }
    }
    if !alive {
        return claim;
    }
    let known = claim.owned.len();
    for object in all.orphans_in(&meta.namespace) {
        if selects(selector, object.meta()) && object.meta().deletion_timestamp.is_none() {
            claim.writes.push(adopt(object, owner));
            claim.owned.push(object);
        }
    }
    if claim.owned.len() > known {
        base::sort::by(&mut claim.owned, |a, b| a.meta().name.cmp(&b.meta().name));
    }
    claim
}

/// Makes `owner` the controller of an orphan.
fn adopt(object: &dyn Resource, owner: &dyn Resource) -> Write {
    let reference = api::Value::to_json(&controller_reference(owner));
    change_owner(object, reference)
}

/// Takes `owner` from the owners of an object.
fn release(object: &dyn Resource, owner: &dyn Resource) -> Write {
    let mut reference = Json::object();
    reference.set("$patch", Json::str("delete"));
    reference.set("uid", Json::Str(owner.meta().uid.clone()));
    let mut write = change_owner(object, reference);
    write.or_failed();
    write
}

fn change_owner(object: &dyn Resource, reference: Json) -> Write {
    let mut meta = Json::object();
    meta.set("ownerReferences", Json::Array(vec![reference]));
    meta.set("uid", Json::Str(object.meta().uid.clone()));
    let mut body = Json::object();
    body.set("metadata", meta);
    let mut plan = client::Plan::settled();
    plan.patch(object, body).clone()
}

/// Enqueues the owners of kind `O` that a change of a dependent concerns: its controller, the one it had before,
/// and, for an orphan, those whose selector matches it.
pub fn owners_of<O: Kind>(
    cx: &Cx<'_>,
    delta: &Delta,
    queue: &mut Enqueue,
    matches: impl Fn(&O, &ObjectMeta) -> bool,
) {
    let meta = delta.meta();
    let owner = controller_of(meta);
    let before = delta.old.as_ref().and_then(|old| controller_of(old.meta()));
    for owner in [owner, before.filter(|before| owner != Some(before))].into_iter().flatten() {
        if is_kind::<O>(&owner.kind, &owner.api_version) {
            queue.named(meta.namespace.clone(), owner.name.clone());
        }
    }
    if owner.is_some() || delta.deleted() {
        return;
    }
    let same = delta.old.as_ref().is_some_and(|old| old.meta().labels == meta.labels);
    if same && before.is_none() {
        return;
    }
    for candidate in cx.all::<O>().in_namespace(&meta.namespace) {
        if matches(candidate, meta) {
            queue.of(candidate.meta());
        }
    }
}

/// Whether a reference names the kind `O`, in whatever version of its group.
pub fn is_kind<O: Kind>(kind: &str, api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    kind == O::INFO.kind && group == O::INFO.group
}
