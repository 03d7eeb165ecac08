//! What every `Catalogue` does.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    storage::{
        Catalogue,
        catalogue::{Filter, Kind, Order, Put, Title, View},
        sqlite::SqliteCatalogue,
    },
};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime(1_700_000_000);

fn title(value: Value) -> Title {
    let title: Title = serde_json::from_value(value).unwrap();
    title.check().unwrap();
    title
}

fn film(id: &str, name: &str) -> Value {
    json!({"id": id, "kind": "film", "name": name, "maturity": 0})
}

fn with(mut value: Value, more: Value) -> Title {
    let (Value::Object(value_), Value::Object(more)) = (&mut value, more) else { panic!("object") };
    value_.extend(more);
    title(value)
}

fn view(maturity_limit: u8, region: &str) -> View {
    View { maturity_limit, region: region.to_owned(), now: NOW }
}

fn adult() -> View {
    view(21, "DE")
}

async fn put(catalogue: &impl Catalogue, titles: Vec<Title>) -> usize {
    match catalogue.put(titles, NOW).await.unwrap() {
        Put::Done { new } => new,
        Put::Taken(id) => panic!("{id} is taken"),
    }
}

async fn found(catalogue: &impl Catalogue, text: &str, view: &View) -> Vec<String> {
    let found = catalogue.search(text, view, 10).await.unwrap();
    found.into_iter().map(|title| title.id.into()).collect()
}

/// Every reading call hides what a view does not let through, and only that.
async fn sees(catalogue: &impl Catalogue, id: &str, view: &View) -> bool {
    let name = catalogue.draft(id).await.unwrap().unwrap().name;
    let by_id = catalogue.title(id, view).await.unwrap().is_some();
    let by_item = catalogue.title_of(id, view).await.unwrap().is_some();
    let by_name = found(catalogue, name.as_str(), view).await.contains(&id.to_owned());
    let by_list = catalogue.some(&[id.to_owned()], view).await.unwrap().len() == 1;
    let page = catalogue.browse(&Filter::default(), Order::Newest, view, None, 1000).await.unwrap();
    let by_page = page.titles.iter().any(|title| title.id.as_str() == id);
    let all = [by_id, by_item, by_name, by_list, by_page];
    assert!(all.iter().all(|sees| *sees == by_id), "{id}: {all:?}");
    by_id
}

async fn a_title_reads_back_as_it_was_written(catalogue: &impl Catalogue) {
    let whole = with(
        film("whole", "Whole"),
        json!({
            "original_name": "Ganz", "synopsis": "One line.\nAnother: 'quoted' \"so\".", "year": 2008,
            "genres": ["comedy", "animation"],
            "people": [{"name": "Sacha Goedegebure", "role": "director"},
                       {"name": "A. Hase", "role": "actor", "character": "Bunny"}],
            "artwork": [{"kind": "poster", "url": "/art/1.jpg", "width": 600, "height": 900}],
            "audio_languages": ["de", "en-GB"], "subtitle_languages": ["sv"],
            "availability": [{"regions": ["DE", "FR"], "from": "2020-01-01T00:00:00Z"}],
            "media": {"duration_seconds": 596, "hls": "/film/master.m3u8"},
        }),
    );
    assert_eq!(put(catalogue, vec![whole.clone()]).await, 1);
    assert_eq!(put(catalogue, vec![whole.clone()]).await, 0, "the same again is not new");
    assert_eq!(catalogue.draft("whole").await.unwrap(), Some(whole.clone()));
    assert_eq!(catalogue.title("whole", &adult()).await.unwrap(), Some(whole));
    assert_eq!(catalogue.title("' OR 1=1 --", &adult()).await.unwrap(), None);
}

async fn what_a_view_does_not_let_through_is_not_there(catalogue: &impl Catalogue) {
    let window = |more: Value| json!({"availability": [more]});
    put(
        catalogue,
        vec![
            with(film("sixteen", "Sixteen"), json!({"maturity": 16})),
            with(film("german", "German"), window(json!({"regions": ["DE"]}))),
            with(film("over", "Over"), window(json!({"until": "2023-11-14T22:13:20Z"}))),
            with(film("begun", "Begun"), window(json!({"from": "2023-11-14T22:13:20Z"}))),
            with(film("coming", "Coming"), window(json!({"from": "2023-11-14T22:13:21Z"}))),
            with(film("nowhere", "Nowhere"), json!({"availability": []})),
        ],
    )
    .await;
    for (id, view, expected) in [
        ("sixteen", view(15, "DE"), false),
        ("sixteen", view(16, "DE"), true),
        ("german", view(21, "DE"), true),
        ("german", view(21, "FR"), false),
        ("german", view(21, "*"), false),
        ("over", adult(), false),
        ("begun", adult(), true),
        ("coming", adult(), false),
        ("nowhere", adult(), false),
    ] {
        assert_eq!(sees(catalogue, id, &view).await, expected, "{id} {view:?}");
    }
}

fn series() -> Title {
    let episode = |id: &str, number: u8, maturity: u8| {
        json!({"id": id, "number": number, "name": id, "maturity": maturity,
               "media": {"duration_seconds": 100}})
    };
    title(json!({
        "id": "show", "kind": "series", "name": "The Show", "maturity": 6,
        "seasons": [
            {"number": 1, "episodes": [episode("s1e1", 1, 0), episode("s1e2", 2, 12)]},
            {"number": 2, "episodes": [episode("s2e1", 1, 16)]},
        ],
    }))
}

async fn episodes_have_a_limit_of_their_own(catalogue: &impl Catalogue) {
    put(catalogue, vec![series()]).await;
    for (limit, expected) in
        [(6, vec!["s1e1"]), (12, vec!["s1e1", "s1e2"]), (21, vec!["s1e1", "s1e2", "s2e1"])]
    {
        let view = view(limit, "DE");
        let seen = catalogue.title("show", &view).await.unwrap().unwrap();
        let ids: Vec<&str> = seen.items().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, expected);
        for id in ["s1e1", "s1e2", "s2e1"] {
            let title = catalogue.title_of(id, &view).await.unwrap();
            assert_eq!(title.is_some(), expected.contains(&id), "{id} at {limit}");
        }
    }
    assert_eq!(catalogue.title("show", &view(5, "DE")).await.unwrap(), None);
    assert_eq!(catalogue.title_of("s1e1", &view(5, "DE")).await.unwrap(), None);
    assert_eq!(catalogue.title_of("show", &adult()).await.unwrap(), None, "a series does not play");
}

async fn an_id_belongs_to_one_title_and_a_refused_batch_changes_nothing(
    catalogue: &impl Catalogue,
) {
    put(catalogue, vec![series()]).await;
    let batch = vec![title(film("batch", "Batch")), title(film("s1e1", "Thief"))];
    assert_eq!(catalogue.put(batch, NOW).await.unwrap(), Put::Taken("s1e1".to_owned()));
    assert_eq!(catalogue.draft("batch").await.unwrap(), None);
    assert!(found(catalogue, "batch", &adult()).await.is_empty());
    let mut shorter = series();
    shorter.seasons.truncate(0);
    put(catalogue, vec![shorter]).await;
    assert_eq!(put(catalogue, vec![title(film("s1e1", "Free now"))]).await, 1);
    assert!(catalogue.remove("s1e1").await.unwrap());
    assert!(!catalogue.remove("s1e1").await.unwrap());
    assert!(found(catalogue, "free", &adult()).await.is_empty());
}

async fn pages_follow_each_other_without_a_gap(catalogue: &impl Catalogue) {
    let mut titles = Vec::new();
    for i in 0..23 {
        let more =
            json!({"genres": ["paged"], "audio_languages": ["sv-FI"], "maturity": i % 2 * 12});
        titles.push(with(film(&format!("p{i:02}"), &format!("Page {}", 22 - i)), more));
    }
    put(catalogue, titles).await;
    let filter = Filter { genre: Some("paged".parse().unwrap()), ..Filter::default() };
    for order in [Order::Newest, Order::Name] {
        for (limit, expected) in [(21, 23), (11, 12)] {
            let (mut seen, mut after) = (Vec::new(), None::<String>);
            loop {
                let view = view(limit, "DE");
                let page = catalogue.browse(&filter, order, &view, after.as_deref(), 5);
                let page = page.await.unwrap();
                assert!(page.titles.len() <= 5);
                seen.extend(page.titles);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen.len(), expected, "{order:?}");
            let mut names: Vec<_> = seen.iter().map(|title| title.name.clone()).collect();
            let mut ids: Vec<_> = seen.iter().map(|title| title.id.clone()).collect();
            match order {
                Order::Newest => assert!(ids.is_sorted_by(|a, b| a > b)),
                Order::Name => assert!(names.is_sorted()),
            }
            names.dedup();
            ids.sort();
            ids.dedup();
            assert_eq!((names.len(), ids.len()), (expected, expected));
        }
    }
    for hostile in ["", "x", "W10", "' OR 1=1 --", &"A".repeat(5000)] {
        let page =
            catalogue.browse(&filter, Order::Name, &adult(), Some(hostile), 5).await.unwrap();
        assert_eq!(page.titles.len(), 5, "no place: {hostile}");
    }
    let swedish = Filter { audio_language: Some("SV-fi".parse().unwrap()), ..filter.clone() };
    let page = catalogue.browse(&swedish, Order::Name, &adult(), None, 50).await.unwrap();
    assert_eq!((page.titles.len(), page.next), (23, None));
    let series = Filter { kind: Some(Kind::Series), ..filter };
    let page = catalogue.browse(&series, Order::Name, &adult(), None, 50).await.unwrap();
    assert!(page.titles.is_empty());
    let genres = catalogue.genres(&view(11, "DE")).await.unwrap();
    assert!(genres.contains(&("paged".parse().unwrap(), 12)), "{genres:?}");
}

async fn words_are_found_by_how_they_begin_and_nearly_so(catalogue: &impl Catalogue) {
    let people = json!({"people": [{"name": "Jean-Pierre Jeunet", "role": "director"}],
                        "synopsis": "A waitress in Montmartre."});
    put(
        catalogue,
        vec![
            with(film("amelie", "Le Fabuleux Destin d'Amélie Poulain"), people),
            with(film("bunny", "Big Buck Bunny"), json!({"synopsis": "A giant rabbit."})),
            with(film("rabbit", "Rabbit"), json!({})),
            title(film("ikiru", "生きる")),
        ],
    )
    .await;
    for (text, expected) in [
        ("bunny", &["bunny"][..]),
        ("BUN", &["bunny"]),
        ("big bun", &["bunny"]),
        ("amelie", &["amelie"]),
        ("Amélie", &["amelie"]),
        ("jeun", &["amelie"]),
        ("montmartre", &["amelie"]),
        ("rabbit", &["rabbit", "bunny"]),
        ("生きる", &["ikiru"]),
        // Left out, put in, changed, swapped; two mistakes in a long word.
        ("buny", &["bunny"]),
        ("bunnny", &["bunny"]),
        ("binny", &["bunny"]),
        ("bnuny", &["bunny"]),
        ("fabuluex", &["amelie"]),
        ("faboleux", &["amelie"]),
        ("big buny", &["bunny"]),
        ("xyzzy", &[]),
        ("buck xyzzy", &[]),
        ("", &[]),
        ("   ", &[]),
        ("\"", &[]),
        ("bunny\" OR \"rabbit", &[]),
        ("name:bunny*", &[]),
        ("NEAR(big bunny) -", &[]),
        ("'; DROP TABLE title; --", &[]),
    ] {
        assert_eq!(found(catalogue, text, &adult()).await, expected, "{text:?}");
    }
    found(catalogue, &"a ".repeat(100_000), &adult()).await;
    found(catalogue, &"a".repeat(100_000), &adult()).await;
    put(catalogue, vec![title(film("bunny", "Hare"))]).await;
    assert!(found(catalogue, "bunny", &adult()).await.is_empty(), "it has another name now");
    assert!(found(catalogue, "buny", &adult()).await.is_empty());
    assert_eq!(found(catalogue, "hare", &adult()).await, ["bunny"]);
}

async fn some_are_given_in_the_order_asked_for(catalogue: &impl Catalogue) {
    put(catalogue, vec![title(film("x1", "X")), title(film("x2", "X"))]).await;
    let ids = ["x2", "missing", "x1"].map(str::to_owned);
    let some = catalogue.some(&ids, &adult()).await.unwrap();
    let some: Vec<String> = some.into_iter().map(|title| title.id.into()).collect();
    assert_eq!(some, ["x2", "x1"]);
}

async fn the_whole_is_walked_and_every_change_is_noticed(catalogue: &impl Catalogue) {
    put(catalogue, vec![title(film("walk-a", "A")), title(film("walk-b", "B")), series()]).await;
    let walk = async || {
        let mut ids: Vec<String> = Vec::new();
        loop {
            let page = catalogue.drafts(ids.last().map(String::as_str), 2).await.unwrap();
            assert!(page.len() <= 2);
            if page.is_empty() {
                return ids;
            }
            ids.extend(page.into_iter().map(|title| String::from(title.id)));
        }
    };
    let ids = walk().await;
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    for id in ["walk-a", "walk-b", "never"] {
        assert_eq!(ids.contains(&id.to_owned()), id != "never");
    }
    let first = catalogue.revision().await.unwrap();
    assert_eq!(catalogue.revision().await.unwrap(), first);
    put(catalogue, vec![title(film("walk-a", "Another name"))]).await;
    let second = catalogue.revision().await.unwrap();
    assert!(catalogue.remove("walk-b").await.unwrap());
    let third = catalogue.revision().await.unwrap();
    put(catalogue, vec![title(film("walk-c", "C"))]).await;
    let mut revisions = vec![first, second, third, catalogue.revision().await.unwrap()];
    revisions.dedup();
    assert_eq!(revisions.len(), 4, "{revisions:?}");
}

/// What is asked in memory is answered as the storage does.
async fn a_window_lets_through_what_the_storage_does(catalogue: &impl Catalogue) {
    let at = |seconds: i64| chrono::DateTime::from_timestamp(NOW.0 + seconds, 0).unwrap();
    for (number, window) in [
        json!({}),
        json!({"regions": ["DE"]}),
        json!({"regions": ["FR"]}),
        json!({"from": at(0)}),
        json!({"from": at(1)}),
        json!({"until": at(0)}),
        json!({"until": at(1)}),
        json!({"regions": ["DE", "FR"], "from": at(-9), "until": at(9)}),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("window-{number}");
        let one = with(film(&id, &id), json!({"availability": [window]}));
        put(catalogue, vec![one.clone()]).await;
        for region in ["DE", "SE"] {
            let view = view(21, region);
            let stored = catalogue.title(&id, &view).await.unwrap().is_some();
            assert_eq!(one.availability[0].includes(&view), stored, "{number} {region}");
        }
    }
}

async fn suite(catalogue: impl Catalogue) {
    catalogue.ready().await.unwrap();
    a_title_reads_back_as_it_was_written(&catalogue).await;
    what_a_view_does_not_let_through_is_not_there(&catalogue).await;
    episodes_have_a_limit_of_their_own(&catalogue).await;
    an_id_belongs_to_one_title_and_a_refused_batch_changes_nothing(&catalogue).await;
    pages_follow_each_other_without_a_gap(&catalogue).await;
    words_are_found_by_how_they_begin_and_nearly_so(&catalogue).await;
    some_are_given_in_the_order_asked_for(&catalogue).await;
    the_whole_is_walked_and_every_change_is_noticed(&catalogue).await;
    a_window_lets_through_what_the_storage_does(&catalogue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteCatalogue::open(directory.path()).await.unwrap();
    let fresh = Fresh { storage, directory };
    suite(fresh.storage).await;
}
