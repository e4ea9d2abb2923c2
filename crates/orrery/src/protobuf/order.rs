//! The order in which Go declares the fields of its structs, which is that of upstream's `.proto` files.
//!
//! Known deviations:
//! - The fields that came with v1.36 and have no number here come last.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::table::FIELDS;

type Fields = Vec<(&'static str, &'static str)>;

/// The names of the fields of a struct, by the name of its OpenAPI definition.
pub fn declared(definition: &str) -> Option<&'static [&'static str]> {
    static ORDER: OnceLock<HashMap<&'static str, Vec<&'static str>>> = OnceLock::new();
    let order = ORDER.get_or_init(|| {
        let messages = messages();
        let names = |name: &&'static str| {
            let mut names = Vec::new();
            gather(&messages, name, &mut names);
            (*name, names)
        };
        messages.keys().map(names).collect()
    });
    // Group, version and kind.
    let start = definition.rmatch_indices('.').nth(2).map_or(0, |(at, _)| at + 1);
    order.get(&definition[start..]).map(Vec::as_slice)
}

fn messages() -> HashMap<&'static str, Fields> {
    let mut messages: HashMap<&'static str, Fields> = HashMap::new();
    let mut name = "";
    for line in FIELDS.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix(' ') {
            None => name = line,
            Some(field) => {
                let mut words = field.split(' ').skip(1);
                let (field, ty) = (words.next(), words.next());
                let field = (field.unwrap_or_default(), ty.unwrap_or_default());
                messages.entry(name).or_default().push(field);
            }
        }
    }
    messages
}

fn gather(messages: &HashMap<&'static str, Fields>, name: &str, names: &mut Vec<&'static str>) {
    for (field, ty) in messages.get(name).into_iter().flatten() {
        match *field {
            // The fields of the message inside stand here.
            "-" => gather(messages, ty, names),
            field => names.push(field),
        }
    }
}

#[cfg(test)]
mod tests {
    use apiserver::http::HttpRequest;
    use cluster::{Cluster, Config, HttpAnswer};

    use super::*;

    /// What is shown of a Deployment that a patch has spoilt.
    fn shown(media: &str, patch: &str) -> String {
        let mut config = Config::default();
        assert!(config.restrict_to(&["apiserver".to_string()]).is_ok());
        let mut cluster = Cluster::new(config);
        cluster.set_field_order(declared);
        let path = "/apis/apps/v1/namespaces/default/deployments";
        let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d",
            "labels":{"b":"1","a":"2"}},"spec":{"selector":{"matchLabels":{"a":"b"}},
            "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i",
            "env":[{"value":"v","name":"n"}]}]}}}}"#;
        let mut ask = |method: &str, path: &str, media: &str, body: &str| {
            let request = HttpRequest::new(method, path).header("Content-Type", media).body(body);
            match cluster.http(request) {
                HttpAnswer::Response(response) => {
                    String::from_utf8_lossy(&response.body).into_owned()
                }
                HttpAnswer::Watch(_) => panic!("no answer"),
            }
        };
        ask("POST", path, "application/json", body);
        let answer = ask("PATCH", &format!("{path}/d"), media, patch);
        let status = api::Json::parse(answer.as_bytes()).expect("JSON");
        let text = status.get("message").and_then(api::Json::as_str).expect("a message");
        let text = text.strip_prefix(" \"\" is invalid: patch: Invalid value: ").expect(text);
        let end = text.rfind("\": json: ").expect("an error");
        text[1..end].replace("\\\"", "\"")
    }

    /// The fragments are in the text, one after the other.
    fn check(text: &str, fragments: &[&str]) {
        let mut rest = text;
        for fragment in fragments {
            let at = rest.find(fragment).unwrap_or_else(|| panic!("{fragment} is not in {rest}"));
            rest = &rest[at + fragment.len()..];
        }
    }

    #[test]
    fn what_a_json_patch_leaves_alone_is_shown_as_go_declares_it() {
        let patch = r#"[{"op":"replace","path":"/spec/replicas","value":"x"}]"#;
        let text = shown("application/json-patch+json", patch);
        check(
            &text,
            &[
                r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"default","uid":""#,
                r#""resourceVersion":""#,
                r#""labels":{"a":"2","b":"1"},"managedFields":[{"manager":"#,
                r#""operation":"Update","apiVersion":"apps/v1","time":"#,
                r#""fieldsType":"FieldsV1","fieldsV1":{"#,
                r#""spec":{"progressDeadlineSeconds":600,"replicas":"x","revisionHistoryLimit":10,"selector":"#,
                r#""strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}}"#,
                r#""template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","#,
                r#""env":[{"name":"n","value":"v"}],"resources":{},"terminationMessagePath":"#,
                r#""terminationMessagePolicy":"File","imagePullPolicy":"#,
                r#""restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"#,
            ],
        );
    }

    #[test]
    fn what_a_patch_takes_apart_is_shown_by_name() {
        let patch = r#"{"spec":{"replicas":"x","strategy":{"type":"RollingUpdate"}}}"#;
        let text = shown("application/merge-patch+json", patch);
        check(
            &text,
            &[
                r#""metadata":{"name":"d""#,
                r#""strategy":{"rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"},"type":"RollingUpdate"}"#,
            ],
        );
        let patch = r#"[{"op":"add","path":"/spec/template/spec/containers/0/tty","value":1}]"#;
        let text = shown("application/json-patch+json", patch);
        let container =
            r#""containers":[{"env":[{"name":"n","value":"v"}],"image":"i","imagePullPolicy":"#;
        check(&text, &[container, r#""name":"c""#, r#""tty":1"#]);
    }

    #[test]
    fn every_struct_of_the_kinds_has_an_order() {
        for info in api::KINDS {
            let order = declared(info.schema.definition);
            let order = order.unwrap_or_else(|| panic!("{}", info.schema.definition));
            let missing: Vec<_> =
                info.schema.fields.iter().filter(|field| !order.contains(&field.name)).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", info.kind);
        }
    }
}
