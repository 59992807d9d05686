"""The sample channel: a few minutes of synthetic speech with its exact script, and tiny models for that voice."""
