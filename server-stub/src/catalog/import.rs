//! Reading a catalogue from a file: JSON with all there is to say, or CSV with a film a line.

use crate::storage::catalogue::Title;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Files larger than this are refused: 64 MiB.
pub const LARGEST: u64 = 64 << 20;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no JSON of the form that is asked for.
    #[error("not a catalogue: {0}")]
    Json(String),
    /// It is no CSV of the form that is asked for.
    #[error("line {line}: {reason}")]
    Csv {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A title makes no sense.
    #[error("title {id:?}: {reason}")]
    Title {
        /// Its id.
        id: String,
        /// What is wrong.
        reason: String,
    },
}

/// Titles as `{"titles": […]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    titles: Vec<Title>,
}

/// Reads titles from JSON.
///
/// # Errors
/// The first thing that is wrong.
pub fn json(text: &[u8]) -> Result<Vec<Title>, ImportError> {
    let file: File =
        serde_json::from_slice(text).map_err(|error| ImportError::Json(error.to_string()))?;
    checked(file.titles)
}

/// The columns that hold several values, with `;` between them.
const LISTS: [&str; 5] = ["genres", "audio_languages", "subtitle_languages", "directors", "actors"];
/// The columns that hold one.
const TEXTS: [&str; 4] = ["id", "name", "original_name", "synopsis"];
const NUMBERS: [&str; 2] = ["year", "maturity"];
/// The columns that say what plays.
const MEDIA: [&str; 4] = ["duration_seconds", "hls", "dash", "package"];

/// Reads films from CSV (RFC 4180) whose first line names the columns: `id`, `name` and `maturity`, and any of
/// `original_name`, `synopsis`, `year`, `genres`, `audio_languages`, `subtitle_languages`, `directors`,
/// `actors`, `duration_seconds`, `hls`, `dash`, `package`, `poster`.
///
/// # Errors
/// The first thing that is wrong.
pub fn csv(text: &[u8]) -> Result<Vec<Title>, ImportError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let wrong = |line, reason: String| ImportError::Csv { line, reason };
    let columns = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    for column in &columns {
        let known = [&LISTS[..], &TEXTS, &NUMBERS, &MEDIA, &["poster"]].concat();
        if !known.contains(&column) {
            return Err(wrong(
                1,
                format!("no column is called {column:?}; there are {}", known.join(", ")),
            ));
        }
    }
    let mut titles = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| wrong(index as u64 + 2, error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut title = Map::from_iter([("kind".to_owned(), json!("film"))]);
        let (mut people, mut media) = (Vec::new(), Map::new());
        for (column, value) in columns.iter().zip(&record).filter(|(_, value)| !value.is_empty()) {
            let number = || {
                let reason = || wrong(line, format!("{column}: {value:?} is no whole number"));
                value.parse::<u32>().map(Value::from).map_err(|_| reason())
            };
            let list = || value.split(';').map(str::trim).filter(|value| !value.is_empty());
            match column {
                "directors" => {
                    people.extend(list().map(|name| json!({"name": name, "role": "director"})));
                }
                "actors" => {
                    people.extend(list().map(|name| json!({"name": name, "role": "actor"})))
                }
                "poster" => {
                    let poster =
                        json!([{"kind": "poster", "url": value, "width": 600, "height": 900}]);
                    title.insert("artwork".to_owned(), poster);
                }
                "duration_seconds" => {
                    media.insert(column.to_owned(), number()?);
                }
                "hls" | "dash" => {
                    media.insert(column.to_owned(), value.into());
                }
                column if NUMBERS.contains(&column) => {
                    title.insert(column.to_owned(), number()?);
                }
                column if LISTS.contains(&column) => {
                    title.insert(column.to_owned(), list().collect());
                }
                column => {
                    title.insert(column.to_owned(), value.into());
                }
            }
        }
        title.insert("people".to_owned(), people.into());
        if !media.is_empty() {
            title.insert("media".to_owned(), media.into());
        }
        let title = serde_json::from_value(title.into());
        titles.push(title.map_err(|error| wrong(line, error.to_string()))?);
    }
    checked(titles)
}

fn checked(titles: Vec<Title>) -> Result<Vec<Title>, ImportError> {
    for title in &titles {
        title.check().map_err(|nonsense| ImportError::Title {
            id: title.id.as_str().to_owned(),
            reason: nonsense.to_string(),
        })?;
    }
    Ok(titles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_film() {
        let text = "id,name,maturity,year,genres,directors,duration_seconds,hls\n\
            bunny,\"Big Buck, Bunny\",0,2008,animation; comedy,A;B,596,/film/master.m3u8\n\
            dream,Dream,12,,,,,\n";
        let titles = csv(text.as_bytes()).unwrap();
        assert_eq!(titles[0].name.as_str(), "Big Buck, Bunny");
        assert_eq!(titles[0].genres.len(), 2);
        assert_eq!(titles[0].people[1].name.as_str(), "B");
        assert_eq!(titles[0].media.as_ref().unwrap().duration_seconds, 596);
        assert_eq!((titles[1].year, titles[1].media.as_ref()), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("id,name,colour\n", "line 1: no column is called \"colour\""),
            ("id,name,maturity\na,A,0\nb,B,old\n", "line 3: maturity: \"old\" is no whole number"),
            ("id,name,maturity\na,A\n", "line 2: "),
            ("id,name,maturity\nA B,A,0\n", "line 2: expected lower-case letters"),
            ("id,name,maturity\na,A,99\n", "title \"a\": /maturity: at most 21"),
            ("id,name\na,A\n", "line 2: missing field `maturity`"),
        ] {
            let error = csv(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(json(b"[]").is_err());
        let film = r#"{"id":"a","kind":"film","name":"A","maturity":0,"seasons":[{"number":1,"episodes":[]}]}"#;
        let error = json(format!(r#"{{"titles":[{film}]}}"#).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "title \"a\": /seasons: a film has no seasons");
    }
}
