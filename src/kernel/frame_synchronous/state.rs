//! The states of L labels and of the blanks before them, and what is fixed for each.

use super::factor::{constant_factor, exponent};
use super::graph::Graph;
use super::range::Range;
use super::settings::Settings;
use crate::simd::Lanes;
use crate::simd::places::Places;

/// States a of L labels and of the blanks before them; on the way back their E, in the mantissas.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct States<R, E, const L: usize> {
    pub label: [R; L],
    pub label_exponent: [E; L],
    pub blank: [R; L],
    pub blank_exponent: [E; L],
}

/// Makes the states before the first frame: all nothing but the empty path, which lies on the first blank.
pub fn before_first_frame<V: Lanes<L>, const L: usize>(lanes: V, vectors: usize) -> Vec<States<V::Real, V::Exponent, L>>
where
    V::Real: Range,
{
    let ones = lanes.to_array(lanes.constant(1.0));
    let nothing = lanes.to_array_i(exponent(lanes, V::Real::NOTHING));
    let none = States { label: ones, label_exponent: nothing, blank: ones, blank_exponent: nothing };
    let mut states = vec![none; vectors];
    states[0].blank_exponent[0] = V::Exponent::default();
    states
}

/// Constants of L labels and of the blanks before them.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Fixed<R, E, const L: usize> {
    /// Added to the exponent of the step from the label before: 0, or what forbids it.
    pub skip: [E; L],
    /// Added to the exponent of the step into a blank at the cost of blanks, and at that of labels.
    pub ordinary: [E; L],
    pub free: [E; L],
    /// 1 where the step into a blank is free, else 0.
    pub is_free: [R; L],
    /// Classes of the labels, and past the last label some class of the item.
    pub classes: Places<L>,
    /// The factor of a label's class cost.
    pub class: [R; L],
    pub class_exponent: [E; L],
}

/// Makes the constants of an item.
pub fn fixed<V: Lanes<L>, const L: usize>(
    lanes: V,
    graph: Graph<'_>,
    settings: &Settings,
    vectors: usize,
) -> Vec<Fixed<V::Real, V::Exponent, L>>
where
    V::Real: Range,
{
    use crate::real::Real;
    let number = <V::Real as Real>::from_f64;
    let exponents = |of: &dyn Fn(usize) -> f64| -> [V::Exponent; L] {
        let numbers: [V::Real; L] = std::array::from_fn(|j| number(of(j)));
        lanes.to_array_i(lanes.round(lanes.load_array(&numbers)))
    };
    let forbidden_unless = |yes: bool| if yes { 0.0 } else { V::Real::FORBIDDEN };
    let some = graph.labels.first().copied().or(graph.blank).unwrap_or(0);
    let is_free = |j: usize| settings.free_between && graph.is_needed(j);
    let class_factor = |j: usize| {
        let cost = graph.labels.get(j).map_or(0.0, |&label| settings.class_cost(label));
        constant_factor::<V::Real>(cost, settings.gamma)
    };
    (0..vectors)
        .map(|k| Fixed {
            skip: exponents(&|j| forbidden_unless(k * L + j < graph.labels.len() && graph.skips(k * L + j))),
            ordinary: exponents(&|j| forbidden_unless(!is_free(k * L + j))),
            free: exponents(&|j| forbidden_unless(is_free(k * L + j))),
            is_free: std::array::from_fn(|j| number(f64::from(u8::from(is_free(k * L + j))))),
            classes: Places::new(std::array::from_fn(|j| graph.labels.get(k * L + j).copied().unwrap_or(some))),
            class: std::array::from_fn(|j| number(class_factor(k * L + j).0)),
            class_exponent: exponents(&|j| class_factor(k * L + j).1),
        })
        .collect()
}
