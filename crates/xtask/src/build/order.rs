//! The order of the functions in a wasm binary, which is free to choose and decides what a visitor downloads:
//! gzip sees a repetition within 32 KiB only, so functions that look alike are laid side by side.
//!
//! wasm-opt moves them and counts their callers anew. It sorts functions by name, so each is named by its place.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// How far back gzip looks.
const WINDOW_BYTES: usize = 32 << 10;
/// Functions are alike as far as they share runs of this many bytes.
const RUN_BYTES: usize = 6;
/// A run that more functions share says nothing about any two of them.
const HOLDERS_MAX: usize = 4000;
/// The functions that wasm-opt put in front because they are called most: their numbers take one byte.
const SHORT_NUMBERS: usize = 64;

const CUSTOM_SECTION: u8 = 0;
const IMPORT_SECTION: u8 = 2;
const CODE_SECTION: u8 = 10;

/// The binary with its functions in the order that compresses best. `name` is that of the file while wasm-opt
/// works on it.
pub fn for_gzip(name: &str, wasm: &[u8]) -> Result<Vec<u8>> {
    let functions = Functions::of(wasm).with_context(|| format!("reading {name}"))?;
    let order = order(&functions.bodies);
    let dir = process::root().join("target/order");
    std::fs::create_dir_all(&dir)?;
    let (before, after) = (dir.join(name), dir.join(format!("ordered-{name}")));
    std::fs::write(&before, named(wasm, functions.imported, &order))?;
    let mut wasm_opt = process::command("wasm-opt");
    wasm_opt.arg(&before).arg("-o").arg(&after);
    // Not the passes of these levels, but that the binary is written as tightly as they wrote it.
    wasm_opt.args([
        "--optimize-level=2",
        "--shrink-level=2",
        "--generate-stack-ir",
        "--optimize-stack-ir",
    ]);
    wasm_opt.args(["--reorder-functions-by-name", "--strip-producers", "--strip-target-features"]);
    process::run(&mut wasm_opt)?;
    Ok(std::fs::read(&after)?)
}

/// The numbers of the functions in their new order: always the one next that has most in common with what lies
/// less than a window before, for its size.
fn order(bodies: &[&[u8]]) -> Vec<usize> {
    let likeness = Likeness::of(bodies);
    let mut window = Window::new(&likeness);
    let in_front = SHORT_NUMBERS.min(bodies.len());
    let mut order: Vec<usize> = (0..in_front).collect();
    let mut left: Vec<usize> = (in_front..bodies.len()).collect();
    order.iter().for_each(|function| window.push(*function, bodies[*function].len()));
    while !left.is_empty() {
        let likely = |at: &usize| f64::from(window.score[left[*at]]) / likeness.expected[left[*at]];
        // Of equals the first, so that functions stay in the order of their crates where nothing else is known.
        let best =
            (1..left.len()).fold(0, |best, at| if likely(&at) > likely(&best) { at } else { best });
        let function = left.remove(best);
        window.push(function, bodies[function].len());
        order.push(function);
    }
    order
}

/// Which functions share what.
struct Likeness {
    /// The runs of each function that it shares with others, each once.
    runs: Vec<Vec<usize>>,
    /// The functions that hold a run.
    holders: Vec<Vec<usize>>,
    /// What a run counts: more, the fewer hold it.
    weight: Vec<u32>,
    /// By what a score is divided: long functions share more with whatever there is. Roots are the same on every
    /// machine, as a power would not be.
    expected: Vec<f64>,
}

impl Likeness {
    fn of(bodies: &[&[u8]]) -> Self {
        let mut holders_of = BTreeMap::<&[u8], Vec<usize>>::new();
        for (function, body) in bodies.iter().enumerate() {
            for run in body.windows(RUN_BYTES) {
                let holders = holders_of.entry(run).or_default();
                if holders.last() != Some(&function) {
                    holders.push(function);
                }
            }
        }
        let holders: Vec<_> = holders_of
            .into_values()
            .filter(|holders| (2..=HOLDERS_MAX).contains(&holders.len()))
            .collect();
        let mut runs = vec![Vec::new(); bodies.len()];
        for (run, functions) in holders.iter().enumerate() {
            functions.iter().for_each(|function| runs[*function].push(run));
        }
        let weight =
            holders.iter().map(|holders| (1000.0 / (holders.len() as f64).sqrt()) as u32).collect();
        let expected = bodies.iter().map(|body| {
            let root = (body.len() as f64 + 16.0).sqrt();
            root * root.sqrt()
        });
        Self { runs, weight, expected: expected.collect(), holders }
    }
}

/// The last functions that were laid down.
struct Window<'a> {
    likeness: &'a Likeness,
    functions: VecDeque<(usize, usize)>,
    bytes: usize,
    /// How often a run lies in the window.
    count: Vec<u32>,
    /// The weight of all runs that a function has in common with the window.
    score: Vec<u32>,
}

impl<'a> Window<'a> {
    fn new(likeness: &'a Likeness) -> Self {
        let (count, score) = (vec![0; likeness.holders.len()], vec![0; likeness.runs.len()]);
        Self { likeness, functions: VecDeque::new(), bytes: 0, count, score }
    }

    fn push(&mut self, function: usize, bytes: usize) {
        let likeness = self.likeness;
        for run in &likeness.runs[function] {
            self.count[*run] += 1;
            if self.count[*run] == 1 {
                likeness.holders[*run]
                    .iter()
                    .for_each(|other| self.score[*other] += likeness.weight[*run]);
            }
        }
        self.functions.push_back((function, bytes));
        self.bytes += bytes;
        while self.bytes > WINDOW_BYTES && self.functions.len() > 1 {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let likeness = self.likeness;
        let Some((function, bytes)) = self.functions.pop_front() else { return };
        self.bytes -= bytes;
        for run in &likeness.runs[function] {
            self.count[*run] -= 1;
            if self.count[*run] == 0 {
                likeness.holders[*run]
                    .iter()
                    .for_each(|other| self.score[*other] -= likeness.weight[*run]);
            }
        }
    }
}

/// The functions of a binary: how many it imports, and the bodies of its own.
struct Functions<'a> {
    imported: usize,
    bodies: Vec<&'a [u8]>,
}

impl<'a> Functions<'a> {
    fn of(wasm: &'a [u8]) -> Result<Self> {
        let mut rest = wasm.strip_prefix(b"\0asm\x01\0\0\0").context("no wasm binary")?;
        let mut functions = Self { imported: 0, bodies: Vec::new() };
        while !rest.is_empty() {
            let id = take(&mut rest, 1)?[0];
            let mut section = take_sized(&mut rest)?;
            match id {
                IMPORT_SECTION => functions.imported = imported_functions(&mut section)?,
                CODE_SECTION => {
                    for _ in 0..take_number(&mut section)? {
                        functions.bodies.push(take_sized(&mut section)?);
                    }
                }
                _ => {}
            }
        }
        Ok(functions)
    }
}

fn imported_functions(section: &mut &[u8]) -> Result<usize> {
    let count = take_number(section)?;
    for _ in 0..count {
        let (_module, _name) = (take_sized(section)?, take_sized(section)?);
        ensure!(take(section, 1)? == [0], "something else than a function is imported");
        let _type = take_number(section)?;
    }
    Ok(count)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    bytes.split_off(..count).context("the binary ends too early")
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let size = take_number(bytes)?;
    take(bytes, size)
}

/// An unsigned LEB128 number.
fn take_number(bytes: &mut &[u8]) -> Result<usize> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    bail!("a number has too many bytes")
}

/// The binary with a name section that names each function by its place.
fn named(wasm: &[u8], imported: usize, order: &[usize]) -> Vec<u8> {
    const FUNCTION_NAMES: u8 = 1;
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, function)| place[*function] = at);
    let mut names = number(order.len());
    for (function, place) in place.iter().enumerate() {
        names.extend(number(imported + function));
        names.extend(sized(format!("{place:06}").as_bytes()));
    }
    let mut section = sized(b"name");
    section.push(FUNCTION_NAMES);
    section.extend(sized(&names));
    let mut all = wasm.to_vec();
    all.push(CUSTOM_SECTION);
    all.extend(sized(&section));
    all
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut all = number(bytes.len());
    all.extend(bytes);
    all
}

fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of its own with a part that its family has in common.
    fn body(family: u8, number: u8) -> Vec<u8> {
        let own = (0..40).map(|at| (at ^ number).wrapping_mul(37));
        own.chain((0..60).map(|at| at + 80 * family)).collect()
    }

    fn ordered(bodies: &[Vec<u8>]) -> Vec<usize> {
        order(&bodies.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn functions_that_look_alike_lie_side_by_side() {
        let mut bodies: Vec<_> = (0..SHORT_NUMBERS).map(|at| vec![at as u8; 8]).collect();
        bodies.extend((0..20).map(|at| body(at % 2, at)));
        // The window is larger than all of them together: unlike functions follow when no like one is left.
        let families: Vec<_> = ordered(&bodies)[SHORT_NUMBERS..].iter().map(|at| at % 2).collect();
        assert_eq!(families, [[0; 10], [1; 10]].concat());
    }

    #[test]
    fn the_functions_that_are_called_most_stay_in_front() {
        let bodies: Vec<_> = (0..80).map(|at| body(at % 2, at)).collect();
        let order = ordered(&bodies);
        assert!(order[..SHORT_NUMBERS].iter().copied().eq(0..SHORT_NUMBERS));
    }

    #[test]
    fn every_function_has_one_place() {
        let bodies: Vec<_> = (0..200).map(|at| body(at % 3, at)).collect();
        let mut order = ordered(&bodies);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..200));
    }

    #[test]
    fn what_lies_further_back_than_the_window_is_forgotten() {
        let bodies: Vec<_> = (0..3).map(|at| body(0, at)).collect();
        let likeness = Likeness::of(&bodies.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut window = Window::new(&likeness);
        window.push(0, 100);
        assert!(window.score[2] > 0);
        window.push(1, WINDOW_BYTES);
        window.pop();
        assert_eq!(window.score, [0, 0, 0]);
    }

    #[test]
    fn a_binary_is_read_as_it_is_laid_out() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        wasm.extend(b"\x02\x07\x01\x01a\x01b\x00\x00"); // imports the function a.b
        wasm.extend(b"\x0a\x08\x02\x02\x00\x0b\x03\x00\x01\x0b"); // two bodies
        let functions = Functions::of(&wasm).unwrap();
        assert_eq!(functions.imported, 1);
        assert_eq!(functions.bodies, [&[0, 0x0b][..], &[0, 1, 0x0b]]);
        let named = named(&wasm, 1, &[1, 0]);
        let names = b"\0\x18\x04name\x01\x11\x02\x01\x06000001\x02\x06000000";
        assert_eq!(named[wasm.len()..], names[..]);
        assert_eq!(Functions::of(&named).unwrap().bodies, functions.bodies);
        assert!(Functions::of(&wasm[..wasm.len() - 1]).is_err());
    }
}
