//! The order in which one playback should try the edges: a pure function of what is known.

use super::{edge::Edge, health::Known};
use crate::clock::UnixTime;
use sha2::{Digest, Sha256};

/// The edges, the best first.
///
/// Good ones come before those in trouble. Among equals, weighted rendezvous hashing of the key decides: each gets
/// its share of the playbacks, the same playback always gets the same answer, and an edge that comes or goes moves
/// no other playback than its own. Drained edges are left out, unless there is no other.
pub fn order<'a>(edges: &'a [Edge], known: &Known, key: &str, now: UnixTime) -> Vec<&'a Edge> {
    let mut ranked: Vec<(bool, f64, &Edge)> = Vec::new();
    let all_drained = edges.iter().all(|edge| known.edge(&edge.name).drained);
    for edge in edges {
        let health = known.edge(&edge.name);
        if all_drained || !health.drained {
            ranked.push((health.is_good(now), score(edge, key), edge));
        }
    }
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    ranked.into_iter().map(|(_, _, edge)| edge).collect()
}

/// `-weight / ln(u)` with a hash `u` between 0 and 1 (Schindelhauer and Schomaker 2005); 0 without a weight.
fn score(edge: &Edge, key: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(edge.name.as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    let hash = hash.finalize();
    let bits = hash.iter().take(6).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let uniform = (bits as f64 + 0.5) / (1_u64 << 48) as f64;
    -f64::from(edge.weight) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::health::Report;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn edges() -> Vec<Edge> {
        ["a=http://a,1", "b=http://b,3", "spare=http://s,0"]
            .map(|edge| edge.parse().unwrap())
            .into()
    }

    fn names<'a>(order: &[&'a Edge]) -> Vec<&'a str> {
        order.iter().map(|edge| edge.name.as_str()).collect()
    }

    #[test]
    fn each_edge_gets_its_share_and_a_spare_one_none() {
        let (edges, known) = (edges(), Known::default());
        let mut first = [0; 2];
        for playback in 0..4000 {
            let order = names(&order(&edges, &known, &playback.to_string(), NOW));
            assert_eq!(order[2], "spare");
            first[usize::from(order[0] == "b")] += 1;
        }
        assert!((900..1100).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn an_edge_in_trouble_moves_its_own_playbacks_alone() {
        let edges = edges();
        let mut known = Known::default();
        known.of("b").probed(false);
        known.of("b").probed(false);
        for playback in 0..200 {
            let key = playback.to_string();
            let before = names(&order(&edges, &Known::default(), &key, NOW));
            let after = names(&order(&edges, &known, &key, NOW));
            assert_eq!(after, ["a", "spare", "b"]);
            if before[0] == "a" {
                assert_eq!(after[0], "a");
            }
        }
        known.of("a").report(&Report { edge: "a".into(), requests: 40, errors: 40 }, NOW);
        assert_eq!(names(&order(&edges, &known, "x", NOW))[0], "spare");
    }

    #[test]
    fn a_drained_edge_is_left_out_unless_it_is_the_last() {
        let edges = edges();
        let mut known = Known::default();
        known.of("b").drained = true;
        assert_eq!(names(&order(&edges, &known, "x", NOW)), ["a", "spare"]);
        known.of("a").drained = true;
        known.of("spare").drained = true;
        assert_eq!(order(&edges, &known, "x", NOW).len(), 3);
    }
}
