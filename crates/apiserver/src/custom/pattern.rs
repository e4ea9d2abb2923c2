//! Regular expressions, as far as schemas use them: a small backtracking matcher.

/// Whether `pattern` is found in `text`; `None` where the pattern uses what is not understood here.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0 };
    let tree = parser.choice()?;
    if parser.at != chars.len() {
        return None;
    }
    let text: Vec<char> = text.chars().collect();
    let mut steps = 0;
    for start in 0..=text.len() {
        if run(&tree, &text, start, &mut steps, &mut |_, _| true)? {
            return Some(true);
        }
    }
    Some(false)
}

enum Node {
    Choice(Vec<Vec<Node>>),
    Class(Vec<(char, char)>, bool),
    Repeat(Box<Node>, usize, usize),
    Start,
    End,
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.peek() == Some(c);
        self.at += usize::from(there);
        there
    }

    fn choice(&mut self) -> Option<Node> {
        let mut ways = vec![self.sequence()?];
        while self.eat('|') {
            ways.push(self.sequence()?);
        }
        Some(Node::Choice(ways))
    }

    fn sequence(&mut self) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek().filter(|c| !matches!(c, '|' | ')')) {
            self.at += 1;
            let node = match c {
                '^' => Node::Start,
                '$' => Node::End,
                '(' => {
                    if self.eat('?') && !self.eat(':') {
                        return None;
                    }
                    let inner = self.choice()?;
                    if !self.eat(')') {
                        return None;
                    }
                    inner
                }
                '[' => self.class()?,
                '.' => Node::Class(vec![('\n', '\n')], false),
                '\\' => {
                    let (ranges, inside) = self.escape()?;
                    Node::Class(ranges, inside)
                }
                '*' | '+' | '?' | '{' => return None,
                c => Node::Class(vec![(c, c)], true),
            };
            nodes.push(self.repeat(node)?);
        }
        Some(nodes)
    }

    fn repeat(&mut self, node: Node) -> Option<Node> {
        let (low, high) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.at += 1;
                let low = self.number();
                let high = match self.eat(',') {
                    false => low,
                    true => Some(self.number().unwrap_or(usize::MAX)),
                };
                if self.peek() != Some('}') {
                    return None;
                }
                (low?, high?)
            }
            _ => return Some(node),
        };
        self.at += 1;
        // A lazy repetition accepts the same texts.
        self.eat('?');
        Some(Node::Repeat(Box::new(node), low, high))
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect::<String>().parse().ok()
    }

    fn escape(&mut self) -> Option<(Vec<(char, char)>, bool)> {
        let c = self.peek()?;
        self.at += 1;
        Some(match c {
            'd' => (vec![('0', '9')], true),
            'D' => (vec![('0', '9')], false),
            'w' => (vec![('0', '9'), ('a', 'z'), ('A', 'Z'), ('_', '_')], true),
            'W' => (vec![('0', '9'), ('a', 'z'), ('A', 'Z'), ('_', '_')], false),
            's' => (vec![(' ', ' '), ('\t', '\r')], true),
            'S' => (vec![(' ', ' '), ('\t', '\r')], false),
            'n' => (vec![('\n', '\n')], true),
            't' => (vec![('\t', '\t')], true),
            c if c.is_ascii_alphanumeric() => return None,
            c => (vec![(c, c)], true),
        })
    }

    fn class(&mut self) -> Option<Node> {
        let inside = !self.eat('^');
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            let c = self.peek()?;
            self.at += 1;
            match c {
                ']' if !first => break,
                '[' if self.peek() == Some(':') => return None,
                '\\' => {
                    let (own, positive) = self.escape()?;
                    if !positive {
                        return None;
                    }
                    ranges.extend(own);
                }
                low => {
                    let is_range = self.peek() == Some('-')
                        && self.chars.get(self.at + 1).is_some_and(|c| *c != ']');
                    let high = if is_range {
                        self.at += 2;
                        self.chars[self.at - 1]
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
            }
            first = false;
        }
        Some(Node::Class(ranges, inside))
    }
}

const STEPS_MAX: usize = 100_000;

type Next<'a> = &'a mut dyn FnMut(usize, &mut usize) -> bool;

fn run(node: &Node, text: &[char], at: usize, steps: &mut usize, next: Next<'_>) -> Option<bool> {
    *steps += 1;
    if *steps > STEPS_MAX {
        return None;
    }
    match node {
        Node::Start => Some(at == 0 && next(at, steps)),
        Node::End => Some(at == text.len() && next(at, steps)),
        Node::Class(ranges, inside) => {
            let Some(c) = text.get(at) else { return Some(false) };
            let hit = ranges.iter().any(|(low, high)| (low..=high).contains(&c));
            Some(hit == *inside && next(at + 1, steps))
        }
        Node::Choice(ways) => {
            for way in ways {
                if sequence(way, text, at, steps, next)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        Node::Repeat(inner, low, high) => repeat(inner, (*low, *high), text, at, steps, next),
    }
}

fn sequence(
    nodes: &[Node],
    text: &[char],
    at: usize,
    steps: &mut usize,
    next: Next<'_>,
) -> Option<bool> {
    let Some((first, rest)) = nodes.split_first() else { return Some(next(at, steps)) };
    let mut gave_up = false;
    let found = run(first, text, at, steps, &mut |at, steps| match sequence(
        rest, text, at, steps, next,
    ) {
        Some(found) => found,
        None => {
            gave_up = true;
            true
        }
    })?;
    (!gave_up).then_some(found)
}

fn repeat(
    node: &Node,
    (low, high): (usize, usize),
    text: &[char],
    at: usize,
    steps: &mut usize,
    next: Next<'_>,
) -> Option<bool> {
    let mut gave_up = false;
    if high > 0 {
        let less = (low.saturating_sub(1), if high == usize::MAX { high } else { high - 1 });
        let found = run(node, text, at, steps, &mut |after, steps| {
            // An empty round brings nothing new.
            if after == at && low == 0 {
                return false;
            }
            match repeat(node, less, text, after, steps, next) {
                Some(found) => found,
                None => {
                    gave_up = true;
                    true
                }
            }
        })?;
        if gave_up {
            return None;
        }
        if found {
            return Some(true);
        }
    }
    Some(low == 0 && next(at, steps))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_of_real_definitions_match_as_they_should() {
        let cron = r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$";
        let cases = [
            (cron, "* * * * */5", Some(true)),
            (cron, "* * * *", Some(false)),
            ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-b", Some(true)),
            ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-", Some(false)),
            ("a{2,3}", "xaay", Some(true)),
            ("^a{2,3}$", "aaaa", Some(false)),
            ("^(?:a|b)+$", "abba", Some(true)),
            ("(?i)a", "A", None),
            ("^[^/]+$", "a/b", Some(false)),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
