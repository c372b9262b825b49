/** Groups that are no commands themselves. */
export const GROUPS: Readonly<Record<string, string>> = { keys: 'keys of a vault: list, add, test, rotate, remove, and a key on paper', catalog: 'the local cache of what the vault holds' };
