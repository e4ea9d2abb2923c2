//! Refuses texts that would make the YAML scanner slow before it sees them.
//!
//! The scanner looks at every open flow collection on every token, and at every earlier `%TAG` line
//! on each such line, so both must be few. This walk knows quotes, comments, plain and block
//! scalars well enough to see where a bracket opens a collection; it never judges the text
//! otherwise.

/// The deepest nesting that is read.
pub(crate) const DEPTH_MAX: usize = 128;

/// The most `%` lines of one document.
const DIRECTIVES_MAX: usize = 16;

/// Why a text is refused, and at which byte.
pub(crate) fn check(text: &str) -> Result<(), (usize, String)> {
    let mut directives = 0;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        directives += usize::from(line.starts_with('%'));
        if directives > DIRECTIVES_MAX {
            return Err((start, "yaml: found too many directives".into()));
        }
        start += line.len();
    }
    if !text.contains(['[', '{']) {
        return Ok(());
    }
    Walk { text: text.as_bytes(), at: 0, line_indent: 0, depth: 0 }.run()
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    /// Leading spaces of the line that the current token stands on.
    line_indent: usize,
    depth: usize,
}

impl Walk<'_> {
    fn run(mut self) -> Result<(), (usize, String)> {
        self.line_indent = self.spaces_from(0);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'[' | b'{' => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err((self.at, format!("yaml: exceeded max depth of {DEPTH_MAX}")));
                    }
                    self.at += 1;
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'\n' => self.new_line(),
                b' ' | b'\t' | b'\r' | b',' => self.at += 1,
                b'#' => self.skip_line(),
                b'"' => self.double_quoted(),
                b'\'' => self.single_quoted(),
                b'|' | b'>' if self.depth == 0 => self.block_scalar(),
                b'&' | b'!' => self.word(),
                b'-' | b'?' | b':' if self.blank(1) => self.at += 1,
                _ => self.plain(),
            }
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
    }

    fn spaces_from(&self, at: usize) -> usize {
        self.text[at..].iter().take_while(|b| **b == b' ').count()
    }

    fn new_line(&mut self) {
        self.at += 1;
        self.line_indent = self.spaces_from(self.at);
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    fn word(&mut self) {
        while !self.blank(0) {
            self.at += 1;
        }
    }

    fn double_quoted(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
    }

    fn single_quoted(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\'' {
                if self.peek(0) != Some(b'\'') {
                    break;
                }
                self.at += 1;
            }
        }
    }

    /// Skips the header and every line that is blank or further in than the header's line.
    fn block_scalar(&mut self) {
        let indent = self.line_indent;
        self.skip_line();
        while self.peek(0) == Some(b'\n') {
            let start = self.at + 1;
            let spaces = self.spaces_from(start);
            let first = self.text.get(start + spaces);
            if !matches!(first, None | Some(b'\n' | b'\r')) && spaces <= indent {
                break;
            }
            self.at = start;
            self.skip_line();
        }
    }

    fn plain(&mut self) {
        while let Some(byte) = self.peek(0) {
            let flow_end = self.depth > 0 && matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
            let value = byte == b':'
                && (self.blank(1)
                    || self.depth > 0
                        && matches!(self.peek(1), Some(b',' | b'[' | b']' | b'{' | b'}')));
            let comment = byte == b'#' && matches!(self.text[self.at - 1], b' ' | b'\t');
            if flow_end || byte == b'\n' || value || comment {
                break;
            }
            self.at += 1;
        }
        if self.peek(0) == Some(b':') {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    fn check(text: &str, expected: &str) {
        let got = match super::check(text) {
            Ok(()) => "fine".to_owned(),
            Err((at, message)) => format!("{at}: {message}"),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn deep_flow_collections_are_refused() {
        check(&"[".repeat(128), "fine");
        check(&"[".repeat(129), "128: yaml: exceeded max depth of 128");
        check(&"a: {\n".repeat(1_000), "643: yaml: exceeded max depth of 128");
        check(&"- {a: [".repeat(1_000), "450: yaml: exceeded max depth of 128");
    }

    #[test]
    fn brackets_inside_scalars_do_not_count() {
        let many = "[".repeat(500);
        check(&format!("a: x{many}\nb: \"{many}\"\nc: '{many}'\n# {many}\n"), "fine");
        check(&format!("a:\n  - k: |\n      {many}\n\n      {many}\n    l: 1\n"), "fine");
        check(&format!("a: if {many}; then\nb: it's {many}\n"), "fine");
        check("a: []\n".repeat(1_000).as_str(), "fine");
    }

    #[test]
    fn what_follows_a_block_scalar_counts_again() {
        let many = "[".repeat(500);
        check(&format!("a: |\n  text\nb: {many}\n"), "143: yaml: exceeded max depth of 128");
    }

    #[test]
    fn many_directives_are_refused() {
        check(&"%TAG !a! x\n".repeat(17), "176: yaml: found too many directives");
    }
}
