//! The viewer waits for a rung that the network cannot carry any more.

use kinora_abr::{Abr, Cause, Config, Event, InFlight, Kind, Phase, Rung, Situation, Verdict};

const SECOND: u64 = 1_000_000;
const LADDER_BPS: [f64; 5] = [300e3, 750e3, 1.5e6, 3e6, 6e6];
const SEGMENT_S: f64 = 6.0;

/// A request that got so many bytes over so long a time, and then failed.
fn failed(abr: &mut Abr, id: u64, from_us: u64, to_us: u64, bytes: u64) {
    abr.handle(from_us, Event::RequestStarted { id, kind: Kind::Video, rung: Some(3) });
    abr.handle(from_us + SECOND / 50, Event::FirstByte { id });
    abr.handle(to_us, Event::Progress { id, bytes });
    abr.handle(to_us, Event::RequestCancelled { id });
}

/// What is said of a request for the rung before the last, at `kbps` for `seconds` by now.
fn verdict(phase: Phase, abandoned: u32, (kbps, seconds): (u64, u64)) -> Verdict {
    let ladder = LADDER_BPS.map(Rung::new);
    let mut abr = Abr::new(Config::default());
    // Requests before have shown what the network is by now: the rung is no surprise, only far too much.
    for id in 0..4 {
        failed(&mut abr, id, id * 10 * SECOND, (id * 10 + 9) * SECOND, kbps * 125 * 9);
    }
    let started_us = 50 * SECOND;
    abr.handle(started_us, Event::RequestStarted { id: 9, kind: Kind::Video, rung: Some(3) });
    abr.handle(started_us + SECOND / 50, Event::FirstByte { id: 9 });
    let (now_us, bytes) = (started_us + seconds * SECOND, kbps * 125 * seconds);
    abr.handle(now_us, Event::Progress { id: 9, bytes });
    let in_flight = InFlight {
        rung: 3,
        started_us,
        first_byte_us: Some(started_us + SECOND / 50),
        bytes_loaded: bytes,
        bytes_total: Some((LADDER_BPS[3] * SEGMENT_S / 8.0) as u64),
        abandoned,
        replaces_ahead_s: None,
    };
    let situation = Situation {
        phase,
        buffer_s: 0.0,
        buffer_goal_s: 30.0,
        segment_duration_s: SEGMENT_S,
        current: Some(4),
        ..Situation::new(now_us, &ladder)
    };
    while !abr.prepare(&situation) {}
    let check = abr.check_in_flight(&in_flight, &situation);
    assert_eq!(check.verdict == Verdict::Continue, check.reasons.cause != Cause::StallAhead);
    check.verdict
}

#[test]
fn it_is_given_up_for_the_lowest_however_well_known_the_network_is() {
    for abandoned in 0..3 {
        // 80 seconds more, and the lowest rung would be there in eight.
        let said = verdict(Phase::Stalled, abandoned, (220, 2));
        assert_eq!(said, Verdict::AbandonTo { rung: 0 }, "after {abandoned}");
    }
}

#[test]
fn it_is_left_alone_where_the_lowest_would_come_no_sooner() {
    // Three seconds more, and the lowest rung would take two.
    assert_eq!(verdict(Phase::Stalled, 0, (900, 17)), Verdict::Continue);
    // Given up so often, it is not given up once more.
    assert_eq!(verdict(Phase::Stalled, 3, (220, 2)), Verdict::Continue);
}
