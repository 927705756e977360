"""
Stop early, or shrink
=====================

Your model fits its rows well and predicts new ones badly. A penalty on the coefficients helps.
Stopping the descent early helps, too. Compare both by cross-validation.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from gd_regressor import CVSurfaceDisplay, GDLinearRegressorCV, learning_rate_report

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
X, y = cars.drop(columns="price"), cars["price"] - cars["price"].mean()

# %%
# Too many columns
# ----------------
#
# All products of up to three of the five columns make 55 columns, for 159 cars. We count prices
# from their mean, or a descent that begins at zero would have to learn the mean first.

columns = make_pipeline(
    StandardScaler(), PolynomialFeatures(3, include_bias=False), StandardScaler()
)
Z = columns.fit_transform(X)
print(Z.shape)

# %%
# Ten folds hold out 16 cars each. The score is the root of the mean squared error, in dollars.
# (We scale all cars at once, so a fold knows the means and deviations of its held-out cars. This
# is the same for all models here.)

options = {
    "cv": KFold(10, shuffle=True, random_state=0),
    "scoring": "neg_root_mean_squared_error",
}
plain = GDLinearRegressorCV(**options).fit(Z, y)
print(f"least squares: {-plain.best_score_:,.0f} dollars")

# %%
# Three cures
# -----------
#
# *Ridge* shrinks all coefficients. *Lasso* makes most of them zero. *Early stopping* makes a
# number of updates at half of the largest stable rate, and no more. ``tol=None`` says that nothing
# else ends a descent.

alphas = np.geomspace(1e-4, 10, 40)
ridge = GDLinearRegressorCV(alphas=alphas, l1_ratios=[0.0], **options).fit(Z, y)

lasso = GDLinearRegressorCV(alphas=40, l1_ratios=[1.0], **options).fit(Z, y)

rate = 0.5 * learning_rate_report(Z, y).limit()
counts = np.unique(np.geomspace(1, 300_000, 40).astype(int))
early = GDLinearRegressorCV([rate], counts, tol=None, **options).fit(Z, y)

chosen = {
    "ridge": f"alpha {ridge.alpha_:.3f}",
    "lasso": f"alpha {lasso.alpha_:.3g}",
    "early": f"{early.max_iter_} updates",
}
for name, model in {"ridge": ridge, "lasso": lasso, "early": early}.items():
    used = np.count_nonzero(model.coef_)
    print(f"{name}: {-model.best_score_:,.0f} dollars, {chosen[name]}, {used} columns")

# %%
# Each of them predicts new cars far better than least squares does. Lasso does it with few columns.
#
# One strength for both
# ---------------------
#
# A descent from zero first learns what many columns say together, and learns the rest slowly. A
# ridge shrinks just this rest. After ``k`` updates at the rate ``eta`` a descent has shrunk about
# as much as a ridge with ``alpha = 1 / (2 eta k)``. So we can draw both over one axis:

strength = 1 / (2 * rate * counts)
fig, ax = plt.subplots(figsize=(6.8, 4), layout="constrained")
for name, x, model, style in (
    ("ridge", alphas, ridge, "-"),
    ("early stopping", strength, early, "--"),
):
    errors = -model.scores_.mean(axis=-1).ravel()
    (line,) = ax.plot(x, errors, style, label=name)
    best = errors.argmin()
    ax.plot(x[best], errors[best], "o", color=line.get_color())
ax.set(xscale="log", ylim=(1500, 4500), xlim=(alphas[0], alphas[-1]))
ax.set(xlabel="alpha, or 1 / (2 rate updates)", ylabel="held-out error (dollars)")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
ax.set_title("Held-out error of ridge and of early stopping")
print(f"ridge {ridge.alpha_:.3f}, early stopping {1 / (2 * rate * early.max_iter_):.3f}")

# %%
# Far to the right little is learnt, and far to the left the noise is learnt, too. A dot marks the
# best of each.
#
# Both at once
# ------------
#
# One more search has all pairs of a number of updates and an alpha, at the same rate. It reads the
# data once, too:

both = GDLinearRegressorCV([rate], counts, alphas, [0.0], tol=None, **options).fit(Z, y)
display = CVSurfaceDisplay.from_estimator(both, negate_score=True)
display.ax_.set_title("Held-out error at each alpha and number of updates")
print(f"both: {-both.best_score_:,.0f} dollars")

# %%
# Read the map from the lower right, where many updates meet a small alpha: there the model has
# learnt the noise. Go up to a larger alpha, or go left to fewer updates: either way leads to a good
# model. You need only one of the two.
#
# Next, rows are held out once, without a search:
# :ref:`sphx_glr_auto_gallery_plot_14_early_stopping.py`
