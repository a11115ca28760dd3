//! The command line end to end: what is done, what is refused and with which words, exit codes.
#[path = "common/command.rs"]
mod command;

use command::{couplet, done, folder, refused};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A run of two-moons, trained once for all tests that only read it.
fn trained() -> &'static Path {
    static RUN: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, run) = RUN.get_or_init(|| {
        let folder = folder();
        let args = ["train", "two-moons", "--steps", "20", "--batch", "32", "--device", "cpu", "--seed", "3"];
        let ran = couplet(folder.path(), &args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        // stderr is no terminal here: plain lines.
        assert!(ran.err.contains("step 20/20") && ran.err.contains("loss "), "{}", ran.err);
        for part in
            ["Trained two-moons: 20 steps of 32", "couplet check runs", "couplet sample runs", "--data"]
        {
            assert!(ran.out.contains(part), "{}", ran.out);
        }
        let run = folder.path().join("runs").join("two-moons");
        (folder, run)
    });
    run
}

/// A copy of the trained run whose weights have gone through `change`.
fn changed(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let run = folder.join("run");
    std::fs::create_dir(&run).unwrap();
    for entry in std::fs::read_dir(trained()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), run.join(entry.file_name())).unwrap();
    }
    let weights = run.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    change(&mut bytes);
    std::fs::write(&weights, bytes).unwrap();
    run
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn models_lists_all_and_prints_each() {
    let folder = folder();
    let list = done(folder.path(), &["models"]);
    assert_eq!(list.lines().count(), couplet::sim::BUILTIN.len(), "{list}");
    for line in list.lines() {
        let name = line.split_whitespace().next().unwrap();
        let model = done(folder.path(), &["models", name]);
        assert!(model.contains(&format!("builtin = \"{name}\"")) && model.contains("[flow]"), "{model}");
    }
    done(folder.path(), &["devices"]);
}

#[test]
fn usage_errors_name_the_flag_and_exit_with_2() {
    let folder = folder();
    for (args, part) in [
        (&["train", "two-moons", "--stepps", "3"][..], "--steps"),
        (&["trian"], "train"),
        (&["train"], "<MODEL>"),
        (&["train", "slcp", "--steps", "0"], "whole number above 0"),
        (&["train", "slcp", "--steps", "5", "--minutes", "1"], "cannot be used with"),
        (&["train", "slcp", "--device", "tpu"], "tpu"),
        (&["sample", "run", "--data", "x.csv", "-o", "d.csv", "--format", "xls"], "npz"),
        (&["bench", "sbibm", "--reference", "r", "--budget", "lots"], "online"),
    ] {
        let ran = couplet(folder.path(), args);
        assert!(
            ran.code == 2 && ran.err.starts_with("error: ") && ran.err.contains(part),
            "{args:?}\n{}",
            ran.err
        );
    }
    assert_eq!(couplet(folder.path(), &["--help"]).code, 0);
    assert_eq!(couplet(folder.path(), &["--version"]).code, 0);
}

#[test]
fn a_wrong_model_is_refused_with_the_nearest_name() {
    let folder = folder();
    let at = folder.path();
    refused(at, &["train", "two-moon"], &["found `two-moon`", "Did you mean `two-moons`?"]);
    refused(
        at,
        &["simulate", "absent.toml", "-n", "5", "-o", "."],
        &["cannot read `absent.toml`", "Check the path"],
    );
    for (name, model, parts) in [
        (
            "key.toml",
            "[simulator]\nbuiltin = 'slcp'\n[flow]\nblock = 3",
            &["`flow.block` in key.toml, line 4", "`blocks`"][..],
        ),
        (
            "value.toml",
            "[simulator]\nbuiltin = 'slcp'\n[flow]\nactivation = 'rellu'",
            &["line 4", "Did you mean `relu`?"],
        ),
        ("range.toml", "[simulator]\nbuiltin = 'slcp'\n[flow]\nbins = 1", &["from 2 to 64, found 1"]),
        (
            "prior.toml",
            "[simulator]\nbuiltin = 'sir'\n[[parameter]]\nname = 'b'\nprior = 'lognormal(0, 1)'",
            &["line 5", "`log-normal`"],
        ),
        ("toml.toml", "[simulator\n", &["line 1", "not valid TOML"]),
        ("newer.toml", "version = 9", &["version 9", "Update"]),
        ("empty.toml", "", &["simulator"]),
        (
            "table.toml",
            "[simulator]\ndataset = 'gone.npz'\n[[parameter]]\nname = 'a'\nprior = 'normal(0, 1)'\n[data]\nfeatures = 2",
            &["gone.npz"],
        ),
    ] {
        std::fs::write(at.join(name), model).unwrap();
        refused(at, &["train", name, "--device", "cpu", "--steps", "5"], parts);
    }
    assert!(!at.join("runs/key").exists());
}

#[test]
fn an_absent_adapter_is_refused_and_says_what_there_is() {
    let folder = folder();
    let args = ["train", "two-moons", "--steps", "5", "--device", "gpu:NoSuchCard"];
    refused(folder.path(), &args, &["no usable GPU", "NoSuchCard"]);
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn an_unwritable_folder_is_refused_before_training() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let args = ["train", "two-moons", "--steps", "5", "--device", "cpu", "-o", "file/run"];
    refused(folder.path(), &args, &["file", "run"]);
    refused(
        folder.path(),
        &["simulate", "two-moons", "-n", "5", "-o", "file/sims"],
        &["cannot create `file"],
    );
    let run = text(trained());
    std::fs::write(folder.path().join("x.csv"), "0,0\n").unwrap();
    let args = ["sample", run, "--data", "x.csv", "-n", "5", "--device", "cpu", "-o", "absent/draws.csv"];
    refused(folder.path(), &args, &["a folder `absent", "draws.csv"]);
    refused(folder.path(), &["new", "absent/model"], &["cannot write `absent"]);
}

#[test]
fn a_run_is_neither_replaced_nor_resumed_by_accident() {
    let folder = folder();
    let at = folder.path();
    let train = ["train", "two-moons", "--steps", "5", "--device", "cpu", "-q", "-o", "run"];
    assert_eq!(done(at, &train), "");
    refused(at, &train, &["`run` holds a run already", "--resume", "--overwrite"]);
    done(at, &[&train[..], &["--overwrite"]].concat());
    refused(at, &["train", "two-moons", "--resume", "-o", "other"], &["`other`", "no model.toml"]);
    refused(at, &["train", "slcp", "--resume", "-o", "run"], &["another model than `slcp`"]);
    // a large table is read in larger batches
    let large =
        ["train", "two-moons", "--simulations", "3e4", "--steps", "2", "--device", "cpu", "-o", "large"];
    assert!(done(at, &large).contains("2 steps of 256"));
    // what the run has seen stays what it was; the flags of the first call may be repeated
    let resume = ["train", "two-moons", "--resume", "-o", "run", "--device", "cpu", "-q"];
    let with = |flags: &[&'static str]| [&resume[..], flags].concat();
    refused(at, &with(&["--batch", "32"]), &["train.batch", "expected 64", "found 32"]);
    refused(at, &with(&["--seed", "2"]), &["train.seed", "expected 1", "found 2"]);
    refused(at, &with(&["--simulations", "900"]), &["train.simulations", "expected none", "found 900"]);
    refused(at, &with(&["--minutes", "1"]), &["--minutes", "has its length", "--steps"]);
    let model = at.join("run/model.toml");
    let kept = std::fs::read_to_string(&model).unwrap();
    for (from, to, part) in [
        ("validation = 0.1", "validation = 0.2", "train.validation"),
        ("activation = \"silu\"", "activation = \"relu\"", "[summary]"),
        ("bound = 5.0", "bound = 4.0", "[flow]"),
        ("transform = \"none\"", "transform = \"asinh\"", "[data]"),
    ] {
        let changed = kept.replacen(from, to, 1);
        assert_ne!(changed, kept, "{part}");
        std::fs::write(&model, changed).unwrap();
        refused(at, &resume, &[part, "run so far"]);
    }
    std::fs::write(&model, kept).unwrap();
    done(at, &with(&["--batch", "64", "--seed", "1", "--steps", "9", "--lr", "0.001"]));
    let kept = std::fs::read_to_string(at.join("run/model.toml")).unwrap();
    assert!(kept.contains("steps = 9\n") && kept.contains("lr = 0.001\n"), "{kept}");
}

#[test]
fn observed_data_that_do_not_fit_are_refused() {
    let folder = folder();
    let at = folder.path();
    refused(at, &["sample", "absent", "--data", "x.csv", "--device", "cpu"], &["absent"]);
    refused(at, &["check", "absent", "--device", "cpu"], &["absent"]);
    let run = text(trained());
    refused(at, &["sample", run, "--data", "gone.csv", "--device", "cpu"], &["cannot read `gone.csv`"]);
    for (name, content, part) in [
        ("wide.csv", "1,2,3\n", "wide.csv"),
        ("empty.csv", "", "empty.csv"),
        ("header.csv", "a,b\n", "header.csv"),
        ("nan.csv", "0.1,nan\n", "nan.csv"),
        ("words.csv", "0.1,0.2\nhello,there\n", "words.csv"),
        ("bad.npz", "PK\u{3}\u{4}not really", "bad.npz"),
    ] {
        std::fs::write(at.join(name), content).unwrap();
        refused(at, &["sample", run, "--data", name, "-n", "5", "--device", "cpu"], &["cannot use `", part]);
    }
    std::fs::write(at.join("x.csv"), "0,0\n").unwrap();
    refused(
        at,
        &["sample", run, "--data", "x.csv", "-o", "draws.xls", "--device", "cpu"],
        &["draws.xls", ".npz"],
    );
    refused(
        at,
        &["sample", run, "--data", "x.csv", "-n", "1e15", "--device", "cpu"],
        &["do not fit in memory"],
    );
}

#[test]
fn damaged_weights_are_refused() {
    let sample = |run: &Path, parts: &[&str]| {
        let folder = folder();
        std::fs::write(folder.path().join("x.csv"), "0,0\n").unwrap();
        let args = ["sample", text(run), "--data", "x.csv", "-n", "5", "--device", "cpu"];
        refused(folder.path(), &args, parts);
    };
    let one = folder();
    sample(&changed(one.path(), |b| b.truncate(b.len() - 7)), &["weights.safetensors", "train again"]);
    let two = folder();
    sample(&changed(two.path(), |b| *b.last_mut().unwrap() ^= 0x10), &["checksum", "the file has changed"]);
    let three = folder();
    sample(&changed(three.path(), Vec::clear), &["empty or cut short"]);
    let four = folder();
    sample(&changed(four.path(), |b| *b = b"some other file".to_vec()), &["something else"]);
    let five = folder();
    let newer = changed(five.path(), |b| {
        let old = br#""format_version":"1""#;
        let at = b.windows(old.len()).position(|w| w == old).unwrap();
        b[at + old.len() - 2] = b'7';
    });
    sample(&newer, &["format version 1 or older, found 7", "newer couplet"]);
    let six = folder();
    let gone = changed(six.path(), |_| {});
    std::fs::remove_file(gone.join("weights.safetensors")).unwrap();
    sample(&gone, &["run"]);
}

#[test]
fn draws_of_one_and_of_many_data_sets_leave_as_csv_and_npz() {
    let folder = folder();
    let at = folder.path();
    let run = text(trained());
    std::fs::write(at.join("one.csv"), "0.1,0.2\n").unwrap();
    let rows: String = (0..12).map(|i| format!("{},0.2\n", f64::from(i) / 10.0)).collect();
    std::fs::write(at.join("many.csv"), format!("x_1,x_2\n{rows}")).unwrap();

    let sample = |data: &str, output: &str, seed: &str| {
        done(
            at,
            &["sample", run, "--data", data, "-n", "1e2", "-o", output, "--seed", seed, "--device", "cpu"],
        )
    };
    let shown = sample("one.csv", "one.out.csv", "4");
    assert!(
        shown.contains("theta_1") && shown.contains("theta_2") && shown.contains("one.out.csv"),
        "{shown}"
    );
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let csv = read("one.out.csv");
    assert!(csv.starts_with("theta_1,theta_2\n") && csv.lines().count() == 101, "{csv}");
    for value in csv.lines().skip(1).flat_map(|line| line.split(',')) {
        assert!(value.parse::<f64>().unwrap().abs() < 1.0, "outside the prior: {value}");
    }
    sample("many.csv", "many.out.csv", "4");
    let csv = read("many.out.csv");
    assert!(csv.starts_with("dataset,theta_1,theta_2\n") && csv.lines().count() == 1201);
    assert!(csv.lines().last().unwrap().starts_with("11,"));
    sample("many.csv", "many.npz", "4");
    let size = std::fs::metadata(at.join("many.npz")).unwrap().len();
    assert!(size > 12 * 100 * 2 * 4, "{size}");

    sample("one.csv", "same.csv", "4");
    sample("one.csv", "other.csv", "5");
    assert_eq!(read("one.out.csv"), read("same.csv"));
    assert_ne!(read("one.out.csv"), read("other.csv"));

    done(at, &["sample", run, "--data", "one.csv", "-n", "200", "--plot", "pair.svg", "--device", "cpu"]);
    assert!(read("pair.svg").starts_with("<svg"));
}

#[test]
fn a_check_gives_a_verdict_and_figures() {
    let folder = folder();
    let args =
        ["check", text(trained()), "--sets", "40", "--draws", "39", "--device", "cpu", "--plots", "figures"];
    let ran = couplet(folder.path(), &args);
    // Twenty steps need not be enough to pass.
    assert!(ran.code == 0 || ran.code == 1, "{}{}", ran.out, ran.err);
    let few = ["check", text(trained()), "--sets", "3", "--draws", "3", "--device", "cpu"];
    refused(folder.path(), &few, &["expected at least", "found 3 data sets"]);
    assert!(!ran.out.is_empty() && folder.path().join("figures/ranks-theta-1.svg").is_file(), "{}", ran.out);
    assert!(folder.path().join("figures/ranks-theta-1.png").is_file());
}

#[test]
fn a_certificate_and_reports_follow_a_check() {
    let folder = folder();
    let run = changed(folder.path(), |_| {});
    let at = folder.path();
    std::fs::write(at.join("x.csv"), "-0.2,0.3\n500,-700\n").unwrap();
    let sample = ["sample", text(&run), "--data", "x.csv", "-n", "200", "--device", "cpu"];
    let before = done(at, &sample);
    assert!(before.contains("Never checked") && before.contains("far outside"), "{before}");
    refused(at, &[&sample[..], &["--conformal"]].concat(), &["couplet check"]);
    let check = ["check", text(&run), "--sets", "60", "--draws", "60", "--device", "cpu"];
    let checked = couplet(at, &check);
    assert!(checked.code < 2 && checked.out.contains("report.html"), "{}{}", checked.out, checked.err);
    let after = done(at, &[&sample[..], &["--conformal", "--report", "r.html", "--plots", "p"]].concat());
    for part in ["Checked 20", "60 data sets", "conformal", "warning: ", "Report in r.html"] {
        assert!(after.contains(part), "{after}lacks: {part}");
    }
    for page in [run.join("report.html"), at.join("r.html")] {
        let html = std::fs::read_to_string(page).unwrap();
        assert!(html.len() < 2_000_000 && html.contains("prefers-color-scheme") && html.contains("<svg"));
        assert!(
            !html.replace("http://www.w3.org/2000/svg", "").contains("http") && !html.contains("<script")
        );
    }
    assert!(at.join("p/pairs-0.png").is_file());
    // Observed data against simulated ones: far off, so the answer is no.
    std::fs::write(at.join("many.csv"), "5,5\n".repeat(30) + "5.1,5\n").unwrap();
    let observed = couplet(at, &[&check[..], &["--observed", "many.csv"]].concat());
    assert!(observed.code == 1 && observed.out.contains("unlike the simulated ones"), "{}", observed.out);
    // Another prior: whose posterior would be at fault is said.
    let wide = done(at, &["models", "two-moons"]).replace("uniform(-1, 1)", "uniform(-2, 2)");
    std::fs::write(at.join("wide.toml"), wide).unwrap();
    let other = couplet(at, &[&check[..], &["--model", "wide.toml"]].concat());
    assert!(other.code == 1 && other.out.contains("trained under another prior"), "{}", other.out);
    refused(at, &[&check[..], &["--model", "slcp"]].concat(), &["differs in prior or simulator only"]);
}

#[test]
fn simulations_are_written_and_can_be_trained_on() {
    let folder = folder();
    let at = folder.path();
    assert!(done(at, &["simulate", "two-moons", "-n", "1e3", "-o", "sims"]).contains("1,000 pairs"));
    done(at, &["simulate", "two-moons", "-n", "10", "-o", "a.npz"]);
    done(at, &["simulate", "two-moons", "-n", "10", "-o", "b.npz"]);
    done(at, &["simulate", "two-moons", "-n", "10", "-o", "c.npz", "--seed", "9"]);
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    assert_eq!(read("a.npz"), read("b.npz"));
    assert_ne!(read("a.npz"), read("c.npz"));
    let model = "[simulator]\ndataset = 'sims/simulations.npz'\n[[parameter]]\nnames = ['a', 'b']\nprior = 'uniform(-1, 1)'\n[data]\nfeatures = 2\n";
    std::fs::write(at.join("mine.toml"), model).unwrap();
    done(at, &["train", "mine.toml", "--steps", "20", "--device", "cpu", "-q"]);
    assert!(at.join("runs/mine/weights.safetensors").is_file());
}

#[test]
fn a_new_model_file_trains_as_it_is() {
    let folder = folder();
    let at = folder.path();
    assert!(done(at, &["new", "my-model"]).contains("couplet train my-model.toml"));
    refused(at, &["new", "my-model"], &["`my-model.toml` exists already"]);
    done(at, &["train", "my-model.toml", "--steps", "5", "--device", "cpu", "-q"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_couplet"))
        .args(["models", "bernoulli-glm"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{err}");
}

#[test]
fn what_cannot_be_written_is_said_before_the_work() {
    let (folder, run) = (folder(), trained());
    let at = folder.path();
    let run = run.to_str().unwrap();
    std::fs::write(at.join("x.csv"), "0.1,0.2\n").unwrap();
    let sample = |more: &[&str], parts: &[&str]| {
        refused(at, &[&["sample", run, "--data", "x.csv", "-n", "3"], more].concat(), parts);
    };
    sample(&["-o", "gone/draws.npz"], &["`gone`", "found none"]);
    sample(&["-o", "x.csv"], &["than the input"]);
    sample(&["--plot", "p.png"], &["ends in .svg"]);
    sample(&["--report", "gone/r.html"], &["`gone`"]);
    refused(at, &["simulate", "two-moons", "-n", "3", "-o", "s.csv"], &["ends in .npz"]);
    refused(at, &["check", run, "--report", "gone/r.html"], &["`gone`"]);
    assert_eq!(std::fs::read_to_string(at.join("x.csv")).unwrap(), "0.1,0.2\n");
    std::fs::write(at.join("model.toml"), done(at, &["models", "two-moons"])).unwrap();
    for more in [&[][..], &["--overwrite"]] {
        let train = ["train", "model.toml", "-o", ".", "--steps", "5", "--device", "cpu"];
        refused(at, &[&train[..], more].concat(), &["the model file's own folder"]);
    }
}

#[test]
fn a_complete_run_is_left_as_it_is_by_resume() {
    let folder = folder();
    let at = folder.path();
    let train = ["train", "two-moons", "--batch", "32", "--device", "cpu", "--steps"];
    done(at, &[&train[..], &["60"]].concat());
    couplet(at, &["check", "runs/two-moons", "--sets", "50", "--draws", "50"]);
    let read = |name: &str| std::fs::read(at.join("runs/two-moons").join(name)).unwrap();
    let (weights, report) = (read("weights.safetensors"), read("report.html"));
    let said = done(at, &["train", "two-moons", "--resume", "--device", "cpu"]);
    assert!(said.contains("has made its 60 steps"), "{said}");
    assert_eq!((&weights, &report), (&read("weights.safetensors"), &read("report.html")));
    done(at, &[&train[..], &["70", "--resume"]].concat());
    assert_ne!(weights, read("weights.safetensors"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_training_in_order() {
    let folder = folder();
    let at = folder.path();
    for signal in ["-INT", "-TERM"] {
        let args =
            ["train", "two-moons", "--batch", "32", "--device", "cpu", "--steps", "1e8", "--overwrite"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_couplet"));
        let child = command.args(args).current_dir(at).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        // Its first report says that it listens.
        let mut first = String::new();
        let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut lines, &mut first).unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        std::io::Read::read_to_string(&mut lines, &mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{said}{first}");
        assert!(said.contains("couplet train runs/two-moons --resume"), "{said}");
    }
    std::fs::write(at.join("x.csv"), "0.1,0.2\n").unwrap();
    let said = done(at, &["sample", "runs/two-moons", "--data", "x.csv", "-n", "9", "--device", "cpu"]);
    assert!(said.contains("like the simulated data?"), "{said}");
}
