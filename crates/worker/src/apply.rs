//! The text of the editor: what is wrong with it and where, and what applying it did.

use manifest::{Document, Duplicate};
use protocol::{AppliedLine, Problem};

/// A longer message is shown from its end, where the reason stands.
const MESSAGE_MAX: usize = 400;

/// What is wrong with a text before it is sent anywhere: what is no YAML, and keys that are there twice, which
/// kubectl would drop on the way to the server that refuses them.
pub fn problems(text: &str) -> Vec<Problem> {
    let error = match manifest::parse(text) {
        Ok(documents) => return documents.iter().flat_map(|d| &d.duplicates).map(twice).collect(),
        Err(error) => error,
    };
    let at = error.position();
    vec![Problem {
        line: at.map_or(0, |p| p.line as u32),
        column: at.map_or(0, |p| p.column as u32),
        message: error.reason().to_owned(),
    }]
}

/// A key that is there twice, in the words of the API server.
fn twice(duplicate: &Duplicate) -> Problem {
    let Duplicate { key, position } = duplicate;
    let (line, column) = (position.line as u32, position.column as u32);
    let errors = format!("line {line}: key {:?} already set in map", &**key);
    let message = format!("strict decoding error: yaml: unmarshal errors: {errors}");
    Problem { line, column, message }
}

/// What kubectl printed about a text: lines of what was done, and problems at their place.
pub fn outcome(text: &str, printed: &str) -> (Vec<AppliedLine>, Vec<Problem>) {
    let documents = manifest::parse(text).unwrap_or_default();
    let (mut lines, mut wrong) = (Vec::new(), Vec::<String>::new());
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        match done(line) {
            Some(_) => lines.push(AppliedLine { text: line.into(), key: key(line, &documents) }),
            None if line.starts_with("Warning") => {
                lines.push(AppliedLine { text: line.into(), key: None });
            }
            None => match wrong.last_mut() {
                // A message may go on over several lines.
                Some(before) if !begins(line) => {
                    before.push(' ');
                    before.push_str(line.trim());
                }
                _ => wrong.push(line.into()),
            },
        }
    }
    (lines, wrong.iter().map(|line| problem(line, &documents)).collect())
}

/// Whether a message begins with this line.
fn begins(line: &str) -> bool {
    ["error", "Error", "The ", "unable"].iter().any(|word| line.starts_with(word))
}

/// `deployment.apps/web created`: the resource and the name.
fn done(line: &str) -> Option<(&str, &str)> {
    let (object, verb) = line.split_once(' ')?;
    let known = ["created", "configured", "unchanged", "serverside-applied", "deleted"];
    known.iter().any(|word| verb.starts_with(word)).then(|| object.split_once('/')).flatten()
}

/// The key of the object that a line is about.
fn key(line: &str, documents: &[Document]) -> Option<String> {
    let (resource, name) = done(line)?;
    let singular = resource.split('.').next()?;
    let info = api::KINDS.iter().copied().find(|info| info.singular == singular)?;
    let of = |document: &Document, path: &str| {
        let metadata = document.value.get("metadata")?;
        metadata.get(path)?.as_str().map(str::to_owned)
    };
    let document = documents.iter().find(|document| {
        document.value.get("kind").and_then(|kind| kind.as_str()) == Some(info.kind)
            && of(document, "name").as_deref() == Some(name)
    });
    let namespace = match document.and_then(|document| of(document, "namespace")) {
        Some(namespace) => namespace,
        None if info.namespaced => "default".into(),
        None => String::new(),
    };
    Some(view::key_of(info, &api::Key::new(namespace, name)))
}

/// A line that says what is wrong, at the field that it names.
fn problem(line: &str, documents: &[Document]) -> Problem {
    let message = shortened(line.trim().trim_start_matches("error: "));
    let place = paths(line).find_map(|path| {
        documents.iter().find_map(|document| document.locate(path).filter(|found| found.exact))
    });
    let nearest = || {
        paths(line).find_map(|path| documents.first().and_then(|document| document.locate(path)))
    };
    match place.or_else(nearest) {
        Some(found) => {
            let at = found.mark();
            Problem { line: at.line as u32, column: at.column as u32, message }
        }
        None => Problem { line: 0, column: 0, message },
    }
}

/// What matters of a long message: the words of strict decoding, or its end.
fn shortened(message: &str) -> String {
    if let Some(at) = message.rfind("strict decoding error") {
        return message[at..].to_owned();
    }
    let count = message.chars().count();
    if count <= MESSAGE_MAX {
        return message.to_owned();
    }
    let end: String = message.chars().skip(count - MESSAGE_MAX).collect();
    format!("… {end}")
}

/// The words of a message that are a field path: what is said to be unknown, and what looks like
/// one.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let unknown = line.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next());
    let inside = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '[' | ']' | '-' | '_'));
    let looks = line.split(inside).map(|word| word.trim_end_matches('.')).filter(|word| {
        let root = word.split(['.', '[']).next().unwrap_or_default();
        let known = matches!(root, "spec" | "metadata" | "data" | "status" | "rules" | "subjects");
        known && word.len() > root.len()
    });
    unknown.chain(looks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replica: 3\n";

    fn check(printed: &str, want: &str) {
        let (lines, problems) = outcome(TEXT, printed);
        let lines = lines
            .iter()
            .map(|line| format!("{} {}", line.text, line.key.as_deref().unwrap_or("-")));
        let problems = problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message));
        assert_eq!(lines.chain(problems).collect::<Vec<_>>().join("\n"), want);
    }

    #[test]
    fn what_was_done_names_its_object() {
        check(
            "deployment.apps/web created\n",
            "deployment.apps/web created deployment/default/web",
        );
    }
    #[test]
    fn a_field_that_is_named_has_its_place() {
        check(
            "Error from server (BadRequest): strict decoding error: unknown field \"spec.replica\"\n",
            "6:3 strict decoding error: unknown field \"spec.replica\"",
        );
    }
    #[test]
    fn a_message_without_a_field_has_no_place() {
        check("error: no objects passed to apply\n", "0:0 no objects passed to apply");
    }
    #[test]
    fn a_key_that_is_there_twice_is_refused_with_its_place() {
        let problems = problems("a: b\n---\nc:\n  d: 1\n  d: 2\n");
        let [Problem { line, column, message }] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((*line, *column), (5, 3));
        let want =
            "strict decoding error: yaml: unmarshal errors: line 5: key \"d\" already set in map";
        assert_eq!(message, want);
    }
    #[test]
    fn a_text_that_is_no_yaml_is_refused_with_its_place() {
        let problems = problems("a: b\n  c: d\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].line > 0, "{problems:?}");
    }
}
