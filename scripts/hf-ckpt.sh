#!/bin/sh
# hf-ckpt: ckpt under the name by which `hf ckpt` runs it. hf looks for no programs on the PATH, only for extensions that
# it has a manifest of (huggingface_hub 2.4, cli/extensions.py): `hf-ckpt --register` writes ours, once for each user.
# A script beside ckpt, for a second copy of the executable would double the wheel.
set -eu
self=$(readlink -f -- "$0")
[ "${1-}" = --register ] || exec "$(dirname -- "$self")/ckpt" "$@"
case $self in
*[\"\\]*)
  echo "error: hf cannot be told of $self: there is a quote or a backslash in its path" >&2
  exit 5
  ;;
esac
folder=${HOME:?}/.local/share/hf/extensions/hf-ckpt
mkdir -p -- "$folder"
cat >"$folder/.manifest.json.$$" <<MANIFEST
{
  "owner": "ckpt",
  "repo": "hf-ckpt",
  "repo_id": "ckpt/hf-ckpt",
  "short_name": "ckpt",
  "executable_path": "$self",
  "type": "binary",
  "installed_at": "$(date -u +%Y-%m-%dT%H:%M:%S)+00:00",
  "description": "A checkpoint manager for experiment directories"
}
MANIFEST
mv -- "$folder/.manifest.json.$$" "$folder/manifest.json"
echo "hf ckpt runs $self"
