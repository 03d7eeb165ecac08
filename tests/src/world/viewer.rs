//! What viewers do.

use std::time::Duration;

use kinora_core::io::{Input, MediaKind, ReadyState, Selection, Source};
use kinora_core::time::{MediaTime, WallTime};

use super::{World, live};

/// What a viewer does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Asks the player to go there.
    Seek(MediaTime),
    /// Moves the element by its own controls.
    SeekByControls(MediaTime),
    /// Pauses.
    Pause,
    /// Plays.
    Play,
    /// Wants another speed.
    SetRate(f64),
    /// Wants another track of sound.
    SelectAudio(u32),
    /// Wants subtitles in another language, or none.
    SelectText(Option<u32>),
    /// Wants pictures of this height and no others, or any.
    Pin(Option<u32>),
    /// Makes the picture small: no more than so many pixels high, or any.
    Cap(Option<u32>),
    /// Shuts the lid: nothing happens for so long, and the network is another one afterwards.
    Sleep(Duration),
    /// The device has no network for so long.
    GoOffline(Duration),
    /// Leaves.
    Unload,
    /// Starts something.
    Load(Source),
}

impl World {
    /// Lets the viewer do something.
    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Seek(to) => self.input(Input::Seek(*to)),
            // Without metadata controls have no timeline to seek on.
            Action::SeekByControls(_)
                if self.element.state().ready_state == ReadyState::HaveNothing => {}
            Action::SeekByControls(to) => {
                self.element.seek(*to);
                self.invariants.tick(self.now);
                self.invariants.seeked();
                self.report_now();
            }
            Action::Pause => {
                self.element.paused = true;
                self.report_now();
            }
            Action::Play => {
                self.element.paused = false;
                self.report_now();
            }
            Action::SetRate(rate) => self.input(Input::SetRate(*rate)),
            Action::SelectAudio(index) => {
                let kind = MediaKind::Audio;
                self.input(Input::Select(Selection::Track { kind, index: *index }));
            }
            Action::SelectText(index) => {
                let kind = MediaKind::Text;
                let selection = match index {
                    Some(index) => Selection::Track { kind, index: *index },
                    None => Selection::NoTrack { kind },
                };
                self.input(Input::Select(selection));
            }
            Action::Pin(height) => {
                let kind = MediaKind::Video;
                let of_height = |height: &u32| {
                    let quality = self.qualities.iter().find(|one| one.height == Some(*height))?;
                    Some(quality.id.clone())
                };
                let id = height.as_ref().and_then(of_height);
                self.input(Input::Select(Selection::Representation { kind, id }));
            }
            Action::Cap(height) => {
                let mut config = self.config.clone();
                config.abr.max_height = *height;
                self.config = config.clone();
                self.input(Input::Configure(Box::new(config)));
            }
            Action::Sleep(duration) => self.sleep(*duration),
            Action::GoOffline(duration) => {
                let until = self.now() + *duration;
                self.network.go_offline(until);
            }
            Action::Unload => self.input(Input::Unload),
            Action::Load(source) => {
                self.element.paused = self.element.faults.refuses_autoplay;
                let wall = live::wall(self.now()).micros() + self.skew_us;
                self.input(Input::WallClock(WallTime::from_micros(wall)));
                self.input(Input::Load(source.clone()));
            }
        }
    }
}

impl Action {
    /// A short name, to count by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seek(_) => "seek",
            Self::SeekByControls(_) => "seek-by-controls",
            Self::Pause => "pause",
            Self::Play => "play",
            Self::SetRate(_) => "rate",
            Self::SelectAudio(_) => "audio-track",
            Self::SelectText(_) => "text-track",
            Self::Pin(_) => "pin",
            Self::Cap(_) => "cap",
            Self::Sleep(_) => "sleep",
            Self::GoOffline(_) => "offline",
            Self::Unload => "unload",
            Self::Load(_) => "load",
        }
    }
}
