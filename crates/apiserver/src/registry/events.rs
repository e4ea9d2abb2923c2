//! `events.k8s.io`: the same objects as the core group's events, in other words.

use api::core::v1 as core;
use api::events::v1::{self, Event};
use api::object::{Kind, KindInfo, Object};

use super::core::event_field;
use super::{Row, Stored};

const FIELDS: &[&str] = &[
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

/// The rows.
pub static ROWS: &[Row] = &[Row {
    create_on_update: true,
    selectable: FIELDS,
    read: event_field,
    stored: Some(Stored { info: core::Event::INFO, to: to_core, from: from_core }),
    ..Row::new(Event::INFO)
}];

fn to_core(object: &Object, _: &'static KindInfo) -> Object {
    let Some(event) = object.get::<Event>() else { return object.clone() };
    Object::new(core::Event {
        metadata: event.metadata.clone(),
        action: event.action.clone(),
        count: event.deprecated_count,
        event_time: event.event_time,
        first_timestamp: event.deprecated_first_timestamp,
        last_timestamp: event.deprecated_last_timestamp,
        involved_object: event.regarding.as_deref().cloned().unwrap_or_default(),
        message: event.note.clone(),
        reason: event.reason.clone(),
        related: event.related.clone(),
        reporting_component: event.reporting_controller.clone(),
        reporting_instance: event.reporting_instance.clone(),
        series: event.series.as_deref().map(|series| {
            Box::new(core::EventSeries {
                count: series.count,
                last_observed_time: series.last_observed_time,
            })
        }),
        source: event.deprecated_source.clone(),
        type_: event.type_.clone(),
    })
}

fn from_core(object: &Object, _: &'static KindInfo) -> Object {
    let Some(event) = object.get::<core::Event>() else { return object.clone() };
    Object::new(Event {
        metadata: event.metadata.clone(),
        action: event.action.clone(),
        deprecated_count: event.count,
        event_time: event.event_time,
        deprecated_first_timestamp: event.first_timestamp,
        deprecated_last_timestamp: event.last_timestamp,
        regarding: Some(Box::new(event.involved_object.clone())),
        note: event.message.clone(),
        reason: event.reason.clone(),
        related: event.related.clone(),
        reporting_controller: event.reporting_component.clone(),
        reporting_instance: event.reporting_instance.clone(),
        series: event.series.as_deref().map(|series| {
            Box::new(v1::EventSeries {
                count: series.count,
                last_observed_time: series.last_observed_time,
            })
        }),
        deprecated_source: event.source.clone(),
        type_: event.type_.clone(),
    })
}
