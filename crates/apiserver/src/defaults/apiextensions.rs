//! `apiextensions.k8s.io`: custom resource definitions.
//!
//! Models the defaults of `apiextensions/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionNames};
use base::lit;

use super::{by_kind, missing, part};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object, CustomResourceDefinition => definition);
}

fn definition(definition: &mut CustomResourceDefinition) {
    part(&mut definition.spec, |spec| {
        names(&mut spec.names);
        let conversion = spec.conversion.get_or_insert_default();
        super::text(&mut conversion.strategy, lit!("None"));
        if let Some(webhook) = &mut conversion.webhook
            && let Some(client) = &mut webhook.client_config
            && let Some(service) = &mut client.service
        {
            missing(&mut service.port, 443);
        }
    });
    if definition.status.stored_versions.is_empty() {
        let storage = definition.spec.versions.iter().filter(|version| version.storage);
        let stored: base::List<base::Str> = storage.map(|version| version.name.clone()).collect();
        if !stored.is_empty() {
            part(&mut definition.status, |status| status.stored_versions = stored);
        }
    }
}

fn names(names: &mut CustomResourceDefinitionNames) {
    if names.singular.is_empty() {
        names.singular = names.kind.to_lowercase().into();
    }
    if names.list_kind.is_empty() && !names.kind.is_empty() {
        names.list_kind = format!("{}List", names.kind).into();
    }
}
