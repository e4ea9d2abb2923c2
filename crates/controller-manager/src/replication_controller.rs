//! The ReplicationController controller: the older ReplicaSet.

use std::sync::Arc;

use api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus};
use api::core::v1::{
    Pod, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use api::meta::v1::LabelSelector;
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use client::owner::selects;
use client::{Cx, Delta, Enqueue, Failure, Plan, Reconcile};

use crate::{claim, replica_set};

/// The ReplicationController controller.
#[derive(Clone, Default)]
pub struct ReplicationControllers;

impl Reconcile for ReplicationControllers {
    fn name(&self) -> &'static str {
        "replicationcontroller-controller"
    }

    fn source(&self) -> &'static str {
        "replication-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![ReplicationController::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<ReplicationController>() {
            return queue.add(delta.key());
        }
        claim::owners_of::<ReplicationController>(cx, delta, queue, |owner, meta| {
            !owner.spec.selector.is_empty() && selects(&selector_of(owner), meta)
        });
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(owner) = cx.all::<ReplicationController>().get(key) else {
            return Plan::settled();
        };
        if owner.spec.selector.is_empty() {
            return Plan::settled();
        }
        let selector = selector_of(owner);
        let claimed = claim::claim::<Pod>(cx, owner, &selector);
        let (mut plan, status) = replica_set::sync(cx, &as_set(owner), owner, claimed);
        write_status(owner, status, &mut plan);
        plan
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        let mut plan = Plan::settled();
        let Some(owner) = cx.all::<ReplicationController>().get(key) else { return plan };
        if let Some(status) = replica_set::after_failure(cx, &as_set(owner), failure) {
            write_status(owner, status, &mut plan);
        }
        plan
    }
}

fn selector_of(owner: &ReplicationController) -> Selector {
    Selector::from_labels(owner.spec.selector.iter())
}

/// The ReplicaSet that asks for the same.
fn as_set(owner: &ReplicationController) -> ReplicaSet {
    let (spec, status) = (&owner.spec, &owner.status);
    let condition = |known: &ReplicationControllerCondition| ReplicaSetCondition {
        type_: known.type_.clone(),
        status: known.status.clone(),
        reason: known.reason.clone(),
        message: known.message.clone(),
        last_transition_time: known.last_transition_time,
    };
    ReplicaSet {
        metadata: owner.metadata.clone(),
        spec: Arc::new(ReplicaSetSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: spec.replicas,
            selector: LabelSelector {
                match_labels: spec.selector.clone(),
                ..LabelSelector::default()
            },
            template: spec.template.clone(),
        }),
        status: Arc::new(ReplicaSetStatus {
            conditions: status.conditions.iter().map(condition).collect(),
            ..ReplicaSetStatus::default()
        }),
    }
}

fn write_status(owner: &ReplicationController, status: ReplicaSetStatus, plan: &mut Plan) {
    let condition = |new: &ReplicaSetCondition| ReplicationControllerCondition {
        type_: new.type_.clone(),
        status: new.status.clone(),
        reason: new.reason.clone(),
        message: new.message.clone(),
        last_transition_time: new.last_transition_time,
    };
    let status = ReplicationControllerStatus {
        available_replicas: status.available_replicas,
        conditions: status.conditions.iter().map(condition).collect(),
        fully_labeled_replicas: status.fully_labeled_replicas,
        observed_generation: status.observed_generation,
        ready_replicas: status.ready_replicas,
        replicas: status.replicas,
    };
    if *owner.status != status {
        let mut new = owner.clone();
        new.status = Arc::new(status);
        plan.status(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Duration;
    use client::Runner;
    use client::testing::{Bench, object};

    fn world(replicas: i32) -> Bench<Runner> {
        let owner: ReplicationController = object(&format!(
            r#"{{"metadata": {{"name": "web", "namespace": "d", "uid": "u"}}, "spec": {{"replicas": {replicas},
            "selector": {{"app": "web"}}, "template": {{"metadata": {{"labels": {{"app": "web"}}}},
            "spec": {{"containers": []}}}}}}}}"#
        ));
        Bench::new(Runner::new("kcm", vec![Box::new(ReplicationControllers)]), [owner.into()])
    }

    #[test]
    fn it_keeps_the_number_of_pods() {
        let mut world = world(2);
        assert_eq!(world.api.all::<Pod>().len(), 2);
        let owner = &world.api.all::<Pod>()[0].metadata.owner_references[0];
        assert_eq!((&*owner.kind, &*owner.api_version), ("ReplicationController", "v1"));
        world.edit::<ReplicationController>("d", "web", |owner| {
            Arc::make_mut(&mut owner.spec).replicas = Some(0);
        });
        world.run(Duration::secs(1));
        assert_eq!(world.api.all::<Pod>().len(), 0);
        let stored = world.api.get::<ReplicationController>("d", "web").expect("it exists");
        assert_eq!(stored.status.replicas, 0);
    }

    #[test]
    fn a_failure_shows_in_its_status() {
        let mut world = world(0);
        world.api.refuse("+Pod", api::wire::failure(403, "Forbidden", "no"));
        world.edit::<ReplicationController>("d", "web", |owner| {
            Arc::make_mut(&mut owner.spec).replicas = Some(1);
        });
        world.run(Duration::secs(1));
        let stored = world.api.get::<ReplicationController>("d", "web").expect("it exists");
        assert_eq!(stored.status.conditions[0].reason, "FailedCreate");
        world.api.allow();
        world.run(Duration::mins(10));
        let stored = world.api.get::<ReplicationController>("d", "web").expect("it exists");
        assert!(stored.status.conditions.is_empty());
    }
}
