//! Rules for Rust sources: what the model may not touch, and how a file opens.

use super::Problem;
use super::layers::{LAYER_OF_HOSTS, layer_of};

/// Modules of `std` that reach the machine.
const HOST_MODULES: &[&str] = &["env", "fs", "net", "process", "thread", "time"];

/// Names that bring the machine's clock, randomness or the order of a randomly seeded map.
const HOST_NAMES: &[(&str, &str)] = &[
    ("SystemTime", "the clock is cx.now"),
    ("Instant::now", "the clock is cx.now"),
    ("Utc::now", "the clock is cx.now"),
    ("Local::now", "the clock is cx.now"),
    ("getrandom", "chance is base::Rng"),
    ("thread_rng", "chance is base::Rng"),
    ("RandomState", "maps are base::HashMap or BTreeMap"),
    ("collections::HashMap", "maps are base::HashMap or BTreeMap"),
    ("collections::HashSet", "sets are base::HashSet or BTreeSet"),
];

/// Names whose every use adds kilobytes to what the page loads.
const HEAVY_NAMES: &[(&str, &str)] = &[
    ("collections::BTreeMap", "base::BTreeMap has a tenth of the code"),
    ("collections::BTreeSet", "base::BTreeSet has a tenth of the code"),
    ("sort()", SORT),
    ("sort_by", SORT),
    ("sort_by_key", SORT),
    ("sort_by_cached_key", SORT),
    ("sort_unstable", SORT),
    ("sort_unstable_by", SORT),
    ("sort_unstable_by_key", SORT),
];
const SORT: &str = "base::sort is compiled once, not once a type";

const GENERATED: &str = "// @generated";

/// Checks one source file, given by its path from the root.
pub fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let problem =
        |line: usize, message: String| Problem { place: format!("{path}:{line}"), message };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut first = lines.next().unwrap_or_default();
    let marked = first.starts_with(GENERATED);
    if marked {
        first = lines.next().unwrap_or_default();
    }
    if !first.starts_with("//!") {
        problems.push(problem(1, "opens with no `//!` line that says what the file is".to_owned()));
    }
    if path.contains("generated") && !marked {
        problems.push(problem(1, format!("is generated and does not open with `{GENERATED}`")));
    }
    if is_model(path) {
        let code = without_tests(&without_comments_and_strings(text));
        for (at, message) in host_uses(path, &code) {
            let line = 1 + code[..at].iter().filter(|c| **c == '\n').count();
            problems.push(problem(line, message));
        }
    }
    problems
}

/// Whether the file belongs to a crate below the hosts, and is no test.
fn is_model(path: &str) -> bool {
    let mut parts = path.split('/');
    let (Some("crates"), Some(name), Some("src")) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let tests = path.ends_with("tests.rs") || path.contains("/tests/");
    !tests && layer_of(name).is_some_and(|layer| layer < LAYER_OF_HOSTS)
}

fn host_uses(path: &str, code: &[char]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in positions(code, "std::") {
        for module in first_segments(&code[at + 5..]) {
            if HOST_MODULES.contains(&module.as_str()) {
                let hint = if module == "net" { "; addresses are in core::net" } else { "" };
                found.push((at, format!("uses std::{module}, which belongs to the hosts{hint}")));
            }
        }
    }
    let in_base = path.starts_with("crates/base/");
    for (name, instead) in HOST_NAMES.iter().chain(HEAVY_NAMES) {
        // `base` is where maps and sorts are made.
        if in_base && (name.starts_with("collections::") || *instead == SORT) {
            continue;
        }
        found.extend(
            positions(code, name).into_iter().map(|at| (at, format!("uses {name}; {instead}"))),
        );
    }
    for at in positions(code, "std::collections::{") {
        let names = first_segments(&code[at + "std::collections::".len()..]);
        for name in names {
            let why = match name.as_str() {
                "HashMap" | "HashSet" => "its order is random",
                "BTreeMap" | "BTreeSet" => "its code is large",
                _ => continue,
            };
            found.push((at, format!("uses std's {name}; {why}, that of base::{name} is not")));
        }
    }
    found
}

/// Where `word` stands in the code as a whole word (a `:` may follow).
fn positions(code: &[char], word: &str) -> Vec<usize> {
    let word: Vec<char> = word.chars().collect();
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    let ends_in_name = word.last().is_some_and(is_name);
    (0..code.len().saturating_sub(word.len() - 1))
        .filter(|&at| {
            let end = at + word.len();
            code[at..end] == word[..]
                && !(at > 0 && is_name(&code[at - 1]))
                && !(ends_in_name && code.get(end).is_some_and(is_name))
        })
        .collect()
}

/// The first segments of a `use` tree: `a` for `a::b`, `a` and `c` for `{a::{b, x}, c}`.
fn first_segments(code: &[char]) -> Vec<String> {
    let name = |from: &[char]| -> String {
        from.iter()
            .skip_while(|c| c.is_whitespace())
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect()
    };
    if code.first() != Some(&'{') {
        return vec![name(code)];
    }
    let mut names = vec![name(&code[1..])];
    let mut depth = 0;
    for (at, c) in code.iter().enumerate() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&code[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// The text with comments, strings and character literals turned to blanks; lines stay where they are.
fn without_comments_and_strings(text: &str) -> Vec<char> {
    let mut code: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < code.len() {
        let end = match code[at] {
            '/' if code.get(at + 1) == Some(&'/') => find(&code, at, &['\n']),
            '/' if code.get(at + 1) == Some(&'*') => end_of_block_comment(&code, at),
            'r' | 'b' | 'c' if starts_name(&code, at) && raw_hashes(&code, at).is_some() => {
                let (quote, hashes) = raw_hashes(&code, at).unwrap_or_default();
                let close: Vec<char> = format!("\"{}", "#".repeat(hashes)).chars().collect();
                find(&code, quote + 1, &close) + close.len()
            }
            '"' => end_of_quoted(&code, at, '"'),
            '\'' if code.get(at + 1) == Some(&'\\') || code.get(at + 2) == Some(&'\'') => {
                end_of_quoted(&code, at, '\'')
            }
            _ => at,
        };
        let end = end.min(code.len());
        code[at..end].iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
        at = end.max(at + 1);
    }
    code
}

fn starts_name(code: &[char], at: usize) -> bool {
    at == 0 || !(code[at - 1].is_alphanumeric() || code[at - 1] == '_')
}

/// For a raw string that starts at `at`: the place of its quote and the number of `#` before it.
fn raw_hashes(code: &[char], at: usize) -> Option<(usize, usize)> {
    let r = if code[at] == 'r' { at } else { at + 1 };
    if code.get(r) != Some(&'r') {
        return None;
    }
    let hashes = code[r + 1..].iter().take_while(|c| **c == '#').count();
    let quote = r + 1 + hashes;
    (code.get(quote) == Some(&'"')).then_some((quote, hashes))
}

fn find(code: &[char], from: usize, what: &[char]) -> usize {
    let found = code[from.min(code.len())..].windows(what.len()).position(|window| window == what);
    found.map_or(code.len(), |offset| from + offset)
}

fn end_of_block_comment(code: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < code.len() {
        match (code[at], code[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len()
}

fn end_of_quoted(code: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < code.len() && code[at] != quote {
        at += if code[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The code with every item under `#[cfg(test)]` turned to blanks.
fn without_tests(code: &[char]) -> Vec<char> {
    let mut code = code.to_vec();
    let attribute: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut at = find(&code, 0, &attribute);
    while at < code.len() {
        let mut depth = 0_i32;
        let mut end = at + attribute.len();
        while end < code.len() {
            match code[end] {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            end += 1;
            if depth == 0 && ['}', ';'].contains(&code[end - 1]) {
                break;
            }
        }
        code[at..end].iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
        at = find(&code, end, &attribute);
    }
    code
}

#[cfg(test)]
mod tests {

    /// `want` holds the line of each problem.
    fn check(source: &str, want: &[usize]) {
        check_at("crates/sim/src/queue.rs", &format!("//! Queue.\n{source}"), want);
    }

    fn check_at(path: &str, text: &str, want: &[usize]) {
        let problems = super::check(path, text);
        let lines: Vec<usize> =
            problems.iter().map(|p| p.place.rsplit(':').next().unwrap().parse().unwrap()).collect();
        assert_eq!(lines, want, "{problems:?}\n{text}");
    }

    #[test]
    fn the_machine_is_out_of_reach() {
        check("use std::fs;", &[2]);
        check("fn f() {\n    std::thread::sleep(d);\n}", &[3]);
        check("use std::{collections::VecDeque, fmt::{self, Write}, time::Duration};", &[2]);
        check("fn f() -> Instant { Instant::now() }", &[2]);
    }

    #[test]
    fn maps_have_a_fixed_order() {
        check("use std::collections::HashMap;", &[2]);
        check("use std::collections::{VecDeque, HashSet};", &[2]);
        check("use std::collections::hash_map::Entry;", &[]);
        check("use base::HashMap;", &[]);
    }

    #[test]
    fn maps_and_sorts_are_those_of_base() {
        check("use std::collections::BTreeMap;", &[2]);
        check("use std::collections::{BTreeSet, VecDeque};", &[2]);
        check("fn f() {\n    list.sort_by_key(|x| x.0);\n}", &[3]);
        check("fn f() { list.sort() }", &[2]);
        check("use base::BTreeMap;\nfn f() { base::sort::by(&mut list, compare) }", &[]);
    }

    #[test]
    fn what_is_pure_may_be_used() {
        check("use std::fmt;\nuse core::net::Ipv4Addr;", &[]);
        check("use std::{fmt, sync::Arc};\nmod time;", &[]);
    }

    #[test]
    fn comments_and_strings_are_no_uses() {
        check("// std::fs\n/* std::fs /* std::net */ std::env */", &[]);
        check("const A: &str = \"std::fs \\\" std::net\";", &[]);
        check("const A: &str = r#\"std::fs \" std::net\"#;", &[]);
        check("const A: char = '\"'; use std::fs; const B: char = '\"';", &[2]);
        check("fn f<'a>(x: &'a str) { std::fs::read(x) }", &[2]);
    }

    #[test]
    fn tests_may_use_the_machine() {
        check("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nuse std::net;", &[6]);
        check("#[cfg(test)]\nmod tests;\nuse std::net;", &[4]);
        check_at("crates/sim/tests/all.rs", "//! All.\nuse std::fs;", &[]);
    }

    #[test]
    fn hosts_may_use_the_machine() {
        check_at("crates/orrery/src/main.rs", "//! Host.\nuse std::net;", &[]);
        check_at("web/src/main.rs", "//! Page.\nuse std::time;", &[]);
    }

    #[test]
    fn a_file_says_what_it_is() {
        check_at("web/src/main.rs", "fn main() {}", &[1]);
        check_at("web/src/main.rs", "// Page\nfn main() {}", &[1]);
    }

    #[test]
    fn generated_files_are_marked() {
        check_at("crates/api/src/generated/v1.rs", "//! Types.", &[1]);
        check_at("crates/api/src/generated/v1.rs", "// @generated by x\n//! Types.", &[]);
    }
}
