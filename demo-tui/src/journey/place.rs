//! Where the viewer is, and what they have chosen there.

use crossterm::event::KeyCode;

use crate::service::{Codes, Profile, Row, Started, Summary, TitlePage};

pub(crate) enum Place {
    SignIn(Form),
    /// What to type in elsewhere to sign in here, once it is known.
    Code(Option<Codes>),
    Profiles {
        profiles: Vec<Profile>,
        at: usize,
    },
    Browse(Shelf),
    Title {
        page: TitlePage,
        at: usize,
    },
}

impl Default for Place {
    fn default() -> Self {
        Self::SignIn(Form::new(String::new(), String::new()))
    }
}

/// What is typed in to sign in.
pub(crate) struct Form {
    pub(crate) email: String,
    pub(crate) password: String,
    /// Whether the password is being typed.
    pub(crate) secret: bool,
}

impl Form {
    pub(crate) fn new(email: String, password: String) -> Self {
        let secret = !email.is_empty();
        Self { email, password, secret }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.secret && !self.email.is_empty() && !self.password.is_empty()
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        let field = if self.secret { &mut self.password } else { &mut self.email };
        match code {
            KeyCode::Char(letter) if field.len() < 256 => field.push(letter),
            KeyCode::Backspace => drop(field.pop()),
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
                self.secret = !self.secret
            }
            KeyCode::Enter => self.secret = true,
            _ => {}
        }
    }
}

/// Rows of titles, and the one chosen.
pub(crate) struct Shelf {
    pub(crate) rows: Vec<Row>,
    pub(crate) row: usize,
    /// The place in each row.
    pub(crate) places: Vec<usize>,
}

impl Shelf {
    pub(crate) fn new(rows: Vec<Row>) -> Self {
        let places = vec![0; rows.len()];
        Self { rows, row: 0, places }
    }

    /// The title chosen, and where the profile stopped in it if the row is of that.
    pub(crate) fn chosen(&self) -> Option<(&Summary, Option<&Started>)> {
        let (row, place) = (self.rows.get(self.row)?, *self.places.get(self.row)?);
        Some((row.titles.get(place)?, row.started.get(place)))
    }

    /// The row in which something is chosen, and the place in it.
    pub(crate) fn place(&self) -> Option<(&str, u16)> {
        let place = *self.places.get(self.row)?;
        Some((&self.rows.get(self.row)?.id, u16::try_from(place).ok()?))
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Up | KeyCode::Down => self.row = moved(self.row, self.rows.len(), code),
            KeyCode::Left | KeyCode::Right => {
                let length = self.rows.get(self.row).map_or(0, |row| row.titles.len());
                if let Some(place) = self.places.get_mut(self.row) {
                    *place = moved(*place, length, code);
                }
            }
            _ => {}
        }
    }
}

/// The place after an arrow key, among so many.
pub(crate) fn moved(at: usize, length: usize, code: KeyCode) -> usize {
    match code {
        KeyCode::Up | KeyCode::Left => at.saturating_sub(1),
        KeyCode::Down | KeyCode::Right => (at + 1).min(length.saturating_sub(1)),
        _ => at,
    }
}

/// What a row is called.
pub(crate) fn heading(row: &Row) -> String {
    let named = row.reason.as_ref().and_then(|reason| reason.get("title_name")?.as_str());
    if let Some(name) = named {
        return format!("Because you watched {name}");
    }
    match row.id.as_str() {
        "for-you" => "For you".to_owned(),
        "new" => "New here".to_owned(),
        "new-for-you" => "New, and perhaps for you".to_owned(),
        "trending" => "Watched by many".to_owned(),
        id => {
            let words = id.strip_prefix("genre-").unwrap_or(id).replace('-', " ");
            let mut letters = words.chars();
            letters
                .next()
                .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        let summary =
            |id: &str| Summary { id: id.into(), name: id.to_uppercase(), year: Some(1922) };
        let started = Started { item_id: "a-1".into(), position_seconds: 30, duration_seconds: 60 };
        let row = |id: &str, ids: &[&str], started: Vec<Started>| Row {
            id: id.into(),
            reason: None,
            titles: ids.iter().map(|id| summary(id)).collect(),
            started,
        };
        Shelf::new(vec![
            row("continue-watching", &["a"], vec![started]),
            row("genre-horror", &["b", "c"], Vec::new()),
        ])
    }

    #[test]
    fn arrows_move_within_what_there_is_and_rows_keep_their_place() {
        let mut shelf = shelf();
        let chosen = |shelf: &Shelf| shelf.chosen().unwrap().0.id.clone();
        assert_eq!(shelf.chosen().unwrap().1.unwrap().item_id, "a-1");
        for (code, id) in [
            (KeyCode::Up, "a"),
            (KeyCode::Right, "a"),
            (KeyCode::Down, "b"),
            (KeyCode::Right, "c"),
            (KeyCode::Right, "c"),
            (KeyCode::Up, "a"),
            (KeyCode::Down, "c"),
            (KeyCode::Down, "c"),
        ] {
            shelf.key(code);
            assert_eq!(chosen(&shelf), id, "{code:?}");
        }
        assert_eq!(shelf.chosen().unwrap().1, None);
        let mut empty = Shelf::new(Vec::new());
        empty.key(KeyCode::Down);
        assert!(empty.chosen().is_none());
    }

    #[test]
    fn a_form_is_whole_when_both_are_there() {
        let mut form = Form::new(String::new(), String::new());
        for letter in "a@b".chars() {
            form.key(KeyCode::Char(letter));
        }
        assert!(!form.is_whole());
        form.key(KeyCode::Enter);
        for letter in "secret".chars() {
            form.key(KeyCode::Char(letter));
        }
        form.key(KeyCode::Backspace);
        assert_eq!((form.email.as_str(), form.password.as_str()), ("a@b", "secre"));
        assert!(form.is_whole());
    }

    #[test]
    fn rows_say_why_they_are_there() {
        let mut shelf = shelf();
        assert_eq!(heading(&shelf.rows[0]), "Continue watching");
        assert_eq!(heading(&shelf.rows[1]), "Horror");
        shelf.rows[1].reason = Some(serde_json::json!({"kind": "x", "title_name": "Nosferatu"}));
        assert_eq!(heading(&shelf.rows[1]), "Because you watched Nosferatu");
    }
}
