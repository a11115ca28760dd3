//! `couplet bench` and `couplet plan` end to end: tables, records, refusals.
use std::path::Path;
use std::process::Command;

fn couplet(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_couplet"));
    command.args(args).current_dir(folder).env("XDG_RUNTIME_DIR", folder).env("BENCH_STARTED", "1.5");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn done(folder: &Path, args: &[&str], parts: &[&str]) -> String {
    let (code, out, err) = couplet(folder, args);
    assert_eq!(code, 0, "{args:?}\n{out}{err}");
    for part in parts {
        assert!(out.contains(part), "{args:?} lacks {part}:\n{out}");
    }
    out
}

fn refused(folder: &Path, args: &[&str], parts: &[&str]) {
    let (code, out, err) = couplet(folder, args);
    assert_eq!(code, 2, "{args:?}\n{out}{err}");
    for part in parts {
        assert!(err.contains(part), "{args:?} lacks {part}:\n{err}");
    }
}

const SMALL: [&str; 8] = ["--device", "cpu", "--seconds", "0.01", "--blocks", "1", "--width", "16"];

#[test]
fn measurements_are_printed_recorded_and_tabled() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let with = |args: &[&'static str]| [args, &SMALL[..]].concat();
    let parts = ["steps/s", "of ceiling", "peak memory", "Record in s.json"];
    done(at, &with(&["bench", "step", "--batch", "32,64", "-o", "s.json"]), &parts);
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(at.join("s.json")).unwrap()).unwrap();
    assert_eq!((record["kind"].as_str(), record["rows"].as_array().unwrap().len()), (Some("step"), 2));
    assert!(
        record["machine"]["couplet"].is_string() && record["ceiling"]["gemm_gflops"].as_f64() > Some(0.0)
    );
    done(at, &["bench", "table", "s.json"], &["| workload |", "| w | 1 | 16x16 | 32 |"]);

    done(at, &with(&["bench", "sample", "--observations", "1", "-o", "d.json"]), &["draws/s", "100,000"]);
    done(at, &["bench", "table", "d.json"], &["| w | - | 1 | 100,000 |"]);
    done(at, &with(&["bench", "kernels"]), &["layers/dense", "of the plan"]);
    done(at, &with(&["bench", "kernels", "--plan", "sample"]), &["flow/base_sample"]);
    let simulate =
        ["bench", "simulate", "--device", "cpu", "--seconds", "0.01", "--models", "two-moons,sir,ricker"];
    refused(at, &with(&["bench", "step", "--workload", "ricker"]), &["ricker", "number of items", "--items"]);
    let sets =
        ["bench", "step", "--workload", "wd,wd-conv", "--items", "9,20", "--batch", "8", "--blocks", "1"];
    done(at, &[&sets[..], &["--device", "cpu", "--seconds", "0.01"]].concat(), &["wd-conv", "an item"]);
    let of_sets = ["bench", "kernels", "--workload", "wd", "--items", "20", "--device", "cpu"];
    done(at, &[&of_sets[..], &["--seconds", "0.01"]].concat(), &["layers/pool_backward", "GFLOP/s"]);
    done(at, &simulate, &["two-moons", "sir", "ricker", "500", "simulations/s"]);

    let lines = done(at, &with(&["bench", "step", "--batch", "32", "--lines"]), &["first_step_seconds"]);
    assert!(lines.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()), "{lines}");
    let peer = r#"{"who":"jax","workload":"w","batch":32,"metric":"steps_per_second","value":1e-3}"#;
    std::fs::write(at.join("all.jsonl"), lines + peer).unwrap();
    done(at, &["bench", "ratios", "all.jsonl", "-o", "p.json"], &["jax", "steps/s", "Record in p.json"]);
    done(at, &["bench", "table", "p.json"], &["| couplet | jax |", "W, steps/s, 32"]);
}

#[test]
fn plans_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let train = done(folder.path(), &["plan", "w"], &["207,384 parameters", "optim/adamw", "3 launches"]);
    assert!(train.contains("data/online") && train.contains("K 128 J 128"), "{train}");
    let many = done(folder.path(), &["plan", "w", "--batch", "4096"], &["9 launches"]);
    assert!(many.contains("1,024 rows at a time"), "{many}");
    let sample =
        done(folder.path(), &["plan", "sir", "--plan", "sample"], &["flow/base_sample", "1 launches"]);
    assert!(!sample.contains("optim/adamw"), "{sample}");
    // a pool, of data sets as large as they come or as said
    let pool = done(folder.path(), &["plan", "levy-flight"], &["data/pool_items", "16 rows: ", "3 launches"]);
    let few = done(folder.path(), &["plan", "levy-flight", "--items", "100"], &["data/pool_items"]);
    let flops = |listing: &str| -> f64 {
        let words = listing.split("rows: ").nth(1).unwrap().split_once(" MFLOP").unwrap().0;
        words.replace(',', "").parse().unwrap()
    };
    assert!(flops(&pool) > 1.5 * flops(&few) && flops(&few) > 10.0, "{pool}{few}");
    let ricker = ["plan", "ricker", "--plan", "summary", "--batch"];
    let with = |batch| [&ricker[..], &[batch]].concat();
    let summary = done(folder.path(), &with("64"), &["layers/item_activation_forward", "1 launches"]);
    done(folder.path(), &with("1024"), &["512 rows at a time", "2 launches"]);
    assert!(!summary.contains("flow/"), "{summary}");
    done(folder.path(), &["plan", "ricker", "--plan", "sample"], &["flow/base_sample"]);
    // the loss is that of a table
    done(folder.path(), &["plan", "two-moons", "--plan", "loss"], &["flow/base_loss"]);
}

#[test]
fn draws_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (seed, name) in [("1", "a.npz"), ("2", "b.npz")] {
        done(at, &["simulate", "two-moons", "-n", "500", "-o", name, "--seed", seed], &[]);
    }
    // simulations are no draws
    refused(at, &["bench", "c2st", "a.npz", "b.npz"], &["reference_posterior", "theta"]);
    refused(at, &["bench", "c2st", "a.npz"], &["DRAWS.npz"]);
    refused(at, &["bench", "c2st", "none.npz", "b.npz"], &["cannot read"]);
}

#[test]
fn nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    refused(at, &["bench", "step", "--workload", "wx", "--device", "cpu"], &["wx"]);
    refused(at, &["bench", "step", "--batch", "0"], &["above 0"]);
    refused(at, &["bench", "step", "--seconds", "nan"], &["above 0"]);
    refused(at, &["bench", "step", "--device", "tpu"], &["gpu:NAME"]);
    refused(at, &["bench", "step", "--blocks", "65", "--device", "cpu"], &["flow.blocks"]);
    refused(at, &["bench", "sample", "--width", "1", "--device", "cpu"], &["flow.hidden"]);
    refused(at, &["bench", "simulate", "--models", "sird", "--device", "cpu"], &["sir"]);
    refused(at, &["plan", "nothing-here"], &["nothing-here"]);
    refused(at, &["plan", "w", "--plan", "test"], &["train"]);
    refused(at, &["plan", "w", "--plan", "summary"], &["`w`", "summary network"]);
    refused(at, &["plan", "w", "--items", "9"], &["items", "--items"]);
    refused(at, &["bench", "table", "none.json"], &["cannot read"]);
    std::fs::write(at.join("bad.json"), "{}").unwrap();
    refused(at, &["bench", "table", "bad.json"], &["expected a record"]);
    refused(at, &["bench", "ratios", "bad.json"], &["found none"]);
}
