//! Cuts a text into documents at its separator lines, before any YAML is read.
//!
//! Models the line reader of `k8s.io/apimachinery/pkg/util/yaml`.
//!
//! Known deviations:
//! - Several JSON objects in one document are read as YAML, so only the first may stand there.

/// One document's text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chunk {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// Lines of the text before the first one of this document.
    pub lines_before: usize,
}

/// What comes next in a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cut {
    /// A document, perhaps of comments only.
    Document(Chunk),
    /// A separator line that carries something other than a comment, and its 0-based line.
    BadSeparator { line: usize, rest: String },
}

/// Finds the next document from byte `at`, which is the start of line `lines` (0-based). Also
/// returns where to go on.
pub(crate) fn next(text: &str, at: usize, lines: usize) -> Option<(Cut, usize, usize)> {
    if at >= text.len() {
        return None;
    }
    let mut chunk = Chunk { start: at, end: at, lines_before: lines };
    let mut line = lines;
    for full in text[at..].split_inclusive('\n') {
        let after = chunk.end + full.len();
        if let Some(rest) = full.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let cut = Cut::BadSeparator { line, rest: rest.to_owned() };
                return Some((cut, after, line + 1));
            }
            if chunk.end > chunk.start {
                return Some((Cut::Document(chunk), after, line + 1));
            }
        }
        chunk.end = after;
        line += 1;
    }
    Some((Cut::Document(chunk), text.len(), line))
}

/// Whether a document holds nothing but white space, comments and separators.
pub(crate) fn is_blank(chunk: &str) -> bool {
    chunk.trim_start_matches('\u{feff}').lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let (mut at, mut lines, mut got) = (0, 0, Vec::new());
        while let Some((cut, next_at, next_lines)) = next(text, at, lines) {
            got.push(match cut {
                Cut::Document(c) => format!("{}:{}", c.lines_before + 1, &text[c.start..c.end]),
                Cut::BadSeparator { line, rest } => format!("{}!{rest}", line + 1),
            });
            (at, lines) = (next_at, next_lines);
        }
        assert_eq!(got.join("|").replace('\n', "~"), expected, "cutting {text:?}");
    }

    #[test]
    fn one_document_is_one_piece() {
        check("a: 1\nb: 2\n", "1:a: 1~b: 2~");
        check("a: 1", "1:a: 1");
        check("", "");
    }

    #[test]
    fn separators_cut_and_are_dropped() {
        check("a: 1\n---\nb: 2\n", "1:a: 1~|3:b: 2~");
        check("a: 1\n--- # two\nb: 2\n---\n", "1:a: 1~|3:b: 2~");
        check("a: 1\r\n---\r\nb: 2\r\n", "1:a: 1\r~|3:b: 2\r~");
    }

    #[test]
    fn a_separator_at_the_start_stays_with_its_document() {
        check("---\na: 1\n---\n---\nb: 2\n", "1:---~a: 1~|4:---~b: 2~");
    }

    #[test]
    fn a_separator_with_text_is_refused() {
        check("a: 1\n--- b\nc: 3\n", "2!b|3:c: 3~");
        check("---a\n", "1!a");
    }

    #[test]
    fn comments_alone_are_blank() {
        assert!(is_blank("---\n# nothing\n\n  # here\n"));
        assert!(!is_blank("# something\na: 1\n"));
    }
}
