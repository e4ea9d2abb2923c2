//! The few texts that OpenAPI documents have for the fields that every object has.

use api::Json;
use api::meta::v1::OBJECTMETA_TABLE;

const ROOT: &[(&str, &str)] = &[
    ("apiVersion", "APIVersion defines the group and version by whose schema this object is read."),
    ("kind", "Kind names the resource that this object stands for."),
    ("metadata", "Standard object's metadata."),
];

const META: &[(&str, &str)] = &[
    ("annotations", "Annotations are free texts that tools keep with the object."),
    (
        "creationTimestamp",
        "CreationTimestamp is a timestamp that the server sets when the object is made.",
    ),
    (
        "deletionTimestamp",
        "DeletionTimestamp is when a deletion was asked for; the server sets it.",
    ),
    ("finalizers", "Finalizers hold the object back from going until each has been taken out."),
    ("generateName", "GenerateName is a prefix for which the server finds a name that is free."),
    ("generation", "Generation counts the changes of what is wanted."),
    ("labels", "Labels are what selectors ask for."),
    ("name", "Name is unique among the objects of a kind in their namespace."),
    ("namespace", "Namespace is where the object lives."),
    ("ownerReferences", "OwnerReferences name the objects with which this one goes."),
    ("resourceVersion", "ResourceVersion changes with every write of the object."),
    ("uid", "UID tells the object from others that had its name before."),
];

/// The text for a field of a definition.
pub(super) fn of(definition: &str, field: &str) -> Option<&'static str> {
    let table = match (definition == OBJECTMETA_TABLE.definition, field) {
        (true, _) => META,
        (false, "metadata") => ROOT,
        _ => return None,
    };
    table.iter().find(|(name, _)| *name == field).map(|(_, text)| *text)
}

/// A field of every object, with its text.
pub(super) fn described(field: &str, ty: &str) -> Json {
    let mut json = Json::object();
    if let Some((_, text)) = ROOT.iter().find(|(name, _)| *name == field) {
        json.set("description", *text);
    }
    if !ty.is_empty() {
        json.set("type", ty);
    }
    json
}
