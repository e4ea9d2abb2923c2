//! `kubectl config`: the one context of the page, and its namespace.

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{object, put};
use crate::text::output::document;
use crate::text::tab::Tabs;

pub(crate) const COMMAND: Command = Command {
    name: "config",
    brief: "Show the context, or change its namespace",
    usage: "kubectl config get-contexts|current-context|view\n\
            kubectl config set-context --current --namespace=NAMESPACE",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] =
    &[switch("current"), switch("minify"), switch("no-headers"), text("output").short('o')];

/// The name of the context, the cluster and, with a suffix, the user.
const CONTEXT: &str = "orrery";
const USER: &str = "kubernetes-admin";

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    match args.words.first().map(String::as_str) {
        Some("current-context") => cx.say(&format!("{CONTEXT}\n")),
        Some("get-contexts") => {
            let mut text = String::new();
            if !args.is("no-headers") {
                text.push_str("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
            }
            text.push_str(&format!("*\t{CONTEXT}\t{CONTEXT}\t{USER}\t{}\n", cx.namespace));
            cx.say(&Tabs::get().align(&text));
        }
        Some("get-clusters") => cx.say(&format!("NAME\n{CONTEXT}\n")),
        Some("get-users") => cx.say(&format!("NAME\n{USER}\n")),
        Some("view") => {
            let text = view(&cx.namespace);
            cx.say(&text);
        }
        Some("set-context") => {
            let name = args.words.get(1).map(String::as_str);
            if !args.is("current") && name != Some(CONTEXT) {
                return fail(format!(
                    "this terminal has one context, \"{CONTEXT}\"; use --current"
                ));
            }
            let Some(namespace) = args.text("namespace") else {
                return fail("only --namespace can be set");
            };
            cx.out.namespace = Some(namespace.into());
            cx.say(&format!("Context \"{CONTEXT}\" modified.\n"));
        }
        Some("use-context") => match args.words.get(1).map(String::as_str) {
            Some(CONTEXT) => cx.say(&format!("Switched to context \"{CONTEXT}\".\n")),
            Some(other) => return fail(format!("no context exists with the name: \"{other}\"")),
            None => return fail("exactly one context name is required"),
        },
        None => return super::help::of(cx, &COMMAND),
        Some(other) => {
            return fail(format!(
                "kubectl config {other} is not part of this terminal: there is no kubeconfig file"
            ));
        }
    }
    Ok(Outcome::Done)
}

fn view(namespace: &str) -> String {
    let named = |name: &str, key: &str, value: api::Json| {
        api::Json::Array(vec![object([("name", name.into()), (key, value)])])
    };
    let mut whole = object([
        ("apiVersion", "v1".into()),
        ("kind", "Config".into()),
        ("current-context", CONTEXT.into()),
        ("preferences", api::Json::object()),
    ]);
    put(&mut whole, "clusters", named(CONTEXT, "cluster", api::Json::object()));
    let context = object([
        ("cluster", CONTEXT.into()),
        ("namespace", namespace.into()),
        ("user", USER.into()),
    ]);
    put(&mut whole, "contexts", named(CONTEXT, "context", context));
    put(&mut whole, "users", named(USER, "user", api::Json::object()));
    document(&whole, true)
}
