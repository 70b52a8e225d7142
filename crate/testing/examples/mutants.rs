//! Makes one mutation after the other in a copy of the sources, and says which tests catch each: see tools/mutants.
//!
//! Nearly all of them are in one build, in which each is switched on when it runs. Each is given to the tests that are known to
//! catch it, and to the simulation of a whole service; where both pass, to all other tests of the engine. One that survives, does
//! not compile, or is not to be found in its file any more, is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;
use std::{env, fs};

use muc_cloud_notify_testing::mutations::{self, ASKER, Mutation, switched};

/// What is copied of the repository, besides all Lua files at its root.
const COPIED: [&str; 8] = ["crate", "Cargo.toml", "Cargo.lock", "lua", "harness", "spec", "tools", "docs"];

/// What is needed besides, and not changed.
const LINKED: [&str; 4] = [".test", "demo", "muc_cloud_notify.so", "web_push_app_server.so"];

/// What properties have found: that is added to, and belongs to one mutation.
const SEEDS: &str = "crate/core/tests/proptest-regressions";

/// After so many seconds a test is taken for one that never ends.
const LONGEST: &str = "300";

/// How many steps there are of the simulation.
const STEPS: &str = "400000";

/// The programs that hold the tests of the engine: how their names begin, and of which crate they are.
const PROGRAMS: [(&str, &str); 3] =
    [("engine-", "core"), ("muc_cloud_notify_core-", "core"), ("service-", "testing")];

/// How they are built: at once, to be run very often.
const BUILD: &str = "cargo test --no-run --package muc-cloud-notify-core --package muc-cloud-notify-testing \
    --lib --test engine --test service --locked --config profile.dev.debug=0 --config profile.dev.opt-level=1 \
    --config profile.dev.package.\"*\".opt-level=2";

/// What became of tests.
enum Verdict {
    Passed,
    /// These have failed.
    Failed(Vec<String>),
    /// None could be run.
    Broken(String),
}

/// The sources, to be changed, and what is built of them.
struct Copy {
    root: PathBuf,
    tree: PathBuf,
}

impl Copy {
    fn new(root: PathBuf) -> io::Result<Self> {
        let tree = root.join("target/mutants/tree");
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        fs::create_dir_all(&tree)?;
        let modules = fs::read_dir(&root)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let modules = modules.filter(|name| name.ends_with(".lua"));
        for name in COPIED.into_iter().map(str::to_owned).chain(modules) {
            copy(&root.join(&name), &tree.join(&name))?;
        }
        for name in LINKED.into_iter().filter(|name| root.join(name).exists()) {
            std::os::unix::fs::symlink(root.join(name), tree.join(name))?;
        }
        Ok(Copy { root, tree })
    }

    fn original(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.root.join(file))
    }

    fn write(&self, file: &str, source: &str) -> io::Result<()> {
        fs::write(self.tree.join(file), source)
    }

    fn forget_seeds(&self) -> io::Result<()> {
        fs::remove_dir_all(self.tree.join(SEEDS))?;
        copy(&self.root.join(SEEDS), &self.tree.join(SEEDS))
    }

    fn output(&self, folder: &str, command: &str, number: usize) -> io::Result<Output> {
        let (folder, mut words) = (self.tree.join(folder), command.split(' '));
        Command::new(words.next().unwrap_or_default())
            .args(words)
            .env("CARGO_MANIFEST_DIR", &folder)
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", self.tree.with_file_name("target"))
            .env("MUTATION", number.to_string())
            // Mutations are caught every time, or never.
            .env("PROPTEST_RNG_SEED", "1")
            .env("STEPS", STEPS)
            .env("RUST_BACKTRACE", "0")
            .output()
    }

    /// Builds the tests. Returns where they are, or what is wrong.
    fn build(&self) -> io::Result<Result<Programs, String>> {
        let output = self.output("", BUILD, 0)?;
        let text = String::from_utf8_lossy(&output.stderr);
        let built = || {
            text.lines()
                .filter_map(|line| line.split_once("Executable ")?.1.split_once('(')?.1.strip_suffix(')'))
        };
        let find = |(name, folder): (&str, &str)| {
            let is_it = |path: &&str| path.rsplit('/').next().is_some_and(|file| file.starts_with(name));
            let path = self.tree.join(built().find(is_it)?).to_string_lossy().into_owned();
            Some((format!("crate/{folder}"), path))
        };
        let programs: Vec<_> = PROGRAMS.into_iter().filter_map(find).collect();
        match programs.try_into() {
            Ok(programs) if output.status.success() => Ok(Ok(programs)),
            _ => Ok(Err(complaint(&output))),
        }
    }

    fn run(&self, folder: &str, command: &str, number: usize) -> io::Result<Verdict> {
        let output = self.output(folder, &format!("timeout {LONGEST} {command}"), number)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let of_rust = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned());
        let of_lua = |line: &str| Some(line.strip_prefix("not ok ")?.split_once(" - ")?.1.to_owned());
        let failed: Vec<_> = text.lines().filter_map(|line| of_rust(line).or_else(|| of_lua(line))).collect();
        Ok(match output.status.code() {
            Some(0) => Verdict::Passed,
            Some(124) => Verdict::Failed(vec!["a test that never ends".to_owned()]),
            _ if failed.is_empty() => Verdict::Broken(complaint(&output)),
            _ => Verdict::Failed(failed),
        })
    }

    /// Runs the tests that are `known` to fail while this mutation is on, and the simulation; and where both pass, all other tests of
    /// the engine. Returns by what it is caught.
    fn run_all(&self, programs: &Programs, known: Option<&str>, number: usize) -> io::Result<Caught> {
        let [(core, engine), (_, unit), (testing, service)] = programs;
        let first = known.map(|known| (core, format!("{engine} {known}"), true));
        let stages = first.into_iter().chain([
            (testing, format!("{service} always_the_same"), true),
            (core, unit.clone(), false),
            (core, engine.clone(), false),
        ]);
        let mut caught_by = Vec::new();
        for (folder, command, is_always_run) in stages {
            if !is_always_run && !caught_by.is_empty() && !is_set("ALL") {
                break;
            }
            match self.run(folder, &command, number)? {
                Verdict::Passed => {}
                Verdict::Failed(_) if folder == testing => caught_by.push("the simulation".to_owned()),
                Verdict::Failed(tests) => caught_by.extend(tests),
                Verdict::Broken(complaint) => return Ok(Err(complaint)),
            }
        }
        self.forget_seeds()?;
        caught_by.sort();
        caught_by.dedup();
        Ok(Ok(caught_by))
    }

    fn run_spec(&self, spec: &str) -> io::Result<Verdict> {
        self.run("", &format!("tools/busted --no-keep-going -o TAP {spec}"), 0)
    }

    /// Makes a mutation alone.
    fn try_alone(&self, mutation: &Mutation) -> io::Result<Caught> {
        let original = self.original(&mutation.file)?;
        let mutated = match mutation.apply(&original) {
            Ok(mutated) => mutated,
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        self.write(&mutation.file, &mutated)?;
        let caught = if mutation.file.ends_with(".lua") {
            match self.run_spec(&mutation.caught_by)? {
                Verdict::Passed => Ok(Vec::new()),
                Verdict::Failed(_) => Ok(vec![mutation.caught_by.clone()]),
                Verdict::Broken(complaint) => Err(complaint),
            }
        } else {
            match self.build()? {
                Ok(programs) => self.run_all(&programs, Some(&mutation.caught_by), 0)?,
                Err(complaint) => Err(complaint),
            }
        };
        self.write(&mutation.file, &original)?;
        Ok(caught)
    }

    /// Makes as many of these as are possible in one build. Returns the numbers of the others, or what is wrong.
    fn switch_on(&self, numbered: &[(usize, &Mutation)]) -> io::Result<Result<Vec<usize>, String>> {
        let mut by_file: BTreeMap<&str, Vec<(usize, &Mutation)>> = BTreeMap::new();
        for (number, mutation) in numbered {
            by_file.entry(&mutation.file).or_default().push((*number, mutation));
        }
        let mut others = Vec::new();
        for (file, mutations) in by_file {
            match switched(&self.original(file)?, &mutations) {
                Ok((source, left)) => {
                    self.write(file, &source)?;
                    others.extend(left);
                }
                Err(fault) => return Ok(Err(format!("{file}: {fault}"))),
            }
        }
        let root = "crate/core/src/lib.rs";
        self.write(root, &(self.original(root)? + ASKER))?;
        Ok(Ok(others))
    }
}

/// Where the tests are, and from where they are run.
type Programs = [(String, String); 3];

/// What a mutation is caught by, or why that could not be found out.
type Caught = Result<Vec<String>, String>;

/// The last lines of what a command says is wrong.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(60)..].join("\n        ")
}

/// Copies a file, or a folder without what is built in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "node_modules" && name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn all_mutations(root: &Path) -> io::Result<Vec<Mutation>> {
    let folder = fs::read_dir(root.join("crate/testing/mutations"))?;
    let mut files = folder.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let read = mutations::read(&fs::read_to_string(file)?);
        all.extend(read.map_err(|fault| io::Error::other(fault.to_string()))?);
    }
    Ok(all)
}

fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// How it went.
struct Report<O> {
    out: O,
    caught: usize,
    survived: usize,
    faulty: usize,
}

impl<O: Write> Report<O> {
    fn add(&mut self, mutation: &Mutation, caught: Caught) -> io::Result<()> {
        let title = &mutation.title;
        match caught {
            Err(complaint) => {
                self.faulty += 1;
                writeln!(self.out, "FAULTY    {title}: {complaint}")?;
            }
            Ok(by) if by.is_empty() => {
                self.survived += 1;
                writeln!(self.out, "SURVIVED  {title}")?;
            }
            Ok(by) => {
                self.caught += 1;
                writeln!(self.out, "caught    {title} [{}]", by.join(", "))?;
            }
        }
        self.out.flush()
    }

    fn end(&mut self, started: Instant) -> io::Result<ExitCode> {
        let Report { caught, survived, faulty, .. } = *self;
        let minutes = started.elapsed().as_secs().div_ceil(60);
        writeln!(self.out, "{caught} caught, {survived} survived, {faulty} faulty, in {minutes} min")?;
        Ok(if survived + faulty == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn main() -> io::Result<ExitCode> {
    let started = Instant::now();
    let root = env::current_dir()?;
    let only = env::var("ONLY").unwrap_or_default();
    let is_chosen = |it: &Mutation| it.title.contains(&only) || it.file.contains(&only);
    let all: Vec<Mutation> = all_mutations(&root)?.into_iter().filter(is_chosen).collect();
    let (of_lua, of_rust): (Vec<&Mutation>, Vec<&Mutation>) =
        all.iter().partition(|it| it.file.ends_with(".lua"));
    let copy = Copy::new(root)?;
    let mut report = Report { out: io::stdout().lock(), caught: 0, survived: 0, faulty: 0 };

    let numbered: Vec<(usize, &Mutation)> = (1..).zip(of_rust).collect();
    let mut alone = Vec::new();
    if !numbered.is_empty() {
        let built = match copy.switch_on(&numbered)? {
            Ok(others) => {
                alone = others;
                copy.build()?
            }
            Err(fault) => Err(fault),
        };
        let programs = match built {
            Ok(programs) => programs,
            Err(complaint) => {
                writeln!(report.out, "The mutations cannot be built: {complaint}")?;
                return Ok(ExitCode::FAILURE);
            }
        };
        let fails = if is_set("TRUSTED") { Ok(Vec::new()) } else { copy.run_all(&programs, None, 0)? };
        if fails != Ok(Vec::new()) {
            writeln!(report.out, "Without any mutation this fails already: {fails:?}")?;
            return Ok(ExitCode::FAILURE);
        }
        for (number, mutation) in numbered.iter().filter(|(number, _)| !alone.contains(number)) {
            report.add(mutation, copy.run_all(&programs, Some(&mutation.caught_by), *number)?)?;
        }
    }
    if !alone.is_empty() {
        for (_, mutation) in &numbered {
            copy.write(&mutation.file, &copy.original(&mutation.file)?)?;
        }
    }
    for (_, mutation) in numbered.iter().filter(|(number, _)| alone.contains(number)) {
        report.add(mutation, copy.try_alone(mutation)?)?;
    }
    let of_lua: Vec<&Mutation> = of_lua.into_iter().filter(|_| is_set("LUA")).collect();
    for spec in of_lua.iter().map(|it| &it.caught_by).collect::<BTreeSet<_>>() {
        if !is_set("TRUSTED") && !matches!(copy.run_spec(spec)?, Verdict::Passed) {
            writeln!(report.out, "Without any mutation this fails already: {spec}")?;
            return Ok(ExitCode::FAILURE);
        }
    }
    for mutation in of_lua {
        report.add(mutation, copy.try_alone(mutation)?)?;
    }
    report.end(started)
}
