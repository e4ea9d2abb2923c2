//! Strategic merge patch: a merge patch that knows which lists merge, by what key, and in what order.
//!
//! Known deviations:
//! - A patch that only orders a list which is empty in the object leaves it alone; upstream answers 500.
//! - Free-form JSON is replaced as a whole; upstream refuses to merge into it.

use super::{PatchError, go_value};
use crate::json::Json;
use crate::schema::{Schema, Ty};
use base::Str;

pub(super) const PATCH: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList";
pub(super) const SET_ORDER: &str = "$setElementOrder";

/// Applies `patch` to an object of the kind that `schema` describes.
pub fn apply(document: Json, patch: Json, schema: &'static Schema) -> Result<Json, PatchError> {
    let bad = || PatchError::BadRequest("invalid JSON document".into());
    if !document.is_object() || !patch.is_object() {
        return Err(bad());
    }
    let options = Options { parallel_lists: true, keep_nulls: false };
    merge_map(document.sorted(), patch.sorted(), &Ty::Struct(schema), options)
}

/// Whether a patch is applied to an object, or another patch is added to.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// Act on the directives beside lists, instead of passing them on.
    pub parallel_lists: bool,
    /// Keep nulls of the patch that have nothing to delete.
    pub keep_nulls: bool,
}

/// What a schema says of merging one field.
pub(super) struct Meta {
    pub ty: &'static Ty,
    pub merge: bool,
    pub replace: bool,
    pub retain_keys: bool,
    pub key: &'static str,
}

static ANY: Ty = Ty::Any;
static STR: Ty = Ty::Str;

/// Looks a field up in the type of the object that holds it.
pub(super) fn lookup(ty: &Ty, key: &str) -> Result<Meta, PatchError> {
    let plain = |ty| Meta { ty, merge: false, replace: false, retain_keys: false, key: "" };
    match ty {
        Ty::Struct(schema) => match schema.field(key) {
            Some(field) => Ok(Meta {
                ty: &field.ty,
                merge: field.merge,
                replace: matches!(field.ty, Ty::Any),
                retain_keys: field.retain_keys,
                key: field.patch_key,
            }),
            None if key == "apiVersion" || key == "kind" => Ok(plain(&STR)),
            None => Err(PatchError::Other(format!(
                "unable to find api field in struct {} for the json field {key:?}",
                schema.name()
            ))),
        },
        Ty::Map(element) => Ok(plain(element)),
        _ => Ok(plain(&ANY)),
    }
}

/// The type of a list's elements.
pub(super) fn element(ty: &'static Ty) -> &'static Ty {
    match ty {
        Ty::List(element) => element,
        _ => &ANY,
    }
}

/// Merges one object into another. Both have their keys once.
pub(super) fn merge_map(
    mut original: Json,
    mut patch: Json,
    ty: &Ty,
    options: Options,
) -> Result<Json, PatchError> {
    if let Some(directive) = patch.get(PATCH) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(PATCH);
                Ok(patch)
            }
            Some("delete") => Ok(Json::object()),
            _ => Err(bad_patch_type(directive, &patch)),
        };
    }
    if original.is_null() {
        original = Json::object();
    }
    apply_retain_keys(&mut original, &mut patch, options)?;
    apply_orders(&mut original, &mut patch, ty, options)?;
    let changes = std::mem::take(patch.fields_mut());
    let name = |key: &Str| match key.starts_with(DELETE_FROM) && options.parallel_lists {
        true => key.split_once('/').map_or_else(|| key.clone(), |(_, field)| field.into()),
        false => key.clone(),
    };
    original.change_each(changes, name, |original, key, value| {
        merge_field(original, key, value, ty, options)
    })?;
    Ok(original)
}

fn merge_field(
    original: &mut Json,
    key: Str,
    mut value: Json,
    ty: &Ty,
    options: Options,
) -> Result<(), PatchError> {
    let mut key = key;
    let deletes = key.starts_with(DELETE_FROM);
    if deletes {
        if !options.parallel_lists {
            original.set(key, value);
            return Ok(());
        }
        key = directive_field(&key, "invalid patch format of primitive list")?.into();
    }
    if value.is_null() {
        original.remove(&key);
        if !options.keep_nulls {
            return Ok(());
        }
    }
    let place = original.get_mut(&key);
    let merges = place.as_deref().is_some_and(|old| same_type(old, &value));
    let (Some(place), true) = (place, merges) else {
        if deletes {
            return Ok(());
        }
        if !options.keep_nulls {
            discard_nulls(&mut value);
        }
        match without_directives(value) {
            Some(value) => original.set(key, value),
            None => {
                original.remove(&key);
            }
        }
        return Ok(());
    };
    *place = match (std::mem::take(place), value) {
        (old @ Json::Object(_), value @ Json::Object(_)) => {
            let meta = lookup(ty, &key)?;
            if meta.replace { value } else { merge_map(old, value, meta.ty, options)? }
        }
        (Json::Array(old), Json::Array(new)) => {
            let meta = lookup(ty, &key)?;
            Json::Array(merge_list(old, new, &meta, deletes, options)?.list)
        }
        (_, value) => value,
    };
    Ok(())
}

/// The field that a directive such as `$setElementOrder/FIELD` is about.
fn directive_field<'a>(key: &'a str, problem: &str) -> Result<&'a str, PatchError> {
    let field = key.split_once('/').filter(|(name, _)| *name == DELETE_FROM || *name == SET_ORDER);
    field.map(|(_, field)| field).ok_or_else(|| PatchError::BadRequest(problem.into()))
}

/// `$retainKeys` clears the fields of the object that it does not list.
fn apply_retain_keys(
    original: &mut Json,
    patch: &mut Json,
    options: Options,
) -> Result<(), PatchError> {
    let Some(listed) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let bad = || PatchError::BadRequest("invalid patch format of retainKeys".into());
    if !options.parallel_lists {
        return match original.get(RETAIN_KEYS) {
            None => {
                original.set(RETAIN_KEYS, listed);
                Ok(())
            }
            Some(old) if *old == listed => Ok(()),
            Some(old) => Err(PatchError::Other(format!(
                "{} and {} are not deep equal: this may happen when calculating the 3-way diff \
                 patch",
                go_value(old),
                go_value(&listed)
            ))),
        };
    }
    let keys = listed.as_array().ok_or_else(bad)?;
    let keeps = |key: &str| keys.iter().any(|k| k.as_str() == Some(key));
    let stray = patch.fields().iter().any(|(key, value)| {
        let directive = key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER);
        !value.is_null() && !directive && !keeps(key)
    });
    if stray {
        return Err(bad());
    }
    original.fields_mut().retain(|(key, _)| keeps(key));
    Ok(())
}

/// Acts on every `$setElementOrder/FIELD` and on the list beside it, and takes both out of the patch.
fn apply_orders(
    original: &mut Json,
    patch: &mut Json,
    ty: &Ty,
    options: Options,
) -> Result<(), PatchError> {
    let directives: Vec<Str> = patch.fields().iter().map(|(key, _)| key.clone()).collect();
    for directive in directives.iter().filter(|key| key.starts_with(SET_ORDER)) {
        let bad = "invalid patch format of setElementOrder list";
        let order = patch.remove(directive).unwrap_or_default();
        if !options.parallel_lists {
            match original.get(directive) {
                Some(old) if *old != order => return Err(PatchError::BadRequest(bad.into())),
                Some(_) => {}
                None => original.set(directive.clone(), order.clone()),
            }
        }
        let order = as_list(order)?;
        let field = directive_field(directive, bad)?;
        let old = original.get(field).cloned().map(as_list).transpose()?;
        let new = patch.get(field).cloned().map(as_list).transpose()?;
        let meta = lookup(ty, field)?;
        check_order(new.as_deref().unwrap_or(&[]), &order, meta.key)?;
        let Some(kind) = element_kind(old.iter().chain(&new).flatten())? else { continue };
        let merged = match (old, new) {
            (Some(old), None) => Merged::unchanged(old),
            (None, Some(new)) => {
                let list = new.into_iter().filter_map(without_directives).collect();
                Merged { list, server_order: Vec::new() }
            }
            (Some(old), Some(new)) => merge_list(old, new, &meta, false, options)?,
            (None, None) => continue,
        };
        let (patched, server_only) = partition(merged.list, &order, meta.key)?;
        let ordered =
            normalize(patched, server_only, &order, &merged.server_order, meta.key, kind)?;
        original.set(field, ordered);
        patch.remove(field);
    }
    Ok(())
}

fn as_list(value: Json) -> Result<Vec<Json>, PatchError> {
    match value {
        Json::Array(items) => Ok(items),
        other => Err(bad_type("[]interface {}", &other)),
    }
}

/// The items of the patch must stand in the order that is asked for.
fn check_order(patch: &[Json], order: &[Json], key: &str) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut rest = order.iter();
    for item in patch.iter().filter(|item| item.get(PATCH).is_none()) {
        let wanted = identity(item, key)?;
        loop {
            let Some(next) = rest.next() else {
                return Err(PatchError::Other(format!(
                    "The order in patch list:\n{}\n doesn't match {SET_ORDER} list:\n{}\n",
                    go_value(&Json::Array(patch.to_vec())),
                    go_value(&Json::Array(order.to_vec()))
                )));
            };
            if identity(next, key)? == wanted {
                break;
            }
        }
    }
    Ok(())
}

/// What tells the elements of a list apart: the value of the merge key, or the element itself.
pub(super) fn identity<'a>(item: &'a Json, key: &str) -> Result<&'a Json, PatchError> {
    if key.is_empty() {
        return Ok(item);
    }
    if !item.is_object() {
        return Err(bad_type("map[string]interface {}", item));
    }
    item.get(key).ok_or_else(|| no_merge_key(item, key))
}

/// The same, where an element that has none is like no other.
fn find(list: &[Json], wanted: &Json, key: &str) -> Option<usize> {
    list.iter().position(|item| match key {
        "" => item == wanted,
        key => item.get(key) == Some(wanted),
    })
}

/// A merged list and what upstream then takes for the server's own order.
///
/// Upstream merges in place: deleted elements close up and the first new ones fill the gap at the end, so
/// these count as the server's when the whole list is ordered.
struct Merged {
    list: Vec<Json>,
    server_order: Vec<Json>,
}

impl Merged {
    fn unchanged(list: Vec<Json>) -> Merged {
        Merged { server_order: list.clone(), list }
    }
}

fn merge_list(
    old: Vec<Json>,
    new: Vec<Json>,
    meta: &Meta,
    deletes: bool,
    options: Options,
) -> Result<Merged, PatchError> {
    if !meta.merge {
        return Ok(Merged { list: new, server_order: old });
    }
    let Some(kind) = element_kind(old.iter().chain(&new))? else {
        return Ok(Merged::unchanged(old));
    };
    if kind == Kind::Map {
        return merge_maps(old, new, meta, options);
    }
    if deletes && options.parallel_lists {
        let list = old.iter().filter(|item| !new.contains(item)).cloned().collect();
        return Ok(Merged { list, server_order: old });
    }
    let both = old.iter().chain(&new).cloned().collect();
    let (patched, server_only) = partition(dedup(both), &new, meta.key)?;
    let list = normalize(patched, server_only, &new, &old, meta.key, kind)?;
    Ok(Merged { list, server_order: old })
}

fn merge_maps(
    old: Vec<Json>,
    new: Vec<Json>,
    meta: &Meta,
    options: Options,
) -> Result<Merged, PatchError> {
    if meta.key.is_empty() {
        return Err(PatchError::Other(
            "cannot merge lists without merge key for type struct".into(),
        ));
    }
    let old_len = old.len();
    let (mut merged, new) = special_elements(old, new, meta.key)?;
    let order = merged.clone();
    for mut item in new.clone() {
        let wanted = identity(&item, meta.key)?;
        match find(&merged, wanted, meta.key) {
            Some(at) => {
                let old = std::mem::take(&mut merged[at]);
                merged[at] = merge_map(old, item, element(meta.ty), options)?;
            }
            None => {
                if !options.keep_nulls {
                    discard_nulls(&mut item);
                }
                merged.extend(without_directives(item));
            }
        }
    }
    let server_order = merged.iter().take(old_len.max(order.len())).cloned().collect();
    let (patched, server_only) = partition(merged, &new, meta.key)?;
    let list = normalize(patched, server_only, &new, &order, meta.key, Kind::Map)?;
    Ok(Merged { list, server_order })
}

/// Acts on the elements of a patch that are directives; returns the list and the patch without them.
fn special_elements(
    mut old: Vec<Json>,
    new: Vec<Json>,
    key: &str,
) -> Result<(Vec<Json>, Vec<Json>), PatchError> {
    let mut plain = Vec::new();
    let mut replace = false;
    for item in new {
        let Some(directive) = item.get(PATCH) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let wanted = item.get(key).ok_or_else(|| no_merge_key(&item, key))?;
                old.retain(|item| item.get(key) != Some(wanted));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                let problem = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Other(problem.into()));
            }
            _ => return Err(bad_patch_type(directive, &item)),
        }
    }
    Ok(if replace { (plain, Vec::new()) } else { (old, plain) })
}

/// Splits a list into the elements that `by` has and the others.
fn partition(
    list: Vec<Json>,
    by: &[Json],
    key: &str,
) -> Result<(Vec<Json>, Vec<Json>), PatchError> {
    for item in &list {
        identity(item, key)?;
    }
    Ok(list
        .into_iter()
        .partition(|item| identity(item, key).is_ok_and(|wanted| find(by, wanted, key).is_some())))
}

/// Orders both lists and weaves them together: each keeps its own order, and an element that only the
/// server has comes before the first of the patch that follows it in the server's list.
fn normalize(
    patched: Vec<Json>,
    server_only: Vec<Json>,
    order: &[Json],
    server_order: &[Json],
    key: &str,
    kind: Kind,
) -> Result<Vec<Json>, PatchError> {
    let patched = sort_by_order(patched, order, key, kind)?;
    let server_only = sort_by_order(server_only, server_order, key, kind)?;
    let place = |item: &Json| find(server_order, identity(item, key).ok()?, key);
    let mut left = server_only.into_iter().peekable();
    let mut right = patched.into_iter().peekable();
    let mut all = Vec::new();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let before = matches!((place(l), place(r)), (Some(l), Some(r)) if l < r);
        all.extend(if before { left.next() } else { right.next() });
    }
    all.extend(left);
    all.extend(right);
    Ok(all)
}

/// Sorts by the place in `order`; elements to be deleted go to the end.
pub(super) fn sort_by_order(
    list: Vec<Json>,
    order: &[Json],
    key: &str,
    kind: Kind,
) -> Result<Vec<Json>, PatchError> {
    if kind == Kind::Map {
        for item in list.iter().chain(order) {
            identity(item, key)?;
        }
    }
    let is_deletion = |item: &Json| item.get(PATCH).and_then(Json::as_str) == Some("delete");
    let (deleted, mut kept): (Vec<Json>, Vec<Json>) = list.into_iter().partition(is_deletion);
    base::sort::by_key(&mut kept, |item| {
        identity(item, key).ok().and_then(|id| find(order, id, key))
    });
    kept.extend(deleted);
    Ok(kept)
}

/// What the elements of a list are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Map,
    Scalar,
}

/// The kind of all elements, which must be of one type; `None` if there are none.
pub(super) fn element_kind<'a>(
    items: impl Iterator<Item = &'a Json> + Clone,
) -> Result<Option<Kind>, PatchError> {
    let Some(first) = items.clone().next() else { return Ok(None) };
    if matches!(first, Json::Array(_)) {
        return Err(PatchError::Unprocessable("lists of lists are not supported".into()));
    }
    if !items.clone().all(|item| same_type(first, item)) {
        let all: Vec<String> = items.map(go_value).collect();
        let all = all.join(" ");
        return Err(PatchError::Other(format!("list element types are not identical: [[{all}]]")));
    }
    Ok(Some(if first.is_object() { Kind::Map } else { Kind::Scalar }))
}

pub(super) fn same_type(a: &Json, b: &Json) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Drops repeated elements. As upstream, the last element fills the gap.
pub(super) fn dedup(mut list: Vec<Json>) -> Vec<Json> {
    let mut i = 0;
    while i < list.len() {
        let mut j = i + 1;
        while j < list.len() {
            if list[i] == list[j] {
                list.swap_remove(j);
            } else {
                j += 1;
            }
        }
        i += 1;
    }
    list
}

fn discard_nulls(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(discard_nulls),
        Json::Object(fields) => {
            fields.retain(|(_, value)| !value.is_null());
            fields.iter_mut().for_each(|(_, value)| discard_nulls(value));
        }
        _ => {}
    }
}

/// A value that is new to the object, without the parts that are directives.
fn without_directives(value: Json) -> Option<Json> {
    match value {
        Json::Object(fields) => {
            if fields.iter().any(|(key, _)| key == PATCH) {
                return None;
            }
            let fields = fields.into_iter();
            let kept = fields.filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Json::Object(kept.collect()))
        }
        Json::Array(items) => {
            Some(Json::Array(items.into_iter().filter_map(without_directives).collect()))
        }
        other => Some(other),
    }
}

pub(super) fn no_merge_key(map: &Json, key: &str) -> PatchError {
    let map = go_value(map);
    PatchError::Other(format!("map: {map} does not contain declared merge key: {key}"))
}

pub(super) fn bad_type(expected: &str, found: &Json) -> PatchError {
    let found = match found {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Int(_) => "int64",
        Json::Float(_) => "float64",
        Json::Str(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    };
    PatchError::Other(format!("expected a {expected}, but received a {found}"))
}

fn bad_patch_type(directive: &Json, map: &Json) -> PatchError {
    let (directive, map) = (go_value(directive), go_value(map));
    PatchError::Other(format!("unknown patch type: {directive} in map: {map}"))
}
