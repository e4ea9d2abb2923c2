//! CEL: whether an expression can be read.
//!
//! Models the parser of the Common Expression Language.
//!
//! Known deviations:
//! - Names and types are not checked, so what cannot be compiled for another reason than its syntax passes.
//! - An error says where the parser stopped and at what, not what it would have liked instead.

/// How deep an expression may nest.
const DEPTH_MAX: usize = 250;

const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// Longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    /// A number, a string or bytes.
    Literal,
    Sign(&'static str),
    /// Something that no token begins with, or a text without its end.
    Wrong,
    End,
}

struct Parser<'a> {
    source: &'a str,
    /// Where the token begins and ends.
    at: (usize, usize),
    token: Token<'a>,
    depth: usize,
}

type Read = Result<(), String>;

/// Reads an expression; the error is what the compiler says.
pub(super) fn check(source: &str) -> Read {
    let mut parser = Parser { source, at: (0, 0), token: Token::End, depth: 0 };
    parser.next();
    parser.expression()?;
    match parser.token {
        Token::End => Ok(()),
        _ => parser.stop("extraneous input"),
    }
}

impl<'a> Parser<'a> {
    fn next(&mut self) {
        let rest = &self.source[self.at.1..];
        let mut start = self.at.1 + (rest.len() - rest.trim_start().len());
        while self.source[start..].starts_with("//") {
            let line = self.source[start..].find('\n').map_or(self.source.len(), |n| start + n);
            start = line + self.source[line..].len() - self.source[line..].trim_start().len();
        }
        let rest = &self.source[start..];
        let (token, len) = scan(rest);
        (self.token, self.at) = (token, (start, start + len));
    }

    fn stop(&self, why: &str) -> Read {
        let (start, end) = self.at;
        let text = if self.token == Token::End { "<EOF>" } else { &self.source[start..end] };
        let before = &self.source[..start];
        let from = before.rfind('\n').map_or(0, |n| n + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[from..].chars().count();
        let shown = self.source[from..].lines().next().unwrap_or_default();
        Err(format!(
            "ERROR: <input>:{line}:{}: Syntax error: {why} '{text}'\n | {shown}\n | {}^",
            column + 1,
            ".".repeat(column)
        ))
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(found) if found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Read {
        if self.take(sign) { Ok(()) } else { self.stop("mismatched input") }
    }

    fn expression(&mut self) -> Read {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!(
                "ERROR: <input>:-1:0: expression recursion limit exceeded: {DEPTH_MAX}"
            ));
        }
        self.operands()?;
        if self.take("?") {
            self.operands()?;
            self.expect(":")?;
            self.expression()?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Operands with operators between them: which binds closer matters to no syntax.
    fn operands(&mut self) -> Read {
        const BETWEEN: &[&str] =
            &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%"];
        loop {
            self.operand()?;
            match self.token {
                Token::Sign(sign) if BETWEEN.contains(&sign) => self.next(),
                Token::Name("in") => self.next(),
                _ => return Ok(()),
            }
        }
    }

    fn operand(&mut self) -> Read {
        while self.is("!") || self.is("-") {
            self.next();
        }
        self.primary()?;
        loop {
            if self.take(".") {
                self.take("?");
                match self.token {
                    Token::Name(name) if !RESERVED.contains(&name) || name != "in" => self.next(),
                    _ => return self.stop("no viable alternative at input"),
                }
                if self.take("(") {
                    self.list(")")?;
                } else if self.is("{") {
                    self.fields()?;
                }
            } else if self.take("[") {
                self.take("?");
                self.expression()?;
                self.expect("]")?;
            } else {
                return Ok(());
            }
        }
    }

    fn primary(&mut self) -> Read {
        match self.token {
            Token::Literal => self.next(),
            Token::Sign("(") => {
                self.next();
                self.expression()?;
                self.expect(")")?;
            }
            Token::Sign("[") => {
                self.next();
                self.list("]")?;
            }
            Token::Sign("{") => self.fields()?,
            Token::Sign(".") => {
                self.next();
                return self.name();
            }
            _ => return self.name(),
        }
        Ok(())
    }

    fn name(&mut self) -> Read {
        match self.token {
            Token::Name(name) if !RESERVED.contains(&name) => self.next(),
            Token::End => return self.stop("mismatched input"),
            _ => return self.stop("extraneous input"),
        }
        if self.take("(") {
            self.list(")")?;
        } else if self.is("{") {
            self.fields()?;
        }
        Ok(())
    }

    /// Expressions with commas between them, to the closing sign.
    fn list(&mut self, close: &'static str) -> Read {
        while !self.take(close) {
            self.take("?");
            self.expression()?;
            if !self.take(",") {
                return self.expect(close);
            }
        }
        Ok(())
    }

    /// A map or the fields of a message.
    fn fields(&mut self) -> Read {
        self.expect("{")?;
        while !self.take("}") {
            self.take("?");
            self.expression()?;
            self.expect(":")?;
            self.expression()?;
            if !self.take(",") {
                return self.expect("}");
            }
        }
        Ok(())
    }
}

/// The first token of a text and its length in bytes.
fn scan(text: &str) -> (Token<'_>, usize) {
    let Some(first) = text.chars().next() else { return (Token::End, 0) };
    if let Some(len) = quoted(text) {
        return if len == 0 { (Token::Wrong, first.len_utf8()) } else { (Token::Literal, len) };
    }
    if first == '`' {
        let end = text[1..].find('`').map(|n| n + 2);
        return end.map_or((Token::Wrong, 1), |len| (Token::Name("`"), len));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        return (Token::Name(&text[..len]), len);
    }
    let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    if digit(0) || (first == '.' && digit(1)) {
        return (Token::Literal, number(text));
    }
    match SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        Some(sign) => (Token::Sign(sign), sign.len()),
        None => (Token::Wrong, first.len_utf8()),
    }
}

fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize, keep: fn(&u8) -> bool| {
        from + bytes[from..].iter().take_while(|byte| keep(byte)).count()
    };
    if text.starts_with("0x") || text.starts_with("0X") {
        let end = run(2, u8::is_ascii_hexdigit);
        return end + usize::from(bytes.get(end).is_some_and(|c| matches!(c, b'u' | b'U')));
    }
    let mut end = run(0, u8::is_ascii_digit);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = run(end + 1, u8::is_ascii_digit);
    }
    if bytes.get(end).is_some_and(|c| matches!(c, b'e' | b'E')) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|c| matches!(c, b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = run(end + 1 + sign, u8::is_ascii_digit);
        }
    }
    end + usize::from(bytes.get(end).is_some_and(|c| matches!(c, b'u' | b'U')))
}

/// The length of a string or bytes that the text begins with; 0 where its end is missing.
fn quoted(text: &str) -> Option<usize> {
    let prefix = text.find(|c: char| !matches!(c, 'r' | 'R' | 'b' | 'B')).unwrap_or(text.len());
    let body = &text[prefix..];
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\'')).filter(|_| prefix <= 2)?;
    let raw = text[..prefix].contains(['r', 'R']);
    let triple = quote.to_string().repeat(3);
    let (close, from) = match body.starts_with(&triple) {
        true => (triple, 3),
        false => (quote.to_string(), 1),
    };
    let mut at = from;
    while at < body.len() {
        let rest = &body[at..];
        if rest.starts_with(&close) {
            return Some(prefix + at + close.len());
        }
        let c = rest.chars().next()?;
        if c == '\n' && from == 1 {
            return Some(0);
        }
        at += c.len_utf8();
        if c == '\\' && !raw {
            at += body[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(source: &str) {
        assert_eq!(check(source), Ok(()), "{source}");
    }

    fn bad(source: &str, expected: &str) {
        assert_eq!(check(source), Err(expected.to_string()), "{source}");
    }

    #[test]
    fn expressions_of_the_documentation_are_read() {
        good("object.spec.replicas <= 5");
        good("!has(object.spec.x) || object.spec.x in ['a', \"b\"]");
        good("object.spec.containers.all(c, !c.image.endsWith(':latest') && c.name != '')");
        good("size(request.userInfo.groups) > 0 ? {'a': 1, \"b\": [2, 3,]} : {}");
        good("Object{spec: Object.spec{replicas: 2}}");
        good("[JSONPatch{op: \"add\", path: \"/a/b\", value: -1.5e3}, JSONPatch{op: 'test',}]");
        good("object.?metadata[?'x'].orValue(0x1fu) == 3u // why\n && true");
        good(
            "r'\\d+' + '''a\n'b' ''' == \"\\\"\" && quantity('1Gi').isGreaterThan(quantity(\"1\"))",
        );
        good("authorizer.group('').resource(\"pods\").namespace('x').check('get').allowed()");
    }

    #[test]
    fn an_error_shows_where_the_reader_stopped() {
        bad(
            "... [} bad expression",
            "ERROR: <input>:1:2: Syntax error: extraneous input '.'\n | ... [} bad expression\n | .^",
        );
        bad(
            "object.a ==",
            "ERROR: <input>:1:12: Syntax error: mismatched input '<EOF>'\n | object.a ==\n | ...........^",
        );
        bad("a b", "ERROR: <input>:1:3: Syntax error: extraneous input 'b'\n | a b\n | ..^");
        bad(
            "x == 'a",
            "ERROR: <input>:1:6: Syntax error: extraneous input '''\n | x == 'a\n | .....^",
        );
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(check(&"(".repeat(100_000)).is_err());
        good(&format!("{}1{}", "(".repeat(200), ")".repeat(200)));
    }
}
