"""Does the model agree? Margins, comparison, verdict."""
