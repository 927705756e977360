"""
OLS, SGD and GD side by side
============================

Predict the price from five features with three methods, and compare them on the same training and
test rows: ordinary least squares (OLS), stochastic gradient descent (SGD) and gradient descent
(GD).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import GDLinearRegressor, compare_estimators, original_units

places = Path("cars.csv"), Path("../data/cars.csv"), Path("docs/data/cars.csv")
cars = pd.read_csv(next(path for path in places if path.exists()))
X, y = cars.drop(columns="price"), cars["price"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
print(*X.columns, sep=", ")
print(len(X_train), "cars to train,", len(X_test), "to test")

# %%
# The three methods
# -----------------
#
# OLS needs no scaling. The two descents do, so each has a ``StandardScaler`` in front.

estimators = {
    "OLS": LinearRegression(),
    "SGD": make_pipeline(StandardScaler(), SGDRegressor(random_state=0)),
    "GD": make_pipeline(StandardScaler(), GDLinearRegressor(0.1, max_iter=1000, tol=None)),
}

# %%
# One call measures them. R² is the mean of five folds of the training rows, with its standard
# deviation. The loss is the mean squared error.

compare_estimators(X_train, y_train, estimators=estimators, X_test=X_test, y_test=y_test)

# %%
# GD has the training loss of OLS: both found the minimum. SGD takes one row at a time, with a
# rate that falls, and stops near the minimum.
#
# The metrics
# -----------
#
# The usual metrics on training and test rows, in dollars where they have a unit:


def metrics(model, X, y):
    predicted = model.predict(X)
    mse = mean_squared_error(y, predicted)
    mae = mean_absolute_error(y, predicted)
    return {"R²": r2_score(y, predicted), "MSE": mse, "RMSE": np.sqrt(mse), "MAE": mae}


fitted = {name: model.fit(X_train, y_train) for name, model in estimators.items()}
rows = {"train": (X_train, y_train), "test": (X_test, y_test)}
table = pd.DataFrame(
    {(name, part): metrics(fitted[name], *rows[part]) for name in fitted for part in rows}
).T
table.style.format({"R²": "{:.4f}", "MSE": "{:,.0f}", "RMSE": "{:,.0f}", "MAE": "{:,.0f}"})

# %%
# The coefficients
# ----------------
#
# ``original_units`` gives the coefficients of the descent in dollars for each unit of a column.
# They are those of OLS.

coef, intercept = original_units(fitted["GD"])
coefs = pd.DataFrame({"OLS": fitted["OLS"].coef_, "GD": coef}, index=X.columns)
coefs.loc["intercept"] = fitted["OLS"].intercept_, intercept
coefs.round(2)

# %%
# Predicted against predicted
# ---------------------------
#
# If two methods agree, the points lie on the diagonal.

predicted = {name: model.predict(X_test) for name, model in fitted.items()}
fig, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained", sharey=True)
for ax, name in zip(axes, ("GD", "SGD"), strict=True):
    ax.axline((10_000, 10_000), slope=1, color="0.6", linewidth=1)
    ax.scatter(predicted["OLS"], predicted[name], s=20, alpha=0.7)
    ax.set(xlabel="price predicted by OLS", ylabel=f"price predicted by {name}", aspect="equal")
    ax.set(xticks=[5000, 10_000, 15_000, 20_000])
fig.suptitle("Predictions for the 32 test cars")
for name in ("GD", "SGD"):
    largest = np.abs(predicted[name] - predicted["OLS"]).max()
    print(f"{name} and OLS differ by at most {largest:,.2f} dollars")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_04_moving_line.py`
