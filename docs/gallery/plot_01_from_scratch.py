"""
One feature from scratch
========================

Fit a line to one feature by gradient descent: first by hand with NumPy, then in one call. We
predict the price of a car from the size of its engine.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    FitDisplay,
    GDLinearRegressor,
    LossCurveDisplay,
    check_gradient,
    original_units,
    squared_loss,
    squared_loss_gradient,
)

# %%
# The data
# --------
#
# The table has 159 cars of the model year 1985.

# sphinx_gallery_thumbnail_number = 2
places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
engine_size, price = cars["engine_size"].to_numpy(), cars["price"].to_numpy()
cars[["engine_size", "price"]].describe().round(1)

# %%
# Engine sizes are about 100 and prices about 10,000. We standardise both: subtract the mean, then
# divide by the standard deviation. NumPy's ``std`` divides by n, as ``StandardScaler`` does. (The
# ``std`` of pandas divides by n - 1. If you use it, your losses differ from these in the third
# digit.)

x = (engine_size - engine_size.mean()) / engine_size.std()
y = (price - price.mean()) / price.std()

# %%
# The cost and its gradient
# -------------------------
#
# The cost is the mean squared error of the line ``w x + b``. Its gradient has one entry for the
# weight w and one for the bias b.


def cost(w, b):
    return np.mean((w * x + b - y) ** 2)


def gradient(w, b):
    error = w * x + b - y
    return 2 * np.mean(error * x), 2 * np.mean(error)


w, b = 0.0, 0.0
dw, db = gradient(w, b)
print(f"cost {cost(w, b):.4f}, dw {dw:.4f}, db {abs(db):.4f}")

# %%
# The cost at zero is the variance of y, so it is 1. ``squared_loss`` and
# ``squared_loss_gradient`` compute the same for any number of columns. ``check_gradient``
# compares a gradient with finite differences. Its error is rounding only, so the gradient is
# right.

X = x[:, np.newaxis]
print(f"cost {squared_loss(X, y, [w], b):.4f}")
print(f"dw {squared_loss_gradient(X, y, [w], b)[0][0]:.4f}")
print("right:", check_gradient(X, y, [w], b, gradient=([dw], db)) < 1e-12)

# %%
# One step by hand
# ----------------
#
# A step goes against the gradient. The learning rate says how far.

rate = 0.1
w, b = w - rate * dw, b - rate * db
print(f"w {w:.4f}, cost {cost(w, b):.4f}")

# %%
# One step has lowered the cost by a quarter.
#
# Sixty steps
# -----------

w, b = 0.0, 0.0
history = [cost(w, b)]
for _ in range(60):
    dw, db = gradient(w, b)
    w, b = w - rate * dw, b - rate * db
    history.append(cost(w, b))
print(f"w {w:.4f}, cost {history[-1]:.4f}")

# %%
# The estimator makes the same steps in one call. Its ``loss_curve_`` is the history, from the
# cost before the first step to the cost after the last. ``tol=None`` asks for all sixty steps.

model = GDLinearRegressor(learning_rate=0.1, max_iter=60, tol=None).fit(X, y)
print(f"w {model.coef_[0]:.4f}, cost {model.loss_curve_[-1]:.4f}")
print("same history:", np.allclose(model.loss_curve_, history, rtol=1e-12))

# %%
# The loss curve
# --------------
#
# The cost falls fast at first. After some twenty steps it has nearly reached its minimum.

LossCurveDisplay.from_estimator(model, log_scale=False).ax_.set_title("Sixty steps")

# %%
# Back to original units
# ----------------------
#
# The weight is in standard deviations. To get dollars for each cubic inch, undo both scalings:

slope = w * price.std() / engine_size.std()
intercept = price.mean() + b * price.std() - slope * engine_size.mean()
print(f"price = {slope:.2f} * engine_size + ({intercept:,.0f})")

# %%
# ``original_units`` does that for a pipeline:

target_scaler = StandardScaler().fit(cars[["price"]])
pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(0.1, 60, tol=None))
pipeline.fit(cars[["engine_size"]], y)
coef, intercept = original_units(pipeline, target_scaler=target_scaler)
print(f"price = {coef[0]:.2f} * engine_size + ({intercept:,.0f})")

# %%
# The same by LinearRegression
# ----------------------------
#
# ``LinearRegression`` solves for the minimum directly. Sixty steps have come to the same line.

direct = LinearRegression().fit(cars[["engine_size"]], price)
print(f"price = {direct.coef_[0]:.2f} * engine_size + ({direct.intercept_:,.0f})")

# %%
# This is how the line moves to it:

display = FitDisplay.from_data(
    cars[["engine_size"]].transform(lambda column: (column - column.mean()) / column.std(ddof=0)),
    pd.Series(y, name="price"),
    learning_rate=0.1,
    n_iter=[0, 1, 3, 10, 60],
)
display.ax_.set_title("The line after 0 to 60 steps, both axes standardised")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_02_three_rates.py`
