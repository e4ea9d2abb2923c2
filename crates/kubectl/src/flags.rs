//! Flags of commands: what each command takes, and what a line gives.

use crate::failure::{Result, fail};

/// One flag.
#[derive(Debug)]
pub(crate) struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// A value.
    Text,
    /// A value only after `=`; else this one.
    Optional(&'static str),
}

pub(crate) const fn switch(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Switch }
}

pub(crate) const fn text(long: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Text }
}

pub(crate) const fn optional(long: &'static str, value: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Optional(value) }
}

impl Flag {
    pub const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }
}

/// The flags of every command.
pub(crate) const GLOBAL: &[Flag] = &[
    text("namespace").short('n'),
    text("context"),
    text("cluster"),
    text("user"),
    text("kubeconfig"),
    text("server").short('s'),
    text("request-timeout"),
    text("as"),
    text("as-group"),
    text("v").short('v'),
    switch("help").short('h'),
];

/// What a line gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    /// The command's name, for messages.
    pub command: String,
    /// Arguments that are no flags.
    pub words: Vec<String>,
    /// What follows `--`.
    pub after_dashes: Option<Vec<String>>,
    /// Standard input.
    pub stdin: Option<String>,
    flags: Vec<(&'static str, String)>,
}

impl Args {
    /// Reads `words` by the flags of a command.
    pub fn parse(command: &str, flags: &'static [Flag], words: &[String]) -> Result<Args> {
        let mut args = Args { command: command.into(), ..Args::default() };
        let cut = words.iter().position(|word| word == "--").unwrap_or(words.len());
        args.after_dashes = words.get(cut + 1..).map(<[String]>::to_vec);
        let find = |name: lexopt::Arg<'_>| {
            let mut all = flags.iter().chain(GLOBAL);
            match name {
                lexopt::Arg::Long(long) => all.find(|f| f.long == long),
                lexopt::Arg::Short(short) => all.find(|f| f.short == Some(short)),
                lexopt::Arg::Value(_) => None,
            }
        };
        let see = |text: String| format!("{text}\nSee 'kubectl {command} --help' for usage.");
        let mut parser = lexopt::Parser::from_args(&words[..cut]);
        loop {
            let (flag, is_long) = match parser.next() {
                Ok(None) => break,
                Ok(Some(lexopt::Arg::Value(word))) => {
                    args.words.push(word.to_string_lossy().into_owned());
                    continue;
                }
                Ok(Some(lexopt::Arg::Long(long))) => match find(lexopt::Arg::Long(long)) {
                    Some(flag) => (flag, true),
                    None => return fail(see(format!("unknown flag: --{long}"))),
                },
                Ok(Some(lexopt::Arg::Short(short))) => match find(lexopt::Arg::Short(short)) {
                    Some(flag) => (flag, false),
                    None => {
                        return fail(see(format!("unknown shorthand flag: '{short}' in -{short}")));
                    }
                },
                Err(error) => return fail(see(error.to_string())),
            };
            let value = match flag.takes {
                Takes::Text => match parser.value() {
                    Ok(value) => value.to_string_lossy().into_owned(),
                    Err(_) => return fail(see(needs_argument(flag, is_long))),
                },
                Takes::Switch if is_long => {
                    let given = parser.optional_value().map(|v| v.to_string_lossy().into_owned());
                    match given.as_deref() {
                        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => "true".into(),
                        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => "false".into(),
                        Some(other) => {
                            return fail(see(format!(
                                "invalid argument \"{other}\" for \"--{}\" flag: \
                                 strconv.ParseBool: parsing \"{other}\": invalid syntax",
                                flag.long
                            )));
                        }
                    }
                }
                Takes::Switch => "true".into(),
                Takes::Optional(default) => parser
                    .optional_value()
                    .map_or_else(|| default.to_string(), |v| v.to_string_lossy().into_owned()),
            };
            args.flags.push((flag.long, value));
        }
        Ok(args)
    }

    /// The last value of a flag.
    pub fn text(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// All values of a flag that may be given several times.
    pub fn all(&self, long: &str) -> Vec<&str> {
        let given = self.flags.iter().filter(|(name, _)| *name == long);
        given.map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a switch is on; `default` where it is not given.
    pub fn on(&self, long: &str, default: bool) -> bool {
        self.text(long).map_or(default, |value| value == "true")
    }

    /// Whether a switch is given and on.
    pub fn is(&self, long: &str) -> bool {
        self.on(long, false)
    }

    /// Whether a flag is given at all.
    pub fn has(&self, long: &str) -> bool {
        self.text(long).is_some()
    }

    /// The value of a flag as a number.
    pub fn int(&self, long: &str) -> Result<Option<i64>> {
        let Some(text) = self.text(long) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => fail(format!(
                "invalid argument \"{text}\" for \"--{long}\" flag: strconv.ParseInt: parsing \
                 \"{text}\": invalid syntax\nSee 'kubectl {} --help' for usage.",
                self.command
            )),
        }
    }

    /// The value of a flag as a span of time.
    pub fn duration(&self, long: &str) -> Result<Option<base::Duration>> {
        let Some(text) = self.text(long) else { return Ok(None) };
        match crate::text::human::parse_duration(text) {
            Some(span) => Ok(Some(span)),
            None => fail(format!(
                "invalid argument \"{text}\" for \"--{long}\" flag: time: invalid duration \
                 \"{text}\"\nSee 'kubectl {} --help' for usage.",
                self.command
            )),
        }
    }
}

fn needs_argument(flag: &Flag, is_long: bool) -> String {
    match flag.short {
        Some(short) if !is_long => format!("flag needs an argument: '{short}' in -{short}"),
        _ => format!("flag needs an argument: --{}", flag.long),
    }
}
