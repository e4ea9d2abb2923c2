//! `kubectl describe`.

use super::{Command, Outcome, get};
use crate::cx::Cx;
use crate::describe;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::resource::{self, Target};

pub(crate) const COMMAND: Command = Command {
    name: "describe",
    brief: "Show details of a specific resource or group of resources",
    usage: "kubectl describe TYPE [NAME|PREFIX...] [-l LABELS] [-A]\nkubectl describe TYPE/NAME",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    text("selector").short('l'),
    switch("all-namespaces").short('A'),
    switch("show-events"),
    text("chunk-size"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.words.is_empty() && !args.has("filename") {
        return fail(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of supported resources.",
        );
    }
    let targets = if args.has("filename") {
        super::scale::named(cx, args)?
    } else {
        resource::targets(cx, &args.words)?
    };
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for target in &targets {
        match of_target(cx, args, target) {
            Ok(objects) => found.extend(objects.into_iter().map(|o| (target.kind, o))),
            Err(failure) => failures.push(failure),
        }
    }
    let events = args.on("show-events", found.len() == 1);
    for (i, (kind, object)) in found.iter().enumerate() {
        if i > 0 {
            cx.say("\n\n");
        }
        let text = describe::of(cx, *kind, object, events)?;
        cx.say(&text);
        if cx.out.is_full() {
            break;
        }
    }
    if found.is_empty() && failures.is_empty() {
        let namespaced = targets.iter().any(|t| t.kind.namespaced);
        get::say_empty(cx, namespaced && !args.is("all-namespaces"));
    }
    get::end(cx, failures)
}

/// How many objects the beginning of a name stands for at most.
const PREFIX_MAX: usize = 100;

/// The objects of a target; a name that is not there is taken as the beginning of names.
fn of_target(cx: &mut Cx<'_>, args: &Args, target: &Target) -> Result<Vec<api::Json>> {
    let namespace =
        if args.is("all-namespaces") { Default::default() } else { cx.namespace.clone() };
    let Some(name) = &target.name else {
        let selector = args.text("selector").unwrap_or("");
        return cx.list(&target.kind, &namespace, &[("labelSelector", selector)]);
    };
    match cx.object(&target.kind, &namespace, name) {
        Ok(object) => Ok(vec![object]),
        Err(failure) if failure.is_not_found() => {
            let names = cx.names(&target.kind, &namespace, &[])?;
            let begins = |(_, full): &&(String, String)| full.starts_with(name.as_str());
            let mut found = Vec::new();
            for (namespace, full) in names.iter().filter(begins).take(PREFIX_MAX) {
                found.push(cx.object(&target.kind, namespace, full)?);
            }
            if found.is_empty() { Err(failure) } else { Ok(found) }
        }
        Err(failure) => Err(failure),
    }
}
