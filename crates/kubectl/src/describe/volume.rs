//! Volumes in a description.

use api::Json;

use super::sheet::{Sheet, or};
use crate::look::{Look, scalar};

/// The volumes of a pod or template.
pub(super) fn list(volumes: &[Json], indent: &str, sheet: &mut Sheet) {
    if volumes.is_empty() {
        sheet.block(&format!("{indent}Volumes:\t<none>\n"));
        return;
    }
    sheet.block(&format!("{indent}Volumes:\n"));
    for volume in volumes {
        let deeper = if indent.is_empty() { "" } else { " " };
        sheet.line(1, format!("{deeper}{}:", volume.text("name")));
        source(volume, sheet);
    }
}

/// The source of a volume, also of a persistent one.
pub(super) fn source(volume: &Json, sheet: &mut Sheet) {
    let Some((kind, source)) =
        volume.fields().iter().find(|(key, value)| key != "name" && value.is_object())
    else {
        sheet.line(2, "<unknown>");
        return;
    };
    let optional = || source.is("optional").to_string();
    match kind.as_str() {
        "hostPath" => {
            sheet.field(2, "Type", "HostPath (bare host directory volume)");
            sheet.field(2, "Path", source.text("path"));
            sheet.field(2, "HostPathType", source.text("type"));
        }
        "emptyDir" => {
            sheet.field(2, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)");
            sheet.field(2, "Medium", source.text("medium"));
            let limit = scalar(source.look("sizeLimit"));
            sheet.field(2, "SizeLimit", or(&limit, "<unset>"));
        }
        "secret" => {
            sheet.field(2, "Type", "Secret (a volume populated by a Secret)");
            sheet.field(2, "SecretName", source.text("secretName"));
            sheet.field(2, "Optional", optional());
        }
        "configMap" => {
            sheet.field(2, "Type", "ConfigMap (a volume populated by a ConfigMap)");
            sheet.field(2, "Name", source.text("name"));
            sheet.field(2, "Optional", optional());
        }
        "persistentVolumeClaim" => {
            sheet.field(2, "Type", "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)");
            sheet.field(2, "ClaimName", source.text("claimName"));
            sheet.field(2, "ReadOnly", source.is("readOnly").to_string());
        }
        "projected" => projected(source, sheet),
        "downwardAPI" => {
            sheet.field(2, "Type", "DownwardAPI (a volume populated by information about the pod)");
            sheet.line(2, "Items:");
            for item in source.list("items") {
                let from = item.text("fieldRef.fieldPath");
                let from =
                    if from.is_empty() { item.text("resourceFieldRef.resource") } else { from };
                sheet.line(3, format!("{from} -> {}", item.text("path")));
            }
        }
        "nfs" => {
            sheet.field(2, "Type", "NFS (an NFS mount that lasts the lifetime of a pod)");
            sheet.field(2, "Server", source.text("server"));
            sheet.field(2, "Path", source.text("path"));
            sheet.field(2, "ReadOnly", source.is("readOnly").to_string());
        }
        "csi" => {
            sheet.field(2, "Type", "CSI (a Container Storage Interface (CSI) volume source)");
            sheet.field(2, "Driver", source.text("driver"));
            sheet.field(2, "FSType", source.text("fsType"));
            sheet.field(2, "VolumeHandle", source.text("volumeHandle"));
            sheet.field(2, "ReadOnly", source.is("readOnly").to_string());
        }
        "local" => {
            sheet.field(
                2,
                "Type",
                "LocalVolume (a persistent volume backed by local storage on a node)",
            );
            sheet.field(2, "Path", source.text("path"));
        }
        _ => sheet.line(2, "<unknown>"),
    }
}

fn projected(source: &Json, sheet: &mut Sheet) {
    sheet.field(
        2,
        "Type",
        "Projected (a volume that contains injected data from multiple sources)",
    );
    for part in source.list("sources") {
        if let Some(secret) = part.get("secret") {
            sheet.field(2, "SecretName", secret.text("name"));
            sheet.field(2, "Optional", secret.is("optional").to_string());
        } else if part.has("downwardAPI") {
            sheet.field(2, "DownwardAPI", "true");
        } else if let Some(map) = part.get("configMap") {
            sheet.field(2, "ConfigMapName", map.text("name"));
            sheet.field(2, "Optional", map.is("optional").to_string());
        } else if let Some(token) = part.get("serviceAccountToken") {
            let seconds = token.int("expirationSeconds").to_string();
            sheet.field(2, "TokenExpirationSeconds", seconds);
        }
    }
}
