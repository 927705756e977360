"""
A line that moves over a scatter
================================

Choose where the line starts, make 10,000 updates, and watch it move into the cloud of points.
"""

from pathlib import Path

import pandas as pd

from gd_regressor import DescentExplorer, FitDisplay, GDLinearRegressor

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))

# %%
# We predict the price, in thousands of dollars, from the horsepower, in hundreds.

X = cars[["horsepower"]] / 100
y = cars["price"] / 1000

# %%
# Choose a start
# --------------
#
# A bad line on purpose: it falls where prices rise. ``fit`` takes the start as ``coef_init`` and
# ``intercept_init``. With ``max_iter=0`` it makes no update, so it tells the loss before the
# first one.

start = {"coef_init": [-10.0], "intercept_init": 40.0}
before = GDLinearRegressor(learning_rate=0.01, max_iter=0).fit(X, y, **start)
print(f"before: price = {before.coef_[0]:.2f} * horsepower + {before.intercept_:.2f}")
print(f"        loss {before.loss_curve_[0]:.2f}")

# %%
# Make 10,000 updates
# -------------------

after = GDLinearRegressor(learning_rate=0.01, max_iter=10_000, tol=None).fit(X, y, **start)
print(f"after:  price = {after.coef_[0]:.2f} * horsepower + ({after.intercept_:.2f})")
print(f"        loss {after.loss_curve_[-1]:.2f}, the minimum is {after.minimum_loss_:.2f}")

# %%
# Before, after, and on the way
# -----------------------------
#
# The first hundred updates move the line to the middle of the points. The other thousands turn
# it.

descent = {"learning_rate": 0.01, **start}
display = FitDisplay.from_data(X, y, n_iter=[0, 10, 100, 300, 1000, 10_000], **descent)
display.ax_.set_title("Horsepower in hundreds, price in thousands of dollars")

# %%
# ``kind="residuals"`` draws what the line leaves of each price. We look at the last line alone:

display = FitDisplay.from_data(X, y, n_iter=[10_000], kind="residuals", **descent)
display.ax_.set_title("What is left after 10,000 updates")

# %%
# Play it
# -------
#
# In the explorer press *Play*, or move the slider of the updates. The last picture shows the
# line.

explorer = DescentExplorer(
    X,
    y,
    learning_rate=0.01,
    n_iter=100,
    columns="raw",
    title="A line that moves over a scatter",
    coef_init=[-10.0],
    intercept_init=40.0,
)
explorer

# %%
# To make a film of it as a file, use ``animate``. It takes some seconds:
#
# .. code-block:: python
#
#    display = FitDisplay.from_data(X, y, n_iter=range(0, 1001, 10), **descent)
#    film = display.animate(seconds=5, fps=10)
#    film.save("line.gif")
#
# Next: :ref:`sphx_glr_auto_gallery_plot_05_five_points.py`
