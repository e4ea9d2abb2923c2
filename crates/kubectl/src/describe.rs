//! What `kubectl describe` prints of each kind.
//!
//! Known deviations:
//! - Kinds without a file here print their fields generically, as upstream does for kinds it does not know.
//! - Of volumes, only the common sources have their own lines.

mod container;
mod events;
mod generic;
mod pod;
mod replicated;
mod service;
mod sheet;
mod template;
mod volume;

use api::Json;

use crate::cx::Cx;
use crate::failure::Result;
use crate::resource::Kind;
use sheet::Sheet;

pub(crate) use events::interval;
pub(crate) use sheet::selector;

/// The description of one object; with its events where they are asked for.
pub(crate) fn of(cx: &mut Cx<'_>, kind: Kind, object: &Json, events: bool) -> Result<String> {
    let mut sheet = Sheet::default();
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::describe(cx, object, &mut sheet),
        ("apps", "Deployment") => replicated::deployment(cx, object, &mut sheet)?,
        ("apps", "ReplicaSet") => replicated::replica_set(cx, object, &mut sheet, true)?,
        ("", "ReplicationController") => replicated::replica_set(cx, object, &mut sheet, false)?,
        ("apps", "StatefulSet") => replicated::stateful_set(cx, object, &mut sheet)?,
        ("apps", "DaemonSet") => replicated::daemon_set(cx, object, &mut sheet)?,
        ("", "Service") => service::describe(cx, object, &mut sheet)?,
        _ => generic::describe(object, &mut sheet),
    }
    if events {
        events::of(cx, object, &mut sheet)?;
    }
    Ok(sheet.finish())
}

/// A pod template with its tabs as they are, as `rollout history` prints it.
pub(crate) fn template_raw(template: &Json) -> String {
    let mut sheet = Sheet::default();
    template::describe(template, &mut sheet);
    sheet.raw()
}
