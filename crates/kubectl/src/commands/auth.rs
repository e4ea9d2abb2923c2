//! `kubectl auth can-i` and `auth whoami`.

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{Look, object, put, scalar};
use crate::resource;
use crate::text::tab::Tabs;

pub(crate) const COMMAND: Command = Command {
    name: "auth",
    brief: "Inspect authorization",
    usage: "kubectl auth can-i VERB TYPE[/NAME] | NONRESOURCEURL\nkubectl auth whoami",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    switch("all-namespaces").short('A'),
    switch("quiet").short('q'),
    switch("list"),
    switch("no-headers"),
    text("subresource"),
    text("output").short('o'),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    match args.words.first().map(String::as_str) {
        Some("can-i") => can_i(cx, args),
        Some("whoami") => whoami(cx),
        None => super::help::of(cx, &COMMAND),
        Some(other) => fail(format!("unknown command \"{other}\" for \"kubectl auth\"")),
    }
}

fn can_i(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.is("list") {
        return fail("auth can-i --list is not part of this terminal");
    }
    let [_, verb, what, names @ ..] = args.words.as_slice() else {
        return fail(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
        );
    };
    let mut review = object([
        ("apiVersion", "authorization.k8s.io/v1".into()),
        ("kind", "SelfSubjectAccessReview".into()),
    ]);
    if what.starts_with('/') {
        put(&mut review, "spec.nonResourceAttributes.path", what.as_str());
        put(&mut review, "spec.nonResourceAttributes.verb", verb.as_str());
    } else {
        let (word, name) = what.split_once('/').unwrap_or((what, ""));
        let name = names.first().map_or(name, String::as_str);
        let mut attributes = object([("verb", verb.as_str().into())]);
        match resource::kind_of(cx, word) {
            Ok(kind) => {
                attributes.set("group", kind.group);
                attributes.set("resource", kind.plural);
                if !kind.namespaced {
                    cx.warn(&format!(
                        "resource '{}' is not namespace scoped{}",
                        kind.plural,
                        match kind.group {
                            "" => String::new(),
                            group => format!(" in group '{group}'"),
                        }
                    ));
                }
            }
            Err(_) if word == "*" => attributes.set("resource", "*"),
            Err(_) => {
                cx.warn(&format!("the server doesn't have a resource type '{word}'"));
                attributes.set("resource", word);
            }
        }
        if !args.is("all-namespaces") {
            attributes.set("namespace", cx.namespace.clone());
        }
        if !name.is_empty() {
            attributes.set("name", name);
        }
        if let Some(subresource) = args.text("subresource") {
            attributes.set("subresource", subresource);
        }
        put(&mut review, "spec.resourceAttributes", attributes);
    }
    let answer = cx.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)?;
    let allowed = answer.is("status.allowed");
    if !args.is("quiet") {
        let mut text = if allowed { "yes" } else { "no" }.to_string();
        if !allowed && !answer.text("status.reason").is_empty() {
            text.push_str(&format!(" - {}", answer.text("status.reason")));
        }
        cx.say(&format!("{text}\n"));
    }
    if allowed { Ok(Outcome::Done) } else { Err(Failure::Code(1)) }
}

fn whoami(cx: &mut Cx<'_>) -> Result<Outcome> {
    let review = object([
        ("apiVersion", "authentication.k8s.io/v1".into()),
        ("kind", "SelfSubjectReview".into()),
    ]);
    let answer = cx.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review)?;
    let user = answer.look("status.userInfo");
    let mut text = String::from("ATTRIBUTE\tVALUE\n");
    text.push_str(&format!("Username\t{}\n", user.text("username")));
    if user.has("uid") {
        text.push_str(&format!("UID\t{}\n", user.text("uid")));
    }
    let groups: Vec<String> = user.list("groups").iter().map(scalar).collect();
    if !groups.is_empty() {
        text.push_str(&format!("Groups\t[{}]\n", groups.join(" ")));
    }
    cx.say(&Tabs::get().align(&text));
    Ok(Outcome::Done)
}
