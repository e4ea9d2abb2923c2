//! `apps`: Deployments, ReplicaSets, StatefulSets, DaemonSets.
//!
//! Models the defaults of `apps/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::apps::v1::*;
use api::int_or_string::IntOrString;
use base::lit;

use super::{by_kind, core, missing, part, template, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        Deployment => deployment,
        ReplicaSet => replica_set,
        StatefulSet => stateful_set,
        DaemonSet => daemon_set,
    );
}

fn deployment(deployment: &mut Deployment) {
    part(&mut deployment.spec, |spec| {
        missing(&mut spec.replicas, 1);
        text(&mut spec.strategy.type_, lit!("RollingUpdate"));
        if spec.strategy.type_ == "RollingUpdate" {
            let update = spec.strategy.rolling_update.get_or_insert_default();
            missing(&mut update.max_unavailable, IntOrString::Str(lit!("25%")));
            missing(&mut update.max_surge, IntOrString::Str(lit!("25%")));
        }
        missing(&mut spec.revision_history_limit, 10);
        missing(&mut spec.progress_deadline_seconds, 600);
        template::spec(&mut spec.template.spec);
    });
}

fn replica_set(set: &mut ReplicaSet) {
    part(&mut set.spec, |spec| {
        missing(&mut spec.replicas, 1);
        template::spec(&mut spec.template.spec);
    });
}

fn stateful_set(set: &mut StatefulSet) {
    part(&mut set.spec, |spec| {
        text(&mut spec.pod_management_policy, lit!("OrderedReady"));
        if spec.update_strategy.type_.is_empty() {
            spec.update_strategy.type_ = lit!("RollingUpdate");
            missing(&mut spec.update_strategy.rolling_update, Box::default());
        }
        if spec.update_strategy.type_ == "RollingUpdate"
            && let Some(update) = &mut spec.update_strategy.rolling_update
        {
            missing(&mut update.partition, 0);
        }
        let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
        text(&mut retention.when_deleted, lit!("Retain"));
        text(&mut retention.when_scaled, lit!("Retain"));
        missing(&mut spec.replicas, 1);
        missing(&mut spec.revision_history_limit, 10);
        template::spec(&mut spec.template.spec);
        spec.volume_claim_templates.iter_mut().for_each(core::claim);
    });
}

fn daemon_set(set: &mut DaemonSet) {
    part(&mut set.spec, |spec| {
        text(&mut spec.update_strategy.type_, lit!("RollingUpdate"));
        if spec.update_strategy.type_ == "RollingUpdate" {
            let update = spec.update_strategy.rolling_update.get_or_insert_default();
            missing(&mut update.max_unavailable, IntOrString::Int(1));
            missing(&mut update.max_surge, IntOrString::Int(0));
        }
        missing(&mut spec.revision_history_limit, 10);
        template::spec(&mut spec.template.spec);
    });
}
