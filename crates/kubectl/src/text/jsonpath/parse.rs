//! Reading JSONPath templates.

use api::Json;

use super::{Comparison, Node, Operand, Step};

type Parsed<T> = Result<T, String>;

/// The deepest nesting of ranges, filters and unions.
const DEPTH_MAX: usize = 32;

pub(super) fn template(text: &str) -> Parsed<Vec<Node>> {
    let mut stack: Vec<(Vec<Step>, Vec<Node>)> = vec![(Vec::new(), Vec::new())];
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find('{') else {
            push(&mut stack, Node::Text(rest.to_string()));
            break;
        };
        if at > 0 {
            push(&mut stack, Node::Text(rest[..at].to_string()));
        }
        let end = closing(&rest[at + 1..])?;
        let inner = rest[at + 1..at + 1 + end].trim();
        rest = &rest[at + end + 2..];
        if let Some(path) = inner.strip_prefix("range ").or_else(|| inner.strip_prefix("range\t")) {
            if stack.len() > DEPTH_MAX {
                return Err("ranges are nested too deeply".into());
            }
            stack.push((steps(path.trim(), 0)?, Vec::new()));
        } else if inner == "end" {
            if stack.len() < 2 {
                return Err("not in range, nothing to end".into());
            }
            let (path, nodes) = stack.pop().unwrap_or_default();
            push(&mut stack, Node::Range(path, nodes));
        } else {
            push(&mut stack, Node::Path(steps(inner, 0)?));
        }
    }
    if stack.len() > 1 {
        return Err("unterminated range".into());
    }
    Ok(stack.pop().unwrap_or_default().1)
}

fn push(stack: &mut [(Vec<Step>, Vec<Node>)], node: Node) {
    if let Some((_, nodes)) = stack.last_mut() {
        nodes.push(node);
    }
}

/// Where the brace closes, past quoted texts.
fn closing(text: &str) -> Parsed<usize> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Ok(at),
            _ => {}
        }
    }
    Err(if quote.is_some() {
        "unterminated quoted string".into()
    } else {
        "unclosed action".into()
    })
}

/// The steps of one path.
fn steps(text: &str, depth: usize) -> Parsed<Vec<Step>> {
    if depth > DEPTH_MAX {
        return Err("the path is nested too deeply".into());
    }
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            ' ' | '\t' | '\n' => rest = &rest[1..],
            '$' | '@' => rest = &rest[1..],
            '"' | '\'' => {
                let (value, after) = quoted(rest)?;
                steps.push(Step::Literal(Json::from(value)));
                rest = after;
            }
            '.' if rest.starts_with("..") => {
                steps.push(Step::Recurse);
                let (name, after) = field(&rest[2..]);
                push_field(&mut steps, name);
                rest = after;
            }
            '.' => {
                let (name, after) = field(&rest[1..]);
                push_field(&mut steps, name);
                rest = after;
            }
            '[' => {
                let end = bracket_end(rest)?;
                steps.push(bracket(rest[1..end].trim(), depth)?);
                rest = &rest[end + 1..];
            }
            c if c.is_ascii_digit() || c == '-' => {
                let end = rest[1..]
                    .find(|c: char| !c.is_ascii_digit() && c != '.')
                    .map_or(rest.len(), |n| n + 1);
                steps.push(Step::Literal(number(&rest[..end])?));
                rest = &rest[end..];
            }
            c if c.is_alphanumeric() || c == '_' => {
                let (name, _) = field(rest);
                return match name.as_str() {
                    "true" | "false" => Ok(vec![Step::Literal(Json::Bool(name == "true"))]),
                    _ => Err(format!("unrecognized identifier {name}")),
                };
            }
            c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", c as u32)),
        }
    }
    Ok(steps)
}

fn push_field(steps: &mut Vec<Step>, name: String) {
    match name.as_str() {
        "" => {}
        "*" => steps.push(Step::All),
        _ => steps.push(Step::Field(name)),
    }
}

/// A field's name up to the next dot, bracket or space; a backslash takes the next character as it is.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' | ']' | ' ' | '\t' | '\n' | '$' | '@' | ')' | '{' | '}' | '=' | '!' | '<'
            | '>' => {
                return (name, &text[at..]);
            }
            c => name.push(c),
        }
    }
    (name, "")
}

fn quoted(text: &str) -> Parsed<(String, &str)> {
    let mut chars = text.char_indices();
    let quote = chars.next().map_or('"', |(_, c)| c);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, c)) => value.push(c),
                None => break,
            },
            c if c == quote => return Ok((value, &text[at + c.len_utf8()..])),
            c => value.push(c),
        }
    }
    Err("unterminated quoted string".into())
}

/// Where the bracket at the start of `text` closes.
fn bracket_end(text: &str) -> Parsed<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => {}
        }
    }
    Err("unterminated array".into())
}

fn bracket(inner: &str, depth: usize) -> Parsed<Step> {
    if let Some(filter) = inner.strip_prefix("?(") {
        let filter = filter.strip_suffix(')').ok_or("unterminated filter")?;
        return self::filter(filter, depth);
    }
    let parts = commas(inner);
    if parts.len() > 1 {
        let each = parts.iter().map(|part| Ok(vec![bracket(part.trim(), depth + 1)?]));
        return Ok(Step::Union(each.collect::<Parsed<_>>()?));
    }
    match inner {
        "" => Err("invalid array index ".into()),
        "*" => Ok(Step::All),
        _ if inner.starts_with(['"', '\'']) => Ok(Step::Field(quoted(inner)?.0)),
        _ if inner.contains(':') => slice(inner),
        _ => match inner.parse() {
            Ok(index) => Ok(Step::Index(index)),
            Err(_) => Err(format!("invalid array index {inner}")),
        },
    }
}

fn slice(inner: &str) -> Parsed<Step> {
    let mut bounds = inner.split(':').map(|part| match part.trim() {
        "" => Ok(None),
        part => part.parse::<i64>().map(Some).map_err(|_| format!("invalid array index {inner}")),
    });
    let mut bound = || bounds.next().unwrap_or(Ok(None));
    let (from, to, by) = (bound()?, bound()?, bound()?.unwrap_or(1));
    if by < 1 {
        return Err("step must be >= 1".into());
    }
    Ok(Step::Slice { from, to, by })
}

/// Splits at commas outside quotes.
fn commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ',') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn filter(text: &str, depth: usize) -> Parsed<Step> {
    let operators = [
        ("==", Comparison::Eq),
        ("!=", Comparison::Ne),
        ("<=", Comparison::Le),
        (">=", Comparison::Ge),
        ("<", Comparison::Lt),
        (">", Comparison::Gt),
    ];
    let (mut quote, mut found) = (None, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, _) => {
                let operator = operators.iter().find(|(sign, _)| text[at..].starts_with(sign));
                if let Some((sign, operator)) = operator {
                    found = Some((at, sign.len(), *operator));
                    break;
                }
            }
        }
    }
    let Some((at, len, operator)) = found else {
        return Ok(Step::Filter(operand(text.trim(), depth)?, None));
    };
    let left = operand(text[..at].trim(), depth)?;
    let right = operand(text[at + len..].trim(), depth)?;
    Ok(Step::Filter(left, Some((operator, right))))
}

fn operand(text: &str, depth: usize) -> Parsed<Operand> {
    match text {
        "true" | "false" => return Ok(Operand::Literal(Json::Bool(text == "true"))),
        _ if text.starts_with(['"', '\'']) => {
            return Ok(Operand::Literal(Json::from(quoted(text)?.0)));
        }
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            return Ok(Operand::Literal(number(text)?));
        }
        _ => {}
    }
    Ok(Operand::Path(steps(text, depth + 1)?))
}

fn number(text: &str) -> Parsed<Json> {
    let int = text.parse::<i64>().map(Json::Int);
    int.or_else(|_| text.parse::<f64>().map(Json::Float))
        .map_err(|_| format!("cannot parse number {text}"))
}
