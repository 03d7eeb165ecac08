//! The model for people, as a tree.

use std::fmt::{self, Write};

use serde_json::Value;

use super::PresentationView;

/// What was understood, a line for each period, set and representation.
pub fn tree(view: &PresentationView) -> String {
    let mut text = String::new();
    // A String takes all.
    let _ = write_presentation(&mut text, view.as_value());
    text
}

fn write_presentation(out: &mut String, view: &Value) -> fmt::Result {
    let live = if view["live"] == true { "live" } else { "on demand" };
    let kind = view["kind"].as_str().unwrap_or_default().to_uppercase();
    writeln!(out, "{kind}, {live}{}", lasting(&view["duration_s"]))?;
    for period in list(&view["periods"]) {
        let id = period["id"].as_str().unwrap_or("without id");
        let start = time(&period["start_s"]);
        writeln!(out, "  period {id}: from {start}{}", lasting(&period["duration_s"]))?;
        for set in list(&period["sets"]) {
            write_set(out, set)?;
        }
        for event in list(&period["events"]) {
            let when = match &event["start"] {
                Value::String(date) => date.clone(),
                _ => time(&event["start_s"]),
            };
            writeln!(out, "    event {} at {when}", event["id"].as_str().unwrap_or_default())?;
        }
    }
    for warning in list(&view["warnings"]) {
        let file = warning["file"].as_str().map(|file| format!("{file}, ")).unwrap_or_default();
        let (code, text) = (warning["code"].as_str(), warning["text"].as_str());
        writeln!(
            out,
            "  {file}line {}: {} [{}]",
            warning["line"],
            text.unwrap_or_default(),
            code.unwrap_or_default()
        )?;
    }
    Ok(())
}

fn write_set(out: &mut String, set: &Value) -> fmt::Result {
    write!(out, "    {}", set["type"].as_str().unwrap_or_default())?;
    for key in ["id", "lang", "label"] {
        if let Some(text) = set[key].as_str() {
            write!(out, " {text}")?;
        }
    }
    for role in list(&set["roles"]) {
        write!(out, " [{}]", role.as_str().unwrap_or_default())?;
    }
    for (key, said) in
        [("trick_play", "trick play"), ("thumbnails", "thumbnails"), ("default", "default")]
    {
        if !set[key].is_null() {
            write!(out, ", {said}")?;
        }
    }
    for protection in list(&set["protection"]) {
        write!(out, ", encrypted with {}", protection["method"].as_str().unwrap_or_default())?;
    }
    writeln!(out)?;
    for representation in list(&set["representations"]) {
        let kilobits = representation["bandwidth"].as_u64().unwrap_or_default() / 1000;
        write!(
            out,
            "      {}: {kilobits} kbit/s",
            representation["id"].as_str().unwrap_or_default()
        )?;
        if let (Some(width), Some(height)) =
            (representation["width"].as_u64(), representation["height"].as_u64())
        {
            write!(out, ", {width}x{height}")?;
        }
        if let Some(codecs) = representation["codecs"].as_str().filter(|codecs| !codecs.is_empty())
        {
            write!(out, ", {codecs}")?;
        }
        match representation["segments"].as_u64() {
            Some(count) => writeln!(out, ", {count} segments")?,
            None if representation["playlist"].is_null() => {
                writeln!(out, ", segments by an index")?
            }
            None => writeln!(out, ", segments by a playlist")?,
        }
        for key in ["first", "last"] {
            let segment = &representation[key];
            if let Some(url) = segment["url"].as_str() {
                let (start, length) = (time(&segment["start_s"]), time(&segment["duration_s"]));
                let range = segment["range"].as_str().map(|range| format!(" {range}"));
                writeln!(
                    out,
                    "        {key} {start} + {length}: {url}{}",
                    range.unwrap_or_default()
                )?;
            }
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn lasting(duration: &Value) -> String {
    if duration.is_null() { String::new() } else { format!(", {} long", time(duration)) }
}

/// Seconds to the millisecond.
fn time(value: &Value) -> String {
    let seconds = value.as_f64().unwrap_or_default();
    let text = format!("{seconds:.3}");
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
