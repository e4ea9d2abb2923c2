//! Share links: a scenario's inputs and what was done since, in the fragment of an address.
//!
//! `#1<length>.<payload>.<checksum>`: the version, the number of characters of the payload, the
//! payload (fields, deflated against a preset dictionary, base64url) and a checksum of all before it.
//! Nothing of it is state: who opens the link replays it.
//!
//! `#lesson/<name>/<step>` is the short form of a built-in lesson.

mod fields;
mod squeeze;

use base::{Duration, Str};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::catalogue;
use crate::file::{ClusterSpec, Scenario, ViewSpec, is_name};
use crate::read::{Invalid, distance};

/// The longest link that is looked at, in characters. Longer ones travel as files.
pub const LINK_CHARS_MAX: usize = 200_000;

/// The most that a link may unpack to, in bytes.
pub const UNPACKED_BYTES_MAX: usize = 1 << 20;

const VERSION: char = '1';
const CHECKSUM_CHARS: usize = 6;

/// What a fragment says.
#[derive(Clone, Debug, PartialEq)]
pub enum Fragment {
    /// Nothing: the address has none.
    Nothing,
    /// A built-in lesson and its step, counted from 1.
    Lesson {
        /// The lesson, which exists.
        name: Str,
        /// The step, which exists.
        step: usize,
    },
    /// A share link.
    Share(Box<Share>),
}

/// What a link carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Where it starts.
    pub origin: Origin,
    /// What was done since, as `cluster::write_log` writes it.
    pub log: Str,
    /// The moment it is about, since the start; none for the start itself.
    pub moment: Option<Duration>,
    /// What is shown.
    pub view: Option<ViewSpec>,
    /// The open step of a lesson, counted from 1.
    pub step: Option<u32>,
    /// The trace hash at that moment: who opens the link can tell whether the run is the same.
    pub trace: Option<u64>,
}

/// Where a shared run starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// From a built-in lesson, by name.
    Lesson(Str),
    /// From a scenario or lesson file, byte for byte.
    File(Str),
    /// From a cluster and manifests, byte for byte.
    Bare {
        /// The cluster.
        cluster: ClusterSpec,
        /// Where chance comes from.
        seed: u64,
        /// What is applied at the start.
        manifests: Str,
    },
}

impl Origin {
    /// The scenario file that starts the same run.
    pub fn file(&self) -> String {
        match self {
            Origin::Lesson(name) => catalogue::text(name).unwrap_or_default().to_owned(),
            Origin::File(text) => text.to_string(),
            Origin::Bare { cluster, seed, manifests } => {
                crate::file::bare_text(cluster, *seed, manifests)
            }
        }
    }
}

/// Why a link cannot be opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The fragment is something else.
    #[error("this is no link of Orrery")]
    NotALink,
    /// It comes from a newer program.
    #[error("the link has version {0:?}, which this page does not know; reload the page")]
    Version(char),
    /// Its end is missing.
    #[error("the link was cut: {arrived} of {expected} characters arrived")]
    Cut {
        /// Characters that are there.
        arrived: usize,
        /// Characters that it had.
        expected: usize,
    },
    /// Something in it was changed.
    #[error("the link was damaged on its way: its checksum does not fit")]
    Damaged,
    /// It asks for too much.
    #[error("the link is refused: {0}")]
    Refused(String),
    /// It names a lesson that is not there.
    #[error("there is no lesson {name:?}{hint}")]
    NoLesson {
        /// The name.
        name: String,
        /// A better one.
        hint: String,
    },
    /// Its scenario file is wrong.
    #[error("the scenario in the link is wrong: {0}")]
    Invalid(#[from] Invalid),
}

/// How a link of some length travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// Anywhere, also as a QR code.
    Green,
    /// Through most programs.
    Amber,
    /// Some programs cut it.
    Red,
    /// Many programs cut it.
    Long,
    /// Only as a file.
    File,
}

impl Meter {
    /// For a link with so many characters.
    pub fn of(chars: usize) -> Meter {
        match chars {
            0..=300 => Meter::Green,
            301..=1_900 => Meter::Amber,
            1_901..=8_000 => Meter::Red,
            8_001..=30_000 => Meter::Long,
            _ => Meter::File,
        }
    }
}

impl Share {
    /// The fragment, with its `#`.
    pub fn to_fragment(&self) -> String {
        let payload = URL_SAFE_NO_PAD.encode(squeeze::pack(&fields::write(self)));
        let body = format!("{VERSION}{}.{payload}", payload.len());
        format!("#{body}.{}", checksum(&body))
    }

    /// The scenario it starts from.
    pub fn scenario(&self) -> Result<Scenario, LinkError> {
        match &self.origin {
            Origin::Lesson(name) => catalogue::lesson(name).ok_or_else(|| no_lesson(name)),
            Origin::File(text) => Ok(Scenario::parse(text)?),
            Origin::Bare { cluster, seed, manifests } => {
                Ok(Scenario::bare(cluster.clone(), *seed, manifests.clone()))
            }
        }
    }
}

/// Reads a fragment, with or without its `#`. The work is bounded by [`LINK_CHARS_MAX`] and
/// [`UNPACKED_BYTES_MAX`] whatever the text is.
pub fn parse_fragment(text: &str) -> Result<Fragment, LinkError> {
    let text = text.trim();
    let text = text.strip_prefix('#').unwrap_or(text);
    if text.is_empty() {
        return Ok(Fragment::Nothing);
    }
    if text.len() > LINK_CHARS_MAX {
        return Err(LinkError::Refused(format!("it is longer than {LINK_CHARS_MAX} characters")));
    }
    match text.strip_prefix("lesson/") {
        Some(rest) => lesson(rest),
        None => share(text).map(|share| Fragment::Share(Box::new(share))),
    }
}

fn lesson(rest: &str) -> Result<Fragment, LinkError> {
    let (name, step) = rest.split_once('/').unwrap_or((rest, "1"));
    let Some(lesson) = catalogue::lesson(name) else { return Err(no_lesson(name)) };
    let count = lesson.steps.len();
    let step = match step {
        "" => Some(1),
        step => step.parse().ok().filter(|step| (1..=count).contains(step)),
    };
    match step {
        Some(step) => Ok(Fragment::Lesson { name: lesson.name, step }),
        None => Err(LinkError::Refused(format!("{name} has steps 1 to {count}"))),
    }
}

fn no_lesson(name: &str) -> LinkError {
    let near = catalogue::LESSONS.iter().map(|(known, _)| (distance(known, name), known));
    let hint = match near.min().filter(|(distance, _)| *distance <= 4) {
        Some((_, known)) => format!("; did you mean {known}?"),
        None => String::new(),
    };
    LinkError::NoLesson { name: name.chars().take(63).collect(), hint }
}

fn share(text: &str) -> Result<Share, LinkError> {
    let version = text.chars().next().filter(char::is_ascii_digit).ok_or(LinkError::NotALink)?;
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 6 {
        return Err(LinkError::NotALink);
    }
    if version != VERSION {
        return Err(LinkError::Version(version));
    }
    let length: usize = text[1..1 + digits].parse().map_err(|_| LinkError::NotALink)?;
    let head = 1 + digits + 1;
    let expected = head + length + 1 + CHECKSUM_CHARS;
    // Characters that a program put behind the link, such as the full stop of a sentence.
    let text = text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    if text.len() < expected {
        return Err(LinkError::Cut { arrived: text.chars().count().min(expected - 1), expected });
    }
    let bytes = text.as_bytes();
    let framed = bytes[head - 1] == b'.' && bytes[head + length] == b'.';
    if !framed || text.len() > expected || !text.is_ascii() {
        return Err(LinkError::Damaged);
    }
    let (body, sum) = (&text[..head + length], &text[head + length + 1..]);
    if checksum(body) != sum {
        return Err(LinkError::Damaged);
    }
    let packed = URL_SAFE_NO_PAD.decode(&body[head..]).map_err(|_| LinkError::Damaged)?;
    let unpacked = squeeze::unpack(&packed, UNPACKED_BYTES_MAX)
        .map_err(|reason| LinkError::Refused(reason.to_owned()))?;
    let share = fields::read(&unpacked).map_err(LinkError::Refused)?;
    if let Origin::Lesson(name) = &share.origin
        && !is_name(name)
    {
        return Err(LinkError::Refused("its lesson has no proper name".into()));
    }
    Ok(share)
}

/// Six characters that change when any other does: CRC-32 in base64url.
fn checksum(text: &str) -> String {
    let crc = text.bytes().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    URL_SAFE_NO_PAD.encode((!crc).to_be_bytes())
}

#[cfg(test)]
mod tests;
