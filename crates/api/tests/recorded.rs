//! Objects that a real API server answered survive our types: what is read is what is written.
//!
//! Runs where the recorded answers lie beside the project, and says so where they do not.

use std::path::PathBuf;

use api::{Decode, Json, KINDS, Object};

fn recorded(name: &str) -> Option<Vec<Json>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("not run: no recorded answers beside the project ({name})");
        return None;
    };
    Some(text.lines().map(|line| Json::parse(line.as_bytes()).expect("recorded JSON")).collect())
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    match json.get(key) {
        Some(Json::Str(text)) => text,
        _ => "",
    }
}

/// The first place at which two documents differ.
fn difference(want: &Json, got: &Json, at: &str) -> Option<String> {
    match (want, got) {
        (Json::Object(a), Json::Object(_)) => {
            for (key, value) in a {
                match got.get(key) {
                    None => return Some(format!("{at}.{key}: lost {value}")),
                    Some(other) => {
                        if let Some(found) = difference(value, other, &format!("{at}.{key}")) {
                            return Some(found);
                        }
                    }
                }
            }
            let Json::Object(b) = got else { return None };
            b.iter()
                .find(|(key, _)| want.get(key).is_none())
                .map(|(key, value)| format!("{at}.{key}: added {value}"))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(i, (x, y))| difference(x, y, &format!("{at}[{i}]"))),
        _ => (want.to_string() != got.to_string()).then(|| format!("{at}: want {want} got {got}")),
    }
}

#[test]
fn what_a_real_server_answered_is_read_and_written_without_change() {
    let Some(cases) = recorded("apiserver_create_dryrun.jsonl") else { return };
    let mut differences = Vec::new();
    let mut read = 0;
    for case in &cases {
        let Some(answer) = case.get("response") else { continue };
        let (api_version, kind) = (text(answer, "apiVersion"), text(answer, "kind"));
        let Some(info) = KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version)
        else {
            continue;
        };
        let mut cx = Decode::new();
        let object = Object::decode(info, answer.clone(), &mut cx);
        read += 1;
        if let Some(problem) = cx.error.iter().chain(&cx.strict).next() {
            differences.push(format!("{kind}: {problem}"));
        } else if let Some(found) = difference(answer, &object.to_json(), kind) {
            differences.push(found);
        }
    }
    differences.sort();
    assert!(differences.is_empty(), "{} of {read}:\n{}", differences.len(), differences.join("\n"));
    assert!(read > 500, "only {read} answers were of a known kind");
}
