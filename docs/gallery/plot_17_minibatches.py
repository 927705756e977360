"""
The noise of mini-batches, and its mean
=======================================

An update after a few rows is quick and noisy. See how much noise each size of a batch leaves, and
take it away by averaging.
"""

import matplotlib.pyplot as plt
import numpy as np

from gd_regressor import GDLinearRegressor

random = np.random.default_rng(0)
X = random.standard_normal((5_000, 5))
y = X @ [1.0, 2.0, 3.0, 4.0, 5.0] + random.standard_normal(5_000)
minimum = GDLinearRegressor().fit(X, y).loss_curve_[-1]

# %%
# Three sizes of a batch
# ----------------------
#
# Thirty epochs each, with the same rate. An epoch with batches of 8 rows makes 625 updates, and one
# with all rows makes one update:


def excess(**options):
    """How far the loss is above its minimum after each epoch, as a share of the variance of y."""
    model = GDLinearRegressor(0.02, 30, None, random_state=0, **options).fit(X, y)
    return (model.loss_curve_ - minimum) / y.var()


sizes = {"8 rows": 8, "64 rows": 64, "all rows": None}
plain = {name: excess(batch_size=size) for name, size in sizes.items()}
for name, curve in plain.items():
    print(f"{name}: {curve[1]:.0e} after one epoch, {curve[-1]:.0e} after thirty")

# %%
# The mean of the updates
# -----------------------
#
# With ``average=2`` the coefficients are the mean over all updates since the second epoch. The
# updates go on as before:

averaged = {name: excess(batch_size=sizes[name], average=2) for name in ("8 rows", "64 rows")}
for name, curve in averaged.items():
    less = plain[name][-1] / curve[-1]
    print(f"{name}, averaged: {curve[-1]:.0e} after thirty, {less:,.0f} times less")

# %%
# The picture
# -----------
#
# Without averaging the loss falls to a floor of noise, and the smaller the batch, the higher
# the floor. A descent on all rows has no floor, but it makes one update where the others make
# hundreds. The mean goes below the floor of its own updates.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (name, curve), colour in zip(plain.items(), ("#D55E00", "#0072B2", "black"), strict=True):
    ax.plot(curve, "--" if name in averaged else ":", color=colour, lw=1.5, label=name)
    if name in averaged:
        ax.plot(averaged[name], color=colour, lw=2, label=f"{name}, averaged")
ax.set(xlabel="epochs", ylabel="loss above its minimum\nin variances of y", yscale="log")
ax.set_title("Noise leaves a floor, and the mean goes below it")
ax.spines[["top", "right"]].set_visible(False)
ax.grid(axis="y", alpha=0.12, color="black")
figure.legend(loc="outside lower center", ncols=3, frameon=False)

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_18_schedules.py`
