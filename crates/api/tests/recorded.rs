//! Objects that a real API server answered survive our types: what is read is what is written.
//!
//! Runs where the recorded answers lie beside the project, and says so where they do not.

use std::path::PathBuf;

use api::{Decode, Json, KINDS, Object};

fn recorded(name: &str) -> Option<Vec<Json>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
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

/// What is wrong with reading and writing one object of a known kind; `None` for unknown kinds.
fn problem(object: &Json) -> Option<Option<String>> {
    let (api_version, kind) = (text(object, "apiVersion"), text(object, "kind"));
    let info = KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version)?;
    let mut cx = Decode::new();
    let read = Object::decode(info, object.clone(), &mut cx);
    let complaint = cx.error.iter().chain(&cx.strict).next();
    Some(match complaint {
        Some(complaint) => Some(format!("{kind}: {complaint}")),
        None => difference(object, &read.to_json(), kind),
    })
}

fn check(objects: &[Json], at_least: usize) {
    let problems: Vec<Option<String>> = objects.iter().filter_map(problem).collect();
    let read = problems.len();
    let mut found: Vec<String> = problems.into_iter().flatten().collect();
    found.sort();
    assert!(found.is_empty(), "{} of {read}:\n{}", found.len(), found.join("\n"));
    assert!(read > at_least, "only {read} objects were of a known kind");
}

#[test]
fn what_a_real_server_answered_is_read_and_written_without_change() {
    let Some(cases) = recorded("cases/apiserver_create_dryrun.jsonl") else { return };
    let answers: Vec<Json> =
        cases.iter().filter_map(|case| case.get("response").cloned()).collect();
    check(&answers, 500);
}

#[test]
fn objects_of_a_running_cluster_are_read_and_written_without_change() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    let Ok(runs) = std::fs::read_dir(&root) else {
        println!("not run: no recorded runs beside the project");
        return;
    };
    let mut objects = Vec::new();
    for file in
        runs.flatten().flat_map(|run| std::fs::read_dir(run.path()).into_iter().flatten().flatten())
    {
        if file.path().extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read(file.path()).expect("a readable file");
        let list = Json::parse(&text).expect("recorded JSON");
        if let Some(Json::Array(items)) = list.get("items") {
            objects.extend(items.iter().cloned());
        }
    }
    check(&objects, 100);
}
