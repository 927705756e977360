"""Ground truth for the tests: naive loops and exact solutions, in extended or exact arithmetic."""

from fractions import Fraction

import mpmath
import numpy as np
from scipy import sparse

mpmath.mp.dps = 50
extended = np.vectorize(mpmath.mpf, otypes=[object])


def naive_descent(X, y, rate, n_updates, *, weights=None, momentum=0.0, start=None, intercept=True):
    """The textbook loop with 50 digits: iterates [(w; b), ...] of shape (p, t) and losses (t,)."""
    A = np.column_stack([X, np.ones(len(X))]) if intercept else np.asarray(X)
    A, Y = extended(A), extended(np.reshape(y, (len(A), -1)))
    s = extended(np.ones(len(A)) if weights is None else weights)[:, None]
    theta = extended(np.zeros((A.shape[1], Y.shape[1])) if start is None else start)
    rate, momentum, step = mpmath.mpf(rate), mpmath.mpf(momentum), 0
    thetas, losses = [], []
    for _ in range(n_updates + 1):
        residual = Y - A @ theta
        thetas.append(theta)
        losses.append((s * residual**2).sum(axis=0) / s.sum())
        step = momentum * step + rate * (2 / s.sum()) * (A.T @ (s * residual))
        theta = theta + step
    return thetas, losses


def sparse_normal(random, n, d, density):
    """A CSR array of about `density` normal entries, anywhere."""
    count = int(n * d * density)
    places = random.integers(0, n, count), random.integers(0, d, count)
    return sparse.csr_array((random.standard_normal(count), places), shape=(n, d))


def reduced(M):
    """The reduced row echelon form of a matrix of Fractions, and its pivot columns."""
    M, pivots = [row[:] for row in M], []
    for j in range(len(M[0])):
        i = len(pivots)
        pivot = next((r for r in range(i, len(M)) if M[r][j] != 0), None)
        if pivot is None:
            continue
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [v / M[i][j] for v in M[i]]
        for r in range(len(M)):
            if r != i and M[r][j] != 0:
                M[r] = [a - M[r][j] * c for a, c in zip(M[r], M[i], strict=True)]
        pivots.append(j)
    return M, pivots


def solved(M, v):
    """One exact solution of M x = v, zero where it is free, and a basis of M's null space."""
    d = len(M[0])
    R, pivots = reduced([[*row, value] for row, value in zip(M, v, strict=True)])
    assert d not in pivots  # else there is no solution
    x, free = [Fraction(0)] * d, [j for j in range(d) if j not in pivots]
    basis = [[Fraction(int(j == f)) for j in range(d)] for f in free]
    for row, pivot in zip(R, pivots, strict=False):
        x[pivot] = row[d]
        for vector, f in zip(basis, free, strict=True):
            vector[pivot] = -row[f]
    return x, basis


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def exact_least_squares(X, y, intercept=True, weights=None):
    """The rational least-squares solution of least |w| on the float64 values: w, b (Fractions)."""
    s = [Fraction(float(v)) for v in (np.ones(len(X)) if weights is None else weights)]
    columns = [[Fraction(float(v)) for v in column] for column in np.asarray(X).T]
    target = [Fraction(float(v)) for v in y]
    means = [dot(s, c) / sum(s) if intercept else Fraction(0) for c in [*columns, target]]
    *columns, target = [
        [v - mean for v in c] for c, mean in zip([*columns, target], means, strict=True)
    ]
    weighted = [[a * v for a, v in zip(s, c, strict=True)] for c in columns]
    w, null = solved(
        [[dot(a, c) for c in columns] for a in weighted], [dot(a, target) for a in weighted]
    )
    w = shortest(w, null)
    return w, means[-1] - dot(means[:-1], w)


def shortest(w, null):
    """The solution of least |w|, from one and a basis of the null space."""
    if null:
        gram = [[dot(a, c) for c in null] for a in null]
        multiples, _ = solved(gram, [dot(a, w) for a in null])
        for multiple, vector in zip(multiples, null, strict=True):
            w = [v - multiple * u for v, u in zip(w, vector, strict=True)]
    return w


def exact_ridge(X, y, l2, intercept=True):
    """The rational minimiser of least |w| of |y - X w - b|^2 / n + sum l2 w^2, as floats."""
    n = len(X)
    columns = [[Fraction(float(v)) for v in column] for column in X.T]
    target = [Fraction(float(v)) for v in y]
    if intercept:
        *columns, target = [[v - sum(c) / n for v in c] for c in (*columns, target)]
    gram = [[dot(a, b) / n for b in columns] for a in columns]
    for j, value in enumerate(l2):
        gram[j][j] += Fraction(float(value))
    w, several = solved(gram, [dot(column, target) / n for column in columns])
    assert not (several and np.all(l2))  # with a ridge on all columns there is one
    return np.array([float(v) for v in shortest(w, several)])


def exact_huber(X, y, signs, delta):
    """The rational minimiser (w; b) of Huber's loss, as floats, if the rows have these sides.

    `signs` (n,) are -1, 0 or 1. We assert that the rows have them there, so F has its minimum.
    """
    A = [[*map(Fraction, row), Fraction(1)] for row in X]
    target = [Fraction(v) for v in y]
    inside = [i for i, sign in enumerate(signs) if not sign]
    columns = list(zip(*A, strict=True))
    gram = [[sum(a[i] * c[i] for i in inside) for c in columns] for a in columns]
    pull = [
        sum(c[i] * target[i] for i in inside) + Fraction(delta) * dot(signs, c) for c in columns
    ]
    exact, null = solved(gram, pull)
    assert not null
    for row, v, sign in zip(A, target, signs, strict=True):
        r = v - dot(row, exact)
        assert sign * r > delta if sign else abs(r) <= delta
    return np.array([float(v) for v in exact])


def exact_penalised(X, y, l1, l2, signs):
    """The least |y - X w - b|^2 / n + 2 l1 |w|_1 + l2 |w|^2 if w had these signs, in Fractions.

    Returns F as a function of w (with the best b), w, and the slopes v of |y - X w - b|^2 / -2n.
    """
    n, l1, l2 = len(X), Fraction(float(l1)), Fraction(float(l2))
    columns = [[Fraction(float(v)) for v in column] for column in [*np.asarray(X).T, y]]
    *columns, target = [[v - sum(c) / n for v in c] for c in columns]
    gram = [[dot(a, b) / n for b in columns] for a in columns]
    slope, square = [dot(a, target) / n for a in columns], dot(target, target) / n

    def value(w):
        products = [dot(row, w) for row in gram]
        loss = square + dot(w, products) - 2 * dot(slope, w)
        return loss + sum((2 * l1 * abs(x) + l2 * x * x for x in w), Fraction(0))

    w, on = [Fraction(0)] * len(columns), [j for j, sign in enumerate(signs) if sign]
    matrix = [[gram[i][j] + l2 * (i == j) for j in on] for i in on]
    found = solved(matrix, [slope[j] - int(signs[j]) * l1 for j in on])[0] if on else []
    for j, x in zip(on, found, strict=True):
        w[j] = x
    return value, w, [q - dot(row, w) for q, row in zip(slope, gram, strict=True)]


def exact_predictions(X, w, b):
    """X w + b in exact arithmetic, rounded once."""
    return np.array([float(dot([Fraction(float(v)) for v in row], w) + b) for row in X])


def integers(values):
    """float64 values without rounding: integers (n,), and how often we doubled them."""
    pairs = [float(v).as_integer_ratio() for v in values]
    shift = max(denominator.bit_length() - 1 for _, denominator in pairs)
    whole = [a << (shift - (b.bit_length() - 1)) for a, b in pairs]
    return np.array(whole, dtype=object), shift


def exact_coefficients(X, y, intercept=True, weights=None):
    """As `exact_least_squares`, but fast, for columns of full rank: (w; b) as Fractions.

    Bareiss's (1968) elimination keeps integers integers, so no fraction has to be shortened.
    """
    columns = [integers(column) for column in np.asarray(X).T]
    columns += [(np.ones(len(X), dtype=int).astype(object), 0)] * intercept
    target, places = integers(y)
    s = integers(np.ones(len(X)) if weights is None else weights)[0]
    A = [[(s * a * b).sum() for b, _ in [*columns, (target, 0)]] for a, _ in columns]
    A = eliminated(A)
    shifts = [Fraction(2) ** (shift - places) for _, shift in columns]
    return [Fraction(row[-1], row[k]) * shifts[k] for k, row in enumerate(A)]


def eliminated(A):
    """A system of integers, reduced to its diagonal and right side by Bareiss's (1968) steps."""
    previous = 1
    for k, row in enumerate(A):
        for i in range(len(A)):
            if i != k:
                A[i] = [
                    (u * row[k] - A[i][k] * v) // previous for u, v in zip(A[i], row, strict=True)
                ]
        previous = row[k]
    return A


def exact_least_norm(X, y, intercept=True):
    """(w; b) as Fractions of least |w| with X w + b = y, of more columns than rows; fast.

    The rows have to be independent, after centring with an intercept: w is their combination by
    multiples (without a sum, where there is an intercept) that solve one system of integers.
    """
    n, (whole, places), (target, finer) = len(X), integers(np.ravel(X)), integers(y)
    whole = whole.reshape(np.shape(X))
    gram = whole @ whole.T + int(intercept)  # the multiples have no sum, and no pivot is zero
    A = [[*row, *[1] * intercept, v] for row, v in zip(gram, target, strict=True)]
    A = eliminated(A + [[1] * n + [0, 0]] * intercept)
    solution = [Fraction(row[-1], row[k]) for k, row in enumerate(A)]
    unit = Fraction(2) ** (places - finer)
    w = [unit * dot(column, solution[:n]) for column in whole.T]
    return [*w, *(b / 2**finer for b in solution[n:])]


def ulps(found, exact):
    """The error of each number in units of the last place of its exact value."""
    return np.array(
        [
            float(abs(Fraction(float(a)) - b) / Fraction(float(np.spacing(abs(float(b))))))
            for a, b in zip(found, exact, strict=True)
        ]
    )
