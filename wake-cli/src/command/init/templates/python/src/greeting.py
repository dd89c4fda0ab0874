"""What to say to whom it may concern."""


def greeting():
    return "Hello from NAME."
