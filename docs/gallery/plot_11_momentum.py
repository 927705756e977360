"""
Momentum: the map, the best pair, and why
=========================================

Find the momentum and the learning rate that need the fewest updates, and see why momentum helps.
"""

from pathlib import Path

import pandas as pd
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    ConvergenceMapDisplay,
    GDLinearRegressor,
    LossCurveDisplay,
    SpectrumDisplay,
    learning_rate_report,
)

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
standardised = StandardScaler().set_output(transform="pandas").fit_transform(cars)
X, y = standardised.drop(columns="price"), standardised["price"]

# %%
# How many updates?
# -----------------
#
# Five features, all standardised. We count the updates until the loss is within a millionth of
# the variance of its minimum.

report = learning_rate_report(X, y)
momentum, rate = report.best_momentum
print(f"rate 0.1                       {report.needs(0.1):>4} updates")
best = report.best_learning_rate
print(f"best guaranteed rate, {best:.3f}    {report.needs(best):>4} updates")
fastest, updates = report.fastest()
print(f"fastest rate here, {fastest:.3f}       {updates:>4} updates")
print(f"momentum {momentum:.3f}, rate {rate:.3f}     {report.needs(rate, momentum):>4} updates")

# %%
# Momentum adds a share of the last move to each update. The pair in the last line is Polyak's
# (1964). It has the best guarantee of all pairs.
#
# The map
# -------
#
# The colour tells how many updates each pair of rate and momentum needs. The hatched part
# diverges. With momentum the limit of the rate is larger.

display = ConvergenceMapDisplay.from_report(report)
display.ax_.set_title("Updates needed by each pair")

# %%
# Why it helps
# ------------
#
# The loss falls along some directions fast and along others slowly. A direction is a combination
# of columns, and its curvature λ says how steep it is. The steepest direction limits the rate.
# The flattest one is the last to arrive.

display = SpectrumDisplay.from_report(report, learning_rate=0.1)
display.ax_.set_title("Without momentum, at the rate 0.1")
for name, curvature in zip(report.directions, report.curvatures, strict=True):
    print(f"{curvature:7.3f}  {name}")

# %%
# Curb weight and engine size grow together. Their sum is steep, and their difference is flat. An
# update without momentum removes only a small share of the flat direction. With momentum the
# moves along it add up, since they all point the same way. Along the steep direction they change
# sign, and cancel.
#
# In the long run each update leaves this share of the distance to the minimum. It follows from
# the condition number, the largest curvature divided by the smallest:

condition = report.condition_number
root = condition**0.5
print(f"condition number {condition:.2f}")
print(f"share left without momentum {(condition - 1) / (condition + 1):.3f}")
print(f"share left with momentum    {(root - 1) / (root + 1):.3f}")

# %%
# The two descents
# ----------------

models = [
    GDLinearRegressor(learning_rate=best, max_iter=200, tol=None).fit(X, y),
    GDLinearRegressor(learning_rate=rate, momentum=momentum, max_iter=200, tol=None).fit(X, y),
]
display = LossCurveDisplay.from_estimators(
    models, names=["without momentum", "with momentum"], above_minimum=True
)
display.ax_.set_title("Loss above the minimum")

# %%
# With momentum the loss need not fall at each update. But it arrives sooner.
#
# Next: :ref:`sphx_glr_auto_gallery_plot_12_too_large.py`
