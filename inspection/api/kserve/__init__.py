"""The loaded model for clients of the Open Inference Protocol (KServe v2)."""
