"""The parser of ``hpsearch completion``."""

from __future__ import annotations

from hpsearch.cli.parsers.parser import Parser

SHELLS = ('bash', 'zsh', 'fish')


def completion_parser() -> Parser:
    """The parser of ``hpsearch completion``."""
    parser = Parser(
        prog='hpsearch completion',
        description='Print a script that completes commands, options and their values, search folders and runs.',
        epilog='examples:\n'
        '  source <(hpsearch completion bash)       in ~/.bashrc\n'
        '  source <(hpsearch completion zsh)        in ~/.zshrc, after compinit\n'
        '  hpsearch completion fish | source        in ~/.config/fish/config.fish',
    )
    parser.add_argument('shell', metavar='SHELL', choices=SHELLS, help=f'for which shell: {", ".join(SHELLS)}')
    return parser
