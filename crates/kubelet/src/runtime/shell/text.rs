//! Patterns and arithmetic of the shell.

/// Whether `text` fits a pattern with `*`, `?` and `[…]`.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        if p.get(i) == Some(&'*') {
            star = Some((i, j));
            i += 1;
            continue;
        }
        if let Some(next) = one(&p, i, t[j]) {
            i = next;
            j += 1;
            continue;
        }
        let Some((si, sj)) = star else { return false };
        star = Some((si, sj + 1));
        i = si + 1;
        j = sj + 1;
    }
    p[i..].iter().all(|c| *c == '*')
}

fn one(p: &[char], i: usize, c: char) -> Option<usize> {
    match p.get(i)? {
        '?' => Some(i + 1),
        '[' => {
            let end = i + 1 + p[i + 1..].iter().position(|c| *c == ']')?;
            let set = &p[i + 1..end];
            let not = matches!(set.first(), Some('!' | '^'));
            let set = &set[usize::from(not)..];
            let range = |w: &[char]| w[1] == '-' && (w[0]..=w[2]).contains(&c);
            let hit = set.contains(&c) || set.windows(3).any(range);
            (hit != not).then_some(end + 1)
        }
        d => (*d == c).then_some(i + 1),
    }
}

/// `${name#pattern}` and its kin: `#` shortest prefix, `H` longest, `%` shortest suffix, `P` longest.
pub fn strip(value: &str, op: char, pattern: &str) -> String {
    let mut cuts: Vec<usize> = value.char_indices().map(|(at, _)| at).collect();
    cuts.push(value.len());
    if matches!(op, 'H' | '%') {
        cuts.reverse();
    }
    for at in cuts {
        let (head, tail) = value.split_at(at);
        match op {
            '#' | 'H' if fits(pattern, head) => return tail.to_string(),
            '%' | 'P' if fits(pattern, tail) => return head.to_string(),
            _ => {}
        }
    }
    value.to_string()
}

/// The value of an arithmetic expression; what makes no sense is 0.
pub fn sum(text: &str, look: &dyn Fn(&str) -> i64) -> i64 {
    let mut calc = Calc { text: text.as_bytes(), at: 0, look, depth: 0 };
    calc.level(0)
}

struct Calc<'a> {
    text: &'a [u8],
    at: usize,
    look: &'a dyn Fn(&str) -> i64,
    depth: usize,
}

const LEVELS: &[&[&str]] =
    &[&["||"], &["&&"], &["==", "!="], &["<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];

impl Calc<'_> {
    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn level(&mut self, level: usize) -> i64 {
        let Some(ops) = LEVELS.get(level) else { return self.atom() };
        let mut left = self.level(level + 1);
        loop {
            self.space();
            let Some(op) = ops.iter().find(|op| self.text[self.at..].starts_with(op.as_bytes()))
            else {
                return left;
            };
            self.at += op.len();
            let right = self.level(level + 1);
            left = match *op {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                "==" => i64::from(left == right),
                "!=" => i64::from(left != right),
                "<=" => i64::from(left <= right),
                ">=" => i64::from(left >= right),
                "<" => i64::from(left < right),
                ">" => i64::from(left > right),
                "+" => left.wrapping_add(right),
                "-" => left.wrapping_sub(right),
                "*" => left.wrapping_mul(right),
                "/" => left.checked_div(right).unwrap_or(0),
                _ => left.checked_rem(right).unwrap_or(0),
            };
        }
    }

    fn atom(&mut self) -> i64 {
        self.space();
        self.depth += 1;
        if self.depth > 256 {
            return 0;
        }
        let start = self.at;
        match self.text.get(self.at) {
            Some(b'(') => {
                self.at += 1;
                let value = self.level(0);
                self.space();
                self.at += usize::from(self.text.get(self.at) == Some(&b')'));
                value
            }
            Some(b'-') => {
                self.at += 1;
                self.atom().wrapping_neg()
            }
            Some(b'!') => {
                self.at += 1;
                i64::from(self.atom() == 0)
            }
            Some(c) if c.is_ascii_alphanumeric() || *c == b'_' => {
                let part = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_';
                while self.text.get(self.at).is_some_and(part) {
                    self.at += 1;
                }
                let word = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
                word.parse().unwrap_or_else(|_| (self.look)(word))
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text, want) in [
            ("*.html", "index.html", true),
            ("a*b*c", "aXbYbZc", true),
            ("[a-c]?", "bz", true),
            ("[!a]", "a", false),
            ("*", "", true),
            ("web-0", "web-1", false),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn prefixes_and_suffixes_are_stripped() {
        assert_eq!(strip("web-12", 'H', "*-"), "12");
        assert_eq!(strip("a/b/c", '#', "*/"), "b/c");
        assert_eq!(strip("a/b/c", '%', "/*"), "a/b");
        assert_eq!(strip("a/b/c", 'P', "/*"), "a");
    }

    #[test]
    fn sums_follow_precedence() {
        let look = |name: &str| if name == "i" { 4 } else { 0 };
        assert_eq!(sum("i + 2 * 3", &look), 10);
        assert_eq!(sum("(i+2)*3 % 5", &look), 3);
        assert_eq!(sum("1/0", &look), 0);
        assert_eq!(sum("i >= 4 && !0", &look), 1);
    }
}
