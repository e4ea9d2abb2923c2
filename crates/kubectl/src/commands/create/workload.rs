//! Generators of workloads.

use api::Json;

use super::plain;
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::Args;
use crate::look::{Look, object, put, texts};
use crate::resource;

/// `create deployment`
pub(super) fn deployment(args: &Args, name: &str) -> Result<Json> {
    let images = args.all("image");
    let images: Vec<&str> = images.iter().flat_map(|list| list.split(',')).collect();
    if images.is_empty() || images.iter().any(|image| image.is_empty()) {
        return fail("required flag(s) \"image\" not set");
    }
    let command = args.after_dashes.clone().unwrap_or_default();
    if images.len() > 1 && !command.is_empty() {
        return fail("cannot specify multiple --image options and command");
    }
    let mut containers = Vec::new();
    for image in images {
        let mut container =
            object([("image", image.into()), ("name", container_name(image).into())]);
        if !command.is_empty() {
            container.set("command", texts(command.iter().map(String::as_str)));
        }
        container.set("resources", Json::object());
        containers.push(container);
    }
    if let Some(port) = args.int("port")?
        && let Some(first) = containers.first_mut()
    {
        first.set("ports", Json::Array(vec![object([("containerPort", port.into())])]));
    }
    let replicas = args.int("replicas")?.unwrap_or(1);
    if replicas < 0 {
        return fail(format!("invalid argument \"{replicas}\" for --replicas"));
    }
    let labels = object([("app", name.into())]);
    let mut made = plain("apps/v1", "Deployment", name);
    put(&mut made, "metadata.labels", labels.clone());
    put(&mut made, "spec.replicas", replicas);
    put(&mut made, "spec.selector.matchLabels", labels.clone());
    put(&mut made, "spec.strategy", Json::object());
    put(&mut made, "spec.template.metadata.labels", labels);
    put(&mut made, "spec.template.spec.containers", Json::Array(containers));
    Ok(made)
}

/// A container's name from its image: the last part of its path, without tag and digest.
pub(crate) fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split(['@', ':']).next().unwrap_or(last);
    let clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' })
        .collect();
    clean.trim_matches('-').to_string()
}

/// `create job`
pub(super) fn job(cx: &mut Cx<'_>, args: &Args, name: &str) -> Result<Json> {
    let Some(from) = args.text("from") else {
        let Some(image) = args.text("image").filter(|image| !image.is_empty()) else {
            return fail("either --image or --from must be specified");
        };
        let mut made = plain("batch/v1", "Job", name);
        put(&mut made, "spec.template.spec", pod_of(args, name, image, "Never"));
        return Ok(made);
    };
    if args.has("image") {
        return fail("either --image or --from must be specified");
    }
    let targets = resource::targets(cx, &[from.to_string()])?;
    let source = match targets.as_slice() {
        [target] if target.kind.kind == "CronJob" => target.name.clone().unwrap_or_default(),
        _ => return fail(format!("from must be an existing cronjob: {from}")),
    };
    let namespace = cx.namespace.clone();
    let cron = cx.object(&resource::known("cronjobs"), &namespace, &source)?;
    let template = cron.look("spec.jobTemplate");
    let mut made = plain("batch/v1", "Job", name);
    let mut annotations = template.look("metadata.annotations").clone();
    annotations.set("cronjob.kubernetes.io/instantiate", "manual");
    put(&mut made, "metadata.annotations", annotations);
    if template.has("metadata.labels") {
        put(&mut made, "metadata.labels", template.look("metadata.labels").clone());
    }
    let owner = object([
        ("apiVersion", "batch/v1".into()),
        ("kind", "CronJob".into()),
        ("name", source.clone().into()),
        ("uid", cron.text("metadata.uid").into()),
        ("controller", true.into()),
    ]);
    put(&mut made, "metadata.ownerReferences", Json::Array(vec![owner]));
    made.set("spec", template.look("spec").clone());
    Ok(made)
}

/// `create cronjob`
pub(super) fn cron_job(args: &Args, name: &str) -> Result<Json> {
    let Some(image) = args.text("image").filter(|image| !image.is_empty()) else {
        return fail("required flag(s) \"image\" not set");
    };
    let Some(schedule) = args.text("schedule").filter(|text| !text.is_empty()) else {
        return fail("required flag(s) \"schedule\" not set");
    };
    let restart = args.text("restart").unwrap_or("OnFailure");
    let mut made = plain("batch/v1", "CronJob", name);
    put(&mut made, "spec.jobTemplate.metadata.name", name);
    put(&mut made, "spec.jobTemplate.spec.template.spec", pod_of(args, name, image, restart));
    put(&mut made, "spec.schedule", schedule);
    Ok(made)
}

fn pod_of(args: &Args, name: &str, image: &str, restart: &str) -> Json {
    let mut container = object([("image", image.into()), ("name", name.into())]);
    if let Some(command) = &args.after_dashes {
        container.set("command", texts(command.iter().map(String::as_str)));
    }
    container.set("resources", Json::object());
    object([("containers", Json::Array(vec![container])), ("restartPolicy", restart.into())])
}
