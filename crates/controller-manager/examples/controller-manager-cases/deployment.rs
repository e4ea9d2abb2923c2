//! How a Deployment spreads a change of its size over its ReplicaSets.

use std::sync::Arc;

use api::Json;
use api::apps::v1::{Deployment, ReplicaSet};
use api::object::{Key, Object};
use api::time::Time;
use api::wire::{Trigger, Verb};
use base::{BTreeMap, Instant, Str, list};
use client::owner::controller_reference;
use client::testing::{caches, object};
use client::{Cx, Reconcile};
use controller_manager::deployment::Deployments;

use crate::{Failure, moment, same, text};

fn template(image: &str) -> String {
    let containers = format!(r#"[{{"name": "c", "image": "{image}"}}]"#);
    format!(
        r#"{{"metadata": {{"labels": {{"app": "foo"}}}}, "spec": {{"containers": {containers}}}}}"#
    )
}

/// The sizes of all sets after one look. The Deployment is paused, so that it does nothing but follow its size.
pub fn scale(case: &Json) -> Result<(), Failure> {
    let wanted = case.get("deployment").expect("it has a deployment");
    let deployment: Deployment = object(&format!(
        r#"{{"metadata": {{"name": "foo", "namespace": "d", "uid": "u"}}, "spec": {{"paused": true, "replicas": {},
        "strategy": {}, "selector": {{"matchLabels": {{"app": "foo"}}}}, "template": {}}}}}"#,
        wanted.get("replicas").expect("a number"),
        wanted.get("strategy").expect("a strategy"),
        template("new"),
    ));
    let mut sizes = BTreeMap::new();
    let mut objects: Vec<Object> = Vec::new();
    for before in case.get("before").map(Json::items).unwrap_or_default() {
        let set = set_of(before, &deployment);
        sizes.insert(set.metadata.name.clone(), set.spec.replicas.unwrap_or(1));
        objects.push(set.into());
    }
    objects.push(deployment.into());
    let caches = caches(objects);
    let cx = Cx { now: Instant::START, caches: &caches, trigger: Trigger::default() };
    let plan = Deployments.reconcile(&cx, &Key::new("d", "foo"));
    for request in plan.requests() {
        if let Verb::Update(object) = &request.verb
            && let Some(set) = object.get::<ReplicaSet>()
        {
            sizes.insert(set.metadata.name.clone(), set.spec.replicas.unwrap_or(1));
        }
    }
    let after = case.get("after").map(Json::fields).unwrap_or_default();
    let expected: BTreeMap<Str, i32> = after
        .iter()
        .map(|(name, size)| (name.clone(), size.as_i64().unwrap_or_default() as i32))
        .collect();
    same(case, &format!("{expected:?}"), &format!("{sizes:?}"))
}

fn set_of(before: &Json, deployment: &Deployment) -> ReplicaSet {
    let is_new = before.get("new").and_then(Json::as_bool) == Some(true);
    let name = text(before, "name");
    let mut set: ReplicaSet = object(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "d", "uid": "{name}", "labels": {{"app": "foo"}}, "annotations":
        {}}}, "spec": {{"replicas": {}, "selector": {{"matchLabels": {{"app": "foo"}}}}, "template": {}}}}}"#,
        before.get("annotations").expect("annotations"),
        before.get("replicas").expect("a number"),
        template(if is_new { "new" } else { name }),
    ));
    let meta = Arc::make_mut(&mut set.metadata);
    meta.creation_timestamp = moment(before, "created").map(Time::from);
    meta.owner_references = list![controller_reference(deployment)];
    set
}
