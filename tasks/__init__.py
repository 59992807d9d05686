"""The steps as Prefect sees them: a cache key, retries and a limit around one library call each."""
