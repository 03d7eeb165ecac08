//! What the platform can decode, asked once of each kind of representation.

use core::time::Duration;

use crate::context::Context;
use crate::io::{
    DecoderQuery, MediaCommand, MediaFailure, MediaKind, OperationId, OperationResult,
};
use crate::presentation::{Presentation, Purpose, Representation};
use crate::time::Timestamp;

/// The first choice waits no longer for the answers: a platform that thinks about them must not cost
/// the viewer the start.
const PATIENCE: Duration = Duration::from_millis(10);
/// A presentation with more kinds of representations than this is not asked about further ones.
const MAX_QUERIES: usize = 64;

/// What the platform can decode.
#[derive(Debug, Default)]
pub(crate) struct Decoders {
    asked: Vec<Asked>,
    patience_ends: Option<Timestamp>,
}

#[derive(Debug)]
struct Asked {
    query: DecoderQuery,
    operation: OperationId,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Awaited,
    /// It can, or nobody knows.
    Plays,
    Refused(String),
}

impl Decoders {
    /// Asks about everything that was not asked about before.
    pub(crate) fn ask(&mut self, cx: &mut Context<'_>, presentation: &Presentation) {
        let sets = presentation.periods.iter().flat_map(|period| &period.sets);
        for set in sets.filter(|set| set.purpose == Purpose::Playback) {
            for representation in &set.representations {
                let known = self.find(set.kind, representation).is_some();
                // Without codecs there is nothing to ask; the initialisation segment will tell.
                let tells = !representation.codecs.is_empty() && set.kind != MediaKind::Text;
                if known || !tells || self.asked.len() >= MAX_QUERIES {
                    continue;
                }
                let query = query(set.kind, representation);
                let operation = cx.out.media(MediaCommand::Probe(query.clone()));
                self.asked.push(Asked { query, operation, answer: Answer::Awaited });
                self.patience_ends.get_or_insert(cx.now + PATIENCE);
            }
        }
    }

    /// Takes what came of an operation, if it was a question. Whether it was.
    pub(crate) fn take(&mut self, id: OperationId, result: &OperationResult) -> bool {
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.operation == id) else {
            return false;
        };
        asked.answer = match result {
            OperationResult::Failed(MediaFailure::NotSupported(reason)) => {
                Answer::Refused(reason.clone())
            }
            _ => Answer::Plays,
        };
        true
    }

    /// Whether an operation is one of its questions.
    pub(crate) fn asked(&self, id: OperationId) -> bool {
        self.asked.iter().any(|asked| asked.operation == id)
    }

    /// Until when the first choice had better wait for an answer.
    pub(crate) fn wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        let awaited = self.asked.iter().any(|asked| matches!(asked.answer, Answer::Awaited));
        self.patience_ends.filter(|at| awaited && *at > now)
    }

    /// Why the platform does not play a representation, if it said that it does not.
    pub(crate) fn refusal(&self, kind: MediaKind, one: &Representation) -> Option<&str> {
        match &self.find(kind, one)?.answer {
            Answer::Refused(reason) => Some(reason),
            Answer::Awaited | Answer::Plays => None,
        }
    }

    fn find(&self, kind: MediaKind, one: &Representation) -> Option<&Asked> {
        self.asked.iter().find(|asked| {
            let query = &asked.query;
            query.kind == kind
                && (query.width, query.height) == (one.width, one.height)
                && query.frame_rate == one.frame_rate
                && (query.channels, query.sampling_rate) == (one.channels, one.sampling_rate)
                && query.bandwidth == one.bandwidth
                && query.mime_type == one.mime_type()
        })
    }
}

fn query(kind: MediaKind, one: &Representation) -> DecoderQuery {
    DecoderQuery {
        kind,
        mime_type: one.mime_type(),
        width: one.width,
        height: one.height,
        frame_rate: one.frame_rate,
        bandwidth: one.bandwidth,
        channels: one.channels,
        sampling_rate: one.sampling_rate,
    }
}
