//! `curl` and `wget`, from outside the cluster or from a pod.

use super::Outcome;
use crate::cx::Cx;
use crate::failure::{Failure, Result};

/// Flags of the real programs that take a value.
const CURL_VALUES: &[&str] = &[
    "-m",
    "--max-time",
    "-o",
    "--output",
    "-H",
    "--header",
    "-X",
    "--request",
    "-d",
    "--data",
    "--connect-timeout",
    "--resolve",
    "-w",
    "--write-out",
    "--retry",
];
const WGET_VALUES: &[&str] = &["-O", "-T", "-o", "--timeout", "--tries", "-t"];

/// Asks from outside the cluster.
pub(crate) fn curl(cx: &mut Cx<'_>, name: &str, words: &[String]) -> Result<Outcome> {
    curl_from(cx, "", name, words)
}

/// Asks for the URL that is named; flags of the real programs are passed over.
pub(crate) fn curl_from(
    cx: &mut Cx<'_>,
    from: &str,
    name: &str,
    words: &[String],
) -> Result<Outcome> {
    let values = if name == "wget" { WGET_VALUES } else { CURL_VALUES };
    let (mut url, mut words) = (None, words.iter());
    while let Some(word) = words.next() {
        if values.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            url = Some(word);
        }
    }
    let Some(url) = url else {
        return Err(Failure::Raw(format!("{name}: try '{name} URL'\n")));
    };
    let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    let mut text = cx.server.curl(from, &url);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    cx.say(&text);
    Ok(Outcome::Done)
}

/// The request that a command line makes, also below `sh -c`.
pub(crate) fn request_in(command: &[String]) -> Option<(String, Vec<String>)> {
    let is_asking = |word: &str| matches!(word.rsplit('/').next(), Some("curl" | "wget"));
    match command {
        [program, rest @ ..] if is_asking(program) => {
            let name = program.rsplit('/').next().unwrap_or(program);
            Some((name.to_string(), rest.to_vec()))
        }
        [shell, flag, line] if flag == "-c" && shell.ends_with("sh") => {
            let words = crate::shell::parse(line).ok()?.words;
            let first = words.first()?;
            (is_asking(first) && words.len() > 1).then(|| request_in(&words)).flatten()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::request_in;

    fn check(command: &[&str], program: Option<&str>) {
        let command: Vec<String> = command.iter().map(|word| word.to_string()).collect();
        assert_eq!(request_in(&command).map(|(program, _)| program).as_deref(), program);
    }

    #[test]
    fn a_request_is_found_also_below_a_shell() {
        check(&["curl", "web"], Some("curl"));
        check(&["/usr/bin/wget", "-qO-", "web"], Some("wget"));
        check(&["sh", "-c", "wget -qO- http://web"], Some("wget"));
        check(&["ls", "curl"], None);
        check(&["sh"], None);
    }
}
