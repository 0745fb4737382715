"""Pictures that people upload: made safe in a process of its own, kept as files under the data directory."""
