//! In which order the functions of a module stand: those that look alike near each other.
//!
//! Much of a module is the same code made for several types, with other numbers in it. Brotli writes
//! what it has seen before as a distance and a length, and a short distance takes fewer bits: some
//! three hundredths of the module are saved by the order of its functions alone.

use std::collections::HashMap;

/// Bytes that count as seen before.
const PIECE: usize = 6;
/// A piece that is in more functions than this says nothing of them.
const COMMON: usize = 60;
/// What likeness to a function counts for, of what it counts for one place further on.
const FADING: f64 = 0.95;
/// Pieces that every function counts as having besides its own: what little ones share says little.
const BESIDES: usize = 50;

/// Positions of functions, each the one of those left that shares most of its rarer pieces with the
/// functions before it, the more the nearer they are.
pub(crate) fn order(bodies: &[&[u8]]) -> Vec<usize> {
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

    let mut left: Vec<usize> = (0..bodies.len()).collect();
    let mut shared = vec![0.0; bodies.len()];
    let mut order = Vec::with_capacity(bodies.len());
    // Instead of fading what was shared, what is shared later counts ever more.
    let mut weight = 1.0;
    while let Some(place) = most_alike(&left, |function| {
        (shared[function] / (pieces[function].len() + BESIDES) as f64, bodies[function].len())
    }) {
        let function = left.swap_remove(place);
        order.push(function);
        weight /= FADING;
        if weight > 1e100 {
            shared.iter_mut().for_each(|shared| *shared /= weight);
            weight = 1.0;
        }
        for functions in pieces[function].iter().filter_map(|piece| holders.get(piece)) {
            for &other in functions {
                shared[other] += weight / functions.len() as f64;
            }
        }
    }
    order
}

/// The place of the function that is most alike. Where nothing is alike, the largest is next.
fn most_alike(left: &[usize], likeness: impl Fn(usize) -> (f64, usize)) -> Option<usize> {
    let mut best: Option<((f64, usize), usize, usize)> = None;
    for (place, &function) in left.iter().enumerate() {
        let likeness = likeness(function);
        // The first of equals, wherever it is among those left.
        let better = best.is_none_or(|(most, known, _)| {
            likeness > most || (likeness == most && function < known)
        });
        if better {
            best = Some((likeness, function, place));
        }
    }
    best.map(|(_, _, place)| place)
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
    fn likeness_to_functions_further_back_counts() {
        let bodies: [&[u8]; 4] = [
            b"abcdefghijklmnopqrstuvwxyz---",
            b"abcdefghijkl.......",
            b"nopqrstuvwxyz++++",
            b"==========",
        ];
        assert_eq!(order(&bodies), [0, 2, 1, 3]);
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
    fn many_functions_do_not_make_numbers_overflow() {
        let bodies: Vec<Vec<u8>> =
            (0u32..5_000).map(|n| [[7; 8].as_slice(), &n.to_le_bytes()].concat()).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        assert_eq!(order(&bodies).len(), bodies.len());
    }
}
