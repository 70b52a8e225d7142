//! Runs every target with the inputs that are kept, and then for some seconds with others: `FUZZ_SECONDS`, 1 unless it is
//! said. What finds something is made shorter, and written to `inputs/`: it belongs in the commit that mends it. `SEED` repeats
//! the course of a run.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "it is a test, and says what it has found"
)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use muc_cloud_notify_fuzz::{TARGETS, Target};

/// The longest input that is made up, in bytes.
const LONGEST: usize = 2048;

fn folder(target: Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("inputs").join(target.name)
}

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().expect("a number"))
}

/// Numbers that look random: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("it is below")
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Another input: a new one, or one that is kept with a few changes, or a part of one before a part of another.
    fn input(&mut self, kept: &[Vec<u8>]) -> Vec<u8> {
        let some = |this: &mut Self| kept.get(this.below(kept.len())).cloned().unwrap_or_default();
        match self.below(4) {
            0 => {
                let mut input = some(self);
                for _ in 0..=self.below(8) {
                    let (place, byte) = (self.below(input.len() + 1), self.next().to_le_bytes()[0]);
                    match self.below(3) {
                        0 => input.insert(place, byte),
                        1 if place < input.len() => drop(input.remove(place)),
                        _ => input.get_mut(place).into_iter().for_each(|old| *old = byte),
                    }
                }
                input
            }
            1 => {
                let (mut input, other) = (some(self), some(self));
                input.truncate(self.below(input.len() + 1));
                input.extend(other.into_iter().skip(self.below(64)));
                input
            }
            _ => {
                let longest = 1 << self.below(LONGEST.ilog2() as usize + 1);
                let count = self.below(longest);
                self.bytes(count)
            }
        }
    }
}

fn is_found(target: Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err()
}

/// The same in fewer bytes.
fn shortened(target: Target, mut input: Vec<u8>) -> Vec<u8> {
    let until = Instant::now() + Duration::from_secs(5);
    let mut length = input.len() / 2;
    while length > 0 && Instant::now() < until {
        let mut start = 0;
        while start + length <= input.len() && Instant::now() < until {
            let mut shorter = input.clone();
            drop(shorter.drain(start..start + length));
            if is_found(target, &shorter) { input = shorter } else { start += length }
        }
        length /= 2;
    }
    input
}

fn run(name: &str) {
    let target = *TARGETS.iter().find(|target| target.name == name).expect("there is a target of this name");
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder(target)).expect("a folder of inputs") {
        let path = entry.expect("an entry").path();
        let input = fs::read(&path).expect("an input");
        assert!(!is_found(target, &input), "{} finds something", path.display());
        kept.push(input);
    }
    let seed = number("SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(1));
    let mut numbers = Numbers(seed);
    let mut count = 0_u64;
    while Instant::now() < until {
        count += 1;
        let input = numbers.input(&kept);
        if is_found(target, &input) {
            let input = shortened(target, input);
            let path = folder(target).join(format!("found-{seed:016x}"));
            fs::write(&path, &input).expect("the input is written");
            panic!("SEED={seed}: input {count} finds something; it is kept in {}", path.display());
        }
    }
    eprintln!("{name}: {} kept inputs, {count} others, SEED={seed}", kept.len());
}

#[test]
fn enable() {
    run("enable");
}

#[test]
fn record() {
    run("record");
}

#[test]
fn message() {
    run("message");
}

#[test]
fn bounce() {
    run("bounce");
}

#[test]
fn reply() {
    run("reply");
}

#[test]
fn snapshot() {
    run("snapshot");
}
