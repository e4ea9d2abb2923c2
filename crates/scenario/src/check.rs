//! What a step asks for, and whether the cluster is there yet.

mod pattern;

use base::BTreeSet;

use api::json::Json;
use api::selector::Selector;
use base::{Duration, Instant, Str};

use crate::span::format_span;
use crate::world::{Change, ChangeKind, Query, World};
use pattern::{Mismatch, lookup, mismatch};

/// Something that must come true.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What.
    pub goal: Goal,
    /// How long it must stay true.
    pub hold: Duration,
    /// What to say while it is not, with `{field}` in place of values.
    pub why: Option<Str>,
    /// What is looked for, in words.
    pub text: Option<Str>,
}

/// What a check looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// Objects that have all fields of a pattern.
    Expect {
        /// The pattern, with `apiVersion` and `kind`.
        object: Json,
        /// So many of them at least.
        at_least: u32,
        /// And so many at most.
        at_most: Option<u32>,
    },
    /// Something that happened since the step was opened.
    History {
        /// What happened.
        event: ChangeKind,
        /// To which kind of object.
        kind: Str,
        /// With which labels; empty for any.
        selector: Str,
        /// In which namespace.
        namespace: Str,
        /// Under which name.
        name: Option<Str>,
        /// How often.
        at_least: u32,
    },
    /// Requests that are answered.
    Request {
        /// Where to.
        url: Str,
        /// From which pod; empty for somebody inside the cluster.
        from: Str,
        /// How many.
        times: u32,
        /// Each with this status.
        status: u16,
        /// By at least so many pods.
        distinct_pods: u32,
    },
}

/// What a look at the cluster showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    True,
    /// It is not, and why.
    False(String),
}

/// How far one check is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    true_since: Option<Instant>,
    /// It is true, and has been for as long as it has to.
    pub done: bool,
    /// Why it is not done.
    pub why: String,
}

impl Progress {
    /// Looks at the cluster. To be called on every settled instant, and when a hold ends.
    pub fn look(&mut self, check: &Check, world: &dyn World, opened: Instant) {
        match check.verdict(world, opened) {
            Verdict::False(why) => *self = Progress { true_since: None, done: false, why },
            Verdict::True => {
                let now = world.now();
                let held = now.since(*self.true_since.get_or_insert(now));
                self.done = held >= check.hold;
                self.why = match self.done {
                    true => String::new(),
                    false => {
                        // Whoever waits counts in seconds.
                        let held = Duration::millis(held.as_micros() / 100_000 * 100);
                        let (held, hold) = (format_span(held), format_span(check.hold));
                        format!("True for {held}; it has to stay so for {hold}.")
                    }
                };
            }
        }
    }

    /// Whether it is true, for however short a time.
    pub fn is_true(&self) -> bool {
        self.true_since.is_some()
    }
}

impl Check {
    /// What is looked for, in words.
    pub fn describe(&self) -> String {
        match &self.text {
            Some(text) => text.to_string(),
            None => self.goal.describe(),
        }
    }

    /// Looks at the cluster once, whatever was before.
    pub fn verdict(&self, world: &dyn World, opened: Instant) -> Verdict {
        let outcome = self.goal.look(world, opened);
        if outcome.holds {
            return Verdict::True;
        }
        Verdict::False(match &self.why {
            Some(why) => fill(why, &outcome),
            None => outcome.words,
        })
    }
}

/// One look, with what a `why` may speak of.
struct Outcome {
    holds: bool,
    words: String,
    /// The object nearest to the goal.
    nearest: Option<Json>,
    pattern: Option<Json>,
    facts: Vec<(&'static str, String)>,
}

impl Goal {
    fn look(&self, world: &dyn World, opened: Instant) -> Outcome {
        match self {
            Goal::Expect { object, at_least, at_most } => {
                expect(world, object, *at_least, *at_most)
            }
            Goal::History { event, kind, selector, namespace, name, at_least } => {
                let selector = Selector::parse(selector).unwrap_or_default();
                let fits = |change: &Change| {
                    change.event == *event
                        && change.namespace == *namespace
                        && name.as_ref().is_none_or(|name| *name == change.name)
                        && selector.matches(|key| {
                            change.labels.iter().find(|(k, _)| k == key).map(|(_, v)| &**v)
                        })
                };
                let count = world.history(kind, opened).iter().filter(|c| fits(c)).count() as u32;
                Outcome {
                    holds: count >= *at_least,
                    words: format!("Seen {count} of {at_least}."),
                    nearest: None,
                    pattern: None,
                    facts: vec![("count", count.to_string()), ("atLeast", at_least.to_string())],
                }
            }
            Goal::Request { url, from, times, status, distinct_pods } => {
                request(world, (url, from), *times, *status, *distinct_pods)
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Goal::Expect { object, at_least, at_most } => {
                let fields = pattern::leaves(object);
                let fields: Vec<String> = fields
                    .iter()
                    .filter(|(path, _)| {
                        !matches!(
                            path.as_str(),
                            "apiVersion" | "kind" | "metadata.name" | "metadata.namespace"
                        )
                    })
                    .map(|(path, value)| format!("{path} is {value}"))
                    .collect();
                let count = match (at_least, at_most) {
                    (_, Some(0)) => "No ".to_owned(),
                    (1, None) => String::new(),
                    (least, None) => format!("{least} × "),
                    (0, Some(most)) => format!("At most {most} × "),
                    (least, Some(most)) => format!("{least} to {most} × "),
                };
                let what = subject(object);
                match fields.is_empty() {
                    true if count.is_empty() => format!("{what} exists"),
                    true => format!("{count}{what}"),
                    false => format!("{count}{what}: {}", fields.join(", ")),
                }
            }
            Goal::History { event, kind, selector, name, at_least, .. } => {
                let done = match event {
                    ChangeKind::Added => "created",
                    ChangeKind::Modified => "changed",
                    ChangeKind::Deleted => "deleted",
                };
                let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                let which =
                    if selector.is_empty() { String::new() } else { format!(" with {selector}") };
                match at_least {
                    1 => format!("A {kind}{name}{which} is {done}"),
                    n => format!("{n} × {kind}{name}{which} {done}"),
                }
            }
            Goal::Request { url, times, status, distinct_pods, .. } => {
                let times = if *times == 1 { String::new() } else { format!("{times} × ") };
                let pods = match distinct_pods {
                    0 | 1 => String::new(),
                    n => format!(" from {n} pods"),
                };
                format!("{times}GET {url} answers {status}{pods}")
            }
        }
    }
}

fn text_at<'j>(object: &'j Json, path: &[&str]) -> &'j str {
    object.at(path).and_then(Json::as_str).unwrap_or("")
}

/// `Deployment web`, or `Pod with app=web`.
fn subject(object: &Json) -> String {
    let kind = text_at(object, &["kind"]);
    match text_at(object, &["metadata", "name"]) {
        "" => kind.to_owned(),
        name => format!("{kind} {name}"),
    }
}

fn expect(world: &dyn World, object: &Json, at_least: u32, at_most: Option<u32>) -> Outcome {
    let or_default = |text: &str| Str::from(if text.is_empty() { "default" } else { text });
    let query = Query {
        api_version: Str::from(text_at(object, &["apiVersion"])),
        kind: Str::from(text_at(object, &["kind"])),
        namespace: or_default(text_at(object, &["metadata", "namespace"])),
        name: Str::from(text_at(object, &["metadata", "name"])),
    };
    let found = world.objects(&query);
    let misses: Vec<Option<Mismatch>> = found.iter().map(|o| mismatch(object, o)).collect();
    let count = misses.iter().filter(|miss| miss.is_none()).count() as u32;
    let holds = count >= at_least && at_most.is_none_or(|most| count <= most);
    let nearest = misses.iter().position(Option::is_some).or(found.len().checked_sub(1));
    let words = match (misses.iter().flatten().next(), at_most) {
        (_, Some(most)) if count > most => format!("There are {count}, not {most} or fewer."),
        (Some(miss), _) if at_least == 1 => miss.to_string(),
        _ if found.is_empty() => format!("There is no {}.", subject(object)),
        _ => format!("There are {count} of {at_least}."),
    };
    Outcome {
        holds,
        words,
        nearest: nearest.map(|at| found[at].clone()),
        pattern: Some(object.clone()),
        facts: vec![("count", count.to_string()), ("atLeast", at_least.to_string())],
    }
}

fn request(
    world: &dyn World,
    (url, from): (&str, &str),
    times: u32,
    status: u16,
    distinct_pods: u32,
) -> Outcome {
    let answers = world.requests(from, url, times);
    let good = answers.iter().filter(|answer| answer.status == Some(status)).count();
    let pods: BTreeSet<&Str> = answers.iter().filter_map(|answer| answer.pod.as_ref()).collect();
    let all_good = good == answers.len() && good as u32 == times;
    let words = match answers.iter().find(|answer| answer.status != Some(status)) {
        Some(bad) => {
            let how = match bad.status {
                Some(other) => format!("{other}"),
                None => bad.problem.to_string(),
            };
            format!("{good} of {times} answered {status}; one ended with {how}.")
        }
        None => format!("{} of {distinct_pods} pods answered.", pods.len()),
    };
    Outcome {
        holds: all_good && pods.len() as u32 >= distinct_pods,
        words,
        nearest: None,
        pattern: None,
        facts: vec![
            ("good", good.to_string()),
            ("times", times.to_string()),
            ("pods", pods.len().to_string()),
        ],
    }
}

/// Puts values in place of `{field}`. A field is looked for in the nearest object's status, spec
/// and whole; where it is missing and a number was expected, it is 0.
fn fill(template: &str, outcome: &Outcome) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, after)) if is_field(name) => {
                out.push_str(&value_of(name, outcome));
                rest = after;
            }
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/[]".contains(&b))
}

fn value_of(name: &str, outcome: &Outcome) -> String {
    if let Some((_, value)) = outcome.facts.iter().find(|(fact, _)| *fact == name) {
        return value.clone();
    }
    if let Some(value) = outcome.nearest.as_ref().and_then(|object| lookup(object, name)) {
        return pattern::words(value);
    }
    let expected = outcome.pattern.as_ref().and_then(|pattern| lookup(pattern, name));
    match expected {
        Some(Json::Int(_) | Json::Float(_)) => "0".to_owned(),
        _ => "nothing".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
