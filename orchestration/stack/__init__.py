"""The stack of docker-compose.yml: what its one-shot services check, prepare and initialise."""
