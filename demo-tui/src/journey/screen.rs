//! Drawing a [`Place`]: a pure function of it and of the terminal's size.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Flex, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Paragraph, Wrap};

use super::place::{Form, Place, Shelf, heading};
use crate::service::{Codes, Item, Profile, Summary, TitlePage};

const CHOSEN: Style = Style::new().fg(Color::Black).bg(Color::Yellow);
/// Columns of a title in a row.
const CARD: usize = 26;

/// Draws `place`, and what did not work.
pub(crate) fn draw(frame: &mut Frame<'_>, place: &Place, trouble: Option<&str>) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new("Kinora".bold().yellow()), head);
    let help = match place {
        Place::SignIn(form) => {
            sign_in(frame, body, form);
            "tab other field · enter go on · F2 sign in with a code · esc quit"
        }
        Place::Code(codes) => {
            code(frame, body, codes.as_ref());
            "enter I have done that · esc back · q quit"
        }
        Place::Profiles { profiles, at } => {
            chooser(frame, body, profiles, *at);
            "↑↓ choose · enter go on · q quit"
        }
        Place::Browse(shelf) => {
            browse(frame, body, shelf);
            "↑↓ rows · ←→ titles · enter open · esc profiles · q quit"
        }
        Place::Title { page, at } => {
            title(frame, body, page, *at);
            "↑↓ choose · enter play · esc back · q quit"
        }
    };
    match trouble {
        Some(trouble) => frame.render_widget(Paragraph::new(trouble.red().bold()), foot),
        None => frame.render_widget(Paragraph::new(help).dim(), foot),
    }
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [area] = Layout::vertical([Constraint::Max(height)]).flex(Flex::Center).areas(area);
    let [area] = Layout::horizontal([Constraint::Max(width)]).flex(Flex::Center).areas(area);
    area
}

fn sign_in(frame: &mut Frame<'_>, area: Rect, form: &Form) {
    let area = centred(area, 46, 8);
    let block = Block::bordered().title(" Sign in ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let field = |name: &'static str, value: String, here: bool| {
        let style = if here { Style::new().bold() } else { Style::new() };
        let cursor = if here { "▏" } else { "" };
        Line::from(vec![Span::raw(name).dim(), Span::styled(value, style), cursor.yellow()])
    };
    let stars = "•".repeat(form.password.chars().count());
    let lines = vec![
        Line::default(),
        field("  Email     ", form.email.clone(), !form.secret),
        Line::default(),
        field("  Password  ", stars, form.secret),
    ];
    frame.render_widget(Paragraph::new(lines), inside);
}

fn code(frame: &mut Frame<'_>, area: Rect, codes: Option<&Codes>) {
    let area = centred(area, 60, 9);
    let block = Block::bordered().title(" Sign in with a code ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let mut lines = vec![Line::default()];
    match codes {
        None => lines.push(Line::from("Asking for a code …").dim()),
        Some(codes) => lines.extend([
            Line::from("On a phone or a computer, go to"),
            Line::from(codes.verification_uri.clone()).bold(),
            Line::default(),
            Line::from("and type in"),
            Line::from(codes.user_code.clone()).bold().yellow(),
        ]),
    }
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), inside);
}

fn chooser(frame: &mut Frame<'_>, area: Rect, profiles: &[Profile], at: usize) {
    let height = u16::try_from(profiles.len() + 4).unwrap_or(u16::MAX);
    let area = centred(area, 40, height);
    let block = Block::bordered().title(" Who is watching? ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let mut lines = vec![Line::default()];
    lines.extend(profiles.iter().enumerate().map(|(number, profile)| {
        let kids = if profile.kids { "  (kids)" } else { "" };
        let text = format!("  {}{kids}  ", profile.name);
        if number == at { Line::styled(text, CHOSEN) } else { Line::raw(text) }
    }));
    frame.render_widget(Paragraph::new(lines), inside);
}

fn browse(frame: &mut Frame<'_>, area: Rect, shelf: &Shelf) {
    if shelf.rows.is_empty() {
        frame.render_widget(Paragraph::new("There is nothing to watch here yet.").dim(), area);
        return;
    }
    // Four lines a row; the chosen one is always to be seen.
    let fits = usize::from(area.height / 4).max(1);
    let first = (shelf.row + 1).saturating_sub(fits);
    let across = (usize::from(area.width) / (CARD + 1)).max(1);
    let mut lines = Vec::new();
    for (number, row) in shelf.rows.iter().enumerate().skip(first).take(fits) {
        let here = number == shelf.row;
        let name = heading(row);
        lines.push(if here { Line::from(name).bold().yellow() } else { Line::from(name).bold() });
        let at = shelf.places.get(number).copied().unwrap_or(0);
        let from = (at + 1).saturating_sub(across);
        let shown = || row.titles.iter().enumerate().skip(from).take(across);
        let card = |place: usize, text: String| {
            let text = format!("{:<CARD$} ", text.chars().take(CARD).collect::<String>());
            if here && place == at { Span::styled(text, CHOSEN) } else { Span::raw(text) }
        };
        lines.push(shown().map(|(place, title)| card(place, title.name.clone())).collect());
        let below = shown().map(|(place, title)| match row.started.get(place) {
            Some(started) => gauge(started.position_seconds, started.duration_seconds),
            None => Span::raw(format!("{:<CARD$} ", year(title))).dim(),
        });
        lines.push(below.collect());
        lines.push(Line::default());
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn year(title: &Summary) -> String {
    title.year.map_or_else(String::new, |year| year.to_string())
}

/// How much was watched, as a bar as wide as a card.
fn gauge(done: u32, all: u32) -> Span<'static> {
    let width = CARD - 2;
    let filled = (width * done as usize / all.max(1) as usize).min(width);
    let bar = format!("{}{}", "━".repeat(filled), "─".repeat(width - filled));
    Span::styled(format!("{bar:<CARD$} "), Style::new().fg(Color::Yellow))
}

fn title(frame: &mut Frame<'_>, area: Rect, page: &TitlePage, at: usize) {
    let mut facts: Vec<String> = page.year.iter().map(ToString::to_string).collect();
    facts.extend(page.genres.iter().map(|genre| genre.replace('-', " ")));
    let mut lines = vec![
        Line::from(page.name.clone()).bold(),
        Line::from(facts.join(" · ")).dim(),
        Line::default(),
        Line::from(page.synopsis.clone()),
        Line::default(),
    ];
    for (number, item) in page.items.iter().enumerate() {
        let text = format!("  {}  ", action(item));
        lines.push(match (item.playable, number == at) {
            (true, true) => Line::from(Span::styled(text, CHOSEN)),
            (true, false) => Line::from(text),
            (false, _) => Line::from(text).dim(),
        });
    }
    let text = Paragraph::new(Text::from(lines)).wrap(Wrap { trim: false });
    frame.render_widget(text.alignment(Alignment::Left), area);
}

fn action(item: &Item) -> String {
    let name = match (item.season, item.episode) {
        (Some(season), Some(episode)) => {
            format!(" {season}.{episode} {}", item.name.as_deref().unwrap_or_default())
        }
        _ => String::new(),
    };
    match item.position_seconds.filter(|_| !item.finished) {
        _ if !item.playable => format!("Not here to play{name}"),
        Some(at @ 1..) => format!("Resume{name} at {}:{:02}", at / 60, at % 60),
        _ => format!("Play{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Row, Started};
    use ratatui::{Terminal, backend::TestBackend};

    fn drawn(place: &Place, trouble: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(70, 14)).unwrap();
        terminal.draw(|frame| draw(frame, place, trouble)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_password_is_never_on_the_screen() {
        let form = Form::new("ada@example.org".into(), "secret".into());
        let screen = drawn(&Place::SignIn(form), Some("the password is wrong"));
        assert!(screen.contains("ada@example.org") && screen.contains("••••••"), "{screen}");
        assert!(!screen.contains("secret"), "{screen}");
        assert!(screen.contains("the password is wrong"), "{screen}");
    }

    #[test]
    fn rows_show_titles_and_how_far_they_were_watched() {
        let title = |name: &str| Summary { id: "x".into(), name: name.into(), year: Some(1922) };
        let started = Started { item_id: "x".into(), position_seconds: 30, duration_seconds: 60 };
        let rows = (0..8).map(|number| Row {
            id: format!("genre-{number}"),
            reason: None,
            titles: vec![
                title("Nosferatu"),
                title("A name that is longer than a card has room for"),
            ],
            started: if number == 7 { vec![started.clone()] } else { Vec::new() },
        });
        let mut shelf = Shelf::new(rows.collect());
        shelf.row = 7;
        let screen = drawn(&Place::Browse(shelf), None);
        assert!(screen.contains("Nosferatu") && screen.contains('━'), "{screen}");
        assert!(!screen.contains("room for"), "{screen}");
        for place in
            [Place::Browse(Shelf::new(Vec::new())), Place::Profiles { profiles: Vec::new(), at: 3 }]
        {
            drawn(&place, None);
        }
    }
}
