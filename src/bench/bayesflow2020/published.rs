//! The published numbers of Radev et al. 2020; parameters in the order of the models.

/// Not published.
const NONE: f64 = f64::NAN;

/// Published numbers of a model.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The model.
    pub model: &'static str,
    /// Items of the data sets to evaluate on; 0 for vectors.
    pub sizes: &'static [usize],
    /// The size that the numbers below belong to.
    pub at: usize,
    /// Normalised root mean squared error of the posterior mean, by parameter.
    pub nrmse: &'static [f64],
    /// Coefficient of determination, by parameter.
    pub r2: &'static [f64],
    /// Median calibration error, by parameter.
    pub err_cal: &'static [f64],
    /// NRMSE at other sizes, by parameter.
    pub curve: &'static [(usize, &'static [f64])],
    /// Whether the comparison is a target, with calibration; else guidance: better than published.
    pub strict: bool,
    /// Parameters that the data say nothing about.
    pub idle: &'static [usize],
}

/// All models with published numbers.
pub const PUBLISHED: &[Published] = &[
    Published {
        model: "ricker",
        sizes: &[100, 200, 300, 400, 500],
        at: 500,
        nrmse: &[0.041, 0.077, 0.018, NONE],
        r2: &[0.980, 0.919, 0.996, NONE],
        err_cal: &[0.017, 0.013, 0.084, 0.015],
        curve: &[
            (100, &[0.078, 0.135, 0.036, NONE]),
            (200, &[0.061, 0.096, 0.019, NONE]),
            (300, &[0.050, 0.081, 0.016, NONE]),
            (400, &[0.047, 0.077, 0.016, NONE]),
        ],
        strict: true,
        idle: &[3],
    },
    Published {
        model: "levy-flight",
        sizes: &[100, 300, 1000],
        at: 1000,
        nrmse: &[0.0267, 0.0267, 0.0330, 0.0327, 0.0075, 0.0495],
        r2: &[0.991, 0.991, 0.987, 0.987, 0.999, 0.971],
        err_cal: &[],
        curve: &[],
        strict: true,
        idle: &[],
    },
    Published {
        model: "sir-stochastic",
        sizes: &[200, 350, 500],
        at: 500,
        nrmse: &[0.033, 0.028],
        r2: &[0.987, 0.986],
        err_cal: &[],
        curve: &[],
        strict: true,
        idle: &[],
    },
    Published {
        model: "lotka-volterra-ode",
        sizes: &[500],
        at: 500,
        nrmse: &[0.087, 0.026, 0.036, 0.018],
        r2: &[0.884, 0.990, 0.982, 0.995],
        err_cal: &[],
        curve: &[],
        strict: false,
        idle: &[],
    },
    Published {
        model: "lotka-volterra-ode-stats",
        sizes: &[0],
        at: 0,
        nrmse: &[0.116, 0.112, 0.074, 0.087],
        r2: &[],
        err_cal: &[],
        curve: &[],
        strict: false,
        idle: &[],
    },
];

/// The numbers of a model.
pub fn find(model: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|p| p.model == model)
}

fn number(list: &[f64], parameter: usize) -> Option<f64> {
    list.get(parameter).copied().filter(|v| !v.is_nan())
}

impl Published {
    /// NRMSE at this size.
    pub fn nrmse(&self, size: usize, parameter: usize) -> Option<f64> {
        if size == self.at {
            return number(self.nrmse, parameter);
        }
        self.curve.iter().find(|(s, _)| *s == size).and_then(|(_, list)| number(list, parameter))
    }
    /// R2 at this size.
    pub fn r2(&self, size: usize, parameter: usize) -> Option<f64> {
        number(self.r2, parameter).filter(|_| size == self.at)
    }
    /// Calibration error at this size.
    pub fn err_cal(&self, size: usize, parameter: usize) -> Option<f64> {
        number(self.err_cal, parameter).filter(|_| size == self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_fits_its_model() {
        for p in PUBLISHED {
            let d = (crate::sim::task(p.model).unwrap().prior)().dim();
            assert!(p.sizes.contains(&p.at) && p.nrmse.len() == d, "{}", p.model);
            assert!([p.r2.len(), p.err_cal.len()].iter().all(|n| [0, d].contains(n)), "{}", p.model);
            assert!(p.curve.iter().all(|(s, list)| p.sizes.contains(s) && list.len() == d), "{}", p.model);
        }
        let ricker = find("ricker").unwrap();
        assert_eq!((ricker.nrmse(500, 1), ricker.nrmse(100, 1)), (Some(0.077), Some(0.135)));
        assert_eq!(
            (ricker.nrmse(500, 3), ricker.r2(400, 0), ricker.err_cal(500, 3)),
            (None, None, Some(0.015))
        );
    }
}
