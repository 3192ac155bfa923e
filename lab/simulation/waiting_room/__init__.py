"""A waiting room before an application: the line, and the places inside."""
