#!/bin/sh
# Tell a phone by ntfy (https://ntfy.sh, or a server of your own): hpsearch run ... --on_finish ntfy.sh --on_failure ntfy.sh
#
# The address of the topic, such as https://ntfy.sh/a-name-that-nobody-guesses, is read from HPSEARCH_NTFY or from the
# file ~/.config/hpsearch/ntfy; whoever knows it can read along. A token, if the server wants one, is read from
# HPSEARCH_NTFY_TOKEN. Neither is a word of a command, which every user of the machine could see: curl reads both from
# its standard input.
set -eu
file="${HOME:-/}/.config/hpsearch/ntfy"
topic=${HPSEARCH_NTFY:-}
if [ -z "$topic" ] && [ -r "$file" ]; then topic=$(cat "$file"); fi
[ -n "$topic" ] || { echo "no address: set HPSEARCH_NTFY, or write it into $file (chmod 600)" >&2; exit 2; }

priority=default
case ${HPSEARCH_EVENT:-} in run_failed | failed | crashed) priority=high ;; esac

# The message is one line of the facts; python3 reads JSON, as everywhere where hpsearch runs.
message=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["message"])')

{
    printf 'url = "%s"\n' "$topic"
    if [ -n "${HPSEARCH_NTFY_TOKEN:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$HPSEARCH_NTFY_TOKEN"
    fi
} | curl --silent --show-error --fail --max-time 30 --output /dev/null --config - \
    --header "Title: hpsearch ${HPSEARCH_EVENT:-}" --header "Priority: $priority" --data-raw "$message"
