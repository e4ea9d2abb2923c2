//! Templates against one small document.

use api::Json;

use super::Template;

const DOCUMENT: &str = r#"{"kind":"List","items":[
  {"kind":"None","metadata":{"name":"127.0.0.1","labels":{"a.b/c":"x"}},"status":{"capacity":{"cpu":"4"},"n":1}},
  {"kind":"None","metadata":{"name":"127.0.0.2"},"status":{"capacity":{"cpu":"8"},"n":2}}],
  "users":[{"name":"myself","user":{}},{"name":"e2e","user":{"username":"admin","password":"secret"}}]}"#;

fn check(template: &str, text: &str) {
    let document = Json::parse(DOCUMENT.as_bytes()).expect("JSON");
    let printed = Template::parse(template).and_then(|t| t.print(&document));
    assert_eq!(printed.unwrap_or_else(|error| format!("!{error}")), text, "{template}");
}

#[test]
fn paths_find_fields_and_items() {
    check("kind is {.kind}", "kind is List");
    check("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2");
    check("{.items[0].status.n}", "1");
    check("{.items[-1].metadata['name']}", "127.0.0.2");
    check("{.items[0:1].status.n}", "1");
    check("{.users[0,1].name}", "myself e2e");
    check(r"{.items[0].metadata.labels.a\.b/c}", "x");
}

#[test]
fn whole_objects_print_as_json() {
    check("{.items[*]['status'].capacity}", r#"{"cpu":"4"} {"cpu":"8"}"#);
}

#[test]
fn filters_compare_texts_and_numbers() {
    check(r#"{.users[?(@.name=="e2e")].user.password}"#, "secret");
    check("{.items[?(@.status.n>1)].metadata.name}", "127.0.0.2");
    check("{.users[?(@.user.username)].name}", "e2e");
}

#[test]
fn ranges_repeat_their_text_for_each_value() {
    check(
        r#"{range .items[*]}{.metadata.name}{"\t"}{.status.capacity.cpu}{"\n"}{end}"#,
        "127.0.0.1\t4\n127.0.0.2\t8\n",
    );
}

#[test]
fn two_dots_search_everywhere() {
    check("{..cpu}", "4 8");
    check("{..name}", "127.0.0.1 127.0.0.2 myself e2e");
    check("{..nope}", "!nope is not found");
}

#[test]
fn what_is_missing_or_malformed_is_said() {
    check("{.nope}", "!nope is not found");
    check("{.bad", "!unclosed action");
    check("{.items[9]}", "!array index out of bounds: index 9, length 2");
    check("{end}", "!not in range, nothing to end");
}
