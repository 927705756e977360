"""
Five points, 1,000 epochs
=========================

Train on five points for 1,000 epochs, watch the loss fall, and predict the value at 6.
"""

import numpy as np

from gd_regressor import FitDisplay, GDLinearRegressor

X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])

# %%
# Train
# -----
#
# An epoch is one pass over all rows. Here each epoch makes one update, so ``max_iter`` is the
# number of epochs. ``verbose=100`` prints the loss of every hundredth. On a terminal a descent of
# more than two seconds would show a progress bar too, if rich is installed; this one takes a
# millisecond.

model = GDLinearRegressor(learning_rate=0.01, max_iter=1000, tol=None, verbose=100)
model.fit(X, y)
print(f"w {model.coef_[0]:.3f}, b {model.intercept_:.3f}")

# %%
# Predict
# -------

print(f"prediction for 6: {model.predict([[6.0]])[0]:.3f}")

# %%
# A loop in plain NumPy comes to the same numbers:

w, b = 0.0, 0.0
for _ in range(1000):
    error = w * X[:, 0] + b - y
    w, b = w - 0.01 * 2 * np.mean(error * X[:, 0]), b - 0.01 * 2 * np.mean(error)
print(f"w {w:.3f}, b {b:.3f}, prediction for 6: {w * 6 + b:.3f}")

# %%
# Is that the end?
# ----------------
#
# Not quite. After 1,000 epochs the loss is near its minimum, but the line still moves. Without a
# learning rate the estimator goes to the end:

exact = GDLinearRegressor().fit(X, y)
print(f"loss {model.loss_curve_[-1]:.4f}, the minimum is {exact.loss_curve_[-1]:.4f}")
print(f"w {exact.coef_[0]:.3f}, b {exact.intercept_:.3f}")
print(f"prediction for 6: {exact.predict([[6.0]])[0]:.3f}")

# %%
# The line after some numbers of epochs:

display = FitDisplay.from_data(
    X,
    y,
    learning_rate=0.01,
    n_iter=[0, 1, 3, 10, 100, 1000],
    feature_names=["x"],
    scatter_kwargs={"s": 60, "color": "black", "alpha": 1},
)
display.ax_.set_title("Five points, 1,000 epochs")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_06_half_loss.py`
