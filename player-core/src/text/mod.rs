//! Subtitles and captions in tracks of their own.

mod webvtt;
