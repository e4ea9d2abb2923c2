//! Why a command ended badly, in the words that kubectl prints.

use api::Json;

use crate::look::Look;

/// Why a command ended badly.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The API server refused; the `Status` it gave.
    Status(Box<Json>),
    /// Anything else; printed after `error: `.
    Plain(String),
    /// Printed as it is.
    Raw(String),
    /// Everything is said already.
    Code(i32),
}

/// What commands give.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A plain failure as a result.
pub(crate) fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Plain(text.into()))
}

/// A failure about how the command is used.
pub(crate) fn usage<T>(command: &str, text: &str) -> Result<T> {
    fail(format!("{text}\nSee 'kubectl {command} -h' for help and examples"))
}

impl Failure {
    /// The status with a code and reason of our own making.
    pub fn status(code: i64, reason: &str, message: &str) -> Failure {
        let mut status = Json::object();
        status.set("reason", reason);
        status.set("message", message);
        status.set("code", code);
        Failure::Status(Box::new(status))
    }

    /// Whether the object was not there.
    pub fn is_not_found(&self) -> bool {
        self.is("NotFound")
    }

    /// Whether the server gave this reason.
    pub fn is(&self, reason: &str) -> bool {
        matches!(self, Failure::Status(status) if status.text("reason") == reason)
    }

    /// The bare message, as other messages quote it.
    pub fn message(&self) -> String {
        match self {
            Failure::Status(status) => status.text("message").to_string(),
            Failure::Plain(text) | Failure::Raw(text) => text.clone(),
            Failure::Code(_) => String::new(),
        }
    }

    /// The same failure, saying what was tried with which file: `error when creating "a.yaml": …`.
    pub fn when(mut self, verb: &str, source: &str) -> Failure {
        if let Failure::Status(status) = &mut self {
            let text = format!("error when {verb} \"{source}\": {}", status.text("message"));
            status.set("message", text);
        }
        self
    }

    /// The text for the terminal, with a newline at its end unless it is empty.
    pub fn text(&self) -> String {
        let mut text = match self {
            Failure::Status(status) => of_status(status),
            Failure::Plain(text) if text.starts_with("error: ") => text.clone(),
            Failure::Plain(text) => format!("error: {text}"),
            Failure::Raw(text) => text.clone(),
            Failure::Code(_) => return String::new(),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// The exit code.
    pub fn code(&self) -> i32 {
        match self {
            Failure::Code(code) => *code,
            _ => 1,
        }
    }
}

fn of_status(status: &Json) -> String {
    let reason = status.text("reason");
    if reason == "Invalid" {
        if let Some(details) = status.get("details").filter(|d| !d.text("kind").is_empty()) {
            let head =
                format!("The {} \"{}\" is invalid", details.text("kind"), details.text("name"));
            let causes: Vec<String> = details
                .list("causes")
                .iter()
                .map(|cause| format!("{}: {}", cause.text("field"), cause.text("message")))
                .collect();
            return match causes.as_slice() {
                [] => head,
                [one] => format!("{head}: {one}"),
                many => {
                    let lines: Vec<String> = many.iter().map(|c| format!("* {c}\n")).collect();
                    format!("{head}: \n{}", lines.concat())
                }
            };
        }
        return format!("The request is invalid: {}", status.text("message"));
    }
    match reason {
        "" => format!("Error from server: {}", status.text("message")),
        _ => format!("Error from server ({reason}): {}", status.text("message")),
    }
}
