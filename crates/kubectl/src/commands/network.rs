//! `curl` and `wget` from outside the cluster.

use super::Outcome;
use crate::cx::Cx;
use crate::failure::{Failure, Result};

/// Asks for the URL that is named; flags of the real programs are passed over.
pub(crate) fn curl(cx: &mut Cx<'_>, name: &str, words: &[String]) -> Result<Outcome> {
    const WITH_VALUE: &[&str] = &[
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
        "-T",
        "--timeout",
        "-O",
        "--connect-timeout",
        "--resolve",
        "-w",
    ];
    let mut url = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is_wget_dash_o = name == "wget" && word == "-O";
        if word.starts_with('-') {
            if (WITH_VALUE.contains(&word.as_str()) && (name == "curl" && word != "-O"))
                || is_wget_dash_o
                || (name == "wget" && word == "-T")
            {
                words.next();
            }
            continue;
        }
        url = Some(word);
    }
    let Some(url) = url else {
        return Err(Failure::Raw(format!("{name}: try '{name} URL'\n")));
    };
    let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    let mut text = cx.server.curl("", &url);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    cx.say(&text);
    Ok(Outcome::Done)
}
