"""Out-of-distribution detection: how far a picture is from what a network was trained on."""
