/** What a shell sources: `source <(ckpt completion bash)`. Each asks `ckpt __complete` (protocol.ts) at a press of Tab. */

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

export function isShell(name: string): name is Shell {
  return shells.some((one) => one === name)
}

/** What sets it up for every shell to come. */
export const completionSetUp: Readonly<Record<Shell, string>> = {
  bash: `echo 'source <(ckpt completion bash)' >> ~/.bashrc`,
  zsh: `echo 'source <(ckpt completion zsh)' >> ~/.zshrc`,
  fish: 'mkdir -p ~/.config/fish/completions; ckpt completion fish > ~/.config/fish/completions/ckpt.fish',
}

/** Before a brace, which would otherwise end the text. */
const dollar = '$'

/**
 * bash breaks words at `=`, `:` and `@`: they are put together again, and of a candidate only the last part is given.
 * What readline quotes and shows by itself are names of files that are typed whole; all else is quoted here, but behind a
 * quote that was opened.
 */
const bash = String.raw`# bash completion for ckpt
_ckpt() {
  local rest=$COMP_LINE previous= current= before= quote= index=0 i word
  local -a words=() answer=() found=()
  for ((i = 0; i < ${dollar}{#COMP_WORDS[@]}; i++)); do
    word=${dollar}{COMP_WORDS[i]}
    if [[ $i -gt 0 && -n $previous && $rest != [[:space:]]* ]]; then
      words[${dollar}{#words[@]}-1]+=$word
    else
      while [[ $rest == [[:space:]]* ]]; do rest=${dollar}{rest#?}; done
      words+=("$word")
    fi
    rest=${dollar}{rest#"$word"}
    previous=$word
    if [[ $i -eq $COMP_CWORD ]]; then
      index=$((${dollar}{#words[@]} - 1))
      current=${dollar}{words[index]}
      before=$current
      if [[ -n $2 || $word != [=:@] ]]; then
        [[ $word != [\"\']* ]] || quote=${dollar}{word:0:1}
        before=${dollar}{current%"$word"}
        current=$before$2
      fi
    fi
  done
  mapfile -t answer < <("${dollar}{COMP_WORDS[0]}" __complete bash $((index - 1)) "$current" "${dollar}{words[@]:1}" 2>/dev/null)
  local directive=${dollar}{answer[0]-none} folder=${dollar}{current%"${dollar}{current##*/}"} one path=$current own= value
  [[ $current != --*=* ]] || path=${dollar}{current#*=}
  case $directive in
    files*) mapfile -t found < <(compgen -f -- "$path" | sort -u) ;;
    folders*) mapfile -t found < <(compgen -d -- "$path" | sort -u) ;;
    commands*) mapfile -t found < <(compgen -c -- "$path" | sort -u) ;;
    *) own=yes ;;
  esac
  if [[ -z $quote && $path != \~* ]]; then
    [[ -z $before && $directive != commands* ]] || own=yes
    for value in "${dollar}{answer[@]:1}"; do
      value=${dollar}{value%%$'\t'*}
      [[ ${dollar}{value#"${dollar}{folder//\\/}"} != */?* ]] || own=yes
    done
  fi
  COMPREPLY=()
  for value in "${dollar}{answer[@]:1}"; do _ckpt_offer "${dollar}{value%%$'\t'*}"; done
  for value in "${dollar}{found[@]}"; do
    for one in "${dollar}{answer[@]:1}"; do [[ -z $own || $one != "$value" ]] || continue 2; done
    [[ -z $own || ! -d $value ]] || value+=/
    _ckpt_offer "${dollar}{current%"$path"}$value"
  done
  [[ -n $own ]] || compopt -o filenames
  if [[ $directive == *open || ( ${dollar}{#COMPREPLY[@]} -eq 1 && ${dollar}{COMPREPLY[0]} == */ ) ]]; then compopt -o nospace; fi
}
_ckpt_offer() {
  local offered=${dollar}{1#"$before"}
  if [[ -n $own && -z $quote && $offered == *[!A-Za-z0-9_%+,./:=@-]* ]]; then printf -v offered %q "$offered"; fi
  COMPREPLY+=("$offered")
}
complete -o nosort -F _ckpt ckpt 2>/dev/null || complete -F _ckpt ckpt
`

const zsh = String.raw`#compdef ckpt
# zsh completion for ckpt
_ckpt() {
  local -a answer values shown options
  local line directive
  answer=("${dollar}{(@f)$("${dollar}{(Q)words[1]}" __complete zsh $((CURRENT - 2)) "${dollar}{(Q)PREFIX}" "${dollar}{(@Q)words[2,-1]}" 2>/dev/null)}")
  directive=${dollar}{answer[1]}
  for line in "${dollar}{(@)answer[2,-1]}"; do
    [[ -n $line ]] || continue
    values+=("${dollar}{line%%$'\t'*}")
    if [[ $line == *$'\t'* ]]; then shown+=("${dollar}{line/$'\t'/  -- }"); else shown+=("$line"); fi
  done
  [[ $directive != *open ]] || options=(-S '')
  if (( ${dollar}{#values} > 0 )); then compadd "${dollar}{options[@]}" -l -d shown -a values; fi
  case $directive in
    files*) _files ;;
    folders*) _files -/ ;;
    commands*) _command_names -e ;;
  esac
}
if [[ $funcstack[1] == _ckpt ]]; then
  _ckpt "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _ckpt ckpt
fi
`

const fish = String.raw`# fish completion for ckpt
function __ckpt_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  # As it is meant: without a quote that was opened, or what escapes. fish shows no words behind the cursor here.
  set current (string replace -f -r '^(--[^=\'"]*=)?([\'"])(.*?)\\2?$' '$1$3' -- "$current"; or string unescape -- "$current")
  set -l words $before[2..-1] "$current"
  set -l answer (command ckpt __complete fish (math (count $before) - 1) "$current" $words 2>/dev/null)
  for line in $answer[2..-1]
    echo $line
  end
  switch "$answer[1]"
    case 'files*'
      __fish_complete_path "$current"
    case 'folders*'
      __fish_complete_directories "$current" ''
    case 'commands*'
      __fish_complete_command
  end
end
complete -c ckpt -f -k -a '(__ckpt_complete)'
`

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish }
