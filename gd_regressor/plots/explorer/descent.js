// The arithmetic of descents with a constant step, from the eigenvalues of the loss. No drawing.
//
// The formulas are those of gd_regressor/textbook/spectrum.py, which derives them. Along the
// eigenvector with curvature c, with h = rate * c, k updates multiply the error by p_k(h); an
// update moves it by h D_k, and all of them by h q_k.
//
// A descent is {modes, still, minimum, variance, square, curvature}: the largest curvature, the unit
// of the loss, the mean square of y, the coefficients that no update moves, and a mode for each
// direction, {curvature, vector, residual, start, slope}. (residual p_k)^2 is its share of the loss.

"use strict";

const WIDEST_STEP = 1e9; // updates; a slider can ask for no more

// (sign * e^log)^k
function power(sign, log, k) {
  if (k === 0) return 1;
  const size = Math.exp(k * log);
  return sign < 0 && k % 2 === 1 ? -size : size;
}

// [p_k, D_k, q_k] at h >= 0
function polynomials(h, momentum, k) {
  if (k === 0) return [1, 0, 0];
  if (momentum === 0) return withoutMomentum(h, k);
  const above = 1 + Math.sqrt(momentum);
  const below = (1 - momentum) / above; // 1 - sqrt(momentum), without cancellation
  const width = Math.sqrt(Math.abs(below ** 2 - h)) * Math.sqrt(Math.abs(above ** 2 - h));
  if (below ** 2 < h && h < above ** 2) return oscillating(h, momentum, k, width);
  return monotone(h, momentum, k, width);
}

function withoutMomentum(h, k) {
  const sign = h > 1 ? -1 : 1;
  const log = h < 1 ? Math.log1p(-h) : Math.log(h - 1);
  const d = power(sign, log, k - 1);
  const gone = sign > 0 ? -Math.expm1(k * log) : 1 - power(sign, log, k);
  return [(1 - h) * d, d, h === 0 ? k : gone / h];
}

// Two conjugate roots of modulus sqrt(momentum). Left of zero r^k = (-1)^k (-r)^k: the angle of -r
// is the smaller one, and has the more digits.
function oscillating(h, momentum, k, width) {
  const real = (1 + momentum - h) / 2;
  const sign = real < 0 ? -1 : 1;
  const angle = Math.atan2(width / 2, Math.abs(real));
  const log = Math.log(momentum) / 2;
  const ratio = angle === 0 ? k : Math.sin(k * angle) / Math.sin(angle);
  const d = power(sign, log, k - 1) * ratio;
  const turned = ((1 - momentum - h) / 2) * d; // the real part of (1 - r1) r2 D_k
  const p = power(sign, log, k) * Math.cos(k * angle) + turned;
  if (sign < 0) return [p, d, (1 - p) / h];
  // 1 - p from e^a cos b - 1 = (e^a - 1) cos b - 2 sin(b / 2)^2
  const moved = Math.expm1(k * log) * Math.cos(k * angle) - 2 * Math.sin((k * angle) / 2) ** 2;
  return [p, d, (-moved - turned) / h];
}

// Two real roots 1 - t, with t^2 - s t + h = 0; t belongs to the root of larger modulus
function monotone(h, momentum, k, width) {
  const s = 1 - momentum + h;
  const larger = (s + width) / 2;
  const left = s > 2; // both roots are negative
  const t = left ? larger : h / larger;
  const sign = left ? -1 : 1;
  const distance = Math.abs(t - 1);
  const near = distance > 0.5 && distance < 2;
  const log = near ? 0.5 * Math.log1p(t * (t - 2)) : Math.log(Math.max(distance, 1e-300));
  const gap = Math.min(Math.log(momentum) - 2 * log, 0); // log(r2 / r1)
  const ratio = gap === 0 ? k : Math.expm1(k * gap) / Math.expm1(gap);
  const d = power(sign, log, k - 1) * ratio;
  const rest = t * (momentum / (1 - t)) * d;
  const p = power(sign, log, k) + rest;
  if (h === 0) {
    const fading = Math.expm1(k * Math.log(momentum)) / (1 - momentum) ** 2;
    return [p, d, k / (1 - momentum) + momentum * fading];
  }
  return [p, d, left ? (1 - p) / h : (-Math.expm1(k * log) - rest) / h];
}

// How far the loss is above its minimum after k updates
function lossAbove(descent, rate, momentum, k) {
  let sum = 0;
  for (const mode of descent.modes) {
    const left = mode.residual * polynomials(rate * mode.curvature, momentum, k)[0];
    sum += left * left;
  }
  return sum;
}

// By how much the k-th update lowered the loss, without the cancellation of a difference
function decrease(descent, rate, momentum, k) {
  let sum = 0;
  for (const mode of descent.modes) {
    const h = rate * mode.curvature;
    const [p, d] = polynomials(h, momentum, k);
    const fall = h * d;
    sum += fall * (2 * p + fall) * mode.residual * mode.residual;
  }
  return sum;
}

// The coefficients, and the intercept as the last of them, after k updates
function coefficients(descent, rate, momentum, k) {
  const theta = descent.still.slice();
  for (const mode of descent.modes) {
    const [p, , q] = polynomials(rate * mode.curvature, momentum, k);
    const along = p * mode.start + rate * q * mode.slope;
    for (let j = 0; j < theta.length; j++) theta[j] += mode.vector[j] * along;
  }
  return theta;
}

// The coefficients at the minimum of the loss that the descent approaches
function minimiser(descent) {
  const theta = descent.still.slice();
  for (const mode of descent.modes) {
    const along = mode.curvature > 0 ? mode.slope / mode.curvature : mode.start;
    for (let j = 0; j < theta.length; j++) theta[j] += mode.vector[j] * along;
  }
  return theta;
}

function largestStableRate(descent, momentum) {
  return (2 * (1 + momentum)) / descent.curvature;
}

// The first k in [1, WIDEST_STEP] with yes(k), where yes stays true once it is; else Infinity
function first(yes) {
  let high = 1;
  while (!yes(high)) {
    if (high >= WIDEST_STEP) return Infinity;
    high = Math.min(2 * high, WIDEST_STEP);
  }
  let low = Math.floor(high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (yes(middle)) high = middle;
    else low = middle;
  }
  return high;
}

// Updates after which the estimator's rule stops: as many updates in a row as the momentum
// remembers have moved the loss by no more than tol times the variance
function stopsAfter(descent, rate, momentum, tol) {
  const floor = 2 ** -104 * descent.square; // what a walk cannot tell from zero
  const threshold = tol > 0 ? tol * descent.variance : floor;
  const fall = (k) => decrease(descent, rate, momentum, k);
  const ends = divergesAfter(descent, rate, momentum);
  if (momentum === 0) {
    // Falls only shrink from update to update, so the first small one is the first calm one
    const k = first((k) => fall(k) <= threshold);
    return k < ends && fall(k) >= -floor ? k : Infinity;
  }
  const window = Math.ceil((1 - 2 ** -50) / (1 - momentum));
  return firstStreak((k) => Math.abs(fall(k)) <= threshold, window, ends);
}

const LOOKED_AT = 4000; // windows, one by one: after so many the oscillations have died

// The end of the first `window` calm updates in a row. Such a streak holds a multiple of `window`.
function firstStreak(calm, window, ends) {
  for (let i = 1; i <= LOOKED_AT && (i - 1) * window < ends; i++) {
    const end = streakAround(calm, i * window, window);
    if (end < ends) return end;
  }
  // The directions still moving fall steadily, and each fall is smaller than the one before
  const start = LOOKED_AT * window;
  if (start >= ends) return Infinity;
  const end = streakAround(calm, start + first((k) => calm(start + k)), window);
  return end < ends ? end : Infinity;
}

function streakAround(calm, k, window) {
  if (k > WIDEST_STEP || !calm(k)) return Infinity;
  let begin = k;
  while (begin > 1 && k - begin < window && calm(begin - 1)) begin--;
  let end = k;
  while (end - begin + 1 < window && calm(end + 1)) end++;
  return end - begin + 1 >= window ? begin + window - 1 : Infinity;
}

// Updates after which the loss is within tol times the variance of its minimum
function needs(descent, rate, momentum, tol) {
  const enough = tol * descent.variance;
  const window = momentum > 0 ? Math.ceil(1 / (1 - momentum)) : 1;
  const stride = Math.max(window / 8, 1);
  const within = (k) => {
    for (let ahead = 0; ahead < window; ahead += stride) {
      if (!(lossAbove(descent, rate, momentum, k + Math.floor(ahead)) <= enough)) return false;
    }
    return true;
  };
  return within(0) ? 0 : first(within);
}

// Updates after which the estimator ends the run as diverged
function divergesAfter(descent, rate, momentum) {
  if (rate < largestStableRate(descent, momentum)) return Infinity;
  const loss = (k) => descent.minimum + lossAbove(descent, rate, momentum, k);
  const bound = 1e100 * Math.max(loss(0), descent.variance);
  return first((k) => !(loss(k) <= bound));
}
