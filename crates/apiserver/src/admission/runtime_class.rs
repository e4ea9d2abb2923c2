//! RuntimeClass: the overhead and the nodes of a pod's runtime class become its own.

use api::core::v1::Pod;
use api::node::v1::RuntimeClass;
use api::object::{Kind, Object};

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry;

/// Copies overhead, node selector and tolerations from the pod's runtime class.
pub(super) fn admit(server: &ApiServer, object: &mut Object) -> Result<(), Refusal> {
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    let Some(name) = pod.spec.runtime_class_name.clone().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let refuse = |why: &str| errors::forbidden(Pod::INFO, &pod.metadata.name, why);
    let row = registry::of(RuntimeClass::INFO).expect("registered");
    let class = server.stored(row, "", &name).and_then(|o| o.get::<RuntimeClass>()).cloned();
    let Some(class) = class else {
        return Err(refuse(&format!("pod rejected: RuntimeClass {:?} not found", &*name)));
    };
    if let Some(overhead) = &class.overhead {
        if !pod.spec.overhead.is_empty() && pod.spec.overhead != overhead.pod_fixed {
            return Err(refuse(
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
            ));
        }
    } else if !pod.spec.overhead.is_empty() {
        return Err(refuse(
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ));
    }
    if let Some(scheduling) = &class.scheduling {
        let own = &pod.spec.node_selector;
        let clash = scheduling
            .node_selector
            .iter()
            .find(|(key, value)| own.get(key).is_some_and(|other| other != *value));
        if let Some((key, value)) = clash {
            return Err(refuse(&format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {}",
                own.text(key).unwrap_or_default()
            )));
        }
    }
    let Some(pod) = object.edit_as::<Pod>() else { return Ok(()) };
    let spec = pod.spec.edit();
    if let Some(overhead) = class.overhead {
        spec.overhead = overhead.pod_fixed.clone();
    }
    if let Some(scheduling) = class.scheduling {
        for (key, value) in scheduling.node_selector.iter() {
            spec.node_selector.insert(key.clone(), value.clone());
        }
        for toleration in &scheduling.tolerations {
            if !spec.tolerations.contains(toleration) {
                spec.tolerations.push(toleration.clone());
            }
        }
    }
    Ok(())
}
