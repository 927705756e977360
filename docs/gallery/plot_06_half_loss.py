"""
A random start and half the loss
================================

Follow a course that halves the cost, starts from random weights, prints the cost every ten
epochs, and stops when the gradient is small.
"""

import numpy as np
from sklearn.datasets import make_regression

from gd_regressor import GDLinearRegressor, LossCurveDisplay

X, y = make_regression(n_samples=100, n_features=5, noise=10.0, random_state=0)

# %%
# The course writes the cost as ``J = 1/(2m) * sum(error**2)`` for m rows. Our loss is ``1/m *
# sum(error**2)``, which is 2 J. So our gradient is twice the course's. To make the same updates,
# halve the course's rate.

alpha = 0.1  # the course's learning rate
model = GDLinearRegressor(
    learning_rate=alpha / 2, max_iter=200, tol=None, init="random", random_state=0, verbose=10
).fit(X, y)

# %%
# The printed losses are twice the costs of the course. The random start is kept, so we can begin
# the course's own loop from it. The loop ends when the norm of its gradient is below 0.001.

m = len(y)
theta, bias = model.coef_init_.copy(), model.intercept_init_
costs, epoch = [], 0
while True:
    error = X @ theta + bias - y
    costs.append(error @ error / (2 * m))
    d_theta, d_bias = X.T @ error / m, error.mean()
    norm = np.sqrt(d_theta @ d_theta + d_bias**2)
    if epoch % 10 == 0:
        print(f"epoch {epoch:>3}  cost {costs[-1]:>12.6f}  gradient {norm:.2e}")
    if norm < 1e-3:
        break
    theta, bias = theta - alpha * d_theta, bias - alpha * d_bias
    epoch += 1
print(f"the gradient is small after {epoch} epochs")

# %%
# Both made the same updates: each loss is twice the cost.

print(np.allclose(model.loss_curve_[: epoch + 1], 2 * np.array(costs), rtol=1e-10))
model.set_params(max_iter=epoch, verbose=0).fit(X, y)
print(np.allclose(model.coef_, theta, rtol=1e-10))

# %%
# The cost curve
# --------------
#
# On a logarithmic axis a curve that goes down to a floor shows little of its end.
# ``above_minimum=True`` draws what is left above the minimum. The straight line at the end says:
# each epoch removes the same share.

display = LossCurveDisplay.from_estimator(model, above_minimum=True)
display.ax_.set_title("100 rows, 5 features, random start")

# %%
# Stop with ``tol``
# -----------------
#
# The estimator's own rule looks at the loss. It stops after the first update that lowers the loss
# by at most ``tol`` times the variance of y.

stopped = GDLinearRegressor(alpha / 2, tol=1e-9, init="random", random_state=0).fit(X, y)
print(f"{stopped.n_iter_} updates, {stopped.status_.name}")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_07_loss_surface.py`
