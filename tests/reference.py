"""Ground truth for the tests: naive loops and exact solutions, in extended or exact arithmetic."""

from fractions import Fraction

import mpmath
import numpy as np

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


def exact_least_squares(X, y, intercept=True):
    """Exact rational least squares for full column rank: w (d,) and b, as Fractions."""
    A = [[Fraction(float(v)) for v in row] + [Fraction(1)] * intercept for row in np.asarray(X)]
    b = [Fraction(float(v)) for v in y]
    p = len(A[0])
    M = [
        [sum(row[i] * row[j] for row in A) for j in range(p)]
        + [sum(row[i] * t for row, t in zip(A, b, strict=True))]
        for i in range(p)
    ]
    for i in range(p):
        pivot = next(r for r in range(i, p) if M[r][i] != 0)
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [v / M[i][i] for v in M[i]]
        for r in range(p):
            if r != i and M[r][i] != 0:
                M[r] = [a - M[r][i] * c for a, c in zip(M[r], M[i], strict=True)]
    solution = [row[-1] for row in M]
    return (solution[:-1], solution[-1]) if intercept else (solution, Fraction(0))


def exact_predictions(X, w, b):
    """X w + b in exact arithmetic, rounded once."""
    return np.array(
        [float(sum(Fraction(float(v)) * c for v, c in zip(row, w, strict=True)) + b) for row in X]
    )
