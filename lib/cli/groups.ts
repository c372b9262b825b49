/** Groups that are no commands themselves. */
export const GROUPS: Readonly<Record<string, string>> = { keys: 'keys of a vault: list, add, test, rotate, remove, and a key on paper', pitr: 'restoring PostgreSQL to a moment: what can be restored to', catalog: 'the local cache of what the vault holds' };
