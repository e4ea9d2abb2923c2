//! Label selectors read, written and matched.

use super::*;
use proptest::prelude::*;

const LABELS: [(&str, &str); 4] = [("app", "web"), ("tier", "front"), ("size", "5"), ("empty", "")];

fn lookup(key: &str) -> Option<&'static str> {
    LABELS.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
}

fn check(text: &str, canonical: &str, matches: bool) {
    let selector = Selector::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let got = (selector.to_string(), selector.matches(lookup));
    assert_eq!(got, (canonical.to_owned(), matches), "{text}");
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(Selector::parse(text).unwrap_err().0, expected, "{text}");
}

#[test]
fn every_operator_matches() {
    check("app=web", "app=web", true);
    check("app==api", "app==api", false);
    check("app!=web", "app!=web", false);
    check("missing!=web", "missing!=web", true);
    check("tier in (back, front)", "tier in (back,front)", true);
    check("tier notin (front)", "tier notin (front)", false);
    check("missing notin (front)", "missing notin (front)", true);
    check("app", "app", true);
    check("!app", "!app", false);
    check("size>4", "size>4", true);
    check("size<5", "size<5", false);
    check("app>4", "app>4", false);
    check("empty=", "empty=", true);
    check("empty in ()", "empty in ()", true);
    check("empty in (,a)", "empty in (,a)", true);
}

#[test]
fn requirements_are_ordered_by_key() {
    check("tier=front,app=web,!gone", "app=web,!gone,tier=front", true);
    check(" ", "", true);
    check("in in (in)", "in in (in)", false);
    check("size,size=5", "size,size=5", true);
}

#[test]
fn errors_say_what_was_found_and_expected() {
    check_error("a=b=c", "found '=', expected: ',' or 'end of string'");
    check_error("a,", "found '', expected: identifier after ','");
    check_error("=a", "found '=', expected: !, identifier, or 'end of string'");
    check_error("!a=b", "found '=', expected: ',' or 'end of string'");
    let inner = |text: &str, expected: &str| {
        check_error(text, &format!("unable to parse requirement: {expected}"));
    };
    inner("a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt");
    inner("a in b", "found 'b' expected: '('");
    inner("a in (b", "found '', expected: ',' or ')'");
    inner("a in (b c)", "found 'c', expected: ',' or ')'");
    inner("a in (=)", "found '=', expected: ',', ')' or identifier");
    inner("a in (b,=)", "found '=', expected: ',', or identifier");
    inner("a==(b)", "found '(', expected: identifier");
    inner("!!a", "found '!', expected: identifier");
    inner(
        "a>x",
        "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    );
    inner(
        "a>-",
        "[values[0]: Invalid value: \"-\": for 'Gt', 'Lt' operators, the value must be an integer, \
         values[0][a]: Invalid value: \"-\": a valid label must be an empty string or consist of \
         alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
         character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')]",
    );
}

#[test]
fn structs_become_requirements() {
    let (key, value): (Str, Str) = ("app".into(), "web".into());
    let build = |operator: &str, values: &[&str]| {
        let values = values.iter().map(|v| Str::from(*v)).collect();
        Selector::build([(&key, &value)], [(&key, operator, values)])
            .map_or_else(|e| e.0, |s| s.describe())
    };
    assert_eq!(build("In", &["b", "a"]), "app=web,app in (a,b)");
    assert_eq!(build("DoesNotExist", &[]), "app=web,!app");
    assert_eq!(build("Gt", &["1"]), "\"Gt\" is not a valid label selector operator");
    assert_eq!(
        build("NotIn", &[]),
        "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
    );
    assert_eq!(
        build("Exists", &["a"]),
        "values: Invalid value: [\"a\"]: values set must be empty for exists and does not exist"
    );
}

#[test]
fn a_missing_selector_selects_nothing_and_an_empty_one_everything() {
    let missing = Selector::of_optional(None).unwrap();
    let empty = Selector::of_optional(Some(&LabelSelector::default())).unwrap();
    assert!(!missing.matches(lookup) && empty.matches(lookup));
    assert_eq!((missing.describe(), empty.describe()), ("<none>".into(), "<none>".into()));
}

#[test]
fn the_exact_value_is_known() {
    let selector = Selector::parse("a=1,b in (2),c in (3,4),d!=5").unwrap();
    let exact = |key| selector.exact(key).map(|v| v.to_string());
    assert_eq!(exact("a"), Some("1".into()));
    assert_eq!(exact("b"), Some("2".into()));
    assert_eq!((exact("c"), exact("d"), exact("e")), (None, None, None));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        parts in prop::collection::vec(
            ("[a-z]{1,4}", 0usize..7, prop::collection::btree_set("[a-z0-9]{0,3}", 1..4)), 0..4)
    ) {
        let requirements = parts.into_iter().map(|(key, op, values)| {
            let operator = [
                Operator::In, Operator::NotIn, Operator::Equals, Operator::DoubleEquals,
                Operator::NotEquals, Operator::Exists, Operator::DoesNotExist,
            ][op];
            let keep = match op { 0 | 1 => values.len(), 2..=4 => 1, _ => 0 };
            let values = values.into_iter().take(keep).map(Str::from).collect();
            Requirement::new(key.into(), operator, values).unwrap()
        });
        let selector = Selector::from_requirements(requirements.collect());
        prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[ab,=!()<> in\u{e9}\0]{0,24}") {
        let _ = Selector::parse(&text);
    }
}
