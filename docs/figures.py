"""Draw the pictures of the README and the documentation: ``python docs/figures.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from gd_regressor import DivergenceWarning, GDLinearRegressor, LossCurveDisplay


def loss_curves():
    """Four learning rates on the standardised diabetes data, one of them too large."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X = StandardScaler().fit_transform(X)
    _, ax = plt.subplots(figsize=(7, 3.6), dpi=150, layout="constrained")
    for rate in (0.003, 0.03, 0.2, 0.255):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)  # that is the point of the last
            model = GDLinearRegressor(rate, max_iter=120, tol=None).fit(X, y)
        stable = rate < model.max_learning_rate_
        label = f"learning_rate={rate:g}" + ("" if stable else "  (diverges, and says so)")
        LossCurveDisplay.from_estimator(
            model, ax=ax, label=label, linestyle="-" if stable else "--"
        )
    floor = GDLinearRegressor().fit(X, y).loss_curve_[-1]
    ax.axhline(floor, color="0.6", linewidth=1, zorder=0, label='the minimum, learning_rate="auto"')
    ax.set(
        yscale="log", xlim=(0, 120), ylim=(2.2e3, 1e5), title="Diabetes data, standardised columns"
    )
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax.figure


if __name__ == "__main__":
    loss_curves().savefig(Path(__file__).parent / "_static" / "loss_curves.png")
