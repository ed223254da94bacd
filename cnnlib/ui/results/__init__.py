"""The Results, Compare and Experiments pages."""
