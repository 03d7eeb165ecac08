//! The link as one pipe: what arrived over it while at least one transfer was receiving.

use crate::chunks::Chunks;
use crate::math::seconds;
use crate::{Event, Sample};

/// Joins transfers that overlap into measurements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    transfers: Vec<Transfer>,
    updated_us: u64,
    window: Window,
}

/// What one event revealed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) ttfb_s: Option<f64>,
    pub(crate) sample: Option<Sample>,
}

/// What happened since the last measurement.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    bytes: u64,
    busy_us: u64,
}

#[derive(Clone, Debug)]
struct Transfer {
    id: u64,
    started_us: u64,
    first_byte_us: Option<u64>,
    bytes: u64,
    /// Its part of the window, taken back if it turns out not to count.
    share: Window,
    /// Receiving since before the window began.
    spans_window: bool,
    chunks: Chunks,
}

/// More transfers at a time than a player makes; the oldest is forgotten beyond.
const MAX_TRANSFERS: usize = 64;
/// So long a time of reception says something, whatever fills it: however few bytes, or transfers that were given up.
const TELLING_US: u64 = 1_000_000;

impl Link {
    pub(crate) fn handle(&mut self, now_us: u64, event: &Event, min_sample_bits: f64) -> Report {
        self.advance(now_us);
        match *event {
            Event::RequestStarted { id, .. } => self.start(id),
            Event::FirstByte { id } => self.receive(id),
            Event::Progress { id, bytes } => {
                self.receive(id);
                self.credit(id, bytes);
            }
            Event::RequestEnded { id, bytes, from_cache, application_limited } => {
                let seen = self.transfers.iter().any(|t| t.id == id && t.first_byte_us.is_some());
                if !seen {
                    self.receive_in_retrospect(id);
                }
                self.credit(id, bytes);
                let counts = !from_cache && !application_limited;
                if let Some(transfer) = self.take(id) {
                    let ttfb_s = transfer.ttfb_s().filter(|_| counts && seen);
                    let whole = self.close(&transfer, counts, min_sample_bits);
                    let chunked = || transfer.chunks.sample().filter(|_| application_limited);
                    return Report { ttfb_s, sample: whole.or_else(chunked) };
                }
            }
            Event::Chunk { id, bytes, started_us } => {
                if let Some(transfer) = self.transfer(id) {
                    transfer.chunks.push(bytes, seconds(now_us.saturating_sub(started_us)));
                }
            }
            Event::RequestCancelled { id } => {
                if let Some(transfer) = self.take(id) {
                    let telling = self.window.busy_us >= TELLING_US;
                    let enough = if telling { 1.0 } else { min_sample_bits };
                    let ttfb_s = transfer.ttfb_s();
                    return Report { ttfb_s, sample: self.close(&transfer, true, enough) };
                }
            }
            _ => {}
        }
        Report::default()
    }

    /// Forgets what was counted; transfers under way count from here on.
    pub(crate) fn restart_window(&mut self) {
        self.window = Window::default();
        for transfer in &mut self.transfers {
            transfer.share = Window::default();
            transfer.spans_window = transfer.first_byte_us.is_some();
        }
    }

    /// Lets time pass. A clock that steps back stands still instead.
    fn advance(&mut self, now_us: u64) {
        let elapsed_us = now_us.saturating_sub(self.updated_us);
        self.updated_us = self.updated_us.max(now_us);
        let mut receiving = self.transfers.iter_mut().filter(|t| t.first_byte_us.is_some());
        if let Some(only) = receiving.next() {
            self.window.busy_us = self.window.busy_us.saturating_add(elapsed_us);
            if receiving.next().is_none() {
                only.share.busy_us = only.share.busy_us.saturating_add(elapsed_us);
            }
        }
    }

    fn start(&mut self, id: u64) {
        self.take(id);
        if self.transfers.len() >= MAX_TRANSFERS {
            self.transfers.remove(0);
        }
        self.transfers.push(Transfer {
            id,
            started_us: self.updated_us,
            first_byte_us: None,
            bytes: 0,
            share: Window::default(),
            spans_window: false,
            chunks: Chunks::default(),
        });
    }

    fn receive(&mut self, id: u64) {
        let begins_window = self.window.busy_us == 0;
        let now_us = self.updated_us;
        if let Some(transfer) = self.transfer(id).filter(|t| t.first_byte_us.is_none()) {
            transfer.first_byte_us = Some(now_us);
            transfer.spans_window = begins_window;
        }
    }

    /// For a host that reports only the end: the whole request counts as reception, as far as no
    /// other transfer was receiving.
    fn receive_in_retrospect(&mut self, id: u64) {
        let now_us = self.updated_us;
        let others =
            self.transfers.iter().filter(|t| t.id != id).filter_map(|t| t.first_byte_us).min();
        let counted_from = others.unwrap_or(now_us);
        let begins_window = self.window.busy_us == 0;
        if let Some(transfer) = self.transfer(id) {
            let alone_us = counted_from.saturating_sub(transfer.started_us);
            transfer.first_byte_us = Some(transfer.started_us);
            transfer.share.busy_us = alone_us;
            transfer.spans_window = begins_window;
            self.window.busy_us = self.window.busy_us.saturating_add(alone_us);
        }
    }

    fn credit(&mut self, id: u64, total: u64) {
        let Some(transfer) = self.transfer(id) else { return };
        let fresh = total.saturating_sub(transfer.bytes);
        transfer.bytes = transfer.bytes.max(total);
        transfer.share.bytes = transfer.share.bytes.saturating_add(fresh);
        self.window.bytes = self.window.bytes.saturating_add(fresh);
    }

    /// The measurement that a finished transfer completes. While others are receiving, only a
    /// transfer that spans the window completes one, or any where there are always others and the
    /// window is long by then; and only when the others' bytes are accounted for: a host that reports
    /// no progress has to finish them first.
    fn close(&mut self, transfer: &Transfer, counts: bool, enough_bits: f64) -> Option<Sample> {
        if !counts {
            self.window.bytes = self.window.bytes.saturating_sub(transfer.share.bytes);
            self.window.busy_us = self.window.busy_us.saturating_sub(transfer.share.busy_us);
        }
        let others = || self.transfers.iter().filter(|t| t.first_byte_us.is_some());
        let alone = others().next().is_none();
        let is_long = self.window.busy_us >= TELLING_US;
        // What has only just begun is no more than nothing in a long window.
        let lately = self.updated_us.saturating_sub(self.window.busy_us / 8);
        let begun = |t: &Transfer| is_long && t.first_byte_us >= Some(lately);
        let spans = transfer.spans_window || is_long;
        let accounted = spans && others().all(|t| t.share.bytes > 0 || begun(t));
        if !alone && !accounted {
            return None;
        }
        let Window { bytes, busy_us } = self.window;
        let bits = bytes as f64 * 8.0;
        let complete = counts && bits >= enough_bits && bytes > 0;
        if complete || alone {
            self.restart_window();
        }
        complete.then(|| Sample { bits, transfer_s: seconds(busy_us) })
    }

    fn transfer(&mut self, id: u64) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|t| t.id == id)
    }

    fn take(&mut self, id: u64) -> Option<Transfer> {
        let at = self.transfers.iter().position(|t| t.id == id)?;
        Some(self.transfers.remove(at))
    }
}

impl Transfer {
    fn ttfb_s(&self) -> Option<f64> {
        self.first_byte_us.map(|first| seconds(first.saturating_sub(self.started_us)))
    }
}
