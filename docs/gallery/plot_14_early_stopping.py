"""
Early stopping with the best iterate
====================================

You have few rows and many columns, and the fit predicts new rows badly. Hold some rows out, look
at their error after each update, and keep the coefficients of the best one.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from gd_regressor import GDLinearRegressor, gd_path

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
X, y = cars.drop(columns="price"), cars["price"] / 1000

# %%
# Forty cars to learn from, twenty to hold out, and ninety-nine that nobody looks at before the end.
# The columns are the five measurements and all products of two of them:

some, X_new, y_some, y_new = train_test_split(X, y, train_size=60, random_state=3)
train, held, y_train, y_held = train_test_split(some, y_some, train_size=40, random_state=0)
squares = PolynomialFeatures(2, include_bias=False)
prepare = make_pipeline(StandardScaler(), squares, StandardScaler()).fit(train)
Z, Z_held, Z_new = (prepare.transform(rows) for rows in (train, held, X_new))
print(Z.shape)

# %%
# The descent
# -----------
#
# ``early_stopping=True`` ends it when fifty updates in a row were no better for the held-out cars:

model = GDLinearRegressor(0.03, max_iter=10_000, early_stopping=True, n_iter_no_change=50)
model.fit(Z, y_train, X_val=Z_held, y_val=y_held)
print(model.status_.name)
print("best update:", model.n_iter_)
print("updates made:", len(model.validation_curve_) - 1)

# %%
# The coefficients are those of the best update, not of the last one. ``gd_path`` has them, too:

coefs, _, _ = gd_path(Z, y_train, learning_rate=0.03, n_iter=[model.n_iter_])
print("same coefficients:", np.allclose(model.coef_, coefs[:, 0]))

# %%
# The picture
# -----------
#
# The training loss never rises. The error of the held-out cars has a valley. It is wide, so we
# go on to a million updates to see its other side. ``gd_path`` has all of these iterates at once:

updates = np.unique(np.geomspace(1, 1e6, 200).astype(int))
coefs, intercepts, losses = gd_path(Z, y_train, learning_rate=0.03, n_iter=updates)
errors = ((y_held.to_numpy()[:, None] - Z_held @ coefs - intercepts) ** 2).mean(axis=0)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(updates, losses, "--", label="cars to learn from")
axes.plot(updates, errors, label="cars held out")
axes.plot(model.n_iter_, model.validation_curve_.min(), "o", label=f"update {model.n_iter_}")
axes.set(xlabel="updates", ylabel="mean squared error", xscale="log", yscale="log")
axes.set_title("The training loss falls on, the error of held-out cars rises again")
axes.legend()
print(f"held out: {model.validation_curve_.min():.1f} at its best, {errors[-1]:.1f} in the end")

# %%
# New cars
# --------
#
# The ninety-nine other cars judge. Least squares on the same forty cars follows their noise:

least_squares = GDLinearRegressor().fit(Z, y_train)
print(f"R² of new cars, stopped early: {model.score(Z_new, y_new):.2f}")
print(f"R² of new cars, least squares: {least_squares.score(Z_new, y_new):.2f}")

# %%
# Draw again
# ----------
#
# One draw is an anecdote. Here are eight, each with sixty cars of which ``fit`` holds eighteen out
# by itself:


def scores(seed):
    rows, others, target, target_new = train_test_split(X, y, train_size=60, random_state=seed)
    stopped = GDLinearRegressor(
        0.03,
        max_iter=100_000,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=50,
        random_state=0,
    )
    prepared = make_pipeline(StandardScaler(), squares, StandardScaler())
    return [
        make_pipeline(prepared, last).fit(rows, target).score(others, target_new)
        for last in (stopped, GDLinearRegressor())
    ]


table = pd.DataFrame([scores(seed) for seed in range(8)], columns=["stopped", "least squares"])
better = int((table["stopped"] > table["least squares"]).sum())
print(f"stopped early is better in {better} of {len(table)} draws")
table.round(2)

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_15_live_callback.py`
