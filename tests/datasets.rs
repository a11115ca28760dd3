//! Runs that are trained on somebody's own simulations, and observed data with names of their own.
#[path = "common/command.rs"]
mod command;

use std::io::Write;
use std::path::Path;

use command::{couplet, done, folder, refused};
use couplet::data::npy;
use couplet::rng::{Rng, streams};

/// An npz file of arrays.
fn npz(path: &Path, arrays: &[(&str, &[usize], &[f32])]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, shape, values) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let mut bytes = vec![];
        npy::write_f32(&mut bytes, shape, values).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// `n` pairs: a, b of U(0, 1) and U(0, `top`), x = (a, b) + noise of sd .1.
fn pairs(n: usize, top: f32, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut rng = Rng::new(seed, streams::SIMULATOR, 0, 0);
    let (mut theta, mut x) = (vec![], vec![]);
    for _ in 0..n {
        let row = [rng.uniform(), top * rng.uniform()];
        x.extend(row.map(|t| t + 0.1 * rng.normal()));
        theta.extend(row);
    }
    (theta, x)
}

const MODEL: &str = "[simulator]\ndataset = 'pairs.npz'\n[[parameter]]\nnames = ['a', 'b']\nprior = 'uniform(0, 1)'\n\
                     [data]\nfeatures = 2\n[flow]\nblocks = 2\nhidden = [16, 16]\n";

/// A folder with model and pairs.
fn project(n: usize, top: f32) -> tempfile::TempDir {
    let folder = folder();
    std::fs::write(folder.path().join("mine.toml"), MODEL).unwrap();
    let (theta, x) = pairs(n, top, 1);
    npz(&folder.path().join("pairs.npz"), &[("theta", &[n, 2], &theta), ("x", &[n, 2], &x)]);
    folder
}

const TRAIN: &[&str] = &["train", "mine.toml", "--device", "cpu", "-q", "--steps"];

#[test]
fn parameters_that_the_prior_cannot_have_are_refused() {
    let folder = project(300, 1.5);
    let at = folder.path();
    refused(
        at,
        &[TRAIN, &["5"]].concat(),
        &["pairs.npz", "`b` is 1.", "outside of the support", "of 300 rows"],
    );
    let (_, x) = pairs(300, 1.0, 1);
    let constant: Vec<f32> = (0..300).flat_map(|i| [i as f32 / 300.0, 0.5]).collect();
    npz(&at.join("pairs.npz"), &[("theta", &[300, 2], &constant), ("x", &[300, 2], &x)]);
    refused(at, &[TRAIN, &["5"]].concat(), &["`b` is 0.5 in every row"]);
    // An end of the support is what rounding makes of a value just inside.
    let edge: Vec<f32> = (0..300).flat_map(|i| [i as f32 / 299.0, 0.5 + i as f32 / 1e3]).collect();
    npz(&at.join("pairs.npz"), &[("theta", &[300, 2], &edge), ("x", &[300, 2], &x)]);
    done(at, &[TRAIN, &["5"]].concat());
}

#[test]
fn sets_and_their_parameters_must_lie_alike() {
    let folder = folder();
    let at = folder.path();
    let text = "[simulator]\ndataset = 'pairs.npz'\n[[parameter]]\nnames = ['a', 'b']\nprior = 'normal(0, 1)'\n\
                [data]\nkind = 'set'\nfeatures = 1\nsize = [4, 4]\n";
    std::fs::write(at.join("mine.toml"), text).unwrap();
    let (theta, _) = pairs(100, 1.0, 2);
    let x: Vec<f32> = (0..400).map(|i| (i as f32).sin()).collect();
    let write = |shape: &[usize], theta: &[f32]| {
        npz(&at.join("pairs.npz"), &[("theta", shape, theta), ("x", &[100, 4, 1], &x)]);
    };
    write(&[2, 100], &theta);
    refused(at, &[TRAIN, &["5"]].concat(), &["`theta` has shape (2, 100)", "looks transposed"]);
    write(&[50, 2], &theta[..100]);
    refused(at, &[TRAIN, &["5"]].concat(), &["50 rows", "100 data sets"]);
    let mut holed = theta.clone();
    holed[7] = f32::NAN;
    write(&[100, 2], &holed);
    refused(at, &[TRAIN, &["5"]].concat(), &["`theta`, row 3 column 1", "NaN"]);
}

#[test]
fn a_run_on_a_dataset_is_checked_on_pairs_that_it_has_not_seen() {
    let folder = project(2000, 1.0);
    let at = folder.path();
    done(at, &[TRAIN, &["400"]].concat());
    let check = |more: &[&str]| couplet(at, &[&["check", "runs/mine", "--draws", "99"], more].concat());
    let own = check(&[]);
    assert!(own.code != 2 && own.out.contains("200 data sets, 99 draws each"), "{}{}", own.out, own.err);
    assert!(own.out.contains("held out"), "{}", own.out);
    assert!(at.join("runs/mine/report.html").is_file());
    let (theta, x) = pairs(500, 1.0, 2);
    npz(&at.join("fresh.npz"), &[("theta", &[500, 2], &theta), ("x", &[500, 2], &x)]);
    let fresh = check(&["--pairs", "fresh.npz", "--sets", "300"]);
    assert!(fresh.code == 0 && fresh.out.contains("pass (300 data sets"), "{}{}", fresh.out, fresh.err);
    // Truths of the wrong data sets.
    npz(
        &at.join("fresh.npz"),
        &[("theta", &[500, 2], &[&theta[2..], &theta[..2]].concat()), ("x", &[500, 2], &x)],
    );
    let wrong = check(&["--pairs", "fresh.npz", "--sets", "300"]);
    assert!(wrong.code == 1 && wrong.out.contains("FAIL"), "{}{}", wrong.out, wrong.err);
    std::fs::remove_file(at.join("pairs.npz")).unwrap();
    refused(at, &["check", "runs/mine"], &["pairs.npz", "--pairs"]);
}

#[test]
fn a_run_does_not_go_on_with_other_pairs() {
    let folder = project(300, 1.0);
    let at = folder.path();
    done(at, &[TRAIN, &["20"]].concat());
    let resume = [TRAIN, &["40", "--resume"]].concat();
    let (theta, x) = pairs(300, 1.0, 5);
    let kept = std::fs::read(at.join("pairs.npz")).unwrap();
    npz(&at.join("pairs.npz"), &[("theta", &[300, 2], &theta), ("x", &[300, 2], &x)]);
    refused(at, &resume, &["simulator.dataset", "the pairs that the run began with"]);
    std::fs::write(at.join("pairs.npz"), kept).unwrap();
    done(at, &resume);
}

#[test]
fn data_sets_keep_the_names_that_their_file_gives_them() {
    let folder = project(300, 1.0);
    let at = folder.path();
    done(at, &[TRAIN, &["5"]].concat());
    std::fs::write(at.join("x.csv"), "dataset,u,v\nsite 7,0.1,0.2\nsite 3,0.5,0.6\n").unwrap();
    let sample = ["sample", "runs/mine", "--data", "x.csv", "-n", "3", "-o"];
    let said = done(at, &[&sample[..], &["draws.csv"]].concat());
    assert!(said.contains("site 7") && said.contains("site 3"), "{said}");
    let csv = std::fs::read_to_string(at.join("draws.csv")).unwrap();
    let first: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first, ["dataset", "site 7", "site 7", "site 7", "site 3", "site 3", "site 3"]);
    done(at, &[&sample[..], &["draws.npz", "--report", "r.html"]].concat());
    assert!(std::fs::read_to_string(at.join("r.html")).unwrap().contains("site 3"));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(at.join("draws.npz")).unwrap()).unwrap();
    assert!(archive.by_name("datasets.npy").is_ok());
}
