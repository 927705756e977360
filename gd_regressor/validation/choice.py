"""Choice: the best candidate, or the simplest that is not clearly worse."""

from __future__ import annotations

import numpy as np

from gd_regressor.validation.grid import Grid


def best_of(scores: np.ndarray, grid: Grid, one_standard_error: bool) -> int:
    """The flat place of the chosen candidate, from `scores` (rates, counts, l1_ratios, alphas, f).

    The best mean score wins, and of equals the first. With `one_standard_error` the simplest
    candidate wins whose mean is within one standard error of the best (Breiman et al. 1984).
    """
    means = scores.mean(axis=-1).ravel()
    if np.isnan(means).all():
        raise ValueError(
            "scoring gave NaN for each candidate on at least one fold, so none is the best; give "
            "another scoring, or folds that it can score."
        )
    means = np.where(np.isnan(means), -np.inf, means)
    best = int(means.argmax())
    if not one_standard_error:
        return best
    error = _standard_error(scores.reshape(means.size, -1)[best])
    near = np.flatnonzero(means >= means[best] - error).tolist()
    return int(min(near, key=lambda place: (*_complexity(grid, place), -means[place])))


def _standard_error(scores: np.ndarray) -> float:
    """That of the mean of the folds' scores; 0 for one fold."""
    many = len(scores)
    return float(scores.std(ddof=1) / np.sqrt(many)) if many > 1 else 0.0


def _complexity(grid: Grid, place: int) -> tuple[float, float, float, float]:
    """What makes a model less simple, in this order: a smaller alpha, more updates, a larger rate.

    "auto" arrives, so it counts as endless updates. Of equal alphas more of |w|_1 is simpler.
    """
    rate, count, ratio, alpha = np.unravel_index(place, grid.shape)
    eta = grid.rates[rate]
    made = np.inf if eta is None else float(grid.counts[count])
    return -grid.alphas[ratio, alpha], made, eta or np.inf, -grid.l1_ratios[ratio]
