"""One module a command: `run(options) -> exit code`. They import engines only when they need one."""
