//! `kubectl create`: from manifests, and a generator for each common kind.
//!
//! Known deviations:
//! - No `create token`'s bound objects; `--from-file` and `--from-env-file` read what the host gives as files.

mod config;
mod policy;
mod service;
mod workload;

use api::Json;

use super::{Command, Outcome, apply, get};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::{self, DryRun};
use crate::look::{Look, object, put};
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "create",
    brief: "Create a resource from stdin or with a generator",
    usage: "kubectl create -f -\n\
            kubectl create deployment NAME --image=IMAGE [--replicas=N] [--port=P] [-- COMMAND]\n\
            kubectl create namespace|serviceaccount NAME\n\
            kubectl create configmap NAME --from-literal=K=V\n\
            kubectl create secret generic NAME --from-literal=K=V\n\
            kubectl create service clusterip|nodeport|loadbalancer|externalname NAME --tcp=PORT:TARGET\n\
            kubectl create job NAME --image=IMAGE | --from=cronjob/NAME\n\
            kubectl create cronjob NAME --image=IMAGE --schedule=CRON\n\
            kubectl create ingress NAME --rule=HOST/PATH=SERVICE:PORT\n\
            kubectl create quota|poddisruptionbudget|priorityclass|role|clusterrole|rolebinding|clusterrolebinding NAME ...",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    switch("recursive").short('R'),
    switch("edit"),
    switch("save-config"),
    text("raw"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
    optional("validate", "strict"),
    text("field-manager"),
    text("image"),
    text("replicas").short('r'),
    text("port"),
    text("from-literal"),
    text("from-file"),
    text("from-env-file"),
    text("from"),
    text("type"),
    switch("append-hash"),
    text("tcp"),
    text("clusterip"),
    text("node-port"),
    text("external-name"),
    text("schedule"),
    text("restart"),
    text("rule"),
    text("class"),
    text("default-backend"),
    text("annotation"),
    text("hard"),
    text("scopes"),
    text("value"),
    switch("global-default"),
    text("description"),
    text("preemption-policy"),
    text("min-available"),
    text("max-unavailable"),
    text("selector"),
    text("verb"),
    text("resource"),
    text("resource-name"),
    text("non-resource-url"),
    text("role"),
    text("clusterrole"),
    text("serviceaccount"),
    text("group"),
    text("cert"),
    text("key"),
    text("docker-server"),
    text("docker-username"),
    text("docker-password"),
    text("docker-email"),
    text("duration"),
    text("audience"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.has("filename") || args.words.is_empty() {
        return from_files(cx, args);
    }
    let dry_run = DryRun::of(args)?;
    let format = Format::parse(args.text("output"))?;
    let what = args.words[0].as_str();
    let name = |at: usize| match args.words.get(at..) {
        Some([name]) => Ok(name.as_str()),
        Some(names) => fail(format!(
            "exactly one NAME is required, got {}\nSee 'kubectl create {what} -h' for help and examples",
            names.len()
        )),
        None => fail(format!(
            "exactly one NAME is required, got 0\nSee 'kubectl create {what} -h' for help and examples"
        )),
    };
    let (mut made, failed) = match what {
        "namespace" | "ns" => (plain("v1", "Namespace", name(1)?), "failed to create namespace:"),
        "serviceaccount" | "sa" => {
            (plain("v1", "ServiceAccount", name(1)?), "failed to create serviceaccount:")
        }
        "deployment" | "deploy" | "dep" => {
            (workload::deployment(args, name(1)?)?, "failed to create deployment:")
        }
        "job" => (workload::job(cx, args, name(1)?)?, "failed to create job:"),
        "cronjob" | "cj" => (workload::cron_job(args, name(1)?)?, "failed to create cronjob:"),
        "configmap" | "cm" => {
            (config::config_map(cx, args, name(1)?)?, "failed to create configmap:")
        }
        "secret" => {
            let sub = args.words.get(1).map_or("", String::as_str);
            (config::secret(cx, args, sub, || name(2))?, "failed to create secret")
        }
        "service" | "svc" => {
            let sub = args.words.get(1).map_or("", String::as_str);
            service::service(args, sub, || name(2))?
        }
        "ingress" | "ing" => (service::ingress(args, name(1)?)?, "failed to create ingress:"),
        "quota" | "resourcequota" => (policy::quota(args, name(1)?)?, "failed to create quota:"),
        "poddisruptionbudget" | "pdb" => {
            (policy::disruption_budget(args, name(1)?)?, "failed to create poddisruptionbudgets:")
        }
        "priorityclass" | "pc" => {
            (policy::priority_class(args, name(1)?)?, "failed to create priorityclass:")
        }
        "role" => (policy::role(cx, args, name(1)?, "Role")?, ""),
        "clusterrole" => (policy::role(cx, args, name(1)?, "ClusterRole")?, ""),
        "rolebinding" => {
            (policy::binding(args, name(1)?, "RoleBinding")?, "failed to create rolebinding:")
        }
        "clusterrolebinding" => {
            let made = policy::binding(args, name(1)?, "ClusterRoleBinding")?;
            (made, "failed to create clusterrolebinding:")
        }
        "token" => return policy::token(cx, args, name(1)?),
        other => {
            return fail(format!(
                "Unexpected args: [{other}{}]\nSee 'kubectl create -h' for help and examples",
                args.words[1..].iter().map(|w| format!(" {w}")).collect::<String>()
            ));
        }
    };
    apply::save_config(args, &mut made);
    let made = submit(cx, args, made, dry_run, "kubectl-create").map_err(|failure| {
        if failed.is_empty() {
            failure
        } else {
            Failure::Plain(format!("{failed} {}", failure.message()))
        }
    })?;
    let text = output::changed(&format, &made, &dry_run.note("created"))?;
    cx.say(&text);
    Ok(Outcome::Done)
}

/// Creates an object that a generator made, in the namespace of the command.
pub(crate) fn submit(
    cx: &mut Cx<'_>,
    args: &Args,
    mut made: Json,
    dry_run: DryRun,
    manager: &str,
) -> Result<Json> {
    let kind = resource::of_object(made.text("apiVersion"), made.text("kind"));
    let Some(kind) = kind else { return fail("the generator made an unknown kind") };
    let namespace = cx.namespace.clone();
    if kind.namespaced && (dry_run != DryRun::Client || args.has("namespace")) {
        put(&mut made, "metadata.namespace", namespace.as_str());
    }
    let manager = args.text("field-manager").unwrap_or(manager);
    let validation = load::validation(args)?;
    let collection = resource::path(&kind, &namespace, "");
    apply::create(cx, &collection, &made, manager, dry_run, validation)
}

/// An object with nothing but a name.
pub(crate) fn plain(api_version: &str, kind: &str, name: &str) -> Json {
    object([
        ("apiVersion", api_version.into()),
        ("kind", kind.into()),
        ("metadata", object([("name", name.into())])),
    ])
}

/// `KEY=VALUE`
pub(crate) fn pair<'a>(text: &'a str, flag: &str) -> Result<(&'a str, &'a str)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => fail(format!("invalid {flag} source {text}, expected key=value")),
    }
}

fn from_files(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let dry_run = DryRun::of(args)?;
    let format = Format::parse(args.text("output"))?;
    let validation = load::validation(args)?;
    let manager = args.text("field-manager").unwrap_or("kubectl-create");
    let (objects, mut failures) = load::load(cx, args)?;
    for loaded in &objects {
        let mut whole = loaded.object.clone();
        apply::save_config(args, &mut whole);
        let made = apply::create(cx, &loaded.collection(), &whole, manager, dry_run, validation);
        let made = made.and_then(|made| output::changed(&format, &made, &dry_run.note("created")));
        match made {
            Ok(text) => cx.say(&text),
            Err(failure) => failures.push(failure.when("creating", &loaded.source)),
        }
    }
    get::end(cx, failures)
}
