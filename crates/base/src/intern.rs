//! Interned strings: words that come up again and again are kept once.
//!
//! What is read from JSON or YAML passes here, so that ten thousand pods read over HTTP share their field values.
//! Interning changes no behaviour, only memory: equal strings stay equal.

use std::cell::RefCell;

use crate::{HashSet, Str};

/// Longer strings are rarely repeated.
const LEN_MAX: usize = 96;
/// When so many words are kept, those that nobody else holds are dropped.
const WORDS_MAX: usize = 1 << 16;

thread_local! {
    static WORDS: RefCell<Words> = RefCell::new(Words { kept: HashSet::default(), limit: WORDS_MAX });
}

struct Words {
    kept: HashSet<Str>,
    limit: usize,
}

/// The string with this text, shared with everybody who asked for it before.
pub fn intern(text: &str) -> Str {
    if text.is_empty() {
        return Str::new();
    }
    if text.len() > LEN_MAX {
        return Str::from(text);
    }
    WORDS.with_borrow_mut(|words| words.get(text))
}

impl Words {
    fn get(&mut self, text: &str) -> Str {
        if let Some(word) = self.kept.get(text) {
            return word.clone();
        }
        if self.kept.len() >= self.limit {
            self.kept.retain(|word| Str::strong_count(word).is_none_or(|count| count > 1));
            // If most words are in use, look again only after as many new ones.
            self.limit = WORDS_MAX.max(self.kept.len() * 2);
        }
        let word = Str::from(text);
        self.kept.insert(word.clone());
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_the_same_string() {
        let (a, b) = (intern("NoExecute"), intern("NoExecute"));
        assert!(Str::ptr_eq(&a, &b));
        assert_eq!(a, "NoExecute");
    }

    #[test]
    fn words_that_nobody_holds_are_dropped_when_there_are_many() {
        let held = intern("held");
        let mut words = Words { kept: HashSet::default(), limit: 100 };
        words.kept.insert(held.clone());
        for i in 0..100 {
            words.get(&format!("word-{i}"));
        }
        assert!(words.kept.len() < 100, "{} kept", words.kept.len());
        assert!(Str::ptr_eq(&words.get("held"), &held));
    }
}
