//! Finding titles by what someone types.
//!
//! Words are found by how they begin. When nothing is, words that are spelt nearly so are tried: of each word
//! in names and people the table `misspelling` has what is left when one or two letters are missing, and so
//! has a misspelt word, whichever of them was left out, put in, changed or swapped (the symmetric deletes of
//! SymSpell). What has such a rest in common is then compared letter by letter.

use super::{Result, VISIBLE};
use crate::storage::catalogue::{Title, View};
use rusqlite::{Transaction, named_params, params};
use std::collections::BTreeSet;

/// More words than this, and letters of a word, find nothing better.
const MOST_WORDS: usize = 8;
const LONGEST_WORD: usize = 40;
/// The letters of a word whose rests are kept.
const KEPT_LETTERS: usize = 10;
/// Spellings that are tried of one word.
const MOST_SPELLINGS: usize = 5;

/// Makes a title findable.
pub(super) fn index(transaction: &Transaction<'_>, place: i64, title: &Title) -> Result<()> {
    let mut name = title.name.as_str().to_owned();
    if let Some(original) = &title.original_name {
        name += " ";
        name += original.as_str();
    }
    let people: Vec<&str> = title.people.iter().map(|person| person.name.as_str()).collect();
    forget(transaction, place)?;
    transaction
        .prepare_cached(
            "INSERT INTO search (rowid, name, people, synopsis) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![place, name, people.join(" \n"), title.synopsis.as_str()])?;
    Ok(())
}

/// Makes a title not findable any more.
pub(super) fn forget(transaction: &Transaction<'_>, place: i64) -> Result<()> {
    transaction.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([place])?;
    Ok(())
}

/// Learns how the words of names and people are spelt, after titles have changed. Words that are in no title
/// any more find none, and go.
pub(super) fn learn_words(transaction: &Transaction<'_>) -> Result<()> {
    let mut query = transaction.prepare(
        "SELECT DISTINCT term FROM search_word WHERE col IN ('name', 'people')
         AND term NOT IN (SELECT word FROM word)",
    )?;
    let new = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    for word in new {
        transaction.prepare_cached("INSERT INTO word (word) VALUES (?1)")?.execute([&word])?;
        for variant in rests(&word) {
            transaction
                .prepare_cached("INSERT INTO misspelling (variant, word) VALUES (?1, ?2)")?
                .execute([&variant, &word])?;
        }
    }
    transaction.execute(
        "DELETE FROM word WHERE word NOT IN (
             SELECT term FROM search_word WHERE col IN ('name', 'people'))",
        [],
    )?;
    Ok(())
}

/// The documents of the titles that a text finds, the best first.
pub(super) fn find(
    transaction: &Transaction<'_>,
    text: &str,
    view: &View,
    most: usize,
) -> Result<Vec<String>> {
    let words = words(text);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
    let found = matching(transaction, &asked.join(" AND "), view, most)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut corrected = false;
    let mut asked = Vec::new();
    for word in &words {
        let mut spellings = vec![format!("\"{word}\"*")];
        for spelling in nearly(transaction, word)? {
            corrected = true;
            spellings.push(format!("\"{spelling}\""));
        }
        asked.push(format!("({})", spellings.join(" OR ")));
    }
    if !corrected {
        return Ok(Vec::new());
    }
    matching(transaction, &asked.join(" AND "), view, most)
}

fn matching(
    transaction: &Transaction<'_>,
    query: &str,
    view: &View,
    most: usize,
) -> Result<Vec<String>> {
    // A word in the name says more than one in the synopsis.
    let select = format!(
        "SELECT document FROM search JOIN title ON title.place = search.rowid
         WHERE search MATCH :query AND {VISIBLE}
         ORDER BY bm25(search, 10.0, 4.0, 1.0), place LIMIT :most"
    );
    let mut select = transaction.prepare_cached(&select)?;
    let values = named_params! {
        ":query": query, ":limit": view.maturity_limit, ":region": view.region,
        ":now": view.now.0, ":most": most,
    };
    Ok(select.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The words of a text: letters and digits alone, so that none of them means anything to the engine.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MOST_WORDS)
        .map(|word| word.to_lowercase().chars().take(LONGEST_WORD).collect())
        .collect()
}

/// Words that are spelt nearly like this one, the nearest first.
fn nearly(transaction: &Transaction<'_>, word: &str) -> Result<Vec<String>> {
    let allowed = mistakes(word.chars().count());
    if allowed == 0 {
        return Ok(Vec::new());
    }
    let mut near = BTreeSet::new();
    for variant in rests(word) {
        let query = "SELECT word FROM misspelling WHERE variant = ?1";
        let mut query = transaction.prepare_cached(query)?;
        for candidate in query.query_map([variant], |row| row.get::<_, String>(0))? {
            let candidate = candidate?;
            let distance = strsim::osa_distance(word, &candidate);
            if distance <= allowed {
                near.insert((distance, candidate));
            }
        }
    }
    Ok(near.into_iter().map(|(_, word)| word).take(MOST_SPELLINGS).collect())
}

/// How many letters of a word may be wrong.
fn mistakes(letters: usize) -> usize {
    match letters {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// What is left of the first letters of a word when as many of them are missing as may be wrong.
fn rests(word: &str) -> BTreeSet<String> {
    let letters: Vec<char> = word.chars().take(KEPT_LETTERS).collect();
    let mut rests = BTreeSet::from([letters.clone()]);
    let mut last = rests.clone();
    for _ in 0..mistakes(word.chars().count()) {
        let mut next = BTreeSet::new();
        for rest in &last {
            for place in 0..rest.len() {
                let mut shorter = rest.clone();
                shorter.remove(place);
                next.insert(shorter);
            }
        }
        rests.extend(next.iter().cloned());
        last = next;
    }
    rests.into_iter().map(|rest| rest.into_iter().collect()).collect()
}
