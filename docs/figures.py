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
    models = [GDLinearRegressor(r, max_iter=120, tol=None) for r in (0.003, 0.03, 0.2, 0.255)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)  # that is the point of the last
        models = [model.fit(X, y) for model in models]
    names = [f"{model.learning_rate:g}" for model in models]
    names[-1] += ", diverges and says so"
    LossCurveDisplay.from_estimators(models, names=names, ax=ax)
    ax.set_title("Four learning rates on the diabetes data, columns standardised")
    return ax.figure


if __name__ == "__main__":
    loss_curves().savefig(Path(__file__).parent / "_static" / "loss_curves.png")
