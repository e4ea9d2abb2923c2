//! How cells are written: ages, lists, selectors.

use api::Json;
use api::core::v1::Container;
use api::meta::v1::LabelSelector;
use api::object::Object;
use api::selector::Selector;
use api::time::Time;
use base::{Instant, List, Str};

use super::Cx;

/// The object's name.
pub(super) fn name(object: &Object) -> Json {
    Json::Str(object.name().clone())
}

/// The moment of creation.
pub(super) fn created(object: &Object) -> Json {
    let at = object.meta().creation_timestamp;
    at.map_or("<unknown>".to_string(), |at| at.to_string()).into()
}

/// The time since the creation.
pub(super) fn age(cx: &Cx, object: &Object) -> Json {
    since(cx, object.meta().creation_timestamp).into()
}

/// The time since a moment, `<unknown>` if there is none.
pub(super) fn since(cx: &Cx, at: Option<Time>) -> String {
    at.map_or("<unknown>".to_string(), |at| between(at.instant(), cx.now))
}

/// The time between two moments in the short form of kubectl.
pub(crate) fn between(from: Instant, to: Instant) -> String {
    duration((to.unix_micros() - from.unix_micros()).div_euclid(1_000_000))
}

/// Seconds in the short form of kubectl: the two largest units at most.
pub(super) fn duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".into();
    }
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if years < 8 => two(years, "y", days % 365, "d"),
        () => format!("{years}y"),
    }
}

/// A text, or a word for its absence.
pub(super) fn or(text: &str, absent: &str) -> Json {
    if text.is_empty() { absent.into() } else { text.into() }
}

/// The names and images of containers.
pub(super) fn containers(containers: &List<Container>) -> [Json; 2] {
    let names = join(containers.iter().map(|container| &container.name));
    let images = join(containers.iter().map(|container| &container.image));
    [names.into(), images.into()]
}

/// Texts with commas between them.
pub(super) fn join<'a>(texts: impl Iterator<Item = &'a Str>) -> String {
    texts.map(Str::as_str).collect::<Vec<_>>().join(",")
}

/// Labels as `a=b,c=d`, or `<none>`.
pub(super) fn labels<'a>(labels: impl Iterator<Item = (&'a Str, &'a Str)>) -> Json {
    let parts: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    or(&parts.join(","), "<none>")
}

/// A label selector as text, `<none>` where it selects by nothing.
pub(super) fn selector(selector: &LabelSelector) -> Json {
    match Selector::of(selector) {
        Ok(selector) => or(&selector.to_string(), "<none>"),
        Err(_) => "<error>".into(),
    }
}

/// At most `max` texts, and how many more there are.
pub(super) fn some(texts: &[String], max: usize, absent: &str) -> Json {
    if texts.is_empty() {
        return absent.into();
    }
    let shown = texts[..texts.len().min(max)].join(",");
    match texts.len().saturating_sub(max) {
        0 => shown.into(),
        more => format!("{shown} + {more} more...").into(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_show_their_largest_units() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (176_400, "2d1h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (-1, "0s"),
            (-5, "<invalid>"),
        ];
        for (seconds, text) in cases {
            assert_eq!(super::duration(seconds), text, "{seconds}");
        }
    }
}
