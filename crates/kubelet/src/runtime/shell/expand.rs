//! Words to texts: variables, substitutions, arithmetic, splitting.

use base::Str;

use super::parse::{Piece, Word};
use super::text::{strip, sum};
use super::vm::{Shell, World};

impl Shell {
    pub(super) fn lookup(&self, at: usize, name: &str, world: &World<'_>) -> Option<Str> {
        let thread = &self.threads[at];
        Some(match name {
            "?" => thread.status.to_string().into(),
            "$" => base::lit!("1"),
            "!" => base::lit!("7"),
            "#" => thread.args.len().to_string().into(),
            "@" | "*" => {
                let args: Vec<&str> = thread.args.iter().map(Str::as_str).collect();
                args.join(" ").into()
            }
            "0" => base::lit!("sh"),
            "RANDOM" => (world.now.0.unsigned_abs() % 32_768).to_string().into(),
            "HOSTNAME" => world.hostname.into(),
            _ => match name.parse::<usize>() {
                Ok(n) => thread.args.get(n - 1)?.clone(),
                Err(_) => self.vars.get(name).or_else(|| self.env.get(name))?.clone(),
            },
        })
    }

    /// A word as one text.
    pub(super) fn text(&self, at: usize, word: &Word, world: &World<'_>) -> String {
        word.iter().map(|piece| self.piece(at, piece, world)).collect()
    }

    fn piece(&self, at: usize, piece: &Piece, world: &World<'_>) -> String {
        match piece {
            Piece::Text(text, _) => text.clone(),
            Piece::Slot(slot, _) => {
                self.threads[at].slots.get(*slot).cloned().unwrap_or_default().to_string()
            }
            Piece::Sum(word) => {
                let text = self.text(at, word, world);
                let look = |name: &str| {
                    self.lookup(at, name, world).and_then(|v| v.trim().parse().ok()).unwrap_or(0)
                };
                sum(&text, &look).to_string()
            }
            Piece::Var { name, op, .. } => {
                let value = self.lookup(at, name, world);
                let Some((op, word)) = op else { return value.unwrap_or_default().to_string() };
                let set = value.clone().filter(|value| !value.is_empty());
                match op {
                    '-' | '=' | '?' => {
                        set.map(|v| v.to_string()).unwrap_or_else(|| self.text(at, word, world))
                    }
                    '+' if set.is_some() => self.text(at, word, world),
                    '+' => String::new(),
                    'l' => value.unwrap_or_default().chars().count().to_string(),
                    '#' | '%' | 'H' | 'P' => {
                        strip(&value.unwrap_or_default(), *op, &self.text(at, word, world))
                    }
                    _ => value.unwrap_or_default().to_string(),
                }
            }
        }
    }

    /// Words after splitting.
    pub(super) fn fields(&self, at: usize, words: &[Word], world: &World<'_>) -> Vec<String> {
        let mut out = Vec::new();
        for word in words {
            let mut field = String::new();
            let mut some = word.is_empty();
            for piece in word {
                let splits = matches!(
                    piece,
                    Piece::Var { quoted: false, .. } | Piece::Slot(_, false) | Piece::Sum(_)
                );
                let text = self.piece(at, piece, world);
                if !splits {
                    some |= !text.is_empty()
                        || matches!(
                            piece,
                            Piece::Text(_, true) | Piece::Var { .. } | Piece::Slot(..)
                        );
                    field.push_str(&text);
                    continue;
                }
                if text.starts_with(char::is_whitespace) && some {
                    out.push(std::mem::take(&mut field));
                    some = false;
                }
                let mut parts = text.split_whitespace().peekable();
                while let Some(part) = parts.next() {
                    field.push_str(part);
                    some = true;
                    if parts.peek().is_some() || text.ends_with(char::is_whitespace) {
                        out.push(std::mem::take(&mut field));
                        some = false;
                    }
                }
            }
            if some {
                out.push(field);
            }
        }
        out
    }
}
