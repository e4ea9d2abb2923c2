//! `kubectl exec`.
//!
//! Known deviations:
//! - Containers are modelled: `curl` and `wget` ask over the pod's network, other commands go to the host's model of
//!   the container. There is no terminal to type into.

use api::Json;

use super::{Command, Outcome, logs, network};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::Look;
use crate::resource::{self, Target};

pub(crate) const COMMAND: Command = Command {
    name: "exec",
    brief: "Execute a command in a container",
    usage: "kubectl exec POD|TYPE/NAME [-c CONTAINER] -- COMMAND [ARGS...]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("container").short('c'),
    switch("stdin").short('i'),
    switch("tty").short('t'),
    switch("quiet").short('q'),
    text("filename").short('f'),
    text("pod-running-timeout"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let Some(word) = args.words.first() else {
        return fail("pod, type/name or --filename must be specified");
    };
    let command = match &args.after_dashes {
        Some(command) => command.clone(),
        None => args.words[1..].to_vec(),
    };
    if command.is_empty() {
        return fail("you must specify at least one command for the container");
    }
    let pod = pod(cx, word)?;
    let phase = pod.text("status.phase");
    if matches!(phase, "Succeeded" | "Failed") {
        return fail(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        ));
    }
    let container = match args.text("container") {
        Some(name) => name.to_string(),
        None => {
            let names: Vec<&str> =
                pod.list("spec.containers").iter().map(|c| c.text("name")).collect();
            let chosen = logs::default_container(&pod);
            if names.len() > 1 && !args.is("quiet") {
                cx.say(&format!("Defaulted container \"{chosen}\" out of: {}\n", names.join(", ")));
            }
            chosen
        }
    };
    let statuses = pod.list("status.containerStatuses");
    let runs = statuses.iter().any(|s| s.text("name") == container && s.has("state.running"));
    if pod.text("spec.nodeName").is_empty() {
        let name = pod.text("metadata.name");
        let text = format!("pod {name} does not have a host assigned");
        return Err(Failure::status(400, "BadRequest", &text));
    }
    if !runs {
        return fail(format!(
            "Internal error occurred: unable to upgrade connection: container not found (\"{container}\")"
        ));
    }
    execute(cx, &pod, &container, &command)
}

fn pod(cx: &mut Cx<'_>, word: &str) -> Result<Json> {
    let namespace = cx.namespace.clone();
    if !word.contains('/') {
        return cx.object(&resource::known("pods"), &namespace, word);
    }
    let target: Target = resource::targets(cx, &[word.to_string()])?.remove(0);
    let name = target.name.clone().unwrap_or_default();
    let object = cx.object(&target.kind, &namespace, &name)?;
    if target.kind.kind == "Pod" {
        return Ok(object);
    }
    match logs::pods_of(cx, &target, &object)?.into_iter().next() {
        Some(pod) => Ok(pod),
        None => fail(format!("{} has no pods", target.kind.named(&name))),
    }
}

/// Runs a command in a container that runs.
pub(super) fn execute(
    cx: &mut Cx<'_>,
    pod: &Json,
    container: &str,
    command: &[String],
) -> Result<Outcome> {
    let (namespace, name) = (pod.text("metadata.namespace"), pod.text("metadata.name"));
    let from = format!("{namespace}/{name}");
    if let Some((program, rest)) = network::request_in(command) {
        return network::curl_from(cx, &from, &program, &rest);
    }
    match cx.server.exec(namespace, name, container, command) {
        Ok((text, code)) => {
            cx.say(&text);
            if code == 0 {
                return Ok(Outcome::Done);
            }
            cx.say(&format!("command terminated with exit code {code}\n"));
            Err(Failure::Code(code))
        }
        Err(why) => fail(why),
    }
}
