//! `kinora-lab abr` as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Small networks, a title, and what the published rules and the optimum make of them.
fn sessions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../abr/tests/sessions")
}

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-lab"));
    command.arg("abr").args(arguments).output().expect("the lab starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("written")).expect("JSON")
}

#[test]
fn a_run_prints_tables_writes_figures_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let (figures, picture) = (folder.path().join("figures.json"), folder.path().join("run.svg"));
    let networks = sessions().join("networks");
    let title = sessions().join("title.json");
    let [networks, title] = [&networks, &title].map(|path| path.to_str().expect("a plain path"));
    let set = ["--traces", networks, "--movie", title, "--buffer", "20"];
    let out = ["--json", figures.to_str().unwrap(), "--draw", picture.to_str().unwrap()];
    let run =
        ["--controller", "bolae", "engine:throughput", "--optimum", "--draw-trace", "walk.json"];
    let output = lab(&[&set[..], &run, &out].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let table = text(&output.stdout);
    assert!(table.starts_with("networks: 5 networks, 5 of them feasible"), "{table}");
    assert!(table.contains("NQlin") && table.contains("validation"), "{table}");

    let (written, known) = (json(&figures), json(&sessions().join("figures.json")));
    assert_eq!(written["bolae"], known["bolae"]);
    assert_eq!(written["OPT"], known["OPT"]);
    let engine = written["engine:throughput"].as_object().unwrap();
    assert!(engine.values().all(|outcome| outcome["kbps"].as_f64() > Some(299.0)));

    let picture = fs::read_to_string(&picture).unwrap();
    assert!(picture.contains("bolae over walk.json"));

    // The optimum need not be looked for twice.
    let again = ["--controller", "bolae", "--optimum-from", figures.to_str().unwrap()];
    let again = text(&lab(&[&set[..], &again].concat()).stdout);
    let row = |table: &str| table.lines().find(|l| l.starts_with("bolae")).map(str::to_owned);
    let words = |row: Option<String>| {
        row.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(row(&again)), words(row(&table)));
}

#[test]
fn several_sets_come_with_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let sets = folder.path().join("sets.json");
    let set = |name: &str, buffer: f64| {
        serde_json::json!({
            "name": name,
            "traces": sessions().join("networks"),
            "movie": sessions().join("title.json"),
            "buffer": buffer,
            "segments": 12,
        })
    };
    fs::write(&sets, serde_json::json!([set("long", 20.0), set("short", 8.0)]).to_string())
        .unwrap();
    let results = folder.path().join("results");
    let [sets, out] = [&sets, &results].map(|path| path.to_str().expect("a plain path"));
    let output = lab(&["--sets", sets, "--controller", "tput", "--optimum", "--json", out]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("Mean of 2 sets"));
    assert_eq!(json(&results.join("short.json"))["tput"].as_object().unwrap().len(), 5);
    assert!(results.join("long.json").exists());
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let title =
        r#"{"segment_duration_ms":2000,"bitrates_kbps":[500],"segment_sizes_bits":[[1e6]]}"#;
    write("title.json", title);
    write(
        "few.json",
        r#"{"segment_duration_ms":2000,"bitrates_kbps":[500],"segment_sizes_bits":[[]]}"#,
    );
    write("huge.json", &title.replace("1e6", "1e300"));
    write("good/a.json", r#"[{"duration_ms":1000,"bandwidth_kbps":900,"latency_ms":20}]"#);
    write("cut/a.json", r#"[{"duration_ms":1000,"#);
    write("slow/a.json", r#"[{"duration_ms":1000,"bandwidth_kbps":0.001,"latency_ms":20}]"#);
    write("late/a.json", r#"[{"duration_ms":1,"bandwidth_kbps":900,"latency_ms":1e11}]"#);
    write("dead/a.json", r#"[{"duration_ms":1000,"bandwidth_kbps":0,"latency_ms":20}]"#);
    write("back/a.json", r#"[{"duration_ms":-1,"bandwidth_kbps":900,"latency_ms":20}]"#);
    write("tiny/a.json", r#"[{"duration_ms":1e-6,"bandwidth_kbps":900,"latency_ms":20}]"#);
    write("none/readme.md", "nothing");
    write(
        "twice.json",
        r#"[{"traces":"good","movie":"title.json","buffer":9},{"traces":"good","movie":"title.json","buffer":5}]"#,
    );

    let at = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let run = |traces: &str, movie: &str, buffer: &str| {
        let [traces, movie] = [at(traces), at(movie)];
        lab(&["--traces", &traces, "--movie", &movie, "--buffer", buffer, "--controller", "tput"])
    };
    assert_eq!(run("good", "title.json", "10").status.code(), Some(0));
    for (traces, movie, buffer, file, what) in [
        ("cut", "title.json", "10", "cut/a.json", "is not a recorded network"),
        ("slow", "title.json", "10", "slow/a.json", "no network for a title"),
        ("late", "title.json", "10", "late/a.json", "no network for a title"),
        ("dead", "title.json", "10", "dead/a.json", "some bandwidth"),
        ("back", "title.json", "10", "back/a.json", "not be negative"),
        ("tiny", "title.json", "10", "tiny/a.json", "too short"),
        ("none", "title.json", "10", "none", "no .json file"),
        ("gone", "title.json", "10", "gone", "cannot read"),
        ("good", "few.json", "10", "few.json", "a size above 0"),
        ("good", "huge.json", "10", "huge.json", "beyond"),
        ("good", "good/a.json", "10", "good/a.json", "is not a title"),
        ("good", "title.json", "1", "title.json", "does not hold one of its segments"),
        ("good", "title.json", "inf", "title.json", "absurdly long"),
    ] {
        let output = run(traces, movie, buffer);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(file) && message.contains(what), "{file}: {message}");
    }
    let twice = lab(&["--sets", &at("twice.json"), "--controller", "tput"]);
    assert!(text(&twice.stderr).contains("two sets are called good"));

    write("up.json", r#"[{"name":"../up","traces":"good","movie":"title.json","buffer":9}]"#);
    let up = lab(&["--sets", &at("up.json"), "--controller", "tput"]);
    assert_eq!(up.status.code(), Some(1));
    assert!(text(&up.stderr).contains("cannot be the name of a file"));

    let nobody = ["--traces", &at("good"), "--movie", &at("title.json"), "--buffer", "10"];
    let nobody = lab(&[&nobody[..], &["--controller", "nobody"]].concat());
    assert_eq!(nobody.status.code(), Some(2));
    assert!(text(&nobody.stderr).contains("the names are: throughput"));
}
