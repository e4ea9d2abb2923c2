//! Shell text to tokens.

use super::parse::Piece;

/// A token of a script.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Vec<Raw>),
    Op(&'static str),
    Redirect(u8, &'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Piece(Piece),
    Command(String, bool),
    Nested(Box<Raw>, char, Vec<Raw>),
    Sum(Vec<Raw>),
}

/// Cuts a script into tokens.
pub(super) struct Lexer {
    text: Vec<char>,
    at: usize,
    /// Here-documents to read at the next line: place in the tokens, delimiter, whether it expands.
    here: Vec<(usize, String, bool, bool)>,
}

impl Lexer {
    pub fn new(text: &str) -> Lexer {
        Lexer { text: text.chars().collect(), at: 0, here: Vec::new() }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let fits = self.text[self.at..].starts_with(&chars);
        if fits {
            self.at += chars.len();
        }
        fits
    }

    /// All tokens.
    pub fn all(mut self) -> Result<Vec<Token>, String> {
        let mut out: Vec<Token> = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.text.get(self.at + 1) == Some(&'\n') => self.at += 2,
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '\n' => {
                    self.at += 1;
                    out.push(Token::Op("\n"));
                    self.read_here(&mut out)?;
                }
                _ => {
                    if let Some(redirect) = self.redirect() {
                        let here = redirect.1 == "<<";
                        out.push(Token::Redirect(redirect.0, redirect.1));
                        if here {
                            self.begin_here(&mut out);
                        }
                    } else if let Some(op) = self.op() {
                        out.push(Token::Op(op));
                    } else {
                        let word = self.word(|c| " \t\r\n;&|()<>".contains(c))?;
                        out.push(Token::Word(word));
                    }
                }
            }
        }
        self.read_here(&mut out)?;
        Ok(out)
    }

    fn op(&mut self) -> Option<&'static str> {
        [";;", "&&", "||", ";", "&", "|", "(", ")"].into_iter().find(|op| self.eat(op))
    }

    fn redirect(&mut self) -> Option<(u8, &'static str)> {
        let start = self.at;
        let digit = self.peek().and_then(|c| c.to_digit(10));
        if digit.is_some() {
            self.at += 1;
        }
        if self.eat("&>") {
            return Some((9, ">"));
        }
        let found = [">>", ">&", "<<<", "<<", ">", "<"].into_iter().find(|op| self.eat(op));
        let Some(op) = found else {
            self.at = start;
            return None;
        };
        let default = u8::from(op.starts_with('>'));
        Some((digit.map_or(default, |d| d as u8), op))
    }

    fn begin_here(&mut self, out: &mut Vec<Token>) {
        let strip = self.peek() == Some('-');
        self.at += usize::from(strip);
        while self.peek() == Some(' ') {
            self.at += 1;
        }
        let mut word = String::new();
        let mut quoted = false;
        while let Some(c) = self.peek().filter(|c| !" \t\n;&|<>".contains(*c)) {
            self.at += 1;
            if matches!(c, '"' | '\'' | '\\') {
                quoted = true;
            } else {
                word.push(c);
            }
        }
        out.push(Token::Word(Vec::new()));
        self.here.push((out.len() - 1, word, !quoted, strip));
    }

    fn read_here(&mut self, out: &mut [Token]) -> Result<(), String> {
        for (place, end, expands, strip) in std::mem::take(&mut self.here) {
            let mut body = String::new();
            while self.at < self.text.len() {
                let mut line = String::new();
                while let Some(c) = self.next().filter(|c| *c != '\n') {
                    line.push(c);
                }
                let line = if strip { line.trim_start_matches('\t') } else { &line };
                if line == end {
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            out[place] = Token::Word(if expands {
                let mut inner = Lexer::new(&body);
                let mut raw = Vec::new();
                inner.quoted(&mut raw, None)?;
                raw
            } else {
                vec![Raw::Piece(Piece::Text(body, true))]
            });
        }
        Ok(())
    }

    fn word(&mut self, ends: impl Fn(char) -> bool + Copy) -> Result<Vec<Raw>, String> {
        let mut out = Vec::new();
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if ends(c) {
                break;
            }
            self.at += 1;
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c) => {
                        flush(&mut out, &mut text);
                        out.push(Raw::Piece(Piece::Text(c.into(), true)));
                    }
                },
                '\'' => {
                    flush(&mut out, &mut text);
                    let mut quoted = String::new();
                    loop {
                        match self.next() {
                            None => {
                                return Err("sh: syntax error: unterminated quoted string".into());
                            }
                            Some('\'') => break,
                            Some(c) => quoted.push(c),
                        }
                    }
                    out.push(Raw::Piece(Piece::Text(quoted, true)));
                }
                '"' => {
                    flush(&mut out, &mut text);
                    out.push(Raw::Piece(Piece::Text(String::new(), true)));
                    self.quoted(&mut out, Some('"'))?;
                }
                '$' | '`' => {
                    flush(&mut out, &mut text);
                    out.push(self.dollar(c, false)?);
                }
                c => text.push(c),
            }
        }
        flush(&mut out, &mut text);
        Ok(out)
    }

    fn quoted(&mut self, out: &mut Vec<Raw>, end: Option<char>) -> Result<(), String> {
        let mut text = String::new();
        loop {
            let c = match self.next() {
                None if end.is_none() => break,
                None => return Err("sh: syntax error: unterminated quoted string".into()),
                Some(c) => c,
            };
            match c {
                c if Some(c) == end => break,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                },
                '$' | '`' => {
                    if !text.is_empty() {
                        out.push(Raw::Piece(Piece::Text(std::mem::take(&mut text), true)));
                    }
                    out.push(self.dollar(c, true)?);
                }
                c => text.push(c),
            }
        }
        if !text.is_empty() {
            out.push(Raw::Piece(Piece::Text(text, true)));
        }
        Ok(())
    }

    fn dollar(&mut self, first: char, quoted: bool) -> Result<Raw, String> {
        if first == '`' {
            return Ok(Raw::Command(self.until('`')?, quoted));
        }
        if self.eat("((") {
            let inside = self.balanced()?;
            self.eat(")");
            let mut lexer = Lexer::new(&inside);
            let mut raw = Vec::new();
            lexer.quoted(&mut raw, None)?;
            return Ok(Raw::Sum(raw));
        }
        if self.eat("(") {
            return Ok(Raw::Command(self.balanced()?, quoted));
        }
        if self.eat("{") {
            return self.braced(quoted);
        }
        let mut name = String::new();
        match self.peek() {
            Some(c) if "?$!#@*".contains(c) || c.is_ascii_digit() => {
                self.at += 1;
                name.push(c);
            }
            _ => {
                while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
            }
        }
        Ok(Raw::Piece(if name.is_empty() {
            Piece::Text("$".into(), true)
        } else {
            Piece::Var { name, op: None, quoted }
        }))
    }

    fn braced(&mut self, quoted: bool) -> Result<Raw, String> {
        let mut name = String::new();
        let length = self.peek() == Some('#') && self.text.get(self.at + 1) != Some(&'}');
        self.at += usize::from(length);
        while let Some(c) =
            self.peek().filter(|c| c.is_ascii_alphanumeric() || "_?@*!".contains(*c))
        {
            name.push(c);
            self.at += 1;
        }
        let piece = Raw::Piece(Piece::Var { name: name.clone(), op: None, quoted });
        if length {
            self.eat("}");
            let op = Some(('l', Vec::new()));
            return Ok(Raw::Piece(Piece::Var { name, op, quoted }));
        }
        if self.eat("}") {
            return Ok(piece);
        }
        self.eat(":");
        let op = self.next().unwrap_or('}');
        let op = if self.peek() == Some(op) && matches!(op, '#' | '%') {
            self.at += 1;
            if op == '#' { 'H' } else { 'P' }
        } else {
            op
        };
        let inside = self.word(|c| c == '}')?;
        if !self.eat("}") {
            return Err("sh: syntax error: missing '}'".into());
        }
        Ok(Raw::Nested(Box::new(piece), op, inside))
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err("sh: syntax error: EOF in backquote substitution".into()),
                Some(c) if c == end => return Ok(text),
                Some('\\') => text.extend(self.next()),
                Some(c) => text.push(c),
            }
        }
    }

    fn balanced(&mut self) -> Result<String, String> {
        let mut depth = 1;
        let mut quote = None;
        let mut text = String::new();
        while let Some(c) = self.next() {
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '(') => depth += 1,
                (None, ')') => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(text);
                    }
                }
                _ => {}
            }
            text.push(c);
        }
        Err("sh: syntax error: missing ')'".into())
    }
}

fn flush(out: &mut Vec<Raw>, text: &mut String) {
    if !text.is_empty() {
        out.push(Raw::Piece(Piece::Text(std::mem::take(text), false)));
    }
}
