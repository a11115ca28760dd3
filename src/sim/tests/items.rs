//! Simulators of sets and series: the same data for any split, any number of items, and nothing that is not finite.
use super::super::{DataShape, TASKS, Task};
use super::*;

/// Built-in tasks whose data sets have items: (task, features).
fn tasks() -> Vec<(&'static Task, usize)> {
    let features = |task: &'static Task| match (task.simulator)().shape() {
        DataShape::Set { features, .. } | DataShape::Series { features, .. } => Some((task, features)),
        _ => None,
    };
    let found: Vec<_> = TASKS.iter().filter_map(features).collect();
    assert_eq!(found.len(), 5);
    found
}

#[test]
fn rows_do_not_depend_on_the_block_they_are_in() {
    for (task, features) in tasks() {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let (n, items, d) = (77, 9, prior.dim());
        let (theta, width) = (draws(&prior, n), items * features);
        let (mut whole, mut parts) = (vec![f32::NAN; n * width], vec![f32::NAN; n * width]);
        simulator.simulate_items(3, 4, 1000, items, &theta, &mut whole);
        let mut first = 0;
        for rows in [1, 31, 2, 40, 3] {
            let (theta, x) =
                (&theta[first * d..(first + rows) * d], &mut parts[first * width..(first + rows) * width]);
            simulator.simulate_items(3, 4, 1000 + first as u32, items, theta, x);
            first += rows;
        }
        assert_eq!(whole, parts, "{}", task.name);
        simulator.simulate_items(3, 5, 1000, items, &theta, &mut parts);
        let exact = task.name == "lotka-volterra-ode";
        assert_eq!(whole == parts, exact, "{}: another step has other noise", task.name);
        simulator.simulate_items(3, 4, 0, 0, &theta, &mut []);
        simulator.simulate_items(3, 4, 0, items, &[], &mut []);
    }
}

#[test]
fn a_smaller_data_set_is_the_beginning_of_a_larger_one() {
    for (task, features) in tasks() {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let theta = draws(&prior, 5);
        let (mut small, mut large) = (vec![f32::NAN; 5 * 7 * features], vec![f32::NAN; 5 * 40 * features]);
        simulator.simulate_items(1, 2, 0, 7, &theta, &mut small);
        simulator.simulate_items(1, 2, 0, 40, &theta, &mut large);
        for (small, large) in small.chunks(7 * features).zip(large.chunks(40 * features)) {
            assert_eq!(small, &large[..7 * features], "{}", task.name);
        }
    }
}

#[test]
fn the_largest_data_set_is_what_simulate_gives() {
    for (task, _) in tasks().iter().filter(|(task, _)| task.name != "levy-flight") {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let (theta, c) = (draws(&prior, 2), simulator.dims().1);
        let (mut items, mut all) = (vec![f32::NAN; 2 * c], vec![f32::NAN; 2 * c]);
        let (DataShape::Set { max, .. } | DataShape::Series { max, .. }) = simulator.shape() else {
            panic!("{} has items", task.name)
        };
        simulator.simulate_items(1, 2, 3, max, &theta, &mut items);
        simulator.simulate(1, 2, 3, &theta, &mut all);
        assert_eq!(items, all, "{}", task.name);
    }
}

/// 10^4 draws from the prior; few items where many cost much.
#[test]
fn every_draw_of_the_prior_gives_finite_data() {
    for (task, features) in tasks() {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let items = match task.name {
            "levy-flight" => 1,
            "lotka-volterra-ode" => 500,
            _ => 100,
        };
        for block in 0..10 {
            let theta = draws(&prior, 10_000);
            let theta = &theta[block * 1000 * prior.dim()..(block + 1) * 1000 * prior.dim()];
            let mut x = vec![f32::NAN; 1000 * items * features];
            simulator.simulate_items(1, 2, 0, items, theta, &mut x);
            let bad = x.iter().position(|x| !x.is_finite()).map(|i| {
                let row = i / (items * features);
                &theta[row * prior.dim()..(row + 1) * prior.dim()]
            });
            assert_eq!(bad, None, "{}", task.name);
        }
    }
    for task in TASKS.iter().filter(|t| t.name.starts_with("mixture") || t.name.ends_with("stats")) {
        let (prior, simulator) = ((task.prior)(), (task.simulator)());
        let (theta, c) = (draws(&prior, 10_000), simulator.dims().1);
        let mut x = vec![f32::NAN; 10_000 * c];
        simulator.simulate(1, 2, 0, &theta, &mut x);
        assert!(x.iter().all(|x| x.is_finite()), "{}", task.name);
    }
}
