//! A request's story as the page tells it.

use base::Instant;
use network::{Outcome as End, Response, Trace, What};
use protocol::{Hop, Key, Outcome};

use crate::news::micros;

/// What the page is shown of an answer, in characters.
const BODY_MAX: usize = 2_000;

/// The story of a request that was sent at `at`.
pub fn trace(id: u32, at: Instant, from: Key, url: String, story: &Trace) -> protocol::Trace {
    let mut after = 0;
    let mut hops: Vec<Hop> = Vec::new();
    for hop in &story.hops {
        after += hop.took.0.max(0) as u64;
        hops.push(stop(after, &hop.what));
    }
    let ok = matches!(&story.outcome, End::Answered(Response::Http(r)) if r.status < 500)
        || matches!(&story.outcome, End::Answered(r) if !matches!(r, Response::Http(_)));
    let place = story.place.as_ref().and_then(|place| place.pod.as_ref());
    let result = match (&story.outcome, place) {
        (End::Answered(_), Some((_, pod))) => format!("{} from {pod}", story.outcome),
        _ => story.outcome.to_string(),
    };
    let body: String =
        story.http().map(|http| http.body.chars().take(BODY_MAX).collect()).unwrap_or_default();
    let took = story.latency.0.max(0) as u64;
    protocol::Trace { id, at: micros(at), from, url, ok, result, body, took, hops }
}

fn stop(after: u64, what: &What) -> Hop {
    let (place, key, outcome) = match what {
        What::Resolve { found, .. } => {
            let outcome = if found.is_empty() { Outcome::Dropped } else { Outcome::Passed };
            ("DNS".to_owned(), None, outcome)
        }
        What::Tables { node, passage, .. } => {
            let outcome = match passage.verdict {
                network::Verdict::Accept if passage.translated => Outcome::Chosen,
                network::Verdict::Accept => Outcome::Passed,
                network::Verdict::Reject | network::Verdict::Drop => Outcome::Dropped,
            };
            (format!("Rules of {node}"), Some(format!("node/{node}")), outcome)
        }
        What::Balance { at, node } => {
            let outcome = if node.is_some() { Outcome::Chosen } else { Outcome::Dropped };
            (format!("Load balancer {at}"), None, outcome)
        }
        What::Fenced { at, .. } => (format!("Load balancer {at}"), None, Outcome::Dropped),
        What::Link { from, to, cut, .. } => {
            let outcome = if *cut { Outcome::Dropped } else { Outcome::Passed };
            let name =
                |name: &str| if name.is_empty() { "outside".to_owned() } else { name.to_owned() };
            (format!("Link {} to {}", name(from), name(to)), None, outcome)
        }
        What::Denied { place, .. } => (place.at.to_string(), pod_key(place), Outcome::Dropped),
        What::Arrive { place, listening, .. } => {
            let outcome = if *listening { Outcome::Passed } else { Outcome::Dropped };
            let name =
                place.pod.as_ref().map_or_else(|| place.at.to_string(), |(_, pod)| pod.to_string());
            (name, pod_key(place), outcome)
        }
        What::Nowhere { to } => (to.to_string(), None, Outcome::Dropped),
    };
    let rules = match what {
        What::Tables { passage, .. } => passage
            .steps
            .iter()
            .map(|step| {
                let chance = if step.matched { "" } else { "  (lost by chance)" };
                format!("-A {} {}{chance}", step.chain, bare(&step.rule.to_string()))
            })
            .collect(),
        _ => Vec::new(),
    };
    Hop { after, place, key, text: what.to_string(), outcome, rules }
}

/// A rule without its comment, which repeats in words what the rest says.
pub fn bare(rule: &str) -> String {
    const COMMENT: &str = "-m comment --comment \"";
    let without = rule.split_once(COMMENT).and_then(|(before, comment)| {
        let (_, after) = comment.split_once('"')?;
        Some(format!("{before}{}", after.trim_start()))
    });
    without.unwrap_or_else(|| rule.to_owned())
}

fn pod_key(place: &network::Place) -> Option<Key> {
    place.pod.as_ref().map(|(namespace, name)| format!("pod/{namespace}/{name}"))
}
