//! `kubectl explain`.
//!
//! Known deviations:
//! - Fields are listed with their types; the descriptions of upstream are not part of this project.

use std::fmt::Write as _;

use api::schema::{Schema, Ty};

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::resource;

pub(crate) const COMMAND: Command = Command {
    name: "explain",
    brief: "Get the fields of a resource",
    usage: "kubectl explain TYPE[.FIELD...] [--recursive]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[switch("recursive"), text("api-version"), text("output").short('o')];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let [word] = args.words.as_slice() else {
        return fail(
            "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.",
        );
    };
    let mut parts = word.split('.');
    let mut kind = resource::kind_of(cx, parts.next().unwrap_or(""))?;
    if let Some(version) = args.text("api-version") {
        let found = crate::custom::of_object(cx, version, kind.kind);
        let Some(found) = found else {
            return fail(format!(
                "couldn't find resource for \"{version}, Resource={}\"",
                kind.plural
            ));
        };
        kind = found;
    }
    let mut text = String::new();
    if !kind.group.is_empty() {
        let _ = writeln!(text, "GROUP:      {}", kind.group);
    }
    let _ = writeln!(text, "KIND:       {}\nVERSION:    {}\n", kind.kind, kind.version);
    let mut schema = Some(kind.schema);
    let mut last: Option<(&str, Ty)> = None;
    for name in parts {
        let Some(field) = schema.and_then(|schema| schema.field(name)) else {
            cx.say(&text);
            return fail(format!("field \"{name}\" does not exist"));
        };
        last = Some((field.name, field.ty));
        schema = inner(&field.ty);
    }
    if let Some((name, ty)) = last {
        let _ = writeln!(text, "FIELD: {name} <{}>\n\n", word_of(&ty));
    }
    text.push_str("DESCRIPTION:\n    <empty>\n");
    if let Some(schema) = schema {
        text.push_str("FIELDS:\n");
        fields(schema, args.is("recursive"), 0, &mut Vec::new(), &mut text);
    }
    text.push('\n');
    cx.say(&text);
    Ok(Outcome::Done)
}

/// The deepest level that `--recursive` shows.
const DEPTH_MAX: usize = 24;

fn fields(
    schema: &'static Schema,
    recursive: bool,
    level: usize,
    above: &mut Vec<&'static str>,
    out: &mut String,
) {
    for field in schema.fields.iter().filter(|field| !field.name.is_empty()) {
        let required = if field.required { " -required-" } else { "" };
        let indent = "  ".repeat(level + 1);
        let _ = writeln!(out, "{indent}{}\t<{}>{required}", field.name, word_of(&field.ty));
        if !recursive {
            let _ = writeln!(out, "    <no description>\n");
            continue;
        }
        if let Some(inner) = inner(&field.ty)
            && !above.contains(&inner.definition)
            && above.len() < DEPTH_MAX
        {
            above.push(inner.definition);
            fields(inner, true, level + 1, above, out);
            above.pop();
        }
    }
}

/// The struct within a type.
fn inner(ty: &Ty) -> Option<&'static Schema> {
    match ty {
        Ty::Struct(schema) => Some(schema),
        Ty::List(item) | Ty::Map(item) => inner(item),
        _ => None,
    }
}

/// The type as `explain` names it.
fn word_of(ty: &Ty) -> String {
    match ty {
        Ty::Bool => "boolean".into(),
        Ty::Int32 | Ty::Int64 => "integer".into(),
        Ty::Float => "number".into(),
        Ty::Str | Ty::Bytes | Ty::Time | Ty::MicroTime => "string".into(),
        Ty::Quantity => "Quantity".into(),
        Ty::IntOrString => "IntOrString".into(),
        Ty::Any | Ty::Open => "Object".into(),
        Ty::Fields => "FieldsV1".into(),
        Ty::Struct(schema) => schema.name().into(),
        Ty::List(item) => format!("[]{}", word_of(item)),
        Ty::Map(item) => format!("map[string]{}", word_of(item)),
    }
}
