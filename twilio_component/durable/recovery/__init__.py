"""What processes do for runs whose process is gone."""
