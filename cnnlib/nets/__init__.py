"""Networks in torch, built from plans."""
