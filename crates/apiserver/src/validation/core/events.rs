//! Events: little is asked of those of the core group, and much of those that come through `events.k8s.io`.
//!
//! Models the validation of both; the fields have the names of the core group in either case, as the objects are
//! stored so. An event with an `eventTime` says who reports it and what was done.

use api::core::v1::Event;
use api::names;

use crate::validation::check::Errors;
use crate::validation::path::Path;

const WORD_MAX: usize = 128;
const MESSAGE_MAX: usize = 1024;

/// What is wrong with a new event besides its metadata; `strict` if it comes through `events.k8s.io`.
pub fn create(e: &mut Errors, event: &Event, strict: bool) {
    lenient(e, event, strict);
    if !strict {
        return;
    }
    series(e, event);
    if event.event_time.is_none() {
        e.required(&Path::root("eventTime"), "");
    }
    if !matches!(&*event.type_, "Normal" | "Warning") {
        e.invalid(&Path::root("type"), "", &format!("has invalid value: {}", event.type_));
    }
    let source = &event.source;
    let of_old = [
        ("firstTimestamp", event.first_timestamp.is_some()),
        ("lastTimestamp", event.last_timestamp.is_some()),
        ("count", event.count != 0),
        ("source", !source.component.is_empty() || !source.host.is_empty()),
    ];
    for (name, _) in of_old.iter().filter(|(_, is_set)| *is_set) {
        e.invalid(&Path::root(name), "", "needs to be unset");
    }
}

/// What is wrong with a changed event besides its metadata: through `events.k8s.io` only the series may change.
pub fn update(e: &mut Errors, new: &Event, old: &Event, strict: bool) {
    lenient(e, new, strict);
    if !strict {
        return;
    }
    if new.series != old.series {
        series(e, new);
    }
    macro_rules! same {
        ($($name:literal: $field:ident),* $(,)?) => {
            $(e.immutable(&Path::root($name), &new.$field, &old.$field);)*
        };
    }
    same!(
        "involvedObject": involved_object,
        "reason": reason,
        "message": message,
        "source": source,
        "firstTimestamp": first_timestamp,
        "lastTimestamp": last_timestamp,
        "count": count,
        "type": type_,
        "eventTime": event_time,
        "action": action,
        "related": related,
        "reportingController": reporting_component,
        "reportingInstance": reporting_instance,
    );
}

fn series(e: &mut Errors, event: &Event) {
    let Some(series) = &event.series else { return };
    if series.count < 2 {
        e.invalid(&Path::root("series.count"), "", "should be at least 2");
    }
    if series.last_observed_time.is_none() {
        e.required(&Path::root("series.lastObservedTime"), "");
    }
}

/// What is asked of every event.
fn lenient(e: &mut Errors, event: &Event, strict: bool) {
    let (own, about) = (&event.metadata.namespace, &event.involved_object.namespace);
    let is_new = event.event_time.is_some();
    let fits = match (&**about, &**own) {
        ("", "" | "default") => true,
        ("", own) => is_new && own == "kube-system",
        (about, own) => is_new || about == own,
    };
    if !fits {
        let at = Path::root("involvedObject.namespace");
        e.invalid(&at, about, "does not match event.namespace");
    }
    if is_new {
        let controller =
            Path::root(if strict { "reportingController" } else { "reportingComponent" });
        if event.reporting_component.is_empty() {
            e.required(&controller, "");
        }
        e.qualified(&controller, &event.reporting_component);
        let words = [
            ("reportingInstance", &event.reporting_instance),
            ("action", &event.action),
            ("reason", &event.reason),
        ];
        for (name, word) in words {
            if word.is_empty() {
                e.required(&Path::root(name), "");
            }
            at_most(e, name, word, WORD_MAX);
        }
        at_most(e, "message", &event.message, MESSAGE_MAX);
    }
    e.complaints(&Path::root("namespace"), own, names::dns1123_subdomain(own));
}

fn at_most(e: &mut Errors, name: &str, text: &str, max: usize) {
    if text.len() > max {
        e.invalid(&Path::root(name), "", &format!("can have at most {max} characters"));
    }
}
