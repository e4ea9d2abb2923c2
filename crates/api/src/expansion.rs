//! `$(VAR)` in the command, arguments and environment of a container.
//!
//! Known deviations: none.

/// Replaces every `$(NAME)` for which `lookup` has a value; the others stay. `$$` stands for one `$` and
/// keeps what follows from being replaced. Values are not expanded again.
pub fn expand<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        match reference {
            Some((name, after)) => {
                match lookup(name) {
                    Some(value) => out.push_str(value),
                    None => out.extend(["$(", name, ")"]),
                }
                rest = after;
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let lookup = |name: &str| match name {
            "HOST" => Some("web"),
            "PORT" => Some("80"),
            "EMPTY" => Some(""),
            "NESTED" => Some("$(HOST)"),
            _ => None,
        };
        assert_eq!(expand(text, lookup), expected, "{text:?}");
    }

    #[test]
    fn known_names_are_replaced() {
        check("http://$(HOST):$(PORT)/", "http://web:80/");
        check("[$(EMPTY)]", "[]");
        check("$(NESTED)", "$(HOST)");
    }

    #[test]
    fn unknown_names_stay() {
        check("$(USER)@$(HOST)", "$(USER)@web");
    }

    #[test]
    fn two_dollars_are_one() {
        check("$$(HOST)", "$(HOST)");
        check("$$$(HOST)", "$web");
        check("$$HOST", "$HOST");
    }

    #[test]
    fn what_is_no_reference_stays() {
        check("$HOST ${HOST} $", "$HOST ${HOST} $");
        check("$(HOST", "$(HOST");
        check("$(A$(HOST)", "$(A$(HOST)");
        check("ü$ü", "ü$ü");
    }

    proptest! {
        #[test]
        fn text_without_a_dollar_is_unchanged(text in "[^$]{0,40}") {
            prop_assert_eq!(expand(&text, |_| Some("x")), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[$()a\u{e9}]{0,40}") {
            expand(&text, |_| None);
        }
    }
}
