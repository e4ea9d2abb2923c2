//! The set of the present template: found, kept up to date, or created.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use api::codec::Value;
use api::core::v1::PodTemplateSpec;
use api::hash::pod_template_hash;
use api::meta::v1::ObjectMeta;
use api::object::Key;
use base::{Str, list};
use client::owner::{controller_reference, is_controlled_by};
use client::{Cx, Failure, Note, Plan, Write};

use super::{
    HASH_LABEL, Rollout, annotations, condition, new_condition, oldest_first, set_condition, status,
};

impl Rollout<'_> {
    /// Tells the new set from the old ones; creates it if it is missing and `create` says so.
    pub(super) fn tell_apart(&mut self, create: bool) {
        let mut sets = std::mem::take(&mut self.sets);
        oldest_first(&mut sets);
        let template = &self.deployment.spec.template;
        let at = sets.iter().position(|set| same_template(template, &set.spec.template));
        self.new = at.map(|at| sets.remove(at));
        self.old = sets;
        if self.new.is_some() {
            self.refresh_new();
        } else if create {
            self.create_new();
        }
    }

    /// Creates the new set after all, once the old pods are gone.
    pub(super) fn create_missing(&mut self) {
        if self.new.is_none() {
            self.create_new();
        }
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(annotations::revision).max().unwrap_or(0) + 1
    }

    fn refresh_new(&mut self) {
        let revision = self.next_revision();
        let Some(mut set) = self.new.take() else { return };
        let min_ready = self.deployment.spec.min_ready_seconds;
        let mut changed = annotations::refresh(&self.deployment, &mut set, revision);
        if set.spec.min_ready_seconds != min_ready {
            Arc::make_mut(&mut set.spec).min_ready_seconds = min_ready;
            changed = true;
        }
        if changed {
            self.plan.update(set.clone());
        }
        let mut dirty = self.take_revision(annotations::revision(&set));
        if status::has_deadline(&self.deployment)
            && condition(&self.deployment, "Progressing").is_none()
        {
            let message = format!("Found new replica set {:?}", &*set.metadata.name);
            self.set_condition("Progressing", "True", "FoundNewReplicaSet", message.into());
            dirty = true;
        }
        if dirty {
            self.plan.status(self.deployment.clone());
        }
        self.new = Some(set);
    }

    /// Shows the revision in the Deployment's own annotations; false if it does already.
    fn take_revision(&mut self, revision: i64) -> bool {
        let text: Str = revision.to_string().into();
        if self.deployment.metadata.annotations.get(annotations::REVISION) == Some(&text) {
            return false;
        }
        let meta = Arc::make_mut(&mut self.deployment.metadata);
        meta.annotations.insert(annotations::REVISION, text);
        true
    }

    fn create_new(&mut self) {
        let revision = self.next_revision();
        let mut set = fresh(&self.deployment);
        let known = Key::of(&set.metadata);
        if let Some(known) = self.cx.replica_sets().get(&known) {
            return self.name_is_taken(known.clone());
        }
        let count = self.new_count(0);
        Arc::make_mut(&mut set.spec).replicas = Some(count);
        annotations::refresh(&self.deployment, &mut set, revision);
        let (want, max) = (self.want(), self.want() + self.surge());
        annotations::set_counts(&mut set, want, max);
        let name = set.metadata.name.clone();
        let mut write = Write::create(set.clone());
        if count > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {count}");
            write.said(Note::new(&self.deployment, "Normal", "ScalingReplicaSet", message));
        }
        let message = format!("Failed to create new replica set {:?}: {{error}}", &*name);
        write.or_said(Note::new(&self.deployment, "Warning", "ReplicaSetCreateError", message));
        self.plan.batch(vec![write]);
        let mut dirty = self.take_revision(revision);
        if status::has_deadline(&self.deployment) {
            let message = format!("Created new replica set {:?}", &*name);
            self.set_condition("Progressing", "True", "NewReplicaSetCreated", message.into());
            dirty = true;
        }
        if dirty {
            self.plan.status(self.deployment.clone());
        }
        self.new = Some(set);
    }

    /// Another set has the name: ours seen late, or a collision of hashes.
    fn name_is_taken(&mut self, known: ReplicaSet) {
        let template = &self.deployment.spec.template;
        if is_controlled_by(&known.metadata, &self.deployment.metadata)
            && same_template(template, &known.spec.template)
        {
            self.new = Some(known);
            return self.refresh_new();
        }
        let status = Arc::make_mut(&mut self.deployment.status);
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        self.plan.status(self.deployment.clone());
        self.given_up = true;
    }
}

/// The set of the present template, without a size.
fn fresh(deployment: &Deployment) -> ReplicaSet {
    let (meta, spec) = (&deployment.metadata, &deployment.spec);
    let hash: Str =
        pod_template_hash(&spec.template.to_json(), deployment.status.collision_count).into();
    let mut template = spec.template.clone();
    template.metadata.labels.insert(HASH_LABEL, hash.clone());
    let mut selector = spec.selector.clone();
    selector.match_labels.insert(HASH_LABEL, hash.clone());
    ReplicaSet {
        metadata: Arc::new(ObjectMeta {
            name: format!("{}-{hash}", meta.name).into(),
            namespace: meta.namespace.clone(),
            labels: template.metadata.labels.clone(),
            owner_references: list![controller_reference(deployment)],
            ..ObjectMeta::default()
        }),
        spec: Arc::new(ReplicaSetSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: Some(0),
            selector,
            template,
        }),
        ..ReplicaSet::default()
    }
}

/// Whether two templates are equal but for the hash label.
pub(super) fn same_template(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    let labels = |template: &PodTemplateSpec| {
        let mut labels = template.metadata.labels.clone();
        labels.remove(&HASH_LABEL);
        labels
    };
    let (x, y) = (&a.metadata, &b.metadata);
    x.annotations == y.annotations
        && x.finalizers == y.finalizers
        && x.name == y.name
        && labels(a) == labels(b)
        && a.spec == b.spec
}

/// What to write after the set could not be created.
pub(super) fn creation_failed(
    cx: &Cx<'_>,
    deployment: &Deployment,
    name: &str,
    failure: &Failure,
) -> Plan {
    let mut new = deployment.clone();
    let status = Arc::make_mut(&mut new.status);
    if failure.is("AlreadyExists") {
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
    } else {
        let message = format!("Failed to create new replica set {name:?}: {}", failure.message());
        let condition =
            new_condition(cx.now, "Progressing", "False", "ReplicaSetCreateError", message.into());
        set_condition(&mut status.conditions, condition);
    }
    let mut plan = Plan::settled();
    if new != *deployment {
        plan.status(new);
    }
    plan
}
