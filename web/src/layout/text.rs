//! How wide words are, near enough to cut them before they leave their box.

/// Cuts a text to a width. The end stays, because the end tells one pod from another.
pub fn fit(text: &str, width: f64) -> String {
    if width_of(text) <= width {
        return text.into();
    }
    let chars: Vec<char> = text.chars().collect();
    let tail = chars.iter().rposition(|&c| c == '·').unwrap_or(chars.len().saturating_sub(5));
    let end: String = chars[tail..].iter().collect();
    let mut start = String::new();
    for &c in &chars[..tail] {
        start.push(c);
        if width_of(&start) + width_of("…") + width_of(&end) > width {
            start.pop();
            break;
        }
    }
    if start.is_empty() { end } else { format!("{start}…{end}") }
}

/// The width of a text in the 12 px interface font, on the safe side.
pub fn width_of(text: &str) -> f64 {
    text.chars().map(width_of_char).sum()
}

fn width_of_char(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | '·' | 'I' => 3.6,
        'f' | 't' | 'r' | ' ' | '-' | '/' | '(' | ')' => 4.9,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 10.4,
        'A'..='Z' => 8.4,
        '0'..='9' => 7.7,
        _ => 7.2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, width: f64, want: &str) {
        assert_eq!(fit(text, width), want);
    }

    #[test]
    fn a_text_that_fits_stays() {
        check("web ·x7k2p", 90.0, "web ·x7k2p");
    }
    #[test]
    fn the_end_of_a_pod_stays() {
        check("storefront ·x7k2p", 90.0, "storef…·x7k2p");
    }
    #[test]
    fn the_end_of_a_name_stays() {
        check("gke-cluster-default-pool-node-12", 100.0, "gke-clus…de-12");
    }
}
