//! The formats of `-o` that print whole objects.

use api::Json;

use super::columns::Columns;
use super::jsonpath::Template;
use crate::failure::{Result, fail};
use crate::look::{Look, object};
use crate::resource;

/// A format of `-o`.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// The table of people; the flag says whether it is wide.
    Table {
        wide: bool,
    },
    Json,
    Yaml,
    Name,
    JsonPath(Template),
    Columns(Columns),
}

const ALLOWED: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,\
    jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml";

impl Format {
    /// Reads the value of `-o`.
    pub fn parse(text: Option<&str>) -> Result<Format> {
        let text = text.unwrap_or("");
        let (name, template) = text.split_once('=').unwrap_or((text, ""));
        Ok(match name {
            "" => Format::Table { wide: false },
            "wide" => Format::Table { wide: true },
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            "name" => Format::Name,
            "jsonpath" if template.is_empty() => {
                return fail("template format specified but no template given");
            }
            "jsonpath" => {
                let mut parsed = match Template::parse(template) {
                    Ok(parsed) => parsed,
                    Err(why) => return fail(format!("error parsing jsonpath {template}, {why}")),
                };
                parsed.allow_missing = true;
                Format::JsonPath(parsed)
            }
            "custom-columns" if template.is_empty() => {
                return fail("custom-columns format specified but no custom columns given");
            }
            "custom-columns" => Format::Columns(Columns::parse(template)?),
            "go-template" | "template" => {
                return fail("Go templates are not part of this terminal");
            }
            _ => {
                return fail(format!(
                    "unable to match a printer suitable for the output format \"{name}\", \
                     allowed formats are: {ALLOWED}"
                ));
            }
        })
    }

    /// Whether the server makes a table for it.
    pub fn is_table(&self) -> bool {
        matches!(self, Format::Table { .. })
    }
}

/// An object without its managed fields, unless they are asked for.
pub(crate) fn without_managed_fields(object: &mut Json) {
    if let Some(meta) = object.get_mut("metadata") {
        meta.remove("managedFields");
    }
}

/// Several objects as one list; one alone stays itself.
pub(crate) fn gather(mut objects: Vec<Json>, one: bool) -> Json {
    if one && objects.len() == 1 {
        return objects.remove(0);
    }
    object([
        ("apiVersion", "v1".into()),
        ("items", Json::Array(objects)),
        ("kind", "List".into()),
        ("metadata", object([("resourceVersion", "".into())])),
    ])
}

/// `deployment.apps/web`
pub(crate) fn name_of(object: &Json) -> String {
    let name = object.text("metadata.name");
    let (version, kind) = (object.text("apiVersion"), object.text("kind"));
    match resource::of_object(version, kind) {
        Some(kind) => kind.named(name),
        None => {
            let group = version.split_once('/').map_or(String::new(), |(g, _)| format!(".{g}"));
            format!("{}{group}/{name}", kind.to_ascii_lowercase())
        }
    }
}

/// A document in JSON or YAML, sorted as kubectl sorts it.
pub(crate) fn document(value: &Json, yaml: bool) -> String {
    if yaml {
        return manifest::to_yaml(value);
    }
    let mut text = value.clone().sorted().pretty();
    text.push('\n');
    text
}

/// What a change prints: a line such as `pod/a created`, or the object in the format of `-o`.
pub(crate) fn changed(format: &Format, object: &Json, what: &str) -> Result<String> {
    let mut object = object.clone();
    without_managed_fields(&mut object);
    Ok(match format {
        Format::Table { .. } => format!("{} {what}\n", name_of(&object)),
        Format::Name => format!("{}\n", name_of(&object)),
        Format::Json => document(&object, false),
        Format::Yaml => document(&object, true),
        Format::JsonPath(template) => match template.print(&object) {
            Ok(text) => text,
            Err(why) => return fail(format!("error executing jsonpath: {why}")),
        },
        Format::Columns(columns) => columns.print(&[object], true)?,
    })
}
