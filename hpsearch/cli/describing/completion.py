"""``hpsearch completion``: a script for bash, zsh or fish that completes the words of hpsearch.

The scripts are ours, made from the parsers: they know search folders and the names of runs, which those of libraries do
not, and start no Python while somebody types.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from hpsearch.cli.describing.verbs import ABOUT, parsers_of_verbs
from hpsearch.cli.describing.words import FILES, FOLDERS, OTHER, RUNS, SEARCHES, Value, Words, value_options, words_of

POSTPROCESS = 'postprocess'
"""Stands for the command ``hpsearch-postprocess`` among the verbs."""

_FIND = "find . -maxdepth 5 -name search.json -not -path '*/.*' 2>/dev/null"
"""The search folders that hpsearch finds where none is named, by their files."""

_BASH = r"""# Completion of hpsearch for bash: source <(hpsearch completion bash)

_hpsearch_searches() {{
    {find} | sed 's|/search.json$||; s|^\./||'
}}

_hpsearch_runs() {{
    local folder="${{1/#\~/$HOME}}"
    folder="${{folder//[\\\"\']/}}"
    if [ ! -e "$folder/search.json" ]; then
        folder="$({find} -exec ls -t {{}} + | head -n 1)"
        folder="${{folder%/search.json}}"
    fi
    ls "$folder/jobs" 2>/dev/null
}}

_hpsearch_values() {{
    case "$1" in
{values}
        *) return 1 ;;
    esac
}}

_hpsearch_options() {{
    case "$1" in
{options}
    esac
}}

_hpsearch_places() {{
    case "$1:$2" in
{places}
    esac
}}

_hpsearch_offer() {{
    local kind
    for kind in $1; do
        case "$kind" in
            :searches) _hpsearch_searches ;;
            :runs) _hpsearch_runs "$2" ;;
            :files) compgen -f -- "$3" ;;
            :folders) compgen -d -- "$3" ;;
            :*) ;;
            *) printf '%s\n' "$kind" ;;
        esac
    done
}}

_hpsearch() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb='' head='' folder='.'
    local word last='' place=0 i offered
    COMPREPLY=()
    case "${{COMP_WORDS[0]}}" in *-postprocess) verb={postprocess} ;; esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        [ "$word" = -- ] && return
        if [ "$word" != = ] && [ "$last" != = ] && ! _hpsearch_values "$last" >/dev/null; then
            case "$word" in
                -*) ;;
                *) if [ -z "$verb" ]; then verb="$word"; else place=$((place + 1)); folder="$word"; fi ;;
            esac
        fi
        last="$word"
    done
    if [ "$cur" = = ]; then cur=''; elif [ "$before" = = ]; then before="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
    case "$cur" in --*=*) before="${{cur%%=*}}"; head="$before="; cur="${{cur#*=}}" ;; esac
    if offered="$(_hpsearch_values "$before")"; then :
    elif [ "${{cur#-}}" != "$cur" ]; then offered="$(_hpsearch_options "${{verb:-run}}")"
    elif [ -z "$verb" ]; then offered='{verbs}'
    else offered="$(_hpsearch_places "$verb" "$place")"
    fi
    case "$offered" in *:searches* | *:files* | *:folders*) compopt -o filenames 2>/dev/null ;; esac
    while IFS= read -r word; do
        case "$word" in "$cur"*) COMPREPLY+=("$head$word") ;; esac
    done <<< "$(_hpsearch_offer "$offered" "$folder" "$cur" | sort -u)"
    [ "${{#COMPREPLY[@]}}" = 1 ] && [ -z "${{COMPREPLY[0]}}" ] && COMPREPLY=()
    return 0
}}

complete -o default -F _hpsearch hpsearch
complete -o default -F _hpsearch hpsearch-postprocess
"""

_ZSH = """#compdef hpsearch hpsearch-postprocess
# Completion of hpsearch for zsh: source <(hpsearch completion zsh), after compinit
autoload -Uz +X bashcompinit && bashcompinit
"""

_FISH = r"""# Completion of hpsearch for fish: hpsearch completion fish | source

function __hpsearch_searches
    {find} | sed 's|/search.json$||; s|^\./||'
end

function __hpsearch_runs
    for word in (commandline -opc)
        set word (string replace -r '^~' $HOME -- $word)
        test -e "$word/search.json"; and set folder $word
    end
    if not set -q folder
        set folder (string replace -r '/search.json$' '' ({find} -exec ls -t {{}} +))[1]
    end
    ls "$folder/jobs" 2>/dev/null
end

{lines}
"""


def completion_script(shell: str, postprocess: argparse.ArgumentParser) -> str:
    """The script for a shell; ``postprocess`` is the parser of ``hpsearch-postprocess``."""
    words = {verb: words_of(parser) for verb, parser in parsers_of_verbs().items()}
    words[POSTPROCESS] = words_of(postprocess)
    if shell == 'fish':
        return _FISH.format(find=_FIND, lines='\n'.join(_fish_lines(words)))
    return (_ZSH if shell == 'zsh' else '') + _bash(words)


def _bash(words: Mapping[str, Words]) -> str:
    values = [f'{name}) echo {_quoted(_offer(value))} ;;' for name, value in value_options(words).items()]
    options = [
        f'{verb}) echo {_quoted(" ".join(name for option in each.options for name in option.names))} ;;'
        for verb, each in words.items()
    ]
    places = [
        f'{verb}:{at}) echo {_quoted(" ".join(map(_offer, place)))} ;;'
        for verb, each in words.items()
        for at, place in enumerate(each.places)
    ]
    filled = {name: '\n'.join(f'        {line}' for line in lines) for name, lines in
              (('values', values), ('options', options), ('places', places))}  # fmt: skip
    verbs = ' '.join(verb for verb in words if verb != POSTPROCESS)
    return _BASH.format(find=_FIND, verbs=verbs, postprocess=POSTPROCESS, **filled)


def _offer(value: Value) -> str:
    return ' '.join(value.choices) if value.choices else f':{value.kind}'


def _fish_lines(words: Mapping[str, Words]) -> Iterator[str]:
    about = {called.split()[0]: does for verbs in ABOUT.values() for called, does in verbs.items()}
    for verb, each in words.items():
        command, when = 'hpsearch', f' -n "__fish_seen_subcommand_from {verb}"'
        if verb == POSTPROCESS:
            command, when = 'hpsearch-postprocess', ''
        else:
            yield f'complete -c hpsearch -n __fish_use_subcommand -a {verb} -d {_quoted(about[verb])}'
        for option in each.options:
            names = ' '.join(f'-l {name[2:]}' if name.startswith('--') else f'-s {name[1:]}' for name in option.names)
            yield f'complete -c {command}{when} {names}{_fish_value(option.value)} -d {_quoted(option.about)}'
        for value in {value: None for place in each.places for value in place}:
            if offered := _fish_words(value):
                yield f'complete -c {command}{when} -f -a {offered}'


def _fish_value(value: Value | None) -> str:
    if value is None:
        return ''
    if offered := _fish_words(value):
        return f' -x -a {offered}'
    return ' -r' if value.kind in (FILES, FOLDERS) else ' -x'


def _fish_words(value: Value) -> str:
    """What fish offers for a value; empty: its files, or nothing."""
    if value.choices:
        return _quoted(' '.join(value.choices))
    return {SEARCHES: '"(__hpsearch_searches)"', RUNS: '"(__hpsearch_runs)"', OTHER: ''}.get(value.kind, '')


def _quoted(text: str) -> str:
    """A text as a word of any of the shells; apostrophes become typographic ones."""
    return "'" + text.replace("'", '’').replace('\\', '/') + "'"
