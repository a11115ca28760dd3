//! The diagnostics against numpy, scipy, ArviZ and sbi: `tests/fixtures/make_diag.py` made the numbers.
use super::conditional::normal_scores;
use super::coverage::calibration;
use super::draw_sets::DrawSets;
use super::ecdf::EcdfBand;
use super::local::distance;
use super::recovery::recovery;
use super::stream::Stream;
use super::tarp::{Region, ranks_about};
use super::{contraction, sbc};
use serde_json::Value;

struct Fixture {
    json: Value,
    truths: Vec<f32>,
    draws: Vec<f32>,
}

const DIM: usize = 2;
const DRAWS: usize = 99;

impl Fixture {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/diag.json");
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let f32s =
            |key: &str| json[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let (truths, draws) = (f32s("truths"), f32s("samples"));
        Self { json, truths, draws }
    }

    fn sets(&self) -> DrawSets<'_> {
        DrawSets::new(&self.truths, &self.draws, DRAWS, DIM).unwrap()
    }

    fn list(&self, key: &str) -> Vec<f64> {
        numbers(&self.json[key])
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn same(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "{i}: {g} for {w}");
    }
}

#[test]
fn ranks_coverage_recovery_and_scores_are_numpys() {
    let f = Fixture::load();
    let sets = f.sets();
    let mut stream = Stream::new(&f.truths, DRAWS, DIM, Region::around(&[&f.truths, &f.draws], DIM)).unwrap();
    stream.push(&f.draws).unwrap();
    let kept = stream.finish().unwrap();
    let every_other = |key: &str, p: usize| f.list(key).into_iter().skip(p).step_by(DIM).collect::<Vec<_>>();
    for p in 0..DIM {
        let ranks: Vec<f64> = sbc::ranks(&sets, p, DRAWS, 1).iter().map(|r| f64::from(*r)).collect();
        assert_eq!(ranks, every_other("ranks", p));
        let c = calibration(&sets, p);
        same(&c.covered, &numbers(&f.json["covered"][p]), 1e-12);
        same(&[c.median_error, c.mean_error], &[f.list("err_cal")[p], f.list("ece")[p]], 1e-12);
        let (moments, truths) = (kept.moments(p), kept.truths_of(p));
        same(&contraction::z_scores(&moments, &truths), &every_other("z", p), 1e-9);
        let r = recovery(&moments.mean, &truths);
        same(&[r.rmse, r.r2], &[f.list("rmse")[p], f.list("r2")[p]], 1e-9);
        let crps: Vec<f64> = kept.marginals[p].iter().map(|m| m.crps).collect();
        same(&crps, &every_other("crps", p), 1e-9);
        let score: Vec<f64> = kept.marginals[p].iter().map(|m| m.interval_score).collect();
        same(&score, &every_other("interval_score", p), 1e-9);
        let u32s: Vec<u32> = ranks.iter().map(|r| *r as u32).collect();
        let histogram = sbc::histogram(&u32s, DRAWS + 1, 5).unwrap();
        let wanted = numbers(&f.json["histogram"][p]);
        assert_eq!(histogram.iter().map(|c| *c as f64).collect::<Vec<_>>(), wanted);
        same(&[sbc::uniformity_p(&histogram)], &[f.list("histogram_p")[p]], 1e-9);
    }
    let column = |set| sets.sorted_column(set, 0).iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    same(&[distance(&column(0), &column(1))], &[f.json["ks"].as_f64().unwrap()], 1e-12);
    let first: Vec<f32> = f.truths.iter().step_by(DIM).copied().collect();
    same(&normal_scores(&first), &f.list("normal_scores"), 1e-8);
}

#[test]
fn tarp_is_sbis() {
    let f = Fixture::load();
    let ranks =
        ranks_about(&f.sets(), &Region::around(&[&[0.0; DIM], &[1.0; DIM]], DIM), &f.list("references"), 1);
    let wanted: Vec<u32> = f.list("tarp_f").iter().map(|v| *v as u32).collect();
    assert_eq!(ranks, wanted);
    // sbi gives the ECDF of the shares on a grid of its own.
    let ecp = f.list("tarp_ecp");
    let n = ranks.len() as f64;
    for (alpha, want) in f.list("tarp_alpha").iter().zip(&ecp) {
        let below =
            ranks.iter().filter(|r| f64::from(**r) / (DRAWS as f64) < alpha + 1e-6).count() as f64 / n;
        assert!((below - want).abs() <= 1.0 / n + 1e-6, "{alpha}: {below} for {want}");
    }
}

#[test]
fn the_band_is_the_one_arviz_simulates() {
    let f = Fixture::load();
    let band = EcdfBand::new(300, 1001, 0.05).unwrap();
    let (low, high) = (numbers(&f.json["band"]["low"]), numbers(&f.json["band"]["high"]));
    for (j, z) in band.points.iter().enumerate() {
        // Theirs has a pointwise level found by simulation, so bounds may differ by a data set or two.
        assert!(
            (band.lower[j] - low[j]).abs() <= 2.5 / 300.0,
            "low at {z}: {} for {}",
            band.lower[j],
            low[j]
        );
        assert!(
            (band.upper[j] - high[j]).abs() <= 2.5 / 300.0,
            "high at {z}: {} for {}",
            band.upper[j],
            high[j]
        );
    }
}
