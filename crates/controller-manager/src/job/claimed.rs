//! The pods of a Job: adopted ones get the tracking finalizer, released ones lose it.

use std::sync::Arc;

use api::batch::v1::Job;
use api::core::v1::Pod;
use api::json::Json;
use api::object::{Key, Kind};
use api::selector::Selector;
use api::wire::{Patch, Request, Verb};
use base::list;
use client::owner::{controller_of, controller_reference, selects};
use client::{Cx, Plan, Write};

use super::TRACKING;

/// The pods of a Job, in the order of their names, as they will be once the plan has adopted and released.
pub fn pods(cx: &Cx<'_>, job: &Job, selector: &Selector, plan: &mut Plan) -> Vec<Arc<Pod>> {
    let meta = &job.metadata;
    let lives = meta.deletion_timestamp.is_none();
    let all = cx.pods();
    let (mut pods, mut writes) = (Vec::new(), Vec::new());
    for pod in all.owned_by(&meta.uid) {
        if selects(selector, &pod.metadata) {
            pods.extend(all.arc(&Key::of(&pod.metadata)));
        } else if lives {
            writes.push(release(pod, job));
        }
    }
    if lives {
        let strangers = all.selected(&meta.namespace, selector).filter(|pod| {
            controller_of(&pod.metadata).is_none() && pod.metadata.deletion_timestamp.is_none()
        });
        for pod in strangers {
            writes.push(adopt(pod, job));
            let mut pod = pod.clone();
            let meta = Arc::make_mut(&mut pod.metadata);
            meta.owner_references = list![controller_reference(job)];
            meta.finalizers.push(TRACKING.into());
            pods.push(Arc::new(pod));
        }
        base::sort::by(&mut pods, |a, b| a.metadata.name.cmp(&b.metadata.name));
    }
    plan.batch(writes);
    pods
}

fn adopt(pod: &Pod, job: &Job) -> Write {
    let mut meta = Json::object();
    let owner = api::Value::to_json(&controller_reference(job));
    meta.set("ownerReferences", Json::Array(vec![owner]));
    meta.set("uid", Json::Str(pod.metadata.uid.clone()));
    meta.set("finalizers", Json::Array(vec![Json::str(TRACKING)]));
    patch(pod, meta)
}

fn release(pod: &Pod, job: &Job) -> Write {
    let mut reference = Json::object();
    reference.set("$patch", Json::str("delete"));
    reference.set("uid", Json::Str(job.metadata.uid.clone()));
    let mut meta = Json::object();
    meta.set("ownerReferences", Json::Array(vec![reference]));
    meta.set("uid", Json::Str(pod.metadata.uid.clone()));
    without_finalizer(&mut meta);
    let mut write = patch(pod, meta);
    write.or_failed();
    write
}

/// Takes the tracking finalizer from a pod.
pub fn untrack(pod: &Pod) -> Write {
    let mut meta = Json::object();
    without_finalizer(&mut meta);
    let mut write = patch(pod, meta);
    write.or_failed();
    write
}

fn without_finalizer(meta: &mut Json) {
    meta.set("$deleteFromPrimitiveList/finalizers", Json::Array(vec![Json::str(TRACKING)]));
}

fn patch(pod: &Pod, meta: Json) -> Write {
    let mut body = Json::object();
    body.set("metadata", meta);
    let verb = Verb::Patch(Patch::Strategic(body));
    Write::new(Request::new(Pod::INFO, &Key::of(&pod.metadata), verb))
}
