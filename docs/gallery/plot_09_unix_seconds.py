"""
A column of Unix seconds
========================

Fit a table whose columns have very different units, without scaling. One column is the time as
computers count it, in seconds since 1970.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, SGDRegressor

from gd_regressor import GDLinearRegressor, learning_rate_report

rng = np.random.default_rng(2025)
n = 2000
X = pd.DataFrame(
    {
        "time": 1_735_689_600 + rng.integers(0, 365 * 86_400, n),
        "load": rng.random(n),
        "visits": rng.poisson(3.0, n),
    }
)
y = 5.0 + 3e-7 * X["time"] + 2.0 * X["load"] - 0.7 * X["visits"]
X.head(3)

# %%
# The target is an exact linear function of the columns. So the right R² is 1, and the right
# coefficients are 3e-7, 2 and -0.7.
#
# Three estimators
# ----------------

fitted = {}
for estimator in (SGDRegressor(random_state=0), LinearRegression(), GDLinearRegressor()):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    name = type(estimator).__name__
    fitted[name] = estimator
    print(f"{name:<17}  R² {estimator.score(X, y):<9.3g}  warnings: {len(caught)}")
    print(f"{'':<17}  coefficients", *(f"{c:.3g}" for c in estimator.coef_))

# %%
# ``SGDRegressor`` and ``LinearRegression`` are wrong, and neither of them says so. The times are
# so large that the first loses its way. The second takes the two small columns for rounding
# errors of the large one, and drops them. (``LinearRegression(tol=0)`` would keep them.)
# ``GDLinearRegressor`` centres and scales the columns itself.
#
# Predicted against actual
# ------------------------
#
# The predictions of ``SGDRegressor`` are too far away to be drawn.

fig, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained", sharex=True, sharey=True)
for ax, name in zip(axes, ("LinearRegression", "GDLinearRegressor"), strict=True):
    ax.axline((528, 528), slope=1, color="0.6", linewidth=1)
    ax.scatter(fitted[name].predict(X), y, s=8, alpha=0.4, linewidths=0)
    ax.set(xlabel="predicted", title=name)
axes[0].set_ylabel("actual")
fig.suptitle("The target is an exact function of the columns")

# %%
# Why so hard?
# ------------
#
# The report tells: the time sets the limit of the learning rate, and allows next to nothing. On
# standardised columns nothing is left of the problem.

report = learning_rate_report(X, y)
print("limit set by", report.steepest_column)
print(f"limit {report.limit():.2g}, condition number {report.condition_number:.0e}")
better = report.standardised
print(f"limit {better.limit():.2g}, condition number {better.condition_number:.2f}, standardised")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_10_stream.py`
