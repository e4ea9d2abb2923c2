//! Our codec against that of `k8s-openapi`, which was made from the same API by other hands.
//!
//! Any part of an object may be missing. What is left is read and written by both; the results are
//! equal, except for what is empty (`null`, `{}`, `[]` and `""`): we leave out what the API server
//! leaves out, and `k8s-openapi` writes what it was given, and every field that must be there. It
//! refuses a condition of a Service without `lastTransitionTime`, so that field always stays.
#![cfg(not(target_arch = "wasm32"))]

use api::{Decode, Json, KINDS, Object};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod, core::v1::Service};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const POD: &str = include_str!("pod.json");
const DEPLOYMENT: &str = include_str!("samples/deployment.json");
const SERVICE: &str = include_str!("samples/service.json");

/// Where the fields of a document are, but for those which say what it is.
fn fields(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |key: &str, value: &Value, may_go: bool| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        fields(value, &at, found);
        if may_go {
            found.push(at);
        }
    };
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let is_type = at.is_empty() && (key == "apiVersion" || key == "kind");
                inside(key, value, !is_type && key != "lastTransitionTime");
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                inside(&index.to_string(), value, false);
            }
        }
        _ => {}
    }
}

fn remove(document: &mut Value, field: &str) {
    let Some((parent, key)) = field.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(object)) = document.pointer_mut(parent) {
        object.remove(&key);
    }
}

/// Without what is empty, from the inside out.
fn without_empty(value: Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().map(|(key, value)| (key, without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        value => value,
    }
}

fn ours(document: &Value) -> Value {
    let text = |key: &str| document[key].as_str().unwrap_or_default();
    let of = |kind: &&&api::KindInfo| {
        kind.kind == text("kind") && kind.api_version() == text("apiVersion")
    };
    let info = KINDS.iter().find(of).expect("a known kind");
    let json = Json::parse(document.to_string().as_bytes()).expect("JSON");
    let mut cx = Decode::new();
    let object = Object::decode(info, json, &mut cx);
    let complaint = cx.error.iter().chain(&cx.strict).next();
    assert!(complaint.is_none(), "{complaint:?} in {document}");
    serde_json::from_str(&object.to_json().to_string()).expect("we write JSON")
}

fn theirs<T: DeserializeOwned + Serialize>(document: &Value) -> Value {
    let object: T = serde_json::from_value(document.clone()).expect("they read it");
    serde_json::to_value(object).expect("they write it")
}

/// Takes away the fields with these numbers and compares.
fn check<T: DeserializeOwned + Serialize>(sample: &str, cuts: &[usize]) {
    let mut document: Value = serde_json::from_str(sample).expect("a sample is JSON");
    let mut found = Vec::new();
    fields(&document, "", &mut found);
    for cut in cuts {
        remove(&mut document, &found[cut % found.len()]);
    }
    let (ours, theirs) = (without_empty(ours(&document)), without_empty(theirs::<T>(&document)));
    assert_eq!(ours, theirs, "from {document}");
}

#[test]
fn whole_samples_are_written_alike() {
    check::<Pod>(POD, &[]);
    check::<Deployment>(DEPLOYMENT, &[]);
    check::<Service>(SERVICE, &[]);
}

#[test]
fn a_sample_is_written_as_it_was_read() {
    for sample in [POD, DEPLOYMENT, SERVICE] {
        let document: Value = serde_json::from_str(sample).expect("a sample is JSON");
        assert_eq!(without_empty(ours(&document)), without_empty(document));
    }
}

#[test]
fn any_one_field_may_be_missing() {
    for cut in 0..250 {
        check::<Pod>(POD, &[cut]);
        check::<Deployment>(DEPLOYMENT, &[cut]);
        check::<Service>(SERVICE, &[cut]);
    }
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..10_000_usize, 0..40)
}

proptest! {
    #[test]
    fn any_part_of_a_pod_is_written_alike(cuts in cuts()) {
        check::<Pod>(POD, &cuts);
    }

    #[test]
    fn any_part_of_a_deployment_is_written_alike(cuts in cuts()) {
        check::<Deployment>(DEPLOYMENT, &cuts);
    }

    #[test]
    fn any_part_of_a_service_is_written_alike(cuts in cuts()) {
        check::<Service>(SERVICE, &cuts);
    }
}
