"""The least F under Huber's loss, and under a quantile's. It knows no plan."""
