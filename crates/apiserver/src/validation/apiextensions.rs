//! `apiextensions.k8s.io`: custom resource definitions and their schemas.
//!
//! Models `ValidateCustomResourceDefinition` of Kubernetes.
//!
//! Known deviations:
//! - Validation rules of schemas are not compiled; of a default only the type is checked.
//! - A subresource that all versions share is shown in the first version.

use api::Object;
use api::apiextensions::v1::*;
use api::{Json, names};
use base::{HashSet, Str};

use super::check::{Errors, Raw, Shown, json_list};
use super::path::Path;

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    let Some(definition) = object.get::<CustomResourceDefinition>() else { return };
    let (spec, at) = (&definition.spec, Path::root("spec"));
    let name = format!("{}.{}", spec.names.plural, spec.group);
    if definition.metadata.name != name && !definition.metadata.name.is_empty() {
        let why = "must be spec.names.plural+\".\"+spec.group";
        e.invalid(&Path::root("metadata.name"), &definition.metadata.name, why);
    }
    self::spec(e, spec, &at);
    let stored = &definition.status.stored_versions;
    if stored.is_empty() {
        let at = Path::root("status.storedVersions");
        e.invalid(&at, &json_list(stored), "must have at least one stored version");
    }
}

fn spec(e: &mut Errors, spec: &CustomResourceDefinitionSpec, at: &Path) {
    let group = at.child("group");
    if spec.group.is_empty() {
        e.required(&group, "");
    } else {
        e.subdomain(&group, &spec.group);
        if spec.group.split('.').count() < 2 {
            let why = "should be a domain with at least one dot";
            e.invalid(&group, &spec.group, why);
        }
    }
    e.one_of(&at.child("scope"), &spec.scope, &["Cluster", "Namespaced"]);
    versions(e, spec, at);
    let plural = at.child("names");
    for (name, value) in [
        ("plural", &spec.names.plural),
        ("singular", &spec.names.singular),
        ("kind", &spec.names.kind),
        ("listKind", &spec.names.list_kind),
    ] {
        if value.is_empty() {
            e.required(&plural.child(name), "");
        }
    }
    self::names(e, &spec.names, &plural);
    columns(e, spec, at);
    if spec.preserve_unknown_fields {
        e.invalid(&at.child("preserveUnknownFields"), &true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead");
    }
    conversion(e, spec.conversion.as_deref(), &at.child("conversion"));
}

fn versions(e: &mut Errors, spec: &CustomResourceDefinitionSpec, at: &Path) {
    let list = at.child("versions");
    // A schema that all versions share is shown at the place where it lies within the server.
    let schema_of = |version: &CustomResourceDefinitionVersion| {
        version.schema.as_ref().and_then(|schema| schema.open_apiv3_schema.clone())
    };
    let same = spec.versions.windows(2).all(|pair| schema_of(&pair[0]) == schema_of(&pair[1]));
    let shared = same && spec.versions.first().is_some_and(|v| schema_of(v).is_some());
    for (i, version) in spec.versions.iter().enumerate() {
        let at = list.index(i);
        if schema_of(version).is_none() && !shared {
            e.required(&at.child("schema").child("openAPIV3Schema"), "");
        }
    }
    let (mut stored, mut seen) = (0, HashSet::default());
    for (i, version) in spec.versions.iter().enumerate() {
        let at = list.index(i);
        for complaint in names::dns1035_label(&version.name) {
            e.invalid(&at.child("name"), &version.name, &complaint);
        }
        stored += usize::from(version.storage);
        if !seen.insert(&version.name) {
            e.invalid(&list, &shown_versions(spec), "must contain unique version names");
        }
        if let Some(schema) = schema_of(version)
            && !shared
        {
            root(e, &schema, &at.child("schema").child("openAPIV3Schema"));
        }
        if let Some(scale) = version.subresources.as_ref().and_then(|s| s.scale.as_ref()) {
            self::scale(e, scale, &at.child("subresources.scale"));
        }
    }
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        e.invalid(&list, &shown_versions(spec), why);
    }
    if shared && let Some(schema) = spec.versions.first().and_then(schema_of) {
        root(e, &schema, &at.child("validation").child("openAPIV3Schema"));
    }
}

/// The versions as upstream's own structs show them.
fn shown_versions(spec: &CustomResourceDefinitionSpec) -> Raw {
    if spec.versions.is_empty() {
        return Raw("null".into());
    }
    let one = |version: &CustomResourceDefinitionVersion| {
        let warning = version.deprecation_warning.as_ref().map_or("null".into(), Shown::show);
        format!(
            "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\
             \"DeprecationWarning\":{warning},\"Schema\":null,\"Subresources\":null,\
             \"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
            version.name.show(),
            version.served,
            version.storage,
            version.deprecated
        )
    };
    let list: Vec<String> = spec.versions.iter().map(one).collect();
    Raw(format!("[{}]", list.join(",")))
}

fn names(e: &mut Errors, given: &CustomResourceDefinitionNames, at: &Path) {
    let label = |e: &mut Errors, name: &str, value: &Str, mixed: bool| {
        if value.is_empty() {
            return;
        }
        let checked = if mixed { value.to_lowercase() } else { value.to_string() };
        let complaints = names::dns1035_label(&checked);
        let complaints = match (mixed, complaints.is_empty()) {
            (_, true) => Vec::new(),
            (true, _) => vec![format!(
                "may have mixed case, but should otherwise match: {}",
                complaints.join(",")
            )],
            (false, _) => vec![complaints.join(",")],
        };
        e.complaints(&at.child(name), value, complaints);
    };
    label(e, "plural", &given.plural, false);
    label(e, "singular", &given.singular, false);
    label(e, "kind", &given.kind, true);
    label(e, "listKind", &given.list_kind, true);
    for (i, short) in given.short_names.iter().enumerate() {
        let complaints = names::dns1035_label(short);
        if !complaints.is_empty() {
            e.invalid(&at.child("shortNames").index(i), short, &complaints.join(","));
        }
    }
    if !given.kind.is_empty() && given.kind == given.list_kind {
        let why = "kind and listKind may not be the same";
        e.invalid(&at.child("listKind"), &given.list_kind, why);
    }
    for (i, category) in given.categories.iter().enumerate() {
        let complaints = names::dns1035_label(category);
        if !complaints.is_empty() {
            e.invalid(&at.child("categories").index(i), category, &complaints.join(","));
        }
    }
}

/// Columns that all versions share are shown where they lie within the server.
fn columns(e: &mut Errors, spec: &CustomResourceDefinitionSpec, at: &Path) {
    let of = |version: &CustomResourceDefinitionVersion| version.additional_printer_columns.clone();
    let Some(first) = spec.versions.first() else { return };
    if spec.versions.iter().all(|version| of(version) == of(first)) {
        let list = at.child("additionalPrinterColumns");
        for (i, one) in of(first).iter().enumerate() {
            column(e, one, &list.index(i));
        }
        return;
    }
    for (i, version) in spec.versions.iter().enumerate() {
        let versions = at.child("versions");
        let version_at = versions.index(i);
        let list = version_at.child("additionalPrinterColumns");
        for (j, one) in version.additional_printer_columns.iter().enumerate() {
            column(e, one, &list.index(j));
        }
    }
}

fn column(e: &mut Errors, column: &CustomResourceColumnDefinition, at: &Path) {
    if column.name.is_empty() {
        e.required(&at.child("name"), "");
    }
    let types = ["boolean", "date", "integer", "number", "string"];
    let why = format!("must be one of {}", types.join(","));
    if column.type_.is_empty() {
        e.required(&at.child("type"), &why);
    } else if !types.contains(&column.type_.as_str()) {
        e.invalid(&at.child("type"), &column.type_, &why);
    }
    let formats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    if !column.format.is_empty() && !formats.contains(&column.format.as_str()) {
        let why = format!("must be one of {}", formats.join(","));
        e.invalid(&at.child("format"), &column.format, &why);
    }
    let path = at.child("JSONPath");
    if column.json_path.is_empty() {
        e.required(&path, "");
    } else if !column.json_path.starts_with('.') {
        let why = "must be a simple json path starting with .";
        e.invalid(&path, &column.json_path, why);
    }
}

fn scale(e: &mut Errors, scale: &CustomResourceSubresourceScale, at: &Path) {
    for (name, path, start) in [
        ("specReplicasPath", &scale.spec_replicas_path, ".spec."),
        ("statusReplicasPath", &scale.status_replicas_path, ".status."),
    ] {
        if path.is_empty() {
            e.required(&at.child(name), "");
        } else if !path.starts_with(start) {
            let why = format!("should be a json path under {}", start.trim_end_matches('.'));
            e.invalid(&at.child(name), path, &why);
        }
    }
}

fn conversion(e: &mut Errors, conversion: Option<&CustomResourceConversion>, at: &Path) {
    let Some(conversion) = conversion else { return };
    e.one_of(&at.child("strategy"), &conversion.strategy, &["None", "Webhook"]);
    let webhook_at = at.child("webhookClientConfig");
    let client = conversion.webhook.as_ref().and_then(|webhook| webhook.client_config.as_ref());
    match (conversion.strategy.as_str(), client) {
        ("Webhook", None) => {
            e.required(&webhook_at, "required when strategy is set to Webhook");
        }
        ("Webhook", Some(client)) => match (&client.url, &client.service) {
            (None, None) | (Some(_), Some(_)) => {
                e.required(&webhook_at, "exactly one of url or service is required");
            }
            (None, Some(service)) => {
                let at = webhook_at.child("service");
                if service.name.is_empty() {
                    e.required(&at.child("name"), "service name is required");
                }
                if service.namespace.is_empty() {
                    e.required(&at.child("namespace"), "service namespace is required");
                }
            }
            (Some(_), None) => {}
        },
        ("None", Some(_)) => {
            e.forbidden(&webhook_at, "should not be set when strategy is not set to Webhook");
        }
        _ => {}
    }
}

/// The schema of an object: structural from the root on.
fn root(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    if schema.type_ != "object" {
        match schema.type_.is_empty() {
            true => e.required(&at.child("type"), "must not be empty at the root"),
            false => e.invalid(&at.child("type"), &schema.type_, "must be object at the root"),
        }
    }
    structural(e, schema, at);
    for (name, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        if let Some(property) = schema.properties.get(name)
            && property.type_ != kind
        {
            let list = at.child("properties");
            let why = format!("must be {kind}");
            e.invalid(&list.key(name).child("type"), &property.type_, &why);
        }
    }
    types(e, schema, at);
}

/// What every schema may say, wherever it lies.
fn types(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    if !schema.type_.is_empty() && !TYPES.contains(&schema.type_.as_str()) {
        e.unsupported(&at.child("type"), &schema.type_, TYPES);
    }
    if schema.unique_items {
        let why =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        e.forbidden(&at.child("uniqueItems"), why);
    }
    if schema.ref_.is_some() {
        e.forbidden(&at.child("$ref"), "$ref is not supported");
    }
    if !schema.definitions.is_empty() {
        e.forbidden(&at.child("definitions"), "definitions is not supported");
    }
    if !schema.dependencies.is_empty() {
        e.forbidden(&at.child("dependencies"), "dependencies is not supported");
    }
    for (name, list) in
        [("allOf", &schema.all_of), ("oneOf", &schema.one_of), ("anyOf", &schema.any_of)]
    {
        for (i, inner) in list.iter().enumerate() {
            let list = at.child(name);
            types(e, inner, &list.index(i));
        }
    }
    for (name, inner) in schema.properties.iter() {
        types(e, inner, &at.child("properties").key(name));
    }
    if let Some(inner) = sub_schema(&schema.items) {
        types(e, &inner, &at.child("items"));
    }
    if let Some(inner) = sub_schema(&schema.additional_properties) {
        types(e, &inner, &at.child("additionalProperties"));
    }
    lists(e, schema, at);
    rules(e, schema, at);
    default_type(e, schema, at);
}

fn lists(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    let kind_at = at.child("x-kubernetes-list-type");
    if let Some(kind) = &schema.x_kubernetes_list_type {
        if schema.type_ != "array" {
            match schema.type_.is_empty() {
                true => e.required(
                    &at.child("type"),
                    "must be array if x-kubernetes-list-type is specified",
                ),
                false => e.invalid(
                    &at.child("type"),
                    &schema.type_,
                    "must be array if x-kubernetes-list-type is specified",
                ),
            }
        }
        e.one_of_if(&kind_at, Some(kind), &["atomic", "map", "set"]);
    }
    if !schema.x_kubernetes_list_map_keys.is_empty()
        && schema.x_kubernetes_list_type.as_deref() != Some("map")
    {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        match &schema.x_kubernetes_list_type {
            None => e.required(&kind_at, why),
            Some(kind) => e.invalid(&kind_at, kind, why),
        }
    }
    if schema.x_kubernetes_list_type.as_deref() == Some("map") {
        map_keys(e, schema, at);
    }
    if let Some(kind) = &schema.x_kubernetes_map_type {
        if schema.type_ != "object" {
            let why = "must be object if x-kubernetes-map-type is specified";
            match schema.type_.is_empty() {
                true => e.required(&at.child("type"), why),
                false => e.invalid(&at.child("type"), &schema.type_, why),
            }
        }
        e.one_of_if(&at.child("x-kubernetes-map-type"), Some(kind), &["atomic", "granular"]);
    }
}

/// The keys of a list that is a map are properties of its items, which every item has.
fn map_keys(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    let list = at.child("x-kubernetes-list-map-keys");
    if schema.x_kubernetes_list_map_keys.is_empty() {
        e.required(&list, "must not be empty if x-kubernetes-list-type is map");
    }
    let items_at = at.child("items");
    let Some(items) = sub_schema(&schema.items) else {
        e.required(&items_at, "must have a schema if x-kubernetes-list-type is map");
        return;
    };
    if items.type_ != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        e.invalid(&items_at.child("type"), &items.type_, why);
    }
    let keys = &schema.x_kubernetes_list_map_keys;
    let mut seen = HashSet::default();
    for key in keys.iter() {
        let Some(property) = items.properties.get(key) else {
            let why = "entries must all be names of item properties";
            e.invalid(&list.key(key), &json_list(keys), why);
            continue;
        };
        let properties = items_at.child("properties");
        if matches!(property.type_.as_str(), "array" | "object") {
            let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            e.invalid(&properties.key(key).child("type"), &property.type_, why);
        }
        if !items.required.contains(key) && property.default_.is_null() {
            let why = "this property is in x-kubernetes-list-map-keys, so it must have a default \
                       or be a required property";
            e.required(&properties.key(key).child("default"), why);
        }
        if !seen.insert(key) {
            e.invalid(&list.key(key), &json_list(keys), "must not contain duplicate entries");
        }
    }
}

/// Rules say something. What they say is not compiled.
fn rules(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    for (i, rule) in schema.x_kubernetes_validations.iter().enumerate() {
        let list = at.child("x-kubernetes-validations");
        let at = list.index(i);
        let message = rule.message.trim();
        if rule.rule.trim().is_empty() {
            e.required(&at.child("rule"), "rule is not specified");
        } else if !rule.message.is_empty() && message.is_empty() {
            let why = "message must be non-empty if specified";
            e.invalid(&at.child("message"), &rule.message, why);
        } else if message.contains('\n') {
            let why = "message must not contain line breaks";
            e.invalid(&at.child("message"), &rule.message, why);
        } else if rule.rule.trim().contains('\n') && message.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            e.required(&at.child("message"), why);
        }
    }
}

/// A default has the type of its value.
fn default_type(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    let found = match &schema.default_ {
        Json::Null => return,
        Json::Bool(_) => "boolean",
        Json::Str(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
        Json::Int(_) => "integer",
        _ => "number",
    };
    let wanted = schema.type_.as_str();
    let fits = wanted.is_empty()
        || !TYPES.contains(&wanted)
        || wanted == found
        || (wanted == "number" && found == "integer");
    if !fits {
        let why = format!(" in body must be of type {wanted}: {}", found.show());
        e.invalid(&at.child("default"), found, &why);
    }
}

/// Every value has a type, and it stands beside the logic of a schema, not within.
fn structural(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    logic(e, schema, at);
    for (name, inner) in schema.properties.iter() {
        typed(
            e,
            inner,
            "must not be empty for specified object fields",
            &at.child("properties").key(name),
        );
    }
    if let Some(inner) = sub_schema(&schema.items) {
        typed(e, &inner, "must not be empty for specified array items", &at.child("items"));
    } else if schema.type_ == "array" {
        e.required(&at.child("items"), "must be specified");
    }
    if let Some(inner) = sub_schema(&schema.additional_properties) {
        let why = "must not be empty for specified object fields";
        typed(e, &inner, why, &at.child("additionalProperties"));
    }
    if !schema.properties.is_empty() && matches!(schema.additional_properties, Json::Object(_)) {
        e.forbidden(
            &at.child("additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        );
    }
}

fn logic(e: &mut Errors, schema: &JSONSchemaProps, at: &Path) {
    let plain = |inner: &JSONSchemaProps, kind: &str| {
        *inner == JSONSchemaProps { type_: kind.into(), ..JSONSchemaProps::default() }
    };
    let either = |list: &[JSONSchemaProps]| matches!(list, [a, b] if plain(a, "integer") && plain(b, "string"));
    for (name, list) in
        [("allOf", &schema.all_of), ("anyOf", &schema.any_of), ("oneOf", &schema.one_of)]
    {
        if name == "anyOf" && schema.x_kubernetes_int_or_string && either(list) {
            continue;
        }
        for (i, inner) in list.iter().enumerate() {
            let list = at.child(name);
            let at = list.index(i);
            let parts = [
                ("description", !inner.description.is_empty()),
                ("type", !inner.type_.is_empty()),
                ("title", !inner.title.is_empty()),
                ("default", !inner.default_.is_null()),
                ("nullable", inner.nullable),
            ];
            for (part, _) in parts.into_iter().filter(|(_, given)| *given) {
                let why = match part {
                    "nullable" => "must be false to be structural",
                    "default" => "must be undefined to be structural",
                    _ => "must be empty to be structural",
                };
                e.forbidden(&at.child(part), why);
            }
        }
    }
}

fn typed(e: &mut Errors, schema: &JSONSchemaProps, why: &str, at: &Path) {
    let free = schema.x_kubernetes_int_or_string
        || schema.x_kubernetes_preserve_unknown_fields == Some(true);
    if schema.type_.is_empty() && !free {
        e.required(&at.child("type"), why);
    }
    structural(e, schema, at);
}

/// A schema that is kept as JSON.
fn sub_schema(json: &Json) -> Option<JSONSchemaProps> {
    if !json.is_object() {
        return None;
    }
    let mut schema = JSONSchemaProps::default();
    api::codec::Value::take(&mut schema, json.clone(), &mut api::Decode::new());
    Some(schema)
}
