//! Reading label selector text: tokens first, then one requirement after the other.

use super::{Operator, Requirement, SelectorError, invalid};
use crate::names;
use base::BTreeSet;
use base::Str;

#[derive(Clone, Copy, PartialEq)]
enum Token {
    End,
    Open,
    Close,
    Comma,
    Not,
    Word,
    Operator(Operator),
}

pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            (Token::Word | Token::Not, _) => {}
            (Token::End, _) => return Ok(requirements),
            (_, found) => return Err(expected(found, "!, identifier, or 'end of string'")),
        }
        let requirement = parser.requirement();
        requirements.push(
            requirement
                .map_err(|error| SelectorError(format!("unable to parse requirement: {error}")))?,
        );
        match parser.next() {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => match parser.peek() {
                (Token::Word | Token::Not, _) => {}
                (_, found) => return Err(expected(found, "identifier after ','")),
            },
            (_, found) => return Err(expected(found, "',' or 'end of string'")),
        }
    }
}

fn expected(found: &str, what: &str) -> SelectorError {
    SelectorError(format!("found '{found}', expected: {what}"))
}

/// Every token with its text. A NUL byte ends the selector, as it does upstream.
fn tokens(text: &str) -> Vec<(Token, &str)> {
    let is_symbol = |c: char| "=!(),><".contains(c);
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut rest = text.split('\0').next().unwrap_or("");
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else { break };
        let len = match first {
            _ if rest.starts_with("==") || rest.starts_with("!=") => 2,
            _ if is_symbol(first) => 1,
            _ => rest.find(|c| is_symbol(c) || is_space(c)).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(len);
        rest = after;
        let token = match word {
            "(" => Token::Open,
            ")" => Token::Close,
            "," => Token::Comma,
            "!" => Token::Not,
            "=" => Token::Operator(Operator::Equals),
            "==" => Token::Operator(Operator::DoubleEquals),
            "!=" => Token::Operator(Operator::NotEquals),
            ">" => Token::Operator(Operator::Gt),
            "<" => Token::Operator(Operator::Lt),
            "in" => Token::Operator(Operator::In),
            "notin" => Token::Operator(Operator::NotIn),
            _ => Token::Word,
        };
        tokens.push((token, word));
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next token where a key or value may stand: `in` and `notin` are words there.
    fn peek(&self) -> (Token, &'a str) {
        match self.tokens.get(self.at).copied().unwrap_or((Token::End, "")) {
            (Token::Operator(Operator::In | Operator::NotIn), word) => (Token::Word, word),
            other => other,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Word {
            return Err(expected(key, "identifier"));
        }
        let complaints = names::qualified_name(key);
        if !complaints.is_empty() {
            return Err(SelectorError(invalid("<nil>", key, &complaints.join("; "))));
        }
        // What follows a negated key is found to be no comma by the caller.
        if negated {
            return Requirement::new(key.into(), Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key.into(), Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        Requirement::new(key.into(), operator, values.into_iter().map(Str::from).collect())
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let token = self.tokens.get(self.at).copied().unwrap_or((Token::End, ""));
        self.at += 1;
        match token {
            (Token::Operator(operator), _) => Ok(operator),
            (_, found) => Err(expected(found, "in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn exact_value(&mut self) -> Result<BTreeSet<&'a str>, SelectorError> {
        if let (Token::End | Token::Comma, _) = self.peek() {
            return Ok([""].into());
        }
        match self.next() {
            (Token::Word, value) => Ok([value].into()),
            (_, found) => Err(expected(found, "identifier")),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<&'a str>, SelectorError> {
        let (token, found) = self.next();
        if token != Token::Open {
            return Err(SelectorError(format!("found '{found}' expected: '('")));
        }
        match self.peek() {
            (Token::Word | Token::Comma, _) => {
                let values = self.list()?;
                self.next();
                Ok(values)
            }
            (Token::Close, _) => {
                self.next();
                Ok([""].into())
            }
            (_, found) => Err(expected(found, "',', ')' or identifier")),
        }
    }

    /// Values up to the closing parenthesis; nothing before, between or after commas is an empty value.
    fn list(&mut self) -> Result<BTreeSet<&'a str>, SelectorError> {
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                (Token::Word, value) => {
                    values.insert(value);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, found) => return Err(expected(found, "',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.insert("");
                    }
                    match self.peek().0 {
                        Token::Close => {
                            values.insert("");
                            return Ok(values);
                        }
                        Token::Comma => {
                            values.insert("");
                        }
                        _ => {}
                    }
                }
                (_, found) => return Err(expected(found, "',', or identifier")),
            }
        }
    }
}
