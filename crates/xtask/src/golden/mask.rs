//! What differs from run to run, replaced by words: uids, times, addresses, random suffixes, digests.

use serde_json::{Map, Value};

/// The letters of the random suffixes that the API server and the controllers hand out.
const SUFFIX_LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;

/// A text as it is compared: chance replaced, durations too.
pub fn text(raw: &str) -> String {
    probe(Scan { rest: raw, out: String::new(), durations: true }.run())
}

/// The recorded runtime could not run a probe's command; a real one tells how the command ended.
fn probe(text: String) -> String {
    const ERRED: &str = "probe errored and resulted in unknown state: command ";
    match text.split_once(ERRED) {
        Some((before, _)) if text.contains(" exited with ") => format!("{before}probe failed:"),
        _ => text.trim_end().to_owned(),
    }
}

/// A name, which may end in a random suffix but holds no durations.
pub fn name(raw: &str) -> String {
    Scan { rest: raw, out: String::new(), durations: false }.run()
}

/// An object as it is compared.
pub fn object(value: &Value) -> Value {
    let mut masked = field("", value);
    match masked["kind"].as_str() {
        Some("Node") => mask_machine(&mut masked),
        // One step for each look, and looks join changes that come together.
        Some("EndpointSlice") => drop(masked["metadata"]["generation"].take()),
        _ => {}
    }
    let meta = masked.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(meta) = meta
        && let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut)
    {
        // There while the latest change is a second younger than the one before.
        annotations.remove("endpoints.kubernetes.io/last-change-trigger-time");
        if annotations.is_empty() {
            meta.remove("annotations");
        }
    }
    masked
}

/// What a node's machine is, rather than what the cluster made of it.
fn mask_machine(node: &mut Value) {
    let Some(status) = node.get_mut("status").and_then(Value::as_object_mut) else { return };
    for own in [
        "addresses",
        "allocatable",
        "capacity",
        "daemonEndpoints",
        "declaredFeatures",
        "features",
        "images",
        "nodeInfo",
        "runtimeHandlers",
    ] {
        status.remove(own);
    }
    if let Some(meta) = node.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("labels");
    }
}

fn field(key: &str, value: &Value) -> Value {
    match value {
        Value::String(_) if hidden(key) => Value::from(format!("<{key}>")),
        Value::String(raw) if raw.starts_with("-----BEGIN") => Value::from("<pem>"),
        Value::String(raw) if raw.contains("Too large resource version") => {
            Value::from(raw.split(", current").next())
        }
        Value::String(raw) if key == "message" || key == "note" => Value::from(text(raw)),
        Value::String(raw) => Value::from(name(raw)),
        Value::Number(number) if key.to_lowercase().ends_with("port") => {
            Value::from(name(&number.to_string()))
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| field(key, item)).collect();
            if unordered(key) {
                items.sort_by_cached_key(order);
            }
            Value::Array(items)
        }
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (name(key), field(key, value)))
                .collect::<Map<String, Value>>(),
        ),
        other => other.clone(),
    }
}

/// Fields whose every value is chance.
fn hidden(key: &str) -> bool {
    matches!(
        key,
        "uid"
            | "resourceVersion"
            | "containerID"
            | "imageID"
            | "hostIP"
            | "time"
            | "startedAt"
            | "finishedAt"
            | "bootID"
            | "acquireTime"
            | "renewTime"
    ) || key.ends_with("Timestamp")
        || key.ends_with("Time")
}

/// Lists whose order is chance: which pod came first, which manager wrote last.
fn unordered(key: &str) -> bool {
    matches!(key, "endpoints" | "addresses" | "notReadyAddresses" | "subsets" | "managedFields")
}

fn order(item: &Value) -> String {
    match item.get("manager") {
        Some(manager) => format!("{manager} {} {}", item["operation"], item["subresource"]),
        None => item.to_string(),
    }
}

struct Scan<'a> {
    rest: &'a str,
    out: String,
    durations: bool,
}

type Rule = (fn(&str) -> Option<usize>, &'static str);

/// What may start at the start of a word, longest first: how many bytes it takes, and its mask.
const RULES: &[Rule] = &[
    (uid, "<uid>"),
    (instant, "<time>"),
    (hex, "<hex>"),
    (node, "<node>"),
    (node_port, "<port>"),
    (api_port, "<api port>"),
];

impl Scan<'_> {
    fn run(mut self) -> String {
        let mut inside = false;
        while let Some(first) = self.rest.chars().next() {
            if !(inside && first.is_ascii_alphanumeric()) && self.masked(first) {
                inside = true;
                continue;
            }
            inside = first.is_ascii_alphanumeric();
            self.out.push(first);
            self.rest = &self.rest[first.len_utf8()..];
        }
        self.out
    }

    fn masked(&mut self, first: char) -> bool {
        if first == '-' && self.out.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '>') {
            return self.take(suffix(self.rest), "-<random>");
        }
        if !first.is_ascii_alphanumeric() {
            return false;
        }
        if let Some((length, mask)) = address(self.rest) {
            return self.take(Some(length), mask);
        }
        let found = RULES.iter().find_map(|(rule, mask)| rule(self.rest).map(|n| (n, *mask)));
        if let Some((length, mask)) = found {
            return self.take(Some(length), mask);
        }
        if !self.durations {
            return false;
        }
        if let Some(length) = size(self.rest) {
            return self.take(Some(length), "<n> bytes");
        }
        self.take(duration(self.rest), "<duration>")
    }

    fn take(&mut self, length: Option<usize>, mask: &str) -> bool {
        let Some(length) = length else { return false };
        self.out.push_str(mask);
        self.rest = &self.rest[length..];
        true
    }
}

/// The length, if a word ends there.
fn word_end(text: &str, length: usize) -> Option<usize> {
    let next = text.get(length..)?.chars().next();
    (!next.is_some_and(|c| c.is_ascii_alphanumeric())).then_some(length)
}

fn run_of(text: &str, of: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| of(*byte)).count()
}

fn digits(text: &str) -> usize {
    run_of(text, |byte| byte.is_ascii_digit())
}

/// `-x7k2p` at the end of a name. A word of the five letters alone is taken for one too; both sides lose it.
fn suffix(text: &str) -> Option<usize> {
    let letters = run_of(&text[1..], |byte| SUFFIX_LETTERS.contains(char::from(byte)));
    let length = 1 + SUFFIX_LENGTH;
    (letters == SUFFIX_LENGTH && !text[length..].starts_with('-'))
        .then(|| word_end(text, length))
        .flatten()
}

fn uid(text: &str) -> Option<usize> {
    let mut at = 0;
    for (i, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        at += usize::from(i > 0);
        let part = text.get(at..at + length)?;
        let dashed = i == 0 || text[..at].ends_with('-');
        if !dashed || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        at += length;
    }
    word_end(text, at)
}

fn hex(text: &str) -> Option<usize> {
    let length = run_of(text, |byte| byte.is_ascii_hexdigit());
    (length >= 16).then(|| word_end(text, length)).flatten()
}

/// `2026-11-22T14:13:05Z`, with or without a fraction, and `Sun, 22 Nov 2026 14:13:05 +0000`.
fn instant(text: &str) -> Option<usize> {
    let shape = |pattern: &str| {
        let part = text.get(..pattern.len())?;
        let fits = part.bytes().zip(pattern.bytes()).all(|(byte, want)| match want {
            b'0' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            _ => byte == want,
        });
        fits.then_some(pattern.len())
    };
    if let Some(length) = shape("aaa, 00 aaa 0000 00:00:00 +0000") {
        return Some(length);
    }
    let length = shape("0000-00-00T00:00:00")?;
    let fraction = run_of(&text[length..], |byte| byte == b'.' || byte.is_ascii_digit());
    text[length + fraction..].starts_with('Z').then_some(length + fraction + 1)
}

fn address(text: &str) -> Option<(usize, &'static str)> {
    let length = run_of(text, |byte| byte == b'.' || byte.is_ascii_digit());
    let address = text[..length].trim_end_matches('.');
    let parts: Vec<u8> = address.split('.').map_while(|part| part.parse().ok()).collect();
    let mask = match parts[..] {
        [10, 244, _, _] => "<pod address>",
        // The first 256 addresses are given out on demand only.
        [10, 96, 0, _] => return None,
        [10, 96..=111, ..] => "<cluster address>",
        [127, 0, 0, _] | [172, _, _, _] | [192, 0, 2, _] => "<host address>",
        _ => return None,
    };
    word_end(text, address.len()).map(|length| (length, mask))
}

fn node(text: &str) -> Option<usize> {
    let after = text.strip_prefix("node-")?;
    let number = digits(after);
    (number > 0).then(|| word_end(text, "node-".len() + number)).flatten()
}

/// A node port out of the part of the range that is handed out by itself.
fn node_port(text: &str) -> Option<usize> {
    let port: u32 = text[..digits(text)].parse().ok()?;
    (30_086..32_768).contains(&port).then(|| word_end(text, 5)).flatten()
}

/// Where the API server listens, recorded and here.
fn api_port(text: &str) -> Option<usize> {
    ["16443", "6443"]
        .iter()
        .find_map(|port| text.strip_prefix(port).map(|_| port.len()))
        .and_then(|length| word_end(text, length))
}

fn size(text: &str) -> Option<usize> {
    let number = digits(text);
    (number > 4 && text[number..].starts_with(" bytes")).then_some(number + " bytes".len())
}

/// `200ms`, `3m20s`, `1.5s`.
fn duration(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let number = run_of(&text[at..], |byte| byte == b'.' || byte.is_ascii_digit());
        if number == 0 {
            break;
        }
        let unit = ["ms", "µs", "s", "m", "h", "d"]
            .into_iter()
            .find(|unit| text[at + number..].starts_with(unit))?;
        at += number + unit.len();
    }
    (at > 0).then(|| word_end(text, at)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, masked: &str) {
        assert_eq!(text(raw), masked);
    }

    #[test]
    fn random_suffixes_lose_their_letters_and_words_keep_theirs() {
        check("pod/web-7659474d7f-rhlj7 created", "pod/web-7659474d7f-<random> created");
        check("kube-api-access-2ctsl", "kube-api-access-<random>");
        check("the web-server", "the web-server");
        check("db-0", "db-0");
    }

    #[test]
    fn times_durations_and_sizes_are_chance() {
        check("at 2026-11-22T14:13:05Z", "at <time>");
        check("Start Time: Sun, 22 Nov 2026 14:13:05 +0000", "Start Time: <time>");
        check(
            "in 200ms (1.2s including waiting). Image size: 52428800 bytes.",
            "in <duration> (<duration> including waiting). Image size: <n> bytes.",
        );
        check("0/3 nodes", "0/3 nodes");
    }

    #[test]
    fn asked_for_addresses_and_ports_stay() {
        check("10.96.0.77 10.244.1.2/32", "10.96.0.77 <pod address>/32");
        check("10.103.4.5:6443", "<cluster address>:<api port>");
        check("80:30080/TCP 81:31234/TCP", "80:30080/TCP 81:<port>/TCP");
    }

    #[test]
    fn uids_and_nodes_are_chance() {
        check("crash_default(59d0cf1b-ae1e-4511-a4cf-93d34b0c3bd1)", "crash_default(<uid>)");
        check("assigned default/demo to node-1", "assigned default/demo to <node>");
    }

    #[test]
    fn an_object_keeps_what_was_decided() {
        let pod = serde_json::json!({
            "kind": "Pod",
            "metadata": {"name": "web-x7k2p", "uid": "1", "creationTimestamp": "2026"},
            "spec": {"nodeName": "node-2", "containers": [{"resources": {"cpu": "200m"}}]},
            "status": {"conditions": [{"lastProbeTime": null, "message": "back-off 10s"}]},
        });
        let masked = serde_json::json!({
            "kind": "Pod",
            "metadata": {"name": "web-<random>", "uid": "<uid>",
                "creationTimestamp": "<creationTimestamp>"},
            "spec": {"nodeName": "<node>", "containers": [{"resources": {"cpu": "200m"}}]},
            "status": {"conditions": [{"lastProbeTime": null, "message": "back-off <duration>"}]},
        });
        assert_eq!(object(&pod), masked);
    }
}
