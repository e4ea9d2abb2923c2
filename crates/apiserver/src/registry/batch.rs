//! `batch`.

use std::sync::Arc;

use api::batch::v1::{CronJob, Job};
use api::object::{Kind, Object};
use base::{Str, lit};

use super::{Cx, Row};

/// The rows.
pub static ROWS: &[Row] = &[
    Row::with_status(CronJob::INFO),
    Row {
        orphans: true,
        prepare_create: job_create,
        selectable: &["status.successful"],
        read: job_field,
        ..Row::with_status(Job::INFO)
    },
];

/// A job without a selector of its own selects its pods by the job's uid.
fn job_create(object: &mut Object, cx: &Cx) {
    let Some(job) = object.edit_as::<Job>() else { return };
    if job.spec.manual_selector == Some(true) {
        return;
    }
    let (name, uid) = (job.metadata.name.clone(), job.metadata.uid.clone());
    let spec = Arc::make_mut(&mut job.spec);
    let meta = &mut spec.template.metadata;
    let labels: [(Str, Str); 4] = [
        (lit!("job-name"), name.clone()),
        (lit!("batch.kubernetes.io/job-name"), name),
        (lit!("controller-uid"), uid.clone()),
        (lit!("batch.kubernetes.io/controller-uid"), uid.clone()),
    ];
    for (key, value) in labels {
        if !meta.labels.contains_key(&key) {
            meta.labels.insert(key, value);
        }
    }
    // Labels that come from the template by defaulting are the template's own, and change with them.
    if cx.labels_defaulted {
        Arc::make_mut(&mut job.metadata).labels = meta.labels.clone();
    }
    let selector = spec.selector.get_or_insert_default();
    if !selector.match_labels.contains_key("batch.kubernetes.io/controller-uid") {
        selector.match_labels.insert("batch.kubernetes.io/controller-uid", uid);
    }
}

fn job_field(object: &Object, path: &str) -> Option<Str> {
    let job = object.get::<Job>()?;
    (path == "status.successful").then(|| job.status.succeeded.to_string().into())
}
