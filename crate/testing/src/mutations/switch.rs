//! Source code in which mutations are switched on when it runs, so that one build does for very many of them: a function that is
//! to be changed becomes one that looks which of its forms is asked for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Fault, Mutation};

/// What asks which mutation is on: to be appended to the root of a crate.
pub const ASKER: &str = r#"
pub(crate) fn mutation() -> usize {
    static MUTATION: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| {
        std::env::var("MUTATION").ok().and_then(|number| number.parse().ok()).unwrap_or_default()
    });
    *MUTATION
}
"#;

/// A function: what stands before its body, and the body with its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    signature: Range<usize>,
    body: Range<usize>,
}

/// Makes a source one in which each of these mutations is on where its number is asked for. Returns the numbers of those that
/// have to be made in another way: they are in no function, or in one whose forms would not have the same type.
///
/// # Errors
///
/// [`Fault::Found`] where one of them cannot be made at all.
pub fn switched(source: &str, mutations: &[(usize, &Mutation)]) -> Result<(String, Vec<usize>), Fault> {
    let functions = functions(source);
    let mut by_body: BTreeMap<(usize, usize), Vec<(usize, &Mutation)>> = BTreeMap::new();
    let mut others = Vec::new();
    for &(number, mutation) in mutations {
        let place = mutation.place(source)?;
        let around = functions.iter().filter(|it| it.body.start < place.start && place.end < it.body.end);
        let innermost = around.clone().min_by_key(|it| it.body.len());
        let is_alone = around.count() == 1;
        match innermost.filter(|it| is_alone && !source[it.signature.clone()].contains("-> impl")) {
            Some(Function { body, .. }) => {
                by_body.entry((body.start, body.end)).or_default().push((number, mutation));
            }
            None => others.push(number),
        }
    }
    let mut switched = source.to_owned();
    // From the last to the first, so that the others stay where they are.
    for ((start, end), forms) in by_body.into_iter().rev() {
        let body = start..end;
        let mut text = "{ match crate::mutation() {\n".to_owned();
        for (number, mutation) in forms {
            let form = mutation.apply(&source[body.clone()])?;
            text += &format!("{number} => {form}\n");
        }
        text += &format!("_ => {}\n}} }}", &source[body.clone()]);
        switched.replace_range(body, &text);
    }
    Ok((switched, others))
}

/// All functions with a body.
fn functions(source: &str) -> Vec<Function> {
    let code = code(source);
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let mut depth = 0;
        let opens = code[at..].char_indices().find(|(_, c)| {
            depth += match c {
                '(' | '[' => 1,
                ')' | ']' => -1,
                _ => 0,
            };
            depth == 0 && matches!(c, '{' | ';')
        });
        let Some((length, '{')) = opens else { continue };
        let begin = at + length;
        let mut braces = 0;
        let end = code[begin..].char_indices().find(|(_, c)| {
            braces += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            braces == 0
        });
        if let Some((length, _)) = end {
            functions.push(Function { signature: at..begin, body: begin..begin + length + 1 });
        }
    }
    functions
}

/// The same source with blanks in the place of all comments and literals.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = literal(rest, code.chars().next_back());
        let taken = length.unwrap_or(c.len_utf8());
        let (taken, after) = rest.split_at(taken);
        match length {
            Some(_) => code.extend(std::iter::repeat_n(' ', taken.len())),
            None => code.push_str(taken),
        }
        rest = after;
    }
    code
}

/// How long the comment or literal is that a text begins with, if it does.
fn literal(text: &str, before: Option<char>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if let Some(rest) = text.strip_prefix('"') {
        return Some(1 + closed(rest, '"'));
    }
    if let Some(rest) =
        text.strip_prefix('r').filter(|_| !before.is_some_and(|c| c.is_alphanumeric() || c == '_'))
    {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let inside = rest[hashes..].strip_prefix('"')?;
        return Some(2 + hashes + inside.find(&end)? + end.len());
    }
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    if first == '\\' {
        return Some(1 + closed(rest, '\''));
    }
    // Otherwise it is a lifetime.
    rest[first.len_utf8()..].starts_with('\'').then_some(2 + first.len_utf8())
}

/// How much of a text there is up to the end of a literal, that included.
fn closed(text: &str, end: char) -> usize {
    let mut is_escaped = false;
    let close = text.char_indices().find(|(_, c)| {
        let is_end = *c == end && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    close.map_or(text.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutations::read;

    const SOURCE: &str = r##"
const LIMIT: u32 = 5;
fn tell(all: &[u32; 3], word: impl Fn() -> char) -> u32 {
    // fn nobody() {
    let brace = ['}', '\'', '{', '\\'];
    let text = "}\"{" ; let raw = r#"}"{"#;
    all.iter().filter(|it| **it < LIMIT).count() as u32
}
trait Teller<'a> { fn told(&self) -> u32; }
fn some<'a>(all: &'a [u32]) -> impl Iterator<Item = &'a u32> { all.iter().take(2) }
"##;

    #[test]
    fn functions_are_found_whatever_is_in_them() {
        let found = functions(SOURCE);
        let bodies: Vec<&str> = found.iter().map(|it| &SOURCE[it.body.clone()]).collect();
        assert_eq!(bodies.len(), 2);
        assert!(bodies[0].starts_with("{\n    // fn nobody") && bodies[0].ends_with("as u32\n}"));
        assert_eq!(bodies[1], "{ all.iter().take(2) }");
    }

    #[test]
    fn a_function_has_a_form_for_each_mutation_and_others_are_left() {
        let text = "## a\nf  by\n- **it < LIMIT\n+ true\n## b\nf  by\n- u32 = 5\n+ u32 = 6\n\
            ## c\nf  by\n- take(2)\n+ take(1)\n## d\nf  by\n- .count() as u32\n+ .count() as u32 + 1\n";
        let all = read(text).unwrap();
        let numbered: Vec<(usize, &Mutation)> = (1..).zip(&all).collect();
        let (switched, others) = switched(SOURCE, &numbered).unwrap();
        assert_eq!(others, [2, 3]);
        assert!(switched.contains("1 => {\n    // fn nobody") && switched.contains("filter(|it| true)"));
        assert!(switched.contains("4 => {") && switched.contains("+ 1\n}"));
        assert!(switched.contains("_ => {") && switched.ends_with("{ all.iter().take(2) }\n"));
    }
}
