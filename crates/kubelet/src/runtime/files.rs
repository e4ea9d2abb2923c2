//! What a container sees as its file system: its own files over those of its image, and mounted volumes.

use std::sync::Arc;

use base::{BTreeMap, Str};

/// The files of a volume by path below its root.
pub type Volume = BTreeMap<Str, Str>;

/// Where a volume appears in a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    /// The path, without a slash at its end.
    pub path: Str,
    /// Which of the pod's volumes.
    pub volume: usize,
    /// The part of the volume that is mounted; empty for all.
    pub sub_path: Str,
    /// Writing is refused.
    pub read_only: bool,
}

/// The file system of one container while its process runs.
pub struct Files<'a> {
    /// Its own files, by full path.
    pub own: &'a mut BTreeMap<Str, Str>,
    /// Its mounts.
    pub mounts: &'a [Mount],
    /// The volumes of its pod.
    pub volumes: &'a mut [Arc<Volume>],
    /// One file of the image: path and content.
    pub image: Option<&'a (Str, Str)>,
}

/// At most so many bytes of one file are kept.
const BYTES_MAX: usize = 64 * 1024;

impl Files<'_> {
    /// The content of a file.
    pub fn read(&self, path: &str) -> Option<Str> {
        let path = clean(path);
        match self.mounted(&path) {
            Some((mount, inner)) => self.volumes.get(mount.volume)?.get(inner.as_str()).cloned(),
            None => self.own.get(path.as_str()).cloned().or_else(|| {
                self.image
                    .filter(|(known, _)| *known == path.as_str())
                    .map(|(_, text)| text.clone())
            }),
        }
    }

    /// Replaces a file, or adds to it; a word on why it cannot.
    pub fn write(&mut self, path: &str, text: &str, append: bool) -> Result<(), &'static str> {
        let path = clean(path);
        if matches!(path.as_str(), "/dev/null" | "/dev/zero" | "/dev/full" | "/dev/tty") {
            return Ok(());
        }
        let (files, key) = match self.mounted(&path) {
            Some((mount, _)) if mount.read_only => return Err("Read-only file system"),
            Some((mount, inner)) => match self.volumes.get_mut(mount.volume) {
                Some(files) => (Arc::make_mut(files), inner),
                None => return Err("No such file or directory"),
            },
            None => (&mut *self.own, path),
        };
        let old = if append { files.get(key.as_str()).cloned() } else { None };
        let mut full = old.map(|text| text.to_string()).unwrap_or_default();
        full.push_str(text);
        if full.len() > BYTES_MAX {
            let mut cut = full.len() - BYTES_MAX;
            while !full.is_char_boundary(cut) {
                cut += 1;
            }
            full.drain(..cut);
        }
        files.insert(key.into(), full.into());
        Ok(())
    }

    /// Removes a file, or a directory with all that is in it. False if there was nothing.
    pub fn remove(&mut self, path: &str) -> bool {
        let path = clean(path);
        let (files, key) = match self.mounted(&path) {
            Some((mount, inner)) => match self.volumes.get_mut(mount.volume) {
                Some(files) => (Arc::make_mut(files), inner),
                None => return false,
            },
            None => (&mut *self.own, path),
        };
        let inside = format!("{key}/");
        let before = files.len();
        files.retain(|name, _| *name != key.as_str() && !name.starts_with(&inside));
        files.len() < before
    }

    /// Whether there is a directory: something lies below it, or it is the root of a mount.
    pub fn is_dir(&self, path: &str) -> bool {
        let path = clean(path);
        path == "/"
            || DIRS.contains(&path.as_str())
            || self.mounts.iter().any(|mount| mount.path == path.as_str())
            || !self.list(&path).is_empty()
    }

    /// The names in a directory, in order.
    pub fn list(&self, path: &str) -> Vec<String> {
        let path = clean(path);
        let mut names = Vec::new();
        let mut add = |name: &str, dir: &str| {
            let rest = match dir {
                "" | "/" => name.strip_prefix('/').or((!name.is_empty()).then_some(name)),
                dir => name.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/')),
            };
            if let Some(first) = rest.and_then(|rest| rest.split('/').next())
                && !first.is_empty()
            {
                names.push(first.to_string());
            }
        };
        match self.mounted(&path) {
            Some((mount, inner)) => {
                if let Some(volume) = self.volumes.get(mount.volume) {
                    volume.keys().for_each(|name| add(name, &inner));
                }
            }
            None => {
                self.own.keys().for_each(|name| add(name, &path));
                self.mounts.iter().for_each(|mount| add(&mount.path, &path));
            }
        }
        base::sort::naturally(&mut names);
        names.dedup();
        names
    }

    fn mounted(&self, path: &str) -> Option<(&Mount, String)> {
        let fits = |mount: &&Mount| {
            path.strip_prefix(mount.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mount = self.mounts.iter().filter(fits).max_by_key(|mount| mount.path.len())?;
        let rest = path[mount.path.len()..].trim_start_matches('/');
        let inner = match (mount.sub_path.as_str(), rest) {
            ("", rest) => rest.to_string(),
            (sub, "") => sub.to_string(),
            (sub, rest) => format!("{sub}/{rest}"),
        };
        Some((mount, inner))
    }
}

const DIRS: &[&str] = &["/bin", "/dev", "/etc", "/home", "/proc", "/root", "/tmp", "/usr", "/var"];

/// A full path without `.`, `..` and double slashes.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_volume_hides_what_lies_below_and_is_shared() {
        let mut volumes = vec![Arc::new(Volume::new())];
        let (mut one, mut two) = (BTreeMap::new(), BTreeMap::new());
        let at = |path: &str| {
            vec![Mount { path: path.into(), volume: 0, sub_path: "".into(), read_only: false }]
        };
        let (a, b) = (at("/data"), at("/usr/share/html"));
        let mut first = Files { own: &mut one, mounts: &a, volumes: &mut volumes, image: None };
        first.write("/data/../data/index.html", "hello\n", false).unwrap();
        first.write("/data/index.html", "you\n", true).unwrap();
        assert_eq!(first.list("/"), ["data"]);
        let second = Files { own: &mut two, mounts: &b, volumes: &mut volumes, image: None };
        assert_eq!(second.read("/usr/share/html/index.html").unwrap(), "hello\nyou\n");
        assert_eq!(second.list("/usr/share/html"), ["index.html"]);
    }

    #[test]
    fn read_only_mounts_refuse_writes() {
        let mount =
            Mount { path: "/etc/c".into(), volume: 0, sub_path: "".into(), read_only: true };
        let mut volumes = vec![Arc::new(Volume::new())];
        let mut own = BTreeMap::new();
        let mut files =
            Files { own: &mut own, mounts: &[mount], volumes: &mut volumes, image: None };
        assert_eq!(files.write("/etc/c/x", "1", false), Err("Read-only file system"));
        assert_eq!(files.write("/etc/d", "1", false), Ok(()));
        assert!(files.remove("/etc/d") && !files.remove("/etc/d"));
    }
}
