"""The server: one process that any OpenTelemetry program can send to and any person or tool can ask."""
