//! `kubectl logs`.
//!
//! Known deviations:
//! - `-f` asks again every half second by the time of the last line, and ends with the container.

use api::Json;
use base::Duration;

use super::{Command, Follow, Outcome, Pause};
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail, usage};
use crate::flags::{Args, Flag, switch, text};
use crate::look::Look;
use crate::resource::{self, Target};

pub(crate) const COMMAND: Command = Command {
    name: "logs",
    brief: "Print the logs for a container in a pod",
    usage: "kubectl logs POD [-c CONTAINER] [-f] [-p] [--tail=N] [--timestamps] [--since=5m]\n\
            kubectl logs TYPE/NAME\n\
            kubectl logs -l LABELS [--prefix]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("container").short('c'),
    switch("follow").short('f'),
    switch("previous").short('p'),
    text("tail"),
    switch("timestamps"),
    text("since"),
    text("since-time"),
    text("limit-bytes"),
    switch("all-containers"),
    switch("all-pods"),
    switch("prefix"),
    text("selector").short('l'),
    switch("ignore-errors"),
    text("max-log-requests"),
    text("pod-running-timeout"),
];

const USAGE: &str = "'logs (POD | TYPE/NAME) [CONTAINER_NAME]'.\nPOD or TYPE/NAME is a required argument for the logs command";

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let pods = pods(cx, args)?;
    let several = args.has("selector") || args.is("all-pods");
    let mut streams = Vec::new();
    for pod in &pods {
        for container in containers(cx, args, pod)? {
            streams.push(Stream {
                pod: pod.text("metadata.name").into(),
                namespace: pod.text("metadata.namespace").into(),
                container,
                last: String::new(),
                shown: 0,
                is_over: false,
            });
        }
    }
    let tail = args.int("tail")?.unwrap_or(if several { 10 } else { -1 });
    let most = args.int("max-log-requests")?.unwrap_or(5);
    if args.is("follow") && several && streams.len() as i64 > most {
        return fail(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {most}, \
             use --max-log-requests to increase the limit",
            streams.len()
        ));
    }
    let options = Options {
        previous: args.is("previous"),
        timestamps: args.is("timestamps"),
        prefix: args.is("prefix"),
        tail,
        since: args.duration("since")?.map(|span| span.as_secs().max(1)),
        since_time: args.text("since-time").unwrap_or("").into(),
        limit_bytes: args.text("limit-bytes").unwrap_or("").into(),
    };
    if args.is("follow") && !options.previous {
        return Ok(Outcome::Follow(Box::new(Following { streams, options, is_first: true })));
    }
    for stream in &streams {
        let text = cx.raw(&stream.path(&options, &options.since_time, options.timestamps, tail))?;
        let text = prefixed(&text, &stream.prefix(&options));
        cx.say(&text);
    }
    Ok(Outcome::Done)
}

/// The pods that are asked for.
fn pods(cx: &mut Cx<'_>, args: &Args) -> Result<Vec<Json>> {
    let namespace = cx.namespace.clone();
    let kind = resource::known("pods");
    if let Some(selector) = args.text("selector") {
        if !args.words.is_empty() {
            return fail("only a selector (-l) or a POD name is allowed");
        }
        let pods = cx.list(&kind, &namespace, &[("labelSelector", selector)])?;
        if pods.is_empty() {
            cx.say(&format!("No resources found in {namespace} namespace.\n"));
        }
        return Ok(pods);
    }
    let Some(word) = args.words.first() else { return usage("logs", &format!("expected {USAGE}")) };
    let target = if word.contains('/') {
        resource::targets(cx, std::slice::from_ref(word))?.remove(0)
    } else {
        Target { kind, name: Some(word.as_str().into()) }
    };
    let name = target.name.clone().unwrap_or_default();
    let found = cx.object(&target.kind, &namespace, &name).map_err(|failure| {
        if failure.is_not_found() {
            let text = failure.message();
            return Failure::Plain(format!(
                "error from server (NotFound): {text} in namespace \"{namespace}\""
            ));
        }
        failure
    })?;
    if target.kind.kind == "Pod" {
        return Ok(vec![found]);
    }
    let mut pods = pods_of(cx, &target, &found)?;
    let all = args.is("all-pods");
    if pods.is_empty() {
        return fail(format!(
            "timed out waiting for the condition: {} has no pods",
            target.kind.named(&name)
        ));
    }
    if pods.len() > 1 && !all {
        let first = pods[0].text("metadata.name").to_string();
        cx.say(&format!("Found {} pods, using pod/{first}\n", pods.len()));
        pods.truncate(1);
    }
    Ok(pods)
}

/// The pods that an object selects, those first that are running, ready and old.
pub(crate) fn pods_of(cx: &mut Cx<'_>, target: &Target, object: &Json) -> Result<Vec<Json>> {
    let selector = selector_of(object);
    if selector.is_empty() {
        return fail(format!(
            "cannot get the logs from {}: it selects no pods",
            target.kind.word()
        ));
    }
    let namespace = cx.namespace.clone();
    let mut pods =
        cx.list(&resource::known("pods"), &namespace, &[("labelSelector", &selector)])?;
    let rank = |pod: &Json| {
        let is_ready = pod
            .list("status.conditions")
            .iter()
            .any(|c| c.text("type") == "Ready" && c.text("status") == "True");
        (
            pod.text("spec.nodeName").is_empty(),
            pod.text("status.phase") == "Pending",
            !is_ready,
            pod.text("metadata.creationTimestamp").to_string(),
            pod.text("metadata.name").to_string(),
        )
    };
    base::sort::by_cached_key(&mut pods, rank);
    Ok(pods)
}

/// The label selector of a workload or Service as text.
pub(crate) fn selector_of(object: &Json) -> String {
    let selector = object.look("spec.selector");
    if selector.fields().iter().all(|(_, value)| value.as_str().is_some()) {
        let pairs = selector.fields().iter();
        return pairs
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
            .collect::<Vec<_>>()
            .join(",");
    }
    crate::describe::selector(selector)
}

/// The containers whose logs are asked for.
fn containers(cx: &mut Cx<'_>, args: &Args, pod: &Json) -> Result<Vec<String>> {
    let names = |path: &str| -> Vec<String> {
        pod.list(path).iter().map(|c| c.text("name").to_string()).collect()
    };
    let (init, main) = (names("spec.initContainers"), names("spec.containers"));
    let ephemeral = names("spec.ephemeralContainers");
    if args.is("all-containers") {
        return Ok(init.into_iter().chain(main).chain(ephemeral).collect());
    }
    let given = args.text("container").or(args.words.get(1).map(String::as_str));
    let everything = || init.iter().chain(&main).chain(&ephemeral);
    if let Some(name) = given {
        if !everything().any(|known| known == name) {
            return fail(format!(
                "container {name} is not valid for pod {}",
                pod.text("metadata.name")
            ));
        }
        return Ok(vec![name.to_string()]);
    }
    let chosen = default_container(pod);
    if main.len() + init.len() + ephemeral.len() > 1
        && !pod.look("metadata.annotations").fields().iter().any(|(k, _)| k == DEFAULT_CONTAINER)
    {
        let mut list = main.clone();
        list.extend(ephemeral.iter().map(|name| format!("{name} (ephem)")));
        list.extend(init.iter().map(|name| format!("{name} (init)")));
        cx.say(&format!("Defaulted container \"{chosen}\" out of: {}\n", list.join(", ")));
    }
    Ok(vec![chosen])
}

const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The container that commands use where none is named.
pub(crate) fn default_container(pod: &Json) -> String {
    let annotated = pod.look("metadata.annotations").get(DEFAULT_CONTAINER).and_then(Json::as_str);
    let first = pod.list("spec.containers").first().map_or("", |c| c.text("name"));
    annotated.unwrap_or(first).to_string()
}

#[derive(Clone, Debug)]
struct Options {
    previous: bool,
    timestamps: bool,
    prefix: bool,
    tail: i64,
    since: Option<i64>,
    since_time: String,
    limit_bytes: String,
}

/// The log of one container.
#[derive(Clone, Debug)]
struct Stream {
    pod: String,
    namespace: String,
    container: String,
    /// The time of the last line that was shown.
    last: String,
    /// How many lines of that time were shown.
    shown: usize,
    is_over: bool,
}

impl Stream {
    fn path(&self, options: &Options, since_time: &str, timestamps: bool, tail: i64) -> String {
        let path = resource::path(&resource::known("pods"), &self.namespace, &self.pod) + "/log";
        let flag = |on: bool| if on { "true" } else { "" };
        let tail = if tail >= 0 { tail.to_string() } else { String::new() };
        let since = match options.since {
            Some(seconds) if since_time.is_empty() => seconds.to_string(),
            _ => String::new(),
        };
        resource::with_query(
            &path,
            &[
                ("container", &self.container),
                ("previous", flag(options.previous)),
                ("timestamps", flag(timestamps)),
                ("tailLines", &tail),
                ("sinceSeconds", &since),
                ("sinceTime", since_time),
                ("limitBytes", &options.limit_bytes),
            ],
        )
    }

    fn prefix(&self, options: &Options) -> String {
        if options.prefix {
            format!("[pod/{}/{}] ", self.pod, self.container)
        } else {
            String::new()
        }
    }

    /// What came since the last call.
    fn more(&mut self, cx: &mut Cx<'_>, options: &Options, is_first: bool) -> Result<String> {
        let since = if is_first { options.since_time.clone() } else { seconds_of(&self.last) };
        let tail = if is_first { options.tail } else { -1 };
        let text = cx.raw(&self.path(options, &since, true, tail))?;
        let (mut out, prefix) = (String::new(), self.prefix(options));
        let (old, mut seen) = (self.last.clone(), 0);
        for line in text.lines() {
            let (time, bare) = line.split_once(' ').unwrap_or((line, ""));
            if !old.is_empty() {
                if time < old.as_str() {
                    continue;
                }
                if time == old {
                    seen += 1;
                    if seen <= self.shown {
                        continue;
                    }
                }
            }
            self.shown = if time == self.last { self.shown + 1 } else { 1 };
            self.last = time.to_string();
            out.push_str(&prefix);
            out.push_str(if options.timestamps { line } else { bare });
            out.push('\n');
        }
        Ok(out)
    }

    /// Whether the container runs, so that more may come.
    fn runs(&self, cx: &mut Cx<'_>) -> bool {
        let kind = resource::known("pods");
        let Ok(pod) = cx.object(&kind, &self.namespace, &self.pod) else { return false };
        ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
            .iter()
            .flat_map(|list| pod.look("status").list(list))
            .any(|s| s.text("name") == self.container && s.has("state.running"))
    }
}

/// The whole second of a time with a fraction.
fn seconds_of(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_string(),
    }
}

fn prefixed(text: &str, prefix: &str) -> String {
    if prefix.is_empty() {
        return text.to_string();
    }
    text.split_inclusive('\n').map(|line| format!("{prefix}{line}")).collect()
}

const LOOK_AGAIN: Duration = Duration::millis(500);

/// `logs -f`
#[derive(Clone, Debug)]
struct Following {
    streams: Vec<Stream>,
    options: Options,
    is_first: bool,
}

impl Follow for Following {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        for stream in &mut self.streams {
            if stream.is_over {
                continue;
            }
            let runs = stream.runs(cx);
            match stream.more(cx, &self.options, self.is_first) {
                Ok(text) => cx.say(&text),
                Err(failure) if self.is_first => return Err(failure),
                Err(_) => stream.is_over = true,
            }
            stream.is_over |= !runs;
        }
        self.is_first = false;
        if self.streams.iter().all(|stream| stream.is_over) || cx.out.is_full() {
            return Ok(Pause::Over);
        }
        Ok(Pause::Until(cx.now + LOOK_AGAIN))
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}
