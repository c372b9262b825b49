const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0 B`, `512 B`, `1.2 MiB`, `408 MiB`: three digits are enough for people; `--json` has the exact number. */
export function bytesInWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationInWords(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Local time to the second: `2026-11-21 08:15:02`. */
export function timeInWords(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The same with its distance from UTC, where it stands beside times of other machines: `2026-11-21 08:15:02 +01:00`. */
export function zonedTimeInWords(milliseconds: number): string {
  const minutes = -new Date(milliseconds).getTimezoneOffset();
  const two = (value: number) => String(value).padStart(2, '0');
  return `${timeInWords(milliseconds)} ${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

/** `1 file`, `1,204 files`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${numberInWords(count)} ${count === 1 ? singular : plural}`;
}

export function numberInWords(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** What a warning is about comes first: it may be the only line that somebody reads. */
export function warningInWords({ path, message }: { readonly path?: string | undefined; readonly message: string }): string {
  return path === undefined || path === '' ? message : `${path}: ${message}`;
}

/** How much less is stored than there was: `3.4 : 1`. */
export function ratioInWords(plain: number, stored: number): string {
  return stored === 0 ? '-' : `${(plain / stored).toFixed(1)} : 1`;
}
