//! Smoothed 2-D histogram: tells which draws are in the inner half of a cloud.

const GRID: usize = 64;

/// Density of points on a 64 x 64 grid over the unit square, in arbitrary units.
pub struct Density {
    cells: Vec<f32>,
}

impl Density {
    /// Counts points of the unit square and blurs with a Gaussian whose width follows the spread and the number of
    /// points (Scott's rule), at most 2 cells: more would close the gap between modes.
    pub fn new(points: &[(f64, f64)]) -> Self {
        let mut cells = vec![0.0f32; GRID * GRID];
        for &(x, y) in points {
            cells[cell(y) * GRID + cell(x)] += 1.0;
        }
        let n = points.len().max(1) as f64;
        let factor = n.powf(-1.0 / 6.0) * GRID as f64;
        let width = |values: &dyn Fn(&(f64, f64)) -> f64| {
            let mean = points.iter().map(values).sum::<f64>() / n;
            let square = points.iter().map(|p| (values(p) - mean).powi(2)).sum::<f64>() / n;
            (factor * square.sqrt()).clamp(0.6, 2.0)
        };
        blur(&mut cells, 1, GRID, width(&|p| p.0));
        blur(&mut cells, GRID, 1, width(&|p| p.1));
        Self { cells }
    }

    /// Density at a point of the unit square, bilinear between cell centres.
    pub fn at(&self, (x, y): (f64, f64)) -> f32 {
        let split = |v: f64| {
            let v = (v * GRID as f64 - 0.5).clamp(0.0, (GRID - 1) as f64 - 1e-6);
            (v as usize, v.fract() as f32)
        };
        let ((i, a), (j, b)) = (split(x), split(y));
        let at = |i: usize, j: usize| self.cells[j * GRID + i];
        let low = at(i, j) * (1.0 - a) + at(i + 1, j) * a;
        let high = at(i, j + 1) * (1.0 - a) + at(i + 1, j + 1) * a;
        low * (1.0 - b) + high * b
    }
}

fn cell(v: f64) -> usize {
    ((v * GRID as f64) as usize).min(GRID - 1)
}

/// Gaussian blur along lines of cells `step` apart, the lines `next` apart; `sd` in cells.
fn blur(cells: &mut [f32], step: usize, next: usize, sd: f64) {
    let reach = (3.0 * sd).ceil() as usize;
    let weights: Vec<f32> = (0..=reach).map(|k| (-0.5 * (k as f64 / sd).powi(2)).exp() as f32).collect();
    let mut line = [0.0f32; GRID];
    for start in 0..GRID {
        for (i, value) in line.iter_mut().enumerate() {
            *value = cells[start * next + i * step];
        }
        for i in 0..GRID {
            let near = i.saturating_sub(reach)..(i + reach + 1).min(GRID);
            cells[start * next + i * step] = near.map(|k| weights[k.abs_diff(i)] * line[k]).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_dense_and_the_gap_between_them_is_not() {
        let points: Vec<(f64, f64)> = (0..1000)
            .map(|i| {
                let side = f64::from(i % 2);
                (
                    0.25 + 0.5 * side + 0.02 * (f64::from(i) * 0.7).sin(),
                    0.5 + 0.02 * (f64::from(i) * 1.3).cos(),
                )
            })
            .collect();
        let density = Density::new(&points);
        assert!(density.at((0.25, 0.5)) > 20.0 * density.at((0.5, 0.5)));
        assert!(density.at((0.25, 0.5)) > 20.0 * density.at((0.25, 0.8)));
        // Axes are not swapped.
        let line: Vec<_> = (0..100).map(|i| (f64::from(i) / 100.0, 0.1)).collect();
        assert!(Density::new(&line).at((0.9, 0.1)) > Density::new(&line).at((0.1, 0.9)));
        Density::new(&[]).at((1.0, 1.0));
    }
}
