"""What a Prefect server should know, as data. `prefect.yaml` declares the deployments."""
