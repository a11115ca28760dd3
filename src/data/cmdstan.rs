//! CmdStan's csv, for ArviZ (`from_cmdstan`) and cmdstanr (`read_cmdstan_csv`, then R's posterior).
//!
//! Layout: CmdStan User's Guide, "Stan CSV Files". The file says `fixed_param`: draws are independent, there is no
//! chain, no step size and no energy to report, and readers then expect only `lp__` and `accept_stat__`.
use super::draws::push_row;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

/// Writes the draws of one data set, shape (n, D), by its index and what it is called. `lp__` is the log-density of each draw, nats, or 0 where
/// `log_density` is empty.
pub fn write(
    w: &mut impl Write,
    names: &[String],
    values: &[f32],
    log_density: &[f32],
    (set, called): (usize, &str),
) -> io::Result<()> {
    let n = values.len() / names.len().max(1);
    let lp = if log_density.is_empty() { "not computed" } else { "the log-density of the draw, normalised" };
    write!(
        w,
        "# stan_version_major = 2\n# stan_version_minor = 36\n# stan_version_patch = 0\n\
         # model = couplet_model\n\
         # method = sample (Default)\n#   sample\n\
         #     num_samples = {n}\n#     num_warmup = 0\n#     save_warmup = false\n#     thin = 1 (Default)\n\
         #     algorithm = fixed_param\n\
         # id = {id}\n\
         # Independent draws of an amortized posterior for data set {called}; lp__ is {lp}\n",
        id = set + 1,
        // A line break would end the comment.
        called = called.escape_debug(),
    )?;
    writeln!(w, "lp__,accept_stat__,{}", columns(names).join(","))?;
    let mut line = String::new();
    for (i, draw) in values.chunks_exact(names.len().max(1)).enumerate() {
        line.clear();
        line.push_str(&log_density.get(i).copied().unwrap_or(0.0).to_string());
        line.push_str(",1,");
        push_row(&mut line, draw);
        w.write_all(line.as_bytes())?;
    }
    write!(
        w,
        "# \n#  Elapsed Time: 0 seconds (Warm-up)\n#                0 seconds (Sampling)\n\
         #                0 seconds (Total)\n# \n"
    )
}

/// Column names that CmdStan's readers take as meant: `theta[1]` becomes `theta.1`, an element of `theta`.
///
/// Readers split at every point and take each part as an index, so a point or a comma elsewhere would be fatal, and
/// so would `theta` beside `theta.1`, or indices with gaps. Such names, and names ending in `__` (sampler
/// statistics), get single underscores instead.
fn columns(names: &[String]) -> Vec<String> {
    let mut groups: HashMap<&str, Vec<Vec<usize>>> = HashMap::new();
    for name in names {
        let (base, index) = split(name).unwrap_or((name, Vec::new()));
        groups.entry(base).or_default().push(index);
    }
    let mut taken = HashSet::new();
    names
        .iter()
        .map(|name| {
            let mut column = match split(name) {
                Some((base, index)) if is_array(&groups[base]) => {
                    index.iter().fold(plain(base), |column, i| format!("{column}.{i}"))
                }
                _ => plain(name),
            };
            while !taken.insert(column.clone()) {
                column.push_str("_b");
            }
            column
        })
        .collect()
}

/// `theta[1,2]` to (`theta`, [1, 2]).
fn split(name: &str) -> Option<(&str, Vec<usize>)> {
    let (base, inside) = name.strip_suffix(']')?.split_once('[')?;
    let index: Option<Vec<usize>> = inside.split(',').map(|i| i.trim().parse().ok()).collect();
    Some((base, index?))
}

/// True if the indices fill a box from 1 to some size along every axis, each once.
fn is_array(indices: &[Vec<usize>]) -> bool {
    let axes = indices[0].len();
    let distinct: HashSet<_> = indices.iter().collect();
    let sizes = indices.iter().fold(vec![0; axes], |sizes, index| {
        sizes.iter().zip(index).map(|(&size, &i): (&usize, &usize)| size.max(i)).collect()
    });
    axes > 0
        && distinct.len() == indices.len()
        && indices.iter().all(|index| index.len() == axes && !index.contains(&0))
        && sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size)) == Some(indices.len())
}

fn plain(name: &str) -> String {
    let mut column = String::new();
    for c in name.chars() {
        let c = if c.is_alphanumeric() { c } else { '_' };
        if c != '_' || !column.ends_with('_') {
            column.push(c);
        }
    }
    // `grep '^[#a-zA-Z]'` finds the header by `lp__`, so a name may begin with anything; it may not be empty.
    if column.trim_matches('_').is_empty() { "parameter".into() } else { column.trim_end_matches('_').into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> String {
        columns(&names.iter().map(|n| n.to_string()).collect::<Vec<_>>()).join(" ")
    }

    #[test]
    fn names_become_columns_that_readers_understand() {
        assert_eq!(of(&["mu", "tau_1", "α"]), "mu tau_1 α");
        assert_eq!(of(&["theta[1]", "theta[2]", "s"]), "theta.1 theta.2 s");
        assert_eq!(of(&["m[1,1]", "m[2, 1]"]), "m.1.1 m.2.1");
        assert_eq!(of(&["k.1", "log(a)", "x, y", "lp__", ""]), "k_1 log_a x_y lp parameter");
        // Not arrays: from 0, with a gap, beside a scalar of that name, absurd.
        assert_eq!(of(&["t[0]", "t[1]"]), "t_0 t_1");
        assert_eq!(of(&["t[0]", "t[2]"]), "t_0 t_2");
        assert_eq!(of(&["t[1]", "t[3]"]), "t_1 t_3");
        assert_eq!(of(&["t", "t[1]"]), "t t_1");
        assert_eq!(of(&["t[18446744073709551615,9]"]), "t_18446744073709551615_9");
        assert_eq!(of(&["a b", "a-b", "a.b"]), "a_b a_b_b a_b_b_b");
    }

    #[test]
    fn the_file_has_header_columns_and_rows() {
        let mut bytes = Vec::new();
        write(&mut bytes, &["a[1]".into(), "a[2]".into()], &[1.0, 2.5, -3.0, 1e-9], &[-1.5, 3.25], (4, "4"))
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for part in [
            "num_samples = 2\n",
            "# id = 5\n",
            "\nlp__,accept_stat__,a.1,a.2\n-1.5,1,1,2.5\n3.25,1,-3,1e-9\n# \n",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert!(text.lines().filter(|line| !line.starts_with('#')).all(|line| line.split(',').count() == 4));
    }
}
