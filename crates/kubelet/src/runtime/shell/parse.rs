//! Shell text to linear code.

use std::sync::Arc;

/// A compiled script.
#[derive(Debug, Default, PartialEq)]
pub struct Script {
    /// Instructions; jumps are relative to their own place.
    pub code: Vec<Code>,
    /// How many command substitutions it holds.
    pub slots: usize,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Code {
    /// Nothing.
    Nop,
    /// Runs a simple command.
    Run(Arc<Simple>),
    /// Collects standard output from here on.
    Capture,
    /// Puts what was collected into a slot.
    Store(usize),
    /// Makes what was collected the standard input of what follows.
    Feed,
    /// Forgets the standard input.
    Unfeed,
    /// Goes elsewhere.
    Jump(isize),
    /// Goes elsewhere after failure.
    IfFail(isize),
    /// Goes elsewhere after success.
    IfOk(isize),
    /// Turns success into failure and back.
    Not,
    /// Makes the status zero.
    Ok,
    /// Begins a loop over words.
    For(String, Vec<Word>),
    /// Takes the next word, or leaves the loop.
    Next(isize),
    /// Goes elsewhere unless the word matches one of the patterns.
    Unless(Word, Vec<Word>, isize),
    /// Starts what follows in the background and goes on behind it.
    Spawn(isize),
    /// Ends a background job.
    EndJob,
    /// Defines a function whose body follows.
    Define(String, isize),
    /// Returns from a function.
    Return,
    /// Sends the output of what follows to a file, until [`Code::Shut`].
    Open(Vec<Redirect>),
    /// Ends the last [`Code::Open`].
    Shut,
}

/// Assignments, words and redirections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simple {
    /// `NAME=word` before the command.
    pub assign: Vec<(String, Word)>,
    /// The command and its arguments.
    pub words: Vec<Word>,
    /// Where its streams go.
    pub redirects: Vec<Redirect>,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// Which stream.
    pub stream: u8,
    /// Where to.
    pub to: Target,
}

/// The other end of a redirection.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A file, emptied first.
    Write(Word),
    /// The end of a file.
    Append(Word),
    /// The content of a file.
    Read(Word),
    /// This text.
    Text(Word),
    /// Another stream.
    Stream(u8),
}

/// A word before expansion.
pub type Word = Vec<Piece>;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text; quoted text is never split.
    Text(String, bool),
    /// A variable with what to do where it is unset.
    Var {
        /// Its name.
        name: String,
        /// `-`, `=`, `+`, `?`, `#`, `%` or nothing.
        op: Option<(char, Word)>,
        /// Not split.
        quoted: bool,
    },
    /// A command substitution.
    Slot(usize, bool),
    /// Arithmetic.
    Sum(Word),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(Vec<Raw>),
    Op(&'static str),
    Redirect(u8, &'static str),
}

#[derive(Clone, Debug, PartialEq)]
enum Raw {
    Piece(Piece),
    Command(String, bool),
    Nested(Box<Raw>, char, Vec<Raw>),
    Sum(Vec<Raw>),
}

/// Compiles a script, or says what is wrong in the words of a shell.
pub fn compile(text: &str) -> Result<Arc<Script>, String> {
    let mut out = Script::default();
    compile_into(text, &mut out, 0)?;
    Ok(Arc::new(out))
}

fn compile_into(text: &str, out: &mut Script, depth: usize) -> Result<(), String> {
    if depth > 8 {
        return Err("sh: too deep".into());
    }
    let tokens = Lexer { text: text.chars().collect(), at: 0, here: Vec::new() }.all()?;
    let mut parser = Parser { tokens, at: 0, out, loops: Vec::new(), depth };
    parser.list(&[])?;
    match parser.peek() {
        None => Ok(()),
        Some(token) => Err(unexpected(token)),
    }
}

fn unexpected(token: &Token) -> String {
    let what = match token {
        Token::Op("\n") => "newline".to_string(),
        Token::Op(op) => format!("\"{op}\""),
        Token::Redirect(_, op) => format!("\"{op}\""),
        Token::Word(raw) => match raw.first() {
            Some(Raw::Piece(Piece::Text(text, _))) => format!("\"{text}\""),
            _ => "word".to_string(),
        },
    };
    format!("sh: syntax error: unexpected {what}")
}

struct Lexer {
    text: Vec<char>,
    at: usize,
    /// Here-documents to read at the next line: place in the tokens, delimiter, whether it expands.
    here: Vec<(usize, String, bool, bool)>,
}

impl Lexer {
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

    fn all(mut self) -> Result<Vec<Token>, String> {
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
                let mut inner = Lexer { text: body.chars().collect(), at: 0, here: Vec::new() };
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
            let mut lexer = Lexer { text: inside.chars().collect(), at: 0, here: Vec::new() };
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

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    out: &'a mut Script,
    /// Start of each loop around, and the places of its breaks.
    loops: Vec<(usize, Vec<usize>)>,
    depth: usize,
}

const RESERVED: &[&str] =
    &["then", "else", "elif", "fi", "do", "done", "esac", "}", "in", "while", "until", "for", "if"];

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn plain(&self) -> Option<&str> {
        match self.peek()? {
            Token::Word(raw) => match raw.as_slice() {
                [Raw::Piece(Piece::Text(text, false))] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn op(&mut self, op: &str) -> bool {
        let fits = matches!(self.peek(), Some(Token::Op(o)) if *o == op);
        self.at += usize::from(fits);
        fits
    }

    fn word_is(&mut self, word: &str) -> bool {
        let fits = self.plain() == Some(word);
        self.at += usize::from(fits);
        fits
    }

    fn need(&mut self, word: &str) -> Result<(), String> {
        if self.word_is(word) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(format!("{} (expecting \"{word}\")", unexpected(token))),
            None => Err(format!("sh: syntax error: unexpected end of file (expecting \"{word}\")")),
        }
    }

    fn lines(&mut self) {
        while self.op("\n") || self.op(";") {}
    }

    fn emit(&mut self, code: Code) -> usize {
        self.out.code.push(code);
        self.out.code.len() - 1
    }

    fn here(&self) -> usize {
        self.out.code.len()
    }

    /// Lets the jump at `place` go to where the code now ends.
    fn land(&mut self, place: usize) {
        let way = self.here() as isize - place as isize;
        match &mut self.out.code[place] {
            Code::Jump(to) | Code::IfFail(to) | Code::IfOk(to) | Code::Next(to) => *to = way,
            Code::Spawn(to) | Code::Define(_, to) | Code::Unless(_, _, to) => *to = way,
            other => unreachable!("{other:?} does not jump"),
        }
    }

    fn back(&mut self, to: usize) {
        let way = to as isize - self.here() as isize;
        self.emit(Code::Jump(way));
    }

    /// A list that must not be empty.
    fn some(&mut self, ends: &[&str]) -> Result<(), String> {
        self.lines();
        if self.plain().is_some_and(|word| ends.contains(&word)) {
            return Err(self.peek().map(unexpected).unwrap_or_default());
        }
        self.list(ends)
    }

    fn list(&mut self, ends: &[&str]) -> Result<(), String> {
        loop {
            while self.op("\n") || self.op(";") {}
            let Some(token) = self.peek() else { return Ok(()) };
            if matches!(token, Token::Op(")" | ";;")) {
                return Ok(());
            }
            if self.plain().is_some_and(|word| ends.contains(&word)) {
                return Ok(());
            }
            let start = self.emit(Code::Nop);
            self.and_or()?;
            if self.op("&") {
                self.emit(Code::EndJob);
                self.out.code[start] = Code::Spawn(0);
                self.land(start);
            } else if !(self.op(";") || self.op("\n")) {
                match self.peek() {
                    None | Some(Token::Op(")" | ";;")) => return Ok(()),
                    Some(_) if self.plain().is_some_and(|word| ends.contains(&word)) => {}
                    Some(token) => return Err(unexpected(token)),
                }
            }
        }
    }

    fn and_or(&mut self) -> Result<(), String> {
        self.pipeline()?;
        loop {
            let jump = if self.op("&&") {
                Code::IfFail(0)
            } else if self.op("||") {
                Code::IfOk(0)
            } else {
                return Ok(());
            };
            let place = self.emit(jump);
            while self.op("\n") {}
            self.pipeline()?;
            self.land(place);
        }
    }

    fn pipeline(&mut self) -> Result<(), String> {
        let not = self.word_is("!");
        let start = self.emit(Code::Nop);
        self.command()?;
        let mut piped = false;
        while self.op("|") {
            while self.op("\n") {}
            if !piped {
                self.out.code[start] = Code::Capture;
            }
            piped = true;
            self.emit(Code::Feed);
            let place = self.emit(Code::Nop);
            self.command()?;
            if matches!(self.peek(), Some(Token::Op("|"))) {
                self.out.code[place] = Code::Capture;
            }
        }
        if piped {
            self.emit(Code::Unfeed);
        }
        if not {
            self.emit(Code::Not);
        }
        Ok(())
    }

    fn command(&mut self) -> Result<(), String> {
        let word = self.plain().map(str::to_string);
        let place = self.emit(Code::Nop);
        match word.as_deref() {
            Some("if") => self.branch()?,
            Some(kind @ ("while" | "until")) => self.repeat(kind == "until")?,
            Some("for") => self.each()?,
            Some("case") => self.case()?,
            Some("{") => {
                self.at += 1;
                self.list(&["}"])?;
                self.need("}")?;
            }
            None if self.op("(") => {
                self.list(&[])?;
                if !self.op(")") {
                    return Err("sh: syntax error: unexpected end of file (expecting \")\")".into());
                }
            }
            Some(word) if RESERVED.contains(&word) => {
                return Err(format!("sh: syntax error: unexpected \"{word}\""));
            }
            _ => return self.simple(),
        }
        let redirects = self.redirects()?;
        if !redirects.is_empty() {
            self.out.code[place] = Code::Open(redirects);
            self.emit(Code::Shut);
        }
        Ok(())
    }

    fn branch(&mut self) -> Result<(), String> {
        let mut ends = Vec::new();
        self.at += 1;
        loop {
            self.some(&["then"])?;
            self.need("then")?;
            let skip = self.emit(Code::IfFail(0));
            self.some(&["elif", "else", "fi"])?;
            ends.push(self.emit(Code::Jump(0)));
            self.land(skip);
            if self.word_is("elif") {
                continue;
            }
            if self.word_is("else") {
                self.list(&["fi"])?;
            } else {
                self.emit(Code::Ok);
            }
            self.need("fi")?;
            break;
        }
        ends.into_iter().for_each(|place| self.land(place));
        Ok(())
    }

    fn body(&mut self, start: usize, leave: usize) -> Result<(), String> {
        self.lines();
        self.need("do")?;
        self.loops.push((start, Vec::new()));
        self.some(&["done"])?;
        self.need("done")?;
        self.back(start);
        let (_, breaks) = self.loops.pop().expect("the loop was pushed");
        self.land(leave);
        breaks.into_iter().for_each(|place| self.land(place));
        self.emit(Code::Ok);
        Ok(())
    }

    fn repeat(&mut self, until: bool) -> Result<(), String> {
        self.at += 1;
        let start = self.here();
        self.some(&["do"])?;
        let leave = self.emit(if until { Code::IfOk(0) } else { Code::IfFail(0) });
        self.body(start, leave)
    }

    fn each(&mut self) -> Result<(), String> {
        self.at += 1;
        let name = self.plain().unwrap_or_default().to_string();
        self.at += 1;
        self.lines();
        let mut words = Vec::new();
        if self.word_is("in") {
            while let Some(Token::Word(raw)) = self.peek().cloned() {
                self.at += 1;
                words.push(self.cook(raw)?);
            }
        }
        self.emit(Code::For(name, words));
        let start = self.emit(Code::Next(0));
        self.body(start, start)
    }

    fn case(&mut self) -> Result<(), String> {
        self.at += 1;
        let Some(Token::Word(raw)) = self.peek().cloned() else {
            return Err("sh: syntax error: unexpected end of file".into());
        };
        self.at += 1;
        let word = self.cook(raw)?;
        self.lines();
        self.need("in")?;
        let mut ends = Vec::new();
        loop {
            self.lines();
            if self.word_is("esac") {
                break;
            }
            self.op("(");
            let mut patterns = Vec::new();
            while let Some(Token::Word(raw)) = self.peek().cloned() {
                self.at += 1;
                patterns.push(self.cook(raw)?);
                if !self.op("|") {
                    break;
                }
            }
            if !self.op(")") {
                return Err("sh: syntax error: unexpected word (expecting \")\")".into());
            }
            let skip = self.emit(Code::Unless(word.clone(), patterns, 0));
            self.list(&["esac"])?;
            ends.push(self.emit(Code::Jump(0)));
            self.land(skip);
            self.op(";;");
        }
        ends.into_iter().for_each(|place| self.land(place));
        Ok(())
    }

    fn simple(&mut self) -> Result<(), String> {
        if let [Some(Token::Word(_)), Some(Token::Op("(")), Some(Token::Op(")"))] =
            [0, 1, 2].map(|i| self.tokens.get(self.at + i))
        {
            return self.function();
        }
        let mut out = Simple::default();
        loop {
            match self.peek().cloned() {
                Some(Token::Word(raw)) => {
                    self.at += 1;
                    match assignment(&raw).filter(|_| out.words.is_empty()) {
                        Some((name, rest)) => {
                            let word = self.cook(rest)?;
                            out.assign.push((name, word));
                        }
                        None => {
                            let word = self.cook(raw)?;
                            out.words.push(word);
                        }
                    }
                }
                Some(Token::Redirect(..)) => out.redirects.extend(self.redirects()?),
                _ => break,
            }
        }
        if out == Simple::default() {
            return match self.peek() {
                Some(token) => Err(unexpected(token)),
                None => Err("sh: syntax error: unexpected end of file".into()),
            };
        }
        let is = |name: &str| matches!(out.words.as_slice(), [w, ..] if *w == vec![Piece::Text(name.into(), false)]);
        if is("break") && !self.loops.is_empty() {
            let place = self.emit(Code::Jump(0));
            self.loops.last_mut().expect("inside a loop").1.push(place);
        } else if is("continue") && !self.loops.is_empty() {
            let start = self.loops.last().expect("inside a loop").0;
            self.back(start);
        } else {
            self.emit(Code::Run(Arc::new(out)));
        }
        Ok(())
    }

    fn function(&mut self) -> Result<(), String> {
        let name = self.plain().unwrap_or_default().to_string();
        self.at += 3;
        self.lines();
        let place = self.emit(Code::Define(name, 0));
        let outer = std::mem::take(&mut self.loops);
        self.command()?;
        self.loops = outer;
        self.emit(Code::Return);
        self.land(place);
        Ok(())
    }

    fn redirects(&mut self) -> Result<Vec<Redirect>, String> {
        let mut out = Vec::new();
        while let Some(Token::Redirect(stream, op)) = self.peek().cloned() {
            self.at += 1;
            let Some(Token::Word(raw)) = self.peek().cloned() else {
                return Err("sh: syntax error: unexpected redirection".into());
            };
            self.at += 1;
            let mut word = self.cook(raw)?;
            let to = match op {
                ">" => Target::Write(word),
                ">>" => Target::Append(word),
                "<" => Target::Read(word),
                "<<<" => {
                    word.push(Piece::Text("\n".into(), true));
                    Target::Text(word)
                }
                "<<" => Target::Text(word),
                _ => match word.as_slice() {
                    [Piece::Text(n, _)] if n.parse::<u8>().is_ok() => {
                        Target::Stream(n.parse().unwrap_or(1))
                    }
                    _ => Target::Write(word),
                },
            };
            if stream == 9 {
                out.push(Redirect { stream: 1, to });
                out.push(Redirect { stream: 2, to: Target::Stream(1) });
            } else {
                out.push(Redirect { stream, to });
            }
        }
        Ok(out)
    }

    /// Compiles the command substitutions of a word in front of the command that uses it.
    fn cook(&mut self, raw: Vec<Raw>) -> Result<Word, String> {
        let mut out = Word::new();
        for piece in raw {
            match piece {
                Raw::Piece(piece) => out.push(piece),
                Raw::Sum(raw) => {
                    let word = self.cook(raw)?;
                    out.push(Piece::Sum(word));
                }
                Raw::Nested(piece, op, raw) => {
                    let word = self.cook(raw)?;
                    if let Raw::Piece(Piece::Var { name, quoted, .. }) = *piece {
                        out.push(Piece::Var { name, op: Some((op, word)), quoted });
                    }
                }
                Raw::Command(text, quoted) => {
                    let slot = self.out.slots;
                    self.out.slots += 1;
                    self.emit(Code::Capture);
                    compile_into(&text, self.out, self.depth + 1)?;
                    self.emit(Code::Store(slot));
                    out.push(Piece::Slot(slot, quoted));
                }
            }
        }
        Ok(out)
    }
}

fn assignment(raw: &[Raw]) -> Option<(String, Vec<Raw>)> {
    let Some(Raw::Piece(Piece::Text(text, false))) = raw.first() else { return None };
    let (name, rest) = text.split_once('=')?;
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let mut out = vec![Raw::Piece(Piece::Text(rest.into(), false))];
    out.extend_from_slice(&raw[1..]);
    Some((name.into(), out))
}
