//! `autoscaling`: stored as `v2`, also served as `v1`.

mod annotations;

use std::sync::Arc;

use api::autoscaling::{v1, v2};
use api::object::{Kind, KindInfo, Object};
use base::{List, list, lit};

use super::{Row, Stored};

/// The rows.
pub static ROWS: &[Row] = &[
    Row { generation: false, ..Row::with_status(v2::HorizontalPodAutoscaler::INFO) },
    Row {
        generation: false,
        stored: Some(Stored { info: v2::HorizontalPodAutoscaler::INFO, to: to_v2, from: to_v1 }),
        ..Row::with_status(v1::HorizontalPodAutoscaler::INFO)
    },
];

fn to_v2(object: &Object, _: &'static KindInfo) -> Object {
    let Some(old) = object.get::<v1::HorizontalPodAutoscaler>() else { return object.clone() };
    let target = &old.spec.scale_target_ref;
    let metrics = old.spec.target_cpu_utilization_percentage.map(|percent| v2::MetricSpec {
        type_: lit!("Resource"),
        resource: Some(Box::new(v2::ResourceMetricSource {
            name: lit!("cpu"),
            target: v2::MetricTarget {
                type_: lit!("Utilization"),
                average_utilization: Some(percent),
                ..v2::MetricTarget::default()
            },
        })),
        ..v2::MetricSpec::default()
    });
    let current = old.status.current_cpu_utilization_percentage.map(|percent| v2::MetricStatus {
        type_: lit!("Resource"),
        resource: Some(Box::new(v2::ResourceMetricStatus {
            name: lit!("cpu"),
            current: v2::MetricValueStatus {
                average_utilization: Some(percent),
                ..v2::MetricValueStatus::default()
            },
        })),
        ..v2::MetricStatus::default()
    });
    let mut new = v2::HorizontalPodAutoscaler {
        metadata: old.metadata.clone(),
        spec: Arc::new(v2::HorizontalPodAutoscalerSpec {
            scale_target_ref: v2::CrossVersionObjectReference {
                api_version: target.api_version.clone(),
                kind: target.kind.clone(),
                name: target.name.clone(),
            },
            min_replicas: old.spec.min_replicas,
            max_replicas: old.spec.max_replicas,
            metrics: metrics.map(|metric| list![metric]).unwrap_or_default(),
            ..v2::HorizontalPodAutoscalerSpec::default()
        }),
        status: Arc::new(v2::HorizontalPodAutoscalerStatus {
            current_replicas: old.status.current_replicas,
            desired_replicas: old.status.desired_replicas,
            last_scale_time: old.status.last_scale_time,
            observed_generation: old.status.observed_generation,
            current_metrics: current.map(|metric| list![metric]).unwrap_or_default(),
            conditions: List::new(),
        }),
    };
    annotations::take(&mut new);
    Object::new(new)
}

fn to_v1(object: &Object, _: &'static KindInfo) -> Object {
    let Some(new) = object.get::<v2::HorizontalPodAutoscaler>() else { return object.clone() };
    let target = &new.spec.scale_target_ref;
    let of_cpu = |source: &v2::ResourceMetricSource| {
        (source.name == "cpu").then_some(source.target.average_utilization)?
    };
    let now_of_cpu = |status: &v2::ResourceMetricStatus| {
        (status.name == "cpu").then_some(status.current.average_utilization)?
    };
    let metrics = new.spec.metrics.iter().filter_map(|metric| metric.resource.as_deref());
    let is_plain = |metric: &v2::MetricSpec| metric.resource.as_deref().and_then(of_cpu).is_some();
    let mut metadata = new.metadata.clone();
    annotations::add(new, Arc::make_mut(&mut metadata), is_plain);
    let current = new.status.current_metrics.iter().filter_map(|m| m.resource.as_deref());
    Object::new(v1::HorizontalPodAutoscaler {
        metadata,
        spec: Arc::new(v1::HorizontalPodAutoscalerSpec {
            scale_target_ref: v1::CrossVersionObjectReference {
                api_version: target.api_version.clone(),
                kind: target.kind.clone(),
                name: target.name.clone(),
            },
            min_replicas: new.spec.min_replicas,
            max_replicas: new.spec.max_replicas,
            target_cpu_utilization_percentage: metrics.filter_map(of_cpu).next(),
        }),
        status: Arc::new(v1::HorizontalPodAutoscalerStatus {
            current_replicas: new.status.current_replicas,
            desired_replicas: new.status.desired_replicas,
            last_scale_time: new.status.last_scale_time,
            observed_generation: new.status.observed_generation,
            current_cpu_utilization_percentage: current.filter_map(now_of_cpu).next(),
        }),
    })
}
