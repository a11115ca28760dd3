//! Model files: what is read, what is refused and with which words, and that nothing makes the reader panic.
use super::*;
use crate::rng::Rng;
use crate::sim::{Bound, Factor, Marginal, NormalMixture, Transform};

const TWO: &str = "[simulator]\ndataset = 'pairs.npz'\n[[parameter]]\nname = 'a'\nprior = 'uniform(0, 1)'\n";

fn read(text: &str) -> Config {
    Config::from_toml(text, "test.toml").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn message(text: &str) -> String {
    Config::from_toml(text, "test.toml").map(|c| panic!("accepted: {c:?}")).unwrap_err().to_string()
}

#[test]
fn every_builtin_model_reads_and_its_prior_is_the_simulators() {
    assert_eq!(
        BUILTIN.iter().map(|b| b.0).collect::<std::collections::BTreeSet<_>>(),
        crate::sim::BUILTIN.iter().copied().collect()
    );
    for (name, _) in BUILTIN {
        let config = Config::builtin(name).unwrap();
        assert!(!config.description.is_empty() && config.simulator.builtin.as_deref() == Some(name));
        assert_eq!(config, read(&format!("[simulator]\nbuiltin = '{name}'")), "{name}");
        let (prior, want) = (config.prior().unwrap(), (crate::sim::task(name).unwrap().prior)());
        assert_eq!(prior.names, want.names, "{name}");
        let theta: Vec<f64> = {
            let mut theta = vec![0.0; want.dim()];
            want.draw(&mut Rng::new(1, 7, 0, 0), &mut theta);
            theta.iter().map(|t| f64::from(*t)).collect()
        };
        let (got, want) = (prior.log_prob(&theta), want.log_prob(&theta));
        assert!((got - want).abs() <= 1e-4 * want.abs().max(1.0), "{name}: {got} {want}");
    }
}

#[test]
fn a_resolved_file_says_everything_and_reads_back_equal() {
    let mut texts: Vec<String> = BUILTIN.iter().map(|b| b.1.to_string()).collect();
    texts.push(TWO.into());
    texts.push(format!("{TWO}[flow]\nbase = 'student-t'\npermutation = 'householder'\n[train]\nseed = '18446744073709551615'\nminutes = 2.5"));
    texts.push("[simulator]\nbuiltin = 'sir'\n[flow]\nbase = 'student-t'\nnu = 5\nhidden = [64, 1e2]\n[train]\nsimulations = 1e4".into());
    for text in &texts {
        let config = read(text);
        let resolved = config.to_toml();
        assert_eq!(read(&resolved), config, "{resolved}");
        assert_eq!(config.checked("test").unwrap(), config);
        assert_eq!(read(&resolved).to_toml(), resolved);
    }
    let config = read(&texts[texts.len() - 2]);
    assert!(config.flow.learn_nu && config.flow.reflections == Some(1) && config.train.seed == u64::MAX);
    assert_eq!(
        (config.train.steps, config.train.minutes, config.train.mode),
        (None, Some(2.5), Some(Mode::Offline))
    );
    let config = read(texts.last().unwrap());
    assert_eq!((config.train.simulations, config.train.epochs), (Some(10_000), Some(300)));
    assert_eq!(config.flow.hidden, [64, 100]);
}

#[test]
fn the_schema_has_exactly_the_keys_of_the_form() {
    let full = "[simulator]\nbuiltin = 'x'\ndataset = 'y'\ncustom = 'z'\n[[parameter]]\nname = 'a'\nnames = []\nprior = 'normal(0, 1)'\nmean = []\nmeans = []\nweights = []\ncovariance = []\ntransform = 'log'\n[data]\nfeatures = 1\nkind = 'set'\nsize = [1]\nshape = [1, 1]\n[summary]\nkind = 'deep-set'\nwidth = 4\nmodules = 1\noutputs = 1\nheads = 1\nbidirectional = false\n[flow]\nhidden = [4]\ndropout = 0\nreflections = 1\nnu = 3\n[train]\nbatch = 1\nlr = 1\npatience = 1\nmode = 'online'\nsteps = 1\nminutes = 1\nepochs = 1\nsimulations = 2\npool = 1\nwindows = true\nrounds = 1";
    let form: Config = toml::from_str(full).unwrap();
    let text: toml::Table = toml::to_string(&form).unwrap().parse().unwrap();
    for (section, keys) in schema::SECTIONS {
        let table = text[*section].as_array().map_or(&text[*section], |items| &items[0]).as_table().unwrap();
        let form: std::collections::BTreeSet<&str> = table.keys().map(String::as_str).collect();
        assert_eq!(form, keys.iter().map(|k| k.0).collect(), "{section}");
    }
    assert_eq!(text.len(), schema::SECTIONS.len() + schema::TOP.len());
}

#[test]
fn windows_go_with_pools_of_series() {
    let text = |kind: &str, train: &str| {
        let rest = format!("[data]\nkind = '{kind}'\nfeatures = 1\nsize = [2, 9]\n[train]\n{train}");
        format!("simulator.custom = 'mine'\n[[parameter]]\nname = 'a'\nprior = 'normal(0, 1)'\n{rest}")
    };
    let windows = |kind: &str, train: &str| Config::from_toml(&text(kind, train), "test");
    assert_eq!(windows("series", "pool = 5\nwindows = true").unwrap().train.windows, Some(true));
    assert_eq!(windows("series", "pool = 5").unwrap().train.windows, None);
    for (kind, train, says) in [
        ("series", "windows = true", "only with `pool`"),
        ("set", "pool = 5\nwindows = true", "only for series"),
    ] {
        let error = windows(kind, train).unwrap_err().to_string();
        assert!(error.contains("train.windows") && error.contains(says), "{error}");
    }
}

#[test]
fn a_users_file_is_laid_over_the_builtin_one() {
    let config = read("[simulator]\nbuiltin = 'sir'\n[train]\nlr = 1e-3\n[data]\ntransform = 'asinh'");
    assert_eq!(
        (config.train.lr, config.data.transform, config.parameter.len()),
        (Some(1e-3), DataTransform::Asinh, 2)
    );
    let other = "[[parameter]]\nname = 'b'\nprior = 'uniform(0, 2)'\n[[parameter]]\nname = 'g'\nprior = 'uniform(0, b)'\ntransform = 'probit'";
    let config = read(&format!("[simulator]\nbuiltin = 'sir'\n{other}"));
    let prior = config.prior().unwrap();
    assert_eq!(
        prior.factors[1],
        Factor::One(Marginal::Uniform { lo: Bound::Const(0.0), hi: Bound::Param(0) })
    );
    assert_eq!(prior.transforms, [Transform::Logit, Transform::Probit]);
}

#[test]
fn a_simulator_of_the_program_may_train_online() {
    let config = read(&TWO.replace("dataset = 'pairs.npz'", "custom = 'mine'"));
    assert_eq!((config.train.mode, config.simulator.custom.as_deref()), (Some(Mode::Online), Some("mine")));
}

#[test]
fn a_multivariate_prior_becomes_its_cholesky_factor() {
    let text = "[simulator]\ndataset = 'p.npz'\n[[parameter]]\nnames = ['a', 'b']\nprior = 'multivariate-normal'\nmean = [1, 2]\ncovariance = [[4, 2], [2, 5]]";
    let prior = read(text).prior().unwrap();
    assert_eq!(
        prior.factors,
        [Factor::Multivariate { mean: vec![1.0, 2.0], cholesky: vec![2.0, 0.0, 1.0, 2.0] }]
    );
    for (from, to, says) in [
        ("[2, 5]", "[1, 5]", "symmetric"),
        ("[2, 5]", "[2, 1]", "positive definite"),
        (", [2, 5]", "", "2 rows"),
        ("[1, 2]", "[1]", "one per name"),
        ("mean = [1, 2]\n", "", "expected `mean`"),
        ("multivariate-normal", "normal(0, 1)", "only with"),
    ] {
        assert!(message(&text.replace(from, to)).contains(says), "{}", message(&text.replace(from, to)));
    }
}

#[test]
fn a_mixture_prior_has_means_weights_and_one_covariance() {
    let text = "[simulator]\ndataset = 'p.npz'\n[[parameter]]\nnames = ['a', 'b']\nprior = 'normal-mixture'\nmeans = [[1, 2], [3, 4], [5, 6]]\nweights = [1, 2, 1]\ncovariance = [[4, 2], [2, 5]]";
    let (means, cholesky) = (vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![2.0, 0.0, 1.0, 2.0]);
    let mixture = |weights| {
        Factor::Mixture(NormalMixture { weights, means: means.clone(), cholesky: cholesky.clone() })
    };
    assert_eq!(read(text).prior().unwrap().factors, [mixture(vec![1.0, 2.0, 1.0])]);
    let equal = text.replace("weights = [1, 2, 1]\n", "");
    assert_eq!(read(&equal).prior().unwrap().factors, [mixture(vec![1.0; 3])]);
    for (from, to, says) in [
        ("[3, 4]", "[3]", "lists of 2"),
        ("[1, 2, 1]", "[1, 2]", "3 weights"),
        ("[1, 2, 1]", "[1, 0, 1]", "above 0"),
        ("[2, 5]", "[2, 1]", "positive definite"),
        ("means = [[1, 2], [3, 4], [5, 6]]\n", "", "expected `means` for a normal-mixture"),
        ("normal-mixture", "multivariate-normal", "only with `prior = \"normal-mixture\"`"),
    ] {
        assert!(message(&text.replace(from, to)).contains(says), "{}", message(&text.replace(from, to)));
    }
}

#[test]
fn a_log_uniform_prior_takes_exponentials() {
    let prior =
        |text: &str| format!("[simulator]\ndataset = 'p.npz'\n[[parameter]]\nname = 'a'\nprior = '{text}'");
    let config = read(&prior("log-uniform(exp(-2), exp(2))"));
    assert_eq!(
        config.prior().unwrap().factors,
        [Factor::One(Marginal::LogUniform { lo: 0.135_335_28, hi: 7.389_056 })]
    );
    assert_eq!(config.parameter[0].prior.to_string(), "log-uniform(exp(-2), exp(2))");
    for (text, says) in [
        ("log-uniform(0, 1)", "expected `lo` above 0"),
        ("log-uniform(2, 1)", "lo < hi"),
        ("log-uniform(1)", "log-uniform(lo, hi)"),
    ] {
        assert!(message(&prior(text)).contains(says), "{}", message(&prior(text)));
    }
}

#[test]
fn messages_name_the_key_the_line_and_the_nearest_name() {
    let slcp = |rest: &str| format!("[simulator]\nbuiltin = 'slcp'\n{rest}");
    let two = |rest: &str| format!("{TWO}{rest}");
    let cases: &[(String, &[&str])] = &[
        (slcp("[flow]\nblock = 4"), &["`flow.block` in test.toml, line 4", "Did you mean `blocks`?"]),
        (slcp("[flow]\nlr = 1"), &["line 4", "belongs under `[train]`"]),
        (slcp("[flwo]\nblocks = 4"), &["line 3", "Did you mean `flow`?"]),
        (slcp("[flow]\nblocks = 65"), &["`flow.blocks`", "from 1 to 64, found 65"]),
        (slcp("[flow]\nblocks = 'many'"), &["found the text \"many\""]),
        (slcp("[flow]\nbins = 1"), &["from 2 to 64"]),
        (slcp("[flow]\nhidden = [2, 64]"), &["from 4 to 4096"]),
        (slcp("[flow]\nhidden = []"), &["1 to 16"]),
        (slcp("[flow]\nhidden = [64, 32]\nresidual = true"), &["equal widths"]),
        (
            slcp("[flow]\nactivation = 'sillu'"),
            &["`relu`", "found the text \"sillu\"", "Did you mean `silu`?"],
        ),
        (slcp("[flow]\ntransform = 3"), &["`affine` or `spline`, found 3"]),
        (slcp("[flow]\ndropout = 1.0"), &["from 0 to below 1, found 1.0"]),
        (slcp("[flow]\nnu = 4"), &["`flow.nu`", "student-t"]),
        (slcp("[flow]\nbase = 'student-t'\nnu = 4\nlearn_nu = true"), &["found both"]),
        (slcp("[flow]\nreflections = 4"), &["householder"]),
        (slcp("[flow]\nblocks = 64\nhidden = [4096, 4096, 4096]"), &["weights"]),
        (
            "[simulator]\ncustom = 'a'\n[data]\nfeatures = 1000\n[flow]\nbins = 64\nhidden = [4]\n[[parameter]]\nprior = 'normal(0, 1)'\nnames = "
                .to_string()
                + &format!("{:?}", (0..1000).map(|i| format!("a{i}")).collect::<Vec<_>>()),
            &["weights"],
        ),
        (slcp("[train]\nlr = 0"), &["above 0"]),
        (slcp("[train]\nlr = nan"), &["above 0"]),
        (slcp("[train]\nbatch = 2e6"), &["from 1 to 1000000"]),
        (slcp("[train]\nsteps = 5\nminutes = 1"), &["one of `steps`, `minutes` and `epochs`"]),
        (slcp("[train]\nmode = 'online'\nepochs = 1"), &["offline"]),
        (slcp("[train]\nmax_bad = -0.1"), &["from 0 to 1"]),
        (slcp("[data]\nfeatures = 8"), &["`data.features`"]),
        (slcp("[[parameter]]\nname = 'a'\nprior = 'normal(0, 1)'"), &["expected 5 parameters", "found 1"]),
        ("[simulator]\nbuiltin = 'slpc'".into(), &["`simulator.builtin`", "Did you mean `slcp`?"]),
        ("version = 2\nnew_key = 1".into(), &["version 2", "Update"]),
        ("[simulator]".into(), &["found neither"]),
        (slcp("dataset = 'p.npz'"), &["one of `builtin`, `dataset` and `custom`, found 2"]),
        (TWO.replace("pairs.npz", ""), &["`simulator.dataset`", "empty"]),
        ("version = 1".into(), &["simulator"]),
        ("simulator = 3".into(), &["expected a table"]),
        ("parameter = 3".into(), &["[[parameter]]"]),
        ("parameter = [3]".into(), &["`parameter[1]`"]),
        ("[simulator]\nbuiltin = 'slcp'\n[flow\n".into(), &["line 3", "not valid TOML"]),
        ("[simulator]\ndataset = 'p.npz'".into(), &["at least one parameter"]),
        (
            TWO.replace("uniform(0, 1)", "unifrom(0, 1)"),
            &["`parameter[1].prior` in test.toml, line 5", "Did you mean `uniform`?"],
        ),
        (TWO.replace("uniform(0, 1)", "uniform(0)"), &["expected `uniform(lo, hi)`, found `uniform(0)`"]),
        (TWO.replace("uniform(0, 1)", "uniform(0, 1"), &["closing"]),
        (TWO.replace("uniform(0, 1)", "uniform(1, 0)"), &["lo < hi"]),
        (TWO.replace("uniform(0, 1)", "uniform(0, b)"), &["earlier parameter, found `b`"]),
        (TWO.replace("uniform(0, 1)", "normal(0, -1)"), &["`sd` above 0"]),
        (TWO.replace("uniform(0, 1)", "normal(0, 1e-60)"), &["`sd` above 0"]),
        (TWO.replace("uniform(0, 1)", "normal(nan, 1)"), &["finite number"]),
        (TWO.replace("uniform(0, 1)", "normal(1e99, 1)"), &["mean"]),
        (TWO.replace("uniform(0, 1)", "normal(0, ln(0))"), &["`ln`"]),
        (TWO.replace("prior = 'uniform(0, 1)'", ""), &["expected a prior"]),
        (TWO.replace("'a'", "'2a'"), &["expected a name"]),
        (TWO.replace("'a'", "'dataset'"), &["dataset"]),
        (two("transform = 'log'"), &["logit or probit"]),
        (two("[[parameter]]\nname = 'a'\nprior = 'gamma(1, 1)'"), &["`parameter[2].name`", "occurs twice"]),
        (two("[[parameter]]\nname = 'b'\nnames = ['c']\nprior = 'gamma(1, 1)'"), &["either `name` or"]),
        (two("[train]\nmode = 'online'"), &["offline"]),
    ];
    for (text, parts) in cases {
        let message = message(text);
        for part in *parts {
            assert!(message.contains(part), "{text}\n---\n{message}\nlacks: {part}");
        }
        assert!(!message.contains('\n') && message.contains("test.toml"), "{message}");
    }
}

#[test]
fn finding_a_model_suggests_the_nearest_name() {
    assert_eq!(Config::find("slcp").unwrap(), Config::builtin("slcp").unwrap());
    let error = Config::find("two_moon").unwrap_err().to_string();
    assert!(error.contains("Did you mean `two-moons`?") && error.contains("path of a model file"), "{error}");
    assert!(
        Config::find("absent/model.toml")
            .unwrap_err()
            .to_string()
            .contains("cannot read `absent/model.toml`")
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Config::find(folder.path().to_str().unwrap()).unwrap_err().to_string().contains("found a folder")
    );
    let path = folder.path().join("m.toml");
    std::fs::write(&path, TWO).unwrap();
    let config = Config::find(path.to_str().unwrap()).unwrap();
    assert_eq!(config.simulator.dataset.unwrap(), folder.path().join("pairs.npz"));
    std::fs::write(&path, b"version = 1\n\xff\xfe").unwrap();
    assert!(Config::find(path.to_str().unwrap()).unwrap_err().to_string().contains("line 2: expected UTF-8"));
}

#[test]
fn mutated_files_are_read_or_refused_but_never_panic() {
    let seeds: Vec<String> = BUILTIN.iter().map(|b| b.1.to_string()).chain([read(TWO).to_toml()]).collect();
    let mut rng = Rng::new(5, 7, 0, 0);
    let mut refused = 0;
    for round in 0..1500 {
        let mut bytes = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..1 + rng.next_u32() % 3 {
            let at = rng.next_u32() as usize % bytes.len();
            match rng.next_u32() % 4 {
                0 => bytes[at] ^= 1 << (rng.next_u32() % 8),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"[]{}='\"\n,.-9e("[rng.next_u32() as usize % 14]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match Config::from_toml(&text, "mutated") {
            Ok(config) => assert_eq!(read(&config.to_toml()), config, "{text}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 300, "{refused}");
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Config::from_toml(&deep, "deep").is_err());
}

#[test]
fn the_learning_rate_follows_from_data_batch_and_networks() {
    let rate = |more: &str| {
        let mut config = read(&format!("{}{more}", TWO.replace("dataset = 'pairs.npz'", "custom = 'mine'")));
        config.settle();
        config.train.lr.unwrap()
    };
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    near(rate(""), 2e-3);
    near(rate("[train]\nlr = 3e-4"), 3e-4);
    near(rate("[train]\nbatch = 32"), 2e-3 * 0.5f64.sqrt());
    near(rate("[train]\nbatch = 1024"), 2e-3);
    near(rate("[summary]\nkind = 'gru'"), 1e-3);
    near(rate("[flow]\nhidden = [512, 64]"), 5e-4);
    near(rate("[train]\nmode = 'offline'\nsimulations = 10000"), 5e-4);
    near(rate("[train]\nmode = 'offline'\nsimulations = 100000"), 1e-3);
}
