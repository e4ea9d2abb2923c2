//! `--sort-by`.

use std::cmp::Ordering;

use api::{Json, Quantity};

use super::jsonpath::Template;
use crate::failure::{Result, fail};

/// The order of objects by the value at a path: numbers and quantities by size, texts in natural order, and what
/// is missing first.
pub(crate) fn sort<T>(items: &mut [T], path: &str, object: impl Fn(&T) -> &Json) -> Result<()> {
    let template = match Template::relaxed(path) {
        Ok(template) => template,
        Err(why) => return fail(why),
    };
    let key = |item: &T| template.find(object(item)).ok().and_then(|v| v.into_iter().next());
    if !items.is_empty() && items.iter().all(|item| key(item).is_none()) {
        return fail(format!(
            "couldn't find any field with path \"{path}\" in the list of objects"
        ));
    }
    base::sort::by_cached_key(items, |item| Ordered(key(item)));
    Ok(())
}

struct Ordered(Option<Json>);

impl PartialEq for Ordered {
    fn eq(&self, other: &Ordered) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> Ordering {
        match (&self.0, &other.0) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(Json::Str(a)), Some(Json::Str(b))) => {
                match (Quantity::parse(a), Quantity::parse(b)) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    _ => natural(a, b),
                }
            }
            (Some(a), Some(b)) => {
                let numbers = a.as_f64().zip(b.as_f64());
                numbers.map_or(Ordering::Equal, |(a, b)| a.total_cmp(&b))
            }
        }
    }
}

/// Texts with their runs of digits compared as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let run = |t: &[u8]| t.iter().take_while(|c| c.is_ascii_digit()).count();
            let (m, n) = (run(a), run(b));
            let bare = |t: &'_ [u8]| t.iter().take_while(|c| **c == b'0').count();
            let (p, q) = (&a[bare(&a[..m])..m], &b[bare(&b[..n])..n]);
            match p.len().cmp(&q.len()).then(p.cmp(q)).then(m.cmp(&n)) {
                Ordering::Equal => (a, b) = (&a[m..], &b[n..]),
                unequal => return unequal,
            }
        } else if x != y {
            return x.cmp(y);
        } else {
            (a, b) = (&a[1..], &b[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &str, sorted: &str) {
        let list = Json::parse(values.as_bytes()).expect("JSON");
        let mut items: Vec<Json> = list.items().to_vec();
        sort(&mut items, ".v", |item| item).expect("sorted");
        assert_eq!(Json::Array(items).to_string(), sorted);
    }

    #[test]
    fn numbers_and_quantities_sort_by_size_and_missing_ones_come_first() {
        check(r#"[{"v":10},{"v":9},{}]"#, r#"[{},{"v":9},{"v":10}]"#);
        check(r#"[{"v":"1Gi"},{"v":"500Mi"}]"#, r#"[{"v":"500Mi"},{"v":"1Gi"}]"#);
    }

    #[test]
    fn digits_within_texts_count_as_numbers() {
        check(r#"[{"v":"n-10"},{"v":"n-9"}]"#, r#"[{"v":"n-9"},{"v":"n-10"}]"#);
    }

    #[test]
    fn a_path_that_nothing_has_is_an_error() {
        assert!(sort(&mut [Json::object()], ".nope", |item| item).is_err());
    }
}
