//! Container images: their names, what is known of each, and which of them can be pulled.

use std::sync::Arc;

use base::{BTreeMap, Duration, Rng, Str};

use super::images;
use super::program::Program;
use super::server::Server;

/// What is known of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The repository without registry and tag: `nginx`, `hashicorp/http-echo`.
    pub name: Str,
    /// Bytes to pull.
    pub size: i64,
    /// How long an undisturbed pull takes.
    pub pull: Duration,
    /// What always runs first.
    pub entrypoint: Vec<Str>,
    /// Its arguments where the container names none.
    pub cmd: Vec<Str>,
    /// Whether there is a shell with its userland.
    pub shell: bool,
    /// A variable without which it ends at once, with what it prints then.
    pub needs: Option<(Vec<Str>, Str)>,
    /// The newest release: major and minor number. Later ones cannot be pulled.
    pub newest: Option<(u32, u32)>,
    /// What it does, whatever command it is given: images of scenario files.
    pub program: Option<Program>,
    /// Resident memory in bytes while it runs.
    pub memory: i64,
}

impl Image {
    /// An image that is known by its command line only.
    pub fn new(name: &str, megabytes: i64, entrypoint: &[&str], cmd: &[&str]) -> Image {
        let strings = |words: &[&str]| words.iter().map(|word| Str::from(*word)).collect();
        Image {
            name: name.into(),
            size: megabytes * 1_000_000 + 3_517,
            pull: Duration::millis(300 + megabytes * 16),
            entrypoint: strings(entrypoint),
            cmd: strings(cmd),
            shell: true,
            needs: None,
            newest: None,
            program: None,
            memory: 12 << 20,
        }
    }

    /// An image of a scenario file: a server on these ports.
    pub fn server(name: &str, server: Server) -> Image {
        Image {
            program: Some(Program::Server(Arc::new(server))),
            ..Image::new(name, 50, &["/app"], &[])
        }
    }
}

/// The name of an image taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `docker.io`, `registry.k8s.io`, …
    pub registry: Str,
    /// `library/nginx`, `pause`, …
    pub repository: Str,
    /// `latest` where none is given; empty with a digest.
    pub tag: Str,
    /// `sha256:…`; empty if none is given.
    pub digest: Str,
}

impl Reference {
    /// Reads an image name; the error is what the reference parser says.
    pub fn parse(text: &str) -> Result<Reference, String> {
        let bad = || "invalid reference format".to_string();
        let (rest, digest) = text.split_once('@').unwrap_or((text, ""));
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => {
                if tag.is_empty() {
                    return Err(bad());
                }
                (path, tag)
            }
            _ => (rest, ""),
        };
        let (registry, repository) = match path.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest.to_string())
            }
            Some(_) => ("docker.io", path.to_string()),
            None => ("docker.io", format!("library/{path}")),
        };
        if repository.chars().any(|c| c.is_ascii_uppercase()) {
            let why = format!("repository name ({repository}) must be lowercase");
            return Err(format!("invalid reference format: {why}"));
        }
        let part = |part: &str| {
            let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            !part.is_empty()
                && part.starts_with(edge)
                && part.ends_with(edge)
                && part.chars().all(|c| edge(c) || "._-".contains(c))
        };
        let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if path.is_empty() || !repository.split('/').all(part) || !tag.chars().all(word) {
            return Err(bad());
        }
        let tag = if tag.is_empty() && digest.is_empty() { "latest" } else { tag };
        Ok(Reference {
            registry: registry.into(),
            repository: repository.into(),
            tag: tag.into(),
            digest: digest.into(),
        })
    }

    /// The full name with tag or digest.
    pub fn full(&self) -> Str {
        let mut name = format!("{}/{}", self.registry, self.repository);
        if !self.tag.is_empty() {
            name += &format!(":{}", self.tag);
        } else if !self.digest.is_empty() {
            name += &format!("@{}", self.digest);
        }
        name.into()
    }

    /// The full name with the digest of its content.
    pub fn id(&self) -> Str {
        let digest = match self.digest.as_str() {
            "" => format!("sha256:{}", hex(&self.full())),
            digest => digest.to_string(),
        };
        format!("{}/{}@{digest}", self.registry, self.repository).into()
    }

    /// The repository as the catalogue names it.
    pub fn short(&self) -> &str {
        self.repository.strip_prefix("library/").unwrap_or(&self.repository)
    }
}

/// 64 hexadecimal digits that depend on the text only.
fn hex(text: &str) -> String {
    let mut rng = Rng::stream(0, text);
    (0..4).map(|_| format!("{:016x}", rng.next_u64())).collect()
}

/// All images that can be pulled, with their behaviours.
#[derive(Clone, Debug)]
pub struct Catalogue {
    images: BTreeMap<Str, Arc<Image>>,
    /// What an image does of which nothing is known.
    other: Arc<Image>,
    /// Names that cannot be pulled if they contain one of these.
    missing: Vec<Str>,
    /// Every pull takes so long and has so many bytes, for runs compared with recordings.
    uniform: Option<(Duration, i64)>,
}

impl Default for Catalogue {
    fn default() -> Catalogue {
        let mut catalogue = Catalogue {
            images: BTreeMap::new(),
            other: Arc::new(Image::new("", 50, &[], &[])),
            missing: ["nope", "nonexist", ":bad", "does-not-exist", "doesnotexist", "no-such"]
                .map(Str::from)
                .to_vec(),
            uniform: None,
        };
        images::all().into_iter().for_each(|image| catalogue.add(image));
        catalogue
    }
}

impl Catalogue {
    /// Adds an image, or replaces the one of its name. A name with a tag stands for that tag only.
    pub fn add(&mut self, image: Image) {
        self.images.insert(image.name.clone(), Arc::new(image));
    }

    /// Makes an image that cannot be pulled of every name that contains `text`.
    pub fn forbid(&mut self, text: impl Into<Str>) {
        self.missing.push(text.into());
    }

    /// Lets every pull take this time and have this size.
    pub fn uniform(mut self, pull: Duration, size: i64) -> Catalogue {
        self.uniform = Some((pull, size));
        self
    }

    /// What is known of an image.
    pub fn find(&self, reference: &Reference) -> &Arc<Image> {
        let short = reference.short();
        let tagged = format!("{short}:{}", reference.tag);
        let last = short.rsplit('/').next().unwrap_or(short);
        let names = [tagged.as_str(), short, reference.repository.as_str()];
        let known = names.into_iter().find_map(|name| self.images.get(name));
        // Mirrors: the same image under another registry or organisation.
        let mirror = || self.images.get(last).filter(|_| MIRRORED.contains(&last));
        known.or_else(mirror).unwrap_or(&self.other)
    }

    /// Bytes and time of a pull.
    pub fn pull(&self, image: &Image) -> (i64, Duration) {
        self.uniform.map_or((image.size, image.pull), |(pull, size)| (size, pull))
    }

    /// Why an image cannot be pulled, in the words of the runtime.
    pub fn refusal(&self, text: &str, reference: &Reference) -> Option<String> {
        let full = reference.full();
        let what = format!("failed to pull and unpack image \"{full}\"");
        let resolve = format!("{what}: failed to resolve reference \"{full}\"");
        let absent = self.missing.iter().any(|part| text.contains(part.as_str()));
        let known = self.find(reference);
        if absent && known.name.is_empty() && reference.registry == "docker.io" {
            return Some(format!(
                "{resolve}: pull access denied, repository does not exist or may require \
                 authorization: server message: insufficient_scope: authorization failed"
            ));
        }
        if absent || too_new(known, &reference.tag) {
            return Some(format!("rpc error: code = NotFound desc = {resolve}: {full}: not found"));
        }
        None
    }
}

/// Images that other registries carry under the same last name.
const MIRRORED: &[&str] = &[
    "nginx",
    "busybox",
    "pause",
    "redis",
    "postgres",
    "mysql",
    "agnhost",
    "httpd",
    "alpine",
    "http-echo",
];

fn too_new(image: &Image, tag: &str) -> bool {
    let Some(newest) = image.newest else { return false };
    let numbers = tag.split('-').next().unwrap_or_default();
    let mut parts = numbers.split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) > newest,
        (Some(Ok(major)), None) => major > newest.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let got = Reference::parse(text).map_or_else(|e| e, |r| r.full().to_string());
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn names_are_completed() {
        check("nginx", "docker.io/library/nginx:latest");
        check("nginx:1.27", "docker.io/library/nginx:1.27");
        check("hashicorp/http-echo:1.0", "docker.io/hashicorp/http-echo:1.0");
        check("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10");
        check("localhost:5000/a/b", "localhost:5000/a/b:latest");
        check("nginx@sha256:abc", "docker.io/library/nginx@sha256:abc");
    }

    #[test]
    fn wrong_names_are_refused() {
        check("nginx:", "invalid reference format");
        check("ngi nx", "invalid reference format");
        check(
            "Nginx",
            "invalid reference format: repository name (library/Nginx) must be lowercase",
        );
    }

    #[test]
    fn missing_images_and_tags_cannot_be_pulled() {
        let catalogue = Catalogue::default();
        let refused = |text: &str| catalogue.refusal(text, &Reference::parse(text).unwrap());
        assert_eq!(refused("nginx:1.27"), None);
        assert_eq!(refused("someone/app:7"), None);
        assert!(refused("nginx:1.161").unwrap().ends_with("nginx:1.161: not found"));
        assert!(refused("nginx:bad").unwrap().starts_with("rpc error: code = NotFound"));
        assert!(refused("nonexist:1").unwrap().contains("pull access denied"));
    }

    #[test]
    fn a_digest_depends_on_the_name_only() {
        let id = |text: &str| Reference::parse(text).unwrap().id();
        assert_eq!(id("nginx"), id("docker.io/library/nginx:latest"));
        assert_ne!(id("nginx"), id("nginx:1.27"));
        assert_eq!(id("nginx").len(), "docker.io/library/nginx@sha256:".len() + 64);
    }
}
