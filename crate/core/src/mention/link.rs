//! Addresses in a text: of web pages, of people, of files.
//!
//! A name inside of one is part of the address and means nobody: `https://example.org/@ann/1010`. There is no grammar for what
//! people write, so these are rules of thumb. They look at what is between two spaces, without the punctuation and brackets
//! around it, and prefer a mention where it could be one: `ann/bob: hi`, `@ann`, `Hi.Ann`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use super::folding::continues_word;
use super::text::Text;
use crate::work;

/// What an address can begin with, before a colon. Where `://` follows, it is one in any case.
const SCHEMES: [&str; 25] = [
    "acct",
    "aesgcm",
    "bitcoin",
    "cid",
    "data",
    "file",
    "ftp",
    "geo",
    "git",
    "http",
    "https",
    "irc",
    "ircs",
    "magnet",
    "mailto",
    "matrix",
    "mid",
    "openpgp4fpr",
    "sip",
    "sips",
    "sms",
    "tel",
    "urn",
    "wss",
    "xmpp",
];

/// How often in one piece of text something is looked at that follows a colon or the like.
const TRIES: usize = 4;

/// The addresses in a text, ascending. Wide punctuation ends one, as a space does.
pub(super) fn links(text: &Text) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let folded = text.as_str();
    let mut start = 0;
    for end in text.wide_punctuation().iter().copied().chain([folded.len()]) {
        for token in folded.get(start..end).unwrap_or_default().split_inclusive(is_space) {
            if token.contains(['@', '/', '\\', '?', ':', '.']) {
                read_token(text, token.trim_end_matches(is_space), start, &mut found);
            }
            start += token.len();
        }
        start += folded.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    found
}

/// A part of a text without punctuation, quotes and brackets at its ends.
pub(super) fn trim_punctuation(text: &str) -> Range<usize> {
    let is_punctuation =
        |c: char| divides(c) || matches!(c, '.' | ':' | '!' | '?' | '…' | '*' | '-' | '@' | '¡' | '¿');
    let start = text.len() - text.trim_start_matches(is_punctuation).len();
    let end = text.trim_end_matches(is_punctuation).len();
    start..end.max(start)
}

/// What is between brackets, quotes and commas is looked at by itself.
fn read_token(text: &Text, token: &str, offset: usize, found: &mut Vec<Range<usize>>) {
    let mut rest = token;
    loop {
        let piece_and_rest =
            rest.trim_start_matches(|c| divides(c) || matches!(c, '*' | '!' | '¡' | '¿' | '…'));
        let piece = piece_and_rest.find(divides).map_or(piece_and_rest, |end| piece_and_rest.split_at(end).0);
        if piece.is_empty() {
            return;
        }
        let begin = token.len() - piece_and_rest.len();
        let place = offset + begin..offset + begin + piece.len();
        let is_sentence = text.has_capital_after_dot(&place);
        let end = match link(piece, piece_and_rest, is_sentence).filter(|link| !link.is_empty()) {
            Some(link) => {
                found.push(offset + begin + link.start..offset + begin + link.end);
                begin + link.end
            }
            None => begin + piece.len(),
        };
        let Some(after) = token.get(end..) else { return };
        rest = after;
    }
}

/// The address in a piece of text. That of a web page may go on beyond the piece, into `rest`, which begins with it. A piece may
/// be several sentences: `Yes.Ann.Please`.
fn link(piece: &str, rest: &str, is_sentence: bool) -> Option<Range<usize>> {
    work::count(piece.len());
    let untrimmed = piece;
    let piece = trim_end(piece);
    let starts = std::iter::once(0)
        .chain(piece.match_indices([':', '=', '|']).map(|(index, _)| index + 1).take(TRIES));
    with_scheme(piece, rest)
        .or_else(|| {
            starts.filter_map(|start| Some((start, piece.get(start..)?))).find_map(|(start, text)| {
                let end = if has_known_scheme(text) || is_path(text) {
                    start + resource_end(rest.get(start..)?)
                } else if let Some(end) = host(text, rest.get(start..)?, is_sentence) {
                    start + end
                } else if !is_sentence && is_relative_path(text) {
                    piece.len()
                } else {
                    return None;
                };
                Some(start..end)
            })
        })
        .or_else(|| has_query(piece, rest).then(|| 0..resource_end(rest)))
        .or_else(|| mailbox(piece))
        .or_else(|| mailbox_at_number(untrimmed, rest))
        .or_else(|| handle(piece))
}

/// `https://example.org/ann`: from its scheme on.
fn with_scheme(piece: &str, rest: &str) -> Option<Range<usize>> {
    let separator = piece.find("://")?;
    let after = rest.get(separator + 3..)?.chars().next()?;
    if !after.is_alphanumeric() && !matches!(after, '[' | '/' | '%' | '_' | '~') {
        return None;
    }
    let before = piece.get(..separator)?;
    let scheme = before.len()
        - before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-')).len();
    let start = separator - scheme;
    Some(start..start + resource_end(rest.get(start..)?))
}

/// `mailto:ann@example.org`
fn has_known_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, after)| {
        SCHEMES.contains(&scheme)
            && after.starts_with(|c: char| {
                c.is_alphanumeric() || matches!(c, '/' | '?' | '+' | '#' | '%' | '@' | ',' | '-')
            })
    })
}

/// `/home/ann/x`, `~/ann`, `$HOME/ann`, `./ann`, `c:\users\ann`, `\\server\ann`; but not `/ann`, and not `ann/bob`.
fn is_path(text: &str) -> bool {
    let goes_on = |after: &str| {
        after.starts_with(|c: char| continues_word(c) || matches!(c, '.' | '-' | '~' | '%' | '@' | '$'))
    };
    if let Some(after) = text.strip_prefix("\\\\") {
        return goes_on(after);
    }
    if let Some((drive, after)) = text.split_once(":\\") {
        return drive.len() == 1 && drive.starts_with(|c: char| c.is_ascii_alphabetic()) && goes_on(after);
    }
    let Some((first, after)) = text.split_once('/') else { return false };
    match first {
        "." | ".." => goes_on(after),
        "" => goes_on(after) && after.split_once('/').is_some_and(|(_, after)| goes_on(after)),
        home => home.starts_with(['~', '$']) && goes_on(after),
    }
}

/// `src/ann/main.rs`: a path of several folders to a file with an ending; but not `ann/bob/carol`.
fn is_relative_path(text: &str) -> bool {
    let is_of_path = |c: char| continues_word(c) || matches!(c, '/' | '.' | '-' | '+' | '%' | '@' | '$');
    let path = text.find(|c| !is_of_path(c)).map_or(text, |end| text.split_at(end).0);
    let Some((folders, file)) = path.rsplit_once('/') else { return false };
    let is_file = file.rsplit_once('.').is_some_and(|(name, ending)| {
        name.ends_with(continues_word)
            && !name.contains('@')
            && ending.chars().all(char::is_alphanumeric)
            && ending.contains(char::is_alphabetic)
    });
    is_file && folders.contains('/') && folders.split('/').all(|folder| !folder.is_empty())
}

/// `?by=ann`, `index.php?by=ann`, `page?by=ann&to=bob`; but not `what?ann=yes`.
fn has_query(piece: &str, rest: &str) -> bool {
    let Some(mark) = piece.find('?') else { return false };
    let before = piece.get(..mark).unwrap_or_default();
    let after = rest.get(mark + 1..).unwrap_or_default();
    let name_and_value =
        after.trim_start_matches(|c: char| continues_word(c) || matches!(c, '-' | '.' | '%' | '[' | ']'));
    work::count(after.len() - name_and_value.len());
    let Some(value) = name_and_value.strip_prefix('=').filter(|_| name_and_value.len() < after.len()) else {
        return false;
    };
    let has_more = || value.split(divides).next().is_some_and(|value| value.contains('&'));
    before.is_empty() || before.contains(['.', '/']) || has_more()
}

/// Where a host ends that is an address: with two dots or `www.`, or followed by a path or a fragment.
fn host(text: &str, rest: &str, is_sentence: bool) -> Option<usize> {
    let length = text.find(|c: char| !continues_word(c) && !matches!(c, '.' | '-')).unwrap_or(text.len());
    let (name, after) = text.split_at(length);
    let (port, path) = match after.strip_prefix(':') {
        Some(port) => port.split_at(port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len())),
        None => ("", after),
    };
    let dots = name.split('.').count() - 1;
    if !is_host(name) {
        return None;
    }
    let has_path = path.starts_with('/') && (dots >= 1 || (name == "localhost" && !port.is_empty()));
    let has_fragment =
        || path.strip_prefix('#').is_some_and(|fragment| fragment.starts_with(char::is_alphabetic));
    if has_path || (dots >= 1 && !is_sentence && has_fragment()) {
        return Some(resource_end(rest));
    }
    let is_name = (dots >= 2 && !is_sentence) || (dots >= 1 && name.starts_with("www."));
    match path.chars().next() {
        None => is_name.then_some(text.len()),
        Some('?' | '#') => is_name.then(|| resource_end(rest)),
        Some(_) => None,
    }
}

/// Whether its last part begins with a letter, or it is a number of four parts; but not `v1.2`.
fn is_host(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default();
    name.split('.').all(|part| !part.is_empty())
        && (ending.starts_with(char::is_alphabetic) || name.parse::<Ipv4Addr>().is_ok())
}

/// `ann@example.org`, `git@host:path`: an `@` between two parts of words.
fn mailbox(piece: &str) -> Option<Range<usize>> {
    let at = piece.match_indices('@').map(|(at, _)| at).find(|&at| {
        let Some((before, after)) = piece.split_at_checked(at) else { return false };
        let (Some(before), Some(after)) = (before.chars().next_back(), after.get(1..)) else { return false };
        // In a script without spaces, `@` comes right after the word before it, and so it may in `@ann@bob`.
        let is_doubtful = is_spaceless(before) || piece.starts_with('@');
        let domain = after.split('@').next().unwrap_or_default();
        continues_word(before)
            && after.starts_with(continues_word)
            && (!is_doubtful || domain.trim_end_matches('.').contains('.'))
    })?;
    Some(mailbox_start(piece.get(..at)?)..piece.len())
}

/// `ann@[127.0.0.1]`: up to the bracket, where the piece ends.
fn mailbox_at_number(piece: &str, rest: &str) -> Option<Range<usize>> {
    let name = piece.strip_suffix('@').filter(|name| name.ends_with(continues_word))?;
    let literal = rest.get(piece.len()..)?.strip_prefix('[')?;
    let (number, after) = literal.split_at(literal.find(divides)?);
    let number = number.strip_prefix("ipv6:").unwrap_or(number);
    let is_literal = after.starts_with(']') && number.parse::<IpAddr>().is_ok();
    is_literal.then(|| mailbox_start(name)..piece.len())
}

fn mailbox_start(before_at: &str) -> usize {
    before_at.rfind([':', '/', '=', '|', '@']).map_or(0, |before| before + 1)
}

/// `@ann:example.org`, `#ann:example.org`: without its first character.
fn handle(piece: &str) -> Option<Range<usize>> {
    let (name, domain) = piece.strip_prefix(['@', '#'])?.split_once(':')?;
    let domain = domain.split(['/', ':']).next()?;
    let is_domain = domain.contains('.') && domain.split('.').all(|label| label.starts_with(continues_word));
    (name.starts_with(continues_word) && is_domain).then_some(1..piece.len())
}

/// Where an address ends that may have any punctuation in it: at a quotation mark, or at a bracket that was not opened inside.
fn resource_end(rest: &str) -> usize {
    let mut open = 0_usize;
    let end = rest.find(|c: char| match c {
        '(' | '[' | '{' => {
            open += 1;
            false
        }
        ')' | ']' | '}' if open > 0 => {
            open -= 1;
            false
        }
        ',' | ';' | '\'' => false,
        c => divides(c),
    });
    let end = end.unwrap_or(rest.len());
    work::count(end);
    trim_end(rest.get(..end).unwrap_or_default()).len()
}

/// What ends a sentence does not belong to an address at its end.
fn trim_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| {
        matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '…' | '\'' | '*' | '_' | '~' | '|')
    })
}

/// White space, also of no width.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{200B}'
}

/// Brackets, quotation marks, commas.
fn divides(c: char) -> bool {
    matches!(
        c,
        '(' | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | ','
            | ';'
            | '"'
            | '\''
            | '`'
            | '’'
            | '‘'
            | '‚'
            | '“'
            | '”'
            | '„'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '،'
            | '؛'
            | '؟'
            | '、'
            | '。'
            | '「'
            | '」'
            | '『'
            | '』'
            | '【'
            | '】'
            | '《'
            | '》'
            | '〈'
            | '〉'
            | '—'
            | '–'
    )
}

/// Whether a letter is of a script that is written without spaces: Thai, Lao, Myanmar, Khmer, Chinese, Japanese.
fn is_spaceless(c: char) -> bool {
    matches!(
        c,
        '\u{E00}'..='\u{EFF}'
            | '\u{1000}'..='\u{109F}'
            | '\u{1780}'..='\u{17FF}'
            | '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
    )
}
