"""learning_rate="auto": choose the loss, the metric and the steps that suit the table."""
