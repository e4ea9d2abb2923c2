//! How strategic merge patches are made: from two versions of an object, or three as `kubectl apply` does.
//!
//! Known deviations:
//! - Conflicts between the live object and the new one are not looked for (`--overwrite=false`).

use super::strategic::{
    DELETE_FROM, Kind, Meta, Options, PATCH, RETAIN_KEYS, SET_ORDER, bad_type, dedup, element,
    element_kind, identity, lookup, merge_map, same_type, sort_by_order,
};
use super::{PatchError, go_value};
use crate::json::Json;
use crate::schema::{Schema, Ty};

/// The patch that turns `original` into `modified`.
pub fn two_way(
    original: Json,
    modified: Json,
    schema: &'static Schema,
) -> Result<Json, PatchError> {
    let what = Diff { additions: true, deletions: true, retain_keys: false };
    diff_maps(&original.sorted(), &modified.sorted(), &Ty::Struct(schema), what)
}

/// The patch that brings `current` to `modified` and takes away what `original` had and `modified` has not.
pub fn three_way(
    original: Json,
    modified: Json,
    current: Json,
    schema: &'static Schema,
) -> Result<Json, PatchError> {
    let ty = Ty::Struct(schema);
    let (original, modified) = (original.sorted(), modified.sorted());
    let additions = Diff { additions: true, deletions: false, retain_keys: false };
    let deletions = Diff { additions: false, deletions: true, retain_keys: false };
    let delta = diff_maps(&current.sorted(), &modified, &ty, additions)?;
    let gone = diff_maps(&original, &modified, &ty, deletions)?;
    let options = Options { parallel_lists: false, keep_nulls: true };
    merge_map(gone, delta, &ty, options).map(Json::sorted)
}

/// Which differences go into the patch.
#[derive(Clone, Copy)]
struct Diff {
    additions: bool,
    deletions: bool,
    retain_keys: bool,
}

fn diff_maps(original: &Json, modified: &Json, ty: &Ty, what: Diff) -> Result<Json, PatchError> {
    let mut patch = Json::object();
    let mut retained = Vec::new();
    for (key, new) in modified.fields() {
        if what.retain_keys && !new.is_null() {
            retained.push(Json::Str(key.clone()));
        }
        let old = original.get(key);
        if key == PATCH && old.is_some() {
            directive(old, new, &mut patch)?;
            continue;
        }
        match (old, new) {
            (Some(old @ Json::Object(_)), Json::Object(_)) => {
                diff_map_field(key, old, new, &mut patch, ty, what)?;
            }
            (Some(Json::Array(old)), Json::Array(new)) => {
                diff_list_field(key, old, new, &mut patch, ty, what)?;
            }
            (Some(old), new) if same_type(old, new) && old == new => {}
            (_, new) if what.additions => patch.set(key.clone(), new.clone()),
            _ => {}
        }
    }
    let mut cleared = false;
    for (key, old) in original.fields() {
        if modified.get(key).is_none() {
            cleared |= !old.is_null();
            if what.deletions {
                patch.set(key.clone(), Json::Null);
            }
        }
    }
    if !retained.is_empty() && (cleared || !patch.fields().is_empty()) {
        patch.set(RETAIN_KEYS, sort_scalars(retained));
    }
    Ok(patch)
}

fn directive(old: Option<&Json>, new: &Json, patch: &mut Json) -> Result<(), PatchError> {
    match (old, new) {
        (Some(Json::Str(old)), Json::Str(text)) => {
            if old != text {
                patch.set(PATCH, new.clone());
            }
            Ok(())
        }
        _ => Err(PatchError::Other(format!("invalid value for special key: {PATCH}"))),
    }
}

fn diff_map_field(
    key: &str,
    old: &Json,
    new: &Json,
    patch: &mut Json,
    ty: &Ty,
    what: Diff,
) -> Result<(), PatchError> {
    let meta = match lookup(ty, key) {
        Err(_) if old == new => return Ok(()),
        other => other?,
    };
    if meta.replace {
        if what.additions {
            patch.set(key, new.clone());
        }
        return Ok(());
    }
    let what = Diff { retain_keys: meta.retain_keys, ..what };
    let inner = diff_maps(old, new, meta.ty, what)?;
    if !inner.fields().is_empty() {
        patch.set(key, inner);
    }
    Ok(())
}

fn diff_list_field(
    key: &str,
    old: &[Json],
    new: &[Json],
    patch: &mut Json,
    ty: &Ty,
    what: Diff,
) -> Result<(), PatchError> {
    let meta = match lookup(ty, key) {
        Err(_) if old == new => return Ok(()),
        other => other?,
    };
    if !meta.merge {
        if what.additions && old != new {
            patch.set(key, new.to_vec());
        }
        return Ok(());
    }
    let what = Diff { retain_keys: meta.retain_keys, ..what };
    let Lists { changes, deletions, order } = diff_lists(old, new, &meta, what)?;
    let mut put = |key: String, list: Vec<Json>| {
        if !list.is_empty() {
            patch.set(key, list);
        }
    };
    put(key.to_owned(), changes);
    put(format!("{DELETE_FROM}/{key}"), deletions);
    put(format!("{SET_ORDER}/{key}"), order);
    Ok(())
}

/// The three lists that describe how a merging list changes.
#[derive(Default)]
struct Lists {
    changes: Vec<Json>,
    deletions: Vec<Json>,
    order: Vec<Json>,
}

fn diff_lists(old: &[Json], new: &[Json], meta: &Meta, what: Diff) -> Result<Lists, PatchError> {
    if old.is_empty() {
        let changes = if what.additions { new.to_vec() } else { Vec::new() };
        return Ok(Lists { changes, ..Lists::default() });
    }
    match element_kind(old.iter().chain(new))? {
        Some(Kind::Map) => diff_lists_of_maps(old, new, meta, what),
        _ => diff_lists_of_scalars(old, new, meta, what),
    }
}

fn diff_lists_of_scalars(
    old: &[Json],
    new: &[Json],
    meta: &Meta,
    what: Diff,
) -> Result<Lists, PatchError> {
    let (old, sorted) = (sort_scalars(old.to_vec()), sort_scalars(new.to_vec()));
    let mut lists = Lists::default();
    let (mut left, mut right) = (old.iter().peekable(), sorted.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(l), Some(r)) => go_value(l).cmp(&go_value(r)),
        };
        if order.is_le()
            && let Some(gone) = left.next()
            && order.is_lt()
            && what.deletions
        {
            lists.deletions.push(gone.clone());
        }
        if order.is_ge()
            && let Some(added) = right.next()
            && order.is_gt()
            && what.additions
        {
            lists.changes.push(added.clone());
        }
    }
    lists.deletions = dedup(lists.deletions);
    lists.changes = sort_by_order(lists.changes, new, meta.key, Kind::Scalar)?;
    // Upstream sorts the old list in place before it looks whether the order changed.
    if (what.deletions && !lists.deletions.is_empty()) || (what.additions && old != new) {
        lists.order = new.to_vec();
    }
    Ok(lists)
}

fn diff_lists_of_maps(
    old: &[Json],
    new: &[Json],
    meta: &Meta,
    what: Diff,
) -> Result<Lists, PatchError> {
    let key = meta.key;
    let text = |item: &Json| identity(item, key).map(go_value);
    let (sorted_old, sorted_new) = (sort_maps(old, key), sort_maps(new, key));
    let mut lists = Lists::default();
    let (mut left, mut right) = (sorted_old.iter().peekable(), sorted_new.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(l), None) => text(l).map(|_| std::cmp::Ordering::Less)?,
            (None, Some(r)) => text(r).map(|_| std::cmp::Ordering::Greater)?,
            (Some(l), Some(r)) => text(l)?.cmp(&text(r)?),
        };
        let old = if order.is_le() { left.next() } else { None };
        let new = if order.is_ge() { right.next() } else { None };
        match (old, new) {
            (Some(old), Some(new)) => {
                let mut change = diff_maps(old, new, element(meta.ty), what)?;
                if !change.fields().is_empty() {
                    change.set(key, identity(new, key)?.clone());
                    lists.changes.push(change);
                }
            }
            (None, Some(new)) if what.additions => lists.changes.push((*new).clone()),
            (Some(old), None) if what.deletions => {
                let mut deletion = Json::object();
                deletion.set(key, identity(old, key)?.clone());
                deletion.set(PATCH, "delete");
                lists.deletions.push(deletion);
            }
            _ => {}
        }
    }
    let mut changes = sort_by_order(lists.changes, new, key, Kind::Map)?;
    changes.append(&mut lists.deletions);
    let same_order =
        old.len() == new.len() && old.iter().zip(new).all(|(a, b)| a.get(key) == b.get(key));
    let mut order = Vec::new();
    if !changes.is_empty() || (what.additions && !same_order) {
        for item in new {
            let mut only_key = Json::object();
            only_key.set(key, identity(item, key)?.clone());
            order.push(only_key);
        }
    }
    Ok(Lists { changes, deletions: Vec::new(), order })
}

fn sort_scalars(mut list: Vec<Json>) -> Vec<Json> {
    base::sort::by_cached_key(&mut list, go_value);
    list
}

fn sort_maps<'a>(list: &'a [Json], key: &str) -> Vec<&'a Json> {
    let mut sorted: Vec<&Json> = list.iter().collect();
    base::sort::by_cached_key(&mut sorted, |item| item.get(key).map(go_value));
    sorted
}

/// Sorts every merging list by its key, so that documents compare whatever the order of those lists.
pub fn sort_merge_lists(document: &Json, schema: &'static Schema) -> Result<Json, PatchError> {
    sort_map(document, &Ty::Struct(schema))
}

fn sort_map(map: &Json, ty: &Ty) -> Result<Json, PatchError> {
    let field = |(key, value): &(base::Str, Json)| {
        if key == RETAIN_KEYS || key.starts_with(DELETE_FROM) {
            let items = value.as_array().ok_or_else(|| bad_type("[]interface {}", value))?;
            return Ok((key.clone(), Json::Array(sort_scalars(items.to_vec()))));
        }
        if key.starts_with('$') {
            return Ok((key.clone(), value.clone()));
        }
        let meta = lookup(ty, key)?;
        let value = match value {
            Json::Object(_) => sort_map(value, meta.ty)?,
            Json::Array(items) if meta.merge => Json::Array(sort_list(items, &meta)?),
            other => other.clone(),
        };
        Ok((key.clone(), value))
    };
    map.fields().iter().map(field).collect()
}

fn sort_list(items: &[Json], meta: &Meta) -> Result<Vec<Json>, PatchError> {
    if element_kind(items.iter())? != Some(Kind::Map) {
        return Ok(sort_scalars(dedup(items.to_vec())));
    }
    sort_maps(items, meta.key).into_iter().map(|item| sort_map(item, element(meta.ty))).collect()
}
