const HOUR_MS = 3_600_000;

/** An age for people: `50 minutes`, `26 hours`, `3 days`. */
export function ageInWords(milliseconds: number): string {
  const hours = milliseconds / HOUR_MS;
  if (hours < 1) return counted(Math.max(0, Math.floor(hours * 60)), 'minute');
  return hours < 48 ? counted(Math.floor(hours), 'hour') : counted(Math.floor(hours / 24), 'day');
}

function counted(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
