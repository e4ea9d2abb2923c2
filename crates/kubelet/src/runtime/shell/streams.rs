//! Where output goes and input comes from.

use super::parse::{Redirect, Target};
use super::vm::{Shell, World};

/// Where a stream goes.
#[derive(Clone, Debug)]
pub(super) enum Out {
    File(String),
    Stream(u8),
}

impl Shell {
    pub(super) fn print(
        &mut self,
        at: usize,
        stream: u8,
        text: &str,
        outs: &[(u8, Out)],
        world: &mut World<'_>,
    ) {
        if text.is_empty() {
            return;
        }
        let thread = &mut self.threads[at];
        let layers = std::iter::once(outs).chain(thread.opens.iter().rev().map(Vec::as_slice));
        let mut stream = stream;
        let mut file = None;
        for layer in layers {
            match layer.iter().rev().find(|(s, _)| *s == stream) {
                Some((_, Out::File(path))) => {
                    file = Some(path.clone());
                    break;
                }
                Some((_, Out::Stream(to))) => {
                    stream = *to;
                    if let Some((_, Out::File(path))) = layer.iter().find(|(s, _)| *s == stream) {
                        file = Some(path.clone());
                        break;
                    }
                }
                None => {}
            }
        }
        match (file, thread.captures.last_mut()) {
            (Some(path), _) if path == "/dev/null" => {}
            (Some(path), _) if is_log(&path) => world.log.print(world.now, text),
            (Some(path), _) => drop(world.files.write(&path, text, true)),
            (None, Some(capture)) if stream == 1 => {
                if capture.len() < CAPTURE_MAX {
                    capture.push_str(text);
                }
            }
            (None, _) => world.log.print(world.now, text),
        }
    }

    /// Opens the files of redirections: outputs by stream. Input becomes the thread's standard input.
    pub(super) fn redirect(
        &mut self,
        at: usize,
        redirects: &[Redirect],
        world: &mut World<'_>,
    ) -> Result<Vec<(u8, Out)>, String> {
        let mut outs = Vec::new();
        for redirect in redirects {
            match &redirect.to {
                Target::Write(word) | Target::Append(word) => {
                    let path = self.path(self.text(at, word, world));
                    if matches!(redirect.to, Target::Write(_))
                        && !is_log(&path)
                        && let Err(why) = world.files.write(&path, "", false)
                    {
                        return Err(format!("sh: can't create {path}: {why}\n"));
                    }
                    outs.push((redirect.stream, Out::File(path)));
                }
                Target::Read(word) => {
                    let path = self.path(self.text(at, word, world));
                    match world.files.read(&path) {
                        Some(text) => self.threads[at].stdin = Some(text.to_string()),
                        None if path == "/dev/null" => self.threads[at].stdin = Some(String::new()),
                        None => {
                            return Err(format!("sh: can't open {path}: no such file\n"));
                        }
                    }
                }
                Target::Text(word) => {
                    let text = self.text(at, word, world);
                    self.threads[at].stdin = Some(text);
                }
                Target::Stream(to) => outs.push((redirect.stream, Out::Stream(*to))),
            }
        }
        Ok(outs)
    }

    fn path(&self, path: String) -> String {
        if path.starts_with('/') {
            return path;
        }
        let cwd = self.vars.get("PWD").or(self.env.get("PWD"));
        format!("{}/{path}", cwd.map(|dir| dir.as_str()).unwrap_or_default())
    }
}

/// A substitution collects at most so many bytes.
const CAPTURE_MAX: usize = 64 * 1024;

fn is_log(path: &str) -> bool {
    matches!(path, "/dev/stdout" | "/dev/stderr" | "/proc/1/fd/1" | "/proc/1/fd/2" | "/dev/console")
}
