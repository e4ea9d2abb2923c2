//! Reading JSON trees by dotted paths.

use api::Json;

static NOTHING: Json = Json::Null;

/// Short ways into a tree; a path of plain field names with dots between them.
pub(crate) trait Look {
    /// The value there, or null.
    fn look(&self, path: &str) -> &Json;

    /// The text there, or the empty text.
    fn text(&self, path: &str) -> &str {
        self.look(path).as_str().unwrap_or("")
    }

    /// The whole number there, or zero.
    fn int(&self, path: &str) -> i64 {
        self.look(path).as_i64().unwrap_or(0)
    }

    /// Whether `true` is there.
    fn is(&self, path: &str) -> bool {
        self.look(path).as_bool().unwrap_or(false)
    }

    /// The list there, or an empty one.
    fn list(&self, path: &str) -> &[Json] {
        self.look(path).items()
    }

    /// The fields there, sorted by key.
    fn map(&self, path: &str) -> Vec<(&str, &Json)> {
        let mut fields: Vec<(&str, &Json)> =
            self.look(path).fields().iter().map(|(k, v)| (k.as_str(), v)).collect();
        base::sort::by_key(&mut fields, |field| field.0);
        fields
    }

    /// Whether something other than null is there.
    fn has(&self, path: &str) -> bool {
        !self.look(path).is_null()
    }
}

impl Look for Json {
    fn look(&self, path: &str) -> &Json {
        path.split('.').try_fold(self, |value, key| value.get(key)).unwrap_or(&NOTHING)
    }
}

/// A scalar as it reads in a line.
pub(crate) fn scalar(value: &Json) -> String {
    match value {
        Json::Str(text) => text.to_string(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Writes a value at a dotted path, making the objects on the way.
pub(crate) fn put(tree: &mut Json, path: &str, value: impl Into<Json>) {
    let mut at = tree;
    for key in path.split('.') {
        at = at.entry(key);
    }
    *at = value.into();
}

/// An object from pairs.
pub(crate) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    fields.into_iter().map(|(key, value)| (base::Str::from(key), value)).collect()
}

/// A list of texts.
pub(crate) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Json {
    Json::Array(items.into_iter().map(Json::from).collect())
}
