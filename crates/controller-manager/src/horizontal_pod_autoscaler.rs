//! The HorizontalPodAutoscaler controller: sizes a set by the load of its pods.
//!
//! Known deviations:
//! - Measured values come from annotations (see `metrics`).
//! - Only Deployments, ReplicaSets, StatefulSets and ReplicationControllers are scaled.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus,
    MetricStatus,
};
use api::core::v1::{Namespace, Pod, ReplicationController, Service};
use api::json::Json;
use api::object::{Key, Kind, KindInfo, Object};
use api::selector::Selector;
use api::wire::{Patch, Request, Subresource, Verb, time_of};
use base::{Duration, HashMap, Str};
use client::{Cx, Delta, Enqueue, Failure, Note, Plan, Reconcile};

use behavior::{Bounds, History};

pub mod behavior;
pub mod calculator;
pub mod metrics;
mod proposal;

/// How often each autoscaler is looked at.
const PERIOD: Duration = Duration::secs(15);

/// The HorizontalPodAutoscaler controller.
#[derive(Clone, Default)]
pub struct HorizontalPodAutoscalers {
    histories: HashMap<Key, History>,
}

impl Reconcile for HorizontalPodAutoscalers {
    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![
            HorizontalPodAutoscaler::INFO,
            Pod::INFO,
            Deployment::INFO,
            ReplicaSet::INFO,
            StatefulSet::INFO,
            ReplicationController::INFO,
            Service::INFO,
            Namespace::INFO,
        ]
    }

    fn on_delta(&mut self, _cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if !delta.is::<HorizontalPodAutoscaler>() {
            return;
        }
        if delta.deleted() {
            self.histories.remove(&delta.key());
        } else {
            queue.after(delta.key(), PERIOD);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(scaler) = cx.all::<HorizontalPodAutoscaler>().get(key) else {
            return Plan::settled();
        };
        let history = self.histories.entry(key.clone()).or_default();
        let mut look = Look {
            cx: *cx,
            scaler,
            status: (*scaler.status).clone(),
            plan: Plan::after(PERIOD),
            history,
        };
        look.run();
        if *scaler.status != look.status {
            let status = Arc::new(look.status);
            look.plan.status(HorizontalPodAutoscaler { status, ..scaler.clone() });
        }
        look.plan
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        let mut plan = Plan::settled();
        let Some(scaler) = cx.all::<HorizontalPodAutoscaler>().get(key) else { return plan };
        if failure.request.subresource == Subresource::Scale {
            let why = format!(
                "the HPA controller was unable to update the target scale: {}",
                failure.message()
            );
            let mut status = (*scaler.status).clone();
            set(cx, &mut status, "AbleToScale", false, "FailedUpdateScale", why.into());
            plan.status(HorizontalPodAutoscaler { status: Arc::new(status), ..scaler.clone() });
        }
        plan
    }

    fn reset(&mut self) {
        self.histories.clear();
    }
}

/// One look at one autoscaler.
struct Look<'a> {
    cx: Cx<'a>,
    scaler: &'a HorizontalPodAutoscaler,
    status: HorizontalPodAutoscalerStatus,
    plan: Plan,
    history: &'a mut History,
}

/// What is scaled.
struct Target<'a> {
    object: &'a Object,
    /// Replicas that are asked for.
    wanted: i32,
    pods: Vec<&'a Pod>,
}

impl<'a> Look<'a> {
    fn set(&mut self, type_: &str, is: bool, reason: &str, message: impl Into<Str>) {
        set(&self.cx, &mut self.status, type_, is, reason, message.into());
    }

    fn run(&mut self) {
        let spec = &self.scaler.spec;
        let object = match self.object() {
            Ok(object) => object,
            Err(error) => {
                self.plan.event(self.scaler, "Warning", "FailedGetScale", error.clone());
                let message = format!(
                    "the HPA controller was unable to get the target's current scale: {error}"
                );
                return self.set("AbleToScale", false, "FailedGetScale", message);
            }
        };
        let (wanted, selector) = scale_of(object);
        let namespace = &self.scaler.metadata.namespace;
        let pods = self.cx.pods().selected(namespace, &selector).collect();
        let target = Target { object, wanted, pods };
        let message = "the HPA controller was able to get the target's current scale";
        self.set("AbleToScale", true, "SucceededGetScale", message);
        let (now, current) = (self.cx.now, target.wanted);
        self.history.begin(now, current);
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        let (wanted, reason) = if current == 0 && min != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            self.set("ScalingActive", false, "ScalingDisabled", message);
            (0, String::new())
        } else if current > max {
            (max, "Current number of replicas above Spec.MaxReplicas".into())
        } else if current < min {
            (min, "Current number of replicas below Spec.MinReplicas".into())
        } else {
            match self.by_metrics(&target) {
                Some(found) => found,
                None => {
                    self.status.current_replicas = current;
                    return;
                }
            }
        };
        self.status.current_replicas = current;
        self.status.desired_replicas = wanted;
        if wanted != current {
            self.rescale(&target, wanted, &reason);
        }
    }

    /// The count by the metrics, smoothed and limited, and why it is another; `None` if it cannot be known.
    fn by_metrics(&mut self, target: &Target<'_>) -> Option<(i32, String)> {
        let current = target.wanted;
        let proposal = match self.rivals(target) {
            None => self.propose(target),
            Some(message) => {
                let reason = "AmbiguousSelector";
                self.plan.event(self.scaler, "Warning", reason, message.clone());
                self.set("ScalingActive", false, reason, message.clone());
                Err(message)
            }
        };
        let (wanted, metric, statuses) = match proposal {
            Ok(proposal) => proposal,
            Err(error) => {
                let reason = "FailedComputeMetricsReplicas";
                self.plan.event(self.scaler, "Warning", reason, error);
                self.status.current_metrics = Default::default();
                return None;
            }
        };
        self.status.current_metrics = statuses.into_iter().collect();
        let reason = match wanted > current {
            true => format!("{metric} above target"),
            false => "All metrics below target".into(),
        };
        let spec = &self.scaler.spec;
        let (now, rules) = (self.cx.now, spec.behavior.as_deref());
        let stable = self.history.stabilize(now, wanted, current, rules);
        self.set("AbleToScale", true, stable.reason, stable.message);
        let bounds =
            Bounds { min: spec.min_replicas.unwrap_or(1), max: spec.max_replicas, current };
        let limited = self.history.limit(now, stable.replicas, bounds, rules);
        let is_limited = limited.replicas != stable.replicas;
        self.set("ScalingLimited", is_limited, limited.reason, limited.message);
        Some((limited.replicas, reason))
    }

    fn rescale(&mut self, target: &Target<'_>, wanted: i32, reason: &str) {
        let mut spec = Json::object();
        spec.set("replicas", i64::from(wanted));
        let mut body = Json::object();
        body.set("spec", spec);
        let object = target.object;
        let verb = Verb::Patch(Patch::Merge(body));
        let request = Request::new(object.info(), &Key::of(object.meta()), verb);
        let write = self.plan.write(Request { subresource: Subresource::Scale, ..request });
        let what = format!("New size: {wanted}; reason: {reason}");
        let failed = format!("{what}; error: {{error}}");
        write.said(Note::new(self.scaler, "Normal", "SuccessfulRescale", what));
        write.or_said(Note::new(self.scaler, "Warning", "FailedRescale", failed));
        let message = format!("the HPA controller was able to update the target scale to {wanted}");
        self.set("AbleToScale", true, "SucceededRescale", message);
        self.status.last_scale_time = Some(time_of(self.cx.now));
        if self.scaler.spec.behavior.is_some() {
            self.history.changed(self.cx.now, target.wanted, wanted);
        }
    }

    /// Says who else scales the same pods, if anybody does.
    fn rivals(&self, target: &Target<'_>) -> Option<String> {
        // Pods of one template are alike: one of them speaks for its neighbours.
        let mut pods: Vec<&Pod> = target.pods.clone();
        pods.dedup_by(|a, b| a.metadata.labels == b.metadata.labels);
        let all = self.cx.all::<HorizontalPodAutoscaler>();
        let mut names: Vec<String> = all
            .in_namespace(&self.scaler.metadata.namespace)
            .filter(|other| {
                let same = other.metadata.uid == self.scaler.metadata.uid;
                let selector = object_of(&self.cx, other).map(|object| scale_of(object).1);
                same || selector
                    .is_ok_and(|s| pods.iter().any(|pod| client::owner::selects(&s, &pod.metadata)))
            })
            .map(|other| Key::of(&other.metadata).to_string())
            .collect();
        base::sort::naturally(&mut names);
        let selector = scale_of(target.object).1;
        (names.len() > 1).then(|| {
            let names = names.join(" ");
            format!("pods by selector {selector} are controlled by multiple HPAs: [{names}]")
        })
    }

    fn object(&self) -> Result<&'a Object, String> {
        object_of(&self.cx, self.scaler)
    }
}

/// The object that an autoscaler scales.
fn object_of<'a>(cx: &Cx<'a>, scaler: &HorizontalPodAutoscaler) -> Result<&'a Object, String> {
    let reference = &scaler.spec.scale_target_ref;
    let key = Key::new(scaler.metadata.namespace.clone(), reference.name.clone());
    let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
    let kinds =
        [Deployment::INFO, ReplicaSet::INFO, StatefulSet::INFO, ReplicationController::INFO];
    let mut kinds = kinds.into_iter();
    let info = kinds
        .find(|info| info.kind == reference.kind && info.group == group)
        .ok_or_else(|| format!("no matches for kind {:?} in group {group:?}", &*reference.kind))?;
    let object = cx.caches.object(info, &key);
    object.ok_or_else(|| format!("{} {:?} not found", info.resource(), &*reference.name))
}

/// The asked-for replica count, and which pods are meant.
fn scale_of(object: &Object) -> (i32, Selector) {
    let of = |selector| Selector::of(selector).unwrap_or_default();
    let (wanted, selector) = if let Some(set) = object.get::<Deployment>() {
        (set.spec.replicas, of(&set.spec.selector))
    } else if let Some(set) = object.get::<ReplicaSet>() {
        (set.spec.replicas, of(&set.spec.selector))
    } else if let Some(set) = object.get::<StatefulSet>() {
        (set.spec.replicas, of(&set.spec.selector))
    } else {
        let set = object.get::<ReplicationController>().expect("one of the four kinds");
        (set.spec.replicas, Selector::from_labels(set.spec.selector.iter()))
    };
    (wanted.unwrap_or(1), selector)
}

/// Sets a condition; its time changes only with its status.
fn set(
    cx: &Cx<'_>,
    status: &mut HorizontalPodAutoscalerStatus,
    type_: &str,
    is: bool,
    reason: &str,
    message: Str,
) {
    let is = if is { "True" } else { "False" };
    let at = status.conditions.iter().position(|known| known.type_ == type_);
    let since = at.map(|at| &status.conditions[at]).filter(|known| known.status == is);
    let new = HorizontalPodAutoscalerCondition {
        type_: type_.into(),
        status: is.into(),
        reason: reason.into(),
        message,
        last_transition_time: since
            .and_then(|known| known.last_transition_time)
            .or(Some(time_of(cx.now))),
    };
    match at {
        Some(at) => status.conditions[at] = new,
        None => status.conditions.push(new),
    }
}

/// A proposed count, the metric that asks for it, and what was measured.
type Proposal = (i32, String, Vec<MetricStatus>);

#[cfg(test)]
mod tests;
