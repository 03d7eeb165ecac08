//! The inverse of a symmetric positive definite matrix, in blocks, so that nearly all of the work is matrix
//! products.

use ndarray::{Array2, ArrayView2, linalg::general_mat_mul, s};

/// Rows and columns of a block: what fits into the first cache beside its products.
const BLOCK: usize = 64;

/// Inverts `a`, of which the lower triangle is read: Cholesky, the factor's inverse, and that one's product
/// with itself. Takes n³/2 multiplications and two further matrices of the same size.
///
/// Returns `None` when the matrix is not positive definite, or too close to that for single precision.
pub(super) fn invert_spd(mut a: Array2<f32>) -> Option<Array2<f32>> {
    cholesky(&mut a)?;
    let w = invert_lower(&a);
    let n = a.nrows();
    for (start, end) in blocks(n) {
        let left = w.slice(s![start.., start..end]);
        let right = w.slice(s![start.., ..end]);
        general_mat_mul(1.0, &left.t(), &right, 0.0, &mut a.slice_mut(s![start..end, ..end]));
    }
    for row in 0..n {
        for column in row + 1..n {
            a[[row, column]] = a[[column, row]];
        }
    }
    Some(a)
}

/// Replaces the lower triangle of `a` by L, with L·Lᵀ = a.
fn cholesky(a: &mut Array2<f32>) -> Option<()> {
    let n = a.nrows();
    for (start, end) in blocks(n) {
        factor_block(a, start, end)?;
        let inverse = invert_block(a.slice(s![start..end, start..end]));
        let below = a.slice(s![end.., start..end]).to_owned();
        let mut panel = Array2::zeros(below.dim());
        general_mat_mul(1.0, &below, &inverse.t(), 0.0, &mut panel);
        for (first, last) in blocks(n - end) {
            let across = panel.slice(s![first..last, ..]);
            let down = panel.slice(s![first.., ..]);
            let mut rest = a.slice_mut(s![end + first.., end + first..end + last]);
            general_mat_mul(-1.0, &down, &across.t(), 1.0, &mut rest);
        }
        a.slice_mut(s![end.., start..end]).assign(&panel);
    }
    Some(())
}

fn factor_block(a: &mut Array2<f32>, start: usize, end: usize) -> Option<()> {
    for column in start..end {
        for row in column..end {
            let known: f64 =
                (start..column).map(|k| f64::from(a[[row, k]]) * f64::from(a[[column, k]])).sum();
            let value = f64::from(a[[row, column]]) - known;
            if row == column {
                if !(value > 0.0 && value.is_finite()) {
                    return None;
                }
                a[[row, column]] = value.sqrt() as f32;
            } else {
                a[[row, column]] = (value / f64::from(a[[column, column]])) as f32;
            }
        }
    }
    Some(())
}

/// The inverse of a lower triangular matrix; what stands above its diagonal is not read.
fn invert_lower(l: &Array2<f32>) -> Array2<f32> {
    let n = l.nrows();
    let mut w = Array2::zeros((n, n));
    for (start, end) in blocks(n) {
        let diagonal = invert_block(l.slice(s![start..end, start..end]));
        let mut known = Array2::zeros((end - start, start));
        for (first, last) in blocks(start) {
            let left = l.slice(s![start..end, first..start]);
            let right = w.slice(s![first..start, first..last]);
            general_mat_mul(1.0, &left, &right, 0.0, &mut known.slice_mut(s![.., first..last]));
        }
        let mut row = w.slice_mut(s![start..end, ..start]);
        general_mat_mul(-1.0, &diagonal, &known, 0.0, &mut row);
        w.slice_mut(s![start..end, start..end]).assign(&diagonal);
    }
    w
}

fn invert_block(l: ArrayView2<'_, f32>) -> Array2<f32> {
    let n = l.nrows();
    let mut inverse = Array2::zeros((n, n));
    for column in 0..n {
        for row in column..n {
            let unit = if row == column { 1.0 } else { 0.0 };
            let known: f64 = (column..row)
                .map(|k| f64::from(l[[row, k]]) * f64::from(inverse[[k, column]]))
                .sum();
            inverse[[row, column]] = ((unit - known) / f64::from(l[[row, row]])) as f32;
        }
    }
    inverse
}

/// The blocks of 0..n.
fn blocks(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(BLOCK).map(move |start| (start, (start + BLOCK).min(n)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_matrix_times_its_inverse_is_one(n in 1_usize..200, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let x = Array2::from_shape_fn((n + 3, n), |_| random.f32() - 0.5);
            let mut a = x.t().dot(&x);
            a.diag_mut().mapv_inplace(|value| value + 1.0);
            let product = a.dot(&invert_spd(a.clone()).unwrap());
            for ((row, column), value) in product.indexed_iter() {
                let expected = if row == column { 1.0 } else { 0.0 };
                prop_assert!((value - expected).abs() < 1e-3, "{row},{column}: {value}");
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        let mut a = Array2::eye(100);
        a[[80, 80]] = -1.0;
        assert!(invert_spd(a.clone()).is_none());
        a[[80, 80]] = f32::NAN;
        assert!(invert_spd(a).is_none());
    }
}
