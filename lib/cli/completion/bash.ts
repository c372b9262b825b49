import type { CompletedCommand, Offer } from './completed-commands.ts';
import { quoted } from './completed-commands.ts';

/** Runs on bash 3.2, too; asks nothing of the package bash-completion. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion for bash: source <(holdfast completion bash)
_holdfast() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="" word index words="" IFS=$' \\t\\n'
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" && $COMP_CWORD -gt 2 ]]; then
    prev="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$command $word" in
      ${commands.filter(({ name }) => name !== '').map(({ name }) => quoted(name.includes(' ') ? name : ` ${name}`)).join(' | ')}) command="\${command:+$command }$word" ;;
    esac
  done
  COMPREPLY=()
  case "$command $prev" in
${commands.flatMap(valueLines).join('\n')}
  esac
  case "$command" in
${commands.map(commandLine).join('\n')}
  esac
}
_holdfast_words() { COMPREPLY=($(compgen -W "$1" -- "$2")); }
_holdfast_names() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$2"))
  compopt -o filenames 2>/dev/null || true
}
complete -F _holdfast holdfast
`;
}

function valueLines({ name, options }: CompletedCommand): string[] {
  return options.filter(({ value }) => value !== undefined).map(({ names, value }) => `    ${names.map((option) => quoted(`${name} ${option}`)).join(' | ')}) ${offered(value as Offer)}; return ;;`);
}

function commandLine({ name, members, options, argument }: CompletedCommand): string {
  const all = options.flatMap(({ names }) => names).join(' ');
  const words = members.map(({ word }) => word).join(' ');
  const rest = words === '' ? offered(argument) : `_holdfast_words ${quoted(words)} "$cur"`;
  return `    ${quoted(name)}) if [[ $cur == -* ]]; then _holdfast_words ${quoted(all)} "$cur"; else ${rest}; fi ;;`;
}

function offered(offer: Offer): string {
  if (offer === 'files') return '_holdfast_names -f "$cur"';
  if (offer === 'folders') return '_holdfast_names -d "$cur"';
  return offer === 'unknown' ? ':' : `_holdfast_words ${quoted(offer.join(' '))} "$cur"`;
}
