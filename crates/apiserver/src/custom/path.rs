//! The JSON paths that definitions use: fields, indices, stars and filters by equality.

use api::Json;

/// All values at `path`, such as `.status.conditions[?(@.type=="Ready")].status`.
pub(super) fn find<'a>(json: &'a Json, path: &str) -> Vec<&'a Json> {
    let mut found = vec![json];
    let mut rest = path;
    while !rest.is_empty() && !found.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = closing(after) else { return Vec::new() };
            let inside = &after[..end];
            rest = &after[end + 1..];
            found = found.into_iter().flat_map(|value| bracket(value, inside)).collect();
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let end = word_end(after);
            let name = after[..end].replace('\\', "");
            rest = &after[end..];
            if name.is_empty() {
                continue;
            }
            found = found.into_iter().filter_map(|value| value.get(&name)).collect();
        }
    }
    found
}

/// Where a field's name ends; a backslash keeps the next character in the name.
fn word_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '.' | '[' => return i,
            _ => {}
        }
    }
    text.len()
}

fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, ']') => return Some(i),
            _ => {}
        }
    }
    None
}

fn bracket<'a>(value: &'a Json, inside: &str) -> Vec<&'a Json> {
    let inside = inside.trim();
    if inside == "*" {
        return value.items().iter().collect();
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (left, right) = filter.split_once("==").unwrap_or((filter, ""));
        let wanted = right.trim().trim_matches(['"', '\'']);
        let own = left.trim().trim_start_matches('@');
        let holds = |item: &&Json| {
            find(item, own).first().is_some_and(|found| match found {
                Json::Str(text) => text == wanted,
                other => other.to_string() == wanted,
            })
        };
        return value.items().iter().filter(holds).collect();
    }
    if let Ok(index) = inside.parse::<usize>() {
        return value.items().get(index).into_iter().collect();
    }
    value.get(inside.trim_matches(['"', '\''])).into_iter().collect()
}

/// Writes a value at a path of plain fields.
pub(super) fn set(json: &mut Json, path: &str, value: Json) {
    let names: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
    let Some((last, above)) = names.split_last() else { return };
    let mut at = json;
    for name in above {
        at = at.entry(name);
    }
    at.set(*last, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let text = r#"{"spec":{"n":3,"list":[{"type":"A","v":1},{"type":"B","v":2}]},"metadata":{"labels":{"a.b/c":"x"}}}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        let found: Vec<String> = find(&json, path).into_iter().map(Json::to_string).collect();
        assert_eq!(found.join(" "), expected, "{path}");
    }

    #[test]
    fn fields_indices_stars_and_filters_are_followed() {
        check(".spec.n", "3");
        check(".spec.list[1].v", "2");
        check(".spec.list[*].type", r#""A" "B""#);
        check(r#".spec.list[?(@.type=="B")].v"#, "2");
        check(".metadata.labels['a.b/c']", r#""x""#);
        check(r".metadata.labels.a\.b/c", r#""x""#);
        check(".spec.nope.x", "");
    }
}
