"""Whether a picture is good enough to judge a part by: limits, the gate in front of the model, and who is told."""
