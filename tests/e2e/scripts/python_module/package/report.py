"""Writes a summary."""


def write(path, values):
    with open(path, 'w') as file:
        for keyword, value in values.items():
            print(keyword, value, file=file)
