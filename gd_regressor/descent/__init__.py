"""The algorithm: iterates, steps, stopping rules. It knows neither the data nor the metric."""
