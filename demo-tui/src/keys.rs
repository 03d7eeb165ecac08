//! What keys mean.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the viewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    TogglePause,
    /// Seconds forwards, or back if negative.
    SeekBy(i64),
    /// The quality of this number, from zero, lowest first.
    Pin(usize),
    Automatic,
    /// The next subtitles, or none after the last.
    TurnSubtitles,
    /// Lines back in time.
    ScrollBy(isize),
}

/// What a key means, if anything.
pub(crate) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Action::Quit);
    }
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Action::Quit,
        KeyCode::Char(' ') => Action::TogglePause,
        KeyCode::Left => Action::SeekBy(-10),
        KeyCode::Right => Action::SeekBy(10),
        KeyCode::Up => Action::ScrollBy(1),
        KeyCode::Down => Action::ScrollBy(-1),
        KeyCode::PageUp => Action::ScrollBy(10),
        KeyCode::PageDown => Action::ScrollBy(-10),
        KeyCode::End => Action::ScrollBy(isize::MIN),
        KeyCode::Char('a') => Action::Automatic,
        KeyCode::Char('s') => Action::TurnSubtitles,
        KeyCode::Char(digit @ '1'..='9') => Action::Pin(digit as usize - '1' as usize),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_the_help_says() {
        let press = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::Char(' ')), Some(Action::TogglePause));
        assert_eq!(press(KeyCode::Right), Some(Action::SeekBy(10)));
        assert_eq!(press(KeyCode::Char('1')), Some(Action::Pin(0)));
        assert_eq!(press(KeyCode::Char('9')), Some(Action::Pin(8)));
        assert_eq!(press(KeyCode::Char('s')), Some(Action::TurnSubtitles));
        assert_eq!(press(KeyCode::Char('0')), None);
        assert_eq!(press(KeyCode::Char('x')), None);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(interrupt), Some(Action::Quit));
    }
}
