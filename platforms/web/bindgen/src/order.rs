//! Puts functions that look alike side by side.
//!
//! Much of a module is the same code made for several types, with other numbers in it. Brotli writes
//! what it has seen before as a distance and a length, and a short distance takes fewer bits: more
//! than one hundredth of the module is saved by the order of its functions alone. The order is told
//! as names, by which `wasm-opt --reorder-functions-by-name` sorts; it leaves no names behind.

use std::collections::HashMap;

use anyhow::Result;
use wasmparser::{Parser, Payload, TypeRef};

/// Bytes that count as seen before.
const PIECE: usize = 6;
/// A piece that is in more functions than this says nothing of them.
const COMMON: usize = 60;
/// The subsection of functions in the custom section of names (WebAssembly core specification, 7.4.1).
const FUNCTIONS: u8 = 1;

/// The module with its functions named in the order to put them in.
///
/// # Errors
/// If it is no module.
pub(crate) fn name_by_likeness(module: &[u8]) -> Result<Vec<u8>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
            _ => {}
        }
    }
    let mut places = vec![0; bodies.len()];
    for (place, function) in order(&bodies).into_iter().enumerate() {
        places[function] = place;
    }
    let mut names = Vec::new();
    number(&mut names, bodies.len());
    for (function, place) in places.iter().enumerate() {
        number(&mut names, imported + function);
        let name = format!("{place:06}");
        number(&mut names, name.len());
        names.extend_from_slice(name.as_bytes());
    }
    let mut section = b"\x04name".to_vec();
    section.push(FUNCTIONS);
    number(&mut section, names.len());
    section.extend(names);
    let mut named = module.to_vec();
    named.push(0);
    number(&mut named, section.len());
    named.extend(section);
    Ok(named)
}

/// Positions of functions, each followed by the one that shares most of its rarer pieces.
fn order(bodies: &[&[u8]]) -> Vec<usize> {
    let pieces: Vec<Vec<&[u8]>> = bodies
        .iter()
        .map(|body| {
            let mut pieces: Vec<&[u8]> = body.windows(PIECE).collect();
            pieces.sort_unstable();
            pieces.dedup();
            pieces
        })
        .collect();
    let mut holders: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (function, pieces) in pieces.iter().enumerate() {
        for piece in pieces {
            holders.entry(piece).or_default().push(function);
        }
    }
    holders.retain(|_, functions| (2..=COMMON).contains(&functions.len()));

    // Where nothing is alike, the largest left is next.
    let mut by_size: Vec<usize> = (0..bodies.len()).collect();
    by_size.sort_by_key(|&function| std::cmp::Reverse(bodies[function].len()));
    let mut by_size = by_size.into_iter();
    let mut placed = vec![false; bodies.len()];
    let mut order = Vec::new();
    let mut shared = vec![0.0; bodies.len()];
    while let Some(next) = order
        .last()
        .and_then(|&last| most_alike(last, &pieces, &holders, &placed, &mut shared))
        .or_else(|| by_size.find(|&function| !placed[function]))
    {
        placed[next] = true;
        order.push(next);
    }
    order
}

/// The function not placed yet that is most like another. `shared` is zero for all, and is left so.
fn most_alike(
    function: usize,
    pieces: &[Vec<&[u8]>],
    holders: &HashMap<&[u8], Vec<usize>>,
    placed: &[bool],
    shared: &mut [f64],
) -> Option<usize> {
    let mut touched = Vec::new();
    for piece in &pieces[function] {
        let Some(functions) = holders.get(piece) else { continue };
        for &other in functions.iter().filter(|&&other| !placed[other]) {
            if shared[other] == 0.0 {
                touched.push(other);
            }
            shared[other] += 1.0 / functions.len() as f64;
        }
    }
    let mut best: Option<(f64, usize)> = None;
    for other in touched {
        let likeness = std::mem::take(&mut shared[other])
            / (pieces[other].len() + pieces[function].len() + 20) as f64;
        if best.is_none_or(|(most, known)| (likeness, known) > (most, other)) {
            best = Some((likeness, other));
        }
    }
    best.map(|(_, other)| other)
}

/// Writes an unsigned number in LEB128.
fn number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_comes_together() {
        let (one, other) = (b"the quick brown fox jumps over", b"a lazy dog sleeps in the sun all");
        let like_one = b"the quick brown cat jumps over";
        let like_other = b"a lazy dog sleeps in the rain all";
        let order = order(&[one, other, like_one, like_other]);
        assert_eq!(order, [3, 1, 0, 2]);
    }

    #[test]
    fn every_function_has_its_place() {
        let bodies: Vec<Vec<u8>> = (0u8..200).map(|n| vec![n % 7; usize::from(n)]).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let mut order = order(&bodies);
        order.sort_unstable();
        assert_eq!(order, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn names_say_the_order() {
        // One type, two functions of it, with bodies of two and three instructions.
        let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x03\x02\0\0\
            \x0a\x0a\x02\x03\0\x01\x0b\x04\0\x01\x01\x0b";
        let named = name_by_likeness(module).unwrap();
        let names: &[u8] = b"\0\x18\x04name\x01\x11\x02\0\x06000001\x01\x06000000";
        assert_eq!(named, [module.as_slice(), names].concat());
        assert!(name_by_likeness(b"no module").is_err());
    }
}
