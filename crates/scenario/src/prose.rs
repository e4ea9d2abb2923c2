//! The prose of lessons: a small part of Markdown, no HTML.
//!
//! Known are headings (`#`), paragraphs, lists (`-` or `1.`), fenced code, `**strong**` and ``
//! `code` ``. Code with `{run}` behind it is a command line that runs when clicked, with `{copy}`
//! one that is copied. Everything else is text.

use protocol::{Block, Span};

/// Takes a text apart.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with("```") {
            let code: Vec<&str> =
                lines.by_ref().take_while(|line| !line.trim().starts_with("```")).collect();
            blocks.push(Block::Code(code.join("\n")));
        } else if let Some(title) = heading(trimmed) {
            blocks.push(Block::Heading(title.to_owned()));
        } else {
            let mut item = item(trimmed);
            let mut items = Vec::new();
            let mut words = item.unwrap_or(trimmed).to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                let next = next.trim();
                match self::item(next) {
                    Some(text) if item.is_some() => {
                        items.push(spans(&std::mem::replace(&mut words, text.to_owned())));
                        item = Some(text);
                    }
                    _ => {
                        words.push(' ');
                        words.push_str(next);
                    }
                }
            }
            if item.is_some() {
                items.push(spans(&words));
                blocks.push(Block::List(items));
            } else {
                blocks.push(Block::Paragraph(spans(&words)));
            }
        }
    }
    blocks
}

fn heading(line: &str) -> Option<&str> {
    line.starts_with('#').then(|| line.trim_start_matches('#').trim())
}

/// Whether a line belongs to the block before it.
fn goes_on(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("```") && heading(line).is_none()
}

fn item(line: &str) -> Option<&str> {
    if let Some(text) = line.strip_prefix("- ") {
        return Some(text.trim());
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let text = line[digits..].strip_prefix(". ").filter(|_| digits > 0)?;
    Some(text.trim())
}

fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((span, after)) = marked(rest) {
            if !plain.is_empty() {
                spans.push(Span::Text(std::mem::take(&mut plain)));
            }
            spans.push(span);
            rest = after;
        } else {
            plain.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !plain.is_empty() {
        spans.push(Span::Text(plain));
    }
    spans
}

/// The code or strong text that `rest` starts with, and what follows it.
fn marked(rest: &str) -> Option<(Span, &str)> {
    if let Some(inside) = rest.strip_prefix('`') {
        let (code, after) = inside.split_once('`').filter(|(code, _)| !code.is_empty())?;
        let code = code.to_owned();
        return Some(if let Some(after) = after.strip_prefix("{run}") {
            (Span::Run(code), after)
        } else if let Some(after) = after.strip_prefix("{copy}") {
            (Span::Copy(code), after)
        } else {
            (Span::Code(code), after)
        });
    }
    let (strong, after) = rest.strip_prefix("**")?.split_once("**")?;
    (!strong.is_empty()).then(|| (Span::Strong(strong.to_owned()), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let show = |spans: &[Span]| {
            let each = spans.iter().map(|span| match span {
                Span::Text(text) => text.clone(),
                Span::Strong(text) => format!("<b {text}>"),
                Span::Code(text) => format!("<c {text}>"),
                Span::Run(text) => format!("<run {text}>"),
                Span::Copy(text) => format!("<copy {text}>"),
            });
            each.collect::<String>()
        };
        let shown = blocks(text)
            .iter()
            .map(|block| match block {
                Block::Heading(text) => format!("H {text}"),
                Block::Paragraph(spans) => format!("P {}", show(spans)),
                Block::List(items) => {
                    format!("L {}", items.iter().map(|i| show(i)).collect::<Vec<_>>().join("/"))
                }
                Block::Code(text) => format!("C {text}"),
            })
            .collect::<Vec<_>>();
        assert_eq!(shown.join(" | "), expected, "{text:?}");
    }

    #[test]
    fn prose_is_taken_apart() {
        check("Delete one\npod.\n\nWatch.\n", "P Delete one pod. | P Watch.");
        check("# Self-healing\nText", "H Self-healing | P Text");
        check("- a\n- b\n  more\n1. c\n", "L a/b more/c");
        check("```\nkubectl get\n  pods\n```\nafter", "C kubectl get\n  pods | P after");
    }

    #[test]
    fn code_can_be_run_or_copied() {
        check(
            "Type `kubectl get pods`{run} or `x`{copy}, **not** `y`.",
            "P Type <run kubectl get pods> or <copy x>, <b not> <c y>.",
        );
    }

    #[test]
    fn marks_without_an_end_and_html_are_text() {
        check("a ` b ** c <b>d</b> {run}", "P a ` b ** c <b>d</b> {run}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-#`*{}runcopy 1.é\n]{0,60}") {
            blocks(&text);
        }
    }
}
