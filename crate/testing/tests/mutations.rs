//! The mutations still are what they are meant to be: that they are caught is shown by `make mutants`.

#![expect(clippy::unwrap_used, reason = "they are in the repository")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use muc_cloud_notify_testing::mutations::{Fault, Mutation, read};

const NEEDED: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn all() -> Vec<Mutation> {
    let files = fs::read_dir(root().join("crate/testing/mutations")).unwrap();
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| read(&text).unwrap()).collect()
}

#[test]
fn each_of_them_changes_something_that_is_there() {
    let all = all();
    assert!(all.len() >= NEEDED, "{}", all.len());
    for mutation in &all {
        let source = fs::read_to_string(root().join(&mutation.file)).unwrap();
        let mutated = mutation.apply(&source).unwrap_or_else(|fault| panic!("{}: {fault}", mutation.title));
        assert_ne!(mutated, source, "{}", mutation.title);
    }
}

#[test]
fn each_has_a_name_of_its_own_and_is_documented() {
    let all = all();
    assert_eq!(all.iter().map(|it| &it.title).collect::<BTreeSet<_>>().len(), all.len());
    let document = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    for Mutation { title, .. } in &all {
        assert!(document.contains(&format!("| {title} |")), "docs/reliability.md does not have: {title}");
    }
}

const TEXT: &str = "A comment.

## Nobody is told
src/a.rs  telling
- tell(
-     everybody,
- );
+

## All are told twice
src/b.rs  spec/telling_spec.lua
- tell(all)
+ tell(all);
+ tell(all)
";

#[test]
fn they_are_read_and_applied_whatever_blanks_there_are() {
    let [first, second] = &read(TEXT).unwrap()[..] else { panic!("there are two") };
    assert_eq!((&*first.file, &*first.caught_by), ("src/a.rs", "telling"));
    assert_eq!(first.apply("{ tell(everybody,); \"\u{e9}\" }").unwrap(), "{  \"\u{e9}\" }");
    assert_eq!(second.title, "All are told twice");
    assert_eq!(second.apply("x;\n\ttell(\n\t\tall)").unwrap(), "x;\n\ttell(all);\n tell(all)");
}

#[test]
fn what_is_not_there_once_is_not_changed() {
    let [_, mutation] = &read(TEXT).unwrap()[..] else { panic!("there are two") };
    assert_eq!(mutation.apply("tell(nobody)"), Err(Fault::Found(0)));
    assert_eq!(mutation.apply("tell(all); tell(all)"), Err(Fault::Found(2)));
    assert_eq!(mutation.apply(""), Err(Fault::Found(0)));
}

#[test]
fn what_is_none_is_an_error() {
    for text in
        ["## a", "## a\nfile\n- b", "## a\nfile  by\n", "## a\nfile  by\n+ b", "## a\nfile  by\n- b\nc"]
    {
        assert!(matches!(read(text), Err(Fault::Malformed(_))), "{text}");
    }
    assert_eq!(read("Nothing but a comment.\n"), Ok(Vec::new()));
}
