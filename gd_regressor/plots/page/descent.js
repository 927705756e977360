// The arithmetic of descents with a constant step, from the eigenvalues of the loss. No drawing.
//
// The formulas are those of gd_regressor/textbook/polynomials.py, which derives them. Along the
// eigenvector with curvature c, with h = rate * c, k updates multiply the error by p_k(h). One
// update moves it by h D_k, and all of them together by h q_k.
//
// A descent is {modes, still, minimum, variance, square, curvature}: its directions, the
// coefficients that no update moves, the least loss, the unit of the loss, the mean square of y and
// the largest curvature. A mode is {curvature, vector, residual, start, slope}. Its share of the
// loss after k updates is (residual p_k)^2.

"use strict";

const MOST_UPDATES = 1e9; // a slider can ask for no more
const EPS = 2 ** -52;

// (sign * e^log)^k
function power(sign, log, k) {
  if (k === 0) return 1;
  const size = Math.exp(k * log);
  return sign < 0 && k % 2 === 1 ? -size : size;
}

// How the error along one direction shrinks: left(k) is [p_k, D_k], total(k) is q_k,
// envelope(k) >= |p_k| falls with k, and highest(from, to) bounds |p_k| from one update to another.
// h is at least 0.
function shrinking(h, momentum) {
  if (momentum === 0) return plain(h);
  const above = 1 + Math.sqrt(momentum);
  const below = (1 - momentum) / above; // 1 - sqrt(momentum), without cancellation
  const width = Math.sqrt(Math.abs(below ** 2 - h)) * Math.sqrt(Math.abs(above ** 2 - h));
  if (below ** 2 < h && h < above ** 2) return oscillating(h, momentum, width);
  return monotone(h, momentum, width);
}

function plain(h) {
  const sign = h > 1 ? -1 : 1;
  const log = h < 1 ? Math.log1p(-h) : Math.log(h - 1);
  const left = (k) => {
    const d = k === 0 ? 0 : power(sign, log, k - 1);
    return [k === 0 ? 1 : (1 - h) * d, d];
  };
  const total = (k) => {
    if (k === 0) return 0;
    const gone = sign > 0 ? -Math.expm1(k * log) : 1 - power(sign, log, k);
    return h === 0 ? k : gone / h;
  };
  return bounding(left, total, (k) => (k === 0 ? 1 : Math.exp(k * log)));
}

// What falls all the time is highest at first
function bounding(left, total, envelope) {
  return { left, total, envelope, highest: (from) => envelope(from) };
}

// Two conjugate roots of modulus sqrt(momentum). Left of zero r^k = (-1)^k (-r)^k: the angle of -r
// is the smaller one, and has more digits.
function oscillating(h, momentum, width) {
  const real = (1 + momentum - h) / 2;
  const sign = real < 0 ? -1 : 1;
  const angle = Math.atan2(width / 2, Math.abs(real));
  const log = Math.log(momentum) / 2;
  const turn = (1 - momentum - h) / 2; // the real part of (1 - r1) r2
  const left = (k) => {
    if (k === 0) return [1, 0];
    const ratio = angle === 0 ? k : Math.sin(k * angle) / Math.sin(angle);
    const d = power(sign, log, k - 1) * ratio;
    return [power(sign, log, k) * Math.cos(k * angle) + turn * d, d];
  };
  const total = (k) => {
    const [p, d] = left(k);
    if (sign < 0) return (1 - p) / h;
    // 1 - p from e^a cos b - 1 = (e^a - 1) cos b - 2 sin(b / 2)^2
    const moved = Math.expm1(k * log) * Math.cos(k * angle) - 2 * Math.sin((k * angle) / 2) ** 2;
    return (-moved - turn * d) / h;
  };
  const size = Math.sqrt(momentum);
  const away = Math.hypot(1 - real, width / 2); // |1 - r1|
  const envelope = envelopeOf([size, size], [away, away], log, log, width);
  // |p_k| = |t| |r|^(k+1) |sin((k + 1) angle + arg t)| / |Im r|, with t = 1 - r
  const shift = sign * Math.atan2(width / 2, 1 - real);
  const highest = (from, to) => {
    const [first, last] = [from, to].map((k) => (k + 1) * angle + shift);
    const crest = Math.floor(last / Math.PI - 0.5) > Math.floor(first / Math.PI - 0.5);
    const sine = crest ? 1 : Math.max(Math.abs(Math.sin(first)), Math.abs(Math.sin(last)));
    const swing = (away * Math.exp((from + 1) * log) * sine) / (width / 2);
    return width > 0 ? Math.min(swing, envelope(from)) : envelope(from);
  };
  return { left, total, envelope, highest };
}

// Two real roots 1 - t, with t^2 - s t + h = 0; t belongs to the root of larger modulus
function monotone(h, momentum, width) {
  const s = 1 - momentum + h;
  const larger = (s + width) / 2;
  const negative = s > 2; // both roots are
  const t = negative ? larger : h / larger;
  const sign = negative ? -1 : 1;
  const distance = Math.abs(t - 1);
  const near = distance > 0.5 && distance < 2;
  const log = near ? 0.5 * Math.log1p(t * (t - 2)) : Math.log(Math.max(distance, 1e-300));
  const gap = Math.min(Math.log(momentum) - 2 * log, 0); // log(r2 / r1)
  const other = momentum / (1 - t);
  const left = (k) => {
    if (k === 0) return [1, 0];
    const ratio = gap === 0 ? k : Math.expm1(k * gap) / Math.expm1(gap);
    const d = power(sign, log, k - 1) * ratio;
    return [power(sign, log, k) + t * other * d, d];
  };
  const total = (k) => {
    if (h === 0) {
      const fading = Math.expm1(k * Math.log(momentum)) / (1 - momentum) ** 2;
      return k / (1 - momentum) + momentum * fading;
    }
    const [p, d] = left(k);
    return negative ? (1 - p) / h : (-Math.expm1(k * log) - t * other * d) / h;
  };
  if (!negative) return bounding(left, total, (k) => left(k)[0]); // p_k itself falls
  const sizes = [distance, Math.abs(other)];
  const decays = [log, Math.log(momentum) - log];
  return bounding(left, total, envelopeOf(sizes, [t, Math.abs(1 - other)], ...decays, width));
}

// The smaller of two bounds on |p_k| = |t2 r1^(k+1) - t1 r2^(k+1)| / |r1 - r2|: the sum of the sizes
// of both terms, and |r1|^k (|r1| + |t1| (k + 1)), which serves roots that nearly coincide and
// counts from its peak on
function envelopeOf([first, second], [t1, t2], decay, otherDecay, apart) {
  const peak = -1 / decay - first / t1;
  return (k) => {
    const sizes = t2 * first * Math.exp(k * decay) + t1 * second * Math.exp(k * otherDecay);
    const late = Math.max(k + 1, peak);
    const near = Math.exp((late - 1) * decay) * (first + t1 * late);
    return apart === 0 ? near : Math.min(sizes / apart, near);
  };
}

// What is known of one descent at one rate and momentum: functions of the number of updates
function run(descent, rate, momentum) {
  const moves = descent.modes.map((mode) => shrinking(rate * mode.curvature, momentum));
  const sum = (share) => {
    let total = 0;
    for (let i = 0; i < moves.length; i++) total += share(moves[i], descent.modes[i]);
    return total;
  };
  const above = (k) => sum((move, mode) => (mode.residual * move.left(k)[0]) ** 2);
  return {
    rate,
    momentum,
    moves,
    above, // the minimum
    loss: (k) => descent.minimum + above(k),
    bound: (k) => sum((move, mode) => (mode.residual * move.envelope(k)) ** 2),
    highest: (from, to) => sum((move, mode) => (mode.residual * move.highest(from, to)) ** 2),
    // By how much the k-th update lowered the loss, without the cancellation of a difference
    fall: (k) =>
      sum((move, mode) => {
        const [p, d] = move.left(k);
        const step = rate * mode.curvature * d;
        return step * (2 * p + step) * mode.residual * mode.residual;
      }),
  };
}

// The coefficients, and the intercept as the last of them, after k updates
function coefficients(descent, { rate, moves }, k) {
  const theta = descent.still.slice();
  descent.modes.forEach((mode, i) => {
    const along = moves[i].left(k)[0] * mode.start + rate * moves[i].total(k) * mode.slope;
    for (let j = 0; j < theta.length; j++) theta[j] += mode.vector[j] * along;
  });
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

// The first k >= 1 with yes(k), where yes stays true once it is; Infinity beyond MOST_UPDATES
function first(yes) {
  let high = 1;
  while (!yes(high)) {
    if (high >= MOST_UPDATES) return Infinity;
    high = Math.min(2 * high, MOST_UPDATES);
  }
  let low = Math.floor(high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (yes(middle)) high = middle;
    else low = middle;
  }
  return high;
}

// The update at which the estimator's rule stops: as many updates in a row as the momentum
// remembers have moved the loss by no more than tol times the variance
function stopsAfter(descent, here, tol) {
  const floor = EPS ** 2 * descent.square; // what a walk cannot tell from zero
  const threshold = tol > 0 ? tol * descent.variance : floor;
  const ends = divergesAfter(descent, here);
  if (here.momentum === 0) {
    // Falls only shrink from update to update, so the first small one is the first calm one
    const k = first((k) => here.fall(k) <= threshold);
    return k < ends && here.fall(k) >= -Math.min(floor, threshold) ? k : Infinity;
  }
  const window = Math.ceil((1 - 4 * EPS) / (1 - here.momentum));
  const higher = Math.log(Math.max(here.above(0), 1e-300) / Math.max(threshold, 1e-300));
  const swinging = Math.floor(SWINGING + Math.max(higher, 0));
  return firstStreak((k) => Math.abs(here.fall(k)) <= threshold, window, swinging, ends);
}

// Windows of updates until what swings has fallen to e^-100 of a calm fall. A start so much higher
// takes as many more. The rest falls from update to update.
const SWINGING = 100;
const LOOKS = 1e5;

// The end of the first `window` calm updates in a row. Such a streak holds a multiple of `window`.
function firstStreak(calm, window, swinging, ends) {
  for (let i = 1; i <= swinging && (i - 1) * window < ends; i++) {
    const end = streakAround(calm, i * window, window);
    if (end < ends) return end;
  }
  const start = swinging * window;
  if (start >= ends) return Infinity;
  const end = streakAround(calm, start + first((k) => calm(start + k)), window);
  return end < ends ? end : Infinity;
}

// Looks at each update of windows up to LOOKS, and at so many of longer ones (momentum beyond 0.99999)
function streakAround(calm, k, window) {
  if (k > MOST_UPDATES || !calm(k)) return Infinity;
  const stride = Math.ceil(window / LOOKS);
  let begin = k;
  let before = Math.max(k - stride, 0); // the update that is not calm, in the end
  while (before > 0 && k - begin < window && calm(before)) {
    begin = before;
    before = Math.max(begin - stride, 0);
  }
  while (begin - before > 1) {
    const middle = Math.floor((before + begin) / 2);
    if (calm(middle)) begin = middle;
    else before = middle;
  }
  const end = begin + window - 1;
  for (let i = k; i < end; ) {
    i = Math.min(i + stride, end);
    if (!calm(i)) return Infinity;
  }
  return end;
}

// Updates after which the loss is, and stays, within tol times the variance of its minimum
function needs(descent, here, tol) {
  const enough = tol * descent.variance;
  let k = needsAtMost(descent, here, tol);
  if (here.momentum === 0 || !Number.isFinite(k)) return k;
  // Back over as many updates as have no crest above it
  for (let leap = 1; k > 0; ) {
    const from = Math.max(k - leap, 0);
    if (here.highest(from, k - 1) <= enough) {
      k = from;
      leap *= 4;
    } else if (leap > 1) leap /= 4;
    else if (here.above(k - 1) > enough) return k;
    else k--;
  }
  return k;
}

// The same from the envelope: exact without momentum, near enough for a curve with it
function needsAtMost(descent, here, tol) {
  if (here.rate >= largestStableRate(descent, here.momentum)) return Infinity;
  const within = (k) => here.bound(k) <= tol * descent.variance;
  return within(0) ? 0 : first(within);
}

// The update after which the estimator ends the run as diverged
function divergesAfter(descent, here) {
  if (here.rate < largestStableRate(descent, here.momentum)) return Infinity;
  const bound = 1e100 * Math.max(here.loss(0), descent.variance);
  return first((k) => !(here.loss(k) <= bound));
}
