//! Pod templates in a description.

use api::Json;

use super::sheet::Sheet;
use super::{container, pod, volume};
use crate::look::Look;

/// The block that begins with `Pod Template:`.
pub(super) fn describe(template: &Json, sheet: &mut Sheet) {
    sheet.line(0, "Pod Template:");
    if template.is_null() {
        sheet.line(1, "<unset>");
        return;
    }
    let (meta, spec) = (template.look("metadata"), template.look("spec"));
    sheet.pairs("  ", "Labels", meta.look("labels"), &[]);
    if !meta.look("annotations").fields().is_empty() {
        sheet.annotation_lines("  ", meta.look("annotations"));
    }
    sheet.field_if(1, "Service Account", spec.text("serviceAccountName"));
    if !spec.list("initContainers").is_empty() {
        container::list(
            "Init Containers",
            spec.list("initContainers"),
            None,
            template,
            "  ",
            sheet,
        );
    }
    container::list("Containers", spec.list("containers"), None, template, "  ", sheet);
    volume::list(spec.list("volumes"), "  ", sheet);
    pod::spread(spec, "  ", sheet);
    sheet.field_if(1, "Priority Class Name", spec.text("priorityClassName"));
    sheet.pairs("  ", "Node-Selectors", spec.look("nodeSelector"), &[]);
    pod::tolerations(spec, "  ", sheet);
}
