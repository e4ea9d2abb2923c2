//! `autoscaling`: horizontal pod autoscalers.
//!
//! Models the defaults of `autoscaling/v2` and `v1`.
//!
//! Known deviations: none.

use api::Object;
use api::autoscaling::{v1, v2};
use base::{List, list, lit};

use super::{by_kind, missing, part};

const CPU_PERCENT: i32 = 80;

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        v2::HorizontalPodAutoscaler => autoscaler,
        v1::HorizontalPodAutoscaler => autoscaler_v1,
    );
}

fn autoscaler(autoscaler: &mut v2::HorizontalPodAutoscaler) {
    part(&mut autoscaler.spec, |spec| {
        missing(&mut spec.min_replicas, 1);
        if spec.metrics.is_empty() {
            spec.metrics.push(v2::MetricSpec {
                type_: lit!("Resource"),
                resource: Some(Box::new(v2::ResourceMetricSource {
                    name: lit!("cpu"),
                    target: v2::MetricTarget {
                        type_: lit!("Utilization"),
                        average_utilization: Some(CPU_PERCENT),
                        ..v2::MetricTarget::default()
                    },
                })),
                ..v2::MetricSpec::default()
            });
        }
        if let Some(behavior) = &mut spec.behavior {
            let (pods, percent) = (policy("Pods", 4), policy("Percent", 100));
            let up = behavior.scale_up.get_or_insert_default();
            missing(&mut up.stabilization_window_seconds, 0);
            rules(up, list![pods, percent.clone()]);
            rules(behavior.scale_down.get_or_insert_default(), list![percent]);
        }
    });
}

fn rules(rules: &mut v2::HPAScalingRules, policies: List<v2::HPAScalingPolicy>) {
    missing(&mut rules.select_policy, lit!("Max"));
    // A list that was given without items stays so, and is refused.
    if rules.policies.is_empty() && rules.policies.capacity() == 0 {
        rules.policies = policies;
    }
}

fn policy(type_: &str, value: i32) -> v2::HPAScalingPolicy {
    v2::HPAScalingPolicy { type_: type_.into(), value, period_seconds: 15 }
}

fn autoscaler_v1(autoscaler: &mut v1::HorizontalPodAutoscaler) {
    part(&mut autoscaler.spec, |spec| {
        missing(&mut spec.min_replicas, 1);
        missing(&mut spec.target_cpu_utilization_percentage, CPU_PERCENT);
    });
}
