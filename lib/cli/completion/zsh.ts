import type { CompletedCommand, Offer } from './completed-commands.ts';
import { quoted } from './completed-commands.ts';

/** Sourced after `compinit`, or kept as `_holdfast` in a folder of `fpath`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef holdfast
# Completion for zsh: source <(holdfast completion zsh)
_holdfast() {
  local cur="\${words[CURRENT]}" prev="\${words[CURRENT-1]}" command="" word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in
      (${commands.filter(({ name }) => name !== '').map(({ name }) => quoted(name.includes(' ') ? name : ` ${name}`)).join(' | ')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$command $prev" in
${commands.flatMap(valueLines).join('\n')}
  esac
  case "$command" in
${commands.map(commandLines).join('\n')}
  esac
}
if [[ "\${funcstack[1]}" == "_holdfast" ]]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`;
}

function valueLines({ name, options }: CompletedCommand): string[] {
  return options.filter(({ value }) => value !== undefined).map(({ names, value }) => `    (${names.map((option) => quoted(`${name} ${option}`)).join(' | ')}) ${offered(value as Offer)}; return ;;`);
}

function commandLines({ name, members, options, argument }: CompletedCommand): string {
  const described = options.flatMap(({ names, summary }) => names.map((option) => describing(option, summary))).join(' ');
  const words = members.map(({ word, summary }) => describing(word, summary)).join(' ');
  const rest = words === '' ? offered(argument) : `found=(${words}); _describe -t commands command found`;
  return `    (${quoted(name)}) if [[ "$cur" == -* ]]; then found=(${described}); _describe -t options option found; else ${rest}; fi ;;`;
}

/** `_describe` parts a word from what is said of it at the first colon. */
function describing(word: string, summary: string): string {
  return quoted(`${word}:${summary}`);
}

function offered(offer: Offer): string {
  if (offer === 'files') return '_files';
  if (offer === 'folders') return '_files -/';
  return offer === 'unknown' ? ':' : `compadd -- ${offer.map(quoted).join(' ')}`;
}
