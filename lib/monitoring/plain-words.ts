const LONGEST = 1000;

/**
 * What may hold a secret in words that came from elsewhere (a database client, a command). Messages of Holdfast hold none;
 * this is the second line, for alerts leave the account by e-mail.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/(\w+:\/\/)[^\s/@]+@/g, '$1***@'],
  [/-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?(-----END [^-]*PRIVATE KEY-----|$)/g, '***'],
  // A reference such as ${secret:shop/db} is a name that somebody has to find.
  [/(?<!\$\{\w*)(\w*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|authorization)\w*["']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?("[^"]*"|'[^']*'|[^\s,;]+)/gi, '$1***'],
  [/\bA(KIA|SIA)[A-Z0-9]{16}\b/g, '***'],
  [/\b(xox[a-z]-|gh[a-z]_)[\w-]{10,}/g, '***'],
];

/** Fit for a message: without secrets, control characters or more than 1,000 characters. */
export function plainWords(text: string): string {
  const safe = SECRETS.reduce((words, [secret, shown]) => words.replace(secret, shown), text);
  // oxlint-disable-next-line no-control-regex -- mail and terminals must not be steered
  const clean = safe.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, ' ').trim();
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST - 3)}...` : clean;
}
