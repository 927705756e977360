"""learning_rate="auto": which loss, which metric and which steps suit the table."""
