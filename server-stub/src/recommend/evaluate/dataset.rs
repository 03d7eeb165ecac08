//! Datasets: tables of ratings, comma or tab separated.

use crate::recommend::{
    Error, Interaction, Kind, Preferences, Result, Title, content::read_titles,
};
use csv::StringRecord;
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

/// More rows than this are refused.
const MAX_ROWS: u64 = 50_000_000;

/// Ratings, and what is known of the titles.
#[derive(Debug)]
pub struct Dataset {
    /// Who rated what.
    pub preferences: Preferences,
    /// Titles, as far as the tables describe them.
    pub titles: Vec<Title>,
}

/// Which column means what; names as GroupLens, RecBole and others write them.
const USER: &[&str] = &["user", "userid", "user_id", "profile"];
const ITEM: &[&str] = &["item", "itemid", "item_id", "movieid", "title_id"];
const RATING: &[&str] = &["rating", "stars"];
const TIME: &[&str] = &["timestamp", "at", "time"];
const NAME: &[&str] = &["title", "movie_title", "name"];
const GENRES: &[&str] = &["genres", "class", "genre"];
const YEAR: &[&str] = &["year", "release_year"];

impl Dataset {
    /// Reads a table of ratings: with a header, or the columns user, item, rating, timestamp. RecBole's
    /// `.inter` files are such tables, and the `.item` file beside one is read along.
    ///
    /// `titles` is a further table, or JSON lines, that describes titles. With `core`, profiles and titles with
    /// fewer entries than that are left out, again and again.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`].
    pub fn read(path: &Path, titles: Option<&Path>, core: usize) -> Result<Self> {
        let mut ratings = Vec::new();
        let mut described = BTreeMap::new();
        let mut table = Table::open(path, &["user", "item", "rating", "timestamp"])?;
        let [user, item] = [table.column(USER)?, table.column(ITEM)?];
        let optional = [RATING, TIME].map(|names| table.column(names).ok());
        while let Some(row) = table.next()? {
            let number = |column: Option<usize>| match column {
                Some(column) => row.number(column).map(Some),
                None => Ok(None),
            };
            let [rating, at] = [number(optional[0])?, number(optional[1])?];
            let (profile, item) = (row.text(user)?, row.text(item)?);
            described.entry(item.clone()).or_insert_with(|| row.title(&item));
            let kind = if rating.is_some() { Kind::Rate } else { Kind::Watch };
            let weight = rating.unwrap_or(1.0);
            if !(0.0..=10.0).contains(&weight) {
                return Err(row.refused(format!("a rating must be between 0 and 10, not {weight}")));
            }
            let at = at.unwrap_or(0.0);
            if !(0.0..=4e9).contains(&at) {
                return Err(row.refused(format!("a time must be seconds since 1970, not {at}")));
            }
            let weight = weight as f32;
            ratings.push(Interaction { profile, item, at: at as i64, kind, weight });
        }
        keep_core(&mut ratings, core);

        let beside = path.with_extension("item");
        let is_inter = path.extension().is_some_and(|extension| extension == "inter");
        for path in titles.into_iter().chain(Some(&*beside).filter(|p| is_inter && p.exists())) {
            for title in Self::read_titles(path)? {
                described.insert(title.id.clone(), title);
            }
        }
        let preferences = Preferences::collect(ratings.into_iter().map(Ok), [])?;
        described.retain(|id, _| preferences.items().binary_search(id).is_ok());
        Ok(Self { preferences, titles: described.into_values().collect() })
    }

    /// Reads what is known of titles: JSON lines, or a table.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`].
    pub fn read_titles(path: &Path) -> Result<Vec<Title>> {
        let is_json = |extension: &std::ffi::OsStr| extension == "jsonl" || extension == "json";
        if path.extension().is_some_and(is_json) {
            let file = File::open(path).map_err(Error::io("open", path))?;
            return read_titles(BufReader::new(file), &path.display().to_string()).collect();
        }
        let mut table = Table::open(path, &["item", "title", "genres", "year"])?;
        let item = table.column(ITEM)?;
        let mut titles = Vec::new();
        while let Some(row) = table.next()? {
            titles.push(row.title(&row.text(item)?));
        }
        Ok(titles)
    }
}

fn keep_core(ratings: &mut Vec<Interaction>, core: usize) {
    loop {
        let mut counts: [HashMap<String, usize>; 2] = Default::default();
        for rating in ratings.iter() {
            *counts[0].entry(rating.profile.clone()).or_default() += 1;
            *counts[1].entry(rating.item.clone()).or_default() += 1;
        }
        let before = ratings.len();
        ratings.retain(|r| counts[0][&r.profile] >= core && counts[1][&r.item] >= core);
        if ratings.len() == before {
            return;
        }
    }
}

/// A table with a header.
struct Table {
    name: String,
    reader: csv::Reader<Box<dyn BufRead>>,
    header: HashMap<String, usize>,
    row: StringRecord,
    rows: u64,
}

struct Row<'a> {
    table: &'a Table,
}

impl Table {
    /// Opens a table. A first line that begins with a number is no header; the columns are the usual ones then.
    fn open(path: &Path, usual: &[&str]) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(Error::io("open", path))?;
        let mut file = BufReader::new(file);
        let start = file.fill_buf().map_err(Error::io("read", path))?;
        let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(line).into_owned();
        let delimiter = if first.contains('\t') { b'\t' } else { b',' };
        let has_header = !first.trim_start_matches('"').starts_with(|c: char| c.is_ascii_digit());
        // In a table with tabs, quotation marks are part of the text.
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(has_header)
            .delimiter(delimiter)
            .quoting(delimiter == b',')
            .from_reader(Box::new(file) as Box<dyn BufRead>);
        let mut header = HashMap::new();
        if has_header {
            let named = reader.headers().map_err(|error| input(&name, 1, &error))?;
            for (at, column) in named.iter().enumerate() {
                // RecBole writes the type behind the name.
                let column = column.split(':').next().unwrap_or_default();
                header.entry(column.trim().to_lowercase()).or_insert(at);
            }
        } else {
            header.extend(usual.iter().enumerate().map(|(at, &column)| (column.to_owned(), at)));
        }
        Ok(Self { name, reader, header, row: StringRecord::new(), rows: 0 })
    }

    fn column(&self, names: &[&str]) -> Result<usize> {
        names.iter().find_map(|&name| self.header.get(name).copied()).ok_or_else(|| Error::Input {
            source_name: self.name.clone(),
            line: 1,
            reason: format!("there is no column `{}`", names.join("` or `")),
        })
    }

    fn next(&mut self) -> Result<Option<Row<'_>>> {
        self.rows += 1;
        let line = self.reader.position().line();
        if self.rows > MAX_ROWS {
            let reason = format!("more than {MAX_ROWS} rows");
            return Err(Error::Input { source_name: self.name.clone(), line, reason });
        }
        match self.reader.read_record(&mut self.row) {
            Ok(true) => Ok(Some(Row { table: self })),
            Ok(false) => Ok(None),
            Err(error) => Err(input(&self.name, line, &error)),
        }
    }
}

impl Row<'_> {
    fn text(&self, column: usize) -> Result<String> {
        match self.table.row.get(column).map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.refused(format!("column {} is empty", column + 1))),
        }
    }

    fn number(&self, column: usize) -> Result<f64> {
        let text = self.text(column)?;
        match text.parse() {
            Ok(number) if f64::is_finite(number) => Ok(number),
            _ => Err(self.refused(format!("`{text}` is no number"))),
        }
    }

    /// What this row says of a title.
    fn title(&self, id: &str) -> Title {
        let field = |names: &[&str]| {
            let column = self.table.column(names).ok();
            column.and_then(|column| self.table.row.get(column)).unwrap_or_default().trim()
        };
        let genres = field(GENRES);
        let between = if genres.contains('|') { '|' } else { ' ' };
        let genres = genres.split(between).filter(|genre| !genre.is_empty());
        Title {
            id: id.to_owned(),
            title: field(NAME).to_owned(),
            genres: genres.map(str::to_owned).collect(),
            year: field(YEAR).parse().ok(),
            ..Title::default()
        }
    }

    fn refused(&self, reason: String) -> Error {
        let line = self.table.row.position().map_or(0, csv::Position::line);
        Error::Input { source_name: self.table.name.clone(), line, reason }
    }
}

fn input(name: &str, line: u64, error: &csv::Error) -> Error {
    Error::Input { source_name: name.to_owned(), line, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(name: &str, text: &str, core: usize) -> Result<Dataset> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        if name.ends_with(".inter") {
            let items = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n\
                         7\tA \"quoted\" film\t1995\tComedy Drama\n8\tAnother\tV\t\n";
            fs::write(path.with_extension("item"), items).unwrap();
        }
        Dataset::read(&path, None, core)
    }

    #[test]
    fn the_tables_of_others_are_read() {
        let inter =
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t3\t881250949\n";
        let dataset = read("x.inter", inter, 0).unwrap();
        assert_eq!(dataset.preferences.row(0)[0].rating, Some(3.0));
        assert_eq!(dataset.preferences.row(0)[0].at, 881_250_949);
        assert_eq!(dataset.titles[0].title, "A \"quoted\" film");
        assert_eq!(dataset.titles[0].genres, ["Comedy", "Drama"]);
        assert_eq!(dataset.titles[0].year, Some(1995));

        let wide = "movieId,title,year,genres,userId,rating,timestamp\n\
                    9,\"Heat, or: \"\"Cold\"\"\",1995,Action|Crime,2,2.5,1260759144\n";
        let dataset = read("x.csv", wide, 0).unwrap();
        assert_eq!(dataset.preferences.items(), ["9"]);
        assert_eq!(dataset.titles[0].title, "Heat, or: \"Cold\"");
        assert_eq!(dataset.titles[0].genres, ["Action", "Crime"]);

        let bare = read("x.tsv", "1\t2\t5\t100\n1\t3\t4\t200\n", 0).unwrap();
        assert_eq!(bare.preferences.len(), 2);
    }

    #[test]
    fn what_is_rare_is_left_out_again_and_again() {
        // Title c has one rating, without which profile 3 has one.
        let dataset = read("x.csv", "1,a,1,1\n1,b,1,1\n2,a,1,1\n2,b,1,1\n3,b,1,1\n3,c,1,1\n", 2);
        let preferences = dataset.unwrap().preferences;
        assert_eq!(preferences.profiles(), ["1", "2"]);
        assert_eq!(preferences.items(), ["a", "b"]);
    }

    #[test]
    fn a_bad_row_is_named() {
        for (text, at) in [
            ("user,item,rating\n1,a,5\n1,b,x\n", 3),
            ("user,item,rating\n1,,5\n", 2),
            ("user,item,rating\n1,a,11\n", 2),
            ("user,thing\n1,a\n", 1),
            ("user,item,rating\n1,a,5\n1,a\n", 3),
        ] {
            match read("x.csv", text, 0) {
                Err(Error::Input { line, .. }) => assert_eq!(line, at, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
