import type { CompletedCommand, CompletedOption, Offer } from './completed-commands.ts';

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.filter(({ name }) => name !== '').map(({ name }) => inFish(name));
  return `# Completion for fish: holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_at --description 'whether the words so far are this command'
    set -l command ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$command $word")
        contains -- $next ${names.join(' ')}; and set command $next
    end
    test "$command" = "$argv[1]"
end
complete -c holdfast -e
complete -c holdfast -f
${commands.flatMap(commandLines).join('\n')}
`;
}

function commandLines({ name, members, options, argument }: CompletedCommand): string[] {
  const at = `complete -c holdfast -n ${inFish(`__holdfast_at ${inFish(name)}`)}`;
  return [
    ...members.map(({ word, summary }) => `${at} -a ${inFish(word)} -d ${inFish(summary)}`),
    ...options.map((option) => `${at} ${optionWords(option)}`),
    ...(members.length > 0 || argument === 'unknown' ? [] : [`${at} ${argumentWords(argument)}`]),
  ];
}

function optionWords({ names, summary, value }: CompletedOption): string {
  const switches = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  return `${switches}${value === undefined ? '' : ` ${valueWords(value)}`} -d ${inFish(summary)}`;
}

function valueWords(offer: Offer): string {
  if (offer === 'files') return '-r -F';
  if (offer === 'folders') return "-x -a '(__fish_complete_directories)'";
  return offer === 'unknown' ? '-x' : `-x -a ${inFish(offer.join(' '))}`;
}

function argumentWords(offer: Exclude<Offer, 'unknown'>): string {
  return typeof offer === 'string' ? '-F' : `-a ${inFish(offer.join(' '))}`;
}

/** Fish knows two escapes between single quotes. */
function inFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
