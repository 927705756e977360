"""
The loss surface, raw and standardised
======================================

See why standardising helps: draw the loss over the coefficients, and the path of the descent on
it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.preprocessing import StandardScaler

from gd_regressor import LossSurfaceDisplay, learning_rate_report

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
y = cars["price"] / 1000
raw = cars.drop(columns="price")
standardised = StandardScaler().set_output(transform="pandas").fit_transform(raw)

# %%
# One feature
# -----------
#
# The loss of a line depends on its coefficient and its intercept. We draw it for the engine size
# as it is, and standardised. Each descent makes 30 updates, at four tenths of the largest stable
# rate.

fig, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained")
for ax, name, X in zip(axes, ("raw", "standardised"), (raw, standardised), strict=True):
    report = learning_rate_report(X[["engine_size"]], y)
    rate = 0.4 * report.limit()
    LossSurfaceDisplay.from_report(report, learning_rate=rate, n_iter=30, ax=ax)
    ax.set_title(f"{name}, rate {rate:.3g}")
    print(f"{name:<12}  condition number {report.condition_number:,.1f}")
    print(f"{'':<12}  updates needed   {report.needs(rate):,}")

# %%
# On the left the surface is a narrow valley. The descent falls to its bottom at once. Then it
# stands still, because the valley hardly slopes towards the minimum. Each update must be small,
# or the descent would leap from wall to wall. On the right the valley is round, so each step goes
# straight to the minimum.
#
# Two features that go together
# -----------------------------
#
# Standardising does not make each valley round. Engine size and curb weight grow together from
# car to car, so one can stand in for the other. The valley is then long in one direction.

print(f"correlation {cars['engine_size'].corr(cars['curb_weight']):.3f}")
report = learning_rate_report(standardised[["engine_size", "curb_weight"]], y)
display = LossSurfaceDisplay.from_report(
    report, learning_rate=0.1, n_iter=60, features=("engine_size", "curb_weight"), equal=True
)
display.ax_.set_title("60 updates at the rate 0.1")
print(f"condition number {report.condition_number:.1f}")
print(f"updates needed   {report.needs(0.1)}")

# %%
# The path turns. It first takes the steep way to the bottom of the valley, and then follows the
# bottom.
#
# Next: :ref:`sphx_glr_auto_gallery_plot_08_grid_search.py`
