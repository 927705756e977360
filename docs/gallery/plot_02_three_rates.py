"""
Three learning rates and the breaking point
===========================================

See in one picture which learning rates are too small, which are good, and where the descent
breaks.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    DivergenceWarning,
    GDLinearRegressor,
    LearningRateDisplay,
    learning_rate_report,
)

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
standardised = StandardScaler().set_output(transform="pandas").fit_transform(cars)
X, y = standardised[["engine_size"]], standardised["price"]

# %%
# Try three rates
# ---------------
#
# Engine size and price are standardised, so the loss before the first update is 1. We make sixty
# updates with each rate.

for rate in (0.01, 0.1, 0.9):
    model = GDLinearRegressor(learning_rate=rate, max_iter=60, tol=None).fit(X, y)
    print(f"rate {rate:<4}  loss {model.loss_curve_[-1]:.4f}  coefficient {model.coef_[0]:.4f}")

# %%
# The rate 0.01 is too small: the loss is still far above its minimum. The rates 0.1 and 0.9 both
# arrive.
#
# Find the breaking point
# -----------------------
#
# You need not try rates to learn where they break. The limit follows from the data: it is 2 / L,
# where L is the largest curvature of the loss. For one standardised feature L is 2, so the limit
# is 1.

report = learning_rate_report(X, y)
print(f"L {report.largest_curvature:.4f}, limit {report.limit():.4f}")

# %%
# A rate beyond the limit makes the loss rise at each update. The estimator warns, and keeps the
# whole curve:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = GDLinearRegressor(learning_rate=1.02, max_iter=60, tol=None).fit(X, y)
print("warned:", issubclass(caught[0].category, DivergenceWarning))
print("losses:", *(f"{loss:.2f}" for loss in model.loss_curve_[[0, 1, 2, 60]]))

# %%
# All in one picture
# ------------------
#
# Above are the losses of the three rates and of one beyond the limit. Below is the number of
# updates that each rate needs. The hatched part begins at the limit.

fig, axes = plt.subplots(2, 1, figsize=(6.4, 7), layout="constrained")
LearningRateDisplay.from_report(report, learning_rates=[0.01, 0.1, 0.9, 1.02], ax=axes)
fig.suptitle("Three learning rates, and one that diverges")

# %%
# The lower curve is lowest at the rate 0.5. One update is enough there. That is special:
# with one standardised feature the loss has the same curvature in each direction. With several
# features the lowest point needs more updates.
#
# Next: :ref:`sphx_glr_auto_gallery_plot_03_side_by_side.py`
