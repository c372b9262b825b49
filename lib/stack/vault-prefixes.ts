/** Folders of packs in a vault (docs/repository-format.md §2); metadata has a class of its own that never goes cold. */
export const PACK_CLASSES = ['hot', 'warm', 'cold', 'meta'] as const;
