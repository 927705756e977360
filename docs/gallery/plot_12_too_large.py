"""
A learning rate that is too large
=================================

Your loss explodes, or the estimator warns of divergence. Read what the warning says, find the
column that causes it, and choose a rate that works.
"""

import textwrap
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    DivergenceWarning,
    GDLinearRegressor,
    LearningRateReport,
    LossCurveDisplay,
    gd_path,
    learning_rate_report,
)

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
X, y = cars.drop(columns="price"), cars["price"]

# %%
# The warning
# -----------
#
# Five columns as they are, and the rate 0.1 of the tutorials:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = GDLinearRegressor(learning_rate=0.1).fit(X, y)
for warning in caught:
    print(warning.category.__name__)
    print(textwrap.fill(str(warning.message), 78))

# %%
# The warning names the largest stable rate and the column that sets it. ``status_`` says how the
# run ended. The loss curve is kept up to there:

print(model.status_.name)
print(*(f"{loss:.3g}" for loss in model.loss_curve_))

# %%
# The column
# ----------
#
# The report has the same and more. Pass it the data, or the fitted estimator with the data:

report = LearningRateReport.from_estimator(model, X, y)
print("set mostly by", report.steepest_column)
print(f"limit {report.limit():.3g}, standardised {report.standardised.limit():.3g}")
X.agg(["mean", "max"]).round(1).T

# %%
# The curb weight has the largest numbers, some thousands. The limit is about the inverse of their
# mean square:

print(f"{1 / np.mean(X['curb_weight'] ** 2):.3g}")

# %%
# A smaller rate is no cure
# -------------------------
#
# At nine tenths of the limit nothing explodes. But the flattest direction hardly moves. Compare
# the number of updates:

rate = 0.9 * report.limit()
print(f"as they are:  {report.needs(rate):,} updates at the rate {rate:.3g}")
better = report.standardised
rate = 0.9 * better.limit()
print(f"standardised: {better.needs(rate):,} updates at the rate {rate:.3g}")

# %%
# The cure
# --------
#
# Standardise the columns. The rate 0.1 is then below the limit:

pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(learning_rate=0.1)).fit(X, y)
print(pipeline[-1].status_.name, "after", pipeline[-1].n_iter_, "updates")
print(f"R² {pipeline.score(X, y):.4f}")

# %%
# Or let the estimator do all that, without a rate:

automatic = GDLinearRegressor().fit(X, y)
print(f"R² {automatic.score(X, y):.4f}")

# %%
# Look at the explosion
# ---------------------
#
# On the standardised columns we go two per cent beyond the limit, and two per cent below it.

Z = StandardScaler().set_output(transform="pandas").fit_transform(X)
report = learning_rate_report(Z, y)
rates = [0.98 * report.limit(), 1.02 * report.limit()]
display = LossCurveDisplay.from_report(report, learning_rate=rates, n_iter=100, tol=None)
display.ax_.set_title("Two per cent below the limit and beyond it")

# %%
# ``gd_path`` refuses iterates that a diverging descent does not reach.
# ``on_divergence="truncate"`` leaves them out, so the arrays are shorter:

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DivergenceWarning)  # we know
    coefs, intercepts, losses = gd_path(
        X, y, learning_rate=0.1, n_iter=1000, on_divergence="truncate"
    )
print(f"{len(losses)} losses instead of 1,001")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_13_stop_or_shrink.py`
