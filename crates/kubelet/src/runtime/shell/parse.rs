//! Shell text to linear code.

use std::sync::Arc;

use super::lex::{Lexer, Raw, Token};

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
    let tokens = Lexer::new(text).all()?;
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
