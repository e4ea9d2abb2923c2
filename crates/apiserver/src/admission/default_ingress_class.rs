//! DefaultIngressClass: ingresses that name no class get the default one.

use std::sync::Arc;

use api::networking::v1::{Ingress, IngressClass};
use api::object::{Kind, Object};

use crate::ApiServer;
use crate::errors::Refusal;
use crate::registry;

/// Sets the class of a new ingress. Of several defaults the newest counts, then the first by name.
pub(super) fn admit(server: &ApiServer, object: &mut Object) -> Result<(), Refusal> {
    let Some(ingress) = object.get::<Ingress>() else { return Ok(()) };
    let annotated = ingress.metadata.annotations.contains_key("kubernetes.io/ingress.class");
    if ingress.spec.ingress_class_name.is_some() || annotated {
        return Ok(());
    }
    let row = registry::of(IngressClass::INFO).expect("registered");
    let key = "ingressclass.kubernetes.io/is-default-class";
    let best = server
        .objects(row, "")
        .filter_map(|object| object.get::<IngressClass>())
        .filter(|class| class.metadata.annotations.text(key) == Some("true"))
        .min_by_key(|class| {
            let age = class.metadata.creation_timestamp.map(|at| -at.unix_seconds());
            (age, class.metadata.name.clone())
        });
    let Some(name) = best.map(|class| class.metadata.name.clone()) else { return Ok(()) };
    if let Some(ingress) = object.edit_as::<Ingress>() {
        Arc::make_mut(&mut ingress.spec).ingress_class_name = Some(name);
    }
    Ok(())
}
