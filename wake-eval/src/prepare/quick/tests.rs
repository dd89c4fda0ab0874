//! Comparison with the grammar.

#![allow(clippy::unwrap_used)]

use super::check;
use super::state::DEEPEST;
use crate::prepare::edits::Edits;
use crate::prepare::{Mode, Prepared, by_grammar, token};

const NESTING: usize = 1_000_000;

/// Whether a text is supported here. If so, the result must equal that of the grammar.
#[track_caller]
fn is_taken(text: &str) -> bool {
    let Some((edits, calls)) = check(text, NESTING) else { return false };
    let changed = edits.apply(text).map(|(changed, _)| changed);
    let mut edits = Edits::default();
    let tokens = token::tokens(text, &mut edits).unwrap();
    let expected = by_grammar(text, tokens, edits, Mode::Values, NESTING)
        .unwrap_or_else(|refusal| panic!("{text}: {}", refusal.message));
    let Prepared { changed: by_grammar, calls: expected, patterns } = expected;
    let by_grammar = by_grammar.map(|(changed, _)| changed);
    assert_eq!((&changed, calls), (&by_grammar, expected), "{text}");
    assert!(patterns.is_empty(), "{text}");
    true
}

#[test]
fn common_programs_are_supported() {
    for text in [
        "function(wake) wake.pkg(wake.pkgInfo('a', '1'), files=[x, 'y',], pkgs={ 'a': b, c:: { [d]: 1 }, }, )",
        "local a = import 'a', f(x, y=1) = [x][0]; if a then f(1, y=2) else error 'x'",
        "{ f(x): if x then {} else null, a: (b)[c] + { e: 1 } { c: @'d' }, local d = self.a && !$.f(1) }.a",
        "function(wake, pkg, config={ a: 1 }) wake.module(name='m', args=['a'] + pkg.files + [config.a])",
        "[f(x) for x in a + b if x < 1] + [y for y in [1]] // why\n",
        "{ [k]: [k, v] for k in std.objectFields(o) if k != 'x' && k > 'b' }",
        "'a' + b + 1 + (c + d) + { e: 1 + 2 }.e + self_",
    ] {
        assert!(is_taken(text) || text.contains("!="), "{text}");
    }
    for text in [
        "a == b",
        "a.own('x')",
        "self",
        "f(x) tailstrict",
        "[x for x in a for y in b]",
        "-a * b",
        "a[1:2]",
        "a {}",
    ] {
        assert!(!is_taken(text), "{text}");
    }
    assert!(!is_taken(&"[".repeat(DEEPEST + 1)));
}

/// Random sequences of words, a few of which are valid programs, and programs with a word added, removed or changed.
#[test]
fn the_result_equals_that_of_the_grammar() {
    const WORDS: [&str; 59] = [
        "a",
        "b",
        "own",
        "config",
        "x",
        "1",
        "17",
        "0.5",
        "'s'",
        "\"s\"",
        "@'v'",
        "|||\n  t\n|||",
        "null",
        "true",
        "self",
        "$",
        "super",
        "(",
        "(",
        "(",
        ")",
        ")",
        ")",
        "[",
        "[",
        "]",
        "]",
        "{",
        "{",
        "}",
        "}",
        ",",
        ",",
        ",",
        ".",
        ":",
        "::",
        "+:",
        "=",
        "=",
        ";",
        "function",
        "local",
        "if",
        "then",
        "else",
        "import",
        "importstr",
        "error",
        "assert",
        "for",
        "in",
        "+",
        "+",
        "-",
        "!",
        "&&",
        "<",
        "tailstrict",
    ];
    const PROGRAMS: [&str; 8] = [
        "function ( wake ) wake . pkg ( a , b = [ x , 's' , ] , c = { a : b , 's' :: 1 , [ d ] : { } , } )",
        "local a = import 's' , f ( x , y = 1 ) = [ x ] [ 0 ] ; if a then f ( 1 , y = 2 ) else error 's'",
        "{ f ( x ) : if x then { } else null , local e = 1 , a : ( b ) [ 1 ] } { c : @'v' } . a",
        "f ( function ( a ) local b = a ; b , if a then if b then 1 else 2 ) [ 'x' ] ( )",
        "function ( a , b , config = { c : 1 } ) a ( [ 's' ] + b . files + [ config . c + 1 ] ) + 's'",
        "[ [ x + 's' for x in b if x < 1 ] + a for a in [ 1 , 2 ] + b ] + [ ] + ( 1 + 17 ) . a",
        "{ [ x ] : [ x ] + { } + 0.5 for x in a if x && ! b if x } + { a : $ . b - self . a + 1 }",
        "if a + 's' then b + [ ] + 's' + true else function ( x , config , config = 1 ) x + config",
    ];
    let mut state = 1_u64;
    let mut below = |count: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % count as u64) as usize
    };
    let (mut taken, mut changed) = (0, 0);
    for round in 0..100_000 {
        let mut words: Vec<&str> = match round % 4 {
            0 => (0..1 + below(7)).map(|_| WORDS[below(WORDS.len())]).collect(),
            _ => PROGRAMS[below(PROGRAMS.len())].split(' ').collect(),
        };
        for _ in 0..below(4) {
            let (at, word) = (below(words.len()), WORDS[below(WORDS.len())]);
            match below(4) {
                0 => words.insert(at, word),
                1 if words.len() > 1 => drop(words.remove(at)),
                // A program inside a program.
                2 => {
                    let inner = PROGRAMS[below(PROGRAMS.len())].split(' ');
                    words.splice(at..=at, inner);
                }
                _ => words[at] = word,
            }
        }
        // No separator, if the words then stay separate tokens.
        let separator = ["", " ", "\n  "][below(3)];
        let mut text = String::new();
        for word in words {
            let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| !b"()[]{},;".contains(byte));
            if is_word(text.as_bytes().last()) && is_word(word.as_bytes().first()) {
                text.push(' ');
            }
            text += word;
            text += separator;
        }
        if is_taken(&text) {
            taken += 1;
            changed += usize::from(check(&text, NESTING).unwrap().0.apply(&text).is_some());
        }
    }
    assert!(taken > 10_000 && changed > 2_000, "{taken} are taken, {changed} of them changed");
}
