//! The scripts of `tests/scenarios` print what they say they print.
//!
//! `UPDATE_EXPECT=1` rewrites them. `SCENARIO=name` plays one alone.

mod scripts;

#[test]
fn every_scenario_prints_what_it_says() {
    let mut wrong = Vec::new();
    for script in scripts::all() {
        let played = script.script.play().unwrap_or_else(|why| panic!("{}: {why}", script.name));
        if played.text == script.text {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&script.path, &played.text).expect("the scenario can be written");
        } else {
            wrong.push(format!("{}: {}", script.name, difference(&script.text, &played.text)));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECT=1 rewrites them.", wrong.join("\n"));
}

/// The first lines that differ.
fn difference(written: &str, told: &str) -> String {
    let same = written.lines().zip(told.lines()).take_while(|(a, b)| a == b).count();
    let from = |text: &str| text.lines().skip(same).take(6).collect::<Vec<_>>().join("\n  ");
    format!("line {}\n- {}\n+ {}\n", same + 1, from(written), from(told))
}
