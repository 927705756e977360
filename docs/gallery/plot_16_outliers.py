"""
Outliers: squares, Huber and quantiles
======================================

Some prices in your table are wrong by a factor of ten. Least squares bends towards them. Huber's
loss and the median do not.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gd_regressor import GDLinearRegressor, Quantile

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
x, price = cars[["engine_size"]].to_numpy(float), cars["price"].to_numpy() / 1000

# %%
# Eight slips of the pen
# ----------------------
#
# We know the true prices, so we can spoil some. Eight cars with small engines get a zero too many:

wrong = np.argsort(x[:, 0], kind="stable")[20:60:5]
spoilt = price.copy()
spoilt[wrong] *= 10
print(len(wrong), "of", len(price), "prices are wrong")

# %%
# Four fits
# ---------
#
# A loss is a word, or an object with parameters. ``learning_rate`` stays "auto":

fits = {
    "squares, true prices": GDLinearRegressor().fit(x, price),
    "squares": GDLinearRegressor().fit(x, spoilt),
    "Huber": GDLinearRegressor(loss="huber").fit(x, spoilt),
    "median": GDLinearRegressor(loss="quantile").fit(x, spoilt),
}
for name, model in fits.items():
    error = np.mean(np.abs(price - model.predict(x)))
    print(f"{name}: slope {model.coef_[0]:.3f}, true prices are {error:.2f} away")

# %%
# Huber's loss finds the scale of the errors by itself, and tells which rows it took for outliers.
# These are all cars whose price is more than 1.35 scales away from the line, not the wrong ones
# alone. Each of them pulls only as hard as a car at 1.35 scales:

huber = fits["Huber"]
print(f"scale {huber.scale_:.2f}, {np.count_nonzero(huber.outliers_)} outliers")
print("all wrong prices are among them:", huber.outliers_[wrong].all())

# %%
# The picture
# -----------
#
# The wrong prices are crosses. They have pulled the line of the squares up on their side.

# Okabe and Ito's colours, which all eyes tell apart
blue, green, vermilion = "#0072B2", "#009E73", "#D55E00"
colours = {"squares, true prices": "black", "squares": vermilion, "Huber": blue, "median": green}
dashes = {"squares, true prices": ":", "squares": "--", "Huber": "-", "median": "-."}
kept = np.ones(len(price), dtype=bool)
kept[wrong] = False
ends = np.array([[x.min()], [x.max()]])
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.scatter(x[kept, 0], price[kept], s=14, color="0.6", linewidths=0, label="cars")
ax.scatter(
    x[wrong, 0], spoilt[wrong], s=40, color=vermilion, marker="x", label="ten times the price"
)
for name, model in fits.items():
    ax.plot(ends, model.predict(ends), dashes[name], color=colours[name], lw=2, label=name)
ax.set(xlabel="engine size", ylabel="price in thousands", ylim=(0, None))
ax.set_title("Eight wrong prices turn the line of the squares alone")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(loc="upper right", frameon=False)

# %%
# Other quantiles
# ---------------
#
# The median lies above half of the rows. Nine tenths of the rows lie below the quantile 0.9.
# The true prices spread with the size of the engine, and the quantiles spread with them:

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.scatter(x[:, 0], price, s=14, color="0.6", linewidths=0)
for q, dash in zip((0.1, 0.5, 0.9), ("--", "-", "-."), strict=True):
    model = GDLinearRegressor(loss=Quantile(q)).fit(x, price)
    line = model.predict(ends)
    ax.plot(ends, line, dash, color=blue, lw=2)
    ax.annotate(
        f"{q:g}", (ends[1, 0], line[1]), xytext=(4, 0), textcoords="offset points", va="center"
    )
    left = price - model.predict(x)
    print(f"quantile {q:g}: {np.mean(left < -1e-9):.2f} of the cars are below it")
ax.set(xlabel="engine size", ylabel="price in thousands", ylim=(0, None))
ax.set_title("The quantiles 0.1, 0.5 and 0.9 of the true prices")
ax.spines[["top", "right"]].set_visible(False)

# %%
# :doc:`/losses` says what each loss is, and when to take it.
#
# Next: :ref:`sphx_glr_auto_gallery_plot_17_minibatches.py`
