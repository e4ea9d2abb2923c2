//! `kubectl run`.
//!
//! Known deviations:
//! - With `-i`, `-t` or `--rm` the pod's log is printed until it ends; a `curl` or `wget` command asks over the pod's
//!   network once the pod runs, and the pod then counts as ended.

use api::Json;
use base::Duration;

use super::create::{plain, submit};
use super::{Command, Follow, Outcome, Pause, expose, network};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object, put, texts};
use crate::resource;
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "run",
    brief: "Run a particular image on the cluster",
    usage: "kubectl run NAME --image=IMAGE [--port=P] [--env=K=V] [--labels=a=b] [--restart=Never] [--expose] [--rm -it] [--command] [-- ARGS...]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("image"),
    text("image-pull-policy"),
    text("port"),
    text("env").short('e'),
    text("labels").short('l'),
    text("annotations"),
    text("restart"),
    text("overrides"),
    switch("command"),
    switch("expose"),
    switch("rm"),
    switch("stdin").short('i'),
    switch("tty").short('t'),
    switch("attach"),
    switch("quiet").short('q'),
    switch("leave-stdin-open"),
    switch("privileged"),
    switch("save-config"),
    text("field-manager"),
    text("pod-running-timeout"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let Some(name) = args.words.first() else {
        return fail("NAME is required for run\nSee 'kubectl run -h' for help and examples");
    };
    let Some(image) = args.text("image").filter(|image| !image.is_empty()) else {
        return fail("--image is required");
    };
    let attaches = args.is("stdin") || args.is("tty") || args.is("attach") || args.is("rm");
    let dry_run = DryRun::of(args)?;
    if args.is("rm") && dry_run != DryRun::No {
        return fail("--rm can't be used with dry-run");
    }
    let format = Format::parse(args.text("output"))?;
    let made = submit(cx, args, pod(args, name, image)?, dry_run, "kubectl-run")?;
    let mut said = output::changed(&format, &made, &dry_run.note("created"))?;
    if args.is("expose") {
        let service = exposed(cx, args, name, dry_run)?;
        said = output::changed(&format, &service, &dry_run.note("created"))? + &said;
    }
    if !attaches || dry_run != DryRun::No {
        cx.say(&said);
        return Ok(Outcome::Done);
    }
    let command = args.after_dashes.clone().unwrap_or_else(|| args.words[1..].to_vec());
    Ok(Outcome::Follow(Box::new(Attached {
        namespace: cx.namespace.to_string(),
        name: name.clone(),
        command,
        removes: args.is("rm"),
        shown: 0,
    })))
}

fn pod(args: &Args, name: &str, image: &str) -> Result<Json> {
    let mut made = plain("v1", "Pod", name);
    let labels = match args.text("labels") {
        Some(text) => expose::pairs(text)?,
        None => object([("run", name.into())]),
    };
    put(&mut made, "metadata.labels", labels);
    for text in args.all("annotations") {
        let (key, value) = super::create::pair(text, "annotations")?;
        made.entry("metadata").entry("annotations").set(key, value);
    }
    let mut container = object([("image", image.into()), ("name", name.into())]);
    let words = match &args.after_dashes {
        Some(words) => words.as_slice(),
        None => &args.words[1..],
    };
    if !words.is_empty() {
        let field = if args.is("command") { "command" } else { "args" };
        container.set(field, texts(words.iter().map(String::as_str)));
    }
    if let Some(policy) = args.text("image-pull-policy") {
        container.set("imagePullPolicy", policy);
    }
    let mut env = Vec::new();
    for text in args.all("env") {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return fail(format!("invalid env: {text}"));
        };
        env.push(object([("name", key.into()), ("value", value.into())]));
    }
    if !env.is_empty() {
        container.set("env", Json::Array(env));
    }
    if let Some(port) = args.int("port")? {
        container.set("ports", Json::Array(vec![object([("containerPort", port.into())])]));
    }
    container.set("resources", Json::object());
    if args.is("stdin") {
        container.set("stdin", true);
        container.set("stdinOnce", true);
    }
    if args.is("tty") {
        container.set("tty", true);
    }
    if args.is("privileged") {
        put(&mut container, "securityContext.privileged", true);
    }
    let restart = args.text("restart").unwrap_or("Always");
    if !matches!(restart, "Always" | "OnFailure" | "Never") {
        return fail(format!(
            "invalid restart policy: {restart}\nSee 'kubectl run -h' for help and examples"
        ));
    }
    put(&mut made, "spec.containers", Json::Array(vec![container]));
    put(&mut made, "spec.dnsPolicy", "ClusterFirst");
    put(&mut made, "spec.restartPolicy", restart);
    match args.text("overrides").map(|text| Json::parse(text.as_bytes())) {
        None => Ok(made),
        Some(Ok(overrides)) => match api::patch::merge::apply(made, &overrides) {
            Ok(whole) => Ok(whole),
            Err(error) => fail(error.to_string()),
        },
        Some(Err(_)) => fail("Invalid JSON Patch"),
    }
}

fn exposed(cx: &mut Cx<'_>, args: &Args, name: &str, dry_run: DryRun) -> Result<Json> {
    let Some(port) = args.int("port")? else {
        return fail("--port must be set when exposing a service");
    };
    let mut made = plain("v1", "Service", name);
    let port =
        object([("port", port.into()), ("protocol", "TCP".into()), ("targetPort", port.into())]);
    put(&mut made, "spec.ports", Json::Array(vec![port]));
    let selector = match args.text("labels") {
        Some(text) => expose::pairs(text)?,
        None => object([("run", name.into())]),
    };
    put(&mut made, "spec.selector", selector);
    submit(cx, args, made, dry_run, "kubectl-run")
}

const LOOK_AGAIN: Duration = Duration::millis(250);

/// A pod whose output is shown until it ends.
#[derive(Clone, Debug)]
struct Attached {
    namespace: String,
    name: String,
    command: Vec<String>,
    removes: bool,
    /// How much of the log is shown, in bytes.
    shown: usize,
}

impl Follow for Attached {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        let kind = resource::known("pods");
        let pod = cx.object(&kind, &self.namespace, &self.name)?;
        let phase = pod.text("status.phase").to_string();
        let mut code = 0;
        let is_over = if let Some((program, words)) = network::request_in(&self.command)
            && phase == "Running"
        {
            let from = format!("{}/{}", self.namespace, self.name);
            network::curl_from(cx, &from, &program, &words)?;
            true
        } else {
            self.log(cx);
            if phase == "Failed" {
                let ended = pod.list("status.containerStatuses").first();
                code = ended.map_or(1, |s| s.int("state.terminated.exitCode").max(1)) as i32;
            }
            matches!(phase.as_str(), "Succeeded" | "Failed")
        };
        if !is_over {
            return Ok(Pause::Until(cx.now + LOOK_AGAIN));
        }
        if self.removes {
            let options = object([("propagationPolicy", "Background".into())]);
            cx.delete(&resource::path(&kind, &self.namespace, &self.name), &options)?;
            cx.say(&format!("pod \"{}\" deleted from {} namespace\n", self.name, self.namespace));
        }
        if code == 0 {
            return Ok(Pause::Over);
        }
        cx.say(&format!(
            "pod {}/{} terminated ({})\n",
            self.namespace,
            self.name,
            pod.list("status.containerStatuses")
                .first()
                .map_or("Error", |s| s.text("state.terminated.reason"))
        ));
        Err(Failure::Code(code))
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}

impl Attached {
    fn log(&mut self, cx: &mut Cx<'_>) {
        let path = resource::path(&resource::known("pods"), &self.namespace, &self.name);
        let Ok(text) = cx.raw(&format!("{path}/log")) else { return };
        if let Some(more) = text.get(self.shown..) {
            cx.say(more);
            self.shown = text.len();
        }
    }
}
