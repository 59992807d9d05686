"""What a Prefect server should know, as data. `prefect.yaml` declares the deployments."""

from channelscribe.project import collect_less

collect_less()  # before Prefect is imported, which is most of what a server or a worker does at its start
