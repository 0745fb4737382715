"""How an instance is: measured, judged, and said in a sentence with what to do; the same for doctor and for metrics."""
