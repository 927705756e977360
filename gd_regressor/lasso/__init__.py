"""The least F under a penalty with a kink, on sums or on working sets of columns."""
