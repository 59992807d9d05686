"""What the commands do, by subject: functions of their options that return the exit code (`flows.cli.WITHIN`)."""
