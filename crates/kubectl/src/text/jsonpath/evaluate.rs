//! What a JSONPath template finds in a document.

use std::cmp::Ordering;

use api::Json;

use super::{Comparison, Node, Operand, Step};

/// The most values that one path may find.
const VALUES_MAX: usize = 1_000_000;

pub(super) fn nodes(
    nodes: &[Node],
    at: &Json,
    allow_missing: bool,
    out: &mut String,
) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(steps) => {
                let values = path(steps, at, allow_missing)?;
                let texts: Vec<String> = values.iter().map(text_of).collect();
                out.push_str(&texts.join(" "));
            }
            Node::Range(steps, inner) => {
                for value in path(steps, at, allow_missing)? {
                    self::nodes(inner, &value, allow_missing, out)?;
                }
            }
        }
        if out.len() > crate::cx::OUTPUT_BYTES_MAX {
            break;
        }
    }
    Ok(())
}

/// A value as the template prints it: texts bare, everything else as JSON.
pub(super) fn text_of(value: &Json) -> String {
    match value {
        Json::Str(text) => text.to_string(),
        Json::Null => String::new(),
        other => other.clone().sorted().to_string(),
    }
}

pub(super) fn path(steps: &[Step], at: &Json, allow_missing: bool) -> Result<Vec<Json>, String> {
    let mut values = vec![at];
    let mut literals: Vec<Json> = Vec::new();
    for step in steps {
        if let Step::Literal(value) = step {
            literals.push(value.clone());
            continue;
        }
        let mut next = Vec::new();
        let had_input = !values.is_empty();
        for value in values {
            walk(step, value, &mut next)?;
            if next.len() > VALUES_MAX {
                return Err("the path finds too many values".into());
            }
        }
        if let Step::Field(name) = step
            && next.is_empty()
            && had_input
            && !allow_missing
        {
            return Err(format!("{name} is not found"));
        }
        values = next;
    }
    if steps.iter().all(|step| matches!(step, Step::Literal(_))) && !steps.is_empty() {
        return Ok(literals);
    }
    Ok(values.into_iter().cloned().collect())
}

fn walk<'a>(step: &Step, value: &'a Json, out: &mut Vec<&'a Json>) -> Result<(), String> {
    match step {
        Step::Field(name) => out.extend(value.get(name)),
        Step::All => match value {
            Json::Array(items) => out.extend(items),
            Json::Object(_) => out.extend(sorted(value)),
            _ => {}
        },
        Step::Recurse => recurse(value, 0, out),
        Step::Index(index) => {
            let items = value.items();
            let at = if *index < 0 { *index + items.len() as i64 } else { *index };
            match usize::try_from(at).ok().and_then(|at| items.get(at)) {
                Some(found) => out.push(found),
                None if value.as_array().is_none() => {}
                None => {
                    return Err(format!(
                        "array index out of bounds: index {index}, length {}",
                        items.len()
                    ));
                }
            }
        }
        Step::Slice { from, to, by } => {
            let items = value.items();
            let len = items.len() as i64;
            let clamp = |n: i64| (if n < 0 { n + len } else { n }).clamp(0, len) as usize;
            let (from, to) = (clamp(from.unwrap_or(0)), clamp(to.unwrap_or(len)));
            if from < to {
                out.extend(items[from..to].iter().step_by((*by).max(1) as usize));
            }
        }
        Step::Union(paths) => {
            for steps in paths {
                for step in steps {
                    walk(step, value, out)?;
                }
            }
        }
        Step::Filter(left, test) => {
            for item in value.items() {
                if passes(item, left, test.as_ref()) {
                    out.push(item);
                }
            }
        }
        Step::Literal(_) => {}
    }
    Ok(())
}

fn sorted(value: &Json) -> Vec<&Json> {
    let mut fields: Vec<_> = value.fields().iter().collect();
    base::sort::by(&mut fields, |a, b| a.0.cmp(&b.0));
    fields.into_iter().map(|(_, value)| value).collect()
}

/// The value and everything below it; the next step picks the fields it names from each object.
fn recurse<'a>(value: &'a Json, depth: usize, out: &mut Vec<&'a Json>) {
    if depth > 200 || out.len() > VALUES_MAX {
        return;
    }
    match value {
        Json::Array(items) => items.iter().for_each(|item| recurse(item, depth + 1, out)),
        Json::Object(_) => {
            out.push(value);
            sorted(value).into_iter().for_each(|item| recurse(item, depth + 1, out));
        }
        _ => {}
    }
}

fn passes(item: &Json, left: &Operand, test: Option<&(Comparison, Operand)>) -> bool {
    let values = |operand: &Operand| match operand {
        Operand::Literal(value) => Some(value.clone()),
        Operand::Path(steps) => {
            path(steps, item, true).ok().and_then(|found| found.into_iter().next())
        }
    };
    let left = values(left);
    let Some((operator, right)) = test else { return left.is_some() };
    let (Some(left), Some(right)) = (left, values(right)) else { return false };
    let order = compare(&left, &right);
    match operator {
        Comparison::Eq => order == Some(Ordering::Equal),
        Comparison::Ne => order != Some(Ordering::Equal),
        Comparison::Lt => order == Some(Ordering::Less),
        Comparison::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Gt => order == Some(Ordering::Greater),
        Comparison::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn compare(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Str(a), Json::Str(b)) => Some(a.cmp(b)),
        (Json::Bool(a), Json::Bool(b)) => Some(a.cmp(b)),
        (Json::Bool(a), Json::Str(b)) | (Json::Str(b), Json::Bool(a)) => {
            (b.as_str() == a.to_string()).then_some(Ordering::Equal)
        }
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
