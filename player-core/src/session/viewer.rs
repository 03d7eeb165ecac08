//! What the viewer and the app ask for: another place, another speed, another track or quality.

use super::Session;
use super::tracks::{Preferred, TrackKey, all_sets, choose_sets, same_track, text_like, wanted};
use crate::context::Context;
use crate::error::Error;
use crate::io::{MediaCommand, MediaKind, Selection, Warning};
use crate::stream::Stream;
use crate::time::MediaTime;

impl Session {
    pub(super) fn seek(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        let end = self.presentation.as_ref().and_then(|presentation| presentation.duration);
        let to = to.max(MediaTime::ZERO).min(end.unwrap_or(MediaTime::MAX));
        let to = self.clamp_to_live(cx, to);
        self.place_element(cx, to);
        cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
        self.end_of_stream = false;
        let sought = self.each_stream(cx, |stream, world| {
            stream.seek(world, to);
            Ok(())
        });
        debug_assert!(sought.is_ok());
    }

    pub(super) fn set_rate(&mut self, cx: &mut Context<'_>, rate: f64) -> Result<(), Error> {
        // What browsers accept (HTML: they may refuse others with NotSupportedError).
        if rate != 0.0 && !(0.0625..=16.0).contains(&rate) {
            cx.out.warn(Warning::InvalidArgument {
                message: "the playback rate must be 0 or between 0.0625 and 16".to_owned(),
            });
            return Ok(());
        }
        self.rate = rate;
        if self.attached {
            self.operations.push(cx.out.media(MediaCommand::SetRate(rate)));
        }
        self.streams.iter_mut().for_each(Stream::reconsider);
        Ok(())
    }

    pub(super) fn select(
        &mut self,
        cx: &mut Context<'_>,
        selection: Selection,
    ) -> Result<(), Error> {
        let Some(presentation) = &self.presentation else {
            self.early.retain(|earlier| !is_replaced_by(earlier, &selection));
            self.early.push(selection);
            return Ok(());
        };
        // What is not played is not among the tracks of `loaded`.
        let plays = |kind| self.streams.iter().any(|stream| stream.kind == kind);
        match selection {
            Selection::Representation { kind, id } => {
                let known = id.as_ref().is_none_or(|id| {
                    let sets = presentation.periods.iter().flat_map(|period| &period.sets);
                    sets.flat_map(|set| &set.representations).any(|one| one.id == *id)
                        && plays(kind)
                });
                if !known {
                    cx.out.warn(Warning::InvalidArgument {
                        message: "no representation has this id; see the tracks of `loaded`"
                            .to_owned(),
                    });
                    return Ok(());
                }
                self.each_stream(cx, |stream, world| {
                    if stream.kind == kind {
                        stream.pin(world, id.clone());
                    }
                    Ok(())
                })
            }
            Selection::NoTrack { kind: MediaKind::Text } => {
                self.preferred.retain(|(known, _)| *known != MediaKind::Text);
                self.text.choose(cx, &mut self.requests, &mut self.live, None);
                Ok(())
            }
            Selection::NoTrack { .. } => {
                cx.out.warn(Warning::InvalidArgument {
                    message: "only text can be done without".to_owned(),
                });
                Ok(())
            }
            Selection::Track { kind, index } => {
                let wanted = all_sets(presentation, kind).nth(index as usize).map(same_track);
                let wanted = wanted.filter(|_| kind == MediaKind::Text || plays(kind));
                let Some(wanted) = wanted else {
                    cx.out.warn(Warning::InvalidArgument {
                        message: "no track has this number; see the tracks of `loaded`".to_owned(),
                    });
                    return Ok(());
                };
                self.preferred.retain(|(known, _)| *known != kind);
                self.preferred.push((kind, wanted.clone()));
                if kind == MediaKind::Text {
                    self.text.choose(cx, &mut self.requests, &mut self.live, Some(wanted));
                    return Ok(());
                }
                let sets = choose_sets(presentation, kind, Some(&wanted));
                self.end_of_stream = false;
                // What the platform has enough of is not what the viewer wants.
                self.requests.satisfied = false;
                self.each_stream(cx, |stream, world| {
                    if stream.kind == kind {
                        stream.select(world, sets.clone());
                    }
                    Ok(())
                })
            }
        }
    }

    /// Tracks that were asked for.
    pub(crate) fn preferred(&self) -> &[(MediaKind, TrackKey)] {
        &self.preferred
    }

    /// Plays the tracks most like those that were asked for of something else.
    pub(super) fn prefer(&mut self, cx: &mut Context<'_>, preferred: Preferred) {
        if self.preferred == preferred {
            return;
        }
        self.preferred = preferred;
        let preferred = self.preferred.clone();
        let selected = self.each_stream(cx, |stream, world| {
            let wanted = wanted(&preferred, stream.kind);
            let sets = choose_sets(world.presentation, stream.kind, wanted);
            stream.select(world, sets);
            Ok(())
        });
        debug_assert!(selected.is_ok());
        self.prefer_text(cx);
    }

    /// Plays the text track most like the one that was asked for, or none.
    pub(super) fn prefer_text(&mut self, cx: &mut Context<'_>) {
        let Some(presentation) = &self.presentation else { return };
        let track = wanted(&self.preferred, MediaKind::Text);
        let track = track.and_then(|track| text_like(presentation, track));
        self.text.choose(cx, &mut self.requests, &mut self.live, track);
    }

    /// Does what was asked for while it was not known what there is.
    pub(super) fn select_early(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        for selection in core::mem::take(&mut self.early) {
            self.select(cx, selection)?;
        }
        Ok(())
    }
}

/// Whether a choice says nothing any more once a later one is made.
fn is_replaced_by(earlier: &Selection, later: &Selection) -> bool {
    use Selection::{NoTrack, Representation, Track};
    match (earlier, later) {
        (Representation { kind, .. }, Representation { kind: other, .. })
        | (
            Track { kind, .. } | NoTrack { kind },
            Track { kind: other, .. } | NoTrack { kind: other },
        ) => kind == other,
        _ => false,
    }
}
