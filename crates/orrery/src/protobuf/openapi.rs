//! The OpenAPI document of version 2 in protobuf, which is the only form in which kubectl asks for it.
//!
//! Models kube-openapi's handlers and the message `openapi.v2.Document` of gnostic. The document is the one that is
//! answered as JSON, field for field.
//!
//! Known deviations:
//! - The documents of version 3 are given as JSON alone, which kubectl takes.

use api::Json;
use apiserver::http::{HttpRequest, Response, accepted};

/// In which form a document is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the API server makes it.
    Json,
    /// As a message.
    Protobuf,
    /// In none that there is.
    Unknown,
}

/// What clients ask for: today's name, and the older one that is no media type by the letter.
const ASKED: [&str; 2] = [ANSWERED, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"];
/// The header with the tags of what a client has.
const KNOWN: &str = "if-none-match";
/// Tells the tags of messages from those of the same documents in JSON.
const TAG_END: &str = "-P\"";
const ANSWERED: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The form that a request for an OpenAPI document wants; `None` for any other request. The API server is asked
/// for JSON in either case.
pub fn negotiate(request: &mut HttpRequest) -> Option<Form> {
    let is_second = request.path == "/openapi/v2";
    if !is_second && !request.path.starts_with("/openapi/v3/") {
        return None;
    }
    let header = request.value("accept").filter(|header| !header.is_empty()).unwrap_or("*/*");
    let form = accepted(header).into_iter().find_map(|(media, _)| match media.as_str() {
        "application/json" | "application/*" | "*/*" => Some(Form::Json),
        media if is_second && ASKED.contains(&media) => Some(Form::Protobuf),
        _ => None,
    });
    request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("accept"));
    if form == Some(Form::Protobuf) {
        for (_, tags) in request.headers.iter_mut().filter(|h| h.0.eq_ignore_ascii_case(KNOWN)) {
            *tags = tags.replace(TAG_END, "\"").into();
        }
    }
    Some(form.unwrap_or(Form::Unknown))
}

impl Form {
    /// Puts an answer in JSON into this form. Answers other than a document stay.
    pub fn shape(self, response: &mut Response) {
        if !matches!(response.code, 200 | 304) {
            return;
        }
        response.headers.push(("Vary".into(), "Accept".into()));
        if self == Form::Unknown {
            (response.code, response.body) = (406, Vec::new());
            response.headers.retain(|(name, _)| name == "Vary" || name == "Cache-Control");
        }
        if self != Form::Protobuf {
            return;
        }
        for (name, value) in &mut response.headers {
            match name.as_str() {
                "Content-Type" => *value = ANSWERED.into(),
                "Etag" => *value = format!("{}{TAG_END}", value.trim_end_matches('"')).into(),
                _ => {}
            }
        }
        if let Ok(document) = Json::parse(&response.body) {
            response.body = DOCUMENT.write(&document);
        }
    }
}

/// A message: names of JSON, numbers and types of its fields. What begins with `x-` goes to one field of pairs.
struct Message {
    fields: &'static [(&'static str, u32, Type)],
    extensions: u32,
}

enum Type {
    Text,
    Flag,
    Int,
    Double,
    Texts,
    /// Any value, as YAML.
    Any,
    Anys,
    /// A message of one repeated text.
    Types,
    One(&'static Message),
    Many(&'static Message),
    /// A message of pairs of a name and a message.
    Named(&'static Message),
    /// A message that holds a list of messages.
    Items(&'static Message),
    /// A message, or true or false.
    OrFlag(&'static Message),
}

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Type::Text),
        ("info", 2, Type::One(&INFO)),
        ("host", 3, Type::Text),
        ("basePath", 4, Type::Text),
        ("schemes", 5, Type::Texts),
        ("consumes", 6, Type::Texts),
        ("produces", 7, Type::Texts),
        ("paths", 8, Type::One(&PATHS)),
        ("definitions", 9, Type::Named(&SCHEMA)),
    ],
    extensions: 16,
};

static INFO: Message = Message {
    fields: &[
        ("title", 1, Type::Text),
        ("version", 2, Type::Text),
        ("description", 3, Type::Text),
        ("termsOfService", 4, Type::Text),
    ],
    extensions: 7,
};

/// The document names no operations.
static PATHS: Message = Message { fields: &[], extensions: 1 };

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Type::Text),
        ("format", 2, Type::Text),
        ("title", 3, Type::Text),
        ("description", 4, Type::Text),
        ("default", 5, Type::Any),
        ("multipleOf", 6, Type::Double),
        ("maximum", 7, Type::Double),
        ("exclusiveMaximum", 8, Type::Flag),
        ("minimum", 9, Type::Double),
        ("exclusiveMinimum", 10, Type::Flag),
        ("maxLength", 11, Type::Int),
        ("minLength", 12, Type::Int),
        ("pattern", 13, Type::Text),
        ("maxItems", 14, Type::Int),
        ("minItems", 15, Type::Int),
        ("uniqueItems", 16, Type::Flag),
        ("maxProperties", 17, Type::Int),
        ("minProperties", 18, Type::Int),
        ("required", 19, Type::Texts),
        ("enum", 20, Type::Anys),
        ("additionalProperties", 21, Type::OrFlag(&SCHEMA)),
        ("type", 22, Type::Types),
        ("items", 23, Type::Items(&SCHEMA)),
        ("allOf", 24, Type::Many(&SCHEMA)),
        ("properties", 25, Type::Named(&SCHEMA)),
        ("discriminator", 26, Type::Text),
        ("readOnly", 27, Type::Flag),
        ("externalDocs", 29, Type::One(&EXTERNAL_DOCS)),
        ("example", 30, Type::Any),
    ],
    extensions: 31,
};

static EXTERNAL_DOCS: Message =
    Message { fields: &[("description", 1, Type::Text), ("url", 2, Type::Text)], extensions: 3 };

impl Message {
    /// An object as bytes. Fields that the message has not are left out.
    fn write(&self, json: &Json) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, number, ty) in self.fields {
            if let Some(value) = json.get(name) {
                ty.write(*number, value, &mut out);
            }
        }
        for (name, value) in json.fields().iter().filter(|(name, _)| name.starts_with("x-")) {
            bytes(self.extensions, &named(name, &any(value)), &mut out);
        }
        out
    }
}

impl Type {
    /// A field; what is empty, false or zero is not written.
    fn write(&self, number: u32, value: &Json, out: &mut Vec<u8>) {
        let text = |value: &Json, out: &mut Vec<u8>| {
            bytes(number, value.as_str().unwrap_or_default().as_bytes(), out);
        };
        match self {
            Type::Text => match value.as_str() {
                None | Some("") => {}
                Some(_) => text(value, out),
            },
            Type::Flag => integer(number, value.as_bool() == Some(true), out),
            Type::Int => integer(number, value.as_i64().unwrap_or(0) as u64, out),
            Type::Double => match value.as_f64() {
                Some(value) if value != 0.0 => {
                    varint(u64::from(number << 3 | 1), out);
                    out.extend_from_slice(&value.to_bits().to_le_bytes());
                }
                _ => {}
            },
            Type::Texts => value.items().iter().for_each(|item| text(item, out)),
            Type::Any => bytes(number, &any(value), out),
            Type::Anys => value.items().iter().for_each(|item| bytes(number, &any(item), out)),
            Type::Types => {
                let mut names = Vec::new();
                let one = std::slice::from_ref(value);
                for name in value.as_array().unwrap_or(one).iter().filter_map(Json::as_str) {
                    bytes(1, name.as_bytes(), &mut names);
                }
                bytes(number, &names, out);
            }
            Type::One(message) => bytes(number, &message.write(value), out),
            Type::Many(message) => {
                value.items().iter().for_each(|item| bytes(number, &message.write(item), out));
            }
            Type::Named(message) => {
                let mut pairs = Vec::new();
                for (name, value) in value.fields() {
                    bytes(1, &named(name, &message.write(value)), &mut pairs);
                }
                bytes(number, &pairs, out);
            }
            Type::Items(message) => {
                let mut items = Vec::new();
                let one = std::slice::from_ref(value);
                for item in value.as_array().unwrap_or(one) {
                    bytes(1, &message.write(item), &mut items);
                }
                bytes(number, &items, out);
            }
            Type::OrFlag(message) => {
                let mut either = Vec::new();
                match value.as_bool() {
                    // One of two is said even where it is false.
                    Some(flag) => either.extend([2 << 3, u8::from(flag)]),
                    None => bytes(1, &message.write(value), &mut either),
                }
                bytes(number, &either, out);
            }
        }
    }
}

/// A pair of a name and a message.
fn named(name: &str, message: &[u8]) -> Vec<u8> {
    let mut pair = Vec::with_capacity(name.len() + message.len() + 8);
    bytes(1, name.as_bytes(), &mut pair);
    bytes(2, message, &mut pair);
    pair
}

/// A message that holds any value as YAML; JSON is that too.
fn any(value: &Json) -> Vec<u8> {
    let mut yaml = Vec::new();
    value.write(&mut yaml);
    yaml.push(b'\n');
    let mut out = Vec::new();
    bytes(2, &yaml, &mut out);
    out
}

fn bytes(number: u32, inner: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number << 3 | 2), out);
    varint(inner.len() as u64, out);
    out.extend_from_slice(inner);
}

fn integer(number: u32, value: impl Into<u64>, out: &mut Vec<u8>) {
    let value = value.into();
    if value != 0 {
        varint(u64::from(number << 3), out);
        varint(value, out);
    }
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::reader::{Reader, Wire, text};

    fn fields(message: &[u8]) -> Vec<(u32, Wire<'_>)> {
        let mut reader = Reader::new(message);
        let mut found = Vec::new();
        while let Some(field) = reader.field().expect("sound") {
            found.push(field);
        }
        found
    }

    fn inner(message: &[u8], number: u32) -> &[u8] {
        match fields(message).into_iter().find(|(found, _)| *found == number) {
            Some((_, Wire::Bytes(bytes))) => bytes,
            other => panic!("field {number}: {other:?}"),
        }
    }

    /// The messages of a list of pairs, by name.
    fn pairs(message: &[u8]) -> Vec<(String, &[u8])> {
        fn pair((_, wire): (u32, Wire<'_>)) -> (String, &[u8]) {
            match wire {
                Wire::Bytes(pair) => (text(inner(pair, 1)), inner(pair, 2)),
                other => panic!("no pair: {other:?}"),
            }
        }
        fields(message).into_iter().map(pair).collect()
    }

    fn ask(accept: &str) -> Response {
        send(HttpRequest::new("GET", "/openapi/v2").header("Accept", accept))
    }

    fn send(mut request: HttpRequest) -> Response {
        let form = negotiate(&mut request).expect("a document");
        let mut cluster = cluster::Cluster::new(cluster::Config::default());
        let cluster::HttpAnswer::Response(mut response) = cluster.http(request) else {
            panic!("no answer");
        };
        form.shape(&mut response);
        response
    }

    fn check(schema: &str, expected: &[u8]) {
        let json = Json::parse(schema.as_bytes()).expect("JSON");
        assert_eq!(SCHEMA.write(&json), expected, "{schema}");
    }

    #[test]
    fn schemas_are_written_with_the_numbers_of_the_message() {
        check(r##"{"$ref": "#/a"}"##, b"\x0a\x03#/a");
        check(r#"{"type": "string", "format": "byte"}"#, b"\x12\x04byte\xb2\x01\x08\x0a\x06string");
        check(r#"{"additionalProperties": false}"#, b"\xaa\x01\x02\x10\x00");
        check(r#"{"additionalProperties": {"title": "t"}}"#, b"\xaa\x01\x05\x0a\x03\x1a\x01t");
        check(r#"{"items": {"title": "t"}}"#, b"\xba\x01\x05\x0a\x03\x1a\x01t");
        check(r#"{"properties": {"a": {}}}"#, b"\xca\x01\x07\x0a\x05\x0a\x01a\x12\x00");
        check(r#"{"required": ["a", "b"]}"#, b"\x9a\x01\x01a\x9a\x01\x01b");
        check(r#"{"maximum": 1, "maxLength": 300}"#, b"\x39\0\0\0\0\0\0\xf0\x3f\x58\xac\x02");
        check(r#"{"x-a": [1]}"#, b"\xfa\x01\x0d\x0a\x03x-a\x12\x06\x12\x04[1]\n");
    }

    #[test]
    fn the_document_has_every_definition_and_says_which_kinds_they_are() {
        let response = ask(ASKED[1]);
        assert_eq!(response.code, 200);
        assert!(response.headers.iter().any(|(_, value)| value == ANSWERED));
        let definitions = pairs(inner(&response.body, 9));
        let json = Json::parse(&ask("*/*").body).expect("JSON");
        let names = json.get("definitions").expect("definitions").fields();
        assert!(names.iter().map(|(name, _)| name.as_str()).eq(definitions.iter().map(|d| &*d.0)));
        let (_, pod) = definitions.iter().find(|d| d.0 == "io.k8s.api.core.v1.Pod").expect("pods");
        let kind = text(inner(inner(inner(pod, 31), 2), 2));
        assert_eq!(kind, "[{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"}]\n");
        let of_pod: Vec<_> = pairs(inner(pod, 25)).into_iter().map(|pair| pair.0).collect();
        assert_eq!(of_pod, ["apiVersion", "kind", "metadata", "spec", "status"]);
    }

    #[test]
    fn a_client_that_has_the_document_is_told_so_in_either_form() {
        let tag = |response: &Response| {
            let found = response.headers.iter().find(|(name, _)| name == "Etag");
            found.map(|(_, tag)| tag.to_string()).expect("a tag")
        };
        let forms = ["application/json", ANSWERED];
        let tags = forms.map(|form| tag(&ask(form)));
        assert_ne!(tags[0], tags[1]);
        for (form, tag) in forms.iter().zip(&tags) {
            let request = HttpRequest::new("GET", "/openapi/v2").header("Accept", form);
            let known = send(request.header("If-None-Match", tag));
            assert_eq!((known.code, known.body.len()), (304, 0));
        }
        let request = HttpRequest::new("GET", "/openapi/v2").header("If-None-Match", &tags[1]);
        assert_eq!(send(request).code, 200);
    }

    #[test]
    fn nothing_of_the_document_is_lost() {
        fn walk(message: &Message, json: &Json) {
            for (name, value) in json.fields().iter().filter(|(name, _)| !name.starts_with("x-")) {
                let field = message.fields.iter().find(|(known, ..)| known == name);
                match field.unwrap_or_else(|| panic!("{name} has no number")).2 {
                    Type::One(inner) => walk(inner, value),
                    Type::Named(inner) => value.fields().iter().for_each(|(_, v)| walk(inner, v)),
                    Type::Many(inner) => value.items().iter().for_each(|v| walk(inner, v)),
                    Type::Items(inner) | Type::OrFlag(inner) => walk(inner, value),
                    _ => {}
                }
            }
        }
        walk(&DOCUMENT, &Json::parse(&ask("application/json").body).expect("JSON"));
    }

    #[test]
    fn forms_that_nobody_can_give_are_not_acceptable() {
        let response = ask("application/xml");
        assert_eq!((response.code, response.body.len()), (406, 0));
        assert_eq!(ask("application/xml, application/json;q=0.1").code, 200);
        let of =
            |path: &str| negotiate(&mut HttpRequest::new("GET", path).header("Accept", ASKED[0]));
        assert_eq!(of("/openapi/v2"), Some(Form::Protobuf));
        assert_eq!(of("/openapi/v3/api/v1"), Some(Form::Unknown));
        assert_eq!(of("/openapi/v3"), None);
        assert_eq!(of("/api/v1/pods"), None);
    }
}
