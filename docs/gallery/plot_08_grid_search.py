"""
Search for a learning rate
==========================

Let ``GridSearchCV`` choose the learning rate by cross-validation.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import DivergenceWarning, GDLinearRegressor, learning_rate_report

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
X, y = cars.drop(columns="price"), cars["price"]

# %%
# The search
# ----------
#
# The scaler is a step of the pipeline, so each fold is scaled by its own training rows. Each
# descent makes 200 updates. The grid has six rates. The last one is too large, and the estimator
# would warn of it in each fold.

pipeline = Pipeline(
    [("scale", StandardScaler()), ("descent", GDLinearRegressor(max_iter=200, tol=None))]
)
rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
search = GridSearchCV(
    pipeline, {"descent__learning_rate": rates}, cv=KFold(5, shuffle=True, random_state=0)
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DivergenceWarning)
    search.fit(X, y)
print("best rate:", search.best_params_["descent__learning_rate"])
print(f"R²: {search.best_score_:.4f}")

# %%
# What it saw
# -----------

results = pd.DataFrame(search.cv_results_)
columns = ["param_descent__learning_rate", "mean_test_score", "std_test_score"]
shown = results[columns].set_axis(["rate", "mean R²", "deviation"], axis=1)
print(shown.to_string(index=False, float_format="{:.3g}".format))

# %%
# The smallest rates have not arrived after 200 updates. The largest one diverges. Between them R²
# hardly changes. It is best at 0.01, where 200 updates stop a little before the minimum. On
# held-out rows that can be better than the minimum itself: stopping early keeps coefficients
# small.

limit = learning_rate_report(X, y).standardised.limit()
fig, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
kept = results["mean_test_score"] > -2
ax.errorbar(
    results["param_descent__learning_rate"][kept],
    results["mean_test_score"][kept],
    results["std_test_score"][kept],
    marker="o",
    capsize=4,
)
ax.axvspan(limit, 1, color="#d55e00", alpha=0.15)
ax.annotate("diverges", (limit, 0.5), (6, 0), textcoords="offset points", color="#a34700")
ax.set(xscale="log", xlim=(7e-4, 1), ylim=(-1.8, 1.2), xlabel="learning rate", ylabel="held-out R²")
ax.spines[["top", "right"]].set_visible(False)
ax.set_title("Cross-validated R² of 200 updates at each rate")

# %%
# You need not search
# -------------------
#
# The rate says only how to get to the minimum, not where it is. If you want the minimum, the
# report names good rates without a fit, and the automatic mode needs none.

report = learning_rate_report(X, y).standardised
print(f"limit {report.limit():.4f}")
print(f"best guaranteed rate {report.best_learning_rate:.4f}")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_09_unix_seconds.py`
