//! A line of the terminal as words and standard input.

/// A command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The words, unquoted.
    pub words: Vec<String>,
    /// What is read from `-`.
    pub stdin: Option<String>,
}

/// Takes a line apart as a shell does: quotes, backslashes, comments, and a here-document below it.
///
/// `cat <<EOF | kubectl …` reads as `kubectl … <<EOF`.
pub(crate) fn parse(text: &str) -> Result<Line, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut heredoc: Option<String> = None;
    let mut rest = text.char_indices().peekable();
    let mut body_at = text.len();
    while let Some((at, c)) = rest.next() {
        match c {
            '\n' => {
                body_at = at + 1;
                break;
            }
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some((_, '\'')) => break,
                        Some((_, c)) => word.push(c),
                        None => return Err("sh: a single quote is not closed".into()),
                    }
                }
            }
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next() {
                Some((_, '\n')) | None => {}
                Some((_, c)) => word.get_or_insert_default().push(c),
            },
            '#' if word.is_none() => {
                let end = text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
                body_at = end;
                break;
            }
            '<' if word.is_none() && text[at..].starts_with("<<") => {
                rest.next();
                if rest.peek().is_some_and(|(_, c)| *c == '-') {
                    rest.next();
                }
                heredoc = Some(heredoc_word(&mut rest));
            }
            '|' if heredoc.is_some() && words == ["cat"] && word.is_none() => words.clear(),
            '|' | ';' | '&' | '>' | '<' | '`' => return Err(unsupported(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.first().is_some_and(|w| w == "$") {
        words.remove(0);
    }
    let body = &text[body_at.min(text.len())..];
    let stdin = match heredoc {
        Some(end) => Some(until(body, &end)),
        None => (!body.trim().is_empty()).then(|| body.to_string()),
    };
    Ok(Line { words, stdin })
}

type Chars<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn double_quoted(rest: &mut Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match rest.next() {
            Some((_, '"')) => return Ok(()),
            Some((_, '\\')) => match rest.next() {
                Some((_, c @ ('"' | '\\' | '$' | '`'))) => word.push(c),
                Some((_, '\n')) => {}
                Some((_, c)) => word.extend(['\\', c]),
                None => return Err("sh: a double quote is not closed".into()),
            },
            Some((_, c)) => word.push(c),
            None => return Err("sh: a double quote is not closed".into()),
        }
    }
}

/// The word that ends a here-document, without its quotes.
fn heredoc_word(rest: &mut Chars<'_>) -> String {
    while rest.peek().is_some_and(|(_, c)| matches!(c, ' ' | '\t')) {
        rest.next();
    }
    let mut word = String::new();
    while let Some((_, c)) = rest.peek() {
        match c {
            ' ' | '\t' | '\n' | '|' | ';' => break,
            '\'' | '"' => {}
            c => word.push(*c),
        }
        rest.next();
    }
    word
}

/// The lines before the one that is `end`.
fn until(body: &str, end: &str) -> String {
    let lines = body.split_inclusive('\n');
    lines.take_while(|line| line.trim() != end).collect()
}

fn unsupported(c: char) -> String {
    let what = match c {
        '|' => "pipes",
        '>' | '<' => "redirections",
        '`' => "command substitution",
        _ => "several commands in a line",
    };
    format!("sh: {what} are not part of this terminal; quote the text if {c:?} belongs to it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, words: &[&str], stdin: Option<&str>) {
        let parsed = parse(line).expect("the line is fine");
        assert_eq!(parsed.words, words);
        assert_eq!(parsed.stdin.as_deref(), stdin);
    }

    #[test]
    fn words_are_split_at_spaces_outside_quotes() {
        check(r#"a "b c" 'd "e' f\ g x"y"z"#, &["a", "b c", "d \"e", "f g", "xyz"], None);
    }

    #[test]
    fn an_empty_quote_is_a_word() {
        check("run --image ''", &["run", "--image", ""], None);
    }

    #[test]
    fn a_backslash_at_the_end_of_a_line_joins_it_with_the_next() {
        check("get \\\n  pods", &["get", "pods"], None);
    }

    #[test]
    fn a_here_document_ends_at_its_word() {
        check("apply -f - <<EOF\na: 1\nEOF\n", &["apply", "-f", "-"], Some("a: 1\n"));
    }

    #[test]
    fn a_here_document_may_come_through_cat() {
        check(
            "cat <<'EOF' | kubectl apply -f -\na: 1\nEOF",
            &["kubectl", "apply", "-f", "-"],
            Some("a: 1\n"),
        );
    }

    #[test]
    fn text_below_the_line_is_standard_input() {
        check("apply -f -\na: 1", &["apply", "-f", "-"], Some("a: 1"));
    }

    #[test]
    fn a_comment_is_no_word() {
        check("get pods # all of them", &["get", "pods"], None);
    }

    #[test]
    fn a_pipe_is_refused_and_so_is_an_open_quote() {
        assert!(parse("get pods | grep x").is_err());
        assert!(parse("get 'pods").is_err());
    }
}
