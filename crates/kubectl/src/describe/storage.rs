//! PersistentVolumes, their claims, and StorageClasses.

use api::Json;

use super::sheet::{Sheet, or};
use super::volume;
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::{Look, scalar};
use crate::resource;
use crate::text::human;

/// `RWO,ROX`
fn modes(list: &[Json]) -> String {
    let short = |mode: &Json| match mode.as_str().unwrap_or("") {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    list.iter().map(short).collect::<Vec<_>>().join(",")
}

fn finalizers(object: &Json) -> String {
    let all: Vec<String> = object.list("metadata.finalizers").iter().map(scalar).collect();
    format!("[{}]", all.join(" "))
}

fn status(cx: &Cx<'_>, object: &Json) -> String {
    if object.has("metadata.deletionTimestamp") {
        let since = human::since(cx.now, object.look("metadata.deletionTimestamp"));
        return format!("Terminating (lasts {since})");
    }
    object.text("status.phase").to_string()
}

pub(super) fn persistent_volume(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) {
    let spec = object.look("spec");
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Finalizers", finalizers(object));
    sheet.field(0, "StorageClass", spec.text("storageClassName"));
    sheet.field(0, "Status", status(cx, object));
    match spec.has("claimRef") {
        true => {
            let claim = spec.look("claimRef");
            sheet.field(0, "Claim", format!("{}/{}", claim.text("namespace"), claim.text("name")));
        }
        false => sheet.field(0, "Claim", ""),
    }
    sheet.field(0, "Reclaim Policy", spec.text("persistentVolumeReclaimPolicy"));
    sheet.field(0, "Access Modes", modes(spec.list("accessModes")));
    sheet.field_if(0, "VolumeMode", spec.text("volumeMode"));
    sheet.field(0, "Capacity", scalar(spec.look("capacity.storage")));
    node_affinity(spec.list("nodeAffinity.required.nodeSelectorTerms"), sheet);
    sheet.field(0, "Message", object.text("status.message"));
    sheet.line(0, "Source:");
    const OWN: &[&str] = &["capacity", "claimRef", "nodeAffinity"];
    let mut source = spec.clone();
    OWN.iter().for_each(|key| {
        source.remove(key);
    });
    volume::source(&source, sheet);
}

fn node_affinity(terms: &[Json], sheet: &mut Sheet) {
    if terms.is_empty() {
        sheet.field(0, "Node Affinity", "<none>");
        return;
    }
    sheet.line(0, "Node Affinity:");
    sheet.line(1, "Required Terms:");
    for (i, term) in terms.iter().enumerate() {
        let lines: Vec<String> = term
            .list("matchExpressions")
            .iter()
            .map(|e| {
                let values: Vec<String> = e.list("values").iter().map(scalar).collect();
                let operator = e.text("operator").to_ascii_lowercase();
                format!("{} {operator} [{}]", e.text("key"), values.join(", "))
            })
            .collect();
        sheet.lines("    ", &format!("Term {i}"), &lines);
    }
}

pub(super) fn claim(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let spec = object.look("spec");
    sheet.names(object);
    sheet.field(0, "StorageClass", spec.text("storageClassName"));
    sheet.field(0, "Status", status(cx, object));
    sheet.field(0, "Volume", spec.text("volumeName"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Finalizers", finalizers(object));
    let is_bound = !spec.text("volumeName").is_empty();
    let (capacity, access) = match is_bound {
        true => (
            scalar(object.look("status.capacity.storage")),
            modes(object.list("status.accessModes")),
        ),
        false => Default::default(),
    };
    sheet.field(0, "Capacity", capacity);
    sheet.field(0, "Access Modes", access);
    sheet.field_if(0, "VolumeMode", spec.text("volumeMode"));
    let name = object.text("metadata.name");
    let pods = cx.list(&resource::known("pods"), object.text("metadata.namespace"), &[])?;
    let users: Vec<String> = pods
        .iter()
        .filter(|pod| {
            let volumes = pod.list("spec.volumes");
            volumes.iter().any(|v| v.text("persistentVolumeClaim.claimName") == name)
        })
        .map(|pod| pod.text("metadata.name").to_string())
        .collect();
    sheet.lines("", "Used By", &users);
    Ok(())
}

pub(super) fn class(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    let annotations = object.look("metadata.annotations");
    let default = annotations.get("storageclass.kubernetes.io/is-default-class");
    let is_default = default.and_then(Json::as_str) == Some("true");
    sheet.field(0, "IsDefaultClass", if is_default { "Yes" } else { "No" });
    let pairs = |map: &Json| {
        let mut all: Vec<String> =
            map.fields().iter().map(|(k, v)| format!("{k}={}", scalar(v))).collect();
        base::sort::naturally(&mut all);
        all.join(",")
    };
    sheet.field(0, "Annotations", or(&pairs(annotations), "<none>"));
    sheet.field(0, "Provisioner", object.text("provisioner"));
    sheet.field(0, "Parameters", or(&pairs(object.look("parameters")), "<none>"));
    let expands = match object.look("allowVolumeExpansion").as_bool() {
        Some(value) => super::sheet::truth(value),
        None => "<unset>",
    };
    sheet.field(0, "AllowVolumeExpansion", expands);
    let options: Vec<String> = object.list("mountOptions").iter().map(scalar).collect();
    match options.is_empty() {
        true => sheet.field(0, "MountOptions", "<none>"),
        false => {
            sheet.line(0, "MountOptions:");
            options.iter().for_each(|option| sheet.line(1, option));
        }
    }
    sheet.field_if(0, "ReclaimPolicy", object.text("reclaimPolicy"));
    sheet.field_if(0, "VolumeBindingMode", object.text("volumeBindingMode"));
}
