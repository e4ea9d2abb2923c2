//! `kubectl wait`.
//!
//! Known deviations:
//! - Objects are asked for every quarter second instead of watched.

use api::Json;
use base::{Duration, Instant};

use super::{Command, Follow, Outcome, Pause};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{Look, scalar};
use crate::resource::Target;
use crate::text::jsonpath::Template;

pub(crate) const COMMAND: Command = Command {
    name: "wait",
    brief: "Wait for a specific condition on one or many resources",
    usage: "kubectl wait TYPE/NAME --for=condition=NAME[=VALUE] | --for=delete | --for=create | --for=jsonpath='{.path}'[=VALUE] [--timeout=30s]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("for"),
    text("timeout"),
    switch("all"),
    switch("all-namespaces").short('A'),
    text("selector").short('l'),
    text("field-selector"),
    text("filename").short('f'),
    text("output").short('o'),
];

/// What is waited for.
#[derive(Clone, Debug)]
enum Goal {
    Delete,
    Create,
    Condition(String, String),
    Path(Template, Option<String>),
}

fn goal(text: &str) -> Result<Goal> {
    let lower = text.to_ascii_lowercase();
    if lower == "delete" {
        return Ok(Goal::Delete);
    }
    if lower == "create" {
        return Ok(Goal::Create);
    }
    if let Some(rest) = text.strip_prefix("condition=") {
        let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
        return Ok(Goal::Condition(name.to_string(), value.to_string()));
    }
    if let Some(rest) = text.strip_prefix("jsonpath=") {
        let end = rest.find('}').map_or(rest.len(), |at| at + 1);
        let (path, value) = rest.split_at(end);
        let value = value.strip_prefix('=').map(|v| v.trim_matches(['"', '\'']).to_string());
        return match Template::relaxed(path) {
            Ok(template) => Ok(Goal::Path(template, value)),
            Err(why) => fail(why),
        };
    }
    fail(format!("unrecognized condition: \"{text}\""))
}

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let goal = goal(args.text("for").unwrap_or(""))?;
    let mut targets = super::scale::named(cx, args)?;
    if targets.is_empty() {
        if matches!(goal, Goal::Delete) {
            return Ok(Outcome::Done);
        }
        return fail("no matching resources found");
    }
    targets.reverse();
    let timeout = args.duration("timeout")?.unwrap_or(Duration::secs(30));
    let timeout = if timeout < Duration::ZERO { Duration::secs(7 * 86_400) } else { timeout };
    let deadline = cx.now + timeout;
    let waiting = Waiting { targets, goal, deadline, namespace: cx.namespace.to_string() };
    Ok(Outcome::Follow(Box::new(waiting)))
}

const LOOK_AGAIN: Duration = Duration::millis(250);

/// Waits for objects one after the other, the last of the list first.
#[derive(Clone, Debug)]
struct Waiting {
    targets: Vec<Target>,
    goal: Goal,
    deadline: Instant,
    namespace: String,
}

impl Follow for Waiting {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        while let Some(target) = self.targets.last() {
            let name = target.name.as_deref().unwrap_or("");
            let is_met = match cx.object(&target.kind, &self.namespace, name) {
                Ok(object) => meets(&object, &self.goal),
                Err(failure) if failure.is_not_found() => match self.goal {
                    Goal::Delete => true,
                    Goal::Create => false,
                    _ => return Err(failure),
                },
                Err(failure) => return Err(failure),
            };
            if !is_met {
                if cx.now >= self.deadline {
                    return fail(format!(
                        "timed out waiting for the condition on {}/{name}",
                        target.kind.plural
                    ));
                }
                return Ok(Pause::Until((cx.now + LOOK_AGAIN).min(self.deadline)));
            }
            cx.say(&format!("{} condition met\n", target.kind.named(name)));
            self.targets.pop();
        }
        Ok(Pause::Over)
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}

fn meets(object: &Json, goal: &Goal) -> bool {
    match goal {
        Goal::Delete => false,
        Goal::Create => true,
        Goal::Condition(name, value) => {
            let generation = object.int("metadata.generation");
            object.list("status.conditions").iter().any(|condition| {
                let observed = match condition.has("observedGeneration") {
                    true => condition.int("observedGeneration"),
                    false => {
                        object.look("status.observedGeneration").as_i64().unwrap_or(generation)
                    }
                };
                condition.text("type").eq_ignore_ascii_case(name)
                    && condition.text("status").eq_ignore_ascii_case(value)
                    && observed >= generation
            })
        }
        Goal::Path(template, value) => {
            let Ok(found) = template.find(object) else { return false };
            match value {
                None => !found.is_empty(),
                Some(value) => found.len() == 1 && scalar(&found[0]) == *value,
            }
        }
    }
}
