"""A model on another server, spoken to over the Open Inference Protocol (KServe v2)."""
