"""A tool of development: kills, freezes and cuts off parts of a running service, and checks what it kept."""
